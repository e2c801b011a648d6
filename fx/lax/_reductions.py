"""Reductions over axes: named ones, and those by any associative function of two elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import dtypes, static, tree
from ..core.array import aval_of
from ..core.avals import Aval
from ..core.errors import ArgumentError, DTypeError, ShapeError, TreeError, lines
from ..core.trace import bind
from ..core.transforms.vmap import vmap
from ..primitives import elementwise as e, reductions as red
from ..primitives.shape import broadcast_to, concatenate, full, reshape, slice_p, transpose
from . import _elementwise as el
from ._operands import array, one_dtype


def _axes(axes: Any, x: Any, name: str) -> tuple[int, ...]:
    found = tuple(static.axis(a, x.ndim, name) for a in static.integers(axes, f"{name}: axes"))
    if len(set(found)) < len(found):
        raise ArgumentError(f"fx.lax.{name}: an axis stands twice in {found}.")
    return tuple(sorted(found))


def reduce_sum(operand: Any, axes: Sequence[int]) -> Any:
    """The sum over axes, in the dtype of the operand."""
    x = _numbers(operand, "reduce_sum")
    return red.reduce_sum(x, axes=_axes(axes, x, "reduce_sum"))


def reduce_prod(operand: Any, axes: Sequence[int]) -> Any:
    """The product over axes, in the dtype of the operand."""
    x = _numbers(operand, "reduce_prod")
    return red.reduce_prod(x, axes=_axes(axes, x, "reduce_prod"))


def _numbers(operand: Any, name: str) -> Any:
    x = array(operand)
    if x.dtype.kind == "b":
        raise DTypeError(f"fx.lax.{name} does not take bool; convert with .astype, or use fx.numpy.")
    return x


def reduce_max(operand: Any, axes: Sequence[int]) -> Any:
    """The largest element over axes; -inf or the smallest number where there is none."""
    return _extremum(operand, axes, "reduce_max", red.reduce_max, least)


def reduce_min(operand: Any, axes: Sequence[int]) -> Any:
    """The smallest element over axes; inf or the largest number where there is none."""
    return _extremum(operand, axes, "reduce_min", red.reduce_min, greatest)


def least(dtype: Any) -> Any:
    return _limit(dtype, False)


def greatest(dtype: Any) -> Any:
    return _limit(dtype, True)


def _limit(dtype: Any, high: bool) -> Any:
    if dtype.kind == "b":
        return high
    if dtype.kind in "iu":
        return (np.iinfo(dtype).max if high else np.iinfo(dtype).min).__index__()
    return np.inf if high else -np.inf


def _extremum(operand: Any, axes: Any, name: str, reduction: Any, identity: Any) -> Any:
    x = array(operand)
    axes = _axes(axes, x, name)
    if all(x.shape[a] for a in axes):
        return reduction(x, axes=axes)
    return full([d for i, d in enumerate(x.shape) if i not in axes], identity(x.dtype), x.dtype)


def reduce_and(operand: Any, axes: Sequence[int]) -> Any:
    """Booleans: whether all are true. Integers: the bits that are set in all."""
    return _bits(operand, axes, "reduce_and", e.bit_and, -1)


def reduce_or(operand: Any, axes: Sequence[int]) -> Any:
    """Booleans: whether one is true. Integers: the bits that are set in one."""
    return _bits(operand, axes, "reduce_or", e.bit_or, 0)


def reduce_xor(operand: Any, axes: Sequence[int]) -> Any:
    """Booleans: whether an odd number is true. Integers: the bits that are set in an odd number."""
    return _bits(operand, axes, "reduce_xor", e.bit_xor, 0)


def _bits(operand: Any, axes: Any, name: str, combine: Any, identity: int) -> Any:
    x = array(operand)
    if x.dtype.kind not in "biu":
        raise DTypeError(f"fx.lax.{name} takes booleans and integers; got {x.dtype}.")
    axes = _axes(axes, x, name)
    if x.dtype.kind == "b" and combine is not e.bit_xor:
        return (red.reduce_all if identity else red.reduce_any)(x, axes=axes)
    start = np.array(identity).astype(x.dtype)[()]
    (result,) = fold([_rows(x, axes)], [start], lambda a, b: [bind(combine, a[0], b[0])])
    return result


def argmax(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The place of the first largest element along an axis; NaN counts as largest."""
    return _place(operand, axis, index_dtype, "argmax", red.argmax)


def argmin(operand: Any, axis: int, index_dtype: Any) -> Any:
    """The place of the first smallest element along an axis; NaN counts as smallest."""
    return _place(operand, axis, index_dtype, "argmin", red.argmin)


def _place(operand: Any, axis: Any, index_dtype: Any, name: str, find: Any) -> Any:
    x, dtype = array(operand), dtypes.canonical(index_dtype)
    if dtype.kind not in "iu":
        raise DTypeError(f"fx.lax.{name}: index_dtype must be an integer dtype; it is {dtype}.")
    axis = static.axis(axis, x.ndim, name)
    if not x.shape[axis]:
        raise ShapeError(f"fx.lax.{name}: axis {axis} of {Aval(tuple(x.shape), x.dtype)} is empty.")
    return find(x, axis=axis, dtype=dtype)


