"""Reading what callers pass: arrays, alone or in pairs of one dtype."""

from __future__ import annotations

from typing import Any

from ..core import dtypes
from ..core.array import Array
from ..numpy._arguments import operand
from ..primitives.elementwise import convert
from ..primitives.promotion import promote


def array(x: Any, name: str) -> Array:
    """x as an Array of an inexact dtype: integers and booleans become the default float."""
    x = operand(x, name)
    return x if x.aval.inexact else convert(x, dtypes.default_float())


def wide(x: Any, name: str) -> Array:
    """The same, with float16 and bfloat16 as float32."""
    x = array(x, name)
    return convert(x, dtypes.float32) if dtypes.is_low_precision(x.dtype) else x


def pair(x: Any, y: Any, name: str, inexact: bool = False) -> tuple[Array, Array]:
    """Two arrays in their common dtype; booleans count as integers."""
    x, y = (operand(v, name) for v in promote(x, y, inexact=inexact))
    if x.dtype.kind == "b":
        x, y = convert(x, dtypes.int64), convert(y, dtypes.int64)
    return x, y
