"""The compiler for the host's CPU: Programs to LLVM, machine code, one foreign call a run."""

from __future__ import annotations

import functools
import os

from ...core.program import Program
from .executable import Executable


def compile_program(program: Program) -> Executable:
    """A Program as an executable."""
    return _kind()(program)


@functools.cache
def _kind() -> type[Executable]:
    if os.environ.get("FX_DEBUG_BOUNDS", "0") in ("", "0"):
        return Executable
    from .debug_bounds import GuardedExecutable

    return GuardedExecutable
