"""Reverse mode: linearize (one forward walk) and transpose (one backward walk).

linearize : (a -> b) -> a -> (b, T a -o T b)
transpose : (T a -o T b) -> (CT b -o CT a)
vjp       : (a -> b) -> a -> (b, CT b -o CT a)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import given
from ..avals import Aval
from ..primitive import Unknown, Zero
from ..program import Program, closed_program
from ..structure import Literal
from ..trace import LinearSplit, RewriteTrace, Trace, recording
from .forward import fill, is_zero, pick, push, rewrite


class Linearized(NamedTuple):
    """A Program split in two.

    forward: inputs -> outputs + residuals; linear: (active tangents, residuals) -> active output tangents.
    """

    forward: Program
    linear: Program
    out_active: tuple[bool, ...]

    @property
    def num_residuals(self) -> int:
        return len(self.forward.outputs) - len(self.out_active)


def linearize_program(
    program: Program, active: tuple[bool, ...], want: tuple[bool, ...] | None = None
) -> Linearized:
    """Split a Program into its primal part, which gives residuals, and its linear part, which uses them."""
    return program.once(("linearize", active, want), lambda: _linearize(program, active, want))


def _linearize(program: Program, active: Any, want: Any) -> Linearized:
    found: list[Any] = []

    def body(trace: Trace, *primals: Any) -> list[Any]:
        outs, linear, residuals, out_active = linearize_in(trace, program, primals, active, want)
        found.extend((linear, out_active))
        return [*outs, *residuals]

    forward = rewrite("linearize", program.in_avals, body, f"forward_{program.name}")
    return Linearized(forward, *found)


def linearize_in(
    trace: Trace, program: Program, primals: Sequence[Any], active: Sequence[bool], want: Any = None
) -> tuple[list[Any], Program, list[Any], tuple[bool, ...]]:
    """The walk: primal equations go to `trace`, linear ones to a linear trace.

    Returns outputs, the linear Program, its residuals (values of `trace`) and which outputs are active.
    """
    avals = [a.strong for a, on in zip(program.in_avals, active, strict=True) if on]
    linear = RewriteTrace("linear", avals, parent=trace)
    split = LinearSplit(trace, linear)
    with linear, recording(split):
        tangents = fill(active, program.in_avals, linear.inputs())
        outs, dots = push(program, primals, tangents, split, "linearize")
        if want is not None:
            dots = [given.instantiate(d) if w else d for d, w in zip(dots, want, strict=True)]
        live = [d for d in dots if not is_zero(d)]
        linear_program, residuals = closed_program(linear, live, f"linear_{program.name}")
    return outs, linear_program, residuals, tuple(not is_zero(d) for d in dots)


def transpose_in(
    program: Program, linear: Sequence[bool], operands: Sequence[Any], cts: Sequence[Any], trace: Any
) -> list[Any]:
    """Cotangents of the linear inputs, recorded in the current trace.

    `operands` are the values of the other inputs, in order; equations that depend on no linear input run first.
    """
    value: dict[Any, Any] = dict(zip(pick([not on for on in linear], program.inputs), operands, strict=True))
    ct: dict[Any, Any] = {}

    pending = []
    for eqn in program.equations:
        known = [type(v) is Literal or v in value for v in eqn.inputs]
        ins = [
            (v if type(v) is Literal else value[v]) if have else Unknown(v.aval)
            for v, have in zip(eqn.inputs, known, strict=True)
        ]
        if False in known:
            pending.append((eqn, ins))
            continue
        trace.at(eqn.source)
        out = eqn.primitive(*ins, **eqn.params)
        value.update(zip(eqn.outputs, out if eqn.primitive.multiple else [out], strict=True))

    def give(atom: Any, c: Any) -> None:
        if type(atom) is not Literal and atom not in value and type(c) is not Zero:
            ct[atom] = given.add(ct[atom], c) if atom in ct else c

    for atom, c in zip(program.outputs, cts, strict=True):
        give(atom, c)
    for eqn, ins in reversed(pending):
        prim = eqn.primitive
        out_cts = [ct.pop(v) if v in ct else Zero(v.aval.strong) for v in eqn.outputs]
        if all(map(is_zero, out_cts)):
            continue
        trace.at(eqn.source)
        scalars = [x.value if type(x) is Literal else x for x in ins]
        in_cts = prim.transpose(out_cts if prim.multiple else out_cts[0], *scalars, **eqn.params)
        for atom, x, c in zip(eqn.inputs, ins, in_cts, strict=True):
            if type(x) is Unknown and c is not None:
                give(atom, c)
    trace.at(None)
    return [ct.get(v, Zero(v.aval.strong)) for v in pick(linear, program.inputs)]


def transpose_program(
    program: Program, linear: tuple[bool, ...], ct_active: tuple[bool, ...], want: bool = False
) -> tuple[Program, tuple[bool, ...]]:
    """Program (other inputs, active cotangents) -> cotangents of the linear inputs, and which of them are active."""
    key = ("transpose", linear, ct_active, want)
    return program.once(key, lambda: _transpose_program(program, linear, ct_active, want))


def _transpose_program(
    program: Program, linear: Any, ct_active: Any, want: bool
) -> tuple[Program, tuple[bool, ...]]:
    others = [v.aval for v, on in zip(program.inputs, linear, strict=True) if not on]
    found: list[Any] = []

    def body(trace: Trace, *tracers: Any) -> list[Any]:
        cts = fill(ct_active, program.out_avals, tracers[len(others) :])
        out = transpose_in(program, linear, tracers[: len(others)], cts, trace)
        if want:
            out = [given.instantiate(c) for c in out]
        found.append(tuple(not is_zero(c) for c in out))
        return [c for c in out if not is_zero(c)]

    avals = others + [a.strong for a in pick(ct_active, program.out_avals)]
    return rewrite("transpose", avals, body, f"transpose_{program.name}"), found[0]


def grad_program(program: Program, num_inputs: int, active: tuple[bool, ...]) -> Program:
    """Program inputs -> (outputs, gradients of output 0 by the active among the first `num_inputs`)."""
    return program.once(("grad", num_inputs, active), lambda: _grad_program(program, num_inputs, active))


def _grad_program(program: Program, num_inputs: int, active: Any) -> Program:
    mask = [*active, *[False] * (len(program.inputs) - num_inputs)]

    def body(trace: Trace, *primals: Any) -> list[Any]:
        outs, linear, residuals, out_active = linearize_in(trace, program, primals, mask)
        avals = [a.strong for a in pick(mask, program.in_avals)]
        if not out_active[0]:
            return [*outs, *[given.zeros(a) for a in avals]]
        cts = [one(program.out_avals[0])] + [Zero(a) for a in linear.out_avals[1:]]
        is_tangent = [True] * len(avals) + [False] * len(residuals)
        grads = transpose_in(linear, is_tangent, residuals, cts, trace)
        return [*outs, *map(given.instantiate, grads)]

    return rewrite("grad", program.in_avals, body, f"grad_{program.name}")


def one(aval: Aval) -> Any:
    """The cotangent that starts a gradient."""
    return aval.dtype.type(1)
