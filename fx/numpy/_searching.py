"""Finding elements: nonzero and what follows from it, index arithmetic, compress, isin.

Results whose size depends on values need values that are known, or `size=`, which pads or cuts the result.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import devices, dtypes, errors, static
from ..core.array import Array, concrete
from ..core.trace import as_host
from ..primitives import elementwise as el, shape as sh, sorting as so
from ..primitives.cumulative import cumsum
from ..primitives.promotion import promote
from ..primitives.reductions import reduce_any
from ._arguments import one_axis, operand, operands, sequence, static_int, static_shape
from ._creation import asarray
from ._logic import truth
from ._native import EVERY, INDEX, REALS, natively
from .indexing import take


def host_values(x: Array, use: str) -> Any:
    """The values of x as a NumPy array; TracerError where they are not known before the run."""
    return np.asarray(as_host(concrete(x, use)))


def beside(x: Array, host: Any) -> Array:
    """Host values as an array on the device of x."""
    return Array(devices.move(host, x.device))


@natively(np.flatnonzero, EVERY)
def flatnonzero(x: Any, *, size: int | None = None, fill_value: Any = 0) -> Array:
    """Places of the nonzero elements of the flattened array, in order, int64.

    Args:
        size: so many places: surplus ones are cut off, missing ones are `fill_value`. Works under jit and vmap.
    """
    mask = truth(x, "flatnonzero")
    mask = sh.reshape(mask, (mask.size,))
    if size is None:
        return beside(mask, np.flatnonzero(host_values(mask, "nonzero without size=")))
    count = static_int(size, "nonzero: size")
    if mask.size == 0:
        return sh.full((count,), fill_value, dtypes.int64)
    running = cumsum(el.convert(mask, dtypes.int64))
    places = so.searchsorted(running, sh.iota((count,), 0) + 1, "left")
    filler = el.convert(operand(fill_value, "nonzero: fill_value"), dtypes.int64)
    return el.select(places == mask.size, filler, places)


@natively(np.nonzero, EVERY)
def nonzero(x: Any, *, size: int | None = None, fill_value: Any = 0) -> tuple[Array, ...]:
    """Indices of the nonzero elements, one array per axis, in C order.

    Args:
        size: so many indices: surplus ones are cut off, missing ones are `fill_value`. Works under jit and vmap.
    """
    x = operand(x, "nonzero")
    if x.ndim == 0:
        raise errors.ShapeError(
            errors.lines("nonzero of an array of shape () has no indices.", "Write nonzero(atleast_1d(x)).")
        )
    flat = flatnonzero(x, size=size, fill_value=-1)
    filler = operand(fill_value, "nonzero: fill_value")
    missing = el.lt(flat, np.int64(0))
    parts = unravel_index(el.maximum(flat, np.int64(0)), x.shape) if x.size else (flat,) * x.ndim
    return tuple(el.select(missing, el.convert(filler, dtypes.int64), p) for p in parts)


@natively(np.argwhere, EVERY)
def argwhere(x: Any, *, size: int | None = None, fill_value: Any = 0) -> Array:
    """Indices of the nonzero elements as rows: (count, ndim)."""
    x = operand(x, "argwhere")
    if x.ndim == 0:
        found = flatnonzero(x, size=size, fill_value=fill_value)
        return sh.full((found.size, 0), 0, dtypes.int64)
    parts = nonzero(x, size=size, fill_value=fill_value)
    return sh.concatenate([sh.reshape(p, (p.size, 1)) for p in parts], 1)


@natively(np.unravel_index, INDEX)
def unravel_index(indices: Any, shape: Any) -> tuple[Array, ...]:
    """The index along each axis of places in the flattened array."""
    left = operand(indices, "unravel_index")
    sizes = static_shape(shape, "unravel_index")
    if left.dtype.kind not in "iu":
        raise errors.DTypeError(f"unravel_index takes integers; got {left.aval}.")
    _check_places(left, math.prod(sizes), "unravel_index")
    parts = []
    for d in reversed(sizes):
        parts.append(left % d)
        left = left // d
    return tuple(reversed(parts))


@natively(np.ravel_multi_index, INDEX, lists=True)
def ravel_multi_index(multi_index: Any, dims: Any, mode: str = "raise") -> Array:
    """Places in the flattened array of indices along each axis.

    Args:
        mode: what to do outside: "raise" (where the values are known), "wrap" or "clip".
    """
    sizes = static_shape(dims, "ravel_multi_index")
    parts = operands("ravel_multi_index", *promote(*sequence(multi_index, "ravel_multi_index")))
    if parts[0].dtype.kind not in "iu":
        raise errors.DTypeError(f"ravel_multi_index takes integers; got {parts[0].aval}.")
    if len(parts) != len(sizes):
        raise errors.ShapeError(f"ravel_multi_index: {len(parts)} indices for {len(sizes)} axes.")
    total: Any = 0
    for part, d in zip(parts, sizes, strict=True):
        total = total * d + into_bounds(part, d, mode, "ravel_multi_index")
    return total


def into_bounds(index: Array, size: int, mode: str, name: str) -> Array:
    """Indices made to fit: wrapped, clipped, or refused where they are known."""
    static.choice(mode, ("raise", "wrap", "clip"), f"{name}: mode")
    if mode == "wrap":
        return index % size
    if mode == "clip":
        return el.minimum(el.maximum(index, index.dtype.type(0)), index.dtype.type(size - 1))
    _check_places(index, size, name)
    return index


def _check_places(index: Array, size: int, name: str) -> None:
    if type(index) is not Array:
        return
    known = host_values(index, name)
    if known.size and (known.min() < 0 or known.max() >= size):
        raise errors.OutOfBoundsError(f"{name}: an index is out of bounds for {size} elements: {known!r}.")


def compress(condition: Any, x: Any, axis: int | None = None) -> Array:
    """The slices of x along an axis (elements of the flattened array for None) where a known condition is nonzero."""
    x = operand(x, "compress")
    if axis is None:
        x, axis = sh.reshape(x, (x.size,)), 0
    mask = truth(asarray(condition) if isinstance(condition, (list, tuple)) else condition, "compress")
    axis = one_axis(axis, x.ndim, "compress")
    if mask.ndim != 1 or mask.size > x.shape[axis]:
        raise errors.ShapeError(
            f"compress: a condition of shape {mask.shape} does not fit axis {axis} of {x.aval}."
        )
    return take(x, flatnonzero(mask), axis=axis)


def extract(condition: Any, x: Any) -> Array:
    """The elements of x where a known condition of its size is nonzero."""
    mask = truth(condition, "extract")
    return compress(sh.reshape(mask, (mask.size,)), x)


@natively(np.isin, REALS, data=2)
def isin(element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False) -> Array:
    """Whether each element is among the test elements; NaN is in nothing."""
    x, tests = operands("isin", *promote(element, test_elements))
    if tests.size == 0:
        found = sh.full(x.shape, False, dtypes.bool_)
    elif x.dtype.kind == "c":
        pairs = el.eq(sh.reshape(x, (x.size, 1)), sh.reshape(tests, (1, tests.size)))
        found = sh.reshape(reduce_any(pairs, axes=(1,)), x.shape)
    else:
        ordered = so.sort(sh.reshape(tests, (tests.size,)), 0)
        places = so.searchsorted(ordered, x, "left")
        nearest = take(ordered, el.minimum(places, np.int64(tests.size - 1)), axis=0)
        found = el.eq(nearest, x)
    return el.bit_not(found) if invert else found
