"""lfilter, sosfilt and savgol_filter against SciPy; derivatives by coefficients, signal and state."""

import numpy as np
import pytest
import scipy.signal

import fx
import fx.numpy as fnp
from fx.testing import check_grads, check_jit, check_vmap

rng = np.random.default_rng(4)
X = rng.normal(size=(2, 30, 3))
FILTERS = [
    ([0.5], [1.0]),
    ([0.5, 0.2], [2.0]),
    ([0.3, 0.2, 0.1], [1.0, 0.5]),
    ([1.0], [2.0, 0.3, 0.1]),
    ([1, 2.0, 1], [1, -0.5, 0.2]),
    ([0.5, 0.2], [2.0 + 1j, 0.3]),
]


@pytest.mark.parametrize("b, a", FILTERS)
def test_recursive_filters_equal_scipy(b, a):
    b, a = np.array(b), np.array(a)
    np.testing.assert_allclose(fx.signal.lfilter(b, a, X, 1), scipy.signal.lfilter(b, a, X, 1), atol=1e-13)
    state = rng.normal(size=(2, max(len(a), len(b)) - 1, 3))
    for got, want in zip(
        fx.signal.lfilter(b, a, X, 1, state), scipy.signal.lfilter(b, a, X, 1, state), strict=True
    ):
        np.testing.assert_allclose(got, want, atol=1e-13)


def test_a_filter_in_two_parts_is_the_filter():
    b, a = (np.array(c) for c in FILTERS[4])
    first, state = fx.signal.lfilter(b, a, X[0, :, 0][:11], zi=np.zeros(2))
    second, _ = fx.signal.lfilter(b, a, X[0, :, 0][11:], zi=state)
    np.testing.assert_allclose(
        fnp.concatenate([first, second]), fx.signal.lfilter(b, a, X[0, :, 0]), atol=1e-14
    )


@pytest.mark.parametrize("b, a", FILTERS[1:5])
def test_forward_and_backward_equals_scipy(b, a):
    b, a = np.array(b), np.array(a)
    np.testing.assert_allclose(fx.signal.lfilter_zi(b, a), scipy.signal.lfilter_zi(b, a), atol=1e-14)
    for options in ({}, {"padtype": "even"}, {"padtype": "constant", "padlen": 4}, {"padtype": None}):
        want = scipy.signal.filtfilt(b, a, X, 1, **options)
        np.testing.assert_allclose(fx.signal.filtfilt(b, a, X, 1, **options), want, atol=1e-12)


def test_sections_equal_scipy():
    sos = scipy.signal.butter(5, 0.3, output="sos")
    np.testing.assert_allclose(fx.signal.sosfilt(sos, X, 1), scipy.signal.sosfilt(sos, X, 1), atol=1e-13)
    state = rng.normal(size=(3, 2, 2, 3))
    for got, want in zip(
        fx.signal.sosfilt(sos, X, 1, state), scipy.signal.sosfilt(sos, X, 1, state), strict=True
    ):
        np.testing.assert_allclose(got, want, atol=1e-13)


@pytest.mark.parametrize("size, order", [(5, 2), (7, 3), (1, 0), (6, 2), (4, 1), (30, 4), (29, 3)])
def test_smoothing_equals_scipy(size, order):
    for deriv in (0, 1, 2, 5):
        for use, pos in (("conv", None), ("dot", 0), ("conv", size - 1)):
            want = scipy.signal.savgol_coeffs(size, order, deriv, 0.5, pos, use)
            got = fx.signal.savgol_coeffs(size, order, deriv, 0.5, pos, use, dtype="float64")
            np.testing.assert_allclose(got, want, atol=1e-10)
        for mode in ("interp", "mirror", "nearest", "wrap", "constant"):
            want = scipy.signal.savgol_filter(X, size, order, deriv, 0.5, 1, mode, 1.5)
            got = fx.signal.savgol_filter(X, size, order, deriv, 0.5, 1, mode, 1.5)
            np.testing.assert_allclose(got, want, atol=1e-10, err_msg=f"{deriv} {mode}")


