"""The walk that the passes share: forward over the equations, with a table of what stands for what.

A rule looks at one equation whose operands are rewritten already, and gives None (keep it), another Equation (to
which rules are applied again) or an Atom that stands for its result. What a rule needs in addition it emits
before. Inner Programs are rewritten by the same pass, each once, however many equations share it.

Weakness (whether a value came from Python scalars alone) has no meaning any more for what is computed, but the
shape rules pass it on. So an atom may stand for another one that differs in being weak; equations that read it
get new results, and an output that must not be weak is converted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.avals import Aval
from ..core.primitive import Primitive, params_key, result_avals
from ..core.program import Equation, Program, Var, uncollected
from ..core.structure import Literal
from ..primitives.elementwise import convert_p
from ..primitives.shape import reshape_p

Atom = Var | Literal
Rule = Callable[["Rewriter", Equation], "Equation | Atom | None"]
Rules = Mapping[Primitive, Sequence[Rule]]
Pass = Callable[[Program], Program]

_ROUNDS = 16
"""How often rules apply to one equation; each makes it simpler, so that this is never reached."""


class Rewriter:
    """A Program under rewriting."""

    def __init__(self, program: Program):
        self.program = program
        self.equations: list[Equation] = []
        self.stands_for: dict[Any, Atom] = {}
        self.made: dict[Any, Equation] = {}
        """The equation of the rewritten Program that defines a variable."""
        self.memo: dict[Any, Any] = {}
        """What rules derived before, under keys of their own."""
        self.changed = False
        self._uses: dict[Any, int] | None = None

    def maker(self, atom: Any, primitive: Primitive) -> Equation | None:
        """The equation that defines an atom if it is of this primitive."""
        eqn = self.made.get(atom)
        return eqn if eqn is not None and eqn.primitive is primitive else None

    def uses(self, var: Any) -> int:
        """How often a variable of the Program is read (as an output: twice, so that it is never private)."""
        if self._uses is None:
            self._uses = count_uses(self.program)
        return self._uses.get(var, 2)

    def private(self, var: Any) -> bool:
        """Whether nothing else reads a variable, as far as the Program before the pass tells."""
        return self.uses(var) == 1

    def resolve(self, atoms: Iterable[Any]) -> tuple[Atom, ...]:
        """What stands for these atoms; a result that got another aval may be replaced once more."""
        get = self.stands_for.get
        found = [get(v, v) for v in atoms]
        return tuple([get(v, v) for v in found])

    def emit(
        self, primitive: Primitive, inputs: Sequence[Atom], params: dict[str, Any], source: Any = None
    ) -> Var:
        """Add an equation with one result in front of the one being rewritten."""
        inputs = tuple(inputs)
        (aval,) = avals_of(primitive, inputs, params)
        return self.append(Equation(primitive, inputs, params, (Var(aval),), source)).outputs[0]

    def reshape(self, x: Atom, shape: tuple[int, ...], source: Any = None) -> Atom:
        """x in another shape of the same size."""
        made = self.maker(x, reshape_p)
        x = x if made is None else made.inputs[0]
        return x if x.aval.shape == shape else self.emit(reshape_p, (x,), {"shape": shape}, source)

    def append(self, eqn: Equation) -> Equation:
        self.equations.append(eqn)
        for v in eqn.outputs:
            self.made[v] = eqn
        return eqn

    def read(self, eqn: Equation) -> Equation:
        """The equation over what stands for its operands."""
        stands_for = self.stands_for
        for v in eqn.inputs:
            if v in stands_for:
                return self.over(eqn, self.resolve(eqn.inputs))
        return eqn

    def over(self, eqn: Equation, inputs: tuple[Atom, ...]) -> Equation:
        """The equation over other operands; with new results if they have other avals."""
        outs = eqn.outputs
        if any([a.aval is not b.aval for a, b in zip(eqn.inputs, inputs, strict=True)]):
            avals = avals_of(eqn.primitive, inputs, eqn.params)
            if any([a is not v.aval for a, v in zip(avals, outs, strict=True)]):
                outs = tuple([Var(a) for a in avals])
                self.stands_for.update(zip(eqn.outputs, outs, strict=True))
        return Equation(eqn.primitive, inputs, eqn.params, outs, eqn.source)

    def replace(self, var: Var, atom: Atom) -> None:
        """Let an atom stand for a variable from here on."""
        if atom.aval is not var.aval and not fits(atom.aval, var.aval):
            raise AssertionError(f"{atom.aval} cannot stand for {var.aval}")
        self.stands_for[var] = atom
        self.changed = True

    def finish(self) -> Program:
        """The rewritten Program; the one it came from if nothing changed."""
        if not self.changed:
            return self.program
        old = self.program
        outputs = [
            v if v is w else self.fit(v, w.aval)
            for v, w in zip(self.resolve(old.outputs), old.outputs, strict=True)
        ]
        return Program(old.inputs, old.consts, self.equations, outputs, old.name)

    def fit(self, atom: Atom, aval: Aval) -> Atom:
        """An atom with this aval exactly, as an output needs it."""
        if atom.aval is aval:
            return atom
        if type(atom) is Literal:
            return Literal(atom.value, aval)
        return self.emit(convert_p, (atom,), {"dtype": aval.dtype})


def rewrite(program: Program, rules: Rules, again: Pass, empty: Rule | None = None) -> Program:
    """Apply rules to every equation; `again` is the pass itself, for inner Programs.

    `empty` is the rule for equations whose one result has no elements.
    """
    return uncollected(lambda: _rewrite(program, rules, again, empty))


def _rewrite(program: Program, rules: Rules, again: Pass, empty: Rule | None) -> Program:
    at = Rewriter(program)
    stands_for = at.stands_for
    for eqn in program.equations:
        read = at.read(eqn) if stands_for else eqn
        if read.primitive.calls:
            read = inside(read, again)
        if empty is not None and len(read.outputs) == 1 and 0 in read.outputs[0].aval.shape:
            read = _emptied(at, read, empty)
        final = _apply(at, read, rules) if read.primitive in rules else read
        if final is not eqn:
            at.changed = True
        if final is not None:
            at.append(final)
    return at.finish()


def _emptied(at: Rewriter, eqn: Equation, empty: Rule) -> Equation:
    free = eqn.primitive.multiple or not eqn.inputs
    found = None if free else empty(at, eqn)
    return found if type(found) is Equation else eqn


def _apply(at: Rewriter, eqn: Equation, rules: Rules) -> Equation | None:
    for _ in range(_ROUNDS):
        found = None
        for rule in rules.get(eqn.primitive, ()):
            found = rule(at, eqn)
            if found is not None:
                break
        if found is None:
            return eqn
        if not isinstance(found, Equation):
            at.replace(eqn.outputs[0], found)
            return None
        eqn = found
    return eqn


def inside(eqn: Equation, transform: Pass) -> Equation:
    """The equation with the Programs that it runs transformed, each once."""
    params = None
    for name, value in eqn.params.items():
        if isinstance(value, Program):
            new: Any = value.once(transform, functools.partial(transform, value))
        elif type(value) is tuple and value and isinstance(value[0], Program):
            parts = [p.once(transform, functools.partial(transform, p)) for p in value]
            new = value if all(map(_same, parts, value)) else tuple(parts)
        else:
            continue
        if new is not value:
            params = params or dict(eqn.params)
            params[name] = new
    return eqn if params is None else Equation(eqn.primitive, eqn.inputs, params, eqn.outputs, eqn.source)


def _same(a: Any, b: Any) -> bool:
    return a is b


def like(
    eqn: Equation, primitive: Primitive, inputs: tuple[Atom, ...], params: dict[str, Any] | None = None
) -> Equation | None:
    """Another equation for the same result; None if its shape rule gives another aval."""
    params = params or {}
    avals = avals_of(primitive, inputs, params)
    fit = all([a is v.aval for a, v in zip(avals, eqn.outputs, strict=True)])
    return Equation(primitive, inputs, params, eqn.outputs, eqn.source) if fit else None


def avals_of(primitive: Primitive, inputs: Sequence[Atom], params: dict[str, Any]) -> tuple[Aval, ...]:
    return result_avals(primitive, [v.aval for v in inputs], params, params_key(params))


def fits(aval: Aval, place: Aval) -> bool:
    """Whether a value may stand in a place: the same aval but for being weak."""
    return aval is place or (aval.shape == place.shape and aval.dtype == place.dtype and aval.weak)


def count_uses(program: Program) -> dict[Any, int]:
    """How often each variable is read; an output counts twice."""
    uses: dict[Any, int] = {}
    for eqn in program.equations:
        for v in eqn.inputs:
            uses[v] = uses.get(v, 0) + 1
    for v in program.outputs:
        uses[v] = uses.get(v, 0) + 2
    return uses


def literal(value: Any, aval: Aval) -> Literal:
    """The literal of a value in the dtype of an aval of shape ()."""
    return Literal(aval.dtype.type(value), aval)


def is_zero(value: Any) -> bool:
    """0 without a sign: +0.0, not -0.0; for a complex number in both parts."""
    if not isinstance(value, np.inexact | float | complex):
        return bool(value == 0)
    return bool(value == 0) and not (bool(np.signbit(value.real)) or bool(np.signbit(value.imag)))
