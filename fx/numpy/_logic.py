"""Comparisons, logical and bitwise operations, tests of floating-point classes and closeness."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..primitives import elementwise as el
from ..primitives.promotion import binary_function, promote, unary_function
from ..primitives.reductions import reduce_all
from ._arguments import operand, refuse_complex
from ._arithmetic import absolute
from ._native import EVERY, FLOATS, NUMBERS, natively

equal = binary_function(el.eq, "equal", "x == y, elementwise.")
not_equal = binary_function(el.ne, "not_equal", "x != y, elementwise.")
less = binary_function(el.lt, "less", "x < y, elementwise.")
less_equal = binary_function(el.le, "less_equal", "x <= y, elementwise.")
greater = binary_function(el.gt, "greater", "x > y, elementwise.")
greater_equal = binary_function(el.ge, "greater_equal", "x >= y, elementwise.")

bitwise_and = binary_function(el.bit_and, "bitwise_and", "x & y of integers or booleans.")
bitwise_or = binary_function(el.bit_or, "bitwise_or", "x | y of integers or booleans.")
bitwise_xor = binary_function(el.bit_xor, "bitwise_xor", "x ^ y of integers or booleans.")
invert = unary_function(
    el.bit_not, "invert", "~x: every bit flipped; for booleans the logical not.", inexact=False
)
left_shift = binary_function(el.shift_left, "left_shift", "x << y: y zero bits appended.")
right_shift = binary_function(el.shift_right, "right_shift", "x >> y: arithmetic for signed integers.")
bitwise_not = bitwise_invert = invert
bitwise_left_shift, bitwise_right_shift = left_shift, right_shift

isfinite = unary_function(el.isfinite, "isfinite", "Neither infinite nor NaN.", inexact=False)
isnan = unary_function(el.isnan, "isnan", "Not a number.", inexact=False)
isinf = unary_function(el.isinf, "isinf", "Positive or negative infinity.", inexact=False)
signbit = unary_function(el.signbit, "signbit", "Whether the sign bit is set: true for -0.0 as well.")


@natively(np.isposinf)
def isposinf(x: Any, /) -> Array:
    """Positive infinity."""
    return _infinite(x, np.inf, "isposinf")


@natively(np.isneginf)
def isneginf(x: Any, /) -> Array:
    """Negative infinity."""
    return _infinite(x, -np.inf, "isneginf")


def _infinite(x: Any, value: float, name: str) -> Array:
    x = operand(x, name)
    refuse_complex(x, name)
    return equal(x, value) if x.aval.inexact else isnan(x)


def truth(x: Any, name: str) -> Array:
    """Whether each element differs from zero; NaN counts as true."""
    x = operand(x, name)
    return x if x.dtype.kind == "b" else el.ne(x, x.dtype.type(0))


@natively(np.logical_and, EVERY)
def logical_and(x: Any, y: Any, /) -> Array:
    """Both are nonzero."""
    return el.bit_and(truth(x, "logical_and"), truth(y, "logical_and"))


@natively(np.logical_or, EVERY)
def logical_or(x: Any, y: Any, /) -> Array:
    """At least one is nonzero."""
    return el.bit_or(truth(x, "logical_or"), truth(y, "logical_or"))


@natively(np.logical_xor, EVERY)
def logical_xor(x: Any, y: Any, /) -> Array:
    """Just one is nonzero."""
    return el.bit_xor(truth(x, "logical_xor"), truth(y, "logical_xor"))


@natively(np.logical_not, EVERY)
def logical_not(x: Any, /) -> Array:
    """It is zero."""
    return el.bit_not(truth(x, "logical_not"))


@natively(np.isreal)
def isreal(x: Any, /) -> Array:
    """The imaginary part is zero; true for every real number."""
    return el.bit_not(iscomplex(x))


@natively(np.iscomplex)
def iscomplex(x: Any, /) -> Array:
    """The imaginary part is not zero."""
    x = operand(x, "iscomplex")
    if x.dtype.kind == "c":
        return not_equal(el.imag(x), 0)
    return el.lt(x, x) if x.dtype.kind != "b" else el.bit_xor(x, x)


def isrealobj(x: Any) -> bool:
    """The dtype is not complex."""
    return not iscomplexobj(x)


def iscomplexobj(x: Any) -> bool:
    """The dtype is complex."""
    return operand(x, "iscomplexobj").dtype.kind == "c"


def isscalar(x: Any) -> bool:
    """A Python number, a NumPy scalar or an array of shape ()."""
    return isinstance(x, (bool, int, float, complex, np.generic)) or (isinstance(x, Array) and x.shape == ())


@natively(np.isclose, FLOATS, data=2, floats=True)
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    """|a - b| <= atol + rtol * |b|; infinities are close to themselves."""
    a, b = promote(a, b)
    a, b = operand(a, "isclose"), operand(b, "isclose")
    if not a.aval.inexact:
        a, b = (el.convert(x, dtypes.float64) for x in (a, b))
    near = less_equal(absolute(a - b), atol + rtol * absolute(b))
    close = (near & isfinite(b)) | equal(a, b)
    return close | (isnan(a) & isnan(b)) if equal_nan else close


@natively(np.allclose, FLOATS, data=2, floats=True)
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    """All elements are close; a boolean array of shape ()."""
    close = isclose(a, b, rtol, atol, equal_nan)
    return reduce_all(close, axes=tuple(range(close.ndim)))


@natively(np.array_equal, NUMBERS, data=2)
def array_equal(a: Any, b: Any, equal_nan: bool = False) -> Array:
    """Equal shapes and equal elements; a boolean array of shape ()."""
    a, b = operand(a, "array_equal"), operand(b, "array_equal")
    if a.shape != b.shape:
        return Array(np.bool_(False))
    same = equal(a, b)
    if equal_nan:
        same = same | (isnan(a) & isnan(b))
    return reduce_all(same, axes=tuple(range(same.ndim)))


@natively(np.array_equiv, NUMBERS, data=2)
def array_equiv(a: Any, b: Any) -> Array:
    """Equal elements after broadcasting; a boolean array of shape ()."""
    a, b = operand(a, "array_equiv"), operand(b, "array_equiv")
    try:
        same = equal(a, b)
    except errors.ShapeError:
        return Array(np.bool_(False))
    return reduce_all(same, axes=tuple(range(same.ndim)))
