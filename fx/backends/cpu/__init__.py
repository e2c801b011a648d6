"""The compiler for the host's CPU: Programs to LLVM, machine code, one foreign call a run."""

from __future__ import annotations

from ...core.program import Program
from .executable import Executable


def compile_program(program: Program) -> Executable:
    """A Program as an executable."""
    return Executable(program)
