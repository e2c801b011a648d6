"""Convolutions whose window is large and whose results are few: above all the gradient with respect to the weights.

    result[o, c, q] = sum over n, k of w[o, n, k] * x[c, n, q, k]

A sum over positions (n, k). For every position the features o of w stand side by side, transposed once for a tile
of features; a tile of entries (c, q) by vectors of features stays in registers, and what x has for an entry is
broadcast. The long sum is cut into chunks that the shape alone decides; `partials` adds them up.

All is said in terms of the turned part: `y` is the operand w, the result has the steps `w`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..engine import host
from ..llvm import Function, Module, Value, const, i64, vector
from ..operations.operation import Buffer
from ..operations.tasks import parallel
from .boxes import Boxes, grown
from .dots import entry_axes
from .forward import COPY_BYTES, emit_offsets
from .geometry import Axis, Part
from .numbers import Numbers
from .partials import Moved, Partials
from .planes import Copy, in_place, readable
from .turning import turn

_TASKS = 16
_TASK_PRODUCTS = 1 << 18
_POSITIONS = 1024
_PANEL_BYTES = 24 << 10
"""What of a panel a run of the kernel reads: it should stay in the first-level cache."""
_PARTIAL_BYTES = 16 << 20
"""Most memory of the partial results."""


class Tile(NamedTuple):
    """What the kernel keeps in registers: entries by vectors of features."""

    entries: int
    vectors: int
    lanes: int

    @property
    def features(self) -> int:
        return self.vectors * self.lanes


class Gradient:
    """Plan and emission of the results of one turned part."""

    def __init__(self, part: Part, x: Buffer, y: Buffer):
        self.part = part
        self.numbers = Numbers(y.dtype)
        self.bytes = 4 if self.numbers.scalar == "float" else 8
        self.plain = self.numbers.memory == self.numbers.scalar and part.axes[-1].y == 1
        """The other operand can be transposed from where it lies."""
        self.direct = all(a.inside for a in part.axes) and self.numbers.memory == self.numbers.scalar
        self.tile = max((Tile(*s, self.numbers.lanes) for s in _sizes()), key=self._speed)
        self.tiles = -(-part.features.count // self.tile.features)
        self.boxes = Boxes(part.axes, grown(part.axes, self._fits))
        self.copy = Copy(part.axes, self.boxes.extents, self.numbers.lanes)
        self.y_copy = self._y_copy(self.boxes.extents)
        self.places = in_place(part) if self.direct else self.copy.places
        self.row = self.tiles * self.tile.features
        """Features of the partial results, with those that only fill up vectors."""
        self.size = part.groups.count * part.depth * self.row
        per = -(-self.boxes.count // min(self.boxes.count, self._most_chunks()))
        self.chunks = -(-self.boxes.count // per)
        self.table_bytes = -(-part.depth * 8 // 64) * 64

    def _speed(self, t: Tile) -> float:
        """Useful products per cycle, for two FMAs and two loads a cycle."""
        features, entries = self.part.features.count, self.part.depth
        useful = features / (-(-features // t.features) * t.features)
        useful *= entries / (-(-entries // t.entries) * t.entries)
        products, loads = t.entries * t.vectors, t.entries + t.vectors + 1
        return useful * products / (max(products, loads, 8) + min(products, loads) / 4)

    @property
    def speed(self) -> float:
        return self._speed(self.tile)

    def _fits(self, box: Sequence[int]) -> bool:
        positions = 1
        for n in box:
            positions *= n
        elements = 0 if self.direct else Copy(self.part.axes, box, 16).elements(self.part.channels.count)
        elements += 0 if self.plain else self._y_copy(box).elements(self.tile.features)
        return positions == 1 or (elements * self.bytes <= COPY_BYTES and positions <= _POSITIONS)

    def _y_copy(self, box: Sequence[int]) -> Copy:
        """Layout of a copy of the other operand, which nothing slides over."""
        axes = [Axis(a.count, a.count, 1, 1, 1, 0, a.y, 0, 0) for a in self.part.axes]
        return Copy(axes, box, self.numbers.lanes)

    def _most_chunks(self) -> int:
        share = self.part.groups.count * self.tiles
        room = max(1, _PARTIAL_BYTES // (self.size * self.bytes))
        work = max(1, self.size * self.part.positions // _TASK_PRODUCTS // share)
        return min(-(-_TASKS // share), room, work)

    @property
    def scratch(self) -> int:
        """Bytes for the offsets of the entries and the partial results, whatever the strides."""
        return self.table_bytes + self._most_chunks() * self.size * self.bytes

    def emit(self, f: Function, x: Value, y: Value, result: Value, scratch: Value) -> None:
        p = self.part
        table, partial = scratch, f.gep("i8", scratch, i64(self.table_bytes))
        emit_offsets(f, table, p.channels.count, self.places, self.bytes)
        count = p.groups.count * self.tiles * self.chunks
        parallel(f, "conv_gradient", [x, y, table, partial], count, self._task)
        axes = [Moved(p.groups.count, p.depth * self.row, p.groups.w), Moved(p.features.count, 1, p.features.w)]
        axes += entry_axes(p, self.row)
        Partials(self.numbers, self.chunks, self.size).emit(f, partial, result, p.w, axes)

    # One task: a chunk of the sum, for a tile of features of a group

    def _task(self, f: Function, values: list[Value], index: Value) -> None:
        x, y, table, partial = values
        p, t = self.part, self.tile
        chunk, index = f.urem(index, i64(self.chunks)), f.udiv(index, i64(self.chunks))
        tile, group = f.urem(index, i64(self.tiles)), f.udiv(index, i64(self.tiles))
        first = f.mul(tile, i64(t.features))
        lines = f.intrinsic("llvm.smin", f.sub(i64(p.features.count), first), i64(t.features))
        x_at = f.mul(group, i64(p.groups.x))
        y_at = f.add(i64(p.y), f.add(f.mul(group, i64(p.groups.y)), f.mul(first, i64(p.features.y))))
        at = f.add(f.mul(chunk, i64(self.size)), f.mul(group, i64(p.depth * self.row)))
        partial = f.gep(self.numbers.scalar, partial, f.add(at, first))
        per = -(-self.boxes.count // self.chunks)
        start = f.mul(chunk, i64(per))
        stop = f.intrinsic("llvm.smin", f.add(start, i64(per)), i64(self.boxes.count))
        memory = self._memory(f)
        with f.loop(start, stop) as loop:
            old = f.icmp("ne", loop.index, start)
            self._box(f, loop.index, (x, x_at), (y, y_at), lines, table, partial, old, memory)

    def _memory(self, f: Function) -> dict[str, Value]:
        """Of the task: copies, offsets of the positions, and the transposed panel."""
        t = self.tile
        positions = self.boxes.pieces(1)
        found = {
            "positions": f.alloca("i64", positions),
            "panel": f.alloca("i8", (positions + t.lanes) * t.features * self.bytes),
        }
        if not self.direct:
            found["x"] = f.alloca("i8", self.copy.elements(self.part.channels.count) * self.bytes)
        if not self.plain:
            found["y"] = f.alloca("i8", self.y_copy.elements(t.features) * self.bytes)
        return found

    def _box(
        self, f: Function, number: Value, x: tuple[Value, Value], y: tuple[Value, Value], lines: Value, table: Value,
        partial: Value, old: Value, memory: dict[str, Value],
    ) -> None:  # fmt: skip
        starts, extents = self.boxes.at(f, number)
        source = self._source(f, *x, starts, extents, memory)
        count = self._positions(f, memory["positions"], extents)
        self._panel(f, *y, lines, starts, extents, memory)
        self._tiles(f, source, table, count, partial, old, memory)

    def _source(
        self, f: Function, x: Value, x_at: Value, starts: list[Value], extents: list[Value],
        memory: dict[str, Value],
    ) -> Value:  # fmt: skip
        """Where the kernel reads x: in place or in the copy."""
        p = self.part
        if self.direct:
            for a, start in zip(p.axes, starts, strict=True):
                x_at = f.add(x_at, f.mul(f.add(f.mul(start, i64(a.stride)), i64(a.origin)), i64(a.x)))
            return f.gep("i8", x, f.mul(x_at, i64(self.numbers.bytes)))
        x = f.gep("i8", x, f.mul(x_at, i64(self.numbers.bytes)))
        self.copy.emit(f, self.numbers, x, memory["x"], p.channels.count, p.channels.x, starts, extents)
        return memory["x"]

    def _positions(self, f: Function, table: Value, extents: list[Value]) -> Value:
        """The offsets in x of all positions of a box, and their number."""
        steps = [s * self.bytes for s in self.places.steps]

        def along(axis: int, at: Value, count: Value) -> Value:
            with f.loop(i64(0), extents[axis], carry=[count], trips=True) as loop:
                (count,) = loop.carry
                here = f.add(at, f.mul(loop.index, i64(steps[axis])))
                if axis == len(extents) - 1:
                    f.store(here, f.gep("i64", table, count))
                    loop.next(f.add(count, i64(1)))
                else:
                    loop.next(along(axis + 1, here, count))
            return loop.results[0]

        return along(0, i64(0), i64(0))

    def _panel(
        self, f: Function, y: Value, y_at: Value, lines: Value, starts: list[Value], extents: list[Value],
        memory: dict[str, Value],
    ) -> None:  # fmt: skip
        """The panel (position, feature) of a tile of features."""
        p, size = self.part, self.numbers.bytes
        if self.plain:
            for a, start in zip(p.axes, starts, strict=True):
                y_at = f.add(y_at, f.mul(start, i64(a.y)))
            source, steps, wide = f.gep("i8", y, f.mul(y_at, i64(size))), [a.y for a in p.axes], p.features.y
        else:
            source, y = memory["y"], f.gep("i8", y, f.mul(y_at, i64(size)))
            self.y_copy.emit(f, self.numbers, y, source, lines, p.features.y, starts, extents)
            steps, wide = self.y_copy.places.steps, self.y_copy.places.channel
        self._turn_rows(f, source, list(steps), wide, lines, extents, memory["panel"])

    def _turn_rows(
        self, f: Function, y: Value, steps: list[int], wide: int, lines: Value, extents: list[Value], panel: Value
    ) -> None:
        """Row after row; rows that follow each other in memory are one."""
        extents, steps = list(extents), list(steps)
        while len(steps) > 1 and extents[-1].text[0] != "%" and steps[-2] == steps[-1] * int(extents[-1].text):
            steps.pop(-2)
            inner = extents.pop()
            extents[-1] = f.mul(extents[-1], inner)
        row = i64(self.tile.features * self.bytes)

        def along(axis: int, y: Value, panel: Value) -> Value:
            if axis == len(extents) - 1:
                for v in range(self.tile.vectors):
                    self._turn(f, y, wide, f.sub(lines, i64(v * self.tile.lanes)), v, extents[axis], panel)
                return f.gep("i8", panel, f.mul(extents[axis], row))
            with f.loop(i64(0), extents[axis], carry=[panel], trips=True) as loop:
                here = f.gep(self.numbers.scalar, y, f.mul(loop.index, i64(steps[axis])))
                loop.next(along(axis + 1, here, loop.carry[0]))
            return loop.results[0]

        along(0, y, panel)

    def _turn(self, f: Function, y: Value, wide: int, lines: Value, v: int, count: Value, panel: Value) -> None:
        """One vector of features; where none is left, the vector stays as it is."""
        t, size = self.tile, self.bytes
        with f.when(f.icmp("sgt", lines, i64(0))):
            here = f.intrinsic("llvm.smin", lines, i64(t.lanes))
            source = f.gep("i8", y, i64(v * t.lanes * wide * size))
            target = f.gep("i8", panel, i64(v * t.lanes * size))
            row = i64(t.features * size)
            turn(f, self.numbers.scalar, source, i64(wide * size), here, count, target, row)

    def _tiles(
        self, f: Function, source: Value, table: Value, count: Value, partial: Value, old: Value,
        memory: dict[str, Value],
    ) -> None:  # fmt: skip
        p, t = self.part, self.tile
        kernel = gradient_kernel(f.module, self.numbers.scalar, t)
        step = max(32, _PANEL_BYTES // (t.features * self.bytes))
        row = i64(self.row * self.bytes)
        with f.loop(i64(0), count, step, trips=True) as part:
            k = part.index
            some = f.intrinsic("llvm.smin", f.sub(count, k), i64(step))
            panel = f.gep("i8", memory["panel"], f.mul(k, i64(t.features * self.bytes)))
            positions = f.gep("i64", memory["positions"], k)
            keep = f.cast("zext", f.or_(old, f.icmp("ne", k, i64(0))), "i64")
            with f.loop(i64(0), i64(p.depth), t.entries, trips=True) as loop:
                e = loop.index
                entries = f.intrinsic("llvm.smin", f.sub(i64(p.depth), e), i64(t.entries))
                offsets, result = f.gep("i64", table, e), f.gep("i8", partial, f.mul(e, row))
                args = [source, offsets, entries, positions, some, panel, result, row, keep]
                f.call(kernel, "void", args)


def _sizes() -> list[tuple[int, int]]:
    """Entries and vectors whose sums, with a row of the panel and one more, fit the registers."""
    return [
        (entries, vectors)
        for vectors in range(1, 5)
        for entries in range(1, 9)
        if entries * vectors + vectors + 1 < host().registers
    ]


# The kernel

_PARAMS = ["ptr", "ptr", "i64", "ptr", "i64", "ptr", "ptr", "i64", "i64"]


def gradient_kernel(m: Module, scalar: str, t: Tile) -> str:
    """kernel(x, offsets of entries, entries, offsets of positions, positions, panel, result, row, keep) for a tile.

    The sums are added to the results, or set them where `keep` is 0.
    """
    name = f"conv_gradient_{scalar}_{t.entries}x{t.vectors}"
    if name not in m.functions:
        _emit_kernel(m.function(name, "void", _PARAMS, attrs="nounwind"), scalar, t)
    return name


def _emit_kernel(f: Function, scalar: str, t: Tile) -> None:
    x, offsets, entries, positions, count, panel, result, row, keep = f.args
    last, kind = f.sub(entries, i64(1)), vector(scalar, t.lanes)
    least = lambda i: f.intrinsic("llvm.smin", i64(i), last) if i else i64(0)
    bases = [f.gep("i8", x, f.load("i64", f.gep("i64", offsets, least(e)))) for e in range(t.entries)]
    zero = const(kind, 0)
    with f.loop(i64(0), count, carry=[zero] * (t.entries * t.vectors), trips=True) as loop:
        at = f.load("i64", f.gep("i64", positions, loop.index))
        line = f.gep(kind, panel, f.mul(loop.index, i64(t.vectors)))
        ys = [f.load(kind, f.gep(kind, line, i64(v))) for v in range(t.vectors)]
        sums = list(loop.carry)
        for e, base in enumerate(bases):
            value = f.splat(f.load(scalar, f.gep("i8", base, at)), t.lanes)
            for v in range(t.vectors):
                sums[e * t.vectors + v] = f.fma(value, ys[v], sums[e * t.vectors + v])
        loop.next(*sums)
    _add(f, loop.results, t, entries, result, row, keep)
    f.ret()


def _add(
    f: Function, sums: list[Value], t: Tile, entries: Value, result: Value, row: Value, keep: Value
) -> None:
    kind = sums[0].type
    mask = f.splat(f.icmp("ne", keep, i64(0)), t.lanes)
    for e in range(t.entries):
        with f.when(f.icmp("sgt", entries, i64(e))):
            for v in range(t.vectors):
                place = f.gep(kind, result, i64(v))
                before = f.masked_load(kind, place, mask, const(kind, 0.0))
                f.store(f.fadd(before, sums[e * t.vectors + v]), place)
        result = f.gep("i8", result, row)
