"""Sweeps over all results of a windowed operation: for every result, the taps of its window that read an element.

Result q reads with tap k the element (q * stride + k * dilation - low) / base, where that is one. Rows along the
last axis are made in vectors: results of one residue modulo `every` read elements at a constant step, so a vector
of each residue is made at once and they are interleaved. Rows are shared among the threads.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..llvm import Function, Value, i64
from ..operations.tasks import GRAIN, parallel_ranges

_UNROLLED = 16
"""Taps that are written one after the other; more are a loop."""
_NEAR = 4
"""Steps between elements that vectors are made across."""


class Reading(NamedTuple):
    """One axis: source elements, results, and how they meet; dilation may be negative."""

    size: int
    count: int
    window: int
    stride: int
    base: int
    dilation: int
    low: int

    @property
    def trivial(self) -> bool:
        """Result q reads element q and no other."""
        same = self.size == self.count and self.window == self.stride == self.base == 1
        return same and self.low == 0

    @property
    def inside(self) -> bool:
        """Every tap reads an element."""
        ends = [
            q * self.stride + k * self.dilation - self.low
            for q in (0, self.count - 1)
            for k in (0, self.window - 1)
        ]
        return self.base == 1 and min(ends) >= 0 and max(ends) < self.size


class Taps(NamedTuple):
    """The taps first, first + step, ... of results of one residue: they read origin + i * stride + j * dilation."""

    first: int
    step: int
    count: int
    origin: int
    stride: int
    dilation: int


def residues(axis: Reading) -> list[Taps | None]:
    """What the results q = r, r + every, ... read, for every residue r."""
    every_q = axis.base // math.gcd(axis.stride, axis.base)
    every_k = axis.base // math.gcd(axis.dilation, axis.base)
    found: list[Taps | None] = [None] * every_q
    for q, k in itertools.product(range(every_q), range(min(every_k, axis.window))):
        start = q * axis.stride + k * axis.dilation - axis.low
        if start % axis.base == 0:
            count, stride = len(range(k, axis.window, every_k)), axis.stride * every_q // axis.base
            found[q] = Taps(
                k, every_k, count, start // axis.base, stride, axis.dilation * every_k // axis.base
            )
    return found


def joined(axes: Sequence[Reading]) -> tuple[list[Reading], list[int]]:
    """Neighbouring axes without windows as one; and the tap numbers that a tap of every axis counts for."""
    numbers, step = [], 1
    for axis in reversed(axes):
        numbers.insert(0, step)
        step *= axis.window
    found: list[Reading] = []
    weights: list[int] = []
    for axis, number in zip(axes, numbers, strict=True):
        if axis.trivial and found and found[-1].trivial:
            n = found[-1].size * axis.size
            found[-1] = Reading(n, n, 1, 1, 1, 1, 0)
        else:
            found.append(axis)
            weights.append(number)
    return found or [Reading(1, 1, 1, 1, 1, 1, 0)], weights or [1]


class Block(NamedTuple):
    """Where a vector of every residue is made: the row's first result, the block's first, whether it has an edge."""

    row: Value
    start: Value
    edge: bool


class Visit(NamedTuple):
    """A tap of a vector of results: source row, first element in it, its step, the number of the tap."""

    residue: int
    row: Value
    first: Value
    stride: int
    tap: Value


class Sweep:
    """What an operation does: state before the first tap, after one more, and what becomes of it.

    State is, for every residue, a tuple of values.
    """

    lanes = 1

    def begin(self, f: Function, sweep: Rows, block: Block) -> list[Value]:
        raise NotImplementedError

    def visit(self, f: Function, sweep: Rows, block: Block, state: list[Value], visit: Visit) -> list[Value]:
        raise NotImplementedError

    def end(self, f: Function, sweep: Rows, block: Block, state: list[Value]) -> None:
        raise NotImplementedError


class Rows:
    """The sweep over all rows of results."""

    def __init__(self, axes: Sequence[Reading], most_lanes: int):
        self.axes, self.weights = joined(axes)
        *self.outer, self.last = self.axes
        self.residues = residues(self.last)
        self.every = len(self.residues)
        near = max([self.every, *[t.stride for t in self.residues if t]]) <= _NEAR
        columns = -(-self.last.count // self.every)
        self.lanes = min(most_lanes, 1 << (columns - 1).bit_length()) if near else 1
        self.step = self.lanes * self.every
        self.rows = math.prod(a.count for a in self.outer)

    def emit(
        self, f: Function, stem: str, pointers: Sequence[Value], make: Callable[[list[Value]], Sweep]
    ) -> None:
        """The whole sweep; `make` gives the operation for pointers of the function it is emitted into."""
        work = self.last.count * math.prod(a.window for a in self.axes)
        step = max(1, GRAIN // max(1, work))

        def rows(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            operation = make(values)
            with g.loop(start, stop) as loop:
                self._row(g, operation, loop.index)

        parallel_ranges(f, stem, pointers, self.rows, step, rows)

    def _row(self, f: Function, operation: Sweep, number: Value) -> None:
        row, at = f.mul(number, i64(self.last.count)), []
        for axis in reversed(self.outer):
            at.insert(0, f.urem(number, i64(axis.count)))
            number = f.udiv(number, i64(axis.count))
        low, high = self._plain()
        with f.loop(i64(0), i64(self.last.count), self.step, trips=True) as loop:
            start = loop.index

            def block(edge: bool) -> list[Value]:
                self._block(f, operation, at, Block(row, start, edge))
                return []

            if low >= high or self.lanes == 1:
                block(True)
            elif low == 0 and high == self.last.count and self.last.count % self.step == 0:
                block(False)
            else:
                plain = f.and_(f.icmp("sge", start, i64(low)), f.icmp("sle", start, i64(high - self.step)))
                f.choose(plain, lambda: block(False), lambda: block(True))

    def _plain(self) -> tuple[int, int]:
        """Results whose taps all read elements, if their whole block lies between these."""
        low, high = 0, self.last.count // self.every
        for taps in self.residues:
            if taps:
                ends = [taps.origin, taps.origin + (taps.count - 1) * taps.dilation]
                low = max(low, -(min(ends) // taps.stride))
                high = min(high, (self.last.size - 1 - max(ends)) // taps.stride + 1)
        return low * self.every, high * self.every

    def _block(self, f: Function, operation: Sweep, at: list[Value], block: Block) -> None:
        state = operation.begin(f, self, block)
        axes = list(zip(self.outer, self.weights[:-1], at, strict=True))
        state = self._outer(f, operation, block, axes, i64(0), i64(0), state)
        operation.end(f, self, block, state)

    def _outer(
        self,
        f: Function,
        operation: Sweep,
        block: Block,
        axes: list[tuple[Reading, int, Value]],
        row: Value,
        tap: Value,
        state: list[Value],
    ) -> list[Value]:
        """Loops over the taps along all axes but the last."""
        if not axes:
            return self._inner(f, operation, block, f.mul(row, i64(self.last.size)), tap, state)
        (axis, weight, q), *rest = axes
        row = f.mul(row, i64(axis.size))
        if axis.trivial:
            return self._outer(f, operation, block, rest, f.add(row, q), tap, state)
        first = f.add(f.mul(q, i64(axis.stride)), i64(-axis.low))
        with f.loop(i64(0), i64(axis.window), carry=state, trips=True) as loop:
            k, now = loop.index, loop.carry
            place = f.add(first, f.mul(k, i64(axis.dilation)))
            number = f.add(tap, f.mul(k, i64(weight)))
            element = f.sdiv(place, i64(axis.base)) if axis.base > 1 else place
            deeper = lambda: self._outer(f, operation, block, rest, f.add(row, element), number, now)
            if axis.inside:
                loop.next(*deeper())
            else:
                there = f.icmp("ult", place, i64((axis.size - 1) * axis.base + 1))
                if axis.base > 1:
                    there = f.and_(there, f.icmp("eq", f.mul(element, i64(axis.base)), place))
                loop.next(*f.choose(there, deeper, lambda: now))
        return loop.results

    def _inner(
        self, f: Function, operation: Sweep, block: Block, row: Value, tap: Value, state: list[Value]
    ) -> list[Value]:
        """The taps along the last axis, residue after residue."""
        column = f.sdiv(block.start, i64(self.every)) if self.every > 1 else block.start
        unrolled = sum(t.count for t in self.residues if t) <= _UNROLLED
        weight = self.weights[-1]
        for residue, taps in enumerate(self.residues):
            if taps is None:
                continue
            first = f.add(f.mul(column, i64(taps.stride)), i64(taps.origin))

            def visit(
                j: Value, state: list[Value], taps: Taps = taps, first: Value = first, residue: int = residue
            ) -> list[Value]:
                place = f.add(first, f.mul(j, i64(taps.dilation)))
                number = f.add(tap, f.mul(f.add(f.mul(j, i64(taps.step)), i64(taps.first)), i64(weight)))
                return operation.visit(f, self, block, state, Visit(residue, row, place, taps.stride, number))

            if unrolled:
                for j in range(taps.count):
                    state = visit(i64(j), state)
            else:
                with f.loop(i64(0), i64(taps.count), carry=state, trips=True) as loop:
                    loop.next(*visit(loop.index, loop.carry))
                state = loop.results
        return state
