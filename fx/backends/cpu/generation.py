"""Code generation: LLVM assembly to machine code, several modules at a time.

llvmlite holds a lock while LLVM works. Modules of different contexts do not touch each other, so the long step, the
generation of an object, is called without that lock; everything else goes its usual way.
"""

from __future__ import annotations

import _thread
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from ctypes import string_at
from typing import Any, TypeVar

from llvmlite import binding
from llvmlite.binding import ffi

from .parts import Part, cores

T, R = TypeVar("T"), TypeVar("R")
FULL, QUICK = 2, 0
"""Effort of code generation, as LLVM counts it."""


class Generator:
    """Generates code for the host."""

    def __init__(self, machine: Callable[[int], Any]):
        self.machine = machine
        """Makes a target machine for an effort; one is used by one thread at a time."""
        self.idle: dict[int, list[Any]] = {FULL: [], QUICK: []}

    def objects(self, parts: Sequence[Part]) -> list[bytes]:
        """The machine code of each part, on as many threads as there are cores; the longest first."""
        order = sorted(range(len(parts)), key=lambda i: -len(parts[i].text))
        found = side_by_side(self.object, [parts[i] for i in order], min(cores(), len(parts)))
        return [code for _, code in sorted(zip(order, found, strict=True))]

    def object(self, part: Part) -> bytes:
        effort = QUICK if part.quick else FULL
        idle = self.idle[effort]
        machine = idle.pop() if idle else self.machine(effort)
        try:
            module = binding.parse_assembly(part.text, binding.create_context())
            module.verify()
            return _emitted(machine, module)
        finally:
            idle.append(machine)


def side_by_side(work: Callable[[T], R], items: Sequence[T], count: int) -> list[R]:
    """`[work(x) for x in items]` by `count` threads, the caller one of them.

    Not `threading`: its weak references to threads would swallow an interrupt that comes while one of them is cleared.
    """
    waiting, found, failed = list(enumerate(items))[::-1], {}, []

    def run(done: Any) -> None:
        try:
            while waiting and not failed:
                with suppress(IndexError):
                    i, x = waiting.pop()
                    found[i] = work(x)
        except BaseException as error:
            failed.append(error)
        finally:
            done.release()

    ends = [_thread.allocate_lock() for _ in range(count)]
    for end in ends:
        end.acquire()
    for end in ends[1:]:
        _thread.start_new_thread(run, (end,))
    run(ends[0])
    for end in ends:
        end.acquire()
    if failed:
        raise failed[0]
    return [found[i] for i in range(len(items))]


def _emitted(machine: Any, module: Any) -> bytes:
    emit = ffi.lib.LLVMPY_TargetMachineEmitToMemory
    emit = getattr(emit, "_cfn", emit)  # without llvmlite's lock
    with ffi.OutputString() as error:
        buffer = emit(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    try:
        return string_at(ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def bundle(objects: Sequence[bytes]) -> bytes:
    """Several objects in one, for a file."""
    return struct.pack(f"<{1 + len(objects)}q", len(objects), *map(len, objects)) + b"".join(objects)


def unbundled(data: bytes) -> list[bytes]:
    (count,) = struct.unpack_from("<q", data)
    sizes = struct.unpack_from(f"<{count}q", data, 8)
    found, at = [], 8 * (1 + count)
    for size in sizes:
        found.append(data[at : at + size])
        at += size
    return found
