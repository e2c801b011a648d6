"""Random numbers: `random_bits`, `random_unit` and `child_keys`, to the bit those of the interpreter.

Element i under a key is the cipher of the number i, so that every vector of counters is independent of all others.
Few numbers under each of many keys are drawn with a key for each lane.

`threefry` has the same as expressions, for loop nests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....core.dtypes import bfloat16, is_low_precision
from ..engine import host
from ..llvm import Function, Module, Value, const, i32, i64, like
from . import numbers, random_math, threefry
from .library import Library, Signature, call
from .moves import copy_long
from .operation import Buffer, Operation
from .tasks import GRAIN, least, parallel_ranges

Made = Callable[[Function, np.dtype[Any], Value, Value], Value]
"""Numbers of a dtype from two words each."""


def _children(f: Function, dtype: np.dtype[Any], x0: Value, x1: Value) -> Value:
    return threefry.joined(f, x0, x1)


class Draws(Operation):
    """Numbers made of the cipher's words under every key."""

    def __init__(self, made: Made):
        self.made = made

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (out,) = outputs
        if out.size == 0:
            return
        keys, n = inputs[0].size // 2, math.prod(params["shape"])
        lanes = host().vector_bytes // 4
        nbytes = out.size * out.dtype.itemsize // (keys * n)
        pointers = [b.pointer for b in inputs] + [out.pointer]
        if keys > 1 and n < 2 * lanes and keys * n < 1 << 31:
            _draw_across(f, Writer(self.made, out.dtype, nbytes, lanes), pointers, keys, n)
        else:
            name = f"fx_draw_{'children' if len(inputs) == 2 else params['dtype'].name}"
            _draw_along(f, name, nbytes, pointers, keys, n)


class Writer:
    """Stores the numbers of one vector of counters; where fewer are wanted, by way of the stack."""

    def __init__(self, made: Made, dtype: np.dtype[Any], nbytes: int, lanes: int):
        self.made, self.dtype, self.nbytes, self.lanes = made, dtype, nbytes, lanes

    def __call__(self, f: Function, out: Value, key: threefry.Schedule, high: Value, low: Value) -> None:
        x0, x1 = threefry.words(f, key, high, low)
        made = self.made(f, self.dtype, x0, x1)
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


def _draw_along(f: Function, name: str, nbytes: int, pointers: Sequence[Value], keys: int, n: int) -> None:
    """Long rows: one key, many counters."""
    step = min(-(-n // 64) * 64, GRAIN // 2)
    per_key = -(-n // step)

    def run(g: Function, values: list[Value], first: Value, last: Value) -> None:
        with g.loop(first, last, trips=True) as loop:
            key, part = g.udiv(loop.index, i64(per_key)), g.urem(loop.index, i64(per_key))
            start = g.mul(part, i64(step))
            stop = least(g, g.add(start, i64(step)), i64(n))
            place = g.gep("i64", values[0], key)
            number = g.load("i32", g.gep("i32", values[1], key)) if len(values) == 3 else i32(0)
            call(g, name, [place, number, g.gep("i8", values[-1], g.mul(key, i64(n * nbytes))), start, stop])

    parallel_ranges(f, "draw", pointers, keys * per_key, max(1, GRAIN // 2 // step), run)


def _write_draw(f: Function, made: Made, dtype: np.dtype[Any], nbytes: int) -> None:
    """fx_draw_*(key, first, out, start, stop): the numbers of the counters first + [start, stop) under one key.

    Four vectors at once: the cipher is one long chain of operations.
    """
    key, first, out, start, stop = f.args
    lanes = host().vector_bytes
    write = Writer(made, dtype, nbytes, lanes)
    k0, k1 = [f.load("i32", f.gep("i32", key, i64(k))) for k in (0, 1)]
    schedule = threefry.Schedule(f, k0, k1).splat(f, lanes)
    line = f.add(f.iota("i32", lanes), f.splat(first, lanes))

    def draw(index: Value, place: Value) -> None:
        low = f.add(f.splat(f.cast("trunc", index, "i32"), lanes), line)
        high = f.splat(f.cast("trunc", f.lshr(index, i64(32)), "i32"), lanes)
        write(f, place, schedule, high, low)

    write.vectors(f, out, start, stop, draw)
    f.ret()


def _draw_across(f: Function, write: Writer, pointers: Sequence[Value], keys: int, n: int) -> None:
    """Short rows: lanes run over keys as well."""
    step = -(-(GRAIN // 2) // write.lanes) * write.lanes

    def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
        write.vectors(
            g, values[-1], start, stop, lambda index, place: _lanes(g, write, values, index, place, keys, n)
        )

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


def _library(name: str, made: Made, dtype: np.dtype[Any] | None = None) -> Library:
    """The function of one kind of numbers."""
    signature = Signature("void", ("ptr", "i32", "ptr", "i64", "i64"))

    def write(m: Module) -> None:
        kind = dtype or (bfloat16() if name == "bfloat16" else np.dtype(name))
        _write_draw(
            library.define(m, f"fx_draw_{name}"), made, kind, 8 if name == "children" else kind.itemsize
        )

    library = Library({f"fx_draw_{name}": signature}, write)
    return library


LIBRARIES = [
    *[_library(name, threefry.bits) for name in ("uint8", "uint16", "uint32", "uint64")],
    *[_library(name, threefry.unit) for name in ("float16", "bfloat16", "float32", "float64")],
    _library("children", _children, np.dtype("uint32")),
]
OPERATIONS: dict[str, Operation] = {
    "random_bits": Draws(threefry.bits),
    "random_unit": Draws(threefry.unit),
    "child_keys": Draws(_children),
    **random_math.OPERATIONS,
}
"""By the name of the primitive."""
