"""fx.scipy: the names of jax.scipy, minimization, interpolation and vector quantization against SciPy."""

import importlib

import numpy as np
import pytest
import scipy.cluster.vq
import scipy.interpolate
import scipy.optimize

import fx
from fx import numpy as fnp
from fx.scipy.cluster.vq import vq
from fx.scipy.interpolate import RegularGridInterpolator
from fx.scipy.optimize import minimize

RNG = np.random.default_rng(11)
MODULES = ["special", "linalg", "stats", "signal", "fft", "ndimage", "sparse.linalg", "optimize", "integrate"]
MODULES += ["interpolate", "cluster.vq"]


@pytest.mark.parametrize("name", MODULES)
def test_every_name_of_jax_is_there(name):
    theirs = importlib.import_module(f"jax.scipy.{name}")
    ours = importlib.import_module(f"fx.scipy.{name}")
    wanted = {n for n in dir(theirs) if not n.startswith("_")}
    assert not {n for n in wanted if not hasattr(ours, n)}
    assert getattr(fx.scipy, name.split(".")[0]) is not None


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fx.scipy.special.nothing
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fx.scipy.nothing
    with pytest.raises(AttributeError):
        fx.scipy.integrate.sin
    assert "trapezoid" in dir(fx.scipy.integrate)
    assert "optimize" in dir(fx.scipy)


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def himmelblau(p):
    x, y = p
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def matyas(p):
    x, y = p
    return 0.26 * (x**2 + y**2) - 0.48 * x * y


@pytest.mark.parametrize(
    "f, x0", [(rosenbrock, -np.ones(5)), (himmelblau, np.zeros(2)), (matyas, np.ones(2) * 3)]
)
def test_minima_are_those_of_scipy(f, x0):
    found = minimize(f, x0, method="BFGS", tol=1e-8)
    wanted = scipy.optimize.minimize(
        lambda x: float(f(fnp.asarray(x))), x0, method="BFGS", options={"gtol": 1e-6}
    )
    assert found.success
    assert found.status == 0
    np.testing.assert_allclose(found.x, wanted.x, atol=1e-4)
    np.testing.assert_allclose(found.jac, fx.grad(f)(found.x), atol=1e-12)
    np.testing.assert_allclose(found.hess_inv, np.asarray(found.hess_inv).T, rtol=1e-6)
    assert np.linalg.eigvalsh(found.hess_inv).min() > 0
    assert found.nfev < 150


def test_minimization_under_transformations():
    target = np.array([[1.0, 2.0], [-1.0, 0.5]])
    solve = lambda t: (
        minimize(lambda x, t: ((x - t) ** 2).sum() + (x**4).sum(), np.zeros(2), (t,), method="BFGS").x
    )
    each = np.stack([np.asarray(solve(t)) for t in target])
    np.testing.assert_allclose(fx.vmap(solve)(target), each, atol=1e-6)
    np.testing.assert_allclose(fx.jit(solve)(target[0]), each[0], atol=1e-10)


def test_what_went_wrong_is_said():
    endless = minimize(lambda x: x.sum(), np.zeros(2), method="BFGS", options={"maxiter": 3})
    assert not endless.success
    assert endless.status == 1
    undefined = minimize(lambda x: fnp.log(x).sum(), -np.ones(2), method="BFGS")
    assert undefined.status == 4
    kink = minimize(lambda x: fnp.abs(x).sum(), np.array([1e-3, 2.0]), method="BFGS")
    assert not kink.success


@pytest.mark.parametrize(
    "error, call",
    [
        (fx.ArgumentError, lambda: minimize(matyas, np.ones(2), method="CG")),
        (fx.ArgumentError, lambda: minimize(matyas, np.ones(2), options={"xtol": 1})),
        (fx.ShapeError, lambda: minimize(matyas, np.ones((2, 1)))),
        (fx.DTypeError, lambda: minimize(matyas, np.ones(2, int))),
        (fx.TreeError, lambda: minimize(matyas, np.ones(2), [1])),
        (fx.ShapeError, lambda: vq(np.ones((2, 3)), np.ones((2, 2)))),
        (fx.ArgumentError, lambda: RegularGridInterpolator((np.array([0.0, 0.0]),), np.ones(2))),
        (fx.ArgumentError, lambda: RegularGridInterpolator((np.arange(2.0),), np.ones(2), "cubic")),
        (fx.ShapeError, lambda: RegularGridInterpolator((np.arange(3.0),), np.ones(2))),
        (fx.ShapeError, lambda: RegularGridInterpolator((np.arange(2.0),) * 2, np.ones(2))),
        (fx.ShapeError, lambda: RegularGridInterpolator((np.arange(2.0),), np.ones(2))(np.ones((3, 2)))),
        (fx.OutOfBoundsError, lambda: RegularGridInterpolator((np.arange(2.0),), np.ones(2), bounds_error=True)(
            np.array([[7.0]]))),
    ],
)  # fmt: skip
def test_refusals(error, call):
    with pytest.raises(error):
        call()


@pytest.mark.parametrize("method", ["linear", "nearest"])
@pytest.mark.parametrize("fill", [np.nan, 0.0, None])
def test_interpolation_is_that_of_scipy(method, fill):
    points = (np.array([0.0, 1.0, 3.0, 4.0]), np.array([5.0, 2.0, 1.0]))
    values = RNG.normal(size=(4, 3, 2))
    where = RNG.uniform(-0.5, 5.0, size=(7, 2, 2))
    ours = RegularGridInterpolator(points, values, method, fill_value=fill)
    flipped = (points[0], points[1][::-1])
    theirs = scipy.interpolate.RegularGridInterpolator(
        flipped, values[:, ::-1], method, bounds_error=False, fill_value=fill
    )
    np.testing.assert_allclose(ours(where), theirs(where), rtol=1e-12)
    np.testing.assert_allclose(fx.jit(ours)(where), theirs(where), rtol=1e-12)


def test_interpolation_has_derivatives():
    f = RegularGridInterpolator((np.array([0.0, 1.0, 3.0]),), np.array([0.0, 10.0, 50.0]))
    np.testing.assert_allclose(fx.grad(lambda x: f(x).sum())(np.array([[0.5], [2.0]])), [[10.0], [20.0]])
    inside = (np.array([0.5, 2.0]),)
    np.testing.assert_allclose(f(inside), [5.0, 30.0])


@pytest.mark.parametrize("shape", [(6, 2), (6,)])
def test_codes_are_those_of_scipy(shape):
    x, book = RNG.normal(size=shape), RNG.normal(size=(3, *shape[1:]))
    codes, distances = vq(x, book)
    wanted = scipy.cluster.vq.vq(x, book)
    np.testing.assert_array_equal(codes, wanted[0])
    np.testing.assert_allclose(distances, wanted[1])
    assert codes.dtype == wanted[0].dtype
