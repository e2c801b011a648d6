"""Reverse mode through loops whose trips only the run knows: native, with stacks that grow."""

import os
import resource
import threading

import jax
import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import lax


def root(a):
    """Newton's, until it is near."""
    return lax.while_loop(lambda x: abs(x * x - a) > 1e-9, lambda x: (x + a / x) / 2, a)


def steps(a, n, rate=1e-3):
    """n trips."""
    body = lambda c: (c[0] + 1, c[1] + rate * fnp.sin(c[1] * a))
    return lax.while_loop(lambda c: c[0] < n, body, (0, a))[1]


def three_steps(a):
    return steps(a, 3)


def nested(a):
    inner = lambda y: lax.while_loop(lambda z: z > 0.1, lambda z: z * 0.5 * fnp.cos(y) * fnp.cos(z), y)
    going = lambda c: (c[1] > 0.3) & (c[0] < 5)
    return lax.while_loop(going, lambda c: (c[0] + 1, fnp.sin(c[1]) + inner(c[1])), (0, a))[1]


def thrice(a):
    """Three loops deep, a different number of trips in each."""

    def fall(x, depth):
        body = lambda v: v * 0.6 + (fall(v * 0.5, depth - 1) * 0.1 if depth else fnp.sin(v) * 0.1)
        return lax.while_loop(lambda v: v > 0.4, body, x)

    return fall(a, 2)


def in_scan(a):
    """A stack of three stacks, that of the second without rows."""
    xs = fnp.stack([a, a * 0, a * 2])
    body = lambda c, x: (c * 1.1 + lax.while_loop(lambda v: v > 1, lambda v: v * 0.7 + 0.01 * c, x), c + x)
    c, ys = lax.scan(body, a, xs)
    return c + ys.sum()


def in_one_trip(a):
    return lax.scan(lambda c, x: (root(x) * c, None), a, a[None])[0]


def after_another(a):
    """The second loop ends because of what the first made; its stacks are rows of matrices."""
    w = fnp.stack([fnp.cos(a), fnp.sin(a), a * 0.1])
    first = lax.while_loop(
        lambda v: fnp.sum(v) < 9, lambda v: v * 1.3 + fnp.outer(w, w), fnp.outer(w, w) + 0.1
    )
    return lax.while_loop(lambda v: fnp.sum(v) > 1, lambda v: fnp.tanh(v @ first * 0.05) * 0.9, first).sum()


def chosen(a):
    """A loop in one branch, none in the other."""
    return sum(lax.cond(a * k > 2, lambda x: root(x) * 2, lambda x: fnp.sin(x), a * k) for k in (0.5, 3.0))


def recomputed(a):
    return root(fx.checkpoint(lambda x: fnp.exp(steps(x, 5)))(a))


def recomputed_body(a):
    body = fx.checkpoint(lambda v: fnp.sin(v) * 0.9)
    return lax.while_loop(lambda v: v > 0.05, body, a)


def never(a):
    return lax.while_loop(lambda v: v < -1, lambda v: v * v, a) * 3


def single(a):
    """float32 and a counter of int8 in one carry."""
    x = a.astype(np.float32)
    body = lambda c: (c[0] * np.float32(0.8), c[1] + np.int8(1))
    x, n = lax.while_loop(lambda c: c[0] > 0.2, body, (x * x, np.int8(0)))
    return (x * n.astype(np.float32)).astype(a.dtype)


FUNCTIONS = [
    root, three_steps, nested, thrice, in_scan, in_one_trip, after_another, chosen,
    recomputed, recomputed_body, never, single,
]  # fmt: skip
MODES = {
    "grad": fx.grad,
    "grad of grad": lambda f: fx.grad(fx.grad(f)),
    "jvp of grad": lambda f: lambda a: fx.jvp(fx.grad(f), (a,), (a * 0.3,)),
    "vmap": lambda f: lambda a: fx.vmap(fx.grad(f))(fnp.stack([a, a * 0.4, a * 1.5])),
    "grad of vmap": lambda f: lambda a: fx.grad(lambda v: fx.vmap(f)(v).sum())(fnp.stack([a, a * 1.7])),
}


def kinds(steps):
    return {s.kind for s in steps} | {k for s in steps for i in s.inner for k in kinds(i.steps)}


def native(f, *args):
    """The compiled function, which has no step in Python."""
    compiled = fx.jit(f)
    report = compiled.explain(*args)
    assert "python" not in kinds(report.steps), report
    return compiled


def compare(f, *args):
    got = native(f, *args)(*args)
    with fx.config(compile=False):
        want = fx.jit(f)(*args)
    for g, w in zip(fx.tree.leaves(got), fx.tree.leaves(want), strict=True):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        np.testing.assert_allclose(g, w, rtol=1e-6 if g.dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_equals_the_interpreter(function, mode):
    if function is chosen and mode == "grad of grad":
        return  # refused: see the next test
    compare(MODES[mode](function), np.float64(1.7))


def test_two_backward_passes_through_a_loop_in_a_branch_are_refused():
    """The cotangent of a stack that the other branch does not have has no length."""
    with pytest.raises(fx.ShapeError):
        fx.jit(fx.grad(fx.grad(chosen)))(np.float64(1.7))


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 32, 33, 1000])
def test_any_number_of_trips(n):
    """Known from a scan of so many trips."""
    f = native(fx.grad(steps), np.float64(1.2), 5)
    fixed = lambda a: lax.scan(lambda y, _: (y + 1e-3 * fnp.sin(y * a), None), a, None, length=n)[0]
    np.testing.assert_allclose(f(np.float64(1.2), n), fx.grad(fixed)(np.float64(1.2)), rtol=1e-13)


