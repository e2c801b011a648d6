"""Orthogonal factors: singular values and the spaces they give, QR, the polar factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import errors, static
from ..core.array import Array
from ..core.transforms.custom_jvp import custom_jvp
from ..numpy._arguments import operand
from ..primitives import elementwise as el, linalg as systems, reductions as red, spectral
from ..primitives._matrices import (
    adjoint,
    conjugate as conjugated,
    half,
    matmul,
)
from ..primitives.pivots import pivot_columns
from ..primitives.promotion import promote
from ..primitives.shape import broadcast_to, reshape, slice_axis
from ..primitives.sorting import permute
from ..primitives.sylvester import sylvester
from ._arguments import choice, matrix, same_batch


def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """(U, s, Vh) with a = U @ diag(s) @ Vh, or s alone without `compute_uv`; see `fx.numpy.linalg.svd`."""
    choice(lapack_driver, ("gesdd", "gesvd"), "svd: lapack_driver")
    a = matrix(a, "svd", check_finite=check_finite)
    return tuple(spectral.svd(a, bool(full_matrices))) if compute_uv else spectral.svdvals(a)


def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The singular values of a: (..., m, n), descending."""
    return spectral.svdvals(matrix(a, "svdvals", check_finite=check_finite))


def null_space(A: Any, rcond: float | None = None, *, check_finite: bool = True) -> Array:
    """An orthonormal basis (n, n - rank) of the null space of A: (m, n).

    Args:
        rcond: singular values up to rcond times the largest count as zero; by default max(m, n) * eps.

    The rank decides the shape: under jit it is not known. Gradients are right for functions of the space.
    """
    _, s, vh = svd(_one_matrix(A, "null_space", check_finite))
    return adjoint(slice_axis(vh, _rank(s, rcond, A), vh.shape[0], 0))


def orth(A: Any, rcond: float | None = None) -> Array:
    """An orthonormal basis (m, rank) of the range of A: (m, n). See `null_space`."""
    u, s, _ = svd(_one_matrix(A, "orth", True), full_matrices=False)
    return slice_axis(u, 0, _rank(s, rcond, A), 1)


def _one_matrix(a: Any, name: str, check_finite: bool) -> Array:
    a = matrix(a, name, check_finite=check_finite)
    if a.ndim != 2:
        raise errors.ShapeError(
            f"{name} takes one matrix (m, n), since ranks differ over a batch; got {a.aval}."
        )
    return a


def _rank(s: Array, rcond: float | None, a: Any) -> int:
    rtol = max(operand(a, "rank").shape) * float(np.finfo(s.dtype).eps)
    if rcond is not None:
        rtol = static.real(rcond, "rcond")
    if not s.size:
        return 0
    bound = red.reduce_max(s, axes=(0,)) * s.dtype.type(rtol)
    return int(red.reduce_sum(el.convert(el.gt(s, bound), np.dtype("int64")), axes=(0,)))


# QR


def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> tuple[Array, ...]:
    """(Q, R) with a = Q @ R, or (Q, R, P) with a[..., P] = Q @ R. a: (..., m, n).

    Args:
        mode: "full": Q (..., m, m), R (..., m, n); "economic": Q (..., m, k), R (..., k, n), k = min(m, n);
            "r": without Q.
        pivoting: take next the column with the largest remainder; P: (..., n), int32.

    The gradient needs the first min(m, n) columns (of a[..., P]) to be independent, and holds at a fixed P.
    """
    if isinstance(mode, str) and mode == "raw":
        raise errors.ArgumentError(
            errors.lines("qr: mode 'raw' has no derivative.", "Use mode='full', 'economic' or 'r'.")
        )
    choice(mode, ("full", "economic", "r"), "qr: mode")
    a = matrix(a, "qr", check_finite=check_finite)
    order = ()
    if pivoting:
        p = pivot_columns(a)
        order = (p,)
        a = permute(a, broadcast_to(reshape(p, (*p.shape[:-1], 1, p.shape[-1])), a.shape), a.ndim - 1)
    q, r = spectral.qr(a, full_matrices=mode != "economic")
    return (r, *order) if mode == "r" else (q, r, *order)


def qr_multiply(
    a: Any,
    c: Any,
    mode: str = "right",
    pivoting: bool = False,
    conjugate: bool = False,
    overwrite_a: bool = False,
    overwrite_c: bool = False,
) -> tuple[Array, ...]:
    """(c @ Q, R) or (Q @ c, R), and P with `pivoting`, for the economic Q and R of a: (..., m, n).

    Args:
        c: with mode "right" (..., j, m) or (m,); with "left" (..., min(m, n), j) or (min(m, n),).
        conjugate: take conj(Q).
    """
    choice(mode, ("left", "right"), "qr_multiply: mode")
    a, c = (operand(x, "qr_multiply") for x in promote(a, c, inexact=True))
    q, *rest = qr(a, mode="economic", pivoting=pivoting)
    q = conjugated(q) if conjugate else q
    m, k = q.shape[-2:]
    line = c.ndim == 1
    wanted = m if mode == "right" else k
    if c.ndim < 1 or c.shape[-1 if mode == "right" or line else -2] != wanted:
        raise errors.ShapeError(f"qr_multiply, mode {mode!r}: Q is {q.aval}, and c is {c.aval}.")
    c = reshape(c, (1, c.size) if mode == "right" else (c.size, 1)) if line else c
    q, c = same_batch("qr_multiply", q, c)
    product = matmul(c, q) if mode == "right" else matmul(q, c)
    return (
        reshape(product, (*product.shape[:-2], product.shape[-2] * product.shape[-1])) if line else product,
        *rest,
    )


# Polar


def polar(
    a: Any,
    side: str = "right",
    *,
    method: str = "qdwh",
    eps: float | None = None,
    max_iterations: int | None = None,
) -> tuple[Array, Array]:
    """(u, p) with a = u @ p ("right") or a = p @ u ("left"); u has orthonormal columns or rows, p is positive.

    Args:
        a: (..., m, n). side: "right" with p: (..., n, n), or "left" with p: (..., m, m).
        method, eps, max_iterations: accepted as JAX has them; singular values are used always.

    Derivatives hold to any order where a has full rank, at repeated singular values too (Higham, 2008, chapter 8);
    LinAlgError otherwise.
    """
    choice(side, ("left", "right"), "polar: side")
    choice(method, ("qdwh", "svd"), "polar: method")
    a = matrix(a, "polar")
    u = _tall_polar(a) if a.shape[-2] >= a.shape[-1] else adjoint(_tall_polar(adjoint(a)))
    p = matmul(adjoint(u), a) if side == "right" else matmul(a, adjoint(u))
    return u, half(p + adjoint(p))


@custom_jvp
def _tall_polar(a: Array) -> Array:
    """The factor with orthonormal columns, for m >= n."""
    u, _, vh = spectral.svd(a)
    return matmul(u, vh)


@_tall_polar.defjvp
def _tall_polar_jvp(primals: Any, tangents: Any) -> Any:
    """dU = U W + (I - U U^H) dA H^-1, where H W + W H = U^H dA - dA^H U."""
    (a,), (da,) = primals, tangents
    u = _tall_polar(a)
    if 0 in a.shape:
        return u, da
    h = matmul(adjoint(u), a)
    h = half(h + adjoint(h))
    inside = matmul(adjoint(u), da)
    du = matmul(u, sylvester(h, h, inside - adjoint(inside)))
    if a.shape[-2] == a.shape[-1]:
        return u, du
    outside = da - matmul(u, inside)
    return u, du + adjoint(systems.solve(h, adjoint(outside)))
