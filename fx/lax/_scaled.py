"""Products of operands in narrow formats with a scale for each block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import dtypes
from ..core.errors import ShapeError
from ..primitives import elementwise as e
from ..primitives.shape import broadcast_to, reshape
from ._contractions import dot_general, spec_of
from ._numbers import DotDimensionNumbers
from ._operands import array, describe


def scaled_dot(
    lhs: Any,
    rhs: Any,
    *,
    lhs_scale: Any = None,
    rhs_scale: Any = None,
    dimension_numbers: DotDimensionNumbers | None = None,
    preferred_element_type: Any = None,
) -> Any:
    """`dot_general` of operands in a narrow format, times scales that blocks of the contracted axes share.

    Operands and scales are converted to bfloat16 and multiplied there, as in JAX; sums are made in float32.
    Derivatives by all four (of float8, bfloat16, ... operands in their own dtype).

    Args:
        lhs_scale, rhs_scale: as their operand, but shorter along contracted axes: a divisor of its size, at most half
            of it. None: no scale.
        dimension_numbers: of `dot_general`; None: the product of matrices, or of stacks of them along axis 0.
        preferred_element_type: bfloat16 by default.
    """
    x, y = array(lhs), array(rhs)
    if dimension_numbers is None:
        dimension_numbers = _of_matrices(x, y)
    spec_of(x, y, dimension_numbers)
    contracted = dimension_numbers[0]
    factors = [
        _scaled(side, v, scale, axes)
        for side, v, scale, axes in zip(
            ("lhs", "rhs"), (x, y), (lhs_scale, rhs_scale), contracted, strict=True
        )
    ]
    out = dtypes.bfloat16() if preferred_element_type is None else preferred_element_type
    return dot_general(*factors, dimension_numbers, preferred_element_type=out)


def _of_matrices(x: Any, y: Any) -> DotDimensionNumbers:
    if x.ndim != y.ndim or x.ndim not in (2, 3):
        raise ShapeError(
            f"fx.lax.scaled_dot of other arrays than matrices needs dimension_numbers; got {describe(x, y)}."
        )
    return (((1,), (0,)), ((), ())) if x.ndim == 2 else (((2,), (1,)), ((0,), (0,)))


def _scaled(side: str, x: Any, scale: Any, contracted: Sequence[int]) -> Any:
    """x in bfloat16, times the scale of its block."""
    narrow = e.convert(x, dtypes.bfloat16())
    if scale is None:
        return narrow
    scale = array(scale)
    inner = [a % x.ndim for a in contracted]
    blocks = [(a, x.shape[a], scale.shape[a]) for a in range(x.ndim)] if scale.ndim == x.ndim else None
    fits = blocks is not None and all(
        (s > 0 and d % s == 0 and d // s >= 2) if a in inner else d == s for a, d, s in blocks
    )
    if not fits:
        raise ShapeError(
            f"fx.lax.scaled_dot: {side}_scale has the axes of {side}, and along the contracted ones {tuple(inner)} a "
            f"divisor of its size, at most half of it; got {describe(x, scale)}."
        )
    split = [n for d, s in zip(x.shape, scale.shape, strict=True) for n in (s, d // s)]
    spread = reshape(e.convert(scale, dtypes.bfloat16()), [n for s in scale.shape for n in (s, 1)])
    return narrow * reshape(broadcast_to(spread, tuple(split)), x.shape)
