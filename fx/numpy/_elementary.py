"""Elementary functions: exponentials, logarithms, trigonometry, angles, and a few classical ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.array import Array
from ..primitives import elementwise as el
from ..primitives.promotion import binary_function, promote, unary_function
from ._arguments import inexact_operand, refuse_complex
from ._arithmetic import absolute, divide, multiply
from ._native import DOUBLE, natively

exp = unary_function(el.exp, "exp", "e ** x.")
exp2 = unary_function(el.exp2, "exp2", "2 ** x.")
expm1 = unary_function(el.expm1, "expm1", "exp(x) - 1, exact near 0.")
log = unary_function(el.log, "log", "The natural logarithm; -inf at 0, NaN below.")
log1p = unary_function(el.log1p, "log1p", "log(1 + x), exact near 0.")
log2 = unary_function(el.log2, "log2", "The logarithm to base 2.")
log10 = unary_function(el.log10, "log10", "The logarithm to base 10.")
logaddexp = binary_function(
    el.logaddexp, "logaddexp", "log(exp(x) + exp(y)) without overflow; the derivatives are the softmax weights.",
    inexact=True,
)  # fmt: skip
sin = unary_function(el.sin, "sin", "The sine of x radians.")
cos = unary_function(el.cos, "cos", "The cosine of x radians.")
tan = unary_function(el.tan, "tan", "The tangent of x radians.")
arcsin = unary_function(el.asin, "arcsin", "The angle in [-pi/2, pi/2] with sine x.")
arccos = unary_function(el.acos, "arccos", "The angle in [0, pi] with cosine x.")
arctan = unary_function(el.atan, "arctan", "The angle in [-pi/2, pi/2] with tangent x.")
arctan2 = binary_function(el.atan2, "arctan2", "The angle of the point (y, x), in [-pi, pi].", inexact=True)
sinh = unary_function(el.sinh, "sinh", "The hyperbolic sine.")
cosh = unary_function(el.cosh, "cosh", "The hyperbolic cosine.")
tanh = unary_function(el.tanh, "tanh", "The hyperbolic tangent.")
arcsinh = unary_function(el.asinh, "arcsinh", "The inverse hyperbolic sine.")
arccosh = unary_function(el.acosh, "arccosh", "The inverse hyperbolic cosine.")
arctanh = unary_function(el.atanh, "arctanh", "The inverse hyperbolic tangent.")
hypot = binary_function(
    el.hypot, "hypot", "sqrt(x**2 + y**2) without overflow; the derivative at (0, 0) is 0.", inexact=True
)
asin, acos, atan, atan2 = arcsin, arccos, arctan, arctan2
asinh, acosh, atanh = arcsinh, arccosh, arctanh

_RADIAN = float(np.pi / 180)


@natively(np.logaddexp2)
def logaddexp2(x: Any, y: Any, /) -> Array:
    """log2(2**x + 2**y) without overflow."""
    ln2 = float(np.log(2.0))
    x, y = promote(x, y, inexact=True)
    return divide(logaddexp(multiply(x, ln2), multiply(y, ln2)), ln2)


@natively(np.deg2rad)
def deg2rad(x: Any, /) -> Array:
    """Degrees to radians."""
    x = inexact_operand(x, "deg2rad")
    refuse_complex(x, "deg2rad")
    return multiply(x, _RADIAN)


@natively(np.rad2deg)
def rad2deg(x: Any, /) -> Array:
    """Radians to degrees."""
    x = inexact_operand(x, "rad2deg")
    refuse_complex(x, "rad2deg")
    return multiply(x, 1 / _RADIAN)


radians, degrees = deg2rad, rad2deg


@natively(np.sinc)
def sinc(x: Any, /) -> Array:
    """sin(pi x) / (pi x), and 1 at 0, where every derivative is that of its series."""
    y = multiply(inexact_operand(x, "sinc"), float(np.pi))
    small = absolute(y) < _SERIES_BELOW
    safe = el.select(small, y.dtype.type(1), y)
    return el.select(small, _sinc_series(y), sin(safe) / safe)


_SERIES_BELOW = 0.1


def _sinc_series(y: Array) -> Array:
    """The Taylor series of sin(y) / y; for |y| < 0.1 its next term is below 1e-17."""
    square = y * y
    total: Any = 1 / 39916800
    for factorial in (362880, 5040, 120, 6):
        total = 1 / factorial - square * total
    return 1 - square * total


@natively(np.i0, DOUBLE)
def i0(x: Any, /) -> Array:
    """The modified Bessel function of the first kind, order 0.

    Source: Abramowitz and Stegun's Chebyshev expansions as in Cephes (Clenshaw summation, error below 1e-15).
    """
    x = inexact_operand(x, "i0")
    refuse_complex(x, "i0")
    size = absolute(x)
    small = size <= 8
    near = _chebyshev(el.select(small, size, x.dtype.type(0)) / 2 - 2, _I0_NEAR)
    far_size = el.select(small, x.dtype.type(8), size)
    far = _chebyshev(32 / far_size - 2, _I0_FAR) / el.sqrt(far_size)
    return exp(size) * el.select(small, near, far)


def _chebyshev(x: Array, coefficients: tuple[float, ...]) -> Array:
    """Clenshaw's recurrence for half-weighted Chebyshev sums."""
    b0: Any = coefficients[0]
    b1: Any = 0.0
    b2: Any = 0.0
    for c in coefficients[1:]:
        b0, b1, b2 = x * b0 - b1 + c, b0, b1
    return 0.5 * (b0 - b2)


_I0_NEAR = (
    -4.4153416464793395e-18, 3.3307945188222384e-17, -2.431279846547955e-16, 1.715391285555133e-15,
    -1.1685332877993451e-14, 7.676185498604936e-14, -4.856446783111929e-13, 2.95505266312964e-12,
    -1.726826291441556e-11, 9.675809035373237e-11, -5.189795601635263e-10, 2.6598237246823866e-09,
    -1.300025009986248e-08, 6.046995022541919e-08, -2.670793853940612e-07, 1.1173875391201037e-06,
    -4.4167383584587505e-06, 1.6448448070728896e-05, -5.754195010082104e-05, 0.00018850288509584165,
    -0.0005763755745385824, 0.0016394756169413357, -0.004324309995050576, 0.010546460394594998,
    -0.02373741480589947, 0.04930528423967071, -0.09490109704804764, 0.17162090152220877,
    -0.3046826723431984, 0.6767952744094761,
)  # fmt: skip
_I0_FAR = (
    -7.233180487874754e-18, -4.830504485944182e-18, 4.46562142029676e-17, 3.461222867697461e-17,
    -2.8276239805165836e-16, -3.425485619677219e-16, 1.7725601330565263e-15, 3.8116806693526224e-15,
    -9.554846698828307e-15, -4.150569347287222e-14, 1.54008621752141e-14, 3.8527783827421426e-13,
    7.180124451383666e-13, -1.7941785315068062e-12, -1.3215811840447713e-11, -3.1499165279632416e-11,
    1.1889147107846439e-11, 4.94060238822497e-10, 3.3962320257083865e-09, 2.266668990498178e-08,
    2.0489185894690638e-07, 2.8913705208347567e-06, 6.889758346916825e-05, 0.0033691164782556943,
    0.8044904110141088,
)  # fmt: skip
