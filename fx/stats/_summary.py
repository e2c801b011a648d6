"""Summary statistics: mode, rankdata, sem."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..lax import cummax, cummin


class ModeResult(NamedTuple):
    """The most common values, and how often they occur."""

    mode: Any
    count: Any


def mode(a: Any, axis: int | None = 0, nan_policy: str = "propagate", keepdims: bool = False) -> ModeResult:
    """The most common value along an axis, the least of them where several are, and its count.

    nan counts as one value, the largest. Of an empty axis, the mode is nan and the count 0.

    Args:
        axis: None for all of `a`.
        nan_policy: "propagate" alone.

    >>> import fx
    >>> fx.stats.mode(fx.numpy.array([2, 4, 1, 1, 4, 4]))
    ModeResult(mode=Array(4, int64), count=Array(3, int64))
    """
    _only_propagate("mode", nan_policy)
    a = fnp.atleast_1d(fnp.asarray(a))
    x, axis, shape = _lines(a, axis, keepdims)
    n = x.shape[-1]
    if n == 0:
        return ModeResult(fnp.full(shape, math.nan), fnp.zeros(shape, dtypes.int64))
    x = fnp.sort(x, axis=-1)
    starts = _starts(x)
    place = fnp.arange(n)
    first = cummax(fnp.where(starts, place, 0), axis=starts.ndim - 1)
    runs = place - first + 1
    best = fnp.argmax(runs, axis=-1)[..., None]
    found = fnp.take_along_axis(x, best, axis=-1)
    return ModeResult(found.reshape(shape), fnp.take_along_axis(runs, best, axis=-1).reshape(shape))


def rankdata(
    a: Any, method: str = "average", *, axis: int | None = None, nan_policy: str = "propagate"
) -> Any:
    """Ranks along an axis, from 1; nan along lines that hold a nan.

    Args:
        method: what equal values get: the "average" of their ranks, the "min" or "max", one rank counted as one
            ("dense"), or different ranks in their order ("ordinal").
        axis: None ranks all of `a`, flattened.

    Returns:
        Floating ranks of the shape of a; (size,) for axis=None.

    >>> import fx
    >>> fx.stats.rankdata(fx.numpy.array([1, 3, 2, 3]))
    Array([1. , 3.5, 2. , 3.5], float32)
    """
    _only_propagate("rankdata", nan_policy)
    static.choice(method, ("average", "min", "max", "dense", "ordinal"), "rankdata: method")
    a = fnp.asarray(a)
    if axis is None:
        a, axis = a.reshape((-1,)), 0
    x = fnp.moveaxis(a, axis, -1)
    dtype = dtypes.inexact_of(x.dtype) if dtypes.is_floating(x.dtype) else dtypes.default_float()
    if x.shape[-1] == 0:
        return fnp.zeros(a.shape, dtype)
    ranks = _ranks(x, method).astype(dtype)
    if dtypes.is_floating(x.dtype):
        ranks = fnp.where(fnp.any(fnp.isnan(x), axis=-1, keepdims=True), math.nan, ranks)
    return fnp.moveaxis(ranks, -1, axis)


def _ranks(x: Any, method: str) -> Any:
    order = fnp.argsort(x, axis=-1, stable=True)
    inverse = fnp.argsort(order, axis=-1)
    if method == "ordinal":
        return inverse + 1
    starts = _starts(fnp.take_along_axis(x, order, axis=-1))
    if method == "dense":
        found = fnp.cumsum(starts, axis=-1)
    else:
        n = x.shape[-1]
        place = fnp.arange(n)
        first = cummax(fnp.where(starts, place, 0), axis=starts.ndim - 1) + 1
        ends = fnp.concatenate([starts[..., 1:], fnp.ones((*starts.shape[:-1], 1), bool)], axis=-1)
        last = cummin(fnp.where(ends, place, n), axis=starts.ndim - 1, reverse=True) + 1
        found = {"min": lambda: first, "max": lambda: last, "average": lambda: 0.5 * (first + last)}[method]()
    return fnp.take_along_axis(found, inverse, axis=-1)


def sem(
    a: Any, axis: int | None = 0, ddof: int = 1, nan_policy: str = "propagate", *, keepdims: bool = False
) -> Any:
    """The standard error of the mean: the deviation over the root of the count.

    Args:
        axis: None for all of `a`.
        ddof: the divisor in the variance is the count less this.
        nan_policy: "propagate", or "omit" to leave nan out.
    """
    a = fnp.asarray(a)
    if static.choice(nan_policy, ("propagate", "omit"), "sem: nan_policy") == "propagate":
        deviation = fnp.std(a, axis=axis, ddof=ddof, keepdims=keepdims)
        return deviation / math.sqrt(a.size // max(deviation.size, 1))
    count = fnp.sum(~fnp.isnan(a), axis=axis, keepdims=keepdims)
    deviation = fnp.nanstd(a, axis=axis, ddof=ddof, keepdims=keepdims)
    return deviation / fnp.sqrt(count.astype(deviation.dtype))


# Helpers


def _only_propagate(name: str, nan_policy: Any) -> None:
    if static.choice(nan_policy, ("propagate", "omit", "raise"), f"{name}: nan_policy") != "propagate":
        raise errors.ArgumentError(
            errors.lines(
                f"{name}: nan_policy={nan_policy!r} makes a shape or an error of values, which a trace does not have.",
                "Take nan out beforehand, or leave nan_policy='propagate'.",
            )
        )


def _lines(a: Any, axis: int | None, keepdims: bool) -> tuple[Any, int, tuple[int, ...]]:
    """The array with the axis last, and the shape of a reduction along it."""
    if axis is None:
        return a.reshape((-1,)), 0, (1,) * a.ndim if keepdims else ()
    place = static.axis(axis, a.ndim, "axis")
    x = fnp.moveaxis(a, place, -1)
    kept = [1] if keepdims else []
    return x, place, (*a.shape[:place], *kept, *a.shape[place + 1 :])


def _starts(x: Any) -> Any:
    """Where a new value begins in sorted lines; all nan are one."""
    new = x[..., 1:] != x[..., :-1]
    if dtypes.is_floating(x.dtype):
        new = new & ~(fnp.isnan(x[..., 1:]) & fnp.isnan(x[..., :-1]))
    return fnp.concatenate([fnp.ones((*x.shape[:-1], 1), bool), new], axis=-1)
