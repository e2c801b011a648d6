"""Direct convolution: tiles of features by vectors of neighbouring results stay in registers over all taps.

Weights are packed once in the order in which the kernel takes them; every task copies what its box of results
reads, if it cannot read it in place, and goes through the tiles. (The scheme of a packed matrix product, with an
offset for every tap where the other operand's panel would be.)
"""

from __future__ import annotations

from collections.abc import Sequence

from ..llvm import Function, Value, i64
from ..operations.operation import Buffer
from ..operations.tasks import parallel, parallel_ranges
from .boxes import ENTRY, Boxes, grown
from .filling import numbers_table
from .geometry import Part
from .nests import emit_pieces, gather
from .numbers import Numbers
from .planes import Copy, Places, in_place, readable, source
from .tiles import MOST_FEATURES, Tile, call_tile, sizes
from .turning import joined

COPY_BYTES = 512 << 10
"""Most memory of a copy; it lies on the stack of its thread, and should stay in its second-level cache."""
_PIECES = 512
_FEW_PIECES = 32
"""A box of so few is not made smaller to have more tasks."""
TASKS = 16
TASK_PRODUCTS = 1 << 18
"""Work that is worth a task of its own."""


class Forward:
    """Plan and emission of y for one part."""

    def __init__(self, part: Part, x: Buffer, y: Buffer):
        self.part, self.x, self.y = part, x, y
        self.numbers = Numbers(y.dtype)
        self.bytes = 4 if self.numbers.scalar == "float" else 8
        self.direct = readable(part, self.numbers)
        self.boxes = Boxes(part.axes, grown(part.axes, self._fits))
        self.copy = Copy(part.axes, self.boxes.extents, self.numbers.lanes)
        self.places: Places = in_place(part) if self.direct else self.copy.places
        self.tile = self._tile()
        self.tiles = -(-part.features.count // self.tile.features)
        self.shares = self._shares()
        self.groups = -(-part.groups.count // max(1, TASKS // (self.boxes.count * self.shares)))
        """Groups to a task."""
        self.table_bytes = -(-part.depth * 8 // 64) * 64

    def _fits(self, box: Sequence[int]) -> bool:
        lanes, p = self.numbers.lanes, self.part
        boxes = Boxes(p.axes, box)
        pieces = boxes.pieces(lanes)
        small = self.direct or Copy(p.axes, box, lanes).elements(p.channels.count) * self.bytes <= COPY_BYTES
        shared = boxes.count * p.groups.count >= TASKS or pieces <= _FEW_PIECES
        return pieces <= 1 or (small and pieces <= _PIECES and shared)

    def _tile(self) -> Tile:
        lanes, width = self.numbers.lanes, self.boxes.extents[-1]
        pieces = 1
        while pieces < 4 and lanes // pieces // 2 >= max(2, width):
            pieces *= 2
        masked = self.direct and (width % (lanes // pieces) != 0 or pieces > 1 or self._uneven())
        count = -(-self.boxes.pieces(lanes // pieces) // pieces)
        return max(
            (Tile(*size, pieces, lanes, masked) for size in sizes(pieces)),
            key=lambda t: self._speed(t, count),
        )

    def _uneven(self) -> bool:
        return self.part.axes[-1].count % self.boxes.extents[-1] != 0

    def _speed(self, t: Tile, vectors: int) -> float:
        """Useful products per cycle, for two FMAs and two loads a cycle: unaligned loads count twice.

        A tile takes its part of x from the second-level cache anew, a line for every vector, but once for all taps.
        """
        features = self.part.features.count
        useful = features / (-(-features // t.features) * t.features)
        useful *= vectors / (-(-vectors // t.vectors) * t.vectors)
        products = t.features * t.vectors
        loads = t.features + (2 if t.pieces == 1 else t.pieces) * t.vectors + 1
        far = 2.5 * t.vectors / self.part.taps
        return useful * products / (max(products, loads) / 2 + min(products, loads) / 8 + far)

    def _shares(self) -> int:
        """Tasks that a box is divided among, features apart."""
        products = self.part.results * self.part.depth
        wanted = min(TASKS, max(1, products // TASK_PRODUCTS))
        per = -(-self.tiles // min(self.tiles, -(-wanted // (self.boxes.count * self.part.groups.count))))
        return -(-self.tiles // per)

    @property
    def speed(self) -> float:
        """Useful products a cycle, the ends of rows counted."""
        width, piece = self.boxes.extents[-1], self.tile.piece
        vectors = -(-self.boxes.pieces(piece) // self.tile.pieces)
        useful = self._speed(self.tile, vectors) * width / (-(-width // piece) * piece)
        cycles = 0 if self.direct else self.copy.cycles(self.part.channels.count)
        return useful * self.part.share_beside(self.boxes.pieces(1), self.numbers.lanes, cycles)

    @property
    def stack(self) -> int:
        """Bytes of the copies."""
        return 0 if self.direct else self.copy.elements(self.part.channels.count) * self.bytes

    @property
    def scratch(self) -> int:
        """Bytes for the offsets of the taps and the packed weights, whatever the strides."""
        p = self.part
        return (
            self.table_bytes + p.groups.count * (p.features.count + MOST_FEATURES - 1) * p.depth * self.bytes
        )

    def emit(self, f: Function, x: Value, w: Value, y: Value, scratch: Value) -> None:
        table, panels = scratch, f.gep("i8", scratch, i64(self.table_bytes))
        self._fill_table(f, table)
        self._pack(f, w, panels)
        tasks = -(-self.part.groups.count // self.groups) * self.boxes.count * self.shares
        parallel(f, "conv_forward", [x, table, panels, y], tasks, self._task)

    def _fill_table(self, f: Function, table: Value) -> None:
        """Byte offsets in the order of the packed weights: channels, then taps."""
        emit_offsets(f, table, self.part.channels.count, self.places, self.bytes)

    def _pack(self, f: Function, w: Value, panels: Value) -> None:
        """Panels (group, tile of features, channel and tap, feature); features that are missing repeat the last."""
        p, rows = self.part, self.tile.features
        per = max(1, (1 << 14) // (p.depth * rows))

        def work(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            w, panels = values
            with g.loop(start, stop) as loop:
                group, tile = g.udiv(loop.index, i64(self.tiles)), g.urem(loop.index, i64(self.tiles))
                first = g.add(g.mul(group, i64(p.groups.w)), i64(p.w))
                panel = g.gep("i8", panels, g.mul(loop.index, i64(p.depth * rows * self.bytes)))
                with g.loop(i64(0), i64(rows), trips=True) as row:
                    o = g.add(g.mul(tile, i64(rows)), row.index)
                    o = g.intrinsic("llvm.smin", o, i64(p.features.count - 1))
                    line = g.add(first, g.mul(o, i64(p.features.w)))
                    self._pack_line(g, w, line, g.gep(self.numbers.scalar, panel, row.index))

        parallel_ranges(f, "conv_pack", [w, panels], p.groups.count * self.tiles, per, work)

    def _pack_line(self, f: Function, w: Value, line: Value, place: Value) -> None:
        """The weights of one feature, channel after channel, at every `features`-th place of the panel."""
        axes = [(self.part.channels.count, self.part.channels.w)]
        axes = joined(axes + [(a.window, a.w) for a in self.part.axes if a.window > 1])
        numbers = self.numbers
        gather(f, numbers, numbers.at(f, w, line), place, axes, self.tile.features)

    def _task(self, f: Function, values: list[Value], index: Value) -> None:
        """A share of a box, for some groups: its pieces are the same for all of them."""
        x, table, panels, y = values
        p, t = self.part, self.tile
        share, index = f.urem(index, i64(self.shares)), f.udiv(index, i64(self.shares))
        block, number = f.udiv(index, i64(self.boxes.count)), f.urem(index, i64(self.boxes.count))
        starts, extents = self.boxes.at(f, number)
        y_at = i64(p.y)
        for a, start in zip(p.axes, starts, strict=True):
            y_at = f.add(y_at, f.mul(start, i64(a.y)))
        pieces = f.alloca("i8", (self.boxes.pieces(t.piece) + t.group) * ENTRY)
        steps = [s * self.bytes for s in self.places.steps], [a.y * self.numbers.bytes for a in p.axes]
        count = emit_pieces(f, pieces, t.piece, extents, *steps, t.group)
        with f.loop(*self._groups(f, block), trips=True) as loop:
            found = self._source(f, x, f.mul(loop.index, i64(p.groups.x)), starts, extents)
            target = self.numbers.at(f, y, f.add(y_at, f.mul(loop.index, i64(p.groups.y))))
            at = f.mul(loop.index, i64(self.tiles * p.depth * t.features * self.bytes))
            self._tiles(f, share, found, table, f.gep("i8", panels, at), target, pieces, count)

    def _groups(self, f: Function, block: Value) -> tuple[Value, Value]:
        start = f.mul(block, i64(self.groups))
        return start, f.intrinsic("llvm.smin", f.add(start, i64(self.groups)), i64(self.part.groups.count))

    def _source(self, f: Function, x: Value, at: Value, starts: list[Value], extents: list[Value]) -> Value:
        return source(f, self.numbers, self.part, None if self.direct else self.copy, x, at, starts, extents)

    def _tiles(
        self, f: Function, share: Value, source: Value, table: Value, panels: Value, y: Value, pieces: Value,
        count: Value,
    ) -> None:  # fmt: skip
        p, t = self.part, self.tile
        y_step = i64(p.features.y * self.numbers.bytes)
        per = -(-self.tiles // self.shares)
        start = f.mul(share, i64(per))
        stop = f.intrinsic("llvm.smin", f.add(start, i64(per)), i64(self.tiles))
        with f.loop(start, stop, trips=True) as tile:
            panel = f.gep("i8", panels, f.mul(tile.index, i64(p.depth * t.features * self.bytes)))
            first = f.mul(tile.index, i64(t.features))
            rows = f.intrinsic("llvm.smin", f.sub(i64(p.features.count), first), i64(t.features))
            y_row = f.gep("i8", y, f.mul(first, y_step))
            args = [source, table, i64(p.depth), panel, y_row, y_step, rows, pieces, count, i64(p.axes[-1].y)]
            call_tile(f, self.numbers, t, p.axes[-1].y != 1, args)


def emit_offsets(f: Function, table: Value, channels: int, places: Places, nbytes: int) -> None:
    """Byte offsets of the taps of one channel after the other."""
    taps = numbers_table(f, [t * nbytes for t in places.taps])
    count = len(places.taps)
    with f.loop(i64(0), i64(channels), trips=True) as loop:
        first = f.mul(loop.index, i64(places.channel * nbytes))
        at = f.gep("i64", table, f.mul(loop.index, i64(count)))
        with f.loop(i64(0), i64(count), trips=True) as tap:
            f.store(f.add(first, f.load("i64", f.gep("i64", taps, tap.index))), f.gep("i64", at, tap.index))
