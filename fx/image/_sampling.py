"""Values of an array between its points, by splines, with SciPy's choices of what lies beyond its ends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..core.transforms.vmap import vmap
from ..numpy._arguments import operand
from ..primitives.promotion import is_scalar
from ._splines import basis, coefficients, spline_order

MODES = ("constant", "nearest", "wrap", "mirror", "reflect", "grid-mirror", "grid-constant", "grid-wrap")
_PADDING = (
    12  # points of "nearest" and "grid-constant" before and after the array that a spline of order > 1 sees
)


def map_coordinates(
    input: Any,
    coordinates: Any,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Array:
    """An array of rank r at places between its points.

    Args:
        coordinates: (r, ...), or a sequence of r arrays that broadcast: the index along each axis.
        order: of the spline: 0 takes the nearest point, 1 is linear, up to 5.
        mode: what lies beyond the first and the last point of an axis of n points:
            "constant": `cval` at once; "grid-constant": `cval` at all further points, with a transition;
            "nearest": the last point; "mirror", "reflect" ("grid-mirror"): the array backward, with the last point
            once or twice; "grid-wrap": the array again, with period n; "wrap": with period n - 1.
        prefilter: False: `input` holds spline coefficients already (of `spline_filter`).

    Returns:
        What is at the coordinates, in the dtype of input; integers are rounded, halves away from zero. JAX's
        function of this name has orders 0 and 1, and means "grid-constant" and "grid-wrap" by "constant" and "wrap".
    """
    x = operand(input, "map_coordinates")
    places = _places(coordinates, x)
    order = spline_order(order, "map_coordinates")
    static.choice(mode, MODES, "map_coordinates: mode")
    if x.size == 0:
        raise errors.ShapeError(f"map_coordinates: {x.aval} has no points to take values from.")
    work = _working_dtype(x, places)
    values = x.astype(fnp.result_type(work, np.complex64) if x.dtype.kind == "c" else work)
    found = _sampled(values, [p.astype(work) for p in places], order, mode, cval, prefilter)
    return _rounded(found, x.dtype)


def affine_transform(
    input: Any,
    matrix: Any,
    offset: Any = 0.0,
    output_shape: Sequence[int] | None = None,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Array:
    """An array of rank r at matrix @ o + offset, for every index o of the result.

    Args:
        matrix: (r, r); or (r,): its diagonal; or (r, r + 1), (r + 1, r + 1) with the offset as last column.
        offset: a number or (r,).
        output_shape: default that of input.

    The other arguments are those of `map_coordinates`. Derivatives by matrix and offset exist.
    """
    x = operand(input, "affine_transform")
    linear, moved = _affine(fnp.asarray(matrix), offset, x)
    shape = x.shape if output_shape is None else static.sizes(output_shape, "affine_transform: a size")
    if len(shape) != x.ndim:
        raise errors.ShapeError(f"affine_transform: output_shape {shape} must have the rank of {x.aval}.")
    grid = [g.astype(linear.dtype) for g in fnp.indices(shape, sparse=True)]
    places = [sum((linear[i, j] * grid[j] for j in range(x.ndim)), moved[i]) for i in range(x.ndim)]
    return map_coordinates(x, places, order, mode, cval, prefilter)


def rotate(
    input: Any,
    angle: Any,
    axes: Sequence[int] = (1, 0),
    reshape: bool = True,
    order: int = 3,
    mode: str = "constant",
    cval: Any = 0.0,
    prefilter: bool = True,
) -> Array:
    """An array turned about its middle in the plane of two axes.

    Args:
        angle: in degrees, from the first axis to the second; with reshape=False it may be traced.
        reshape: the result is large enough for all of the array; False keeps its shape.

    The other arguments are those of `map_coordinates`.
    """
    x = operand(input, "rotate")
    axes = static.integers(axes, "rotate: axes")
    plane = sorted(static.axis(a, x.ndim, "rotate") for a in axes)
    if len(plane) != 2 or plane[0] == plane[1]:
        raise errors.ShapeError(f"rotate: axes {axes} must name two axes of {x.aval}.")
    sizes, angle = [x.shape[a] for a in plane], static.number(angle, "rotate: angle")
    turned = _turned_sizes(sizes, angle) if reshape else sizes
    radians = (
        fnp.asarray(angle, dtype=fnp.float64) * (math.pi / 180)
        if is_scalar(angle)
        else angle * (math.pi / 180)
    )
    c, s = fnp.cos(radians), fnp.sin(radians)
    rows, columns = (fnp.arange(n, dtype=c.dtype) - (n - 1) / 2 for n in turned)
    rows = rows[:, None]
    placed = [c * rows + s * columns + (sizes[0] - 1) / 2, c * columns - s * rows + (sizes[1] - 1) / 2]
    moved = fnp.moveaxis(x, plane, (-2, -1))
    sample = lambda image: map_coordinates(image, placed, order, mode, cval, prefilter)
    flat = fnp.reshape(moved, (math.prod(moved.shape[:-2]), *sizes))
    return fnp.moveaxis(fnp.reshape(vmap(sample)(flat), (*moved.shape[:-2], *turned)), (-2, -1), plane)


def _turned_sizes(sizes: Sequence[int], angle: Any) -> list[int]:
    radians = math.radians(static.real(angle, "rotate: angle"))
    if not math.isfinite(radians):
        raise errors.ArgumentError(f"rotate: angle must be finite; got {radians}.")
    c, s = abs(math.cos(radians)), abs(math.sin(radians))
    return [int(c * sizes[0] + s * sizes[1] + 0.5), int(s * sizes[0] + c * sizes[1] + 0.5)]


def _affine(matrix: Array, offset: Any, x: Array) -> tuple[Array, Array]:
    """The matrix (r, r) and the offset (r,), in a floating-point dtype."""
    rank = x.ndim
    matrix = matrix if matrix.aval.inexact else matrix.astype(fnp.float64)
    offset = fnp.broadcast_to(fnp.asarray(offset, dtype=matrix.dtype), (rank,))
    if matrix.shape == (rank,):
        return fnp.diag(matrix), offset
    if matrix.shape in ((rank, rank + 1), (rank + 1, rank + 1)):
        return matrix[:rank, :rank], matrix[:rank, rank]
    if matrix.shape != (rank, rank):
        raise errors.ShapeError(
            f"affine_transform of {x.aval}: matrix must be ({rank}, {rank}), ({rank},), ({rank}, {rank + 1}) or "
            f"({rank + 1}, {rank + 1}); got {matrix.aval}."
        )
    return matrix, offset


def _places(coordinates: Any, x: Array) -> list[Array]:
    """One array of coordinates for each axis, all of one shape."""
    rows = coordinates if isinstance(coordinates, (list, tuple)) else operand(coordinates, "map_coordinates")
    if (rows.ndim == 0 if isinstance(rows, Array) else False) or len(rows) != x.ndim:
        raise errors.ShapeError(
            f"map_coordinates: {x.aval} needs {x.ndim} rows of coordinates, one for each axis."
        )
    places = [operand(rows[i], "map_coordinates: coordinates") for i in range(x.ndim)]
    if any(p.dtype.kind == "c" for p in places):
        raise errors.DTypeError("map_coordinates: coordinates must be real numbers.")
    return list(fnp.broadcast_arrays(*places)) if places else []


def _working_dtype(x: Array, places: Sequence[Array]) -> np.dtype[Any]:
    """At least float32, and as precise as the array and the coordinates."""
    real = [dtypes.real_of(v.dtype) for v in (x, *places) if v.aval.inexact]
    return dtypes.float64 if not real or any(d.itemsize == 8 for d in real) else dtypes.float32


def _rounded(y: Array, dtype: np.dtype[Any]) -> Array:
    if dtype.kind in "biu":
        y = fnp.where(y < 0, fnp.ceil(y - 0.5), fnp.floor(y + 0.5))
    return y.astype(dtype)


def _sampled(x: Array, places: list[Array], order: int, mode: str, cval: Any, prefilter: bool) -> Array:
    mode = "reflect" if mode == "grid-mirror" else mode
    if prefilter and order > 1:
        x, places = _filtered(x, places, order, mode, cval)
    outside: Any = False
    taps: list[list[tuple[Array, Array, Any]]] = []
    for axis, place in enumerate(places):
        n = x.shape[axis]
        if mode == "constant":
            outside = outside | (place < 0) | (place > n - 1)
        taps.append(_taps(_brought_inside(place, n, mode), n, order, mode))
    total: Any = fnp.zeros((), x.dtype)
    for chosen in itertools.product(*taps):
        total = total + _value(x, chosen, cval) * math.prod((w for _, w, _ in chosen), start=1.0)
    return total if outside is False else fnp.where(outside, fnp.asarray(cval, dtype=x.dtype), total)


def _filtered(x: Array, places: list[Array], order: int, mode: str, cval: Any) -> tuple[Array, list[Array]]:
    """Coefficients instead of values; where nothing mirrors, of the array with some points around it."""
    if mode in ("nearest", "grid-constant"):
        around = {"constant_values": cval} if mode == "grid-constant" else {}
        x = fnp.pad(x, _PADDING, "edge" if mode == "nearest" else "constant", **around)
        places = [p + _PADDING for p in places]
    extension = {"nearest": "reflect", "reflect": "reflect", "grid-wrap": "grid-wrap"}.get(mode, "mirror")
    return coefficients(x, order, extension), places


def _brought_inside(place: Array, n: int, mode: str) -> Array:
    """Coordinates along an axis of n points, for modes that repeat it, within one period."""
    if n == 1 and mode in ("wrap", "mirror"):
        return fnp.zeros_like(place)
    if mode == "nearest":
        return fnp.clip(place, 0.0, float(n - 1))
    if mode == "wrap":
        period = n - 1
        below = place + period * (fnp.floor(-place / period) + 1)
        above = place - period * fnp.floor(place / period)
        return fnp.where(place < 0, below, fnp.where(place > n - 1, above, place))
    if mode == "mirror":
        once = fnp.mod(place, 2.0 * n - 2)
        return fnp.where(once > n - 1, 2 * n - 2 - once, once)
    if mode == "reflect":
        once = fnp.mod(place + 0.5, 2.0 * n)
        return fnp.where(once > n, 2 * n - once, once) - 0.5
    return fnp.mod(place, float(n)) if mode == "grid-wrap" else place


def _taps(place: Array, n: int, order: int, mode: str) -> list[tuple[Array, Array, Any]]:
    """For each of order + 1 points around a place: its index, its weight, and where it does not exist (or False)."""
    middle = place if order % 2 else place + 0.5
    first = fnp.floor(middle) - order // 2
    found = []
    for k in range(order + 1):
        point = first + k
        weight = basis(order, place - point)
        missing = (point < 0) | (point > n - 1) if mode == "grid-constant" else False
        found.append((_index(point.astype(np.int64), n, mode), weight, missing))
    return found


def _index(point: Array, n: int, mode: str) -> Array:
    """The point of the array that stands for a point, at most some beyond its ends."""
    if n == 1 or mode in ("nearest", "grid-constant"):
        return fnp.clip(point, 0, n - 1)
    if mode == "grid-wrap":
        return fnp.mod(point, n)
    if mode == "reflect":
        once = fnp.mod(point, 2 * n)
        return fnp.where(once >= n, 2 * n - 1 - once, once)
    once = fnp.mod(point, 2 * n - 2)
    return fnp.where(once >= n, 2 * n - 2 - once, once)


def _value(x: Array, chosen: Sequence[tuple[Array, Array, Any]], cval: Any) -> Array:
    if not chosen:
        return x
    value = x[tuple(i for i, _, _ in chosen)]
    missing = [m for _, _, m in chosen if m is not False]
    if not missing:
        return value
    gone = missing[0]
    for m in missing[1:]:
        gone = gone | m
    return fnp.where(gone, fnp.asarray(cval, dtype=x.dtype), value)
