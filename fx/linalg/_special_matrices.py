"""Matrices made of vectors (toeplitz, circulant, companion ...) and of a size (hilbert, pascal, hadamard ...).

Vectors may have batch axes in front: every vector makes a matrix. Constant matrices are in the default float, or
integers where they say so; numbers that an integer of 64 bits cannot hold are an error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..numpy._arguments import common_shape, operand, static_int
from ..numpy._creation import asarray
from ..numpy.indexing import take
from ..primitives import elementwise as el
from ..primitives.promotion import promote
from ..primitives.shape import broadcast_to, concatenate, full, iota, reshape, reverse, slice_axis
from ._arguments import choice, has_zeros, vector


def block_diag(*arrs: Any) -> Array:
    """The arrays along the diagonal of one, zeros elsewhere. Each: (..., m, n), or (n,) as a row; batches broadcast."""
    given = (
        [operand(a, "block_diag") for a in promote(*arrs)]
        if arrs
        else [full((1, 0), 0, dtypes.default_float())]
    )
    blocks = [reshape(a, (1,) * (2 - a.ndim) + a.shape) if a.ndim < 2 else a for a in given]
    lead = common_shape("block_diag", *[b.shape[:-2] for b in blocks])
    width, left, rows = sum(b.shape[-1] for b in blocks), 0, []
    for b in blocks:
        m, n = b.shape[-2:]
        zeros = lambda k, m=m, b=b: full((*lead, m, k), 0, b.dtype)
        rows.append(
            concatenate([zeros(left), broadcast_to(b, (*lead, m, n)), zeros(width - left - n)], len(lead) + 1)
        )
        left += n
    return concatenate(rows, len(lead))


def toeplitz(c: Any, r: Any = None) -> Array:
    """t[i, j] = c[i - j] for i >= j, r[j - i] otherwise. c: (..., m), r: (..., n), its first element not read.

    Without r, r = conj(c).
    """
    c = vector(c, "toeplitz")
    r = (el.conj(c) if c.dtype.kind == "c" else c) if r is None else vector(r, "toeplitz")
    c, r = _vectors("toeplitz", c, r)
    m, n, axis = c.shape[-1], r.shape[-1], c.ndim - 1
    if not m or not n:
        return full((*c.shape[:-1], m, n), 0, c.dtype)
    line = concatenate([reverse(slice_axis(r, 1, n, axis), axes=(axis,)), c], axis)
    return _windows(line, lambda i, j: i - j + (n - 1), m, n)


def hankel(c: Any, r: Any = None) -> Array:
    """h[i, j] = c[i + j], continued in r[1:]. c: (..., m), the first column; r: (..., n), the last row, or zeros."""
    c = vector(c, "hankel")
    c, r = _vectors("hankel", c, full(c.shape, 0, c.dtype) if r is None else vector(r, "hankel"))
    m, n, axis = c.shape[-1], r.shape[-1], c.ndim - 1
    if not m or not n:
        return full((*c.shape[:-1], m, n), 0, c.dtype)
    return _windows(concatenate([c, slice_axis(r, 1, n, axis)], axis), lambda i, j: i + j, m, n)


def _vectors(name: str, *xs: Array) -> list[Array]:
    """Vectors in one dtype and batch."""
    xs = tuple(operand(x, name) for x in promote(*xs))
    lead = common_shape(name, *[x.shape[:-1] for x in xs])
    return [broadcast_to(x, (*lead, x.shape[-1])) for x in xs]


def _windows(line: Array, place: Any, m: int, n: int) -> Array:
    """(..., m, n) with line[place(i, j)] at i, j."""
    order = place(np.arange(m)[:, None], np.arange(n)[None, :])
    return take(line, np.broadcast_to(order, (m, n)), axis=-1)


def circulant(c: Any) -> Array:
    """Columns that are c: (..., n), turned by 0, 1, ..., n - 1 places."""
    c = vector(c, "circulant")
    n = c.shape[-1]
    if not n:
        return full((*c.shape, n), 0, c.dtype)
    return _windows(c, lambda i, j: (i - j) % n, n, n)


def companion(a: Any) -> Array:
    """The matrix (..., n - 1, n - 1) whose characteristic polynomial has the coefficients a: (..., n), highest first.

    Raises:
        ArgumentError: fewer than two coefficients, or a first one that is known to be zero.
    """
    a = vector(a, "companion")
    a = a if a.aval.inexact else el.convert(a, dtypes.default_float())
    if a.shape[-1] < 2:
        raise errors.ArgumentError(f"companion takes at least two coefficients; got {a.aval}.")
    row = _monic(a, "companion")
    n = row.shape[-1]
    i, j = iota((n, 1), 0), iota((1, n), 1)
    below = el.convert(el.eq(i, j + np.int64(1)), row.dtype)
    return el.select(el.eq(i, np.int64(0)), reshape(row, (*row.shape[:-1], 1, n)), below)


def _monic(a: Array, name: str) -> Array:
    """-a[1:] / a[0]."""
    axis = a.ndim - 1
    first = slice_axis(a, 0, 1, axis)
    if has_zeros(first):
        raise errors.ArgumentError(f"{name}: the first coefficient must not be zero; got {errors.brief(a)}.")
    return -(slice_axis(a, 1, a.shape[-1], axis) / first)


def leslie(f: Any, s: Any) -> Array:
    """Fecundities f: (..., n) in the first row, survival rates s: (..., n - 1) below the diagonal."""
    f, s = _vectors("leslie", vector(f, "leslie"), vector(s, "leslie"))
    n = f.shape[-1]
    if n < 2 or s.shape[-1] != n - 1:
        raise errors.ShapeError(
            f"leslie takes f: (..., n) and s: (..., n - 1), n > 1; got {f.aval} and {s.aval}."
        )
    axis = f.ndim - 1
    i, j = iota((n, 1), 0), iota((1, n), 1)
    rates = concatenate([s, slice_axis(s, 0, 1, axis)], axis)
    zero = full((), 0, f.dtype)
    top = el.select(el.eq(i, np.int64(0)), reshape(f, (*f.shape[:-1], 1, n)), zero)
    return top + el.select(el.eq(i, j + np.int64(1)), reshape(rates, (*f.shape[:-1], 1, n)), zero)


def convolution_matrix(a: Any, n: int, mode: str = "full") -> Array:
    """The matrix whose product with v: (n,) is fx.numpy.convolve(a, v, mode). a: (..., k).

    Args:
        mode: "full": n + k - 1 rows, "same": max(n, k), "valid": max(n, k) - min(n, k) + 1.
    """
    a, n = vector(a, "convolution_matrix"), _size(n, "convolution_matrix")
    choice(mode, ("full", "same", "valid"), "convolution_matrix: mode")
    k = a.shape[-1]
    if n <= 0 or k == 0:
        raise errors.ShapeError(
            f"convolution_matrix needs n > 0 and a that is not empty; got {n} and {a.aval}."
        )
    lead = a.shape[:-1]
    line = concatenate([a, full((*lead, 1), 0, a.dtype)], a.ndim - 1)
    length, small = n + k - 1, min(n, k)
    start, stop = {
        "full": (0, length),
        "same": ((small - 1) // 2, length - (small - 1) + (small - 1) // 2),
        "valid": (small - 1, length - (small - 1)),
    }[mode]

    def place(i: Any, j: Any) -> Any:
        at = i + start - j
        return np.where((at >= 0) & (at < k), at, k)

    return _windows(line, place, stop - start, n)


def fiedler(a: Any) -> Array:
    """|a[i] - a[j]|: (..., n, n) for a: (..., n)."""
    a = vector(a, "fiedler")
    difference = reshape(a, (*a.shape, 1)) - reshape(a, (*a.shape[:-1], 1, a.shape[-1]))
    return el.abs_(difference)


def fiedler_companion(a: Any) -> Array:
    """A matrix of five diagonals with the characteristic polynomial a: (..., n), highest first (Fiedler, 2003)."""
    a = vector(a, "fiedler_companion")
    a = a if a.aval.inexact else el.convert(a, dtypes.default_float())
    n = a.shape[-1]
    if n < 2:
        return full((*a.shape[:-1], 0), 0, a.dtype)
    c = _monic(a, "fiedler_companion")
    if n == 2:
        return reshape(c, (*c.shape, 1))
    values, ones = _fiedler_places(n - 1)
    number = lambda x: full((*c.shape[:-1], 1), x, c.dtype)
    line = concatenate([c, number(0), number(1)], c.ndim - 1)
    places = np.where(values >= 0, values, np.where(ones, n, n - 1))
    return _windows(line, lambda i, j: places, n - 1, n - 1)


def _fiedler_places(n: int) -> tuple[Any, Any]:
    """Which coefficient stands where (-1 for none), and where ones do."""
    values, ones = np.full((n, n), -1), np.zeros((n, n), bool)
    values[0, 0], ones[1, 0] = 0, True
    for k in range(1, n):
        values[(k - 1, k) if k % 2 else (k, k - 1)] = k
    for i in range(n - 2):
        ones[(i + 2, i) if i % 2 else (i, i + 2)] = True
    return values, ones


# Of a size


def dft(n: int, scale: str | None = None, *, dtype: Any = None) -> Array:
    """The matrix whose product with a vector is its discrete Fourier transform: exp(-2 pi i j k / n).

    Args:
        scale: "sqrtn" divides by sqrt(n), "n" by n.
        dtype: complex; by default that of the default float.
    """
    n = _size(n, "dft")
    choice(scale, (None, "sqrtn", "n"), "dft: scale")
    index = np.arange(n)
    values = np.exp(-2j * np.pi * (np.outer(index, index) % max(n, 1)) / max(n, 1))
    values = values / {None: 1.0, "sqrtn": math.sqrt(max(n, 1)), "n": max(n, 1)}[scale]
    return asarray(values, dtype=dtypes.complex_of(dtypes.default_float()) if dtype is None else dtype)


def _size(n: Any, name: str) -> int:
    n = static_int(n, f"{name}: n")
    if n < 0:
        raise errors.ShapeError(f"{name}: n must not be negative; got {n}.")
    if n > 1 << 20:
        raise errors.OutOfMemoryError(f"{name}: a matrix of {n} * {n} numbers does not fit into memory.")
    return n


def hadamard(n: int, dtype: Any = int) -> Array:
    """Sylvester's matrix of 1 and -1 with orthogonal rows. n: a power of 2."""
    n = _size(n, "hadamard")
    if n < 1 or n & (n - 1):
        raise errors.ArgumentError(f"hadamard: n must be a power of 2; got {n}.")
    bits = np.arange(n)
    odd = np.bitwise_count(bits[:, None] & bits[None, :]) % 2
    return asarray(np.where(odd, -1, 1), dtype=dtype)


