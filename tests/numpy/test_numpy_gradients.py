"""Derivatives of fx.numpy against JAX in float64, by the tables of cases; and at the awkward points."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
from numpy_cases import A, V, call, inputs, results
from test_numpy_namespace import INDEXED, NAMES, TABLE, function_of, like_numpy  # noqa: F401

import fx
import fx.numpy as fnp

jax = pytest.importorskip("jax")
jnp = jax.numpy

OTHERWISE_IN_JAX = {
    "arccosh": [3],
    "acosh": [],  # complex: the sign of sqrt((z - 1)(z + 1)) for Re z < 0
    "fmax": [4],
    "fmin": [4],  # equal operands: fx shares the derivative, as maximum does
    "sinc": [9],  # near 0: jax is infinite
    "vander": [6],  # at 0: jax is NaN
    "polydiv": [0, 2],  # the remainder has another length
}


@pytest.fixture(scope="module", autouse=True)
def float64_in_jax():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def differentiable(case):
    leaves = inputs(case)
    return case.grad and leaves and all(x.dtype in (np.float64, np.complex128) for x in leaves)


def pulled_back(vjp, function, leaves, weights):
    """Cotangents of the leaves for given cotangents of the inexact results."""
    out, pull = vjp(function, *leaves)
    return list(pull(weights(out)))


def weights_for(make):
    def weights(out):
        rng = np.random.default_rng(3)
        made = []
        for y in out:
            w = rng.normal(size=y.shape)
            w = w + 1j * rng.normal(size=y.shape) if y.dtype.kind == "c" else w
            made.append(make(w.astype(y.dtype)))
        return made

    return weights


def inexact_results(out):
    return [y for y in results(out) if hasattr(y, "dtype") and np.dtype(y.dtype).kind in "fc"]


def jax_results(out):
    if isinstance(out, (jax.Array, np.ndarray)):
        return [out]
    return [y for part in out for y in jax_results(part)] if isinstance(out, (list, tuple)) else []


def gradient_by_jax(name, case, leaves):
    """Compiled as one function: the operations one by one take jax many times longer."""
    function = jax_function(name)
    flat = lambda *xs: [y for y in jax_results(call(function, case, list(xs))) if y.dtype.kind in "fc"]
    gradient = lambda xs: pulled_back(jax.vjp, flat, xs, weights_for(jnp.asarray))
    gradient = jax.jit(gradient) if case.jit else gradient
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [np.asarray(ct) for ct in gradient([jnp.asarray(x) for x in leaves])]


def jax_function(name):
    function = getattr(jnp, name)
    if name in INDEXED:
        return lambda key: function[key]
    return functools.partial(function, inplace=False) if name in COPYING else function


COPYING = ("fill_diagonal", "put", "place")


def cases_with_derivatives(name):
    for i, case in enumerate(TABLE[name]):
        if differentiable(case) and i not in OTHERWISE_IN_JAX.get(name, ()):
            flat = lambda *xs: inexact_results(call(function_of(name), case, list(xs)))
            if flat(*inputs(case)):
                yield f"{name}[{i}]", case, flat


CANDIDATES = [n for n in NAMES if hasattr(jnp, n) and any(differentiable(c) for c in TABLE[n])]


@pytest.mark.parametrize("name", CANDIDATES)
def test_equals_jax(name):
    compared = refused = 0
    for label, case, flat in cases_with_derivatives(name):
        leaves = inputs(case)
        got = pulled_back(fx.vjp, flat, leaves, weights_for(fnp.asarray))
        try:
            want = gradient_by_jax(name, case, leaves)
        except (TypeError, NotImplementedError, ValueError):
            refused += 1  # jax lacks an argument of NumPy's
            continue
        compared += 1
        tol = 1e-8 if all(y.dtype.itemsize >= 8 and y.dtype != np.complex64 for y in flat(*leaves)) else 1e-5
        for g, w in zip(got, want, strict=True):
            np.testing.assert_allclose(
                np.asarray(g), w, rtol=tol, atol=tol / 10, err_msg=label, equal_nan=True
            )
    assert compared or not refused


def test_most_of_the_namespace_was_compared():
    assert len(CANDIDATES) > 180


def by_differences(f, x, h=1e-6):
    """The gradient of a scalar function by central differences."""
    x = np.array(x)
    out = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        out[i] = (float(f(x + step)) - float(f(x - step))) / (2 * h)
    return out


WEIGHTS = np.array([1.0, -2.0, 0.5, 3.0])
OWN = {
    "sinc": (lambda x: (fnp.sinc(x) * WEIGHTS).sum(), np.array([0.0, 0.0312, 1.0, -0.4])),
    "sinc twice": (
        lambda x: fx.grad(lambda y: (fnp.sinc(y) * WEIGHTS).sum())(x).sum(),
        np.array([0.0, 0.0312, 1.0, -0.4]),
    ),
    "vander": (
        lambda x: (fnp.vander(x, 3) * np.arange(12.0).reshape(4, 3)).sum(),
        np.array([0.0, 1.0, -2.0, 0.5]),
    ),
    "polydiv quotient": (lambda x: (fnp.polydiv(x, np.array([2.0, 1.0]))[0] * WEIGHTS[:3]).sum(), V),
    "polydiv remainder": (lambda x: fnp.polydiv(V, x)[1].sum(), np.array([2.0, 1.0])),
    "complex arccosh": (lambda x: fnp.real(fnp.arccosh(x + 0.5j)).sum(), np.array([-2.0, -0.3, 0.4, 1.5])),
    "gradient of second order": (lambda x: (fnp.gradient(x, 0.5, edge_order=2) * WEIGHTS).sum(), V),
    "average": (lambda w: fnp.average(A, 1, w)[0], np.array([1.0, 2.0, 3.0, 0.5])),
    "unwrap": (lambda x: (fnp.unwrap(x * 9) * WEIGHTS).sum(), V),
    "quantile by q": (lambda q: fnp.quantile(V, q).sum(), np.array([0.2, 0.55])),
    "geomspace": (lambda x: (fnp.geomspace(x[0], x[1], 4) * WEIGHTS).sum(), np.array([1.5, 20.0])),
    "ldexp": (lambda x: (fnp.ldexp(x, np.array([1, -2, 0, 3])) * WEIGHTS).sum(), V),
    "frexp": (lambda x: (fnp.frexp(x)[0] * WEIGHTS).sum(), V),
    "modf": (lambda x: (fnp.modf(x)[0] * WEIGHTS).sum(), V * 3),
    "nanmean": (lambda x: fnp.nanmean(fnp.where(x > 0, x, np.nan)), V),
    "nanmedian": (lambda x: fnp.nanmedian(fnp.where(x > -0.2, x, np.nan)), V),
    "nanstd": (lambda x: fnp.nanstd(fnp.concatenate([x, np.array([np.nan])])), V),
    "float_power": (lambda x: (fnp.float_power(x, 3) * WEIGHTS).sum(), V),
    "kaiser": (lambda beta: (fnp.kaiser(4, beta) * WEIGHTS).sum(), np.array(2.5)),
    "interp between": (lambda x: fnp.interp(x, np.arange(4.0), WEIGHTS).sum(), np.array([0.3, 1.7, 2.2])),
}


@pytest.mark.parametrize("name", OWN)
def test_equals_finite_differences(name):
    f, x = OWN[name]
    np.testing.assert_allclose(np.asarray(fx.grad(f)(x)), by_differences(f, x), rtol=1e-6, atol=1e-7)


AWKWARD = {
    "std of equal values": (lambda x: fnp.std(x), np.ones(3), np.zeros(3)),
    "hypot at 0": (lambda x: fnp.hypot(x[0], x[1]), np.zeros(2), np.zeros(2)),
    "logaddexp of -inf": (lambda x: fnp.logaddexp(x, -np.inf).sum(), np.array([1.0]), np.ones(1)),
    "logaddexp of two -inf": (lambda x: fnp.logaddexp(x[0], x[1]), np.array([-np.inf, -np.inf]), None),
    "x ** 2 at 0": (lambda x: (x**2).sum(), np.zeros(2), np.zeros(2)),
    "x ** 1 at 0": (lambda x: (x**1).sum(), np.zeros(2), np.ones(2)),
    "x ** 0 at 0": (lambda x: (x**0).sum(), np.zeros(2), np.zeros(2)),
    "0 ** y": (lambda y: (0.0**y).sum(), np.array([2.0]), np.zeros(1)),
    "x ** 2.0 at 0": (lambda x: (x**2.0).sum(), np.array([0.0, -3.0]), np.array([0.0, -6.0])),
    "absolute at 0": (lambda x: fnp.abs(x).sum(), np.zeros(2), np.zeros(2)),
    "where's other branch": (
        lambda x: fnp.piecewise(x, [x > 0], [fnp.log, 0.0]).sum(),
        np.array([0.0, 2.0]),
        np.array([0.0, 0.5]),
    ),
    "clip at a bound": (
        lambda x: fnp.clip(x, 0.0, 1.0).sum(),
        np.array([0.0, 0.5, 2.0]),
        np.array([0.5, 1.0, 0.0]),
    ),
    "prod with zeros": (lambda x: fnp.prod(x), np.array([0.0, 2.0, 3.0]), np.array([6.0, 0.0, 0.0])),
    "max of ties": (lambda x: fnp.max(x), np.array([1.0, 3.0, 3.0]), np.array([0.0, 0.5, 0.5])),
    "interp at a knot": (
        lambda x: fnp.interp(x, np.arange(3.0), np.array([0.0, 1.0, 5.0])).sum(),
        np.array([1.0, 2.0]),
        np.array([4.0, 4.0]),
    ),
    "fmax with NaN": (lambda x: fnp.fmax(x, np.nan).sum(), np.array([2.0]), np.ones(1)),
    "nansum": (lambda x: fnp.nansum(x), np.array([np.nan, 2.0]), np.array([0.0, 1.0])),
    "median of even count": (
        lambda x: fnp.median(x),
        np.array([4.0, 1.0, 3.0, 2.0]),
        np.array([0.0, 0.0, 0.5, 0.5]),
    ),
    "trapezoid of one point": (lambda x: fnp.trapezoid(x), np.ones(1), np.zeros(1)),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_points_have_finite_derivatives(name):
    f, x, want = AWKWARD[name]
    got = np.asarray(fx.grad(f)(x))
    assert np.isfinite(got).all()
    if want is not None:
        np.testing.assert_allclose(got, want, rtol=1e-12)
