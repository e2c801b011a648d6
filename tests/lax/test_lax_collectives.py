"""Exchanges over a mapped axis against JAX's, which run under vmap too, and against NumPy."""

import jax
import numpy as np
import pytest

import fx

X = np.arange(3 * 3 * 6, dtype="float32").reshape(3, 3, 6)

CASES = {
    "all_to_all": lambda L, x: L.all_to_all(x, "i", 0, 0),
    "all_to_all to another axis": lambda L, x: L.all_to_all(x, "i", 0, 1),
    "all_to_all tiled": lambda L, x: L.all_to_all(x, "i", 1, 0, tiled=True),
    "pswapaxes": lambda L, x: L.pswapaxes(x, "i", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_exchanges_are_those_of_jax(name):
    f = CASES[name]
    found = fx.vmap(lambda x: f(fx.lax, x), axis_name="i")(X)
    np.testing.assert_array_equal(found, jax.vmap(lambda x: f(jax.lax, x), axis_name="i")(X))


def test_scatter_and_broadcast():
    scattered = fx.vmap(lambda x: fx.lax.psum_scatter(x, "i"), axis_name="i")(X)
    np.testing.assert_array_equal(scattered, X.sum(0))
    tiled = fx.vmap(lambda x: fx.lax.psum_scatter(x, "i", scatter_dimension=1, tiled=True), axis_name="i")(X)
    np.testing.assert_array_equal(tiled, X.sum(0).reshape(3, 3, 2).swapaxes(0, 1))
    sent = fx.vmap(lambda x: fx.lax.pbroadcast({"a": x}, "i", 1), axis_name="i")(X)["a"]
    np.testing.assert_array_equal(sent, np.broadcast_to(X[1], X.shape))


def test_sizes_that_do_not_fit_are_refused():
    for f in (
        lambda x: fx.lax.all_to_all(x, "i", 1, 0),
        lambda x: fx.lax.all_to_all(x[:, :5], "i", 1, 0, tiled=True),
        lambda x: fx.lax.pbroadcast(x, "i", 3),
    ):
        with pytest.raises(fx.ShapeError, match="element"):
            fx.vmap(f, axis_name="i")(X)
