"""What rules that move work out of loops share: stacks instead of slices, all trips at once.

Only loops of a static length have stacks whose size is known. What is moved is pure and has a batch rule that
costs nothing: elementwise, rearrangements, reductions, lookups, products. Memory is bounded: the new stacks of a
loop take at most 64 MiB, or twice what the stacks that it reads and writes take already. A body with a barrier
recomputes values so that they need not be kept, so it gets no new stacks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ...core.avals import DYNAMIC, Aval
from ...core.primitive import Axis, Primitive
from ...core.program import Equation, Program, Var, uncollected
from ...core.structure import Literal
from ...core.transforms.vmap import batch_program
from ...primitives.contraction import contract_p, parse
from ...primitives.gather_scatter import gather_p
from ...primitives.loop import loop_p
from ...primitives.loop_layout import Layout
from ...primitives.markers import barrier_p
from ...primitives.reductions import reduce_all, reduce_any, reduce_max, reduce_min, reduce_prod, reduce_sum
from ...primitives.shape import (
    broadcast_p,
    concatenate_p,
    full_p,
    iota_p,
    pad_p,
    reshape_p,
    reverse,
    slice_p,
    transpose_p,
)
from ..rewriting import Atom, Pass, Rewriter, avals_of, inside
from .constants import elementwise

ROOM = 64 << 20
"""Bytes that new stacks of one loop may always take."""
LARGE = 128
"""Rows from which a product of one trip is as fast by itself."""
DEEP = 8
"""Terms of a sum, or columns, below which a product costs less than to write and read a stack."""


class Trips(NamedTuple):
    """A loop of a static length, as its body tells; the same for every loop that runs this body so often."""

    body: Program
    nc: int
    nk: int
    length: int

    @property
    def carry(self) -> tuple[Var, ...]:
        return self.body.inputs[self.nc : self.nc + self.nk]

    @property
    def xs(self) -> tuple[Var, ...]:
        return self.body.inputs[self.nc + self.nk :]

    @property
    def ys(self) -> tuple[Atom, ...]:
        return self.body.outputs[self.nk :]

    @property
    def room(self) -> int:
        """Bytes for new stacks."""
        if any([e.primitive is barrier_p for e in self.body.equations]):
            return 0
        return max(ROOM, 2 * self.bytes({*self.xs, *self.ys}))

    def bytes(self, variables: Iterable[Atom]) -> int:
        """What the stacks of these variables take."""
        return self.length * sum([v.aval.nbytes for v in variables])

    def varying(self) -> set[Any]:
        """The variables that depend on the trip, or on what only a trip may compute."""
        found: set[Any] = set(self.body.inputs[self.nc :])
        for e in self.body.equations:
            if not movable(e) or not found.isdisjoint(e.inputs):
                found.update(e.outputs)
        return found


Step = Callable[[Rewriter, Equation, Layout, Trips], bool]
"""Appends another loop, and what goes with it, to a Program under rewriting; False if it has nothing to change."""


def over_loops(program: Program, step: Step, again: Pass) -> Program:
    """Apply a step to every loop of a static length, inner ones first; `again` does this to inner Programs."""
    if not any([e.primitive.calls for e in program.equations]):
        return program
    return uncollected(lambda: _over_loops(program, step, again))


def _over_loops(program: Program, step: Step, again: Pass) -> Program:
    at = Rewriter(program)
    for eqn in program.equations:
        read = at.read(eqn)
        if read.primitive.calls:
            read = inside(read, again)
        at.changed |= read is not eqn
        if read.primitive is loop_p and _step(at, read, step):
            at.changed = True
        else:
            at.append(read)
    return at.finish()


def _step(at: Rewriter, eqn: Equation, step: Step) -> bool:
    layout = Layout(eqn.inputs, **eqn.params)
    if layout.cond is not None or (layout.length or 0) < 2:
        return False
    body = layout.body
    trips = Trips(body, len(layout.consts), len(layout.carry), layout.length or 0)
    return body.once("static", lambda: _is_static(body)) and step(at, eqn, layout, trips)


def _is_static(body: Program) -> bool:
    avals = [*body.in_avals, *[v.aval for e in body.equations for v in e.outputs]]
    return not any([DYNAMIC in a.shape for a in avals])


@functools.cache
def _movable() -> frozenset[Primitive]:
    moves = (reshape_p, transpose_p, broadcast_p, slice_p, pad_p, concatenate_p, reverse, full_p, iota_p)
    sums = (reduce_sum, reduce_prod, reduce_max, reduce_min, reduce_any, reduce_all)
    return frozenset([*elementwise(), *moves, *sums, gather_p, contract_p])


def movable(e: Equation) -> bool:
    """Whether an equation may run for all trips at once."""
    return e.primitive in _movable()


class Sizes(NamedTuple):
    """A product with weights: rows are of the operand that varies alone, columns of the weights."""

    rows: int
    depth: int
    columns: int


def by_weights(e: Equation, varying: set[Any]) -> Sizes | None:
    """The sizes of a product if just one operand varies."""
    if e.primitive is not contract_p:
        return None
    sides = [v in varying for v in e.inputs]
    if sides[0] == sides[1] or any([type(v) is Literal for v in e.inputs]):
        return None
    parts = parse(e.params["spec"])
    mine, other = (parts[0], parts[1]) if sides[0] else (parts[1], parts[0])
    size = dict(zip(parts[0] + parts[1], e.inputs[0].aval.shape + e.inputs[1].aval.shape, strict=True))
    out = parts[2]
    return Sizes(
        math.prod([size[c] for c in mine if c not in other]),
        math.prod([size[c] for c in mine if c not in out]),
        math.prod([size[c] for c in other if c not in mine]),
    )


def all_trips(piece: Program, stacked: Sequence[bool], length: int) -> Program:
    """A Program for one trip, over stacks for all of them; the results are stacks."""
    force = (True,) * len(piece.outputs)
    dims = tuple([0 if on else None for on in stacked])
    return batch_program(piece, dims, Axis(length, None), force)[0]


def splice(at: Rewriter, program: Program, operands: Sequence[Atom]) -> list[Atom]:
    """Append the equations of a Program; its results."""
    names: dict[Any, Atom] = dict(zip(program.inputs, operands, strict=True))
    for e in program.equations:
        inputs = tuple([names.get(v, v) for v in e.inputs])
        outs = tuple([Var(a) for a in avals_of(e.primitive, inputs, e.params)])
        at.append(Equation(e.primitive, inputs, e.params, outs, e.source))
        names.update(zip(e.outputs, outs, strict=True))
    return [names.get(v, v) for v in program.outputs]


def needed(body: Program, wanted: Iterable[Any], given: Iterable[Any]) -> list[Equation]:
    """The equations that lead from what is given to what is wanted, in order."""
    missing, given = set(wanted), set(given)
    found = []
    for e in reversed(body.equations):
        if not missing.isdisjoint(e.outputs) and given.isdisjoint(e.outputs):
            found.append(e)
            missing.update(e.inputs)
    return found[::-1]


def makers(body: Program) -> dict[Any, Equation]:
    """The equation that defines each variable."""
    return {v: e for e in body.equations for v in e.outputs}


def root(
    v: Any, made: Mapping[Any, Equation], there: Mapping[Any, Any] | set[Any]
) -> tuple[Any, list[Equation]]:
    """The variable that v rearranges, the first that has a stack if any has, and the equations from it to v."""
    moves: list[Equation] = []
    e = made.get(v)
    while v not in there and e is not None and e.primitive in (reshape_p, transpose_p):
        moves.insert(0, e)
        v = e.inputs[0]
        e = made.get(v)
    return v, moves


def rearranged(at: Rewriter, stack: Atom, moves: Sequence[Equation]) -> Atom:
    """The same rearrangements of every row of a stack."""
    for e in moves:
        if e.primitive is reshape_p:
            stack = at.reshape(stack, (stack.aval.shape[0], *e.params["shape"]), e.source)
        else:
            perm = (0, *[a + 1 for a in e.params["perm"]])
            stack = at.emit(transpose_p, (stack,), {"perm": perm}, e.source)
    return stack


def stack_aval(v: Atom, length: int) -> Aval:
    """What a loop makes of the rows that its body gives."""
    return v.aval.update(shape=(length, *v.aval.shape))
