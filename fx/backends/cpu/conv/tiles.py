"""The kernel of `forward`: features by vectors of neighbouring results stay in registers over all taps.

    tile(x, offsets, depth, panel, y, step, features, pieces, count, apart)

x at the offsets of a piece and of a tap are the results' elements; the panel has the weights, `features` for every
tap. Results go to y at the offsets of the pieces, `step` bytes from feature to feature, neighbours `apart` elements
from each other. Kernels for all tiles are functions of libraries, each compiled when first needed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

from ..engine import host
from ..llvm import Function, Module, Value, const, const_vector, i64, vector
from ..operations.library import Library, Signature, call as call_library
from .boxes import ENTRY
from .numbers import Numbers

_FEATURES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16)
MOST_FEATURES = _FEATURES[-1]


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


def sizes(pieces: int) -> list[tuple[int, int]]:
    """Features and vectors whose sums, with what they are made of, fit the registers."""
    registers = host().registers
    return [
        (features, vectors)
        for vectors in range(1, 9 if pieces == 1 else 1 + 6 // pieces)
        for features in _FEATURES
        if features * vectors + vectors + 1 <= registers
    ]


def call_tile(f: Function, numbers: Numbers, t: Tile, spread: bool, args: Sequence[Value]) -> None:
    """All pieces for one tile of features; `spread` where neighbours are not side by side in y."""
    name = _name(numbers, t, spread)
    if numbers.memory == numbers.scalar:
        call_library(f, name, args)
        return
    if name not in f.module.functions:
        _Kernel(f.module.function(name, "void", _PARAMS, attrs="nounwind"), numbers, t, spread).emit()
    f.call(name, "void", args)


_PARAMS = ("ptr", "ptr", "i64", "ptr", "ptr", "i64", "i64", "ptr", "i64", "i64")


def _name(numbers: Numbers, t: Tile, spread: bool) -> str:
    kind = f"{'_masked' if t.masked else ''}{'_spread' if spread else ''}"
    return f"fx_conv_tile_{numbers.memory}_{t.features}x{t.vectors}_{t.pieces}{kind}"


class _Kernel:
    def __init__(self, f: Function, numbers: Numbers, t: Tile, spread: bool):
        self.f, self.numbers, self.t, self.spread = f, numbers, t, spread
        self.type = vector(numbers.scalar, t.piece)

    def emit(self) -> None:
        f, t = self.f, self.t
        x, offsets, depth, panel, y, step, rows, pieces, number, apart = f.args
        with f.loop(i64(0), number, t.group, trips=True) as loop:
            here = f.gep("i8", pieces, f.mul(loop.index, i64(ENTRY)))
            self._tile(x, offsets, depth, panel, y, step, rows, here, apart)
        f.ret()

    def _tile(
        self, x: Value, offsets: Value, depth: Value, panel: Value, y: Value, step: Value, rows: Value, pieces: Value,
        apart: Value,
    ) -> None:  # fmt: skip
        """The results of one tile."""
        f, t = self.f, self.t
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
                weight = f.splat(
                    f.load(self.numbers.scalar, f.gep(self.numbers.scalar, line, i64(m))), t.lanes
                )
                for v in range(t.vectors):
                    sums[m * t.vectors + v] = f.fma(weight, vectors[v], sums[m * t.vectors + v])
            loop.next(*sums)
        self.apart = apart
        places = [(e[1], e[2], m) for e, m in zip(entries, reach, strict=True)]
        self._store(loop.results, y, step, rows, places)

    def _entry(self, pieces: Value, i: int) -> list[Value]:
        at = self.f.gep("i8", pieces, i64(i * ENTRY))
        return [self.f.load("i64", self.f.gep("i64", at, i64(j))) for j in range(3)]

    def _vectors(self, bases: list[Value], at: Value, masks: Sequence[Value | None]) -> list[Value]:
        f, t = self.f, self.t
        found = []
        for base, mask in zip(bases, masks, strict=True):
            p = f.gep("i8", base, at)
            found.append(
                f.load(self.type, p)
                if mask is None
                else f.masked_load(self.type, p, mask, const(self.type, 0))
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

        if self.spread:
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
        """Neighbouring results, in y some elements apart."""
        f, numbers = self.f, self.numbers
        if not self.spread:
            numbers.store(f, x, place, i64(0), reach and reach[1])
            return
        f.choose(
            f.icmp("eq", self.apart, i64(2)),
            lambda: self._every_other(x, place, reach[0]),
            lambda: self._one_by_one(x, place, reach[0]),
        )

    def _every_other(self, x: Value, place: Value, count: Value) -> list[Value]:
        f, lanes = self.f, self.t.piece
        for c in range(2):
            spread = [(c * lanes + i) // 2 for i in range(lanes)]
            here = const_vector("i1", [(c * lanes + i) % 2 == 0 for i in range(lanes)])
            there = f.tail_mask(f.sub(f.mul(count, i64(2)), i64(c * lanes)), lanes)
            self.numbers.store(f, f.shuffle(x, None, spread), place, i64(c * lanes), f.and_(here, there))
        return []

    def _one_by_one(self, x: Value, place: Value, count: Value) -> list[Value]:
        f, numbers = self.f, self.numbers
        buffer = f.alloca(numbers.scalar, self.t.piece)
        f.store(x, buffer)
        with f.loop(i64(0), count) as loop:
            value = f.load(numbers.scalar, f.gep(numbers.scalar, buffer, loop.index))
            numbers.store(f, value, place, f.mul(loop.index, self.apart))
        return []


def joined_pieces(f: Function, pieces: list[Value]) -> Value:
    """One vector of several."""
    while len(pieces) > 1:
        lanes = int(pieces[0].type[1:].split(" ")[0])
        pieces = [f.shuffle(x, y, range(2 * lanes)) for x, y in zip(pieces[::2], pieces[1::2], strict=True)]
    return pieces[0]


def _write(m: Module, numbers: Numbers, t: Tile, spread: bool) -> None:
    name = _name(numbers, t, spread)
    _Kernel(_LIBRARIES[name].define(m, name), numbers, t, spread).emit()


def _libraries(numbers: Numbers) -> dict[str, Library]:
    found = {}
    for pieces in (1, 2, 4):
        for features, vectors in sizes(pieces):
            for masked in (False, True):
                t = Tile(features, vectors, pieces, numbers.lanes, masked)
                for spread in (False, True):
                    name = _name(numbers, t, spread)
                    write = functools.partial(_write, numbers=numbers, t=t, spread=spread)
                    found[name] = Library({name: Signature("void", _PARAMS)}, write)
    return found


_LIBRARIES = {
    name: library for dtype in ("float32", "float64") for name, library in _libraries(Numbers(dtype)).items()
}
