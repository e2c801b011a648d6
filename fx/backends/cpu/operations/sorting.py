"""sort, permute and searchsorted.

A line alone is sorted by value; lines that go together are brought into the order of their keys. Lines that lie across
memory are taken side by side, so that what the cache holds of one serves the next; long ones come one after the other,
each sorted by all threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

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
_FEW = 16
"""Long lines are sorted one after the other where they are fewer."""


class Lines(NamedTuple):
    """Lines of n elements, `step` apart, in tasks of `each` lines."""

    n: int
    step: int
    count: int
    tasks: int
    each: int
    bytes: int
    """Working memory of a task."""


def _lines(dtypes: Sequence[np.dtype[Any]], shape: Sequence[int], axis: int) -> Lines:
    n, step = shape[axis], math.prod(shape[axis + 1 :])
    count = math.prod(shape[:axis]) * step
    if _by_value(dtypes):
        nbytes = sort_bytes(sort_keys.word_bytes(dtypes[0]), n)
    else:
        nbytes = order_bytes(n) + 8 * padded(n)
    nbytes = -(-nbytes // 64) * 64
    tasks = max(1, min(_TASKS, count, count * n // (GRAIN // 4), _MEMORY // max(nbytes, 1)))
    if n >= LONG and count < _FEW:
        tasks = 1
    each = -(-count // tasks) if count else 1
    return Lines(n, step, count, -(-count // each), each, nbytes)


def _by_value(dtypes: Sequence[np.dtype[Any]]) -> bool:
    return len(dtypes) == 1 and dtypes[0].kind != "c"


class Sort(Operation):
    """Operands of one shape in the lexicographic order of the first `num_keys`; stable."""

    def accepts(self, avals: Sequence[Aval], params: dict[str, Any]) -> bool:
        return avals[0].shape[params["axis"]] < 1 << 31

    def scratch(self, avals: Sequence[Aval], params: dict[str, Any]) -> int:
        lines = _lines([a.dtype for a in avals], avals[0].shape, params["axis"])
        return lines.tasks * lines.bytes

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        x = inputs[0]
        if x.size == 0:
            return
        if x.shape[params["axis"]] == 1:
            for source, to in zip(inputs, outputs, strict=True):
                copy_all(f, to.pointer, source.pointer, source.size * source.dtype.itemsize)
            return
        dtypes = [b.dtype for b in inputs]
        lines = _lines(dtypes, x.shape, params["axis"])

        def line(g: Function, begin: Value, values: list[Value], memory: Value) -> None:
            places = [g.gep(raw_type(t), p, begin) for t, p in zip([*dtypes, *dtypes], values, strict=True)]
            sources, to = places[: len(dtypes)], places[len(dtypes) :]
            if _by_value(dtypes):
                _sort_values(g, dtypes[0], lines, sources[0], to[0], memory)
            else:
                _sort_together(g, dtypes, params["num_keys"], lines, sources, to, memory)

        _each_line(f, lines, [b.pointer for b in (*inputs, *outputs)], scratch, line)


def _each_line(f: Function, lines: Lines, values: Sequence[Value], scratch: Value, line: Any) -> None:
    """line(g, first element, values, memory) for every line."""

    def task(g: Function, values: list[Value], index: Value) -> None:
        *values, scratch = values
        memory = g.gep("i8", scratch, g.mul(index, i64(lines.bytes)))
        first = g.mul(index, i64(lines.each))
        last = least(g, g.add(first, i64(lines.each)), i64(lines.count))
        with g.loop(first, last) as loop:
            outer, column = g.udiv(loop.index, i64(lines.step)), g.urem(loop.index, i64(lines.step))
            line(g, g.add(g.mul(outer, i64(lines.n * lines.step)), column), values, memory)

    parallel(f, "sort", [*values, scratch], lines.tasks, task)


def _sort_values(
    f: Function, dtype: np.dtype[Any], lines: Lines, source: Value, to: Value, memory: Value
) -> None:
    """One line by value; zeros get their signs back in the order in which they came."""
    n, step, word = i64(lines.n), i64(lines.step), f"i{8 * sort_keys.word_bytes(dtype)}"
    key, element = [
        address_of(f, name) for name in (sort_keys.key_name(dtype, "whole"), f"fx_element_{dtype.name}")
    ]
    size = i64(dtype.itemsize)
    signed = call(f, f"fx_sort_line_{word}", [key, element, size, source, step, n, to, memory])
    if is_floating(dtype):
        with f.when(f.icmp("ne", signed, i64(0))):
            call(f, f"fx_zeros_{dtype.name}", [source, step, n, to, step])


def _sort_together(
    f: Function,
    dtypes: Sequence[np.dtype[Any]],
    num_keys: int,
    lines: Lines,
    sources: list[Value],
    to: list[Value],
    memory: Value,
) -> None:
    """One line of every operand: its order, by the last key first, then every operand in that order."""
    n, step, room = i64(lines.n), i64(lines.step), padded(lines.n)
    spare = [f.gep("i32", memory, i64(k * room)) for k in (0, 1)]
    memory = f.gep("i32", memory, i64(2 * room))
    order: Value = NULL
    for dtype, source in reversed(list(zip(dtypes[:num_keys], sources, strict=False))):
        for part in reversed(sort_keys.parts(dtype)):
            result = spare[order is spare[0]]
            key, size = address_of(f, sort_keys.key_name(dtype, part)), i64(dtype.itemsize)
            name = f"fx_order_line_i{8 * sort_keys.word_bytes(dtype)}"
            call(f, name, [key, size, source, step, n, order, result, memory])
            order = result
    for dtype, source, place in zip(dtypes, sources, to, strict=True):
        _take(f, raw_type(dtype), source, order, place, lines)


def _take(f: Function, kind: str, source: Value, order: Value, to: Value, lines: Lines) -> None:
    """A line in an order."""

    def take(g: Function, values: list[Value], start: Value, stop: Value) -> None:
        source, order, to = values
        with g.loop(start, stop, trips=True) as loop:
            number = g.cast("zext", g.load("i32", g.gep("i32", order, loop.index)), "i64")
            x = g.load(kind, g.gep(kind, source, g.mul(number, i64(lines.step))))
            g.store(x, g.gep(kind, to, g.mul(loop.index, i64(lines.step))))

    parallel_ranges(f, "take", [source, order, to], lines.n, 2 * GRAIN, take)


OPERATIONS: dict[str, Operation] = {
    "sort": Sort(),
    "permute": Permute(),
    "searchsorted": SearchSorted(),
}
"""By the name of the primitive."""
