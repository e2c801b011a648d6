"""Making the padded copies of `planes`: one function for all of them, which takes their layout as numbers.

    fill(x, copy, axes, starts, extents, channels, x step, copy step)

`axes` has a record for each of AXES axes; the copy is filled for results from `starts` on, `extents` of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ....core.dtypes import bfloat16
from ..llvm import Function, Module, Value, const, i64, vector
from ..operations.library import Library, Signature, call as call_library
from .numbers import Numbers, inside

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


class _Fill:
    """Row after row, in the order of memory: a row's last vector may reach into what is written later."""

    def __init__(self, f: Function, numbers: Numbers):
        self.f, self.numbers = f, numbers
        self.x, self.copy, axes, starts, extents, self.channels, self.x_step, self.copy_step = f.args
        self.axes: list[dict[str, Value]] = []
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
        for case, lanes, stride in ((unit, self.numbers.lanes, 1), (pairs, self.numbers.lanes, 2)):
            with f.when(case):
                self._channels(lambda *row, n=lanes, s=stride: self._vectors(*row, n, s))
        with f.when(f.not_(f.or_(unit, pairs))):
            self._channels(self._elements)
        f.ret()

    def _channels(self, row: Callable[..., None]) -> None:
        f = self.f
        with f.loop(i64(0), self.channels) as loop:
            source, target = f.mul(loop.index, self.x_step), f.mul(loop.index, self.copy_step)
            self._residues(0, [], source, target, row)

    def _residues(
        self, i: int, firsts: list[Value], source: Value, target: Value, row: Callable[..., None]
    ) -> None:
        f = self.f
        if i == AXES:
            self._positions(0, firsts, source, target, const("i1", 1), row)
            return
        axis = self.axes[i]
        with f.loop(i64(0), axis["residues"], trips=True) as loop:
            first = f.add(axis["first"], f.mul(loop.index, axis["grain"]))
            place = f.add(target, f.mul(loop.index, axis["plane"]))
            self._residues(i + 1, [*firsts, first], source, place, row)

    def _positions(
        self,
        i: int,
        firsts: list[Value],
        source: Value,
        target: Value,
        there: Value,
        row: Callable[..., None],
    ) -> None:
        f, axis = self.f, self.axes[i]
        if i == AXES - 1:
            # a row outside x has no element: its size is 0
            row(firsts[i], source, target, f.select(there, axis["size"], i64(0)))
            return
        with f.loop(i64(0), axis["stop"]) as loop:
            place = f.add(firsts[i], f.mul(loop.index, axis["stride"]))
            here = f.and_(there, f.icmp("ult", place, axis["size"]))
            at, to = f.mul(place, axis["x"]), f.mul(loop.index, axis["step"])
            self._positions(i + 1, firsts, f.add(source, at), f.add(target, to), here, row)

    def _vectors(
        self, first: Value, source: Value, target: Value, size: Value, lanes: int, stride: int
    ) -> None:
        f, scalar = self.f, self.numbers.scalar
        zero = const(vector(scalar, lanes), 0)
        with f.loop(i64(0), self.axes[-1]["stop"], lanes) as loop:
            place = f.add(first, f.mul(loop.index, i64(stride)))
            x = self.numbers.load_inside(f, self.x, source, place, size, lanes, stride, zero)
            f.store(x, f.gep(scalar, self.copy, f.add(target, loop.index)))

    def _elements(self, first: Value, source: Value, target: Value, size: Value) -> None:
        f, numbers, axis = self.f, self.numbers, self.axes[-1]
        with f.loop(i64(0), axis["stop"]) as loop:
            place = f.add(first, f.mul(loop.index, axis["stride"]))
            there = inside(f, place, size, 1, 1)
            at = f.select(there, f.add(source, f.mul(place, axis["x"])), i64(0))
            load = lambda at=at: [numbers.widen(f, f.load(numbers.memory, numbers.at(f, self.x, at)))]
            x = f.choose(there, load, lambda: [const(numbers.scalar, 0)])[0]
            f.store(x, f.gep(numbers.scalar, self.copy, f.add(target, loop.index)))


def _write(m: Module, numbers: Numbers) -> None:
    _Fill(_LIBRARIES[numbers.memory].define(m, f"fx_conv_fill_{numbers.memory}"), numbers).emit()


_LIBRARIES = {
    n.memory: Library({f"fx_conv_fill_{n.memory}": Signature("void", _PARAMS)}, lambda m, n=n: _write(m, n))
    for n in map(Numbers, map(np.dtype, ("float32", "float64", "float16", bfloat16())))
}
