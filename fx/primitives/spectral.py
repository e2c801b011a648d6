"""Orthogonal and spectral factorizations: qr, eigh, svd, eig, pinv.

All work on (..., m, n) in float32, float64, complex64 and complex128; the axes before the last two are a batch.

Where eigenvalues (singular values) coincide up to rounding, their eigenvectors are not functions of the matrix. The
rules then leave out the turning inside the common eigenspace: they stay finite, and are right for functions that
depend on these vectors only through the projector onto their span. A function such as V g(w) V^H is not one of them
(its true derivative has g' in that place); write it without eigenvectors where eigenvalues repeat. Second derivatives
of eigenvalues and singular values pass through the vectors, and hold where the values are distinct.

Derivatives: Giles (2008), "An extended collection of matrix derivative results"; Townsend (2016), "Differentiating the
singular value decomposition"; Seeger et al. (2017), "Auto-differentiating linear algebra".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Sample, Zero, absent
from ..core.trace import bind
from ._lapack import attempt, phases
from ._matrices import (
    MatrixPrimitive,
    adjoint,
    check_matrices,
    column,
    column_dots,
    diagonal,
    diagonal_part,
    half,
    hermitian,
    imaginary,
    lower_triangle,
    matmul,
    noise,
    real_part,
    row,
    safe_reciprocal,
)
from .elementwise import abs_, convert, eq, imag, make_complex, real, select
from .families import zero_of
from .linalg import lu, lu_solve, triangular_solve
from .reductions import argmax, reduce_sum
from .shape import concatenate, iota, slice_axis, zeros

NOT_CONVERGED = "the iteration did not converge"
NOT_FINITE = "Look for NaN or inf in the matrix: fx.numpy.isfinite(a).all()."


def qr(a: Any, full_matrices: bool = False) -> tuple[Any, Any]:
    """(q, r) with a = q r, q of orthonormal columns and r upper triangular, as LAPACK chooses signs.

    a: (..., m, n); q: (..., m, k), r: (..., k, n) with k = min(m, n), or k = m with `full_matrices`. The derivative
    needs the first min(m, n) columns of a to be independent. With `full_matrices` and m > n the last m - n columns
    of q are any basis of a's left null space; their derivative is right for functions of that space alone.
    """
    return tuple(bind(qr_p, a, full=full_matrices))  # type: ignore[return-value]


def eigh(a: Any, part: str = "mean") -> tuple[Any, Any]:
    """(w, v) with a v = v diag(w): eigenvalues (..., n) in ascending order, orthonormal eigenvectors in columns.

    Args:
        part: what of a: (..., n, n) is read: "mean" takes (a + a^H) / 2, "lower" and "upper" one triangle.

    Eigenvectors are fixed up to signs; complex ones have a real first component, also under derivatives (where it is
    not zero). See the module text for repeated eigenvalues.
    """
    return tuple(bind(eigh_p, a, part=part, vectors=True))  # type: ignore[return-value]


def eigvalsh(a: Any, part: str = "mean") -> Any:
    """The eigenvalues of `eigh`, in ascending order."""
    return bind(eigh_p, a, part=part, vectors=False)[0]


def svd(a: Any, full_matrices: bool = False) -> tuple[Any, Any, Any]:
    """(u, s, vh) with a = u diag(s) vh: orthonormal columns of u and rows of vh, s (..., k) in descending order.

    a: (..., m, n); u: (..., m, k), vh: (..., k, n) with k = min(m, n), or square with `full_matrices`; the columns
    added then span a null space, and their derivative is right for functions of that space alone. Complex vectors
    are fixed by a real first column of vh. Repeated and zero singular values: see the module text. u vh (the polar
    factor) is differentiated rightly at repeated ones.
    """
    return tuple(bind(svd_p, a, full=full_matrices, vectors=True))  # type: ignore[return-value]


def svdvals(a: Any) -> Any:
    """The singular values of a, in descending order."""
    return bind(svd_p, a, full=False, vectors=False)[0]


def eig(a: Any) -> tuple[Any, Any]:
    """(w, v) with a v = v diag(w) for any square a: (..., n, n); both complex, in LAPACK's order.

    Eigenvectors have unit 2-norm and a real component of largest size; derivatives keep it so.
    """
    return tuple(bind(eig_p, a, vectors=True))  # type: ignore[return-value]


def eigvals(a: Any) -> Any:
    """The eigenvalues of `eig`: complex, in LAPACK's order."""
    return bind(eig_p, a, vectors=False)[0]


