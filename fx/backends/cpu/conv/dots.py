"""Convolutions whose window is large and whose results are few, as dot products along the window.

Vectors run along the window's taps, contiguous in both operands; a tile of sums (features by entries, which are
channels and taps of the turned part) stays in registers and is added up across its lanes at the end. This is the
form for few features, as in depthwise convolution; with many, `gradients` is quicker.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from ..engine import host
from ..llvm import NULL, Function, Module, Value, const, i64, vector
from ..operations.library import Library, Signature, call as call_library
from ..operations.operation import Buffer
from ..operations.tasks import parallel
from .boxes import ENTRY, Boxes, grown
from .forward import COPY_BYTES, TASK_PRODUCTS, TASKS, emit_offsets
from .geometry import Axis, Part
from .nests import emit_pieces
from .numbers import Numbers
from .partials import Moved, Partials
from .planes import Copy, in_place, readable, source
from .tiles import joined_pieces

_PIECES = 80
_PARTIAL_BYTES = 16 << 20
"""Most memory of the partial results."""


class Tile(NamedTuple):
    """Features by entries of the result; pieces that make a vector; whether pieces have ends within a vector."""

    features: int
    entries: int
    pieces: int
    lanes: int
    masked: bool

    @property
    def piece(self) -> int:
        return self.lanes // self.pieces


class Dots:
    """Plan and emission of the results of one turned part."""

    def __init__(self, part: Part, x: Buffer, y: Buffer):
        self.part = part
        self.numbers = Numbers(y.dtype)
        self.bytes = 4 if self.numbers.scalar == "float" else 8
        self.direct = readable(part, self.numbers)
        last = part.axes[-1]
        self.plain = last.y == 1 or last.count == 1
        """The other operand can be read where it lies."""
        self.block = self._block()
        self.blocks = -(-part.channels.count // self.block)
        self.boxes = Boxes(part.axes, grown(part.axes, self._fits))
        self.copy = Copy(part.axes, self.boxes.extents, self.numbers.lanes)
        self.places = in_place(part) if self.direct else self.copy.places
        self.y_copy = self._y_copy(self.boxes.extents)
        self.size = part.groups.count * part.features.count * part.depth
        self.chunks = self._chunks()
        self.groups = -(-part.groups.count // max(1, TASKS // (self.blocks * self.chunks)))
        """Groups to a task."""
        self.tile = self._tile()
        self.table_bytes = -(-self.block * part.taps * 8 // 64) * 64

    def _block(self) -> int:
        """Channels of x to a task."""
        p = self.part
        wide = p.features.count * p.taps * self.bytes
        most = max(8, (256 << 10) // max(1, wide))
        blocks = -(-p.channels.count // most)
        return -(-p.channels.count // blocks)

    def _fits(self, box: Sequence[int]) -> bool:
        lanes, p = self.numbers.lanes, self.part
        pieces = Boxes(p.axes, box).pieces(lanes)
        elements = 0 if self.direct else Copy(p.axes, box, lanes).elements(self.block)
        elements += 0 if self.plain else self._y_copy(box).elements(p.features.count)
        return pieces <= 1 or (elements * self.bytes <= COPY_BYTES and pieces <= _PIECES)

    def _y_copy(self, box: Sequence[int]) -> Copy:
        """Layout of a copy of the other operand, which nothing slides over."""
        axes = [Axis(a.count, a.count, 1, 1, 1, 0, a.y, 0, 0) for a in self.part.axes]
        return Copy(axes, box, self.numbers.lanes)

    def _chunks(self) -> int:
        """Parts of the sum, a number of boxes each."""
        per = -(-self.boxes.count // min(self.boxes.count, self._most_chunks()))
        return -(-self.boxes.count // per)

    def _most_chunks(self) -> int:
        share = self.part.groups.count * self.blocks
        room = max(1, _PARTIAL_BYTES // (self.size * self.bytes))
        work = max(1, self.size * self.part.positions // TASK_PRODUCTS // share)
        return min(-(-TASKS // share), room, work)

    def _tile(self) -> Tile:
        lanes, width = self.numbers.lanes, self.boxes.extents[-1]
        pieces = 1
        while pieces < 4 and lanes // pieces // 2 >= max(2, width):
            pieces *= 2
        uneven = self.part.axes[-1].count % width != 0
        masked = pieces > 1 or width % lanes != 0 or uneven
        return max((Tile(*s, pieces, lanes, masked) for s in _sizes()), key=self._speed)

    def _speed(self, t: Tile) -> float:
        features, entries = self.part.features.count, self.block * self.part.taps
        useful = features / (-(-features // t.features) * t.features)
        useful *= entries / (-(-entries // t.entries) * t.entries)
        products = t.features * t.entries
        loads = 2 * t.features + 2 * t.entries + 2
        return useful * products / (max(products, loads) + 0.25 * min(products, loads))

    @property
    def stack(self) -> int:
        """Bytes of the copies."""
        own = 0 if self.direct else self.copy.elements(self.block)
        return (own + (0 if self.plain else self.y_copy.elements(self.part.features.count))) * self.bytes

    @property
    def scratch(self) -> int:
        """Bytes for the offsets of the entries and the partial results, whatever the strides."""
        return self.table_bytes + self._most_chunks() * self.size * self.bytes

    def emit(self, f: Function, x: Value, y: Value, result: Value, scratch: Value) -> None:
        table, partial = scratch, f.gep("i8", scratch, i64(self.table_bytes))
        emit_offsets(f, table, self.block, self.places, self.bytes)
        count = -(-self.part.groups.count // self.groups) * self.blocks * self.chunks
        parallel(f, "conv_dots", [x, y, table, partial], count, self._task)
        p, o = self.part, self.part.features
        axes = [Moved(p.groups.count, o.count * p.depth, p.groups.w), Moved(o.count, p.depth, o.w)]
        Partials(self.numbers, self.chunks, self.size).emit(
            f, partial, result, p.w, [*axes, *entry_axes(p, 1)]
        )

    # One task: a chunk of the sum, for a block of channels of a group

    def _task(self, f: Function, values: list[Value], index: Value) -> None:
        x, y, table, partial = values
        p = self.part
        chunk, index = f.urem(index, i64(self.chunks)), f.udiv(index, i64(self.chunks))
        block, some = f.urem(index, i64(self.blocks)), f.udiv(index, i64(self.blocks))
        first = f.mul(block, i64(self.block))
        channels = f.intrinsic("llvm.smin", f.sub(i64(p.channels.count), first), i64(self.block))
        at = f.add(f.mul(chunk, i64(self.size)), f.mul(first, i64(p.taps)))
        x, y = self.numbers.at(f, x, f.mul(first, i64(p.channels.x))), self.numbers.at(f, y, i64(p.y))
        groups = _span(f, some, self.groups, p.groups.count)
        partial = f.gep(self.numbers.scalar, partial, at)
        job = Job(x, y, table, partial, channels, self._memory(f), groups)
        start, stop = _span(f, chunk, -(-self.boxes.count // self.chunks), self.boxes.count)
        with f.loop(start, stop) as loop:
            self._box(f, loop.index, job, f.icmp("eq", loop.index, start))

    def _memory(self, f: Function) -> dict[str, Value]:
        """Of the task: the table of pieces and the copies."""
        pieces = self.boxes.pieces(self.tile.piece) + self.tile.pieces
        found = {"pieces": f.alloca("i8", pieces * ENTRY), "x": NULL, "y": NULL}
        if not self.direct:
            found["x"] = f.alloca("i8", self.copy.elements(self.block) * self.bytes)
        if not self.plain:
            found["y"] = f.alloca("i8", self.y_copy.elements(self.part.features.count) * self.bytes)
        return found

    def _box(self, f: Function, number: Value, job: Job, is_first: Value) -> None:
        """A box for some groups: its pieces are the same for all of them."""
        p, t, scalar = self.part, self.tile, self.numbers.scalar
        starts, extents = self.boxes.at(f, number)
        size, places = self.numbers.bytes, self.y_copy.places
        y_steps = [a.y * size for a in p.axes] if self.plain else [s * self.bytes for s in places.steps]
        x_steps = [s * self.bytes for s in self.places.steps]
        count = emit_pieces(f, job.memory["pieces"], t.piece, extents, x_steps, y_steps, t.pieces)
        keep = f.cast("zext", f.not_(is_first), "i64")
        with f.loop(*job.groups) as loop:
            x_at, y_at = (f.mul(loop.index, i64(step)) for step in (p.groups.x, p.groups.y))
            copy = None if self.direct else self.copy
            x = source(f, self.numbers, p, copy, job.x, x_at, starts, extents, job.channels, job.memory["x"])
            y = self._other(f, job, y_at, starts, extents)
            partial = f.gep(scalar, job.partial, f.mul(loop.index, i64(p.features.count * p.depth)))
            self._tiles(f, x, y, count, job._replace(partial=partial), keep)

    def _other(self, f: Function, job: Job, at: Value, starts: list[Value], extents: list[Value]) -> Value:
        """Where the kernel reads the other operand."""
        p = self.part
        if self.plain:
            for a, start in zip(p.axes, starts, strict=True):
                at = f.add(at, f.mul(start, i64(a.y)))
            return self.numbers.at(f, job.y, at)
        y, copy = self.numbers.at(f, job.y, at), job.memory["y"]
        self.y_copy.emit(f, self.numbers, y, copy, p.features.count, p.features.y, starts, extents)
        return copy

    def _tiles(self, f: Function, x: Value, y: Value, count: Value, job: Job, keep: Value) -> None:
        p, t = self.part, self.tile
        entries = f.mul(job.channels, i64(p.taps))
        plain_step, copy_step = p.features.y * self.numbers.bytes, self.y_copy.places.channel * self.bytes
        y_step = i64(plain_step if self.plain else copy_step)
        with f.loop(i64(0), i64(p.features.count), t.features, trips=True) as features:
            o = features.index
            rows = f.intrinsic("llvm.smin", f.sub(i64(p.features.count), o), i64(t.features))
            y_row = f.gep("i8", y, f.mul(o, y_step))
            result = f.gep(self.numbers.scalar, job.partial, f.mul(o, i64(p.depth)))
            with f.loop(i64(0), entries, t.entries) as loop:
                e = loop.index
                columns = f.intrinsic("llvm.smin", f.sub(entries, e), i64(t.entries))
                offsets, place = f.gep("i64", job.table, e), f.gep(self.numbers.scalar, result, e)
                args = [x, offsets, columns, y_row, y_step, rows, job.memory["pieces"], count]
                call_dots(f, self.numbers, t, self.plain, [*args, place, i64(p.depth), keep])


class Job(NamedTuple):
    """What a task works on: operands, the table of entries, its partial results, and how much of the channels."""

    x: Value
    y: Value
    table: Value
    partial: Value
    channels: Value
    memory: dict[str, Value]
    groups: tuple[Value, Value]


def _span(f: Function, number: Value, step: int, end: int) -> tuple[Value, Value]:
    """The number-th piece of [0, end) in pieces of `step`."""
    start = f.mul(number, i64(step))
    return start, f.intrinsic("llvm.smin", f.add(start, i64(step)), i64(end))


def entry_axes(part: Part, step: int) -> list[Moved]:
    """The axes of the entries, channels and then taps, which lie `step` elements apart."""
    axes = [(part.channels.count, part.channels.w), *[(a.window, a.w) for a in part.axes]]
    found = []
    for count, w in reversed(axes):
        found.append(Moved(count, step, w))
        step *= count
    return found


def _sizes() -> list[tuple[int, int]]:
    """Features and entries whose sums and vectors fit the registers."""
    return [
        (features, entries)
        for features in range(1, 6)
        for entries in (1, 2, 3, 4, 5, 6, 7, 9)
        if features * entries + features + entries < host().registers
    ]


# The kernel

_PARAMS = ("ptr", "ptr", "i64", "ptr", "i64", "i64", "ptr", "i64", "ptr", "i64", "i64")


def call_dots(f: Function, numbers: Numbers, t: Tile, plain: bool, args: Sequence[Value]) -> None:
    """kernel(x, offsets, entries, y, step, features, pieces, count, result, result step, old).

    The tile's sums over all pieces are added to the results, or set them where `old` is 0.
    """
    name = _name(numbers, t, plain)
    if plain and numbers.memory == numbers.scalar:
        call_library(f, name, args)
        return
    if name not in f.module.functions:
        _Kernel(f.module.function(name, "void", _PARAMS, attrs="nounwind"), numbers, t, plain).emit()
    f.call(name, "void", args)


def _name(numbers: Numbers, t: Tile, plain: bool) -> str:
    y = numbers.memory if plain else numbers.scalar
    masked = "_masked" if t.masked else ""
    return f"fx_conv_dots_{numbers.scalar}_{y}_{t.features}x{t.entries}_{t.pieces}{masked}"


class _Kernel:
    def __init__(self, f: Function, numbers: Numbers, t: Tile, plain: bool):
        self.f, self.numbers, self.t, self.plain = f, numbers, t, plain

    def emit(self) -> None:
        f, t = self.f, self.t
        x, offsets, entries, y, step, rows, pieces, count, result, result_step, old = f.args
        last_entry, last_row = f.sub(entries, i64(1)), f.sub(rows, i64(1))
        least = lambda i, last: f.intrinsic("llvm.smin", i64(i), last) if i else i64(0)
        bases = [
            f.gep("i8", x, f.load("i64", f.gep("i64", offsets, least(e, last_entry))))
            for e in range(t.entries)
        ]
        lines = [f.gep("i8", y, f.mul(least(o, last_row), step)) for o in range(t.features)]
        zero = const(vector(self.numbers.scalar, t.lanes), 0)
        with f.loop(i64(0), count, t.pieces, carry=[zero] * (t.features * t.entries), trips=True) as loop:
            at = f.gep("i8", pieces, f.mul(loop.index, i64(ENTRY)))
            places = [self._entry(at, i) for i in range(t.pieces)]
            ys = [self._vector(line, places, 1, self.numbers if self.plain else None) for line in lines]
            sums = list(loop.carry)
            for e, base in enumerate(bases):
                value = self._vector(base, places, 0, None)
                for o in range(t.features):
                    sums[o * t.entries + e] = f.fma(ys[o], value, sums[o * t.entries + e])
            loop.next(*sums)
        self._add(loop.results, entries, rows, result, result_step, old)
        f.ret()

    def _entry(self, at: Value, i: int) -> tuple[list[Value], Value | None]:
        f, t = self.f, self.t
        at = f.gep("i8", at, i64(i * ENTRY))
        offsets = [f.load("i64", f.gep("i64", at, i64(j))) for j in range(2)]
        if not t.masked:
            return offsets, None
        return offsets, f.tail_mask(f.load("i64", f.gep("i64", at, i64(2))), t.piece)

    def _vector(
        self, base: Value, places: list[tuple[list[Value], Value | None]], which: int, numbers: Numbers | None
    ) -> Value:
        """The pieces at their offsets from `base`, joined; elements as in memory where `numbers` says what they are."""
        f, t = self.f, self.t
        scalar = numbers.memory if numbers else self.numbers.scalar
        kind, found = vector(scalar, t.piece), []
        for offsets, mask in places:
            p = f.gep("i8", base, offsets[which])
            if mask is None:
                found.append(f.load(kind, p))
            else:
                found.append(f.masked_load(kind, p, mask, const(kind, 0)))
        x = joined_pieces(f, found)
        return numbers.widen(f, x) if numbers else x

    def _add(
        self, sums: list[Value], entries: Value, rows: Value, result: Value, step: Value, old: Value
    ) -> None:
        """The sums of the lanes to the results, a row of entries for every feature."""
        f, t, scalar = self.f, self.t, self.numbers.scalar
        kind, groups = sums[0].type, -(-len(sums) // t.lanes)
        totals, buffer = f.alloca(kind, groups + 1), f.alloca(kind, groups * t.lanes)
        for i, x in enumerate(sums):
            f.store(x, f.gep(kind, buffer, i64(i)))
        with f.loop(i64(0), i64(groups), trips=True) as loop:
            first = f.gep(kind, buffer, f.mul(loop.index, i64(t.lanes)))
            some = [f.load(kind, f.gep(kind, first, i64(i))) for i in range(t.lanes)]
            f.store(sums_of_lanes(f, some), f.gep(kind, totals, loop.index))
        width = max(2, 1 << (t.entries - 1).bit_length())
        kind = vector(scalar, width)
        mask, zero = f.tail_mask(entries, width), const(kind, 0.0)
        keep = f.and_(mask, f.splat(f.icmp("ne", old, i64(0)), width))
        with f.loop(i64(0), rows, trips=True) as row:
            place = f.gep(scalar, result, f.mul(row.index, step))
            new = f.load(kind, f.gep(scalar, totals, f.mul(row.index, i64(t.entries))))
            f.masked_store(f.fadd(f.masked_load(kind, place, keep, zero), new), place, mask)


def sums_of_lanes(f: Function, vectors: Sequence[Value]) -> Value:
    """Lane i is the sum of the lanes of vector i, each by the same tree: halves, quarters, ..."""
    level, lanes = list(vectors), len(vectors)
    width = lanes
    while len(level) > 1:
        half, count = width // 2, len(level) // 2
        low = [
            start + source * lanes + i
            for start in range(0, lanes, width)
            for source in (0, 1)
            for i in range(half)
        ]
        pairs = list(zip(level[:count], level[count:], strict=True))
        level = [f.fadd(f.shuffle(a, b, low), f.shuffle(a, b, [i + half for i in low])) for a, b in pairs]
        width = half
    return level[0]


def _write(m: Module, numbers: Numbers, t: Tile) -> None:
    name = _name(numbers, t, True)
    _Kernel(_LIBRARIES[name].define(m, name), numbers, t, True).emit()


def _libraries(numbers: Numbers) -> dict[str, Library]:
    found = {}
    for pieces, masked in itertools.product((1, 2, 4), (False, True)):
        for features, entries in _sizes():
            t = Tile(features, entries, pieces, numbers.lanes, masked)
            name = _name(numbers, t, True)
            write = functools.partial(_write, numbers=numbers, t=t)
            found[name] = Library({name: Signature("void", _PARAMS)}, write)
    return found


_LIBRARIES = {
    name: library for dtype in ("float32", "float64") for name, library in _libraries(Numbers(dtype)).items()
}
