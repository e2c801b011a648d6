"""Factorizations on concrete buffers: LAPACK through NumPy and SciPy, cuSOLVER through CuPy, and loops over a batch.

A failure is loud on both: NumPy raises, CuPy is asked to, and results that became NaN are looked for.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import Aval

# Failures


def attempt(
    xp: Any, name: str, problem: str, advice: str, compute: Callable[..., Any], *operands: Any
) -> Any:
    """`compute(*operands)`; LinAlgError with the problem, the matrix of the batch and the advice if it fails."""
    try:
        with _raising(xp):
            result = compute(*operands)
    except np.linalg.LinAlgError as e:
        raise _failure(xp, name, problem, advice, compute, operands) from e
    if xp is not np and _became_nan(xp, result, operands):
        raise _failure(xp, name, problem, advice, compute, operands)
    return result


@contextmanager
def _raising(xp: Any) -> Iterator[None]:
    """CuPy keeps cuSOLVER's status to itself unless told otherwise."""
    if not is_cupy(xp):
        yield
        return
    with importlib.import_module("cupyx").errstate(linalg="raise"):
        yield


def is_cupy(xp: Any) -> bool:
    """Whether xp is CuPy itself, with cupyx beside it, and not its stand-in."""
    return xp is not np and getattr(xp, "cuda", None) is not None


def _became_nan(xp: Any, result: Any, operands: Any) -> bool:
    results = result if isinstance(result, tuple) else (result,)
    if all(bool(xp.isfinite(r).all()) for r in results):
        return False
    return all(bool(xp.isfinite(x).all()) for x in operands)


def _failure(
    xp: Any, name: str, problem: str, advice: str, compute: Any, operands: Any
) -> errors.LinAlgError:
    a = operands[0]
    place = _first_failing(xp, compute, operands) if a.ndim > 2 else ()
    which = (
        f"matrix {list(place)} of the batch {Aval(a.shape, a.dtype)}"
        if place
        else f"{Aval(a.shape, a.dtype)}"
    )
    return errors.LinAlgError(errors.lines(f"{name}: {problem}.", which, advice))


def _first_failing(xp: Any, compute: Any, operands: Any) -> tuple[int, ...]:
    for index in np.ndindex(operands[0].shape[:-2]):
        parts = [x[index] for x in operands]
        try:
            with _raising(xp):
                result = compute(*parts)
        except np.linalg.LinAlgError:
            return index
        if xp is not np and _became_nan(xp, result, parts):
            return index
    return ()


def each(xp: Any, compute: Callable[..., Any], a: Any) -> Any:
    """`compute(a)`, with NaN for the matrices where it fails. The result has the shape of a."""
    try:
        return compute(a)
    except np.linalg.LinAlgError:
        pass
    out = np.full(a.shape, np.nan, a.dtype)
    for index in np.ndindex(a.shape[:-2]):
        try:
            out[index] = compute(a[index])
        except np.linalg.LinAlgError:
            continue
    return out


# Batches


def flat_batch(xp: Any, x: Any) -> Any:
    """x: (*batch, m, n) as (count, m, n)."""
    return xp.reshape(x, (math.prod(x.shape[:-2]), *x.shape[-2:]))


def use_loop(a: Any) -> bool:
    """Whether one library call per matrix beats vector operations over the batch: few matrices, or large ones."""
    n = max(a.shape[-2:])
    return n > 8 or math.prod(a.shape[:-2]) <= 4 * n


def routine(family: str, name: str, dtype: np.dtype[Any]) -> Any:
    """A BLAS or LAPACK routine of SciPy for a dtype: routine("lapack", "getrf", float64) is dgetrf."""
    return getattr(importlib.import_module(f"scipy.linalg.{family}"), dtype.char.translate(_LETTER) + name)


_LETTER = str.maketrans("fdFD", "sdcz")


def phases(xp: Any, v: Any) -> Any:
    """(..., 1, n): what makes the first component of each column of v real; 1 where it is so already."""
    first = v[..., :1, :]
    turned = first.imag != 0
    return xp.where(turned, first.conj() / xp.where(turned, xp.abs(first), 1), 1).astype(v.dtype)


# Triangular systems


