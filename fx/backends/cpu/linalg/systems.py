"""Native cholesky, triangular_solve, lu, solve, inv, det and slogdet, a LAPACK or BLAS call a matrix.

LAPACK sees a row-major matrix as its transpose. Where that is as good (a triangle becomes the other one) nothing is
copied for it; where it is not (pivoting goes by rows) the matrix is transposed into working memory.
"""

from __future__ import annotations

from ..lapack import call, failed, integer, letter, load_integer, status
from ..llvm import Function, Value, const, i64
from .batch import Arguments, Item, Routine
from .determinants import product, sign_and_logarithm
from .elements import Elements, Number, cell, copy
from .moves import clear_above, hermitian, map_elements, transposed


def _cholesky(f: Function, e: Elements, r: Arguments) -> Item:
    """a = L L^H means a^T = conj(L) L^T: the upper factor of what LAPACK sees, whose memory is that of L."""
    n, info, mean = integer(f, r.n), status(f), f.icmp("ne", r.mean, i64(0))
    size = f.mul(r.n, r.n)

    def item(i: Value) -> Value:
        out = r.matrix("out", i, size)
        hermitian(f, e, out, r.matrix("a", i, size), r.n, mean, adjoint=False)
        clear_above(f, e, out, r.n)
        call(f, "potrf", e.dtype, "U", n, out, n, info)
        return failed(f, info)

    return item


cholesky = Routine("cholesky", "a out", "", "n mean", _cholesky)


def _triangular_solve(f: Function, e: Elements, r: Arguments) -> Item:
    """op(a) x = b is x^T op(a)^T = b^T, with a^T and b^T as LAPACK sees them.

    conj(a) x = b without a transposition, for which BLAS has no name, is a conj(x) = conj(b).
    """
    n, k, size, block = integer(f, r.n), integer(f, r.k), f.mul(r.n, r.n), f.mul(r.n, r.k)
    uplo, trans, diag = (letter(f, x) for x in (r.uplo, r.trans, r.diag))

    def item(i: Value) -> None:
        a, out = r.matrix("a", i, size), r.matrix("out", i, block)
        copy(f, out, r.matrix("b", i, block), f.mul(block, i64(e.bytes)))
        _conjugate_if(f, e, r.conjugate, out, block)
        call(f, "trsm", e.dtype, "R", uplo, trans, diag, k, n, 1.0, a, n, out, k)
        _conjugate_if(f, e, r.conjugate, out, block)

    return item


def _conjugate_if(f: Function, e: Elements, flag: Value, array: Value, count: Value) -> None:
    if e.complex:
        with f.when(f.icmp("ne", flag, i64(0))):
            map_elements(f, e, array, count, lambda x: e.conj(f, x))


triangular_solve = Routine(
    "triangular_solve", "a b out", "", "n k uplo trans diag conjugate", _triangular_solve
)


def _lu(f: Function, e: Elements, r: Arguments) -> Item:
    m, n, info, size = integer(f, r.m), integer(f, r.n), status(f), f.mul(r.m, r.n)
    refuse = f.icmp("ne", r.refuse, i64(0))

    def item(i: Value) -> Value:
        packed, pivots = r.matrix("packed", i, size), f.gep("i32", r.pivots, f.mul(i, r.k))
        transposed(f, e, r.t, r.matrix("a", i, size), r.m, r.n)
        call(f, "getrf", e.dtype, m, n, r.t, m, r.swaps, info)
        transposed(f, e, packed, r.t, r.n, r.m)
        _count_from_zero(f, pivots, r.swaps, r.k)
        _permutation(f, f.gep("i32", r.order, f.mul(i, r.m)), r.m, r.swaps, r.k)
        return f.and_(refuse, _zero_on_diagonal(f, e, packed, r.n, r.k))

    return item


def _count_from_zero(f: Function, pivots: Value, swaps: Value, count: Value) -> None:
    with f.loop(i64(0), count) as loop:
        pivot = f.sub(load_integer(f, swaps, loop.index), i64(1))
        f.store(f.cast("trunc", pivot, "i32"), f.gep("i32", pivots, loop.index))


def _permutation(f: Function, order: Value, m: Value, swaps: Value, k: Value) -> None:
    """The order of rows that swapping row i with row swaps[i] (from one), for i = 0, 1, ..., makes."""
    with f.loop(i64(0), m) as loop:
        f.store(f.cast("trunc", loop.index, "i32"), f.gep("i32", order, loop.index))
    with f.loop(i64(0), k) as loop:
        pivot = f.sub(load_integer(f, swaps, loop.index), i64(1))
        here, there = f.gep("i32", order, loop.index), f.gep("i32", order, pivot)
        x, y = f.load("i32", here), f.load("i32", there)
        f.store(y, here)
        f.store(x, there)


def _zero_on_diagonal(f: Function, e: Elements, packed: Value, width: Value, k: Value) -> Value:
    with f.loop(i64(0), k, carry=[Value("false", "i1")]) as loop:
        x = e.load(f, packed, cell(f, loop.index, width, loop.index))
        loop.next(f.or_(loop.carry[0], e.is_zero(f, x)))
    return loop.results[0]


