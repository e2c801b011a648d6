"""Choosing, bounding and taking elements apart: where, clip, rounding, real and imaginary parts, bits of floats."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from ..primitives.promotion import binary_function, promote
from . import _on_host as host
from ._arguments import (
    in_dtype,
    inexact_operand,
    operand,
    operands,
    owned,
    real_number,
    refuse_complex,
    static_int,
)
from ._arithmetic import absolute, maximum, minimum
from ._dtypes import finfo
from ._elementary import arctan2
from ._logic import truth
from ._native import FLOATS, INEXACT, INTEGERS, natively
from ._searching import nonzero

copysign = binary_function(el.copysign, "copysign", "|x| with the sign of y.", inexact=True)
nextafter = binary_function(
    el.nextafter, "nextafter", "The floating-point number after x towards y.", inexact=True
)
gcd = binary_function(el.gcd, "gcd", "The greatest common divisor of |x| and |y|; gcd(0, 0) is 0.")


@natively(np.lcm, INTEGERS)
def lcm(x: Any, y: Any, /) -> Array:
    """The least common multiple of |x| and |y|; 0 if one is 0."""
    x, y = operands("lcm", *promote(x, y))
    common = gcd(x, y)
    one = x.dtype.type(1)
    return absolute(x) // el.select(common == 0, one, common) * absolute(y)


def clip(x: Any, /, min: Any = None, max: Any = None, *, a_min: Any = None, a_max: Any = None) -> Array:
    """x, or the bound that it exceeds; None is no bound. At a bound the derivative is shared.

    `a_min` and `a_max` are NumPy's older names of the bounds. If they cross, the upper one wins.
    """
    low, high = _one_of("min", min, a_min), _one_of("max", max, a_max)
    if low is None and high is None:
        return owned(x, "clip")
    y = x if low is None else maximum(x, low)
    return y if high is None else minimum(y, high)


def _one_of(name: str, value: Any, older: Any) -> Any:
    if value is not None and older is not None:
        raise errors.ArgumentError(f"clip: {name} and a_{name} are two names of one bound; give one of them.")
    return older if value is None else value


def where(
    condition: Any, x: Any = None, y: Any = None, /, *, size: int | None = None, fill_value: Any = 0
) -> Any:
    """x where the condition is nonzero, else y; all three broadcast. With the condition alone: `nonzero`."""
    if x is None and y is None:
        return nonzero(condition, size=size, fill_value=fill_value)
    if x is None or y is None:
        raise errors.ArgumentError("where takes a condition alone, or with both x and y.")
    return el.select(truth(condition, "where"), *promote(x, y))


def real_if_close(a: Any, tol: float = 100) -> Array:
    """The real part, where all known imaginary parts are below `tol` (in units of eps, if above 1); else a."""
    x = owned(a, "real_if_close")
    if x.dtype.kind != "c":
        return x
    bound = real_number(tol, "real_if_close: tol")
    bound = bound * finfo(x.dtype).eps if bound > 1 else bound
    return el.real(x) if bool((absolute(el.imag(x)) < float(bound)).all()) else x


@natively(np.heaviside)
def heaviside(x: Any, h0: Any, /) -> Array:
    """0 for negative x, h0 at 0, 1 for positive x; NaN stays. The derivative by x is 0."""
    x, h0 = operands("heaviside", *promote(x, h0, inexact=True))
    number = x.dtype.type
    step = el.select(
        el.lt(x, number(0)), number(0), el.select(el.gt(x, number(0)), number(1), number(math.nan))
    )
    return el.select(el.eq(x, number(0)), h0, step)


@natively(host.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    """NaN and infinities replaced by numbers: 0 and the largest finite ones unless given."""
    x = owned(x, "nan_to_num")
    if not x.aval.inexact:
        return x
    if x.dtype.kind == "c":
        return el.make_complex(*[nan_to_num(p, copy, nan, posinf, neginf) for p in (el.real(x), el.imag(x))])
    limits = finfo(x.dtype)
    high, low = (limits.max if posinf is None else posinf), (limits.min if neginf is None else neginf)
    y = where(el.isnan(x), in_dtype(nan, x.dtype, "nan_to_num"), x)
    y = where(el.eq(x, x.dtype.type(math.inf)), in_dtype(high, x.dtype, "nan_to_num"), y)
    return where(el.eq(x, x.dtype.type(-math.inf)), in_dtype(low, x.dtype, "nan_to_num"), y)


# Rounding


@natively(np.floor)
def floor(x: Any, /) -> Array:
    """The largest integer not above x, in the dtype of x."""
    return _rounded(el.floor, x, "floor")


@natively(np.ceil)
def ceil(x: Any, /) -> Array:
    """The smallest integer not below x, in the dtype of x."""
    return _rounded(el.ceil, x, "ceil")


@natively(np.trunc)
def trunc(x: Any, /) -> Array:
    """x without its fraction, in the dtype of x."""
    return _rounded(el.trunc, x, "trunc")


fix = trunc


@natively(np.rint)
def rint(x: Any, /) -> Array:
    """The nearest integer, halves to even ones, in floating point."""
    return round(inexact_operand(x, "rint"))


@natively(np.round)
def round(x: Any, decimals: int = 0) -> Array:
    """Rounded to so many decimal places (negative: before the point), halves to even.

    Source: NumPy's, which scales, rounds and scales back: 2.675 has no exact double and rounds to 2.67 or 2.68.
    """
    x = owned(x, "round")
    places = static_int(decimals, "round: decimals")
    if x.dtype.kind == "c":
        return el.make_complex(round(el.real(x), places), round(el.imag(x), places))
    if not x.aval.inexact:
        if places >= 0 or x.dtype.kind == "b":
            return x
        return el.convert(round(el.convert(x, dtypes.float64), places), x.dtype)
    if places == 0:
        return el.round_even(x)
    if builtins.abs(places) > 308:
        raise errors.ArgumentError(f"round: decimals={errors.brief(places)}; a float has at most 308 places.")
    scale = float(10 ** builtins.abs(places))
    return el.round_even(x * scale) / scale if places > 0 else el.round_even(x / scale) * scale


around = round


def _rounded(prim: Any, x: Any, name: str) -> Array:
    x = owned(x, name)
    refuse_complex(x, name)
    return prim(x) if x.aval.inexact else x


# Complex numbers


def real(x: Any, /) -> Array:
    """The real part; x itself if it is real."""
    x = owned(x, "real")
    return el.real(x) if x.dtype.kind == "c" else x


@natively(np.imag, INEXACT, view=True)
def imag(x: Any, /) -> Array:
    """The imaginary part; zeros if x is real."""
    x = owned(x, "imag")
    return el.imag(x) if x.dtype.kind == "c" else sh.full(x.shape, 0, x.dtype)


def conjugate(x: Any, /) -> Array:
    """The complex conjugate; x itself if it is real."""
    x = owned(x, "conjugate")
    return el.conj(x) if x.dtype.kind == "c" else x


conj = conjugate


@natively(np.angle)
def angle(z: Any, deg: bool = False) -> Array:
    """The argument of complex numbers in (-pi, pi]; 0 or pi for real ones."""
    z = inexact_operand(z, "angle")
    parts = (el.imag(z), el.real(z)) if z.dtype.kind == "c" else (sh.full(z.shape, 0, z.dtype), z)
    radians = arctan2(*parts)
    return radians * (180 / math.pi) if deg else radians


# Parts of floating-point numbers


@natively(np.modf)
def modf(x: Any, /) -> tuple[Array, Array]:
    """The fraction and the integer part, both with the sign of x."""
    x = inexact_operand(x, "modf")
    whole = el.trunc(x)
    fraction = el.select(el.isinf(x), x.dtype.type(0), x - whole)
    return copysign(fraction, x), whole


@natively(np.frexp)
def frexp(x: Any, /) -> tuple[Array, Array]:
    """(mantissa, exponent) with x = mantissa * 2**exponent and 0.5 <= |mantissa| < 1; the exponent is int32."""
    x = inexact_operand(x, "frexp")
    refuse_complex(x, "frexp")
    wide = el.convert(x, dtypes.float64)
    normal = absolute(wide) >= np.finfo(np.float64).smallest_normal
    shifted = el.select(normal, wide, wide * 2.0**54)
    bits = el.bitcast(shifted, dtype=dtypes.int64)
    exponent = ((bits >> 52) & 0x7FF) - el.select(normal, np.int64(1022), np.int64(1022 + 54))
    plain = el.isfinite(x) & el.ne(x, x.dtype.type(0))
    exponent = el.select(plain, exponent, np.int64(0))
    return ldexp(x, -exponent), el.convert(exponent, dtypes.int32)


@natively(np.ldexp, (FLOATS, INTEGERS))
def ldexp(x: Any, i: Any, /) -> Array:
    """x * 2**i, rounded once even where the result is subnormal.

    Source: the scaling steps of musl's scalbn.
    """
    x, i = inexact_operand(x, "ldexp"), operand(i, "ldexp")
    refuse_complex(x, "ldexp")
    if i.dtype.kind not in "biu":
        raise errors.DTypeError(f"ldexp takes integer exponents; got {i.aval}.")
    wide, left = el.convert(x, dtypes.float64), el.convert(i, dtypes.int64)
    for _ in range(2):
        step = el.select(left > 1023, np.int64(1023), el.select(left < -1022, np.int64(-969), left))
        wide, left = wide * _power_of_two(step), left - step
    return el.convert(wide * _power_of_two(clip(left, -1022, 1023)), x.dtype)


def _power_of_two(k: Array) -> Array:
    """2.0**k for -1022 <= k <= 1023, made from its bits."""
    return el.bitcast((k + 1023) << 52, dtype=dtypes.float64)


@natively(np.spacing)
def spacing(x: Any, /) -> Array:
    """The distance from x to the next floating-point number away from 0, with the sign of x."""
    x = inexact_operand(x, "spacing")
    size = absolute(x)
    up = el.nextafter(size, x.dtype.type(math.inf)) - size
    down = size - el.nextafter(size, x.dtype.type(0))
    return copysign(el.select(el.isinf(up) & el.isfinite(size), down, up), x)
