"""Contractions in another arithmetic: complex numbers as pairs, small numbers as floats."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ....primitives.contraction import parse
from ..llvm import Function, const, i64, like
from ..operations.operation import Buffer
from .copying import Change, times_i
from .layouts import canonical, fill, sizes_of, temporary
from .loops import Number


class Parts(NamedTuple):
    """A complex contraction as a real one: numbers are pairs, along one more axis."""

    spec: str
    left: Buffer
    right: Buffer
    out: Buffer


@contextmanager
def in_parts(f: Function, spec: str, left: Buffer, right: Buffer, out: Buffer) -> Iterator[Parts]:
    """With `right` written as real 2 x 2 matrices: (x + iy)(u + iv) is the row (x, y) times ((u, v), (-v, u)).

    Matrices come out best where the last axis of the result is one of `right`.
    """
    a, b, c = parse(spec)
    _, order, _ = canonical(spec)
    cols = sum(i not in a for i in order)
    row, col = (i for i in _unused(spec, 2))
    at = len(order) - cols
    sizes = sizes_of(spec, left, right) | {row: 2}
    wide = order[:at] + row + order[at:]
    with temporary(f, wide, sizes, right.dtype) as matrices:
        for i, change in enumerate((lambda f, x: x, times_i)):
            step = matrices.strides[at] * right.dtype.itemsize * i
            half = Buffer(
                f.gep("i8", matrices.pointer, i64(step)), _without(matrices.shape, at), _without(matrices.strides, at),
                right.dtype,
            )  # fmt: skip
            fill(f, right, b, half, order, change)
        yield Parts(f"{a}{row},{wide}{col}->{c}{col}", _pairs(left), _pairs(matrices), _pairs(out))


def _unused(spec: str, count: int) -> list[str]:
    return list(
        itertools.islice((i for i in map(chr, range(65, 1000)) if i.isalpha() and i not in spec), count)
    )


def _without(items: tuple[int, ...], at: int) -> tuple[int, ...]:
    return items[:at] + items[at + 1 :]


def _pairs(x: Buffer) -> Buffer:
    """A complex array as one of its real type with a last axis of two."""
    real = np.dtype(x.dtype.type(0).real.dtype)
    return Buffer(x.pointer, (*x.shape, 2), (*(2 * s for s in x.strides), 1), real)


class Way(NamedTuple):
    """The floating type in which other numbers are multiplied, and the conversions there and back."""

    dtype: np.dtype[Any]
    there: Change
    back: Change


def way_through_floats(dtype: np.dtype[Any], rows: int, cols: int, depth: int) -> Way | None:
    """float16 and bfloat16 in float32; integers where sums of `depth` products are exact; booleans as 0 and 1.

    For matrices; integers and booleans are multiplied with vectors as quickly in loops.
    """
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    if dtype.kind in "fV":
        return Way(single, lambda f, x: x, lambda f, x: x)
    if min(rows, cols) < 4:
        return None
    if dtype.kind == "b":
        return Way(single, _converter("uitofp", "float"), _positive)
    if dtype.kind in "iu":
        there = "sitofp" if dtype.kind == "i" else "uitofp"
        bits = 2 * 8 * dtype.itemsize + depth.bit_length()
        narrow = f"i{8 * dtype.itemsize}"
        if bits <= 24:
            return Way(single, _converter(there, "float"), _whole("i32", narrow))
        if bits <= 53:
            return Way(double, _converter(there, "double"), _whole("i64", narrow))
    return None


def _converter(op: str, scalar: str) -> Change:
    return lambda f, x: (f.cast(op, x[0], like(x[0].type, scalar)),)


def _whole(wide: str, narrow: str) -> Change:
    """Back to integers, modulo their range."""

    def change(f: Function, x: Number) -> Number:
        whole = f.cast("fptosi", x[0], like(x[0].type, wide))
        return (f.cast("trunc", whole, like(x[0].type, narrow)),)

    return change


def _positive(f: Function, x: Number) -> Number:
    return (f.cast("zext", f.fcmp("ogt", x[0], const(x[0].type, 0)), like(x[0].type, "i8")),)


@contextmanager
def through_floats(
    f: Function, way: Way, spec: str, left: Buffer, right: Buffer, out: Buffer
) -> Iterator[tuple[Buffer, Buffer, Buffer]]:
    """Copies of the operands in another type; what is written to the last array ends up in `out`."""
    sizes, (a, b, c) = sizes_of(spec, left, right), parse(spec)
    with (
        temporary(f, a, sizes, way.dtype) as x,
        temporary(f, b, sizes, way.dtype) as y,
        temporary(f, c, sizes, way.dtype) as z,
    ):
        fill(f, left, a, x, a, way.there)
        fill(f, right, b, y, b, way.there)
        yield x, y, z
        fill(f, z, c, out, c, way.back)
