"""Fourier transforms as native steps: NumPy's loops by address, against NumPy's own functions in double precision."""

import os
import resource
import threading

import numpy as np
import pytest
import scipy.fft
from guard_pages import guarded

import fx
import fx.numpy as fnp
from fx.backends.cpu import threads
from fx.backends.cpu.operations import fourier_loops
from fx.core.executor import executable
from fx.primitives.fourier import KINDS, NORMS, _oracle, fourier

CASES = [((8,), (0,)), ((1,), (0,)), ((3, 5), (1,)), ((3, 5), (0,)), ((40, 97), (1,)), ((2017,), (0,)),
         ((40, 97), (0,)), ((2, 3, 4), (2, 0)), ((4, 3, 5), (0, 1, 2)), ((6, 5, 4, 3), (3, 1, 0, 2)),
         ((4, 33, 9), (1,)), ((300, 128), (1,)), ((2, 100, 250), (1,))]  # fmt: skip
"""Shapes and axes: powers of two, primes, in several tasks, along outer axes."""


def numbers(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=shape) + (1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else 0)
    return np.asarray(z, dtype)


def native(f, *args):
    compiled = fx.jit(f)
    steps = compiled.explain(*args).steps
    assert "operation" in {s.kind for s in steps} and "python" not in {s.kind for s in steps}, steps
    return compiled


def lengths(kind, shape, axes):
    half = shape[axes[-1]]
    return [n for n in (2 * half - 2, 2 * half - 1) if n > 0] if kind == "irfft" else [0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("kind", KINDS)
def test_against_numpy(kind, dtype):
    if np.dtype(dtype).kind == ("f" if kind == "irfft" else "c" if kind == "rfft" else "?"):
        return
    for k, (shape, axes) in enumerate(CASES):
        z, norm = numbers(shape, dtype), NORMS[k % 3]
        for n in lengths(kind, shape, axes):
            got = np.asarray(native(lambda z, n=n: fourier(z, kind, axes, norm, n), z)(z))
            want = _oracle(z.astype("complex128" if z.dtype.kind == "c" else "float64"), kind, axes, norm, n)
            assert got.shape == want.shape and got.dtype.itemsize * 2 == want.dtype.itemsize * (
                1 + (z.real.dtype == np.float64)
            )
            far = np.abs(got - want).max() / np.abs(want).max()
            assert far < 8 * np.finfo(dtype).eps, (shape, axes, norm, n, far)


def test_views_are_read_as_they_are():
    z = numbers((6, 10, 7), "complex64")
    f = lambda z: (fnp.fft.fft(z.T[::-1], axis=1), fnp.fft.ifftn(z[:, ::2]), fnp.fft.fft(z[0, 0, 0:1] * 2))
    for got, want in zip(
        native(f, z)(z),
        (np.fft.fft(z.T[::-1], axis=1), np.fft.ifftn(z[:, ::2]), z[0, 0, :1] * 2),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_special_numbers_spread_as_scipys_do():
    for kind, values in (
        ("fft", [1, np.nan, 2, 3]),
        ("rfft", [np.inf, 1, 2, 3, 4]),
        ("ifft", [-0.0, 0.0, 0.0]),
    ):
        x = np.array(values, "float64" if kind == "rfft" else "complex128")
        got = np.asarray(fx.jit(lambda x: fourier(x, kind, (0,)))(x))
        want = getattr(scipy.fft, kind)(x)
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
        np.testing.assert_allclose(got[np.isfinite(want)], want[np.isfinite(want)])


def test_gradients():
    z = numbers((3, 20), "float64")
    loss = lambda x: fnp.sum(fnp.abs(fnp.fft.ifft(fnp.fft.fft(x) * fnp.arange(20.0))) ** 2)
    filtered = lambda x: fnp.sum(fnp.fft.irfft(fnp.fft.rfft(x, axis=0) * 2, 3, axis=0) ** 2)
    np.testing.assert_allclose(native(fx.grad(filtered), z)(z), 8 * z, rtol=1e-12)
    step = 1e-6 * numbers((3, 20), "float64", 1)
    slope = float(loss(z + step) - loss(z - step)) / 2
    np.testing.assert_allclose(np.sum(np.asarray(native(fx.grad(loss), z)(z)) * step), slope, rtol=1e-6)


@pytest.mark.parametrize("shape, axis", [((300, 128), 1), ((3, 128, 1000), 1)])
def test_the_same_bits_with_any_number_of_threads(shape, axis):
    z = numbers(shape, "complex64")
    f = native(lambda z: fourier(z, "fft", (axis,)), z)
    found = []
    for n in (1, 2, 5):
        with threads.threads(n):
            found.append(np.asarray(f(z)).tobytes())
    assert len(set(found)) == 1


def test_nothing_beyond_the_arrays_is_touched():
    for n in (1, 5, 16, 31):
        for end in (True, False):
            x = guarded(numbers((n,), "complex64"), end)
            program = (
                fx.jit(lambda z: (fnp.fft.fft(z), fnp.fft.irfft(z, 2 * z.shape[0] - 1))).lower(x).program
            )
            for got, want in zip(
                executable(program).run([x]), (np.fft.fft(x), np.fft.irfft(x, 2 * n - 1)), strict=True
            ):
                np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_where_numpy_is_built_in_another_way_python_runs_it(monkeypatch):
    fourier_operation = lambda f, x: [s.kind for s in fx.jit(f).explain(x).steps]
    x = numbers((5, 11), "float32")
    monkeypatch.setattr(fourier_loops, "found", lambda: None)
    f = lambda x: fourier(x, "rfft", (0,), "ortho")
    assert fourier_operation(f, x) == ["python"]
    np.testing.assert_allclose(fx.jit(f)(x), np.fft.rfft(x, axis=0, norm="ortho"), rtol=1e-5, atol=1e-5)


def test_a_loop_that_computes_something_else_is_not_believed():
    forward, inverse = fourier_loops.found()[1:4:2]
    assert fourier_loops._works(forward, 1) and fourier_loops._works(inverse, 3)
    assert not fourier_loops._works(forward, 3) and not fourier_loops._works(inverse, 1)
    with pytest.raises(LookupError):
        fourier_loops._loop(np.add, np.dtype("float32"))


def test_several_callers_and_a_fork():
    f = fx.jit(lambda z: fnp.fft.fft(z * 2, axis=0))
    arrays = [numbers((n, 300), "complex64") for n in (64, 97, 128, 150)]
    want = [np.asarray(f(z)) for z in arrays]
    wrong = []

    def run(z, w):
        wrong.extend(k for k in range(30) if not np.array_equal(f(z), w))

    callers = [threading.Thread(target=run, args=pair) for pair in zip(arrays, want, strict=True)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(f(arrays[1]), want[1]) else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(
    not os.path.exists("/proc/self/statm") or os.environ.get("FX_DEBUG_BOUNDS", "0") not in ("", "0"),
    reason="reads /proc; guarded memory needs more",
)
def test_no_memory_is_an_error_and_the_next_call_is_well():
    """The plan of a prime length takes more than the result."""
    z = numbers((1_000_003,), "complex128")
    f = native(lambda z: fnp.fft.fft(z), z)
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as pages:
        now = int(pages.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (20 << 20), before[1]))
    try:
        with pytest.raises(fx.OutOfMemoryError, match=r"fft of c128\[1000003\]"):
            f(z)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    small = numbers((64,), "complex128")
    np.testing.assert_allclose(f(small), np.fft.fft(small), rtol=1e-12)
    np.testing.assert_allclose(f(z), np.fft.fft(z), rtol=1e-7, atol=1e-9)
