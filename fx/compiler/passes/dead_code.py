"""Dead code: equations whose results nobody reads, unless they have an effect.

Inside a loop a carry is alive if its last value is read, or if the predicate, an effect, a stack that is read or
another live carry depends on it: a closure over the body, walked from its results to its inputs. What is not
alive goes, with its initial value; so do constants and stacks that the body does not read any more. A `cond`
loses results that nobody reads in every branch, and operands that no branch reads.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ...core.program import Equation, Program, Var, effectful, prune, uncollected, used_inputs
from ...core.transforms.forward import pick
from ...primitives.cond import cond_p
from ...primitives.loop import loop_p
from ...primitives.loop_layout import Layout
from ..rewriting import inside


def dead_code(program: Program) -> Program:
    """The Program without what has no bearing on its outputs and effects."""
    return uncollected(lambda: _dead_code(program))


def _dead_code(program: Program) -> Program:
    needed: set[Any] = set(program.outputs)
    live = []
    changed = False
    for eqn in reversed(program.equations):
        outs = eqn.outputs
        wanted = outs[0] in needed if len(outs) == 1 else not needed.isdisjoint(outs)
        if not wanted and not effectful(eqn.primitive, eqn.params):
            changed = True
            continue
        if eqn.primitive.calls:
            trimmed = _trim(eqn, [v in needed for v in outs])
            changed |= trimmed is not eqn
            eqn = trimmed
        live.append(eqn)
        needed.update(eqn.inputs)
    if not changed:
        return program
    return Program(program.inputs, program.consts, live[::-1], program.outputs, program.name)


def _trim(eqn: Equation, wanted: Sequence[bool]) -> Equation:
    if eqn.primitive is loop_p:
        eqn = _trim_loop(eqn, wanted)
    elif eqn.primitive is cond_p:
        eqn = _trim_cond(eqn, tuple(wanted))
    return inside(eqn, dead_code)


# Loops


def _trim_loop(eqn: Equation, wanted: Sequence[bool]) -> Equation:
    at = Layout(eqn.inputs, **eqn.params)
    body, nc, nk = at.body, len(at.consts), len(at.carry)
    extra = int(at.cond is not None)
    tests = used_inputs(at.cond) if at.cond is not None else [False] * nk
    n_tests = len(tests) - nk
    outs = [w or t for w, t in zip(wanted[extra : extra + nk], tests[n_tests:], strict=True)]
    outs += wanted[extra + nk :]
    key = ("live", nc, nk, tuple(outs))
    ins, keep = body.once(key, lambda: _live(body, nc, nk, outs))
    if all(ins) and all(keep) and all(tests[:n_tests]):
        return eqn
    carries = ins[nc : nc + nk]
    trimmed = body.once(("trimmed", ins, keep), lambda: _cut(body, ins, keep))
    cond = None
    if at.cond is not None:
        of_cond = (*tests[:n_tests], *carries)
        cond = at.cond.once(("trimmed", of_cond), functools.partial(_cut, at.cond, of_cond, (True,)))
    cond_consts = pick(tests[:n_tests], at.cond_consts)
    operands = pick(ins, [*at.consts, *at.carry, *at.xs])
    sizes = (len(cond_consts), sum(ins[:nc]), sum(carries))
    return Equation(
        eqn.primitive,
        (*at.head, *cond_consts, *operands),
        at.params(body=trimmed, cond=cond, sizes=sizes),
        tuple(pick((*[True] * extra, *keep), eqn.outputs)),
        eqn.source,
    )


def _live(body: Program, nc: int, nk: int, outs: Sequence[bool]) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Which inputs and outputs of a loop's body matter if these outputs do: linear, each equation visited once."""
    maker = {v: eqn for eqn in body.equations for v in eqn.outputs}
    carry = {v: i for i, v in enumerate(body.inputs[nc : nc + nk])}
    seen: set[Any] = set()
    pending: list[Any] = pick(outs, body.outputs)
    for eqn in body.equations:
        if effectful(eqn.primitive, eqn.params):
            pending += eqn.inputs
    while pending:
        v = pending.pop()
        if type(v) is not Var or v in seen:
            continue
        seen.add(v)
        if v in carry:
            pending.append(body.outputs[carry[v]])
        elif v in maker:
            eqn = maker[v]
            seen.update(eqn.outputs)
            pending += eqn.inputs
    ins = [v in seen for v in body.inputs]
    for i in range(nk):
        ins[nc + i] |= outs[i]
    keep = (*ins[nc : nc + nk], *outs[nk:])
    return tuple(ins), keep


def _cut(program: Program, ins: Sequence[bool], keep: Sequence[bool]) -> Program:
    """The Program with these inputs and outputs only."""
    pruned = prune(program, keep)
    return Program(pick(ins, program.inputs), program.consts, pruned.equations, pruned.outputs, program.name)


# Conditionals


def _trim_cond(eqn: Equation, wanted: tuple[bool, ...]) -> Equation:
    branches = eqn.params["branches"]
    if not all(wanted):
        branches = tuple([b.once(("prune", wanted), functools.partial(prune, b, wanted)) for b in branches])
    used = tuple(map(any, zip(*[used_inputs(b) for b in branches], strict=True)))
    if all(wanted) and all(used):
        return eqn
    full = (True,) * sum(wanted)
    branches = tuple([b.once(("trimmed", used), functools.partial(_cut, b, used, full)) for b in branches])
    operands = (eqn.inputs[0], *pick(used, eqn.inputs[1:]))
    return Equation(
        eqn.primitive, operands, {"branches": branches}, tuple(pick(wanted, eqn.outputs)), eqn.source
    )
