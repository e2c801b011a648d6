"""sort, permute and searchsorted.

A line alone is sorted by value; lines that go together are brought into the order of their keys. Neighbouring lines
that lie across memory are brought together first; long lines come one after the other, each sorted by all threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....core.avals import Aval
from ....core.dtypes import is_floating
from ..llvm import NULL, Function, Value, i64
from . import sort_keys
from .library import address_of, call
from .moves import copy_all, raw_type
from .operation import Buffer, Operation
from .searching import Permute, SearchSorted
from .sort_tasks import LONG, order_bytes, padded, sort_bytes
from .tasks import GRAIN, least, parallel, parallel_ranges

_TASKS = 64
"""Tasks at most, each with memory of its own."""
_MEMORY = 1 << 25
"""Bytes that the memory of all tasks together may exceed by one task's."""
_NEIGHBOURS = 16
"""Lines across memory that are brought together, sorted, and put back."""
_FEW = 16
"""Long lines are sorted one after the other where they are fewer."""


class Sort(Operation):
    """Operands of one shape in the lexicographic order of the first `num_keys`; stable."""

    def accepts(self, avals: Sequence[Aval], params: dict[str, Any]) -> bool:
        return avals[0].shape[params["axis"]] < 1 << 31

    def scratch(self, avals: Sequence[Aval], params: dict[str, Any]) -> int:
        return _Sorting([a.dtype for a in avals], avals[0].shape, **params).scratch

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        x = inputs[0]
        if x.size and x.shape[params["axis"]] > 1:
            sorting = _Sorting([b.dtype for b in inputs], x.shape, **params)
            sorting.emit(f, [b.pointer for b in (*inputs, *outputs)], scratch)
            return
        for source, to in zip(inputs, outputs, strict=True):
            copy_all(f, to.pointer, source.pointer, source.size * source.dtype.itemsize)


