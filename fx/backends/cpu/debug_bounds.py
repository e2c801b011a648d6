"""`FX_DEBUG_BOUNDS=1`: compiled code runs beside memory that it must not touch.

Every array of a native part lies in pages of its own, with an unreadable page behind it and one in front: inputs,
constants, results, each temporary, scratch and carried values. Inputs cannot be written. A part runs twice, on arrays
that end where their pages end and on arrays that begin at 64 bytes, over memory filled with two different patterns:
an element that is never written, or one that depends on memory that nobody wrote, comes out different.
A fault names the Program and the step on stderr before the process dies.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import signal
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...compiler.memory_plan import ALIGNMENT, Arena, Interval
from ...core.errors import DeviceError, lines
from ...core.errstate import quiet
from ...core.program import Program
from ...core.source import describe
from .emission import Emission, Segment
from .engine import build, engine
from .executable import Executable, _raise_failure, _run_python
from .llvm import Function, Module, Value, i64
from .operations.operation import row_major

PAGE = mmap.PAGESIZE
PROT_NONE = 0
PATTERNS = (0xA5, 0xFF)
"""What memory is filled with before the first and before the second run; the second is NaN in every float."""


class GuardedArena(NamedTuple):
    """An arena in which every buffer has pages of its own and ends where they end."""

    offsets: dict[Any, int]
    nbytes: int
    guards: list[int]
    """Where the pages lie that must not be touched."""
    pads: list[tuple[int, int]]
    """Start and bytes of what lies between a buffer and the page in front of it."""

    def moved(self, by: int) -> tuple[list[int], list[tuple[int, int]]]:
        """Guards and pads of this arena inside another one."""
        return [g + by for g in self.guards], [(start + by, n) for start, n in self.pads]


def guarded_plan(intervals: Iterable[Interval]) -> GuardedArena:
    """No two buffers share memory; scratch begins at a multiple of 64 bytes, arrays at any element."""
    arena = GuardedArena({}, 0, [], [])
    at = 0
    for x in intervals:
        size = -(-x.nbytes // ALIGNMENT) * ALIGNMENT if isinstance(x.key, tuple) else x.nbytes
        first, end = at + PAGE, at + PAGE + _pages(size)
        arena.guards.append(at)
        arena.offsets[x.key] = end - size
        if end - size > first:
            arena.pads.append((first, end - size - first))
        at = end
    arena.guards.append(at)
    return arena._replace(nbytes=at + PAGE)


def _pages(nbytes: int) -> int:
    return -(-nbytes // PAGE) * PAGE


class GuardedEmission(Emission):
    """Code on guarded arenas, which tells where it is before each step."""

    gathers = False

    def function(self, name: str, program: Program) -> Any:
        inner = super().function(name, program)
        _inner_arenas.setdefault(self.module, {})[name] = self.arena
        return inner

    def arrange(self, intervals: Sequence[Interval]) -> Arena:
        """Places with pages between them."""
        return guarded_plan(intervals)  # type: ignore[return-value]

    def place(self) -> None:
        """Guards inside the scratch memory of loops and branches are guards of the whole as well."""
        super().place()
        arenas = _inner_arenas.get(self.module, {})
        for n, control in self.controls.items():
            start = self.arena.offsets.get(("scratch", n))
            if start is None:
                continue
            self.include(control.arena, start)
            for key, inner in control.inside.items():
                if key in control.arena.offsets:
                    self.include(arenas[inner.name], start + control.arena.offsets[key])

    def include(self, inner: Any, start: int) -> None:
        guards, pads = inner.moved(start)
        self.arena.guards.extend(guards)  # type: ignore[attr-defined]
        self.arena.pads.extend(pads)  # type: ignore[attr-defined]

    def step(self, f: Function, n: int) -> None:
        ensure_reporting()
        text = np.frombuffer(f"{self.describe(n)}\n".encode(), np.uint8)
        where = self.module.data(f"{self.prefix}where{n}", text)
        f.call("fx_mark", "void", [where, i64(text.size)])
        super().step(f, n)

    def describe(self, n: int) -> str:
        step = self.steps[n]
        what = step.eqn.primitive.name if step.eqn else "; ".join(x.describe() for x in step.nests)
        eqns = [step.eqn] if step.eqn else [e for x in step.nests for e in x.equations]
        where = describe(eqns[-1].source) if eqns else ""
        return f"FX_DEBUG_BOUNDS: fault in {self.module.name}, step {self.prefix}{n}: {what} {where}"


_inner_arenas: weakref.WeakKeyDictionary[Module, dict[str, Any]] = weakref.WeakKeyDictionary()


class GuardedExecutable(Executable):
    """An executable whose native parts run in guarded memory."""

    writer = GuardedEmission

    def _choose_run(self, slots: Any) -> None:
        self.single = False

    def _run_parts(self, buffers: Sequence[Any], places: dict[int, int]) -> list[Any]:
        registers = [*buffers, *self.consts, *self.blank]
        for part, (call, work) in zip(self.emitted.parts, self.parts, strict=True):
            if call is None:
                with quiet():
                    _run_python(work, registers)
                continue
            found = self.checked(part, call, registers, places)
            for r, make in work:
                registers[r] = buffers[places[r]] if r in places else make()
                registers[r][...] = found[r]
        return [result(registers) for result in self.results]

    def checked(
        self, part: Segment, call: Any, registers: list[Any], places: dict[int, int]
    ) -> dict[int, Any]:
        """The results of a native part, found twice."""
        shared = {r: i for r, i in places.items() if r in part.writes}
        first, second = (
            self.once(part, call, registers, shared, end, pattern)
            for end, pattern in zip((True, False), PATTERNS, strict=True)
        )
        for r, x in first.items():
            wrong = x.view(np.uint8) != second[r].view(np.uint8) if x.size else np.zeros(0, bool)
            if wrong.any():
                place = int(np.flatnonzero(wrong)[0]) // x.dtype.itemsize
                self.fail(f"element {place} of {self.describe(r)} depends on memory that was never written")
        return {r: x.reshape(self.aval(r).shape) for r, x in first.items()}

    def once(
        self, part: Segment, call: Any, registers: list[Any], shared: dict[int, int], end: bool, pattern: int
    ) -> dict[int, Any]:
        memory = Memory(pattern, end)
        owners = {i: r for r, i in shared.items()}
        for r in part.reads:
            if r not in owners:
                memory.add(r, np.asarray(registers[r]), writable=False)
        for r in part.writes:
            if r in shared and shared[r] in part.reads:
                memory.add(r, np.asarray(registers[shared[r]]), writable=True)
            else:
                aval = self.aval(r)
                memory.reserve(r, aval.shape, aval.dtype)
        memory.make(self.emitted.arena)
        now = list(registers)
        for r in (*part.reads, *part.writes):
            now[r] = memory.array(owners.get(r, r))
        self._native(call, now, memory.arena)
        if self.may_fail:
            _raise_failure()
        damage = memory.damage()
        if damage is not None:
            self.fail(
                f"code wrote in front of {damage if isinstance(damage, str) else self.describe(damage)}"
            )
        return {r: memory.array(r).reshape(-1).copy() for r in part.writes}

    def aval(self, register: int) -> Any:
        return next(v.aval for v, r in self.emitted.registers.items() if r == register)

    def describe(self, register: int) -> str:
        return f"array {register} ({self.aval(register)})"

    def fail(self, what: str) -> None:
        raise DeviceError(lines(f"{self.program.name}: {what}.", str(self.program)))


class Slot(NamedTuple):
    """One array in guarded memory."""

    start: int
    first: int
    end: int
    shape: tuple[int, ...]
    dtype: Any
    content: Any
    writable: bool


class Memory:
    """Arrays and an arena in one mapping."""

    def __init__(self, pattern: int, end: bool):
        self.pattern, self.end = pattern, end
        self.slots: dict[int, Slot] = {}
        self.at = 0

    def add(self, key: int, x: Any, writable: bool) -> None:
        """An array with its elements, which code may only read."""
        self._place(key, x.shape, x.dtype, x, writable)

    def reserve(self, key: int, shape: tuple[int, ...], dtype: Any) -> None:
        """An array that is to be written."""
        self._place(key, shape, dtype, None, True)

    def _place(self, key: int, shape: Any, dtype: Any, content: Any, writable: bool) -> None:
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        first = self.at + PAGE
        last = first + _pages(nbytes)
        start = last - (nbytes if self.end else -(-nbytes // ALIGNMENT) * ALIGNMENT)
        self.slots[key] = Slot(start, first, last, shape, dtype, content, writable)
        self.at = last

    def make(self, arena: Any) -> None:
        """Map, fill and protect."""
        self.inside = arena
        base = self.at + PAGE
        try:
            self.memory = mmap.mmap(-1, base + arena.nbytes + PAGE)
        except OSError as e:
            raise MemoryError(*e.args) from None
        self.raw = np.frombuffer(self.memory, np.uint8)
        self.base = base
        address = self.raw.ctypes.data
        self.arena = address + base
        self.raw[...] = self.pattern
        for s in self.slots.values():
            if s.content is not None:
                self._view(s)[...] = s.content
        for s in self.slots.values():
            _protect(address + s.first - PAGE, PAGE, PROT_NONE)
            if not s.writable and s.end > s.first:
                _protect(address + s.first, s.end - s.first, mmap.PROT_READ)
        for start in (base - PAGE, *[base + g for g in getattr(arena, "guards", ())]):
            _protect(address + start, PAGE, PROT_NONE)

    def _view(self, s: Slot) -> Any:
        nbytes = int(np.prod(s.shape, dtype=np.int64)) * s.dtype.itemsize
        if not nbytes:
            return np.empty(s.shape, s.dtype)
        strides = [k * s.dtype.itemsize for k in row_major(s.shape)]
        return np.ndarray(s.shape, s.dtype, self.raw, s.start, strides)

    def array(self, key: int) -> Any:
        """The array of a register."""
        return self._view(self.slots[key])

    def damage(self) -> Any:
        """The register of an array, or the temporary, around which the pattern is gone; else None."""
        for key, s in self.slots.items():
            nbytes = int(np.prod(s.shape, dtype=np.int64)) * s.dtype.itemsize
            if not (self._intact(s.first, s.start) and self._intact(s.start + nbytes, s.end)):
                return key
        base = self.base
        for start, n in getattr(self.inside, "pads", ()):
            if not self._intact(base + start, base + start + n):
                return f"the temporary at {start + n} of the arena"
        return None

    def _intact(self, lo: int, hi: int) -> bool:
        return bool((self.raw[lo:hi] == self.pattern).all())


@functools.cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _protect(address: int, nbytes: int, how: int) -> None:
    if _libc().mprotect(ctypes.c_void_p(address), ctypes.c_size_t(nbytes), how):
        raise OSError(ctypes.get_errno(), "mprotect")


# Reports of faults


@functools.cache
def ensure_reporting() -> None:
    """Provide `fx_mark(text, length)`; on a fault, the text marked last goes to stderr."""
    signals = [int(signal.SIGSEGV), int(signal.SIGBUS)]
    linked = build(_library(), ["fx_mark", "fx_fault", "fx_previous"])
    _kept.append(linked)
    libc = _libc()
    libc.signal.restype = ctypes.c_void_p
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    for number in signals:
        previous = libc.signal(number, linked.address["fx_fault"])
        slot = linked.address["fx_previous"] + 8 * number
        ctypes.c_size_t.from_address(slot).value = previous or 0
    engine().provide("fx_mark", linked.address["fx_mark"])


_kept: list[Any] = []


def _library() -> str:
    """The handler writes, puts back the handler before it, and returns: the fault happens again."""
    module = Module("fx_debug_bounds")
    text, previous = module.zeros("text", 16), module.zeros("fx_previous", 8 * 64, internal=False)
    f = module.function("fx_mark", "void", ["ptr", "i64"], internal=False)
    f.store(f.args[0], text, 8)
    f.store(f.args[1], f.gep("i8", text, i64(8)))
    f.ret()
    f = module.function("fx_fault", "void", ["i32"], internal=False)
    length = f.load("i64", f.gep("i8", text, i64(8)))
    f.call("write", "i64", [Value("2", "i32"), f.load("ptr", text, 8), length])
    before = f.load("ptr", f.gep("ptr", previous, f.cast("sext", f.args[0], "i64")), 8)
    f.call("signal", "ptr", [f.args[0], before])
    f.ret()
    return str(module)
