"""Interpolation, and convolution of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh, sorting as so
from ..primitives.convolution import conv_general
from ..primitives.promotion import promote
from ._arguments import operand, operands
from ._arithmetic import absolute, remainder
from ._joining import concatenate
from ._native import DOUBLE, FLOATS, natively
from ._parts import where
from .indexing import take


@natively(np.interp, DOUBLE, data=3, floats=True)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Array:
    """The piecewise linear function through the points (xp, fp), at x; constant outside.

    Args:
        xp, fp: (n,), xp rising (in any order with `period`).
        left, right: values below the first and above the last point, default fp[0] and fp[-1].
        period: of the function; then left and right are not used.
    """
    x, xp, fp = operands("interp", *promote(x, xp, fp, inexact=True))
    if xp.ndim != 1 or fp.shape != xp.shape or not xp.size:
        raise errors.ShapeError(
            f"interp needs points xp and fp along one axis of one size; got {xp.aval}, {fp.aval}."
        )
    if period is not None:
        x, xp, fp = _one_period(x, xp, fp, period)
        left = right = None
    n = xp.size
    first, last = _element(xp, 0), _element(xp, n - 1)
    low = left if left is not None else _element(fp, 0)
    high = right if right is not None else _element(fp, n - 1)
    y = _between_points(x, xp, fp)
    below, above = el.lt(x, first), el.gt(x, last)
    return where(below, low, where(above, high, y))


def _between_points(x: Array, xp: Array, fp: Array) -> Array:
    n = xp.size
    if n == 1:
        return el.select(el.isnan(x), x, sh.broadcast_to(fp, x.shape) if x.shape else _element(fp, 0))
    i = so.searchsorted(xp, x, "right") - 1
    i = el.maximum(el.minimum(i, np.int64(n - 2)), np.int64(0))
    x0, x1 = (take(xp, j, axis=0, mode="promise_in_bounds") for j in (i, i + 1))
    y0, y1 = (take(fp, j, axis=0, mode="promise_in_bounds") for j in (i, i + 1))
    width = x1 - x0
    flat = el.eq(width, width.dtype.type(0))
    slope = (y1 - y0) / el.select(flat, width.dtype.type(1), width)
    at_end = el.eq(x, x1)
    from_x, from_y = el.select(at_end, x1, x0), el.select(at_end, y1, y0)
    return slope * (x - from_x) + from_y


def _one_period(x: Array, xp: Array, fp: Array, period: Any) -> tuple[Array, Array, Array]:
    """Everything brought into [0, period), points sorted, one more point on either side."""
    period = operand(period, "interp: period")
    if period.shape != ():
        raise errors.ShapeError(f"interp: period must be one number; got {period.aval}.")
    period = absolute(period)
    x, xp = remainder(x, period), remainder(xp, period)
    order = so.argsort(xp, 0)
    xp, fp = take(xp, order, axis=0), take(fp, order, axis=0)
    ends = lambda v, i: sh.slice_axis(v, i, i + 1, 0)
    n = xp.size
    xp = concatenate([ends(xp, n - 1) - period, xp, ends(xp, 0) + period])
    return x, xp, concatenate([ends(fp, n - 1), fp, ends(fp, 0)])


def _element(v: Array, i: int) -> Array:
    return sh.reshape(sh.slice_axis(v, i, i + 1, 0), ())


@natively(np.convolve, FLOATS, data=2)
def convolve(a: Any, v: Any, mode: str = "full") -> Array:
    """The discrete convolution of two sequences, sum over k of a[k] v[n - k].

    Args:
        mode: "full" (all n + m - 1 overlaps), "same" (the middle max(n, m)) or "valid" (complete overlaps).

    Traced, NaN and infinities of the shorter sequence also meet zeros beyond the ends of the longer one.
    """
    a, v = _sequences(a, v, "convolve")
    if a.size < v.size:
        a, v = v, a
    return _slide(a, sh.reverse(v, axes=(0,)), mode, "convolve")


@natively(np.correlate, FLOATS, data=2)
def correlate(a: Any, v: Any, mode: str = "valid") -> Array:
    """The cross-correlation of two sequences, sum over n of a[n + k] conj(v[n]); modes as of `convolve`."""
    a, v = operand(a, "correlate"), operand(v, "correlate")
    if not (a.ndim and v.ndim):
        raise errors.ShapeError(f"correlate takes two sequences; got {a.aval}, {v.aval}.")
    a, v = _sequences(a, v, "correlate")
    v = el.conj(v) if v.dtype.kind == "c" else v
    if a.size >= v.size:
        return _slide(a, v, mode, "correlate")
    return sh.reverse(_slide(v, a, mode, "correlate"), axes=(0,))


def _sequences(a: Any, v: Any, name: str) -> list[Array]:
    both = operands(name, *promote(a, v))
    if any(x.ndim > 1 for x in both) or any(x.size == 0 for x in both):
        raise errors.ShapeError(
            f"{name} takes two sequences that are not empty; got {both[0].aval}, {both[1].aval}."
        )
    return [sh.reshape(x, (x.size,)) for x in both]


def _slide(a: Array, v: Array, mode: str, name: str) -> Array:
    """v moved along the longer a."""
    m = v.size
    margins = {"full": (m - 1, m - 1), "same": (m // 2, m - 1 - m // 2), "valid": (0, 0)}
    static.choice(mode, tuple(margins), f"{name}: mode")
    low, high = margins[mode]
    y = conv_general(sh.reshape(a, (1, 1, a.size)), sh.reshape(v, (1, 1, m)), padding=[(low, high)])
    return sh.reshape(y, (y.size,))
