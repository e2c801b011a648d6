"""Fusion: the equations of a Program gathered into loop nests and single operations, in an order that runs.

One walk forward. A pointwise equation or a reduction joins the nest of an operand where that is legal (one domain,
no dependence that would run in a circle, reductions that complete in time), and begins a nest of its own otherwise.
Views of stored arrays cost nothing; inside a nest they only rename axes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, Protocol

from ..core.avals import DYNAMIC
from ..core.program import Equation, Program, Var, effectful
from ..core.structure import Literal
from ..primitives import markers, shape
from . import views
from .kinds import FREE, OTHER, PLACE, POINTWISE, REDUCE, VIEW, cost_of, view_kind
from .nest import Dims, Nest, Reduce, View, whole

WINDOW = 64
"""A nest can be joined until so many younger steps exist: what bounds the search for circles."""
MAX_EQUATIONS = 160
MAX_LOADS = 40
CHEAP, MAX_REPEATED = 3, 6
"""Operations per element up to which a value is computed again rather than stored, and equations at most."""
SMALL = 4096
"""Elements up to which a nest may wait for a reduction over its whole domain."""


class Target(Protocol):
    """What fusion asks of the backend."""

    def kind_of(self, eqn: Equation) -> str:
        """The role of an equation (see `kinds`); `other` for what the backend's loop nests do not express."""

    def takes_views(self, eqn: Equation) -> bool:
        """Whether the operation reads operands with any strides."""


class Step:
    """A node of the schedule: nests to run in order, or one equation that is no nest."""

    def __init__(self, number: int, nests: list[Nest], eqn: Equation | None):
        self.number, self.nests, self.eqn = number, nests, eqn
        self.operands: list[Any] = []
        """Of an operation: Views and Literals."""
        self.needs: set[int] = set()
        self.ancestors = 0
        self.position = 0

    @property
    def nest(self) -> Nest:
        return self.nests[0]


class Schedule:
    """Steps in the order of execution, the stored variables' views, and what the outputs are."""

    def __init__(self, program: Program, steps: list[Step], outputs: list[Any]):
        self.program, self.steps = program, steps
        self.outputs = outputs
        """For each output of the Program: a Literal, an input Var, or a View of a stored Var (whole, contiguous)."""


def fuse(program: Program, target: Target, owned: bool = False) -> Schedule:
    """The schedule of a Program; `owned`: every output is an array of its own, also where it is an input."""
    return _Fusion(program, target, owned).run()


