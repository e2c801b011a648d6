"""Inline: calls become the equations of their Programs.

A `jit`, `checkpoint`, `custom_jvp` or `custom_vjp` equation does, when it is executed, what its Program does; its
rules concern transformations, which are over. `name` and `stop_gradient` are identities. A `cond` whose index is
a literal is one of its branches, a loop of a static length of 0 or 1 is its body at most once.

`recompute` (see core/transforms/checkpoint.py) is a region that exists to be run again, late, so that what it
computes need not be kept since the first time. Its equations are inlined behind an `optimization_barrier` that
takes the operands of the region, cotangents among them, and gives them new names. Two facts then follow from
data flow alone, so that no pass and no scheduler has to know about regions: the recomputed equations have other
operands than the first ones, hence common subexpressions never merges them; and each depends on every operand of
the region, hence none can run before the cotangents are there. A barrier is an identity and takes no time; passes
neither merge, split nor look through it. Scalars and arrays of one constant go around it: they are not worth
keeping back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...core.avals import DYNAMIC
from ...core.program import Equation, Program, Var, uncollected, used_inputs
from ...core.structure import Literal
from ...core.transforms.call import jit_p
from ...core.transforms.checkpoint import checkpoint_p, recompute_p
from ...core.transforms.custom_jvp import custom_jvp_p
from ...core.transforms.custom_vjp import custom_vjp_p
from ...primitives.cond import cond_p
from ...primitives.loop import loop_p
from ...primitives.loop_layout import Layout
from ...primitives.markers import barrier_p, name_p, stop_gradient_p
from ...primitives.shape import broadcast_p, full_p, reshape_p
from ..rewriting import Atom, Rewriter, fits, inside


def inline(program: Program) -> Program:
    """The Program without calls; loops and conditionals whose course is open keep their inner Programs."""
    return uncollected(lambda: _Inliner(program).run())


class _Frame:
    """A Program being copied in: where it is, what its variables are called outside."""

    def __init__(self, program: Program, inputs: Sequence[Atom], call: Equation | None, finish: Any = None):
        self.program, self.call, self.finish = program, call, finish
        self.equations: Iterator[Equation] = iter(program.equations)
        self.names: dict[Any, Atom] = dict(zip(program.inputs, inputs, strict=True))


Expansion = tuple[Program, Sequence[Atom], "Callable[[list[Atom]], list[Atom]] | None"]


class _Inliner(Rewriter):
    def run(self) -> Program:
        """Iteratively, so that the depth of calls is not limited by Python's stack."""
        stack = [_Frame(self.program, self.program.inputs, None)]
        while stack:
            inner = self._advance(stack[-1])
            if inner is not None:
                stack.append(inner)
                continue
            done = stack.pop()
            if stack:
                self._leave(done, stack[-1])
            else:
                self.stands_for = done.names
        return self.finish()

    def _advance(self, frame: _Frame) -> _Frame | None:
        """Copy equations up to the next call; None at the end."""
        names = frame.names
        get = names.get
        for eqn in frame.equations:
            inputs = tuple([get(v, v) for v in eqn.inputs])
            expand = _EXPANSIONS.get(eqn.primitive)
            if expand is None:
                self._copy(frame, eqn, inputs)
            elif expand is _identity:
                self.changed = True
                names[eqn.outputs[0]] = inputs[0]
            else:
                found = expand(self, eqn, inputs)
                if found is not None and _accepts(found[0], found[1]):
                    self.changed = True
                    return _Frame(found[0], found[1], eqn, found[2])
                self._copy(frame, eqn, inputs)
        return None

    def _copy(self, frame: _Frame, eqn: Equation, inputs: tuple[Atom, ...]) -> None:
        if frame.call is None and inputs == eqn.inputs:
            new = eqn
        else:
            self.stands_for = frame.names
            new = self.over(eqn, inputs)
            if frame.call is not None and new.outputs is eqn.outputs:
                outs = tuple([Var(v.aval) for v in eqn.outputs])
                frame.names.update(zip(eqn.outputs, outs, strict=True))
                source = eqn.source or frame.call.source
                new = Equation(eqn.primitive, inputs, eqn.params, outs, source)
        if new.primitive.calls:
            deep = inside(new, inline)
            self.changed |= deep is not new
            new = deep
        self.append(new)

    def _leave(self, done: _Frame, into: _Frame) -> None:
        """The results of a call get the names that its caller gave them."""
        assert done.call is not None
        get = done.names.get
        outs = [get(v, v) for v in done.program.outputs]
        if done.finish is not None:
            outs = done.finish(outs)
        into.names.update(zip(done.call.outputs, outs, strict=True))


