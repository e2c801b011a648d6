"""Vectors of the elements of an array: every stride-th one, inside bounds; several vectors interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine import host
from ..llvm import TYPES, Function, Value, bits_of, const, const_vector, i64, like, vector


class Numbers:
    """Elements of one dtype: their type in memory, and in registers (float where they are narrower)."""

    def __init__(self, dtype: np.dtype[Any] | str):
        name = dtype if isinstance(dtype, str) else dtype.name
        self.memory = TYPES[name]
        self.scalar = "float" if self.memory in ("half", "bfloat") else self.memory
        self.bytes = bits_of(self.memory) // 8
        self.lanes = min(16, host().vector_bytes * 8 // bits_of(self.scalar))
        """Elements of a register."""
        self.unsigned = name[0] in "ub"

    def at(self, f: Function, base: Value, index: Value) -> Value:
        return f.gep(self.memory, base, index)

    def load(self, f: Function, base: Value, index: Value, lanes: int, stride: int = 1) -> Value:
        """Elements index, index + stride, ...; nothing between the first and the last but is read."""
        parts = _chunks(lanes, stride)
        if lanes == 1 or stride == 1:
            return self.widen(f, f.load(vector(self.memory, lanes), self.at(f, base, index)))
        loads = [f.load(vector(self.memory, lanes), self.at(f, base, f.add(index, i64(p)))) for p in parts]
        return self.widen(f, _every(f, loads, parts, lanes, stride))

    def load_inside(
        self,
        f: Function,
        base: Value,
        row: Value,
        first: Value,
        size: int | Value,
        lanes: int,
        stride: int,
        other: Value,
    ) -> Value:
        """Elements first, first + stride, ... of the row of `size` elements at `row`; `other` outside it."""
        if lanes == 1:
            yes = lambda: [self.widen(f, f.load(self.memory, self.at(f, base, f.add(row, first))))]
            return f.choose(inside(f, first, size, 1, 1), yes, lambda: [other])[0]
        parts, loads = _chunks(lanes, stride), []
        fill = self.narrow(f, other)
        for p in parts:
            start = f.add(first, i64(p))
            place = self.at(f, base, f.add(row, start))
            loads.append(
                f.masked_load(vector(self.memory, lanes), place, inside(f, start, size, lanes, 1), fill)
            )
        return self.widen(f, _every(f, loads, parts, lanes, stride))

    def store(self, f: Function, x: Value, base: Value, index: Value, mask: Value | None = None) -> None:
        place = self.at(f, base, index)
        if mask is None:
            f.store(self.narrow(f, x), place)
        else:
            f.masked_store(self.narrow(f, x), place, mask)

    def widen(self, f: Function, x: Value) -> Value:
        if self.memory == "bfloat":
            bits = f.cast("zext", f.bitcast(x, like(x.type, "i16")), like(x.type, "i32"))
            return f.bitcast(f.shl(bits, const(bits.type, 16)), like(x.type, "float"))
        return f.cast("fpext", x, like(x.type, self.scalar)) if self.memory == "half" else x

    def narrow(self, f: Function, x: Value) -> Value:
        if self.memory == "bfloat":
            return _round_bfloat(f, x)
        return f.cast("fptrunc", x, like(x.type, "half")) if self.memory == "half" else x


def _round_bfloat(f: Function, x: Value) -> Value:
    """To the nearest, ties to even, subnormals kept; a NaN stays one."""
    bits = f.bitcast(x, like(x.type, "i32"))
    number = lambda n: const(bits.type, n)
    odd = f.and_(f.lshr(bits, number(16)), number(1))
    rounded = f.lshr(f.add(f.add(bits, odd), number(0x7FFF)), number(16))
    quiet = f.or_(f.lshr(bits, number(16)), number(0x40))
    short = f.select(f.fcmp("uno", x, x), quiet, rounded)
    return f.bitcast(f.cast("trunc", short, like(x.type, "i16")), like(x.type, "bfloat"))


def first_lanes(f: Function, count: Value, lanes: int) -> Value:
    """The mask of the first `count` lanes; there may be fewer or more."""
    count = f.intrinsic("llvm.smax", f.intrinsic("llvm.smin", count, i64(lanes)), i64(0))
    numbers = const_vector("i32", list(range(lanes)))
    return f.icmp("ult", numbers, f.splat(f.cast("trunc", count, "i32"), lanes))


def inside(f: Function, first: Value, size: int | Value, lanes: int, stride: int) -> Value:
    """The lanes of first, first + stride, ... that are in [0, size)."""
    size = i64(size) if isinstance(size, int) else size
    if lanes == 1:
        return f.icmp("ult", first, size)
    steps = const_vector("i32", [i * stride for i in range(lanes)])
    start, end = (f.splat(x, lanes) for x in _near(f, first, size, lanes * stride))
    return f.icmp("ult", f.add(start, steps), end)


def _near(f: Function, first: Value, size: Value, reach: int) -> tuple[Value, Value]:
    """Numbers of 32 bits with the same answer: seen from the place where the vector begins."""
    low = f.intrinsic("llvm.smax", first, i64(-reach))
    low = f.intrinsic("llvm.smin", low, i64(0))
    rest = f.intrinsic("llvm.smin", f.sub(size, f.sub(first, low)), i64(reach))
    rest = f.intrinsic("llvm.smax", rest, i64(0))
    return f.cast("trunc", low, "i32"), f.cast("trunc", rest, "i32")


def _chunks(lanes: int, stride: int) -> list[int]:
    """Where vectors start that hold elements 0, stride, ..., and nothing behind the last of them."""
    last = (lanes - 1) * stride + 1 - lanes
    return [min(c * lanes, last) for c in range(stride if lanes > 1 else 1)]


def _every(f: Function, loads: Sequence[Value], starts: Sequence[int], lanes: int, stride: int) -> Value:
    """Elements 0, stride, ... of what the vectors at `starts` hold."""
    if stride == 1:
        return loads[0]
    picked = [(i * stride // lanes, i * stride - starts[i * stride // lanes]) for i in range(lanes)]
    return choose_lanes(f, loads, picked)


def choose_lanes(f: Function, vectors: Sequence[Value], picked: Sequence[tuple[int, int]]) -> Value:
    """A vector of lanes (vector, lane)."""
    lanes = len(picked)
    out, taken = vectors[0], 0
    for v in range(1, len(vectors)):
        order = [i if taken else lane for i, (_, lane) in enumerate(picked)]
        order = [order[i] if w < v else lanes + lane if w == v else i for i, (w, lane) in enumerate(picked)]
        out, taken = f.shuffle(out, vectors[v], order), 1
    return out if len(vectors) > 1 else f.shuffle(out, None, [lane for _, lane in picked])


def interleaved(f: Function, vectors: Sequence[Value], lanes: int) -> list[Value]:
    """Lane 0 of every vector, then lane 1 of every one, ..., as vectors of the same length."""
    n = len(vectors)
    if n == 1 or lanes == 1:
        return list(vectors)
    return [
        choose_lanes(f, vectors, [((c * lanes + i) % n, (c * lanes + i) // n) for i in range(lanes)])
        for c in range(n)
    ]
