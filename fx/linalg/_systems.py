"""Linear systems: solve and its kinds, inverse and determinant, Cholesky, LU."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..numpy._arguments import operand
from ..primitives import elementwise as el, linalg as systems
from ..primitives._matrices import (
    adjoint,
    conjugate,
    diagonal,
    hermitian,
    identity_mask,
    lower_triangle,
    matmul,
    swap,
    upper_triangle,
)
from ..primitives.pivots import permutation_of
from ..primitives.shape import broadcast_to, iota, reshape, slice_axis
from ..primitives.sorting import argsort
from ._arguments import choice, identity_like, matrix, refuse_zeros, system

_STRUCTURES = (None, "gen", "general", "sym", "symmetric", "her", "hermitian", "pos", "positive definite") + (
    "diagonal", "tridiagonal", "banded", "lower triangular", "upper triangular",
)  # fmt: skip


def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The determinant of a: (..., n, n); its gradient, the cofactors, is right at singular matrices too."""
    return systems.det(matrix(a, "det", True, check_finite))


def inv(
    a: Any, overwrite_a: bool = False, check_finite: bool = True, *, assume_a: str | None = None, lower: bool = False
) -> Array:  # fmt: skip
    """The inverse of a: (..., n, n).

    Args:
        assume_a, lower: as in `solve`.

    Raises:
        LinAlgError: a is singular.
    """
    a = matrix(a, "inv", True, check_finite)
    if assume_a is None:
        return systems.inv(a)
    return solve(a, identity_like(a), lower, assume_a=assume_a, check_finite=check_finite)


def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    debug: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Array:
    """x with a @ x = b. a: (..., n, n), b: (n,) or (..., n, k); batch axes broadcast.

    Args:
        assume_a: None or "gen", or what a is known to be: "sym", "her", "pos", "diagonal", "tridiagonal", "banded",
            "lower triangular", "upper triangular". Of "sym", "her" and "pos" one triangle is read, and gets the
            gradient; of "diagonal" and triangular ones only that part.
        lower: read the lower triangle, not the upper one, where one is read.
        transposed: solve a^T x = b.

    Raises:
        LinAlgError: a is singular; with "pos", a is not positive definite.
    """
    kind = choice(assume_a, _STRUCTURES, "solve: assume_a")
    a, b, restore = system(a, b, "solve", check_finite)
    if transposed:
        a, lower = swap(a), not lower
    if kind in ("pos", "positive definite"):
        return restore(_cholesky_solve(_triangle_factor(a, lower), True, b))
    if kind == "diagonal":
        refuse_zeros(a, "solve", "the matrix is singular")
        d = diagonal(a)
        return restore(b / reshape(d, (*d.shape, 1)))
    if kind in ("lower triangular", "upper triangular"):
        low = (kind == "lower triangular") != bool(transposed)
        return restore(_checked_triangular(a, b, low, False, False, False, "solve"))
    if kind in ("sym", "symmetric") and a.dtype.kind == "c":
        part = lower_triangle(a, -1) if lower else upper_triangle(a, 1)
        a = part + swap(part) + el.select(identity_mask(a.shape[-1]), a, a.dtype.type(0))
    elif kind in ("sym", "symmetric", "her", "hermitian"):
        a = hermitian(a, "lower" if lower else "upper")
    return restore(systems.solve(a, b))


def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    debug: Any = None,
    check_finite: bool = True,
) -> Array:
    """x with op(a) @ x = b for triangular a: (..., n, n), whose other triangle is not read. b: (n,) or (..., n, k).

    Args:
        trans: 0 or "N": op(a) = a; 1 or "T": its transpose; 2 or "C": its adjoint.
        unit_diagonal: take the diagonal as ones.

    Raises:
        LinAlgError: a zero on the diagonal, where values are known; traced, the result is then inf or NaN.
    """
    op = choice(trans, (0, 1, 2, "N", "T", "C"), "solve_triangular: trans")
    a, b, restore = system(a, b, "solve_triangular", check_finite)
    transposed, conjugated = op not in (0, "N"), op in (2, "C")
    unit = bool(unit_diagonal)
    return restore(_checked_triangular(a, b, bool(lower), transposed, conjugated, unit, "solve_triangular"))


def _checked_triangular(
    a: Array, b: Array, lower: bool, transpose: bool, conjugated: bool, unit: bool, name: str
) -> Array:
    if not unit:
        refuse_zeros(a, name, "the triangular matrix is singular")
    return systems.triangular_solve(  # type: ignore[no-any-return]
        a, b, lower=lower, transpose_a=transpose, conjugate_a=conjugated, unit_diagonal=unit
    )


# Cholesky


