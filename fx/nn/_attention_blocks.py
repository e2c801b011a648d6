"""Attention that never holds all logits: softmax over blocks of keys, online, and again for the derivative.

One walk over the blocks carries the largest logit of every query, the sum of shifted exponentials and the weighted
sum of values (Milakov and Gimelshein 2018). The derivative is one more walk, which makes the probabilities of a
block again from the logsumexp that the first one leaves (Dao 2023); backwards, nothing of a block is kept either.
Where places limit what is seen, parts of the queries walk over just the keys that one of them sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import fx
import fx.numpy as fnp
from fx import lax, random

from ._attention_dense import Rules, grouped, kept, logits_of, visible
from ._inputs import limits

_BLOCK, _LEAST = 2**20, 128
"""Logits of a block, about; and the fewest keys of one, below which walking costs more than multiplying."""
_PARTS = 8
"""Queries are taken in so many parts where their place limits what they see: each walks over the keys it sees."""


def blockwise(
    rules: Rules, q: fx.Array, k: fx.Array, v: fx.Array, extras: dict[str, Any]
) -> tuple[fx.Array, fx.Array]:
    """`dense` by blocks of keys: the same arguments and results."""
    left, right = _reach(rules)
    if left is not None and right is not None and _PARTS * _band(left, right) <= q.shape[-2]:
        return _banded(rules, left, right, q, k, v, extras)
    parts = []
    for start, rows, keys in _parts(rules, q.shape[-2], k.shape[-2]):
        own = _of_rows(extras, start, rows) | {"origin": (start, 0)}
        parts.append(_attention(rules, keys, _window(q, start, rows), k, v, own))
        # Backwards, the derivatives of k and v are added part by part, instead of kept until the last one.
        k, v = lax.optimization_barrier((k, v))
    outs, residuals = zip(*parts, strict=True)
    return fnp.concatenate(outs, -2), fnp.concatenate(residuals, -1)


def _reach(rules: Rules) -> tuple[int | None, int | None]:
    """How many places to the left and to the right a query sees; None: all."""
    left, right = rules.window or (None, None)
    if rules.is_causal:
        right = 0 if right is None else min(right, 0)
    return left, right


def _parts(rules: Rules, queries: int, keys: int) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Where parts of the queries start, how many they are, and the range of keys that they see."""
    left, right = _reach(rules)
    limited = left is not None or right is not None
    size = max(-(-queries // _PARTS), _LEAST) if limited else queries
    for start in range(0, queries, size):
        rows = min(size, queries - start)
        first = 0 if left is None else min(max(start - left, 0), keys - 1)
        end = keys if right is None else min(max(start + rows + right, first + 1), keys)
        yield start, rows, (first, end)


def _of_rows(extras: dict[str, Any], start: Any, rows: int) -> dict[str, Any]:
    """Bias and mask of a part of the queries."""
    cut = lambda x: x if x is None or x.shape[-2] == 1 else _window(x, start, rows)
    return extras | {name: cut(extras[name]) for name in ("bias", "mask")}


def _band(left: int, right: int) -> int:
    """Queries in a part of a narrow band: as many as keys that the last of them sees, so that half are shared."""
    return max(left + right, _LEAST)


def _banded(
    rules: Rules, left: int, right: int, q: Any, k: Any, v: Any, extras: dict[str, Any]
) -> tuple[fx.Array, fx.Array]:
    """Parts that see equally many keys, in one loop: the work is linear in the number of queries."""
    T, S, rows = q.shape[-2], k.shape[-2], _band(left, right)
    keys = min(max(rows + left + right, 1), S)

    def part(start: Any) -> tuple[fx.Array, fx.Array]:
        first = fnp.clip(start - left, 0, S - keys)
        own = _of_rows(extras, start, rows) | {"origin": (start, first)}
        own |= {n: None if own[n] is None else _window(own[n], first, keys, -1) for n in ("bias", "mask")}
        k_part, v_part = (_window(x, first, keys) for x in (k, v))
        return _attention(rules, (0, keys), _window(q, start, rows), k_part, v_part, own)

    outs, residuals = lax.map(part, fnp.minimum(fnp.arange(0, T, rows), T - rows))
    return _joined(outs, T, -2), _joined(residuals, T, -1)


def _joined(parts: fx.Array, length: int, axis: int) -> fx.Array:
    """(parts, ..., rows, ...) as (..., length, ...); the last part overlaps the one before it."""
    rows, axis = parts.shape[axis], axis % parts.ndim - 1
    whole = fnp.moveaxis(parts, 0, axis)
    whole = whole.reshape((*whole.shape[:axis], -1, *whole.shape[axis + 2 :]))
    last = length % rows
    if not last:
        return whole
    cut = lambda start, stop: lax.slice_in_dim(whole, start, stop, axis=axis)
    return fnp.concatenate([cut(0, length - last), cut(whole.shape[axis] - last, whole.shape[axis])], axis)


def block_size(queries: int, keys: int) -> int:
    """Keys in a block: few enough that all queries' logits of it are about 2**20, if that makes 128 or more."""
    most = max(_BLOCK // max(queries, 1), _LEAST)
    return -(-keys // -(-keys // most))


def _attention(
    rules: Rules, keys: tuple[int, int], q: Any, k: Any, v: Any, extras: Any
) -> tuple[fx.Array, fx.Array]:
    lowest = float(limits(q.dtype).min)
    rows = q.shape[:-1]
    starts, block = _blocks(q, keys)

    def step(carry: Any, start: Any) -> Any:
        largest, mass, total = carry
        z, keep, vs = _block(rules, keys, q, k, v, extras, start, block)
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


_attention = fx.custom_jvp(_attention, static_argnums=(0, 1))


@_attention.defjvp
def _attention_jvp(rules: Rules, keys: tuple[int, int], primals: Any, tangents: Any) -> Any:
    """With probabilities p and tangents dz of logits: sum(p * dz * v) + sum(p * dv) - sum(p * dz) * out."""
    q, k, v, extras = primals
    dq, dk, dv, dextras = tangents
    out, residual = _attention(rules, keys, q, k, v, extras)
    shift = fnp.where(fnp.isneginf(residual), 0.0, residual)[..., None]
    starts, block = _blocks(q, keys)

    @fx.checkpoint
    def contribution(start: Any) -> Any:
        z, keep, vs = _block(rules, keys, q, k, v, extras, start, block)
        p, first = fnp.exp(z - shift), _first(keys, start, block)
        dz = p * _block_tangent(q, k, dq, dk, dextras["bias"], first, block)
        return grouped(dz * keep, vs) + grouped(p * keep, _window(dv, first, block)), fnp.sum(dz, -1)

    def step(carry: Any, start: Any) -> Any:
        return fx.tree.map(fnp.add, carry, contribution(start)), None

    (total, dresidual), _ = lax.scan(step, (fnp.zeros_like(out), fnp.zeros_like(residual)), starts)
    return (out, residual), (total - dresidual[..., None] * out, dresidual)


def _blocks(q: fx.Array, keys: tuple[int, int]) -> tuple[fx.Array, int]:
    """Where blocks of a range of keys start, and their size; the last one overlaps the one before it."""
    first, end = keys
    block = block_size(math.prod(q.shape[:-1]), end - first)
    return fnp.arange(first, end, block), block


def _block(
    rules: Rules, keys: tuple[int, int], q: Any, k: Any, v: Any, extras: Any, start: Any, block: int
) -> tuple[fx.Array, Any, fx.Array]:
    """Logits of a block of keys, -inf where not seen; factors of the probabilities; the values."""
    first = _first(keys, start, block)
    bias, mask = (
        None if x is None else _window(x, first, block, -1) for x in (extras["bias"], extras["mask"])
    )
    z = logits_of(q, _window(k, first, block), bias)
    places = first + fnp.arange(block)
    query_origin, key_origin = extras["origin"]
    sees = visible(rules, extras, query_origin + fnp.arange(q.shape[-2]), key_origin + places, mask)
    new = places >= start
    z = fnp.where(new if sees is None else sees & new, z, -float("inf"))
    keep: Any = 1.0
    if rules.dropout_rate:
        key = random.fold_in(random.fold_in(extras["key"], query_origin), key_origin + start)
        keep = kept(rules, key, z.shape, z.dtype)
    return z, keep, _window(v, first, block)


def _block_tangent(q: Any, k: Any, dq: Any, dk: Any, dbias: Any, first: Any, block: int) -> fx.Array:
    ks, dks = _window(k, first, block), _window(dk, first, block)
    bias = None if dbias is None else _window(dbias, first, block, -1)
    return logits_of(dq, ks, bias) + logits_of(q, dks, None)


def _first(keys: tuple[int, int], start: Any, block: int) -> Any:
    """Where a block lies: moved inside the range of keys where it would stick out."""
    return fnp.minimum(start, keys[1] - block)


def _window(x: fx.Array, start: Any, size: int, axis: int = -2) -> fx.Array:
    """`size` places of an axis, by default that of queries or keys."""
    axis %= x.ndim
    if isinstance(start, int):
        return lax.slice_in_dim(x, start, start + size, axis=axis)
    sizes = [size if i == axis else d for i, d in enumerate(x.shape)]
    return lax.dynamic_slice(x, [start if i == axis else 0 for i in range(x.ndim)], sizes)
