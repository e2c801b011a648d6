"""Kernels for real matrices, row-major and in place: substitution, Cholesky's and Gauss's factorization.

Vectors run along rows. Four rows by two vectors of columns are kept in registers while the rows before them are
subtracted, which is what BLAS-3 does to a triangle; a narrower block takes the rows that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..engine import host
from ..llvm import Function, Module, Value, bits_of, const, i64, vector
from .moves import smaller

ROWS, VECTORS = 4, 2
"""The block in registers."""


class Columns:
    """A few neighbouring vectors of columns; the last columns of a row are read and written under masks."""

    def __init__(self, f: Function, scalar: str, remaining: Value | None = None):
        self.f, self.scalar = f, scalar
        self.lanes = lanes_of(scalar)
        self.type = vector(scalar, self.lanes)
        self.masks: list[Value] | None = None
        if remaining is not None and self.lanes > 1:
            starts = [f.sub(remaining, i64(v * self.lanes)) for v in range(VECTORS)]
            self.masks = [f.tail_mask(rest, self.lanes) for rest in starts]

    def load(self, place: Value) -> list[Value]:
        if self.masks is None:
            return [self.f.load(self.type, p) for p in self._places(place)]
        zero = const(self.type, 0.0)
        pairs = zip(self._places(place), self.masks, strict=True)
        return [self.f.masked_load(self.type, p, mask, zero) for p, mask in pairs]

    def store(self, xs: Sequence[Value], place: Value) -> None:
        for v, (x, p) in enumerate(zip(xs, self._places(place), strict=True)):
            if self.masks is None:
                self.f.store(x, p)
            else:
                self.f.masked_store(x, p, self.masks[v])

    def splat(self, x: Value) -> Value:
        return self.f.splat(x, self.lanes)

    def _places(self, place: Value) -> list[Value]:
        return [self.f.gep(self.scalar, place, i64(v * self.lanes)) for v in range(VECTORS)]


def lanes_of(scalar: str) -> int:
    return host().vector_bytes * 8 // bits_of(scalar)


def over_columns(
    f: Function, scalar: str, start: Value, stop: Value, work: Callable[[Columns, Value], None]
) -> None:
    """work(columns, first) for [start, stop), whole blocks of columns first, then the rest under masks."""
    width = VECTORS * lanes_of(scalar)
    whole = f.add(start, f.mul(f.sdiv(f.sub(stop, start), i64(width)), i64(width)))
    with f.loop(start, whole, width) as loop:
        work(Columns(f, scalar), loop.index)
    with f.when(f.icmp("slt", whole, stop)):
        work(Columns(f, scalar, f.sub(stop, whole)), whole)


def over_rows(f: Function, count: Value, work: Callable[[Value, int], None]) -> None:
    """work(first, rows) for all rows: blocks of ROWS, then single ones."""
    whole = f.and_(count, i64(-ROWS))
    with f.loop(i64(0), whole, ROWS) as loop:
        work(loop.index, ROWS)
    with f.loop(whole, count) as loop:
        work(loop.index, 1)


def minus_products(
    f: Function,
    columns: Columns,
    block: list[list[Value]],
    count: Value,
    factor: Callable[[int, Value], Value],
    row: Callable[[Value], Value],
) -> list[list[Value]]:
    """block[r] - sum over j < count of factor(r, j) * (the row at row(j))."""
    with f.loop(i64(0), count, carry=[x for line in block for x in line]) as loop:
        known = columns.load(row(loop.index))
        following = []
        for r in range(len(block)):
            a = columns.splat(f.fneg(factor(r, loop.index)))
            following += [f.fma(a, x, loop.carry[r * VECTORS + v]) for v, x in enumerate(known)]
        loop.next(*following)
    return [loop.results[r * VECTORS : (r + 1) * VECTORS] for r in range(len(block))]


# Substitution


def substitute(m: Module, scalar: str) -> str:
    """void (ptr x, i64 k, i64 step, ptr a, i64 down, i64 across, i64 n, i64 unit): x = a^-1 x for lower triangular a.

    Row i of x: (n, k) begins at x + i step, a[i, j] is at a + i down + j across. Steps may be negative: an upper
    triangle is a lower one from its last corner.
    """
    name = f"substitute.{scalar}"
    if name in m.functions:
        return name
    f = m.function(name, params=["ptr", "i64", "i64", "ptr", "i64", "i64", "i64", "i64"])
    x, k, step, a, down, across, n, unit = f.args
    with_ones = f.icmp("ne", unit, i64(0))
    element = lambda i, j: f.load(scalar, f.gep(scalar, a, f.add(f.mul(i, down), f.mul(j, across))))

    def all_rows(columns: Columns, first: Value) -> None:
        place = lambda i: f.gep(scalar, x, f.add(f.mul(i, step), first))

        def rows(i: Value, count: int) -> None:
            here = [f.add(i, i64(r)) for r in range(count)]
            block = [columns.load(place(h)) for h in here]
            block = minus_products(f, columns, block, i, lambda r, j: element(here[r], j), place)
            for r in range(count):
                for q in range(r):
                    factor = columns.splat(f.fneg(element(here[r], here[q])))
                    block[r] = [f.fma(factor, y, z) for y, z in zip(block[q], block[r], strict=True)]
                pivot = f.select(with_ones, const(scalar, 1.0), element(here[r], here[r]))
                divisor = columns.splat(pivot)
                block[r] = [f.fdiv(y, divisor) for y in block[r]]
                columns.store(block[r], place(here[r]))

        over_rows(f, n, rows)

    over_columns(f, scalar, i64(0), k, all_rows)
    f.ret()
    return name


# Cholesky


def cholesky(m: Module, scalar: str) -> str:
    """i1 (ptr u, i64 n): the upper factor u^T u of the symmetric matrix whose upper triangle u holds.

    Gives whether a pivot was zero or negative; NaN is none of them, as with LAPACK.
    """
    name = f"cholesky.{scalar}"
    if name in m.functions:
        return name
    f = m.function(name, "i1", ["ptr", "i64"])
    u, n = f.args
    at = lambda i, j: f.gep(scalar, u, f.add(f.mul(i, n), j))
    bad = f.alloca("i1", align=1)
    f.store(Value("false", "i1"), bad, 1)

    def rows(i: Value, count: int) -> None:
        here = [f.add(i, i64(r)) for r in range(count)]

        def subtract(columns: Columns, first: Value) -> None:
            block = [columns.load(at(h, first)) for h in here]
            factor = lambda r, j: f.load(scalar, at(j, here[r]))
            block = minus_products(f, columns, block, i, factor, lambda j: at(j, first))
            for h, line in zip(here, block, strict=True):
                columns.store(line, at(h, first))

        over_columns(f, scalar, i, n, subtract)
        for r in range(count):
            _finish_row(f, scalar, at, here, r, n, bad)

    over_rows(f, n, rows)
    f.ret(f.load("i1", bad, 1))
    return name


def _finish_row(
    f: Function, scalar: str, at: Callable[..., Value], here: list[Value], r: int, n: Value, bad: Value
) -> None:
    """Divide row r of a block by the root of its pivot, and subtract it from the rows of the block below."""
    pivot = f.load(scalar, at(here[r], here[r]))
    wrong = f.fcmp("ole", pivot, const(scalar, 0.0))
    f.store(f.or_(f.load("i1", bad, 1), wrong), bad, 1)
    root = f.sqrt(pivot)
    below = here[r + 1 :]
    factors = [f.fneg(f.fdiv(f.load(scalar, at(here[r], h)), root)) for h in below]

    def divide(columns: Columns, first: Value) -> None:
        line = [f.fdiv(x, columns.splat(root)) for x in columns.load(at(here[r], first))]
        columns.store(line, at(here[r], first))
        for h, factor in zip(below, factors, strict=True):
            other = columns.load(at(h, first))
            columns.store(
                [f.fma(columns.splat(factor), x, y) for x, y in zip(line, other, strict=True)], at(h, first)
            )

    over_columns(f, scalar, here[r], n, divide)
    f.store(root, at(here[r], here[r]))


# Gauss


def eliminate(m: Module, scalar: str) -> str:
    """void (ptr a, i64 m, i64 n, ptr pivots): LU factors of a with partial pivoting, in place; pivots (i32) from 0.

    Products are rounded before they are subtracted: rows that are multiples of each other leave zero, not a rest.
    """
    name = f"eliminate.{scalar}"
    if name in m.functions:
        return name
    f = m.function(name, params=["ptr", "i64", "i64", "ptr"])
    a, rows, n, pivots = f.args
    at = lambda i, j: f.gep(scalar, a, f.add(f.mul(i, n), j))
    with f.loop(i64(0), smaller(f, rows, n)) as loop:
        j = loop.index
        p = _largest(f, scalar, at, j, rows)
        f.store(f.cast("trunc", p, "i32"), f.gep("i32", pivots, j))
        with f.when(f.icmp("ne", p, j)):
            over_columns(
                f, scalar, i64(0), n, lambda columns, first: _swap(columns, at(j, first), at(p, first))
            )
        pivot = f.load(scalar, at(j, j))
        with f.when(f.fcmp("une", pivot, const(scalar, 0.0))):
            _subtract_row(f, scalar, at, j, rows, n, pivot)
    f.ret()
    return name


def _largest(f: Function, scalar: str, at: Callable[..., Value], j: Value, rows: Value) -> Value:
    """The row from j on with the largest element in column j; the first of equal ones."""
    top = f.fabs(f.load(scalar, at(j, j)))
    with f.loop(f.add(j, i64(1)), rows, carry=[top, j]) as loop:
        size = f.fabs(f.load(scalar, at(loop.index, j)))
        more = f.fcmp("ogt", size, loop.carry[0])
        loop.next(f.select(more, size, loop.carry[0]), f.select(more, loop.index, loop.carry[1]))
    return loop.results[1]


def _swap(columns: Columns, here: Value, there: Value) -> None:
    x, y = columns.load(here), columns.load(there)
    columns.store(y, here)
    columns.store(x, there)


def _subtract_row(
    f: Function, scalar: str, at: Callable[..., Value], j: Value, rows: Value, n: Value, pivot: Value
) -> None:
    """Rows below j minus the multiples of row j that clear column j; the multiples stay there."""
    after = f.add(j, i64(1))
    with f.loop(after, rows) as loop:
        place = at(loop.index, j)
        f.store(f.fdiv(f.load(scalar, place), pivot), place)

    def update(columns: Columns, first: Value) -> None:
        line = columns.load(at(j, first))
        with f.loop(after, rows) as loop:
            factor, place = columns.splat(f.load(scalar, at(loop.index, j))), at(loop.index, first)
            other = columns.load(place)
            columns.store([f.fsub(y, f.fmul(factor, x)) for x, y in zip(line, other, strict=True)], place)

    over_columns(f, scalar, after, n, update)
