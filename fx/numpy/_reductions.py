"""Reductions over axes: sums, products, extremes, logical ones, counts and moments.

`axis` is an axis, a tuple of axes, or None for all. `where` is a boolean array that says which elements count.
Sums of booleans and small integers are int64 (uint64), as NumPy's; means of integers have the default float.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..primitives import elementwise as el, reductions as red
from ..primitives.promotion import promote
from ..primitives.shape import broadcast_to, full, reshape, transpose
from ._arguments import (
    common_shape,
    in_dtype,
    one_axis,
    operand,
    real_number,
    refuse_complex,
    refuse_cut,
    some_axes,
    static_int,
    to_dtype,
)
from ._arithmetic import maximum, minimum
from ._logic import truth
from ._native import DOUBLE, EVERY, FLOATS, INEXACT, REALS, WHOLE, natively


@natively(np.sum, INEXACT | WHOLE)
def sum(
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """The sum over axes; float16 and bfloat16 accumulate in float32."""
    x = summand(operand(x, "sum"), dtype)
    y = _reduce("sum", red.reduce_sum, _masked(x, where, 0, "sum"), axis, keepdims)
    return y if initial is None else y + _start(initial, y, "sum")


@natively(np.prod, INEXACT | WHOLE)
def prod(
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Array:
    """The product over axes; derivatives are right at zeros too."""
    x = summand(operand(x, "prod"), dtype)
    y = _reduce("prod", red.reduce_prod, _masked(x, where, 1, "prod"), axis, keepdims)
    return y if initial is None else y * _start(initial, y, "prod")


@natively(np.max, REALS)
def max(x: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = None) -> Array:
    """The largest element; NaN if there is one. Equal largest elements share the derivative.

    Raises:
        ShapeError: no elements and no `initial`.
    """
    return _extremum("max", red.reduce_max, maximum, x, axis, keepdims, initial, where)


@natively(np.min, REALS)
def min(x: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = None) -> Array:
    """The smallest element; NaN if there is one. Equal smallest elements share the derivative.

    Raises:
        ShapeError: no elements and no `initial`.
    """
    return _extremum("min", red.reduce_min, minimum, x, axis, keepdims, initial, where)


amax, amin = max, min


@natively(np.any, EVERY)
def any(x: Any, axis: Any = None, *, keepdims: bool = False, where: Any = None) -> Array:
    """Whether an element is nonzero."""
    return _reduce("any", red.reduce_any, _masked(truth(x, "any"), where, False, "any"), axis, keepdims)


@natively(np.all, EVERY)
def all(x: Any, axis: Any = None, *, keepdims: bool = False, where: Any = None) -> Array:
    """Whether every element is nonzero."""
    return _reduce("all", red.reduce_all, _masked(truth(x, "all"), where, True, "all"), axis, keepdims)


@natively(np.count_nonzero, EVERY)
def count_nonzero(x: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """How many elements are nonzero, as int64."""
    ones = el.convert(truth(x, "count_nonzero"), dtypes.int64)
    return _reduce("count_nonzero", red.reduce_sum, ones, axis, keepdims)


@natively(np.argmax, REALS)
def argmax(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Index of the first largest element along an axis (of the flattened array for None); NaN counts as largest."""
    return _position("argmax", red.argmax, x, axis, keepdims)


