"""Expansion: what loop nests can express by simpler equations is written so, for fusion to take it."""

from __future__ import annotations

import numpy as np

from ...core.avals import Aval
from ...core.program import Equation, Program
from ...core.structure import Literal
from ...primitives import elementwise as ew
from ...primitives.reductions import argmax, argmin, reduce_max, reduce_min, reduce_sum
from ...primitives.shape import iota_p
from ..rewriting import Atom, Rewriter, like, rewrite

_INDEX = np.dtype("int64")


def expansion(program: Program) -> Program:
    """The Program with argmax and argmin as reductions, and sums of complex numbers as sums of their parts."""
    return rewrite(program, _RULES, expansion)


def _first_extreme(at: Rewriter, eqn: Equation) -> Equation | Atom | None:
    """The least index at which the extreme stands; NaN is more extreme than any number, as in NumPy."""
    x, axis = eqn.inputs[0], eqn.params["axis"]
    if x.aval.size == 0 or x.aval.dtype.kind not in "biufV":
        return None
    reduce = reduce_max if eqn.primitive is argmax else reduce_min
    emit = lambda prim, *xs, **params: at.emit(prim, xs, params, eqn.source)
    kept = tuple(1 if i == axis else d for i, d in enumerate(x.aval.shape))
    extreme = at.reshape(emit(reduce, x, axes=(axis,)), kept, eqn.source)
    hit = emit(ew.eq, x, extreme)
    if x.aval.dtype.kind in "fV":
        hit = emit(ew.bit_or, hit, emit(ew.isnan, x))
    index = emit(iota_p, shape=x.aval.shape, axis=axis, dtype=_INDEX)
    beyond = Literal(np.int64(x.aval.shape[axis]), Aval((), _INDEX))
    found = emit(reduce_min, emit(ew.select, hit, index, beyond), axes=(axis,))
    return (
        like(eqn, ew.convert_p, (found,), {"dtype": eqn.params["dtype"]})
        if eqn.params["dtype"] != _INDEX
        else found
    )


def _sum_of_parts(at: Rewriter, eqn: Equation) -> Equation | None:
    (x,) = eqn.inputs
    if x.aval.dtype.kind != "c" or x.aval.size == 0:
        return None
    total = lambda part: at.emit(reduce_sum, (at.emit(part, (x,), {}, eqn.source),), eqn.params, eqn.source)
    return like(eqn, ew.make_complex, (total(ew.real), total(ew.imag)))


_RULES = {argmax: [_first_extreme], argmin: [_first_extreme], reduce_sum: [_sum_of_parts]}