class _Fusion:
    def __init__(self, program: Program, target: Target, owned: bool):
        self.program, self.target, self.owned = program, target, owned
        self.steps: list[Step | None] = []
        self.home: dict[Any, int] = {}
        """The step that makes a value (or that its view waits for)."""
        self.views: dict[Any, View] = {}
        self.alias: dict[Any, tuple[Any, Equation]] = {}
        self.free: dict[Any, Equation] = {}
        self.pointwise_of: dict[Any, Equation] = {}
        self.wanted = set(program.outputs)
        self.merged: dict[int, int] = {}
        self.last_effect: int | None = None
        self.position = 0
        self.numbers = {id(e): i for i, e in enumerate(program.equations)}

    def run(self) -> Schedule:
        for v in (*self.program.inputs, *[v for v, _ in self.program.consts]):
            self.views[v] = whole(v)
        walk = {POINTWISE: self.pointwise, VIEW: self.view, REDUCE: self.reduce, FREE: self.keep_free,
                PLACE: self.place, OTHER: self.operation}  # fmt: skip
        for self.position, eqn in enumerate(self.program.equations):
            walk[self.target.kind_of(eqn)](eqn)
        outputs = self.outputs()
        self.relatives()
        return Schedule(self.program, self.ordered(), outputs)

    # Steps and their dependences

    def new_step(self, nests: list[Nest], eqn: Equation | None = None) -> Step:
        step = Step(len(self.steps), nests, eqn)
        step.position = self.position
        self.steps.append(step)
        return step

    def find(self, number: int) -> int:
        while number in self.merged:
            number = self.merged[number]
        return number

    def step_of(self, v: Any) -> Step | None:
        number = self.home.get(v)
        return None if number is None else self.steps[self.find(number)]

    def need(self, step: Step, v: Any) -> None:
        """step reads v: it waits for the steps that make v and the array that v is a view of."""
        view = self.views.get(v)
        for u in (v, view.base) if view is not None else (v,):
            other = self.step_of(u)
            if other is not None and other is not step and other.number not in step.needs:
                self.add_need(step, other)

    def add_need(self, step: Step, other: Step) -> None:
        step.needs.add(other.number)
        grown = other.ancestors | (1 << other.number)
        if grown & ~step.ancestors:
            step.ancestors |= grown
            bit = 1 << step.number
            for later in self.near(step.number):
                if later.ancestors & bit:
                    later.ancestors |= grown

    def near(self, number: int) -> list[Step]:
        """The steps that may wait for a step: it was open when they began to, or they came after it."""
        return [s for s in self.steps[max(0, number - WINDOW) :] if s is not None]

    def reaches(self, a: Step, b: Step) -> bool:
        """Whether b waits for a, directly or not."""
        return bool(b.ancestors >> a.number & 1)

    def is_open(self, step: Step) -> bool:
        return len(self.steps) - step.number <= WINDOW

    def nest_of(self, v: Any) -> Step | None:
        """The open nest that computes v."""
        step = self.step_of(v)
        if step is None or step.eqn is not None or len(step.nests) != 1 or not self.is_open(step):
            return None
        return step if step.nest.made(v) else None

    # Stored values

    def stored(self, v: Any) -> View:
        """v as a view of a stored array; its nest stores it from now on."""
        if v in self.views:
            return self.views[v]
        if v in self.alias:
            origin, eqn = self.alias[v]
            base = self.stored(origin)
            found = views.apply(eqn, base)
            if found is None:
                found = self.copy(base, v.aval.shape, eqn)
            self.views[v] = found
            return found
        if v in self.free:
            step = self.new_nest(v.aval.shape)
            step.nest.dims[v] = _identity(v.aval.shape)
            step.nest.equations.append(self.free[v])
            self.home[v] = step.number
            del self.free[v]
        step = self.step_of(v)
        assert step is not None, v
        if v not in step.nest.stores:
            step.nest.stores[v] = None
        self.views[v] = whole(v)
        return self.views[v]

    def contiguous(self, v: Any) -> View:
        """v stored in row-major order."""
        if v in self.alias and v not in self.views and self.stores_itself(v):
            return self.views[v]
        found = self.stored(v)
        if views.is_contiguous(found):
            return found
        copied = self.duplicate(v, found)
        self.views[v] = copied
        return copied

    def stores_itself(self, v: Any) -> bool:
        """Let a nest write a rearranged value as it is wanted, unless what it came from is stored anyway."""
        step = self.step_of(v)
        origin = self.origin(v)
        if step is None or origin in self.views or not step.nest.made(v) or origin in step.nest.reductions:
            return False
        if any(a is None and d != 1 for a, d in zip(step.nest.dims[v], v.aval.shape, strict=True)):
            return False
        step.nest.stores[v] = None
        self.views[v] = whole(v)
        return True

    def copy(self, base: View, shape: tuple[int, ...], eqn: Equation) -> View:
        """The elements of a strided view in row-major order, reshaped."""
        v = eqn.inputs[0]
        copied = self.duplicate(v, base)
        found = views.apply(eqn, copied)
        assert found is not None
        return found

    def duplicate(self, v: Any, view: View) -> View:
        """A row-major copy of a view, as a new stored array."""
        step = self.new_nest(view.shape)
        source, made = Var(v.aval), Var(v.aval)
        nest = step.nest
        nest.dims[source] = _identity(view.shape)
        nest.loads[source] = view
        nest.copies.append((source, whole(made)))
        self.need(step, view.base)
        self.need(step, v)
        self.home[made] = step.number
        self.views[made] = whole(made)
        return whole(made)

    def new_nest(self, shape: tuple[int, ...]) -> Step:
        return self.new_step([Nest(tuple(d for d in shape if d != 1))])

    # One kind of equation each

    def keep_free(self, eqn: Equation) -> None:
        self.free[eqn.outputs[0]] = eqn

    def view(self, eqn: Equation) -> None:
        x, out = eqn.inputs[0], eqn.outputs[0]
        if type(x) is Literal:
            self.free[out] = _full(x, out.aval.shape, eqn)
            return
        if x in self.free:
            x = self.materialized_free(x, eqn, out)
            if x is None:
                return
        step = self.step_of(x)
        if step is not None and step.eqn is None and len(step.nests) == 1 and step.nest.made(x):
            dims = _viewed(eqn, step.nest.dims[x], x.aval.shape, out.aval.shape)
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
            axes = _viewed(eqn, tuple(range(len(before))), before, out.aval.shape)
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
            if self.join(step, eqn):
                return
        step = self.new_nest(out.aval.shape)
        self.add_pointwise(step, eqn, _identity(out.aval.shape))

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

    def result_dims(self, nest: Nest, eqn: Equation) -> Dims | None:
        """The domain axes that the result follows, or None where the nest's domain does not fit."""
        out = eqn.outputs[0].aval.shape
        rank = len(out)
        found: list[int | None] = [None] * rank
        for x in eqn.inputs:
            if not nest.made(x):
                continue
            dims = nest.dims[x]
            for i, axis in enumerate(dims, rank - len(dims)):
                if axis is None:
                    continue
                if found[i] not in (None, axis):
                    return None
                found[i] = axis
        return _complete(nest.shape, out, found)

    def completes(self, nest: Nest, eqn: Equation, dims: Dims) -> bool:
        """Whether the reductions that the operands wait for can complete inside the nest."""
        inner = self.rows_for(nest, eqn)
        if inner is None:
            inner = nest.inner
        elif nest.inner is None:
            if not all(_fits(r.axes, inner, nest) for r in nest.reductions.values()):
                return False
            if len(inner) == len(nest.shape) and nest.size > SMALL:
                return False
        elif inner != nest.inner:
            return False
        axes = {a for a in dims if a is not None}
        if len(axes) == len(nest.shape):
            return True
        return inner is not None and not axes & inner

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

    def origin(self, v: Any) -> Any:
        while v in self.alias:
            v = self.alias[v][0]
        return v

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
            type(x) is Literal or nest.dims.get(x) in (None, _follows(x, dims, out)) or nest.made(x)
            for x in eqn.inputs
        )

    def load(self, step: Step, x: Any, dims: Dims, out: tuple[int, ...]) -> None:
        """Make an operand from elsewhere known to a nest; aligned from the right with the result."""
        nest = step.nest
        if type(x) is Literal or x in nest.dims:
            return
        nest.dims[x] = _follows(x, dims, out)
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
        x, out = eqn.inputs[0], eqn.outputs[0]
        step = self.nest_of(x) if type(x) is not Literal else None
        if step is None or not self.join_reduction(step, eqn):
            step = self.new_nest(x.aval.shape)
            dims = _identity(x.aval.shape)
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
            if not all(_fits(r.axes, waiting, nest) for r in nest.reductions.values()):
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
            if not _fits(axes, inner, nest):
                return False
        elif not _agree([*[r.axes for r in nest.reductions.values()], axes], nest):
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

    def can_merge(self, a: Step, b: Step, eqn: Equation, dims: Dims) -> bool:
        """Whether nest b can become part of nest a for an equation that reads both."""
        x = a.nest
        if {d for d in dims if d is not None} != set(range(len(x.shape))) or not self.alike(x, b.nest):
            return False
        return self.result_dims(b.nest, eqn) == dims and not self.detour(a, b) and not self.detour(b, a)

    def alike(self, x: Nest, y: Nest) -> bool:
        """Whether two nests can be one: the same domain, agreeing axes and reductions, and not too much in all."""
        if x.shape != y.shape or len(x.equations) + len(y.equations) > MAX_EQUATIONS:
            return False
        if len(x.loads) + len(y.loads) > MAX_LOADS or any(x.dims.get(v, d) != d for v, d in y.dims.items()):
            return False
        inner = x.inner if x.inner is not None else y.inner
        if x.inner is not None and y.inner is not None and x.inner != y.inner:
            return False
        both = [r.axes for r in (*x.reductions.values(), *y.reductions.values())]
        if not (_agree(both, x) if inner is None else all(_fits(axes, inner, x) for axes in both)):
            return False
        for p, q in ((x, y), (y, x)):
            for v, view in p.loads.items():
                if q.made(v) and self.origin(v) in q.reductions:
                    return False
                if q.made(view.base) and not q.made(v):
                    return False
        return True

    def relatives(self) -> None:
        """Nests that read the same large array over the same axes, and those that directly feed one, become one."""
        readers: dict[Any, Step] = {}
        for step in list(self.steps):
            if step is None or not self.is_large_nest(step):
                continue
            for v in list(step.nest.loads):
                maker = self.step_of(v)
                if maker is not None and maker is not step and self.feeds(maker, step, v):
                    self.merge(step, maker)
            for v in list(step.nest.loads):
                key = v, step.nest.dims[v], step.nest.shape
                other = readers.get(key)
                if other is not None and other.number not in self.merged and other is not step:
                    if self.can_join(other, step):
                        self.merge(step, other)
                readers[key] = step

    def is_large_nest(self, step: Step) -> bool:
        return step.eqn is None and len(step.nests) == 1 and step.nest.size >= SMALL and not step.nest.copies

    def feeds(self, maker: Step, step: Step, v: Any) -> bool:
        """Whether the nest that makes v can be part of the one that reads it: nothing else lies between."""
        if not self.is_large_nest(maker) or not maker.nest.made(v) or not self.alike(maker.nest, step.nest):
            return False
        return not self.detour(maker, step) and not self.reaches(step, maker)

    def can_join(self, a: Step, b: Step) -> bool:
        """Whether two nests that do not wait for each other can be one."""
        near = abs(a.position - b.position) <= WINDOW
        return near and not self.reaches(a, b) and not self.reaches(b, a) and self.alike(a.nest, b.nest)

    def detour(self, a: Step, b: Step) -> bool:
        """Whether a third step lies on the way from a to b."""
        if not self.reaches(a, b):
            return False
        return any(
            s is not a and s is not b and self.reaches(a, s) and self.reaches(s, b)
            for s in self.near(min(a.number, b.number))
        )

    def merge(self, a: Step, b: Step) -> None:
        """Nest b becomes part of nest a."""
        x, y = a.nest, b.nest
        x.dims.update(y.dims)
        done = set(map(id, x.equations))
        x.equations = sorted(
            x.equations + [e for e in y.equations if id(e) not in done], key=lambda e: self.order(e)
        )
        x.reductions.update(y.reductions)
        x.inner = x.inner if x.inner is not None else y.inner
        x.stores.update(y.stores)
        x.loads.update(y.loads)
        made = {v for e in x.equations for v in e.outputs}
        for v in [v for v in x.loads if v in made]:
            del x.loads[v]
        self.steps[b.number] = None
        self.merged[b.number] = a.number
        for s in self.near(min(a.number, b.number)):
            if b.number in s.needs:
                s.needs.discard(b.number)
                if s is not a:
                    s.needs.add(a.number)
            if s.ancestors >> b.number & 1:
                s.ancestors |= 1 << a.number
        b.needs.discard(a.number)
        for n in b.needs:
            other = self.steps[self.find(n)]
            if other is not None and other is not a:
                self.add_need(a, other)
        a.needs.discard(a.number)
        a.ancestors &= ~(1 << a.number)
        grown = a.ancestors
        for s in self.near(min(a.number, b.number)):
            if s is not a and s.ancestors >> a.number & 1:
                s.ancestors |= grown
        a.position = max(a.position, b.position)

    def order(self, eqn: Equation) -> int:
        return self.numbers.get(id(eqn), -1)

    def place(self, eqn: Equation) -> None:
        """pad and concatenate: each operand is copied to its part of the result."""
        step = self.new_step([])
        out = eqn.outputs[0]
        if eqn.primitive is shape.pad_p:
            parts = [_around(eqn, whole(out)), *_interior(eqn, whole(out))]
        else:
            parts = _pieces(eqn, whole(out))
        for x, window, target in parts:
            nest = Nest(tuple(d for d in target.shape if d != 1))
            if type(x) is Literal:
                nest.copies.append((x, target))
            else:
                v, view = Var(x.aval), self.stored(x)
                nest.dims[v] = _identity(target.shape)
                nest.loads[v] = _spread(window(view) if window else view, target.shape)
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
        if effectful(eqn.primitive, eqn.params):
            if self.last_effect is not None:
                other = self.steps[self.find(self.last_effect)]
                assert other is not None
                self.add_need(step, other)
            self.last_effect = step.number

    def make(self, step: Step, outputs: Iterable[Var]) -> None:
        for v in outputs:
            self.home[v] = step.number
            self.views[v] = whole(v)

    def barrier(self, eqn: Equation) -> None:
        """Results are the operands; whoever reads them waits for all of them."""
        step = self.new_step([])
        for x, out in zip(eqn.inputs, eqn.outputs, strict=True):
            if type(x) is Literal:
                self.free[out] = _full(x, (), Equation(eqn.primitive, (), {}, (out,), eqn.source))
                continue
            self.views[out] = self.stored(x)
            self.need(step, x)
            self.home[out] = step.number

    # The end

    def outputs(self) -> list[Any]:
        found: list[Any] = []
        taken: set[Any] = set()
        inputs = set(self.program.inputs) | {v for v, _ in self.program.consts}
        for v in self.program.outputs:
            if (type(v) is Literal or v in inputs) and not self.owned:
                found.append(v)
                continue
            view = self.filled(v) if type(v) is Literal else self.contiguous(v)
            if DYNAMIC in v.aval.shape:
                found.append(view)
                continue
            part = view.shape != view.base.aval.shape and _numel(view.shape) != view.base.aval.size
            if view.base in inputs or view.base in taken or view.offset or part:
                view = self.duplicate(v, view)
            taken.add(view.base)
            found.append(view)
        return found

    def filled(self, x: Literal) -> View:
        """A literal as a stored array."""
        step, made = self.new_nest(()), Var(x.aval)
        step.nest.copies.append((x, whole(made)))
        self.home[made] = step.number
        self.views[made] = whole(made)
        return whole(made)

    def ordered(self) -> list[Step]:
        """The steps in an order that runs, as near as can be to that of the Program."""
        steps = [s for s in self.steps if s is not None]
        waiting = {s.number: {self.find(n) for n in s.needs} - {s.number} for s in steps}
        readers: dict[int, list[Step]] = {}
        for s in steps:
            for n in waiting[s.number]:
                readers.setdefault(n, []).append(s)
        ready = [(s.position, s.number) for s in steps if not waiting[s.number]]
        heapq.heapify(ready)
        by_number = {s.number: s for s in steps}
        out = []
        while ready:
            _, number = heapq.heappop(ready)
            out.append(by_number[number])
            for s in readers.get(number, ()):
                waiting[s.number].discard(number)
                if not waiting[s.number]:
                    heapq.heappush(ready, (s.position, s.number))
        assert len(out) == len(steps), "the steps wait for one another in a circle"
        return out


