"""Convolutions and correlations against SciPy and JAX, in all modes, and their derivatives."""

import itertools

import jax
import jax.scipy.signal
import numpy as np
import pytest
import scipy.fft
import scipy.signal

import fx
import fx.numpy as fnp
from fx.signal._convolution import fast_length
from fx.testing import check_grads, check_jit, check_vmap

MODES = ("full", "same", "valid")
SHAPES = (
    ((5,), (3,)),
    ((3,), (6,)),
    ((4,), (4,)),
    ((7,), (1,)),
    ((4, 5), (3, 2)),
    ((3, 2), (4, 5)),
    ((3, 4, 2), (2, 2, 2)),
    ((), ()),
)
rng = np.random.default_rng(3)


def drawn(shape, dtype):
    x = rng.normal(size=shape)
    return (x + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


def assert_equal_to(want, got, message):
    assert (got.shape, got.dtype) == (want.shape, want.dtype), message
    tolerance = 1e-12 if want.dtype.itemsize >= 8 and want.dtype.name not in ("complex64",) else 2e-5
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, err_msg=str(message))


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "complex64"])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_any_rank_equals_scipy(name, dtype):
    for (n, m), mode, method in itertools.product(SHAPES, MODES, ("direct", "fft", "auto")):
        a, b = drawn(n, dtype), drawn(m, dtype)
        want = np.asarray(getattr(scipy.signal, name)(a, b, mode, method))
        assert_equal_to(want, getattr(fx.signal, name)(a, b, mode, method), (n, m, mode, method))


@pytest.mark.parametrize("name", ["fftconvolve", "oaconvolve"])
def test_through_fourier_transforms_equals_scipy(name):
    for (n, m), mode in itertools.product(SHAPES, MODES):
        for dtype in ("float64", "complex128"):
            a, b = drawn(n, dtype), drawn(m, dtype)
            want = np.asarray(getattr(scipy.signal, name)(a, b, mode))
            assert_equal_to(want, getattr(fx.signal, name)(a, b, mode), (n, m, mode))
    a, b = drawn((3, 300), "float64"), drawn((1, 7), "float64")
    for mode in MODES:
        want = getattr(scipy.signal, name)(a, b, mode, axes=1)
        assert_equal_to(want, getattr(fx.signal, name)(a, b, mode, axes=1), mode)


