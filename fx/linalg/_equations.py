"""Further equations: Sylvester, Lyapunov, least squares, tridiagonal systems; products of factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..numpy import linalg as nl
from ..numpy._arguments import operand, static_int
from ..primitives import elementwise as el, linalg as systems, reductions as red, spectral
from ..primitives._matrices import (
    adjoint,
    conjugate,
    diagonal,
    lower_triangle,
    matmul,
    real_part,
    upper_triangle,
)
from ..primitives.promotion import promote
from ..primitives.shape import broadcast_to, concatenate, iota, reshape, slice_axis
from ..primitives.sylvester import sylvester
from ..primitives.tridiagonal import tridiagonal_solve as solve_by_diagonals
from ._arguments import choice, finite, identity_like, matrix, same_batch


def solve_sylvester(a: Any, b: Any, q: Any, *, method: str = "schur", tol: float = 1e-8) -> Array:
    """x with a @ x + x @ b = q. a: (..., m, m), b: (..., k, k), q: (..., m, k); batch axes broadcast.

    Args:
        method, tol: accepted as JAX has them; Schur forms are used always.

    Raises:
        LinAlgError: a and -b have an eigenvalue in common.

    Bartels and Stewart (1972); derivatives are solutions of the same equation.
    """
    choice(method, ("schur", "eigen"), "solve_sylvester: method")
    a, b, q = (operand(x, "solve_sylvester") for x in promote(a, b, q, inexact=True))
    for x, square in ((a, True), (b, True), (q, False)):
        matrix(x, "solve_sylvester", square)
    if (a.shape[-1], b.shape[-1]) != q.shape[-2:]:
        raise errors.ShapeError(
            "solve_sylvester takes a: (..., m, m), b: (..., k, k) and q: (..., m, k); got "
            f"{a.aval}, {b.aval} and {q.aval}."
        )
    return sylvester(*same_batch("solve_sylvester", a, b, q))


def solve_continuous_lyapunov(a: Any, q: Any) -> Array:
    """x with a @ x + x @ a^H = q. a, q: (..., n, n).

    Raises:
        LinAlgError: two eigenvalues of a add up to zero, one of them conjugated.
    """
    a, q = (operand(x, "solve_lyapunov") for x in promote(a, q, inexact=True))
    matrix(a, "solve_lyapunov", True), matrix(q, "solve_lyapunov", True)
    return solve_sylvester(a, adjoint(a), q)


solve_lyapunov = solve_continuous_lyapunov


def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = None) -> Array:
    """x with a @ x @ a^H - x + q = 0. a, q: (..., n, n).

    Args:
        method: "direct" solves one system of n**2 unknowns, "bilinear" a continuous equation; by default the first
            up to n = 9.

    Raises:
        LinAlgError: two eigenvalues of a have the product 1, one of them conjugated.
    """
    a, q = (operand(x, "solve_discrete_lyapunov") for x in promote(a, q, inexact=True))
    matrix(a, "solve_discrete_lyapunov", True), matrix(q, "solve_discrete_lyapunov", True)
    method = choice(method, (None, "direct", "bilinear"), "solve_discrete_lyapunov: method")
    a, q = same_batch("solve_discrete_lyapunov", a, q)
    if a.shape[-1] != q.shape[-1]:
        raise errors.ShapeError(
            f"solve_discrete_lyapunov takes a, q: (..., n, n); got {a.aval} and {q.aval}."
        )
    if method == "direct" or (method is None and a.shape[-1] < 10):
        return _direct_lyapunov(a, q)
    one = identity_like(a)
    inverse = systems.inv(adjoint(a) + one)
    b = matmul(adjoint(a) - one, inverse)
    c = matmul(systems.solve(a + one, q + q), inverse)
    return solve_continuous_lyapunov(adjoint(b), -c)


def _direct_lyapunov(a: Array, q: Array) -> Array:
    """(I - a x conj(a)) vec x = vec q, rows after rows."""
    n, lead = a.shape[-1], a.shape[:-2]
    product = reshape(a, (*lead, n, 1, n, 1)) * reshape(conjugate(a), (*lead, 1, n, 1, n))
    product = reshape(product, (*lead, n * n, n * n))
    x = systems.solve(identity_like(product) - product, reshape(q, (*lead, n * n, 1)))
    return reshape(x, q.shape)


# Least squares


def pinv(
    a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False, check_finite: bool = True
) -> Any:
    """The Moore-Penrose inverse (..., n, m) of a: (..., m, n).

    Args:
        atol, rtol: singular values up to atol + rtol * largest count as zero; by default 0 and max(m, n) * eps, or 0
            for rtol where atol is given.
        return_rank: return (inverse, rank).

    The gradient is right for matrices of any rank, where a small change keeps the rank.
    """
    a = matrix(a, "pinv", check_finite=check_finite)
    tolerance = _tolerance(a, atol, rtol)
    inverse = spectral.pinv(a, tolerance)
    if not return_rank:
        return inverse
    return inverse, red.reduce_sum(
        el.convert(nl._above(spectral.svdvals(a), tolerance), np.dtype("int64")), axes=(a.ndim - 2,)
    )


def _tolerance(a: Array, atol: Any, rtol: Any) -> Any:
    """atol + rtol * largest, relative to the largest singular value: (...)."""
    real = dtypes.real_of(a.dtype)
    if atol is None:
        return nl._rtol(rtol, max(a.shape[-2:]), real, a.shape[:-2])
    relative = nl._rtol(0.0 if rtol is None else rtol, 0, real, a.shape[:-2])
    s = spectral.svdvals(a)
    if 0 in s.shape:
        return relative
    largest = red.reduce_max(s, axes=(s.ndim - 1,))
    one = largest.dtype.type(1)
    return relative + nl._rtol(atol, 0, real, a.shape[:-2]) / el.select(largest == 0, one, largest)


def lstsq(
    a: Any,
    b: Any,
    cond: float | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: str | None = None,
) -> tuple[Array, Array, Array, Array]:
    """The x of least norm that minimizes |a @ x - b|. a: (m, n), b: (m,) or (m, k). Any rank.

    Args:
        cond: singular values up to cond times the largest count as zero; by default eps.

    Returns:
        x, sums of squared residuals (empty for m <= n), rank, singular values; see `fx.numpy.linalg.lstsq`.
    """
    a = matrix(a, "lstsq", check_finite=check_finite)
    cond = float(np.finfo(a.dtype).eps) if cond is None else cond
    x, residuals, rank, s = nl.lstsq(a, finite(operand(b, "lstsq"), "lstsq") if check_finite else b, cond)
    if residuals.size == 1 and operand(b, "lstsq").ndim == 1:
        residuals = reshape(residuals, ())
    return x, residuals, rank, s


# Size


def norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True
) -> Array:
    """The norm of a vector or matrix, as `fx.numpy.linalg.norm`; NaN and inf are refused where values are known."""
    a = operand(a, "norm")
    return nl.norm(finite(a, "norm") if check_finite else a, ord, axis, keepdims)


# Further systems


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any) -> Array:
    """x with a @ x = b for tridiagonal a. d: (..., n); dl, du: (..., n), below and above it; b: (..., n, k).

    dl[..., 0] and du[..., -1] are not read, as in jax.lax.linalg.tridiagonal_solve.

    Raises:
        LinAlgError: a is singular.
    """
    dl, d, du, b = (operand(x, "tridiagonal_solve") for x in promote(dl, d, du, b, inexact=True))
    n = d.shape[-1] if d.ndim else 0
    if not dl.shape == d.shape == du.shape or b.ndim < 2 or b.shape[-2] != n:
        raise errors.ShapeError(
            "tridiagonal_solve takes dl, d, du: (..., n) and b: (..., n, k); got "
            f"{dl.aval}, {d.aval}, {du.aval} and {b.aval}."
        )
    columns = [reshape(x, (*x.shape, 1)) for x in (dl, d, du)]
    return solve_by_diagonals(*same_batch("tridiagonal_solve", *columns, b))


def cholesky_update(r_matrix: Any, w_vector: Any) -> Array:
    """Upper triangular R1 with R1^H R1 = R^H R + w w^H. r_matrix: (..., n, n), upper; w_vector: (..., n).

    By QR of R with the row w^H below it; the diagonal of the result is positive.
    """
    r, w = (operand(x, "cholesky_update") for x in promote(r_matrix, w_vector, inexact=True))
    check = matrix(r, "cholesky_update", True)
    if w.ndim < 1 or w.shape != check.shape[:-1]:
        raise errors.ShapeError(f"cholesky_update takes (..., n, n) and (..., n); got {r.aval} and {w.aval}.")
    rows = concatenate(
        [upper_triangle(r), reshape(conjugate(w), (*w.shape[:-1], 1, w.shape[-1]))], r.ndim - 2
    )
    found = spectral.qr(rows)[1]
    sign = diagonal(found)
    turn = el.select(real_part(sign) < 0, sign.dtype.type(-1), sign.dtype.type(1)) if sign.size else sign
    return found * reshape(turn, (*turn.shape, 1))


def householder_product(a: Any, taus: Any) -> Array:
    """The first n columns of H_1 H_2 ... H_k with H_i = I - tau_i v_i v_i^H. a: (..., m, n), taus: (..., k).

    v_i is column i of a below its diagonal, with a one on the diagonal and zeros above, as LAPACK's geqrf leaves it.
    """
    a, taus = (operand(x, "householder_product") for x in promote(a, taus, inexact=True))
    matrix(a, "householder_product")
    m, n = a.shape[-2:]
    if m < n or taus.ndim < 1 or taus.shape[:-1] != a.shape[:-2] or taus.shape[-1] > n:
        raise errors.ShapeError(
            f"householder_product takes a: (..., m, n), m >= n, and taus: (..., k <= n); got {a.aval}, {taus.aval}."
        )
    unit = el.convert(el.eq(iota((m, 1), 0), iota((1, n), 1)), a.dtype)
    q = broadcast_to(unit, a.shape)
    vectors = lower_triangle(a, -1) + unit
    for i in reversed(range(static_int(taus.shape[-1], "householder_product"))):
        v = slice_axis(vectors, i, i + 1, a.ndim - 1)
        tau = reshape(slice_axis(taus, i, i + 1, taus.ndim - 1), (*a.shape[:-2], 1, 1))
        q = q - matmul(tau * v, matmul(adjoint(v), q))
    return q
