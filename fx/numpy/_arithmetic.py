"""Arithmetic of elements: sums, products, quotients, powers, remainders, extremes, rounding.

The functions of two arguments are the operators of arrays themselves (`x + y` calls `add`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array, concrete
from ..core.trace import bind
from ..primitives import elementwise as el
from ..primitives.promotion import binary_function, is_scalar, promote, unary_function
from ._arguments import inexact_operand, operand, owned, refuse_complex
from ._native import DOUBLE, natively

add = binary_function(el.add, "add", "x + y; for booleans the logical or.")
subtract = binary_function(el.sub, "subtract", "x - y.")
multiply = binary_function(el.mul, "multiply", "x * y; for booleans the logical and.")
divide = binary_function(el.div, "divide", "x / y; integers become the default float first.", inexact=True)
true_divide = divide
floor_divide = binary_function(el.floor_div, "floor_divide", "The largest integer not above x / y.")
remainder = binary_function(el.mod, "remainder", "x - y * floor(x / y): has the sign of y.")
mod = remainder
fmod = binary_function(el.fmod, "fmod", "The remainder of x / y with the sign of x, as in C.")
maximum = binary_function(
    el.maximum, "maximum", "The larger of x and y; NaN wins. Equal values share the derivative."
)
minimum = binary_function(
    el.minimum, "minimum", "The smaller of x and y; NaN wins. Equal values share the derivative."
)
negative = unary_function(el.neg, "negative", "-x.", inexact=False)
absolute = unary_function(el.abs_, "absolute", "|x|; the derivative at 0 is 0.", inexact=False)
sign = unary_function(
    el.sign, "sign", "-1, 0 or 1; for complex numbers x / |x|. NaN stays NaN.", inexact=False
)
sqrt = unary_function(el.sqrt, "sqrt", "The square root; NaN for negative real numbers.")
cbrt = unary_function(el.cbrt, "cbrt", "The real cube root.")

_generic_power = binary_function(el.power, "power", "", inexact=False)
_MOST_STATIC = 64
"""Floating exponents of at most this size that are whole numbers become integer powers."""


def power(x: Any, y: Any, /) -> Array:
    """x ** y. A Python integer exponent is exact at negative bases, in values and derivatives.

    Raises:
        ArgumentError: an integer array to a negative integer power.
    """
    if type(y) is int or (type(y) is float and y.is_integer() and abs(y) <= _MOST_STATIC):
        return _static_power(x, y)
    if type(y) is float and y == 0.5 and isinstance(x, Array) and x.aval.inexact:
        return sqrt(x)
    base, exponent = promote(x, y)
    if _dtype_of(base).kind in "biu":
        return _whole_power(base, exponent)
    return _generic_power(base, exponent)


def _static_power(x: Any, n: Any) -> Array:
    """x ** n for a Python number n that is whole."""
    x = x if is_scalar(x) else operand(x, "power")
    if is_scalar(x) or x.dtype.kind == "b" or (type(n) is float and not _is_inexact(x)):
        x, exponent = promote(x, n)
        x = operand(x, "power")
        if x.dtype.kind == "b":
            return _whole_power(x, operand(exponent, "power"))
        return bind(el.integer_pow, x, n=int(n))
    return bind(el.integer_pow, x, n=int(n))


def _whole_power(x: Any, y: Any) -> Array:
    """Integers to integer powers; where a negative exponent shows only in the run, 1 / x**-y cut to an integer."""
    x, y = operand(x, "power"), operand(y, "power")
    if x.dtype.kind == "b":
        x, y = el.convert(x, dtypes.int8), el.convert(y, dtypes.int8)
    negative = y.dtype.kind != "u" and _any_negative(y)
    if negative is False:
        return bind(el.power, x, y)
    if negative:
        raise errors.ArgumentError(
            errors.lines(
                "power: integers to negative integer powers are not integers.",
                "Convert the base: x.astype(fx.float32) ** y.",
            )
        )
    return el.select((y < 0) & (absolute(x) != 1), x.dtype.type(0), bind(el.power, x, absolute(y)))


def _any_negative(y: Array) -> bool | None:
    """Whether a value is negative; None where the values are not known yet."""
    try:
        return bool((concrete(y) < 0).any())
    except errors.TracerError:
        return None


def _is_inexact(x: Any) -> bool:
    return x.aval.inexact if isinstance(x, Array) else x.dtype.kind in "fcV"


def _dtype_of(x: Any) -> np.dtype[Any]:
    return (
        x.dtype
        if hasattr(x, "dtype")
        else dtypes.scalar_dtype(bool if isinstance(x, bool) else type(x), None)
    )


@natively(np.float_power, DOUBLE)
def float_power(x: Any, y: Any, /) -> Array:
    """x ** y in floating point: integers become the default float."""
    return power(*promote(x, y, inexact=True))


def pow(x: Any, y: Any, /) -> Array:
    """x ** y; the array API's name of `power`."""
    return power(x, y)


def positive(x: Any, /) -> Array:
    """+x: x itself."""
    (x,) = promote(x)
    x = owned(x, "positive")
    if x.dtype.kind == "b":
        raise errors.DTypeError("positive does not take booleans.")
    return x


def square(x: Any, /) -> Array:
    """x * x."""
    return power(operand(x, "square"), 2)


@natively(np.reciprocal)
def reciprocal(x: Any, /) -> Array:
    """1 / x; integers become the default float first."""
    return divide(1, x)


def divmod(x: Any, y: Any, /) -> tuple[Array, Array]:
    """The pair (x // y, x % y)."""
    return floor_divide(x, y), remainder(x, y)


@natively(np.fabs)
def fabs(x: Any, /) -> Array:
    """|x| of real numbers, in floating point."""
    x = inexact_operand(x, "fabs")
    refuse_complex(x, "fabs")
    return absolute(x)


abs = absolute


@natively(np.fmax)
def fmax(x: Any, y: Any, /) -> Array:
    """The larger of x and y; a NaN loses to a number."""
    x, y = promote(x, y)
    return _ignoring_nan(maximum, x, y)


@natively(np.fmin)
def fmin(x: Any, y: Any, /) -> Array:
    """The smaller of x and y; a NaN loses to a number."""
    x, y = promote(x, y)
    return _ignoring_nan(minimum, x, y)


def _ignoring_nan(extremum: Any, x: Any, y: Any) -> Array:
    x, y = operand(x, "fmax"), operand(y, "fmin")
    if not x.aval.inexact:
        return extremum(x, y)
    no_x, no_y = el.isnan(x), el.isnan(y)
    return extremum(el.select(no_x, y, x), el.select(no_y, x, y))
