"""Random numbers: `random_bits`, `random_unit` and `child_keys`, to the bit those of the interpreter.

Element i under a key is the cipher of the number i, so that every vector of counters is independent of all others.
Few numbers under each of many keys are drawn with a key for each lane.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....core.dtypes import is_low_precision
from ..engine import host
from ..llvm import Function, Value, const, i64, like, vector
from . import numbers, random_math, threefry
from .moves import copy_long
from .operation import Buffer, Operation
from .tasks import GRAIN, parallel_ranges


class Draws(Operation):
    """Numbers made of the cipher's words under every key."""

    def emit(
        self, f: Function, inputs: Sequence[Buffer], outputs: Sequence[Buffer], scratch: Value, params: dict[str, Any]
    ) -> None:
        (out,) = outputs
        if out.size == 0:
            return
        keys, n = inputs[0].size // 2, math.prod(params["shape"])
        lanes = host().vector_bytes // 1
        write = Writer(self, out.dtype, out.size * out.dtype.itemsize // (keys * n), lanes)
        pointers = [b.pointer for b in inputs] + [out.pointer]
        if keys > 1 and n < 2 * lanes and keys * n < 1 << 31:
            _draw_across(f, write, pointers, keys, n)
        else:
            _draw_along(f, write, pointers, keys, n)

    def made(self, f: Function, dtype: np.dtype[Any], x0: Value, x1: Value) -> Value:
        """Numbers of two words each."""
        raise NotImplementedError


class RandomBits(Draws):
    def made(self, f: Function, dtype: np.dtype[Any], x0: Value, x1: Value) -> Value:
        return threefry.bits(f, dtype, x0, x1)


class RandomUnit(Draws):
    def made(self, f: Function, dtype: np.dtype[Any], x0: Value, x1: Value) -> Value:
        return threefry.unit(f, dtype, x0, x1)


class ChildKeys(Draws):
    def made(self, f: Function, dtype: np.dtype[Any], x0: Value, x1: Value) -> Value:
        return threefry.joined(f, x0, x1)


class Writer:
    """Stores the numbers of one vector of counters; where fewer are wanted, by way of the stack."""

    def __init__(self, draws: Draws, dtype: np.dtype[Any], nbytes: int, lanes: int):
        self.draws, self.dtype, self.nbytes, self.lanes = draws, dtype, nbytes, lanes

    def __call__(self, f: Function, out: Value, key: threefry.Schedule, high: Value, low: Value) -> None:
        x0, x1 = threefry.words(f, key, high, low)
        made = self.draws.made(f, self.dtype, x0, x1)
        if is_low_precision(self.dtype):
            numbers.store(f, self.dtype, made, out, align=1)
        else:
            f.store(made, out, align=1)

    def vectors(self, f: Function, out: Value, start: Value, stop: Value, draw: Any) -> None:
        """draw(index, place) for every vector of [start, stop); what is left over goes to `out` at last."""
        spare = f.alloca("i8", self.lanes * self.nbytes)
        with f.loop(start, stop, self.lanes, trips=True) as loop:
            end = f.add(loop.index, i64(self.lanes))
            place = f.gep("i8", out, f.mul(loop.index, i64(self.nbytes)))
            whole = f.icmp("sle", end, stop)
            draw(loop.index, f.select(whole, place, spare))
            with f.when(f.not_(whole)):
                copy_long(f, place, spare, f.mul(f.sub(stop, loop.index), i64(self.nbytes)))


def _draw_along(f: Function, write: Writer, pointers: Sequence[Value], keys: int, n: int) -> None:
    """Long rows: one key, many counters."""
    lanes = write.lanes
    step = min(-(-n // lanes) * lanes, GRAIN // 2)
    per_key = -(-n // step)

    def run(g: Function, values: list[Value], first: Value, last: Value) -> None:
        with g.loop(first, last, trips=True) as loop:
            key, part = g.udiv(loop.index, i64(per_key)), g.urem(loop.index, i64(per_key))
            start = g.mul(part, i64(step))
            stop = g.intrinsic("llvm.smin", g.add(start, i64(step)), i64(n))
            _row(g, write, values, key, start, stop, n)

    parallel_ranges(f, "draw", pointers, keys * per_key, max(1, GRAIN // 2 // step), run)


def _row(f: Function, write: Writer, values: list[Value], key: Value, start: Value, stop: Value, n: int) -> None:
    """Counters [start, stop) of one key."""
    lanes = write.lanes
    k0, k1 = [f.load("i32", f.gep("i32", values[0], f.add(f.mul(key, i64(2)), i64(k)))) for k in (0, 1)]
    schedule = threefry.Schedule(f, k0, k1).splat(f, lanes)
    line = f.iota("i32", lanes)
    if len(values) == 3:
        line = f.add(line, f.splat(f.load("i32", f.gep("i32", values[1], key)), lanes))
    out = f.gep("i8", values[-1], f.mul(key, i64(n * write.nbytes)))

    def draw(index: Value, place: Value) -> None:
        low = f.add(f.splat(f.cast("trunc", index, "i32"), lanes), line)
        high = f.splat(f.cast("trunc", f.lshr(index, i64(32)), "i32"), lanes)
        write(f, place, schedule, high, low)

    write.vectors(f, out, start, stop, draw)


def _draw_across(f: Function, write: Writer, pointers: Sequence[Value], keys: int, n: int) -> None:
    """Short rows: lanes run over keys as well."""
    step = -(-(GRAIN // 2) // write.lanes) * write.lanes

    def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
        write.vectors(g, values[-1], start, stop, lambda index, place: _lanes(g, write, values, index, place, keys, n))

    parallel_ranges(f, "draw", pointers, keys * n, step, run)


def _lanes(
    f: Function, write: Writer, values: list[Value], index: Value, place: Value, keys: int, n: int
) -> None:
    """One vector of elements, each with its own key; beyond the last element the last key is read again."""
    lanes = write.lanes
    element = f.add(f.splat(f.cast("trunc", index, "i32"), lanes), f.iota("i32", lanes))
    element = f.intrinsic("llvm.umin", element, const(element.type, keys * n - 1))
    key, counter = f.udiv(element, const(element.type, n)), f.urem(element, const(element.type, n))
    key = f.cast("zext", key, like(key.type, "i64"))
    k0, k1 = [_gathered(f, values[0], f.add(f.add(key, key), const(key.type, k))) for k in (0, 1)]
    if len(values) == 3:
        counter = f.add(counter, _gathered(f, values[1], key))
    zero = const(counter.type, 0)
    write(f, place, threefry.Schedule(f, k0, k1), zero, counter)


def _gathered(f: Function, pointer: Value, places: Value) -> Value:
    kind = like(places.type, "i32")
    everywhere = const(like(places.type, "i1"), True)
    return f.gather(kind, f.geps("i32", pointer, places), everywhere, const(kind, 0))


OPERATIONS: dict[str, Operation] = {
    "random_bits": RandomBits(),
    "random_unit": RandomUnit(),
    "child_keys": ChildKeys(),
    **random_math.OPERATIONS,
}
"""By the name of the primitive."""
