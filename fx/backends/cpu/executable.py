"""A compiled Program that Python can call: linked code, the arena, and the steps that Python runs itself."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...compiler.nest import View, whole
from ...compiler.schedule import Step
from ...compiler.simplify import Stage, simplify
from ...core.errors import DeviceError, OutOfMemoryError
from ...core.errstate import quiet
from ...core.interpret import aliases
from ...core.program import Program, Var
from ...core.structure import Literal
from .. import pool
from . import failures, layout
from .emission import TIMES, Emission, Emitted, Segment, emit
from .epilogues import scheduled
from .labels import Label, arena_label, labels_of, out_of_memory
from .linking import load

_SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t)
KEPT_ARENA = 1 << 20
"""Bytes up to which an executable keeps its arena between calls."""


class Timing(NamedTuple):
    """Seconds of one part of compilation."""

    name: str
    seconds: float


class Executable:
    """A Program compiled for the host; call `run(buffers)`."""

    writer: type[Emission] = Emission

    def __init__(self, program: Program, profile: bool = False):
        self.profiled = profile
        clock = _Clock()
        self.program = program
        self.stages: list[Stage] = simplify(program)
        clock.mark("simplify")
        self.schedule = scheduled(self.stages[-1].program)
        clock.mark("fuse")
        self.emitted: Emitted = emit(self.schedule, profile, self.writer)
        clock.mark("emit")
        self._link()
        clock.mark("generate code and link")
        self.timings = clock.marks
        self.arena = self.emitted.arena.nbytes
        self.arenas: list[tuple[Any, int]] = []
        self._prepare()

    # Before the first run

    def _link(self) -> None:
        emitted = self.emitted
        self.linked = None
        self.may_fail = False
        self.from_disk: bool | None = None
        if not emitted.exports:
            return
        layout.ensure()
        self.may_fail = "@fx_fail(" in emitted.text
        self.from_disk = True
        exports = emitted.exports + [TIMES] * self.profiled
        self.linked = load(emitted.emission.module, exports, self._compiled)

    def _compiled(self) -> None:
        self.from_disk = False

    def _prepare(self) -> None:
        emitted, registers = self.emitted, self.emitted.registers
        final = self.schedule.program
        self.arity = len(final.inputs)
        self.consts = [value for _, value in final.consts]
        slots = {r: v for v, r in registers.items()}
        self.labels = labels_of(self)
        self.arena_label = arena_label(self)
        self.blank: list[Any] = [None] * (len(registers) - self.arity - len(self.consts))
        self.parts: list[tuple[Any, Any]] = []
        for part in emitted.parts:
            if isinstance(part, Segment):
                assert self.linked is not None
                spec = self._specification(part, slots)
                call = (_SIGNATURE(self.linked.address[part.name]), spec.ctypes.data, spec)
                self.parts.append((call, [(r, _maker(slots[r], self.labels)) for r in part.writes]))
            else:
                self.parts.append((None, self._python_step(part)))
        self.reuses: dict[tuple[int, ...], dict[int, int]] = {}
        self.results = [self._result(o) for o in self.schedule.outputs]
        self.shared = self._shared()
        self._choose_run(slots)

    def _specification(self, part: Segment, slots: dict[int, Var]) -> Any:
        words: list[Any] = [layout.UNUSED] * len(slots)
        for r in part.reads:
            words[r] = slots[r].aval
        for r in part.writes:
            words[r] = layout.RESULT
        return layout.specification(words)

    def _choose_run(self, slots: dict[int, Var]) -> None:
        """Programs of one native part whose results are its arrays in order take a shorter way."""
        self.single = False
        first = self.arity + len(self.consts)
        outputs = [
            self.emitted.registers.get(o.base) if isinstance(o, View) else None for o in self.schedule.outputs
        ]
        plain = all(isinstance(o, View) and o.shape == o.base.aval.shape for o in self.schedule.outputs)
        if len(self.parts) == 1 and self.parts[0][0] and plain and outputs == list(range(first, len(slots))):
            self.call, self.words, _ = self.parts[0][0]
            self.makers = [_maker(slots[r], self.labels) for r in range(first, len(slots))]
            self.single = True

    def _python_step(self, step: Step) -> tuple[Any, ...]:
        eqn = step.eqn
        assert eqn is not None
        kernel = functools.partial(eqn.primitive.impl, np, **eqn.params) if eqn.primitive.calls else None
        kernel = kernel or eqn.primitive.kernel(np, eqn.params)
        operands = [_reader(x, self.emitted.registers) for x in step.operands]
        outs = [self.emitted.registers[v] for v in eqn.outputs]
        return kernel, operands, outs, eqn, self.program.name

    def _result(self, o: Any) -> Callable[[list[Any]], Any]:
        if type(o) is Literal:
            return lambda registers: o.value
        if isinstance(o, View):
            register, shape = self.emitted.registers[o.base], o.shape
            if shape == o.base.aval.shape:
                return lambda registers: registers[register]
            return lambda registers: np.asarray(registers[register]).reshape(shape)
        register = self.emitted.registers[o]
        return lambda registers: registers[register]

    def _shared(self) -> dict[int, set[int | None]]:
        """Results that are inputs, or that a step of Python's may have made a view of one."""
        steps = [p for p in self.emitted.parts if isinstance(p, Step)]
        theirs = {v for s in steps for v in s.eqn.outputs}  # type: ignore[union-attr]
        found = aliases(self.schedule.program)
        outputs = enumerate(self.schedule.outputs)
        may = {n for n, o in outputs if type(o) is Var or (isinstance(o, View) and o.base in theirs)}
        return {n: roots for n, roots in found.items() if n in may}

    # Running

    def reuse(self, donated: tuple[int, ...]) -> dict[int, int]:
        """Which register takes the memory of which donated input's."""
        if donated not in self.reuses:
            self.reuses[donated] = self.emitted.emission.reusable(donated)
        return self.reuses[donated]

    def run_donated(
        self, buffers: Sequence[Any], donated: tuple[int, ...], sole: Sequence[bool]
    ) -> list[Any]:
        """The same as `run`, with results in the memory of donated inputs that nobody else holds (`sole`)."""
        given = dict(zip(donated, sole, strict=True))
        places = {r: i for r, i in self.reuse(donated).items() if given[i] and _writable(buffers[i])}
        if self.single:
            makers = enumerate(self.makers, self.arity + len(self.consts))
            outs = [buffers[places[r]] if r in places else make() for r, make in makers]
            return self._run_one(buffers, outs)
        return self._run_parts(buffers, places)

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """Results for input buffers on the host."""
        if self.single:
            return self._run_one(buffers, [make() for make in self.makers])
        return self._run_parts(buffers, {})

    def _run_one(self, buffers: Sequence[Any], outs: list[Any]) -> list[Any]:
        """A Program of one native part whose results are its arrays in order."""
        registers = (*buffers, *self.consts, *outs)
        if not self.arena:
            if self.call(id(registers), 0, self.words):
                self._native(self.parts[0][0], list(registers), 0)
            if self.may_fail:
                _raise_failure()
            return outs
        arena = self._take_arena()
        try:
            if self.call(id(registers), arena[1], self.words):
                self._native(self.parts[0][0], list(registers), arena[1])
        finally:
            self._give_arena(arena)
        if self.may_fail:
            _raise_failure()
        return outs

    def _run_parts(self, buffers: Sequence[Any], places: dict[int, int]) -> list[Any]:
        registers = [*buffers, *self.consts, *self.blank]
        arena = self._take_arena() if self.arena else None
        try:
            for call, work in self.parts:
                if call is None:
                    with quiet():
                        _run_python(work, registers)
                    continue
                for r, make in work:
                    registers[r] = registers[places[r]] if r in places else make()
                self._native(call, registers, arena[1] if arena else 0)
                if self.may_fail:
                    _raise_failure()
        finally:
            if arena is not None:
                self._give_arena(arena)
        return [result(registers) for result in self.results]

    def _native(self, entry: Any, registers: list[Any], arena: int) -> None:
        """Run a native part; arrays that it cannot read as they are, are copied to row-major order first."""
        call, words, _ = entry
        arrays = tuple(registers)
        refused = -1
        while (status := call(id(arrays), arena, words)) != 0:
            if status == refused:
                raise DeviceError(f"Operand {status - 1} of compiled code is no array in memory.")
            refused = status
            registers[status - 1] = _ordered(registers[status - 1])
            arrays = tuple(registers)

    def cycles(self) -> Any:
        """Cycles that each step of the schedule has taken so far, of an executable made for profiling."""
        assert self.profiled and self.linked is not None
        count = len(self.schedule.steps)
        array = (ctypes.c_int64 * count).from_address(self.linked.address[TIMES])
        return np.frombuffer(array, np.int64)

    def _take_arena(self) -> tuple[Any, int]:
        try:
            return self.arenas.pop()
        except IndexError:
            block = pool.HOST.take(self.arena, self.arena_label)
            return block, block.address

    def _give_arena(self, arena: tuple[Any, int]) -> None:
        if self.arena <= KEPT_ARENA:
            self.arenas.append(arena)
        else:
            pool.HOST.give(arena[0])

    def __del__(self) -> None:
        for block, _ in getattr(self, "arenas", ()):
            pool.HOST.give(block)


