"""What this machine can do at best, measured once: multiply-adds per second, bytes moved per second by level of memory.

A kernel takes at least the longer of its arithmetic and its traffic (the roofline of Williams, Waterman and
Patterson, CACM 2009).
"""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import threads
from .engine import Linked, engine, host
from .llvm import Function, Module, Value, const, i64, vector
from .object_cache import cached_object

CHAINS = 10
"""Independent multiply-adds in flight: more than latency times units of today's cores, fewer than AVX2's registers."""
ROUNDS = 5


class Limits(NamedTuple):
    """Of all threads together, per second."""

    flops: dict[int, float]
    """Operations of multiply-adds, by the bytes of a number."""
    levels: tuple[tuple[int, float], ...]
    """(bytes that fit, bytes read and written per second) of the caches and of memory, from near to far."""

    def bandwidth(self, nbytes: int) -> float:
        """Bytes per second for a kernel that touches so many."""
        return next(rate for size, rate in self.levels if nbytes <= size or size == self.levels[-1][0])

    def bound(self, flops: int, moved: int, itemsize: int) -> tuple[str, float]:
        """Which limit bounds a kernel, and the seconds that it allows."""
        arithmetic = flops / self.flops[8 if itemsize >= 8 else 4]
        traffic = moved / self.bandwidth(moved)
        return ("arithmetic", arithmetic) if arithmetic > traffic else ("memory", traffic)

    def __str__(self) -> str:
        rates = ", ".join(f"{self.flops[n] / 1e9:.3g} Gflops/s in float{8 * n}" for n in (4, 8))
        near, far = self.levels[0][1] / 1e9, self.levels[-1][1] / 1e9
        return f"{rates}, {near:.3g} GB/s in cache and {far:.3g} GB/s in memory"


def limits() -> Limits:
    """Those of the threads in use now; measured when first asked for, in about a tenth of a second."""
    return _measured(threads.num_threads())


@functools.cache
def _measured(count: int) -> Limits:
    flops = {4: _arithmetic("float", count), 8: _arithmetic("double", count)}
    machine = host()
    sizes = (machine.l2 * count // 2, machine.l3 // 2, min(2 * machine.l3, 256 << 20))
    return Limits(flops, tuple((n, _traffic(n, count)) for n in sizes))


def _arithmetic(kind: str, count: int, trips: int = 20_000) -> float:
    lanes = host().vector_bytes // (4 if kind == "float" else 8)
    sink = np.empty(count * CHAINS * lanes * 8, np.uint8)
    run = _function(f"fx_limit_{kind}")
    seconds = _least(lambda: run(sink.ctypes.data, 0, trips, count))
    return count * trips * CHAINS * lanes * 2 / seconds


def _traffic(nbytes: int, count: int) -> float:
    """Bytes per second of copies whose two arrays together take `nbytes`."""
    vectors = max(nbytes // (2 * count * host().vector_bytes), 1)
    size = vectors * count * host().vector_bytes
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    rounds = max((1 << 21) // size, 1)
    run = _function("fx_limit_copy")
    seconds = _least(
        lambda: [run(source.ctypes.data, target.ctypes.data, vectors, count) for _ in range(rounds)]
    )
    return 2 * size * rounds / seconds


def _least(job: Callable[[], Any]) -> float:
    job()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return min(times)


# The loops


def _function(name: str) -> Any:
    signature = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int64, ctypes.c_int64)
    return signature(_library().address[name])


@functools.cache
def _library() -> Linked:
    threads.ensure()
    m = Module("fx limits")
    for kind in ("float", "double"):
        _entry(m, f"fx_limit_{kind}", lambda f, words, part, kind=kind: _chains(f, kind, words, part))  # type: ignore[misc]
    _entry(m, "fx_limit_copy", _copy)
    text = str(m)
    code = cached_object(text, lambda: engine().object_code(text))
    return engine().link(code, ["fx_limit_float", "fx_limit_double", "fx_limit_copy"], ["fx_parallel"])


def _entry(m: Module, name: str, write: Callable[[Function, Sequence[Value], Value], None]) -> None:
    """void name(ptr a, ptr b, i64 n, i64 parts): the loop that `write` writes, in every part at once."""
    body = m.function(f"{name}_part", "void", ["ptr", "i64"])
    context, part = body.args
    words = [body.load(t, body.gep("i64", context, i64(i))) for i, t in enumerate(("ptr", "ptr", "i64"))]
    write(body, words, part)
    body.ret()
    f = m.function(name, "void", ["ptr", "ptr", "i64", "i64"], internal=False)
    context = f.alloca("i64", 3)
    for i, x in enumerate(f.args[:3]):
        f.store(x, f.gep("i64", context, i64(i)))
    f.call("fx_parallel", "void", [Value(f"@{name}_part", "ptr"), context, f.args[3]])
    f.ret()


def _chains(f: Function, kind: str, words: Sequence[Value], part: Value) -> None:
    """x = x / 2 + 1 in all chains: bounded, never subnormal."""
    sink, _, trips = words
    type = vector(kind, host().vector_bytes // (4 if kind == "float" else 8))
    half, one = const(type, 0.5), const(type, 1.0)
    with f.loop(i64(0), trips, carry=[one] * CHAINS, trips=True) as loop:
        loop.next(*[f.fma(x, half, one) for x in loop.carry])
    for n, x in enumerate(loop.results):
        f.store(x, f.gep(type, sink, f.add(f.mul(part, i64(CHAINS)), i64(n))), 1)


def _copy(f: Function, words: Sequence[Value], part: Value) -> None:
    source, target, count = words
    type = vector("float", host().vector_bytes // 4)
    first = f.mul(part, count)
    with f.loop(first, f.add(first, count)) as loop:
        f.store(f.load(type, f.gep(type, source, loop.index), 1), f.gep(type, target, loop.index), 1)


def cycle_counter() -> Callable[[], int]:
    """Reads the counter that profiled code counts its cycles with."""
    text = _counter_text()
    code = cached_object(text, lambda: engine().object_code(text))
    linked = engine().link(code, ["fx_cycles"])
    _kept.append(linked)
    return ctypes.CFUNCTYPE(ctypes.c_int64)(linked.address["fx_cycles"])


_kept: list[Linked] = []


def _counter_text() -> str:
    m = Module("fx cycle counter")
    f = m.function("fx_cycles", "i64", internal=False)
    f.ret(f.call("llvm.readcyclecounter", "i64", []))
    return str(m)
