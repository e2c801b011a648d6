"""Linear systems: cholesky, triangular_solve, lu, solve, inv, det, slogdet. Spectral ones are in `spectral`.

All work on (..., n, n) in float32, float64, complex64 and complex128; the axes before the last two are a batch.
Derivatives follow Giles, "An extended collection of matrix derivative results" (2008), and Seeger et al.,
"Auto-Differentiating Linear Algebra" (2017). Factorizations of singular or indefinite matrices raise LinAlgError.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, Unknown, Zero, absent
from ..core.trace import bind
from . import _lapack
from ._lapack import attempt
from ._matrices import (
    MatrixPrimitive,
    check_matrices,
    column,
    half,
    hermitian,
    identity_mask,
    imaginary,
    lower_triangle,
    matmul,
    real_part,
    swap,
    upper_triangle,
)
from .elementwise import bit_and, conj, ge, mul, select
from .families import to_front, zero_of
from .reductions import reduce_sum
from .shape import broadcast_p, iota, move_axis, pad, reshape, slice_axis
from .sorting import permute

SINGULAR = "the matrix is singular"
_SINGULAR_ADVICE = "fx.numpy.linalg.pinv and lstsq take singular matrices."


def cholesky(a: Any, symmetrize_input: bool = True) -> Any:
    """Lower triangular L with L L^H = a, for Hermitian positive definite a: (..., n, n).

    Args:
        symmetrize_input: factor (a + a^H) / 2, so that the gradient is Hermitian too; otherwise only the lower
            triangle of a is read, and gets the whole gradient.

    Raises:
        LinAlgError: a matrix is not positive definite.
    """
    return bind(cholesky_p, a, part="mean" if symmetrize_input else "lower")


def triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool = True,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """x with op(a) x = b (or x op(a) = b unless `left_side`) for triangular a; the other triangle is not read.

    a: (*batch, n, n), b: (*batch, n, k) or (*batch, k, n). op transposes and conjugates as asked; `unit_diagonal`
    takes the diagonal as ones. A zero on the diagonal gives inf and NaN.
    """
    if not left_side:
        x = triangular_solve(
            a,
            swap(b),
            lower=lower,
            transpose_a=not transpose_a,
            conjugate_a=conjugate_a,
            unit_diagonal=unit_diagonal,
        )
        return swap(x)
    return bind(
        triangular_solve_p,
        a,
        b,
        lower=lower,
        transpose_a=transpose_a,
        conjugate_a=conjugate_a,
        unit=unit_diagonal,
    )


def lu(a: Any) -> tuple[Any, Any, Any]:
    """(lu, pivots, permutation) of a: (..., m, n), with partial pivoting: a[permutation] = L U.

    lu: (..., m, n) holds U on and above the diagonal and L, which has ones there, below; pivots: (..., min(m, n))
    says which row was swapped with each, permutation: (..., m) the order of rows; both int32.
    """
    return tuple(bind(lu_p, a, singular="keep"))  # type: ignore[return-value]


def lu_solve(factors: Any, permutation: Any, b: Any, transpose_a: bool = False) -> Any:
    """a^-1 b, or a^-T b, from the first and the last result of lu(a). b: (*batch, n, k)."""
    order = _rows(permutation, b.shape)
    axis = b.ndim - 2
    if transpose_a:
        b = triangular_solve(factors, b, lower=False, transpose_a=True)
        b = triangular_solve(factors, b, lower=True, transpose_a=True, unit_diagonal=True)
        return permute(b, order, axis, inverse=True)
    b = triangular_solve(factors, permute(b, order, axis), lower=True, unit_diagonal=True)
    return triangular_solve(factors, b, lower=False)


def _rows(permutation: Any, shape: tuple[int, ...]) -> Any:
    """The row order for every column. permutation: (*batch, m), shape: (*batch, m, k)."""
    return bind(broadcast_p, permutation, shape=tuple(shape), axes=tuple(range(len(shape) - 1)))


def solve(a: Any, b: Any) -> Any:
    """x with a x = b. a: (*batch, n, n), b: (*batch, n, k). LinAlgError if a is singular."""
    return bind(solve_p, a, b)


def inv(a: Any, singular: str = "raise") -> Any:
    """The inverse of a: (..., n, n). Singular matrices raise LinAlgError, or become NaN with singular="nan"."""
    return bind(inv_p, a, singular=singular)


def det(a: Any) -> Any:
    """The determinant of a: (..., n, n); the gradient (the cofactors) is right at singular matrices too."""
    return bind(det_p, a)


def slogdet(a: Any) -> tuple[Any, Any]:
    """(sign, log|det a|) of a: (..., n, n); (0, -inf) for singular matrices, which have no gradient."""
    return tuple(bind(slogdet_p, a))  # type: ignore[return-value]


def cofactor(a: Any) -> Any:
    """The cofactors of a: (..., n, n), the derivative of det; a^-T det(a) where a is regular, defined everywhere."""
    return bind(cofactor_p, a)


class Cholesky(MatrixPrimitive):
    """The factor of the Hermitian matrix that `part` ("mean", "lower") of the operand defines."""

    name = "cholesky"
    square = True
    flops = 1

    def impl(self, xp: Any, a: Any, *, part: str) -> Any:
        if part == "mean":
            a = (a + xp.swapaxes(a, -1, -2).conj()) * a.dtype.type(0.5)
        advice = "Add a multiple of the identity, a + 1e-6 * eye(n), or use eigh for indefinite matrices."
        return attempt(xp, self.name, "the matrix is not positive definite", advice, xp.linalg.cholesky, a)

    def shape(self, a: Aval, *, part: str) -> Aval:
        self.check(a)
        return a

    def jvp(self, primals: Any, out: Any, tangents: Any, *, part: str) -> Any:
        """dL = L Phi(L^-1 dA L^-H), where Phi keeps the lower triangle and half the diagonal."""
        da = hermitian(tangents[0], part)
        inner = triangular_solve(out, da, lower=True)
        inner = triangular_solve(out, inner, left_side=False, lower=True, transpose_a=True, conjugate_a=True)
        return matmul(out, select(identity_mask(out.shape[-1]), half(inner), lower_triangle(inner)))

    transpose = absent("a factorization is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        oracle = lambda a, part: np.linalg.cholesky((a + np.swapaxes(a, -1, -2).conj()) / 2)
        mats = [
            _positive(rng, 3),
            _positive(rng, 2, 3),
            _positive(rng, 1),
            np.zeros((0, 0)),
            np.zeros((0, 2, 2)),
        ]
        skewed = _positive(rng, 3) + np.array([[0, 0.3, 0], [-0.3, 0, 0], [0, 0, 0]])
        return [
            *[Sample((a,), {"part": "mean"}, oracle) for a in [*mats, skewed]],
            Sample((_positive(rng, 3),), {"part": "lower"}, lambda a, part: np.linalg.cholesky(a)),
        ]


class TriangularSolve(MatrixPrimitive):
    """op(a)^-1 b for triangular a: (*batch, n, n), b: (*batch, n, k)."""

    name = "triangular_solve"
    flops = 1

    def impl(
        self, xp: Any, a: Any, b: Any, *, lower: bool, transpose_a: bool, conjugate_a: bool, unit: bool
    ) -> Any:
        return _lapack.solve_triangular(
            xp, a, b, lower=lower, transpose=transpose_a, conjugate=conjugate_a, unit=unit
        )

    def shape(self, a: Aval, b: Aval, **params: Any) -> Aval:
        _check_system(self.name, a, b)
        return b

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        """dX = op(A)^-1 (dB - op(dA) X), dA taken in the triangle that is read."""
        (a, _), (da, db) = primals, tangents
        if type(da) is Zero:
            return self(a, db, **params)
        side = -1 if params["unit"] else 0
        da = lower_triangle(da, side) if params["lower"] else upper_triangle(da, -side)
        da = swap(da) if params["transpose_a"] else da
        da = conj(da) if params["conjugate_a"] and da.dtype.kind == "c" else da
        change = matmul(da, out)
        return self(a, -change if type(db) is Zero else db - change, **params)

    def transpose(self, ct: Any, a: Any, b: Any, **params: Any) -> list[Any]:
        _linear_in_right_side(self.name, a)
        return [None, self(a, ct, **{**params, "transpose_a": not params["transpose_a"]})]

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        return _batch_system(self, axis, operands, dims, params)

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for n, (lower, transpose_a, conjugate_a, unit) in enumerate(
            [
                (True, False, False, False),
                (False, True, False, True),
                (True, True, True, True),
                (False, False, True, False),
            ]
        ):
            params = {"lower": lower, "transpose_a": transpose_a, "conjugate_a": conjugate_a, "unit": unit}
            batch = [(), (2,), (0,), (2, 2)][n]
            a, b = rng.normal(size=(*batch, 3, 3)) + 3 * np.eye(3), rng.normal(size=(*batch, 3, 2))
            out.append(Sample((a, b), params, _triangular_oracle))
        empty = {"lower": True, "transpose_a": False, "conjugate_a": False, "unit": False}
        return [*out, Sample((np.zeros((0, 0)), np.zeros((0, 2))), empty, _triangular_oracle)]


def _triangular_oracle(a: Any, b: Any, lower: bool, transpose_a: bool, conjugate_a: bool, unit: bool) -> Any:
    a = np.tril(a) if lower else np.triu(a)
    if unit:
        a = a * (1 - np.eye(a.shape[-1])) + np.eye(a.shape[-1])
    a = np.swapaxes(a, -1, -2) if transpose_a else a
    return np.linalg.solve(a.conj() if conjugate_a else a, b)


def _check_system(name: str, a: Aval, b: Aval) -> None:
    check_matrices(name, (a, b), square=False)
    if a.shape[-1] != a.shape[-2] or a.shape[-1] != b.shape[-2]:
        raise errors.ShapeError(f"{name} takes a: (*batch, n, n) and b: (*batch, n, k); got {a} and {b}.")


def _linear_in_right_side(name: str, a: Any) -> None:
    if type(a) is Unknown:
        raise errors.RuleError(f"{name} is linear in its right-hand side, not in its matrix.")


def _batch_system(prim: Primitive, axis: Any, operands: Any, dims: Any, params: Any) -> Any:
    """A batch of right-hand sides alone becomes more columns, so that the matrix is factored once."""
    (a, b), (da, db) = operands, dims
    if da is not None:
        return prim(to_front(a, da, axis.size), to_front(b, db, axis.size), **params), 0
    last = b.ndim - 1
    b = move_axis(b, db, last)
    columns = reshape(b, (*b.shape[:-2], b.shape[-2] * b.shape[-1]))
    return reshape(prim(a, columns, **params), b.shape), last


class LU(MatrixPrimitive):
    """(lu, pivots, permutation); with singular="raise" a zero on the diagonal of U is an error."""

    name = "lu"
    multiple = True
    flops = 1

    def impl(self, xp: Any, a: Any, *, singular: str) -> Any:
        packed, pivots, order = _lapack.lu(xp, a)
        if singular == "raise":
            _refuse_zero_pivots(xp, packed)
        return packed, pivots, order

    def shape(self, a: Aval, *, singular: str) -> Any:
        self.check(a)
        *batch, m, n = a.shape
        int32 = np.dtype("int32")
        return a, Aval((*batch, min(m, n)), int32), Aval((*batch, m), int32)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, singular: str) -> Any:
        """L^-1 P dA U^-1 = L^-1 dL + dU U^-1: strictly lower and upper part of one matrix."""
        packed, pivots, order = out
        l, u = _square_factors(packed)
        inner = permute(tangents[0], _rows(order, packed.shape), packed.ndim - 2)
        inner = triangular_solve(l, inner, lower=True, unit_diagonal=True)
        inner = triangular_solve(u, inner, left_side=False)
        d_packed = matmul(l, lower_triangle(inner, -1)) + matmul(upper_triangle(inner), u)
        return [d_packed, zero_of(pivots), zero_of(order)]

    transpose = absent("a factorization is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        shapes = [(3, 3), (4, 2), (2, 4), (2, 3, 3), (0, 0), (3, 0), (0, 2, 2), (1, 1)]
        return [Sample((rng.normal(size=s),), {"singular": "keep"}, _lu_oracle) for s in shapes]


def _refuse_zero_pivots(xp: Any, packed: Any) -> None:
    zero = xp.any(xp.diagonal(packed, axis1=-2, axis2=-1) == 0, axis=-1)
    if bool(zero.any()):
        host = np.asarray(zero if xp is np else zero.get())
        place = f"matrix {list(map(int, np.argwhere(host)[0]))} of " if host.ndim else ""
        raise errors.LinAlgError(
            errors.lines(
                f"solve: {SINGULAR}.", f"{place}{Aval(packed.shape, packed.dtype)}", _SINGULAR_ADVICE
            )
        )


def _square_factors(packed: Any) -> tuple[Any, Any]:
    """L: (m, m) and U: (n, n), filled up with the identity where the matrix ends."""
    m, n = packed.shape[-2:]
    k = min(m, n)
    l, u = slice_axis(packed, 0, k, packed.ndim - 1), slice_axis(packed, 0, k, packed.ndim - 2)
    l, u = lower_triangle(l, -1), upper_triangle(u)
    one = packed.dtype.type(1)
    l = select(identity_mask(m), one, _padded(l, 0, m - k))
    u = _padded(u, n - k, 0)
    beyond = bit_and(identity_mask(n), ge(iota((1, n), 1), np.int64(k)))
    return l, select(beyond, one, u) if n > k else u


def _padded(a: Any, rows: int, columns: int) -> Any:
    none = [0] * a.ndim
    return pad(a, none, [*none[:-2], rows, columns], none)


def _lu_oracle(a: Any, singular: str) -> Any:
    """Row by row, in plain Python."""
    lead, (m, n) = a.shape[:-2], a.shape[-2:]
    packed = a.astype(np.float64 if a.dtype.kind == "f" else np.complex128)
    pivots, order = np.zeros((*lead, min(m, n)), np.int32), np.zeros((*lead, m), np.int32)
    for i in np.ndindex(lead):
        x, rows = packed[i], list(range(m))
        for j in range(min(m, n)):
            p = j + int(np.argmax(np.abs(x[j:, j].real) + np.abs(x[j:, j].imag)))
            x[[j, p]], rows[j], rows[p], pivots[(*i, j)] = x[[p, j]], rows[p], rows[j], p
            x[j + 1 :, j] /= x[j, j]
            x[j + 1 :, j + 1 :] -= np.outer(x[j + 1 :, j], x[j, j + 1 :])
        order[i] = rows
    return packed.astype(a.dtype), pivots, order


class Solve(MatrixPrimitive):
    """a^-1 b. Its derivative is another system with the same matrix, so a differentiated solve factors a once."""

    name = "solve"
    flops = 1

    def impl(self, xp: Any, a: Any, b: Any) -> Any:
        if b.size == 0:
            return xp.zeros(b.shape, b.dtype)
        return attempt(xp, self.name, SINGULAR, _SINGULAR_ADVICE, xp.linalg.solve, a, b)

    def shape(self, a: Aval, b: Aval) -> Aval:
        _check_system(self.name, a, b)
        return b

    def push(self, primals: Any, tangents: Any) -> Any:
        """dX = A^-1 (dB - dA X), from the LU factors that gave X."""
        (a, b), (da, db) = primals, tangents
        factors, _, order = bind(lu_p, a, singular="raise")
        x = lu_solve(factors, order, b)
        if type(da) is Zero:
            return x, lu_solve(factors, order, db)
        change = matmul(da, x)
        return x, lu_solve(factors, order, -change if type(db) is Zero else db - change)

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        return self.push(primals, tangents)[1]

    def transpose(self, ct: Any, a: Any, b: Any) -> list[Any]:
        _linear_in_right_side(self.name, a)
        return [None, self(swap(a), ct)]

    def batch(self, axis: Any, operands: Any, dims: Any) -> Any:
        return _batch_system(self, axis, operands, dims, {})

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for batch, n, k in (((), 3, 2), ((2,), 3, 1), ((2, 2), 2, 2), ((), 1, 1), ((), 0, 2), ((0,), 2, 1)):
            a, b = _regular(rng, *batch, n), rng.normal(size=(*batch, n, k))
            out.append(Sample((a, b), {}, lambda a, b: np.matmul(np.linalg.inv(a), b)))
        return out


class Inv(MatrixPrimitive):
    """a^-1; singular is "raise" or "nan"."""

    name = "inv"
    square = True

    def impl(self, xp: Any, a: Any, *, singular: str) -> Any:
        if a.size == 0:
            return xp.zeros(a.shape, a.dtype)
        if singular == "raise":
            return attempt(xp, self.name, SINGULAR, _SINGULAR_ADVICE, xp.linalg.inv, a)
        return _lapack.each(xp, xp.linalg.inv, a)

    def shape(self, a: Aval, *, singular: str) -> Aval:
        self.check(a)
        return a

    def jvp(self, primals: Any, out: Any, tangents: Any, *, singular: str) -> Any:
        return -matmul(matmul(out, tangents[0]), out)

    transpose = absent("an inverse is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        oracle = lambda a, singular: np.linalg.solve(a, np.broadcast_to(np.eye(a.shape[-1]), a.shape))
        mats = [
            _regular(rng, 3),
            _regular(rng, 2, 3),
            _regular(rng, 1),
            np.zeros((0, 0)),
            np.zeros((0, 2, 2)),
        ]
        return [Sample((a,), {"singular": "raise"}, oracle) for a in mats]


class Det(MatrixPrimitive):
    """The determinant; its derivative by an element is that element's cofactor."""

    name = "det"
    square = True
    flops = 1

    def impl(self, xp: Any, a: Any) -> Any:
        return xp.linalg.det(a)

    def shape(self, a: Aval) -> Aval:
        self.check(a)
        return Aval(a.shape[:-2], a.dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        return _inner(cofactor(primals[0]), tangents[0])

    transpose = absent("a determinant is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        rank_three = rng.normal(size=(4, 3)) @ rng.normal(size=(3, 4))
        mats = [rng.normal(size=s) for s in ((3, 3), (2, 4, 4), (1, 1), (0, 0), (0, 2, 2))]
        return [Sample((a,), {}, np.linalg.det) for a in [*mats, rank_three, np.zeros((2, 2))]]


def _inner(a: Any, b: Any) -> Any:
    """sum_ij a_ij b_ij: (*batch)."""
    return reduce_sum(mul(a, b), axes=(a.ndim - 2, a.ndim - 1))


class Cofactor(MatrixPrimitive):
    """The cofactors of a; with a direction e, their derivative along e. Neither divides: they hold at any rank.

    The derivative is the second differential of det, a symmetric bilinear form, hence its own transpose.
    """

    name = "cofactor"
    square = True
    flops = 20

    def impl(self, xp: Any, a: Any, *direction: Any) -> Any:
        return _lapack.cofactors(xp, a, *direction)

    def shape(self, a: Aval, *direction: Aval) -> Aval:
        self.check(a, *direction)
        if direction and direction[0].shape != a.shape:
            raise errors.ShapeError(f"cofactor: the direction {direction[0]} has another shape than {a}.")
        return a

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        a, *direction = primals
        da, *d_direction = tangents
        if not direction:
            return self(a, da)
        along = [self(a, d_direction[0])] if type(d_direction[0]) is not Zero else []
        across = [_third_differential(a, direction[0], da)] if type(da) is not Zero else []
        terms = along + across
        return terms[0] + terms[1] if len(terms) > 1 else terms[0]

    def transpose(self, ct: Any, a: Any, *direction: Any) -> list[Any]:
        if type(a) is Unknown or not direction:
            raise errors.RuleError("cofactor is linear in its direction only.")
        return [None, self(a, ct)]

    def samples(self, rng: Any) -> Iterable[Sample]:
        regular = [
            _regular(rng, 3),
            _regular(rng, 2, 2),
            _regular(rng, 1),
            np.zeros((0, 0)),
            np.zeros((0, 2, 2)),
        ]
        rank_two = rng.normal(size=(4, 2)) @ rng.normal(size=(2, 4))
        return [
            *[Sample((a,), {}, _cofactor_oracle) for a in [*regular, rank_two]],
            *[Sample((a, rng.normal(size=a.shape)), {}, _cofactor_oracle) for a in regular],
        ]


def _third_differential(a: Any, e: Any, f: Any) -> Any:
    """The derivative along f of D cof(a)[e] = (tr(C^T e) C - C e^T C) / det(a); for regular a only."""
    c, dc = cofactor(a), bind(cofactor_p, a, f)
    d, dd = _scalar(det(a)), _scalar(_inner(c, f))
    product = lambda x, y: _scalar(_inner(x, e)) * y - matmul(matmul(x, swap(e)), y)
    return (product(dc, c) + product(c, dc) - product(c, c) * (dd / d)) / d


def _scalar(x: Any) -> Any:
    """(*batch) as (*batch, 1, 1)."""
    return column(column(x))


def _cofactor_oracle(a: Any, *direction: Any) -> Any:
    """Determinants of minors; the derivative replaces one row of a minor at a time."""
    out = np.zeros(a.shape, a.dtype)
    n = a.shape[-1]
    for *b, i, j in np.ndindex(a.shape):
        keep = np.ix_([r for r in range(n) if r != i], [c for c in range(n) if c != j])
        minor = a[tuple(b)][keep]
        if direction:
            rows = direction[0][tuple(b)][keep]
            swaps = [np.where(np.arange(n - 1)[:, None] == r, rows, minor) for r in range(n - 1)]
            out[(*b, i, j)] = (-1) ** (i + j) * sum(np.linalg.det(m) for m in swaps)
        else:
            out[(*b, i, j)] = (-1) ** (i + j) * np.linalg.det(minor)
    return out


class Slogdet(MatrixPrimitive):
    """(sign, log|det|)."""

    name = "slogdet"
    multiple = True
    square = True
    flops = 1

    def impl(self, xp: Any, a: Any) -> Any:
        return _lapack.slogdet(xp, a)

    def shape(self, a: Aval) -> Any:
        self.check(a)
        return Aval(a.shape[:-2], a.dtype), Aval(a.shape[:-2], dtypes.real_of(a.dtype))

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        """d log det = tr(A^-1 dA): its real part goes to the logarithm, its imaginary part turns the sign."""
        sign = out[0]
        trace = _inner(swap(inv(primals[0])), tangents[0])
        turn = sign * imaginary(trace) if sign.dtype.kind == "c" else zero_of(sign)
        return [turn, real_part(trace)]

    transpose = absent("it is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        mats = [
            _regular(rng, 3),
            -_regular(rng, 2, 3),
            _regular(rng, 1),
            np.zeros((0, 0)),
            np.zeros((0, 2, 2)),
        ]
        return [Sample((a,), {}, lambda a: tuple(np.linalg.slogdet(a))) for a in mats]


def _regular(rng: Any, *shape: int) -> Any:
    """Well-conditioned matrices (*shape, shape[-1])."""
    n = shape[-1]
    return rng.normal(size=(*shape, n)) + n * np.eye(n)


def _positive(rng: Any, *shape: int) -> Any:
    """Symmetric positive definite matrices."""
    x = rng.normal(size=(*shape, shape[-1]))
    return np.matmul(x, np.swapaxes(x, -1, -2)) + shape[-1] * np.eye(shape[-1])


cholesky_p = Cholesky()
triangular_solve_p = TriangularSolve()
lu_p = LU()
solve_p = Solve()
inv_p = Inv()
det_p = Det()
slogdet_p = Slogdet()
cofactor_p = Cofactor()
