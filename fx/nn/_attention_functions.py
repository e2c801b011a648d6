"""Scaled dot-product attention, with JAX's signature and layout: reading the arguments, choosing a form.

Letters of shapes: B batch, T queries, S keys, N heads, K heads of keys and values, G = N / K, H features of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp

from ._attention_blocks import blockwise
from ._attention_dense import Rules, dense
from ._inputs import real

IMPLEMENTATIONS = (None, "dense", "xla", "blockwise")
LARGE = 2**24
"""From as many logits on, B * N * T * S, attention is blockwise unless told otherwise."""


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: Any = None,
    is_causal: bool = False,
    query_seq_lengths: Any = None,
    key_value_seq_lengths: Any = None,
    local_window_size: int | tuple[int, int] | None = None,
    implementation: str | None = None,
    return_residual: bool = False,
    dropout_rate: float = 0.0,
    dropout_key: Any = None,
) -> Any:
    """softmax(scale * query @ key.T + bias) @ value for every head.

    A query that sees no key, because masks and lengths leave none, has result 0 and derivative 0.
    float16 and bfloat16 are computed in float32 and rounded once.

    Args:
        query: (B, T, N, H). key, value: (B, S, K, H), where K divides N: every key head serves N / K query heads.
            All three may lack B. The features of value may differ in number from H.
        bias: added to the logits, broadcasts against (B, N, T, S).
        mask: boolean, broadcasts against (B, N, T, S); True where a query sees a key.
        scale: of the logits; None is 1 / sqrt(H).
        is_causal: query t sees the keys s <= t.
        query_seq_lengths, key_value_seq_lengths: integers (B,); places from there on are padding. Padded queries
            have result 0.
        local_window_size: (left, right) or one number for both: query t sees keys from t - left to t + right.
        implementation: "dense" (also by the name "xla") holds all B * N * T * S logits. "blockwise" walks over
            blocks of keys, and again for the derivative: the same results up to rounding, in both modes and in
            any order of derivatives. Besides arguments and results, a gradient holds at most the size of 12
            queries and of 5 blocks, of max(128 * B * N * T, 2**20) logits each: linear in T. Blocks that is_causal
            and local_window_size rule out are not computed. None takes "blockwise" from 2**24 logits on.
        return_residual: also return the logsumexp of the logits, (B, T, N), without derivative.
        dropout_rate: the part of the probabilities that is set to 0, the rest divided by 1 - dropout_rate;
            needs dropout_key. Which ones depends on the implementation.

    Returns:
        (B, T, N, H) with the features of value, in query's dtype; or a pair, see return_residual.

    Raises:
        ShapeError: shapes do not fit each other. DTypeError: mask is not boolean, lengths are not integers.

    Source: Vaswani et al. 2017; grouped heads, Ainslie et al. 2023; blocks, Milakov and Gimelshein 2018,
    Rabe and Staats 2021, Dao 2023.

    >>> import fx
    >>> x = fx.random.normal(fx.random.key(0), (2, 5, 4, 8))
    >>> dot_product_attention(x, x[:, :, :2], x[:, :, :2], is_causal=True).shape
    (2, 5, 4, 8)
    """
    if not isinstance(implementation, str | None) or implementation not in IMPLEMENTATIONS:
        raise fx.ArgumentError(
            f"dot_product_attention: implementation={brief(implementation)}.\n"
            "Choose None, 'dense' (also 'xla') or 'blockwise'."
        )
    q, k, v = _operands(query, key, value)
    rules = _rules(is_causal, local_window_size, dropout_rate, dropout_key)
    sizes = _sizes(q, k)
    B, K, G, T, S = sizes
    extras = {
        "bias": None if bias is None else _of_heads(real(bias, "dot_product_attention: bias"), sizes, "bias"),
        "mask": None if mask is None else _of_heads(_boolean(mask), sizes, "mask"),
        "queries": _lengths(query_seq_lengths, B, "query_seq_lengths"),
        "keys": _lengths(key_value_seq_lengths, B, "key_value_seq_lengths"),
        "key": dropout_key if rules.dropout_rate else None,
    }
    q = q.reshape((B, T, K, G, q.shape[-1])).transpose(0, 2, 3, 1, 4)
    k, v = k.transpose(0, 2, 1, 3), v.transpose(0, 2, 1, 3)
    dtype, (q, k, v) = q.dtype, _widened(q, k, v)
    q = q * (1.0 / math.sqrt(max(q.shape[-1], 1)) if scale is None else scale)
    out, residual = _chosen(implementation, sizes)(rules, q.astype(k.dtype), k, v, extras)
    shape = fnp.shape(query)
    out = out.transpose(0, 3, 1, 2, 4).reshape((*shape[:-1], out.shape[-1])).astype(dtype)
    if not return_residual:
        return out
    residual = residual.transpose(0, 3, 1, 2).reshape(shape[:-1]).astype(dtype)
    return out, fx.stop_gradient(residual)


def _chosen(implementation: str | None, sizes: tuple[int, ...]) -> Callable[..., Any]:
    logits = math.prod(sizes)
    by_blocks = logits >= LARGE if implementation is None else implementation == "blockwise"
    return blockwise if by_blocks and logits else dense


def _widened(*arrays: fx.Array) -> list[fx.Array]:
    return [x.astype(fnp.float32) if x.dtype.itemsize == 2 else x for x in arrays]


# Reading the arguments


def _operands(query: Any, key: Any, value: Any) -> list[fx.Array]:
    """Query, key and value as (B, length, heads, features), of one dtype."""
    named = {"query": query, "key": key, "value": value}
    arrays = [real(x, f"dot_product_attention: {name}") for name, x in named.items()]
    q, k, v = (x[None] if x.ndim == 3 else x for x in arrays)
    fits = all(x.ndim == 4 for x in (q, k, v)) and len({x.ndim for x in arrays}) == 1
    fits = fits and q.shape[0] == k.shape[0] == v.shape[0] and q.shape[3] == k.shape[3]
    if not fits or k.shape[1:3] != v.shape[1:3] or k.shape[2] == 0 or q.shape[2] % k.shape[2]:
        raise fx.ShapeError(
            f"dot_product_attention: query {arrays[0].shape}, key {arrays[1].shape} and value {arrays[2].shape} "
            "do not fit.\nThey are (B, T, N, H), (B, S, K, H) and (B, S, K, H), all with or without B, "
            "and K divides N."
        )
    dtype = fnp.result_type(q, k, v)
    return [x.astype(dtype) for x in (q, k, v)]


def _sizes(q: fx.Array, k: fx.Array) -> tuple[int, int, int, int, int]:
    B, T, N, _ = q.shape
    return B, k.shape[2], N // k.shape[2], T, k.shape[1]


def _rules(is_causal: bool, window: Any, rate: float, key: Any) -> Rules:
    if not 0.0 <= rate < 1.0 or (rate and key is None):
        raise fx.ArgumentError(
            f"dot_product_attention: dropout_rate={brief(rate)} with dropout_key={brief(key)}.\n"
            "The rate is in [0, 1), and a rate above 0 needs a key: dropout_key=fx.random.key(0)."
        )
    return Rules(bool(is_causal), _window(window), float(rate))


def _window(window: Any) -> tuple[int, int] | None:
    pair = (window, window) if isinstance(window, int) else window
    if pair is None:
        return None
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not all(isinstance(w, int) for w in pair):
        raise fx.ArgumentError(
            f"dot_product_attention: local_window_size={brief(window)}.\n"
            "Write one number of places, or (left, right)."
        )
    return pair[0], pair[1]


def _boolean(mask: Any) -> fx.Array:
    mask = fnp.asarray(mask)
    if mask.dtype.kind != "b":
        raise fx.DTypeError(
            f"dot_product_attention: mask must be boolean; got {mask.dtype}{list(mask.shape)}.\n"
            "Numbers that are added to the logits are passed as bias=."
        )
    return mask


def _of_heads(x: fx.Array, sizes: tuple[int, ...], name: str) -> fx.Array:
    """A bias or mask for (B, N, T, S) as one for (B, K, G, T, S), its last axis whole."""
    B, K, G, T, S = sizes
    full = (B, K * G, T, S)
    shape = (1,) * (4 - x.ndim) + x.shape
    if len(shape) != 4 or any(a not in (1, b) for a, b in zip(shape, full, strict=True)):
        raise fx.ShapeError(
            f"dot_product_attention: {name} of shape {x.shape} does not broadcast against (B, N, T, S) = {full}."
        )
    heads = (1, 1) if shape[1] == 1 else (K, G)
    x = x.reshape((shape[0], *heads, *shape[2:]))
    return fnp.broadcast_to(x, (*x.shape[:-1], S))


def _lengths(lengths: Any, size: int, name: str) -> fx.Array | None:
    if lengths is None:
        return None
    lengths = fnp.asarray(lengths)
    if lengths.dtype.kind not in "iu":
        raise fx.DTypeError(f"dot_product_attention: {name} must be integers; got {lengths.dtype}.")
    if lengths.shape != (size,):
        raise fx.ShapeError(
            f"dot_product_attention: {name} has shape {lengths.shape}; it needs one number per example, ({size},)."
        )
    return lengths
