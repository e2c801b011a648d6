"""Products of complex numbers over any axes, in NumPy's order: one element after the other, beginning with 1.

What runs side by side are results: neighbouring ones in vector registers where the last axis stays. A long product of
everything is one of partial products, of every 32nd element in a chunk. Nests have no accumulator of two parts that
depend on one another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....core.avals import Aval
from .. import complex_numbers
from ..engine import host
from ..llvm import Function, Value, const, i64, vector
from . import numbers
from .layout import merged, offsets, pieces, row_major
from .operation import Buffer, Operation
from .tasks import GRAIN, parallel_ranges

_ABREAST = 4
"""Vectors of results, or single ones, that are made side by side."""
_WIDTH, _LONG = 32, 1 << 12
"""Partial products of a chunk, and elements from which there are any."""


class ComplexProduct(Operation):
    """prod of complex numbers; that of real ones is a nest."""

    def accepts(self, avals: Sequence[Aval], params: dict[str, Any]) -> bool:
        return avals[0].dtype.kind == "c" and avals[0].size > 0

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x,), (out,) = inputs, outputs
        if out.size > 1 or x.size < _LONG:
            Products(x, params["axes"]).emit(f, x.pointer, out.pointer)
            return
        chunks, rows, left = _split(x.size)
        Products(x._replace(shape=(chunks, rows, _WIDTH)), (1,)).emit(f, x.pointer, scratch)
        step, done = f"i{8 * x.dtype.itemsize}", chunks * _WIDTH
        with f.loop(i64(0), i64(left)) as loop:
            last = f.load(step, f.gep(step, x.pointer, f.add(loop.index, i64(x.size - left))))
            f.store(last, f.gep(step, scratch, f.add(loop.index, i64(done))))
        Products(x._replace(shape=(done + left,)), (0,)).emit(f, scratch, out.pointer)

    def scratch(self, avals: Sequence[Aval], params: dict[str, Any]) -> int:
        (x,) = avals
        kept = math.prod(d for axis, d in enumerate(x.shape) if axis not in params["axes"])
        if kept > 1 or x.size < _LONG:
            return 0
        chunks, _, left = _split(x.size)
        return (chunks * _WIDTH + left) * x.dtype.itemsize


def _split(size: int) -> tuple[int, int, int]:
    """Chunks, rows of each, and elements that are left."""
    chunks = max(1, min(64, size // GRAIN))
    rows = size // (chunks * _WIDTH)
    return chunks, rows, size - chunks * rows * _WIDTH


class Products:
    """Results in groups: those of one group are multiplied side by side."""

    def __init__(self, x: Buffer, axes: Sequence[int]):
        strides = row_major(x.shape)
        take = lambda on: [(x.shape[a], strides[a]) for a in range(len(x.shape)) if (a in axes) == on]
        gone, kept = take(True), take(False)
        self.part, self.step = complex_numbers.part_type(x.dtype), f"i{8 * x.dtype.itemsize}"
        self.sizes, (self.strides,) = merged([n for n, _ in gone], [s for _, s in gone])
        self.kept, (self.starts,) = merged([n for n, _ in kept], [s for _, s in kept])
        self.length, self.count = math.prod(self.sizes), math.prod(self.kept)
        last = self.kept[-1] if self.kept else 1
        self.apart = self.starts[-1] if self.kept else 1
        lanes = host().vector_bytes // (x.dtype.itemsize // 2) if self.apart == 1 else 1
        self.block = min(last, _ABREAST * lanes)
        self.whole = pieces(self.block, lanes)
        self.rest = pieces(last % self.block, lanes)
        self.blocks = -(-last // self.block)

    def emit(self, f: Function, x: Value, out: Value) -> None:
        """Every unit is a block of results along the last axis that stays."""
        units = self.count // (self.kept[-1] if self.kept else 1) * self.blocks
        grain = max(1, GRAIN // (self.length * self.block))

        def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            with g.loop(start, stop, trips=True) as loop:
                self._unit(g, values[0], values[1], loop.index)

        parallel_ranges(f, "product", [x, out], units, grain, run)

    def _unit(self, f: Function, x: Value, out: Value, unit: Value) -> None:
        last = self.kept[-1] if self.kept else 1
        row, block = f.udiv(unit, i64(self.blocks)), f.urem(unit, i64(self.blocks))
        first = f.add(f.mul(row, i64(last)), f.mul(block, i64(self.block)))
        (at,) = offsets(f, first, self.kept, self.starts)
        x, out = f.gep(self.step, x, at), f.gep(self.step, out, first)
        if not self.rest:
            self._results(f, x, out, self.whole)
            return
        ends = f.icmp("eq", block, i64(self.blocks - 1))
        with f.when(ends):
            self._results(f, x, out, self.rest)
        with f.when(f.not_(ends)):
            self._results(f, x, out, self.whole)

    def _results(self, f: Function, x: Value, out: Value, abreast: Sequence[tuple[int, int]]) -> None:
        kinds = [vector(self.part, lanes) for _, lanes in abreast]
        start = [const(kind, value) for kind in kinds for value in (1.0, 0.0)]
        results = self._loops(f, x, abreast, list(zip(self.sizes, self.strides, strict=True)), start)
        for k, (offset, _) in enumerate(abreast):
            z = complex_numbers.Pair(*results[2 * k : 2 * k + 2])
            complex_numbers.store(f, z, f.gep(self.step, out, i64(offset)))

    def _loops(
        self, f: Function, x: Value, abreast: Any, axes: list[tuple[int, int]], carry: list[Value]
    ) -> list[Value]:
        """Over all axes that go, the first outermost."""
        if not axes:
            return self._multiply(f, x, abreast, carry)
        (size, stride), *inner = axes
        with f.loop(i64(0), i64(size), carry=carry, trips=True) as loop:
            at = f.gep(self.step, x, f.mul(loop.index, i64(stride)))
            loop.next(*self._loops(f, at, abreast, inner, loop.carry))
        return list(loop.results)

    def _multiply(self, f: Function, x: Value, abreast: Any, carry: list[Value]) -> list[Value]:
        found: list[Value] = []
        for k, (offset, lanes) in enumerate(abreast):
            place = f.gep(self.step, x, i64(offset * self.apart))
            z = complex_numbers.load(f, self.part, place, lanes)
            found += numbers.complex_product(f, (carry[2 * k], carry[2 * k + 1]), z)
        return found


OPERATIONS: dict[str, Operation] = {"prod": ComplexProduct()}
"""By the name of the primitive."""
