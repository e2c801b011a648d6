"""log, log1p, erf, erf_inv and fused_multiply_add as XLA's CPU compiler evaluates them, on vectors.

The formulas and their coefficients are those of `fx.primitives.random_math`; what the interpreter builds of basic
operations is one fused multiply-add here. float64 log and erf are the C library's, as there. `FORMULAS` serves loop
nests too: float32 or float64 vectors in, one vector out, free of contraction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ....core.dtypes import is_low_precision
from ....primitives import random_math as reference
from ..engine import host
from ..llvm import Function, Value, const, i64, lanes_of, like, scalar_of
from . import numbers
from .layout import broadcast_strides, merged, offsets, vector_loop
from .operation import Buffer, Operation
from .tasks import GRAIN, parallel_ranges

Formula = Callable[..., Value]


@contextmanager
def _exact(f: Function) -> Iterator[None]:
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
    with _exact(f):
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
    with _exact(f):
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
    with _exact(f):
        if scalar_of(x.type) == "double":
            return _by_library(f, "erf", x)
        square = f.fmul(x, x)
        top = f.fmul(x, horner(f, square, reference._ERF_TOP))
        value = f.fdiv(top, horner(f, square, reference._ERF_BOTTOM))
        large = f.fcmp("oge", f.fabs(x), const(x.type, float(reference._ERF_ONE)))
        return f.select(large, f.copysign(const(x.type, 1.0), x), value)


def erf_inv(f: Function, x: Value) -> Value:
    with _exact(f):
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
    with _exact(f):
        return f.fma(x, y, z)


FORMULAS: dict[str, Formula] = {
    "xla_log": log,
    "xla_log1p": log1p,
    "xla_erf": erf,
    "xla_erf_inv": erf_inv,
    "fused_multiply_add": fused,
}
"""By the name of the primitive: vectors (or scalars) of float32 or float64."""


class Map(Operation):
    """A formula on every element."""

    def __init__(self, formula: Formula):
        self.formula = formula

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x,), (out,) = inputs, outputs
        dtype = x.dtype

        def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            source, to = values

            def body(index: Value, lanes: int) -> None:
                unit = f"i{8 * dtype.itemsize}"
                value = numbers.load(g, dtype, g.gep(unit, source, index), lanes)
                numbers.store(g, dtype, self.formula(g, value), g.gep(unit, to, index))

            vector_loop(g, start, stop, numbers.lanes_for(dtype, host().vector_bytes), body)

        parallel_ranges(f, "map", [x.pointer, out.pointer], x.size, GRAIN // 4, run)


class Fused(Operation):
    """x * y + z over operands that broadcast: one rounding in float32 and float64, two in the low precisions."""

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (out,) = outputs
        if out.size == 0:
            return
        sizes, (to, *strides) = merged(
            out.shape, out.strides, *[broadcast_strides(b.shape, out.shape) for b in inputs]
        )
        if not sizes:
            sizes, to, strides = (1,), (1,), [(0,)] * 3
        rows = math.prod(sizes[:-1])
        pointers = [b.pointer for b in inputs] + [out.pointer]

        def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            with g.loop(start, stop, trips=True) as loop:
                steps = [s[:-1] for s in (*strides, to)]
                places = offsets(g, loop.index, sizes[:-1], *steps)
                unit = f"i{8 * out.dtype.itemsize}"
                row = [g.gep(unit, v, place) for v, place in zip(values, places, strict=True)]
                self._row(g, out.dtype, row, [s[-1] for s in strides], sizes[-1])

        parallel_ranges(f, "fused", pointers, rows, max(1, GRAIN // sizes[-1]), run)

    def _row(self, f: Function, dtype: np.dtype[Any], row: list[Value], steps: Sequence[int], n: int) -> None:
        lanes = numbers.lanes_for(dtype, host().vector_bytes) if all(s in (0, 1) for s in steps) else 1
        unit = f"i{8 * dtype.itemsize}"

        def operand(place: Value, step: int, index: Value, lanes: int) -> Value:
            if step == 0:
                return f.splat(numbers.load(f, dtype, place), lanes)
            return numbers.load(f, dtype, f.gep(unit, place, f.mul(index, i64(step))), lanes)

        def body(index: Value, lanes: int) -> None:
            x, y, z = [operand(p, s, index, lanes) for p, s in zip(row[:3], steps, strict=True)]
            numbers.store(f, dtype, self._value(f, dtype, x, y, z), f.gep(unit, row[3], index))

        vector_loop(f, i64(0), i64(n), lanes, body)

    def _value(self, f: Function, dtype: np.dtype[Any], x: Value, y: Value, z: Value) -> Value:
        if not is_low_precision(dtype):
            return fused(f, x, y, z)
        with _exact(f):
            return f.fadd(numbers.rounded(f, dtype, f.fmul(x, y)), z)


OPERATIONS: dict[str, Operation] = {
    **{name: Map(FORMULAS[name]) for name in ("xla_log", "xla_log1p", "xla_erf", "xla_erf_inv")},
    "fused_multiply_add": Fused(),
}
"""By the name of the primitive."""
