"""Two nests made one: when that is legal, and how it is done."""

from __future__ import annotations

from typing import Any

from ..core.program import Equation, Program
from .axes import agree, complete, fits
from .nest import Dims, Nest
from .schedule import WINDOW, Step, Steps

MAX_EQUATIONS = 160
MAX_LOADS = 40
SMALL = 4096
"""Elements up to which a nest may wait for a reduction over its whole domain, and from which merging pays late."""


class Merging(Steps):
    """Steps whose nests can become one."""

    def __init__(self, program: Program):
        super().__init__()
        self.alias: dict[Any, tuple[Any, Equation]] = {}
        """Values that are views of others inside a nest: of which, by which equation."""
        self.numbers = {id(e): i for i, e in enumerate(program.equations)}

    def origin(self, v: Any) -> Any:
        while v in self.alias:
            v = self.alias[v][0]
        return v

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
        return complete(nest.shape, out, found)

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
        if not (agree(both, x) if inner is None else all(fits(axes, inner, x) for axes in both)):
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
            for v in [v for v in step.nest.loads if v.aval.size >= SMALL]:
                key = v, step.nest.dims[v], step.nest.shape
                other = readers.get(key)
                there = other is not None and other.number not in self.merged and other is not step
                if there and self.can_join(other, step):
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
