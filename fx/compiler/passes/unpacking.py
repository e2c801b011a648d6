"""Unpacking: small arrays inside loops become numbers.

A loop over a state of a few numbers (an equation of motion, a filter, a chain of Monte Carlo) takes arrays apart
and puts them together many times a trip. As arrays they would go through memory each time; as numbers they stay in
registers, in one nest. Carried arrays are unpacked too, so that a trip hands on numbers.

What an equation does to positions (slice, pad, concatenate, transpose, ...) its primitive says itself, by its
implementation on arrays of positions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...core.avals import Aval
from ...core.dtypes import is_low_precision
from ...core.primitive import Primitive
from ...core.program import Equation, Program, Var, effectful
from ...primitives import elementwise as ew, reductions, shape
from ...primitives.contraction import contract_p, parse
from ...primitives.loop import loop_p
from ...primitives.loop_layout import Layout
from ..kinds import FREE, PLACE, POINTWISE, REDUCE, VIEW, cost_of, is_static, kind_of
from ..rewriting import Atom, Rewriter, literal, rewrite
from ..rules.constants import constant
from .dead_code import dead_code

MOST = 16
"""Elements of an array that is unpacked."""
BUDGET = 384
"""Operations of a body, counted by element, from which it stays as it is: they would take long to compile."""

_PAIRS: dict[Primitive, Primitive] = {
    reductions.reduce_sum: ew.add, reductions.reduce_prod: ew.mul, reductions.reduce_max: ew.maximum,
    reductions.reduce_min: ew.minimum, reductions.reduce_any: ew.bit_or, reductions.reduce_all: ew.bit_and,
}  # fmt: skip


def unpacking(program: Program) -> Program:
    """The Program with small arrays in loops as numbers."""
    found = rewrite(program, {loop_p: [_unpacked]}, unpacking)
    return found if found is program else dead_code(found)


Form = Callable[["_Numbers", Equation], Sequence[Atom]]
"""The elements of an equation's result, from those of its operands."""


def _unpacked(at: Rewriter, eqn: Equation) -> Atom | None:
    layout = Layout(eqn.inputs, **eqn.params)
    if not is_static(eqn) or not _pays(layout.body):
        return None
    carry = [i for i, x in enumerate(layout.carry) if x.aval.shape and _is_small(x.aval)]
    nc, extra = len(layout.consts), int(layout.cond is not None)
    body = _once(layout.body, [nc + i for i in carry], carry)
    cond = layout.cond and _once(layout.cond, [len(layout.cond_consts) + i for i in carry], [])
    outside = _Numbers(at)
    start = [outside.of(x) if i in carry else [x] for i, x in enumerate(layout.carry)]
    inputs = (*layout.head, *layout.cond_consts, *layout.consts, *itertools.chain(*start), *layout.xs)
    made = [_numbers_for(v) if i - extra in carry else [v] for i, v in enumerate(eqn.outputs)]
    sizes = (len(layout.cond_consts), nc, sum(map(len, start)))
    params = layout.params(body=body, cond=cond, sizes=sizes)
    at.append(Equation(loop_p, inputs, params, tuple(itertools.chain(*made)), eqn.source))
    found = [outside.packed(parts, v, eqn.source) for v, parts in zip(eqn.outputs, made, strict=True)]
    for v, atom in zip(eqn.outputs, found, strict=True):
        if atom is not v:
            at.replace(v, atom)
    return found[0]


def _once(program: Program, inputs: Sequence[int], outputs: Sequence[int]) -> Program:
    key = "numbers", tuple(inputs), tuple(outputs)
    return program.once(key, lambda: _of_numbers(program, inputs, outputs))


def _is_small(aval: Aval) -> bool:
    return all(d > 0 for d in aval.shape) and aval.size <= MOST