@natively(np.argmin, REALS)
def argmin(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """Index of the first smallest element along an axis (of the flattened array for None); NaN counts as smallest."""
    return _position("argmin", red.argmin, x, axis, keepdims)


@natively(np.ptp, FLOATS)
def ptp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Array:
    """Largest minus smallest element."""
    return max(x, axis, keepdims=keepdims) - min(x, axis, keepdims=keepdims)


@natively(np.mean, INEXACT)
def mean(x: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, where: Any = None) -> Array:
    """The arithmetic mean; NaN for no elements. float16 and bfloat16 are summed in float32."""
    x, result = _averaged(x, dtype, "mean")
    total = sum(x, axis, keepdims=keepdims, where=where)
    return el.convert(total / _count(x, axis, where, keepdims, "mean"), result)


@natively(np.var, FLOATS)
def var(
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = None,
    mean: Any = None,
    correction: float | None = None,
) -> Array:
    """The mean squared deviation, divided by N - ddof; two passes, so large means cost no precision.

    Args:
        mean: the mean with `keepdims=True`, if known already.
        correction: the array API's name of `ddof`.
    """
    x, result = _averaged(x, dtype, "var")
    free = real_number(ddof, "var: ddof")
    if correction is not None:
        if free:
            raise errors.ArgumentError(
                "var: ddof and correction are two names of one number; give one of them."
            )
        free = real_number(correction, "var: correction")
    if mean is None:
        mean = sum(x, axis, keepdims=True, where=where) / _count(x, axis, where, True, "var")
    deviation = _masked(x - mean, where, 0, "var")
    squares = el.real(deviation * el.conj(deviation)) if x.dtype.kind == "c" else deviation * deviation
    total = sum(squares, axis, keepdims=keepdims)
    free = _count(x, axis, where, keepdims, "var") - free
    free = maximum(free, 0) if isinstance(free, Array) else builtins.max(free, 0)
    return el.convert(total / free, dtypes.real_of(result))


@natively(np.std, FLOATS)
def std(
    x: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = None,
    mean: Any = None,
    correction: float | None = None,
) -> Array:
    """The square root of `var`; where that is 0 the derivative is 0."""
    x, result = _averaged(x, dtype, "std")
    v = var(x, axis, ddof=ddof, keepdims=keepdims, where=where, mean=mean, correction=correction)
    return el.convert(safe_sqrt(v), dtypes.real_of(result))


@natively(np.average, DOUBLE)
def average(
    x: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    """The mean weighted by `weights`, of the shape of x or of its averaged axes; with `returned` also their sum."""
    if weights is None:
        y = mean(x, axis, keepdims=keepdims)
        total = full(y.shape, _count(operand(x, "average"), axis, None, keepdims, "average"), y.dtype)
        return (y, total) if returned else y
    x, w = promote(x, weights, inexact=True)
    x = operand(x, "average")
    w = _as_wide_as(x, operand(w, "average"), axis)
    total = sum(w, axis, keepdims=keepdims)
    if type(total) is Array and bool(any(el.eq(total, total.dtype.type(0)))):
        raise errors.ArgumentError(f"average: the weights of shape {w.shape} sum to 0.")
    y = sum(x * w, axis, keepdims=keepdims) / total
    return (y, broadcast_to(total, y.shape)) if returned else y


def _as_wide_as(x: Array, w: Array, axis: Any) -> Array:
    """Weights as an array that broadcasts against x and has its averaged axes in full."""
    if w.shape == x.shape:
        return w
    axes = some_axes(axis, x.ndim, "average")
    if axis is None or w.shape != tuple(x.shape[a] for a in axes):
        raise errors.ShapeError(
            errors.lines(
                f"average: weights of shape {w.shape} do not fit {x.aval} averaged over axis {axis}.",
                "They must have the shape of x, or the sizes of the averaged axes in their order.",
            )
        )
    w = transpose(w, sorted(range(len(axes)), key=axes.__getitem__))
    return reshape(w, tuple(d if i in axes else 1 for i, d in enumerate(x.shape)))


def safe_sqrt(v: Array) -> Array:
    """sqrt(v) whose derivative at 0 is 0."""
    zero = v.dtype.type(0)
    vanishes = el.eq(v, zero)
    return el.select(vanishes, zero, el.sqrt(el.select(vanishes, v.dtype.type(1), v)))


# Parts


def _reduce(name: str, prim: Any, x: Array, axis: Any, keepdims: bool) -> Array:
    axes = some_axes(axis, len(x.shape), name)
    if keepdims and type(keepdims) is not bool:
        static_int(keepdims, f"{name}: keepdims")
    y = prim(x, axes=tuple(sorted(axes)))
    return reshape(y, kept_shape(x.shape, axes)) if keepdims else y


def kept_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with the reduced axes kept as 1."""
    return tuple(1 if i in axes else d for i, d in enumerate(shape))


def summand(x: Array, dtype: Any) -> Array:
    """x in the dtype in which NumPy sums it."""
    if dtype is not None:
        return to_dtype(x, dtype)
    if x.dtype.kind in "bi" and x.dtype != dtypes.int64:
        return el.convert(x, dtypes.int64)
    return el.convert(x, dtypes.uint64) if x.dtype.kind == "u" and x.dtype.itemsize < 8 else x


def _masked(x: Array, where: Any, neutral: Any, name: str) -> Array:
    """x with the neutral element where `where` is false."""
    if where is None:
        return x
    mask = operand(where, f"{name}: where")
    if mask.dtype.kind != "b":
        raise errors.DTypeError(f"{name}: where must be boolean; it is {mask.aval}.")
    if common_shape(name, x.shape, mask.shape) != x.shape:
        raise errors.ShapeError(f"{name}: where of shape {mask.shape} does not broadcast to {x.aval}.")
    return el.select(mask, x, neutral if isinstance(neutral, Array) else x.dtype.type(neutral))


def _extremum(
    name: str, prim: Any, combine: Any, x: Any, axis: Any, keepdims: bool, initial: Any, where: Any
) -> Array:
    x = operand(x, name)
    refuse_complex(x, name)
    if initial is None:
        if where is not None:
            raise errors.ArgumentError(
                errors.lines(
                    f"{name}: where= needs initial=, the value for no elements.",
                    "Write initial=-fx.numpy.inf.",
                )
            )
        return _reduce(name, prim, x, axis, keepdims)
    start = _start(initial, x, name)
    x = _masked(x, where, start, name)
    axes = some_axes(axis, x.ndim, name)
    if builtins.any(x.shape[a] == 0 for a in axes):
        shape = kept_shape(x.shape, axes) if keepdims else red.reduced_shape(name, x, axes)
        return broadcast_to(start, shape)
    return combine(_reduce(name, prim, x, axes, keepdims), start)


def _start(initial: Any, x: Array, name: str) -> Array:
    """The value for no elements in the dtype of x, as NumPy has it; refused where that would lose its kind."""
    start = operand(initial, f"{name}: initial")
    refuse_cut(start, x, f"{name}: initial")
    both_weak = start.aval.weak and x.aval.weak and start.dtype == x.dtype
    return start if both_weak else in_dtype(initial, x.dtype, f"{name}: initial")


def _position(name: str, prim: Any, x: Any, axis: Any, keepdims: bool) -> Array:
    x = operand(x, name)
    refuse_complex(x, name)
    rank = x.ndim
    if axis is None:
        x = reshape(x, (x.size,))
        axes: tuple[int, ...] = tuple(range(rank))
        index = 0
    else:
        index = one_axis(axis, rank, name)
        axes = (index,)
    y = prim(x, axis=index, dtype=dtypes.int64)
    return reshape(y, kept_shape((1,) * rank if axis is None else x.shape, axes)) if keepdims else y


def _averaged(x: Any, dtype: Any, name: str) -> tuple[Array, np.dtype[Any]]:
    """x in the dtype in which it is averaged, and the dtype of the result."""
    x = operand(x, name)
    result = dtypes.inexact_of(x.dtype) if dtype is None else dtypes.canonical(dtype)
    wide = dtypes.float32 if dtypes.is_low_precision(result) else dtypes.inexact_of(result)
    return el.convert(x, wide), result


def _count(x: Array, axis: Any, where: Any, keepdims: bool, name: str) -> Any:
    """How many elements are averaged: a number, or an array of counts where a mask decides."""
    axes = some_axes(axis, x.ndim, name)
    if where is not None:
        mask = broadcast_to(operand(where, f"{name}: where"), x.shape)
        return el.convert(count_nonzero(mask, axes, keepdims=keepdims), dtypes.real_of(x.dtype))
    return math.prod(x.shape[a] for a in axes)
