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