def test_dtypes():
    b, a = np.array([1.0, 0.5]), np.array([1.0, -0.5])
    x = X[0, :, 0].astype(np.float32)
    assert fx.signal.lfilter(b.astype(np.float32), a.astype(np.float32), x).dtype == np.float32
    assert fx.signal.lfilter(b, a, x).dtype == np.float64
    assert fx.signal.lfilter(b + 0j, a, x).dtype == np.complex128
    assert fx.signal.savgol_filter(x, 5, 2).dtype == np.float32
    assert fx.signal.savgol_coeffs(5, 2).dtype == np.float32


def test_derivatives_batching_and_compilation():
    b, a, x, z = (
        np.array([1, 0.5, 0.2]),
        np.array([1.2, -0.5, 0.1]),
        rng.normal(size=(6, 2)),
        rng.normal(size=(2, 2)),
    )
    recursive = lambda b, a, x, z: fx.signal.lfilter(b, a, x, 0, z)
    check_grads(recursive, (b, a, x, z), order=2)
    check_jit(recursive, (b, a, x, z))
    check_vmap(lambda x: fx.signal.lfilter(b, a, x, 0), (x,), axis_size=2)
    moving = lambda b, x, z: fx.signal.lfilter(b, np.array([2.0]), x, 0, z)
    check_grads(moving, (b, x, z), order=2)
    check_vmap(moving, (b, x, z), axis_size=2)
    check_grads(lambda b, a, x: fx.signal.filtfilt(b, a, x, 0, padlen=2), (b, a, x), order=1)
    sections = rng.normal(size=(2, 6)) * 0.2 + np.array([1, 0, 0, 1.0, 0, 0])
    check_grads(lambda s, x: fx.signal.sosfilt(s, x, 0), (sections, x), order=1)
    for mode in ("interp", "mirror"):
        smooth = lambda x, mode=mode: fx.signal.savgol_filter(x, 5, 2, axis=0, mode=mode)
        check_grads(smooth, (x,), order=1)
        check_vmap(smooth, (x,), axis_size=2)
        check_jit(smooth, (x,))


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: fx.signal.lfilter(np.ones((2, 2)), np.ones(1), X), fx.ShapeError, "b: (K,)"),
        (lambda: fx.signal.lfilter(np.ones(0), np.ones(1), X), fx.ShapeError, "not empty"),
        (lambda: fx.signal.lfilter(np.ones(2), np.ones(1), X, zi=np.ones(1)), fx.ShapeError, "1 elements"),
        (lambda: fx.signal.lfilter(np.ones(2), np.ones(1), X, axis=3), fx.ShapeError, "axis 3"),
        (lambda: fx.signal.filtfilt(np.ones(2), np.ones(1), X), fx.ShapeError, "more than padlen=6"),
        (lambda: fx.signal.filtfilt(np.ones(2), np.ones(1), X, 1, "zero"), fx.ArgumentError, "'even'"),
        (lambda: fx.signal.lfilter_zi(np.ones((2, 2)), np.ones(1)), fx.ShapeError, "b: (K,)"),
        (lambda: fx.signal.sosfilt(np.ones((0, 6)), X), fx.ShapeError, "at least one"),
        (lambda: fx.signal.sosfilt(np.ones((2, 5)), X), fx.ShapeError, "(n, 6)"),
        (lambda: fx.signal.sosfilt(np.ones((2, 6)), X, zi=np.ones((1, 2))), fx.ShapeError, "(2, 2, 30, 2)"),
        (lambda: fx.signal.savgol_filter(X, 5, 5), fx.ArgumentError, "polyorder=5"),
        (lambda: fx.signal.savgol_filter(X, 5, 2), fx.ShapeError, "longer than axis 2"),
        (lambda: fx.signal.savgol_filter(X, 5, 2, axis=1, mode="edge"), fx.ArgumentError, "'mirror'"),
        (lambda: fx.signal.savgol_coeffs(5, 2, pos=5), fx.ArgumentError, "pos=5"),
    ],
)
def test_errors(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)
