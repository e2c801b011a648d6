"""softmax, log_softmax, logsumexp, one_hot, standardize: against JAX and PyTorch, on extreme rows and under masks."""

import jax
import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
from fx import nn

INF = np.inf
ROWS = np.asarray([
    [0, 1, 2, 3],
    [1e4, -1e4, 0, 1e4],
    [-INF, 0, -INF, 1],
    [1e4, 1e4, 1e4, 1e4],
    [-1e4, -1e4, -1e4, -1e4 + 8],
    [-3e4, 3e4, 0, 0],
])  # fmt: skip
WEIGHTS = np.random.default_rng(0).normal(size=ROWS.shape)
DTYPES = {"float64": 1e-12, "float32": 2e-6, "float16": 2e-3}


def weighted(function, xp):
    """A scalar that uses every finite value, each with a weight."""

    def total(x):
        y = function(x)
        finite = xp.isfinite(y)
        return (xp.where(finite, y, 0) * WEIGHTS.astype(x.dtype)).sum()

    return total


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_extreme_rows(name, dtype):
    x = ROWS.astype(dtype)
    t = torch.tensor(x.astype(np.float64), requires_grad=True)
    y = getattr(torch, name)(t, -1)
    (
        torch.where(torch.isfinite(y), y, 0) * torch.tensor(WEIGHTS.astype(dtype).astype(np.float64))
    ).sum().backward()
    ours = getattr(nn, name)(x)
    gradient = fx.grad(weighted(getattr(nn, name), fnp))(x)
    assert ours.dtype == gradient.dtype == dtype
    # PyTorch's derivative is NaN where log_softmax is -inf and the cotangent 0
    expected = np.nan_to_num(t.grad.numpy(), nan=0.0)
    with np.errstate(over="ignore"):
        rounded = y.detach().numpy().astype(dtype)
    np.testing.assert_allclose(np.asarray(ours), rounded, rtol=DTYPES[dtype], atol=np.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(gradient), expected, atol=4 * DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_without_mass(dtype):
    x = np.full((2, 3), -INF, dtype)
    x[1] = 0
    assert np.asarray(nn.softmax(x))[0].tolist() == [0, 0, 0]
    assert np.asarray(nn.log_softmax(x))[0].tolist() == [-INF] * 3
    assert float(nn.logsumexp(x[0])) == -INF
    ct = 1e4 if dtype != "float16" else 100.0
    for function in (
        nn.softmax,
        lambda x: fnp.exp(nn.log_softmax(x)),
        lambda x: fnp.exp(nn.logsumexp(x, -1)),
    ):
        gradient = np.asarray(fx.grad(lambda x: (ct * function(x)).sum())(x))
        assert (gradient[0] == 0).all()
        assert np.isfinite(gradient).all()


def test_positive_infinity_and_nan_show():
    rows = np.asarray([[INF, 0.0], [np.nan, 0.0]])
    assert np.isnan(np.asarray(nn.softmax(rows))).all()
    assert float(nn.logsumexp(rows[0])) == INF


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_where(name):
    rng = np.random.default_rng(1)
    x, mask = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)) > 0
    mask[0], mask[1] = True, False
    x[2, ~mask[2]] = np.nan
    clean = np.where(mask, x, 0)
    ours = np.asarray(getattr(nn, name)(x, where=mask))
    with jax.enable_x64(True):
        theirs = np.asarray(getattr(jax.nn, name)(clean, where=mask))
        gradient = jax.grad(lambda x: (jax.nn.softmax(x, where=mask) * WEIGHTS[:5]).sum())(clean)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert (ours[1] == (0 if name == "softmax" else -INF)).all()
    found = fx.grad(lambda x: (nn.softmax(x, where=mask) * WEIGHTS[:5]).sum())(x)
    np.testing.assert_allclose(np.asarray(found), np.where(mask, gradient, 0), atol=1e-14)


def test_a_masked_element_of_a_nan_row_is_0():
    y = np.asarray(nn.softmax(np.asarray([INF, 0.0]), where=np.asarray([True, False])))
    assert np.isnan(y[0])
    assert y[1] == 0


