"""Products of slices with weights, before the loop: for all trips at once, what depends on no carry.

The time index is one more row index of the product, so that many small products are one large one. What makes
the operands of such a product from slices moves with it; other equations cost nothing where they are, in the
loop nests of the body.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...core.program import Equation, Program
from ...core.structure import Literal
from ...primitives.loop_layout import Layout
from ..rewriting import Rewriter
from .trips import DEEP, LARGE, Trips, all_trips, by_weights, makers, movable, needed, over_loops, splice


class _Split(NamedTuple):
    """Consts and stacks to more stacks, and the body that reads slices of these."""

    before: Program
    body: Program


def products_of_slices(program: Program) -> Program:
    """The Program with loops that find such products in stacks."""
    return over_loops(program, _hoist, products_of_slices)


def _hoist(at: Rewriter, eqn: Equation, layout: Layout, trips: Trips) -> bool:
    split: Any = trips.body.once(("products of slices", *trips[1:]), lambda: _split(trips) or ())
    if not split:
        return False
    stacks = splice(at, split.before, [*layout.consts, *layout.xs])
    params = layout.params(body=split.body)
    at.append(Equation(eqn.primitive, (*eqn.inputs, *stacks), params, eqn.outputs, eqn.source))
    return True


def _split(trips: Trips) -> _Split | None:
    body, nc = trips.body, trips.nc
    moved = _moved(trips)
    if not moved:
        return None
    inside = [e for e in body.equations if e not in moved]
    read = {v for e in inside for v in e.inputs} | set(body.outputs)
    results = [v for e in body.equations if e in moved for v in e.outputs if v in read]
    inputs = (*body.inputs[:nc], *trips.xs)
    piece = Program(inputs, (), needed(body, results, inputs), results, f"{body.name}_before")
    before = all_trips(piece, (*[False] * nc, *[True] * (len(inputs) - nc)), trips.length)
    return _Split(before, Program((*body.inputs, *results), (), inside, body.outputs, body.name))


def _moved(trips: Trips) -> set[Equation]:
    """The products that pay, and what depends on the trip on the way to them."""
    body, made, varying = trips.body, makers(trips.body), trips.varying()
    free = _free_of_carry(trips)
    moved: set[Equation] = set()
    room = trips.room
    for e in body.equations:
        if not free.isdisjoint(e.outputs) and _pays(e, varying):
            way = _way(e, made, varying) - moved
            size = trips.bytes([v for w in way for v in w.outputs])
            if size <= room:
                moved |= way
                room -= size
    return moved


def _free_of_carry(trips: Trips) -> set[Any]:
    """What can be computed before the loop."""
    free: set[Any] = {*trips.body.inputs[: trips.nc], *trips.xs}
    for e in trips.body.equations:
        if movable(e) and all([type(v) is Literal or v in free for v in e.inputs]):
            free.update(e.outputs)
    return free


def _pays(e: Equation, varying: set[Any]) -> bool:
    sizes = by_weights(e, varying)
    return sizes is not None and sizes.rows < LARGE and sizes.depth >= DEEP


def _way(e: Equation, made: dict[Any, Equation], varying: set[Any]) -> set[Equation]:
    """The equation and those before it that depend on the trip."""
    found, pending = {e}, list(e.inputs)
    while pending:
        v = pending.pop()
        before = made.get(v)
        if before is not None and v in varying and before not in found:
            found.add(before)
            pending += before.inputs
    return found
