"""Joining arrays along old and new axes, and splitting them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..core.avals import MAX_RANK
from ..primitives import elementwise as el, shape as sh
from ..primitives.promotion import promote
from ._arguments import one_axis, operands, owned, sequence, static_int
from ._native import EVERY, natively
from ._shapes import atleast_3d


@natively(np.concatenate, EVERY, lists=True)
def concatenate(arrays: Any, axis: int | None = 0, dtype: Any = None) -> Array:
    """Arrays joined along an axis; None flattens them first."""
    xs = operands("concatenate", *promote(*sequence(arrays, "concatenate")))
    if axis is None:
        xs, axis = [sh.reshape(x, (x.size,)) for x in xs], 0
    axis = one_axis(axis, xs[0].ndim, "concatenate")
    _check_joinable("concatenate", xs, axis)
    joined = sh.concatenate(xs, axis) if len(xs) > 1 else owned(arrays[0], "concatenate")
    return joined if dtype is None else el.convert(joined, dtypes.canonical(dtype))


concat = concatenate


def _check_joinable(name: str, xs: Sequence[Array], axis: int) -> None:
    rest = {(*x.shape[:axis], *x.shape[axis + 1 :]) if x.ndim == xs[0].ndim else None for x in xs}
    if len(rest) > 1:
        raise errors.ShapeError(
            errors.lines(
                f"{name}: the shapes {', '.join(str(x.shape) for x in xs)} do not join along axis {axis}.",
                "All axes but that one must have equal sizes.",
            )
        )


@natively(np.stack, EVERY, lists=True)
def stack(arrays: Any, axis: int = 0, dtype: Any = None) -> Array:
    """Arrays of one shape joined along a new axis."""
    xs = operands("stack", *promote(*sequence(arrays, "stack")))
    if len({x.shape for x in xs}) > 1:
        raise errors.ShapeError(
            f"stack needs arrays of one shape; got {', '.join(str(x.shape) for x in xs)}."
        )
    axis = one_axis(axis, xs[0].ndim + 1, "stack")
    shape = (*xs[0].shape[:axis], 1, *xs[0].shape[axis:])
    return concatenate([sh.reshape(x, shape) for x in _own_single(arrays, xs)], axis, dtype)


def _own_single(arrays: Any, xs: list[Array]) -> list[Array]:
    """A single array is not copied by joining; so it must not be the caller's own memory."""
    return xs if len(xs) > 1 else [owned(next(iter(arrays)), "stack")]


