"""NumPy's linalg: systems, factorizations, norms and products of matrices in the last two axes.

Matrices are float32, float64, complex64 or complex128; integers are taken in the default float, and float16
and bfloat16 must be converted first. The axes before the last two are a batch. Gradients at repeated eigenvalues
or singular values are finite; `fx.primitives.spectral` says which functions they are right for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..core.errors import LinAlgError as LinAlgError
from ..primitives import elementwise as el, linalg as systems, reductions as red, spectral
from ..primitives._matrices import adjoint
from ..primitives.promotion import promote
from ..primitives.shape import broadcast_to, full, iota, reshape, slice_axis, transpose
from ..primitives.sorting import argsort, permute
from ._arguments import common_shape, inexact_operand, one_axis, operand, owned, static_int
from ._contractions import (
    cross as _cross,
    matmul as matmul,
    multi_dot as multi_dot,
    outer as _outer,
    tensordot as _tensordot,
    vecdot as vecdot,
)
from ._norms import cond as cond, matrix_norm as matrix_norm, norm as norm, vector_norm as vector_norm
from ._reductions import sum as _sum
from ._shapes import diagonal as _diagonal, matrix_transpose as matrix_transpose


class EigResult(NamedTuple):
    """eigenvalues: (..., n), eigenvectors: (..., n, n), in columns; complex."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """eigenvalues: (..., n), real and ascending; eigenvectors: (..., n, n), in columns."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """Q: (..., m, k), R: (..., k, n)."""

    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    """sign: (...), of absolute value 1 or 0; logabsdet: (...), real."""

    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    """U: (..., m, k), S: (..., min(m, n)), real and descending, Vh: (..., k, n)."""

    U: Any
    S: Any
    Vh: Any


# Systems


def solve(a: Any, b: Any) -> Array:
    """x with a @ x = b. a: (..., n, n), b: (n,) or (..., n, k); batch axes broadcast.

    Only b of one axis is a vector: write b[..., None] and x[..., 0] for a batch of vectors.

    Raises:
        LinAlgError: a is singular.
    """
    a, b = (operand(x, "solve") for x in promote(a, b, inexact=True))
    if a.ndim < 2 or a.shape[-1] != a.shape[-2] or b.ndim < 1 or b.shape[-2:][0] != a.shape[-1]:
        raise errors.ShapeError(
            f"solve takes a: (..., n, n) and b: (n,) or (..., n, k); got {a.aval} and {b.aval}."
        )
    if b.ndim == 1:
        x = systems.solve(a, broadcast_to(reshape(b, (b.size, 1)), (*a.shape[:-1], 1)))
        return reshape(x, a.shape[:-1])
    if a.ndim == 2:
        return _solve_many(a, b)
    lead = common_shape("solve", a.shape[:-2], b.shape[:-2])
    return systems.solve(broadcast_to(a, (*lead, *a.shape[-2:])), broadcast_to(b, (*lead, *b.shape[-2:])))


def _solve_many(a: Array, b: Array) -> Array:
    """One matrix and a batch of right-hand sides: they become columns. b: (..., n, k)."""
    first = (b.ndim - 2, *range(b.ndim - 2), b.ndim - 1)
    rows = transpose(b, first)
    columns = reshape(rows, (rows.shape[0], math.prod(rows.shape[1:])))
    x = reshape(systems.solve(a, columns), rows.shape)
    return transpose(x, (*range(1, b.ndim - 1), 0, b.ndim - 1))


def inv(a: Any) -> Array:
    """The inverse of a: (..., n, n).

    Raises:
        LinAlgError: a is singular.
    """
    return systems.inv(inexact_operand(a, "inv"))


def det(a: Any) -> Array:
    """The determinant of a: (..., n, n). Its gradient, the cofactors, is right at singular matrices too."""
    return systems.det(inexact_operand(a, "det"))


def slogdet(a: Any) -> SlogdetResult:
    """Sign and logarithm of the absolute value of the determinant of a: (..., n, n).

    Singular matrices have sign 0 and logabsdet -inf, and no gradient: differentiation there raises LinAlgError.
    """
    return SlogdetResult(*systems.slogdet(inexact_operand(a, "slogdet")))


def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Array, Array, Array, Array]:
    """The x of least norm that minimizes |a @ x - b|. a: (m, n), b: (m,) or (m, k).

    Args:
        rcond: singular values up to rcond times the largest count as zero; default eps * max(m, n).

    Returns:
        x: (n,) or (n, k); sums of squared residuals (k,), empty for m <= n as they vanish (NumPy gives none either
        where the rank is below n; here their number is known before the values are); rank; singular values.
    """
    a, b = (operand(x, "lstsq") for x in promote(a, b, inexact=True))
    if a.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise errors.ShapeError(f"lstsq takes a: (m, n) and b: (m,) or (m, k); got {a.aval} and {b.aval}.")
    m, n = a.shape
    columns = reshape(b, (m, 1)) if b.ndim == 1 else b
    real = dtypes.real_of(a.dtype)
    rtol = _rtol(rcond, max(m, n), real, ())
    s = spectral.svdvals(a)
    x = matmul(spectral.pinv(a, rtol), columns)
    error = matmul(a, x) - columns
    squares = red.reduce_sum(el.convert(error * _conjugate(error), real), axes=(0,))
    residuals = squares if m > n else full((0,), 0, real)
    rank = red.reduce_sum(el.convert(_above(s, rtol), np.dtype("int64")), axes=(0,))
    return reshape(x, (n,)) if b.ndim == 1 else x, residuals, rank, s


def _above(s: Array, rtol: Any) -> Array:
    """Which singular values exceed rtol times the largest. s: (..., k)."""
    largest = slice_axis(s, 0, min(1, s.shape[-1]), s.ndim - 1)
    if s.shape[-1] == 0:
        return full(s.shape, False, bool)
    return el.gt(s, largest * reshape(rtol, (*rtol.shape, 1)))


def _rtol(rtol: Any, size: int, real: Any, lead: tuple[int, ...]) -> Any:
    """A relative tolerance as an array of shape `lead`; the default is rounding error of matrices of this size."""
    if rtol is None:
        rtol = size * float(np.finfo(real).eps)
    if isinstance(rtol, (int, float)) and not isinstance(rtol, np.generic):
        return full(lead, float(rtol), real)
    rtol = el.convert(operand(rtol, "rtol"), real)
    return broadcast_to(rtol, lead)


def _conjugate(x: Array) -> Array:
    return el.conj(x) if x.dtype.kind == "c" else x


def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:
    """The Moore-Penrose inverse (..., n, m) of a: (..., m, n).

    Args:
        rtol: singular values up to rtol times the largest count as zero; (...), default eps * max(m, n).
        rcond: the older name of rtol.
        hermitian: take (a + a^H) / 2, so that the gradient is Hermitian too.

    The gradient is right for matrices of any rank, where a small change keeps the rank (Golub and Pereyra, 1973).
    """
    a = inexact_operand(a, "pinv")
    if rcond is not None and rtol is not None:
        raise errors.ArgumentError("pinv: rcond and rtol are two names of one argument; pass rtol alone.")
    _at_least_matrix(a, "pinv")
    if hermitian:
        a = el.mul(a + adjoint(a), a.dtype.type(0.5))
    tolerance = rcond if rtol is None else rtol
    return spectral.pinv(a, _rtol(tolerance, max(a.shape[-2:]), dtypes.real_of(a.dtype), a.shape[:-2]))


def _at_least_matrix(a: Array, name: str) -> None:
    if a.ndim < 2:
        raise errors.ShapeError(f"{name} takes matrices (..., m, n); got {a.aval}.")


def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Array:
    """The number of singular values above the tolerance, as int64. A: (..., m, n); a vector has rank 1 or 0.

    Args:
        tol: absolute tolerance (...). rtol: relative to the largest singular value; default eps * max(m, n).
        hermitian: take the singular values from eigvalsh.
    """
    a = inexact_operand(A, "matrix_rank")
    if tol is not None and rtol is not None:
        raise errors.ArgumentError("matrix_rank: give tol (absolute) or rtol (relative), not both.")
    if a.ndim < 2:
        return el.convert(
            red.reduce_any(el.ne(a, a.dtype.type(0)), axes=tuple(range(a.ndim))), np.dtype("int64")
        )
    s = svd(a, compute_uv=False, hermitian=hermitian)
    lead = a.shape[:-2]
    if tol is None:
        kept = _above(s, _rtol(rtol, max(a.shape[-2:]), s.dtype, lead))
    else:
        bound = _rtol(tol, 0, s.dtype, lead)
        kept = el.gt(s, reshape(bound, (*lead, 1)))
    return red.reduce_sum(el.convert(kept, np.dtype("int64")), axes=(s.ndim - 1,))


# Factorizations


def cholesky(a: Any, /, *, upper: bool = False, symmetrize_input: bool = True) -> Array:
    """Lower triangular L with L @ L^H = a, or upper triangular U with U^H @ U = a. a: (..., n, n).

    Args:
        symmetrize_input: factor (a + a^H) / 2, so that the gradient is Hermitian too; False reads one triangle
            of a alone (the lower one, or the upper one with `upper`), as NumPy does.

    Raises:
        LinAlgError: a is not positive definite.
    """
    a = inexact_operand(a, "cholesky")
    _at_least_matrix(a, "cholesky")
    factor = systems.cholesky(adjoint(a) if upper else a, symmetrize_input)
    return adjoint(factor) if upper else factor


def qr(a: Any, mode: str = "reduced") -> Any:
    """Q with orthonormal columns and upper triangular R with Q @ R = a. a: (..., m, n).

    Args:
        mode: "reduced": Q (..., m, k), R (..., k, n), k = min(m, n); "complete": the same with k = m; "r": R alone.

    The gradient needs the first min(m, n) columns of a to be independent.
    """
    if not isinstance(mode, str) or mode not in ("reduced", "complete", "r"):
        raise errors.ArgumentError(
            errors.lines(
                f"qr: mode {errors.brief(mode)} is not one of 'reduced', 'complete', 'r'.",
                "'raw' has no derivative.",
            )
        )
    q, r = spectral.qr(inexact_operand(a, "qr"), full_matrices=mode == "complete")
    return r if mode == "r" else QRResult(q, r)


def eigh(a: Any, UPLO: str | None = None) -> EighResult:
    """Eigenvalues, ascending, and orthonormal eigenvectors of Hermitian a: (..., n, n).

    Args:
        UPLO: None takes (a + a^H) / 2, so that the gradient is Hermitian too; "L" and "U" read one triangle alone
            (NumPy's default is "L").

    Eigenvectors are fixed up to signs; complex ones have a real first component. At repeated eigenvalues gradients
    are finite, and right for functions of the projectors onto eigenspaces.
    """
    return EighResult(*spectral.eigh(inexact_operand(a, "eigh"), _part(UPLO, "eigh")))


def eigvalsh(a: Any, UPLO: str | None = None) -> Array:
    """The eigenvalues of `eigh`: (..., n), ascending."""
    return spectral.eigvalsh(inexact_operand(a, "eigvalsh"), _part(UPLO, "eigvalsh"))


def _part(uplo: Any, name: str) -> str:
    parts = {None: "mean", "L": "lower", "U": "upper"}
    key = uplo.upper() if isinstance(uplo, str) else uplo
    if not (key is None or isinstance(key, str)) or key not in parts:
        raise errors.ArgumentError(f"{name}: UPLO is None, 'L' or 'U', not {errors.brief(uplo)}.")
    return parts[key]


def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """a = U @ diag(S) @ Vh. a: (..., m, n); S: (..., min(m, n)), descending.

    Args:
        full_matrices: U and Vh are square; else U: (..., m, k), Vh: (..., k, n) with k = min(m, n).
        compute_uv: False returns S alone.
        hermitian: a is Hermitian: use eigh of (a + a^H) / 2.

    With `full_matrices` the columns beyond k span a null space; gradients are right for functions of that space.
    """
    a = inexact_operand(a, "svd")
    _at_least_matrix(a, "svd")
    if hermitian:
        return _hermitian_svd(a, compute_uv)
    if not compute_uv:
        return spectral.svdvals(a)
    return SVDResult(*spectral.svd(a, full_matrices=bool(full_matrices)))


def _hermitian_svd(a: Array, compute_uv: bool) -> Any:
    """Singular values are the sizes of eigenvalues; their signs go to Vh."""
    if not compute_uv:
        size = el.abs_(spectral.eigvalsh(a))
        return permute(size, argsort(size, descending=True), size.ndim - 1)
    w, v = spectral.eigh(a)
    size = el.abs_(w)
    order = argsort(size, descending=True)
    u = permute(v, broadcast_to(reshape(order, (*order.shape[:-1], 1, order.shape[-1])), v.shape), v.ndim - 1)
    sign = el.select(el.lt(w, w.dtype.type(0)), w.dtype.type(-1), w.dtype.type(1))
    sign = el.convert(permute(sign, order, w.ndim - 1), a.dtype)
    vh = adjoint(u * reshape(sign, (*sign.shape[:-1], 1, sign.shape[-1])))
    return SVDResult(u, permute(size, order, w.ndim - 1), vh)


def svdvals(x: Any, /) -> Array:
    """The singular values of x: (..., m, n), descending."""
    return spectral.svdvals(inexact_operand(x, "svdvals"))


def eig(a: Any) -> EigResult:
    """Eigenvalues and right eigenvectors of any a: (..., n, n); complex always.

    Eigenvectors have norm 1 and a real component of largest size, and derivatives keep it so. The gradient of
    eigenvectors needs distinct eigenvalues.
    """
    return EigResult(*spectral.eig(inexact_operand(a, "eig")))


def eigvals(a: Any) -> Array:
    """The eigenvalues of `eig`: (..., n), complex."""
    return spectral.eigvals(inexact_operand(a, "eigvals"))


# Products and parts


def matrix_power(a: Any, n: int) -> Array:
    """a @ a @ ... @ a, n times, by repeated squaring; negative powers are those of inv(a). a: (..., k, k)."""
    a, n = owned(a, "matrix_power"), static_int(n, "matrix_power: n")
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise errors.ShapeError(f"matrix_power takes square matrices (..., k, k); got {a.aval}.")
    if n == 0:
        k = a.shape[-1]
        unit = el.convert(el.eq(iota((k, 1), 0), iota((1, k), 1)), a.dtype)
        return broadcast_to(unit, a.shape)
    base, n, result = inv(a) if n < 0 else a, abs(n), None
    while True:
        if n & 1:
            result = base if result is None else matmul(result, base)
        n >>= 1
        if n == 0:
            return result
        base = matmul(base, base)


def outer(x1: Any, x2: Any, /) -> Array:
    """All products of an element of x1 with one of x2. x1: (m,), x2: (n,)."""
    x1, x2 = operand(x1, "outer"), operand(x2, "outer")
    if x1.ndim != 1 or x2.ndim != 1:
        raise errors.ShapeError(
            errors.lines(
                f"linalg.outer takes two vectors; got {x1.aval} and {x2.aval}.",
                "fx.numpy.outer flattens its operands.",
            )
        )
    return _outer(x1, x2)


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The vector product along one axis of size 3; the other axes broadcast."""
    return _cross(x1, x2, axis=axis)


def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Array:
    """Sum of products over paired axes; see fx.numpy.tensordot."""
    return _tensordot(x1, x2, axes)


def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """The diagonals of the matrices in the last two axes: (..., k)."""
    return _diagonal(x, offset, -2, -1)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals of the matrices in the last two axes: (...)."""
    return _sum(diagonal(x, offset=offset), -1, dtype)


# Tensors


def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Array:
    """x with tensordot(a, x, x.ndim) = b. a: b.shape + x.shape, after `axes` of a have been moved to its end."""
    a, b = (operand(v, "tensorsolve") for v in promote(a, b, inexact=True))
    if axes is not None:
        moved = [one_axis(i, a.ndim, "tensorsolve") for i in static.integers(axes, "tensorsolve: axes")]
        a = transpose(a, [i for i in range(a.ndim) if i not in moved] + moved)
    shape = a.shape[b.ndim :]
    if math.prod(shape) != b.size or a.size != b.size**2:
        raise errors.ShapeError(
            f"tensorsolve: a of shape {a.shape} must be b's {b.shape} followed by axes of as many elements, {b.size}."
        )
    return reshape(solve(reshape(a, (b.size, b.size)), reshape(b, (b.size,))), shape)


def tensorinv(a: Any, ind: int = 2) -> Array:
    """The inverse for tensordot: tensordot(tensorinv(a, ind), a, ind) is the identity.

    a: Q + P, with `ind` axes in Q and as many elements in Q as in P; the result is P + Q.
    """
    a, ind = inexact_operand(a, "tensorinv"), static_int(ind, "tensorinv: ind")
    if ind <= 0:
        raise errors.ArgumentError(f"tensorinv: ind must be positive; got {ind}.")
    first, rest = a.shape[:ind], a.shape[ind:]
    n = math.prod(first)
    if n * n != a.size:
        raise errors.ShapeError(
            f"tensorinv: axes {first} and {rest} of {a.aval} have different numbers of elements."
        )
    return reshape(inv(reshape(a, (n, n))), (*rest, *first))
