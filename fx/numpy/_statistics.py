"""Covariance, correlation, counts and histograms."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh, sorting as so
from ..primitives.indexing import scatter
from ..primitives.promotion import promote
from ._arguments import inexact_operand, operand, operands, real_number, sequence, static_int
from ._arithmetic import maximum
from ._contractions import matmul
from ._creation import asarray, linspace
from ._differences import diff
from ._einsum import diagonal_of
from ._joining import concatenate
from ._parts import clip, where
from ._reductions import average, max, min, sum
from ._searching import host_values


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
) -> Array:
    """The covariance matrix of variables.

    Args:
        m, y: (variables, observations), or (observations,) for one variable; the other way round without `rowvar`.
        bias: divide by N instead of N - 1; `ddof` overrides it.
        fweights, aweights: how often each observation counts, and how much. (observations,)
    """
    x = _variables(m, rowvar)
    if y is not None:
        x = concatenate([x, _variables(y, rowvar)], 0)
    x = inexact_operand(x, "cov")
    freedom = (0 if bias else 1) if ddof is None else real_number(ddof, "cov: ddof")
    weights = _weights(fweights, aweights, x)
    if weights is None:
        centre, total, correction = sum(x, 1, keepdims=True) / x.shape[1], float(x.shape[1]), float(freedom)
        scaled = x - centre
        factor: Any = total - correction
    else:
        centre, total = average(x, 1, weights, returned=True, keepdims=True)
        total = sh.reshape(sh.slice_axis(total, 0, 1, 0), ())
        scaled = (x - centre) * weights
        spread = (
            1
            if aweights is None
            else sum(weights * el.convert(operand(aweights, "cov"), weights.dtype)) / total
        )
        factor = total - freedom * spread
    factor = maximum(factor, 0) if isinstance(factor, Array) else (factor if factor > 0 else 0.0)
    conjugate = el.conj(x - centre) if x.dtype.kind == "c" else x - centre
    c = matmul(scaled, sh.transpose(conjugate, (1, 0))) / factor
    return sh.reshape(c, ()) if c.size == 1 else c


def _variables(m: Any, rowvar: bool) -> Array:
    """Observations as (variables, observations)."""
    m = operand(m, "cov")
    if m.ndim > 2:
        raise errors.ShapeError(f"cov takes at most two axes; got {m.aval}.")
    if m.ndim < 2:
        return sh.reshape(m, (1, m.size))
    return m if rowvar else sh.transpose(m, (1, 0))


def _weights(fweights: Any, aweights: Any, x: Array) -> Array | None:
    given = [operand(w, "cov: weights") for w in (fweights, aweights) if w is not None]
    for w in given:
        if w.shape != (x.shape[1],):
            raise errors.ShapeError(f"cov: weights of shape {w.shape} for {x.shape[1]} observations.")
    if fweights is not None and given[0].dtype.kind not in "iu":
        raise errors.DTypeError(f"cov: fweights must be integers; got {given[0].aval}.")
    real = [el.convert(w, dtypes.real_of(x.dtype)) for w in given]
    return None if not real else real[0] if len(real) == 1 else real[0] * real[1]


def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Array:
    """The correlation coefficients of variables, between -1 and 1; arguments as of `cov`."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    d = el.sqrt(el.real(diagonal_of(c, 0, 1)) if c.dtype.kind == "c" else diagonal_of(c, 0, 1))
    n = d.shape[0]
    c = c / sh.reshape(d, (n, 1)) / sh.reshape(d, (1, n))
    if c.dtype.kind == "c":
        return el.make_complex(clip(el.real(c), -1, 1), clip(el.imag(c), -1, 1))
    return clip(c, -1, 1)


# Counting


