"""cholesky, triangular_solve, lu, solve, inv, det and slogdet of real matrices by kernels of our own.

Same results as `systems`, without LAPACK: several times as fast on batches of matrices up to a hundred or so.
"""

from __future__ import annotations

from ..llvm import Function, Value, const, i64
from .batch import Arguments, Item, Routine
from .determinants import product, sign_and_logarithm
from .elements import Elements, cell, clear, copy
from .kernels import kernel_name
from .moves import map_elements, transposed_rows
from .padding import average_rows, clear_below, clear_padding, pad_rows, take_rows


def _cholesky(f: Function, e: Elements, r: Arguments) -> Item:
    """The kernel wants the upper triangle and gives the upper factor, hence the transpositions."""
    size, mean, kernel = f.mul(r.n, r.n), f.icmp("ne", r.mean, i64(0)), kernel_name("cholesky", e.scalar)

    def item(i: Value) -> Value:
        a, out = r.matrix("a", i, size), r.matrix("out", i, size)
        clear_padding(f, e.scalar, r.t, r.width, r.n)
        transposed_rows(f, e, r.t, r.width, a, r.n, r.n, r.n)
        with f.when(mean):
            average_rows(f, e.scalar, r.t, r.width, a, r.n)
        bad = f.call(kernel, "i1", [r.t, r.n, r.width])
        clear_below(f, e.scalar, r.t, r.width, r.n)
        transposed_rows(f, e, out, r.n, r.t, r.width, r.n, r.n)
        return bad

    return item


cholesky = Routine("small_cholesky", "a out", "t", "n mean width", _cholesky, lapack=False)


def _solve_factored(f: Function, e: Elements, r: Arguments, x: Value, k: Value) -> None:
    """x = U^-1 L^-1 x for the factors in r.t: L from the first corner on, U from the last."""
    kernel, last = kernel_name("substitute", e.scalar), f.sub(r.n, i64(1))
    f.call(kernel, "void", [x, k, k, r.t, r.width, i64(1), r.n, i64(1)])
    row, corner = e.at(f, x, f.mul(last, k)), e.at(f, r.t, cell(f, last, r.width, last))
    up, left = f.sub(i64(0), k), f.sub(i64(0), r.width)
    f.call(kernel, "void", [row, k, up, corner, left, i64(-1), r.n, i64(0)])


def _triangular_solve(f: Function, e: Elements, r: Arguments) -> Item:
    """`flip` starts from the last corner; `down` and `across` are the steps in op(a)."""
    size, block, last = f.mul(r.n, r.n), f.mul(r.n, r.k), f.sub(r.n, i64(1))
    flip, sign = f.icmp("ne", r.flip, i64(0)), f.select(f.icmp("ne", r.flip, i64(0)), i64(-1), i64(1))
    row = f.select(flip, f.mul(last, r.k), i64(0))
    corner = f.select(flip, cell(f, last, r.n, last), i64(0))
    steps = [f.mul(sign, x) for x in (r.k, r.down, r.across)]
    kernel = kernel_name("substitute", e.scalar)

    def item(i: Value) -> None:
        a, out = r.matrix("a", i, size), r.matrix("out", i, block)
        copy(f, out, r.matrix("b", i, block), f.mul(block, i64(e.bytes)))
        step, down, across = steps
        x, a = e.at(f, out, row), e.at(f, a, corner)
        f.call(kernel, "void", [x, r.k, step, a, down, across, r.n, r.unit])

    return item


triangular_solve = Routine(
    "small_triangular_solve",
    "a b out",
    "",
    "n k flip down across unit",
    _triangular_solve,
    lapack=False,
)


def _lu(f: Function, e: Elements, r: Arguments) -> Item:
    size, refuse = f.mul(r.m, r.n), f.icmp("ne", r.refuse, i64(0))

    def item(i: Value) -> Value:
        packed, pivots = r.matrix("packed", i, size), f.gep("i32", r.pivots, f.mul(i, r.k))
        pad_rows(f, e.scalar, r.t, r.width, r.matrix("a", i, size), r.m, r.n)
        f.call(kernel_name("eliminate", e.scalar), "void", [r.t, r.m, r.n, r.width, pivots])
        take_rows(f, e.scalar, packed, r.t, r.width, r.m, r.n)
        _order(f, f.gep("i32", r.order, f.mul(i, r.m)), r.m, pivots, r.k)
        return f.and_(refuse, _zero_pivot(f, e, packed, r.n, r.k))

    return item


def _order(f: Function, order: Value, m: Value, pivots: Value, k: Value) -> None:
    """The order of rows that swapping row i with row pivots[i], for i = 0, 1, ..., makes."""
    with f.loop(i64(0), m) as loop:
        f.store(f.cast("trunc", loop.index, "i32"), f.gep("i32", order, loop.index))
    with f.loop(i64(0), k) as loop:
        pivot = f.cast("sext", f.load("i32", f.gep("i32", pivots, loop.index)), "i64")
        here, there = f.gep("i32", order, loop.index), f.gep("i32", order, pivot)
        x, y = f.load("i32", here), f.load("i32", there)
        f.store(y, here)
        f.store(x, there)