# Axes


def _identity(shape: tuple[int, ...]) -> Dims:
    """The domain axes of a value that has the domain's shape, units aside."""
    numbers = iter(range(len(shape)))
    return tuple(None if d == 1 else next(numbers) for d in shape)


def _follows(x: Any, dims: Dims, out: tuple[int, ...]) -> Dims:
    """The axes of an operand, aligned from the right with a result of shape `out` that follows `dims`."""
    own = x.aval.shape
    return tuple(None if d == 1 else axis for d, axis in zip(own, dims[len(out) - len(own) :], strict=True))


def _complete(domain: tuple[int, ...], out: tuple[int, ...], found: list[int | None]) -> Dims | None:
    """Domain axes for those of a result's axes that no operand told, in order; None if they do not fit."""
    missing = [i for i, d in enumerate(out) if d != 1 and found[i] is None]
    if missing:
        unused = [a for a in range(len(domain)) if a not in found]
        if len(unused) != len(missing):
            return None
        for i, axis in zip(missing, unused, strict=True):
            found[i] = axis
    axes = [a for a in found if a is not None]
    if len(set(axes)) < len(axes):
        return None
    if any(a is not None and domain[a] != d for a, d in zip(found, out, strict=True)):
        return None
    return tuple(found)


def _viewed(eqn: Equation, dims: Dims, before: tuple[int, ...], after: tuple[int, ...]) -> Dims | None:
    """The axes of a view of a value inside a nest; None where it is more than a renaming of axes."""
    kind = view_kind(eqn)
    if kind == "same":
        return dims
    if kind == "transpose":
        return tuple(dims[i] for i in eqn.params["perm"])
    if kind == "broadcast":
        out: list[int | None] = [None] * len(after)
        for i, a in enumerate(eqn.params["axes"]):
            out[a] = dims[i] if before[i] == after[a] else None
        return tuple(out)
    if kind == "reshape" and [d for d in before if d != 1] == [d for d in after if d != 1]:
        long = iter([a for a, d in zip(dims, before, strict=True) if d != 1])
        return tuple(None if d == 1 else next(long) for d in after)
    return None


