"""Reductions that leave NaNs out."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..primitives import elementwise as el
from . import _cumulative as cu, _on_host as host, _reductions as re
from ._arguments import operand
from ._native import REALS, natively
from ._searching import host_values


@natively(np.nansum, REALS)
def nansum(
    x: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None
) -> Array:
    """The sum of what is not NaN."""
    return re.sum(_filled(x, 0, "nansum"), axis, dtype, keepdims=keepdims, initial=initial)


@natively(np.nanprod, REALS)
def nanprod(
    x: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = None
) -> Array:
    """The product of what is not NaN."""
    return re.prod(_filled(x, 1, "nanprod"), axis, dtype, keepdims=keepdims, initial=initial)


@natively(np.nancumsum, REALS)
def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running sums with NaNs as 0."""
    return cu.cumsum(_filled(x, 0, "nancumsum"), axis, dtype)


@natively(np.nancumprod, REALS)
def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running products with NaNs as 1."""
    return cu.cumprod(_filled(x, 1, "nancumprod"), axis, dtype)


@natively(host.nanmax)
def nanmax(x: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None) -> Array:
    """The largest element that is not NaN; NaN if all are."""
    return _extremum(re.max, -math.inf, x, axis, keepdims, initial, "nanmax")


@natively(host.nanmin)
def nanmin(x: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None) -> Array:
    """The smallest element that is not NaN; NaN if all are."""
    return _extremum(re.min, math.inf, x, axis, keepdims, initial, "nanmin")


@natively(np.nanargmax)
def nanargmax(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Index of the first largest element that is not NaN; -1 where all are, ArgumentError if that is known."""
    return _position(re.argmax, -math.inf, x, axis, keepdims, "nanargmax")


@natively(np.nanargmin)
def nanargmin(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Index of the first smallest element that is not NaN; -1 where all are, ArgumentError if that is known."""
    return _position(re.argmin, math.inf, x, axis, keepdims, "nanargmin")


@natively(host.nanmean)
def nanmean(x: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    """The mean of what is not NaN; NaN if all is."""
    x = operand(x, "nanmean")
    if x.aval.inexact and dtype is not None and not dtypes.is_inexact(dtypes.canonical(dtype)):
        raise errors.DTypeError(
            f"nanmean: the mean may be NaN, which {dtype} does not have; leave dtype out."
        )
    return re.mean(x, axis, dtype, keepdims=keepdims, where=_numbers(x))


@natively(host.nanvar)
def nanvar(x: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Array:
    """The variance of what is not NaN; NaN if no more than `ddof` elements are left."""
    x = operand(x, "nanvar")
    if not x.aval.inexact:
        return re.var(x, axis, dtype, ddof=ddof, keepdims=keepdims)
    v = re.var(x, axis, dtype, ddof=ddof, keepdims=keepdims, where=_numbers(x))
    return _where_enough(v, x, axis, ddof, keepdims)


@natively(host.nanstd)
def nanstd(x: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Array:
    """The standard deviation of what is not NaN; where it is 0 the derivative is 0."""
    x = operand(x, "nanstd")
    if not x.aval.inexact:
        return re.std(x, axis, dtype, ddof=ddof, keepdims=keepdims)
    s = re.std(x, axis, dtype, ddof=ddof, keepdims=keepdims, where=_numbers(x))
    return _where_enough(s, x, axis, ddof, keepdims)


def _where_enough(v: Array, x: Array, axis: Any, ddof: float, keepdims: bool) -> Array:
    if not v.aval.inexact:
        raise errors.DTypeError(f"The result may be NaN, which {v.dtype} does not have; leave dtype out.")
    count = re.count_nonzero(_numbers(x), axis, keepdims=keepdims)
    return el.select(count <= ddof, v.dtype.type(math.nan), v)


def _numbers(x: Array) -> Array:
    """A mask of what is not NaN."""
    return el.bit_not(el.isnan(x))


def _filled(x: Any, value: float, name: str) -> Array:
    x = operand(x, name)
    return el.select(el.isnan(x), x.dtype.type(value), x) if x.aval.inexact else x


def _extremum(of: Any, neutral: float, x: Any, axis: Any, keepdims: bool, initial: Any, name: str) -> Array:
    x = operand(x, name)
    if not x.aval.inexact:
        return of(x, axis, keepdims=keepdims, initial=initial)
    y = of(_filled(x, neutral, name), axis, keepdims=keepdims, initial=initial)
    empty = re.all(el.isnan(x), axis, keepdims=keepdims)
    return y if initial is not None else el.select(empty, y.dtype.type(math.nan), y)


def _position(of: Any, neutral: float, x: Any, axis: Any, keepdims: bool, name: str) -> Array:
    x = operand(x, name)
    if not x.aval.inexact:
        return of(x, axis, keepdims=keepdims)
    empty = re.all(el.isnan(x), axis, keepdims=keepdims)
    if type(empty) is Array and builtins.bool(np.any(host_values(empty, name))):
        raise errors.ArgumentError(f"{name}: a slice of {x.aval} along axis {axis} has only NaNs.")
    y = of(_filled(x, neutral, name), axis, keepdims=keepdims)
    return el.select(empty, dtypes.int64.type(-1), y)
