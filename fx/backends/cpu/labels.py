"""What memory of a compiled Program is for: named in messages and listings of the pool."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from ...compiler.memory_plan import Interval
from ...core.avals import format_bytes
from ...core.errors import OutOfMemoryError, lines
from ...core.program import Equation, Var, format_equation
from ...core.source import describe


class Label:
    """A result of a Program, or its temporaries: the equation that made it, and the user's line."""

    __slots__ = ("eqn", "what")

    def __init__(self, what: str, eqn: Equation | None):
        self.what, self.eqn = what, eqn

    def describe(self) -> str:
        """One line."""
        if self.eqn is None:
            return self.what
        where = describe(self.eqn.source)
        return f"{self.what}, {format_equation(self.eqn)}" + (f", {where}" if where else "")


def labels_of(executable: Any) -> dict[Var, Label]:
    """For each stored variable that is an array of its own."""
    program, schedule = executable.program, executable.schedule
    made = {v: e for e in schedule.program.equations for v in e.outputs}
    for output, v in zip(schedule.outputs, schedule.program.outputs, strict=True):
        if v in made and getattr(output, "base", None) not in made:
            made[getattr(output, "base", v)] = made[v]
    what = f"a result of {program.name}"
    return {v: Label(what, made.get(v)) for v in executable.emitted.registers}


def arena_label(executable: Any) -> Label:
    """Of the temporaries together: it names the largest."""
    intervals: Sequence[Interval] = executable.emitted.intervals
    what = f"the temporaries of {executable.program.name}"
    if not intervals:
        return Label(what, None)
    largest = max(intervals, key=lambda x: x.nbytes)
    eqn = _equation(executable, largest.key)
    return Label(f"{what}, of which the largest takes {format_bytes(largest.nbytes)}", eqn)


def _equation(executable: Any, key: Hashable) -> Equation | None:
    if isinstance(key, Var):
        return next((e for e in executable.schedule.program.equations if key in e.outputs), None)
    step = executable.schedule.steps[key[1]]  # type: ignore[index]
    found: Equation | None = step.eqn if step.eqn is not None else next(iter(step.nest.equations), None)
    return found


def out_of_memory(name: str, eqn: Equation, error: MemoryError) -> OutOfMemoryError:
    """For a step that Python runs."""
    return OutOfMemoryError(
        lines(
            f"{name}: not enough memory for {format_equation(eqn)}.",
            describe(eqn.source),
            str(error) or None,
            "Work on parts of it (fx.vmap(f, chunk=...), fx.lax.map), or recompute: fx.checkpoint.",
        )
    )