@natively(np.unstack, EVERY, view=True)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The slices of x along an axis."""
    x = owned(x, "unstack")
    axis = one_axis(axis, x.ndim, "unstack")
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return tuple(sh.reshape(sh.slice_axis(x, i, i + 1, axis), shape) for i in range(x.shape[axis]))


@natively(np.vstack, EVERY, lists=True)
def vstack(arrays: Any, dtype: Any = None) -> Array:
    """Joined along the first axis; arrays of one axis become rows."""
    return concatenate([_at_least(x, 2) for x in sequence(arrays, "vstack")], 0, dtype)


@natively(np.hstack, EVERY, lists=True)
def hstack(arrays: Any, dtype: Any = None) -> Array:
    """Joined along the second axis, or the only one."""
    xs = [_at_least(x, 1) for x in sequence(arrays, "hstack")]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1, dtype)


@natively(np.dstack, EVERY, lists=True)
def dstack(arrays: Any) -> Array:
    """Joined along the third axis; arrays of one axis become (1, n, 1), of two (m, n, 1)."""
    return concatenate([atleast_3d(x) for x in sequence(arrays, "dstack")], 2)


@natively(np.column_stack, EVERY, lists=True)
def column_stack(arrays: Any) -> Array:
    """Joined along the second axis; arrays of one axis become columns."""
    xs = [_at_least(x, 1) for x in sequence(arrays, "column_stack")]
    return concatenate([sh.reshape(x, (x.size, 1)) if x.ndim == 1 else x for x in xs], 1)


def _at_least(x: Any, rank: int) -> Array:
    x = owned(x, "stack")
    return sh.reshape(x, (1,) * (rank - x.ndim) + x.shape)


@natively(np.block, EVERY, lists=True)
def block(arrays: Any) -> Array:
    """An array from nested lists of blocks: the innermost lists join along the last axis, and so on outwards."""
    depth = _depth(arrays, 0)
    blocks = [owned(x, "block") for x in promote(*_blocks(arrays))]
    rank = max(depth, *[x.ndim for x in blocks])
    return _joined_blocks(arrays, iter(blocks), depth, rank)


def _depth(x: Any, above: int) -> int:
    if not isinstance(x, list):
        return 0
    if above == MAX_RANK:
        raise errors.ArgumentError(
            f"block: the lists are nested more than {MAX_RANK} deep, or contain themselves."
        )
    if not x:
        raise errors.ArgumentError("block: a list of blocks is empty.")
    depths = {_depth(member, above + 1) for member in x}
    if len(depths) > 1:
        raise errors.ArgumentError("block: all blocks must be nested equally deep.")
    return 1 + depths.pop()


def _blocks(x: Any) -> list[Any]:
    return [b for member in x for b in _blocks(member)] if isinstance(x, list) else [x]


def _joined_blocks(x: Any, blocks: Iterator[Array], depth: int, rank: int) -> Array:
    if not isinstance(x, list):
        return _at_least(next(blocks), rank)
    return concatenate([_joined_blocks(member, blocks, depth - 1, rank) for member in x], rank - depth)


# Splitting


@natively(np.split, EVERY, view=True)
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts along an axis: that many equal ones, or those between the given indices.

    Raises:
        ShapeError: the axis does not divide into equal parts (`array_split` allows unequal ones).
    """
    x = owned(x, "split")
    axis = one_axis(axis, x.ndim, "split")
    if not _is_sequence(indices_or_sections):
        n = static_int(indices_or_sections, "split: sections")
        if n < 1 or x.shape[axis] % n:
            raise errors.ShapeError(
                errors.lines(
                    f"split: axis {axis} of {x.aval} does not divide into {n} equal parts.",
                    "array_split allows parts of unequal size.",
                )
            )
    return array_split(x, indices_or_sections, axis)


_MOST_PARTS = 1_000_000


@natively(np.array_split, EVERY, view=True)
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Parts along an axis: that many nearly equal ones, or those between the given indices."""
    x = owned(x, "array_split")
    axis = one_axis(axis, x.ndim, "array_split")
    size = x.shape[axis]
    if _is_sequence(indices_or_sections):
        cuts = [static_int(i, "array_split: an index") for i in sequence(indices_or_sections, "array_split")]
        cuts = [min(i, size) if i >= 0 else max(i + size, 0) for i in cuts]
    else:
        n = static_int(indices_or_sections, "array_split: sections")
        if not 1 <= n <= _MOST_PARTS:
            raise errors.ArgumentError(
                f"array_split: the number of parts must be 1 to {_MOST_PARTS}; got {n}."
            )
        cuts = [i * (size // n) + min(i, size % n) for i in range(1, n)]
    starts, stops = [0, *cuts], [*cuts, size]
    return [sh.slice_axis(x, a, max(a, b), axis) for a, b in zip(starts, stops, strict=True)]


def _is_sequence(x: Any) -> bool:
    return isinstance(x, (Sequence, np.ndarray)) or (isinstance(x, Array) and x.ndim > 0)


@natively(np.hsplit, EVERY, view=True)
def hsplit(x: Any, indices_or_sections: Any) -> list[Array]:
    """`split` along the second axis, or the only one."""
    x = _of_rank(x, 1, "hsplit")
    return split(x, indices_or_sections, 1 if x.ndim > 1 else 0)


@natively(np.vsplit, EVERY, view=True)
def vsplit(x: Any, indices_or_sections: Any) -> list[Array]:
    """`split` along the first axis of at least two."""
    return split(_of_rank(x, 2, "vsplit"), indices_or_sections, 0)


@natively(np.dsplit, EVERY, view=True)
def dsplit(x: Any, indices_or_sections: Any) -> list[Array]:
    """`split` along the third axis."""
    return split(_of_rank(x, 3, "dsplit"), indices_or_sections, 2)


def _of_rank(x: Any, rank: int, name: str) -> Array:
    x = owned(x, name)
    if x.ndim < rank:
        raise errors.ShapeError(f"{name} needs at least {rank} axes; got {x.aval}.")
    return x
