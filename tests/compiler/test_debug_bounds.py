"""FX_DEBUG_BOUNDS=1: what compiled code must not do is found, and named."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import lax
from fx.backends.cpu import compile_program, debug_bounds
from fx.backends.cpu.debug_bounds import PAGE, GuardedEmission, GuardedExecutable, guarded_plan
from fx.backends.cpu.llvm import Value, i64
from fx.compiler.memory_plan import Interval
from fx.core.errors import DeviceError
from fx.core.interpret import run_buffers

HERE = Path(__file__).parent


def program_of(f, *xs):
    return fx.jit(f).lower(*xs).program


def looping(x):
    def body(c, a):
        c = lax.cond(a.sum() > 0, lambda v: fnp.tanh(v @ v), lambda v: v + 1, c)
        return c, fnp.sort(c, axis=0)

    c, ys = lax.scan(body, x[0] * 0.1, x)
    count, z = lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, fnp.sin(s[1])), (0, c))
    return ys.sum(0), z, count, fnp.concatenate([x.reshape(-1), fnp.zeros(3, x.dtype)])


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 17, 17), (1, 1, 1)])
def test_sound_code_gives_what_the_interpreter_gives(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    program = program_of(looping, x)
    found = GuardedExecutable(program).run([x])
    for got, want in zip(found, run_buffers(program, [x]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_donated_inputs_and_python_steps():
    def f(x, y):
        z = fx.pure_callback(lambda a: np.asarray(a) * 2, fx.ShapeDtype(x.shape, x.dtype), x + y)
        return fnp.sin(x) * z

    x, y = np.ones(70, np.float32), np.arange(70, dtype=np.float32)
    executable = GuardedExecutable(program_of(f, x, y))
    (found,) = executable.run_donated([x.copy(), y], (0,), [True])
    np.testing.assert_allclose(found, np.sin(x) * 2 * (x + y), rtol=1e-6)


def test_no_buffers_share_pages():
    sizes = {0: 5, 1: PAGE, 2: 0, 3: 3 * PAGE + 1, ("scratch", 4): 70}
    arena = guarded_plan([Interval(k, n, 0, 0) for k, n in sizes.items()])
    guards = {g // PAGE for g in arena.guards}
    assert arena.nbytes % PAGE == 0 and len(guards) == len(sizes) + 1
    for key, n in sizes.items():
        start = arena.offsets[key]
        assert not guards & set(range(start // PAGE, -(-(start + n) // PAGE)))
        assert -(-(start + n) // PAGE) in guards  # unreadable from the next page on
    assert arena.offsets["scratch", 4] % 64 == 0


def test_chosen_by_the_environment():
    code = "from fx.backends.cpu import _kind; print(_kind().__name__)"
    for text, name in (("1", "GuardedExecutable"), ("0", "Executable")):
        assert run_python(code, FX_DEBUG_BOUNDS=text).stdout.strip() == name
    assert compile_program.__module__ == "fx.backends.cpu"


# Code that is wrong


class Broken(GuardedExecutable):
    """Its code does something more after the last step."""

    mistake = None

    class writer(GuardedEmission):
        def step(self, f, n):
            super().step(f, n)
            if n == len(self.steps) - 1:
                Broken.mistake(self, f)


def broken(f, xs, mistake):
    Broken.mistake = staticmethod(mistake)
    Broken(program_of(f, *xs)).run(xs)


def result_of(emission, f):
    return emission.pointer(f, emission.schedule.outputs[0].base)


def store(f, pointer, at, type="i8"):
    f.store(Value("0", type), f.gep("i8", pointer, i64(at)), 1)


def skip_an_element(emission, f):
    """An element that depends on what was in memory."""
    target = f.gep("i8", result_of(emission, f), i64(8))
    emission_pattern = f.load("i32", f.gep("i8", result_of(emission, f), i64(-4)), 1)
    f.store(emission_pattern, target, 1)


def write_in_front(emission, f):
    store(f, result_of(emission, f), -3)


def write_behind(emission, f):
    store(f, result_of(emission, f), 70 * 4)


def read_behind(emission, f):
    x = f.load(
        "<4 x float>", f.gep("i8", emission.pointer(f, emission.schedule.program.inputs[0]), i64(67 * 4)), 4
    )
    f.store(x, result_of(emission, f), 4)


def write_an_input(emission, f):
    store(f, emission.pointer(f, emission.schedule.program.inputs[0]), 0)


def write_behind_a_temporary(emission, f):
    v = next(x.key for x in emission.intervals if x.nbytes == 71 * 4)
    store(f, emission.pointer(f, v), 71 * 4)


X = np.ones(70, np.float32)


def with_temporary(x):
    longer = fnp.concatenate([x, x[:1]])
    return fnp.cumsum(longer)[:70] + fnp.sum(longer)


def test_memory_never_written_is_found():
    with pytest.raises(
        DeviceError, match=r"element 2 of array 1 .* depends on memory that was never written"
    ):
        broken(fnp.sin, [X], skip_an_element)


def test_writing_in_front_is_found():
    with pytest.raises(DeviceError, match="wrote in front of array 1"):
        broken(fnp.sin, [X], write_in_front)


@pytest.mark.parametrize("mistake", [write_behind, read_behind, write_an_input, write_behind_a_temporary])
def test_faults_name_the_program_and_the_step(mistake):
    function = "with_temporary" if mistake is write_behind_a_temporary else "fnp.sin"
    code = (
        "from test_debug_bounds import *\n"
        "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        f"broken({function}, [X], {mistake.__name__})"
    )
    done = run_python(code)
    assert done.returncode < 0, done.stderr
    name = function.split(".")[-1]
    assert f"FX_DEBUG_BOUNDS: fault in {name}, step " in done.stderr


def run_python(code, **environment):
    path = os.pathsep.join([str(HERE.parent.parent), str(HERE)])
    env = {**os.environ, "PYTHONPATH": path, "FX_CACHE_DIR": "off", **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)


def test_the_handler_before_ours_still_runs():
    code = (
        "import faulthandler; faulthandler.enable()\n"
        "from test_debug_bounds import *\n"
        "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "broken(fnp.sin, [X], write_behind)"
    )
    done = run_python(code)
    assert (
        "FX_DEBUG_BOUNDS: fault in sin" in done.stderr
        and "Fatal Python error: Segmentation fault" in done.stderr
    )


def test_every_page_but_the_guards_can_be_used():
    memory = debug_bounds.Memory(0xFF, end=True)
    memory.add(0, np.arange(5.0), writable=False)
    memory.reserve(1, (3, 0), np.dtype("float32"))
    memory.reserve(2, (2, 700), np.dtype("float64"))
    memory.make(guarded_plan([Interval("a", 8, 0, 0)]))
    memory.array(2)[...] = 1
    assert memory.array(0).tolist() == [0, 1, 2, 3, 4] and memory.array(1).shape == (3, 0)
    assert memory.damage() is None
    memory.raw[memory.slots[2].start - 1] = 0
    assert memory.damage() == 2


def test_conversions_and_tails_stay_inside_their_arrays():
    """A masked store of one truncated lane is a store of its own: LLVM 22 would write past the end."""
    code = """
import numpy as np, fx, fx.numpy as fnp
dtypes = "bool int8 int16 int32 int64".split()
convert = fx.jit(lambda x: [y.astype(d) for d in dtypes for y in (x, x[::2], fnp.flip(x))])
for n in (17, 33):
    for dtype in dtypes:
        x = (np.arange(n) % 5).astype(dtype)
        for d, y in zip(dtypes, convert(x)[::3]):
            np.testing.assert_array_equal(np.asarray(y), x.astype(d))
        if x.dtype.kind in "iu":
            np.testing.assert_array_equal(np.asarray(fx.jit(fnp.bitwise_count)(x)), np.bitwise_count(x))
print("well")
"""
    done = run_python(code, FX_DEBUG_BOUNDS="1")
    assert done.stdout.strip() == "well", done.stderr
