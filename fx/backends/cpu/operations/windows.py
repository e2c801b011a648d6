"""Reductions of sliding windows, what they select, and the way back, as native code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....core.avals import Aval
from ..conv.numbers import Numbers, inside, interleaved
from ..conv.readings import Block, Reading, Rows, Sweep, Visit
from ..llvm import TYPES, Function, Value, bits_of, const, i64, is_float, like, vector
from .operation import Buffer, Operation

Emitter = Callable[[Function, Sequence[Buffer], Buffer, dict[str, Any]], None]


class Windowed(Operation):
    """An operation over windows; numbers of the dtypes of `TYPES`, or complex ones."""

    def __init__(self, emitter: Emitter):
        self.emitter = emitter

    def accepts(self, avals: Sequence[Aval], params: dict[str, Any]) -> bool:
        return all(a.dtype.name in TYPES or a.dtype.name in _PARTS for a in avals)

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        if outputs[0].size:
            self.emitter(f, inputs, outputs[0], params)


_PARTS = {"complex64": np.dtype(np.float32), "complex128": np.dtype(np.float64)}


def readings(shape: Sequence[int], count: Sequence[int], params: dict[str, Any]) -> list[Reading]:
    """How results of shape `count` read elements of `shape`."""
    names = ("window", "strides", "base_dilation", "window_dilation", "padding")
    rows = zip(shape, count, *[params[n] for n in names], strict=True)
    return [Reading(n, q, w, s, base, d, pad[0]) for n, q, w, s, base, d, pad in rows]


def writings(shape: Sequence[int], count: Sequence[int], params: dict[str, Any]) -> list[Reading]:
    """How elements of `shape` read the windows that read them."""
    return [
        Reading(r.count, r.size, r.window, r.base, r.stride, -r.dilation, -r.low)
        for r in readings(shape, count, params)
    ]


class Array:
    """A buffer whose elements are loaded as one vector, or two where they are complex."""

    def __init__(self, buffer: Buffer, pointer: Value | None = None):
        part = _PARTS.get(buffer.dtype.name)
        self.parts = 2 if part else 1
        self.numbers = Numbers(part or buffer.dtype)
        self.pointer = pointer or buffer.pointer

    def zero(self, lanes: int) -> list[Value]:
        return [const(vector(self.numbers.scalar, lanes), 0)] * self.parts

    def load(self, f: Function, index: Value, lanes: int, stride: int = 1) -> list[Value]:
        places = [f.add(f.mul(index, i64(self.parts)), i64(part)) for part in range(self.parts)]
        return [self.numbers.load(f, self.pointer, p, lanes, stride) for p in places]

    def read(self, f: Function, rows: Rows, block: Block, v: Visit, other: Value) -> list[Value]:
        """What a tap reads in the rows along the last axis; `other` where there is no element."""
        if self.parts == 2:
            there = f.icmp("ult", v.first, i64(rows.last.size))
            index = f.add(v.row, v.first)
            return f.choose(there, lambda: self.load(f, index, 1), lambda: [other, other])
        if block.edge:
            size = rows.last.size
            return [
                self.numbers.load_inside(f, self.pointer, v.row, v.first, size, rows.lanes, v.stride, other)
            ]
        return [self.numbers.load(f, self.pointer, f.add(v.row, v.first), rows.lanes, v.stride)]

    def results(self, f: Function, rows: Rows, block: Block) -> list[list[Value]]:
        """The elements that stand where the results of a block will, for every residue."""
        found = []
        for residue in range(rows.every):
            first = f.add(block.start, i64(residue))
            if self.parts == 2:
                v = Visit(residue, block.row, first, 1, i64(0))
                there = f.icmp("ult", v.first, i64(rows.last.count))
                index, zero = f.add(block.row, first), self.zero(1)
                found.append(f.choose(there, lambda i=index: self.load(f, i, 1), lambda z=zero: z))
            elif block.edge:
                args = f, self.pointer, block.row, first, rows.last.count, rows.lanes, rows.every
                found.append([self.numbers.load_inside(*args, self.zero(rows.lanes)[0])])
            else:
                index = f.add(block.row, first)
                found.append([self.numbers.load(f, self.pointer, index, rows.lanes, rows.every)])
        return found

    def store(self, f: Function, rows: Rows, block: Block, values: Sequence[Sequence[Value]]) -> None:
        """A block of results, residue after residue."""
        for part in range(self.parts):
            mixed = interleaved(f, [v[part] for v in values], rows.lanes)
            for number, x in enumerate(mixed):
                start = f.add(block.start, i64(number * rows.lanes))
                place = f.add(f.mul(f.add(block.row, start), i64(self.parts)), i64(part))
                self._store(f, rows, block, x, start, place)

    def _store(self, f: Function, rows: Rows, block: Block, x: Value, start: Value, place: Value) -> None:
        if not block.edge:
            self.numbers.store(f, x, self.pointer, place)
        elif rows.lanes == 1:
            with f.when(f.icmp("slt", start, i64(rows.last.count))):
                self.numbers.store(f, x, self.pointer, place)
        else:
            mask = inside(f, start, rows.last.count, rows.lanes, 1)
            self.numbers.store(f, x, self.pointer, place, mask)


def _lanes(*arrays: Buffer) -> int:
    """Lanes that suit all arrays; complex numbers come one by one."""
    if any(a.dtype.name in _PARTS for a in arrays):
        return 1
    return min(Numbers(a.dtype).lanes for a in arrays)


def _batched(state: Sequence[Value], parts: int) -> list[Sequence[Value]]:
    """The values of every residue."""
    return [state[i : i + parts] for i in range(0, len(state), parts)]


# Reductions


class Reduction(Sweep):
    """Every result combines what its taps read."""

    def __init__(self, x: Array, y: Array, identity: Any, combine: Callable[..., Value]):
        self.x, self.y, self.identity, self.combine = x, y, identity, combine

    def begin(self, f: Function, rows: Rows, block: Block) -> list[Value]:
        return [self._start(rows)] * (rows.every * self.x.parts)

    def _start(self, rows: Rows) -> Value:
        return const(vector(self.x.numbers.scalar, rows.lanes), self.identity)

    def visit(self, f: Function, rows: Rows, block: Block, state: list[Value], v: Visit) -> list[Value]:
        state = list(state)
        for part, x in enumerate(self.x.read(f, rows, block, v, self._start(rows))):
            at = v.residue * self.x.parts + part
            state[at] = self.combine(f, state[at], x)
        return state

    def end(self, f: Function, rows: Rows, block: Block, state: list[Value]) -> None:
        self.y.store(f, rows, block, _batched(state, self.x.parts))


def _emit_sum(f: Function, inputs: Sequence[Buffer], y: Buffer, params: dict[str, Any]) -> None:
    (x,) = inputs
    add = Function.fadd if y.dtype.kind in "fcV" else Function.add
    identity = 0 if y.dtype.kind in "iu" else 0.0
    _emit_reduction(f, x, y, params, identity, add)


def _emit_extremum(
    f: Function, inputs: Sequence[Buffer], y: Buffer, params: dict[str, Any], *, largest: bool
) -> None:
    kind = y.dtype.kind
    intrinsic = f"llvm.{'s' if kind == 'i' else 'u'}{'max' if largest else 'min'}"

    def combine(f: Function, a: Value, b: Value) -> Value:
        """The first of equals; NaN where one is."""
        if kind in "biu":
            return f.intrinsic(intrinsic, a, b)
        better = f.fcmp("ult" if largest else "ugt", a, b)
        return f.select(f.and_(better, f.fcmp("ord", a, a)), b, a)

    _emit_reduction(f, inputs[0], y, params, _worst(y.dtype, largest), combine)


def _worst(dtype: np.dtype[Any], largest: bool) -> Any:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return int(info.min if largest else info.max)
    if dtype.kind == "b":
        return 0 if largest else 1
    return -np.inf if largest else np.inf


def _emit_reduction(
    f: Function, x: Buffer, y: Buffer, params: dict[str, Any], identity: Any, combine: Callable[..., Value]
) -> None:
    rows = Rows(readings(x.shape, y.shape, params), _lanes(x))
    make = lambda p: Reduction(Array(x, p[0]), Array(y, p[1]), identity, combine)
    rows.emit(f, "window_reduce", [x.pointer, y.pointer], make)


# The element that a window selects


class Find(Sweep):
    """The first tap whose element equals the window's value; NaN equals NaN; -1 where there is none."""

    def __init__(self, x: Array, y: Array, found: Array):
        self.x, self.y, self.found = x, y, found

    def begin(self, f: Function, rows: Rows, block: Block) -> list[Value]:
        self.wanted = self.y.results(f, rows, block)
        return [const(vector("i32", rows.lanes), -1)] * rows.every

    def visit(self, f: Function, rows: Rows, block: Block, state: list[Value], v: Visit) -> list[Value]:
        state = list(state)
        x = self.x.read(f, rows, block, v, self.x.zero(rows.lanes)[0])
        now = state[v.residue]
        new = f.and_(_same(f, x, self.wanted[v.residue]), f.icmp("slt", now, const(now.type, 0)))
        if block.edge:
            new = f.and_(new, inside(f, v.first, rows.last.size, rows.lanes, v.stride))
        state[v.residue] = f.select(new, f.splat(f.cast("trunc", v.tap, "i32"), rows.lanes), now)
        return state

    def end(self, f: Function, rows: Rows, block: Block, state: list[Value]) -> None:
        self.found.store(f, rows, block, [[s] for s in state])


