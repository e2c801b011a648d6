"""What a Program does in numbers: floating-point operations, and bytes that have to move."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..core.avals import DYNAMIC, Aval, format_bytes
from ..core.program import Equation, Program, subprograms
from ..core.structure import Literal
from ..primitives.cond import cond_p
from ..primitives.dynamic_slicing import dynamic_slice
from ..primitives.gather_scatter import gather_p
from ..primitives.loop import loop_p
from .fuse import Schedule, Step
from .nest import Nest, View, numel

ScheduleOf = Callable[[Program], Schedule]
"""The schedule of an inner Program."""
_WINDOWED = {gather_p, dynamic_slice}
"""Primitives that read no more of their first operand than they write."""


class Work(NamedTuple):
    """Operations and bytes of a part of a Program."""

    flops: int = 0
    read: int = 0
    written: int = 0
    exact: bool = True
    """False where a length or a number of trips is known only at run time: then the numbers are for one trip."""

    @property
    def moved(self) -> int:
        """Bytes read and written."""
        return self.read + self.written

    def times(self, n: int) -> Work:
        """n times the same."""
        return Work(n * self.flops, n * self.read, n * self.written, self.exact)


def total(parts: Iterable[Work]) -> Work:
    """All of them together."""
    flops = read = written = 0
    exact = True
    for w in parts:
        flops, read, written, exact = flops + w.flops, read + w.read, written + w.written, exact and w.exact
    return Work(flops, read, written, exact)


@dataclass(frozen=True)
class Cost:
    """What one run takes: `flops`, and bytes that its kernels read and write, each array once a kernel."""

    name: str
    flops: int
    """Floating-point operations; an elementary function counts as the several that its formula takes."""
    read: int
    written: int
    arguments: int
    """Bytes of the inputs, constants closed over included."""
    results: int
    """Bytes of the results."""
    exact: bool
    """False where a number of trips is known only at run time: then the numbers are for one trip."""

    @property
    def moved(self) -> int:
        """Bytes read and written."""
        return self.read + self.written

    @property
    def intensity(self) -> float:
        """Operations per byte moved."""
        return self.flops / self.moved if self.moved else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {**self.__dict__, "moved": self.moved, "intensity": self.intensity}

    def __repr__(self) -> str:
        size = format_bytes
        least = "" if self.exact else "at least (loops whose trips only the run knows count once) "
        return "\n".join(
            [
                f"cost of {self.name}: {least}{flops_text(self.flops)}, {size(self.moved)} moved",
                f"  kernels read {size(self.read)} and write {size(self.written)}: "
                f"{self.intensity:.3g} operations per byte",
                f"  arguments {size(self.arguments)}, results {size(self.results)}",
            ]
        )


def program_sizes(program: Program) -> tuple[int, int, bool]:
    """Bytes of the inputs and constants, bytes of the results, and whether all are known."""
    inputs = [*program.in_avals, *[v.aval for v, _ in program.consts]]
    known = all(map(is_known, (*inputs, *program.out_avals)))
    return sum(map(nbytes, inputs)), sum(map(nbytes, program.out_avals)), known


def cost(program: Program, work: Work) -> Cost:
    """The cost of a Program whose steps together do `work`."""
    arguments, results, known = program_sizes(program)
    return Cost(program.name, work.flops, work.read, work.written, arguments, results, work.exact and known)


# Equations one by one, as an interpreter runs them


def equation_work(eqn: Equation) -> Work:
    """An equation that reads its operands and writes its results."""
    inner = inner_programs(eqn)
    if inner:
        return inner_work(eqn, lambda p: total(map(equation_work, p.equations)))
    avals = [v.aval for v in (*eqn.inputs, *eqn.outputs)]
    written = sum(nbytes(v.aval) for v in eqn.outputs)
    reads = [nbytes(v.aval) for v in eqn.inputs if type(v) is not Literal]
    return Work(flops_of(eqn), sum(_windowed(eqn, reads, written)), written, all(map(is_known, avals)))


def flops_of(eqn: Equation) -> int:
    """What the primitive says; 0 where it depends on a length that only the run knows."""
    try:
        return int(eqn.primitive.cost(*[v.aval for v in eqn.inputs], **eqn.params))
    except ValueError:
        return 0


class Inner(NamedTuple):
    """An inner Program of an equation: its role, and how often it runs (None: the run knows)."""

    role: str
    program: Program
    trips: int | None


def inner_programs(eqn: Equation) -> list[Inner]:
    """The Programs that an equation runs."""
    if not eqn.primitive.calls:
        return []
    if eqn.primitive is loop_p:
        found = [Inner("body", eqn.params["body"], eqn.params["length"])]
        cond = eqn.params["cond"]
        return found if cond is None else [*found, Inner("condition", cond, None)]
    if eqn.primitive is cond_p:
        return [Inner(f"branch {n}", p, 1) for n, p in enumerate(eqn.params["branches"])]
    return [Inner(name, p, 1) for name, p in subprograms(eqn.params)]


def inner_work(eqn: Equation, work_of: Callable[[Program], Work]) -> Work:
    """The work inside an equation: all trips of a loop, the costliest branch of a cond."""
    parts = [_trips(work_of(x.program), x.trips) for x in inner_programs(eqn)]
    if eqn.primitive is cond_p:
        return max(parts, key=lambda w: (w.flops, w.moved))._replace(exact=all(w.exact for w in parts))
    return total(parts)


def _trips(work: Work, trips: int | None) -> Work:
    return work._replace(exact=False) if trips is None else work.times(trips)


# Steps of a schedule


def schedule_work(schedule: Schedule, schedule_of: ScheduleOf) -> Work:
    """All steps together."""
    return total(step_work(s, schedule_of) for s in schedule.steps)


def step_work(step: Step, schedule_of: ScheduleOf) -> Work:
    """A step: its nests, or its operation."""
    if step.eqn is None:
        return total(map(nest_work, step.nests))
    if inner_programs(step.eqn):
        return inner_work(step.eqn, lambda p: schedule_work(schedule_of(p), schedule_of))
    known = all(is_known(v.aval) for v in (*step.eqn.inputs, *step.eqn.outputs))
    written = sum(nbytes(v.aval) for v in step.eqn.outputs)
    reads = [view_bytes(x) for x in step.operands if isinstance(x, View)]
    return Work(flops_of(step.eqn), sum(_windowed(step.eqn, reads, written)), written, known)


def nest_work(nest: Nest) -> Work:
    """A nest reads each operand and writes each result once, whatever it computes in between."""
    flops = sum(map(flops_of, nest.equations))
    read = sum(map(view_bytes, nest.loads.values()))
    written = sum(nbytes(v.aval) for v in nest.stores)
    written += sum(numel(view.shape) * view.base.aval.dtype.itemsize for _, view in nest.copies)
    return Work(flops, read, written)


def _windowed(eqn: Equation, reads: list[int], written: int) -> list[int]:
    if eqn.primitive in _WINDOWED and reads:
        return [min(reads[0], written), *reads[1:]]
    return reads


def view_bytes(view: View) -> int:
    """Bytes of the distinct elements that a view shows."""
    aval = view.base.aval
    if not is_known(aval):
        return 0
    count = numel([d for d, s in zip(view.shape, view.strides, strict=True) if s != 0 or d == 0])
    return min(count, aval.size) * aval.dtype.itemsize


def is_known(aval: Aval) -> bool:
    """Whether its size is known before the run."""
    return DYNAMIC not in aval.shape


def nbytes(aval: Aval) -> int:
    """Its bytes, or 0 where only the run knows them."""
    return aval.nbytes if is_known(aval) else 0


def flops_text(n: float) -> str:
    """A count of operations with a decimal unit.

    >>> flops_text(54), flops_text(2_500_000)
    ('54 flops', '2.5 Mflops')
    """
    for power, unit in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if n >= 10**power:
            return f"{n / 10**power:.3g} {unit}flops"
    return f"{n:.3g} flops"


def seconds_text(s: float) -> str:
    """A time with a decimal unit.

    >>> seconds_text(0.0123), seconds_text(4.2e-7)
    ('12.3 ms', '420 ns')
    """
    for power, unit in ((0, "s"), (-3, "ms"), (-6, "us")):
        if s >= 10.0**power:
            return f"{s / 10.0**power:.3g} {unit}"
    return f"{s * 1e9:.3g} ns"
