"""Running sums, products and extrema."""

from __future__ import annotations

from typing import Any

from ..core import static
from ..primitives import cumulative
from ._operands import array


def _along(scan: Any, x: Any, axis: Any, reverse: Any) -> Any:
    x = array(x)
    return scan(x, static.axis(axis, x.ndim, scan.__name__), bool(reverse))


def cumsum(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running sums along an axis."""
    return _along(cumulative.cumsum, operand, axis, reverse)


def cumprod(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running products along an axis."""
    return _along(cumulative.cumprod, operand, axis, reverse)


def cummax(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running maxima along an axis."""
    return _along(cumulative.cummax, operand, axis, reverse)


def cummin(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running minima along an axis."""
    return _along(cumulative.cummin, operand, axis, reverse)


def cumlogsumexp(operand: Any, axis: int = 0, reverse: bool = False) -> Any:
    """Running log-sum-exp along an axis."""
    return _along(cumulative.cumlogsumexp, operand, axis, reverse)