def _maker(v: Var, labels: dict[Var, Label]) -> Callable[[], Any]:
    shape, dtype = v.aval.shape, v.aval.dtype
    if v.aval.nbytes >= pool.SMALL:
        label = labels[v]
        return lambda: pool.HOST.empty(shape, dtype, label)
    empty = np.empty
    return lambda: empty(shape, dtype)


def _raise_failure() -> None:
    """The error that native code noted, if it did: a factorization that does not exist."""
    error = failures.take()
    if error is not None:
        raise error


def _writable(x: Any) -> bool:
    return type(x) is np.ndarray and x.flags.carray and not isinstance(x.base, np.ndarray)


def _ordered(x: Any) -> Any:
    found = np.ascontiguousarray(x).reshape(np.shape(x))
    return found if found.flags.aligned and type(found) is np.ndarray else np.array(found, order="C")


def _reader(x: Any, registers: dict[Var, int]) -> Callable[[list[Any]], Any]:
    """How a step of Python's gets an operand."""
    if type(x) is Literal:
        return lambda env: x.value
    register = registers[x.base]
    if x == whole(x.base):
        return lambda env: env[register]
    size, offset, shape = int(np.prod(x.shape, dtype=np.int64)), x.offset, x.shape
    return lambda env: np.ascontiguousarray(env[register]).reshape(-1)[offset : offset + size].reshape(shape)


def _run_python(work: tuple[Any, ...], registers: list[Any]) -> None:
    kernel, operands, outs, eqn, name = work
    try:
        found = kernel(*[read(registers) for read in operands])
    except MemoryError as e:
        if isinstance(e, OutOfMemoryError):
            raise
        raise out_of_memory(name, eqn, e) from e
    for r, value in zip(outs, found if eqn.primitive.multiple else (found,), strict=True):
        registers[r] = value


class _Clock:
    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.marks: list[Timing] = []

    def mark(self, name: str) -> None:
        now = time.perf_counter()
        self.marks.append(Timing(name, now - self.last))
        self.last = now
