"""Rows of whole blocks of columns, for kernels that know no edges: into them, out of them, and what is done there."""

from __future__ import annotations

from ..llvm import Function, Value, const, i64
from .kernels import VECTORS, Columns, lanes_of, over_columns


def pad_rows(
    f: Function, scalar: str, target: Value, width: Value, source: Value, rows: Value, n: Value
) -> None:
    """Rows of n elements to padded ones, with zeros behind them."""
    with f.loop(i64(0), rows) as loop:
        to, start = (f.gep(scalar, x, f.mul(loop.index, step)) for x, step in ((target, width), (source, n)))

        def move(columns: Columns, first: Value) -> None:
            x = columns.load(f.gep(scalar, start, first))
            Columns(f, scalar).store(x, f.gep(scalar, to, first))

        over_columns(f, scalar, i64(0), n, move)


def take_rows(
    f: Function, scalar: str, target: Value, source: Value, width: Value, rows: Value, n: Value
) -> None:
    """The other way."""
    with f.loop(i64(0), rows) as loop:
        to, start = (f.gep(scalar, x, f.mul(loop.index, step)) for x, step in ((target, n), (source, width)))

        def move(columns: Columns, first: Value) -> None:
            columns.store(columns.load(f.gep(scalar, start, first)), f.gep(scalar, to, first))

        over_columns(f, scalar, i64(0), n, move)


def clear_padding(f: Function, scalar: str, target: Value, width: Value, rows: Value) -> None:
    """Zeros in the last block of every row; what belongs there is written afterwards."""
    columns = Columns(f, scalar)
    last = f.sub(width, i64(VECTORS * columns.lanes))
    zeros = [const(columns.type, 0.0)] * VECTORS
    with f.loop(i64(0), rows) as loop:
        columns.store(zeros, f.gep(scalar, target, f.add(f.mul(loop.index, width), last)))


def average_rows(f: Function, scalar: str, target: Value, width: Value, a: Value, n: Value) -> None:
    """Half the sum of padded rows and of those of a: (n, n)."""
    with f.loop(i64(0), n) as loop:
        to, start = (f.gep(scalar, x, f.mul(loop.index, step)) for x, step in ((target, width), (a, n)))

        def average(columns: Columns, first: Value) -> None:
            half, whole = columns.splat(const(scalar, 0.5)), Columns(f, scalar)
            mine, place = columns.load(f.gep(scalar, start, first)), f.gep(scalar, to, first)
            pairs = zip(mine, whole.load(place), strict=True)
            whole.store([f.fmul(f.fadd(x, y), half) for x, y in pairs], place)

        over_columns(f, scalar, i64(0), n, average)


def clear_below(f: Function, scalar: str, target: Value, width: Value, n: Value) -> None:
    """Zeros below the diagonal, and anything behind the rows' last elements."""
    lanes = lanes_of(scalar)
    numbers = [f.add(f.iota("i64", lanes), const(f"<{lanes} x i64>", v * lanes)) for v in range(VECTORS)]
    columns, zero = Columns(f, scalar), const(Columns(f, scalar).type, 0.0)
    with f.loop(i64(0), n) as row, f.loop(i64(0), f.add(row.index, i64(1)), VECTORS * lanes) as loop:
        place = f.gep(scalar, target, f.add(f.mul(row.index, width), loop.index))
        diagonal = f.splat(f.sub(row.index, loop.index), lanes)
        pairs = zip(numbers, columns.load(place), strict=True)
        columns.store([f.select(f.icmp("sge", k, diagonal), x, zero) for k, x in pairs], place)
