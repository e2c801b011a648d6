"""What is known of signs: values that are never negative, nor -0.0.

Decided from the equations that made a value, a few steps back; unknown is always a right answer. A NaN may come
with any sign and is no concern: the rewrites that ask keep NaNs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.program import Equation
from ...primitives import elementwise as ew
from ...primitives.reductions import reduce_max, reduce_min, reduce_prod, reduce_sum
from ...primitives.shape import broadcast_p, concatenate_p, iota_p, reshape_p, reverse, slice_p, transpose_p
from ..rewriting import Rewriter
from .constants import constant

_DEPTH = 6
_POSITIVE = frozenset([ew.exp, ew.exp2, ew.logistic, ew.abs_, ew.cosh])
_CLOSED = frozenset([ew.mul, ew.div, ew.add, ew.sqrt, ew.maximum, ew.minimum, ew.expm1])
_MOVING = frozenset(
    [broadcast_p, reshape_p, transpose_p, slice_p, reverse, concatenate_p, reduce_max, reduce_min]
)
_KEEPING = _CLOSED | _MOVING | {reduce_sum, reduce_prod, ew.convert_p}
"""Without a sign if all operands are."""


def without_sign(at: Rewriter, x: Any, depth: int = _DEPTH) -> bool:
    """Whether the sign bit of every element that is no NaN is known to be clear."""
    number = constant(at, x)
    if number is not None:
        return number.dtype.kind != "c" and not np.signbit(_real(number.value))
    if x.aval.dtype.kind in "bu":
        return True
    eqn = at.made.get(x)
    return (
        eqn is not None and depth > 0 and x.aval.dtype.kind != "c" and _made_without_sign(at, eqn, depth - 1)
    )


def _real(value: Any) -> Any:
    return np.float64(value)


def _made_without_sign(at: Rewriter, eqn: Equation, depth: int) -> bool:
    prim, inputs = eqn.primitive, eqn.inputs
    if prim is iota_p:
        return True
    if eqn.outputs[0].aval.dtype.kind not in "fV":
        return False
    if prim in _POSITIVE or (prim is ew.mul and inputs[0] is inputs[1]):
        return True
    if prim is ew.integer_pow:
        return bool(eqn.params["n"] % 2 == 0)
    if prim is ew.select:
        inputs = inputs[1:]
    elif prim not in _KEEPING:
        return False
    return all(without_sign(at, v, depth) for v in inputs)


def no_negative_zero(at: Rewriter, x: Any, depth: int = _DEPTH) -> bool:
    """Whether no element is -0.0: x has no sign; or is an integer; or a sum with a term that is never -0.0."""
    if x.aval.dtype.kind in "biu" or without_sign(at, x, depth):
        return True
    number = constant(at, x)
    if number is not None:
        return number.dtype.kind != "c" and bool(number.value != 0)
    eqn = at.made.get(x)
    if eqn is None or depth == 0 or x.aval.dtype.kind == "c":
        return False
    prim, inputs = eqn.primitive, eqn.inputs
    if prim is ew.add:
        return any(no_negative_zero(at, v, depth - 1) for v in inputs)
    if prim is ew.sub:
        return no_negative_zero(at, inputs[0], depth - 1)
    if prim is ew.select:
        return all(no_negative_zero(at, v, depth - 1) for v in inputs[1:])
    if prim is ew.convert_p:
        return inputs[0].aval.dtype.kind in "biu"
    return prim in _MOVING and all(no_negative_zero(at, v, depth - 1) for v in inputs)
