"""sort, permute and searchsorted.

A line alone is sorted by value; lines that go together are brought into the order of their keys. Lines that lie across
memory are taken side by side, so that what the cache holds of one serves the next.
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
from .library import call
from .moves import copy_all, raw_type
from .operation import Buffer, Operation
from .searching import Permute, SearchSorted
from . import sort_order
from .sort_words import sort_name
from .tasks import GRAIN, least, parallel

_TASKS = 64
"""Tasks at most, each with memory of its own."""
_MEMORY = 1 << 25
"""Bytes that the memory of all tasks together may exceed by one task's."""


class Lines(NamedTuple):
    """Lines of n elements, `step` apart, in tasks of `each` lines."""

    n: int
    step: int
    count: int
    tasks: int
    each: int
    bytes: int
    """Working memory of a task."""


def _lines(shape: Sequence[int], axis: int, nbytes: int) -> Lines:
    n, step = shape[axis], math.prod(shape[axis + 1 :])
    count = math.prod(shape[:axis]) * step
    nbytes = -(-nbytes // 64) * 64
    tasks = max(1, min(_TASKS, count, count * n // (GRAIN // 4), _MEMORY // max(nbytes, 1)))
    each = -(-count // tasks) if count else 1
    return Lines(n, step, count, -(-count // each), each, nbytes)


class Sort(Operation):
    """Operands of one shape in the lexicographic order of the first `num_keys`; stable."""

    def accepts(self, avals: Sequence[Aval], params: dict[str, Any]) -> bool:
        return avals[0].shape[params["axis"]] < 1 << 31

    def scratch(self, avals: Sequence[Aval], params: dict[str, Any]) -> int:
        lines = _sort_lines([a.dtype for a in avals], avals[0].shape, params)
        return lines.tasks * lines.bytes

    def emit(
        self, f: Function, inputs: Sequence[Buffer], outputs: Sequence[Buffer], scratch: Value, params: dict[str, Any]
    ) -> None:
        x = inputs[0]
        if x.size == 0:
            return
        if x.shape[params["axis"]] == 1:
            for source, to in zip(inputs, outputs, strict=True):
                copy_all(f, to.pointer, source.pointer, source.size * source.dtype.itemsize)
            return
        dtypes = [b.dtype for b in inputs]
        lines = _sort_lines(dtypes, x.shape, params)
        pointers = [b.pointer for b in (*inputs, *outputs)]

        def line(g: Function, begin: Value, values: list[Value], memory: Value) -> None:
            places = [
                g.gep(raw_type(t), p, begin) for t, p in zip([*dtypes, *dtypes], values, strict=True)
            ]
            sources, to = places[: len(dtypes)], places[len(dtypes) :]
            if _by_value(dtypes):
                _sort_values(g, dtypes[0], lines, sources[0], to[0], memory)
            else:
                _sort_together(g, dtypes, params["num_keys"], lines, sources, to, memory)

        each_line(f, "sort", lines, pointers, scratch, line)


def _by_value(dtypes: Sequence[np.dtype[Any]]) -> bool:
    return len(dtypes) == 1 and dtypes[0].kind != "c"


def _sort_lines(dtypes: Sequence[np.dtype[Any]], shape: Sequence[int], params: dict[str, Any]) -> Lines:
    n = shape[params["axis"]]
    nbytes = sort_keys.word_bytes(dtypes[0]) * _padded(n) * 2 if _by_value(dtypes) else 8 * _padded(n) * 5
    return _lines(shape, params["axis"], nbytes)


def _padded(n: int) -> int:
    """n elements and what rounds their memory to whole cache lines."""
    return -(-n // 16) * 16


def each_line(f: Function, stem: str, lines: Lines, values: Sequence[Value], scratch: Value, line: Any) -> None:
    """line(g, first element, values, memory) for every line."""

    def task(g: Function, values: list[Value], index: Value) -> None:
        *values, scratch = values
        memory = g.gep("i8", scratch, g.mul(index, i64(lines.bytes)))
        first = g.mul(index, i64(lines.each))
        last = least(g, g.add(first, i64(lines.each)), i64(lines.count))
        with g.loop(first, last) as loop:
            outer, column = g.udiv(loop.index, i64(lines.step)), g.urem(loop.index, i64(lines.step))
            line(g, g.add(g.mul(outer, i64(lines.n * lines.step)), column), values, memory)

    parallel(f, stem, [*values, scratch], lines.tasks, task)


def _sort_values(
    f: Function, dtype: np.dtype[Any], lines: Lines, source: Value, to: Value, memory: Value
) -> None:
    """One line by value; zeros get their signs back in the order in which they came."""
    n, step, word = i64(lines.n), i64(lines.step), f"i{8 * sort_keys.word_bytes(dtype)}"
    work = f.gep(word, memory, i64(_padded(lines.n)))
    sort_keys.keys(dtype)
    signed = call(f, sort_keys.key_name(dtype, "whole"), [source, step, n, memory])
    call(f, sort_name(word), [memory, work, n])
    call(f, f"fx_element_{dtype.name}", [memory, n, to, step])
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
    n, step, room = i64(lines.n), i64(lines.step), _padded(lines.n)
    keys, records, work, orders = [f.gep("i64", memory, i64(k * room)) for k in (0, 1, 2, 4)]
    spare = [orders, f.gep("i32", orders, i64(room))]
    order: Value = NULL
    for dtype, source in reversed(list(zip(dtypes[:num_keys], sources, strict=False))):
        for part in reversed(sort_keys.parts(dtype)):
            sort_keys.keys(dtype)
            call(f, sort_keys.key_name(dtype, part), [source, step, n, keys])
            result = spare[order is spare[0]]
            call(f, f"fx_order_i{8 * sort_keys.word_bytes(dtype)}", [keys, n, order, records, work, result])
            order = result
    for dtype, source, place in zip(dtypes, sources, to, strict=True):
        _take(f, raw_type(dtype), source, order, place, lines)


def _take(f: Function, kind: str, source: Value, order: Value, to: Value, lines: Lines) -> None:
    """A line in an order."""
    with f.loop(i64(0), i64(lines.n), trips=True) as loop:
        number = f.cast("zext", f.load("i32", f.gep("i32", order, loop.index)), "i64")
        x = f.load(kind, f.gep(kind, source, f.mul(number, i64(lines.step))))
        f.store(x, f.gep(kind, to, f.mul(loop.index, i64(lines.step))))


OPERATIONS: dict[str, Operation] = {
    "sort": Sort(),
    "permute": Permute(),
    "searchsorted": SearchSorted(),
}
"""By the name of the primitive."""
