"""From LLVM assembly to functions in memory: the host's vectors, code generation, linking.

Objects are position-independent machine code; `fx.backends.cpu.object_cache` keeps them on disk.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import llvmlite.binding as binding

from .generation import FULL, Generator
from .parts import Part


class Host(NamedTuple):
    """What code generation needs to know of this machine."""

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    """Vector registers."""
    l1: int
    l2: int
    l3: int


@functools.cache
def host() -> Host:
    """This machine: CPU name and features, vector width, cache sizes in bytes."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl") and features.get("avx512dq"):
        width, registers = 64, 32
    elif features.get("avx2") and features.get("fma"):
        width, registers = 32, 16
    else:
        width, registers = 16, 32 if "neon" in features else 16
    l1, l2, l3 = _caches()
    return Host(
        binding.get_default_triple(),
        binding.get_host_cpu_name(),
        features.flatten(),
        width,
        registers,
        l1,
        l2,
        l3,
    )


def _caches() -> tuple[int, int, int]:
    """Data cache sizes of a core, from the kernel where it tells; else what is common."""
    sizes = {"1": 32 << 10, "2": 1 << 20, "3": 16 << 20}
    for index in range(5):
        try:
            root = f"/sys/devices/system/cpu/cpu0/cache/index{index}/"
            level, kind, size = (_read(root + name) for name in ("level", "type", "size"))
        except OSError:
            continue
        if kind in ("Data", "Unified") and level in sizes and size.endswith("K"):
            sizes[level] = int(size[:-1]) << 10
    return sizes["1"], sizes["2"], sizes["3"]


def _read(path: str) -> str:
    with open(path) as f:
        return f.read().strip()


class Engine:
    """Code generator and linker of this process."""

    def __init__(self) -> None:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        target = binding.Target.from_default_triple()
        machine = lambda effort: target.create_target_machine(
            cpu=host().cpu, features=host().features, opt=effort, reloc="pic"
        )
        self.generator, self.machine = Generator(machine), machine(FULL)
        self.jit = binding.create_lljit_compiler(self.machine)
        self.numbers = itertools.count()
        self.lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._hold, after_in_parent=self._release, after_in_child=self._release
            )
        self.symbols: dict[str, int] = {}

    def _hold(self) -> None:
        """Before a fork: wait until no thread generates code, nor is inside llvmlite for anything else."""
        self.lock.acquire()
        binding.ffi.lib._lock.__enter__()

    def _release(self) -> None:
        binding.ffi.lib._lock.__exit__(None, None, None)
        self.lock.release()

    def object_code(self, text: str, quick: bool = False) -> bytes:
        """Machine code of a module in LLVM assembly; `quick`: with little effort."""
        return self.objects([Part(text, quick)])[0]

    def objects(self, parts: Sequence[Part]) -> list[bytes]:
        """Machine code of the parts of a module."""
        with self.lock:
            return self.generator.objects(parts)

    def assembly(self, text: str) -> str:
        """The same as text."""
        with self.lock:
            return str(self.machine.emit_assembly(binding.parse_assembly(text)))

    def provide(self, name: str, address: int) -> None:
        """A function outside that later modules may call by name."""
        self.symbols[name] = address

    def link(self, code: bytes | Sequence[bytes], names: list[str], imports: Sequence[str] = ()) -> Linked:
        """Load the objects of a module; gives the addresses of its exported functions `names`."""
        with self.lock:
            builder = binding.JITLibraryBuilder().add_current_process()
            for part in [code] if isinstance(code, bytes) else code:
                builder.add_object_img(part)
            for name in imports:
                builder.import_symbol(name, self.symbols[name])
            for name in names:
                builder.export_symbol(name)
            library = builder.link(self.jit, f"fx{next(self.numbers)}")
            return Linked(library, {name: library[name] for name in names})


class Linked(NamedTuple):
    """Code in memory; it stays as long as `library` lives."""

    library: Any
    address: dict[str, int]


@functools.cache
def engine() -> Engine:
    """The engine, started when first needed."""
    return Engine()


def build(text: str, names: list[str], imports: list[str] = []) -> Linked:  # noqa: B006
    """Assembly to addresses."""
    return engine().link(engine().object_code(text), names, imports)
