"""Elements of matrices in emitted code, real or complex: a complex number is a pair of registers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..llvm import TYPES, Function, Value, const, i64

Number = tuple[Value, ...]
"""One value, or real and imaginary part."""


class Elements:
    """How the elements of a dtype are read, written and computed with."""

    def __init__(self, dtype: np.dtype[Any]):
        self.dtype = dtype
        self.complex = dtype.kind == "c"
        self.real = np.zeros(0, dtype).real.dtype
        self.scalar = TYPES[self.real.name]
        self.parts = 2 if self.complex else 1
        self.bytes = dtype.itemsize
        self.bits = f"i{self.bytes * 8}" if self.bytes <= 8 else "<2 x i64>"
        """A type that moves an element unchanged."""

    def at(self, f: Function, array: Value, index: Value) -> Value:
        """The address of an element."""
        return f.gep(f"[{self.parts} x {self.scalar}]", array, index)

    def load(self, f: Function, array: Value, index: Value) -> Number:
        place = self.at(f, array, index)
        return tuple(f.load(self.scalar, f.gep(self.scalar, place, i64(p))) for p in range(self.parts))

    def store(self, f: Function, x: Number, array: Value, index: Value) -> None:
        place = self.at(f, array, index)
        for p, part in enumerate(x):
            f.store(part, f.gep(self.scalar, place, i64(p)))

    def number(self, value: float) -> Number:
        return tuple(const(self.scalar, value if p == 0 else 0.0) for p in range(self.parts))

    def conj(self, f: Function, x: Number) -> Number:
        return (x[0], f.fneg(x[1])) if self.complex else x

    def add(self, f: Function, x: Number, y: Number) -> Number:
        return tuple(f.fadd(a, b) for a, b in zip(x, y, strict=True))

    def scale(self, f: Function, x: Number, factor: Value) -> Number:
        return tuple(f.fmul(a, factor) for a in x)

    def mul(self, f: Function, x: Number, y: Number) -> Number:
        if not self.complex:
            return (f.fmul(x[0], y[0]),)
        (a, b), (c, d) = x, y
        return f.fsub(f.fmul(a, c), f.fmul(b, d)), f.fadd(f.fmul(a, d), f.fmul(b, c))

    def is_zero(self, f: Function, x: Number) -> Value:
        zero = const(self.scalar, 0.0)
        tests = [f.fcmp("oeq", part, zero) for part in x]
        return f.and_(*tests) if self.complex else tests[0]


def copy(f: Function, target: Value, source: Value, nbytes: Value) -> None:
    """Bytes of one array to another that does not overlap."""
    name = "llvm.memcpy.p0.p0.i64"
    f.module.declare(name, "void", ["ptr", "ptr", "i64", "i1 immarg"])
    f.line(f"call void @{name}(ptr {target.text}, ptr {source.text}, i64 {nbytes.text}, i1 false)")


def clear(f: Function, target: Value, nbytes: Value) -> None:
    """Zero bytes."""
    name = "llvm.memset.p0.i64"
    f.module.declare(name, "void", ["ptr", "i8", "i64", "i1 immarg"])
    f.line(f"call void @{name}(ptr {target.text}, i8 0, i64 {nbytes.text}, i1 false)")


def cell(f: Function, row: Value, width: Value, column: Value) -> Value:
    """Where an element stands in rows of a width."""
    return f.add(f.mul(row, width), column)