def helmert(n: int, full: bool = False) -> Array:
    """Orthonormal rows (n - 1, n) that sum to zero, each comparing an element with all before it.

    Args:
        full: with the row of 1 / sqrt(n) before them: (n, n).
    """
    n = _size(n, "helmert")
    h = np.tril(np.ones((n, n)), -1) - np.diag(np.arange(n))
    norms = np.arange(n) * np.arange(1, n + 1)
    h[:1], norms[:1] = 1, n
    h = h / np.sqrt(norms)[:, None]
    return asarray(h if full else h[1:], dtype=dtypes.default_float())


def hilbert(n: int) -> Array:
    """1 / (i + j + 1): (n, n)."""
    index = np.arange(_size(n, "hilbert"))
    return asarray(1.0 / (index[:, None] + index + 1), dtype=dtypes.default_float())


def invhilbert(n: int, exact: bool = False) -> Array:
    """The inverse of hilbert(n).

    Args:
        exact: as int64, for n up to 14.
    """
    n = _size_of_integers(n, exact, 205, "invhilbert")
    b, c = math.comb, range(n)
    term = lambda i, j: (
        (-1) ** (i + j) * (i + j + 1) * b(n + i, n - j - 1) * b(n + j, n - i - 1) * b(i + j, i) ** 2
    )
    return _integers([[term(i, j) for j in c] for i in c], n, exact, "invhilbert")


