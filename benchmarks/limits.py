"""What the machine can do: fused multiply-adds per second and bytes copied per second, measured."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

import numpy as np

CHAINS = 12
"""Independent accumulators: more than latency times units of today's cores, fewer than the registers of AVX2."""
ROUNDS = 100


def measure(threads: int) -> dict[str, float]:
    """`flops32` and `flops64` per second, `copy` in bytes read and written per second, on `threads` threads."""
    return {
        "flops32": fma_limit("float", threads),
        "flops64": fma_limit("double", threads),
        "copy": copy_bandwidth(threads),
    }


def fma_limit(kind: str, threads: int, iterations: int = 200_000) -> float:
    """Flops per second of a loop of nothing but multiply-adds on full vectors."""
    engine, kernel, lanes = _fma_kernel(kind)
    outs = [np.zeros(CHAINS * lanes, np.float64) for _ in range(threads)]
    seconds = _together([lambda out=out: kernel(out.ctypes.data, iterations) for out in outs])
    del engine  # owns the code
    return threads * iterations * CHAINS * lanes * 2 / seconds


def copy_bandwidth(threads: int, numbers: int = 10_000_000) -> float:
    """Bytes read plus bytes written per second, copying float32."""
    source, target = np.ones(numbers, np.float32), np.zeros(numbers, np.float32)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    seconds = _together([lambda a=a, b=b: np.copyto(b, a) for a, b in parts])
    return 2 * source.nbytes / seconds


def _together(jobs: list[Callable[[], object]]) -> float:
    """Seconds until all jobs, each on its own thread and without the GIL, are done: the least of some rounds."""
    times = []
    for _ in range(ROUNDS):
        barrier = threading.Barrier(len(jobs) + 1)

        def work(job: Callable[[], object]) -> None:
            barrier.wait()
            job()

        threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
        for t in threads:
            t.start()
        barrier.wait()
        start = time.perf_counter()
        for t in threads:
            t.join()
        times.append(time.perf_counter() - start)
    return min(times)


def _fma_kernel(kind: str) -> tuple[object, Callable[[int, int], None], int]:
    """The engine that owns the code, the function (out, iterations), and the lanes of a vector."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    width = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    lanes = width // (4 if kind == "float" else 8)
    options = {"cpu": llvm.get_host_cpu_name(), "features": features.flatten(), "opt": 2}
    machine = llvm.Target.from_default_triple().create_target_machine(**options)
    module = llvm.parse_assembly(_fma_text(kind, lanes))
    module.triple = llvm.get_default_triple()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
    return engine, signature(engine.get_function_address("fma")), lanes


def _fma_text(kind: str, lanes: int) -> str:
    """x = x * 0.5 + 1 in CHAINS vectors: bounded, never subnormal."""
    vector, suffix = f"<{lanes} x {kind}>", f"v{lanes}f{32 if kind == 'float' else 64}"
    constant = lambda number: "<" + ", ".join(f"{kind} {number}" for _ in range(lanes)) + ">"
    start = [f"%x{n} = phi {vector} [ {constant('1.0')}, %entry ], [ %y{n}, %loop ]" for n in range(CHAINS)]
    fma = f"call {vector} @llvm.fma.{suffix}({vector} %x{{n}}, {vector} {constant('0.5')}, {vector} {constant('1.0')})"
    body = [f"%y{n} = {fma.format(n=n)}" for n in range(CHAINS)]
    store = [
        f"%p{n} = getelementptr {vector}, ptr %out, i64 {n}\nstore {vector} %y{n}, ptr %p{n}, align 4"
        for n in range(CHAINS)
    ]
    lines = [
        f"declare {vector} @llvm.fma.{suffix}({vector}, {vector}, {vector})",
        "define void @fma(ptr %out, i64 %count) {", "entry:", "br label %loop", "loop:",
        "%i = phi i64 [ 0, %entry ], [ %next, %loop ]", *start, *body,
        "%next = add i64 %i, 1", "%more = icmp slt i64 %next, %count",
        "br i1 %more, label %loop, label %done", "done:", *store, "ret void", "}",
    ]  # fmt: skip
    return "\n".join(lines)