def _pays(body: Program) -> bool:
    """Whether elements of small arrays meet in the body, and it does not become too long."""
    mixing = work = 0
    for eqn in body.equations:
        if _form_of(eqn) is not None:
            work += _work_of(eqn)
            mixing += kind_of(eqn) not in (POINTWISE, FREE)
    return mixing > 1 and work <= BUDGET


def _work_of(eqn: Equation) -> int:
    kind = kind_of(eqn)
    if kind == POINTWISE:
        return max(1, cost_of(eqn)) * eqn.outputs[0].aval.size
    if kind == REDUCE:
        return eqn.inputs[0].aval.size
    return 2 * sum(1 for _ in _terms(eqn)) if eqn.primitive is contract_p else 0


def _of_numbers(program: Program, inputs: Sequence[int], outputs: Sequence[int]) -> Program:
    """A Program whose small arrays are numbers, with some of its inputs and outputs given as their elements."""
    at = Rewriter(program)
    at.changed = True
    numbers = _Numbers(at)
    taken: list[Var] = []
    for i, v in enumerate(program.inputs):
        if i in inputs:
            numbers.define(v, _numbers_for(v))
        taken += numbers.elements[v] if i in inputs else [v]  # type: ignore[arg-type]
    for eqn in program.equations:
        form = _form_of(eqn)
        if form is None:
            at.append(at.over(eqn, tuple([numbers.array(x) for x in eqn.inputs])))
        else:
            numbers.define(eqn.outputs[0], form(numbers, eqn))
    given: list[Atom] = []
    for i, v in enumerate(program.outputs):
        elements = numbers.of(v) if i in outputs else [numbers.array(v)]
        given += [at.fit(x, v.aval.update(shape=x.aval.shape)) for x in elements]
    return Program(taken, program.consts, at.equations, given, program.name)


def _numbers_for(v: Any) -> list[Atom]:
    return [Var(v.aval.update(shape=())) for _ in range(v.aval.size)]


class _Numbers:
    """Arrays as their elements, in row-major order."""

    def __init__(self, at: Rewriter):
        self.at = at
        self.elements: dict[Any, Sequence[Atom]] = {}
        self.taken_apart: set[Any] = set()
        """Those that exist as elements only."""

    def define(self, v: Var, elements: Sequence[Atom]) -> None:
        self.elements[v] = elements
        self.taken_apart.add(v)

    def of(self, x: Any) -> Sequence[Atom]:
        """The elements of an array; taken out of it where it exists as an array only."""
        (x,) = self.at.resolve((x,))
        if x not in self.elements:
            self.elements[x] = list(self._taken(x)) if x.aval.shape else [x]
        return self.elements[x]

    def _taken(self, x: Atom) -> Iterator[Atom]:
        number = constant(self.at, x)
        for place in itertools.product(*map(range, x.aval.shape)):
            if number is not None:
                yield number
                continue
            window = {"start": place, "stop": tuple([i + 1 for i in place]), "step": (1,) * len(place)}
            one = self.at.emit(shape.slice_p, (x,), window)
            yield self.at.emit(shape.reshape_p, (one,), {"shape": ()})

    def array(self, x: Any) -> Atom:
        """An atom as equations that are not unpacked read it."""
        if x in self.taken_apart:
            self.at.stands_for[x] = self.packed(self.elements[x], x)
            self.taken_apart.discard(x)
        return self.at.resolve((x,))[0]

    def packed(self, elements: Sequence[Atom], v: Any, source: Any = None) -> Atom:
        """An array put together from its elements."""
        emit = self.at.emit
        if elements[0].aval.shape == v.aval.shape:
            return elements[0]
        if len(elements) == 1:
            return emit(shape.reshape_p, elements, {"shape": v.aval.shape}, source)
        parts = [emit(shape.reshape_p, (e,), {"shape": (1,)}, source) for e in elements]
        return self.at.reshape(emit(shape.concatenate_p, parts, {"axis": 0}, source), v.aval.shape, source)


# What equations do, element by element