def pinv(a: Any, rtol: Any) -> Any:
    """The Moore-Penrose inverse (..., n, m) of a: (..., m, n); singular values up to rtol * largest count as zero.

    rtol: (...), of a's real dtype. The derivative, of Golub and Pereyra, holds where the rank does not change.
    """
    return bind(pinv_p, a, rtol)


class QR(MatrixPrimitive):
    """(q, r); `full` makes q square."""

    name = "qr"
    multiple = True

    def impl(self, xp: Any, a: Any, *, full: bool) -> Any:
        mode = "complete" if full else "reduced"
        return tuple(xp.linalg.qr(a, mode=mode))

    def shape(self, a: Aval, *, full: bool) -> Any:
        self.check(a)
        *batch, m, n = a.shape
        k = m if full else min(m, n)
        return Aval((*batch, m, k), a.dtype), Aval((*batch, k, n), a.dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, full: bool) -> Any:
        """With X = dA R^-1, C = Q^H X and the skew W = Q^H dQ: dQ = X + Q (W - C), dR = (C - W) R.

        W takes the lower triangle of C, and its phases on the diagonal, since LAPACK's R has a real diagonal.
        A wide matrix has [A1 A2] = Q [R1 R2]: dR2 = Q^H (dA2 - dQ R2).
        """
        (q, r), (da,) = out, tangents
        if 0 in da.shape:
            return [zero_of(q), zero_of(r)]
        m, n = da.shape[-2:]
        k, axis = min(m, n), q.ndim - 1
        q1, r1 = slice_axis(q, 0, k, axis), slice_axis(slice_axis(r, 0, k, axis - 1), 0, k, axis)
        x = triangular_solve(r1, slice_axis(da, 0, k, axis), left_side=False)
        c = matmul(adjoint(q1), x)
        w = lower_triangle(c, -1)
        w = w - adjoint(w)
        if c.dtype.kind == "c":
            w = w + diagonal_part(imaginary(c))
        dq, dr = x + matmul(q1, w - c), matmul(c - w, r1)
        if n > m:
            da2, r2 = slice_axis(da, k, n, axis), slice_axis(r, k, n, axis)
            dr = concatenate([dr, matmul(adjoint(q1), da2 - matmul(dq, r2))], axis)
        if full and m > n:
            dq = concatenate([dq, _follow(q1, dq, slice_axis(q, k, m, axis))], axis)
            dr = concatenate([dr, zeros(Aval((*dr.shape[:-2], m - n, n), dr.dtype))], axis - 1)
        return [dq, dr]

    transpose = absent("a factorization is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        shapes = [((3, 3), True), ((4, 2), False), ((2, 4), True), ((2, 3, 2), False), ((1, 1), False)]
        shapes += [((0, 0), False), ((3, 0), False), ((0, 2, 2), False)]
        return [Sample((rng.normal(size=s),), {"full": full}, _qr_oracle) for s, full in shapes]


def _follow(q1: Any, dq1: Any, q2: Any) -> Any:
    """The tangent of an orthonormal basis q2 of the complement of q1's span that turns no further than it must."""
    return -matmul(q1, matmul(adjoint(dq1), q2))


def _qr_oracle(a: Any, full: bool) -> Any:
    from scipy.linalg import qr as scipy_qr

    m, n = a.shape[-2:]
    k = m if full else min(m, n)
    q, r = np.zeros((*a.shape[:-2], m, k), a.dtype), np.zeros((*a.shape[:-2], k, n), a.dtype)
    for i in np.ndindex(a.shape[:-2] if k else (0,)):
        q[i], r[i] = scipy_qr(a[i], mode="full" if full else "economic")
    return q, r


class Eigh(MatrixPrimitive):
    """(w, v), or (w,) unless `vectors`, of the Hermitian matrix that `part` of the operand defines."""

    name = "eigh"
    multiple = True
    square = True
    flops = 9

    def impl(self, xp: Any, a: Any, *, part: str, vectors: bool) -> Any:
        if part == "mean":
            a = (a + xp.swapaxes(a, -1, -2).conj()) * a.dtype.type(0.5)
        uplo = "U" if part == "upper" else "L"
        if vectors:
            decompose = lambda a: tuple(xp.linalg.eigh(a, uplo))
            w, v = attempt(xp, "eigh", NOT_CONVERGED, NOT_FINITE, decompose, a)
            return w, v * phases(xp, v) if v.size and v.dtype.kind == "c" else v
        return (attempt(xp, "eigvalsh", NOT_CONVERGED, NOT_FINITE, lambda a: xp.linalg.eigvalsh(a, uplo), a),)

    def shape(self, a: Aval, *, part: str, vectors: bool) -> Any:
        self.check(a)
        w = Aval(a.shape[:-1], dtypes.real_of(a.dtype))
        return (w, a) if vectors else (w,)

    def push(self, primals: Any, tangents: Any, *, part: str, vectors: bool) -> Any:
        out = bind(self, *primals, part=part, vectors=True)
        return out[: 1 + vectors], self._tangents(out, tangents[0], part, vectors)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, part: str, vectors: bool) -> Any:
        out = out if vectors else bind(self, *primals, part=part, vectors=True)
        return self._tangents(out, tangents[0], part, vectors)

    def _tangents(self, out: Any, da: Any, part: str, vectors: bool) -> Any:
        """With M = V^H dA V: dw = diag(M), dV = V (F o M), F_ij = 1 / (w_j - w_i)."""
        w, v = out
        if 0 in v.shape:
            return [zero_of(x) for x in out[: 1 + vectors]]
        da_v = matmul(hermitian(da, part), v)
        if not vectors:
            return [real_part(column_dots(v, da_v))]
        m = matmul(adjoint(v), da_v)
        f = safe_reciprocal(row(w) - column(w), noise(w, v.shape[-1]))
        dv = matmul(v, convert(f, m.dtype) * m)
        return [real_part(diagonal(m)), dv + v * kept_phase(v, dv) if v.dtype.kind == "c" else dv]

    transpose = absent("a factorization is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for shape, part in (
            ((3, 3), "mean"),
            ((2, 3, 3), "lower"),
            ((3, 3), "upper"),
            ((1, 1), "mean"),
            ((0, 0), "mean"),
        ):
            a = rng.normal(size=shape) + np.diag(2.0 * np.arange(shape[-1]))
            out += [Sample((a,), {"part": part, "vectors": v}, _eigh_oracle) for v in (True, False)]
        return out


