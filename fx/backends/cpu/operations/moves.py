"""Moving elements without looking at them: bits of the right width, short and long copies, fills."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine import host
from ..llvm import Function, Value, const, i64, vector
from .layout import vector_loop
from .tasks import GRAIN, parallel_ranges

_STRAIGHT = 8
"""Vectors that a copy of known length moves without a loop or a call."""


def raw_type(dtype: np.dtype[Any]) -> str:
    """The integer type that moves one element."""
    return f"i{8 * dtype.itemsize}"


def raw_const(dtype: np.dtype[Any], value: Any) -> Value:
    """The bits of one element."""
    bits = int.from_bytes(np.asarray(value, dtype).tobytes(), "little")
    return const(raw_type(dtype), bits)


def copy(f: Function, to: Value, source: Value, nbytes: int) -> None:
    """Copy a number of bytes known here."""
    if nbytes == 0:
        return
    width = min(host().vector_bytes, 1 << (nbytes.bit_length() - 1))
    if nbytes > _STRAIGHT * width:
        copy_long(f, to, source, i64(nbytes))
        return
    kind = f"i{8 * width}" if width <= 8 else vector("i8", width)
    starts = [*range(0, nbytes - width, width), nbytes - width]
    values = [f.load(kind, f.gep("i8", source, i64(s)), align=1) for s in starts]
    for value, start in zip(values, starts, strict=True):
        f.store(value, f.gep("i8", to, i64(start)), align=1)


def copy_long(f: Function, to: Value, source: Value, nbytes: Value) -> None:
    """Copy by the C library."""
    name = "llvm.memcpy.p0.p0.i64"
    f.module.declare(name, "void", ["ptr", "ptr", "i64", "i1 immarg"])
    f.line(f"call void @{name}(ptr {to.text}, ptr {source.text}, i64 {nbytes.text}, i1 false)")


def copy_all(f: Function, to: Value, source: Value, nbytes: int) -> None:
    """Copy a whole array, in tasks."""

    def piece(g: Function, values: list[Value], start: Value, stop: Value) -> None:
        to, source = [g.gep("i8", v, start) for v in values]
        copy_long(g, to, source, g.sub(stop, start))

    parallel_ranges(f, "copy", [to, source], nbytes, 16 * GRAIN, piece)


def fill(f: Function, to: Value, value: Value, count: int) -> None:
    """Store the scalar `value` a number of times."""
    lanes = max(1, 8 * host().vector_bytes // _bits(value))
    if count < lanes or lanes == 1:
        with f.loop(i64(0), i64(count)) as loop:
            f.store(value, f.gep(value.type, to, loop.index))
        return
    wide = f.splat(value, lanes)

    def store(index: Value, n: int) -> None:
        f.store(wide if n > 1 else value, f.gep(value.type, to, index))

    vector_loop(f, i64(0), i64(count), lanes, store)


def _bits(value: Value) -> int:
    return int(value.type[1:])