def test_blocks_of_every_size_add_up():
    for n, m in ((50, 3), (24, 3), (100, 9), (9, 8), (2, 40)):
        a, b = drawn((2, n), "float64"), drawn((2, m), "float64")
        want = np.stack([np.convolve(x, y) for x, y in zip(a, b, strict=True)])
        np.testing.assert_allclose(fx.signal.oaconvolve(a, b, axes=[-1]), want, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
def test_borders_equal_scipy(name, dtype):
    borders = (("fill", 0), ("fill", 2.5), ("wrap", 0), ("symm", 0))
    shapes = (((4, 5), (3, 2)), ((3, 2), (4, 5)), ((5, 4), (2, 4)), ((2, 2), (6, 7)))
    for (n, m), mode, (boundary, value) in itertools.product(shapes, MODES, borders):
        if mode == "valid" and (n, m) == ((5, 4), (2, 4)) and boundary != "fill":
            continue
        a, b = drawn(n, dtype), drawn(m, dtype)
        want = getattr(scipy.signal, name)(a, b, mode, boundary, value)
        got = getattr(fx.signal, name)(a, b, mode, boundary, value)
        assert_equal_to(want, got, (n, m, mode, boundary, value))


def test_the_names_and_results_of_jax():
    a, b = drawn((4, 5), "float32"), drawn((3, 2), "float32")
    for name in ("convolve", "correlate", "convolve2d", "correlate2d", "fftconvolve"):
        want = np.asarray(getattr(jax.scipy.signal, name)(a, b, mode="same"))
        assert_equal_to(want, getattr(fx.signal, name)(a, b, mode="same"), name)


def test_integers_stay_exact():
    a, b = rng.integers(-(2**20), 2**20, 30), rng.integers(-9, 9, 5)
    want = np.convolve(a, b)
    for method in ("auto", "direct", "fft"):
        got = fx.signal.convolve(a, b, method=method)
        assert got.dtype == want.dtype and (np.asarray(got) == want).all()
    assert fx.signal.convolve(np.ones(3, bool), np.ones(2, bool)).tolist() == [1, 2, 2, 1]
    assert fx.signal.fftconvolve(b, b).dtype == np.float32
    assert fx.signal.convolve(b.astype(np.float16), b.astype(np.float16), method="fft").dtype == np.float16


def test_nothing_convolves_to_nothing():
    for name in ("convolve", "fftconvolve", "oaconvolve"):
        assert getattr(fx.signal, name)(np.ones(0), np.ones(3)).shape == (0,)


def test_the_method_follows_the_sizes():
    small, large = np.ones(10), np.ones(20_000)
    assert (
        fx.signal.choose_conv_method(large, small)
        == scipy.signal.choose_conv_method(large, small)
        == "direct"
    )
    assert (
        fx.signal.choose_conv_method(large, large) == scipy.signal.choose_conv_method(large, large) == "fft"
    )
    assert fx.signal.choose_conv_method(large.astype(int), large.astype(int)) == "direct"


def test_fast_lengths_are_scipys():
    assert all(fast_length(n) == scipy.fft.next_fast_len(n, real=True) for n in range(1, 1200))


@pytest.mark.parametrize("method", ["direct", "fft"])
@pytest.mark.parametrize("mode", MODES)
def test_derivatives_batching_and_compilation(mode, method):
    for dtype in ("float64", "complex128"):
        a, b = drawn((5, 4), dtype), drawn((2, 3), dtype)
        for name in ("convolve", "correlate"):
            f = lambda a, b, name=name: getattr(fx.signal, name)(a, b, mode, method)
            check_grads(f, (a, b), order=2)
            check_vmap(f, (a, b), axis_size=2)
            check_jit(f, (a, b))


def test_derivatives_of_borders_and_blocks():
    a, b = drawn((4, 5), "float64"), drawn((3, 2), "float64")
    check_grads(lambda a, b, v: fx.signal.convolve2d(a, b, "same", "fill", v), (a, b, 0.5), order=2)
    check_grads(lambda a, b: fx.signal.correlate2d(a, b, "full", "symm"), (a, b), order=2)
    check_grads(lambda a, b: fx.signal.oaconvolve(a, b, axes=0), (a, b[:, :1]), order=2)
    check_jit(lambda a, b: fx.signal.oaconvolve(a, b, axes=0), (a, b[:, :1]))


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: fx.signal.convolve(np.ones(3), np.ones((2, 2))), fx.ShapeError, "one rank"),
        (lambda: fx.signal.convolve(np.ones((3, 2)), np.ones((2, 3)), "valid"), fx.ShapeError, "neither"),
        (lambda: fx.signal.convolve(np.ones(3), np.ones(2), "half"), fx.ArgumentError, "'same'"),
        (lambda: fx.signal.correlate(np.ones(3), np.ones(2), method="slow"), fx.ArgumentError, "'direct'"),
        (lambda: fx.signal.fftconvolve(np.ones((3, 2)), np.ones((3, 3)), axes=0), fx.ShapeError, "axis 1"),
        (lambda: fx.signal.fftconvolve(np.ones(3), np.ones(3), axes=[0, 0]), fx.ShapeError, "distinct"),
        (lambda: fx.signal.convolve2d(np.ones(3), np.ones(3)), fx.ShapeError, "two matrices"),
        (lambda: fx.signal.correlate2d(np.ones((3, 3)), np.ones((0, 3))), fx.ShapeError, "not empty"),
        (
            lambda: fx.signal.convolve2d(np.ones((3, 3)), np.ones((2, 2)), boundary="?"),
            fx.ArgumentError,
            "'wrap'",
        ),
    ],
)
def test_errors(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)


def test_gradient_of_a_matched_filter_is_the_correlation():
    x, y = drawn((20,), "float64"), drawn((24,), "float64")
    slope = fx.grad(lambda h: fnp.sum(fx.signal.convolve(x, h) * y))(np.zeros(5))
    np.testing.assert_allclose(slope, np.correlate(y, x, "valid"), atol=1e-12)
