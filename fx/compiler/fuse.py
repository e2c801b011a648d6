"""Fusion: the equations of a Program gathered into loop nests and single operations, in an order that runs.

One walk forward. A pointwise equation or a reduction joins the nest of an operand where that is legal (one domain,
no dependence that would run in a circle, reductions that complete in time), and begins a nest of its own otherwise.
Views of stored arrays cost nothing; inside a nest they only rename axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from ..core.avals import DYNAMIC
from ..core.program import Equation, Program, Var, effectful
from ..core.structure import Literal
from ..primitives import markers, shape
from . import views
from .axes import agree, fits, follows, identity, viewed
from .kinds import FREE, OTHER, PLACE, POINTWISE, REDUCE, VIEW, cost_of
from .merging import MAX_EQUATIONS, MAX_LOADS, SMALL
from .nest import Dims, Nest, Reduce, View, row_major, whole
from .places import around, interior, pieces, repeated, spread
from .schedule import Schedule, Step
from .storage import Storage

LOOKAHEAD = 16
CHEAP, MAX_REPEATED = 3, 6
"""Operations per element up to which a value is computed again rather than stored, and equations at most."""


class Target(Protocol):
    """What fusion asks of the backend."""

    def kind_of(self, eqn: Equation) -> str:
        """The role of an equation (see `kinds`); `other` for what the backend's loop nests do not express."""

    def takes_views(self, eqn: Equation) -> bool:
        """Whether the operation reads operands with any strides."""

    def writes(self, eqn: Equation, strides: tuple[int, ...]) -> bool:
        """Whether the operation's one result may lie with these strides, a permutation of row-major ones."""


def fuse(program: Program, target: Target, owned: bool = False) -> Schedule:
    """The schedule of a Program; `owned`: every output is an array of its own, also where it is an input."""
    return _Fusion(program, target, owned).run()


