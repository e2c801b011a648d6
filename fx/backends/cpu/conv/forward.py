"""Direct convolution: tiles of features by vectors of neighbouring results stay in registers over all taps.

Weights are packed once in the order in which the kernel takes them; every task copies what its box of results
reads, if it cannot read it in place, and goes through the tiles. (The scheme of a packed matrix product, with an
offset for every tap where the other operand's panel would be.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..engine import host
from ..llvm import Function, Module, Value, const, const_vector, i64, vector
from ..operations.operation import Buffer
from ..operations.tasks import parallel, parallel_ranges
from .boxes import ENTRY, Boxes, emit_pieces, grown
from .geometry import Part
from .numbers import Numbers
from .planes import Copy, Places, in_place, readable, source

COPY_BYTES = 512 << 10
"""Most memory of a copy; it lies on the stack of its thread, and should stay in its second-level cache."""
_PIECES = 512
_FEW_PIECES = 32
"""A box of so few is not made smaller to have more tasks."""
_MOST_FEATURES = 16
TASKS = 16
TASK_PRODUCTS = 1 << 18
"""Work that is worth a task of its own."""


class Tile(NamedTuple):
    """What the kernel keeps in registers: features, vectors, and how many pieces make a vector."""

    features: int
    vectors: int
    pieces: int
    lanes: int
    masked: bool
    """x may not be read beyond a piece."""

    @property
    def group(self) -> int:
        return self.vectors * self.pieces

    @property
    def piece(self) -> int:
        return self.lanes // self.pieces


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
            (Tile(*size, pieces, lanes, masked) for size in _sizes(pieces)), key=lambda t: self._speed(t, count)
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
        return self._speed(self.tile, vectors) * width / (-(-width // piece) * piece)

    @property
    def scratch(self) -> int:
        """Bytes for the offsets of the taps and the packed weights, whatever the strides."""
        p = self.part
        return self.table_bytes + p.groups.count * (p.features.count + _MOST_FEATURES - 1) * p.depth * self.bytes

    def emit(self, f: Function, x: Value, w: Value, y: Value, scratch: Value) -> None:
        table, panels = scratch, f.gep("i8", scratch, i64(self.table_bytes))
        self._fill_table(f, table)
        self._pack(f, w, panels)
        tasks = self.part.groups.count * self.boxes.count * self.shares
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
        axes += [(a.window, a.w) for a in self.part.axes if a.window > 1]
        step, numbers = i64(self.tile.features), self.numbers

        def along(rest: list[tuple[int, int]], at: Value, place: Value) -> Value:
            if not rest:
                f.store(numbers.load(f, w, at, 1), place)
                return f.gep(numbers.scalar, place, step)
            (count, apart), *others = rest
            with f.loop(i64(0), i64(count), carry=[place], trips=True) as loop:
                loop.next(along(others, f.add(at, f.mul(loop.index, i64(apart))), loop.carry[0]))
            return loop.results[0]

        along(axes, line, place)

    def _task(self, f: Function, values: list[Value], index: Value) -> None:
        x, table, panels, y = values
        p, t = self.part, self.tile
        share, index = f.urem(index, i64(self.shares)), f.udiv(index, i64(self.shares))
        group, number = f.udiv(index, i64(self.boxes.count)), f.urem(index, i64(self.boxes.count))
        starts, extents = self.boxes.at(f, number)
        y_at = f.add(f.mul(group, i64(p.groups.y)), i64(p.y))
        for a, start in zip(p.axes, starts, strict=True):
            y_at = f.add(y_at, f.mul(start, i64(a.y)))
        copy = None if self.direct else self.copy
        found = source(f, self.numbers, p, copy, x, f.mul(group, i64(p.groups.x)), starts, extents)
        y = f.gep("i8", y, f.mul(y_at, i64(self.numbers.bytes)))
        pieces = f.alloca("i8", (self.boxes.pieces(t.piece) + t.group) * ENTRY)
        steps = [s * self.bytes for s in self.places.steps], [a.y * self.numbers.bytes for a in p.axes]
        count = emit_pieces(f, pieces, t.piece, extents, *steps, t.group)
        panels = f.gep("i8", panels, f.mul(group, i64(self.tiles * p.depth * t.features * self.bytes)))
        self._tiles(f, share, found, table, panels, y, pieces, count)

    def _tiles(
        self, f: Function, share: Value, source: Value, table: Value, panels: Value, y: Value, pieces: Value,
        count: Value,
    ) -> None:  # fmt: skip
        p, t = self.part, self.tile
        kernel = forward_kernel(f.module, self.numbers, t, p.axes[-1].y)
        y_step = i64(p.features.y * self.numbers.bytes)
        per = -(-self.tiles // self.shares)
        start = f.mul(share, i64(per))
        stop = f.intrinsic("llvm.smin", f.add(start, i64(per)), i64(self.tiles))
        with f.loop(start, stop, trips=True) as tile:
            panel = f.gep("i8", panels, f.mul(tile.index, i64(p.depth * t.features * self.bytes)))
            first = f.mul(tile.index, i64(t.features))
            rows = f.intrinsic("llvm.smin", f.sub(i64(p.features.count), first), i64(t.features))
            y_row = f.gep("i8", y, f.mul(first, y_step))
            with f.loop(i64(0), count, t.group, trips=True) as loop:
                piece = f.gep("i8", pieces, f.mul(loop.index, i64(ENTRY)))
                f.call(kernel, "void", [source, table, i64(p.depth), panel, y_row, y_step, rows, piece])


def emit_offsets(f: Function, table: Value, channels: int, places: Places, nbytes: int) -> None:
    """Byte offsets of the taps of one channel after the other."""
    taps = [t * nbytes for t in places.taps]
    if len(taps) <= 8:
        with f.loop(i64(0), i64(channels), trips=True) as loop:
            first = f.mul(loop.index, i64(places.channel * nbytes))
            at = f.gep("i64", table, f.mul(loop.index, i64(len(taps))))
            for i, tap in enumerate(taps):
                f.store(f.add(first, i64(tap)), f.gep("i64", at, i64(i)))
        return
    data = _constants(f.module, taps)
    with f.loop(i64(0), i64(channels), trips=True) as loop:
        first = f.mul(loop.index, i64(places.channel * nbytes))
        at = f.gep("i64", table, f.mul(loop.index, i64(len(taps))))
        with f.loop(i64(0), i64(len(taps)), trips=True) as tap:
            f.store(f.add(first, f.load("i64", f.gep("i64", data, tap.index))), f.gep("i64", at, tap.index))


def _constants(m: Module, values: Sequence[int]) -> Value:
    text = ", ".join(f"i64 {v}" for v in values)
    name = f"conv_taps{len(m.globals)}"
    m.globals[name] = f"@{name} = internal constant [{len(values)} x i64] [{text}], align 64"
    return Value(f"@{name}", "ptr")


def _sizes(pieces: int) -> list[tuple[int, int]]:
    """Features and vectors whose sums, with what they are made of, fit the registers."""
    registers = host().registers
    return [
        (features, vectors)
        for vectors in range(1, 9 if pieces == 1 else 1 + 6 // pieces)
        for features in range(1, _MOST_FEATURES + 1)
        if features * vectors + vectors + 1 <= registers
    ]


# The kernel

_PARAMS = ["ptr", "ptr", "i64", "ptr", "ptr", "i64", "i64", "ptr"]


def forward_kernel(m: Module, numbers: Numbers, t: Tile, y_step: int) -> str:
    """kernel(x, offsets, depth, panel, y, bytes from feature to feature, features, pieces) for one tile."""
    name = (
        f"conv_tile_{numbers.memory}_{t.features}x{t.vectors}_{t.pieces}{'m' if t.masked else ''}_{y_step}"
    )
    if name not in m.functions:
        _Kernel(m.function(name, "void", _PARAMS, attrs="nounwind"), numbers, t, y_step).emit()
    return name


class _Kernel:
    def __init__(self, f: Function, numbers: Numbers, t: Tile, y_step: int):
        self.f, self.numbers, self.t, self.y_step = f, numbers, t, y_step
        self.type = vector(numbers.scalar, t.piece)

    def emit(self) -> None:
        f, t = self.f, self.t
        x, offsets, depth, panel, y, step, rows, pieces = f.args
        entries = [self._entry(pieces, i) for i in range(t.group)]
        bases = [f.gep("i8", x, e[0]) for e in entries]
        reach = [f.tail_mask(e[2], t.piece) for e in entries]
        masks = reach if t.masked else [None] * t.group
        zero = const(vector(self.numbers.scalar, t.lanes), 0)
        with f.loop(i64(0), depth, carry=[zero] * (t.features * t.vectors), trips=True) as loop:
            at = f.load("i64", f.gep("i64", offsets, loop.index))
            line = f.gep(vector(self.numbers.scalar, 1), panel, f.mul(loop.index, i64(t.features)))
            vectors = self._vectors(bases, at, masks)
            sums = list(loop.carry)
            for m in range(t.features):
                weight = f.splat(f.load(self.numbers.scalar, f.gep(self.numbers.scalar, line, i64(m))), t.lanes)
                for v in range(t.vectors):
                    sums[m * t.vectors + v] = f.fma(weight, vectors[v], sums[m * t.vectors + v])
            loop.next(*sums)
        self._store(loop.results, y, step, rows, [(e[1], e[2], m) for e, m in zip(entries, reach, strict=True)])
        f.ret()

    def _entry(self, pieces: Value, i: int) -> list[Value]:
        at = self.f.gep("i8", pieces, i64(i * ENTRY))
        return [self.f.load("i64", self.f.gep("i64", at, i64(j))) for j in range(3)]

    def _vectors(self, bases: list[Value], at: Value, masks: Sequence[Value | None]) -> list[Value]:
        f, t = self.f, self.t
        found = []
        for base, mask in zip(bases, masks, strict=True):
            p = f.gep("i8", base, at)
            found.append(
                f.load(self.type, p) if mask is None else f.masked_load(self.type, p, mask, const(self.type, 0))
            )
        return [joined_pieces(f, found[i : i + t.pieces]) for i in range(0, len(found), t.pieces)]

    def _store(
        self, sums: list[Value], y: Value, step: Value, rows: Value, places: list[tuple[Value, Value, Value]]
    ) -> None:
        """Whole tiles from the registers; others by way of a buffer, feature after feature."""
        f, t = self.f, self.t

        def all_of_it() -> list[Value]:
            line = y
            for m in range(t.features):
                self._feature(sums[m * t.vectors : (m + 1) * t.vectors], line, places, True)
                line = f.gep("i8", line, step)
            return []

        def some_of_it() -> list[Value]:
            kind = vector(self.numbers.scalar, t.lanes)
            buffer = f.alloca(kind, len(sums))
            for i, x in enumerate(sums):
                f.store(x, f.gep(kind, buffer, i64(i)))
            with f.loop(i64(0), rows, carry=[y], trips=True) as loop:
                first = f.gep(kind, buffer, f.mul(loop.index, i64(t.vectors)))
                row = [f.load(kind, f.gep(kind, first, i64(v))) for v in range(t.vectors)]
                self._feature(row, loop.carry[0], places, False)
                loop.next(f.gep("i8", loop.carry[0], step))
            return []

        if self.y_step > 1:
            some_of_it()
            return
        whole = f.icmp("eq", rows, i64(t.features))
        for _, count, _ in places:
            whole = f.and_(whole, f.icmp("eq", count, i64(t.piece)))
        f.choose(whole, all_of_it, some_of_it)

    def _feature(
        self, vectors: list[Value], y: Value, places: list[tuple[Value, Value, Value]], whole: bool
    ) -> None:
        f, t = self.f, self.t
        for i, (offset, count, mask) in enumerate(places):
            x, part = vectors[i // t.pieces], i % t.pieces
            lanes = range(part * t.piece, (part + 1) * t.piece)
            piece = x if t.pieces == 1 else f.shuffle(x, None, lanes)
            self._piece(piece, f.gep("i8", y, offset), None if whole else (count, mask))

    def _piece(self, x: Value, place: Value, reach: tuple[Value, Value] | None) -> None:
        """Neighbouring results, y_step elements apart in y."""
        f, lanes, numbers = self.f, self.t.piece, self.numbers
        if self.y_step == 1:
            numbers.store(f, x, place, i64(0), reach and reach[1])
            return
        end = reach[0] if reach else i64(lanes)
        if self.y_step > 4:
            buffer = f.alloca(numbers.scalar, lanes)
            f.store(x, buffer)
            with f.loop(i64(0), end) as loop:
                value = f.load(numbers.scalar, f.gep(numbers.scalar, buffer, loop.index))
                numbers.store(f, value, place, f.mul(loop.index, i64(self.y_step)))
            return
        for c in range(self.y_step):
            spread = [(c * lanes + i) // self.y_step for i in range(lanes)]
            here = const_vector("i1", [(c * lanes + i) % self.y_step == 0 for i in range(lanes)])
            there = f.tail_mask(f.sub(f.mul(end, i64(self.y_step)), i64(c * lanes)), lanes)
            numbers.store(f, f.shuffle(x, None, spread), place, i64(c * lanes), f.and_(here, there))


def joined_pieces(f: Function, pieces: list[Value]) -> Value:
    """One vector of several."""
    while len(pieces) > 1:
        lanes = int(pieces[0].type[1:].split(" ")[0])
        pieces = [f.shuffle(x, y, range(2 * lanes)) for x, y in zip(pieces[::2], pieces[1::2], strict=True)]
    return pieces[0]