# Any associative function


def reduce(
    operands: Any, init_values: Any, computation: Callable[[Any, Any], Any], dimensions: Sequence[int]
) -> Any:
    """Elements over axes combined by an associative function, as XLA's Reduce.

    Args:
        operands: pytree of arrays of one shape.
        init_values: the same tree of scalars; neutral, so that it does not matter how often they are combined.
        computation: (a, b) -> a, trees of scalars; it may be anything that can be mapped and differentiated.
        dimensions: the axes to go.

    Returns:
        The tree of results, without these axes. Differentiable, with any function, in both modes.
    """
    leaves, treedef, starts = monoid("reduce", operands, init_values)
    axes = _axes(dimensions, leaves[0], "reduce")
    if len({x.shape for x in leaves}) > 1:
        raise ShapeError(f"fx.lax.reduce: operands have shapes {', '.join(str(x.shape) for x in leaves)}.")
    whole = listed(computation, _WHOLE) if len(leaves) == 1 else None
    if whole is not None:
        return treedef.unflatten([computation(whole(leaves[0], axes), starts[0])])
    rows = [_rows(x, axes) for x in leaves]
    return treedef.unflatten(fold(rows, starts, mapped("reduce", computation, treedef, starts)))


_WHOLE = {
    el.add: reduce_sum, el.mul: reduce_prod, el.max: reduce_max, el.min: reduce_min,
    el.bitwise_and: reduce_and, el.bitwise_or: reduce_or, el.bitwise_xor: reduce_xor,
}  # fmt: skip


def listed(computation: Any, table: dict[Any, Any]) -> Any:
    """What a table holds for a function of fx.lax."""
    return table.get(computation) if static.is_hashable(computation) else None


def monoid(name: str, operands: Any, init_values: Any) -> tuple[list[Any], Any, list[Any]]:
    leaves, treedef = tree.flatten(operands)
    starts, found = tree.flatten(init_values)
    if found != treedef or not leaves:
        raise TreeError(
            lines(f"fx.lax.{name}: operands and initial values differ:", *tree.differences(treedef, found))
        )
    leaves = [array(x) for x in leaves]
    return leaves, treedef, [_start(name, x, s) for x, s in zip(leaves, starts, strict=True)]


def _start(name: str, x: Any, start: Any) -> Any:
    start = one_dtype(name, x, start)[1]
    if aval_of(start).shape != ():
        raise ShapeError(f"fx.lax.{name}: an initial value must have shape (); it is {aval_of(start)}.")
    return array(start)


def _rows(x: Any, axes: tuple[int, ...]) -> Any:
    """x: (elements that are combined, *the other axes)."""
    rest = [i for i in range(x.ndim) if i not in axes]
    moved = transpose(x, (*axes, *rest))
    return reshape(moved, (math.prod(x.shape[a] for a in axes), *[x.shape[i] for i in rest]))


def fold(rows: list[Any], starts: list[Any], combine: Callable[..., list[Any]]) -> list[Any]:
    """Neighbours are combined until one row is left, which the initial values are combined with."""
    shape = rows[0].shape[1:]
    spread = [broadcast_to(s, shape) for s in starts]
    n = rows[0].shape[0]
    if n == 0:
        return spread
    while n > 1:
        pairs = combine([_cut(x, 0, n - 1, 2) for x in rows], [_cut(x, 1, n, 2) for x in rows])
        if n % 2:
            pairs = [concatenate([p, _cut(x, n - 1, n)], 0) for p, x in zip(pairs, rows, strict=True)]
        rows, n = pairs, (n + 1) // 2
    return combine(spread, [reshape(x, shape) for x in rows])


def _cut(x: Any, start: int, stop: int, step: int = 1) -> Any:
    none = (0,) * (x.ndim - 1)
    return bind(slice_p, x, start=(start, *none), stop=(stop, *x.shape[1:]), step=(step, *[1] * (x.ndim - 1)))


def mapped(name: str, computation: Any, treedef: Any, starts: Any) -> Callable[..., list[Any]]:
    """A function of two scalars as one of two lists of arrays."""
    static.function(computation, f"{name}: computation")
    avals = [aval_of(s).strong for s in starts]

    def scalars(a: Any, b: Any) -> Any:
        out, found = tree.flatten(computation(treedef.unflatten(a), treedef.unflatten(b)))
        if found != treedef:
            raise TreeError(
                lines(
                    f"fx.lax.{name}: the computation returns another structure:",
                    *tree.differences(treedef, found),
                )
            )
        results = [array(x) for x in out]
        for x, aval in zip(results, avals, strict=True):
            if (tuple(x.shape), x.dtype) != ((), aval.dtype):
                raise DTypeError(
                    f"fx.lax.{name}: the computation takes {aval} and returns {Aval(tuple(x.shape), x.dtype)}."
                )
        return results

    def combine(a: list[Any], b: list[Any]) -> list[Any]:
        shape = a[0].shape
        if not shape:
            return scalars(a, b)
        flat = lambda xs: [reshape(x, (math.prod(shape),)) for x in xs]
        return [reshape(x, shape) for x in vmap(scalars)(flat(a), flat(b))]

    return combine