def _same(f: Function, x: Sequence[Value], y: Sequence[Value]) -> Value:
    """Equal, or both NaN."""
    if not is_float(x[0].type):
        return f.icmp("eq", x[0], y[0])
    equal = [f.fcmp("oeq", a, b) for a, b in zip(x, y, strict=True)]
    nans = [[f.fcmp("uno", a, a) for a in side] for side in (x, y)]
    if len(x) == 1:
        return f.or_(equal[0], f.and_(nans[0][0], nans[1][0]))
    return f.or_(f.and_(*equal), f.and_(f.or_(*nans[0]), f.or_(*nans[1])))


def _emit_find(f: Function, inputs: Sequence[Buffer], found: Buffer, params: dict[str, Any]) -> None:
    x, y = inputs
    rows = Rows(readings(x.shape, y.shape, params), _lanes(x, found))
    make = lambda p: Find(Array(x, p[0]), Array(y, p[1]), Array(found, p[2]))
    rows.emit(f, "window_find", [x.pointer, y.pointer, found.pointer], make)


class Gather(Sweep):
    """The element that the chosen tap of the window reads, 0 where it reads none."""

    def __init__(self, x: Array, chosen: Array, y: Array):
        self.x, self.chosen, self.y = x, chosen, y

    def begin(self, f: Function, rows: Rows, block: Block) -> list[Value]:
        self.wanted = [_number(f, c, self.chosen) for (c,) in self.chosen.results(f, rows, block)]
        return self.x.zero(rows.lanes) * rows.every

    def visit(self, f: Function, rows: Rows, block: Block, state: list[Value], v: Visit) -> list[Value]:
        state = list(state)
        hit = _is_tap(f, self.wanted[v.residue], v.tap)
        for part, x in enumerate(self.x.read(f, rows, block, v, self.x.zero(rows.lanes)[0])):
            at = v.residue * self.x.parts + part
            state[at] = _add(f, state[at], f.select(hit, x, const(x.type, 0)))
        return state

    def end(self, f: Function, rows: Rows, block: Block, state: list[Value]) -> None:
        self.y.store(f, rows, block, _batched(state, self.x.parts))


