"""The steps of a schedule as reports: what each fused, reads, writes and computes, what limits it, and the graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...compiler.cost import inner_programs, step_work
from ...compiler.explain import InnerReport, Line, StepReport
from ...compiler.graph import Edge, Graph, Node
from ...compiler.kinds import is_static
from ...compiler.nest import View
from ...compiler.schedule import Schedule, Step, reads, writes
from ...core.program import Equation, Program, Var, _Names as Names, format_equation
from ...core.source import Source
from ...core.structure import Literal
from .control import is_native, native_steps, schedule_of
from .limits import Limits
from .loops import Plan
from .operations import OPERATIONS
from .target import operation_for


def names_of(program: Program) -> Names:
    """Names of variables as the printed Program has them."""
    names = Names()
    for v in (*program.inputs, *[v for v, _ in program.consts]):
        names(v)
    for eqn in program.equations:
        format_equation(eqn, names)
    return names


class StepReader:
    """Reads a schedule, `inside` control flow or not; with `limits`, estimates the times of its steps."""

    def __init__(self, schedule: Schedule, limits: Limits | None = None, inside: bool = False):
        self.schedule, self.limits = schedule, limits
        native = [True] * len(schedule.steps) if inside else native_steps(schedule)
        self.kinds = [kind_of(s) if on else "python" for s, on in zip(schedule.steps, native, strict=True)]
        self.names = names_of(schedule.program)
        self.makers = {v: e for e in schedule.program.equations for v in e.outputs}

    def steps(self) -> tuple[StepReport, ...]:
        """In the order of execution."""
        return tuple(self.step(n, s) for n, s in enumerate(self.schedule.steps))

    def step(self, n: int, step: Step) -> StepReport:
        equations = self.equations(step)
        work = step_work(step, schedule_of)
        inner = self.inner(step)
        limit, seconds = self.bound(work, equations, inner)
        return StepReport(
            number=n,
            kind=self.kinds[n],
            title=self.title(step),
            equations=tuple(format_equation(e, self.names) for e in equations),
            lines=lines_of(equations),
            reads=tuple(self.array(v) for v in reads(step)),
            writes=tuple(self.array(v) for v in writes(step)),
            work=work,
            limit=limit,
            seconds=seconds,
            chunks=chunks_of(step),
            reason=why_python(step.eqn) if step.eqn is not None and self.kinds[n] == "python" else "",
            inner=inner,
        )

    def equations(self, step: Step) -> list[Equation]:
        """What a step computes: its own equations, or those whose results it copies."""
        if step.eqn is not None:
            return [step.eqn]
        found = {id(e): e for nest in step.nests for e in nest.equations}
        for nest in step.nests:
            for x, view in nest.copies:
                origin = nest.loads[x].base if x in nest.loads else x
                eqn = self.makers.get(view.base) or self.makers.get(origin)
                if eqn is not None:
                    found[id(eqn)] = eqn
        return list(found.values())

    def inner(self, step: Step) -> tuple[InnerReport, ...]:
        """The steps inside control flow; where Python runs it, its Programs are compiled on their own."""
        return tuple(
            InnerReport(x.role, x.trips, StepReader(schedule_of(x.program), self.limits, inside=True).steps())
            for x in (inner_programs(step.eqn) if step.eqn is not None else ())
        )

    def bound(
        self, work: Any, equations: Sequence[Equation], inner: Sequence[InnerReport]
    ) -> tuple[str, float]:
        """The limit of a step and its time; of control flow, that of what is inside."""
        if self.limits is None or not work.moved:
            return "", 0.0
        if not inner:
            return self.limits.bound(work.flops, work.moved, _float_bytes(equations))
        parts = [(s.seconds * (i.trips or 1), s.limit) for i in inner for s in i.steps]
        seconds = sum(s for s, _ in parts)
        return max(parts, default=(0.0, ""))[1], seconds

    def array(self, v: Var) -> str:
        return f"{self.names(v)}: {v.aval}"

    def title(self, step: Step) -> str:
        if step.eqn is not None:
            return operation_title(step.eqn)
        sizes = ", ".join("x".join(map(str, nest.shape)) or "scalar" for nest in step.nests)
        if not step.nests:
            return "barrier"
        if any(nest.equations for nest in step.nests):
            return f"nest {sizes}" + (" on the product's blocks" if step.product else "")
        made = [self.makers[v].primitive.name for v in writes(step) if v in self.makers]
        return f"{made[0] if made else 'copy'} {sizes}"

    # The graph

    def graph(self, arguments: Sequence[str]) -> Graph:
        """Arguments, steps and results, and the arrays between them."""
        program = self.schedule.program
        nodes, edges = [], []
        maker: dict[Any, str] = {}
        used = {v for s in self.schedule.steps for v in reads(s)} | set(self.schedule.outputs)
        inputs = [*program.inputs, *[v for v, _ in program.consts]]
        for i, v in enumerate(inputs):
            maker[v] = f"a{i}"
            if v in used:
                kind = "argument" if i < len(arguments) else "constant"
                title = arguments[i] if i < len(arguments) else f"constant {self.names(v)}"
                nodes.append(Node(maker[v], kind, title, str(v.aval)))
        for n, step in enumerate(self.schedule.steps):
            key = f"s{n}"
            nodes.append(Node(key, _KINDS[self.kinds[n]], f"{n} {self.title(step)}", self.summary(step)))
            edges += [Edge(maker[v], key, self.array(v)) for v in reads(step) if v in maker]
            maker.update((v, key) for v in writes(step))
        for i, o in enumerate(self.schedule.outputs):
            title = f"result {i}"
            if type(o) is Literal:
                nodes.append(Node(f"r{i}", "result", title, f"{o} {o.aval}"))
                continue
            v = o.base if isinstance(o, View) else o
            nodes.append(Node(f"r{i}", "result", title, str(v.aval)))
            edges.append(Edge(maker[v], f"r{i}", self.array(v)))
        return Graph(program.name, tuple(nodes), tuple(edges))

    def summary(self, step: Step) -> str:
        """The primitives of a step, the first few."""
        names = list(dict.fromkeys(e.primitive.name for e in self.equations(step)))
        if step.eqn is not None:
            return ", ".join(str(v.aval) for v in step.eqn.outputs[:2])
        return " ".join(names[:6]) + (" ..." if len(names) > 6 else "")


_KINDS = {
    "nest": "nest", "operation": "operation", "control": "control", "python": "python", "barrier": "nest",
}  # fmt: skip


def program_graph(program: Program, arguments: Sequence[str]) -> Graph:
    """The graph of a Program that is interpreted: every equation is a step."""
    names, maker, nodes, edges = names_of(program), {}, [], []
    for i, v in enumerate((*program.inputs, *[v for v, _ in program.consts])):
        maker[v] = f"a{i}"
        title = arguments[i] if i < len(arguments) else f"constant {names(v)}"
        nodes.append(Node(maker[v], "argument" if i < len(arguments) else "constant", title, str(v.aval)))
    for n, eqn in enumerate(program.equations):
        key = f"s{n}"
        nodes.append(Node(key, "python", eqn.primitive.name, ", ".join(str(v.aval) for v in eqn.outputs[:2])))
        edges += [Edge(maker[v], key, f"{names(v)}: {v.aval}") for v in eqn.inputs if type(v) is not Literal]
        maker.update((v, key) for v in eqn.outputs)
    for i, v in enumerate(program.outputs):
        nodes.append(Node(f"r{i}", "result", f"result {i}", str(v.aval)))
        if type(v) is not Literal:
            edges.append(Edge(maker[v], f"r{i}", f"{names(v)}: {v.aval}"))
    return Graph(program.name, tuple(nodes), tuple(edges))


# What a step is


def kind_of(step: Step) -> str:
    """nest, barrier, operation, control or python."""
    if step.eqn is None:
        return "nest" if step.nests else "barrier"
    if operation_for(step.eqn) is not None:
        return "operation"
    return "control" if is_native(step.eqn) else "python"


def has_native_form(eqn: Equation) -> bool:
    """Whether an equation that is a step of its own is native code."""
    return operation_for(eqn) is not None or is_native(eqn)


def chunks_of(step: Step) -> int | None:
    """Parts of a nest that may run in parallel; what works on a product's blocks is split as that is."""
    if step.eqn is not None or step.product is not None:
        return None
    return max((Plan(nest).chunks for nest in step.nests), default=1)