def _accepts(program: Program, inputs: Sequence[Atom]) -> bool:
    """Operands may be weak where the Program expects otherwise, not the other way round."""
    return all([fits(x.aval, v.aval) for x, v in zip(inputs, program.inputs, strict=True)])


# What each call expands to


def _identity(at: _Inliner, eqn: Equation, inputs: tuple[Atom, ...]) -> Expansion | None:
    raise AssertionError("identities are not expanded")


def _call(at: _Inliner, eqn: Equation, inputs: tuple[Atom, ...]) -> Expansion | None:
    return eqn.params["program"], inputs, None


def _custom(at: _Inliner, eqn: Equation, inputs: tuple[Atom, ...]) -> Expansion | None:
    return eqn.params["program"], inputs[: sum(eqn.params["sizes"])], None


def _recompute(at: _Inliner, eqn: Equation, inputs: tuple[Atom, ...]) -> Expansion | None:
    program = eqn.params["program"]
    if not _accepts(program, inputs):
        return None
    used = used_inputs(program)
    held = [i for i, x in enumerate(inputs) if used[i] and not _is_constant(at, x)]
    if not held:
        return program, inputs, None
    operands = tuple([inputs[i] for i in held])
    barrier = Equation(barrier_p, operands, {}, tuple([Var(x.aval) for x in operands]), eqn.source)
    renamed = list(inputs)
    for i, v in zip(held, at.append(barrier).outputs, strict=True):
        renamed[i] = v
    return program, renamed, None


def _is_constant(at: _Inliner, x: Atom) -> bool:
    if type(x) is Literal:
        return True
    eqn = at.made.get(x)
    if eqn is None:
        return False
    return eqn.primitive is full_p or (eqn.primitive is broadcast_p and type(eqn.inputs[0]) is Literal)


def _cond(at: _Inliner, eqn: Equation, inputs: tuple[Atom, ...]) -> Expansion | None:
    index, branches = inputs[0], eqn.params["branches"]
    if type(index) is not Literal:
        return None
    return branches[min(max(int(index.value), 0), len(branches) - 1)], inputs[1:], None


def _loop(at: _Inliner, eqn: Equation, inputs: tuple[Atom, ...]) -> Expansion | None:
    layout = Layout(inputs, **eqn.params)
    body, nk = layout.body, len(layout.carry)
    stacked = eqn.outputs[nk:]
    if layout.length not in (0, 1) or any(DYNAMIC in v.aval.shape for v in (*stacked, *layout.xs)):
        return None
    if layout.length == 0:
        return _nothing(at, eqn, layout.carry)
    slices = [_first(at, x, eqn) for x in layout.xs]

    def stack(outs: list[Atom]) -> list[Atom]:
        ys = zip(outs[nk:], stacked, strict=True)
        return [*outs[:nk], *[_reshaped(at, y, v.aval.shape, eqn) for y, v in ys]]

    return body, [*layout.consts, *layout.carry, *slices], stack


def _nothing(at: _Inliner, eqn: Equation, carry: Sequence[Atom]) -> Expansion:
    """No trip: the carry as it is, empty stacks."""
    empty = [
        at.emit(full_p, (), {"value": 0, "shape": v.aval.shape, "dtype": v.aval.dtype}, eqn.source)
        for v in eqn.outputs[len(carry) :]
    ]
    return Program((), (), (), ()), (), lambda _: [*carry, *empty]


def _first(at: _Inliner, x: Atom, eqn: Equation) -> Atom:
    """x[0] of a stack of one."""
    return _reshaped(at, x, x.aval.shape[1:], eqn)


def _reshaped(at: _Inliner, x: Atom, shape: tuple[int, ...], eqn: Equation) -> Atom:
    if type(x) is Literal:
        return at.emit(broadcast_p, (x,), {"shape": shape, "axes": ()}, eqn.source)
    return at.emit(reshape_p, (x,), {"shape": shape}, eqn.source)


_EXPANSIONS: dict[Any, Callable[[_Inliner, Equation, tuple[Atom, ...]], Expansion | None]] = {
    jit_p: _call,
    checkpoint_p: _call,
    recompute_p: _recompute,
    custom_jvp_p: _custom,
    custom_vjp_p: _custom,
    name_p: _identity,
    stop_gradient_p: _identity,
    cond_p: _cond,
    loop_p: _loop,
}
