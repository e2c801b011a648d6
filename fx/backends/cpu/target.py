"""What fusion asks of this backend: which equations have a native form, and which read views."""

from __future__ import annotations

import functools
from typing import Any

from ...compiler.kinds import OTHER, POINTWISE, REDUCE, is_static, kind_of
from ...core.program import Equation
from . import pointwise
from .operations import OPERATIONS
from .operations.operation import Operation


class HostTarget:
    """The CPU."""

    def kind_of(self, eqn: Equation) -> str:
        """The role of an equation; `other` for what loop nests do not express here."""
        kind = kind_of(eqn)
        if kind == OTHER or not is_static(eqn):
            return OTHER
        if not all(pointwise.is_known(v.aval.dtype) for v in (*eqn.inputs, *eqn.outputs)):
            return OTHER
        if kind == POINTWISE and not pointwise.supports(eqn):
            return OTHER
        if kind == REDUCE and eqn.inputs[0].aval.dtype.kind == "c":
            return OTHER
        if kind == REDUCE and 0 in eqn.inputs[0].aval.shape:
            return OTHER
        return kind

    def takes_views(self, eqn: Equation) -> bool:
        operation = operation_for(eqn)
        return operation is not None and operation.strided

    def writes(self, eqn: Equation, strides: tuple[int, ...]) -> bool:
        operation = operation_for(eqn)
        return operation is not None and operation.writes([v.aval for v in eqn.inputs], eqn.params, strides)


def operation_for(eqn: Equation) -> Operation | None:
    """The native operation of an equation, if it has one for these operands."""
    found = OPERATIONS.get(eqn.primitive.name)
    if found is None or not is_static(eqn):
        return None
    avals = tuple(v.aval for v in eqn.inputs)
    return found if _accepts(found, avals, tuple(eqn.params.items())) else None


@functools.lru_cache(16384)
def _accepts(operation: Operation, avals: tuple[Any, ...], params: tuple[Any, ...]) -> bool:
    if any(not pointwise.is_known(a.dtype) and a.dtype.kind != "c" for a in avals):
        return False
    return operation.accepts(avals, dict(params))
