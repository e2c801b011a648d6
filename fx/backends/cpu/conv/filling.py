"""Making the padded copies of `planes`: one function for all of them, which takes their layout as numbers.

    fill(x, copy, axes, starts, extents, channels, x step, copy step)

`axes` has a record for each of AXES axes; the copy is filled for results from `starts` on, `extents` of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from ..llvm import Function, Module, Value, const, const_vector, i64, vector
from ..operations.library import Library, Signature, call as call_library
from .numbers import Numbers, first_lanes
from .transposing import turn_name, write_turn

AXES = 4
"""Axes of a nest: the batch and three more. Missing ones have one element."""
FIELDS = ("stride", "origin", "size", "x", "grain", "residues", "extra", "step", "plane")
_PARAMS = ("ptr", "ptr", "ptr", "ptr", "ptr", "i64", "i64", "i64")


def numbers_table(f: Function, values: Sequence[int]) -> Value:
    """Constant i64 of the module; the same values are there once."""
    name = "conv_numbers_" + "_".join(str(v).replace("-", "m") for v in values)
    if len(name) > 200:
        name = f"conv_numbers{len(f.module.globals)}"
    return f.module.data(name, np.asarray(values, np.int64))


def values_table(f: Function, values: Sequence[Value]) -> Value:
    """Values of the call, in memory."""
    table = f.alloca("i64", len(values))
    for i, value in enumerate(values):
        f.store(value, f.gep("i64", table, i64(i)))
    return table


def fill(f: Function, numbers: Numbers, args: Sequence[Value]) -> None:
    call_library(f, f"fx_conv_fill_{numbers.memory}", args)


Row = Callable[[Value, Value], None]
"""Fills a row, from the offset of its line in x and of its place in the copy."""


class _Fill:
    """Row after row, in the order of memory: a row's last vector may reach into what is written later."""

    def __init__(self, f: Function, numbers: Numbers):
        self.f, self.numbers = f, numbers
        self.x, self.copy, axes, starts, extents, self.channels, self.x_step, self.copy_step = f.args
        self.axes: list[dict[str, Value]] = []
        self.cleared = False
        """The copy holds zeros already; in it rows are not written in the order of memory."""
        for i in range(AXES):
            load = lambda table, at: f.load("i64", f.gep("i64", table, i64(at)))
            axis = {name: load(axes, i * len(FIELDS) + j) for j, name in enumerate(FIELDS)}
            axis["first"] = f.add(f.mul(load(starts, i), axis["stride"]), axis["origin"])
            axis["stop"] = f.add(load(extents, i), axis["extra"])
            self.axes.append(axis)

    def emit(self) -> None:
        f, last = self.f, self.axes[-1]
        near = f.icmp("eq", last["x"], i64(1))
        unit = f.and_(near, f.icmp("eq", last["stride"], i64(1)))
        pairs = f.and_(near, f.icmp("eq", last["stride"], i64(2)))
        for case, stride in ((unit, 1), (pairs, 2)):
            with f.when(case):
                self._channels(lambda first, stride=stride: _Rows(self, first, stride).fill)
        other = f.not_(near)
        if self.numbers.memory == self.numbers.scalar:
            aside = f.and_(other, f.icmp("eq", self.x_step, i64(1)))
            with f.when(aside):
                self._channels_last()
            other = f.and_(other, f.not_(aside))
        with f.when(f.or_(other, f.and_(near, f.not_(f.or_(unit, pairs))))):
            self._channels(lambda first: functools.partial(self._elements, first))
        f.ret()

    def _channels_last(self) -> None:
        """Channels lie side by side: their vectors at neighbouring places are turned."""
        self._zeros(i64(0), i64(0), self.f.mul(self.channels, self.copy_step))
        channels, self.channels, self.cleared = self.channels, i64(1), True
        self._channels(lambda first: functools.partial(self._turned, first, channels))
        self.channels, self.cleared = channels, False

    def _turned(self, first: Value, channels: Value, source: Value, target: Value) -> None:
        f, n, axis = self.f, self.numbers, self.axes[-1]
        size, step = i64(n.bytes), axis["stride"]
        apart = f.mul(f.mul(step, axis["x"]), size)
        low, high = self.reach(first, step)
        with f.loop(low, high, n.lanes) as loop:
            lines = f.intrinsic("llvm.smin", f.sub(high, loop.index), i64(n.lanes))
            place = f.add(first, f.mul(loop.index, step))
            x = n.at(f, self.x, f.add(source, f.mul(place, axis["x"])))
            to = f.gep(n.scalar, self.copy, f.add(target, loop.index))
            row = f.mul(self.copy_step, size)
            f.call(turn_name(n.scalar, True), "void", [x, apart, lines, channels, to, row])

    def reach(self, first: Value, step: Value) -> tuple[Value, Value]:
        """From where to where the places of a row are in x."""
        f, axis = self.f, self.axes[-1]
        least, most = (lambda a, b, n=n: f.intrinsic(f"llvm.s{n}", a, b) for n in ("min", "max"))
        ends = f.sub(i64(0), first), f.sub(axis["size"], first)
        up = lambda n: f.sdiv(f.add(most(n, i64(0)), f.sub(step, i64(1))), step)
        low = least(up(ends[0]), axis["stop"])
        return low, most(least(up(ends[1]), axis["stop"]), low)

    def _channels(self, rows: Callable[[Value], Row]) -> None:
        f = self.f
        with f.loop(i64(0), self.channels) as loop:
            source, target = f.mul(loop.index, self.x_step), f.mul(loop.index, self.copy_step)
            self._residues(0, [], source, target, rows)

    def _residues(
        self, i: int, firsts: list[Value], source: Value, target: Value, rows: Callable[[Value], Row]
    ) -> None:
        f = self.f
        if i == AXES:
            self._positions(0, firsts, source, target, const("i1", 1), rows(firsts[-1]))
            return
        axis = self.axes[i]
        with f.loop(i64(0), axis["residues"], trips=True) as loop:
            first = f.add(axis["first"], f.mul(loop.index, axis["grain"]))
            place = f.add(target, f.mul(loop.index, axis["plane"]))
            self._residues(i + 1, [*firsts, first], source, place, rows)

    def _positions(
        self, i: int, firsts: list[Value], source: Value, target: Value, there: Value, row: Row
    ) -> None:
        f, axis = self.f, self.axes[i]
        if i == AXES - 1:
            here = lambda: [row(source, target)][:0]
            empty = lambda: [] if self.cleared else [self._zeros(target, i64(0), axis["stop"])][:0]
            f.choose(there, here, empty)
            return
        with f.loop(i64(0), axis["stop"]) as loop:
            place = f.add(firsts[i], f.mul(loop.index, axis["stride"]))
            inside = f.and_(there, f.icmp("ult", place, axis["size"]))
            at, to = f.mul(place, axis["x"]), f.mul(loop.index, axis["step"])
            self._positions(i + 1, firsts, f.add(source, at), f.add(target, to), inside, row)

    def _zeros(self, row: Value, start: Value, stop: Value) -> None:
        with self.f.loop(start, stop, self.numbers.lanes) as loop:
            self._zero(self.f.add(row, loop.index))

    def _zero(self, at: Value) -> None:
        f, n = self.f, self.numbers
        f.store(const(vector(n.scalar, n.lanes), 0), f.gep(n.scalar, self.copy, at))

    def _elements(self, first: Value, source: Value, target: Value) -> None:
        f, numbers, axis = self.f, self.numbers, self.axes[-1]
        with f.loop(i64(0), axis["stop"]) as loop:
            place = f.add(first, f.mul(loop.index, axis["stride"]))
            at = f.add(source, f.mul(place, axis["x"]))
            load = lambda at=at: [numbers.widen(f, f.load(numbers.memory, numbers.at(f, self.x, at)))]
            x = f.choose(f.icmp("ult", place, axis["size"]), load, lambda: [const(numbers.scalar, 0)])[0]
            f.store(x, f.gep(numbers.scalar, self.copy, f.add(target, loop.index)))


