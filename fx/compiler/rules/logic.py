"""Comparisons, booleans and bits, select, conversions between dtypes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ...core.primitive import Primitive
from ...core.program import Equation
from ...core.structure import Literal
from ...primitives import elementwise as ew
from ...primitives.shape import iota_p
from ..rewriting import Atom, Rewriter, Rules, like
from .constants import everywhere, repeated

Found = Equation | Atom | None

# Comparisons

_REFLEXIVE = frozenset([ew.eq, ew.le, ew.ge])
_COMPLEMENT: dict[Primitive, Primitive] = {ew.eq: ew.ne, ew.ne: ew.eq}
_COMPLEMENT_OF_ORDERED: dict[Primitive, Primitive] = {ew.lt: ew.ge, ew.ge: ew.lt, ew.le: ew.gt, ew.gt: ew.le}


def _compare(at: Rewriter, eqn: Equation) -> Found:
    """x with itself: never less; equal unless it may be NaN."""
    x, y = eqn.inputs
    kind = x.aval.dtype.kind
    if x is y:
        if eqn.primitive in (ew.lt, ew.gt):
            return everywhere(False, eqn)
        return everywhere(eqn.primitive in _REFLEXIVE, eqn) if kind in "biu" else None
    if type(x) is Literal:
        x, y = y, x
    return _compare_boolean(at, eqn, x) if type(y) is Literal else None


def _compare_boolean(at: Rewriter, eqn: Equation, x: Any) -> Found:
    """A boolean, or a number made of one, with a literal: what both of its values give decides."""
    made = at.maker(x, ew.convert_p)
    truth = x if x.aval.dtype.kind == "b" else None if made is None else made.inputs[0]
    if truth is None or truth.aval.dtype.kind != "b":
        return None
    no, yes = (_compared(eqn, x, value) for value in (False, True))
    if no == yes:
        return everywhere(no, eqn)
    return truth if yes else like(eqn, ew.bit_not, (truth,))


def _compared(eqn: Equation, x: Any, value: bool) -> bool:
    number = x.aval.dtype.type(value)
    operands = [v.value if type(v) is Literal else number for v in eqn.inputs]
    return bool(eqn.primitive.impl(np, *operands))


def _never(at: Rewriter, eqn: Equation) -> Found:
    """isnan and isinf of integers."""
    return everywhere(False, eqn) if eqn.inputs[0].aval.dtype.kind in "biu" else None


def _always(at: Rewriter, eqn: Equation) -> Found:
    """isfinite of integers."""
    return everywhere(True, eqn) if eqn.inputs[0].aval.dtype.kind in "biu" else None


# Booleans and bits


def _not(at: Rewriter, eqn: Equation) -> Found:
    """Twice: nothing. Of a comparison: the opposite one; NaNs compare unordered, so < has one for integers only."""
    (x,) = eqn.inputs
    made = at.made.get(x)
    if made is None:
        return None
    if made.primitive is ew.bit_not:
        return made.inputs[0]
    opposite = _COMPLEMENT.get(made.primitive)
    if opposite is None and made.inputs and made.inputs[0].aval.dtype.kind in "biu":
        opposite = _COMPLEMENT_OF_ORDERED.get(made.primitive)
    return None if opposite is None else like(eqn, opposite, made.inputs)


def _bits(at: Rewriter, eqn: Equation) -> Found:
    """and, or, xor with itself, with no bits and with all bits."""
    x, y = eqn.inputs
    prim = eqn.primitive
    if x is y:
        return everywhere(0, eqn) if prim is ew.bit_xor else x
    if type(x) is Literal:
        x, y = y, x
    if type(y) is not Literal:
        return None
    none, every = bool(y.value == 0), bool(~y.value == 0)
    if (none and prim is not ew.bit_and) or (every and prim is ew.bit_and):
        return x
    if (none and prim is ew.bit_and) or (every and prim is ew.bit_or):
        return everywhere(y.value, eqn)
    return like(eqn, ew.bit_not, (x,)) if every else None


# Select


def _select(at: Rewriter, eqn: Equation) -> Found:
    mask, x, y = eqn.inputs
    if type(mask) is Literal:
        return _as_result(eqn, x if mask.value else y)
    if x is y:
        return _as_result(eqn, x)
    if mask.aval.shape == eqn.outputs[0].aval.shape and type(x) is type(y) is Literal and x.dtype.kind == "b":
        return mask if x.value else like(eqn, ew.bit_not, (mask,))
    negated = at.maker(mask, ew.bit_not)
    if negated is not None:
        return like(eqn, ew.select, (negated.inputs[0], y, x))
    return _select_twice(at, eqn)


def _as_result(eqn: Equation, x: Atom) -> Found:
    """x in the shape of the result."""
    if x.aval.shape == eqn.outputs[0].aval.shape:
        return x if x.aval is eqn.outputs[0].aval or x.aval.weak else None
    return everywhere(x.value, eqn) if type(x) is Literal else repeated(eqn, x)


def _select_twice(at: Rewriter, eqn: Equation) -> Found:
    """select(m, select(m, a, b), c) is select(m, a, c), and likewise on the other side."""
    mask, x, y = eqn.inputs
    of_x, of_y = at.maker(x, ew.select), at.maker(y, ew.select)
    if of_x is not None and of_x.inputs[0] is mask:
        return like(eqn, ew.select, (mask, of_x.inputs[1], y))
    if of_y is not None and of_y.inputs[0] is mask:
        return like(eqn, ew.select, (mask, x, of_y.inputs[2]))
    return None


# Conversions


@functools.cache
def lossless(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    """Whether every value of one dtype is a value of another."""
    if source == target or source.kind == "b":
        return True
    if source.kind in "iu":
        return target.kind in "iufVc" and _holds_integers(source, target)
    if source.kind == "c":
        return target.kind == "c" and target.itemsize >= source.itemsize
    return target.kind in "fVc" and _holds_floats(source, _real_part(target))


def _real_part(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"float{4 * dtype.itemsize}") if dtype.kind == "c" else dtype


def _holds_integers(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    have = np.iinfo(source)
    if target.kind in "iu":
        room = np.iinfo(target)
        return bool(room.min <= have.min and have.max <= room.max)
    digits = _digits(_real_part(target))
    return digits is not None and 8 * source.itemsize - (source.kind == "i") <= digits[0]


_DIGITS = {"float16": (11, 5), "bfloat16": (8, 8), "float32": (24, 8), "float64": (53, 11)}
"""Binary digits of the significand, and bits of the exponent."""


def _digits(dtype: np.dtype[Any]) -> tuple[int, int] | None:
    return _DIGITS.get(dtype.name)


def _holds_floats(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    have, room = _digits(source), _digits(target)
    return have is not None and room is not None and have[0] <= room[0] and have[1] <= room[1]


def _convert(at: Rewriter, eqn: Equation) -> Found:
    """To the same dtype: nothing. Of a lossless conversion: directly from where it began.

    Floating to integer is left alone: out of range, what it gives depends on the type it comes from.
    """
    (x,), dtype = eqn.inputs, eqn.params["dtype"]
    if x.aval.dtype == dtype:
        return x
    made = at.maker(x, ew.convert_p)
    if made is not None:
        begin = made.inputs[0]
        if begin.aval.dtype.kind in "fVc" and dtype.kind in "iu":
            return None
        if begin.aval.dtype.kind == "c" and dtype.kind != "c":
            return None
        return (
            like(eqn, ew.convert_p, (begin,), eqn.params)
            if lossless(begin.aval.dtype, x.aval.dtype)
            else None
        )
    made = at.maker(x, iota_p)
    if made is not None and dtype.kind in "iufV" and _counts(made, x.aval.dtype):
        return like(eqn, iota_p, (), {**made.params, "dtype": dtype})
    return None


def _counts(iota: Equation, dtype: np.dtype[Any]) -> bool:
    """Whether an iota is 0, 1, 2, ... in its dtype, without rounding or wrapping."""
    last = iota.params["shape"][iota.params["axis"]] - 1
    if dtype.kind in "iu":
        return bool(last <= np.iinfo(dtype).max)
    digits = _digits(dtype)
    return digits is not None and last <= 1 << digits[0]


RULES: Rules = {
    **dict.fromkeys((ew.eq, ew.ne, ew.lt, ew.le, ew.gt, ew.ge), (_compare,)),
    **dict.fromkeys((ew.isnan, ew.isinf), (_never,)),
    ew.isfinite: (_always,),
    ew.bit_not: (_not,),
    **dict.fromkeys((ew.bit_and, ew.bit_or, ew.bit_xor), (_bits,)),
    ew.select: (_select,),
    ew.convert_p: (_convert,),
}