def _eigh_oracle(a: Any, part: str, vectors: bool) -> Any:
    lower = np.tril(a) + np.swapaxes(np.tril(a, -1), -1, -2).conj()
    upper = np.triu(a) + np.swapaxes(np.triu(a, 1), -1, -2).conj()
    a = {"lower": lower, "upper": upper, "mean": (a + np.swapaxes(a, -1, -2).conj()) / 2}[part]
    w, v = np.linalg.eigh(a, "U" if part == "upper" else "L")
    if v.dtype.kind == "c" and v.size:
        v = v * _unit(v[..., :1, :]).conj()
    return (w, v) if vectors else (w,)


def _unit(z: Any) -> Any:
    """z / |z|, or the sign that z has already where it is real."""
    return np.where(z.imag == 0, 1, z / np.abs(z))


class SVD(MatrixPrimitive):
    """(u, s, vh), or (s,) unless `vectors`; `full` makes u and vh square."""

    name = "svd"
    multiple = True
    flops = 20

    def impl(self, xp: Any, a: Any, *, full: bool, vectors: bool) -> Any:
        if vectors:
            decompose = lambda a: tuple(xp.linalg.svd(a, full_matrices=full))
            u, s, vh = attempt(xp, "svd", NOT_CONVERGED, NOT_FINITE, decompose, a)
            return (*_with_phases(xp, u, s, vh),) if a.size and a.dtype.kind == "c" else (u, s, vh)
        values = lambda a: xp.linalg.svd(a, compute_uv=False)
        return (attempt(xp, "svdvals", NOT_CONVERGED, NOT_FINITE, values, a),)

    def shape(self, a: Aval, *, full: bool, vectors: bool) -> Any:
        self.check(a)
        *batch, m, n = a.shape
        k = min(m, n)
        s = Aval((*batch, k), dtypes.real_of(a.dtype))
        if not vectors:
            return (s,)
        u, vh = (*batch, m, m if full else k), (*batch, n if full else k, n)
        return Aval(u, a.dtype), s, Aval(vh, a.dtype)

    def push(self, primals: Any, tangents: Any, *, full: bool, vectors: bool) -> Any:
        if vectors:
            out = bind(self, *primals, full=full, vectors=True)
            return out, self._tangents(out, tangents[0], full)
        u, s, vh = bind(self, *primals, full=False, vectors=True)
        return [s], self._values_tangent(u, s, vh, tangents[0])

    def jvp(self, primals: Any, out: Any, tangents: Any, *, full: bool, vectors: bool) -> Any:
        if vectors:
            return self._tangents(out, tangents[0], full)
        return self.push(primals, tangents, full=full, vectors=False)[1]

    def _values_tangent(self, u: Any, s: Any, vh: Any, da: Any) -> Any:
        if 0 in da.shape:
            return [zero_of(s)]
        return [real_part(column_dots(u, matmul(da, adjoint(vh))))]

    def _tangents(self, out: Any, da: Any, full: bool) -> Any:
        """With P = U^H dA V, the turns U^H dU and V^H dV are half the sum and half the difference of

            (P + P^H)_ij / (s_j - s_i)  and  (P - P^H)_ij / (s_i + s_j),

        so that U V^H, which knows their difference alone, never divides by s_j - s_i.
        """
        u, s, vh = out
        if 0 in da.shape:
            return [zero_of(x) for x in out]
        m, n, k, axis = *da.shape[-2:], s.shape[-1], da.ndim - 1
        u1, v1 = slice_axis(u, 0, k, axis), adjoint(slice_axis(vh, 0, k, axis - 1))
        da_v, dah_u = matmul(da, v1), matmul(adjoint(da), u1)
        p = matmul(adjoint(u1), da_v)
        tiny = noise(s, max(m, n))
        same = (p + adjoint(p)) * convert(safe_reciprocal(row(s) - column(s), tiny), p.dtype)
        skew = (p - adjoint(p)) * convert(safe_reciprocal(row(s) + column(s), tiny), p.dtype)
        du = _turned(u1, half(same + skew), da_v, row(s), tiny, m > k)
        dv = _turned(v1, half(same - skew), dah_u, row(s), tiny, n > k)
        if u.dtype.kind == "c":
            turn = kept_phase(v1, dv)
            du, dv = du + u1 * turn, dv + v1 * turn
        if full and m > k:
            du = concatenate([du, _follow(u1, du, slice_axis(u, k, m, axis))], axis)
        if full and n > k:
            dv = concatenate([dv, _follow(v1, dv, adjoint(slice_axis(vh, k, n, axis - 1)))], axis)
        return [du, real_part(diagonal(p)), adjoint(dv)]

    transpose = absent("a factorization is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for shape, full in (
            ((3, 3), True),
            ((4, 2), False),
            ((2, 3), False),
            ((2, 2, 2), False),
            ((1, 1), False),
        ):
            a = rng.normal(size=shape) + np.eye(*shape[-2:]) * np.arange(2, 2 + 2 * shape[-1], 2)
            out += [Sample((a,), {"full": full, "vectors": v}, _svd_oracle) for v in (True, False)]
        for shape in ((0, 0), (3, 0), (0, 2, 2)):
            out.append(Sample((np.zeros(shape),), {"full": False, "vectors": True}, _svd_oracle))
        return out


