"""Native qr, eigh, svd and eig, by the LAPACK routines that NumPy calls on the same numbers.

NumPy computes eigenvectors and singular vectors in double precision, and rounds: signs of vectors and the order of
complex eigenvalues hang on the last bits, so it is done here too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..lapack import call, failed, integer, letter, status
from ..llvm import Function, Value, const, i32, i64
from .batch import Arguments, Item, Prepare, Routine
from .elements import Elements, Number, cell, clear, copy
from .moves import convert, hermitian, transposed


def _qr(f: Function, e: Elements, r: Arguments) -> Item:
    """a: (m, n), q: (m, k), r: (k, n); j = min(m, n) reflectors."""
    m, n, k, j, lwork = (integer(f, x) for x in (r.m, r.n, r.k, r.j, r.lwork))
    info, generate, size = status(f), "ungqr" if e.complex else "orgqr", f.mul(r.m, r.n)

    def item(i: Value) -> None:
        transposed(f, e, r.t, r.matrix("a", i, size), r.m, r.n)
        call(f, "geqrf", e.dtype, m, n, r.t, m, r.tau, r.work, lwork, info)
        transposed(f, e, r.rows, r.t, r.n, r.m)
        _upper_rows(f, e, r.matrix("r", i, f.mul(r.k, r.n)), r.rows, r.k, r.n, r.j)
        call(f, generate, e.dtype, m, k, j, r.t, m, r.tau, r.work, lwork, info)
        transposed(f, e, r.matrix("q", i, f.mul(r.m, r.k)), r.t, r.k, r.m)

    return item


def _upper_rows(
    f: Function, e: Elements, target: Value, source: Value, rows: Value, n: Value, filled: Value
) -> None:
    """The upper triangle of `filled` rows of width n, zeros below it and in the other rows."""
    width = i64(e.bytes)
    with f.loop(i64(0), filled) as loop:
        i, row = loop.index, f.mul(loop.index, n)
        clear(f, e.at(f, target, row), f.mul(i, width))
        diagonal = f.add(row, i)
        copy(f, e.at(f, target, diagonal), e.at(f, source, diagonal), f.mul(f.sub(n, i), width))
    rest = f.mul(f.sub(rows, filled), n)
    clear(f, e.at(f, target, f.mul(filled, n)), f.mul(rest, width))


qr = Routine("qr", "a q r", "t rows tau work", "m n k j lwork", _qr)


Counts = Callable[[Function, Arguments], dict[str, Value]]
"""How many floats each array of a matrix holds; results come after the operand."""


def _in_double(prepare: Prepare, counts: Counts) -> Prepare:
    """The same for both precisions: single ones are converted, to and from the areas `wide_*`."""

    def prepare_any(f: Function, e: Elements, r: Arguments) -> Item:
        if e.scalar == "double":
            return prepare(f, e, r)
        wide = Elements(np.dtype("complex128" if e.complex else "float64"))
        number = counts(f, r)
        areas = {name: r.values[f"wide_{name}"] for name in number}
        inner = prepare(f, wide, Arguments(wide, f, {**r.values, **areas, "mean": i64(0)}))
        vectors = f.icmp("ne", r.job, i64(ord("N")))

        def item(i: Value) -> Value | None:
            places = {name: f.gep("float", r.values[name], f.mul(i, n)) for name, n in number.items()}
            _widen(f, e, r, places["a"], number["a"])
            failure = inner(i64(0))
            values, *others = [name for name in number if name != "a"]
            convert(f, places[values], "float", areas[values], "double", number[values])
            with f.when(vectors):
                for name in others:
                    convert(f, places[name], "float", areas[name], "double", number[name])
            return failure

        return item

    return prepare_any


def _widen(f: Function, e: Elements, r: Arguments, a: Value, count: Value) -> None:
    """The operand in double precision; the mean of a matrix and its adjoint is taken in its own."""
    if "mean" in r.values:
        mean = f.icmp("ne", r.mean, i64(0))
        hermitian(f, e, r.t, a, r.n, mean, adjoint=False)
        a = r.t
    convert(f, r.wide_a, "double", a, "float", count)


def _eigh(f: Function, e: Elements, r: Arguments) -> Item:
    """LAPACK's `?syevd` on a column-major copy, uplo as NumPy has it; vectors come in columns."""
    n, lwork, lrwork, liwork = (integer(f, x) for x in (r.n, r.lwork, r.lrwork, r.liwork))
    job, uplo, info, size = letter(f, r.job), letter(f, r.uplo), status(f), f.mul(r.n, r.n)
    mean, vectors, real = f.icmp("ne", r.mean, i64(0)), f.icmp("eq", r.job, i64(ord("V"))), Elements(e.real)
    name = "heevd" if e.complex else "syevd"
    work = [r.work, lwork, *([r.rwork, lrwork] if e.complex else []), r.iwork, liwork]

    def item(i: Value) -> Value:
        hermitian(f, e, r.t, r.matrix("a", i, size), r.n, mean, adjoint=True)
        call(f, name, e.dtype, job, uplo, n, r.t, n, r.matrix("w", i, r.n, real), *work, info)
        with f.when(vectors):
            v = r.matrix("v", i, size)
            transposed(f, e, v, r.t, r.n, r.n)
            if e.complex:
                _real_first_row(f, e, v, r.n, r.n)
        return failed(f, info)

    return item


