"""Who executes a jitted Program: the interpreter, or the compiler of the backend where its operands are.

Core knows no compiler by name: a backend's compiler is provided once, as the module that has
`compile_program(program) -> Executable` (anything with `run(buffers) -> results`), and loaded when first needed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from .array import Array, as_buffer
from .config import settings
from .devices import HOST, common_backend
from .interpret import run_buffers, wrap
from .program import Program
from .trace import no_trace


class Executable(Protocol):
    """A Program made ready to run on one backend."""

    shared: dict[int, set[int | None]]
    """Which results may share memory with which inputs (None: with a constant)."""

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """Results for concrete buffers."""

    def run_donated(self, buffers: Sequence[Any], donated: tuple[int, ...], sole: Sequence[bool]) -> list[Any]:
        """The same; inputs `donated` are given up, and where `sole` nobody else holds their memory."""


_modules: dict[str, str] = {}


def provide(platform: str, module: str) -> None:
    """Name the module that compiles Programs for a platform."""
    _modules[platform] = module


def executable(program: Program) -> Executable:
    """The host's executable of a Program, compiled once."""
    found: Executable = program.once("executable", lambda: _compile(program))
    return found


def _compile(program: Program) -> Any:
    return importlib.import_module(_modules["cpu"]).compile_program(program)


def run_compiled(program: Program, values: Sequence[Any], donated: tuple[int, ...] = ()) -> list[Any]:
    """Apply a Program to concrete values as compiled code, or as its plan where there is no compiler for them.

    donated: the inputs that the caller gives up; results may take their memory.
    """
    sole = [type(values[i]) is Array and sys.getrefcount(values[i].buffer) <= 2 for i in donated]
    buffers = [as_buffer(v) for v in values]
    if not compiles() or common_backend(buffers) is not HOST:
        return wrap(program, values, run_buffers(program, buffers))
    compiled = executable(program)
    with no_trace():
        results = compiled.run_donated(buffers, donated, sole) if donated else compiled.run(buffers)
        return wrap(program, values, results, compiled.shared)


def compiles() -> bool:
    """Whether jitted Programs are compiled here."""
    s = settings()
    return s.compile and not s.check_nans and "cpu" in _modules


class Ready:
    """A compiled Program with everything that does not change between calls with Arrays on the host."""

    __slots__ = ("avals", "consts", "run", "unflatten")

    def __init__(self, program: Program, consts: Sequence[Any], unflatten: Any):
        self.run = executable(program).run
        self.consts = [as_buffer(c) for c in consts]
        self.avals = program.out_avals
        self.unflatten = unflatten

    def __call__(self, arrays: Sequence[Array]) -> Any:
        results = self.run([x.buffer for x in arrays] + self.consts)
        out = []
        for buffer, aval in zip(results, self.avals):  # noqa: B905
            array = Array(buffer, aval.weak)
            array.known = aval
            out.append(array)
        return self.unflatten(out)


def ready(program: Program, values: Sequence[Any], consts: Sequence[Any], unflatten: Any) -> Ready | None:
    """The short way for later calls; None where results may share memory, or something is not on the host."""
    if not compiles() or any(type(v) is not Array for v in values) or executable(program).shared:
        return None
    if common_backend([as_buffer(v) for v in (*values, *consts)]) is not HOST:
        return None
    return Ready(program, consts, unflatten)