class _Rows:
    """Rows of neighbours one or two elements apart: zeros up to `low`, elements up to `high`, zeros."""

    def __init__(self, fill: _Fill, first: Value, stride: int):
        self.all, self.first, self.stride = fill, first, stride
        f = fill.f
        self.low, self.high = fill.reach(first, i64(stride))
        length = f.sub(self.high, self.low)
        self.whole = f.add(self.low, f.and_(length, i64(-fill.numbers.lanes)))
        self.mask = [first_lanes(f, n, fill.numbers.lanes) for n in self._reach(f.sub(self.high, self.whole))]

    def _reach(self, count: Value) -> list[Value]:
        """How much of the vectors that `count` neighbours are loaded from is read."""
        if self.stride == 1:
            return [count]
        f = self.all.f
        length = f.sub(f.mul(count, i64(2)), i64(1))
        return [length, f.sub(length, i64(self.all.numbers.lanes))]

    def fill(self, source: Value, target: Value) -> None:
        fill, f, lanes = self.all, self.all.f, self.all.numbers.lanes
        fill._zero(target)
        fill._zeros(target, i64(lanes), self.low)
        row = f.add(source, self.first)
        with f.loop(self.low, self.whole, lanes) as loop:
            self._vector(row, target, loop.index, True)
        with f.when(f.icmp("slt", self.whole, self.high)):
            self._vector(row, target, self.whole, False)
        rest = f.select(f.icmp("slt", self.whole, self.high), f.add(self.whole, i64(lanes)), self.whole)
        fill._zeros(target, rest, fill.axes[-1]["stop"])

    def _vector(self, row: Value, target: Value, at: Value, whole: bool) -> None:
        f, n = self.all.f, self.all.numbers
        place = n.at(f, self.all.x, f.add(row, f.mul(at, i64(self.stride))))
        kind = vector(n.memory, n.lanes)
        masks = self.mask
        if whole and self.stride == 2:
            masks = [
                const(vector("i1", n.lanes), 1),
                const_vector("i1", [i < n.lanes - 1 for i in range(n.lanes)]),
            ]
        parts = [n.at(f, place, i64(i * n.lanes)) for i in range(self.stride)]
        if whole and self.stride == 1:
            loads = [f.load(kind, place)]
        else:
            loads = [f.masked_load(kind, p, m, const(kind, 0)) for p, m in zip(parts, masks, strict=True)]
        x = loads[0] if self.stride == 1 else f.shuffle(*loads, range(0, 2 * n.lanes, 2))
        f.store(n.widen(f, x), f.gep(n.scalar, self.all.copy, f.add(target, at)))


def _write(m: Module, numbers: Numbers) -> None:
    if numbers.memory == numbers.scalar:
        write_turn(m, numbers.scalar, True)
    _Fill(_LIBRARIES[numbers.memory].define(m, f"fx_conv_fill_{numbers.memory}"), numbers).emit()


_LIBRARIES = {
    n.memory: Library({f"fx_conv_fill_{n.memory}": Signature("void", _PARAMS)}, lambda m, n=n: _write(m, n))
    for n in map(Numbers, ("float32", "float64", "float16", "bfloat16"))
}
