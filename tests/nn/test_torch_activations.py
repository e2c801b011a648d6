"""The functions of torch.nn.functional and jax.nn beyond the classic activations."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
from fx import nn

F = torch.nn.functional
RNG = np.random.default_rng(7)
POINTS = np.array(
    [-1e4, -30.0, -5.5, -1.5, -0.9, -0.3, -1e-3, -1e-30, 1e-30, 1e-3, 0.3, 0.9, 1.5, 5.5, 30.0, 1e4]
)
X = RNG.normal(size=(3, 4))
TORCH = {
    "hardshrink": (lambda x: nn.hardshrink(x, 0.4), lambda t: F.hardshrink(t, 0.4)),
    "softshrink": (lambda x: nn.softshrink(x, 0.4), lambda t: F.softshrink(t, 0.4)),
    "threshold": (lambda x: nn.threshold(x, 0.4, -7.0), lambda t: F.threshold(t, 0.4, -7.0)),
    "rrelu": (nn.rrelu, F.rrelu),
    "softmin": (nn.softmin, lambda t: F.softmin(t, -1)),
    "logsigmoid": (nn.logsigmoid, F.logsigmoid),
    "softsign": (nn.softsign, F.softsign),
    "hardtanh": (nn.hardtanh, F.hardtanh),
    "hardswish": (nn.hardswish, F.hardswish),
}
JAX = {
    "squareplus": (nn.squareplus, jax.nn.squareplus),
    "squareplus, b": (lambda x: nn.squareplus(x, 0.5), lambda x: jax.nn.squareplus(x, 0.5)),
    "sparse_plus": (nn.sparse_plus, jax.nn.sparse_plus),
    "sparse_sigmoid": (nn.sparse_sigmoid, jax.nn.sparse_sigmoid),
    "identity": (nn.identity, jax.nn.identity),
    "logmeanexp": (nn.logmeanexp, jax.nn.logmeanexp),
}


def compare(ours, value, slope, rtol=1e-13, atol=1e-13):
    found, gradient = ours(POINTS), fx.grad(lambda x: fnp.sum(ours(x)))(POINTS)
    np.testing.assert_allclose(found, value, rtol=rtol, atol=atol)
    np.testing.assert_allclose(gradient, slope, rtol=rtol, atol=atol)
    np.testing.assert_allclose(fx.jit(ours)(POINTS), found, rtol=1e-13, atol=1e-300)
    for dtype, tolerance in (("float32", 1e-5), ("float16", 4e-3)):
        x = np.clip(POINTS, -3e3, 3e3).astype(dtype)
        narrow = ours(x)
        assert narrow.dtype == dtype
        np.testing.assert_allclose(narrow, ours(x.astype(np.float64)), rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("name", TORCH)
def test_against_torch(name):
    ours, theirs = TORCH[name]
    t = torch.tensor(POINTS, requires_grad=True)
    y = theirs(t)
    y.sum().backward()
    compare(ours, y.detach().numpy(), t.grad.numpy())


@pytest.mark.parametrize("name", JAX)
def test_against_jax(name):
    ours, theirs = JAX[name]
    with jax.enable_x64():
        x = jnp.asarray(POINTS)
        compare(ours, theirs(x), jax.grad(lambda x: theirs(x).sum())(x), atol=1e-12)


def exact(function, x):
    with mpmath.workdps(700):
        return np.array([float(function(mpmath.mpf(float(v)))) for v in x])


@pytest.mark.parametrize(
    "ours, formula, slope, points",
    [
        (nn.tanhshrink, lambda x: x - mpmath.tanh(x), lambda x: mpmath.tanh(x) ** 2, POINTS),
        (nn.squareplus, lambda x: (x + mpmath.sqrt(x * x + 4)) / 2,
         lambda x: (1 + x / mpmath.sqrt(x * x + 4)) / 2, np.array([-1e200, -1e8, -3.0, 0.0, 3.0, 1e200])),
        (nn.log1mexp, lambda x: mpmath.log(1 - mpmath.exp(-x)), lambda x: 1 / mpmath.expm1(x),
         np.array([1e-300, 1e-8, 0.1, 0.69, 0.7, 3.0, 40.0, 700.0])),
    ],
)  # fmt: skip
def test_without_cancellation(ours, formula, slope, points):
    np.testing.assert_allclose(ours(points), exact(formula, points), rtol=4e-15)
    gradient = fx.grad(lambda x: ours(x).sum())(points)
    np.testing.assert_allclose(gradient, exact(slope, points), rtol=4e-14, atol=1e-17)


def test_limits():
    np.testing.assert_array_equal(nn.log1mexp(np.array([0.0, np.inf])), [-np.inf, 0])
    assert np.isnan(float(nn.log1mexp(-1.0)))
    inf = np.array([-np.inf, np.inf, np.nan])
    for f, limits in (
        (nn.hardshrink, inf), (nn.softshrink, inf), (nn.tanhshrink, inf), (nn.squareplus, [0, np.inf, np.nan]),
        (nn.sparse_plus, [0, np.inf, np.nan]), (nn.sparse_sigmoid, [0, 1, np.nan]),
        (lambda x: nn.threshold(x, 0.0, 1.0), [1, np.inf, np.nan]),
    ):  # fmt: skip
        np.testing.assert_array_equal(f(inf), limits)
    assert float(nn.squareplus(0.0, 0.0)) == 0
    assert float(fx.grad(lambda b: nn.squareplus(fnp.asarray(-1.0), b))(1.0)) == pytest.approx(0.25 / 2**0.5)


def test_prelu():
    weight = np.array([0.1, 0.2, 0.3, 0.4])
    for x, axis in ((X, -1), (X.T, 0), (RNG.normal(size=(2, 4, 3)), 1)):
        moved = torch.tensor(np.moveaxis(x, axis, 1) if x.ndim > 1 else x, requires_grad=True)
        w = torch.tensor(weight, requires_grad=True)
        y = F.prelu(moved, w)
        y.sum().backward()
        np.testing.assert_allclose(nn.prelu(x, weight, axis), np.moveaxis(y.detach().numpy(), 1, axis))
        gradient = fx.grad(lambda w, x=x, axis=axis: nn.prelu(x, w, axis).sum())(weight)
        np.testing.assert_allclose(gradient, w.grad, rtol=1e-12)
    np.testing.assert_allclose(nn.prelu(X, 0.25), nn.leaky_relu(X, 0.25))
    with pytest.raises(fx.ShapeError, match=r"weight of shape \(3,\)(.|\n)*\(3, 4\)"):
        nn.prelu(X, weight[:3])


def test_rrelu_draws_a_slope_for_every_element():
    x = -np.ones(20_000)
    slopes = -np.asarray(nn.rrelu(x, 0.2, 0.6, key=fx.random.key(0)))
    assert slopes.min() >= 0.2 and slopes.max() < 0.6
    assert slopes.mean() == pytest.approx(0.4, abs=0.004) and slopes.std() == pytest.approx(
        0.4 / 12**0.5, rel=0.02
    )
    np.testing.assert_array_equal(nn.rrelu(-x, key=fx.random.key(0)), -x)


@pytest.mark.parametrize(
    "name, gate", [("glu", "sigmoid"), ("geglu", "gelu"), ("reglu", "relu"), ("swiglu", "silu")]
)
def test_gated_units(name, gate):
    unit, gate = getattr(nn, name), getattr(nn, gate)
    np.testing.assert_allclose(unit(X), X[:, :2] * np.asarray(gate(X[:, 2:])), rtol=1e-14)
    np.testing.assert_allclose(unit(X.T, axis=0), np.asarray(unit(X)).T)
    with pytest.raises(fx.ShapeError, match=rf"{name} halves axis 0 of x(.|\n)*\(3, 4\)"):
        unit(X, 0)


def test_gumbel_softmax():
    logits = np.log(np.array([0.2, 0.5, 0.3]))
    draw = lambda key, **o: nn.gumbel_softmax(logits, key=key, **o)
    keys = fx.random.split(fx.random.key(2), 4000)
    hard = np.asarray(fx.vmap(lambda key: draw(key, hard=True))(keys))
    np.testing.assert_allclose(np.sort(hard, 1), np.broadcast_to([0.0, 0.0, 1.0], hard.shape), atol=1e-15)
    np.testing.assert_allclose(hard.mean(0), np.exp(logits), atol=0.03)
    soft = np.asarray(fx.vmap(lambda key: draw(key, tau=0.5))(keys))
    np.testing.assert_allclose(soft.sum(1), 1, rtol=1e-12)
    np.testing.assert_array_equal(soft.argmax(1), hard.argmax(1))
    slope = lambda hard: fx.grad(lambda x: nn.gumbel_softmax(x, 0.7, hard, key=keys[0])[0])(logits)
    np.testing.assert_allclose(slope(True), slope(False), rtol=1e-12)
    assert np.asarray(slope(True)).any()
    columns = nn.gumbel_softmax(X, hard=True, axis=0, key=keys[0])
    np.testing.assert_allclose(np.asarray(columns).sum(0), 1)


def test_logmeanexp():
    mask = RNG.random((3, 4)) < 0.6
    mask[:, 0] = True
    for options in ({"axis": 0}, {"axis": (0, 1)}, {"axis": 1, "keepdims": True}, {"axis": 1, "where": mask}):
        with jax.enable_x64():
            expected = jax.nn.logmeanexp(jnp.asarray(X), **options)
        np.testing.assert_allclose(nn.logmeanexp(X, **options), expected, rtol=1e-13)
    nobody = np.zeros((3, 4), bool)
    value, gradient = fx.value_and_grad(lambda x: nn.logmeanexp(x, where=nobody))(X)
    assert np.isneginf(float(value)) and not np.asarray(gradient).any()
    assert nn.logmeanexp(X[:0], axis=1).shape == (0,)


def test_rows_without_elements():
    empty = np.zeros((2, 0))
    assert nn.softmax(empty).shape == nn.log_softmax(empty).shape == (2, 0)
    np.testing.assert_array_equal(nn.logsumexp(empty, 1), [-np.inf, -np.inf])


@pytest.mark.parametrize("p", [1, 2, 3, np.inf])
def test_lengths_and_distances(p):
    x, y = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
    for ours, theirs in (
        (lambda x, y: nn.normalize(x, p) * y, lambda x, y: F.normalize(x, p, -1) * y),
        (lambda x, y: nn.pairwise_distance(x, y, p), lambda x, y: F.pairwise_distance(x, y, p)),
        (nn.cosine_similarity, lambda x, y: F.cosine_similarity(x, y, -1)),
        (lambda x, y: nn.normalize(x, p, 0) * y, lambda x, y: F.normalize(x, p, 0) * y),
    ):
        ts = [torch.tensor(z, requires_grad=True) for z in (x, y)]
        expected = theirs(*ts)
        (expected**2).sum().backward()
        np.testing.assert_allclose(ours(x, y), expected.detach(), rtol=1e-12)
        gradients = fx.grad(lambda x, y, ours=ours: (ours(x, y) ** 2).sum(), (0, 1))(x, y)
        for found, t in zip(gradients, ts, strict=True):
            np.testing.assert_allclose(found, t.grad, rtol=1e-10, atol=1e-12)
    assert nn.pairwise_distance(x, y[0], p, keepdims=True).shape == (3, 1)


def test_lengths_neither_overflow_nor_vanish():
    for scale in (1e-200, 1e200):
        np.testing.assert_allclose(nn.normalize(X * scale, epsilon=0.0), nn.normalize(X), rtol=1e-12)
    zero = np.zeros((2, 3))
    for f in (lambda x: nn.normalize(x, epsilon=0.0), lambda x: nn.cosine_similarity(x, x, epsilon=0.0)):
        assert not np.asarray(f(zero)).any() and not np.asarray(fx.grad(lambda x: f(x).sum())(zero)).any()
    tiny = fx.grad(lambda x: nn.normalize(x)[0, 0])(zero)
    np.testing.assert_allclose(tiny, [[1e12, 0, 0], [0, 0, 0]])


def test_scaled_matmul():
    a, b = RNG.normal(size=(2, 3, 8)), RNG.normal(size=(2, 5, 8))
    a_scales, b_scales = RNG.uniform(size=(2, 3, 4)), RNG.uniform(size=(2, 5, 2))
    expected = np.einsum("bmk,bnk->bmn", a * np.repeat(a_scales, 2, -1), b * np.repeat(b_scales, 4, -1))
    found = nn.scaled_matmul(a, b, a_scales, b_scales)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)
    exact = lambda *xs: nn.scaled_matmul(*xs, preferred_element_type=np.float64)
    np.testing.assert_allclose(exact(a, b, a_scales, b_scales), expected, rtol=1e-12)
    fx.testing.check_grads(exact, (a, b, a_scales, b_scales), order=2)
    with pytest.raises(fx.ShapeError, match=r"lhs_scales \(2, 3, 3\)"):
        nn.scaled_matmul(a, b, a_scales[..., :3], b_scales)


def test_functions_of_jax_that_are_missing_are_known():
    public = {n for n in dir(jax.nn) if not n.startswith("_")}
    assert public - set(dir(nn)) == {"get_scaled_dot_general_config", "scaled_dot_general"}
