"""Repeating elements, inserting and deleting along an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array, concrete, room_for
from ..core.trace import as_host
from ..primitives import elementwise as el, shape as sh
from ..primitives.sorting import searchsorted
from ._arguments import host_array, one_axis, operand, owned, refuse_cut, static_shape
from ._creation import asarray, asarray_beside
from ._cumulative import cumsum
from ._joining import concatenate
from ._native import EVERY, FLOATS, natively
from ._shapes import broadcast_to
from .indexing import take


@natively(np.tile, EVERY)
def tile(x: Any, reps: Any) -> Array:
    """x laid out `reps[i]` times along axis i."""
    x = owned(x, "tile")
    counts = static_shape(reps, "tile")
    rank = max(x.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    x = sh.reshape(x, (1,) * (rank - x.ndim) + x.shape)
    wide = sh.reshape(x, tuple(n for d in x.shape for n in (1, d)))
    wide = sh.broadcast_to(wide, tuple(n for c, d in zip(counts, x.shape, strict=True) for n in (c, d)))
    return sh.reshape(wide, tuple(c * d for c, d in zip(counts, x.shape, strict=True)))


@natively(np.repeat, EVERY)
def repeat(x: Any, repeats: Any, axis: int | None = None, *, total_repeat_length: int | None = None) -> Array:
    """Each element (slice along an axis) repeated; None flattens first.

    Args:
        repeats: a count for all, or one per element. Counts that are not known before the run need the next one.
        total_repeat_length: the length of the result; longer than the sum of counts, the last element fills it up.
    """
    x = owned(x, "repeat")
    if axis is None:
        x, axis = sh.reshape(x, (x.size,)), 0
    axis = one_axis(axis, x.ndim, "repeat")
    counts = asarray(repeats)
    if counts.dtype.kind not in "biu" or counts.ndim > 1 or counts.size not in (1, x.shape[axis]):
        raise errors.ShapeError(f"repeat: counts {counts.aval} do not fit axis {axis} of {x.aval}.")
    known = _known(counts)
    if total_repeat_length is not None:
        (total_repeat_length,) = static.sizes((total_repeat_length,), "repeat: total_repeat_length")
    if known is None:
        return _repeated_to_length(x, counts, axis, total_repeat_length)
    if (known < 0).any():
        raise errors.ArgumentError(f"repeat: counts must not be negative; got {known}.")
    if known.size == 1 and total_repeat_length is None:
        return _evenly_repeated(x, int(known.reshape(())), axis)
    length = total_repeat_length or int(known.sum() * (x.shape[axis] if known.size == 1 else 1))
    with room_for((length,), "int64", "repeat"):
        places = np.repeat(np.arange(x.shape[axis]), known)
        if total_repeat_length is not None:
            filling = np.full(max(total_repeat_length - places.size, 0), x.shape[axis] - 1)
            places = np.concatenate([places, filling])[:total_repeat_length]
    return take(x, places, axis=axis)


def _known(x: Array) -> Any:
    """The values on the host; None where they are not known before the run."""
    try:
        return np.asarray(as_host(concrete(x)))
    except errors.TracerError:
        return None


def _evenly_repeated(x: Array, count: int, axis: int) -> Array:
    shape = x.shape
    wide = sh.spread(x, count, axis + 1)
    return sh.reshape(wide, (*shape[:axis], shape[axis] * count, *shape[axis + 1 :]))


def _repeated_to_length(x: Array, counts: Array, axis: int, length: int | None) -> Array:
    if length is None:
        raise errors.ArgumentError(
            errors.lines(
                "repeat: the counts are traced and have no value yet, so the length of the result is unknown.",
                "Pass total_repeat_length=, or make the counts static.",
            )
        )
    counts = sh.broadcast_to(el.convert(counts, dtypes.int64), (x.shape[axis],))
    places = searchsorted(cumsum(counts), sh.iota((length,), 0), "right")
    return take(x, el.minimum(places, places.dtype.type(x.shape[axis] - 1)), axis=axis)


@natively(np.append, EVERY, data=2)
def append(x: Any, values: Any, axis: int | None = None) -> Array:
    """values joined to the end of x; None flattens both."""
    return concatenate([x, values], axis)


def delete(x: Any, obj: Any, axis: int | None = None) -> Array:
    """x without the slices at the places `obj` along an axis; None flattens first.

    Args:
        obj: a static index, slice, sequence of indices or boolean mask.
    """
    x = owned(x, "delete")
    if axis is None:
        x, axis = sh.reshape(x, (x.size,)), 0
    axis = one_axis(axis, x.ndim, "delete")
    return take(x, _edited(np.delete, "delete", x.shape[axis], obj), axis=axis)


@natively(np.insert, FLOATS, floats=True)
def insert(x: Any, obj: Any, values: Any, axis: int | None = None) -> Array:
    """values put before the places `obj` along an axis; None flattens x first.

    Args:
        obj: a static index, slice, sequence of indices or boolean mask.
        values: converted to the dtype of x and broadcast.
    """
    x = operand(x, "insert")
    new = asarray_beside(values, x)
    if axis is None:
        x, axis = sh.reshape(x, (x.size,)), 0
    axis = one_axis(axis, x.ndim, "insert")
    n = x.shape[axis]
    refuse_cut(new, x, "insert")
    new = sh.reshape(el.convert(new, x.dtype), (1,) * (x.ndim - new.ndim) + new.shape)
    where = _places(obj, n)
    if where.size and not -n <= where.min() <= where.max() <= n:
        raise errors.OutOfBoundsError(
            f"insert: {errors.brief(obj)} is out of bounds for an axis of {n} elements."
        )
    if where.ndim == 0:
        new = sh.move_axis(new, 0, axis)
    if where.size == 1:
        where = np.repeat(where.reshape(1), new.shape[axis])
    places = _edited(lambda line, at: np.insert(line, at, -1), "insert", n, where)
    order = np.argsort(np.where(where < 0, where + n, where), kind="stable")
    places[places == -1] = n + order
    new = broadcast_to(new, (*x.shape[:axis], where.size, *x.shape[axis + 1 :]))
    return take(concatenate([x, new], axis), places, axis=axis)


def _places(obj: Any, n: int) -> Any:
    """Static indices as an integer array."""
    if isinstance(obj, slice):
        return np.arange(n)[obj]
    where = host_array(obj, "insert")
    if where.dtype.kind not in "biu" and where.size:
        raise errors.ArgumentError(f"insert: {errors.brief(obj)} does not index an axis of {n} elements.")
    return np.flatnonzero(where) if where.dtype.kind == "b" else where.astype(np.int64)


def _edited(edit: Any, name: str, n: int, obj: Any) -> Any:
    """The places 0..n-1 after NumPy's insert or delete of static indices."""
    where = obj if isinstance(obj, (int, slice)) else host_array(obj, name)
    where = where.astype(np.int64) if isinstance(where, np.ndarray) and not where.size else where
    try:
        return edit(np.arange(n), where)
    except IndexError as e:
        raise errors.OutOfBoundsError(
            f"{name}: {errors.brief(obj)} is out of bounds for an axis of {n} elements."
        ) from e
    except (ValueError, TypeError) as e:
        raise errors.ArgumentError(
            f"{name}: {errors.brief(obj)} does not index an axis of {n} elements."
        ) from e


