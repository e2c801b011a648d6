"""Results in boxes, a task or a part of one each; and the vectors, or pieces of vectors, that a box is made of.

A piece is some neighbouring results of one row. Where rows are short, several pieces make a vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..llvm import Function, Value, i64
from .geometry import Axis

ENTRY = 24
"""Bytes of a piece in the table: offsets in x and in y, both in bytes, and the number of results."""


class Boxes:
    """All results, cut along every axis into pieces of the extents of a box."""

    def __init__(self, axes: Sequence[Axis], extents: Sequence[int]):
        self.axes, self.extents = axes, tuple(extents)
        self.along = [-(-a.count // e) for a, e in zip(axes, extents, strict=True)]
        self.count = math.prod(self.along)

    def at(self, f: Function, number: Value) -> tuple[list[Value], list[Value]]:
        """Where box `number` begins along every axis, and how far it goes."""
        starts, extents = [], []
        for a, e, n in zip(reversed(self.axes), reversed(self.extents), reversed(self.along), strict=True):
            here, number = (f.urem(number, i64(n)), f.udiv(number, i64(n))) if n > 1 else (i64(0), number)
            start = f.mul(here, i64(e))
            rest = f.sub(i64(a.count), start) if a.count % e else i64(e)
            starts.insert(0, start)
            extents.insert(0, f.intrinsic("llvm.smin", rest, i64(e)) if a.count % e else rest)
        return starts, extents

    def pieces(self, lanes: int) -> int:
        return math.prod(self.extents[:-1]) * -(-self.extents[-1] // lanes)


def grown(axes: Sequence[Axis], fits: Callable[[Sequence[int]], bool]) -> list[int]:
    """Extents of the largest box that fits, whole along inner axes first, cut evenly along one."""
    box = [1] * len(axes)
    for i in reversed(range(len(axes))):
        count = axes[i].count
        best = 1
        for cuts in range(1, count + 1):
            size = -(-count // cuts)
            if fits([*box[:i], size, *box[i + 1 :]]):
                best = size
                break
        box[i] = best
        if best < count:
            break
    return box


def emit_pieces(
    f: Function,
    table: Value,
    lanes: int,
    extents: Sequence[Value],
    x_steps: Sequence[int],
    y_steps: Sequence[int],
    group: int,
) -> Value:
    """Write the table of a box's pieces, filled up with empty ones to a multiple of `group`; gives their number.

    Steps are in bytes per result, along every axis.
    """

    def along(axis: int, x: Value, y: Value, count: Value) -> Value:
        last = axis == len(extents) - 1
        with f.loop(i64(0), extents[axis], lanes if last else 1, carry=[count], trips=True) as loop:
            (count,) = loop.carry
            here = f.add(x, f.mul(loop.index, i64(x_steps[axis]))), f.add(y, f.mul(loop.index, i64(y_steps[axis])))
            if last:
                rest = f.intrinsic("llvm.smin", f.sub(extents[axis], loop.index), i64(lanes))
                _entry(f, table, count, *here, rest)
                loop.next(f.add(count, i64(1)))
            else:
                loop.next(along(axis + 1, *here, count))
        return loop.results[0]

    count = along(0, i64(0), i64(0), i64(0))
    whole = f.mul(f.udiv(f.add(count, i64(group - 1)), i64(group)), i64(group))
    with f.loop(count, whole) as loop:
        _entry(f, table, loop.index, i64(0), i64(0), i64(0))
    return whole


def _entry(f: Function, table: Value, number: Value, *values: Value) -> None:
    place = f.gep("i8", table, f.mul(number, i64(ENTRY)))
    for i, value in enumerate(values):
        f.store(value, f.gep("i64", place, i64(i)))


def emit_places(f: Function, table: Value, extents: Sequence[Value], steps: Sequence[int]) -> Value:
    """Write where the results of a box begin to read, in bytes; gives their number."""

    def along(axis: int, at: Value, count: Value) -> Value:
        with f.loop(i64(0), extents[axis], carry=[count], trips=True) as loop:
            (count,) = loop.carry
            here = f.add(at, f.mul(loop.index, i64(steps[axis])))
            if axis == len(extents) - 1:
                f.store(here, f.gep("i64", table, count))
                loop.next(f.add(count, i64(1)))
            else:
                loop.next(along(axis + 1, here, count))
        return loop.results[0]

    return along(0, i64(0), i64(0))
