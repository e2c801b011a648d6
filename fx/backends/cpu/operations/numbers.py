"""Elements in memory and in registers: low precision as float32, booleans, comparisons by kind of dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....core.dtypes import float32, is_low_precision
from ..llvm import TYPES, Function, Value, const, is_float, like, vector

Combine = Callable[[Function, Value, Value], Value]


def work_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What an element is computed in: float32 for float16 and bfloat16."""
    return float32 if is_low_precision(dtype) else dtype


def load(
    f: Function, dtype: np.dtype[Any], pointer: Value, lanes: int = 1, align: int | None = None
) -> Value:
    """Elements in the form that they are computed in."""
    if dtype.name == "bfloat16":
        bits = f.load(vector("i16", lanes), pointer, align)
        return bfloat_to_float(f, bits)
    x = f.load(vector(TYPES[dtype.name], lanes), pointer, align)
    return f.cast("fpext", x, like(x.type, "float")) if dtype.name == "float16" else x


def store(f: Function, dtype: np.dtype[Any], x: Value, pointer: Value, align: int | None = None) -> None:
    """The other way; float32 is rounded to the nearest, ties to even."""
    if dtype.name == "bfloat16":
        x = float_to_bfloat(f, x)
    elif dtype.name == "float16":
        x = f.cast("fptrunc", x, like(x.type, "half"))
    f.store(x, pointer, align)


def rounded(f: Function, dtype: np.dtype[Any], x: Value) -> Value:
    """float32 rounded to a low precision, still as float32."""
    if dtype.name == "bfloat16":
        return bfloat_to_float(f, float_to_bfloat(f, x))
    return f.cast("fpext", f.cast("fptrunc", x, like(x.type, "half")), x.type)


def bfloat_to_float(f: Function, bits: Value) -> Value:
    wide = f.cast("zext", bits, like(bits.type, "i32"))
    return f.bitcast(f.shl(wide, const(wide.type, 16)), like(bits.type, "float"))


def float_to_bfloat(f: Function, x: Value) -> Value:
    """By integers: x86's instruction for it takes subnormal numbers as zero."""
    bits = f.bitcast(x, like(x.type, "i32"))
    high = f.lshr(bits, const(bits.type, 16))
    odd = f.and_(high, const(bits.type, 1))
    rounded = f.lshr(f.add(f.add(bits, const(bits.type, 0x7FFF)), odd), const(bits.type, 16))
    quiet = f.or_(high, const(bits.type, 0x40))
    return f.cast("trunc", f.select(f.fcmp("uno", x, x), quiet, rounded), like(x.type, "i16"))


def adder(dtype: np.dtype[Any]) -> Combine:
    """x + y as NumPy has it: booleans or, integers wrap, complex numbers as their parts."""
    if dtype.kind == "b":
        return Function.or_
    return Function.add if dtype.kind in "iu" else Function.fadd


def multiplier(dtype: np.dtype[Any]) -> Combine:
    """x * y for all but complex numbers."""
    if dtype.kind == "b":
        return Function.and_
    return Function.mul if dtype.kind in "iu" else Function.fmul


def extremum(dtype: np.dtype[Any], largest: bool) -> Combine:
    """max or min; NaN where one is; the second of equal ones."""
    name = ("u" if dtype.kind in "bu" else "s") + ("max" if largest else "min")
    test = "ogt" if largest else "olt"

    def combine(f: Function, x: Value, y: Value) -> Value:
        if not is_float(x.type):
            return f.intrinsic(f"llvm.{name}", x, y)
        first = f.or_(f.fcmp(test, x, y), f.fcmp("uno", x, x))
        return f.select(first, x, y)

    return combine


def combination(op: str, dtype: np.dtype[Any]) -> Combine:
    """The operation of a scatter."""
    if op in ("min", "max"):
        return extremum(dtype, op == "max")
    return adder(dtype) if op == "add" else multiplier(dtype)


def complex_product(f: Function, x: tuple[Value, Value], y: tuple[Value, Value]) -> tuple[Value, Value]:
    """Real and imaginary part, every operation rounded."""
    (a, b), (c, d) = x, y
    return f.fsub(f.fmul(a, c), f.fmul(b, d)), f.fadd(f.fmul(a, d), f.fmul(b, c))


def lanes_for(dtype: np.dtype[Any], vector_bytes: int) -> int:
    """Elements in a vector register, in the form that they are computed in."""
    return vector_bytes // work_dtype(dtype).itemsize