def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """Upper triangular U with U^H @ U = a, or lower triangular L with L @ L^H = a. a: (..., n, n), Hermitian.

    One triangle of a is read, the one of the result, and gets the gradient; `fx.numpy.linalg.cholesky` takes
    (a + a^H) / 2 instead.

    Raises:
        LinAlgError: a is not positive definite.
    """
    factor = _triangle_factor(matrix(a, "cholesky", True, check_finite), lower)
    return factor if lower else adjoint(factor)


def _triangle_factor(a: Array, lower: bool) -> Array:
    """The lower factor of the matrix that one triangle gives."""
    return systems.cholesky(a if lower else adjoint(a), symmetrize_input=False)


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[Array, bool]:
    """(factor, lower) for `cho_solve`, factor as of `cholesky`: zeros in its other triangle."""
    return cholesky(a, lower, check_finite=check_finite), bool(lower)


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    """x with a @ x = b, from cho_factor(a). b: (n,) or (..., n, k)."""
    c, lower = _pair(c_and_lower, "cho_solve: c_and_lower", "cho_factor")
    c, b, restore = system(c, b, "cho_solve", check_finite)
    refuse_zeros(c, "cho_solve", "the factor is singular")
    return restore(_cholesky_solve(c, bool(lower), b))


def _pair(given: Any, what: str, source: str) -> Any:
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise errors.ArgumentError(f"{what} is the pair that {source} returns; got {errors.brief(given)}.")
    return given


def _cholesky_solve(c: Array, lower: bool, b: Array) -> Array:
    solved = systems.triangular_solve
    first = solved(c, b, lower=lower, transpose_a=not lower, conjugate_a=not lower)
    return solved(c, first, lower=lower, transpose_a=lower, conjugate_a=lower)  # type: ignore[no-any-return]


# LU


def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> tuple[Array, Array]:
    """(lu, piv) of a: (..., m, n), with partial pivoting, for `lu_solve`.

    lu holds U on and above the diagonal and L, which has ones there, below; row i was swapped with row piv[i].
    Singular matrices have factors too. The gradient needs the first min(m, n) pivots to be nonzero.
    """
    factors, pivots, _ = systems.lu(matrix(a, "lu_factor", check_finite=check_finite))
    return factors, pivots


def lu_solve(
    lu_and_piv: tuple[Any, Any], b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True
) -> Array:
    """x with op(a) @ x = b, from lu_factor(a). b: (n,) or (..., n, k).

    Args:
        trans: 0: op(a) = a, 1: its transpose, 2: its adjoint.

    Raises:
        LinAlgError: a is singular, where values are known; traced, the result is then inf or NaN.
    """
    factors, pivots = _pair(lu_and_piv, "lu_solve: lu_and_piv", "lu_factor")
    op = choice(trans, (0, 1, 2), "lu_solve: trans")
    factors, b, restore = system(factors, b, "lu_solve", check_finite)
    refuse_zeros(factors, "lu_solve", "the matrix is singular")
    n = factors.shape[-1]
    order = broadcast_to(permutation_of(operand(pivots, "lu_solve"), n), factors.shape[:-1])
    if op < 2:
        return restore(systems.lu_solve(factors, order, b, transpose_a=op == 1))
    return restore(conjugate(systems.lu_solve(factors, order, conjugate(b), transpose_a=True)))


def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True, p_indices: bool = False
) -> tuple[Array, ...]:  # fmt: skip
    """(P, L, U) with a = P @ L @ U. a: (..., m, n); L: (..., m, k) with ones on the diagonal, U: (..., k, n).

    Args:
        permute_l: return (P @ L, U).
        p_indices: P as an order of rows (..., m), with a = L[p] @ U.

    The gradient is that at a fixed row order; it needs the first min(m, n) pivots to be nonzero.
    """
    a = matrix(a, "lu", check_finite=check_finite)
    factors, _, order = systems.lu(a)
    m, n = a.shape[-2:]
    k, axis = min(m, n), a.ndim - 1
    unit = el.convert(el.eq(iota((m, 1), 0), iota((1, k), 1)), a.dtype)
    lower = lower_triangle(slice_axis(factors, 0, k, axis), -1) + unit
    upper = upper_triangle(slice_axis(factors, 0, k, axis - 1))
    rows = reshape(order, (*order.shape[:-1], 1, m))
    p = el.eq(rows, iota((m, 1), 0, "int32"))  # P[i, j] where row j of L @ U is row i of a
    if permute_l:
        return matmul(el.convert(p, a.dtype), lower), upper
    if p_indices:
        return el.convert(argsort(order), np.dtype("int32")), lower, upper
    return el.convert(p, dtypes.real_of(a.dtype)), lower, upper
