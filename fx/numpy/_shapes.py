"""Shape and order of axes: reshape, transpose, broadcast, flip, roll and relatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import shape as sh
from ..primitives.elementwise import convert
from ..primitives.shape import concatenate, slice_axis
from . import _on_host as host
from ._arguments import common_shape, one_axis, operand, owned, some_axes, static_int, static_shape
from ._einsum import diagonal_of
from ._native import EVERY, natively


def shape(x: Any) -> tuple[int, ...]:
    """The sizes of the axes."""
    return operand(x, "shape").shape


def ndim(x: Any) -> int:
    """The number of axes."""
    return operand(x, "ndim").ndim


def size(x: Any, axis: Any = None) -> int:
    """The number of elements, or the length along axes."""
    x = operand(x, "size")
    return math.prod(x.shape[a] for a in some_axes(axis, x.ndim, "size"))


@natively(host.reshape, EVERY, view=True)
def reshape(x: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Array:
    """The same elements in another shape; one size may be -1 and follows from the others.

    Args:
        order: "C" reads and writes rows first, "F" columns first.
        copy: accepted for the array API; fx arrays are immutable, so a copy makes no difference.
    """
    x = owned(x, "reshape")
    wanted = _completed(shape, x)
    static.choice(order, ("C", "F", "A"), "reshape: order")
    if order == "F":
        return transpose(sh.reshape(transpose(x), wanted[::-1]))
    return sh.reshape(x, wanted)


def _completed(shape: Any, x: Array) -> tuple[int, ...]:
    """The shape with its -1 replaced."""
    items = static.integers(shape, "reshape: a size")
    sizes = list(items)
    total, known = x.size, math.prod(d for d in sizes if d != -1)
    if sizes.count(-1) == 1 and known > 0 and total % known == 0:
        sizes[sizes.index(-1)] = total // known
    if any(d < 0 for d in sizes) or math.prod(sizes) != total:
        raise errors.ShapeError(
            errors.lines(
                f"reshape: an array of shape {x.shape} ({total} elements) cannot become {tuple(items)}.",
                "The product of the sizes must be the same; one of them may be -1.",
            )
        )
    return tuple(sizes)


@natively(host.ravel, EVERY, view=True)
def ravel(x: Any, order: str = "C") -> Array:
    """All elements along one axis."""
    return reshape(x, (-1,) if operand(x, "ravel").size else (0,), order)


@natively(np.transpose, EVERY, view=True)
def transpose(x: Any, /, axes: Any = None) -> Array:
    """x with its axes in the order `axes`; reversed for None."""
    x = owned(x, "transpose")
    if axes is None:
        return sh.transpose(x, range(x.ndim)[::-1])
    order = some_axes(axes, x.ndim, "transpose")
    if len(order) != x.ndim:
        raise errors.ShapeError(
            f"transpose: axes {axes} must name each of the {x.ndim} axes of {x.aval} once."
        )
    return sh.transpose(x, order)


def permute_dims(x: Any, /, axes: Any) -> Array:
    """x with its axes in the order `axes`; the array API's `transpose`."""
    return transpose(x, axes)


@natively(np.matrix_transpose, EVERY, view=True)
def matrix_transpose(x: Any, /) -> Array:
    """The last two axes exchanged."""
    x = owned(x, "matrix_transpose")
    if x.ndim < 2:
        raise errors.ShapeError(f"matrix_transpose needs at least two axes; got {x.aval}.")
    return swapaxes(x, -1, -2)


@natively(np.moveaxis, EVERY, view=True)
def moveaxis(x: Any, source: Any, destination: Any) -> Array:
    """Axes moved to new places; the others keep their order."""
    x = owned(x, "moveaxis")
    start, stop = some_axes(source, x.ndim, "moveaxis"), some_axes(destination, x.ndim, "moveaxis")
    if len(start) != len(stop):
        raise errors.ShapeError(f"moveaxis: {len(start)} axes cannot move to {len(stop)} places.")
    order = [i for i in range(x.ndim) if i not in start]
    for target, axis in sorted(zip(stop, start, strict=True)):
        order.insert(target, axis)
    return sh.transpose(x, order)


