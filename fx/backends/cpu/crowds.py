"""Crowds: neighbouring nests that do not wait for one another, run as one set of tasks on the thread pool.

The leaves of a parameter tree are updated by hundreds of nests, each too small for several threads; as a crowd they are
shared among all of them, and the threads meet once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...compiler.nest import View
from .llvm import Function, Value, i64
from .loops import PARALLEL_WORK
from .nests import Kernel

if TYPE_CHECKING:
    from .emission import Emission

MOST_HELD = 1 << 20
"""Bytes of temporaries that a crowd may make: they all live until it ends."""


def find(e: Emission) -> dict[int, range]:
    """Steps that stand in a crowd, with the steps of their crowd, at least two in a row."""
    outputs = {o.base for o in e.schedule.outputs if isinstance(o, View)}
    found: list[range] = []
    start = stop = work = held = 0
    written: set[Any] = set()
    for n in range(len(e.steps)):
        own = sum(v.aval.nbytes for v in e.writes(n) if v not in outputs) if joins(e, n) else 0
        if stop > start and (not joins(e, n) or held + own > MOST_HELD or written.intersection(e.reads(n))):
            found += [range(start, stop)] if stop - start > 1 and work >= PARALLEL_WORK else []
            start, work, held, written = n, 0, 0, set()
        if not joins(e, n):
            start = stop = n + 1
            continue
        stop, work, held = n + 1, work + e.kernels[n][0].plan.work, held + own
        written.update(e.writes(n))
    found += [range(start, stop)] if stop - start > 1 and work >= PARALLEL_WORK else []
    return {n: crowd for crowd in found for n in crowd}


def joins(e: Emission, n: int) -> bool:
    """Whether a step is one nest without partial results to combine."""
    kernels = e.kernels.get(n, ()) if not e.is_epilogue(n) else ()
    return (
        len(kernels) == 1 and not kernels[0].end and not kernels[0].scratch and kernels[0].plan.nest.size > 0
    )


def size_of(kernels: Sequence[Kernel]) -> int:
    """Bytes of the records of a crowd."""
    return sum(_record(k) for k in kernels)


def _record(kernel: Kernel) -> int:
    """The function of a kernel's chunks, the addresses of its arrays, and that of partial results, which it has not."""
    return 8 * (len(kernel.bases) + 2)


def emit(e: Emission, f: Function, crowd: range) -> None:
    """Write a record for each nest, then run all chunks of all of them."""
    kernels = [e.kernels[n][0] for n in crowd]
    offsets = np.cumsum([0, *map(_record, kernels)]).tolist()
    e.divided(
        f,
        [
            lambda part, k=k, at=at: _fill(e, part, k, part.gep("i8", e.scratch(part, crowd.start), i64(at)))
            for k, at in zip(kernels, offsets, strict=False)
        ],
    )
    tasks = [(at, chunk) for k, at in zip(kernels, offsets, strict=False) for chunk in range(k.chunks)]
    name = f"{e.prefix}crowd{crowd.start}"
    table = e.module.data(f"{name}_tasks", np.array(tasks, np.int64).ravel())
    _body(e, name, table)
    f.call("fx_parallel", "void", [Value(f"@{name}", "ptr"), e.scratch(f, crowd.start), i64(len(tasks))])


def _fill(e: Emission, f: Function, kernel: Kernel, record: Value) -> None:
    body = e.chunk_body(kernel, len(kernel.bases) + 1)
    f.store(Value(f"@{body}", "ptr"), record, 8)
    for i, (base, shift) in enumerate(zip(kernel.bases, kernel.shifts, strict=True), 1):
        f.store(f.gep("i8", e.pointer(f, base), i64(shift)), f.gep("ptr", record, i64(i)), 8)


def _body(e: Emission, name: str, table: Value) -> None:
    """void crowd(ptr records, i64 task)"""
    g = e.module.function(name, "void", ["ptr", "i64"])
    records, task = g.args
    entry = g.gep("i64", table, g.mul(task, i64(2)))
    record = g.gep("i8", records, g.load("i64", entry, 8))
    chunk = g.load("i64", g.gep("i64", entry, i64(1)), 8)
    g.call_pointer(g.load("ptr", record, 8), "void", [g.gep("ptr", record, i64(1)), chunk])
    g.ret()