def bincount(x: Any, weights: Any = None, minlength: int = 0, *, length: int | None = None) -> Array:
    """How often each non-negative integer occurs, or the sums of their weights. x: (n,)

    Args:
        length: the length of the result; larger values are left out. Without it the largest value must be known.
    """
    x = operand(x, "bincount")
    if x.ndim != 1 or x.dtype.kind not in "biu":
        raise errors.ShapeError(f"bincount takes integers along one axis; got {x.aval}.")
    x = el.convert(x, dtypes.int64)
    if type(x) is Array and x.size and host_values(x, "bincount").min() < 0:
        raise errors.ArgumentError("bincount: the values must not be negative.")
    if length is None:
        known = host_values(x, "bincount without length=")
        length = int(known.max(initial=-1)) + 1
        length = length if length > minlength else static_int(minlength, "bincount: minlength")
    weights = None if weights is None else inexact_operand(weights, "bincount: weights")
    return _counts(x, static_int(length, "bincount: length"), weights, "bincount")


def _counts(places: Array, length: int, weights: Any, name: str) -> Array:
    """Weights (default 1) summed by place; places outside are left out."""
    if weights is None:
        added = sh.full(places.shape, 1, dtypes.int64)
    else:
        added = operand(weights, f"{name}: weights")
        if added.shape != places.shape:
            raise errors.ShapeError(
                f"{name}: weights of shape {added.shape} for values of shape {places.shape}."
            )
    outside = el.lt(places, np.int64(0))
    places = el.select(outside, np.int64(length), places)
    zeros = sh.full((length,), 0, added.dtype)
    return scatter(zeros, added, places, axes=(0,), at=0, op="add", mode="fill")


def digitize(x: Any, bins: Any, right: bool = False) -> Array:
    """The number of the bin that each element falls into. bins: (n,), rising or falling.

    Bin i of rising edges is bins[i-1] <= x < bins[i]; with `right`, bins[i-1] < x <= bins[i]. 0 and n lie outside.
    """
    x, bins = operands("digitize", *promote(x, bins))
    if bins.ndim != 1:
        raise errors.ShapeError(f"digitize takes bins of one axis; got {bins.aval}.")
    _check_monotonic(bins)
    n = bins.size
    rising = so.searchsorted(bins, x, "left" if right else "right")
    if n < 2:
        return rising
    falling = n - so.searchsorted(sh.reverse(bins, axes=(0,)), x, "right" if right else "left")
    is_rising = el.le(sh.slice_axis(bins, 0, 1, 0), sh.slice_axis(bins, n - 1, n, 0))
    return el.select(sh.reshape(is_rising, ()), rising, falling)


def _check_monotonic(bins: Array) -> None:
    if type(bins) is Array:
        steps = np.diff(host_values(bins, "digitize"))
        if not (np.all(steps >= 0) or np.all(steps <= 0)):
            raise errors.ArgumentError("digitize: the bins must rise or fall throughout.")