@natively(np.swapaxes, EVERY, view=True)
def swapaxes(x: Any, axis1: int, axis2: int) -> Array:
    """Two axes exchanged."""
    x = owned(x, "swapaxes")
    a, b = one_axis(axis1, x.ndim, "swapaxes"), one_axis(axis2, x.ndim, "swapaxes")
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return sh.transpose(x, order)


@natively(np.rollaxis, EVERY, view=True)
def rollaxis(x: Any, axis: int, start: int = 0) -> Array:
    """One axis moved back until it lies before `start`; `moveaxis` says the same more clearly."""
    x = owned(x, "rollaxis")
    axis = one_axis(axis, x.ndim, "rollaxis")
    start = static_int(start, "rollaxis: start")
    if not -x.ndim <= start <= x.ndim:
        raise errors.ShapeError(f"rollaxis: start {start} is out of range for {x.aval}.")
    start += x.ndim if start < 0 else 0
    return sh.move_axis(x, axis, start - (axis < start))


@natively(np.expand_dims, EVERY, view=True)
def expand_dims(x: Any, axis: Any) -> Array:
    """New axes of size 1 at the places `axis` of the result."""
    x = owned(x, "expand_dims")
    if axis is None:
        raise errors.ArgumentError("expand_dims: axis must be an integer or several; got None.")
    count = len(axis) if isinstance(axis, Sequence) else 1
    new = some_axes(axis, x.ndim + count, "expand_dims")
    sizes = iter(x.shape)
    return sh.reshape(x, tuple(1 if i in new else next(sizes) for i in range(x.ndim + count)))


@natively(np.squeeze, EVERY, view=True)
def squeeze(x: Any, axis: Any = None) -> Array:
    """Axes of size 1 removed: those named, or all."""
    x = owned(x, "squeeze")
    gone = (
        tuple(i for i, d in enumerate(x.shape) if d == 1)
        if axis is None
        else some_axes(axis, x.ndim, "squeeze")
    )
    if any(x.shape[a] != 1 for a in gone):
        raise errors.ShapeError(f"squeeze: axes {axis} of {x.aval} are not all of size 1.")
    return sh.reshape(x, tuple(d for i, d in enumerate(x.shape) if i not in gone))


@natively(np.broadcast_to, EVERY, view=True)
def broadcast_to(x: Any, shape: Any) -> Array:
    """x repeated along new axes and axes of size 1 until it has the shape."""
    x = owned(x, "broadcast_to")
    wanted = static_shape(shape, "broadcast_to")
    if common_shape("broadcast_to", x.shape, wanted) != wanted:
        raise errors.ShapeError(f"broadcast_to: an array of shape {x.shape} does not broadcast to {wanted}.")
    return sh.broadcast_to(x, wanted)


