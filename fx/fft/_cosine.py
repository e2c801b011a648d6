"""Discrete cosine transforms of types 1 to 4, as SciPy defines them, through real Fourier transforms.

float16 and bfloat16 are computed in float32; integers become the default float; complex numbers are transformed
in their parts. Types 2 and 3: J. Makhoul, "A fast cosine transform in one and two dimensions" (1980).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..numpy.fft import fft, irfft, rfft
from ..primitives.fourier import NORMS, SWAPPED

_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}
_ROOT_HALF = math.sqrt(0.5)


def dct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The cosine transform along an axis, of N points with places j and frequencies k from 0 to N - 1.

    With t(j, k) = 2 cos(angle), and 1 and cos(pi k) instead at the ends of type 1, 1 at j = 0 of type 3:

        type 1   pi j k / (N - 1)                 (N must be 2 or more)
        type 2   pi (2 j + 1) k / (2 N)
        type 3   pi j (2 k + 1) / (2 N)           the inverse of type 2, times 2 N
        type 4   pi (2 j + 1) (2 k + 1) / (4 N)

    Args:
        n: number of points: the axis is cut, or filled up with zeros; default its size.
        norm: "backward" (None): as above; "forward": divided by 2 N, for type 1 by 2 (N - 1); "ortho": divided by the
            root of that, with the ends (for types 2 and 3 the frequency 0) weighted so that the matrix is orthogonal.

    >>> import fx
    >>> fx.fft.dct(fx.numpy.array([1.0, 2.0, 1.0]), type=1)
    Array([ 6.,  0., -2.], float32)
    """
    x = _operand(x, "dct")
    return _along(x, _type(type, "dct"), n, axis, _norm(norm, "dct"), "dct")


