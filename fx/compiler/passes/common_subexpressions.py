"""Common subexpressions: what was computed from the same operands by the same primitive is computed once.

Operands of commutative primitives are put in one order first, `a > b` counts as `b < a`, and the letters of a
contraction do not matter. Literals are told apart by their bits, so 0.0 and -0.0 differ. Never merged: what has
an effect, what calls back into Python, and barriers; the results of a barrier are new variables, so nothing
computed from them meets what was computed before it. Equations without operands (`full`, `iota`) are shared
only between two barriers, so that what grows from them is not kept for a recomputed region either.

Maximum and minimum are not commutative here: which zero they give for (0.0, -0.0) may depend on the order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ...core.primitive import Primitive
from ...core.program import Equation, Program, Var, effectful, uncollected
from ...core.structure import Literal
from ...primitives import elementwise as ew
from ...primitives.contraction import contract_p, parse
from ...primitives.loop import loop_p
from ...primitives.loop_layout import Layout
from ...primitives.markers import barrier_p, effect_callback_p, pure_callback_p
from ...primitives.shape import full_p
from ..rewriting import Rewriter, inside

_COMMUTATIVE = frozenset([ew.add, ew.mul, ew.eq, ew.ne, ew.bit_and, ew.bit_or, ew.bit_xor])
_MIRRORED: dict[Primitive, Primitive] = {ew.gt: ew.lt, ew.ge: ew.le}
_NEVER = frozenset([barrier_p, pure_callback_p, effect_callback_p])


def common_subexpressions(program: Program) -> Program:
    """The Program with equal equations merged into the first of them."""
    return uncollected(lambda: _merge(program))


def _merge(program: Program) -> Program:
    at = Rewriter(program)
    known: dict[Any, Equation] = {}
    numbers: dict[Any, int] = {}
    barriers = 0
    for eqn in program.equations:
        read = at.read(eqn)
        prim = read.primitive
        if prim.calls:
            read = _shared_stacks(at, inside(read, common_subexpressions))
        if prim in _NEVER or effectful(prim, read.params):
            barriers += prim is barrier_p
            found = read
        else:
            found = known.setdefault(_key(read, numbers, barriers), read)
        if found is read:
            at.changed |= read is not eqn
            at.append(read)
            continue
        at.changed = True
        for v, w in zip(read.outputs, found.outputs, strict=True):
            at.replace(v, w)
    return at.finish()


def _key(eqn: Equation, numbers: dict[Any, int], barriers: int) -> Any:
    prim, inputs, params = eqn.primitive, eqn.inputs, eqn.params
    if prim in _COMMUTATIVE:
        a, b = inputs
        if numbers.setdefault(a, len(numbers)) > numbers.setdefault(b, len(numbers)):
            inputs = (b, a)
    elif prim in _MIRRORED:
        prim, inputs = _MIRRORED[prim], inputs[::-1]
    if not params:
        where = 0 if any([type(v) is Var for v in inputs]) else barriers
        return prim, inputs, where
    if prim is contract_p:
        return prim, inputs, _canonical(params["spec"])
    if prim is full_p:
        aval = eqn.outputs[0].aval
        return prim, Literal(aval.dtype.type(params["value"]), aval.update(shape=())), aval, barriers
    return prim, inputs, tuple(params.items()), 0 if inputs else barriers


@lru_cache(4096)
def _canonical(spec: str) -> str:
    """The spec with letters in the order in which they occur."""
    order: dict[str, str] = {}
    letters = [order.setdefault(c, chr(97 + len(order))) if c.isalpha() else c for c in ",".join(parse(spec))]
    return "".join(letters)


def _shared_stacks(at: Rewriter, eqn: Equation) -> Equation:
    """A loop that stacks one value twice stacks it once."""
    if eqn.primitive is not loop_p:
        return eqn
    layout = Layout(eqn.inputs, **eqn.params)
    nk, extra = len(layout.carry), int(layout.cond is not None)
    first: dict[Any, int] = {}
    keep = [True] * nk
    for i, v in enumerate(layout.body.outputs[nk:], nk):
        keep.append(first.setdefault(v, i) == i)
    if all(keep):
        return eqn
    body = layout.body
    outs = eqn.outputs[extra:]
    for i, v in enumerate(body.outputs):
        if not keep[i]:
            at.replace(outs[i], outs[first[v]])
    fewer = tuple(keep)
    shorter = body.once(("distinct", fewer), lambda: _outputs(body, fewer))
    kept = tuple([v for v, k in zip(outs, keep, strict=True) if k])
    return Equation(
        eqn.primitive, eqn.inputs, layout.params(body=shorter), (*eqn.outputs[:extra], *kept), eqn.source
    )


def _outputs(body: Program, keep: tuple[bool, ...]) -> Program:
    outs = [v for v, k in zip(body.outputs, keep, strict=True) if k]
    return Program(body.inputs, body.consts, body.equations, outs, body.name)
