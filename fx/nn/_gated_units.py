"""Gated linear units: one half of x times an activation of the other, which follows it.

Source of the variants: Shazeer 2020, "GLU variants improve transformer", where the gate is the first half.
"""

from __future__ import annotations

from typing import Any

import fx
import fx.numpy as fnp
from fx import lax

from ._activations import gelu, relu, silu
from ._inputs import real


def glu(x: Any, axis: int = -1) -> fx.Array:
    """a * sigmoid(b) for the halves a and b of x along an axis of even size. Source: Dauphin et al. 2016.

    Raises:
        ShapeError: the size is odd.
    """
    a, b = _halves(x, axis, "glu")
    return a * lax.logistic(b)


def geglu(x: Any, axis: int = -1, approximate: bool = True) -> fx.Array:
    """a * gelu(b, approximate) for the halves a and b of x."""
    a, b = _halves(x, axis, "geglu")
    return a * gelu(b, approximate)


def reglu(x: Any, axis: int = -1) -> fx.Array:
    """a * relu(b) for the halves a and b of x."""
    a, b = _halves(x, axis, "reglu")
    return a * relu(b)


def swiglu(x: Any, axis: int = -1) -> fx.Array:
    """a * silu(b) for the halves a and b of x."""
    a, b = _halves(x, axis, "swiglu")
    return a * silu(b)


def _halves(x: Any, axis: int, name: str) -> tuple[fx.Array, fx.Array]:
    x = real(x, name)
    if not isinstance(axis, int):
        raise fx.ArgumentError(f"{name}: axis must be an integer; got {type(axis).__name__}.")
    if not -x.ndim <= axis < x.ndim or x.shape[axis] % 2:
        raise fx.ShapeError(
            f"{name} halves axis {axis} of x, which must have an even size; x has shape {x.shape}.\n"
            "Make the layer before it twice as wide, or pass another axis=."
        )
    a, b = fnp.split(x, 2, axis)
    return a, b