@pytest.mark.parametrize("axis", [0, 1, (0, 2), None, -1])
def test_axes(axis):
    x = np.random.default_rng(2).normal(size=(2, 3, 4))
    with jax.enable_x64(True):
        for name in ("softmax", "log_softmax", "standardize"):
            options = {"algorithm": "stable"} if name == "standardize" else {}
            expected = getattr(jax.nn, name)(x, axis=axis, **options)
            np.testing.assert_allclose(np.asarray(getattr(nn, name)(x, axis=axis)), expected, rtol=1e-11)
        for keepdims in (False, True):
            expected = jax.nn.logsumexp(x, axis=axis, keepdims=keepdims)
            found = nn.logsumexp(x, axis=axis, keepdims=keepdims)
            assert found.shape == expected.shape
            np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", ["", "b", "where", "b where sign"])
def test_logsumexp(options, dtype):
    rng = np.random.default_rng(3)
    x = ROWS.astype(dtype)
    given = {"axis": -1}
    if "b" in options:
        given["b"] = rng.normal(size=x.shape).astype(dtype)
        given["b"][0, 0] = 0
    if "where" in options:
        given["where"] = rng.normal(size=x.shape) > -1
    if "sign" in options:
        given["return_sign"] = True
    found = nn.logsumexp(x, **given)
    with jax.enable_x64(True):
        wide = {k: v.astype(np.float64) if k == "b" else v for k, v in given.items()}
        expected = jax.nn.logsumexp(x.astype(np.float64), **wide)
    for ours, theirs in zip(*(v if isinstance(v, tuple) else (v,) for v in (found, expected))):
        assert ours.dtype == dtype
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=5 * DTYPES[dtype], atol=5 * DTYPES[dtype])


def test_logsumexp_is_linear_in_the_shift_and_its_gradient_the_softmax():
    x = np.random.default_rng(4).normal(size=(3, 5)) * 100
    np.testing.assert_allclose(
        np.asarray(fx.grad(lambda x: nn.logsumexp(x, -1).sum())(x)),
        np.asarray(nn.softmax(x)),
        rtol=1e-10,
        atol=1e-15,
    )


@pytest.mark.parametrize("axis", [-1, 0, 1, -2])
def test_one_hot(axis):
    labels = np.asarray([[0, 2, 5], [1, -1, 2]])
    found = nn.one_hot(labels, 3, axis=axis)
    assert found.dtype == np.float32
    assert np.array_equal(np.asarray(found), jax.nn.one_hot(labels, 3, axis=axis))
    assert nn.one_hot(labels, 3, dtype=bool).dtype == bool
    assert np.array_equal(
        np.asarray(fx.vmap(lambda row: nn.one_hot(row, 3))(labels)), jax.nn.one_hot(labels, 3)
    )


def test_one_hot_errors():
    with pytest.raises(fx.DTypeError, match=r"integers.*float32\[2\]"):
        nn.one_hot(fnp.ones(2), 3)
    with pytest.raises(fx.ShapeError, match="from -2 to 1; got 2"):
        nn.one_hot(fnp.asarray([0]), 3, axis=2)


def test_standardize():
    rng = np.random.default_rng(5)
    x, mask = rng.normal(size=(4, 6)), rng.normal(size=(4, 6)) > -1
    with jax.enable_x64(True):
        expected = jax.nn.standardize(x, where=mask, algorithm="stable")
    np.testing.assert_allclose(np.asarray(nn.standardize(x, where=mask)), expected, rtol=1e-12)
    given = nn.standardize(x, mean=0.0, variance=np.float64(3.0), epsilon=1.0)
    np.testing.assert_allclose(np.asarray(given), x / 2, rtol=1e-12)
    large = nn.standardize(fnp.asarray([1e4, -1e4, 0.0], fnp.float16))
    np.testing.assert_allclose(np.asarray(large), [1.2247, -1.2247, 0], atol=1e-3)
    shifted = nn.standardize(fnp.asarray([[1e4 + 1, 1e4 + 2, 1e4 + 3]]))
    np.testing.assert_allclose(np.asarray(shifted), [[-1.22474, 0, 1.22474]], atol=1e-3)
    assert np.isfinite(np.asarray(fx.grad(lambda x: (nn.standardize(x) ** 3).sum())(fnp.ones(4)))).all()


def test_vmap_and_jit():
    x = np.random.default_rng(6).normal(size=(3, 5))
    for function in (nn.softmax, nn.log_softmax, lambda x: nn.logsumexp(x, -1), nn.standardize):
        np.testing.assert_allclose(np.asarray(fx.vmap(function)(x)), np.asarray(function(x)), rtol=1e-12)
        np.testing.assert_allclose(np.asarray(fx.jit(function)(x)), np.asarray(function(x)), rtol=1e-12)
