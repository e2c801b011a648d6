"""Running sums and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import errors
from ..core.array import Array
from ..primitives.cumulative import cumprod_p, cumsum_p
from ..primitives.shape import concatenate, full, reshape
from ._arguments import one_axis, operand
from ._native import NUMBERS, natively
from ._reductions import summand


@natively(np.cumsum, NUMBERS)
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running sums along an axis (of the flattened array for None)."""
    return _running("cumsum", cumsum_p, x, axis, dtype)


@natively(np.cumprod, NUMBERS)
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Array:
    """Running products along an axis (of the flattened array for None)."""
    return _running("cumprod", cumprod_p, x, axis, dtype)


@natively(np.cumulative_sum, NUMBERS)
def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Running sums along an axis, with a leading 0 if asked; the array API's `cumsum`."""
    return _with_initial("cumulative_sum", cumsum_p, x, axis, dtype, 0 if include_initial else None)


@natively(np.cumulative_prod, NUMBERS)
def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    """Running products along an axis, with a leading 1 if asked; the array API's `cumprod`."""
    return _with_initial("cumulative_prod", cumprod_p, x, axis, dtype, 1 if include_initial else None)


def _running(name: str, prim: Any, x: Any, axis: int | None, dtype: Any) -> Array:
    x = summand(operand(x, name), dtype)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    return prim(x, axis=one_axis(axis, x.ndim, name), reverse=False)


def _with_initial(name: str, prim: Any, x: Any, axis: int | None, dtype: Any, first: int | None) -> Array:
    x = operand(x, name)
    if axis is None:
        if x.ndim != 1:
            raise errors.ShapeError(
                f"{name}: axis must be given for {x.aval}; only one-axis arrays may leave it out."
            )
        axis = 0
    axis = one_axis(axis, x.ndim, name)
    y = _running(name, prim, x, axis, dtype)
    if first is None:
        return y
    shape = (*y.shape[:axis], 1, *y.shape[axis + 1 :])
    return concatenate([full(shape, first, y.dtype), y], axis)