def test_against_jax():
    """JAX has no reverse mode of it: its forward mode."""

    def newton(a):
        return jax.lax.while_loop(lambda x: abs(x * x - a) > 1e-9, lambda x: (x + a / x) / 2, a)

    with jax.enable_x64():
        want = [float(jax.jvp(newton, (a,), (1.0,))[1]) for a in (0.3, 2.0, 1e6)]
    found = native(fx.grad(root), 2.0)
    np.testing.assert_allclose([found(np.float64(a)) for a in (0.3, 2.0, 1e6)], want, rtol=1e-12)


def test_rows_without_elements():
    empty = np.zeros((0, 3))
    f = lambda a, e: fx.grad(
        lambda a: lax.while_loop(lambda c: c[0] < 4, lambda c: (c[0] * 2, c[1] * c[0]), (a, e))[0]
    )(a)
    compare(f, np.float64(1.0), empty)


def test_memory_report_and_profile_know_of_it():
    f = native(fx.grad(root), np.float64(2))
    assert not f.memory(np.float64(2)).exact
    assert any("while_loop" in r.text for r in fx.profile(f)(np.float64(2)).rows)


def test_threads_with_trips_of_their_own():
    f = fx.jit(fx.grad(lambda a, n: steps(a, n)))
    counts = (3, 40, 500, 2000)
    want = [float(f(np.float64(1.1), n)) for n in counts]
    wrong = []

    def run(k):
        for _ in range(50):
            if float(f(np.float64(1.1), counts[k])) != want[k]:
                wrong.append(k)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_after_a_fork():
    f = fx.jit(fx.grad(nested))
    want = float(f(np.float64(1.7)))
    child = os.fork()
    if child == 0:
        os._exit(0 if float(f(np.float64(1.7))) == want else 1)
    assert os.waitpid(child, 0)[1] == 0


# Without memory


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


class limited:
    """Little more address space than now."""

    def __init__(self, more):
        self.more = more

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_AS)
        with open("/proc/self/statm") as f:
            now = int(f.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + self.more, self.before[1]))

    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_AS, self.before)


def endless(v):
    return lax.while_loop(lambda c: c[0, 0] < 9, lambda c: fnp.sin(c) * 1.0, v).sum()


def endless_inside(v):
    """The outer loop never ends if the inner one, which has no memory, does not stop it."""
    inner = lambda v: lax.while_loop(lambda c: c[0, 0] < 9, lambda c: fnp.sin(c) * 1.0, v)
    return lax.while_loop(lambda c: c[0, 0] < 9, lambda c: inner(c) * 0.5, v).sum()


def endless_then(v):
    """The second loop ends if the first one did."""
    v = lax.while_loop(lambda c: c[0, 0] < 9, lambda c: fnp.sin(c) * 1.0, v)
    return lax.while_loop(lambda c: c[0, 0] > -9, lambda c: c - 9, v).sum()


def endless_in_scan(v):
    body = lambda c, _: (lax.while_loop(lambda c: c[0, 0] < 9, lambda c: fnp.sin(c) * 1.0, c), None)
    return lax.scan(body, v, None, length=3)[0].sum()


LIMITED = os.path.exists("/proc/self/statm") and os.environ.get("FX_DEBUG_BOUNDS", "0") in ("", "0")


@pytest.mark.skipif(not LIMITED, reason="reads /proc; guarded memory needs more")
@pytest.mark.parametrize("function", [endless, endless_inside, endless_then, endless_in_scan])
def test_no_memory_is_an_error_that_names_the_loop(function):
    v = np.ones((256, 64))
    f = native(fx.grad(function), v)
    end = np.full_like(v, 10.0)
    if function is endless:
        np.testing.assert_array_equal(f(end), np.ones_like(v))
    sizes = []
    for _ in range(3):
        with limited(64 << 20), pytest.raises(fx.OutOfMemoryError, match="stacks of") as caught:
            f(v)
        assert "test_growing_stacks.py" in str(caught.value) and "MiB" in str(caught.value)
        sizes.append(resident())
    assert sizes[2] - sizes[0] < 20 << 20  # the C library may keep what the first run gave back
    if function is endless:
        np.testing.assert_array_equal(f(end), np.ones_like(v))


@pytest.mark.skipif(not LIMITED, reason="reads /proc; guarded memory needs more")
def test_nothing_is_lost_by_runs_and_by_errors():
    """Stacks of 8 MB in forty runs, half of which end in an error of the body's."""

    def f(a, n):
        body = lambda c: (c[0] + 1, fnp.linalg.cholesky(c[1] + c[1].T) * 0.5**0.5)
        return lax.while_loop(lambda c: c[0] < n, body, (0, a))[1].sum()

    g = native(fx.grad(f), np.eye(64), 3)
    good, bad = np.eye(64), -np.eye(64)
    g(good, 80)
    before = resident()
    for _ in range(20):
        g(good, 80)
        with pytest.raises(fx.LinAlgError):
            g(bad, 80)
    assert resident() - before < 24 << 20