def _with_phases(xp: Any, u: Any, s: Any, vh: Any) -> Any:
    """Singular vectors with real numbers in the first column of vh."""
    k = s.shape[-1]
    phase = phases(xp, _numeric_adjoint(xp, vh[..., :k, :]))
    u, vh = xp.array(u, copy=True), xp.array(vh, copy=True)
    u[..., :k] = u[..., :k] * phase
    vh[..., :k, :] = vh[..., :k, :] * _numeric_adjoint(xp, phase)
    return u, s, vh


def _numeric_adjoint(xp: Any, a: Any) -> Any:
    return xp.swapaxes(a, -1, -2).conj()


def kept_phase(v: Any, dv: Any) -> Any:
    """(*batch, 1, n) imaginary c, so that the first components of v stay real under dv + c v."""
    axis = v.ndim - 2
    first, d_first = real(slice_axis(v, 0, 1, axis)), imag(slice_axis(dv, 0, 1, axis))
    tiny = first.dtype.type(v.shape[-1] * np.finfo(first.dtype).eps)
    turn = -(d_first * safe_reciprocal(first, tiny))
    return make_complex(turn * turn.dtype.type(0), turn)


def _turned(u: Any, turn: Any, da_v: Any, s: Any, tiny: Any, tall: bool) -> Any:
    """du = u turn, and what da v / s adds outside the span of u where there is an outside."""
    du = matmul(u, turn)
    if not tall:
        return du
    outside = da_v - matmul(u, matmul(adjoint(u), da_v))
    return du + outside * convert(safe_reciprocal(s, tiny), du.dtype)


