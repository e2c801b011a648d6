"""Eigenvalues of one or two matrices, Hermitian, tridiagonal and general."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import errors, static
from ..core.array import Array
from ..numpy._arguments import operand, static_int
from ..primitives import elementwise as el, linalg as systems, reductions as red, spectral
from ..primitives._matrices import adjoint, hermitian, matmul, row
from ..primitives.promotion import promote
from ..primitives.shape import iota, slice_axis
from ..primitives.tridiagonal import eigh_tridiagonal as eigh_by_diagonals
from ._arguments import choice, finite, matrix, same_batch, vector


def eigh(
    a: Any,
    b: Any = None,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    turbo: bool = True,
    eigvals: Any = None,
    type: int = 1,
    check_finite: bool = True,
    *,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """(w, v) with a @ v = v * w, or a @ v = b @ v * w with v^H @ b @ v = I; w ascending. a, b: (..., n, n), Hermitian.

    Args:
        b: positive definite. type: 1 as above; 2: a @ b @ v = v * w; 3: b @ a @ v = v * w.
        lower: read the lower triangles of a and b, else the upper ones; what is read gets the gradient.
        eigvals_only: return w alone.
        subset_by_index, eigvals: (first, last), both included.
        subset_by_value: (above, up to): values of w in this interval; the shape then depends on values.

    Repeated eigenvalues: see `fx.numpy.linalg.eigh`.

    Raises:
        LinAlgError: b is not positive definite.
    """
    choice(type, (1, 2, 3), "eigh: type")
    a = matrix(a, "eigh", True, check_finite)
    part = "lower" if lower else "upper"
    if b is None:
        w, v = _plain_eigh(a, part, eigvals_only)
    else:
        a, b = (operand(x, "eigh") for x in promote(a, b, inexact=True))
        matrix(b, "eigh", True, check_finite)
        if a.shape[-1] != b.shape[-1]:
            raise errors.ShapeError(f"eigh takes a and b of one size; got {a.aval} and {b.aval}.")
        w, v = _two_matrices(*same_batch("eigh", a, b), part, type, eigvals_only)
    if subset_by_index is not None and eigvals is not None:
        raise errors.ArgumentError("eigh: eigvals is the older name of subset_by_index; pass one of them.")
    w, v = _subset(w, v, eigvals if subset_by_index is None else subset_by_index, subset_by_value, "eigh")
    return w if eigvals_only else (w, v)


def _plain_eigh(a: Array, part: str, eigvals_only: bool) -> tuple[Array, Any]:
    return (spectral.eigvalsh(a, part), None) if eigvals_only else spectral.eigh(a, part)


def _two_matrices(a: Array, b: Array, part: str, kind: int, eigvals_only: bool) -> tuple[Array, Any]:
    """With b = L L^H: kind 1 takes L^-1 a L^-H, and v = L^-H y; 2 and 3 take L^H a L, and v = L^-H y or L y."""
    a = hermitian(a, part)
    factor = systems.cholesky(b if part == "lower" else adjoint(b), symmetrize_input=False)
    solve = systems.triangular_solve
    if kind == 1:
        inner = solve(
            factor,
            solve(factor, a, lower=True),
            left_side=False,
            lower=True,
            transpose_a=True,
            conjugate_a=True,
        )
    else:
        inner = matmul(adjoint(factor), matmul(a, factor))
    w, y = _plain_eigh(inner, "mean", eigvals_only)
    if eigvals_only:
        return w, None
    back = (
        matmul(factor, y) if kind == 3 else solve(factor, y, lower=True, transpose_a=True, conjugate_a=True)
    )
    return w, back


def _subset(w: Array, v: Any, by_index: Any, by_value: Any, name: str) -> tuple[Array, Any]:
    n, axis = w.shape[-1], w.ndim - 1
    if by_index is not None and by_value is not None:
        raise errors.ArgumentError(f"{name}: choose by index or by value, not both.")
    if by_value is not None:
        by_index = _between(w, by_value, name)
        if by_index is None:
            start, stop = 0, 0
        else:
            start, stop = by_index
    elif by_index is not None:
        first, last = (static_int(i, f"{name}: an index") for i in _two(by_index, name))
        if not 0 <= first <= last < n:
            raise errors.ArgumentError(
                f"{name}: indices {(first, last)} are not a range within 0 to {n - 1}."
            )
        start, stop = first, last + 1
    else:
        return w, v
    return slice_axis(w, start, stop, axis), None if v is None else slice_axis(v, start, stop, v.ndim - 1)


def _two(ends: Any, name: str) -> list[Any]:
    found = static.sequence(ends, f"{name}: a choice of eigenvalues")
    if len(found) != 2:
        raise errors.ArgumentError(
            f"{name}: eigenvalues are chosen by two ends, (first, last); got {errors.brief(ends)}."
        )
    return found


def _between(w: Array, interval: Any, name: str) -> tuple[int, int]:
    low, high = (static.real(x, f"{name}: an end of the interval") for x in _two(interval, name))
    if w.ndim != 1 or not low < high:
        raise errors.ArgumentError(
            f"{name}: an interval (low, high] chooses eigenvalues (n,) of one matrix; got {interval} for {w.aval}."
        )
    values = np.asarray([float(x) for x in w])
    return int((values <= low).sum()), int((values <= high).sum())


def eigvalsh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Array:
    """The eigenvalues of `eigh`, ascending."""
    return eigh(  # type: ignore[no-any-return]
        a, b, lower, True, type=type, check_finite=check_finite, subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
    )  # fmt: skip


def eigh_tridiagonal(
    d: Any,
    e: Any,
    eigvals_only: bool = False,
    select: str = "a",
    select_range: Any = None,
    check_finite: bool = True,
    tol: float | None = None,
    lapack_driver: str = "auto",
    *,
    key: Any = None,
) -> Any:
    """(w, v) of the symmetric tridiagonal matrix with diagonal d: (..., n) and off-diagonal e: (..., n - 1), both real.

    Args:
        eigvals_only: return w alone, ascending. Otherwise no number in the first row of v is negative.
        select: "a" for all, "i" for indices and "v" for values in select_range, as in `eigh`.
        tol, lapack_driver, key: accepted as SciPy and JAX have them.
    """
    choice(select, ("a", "i", "v"), "eigh_tridiagonal: select")
    d, e = (vector(x, "eigh_tridiagonal") for x in promote(d, e, inexact=True))
    if d.dtype.kind == "c":
        raise errors.DTypeError(f"eigh_tridiagonal takes real diagonals; got {d.aval} and {e.aval}.")
    n = d.shape[-1]
    if d.shape[:-1] != e.shape[:-1] or e.shape[-1] != max(n - 1, 0):
        raise errors.ShapeError(
            f"eigh_tridiagonal takes d: (..., n) and e: (..., n - 1); got {d.aval}, {e.aval}."
        )
    if check_finite:
        finite(d, "eigh_tridiagonal"), finite(e, "eigh_tridiagonal")
    w, v = (*eigh_by_diagonals(d, e, not eigvals_only), None)[:2]
    if (select == "a") != (select_range is None):
        raise errors.ArgumentError(f"eigh_tridiagonal: select={select!r} with select_range={select_range}.")
    w, v = _subset(
        w,
        v,
        select_range if select == "i" else None,
        select_range if select == "v" else None,
        "eigh_tridiagonal",
    )
    return w if eigvals_only else (w, v)


def eig(a: Any, b: Any = None, left: bool = False, right: bool = True, check_finite: bool = True) -> Any:
    """(w, vr) with a @ vr = vr * w, or a @ vr = b @ vr * w; with `left` (w, vl, vr), vl^H @ a = w * vl^H; complex.

    a, b: (..., n, n), b regular. Vectors have norm 1 and a real component of largest size. Derivatives need distinct
    eigenvalues.

    Raises:
        LinAlgError: b is singular.
    """
    a = _single(a, b, "eig", check_finite)
    w, v = spectral.eig(a)
    vl = _left_vectors(v, b) if left else None
    return (w, *[x for x, wanted in ((vl, left), (v, right)) if wanted]) if left or right else w


def eigvals(a: Any, b: Any = None, overwrite_a: bool = False, check_finite: bool = True) -> Array:
    """The eigenvalues w of `eig`: (..., n), complex."""
    return spectral.eigvals(_single(a, b, "eigvals", check_finite))


def _single(a: Any, b: Any, name: str, check_finite: bool) -> Array:
    """b^-1 a."""
    if b is None:
        return matrix(a, name, True, check_finite)
    a, b = (operand(x, name) for x in promote(a, b, inexact=True))
    for x in (a, b):
        matrix(x, name, True, check_finite)
    return systems.solve(*reversed(same_batch(name, a, b)))


def _left_vectors(v: Array, b: Any) -> Array:
    """The rows of (b v)^-1, as columns of norm 1 with a real component of largest size."""
    product = v if b is None else matmul(el.convert(operand(b, "eig"), v.dtype), v)
    left = adjoint(systems.inv(product))
    size = el.abs_(left)
    length = el.sqrt(red.reduce_sum(size * size, axes=(left.ndim - 2,)))
    left = left / el.convert(row(length), left.dtype)
    largest = red.argmax(size, axis=left.ndim - 2, dtype=np.dtype("int64"))
    picked = el.select(el.eq(iota((left.shape[-1], 1), 0), row(largest)), left, left.dtype.type(0))
    top = red.reduce_sum(picked, axes=(left.ndim - 2,))
    return left * row(el.conj(top) / el.convert(el.abs_(top), top.dtype))
