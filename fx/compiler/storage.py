"""Where values are stored: each as a view of an array that a step writes, some only when somebody asks for them."""

from __future__ import annotations

from typing import Any

from ..core.avals import DYNAMIC
from ..core.program import Equation, Program, Var
from ..core.structure import Literal
from . import views
from .axes import identity
from .merging import Merging
from .nest import Nest, View, numel, whole
from .schedule import Step


class Storage(Merging):
    """Steps whose values are stored as far as others read them."""

    def __init__(self, program: Program, owned: bool):
        super().__init__(program)
        self.program, self.owned = program, owned
        self.views: dict[Any, View] = {}
        """Of stored values: their windows on arrays."""
        self.free: dict[Any, Equation] = {}
        """Values that cost nothing wherever they are needed: full, iota."""

    def need(self, step: Step, v: Any) -> None:
        """step reads v: it waits for the steps that make v and the array that v is a view of."""
        view = self.views.get(v)
        for u in (v, view.base) if view is not None else (v,):
            other = self.step_of(u)
            if other is not None and other is not step and other.number not in step.needs:
                self.add_need(step, other)

    def nest_of(self, v: Any) -> Step | None:
        """The open nest that computes v."""
        step = self.step_of(v)
        if step is None or step.eqn is not None or len(step.nests) != 1 or not self.is_open(step):
            return None
        return step if step.nest.made(v) else None

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
            step.nest.dims[v] = identity(v.aval.shape)
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
        nest.dims[source] = identity(view.shape)
        nest.loads[source] = view
        nest.copies.append((source, whole(made)))
        self.need(step, view.base)
        self.need(step, v)
        self.home[made] = step.number
        self.views[made] = whole(made)
        return whole(made)

    def new_nest(self, shape: tuple[int, ...]) -> Step:
        return self.new_step([Nest(tuple(d for d in shape if d != 1))])

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
            part = view.shape != view.base.aval.shape and numel(view.shape) != view.base.aval.size
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