def _number(f: Function, chosen: Value, array: Array) -> Value:
    """A tap number as its array holds it, in at least 32 bits."""
    wide = like(chosen.type, "i32" if bits_of(array.numbers.scalar) <= 32 else "i64")
    op = "zext" if array.numbers.unsigned else "sext"
    if array.numbers.unsigned and array.numbers.scalar == "i32":
        wide = like(chosen.type, "i64")
    return f.cast(op, chosen, wide)


def _is_tap(f: Function, number: Value, tap: Value) -> Value:
    scalar, lanes = number.type.split(" ")[-1].rstrip(">"), _count(number)
    narrow = f.cast("trunc", tap, scalar) if scalar != "i64" else tap
    return f.icmp("eq", number, f.splat(narrow, lanes))


def _count(x: Value) -> int:
    return int(x.type[1:].split(" ")[0]) if x.type[0] == "<" else 1


def _add(f: Function, x: Value, y: Value) -> Value:
    return f.fadd(x, y) if is_float(x.type) else f.add(x, y)


def _emit_gather(f: Function, inputs: Sequence[Buffer], y: Buffer, params: dict[str, Any]) -> None:
    x, chosen = inputs
    rows = Rows(readings(x.shape, y.shape, params), _lanes(x, chosen))
    make = lambda p: Gather(Array(x, p[0]), Array(chosen, p[1]), Array(y, p[2]))
    rows.emit(f, "window_gather", [x.pointer, chosen.pointer, y.pointer], make)


