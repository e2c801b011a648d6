"""Gamma draws, what is made of them, and counts: against jax.random, SciPy's distributions, and their inverses."""

import jax
import numpy as np
import pytest
import scipy.stats

import fx
from fx import random
from fx.core.errors import ArgumentError, DTypeError, FxError, ShapeError

KEY = np.array([0, 7], np.uint32)
RNG = np.random.default_rng(0)


def drawn_by_jax(name, *args, x64=False, **kwargs):
    with jax.enable_x64(x64):
        return np.asarray(getattr(jax.random, name)(jax.random.PRNGKey(7), *args, **kwargs))


def agree(ours, theirs, places=2):
    """Equal up to units in the last place. JAX takes reciprocal roots from the processor, some of which round in
    their own way: a few draws in a hundred are then off by what a rejection step makes of a last place."""
    ours = np.asarray(ours)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    eps = np.finfo(ours.dtype).eps
    near = np.abs(ours - theirs) <= np.maximum(places * eps * np.abs(theirs), np.finfo(ours.dtype).tiny)
    assert near.mean() >= 0.9
    np.testing.assert_allclose(ours, theirs, rtol=2000 * eps, atol=2000 * eps)


V = np.exp(RNG.uniform(-2, 4, 800))
ALPHA = RNG.uniform(0.2, 4, (300, 4))
SAME = [
    ("gamma", lambda v: (v,), {}),
    ("loggamma", lambda v: (v / 10, (2, 800)), {}),
    ("beta", lambda v: (v, v[::-1].copy()), {"places": 4}),
    ("dirichlet", lambda v: (ALPHA.astype(v.dtype),), {"places": 4}),
    ("f", lambda v: (v, v[::-1].copy()), {"places": 8}),
    ("t", lambda v: (v, (800,)), {}),
    ("ball", lambda v: (3, 1.5, (200,)), {"places": 16}),
]


ALSO_DOUBLE = ("gamma", "loggamma")
"""The others are made of these."""


@pytest.mark.parametrize("name, args, options", SAME, ids=lambda v: v if isinstance(v, str) else "")
def test_draws_are_those_of_jax(name, args, options):
    for dtype in ("float32", "float64") if name in ALSO_DOUBLE else ("float32",):
        inputs = args(V.astype(dtype))
        theirs = drawn_by_jax(name, *inputs, dtype=dtype, x64=dtype == "float64")
        agree(getattr(random, name)(KEY, *inputs, dtype=dtype), theirs, **options)


RATES = np.concatenate([np.exp(RNG.uniform(-3, 8, 1993)), [0, 0.3, 9.99, 10, 35, 1e6, np.inf]]).astype("f")


