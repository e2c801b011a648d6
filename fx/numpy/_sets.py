"""Sets of values: unique and its relatives, unions, intersections, differences.

The size of these results depends on values, so these must be known; `unique` takes `size=` instead.
Derivatives flow to the elements that are kept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core import dtypes
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh, sorting as so
from ..primitives.cumulative import cumsum
from ..primitives.promotion import promote
from ._arguments import in_dtype, one_axis, operand, operands, static_int
from ._histograms import bincount
from ._native import REALS, natively
from ._reductions import max as largest
from ._searching import beside, flatnonzero, host_values
from .indexing import take


class UniqueAllResult(NamedTuple):
    """What `unique_all` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCountsResult(NamedTuple):
    """What `unique_counts` returns."""

    values: Array
    counts: Array


class UniqueInverseResult(NamedTuple):
    """What `unique_inverse` returns."""

    values: Array
    inverse_indices: Array


@natively(np.unique, REALS)
def unique(
    x: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements in order (or distinct slices along an axis), and on demand how they were found.

    Args:
        return_index: also the place of the first occurrence of each.
        return_inverse: also, for each element, the place of its value in the result.
        return_counts: also how often each occurs.
        size: so many values, for use under jit and vmap (of all elements): surplus ones are cut off, missing ones
            are `fill_value`, by default the smallest element, with count 0.
    """
    x = operand(x, "unique")
    if size is not None:
        results = _unique_of_size(x, static_int(size, "unique: size"), fill_value)
    else:
        results = _unique(x, axis, equal_nan)
    wanted = (True, return_index, return_inverse, return_counts)
    chosen = tuple(r for r, w in zip(results, wanted, strict=True) if w)
    return chosen[0] if len(chosen) == 1 else chosen


def _unique(x: Array, axis: int | None, equal_nan: bool) -> tuple[Array, Array, Array, Array]:
    """Decided on the host; the values themselves are read from x, so that derivatives flow."""
    axis = None if axis is None else one_axis(axis, x.ndim, "unique")
    known = host_values(x, "unique without size=")
    known = known.astype(np.float32) if dtypes.is_bfloat16(known.dtype) else known
    _, first, inverse, counts = np.unique(
        known, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=equal_nan
    )
    places = beside(x, first)
    return take(x, places, axis=axis), places, beside(x, inverse), beside(x, counts)


def _unique_of_size(x: Array, size: int, fill_value: Any) -> tuple[Array, Array, Array, Array]:
    flat = sh.reshape(x, (x.size,))
    n = flat.size
    if n == 0:
        zero = in_dtype(0 if fill_value is None else fill_value, x.dtype, "unique: fill_value")
        nothing = sh.full((size,), 0, dtypes.int64)
        values = sh.broadcast_to(zero, (size,))
        return values, nothing, sh.full(x.shape, 0, dtypes.int64), nothing
    order = so.argsort(flat, 0)
    ordered = take(flat, order, axis=0, mode="promise_in_bounds")
    before, after = sh.slice_axis(ordered, 0, n - 1, 0), sh.slice_axis(ordered, 1, n, 0)
    same = el.eq(before, after) | (el.isnan(before) & el.isnan(after))
    starts = sh.concatenate([sh.full((1,), True, dtypes.bool_), el.bit_not(same)], 0)
    first = flatnonzero(starts, size=size, fill_value=0)
    present = sh.iota((size,), 0) < el.convert(
        largest(cumsum(el.convert(starts, dtypes.int64))), dtypes.int64
    )
    values = take(ordered, first, axis=0, mode="promise_in_bounds")
    if fill_value is not None:
        values = el.select(present, values, in_dtype(fill_value, values.dtype, "unique: fill_value"))
    group = cumsum(el.convert(starts, dtypes.int64)) - 1
    inverse = sh.reshape(so.permute(group, order, 0, inverse=True), x.shape)
    return values, take(order, first, axis=0, mode="promise_in_bounds"), inverse, bincount(group, length=size)


def unique_all(x: Any, /) -> UniqueAllResult:
    """Distinct values (every NaN counts), places of their first occurrence, inverse, and counts."""
    return UniqueAllResult(*unique(x, True, True, True, equal_nan=False))


def unique_counts(x: Any, /) -> UniqueCountsResult:
    """Distinct values (every NaN counts), and how often each occurs."""
    return UniqueCountsResult(*unique(x, False, False, True, equal_nan=False))


def unique_inverse(x: Any, /) -> UniqueInverseResult:
    """Distinct values (every NaN counts), and the place of each element's value among them."""
    return UniqueInverseResult(*unique(x, False, True, equal_nan=False))


def unique_values(x: Any, /) -> Array:
    """Distinct values in order; every NaN counts."""
    return unique(x, equal_nan=False)


@natively(np.union1d, REALS, data=2)
def union1d(a: Any, b: Any) -> Array:
    """The distinct elements of both, in order."""
    return unique(sh.concatenate(_flat("union1d", a, b), 0))


@natively(np.intersect1d, REALS, data=2)
def intersect1d(a: Any, b: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The distinct elements that are in both, in order; on demand their places in each."""
    a, b = _flat("intersect1d", a, b)
    known = [host_values(v, "intersect1d") for v in (a, b)]
    _, in_a, in_b = np.intersect1d(*known, assume_unique=assume_unique, return_indices=True)
    places = beside(a, in_a)
    common = take(a, places, axis=0)
    return (common, places, beside(b, in_b)) if return_indices else common


@natively(np.setdiff1d, REALS, data=2)
def setdiff1d(a: Any, b: Any, assume_unique: bool = False) -> Array:
    """The distinct elements of a that are not in b; in order unless `assume_unique`."""
    a, b = _flat("setdiff1d", a, b)
    a = a if assume_unique else unique(a)
    return take(a, np.flatnonzero(~np.isin(*[host_values(v, "setdiff1d") for v in (a, b)])), axis=0)


@natively(np.setxor1d, REALS, data=2)
def setxor1d(a: Any, b: Any, assume_unique: bool = False) -> Array:
    """The distinct elements that are in just one of both, in order."""
    a, b = _flat("setxor1d", a, b)
    a, b = (a, b) if assume_unique else (unique(a), unique(b))
    both = so.sort(sh.concatenate([a, b], 0), 0)
    known = host_values(both, "setxor1d")
    equal = known[1:] == known[:-1]
    alone = ~(np.concatenate([[False], equal]) | np.concatenate([equal, [False]])) if known.size else equal
    return take(both, np.flatnonzero(alone), axis=0)


def _flat(name: str, a: Any, b: Any) -> list[Array]:
    return [sh.reshape(x, (x.size,)) for x in operands(name, *promote(a, b))]
