"""Norms of vectors and matrices. float16 and bfloat16 are computed in float32 and rounded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..primitives import elementwise as el, reductions as red
from ..primitives.linalg import inv
from ..primitives.shape import full, reshape, slice_axis, transpose
from ..primitives.spectral import svdvals
from ._arguments import inexact_operand, some_axes
from ._native import INEXACT, natively
from ._reductions import kept_shape, safe_sqrt

_MATRIX_ORDERS = "None, 'fro', 'nuc', 1, -1, 2, -2, inf, -inf"


@natively(np.linalg.norm, INEXACT, floats=True)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """A norm of vectors along one axis, or of matrices along two.

    Args:
        ord: for vectors None or 2, inf, -inf, 0 (number of nonzeros), or any p: sum(|x|**p) ** (1/p). For
            matrices None or 'fro', 'nuc', 1, -1, inf, -inf (largest, smallest column or row sum), 2, -2
            (singular values).
        axis: an axis, a pair of axes, or None: the whole array, of one or two axes unless ord is None.

    Returns:
        Real numbers. The gradient where a 2-norm or Frobenius norm is zero is zero.
    """
    x = inexact_operand(x, "norm")
    if axis is None:
        if ord is None:
            return _finished(x, _vector(x, tuple(range(x.ndim)), 2), tuple(range(x.ndim)), keepdims)
        if x.ndim not in (1, 2):
            raise errors.ShapeError(
                errors.lines(
                    f"norm of order {errors.brief(ord)} over the whole array needs one or two axes; got {x.aval}.",
                    "Give axis= one axis (vectors) or two (matrices), or use vector_norm, which flattens.",
                )
            )
    axes = some_axes(axis, x.ndim, "norm")
    if len(axes) == 1:
        return _finished(x, _vector(x, axes, 2 if ord is None else ord), axes, keepdims)
    if len(axes) == 2:
        return _finished(x, _matrix(x, axes, ord), axes, keepdims)
    raise errors.ShapeError(f"norm: axis {axis} must name one axis or two; vector_norm takes any number.")


@natively(np.linalg.vector_norm, INEXACT)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """A vector norm over one or several axes taken together (None: all). Orders as in `norm`."""
    x = inexact_operand(x, "vector_norm")
    axes = some_axes(axis, x.ndim, "vector_norm")
    return _finished(x, _vector(x, axes, ord), axes, keepdims)


@natively(np.linalg.matrix_norm, INEXACT)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """A norm of the matrices in the last two axes. Orders as in `norm`."""
    x = inexact_operand(x, "matrix_norm")
    axes = some_axes((-2, -1), x.ndim, "matrix_norm")
    return _finished(x, _matrix(x, axes, ord), axes, keepdims)


@natively(np.linalg.cond, floats=True)
def cond(x: Any, p: Any = None) -> Array:
    """The condition number norm(x, p) * norm(inv(x), p) of matrices in the last two axes; inf where singular.

    p: None, 2 or -2 (ratio of singular values, for any matrix), or another order of `norm` (square matrices).
    """
    x = inexact_operand(x, "cond")
    axes = some_axes((-2, -1), x.ndim, "cond")
    if 0 in (x.shape[-1], x.shape[-2]):
        raise errors.ShapeError(f"cond is not defined for empty matrices; got {x.aval}.")
    if isinstance(p, str) and p == "nuc":
        s = svdvals(x)
        ratio = _total(s) * _total(s.dtype.type(1) / s)
    elif p is None or (isinstance(p, (int, float)) and p in (2, -2)):
        s = svdvals(x)
        first, last = _entry(s, 0), _entry(s, s.shape[-1] - 1)
        ratio = last / first if p == -2 else first / last
    else:
        ratio = _matrix(x, axes, p) * _matrix(inv(x, singular="nan"), axes, p)
    given_nan = red.reduce_any(el.isnan(x), axes=axes)
    inf = ratio.dtype.type(np.inf)
    return el.select(el.bit_and(el.isnan(ratio), el.bit_not(given_nan)), inf, ratio)


def _entry(s: Array, i: int) -> Array:
    return reshape(slice_axis(s, i, i + 1, s.ndim - 1), s.shape[:-1])


def _total(s: Array) -> Array:
    return red.reduce_sum(s, axes=(s.ndim - 1,))


def _finished(x: Array, y: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    y = el.convert(y, dtypes.real_of(x.dtype))
    return reshape(y, kept_shape(x.shape, axes)) if keepdims else y


def _wide(x: Array) -> Array:
    return el.convert(x, dtypes.float32) if dtypes.is_low_precision(x.dtype) else x


def _vector(x: Array, axes: tuple[int, ...], ord: Any) -> Array:
    x, axes = _wide(x), tuple(sorted(axes))
    if not isinstance(ord, (int, float, np.number)) or np.iscomplexobj(ord):
        raise errors.ArgumentError(
            errors.lines(
                f"norm: {errors.brief(ord)} is not an order of vectors; got {x.aval} along axes {axes}.",
                "Orders of vectors are real numbers, inf and -inf; matrix norms need axis=(-2, -1).",
            )
        )
    if ord == 2:
        return safe_sqrt(red.reduce_sum(_squares(x), axes=axes))
    size = el.abs_(x)
    if ord == np.inf:
        return _largest(size, axes)
    if ord == -np.inf:
        return red.reduce_min(size, axes=axes)
    zero = size.dtype.type(0)
    if ord == 0:
        return red.reduce_sum(el.convert(el.ne(size, zero), size.dtype), axes=axes)
    if ord == 1:
        return red.reduce_sum(size, axes=axes)
    return _p_norm(size, axes, size.dtype.type(ord))


def _squares(x: Array) -> Array:
    if x.dtype.kind != "c":
        return x * x
    re, im = el.real(x), el.imag(x)
    return re * re + im * im


def _p_norm(size: Array, axes: tuple[int, ...], p: Any) -> Array:
    """sum(size**p) ** (1/p), without infinite derivatives where elements or the whole sum are zero."""
    zero, one = size.dtype.type(0), size.dtype.type(1)
    vanishes = el.eq(size, zero)
    powers = el.power(el.select(vanishes, one, size), p)
    total = red.reduce_sum(el.select(vanishes, zero, powers), axes=axes)
    empty = el.eq(total, zero) if p > 0 else red.reduce_any(vanishes, axes=axes)
    root = el.power(el.select(empty, one, total), one / p)
    return el.select(empty, zero, root)


def _matrix(x: Array, axes: tuple[int, ...], ord: Any) -> Array:
    """The norm of matrices whose rows run along axes[0] and columns along axes[1]."""
    if ord is None or (isinstance(ord, str) and ord in ("fro", "f")):
        return _vector(x, axes, 2)
    x = transpose(_wide(x), (*[i for i in range(x.ndim) if i not in axes], *axes))
    rows, columns, last = (x.ndim - 2,), (x.ndim - 1,), (x.ndim - 2,)
    if isinstance(ord, str) and ord == "nuc":
        return red.reduce_sum(svdvals(x), axes=last)
    if not isinstance(ord, (int, float)) or ord not in (1, -1, 2, -2, np.inf, -np.inf):
        raise errors.ArgumentError(
            f"norm: {errors.brief(ord)} is not an order of matrices; the orders are {_MATRIX_ORDERS}."
        )
    if abs(ord) == 2:
        values = svdvals(x)
    else:
        values = red.reduce_sum(el.abs_(x), axes=rows if abs(ord) == 1 else columns)
    return _largest(values, last) if ord > 0 else red.reduce_min(values, axes=last)


def _largest(x: Array, axes: tuple[int, ...]) -> Array:
    """The maximum of non-negative numbers; 0 of none."""
    if any(x.shape[a] == 0 for a in axes):
        return full(tuple(d for i, d in enumerate(x.shape) if i not in axes), 0, x.dtype)
    return red.reduce_max(x, axes=axes)
