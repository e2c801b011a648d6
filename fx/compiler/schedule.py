"""Steps of a schedule and how they wait for one another."""

from __future__ import annotations

import heapq
from typing import Any

from ..core.program import Equation, Program, Var
from .nest import Nest, View

WINDOW = 64
"""A step can grow until so many younger ones exist: what bounds the search for circles."""


class Step:
    """A node of the schedule: nests to run in order, or one equation that is no nest."""

    def __init__(self, number: int, nests: list[Nest], eqn: Equation | None):
        self.number, self.nests, self.eqn = number, nests, eqn
        self.operands: list[Any] = []
        """Of an operation: Views and Literals."""
        self.strides: tuple[int, ...] | None = None
        """Of an operation's result, where it is not row-major."""
        self.needs: set[int] = set()
        self.ancestors = 0
        self.position = 0
        self.product: Step | None = None
        """Of a nest that runs on the blocks of a product: that step, right before."""

    @property
    def nest(self) -> Nest:
        return self.nests[0]


def reads(step: Step) -> list[Var]:
    """The stored arrays that a step reads."""
    if step.eqn is not None:
        return list(dict.fromkeys(x.base for x in step.operands if isinstance(x, View)))
    return list(dict.fromkeys(view.base for nest in step.nests for view in nest.loads.values()))


def writes(step: Step) -> list[Var]:
    """The stored arrays that a step writes."""
    if step.eqn is not None:
        return list(step.eqn.outputs)
    stored = [v for nest in step.nests for v in (*nest.stores, *[view.base for _, view in nest.copies])]
    return list(dict.fromkeys(stored))


class Schedule:
    """Steps in the order of execution, the stored variables' views, and what the outputs are."""

    def __init__(self, program: Program, steps: list[Step], outputs: list[Any]):
        self.program, self.steps = program, steps
        self.outputs = outputs
        """For each output of the Program: a Literal, an input Var, or a View of a stored Var (whole, contiguous)."""


class Steps:
    """Steps in the making: nests may be merged, and nothing may come to wait for itself."""

    def __init__(self) -> None:
        self.steps: list[Step | None] = []
        self.home: dict[Any, int] = {}
        """The step that makes a value (or that its view waits for)."""
        self.merged: dict[int, int] = {}
        self.position = 0

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

    def detour(self, a: Step, b: Step) -> bool:
        """Whether a third step lies on the way from a to b."""
        if not self.reaches(a, b):
            return False
        return any(
            s is not a and s is not b and self.reaches(a, s) and self.reaches(s, b)
            for s in self.near(min(a.number, b.number))
        )

    def ordered(self) -> list[Step]:
        """The steps in an order that runs, as near as can be to that of the Program."""
        steps = [s for s in self.steps if s is not None]
        waiting = {s.number: {self.find(n) for n in s.needs} - {s.number} for s in steps}
        readers: dict[int, list[Step]] = {}
        for s in steps:
            s.needs = set(waiting[s.number])
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
