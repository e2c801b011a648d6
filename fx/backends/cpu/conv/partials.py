"""Partial results of chunks of a long sum: added in the order of the chunks, then brought to their places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..llvm import Function, Value, i64, vector
from ..operations.layout import vector_loop
from ..operations.tasks import parallel_ranges
from .nests import scatter
from .numbers import Numbers

_GRAIN = 1 << 14


class Moved(NamedTuple):
    """An axis of the result: its length, and the steps of its elements in the partial results and in the result."""

    count: int
    source: int
    target: int


class Partials:
    """`chunks` arrays of `size` sums, one behind the other."""

    def __init__(self, numbers: Numbers, chunks: int, size: int):
        self.numbers, self.chunks, self.size = numbers, chunks, size

    def emit(self, f: Function, partial: Value, result: Value, first: int, axes: Sequence[Moved]) -> None:
        """The sum of all chunks to the result, from its element `first` on."""
        if self.chunks > 1:
            parallel_ranges(f, "conv_add", [partial], self.size, _GRAIN, self._add)
        self._move(f, partial, result, first, axes)

    def _add(self, f: Function, values: list[Value], start: Value, stop: Value) -> None:
        (partial,), scalar = values, self.numbers.scalar

        def elements(at: Value, lanes: int) -> None:
            kind, first = vector(scalar, lanes), f.gep(scalar, partial, at)
            with f.loop(i64(1), i64(self.chunks), carry=[f.load(kind, first)], trips=True) as loop:
                place = f.gep(scalar, first, f.mul(loop.index, i64(self.size)))
                loop.next(f.fadd(loop.carry[0], f.load(kind, place)))
            f.store(loop.results[0], first)

        vector_loop(f, start, stop, self.numbers.lanes, elements)

    def _move(self, f: Function, partial: Value, result: Value, first: int, axes: Sequence[Moved]) -> None:
        """Neighbours in the result are innermost."""
        outer, *rest = sorted((a for a in axes if a.count > 1), key=lambda a: -a.target) or [Moved(1, 0, 0)]

        def work(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            partial, result = values
            with g.loop(start, stop) as loop:
                at, to = g.mul(loop.index, i64(outer.source)), g.mul(loop.index, i64(outer.target))
                here = g.gep(self.numbers.scalar, partial, at)
                there = self.numbers.at(g, result, g.add(i64(first), to))
                scatter(g, self.numbers, here, there, rest or [Moved(1, 0, 0)])

        step = max(1, _GRAIN // math.prod(a.count for a in rest))
        parallel_ranges(f, "conv_place", [partial, result], outer.count, step, work)
