"""Who executes a jitted Program: the interpreter, or the compiler of the backend where its operands are.

Core knows no compiler by name: a backend's compiler is provided once, as the module that has
`compile_program(program) -> Executable` (anything with `run(buffers) -> results`), and loaded when first needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

from .array import as_buffer
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


def run_compiled(program: Program, values: Sequence[Any]) -> list[Any]:
    """Apply a Program to concrete values as compiled code, or as its plan where there is no compiler for them."""
    buffers = [as_buffer(v) for v in values]
    s = settings()
    if not s.compile or s.check_nans or "cpu" not in _modules or common_backend(buffers) is not HOST:
        return wrap(program, values, run_buffers(program, buffers))
    compiled = executable(program)
    with no_trace():
        return wrap(program, values, compiled.run(buffers), compiled.shared)
