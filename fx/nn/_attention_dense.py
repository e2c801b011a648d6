"""Attention that holds all logits, and what it shares with the form by blocks.

Letters of shapes: B batch, T queries, S keys, K heads of keys and values, G heads of queries for each, H features.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import fx
import fx.numpy as fnp
from fx import random

from ._softmax import logsumexp, softmax


@dataclass(frozen=True)
class Rules:
    """What a call fixes besides arrays: which places see which, and how many probabilities are dropped."""

    is_causal: bool
    window: tuple[int, int] | None
    dropout_rate: float


def dense(
    rules: Rules, q: fx.Array, k: fx.Array, v: fx.Array, extras: dict[str, Any]
) -> tuple[fx.Array, fx.Array]:
    """Attention that holds all logits.

    Args:
        q: (B, K, G, T, H), scaled. k, v: (B, K, S, H). extras: see `logits_of` and `visible`.

    Returns:
        (B, K, G, T, H) and the logsumexp of the logits, (B, K, G, T).
    """
    sees = visible(rules, extras, fnp.arange(q.shape[-2]), fnp.arange(k.shape[-2]), extras["mask"])
    logits = logits_of(q, k, extras["bias"])
    p = softmax(logits, where=sees)
    if rules.dropout_rate:
        p = p * kept(rules, extras["key"], p.shape, p.dtype)
    return grouped(p, v), logsumexp(fx.stop_gradient(logits), -1, where=sees)


def logits_of(q: fx.Array, k: fx.Array, bias: Any) -> fx.Array:
    """q @ k.T + bias: (B, K, G, T, S)."""
    logits = grouped(q, fnp.swapaxes(k, -1, -2))
    return logits if bias is None else logits + bias.astype(logits.dtype)


def grouped(a: fx.Array, b: fx.Array) -> fx.Array:
    """a @ b for a: (B, K, G, T, n) and b: (B, K, n, m), as one product for the G heads that share b."""
    *batch, G, T, n = a.shape
    return (a.reshape((*batch, G * T, n)) @ b).reshape((*batch, G, T, b.shape[-1]))


def visible(rules: Rules, extras: dict[str, Any], t: fx.Array, s: fx.Array, mask: Any) -> Any:
    """Which queries at places t see which keys at places s: booleans that broadcast against the logits, or None."""
    t, conditions = t[:, None], [] if mask is None else [mask]
    if rules.is_causal:
        conditions.append(s <= t)
    if rules.window is not None:
        left, right = rules.window
        conditions.append((s >= t - left) & (s <= t + right))
    for places, lengths in ((t, extras["queries"]), (s, extras["keys"])):
        if lengths is not None:
            conditions.append(places < lengths[:, None, None, None, None])
    return functools.reduce(fnp.logical_and, conditions) if conditions else None


def kept(rules: Rules, key: Any, shape: tuple[int, ...], dtype: Any) -> fx.Array:
    """0 where dropped, 1 / (1 - rate) elsewhere."""
    return random.bernoulli(key, 1.0 - rules.dropout_rate, shape).astype(dtype) / (1.0 - rules.dropout_rate)
