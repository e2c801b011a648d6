"""Running sums, products, extrema and log-sum-exps along any axis, in NumPy's order: one element after the other.

What runs side by side are lines: neighbouring columns in vector registers where the axis is an outer one, several
rows at once where it is the last. The order within a line is never changed, so the bits are the interpreter's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....core import dtypes
from ..engine import host
from ..llvm import Function, Value, const, i64
from . import numbers
from .layout import either, pieces
from .operation import Buffer, Operation
from .tasks import GRAIN, parallel_ranges

_ABREAST = 8
"""Vectors of columns, or rows, that run side by side."""

State = tuple[Value, ...]


class Kind:
    """How elements of one dtype are loaded, combined and stored. `parts`: numbers that make an element."""

    vectors = True
    parts = 1

    def __init__(self, dtype: np.dtype[Any], combine: numbers.Combine | None = None):
        self.dtype, self._combine = dtype, combine

    @property
    def step(self) -> str:
        """The type that has an element's size."""
        return f"i{8 * self.dtype.itemsize}"

    def load(self, f: Function, place: Value, lanes: int) -> State:
        return (numbers.load(f, self.dtype, place, lanes),)

    def store(self, f: Function, x: State, place: Value) -> None:
        numbers.store(f, self.dtype, x[0], place)

    def combine(self, f: Function, x: State, y: State) -> State:
        assert self._combine is not None
        return (self._combine(f, x[0], y[0]),)


class ComplexProduct(Kind):
    """Complex numbers, one at a time."""

    vectors = False
    parts = 2

    @property
    def part(self) -> str:
        return "float" if self.dtype.itemsize == 8 else "double"

    def load(self, f: Function, place: Value, lanes: int) -> State:
        return tuple(f.load(self.part, f.gep(self.part, place, i64(k))) for k in (0, 1))

    def store(self, f: Function, x: State, place: Value) -> None:
        for k, value in enumerate(x):
            f.store(value, f.gep(self.part, place, i64(k)))

    def combine(self, f: Function, x: State, y: State) -> State:
        return numbers.complex_product(f, (x[0], x[1]), (y[0], y[1]))


class LogAddExp(Kind):
    """log(exp(x) + exp(y)) as NumPy computes it, by the C library's exp and log1p."""

    vectors = False

    def combine(self, f: Function, x: State, y: State) -> State:
        (x,), (y,) = x, y
        suffix = "f" if x.type == "float" else ""
        apart = f.fsub(x, y)
        small = f.call("exp" + suffix, x.type, [f.fneg(f.fabs(apart))])
        rest = f.call("log1p" + suffix, x.type, [small])
        value = f.fadd(f.select(f.fcmp("ogt", apart, const(x.type, 0.0)), x, y), rest)
        value = f.select(f.fcmp("uno", apart, apart), apart, value)
        twice = f.fadd(x, const(x.type, math.log(2)))
        return (f.select(f.fcmp("oeq", x, y), twice, value),)


def _sum(dtype: np.dtype[Any]) -> Kind:
    real = dtypes.real_of(dtype)
    return Kind(real, numbers.adder(real))


def _product(dtype: np.dtype[Any]) -> Kind:
    return ComplexProduct(dtype) if dtype.kind == "c" else Kind(dtype, numbers.multiplier(dtype))


