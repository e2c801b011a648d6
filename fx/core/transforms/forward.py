"""Forward mode, and the one walk that pushes tangents through a Program.

jvp : (a -> b) -> (a, T a) -> (b, T b)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import given
from ..avals import Aval
from ..config import settings
from ..primitive import Zero
from ..program import Program, check, closed_program
from ..structure import Literal
from ..trace import RewriteTrace, Trace, Tracer, recording


def is_zero(t: Any) -> bool:
    return type(t) is Zero


def push(
    program: Program, primals: Sequence[Any], tangents: Sequence[Any], trace: Any, rule: str
) -> tuple[list[Any], list[Any]]:
    """Walk the Program once; `rule` is the primitive's duty: `push` for forward mode, or `linearize`.

    `trace` is current; equations that the rules make carry the user line of the one they come from.
    """
    value: dict[Any, Any] = dict(zip(program.inputs, primals, strict=True))
    tangent: dict[Any, Any] = dict(zip(program.inputs, tangents, strict=True))
    for eqn in program.equations:
        trace.at(eqn.source)
        prim = eqn.primitive
        ins = [v if type(v) is Literal else value[v] for v in eqn.inputs]
        dots = [Zero(v.aval) if type(v) is Literal else tangent[v] for v in eqn.inputs]
        still = all(map(is_zero, dots))
        out_dots: Any = ()
        if still:
            outs = prim(*ins, **eqn.params)
        else:
            outs, out_dots = getattr(prim, rule)(ins, dots, **eqn.params)
        if not prim.multiple:
            outs, out_dots = [outs], [out_dots]
        value.update(zip(eqn.outputs, outs, strict=True))
        for i, v in enumerate(eqn.outputs):
            tangent[v] = Zero(v.aval.strong) if still or not v.aval.inexact else out_dots[i]
    trace.at(None)
    outs = [v if type(v) is Literal else value[v] for v in program.outputs]
    dots = [Zero(v.aval) if type(v) is Literal else tangent[v] for v in program.outputs]
    return outs, dots


def rewrite(kind: str, avals: Sequence[Aval], body: Callable[..., Sequence[Any]], name: str) -> Program:
    """Record `body(trace, *tracers)` in a trace of its own and return the Program."""
    trace = RewriteTrace(kind, avals)
    with trace, recording(trace):
        outputs = body(trace, *trace.inputs())
        program, consts = closed_program(trace, outputs, name)
    if settings().check_programs:
        check(program)
    if not consts:
        return program
    if any(isinstance(c, Tracer) for c in consts):
        raise AssertionError(f"the {kind} rewrite of {name} captured traced values")
    split = len(program.inputs) - len(consts)  # a custom rule that was traced late closes over arrays
    bound = list(zip(program.inputs[split:], consts, strict=True))
    return Program(program.inputs[:split], bound, program.equations, program.outputs, name)


def jvp_program(
    program: Program, active: tuple[bool, ...], want: tuple[bool, ...] | None = None
) -> tuple[Program, tuple[bool, ...]]:
    """Program (inputs, active tangents) -> (outputs, active output tangents), and which outputs are active.

    `want` marks outputs whose tangent is made even where it vanishes (loop carries).
    """
    return program.once(("jvp", active, want), lambda: _jvp_program(program, active, want))


def _jvp_program(program: Program, active: Any, want: Any) -> tuple[Program, tuple[bool, ...]]:
    n = len(program.inputs)
    found: list[tuple[bool, ...]] = []

    def body(trace: Trace, *tracers: Any) -> list[Any]:
        tangents = fill(active, program.in_avals, tracers[n:])
        outs, dots = push(program, tracers[:n], tangents, trace, "push")
        if want is not None:
            dots = [given.instantiate(d) if w else d for d, w in zip(dots, want, strict=True)]
        found.append(tuple(not is_zero(d) for d in dots))
        return outs + [d for d in dots if not is_zero(d)]

    avals = [*program.in_avals, *[a.strong for a, on in zip(program.in_avals, active, strict=True) if on]]
    return rewrite("jvp", avals, body, f"jvp_{program.name}"), found[0]


def fill(active: Sequence[bool], avals: Sequence[Aval], given_: Sequence[Any]) -> list[Any]:
    """One entry per aval: the next given one where active, else Zero."""
    rest = iter(given_)
    return [next(rest) if on else Zero(a.strong) for on, a in zip(active, avals, strict=True)]


def pick(mask: Sequence[bool], items: Sequence[Any]) -> list[Any]:
    """The marked items."""
    return [x for x, on in zip(items, mask, strict=True) if on]
