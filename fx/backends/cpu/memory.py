"""The memory of one run of a compiled Program, read off its plan; or of an interpreted one, off its equations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...compiler.cost import is_known, nbytes
from ...compiler.memory_plan import peak
from ...compiler.memory_report import (
    AFTER,
    ARGUMENT,
    CONSTANT,
    DONATED,
    RESULT,
    TEMPORARY,
    WORKING,
    Buffer,
    MemoryReport,
    after,
    alive,
)
from ...compiler.nest import View
from ...compiler.schedule import Step, reads
from ...core import tree
from ...core.program import Program, Var
from ...core.structure import Literal
from .control import grows
from .executable import KEPT_ARENA
from .steps import StepReader, line_of, names_of, operation_title


def planned_memory(lowered: Any, executable: Any) -> MemoryReport:
    """What the plan of an executable takes."""
    return _Planned(lowered, executable).report()


class _Planned:
    def __init__(self, lowered: Any, executable: Any):
        self.lowered, self.schedule = lowered, executable.schedule
        self.shared = executable.shared
        self.emitted, self.emission = executable.emitted, executable.emitted.emission
        self.program: Program = self.schedule.program
        self.reader = StepReader(self.schedule)
        self.last = max(len(self.schedule.steps) - 1, 0)
        self.exact = True

    def report(self) -> MemoryReport:
        given = inputs(self.lowered, self.program, self.names_of_inputs(), self.emission.last)
        stored = self.stored()
        reused = self.emission.reusable(self.lowered.donated)
        donated = 0
        for result, source in reused.items():
            note = DONATED + self.input_name(source)
            v, buffer = stored[result]
            stored[result] = v, after(buffer, note)
            donated += buffer.nbytes
        copies = {i: self.copy(i) for i in self.lowered.strided if self.native_readers(i)}
        returned = self.returned()
        made = [b for _, b in stored.values()]
        buffers = [*given, *copies.values(), *made, *returned, *self.temporaries()]
        fresh = [b for r, (_, b) in stored.items() if b.kind == RESULT and r not in reused]
        end = sum(b.nbytes for b in (*fresh, *returned))
        end += self.emitted.arena.nbytes if self.emitted.arena.nbytes <= KEPT_ARENA else 0
        variables = [*self.program.inputs, *[v for v, _ in stored.values()]]
        exact = not grows(self.program) and all(is_known(v.aval) for v in variables)
        python = [s for s in self.emitted.parts if isinstance(s, Step) and not _is_callback(s)]
        return MemoryReport(
            name=self.program.name,
            steps=tuple(self.reader.title(s) for s in self.schedule.steps),
            buffers=tuple(sorted(buffers, key=lambda b: b.first)),
            peak=sum(b.nbytes for b in given) + max(end, self.most(stored, set(reused), copies)),
            arena=self.emitted.arena.nbytes,
            least=peak(self.emitted.intervals),
            donated=donated,
            planned=True,
            exact=exact,
            unplanned=", ".join(dict.fromkeys(s.eqn.primitive.name for s in python if s.eqn is not None)),
        )

    def native_readers(self, i: int) -> list[int]:
        """The steps of native code that read an input."""
        steps = self.schedule.steps
        return [
            n for n, s in enumerate(steps) if self.emission.native[n] and self.program.inputs[i] in reads(s)
        ]

    def copy(self, i: int) -> Buffer:
        """What native code reads instead of an input that is not in row-major order."""
        aval, first = self.program.inputs[i].aval, self.native_readers(i)[0]
        name = f"{self.input_name(i)} in row-major order"
        return Buffer(name, TEMPORARY, str(aval), nbytes(aval), first, self.last)

    def most(self, stored: dict[int, tuple[Var, Buffer]], reused: set[int], copies: dict[int, Buffer]) -> int:
        """The most bytes that a run holds of its own: a native part takes its results when it begins."""
        waiting = dict(copies)
        most = held = self.emitted.arena.nbytes
        for part in self.emitted.parts:
            if isinstance(part, Step):
                assert part.eqn is not None
                new, working = [self.emitted.registers[v] for v in part.eqn.outputs], _working(part)
            else:
                new, working = part.writes, 0
                held += sum(waiting.pop(r).nbytes for r in part.reads if r in waiting)
            held += sum(stored[r][1].nbytes for r in new if r not in reused)
            most = max(most, held + working)
        return most

    def names_of_inputs(self) -> list[str]:
        return [self.input_name(i) for i in range(len(self.program.inputs))]

    def input_name(self, i: int) -> str:
        names = self.lowered.names
        return names[i] if i < len(names) else f"constant {self.reader.names(self.program.inputs[i])}"

    def stored(self) -> dict[int, tuple[Var, Buffer]]:
        """Arrays of their own, by register: results, and what passes between native code and Python."""
        names = result_names(self.lowered)
        results = {o.base: names[i] for i, o in enumerate(self.schedule.outputs) if isinstance(o, View)}
        before = {*self.program.inputs, *[v for v, _ in self.program.consts]}
        returned = {o for o in self.schedule.outputs if isinstance(o, Var)}
        found = {}
        for v, register in self.emitted.registers.items():
            if v in before:
                continue
            kind = RESULT if v in results or v in returned else TEMPORARY
            name = results.get(v) or self.value_name(v)
            first = self.emission.born.get(v, 0)
            where, before = line_of(self.maker(v)), [self.value_name(u) for u in self.before(v)]
            note = f"first, in its place, {', '.join(before)}" if before else ""
            found[register] = (
                v,
                Buffer(name, kind, str(v.aval), nbytes(v.aval), first, self.last, where, note),
            )
        return found

    def before(self, v: Var) -> list[Var]:
        """The temporaries that become v in place."""
        return [u for u, key in self.emission.same.items() if key is v]

    def returned(self) -> list[Buffer]:
        """Results that are inputs: copies, after the run, where the array is the caller's own or a constant's."""
        names, found = result_names(self.lowered), []
        for n, roots in self.shared.items():
            o = self.schedule.outputs[n]
            if type(o) is Var and any(i is None or i in self.lowered.foreign for i in roots):
                name = f"{names[n]}, a copy of an argument that its owner may change"
                found.append(Buffer(name, RESULT, str(o.aval), nbytes(o.aval), AFTER, AFTER))
        return found

    def maker(self, v: Var) -> Any:
        """The equation that made a variable; of a copy, that of the output it stands for."""
        found = self.reader.makers.get(v)
        if found is None:
            outputs = zip(self.schedule.outputs, self.program.outputs, strict=True)
            found = next(
                (self.reader.makers.get(x) for o, x in outputs if getattr(o, "base", None) is v), None
            )
        return found

    def value_name(self, v: Var) -> str:
        eqn = self.maker(v)
        return self.reader.names(v) + (f" = {eqn.primitive.name}" if eqn is not None else "")

    def temporaries(self) -> list[Buffer]:
        """What lies in the arena."""
        others: dict[Any, list[str]] = {}
        for v, key in self.emission.same.items():
            others.setdefault(key, []).append(self.value_name(v))
        found = []
        for x in self.emitted.intervals:
            offset = self.emitted.arena.offsets[x.key]
            if isinstance(x.key, Var):
                v, eqn = x.key, self.maker(x.key)
                note = f"then, in place, {', '.join(others[v])}" if v in others else ""
                name, kind, array = self.value_name(v), TEMPORARY, str(v.aval)
            else:
                step = self.schedule.steps[x.key[1]]  # type: ignore[index]
                eqn, note, kind, array = next(iter(self.reader.equations(step)), None), "", WORKING, ""
                name = f"of {operation_title(step.eqn) if step.eqn is not None else self.reader.title(step)}"
            found.append(Buffer(name, kind, array, x.nbytes, x.first, x.last, line_of(eqn), note, offset))
        for n, step in enumerate(self.schedule.steps):
            if step.eqn is not None and _is_callback(step) and _working(step):
                name = f"of {operation_title(step.eqn)}"
                found.append(Buffer(name, WORKING, "", _working(step), n, n, line_of(step.eqn)))
        return found


def _is_callback(step: Step) -> bool:
    return step.eqn is not None and "callback" in step.eqn.params


def _working(step: Step) -> int:
    """Bytes that a callback takes beside its results: it gets copies of its operands."""
    assert step.eqn is not None
    return sum(nbytes(v.aval) for v in step.eqn.inputs) if _is_callback(step) else 0


def inputs(lowered: Any, program: Program, names: Sequence[str], last: dict[Any, int]) -> list[Buffer]:
    """Arguments and constants, which the caller holds."""
    kinds = [ARGUMENT if i < len(lowered.names) else CONSTANT for i in range(len(program.inputs))]
    variables = [*program.inputs, *[v for v, _ in program.consts]]
    kinds += [CONSTANT] * len(program.consts)
    titles = [*names, *["constant"] * len(program.consts)]
    return [
        Buffer(name, kind, str(v.aval), nbytes(v.aval), -1, last.get(v, -1))
        for v, kind, name in zip(variables, kinds, titles, strict=True)
    ]


def result_names(lowered: Any) -> list[str]:
    """`result`, or with the path of the leaf."""
    return ["result" + tree.keystr(path) for path in lowered.out_tree.paths()]


def interpreted_memory(lowered: Any) -> MemoryReport:
    """Each value lives from its equation to its last reader; views share the memory of what they show."""
    program: Program = lowered.program
    names = names_of(program)
    root: dict[Any, Any] = {}
    last: dict[Any, int] = {}
    end = max(len(program.equations) - 1, 0)
    for n, eqn in enumerate(program.equations):
        for v in eqn.inputs:
            if type(v) is not Literal:
                last[root.get(v, v)] = n
        if eqn.primitive.view and not eqn.primitive.multiple and type(eqn.inputs[0]) is not Literal:
            root[eqn.outputs[0]] = root.get(eqn.inputs[0], eqn.inputs[0])
    results = {root.get(v, v) for v in program.outputs if type(v) is not Literal}
    count = len(lowered.names)
    titles = [*lowered.names, *[f"constant {names(v)}" for v in program.inputs[count:]]]
    given, made = inputs(lowered, program, titles, last), []
    for n, eqn in enumerate(program.equations):
        for v in eqn.outputs:
            if v not in root:
                kind, until = (RESULT, end) if v in results else (TEMPORARY, last.get(v, n))
                name = f"{names(v)} = {eqn.primitive.name}"
                made.append(Buffer(name, kind, str(v.aval), nbytes(v.aval), n, until, line_of(eqn)))
    return MemoryReport(
        name=program.name,
        steps=tuple(e.primitive.name for e in program.equations),
        buffers=(*given, *made),
        peak=sum(b.nbytes for b in given) + max(alive(made, end + 1)),
        arena=0,
        least=0,
        donated=0,
        planned=False,
        exact=all(is_known(v.aval) for e in program.equations for v in e.outputs),
    )
