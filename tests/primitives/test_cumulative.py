"""Running reductions against jax.lax and NumPy: values, ties, zeros, second derivatives, low precision, infinities."""

import jax
import ml_dtypes
import numpy as np
import pytest

import fx
import fx.primitives.cumulative as cumulative
from fx.backends import strict
from fx.core import errors
from fx.primitives.reductions import reduce_prod

NAMES = ["cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"]
every = pytest.mark.parametrize("name", NAMES)
bfloat16 = np.dtype(ml_dtypes.bfloat16)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def both(name):
    return getattr(cumulative, name), getattr(jax.lax, name)


def pull(transforms, f, x, ct):
    return np.asarray(transforms.vjp(f, x)[1](ct)[0])


@every
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 13])
def test_gradients_at_ties_and_zeros_are_those_of_jax_twice_over(name, reverse, n):
    ours, theirs = both(name)
    rng = np.random.default_rng(n)
    x = rng.integers(-2, 3, (2, n)).astype(float)  # many ties, many zeros
    ct, ct2 = rng.normal(size=(2, 2, n))
    f, g = (lambda x: ours(x, axis=1, reverse=reverse)), (lambda x: theirs(x, axis=1, reverse=reverse))
    np.testing.assert_allclose(pull(fx, f, x, ct), pull(jax, g, x, ct), atol=1e-12)
    f2, g2 = (lambda x: fx.vjp(f, x)[1](ct)[0]), (lambda x: jax.vjp(g, x)[1](ct)[0])
    np.testing.assert_allclose(pull(fx, f2, x, ct2), pull(jax, g2, x, ct2), atol=1e-12)


@every
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_axis_and_direction_has_jax_s_values(name, axis):
    ours, theirs = both(name)
    x = np.random.default_rng(0).normal(size=(3, 1, 6))
    for reverse in (False, True):
        np.testing.assert_allclose(
            np.asarray(ours(x, axis=axis, reverse=reverse)), theirs(x, axis=axis, reverse=reverse), rtol=1e-12
        )


def test_cumprod_has_the_derivative_of_a_product_with_two_zeros():
    x = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    jacobian = np.stack([pull(fx, cumulative.cumprod, x, row) for row in np.eye(5)])
    want = [[float(np.prod(np.delete(x[: i + 1], j))) if j <= i else 0.0 for j in range(5)] for i in range(5)]
    np.testing.assert_array_equal(jacobian, want)
    np.testing.assert_array_equal(np.asarray(fx.grad(lambda x: reduce_prod(x, axes=(0,)))(x)), np.zeros(5))
    np.testing.assert_array_equal(
        np.asarray(fx.grad(lambda x: reduce_prod(x, axes=(0,)))(x[:3])), [0.0, 6.0, 0.0]
    )


@every
@pytest.mark.parametrize("dtype", [np.dtype("float16"), bfloat16], ids=str)
def test_low_precision_accumulates_in_float32(name, dtype):
    ours, _ = both(name)
    x = np.random.default_rng(1).uniform(0.9, 1.1, 300).astype(dtype)
    got = np.asarray(ours(x))
    wide = np.asarray(ours(x.astype(np.float32)))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, wide.astype(dtype))
    gradient = np.asarray(fx.grad(lambda x: ours(x)[-1])(x))
    exact = np.asarray(fx.grad(lambda x: ours(x)[-1])(x.astype(np.float32)))
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient.astype(np.float32), exact, rtol=0.03, atol=1e-3)


def test_extremes_keep_nan_from_the_first_one_on():
    x = np.array([1.0, 3.0, np.nan, 5.0, -np.inf])
    np.testing.assert_array_equal(np.asarray(cumulative.cummax(x)), np.maximum.accumulate(x))
    np.testing.assert_array_equal(
        np.asarray(cumulative.cummin(x, reverse=True)), [np.nan] * 3 + [-np.inf] * 2
    )


def test_cumlogsumexp_does_not_overflow_and_starts_from_minus_infinity():
    x = np.array([-np.inf, -np.inf, 1e4, 1e4, -1e4])
    got = np.asarray(cumulative.cumlogsumexp(x))
    np.testing.assert_allclose(got, [-np.inf, -np.inf, 1e4, 1e4 + np.log(2), 1e4 + np.log(2)], rtol=1e-15)
    gradient = pull(fx, cumulative.cumlogsumexp, x, np.array([0.0, 0.0, 0.0, 0.0, 1.0]))
    np.testing.assert_allclose(gradient, [0, 0, 0.5, 0.5, 0], atol=1e-15)


@every
def test_integers_keep_their_dtype(name):
    if name == "cumlogsumexp":
        with pytest.raises(errors.DTypeError, match="cumlogsumexp"):
            cumulative.cumlogsumexp(np.arange(3))
        return
    x = np.array([[3, 1, 2], [2, 5, 1]], np.int32)
    got = np.asarray(both(name)[0](x, axis=1))
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, np.asarray(both(name)[1](x, axis=1)))


def test_complex_sums_and_products_differentiate_as_in_jax():
    rng = np.random.default_rng(2)
    x, ct = rng.normal(size=(2, 5)) + 1j * rng.normal(size=(2, 5))
    for name in ("cumsum", "cumprod"):
        ours, theirs = both(name)
        np.testing.assert_allclose(pull(fx, ours, x, ct), pull(jax, theirs, x, ct), rtol=1e-12)


@every
@pytest.mark.parametrize("n", [0, 1, 2, 7, 64])
def test_doubling_steps_give_what_accumulating_gives(name, n):
    x = np.random.default_rng(n).normal(size=(2, n, 3))
    primitive = getattr(cumulative, f"{name}_p")
    for reverse in (False, True):
        params = {"axis": 1, "reverse": reverse}
        got = primitive.impl(strict.xp, strict.asarray(x), **params).get()
        np.testing.assert_allclose(got, primitive.impl(np, x, **params), rtol=1e-12, atol=1e-12)


@every
def test_the_derivative_takes_a_logarithmic_number_of_equations(name):
    f, _ = both(name)
    sizes = [len(fx.make_program(fx.grad(lambda x: f(x).sum()))(np.ones(n)).equations) for n in (64, 64**2)]
    assert sizes[1] <= 2.2 * sizes[0]


def test_an_axis_out_of_range_is_named():
    with pytest.raises(errors.ShapeError, match=r"cumsum: axis 2 is out of range for f64\[2,3\]"):
        cumulative.cumsum(np.ones((2, 3)), axis=2)
    with pytest.raises(errors.ShapeError, match=r"f64\[\].*\n.*Reshape"):
        cumulative.cummax(np.float64(1.0))
