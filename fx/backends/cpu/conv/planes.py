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

from ..llvm import Function, Value, const, i64, vector
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
    """The copy of what a box of results reads: spans of its axes, and offsets in it."""

    def __init__(self, axes: Sequence[Axis], box: Sequence[int], lanes: int):
        self.lanes = lanes
        spans, step = [], 1
        for a, n in zip(reversed(axes), reversed(box), strict=True):
            spans.insert(0, _span(a, step))
            step *= n + spans[0].extra
        for i in reversed(range(len(spans))):
            spans[i] = spans[i]._replace(plane=step)
            step *= spans[i].residues
        self.spans = spans
        taps = [[s.tap(k) for k in range(s.axis.window)] for s in spans]
        self.places = Places(_uneven(step, lanes), tuple(s.step for s in spans), _sums(taps))

    def elements(self, channels: int) -> int:
        """Size, with room for the vectors that begin in it."""
        return channels * self.places.channel + 2 * self.lanes

    def emit(
        self, f: Function, numbers: Numbers, x: Value, copy: Value, channels: int | Value, channel: int,
        starts: Sequence[Value], extents: Sequence[Value],
    ) -> None:  # fmt: skip
        """Fill the copy for results from `starts` on, `extents` of them; channels of x are `channel` apart."""
        count = i64(channels) if isinstance(channels, int) else channels
        with f.loop(i64(0), count) as loop:
            source, target = f.mul(loop.index, i64(channel)), f.mul(loop.index, i64(self.places.channel))
            _Filling(f, numbers, x, copy, self.lanes).axes(
                list(zip(self.spans, starts, extents, strict=True)), source, target, None
            )


def _span(a: Axis, step: int) -> Span:
    grain = math.gcd(a.dilation, a.stride)
    most = max(k * a.dilation % a.stride for k in range(min(a.window, a.stride)))
    return Span(a, grain, most // grain + 1, (a.window - 1) * a.dilation // a.stride, step, 0)


def _uneven(size: int, lanes: int) -> int:
    """A distance of channels that does not put them all in the same sets of a cache."""
    size = -(-size // lanes) * lanes
    return size + lanes if size // lanes % 16 == 0 else size


class _Filling:
    """Row after row, in the order of memory: a row's last vector may reach into what is written later."""

    def __init__(self, f: Function, numbers: Numbers, x: Value, copy: Value, lanes: int):
        self.f, self.numbers, self.x, self.copy, self.lanes = f, numbers, x, copy, lanes

    def axes(
        self, axes: list[tuple[Span, Value, Value]], source: Value, target: Value, there: Value | None
    ) -> None:
        """Loops over residues and positions of every axis; `there` says whether the row lies in x at all."""
        self._residues(axes, [], source, target, there)

    def _residues(
        self,
        rest: list[tuple[Span, Value, Value]],
        done: list[tuple[Span, Value, Value, Value]],
        source: Value,
        target: Value,
        there: Value | None,
    ) -> None:
        f = self.f
        if not rest:
            self._positions(done, source, target, there)
            return
        (span, start, extent), *others = rest
        first = f.add(f.mul(start, i64(span.axis.stride)), i64(span.axis.origin))
        if span.residues == 1:
            self._residues(others, [*done, (span, first, extent, start)], source, target, there)
            return
        with f.loop(i64(0), i64(span.residues), trips=True) as loop:
            here = f.add(first, f.mul(loop.index, i64(span.grain)))
            plane = f.add(target, f.mul(loop.index, i64(span.plane)))
            self._residues(others, [*done, (span, here, extent, start)], source, plane, there)

    def _positions(
        self,
        axes: list[tuple[Span, Value, Value, Value]],
        source: Value,
        target: Value,
        there: Value | None,
    ) -> None:
        f = self.f
        (span, first, extent, _), *others = axes
        stop = f.add(extent, i64(span.extra))
        if not others:
            self._row(span, first, stop, source, target, there)
            return
        a = span.axis
        with f.loop(i64(0), stop) as loop:
            place = f.add(first, f.mul(loop.index, i64(a.stride)))
            row, to = f.add(source, f.mul(place, i64(a.x))), f.add(target, f.mul(loop.index, i64(span.step)))
            here = there
            if not a.inside:
                inside = f.icmp("ult", place, i64(a.size))
                here = inside if there is None else f.and_(there, inside)
            self._positions(others, row, to, here)

    def _row(
        self, span: Span, first: Value, stop: Value, source: Value, target: Value, there: Value | None
    ) -> None:
        f, a = self.f, span.axis
        lanes = self.lanes if a.x == 1 and a.stride <= 4 else 1
        zero = const(vector(self.numbers.scalar, lanes), 0)

        def copied() -> list[Value]:
            with f.loop(i64(0), stop, lanes) as loop:
                place = f.add(first, f.mul(loop.index, i64(a.stride)))
                x = self._load(a, source, place, lanes, zero)
                f.store(x, f.gep(self.numbers.scalar, self.copy, f.add(target, loop.index)))
            return []

        def cleared() -> list[Value]:
            with f.loop(i64(0), stop, lanes) as loop:
                f.store(zero, f.gep(self.numbers.scalar, self.copy, f.add(target, loop.index)))
            return []

        if there is None:
            copied()
        else:
            f.choose(there, copied, cleared)

    def _load(self, a: Axis, source: Value, place: Value, lanes: int, zero: Value) -> Value:
        f, numbers = self.f, self.numbers
        if a.x == 1:
            return numbers.load_inside(f, self.x, source, place, a.size, lanes, a.stride, zero)
        found = lambda: [
            numbers.widen(f, f.load(numbers.memory, numbers.at(f, self.x, f.add(source, f.mul(place, i64(a.x))))))
        ]
        return f.choose(f.icmp("ult", place, i64(a.size)), found, lambda: [zero])[0]


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
