"""What rules of linear algebra are written with: products, adjoints, triangles and diagonals of stacked matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive
from .contraction import contract
from .elementwise import abs_, conj, convert, eq, ge, gt, imag, make_complex, real, select
from .families import same_dtype, to_front
from .reductions import reduce_max, reduce_sum
from .shape import iota, pad, reshape, slice_axis, spread, transpose

_LETTERS = "abcdefghlmnopqrstuvwxyz"


class MatrixPrimitive(Primitive):
    """Works on the last two axes of its operands; the axes before them, the same in all operands, are a batch."""

    square = False
    flops = 2
    """Operations for n x n matrices, in units of n**3."""

    def check(self, *avals: Aval) -> None:
        """The dtypes and shapes that every factorization needs."""
        check_matrices(self.name, avals, self.square)

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        out = self(*[to_front(x, d, axis.size) for x, d in zip(operands, dims, strict=True)], **params)
        return (out, [0] * len(out)) if self.multiple else (out, 0)

    def cost(self, *avals: Aval, **params: Any) -> int:
        *lead, m, n = avals[0].shape
        return self.flops * math.prod(lead) * m * n * min(m, n)


def check_matrices(name: str, avals: Sequence[Aval], square: bool) -> None:
    """DTypeError or ShapeError unless the operands are stacked matrices of one dtype that LAPACK has."""
    dtype = same_dtype(name, avals)
    if dtype.char not in "fdFD":
        wanted = "fx.float32" if dtypes.is_low_precision(dtype) else "fx.float32 or fx.float64"
        raise errors.DTypeError(
            errors.lines(
                f"{name} computes in float32, float64, complex64 and complex128; got {avals[0]}.",
                f"Convert: x.astype({wanted}), and the result back if need be.",
            )
        )
    a = avals[0]
    if any(x.ndim < 2 for x in avals):
        raise errors.ShapeError(f"{name} takes matrices (..., m, n); got {', '.join(map(str, avals))}.")
    if square and a.shape[-1] != a.shape[-2]:
        raise errors.ShapeError(f"{name} takes square matrices (..., n, n); got {a}.")
    if any(x.shape[:-2] != a.shape[:-2] for x in avals):
        raise errors.ShapeError(f"{name}: the batch axes differ: {', '.join(map(str, avals))}.")


def matmul(a: Any, b: Any) -> Any:
    """Products of matrices with equal batch axes. a: (*batch, m, k), b: (*batch, k, n)."""
    batch = _LETTERS[: a.ndim - 2]
    return contract(a, b, f"{batch}ij,{batch}jk->{batch}ik")


def swap(a: Any) -> Any:
    """The transposed matrices."""
    return transpose(a, (*range(a.ndim - 2), a.ndim - 1, a.ndim - 2))


def conjugate(a: Any) -> Any:
    return conj(a) if a.dtype.kind == "c" else a


def adjoint(a: Any) -> Any:
    """The conjugate transposed matrices."""
    return conjugate(swap(a))


def real_part(a: Any) -> Any:
    return real(a) if a.dtype.kind == "c" else a


def imaginary(a: Any) -> Any:
    """i Im(a) for complex a."""
    part = imag(a)
    return make_complex(part * part.dtype.type(0), part)


def half(a: Any) -> Any:
    return a * a.dtype.type(0.5)


def hermitian(a: Any, part: str) -> Any:
    """The Hermitian matrix that `part` of a defines: the mean of a and its adjoint, or one triangle."""
    if part == "mean":
        return half(a + adjoint(a))
    a = adjoint(a) if part == "upper" else a
    strict = lower_triangle(a, -1)
    return strict + adjoint(strict) + diagonal_matrix(convert(real_part(diagonal(a)), a.dtype))


def lower_triangle(a: Any, k: int = 0) -> Any:
    """a on and below the k-th diagonal, 0 above."""
    m, n = a.shape[-2:]
    row, column = iota((m, 1), 0), iota((1, n), 1)
    return select(ge(row + row.dtype.type(k), column), a, a.dtype.type(0))


def upper_triangle(a: Any, k: int = 0) -> Any:
    """a on and above the k-th diagonal, 0 below."""
    return swap(lower_triangle(swap(a), -k))


def identity_mask(n: int) -> Any:
    """(n, n) booleans, true on the diagonal."""
    return eq(iota((n, 1), 0), iota((1, n), 1))


def diagonal(a: Any) -> Any:
    """The diagonals of square matrices: (*batch, n)."""
    n, axis = a.shape[-1], a.ndim - 2
    return slice_axis(reshape(a, (*a.shape[:-2], n * n)), 0, n * n, axis, n + 1)


def diagonal_matrix(d: Any) -> Any:
    """Square matrices with the given diagonals. d: (*batch, n)."""
    n = d.shape[-1]
    return select(identity_mask(n), spread(d, n, d.ndim - 1), d.dtype.type(0))


def diagonal_part(a: Any) -> Any:
    """a with zeros off the diagonal."""
    return select(identity_mask(a.shape[-1]), a, a.dtype.type(0))


def row(v: Any) -> Any:
    """v: (*batch, n) as (*batch, 1, n)."""
    return reshape(v, (*v.shape[:-1], 1, v.shape[-1]))


def column(v: Any) -> Any:
    """v: (*batch, n) as (*batch, n, 1)."""
    return reshape(v, (*v.shape, 1))


def column_dots(a: Any, b: Any) -> Any:
    """sum_i conj(a[i, k]) b[i, k]: (*batch, n)."""
    return reduce_sum(conjugate(a) * b, axes=(a.ndim - 2,))


def safe_reciprocal(d: Any, scale: Any) -> Any:
    """1 / d, and 0 where |d| is rounding error of numbers as large as `scale` (zero included)."""
    kept = gt(abs_(d), scale)
    return select(kept, d.dtype.type(1), d.dtype.type(0)) / select(kept, d, d.dtype.type(1))


def noise(values: Any, n: int) -> Any:
    """What rounding leaves of a difference of eigenvalues (singular values): (*batch, 1, 1).

    values: (*batch, k) with k > 0, of matrices of size n; n * eps * max|values|, LAPACK's error bound.
    """
    size = abs_(values)
    largest = reduce_max(size, axes=(size.ndim - 1,))
    bound = largest * largest.dtype.type(n * np.finfo(largest.dtype).eps)
    return reshape(bound, (*bound.shape, 1, 1))


def neighbours(a: Any) -> tuple[Any, Any]:
    """The diagonals above and below the main one: (*batch, n - 1)."""
    n = a.shape[-1]
    inner = lambda rows, columns: diagonal(slice_axis(slice_axis(a, *rows, a.ndim - 2), *columns, a.ndim - 1))
    return inner((0, n - 1), (1, n)), inner((1, n), (0, n - 1))


def subdiagonal(v: Any) -> Any:
    """(*batch, n, n) with v: (*batch, n - 1) below the diagonal, zeros elsewhere."""
    n = v.shape[-1] + 1
    lead = [0] * (v.ndim - 1)
    column = pad(reshape(v, (*v.shape, 1)), [*lead, 1, 0], [*lead, 0, 0], [*lead, 0, 0])
    i, j = iota((n, 1), 0), iota((1, n), 1)
    return select(eq(i, j + j.dtype.type(1)), column, v.dtype.type(0))