def _fits(axes: frozenset[int], inner: frozenset[int], nest: Nest) -> bool:
    """Whether a reduction can run in a nest whose rows are `inner`: along rows, across them, or over everything."""
    every = frozenset(range(len(nest.shape)))
    return axes in (inner, every - inner, every) or not axes


def _agree(sets: list[frozenset[int]], nest: Nest) -> bool:
    """Whether there is a choice of rows that suits all reductions."""
    every = frozenset(range(len(nest.shape)))
    kinds = {s for s in sets if s and s != every}
    if len(kinds) <= 1:
        return True
    return len(kinds) == 2 and every - min(kinds, key=sorted) == max(kinds, key=sorted)


# Free values and places


def _full(x: Literal, to: tuple[int, ...], eqn: Equation) -> Equation:
    """The equation of a literal repeated to a shape."""
    params = {"value": x.value, "shape": to, "dtype": x.aval.dtype}
    return Equation(shape.full_p, (), params, eqn.outputs, eqn.source)


def _spread(view: View, to: tuple[int, ...]) -> View:
    """A view broadcast to a shape of at least its rank."""
    missing = len(to) - len(view.shape)
    strides = [0] * missing + [0 if d == 1 else s for d, s in zip(view.shape, view.strides, strict=True)]
    return view._replace(strides=tuple(strides), shape=to)


