"""Matrices by pattern: identity, triangles, diagonals, powers; and the indices of such parts."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from ..primitives.cumulative import cumprod
from . import _on_host as host
from ._arguments import dtype_or, in_dtype, operand, owned, refuse_cut, static_int
from ._creation import asarray, on_device
from ._einsum import diagonal_of
from ._native import DOUBLE, EVERY, INEXACT, WHOLE, made, natively
from ._reductions import sum
from ._shapes import diagonal
from .indexing import take


@made(host.eye, numbers=3)
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None, *, device: Any = None) -> Array:
    """Ones on diagonal k of an (N, M) matrix (M = N unless given), zeros elsewhere."""
    return _pattern(el.eq, N, M, k, dtype, device, "eye")


def identity(n: int, dtype: Any = None) -> Array:
    """The (n, n) identity matrix."""
    return eye(n, dtype=dtype)


@made(host.tri, numbers=3)
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Array:
    """Ones on and below diagonal k of an (N, M) matrix, zeros above."""
    return _pattern(el.ge, N, M, k, dtype, None, "tri")


def _pattern(compare: Any, n: Any, m: Any, k: Any, dtype: Any, device: Any, name: str) -> Array:
    rows = static_int(n, f"{name}: N")
    shape = (rows, rows if m is None else static_int(m, f"{name}: M"))
    if min(shape) < 0:
        raise errors.ShapeError(f"{name}: sizes must not be negative; got {shape}.")
    with on_device(device):
        return el.convert(_compared(compare, shape, k, name), dtype_or(dtype, dtypes.default_float()))


def _compared(compare: Any, shape: tuple[int, int], k: Any, name: str) -> Array:
    """compare(row + k, column) over a grid."""
    offset = np.clip(static_int(k, f"{name}: k"), -shape[0], shape[1])  # beyond the corners nothing changes
    rows = sh.iota((shape[0], 1), 0) + int(offset)
    return compare(rows, sh.iota((1, shape[1]), 1))


@natively(np.tril, EVERY)
def tril(x: Any, k: int = 0) -> Array:
    """The lower triangles of matrices (..., m, n): zeros above diagonal k."""
    x = _matrices(x, "tril")
    return el.select(_compared(el.ge, x.shape[-2:], k, "tril"), x, x.dtype.type(0))


@natively(np.triu, EVERY)
def triu(x: Any, k: int = 0) -> Array:
    """The upper triangles of matrices (..., m, n): zeros below diagonal k."""
    x = _matrices(x, "triu")
    return el.select(_compared(el.le, x.shape[-2:], k, "triu"), x, x.dtype.type(0))


def _matrices(x: Any, name: str) -> Array:
    x = operand(x, name)
    if x.ndim == 1:
        return sh.broadcast_to(x, (x.size, x.size))
    if x.ndim < 1:
        raise errors.ShapeError(f"{name} needs at least one axis; got {x.aval}.")
    return x


@natively(np.diag, EVERY, view=True)
def diag(v: Any, k: int = 0) -> Array:
    """The matrix with v on its diagonal k; of a matrix, its diagonal k."""
    v = owned(v, "diag")
    k = static_int(k, "diag: k")
    if v.ndim == 2:
        return diagonal_of(v, 0, 1, k)
    if v.ndim != 1:
        raise errors.ShapeError(f"diag takes one or two axes; got {v.aval}.")
    n = v.size
    m = n + abs(k)
    if n == 0:
        return sh.full((m, m), 0, v.dtype)
    before = k if k >= 0 else -k * m
    flat = sh.pad(v, [before], [m * m - before - n - (n - 1) * m], [m])
    return sh.reshape(flat, (m, m))


@natively(np.diagflat, EVERY)
def diagflat(v: Any, k: int = 0) -> Array:
    """The matrix with all elements of v on its diagonal k."""
    v = operand(v, "diagflat")
    return diag(sh.reshape(v, (v.size,)), k)


@natively(np.trace, INEXACT | WHOLE)
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Array:
    """The sum of a diagonal of the plane of two axes."""
    return sum(diagonal(x, offset, axis1, axis2), -1, dtype)


@natively(np.vander, DOUBLE)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Array:
    """Rows of powers of the elements of x: x**(N-1), ..., x, 1; the other way round if increasing. x: (n,)."""
    x = operand(x, "vander")
    if x.ndim != 1:
        raise errors.ShapeError(f"vander takes one axis; got {x.aval}.")
    x = x if x.aval.inexact else el.convert(x, dtypes.int64)
    n = x.size if N is None else static_int(N, "vander: N")
    if n < 0:
        raise errors.ShapeError(f"vander: N must not be negative; got {n}.")
    ones = sh.full((x.size, min(n, 1)), 1, x.dtype)
    factors = sh.broadcast_to(sh.reshape(x, (x.size, 1)), (x.size, max(n - 1, 0)))
    powers = sh.concatenate([ones, cumprod(factors, axis=1)], 1)
    return powers if increasing else sh.reverse(powers, axes=(1,))


@natively(host.fill_diagonal, floats=True)
def fill_diagonal(x: Any, val: Any, wrap: bool = False, *, inplace: bool = False) -> Array:
    """x with values on its main diagonal; values are repeated to its length. A new array: x is not changed.

    Args:
        wrap: begin a new diagonal one row below the end of a tall matrix.
        inplace: must be False; NumPy's function writes into x.
    """
    x = owned(x, "fill_diagonal")
    if inplace:
        raise errors.ImmutableError("fill_diagonal returns a new array; leave out inplace=True.")
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) != 1):
        raise errors.ShapeError(f"fill_diagonal needs two axes, or more of one size; got {x.aval}.")
    step = 1 + builtins.sum(math.prod(x.shape[i:]) for i in range(1, x.ndim))
    stop = x.size if wrap or x.ndim > 2 else min(x.size, x.shape[1] * x.shape[1])
    refuse_cut(operand(val, "fill_diagonal: values"), x, "fill_diagonal")
    values = in_dtype(val, x.dtype, "fill_diagonal: values")
    if not x.size:
        return x
    if not values.size:
        raise errors.ShapeError("fill_diagonal needs at least one value.")
    places = sh.reshape(sh.iota((x.size,), 0), x.shape)
    on = (places % step == 0) & (places < stop)
    filling = take(values, (places // step) % values.size)
    return el.select(on, filling, x)


# Indices of parts


@made(host.tril_indices, numbers=3)
def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """Rows and columns of the places on and below diagonal k of an (n, m) matrix."""
    return _triangle(np.tril_indices, "tril_indices", n, k, m)


@made(host.triu_indices, numbers=3)
def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
    """Rows and columns of the places on and above diagonal k of an (n, m) matrix."""
    return _triangle(np.triu_indices, "triu_indices", n, k, m)


def _triangle(places: Any, name: str, n: Any, k: Any, m: Any) -> tuple[Array, Array]:
    rows, columns = static.sizes((n, n if m is None else m), f"{name}: n, m")
    below = np.clip(static_int(k, f"{name}: k"), -rows, columns)  # beyond the corners nothing changes
    operand(sh.full((rows, columns), False, "bool"), name)  # says so where memory does not suffice
    return _constants(places(rows, int(below), columns))


def tril_indices_from(x: Any, k: int = 0) -> tuple[Array, Array]:
    """`tril_indices` of the shape of a matrix."""
    rows, columns = _matrix_shape(x, "tril_indices_from")
    return tril_indices(rows, k, columns)


def triu_indices_from(x: Any, k: int = 0) -> tuple[Array, Array]:
    """`triu_indices` of the shape of a matrix."""
    rows, columns = _matrix_shape(x, "triu_indices_from")
    return triu_indices(rows, k, columns)


def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """Indices of the main diagonal of an array of `ndim` axes of size n."""
    line = sh.iota((static_int(n, "diag_indices: n"),), 0)
    return (line,) * len(
        static.sizes((1,) * min(static_int(ndim, "diag_indices: ndim"), 65), "diag_indices: ndim")
    )


def diag_indices_from(x: Any) -> tuple[Array, ...]:
    """`diag_indices` of the shape of an array whose axes have one size."""
    x = operand(x, "diag_indices_from")
    if x.ndim < 2 or len(set(x.shape)) != 1:
        raise errors.ShapeError(f"diag_indices_from needs at least two axes of one size; got {x.aval}.")
    return diag_indices(x.shape[0], x.ndim)


def _constants(arrays: Any) -> tuple[Array, Array]:
    rows, columns = (asarray(np.asarray(a, np.int64)) for a in arrays)
    return rows, columns


def _matrix_shape(x: Any, name: str) -> tuple[int, ...]:
    x = operand(x, name)
    if x.ndim != 2:
        raise errors.ShapeError(f"{name} takes a matrix; got {x.aval}.")
    return x.shape
