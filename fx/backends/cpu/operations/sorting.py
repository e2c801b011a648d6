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
from .sort_tasks import LONG, Long
from .sort_words import sort_name
from .tasks import GRAIN, least, parallel

_TASKS = 64
"""Tasks at most, each with memory of its own."""
_MEMORY = 1 << 25
"""Bytes that the memory of all tasks together may exceed by one task's."""
_FEW = 16
"""Long lines are sorted one after the other where they are fewer."""


class Lines(NamedTuple):
    """Lines of n elements, `step` apart, in tasks of `each` lines; long ones come one after the other."""

    n: int
    step: int
    count: int
    tasks: int
    each: int
    bytes: int
    """Working memory of a task."""
    long: Long | None


def _lines(shape: Sequence[int], axis: int, nbytes: int) -> Lines:
    n, step = shape[axis], math.prod(shape[axis + 1 :])
    count = math.prod(shape[:axis]) * step
    if n >= LONG and count < _FEW:
        long = Long(n)
        return Lines(n, step, count, 1, count, nbytes + long.room, long)
    nbytes = -(-nbytes // 64) * 64
    tasks = max(1, min(_TASKS, count, count * n // (GRAIN // 4), _MEMORY // max(nbytes, 1)))
    each = -(-count // tasks) if count else 1
    return Lines(n, step, count, -(-count // each), each, nbytes, None)


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
    if lines.long:
        signed = _sort_long(f, dtype, lines, lines.long, source, to, memory, work)
    else:
        signed = call(f, sort_keys.key_name(dtype, "whole"), [source, step, n, memory])
        call(f, sort_name(word), [memory, work, n])
        call(f, f"fx_element_{dtype.name}", [memory, n, to, step])
    if is_floating(dtype):
        with f.when(f.icmp("ne", signed, i64(0))):
            call(f, f"fx_zeros_{dtype.name}", [source, step, n, to, step])


def _sort_long(
    f: Function, dtype: np.dtype[Any], lines: Lines, long: Long, source: Value, to: Value, memory: Value, work: Value
) -> Value:
    """The same in tasks; gives whether there are zeros of negative sign."""
    word, raw = f"i{8 * sort_keys.word_bytes(dtype)}", raw_type(dtype)
    room = f.gep(word, work, i64(_padded(lines.n)))
    signs = _keys_long(f, dtype, "whole", lines, long, source, memory, room)
    long.sort(f, word, memory, work, room)

    def write(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
        work, to = values
        place = g.gep(raw, to, g.mul(start, i64(lines.step)))
        call(g, f"fx_element_{dtype.name}", [g.gep(word, work, start), g.sub(stop, start), place, i64(lines.step)])

    long.each(f, "elements", [work, to], write)
    return signs


def _keys_long(
    f: Function, dtype: np.dtype[Any], part: str, lines: Lines, long: Long, source: Value, keys: Value, room: Value
) -> Value:
    """Keys in tasks; gives whether there are zeros of negative sign."""
    word, raw, step = f"i{8 * sort_keys.word_bytes(dtype)}", f"[{dtype.itemsize} x i8]", i64(lines.step)
    flags = long.spare(f, room)

    def read(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
        source, keys, flags = values
        place = g.gep(raw, source, g.mul(start, step))
        name = sort_keys.key_name(dtype, part)
        signed = call(g, name, [place, step, g.sub(stop, start), g.gep(word, keys, start)])
        g.store(signed, g.gep("i64", flags, piece))

    long.each(f, "keys", [source, keys, flags], read)
    return long.combined(f, flags, Function.or_, 0)


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
    room = _padded(lines.n)
    keys, records, work, orders, counts = [f.gep("i64", memory, i64(k * room)) for k in (0, 1, 2, 4, 5)]
    spare = [orders, f.gep("i32", orders, i64(room))]
    order: Value = NULL
    for dtype, source in reversed(list(zip(dtypes[:num_keys], sources, strict=False))):
        word = f"i{8 * sort_keys.word_bytes(dtype)}"
        for part in reversed(sort_keys.parts(dtype)):
            result = spare[order is spare[0]]
            if lines.long:
                _keys_long(f, dtype, part, lines, lines.long, source, keys, counts)
                lines.long.order(f, word, keys, order, records, work, counts, result)
            else:
                n, step = i64(lines.n), i64(lines.step)
                call(f, sort_keys.key_name(dtype, part), [source, step, n, keys])
                call(f, f"fx_order_{word}", [keys, n, order, records, work, result])
            order = result
    for dtype, source, place in zip(dtypes, sources, to, strict=True):
        _take(f, raw_type(dtype), source, order, place, lines)


def _take(f: Function, kind: str, source: Value, order: Value, to: Value, lines: Lines) -> None:
    """A line in an order."""

    def take(g: Function, values: list[Value], piece: Value, start: Value, stop: Value) -> None:
        source, order, to = values
        with g.loop(start, stop, trips=True) as loop:
            number = g.cast("zext", g.load("i32", g.gep("i32", order, loop.index)), "i64")
            x = g.load(kind, g.gep(kind, source, g.mul(number, i64(lines.step))))
            g.store(x, g.gep(kind, to, g.mul(loop.index, i64(lines.step))))

    if lines.long:
        lines.long.each(f, "take", [source, order, to], take)
    else:
        take(f, [source, order, to], i64(0), i64(0), i64(lines.n))


OPERATIONS: dict[str, Operation] = {
    "sort": Sort(),
    "permute": Permute(),
    "searchsorted": SearchSorted(),
}
"""By the name of the primitive."""