def idct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of `dct` with the same type and norm."""
    x, inverse = _operand(x, "idct"), _INVERSE[_type(type, "idct")]
    return _along(x, inverse, n, axis, SWAPPED[_norm(norm, "idct")], "idct")


def dctn(
    x: Any,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:
    """`dct` along several axes.

    Args:
        s: number of points along each of `axes`; -1 takes the size of the axis.
        axes: distinct; default the last len(s) axes, or all.
    """
    return _over(x, s, axes, _type(type, "dctn"), _norm(norm, "dctn"), "dctn")


def idctn(
    x: Any,
    type: int = 2,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str | None = None,
) -> Array:
    """The inverse of `dctn` with the same type, axes and norm."""
    inverse = _INVERSE[_type(type, "idctn")]
    return _over(x, s, axes, inverse, SWAPPED[_norm(norm, "idctn")], "idctn")


def _over(x: Any, s: Any, axes: Any, type: int, norm: str, name: str) -> Array:
    x = _operand(x, name)
    sizes = None if s is None else static.integers(s, f"{name}: s")
    if axes is None:
        axes = range(-x.ndim if sizes is None else -len(sizes), 0)
    axes = [static.axis(a, x.ndim, name) for a in static.integers(axes, f"{name}: axes")]
    if len(set(axes)) != len(axes) or (sizes is not None and len(sizes) != len(axes)):
        raise errors.ShapeError(
            f"{name}: axes {tuple(axes)} must be distinct, with one size each in s={sizes}."
        )
    for i, axis in enumerate(axes):
        x = _along(x, type, None if sizes is None or sizes[i] == -1 else sizes[i], axis, norm, name)
    return x


def _operand(x: Any, name: str) -> Array:
    x = x if isinstance(x, Array) else fnp.asarray(x)
    return x if x.aval.inexact else x.astype(dtypes.default_float())


def _type(type: Any, name: str) -> int:
    found = static.integer(type, f"{name}: type")
    if found not in _INVERSE:
        raise errors.ArgumentError(f"{name}: there are types 1, 2, 3 and 4; got {found}.")
    return found


def _norm(norm: Any, name: str) -> str:
    return "backward" if norm is None else static.choice(norm, NORMS, f"{name}: norm")


def _along(x: Array, type: int, n: Any, axis: int, norm: str, name: str) -> Array:
    """One transform along an axis, moved to the end, of numbers that are not complex, in float32 at least."""
    if x.dtype.kind == "c":
        re, im = (_along(part, type, n, axis, norm, name) for part in (fnp.real(x), fnp.imag(x)))
        return re + 1j * im
    axis = static.axis(axis, x.ndim, name)
    n = x.shape[axis] if n is None else static.integer(n, f"{name}: n")
    if n < (2 if type == 1 else 1):
        raise errors.ShapeError(f"{name} of type {type}: too few points, {n}, along axis {axis} of {x.aval}.")
    y = fnp.moveaxis(x, axis, -1)
    y = y.astype(fnp.float32) if dtypes.is_low_precision(x.dtype) else y
    y = _scaled(_resized(y, n), type, n, norm)
    return fnp.moveaxis(y, -1, axis).astype(x.dtype)


def _resized(x: Array, n: int) -> Array:
    have = x.shape[-1]
    return x[..., :n] if n <= have else fnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, n - have)])


def _scaled(x: Array, type: int, n: int, norm: str) -> Array:
    period = 2 * (n - 1) if type == 1 else 2 * n
    if norm != "ortho":
        y = _TRANSFORMS[type](x, n)
        return y if norm == "backward" else y / period
    if type in (1, 3):
        x = _weighted(x, type, n, 1 / _ROOT_HALF)
    y = _TRANSFORMS[type](x, n) / math.sqrt(period)
    return _weighted(y, type, n, _ROOT_HALF) if type in (1, 2) else y


def _weighted(x: Array, type: int, n: int, weight: float) -> Array:
    """x with its first element, for type 1 also the last, times `weight`."""
    place = fnp.arange(n)
    at_end = (place == 0) | (place == n - 1) if type == 1 else place == 0
    return fnp.where(at_end, x * weight, x)


def _type_1(x: Array, n: int) -> Array:
    """The spectrum of the even sequence x[0], ..., x[n-1], ..., x[1]."""
    return fnp.real(rfft(fnp.concatenate([x, x[..., n - 2 : 0 : -1]], axis=-1)))


def _type_2(x: Array, n: int) -> Array:
    """Even places, then the odd ones backward: the turned half spectrum has one half of the result in each part."""
    ordered = fnp.concatenate([x[..., ::2], x[..., 1::2][..., ::-1]], axis=-1)
    turned = 2 * rfft(ordered) * _turns(-0.25 / n, n // 2 + 1, x)
    return fnp.concatenate([fnp.real(turned), -fnp.imag(turned[..., 1 : (n + 1) // 2][..., ::-1])], axis=-1)


def _type_3(x: Array, n: int) -> Array:
    """The steps of type 2 backward."""
    mirrored = fnp.concatenate([fnp.zeros_like(x[..., :1]), x[..., ::-1]], axis=-1)
    half = (x - 1j * mirrored[..., :n])[..., : n // 2 + 1]
    ordered = irfft(half * _turns(0.25 / n, n // 2 + 1, x), n, norm="forward")
    even, odd = ordered[..., : (n + 1) // 2], ordered[..., (n + 1) // 2 :][..., ::-1]
    pairs = fnp.stack([even, _resized(odd, even.shape[-1])], axis=-1)
    return pairs.reshape(*x.shape[:-1], -1)[..., :n]


def _type_4(x: Array, n: int) -> Array:
    """A spectrum of 2 n points, turned before and after it by a quarter of a step."""
    spectrum = fft(x * _turns(-0.25 / n, n, x), 2 * n)[..., :n]
    return 2 * fnp.real(spectrum * _turns(-0.25 / n, n, x, 0.5))


_TRANSFORMS = {1: _type_1, 2: _type_2, 3: _type_3, 4: _type_4}


def _turns(step: float, count: int, like: Array, start: float = 0.0) -> Array:
    """exp(2 pi i step (k + start)) for k below `count`, computed in double precision."""
    angle = (fnp.arange(count, dtype=fnp.float64) + start) * (2 * math.pi * step)
    return (fnp.cos(angle) + 1j * fnp.sin(angle)).astype(dtypes.complex_of(like.dtype))