def _pieces(eqn: Equation, out: View) -> list[Any]:
    """The operands of a concatenation and where each goes."""
    axis, at, found = eqn.params["axis"], 0, []
    for x in eqn.inputs:
        n = x.aval.shape[axis]
        if x.aval.size:
            found.append((x, None, View(out.base, at * out.strides[axis], out.strides, x.aval.shape)))
        at += n
    return found


def _around(eqn: Equation, out: View) -> Any:
    """The value of a padding, over the whole result."""
    return eqn.inputs[1], None, out


def _interior(eqn: Equation, out: View) -> list[Any]:
    """The padded array: which window of it lands where (see Pad.impl)."""
    x, params = eqn.inputs[0], eqn.params
    start, stride, first_read, sizes = 0, [], [], []
    widths = zip(x.aval.shape, out.shape, params["low"], params["interior"], out.strides, strict=True)
    for n, m, low, between, s in widths:
        step = between + 1
        first = max(0, -(low // step)) if low < 0 else 0
        last = min(n - 1, (m - 1 - low) // step)
        if last < first:
            return []
        start += (low + first * step) * s
        stride.append(step * s)
        first_read.append(first)
        sizes.append(last + 1 - first)

    def window(view: View) -> View:
        offset = view.offset + sum(a * s for a, s in zip(first_read, view.strides, strict=True))
        return View(view.base, offset, view.strides, tuple(sizes))

    return [(x, window, View(out.base, start, tuple(stride), tuple(sizes)))]


def _numel(shape: tuple[int, ...]) -> int:
    n = 1
    for d in shape:
        n *= d
    return n
