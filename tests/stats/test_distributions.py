"""fx.stats distributions against scipy.stats, mpmath in far tails, and differences for derivatives."""

import inspect
import math

import jax
import mpmath as mp
import numpy as np
import pytest
import scipy.stats

import fx
from fx import stats
from fx.core.errors import DTypeError

INF = math.inf
X = np.array([-INF, -1e4, -50, -8, -2.5, -1, -0.5, -1e-3, -1e-12, 0, 1e-300, 1e-12, 1e-3, 0.2, 0.5, 0.9, 1, 1.5, 2, 3,
              7, 20, 50, 200, 1e4, 1e10, INF, math.nan])  # fmt: skip
Q = np.array([-0.1, 0, 1e-300, 1e-12, 1e-3, 0.1, 0.25, 0.5, 0.6, 0.9, 0.999, 1, 1.1, math.nan])
K = np.array([-2, -1, -0.5, 0, 0.5, 1, 2, 3, 6, 7, 8, 20, 99, 100, 101, 1e3, INF, math.nan])
CONTINUOUS = {
    "norm": [()], "cauchy": [()], "laplace": [()], "logistic": [()], "expon": [()], "uniform": [()],
    "gumbel_r": [()], "gumbel_l": [()],
    "truncnorm": [(-1.0, 2.0), (-INF, 1.0), (3.0, INF), (5.0, 6.0), (-40.0, -38.0), (-INF, INF)],
    "t": [(0.5,), (3.0,), (30.0,), (1e5,)], "gennorm": [(1.5,), (0.7,), (4.0,)],
    "gamma": [(2.5,), (0.1,), (1.0,), (80.0,)], "chi2": [(11.0,), (0.5,), (2.0,)],
    "beta": [(2.0, 3.0), (0.5, 0.5), (1.0, 1.0), (30.0, 0.2)], "pareto": [(3.0,), (0.5,)],
    "lognorm": [(0.5,), (2.0,)], "vonmises": [(0.3,), (5.0,)], "wrapcauchy": [(0.1,), (0.9,)],
}  # fmt: skip
DISCRETE = {
    "bernoulli": [(0.3,), (0.0,), (1.0,)], "binom": [(7, 0.3), (100, 0.9), (0, 0.5)], "betabinom": [(7, 2.0, 3.0)],
    "geom": [(0.3,), (1.0,)], "nbinom": [(2.5, 0.3), (7, 0.9)], "poisson": [(0.3,), (0.0,), (30.0,), (4e3,)],
    "hypergeom": [(30, 12, 9), (10, 7, 8), (5000, 300, 2000), (6, 0, 3)],
}  # fmt: skip
EVERY = {**CONTINUOUS, **DISCRETE}
PRECISE = {"cdf": "sf", "sf": "cdf"}
SCIPY_IS_WRONG = {("truncnorm", "ppf"), ("truncnorm", "isf"), ("t", "ppf"), ("t", "isf"), ("geom", "ppf"),
                  ("geom", "isf"), ("bernoulli", "isf"), ("vonmises", "isf")}  # fmt: skip
"""Inverses that SciPy iterates for, or gives another end to; here they are tested by what they invert."""


def arguments(name, function, shapes, dtype="float64"):
    """Points, shapes, location and scale of one call."""
    if name in DISCRETE:
        points = [] if function == "entropy" else [Q if function in ("ppf", "isf") else K]
        return [np.asarray(v, dtype) for v in (*points, *shapes, 2.0)]
    points = [] if function == "entropy" else [Q if function in ("ppf", "isf") else X]
    return [np.asarray(v, dtype) for v in (*points, *shapes, 0.3, 2.0)]


def theirs(name, function, args):
    law = getattr(scipy.stats, name)
    with np.errstate(all="ignore"):
        if function.startswith("log") and function[3:] in PRECISE:
            p, rest = getattr(law, function[3:])(*args), getattr(law, PRECISE[function[3:]])(*args)
            return np.where(rest < 0.5, np.log1p(-rest), np.log(p))
        return getattr(law, function)(*args)


