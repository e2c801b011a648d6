"""Reports on compiled Programs: what `f.lower(*args)` shows comes from here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ...compiler.cost import Cost, cost as cost_of, equation_work, schedule_work, total
from ...compiler.explain import Explanation, Pass
from ...compiler.memory_report import MemoryReport
from ...compiler.schedule import Schedule
from ...compiler.simplify import Stage, simplified
from ...core import executor
from ...core.errors import ArgumentError, brief, lines
from ...core.program import Program, format_program
from . import threads
from .control import schedule_of
from .emission import Segment
from .engine import engine, host
from .epilogues import scheduled
from .executable import Executable
from .limits import limits
from .memory import interpreted_memory, planned_memory
from .steps import StepReader, program_graph, schedule_text

_LATE = ("simplified", "fused", "llvm", "assembly")


def text(lowered: Any, stage: str) -> str:
    """The Program at a stage of compilation."""
    compiled = executable(lowered.program)
    stages = named_stages(compiled.stages)
    if isinstance(stage, str) and stage in stages:
        return format_program(stages[stage])
    if stage == "simplified":
        return format_program(compiled.stages[-1].program)
    if stage == "fused":
        return schedule_text(compiled)
    if stage == "llvm":
        return compiled.emitted.text
    if stage == "assembly":
        return engine().assembly(compiled.emitted.text)
    raise ArgumentError(
        lines(f"{brief(stage)} is no stage of compilation.", f"Stages: {', '.join([*stages, *_LATE])}.")
    )


def named_stages(stages: Iterable[Stage]) -> dict[str, Program]:
    """Programs by pass; a pass that runs again has a number behind its name."""
    seen: Counter[str] = Counter()
    found = {}
    for s in stages:
        seen[s.name] += 1
        found[s.name if seen[s.name] == 1 else f"{s.name} {seen[s.name]}"] = s.program
    return found


def executable(program: Program) -> Executable:
    """The same that runs it."""
    found: Any = executor.executable(program)
    return found  # type: ignore[no-any-return]


def schedule(program: Program) -> Schedule:
    """Of a compiled Program, or made for the purpose, which takes no code generation."""
    compiled = program.cache.get("executable")
    if compiled is not None:
        return compiled.schedule  # type: ignore[no-any-return]
    return program.once("schedule", lambda: scheduled(simplified(program)))


def cost(lowered: Any) -> Cost:
    """Operations and bytes of the kernels; of the equations one by one, where they are interpreted."""
    program = lowered.program
    if lowered.interpreted is not None:
        return cost_of(program, total(map(equation_work, program.equations)))
    return cost_of(program, schedule_work(schedule(program), schedule_of))


def memory(lowered: Any) -> MemoryReport:
    """The memory plan."""
    if lowered.interpreted is not None:
        return interpreted_memory(lowered)
    return planned_memory(lowered, executable(lowered.program))


def explain(lowered: Any) -> Explanation:
    """Everything that is known of the compiled Program."""
    program = lowered.program
    parts: dict[str, Any] = {
        "name": program.name, "interpreted": lowered.interpreted, "program": format_program(program),
        "cost": cost(lowered), "memory": memory(lowered),
    }  # fmt: skip
    if lowered.interpreted is not None:
        nothing: dict[str, Any] = {
            "passes": (),
            "timings": (),
            "from_disk": None,
            "machine": "",
            "segments": 0,
        }
        graph = program_graph(program, lowered.names)
        return Explanation(**parts, **nothing, steps=(), graph=graph)
    compiled = executable(program)
    reader = StepReader(compiled.schedule, limits())
    return Explanation(
        **parts,
        passes=tuple(_passes(compiled.stages)),
        timings=tuple((t.name, t.seconds) for t in compiled.timings),
        from_disk=compiled.from_disk,
        machine=machine(),
        segments=sum(isinstance(p, Segment) for p in compiled.emitted.parts),
        steps=reader.steps(),
        graph=reader.graph(lowered.names),
    )


def machine() -> str:
    """What code is generated for, and what it can do at best."""
    m = host()
    return f"{m.cpu}, vectors of {m.vector_bytes} bytes, {threads.num_threads()} threads, {limits()}"


def _passes(stages: Sequence[Stage]) -> Iterable[Pass]:
    for name, s in zip(named_stages(stages), stages, strict=True):
        yield Pass(name, s.seconds, len(s.program.equations))
