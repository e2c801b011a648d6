"""Sorting of `jax.lax`: several operands by one or more keys, and the largest or smallest elements."""

from __future__ import annotations

from typing import Any

from ..core import static
from ..core.errors import ArgumentError, ShapeError
from ..core.trace import bind
from ..primitives import elementwise as e, sorting
from ._operands import array, describe


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """Along an axis in ascending order; several operands in the lexicographic order of the first `num_keys`.

    Always stable; NaNs come last, complex numbers by real and then imaginary part.

    Returns:
        An array, or a tuple where `operand` is a list or tuple.
    """
    several = isinstance(operand, (list, tuple))
    xs = [array(x) for x in (operand if several else [operand])]
    count = static.integer(num_keys, "sort: num_keys")
    if not 1 <= count <= len(xs):
        raise ArgumentError(f"fx.lax.sort: num_keys={count} of {len(xs)} operands.")
    if len({tuple(x.shape) for x in xs}) > 1:
        raise ShapeError(f"fx.lax.sort takes operands of one shape; got {describe(*xs)}.")
    out = bind(sorting.sort_p, *xs, axis=static.axis(dimension, xs[0].ndim, "sort"), num_keys=count)
    return tuple(out) if several else out[0]


def sort_key_val(keys: Any, values: Any, dimension: int = -1, is_stable: bool = True) -> tuple[Any, Any]:
    """Keys sorted along an axis, and values in the same order."""
    keys, values = sort([keys, values], dimension)
    return keys, values


def top_k(operand: Any, k: int, axis: int = -1) -> tuple[Any, Any]:
    """The k largest elements along an axis, largest first, and their indices (int64)."""
    return sorting.top_k(array(operand), k, axis)


def approx_max_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """The k largest elements and their indices (int32). Exact here: the recall is 1 whatever the target."""
    values, places = sorting.top_k(array(operand), k, reduction_dimension)
    return values, e.convert(places, "int32")


def approx_min_k(
    operand: Any,
    k: int,
    reduction_dimension: int = -1,
    recall_target: float = 0.95,
    reduction_input_size_override: int = -1,
    aggregate_to_topk: bool = True,
) -> tuple[Any, Any]:
    """The k smallest elements, smallest first, and their indices (int32). Exact here."""
    values, places = sorting.top_k(e.neg(array(operand)), k, reduction_dimension)
    return e.neg(values), e.convert(places, "int32")
