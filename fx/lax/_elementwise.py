"""Elementwise functions of `jax.lax`: no promotion, no broadcasting but of scalars."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import static
from ..core.errors import DTypeError
from ..core.trace import bind
from ..numpy import power as integers_to_powers
from ..primitives import elementwise as e, special
from ..primitives.promotion import as_operand, is_scalar
from ._numbers import RoundingMethod
from ._operands import array, binary, fitting, named, unary

neg = unary(e.neg, "neg", "-x.")
sign = unary(e.sign, "sign", "-1, 0 or 1; x / |x| of complex numbers.")
floor = unary(e.floor, "floor", "The largest integer that is not above x.")
ceil = unary(e.ceil, "ceil", "The smallest integer that is not below x.")
is_finite = unary(e.isfinite, "is_finite", "Whether x is neither infinite nor NaN.")
exp = unary(e.exp, "exp", "e to the x.")
exp2 = unary(e.exp2, "exp2", "2 to the x.")
expm1 = unary(e.expm1, "expm1", "exp(x) - 1, accurate near 0.")
log = unary(e.log, "log", "The natural logarithm.")
log1p = unary(e.log1p, "log1p", "log(1 + x), accurate near 0.")
sqrt = unary(e.sqrt, "sqrt", "The square root.")
rsqrt = unary(e.rsqrt, "rsqrt", "1 / sqrt(x).")
cbrt = unary(e.cbrt, "cbrt", "The cube root.")
logistic = unary(e.logistic, "logistic", "1 / (1 + exp(-x)) without overflow.")
sin = unary(e.sin, "sin", "The sine.")
cos = unary(e.cos, "cos", "The cosine.")
tan = unary(e.tan, "tan", "The tangent.")
asin = unary(e.asin, "asin", "The inverse sine.")
acos = unary(e.acos, "acos", "The inverse cosine.")
atan = unary(e.atan, "atan", "The inverse tangent.")
sinh = unary(e.sinh, "sinh", "The hyperbolic sine.")
cosh = unary(e.cosh, "cosh", "The hyperbolic cosine.")
tanh = unary(e.tanh, "tanh", "The hyperbolic tangent.")
asinh = unary(e.asinh, "asinh", "The inverse hyperbolic sine.")
acosh = unary(e.acosh, "acosh", "The inverse hyperbolic cosine.")
atanh = unary(e.atanh, "atanh", "The inverse hyperbolic tangent.")
real = unary(e.real, "real", "The real part of complex numbers.")
imag = unary(e.imag, "imag", "The imaginary part of complex numbers.")
bitwise_not = unary(e.bit_not, "bitwise_not", "Every bit inverted; the negation of booleans.")
population_count = unary(e.popcount, "population_count", "How many bits are set, in the dtype of x.")
clz = unary(e.clz, "clz", "How many leading bits are zero, in the dtype of x.")
erf = unary(special.erf, "erf", "The error function.")
erfc = unary(special.erfc, "erfc", "1 - erf(x), accurate for large x.")
erf_inv = unary(special.erf_inv, "erf_inv", "The inverse of the error function.")
lgamma = unary(special.lgamma, "lgamma", "The logarithm of |gamma(x)|.")
digamma = unary(special.digamma, "digamma", "The derivative of lgamma.")

add = binary(e.add, "add", "x + y.")
sub = binary(e.sub, "sub", "x - y.")
mul = binary(e.mul, "mul", "x * y.")
atan2 = binary(e.atan2, "atan2", "The angle of the point (y, x), arguments in this order.")
nextafter = binary(e.nextafter, "nextafter", "The neighbour of x1 in the direction of x2.")
eq = binary(e.eq, "eq", "x == y.")
ne = binary(e.ne, "ne", "x != y.")
lt = binary(e.lt, "lt", "x < y.")
le = binary(e.le, "le", "x <= y.")
gt = binary(e.gt, "gt", "x > y.")
ge = binary(e.ge, "ge", "x >= y.")
bitwise_and = binary(e.bit_and, "bitwise_and", "Bits set in both.")
bitwise_or = binary(e.bit_or, "bitwise_or", "Bits set in one or both.")
bitwise_xor = binary(e.bit_xor, "bitwise_xor", "Bits set in just one.")
shift_right_arithmetic = binary(e.shift_right, "shift_right_arithmetic", "x >> y; the sign moves in.")
shift_right_logical = binary(e.shift_right_logical, "shift_right_logical", "x >> y; zeros move in.")
shift_left = binary(e.shift_left, "shift_left", "x << y; zeros move in.")
complex = binary(e.make_complex, "complex", "x + 1j * y.")


def _abs(x: Any) -> Any:
    x = array(x)
    if x.dtype.kind == "b":
        raise DTypeError("fx.lax.abs does not take bool.")
    return bind(e.abs_, x)


def _conj(x: Any) -> Any:
    x = array(x)
    if x.dtype.kind == "b":
        raise DTypeError("fx.lax.conj does not take bool.")
    return e.conj(x) if x.dtype.kind == "c" else bind(e.make_complex, x, -_zero(x))


def _zero(x: Any) -> Any:
    return x.dtype.type(0)


def _square(x: Any) -> Any:
    x = array(x)
    return bind(e.mul, x, x)


def _reciprocal(x: Any) -> Any:
    x = array(x)
    return bind(e.div, x.dtype.type(1), x)


abs = named(_abs, "abs", "The absolute value; of complex numbers a real one.")
conj = named(_conj, "conj", "The complex conjugate; real operands become complex.")
square = named(_square, "square", "x * x.")
reciprocal = named(_reciprocal, "reciprocal", "1 / x.")
max = binary(e.maximum, "max", "The larger one; NaN where one is NaN.")
min = binary(e.minimum, "min", "The smaller one; NaN where one is NaN.")


def div(x: Any, y: Any) -> Any:
    """x / y. Of integers the quotient without its fraction, rounded towards 0; by 0 all bits are set, as in XLA."""
    x, y = fitting("div", x, y)
    x, y = array(x), array(y)
    if x.dtype.kind not in "iu":
        return bind(e.div, x, y)
    by_zero, y = _without_zeros(y)
    quotient = bind(e.floor_div, x, y)
    inexact = e.ne(quotient * y, x)
    negative = e.ne(e.lt(x, _zero(x)), e.lt(y, _zero(y)))
    quotient = quotient + e.convert(e.bit_and(inexact, negative), x.dtype)
    return e.select(by_zero, ~_zero(x), quotient)


def rem(x: Any, y: Any) -> Any:
    """The remainder of x / y, with the sign of x; of integers and 0 it is x, as in XLA."""
    x, y = fitting("rem", x, y)
    x, y = array(x), array(y)
    if x.dtype.kind not in "iu":
        return bind(e.fmod, x, y)
    by_zero, y = _without_zeros(y)
    return e.select(by_zero, x, bind(e.fmod, x, y))


def _without_zeros(y: Any) -> tuple[Any, Any]:
    """Where y is 0, and y with 1 there."""
    by_zero = e.eq(y, _zero(y))
    return by_zero, e.select(by_zero, y.dtype.type(1), y)


def pow(x: Any, y: Any) -> Any:
    """x to the power y; y has the dtype of x or is an integer."""
    if isinstance(y, int) and not isinstance(y, bool):
        return integer_pow(x, y) if array(x).dtype.kind != "b" else bind(e.power, *fitting("pow", x, y))
    y = y if is_scalar(y) else as_operand(y)
    if hasattr(y, "dtype") and y.dtype.kind in "iu" and array(x).dtype.kind in "fVc":
        y = e.convert(y, array(x).dtype)
    x, y = fitting("pow", x, y)
    if array(x).dtype.kind in "iu":
        return integers_to_powers(x, y)
    return bind(e.power, x, y)


def integer_pow(x: Any, y: int) -> Any:
    """x to a static integer power, by multiplications; integers take powers of at least 0."""
    return bind(e.integer_pow, array(x), n=static.integer(y, "integer_pow: y"))


def round(x: Any, rounding_method: RoundingMethod = RoundingMethod.AWAY_FROM_ZERO) -> Any:
    """x rounded to integers; halves go away from zero, or to the even neighbour."""
    x = array(x)
    if (
        static.member(rounding_method, RoundingMethod, "round: rounding_method")
        is RoundingMethod.TO_NEAREST_EVEN
    ):
        return bind(e.round_even, x)
    whole = bind(e.trunc, x)
    half = e.ge(e.abs_(x - whole), x.dtype.type(0.5))
    return e.select(half, whole + e.copysign(x.dtype.type(1), x), whole)


def mulhi(x: Any, y: Any, /) -> Any:
    """The upper half of the product of two integers, in their dtype."""
    x, y = (array(v) for v in fitting("mulhi", x, y))
    if x.dtype.kind not in "iu":
        raise DTypeError(f"fx.lax.mulhi takes integers; got {x.dtype}.")
    bits = 8 * x.dtype.itemsize
    if bits < 64:
        wide = np.dtype(f"{x.dtype.kind}8")
        product = e.convert(x, wide) * e.convert(y, wide)
        return e.convert(bind(e.shift_right, product, wide.type(bits)), x.dtype)
    return _mulhi_wide(x, y)


def _mulhi_wide(x: Any, y: Any) -> Any:
    """By halves of 32 bits; the carries of the lower half reach into the upper one."""
    half, low = x.dtype.type(32), x.dtype.type(0xFFFFFFFF)
    up = lambda v: bind(e.shift_right, v, half)
    under = lambda v: bind(e.bit_and, v, low)
    x_up, x_low, y_up, y_low = up(x), under(x), up(y), under(y)
    lowest = bind(e.shift_right_logical, x_low * y_low, half)
    middle = x_up * y_low + lowest
    return x_up * y_up + up(middle) + up(x_low * y_up + under(middle))
