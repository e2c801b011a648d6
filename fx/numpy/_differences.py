"""Differences of neighbours, and the numerical derivatives and integrals made of them."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el
from ..primitives.promotion import promote
from ..primitives.shape import broadcast_to, concatenate, move_axis, reshape, reverse, slice_axis
from ._arguments import inexact_operand, one_axis, operand, operands, real_number, some_axes, static_int
from ._arithmetic import absolute, remainder
from ._cumulative import cumsum
from ._native import FLOATS, natively
from ._parts import where
from ._reductions import sum


@natively(np.diff, view=True)
def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """Differences of neighbours along an axis, taken n times; booleans differ where they are not equal."""
    x = operand(x, "diff")
    axis = one_axis(axis, x.ndim, "diff")
    if static_int(n, "diff: n") < 0:
        raise errors.ArgumentError(f"diff: n must not be negative; got {n}.")
    if n == 0:
        return x + 0 if x.dtype.kind != "b" else x | False
    ends = [e for e in (prepend, x, append) if e is not None]
    if len(ends) > 1:
        parts = operands("diff", *promote(*ends))
        x = concatenate([_edge(p, parts, axis) for p in parts], axis)
    minus = el.ne if x.dtype.kind == "b" else el.sub
    for _ in range(min(n, x.shape[axis])):
        size = x.shape[axis]
        tail, head = slice_axis(x, min(1, size), size, axis), slice_axis(x, 0, max(size - 1, 0), axis)
        x = minus(tail, head)
    return x


def _edge(part: Array, parts: list[Array], axis: int) -> Array:
    """A scalar before or after as one slice of the array; anything else as it is."""
    if part.shape:
        return part
    shape = next(p.shape for p in parts if p.shape)
    return broadcast_to(part, (*shape[:axis], 1, *shape[axis + 1 :]))


@natively(np.ediff1d)
def ediff1d(x: Any, to_end: Any = None, to_begin: Any = None) -> Array:
    """Differences of neighbours of the flattened array, between optional first and last elements."""
    x = operand(x, "ediff1d")
    if x.dtype.kind == "b":
        raise errors.DTypeError("ediff1d: booleans have no differences; convert them with .astype(int).")
    middle = diff(reshape(x, (x.size,)))
    parts = [p for p in (to_begin, middle, to_end) if p is not None]
    flat = [operand(p, "ediff1d") for p in (promote(p, x)[0] for p in parts)]
    for p in flat:
        if not p.aval.weak and dtypes.kind_rank(p.dtype) > dtypes.kind_rank(x.dtype):
            raise errors.DTypeError(
                f"ediff1d: an end of dtype {p.dtype} does not fit differences of {x.aval}."
            )
    return concatenate([el.convert(reshape(p, (p.size,)), middle.dtype) for p in flat], 0)


@natively(np.unwrap, floats=True)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Array:
    """Jumps along an axis made smaller than half a period by adding multiples of the period."""
    p = operand(p, "unwrap")
    period = real_number(period, "unwrap: period")
    whole = p.dtype.kind in "iu" and isinstance(period, int)
    p = p if whole else inexact_operand(p, "unwrap")
    axis = one_axis(axis, p.ndim, "unwrap")
    steps = diff(p, axis=axis)
    half = period // 2 if whole else period / 2
    wrapped = remainder(steps + half, period) - half
    if not whole or period % 2 == 0:
        wrapped = where((wrapped == -half) & (steps > 0), half, wrapped)
    change = where(absolute(steps) < (half if discont is None else discont), 0, wrapped - steps)
    start = builtins.min(1, p.shape[axis])
    rest = slice_axis(p, start, p.shape[axis], axis) + cumsum(change, axis)
    return concatenate([el.convert(slice_axis(p, 0, start, axis), rest.dtype), rest], axis)


@natively(np.trapezoid, FLOATS, data=2, floats=True)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """The integral along an axis by the trapezoidal rule.

    Args:
        x: the sample points, of the shape of y or of its axis; else they are `dx` apart.
    """
    y = inexact_operand(y, "trapezoid")
    axis = one_axis(axis, y.ndim, "trapezoid")
    if x is None:
        steps = dx
    else:
        y, x = operands("trapezoid", *promote(y, x, inexact=True))
        if x.ndim == 1 and x.shape[0] == y.shape[axis]:
            x = reshape(x, tuple(d if i == axis else 1 for i, d in enumerate(y.shape)))
        if x.ndim != y.ndim or x.shape[axis] != y.shape[axis]:
            raise errors.ShapeError(f"trapezoid: sample points {x.aval} do not fit axis {axis} of {y.aval}.")
        steps = diff(x, axis=axis)
    size = y.shape[axis]
    left, right = slice_axis(y, 0, max(size - 1, 0), axis), slice_axis(y, min(1, size), size, axis)
    return sum(steps * (left + right) / 2, axis)


@natively(np.gradient, floats=True)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Numerical derivatives along each axis: second-order central differences inside, one-sided ones at the ends.

    Args:
        varargs: one spacing for all axes, or one per axis; a number or the coordinates along the axis.
        edge_order: 1 or 2, the order of the one-sided differences.

    Returns:
        One array for one axis, else a tuple with one per axis.

    Source: NumPy's `gradient`; non-uniform spacing by Fornberg's weights.
    """
    f = operand(f, "gradient")
    if f.dtype.kind == "b":
        raise errors.DTypeError("gradient: booleans have no differences; convert them with .astype(float).")
    f = inexact_operand(f, "gradient")
    axes = some_axes(axis, f.ndim, "gradient")
    if static.integer(edge_order, "gradient: edge_order") not in (1, 2):
        raise errors.ArgumentError(f"gradient: edge_order is 1 or 2; got {errors.brief(edge_order)}.")
    if len(varargs) not in ((0, 1, len(axes)) if axes else (0,)):
        raise errors.ArgumentError(
            f"gradient: {len(varargs)} spacings for {len(axes)} axes; give one or one per axis."
        )
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    results = tuple(_derivative(f, h, a, edge_order) for a, h in zip(axes, spacings, strict=True))
    return results[0] if len(results) == 1 else results