def solve_triangular(
    xp: Any, a: Any, b: Any, *, lower: bool, transpose: bool, conjugate: bool, unit: bool
) -> Any:
    """op(a)^-1 b for triangular a: (*batch, n, n), b: (*batch, n, k); the other triangle is not read."""
    if b.size == 0:
        return xp.zeros(b.shape, b.dtype)
    if is_cupy(xp):
        module = importlib.import_module("cupyx.scipy.linalg")
        if conjugate and not transpose:
            a = a.conj()
        trans = "N" if not transpose else "C" if conjugate else "T"
        return module.solve_triangular(a, b, trans=trans, lower=lower, unit_diagonal=unit)
    if xp is np and use_loop(a):
        return _trsm(a, b, lower, transpose, conjugate, unit)
    if transpose:
        a, lower = xp.swapaxes(a, -1, -2), not lower
    a = a.conj() if conjugate and a.dtype.kind == "c" else a
    return _substitute(xp, flat_batch(xp, a), flat_batch(xp, b), lower, unit).reshape(b.shape)


def _trsm(a: Any, b: Any, lower: bool, transpose: bool, conjugate: bool, unit: bool) -> Any:
    """One BLAS call per matrix, on transposed views: rows here are BLAS's columns, so nothing is copied twice."""
    trsm = routine("blas", "trsm", b.dtype)
    if conjugate and not transpose:
        a, conjugate = a.conj(), False
    trans = 0 if not transpose else 2 if conjugate and a.dtype.kind == "c" else 1
    out = np.empty(b.shape, b.dtype)
    for i in np.ndindex(b.shape[:-2]):
        out[i] = trsm(1, a[i].T, b[i].T, side=1, lower=not lower, trans_a=trans, diag=unit).T
    return out


def _substitute(xp: Any, a: Any, b: Any, lower: bool, unit: bool) -> Any:
    """Forward or backward substitution in all matrices at once. a: (count, n, n), b: (count, n, k)."""
    n = a.shape[-1]
    x = xp.array(b, copy=True)
    for i in range(n) if lower else reversed(range(n)):
        if not unit:
            x[:, i] = x[:, i] / a[:, i, i, None]
        rest = slice(i + 1, n) if lower else slice(0, i)
        x[:, rest] = x[:, rest] - a[:, rest, i, None] * x[:, None, i]
    return x


# LU


def lu(xp: Any, a: Any) -> tuple[Any, Any, Any]:
    """(lu, pivots, permutation) of a: (*batch, m, n) with partial pivoting; a[permutation] = L U."""
    m, k = a.shape[-2], min(a.shape[-2:])
    lead = a.shape[:-2]
    if a.size and xp is np and use_loop(a):
        packed, pivots = _getrf(a)
    elif a.size and a.ndim == 2 and is_cupy(xp):
        packed, pivots = _cusolver_getrf(a)
    elif a.size:
        packed, pivots = _eliminate(xp, flat_batch(xp, a))
    else:
        packed, pivots = a, xp.zeros((*lead, k), np.int32)
    packed, pivots = packed.reshape(a.shape), pivots.reshape((*lead, k))
    return packed, pivots, permutation(xp, pivots, m)


def _getrf(a: Any) -> tuple[Any, Any]:
    getrf = routine("lapack", "getrf", a.dtype)
    packed = np.empty(a.shape, a.dtype)
    pivots = np.empty((*a.shape[:-2], min(a.shape[-2:])), np.int32)
    for i in np.ndindex(a.shape[:-2]):
        packed[i], pivots[i], _ = getrf(a[i])
    return packed, pivots


def _cusolver_getrf(a: Any) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a singular matrix has a factorization too
        packed, pivots = importlib.import_module("cupyx.scipy.linalg").lu_factor(a, check_finite=False)
    return packed, pivots.astype(np.int32)


def _eliminate(xp: Any, a: Any) -> tuple[Any, Any]:
    """Gaussian elimination with partial pivoting in all matrices at once. a: (count, m, n)."""
    count, m, n = a.shape
    a = xp.array(a, copy=True)
    pivots = xp.zeros((count, min(m, n)), np.int32)
    every = xp.arange(count)
    for j in range(min(m, n)):
        column = a[:, j:, j]
        size = xp.abs(column.real) + xp.abs(column.imag) if a.dtype.kind == "c" else xp.abs(column)
        p = xp.argmax(size, axis=1) + j
        pivots[:, j] = p
        row = a[every, p]
        a[every, p] = a[:, j]
        a[:, j] = row
        pivot = row[:, j, None]
        factor = a[:, j + 1 :, j] / xp.where(pivot == 0, a.dtype.type(1), pivot)
        a[:, j + 1 :, j] = factor
        a[:, j + 1 :, j + 1 :] = a[:, j + 1 :, j + 1 :] - factor[:, :, None] * row[:, None, j + 1 :]
    return a, pivots


