"""log, log1p, erf, erf_inv and fused_multiply_add as XLA's CPU compiler evaluates them, on vectors of any width.

The formulas and their coefficients are those of `fx.primitives.random_math`; what the interpreter builds of basic
operations is one fused multiply-add here. float64 log and erf are the C library's, as there. Nothing is contracted,
whatever the flags of the function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...primitives import random_math as reference
from .llvm import Function, Value, const, lanes_of, like, scalar_of

Formula = Callable[..., Value]


@contextmanager
def exact(f: Function) -> Iterator[None]:
    """Every operation rounded as it is written."""
    flags, f.flags = f.flags, ""
    try:
        yield
    finally:
        f.flags = flags


def horner(f: Function, x: Value, coefficients: Sequence[float]) -> Value:
    value = const(x.type, coefficients[0])
    for c in coefficients[1:]:
        value = f.fma(value, x, const(x.type, c))
    return value


def log(f: Function, x: Value) -> Value:
    with exact(f):
        return _log32(f, x) if scalar_of(x.type) == "float" else _by_library(f, "log", x)


def _log32(f: Function, x: Value) -> Value:
    number = lambda v: const(x.type, float(v))
    whole = like(x.type, "i32")
    bits = f.bitcast(_least_normal(f, x), whole)
    exponent = f.cast("sitofp", f.lshr(bits, const(whole, 23)), x.type)
    exponent = f.fsub(exponent, number(126))
    bits = f.or_(f.and_(bits, const(whole, 0x007FFFFF)), const(whole, 0x3F000000))
    t = f.bitcast(bits, x.type)
    below = f.fcmp("olt", t, number(reference._ROOT_HALF))
    exponent = f.select(below, f.fsub(exponent, number(1)), exponent)
    t = f.fadd(f.fsub(t, number(1)), f.select(below, t, number(0)))
    square = f.fmul(t, t)
    cube = f.fmul(square, t)
    high, middle, low = [horner(f, t, part) for part in reference._LOG_3RD]
    tail = f.fma(f.fma(high, cube, middle), cube, low)
    tail = f.fma(tail, cube, f.fmul(exponent, number(reference._LOG2_LOW)))
    value = f.fadd(f.fsub(t, f.fmul(square, number(0.5))), tail)
    value = f.fma(exponent, number(reference._LOG2_HIGH), value)
    return _log_edges(f, x, value)


def _least_normal(f: Function, x: Value) -> Value:
    least = const(x.type, float(reference._SMALLEST))
    return f.select(f.fcmp("ogt", x, least), x, least)


def _log_edges(f: Function, x: Value, value: Value) -> Value:
    """The value where 0 < x < inf; -inf at 0, inf at inf, else NaN."""
    zero, infinity = const(x.type, 0.0), const(x.type, math.inf)
    value = f.select(f.fcmp("ogt", x, zero), value, const(x.type, math.nan))
    value = f.select(f.fcmp("oeq", x, zero), const(x.type, -math.inf), value)
    return f.select(f.fcmp("oeq", x, infinity), x, value)


def _by_library(f: Function, name: str, x: Value) -> Value:
    """The C library's function, lane by lane."""
    scalar = scalar_of(x.type)
    if lanes_of(x.type) == 1:
        return f.call(name, scalar, [x])
    out = Value("poison", x.type)
    for lane in range(lanes_of(x.type)):
        out = f.insert(out, f.call(name, scalar, [f.extract(x, lane)]), lane)
    return out


def log1p(f: Function, x: Value) -> Value:
    with exact(f):
        top, bottom = reference._LOG1P[_dtype(x)]
        square = f.fmul(x, x)
        ratio = f.fdiv(horner(f, x, top), horner(f, x, bottom))
        inner = f.fadd(f.fmul(square, const(x.type, -0.5)), f.fmul(f.fmul(x, square), ratio))
        near = f.fcmp("olt", f.fabs(x), const(x.type, _dtype(x).type(math.sqrt(2) - 1)))
        far = log(f, f.fadd(x, const(x.type, 1.0)))
        return f.select(near, f.fadd(x, inner), far)


def _dtype(x: Value) -> np.dtype[Any]:
    return np.dtype("float32" if scalar_of(x.type) == "float" else "float64")


def erf(f: Function, x: Value) -> Value:
    with exact(f):
        if scalar_of(x.type) == "double":
            return _by_library(f, "erf", x)
        square = f.fmul(x, x)
        top = f.fmul(x, horner(f, square, reference._ERF_TOP))
        value = f.fdiv(top, horner(f, square, reference._ERF_BOTTOM))
        large = f.fcmp("oge", f.fabs(x), const(x.type, float(reference._ERF_ONE)))
        return f.select(large, f.copysign(const(x.type, 1.0), x), value)


def erf_inv(f: Function, x: Value) -> Value:
    with exact(f):
        w = f.fneg(log1p(f, f.fmul(x, f.fneg(x))))
        (_, shift, coefficients), *tails = reference._ERF_INV[_dtype(x)]
        value = horner(f, f.fsub(w, const(x.type, shift)), coefficients)
        for lower, shift, coefficients in tails:
            value = _tail(f, w, value, lower, shift, coefficients)
        edge = f.fcmp("oeq", f.fabs(x), const(x.type, 1.0))
        return f.select(edge, f.fmul(x, const(x.type, math.inf)), f.fmul(value, x))


def _tail(
    f: Function, w: Value, value: Value, lower: float, shift: float, coefficients: Sequence[float]
) -> Value:
    """The polynomial in sqrt(w) where w >= lower or is NaN; few vectors have such a lane."""
    beyond = f.fcmp("uge", w, const(w.type, lower))

    def far() -> list[Value]:
        root = f.fsub(f.sqrt(w), const(w.type, shift))
        return [f.select(beyond, horner(f, root, coefficients), value)]

    return f.choose(_any(f, beyond), far, lambda: [value])[0]


def _any(f: Function, mask: Value) -> Value:
    lanes = lanes_of(mask.type)
    if lanes == 1:
        return mask
    whole = f.bitcast(mask, f"i{lanes}")
    return f.icmp("ne", whole, const(whole.type, 0))


def fused(f: Function, x: Value, y: Value, z: Value) -> Value:
    """x * y + z with one rounding."""
    with exact(f):
        return f.fma(x, y, z)


FORMULAS: dict[str, Formula] = {
    "xla_log": log,
    "xla_log1p": log1p,
    "xla_erf": erf,
    "xla_erf_inv": erf_inv,
    "fused_multiply_add": fused,
}
"""By the name of the primitive: vectors (or scalars) of float32 or float64."""
