"""Tridiagonal matrices by their diagonals: eigenvalues of symmetric ones, and systems, by LAPACK's routines."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import Aval
from ..core.primitive import Sample, Unknown, Zero, absent
from ..core.trace import bind
from ._batched import over_batch
from ._lapack import attempt
from ._matrices import (
    MatrixPrimitive,
    check_matrices,
    column,
    column_dots,
    matmul,
    noise,
    row,
    safe_reciprocal,
    swap,
)
from .families import zero_of
from .shape import pad, slice_axis
from .spectral import NOT_CONVERGED, NOT_FINITE


def eigh_tridiagonal(d: Any, e: Any, vectors: bool = True) -> Any:
    """(w, v), or (w,), of the symmetric matrix with diagonal d: (*batch, n) and off-diagonal e: (*batch, n - 1), real.

    w ascending; v in columns, with no negative number in its first row. Repeated eigenvalues as in `spectral.eigh`.
    """
    return tuple(bind(eigh_tridiagonal_p, column(d), column(e), vectors=vectors))


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any) -> Any:
    """x with a x = b; dl, d, du: (*batch, n, 1), below, on and above the diagonal of a, b: (*batch, n, k).

    dl[..., 0, 0] and du[..., -1, 0] are not read. Raises LinAlgError where a is singular.
    """
    return bind(tridiagonal_solve_p, dl, d, du, b)


class EighTridiagonal(MatrixPrimitive):
    """d: (*batch, n, 1), e: (*batch, n - 1, 1) -> (w, v), or (w,) unless `vectors`."""

    name = "eigh_tridiagonal"
    multiple = True
    flops = 4

    def impl(self, xp: Any, d: Any, e: Any, *, vectors: bool) -> Any:
        n = d.shape[-2]
        outs = [((n,), d.dtype), ((n, n), d.dtype)][: 1 + vectors]
        run = lambda d, e: over_batch(xp, lambda d, e: _eigen(d[:, 0], e[:, 0], vectors), [d, e], outs)
        return attempt(xp, self.name, NOT_CONVERGED, NOT_FINITE, run, d, e)

    def shape(self, d: Aval, e: Aval, *, vectors: bool) -> Any:
        check_matrices(self.name, (d, e), square=False)
        n = d.shape[-2]
        if d.dtype.kind == "c" or (*d.shape[:-2], max(n - 1, 0), 1) != e.shape or d.shape[-1] != 1:
            raise errors.ShapeError(
                f"eigh_tridiagonal takes real d: (*batch, n, 1) and e: (*batch, n - 1, 1); got {d}, {e}."
            )
        w = Aval(d.shape[:-1], d.dtype)
        return (w, Aval((*d.shape[:-1], n), d.dtype)) if vectors else (w,)

    def push(self, primals: Any, tangents: Any, *, vectors: bool) -> Any:
        out = bind(self, *primals, vectors=True)
        return out[: 1 + vectors], self._tangents(out, tangents, vectors)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, vectors: bool) -> Any:
        return self._tangents(out if vectors else bind(self, *primals, vectors=True), tangents, vectors)

    def _tangents(self, out: Any, tangents: Any, vectors: bool) -> Any:
        """With M = V^T dA V: dw = diag(M), dV = V (F o M), F_ij = 1 / (w_j - w_i)."""
        w, v = out
        da_v = _times_change(tangents, v)
        if type(da_v) is Zero or 0 in v.shape:
            return [zero_of(x) for x in out[: 1 + vectors]]
        dw = column_dots(v, da_v)
        if not vectors:
            return [dw]
        f = safe_reciprocal(row(w) - column(w), noise(w, v.shape[-1]))
        return [dw, matmul(v, f * matmul(swap(v), da_v))]

    transpose = absent("a factorization is not linear")

    def cost(self, d: Aval, e: Aval, *, vectors: bool) -> int:
        return self.flops * d.size * (d.shape[-2] if vectors else 1)

    def samples(self, rng: Any) -> Iterable[Sample]:
        for lead, n in (((), 4), ((2,), 3), ((), 1), ((), 0), ((0,), 2)):
            d = rng.normal(size=(*lead, n, 1)) + 3 * np.arange(n)[:, None]
            e = rng.normal(size=(*lead, max(n - 1, 0), 1))
            for vectors in (True, False):
                yield Sample((d, e), {"vectors": vectors}, _eigen_oracle)


def _eigen(d: Any, e: Any, vectors: bool) -> Any:
    if not (np.isfinite(d).all() and np.isfinite(e).all()):
        raise np.linalg.LinAlgError("not finite")
    if len(d) < 2:
        return (d, np.ones((len(d), len(d)), d.dtype))[: 1 + vectors]
    solve = importlib.import_module("scipy.linalg").eigh_tridiagonal
    found = solve(d, e, eigvals_only=not vectors, check_finite=False)
    return (found[0], found[1] * _signs(found[1])) if vectors else (found,)


def _signs(v: Any) -> Any:
    return np.where(v[..., :1, :] < 0, v.dtype.type(-1), v.dtype.type(1))


def _times_change(tangents: Any, v: Any) -> Any:
    """dA V, of the tangents of both diagonals."""
    dd, de = tangents
    total = dd if type(dd) is Zero else dd * v
    if type(de) is Zero or v.shape[-1] < 2:
        return total
    n, axis = v.shape[-2], v.ndim - 2
    others = _next(de * slice_axis(v, 1, n, axis), -1) + _next(de * slice_axis(v, 0, n - 1, axis), 1)
    return others if type(total) is Zero else total + others


def _next(x: Any, by: int) -> Any:
    """Rows moved down by 1, or up by -1, with a row of zeros; x: (*batch, n - 1, k) -> (*batch, n, k)."""
    none = [0] * x.ndim
    lead = [0] * (x.ndim - 2)
    return pad(x, [*lead, int(by > 0), 0], [*lead, int(by < 0), 0], none)


class TridiagonalSolve(MatrixPrimitive):
    """dl, d, du: (*batch, n, 1), b: (*batch, n, k) -> x; linear in b."""

    name = "tridiagonal_solve"

    def impl(self, xp: Any, dl: Any, d: Any, du: Any, b: Any) -> Any:
        problem = "the matrix is singular"
        run = lambda *xs: over_batch(xp, _solve, xs, [(b.shape[-2:], b.dtype)])[0]
        return attempt(xp, self.name, problem, "Such systems have no or many solutions.", run, dl, d, du, b)

    def shape(self, dl: Aval, d: Aval, du: Aval, b: Aval) -> Aval:
        check_matrices(self.name, (dl, d, du, b), square=False)
        if not (dl.shape == d.shape == du.shape == (*b.shape[:-1], 1)):
            raise errors.ShapeError(
                f"tridiagonal_solve takes (*batch, n, 1) three times and (*batch, n, k); got {dl}, {d}, {du} and {b}."
            )
        return b

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        """dX solves the system with the right-hand side dB - dA X."""
        dl, d, du, _ = primals
        below, on, above, right = tangents
        n, axis = out.shape[-2], out.ndim - 2
        if type(on) is not Zero:
            right = _less(right, on * out)
        if type(below) is not Zero and n > 1:
            part = slice_axis(below, 1, n, axis) * slice_axis(out, 0, n - 1, axis)
            right = _less(right, _next(part, 1))
        if type(above) is not Zero and n > 1:
            part = slice_axis(above, 0, n - 1, axis) * slice_axis(out, 1, n, axis)
            right = _less(right, _next(part, -1))
        return right if type(right) is Zero else self(dl, d, du, right)

    def transpose(self, ct: Any, dl: Any, d: Any, du: Any, b: Any) -> list[Any]:
        if type(b) is not Unknown:
            raise errors.RuleError("tridiagonal_solve is linear in its right-hand side alone.")
        n, axis = d.shape[-2], d.ndim - 2
        if n < 2:
            return [None, None, None, self(dl, d, du, ct)]
        below = _next(slice_axis(du, 0, n - 1, axis), 1)
        above = _next(slice_axis(dl, 1, n, axis), -1)
        return [None, None, None, self(below, d, above, ct)]

    def cost(self, dl: Aval, d: Aval, du: Aval, b: Aval) -> int:
        return 8 * b.size

    def samples(self, rng: Any) -> Iterable[Sample]:
        for lead, n, k in (((), 4, 2), ((2,), 3, 1), ((), 1, 2), ((), 0, 1), ((0,), 2, 2)):
            dl, d, du = (rng.normal(size=(*lead, n, 1)) for _ in range(3))
            yield Sample((dl, d + 4, du, rng.normal(size=(*lead, n, k))), {}, _solve_oracle)


def _less(a: Any, b: Any) -> Any:
    return -b if type(a) is Zero else a - b


def _solve(dl: Any, d: Any, du: Any, b: Any) -> Any:
    if len(b) < 2 or not b.size:  # SciPy's interface wants neighbours
        if b.size and d[0, 0] == 0:
            raise np.linalg.LinAlgError("singular")
        return (b / d,)
    (gtsv,) = importlib.import_module("scipy.linalg").get_lapack_funcs(("gtsv",), (d, b))
    *_, x, info = gtsv(dl[1:, 0], d[:, 0], du[:-1, 0], b)
    if info > 0:
        raise np.linalg.LinAlgError("singular")
    return (x,)


def _eigen_oracle(d: Any, e: Any, vectors: bool) -> Any:
    n = d.shape[-2]
    a = np.zeros((*d.shape[:-2], n, n), d.dtype)
    i = np.arange(n)
    a[..., i, i] = d[..., 0]
    a[..., i[1:], i[:-1]] = a[..., i[:-1], i[1:]] = e[..., 0]
    w, v = np.linalg.eigh(a)
    return (w, v * _signs(v) if n else v) if vectors else (w,)


def _solve_oracle(dl: Any, d: Any, du: Any, b: Any) -> Any:
    n = d.shape[-2]
    a = np.zeros((*d.shape[:-2], n, n), d.dtype)
    i = np.arange(n)
    a[..., i, i] = d[..., 0]
    a[..., i[1:], i[:-1]], a[..., i[:-1], i[1:]] = dl[..., 1:, 0], du[..., :-1, 0]
    return np.linalg.solve(a, b)


eigh_tridiagonal_p = EighTridiagonal()
tridiagonal_solve_p = TridiagonalSolve()
