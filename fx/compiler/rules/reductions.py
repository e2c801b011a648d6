"""Reductions of what is known: axes of size 1, constants, repeated values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.program import Equation
from ...core.structure import Literal
from ...primitives import elementwise as ew
from ...primitives.reductions import (
    argmax,
    argmin,
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from ...primitives.shape import broadcast_p, reshape_p
from ..rewriting import Atom, Rewriter, Rules, like
from .constants import constant, everywhere

Found = Equation | Atom | None

_IDEMPOTENT = frozenset([reduce_max, reduce_min, reduce_any, reduce_all])


def _units(at: Rewriter, eqn: Equation) -> Found:
    """Over axes of size 1 there is nothing to reduce; others are reduced without them."""
    (x,), axes = eqn.inputs, eqn.params["axes"]
    longer = tuple([a for a in axes if x.aval.shape[a] != 1])
    if len(longer) == len(axes):
        return x if not axes else None
    if not longer:
        return like(eqn, reshape_p, (x,), {"shape": eqn.outputs[0].aval.shape})
    shape = tuple([d for i, d in enumerate(x.aval.shape) if i not in axes or i in longer])
    place = [a - sum([b < a and b not in longer for b in axes]) for a in longer]
    flat = at.reshape(x, shape, eqn.source)
    return like(eqn, eqn.primitive, (flat,), {"axes": tuple(place)})


def _of_constant(at: Rewriter, eqn: Equation) -> Found:
    """Sums of one number where every partial sum is exact; extrema and truth of one number."""
    number = constant(at, eqn.inputs[0])
    if number is None:
        return None
    count = math.prod([eqn.inputs[0].aval.shape[a] for a in eqn.params["axes"]])
    if eqn.primitive in _IDEMPOTENT:
        return everywhere(number.value, eqn) if count > 0 else None
    total = _exact_sum(number, count) if eqn.primitive is reduce_sum else None
    return None if total is None else everywhere(total, eqn)


_EXACT = {"float32": 1 << 24, "float64": 1 << 53, "float16": 1 << 11, "bfloat16": 1 << 8}


def _exact_sum(number: Literal, count: int) -> Any:
    """count * number if the sums in any order are whole numbers that the dtype holds; integers wrap."""
    value, dtype = number.value, number.dtype
    if dtype.kind in "iu":
        bits = 8 * dtype.itemsize
        total = int(value) * count % (1 << bits)
        return total - (1 << bits) if dtype.kind == "i" and total >> (bits - 1) else total
    if dtype.name not in _EXACT or not math.isfinite(float(value)) or float(value) != int(float(value)):
        return None
    if value == 0 and np.signbit(np.float64(value)):
        return None
    total = int(float(value)) * count
    return total if abs(total) <= _EXACT[dtype.name] else None


def _of_repeated(at: Rewriter, eqn: Equation) -> Found:
    """Over repeated axes: once for extrema and truth; integers are multiplied. Sums of floats would round otherwise."""
    made = at.maker(eqn.inputs[0], broadcast_p)
    if made is None or type(made.inputs[0]) is Literal:
        return None
    if eqn.primitive in _IDEMPOTENT:
        return _once(at, eqn, made)
    if eqn.primitive is reduce_sum and eqn.outputs[0].aval.dtype.kind in "iu":
        return _multiplied(at, eqn, made)
    return None


def _repeated_axes(eqn: Equation, made: Equation) -> list[int]:
    """The reduced axes along which the operand repeats itself."""
    (x,), shape, axes = made.inputs, made.params["shape"], made.params["axes"]
    own = {a for a, d in zip(axes, x.aval.shape, strict=True) if d == shape[a]}
    return [a for a in eqn.params["axes"] if a not in own and shape[a] != 0]


def _once(at: Rewriter, eqn: Equation, made: Equation) -> Found:
    gone = _repeated_axes(eqn, made)
    if not gone or 0 in made.params["shape"]:
        return None
    x, axes = _without(at, eqn, made, gone)
    return like(eqn, eqn.primitive, (x,), {"axes": axes}) if axes else x


def _multiplied(at: Rewriter, eqn: Equation, made: Equation) -> Found:
    gone = _repeated_axes(eqn, made)
    if not gone:
        return None
    count = math.prod([made.params["shape"][a] for a in gone])
    x, axes = _without(at, eqn, made, gone)
    total = at.emit(reduce_sum, (x,), {"axes": axes}, eqn.source) if axes else x
    aval = total.aval.update(shape=())
    return like(eqn, ew.mul, (total, Literal(np.asarray(count).astype(aval.dtype)[()], aval)))


def _without(at: Rewriter, eqn: Equation, made: Equation, gone: list[int]) -> tuple[Atom, tuple[int, ...]]:
    """What was broadcast without the axes that are gone, and the axes that are left to reduce."""
    (x,), wide, axes = made.inputs, made.params["shape"], made.params["axes"]
    kept = [a for a in range(len(wide)) if a not in gone]
    x = at.reshape(
        x, tuple([d for a, d in zip(axes, x.aval.shape, strict=True) if a not in gone]), made.source
    )
    shape = tuple([wide[a] for a in kept])
    if x.aval.shape != shape:
        places = tuple([kept.index(a) for a in axes if a not in gone])
        x = at.emit(broadcast_p, (x,), {"shape": shape, "axes": places}, made.source)
    return x, tuple([kept.index(a) for a in eqn.params["axes"] if a not in gone])


def _nested(at: Rewriter, eqn: Equation) -> Found:
    """A reduction of the same reduction, where order does not matter: extrema, truth, integers."""
    made = at.maker(eqn.inputs[0], eqn.primitive)
    exact = eqn.primitive in _IDEMPOTENT or eqn.outputs[0].aval.dtype.kind in "iu"
    if made is None or not exact:
        return None
    (x,), first = made.inputs, made.params["axes"]
    left = [i for i in range(x.aval.ndim) if i not in first]
    axes = tuple(sorted([*first, *[left[a] for a in eqn.params["axes"]]]))
    return like(eqn, eqn.primitive, (x,), {"axes": axes})


def _arg(at: Rewriter, eqn: Equation) -> Found:
    return everywhere(0, eqn) if eqn.inputs[0].aval.shape[eqn.params["axis"]] == 1 else None


RULES: Rules = {
    **dict.fromkeys(
        (reduce_sum, reduce_prod, reduce_max, reduce_min, reduce_any, reduce_all),
        (_units, _of_constant, _of_repeated, _nested),
    ),
    **dict.fromkeys((argmax, argmin), (_arg,)),
}