def _svd_oracle(a: Any, full: bool, vectors: bool) -> Any:
    from scipy.linalg import svd as scipy_svd

    parts = [scipy_svd(x, full_matrices=full) for x in a.reshape(-1, *a.shape[-2:])] if a.size else []
    if not parts:
        return (
            tuple(np.linalg.svd(a, full_matrices=full)) if vectors else (np.linalg.svd(a, compute_uv=False),)
        )
    u, s, vh = (np.stack(p).reshape(*a.shape[:-2], *p[0].shape) for p in zip(*parts, strict=True))
    if a.dtype.kind == "c":
        k = s.shape[-1]
        unit = _unit(vh[..., :k, :1])
        vh[..., :k, :] *= unit.conj()
        u[..., :k] *= np.swapaxes(unit, -1, -2)
    return (u, s, vh) if vectors else (s,)


class Eig(MatrixPrimitive):
    """(w, v), or (w,) unless `vectors`; complex."""

    name = "eig"
    multiple = True
    square = True
    flops = 25

    def impl(self, xp: Any, a: Any, *, vectors: bool) -> Any:
        dtype = dtypes.complex_of(a.dtype)
        if vectors:
            w, v = attempt(xp, "eig", NOT_CONVERGED, NOT_FINITE, lambda a: tuple(xp.linalg.eig(a)), a)
            return w.astype(dtype), v.astype(dtype)
        return (attempt(xp, "eigvals", NOT_CONVERGED, NOT_FINITE, xp.linalg.eigvals, a).astype(dtype),)

    def shape(self, a: Aval, *, vectors: bool) -> Any:
        self.check(a)
        dtype = dtypes.complex_of(a.dtype)
        w, v = Aval(a.shape[:-1], dtype), Aval(a.shape, dtype)
        return (w, v) if vectors else (w,)

    def push(self, primals: Any, tangents: Any, *, vectors: bool) -> Any:
        out = bind(self, *primals, vectors=True)
        return out[: 1 + vectors], self._tangents(out, tangents[0], vectors)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, vectors: bool) -> Any:
        out = out if vectors else bind(self, *primals, vectors=True)
        return self._tangents(out, tangents[0], vectors)

    def _tangents(self, out: Any, da: Any, vectors: bool) -> Any:
        """With M = V^-1 dA V: dw = diag(M), dv_k = u_k + c_k v_k, U = V (F o M), F_ij = 1 / (w_j - w_i).

        c_k keeps the norm and the phase that LAPACK gives v_k.
        """
        w, v = out
        if 0 in v.shape:
            return [zero_of(x) for x in out[: 1 + vectors]]
        factors, _, order = lu(v)
        m = lu_solve(factors, order, matmul(convert(da, v.dtype), v))
        dw = diagonal(m)
        if not vectors:
            return [dw]
        u = matmul(v, m * safe_reciprocal(row(w) - column(w), noise(w, v.shape[-1])))
        return [dw, u + v * row(_kept_scale(v, u))]

    transpose = absent("a factorization is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for shape in ((3, 3), (2, 2, 2), (1, 1), (0, 0), (0, 2, 2)):
            a = rng.normal(size=shape) + np.diag(3.0 * np.arange(shape[-1]))
            out += [Sample((a,), {"vectors": v}, _eig_oracle) for v in (True, False)]
        rotation = np.array([[1.0, -2.0], [1.5, 0.5]])
        return [*out, Sample((rotation,), {"vectors": True}, _eig_oracle)]


def _kept_scale(v: Any, u: Any) -> Any:
    """c with Re(v_k^H (u_k + c_k v_k)) = 0 and a component of largest size that stays real: (*batch, n)."""
    axis = v.ndim - 2
    largest = argmax(abs_(v), axis=axis, dtype=np.dtype("int64"))
    at_largest = eq(iota((v.shape[-1], 1), 0), row(largest))
    pick = lambda x: reduce_sum(select(at_largest, x, x.dtype.type(0)), axes=(axis,))
    return make_complex(-real(column_dots(v, u)), -(imag(pick(u)) / real(pick(v))))


def _eig_oracle(a: Any, vectors: bool) -> Any:
    from scipy.linalg import eig as scipy_eig

    dtype = np.result_type(a.dtype, np.complex64)
    w, v = np.zeros(a.shape[:-1], dtype), np.zeros(a.shape, dtype)
    for i in np.ndindex(a.shape[:-2]):
        if a.shape[-1]:
            w[i], v[i] = scipy_eig(a[i])
    return (w, v) if vectors else (w,)


class Pinv(MatrixPrimitive):
    """The pseudoinverse; singular values up to rtol times the largest are taken as zero."""

    name = "pinv"
    flops = 25

    def impl(self, xp: Any, a: Any, rtol: Any) -> Any:
        *batch, m, n = a.shape
        if a.size == 0:
            return xp.zeros((*batch, n, m), a.dtype)
        decompose = lambda a: tuple(xp.linalg.svd(a, full_matrices=False))
        u, s, vh = attempt(xp, self.name, NOT_CONVERGED, NOT_FINITE, decompose, a)
        kept = s > rtol[..., None] * xp.max(s, axis=-1, keepdims=True)
        inverse = xp.where(kept, 1 / xp.where(kept, s, s.dtype.type(1)), s.dtype.type(0))
        v = xp.swapaxes(vh, -1, -2).conj()
        return xp.matmul(v * inverse[..., None, :], xp.swapaxes(u, -1, -2).conj())

    def shape(self, a: Aval, rtol: Aval) -> Aval:
        check_matrices(self.name, (a,), square=False)
        if rtol.dtype != dtypes.real_of(a.dtype):
            raise errors.DTypeError(
                f"pinv of {a} takes an rtol of dtype {dtypes.real_of(a.dtype)}; got {rtol}."
            )
        if rtol.shape != a.shape[:-2]:
            raise errors.ShapeError(f"pinv takes one rtol per matrix of {a}; got {rtol}.")
        return Aval((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        """dP = -P dA P + P P^H dA^H (I - A P) + (I - P A) dA^H P^H P (Golub and Pereyra, 1973, eq. 4.12)."""
        (a, _), p, da = primals, out, tangents[0]
        if type(da) is Zero:
            return zero_of(out)
        dah, ph = adjoint(da), adjoint(p)
        left, right = matmul(matmul(p, ph), dah), matmul(dah, matmul(ph, p))
        left = left - matmul(matmul(left, a), p)
        right = right - matmul(p, matmul(a, right))
        return left + right - matmul(matmul(p, da), p)

    transpose = absent("a pseudoinverse is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for shape in ((3, 3), (4, 2), (2, 3, 4), (1, 1), (0, 2), (0, 2, 2)):
            rtol = np.full(shape[:-2], 1e-5)
            out.append(
                Sample((rng.normal(size=shape), rtol), {}, lambda a, rtol: np.linalg.pinv(a, rcond=rtol))
            )
        return out


qr_p = QR()
eigh_p = Eigh()
svd_p = SVD()
eig_p = Eig()
pinv_p = Pinv()