def _real_first_row(f: Function, e: Elements, v: Value, rows: Value, columns: Value) -> None:
    """Columns turned so that their first component is real; those that are so already stay."""
    with f.loop(i64(0), columns) as loop:
        turn = _turn(f, e, e.load(f, v, loop.index))
        with f.loop(i64(0), rows) as inner:
            place = cell(f, inner.index, columns, loop.index)
            e.store(f, e.mul(f, e.load(f, v, place), turn), v, place)


def _turn(f: Function, e: Elements, x: Number) -> Number:
    """conj(x) / |x|, and 1 for real x."""
    suffix = "" if e.scalar == "double" else "f"
    zero, one = const(e.scalar, 0.0), const(e.scalar, 1.0)
    real = f.fcmp("oeq", x[1], zero)
    size = f.select(real, one, f.call(f"hypot{suffix}", e.scalar, list(x)))
    return f.select(real, one, f.fdiv(x[0], size)), f.select(real, zero, f.fneg(f.fdiv(x[1], size)))


def _eigh_counts(f: Function, r: Arguments) -> dict[str, Value]:
    size = f.mul(f.mul(r.n, r.n), i64(r.e.parts))
    return {"a": size, "w": r.n, "v": size}


eigh = Routine(
    "eigh",
    "a w v",
    "t work rwork iwork wide_a wide_w wide_v",
    "n job uplo mean lwork lrwork liwork",
    _in_double(_eigh, _eigh_counts),
)


def _svd(f: Function, e: Elements, r: Arguments) -> Item:
    """a: (m, n), u: (m, p), vh: (q, n), s: (j); `?gesdd` on a column-major copy."""
    m, n, q, lwork = (integer(f, x) for x in (r.m, r.n, r.q, r.lwork))
    job, info, real = letter(f, r.job), status(f), Elements(e.real)
    vectors = f.icmp("ne", r.job, i64(ord("N")))
    work = [r.work, lwork, *([r.rwork] if e.complex else []), r.iwork]

    def item(i: Value) -> Value:
        transposed(f, e, r.t, r.matrix("a", i, f.mul(r.m, r.n)), r.m, r.n)
        s = r.matrix("s", i, r.j, real)
        call(f, "gesdd", e.dtype, job, m, n, r.t, m, s, r.left, m, r.right, q, *work, info)
        with f.when(vectors):
            u, vh = r.matrix("u", i, f.mul(r.m, r.p)), r.matrix("vh", i, f.mul(r.q, r.n))
            transposed(f, e, u, r.left, r.p, r.m)
            transposed(f, e, vh, r.right, r.n, r.q)
            if e.complex:
                _real_first_column(f, e, u, vh, r)
        return failed(f, info)

    return item


def _real_first_column(f: Function, e: Elements, u: Value, vh: Value, r: Arguments) -> None:
    """Pairs of singular vectors turned so that the first column of vh is real."""
    with f.loop(i64(0), r.j) as loop:
        row = f.mul(loop.index, r.n)
        turn = _turn(f, e, e.load(f, vh, row))
        back = e.conj(f, turn)
        with f.loop(i64(0), r.n) as inner:
            place = f.add(row, inner.index)
            e.store(f, e.mul(f, e.load(f, vh, place), turn), vh, place)
        with f.loop(i64(0), r.m) as inner:
            place = cell(f, inner.index, r.p, loop.index)
            e.store(f, e.mul(f, e.load(f, u, place), back), u, place)


def _svd_counts(f: Function, r: Arguments) -> dict[str, Value]:
    parts = i64(r.e.parts)
    return {
        "a": f.mul(f.mul(r.m, r.n), parts),
        "s": r.j,
        "u": f.mul(f.mul(r.m, r.p), parts),
        "vh": f.mul(f.mul(r.q, r.n), parts),
    }


