"""Counting: bincount, digitize, histograms of one and more variables."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh, sorting as so
from ..primitives.indexing import scatter
from ..primitives.promotion import is_scalar, promote
from . import _on_host as host
from ._arguments import inexact_operand, operand, operands, refuse_complex, sequence, static_int
from ._creation import asarray, asarray_beside
from ._differences import diff
from ._native import DOUBLE, REALS, WHOLE, natively
from ._parts import where
from ._ranges import linspace
from ._reductions import max, min, sum
from ._searching import host_values


@natively(host.bincount, WHOLE)
def bincount(x: Any, weights: Any = None, minlength: int = 0, *, length: int | None = None) -> Array:
    """How often each non-negative integer occurs, or the sums of their weights. x: (n,)

    Args:
        length: the length of the result; larger values are left out. Without it the largest value must be known.
    """
    x = operand(x, "bincount")
    if x.ndim != 1 or x.dtype.kind not in "biu":
        raise errors.ShapeError(f"bincount takes integers along one axis; got {x.aval}.")
    x = el.convert(x, dtypes.int64)
    if static_int(minlength, "bincount: minlength") < 0:
        raise errors.ArgumentError(f"bincount: minlength must not be negative; got {minlength}.")
    if weights is not None:
        refuse_complex(operand(weights, "bincount: weights"), "bincount: weights")
    if type(x) is Array and x.size and host_values(x, "bincount").min() < 0:
        raise errors.ArgumentError("bincount: the values must not be negative.")
    if length is None:
        known = host_values(x, "bincount without length=")
        length = int(known.max(initial=-1)) + 1
        length = builtins.max(length, static_int(minlength, "bincount: minlength"))
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
    zeros = sh.full((length,), 0, added.dtype)
    places = el.select(outside, np.int64(length), places)
    return scatter(zeros, added, places, axes=(0,), at=0, op="add", mode="fill")


@natively(host.digitize, REALS, data=2)
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
    falling = n - so.searchsorted(sh.reverse(bins, axes=(0,)), x, "left" if right else "right")
    is_rising = el.le(sh.slice_axis(bins, 0, 1, 0), sh.slice_axis(bins, n - 1, n, 0))
    return el.select(sh.reshape(is_rising, ()), rising, falling)


def _check_monotonic(bins: Array) -> None:
    if type(bins) is Array:
        steps = np.diff(host_values(bins, "digitize"))
        if not (np.all(steps >= 0) or np.all(steps <= 0)):
            raise errors.ArgumentError("digitize: the bins must rise or fall throughout.")


@natively(np.histogram_bin_edges, DOUBLE, view=True)
def histogram_bin_edges(x: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    """The edges of `bins` equal bins between the smallest and the largest element (or over `range`).

    `bins` may be one of NumPy's rules ("auto", "fd", "sturges" ...), which counts the bins from known values.
    """
    if isinstance(bins, str):
        bins = _bins_by_rule(x, bins, range, weights)
    if not isinstance(bins, (int, np.integer)):
        edges = asarray_beside(bins, operand(x, "histogram"))
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
        low, high = (asarray(v, x.dtype if is_scalar(v) else None) for v in range)
    low, high = operands("histogram", *promote(low, high, inexact=True))
    _refuse_endless(low, high)
    flat = el.eq(low, high)
    return linspace(where(flat, low - 0.5, low), where(flat, high + 0.5, high), int(bins) + 1, dtype=x.dtype)


def _refuse_endless(*ends: Array) -> None:
    """Ends of a range that are known must be finite."""
    if any(type(x) is Array and not np.isfinite(host_values(x, "histogram")).all() for x in ends):
        raise errors.ArgumentError(f"histogram: the range {ends[0]} to {ends[1]} is not finite.")


def _bins_by_rule(x: Any, rule: str, range: Any, weights: Any) -> int:
    known = host_values(operand(x, "histogram"), "histogram by a rule")
    try:
        return np.histogram_bin_edges(known, rule, range, weights).size - 1
    except (ValueError, TypeError) as e:
        raise errors.ArgumentError(f"histogram: {e}") from e


@natively(np.histogram, DOUBLE, floats=True, view=True)
def histogram(
    x: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Array, Array]:
    """Counts (or sums of weights) of the elements in each bin, and the bin edges. The last bin includes its end.

    Args:
        bins: a static number of equal bins, or the edges.
        density: scale so that the integral over the bins is 1.
    """
    x = operand(x, "histogram")
    edges = histogram_bin_edges(x, bins, range, weights)
    places = _bin_of(sh.reshape(x, (x.size,)), edges)
    if weights is not None:
        weights = operand(weights, "histogram: weights")
        if weights.shape != operand(x, "histogram").shape:
            raise errors.ShapeError(
                f"histogram: weights of shape {weights.shape} for values of shape {operand(x, 'histogram').shape}."
            )
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


@natively(host.histogram2d, DOUBLE, data=2, view=True)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[Array, Array, Array]:
    """Counts of points (x[i], y[i]) in the cells of a grid, and the edges along both axes; see `histogramdd`."""
    points = [operand(v, "histogram2d") for v in (x, y)]
    if not isinstance(bins, (int, np.integer)) and len(sequence(bins, "histogram2d")) != 2:
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
    columns = _columns(sample)
    d = len(columns)
    per_axis = [bins] * d if isinstance(bins, (int, np.integer)) else sequence(bins, "histogramdd")
    ranges = [None] * d if range is None else static.members(range, "histogramdd: range")
    if len(per_axis) != d or len(ranges) != d or len({c.shape for c in columns}) != 1:
        raise errors.ShapeError(
            f"histogramdd: {d} coordinates, {len(per_axis)} bins and {len(ranges)} ranges do not fit."
        )
    edges = [histogram_bin_edges(c, b, r) for c, b, r in zip(columns, per_axis, ranges, strict=True)]
    shape = tuple(line.size - 1 for line in edges)
    cells = _cells(columns, edges)
    counts = sh.reshape(_counts(cells, math.prod(shape), weights, "histogramdd"), shape)
    counts = el.convert(counts, dtypes.default_float()) if weights is None else counts
    return (_densities(counts, edges) if density else counts), edges


def _columns(sample: Any) -> list[Array]:
    """The coordinates of points, one array per axis."""
    if isinstance(sample, (list, tuple)):
        return [operand(v, "histogramdd") for v in sample]
    table = operand(sample, "histogramdd")
    table = sh.reshape(table, (table.size, 1)) if table.ndim == 1 else table
    if table.ndim != 2:
        raise errors.ShapeError(
            f"histogramdd takes points (n, d) or a list of coordinates; got {table.aval}."
        )
    n, d = table.shape
    return [sh.reshape(sh.slice_axis(table, i, i + 1, 1), (n,)) for i in builtins.range(d)]


def _cells(columns: list[Array], edges: list[Array]) -> Array:
    """The number of the cell of each point in C order; -1 outside."""
    flat: Any = np.int64(0)
    inside: Any = np.bool_(True)
    for c, line in zip(columns, edges, strict=True):
        place, n = _bin_of(c, line), line.size - 1
        inside = (place >= 0) & (place < n) & inside
        flat = place + flat * n
    return el.select(inside, flat, np.int64(-1))


def _densities(counts: Array, edges: list[Array]) -> Array:
    """Counts divided by their sum and by the volume of their cell."""
    scaled = counts / sum(counts)
    for axis, line in enumerate(edges):
        thin = tuple(line.size - 1 if i == axis else 1 for i in builtins.range(len(edges)))
        scaled = scaled / sh.reshape(diff(line), thin)
    return scaled
