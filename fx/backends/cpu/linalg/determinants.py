"""Determinants from the pivots on the diagonal of LU factors, and from whether an odd number of rows were swapped."""

from __future__ import annotations

from ..llvm import Function, Value, const, i32, i64
from .elements import Elements, Number, cell


def product(f: Function, e: Elements, factors: Value, width: Value, n: Value, odd: Value) -> Number:
    """As a number near one and an exponent until the end, so that only the result may overflow."""
    with f.loop(i64(0), n, carry=[i64(0), *_start(f, e, odd)]) as loop:
        exponent, so_far = loop.carry[0], tuple(loop.carry[1:])
        x, up = _near_one(f, e, e.load(f, factors, cell(f, loop.index, width, loop.index)))
        so_far, again = _near_one(f, e, e.mul(f, so_far, x))
        loop.next(f.add(exponent, f.add(up, again)), *so_far)
    exponent = f.cast("trunc", loop.results[0], "i32")
    return tuple(_ldexp(f, x, exponent) for x in loop.results[1:])


def sign_and_logarithm(
    f: Function, e: Elements, factors: Value, width: Value, n: Value, odd: Value
) -> tuple[Number, Value]:
    """The product on the unit circle, and the sum of logarithms, taken in double precision."""
    with f.loop(i64(0), n, carry=[const("double", 0.0), *_start(f, e, odd)]) as loop:
        x = e.load(f, factors, cell(f, loop.index, width, loop.index))
        unit, size = _polar(f, e, x)
        logarithm = f.call("log", "double", [f.cast("fpext", size, "double")])
        loop.next(f.fadd(loop.carry[0], logarithm), *e.mul(f, tuple(loop.carry[1:]), unit))
    return tuple(loop.results[1:]), f.cast("fptrunc", loop.results[0], e.scalar)


def _start(f: Function, e: Elements, odd: Value) -> Number:
    sign = f.select(odd, const(e.scalar, -1.0), const(e.scalar, 1.0))
    return (sign, *e.number(0.0)[1:])


def _near_one(f: Function, e: Elements, x: Number) -> tuple[Number, Value]:
    """x = y 2^p with the larger part of y from 1/2 to 1; numbers without such a form stay, with p = 0."""
    power, size = f.alloca("i32", align=4), f.fabs(x[0])
    if e.complex:
        other = f.fabs(x[1])
        size = f.select(f.fcmp("ogt", other, size), other, size)
    f.call("frexp" if e.scalar == "double" else "frexpf", e.scalar, [size, power])
    regular = f.fcmp("olt", size, const(e.scalar, float("inf")))
    p = f.select(regular, f.load("i32", power), i32(0))
    return tuple(_ldexp(f, part, f.sub(i32(0), p)) for part in x), f.cast("sext", p, "i64")


def _ldexp(f: Function, x: Value, power: Value) -> Value:
    return f.call("ldexp" if x.type == "double" else "ldexpf", x.type, [x, power])


def _polar(f: Function, e: Elements, x: Number) -> tuple[Number, Value]:
    """x / |x| and |x|."""
    if e.complex:
        size = f.call("hypot" if e.scalar == "double" else "hypotf", e.scalar, list(x))
        return tuple(f.fdiv(part, size) for part in x), size
    negative = f.fcmp("olt", x[0], const(e.scalar, 0.0))
    return (f.select(negative, const(e.scalar, -1.0), const(e.scalar, 1.0)),), f.fabs(x[0])
