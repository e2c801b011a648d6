"""From a public function to its primitive."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.array import Array
from ..core.avals import is_inexact
from ..core.dtypes import is_complex
from ..core.errors import DTypeError
from ..core.trace import bind
from ..numpy._arguments import operand
from ..primitives.promotion import promote


def call(primitive: Any, *xs: Any, **params: Any) -> Array:
    """The primitive of the promoted operands."""
    return bind(primitive, *promote(*xs, inexact=True), **params)  # type: ignore[no-any-return]


def inexact(*xs: Any) -> list[Array]:
    """Arrays of one inexact dtype."""
    return [operand(x, "fx.special") for x in promote(*xs, inexact=True)]


def real(name: str, *xs: Any) -> list[Array]:
    """Arrays of one floating dtype; DTypeError if one is complex."""
    found = inexact(*xs)
    if is_complex(found[0].dtype):
        raise DTypeError(f"{name} takes real numbers; got {', '.join(str(x.aval) for x in found)}.")
    return found


def is_complex_input(x: Any) -> bool:
    """Whether a value that a caller passed is complex."""
    dtype = getattr(x, "dtype", None)
    if not isinstance(dtype, np.dtype):
        return isinstance(x, complex)
    return is_inexact(dtype) and is_complex(dtype)
