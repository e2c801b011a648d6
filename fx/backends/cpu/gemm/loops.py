"""Any contraction as plain loops: vectors along the last axis of the result, the sum in registers.

For integers, booleans and complex numbers, for products without a sum, and for layouts that the matrix product
does not take. Each element of the result is summed in the order of the inner axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from ..engine import host
from ..llvm import TYPES, Function, Value, bits_of, const, const_vector, i64, is_float, vector
from ..operations.operation import Buffer
from .axes import Axes, Axis

Number = tuple[Value, ...]
"""A value of the loops: one vector, or the real and imaginary ones."""


class Kind:
    """How numbers of one dtype are loaded, multiplied, added and stored."""

    def __init__(self, dtype: np.dtype[Any]):
        self.name = dtype.name
        self.complex = dtype.kind == "c"
        part = {"complex64": "float32", "complex128": "float64"}.get(dtype.name, dtype.name)
        self.memory = TYPES[part]
        self.scalar = "float" if self.memory in ("half", "bfloat") else self.memory
        self.lanes = max(1, min(16, host().vector_bytes * 8 // bits_of(self.scalar)))

    def zero(self, lanes: int) -> Number:
        x = const(vector(self.scalar, lanes), 0)
        return (x, x) if self.complex else (x,)

    def multiply(self, f: Function, x: Number, y: Number) -> Number:
        if self.complex:
            (a, b), (c, d) = x, y
            return f.fsub(f.fmul(a, c), f.fmul(b, d)), f.fadd(f.fmul(a, d), f.fmul(b, c))
        return (self._product(f)(x[0], y[0]),)

    def accumulate(self, f: Function, total: Number, x: Number, y: Number) -> Number:
        """total + x * y."""
        if self.complex:
            (p, q), (a, b), (c, d) = total, x, y
            re = f.fma(a, c, f.fma(f.fneg(b), d, p))
            return re, f.fma(a, d, f.fma(b, c, q))
        if is_float(self.scalar):
            return (f.fma(x[0], y[0], total[0]),)
        join = f.or_ if self.name == "bool" else f.add
        return (join(total[0], self._product(f)(x[0], y[0])),)

    def _product(self, f: Function) -> Callable[[Value, Value], Value]:
        if is_float(self.scalar):
            return f.fmul
        return f.and_ if self.name == "bool" else f.mul

    def load(
        self, f: Function, base: Value, at: Value, stride: int, lanes: int, mask: Value | None
    ) -> Number:
        """Elements at, at + stride, ... of the array at `base`."""
        if not self.complex:
            return (self._widen(f, _load(f, self.memory, f.gep(self.memory, base, at), stride, lanes, mask)),)
        pair = vector(self.memory, 2)
        p = f.gep(pair, base, at)
        if stride == 1 and lanes > 1 and mask is None:
            both = f.load(vector(self.memory, 2 * lanes), p)
            return f.shuffle(both, None, range(0, 2 * lanes, 2)), f.shuffle(
                both, None, range(1, 2 * lanes, 2)
            )
        imaginary = f.gep(self.memory, p, i64(1))
        return tuple(_load(f, self.memory, q, 2 * stride, lanes, mask) for q in (p, imaginary))

    def store(self, f: Function, x: Number, base: Value, at: Value, mask: Value | None) -> None:
        """To elements at, at + 1, ..."""
        if not self.complex:
            _store(f, self._narrow(f, x[0]), f.gep(self.memory, base, at), mask)
            return
        lanes = self.lanes_of(x)
        p = f.gep(vector(self.memory, 2), base, at)
        if lanes == 1:
            f.store(x[0], p)
            f.store(x[1], f.gep(self.memory, p, i64(1)))
            return
        order = [i // 2 + lanes * (i % 2) for i in range(2 * lanes)]
        twice = None if mask is None else f.shuffle(mask, None, [i // 2 for i in range(2 * lanes)])
        _store(f, f.shuffle(x[0], x[1], order), p, twice)

    def lanes_of(self, x: Number) -> int:
        return 1 if x[0].type[0] != "<" else int(x[0].type[1:].split(" ")[0])

    def _widen(self, f: Function, x: Value) -> Value:
        return f.cast("fpext", x, x.type.replace(self.memory, "float")) if self.memory != self.scalar else x

    def _narrow(self, f: Function, x: Value) -> Value:
        return f.cast("fptrunc", x, x.type.replace("float", self.memory)) if self.memory != self.scalar else x


def _load(f: Function, scalar: str, p: Value, stride: int, lanes: int, mask: Value | None) -> Value:
    t = vector(scalar, lanes)
    if lanes == 1:
        return f.load(scalar, p)
    if stride == 0:
        return f.splat(f.load(scalar, p), lanes)
    if stride == 1:
        return f.load(t, p) if mask is None else f.masked_load(t, p, mask, const(t, 0))
    places = f.geps(scalar, p, const_vector("i64", [i * stride for i in range(lanes)]))
    return f.gather(t, places, mask or const(vector("i1", lanes), 1), const(t, 0))


def _store(f: Function, x: Value, p: Value, mask: Value | None) -> None:
    if mask is None:
        f.store(x, p)
    else:
        f.masked_store(x, p, mask)


def emit_loops(f: Function, a: Buffer, b: Buffer, c: Buffer, axes: Axes) -> None:
    """c = sum over the inner axes of a * b."""
    kind = Kind(c.dtype)
    *outer, last = axes.out or [Axis(1, 0, 0, 0)]
    if last.c not in (0, 1):
        outer, last = [*outer, last], Axis(1, 0, 0, 0)
    with ExitStack() as stack:
        start = _nest(f, stack, outer, (i64(0), i64(0), i64(0)))
        _along(f, kind, (a, b, c), start, last, axes.inner)


def _nest(
    f: Function, stack: ExitStack, axes: Sequence[Axis], start: tuple[Value, Value, Value]
) -> tuple[Value, Value, Value]:
    """Loops over `axes` around what follows; gives the offsets into the three arrays."""
    for axis in axes:
        i = stack.enter_context(f.loop(i64(0), i64(axis.size), trips=True)).index
        start = _shift(f, start, axis, i)
    return start


def _shift(
    f: Function, offsets: tuple[Value, Value, Value], axis: Axis, i: Value
) -> tuple[Value, Value, Value]:
    x, y, z = (
        f.add(o, f.mul(i, i64(s))) if s else o for o, s in zip(offsets, (axis.a, axis.b, axis.c), strict=True)
    )
    return x, y, z


def _along(
    f: Function,
    kind: Kind,
    arrays: tuple[Buffer, Buffer, Buffer],
    start: tuple[Value, Value, Value],
    last: Axis,
    inner: Sequence[Axis],
) -> None:
    """The last axis of the result: whole vectors, then the rest of it under a mask."""
    lanes = min(kind.lanes, 1 << (last.size.bit_length() - 1))
    whole = last.size - last.size % lanes
    with f.loop(i64(0), i64(whole), lanes, trips=True) as loop:
        _elements(f, kind, arrays, _shift(f, start, last, loop.index), last, inner, lanes, None)
    if whole < last.size:
        mask = const_vector("i1", [i < last.size - whole for i in range(lanes)])
        _elements(f, kind, arrays, _shift(f, start, last, i64(whole)), last, inner, lanes, mask)


def _elements(
    f: Function,
    kind: Kind,
    arrays: tuple[Buffer, Buffer, Buffer],
    start: tuple[Value, Value, Value],
    last: Axis,
    inner: Sequence[Axis],
    lanes: int,
    mask: Value | None,
) -> None:
    a, b, c = arrays

    def factors(at: tuple[Value, Value, Value]) -> tuple[Number, Number]:
        x = kind.load(f, a.pointer, at[0], last.a, lanes, mask)
        return x, kind.load(f, b.pointer, at[1], last.b, lanes, mask)

    def total(at: tuple[Value, Value, Value], axes: Sequence[Axis], so_far: Number) -> Number:
        if not axes:
            return kind.accumulate(f, so_far, *factors(at))
        with f.loop(i64(0), i64(axes[0].size), carry=so_far, trips=True) as loop:
            loop.next(*total(_shift(f, at, axes[0], loop.index), axes[1:], tuple(loop.carry)))
        return tuple(loop.results)

    x = total(start, inner, kind.zero(lanes)) if inner else kind.multiply(f, *factors(start))
    kind.store(f, x, c.pointer, start[2], mask)