@pytest.mark.parametrize("name", EVERY)
def test_values_are_those_of_scipy(name):
    law = getattr(stats, name)
    for shapes in EVERY[name]:
        for function in law.functions:
            if (name, function) in SCIPY_IS_WRONG:
                continue
            args = arguments(name, function, shapes)
            ours, expected = np.asarray(getattr(law, function)(*args)), theirs(name, function, args)
            known = np.isfinite(expected) | (np.abs(ours) > 1e300) | ~np.isfinite(ours)
            if function in ("logcdf", "logsf", "logpdf"):  # SciPy underflows where fx does not: see the tails
                known &= ~((expected == -INF) & (ours < -700))
                known &= expected > -740 if name in ("gamma", "chi2", "beta", "laplace") else True
            at_infinity = (np.abs(args[0]) == INF) & np.isnan(expected) if function != "entropy" else False
            known &= ~at_infinity
            np.testing.assert_allclose(
                np.where(known, ours, 0),
                np.where(known, expected, 0),
                rtol=2e-9,
                err_msg=f"{name}{shapes} {function}",
            )


@pytest.mark.parametrize("name", [n for n in CONTINUOUS if n != "vonmises"])
def test_inverses_invert(name):
    law = getattr(stats, name)
    q = np.array([1e-200, 1e-30, 1e-9, 1e-3, 0.2, 0.4999, 0.5, 0.5001, 0.7, 0.99, 1 - 1e-9])
    for shapes in CONTINUOUS[name]:
        for inverse, function in (("ppf", "logcdf"), ("isf", "logsf")):
            x = np.asarray(getattr(law, inverse)(q, *shapes))
            spacing = (
                np.spacing(np.abs(x)) * np.exp(np.asarray(law.logpdf(x, *shapes))) / q
            )  # of x, in log(q)
            back = np.asarray(getattr(law, function)(x, *shapes))
            ok = np.isfinite(x) & (np.abs(x) > 1e-290) & (spacing < 0.1) & np.isfinite(back)
            assert ok.sum() >= 6
            close = np.abs(back - np.log(q)) <= 1e-8 * np.maximum(1, np.abs(np.log(q))) + 4 * spacing
            assert close[ok].all(), (shapes, inverse, q[ok & ~close], x[ok & ~close])


