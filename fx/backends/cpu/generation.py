"""Code generation: LLVM assembly to machine code, several modules at a time.

llvmlite holds a lock while LLVM works. Modules of different contexts do not touch each other, so the long step, the
generation of an object, is called without that lock; everything else goes its usual way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import string_at
from typing import Any

from llvmlite import binding
from llvmlite.binding import ffi

from .parts import Part

FULL, QUICK = 2, 0
"""Effort of code generation, as LLVM counts it."""


class Generator:
    """Generates code for the host."""

    def __init__(self, machine: Callable[[int], Any]):
        self.machine = machine
        """Makes a target machine for an effort; one is used by one thread at a time."""
        self.idle: dict[int, list[Any]] = {FULL: [], QUICK: []}

    def objects(self, parts: Sequence[Part]) -> list[bytes]:
        """The machine code of each part; each on a thread of its own."""
        if len(parts) == 1:
            return [self.object(parts[0])]
        with ThreadPoolExecutor(len(parts), "fx compile") as threads:
            return list(threads.map(self.object, parts))

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