class Cumulative(Operation):
    """y[i] = x[0] o ... o x[i] along an axis, or x[i] o ... o x[n-1]."""

    def __init__(self, kind: Callable[[np.dtype[Any]], Kind]):
        self.kind = kind

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x,), (out,) = inputs, outputs
        if x.size == 0:
            return
        kind, axis = self.kind(x.dtype), params["axis"]
        inner = math.prod(x.shape[axis + 1 :]) * (x.dtype.itemsize // kind.dtype.itemsize)
        lines = Lines(kind, math.prod(x.shape[:axis]), x.shape[axis], inner, params["reverse"])
        lines.emit(f, x.pointer, out.pointer)


class Lines:
    """The lines of an array (outer, n, inner), in units of a block of columns or a group of rows."""

    def __init__(self, kind: Kind, outer: int, n: int, inner: int, reverse: bool):
        self.kind, self.outer, self.n, self.inner, self.reverse = kind, outer, n, inner, reverse
        self.lanes = numbers.lanes_for(kind.dtype, host().vector_bytes) if kind.vectors and inner > 1 else 1

    def emit(self, f: Function, x: Value, out: Value) -> None:
        if self.inner == 1:
            group = min(_ABREAST, 1 << (self.outer.bit_length() - 1))
            rows = [(k * self.n, 1) for k in range(group)]
            self._units(f, [x, out], self.outer, group, self.n, rows, rows[:1])
            return
        width = _ABREAST * self.lanes if self.kind.vectors else 1
        block = pieces(min(width, self.inner), self.lanes)
        if self.inner <= width:
            self._units(f, [x, out], self.outer, 1, self.n * self.inner, block, block)
        else:
            self._blocks(f, [x, out], width, block)

    def _units(
        self, f: Function, values: Sequence[Value], count: int, group: int, step: int, many: Any, one: Any
    ) -> None:
        """Lines that begin `step` apart: whole groups together, those left over alone."""
        per_task = max(1, GRAIN // (step * group))
        groups, left = divmod(count, group)

        def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            with g.loop(start, stop, trips=True) as loop:
                self._run(g, values, g.mul(loop.index, i64(group * step)), many)

        def rest(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            with g.loop(start, stop, trips=True) as loop:
                self._run(g, values, g.mul(g.add(loop.index, i64(groups * group)), i64(step)), one)

        parallel_ranges(f, "cumulative", values, groups, per_task, run)
        parallel_ranges(f, "cumulative", values, left, max(1, GRAIN // step), rest)

    def _blocks(self, f: Function, values: Sequence[Value], width: int, block: Any) -> None:
        """Columns in blocks of `width`, those left over in one more."""
        whole, left = divmod(self.inner, width)
        blocks = whole + (left > 0)
        tail = pieces(left, self.lanes)

        def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            with g.loop(start, stop, trips=True) as loop:
                place, column = g.udiv(loop.index, i64(blocks)), g.urem(loop.index, i64(blocks))
                begin = g.add(g.mul(place, i64(self.n * self.inner)), g.mul(column, i64(width)))
                if not left:
                    self._run(g, values, begin, block)
                    return
                last = g.icmp("eq", column, i64(whole))
                run_tail = lambda: self._run(g, values, begin, tail)
                either(g, last, run_tail, lambda: self._run(g, values, begin, block))

        parallel_ranges(f, "cumulative", values, self.outer * blocks, max(1, GRAIN // (self.n * width)), run)

    def _run(
        self, f: Function, values: list[Value], begin: Value, abreast: Sequence[tuple[int, int]]
    ) -> None:
        """From one end of the axis to the other, (offset, lanes) side by side."""
        x, out = [f.gep(self.kind.step, v, begin) for v in values]
        step = -self.inner if self.reverse else self.inner
        first = (self.n - 1) * self.inner if self.reverse else 0
        load = lambda at, lanes: self.kind.load(f, f.gep(self.kind.step, x, at), lanes)
        store = lambda at, state: self.kind.store(f, state, f.gep(self.kind.step, out, at))
        states = [load(i64(first + offset), lanes) for offset, lanes in abreast]
        for (offset, _), state in zip(abreast, states, strict=True):
            store(i64(first + offset), state)
        with f.loop(i64(1), i64(self.n), carry=[v for s in states for v in s]) as loop:
            at = f.add(f.mul(loop.index, i64(step)), i64(first))
            places = [f.add(at, i64(offset)) for offset, _ in abreast]
            new = [load(place, lanes) for place, (_, lanes) in zip(places, abreast, strict=True)]
            old = [
                tuple(loop.carry[k : k + self.kind.parts]) for k in range(0, len(loop.carry), self.kind.parts)
            ]
            states = [self.kind.combine(f, a, b) for a, b in zip(old, new, strict=True)]
            for place, state in zip(places, states, strict=True):
                store(place, state)
            loop.next(*[v for s in states for v in s])


OPERATIONS: dict[str, Operation] = {
    "cumsum": Cumulative(_sum),
    "cumprod": Cumulative(_product),
    "cummax": Cumulative(lambda dtype: Kind(dtype, numbers.extremum(dtype, True))),
    "cummin": Cumulative(lambda dtype: Kind(dtype, numbers.extremum(dtype, False))),
    "cumlogsumexp": Cumulative(LogAddExp),
}
"""By the name of the primitive."""
