"""Products of results with weights, after the loop: for all trips at once, where no carry depends on them.

What is computed from such a product goes with it, for it leads to results of the loop alone. The operand gets a
stack unless it has one. A result that is a slice of a stack is that stack.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...core.program import Equation, Program, Var, effectful, prune
from ...primitives.loop_layout import Layout
from ..rewriting import Rewriter
from .trips import (
    DEEP,
    LARGE,
    Trips,
    all_trips,
    by_weights,
    makers,
    movable,
    needed,
    over_loops,
    root,
    splice,
    stack_aval,
)


class _Split(NamedTuple):
    """The body with other results, and a Program from consts and stacks to the results that it gave."""

    body: Program
    kept: list[int]
    """Places of the results that stay."""
    new: list[Any]
    read: list[Any]
    """Variables of the body whose stacks are read afterwards."""
    after: Program


def products_of_results(program: Program) -> Program:
    """The Program with loops that leave such products, and mere copies, to what comes after them."""
    return over_loops(program, _defer, products_of_results)


def _defer(at: Rewriter, eqn: Equation, layout: Layout, trips: Trips) -> bool:
    split: Any = trips.body.once(("products of results", *trips[1:]), lambda: _split(trips) or ())
    if not split:
        return False
    nk = trips.nk
    ys = dict(enumerate(eqn.outputs[nk:]))
    stacks = [Var(stack_aval(v, trips.length)) for v in split.new]
    outs = (*eqn.outputs[:nk], *[ys[i] for i in split.kept], *stacks)
    at.append(Equation(eqn.primitive, eqn.inputs, layout.params(body=split.body), outs, eqn.source))
    there = dict(zip(split.body.outputs[nk:], outs[nk:], strict=True))
    there |= dict(zip(trips.xs, layout.xs, strict=True))
    found = splice(at, split.after, [*layout.consts, *[there[v] for v in split.read]])
    gone = [i for i in ys if i not in split.kept]
    for i, atom in zip(gone, found, strict=True):
        at.replace(ys[i], atom)
    return True


def _split(trips: Trips) -> _Split | None:
    body, nc, nk = trips.body, trips.nc, trips.nk
    found = _Finder(trips)
    moved = {v for e in found.moved for v in e.outputs}
    slices = {x for x in trips.xs if not x.aval.weak}
    gone = [i for i, v in enumerate(trips.ys) if v in moved or v in slices]
    if not gone:
        return None
    kept = [i for i in range(len(trips.ys)) if i not in gone]
    results = [trips.ys[i] for i in gone]
    read = [v for v in dict.fromkeys([*found.read, *results]) if v not in moved]
    piece_inputs = (*body.inputs[:nc], *read)
    piece = Program(piece_inputs, (), needed(body, results, piece_inputs), results, f"{body.name}_after")
    after = all_trips(piece, (*[False] * nc, *[True] * len(read)), trips.length)
    outputs = [*body.outputs[:nk], *[trips.ys[i] for i in kept], *found.new]
    made = Program(body.inputs, (), body.equations, outputs, body.name)
    return _Split(prune(made, (True,) * len(outputs)), kept, found.new, read, after)


class _Finder:
    """Which equations come after the loop, and what they read of it."""

    def __init__(self, trips: Trips):
        self.trips, self.made, self.varying = trips, makers(trips.body), trips.varying()
        self.there = {*trips.xs, *[v for v in trips.ys if v in self.varying]}
        self.moved: set[Equation] = set()
        self.read: list[Any] = []
        self._choose()
        self.new = [v for v in self.read if v not in self.there]

    def _choose(self) -> None:
        """All products that may go, if that pays, else one after the other."""
        staying = _staying(self.trips)
        products = [
            e for e in self.trips.body.equations if staying.isdisjoint(e.outputs) and self._is_small(e)
        ]
        if products and not self._take(products):
            taken: list[Equation] = []
            for e in products:
                if self._take([*taken, e]):
                    taken.append(e)

    def _is_small(self, e: Equation) -> bool:
        sizes = by_weights(e, self.varying)
        return sizes is not None and sizes.rows < LARGE

    def _take(self, products: list[Equation]) -> bool:
        moved = _with_followers(self.trips.body, products)
        outs = {v for e in moved for v in e.outputs}
        operands = [v for e in moved for v in e.inputs if v in self.varying and v not in outs]
        read = list(dict.fromkeys([root(v, self.made, self.there)[0] for v in operands]))
        if not self._pays(products, outs, {*read} - self.there):
            return False
        self.moved, self.read = moved, read
        return True

    def _pays(self, products: list[Equation], outs: set[Any], lacking: set[Any]) -> bool:
        """Whether there is room, and stacks to be made take little beside what the trips need not read or write."""
        results = outs & {*self.trips.ys}
        if self.trips.bytes(lacking | (outs - results)) > self.trips.room:
            return False
        if not lacking:
            return True
        sizes = [by_weights(e, self.varying) for e in products]
        if any([s is not None and s.columns < DEEP for s in sizes]):
            return False
        weights = {v for e in products for v in e.inputs if v not in self.varying}
        return self.trips.bytes(lacking) <= 4 * self.trips.bytes(results | weights)


def _staying(trips: Trips) -> set[Any]:
    """What carries and effects depend on, and what cannot move."""
    staying: set[Any] = set(trips.body.outputs[: trips.nk])
    for e in reversed(trips.body.equations):
        if not movable(e) or effectful(e.primitive, e.params) or not staying.isdisjoint(e.outputs):
            staying.update(e.outputs)
            staying.update(e.inputs)
    return staying


def _with_followers(body: Program, products: list[Equation]) -> set[Equation]:
    """The products and all that is computed from them."""
    moved, outs = set(products), {v for e in products for v in e.outputs}
    for e in body.equations:
        if e in moved or not outs.isdisjoint(e.inputs):
            moved.add(e)
            outs.update(e.outputs)
    return moved
