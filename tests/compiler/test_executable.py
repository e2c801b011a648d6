"""Compiled functions as users meet them: any operand, threads, forks, donation, aliasing, callbacks, errors."""

import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.backends.cpu import layout
from fx.core.executor import executable
from fx.core.interpret import run_buffers

RNG = np.random.default_rng(0)


def normal(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def test_objects_are_laid_out_as_emitted_code_believes():
    at = layout.objects()
    assert at.items == tuple.__basicsize__


OPERANDS = {
    "array": normal(6, 8),
    "fx array": fnp.asarray(normal(6, 8)),
    "transposed": normal(8, 6).T,
    "reversed": normal(6, 8)[:, ::-1],
    "every second": normal(12, 8)[::2],
    "Fortran order": np.asfortranarray(normal(6, 8)),
    "read only": np.broadcast_to(normal(8), (6, 8)),
    "unaligned": np.frombuffer(b"\0" + normal(6, 8).tobytes(), np.uint8)[1:].view(np.float32).reshape(6, 8),
    "0-d array": np.array(2.5, np.float32),
    "NumPy scalar": np.float32(2.5),
    "Python float": 2.5,
    "Python int": 3,
    "int32": np.arange(5, dtype=np.int32),
    "bool": np.array([True, False]),
    "float16": normal(5).astype(np.float16),
    "big endian": normal(5).astype(">f4"),
    "empty": normal(0, 3),
    "a subclass": np.ma.masked_array(normal(4)).filled(0),
}


@pytest.mark.parametrize("x", OPERANDS.values(), ids=OPERANDS.keys())
def test_any_operand(x):
    f = lambda x: (x * 2 + 1, x + x)
    jitted = fx.jit(f)
    with fx.config(compile=False):
        want = fx.jit(f)(x)
    for _ in range(3):
        for got, expected in zip(jitted(x), want, strict=True):
            np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))
            assert got.aval is expected.aval
    assert jitted.trace_count == 1


def test_results_never_share_memory_with_users_arrays():
    x = normal(4, 4)
    f = fx.jit(lambda x: (x, x.T, x[1:], x.reshape(2, 8), x + 0))
    for _ in range(2):
        assert not any(np.may_share_memory(np.asarray(y), x) for y in f(x))


def test_outputs_that_are_inputs_literals_and_repeated():
    f = fx.jit(lambda x, y: (x, 3.0, y * 2, y * 2, y, fnp.zeros(2)))
    a, b, c, d, e, z = f(fnp.ones(3), fnp.ones((2, 2)))
    np.testing.assert_array_equal(np.asarray(c), np.asarray(d))
    assert float(b) == 3.0 and a.shape == (3,) and e.shape == (2, 2) and not np.asarray(z).any()


def test_a_python_step_between_native_ones():
    f = fx.jit(lambda x: fnp.exp(fnp.linalg.eigvals((x + x.T).astype("float64")).real.sum()) * 2)
    x = normal(4, 4) * 0.1
    with fx.config(compile=False):
        want = np.asarray(fx.jit(lambda x: f.fun(x))(x))
    np.testing.assert_allclose(np.asarray(f(x)), want, rtol=1e-12)


def test_same_bits_for_any_number_of_threads():
    from fx.backends.cpu import threads

    def f(x, w):
        y = fx.nn.softmax(x @ w)
        return y.sum(), (y * x[:, :64]).sum(0), y.mean(1)

    x, w = normal(2000, 300), normal(300, 64)
    f = fx.jit(f)
    found = []
    for n in (1, 2, 3, 4):
        with threads.threads(n):
            found.append([np.asarray(v).tobytes() for v in f(x, w)])
    assert all(v == found[0] for v in found)


def test_threads_call_the_same_and_other_functions():
    f = fx.jit(lambda x: (fx.nn.softmax(x @ x.T) ** 2).sum(1))
    g = fx.jit(fx.grad(lambda x: (fnp.sin(x) * x).sum()))
    xs = [normal(64, 64) for _ in range(4)]
    want = [(np.asarray(f(x)), np.asarray(g(x))) for x in xs]
    wrong = []

    def work(i):
        for _ in range(50):
            a, b = f(xs[i]), g(xs[i])
            if not (np.array_equal(np.asarray(a), want[i][0]) and np.array_equal(np.asarray(b), want[i][1])):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong


