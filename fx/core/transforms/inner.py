"""Tracing the functions that control flow takes, and small changes to the Programs they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import given, tree
from ..avals import Aval
from ..program import Program, Var, closed_program, record_program
from ..structure import Abstract
from ..trace import Trace, Tracer, current_trace
from .arguments import check_outputs, name_of
from .forward import rewrite


class Inner:
    """A traced inner function: its closed Program (operands, then what it closes over) and output structure."""

    def __init__(self, kind: str, fun: Callable[..., Any], avals: Sequence[Aval], call: Any, why: str):
        parent = current_trace()
        reasons = [Abstract(lambda i=i: f"{why} (leaf {i})") for i in range(len(avals))]  # type: ignore[misc]
        by_value = parent.by_value if parent is not None else False
        self.trace = Trace(kind, avals, reasons, fun, parent, by_value)
        with self.trace:
            self.outputs, self.out_tree = tree.flatten(call(self.trace.inputs()))
        check_outputs(self.outputs, self.out_tree, fun, kind)
        self.program, self.consts = closed_program(self.trace, self.outputs, name_of(fun))
        self.avals = [v.aval for v in self.program.outputs]

    def source(self, i: int) -> Any:
        """The user line of an output."""
        x = self.outputs[i]
        return x.home.source_of(x.index) if type(x) is Tracer else None


def arrange(program: Program, inputs: Sequence[int | Aval], outputs: Sequence[int] | None = None) -> Program:
    """The Program with other inputs: its own by position, and unused ones by aval; and outputs by position."""
    key = ("arrange", tuple(inputs), None if outputs is None else tuple(outputs))

    def make() -> Program:
        ins = [Var(i) if isinstance(i, Aval) else program.inputs[i] for i in inputs]
        outs = program.outputs if outputs is None else [program.outputs[i] for i in outputs]
        return Program(ins, program.consts, program.equations, outs, program.name)

    return program.once(key, make)


def convert_outputs(program: Program, avals: Sequence[Aval]) -> Program:
    """The Program with its outputs in the dtypes (and weakness) of `avals`."""
    if program.out_avals == tuple(avals):
        return program

    def body(trace: Trace, *tracers: Any) -> list[Any]:
        outs = record_program(program, tracers, trace)
        return [
            x if v.aval is a else given.convert(x, a.dtype)
            for x, v, a in zip(outs, program.outputs, avals, strict=True)
        ]

    key = ("convert", tuple(avals))
    return program.once(key, lambda: rewrite("convert", program.in_avals, body, program.name))
