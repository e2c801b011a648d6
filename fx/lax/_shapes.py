"""Shapes of `jax.lax`: broadcasts that name their axes, reshapes, joins, cuts, and arrays from nothing."""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import dtypes, static
from ..core.avals import MAX_RANK
from ..core.errors import ArgumentError, DTypeError, ShapeError, brief
from ..core.trace import bind
from ..numpy import empty as _empty
from ..primitives import elementwise as e, shape as s
from ._operands import array, describe, one_dtype


def broadcast(operand: Any, sizes: Sequence[int]) -> Any:
    """The operand repeated along new leading axes: (*sizes, *shape)."""
    x = array(operand)
    sizes = static.sizes(sizes, "broadcast: sizes")
    return broadcast_in_dim(x, (*sizes, *x.shape), range(len(sizes), len(sizes) + x.ndim))


def broadcast_in_dim(operand: Any, shape: Sequence[int], broadcast_dimensions: Sequence[int]) -> Any:
    """Operand axis i becomes axis `broadcast_dimensions[i]` of the result; axes of size 1 are repeated."""
    x = array(operand)
    shape = static.sizes(shape, "broadcast_in_dim: shape")
    axes = static.integers(broadcast_dimensions, "broadcast_in_dim: broadcast_dimensions")
    increasing = list(axes) == sorted(set(axes)) and all(0 <= a < len(shape) for a in axes)
    if len(axes) != x.ndim or not increasing:
        raise ShapeError(
            f"fx.lax.broadcast_in_dim of {describe(x)} to {shape}: broadcast_dimensions {axes} must name "
            f"{x.ndim} increasing axes of the result."
        )
    return bind(s.broadcast_p, x, shape=shape, axes=axes)


def broadcast_like(arr: Any, like_arr: Any) -> Any:
    """The first array broadcast, as NumPy does, to the shape of the second."""
    return s.broadcast_to(array(arr), tuple(array(like_arr).shape))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The common shape by NumPy's rules."""
    found = [static.sizes(d, "broadcast_shapes") for d in shapes]
    try:
        return tuple(np.broadcast_shapes(*found))
    except ValueError:
        raise ShapeError(f"The shapes {', '.join(map(str, found))} do not broadcast.") from None


def broadcast_to_rank(x: Any, rank: int) -> Any:
    """x with leading axes of size 1 up to a rank."""
    x, rank = array(x), static.integer(rank, "broadcast_to_rank: rank")
    if rank > MAX_RANK:
        raise ShapeError(f"fx.lax.broadcast_to_rank: arrays have at most {MAX_RANK} axes; got rank={rank}.")
    if rank < x.ndim:
        raise ShapeError(f"fx.lax.broadcast_to_rank: {describe(x)} has more than {rank} axes.")
    return s.reshape(x, (1,) * (rank - x.ndim) + tuple(x.shape))


def reshape(operand: Any, new_sizes: Sequence[int], dimensions: Sequence[int] | None = None) -> Any:
    """The elements, after a permutation of axes if `dimensions` gives one, in another shape. No -1 here."""
    x = array(operand)
    sizes = static.sizes(new_sizes, "reshape: new_sizes")
    if dimensions is not None:
        x = transpose(x, dimensions)
    if math.prod(sizes) != math.prod(x.shape):
        raise ShapeError(f"fx.lax.reshape: {describe(x)} has {math.prod(x.shape)} elements, {sizes} others.")
    return s.reshape(x, sizes)


def transpose(operand: Any, permutation: Sequence[int]) -> Any:
    """Axes in another order: axis i of the result is axis `permutation[i]` of the operand."""
    x = array(operand)
    axes = static.integers(permutation, "transpose: permutation")
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(f"fx.lax.transpose of {describe(x)}: {axes} is no permutation of its axes.")
    return s.transpose(x, axes)


def expand_dims(array: Any, dimensions: Sequence[int]) -> Any:
    """Axes of size 1 at positions of the result."""
    x = _array(array)
    rank = x.ndim + len(static.integers(dimensions, "expand_dims: dimensions"))
    new = {static.axis(a, rank, "expand_dims") for a in static.integers(dimensions, "expand_dims")}
    if len(new) < rank - x.ndim:
        raise ArgumentError(f"fx.lax.expand_dims: an axis stands twice in {tuple(dimensions)}.")
    old = iter(x.shape)
    return s.reshape(x, [1 if i in new else next(old) for i in range(rank)])


def squeeze(array: Any, dimensions: Sequence[int]) -> Any:
    """Without some axes, which have size 1."""
    x = _array(array)
    gone = {static.axis(a, x.ndim, "squeeze") for a in static.integers(dimensions, "squeeze: dimensions")}
    wrong = [a for a in sorted(gone) if x.shape[a] != 1]
    if wrong:
        raise ShapeError(f"fx.lax.squeeze: axis {wrong[0]} of {describe(x)} is not of size 1.")
    return s.reshape(x, [d for i, d in enumerate(x.shape) if i not in gone])


_array = array


def collapse(operand: Any, start_dimension: int, stop_dimension: int | None = None) -> Any:
    """The axes from start to before stop merged into one."""
    x = array(operand)
    first = static.integer(start_dimension, "collapse: start_dimension")
    last = None if stop_dimension is None else static.integer(stop_dimension, "collapse: stop_dimension")
    start, stop, _ = builtins.slice(first, last).indices(x.ndim)
    if stop < start:
        raise ShapeError(f"fx.lax.collapse of {describe(x)}: there are no axes {start} to {stop}.")
    return s.reshape(x, (*x.shape[:start], math.prod(x.shape[start:stop]), *x.shape[stop:]))