LEVELS = np.array([1e-300, 1e-40, 1e-9, 0.03, 0.25, 0.5, 0.7, 0.95, 1 - 1e-9, 1 - 1e-15])
LAWS = {
    "binom": [(1, 0.5), (40, 0.02), (10**6, 0.3), (25, 1.0), (30, 0.0)], "poisson": [(1e-8,), (7.5,), (1e6,), (1e12,)],
    "nbinom": [(1.0, 1e-6), (300.5, 0.4), (0.01, 0.5)], "geom": [(1e-9,), (0.4,)], "bernoulli": [(0.3,)],
    "hypergeom": [(10**6, 3000, 10**5), (60, 30, 30), (7, 7, 3)],
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_quantiles_of_whole_numbers_are_the_least(name):
    law = getattr(stats, name)
    for shapes in LAWS[name]:
        for inverse, function, sign in (("ppf", "cdf", 1), ("isf", "sf", -1)):
            k = np.asarray(getattr(law, inverse)(LEVELS, *map(np.float64, shapes)))
            reached, before = [
                np.asarray(getattr(law, function)(x, *map(np.float64, shapes))) for x in (k, k - 1)
            ]
            near = 5e-15 * LEVELS + 1e-9 * LEVELS * (np.spacing(k) > 0.25)
            least = np.asarray(law.support(*shapes)[0])
            assert (sign * reached >= sign * LEVELS - near).all(), (shapes, inverse)
            assert ((sign * before < sign * LEVELS + near) | (k == least)).all(), (shapes, inverse)
            assert (k == np.floor(k)).all() and (k >= least).all()
            if 1e4 > shapes[0] > 1e-3 and name != "geom":
                middle = LEVELS[3:8]
                expected = getattr(getattr(scipy.stats, name), inverse)(middle, *shapes)
                np.testing.assert_array_equal(k[3:8], expected)


def test_quantiles_of_probabilities_are_where_they_came_from():
    k = np.arange(0.0, 40)
    for law, shapes in ((stats.binom, (60, 0.3)), (stats.poisson, (11.5,)), (stats.nbinom, (9.0, 0.4))):
        theirs = getattr(scipy.stats, law.name)
        for p, q in (
            (law.cdf(k, *shapes), law.sf(k, *shapes)),
            (theirs.cdf(k, *shapes), theirs.sf(k, *shapes)),
        ):
            distinct = np.diff(np.asarray(p), prepend=-1) > 1e-13
            np.testing.assert_array_equal(np.asarray(law.ppf(p, *shapes))[distinct], k[distinct])
            np.testing.assert_array_equal(law.isf(q, *shapes), k)


@pytest.mark.parametrize("wrap", [fx.jit, fx.vmap, fx.checkpoint, lambda f: fx.jit(fx.vmap(f))])
def test_quantiles_under_transformations(wrap):
    q = np.array([0.01, 0.4, 0.99])
    for law, shapes in ((stats.poisson, (3.0,)), (stats.hypergeom, (20, 7, 12)), (stats.vonmises, (2.0,))):
        plain = np.asarray(law.ppf(q, *shapes))
        np.testing.assert_allclose(wrap(lambda q: law.ppf(q, *shapes))(q), plain, rtol=1e-12)
    slopes = [
        fx.grad(lambda v, f=f: f(v).sum())(q)
        for f in (lambda q: stats.poisson.ppf(q, 3.0), lambda q: stats.poisson.ppf(0.5, q))
    ]
    assert not np.any(slopes)
    np.testing.assert_allclose(fx.jvp(lambda loc: stats.binom.ppf(q, 9, 0.5, loc), (1.0,), (1.0,))[1], 1.0)


@pytest.mark.parametrize("kappa", [0.0, 1e-3, 0.7, 5.0, 49.9, 50.0, 300.0, 1e6])
def test_vonmises_probabilities_are_those_of_quadrature(kappa):
    z = np.array([-3.1, -2.0, -0.5, -0.1, -1e-3, 0.0, 1e-6, 0.02, 0.4, 1.5, 3.0])
    found = np.asarray(stats.vonmises.cdf(z, kappa))
    with mp.workdps(25):
        density = lambda t: mp.exp(-2 * mp.mpf(kappa) * mp.sin(t / 2) ** 2)
        width = min(mp.pi, 40 / mp.sqrt(mp.mpf(max(kappa, 1e-9))))
        total = 2 * mp.quad(density, [0, width / 4, width / 2, width])
        for x, ours in zip(z, found, strict=True):
            x = mp.mpf(x)
            part = mp.quad(density, mp.linspace(0, max(-width, min(width, x)), 5))
            assert abs(ours - float(mp.mpf(1) / 2 + part / total)) < 4e-15
    np.testing.assert_allclose(
        stats.vonmises.cdf(z + 4 * np.pi, kappa), found + 2, rtol=1e-14 + 1e-15 * kappa**0.5
    )
    q = np.array([1e-6, 0.01, 0.3, 0.5, 0.8, 1 - 1e-6])
    np.testing.assert_allclose(stats.vonmises.cdf(stats.vonmises.ppf(q, kappa), kappa), q, atol=2e-15)
    np.testing.assert_allclose(
        stats.vonmises.isf(q, kappa), -np.asarray(stats.vonmises.ppf(q, kappa)), atol=1e-15
    )


def mp_gamma_log(side, a, x):
    limits = (0, x) if side == "logcdf" else (x, mp.inf)
    return mp.log(mp.gammainc(a, *limits, regularized=True))


TAILS = [
    ("gamma", "logcdf", (80.0,), 1e-3, lambda: mp_gamma_log("logcdf", 80, mp.mpf(1e-3))),
    ("gamma", "logcdf", (1000.0,), 150.0, lambda: mp_gamma_log("logcdf", 1000, 150)),
    ("gamma", "logsf", (80.0,), 5000.0, lambda: mp_gamma_log("logsf", 80, 5000)),
    ("gamma", "logsf", (0.1,), 1e4, lambda: mp_gamma_log("logsf", mp.mpf(0.1), 10000)),
    ("chi2", "logsf", (11.0,), 1e4, lambda: mp_gamma_log("logsf", mp.mpf(5.5), 5000)),
    ("beta", "logcdf", (300.0, 20.0), 0.05, lambda: mp.log(mp.betainc(300, 20, 0, mp.mpf(0.05), regularized=True))),
    ("beta", "logsf", (2.0, 400.0), 0.9, lambda: mp.log(mp.betainc(400, 2, 0, 1 - mp.mpf(0.9), regularized=True))),
    ("norm", "logsf", (), 50.0, lambda: mp.log(mp.erfc(50 / mp.sqrt(2)) / 2)),
    ("laplace", "logsf", (), 1e4, lambda: -10000 - mp.log(2)),
    ("gumbel_r", "logsf", (), 1e4, lambda: mp.mpf(-10000)),
    ("cauchy", "logcdf", (), -1e200, lambda: -mp.log(mp.pi) - 200 * mp.log(10)),
    ("cauchy", "logpdf", (), 1e200, lambda: -mp.log(mp.pi) - 400 * mp.log(10)),
    ("t", "sf", (3.0,), 1e60, lambda: 2 * mp.sqrt(3) / mp.pi / mp.mpf(10) ** 180),
    ("t", "logcdf", (30.0,), -1e30, lambda: mp_t_log(30, mp.mpf(10) ** 30)),
    ("t", "logcdf", (2.5,), -1e200, lambda: mp_t_log(2.5, mp.mpf(10) ** 200)),
    ("gennorm", "logsf", (4.0,), 9.0, lambda: mp_gamma_log("logsf", 0.25, 6561) - mp.log(2)),
    ("binom", "logsf", (1000, 1e-3), 400, lambda: mp.log(mp.betainc(401, 600, 0, mp.mpf(1e-3), regularized=True))),
    ("poisson", "logsf", (0.3,), 300, lambda: mp_gamma_log("logcdf", 301, mp.mpf(0.3))),
    ("nbinom", "logcdf", (900, 0.2), 20, lambda: mp.log(mp.betainc(900, 21, 0, mp.mpf(0.2), regularized=True))),
    ("truncnorm", "isf", (3.0, INF), 1e-12, lambda: truncated_quantile(3, 1e-12)),
    ("truncnorm", "logsf", (3.0, INF), 60.0, lambda: mp.log(mp.erfc(60 / mp.sqrt(2)) / mp.erfc(3 / mp.sqrt(2)))),
]  # fmt: skip


def mp_t_log(df, x):
    return mp.log(mp.betainc(mp.mpf(df) / 2, 0.5, 0, df / (df + x * x), regularized=True) / 2)


def truncated_quantile(a, q):
    root = mp.sqrt(2)
    return mp.findroot(lambda x: mp.log(mp.erfc(x / root) / mp.erfc(a / root)) - mp.log(q), 7.9)


@pytest.mark.parametrize(
    "name, function, shapes, x, exact", TAILS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_far_tails_are_exact(name, function, shapes, x, exact):
    with mp.workdps(40):
        expected = float(exact())
    found = float(getattr(getattr(stats, name), function)(np.float64(x), *map(np.float64, shapes)))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_float32_is_close_to_float64(name):
    law, shapes = getattr(stats, name), EVERY[name][0]
    for function in law.functions:
        low = arguments(name, function, shapes, "float32")
        if function in ("ppf", "isf"):
            low[0] = np.float32([0, 1e-6, 0.1, 0.3, 0.5, 0.75, 0.875, 1])
        elif function != "entropy":
            low[0] = low[0][~(np.abs(low[0]) > 100)]
        with np.errstate(all="ignore"):
            ours = getattr(law, function)(*low)
            exact = np.asarray(getattr(law, function)(*[x.astype("d") for x in low])).astype("f")
        assert ours.dtype == np.float32, function
        np.testing.assert_allclose(
            np.asarray(ours), exact, rtol=3e-4, atol=1e-6, err_msg=f"{name} {function}"
        )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precisions_and_integers(dtype):
    x = fx.numpy.asarray([0.5, 1.5], dtype)
    for law, shapes in ((stats.norm, ()), (stats.gamma, (2.0,)), (stats.t, (4.0,)), (stats.beta, (2.0, 2.0))):
        for function in ("logpdf", "cdf", "logsf"):
            found = getattr(law, function)(x, *shapes)
            assert str(found.dtype) == dtype
            exact = np.asarray(getattr(law, function)(np.asarray(x).astype("d"), *shapes))
            np.testing.assert_allclose(np.asarray(found).astype("d"), exact, rtol=0.05, atol=0.02)
    assert stats.norm.logpdf(1).dtype == np.float32
    assert stats.poisson.logpmf(np.arange(3), 2).dtype in (np.float32, np.float64)


# Derivatives


POINTS = np.array([-7.0, -2.1, -0.6, -1e-9, 1e-9, 0.15, 0.4, 0.8, 0.97, 1.7, 3.3, 9.0])
QUANTILES = np.array([0.03, 0.2, 0.4999, 0.5, 0.7, 0.98])


def difference(f, args, i):
    step = 1e-5 * np.maximum(1e-2, np.abs(args[i]))
    moved = lambda sign: np.asarray(f(*args[:i], args[i] + sign * step, *args[i + 1 :]))
    with np.errstate(invalid="ignore"):
        return (moved(1) - moved(-1)) / (2 * step)


def slope(f, args, i):
    return np.asarray(
        fx.jvp(lambda v: f(*args[:i], v, *args[i + 1 :]), (args[i],), (np.ones_like(args[i]),))[1]
    )


@pytest.mark.parametrize("name", CONTINUOUS)
def test_derivatives_by_every_argument(name):
    law, shapes = getattr(stats, name), CONTINUOUS[name][0]
    for function in set(law.functions) - {"pdf", "sf"}:
        points = (
            []
            if function == "entropy"
            else [QUANTILES if function in ("ppf", "isf") else POINTS + 1.03 * (name == "pareto")]
        )
        args = [np.array(v) for v in np.broadcast_arrays(*points, *map(np.float64, (*shapes, 0.1, 1.3)))]
        f = getattr(law, function)
        for i in range(len(args)):
            if function == "entropy" and i < len(shapes) and name in ("truncnorm",):
                continue
            expected, found = difference(f, args, i), slope(f, args, i)
            known = np.isfinite(np.asarray(f(*args)))
            assert np.isfinite(found[known]).all(), (function, i)
            known &= np.isfinite(expected)
            np.testing.assert_allclose(
                found[known], expected[known], rtol=1e-4, atol=1e-6, err_msg=f"{function} {i}"
            )


@pytest.mark.parametrize("name", DISCRETE)
def test_derivatives_of_probabilities(name):
    law, shapes = getattr(stats, name), DISCRETE[name][0]
    k = np.arange(-1.0, 9.0)
    for function in set(law.functions) & {"logpmf", "cdf", "logsf", "entropy"}:
        args = [
            np.array(v)
            for v in np.broadcast_arrays(*([] if function == "entropy" else [k]), *map(np.float64, shapes))
        ]
        f = getattr(law, function)
        whole = {"binom": 1, "betabinom": 1, "hypergeom": 3}.get(name, 0)
        for i in range(len(args) - len(shapes) + whole, len(args)):
            expected, found = difference(f, args, i), slope(f, args, i)
            known = np.isfinite(np.asarray(f(*args)))
            assert np.isfinite(found[known]).all()
            np.testing.assert_allclose(
                found[known], expected[known], rtol=1e-4, atol=1e-7, err_msg=f"{function} {i}"
            )


@pytest.mark.parametrize("name", CONTINUOUS)
def test_derivatives_are_finite_at_the_edges_and_beyond(name):
    law = getattr(stats, name)
    for shapes in CONTINUOUS[name]:
        for function in set(law.functions) & {"logpdf", "cdf", "logcdf", "sf"}:
            args = [
                np.array(v)
                for v in np.broadcast_arrays([-50.0, 0.0, 1.0, 1e3], *map(np.float64, (*shapes, 0.0, 1.0)))
            ]
            value = np.asarray(getattr(law, function)(*args))
            for i in range(len(args)):
                if np.isinf(args[i]).any():
                    continue
                found = slope(getattr(law, function), args, i)
                infinite_density = name in ("beta", "gamma", "chi2") and shapes[0] < 1
                assert np.isfinite(found[np.isfinite(value)]).all() or infinite_density, (shapes, function, i)


@pytest.mark.parametrize(
    "name", ["norm", "t", "gamma", "beta", "logistic", "gumbel_r", "truncnorm", "wrapcauchy", "vonmises"]
)
def test_second_derivatives(name):
    law, shapes = getattr(stats, name), CONTINUOUS[name][0]
    for function in ("logpdf", "cdf"):
        f = lambda x: getattr(law, function)(x, *shapes)
        first = lambda x: fx.grad(lambda x: f(x).sum())(x)
        for x in (
            np.array([0.3, 0.7]),
            np.zeros(1) if name in ("norm", "logistic", "gumbel_r") else np.array([0.5]),
        ):
            np.testing.assert_allclose(slope(first, [x], 0), difference(first, [x], 0), rtol=1e-4, atol=1e-6)


def test_a_fit_by_gradient_descent():
    data = scipy.stats.gamma.rvs(3.0, scale=2.0, size=500, random_state=0)
    loss = fx.jit(
        fx.value_and_grad(
            lambda p: -stats.gamma.logpdf(data, fx.numpy.exp(p[0]), 0, fx.numpy.exp(p[1])).mean()
        )
    )
    p = np.zeros(2)
    for _ in range(300):
        value, slope = loss(p)
        p = p - 0.3 * np.asarray(slope)
    a, _, scale = scipy.stats.gamma.fit(data, floc=0)
    np.testing.assert_allclose(np.exp(p), [a, scale], rtol=0.02)


# Arguments and transformations


@pytest.mark.parametrize("name", EVERY)
def test_compiled_batched_and_broadcast_calls(name):
    law, shapes = getattr(stats, name), EVERY[name][0]
    x = np.array([[1.0, 2.0, 3.0], [4.0, 0.5, -1.0]])
    main = law.functions[0]
    call = lambda x, *shapes: getattr(law, main)(x, *shapes, loc=0.5 if name in CONTINUOUS else 1)
    plain = np.asarray(call(x, *shapes))
    same = lambda found: np.testing.assert_allclose(np.asarray(found), plain, rtol=1e-12)
    same(fx.jit(call)(x, *map(np.float64, shapes)))
    same(fx.vmap(lambda row: call(row, *shapes))(x))
    same(fx.checkpoint(lambda x: call(x, *shapes))(x))
    columns = [np.full((2, 1), s, np.float64) for s in shapes]
    same(call(np.asfortranarray(x)[::-1], *columns)[::-1])
    assert call(np.zeros((0, 3)), *shapes).shape == (0, 3)
    assert call(np.float64(1.0), *shapes).shape == ()
    named = dict(zip(law.shapes, shapes, strict=True))
    same(getattr(law, main)(**{law.variable: x}, **named, loc=0.5 if name in CONTINUOUS else 1))


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.norm.logpdf(1.0, 0.0, -1.0),
        lambda: stats.norm.cdf(1.0, 0.0, 0.0),
        lambda: stats.norm.ppf(1.5),
        lambda: stats.gamma.logpdf(1.0, -1.0),
        lambda: stats.t.cdf(1.0, 0.0),
        lambda: stats.beta.sf(0.5, 1.0, -2.0),
        lambda: stats.truncnorm.logpdf(0.5, 1.0, 0.0),
        lambda: stats.binom.logpmf(1.0, 2.5, 0.5),
        lambda: stats.poisson.cdf(1.0, -1.0),
        lambda: stats.geom.logpmf(1.0, 0.0),
        lambda: stats.pareto.entropy(-1.0),
    ],
)
def test_parameters_outside_of_their_domain_give_nan(call):
    assert np.isnan(float(call()))


def test_signatures_and_names():
    assert str(inspect.signature(stats.gamma.logpdf)).startswith(
        "(x: Any, a: Any, loc: Any = 0, scale: Any = 1)"
    )
    assert str(inspect.signature(stats.poisson.pmf)).startswith("(k: Any, mu: Any, loc: Any = 0)")
    assert repr(stats.norm) == "fx.stats.norm" and stats.norm.logpdf.__qualname__ == "norm.logpdf"
    assert "density" in stats.norm.logpdf.__doc__
    with pytest.raises(TypeError, match="missing a required argument: 'df'"):
        stats.t.logpdf(1.0)
    with pytest.raises(DTypeError, match=r"norm.logpdf takes real numbers; got c"):
        stats.norm.logpdf(1j)


def test_everything_of_jax_is_there():
    for name in dir(jax.scipy.stats):
        if name.startswith("_"):
            continue
        assert hasattr(stats, name), name
        law = getattr(jax.scipy.stats, name)
        if inspect.ismodule(law):
            missing = [f for f in dir(law) if not f.startswith("_") and not hasattr(getattr(stats, name), f)]
            assert not missing, (name, missing)
