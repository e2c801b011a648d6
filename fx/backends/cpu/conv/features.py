"""Direct convolution with vectors of features: as quick for rows of any length, but the result is made transposed.

The sums of a box of results, (result, feature), are those of `sums`: an entry is a result, a step a tap of a
channel, the panel is what w has for a tile of features. Then they are turned into the rows of y, or copied where y has
its features side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..llvm import Function, Value, const, i64, vector
from ..operations.operation import Buffer
from ..operations.tasks import parallel, parallel_ranges
from .boxes import Boxes, grown
from .forward import COPY_BYTES, TASK_PRODUCTS, TASKS, emit_offsets
from .geometry import Part
from .nests import emit_places
from .numbers import Numbers
from .planes import Copy, in_place, source
from .sums import MOST_VECTORS, best_tile, emit_sums, speed
from .turning import emit_panel, emit_rows, joined

_POSITIONS = 384
_FEW_POSITIONS = 96
"""A box of so few is not made smaller to have more tasks."""


def possible(part: Part, numbers: Numbers) -> bool:
    """Whether there are features enough for vectors, and results or features lie side by side."""
    enough = part.features.count >= numbers.lanes // 2
    return enough and numbers.memory == numbers.scalar and 1 in (part.axes[-1].y, part.features.y)


class Features:
    """Plan and emission of y for one part."""

    def __init__(self, part: Part, x: Buffer, y: Buffer):
        self.part, self.numbers = part, Numbers(y.dtype)
        scalar = self.numbers.scalar
        self.bytes = 4 if scalar == "float" else 8
        self.direct = all(a.inside for a in part.axes)
        self.boxes = Boxes(part.axes, grown(part.axes, self._fits))
        self.positions = self.boxes.pieces(1)
        self.copy = Copy(part.axes, self.boxes.extents, self.numbers.lanes, planes=False)
        self.places = in_place(part) if self.direct else self.copy.places
        self.tile = best_tile(scalar, self.positions, part.features.count)
        self.tiles = -(-part.features.count // self.tile.columns)
        self.shares = self._shares()
        self.table_bytes = -(-part.depth * 8 // 64) * 64
        self.panel_bytes = (part.depth + self.tile.lanes) * self.tile.row
        """A panel and what `turn` overwrites behind it."""

    def _fits(self, box: Sequence[int]) -> bool:
        p, positions = self.part, Boxes(self.part.axes, box).pieces(1)
        elements = 0 if self.direct else Copy(p.axes, box, 16, planes=False).elements(p.channels.count)
        shared = Boxes(p.axes, box).count * p.groups.count >= TASKS or positions <= _FEW_POSITIONS
        return positions == 1 or (elements * self.bytes <= COPY_BYTES and positions <= _POSITIONS and shared)

    def _shares(self) -> int:
        """Tasks that a box is divided among, tiles of features apart."""
        products = self.part.results * self.part.depth
        wanted = min(TASKS, max(1, products // TASK_PRODUCTS))
        per = -(-self.tiles // min(self.tiles, -(-wanted // (self.boxes.count * self.part.groups.count))))
        return -(-self.tiles // per)

    @property
    def speed(self) -> float:
        """Useful products a cycle; to turn a result costs as much as some products."""
        depth = self.part.depth
        useful = speed(self.tile, self.positions, self.part.features.count) * depth / (depth + 24) * 0.93
        return useful * self.part.share_beside(self.positions, self.tile.lanes, self.copy_cycles)

    @property
    def copy_cycles(self) -> float:
        return 0 if self.direct else self.copy.cycles(self.part.channels.count)

    @property
    def stack(self) -> int:
        """Bytes of the copies."""
        return 0 if self.direct else self.copy.elements(self.part.channels.count) * self.bytes

    @property
    def scratch(self) -> int:
        """Bytes for the offsets of the taps and the packed weights, whatever the strides."""
        p, lanes = self.part, self.tile.lanes
        columns = p.features.count + MOST_VECTORS * lanes - 1
        return self.table_bytes + p.groups.count * columns * (p.depth + lanes) * self.bytes

    def emit(self, f: Function, x: Value, w: Value, y: Value, scratch: Value) -> None:
        p = self.part
        table, panels = scratch, f.gep("i8", scratch, i64(self.table_bytes))
        emit_offsets(f, table, p.channels.count, self.places, self.bytes)
        per = max(1, (1 << 14) // (p.depth * self.tile.columns))
        parallel_ranges(f, "conv_pack", [w, panels], p.groups.count * self.tiles, per, self._pack)
        tasks = p.groups.count * self.boxes.count * self.shares
        parallel(f, "conv_features", [x, table, panels, y], tasks, self._task)

    # Weights

    def _pack(self, f: Function, values: list[Value], start: Value, stop: Value) -> None:
        """Panels (group, tile; channel and tap, feature)."""
        (w, panels), p, t = values, self.part, self.tile
        with f.loop(start, stop) as loop:
            group, tile = f.udiv(loop.index, i64(self.tiles)), f.urem(loop.index, i64(self.tiles))
            panel = f.gep("i8", panels, f.mul(loop.index, i64(self.panel_bytes)))
            first = f.mul(tile, i64(t.columns))
            at = f.add(f.add(i64(p.w), f.mul(group, i64(p.groups.w))), f.mul(first, i64(p.features.w)))
            lines = f.intrinsic("llvm.smin", f.sub(i64(p.features.count), first), i64(t.columns))
            axes = [(p.channels.count, p.channels.w), *[(a.window, a.w) for a in p.axes if a.window > 1]]
            here = f.gep(t.scalar, w, at)
            emit_panel(f, t.scalar, here, p.features.w, lines, joined(axes), panel, t.columns)

    # One task: a box of results, for some tiles of features

    def _task(self, f: Function, values: list[Value], index: Value) -> None:
        (x, table, panels, y), p, t = values, self.part, self.tile
        share, index = f.urem(index, i64(self.shares)), f.udiv(index, i64(self.shares))
        group, number = f.udiv(index, i64(self.boxes.count)), f.urem(index, i64(self.boxes.count))
        starts, extents = self.boxes.at(f, number)
        y_at = f.add(f.mul(group, i64(p.groups.y)), i64(p.y))
        for a, start in zip(p.axes, starts, strict=True):
            y_at = f.add(y_at, f.mul(start, i64(a.y)))
        y = f.gep(self.numbers.scalar, y, y_at)
        copy = None if self.direct else self.copy
        x = source(f, self.numbers, p, copy, x, f.mul(group, i64(p.groups.x)), starts, extents)
        places = f.alloca("i64", self.positions)
        count = emit_places(f, places, extents, [s * self.bytes for s in self.places.steps])
        sums = f.alloca("i8", self.positions * t.row)
        panels = f.gep("i8", panels, f.mul(group, i64(self.tiles * self.panel_bytes)))
        per = -(-self.tiles // self.shares)
        start = f.mul(share, i64(per))
        with f.loop(start, f.intrinsic("llvm.smin", f.add(start, i64(per)), i64(self.tiles))) as loop:
            panel = f.gep("i8", panels, f.mul(loop.index, i64(self.panel_bytes)))
            no = const("i1", 0)
            emit_sums(f, t, x, (places, count), (table, i64(p.depth)), panel, sums, t.row, no)
            self._rows(f, sums, y, f.mul(loop.index, i64(t.columns)), extents)

    def _rows(self, f: Function, sums: Value, y: Value, first: Value, extents: list[Value]) -> None:
        """The sums of a tile of features to their rows in y."""
        p, t = self.part, self.tile
        count = f.intrinsic("llvm.smin", f.sub(i64(p.features.count), first), i64(t.columns))
        y = f.gep(t.scalar, y, f.mul(first, i64(p.features.y)))
        if p.axes[-1].y != 1:
            self._copy_rows(f, sums, y, count, list(zip(extents, [a.y for a in p.axes], strict=True)))
            return
        axes = joined(list(zip(extents, [a.y for a in p.axes], strict=True)), f)
        emit_rows(f, t.scalar, sums, t.columns, count, *map(list, zip(*axes, strict=True)), y, p.features.y)

    def _copy_rows(
        self, f: Function, sums: Value, y: Value, count: Value, axes: Sequence[tuple[Value, int]]
    ) -> Value:
        """The first `count` features of every result to y; gives where the next sums stand."""
        t, (extent, step) = self.tile, axes[0]
        with f.loop(i64(0), extent, carry=[sums, y]) as loop:
            sums, y = loop.carry
            if len(axes) > 1:
                following = self._copy_rows(f, sums, y, count, axes[1:])
            else:
                self._copy_row(f, sums, y, count)
                following = f.gep("i8", sums, i64(t.row))
            loop.next(following, f.gep(t.scalar, y, i64(step)))
        return loop.results[0]

    def _copy_row(self, f: Function, sums: Value, y: Value, count: Value) -> None:
        kind, lanes = vector(self.tile.scalar, self.tile.lanes), self.tile.lanes
        for v in range(self.tile.vectors):
            left = f.intrinsic("llvm.smax", f.sub(count, i64(v * lanes)), i64(0))
            x = f.load(kind, f.gep(kind, sums, i64(v)))
            f.masked_store(x, f.gep(kind, y, i64(v)), f.tail_mask(left, lanes))
