"""Medians, quantiles and percentiles, by sorting; with and without NaNs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh, sorting as so
from ..primitives.promotion import promote
from ..primitives.reductions import reduce_sum
from . import _on_host as host
from ._arguments import inexact_operand, operand, operands, refuse_complex, some_axes
from ._arithmetic import maximum, minimum, remainder
from ._creation import asarray
from ._native import natively
from ._reductions import kept_shape
from ._searching import host_values
from .indexing import take_along_axis


@natively(np.median)
def median(x: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The middle element in sorted order, or the mean of the two; NaN if there is one among the elements."""
    return _middle(x, axis, keepdims, "median", ignore_nan=False)


@natively(host.nanmedian)
def nanmedian(x: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The median of the elements that are not NaN; NaN if all are."""
    return _middle(x, axis, keepdims, "nanmedian", ignore_nan=True)


@natively(np.quantile, floats=True)
def quantile(x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """The q-quantiles along axes; several q make a new first axis of the result.

    Args:
        q: a number in [0, 1] or an array of them.
        method: how to go from places in sorted order to values: "linear", "lower", "higher", "midpoint", "nearest",
            or one of Hyndman and Fan's: "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
            "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased", "normal_unbiased".

    Source: R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages" (1996), as NumPy's `quantile`.
    """
    return _quantiles(x, q, axis, method, keepdims, "quantile", ignore_nan=False)


@natively(host.nanquantile, floats=True)
def nanquantile(x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """`quantile` of the elements that are not NaN."""
    return _quantiles(x, q, axis, method, keepdims, "nanquantile", ignore_nan=True)


@natively(np.percentile, floats=True)
def percentile(x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
    """`quantile` with q in [0, 100]."""
    return _quantiles(x, q, axis, method, keepdims, "percentile", ignore_nan=False, whole=100)


@natively(host.nanpercentile, floats=True)
def nanpercentile(
    x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False
) -> Array:
    """`nanquantile` with q in [0, 100]."""
    return _quantiles(x, q, axis, method, keepdims, "nanpercentile", ignore_nan=True, whole=100)


def _lined_up(x: Any, axis: Any, name: str) -> tuple[Array, tuple[int, ...], tuple[int, ...]]:
    """x sorted with the reduced axes as one first axis; the shape of the rest, and that with the axes kept as 1."""
    x = inexact_operand(x, name)
    refuse_complex(x, name)
    axes = some_axes(axis, x.ndim, name)
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    shape = tuple(x.shape[i] for i in rest)
    lines = sh.reshape(sh.transpose(x, (*sorted(axes), *rest)), (math.prod(x.shape[a] for a in axes), *shape))
    return so.sort(lines, 0), shape, kept_shape(x.shape, axes)


def _middle(x: Any, axis: Any, keepdims: bool, name: str, ignore_nan: bool) -> Array:
    ordered, shape, kept = _lined_up(x, axis, name)
    n = ordered.shape[0]
    if n == 0:
        y = sh.full(shape, math.nan, ordered.dtype)
    elif ignore_nan:
        count = _valid(ordered)
        low, high = _picked(ordered, (count - 1) // 2), _picked(ordered, count // 2)
        y = _mean_of_two(low, high, count % 2 == 1)
    else:
        low, high = _row(ordered, (n - 1) // 2), _row(ordered, n // 2)
        y = low if n % 2 else _mean_of_two(low, high, None)
        y = _nan_if_any(y, ordered)
    return sh.reshape(y, kept) if keepdims else y


def _mean_of_two(low: Array, high: Array, same: Any) -> Array:
    y = (low + high) / 2
    return y if same is None else el.select(same, low, y)


def _row(ordered: Array, place: int) -> Array:
    return sh.reshape(sh.slice_axis(ordered, place, place + 1, 0), ordered.shape[1:])


def _picked(ordered: Array, places: Array) -> Array:
    """Elements at places (int64, one per line); negative ones (lines without numbers) give NaN."""
    last = ordered.shape[0] - 1
    index = el.minimum(el.maximum(places, np.int64(0)), np.int64(last))
    return sh.reshape(take_along_axis(ordered, sh.reshape(index, (1, *index.shape)), 0), ordered.shape[1:])


def _valid(ordered: Array) -> Array:
    """How many elements of each line are numbers; NaNs are sorted last."""
    return reduce_sum(el.convert(el.bit_not(el.isnan(ordered)), dtypes.int64), axes=(0,))


def _nan_if_any(y: Array, ordered: Array) -> Array:
    """y, or NaN where the line has one: it stands last."""
    return el.select(el.isnan(_row(ordered, ordered.shape[0] - 1)), y.dtype.type(math.nan), y)


def _quantiles(
    x: Any, q: Any, axis: Any, method: str, keepdims: bool, name: str, ignore_nan: bool, whole: int = 1
) -> Array:
    static.choice(method, tuple(_PLACES), f"{name}: method")
    x = operand(x, name)
    if x.dtype.kind == "b":
        raise errors.DTypeError(f"{name}: there is nothing between booleans; convert them with .astype(int).")
    result = x.dtype if x.dtype.kind in "iu" and method in _OF_ELEMENTS else None
    x = inexact_operand(x, name)
    if isinstance(q, (Array, np.ndarray, np.generic)):
        x, _ = operands(name, *promote(x, q, inexact=True))
    q = asarray(q, dtype=dtypes.float64)
    _check_range(q, whole, name)
    ordered, shape, kept = _lined_up(x, axis, name)
    if ordered.shape[0] == 0 and not ignore_nan:
        raise errors.ShapeError(
            f"{name}: there are no elements along axis {axis} of {operand(x, name).aval}."
        )
    if ordered.shape[0] == 0:
        y = sh.full((*q.shape, *shape), math.nan, ordered.dtype)
    else:
        wide = el.convert(ordered, dtypes.float32) if dtypes.is_low_precision(ordered.dtype) else ordered
        flat = sh.reshape(q / whole if whole != 1 else q, (q.size, *[1] * len(shape)))
        y = _at_quantiles(wide, flat, method, ignore_nan)
        y = sh.reshape(el.convert(y, ordered.dtype), (*q.shape, *shape))
    y = y if result is None else el.convert(y, result)
    return sh.reshape(y, (*q.shape, *kept)) if keepdims else y


_OF_ELEMENTS = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")
"""Methods whose results are elements, integers of integers."""


def _check_range(q: Array, whole: int, name: str) -> None:
    if type(q) is Array and q.size:
        known = host_values(q, name)
        if not (np.min(known) >= 0 and np.max(known) <= whole):
            raise errors.ArgumentError(f"{name}: q must lie between 0 and {whole}; got {known}.")


def _at_quantiles(ordered: Array, q: Array, method: str, ignore_nan: bool) -> Array:
    """Values at quantiles. ordered: (n, *lines), q: (k, 1, ...) in float64; the result is (k, *lines)."""
    n = ordered.shape[0]
    count: Any = el.convert(_valid(ordered), q.dtype) if ignore_nan else float(n)
    place, weight = _PLACES[method](q, count)
    shape = (q.shape[0], *ordered.shape[1:])
    low = el.floor(place)
    a, b = (take_along_axis(ordered, _bounded(i, count, shape), 0) for i in (low, low + 1))
    t = sh.broadcast_to(el.convert(place - low if weight is None else weight, ordered.dtype), shape)
    y = _between(a, b, t)
    if ignore_nan:
        return y
    return el.select(el.isnan(sh.slice_axis(ordered, n - 1, n, 0)), y.dtype.type(math.nan), y)


def _bounded(place: Array, count: Any, shape: tuple[int, ...]) -> Array:
    """Places (as floats) brought between 0 and count - 1, as int64 of the full shape."""
    place = maximum(minimum(place, count - 1), 0)
    return sh.broadcast_to(el.convert(place, dtypes.int64), shape)


def _between(a: Array, b: Array, t: Array) -> Array:
    """a + (b - a) t, from the nearer end; exact at t = 0 and where both are equal, also if infinite."""
    same = el.eq(a, b) | el.eq(t, t.dtype.type(0))
    gap = b - a
    return el.select(same, a, el.select(t >= 0.5, b - gap * (1 - t), a + gap * t))


# Where a quantile lies among n sorted elements: its place, and a weight of the next element other than the fraction


def _continuous(alpha: float, beta: float) -> Any:
    """Places n q + (alpha + q (1 - alpha - beta)) - 1 of Hyndman and Fan."""
    return lambda q, n: (n * q + (alpha + q * (1 - alpha - beta)) - 1, None)


def _inverted_cdf(q: Array, n: Any) -> Any:
    place = n * q - 1
    return el.ceil(place), None


def _averaged_inverted_cdf(q: Array, n: Any) -> Any:
    place = n * q - 1
    return place, el.select(el.eq(place, el.floor(place)), place.dtype.type(0.5), place.dtype.type(1))


def _closest_observation(q: Array, n: Any) -> Any:
    place = n * q - 1.5
    low = el.floor(place)
    even = el.eq(place, low) & el.eq(remainder(low, 2), low.dtype.type(1))
    return el.select(even, low, low + 1), None


def _midpoint(q: Array, n: Any) -> Any:
    place = (n - 1) * q
    return place, el.select(el.eq(place, el.floor(place)), place.dtype.type(0), place.dtype.type(0.5))


_PLACES: dict[str, Any] = {
    "linear": lambda q, n: ((n - 1) * q, None),
    "lower": lambda q, n: (el.floor((n - 1) * q), None),
    "higher": lambda q, n: (el.ceil((n - 1) * q), None),
    "nearest": lambda q, n: (el.round_even((n - 1) * q), None),
    "midpoint": _midpoint,
    "inverted_cdf": _inverted_cdf,
    "averaged_inverted_cdf": _averaged_inverted_cdf,
    "closest_observation": _closest_observation,
    "interpolated_inverted_cdf": _continuous(0, 1),
    "hazen": _continuous(0.5, 0.5),
    "weibull": _continuous(0, 0),
    "median_unbiased": _continuous(1 / 3, 1 / 3),
    "normal_unbiased": _continuous(3 / 8, 3 / 8),
}
