"""Times of the steps of a compiled Program, counted while it runs."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

from ...compiler.cost import (
    Inner,
    Work,
    equation_work,
    flops_of,
    inner_programs,
    nbytes,
    nest_work,
    step_work,
    total,
    view_bytes,
)
from ...compiler.nest import Nest
from ...compiler.schedule import Step
from ...core.program import Equation, Program
from .control import schedule_of
from .emission import Emission
from .executable import Executable
from .limits import Limits, cycle_counter, limits
from .llvm import Function
from .steps import StepReader, has_native_form


class Timed(NamedTuple):
    """A step: its title, its seconds a run, and its shares."""

    title: str
    seconds: float
    shares: list[Share]


class Share(NamedTuple):
    """What an equation takes of its step's time, and its work; None for copies that belong to none."""

    eqn: Equation | None
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
        sharing = _Sharing(self.executable.inner_cycles(), self.limits)
        return [
            Timed(reader.title(s), median(seconds), sharing.shares(s, reader, Part(1.0, 1, True)))
            for s, seconds in zip(schedule.steps, zip(*self.seconds, strict=True), strict=True)
        ]


class _Writer(Emission):
    """Counts the cycles of the steps inside control flow as well."""

    counting = False

    def function(self, name: str, program: Program) -> Any:
        size = 8 * max(len(self.steps), 1)
        self.times = self.module.zeros(_times_of(name), size, internal=False)
        return super().function(name, program)

    def step(self, f: Function, n: int) -> None:
        if not self.prefix or self.counting:
            super().step(f, n)
            return
        self.counting = True
        self.timed(f, n)
        self.counting = False


def _times_of(name: str) -> str:
    return f"{name}_times"


class _Counted(Executable):
    """Counts the cycles of native steps, and the seconds of those that Python runs, in the last run."""

    writer = _Writer

    def __init__(self, program: Program):
        self.python: dict[int, float] = {}
        super().__init__(program, profile=True)

    def _link(self) -> None:
        self.inner = self.emitted.emission.module.inner
        if self.emitted.exports:
            self.emitted.exports.extend(_times_of(x.name) for x in self.inner.values())
        super()._link()

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
        """Count from zero; inside control flow the counts of all runs add up, since only their ratios matter."""
        if self.linked is not None:
            self.cycles()[:] = 0

    def counts(self) -> list[float]:
        """By step: cycles of native code, seconds of Python's."""
        count = len(self.schedule.steps)
        cycles = self.cycles().tolist() if self.linked is not None else [0] * count
        return [self.python.get(n, c) for n, c in enumerate(cycles)]

    def inner_cycles(self) -> dict[Program, list[int]]:
        """Cycles by step of each inner Program, of all runs."""
        found = {}
        for program, x in self.inner.items():
            assert self.linked is not None
            count = len(schedule_of(program).steps)
            array = (ctypes.c_int64 * count).from_address(self.linked.address[_times_of(x.name)])
            found[program] = list(array)
        return found


class Part(NamedTuple):
    """Of a step's time and runs: what goes to something inside."""

    weight: float
    trips: int
    exact: bool


class _Sharing:
    """Spreads the time of steps over equations: inside control flow as measured, inside a nest as the limits say."""

    def __init__(self, cycles: dict[Program, list[int]], limits: Limits):
        self.cycles, self.limits = cycles, limits

    def shares(self, step: Step, reader: StepReader, part: Part) -> list[Share]:
        """The equations of a step, those inside control flow too."""
        if step.eqn is not None and has_native_form(step.eqn) and inner_programs(step.eqn):
            return self.inside(inner_programs(step.eqn), part)
        works = _works(step, reader)
        estimates = [self.estimate(work) for _, work in works]
        whole = sum(estimates)
        return [
            Share(
                eqn, part.weight * t / whole, work.times(part.trips)._replace(exact=work.exact and part.exact)
            )
            for (eqn, work), t in zip(works, estimates, strict=True)
        ]

    def inside(self, programs: Sequence[Inner], part: Part) -> list[Share]:
        whole = sum(sum(self.cycles.get(x.program, ())) for x in programs)
        found = []
        for x in programs:
            schedule = schedule_of(x.program)
            reader, known = StepReader(schedule), x.trips is not None
            cycles = self.cycles.get(x.program) or [0] * len(schedule.steps)
            for step, c in zip(schedule.steps, cycles, strict=True):
                weight = part.weight * (c / whole if whole else 0.0)
                trips = part.trips * (x.trips if x.trips is not None else 1)
                found += self.shares(step, reader, Part(weight, trips, part.exact and known))
        return found if whole else [*found, Share(None, part.weight, Work())]

    def estimate(self, work: Work) -> float:
        """Seconds that operations and bytes in the nearest cache take; more than none."""
        return work.flops / self.limits.flops[4] + work.moved / self.limits.levels[0][1] + 1e-12


def _works(step: Step, reader: StepReader) -> list[tuple[Equation | None, Work]]:
    """The equations of a step that is no control flow, with their work."""
    if step.eqn is not None:
        inside = inner_programs(step.eqn)
        return [(step.eqn, equation_work(step.eqn) if inside else step_work(step, schedule_of))]
    found: dict[int, tuple[Equation | None, Work]] = {id(e): (e, Work()) for e in reader.equations(step)}
    found = found or {0: (None, Work())}
    for nest in step.nests:
        _spread(nest, found)
    return list(found.values())


def _spread(nest: Nest, found: dict[int, tuple[Equation | None, Work]]) -> None:
    """The work of a nest over its equations: bytes go to the first that reads, and to the one that writes."""
    waiting = {v: view_bytes(view) for v, view in nest.loads.items()}
    for e in nest.equations:
        read = sum(waiting.pop(v) for v in dict.fromkeys(e.inputs) if v in waiting)
        written = sum(nbytes(v.aval) for v in e.outputs if v in nest.stores)
        _give(found, id(e), Work(flops_of(e), read, written))
    stored = sum(nbytes(v.aval) for v in nest.stores)
    _give(found, next(reversed(found)), Work(0, sum(waiting.values()), nest_work(nest).written - stored))


def _give(found: dict[int, tuple[Equation | None, Work]], key: int, work: Work) -> None:
    eqn, before = found[key]
    found[key] = eqn, total((before, work))
