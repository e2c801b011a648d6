"""Where vectors of neighbouring results find their elements: in x itself, or in a padded copy of a part of it.

In the copy every element that a tap reads for neighbouring results stands next to the one for the result before:
padding is written out, and along strided axes the elements fall into planes by their residue. A tap is then no
more than an offset (compare M. Dukhan, The Indirect Convolution Algorithm, arXiv:1907.02129).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from ..llvm import Function, Value, i64
from .filling import AXES, fill, numbers_table, values_table
from .geometry import Axis, Part
from .numbers import Numbers


class Places(NamedTuple):
    """Offsets in elements: of the next channel, of the next result along every axis, of every tap."""

    channel: int
    steps: tuple[int, ...]
    taps: tuple[int, ...]


def readable(part: Part, numbers: Numbers) -> bool:
    """x can be read where it lies."""
    last = part.axes[-1]
    return all(a.inside for a in part.axes) and last.stride * last.x == 1 and numbers.memory == numbers.scalar


def in_place(part: Part) -> Places:
    """Offsets in x, from the first element on that result 0 reads."""
    taps = [[k * a.dilation * a.x for k in range(a.window)] for a in part.axes]
    return Places(part.channels.x, tuple(a.stride * a.x for a in part.axes), _sums(taps))


def _sums(taps: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(map(sum, itertools.product(*taps)))


class Span(NamedTuple):
    """One axis of the copy: planes for the residues 0, grain, ..., `extra` elements more than results."""

    axis: Axis
    grain: int
    residues: int
    extra: int
    step: int
    """Distance of neighbours."""
    plane: int
    """Distance of neighbouring residues."""

    def tap(self, k: int) -> int:
        place = k * self.axis.dilation
        return place % self.axis.stride // self.grain * self.plane + place // self.axis.stride * self.step


class Copy:
    """The copy of what a box of results reads: spans of its axes, and offsets in it.

    Without `planes` the elements stay in their order, and results step over those between.
    """

    def __init__(self, axes: Sequence[Axis], box: Sequence[int], lanes: int, planes: bool = True):
        self.lanes = lanes
        self.over = [1 if planes else a.stride for a in axes]
        """Elements of the copy from result to result."""
        if not planes:
            axes = [a._replace(stride=1) for a in axes]
            box = [(n - 1) * over + 1 for n, over in zip(box, self.over, strict=True)]
        spans, step = [], 1
        for a, n in zip(reversed(axes), reversed(box), strict=True):
            spans.insert(0, _span(a, step))
            step *= n + spans[0].extra
        for i in reversed(range(len(spans))):
            spans[i] = spans[i]._replace(plane=step)
            step *= spans[i].residues
        self.spans = spans
        taps = [[s.tap(k) for k in range(s.axis.window)] for s in spans]
        steps = tuple(s.step * over for s, over in zip(spans, self.over, strict=True))
        self.places = Places(_uneven(step, lanes), steps, _sums(taps))
        self.rows = step // (box[-1] + spans[-1].extra)

    def cycles(self, channels: int) -> float:
        """Roughly what it takes to make."""
        return channels * (16 * self.rows + 2 * self.places.channel / self.lanes)

    def elements(self, channels: int) -> int:
        """Size, with room for the vectors that begin in it."""
        return channels * self.places.channel + 2 * self.lanes

    def emit(
        self, f: Function, numbers: Numbers, x: Value, copy: Value, channels: int | Value, channel: int,
        starts: Sequence[Value], extents: Sequence[Value],
    ) -> None:  # fmt: skip
        """Fill the copy for results from `starts` on, `extents` of them; channels of x are `channel` apart."""
        count = i64(channels) if isinstance(channels, int) else channels
        starts = [f.mul(n, i64(over)) for n, over in zip(starts, self.over, strict=True)]
        extents = [
            f.add(f.mul(n, i64(over)), i64(1 - over)) for n, over in zip(extents, self.over, strict=True)
        ]
        ahead = AXES - len(self.spans)
        one = (1, 0, 1, 0, 1, 1, 0, 0, 0)
        axes = [one] * ahead + [
            (a.stride, a.origin, a.size, a.x, s.grain, s.residues, s.extra, s.step, s.plane)
            for s in self.spans
            for a in [s.axis]
        ]
        table = numbers_table(f, [v for axis in axes for v in axis])
        box = values_table(f, [i64(0)] * ahead + list(starts) + [i64(1)] * ahead + list(extents))
        steps = count, i64(channel), i64(self.places.channel)
        fill(f, numbers, [x, copy, table, box, f.gep("i64", box, i64(AXES)), *steps])


def _span(a: Axis, step: int) -> Span:
    grain = math.gcd(a.dilation, a.stride)
    most = max(k * a.dilation % a.stride for k in range(min(a.window, a.stride)))
    return Span(a, grain, most // grain + 1, (a.window - 1) * a.dilation // a.stride, step, 0)


def _uneven(size: int, lanes: int) -> int:
    """A distance of channels that does not put them all in the same sets of a cache."""
    size = -(-size // lanes) * lanes
    return size + lanes if size // lanes % 16 == 0 else size


def source(
    f: Function, numbers: Numbers, part: Part, copy: Copy | None, x: Value, at: Value, starts: Sequence[Value],
    extents: Sequence[Value], channels: int | Value | None = None, memory: Value | None = None,
) -> Value:  # fmt: skip
    """Where a box of results finds its elements: in place, or in a copy made here, in `memory` or on the stack."""
    if copy is None:
        for a, start in zip(part.axes, starts, strict=True):
            at = f.add(at, f.mul(f.add(f.mul(start, i64(a.stride)), i64(a.origin)), i64(a.x)))
        return f.gep("i8", x, f.mul(at, i64(numbers.bytes)))
    size = 4 if numbers.scalar == "float" else 8
    memory = memory or f.alloca("i8", copy.elements(part.channels.count) * size)
    x = f.gep("i8", x, f.mul(at, i64(numbers.bytes)))
    count = part.channels.count if channels is None else channels
    copy.emit(f, numbers, x, memory, count, part.channels.x, starts, extents)
    return memory