class Scatter(Sweep):
    """Every element sums the cotangents of the windows whose chosen tap reads it."""

    def __init__(self, ct: Array, chosen: Array, y: Array):
        self.ct, self.chosen, self.y = ct, chosen, y

    def begin(self, f: Function, rows: Rows, block: Block) -> list[Value]:
        return self.ct.zero(rows.lanes) * rows.every

    def visit(self, f: Function, rows: Rows, block: Block, state: list[Value], v: Visit) -> list[Value]:
        state = list(state)
        (chosen,) = self.chosen.read(f, rows, block, v, self.chosen.zero(rows.lanes)[0])
        hit = _is_tap(f, _number(f, chosen, self.chosen), v.tap)
        if block.edge:
            hit = f.and_(hit, inside(f, v.first, rows.last.size, rows.lanes, v.stride))
        for part, x in enumerate(self.ct.read(f, rows, block, v, self.ct.zero(rows.lanes)[0])):
            at = v.residue * self.ct.parts + part
            state[at] = _add(f, state[at], f.select(hit, x, const(x.type, 0)))
        return state

    def end(self, f: Function, rows: Rows, block: Block, state: list[Value]) -> None:
        self.y.store(f, rows, block, _batched(state, self.ct.parts))


def _emit_scatter(f: Function, inputs: Sequence[Buffer], y: Buffer, params: dict[str, Any]) -> None:
    ct, chosen = inputs
    params = {k: v for k, v in params.items() if k != "shape"}
    rows = Rows(writings(y.shape, ct.shape, params), _lanes(ct, chosen))
    make = lambda p: Scatter(Array(ct, p[0]), Array(chosen, p[1]), Array(y, p[2]))
    rows.emit(f, "window_scatter", [ct.pointer, chosen.pointer, y.pointer], make)


OPERATIONS: dict[str, Operation] = {
    "window_sum": Windowed(_emit_sum),
    "window_max": Windowed(lambda *args: _emit_extremum(*args, largest=True)),
    "window_min": Windowed(lambda *args: _emit_extremum(*args, largest=False)),
    "window_find": Windowed(_emit_find),
    "window_gather": Windowed(_emit_gather),
    "window_scatter": Windowed(_emit_scatter),
}
