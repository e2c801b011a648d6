"""What the compiler did with a function: passes, kernels with what each fused, memory; as text, HTML and data."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..core.avals import format_bytes
from .cost import Cost, Work, flops_text, seconds_text, total
from .drawing import svg
from .graph import Graph
from .memory_report import MemoryReport, table


class Pass(NamedTuple):
    """One pass: its name, its time, and how many equations it left."""

    name: str
    seconds: float
    equations: int


class Line(NamedTuple):
    """A line of user code, and the primitives that it became in one step."""

    file: str
    line: int
    function: str
    text: str
    primitives: tuple[str, ...]

    def __str__(self) -> str:
        where = f"{self.file.rsplit('/', 1)[-1]}:{self.line} in {self.function}"
        return where + (f": {self.text}" if self.text else "")


@dataclass(frozen=True)
class StepReport:
    """A step of a compiled Program: a loop nest, an operation, control flow, or what Python runs."""

    number: int
    kind: str
    """nest, barrier, operation, control or python."""
    title: str
    equations: tuple[str, ...]
    """As they are printed in the simplified Program."""
    lines: tuple[Line, ...]
    reads: tuple[str, ...]
    """Arrays, as `name: type`."""
    writes: tuple[str, ...]
    work: Work
    limit: str
    """memory or arithmetic: which of them bounds its time; empty where nothing is known."""
    seconds: float
    """The time that this limit allows on this machine, at best."""
    chunks: int | None
    """Parts that may run in parallel; None for an operation, and its epilogue, which splits its work itself."""
    reason: str = ""
    """Why Python runs it."""
    inner: tuple[InnerReport, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            **self.__dict__,
            "lines": [x._asdict() for x in self.lines],
            "work": self.work._asdict(),
            "inner": [x.to_dict() for x in self.inner],
        }

    def numbers(self) -> tuple[str, ...]:
        """Operations, bytes read and written, the limit, for people."""
        w = self.work
        limit = f"{self.limit} {seconds_text(self.seconds)}" if self.limit else ""
        about = "" if w.exact else " a trip"
        chunks = f"{self.chunks} chunks" if self.chunks and self.chunks > 1 else ""
        return flops_text(w.flops) + about, format_bytes(w.read), format_bytes(w.written), limit, chunks


class InnerReport(NamedTuple):
    """The inside of control flow: a Program with its own steps."""

    role: str
    trips: int | None
    """None where only the run knows."""
    steps: tuple[StepReport, ...]

    def title(self) -> str:
        """For people."""
        if self.trips is None:
            return f"{self.role}, as often as the run says"
        return self.role if self.trips == 1 else f"{self.role}, {self.trips:,} times"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {"role": self.role, "trips": self.trips, "steps": [s.to_dict() for s in self.steps]}


@dataclass(frozen=True, repr=False)
class Explanation:
    """What became of a function for one signature. Prints as text; a notebook shows tables and the graph drawn."""

    name: str
    interpreted: str | None
    """Why it is not compiled, if it is not; then `program` is all there is to show."""
    program: str
    """The traced Program."""
    passes: tuple[Pass, ...]
    timings: tuple[tuple[str, float], ...]
    """Seconds of each part of compilation."""
    from_disk: bool | None
    """Whether the machine code came from the cache on disk; None where there was none to make."""
    machine: str
    segments: int
    """Native parts; between them Python runs steps."""
    steps: tuple[StepReport, ...]
    cost: Cost
    memory: MemoryReport
    graph: Graph

    def as_dot(self) -> str:
        """The graph of the steps in the language of Graphviz."""
        return self.graph.as_dot()

    def as_mermaid(self) -> str:
        """The graph of the steps as a Mermaid flowchart."""
        return self.graph.as_mermaid()

    def to_dict(self) -> dict[str, Any]:
        """Plain data: dicts, lists, text and numbers."""
        return {
            "name": self.name,
            "interpreted": self.interpreted,
            "program": self.program,
            "passes": [p._asdict() for p in self.passes],
            "timings": dict(self.timings),
            "from_disk": self.from_disk,
            "machine": self.machine,
            "segments": self.segments,
            "steps": [s.to_dict() for s in self.steps],
            "cost": self.cost.to_dict(),
            "memory": self.memory.to_dict(),
            "graph": self.graph.to_dict(),
        }

    def as_json(self) -> str:
        """The same as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    # Text

    def __repr__(self) -> str:
        if self.interpreted is not None:
            return "\n".join([self.head(), "", self.program, "", repr(self.cost), *self._memory_rows()])
        return "\n".join(
            [
                self.head(), "", *self._pass_rows(), self.compiling(), "",
                *_step_rows(shown(self.steps)), "", repr(self.cost), *self._memory_rows(),
            ]
        )  # fmt: skip

    def head(self) -> str:
        """What it is, in a line."""
        if self.interpreted is not None:
            return f"{self.name} is interpreted, one equation at a time: {self.interpreted}."
        python = sum(s.kind == "python" for s in self.steps)
        outside = f", {python} of them run by Python" if python else ""
        parts = "1 native call" if self.segments == 1 else f"{self.segments} native calls"
        return f"{self.name}: {_count(len(self.steps), 'step')}{outside}, in {parts}; {self.machine}"

    def compiling(self) -> str:
        """Times of compilation, in a line."""
        code = {None: "", True: " (machine code from the cache on disk)", False: " (machine code made anew)"}
        times = ", ".join(f"{name} {seconds_text(seconds)}" for name, seconds in self.timings)
        return f"compiled in {seconds_text(sum(s for _, s in self.timings))}: {times}{code[self.from_disk]}"

    def _pass_rows(self) -> list[str]:
        width = max(len(p.name) for p in self.passes)
        first = f"{'pass':<{width}}  equations        time"
        return [first, *(f"{p.name:<{width}}  {p.equations:>9}  {_time(p):>10}" for p in self.passes)]

    def _memory_rows(self) -> list[str]:
        rows = [f"  {name:<12} {text}" for name, text in self.memory.summary()]
        return ["memory, known before the run", *rows]

    # HTML

    def _repr_html_(self) -> str:
        head = f"<h4>{html.escape(self.head())}</h4>"
        memory = table(("memory, known before the run", ""), self.memory.summary()) + self.memory.svg()
        cost = f"<pre>{html.escape(repr(self.cost))}</pre>"
        if self.interpreted is not None:
            return f"<div>{head}<pre>{html.escape(self.program)}</pre>{cost}{memory}</div>"
        passes = table(("pass", "equations", "time"), [(p.name, p.equations, _time(p)) for p in self.passes])
        rows = [(*cells, "\n".join(map(str, s.lines))) for s, cells in _flat(shown(self.steps))]
        steps = table(_HEADS, rows).replace("\n", "<br>")
        graph = f'<div style="overflow:auto;max-height:700px">{svg(self.graph)}</div>'
        return (
            f"<div>{head}{graph}{_folded(_count(len(self.steps), 'step'), steps)}"
            f"{_folded(self.compiling(), passes)}{cost}{memory}</div>"
        )