svd = Routine(
    "svd",
    "a u s vh",
    "t left right work rwork iwork wide_a wide_s wide_u wide_vh",
    "m n p q j job lwork",
    _in_double(_svd, _svd_counts),
)


def _eig(f: Function, e: Elements, r: Arguments) -> Item:
    """`?geev` on a column-major copy; matrices with inf or NaN fail, as with NumPy."""
    n, lwork, info, size = integer(f, r.n), integer(f, r.lwork), status(f), f.mul(r.n, r.n)
    job, vectors = letter(f, r.job), f.icmp("eq", r.job, i64(ord("V")))

    def item(i: Value) -> Value:
        a = r.matrix("a", i, size)
        f.store(i32(1), info)
        with f.when(_finite(f, e, a, size)):
            transposed(f, e, r.t, a, r.n, r.n)
            if e.complex:
                w = r.matrix("w", i, r.n)
                matrices = [w, r.vectors, n, r.vectors, n]
                call(f, "geev", e.dtype, "N", job, n, r.t, n, *matrices, r.work, lwork, r.rwork, info)
                with f.when(vectors):
                    transposed(f, e, r.matrix("v", i, size), r.vectors, r.n, r.n)
            else:
                imag = e.at(f, r.rwork, r.n)
                matrices = [r.rwork, imag, r.vectors, n, r.vectors, n]
                call(f, "geev", e.dtype, "N", job, n, r.t, n, *matrices, r.work, lwork, info)
                _pair(f, e, r, i, imag, vectors)
        return failed(f, info)

    return item


def _finite(f: Function, e: Elements, a: Value, count: Value) -> Value:
    with f.loop(i64(0), count, carry=[Value("true", "i1")]) as loop:
        good = loop.carry[0]
        for x in e.load(f, a, loop.index):
            good = f.and_(good, f.fcmp("olt", f.fabs(x), const(e.scalar, float("inf"))))
        loop.next(good)
    return loop.results[0]


def _pair(f: Function, e: Elements, r: Arguments, i: Value, imag: Value, vectors: Value) -> None:
    """Complex eigenvalues and vectors from what `?geev` gives for real matrices.

    A pair of conjugate values has the real and the imaginary part of its first vector in two columns.
    """
    n, size = r.n, f.mul(r.n, r.n)
    w = f.gep(e.scalar, r.w, f.mul(f.mul(i, n), i64(2)))
    v = f.gep(e.scalar, r.v, f.mul(f.mul(i, size), i64(2)))
    zero = const(e.scalar, 0.0)
    with f.loop(i64(0), n) as loop:
        k = loop.index
        (re,), (im,) = e.load(f, r.rwork, k), e.load(f, imag, k)
        place = f.gep(e.scalar, w, f.mul(k, i64(2)))
        f.store(re, place)
        f.store(im, f.gep(e.scalar, place, i64(1)))
        with f.when(vectors):
            second, first = f.fcmp("olt", im, zero), f.fcmp("ogt", im, zero)
            column = f.select(second, f.sub(k, i64(1)), k)
            paired = f.or_(first, second)
            with f.loop(i64(0), n) as rows:
                at = cell(f, column, n, rows.index)
                (x,), (y,) = e.load(f, r.vectors, at), _second_part(f, e, r.vectors, at, n, paired)
                y = f.select(second, f.fneg(y), y)
                target = f.gep(e.scalar, v, f.mul(cell(f, rows.index, n, k), i64(2)))
                f.store(x, target)
                f.store(y, f.gep(e.scalar, target, i64(1)))


def _second_part(f: Function, e: Elements, vectors: Value, at: Value, n: Value, paired: Value) -> Number:
    """The imaginary part, in the column after; zero for a real vector."""
    (y,) = e.load(f, vectors, f.select(paired, f.add(at, n), at))
    return (f.select(paired, y, const(e.scalar, 0.0)),)


def _eig_counts(f: Function, r: Arguments) -> dict[str, Value]:
    size = f.mul(r.n, r.n)
    return {"a": f.mul(size, i64(r.e.parts)), "w": f.mul(r.n, i64(2)), "v": f.mul(size, i64(2))}


eig = Routine(
    "eig",
    "a w v",
    "t vectors work rwork wide_a wide_w wide_v",
    "n job lwork",
    _in_double(_eig, _eig_counts),
)
