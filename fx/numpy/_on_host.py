"""Functions of NumPy arrays for the short way: where NumPy's own would warn, or give another dtype or order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.dtypes import canonical, default_float

_VALUES = frozenset((int, float, np.ndarray))
_LONG = 4096
"""Elements from which on it pays to ask first whether a faster, unstable order shows."""


def sort(x: Any, axis: Any = -1) -> Any:
    return NotImplemented if x.size > _LONG else np.sort(x, axis, kind="stable")


def argsort(x: Any, axis: Any = -1) -> Any:
    return np.argsort(x, axis, kind="stable")


def cross(x: Any, y: Any) -> Any:
    return np.cross(x, y) if x.shape[-1:] == y.shape[-1:] == (3,) else NotImplemented


def tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """NumPy takes a negative number of axes for none."""
    return NotImplemented if type(axes) is int and axes < 0 else np.tensordot(x, y, axes)


def pad(x: Any, pad_width: Any) -> Any:
    return np.pad(x, pad_width)


def reshape(x: Any, shape: Any) -> Any:
    """NumPy takes any negative size for -1."""
    least = shape if type(shape) is int else min(shape, default=0)
    return x.reshape(shape) if least >= -1 else NotImplemented


def ravel(x: Any) -> Any:
    return x.reshape(-1)


def nan_to_num(x: Any) -> Any:
    return np.nan_to_num(x)


def choose(a: Any, choices: Any, mode: Any = "raise") -> Any:
    return np.choose(a, choices, mode=mode)


def partition(x: Any, kth: Any, axis: Any = -1) -> Any:
    """The whole order, as the long way's: NumPy leaves that of the others open."""
    return sort(x, axis) if _is_place(kth, x, axis) else NotImplemented


def argpartition(x: Any, kth: Any, axis: Any = -1) -> Any:
    return argsort(x, axis) if _is_place(kth, x, axis) else NotImplemented


def _is_place(kth: Any, x: Any, axis: Any) -> bool:
    size = x.size if axis is None else x.shape[axis]
    return type(kth) is int and -size <= kth < size


def digitize(x: Any, bins: Any, right: Any = False) -> Any:
    return NotImplemented if np.isnan(bins).any() else np.digitize(x, bins, right)


def bincount(x: Any, weights: Any = None, minlength: Any = 0) -> Any:
    return np.bincount(x, None, minlength) if weights is None else NotImplemented


def histogram2d(x: Any, y: Any, bins: Any = 10) -> Any:
    counts, *edges = np.histogram2d(x, y, bins)
    return counts.astype(default_float(), copy=False), *edges


def cov(m: Any, y: Any = None, rowvar: Any = True) -> Any:
    """NumPy warns where one observation is not enough."""
    return np.cov(m, y, rowvar) if m.ndim == 2 and min(m.shape) > 1 else NotImplemented


def corrcoef(x: Any, y: Any = None, rowvar: Any = True) -> Any:
    return np.corrcoef(x, y, rowvar) if x.ndim == 2 and min(x.shape) > 1 else NotImplemented


def select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    return np.select(conditions, choices, default) if type(default) in _VALUES else NotImplemented


# Copies, where NumPy writes into its argument


def put(a: Any, ind: Any, v: Any, mode: Any = "raise") -> Any:
    return _changed(np.put, a, v, ind, v, mode)


def place(arr: Any, mask: Any, vals: Any) -> Any:
    return (
        _changed(np.place, arr, vals, mask, np.atleast_1d(vals)) if mask.size == arr.size else NotImplemented
    )


def putmask(a: Any, mask: Any, values: Any) -> Any:
    return _changed(np.putmask, a, values, mask, values) if mask.size == a.size else NotImplemented


def put_along_axis(x: Any, indices: Any, values: Any, axis: Any) -> Any:
    return _changed(np.put_along_axis, x, values, indices, values, axis)


def fill_diagonal(x: Any, val: Any, wrap: Any = False) -> Any:
    return _changed(np.fill_diagonal, x, val, val, wrap)


def _changed(write: Any, x: Any, values: Any, *args: Any) -> Any:
    if type(values) not in _VALUES:
        return NotImplemented
    made = np.array(x, order="C")
    write(made, *args)
    return made


# Polynomials


def polydiv(u: Any, v: Any) -> Any:
    """NumPy's remainder is as long as its values say; this one's length is static."""
    n = v.size
    if not (u.ndim == v.ndim == 1 and n <= u.size and v[0]):
        return NotImplemented
    rest, quotient = u.copy(), np.empty(u.size - n + 1, u.dtype)
    for k in range(quotient.size):
        quotient[k] = rest[k] / v[0]
        rest[k + 1 : k + n] -= quotient[k] * v[1:]
    return quotient, rest[quotient.size :] if n > 1 else np.zeros(1, u.dtype)


def polyint(p: Any, m: Any = 1, k: Any = None) -> Any:
    known = type(m) is int and (k is None or type(k) in _VALUES)
    return np.polyint(p, m, k) if known else NotImplemented


def polyfit(x: Any, y: Any, deg: Any) -> Any:
    """NumPy warns where the points do not determine the coefficients, and LAPACK prints where they are not finite."""
    if type(deg) is not int or not 0 <= deg < x.size or not np.isfinite(x.sum() + y.sum()):
        return NotImplemented
    found, _, rank, *_ = np.polyfit(x, y, deg, full=True)
    return found if rank == deg + 1 else NotImplemented


