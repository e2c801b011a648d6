"""Raw bits, and uniform floats, with which every continuous draw begins."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errstate import quiet
from ..primitives.elementwise import maximum, sub
from ..primitives.random import random_bits, random_unit
from ..primitives.random_math import fused_multiply_add
from ._arguments import float_dtype, integer_dtype, parameter, refuse_range, result_shape, static_shape
from ._keys import key_words


def bits(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Uniform bits as unsigned integers.

    Args:
        dtype: uint8, uint16, uint32 (default) or uint64.
    """
    words = key_words("bits", key)
    dtype = integer_dtype("bits", dtype, kinds="u")
    return random_bits(words, shape=static_shape("bits", shape), dtype=dtype)


def uniform(key: Any, shape: Any = (), dtype: Any = None, minval: Any = 0.0, maxval: Any = 1.0) -> Any:
    """Uniform draws from [minval, maxval).

    Args:
        minval, maxval: numbers or arrays that broadcast to `shape`; gradients flow to them.

    Raises:
        ArgumentError: minval > maxval, where both are known. Equal ones give their value.
    """
    words = key_words("uniform", key)
    dtype = float_dtype("uniform", dtype)
    low, high = parameter("uniform", "minval", minval, dtype), parameter("uniform", "maxval", maxval, dtype)
    shape = result_shape("uniform", shape, minval=low, maxval=high)
    refuse_range("uniform", empty=False, minval=low, maxval=high)
    return uniform_between(words, shape, dtype, low, high)


def uniform_between(words: Any, shape: tuple[int, ...], dtype: np.dtype[Any], low: Any, high: Any) -> Any:
    """Draws from [low, high) of arguments that are in order: NumPy scalars or arrays of `dtype`."""
    draws = random_unit(words, shape=shape, dtype=dtype)
    if isinstance(low, np.generic) and isinstance(high, np.generic):
        if low == 0 and high == 1:
            return draws
        with quiet():
            return fused_multiply_add(draws, high - low, low)
    return maximum(low, fused_multiply_add(draws, sub(high, low), low))
