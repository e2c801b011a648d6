"""scatter: lines of x set, added to, multiplied, or taken the minimum or maximum with.

Updates that meet in one place come one after another in C order, as with NumPy's `ufunc.at`, whoever runs them: tasks
own different outer places or different columns, or the indices are promised to be distinct. float16 and bfloat16 are
combined in a table of float32, which is rounded once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from ....core import dtypes
from ....core.avals import Aval
from ..engine import host
from ..llvm import Function, Value, i64
from . import numbers
from .layout import nested, offsets, pieces, vector_loop
from .moves import copy_all, raw_type
from .operation import Buffer, Operation
from .positions import Lookup, each_line, line_start, lookup
from .tasks import GRAIN, parallel_ranges

_COLUMNS = 256
"""Elements of a line that make a task's own columns."""


class Scatter(Operation):
    """out = x; then out[p, indices at b, line] = op(out[...], updates[p, b, line]) for b in order."""

    def scratch(self, avals: Sequence[Aval], params: dict[str, Any]) -> int:
        return 4 * avals[0].size if _through_table(avals[0].dtype, params["op"]) else 0

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x, updates, *indices), (out,) = inputs, outputs
        if x.size == 0:
            return
        if updates.size == 0:
            copy_all(f, out.pointer, x.pointer, x.size * x.dtype.itemsize)
            return
        update = _Updating(x.dtype, params["op"])
        table = scratch if update.table else out.pointer
        if update.table:
            _convert(f, scratch, np.dtype("float32"), x.pointer, x.dtype, x.size)
        else:
            copy_all(f, out.pointer, x.pointer, x.size * x.dtype.itemsize)
        walk = lookup(
            x.shape,
            [i.shape for i in indices],
            params["axes"],
            params["at"],
            params["mode"],
            pair=update.pair,
        )
        _Scattering(walk, update, indices, params["unique"]).emit(f, table, updates.pointer)
        if update.table:
            _convert(f, out.pointer, x.dtype, scratch, np.dtype("float32"), x.size)


def _through_table(dtype: np.dtype[Any], op: str) -> bool:
    return op != "set" and dtypes.is_low_precision(dtype)