def histogram_bin_edges(x: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    """The edges of `bins` equal bins between the smallest and the largest element (or over `range`)."""
    if not isinstance(bins, (int, np.integer)):
        if isinstance(bins, str):
            raise errors.ArgumentError(
                "histogram: bins is a number of bins or the edges; rules by name are NumPy's."
            )
        edges = asarray(bins)
        if edges.ndim != 1:
            raise errors.ShapeError(
                f"histogram: bins have shape {edges.shape}; give a number or edges along one axis."
            )
        if type(edges) is Array and np.any(np.diff(host_values(edges, "histogram")) < 0):
            raise errors.ArgumentError("histogram: the edges must rise.")
        return edges
    bins = static.integer(bins, "histogram: bins")
    if range is not None and len(static.members(range, "histogram: range")) != 2:
        raise errors.ArgumentError(f"histogram: range is a pair (low, high); got {errors.brief(range)}.")
    if bins < 1:
        raise errors.ArgumentError(f"histogram: the number of bins must be positive; got {bins}.")
    x = inexact_operand(x, "histogram")
    if range is None:
        low, high = (min(x), max(x)) if x.size else (asarray(0.0), asarray(1.0))
    else:
        low, high = asarray(range[0]), asarray(range[1])
    low, high = operands("histogram", *promote(low, high, inexact=True))
    flat = el.eq(low, high)
    return linspace(where(flat, low - 0.5, low), where(flat, high + 0.5, high), int(bins) + 1, dtype=x.dtype)


def histogram(
    x: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Array, Array]:
    """Counts (or sums of weights) of the elements in each bin, and the bin edges. The last bin includes its end.

    Args:
        bins: a static number of equal bins, or the edges.
        density: scale so that the integral over the bins is 1.
    """
    x = operand(x, "histogram")
    edges = histogram_bin_edges(x, bins, range)
    places = _bin_of(sh.reshape(x, (x.size,)), edges)
    if weights is not None:
        weights = operand(weights, "histogram: weights")
        weights = sh.reshape(weights, (weights.size,))
    counts = _counts(places, edges.size - 1, weights, "histogram")
    if density:
        widths = diff(edges)
        counts = counts / widths / sum(counts)
    return counts, edges


def _bin_of(x: Array, edges: Array) -> Array:
    """The bin of each element; -1 or the number of bins outside. The last bin includes its end."""
    x, lines = operands("histogram", *promote(x, edges))
    n = lines.size - 1
    last = sh.reshape(sh.slice_axis(lines, n, n + 1, 0), ())
    places = so.searchsorted(lines, x, "right") - 1
    places = el.select(el.eq(x, last), np.int64(n - 1), places)
    return el.select(el.isnan(x), np.int64(-1), places)


def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Array, Array, Array]:
    """Counts of points (x[i], y[i]) in the cells of a grid, and the edges along both axes; see `histogramdd`."""
    points = [operand(v, "histogram2d") for v in (x, y)]
    if not isinstance(bins, (int, np.integer)) and len(bins) != 2:
        bins = [bins, bins]
    counts, (first, second) = histogramdd(points, bins, range, density, weights)
    return counts, first, second


def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Array, list[Array]]:
    """Counts of points in the cells of a grid, and the edges along each axis.

    Args:
        sample: (n, d), or d arrays of shape (n,).
        bins: a number for all axes, or per axis a number or edges.
        range: (low, high) per axis; None: that of the values.
    """
    if isinstance(sample, (list, tuple)):
        columns = [operand(v, "histogramdd") for v in sample]
    else:
        table = operand(sample, "histogramdd")
        table = sh.reshape(table, (table.size, 1)) if table.ndim == 1 else table
        if table.ndim != 2:
            raise errors.ShapeError(
                f"histogramdd takes points (n, d) or a list of coordinates; got {table.aval}."
            )
        columns = [
            sh.reshape(sh.slice_axis(table, i, i + 1, 1), (table.shape[0],))
            for i in builtins.range(table.shape[1])
        ]
    d = len(columns)
    per_axis = [bins] * d if isinstance(bins, (int, np.integer)) else sequence(bins, "histogramdd")
    ranges = [None] * d if range is None else static.members(range, "histogramdd: range")
    if len(per_axis) != d or len(ranges) != d or len({c.shape for c in columns}) != 1:
        raise errors.ShapeError(
            f"histogramdd: {d} coordinates, {len(per_axis)} bins and {len(ranges)} ranges do not fit."
        )
    edges = [histogram_bin_edges(c, b, r) for c, b, r in zip(columns, per_axis, ranges, strict=True)]
    flat = sh.full(columns[0].shape, 0, dtypes.int64)
    inside = sh.full(columns[0].shape, True, dtypes.bool_)
    for c, line in zip(columns, edges, strict=True):
        place = _bin_of(c, line)
        n = line.size - 1
        inside = inside & (place >= 0) & (place < n)
        flat = flat * n + place
    shape = tuple(line.size - 1 for line in edges)
    counts = _counts(el.select(inside, flat, np.int64(-1)), math.prod(shape), weights, "histogramdd")
    counts = sh.reshape(counts, shape)
    counts = el.convert(counts, dtypes.default_float()) if weights is None else counts
    if density:
        total = sum(counts)
        for axis, line in enumerate(edges):
            widths = diff(line)
            counts = counts / sh.reshape(
                widths, tuple(widths.size if i == axis else 1 for i in builtins.range(d))
            )
        counts = counts / total
    return counts, edges
