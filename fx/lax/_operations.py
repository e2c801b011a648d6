"""Lower-level operations under their `jax.lax` names. Operands have one dtype; only Python numbers adapt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._callbacks import optimization_barrier as optimization_barrier, stop_gradient as stop_gradient
from ..core import dtypes, static
from ..core.errors import ArgumentError, ShapeError, brief
from ..primitives import (
    convolution,
    cumulative,
    dynamic_slicing,
    elementwise as e,
    shape as s,
    sorting,
    special,
    windows,
)
from ..primitives.promotion import as_operand, promote, unary_function

erf = unary_function(special.erf, "erf", "The error function, elementwise.")
erfc = unary_function(special.erfc, "erfc", "1 - erf(x), accurate for large x.")
erf_inv = unary_function(special.erf_inv, "erf_inv", "The inverse of the error function.")
lgamma = unary_function(special.lgamma, "lgamma", "The logarithm of |gamma(x)|.")
digamma = unary_function(special.digamma, "digamma", "The derivative of lgamma.")
logistic = unary_function(e.logistic, "logistic", "1 / (1 + exp(-x)) without overflow.")
rsqrt = unary_function(e.rsqrt, "rsqrt", "1 / sqrt(x).")
for _function in (erf, erfc, erf_inv, lgamma, digamma, logistic, rsqrt):
    _function.__module__ = "fx.lax"


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """Elementwise `on_true` where `pred`, else `on_false`.

    Args:
        pred: booleans, of shape () or that of the values.
        on_true, on_false: arrays of one shape and dtype; a Python number adapts to the other one.
    """
    x, y = promote(on_true, on_false)
    mask = as_operand(pred)
    shapes = {np.shape(v) if not hasattr(v, "shape") else tuple(v.shape) for v in (x, y)}
    if len(shapes - {()}) > 1:
        raise ShapeError(f"select: the values have shapes {sorted(shapes)}; fx.numpy.where broadcasts.")
    return e.select(mask, x, y)


def clamp(low: Any, x: Any, high: Any) -> Any:
    """x limited to [low, high]; the limits are scalars or of x's shape."""
    x, low, high = promote(x, low, high)
    return e.minimum(e.maximum(x, low), high)


def dynamic_slice(x: Any, start_indices: Sequence[Any], slice_sizes: Sequence[int]) -> Any:
    """A window of static size that starts at indices known at run time, moved inside where it would stick out."""
    starts = _starts(start_indices, "dynamic_slice")
    return dynamic_slicing.dynamic_slice(
        as_operand(x), *starts, sizes=static.sizes(slice_sizes, "dynamic_slice")
    )


def dynamic_update_slice(x: Any, update: Any, start_indices: Sequence[Any]) -> Any:
    """x with a window replaced; see `dynamic_slice`."""
    x, update = promote(x, update)
    return dynamic_slicing.dynamic_update_slice(x, update, *_starts(start_indices, "dynamic_update_slice"))


def _starts(indices: Any, name: str) -> list[Any]:
    if not isinstance(indices, (list, tuple)):
        indices = as_operand(indices)
        if len(indices.shape) != 1:
            raise ArgumentError(f"{name}: start_indices has one index per axis; got {brief(indices)}.")
    return [as_operand(i) for i in indices]


def rev(x: Any, dimensions: Sequence[int]) -> Any:
    """x with the order along some axes reversed."""
    return s.reverse(as_operand(x), axes=static.integers(dimensions, "rev: dimensions"))


def pad(x: Any, padding_value: Any, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """x padded with (low, high, interior) counts per axis; negative ones cut off."""
    x, value = promote(x, padding_value)
    rows = [
        static.integers(c, "pad: padding_config")
        for c in static.members(padding_config, "pad: padding_config")
    ]
    if any(len(c) != 3 for c in rows):
        raise ArgumentError(
            f"pad: padding_config has one (low, high, interior) per axis; got {brief(padding_config)}."
        )
    low, high, interior = ([c[i] for c in rows] for i in range(3))
    return s.pad(as_operand(x), low, high, interior, value)


def iota(dtype: Any, size: int) -> Any:
    """0, 1, ..., size - 1."""
    return s.iota((static.integer(size, "iota: size"),), 0, dtypes.canonical(dtype))


def top_k(x: Any, k: int, axis: int = -1) -> tuple[Any, Any]:
    """The k largest elements along an axis and their indices."""
    return sorting.top_k(as_operand(x), k, axis)


def sort_key_val(keys: Any, values: Any, dimension: int = -1) -> tuple[Any, Any]:
    """Keys sorted along an axis, and values in the same order."""
    return sorting.sort_key_val(as_operand(keys), as_operand(values), dimension)


def _along(scan: Any, x: Any, axis: Any, reverse: Any) -> Any:
    x = as_operand(x)
    return scan(x, static.axis(axis, x.ndim, scan.__name__), bool(reverse))


def cumsum(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running sums along an axis."""
    return _along(cumulative.cumsum, x, axis, reverse)


def cumprod(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running products along an axis."""
    return _along(cumulative.cumprod, x, axis, reverse)


def cummax(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running maxima along an axis."""
    return _along(cumulative.cummax, x, axis, reverse)


def cummin(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running minima along an axis."""
    return _along(cumulative.cummin, x, axis, reverse)


def cumlogsumexp(x: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running log-sum-exp along an axis."""
    return _along(cumulative.cumlogsumexp, x, axis, reverse)


def conv_general_dilated(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
) -> Any:
    """N-d convolution (cross-correlation) in any layout.

    Args:
        lhs: (batch, features, *spatial) in the order of `dimension_numbers`; rhs: (out, in / groups, *window).
        padding: 'SAME', 'VALID', 'SAME_LOWER' or (low, high) per spatial axis.
        dimension_numbers: three strings such as ("NHWC", "HWIO", "NHWC"); default channels first.
    """
    lhs, rhs = promote(as_operand(lhs), as_operand(rhs))
    return convolution.conv_general(
        lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers,
        feature_group_count, batch_group_count,
    )  # fmt: skip


def window_sum(x: Any, window: Sequence[int], strides: Any = None, padding: Any = "VALID") -> Any:
    """Sum of every window; one size and stride per axis of x."""
    return windows.window_sum(as_operand(x), window, strides, padding)


def window_max(x: Any, window: Sequence[int], strides: Any = None, padding: Any = "VALID") -> Any:
    """Largest element of every window."""
    return windows.window_max(as_operand(x), window, strides, padding)


def window_min(x: Any, window: Sequence[int], strides: Any = None, padding: Any = "VALID") -> Any:
    """Smallest element of every window."""
    return windows.window_min(as_operand(x), window, strides, padding)
