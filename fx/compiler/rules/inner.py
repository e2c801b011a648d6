"""Loops and conditionals: what is known outside is known inside.

Operands that are one number everywhere become constants of the inner Program; an operand given twice is taken
once. A stack whose rows are all the same (broadcast along its first axis) is a constant of the loop, and so is a
carry that each trip hands on as it is; the last value of such a carry is the first. A conditional whose branches
all hand on the same operand, or give the same literal, has that result outside.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from typing import Any

from ...core.program import Equation, Program
from ...core.structure import Literal
from ...primitives.cond import cond_p
from ...primitives.elementwise import bit_not, convert_p
from ...primitives.loop import loop_p
from ...primitives.loop_layout import Layout
from ...primitives.shape import broadcast_p, full_p
from ..rewriting import Atom, Rewriter, Rules, fits
from .constants import constant, filled

Found = Equation | Atom | None
KEEP, NUMBER, SAME = "keep", "number", "same"
Fate = tuple[str, Any]
"""What becomes of an input of an inner Program: kept; a number (a Literal); the same as another one (its position)."""


def _known(at: Rewriter, operands: Sequence[Atom], inputs: Sequence[Any], first: int = 0) -> list[Fate]:
    """The fate of inputs as their operands tell; `first` is the position of the first of them."""
    seen: dict[Any, int] = {}
    fates: list[Fate] = []
    for i, (x, v) in enumerate(zip(operands, inputs, strict=True), first):
        number = constant(at, x)
        if number is not None:
            fates.append((NUMBER, number))
            continue
        j = seen.setdefault(x, i)
        same = j != i and inputs[j - first].aval is v.aval
        fates.append((SAME, j) if same else (KEEP, None))
    return fates


def _specialised(program: Program, fates: tuple[Fate, ...], order: tuple[int, ...] | None = None) -> Program:
    """The Program over the inputs that are kept, in an order; made once."""
    order = order or tuple([i for i, (fate, _) in enumerate(fates) if fate is KEEP])
    key: Hashable = ("specialised", fates, order)
    return program.once(key, lambda: _specialise(program, fates, order))


def _specialise(program: Program, fates: tuple[Fate, ...], order: Sequence[int]) -> Program:
    at = Rewriter(program)
    at.changed = True
    for v, (fate, value) in zip(program.inputs, fates, strict=True):
        if fate is SAME:
            at.stands_for[v] = program.inputs[value]
        elif fate is NUMBER:
            at.stands_for[v] = _number(at, v, value)
    for eqn in program.equations:
        at.append(at.read(eqn))
    made = at.finish()
    return Program([program.inputs[i] for i in order], (), made.equations, made.outputs, made.name)


def _number(at: Rewriter, v: Any, number: Literal) -> Atom:
    if not v.aval.shape:
        return Literal(number.value, v.aval)
    return at.emit(*filled(number.value, v.aval))


# Conditionals


def _cond(at: Rewriter, eqn: Equation) -> Found:
    branches, (index, *operands) = eqn.params["branches"], eqn.inputs
    fates = tuple(_known(at, operands, branches[0].inputs))
    if any(
        [v.aval is not w.aval for b in branches for v, w in zip(b.inputs, branches[0].inputs, strict=True)]
    ):
        fates = tuple([f if f[0] is NUMBER else (KEEP, None) for f in fates])
    if any([fate is not KEEP for fate, _ in fates]):
        kept = tuple([x for x, (fate, _) in zip(operands, fates, strict=True) if fate is KEEP])
        inner = tuple([_specialised(b, fates) for b in branches])
        return Equation(eqn.primitive, (index, *kept), {"branches": inner}, eqn.outputs, eqn.source)
    _same_results(at, eqn)
    return _choice(at, eqn)


def _choice(at: Rewriter, eqn: Equation) -> Found:
    """A choice by a boolean made a number, or negated: by the boolean."""
    index, branches = eqn.inputs[0], eqn.params["branches"]
    made = at.maker(index, convert_p)
    if made is not None and made.inputs[0].aval.dtype.kind == "b":
        return Equation(cond_p, (made.inputs[0], *eqn.inputs[1:]), eqn.params, eqn.outputs, eqn.source)
    made = at.maker(index, bit_not)
    if made is None or index.aval.dtype.kind != "b" or len(branches) != 2:
        return None
    params = {"branches": branches[::-1]}
    return Equation(cond_p, (made.inputs[0], *eqn.inputs[1:]), params, eqn.outputs, eqn.source)


def _same_results(at: Rewriter, eqn: Equation) -> None:
    """Results that do not depend on the branch; nobody reads them here afterwards."""
    branches, operands = eqn.params["branches"], eqn.inputs[1:]
    given = [b.once("given", functools.partial(_given, b)) for b in branches]
    for n, out in enumerate(eqn.outputs):
        first = given[0][n]
        if first is None or any([g[n] != first for g in given]):
            continue
        found = operands[first] if type(first) is int else _number(at, out, first)
        if fits(found.aval, out.aval):
            at.replace(out, found)


def _given(program: Program) -> list[int | Literal | None]:
    """For each output the position of the input that it is, or the number that all its elements are."""
    place = {v: i for i, v in enumerate(program.inputs)}
    at = Rewriter(program)
    at.made = {v: e for e in program.equations if e.primitive in (full_p, broadcast_p) for v in e.outputs}
    return [place[v] if v in place else constant(at, v) for v in program.outputs]


# Loops


def _loop(at: Rewriter, eqn: Equation) -> Found:
    layout = Layout(eqn.inputs, **eqn.params)
    body, nc, nk = layout.body, len(layout.consts), len(layout.carry)
    inputs = body.inputs
    fates = [
        *_known(at, layout.consts, inputs[:nc]),
        *[(KEEP, None)] * nk,
        *_known(at, layout.xs, inputs[nc + nk :], nc + nk),
    ]
    rows = {
        i: made
        for i, x in enumerate(layout.xs, nc + nk)
        if fates[i][0] is KEEP and (made := at.maker(x, broadcast_p)) and 0 not in made.params["axes"]
    }
    still = _still(eqn, layout)
    if not rows and not still and all([fate is KEEP for fate, _ in fates]):
        return None
    return _rebuilt(at, eqn, layout, fates, rows, still)


def _still(eqn: Equation, layout: Layout) -> list[int]:
    """Carries that each trip hands on as they are."""
    nc, extra = len(layout.consts), int(layout.cond is not None)
    return [
        i
        for i, x in enumerate(layout.carry)
        if layout.body.outputs[i] is layout.body.inputs[nc + i] and fits(x.aval, eqn.outputs[extra + i].aval)
    ]


def _rebuilt(
    at: Rewriter,
    eqn: Equation,
    layout: Layout,
    fates: list[Fate],
    rows: dict[int, Equation],
    still: list[int],
) -> Equation:
    """The loop whose consts are those kept, rows that are all the same, and carries that stand still."""
    nc, nk, extra = len(layout.consts), len(layout.carry), int(layout.cond is not None)
    operands = [*layout.consts, *layout.carry, *layout.xs]
    kept = [i for i, (fate, _) in enumerate(fates) if fate is KEEP]
    moving = [i for i in range(nk) if i not in still]
    consts = [i for i in kept if i < nc] + list(rows) + [nc + i for i in still]
    xs = [i for i in kept if i >= nc + nk and i not in rows]
    order = (*consts, *[nc + i for i in moving], *xs)
    for i, made in rows.items():
        operands[i] = _row(at, made)
    for i in still:
        at.replace(eqn.outputs[extra + i], layout.carry[i])
    body = _specialised(layout.body, tuple(fates), order)
    cond, cond_consts = layout.cond, list(layout.cond_consts)
    if still:
        places = [*moving, *range(nk, len(body.outputs))]
        body = body.once(("moving", tuple(places)), lambda: _of_outputs(body, places))
        if cond is not None:
            cond = _test_of_moving(cond, still, moving)
            cond_consts += [layout.carry[i] for i in still]
    outs = [v for i, v in enumerate(eqn.outputs) if i - extra not in still]
    sizes = (len(cond_consts), len(consts), len(moving))
    inputs = (*layout.head, *cond_consts, *[operands[i] for i in order])
    return Equation(
        eqn.primitive, inputs, layout.params(body=body, cond=cond, sizes=sizes), tuple(outs), eqn.source
    )


def _row(at: Rewriter, made: Equation) -> Atom:
    """One of the rows of an array that was repeated along its first axis."""
    (x,), shape, axes = made.inputs, made.params["shape"], made.params["axes"]
    params = {"shape": shape[1:], "axes": tuple([a - 1 for a in axes])}
    if x.aval.shape == params["shape"] and params["axes"] == tuple(range(x.aval.ndim)):
        return x
    return at.emit(broadcast_p, (x,), params, made.source)


def _of_outputs(body: Program, places: Sequence[int]) -> Program:
    outputs = [body.outputs[i] for i in places]
    return Program(body.inputs, (), body.equations, outputs, body.name)


def _test_of_moving(cond: Program, still: Sequence[int], moving: Sequence[int]) -> Program:
    """The predicate with the carries that stand still behind its constants."""
    first = len(cond.inputs) - len(still) - len(moving)
    order = (*range(first), *[first + i for i in still], *[first + i for i in moving])
    return _specialised(cond, ((KEEP, None),) * len(cond.inputs), order)


RULES: Rules = {cond_p: (_cond,), loop_p: (_loop,)}
