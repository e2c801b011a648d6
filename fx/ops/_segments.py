"""Reductions of the rows that carry the same number.

Rows with numbers below 0 or from `num_segments` on belong to no segment. All functions are differentiable by data:
rows that tie for a maximum share its cotangent, and zeros among the factors of a product are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fx.lax as lax
import fx.numpy as fnp

from ..core import errors, static
from ..core.array import Array
from ..numpy._arguments import operand
from ..primitives.gather_scatter import gather, scatter


class Segments(NamedTuple):
    """Where rows belong; `ids` from 0 to `count`, which stands for no segment."""

    ids: Array
    count: int
    unique: bool


def segment_sum(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | None = None,
) -> Array:
    """Sums of the rows of each segment.

    Args:
        data: (n, ...); booleans are counted, in int64.
        segment_ids: (n,), integers: the segment of each row, in any order.
        num_segments: number of segments; default one more than the largest of segment_ids, which must be known then.
        indices_are_sorted: accepted for JAX's sake, and not needed.
        unique_indices: a promise that no two rows belong to one segment, which is faster.
        bucket_size: so many rows are reduced at a time, and the results then; for sums of very many rows.
        mode: of numbers that are no segment: "drop" (None, "fill") leaves their rows out, "clip" puts them into the
            nearest segment, "promise_in_bounds" says that there are none.

    Returns:
        (num_segments, ...), with 0 where a segment is empty.

    >>> import fx.numpy as fnp
    >>> segment_sum(fnp.array([1.0, 2.0, 4.0]), fnp.array([0, 2, 0]), 4)
    Array([5., 0., 2., 0.], float32)
    """
    x = _counted(operand(data, "segment_sum"))
    where = _segments(x, segment_ids, num_segments, unique_indices, mode, "segment_sum")
    return _reduced(x, where, "add", 0, fnp.sum, bucket_size)


def segment_prod(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | None = None,
) -> Array:
    """Products of the rows of each segment, 1 where it is empty; arguments as of `segment_sum`."""
    x = _counted(operand(data, "segment_prod"))
    where = _segments(x, segment_ids, num_segments, unique_indices, mode, "segment_prod")
    return _reduced(x, where, "multiply", 1, fnp.prod, bucket_size)


def segment_max(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | None = None,
) -> Array:
    """Maxima of the rows of each segment; arguments as of `segment_sum`.

    Empty segments have -inf, or the lowest integer, or False.
    """
    x = _ordered(data, "segment_max")
    where = _segments(x, segment_ids, num_segments, unique_indices, mode, "segment_max")
    return _reduced(x, where, "max", _lowest(x.dtype), fnp.max, bucket_size)


def segment_min(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | None = None,
) -> Array:
    """Minima of the rows of each segment; arguments as of `segment_sum`.

    Empty segments have inf, or the largest integer, or True.
    """
    x = _ordered(data, "segment_min")
    where = _segments(x, segment_ids, num_segments, unique_indices, mode, "segment_min")
    return _reduced(x, where, "min", _highest(x.dtype), fnp.min, bucket_size)


def segment_mean(
    data: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | None = None,
) -> Array:
    """Means of the rows of each segment, 0 where it is empty; arguments as of `segment_sum`.

    Integers and booleans have means in the default float.
    """
    x = operand(data, "segment_mean")
    x = x if x.aval.inexact else x.astype(float)
    where = _segments(x, segment_ids, num_segments, unique_indices, mode, "segment_mean")
    total = _reduced(x, where, "add", 0, fnp.sum, bucket_size)
    rows = _reduced(fnp.ones(x.shape[0], np.int64), where, "add", 0, fnp.sum, None)
    rows = fnp.reshape(fnp.maximum(rows, 1), (-1 if where.count else 0, *[1] * (x.ndim - 1)))
    return total / rows.astype(total.dtype)


def segment_softmax(
    logits: Any,
    segment_ids: Any,
    num_segments: int | None = None,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    bucket_size: int | None = None,
    mode: str | None = None,
) -> Array:
    """The softmax over the rows of each segment: (n, ...), as logits; arguments as of `segment_sum`.

    Rows that belong to no segment have 0. Attention over the edges of a graph is the usual case.
    """
    x = _ordered(logits, "segment_softmax")
    x = x if x.aval.inexact else x.astype(float)
    where = _segments(x, segment_ids, num_segments, unique_indices, mode, "segment_softmax")
    still = lax.stop_gradient(x)
    highest = _of_rows(_reduced(still, where, "max", _lowest(x.dtype), fnp.max, bucket_size), where)
    shifted = x - fnp.where(fnp.isfinite(highest), highest, 0)
    belongs = fnp.reshape(where.ids < where.count, (x.shape[0], *[1] * (x.ndim - 1)))
    weights = fnp.exp(fnp.where(belongs, shifted, -np.inf))
    total = _of_rows(_reduced(weights, where, "add", 0, fnp.sum, bucket_size), where)
    return weights / fnp.where(belongs, total, 1)


def _reduced(
    x: Array, where: Segments, op: str, start: Any, reduce: Callable[..., Array], bucket_size: int | None
) -> Array:
    rest = x.shape[1:]
    if bucket_size is None:
        table = fnp.full((where.count, *rest), start, x.dtype)
        return scatter(table, x, where.ids, axes=(0,), op=op, mode="fill", unique=where.unique)
    size = static.integer(bucket_size, "segments: bucket_size")
    if size < 1:
        raise errors.ArgumentError(f"segments: bucket_size must be positive; got {size}.")
    buckets = max(-(-x.shape[0] // size), 1)
    table = fnp.full((buckets, where.count, *rest), start, x.dtype)
    bucket = fnp.arange(x.shape[0]) // size
    parts = scatter(table, x, bucket, where.ids, axes=(0, 1), op=op, mode="fill", unique=where.unique)
    return reduce(parts, axis=0).astype(x.dtype)


def _of_rows(table: Array, where: Segments) -> Array:
    """What each row's segment has; 0 for rows without one."""
    return gather(table, where.ids, axes=(0,), mode="fill", fill_value=0)