def permutation(xp: Any, pivots: Any, m: int) -> Any:
    """The row order that swapping row i with row pivots[i], for i = 0, 1, ..., makes; found on the host."""
    lead, k = pivots.shape[:-1], pivots.shape[-1]
    host = (pivots if xp is np else pivots.get()).reshape((math.prod(lead), k))
    order = _order_of_one(host[0], m) if len(host) == 1 else _order_of_many(host, m)
    return xp.asarray(order.reshape((*lead, m)))


def _order_of_one(pivots: Any, m: int) -> Any:
    order = list(range(m))
    for i, p in enumerate(pivots.tolist()):
        order[i], order[p] = order[p], order[i]
    return np.array(order, np.int32)


def _order_of_many(pivots: Any, m: int) -> Any:
    order = np.tile(np.arange(m, dtype=np.int32), (len(pivots), 1))
    every = np.arange(len(pivots))
    for i in range(pivots.shape[1]):
        p = pivots[:, i]
        order[every, p], order[:, i] = order[:, i].copy(), order[every, p]
    return order


# Determinants


def slogdet(xp: Any, a: Any) -> tuple[Any, Any]:
    """(sign, log|det|); sign 0 and -inf where a is singular, on CuPy too."""
    sign, logdet = xp.linalg.slogdet(a)
    if xp is not np:
        sign = xp.where(logdet == -np.inf, xp.zeros_like(sign), sign).astype(a.dtype)
    return sign, logdet


def cofactors(xp: Any, a: Any, direction: Any = None) -> Any:
    """The matrix of cofactors of a: (*batch, n, n), or its derivative in a direction; at every rank.

    With a = U S V^H it is det(U V^H) conj(U) D conj(V)^H, where D holds products of singular values without one, or,
    for the derivative, without two of them: nothing is divided.
    """
    if a.size == 0:
        return xp.zeros(a.shape, a.dtype)
    u, s, vh = xp.linalg.svd(a, full_matrices=True)
    phase = xp.linalg.det(u) * xp.linalg.det(vh)
    without = _products_without_two(xp, s)
    if direction is None:
        inner = _diagonal_matrix(xp, _products_without_one(xp, s)).astype(a.dtype)
    else:
        e = xp.matmul(xp.matmul(_adjoint(xp, u), direction), _adjoint(xp, vh))
        traces = xp.matmul(without.astype(a.dtype), _diagonal(xp, e)[..., None])[..., 0]
        inner = _diagonal_matrix(xp, traces) - xp.swapaxes(e, -1, -2) * without
    return phase[..., None, None].astype(a.dtype) * xp.matmul(xp.matmul(u.conj(), inner), vh.conj())


def _products_without_one(xp: Any, s: Any) -> Any:
    """prod(s[k] for k != i), from products of all before and all after."""
    ones = xp.ones((*s.shape[:-1], 1), s.dtype)
    before = xp.concatenate([ones, xp.cumprod(s, axis=-1)[..., :-1]], axis=-1)
    after = xp.concatenate([xp.cumprod(s[..., ::-1], axis=-1)[..., ::-1][..., 1:], ones], axis=-1)
    return before * after


def _products_without_two(xp: Any, s: Any) -> Any:
    """(i, j): prod(s[k] for k != i, j) off the diagonal, 0 on it."""
    n = s.shape[-1]
    i, j = xp.arange(n)[:, None], xp.arange(n)[None, :]
    others = xp.where(i == j, s.dtype.type(1), s[..., None, :])
    return xp.where(i == j, s.dtype.type(0), _products_without_one(xp, others))


def _diagonal(xp: Any, m: Any) -> Any:
    return xp.diagonal(m, axis1=-2, axis2=-1)


def _diagonal_matrix(xp: Any, d: Any) -> Any:
    return d[..., None] * xp.eye(d.shape[-1], dtype=d.dtype)


def _adjoint(xp: Any, m: Any) -> Any:
    return xp.swapaxes(m, -1, -2).conj()
