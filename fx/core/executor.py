"""Who executes a jitted Program: the interpreter, or the compiler of the backend where its operands are.

Core knows no compiler by name: a backend's compiler is provided once, as the module that has
`compile_program(program) -> Executable` (anything with `run(buffers) -> results`), and loaded when first needed.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from .array import Array, as_buffer
from .avals import Aval
from .config import settings
from .devices import HOST, common_backend
from .donation import Donated
from .interpret import run_buffers, wrap
from .primitive import Primitive, params_key, result_avals
from .program import Equation, Program, Var
from .trace import no_trace

Runner = Callable[[Sequence[Any]], list[Any]]


class Executable(Protocol):
    """A Program made ready to run on one backend."""

    shared: dict[int, set[int | None]]
    """Which results may share memory with which inputs (None: with a constant)."""

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """Results for concrete buffers."""

    def run_donated(
        self, buffers: Sequence[Any], donated: tuple[int, ...], sole: Sequence[bool]
    ) -> list[Any]:
        """The same; inputs `donated` are given up, and where `sole` nobody else holds their memory."""


_modules: dict[str, str] = {}


def provide(platform: str, module: str) -> None:
    """Name the module that compiles Programs for a platform."""
    _modules[platform] = module


def executable(program: Program) -> Executable:
    """The host's executable of a Program, compiled once, however many threads ask."""
    found: Executable | None = program.cache.get("executable")
    if found is None:
        with _compiling.setdefault(program, threading.RLock()):
            try:
                found = program.once("executable", lambda: _compile(program))
            finally:
                _compiling.pop(program, None)
    return found


_compiling: dict[Program, Any] = {}
"""A lock for each Program that some thread compiles."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_compiling.clear)


def _compile(program: Program) -> Any:
    return importlib.import_module(_modules["cpu"]).compile_program(program)


def run_compiled(program: Program, values: Sequence[Any], donated: tuple[int, ...] = ()) -> list[Any]:
    """Apply a Program to concrete values as compiled code, or as its plan where there is no compiler for them.

    donated: the inputs that the caller gives up; results may take their memory.
    """
    sole = _held_once(values, donated)
    buffers = [as_buffer(v) for v in values]
    if not compiles() or common_backend(buffers) is not HOST:
        return wrap(program, values, run_buffers(program, buffers))
    compiled = executable(program)
    with no_trace():
        results = compiled.run_donated(buffers, donated, sole) if donated else compiled.run(buffers)
        return wrap(program, values, results, compiled.shared)


def _held_once(values: Sequence[Any], donated: tuple[int, ...]) -> list[bool]:
    """For each donated input, whether nobody else holds its memory: no other array, and no other argument."""
    repeated: set[int] = set()
    if donated and len({id(x) for x in values}) < len(values):
        seen: set[int] = set()
        for x in values:
            (repeated if id(x) in seen else seen).add(id(x))
    return [
        type(values[i]) is Array and sys.getrefcount(values[i].buffer) <= 2 and id(values[i]) not in repeated
        for i in donated
    ]


def run_inside(program: Program, buffers: Sequence[Any]) -> list[Any] | None:
    """The results of a jitted Program met inside another one that is interpreted; None where it is not compiled."""
    if not compiles() or common_backend(buffers) is not HOST:
        return None
    return executable(program).run(buffers)


def compiled_runner(program: Program, xp: Any) -> Runner | None:
    """What runs an inner Program many times over as compiled code; None where it is to be interpreted."""
    return executable(program).run if xp is np and compiles() else None


def equation_runner(prim: Primitive, params: dict[str, Any], avals: Sequence[Aval], home: Program) -> Runner:
    """One equation as compiled code: for a loop met in a Program that is interpreted. Kept with `home`."""

    def alone() -> Program:
        inputs = tuple(map(Var, avals))
        outputs = tuple(map(Var, result_avals(prim, avals, params, None)))
        return Program(inputs, (), (Equation(prim, inputs, params, outputs),), outputs, home.name)

    key = ("alone", prim, params_key(params), tuple(avals))
    return executable(home.once(key, alone)).run


def compiles() -> bool:
    """Whether jitted Programs are compiled here."""
    s = settings()
    return s.compile and not s.check_nans and "cpu" in _modules


class Ready:
    """A compiled Program with everything that does not change between calls with host arrays."""

    __slots__ = ("avals", "consts", "donated", "executable", "name", "run", "unflatten")

    def __init__(
        self, program: Program, consts: Sequence[Any], unflatten: Any, donated: tuple[int, ...], name: str
    ):
        self.executable = executable(program)
        self.run = self.executable.run
        self.consts = [as_buffer(c) for c in consts]
        self.avals = program.out_avals
        self.unflatten, self.donated, self.name = unflatten, donated, name

    def __call__(self, leaves: Sequence[Any]) -> Any:
        """The result for leaves that are Arrays or buffers."""
        if self.donated:
            return self._donating(leaves)
        return self.wrapped(self.run([x.buffer if type(x) is Array else x for x in leaves] + self.consts))

    def wrapped(self, results: list[Any]) -> Any:
        out = []
        for buffer, aval in zip(results, self.avals):  # noqa: B905
            array = Array(buffer, aval.weak)
            array.known = aval
            out.append(array)
        return self.unflatten(out)

    def _donating(self, leaves: Sequence[Any]) -> Any:
        given = [leaves[i] for i in self.donated]
        sole = _held_once(leaves, self.donated)
        buffers = [x.buffer if type(x) is Array else x for x in leaves] + self.consts
        results = self.executable.run_donated(buffers, self.donated, sole)
        for x in given:
            if type(x) is Array:
                x.buffer = Donated(self.name, x.aval)
        return self.wrapped(results)


def ready(
    program: Program,
    leaves: Sequence[Any],
    consts: Sequence[Any],
    unflatten: Any,
    donated: tuple[int, ...],
    name: str,
) -> Ready | None:
    """The short way for later calls; None where results may share memory, or something is not on the host."""
    if not compiles() or executable(program).shared:
        return None
    if common_backend([as_buffer(v) for v in (*leaves, *consts)]) is not HOST:
        return None
    return Ready(program, consts, unflatten, donated, name)


# The key of a call, found quickly


class Unusual(Exception):
    """Arguments that the short way does not take."""


def quick_key(args: tuple[Any, ...]) -> tuple[list[Any], Any]:
    """Leaves (Arrays and buffers) and a key of settings, structure and avals, for host arrays in plain containers.

    Raises Unusual for anything else.
    """
    leaves: list[Any] = []
    key: list[Any] = [settings().key]
    for x in args:
        _collect(x, leaves, key)
    return leaves, tuple(key)


def _collect(x: Any, leaves: list[Any], key: list[Any]) -> None:
    t = type(x)
    if t is Array:
        if type(x.buffer) is not np.ndarray and not isinstance(x.buffer, np.generic):
            raise Unusual
        leaves.append(x)
        key.append(x.known or x.aval)
    elif t is tuple or t is list:
        key.append((t, len(x)))
        for item in x:
            _collect(item, leaves, key)
    elif t is dict:
        try:
            names = sorted(x)
        except TypeError:
            raise Unusual from None
        key.append(tuple(names))
        for name in names:
            _collect(x[name], leaves, key)
    elif t is np.ndarray and x.dtype.isnative and x.dtype.kind in "fiub":
        leaves.append(x)
        key.append((x.shape, x.dtype))
    elif t is float or t is int:
        leaves.append(as_buffer(x))
        key.append(t)
    else:
        raise Unusual