def _convert(
    f: Function, to: Value, to_dtype: np.dtype[Any], source: Value, dtype: np.dtype[Any], count: int
) -> None:
    """Between a low precision and float32."""

    def piece(g: Function, values: list[Value], start: Value, stop: Value) -> None:
        to, source = values

        def move(index: Value, lanes: int) -> None:
            x = numbers.load(g, dtype, g.gep(f"i{8 * dtype.itemsize}", source, index), lanes)
            numbers.store(g, to_dtype, x, g.gep(f"i{8 * to_dtype.itemsize}", to, index))

        vector_loop(g, start, stop, host().vector_bytes // 4, move)

    parallel_ranges(f, "convert", [to, source], count, 4 * GRAIN, piece)


class _Updating:
    """How one update changes its place."""

    def __init__(self, dtype: np.dtype[Any], op: str):
        self.dtype, self.op = dtype, op
        self.table = _through_table(dtype, op)
        self.moves = op == "set"
        self.pair = dtype.kind == "c" and op == "add"
        """A complex number is two reals."""
        self.element = dtypes.real_of(dtype) if self.pair else dtype
        self.whole = dtype.kind == "c" and op == "multiply"
        """A complex number is combined as one."""

    @property
    def lanes(self) -> int:
        if self.whole:
            return 1
        size = self.element.itemsize if self.moves else numbers.work_dtype(self.element).itemsize
        return max(1, host().vector_bytes // size)

    @property
    def unit(self) -> str:
        """The type that steps from one update to the next."""
        return raw_type(self.element)

    @property
    def table_unit(self) -> str:
        return "i32" if self.table else self.unit

    def __call__(self, f: Function, place: Value, update: Value, lanes: int) -> None:
        if self.moves:
            kind = self.unit if lanes == 1 else f"<{lanes} x {self.unit}>"
            f.store(f.load(kind, update), place)
        elif self.whole:
            self._multiply_pairs(f, place, update)
        else:
            work = numbers.work_dtype(self.element)
            old = numbers.load(f, work, place, lanes)
            new = numbers.load(f, self.element, update, lanes)
            f.store(numbers.combination(self.op, work)(f, old, new), place)

    def _multiply_pairs(self, f: Function, place: Value, update: Value) -> None:
        part = "float" if self.dtype.itemsize == 8 else "double"
        there = [f.gep(part, place, i64(k)) for k in (0, 1)]
        old = tuple(f.load(part, p) for p in there)
        new = tuple(f.load(part, f.gep(part, update, i64(k))) for k in (0, 1))
        for value, p in zip(numbers.complex_product(f, old, new), there, strict=True):
            f.store(value, p)


class _Scattering:
    """The loops of one scatter."""

    def __init__(self, walk: Lookup, update: _Updating, indices: Sequence[Buffer], unique: bool):
        self.walk, self.update, self.unique = walk, update, unique
        self.pointers = [i.pointer for i in indices]
        self.dtypes = [i.dtype for i in indices]

    def emit(self, f: Function, table: Value, updates: Value) -> None:
        walk = self.walk
        values = [table, updates, *self.pointers]
        by_columns = walk.run == walk.line and walk.line >= 2 * _COLUMNS and walk.size >= 2 * GRAIN
        if self.unique or walk.common == 1:
            each_line(f, "scatter", walk, values, self._lines)
        elif walk.outer > 1:
            step = max(1, GRAIN // (walk.common * walk.line))
            parallel_ranges(f, "scatter", values, walk.outer, step, self._outer_range)
        elif by_columns:
            step = -(-_COLUMNS // self.update.lanes) * self.update.lanes
            parallel_ranges(f, "scatter", values, walk.line, step, self._column_range)
        else:
            self._lines(f, values, i64(0), i64(0), i64(walk.common))

    def _outer_range(self, f: Function, values: list[Value], start: Value, stop: Value) -> None:
        with f.loop(start, stop, trips=True) as loop:
            self._lines(f, values, loop.index, i64(0), i64(self.walk.common))

    def _lines(self, f: Function, values: list[Value], p: Value, start: Value, stop: Value) -> None:
        """Whole lines at index places [start, stop) of one outer place."""
        table, updates = self._at_outer(f, values, p)
        with (
            f.loop(start, stop, trips=True) as loop,
            self._line(f, values, table, updates, loop.index) as (to, source),
        ):
            self._whole_line(f, to, source)

    def _column_range(self, f: Function, values: list[Value], first: Value, last: Value) -> None:
        """Columns [first, last) of every line."""
        table, updates = values[:2]
        with (
            f.loop(i64(0), i64(self.walk.common), trips=True) as loop,
            self._line(f, values, table, updates, loop.index) as (to, source),
        ):
            self._columns(f, to, source, first, last)

    def _at_outer(self, f: Function, values: list[Value], p: Value) -> tuple[Value, Value]:
        walk = self.walk
        (shift,) = offsets(f, p, walk.outer_sizes, walk.outer_strides)
        table = f.gep(self.update.table_unit, values[0], shift)
        return table, f.gep(self.update.unit, values[1], f.mul(p, i64(walk.common * walk.line)))

    def _line(self, f: Function, values: list[Value], table: Value, updates: Value, b: Value) -> Any:
        """A block that runs where index place b lies inside, with the addresses of the line and its update."""
        return _inside(f, self, list(zip(values[2:], self.dtypes, strict=True)), table, updates, b)

    def _whole_line(self, f: Function, to: Value, source: Value) -> None:
        walk, update = self.walk, self.update
        keep = len(walk.line_sizes) - (walk.run > 1)
        with nested(f, walk.line_sizes[:keep], walk.line_strides[:keep], walk.other_strides[:keep]) as (
            there,
            here,
        ):
            to, source = f.gep(update.table_unit, to, there), f.gep(update.unit, source, here)
            parts = pieces(walk.run, update.lanes)
            if len(parts) > 8:
                self._columns(f, to, source, i64(0), i64(walk.run))
                return
            for start, lanes in parts:
                update(
                    f, f.gep(update.table_unit, to, i64(start)), f.gep(update.unit, source, i64(start)), lanes
                )

    def _columns(self, f: Function, to: Value, source: Value, first: Value, last: Value) -> None:
        update = self.update

        def combine(index: Value, lanes: int) -> None:
            update(f, f.gep(update.table_unit, to, index), f.gep(update.unit, source, index), lanes)

        vector_loop(f, first, last, update.lanes, combine)


@contextmanager
def _inside(
    f: Function, scattering: _Scattering, named: Any, table: Value, updates: Value, b: Value
) -> Iterator[tuple[Value, Value]]:
    walk, update = scattering.walk, scattering.update
    begin, valid = line_start(f, walk, named, b, 2 if update.pair else 1)
    to = f.gep(update.table_unit, table, begin)
    source = f.gep(update.unit, updates, f.mul(b, i64(walk.line)))
    with f.when(valid) if valid is not None else nullcontext():
        yield to, source
