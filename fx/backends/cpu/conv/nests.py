"""Small functions over nests of at most AXES loops, with their counts and steps in tables: compiled once.

places(table, counts, steps)                      offsets of all elements of the nest; gives their number
pieces(table, counts, x steps, y steps, lanes, group)
                                                  entries of a box's pieces, filled up to a multiple of `group`
gather(source, target, counts, steps, step)       elements of a nest, `step` elements apart in the target
scatter(source, target, counts, from, to)         elements of a nest to another
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..llvm import Function, Module, Value, i64
from ..operations.library import Library, Signature, call as call_library
from .filling import AXES, numbers_table
from .numbers import Numbers

LEVELS = AXES + 2
"""Loops of the nests of elements: those of the axes, of the channels and of the features."""


def emit_places(f: Function, table: Value, extents: Sequence[Value], steps: Sequence[int]) -> Value:
    """Write where the results of a box begin to read, in bytes; gives their number."""
    return call_library(f, "fx_conv_places", [table, extents_table(f, extents, AXES), _steps(f, steps, AXES)])


def emit_pieces(
    f: Function, table: Value, lanes: int, extents: Sequence[Value], x_steps: Sequence[int], y_steps: Sequence[int],
    group: int,
) -> Value:  # fmt: skip
    """Write the table of a box's pieces, filled up with empty ones to a multiple of `group`; gives their number.

    Steps are in bytes per result, along every axis.
    """
    steps = [_steps(f, s, AXES) for s in (x_steps, y_steps)]
    return call_library(
        f, "fx_conv_pieces", [table, extents_table(f, extents, AXES), *steps, i64(lanes), i64(group)]
    )


def gather(
    f: Function, numbers: Numbers, source: Value, target: Value, axes: Sequence[tuple[int, int]], step: int
) -> None:
    """Elements of (count, step) axes of an array of the dtype, `step` apart in the target, as they are in registers."""
    counts, steps = _levels(f, [n for n, _ in axes], 1), _levels(f, [s for _, s in axes], 0)
    call_library(f, f"fx_conv_gather_{numbers.memory}", [source, target, counts, steps, i64(step)])


def scatter(
    f: Function, numbers: Numbers, source: Value, target: Value, axes: Sequence[tuple[int, int, int]]
) -> None:
    """Numbers of registers to an array of the dtype, over (count, step in source, step in target) axes."""
    tables = [
        _levels(f, column, first) for column, first in zip(zip(*axes, strict=True), (1, 0, 0), strict=True)
    ]
    call_library(f, f"fx_conv_scatter_{numbers.memory}", [source, target, *tables])


def extents_table(f: Function, extents: Sequence[Value], levels: int) -> Value:
    """Counts of a nest, outer loops that are missing with one trip."""
    table = f.alloca("i64", levels)
    for i, value in enumerate([i64(1)] * (levels - len(extents)) + list(extents)):
        f.store(value, f.gep("i64", table, i64(i)))
    return table


def _steps(f: Function, steps: Sequence[int], levels: int) -> Value:
    return numbers_table(f, [0] * (levels - len(steps)) + list(steps))


def _levels(f: Function, values: Sequence[int], first: int) -> Value:
    return numbers_table(f, [first] * (LEVELS - len(values)) + list(values))


# The functions


def entries(f: Function, table: Value, levels: int = AXES) -> list[Value]:
    """What a table holds."""
    return [f.load("i64", f.gep("i64", table, i64(i))) for i in range(levels)]


def counted(
    f: Function,
    counts: list[Value],
    carry: list[Value],
    body: Callable[[list[Value], list[Value]], list[Value]],
) -> list[Value]:
    """body(indices, carried values) in all loops, the carried values passed on."""

    def along(indices: list[Value], carry: list[Value]) -> list[Value]:
        if len(indices) == len(counts):
            return body(indices, carry)
        with f.loop(i64(0), counts[len(indices)], carry=carry) as loop:
            loop.next(*along([*indices, loop.index], loop.carry))
        return loop.results

    return along([], carry)


def dot(f: Function, indices: Sequence[Value], steps: Sequence[Value]) -> Value:
    """The offset of a place in a nest."""
    total = i64(0)
    for index, step in zip(indices, steps, strict=True):
        total = f.add(total, f.mul(index, step))
    return total


def _write_places(m: Module) -> None:
    f = _TABLES.define(m, "fx_conv_places")
    table, counts, steps = f.args
    apart = entries(f, steps)

    def body(indices: list[Value], carry: list[Value]) -> list[Value]:
        f.store(dot(f, indices, apart), carry[0])
        return [f.gep("i64", carry[0], i64(1))]

    (end,) = counted(f, entries(f, counts), [table], body)
    first, last = (f.cast("ptrtoint", p, "i64") for p in (table, end))
    f.ret(f.sdiv(f.sub(last, first), i64(8)))


def _write_pieces(m: Module) -> None:
    f = _TABLES.define(m, "fx_conv_pieces")
    table, counts, x_steps, y_steps, lanes, group = f.args
    *outer, length = entries(f, counts)
    xs, ys = entries(f, x_steps), entries(f, y_steps)

    def row(indices: list[Value], carry: list[Value]) -> list[Value]:
        x, y = dot(f, indices, xs[:-1]), dot(f, indices, ys[:-1])
        with f.loop(i64(0), length, lanes, carry=carry) as loop:
            at, (count,) = loop.index, loop.carry
            rest = f.intrinsic("llvm.smin", f.sub(length, at), lanes)
            here = f.add(x, f.mul(at, xs[-1])), f.add(y, f.mul(at, ys[-1]))
            _entry(f, table, count, *here, rest)
            loop.next(f.add(count, i64(1)))
        return loop.results

    (count,) = counted(f, outer, [i64(0)], row)
    whole = f.mul(f.udiv(f.add(count, f.sub(group, i64(1))), group), group)
    with f.loop(count, whole) as loop:
        _entry(f, table, loop.index, i64(0), i64(0), i64(0))
    f.ret(whole)


def _entry(f: Function, table: Value, number: Value, *values: Value) -> None:
    place = f.gep("i8", table, f.mul(number, i64(24)))
    for i, value in enumerate(values):
        f.store(value, f.gep("i64", place, i64(i)))


def _write_elements(m: Module, numbers: Numbers) -> None:
    library = _ELEMENTS[numbers.memory]
    f = library.define(m, f"fx_conv_gather_{numbers.memory}")
    source, target, counts, steps, step = f.args
    apart = entries(f, steps, LEVELS)

    def collect(indices: list[Value], carry: list[Value]) -> list[Value]:
        f.store(numbers.load(f, source, dot(f, indices, apart), 1), carry[0])
        return [f.gep(numbers.scalar, carry[0], step)]

    counted(f, entries(f, counts, LEVELS), [target], collect)
    f.ret()
    g = library.define(m, f"fx_conv_scatter_{numbers.memory}")
    source, target, counts, froms, tos = g.args
    here, there = entries(g, froms, LEVELS), entries(g, tos, LEVELS)

    def spread(indices: list[Value], carry: list[Value]) -> list[Value]:
        x = g.load(numbers.scalar, g.gep(numbers.scalar, source, dot(g, indices, here)))
        numbers.store(g, x, target, dot(g, indices, there))
        return carry

    counted(g, entries(g, counts, LEVELS), [], spread)
    g.ret()


_TABLES = Library(
    {
        "fx_conv_places": Signature("i64", ("ptr",) * 3),
        "fx_conv_pieces": Signature("i64", ("ptr",) * 4 + ("i64",) * 2),
    },
    lambda m: (_write_places(m), _write_pieces(m))[0],
)

_ELEMENTS = {
    n.memory: Library(
        {
            f"fx_conv_gather_{n.memory}": Signature("void", ("ptr",) * 4 + ("i64",)),
            f"fx_conv_scatter_{n.memory}": Signature("void", ("ptr",) * 5),
        },
        lambda m, n=n: _write_elements(m, n),
    )
    for n in map(Numbers, ("float32", "float64", "float16", "bfloat16"))
}
