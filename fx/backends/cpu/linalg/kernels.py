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

PREFIX = "fx_kernel."


def kernel_name(kernel: str, scalar: str) -> str:
    """The symbol of a kernel: substitute, cholesky or eliminate."""
    return f"{PREFIX}{kernel}.{scalar}"


def emit_kernel(m: Module, name: str) -> None:
    """The function of a symbol."""
    _, kernel, scalar = name.split(".")
    _KERNELS[kernel](m, name, scalar)


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


def _substitute(m: Module, name: str, scalar: str) -> None:
    """void (ptr x, i64 k, i64 step, ptr a, i64 down, i64 across, i64 n, i64 unit): x = a^-1 x for lower triangular a.

    Row i of x: (n, k) begins at x + i step, a[i, j] is at a + i down + j across. Steps may be negative: an upper
    triangle is a lower one from its last corner.
    """
    f = m.function(name, params=["ptr", "i64", "i64", "ptr", "i64", "i64", "i64", "i64"], internal=False)
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


# Factorizations, in rows padded to whole blocks of columns


def padded(scalar: str, n: int) -> int:
    """The length of padded rows. The padding takes part in the arithmetic and is never looked at.

    Rows a multiple of a kilobyte apart would share a few sets of the cache: they get a block more.
    """
    width = VECTORS * lanes_of(scalar)
    length = -(-n // width) * width
    return length + width if length * bits_of(scalar) % 8192 == 0 else length


def _block_of(scalar: str, f: Function, column: Value) -> Value:
    """The first column of the block that a column is in."""
    return f.and_(column, i64(-VECTORS * lanes_of(scalar)))


def _over_blocks(
    f: Function, scalar: str, start: Value, stop: Value, work: Callable[[Columns, Value], None]
) -> None:
    with f.loop(start, stop, VECTORS * lanes_of(scalar)) as loop:
        work(Columns(f, scalar), loop.index)


At = Callable[[Value, Value], Value]
"""The address of an element."""


def _cholesky(m: Module, name: str, scalar: str) -> None:
    """i1 (ptr u, i64 n, i64 width): the factor u^T u of the matrix whose upper triangle u holds; rows are padded.

    Gives whether a pivot was zero or negative; NaN is none of them, as with LAPACK. Garbage below the diagonal.
    """
    f = m.function(name, "i1", ["ptr", "i64", "i64"], internal=False)
    u, n, width = f.args
    at: At = lambda i, j: f.gep(scalar, u, f.add(f.mul(i, width), j))
    bad = f.alloca("i8", align=1)
    f.store(const("i8", 0), bad)

    def rows(i: Value, count: int) -> None:
        here = [f.add(i, i64(r)) for r in range(count)]

        def subtract(columns: Columns, first: Value) -> None:
            block = [columns.load(at(h, first)) for h in here]
            factor = lambda r, j: f.load(scalar, at(j, here[r]))
            block = minus_products(f, columns, block, i, factor, lambda j: at(j, first))
            for h, line in zip(here, block, strict=True):
                columns.store(line, at(h, first))

        _over_blocks(f, scalar, _block_of(scalar, f, i), width, subtract)
        for r in range(count):
            _finish_row(f, scalar, at, here[r:], width, bad)

    over_rows(f, n, rows)
    f.ret(f.cast("trunc", f.load("i8", bad), "i1"))


def _finish_row(f: Function, scalar: str, at: At, here: list[Value], width: Value, bad: Value) -> None:
    """Divide the first row by the root of its pivot, and subtract what it gives from the rows after it."""
    top, *below = here
    pivot = f.load(scalar, at(top, top))
    wrong = f.cast("zext", f.fcmp("ole", pivot, const(scalar, 0.0)), "i8")
    f.store(f.or_(f.load("i8", bad), wrong), bad)
    root = f.sqrt(pivot)
    scale = f.fdiv(const(scalar, 1.0), root)
    factors = [f.fneg(f.fmul(f.load(scalar, at(top, h)), scale)) for h in below]

    def divide(columns: Columns, first: Value) -> None:
        line = [f.fmul(x, columns.splat(scale)) for x in columns.load(at(top, first))]
        columns.store(line, at(top, first))
        for h, factor in zip(below, factors, strict=True):
            other = columns.load(at(h, first))
            new = [f.fma(columns.splat(factor), x, y) for x, y in zip(line, other, strict=True)]
            columns.store(new, at(h, first))

    _over_blocks(f, scalar, _block_of(scalar, f, top), width, divide)
    f.store(root, at(top, top))


def _eliminate(m: Module, name: str, scalar: str) -> None:
    """void (ptr a, i64 m, i64 n, i64 width, ptr pivots): LU factors with partial pivoting, in place, rows padded.

    A block of columns at a time; pivots (i32) count from 0. Inside the block products are rounded before they are
    subtracted, so that rows that are multiples of each other leave zero, not a rest.
    """
    f = m.function(name, params=["ptr", "i64", "i64", "i64", "ptr"], internal=False)
    a, rows, n, width, pivots = f.args
    at: At = lambda i, j: f.gep(scalar, a, f.add(f.mul(i, width), j))
    steps, block = smaller(f, rows, n), i64(VECTORS * lanes_of(scalar))
    with f.loop(i64(0), steps, VECTORS * lanes_of(scalar)) as loop:
        first, after = loop.index, f.add(loop.index, block)
        stop = smaller(f, after, steps)
        with f.loop(first, stop) as column:
            _eliminate_column(f, scalar, at, column.index, first, rows, width, pivots)
        with f.when(f.icmp("slt", after, width)):
            _update_right(f, scalar, at, first, stop, after, rows, width)
    f.ret()


def _eliminate_column(
    f: Function, scalar: str, at: At, j: Value, first: Value, rows: Value, width: Value, pivots: Value
) -> None:
    p = _largest(f, scalar, at, j, rows)
    f.store(f.cast("trunc", p, "i32"), f.gep("i32", pivots, j))
    with f.when(
        f.icmp("ne", p, j)
    ):  # the branch is worth it: foretold rightly, the next steps need not wait for p
        _over_blocks(f, scalar, i64(0), width, lambda columns, c: _swap(columns, at(j, c), at(p, c)))
    pivot = f.load(scalar, at(j, j))
    with f.when(f.fcmp("one", pivot, const(scalar, 0.0))):  # NaN stays where it is, as with OpenBLAS
        _subtract_row(f, scalar, at, j, first, rows, pivot)


def _largest(f: Function, scalar: str, at: At, j: Value, rows: Value) -> Value:
    """The row from j on with the largest element in column j, the first of equal ones; j if it has NaN there.

    ROWS searches side by side, since each waits for its last comparison; the last row may be looked at again.
    """
    sizes = [f.fabs(f.load(scalar, at(j, j))), *[const(scalar, -1.0)] * (ROWS - 1)]
    last = f.sub(rows, i64(1))
    with f.loop(j, rows, ROWS, carry=[*sizes, *[j] * ROWS], trips=True) as loop:
        here = [loop.index, *[smaller(f, f.add(loop.index, i64(r)), last) for r in range(1, ROWS)]]
        mine = [f.fabs(f.load(scalar, at(i, j))) for i in here]
        more = [f.fcmp("ogt", x, size) for x, size in zip(mine, loop.carry, strict=False)]
        sizes = [f.select(m, x, size) for m, x, size in zip(more, mine, loop.carry, strict=False)]
        places = [f.select(m, i, place) for m, i, place in zip(more, here, loop.carry[ROWS:], strict=True)]
        loop.next(*sizes, *places)
    size, place = loop.results[0], loop.results[ROWS]
    for other, there in zip(loop.results[1:ROWS], loop.results[ROWS + 1 :], strict=True):
        equal = f.and_(f.fcmp("oeq", other, size), f.icmp("slt", there, place))
        better = f.or_(f.fcmp("ogt", other, size), equal)
        size, place = f.select(better, other, size), f.select(better, there, place)
    return place


def _swap(columns: Columns, here: Value, there: Value) -> None:
    x, y = columns.load(here), columns.load(there)
    columns.store(y, here)
    columns.store(x, there)


def _subtract_row(
    f: Function, scalar: str, at: At, j: Value, first: Value, rows: Value, pivot: Value
) -> None:
    """In the block from column `first`: rows below j minus the multiples of row j that clear column j.

    The multiples stay in column j. They are products with the reciprocal, where that is a number.
    """
    columns = Columns(f, scalar)
    number, one = f.iota("i64", columns.lanes), f.sub(j, first)
    places = [columns.splat(f.sub(one, i64(v * columns.lanes))) for v in range(VECTORS)]
    masks = [(f.icmp("eq", number, place), f.icmp("sgt", number, place)) for place in places]
    top = columns.load(at(j, first))
    reciprocal = f.fdiv(const(scalar, 1.0), pivot)

    def every_row(divide: Callable[[Value], Value]) -> list[Value]:
        with f.loop(f.add(j, i64(1)), rows) as loop:
            factor = columns.splat(divide(f.load(scalar, at(loop.index, j))))
            line = columns.load(at(loop.index, first))
            for v, (here, right) in enumerate(masks):
                less = f.fsub(line[v], f.fmul(factor, top[v]))
                line[v] = f.select(here, factor, f.select(right, less, line[v]))
            columns.store(line, at(loop.index, first))
        return []

    finite = f.fcmp("olt", f.fabs(reciprocal), const(scalar, float("inf")))
    f.choose(
        finite,
        lambda: every_row(lambda x: f.fmul(x, reciprocal)),
        lambda: every_row(lambda x: f.fdiv(x, pivot)),
    )


def _update_right(
    f: Function, scalar: str, at: At, first: Value, stop: Value, after: Value, rows: Value, width: Value
) -> None:
    """The columns after a finished block: its rows by substitution, and the rows below minus products."""
    count = f.sub(stop, first)
    across, kernel, corner = f.sub(width, after), kernel_name("substitute", scalar), at(first, first)
    f.call(kernel, "void", [at(first, after), across, width, corner, width, i64(1), count, i64(1)])

    def rest(i: Value, number: int) -> None:
        here = [f.add(f.add(i, i64(r)), stop) for r in range(number)]

        def subtract(columns: Columns, c: Value) -> None:
            block = [columns.load(at(h, c)) for h in here]
            factor = lambda r, q: f.load(scalar, at(here[r], f.add(first, q)))
            block = minus_products(f, columns, block, count, factor, lambda q: at(f.add(first, q), c))
            for h, line in zip(here, block, strict=True):
                columns.store(line, at(h, c))

        _over_blocks(f, scalar, after, width, subtract)

    over_rows(f, f.sub(rows, stop), rest)


_KERNELS: dict[str, Callable[[Module, str, str], None]] = {
    "substitute": _substitute,
    "cholesky": _cholesky,
    "eliminate": _eliminate,
}