def _zero_pivot(f: Function, e: Elements, packed: Value, width: Value, k: Value) -> Value:
    with f.loop(i64(0), k, carry=[Value("false", "i1")]) as loop:
        x = e.load(f, packed, cell(f, loop.index, width, loop.index))
        loop.next(f.or_(loop.carry[0], e.is_zero(f, x)))
    return loop.results[0]


lu = Routine("small_lu", "a packed pivots order", "t", "m n k refuse width", _lu, lapack=False)


def _factor(f: Function, e: Elements, r: Arguments, a: Value) -> Value:
    """LU factors of a in r.t, pivots in r.swaps; gives whether a is singular."""
    pad_rows(f, e.scalar, r.t, r.width, a, r.n, r.n)
    f.call(kernel_name("eliminate", e.scalar), "void", [r.t, r.n, r.n, r.width, r.swaps])
    return _zero_pivot(f, e, r.t, r.width, r.n)


def _solve(f: Function, e: Elements, r: Arguments) -> Item:
    size, block = f.mul(r.n, r.n), f.mul(r.n, r.k)

    def item(i: Value) -> Value:
        singular = _factor(f, e, r, r.matrix("a", i, size))
        _order(f, r.order, r.n, r.swaps, r.n)
        out, b = r.matrix("out", i, block), r.matrix("b", i, block)
        nbytes = f.mul(r.k, i64(e.bytes))
        with f.loop(i64(0), r.n) as loop:
            row = f.cast("sext", f.load("i32", f.gep("i32", r.order, loop.index)), "i64")
            copy(f, e.at(f, out, f.mul(loop.index, r.k)), e.at(f, b, f.mul(row, r.k)), nbytes)
        _solve_factored(f, e, r, out, r.k)
        return singular

    return item


solve = Routine("small_solve", "a b out", "t swaps order", "n k width", _solve, lapack=False)


def _inv(f: Function, e: Elements, r: Arguments) -> Item:
    """Columns of the identity, in the order of the rows, solved for."""
    size, fills = f.mul(r.n, r.n), f.icmp("ne", r.nan, i64(0))

    def item(i: Value) -> Value:
        out = r.matrix("out", i, size)
        singular = _factor(f, e, r, r.matrix("a", i, size))
        _order(f, r.order, r.n, r.swaps, r.n)
        clear(f, out, f.mul(size, i64(e.bytes)))
        with f.loop(i64(0), r.n) as loop:
            column = f.cast("sext", f.load("i32", f.gep("i32", r.order, loop.index)), "i64")
            e.store(f, e.number(1.0), out, cell(f, loop.index, r.n, column))
        _solve_factored(f, e, r, out, r.n)
        with f.when(f.and_(singular, fills)):
            map_elements(f, e, out, size, lambda x: e.number(float("nan")))
        return f.and_(singular, f.not_(fills))

    return item


inv = Routine("small_inv", "a out", "t swaps order", "n nan width", _inv, lapack=False)


def _odd_swaps(f: Function, r: Arguments) -> Value:
    with f.loop(i64(0), r.n, carry=[Value("false", "i1")]) as loop:
        pivot = f.load("i32", f.gep("i32", r.swaps, loop.index))
        moved = f.icmp("ne", pivot, f.cast("trunc", loop.index, "i32"))
        loop.next(f.xor(loop.carry[0], moved))
    return loop.results[0]


def _det(f: Function, e: Elements, r: Arguments) -> Item:
    size = f.mul(r.n, r.n)

    def item(i: Value) -> None:
        singular = _factor(f, e, r, r.matrix("a", i, size))
        (x,) = product(f, e, r.t, r.width, r.n, _odd_swaps(f, r))
        e.store(f, (f.select(singular, const(e.scalar, 0.0), x),), r.det, i)

    return item


det = Routine("small_det", "a det", "t swaps", "n width", _det, lapack=False)


def _slogdet(f: Function, e: Elements, r: Arguments) -> Item:
    size = f.mul(r.n, r.n)

    def item(i: Value) -> None:
        singular = _factor(f, e, r, r.matrix("a", i, size))
        sign, logarithm = sign_and_logarithm(f, e, r.t, r.width, r.n, _odd_swaps(f, r))
        e.store(f, (f.select(singular, const(e.scalar, 0.0), sign[0]),), r.sign, i)
        e.store(f, (f.select(singular, const(e.scalar, float("-inf")), logarithm),), r.logarithm, i)

    return item


slogdet = Routine("small_slogdet", "a sign logarithm", "t swaps", "n width", _slogdet, lapack=False)