def concatenate(operands: Sequence[Any], dimension: int) -> Any:
    """Arrays of one dtype joined along an axis."""
    xs = _arrays(operands, "concatenate")
    return s.concatenate(xs, static.axis(dimension, xs[0].ndim, "concatenate"))


def stack(operands: Sequence[Any], axis: int = 0) -> Any:
    """Arrays of one shape and dtype joined along a new axis."""
    xs = _arrays(operands, "stack")
    if len({tuple(x.shape) for x in xs}) > 1:
        raise ShapeError(f"fx.lax.stack needs arrays of one shape; got {describe(*xs)}.")
    at = static.axis(axis, xs[0].ndim + 1, "stack")
    return s.concatenate([expand_dims(x, (at,)) for x in xs], at)


def _arrays(operands: Any, name: str) -> list[Any]:
    is_array = isinstance(getattr(operands, "ndim", None), int)
    xs = (static.sequence if is_array else static.members)(operands, f"{name}: operands")
    if len(xs) == 0:
        raise ArgumentError(f"fx.lax.{name} needs at least one array.")
    found = [array(x) for x in one_dtype(name, *xs)]
    if len({x.ndim for x in found}) > 1:
        raise ShapeError(f"fx.lax.{name} needs arrays of one rank; got {describe(*found)}.")
    return found


def unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """The slices along an axis, which goes."""
    x = array(x)
    at = static.axis(axis, x.ndim, "unstack")
    return tuple(squeeze(s.slice_axis(x, i, i + 1, at), (at,)) for i in range(x.shape[at]))


def split(operand: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Consecutive parts along an axis, of the given sizes."""
    x = array(operand)
    at = static.axis(axis, x.ndim, "split")
    sizes = static.sizes(sizes, "split: sizes")
    if sum(sizes) != x.shape[at]:
        raise ShapeError(f"fx.lax.split: {sizes} do not add up to axis {at} of {describe(x)}.")
    stops = np.cumsum((0, *sizes)).tolist()
    return [s.slice_axis(x, a, b, at) for a, b in itertools.pairwise(stops)]


def tile(operand: Any, reps: Sequence[int]) -> Any:
    """The operand repeated as a whole, `reps[i]` times along axis i; one count per axis."""
    x = array(operand)
    reps = static.sizes(reps, "tile: reps")
    if len(reps) != x.ndim:
        raise ShapeError(f"fx.lax.tile: one count per axis of {describe(x)} is needed; got {reps}.")
    wide = [d for r, n in zip(reps, x.shape, strict=True) for d in (r, n)]
    spread = broadcast_in_dim(x, wide, range(1, 2 * x.ndim, 2))
    return s.reshape(spread, [r * n for r, n in zip(reps, x.shape, strict=True)])


def rev(operand: Any, dimensions: Sequence[int]) -> Any:
    """The order along some axes reversed."""
    return s.reverse(array(operand), axes=static.integers(dimensions, "rev: dimensions"))


def pad(operand: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """Padded with (low, high, interior) counts per axis; negative low and high cut off."""
    x, value = one_dtype("pad", operand, padding_value)
    rows = [
        static.integers(c, "pad: padding_config")
        for c in static.members(padding_config, "pad: padding_config")
    ]
    if any(len(c) != 3 for c in rows):
        raise ArgumentError(
            f"pad: padding_config has one (low, high, interior) per axis; got {brief(padding_config)}."
        )
    low, high, interior = ([c[i] for c in rows] for i in range(3))
    return s.pad(array(x), low, high, interior, value)


# Arrays from nothing


def full(shape: Sequence[int], fill_value: Any, dtype: Any = None) -> Any:
    """An array of one value, in its dtype or another."""
    shape = static.sizes(shape, "full: shape")
    value = array(fill_value)
    if value.shape != ():
        raise ShapeError(f"fx.lax.full: fill_value must have shape (); it is {describe(value)}.")
    return s.broadcast_to(e.convert(value, value.dtype if dtype is None else dtypes.canonical(dtype)), shape)


def full_like(x: Any, fill_value: Any, dtype: Any = None, shape: Sequence[int] | None = None) -> Any:
    """An array of one value in the shape and dtype of another, or in those given."""
    like = x if hasattr(x, "shape") and hasattr(x, "dtype") else array(x)
    return full(like.shape if shape is None else shape, fill_value, like.dtype if dtype is None else dtype)


def empty(shape: Sequence[int], dtype: Any) -> Any:
    """Zeros; JAX leaves the values open."""
    return _empty(shape, dtype)


def iota(dtype: Any, size: int) -> Any:
    """0, 1, ..., size - 1."""
    return broadcasted_iota(dtype, (static.integer(size, "iota: size"),), 0)


def broadcasted_iota(dtype: Any, shape: Sequence[int], dimension: int) -> Any:
    """0, 1, 2, ... along one axis of a shape."""
    shape, dtype = static.sizes(shape, "broadcasted_iota: shape"), dtypes.canonical(dtype)
    if dtype.kind == "b":
        raise DTypeError("fx.lax.broadcasted_iota counts in numbers, not in bool.")
    return s.iota(shape, static.axis(dimension, len(shape), "broadcasted_iota"), dtype)


def convert_element_type(operand: Any, new_dtype: Any) -> Any:
    """The values in another dtype; complex to real keeps the real part."""
    return e.convert(array(operand), dtypes.canonical(new_dtype))


def dtype(x: Any) -> Any:
    """The dtype of an array, or the one a Python number has alone."""
    return array(x).dtype


def shape_as_value(shape: Sequence[int]) -> Any:
    """A shape as an array of int64."""
    sizes = static.sizes(shape, "shape_as_value")
    if any(n >= 2**63 for n in sizes):
        raise ShapeError(f"fx.lax.shape_as_value: no size is {max(sizes)}; they are int64.")
    return array(np.asarray(sizes, np.int64))
