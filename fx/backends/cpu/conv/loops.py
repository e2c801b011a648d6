"""Convolution of any numbers, integers and complex ones too, element by element."""

from __future__ import annotations

from contextlib import ExitStack

from ..gemm.loops import Kind, Number
from ..llvm import Function, Value, i64
from ..operations.operation import Buffer
from ..operations.tasks import parallel
from .geometry import Axis, Part


def emit_loops(f: Function, x: Buffer, w: Buffer, y: Buffer, part: Part) -> None:
    """Every result of the part, one task for a group of one image."""
    images = part.axes[0]
    kind = Kind(y.dtype)

    def work(g: Function, pointers: list[Value], index: Value) -> None:
        group, image = g.udiv(index, i64(images.count)), g.urem(index, i64(images.count))
        _Loops(g, kind, pointers, part).run(group, image)

    parallel(f, "conv_loops", [x.pointer, w.pointer, y.pointer], part.groups.count * images.count, work)


class _Loops:
    def __init__(self, f: Function, kind: Kind, pointers: list[Value], part: Part):
        self.f, self.kind, self.part = f, kind, part
        self.x, self.w, self.y = pointers

    def run(self, group: Value, image: Value) -> None:
        f, p = self.f, self.part
        batch, *space = p.axes
        x = self._at(i64(0), (group, p.groups.x), (image, batch.x))
        w = self._at(i64(p.w), (group, p.groups.w))
        y = self._at(i64(p.y), (group, p.groups.y), (image, batch.y))
        with ExitStack() as stack:
            o = stack.enter_context(f.loop(i64(0), i64(p.features.count), trips=True)).index
            w, y = self._at(w, (o, p.features.w)), self._at(y, (o, p.features.y))
            counts = [stack.enter_context(f.loop(i64(0), i64(a.count), trips=True)).index for a in space]
            y = self._at(y, *[(q, a.y) for q, a in zip(counts, space, strict=True)])
            with f.loop(i64(0), i64(p.channels.count), carry=self.kind.zero(1), trips=True) as loop:
                at = self._at(x, (loop.index, p.channels.x)), self._at(w, (loop.index, p.channels.w))
                loop.next(*self._taps(list(zip(space, counts, strict=True)), *at, tuple(loop.carry)))
            self.kind.store(f, tuple(loop.results), self.y, y, None)

    def _at(self, start: Value, *steps: tuple[Value, int]) -> Value:
        for index, stride in steps:
            if stride:
                start = self.f.add(start, self.f.mul(index, i64(stride)))
        return start

    def _taps(self, axes: list[tuple[Axis, Value]], x: Value, w: Value, total: Number) -> Number:
        """total plus the products of the taps over the axes that remain."""
        f = self.f
        if not axes:
            a, b = self.kind.load(f, self.x, x, 1, 1, None), self.kind.load(f, self.w, w, 1, 1, None)
            return self.kind.accumulate(f, total, a, b)
        (axis, q), *rest = axes
        first = self._at(i64(axis.origin), (q, axis.stride))
        with f.loop(i64(0), i64(axis.window), carry=total, trips=True) as loop:
            k, so_far = loop.index, tuple(loop.carry)
            place = self._at(first, (k, axis.dilation))

            def inside(place: Value = place, k: Value = k, so_far: Number = so_far) -> list[Value]:
                return list(self._taps(rest, self._at(x, (place, axis.x)), self._at(w, (k, axis.w)), so_far))

            there = f.icmp("ult", place, i64(axis.size))
            loop.next(*f.choose(there, inside, lambda so_far=so_far: list(so_far)))
        return tuple(loop.results)
