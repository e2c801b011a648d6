"""B-splines of order 0 to 5: their values, and the coefficients of the spline through given values.

Source: M. Unser, A. Aldroubi and M. Eden, "B-spline signal processing" (1993). The recursive filter that gives the
coefficients has an impulse response which is below rounding after some tens of points: it is a convolution here, of
the values and what lies beyond them.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..numpy._arguments import owned
from ..primitives.convolution import conv_general

EXTENSIONS = {"mirror": "reflect", "reflect": "symmetric", "grid-wrap": "wrap"}
"""Modes by which values are continued, and fx.numpy.pad's names of them."""

_SUMS = {
    2: (-6.0,),
    3: (-4.0,),
    4: (-38 - math.sqrt(1216), 228 / (-38 - math.sqrt(1216))),
    5: (-13 - math.sqrt(105), 64 / (-13 - math.sqrt(105))),
}
"""z + 1 / z at the poles of the filter: roots of w + 6, w + 4, w**2 + 76 w + 228, w**2 + 26 w + 64."""


def spline_filter(input: Any, order: int = 3, mode: str = "mirror") -> Array:
    """The coefficients of the spline through the values of an array, along all axes.

    Args:
        order: 0 to 5; below 2 the values are the coefficients.
        mode: how the array is continued: "mirror" (about its last points), "reflect" (about its edges), "grid-wrap".

    Floating-point and complex numbers keep their dtype; integers become the default float.
    """
    x = owned(input, "spline_filter")
    x = x if x.aval.inexact else x.astype(float)
    static.choice(mode, tuple(EXTENSIONS), "spline_filter: mode")
    work = x.astype(fnp.float32) if dtypes.is_low_precision(x.dtype) else x
    return coefficients(work, spline_order(order, "spline_filter"), mode).astype(x.dtype)


def spline_order(order: Any, name: str) -> int:
    found = static.integer(order, f"{name}: order")
    if not 0 <= found <= 5:
        raise errors.ArgumentError(f"{name}: splines have order 0 to 5; got {found}.")
    return found


def coefficients(x: Array, order: int, mode: str) -> Array:
    """The coefficients for values x, not empty, continued by a mode of EXTENSIONS."""
    if order < 2:
        return x
    response = _response(order)
    reach = len(response) // 2
    for axis in range(x.ndim):
        if x.shape[axis] > 1:
            x = _convolved(x, axis, response, reach, mode)
    return x


def _convolved(x: Array, axis: int, response: Any, reach: int, mode: str) -> Array:
    y = fnp.moveaxis(x, axis, -1)
    rows = fnp.reshape(y, (math.prod(y.shape[:-1]), 1, y.shape[-1]))
    rows = fnp.pad(rows, [(0, 0), (0, 0), (reach, reach)], EXTENSIONS[mode])
    found = conv_general(rows, fnp.asarray(response, dtype=x.dtype)[None, None])
    return fnp.moveaxis(fnp.reshape(found, y.shape), -1, axis)


@functools.cache
def _response(order: int) -> Any:
    """Of the inverse of sampling a spline: a convolution of (1 - z)**2 / (1 - z**2) z**|k| over the poles z."""
    total = np.ones(1)
    for w in _SUMS[order]:
        z = 2 / (w - math.sqrt(w * w - 4))
        reach = math.ceil(math.log(1e-18) / math.log(-z))
        k = np.abs(np.arange(-reach, reach + 1))
        total = np.convolve(total, (1 - z) ** 2 / (1 - z * z) * z**k)
    return total


def basis(order: int, t: Array) -> Array:
    """The B-spline of an order, centered at 0, at t."""
    if order == 0:
        return fnp.ones_like(t)
    inside = (order + 1) / 2 - fnp.abs(t)
    total: Any = 0.0
    for k in range(order // 2 + 1):
        weight = (-1) ** k * math.comb(order + 1, k) / math.factorial(order)
        total = total + weight * fnp.maximum(inside - k, 0.0) ** order
    return total
