"""Sums of products over the trips of a loop: one product, after the loop, with the trips among the terms.

A carry that is read only to be added to is such a sum; the gradient of weights is one. Its terms are products
of values that have stacks (slices and results of the loop), or get them where these take no more in a trip than
twice the sum, which every trip would read and write. Sums over axes (gradients of biases) go as well where their
operand has a stack. What sums many terms in one trip stays: there its operands are in the cache, and the sum is
read and written seldom. Addition in another order rounds differently, as any blocked product does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ...core.primitive import Primitive
from ...core.program import Equation, Program, Var, prune
from ...core.source import Source
from ...core.structure import Literal
from ...primitives import elementwise as ew
from ...primitives.contraction import contract_p, parse
from ...primitives.loop_layout import Layout
from ...primitives.reductions import reduce_sum
from ..rewriting import Atom, Rewriter, avals_of, is_zero
from .constants import constant
from .trips import Trips, makers, over_loops, rearranged, root, stack_aval

MANY = 32
"""Terms beyond which a trip may as well sum by itself; half of them where an operand needs a new stack."""


class _Operand(NamedTuple):
    """A value of the body as it enters a sum: its root (see `root`), the way from it, and its indices."""

    root: Any
    moves: list[Equation]
    letters: str
    shape: tuple[int, ...]


class _Term(NamedTuple):
    """What a trip adds: a product of two operands, or a sum of one over axes."""

    value: Any
    minus: bool
    operands: tuple[_Operand, ...]
    out: str
    outer: bool
    """Whether each operand has an axis of its own: then it is a product of matrices."""
    source: Source | None


class _Sum(NamedTuple):
    """A carry, the terms that leave the loop, and the (value, minus) pairs that stay."""

    place: int
    terms: list[_Term]
    rest: list[tuple[Any, bool]]


class _Split(NamedTuple):
    sums: list[_Sum]
    new: list[Any]
    """Variables of the body that get stacks."""
    body: Program


def sums_of_products(program: Program) -> Program:
    """The Program with loops whose sums of products come after them."""
    return over_loops(program, _take_out, sums_of_products)


def _take_out(at: Rewriter, eqn: Equation, layout: Layout, trips: Trips) -> bool:
    split: Any = trips.body.once(("sums of products", *trips[1:]), lambda: _split(trips) or ())
    if not split:
        return False
    gone = {s.place for s in split.sums if not s.rest}
    changed = {s.place for s in split.sums}
    kept = [i for i in range(trips.nk) if i not in gone]
    totals = {i: Var(v.aval) if i in changed else v for i, v in enumerate(eqn.outputs[: trips.nk])}
    stacks = [Var(stack_aval(v, trips.length)) for v in split.new]
    a, b, _ = layout.sizes
    inputs = (*layout.consts, *[layout.carry[i] for i in kept], *layout.xs)
    outs = (*[totals[i] for i in kept], *eqn.outputs[trips.nk :], *stacks)
    params = layout.params(body=split.body, sizes=(a, b, len(kept)))
    at.append(Equation(eqn.primitive, inputs, params, outs, eqn.source))
    there = _stacks(trips, layout.xs, eqn.outputs[trips.nk :]) | dict(zip(split.new, stacks, strict=True))
    for s in split.sums:
        start = layout.carry[s.place] if s.place in gone else totals[s.place]
        at.replace(eqn.outputs[s.place], _total(at, start, s.terms, there))
    return True


def _stacks(trips: Trips, xs: Any, ys: Any) -> dict[Any, Any]:
    """The stack of each variable that has one."""
    found = {v: y for v, y in zip(trips.ys, ys, strict=True) if type(v) is Var}
    return found | dict(zip(trips.xs, xs, strict=True))


def _total(at: Rewriter, total: Atom, terms: list[_Term], stacks: dict[Any, Any]) -> Atom:
    start = constant(at, total)
    for term in sorted(terms, key=lambda t: t.minus):
        found = _emit(at, term, stacks)
        if start is not None and is_zero(start.value) and not term.minus:
            total = found
        else:
            total = at.emit(ew.sub if term.minus else ew.add, (total, found), {}, term.source)
        start = None
    return total


def _emit(at: Rewriter, term: _Term, stacks: dict[Any, Any]) -> Atom:
    rows = []
    for x in term.operands:
        stack = rearranged(at, stacks[x.root], x.moves)
        rows.append(at.reshape(stack, (stack.aval.shape[0], *x.shape), term.source))
    if len(rows) == 1:
        (x,) = term.operands
        axes = (0, *[i for i, c in enumerate(x.letters, 1) if c not in term.out])
        return at.emit(reduce_sum, rows, {"axes": axes}, term.source)
    left, right = (x.letters for x in term.operands)
    trip = next(c for c in map(chr, range(65, 1000)) if c.isalpha() and c not in left + right)
    return at.emit(contract_p, rows, {"spec": f"{trip}{left},{trip}{right}->{term.out}"}, term.source)


# What leaves the loop


def _split(trips: Trips) -> _Split | None:
    finder = _Finder(trips)
    addends = {i: found for i in range(trips.nk) if (found := finder.addends(i))}
    shapes = [v.aval.shape for v in trips.carry]
    terms = {i: [finder.term(v, minus, shapes[i]) for v, minus in found] for i, found in addends.items()}
    taken = finder.taken([t for found in terms.values() for t in found if t is not None])
    sums = []
    for i, found in terms.items():
        mine = [t for t in found if t is not None and t.value in taken]
        rest = [(v, minus) for v, minus in addends[i] if v not in taken and not _is_nothing(v)]
        if mine:
            sums.append(_Sum(i, mine, rest))
    return _Split(sums, finder.new, _without(trips, sums, finder.new)) if sums else None


class _Finder:
    """The terms of the sums of a body."""

    def __init__(self, trips: Trips):
        self.trips, self.made, self.varying = trips, makers(trips.body), trips.varying()
        self.uses: dict[Any, int] = {}
        for v in [*trips.body.outputs, *[v for e in trips.body.equations for v in e.inputs]]:
            self.uses[v] = self.uses.get(v, 0) + 1
        self.there: dict[Any, Any] = _stacks(trips, trips.xs, trips.ys)
        self.new: list[Any] = []
        self.room = trips.room

    def addends(self, i: int) -> list[tuple[Any, bool]]:
        """What a carry is the sum of, besides itself: (value, whether it is subtracted); none if it is not one."""
        carry, out = self.trips.carry[i], self.trips.body.outputs[i]
        if self.uses.get(carry) != 1 or carry.aval is not out.aval or out.aval.weak:
            return []
        pending, found = [(out, False)], []
        while pending:
            v, minus = pending.pop()
            e = self.made.get(v)
            if e is not None and e.primitive in (ew.add, ew.sub) and v.aval is out.aval and self.uses[v] == 1:
                x, y = e.inputs
                pending += [(y, minus ^ (e.primitive is ew.sub)), (x, minus)]
            else:
                found.append((v, minus))
        own = [(v, minus) for v, minus in found if v is carry]
        return [(v, minus) for v, minus in found if v is not carry] if own == [(carry, False)] else []

    def term(self, v: Any, minus: bool, whole: tuple[int, ...]) -> _Term | None:
        """A product, or a sum over axes, that nothing else reads and that has the shape of the carry."""
        e = self.made.get(v)
        if e is None or v.aval.shape != whole or self.uses[v] != 1 or not self.varying.issuperset(e.inputs):
            return None
        indices = _INDICES.get(e.primitive, _no_indices)(e)
        if not indices:
            return None
        *parts, out = indices
        operands = [self._operand(x, letters, e, out) for x, letters in zip(e.inputs, parts, strict=True)]
        return _Term(v, minus, tuple(operands), out, len(parts) == 2 and _is_outer(*parts), e.source)

    def _operand(self, x: Any, letters: str, e: Equation, out: str) -> _Operand:
        """x, for an elementwise product without the axes along which it repeats itself."""
        shape = x.aval.shape
        if e.primitive is ew.mul:
            size = dict(zip(out, e.outputs[0].aval.shape, strict=True))
            shape = tuple([size[c] for c in letters])
        return _Operand(*root(x, self.made, self.there), letters, shape)

    def taken(self, terms: list[_Term]) -> set[Any]:
        """The values of the terms that leave the loop; gives stacks to operands that lack them where it pays."""
        few = [t for t in terms if _count(t) <= MANY]
        for t in few:
            lacking = [v for v in dict.fromkeys([x.root for x in t.operands]) if v not in self.there]
            size = self.trips.bytes(lacking)
            pays = t.outer and 2 * _count(t) <= MANY and size <= 2 * self.trips.bytes([t.value])
            if pays and size <= self.room:
                self.room -= size
                self.new += lacking
                self.there.update(dict.fromkeys(lacking))
        return {t.value for t in few if all([x.root in self.there for x in t.operands])}


def _count(term: _Term) -> int:
    """How many terms a trip sums for one element."""
    x = term.operands[0]
    return math.prod([d for c, d in zip(x.letters, x.shape, strict=True) if c not in term.out])


def _is_nothing(v: Any) -> bool:
    """A term that algebra left: a sum of one product is the product and 0."""
    return type(v) is Literal and v.value == 0


def _no_indices(e: Equation) -> tuple[str, ...]:
    return ()


def _of_sum(e: Equation) -> tuple[str, ...]:
    letters = _letters(e.inputs[0].aval.ndim)
    return letters, "".join([c for i, c in enumerate(letters) if i not in e.params["axes"]])


def _of_outer_product(e: Equation) -> tuple[str, ...]:
    """Indices of an elementwise product whose operands both repeat themselves; axes of size 1 are the first's."""
    full = e.outputs[0].aval.shape
    out, parts = _letters(len(full)), []
    for n, x in enumerate(e.inputs):
        shape = (1,) * (len(full) - x.aval.ndim) + x.aval.shape
        parts.append(
            "".join([c for c, d, f in zip(out, shape, full, strict=True) if d == f and (f != 1 or n == 0)])
        )
    return (*parts, out) if _is_outer(*parts) else ()


