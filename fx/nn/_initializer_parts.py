"""What initializers share: dtypes, shapes, sizes along axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import fx
import fx.numpy as fnp


def dtype_of(dtype: Any, default: Any = None) -> Any:
    """The dtype asked for at the call, when the initializer was made, or the default float."""
    chosen = default if dtype is None else dtype
    return float if chosen is None else chosen


def drawn(key: Any, sampler: Any, shape: Sequence[int], dtype: Any) -> fx.Array:
    """What a sampler of `fx.random` draws."""
    return sampler(key, shape=shape, dtype=dtype_of(dtype))


def shape_of(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple, checked as `fnp.zeros` checks it."""
    return fx.eval_shape(lambda: fnp.zeros(shape)).shape


def size_along(shape: tuple[int, ...], axes: Any, name: str) -> int:
    """The product of the sizes of an axis or several."""
    axes = (axes,) if isinstance(axes, int) else axes
    if any(not -len(shape) <= a < len(shape) for a in axes):
        raise fx.ShapeError(f"{name}: the axes {axes} are not all axes of the shape {shape}.")
    return math.prod(shape[a] for a in axes)