class _Fusion(Storage):
    def __init__(self, program: Program, target: Target, owned: bool):
        super().__init__(program, owned)
        self.target = target
        self.pointwise_of: dict[Any, Equation] = {}
        self.wanted = set(program.outputs)
        self.readers: dict[Any, list[Equation]] | None = None
        self.last_effect: int | None = None

    def run(self) -> Schedule:
        for v in (*self.program.inputs, *[v for v, _ in self.program.consts]):
            self.views[v] = whole(v)
        walk = {POINTWISE: self.pointwise, VIEW: self.view, REDUCE: self.reduce, FREE: self.keep_free,
                PLACE: self.place, OTHER: self.operation}  # fmt: skip
        for position, eqn in enumerate(self.program.equations):
            self.position = position
            walk[self.target.kind_of(eqn)](eqn)
        outputs = self.outputs()
        self.relatives()
        return Schedule(self.program, self.ordered(), outputs)

    def keep_free(self, eqn: Equation) -> None:
        self.free[eqn.outputs[0]] = eqn

    def view(self, eqn: Equation) -> None:
        x, out = eqn.inputs[0], eqn.outputs[0]
        if type(x) is Literal:
            self.free[out] = repeated(x, out.aval.shape, eqn)
            return
        if x in self.free:
            x = self.materialized_free(x, eqn, out)
            if x is None:
                return
        step = self.step_of(x)
        if step is not None and step.eqn is None and len(step.nests) == 1 and step.nest.made(x):
            dims = viewed(eqn, step.nest.dims[x], x.aval.shape, out.aval.shape)
            if dims is not None:
                step.nest.dims[out] = dims
                step.nest.equations.append(eqn)
                self.home[out] = step.number
                self.alias[out] = (x, eqn)
                return
        base = self.stored(x)
        found = views.apply(eqn, base)
        if found is None:
            found = self.copy(base, out.aval.shape, eqn)
            self.views[out] = found
            return
        self.views[out] = found
        if x in self.home:
            self.home[out] = self.home[x]

    def materialized_free(self, x: Any, eqn: Equation, out: Any) -> Any:
        """A view of full is full, of iota mostly iota; another one is of a stored array."""
        made = self.free[x]
        params = {**made.params, "shape": out.aval.shape}
        if made.primitive is shape.iota_p:
            before = x.aval.shape
            axes = viewed(eqn, tuple(range(len(before))), before, out.aval.shape)
            if axes is None or made.params["axis"] not in axes:
                self.stored(x)
                return x
            params["axis"] = axes.index(made.params["axis"])
        self.free[out] = Equation(made.primitive, (), params, eqn.outputs, eqn.source)
        return None

    def pointwise(self, eqn: Equation) -> None:
        out = eqn.outputs[0]
        self.pointwise_of[out] = eqn
        for step in self.candidates(eqn):
            # A candidate that did not work out may have taken others in.
            if step.number not in self.merged and self.join(step, eqn):
                return
        step = self.new_nest(out.aval.shape)
        self.add_pointwise(step, eqn, identity(out.aval.shape))

    def candidates(self, eqn: Equation) -> list[Step]:
        """Open nests that compute an operand, the youngest and largest first."""
        found = {s.number: s for s in map(self.nest_of, eqn.inputs) if s is not None}
        return sorted(found.values(), key=lambda s: (-s.nest.size, -s.number))

    def join(self, step: Step, eqn: Equation) -> bool:
        """Add a pointwise equation to a nest, with other nests of its operands merged in, if that is legal."""
        others = [s for s in self.candidates(eqn) if s is not step]
        nest = step.nest
        if len(nest.equations) >= MAX_EQUATIONS or len(nest.loads) >= MAX_LOADS:
            return False
        dims = self.result_dims(nest, eqn)
        if dims is None or not self.completes(nest, eqn, dims) or not self.agrees(nest, eqn, dims):
            return False
        for other in others:
            if self.can_merge(step, other, eqn, dims):
                self.merge(step, other)
        if not self.no_circle(step, eqn.inputs) or not self.completes(nest, eqn, dims):
            return False
        inner = self.rows_for(nest, eqn)
        if inner is not None:
            nest.inner = inner
        self.add_pointwise(step, eqn, dims)
        return True

    def no_circle(self, step: Step, operands: Iterable[Any]) -> bool:
        """Whether no operand from elsewhere waits for this step, nor is a view of what it stores."""
        for x in operands:
            if type(x) is Literal or step.nest.made(x):
                continue
            view = self.views.get(x)
            for v in (x, view.base) if view is not None else (x,):
                other = self.step_of(v)
                if other is not None and (other is step or self.reaches(step, other)):
                    return False
        return True

    def completes(self, nest: Nest, eqn: Equation, dims: Dims) -> bool:
        """Whether the reductions that the operands wait for can complete inside the nest."""
        inner = self.rows_for(nest, eqn)
        if inner is None:
            inner = nest.inner
        elif nest.inner is None:
            if not all(fits(r.axes, inner, nest) for r in nest.reductions.values()):
                return False
            if len(inner) == len(nest.shape) and nest.size > SMALL:
                return False
        elif inner != nest.inner:
            return False
        axes = {a for a in dims if a is not None}
        if len(axes) == len(nest.shape):
            return True
        if inner is None or axes & inner:
            return False
        columns = nest.inner is None and len(nest.shape) - 1 not in inner
        return not columns or self.returns(eqn, nest.size)

    def returns(self, eqn: Equation, size: int) -> bool:
        """Whether what is made of sums over columns soon meets the whole array again.

        If not, it is little work, and the sums are better made row by row, in the order of memory.
        """
        stack = [eqn.outputs[0]]
        for _ in range(LOOKAHEAD):
            for e in self.readers_of(stack.pop()):
                if any(v.aval.size == size for v in e.outputs if DYNAMIC not in v.aval.shape):
                    return True
                stack.extend(e.outputs)
            if not stack:
                break
        return False

    def readers_of(self, v: Any) -> Sequence[Equation]:
        if self.readers is None:
            self.readers = {}
            for e in self.program.equations:
                for x in e.inputs:
                    self.readers.setdefault(x, []).append(e)
        return self.readers.get(v, ())

    def rows_for(self, nest: Nest, eqn: Equation) -> frozenset[int] | None:
        """The axes of the reductions whose results the equation reads directly; None without any."""
        found: frozenset[int] | None = None
        for x in eqn.inputs:
            if not nest.made(x):
                continue
            reduced = nest.reductions.get(self.origin(x))
            if reduced is None:
                continue
            if found is not None and found != reduced.axes:
                return frozenset({-1})
            found = reduced.axes
        return found

    def add_pointwise(self, step: Step, eqn: Equation, dims: Dims) -> None:
        nest, out = step.nest, eqn.outputs[0]
        for x in eqn.inputs:
            self.load(step, x, dims, out.aval.shape)
        nest.dims[out] = dims
        nest.equations.append(eqn)
        step.position = self.position
        self.home[out] = step.number

    def agrees(self, nest: Nest, eqn: Equation, dims: Dims) -> bool:
        """Whether operands that the nest knows already would follow the same axes again."""
        out = eqn.outputs[0].aval.shape
        return all(
            type(x) is Literal or nest.dims.get(x) in (None, follows(x, dims, out)) or nest.made(x)
            for x in eqn.inputs
        )

    def load(self, step: Step, x: Any, dims: Dims, out: tuple[int, ...]) -> None:
        """Make an operand from elsewhere known to a nest; aligned from the right with the result."""
        nest = step.nest
        if type(x) is Literal or x in nest.dims:
            return
        nest.dims[x] = follows(x, dims, out)
        if x in self.free:
            nest.equations.append(self.free[x])
        elif not self.repeat(step, x):
            nest.loads[x] = self.stored(x)
            self.need(step, x)

    def repeat(self, step: Step, x: Any) -> bool:
        """Compute a cheap value again from what is stored, instead of storing it as well."""
        if x in self.views or x in self.wanted:
            return False
        chain: dict[Any, Equation] = {}
        leaves = self.leaves_of(x, chain)
        if leaves is None or sum(v not in self.views for v in leaves) > 1:
            return False
        nest = step.nest
        if any(v in nest.dims and nest.dims[v] != nest.dims[x] for v in (*chain, *leaves) if v is not x):
            return False
        for v, eqn in reversed(chain.items()):
            nest.dims[v] = nest.dims[x]
            nest.equations.append(eqn)
        for v in leaves:
            if v not in nest.dims:
                nest.dims[v] = nest.dims[x]
                nest.loads[v] = self.stored(v)
                self.need(step, v)
        return True

    def leaves_of(self, x: Any, chain: dict[Any, Equation]) -> list[Any] | None:
        """What x is made of by few cheap equations of one shape; None if it is not."""
        leaves: dict[Any, None] = {}
        stack = [x]
        while stack:
            v = stack.pop()
            eqn = self.pointwise_of.get(v)
            if v in self.views or eqn is None or cost_of(eqn) > CHEAP:
                leaves[v] = None
                continue
            operands = [u for u in eqn.inputs if type(u) is not Literal]
            if len(chain) == MAX_REPEATED or any(u.aval.shape != x.aval.shape for u in operands):
                leaves[v] = None
                continue
            chain.pop(v, None)
            chain[v] = eqn
            stack.extend(operands)
        if x in leaves or len(leaves) > 2 or any(v in self.free for v in leaves):
            return None
        return list(leaves)

    def reduce(self, eqn: Equation) -> None:
        x = eqn.inputs[0]
        step = self.nest_of(x) if type(x) is not Literal else None
        if step is None or not self.join_reduction(step, eqn):
            step = self.new_nest(x.aval.shape)
            dims = identity(x.aval.shape)
            if type(x) is not Literal:
                self.load(step, x, dims, x.aval.shape)
            self.add_reduction(step, eqn, dims)

    def join_reduction(self, step: Step, eqn: Equation) -> bool:
        nest, x = step.nest, eqn.inputs[0]
        dims = nest.dims[x]
        if any(axis is None and d != 1 for axis, d in zip(dims, x.aval.shape, strict=True)):
            return False  # repeated along an axis that the nest does not walk
        axes = frozenset(dims[a] for a in eqn.params["axes"]) - {None}
        level = nest.axes_of(x)
        waiting = self.rows_for(nest, eqn)
        if waiting is not None and nest.inner is None:
            if not all(fits(r.axes, waiting, nest) for r in nest.reductions.values()):
                return False
            if len(level) < len(nest.shape) and level != frozenset(range(len(nest.shape))) - waiting:
                return False
        inner = nest.inner or waiting
        if waiting is not None and inner != waiting:
            return False
        if len(level) < len(nest.shape):
            if inner is None or level & inner or axes != level:
                return False
        elif inner is not None:
            if not fits(axes, inner, nest):
                return False
        elif not agree([*[r.axes for r in nest.reductions.values()], axes], nest):
            return False
        if inner is not None and len(inner) == len(nest.shape) and nest.size > SMALL:
            return False
        nest.inner = inner
        self.add_reduction(step, eqn, dims)
        return True

    def add_reduction(self, step: Step, eqn: Equation, dims: Dims) -> None:
        nest, out = step.nest, eqn.outputs[0]
        reduced = set(eqn.params["axes"])
        nest.reductions[out] = Reduce(
            eqn, frozenset(a for i, a in enumerate(dims) if i in reduced and a is not None)
        )  # type: ignore[arg-type]
        nest.dims[out] = tuple(a for i, a in enumerate(dims) if i not in reduced)
        nest.equations.append(eqn)
        step.position = self.position
        self.home[out] = step.number

    def place(self, eqn: Equation) -> None:
        """pad and concatenate: each operand is copied to its part of the result."""
        step = self.new_step([])
        out = eqn.outputs[0]
        if eqn.primitive is shape.pad_p:
            parts = [around(eqn, whole(out)), *interior(eqn, whole(out))]
        else:
            parts = pieces(eqn, whole(out))
        for x, window, target in parts:
            nest = Nest(tuple(d for d in target.shape if d != 1))
            if type(x) is Literal:
                nest.copies.append((x, target))
            else:
                v, view = Var(x.aval), self.stored(x)
                nest.dims[v] = identity(target.shape)
                nest.loads[v] = spread(window(view) if window else view, target.shape)
                nest.copies.append((v, target))
                self.need(step, x)
            step.nests.append(nest)
        self.make(step, [out])

    def operation(self, eqn: Equation) -> None:
        """Anything else is a step of its own; its operands are stored."""
        if eqn.primitive is markers.barrier_p:
            self.barrier(eqn)
            return
        strided = self.target.takes_views(eqn)
        operands = [
            x if type(x) is Literal else self.stored(x) if strided else self.contiguous(x) for x in eqn.inputs
        ]
        step = self.new_step([], eqn)
        step.operands = operands
        for x in eqn.inputs:
            if type(x) is not Literal:
                self.need(step, x)
        self.make(step, eqn.outputs)
        self.lay_out(step, eqn)
        if effectful(eqn.primitive, eqn.params):
            if self.last_effect is not None:
                other = self.steps[self.find(self.last_effect)]
                assert other is not None
                self.add_need(step, other)
            self.last_effect = step.number

    def lay_out(self, step: Step, eqn: Equation) -> None:
        """Let an operation write its result as its readers want it, if all of them transpose it in one way."""
        if len(eqn.outputs) != 1 or eqn.outputs[0] in self.wanted:
            return
        v, readers = eqn.outputs[0], self.readers_of(eqn.outputs[0])
        perms = {e.params["perm"] if e.primitive is shape.transpose_p else None for e in readers}
        if len(perms) != 1 or None in perms:
            return
        (perm,) = perms
        steps = row_major([v.aval.shape[axis] for axis in perm])
        strides = tuple(steps[perm.index(axis)] for axis in range(v.aval.ndim))
        if DYNAMIC not in v.aval.shape and self.target.writes(eqn, strides):
            step.strides = strides
            self.views[v] = View(v, 0, strides, v.aval.shape)

    def make(self, step: Step, outputs: Iterable[Var]) -> None:
        for v in outputs:
            self.home[v] = step.number
            self.views[v] = whole(v)

    def barrier(self, eqn: Equation) -> None:
        """Results are the operands; whoever reads them waits for all of them."""
        step = self.new_step([])
        for x, out in zip(eqn.inputs, eqn.outputs, strict=True):
            if type(x) is Literal:
                self.free[out] = repeated(x, (), Equation(eqn.primitive, (), {}, (out,), eqn.source))
                continue
            self.views[out] = self.stored(x)
            self.need(step, x)
            self.home[out] = step.number