lu = Routine("lu", "a packed pivots order", "t swaps", "m n k refuse", _lu)


def _factor(f: Function, e: Elements, r: Arguments, n: Value, info: Value, a: Value) -> None:
    """LU factors of a, column-major, in r.t, pivots in r.swaps."""
    transposed(f, e, r.t, a, r.n, r.n)
    call(f, "getrf", e.dtype, n, n, r.t, n, r.swaps, info)


def _solve(f: Function, e: Elements, r: Arguments) -> Item:
    """P a = L U, so x^T = ((P b)^T L^-T) U^-T: b's rows stay rows, as LAPACK sees columns."""
    n, k, info = integer(f, r.n), integer(f, r.k), status(f)
    size, block = f.mul(r.n, r.n), f.mul(r.n, r.k)

    def item(i: Value) -> Value:
        _factor(f, e, r, n, info, r.matrix("a", i, size))
        with f.when(f.not_(failed(f, info))):
            out = r.matrix("out", i, block)
            _permutation(f, r.order, r.n, r.swaps, r.n)
            _take_rows(f, e, out, r.matrix("b", i, block), r.order, r.n, r.k)
            call(f, "trsm", e.dtype, "R", "L", "T", "U", k, n, 1.0, r.t, n, out, k)
            call(f, "trsm", e.dtype, "R", "U", "T", "N", k, n, 1.0, r.t, n, out, k)
        return failed(f, info)

    return item


def _take_rows(
    f: Function, e: Elements, target: Value, source: Value, order: Value, n: Value, k: Value
) -> None:
    nbytes = f.mul(k, i64(e.bytes))
    with f.loop(i64(0), n) as loop:
        row = f.cast("sext", f.load("i32", f.gep("i32", order, loop.index)), "i64")
        copy(f, e.at(f, target, f.mul(loop.index, k)), e.at(f, source, f.mul(row, k)), nbytes)


solve = Routine("solve", "a b out", "t swaps order", "n k", _solve)


def _inv(f: Function, e: Elements, r: Arguments) -> Item:
    """A singular matrix fails, or becomes NaN where r.nan says so."""
    n, lwork, info, size = integer(f, r.n), integer(f, r.lwork), status(f), f.mul(r.n, r.n)
    fills = f.icmp("ne", r.nan, i64(0))

    def item(i: Value) -> Value:
        out = r.matrix("out", i, size)
        _factor(f, e, r, n, info, r.matrix("a", i, size))
        with f.when(f.not_(failed(f, info))):
            call(f, "getri", e.dtype, n, r.t, n, r.swaps, r.work, lwork, info)
            transposed(f, e, out, r.t, r.n, r.n)
        singular = failed(f, info)
        with f.when(f.and_(singular, fills)):
            map_elements(f, e, out, size, lambda x: e.number(float("nan")))
        return f.and_(singular, f.not_(fills))

    return item


inv = Routine("inv", "a out", "t swaps work", "n lwork nan", _inv)


def _odd_swaps(f: Function, r: Arguments) -> Value:
    """Whether an odd number of rows were swapped (i1)."""
    with f.loop(i64(0), r.n, carry=[Value("false", "i1")]) as loop:
        pivot = load_integer(f, r.swaps, loop.index)
        moved = f.icmp("ne", pivot, f.add(loop.index, i64(1)))
        loop.next(f.xor(loop.carry[0], moved))
    return loop.results[0]


def _det(f: Function, e: Elements, r: Arguments) -> Item:
    n, info, size = integer(f, r.n), status(f), f.mul(r.n, r.n)

    def item(i: Value) -> None:
        _factor(f, e, r, n, info, r.matrix("a", i, size))
        parts = product(f, e, r.t, r.n, r.n, _odd_swaps(f, r))
        e.store(f, _unless(f, e, failed(f, info), parts, 0.0), r.det, i)

    return item


def _unless(f: Function, e: Elements, singular: Value, parts: Number, value: float) -> Number:
    return tuple(f.select(singular, const(e.scalar, value), part) for part in parts)


det = Routine("det", "a det", "t swaps", "n", _det)


def _slogdet(f: Function, e: Elements, r: Arguments) -> Item:
    n, info, size, real = integer(f, r.n), status(f), f.mul(r.n, r.n), Elements(e.real)

    def item(i: Value) -> None:
        _factor(f, e, r, n, info, r.matrix("a", i, size))
        sign, logarithm = sign_and_logarithm(f, e, r.t, r.n, r.n, _odd_swaps(f, r))
        singular = failed(f, info)
        e.store(f, _unless(f, e, singular, sign, 0.0), r.sign, i)
        real.store(f, _unless(f, e, singular, (logarithm,), float("-inf")), r.logarithm, i)

    return item


slogdet = Routine("slogdet", "a sign logarithm", "t swaps", "n", _slogdet)
