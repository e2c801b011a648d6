"""frompyfunc, and the methods of elementwise functions, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.core import errors
from fx.numpy import _ufuncs

X = np.random.default_rng(0).normal(size=(4, 3)) + 3
N = np.abs(3 * X).astype(int)
WHOLE = {"bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm"}
BINARY = sorted({f.__name__ for f in _ufuncs._BINARY})
UNARY = sorted({f.__name__ for f in _ufuncs._UNARY})
CALLS = {
    "reduce": lambda f, x: f.reduce(x),
    "reduce of the last axis": lambda f, x: f.reduce(x, -1),
    "reduce, keeping axes": lambda f, x: f.reduce(x, 1, keepdims=True),
    "reduce of one row": lambda f, x: f.reduce(x[:1]),
    "reduce from a value": lambda f, x: f.reduce(x, 0, initial=x[0, 0]),
    "accumulate": lambda f, x: f.accumulate(x),
    "accumulate along rows": lambda f, x: f.accumulate(x, 1),
    "reduceat": lambda f, x: f.reduceat(x, [0, 2, 1, 3]),
    "reduceat along rows": lambda f, x: f.reduceat(x, np.array([1, 2]), 1),
    "outer": lambda f, x: f.outer(x, x[0]),
}
SIMD = {
    "power",
    "arctan2",
}  # NumPy 2.4 folds contiguous rows of these wrongly: power.reduce([2., 3., 2.]) is not 64
ROWS = {"reduce of the last axis", "reduce, keeping axes"}


@pytest.fixture(autouse=True)
def like_numpy():
    with fx.config(default_float="float64"):
        yield


def same(got, want, label):
    assert got.shape == want.shape and got.dtype == want.dtype, (
        f"{label}: {got.aval}, NumPy {want.dtype}{want.shape}"
    )
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-12, err_msg=label)


@pytest.mark.parametrize("name", BINARY)
def test_methods_equal_numpys(name):
    f, g, x = getattr(fnp, name), getattr(np, name), N if name in WHOLE else X
    with np.errstate(all="ignore"):
        for label, method in CALLS.items():
            if not (name in SIMD and label in ROWS):
                same(method(f, x), method(g, x), f"{name}: {label}")
        want = x.copy()
        g.at(want, ([0, 0, 1], [1, 1, 2]), x[0])
        same(f.at(x, ([0, 0, 1], [1, 1, 2]), x[0]), want, f"{name}: at")
    assert (f.nin, f.nout, f.nargs, f.identity) == (g.nin, g.nout, g.nargs, f.identity)


@pytest.mark.parametrize("name", sorted(_ufuncs._ASSOCIATIVE))
def test_reductions_of_several_axes_of_nothing_and_under_a_mask(name):
    f, g, x = getattr(fnp, name), getattr(np, name), N if name in WHOLE else X
    if name != "lcm":  # whose order NumPy takes to matter
        same(f.reduce(x, None), g.reduce(x, None), name)
    if g.identity is None:
        with pytest.raises(errors.ShapeError):
            f.reduce(x[:0])
    else:
        assert f.identity == g.identity
        same(f.reduce(x[:0]), g.reduce(x[:0]), name)
        same(f.reduce(x, where=x > 3), g.reduce(x, where=x > 3), name)


@pytest.mark.parametrize("name", UNARY)
def test_at_of_one_argument_applies_once_per_index(name):
    x = np.array([1, 0, 1], bool) if name in ("invert", "logical_not") else np.array([0.3, 0.5, 0.2])
    x = x + 1 if name == "arccosh" else x
    want = x.copy()
    with np.errstate(all="ignore"):
        getattr(np, name).at(want, [0, 2, 2])
    same(getattr(fnp, name).at(x, [0, 2, 2]), want, name)


def test_python_functions():
    pair = lambda a, b: a * b + a
    f, g = fnp.frompyfunc(pair, 2, 1), np.frompyfunc(pair, 2, 1)
    for got, want in (
        (f(X, X[0]), g(X, X[0])),
        (f.reduce(X), g.reduce(X)),
        (f.accumulate(X, 1), g.accumulate(X, 1)),
        (f.outer(X[0], X[1]), g.outer(X[0], X[1])),
    ):
        np.testing.assert_allclose(np.asarray(got), want.astype(float), rtol=1e-12)
    both = fnp.frompyfunc(lambda a: (a + 1, a * 2), 1, 2)
    assert [float(y) for y in both(3.0)] == [4.0, 6.0] and isinstance(both, fnp.ufunc)


def test_methods_are_differentiated_mapped_and_compiled():
    f = lambda x: fnp.subtract.reduce(fnp.multiply.accumulate(x))
    a, b, c = X[0]
    np.testing.assert_allclose(fx.grad(f)(X[0]), [1 - b - b * c, -a - a * c, -a * b], rtol=1e-12)
    want = [a - a * b - a * b * c for a, b, c in X]
    np.testing.assert_allclose(fx.jit(fx.vmap(f))(X), want, rtol=1e-12)


@pytest.mark.parametrize(
    ("attempt", "kind"),
    [
        (lambda: fnp.subtract.reduce(X, None), errors.ArgumentError),
        (lambda: fnp.subtract.reduce(X[:0]), errors.ShapeError),
        (lambda: fnp.fmax.reduce(X, where=X > 0), errors.ArgumentError),
        (lambda: fnp.add.reduce(X, 2), errors.ShapeError),
        (lambda: fnp.add.reduceat(X, [4]), errors.OutOfBoundsError),
        (lambda: fnp.add.at(X, [0], X[0], inplace=True), errors.ImmutableError),
        (lambda: fnp.exp.at(X, [0], 1.0), errors.ArgumentError),
        (lambda: fnp.frompyfunc(abs, 1, 1).reduce(X), errors.ArgumentError),
        (lambda: fnp.frompyfunc(abs, 1, 1)(X, X), errors.ArgumentError),
        (lambda: fnp.frompyfunc(3, 1, 1), errors.ArgumentError),
        (lambda: fnp.frompyfunc(abs, 0, 1), errors.ArgumentError),
    ],
)
def test_refusals(attempt, kind):
    with pytest.raises(kind):
        attempt()
