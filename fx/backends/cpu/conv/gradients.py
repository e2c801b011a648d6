"""Convolutions whose window is large and whose results are few: above all the gradient with respect to the weights.

    result[o, c, q] = sum over n, k of w[o, n, k] * x[c, n, q, k]

A product of `sums`: the entries are (c, q), the steps the positions (n, k), and the panel is w transposed, so that
for every position the features o stand side by side. The long sum is cut into chunks that the shape alone decides;
`partials` adds them up.

All is said in terms of the turned part: `y` is the operand w, the result has the steps `w`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..llvm import NULL, Function, Value, i64
from ..operations.operation import Buffer
from ..operations.tasks import parallel
from .boxes import Boxes, grown
from .dots import entry_axes
from .forward import COPY_BYTES, TASK_PRODUCTS, TASKS, emit_offsets
from .geometry import Axis, Part
from .nests import emit_places
from .numbers import Numbers
from .partials import Moved, Partials
from .planes import Copy, in_place, source
from .sums import best_tile, emit_sums
from .turning import emit_panel, joined

_POSITIONS = 1024
_PARTIAL_BYTES = 16 << 20
"""Most memory of the partial results."""


class Gradient:
    """Plan and emission of the results of one turned part."""

    def __init__(self, part: Part, x: Buffer, y: Buffer):
        self.part = part
        self.numbers = Numbers(y.dtype)
        self.bytes = 4 if self.numbers.scalar == "float" else 8
        near = part.axes[-1].y == 1 or part.features.y == 1
        self.plain = near and self.numbers.memory == self.numbers.scalar
        """The other operand can be transposed from where it lies."""
        self.direct = all(a.inside for a in part.axes) and self.numbers.memory == self.numbers.scalar
        self.tile = best_tile(self.numbers.scalar, part.depth, part.features.count)
        self.tiles = -(-part.features.count // self.tile.columns)
        self.boxes = Boxes(part.axes, grown(part.axes, self._fits))
        self.copy = Copy(part.axes, self.boxes.extents, self.numbers.lanes, planes=False)
        self.y_copy = self._y_copy(self.boxes.extents)
        self.places = in_place(part) if self.direct else self.copy.places
        self.row = self.tiles * self.tile.columns
        """Features of the partial results, with those that only fill up vectors."""
        self.size = part.groups.count * part.depth * self.row
        per = -(-self.boxes.count // min(self.boxes.count, self._most_chunks()))
        self.chunks = -(-self.boxes.count // per)
        self.table_bytes = -(-part.depth * 8 // 64) * 64

    def _fits(self, box: Sequence[int]) -> bool:
        positions = 1
        for n in box:
            positions *= n
        elements = (
            0
            if self.direct
            else Copy(self.part.axes, box, 16, planes=False).elements(self.part.channels.count)
        )
        elements += 0 if self.plain else self._y_copy(box).elements(self.tile.columns)
        return positions == 1 or (elements * self.bytes <= COPY_BYTES and positions <= _POSITIONS)

    def _y_copy(self, box: Sequence[int]) -> Copy:
        """Layout of a copy of the other operand, which nothing slides over."""
        axes = [Axis(a.count, a.count, 1, 1, 1, 0, a.y, 0, 0) for a in self.part.axes]
        return Copy(axes, box, self.numbers.lanes)

    def _most_chunks(self) -> int:
        share = self.part.groups.count * self.tiles
        room = max(1, _PARTIAL_BYTES // (self.size * self.bytes))
        work = max(1, self.size * self.part.positions // TASK_PRODUCTS // share)
        return min(-(-TASKS // share), room, work)

    @property
    def stack(self) -> int:
        """Bytes of the copies."""
        own = 0 if self.direct else self.copy.elements(self.part.channels.count)
        return (own + (0 if self.plain else self.y_copy.elements(self.tile.columns))) * self.bytes

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
        axes = [
            Moved(p.groups.count, p.depth * self.row, p.groups.w),
            Moved(p.features.count, 1, p.features.w),
        ]
        axes += entry_axes(p, self.row)
        Partials(self.numbers, self.chunks, self.size).emit(f, partial, result, p.w, axes)

    # One task: a chunk of the sum, for a tile of features of a group

    def _task(self, f: Function, values: list[Value], index: Value) -> None:
        x, y, table, partial = values
        p, t = self.part, self.tile
        chunk, index = f.urem(index, i64(self.chunks)), f.udiv(index, i64(self.chunks))
        tile, group = f.urem(index, i64(self.tiles)), f.udiv(index, i64(self.tiles))
        first = f.mul(tile, i64(t.columns))
        lines = f.intrinsic("llvm.smin", f.sub(i64(p.features.count), first), i64(t.columns))
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
            "x": NULL,
            "positions": f.alloca("i64", positions),
            "panel": f.alloca("i8", (positions + t.lanes) * t.columns * self.bytes),
        }
        if not self.direct:
            found["x"] = f.alloca("i8", self.copy.elements(self.part.channels.count) * self.bytes)
        if not self.plain:
            found["y"] = f.alloca("i8", self.y_copy.elements(t.columns) * self.bytes)
        return found

    def _box(
        self, f: Function, number: Value, x: tuple[Value, Value], y: tuple[Value, Value], lines: Value, table: Value,
        partial: Value, old: Value, memory: dict[str, Value],
    ) -> None:  # fmt: skip
        p, t = self.part, self.tile
        starts, extents = self.boxes.at(f, number)
        copy = None if self.direct else self.copy
        found = source(f, self.numbers, p, copy, *x, starts, extents, memory=memory["x"])
        places = memory["positions"]
        count = emit_places(f, places, extents, [s * self.bytes for s in self.places.steps])
        self._panel(f, *y, lines, starts, extents, memory)
        entries, row = (table, i64(p.depth)), self.row * self.bytes
        emit_sums(f, t, found, entries, (places, count), memory["panel"], partial, row, old)

    def _panel(
        self, f: Function, y: Value, y_at: Value, lines: Value, starts: list[Value], extents: list[Value],
        memory: dict[str, Value],
    ) -> None:  # fmt: skip
        """The panel (position, feature) of a tile of features."""
        p, size = self.part, self.numbers.bytes
        if self.plain:
            for a, start in zip(p.axes, starts, strict=True):
                y_at = f.add(y_at, f.mul(start, i64(a.y)))
            place, steps, wide = f.gep("i8", y, f.mul(y_at, i64(size))), [a.y for a in p.axes], p.features.y
        else:
            place, y = memory["y"], f.gep("i8", y, f.mul(y_at, i64(size)))
            self.y_copy.emit(f, self.numbers, y, place, lines, p.features.y, starts, extents)
            steps, wide = self.y_copy.places.steps, self.y_copy.places.channel
        axes = joined(list(zip(extents, steps, strict=True)), f)
        emit_panel(f, self.tile.scalar, place, wide, lines, axes, memory["panel"], self.tile.columns)
