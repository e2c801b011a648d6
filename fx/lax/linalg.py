"""Factorizations of matrices under their `jax.lax.linalg` names; axes before the last two are a batch.

fx.numpy.linalg and fx.linalg have the functions of NumPy and SciPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import static
from ..core.errors import ArgumentError, ShapeError
from ..numpy import eye, swapaxes, tril, triu, where
from ..numpy.linalg import inv, norm
from ..primitives import elementwise as e, linalg as systems, pivots as row_order, schur as _schur, spectral
from ..primitives.shape import broadcast_to, concatenate, move_axis, reshape, slice_axis
from ..primitives.sorting import permute
from ._control_flow import scan
from ._operands import array, describe, one_dtype


def cholesky(x: Any, *, symmetrize_input: bool = True) -> Any:
    """Lower triangular L with L L^H = x, Hermitian positive definite; LinAlgError if it is not."""
    return systems.cholesky(array(x), symmetrize_input)


def cholesky_update(r_matrix: Any, w_vector: Any) -> Any:
    """Upper triangular S with S^T S = R^T R + w w^T. R: (n, n) upper triangular, w: (n,)."""
    r, w = (array(v) for v in one_dtype("cholesky_update", r_matrix, w_vector))
    column = reshape(w, (*w.shape, 1))
    return _t(systems.cholesky(_t(r) @ r + column @ _t(column)))


def triangular_solve(
    a: Any,
    b: Any,
    *,
    left_side: bool = False,
    lower: bool = False,
    transpose_a: bool = False,
    conjugate_a: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """x with op(a) x = b if `left_side`, else x op(a) = b, for triangular a; the other triangle is not read.

    a: (..., n, n), b: (..., n, k) or (..., k, n); also one axis less, a vector. op transposes and conjugates.
    """
    a, b = (array(v) for v in one_dtype("triangular_solve", a, b))
    how = {
        "left_side": left_side, "lower": lower, "transpose_a": transpose_a, "conjugate_a": conjugate_a,
        "unit_diagonal": unit_diagonal,
    }  # fmt: skip
    if b.ndim == a.ndim - 1 and b.ndim:
        b_matrix = reshape(b, (*b.shape, 1) if left_side else (*b.shape[:-1], 1, b.shape[-1]))
        return reshape(systems.triangular_solve(a, b_matrix, **how), b.shape)
    if b.ndim != a.ndim:
        raise ShapeError(f"triangular_solve takes a and b of one rank, or vectors b; got {describe(a, b)}.")
    return systems.triangular_solve(a, b, **how)


def lu(x: Any) -> tuple[Any, Any, Any]:
    """(lu, pivots, permutation) with x[permutation] = L U, both packed into lu; pivots and permutation int32."""
    return systems.lu(array(x))


def lu_pivots_to_permutation(pivots: Any, permutation_size: int) -> Any:
    """The order of rows, int32, that successive exchanges give. pivots: (..., k), at most `permutation_size`."""
    size = static.integer(permutation_size, "lu_pivots_to_permutation: permutation_size")
    return e.convert(row_order.permutation_of(array(pivots), size), np.int32)


def qr(x: Any, *, pivoting: bool = False, full_matrices: bool = True, use_magma: Any = None) -> Any:
    """(q, r) with x = q r; with `pivoting` (q, r, p) with x[:, p] = q r, p int32."""
    x = array(x)
    if not pivoting:
        return spectral.qr(x, full_matrices)
    places = row_order.pivot_columns(x)
    columns = broadcast_to(
        reshape(e.convert(places, np.int64), (*places.shape[:-1], 1, places.shape[-1])), x.shape
    )
    q, r = spectral.qr(permute(x, columns, x.ndim - 1), full_matrices)
    return q, r, e.convert(places, np.int32)


def eigh(
    x: Any,
    *,
    lower: bool = True,
    symmetrize_input: bool = True,
    sort_eigenvalues: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    implementation: Any = None,
) -> tuple[Any, Any]:
    """(v, w): eigenvectors in columns, then eigenvalues, ascending; `subset_by_index` takes [start, stop) of them."""
    v, w = spectral.eigh(array(x), "mean" if symmetrize_input else "lower" if lower else "upper")[::-1]
    if subset_by_index is None:
        return v, w
    start, stop = _range(subset_by_index, "eigh")
    return slice_axis(v, start, stop, v.ndim - 1), slice_axis(w, start, stop, w.ndim - 1)


def eig(
    x: Any,
    *,
    compute_left_eigenvectors: bool = True,
    compute_right_eigenvectors: bool = True,
    enable_eigvec_derivs: bool = False,
    implementation: Any = None,
    use_magma: Any = None,
) -> list[Any]:
    """[w, left vectors, right vectors] as asked, in columns of unit norm, complex; all differentiable."""
    x = array(x)
    if not (compute_left_eigenvectors or compute_right_eigenvectors):
        return [spectral.eigvals(x)]
    w, v = spectral.eig(x)
    found = [w]
    if compute_left_eigenvectors:
        left = _t(e.conj(inv(v)))
        found.append(left / e.convert(norm(left, axis=-2, keepdims=True), left.dtype))
    return [*found, v] if compute_right_eigenvectors else found


def svd(
    x: Any,
    *,
    full_matrices: bool = True,
    compute_uv: bool = True,
    subset_by_index: tuple[int, int] | None = None,
    algorithm: Any = None,
) -> Any:
    """(u, s, vh) with x = u diag(s) vh, or s alone; `subset_by_index` takes [start, stop) of the singular values."""
    x = array(x)
    start, stop = (None, None) if subset_by_index is None else _range(subset_by_index, "svd")
    if subset_by_index is not None and full_matrices and compute_uv:
        raise ArgumentError("svd: subset_by_index goes with full_matrices=False.")
    cut = lambda y, axis: y if start is None else slice_axis(y, start, stop, y.ndim + axis)
    if not compute_uv:
        return cut(spectral.svdvals(x), -1)
    u, s, vh = spectral.svd(x, full_matrices)
    return cut(u, -1), cut(s, -1), cut(vh, -2)


def schur(
    x: Any,
    *,
    compute_schur_vectors: bool = True,
    sort_eig_vals: bool = False,
    select_callable: Callable[..., Any] | None = None,
) -> Any:
    """(T, Z) with x = Z T Z^H, T upper triangular (of a real x: with blocks of 2 for complex pairs); or [T]."""
    if sort_eig_vals or select_callable is not None:
        raise ArgumentError("fx.lax.linalg.schur does not sort; fx.linalg.schur does.")
    t, z = _schur.schur(array(x))[:2]
    return (t, z) if compute_schur_vectors else [t]


def householder_product(a: Any, taus: Any) -> Any:
    """The first n columns of H_1 ... H_k, H_i = 1 - taus[i] v_i v_i^H, v_i in the columns of a below its diagonal.

    a: (..., m, n), taus: (..., k), k <= n <= m, as LAPACK's geqrf leaves them.
    """
    a, taus = (array(v) for v in one_dtype("householder_product", a, taus))
    _check_rank("householder_product", a, taus)
    m, n = a.shape[-2:]
    if not taus.shape[-1] <= n <= m or taus.shape[:-1] != a.shape[:-2]:
        raise ShapeError(
            f"householder_product takes (..., m, n) and (..., k), k <= n <= m; got {describe(a, taus)}."
        )
    return _reflect(a, taus, eye(m, n, dtype=a.dtype))


def ormqr(a: Any, taus: Any, c: Any, *, left: bool = True, transpose: bool = False) -> Any:
    """Q c, or c Q unless `left`, for the square Q = H_1 ... H_k of `householder_product`; Q^H with `transpose`."""
    a, taus, c = (array(v) for v in one_dtype("ormqr", a, taus, c))
    _check_rank("ormqr", a, taus, c)
    if left:
        return _reflect(a, taus, c, transpose)
    return _t(_conj(_reflect(a, taus, _t(_conj(c)), not transpose)))


def _check_rank(name: str, a: Any, taus: Any, *c: Any) -> None:
    """ShapeError unless these are matrices and vectors with the same axes before them."""
    if a.ndim < 2 or taus.ndim != a.ndim - 1 or any(x.ndim != a.ndim for x in c):
        raise ShapeError(
            f"{name} takes matrices (..., m, n) and vectors (..., k); got {describe(a, taus, *c)}."
        )


def _range(ends: Any, name: str) -> tuple[int, int]:
    found = static.integers(ends, f"{name}: subset_by_index")
    if len(found) != 2:
        raise ArgumentError(f"{name}: subset_by_index is a pair (start, stop); got {found}.")
    return found[0], found[1]


def _reflect(a: Any, taus: Any, c: Any, adjoint: bool = False) -> Any:
    """(1 - V T V^H) c, T = (1 + D S)^-1 D: D the taus, S strictly above the diagonal of V^H V (Schreiber, Van Loan)."""
    k = taus.shape[-1]
    v = tril(slice_axis(a, 0, k, a.ndim - 1), -1) + eye(a.shape[-2], k, dtype=a.dtype)
    vh = _t(_conj(v))
    scale = reshape(taus, (*taus.shape, 1))
    unit = eye(k, dtype=a.dtype)
    t = systems.triangular_solve(unit + scale * triu(vh @ v, 1), scale * unit, unit_diagonal=True)
    t = _t(_conj(t)) if adjoint else t
    return c - v @ (t @ (vh @ c))


def symmetric_product(
    a_matrix: Any, c_matrix: Any, *, alpha: float = 1.0, beta: float = 0.0, symmetrize_output: bool = False
) -> Any:
    """alpha a a^T + beta c. a: (..., n, k), c: (..., n, n)."""
    a, c = (array(v) for v in one_dtype("symmetric_product", a_matrix, c_matrix))
    alpha, beta = static.real(alpha, "symmetric_product: alpha"), static.real(beta, "symmetric_product: beta")
    out = (a @ _t(a)) * a.dtype.type(alpha) + c * a.dtype.type(beta)
    return (out + _t(out)) * a.dtype.type(0.5) if symmetrize_output else out


def tridiagonal_solve(dl: Any, d: Any, du: Any, b: Any, *, perturb_singular: bool = False) -> Any:
    """x with A x = b for a matrix of three diagonals, with partial pivoting (LAPACK's gtsv).

    Args:
        dl, d, du: (..., n), below, on and above the diagonal; dl[0] and du[-1] are not read.
        b: (..., n, k).
    """
    dl, d, du, b = (array(v) for v in one_dtype("tridiagonal_solve", dl, d, du, b))
    if not dl.shape == d.shape == du.shape or b.shape[:-1] != d.shape:
        raise ShapeError(
            f"tridiagonal_solve takes diagonals (..., n) and b: (..., n, k); got {describe(dl, d, du, b)}."
        )
    if perturb_singular:
        raise ArgumentError(
            "tridiagonal_solve: perturb_singular is not supported; a singular matrix gives inf and NaN."
        )
    n = d.shape[-1]
    if not n:
        return b
    rows = concatenate([reshape(x, (*x.shape, 1)) for x in (dl, d, du)] + [b], b.ndim - 1)
    return move_axis(_eliminate(move_axis(rows, rows.ndim - 2, 0)), 0, b.ndim - 2)


def _eliminate(rows: Any) -> Any:
    """rows: (n, ..., 3 + k): below, on, above the diagonal, right sides."""
    first, rest = rows[0], rows[1:]
    zero = first[..., :1] * 0
    # what is left of a row once its first entry is eliminated: diagonal, above, right sides
    start = first[..., 1:]

    def down(above: Any, row: Any) -> Any:
        low, right = row[..., :1], row[..., 3:]
        ours = concatenate([above[..., :2], zero, above[..., 2:]], above.ndim - 1)
        theirs = concatenate([low, row[..., 1:2], row[..., 2:3], right], row.ndim - 1)
        swap = e.abs_(ours[..., :1]) < e.abs_(low)
        pivot, other = where(swap, theirs, ours), where(swap, ours, theirs)
        left = other - pivot * (other[..., :1] / pivot[..., :1])
        return left[..., 1:], pivot

    last, pivots = scan(down, start, rest)
    x_last = last[..., 2:] / last[..., :1]

    def up(known: Any, pivot: Any) -> Any:
        next_one, next_two = known
        total = pivot[..., 3:] - pivot[..., 1:2] * next_one - pivot[..., 2:3] * next_two
        x = total / pivot[..., :1]
        return (x, next_one), x

    _, x = scan(up, (x_last, x_last * 0), pivots, reverse=True)
    return concatenate([x, reshape(x_last, (1, *x_last.shape))], 0)


def _t(x: Any) -> Any:
    return swapaxes(x, -1, -2)


def _conj(x: Any) -> Any:
    return e.conj(x) if x.dtype.kind == "c" else x
