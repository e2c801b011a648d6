"""Loop invariants: what a trip computes from the constants of the loop alone is computed once, before the loop.

The result must not be larger than what it is made of, so that a trip does not read more than before, unless it
is a contraction. Rearrangements and constants cost nothing inside and stay there, but for those that the loop would
stack once a trip; barriers and callbacks stay because they must.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...core.avals import DYNAMIC
from ...core.program import Equation, Program, Var
from ...core.structure import Literal
from ...primitives.contraction import contract_p
from ...primitives.loop import loop_p
from ...primitives.loop_layout import Layout
from ...primitives.markers import barrier_p, effect_callback_p, pure_callback_p
from ...primitives.shape import broadcast_p, full_p, iota_p, reshape_p, reverse, slice_p, transpose_p
from ..rewriting import Atom, Rewriter, Rules, avals_of

_NEVER = frozenset([barrier_p, pure_callback_p, effect_callback_p])
_FREE = frozenset([reshape_p, transpose_p, broadcast_p, slice_p, reverse, full_p, iota_p])


class _Split(NamedTuple):
    """A body in two parts: equations for before the loop, the rest over what they give (variables of the body)."""

    before: tuple[Equation, ...]
    results: tuple[Any, ...]
    body: Program


def _hoist(at: Rewriter, eqn: Equation) -> Equation | None:
    layout = Layout(eqn.inputs, **eqn.params)
    nc, nk = len(layout.consts), len(layout.carry)
    body = layout.body
    split: _Split = body.once(("invariants", nc, nk), lambda: _split(body, nc, nk))
    if not split.results:
        return None
    names: dict[Any, Atom] = dict(zip(body.inputs, layout.consts, strict=False))
    for e in split.before:
        inputs = tuple([names.get(v, v) for v in e.inputs])
        outs = tuple([Var(a) for a in avals_of(e.primitive, inputs, e.params)])
        at.append(Equation(e.primitive, inputs, e.params, outs, e.source))
        names.update(zip(e.outputs, outs, strict=True))
    a, b, c = layout.sizes
    consts = [*layout.consts, *[names[v] for v in split.results]]
    params = layout.params(body=split.body, sizes=(a, b + len(split.results), c))
    inputs = (*layout.head, *layout.cond_consts, *consts, *layout.carry, *layout.xs)
    return Equation(eqn.primitive, inputs, params, eqn.outputs, eqn.source)


def _split(body: Program, nc: int, nk: int) -> _Split:
    known = _known(body, nc)
    moved = {v for e in body.equations if _pays(e, known) for v in e.outputs}
    moved |= {v for v in body.outputs[nk:] if known.get(v) and v not in body.inputs}
    inside = [e for e in body.equations if moved.isdisjoint(e.outputs)]
    read = {v for e in inside for v in e.inputs} | set(body.outputs)
    results = tuple([v for e in body.equations for v in e.outputs if v in moved and v in read])
    inputs = (*body.inputs[:nc], *results, *body.inputs[nc:])
    return _Split(_needed(body, moved), results, Program(inputs, (), inside, body.outputs, body.name))


def _known(body: Program, nc: int) -> dict[Any, bool]:
    """What can be computed before the loop; true where a constant of the loop has a part in it."""
    known: dict[Any, bool] = dict.fromkeys(body.inputs[:nc], True)
    for e in body.equations:
        prim = e.primitive
        if prim.calls or prim.effect or prim in _NEVER:
            continue
        if all([type(v) is Literal or v in known for v in e.inputs]):
            part = any([known.get(v, False) for v in e.inputs])
            known.update(dict.fromkeys(e.outputs, part))
    return known


def _pays(e: Equation, known: dict[Any, bool]) -> bool:
    if e.primitive in _FREE or not known.get(e.outputs[0], False):
        return False
    avals = [v.aval for v in (*e.inputs, *e.outputs)]
    if any([DYNAMIC in a.shape for a in avals]):
        return False
    largest = max([v.aval.nbytes for v in e.inputs])
    return e.primitive is contract_p or sum([v.aval.nbytes for v in e.outputs]) <= largest


def _needed(body: Program, moved: set[Any]) -> tuple[Equation, ...]:
    """The equations that these variables need, in order."""
    wanted = set(moved)
    found = []
    for e in reversed(body.equations):
        if not wanted.isdisjoint(e.outputs):
            found.append(e)
            wanted.update(e.inputs)
    return tuple(found[::-1])


RULES: Rules = {loop_p: (_hoist,)}