_INDICES: dict[Primitive, Callable[[Equation], tuple[str, ...]]] = {
    contract_p: lambda e: parse(e.params["spec"]),
    reduce_sum: _of_sum,
    ew.mul: _of_outer_product,
}
"""The indices of the operands and of the result, for what may be a term."""


def _is_outer(left: str, right: str) -> bool:
    return not set(left) <= set(right) and not set(right) <= set(left)


def _letters(rank: int) -> str:
    return "".join([chr(97 + i) for i in range(rank)])


# The body without them


def _without(trips: Trips, sums: list[_Sum], new: list[Any]) -> Program:
    body, nc = trips.body, trips.nc
    equations, outputs = list(body.equations), list(body.outputs)
    gone = set()
    for s in sums:
        total: Any = trips.carry[s.place]
        if not s.rest:
            gone.add(s.place)
        for v, minus in s.rest:
            primitive = ew.sub if minus else ew.add
            (aval,) = avals_of(primitive, (total, v), {})
            equations.append(Equation(primitive, (total, v), {}, (Var(aval),)))
            total = equations[-1].outputs[0]
        outputs[s.place] = total
    inputs = [v for i, v in enumerate(body.inputs) if i - nc not in gone]
    kept = [v for i, v in enumerate(outputs) if i not in gone] + new
    made = Program(inputs, (), equations, kept, body.name)
    return prune(made, (True,) * len(kept))