@natively(np.broadcast_arrays, EVERY, data=64, view=True)
def broadcast_arrays(*arrays: Any) -> tuple[Array, ...]:
    """All arrays broadcast to their common shape."""
    xs = [owned(x, "broadcast_arrays") for x in arrays]
    wanted = broadcast_shapes(*[x.shape for x in xs])
    return tuple(sh.broadcast_to(x, wanted) for x in xs)


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that all of these broadcast to."""
    return common_shape("broadcast_shapes", *[static_shape(s, "broadcast_shapes") for s in shapes])


@natively(np.atleast_1d, EVERY, view=True)
def atleast_1d(*arrays: Any) -> Any:
    """Each array with at least one axis; a tuple if several are given."""
    return _each(arrays, "atleast_1d", lambda x: sh.reshape(x, x.shape or (1,)))


@natively(np.atleast_2d, EVERY, view=True)
def atleast_2d(*arrays: Any) -> Any:
    """Each array with at least two axes, new ones in front; a tuple if several are given."""
    return _each(arrays, "atleast_2d", lambda x: sh.reshape(x, (1,) * (2 - x.ndim) + x.shape))


@natively(np.atleast_3d, EVERY, view=True)
def atleast_3d(*arrays: Any) -> Any:
    """Each array with at least three axes; one of two axes gets the third at its end."""
    return _each(arrays, "atleast_3d", _three_axes)


def _three_axes(x: Array) -> Array:
    if x.ndim == 2:
        return sh.reshape(x, (*x.shape, 1))
    return sh.reshape(x, x.shape if x.ndim > 2 else (1, x.size, 1))


def _each(arrays: tuple[Any, ...], name: str, change: Any) -> Any:
    changed = tuple(change(owned(x, name)) for x in arrays)
    return changed[0] if len(changed) == 1 else changed


@natively(np.flip, EVERY, view=True)
def flip(x: Any, axis: Any = None) -> Array:
    """The order along axes reversed; along all for None."""
    x = owned(x, "flip")
    axes = some_axes(axis, x.ndim, "flip")
    return sh.reverse(x, axes=tuple(sorted(axes))) if axes else x


@natively(np.fliplr, EVERY, view=True)
def fliplr(x: Any) -> Array:
    """The order along axis 1 reversed."""
    return flip(x, 1)


@natively(np.flipud, EVERY, view=True)
def flipud(x: Any) -> Array:
    """The order along axis 0 reversed."""
    return flip(x, 0)


@natively(np.rot90, EVERY, view=True)
def rot90(x: Any, k: int = 1, axes: Any = (0, 1)) -> Array:
    """Rotated by k quarter turns in the plane of two axes, from the first towards the second."""
    x = owned(x, "rot90")
    plane = some_axes(axes, x.ndim, "rot90")
    if len(plane) != 2:
        raise errors.ShapeError(f"rot90 turns a plane of two axes; got {axes}.")
    a, b = plane
    turns = static_int(k, "rot90: k") % 4
    if turns == 1:
        return swapaxes(flip(x, b), a, b)
    if turns == 3:
        return flip(swapaxes(x, a, b), b)
    return flip(x, plane) if turns else x


@natively(np.roll, EVERY)
def roll(x: Any, shift: Any, axis: Any = None) -> Array:
    """Elements moved by `shift` places along axes, those that leave at one end entering at the other.

    Args:
        shift: a static integer, or one per axis.
        axis: an axis or several; None rolls the flattened array.
    """
    x = owned(x, "roll")
    if axis is None:
        return sh.reshape(roll(sh.reshape(x, (x.size,)), shift, 0), x.shape)
    shifts, given = static.integers(shift, "roll: shift"), static.integers(axis, "roll: axis")
    if len(shifts) != len(given) and (1 not in (len(shifts), len(given)) or not shifts or not given):
        raise errors.ArgumentError(f"roll: {len(shifts)} shifts for {len(given)} axes.")
    count = max(len(shifts), len(given))
    if not count:
        return x
    for s, a in zip(
        tuple(shifts) * (count // len(shifts)), tuple(given) * (count // len(given)), strict=True
    ):
        x = _rolled(x, static_int(s, "roll: shift"), one_axis(a, x.ndim, "roll"))
    return x


def _rolled(x: Array, shift: int, axis: int) -> Array:
    n = x.shape[axis]
    cut = -shift % n if n else 0
    return concatenate([slice_axis(x, cut, n, axis), slice_axis(x, 0, cut, axis)], axis) if cut else x


@natively(np.diagonal, EVERY, view=True)
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The diagonal of the plane of two axes, as the last axis; `offset` above (or below) the main one."""
    x = owned(x, "diagonal")
    a, b = _plane(x, axis1, axis2, "diagonal")
    return diagonal_of(x, a, b, static_int(offset, "diagonal: offset"))


def _plane(x: Array, axis1: int, axis2: int, name: str) -> tuple[int, int]:
    if x.ndim < 2:
        raise errors.ShapeError(f"{name} needs at least two axes; got {x.aval}.")
    a, b = some_axes((axis1, axis2), x.ndim, name)
    return a, b


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    """x converted; complex to real keeps the real part. `copy` makes no difference: fx arrays are immutable."""
    made = convert(owned(x, "astype"), dtypes.canonical(dtype))
    return made if device is None else made.to_device(device)


def copy(x: Any) -> Array:
    """An array that shares no memory with x."""
    x = operand(x, "copy")
    if type(x) is not Array:
        return x
    return Array(x.buffer.copy(), x.weak)