@pytest.mark.parametrize("wrap", [lambda f: f, fx.jit], ids=["eager", "jit"])
def test_poisson_draws_are_those_of_jax(wrap):
    draw = wrap(lambda rate: random.poisson(KEY, rate, (2000,)))
    np.testing.assert_array_equal(draw(RATES), drawn_by_jax("poisson", RATES), strict=True)
    rate = np.float32(7)
    np.testing.assert_array_equal(draw(rate), drawn_by_jax("poisson", rate, (2000,)), strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("wrap", [lambda f: f, fx.jit], ids=["eager", "jit"])
def test_binomial_draws_are_those_of_jax(wrap, dtype):
    n, p = np.floor(np.exp(RNG.uniform(0, 8, 2000))).astype(dtype), RNG.uniform(0, 1, 2000).astype(dtype)
    theirs = drawn_by_jax("binomial", n, p, dtype=dtype, x64=dtype == "float64")
    draw = wrap(lambda n, p: random.binomial(KEY, n, p, dtype=dtype))
    np.testing.assert_array_equal(draw(n, p), theirs, strict=True)


def test_compiled_counts_are_native():
    draw = fx.jit(lambda key: (random.poisson(key, 7.0, (8,)), random.binomial(key, 9.0, 0.4, (8,))))
    assert not any("python" in step.kind for step in draw.explain(random.key(0)).steps)


def test_multinomial_draws_are_those_of_jax():
    rows = RNG.uniform(0, 1, (50, 5)).astype("f")
    rows /= rows.sum(1, keepdims=True)
    n = np.repeat(np.float32([3, 1000]), 25)
    theirs = drawn_by_jax("multinomial", n, rows)
    ours = np.asarray(random.multinomial(KEY, n, rows))
    assert ours.dtype == theirs.dtype and (ours == theirs).mean() > 0.97  # ratios round in their own way
    np.testing.assert_array_equal(ours.sum(1), n)


def test_binomial_at_its_ends():
    n = np.array([5, 5, 0, np.inf, np.inf, np.nan, 1000, 1000, 3.9], "f")
    p = np.array([0, 1, 0.5, 0.5, 0, 0.5, 0, 1, 1], "f")
    expected = np.array([0, 5, 0, np.inf, np.inf, np.nan, 0, 1000, 3], "f")
    traced = fx.jit(lambda n, p: random.binomial(KEY, n, p))
    np.testing.assert_array_equal(random.binomial(KEY, n, p), expected)
    np.testing.assert_array_equal(traced(n, p), expected)
    np.testing.assert_array_equal(
        traced(np.array([-1, 5, 5], "f"), np.array([0.5, -0.1, 1.1], "f")), [np.nan] * 3
    )


def test_counts_beyond_a_narrow_dtype_are_its_largest():
    assert np.asarray(random.poisson(KEY, 1e4, (5,), "int8")).tolist() == [127] * 5
    assert np.asarray(random.poisson(KEY, 300.0, (50,), "uint8")).max() == 255
    assert np.asarray(fx.jit(lambda r: random.poisson(KEY, r))(np.float32([-1, np.nan, 0]))).tolist() == [
        -1,
        -1,
        0,
    ]


# Distributions


N = (20_000,)
THIRDS = np.float32([0.2, 0.5, 0.3])
LAWS = [
    ("gamma", (0.3,), scipy.stats.gamma(0.3)),
    ("gamma", (7.5,), scipy.stats.gamma(7.5)),
    ("loggamma", (0.7,), scipy.stats.loggamma(0.7)),
    ("beta", (0.5, 2.5), scipy.stats.beta(0.5, 2.5)),
    ("chisquare", (3.0,), scipy.stats.chi2(3)),
    ("f", (5.0, 7.0), scipy.stats.f(5, 7)),
    ("t", (2.5,), scipy.stats.t(2.5)),
    ("generalized_normal", (1.5,), scipy.stats.gennorm(1.5)),
    ("double_sided_maxwell", (0.0, 1.0), None),
]


@pytest.mark.parametrize("name, parameters, law", LAWS, ids=lambda v: v if isinstance(v, str) else "")
def test_continuous_draws_follow_their_law(name, parameters, law):
    x = np.asarray(getattr(random, name)(KEY, *parameters, shape=N, dtype="float64"))
    if law is None:
        x, law = np.abs(x), scipy.stats.maxwell()
    assert scipy.stats.kstest(x, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precisions_follow_their_law(dtype):
    x = random.gamma(KEY, 2.0, N, dtype)
    assert str(x.dtype) == dtype
    assert abs(np.asarray(x).astype("f").mean() - 2) < 0.05
    p = np.asarray(random.beta(KEY, 0.5, 0.5, N, dtype)).astype("f")
    assert abs(p.mean() - 0.5) < 0.02 and abs(p.var() - 1 / 8) < 0.01


@pytest.mark.parametrize(
    "draw, law",
    [
        (lambda: random.poisson(KEY, 3.5, N), scipy.stats.poisson(3.5)),
        (lambda: random.poisson(KEY, 42.0, N), scipy.stats.poisson(42)),
        (lambda: random.binomial(KEY, 9.0, 0.4, N), scipy.stats.binom(9, 0.4)),
        (lambda: random.binomial(KEY, 200.0, 0.7, N), scipy.stats.binom(200, 0.7)),
        (lambda: random.multinomial(KEY, 30.0, THIRDS, shape=(*N, 3))[:, 1], scipy.stats.binom(30, 0.5)),
    ],
)  # fmt: skip
def test_counts_follow_their_law(draw, law):
    x = np.asarray(draw()).astype(int)
    low, high = int(law.ppf(1e-3)), int(law.ppf(1 - 1e-3))
    found = np.bincount(np.clip(x, low, high) - low, minlength=high - low + 1)
    expected = np.diff([0, *law.cdf(np.arange(low, high)), 1]) * x.size
    assert scipy.stats.chisquare(found, expected).pvalue > 1e-3


def test_points_of_the_simplex_and_of_balls():
    x = np.asarray(random.dirichlet(KEY, np.array([1.0, 2.0, 5.0]), N, "float64"))
    np.testing.assert_allclose(x.sum(1), 1, rtol=1e-14)
    np.testing.assert_allclose(x.mean(0), [1 / 8, 2 / 8, 5 / 8], atol=0.01)
    tiny = np.asarray(random.dirichlet(KEY, np.full(3, 1e-3), (50,), "float64"))
    np.testing.assert_allclose(tiny.sum(1), 1)
    for p in (1.0, 2.0, 3.5):
        radius = (np.abs(np.asarray(random.ball(KEY, 3, p, N, "float64"))) ** p).sum(1) ** (1 / p)
        assert scipy.stats.kstest(radius**3, "uniform").pvalue > 1e-3
    assert random.ball(KEY, 0, shape=(4,)).shape == (4, 0)


# Gradients: along the inverse of the distribution function


def slopes(law, x, a, step=1e-5):
    """How x moves with the parameter while its value of the distribution function (or its complement) stays."""
    up, down = law(a * (1 + step)), law(a * (1 - step))
    low = law(a).cdf(x) < 0.5
    q = np.where(low, law(a).cdf(x), law(a).sf(x))
    moved = np.where(low, up.ppf(q) - down.ppf(q), up.isf(q) - down.isf(q))
    return moved / (2 * a * step)


PATHS = [
    ("gamma", scipy.stats.gamma, lambda a: random.gamma(KEY, a)),
    ("chisquare", scipy.stats.chi2, lambda a: random.chisquare(KEY, a)),
    ("loggamma", scipy.stats.loggamma, lambda a: random.loggamma(KEY, a)),
]


@pytest.mark.parametrize("name, law, draw", PATHS, ids=lambda v: v if isinstance(v, str) else "")
def test_gradients_follow_the_distribution_function(name, law, draw):
    a = np.exp(RNG.uniform(-0.5, 4, 60))
    with fx.config(default_float="float64"):
        x, dx = fx.jvp(draw, (a,), (np.ones_like(a),))
    np.testing.assert_allclose(dx, slopes(law, np.asarray(x), a), rtol=1e-4)
    low, dlow = fx.jvp(draw, (a.astype("f"),), (np.ones_like(a, "f"),))
    assert low.dtype == np.float32
    with fx.config(default_float="float64"):
        np.testing.assert_allclose(dlow, slopes(law, np.asarray(low).astype("d"), a), rtol=2e-3, atol=1e-4)


G, PSI = scipy.special.gamma, scipy.special.digamma
THIRD = G(8 / 3) / G(2 / 3) * (PSI(2 / 3) - 4 * PSI(8 / 3)) / 1.5**2
MEANS = [  # a function of draws whose mean is known, and the derivative of that mean by each parameter
    ("beta", (2.0, 3.0), lambda x: x, (3 / 25, -2 / 25)),
    ("beta", (0.5, 0.7), lambda x: x, (0.7 / 1.44, -0.5 / 1.44)),
    ("chisquare", (3.0,), lambda x: x * x, (8.0,)),
    ("t", (12.0,), lambda x: x * x, (-2 / 100,)),
    ("f", (4.0, 12.0), lambda x: x, (0.0, -2 / 100)),
    ("generalized_normal", (1.5,), lambda x: abs(x) ** 3, (THIRD,)),
    ("gamma", (0.4,), lambda x: x * x, (1.8,)),
    ("double_sided_maxwell", (0.5, 2.0), lambda x: x * x, (1.0, 12.0)),
]


@pytest.mark.parametrize(
    "name, parameters, function, expected", MEANS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_gradients_are_those_of_means(name, parameters, function, expected):
    n = 20_000
    draw = lambda *p: function(getattr(random, name)(KEY, *p, shape=(n,)))
    for i, slope in enumerate(expected):
        each = np.asarray(
            fx.jvp(lambda p: draw(*parameters[:i], p, *parameters[i + 1 :]), parameters[i : i + 1], (1.0,))[1]
        )
        assert abs(each.mean() - slope) < 4 * each.std() / np.sqrt(n) + 1e-5


def test_gradients_of_points_of_the_simplex():
    alpha, weights = np.float32([1.0, 2.0, 0.5]), np.float32([1, -2, 3])
    loss = lambda a: (random.dirichlet(KEY, a, N) * weights).sum(1).mean()
    total = alpha.sum()
    expected = weights / total - (alpha @ weights) / total**2
    np.testing.assert_allclose(fx.grad(loss)(alpha), expected, atol=0.02)


def test_gradients_of_tiny_draws_stay_exact():
    """x**a = u gamma(a + 1) there: log x moves by (digamma(a + 1) - log x) / a, where x itself is 0."""
    a = np.float32([1e-3, 1e-2, 0.02])
    logs, slope = fx.jvp(lambda a: random.loggamma(KEY, a), (a,), (np.ones_like(a),))
    assert (np.asarray(logs) < -40).any()
    expected = slopes(scipy.stats.loggamma, np.asarray(logs).astype("d"), a.astype("d"), 1e-4)
    exact = (scipy.special.digamma(a + 1.0) - np.asarray(logs).astype("d")) / a
    small = np.asarray(logs) < -40
    np.testing.assert_allclose(np.asarray(slope)[small], exact[small], rtol=1e-5)
    np.testing.assert_allclose(np.asarray(slope)[~small], expected[~small], rtol=1e-2)


def test_second_derivatives():
    with fx.config(default_float="float64"):
        slope = lambda a: fx.jvp(lambda a: random.gamma(KEY, a), (a,), (1.0,))[1]
        x = float(random.gamma(KEY, 2.5))
        law, q = scipy.stats.gamma, scipy.stats.gamma(2.5).cdf(x)
        h = 1e-3
        expected = (law(2.5 + h).ppf(q) - 2 * law(2.5).ppf(q) + law(2.5 - h).ppf(q)) / h**2
        np.testing.assert_allclose(float(fx.grad(slope)(2.5)), expected, rtol=1e-3)


def test_counts_have_derivative_zero():
    loss = lambda p: (p * random.binomial(KEY, 10.0, p, (50,))).sum()
    np.testing.assert_allclose(float(fx.grad(loss)(0.3)), float(random.binomial(KEY, 10.0, 0.3, (50,)).sum()))


# Transformations


TRANSFORMED = {
    "gamma": (1.5, (5,)), "loggamma": (0.3, (5,)), "beta": (2.0, 0.7, (2, 3)), "chisquare": (3.0, (5,)),
    "f": (3.0, 4.0, (5,)), "t": (3.0, (5,)), "generalized_normal": (1.5, (5,)), "ball": (3, 1.5, (4,)),
    "dirichlet": (np.float32([1, 2, 0.5]), (4,)), "double_sided_maxwell": (0.0, 2.0, (5,)),
    "poisson": (np.float32([0.5, 20, 300]),), "binomial": (np.float32([5, 50, 500]), 0.4),
    "multinomial": (20.0, np.float32([0.2, 0.5, 0.3])),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMED)
def test_transformed_draws_are_the_plain_ones(name):
    draw = lambda key: getattr(random, name)(key, *TRANSFORMED[name])
    keys = random.split(random.key(1), 4)
    loop = np.stack([np.asarray(draw(k)) for k in keys])
    same = lambda ours, theirs: np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-6, atol=1e-7)
    same(fx.vmap(draw)(keys), loop)
    same(fx.vmap(fx.vmap(draw))(keys.reshape(2, 2, 2)), loop.reshape(2, 2, *loop.shape[1:]))
    same(fx.jit(fx.vmap(draw))(keys), loop)
    same(fx.jit(draw)(keys[0]), loop[0])
    same(fx.checkpoint(draw)(keys[0]), loop[0])
    _, scanned = fx.lax.scan(lambda c, k: (c, draw(k)), 0, keys)
    same(scanned, loop)


def test_batched_parameters_and_odd_layouts():
    keys = random.split(random.key(1), 3)
    rates = np.float32([[0.5, 20], [3, 4], [100, 1]])
    draw = lambda k, r: (random.poisson(k, r), random.gamma(k, r), random.binomial(k, r, 0.5))
    together = fx.vmap(draw)(keys, rates)
    for i, k in enumerate(keys):
        for whole, one in zip(together, draw(k, rates[i])):
            np.testing.assert_array_equal(np.asarray(whole)[i], one)
    odd = np.asfortranarray(rates)[::-1]
    for whole, one in zip(draw(KEY, odd), draw(KEY, odd.copy())):
        np.testing.assert_array_equal(whole, one)
    assert random.gamma(KEY, np.zeros((0, 3), "f")).shape == (0, 3)
    assert random.poisson(KEY, 3.0, (0,)).shape == random.binomial(KEY, 3.0, 0.5, (2, 0))[0].shape == (0,)


def test_gradients_under_transformations():
    loss = lambda a, key: (random.gamma(key, a, (3,)) ** 2).sum() + random.beta(key, a, 2.0)
    keys = random.split(random.key(1), 3)
    plain = np.array([float(fx.grad(loss)(1.5, k)) for k in keys])
    np.testing.assert_allclose(fx.vmap(fx.grad(loss), (None, 0))(1.5, keys), plain, rtol=1e-5)
    np.testing.assert_allclose(fx.jit(fx.vmap(fx.grad(loss), (None, 0)))(1.5, keys), plain, rtol=1e-5)
    np.testing.assert_allclose(float(fx.grad(fx.checkpoint(loss))(1.5, keys[0])), plain[0], rtol=1e-5)


def test_shapes_follow_parameters_and_arguments():
    two, three = np.ones((2, 1), "f"), np.ones(3, "f")
    assert random.beta(KEY, two, three).shape == random.f(KEY, two, three).shape == (2, 3)
    assert random.binomial(KEY, two, three).shape == (2, 3)
    assert random.gamma(KEY, three, (5, 3)).shape == (5, 3)
    assert random.dirichlet(KEY, np.ones((2, 1, 4), "f"), (2, 3)).shape == (2, 3, 4)
    assert random.multinomial(KEY, two[:, 0], np.ones(4, "f"), shape=(2, 4)).shape == (2, 4)
    assert random.double_sided_maxwell(KEY, three, 1.0, (2,)).shape == (2, 3)
    assert random.gamma(KEY, 2.0, dtype="float64").dtype == np.float64
    with fx.config(default_float="float64"):
        assert random.gamma(KEY, 2.0).dtype == np.float64


def test_parameters_at_the_ends_of_their_domains():
    x = fx.jit(lambda a: random.gamma(KEY, a))(np.float32([0, np.inf, np.nan, -1, 1e-30, 1e30]))
    assert np.asarray(x)[[0, 1, 4]].tolist() == [0, np.inf, 0] and np.isnan(np.asarray(x)[[2, 3]]).all()
    np.testing.assert_allclose(np.asarray(x)[5], 1e30, rtol=1e-3)


# Errors


ERRORS = [
    (lambda: random.gamma(KEY, -1.0), ArgumentError, "gamma: a must not be negative; it is -1.0"),
    (lambda: random.gamma(KEY, np.float32([1, -2])), ArgumentError, "it is -2.0 at index (1,)"),
    (lambda: random.gamma(KEY, 1.0, dtype="int32"), DTypeError, "gamma draws floating"),
    (lambda: random.gamma(KEY, 1j), DTypeError, "a must be real"),
    (lambda: random.gamma(KEY, np.ones(3), (2,)), ShapeError, "a has shape (3,)"),
    (lambda: random.gamma(0, 1.0), ArgumentError, "gamma takes a key first; got 0"),
    (lambda: random.beta(KEY, 1.0, 0.0), ArgumentError, "beta: b must be positive; it is 0.0"),
    (lambda: random.dirichlet(KEY, 1.0), ShapeError, "dirichlet: alpha needs an axis"),
    (lambda: random.dirichlet(KEY, np.float32([1, 0])), ArgumentError, "alpha must be positive"),
    (lambda: random.dirichlet(KEY, np.ones((2, 3), "f"), (4,)), ShapeError, "alpha has shape (2, 3)"),
    (lambda: random.poisson(KEY, -1.0), ArgumentError, "lam must not be negative; it is -1.0"),
    (lambda: random.poisson(KEY, np.nan), ArgumentError, "it is nan"),
    (lambda: random.poisson(KEY, 1.0, dtype="float32"), DTypeError, "poisson draws integers"),
    (lambda: random.binomial(KEY, 5, 1.5), ArgumentError, "p must lie in [0, 1]; it is 1.5"),
    (lambda: random.binomial(KEY, -5, 0.5), ArgumentError, "n must not be negative; it is -5.0"),
    (lambda: random.multinomial(KEY, 5, 0.5), ShapeError, "multinomial: p needs an axis"),
    (lambda: random.multinomial(KEY, np.ones(3), np.ones((2, 4))), ShapeError, "n has shape (3,)"),
    (lambda: random.ball(KEY, -1), ArgumentError, "d must not be negative; got -1"),
    (lambda: random.ball(KEY, 3, np.ones(2, "f"), (2,)), ShapeError, "p must have shape ()"),
    (lambda: random.t(KEY, 0.0), ArgumentError, "df must be positive"),
    (lambda: random.key_dtype("rbg"), ArgumentError, "'rbg'"),
]


@pytest.mark.parametrize("call, kind, text", ERRORS)
def test_errors_name_the_facts(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, FxError) and text in str(caught.value)


def test_all_of_jax_random_is_there():
    mine = {"random_gamma_p"}  # JAX's primitive
    assert not {n for n in dir(jax.random) if not n.startswith("_")} - set(dir(random)) - mine
    assert random.key_dtype() == np.uint32
