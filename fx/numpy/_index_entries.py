"""The entries of an index in normal form, and what is wrong with those that are none."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core import errors
from ..core.array import Array, as_buffer, concrete
from ..core.avals import MAX_RANK
from ..core.devices import HOST, backend_of, is_buffer
from ..core.trace import Tracer
from ..primitives.shape import concatenate, reshape
from ._arguments import host_array

STATIC = frozenset({int, slice, bool, type(None), type(Ellipsis)})
"""Types of entries that are known and hold no array."""


def entry(e: Any) -> Any:
    """An entry as None, Ellipsis, bool, int, slice, or an array of integers or booleans."""
    if type(e) in STATIC:
        return e
    if isinstance(e, (bool, np.bool_)):
        return bool(e)
    if isinstance(e, (int, np.integer)):
        return int(e)
    if isinstance(e, (list, tuple)):
        e = _from_nest(e)
    elif not isinstance(e, Array):
        e = as_buffer(e, "an index") if _is_array_like(e) else _refuse(e)
    if e.dtype.kind not in "biu":
        _refuse(e)
    return _static_scalar(e) if e.shape == () and type(e) is not Tracer else e


def _static_scalar(e: Any) -> Any:
    """A 0-d array as the integer or boolean it is; as it is where reading it would wait for a device."""
    buffer = as_buffer(e)
    if backend_of(buffer) is not HOST:
        return e
    return bool(buffer) if e.dtype.kind == "b" else int(buffer)


def _is_array_like(e: Any) -> bool:
    return is_buffer(e) or hasattr(e, "__dlpack__") or hasattr(e, "__array__")


def _refuse(e: Any) -> Any:
    is_array = hasattr(e, "dtype")
    shown = f"An array of dtype {e.dtype}" if is_array else f"{type(e).__name__} {repr(e)[:60]}"
    raise errors.DTypeError(
        errors.lines(
            f"{shown} is not an index.",
            "An index is an integer, slice, None, ..., array of integers or booleans, or a tuple of these.",
            "Convert positions with .astype(int)." if is_array else None,
        )
    )


def _from_nest(e: Any) -> Any:
    """An array of a nested list of integers or booleans, traced ones included."""
    if _holds_array(e):
        rows = [_from_nest(r) if isinstance(r, (list, tuple)) else _one(r) for r in e]
        return concatenate([reshape(r, (1, *r.shape)) for r in rows], 0)
    array = host_array(e, "an index")
    return array.astype(np.int64) if array.size == 0 else array


def _one(r: Any) -> Any:
    return r if isinstance(r, Array) else np.asarray(r)


def _holds_array(e: Any, depth: int = 0) -> bool:
    """Whether an fx array is among the members, as deep as arrays can be."""
    nested = (list, tuple)
    return depth < MAX_RANK and any(
        isinstance(r, Array) or (isinstance(r, nested) and _holds_array(r, depth + 1)) for r in e
    )


def consumed_axes(e: Any) -> int:
    """How many axes of the array an entry is about."""
    if e is None or e is Ellipsis or type(e) is bool:
        return 0
    return e.ndim if not isinstance(e, (int, slice)) and e.dtype.kind == "b" else 1


def slice_bounds(e: slice, size: int) -> tuple[int, int, int]:
    """Start, stop and step as range takes them."""
    bounds = [None if b is None else _bound(b) for b in (e.start, e.stop, e.step)]
    if bounds[2] == 0:
        raise errors.ArgumentError("The step of a slice cannot be zero.")
    return slice(*bounds).indices(size)


def _bound(b: Any) -> int:
    try:
        return operator.index(b)
    except errors.TracerError as e:
        hint = "With traced bounds write fx.lax.dynamic_slice(x, starts, sizes)."
        raise errors.TracerError(errors.lines(str(e), hint)) from e
    except TypeError as e:
        shown = f"{type(b).__name__} {repr(b)[:60]}"
        raise errors.DTypeError(f"The bounds of a slice are integers or None; got {shown}.") from e


def true_positions(mask: Any) -> Any:
    """Positions of the true elements of a mask, in C order; the mask must have a value."""
    try:
        buffer = concrete(mask, "the number of true elements")
    except errors.TracerError as e:
        raise errors.TracerError(
            errors.lines(
                str(e),
                "The shape of x[mask] depends on values. Keep the shape, fx.numpy.where(mask, x, other) or "
                "x.at[mask].set(scalar), or bound it, fx.numpy.nonzero(mask, size=n).",
            )
        ) from e
    return backend_of(buffer).xp.flatnonzero(buffer)


def in_bounds(known: Any, size: int) -> bool:
    """Whether all elements of a host array are indices of an axis; negative ones count from the end."""
    return known.size == 0 or (known.min() >= -size and known.max() < size)


def refuse_integer(i: int, size: int, axis: int) -> None:
    """OutOfBoundsError for one integer."""
    raise errors.OutOfBoundsError(
        errors.lines(f"Index {i} is out of bounds for axis {axis} of size {size}.", *_bounds_hint(size))
    )


def refuse_array(known: Any, size: int, axis: int) -> None:
    """OutOfBoundsError with the first element that is outside."""
    bad = np.argwhere((known < -size) | (known >= size))
    place = tuple(int(p) for p in bad[0])
    where = f"element {place} of the index array is outside" if known.ndim else "it is outside"
    raise errors.OutOfBoundsError(
        errors.lines(
            f"Index {int(known[place])} is out of bounds for axis {axis} of size {size}: {where}"
            + (f", as are {len(bad) - 1} more." if len(bad) > 1 else "."),
            *_bounds_hint(size),
        )
    )


def _bounds_hint(size: int) -> tuple[str, str]:
    return (
        f"Indices run from {-size} to {size - 1}." if size else "The axis is empty.",
        "To read outside: x.at[i].get(mode='fill'), 'clip', 'wrap'; to write nothing there: mode='drop'.",
    )