def _derivative(f: Array, spacing: Any, axis: int, edge_order: int) -> Array:
    n = f.shape[axis]
    if n < edge_order + 1:
        raise errors.ShapeError(
            f"gradient: axis {axis} of {f.aval} needs at least {edge_order + 1} elements."
        )
    h = operand(spacing if type(spacing) is not float else np.float64(spacing), "gradient: spacing")
    if h.dtype.kind == "b":
        raise errors.DTypeError(f"gradient: the spacing of axis {axis} must be numbers; got {h.aval}.")
    if h.ndim > 1 or (h.ndim == 1 and h.shape[0] != n):
        raise errors.ShapeError(
            f"gradient: the coordinates of axis {axis} have shape {h.shape}; it has {n} elements."
        )
    h = el.convert(h, f.dtype)
    f = move_axis(f, axis, f.ndim - 1)
    steps = diff(h) if h.ndim else broadcast_to(h, (n - 1,))
    parts = [_first(f, steps, edge_order), _inside(f, h, steps), _last(f, steps, edge_order)]
    return move_axis(concatenate(parts, f.ndim - 1), f.ndim - 1, axis)


def _inside(f: Array, h: Array, steps: Array) -> Array:
    n = f.shape[-1]
    before, here, after = (cut(f, i, builtins.max(n - 2 + i, i)) for i in range(3))
    if not h.ndim:
        return (after - before) / (2 * h)
    left, right = cut(steps, 0, n - 2), cut(steps, 1, n - 1)
    whole = left + right
    return here * ((right - left) / (left * right)) + (
        after * (left / (right * whole)) - before * (right / (left * whole))
    )


def _first(f: Array, steps: Array, order: int) -> Array:
    h = cut(steps, 0, 1)
    if order == 1:
        return (cut(f, 1, 2) - cut(f, 0, 1)) / h
    k = cut(steps, 1, 2)
    whole = h + k
    return cut(f, 1, 2) * (whole / (h * k)) - (
        cut(f, 0, 1) * ((h + whole) / (h * whole)) + cut(f, 2, 3) * (h / (k * whole))
    )


def _last(f: Array, steps: Array, order: int) -> Array:
    """The derivative at the last point is minus that of the mirrored function at its first."""
    rank = f.ndim - 1
    return -_first(reverse(f, axes=(rank,)), reverse(steps, axes=(0,)), order)


def cut(x: Array, start: int, stop: int) -> Array:
    """x[..., start:stop]."""
    return slice_axis(x, start, stop, x.ndim - 1)
