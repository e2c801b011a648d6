"""Products with ragged groups: consecutive rows of the left operand that go together, how many only the run knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core import static
from ..core.errors import ArgumentError, DTypeError, ShapeError
from ..primitives import elementwise as e
from ..primitives.ragged import ragged_groups, ragged_rows
from ..primitives.reductions import reduce_sum
from ..primitives.shape import broadcast_to, move_axis, reshape, transpose
from ._contractions import check_precision, dot_general, product_dtypes, spec_of
from ._numbers import DotDimensionNumbers
from ._operands import array, describe


class RaggedDotDimensionNumbers(NamedTuple):
    """The axes of `ragged_dot_general`: those of `dot_general`, the ragged axis of lhs, the axis of groups of rhs."""

    dot_dimension_numbers: DotDimensionNumbers
    lhs_ragged_dimensions: Sequence[int]
    rhs_group_dimensions: Sequence[int]


def ragged_dot(
    lhs: Any,
    rhs: Any,
    group_sizes: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
    group_offset: Any = None,
) -> Any:
    """Rows in consecutive groups, each group times its own matrix: a mixture of experts.

    Args:
        lhs: (m, k). rhs: (g, k, n). group_sizes: (g,) integers; rows beyond their sum give zeros.
        group_offset: accepted as None alone: it is for devices that hold some of the groups each.

    Returns:
        (m, n). As many products are made as there are rows. Derivatives by lhs and rhs.
    """
    x, w, sizes = array(lhs), array(rhs), array(group_sizes)
    fits = x.ndim == 2 and w.ndim == 3 and sizes.ndim == 1 and w.shape[:2] == (sizes.shape[0], x.shape[1])
    if not fits or sizes.dtype.kind not in "iu":
        raise ShapeError(
            f"fx.lax.ragged_dot takes (m, k), (g, k, n) and g integers; got {describe(x, w, sizes)}."
        )
    numbers = RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), (0,), (0,))
    return ragged_dot_general(x, w, sizes, numbers, precision, preferred_element_type, group_offset)


def ragged_dot_general(
    lhs: Any,
    rhs: Any,
    group_sizes: Any,
    ragged_dot_dimension_numbers: RaggedDotDimensionNumbers,
    precision: Any = None,
    preferred_element_type: Any = None,
    group_offset: Any = None,
) -> Any:
    """`dot_general` where one axis of lhs consists of g consecutive groups.

    The ragged axis is a free axis of lhs: rhs has an axis of g, and every group meets its own part of it. It is
    contracted: the result has a leading axis of g, with the sum over each group. It is a batch axis: nothing changes.

    Args:
        group_sizes: (g,) integers, or (*x, g), x the batch axes and those of the ragged kind before the ragged one.
            What is beyond their sum gives zeros.
        group_offset: accepted as None alone.
    """
    check_precision(precision)
    if group_offset is not None:
        raise ArgumentError(
            "fx.lax.ragged_dot: group_offset is for devices that hold some of the groups each."
        )
    x, y, sizes = array(lhs), array(rhs), array(group_sizes)
    if sizes.dtype.kind not in "iu":
        raise DTypeError(f"fx.lax.ragged_dot_general: group_sizes are integers; got {describe(sizes)}.")
    axes = _Axes(x, y, ragged_dot_dimension_numbers)
    if axes.ragged in axes.batch:
        axes.sizes(sizes, axes.batch[: axes.batch.index(axes.ragged)], x)
        return dot_general(x, y, axes.numbers, precision, preferred_element_type)
    wide, out = product_dtypes(x, y, preferred_element_type)
    x, y = e.convert(x, wide), e.convert(y, wide)
    return e.convert((_contracted if axes.ragged in axes.inner else _free)(x, y, sizes, axes), out)


class _Axes:
    """The axes of both operands by their role."""

    def __init__(self, x: Any, y: Any, numbers: Any):
        try:
            self.numbers, ragged, groups = numbers
        except (TypeError, ValueError):
            raise ArgumentError(
                "fx.lax.ragged_dot_general takes fx.lax.RaggedDotDimensionNumbers(dot_dimension_numbers, "
                "lhs_ragged_dimensions, rhs_group_dimensions)."
            ) from None
        ragged = static.integers(tuple(ragged), "ragged_dot_general: lhs_ragged_dimensions")
        self.groups = static.integers(tuple(groups), "ragged_dot_general: rhs_group_dimensions")
        spec_of(x, y, self.numbers)
        (self.inner, self.right_inner), (self.batch, self.right_batch) = [
            [tuple(map(int, part)) for part in pair] for pair in self.numbers
        ]
        self.rows = _others(x.ndim, self.batch + self.inner)
        free = _others(y.ndim, self.right_batch + self.right_inner)
        self.columns = [a for a in free if a not in self.groups]
        if len(ragged) != 1 or not 0 <= ragged[0] < x.ndim:
            raise ShapeError(
                f"fx.lax.ragged_dot_general: one axis of lhs is ragged; got {ragged}, {describe(x)}."
            )
        self.ragged = ragged[0]
        wanted = 1 if self.ragged in self.rows else 0
        if len(self.groups) != wanted or any(a not in free for a in self.groups):
            raise ShapeError(
                f"fx.lax.ragged_dot_general: {wanted} free axes of rhs are for groups here; got {self.groups}, "
                f"{describe(y)}."
            )

    def sizes(self, sizes: Any, before: Sequence[int], x: Any) -> Any:
        """Group sizes of every element of the axes of x that stand before the ragged one."""
        shape = (*[x.shape[a] for a in before], *sizes.shape[-1:])
        if sizes.ndim == 0 or (sizes.ndim > 1 and sizes.shape != shape):
            raise ShapeError(
                f"fx.lax.ragged_dot_general: group_sizes have shape {shape[-1:] or ('g',)} or {shape}; they are "
                f"{describe(sizes)}."
            )
        return broadcast_to(sizes, shape)


def _free(x: Any, y: Any, sizes: Any, axes: _Axes) -> Any:
    """Groups of rows, each times its own matrices."""
    at = axes.rows.index(axes.ragged)
    before, after = axes.rows[:at], axes.rows[at + 1 :]
    sizes = axes.sizes(sizes, [*axes.batch, *before], x)
    if y.shape[axes.groups[0]] != sizes.shape[-1]:
        raise ShapeError(
            f"fx.lax.ragged_dot_general: axis {axes.groups[0]} of {describe(y)} is not of {sizes.shape[-1]} groups."
        )
    lead, m = sizes.shape[:-1], x.shape[axes.ragged]
    k, n = _size(x, axes.inner), _size(y, axes.columns)
    rows = transpose(x, (*axes.batch, *before, axes.ragged, *after, *axes.inner))
    w = transpose(y, (*axes.right_batch, *axes.groups, *axes.right_inner, *axes.columns))
    b = lead[: len(axes.batch)]
    w = reshape(w, (*b, *[1] * len(before), sizes.shape[-1], k, n))
    many = _size(x, after)
    out = ragged_rows(
        reshape(rows, (*lead, m * many, k)),
        broadcast_to(w, (*lead, sizes.shape[-1], k, n)),
        sizes * sizes.dtype.type(many),
    )
    return reshape(out, (*b, *[x.shape[a] for a in axes.rows], *[y.shape[a] for a in axes.columns]))


def _contracted(x: Any, y: Any, sizes: Any, axes: _Axes) -> Any:
    """Sums over each group of the ragged axis, and over all of the others."""
    at = axes.inner.index(axes.ragged)
    sizes = axes.sizes(sizes, [*axes.batch, *axes.inner[:at]], x)
    lead, g = sizes.shape[:-1], sizes.shape[-1]
    many = _size(x, axes.inner[at + 1 :])
    length = x.shape[axes.ragged] * many
    left = reshape(transpose(x, (*axes.batch, *axes.inner, *axes.rows)), (*lead, length, _size(x, axes.rows)))
    right = transpose(y, (*axes.right_batch, *axes.right_inner, *axes.columns))
    right = reshape(right, (*lead, length, _size(y, axes.columns)))
    out = ragged_groups(left, right, sizes * sizes.dtype.type(many))
    nb = len(axes.batch)
    out = move_axis(reduce_sum(out, axes=tuple(range(nb, len(lead)))) if at else out, nb, 0)
    return reshape(
        out, (g, *lead[:nb], *[x.shape[a] for a in axes.rows], *[y.shape[a] for a in axes.columns])
    )


def _others(ndim: int, axes: Sequence[int]) -> list[int]:
    return [a for a in range(ndim) if a not in axes]


def _size(x: Any, axes: Sequence[int]) -> int:
    return math.prod(x.shape[a] for a in axes)