def _segments(x: Array, segment_ids: Any, num_segments: Any, unique: bool, mode: Any, name: str) -> Segments:
    ids = operand(segment_ids, f"{name}: segment_ids")
    if x.ndim == 0 or ids.shape != x.shape[:1]:
        raise errors.ShapeError(
            f"{name} takes data: (n, ...) and segment_ids: (n,); got {x.aval} and {ids.aval}."
        )
    if ids.dtype.kind not in "iu":
        raise errors.DTypeError(f"{name}: segment_ids must be integers; got {ids.aval}.")
    ids = ids.astype(np.int64)
    if num_segments is None:
        num_segments = fnp.max(ids) + 1 if ids.size else 0
    count = static.integer(num_segments, f"{name}: num_segments")
    if count < 0:
        raise errors.ArgumentError(f"{name}: num_segments must not be negative; got {count}.")
    static.choice(mode or "drop", ("drop", "fill", "clip", "promise_in_bounds"), f"{name}: mode")
    if mode == "clip":
        return Segments(fnp.clip(ids, 0, max(count - 1, 0)), count, bool(unique))
    return Segments(fnp.where((ids < 0) | (ids > count), count, ids), count, bool(unique))


def _counted(x: Array) -> Array:
    return x.astype(np.int64) if x.dtype.kind == "b" else x


def _ordered(data: Any, name: str) -> Array:
    x = operand(data, name)
    if x.dtype.kind == "c":
        raise errors.DTypeError(f"{name}: complex numbers have no order; got {x.aval}.")
    return x


def _lowest(dtype: np.dtype[Any]) -> Any:
    return False if dtype.kind == "b" else np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def _highest(dtype: np.dtype[Any]) -> Any:
    return True if dtype.kind == "b" else np.iinfo(dtype).max if dtype.kind in "iu" else np.inf
