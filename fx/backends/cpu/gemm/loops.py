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


Offsets = tuple[Value, Value, Value]
"""Places in both operands and the result, in elements."""
AT_ONCE = 4
"""Vectors of the result that are summed side by side, so that one need not wait for the other."""


def emit_loops(f: Function, a: Buffer, b: Buffer, c: Buffer, axes: Axes) -> None:
    """c = sum over the inner axes of a * b."""
    *outer, last = axes.out or [Axis(1, 0, 0, 0)]
    if last.c not in (0, 1):
        outer, last = [*outer, last], Axis(1, 0, 0, 0)
    rows = _Rows(f, (a, b, c), last, axes.inner)
    with ExitStack() as stack:
        start = (i64(0), i64(0), i64(0))
        for axis in outer:
            i = stack.enter_context(f.loop(i64(0), i64(axis.size), trips=True)).index
            start = _shift(f, start, axis, i)
        rows.emit(start)


def _shift(f: Function, offsets: Offsets, axis: Axis, i: Value) -> Offsets:
    x, y, z = (
        f.add(o, f.mul(i, i64(s))) if s else o for o, s in zip(offsets, (axis.a, axis.b, axis.c), strict=True)
    )
    return x, y, z


class _Rows:
    """The last axis of the result: several vectors at a time, single ones, then the rest under a mask."""

    def __init__(self, f: Function, arrays: tuple[Buffer, Buffer, Buffer], last: Axis, inner: Sequence[Axis]):
        self.f, self.arrays, self.last, self.inner = f, arrays, last, inner
        self.kind = Kind(arrays[2].dtype)
        self.lanes = min(self.kind.lanes, 1 << (last.size.bit_length() - 1))

    def emit(self, start: Offsets) -> None:
        size, done = self.last.size, 0
        near = {self.last.a, self.last.b} <= {0, 1}
        for count in (AT_ONCE, 1) if near and self.inner else (1,):
            step = count * self.lanes
            end = size - size % step
            if done < end:
                with self.f.loop(i64(done), i64(end), step, trips=True) as loop:
                    self._vectors(_shift(self.f, start, self.last, loop.index), count, None)
            done = end
        if done < size:
            mask = const_vector("i1", [i < size - done for i in range(self.lanes)])
            self._vectors(_shift(self.f, start, self.last, i64(done)), 1, mask)

    def _vectors(self, start: Offsets, count: int, mask: Value | None) -> None:
        """`count` vectors of the result from `start` on."""
        kind, f = self.kind, self.f
        if self.inner:
            sums = self._sums(start, self.inner, [kind.zero(self.lanes)] * count, mask)
        else:
            sums = [kind.multiply(f, x, y) for x, y in self._factors(start, count, mask)]
        for i, x in enumerate(sums):
            kind.store(f, x, self.arrays[2].pointer, f.add(start[2], i64(i * self.lanes)), mask)

    def _sums(
        self, at: Offsets, axes: Sequence[Axis], sums: list[Number], mask: Value | None
    ) -> list[Number]:
        """The sums over `axes`, added to `sums`."""
        kind, f = self.kind, self.f
        if not axes:
            pairs = self._factors(at, len(sums), mask)
            return [kind.accumulate(f, total, x, y) for total, (x, y) in zip(sums, pairs, strict=True)]
        parts = len(sums[0])
        with f.loop(
            i64(0), i64(axes[0].size), carry=[x for total in sums for x in total], trips=True
        ) as loop:
            here = [tuple(loop.carry[i : i + parts]) for i in range(0, len(loop.carry), parts)]
            following = self._sums(_shift(f, at, axes[0], loop.index), axes[1:], here, mask)
            loop.next(*[x for total in following for x in total])
        return [tuple(loop.results[i : i + parts]) for i in range(0, len(loop.results), parts)]

    def _factors(self, at: Offsets, count: int, mask: Value | None) -> list[tuple[Number, Number]]:
        a, b = (
            self._operand(array, place, stride, count, mask)
            for array, place, stride in zip(self.arrays, at, (self.last.a, self.last.b), strict=False)
        )
        return list(zip(a, b, strict=True))

    def _operand(self, array: Buffer, at: Value, stride: int, count: int, mask: Value | None) -> list[Number]:
        def load(i: int) -> Number:
            place = self.f.add(at, i64(i * self.lanes * stride))
            return self.kind.load(self.f, array.pointer, place, stride, self.lanes, mask)

        return [load(0)] * count if stride == 0 else [load(i) for i in range(count)]
