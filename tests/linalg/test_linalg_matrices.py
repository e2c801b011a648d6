"""Matrices made of vectors and of a size: SciPy's values, batches, all laws, and what is refused."""

import numpy as np
import pytest
import scipy.linalg

import fx
import fx.linalg as fl
from fx.testing import check_all

rng = np.random.default_rng(0)
V, W = rng.normal(size=5), rng.normal(size=3)
C = V + 1j * rng.normal(size=5)

CASES = [
    ("toeplitz", (V,)),
    ("toeplitz", (C,)),
    ("toeplitz", (C, W)),
    ("toeplitz", (np.arange(3), np.arange(4.0))),
    ("toeplitz", (V[:1],)),
    ("toeplitz", (V[:0],)),
    ("hankel", (V,)),
    ("hankel", (V, W)),
    ("hankel", (C, C)),
    ("hankel", (V[:1], W)),
    ("circulant", (V,)),
    ("circulant", (C,)),
    ("circulant", (V[:1],)),
    ("companion", (V,)),
    ("companion", (C,)),
    ("companion", (V[:2],)),
    ("leslie", (V, abs(V[1:]))),
    ("leslie", (V[:2], V[:1])),
    ("fiedler", (V,)),
    ("fiedler", (np.arange(4),)),
    ("fiedler_companion", (V,)),
    ("fiedler_companion", (rng.normal(size=8),)),
    ("fiedler_companion", (C,)),
    ("fiedler_companion", (V[:2],)),
    ("fiedler_companion", (V[:3],)),
    ("block_diag", (np.ones((2, 3)), W, 4.0, np.zeros((0, 2)))),
    ("block_diag", (np.ones((1, 2)) + 1j, np.ones((2, 1)))),
    ("block_diag", (np.arange(4).reshape(2, 2),)),
    *[("convolution_matrix", (a, n, mode)) for a in (V, W) for n in (1, 3, 4, 6) for mode in ("full", "same", "valid")],
    ("convolution_matrix", (C, 4)),
]  # fmt: skip


@pytest.mark.parametrize("name, args", CASES)
def test_values_are_scipys(name, args):
    want = getattr(scipy.linalg, name)(*args)
    found = getattr(fl, name)(*args)
    assert found.shape == want.shape
    assert np.iscomplexobj(want) == np.iscomplexobj(np.asarray(found))
    np.testing.assert_allclose(np.asarray(found), want, rtol=1e-13, atol=1e-15)
    strided = [np.repeat(a, 2, axis=-1)[..., ::2] if np.ndim(a) == 1 else a for a in args]
    np.testing.assert_allclose(np.asarray(getattr(fl, name)(*strided)), want, rtol=1e-13, atol=1e-15)


def test_dtypes_stay():
    assert fl.toeplitz(V.astype(np.float32)).dtype == np.float32
    assert fl.circulant(np.arange(3)).dtype == np.int64
    assert fl.companion(np.arange(1, 4)).dtype == fx.config.default_float
    assert fl.block_diag(np.ones((1, 1), np.float32), np.ones((1, 1))).dtype == np.float64
    assert fl.block_diag(np.ones((1, 1), np.float32), 2.0).dtype == np.float32


LAWS = [
    ("toeplitz", (V[:3], W)),
    ("hankel", (V[:3], W)),
    ("circulant", (W,)),
    ("companion", (V[:4],)),
    ("leslie", (W, V[:2])),
    ("fiedler", (W,)),
    ("fiedler_companion", (V,)),
    ("block_diag", (np.ones((1, 2)), W)),
]


@pytest.mark.parametrize("name, args", LAWS)
def test_laws(name, args):
    check_all(getattr(fl, name), args, order=1, axis_size=2)


def test_convolution_matrix_under_transformations():
    f = lambda a: fl.convolution_matrix(a, 4, "same")
    check_all(f, (W,), order=1, axis_size=2)


@pytest.mark.parametrize(
    "name", ["toeplitz", "hankel", "circulant", "companion", "fiedler", "fiedler_companion"]
)
def test_leading_axes_are_a_batch(name):
    x = rng.normal(size=(2, 3, 4))
    found = np.asarray(getattr(fl, name)(x))
    for i in np.ndindex(2, 3):
        np.testing.assert_allclose(found[i], getattr(scipy.linalg, name)(x[i]), rtol=1e-13)


def test_block_diag_of_batches():
    a, b = rng.normal(size=(2, 1, 2, 2)), rng.normal(size=(3, 1, 2))
    found = np.asarray(fl.block_diag(a, b))
    assert found.shape == (2, 3, 3, 4)
    np.testing.assert_array_equal(found[1, 2], scipy.linalg.block_diag(a[1, 0], b[2]))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize(
    "name", ["hilbert", "hadamard", "helmert", "dft", "invhilbert", "pascal", "invpascal"]
)
def test_matrices_of_a_size(name, n):
    if name == "hadamard" and n == 5:
        n = 16
    want = getattr(scipy.linalg, name)(n)
    found = np.asarray(getattr(fl, name)(n))
    assert found.shape == want.shape
    np.testing.assert_allclose(found, want, rtol=2e-7, atol=3e-7 if name == "dft" else 0)


def test_options_of_matrices_of_a_size():
    np.testing.assert_array_equal(
        np.asarray(fl.invhilbert(9, exact=True)), scipy.linalg.invhilbert(9, exact=True)
    )
    for kind in ("symmetric", "lower", "upper"):
        for f in ("pascal", "invpascal"):
            found = getattr(fl, f)(6, kind)
            assert found.dtype == np.int64
            np.testing.assert_array_equal(np.asarray(found), getattr(scipy.linalg, f)(6, kind))
            assert getattr(fl, f)(6, kind, exact=False).dtype == fx.config.default_float
    for scale in ("sqrtn", "n"):
        want = scipy.linalg.dft(5, scale)
        np.testing.assert_allclose(
            np.asarray(fl.dft(5, scale, dtype=np.complex128)), want, rtol=1e-14, atol=1e-15
        )
    np.testing.assert_allclose(
        np.asarray(fl.helmert(4, full=True)), scipy.linalg.helmert(4, full=True), rtol=2e-7
    )
    assert fl.hadamard(4).dtype == np.int64 and fl.hadamard(4, np.float32).dtype == np.float32
    assert fl.dft(3).dtype == np.complex64


@pytest.mark.parametrize(
    "call, match",
    [
        (lambda: fl.hadamard(6), "power of 2; got 6"),
        (lambda: fl.hilbert(-1), "must not be negative; got -1"),
        (lambda: fl.pascal(100), r"beyond 64 bits; pass exact=False"),
        (lambda: fl.pascal(3, "left"), "'left'; it must be one of"),
        (lambda: fl.invhilbert(30, exact=True), "beyond 64 bits"),
        (lambda: fl.companion(np.array([1.0])), "at least two coefficients"),
        (lambda: fl.companion(np.array([0.0, 1.0])), "first coefficient must not be zero"),
        (lambda: fl.fiedler_companion(np.array([0.0, 1.0, 2.0])), "first coefficient must not be zero"),
        (lambda: fl.toeplitz(1.0), "takes vectors"),
        (lambda: fl.leslie(np.ones(2), np.ones(2)), r"f: \(..., n\) and s: \(..., n - 1\)"),
        (lambda: fl.convolution_matrix(np.array([1.0]), 0), "needs n > 0"),
        (lambda: fl.convolution_matrix(np.array([1.0]), 2, "all"), "'all'; it must be one of"),
        (lambda: fl.dft(3, "half"), "'half'; it must be one of"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()
