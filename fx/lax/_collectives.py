"""Collectives for functions under `vmap(..., axis_name=...)`, over pytrees."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

from ..core import static, tree
from ..core.array import Array
from ..core.errors import ArgumentError, brief, lines
from ..core.trace import current_trace
from ..primitives import collectives as p
from ..primitives.promotion import as_operand, is_scalar, promote
from ..primitives.shape import reshape


def axis_size(axis_name: Any) -> int:
    """Size of a named axis that is being mapped; ArgumentError if there is none."""
    trace = current_trace()
    axes = trace.axes if trace is not None else {}
    static.key(axis_name, "The name of an axis")
    if axis_name not in axes:
        raise ArgumentError(
            lines(
                f"No axis named {brief(axis_name)} is being mapped here; mapped: {sorted(map(str, axes)) or 'none'}.",
                f"Call this inside fx.vmap(f, axis_name={brief(axis_name)}).",
            )
        )
    return axes[axis_name]  # type: ignore[no-any-return]


def _each(x: Any, axis_name: Any, apply: Callable[[Any, int], Any]) -> Any:
    size = axis_size(axis_name)
    return tree.map(lambda leaf: apply(leaf, size), x)


def _over_all(reduce: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A reduction over one named axis, made to take a tuple or list of names too."""

    @functools.wraps(reduce)
    def over_all(x: Any, axis_name: Any) -> Any:
        names = axis_name if isinstance(axis_name, (tuple, list)) else (axis_name,)
        return functools.reduce(reduce, names, x)

    return over_all


@_over_all
def psum(x: Any, axis_name: Any) -> Any:
    """Sum over the named axis (or a tuple of them); a Python number is multiplied by the axis size."""

    def one(leaf: Any, size: int) -> Any:
        if is_scalar(leaf):
            return leaf * size
        return p.psum(as_operand(leaf), axis_name=axis_name, size=size)

    return _each(x, axis_name, one)


@_over_all
def pmean(x: Any, axis_name: Any) -> Any:
    """Mean over the named axis."""

    def one(leaf: Any, size: int) -> Any:
        (leaf,) = promote(leaf, inexact=True)
        total = psum(leaf, axis_name)
        return total / size

    return _each(x, axis_name, one)


@_over_all
def pmax(x: Any, axis_name: Any) -> Any:
    """Largest value over the named axis, elementwise."""
    return _each(x, axis_name, lambda leaf, size: p.pmax(as_operand(leaf), axis_name=axis_name, size=size))


@_over_all
def pmin(x: Any, axis_name: Any) -> Any:
    """Smallest value over the named axis, elementwise."""
    return _each(x, axis_name, lambda leaf, size: p.pmin(as_operand(leaf), axis_name=axis_name, size=size))


def all_gather(x: Any, axis_name: Any, *, axis: int = 0, tiled: bool = False) -> Any:
    """Values of all elements along a new axis, or joined along an existing one with `tiled=True`."""

    def one(leaf: Any, size: int) -> Any:
        leaf = as_operand(leaf)
        rank = leaf.ndim if tiled else leaf.ndim + 1
        if not -rank <= axis < rank:
            raise ArgumentError(f"all_gather: axis {axis} does not exist in a result of {rank} axes.")
        at = axis % rank
        out = p.all_gather(leaf, axis_name=axis_name, size=size, position=at)
        if not tiled:
            return out
        return reshape(out, (*leaf.shape[:at], size * leaf.shape[at], *leaf.shape[at + 1 :]))

    return _each(x, axis_name, one)


def ppermute(x: Any, axis_name: Any, perm: Sequence[tuple[int, int]]) -> Any:
    """Send values along (source, target) pairs; elements that receive nothing get zeros."""
    size = axis_size(axis_name)
    pairs = _pairs(perm)
    sources, targets = [a for a, _ in pairs], [b for _, b in pairs]
    if len(set(sources)) < len(pairs) or len(set(targets)) < len(pairs):
        raise ArgumentError(f"ppermute: a source or a target stands twice in {pairs}.")
    if any(not 0 <= i < size for i in sources + targets):
        raise ArgumentError(f"ppermute: {pairs} names elements outside the axis of size {size}.")
    return _each(
        x, axis_name, lambda leaf, n: p.ppermute(as_operand(leaf), axis_name=axis_name, size=n, perm=pairs)
    )


def _pairs(perm: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    try:
        return tuple((operator.index(a), operator.index(b)) for a, b in perm)
    except TypeError:
        raise ArgumentError(
            f"ppermute: perm must be a sequence of (source, target) pairs of integers; got {brief(perm)}."
        ) from None


def axis_index(axis_name: Any) -> Array:
    """The position of this element along the named axis, int64."""
    return p.axis_index(axis_name=axis_name, size=axis_size(axis_name))


def pshuffle(x: Any, axis_name: Any, perm: Sequence[int]) -> Any:
    """Element i receives the value of element perm[i]."""
    return ppermute(
        x,
        axis_name,
        [(source, target) for target, source in enumerate(static.integers(perm, "pshuffle: perm"))],
    )
