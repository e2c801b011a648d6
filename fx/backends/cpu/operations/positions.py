"""Index arrays at run time: every index brought into its axis, or found to lie outside."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..llvm import TYPES, Function, Value, const, i64, like
from .layout import broadcast_strides, merged, offsets
from .operation import row_major
from .tasks import GRAIN, least, parallel

_LINE_COST = 4
"""Elements that a line costs besides its own."""


class Lookup(NamedTuple):
    """What `gather` and `scatter` walk: for every outer place p and index place b, one line of x.

    The other side (the result, the updates) has the shape (outer, common, line), in one piece.
    """

    x_shape: tuple[int, ...]
    axes: tuple[int, ...]
    mode: str
    outer: int
    outer_sizes: tuple[int, ...]
    outer_strides: tuple[int, ...]
    common: int
    common_sizes: tuple[int, ...]
    index_strides: list[tuple[int, ...]]
    line: int
    line_sizes: tuple[int, ...]
    line_strides: tuple[int, ...]
    """Of x; the other side is contiguous."""
    other_strides: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.outer * self.common * self.line

    @property
    def run(self) -> int:
        """Elements that lie side by side in x and on the other side."""
        if self.line_sizes and self.line_strides[-1] == 1:
            return self.line_sizes[-1]
        return 1


def lookup(
    x_shape: Sequence[int],
    index_shapes: Sequence[Sequence[int]],
    axes: Sequence[int],
    at: int,
    mode: str,
    pair: bool,
) -> Lookup:
    """The walk of one equation; `pair` counts an element of x as two (the parts of a complex number)."""
    scale = 2 if pair else 1
    strides = [scale * s for s in row_major(x_shape)]
    rest = [a for a in range(len(x_shape)) if a not in axes]
    common = np.broadcast_shapes(*map(tuple, index_shapes))
    common_sizes, index_strides = merged(common, *[broadcast_strides(s, common) for s in index_shapes])
    outer_sizes, (outer_strides,) = merged([x_shape[a] for a in rest[:at]], [strides[a] for a in rest[:at]])
    line_shape = [x_shape[a] for a in rest[at:]] + [2] * pair
    line_sizes, (line_strides, other) = merged(
        line_shape, [strides[a] for a in rest[at:]] + [1] * pair, row_major(line_shape)
    )
    return Lookup(
        tuple(x_shape), tuple(axes), mode,
        math.prod(outer_sizes), outer_sizes, outer_strides,
        math.prod(common), common_sizes, index_strides,
        math.prod(line_shape), line_sizes, line_strides, other,
    )  # fmt: skip


def each_line(
    f: Function,
    stem: str,
    walk: Lookup,
    values: Sequence[Value],
    lines: Callable[[Function, list[Value], Value, Value, Value], None],
) -> None:
    """lines(g, values, p, start, stop) for all outer places p and index places [start, stop), in tasks."""
    per_task = max(1, GRAIN // (walk.line + _LINE_COST))
    if walk.common >= per_task:
        blocks = -(-walk.common // per_task)

        def part(g: Function, values: list[Value], index: Value) -> None:
            p, block = g.udiv(index, i64(blocks)), g.urem(index, i64(blocks))
            start = g.mul(block, i64(per_task))
            lines(g, values, p, start, least(g, g.add(start, i64(per_task)), i64(walk.common)))

        parallel(f, stem, values, walk.outer * blocks, part)
        return
    step = per_task // walk.common

    def whole(g: Function, values: list[Value], index: Value) -> None:
        first = g.mul(index, i64(step))
        with g.loop(first, least(g, g.add(first, i64(step)), i64(walk.outer)), trips=True) as loop:
            lines(g, values, loop.index, i64(0), i64(walk.common))

    parallel(f, stem, values, -(-walk.outer // step), whole)


def line_start(
    f: Function, walk: Lookup, indices: Sequence[tuple[Value, np.dtype[Any]]], b: Value, scale: int
) -> tuple[Value, Value | None]:
    """Offset into x of the line that index place b names, and whether it is one (None: it always is).

    indices: address and dtype of every index array. Where there is no line the offset is 0.
    """
    places = offsets(f, b, walk.common_sizes, *walk.index_strides)
    steps = row_major(walk.x_shape)
    total, valid = i64(0), None
    for (pointer, dtype), place, axis in zip(indices, places, walk.axes, strict=True):
        raw = f.load(TYPES[dtype.name], f.gep(TYPES[dtype.name], pointer, place))
        i, inside = position(f, as_int64(f, raw, dtype), walk.x_shape[axis], walk.mode)
        total = f.add(total, f.mul(i, i64(scale * steps[axis])))
        if inside is not None:
            valid = inside if valid is None else f.and_(valid, inside)
    if valid is not None:
        total = f.select(valid, total, i64(0))
    return total, valid


def as_int64(f: Function, index: Value, dtype: np.dtype[Any]) -> Value:
    """Indices of any integer dtype; unsigned ones too large for int64 stay too large."""
    if dtype.kind == "u" and dtype.itemsize == 8:
        return f.intrinsic("llvm.umin", index, const(index.type, 2**63 - 1))
    return f.cast("zext" if dtype.kind in "bu" else "sext", index, like(index.type, "i64"))


def position(f: Function, index: Value, size: int, mode: str) -> tuple[Value, Value | None]:
    """Places of indices in an axis, negative ones from the end, and which lie inside (None: surely all)."""
    number = lambda n: const(index.type, n)
    if size == 0:
        return number(0), const(like(index.type, "i1"), False)
    from_end = lambda i: f.select(f.icmp("slt", i, number(0)), f.add(i, number(size)), i)
    if mode == "wrap":  # scalars only: a division is worth a branch
        near = from_end(index)
        inside = f.icmp("ult", near, number(size))
        return f.choose(inside, lambda: [near], lambda: [from_end(f.srem(index, number(size)))])[0], None
    index = from_end(index)
    if mode == "clip":
        return clamp(f, index, size - 1), None
    return index, f.icmp("ult", index, number(size))


def clamp(f: Function, index: Value, last: int) -> Value:
    """Indices brought into [0, last]."""
    above = f.intrinsic("llvm.smax", index, const(index.type, 0))
    return f.intrinsic("llvm.smin", above, const(index.type, last))
