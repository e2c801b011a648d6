"""Times of the steps of a compiled Program, counted while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

from ...compiler.cost import (
    Work,
    equation_work,
    flops_of,
    inner_programs,
    nbytes,
    nest_work,
    step_work,
    view_bytes,
)
from ...compiler.fuse import Schedule, Step
from ...core.program import Equation, Program
from .control import schedule_of
from .executable import Executable
from .limits import Limits, cycle_counter, limits
from .steps import StepReader, has_native_form


class Timed(NamedTuple):
    """A step: its title, its seconds a run, and its shares."""

    title: str
    seconds: float
    shares: list[Share]


class Share(NamedTuple):
    """What an equation takes of its step's time, by the limits of the machine, and its work."""

    eqn: Equation
    weight: float
    work: Work


class Profiler:
    """Runs a Program with counters in its code; compiled anew, since counters cost a little."""

    def __init__(self, program: Program):
        self.executable = _Counted(program)
        self.counter = cycle_counter()
        self.limits = limits()

    def run(
        self, buffers: Sequence[Any], wanted: Callable[[int, float], bool]
    ) -> tuple[list[Any], list[float]]:
        """Runs until `wanted(runs, seconds)` is false, after one that does not count: the last results, all times."""
        run, times = self.executable.run, []
        results = run(buffers)
        counts = []
        first, start = self.counter(), time.perf_counter()
        while not times or wanted(len(times), sum(times)):
            results = []  # their memory serves again, as in a training loop
            self.executable.reset()
            before = time.perf_counter()
            results = run(buffers)
            times.append(time.perf_counter() - before)
            counts.append(self.executable.counts())
        cycle = (time.perf_counter() - start) / max(self.counter() - first, 1)
        python = self.executable.python
        self.seconds = [[c if n in python else c * cycle for n, c in enumerate(row)] for row in counts]
        return results, times

    def steps(self) -> list[Timed]:
        """Seconds of each step, the median of all runs."""
        schedule, reader = self.executable.schedule, StepReader(self.executable.schedule)
        return [
            Timed(reader.title(s), median(seconds), shares(s, reader, self.limits))
            for s, seconds in zip(schedule.steps, zip(*self.seconds, strict=True), strict=True)
        ]


class _Counted(Executable):
    """Counts the cycles of native steps, and the seconds of those that Python runs, in the last run."""

    def __init__(self, program: Program):
        self.python: dict[int, float] = {}
        super().__init__(program, profile=True)

    def _python_step(self, step: Step) -> tuple[Any, ...]:
        kernel, *rest = super()._python_step(step)
        number = next(n for n, s in enumerate(self.schedule.steps) if s is step)

        def timed(*operands: Any) -> Any:
            start = time.perf_counter()
            try:
                return kernel(*operands)
            finally:
                self.python[number] = time.perf_counter() - start

        return timed, *rest

    def reset(self) -> None:
        """Count from zero."""
        if self.linked is not None:
            self.cycles()[:] = 0

    def counts(self) -> list[float]:
        """By step: cycles of native code, seconds of Python's."""
        count = len(self.schedule.steps)
        cycles = self.cycles().tolist() if self.linked is not None else [0] * count
        return [self.python.get(n, c) for n, c in enumerate(cycles)]


def shares(step: Step, reader: StepReader, limits: Limits) -> list[Share]:
    """The equations of a step, those inside control flow too, each with its part of the time."""
    parts = _parts(step, reader, 1)
    seconds = [
        (eqn, work.flops / limits.flops[4] + work.moved / limits.levels[0][1] + 1e-12, work)
        for eqn, work in parts
    ]
    whole = sum(s for _, s, _ in seconds)
    return [Share(eqn, s / whole, work) for eqn, s, work in seconds]


def _parts(step: Step, reader: StepReader, trips: int) -> list[tuple[Equation, Work]]:
    """Equations with their work in one run."""
    if step.eqn is not None:
        inner = inner_programs(step.eqn)
        if inner and has_native_form(step.eqn):
            return [part for x in inner for part in _inside(schedule_of(x.program), trips * (x.trips or 1))]
        work = equation_work(step.eqn) if inner else step_work(step, schedule_of)
        return [(step.eqn, work.times(trips))]
    found: dict[int, tuple[Equation, Work]] = {id(e): (e, Work()) for e in reader.equations(step)}
    for nest in step.nests:
        _spread(nest, found)
    return [(eqn, work.times(trips)) for eqn, work in found.values()]


def _inside(schedule: Schedule, trips: int) -> list[tuple[Equation, Work]]:
    reader = StepReader(schedule)
    return [part for s in schedule.steps for part in _parts(s, reader, trips)]


def _spread(nest: Any, found: dict[int, tuple[Equation, Work]]) -> None:
    """The work of a nest over its equations: bytes go to the first that reads, and to the one that writes."""
    waiting = {v: view_bytes(view) for v, view in nest.loads.items()}
    for e in nest.equations:
        read = sum(waiting.pop(v) for v in dict.fromkeys(e.inputs) if v in waiting)
        written = sum(nbytes(v.aval) for v in e.outputs if v in nest.stores)
        eqn, work = found[id(e)]
        found[id(e)] = eqn, Work(work.flops + flops_of(e), work.read + read, work.written + written)
    rest = nest_work(nest)
    left = Work(0, sum(waiting.values()), rest.written - sum(nbytes(v.aval) for v in nest.stores))
    if found and left.moved:
        key = next(reversed(found))
        eqn, work = found[key]
        found[key] = eqn, Work(work.flops, work.read + left.read, work.written + left.written)