def operation_title(eqn: Equation) -> str:
    """The primitive with its operands."""
    spec = eqn.params.get("spec")
    operands = " ".join(str(v.aval) for v in eqn.inputs[:4]) + (" ..." if len(eqn.inputs) > 4 else "")
    return " ".join(filter(None, (eqn.primitive.name, spec if isinstance(spec, str) else "", operands)))


def why_python(eqn: Equation) -> str:
    """Why an equation has no native form here."""
    name = eqn.primitive.name
    if "callback" in eqn.params:
        return f"{name} calls a Python function"
    for x in inner_programs(eqn):
        for inner in schedule_of(x.program).steps:
            if inner.eqn is not None and not has_native_form(inner.eqn):
                return f"in its {x.role}, {why_python(inner.eqn)}"
    if not is_static(eqn):
        shared = ", and shares it with a step that Python runs" if is_native(eqn) else ""
        return f"{name} has an axis whose length only the run knows{shared}"
    operands = ", ".join(str(v.aval) for v in eqn.inputs)
    if name not in OPERATIONS:
        return f"there is no native form of {name} of {operands}"
    return f"the native form of {name} does not take {operands} with these parameters"


def _float_bytes(equations: Iterable[Equation]) -> int:
    """Bytes of the widest real number that equations compute with."""
    dtypes = {v.aval.dtype for e in equations for v in (*e.inputs, *e.outputs)}
    return max((d.itemsize // (1 + (d.kind == "c")) for d in dtypes if d.kind in "fc"), default=4)


# User lines


def lines_of(equations: Iterable[Equation]) -> tuple[Line, ...]:
    """The lines that equations come from, in order, with the primitives of each."""
    found: dict[tuple[str, int], tuple[Source, list[str]]] = {}
    for e in equations:
        if e.source is not None:
            found.setdefault((e.source.file, e.source.line), (e.source, []))[1].append(e.primitive.name)
    return tuple(
        Line(file, number, source.code.co_name, source.text, tuple(names))
        for (file, number), (source, names) in found.items()
    )


def line_of(eqn: Equation | None) -> str:
    """The line of one equation, as text."""
    return "" if eqn is None or eqn.source is None else str(lines_of([eqn])[0])


def schedule_text(executable: Any) -> str:
    """The fused Program: steps with their equations."""
    steps = StepReader(executable.schedule).steps()
    return "\n".join([f"schedule of {executable.program.name}: {len(steps)} steps", *_rows(steps, "  ")])


def _rows(steps: Sequence[StepReport], pad: str) -> list[str]:
    rows = []
    for s in steps:
        rows.append(f"{pad}{s.number} {s.title}" + (f"   # run by Python: {s.reason}" if s.reason else ""))
        rows += [
            f"{pad}    {what} {', '.join(x)}" for what, x in (("reads", s.reads), ("writes", s.writes)) if x
        ]
        rows += [f"{pad}      {text}" for text in s.equations]
        for inner in s.inner:
            rows += [f"{pad}    {inner.title()}:", *_rows(inner.steps, pad + "      ")]
    return rows