_HEADS = ("", "step", "work", "read", "written", "limit on this machine", "parallel", "lines")
MANY = 80
"""Steps from which on like ones are shown as one."""
_EQUATIONS = 12
"""Primitives of a line that are named."""


def shown(steps: Sequence[StepReport]) -> Sequence[StepReport]:
    """The steps; of very many, those that are alike as one, with the work of all."""
    if len(steps) <= MANY:
        return steps
    alike: dict[Any, list[StepReport]] = {}
    for s in steps:
        alike.setdefault((sizeless(s.title), s.lines, s.reason), []).append(s)
    return [
        replace(
            group[0],
            title=together([s.title for s in group]),
            work=total(s.work for s in group),
            seconds=sum(s.seconds for s in group),
        )
        for group in alike.values()
    ]


def sizeless(title: str) -> str:
    """A title without its sizes."""
    return re.sub(r"\d+([x,\]]|$)", r"n\1", title)


def together(titles: Sequence[str]) -> str:
    """One title for several steps that differ in their sizes at most."""
    first = titles[0] if len(set(titles)) == 1 else sizeless(titles[0])
    return f"{len(titles)} x {first}" if len(titles) > 1 else first


def _step_rows(steps: Sequence[StepReport], indent: str = "") -> list[str]:
    """A line with the numbers of each step, and below it the lines of user code that it computes."""
    if not steps:
        return [indent + "nothing to compute"]
    cells = [(str(s.number), s.title, *s.numbers()) for s in steps]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[1] = min(widths[1], 64)
    rows = []
    if not indent:
        titles = ("", "step", "work", "read", "written", "limit", "")
        rows = ["  ".join(f"{t:<{w}}" for t, w in zip(titles, widths, strict=True)).rstrip()]
    for s, row in zip(steps, cells, strict=True):
        rows.append(indent + "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip())
        pad = indent + " " * (widths[0] + 4)
        if s.reason:
            rows.append(f"{pad}run by Python: {s.reason}")
        for x in s.lines:
            names = " ".join(x.primitives[:_EQUATIONS]) + " ..." * (len(x.primitives) > _EQUATIONS)
            rows.append(f"{pad}{x}   [{names}]")
        for inner in s.inner:
            rows += [f"{pad}{inner.title()}:", *_step_rows(inner.steps, pad + "  ")]
    return rows


def _flat(steps: Sequence[StepReport], prefix: str = "") -> Iterator[tuple[StepReport, tuple[str, ...]]]:
    """Steps and those inside them, with cells for a table."""
    for s in steps:
        title = f"{s.title} (run by Python: {s.reason})" if s.reason else s.title
        yield s, (f"{prefix}{s.number}", title, *s.numbers())
        for inner in s.inner:
            yield from _flat(inner.steps, f"{prefix}{s.number} {inner.role} ")


def _folded(title: str, content: str) -> str:
    return f"<details open><summary>{html.escape(title)}</summary>{content}</details>"


def _time(p: Pass) -> str:
    return seconds_text(p.seconds) if p.seconds else ""


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
