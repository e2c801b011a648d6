"""Least-squares lines taken away from a signal, and its analytic continuation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..numpy.fft import fft, ifft
from ._arguments import array, wide


def detrend(
    data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: Any = None
) -> Array:
    """data without its mean, or without the line that fits it best, along an axis.

    Args:
        type: "linear" or "constant".
        bp: points at which a new line begins; linear alone.
        overwrite_data: accepted for SciPy's sake; arrays never change.
    """
    static.choice(type, ("linear", "l", "constant", "c"), "detrend: type")
    x = array(data, "detrend")
    axis = static.axis(axis, x.ndim, "detrend")
    if type in ("constant", "c"):
        return x - fnp.mean(x, axis=axis, keepdims=True)
    n = x.shape[axis]
    breaks = sorted({0, n, *static.integers(_listed(bp), "detrend: bp")})
    if breaks[0] < 0 or breaks[-1] > n:
        raise errors.ShapeError(f"detrend: break points {bp} must lie within axis {axis} of {x.aval}.")
    y = fnp.moveaxis(wide(x, "detrend"), axis, -1)
    pieces = [_without_line(y[..., a:b]) for a, b in itertools.pairwise(breaks)]
    y = fnp.concatenate(pieces, axis=-1) if pieces else y
    return fnp.moveaxis(y, -1, axis).astype(x.dtype)


def _listed(bp: Any) -> Any:
    return np.asarray(bp).reshape(-1) if isinstance(bp, (Array, np.ndarray)) else bp


def _without_line(y: Array) -> Array:
    """The line has its mean in the middle, where the places t have theirs, so both coefficients are apart."""
    n = y.shape[-1]
    t = (fnp.arange(n, dtype=fnp.float64) - (n - 1) / 2).astype(dtypes.real_of(y.dtype))
    y = y - fnp.mean(y, axis=-1, keepdims=True)
    slope = fnp.sum(y * t, axis=-1, keepdims=True) * (12 / max(n * (n * n - 1), 1))
    return y - slope * t


def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Array:
    """The analytic signal: x + i times its Hilbert transform; its absolute value is the envelope of x.

    Args:
        N: number of points: the axis is cut, or filled up with zeros; default its size.
    """
    x = wide(x, "hilbert")
    if x.dtype.kind == "c":
        raise errors.DTypeError(f"hilbert takes real numbers; got {x.aval}.")
    axis = static.axis(axis, x.ndim, "hilbert")
    spectrum = fnp.moveaxis(fft(x, N, axis), axis, -1)
    n = spectrum.shape[-1]
    place = fnp.arange(n)
    weight = fnp.where(place * 2 < n, 2.0, 0.0)
    weight = fnp.where((place == 0) | (place * 2 == n), 1.0, weight).astype(x.dtype)
    return fnp.moveaxis(ifft(spectrum * weight), -1, axis)
