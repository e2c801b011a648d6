"""Constants: operands that are one number everywhere, and what is computed from numbers alone."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ...core.avals import Aval
from ...core.errstate import quiet
from ...core.primitive import Primitive
from ...core.program import Equation
from ...core.structure import Literal
from ...primitives import elementwise as ew
from ...primitives.families import Elementwise
from ...primitives.shape import broadcast_p, full_p
from ..rewriting import Atom, Rewriter, Rule, Rules, avals_of, like, literal


def constant(at: Rewriter, atom: Any) -> Literal | None:
    """The number that all elements of an atom are, if that is known."""
    if type(atom) is Literal:
        return atom
    eqn = at.made.get(atom)
    if eqn is None:
        return None
    if eqn.primitive is full_p:
        aval = eqn.outputs[0].aval
        return Literal(aval.dtype.type(eqn.params["value"]), Aval((), aval.dtype))
    if eqn.primitive is broadcast_p and type(eqn.inputs[0]) is Literal:
        return eqn.inputs[0]
    return None


def everywhere(value: Any, eqn: Equation) -> Equation | Atom | None:
    """The result of an equation as one number everywhere."""
    aval = eqn.outputs[0].aval
    return like(eqn, *filled(value, aval)) if aval.shape else literal(value, aval)


def filled(value: Any, aval: Aval) -> tuple[Primitive, tuple[Atom, ...], dict[str, Any]]:
    """Primitive, operands and params of an array of one number: `full`, or a literal broadcast.

    Params are compared by value, literals by their bits: so -0.0 and NaN must be literals.
    """
    number = literal(value, aval.update(shape=()))
    value = number.value
    if aval.weak or value != value or (value == 0 and any(np.asarray(value).tobytes())):
        return broadcast_p, (number,), {"shape": aval.shape, "axes": ()}
    return full_p, (), {"value": value, "shape": aval.shape, "dtype": aval.dtype}


def fold(at: Rewriter, eqn: Equation) -> Equation | Atom | None:
    """An elementwise equation with operands that are one number everywhere.

    All are: so is the result, computed by the primitive itself. Some are: they become literals; where only they
    had the shape of the result, the operation is done in the shape of the others, and its result repeated.
    """
    operands: list[Atom] | None = None
    variable = False
    for i, v in enumerate(eqn.inputs):
        if type(v) is Literal:
            continue
        number = constant(at, v)
        if number is None:
            variable = True
        else:
            operands = operands or list(eqn.inputs)
            operands[i] = number
    if operands is None and variable:
        return None
    inputs = eqn.inputs if operands is None else tuple(operands)
    return _with_literals(at, eqn, inputs) if variable else everywhere(_value(eqn, inputs), eqn)


def _value(eqn: Equation, numbers: Any) -> Any:
    with quiet():
        return np.asarray(eqn.primitive.impl(np, *[v.value for v in numbers], **eqn.params))[()]


def _with_literals(at: Rewriter, eqn: Equation, inputs: tuple[Atom, ...]) -> Equation | None:
    out = eqn.outputs[0].aval
    (aval,) = avals_of(eqn.primitive, inputs, eqn.params)
    if aval.shape == out.shape:
        return like(eqn, eqn.primitive, inputs, eqn.params)
    small = at.emit(eqn.primitive, inputs, eqn.params, eqn.source)
    return repeated(eqn, small)


def repeated(eqn: Equation, x: Atom) -> Equation | None:
    """The result of an equation as x broadcast to its shape, axes aligned from the right."""
    shape = eqn.outputs[0].aval.shape
    axes = tuple(range(len(shape) - x.aval.ndim, len(shape)))
    return like(eqn, broadcast_p, (x,), {"shape": shape, "axes": axes})


def of_constant(at: Rewriter, eqn: Equation) -> Equation | Atom | None:
    """A rearrangement of one number everywhere is that number everywhere."""
    number = constant(at, eqn.inputs[0])
    found = None if number is None else everywhere(number.value, eqn)
    as_before = isinstance(found, Equation) and found.primitive is eqn.primitive is broadcast_p
    return None if as_before and type(eqn.inputs[0]) is Literal else found


@functools.cache
def elementwise() -> tuple[Primitive, ...]:
    """All elementwise primitives."""
    own = [p for p in vars(ew).values() if isinstance(p, Elementwise)]
    return (*own, ew.integer_pow, ew.select, ew.convert_p)


def table(*rules: Rules) -> Rules:
    """All rules, with `fold` before those of every elementwise primitive."""
    known: dict[Primitive, tuple[Rule, ...]] = {}
    for part in rules:
        for p, own in part.items():
            known[p] = (*known.get(p, ()), *own)
    return {**known, **{p: (fold, *known.get(p, ())) for p in elementwise()}}