def _in_child(queue):
    x = np.ones((400, 400), np.float32)
    queue.put(float(fx.jit(lambda x: (x @ x).sum())(x)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_after_compiling():
    assert float(fx.jit(lambda x: (x @ x).sum())(np.ones((400, 400), np.float32))) == 400.0**3
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == 400.0**3
    child.join(60)
    assert child.exitcode == 0


def test_a_second_process_compiles_nothing(tmp_path):
    program = (
        "import numpy as np, fx, fx.numpy as fnp\n"
        "from fx.backends.cpu.object_cache import object_cache\n"
        "f = fx.jit(lambda x: fx.nn.softmax(x @ x.T).sum(0))\n"
        "print(np.asarray(f(np.ones((20, 30), np.float32))).sum(), object_cache().statistics.misses)\n"
    )
    env = {**os.environ, "FX_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    first, second = (r.stdout.split() for r in runs)
    assert int(first[1]) > 0 and int(second[1]) == 0 and first[0] == second[0]


# Donation


def test_donated_memory_is_taken():
    step = fx.jit(lambda p, g: [a - 0.1 * b for a, b in zip(p, g, strict=True)], donate_argnums=0)
    p = [fnp.asarray(normal(300, 300)) * 1 for _ in range(3)]
    g = [fnp.asarray(normal(300, 300)) for _ in range(3)]
    want = [np.asarray(a) - np.float32(0.1) * np.asarray(b) for a, b in zip(p, g, strict=True)]
    before = [x.buffer.ctypes.data for x in p]
    for _ in range(2):
        p = step(p, g)
    assert [x.buffer.ctypes.data for x in p] == before
    for x, w, b in zip(p, want, g, strict=True):
        np.testing.assert_allclose(np.asarray(x), w - np.float32(0.1) * np.asarray(b), rtol=1e-5, atol=1e-6)


def test_donated_memory_that_others_hold_is_left_alone():
    step = fx.jit(lambda x: x * 2, donate_argnums=0)
    x = fnp.asarray(normal(50)) * 1
    view = x.reshape(5, 10)
    kept = np.asarray(view).copy()
    step(x)
    np.testing.assert_array_equal(np.asarray(view), kept)


def test_a_donated_operand_read_out_of_order_is_not_overwritten():
    f = lambda x: x[::-1] + x
    x = normal(1000)
    got = fx.jit(f, donate_argnums=0)(fnp.asarray(x) * 1)
    np.testing.assert_array_equal(np.asarray(got), x[::-1] + x)


def test_an_unusable_donation_names_the_leaf():
    f = fx.jit(lambda p: p["w"].sum(), donate_argnums=0)
    with pytest.raises(fx.ArgumentError) as e:
        f({"w": fnp.ones((2, 3))})
    assert all(fact in str(e.value) for fact in ("p['w']", "f32[2,3]", "f32[]", "donate"))


# Settings, callbacks, errors


def test_nans_are_named_in_compiled_functions_too():
    f = fx.jit(lambda x: fnp.log(x) * 2)
    f(fnp.ones(2))
    with fx.config(check_nans=True), pytest.raises(fx.NanError, match="log"):
        f(-fnp.ones(2))


def test_an_exception_in_a_callback_reaches_the_user_and_leaves_things_sound():
    def explode(x):
        raise KeyError("mine")

    f = fx.jit(lambda x: fx.pure_callback(explode, fx.ShapeDtype((3,), np.float32), x * 2) + 1)
    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            f(fnp.ones(3))
    assert float(fx.jit(lambda x: x.sum())(fnp.ones(3))) == 3


def test_no_warnings_of_numpy():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fx.jit(lambda x: fnp.log(x) + fnp.linalg.eigvals(x * fnp.eye(2)).real)(-1.0)


def test_compiled_is_what_runs():
    f = fx.jit(lambda x: fnp.exp(x) + 1)
    x = fnp.ones(5)
    f(x)
    (entry,) = f.entries.values()
    (part,) = executable(entry.program).parts
    assert part[0] is not None
    np.testing.assert_allclose(
        np.asarray(f(x)), run_buffers(entry.program, [np.ones(5, np.float32)])[0], rtol=3e-7
    )
