"""Attention that never holds all logits: softmax over blocks of keys, online, and again for the derivative.

One walk over the blocks carries the largest logit of every query, the sum of shifted exponentials and the weighted
sum of values (Milakov and Gimelshein 2018). The derivative is one more walk, which makes the probabilities of a
block again from the logsumexp that the first one leaves (Dao 2023); backwards, nothing of a block is kept either.
"""

from __future__ import annotations

import math
from typing import Any

import fx
import fx.numpy as fnp
from fx import lax, random

from ._attention_dense import Rules, grouped, kept, logits_of, visible
from ._inputs import limits

_BLOCK, _LEAST = 2**20, 128
"""Logits of a block, about; and the fewest keys of one, below which walking costs more than multiplying."""


def blockwise(
    rules: Rules, q: fx.Array, k: fx.Array, v: fx.Array, extras: dict[str, Any]
) -> tuple[fx.Array, fx.Array]:
    """`dense` by blocks of keys: the same arguments and results."""
    return _attention(rules, q, k, v, extras)


def block_size(queries: int, keys: int) -> int:
    """Keys in a block: few enough that all queries' logits of it are about 2**20, if that makes 128 or more."""
    return min(max(_BLOCK // max(queries, 1), _LEAST), keys)


def _attention(rules: Rules, q: Any, k: Any, v: Any, extras: Any) -> tuple[fx.Array, fx.Array]:
    lowest = float(limits(q.dtype).min)
    rows = q.shape[:-1]
    starts, block = _blocks(q, k)

    def step(carry: Any, start: Any) -> Any:
        largest, mass, total = carry
        z, keep, vs = _block(rules, q, k, v, extras, start, block)
        now = fnp.maximum(largest, fnp.max(z, -1))
        p, fade = fnp.exp(z - now[..., None]), fnp.exp(largest - now)
        total = total * fade[..., None] + grouped(p * keep, vs)
        return (now, mass * fade + fnp.sum(p, -1), total), None

    init = (
        fnp.full(rows, lowest, q.dtype),
        fnp.zeros(rows, q.dtype),
        fnp.zeros((*rows, v.shape[-1]), q.dtype),
    )
    (largest, mass, total), _ = lax.scan(step, init, starts)
    empty = mass == 0.0
    mass = fnp.where(empty, 1.0, mass)
    return total / mass[..., None], fnp.where(empty, -float("inf"), largest + fnp.log(mass))


_attention = fx.custom_jvp(_attention, static_argnums=0)


@_attention.defjvp
def _attention_jvp(rules: Rules, primals: Any, tangents: Any) -> Any:
    """With probabilities p and tangents dz of logits: sum(p * dz * v) + sum(p * dv) - sum(p * dz) * out."""
    q, k, v, extras = primals
    dq, dk, dv, dextras = tangents
    out, residual = _attention(rules, q, k, v, extras)
    shift = fnp.where(fnp.isneginf(residual), 0.0, residual)[..., None]
    starts, block = _blocks(q, k)

    @fx.checkpoint
    def contribution(start: Any) -> Any:
        z, keep, vs = _block(rules, q, k, v, extras, start, block)
        p = fnp.exp(z - shift)
        dz = p * _block_tangent(q, k, dq, dk, dextras["bias"], start, block)
        return grouped(dz * keep, vs) + grouped(p * keep, _window(dv, start, block)), fnp.sum(dz, -1)

    def step(carry: Any, start: Any) -> Any:
        return fx.tree.map(fnp.add, carry, contribution(start)), None

    (total, dresidual), _ = lax.scan(step, (fnp.zeros_like(out), fnp.zeros_like(residual)), starts)
    return (out, residual), (total - dresidual[..., None] * out, dresidual)


def _blocks(q: fx.Array, k: fx.Array) -> tuple[fx.Array, int]:
    """Where blocks start, and their size; the last one overlaps the one before it."""
    block = block_size(math.prod(q.shape[:-1]), k.shape[-2])
    return fnp.arange(0, k.shape[-2], block), block


def _block(
    rules: Rules, q: Any, k: Any, v: Any, extras: Any, start: Any, block: int
) -> tuple[fx.Array, Any, fx.Array]:
    """Logits of a block of keys, -inf where not seen; factors of the probabilities; the values."""
    ks, bias = _window(k, start, block), extras["bias"]
    z = logits_of(q, ks, None if bias is None else _window(bias, start, block, -1))
    mask = extras["mask"]
    mask = None if mask is None else _window(mask, start, block, -1)
    sees = visible(rules, extras, fnp.arange(q.shape[-2]), _places(k, start, block), mask)
    new = _places(k, start, block) >= start
    z = fnp.where(new if sees is None else sees & new, z, -float("inf"))
    keep: Any = 1.0
    if rules.dropout_rate:
        keep = kept(rules, random.fold_in(extras["key"], start), z.shape, z.dtype)
    return z, keep, _window(v, start, block)


def _block_tangent(q: Any, k: Any, dq: Any, dk: Any, dbias: Any, start: Any, block: int) -> fx.Array:
    ks, dks = _window(k, start, block), _window(dk, start, block)
    bias = None if dbias is None else _window(dbias, start, block, -1)
    return logits_of(dq, ks, bias) + logits_of(q, dks, None)


def _first(k: fx.Array, start: Any, block: int) -> Any:
    return fnp.minimum(start, k.shape[-2] - block)


def _places(k: fx.Array, start: Any, block: int) -> fx.Array:
    return _first(k, start, block) + fnp.arange(block)


def _window(x: fx.Array, start: Any, block: int, axis: int = -2) -> fx.Array:
    """A block of keys along their axis; moved inside where it would stick out."""
    axis %= x.ndim
    sizes = [block if i == axis else d for i, d in enumerate(x.shape)]
    return lax.dynamic_slice(x, [start if i == axis else 0 for i in range(x.ndim)], sizes)