class _Sorting:
    """Lines of `n` elements, `step` apart, in groups of neighbours, in tasks of `each` groups."""

    def __init__(self, dtypes: Sequence[np.dtype[Any]], shape: Sequence[int], axis: int, num_keys: int):
        self.dtypes, self.num_keys = list(dtypes), num_keys
        self.n, self.step = shape[axis], math.prod(shape[axis + 1 :])
        self.group = min(self.step, _NEIGHBOURS) if 0 < self.n < LONG else 1
        self.abreast = -(-self.step // self.group) if self.group else 0
        self.count = math.prod(shape[:axis]) * self.abreast
        self.bytes = -(-self._task_bytes() // 64) * 64
        tasks = self._tasks()
        self.each = -(-self.count // tasks)
        self.tasks = -(-self.count // self.each) if self.each else 0

    @property
    def by_value(self) -> bool:
        return len(self.dtypes) == 1 and self.dtypes[0].kind != "c"

    @property
    def scratch(self) -> int:
        return self.tasks * self.bytes

    def _task_bytes(self) -> int:
        """Memory for one line, and for a group brought together."""
        if self.by_value:
            own = sort_bytes(sort_keys.word_bytes(self.dtypes[0]), self.n)
        else:
            own = order_bytes(self.n) + 8 * padded(self.n)
        block = 2 * self.group * padded(self.n) * sum(t.itemsize for t in self.dtypes)
        return own + block if self.group > 1 else own

    def _tasks(self) -> int:
        if self.n >= LONG and self.count < _FEW:
            return 1
        worthwhile = self.count * self.n * self.group // (GRAIN // 4)
        return max(1, min(_TASKS, self.count, worthwhile, _MEMORY // max(self.bytes, 1)))

    def emit(self, f: Function, pointers: Sequence[Value], scratch: Value) -> None:
        """All lines. pointers: of the operands, then of the results."""

        def task(g: Function, values: list[Value], index: Value) -> None:
            *places, scratch = values
            memory = g.gep("i8", scratch, g.mul(index, i64(self.bytes)))
            first = g.mul(index, i64(self.each))
            with g.loop(first, least(g, g.add(first, i64(self.each)), i64(self.count))) as loop:
                self._group(g, places, loop.index, memory)

        parallel(f, "sort", [*pointers, scratch], self.tasks, task)

    def _group(self, f: Function, places: list[Value], index: Value, memory: Value) -> None:
        outer, group = f.udiv(index, i64(self.abreast)), f.urem(index, i64(self.abreast))
        column = f.mul(group, i64(self.group))
        begin = f.add(f.mul(outer, i64(self.n * self.step)), column)
        there = [
            f.gep(raw_type(t), p, begin) for t, p in zip([*self.dtypes, *self.dtypes], places, strict=True)
        ]
        sources, to = there[: len(self.dtypes)], there[len(self.dtypes) :]
        if self.group == 1:
            self._line(f, sources, to, self.step, memory)
        else:
            columns = least(f, i64(self.group), f.sub(i64(self.step), column))
            self._side_by_side(f, sources, to, columns, memory)

    def _side_by_side(
        self, f: Function, sources: list[Value], to: list[Value], columns: Value, memory: Value
    ) -> None:
        """Neighbouring lines: each brought together in memory, sorted there, and put back."""
        blocks, size = [], padded(self.n)
        for dtype in [*self.dtypes, *self.dtypes]:
            blocks.append(memory)
            memory = f.gep(raw_type(dtype), memory, i64(self.group * size))
        here, there = blocks[: len(sources)], blocks[len(sources) :]
        for dtype, source, block in zip(self.dtypes, sources, here, strict=True):
            self._turn(f, raw_type(dtype), columns, source, block, away=False)
        with f.loop(i64(0), columns, trips=True) as loop:
            start = f.mul(loop.index, i64(size))
            place = lambda dtype, block: f.gep(raw_type(dtype), block, start)
            lines = [list(map(place, self.dtypes, side)) for side in (here, there)]
            self._line(f, *lines, 1, memory)
        for dtype, block, target in zip(self.dtypes, there, to, strict=True):
            self._turn(f, raw_type(dtype), columns, target, block, away=True)

    def _turn(self, f: Function, kind: str, columns: Value, array: Value, block: Value, away: bool) -> None:
        """Columns of an array to lines of a block, or the way back (`away`)."""
        with f.loop(i64(0), i64(self.n), trips=True) as row:
            across = f.gep(kind, array, f.mul(row.index, i64(self.step)))
            along = f.gep(kind, block, row.index)
            with f.loop(i64(0), columns, trips=True) as loop:
                a = f.gep(kind, across, loop.index)
                b = f.gep(kind, along, f.mul(loop.index, i64(padded(self.n))))
                source, to = (b, a) if away else (a, b)
                f.store(f.load(kind, source), to)

    # One line

    def _line(self, f: Function, sources: list[Value], to: list[Value], step: int, memory: Value) -> None:
        if self.by_value:
            self._by_value(f, self.dtypes[0], sources[0], to[0], step, memory)
            return
        room = padded(self.n)
        spare = [f.gep("i32", memory, i64(k * room)) for k in (0, 1)]
        order = self._order(f, sources, step, spare, f.gep("i32", memory, i64(2 * room)))
        for dtype, source, place in zip(self.dtypes, sources, to, strict=True):
            self._take(f, raw_type(dtype), source, order, place, step)

    def _by_value(
        self, f: Function, dtype: np.dtype[Any], source: Value, to: Value, step: int, memory: Value
    ) -> None:
        """Zeros get their signs back in the order in which they came."""
        word, line = f"i{8 * sort_keys.word_bytes(dtype)}", [source, i64(step), i64(self.n), to]
        key = address_of(f, sort_keys.key_name(dtype, "whole"))
        element = address_of(f, f"fx_element_{dtype.name}")
        signed = call(f, f"fx_sort_line_{word}", [key, element, i64(dtype.itemsize), *line, memory])
        if is_floating(dtype):
            with f.when(f.icmp("ne", signed, i64(0))):
                call(f, f"fx_zeros_{dtype.name}", [*line, i64(step)])

    def _order(
        self, f: Function, sources: list[Value], step: int, spare: list[Value], memory: Value
    ) -> Value:
        """The order by all keys: by the last one first."""
        order: Value = NULL
        for dtype, source in reversed(list(zip(self.dtypes[: self.num_keys], sources, strict=False))):
            line = [i64(dtype.itemsize), source, i64(step), i64(self.n)]
            for part in reversed(sort_keys.parts(dtype)):
                result = spare[order is spare[0]]
                key = address_of(f, sort_keys.key_name(dtype, part))
                name = f"fx_order_line_i{8 * sort_keys.word_bytes(dtype)}"
                call(f, name, [key, *line, order, result, memory])
                order = result
        return order

    def _take(self, f: Function, kind: str, source: Value, order: Value, to: Value, step: int) -> None:
        """A line in an order."""

        def take(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            source, order, to = values
            with g.loop(start, stop, trips=True) as loop:
                number = g.cast("zext", g.load("i32", g.gep("i32", order, loop.index)), "i64")
                x = g.load(kind, g.gep(kind, source, g.mul(number, i64(step))))
                g.store(x, g.gep(kind, to, g.mul(loop.index, i64(step))))

        parallel_ranges(f, "take", [source, order, to], self.n, 2 * GRAIN, take)


OPERATIONS: dict[str, Operation] = {
    "sort": Sort(),
    "permute": Permute(),
    "searchsorted": SearchSorted(),
}
"""By the name of the primitive."""
