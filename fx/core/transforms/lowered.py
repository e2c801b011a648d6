"""What `f.lower(*args)` gives: a traced function that shows every stage of its compilation.

Core knows no compiler: what reads compiled Programs is a module that the backend provides (see `provide`).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import executor
from ..array import Array, as_buffer
from ..config import settings
from ..devices import HOST, common_backend
from ..errors import ArgumentError, lines
from ..program import Program, format_program
from ..trace import Tracer
from .gradient import ShapeDtype

if TYPE_CHECKING:
    from .jit import Jitted, Signature

_modules: dict[str, str] = {}


def provide(platform: str, module: str) -> None:
    """Name the module that reports on what was compiled for a platform.

    It has `text(lowered, stage)`, `cost(lowered)`, `explain(lowered)` and `memory(lowered)`.
    """
    _modules[platform] = module


def _reports() -> Any:
    return importlib.import_module(_modules["cpu"])


@dataclass(frozen=True, eq=False, repr=False)
class Lowered:
    """A traced function: its Program, the constants it closes over, and the trees around it."""

    program: Program
    consts: list[Any]
    in_tree: Any
    out_tree: Any
    donated: tuple[int, ...]
    names: tuple[str, ...]
    """Of the inputs that are arguments, by path; the rest are constants closed over."""
    interpreted: str | None
    """Why such a call is not compiled, if it is not."""
    strided: tuple[int, ...]
    """Inputs that are not in row-major order as they were given: native code reads copies of them."""
    foreign: tuple[int, ...]
    """Inputs that are arrays of the caller's own, not fx's: results that would be views of them are copies."""
    jitted: Jitted
    signature: Signature

    def as_text(self, stage: str | None = None) -> str:
        """The function at a stage of compilation.

        Args:
            stage: "traced" (also None), a pass by its name ("inline", "algebra", ...; "algebra 2" for its second
                turn), "simplified", "fused" (steps: loop nests and operations), "llvm" or "assembly".
        """
        return format_program(self.program) if stage is None else str(_reports().text(self, stage))

    def cost(self) -> Any:
        """Floating-point operations and bytes of one run; see `fx.compiler.cost.Cost`."""
        return _reports().cost(self)

    def explain(self) -> Any:
        """What the compiler did; see `fx.compiler.explain.Explanation`."""
        return _reports().explain(self)

    def memory(self) -> Any:
        """The memory of one run, known before it; see `fx.compiler.memory_report.MemoryReport`."""
        return _reports().memory(self)

    def compile(self) -> Compiled:
        """Code, linked and ready to run."""
        if self.interpreted is None:
            executor.executable(self.program)
        return Compiled(self)

    def __repr__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        return self.program._repr_html_()


class Compiled:
    """A function compiled for one signature; calls with any other are errors."""

    def __init__(self, lowered: Lowered):
        self.lowered = lowered
        self.as_text, self.cost = lowered.as_text, lowered.cost
        self.explain, self.memory = lowered.explain, lowered.memory

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        jitted, signature = self.lowered.jitted, self.lowered.signature
        found = jitted._signature(args, kwargs)[1]
        if found != signature:
            made, got = (_text(s, self.lowered.names) for s in (signature, found))
            raise ArgumentError(
                lines(
                    f"{self.lowered.program.name} was compiled for other arguments.",
                    f"compiled for: {made}",
                    f"called with:  {got}"
                    if got != made
                    else "called with another structure, or other static values",
                    "Call the jitted function itself: it compiles once per signature.",
                )
            )
        return jitted(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Compiled {self.lowered.program.name}({_text(self.lowered.signature, self.lowered.names)})>"


def _text(signature: Signature, names: Sequence[str]) -> str:
    if len(names) != len(signature.avals):
        return ", ".join(map(str, signature.avals))
    return ", ".join(f"{n}: {a}" for n, a in zip(names, signature.avals, strict=True))


def strided_inputs(values: Sequence[Any]) -> tuple[int, ...]:
    """Which values are host arrays in another order than row-major, or not aligned."""
    buffers = [x.buffer if type(x) is Array else x for x in values]
    return tuple(
        i
        for i, b in enumerate(buffers)
        if isinstance(b, np.ndarray) and not (b.flags.c_contiguous and b.flags.aligned)
    )


def foreign_inputs(values: Sequence[Any]) -> tuple[int, ...]:
    """Which values are arrays that their owner may change."""
    return tuple(i for i, x in enumerate(values) if type(x) is np.ndarray)


def why_interpreted(values: Sequence[Any]) -> str | None:
    """Why a call with these values would not be compiled; None if it is."""
    buffers = [as_buffer(v) for v in values if not isinstance(v, (ShapeDtype, Tracer))]
    backend = common_backend(buffers)
    if backend is not HOST:
        return f"its arguments are on the platform {backend.platform!r}, for which there is no compiler"
    if not settings().compile:
        return "fx.config(compile=False) asks for the interpreter"
    if settings().check_nans:
        return "fx.config(check_nans=True) looks at every value, which only the interpreter does"
    return None if executor.compiles() else "no compiler is provided"
