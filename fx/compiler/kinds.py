"""Which role each primitive plays for fusion. The one place of the compiler that sorts primitives."""

from __future__ import annotations

from typing import Any

from ..core.avals import DYNAMIC
from ..core.program import Equation
from ..primitives import elementwise, markers, reductions, shape
from ..primitives.families import Elementwise

POINTWISE, VIEW, FREE, REDUCE, PLACE, OTHER = "pointwise", "view", "free", "reduce", "place", "other"

_VIEWS = {
    shape.reshape_p: "reshape",
    shape.transpose_p: "transpose",
    shape.broadcast_p: "broadcast",
    shape.slice_p: "slice",
    shape.reverse: "reverse",
    markers.stop_gradient_p: "same",
    markers.name_p: "same",
}
_FREE = {shape.full_p, shape.iota_p}
_REDUCTIONS = {
    reductions.reduce_sum, reductions.reduce_prod, reductions.reduce_max, reductions.reduce_min,
    reductions.reduce_any, reductions.reduce_all,
}  # fmt: skip
_POINTWISE = {elementwise.select, elementwise.convert_p, elementwise.integer_pow, elementwise.bitcast}
_PLACES = {shape.pad_p, shape.concatenate_p}


def kind_of(eqn: Equation) -> str:
    """The role of an equation, by its primitive alone."""
    prim = eqn.primitive
    if isinstance(prim, Elementwise) or prim in _POINTWISE:
        return POINTWISE
    if prim in _VIEWS:
        return VIEW
    if prim in _REDUCTIONS:
        return REDUCE
    if prim in _FREE:
        return FREE
    return PLACE if prim in _PLACES else OTHER


def view_kind(eqn: Equation) -> str:
    """reshape, transpose, broadcast, slice, reverse or same."""
    return _VIEWS[eqn.primitive]


def is_static(eqn: Equation) -> bool:
    """Whether all shapes of an equation are known before the run."""
    return not any(DYNAMIC in v.aval.shape for v in (*eqn.inputs, *eqn.outputs))


def cost_of(eqn: Equation) -> int:
    """Operations per element, roughly: what recomputing a value costs."""
    flops: Any = getattr(eqn.primitive, "flops", 1)
    return int(flops)
