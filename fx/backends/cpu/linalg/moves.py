"""Matrices copied from one layout to another, as functions of the module that needs them."""

from __future__ import annotations

from ..llvm import Function, Module, Value, i64
from .elements import Elements, Number, cell, clear, copy

TILE = 16
"""Rows and columns that are transposed together, so that lines of both sides stay in the cache."""


def transposed(f: Function, e: Elements, target: Value, source: Value, rows: Value, columns: Value) -> None:
    """target[j, i] = source[i, j], both contiguous; row-major to column-major and back."""
    f.call(_transpose(f.module, e), "void", [target, source, rows, columns])


def transpose_rows(f: Function, e: Elements, target: Value, source: Value, width: Value, n: Value) -> None:
    """target[j, i] = source[i, j] for (n, n), the rows of source `width` apart."""
    with tiles(f, n, n) as (i, j):
        x = f.load(e.bits, f.gep(e.bits, source, cell(f, i, width, j)), e.bytes // e.parts)
        f.store(x, f.gep(e.bits, target, cell(f, j, n, i)), e.bytes // e.parts)


def _transpose(m: Module, e: Elements) -> str:
    name = f"transpose.{e.bytes}"
    if name not in m.functions:
        f = m.function(name, params=["ptr", "ptr", "i64", "i64"])
        target, source, rows, columns = f.args
        with tiles(f, rows, columns) as (i, j):
            x = f.load(e.bits, f.gep(e.bits, source, cell(f, i, columns, j)), e.bytes // e.parts)
            f.store(x, f.gep(e.bits, target, cell(f, j, rows, i)), e.bytes // e.parts)
        f.ret()
    return name


class tiles:
    """`with tiles(f, rows, columns) as (i, j):` every element once, tile by tile."""

    def __init__(self, f: Function, rows: Value, columns: Value):
        self.f, self.rows, self.columns = f, rows, columns

    def __enter__(self) -> tuple[Value, Value]:
        f = self.f
        self.loops = [f.loop(i64(0), self.rows, TILE)]
        top = self.loops[0].__enter__().index
        self.loops.append(f.loop(i64(0), self.columns, TILE))
        left = self.loops[1].__enter__().index
        self.loops.append(f.loop(top, smaller(f, f.add(top, i64(TILE)), self.rows), trips=True))
        i = self.loops[2].__enter__().index
        self.loops.append(f.loop(left, smaller(f, f.add(left, i64(TILE)), self.columns), trips=True))
        return i, self.loops[3].__enter__().index

    def __exit__(self, *exc: object) -> None:
        for loop in reversed(self.loops):
            loop.__exit__(None, None, None)


def smaller(f: Function, x: Value, y: Value) -> Value:
    return f.intrinsic("llvm.smin", x, y)


def hermitian(
    f: Function, e: Elements, target: Value, source: Value, n: Value, mean: Value, adjoint: bool
) -> None:
    """target = (a + a^H) / 2 where `mean` (i1), else a; for `adjoint` its transpose, for LAPACK to read as it is."""
    with f.when(mean):
        f.call(_mean(f.module, e, adjoint), "void", [target, source, n])
    with f.when(f.not_(mean)):
        if adjoint:
            transposed(f, e, target, source, n, n)
        else:
            copy(f, target, source, f.mul(f.mul(n, n), i64(e.bytes)))


def _mean(m: Module, e: Elements, adjoint: bool) -> str:
    name = f"mean.{e.dtype.name}.{int(adjoint)}"
    if name in m.functions:
        return name
    f = m.function(name, params=["ptr", "ptr", "i64"])
    target, source, n = f.args
    with tiles(f, n, n) as (i, j):
        here, there = e.load(f, source, cell(f, i, n, j)), e.load(f, source, cell(f, j, n, i))
        x = e.mul(f, e.add(f, here, e.conj(f, there)), e.number(0.5))
        e.store(f, e.conj(f, x) if adjoint else x, target, cell(f, i, n, j))
    f.ret()
    return name


def clear_above(f: Function, e: Elements, array: Value, n: Value) -> None:
    """Zeros above the diagonal of a row-major matrix (n, n)."""
    with f.loop(i64(0), n) as loop:
        right = f.add(loop.index, i64(1))
        start = e.at(f, array, cell(f, loop.index, n, right))
        clear(f, start, f.mul(f.sub(n, right), i64(e.bytes)))


def map_elements(f: Function, e: Elements, array: Value, count: Value, change: object) -> None:
    """array[i] = change(array[i])."""
    with f.loop(i64(0), count) as loop:
        x: Number = e.load(f, array, loop.index)
        e.store(f, change(x), array, loop.index)  # type: ignore[operator]


def convert(f: Function, target: Value, to: str, source: Value, type: str, count: Value) -> None:
    """Floats of one precision to another, element by element."""
    op = "fpext" if to == "double" else "fptrunc"
    with f.loop(i64(0), count) as loop:
        x = f.load(type, f.gep(type, source, loop.index))
        f.store(f.cast(op, x, to), f.gep(to, target, loop.index))
