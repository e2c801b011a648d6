"""Matrices copied from one layout to another, as functions of the module that needs them."""

from __future__ import annotations

from ..engine import host
from ..llvm import Function, Module, Value, i64, vector
from .elements import Elements, Number, cell, clear, copy

TILE = 16
"""Rows and columns that are transposed together, so that lines of both sides stay in the cache."""


def transposed(f: Function, e: Elements, target: Value, source: Value, rows: Value, columns: Value) -> None:
    """target[j, i] = source[i, j], both contiguous; row-major to column-major and back."""
    transposed_rows(f, e, target, rows, source, columns, rows, columns)


def transposed_rows(
    f: Function,
    e: Elements,
    target: Value,
    step: Value,
    source: Value,
    stride: Value,
    rows: Value,
    columns: Value,
) -> None:
    """The same with rows `step` apart in the target and `stride` apart in the source."""
    f.call(_transpose(f.module, e), "void", [target, step, source, stride, rows, columns])


def _transpose(m: Module, e: Elements) -> str:
    """Squares of as many rows as a vector has lanes, by exchanges; what is left at the edges one by one."""
    name = f"transpose.{e.dtype.name}"
    if name in m.functions:
        return name
    f = m.function(name, params=["ptr", "i64", "ptr", "i64", "i64", "i64"])
    target, step, source, stride, rows, columns = f.args
    lanes = max(1, min(8, host().vector_bytes // e.bytes))
    whole_rows, whole_columns = f.and_(rows, i64(-lanes)), f.and_(columns, i64(-lanes))
    read = lambda i, j: f.gep(e.bits, source, cell(f, i, stride, j))
    write = lambda j, i: f.gep(e.bits, target, cell(f, j, step, i))
    align = e.bytes // e.parts

    def one(i: Value, j: Value) -> None:
        f.store(f.load(e.bits, read(i, j), align), write(j, i), align)

    def square(i: Value, j: Value) -> None:
        near = range(lanes)
        block = [f.load(vector(e.bits, lanes), read(f.add(i, i64(r)), j), align) for r in near]
        for r, x in zip(near, _exchanged(f, block), strict=True):
            f.store(x, write(f.add(j, i64(r)), i), align)

    if e.bytes == 16:
        with tiles(f, rows, columns) as (i, j):
            one(i, j)
    else:
        with f.loop(i64(0), whole_rows, lanes) as row, f.loop(i64(0), whole_columns, lanes) as column:
            square(row.index, column.index)
        with f.loop(i64(0), whole_rows) as row, f.loop(whole_columns, columns) as column:
            one(row.index, column.index)
        with f.loop(whole_rows, rows) as row, f.loop(i64(0), columns) as column:
            one(row.index, column.index)
    f.ret()
    return name


def _exchanged(f: Function, block: list[Value]) -> list[Value]:
    """A square of rows transposed: halves of pairs of rows change places, then quarters of them, and so on."""
    lanes = len(block)
    half = lanes // 2
    while half:
        for r in (r for r in range(lanes) if not r & half):
            x, y = block[r], block[r + half]
            low = [lane if not lane & half else lanes + lane - half for lane in range(lanes)]
            high = [lane + half if not lane & half else lanes + lane for lane in range(lanes)]
            block[r], block[r + half] = f.shuffle(x, y, low), f.shuffle(x, y, high)
        half //= 2
    return block


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
