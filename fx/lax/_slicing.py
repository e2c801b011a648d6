"""Cuts of arrays: with static bounds, and windows whose place is known at run time."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import static
from ..core.array import aval_of
from ..core.errors import ArgumentError, DTypeError, ShapeError, brief, lines
from ..core.trace import bind
from ..primitives import dynamic_slicing, elementwise as e, gather_scatter, shape as s
from ..primitives.promotion import as_operand
from ._operands import array, describe, one_dtype
from ._shapes import expand_dims, squeeze


def slice(
    operand: Any,
    start_indices: Sequence[int],
    limit_indices: Sequence[int],
    strides: Sequence[int] | None = None,
) -> Any:
    """Elements from start to before limit along every axis, in steps; no negative or missing bounds."""
    x = array(operand)
    start = static.integers(start_indices, "slice: start_indices")
    stop = static.integers(limit_indices, "slice: limit_indices")
    step = (1,) * x.ndim if strides is None else static.integers(strides, "slice: strides")
    if not len(start) == len(stop) == len(step) == x.ndim:
        raise ShapeError(f"fx.lax.slice of {describe(x)}: bounds {start}, {stop}, {step} for {x.ndim} axes.")
    return bind(s.slice_p, x, start=start, stop=stop, step=step)


def slice_in_dim(
    operand: Any, start_index: int | None, limit_index: int | None, stride: int = 1, axis: int = 0
) -> Any:
    """`operand[start:limit:stride]` along one axis; bounds as in Python, the stride positive."""
    x = array(operand)
    at, step = static.axis(axis, x.ndim, "slice_in_dim"), static.integer(stride, "slice_in_dim: stride")
    if step < 1:
        raise ArgumentError(
            f"fx.lax.slice_in_dim: the stride must be positive; it is {step}. fx.lax.rev turns round."
        )
    bounds = [None if b is None else static.integer(b, "slice_in_dim") for b in (start_index, limit_index)]
    start, stop, _ = builtins.slice(*bounds).indices(x.shape[at])
    return s.slice_axis(x, start, max(start, stop), at, step)


def index_in_dim(operand: Any, index: int, axis: int = 0, keepdims: bool = True) -> Any:
    """The slice at one static index along an axis."""
    x = array(operand)
    at, i = static.axis(axis, x.ndim, "index_in_dim"), static.integer(index, "index_in_dim: index")
    if not -x.shape[at] <= i < x.shape[at]:
        raise ShapeError(f"fx.lax.index_in_dim: there is no index {i} along axis {at} of {describe(x)}.")
    found = s.slice_axis(x, i % x.shape[at], i % x.shape[at] + 1, at)
    return found if keepdims else squeeze(found, (at,))


def dynamic_slice(
    operand: Any, start_indices: Any, slice_sizes: Sequence[int], *, allow_negative_indices: Any = True
) -> Any:
    """A window of static size that starts at indices known at run time, moved inside where it would stick out.

    Negative indices count from the end, unless `allow_negative_indices` (one or one per axis) is False.
    """
    x = array(operand)
    starts = _starts(start_indices, allow_negative_indices, "dynamic_slice")
    return dynamic_slicing.dynamic_slice(x, *starts, sizes=static.sizes(slice_sizes, "dynamic_slice"))


def dynamic_update_slice(
    operand: Any, update: Any, start_indices: Any, *, allow_negative_indices: Any = True
) -> Any:
    """The operand with a window replaced; see `dynamic_slice`."""
    x, update = one_dtype("dynamic_update_slice", operand, update)
    starts = _starts(start_indices, allow_negative_indices, "dynamic_update_slice")
    return dynamic_slicing.dynamic_update_slice(array(x), array(update), *starts)


def _starts(indices: Any, negative: Any, name: str) -> list[Any]:
    if not isinstance(indices, (list, tuple)):
        indices = as_operand(indices)
        if len(indices.shape) != 1:
            raise ArgumentError(f"{name}: start_indices has one index per axis; got {brief(indices)}.")
    count = len(indices)
    allowed = [negative] * count
    if not isinstance(negative, bool):
        allowed = static.sequence(negative, f"{name}: allow_negative_indices")
    if len(allowed) != count:
        raise ArgumentError(f"{name}: allow_negative_indices is one flag, or {count}; got {brief(negative)}.")
    return [_start(i, ok, name) for i, ok in zip(indices, allowed, strict=True)]


def _start(index: Any, negative: bool, name: str) -> Any:
    index = as_operand(index)
    aval = aval_of(index)
    if aval.dtype.kind not in "iu":
        raise DTypeError(
            lines(
                f"fx.lax.{name}: a start index must be an integer; it is {aval}.",
                "Convert with .astype(int).",
            )
        )
    return index if negative or aval.dtype.kind == "u" else e.maximum(array(index), aval.dtype.type(0))


def dynamic_slice_in_dim(
    operand: Any, start_index: Any, slice_size: int, axis: int = 0, *, allow_negative_indices: bool = True
) -> Any:
    """`slice_size` elements along one axis from a start known at run time."""
    x = array(operand)
    at = static.axis(axis, x.ndim, "dynamic_slice_in_dim")
    sizes = [
        *x.shape[:at],
        static.integer(slice_size, "dynamic_slice_in_dim: slice_size"),
        *x.shape[at + 1 :],
    ]
    return dynamic_slice(x, _along(x, at, start_index), sizes, allow_negative_indices=allow_negative_indices)


def dynamic_index_in_dim(
    operand: Any, index: Any, axis: int = 0, keepdims: bool = True, *, allow_negative_indices: bool = True
) -> Any:
    """The slice at one index, known at run time, along an axis."""
    x = array(operand)
    found = dynamic_slice_in_dim(x, index, 1, axis, allow_negative_indices=allow_negative_indices)
    return found if keepdims else squeeze(found, (axis,))


def dynamic_update_slice_in_dim(
    operand: Any, update: Any, start_index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Any:
    """The operand with a window along one axis replaced."""
    x = array(operand)
    at = static.axis(axis, x.ndim, "dynamic_update_slice_in_dim")
    starts = _along(x, at, start_index)
    return dynamic_update_slice(x, update, starts, allow_negative_indices=allow_negative_indices)


def dynamic_update_index_in_dim(
    operand: Any, update: Any, index: Any, axis: int, *, allow_negative_indices: bool = True
) -> Any:
    """The operand with the slice at one index replaced; the update may lack the axis."""
    x, update = array(operand), as_operand(update)
    at = static.axis(axis, x.ndim, "dynamic_update_index_in_dim")
    if aval_of(update).ndim != x.ndim:
        update = expand_dims(update, (at,))
    return dynamic_update_slice_in_dim(x, update, index, at, allow_negative_indices=allow_negative_indices)


def _along(x: Any, at: int, start: Any) -> list[Any]:
    return [start if i == at else 0 for i in range(x.ndim)]


def index_take(src: Any, idxs: Sequence[Any], axes: Sequence[int]) -> Any:
    """Slices at index vectors of one length along some axes: (length, *the other axes)."""
    x = array(src)
    at = tuple(static.axis(a, x.ndim, "index_take") for a in static.integers(axes, "index_take: axes"))
    given = static.sequence(idxs, "index_take: idxs")
    if len(given) != len(at):
        raise ArgumentError(f"index_take: {len(given)} index vectors for {len(at)} axes.")
    order = np.argsort(at)
    indices = [array(given[i]) for i in order]
    return gather_scatter.gather(x, *indices, axes=[at[i] for i in order], at=0, mode="clip")