def polyval(p: Any, x: Any) -> Any:
    return np.polyval(p, x) if p.ndim == 1 else NotImplemented


def poly(roots: Any) -> Any:
    return np.poly(roots) if roots.ndim else NotImplemented


def roots(p: Any) -> Any:
    """Always complex, as their number is what fx knows of their values."""
    found = np.roots(p) if p.ndim else p
    return found.astype(np.result_type(p, np.complex64)) if found.ndim and found.size else NotImplemented


# Without NaNs, and without NumPy's warnings of lines that have nothing else


def nanmax(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.fmax.reduce(x, axis=axis, keepdims=keepdims)


def nanmin(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.fmin.reduce(x, axis=axis, keepdims=keepdims)


def nanmean(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return _filled_mean(x, np.isnan(x), axis, keepdims)[0]


def nanvar(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    missing = np.isnan(x)
    mean, count = _filled_mean(x, missing, axis, True)
    deviation = np.where(missing, x.dtype.type(0), x - mean)
    total = np.add.reduce(deviation * deviation, axis=axis, keepdims=keepdims)
    return total / count.reshape(total.shape)


def nanstd(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return np.sqrt(nanvar(x, axis, keepdims))


def _filled_mean(x: Any, missing: Any, axis: Any, keepdims: Any) -> tuple[Any, Any]:
    """The mean of what is not missing, and how much that is."""
    total = np.add.reduce(np.where(missing, x.dtype.type(0), x), axis=axis, keepdims=keepdims)
    count = np.add.reduce(~missing, axis=axis, keepdims=keepdims, dtype=np.int64).astype(x.dtype)
    return total / count, count


def nanmedian(x: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return NotImplemented if np.isnan(x).all(axis).any() else np.nanmedian(x, axis, keepdims=keepdims)


def nanquantile(x: Any, q: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return NotImplemented if np.isnan(x).all(axis).any() else np.nanquantile(x, q, axis, keepdims=keepdims)


def nanpercentile(x: Any, q: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return NotImplemented if np.isnan(x).all(axis).any() else np.nanpercentile(x, q, axis, keepdims=keepdims)


# Made of Python numbers


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """Whole numbers exactly; others as multiples of the step in float64, so that no error adds up."""
    first, last = (0, start) if stop is None else (start, stop)
    if type(first) is type(last) is type(step) is int:
        found = np.dtype(np.int64) if dtype is None else canonical(dtype)
        return np.arange(first, last, step, found) if found.kind in "iu" else NotImplemented
    if not _finite(first, last, step) or not step:
        return NotImplemented
    line = np.arange(max(0, math.ceil((last - first) / step)), dtype=np.float64) * step + first
    return line.astype(_float(dtype), copy=False)


def linspace(start: Any, stop: Any, num: Any = 50, endpoint: Any = True, dtype: Any = None) -> Any:
    return (
        np.linspace(start, stop, num, endpoint, dtype=_float(dtype))
        if _finite(start, stop)
        else NotImplemented
    )


def logspace(start: Any, stop: Any, num: Any = 50, endpoint: Any = True, base: Any = 10.0) -> Any:
    if not _finite(start, stop, base):
        return NotImplemented
    return np.logspace(start, stop, num, endpoint, base, _float(None))


def geomspace(start: Any, stop: Any, num: Any = 50, endpoint: Any = True) -> Any:
    if not _finite(start, stop) or start * stop <= 0:
        return NotImplemented
    return np.geomspace(start, stop, num, endpoint, _float(None))


def _finite(*numbers: Any) -> bool:
    return all([type(x) is float or type(x) is int for x in numbers]) and math.isfinite(
        sum(map(abs, numbers))
    )


def _float(dtype: Any) -> Any:
    return default_float() if dtype is None else canonical(dtype)


def window(of: Any) -> Any:
    """One of NumPy's window functions, of whole numbers of points, in the default float."""

    def points(M: Any, *args: Any) -> Any:
        whole = type(M) is int and all([type(x) in (int, float) for x in args])
        return of(M, *args).astype(default_float(), copy=False) if whole else NotImplemented

    return points


def indices(dimensions: Any, dtype: Any = None) -> Any:
    found = np.dtype(np.int64) if dtype is None else canonical(dtype)
    return np.indices(dimensions, found) if type(dimensions) is tuple and dimensions else NotImplemented


def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    return np.tri(N, M, k, _float(dtype)) if _counts(N, M, k) else NotImplemented


def tril_indices(n: Any, k: Any = 0, m: Any = None) -> Any:
    return np.tril_indices(n, k, m) if _counts(n, m, k) else NotImplemented


def triu_indices(n: Any, k: Any = 0, m: Any = None) -> Any:
    return np.triu_indices(n, k, m) if _counts(n, m, k) else NotImplemented


def _counts(n: Any, m: Any, k: Any) -> bool:
    m = n if m is None else m
    return type(n) is type(m) is type(k) is int and n >= 0 and m >= 0


def eye(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    return np.eye(N, M, k, _float(dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    if type(fill_value) is not float:
        return NotImplemented
    return np.full(shape, fill_value, _float(dtype))