def _form_of(eqn: Equation) -> Form | None:
    """How the elements of the result are made; None where the equation stays as it is."""
    if len(eqn.outputs) != 1 or not is_static(eqn) or effectful(eqn.primitive, eqn.params):
        return None
    avals = [v.aval for v in (*eqn.inputs, *eqn.outputs)]
    if not all(map(_is_small, avals)):
        return None
    if eqn.primitive is contract_p:
        return None if is_low_precision(avals[-1].dtype) else _contracted
    kind = kind_of(eqn)
    if kind == POINTWISE:
        return _elementwise if avals[-1].shape else None
    if kind == REDUCE:
        return None if is_low_precision(avals[-1].dtype) else _reduced
    return _FORMS.get(kind)


def _positions(x: Any, first: int = 0) -> Any:
    return np.arange(first, first + x.aval.size).reshape(x.aval.shape)


def _elementwise(numbers: _Numbers, eqn: Equation) -> list[Atom]:
    aval = eqn.outputs[0].aval
    operands = [
        [numbers.of(x)[i] for i in np.broadcast_to(_positions(x), aval.shape).flat] for x in eqn.inputs
    ]
    emit = numbers.at.emit
    return [emit(eqn.primitive, xs, eqn.params, eqn.source) for xs in zip(*operands, strict=True)]


def _rearranged(numbers: _Numbers, eqn: Equation) -> list[Atom]:
    """What the primitive does to numbered positions it does to the elements."""
    elements: list[Atom] = []
    places = []
    for x in eqn.inputs:
        places.append(_positions(x, len(elements)))
        elements += numbers.of(x)
    return [elements[i] for i in eqn.primitive.impl(np, *places, **eqn.params).flat]


def _free(numbers: _Numbers, eqn: Equation) -> list[Atom]:
    aval = eqn.outputs[0].aval
    return [literal(x, aval.update(shape=())) for x in eqn.primitive.impl(np, **eqn.params).flat]


def _reduced(numbers: _Numbers, eqn: Equation) -> list[Atom]:
    (x,), axes = eqn.inputs, eqn.params["axes"]
    last = range(-len(axes), 0)
    rows = np.moveaxis(_positions(x), axes, last).reshape(eqn.outputs[0].aval.size, -1)
    return [_folded(numbers.at, _PAIRS[eqn.primitive], [numbers.of(x)[i] for i in row], eqn) for row in rows]


def _folded(at: Rewriter, pair: Primitive, terms: Sequence[Atom], eqn: Equation) -> Atom:
    """One number from several, as a tree of the least depth."""
    if len(terms) == 1:
        return terms[0]
    half = (len(terms) + 1) // 2
    return at.emit(
        pair, [_folded(at, pair, part, eqn) for part in (terms[:half], terms[half:])], {}, eqn.source
    )


def _contracted(numbers: _Numbers, eqn: Equation) -> list[Atom]:
    at, (xs, ys) = numbers.at, map(numbers.of, eqn.inputs)
    sums: dict[int, list[Atom]] = {}
    for i, j, k in _terms(eqn):
        sums.setdefault(k, []).append(at.emit(ew.mul, (xs[i], ys[j]), {}, eqn.source))
    return [_folded(at, ew.add, sums[k], eqn) for k in range(len(sums))]


def _terms(eqn: Equation) -> Iterator[tuple[int, int, int]]:
    """The positions left, right and in the result of each product of a contraction."""
    specs = parse(eqn.params["spec"])
    values = (*eqn.inputs, *eqn.outputs)
    sizes = {i: d for s, v in zip(specs, values, strict=True) for i, d in zip(s, v.aval.shape, strict=True)}
    for at in itertools.product(*map(range, sizes.values())):
        index = dict(zip(sizes, at, strict=True))
        i, j, k = (
            int(_positions(v)[tuple([index[i] for i in s])]) for s, v in zip(specs, values, strict=True)
        )
        yield i, j, k


_FORMS: dict[str, Form] = {VIEW: _rearranged, PLACE: _rearranged, FREE: _free}
