"""The models in JAX: plain functions on the tree of parameters, and Optax.

Each is (params, averages, x) -> (logits, averages), where averages are the state of batch norms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

optim = optax


def mlp(widths: Sequence[int]) -> Callable[..., Any]:
    def forward(params: Any, averages: Any, x: Any) -> Any:
        last = len(widths) - 2
        for n in range(last):
            x = jax.nn.relu(linear(params[f"linear_{n}"], x))
        return linear(params[f"linear_{last}"], x), averages

    return forward


def cnn(side: int, channels: Sequence[int], classes: int) -> Callable[..., Any]:
    def forward(params: Any, averages: Any, x: Any) -> Any:
        new = {}
        for n in (1, 2):
            x, new[f"norm_{n}"] = batch_norm(
                params[f"norm_{n}"], averages[f"norm_{n}"], conv(params[f"conv_{n}"], x)
            )
            x = max_pool(jax.nn.relu(x))
        return linear(params["head"], x.reshape(len(x), -1)), new

    return forward


def lstm(symbols: int, width: int, classes: int) -> Callable[..., Any]:
    def forward(params: Any, averages: Any, ids: Any) -> Any:
        x = jnp.moveaxis(params["embed"]["table"][ids], 1, 0)
        cell = params["lstm"]["layers"][0]["cell"]

        def step(carry: Any, gates: Any) -> Any:
            h, c = carry
            i, f, g, o = jnp.split(gates + h @ cell["wh"], 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zero = jnp.zeros(x.shape[1:], x.dtype)
        (h, _), _ = lax.scan(step, (zero, zero), x @ cell["wx"] + cell["b"])
        return linear(params["head"], h), averages

    return forward


def transformer(symbols: int, length: int, width: int, heads: int, depth: int) -> Callable[..., Any]:
    def attention(p: Any, x: Any) -> Any:
        """By hand: jax.nn.dot_product_attention takes the softmax in float32, also of float64."""
        split = lambda name: (x @ p[f"w{name}"]).reshape(*x.shape[:-1], heads, width // heads)
        logits = jnp.einsum("btnh,bsnh->bnts", split("q") * (width // heads) ** -0.5, split("k"))
        seen = jnp.tril(jnp.ones((length, length), bool))
        probabilities = jax.nn.softmax(jnp.where(seen, logits, -jnp.inf))
        return jnp.einsum("bnts,bsnh->btnh", probabilities, split("v")).reshape(x.shape) @ p["wo"]

    def forward(params: Any, averages: Any, ids: Any) -> Any:
        table = params["embed"]["table"]
        x = table[ids] + params["positions"]["table"]
        for p in params["encoder"]["layers"]:
            x = x + attention(p["attn"], layer_norm(p["norm_1"], x))
            x = x + linear(p["down"], jax.nn.gelu(linear(p["up"], layer_norm(p["norm_2"], x))))
        return layer_norm(params["encoder"]["norm"], x) @ table.T, averages

    return forward


def linear(p: Any, x: Any) -> Any:
    y = x @ p["kernel"]
    return y + p["bias"] if "bias" in p else y


def conv(p: Any, x: Any) -> Any:
    return lax.conv_general_dilated(
        x, p["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def max_pool(x: Any) -> Any:
    return lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def layer_norm(p: Any, x: Any) -> Any:
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5) * p["scale"] + p["bias"]


def batch_norm(p: Any, averages: Any, x: Any) -> Any:
    """The normalized x and the new averages, of the unbiased variance."""
    axes, n = (0, 1, 2), x.size // x.shape[-1]
    mean, var = x.mean(axes), x.var(axes)
    new = {
        "mean": 0.9 * averages["mean"] + 0.1 * mean,
        "var": 0.9 * averages["var"] + 0.1 * var * (n / (n - 1)),
    }
    return (x - mean) * lax.rsqrt(var + 1e-5) * p["scale"] + p["bias"], new


def cross_entropy(logits: Any, labels: Any) -> Any:
    """The mean over all labels."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