@natively(np.resize, EVERY)
def resize(x: Any, new_shape: Any) -> Array:
    """The flattened elements, over and over, in a new shape; zeros if there are none."""
    x = owned(x, "resize")
    shape = static_shape(new_shape, "resize")
    total = math.prod(shape)
    if x.size == 0:
        return sh.full(shape, 0, x.dtype)
    flat = tile(sh.reshape(x, (x.size,)), -(-total // x.size))
    return sh.reshape(sh.slice_axis(flat, 0, total, 0), shape)


def trim_zeros(x: Any, trim: str = "fb") -> Array:
    """Without the zeros at the front ("f"), the back ("b") or both. The values must be known. x: (n,)."""
    x = owned(x, "trim_zeros")
    trim = static.choice(trim, ("f", "b", "fb", "bf", "F", "B", "FB"), "trim_zeros: trim").lower()
    if x.ndim != 1:
        raise errors.ShapeError(f"trim_zeros takes one axis; got {x.aval}.")
    filled = np.flatnonzero(as_host(concrete(x, "trim_zeros(x)")))
    first = (
        int(filled[0]) if filled.size and "f" in trim.lower() else 0 if "f" not in trim.lower() else x.size
    )
    last = int(filled[-1]) + 1 if filled.size else first
    stop = last if "b" in trim.lower() else x.size
    return sh.slice_axis(x, first, max(first, stop), 0)