def pascal(n: int, kind: str | None = "symmetric", exact: bool = True) -> Array:
    """Binomial coefficients: (i + j over i), or (i over j) in a lower triangle, or an upper one.

    Args:
        kind: "symmetric", "lower", "upper".
        exact: as int64; else in the default float.
    """
    n, kind = (
        _size_of_integers(n, exact, 1030, "pascal"),
        choice(kind, ("symmetric", "lower", "upper", None), "pascal: kind") or "symmetric",
    )
    b, c = math.comb, range(n)
    term = {
        "symmetric": lambda i, j: b(i + j, i),
        "lower": lambda i, j: b(i, j),
        "upper": lambda i, j: b(j, i),
    }
    return _integers([[term[kind](i, j) for j in c] for i in c], n, exact, "pascal")


def invpascal(n: int, kind: str | None = "symmetric", exact: bool = True) -> Array:
    """The inverse of pascal(n, kind): integers too.

    Args:
        exact: as int64; else in the default float.
    """
    n = _size_of_integers(n, exact, 1030, "invpascal")
    choice(kind, ("symmetric", "lower", "upper", None), "invpascal: kind")
    b, c = math.comb, range(n)
    lower = [[(-1) ** (i + j) * b(i, j) for j in c] for i in c]
    upper = [list(row) for row in zip(*lower, strict=True)]
    if kind in ("lower", "upper"):
        return _integers(lower if kind == "lower" else upper, n, exact, "invpascal")
    if n > 300:
        raise _beyond("invpascal", n, exact)
    product = [[sum(upper[i][k] * lower[k][j] for k in range(max(i, j), n)) for j in c] for i in c]
    return _integers(product, n, exact, "invpascal")


def _size_of_integers(n: Any, exact: bool, most: int, name: str) -> int:
    """A size up to which the numbers may fit; `most` for floating point. Those beyond are not computed first."""
    n = _size(n, name)
    if n > (68 if exact else most):
        raise _beyond(name, n, exact)
    return n


def _beyond(name: str, n: int, exact: bool) -> errors.ArgumentError:
    kind = "64 bits; pass exact=False for floating point" if exact else "the range of floating point"
    return errors.ArgumentError(f"{name}({n}) has numbers beyond {kind}.")


def _integers(rows: list[list[int]], n: int, exact: bool, name: str) -> Array:
    if any(abs(x) >= (2**63 if exact else 2**1023) for row in rows for x in row):
        raise _beyond(name, n, exact)
    values = np.array(rows, np.int64 if exact else np.float64).reshape(n, n)
    return asarray(values, dtype=None if exact else dtypes.default_float())
