"""Matrix products of fx against NumPy's OpenBLAS, PyTorch and JAX: `python -m benchmarks.gemm`.

One process per number of cores, all systems in it, in turn; GFLOP/s of the fastest of many short rounds, calls
included: other load disturbs that least. Each product is checked against NumPy in float64 first. The limit is what a
loop of independent FMAs reaches.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SQUARES = [(n, n, n) for n in (64, 128, 256, 512, 1024, 2048)]
SKINNY = [(4096, 64, 64), (64, 64, 4096), (64, 4096, 64)]
LAYERS = [(32, 64, 128), (32, 128, 10), (128, 784, 512), (128, 512, 10)]
VECTORS = [(1, 1024, 1024), (1024, 1024, 1), (1, 4096, 4096), (4096, 4096, 1)]
SHAPES = SQUARES + SKINNY + LAYERS + VECTORS
"""m, k, n of (m, k) times (k, n)."""
OTHERS = [
    ("bij,bjk->bik", (64, 128, 32), (64, 32, 128)), ("bij,bkj->bik", (64, 128, 32), (64, 128, 32)),
    ("bij,bjk->bik", (1000, 4, 4), (1000, 4, 4)), ("ij,kj->ik", (128, 512), (512, 512)),
    ("ji,jk->ik", (512, 128), (512, 512)), ("i,i->", (100_000,), (100_000,)), ("i,j->ij", (1000,), (1000,)),
]  # fmt: skip


def main() -> None:
    options = _options()
    if options.threads:
        _measure(options)
        return
    for threads in ("1", "all"):
        command = [sys.executable, "-m", "benchmarks.gemm", *sys.argv[1:], "--threads", threads]
        subprocess.run(command, check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gemm", description=__doc__)
    parser.add_argument("--threads", choices=("1", "all"), help="one core or all (default: both, in turn)")
    parser.add_argument("--dtype", default="float32,float64")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--shapes", help="m x k x n, separated by commas, such as 64x64x64 (default: all)")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    cores = sorted(os.sched_getaffinity(0))[: 1 if options.threads == "1" else None]
    os.sched_setaffinity(0, cores)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FX_NUM_THREADS"):
        os.environ[variable] = str(len(cores))
    from rich.console import Console
    from rich.table import Table

    for dtype in options.dtype.split(","):
        limit = fma_limit(dtype)
        head = f"{dtype}, {len(cores)} thread(s); FMA limit of a core {limit:.0f} GFLOP/s"
        table = Table("product", "fx", "numpy", "torch", "jax", "fx / best", "% of limit", title=head)
        for spec, left, right in _cases(options.shapes):
            times, flops = _times(spec, left, right, dtype, options.rounds)
            rate = {k: flops / t / 1e9 for k, t in times.items()}
            best = max((v for k, v in rate.items() if k != "fx"), default=float("nan"))
            table.add_row(
                f"{spec} {left} {right}",
                *[f"{rate[k]:.1f}" if k in rate else "-" for k in ("fx", "numpy", "torch", "jax")],
                f"{rate['fx'] / best:.2f}", f"{100 * rate['fx'] / limit / len(cores):.0f}",
            )  # fmt: skip
        Console(width=120).print(table)


def _cases(shapes: str | None) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    wanted = [tuple(map(int, s.split("x"))) for s in shapes.split(",")] if shapes else SHAPES
    cases = [("ij,jk->ik", (m, k), (k, n)) for m, k, n in wanted]
    return cases if shapes else cases + OTHERS


def _times(
    spec: str, left: tuple[int, ...], right: tuple[int, ...], dtype: str, rounds: int
) -> tuple[dict[str, float], int]:
    """Seconds of the fastest round by system, and the floating-point operations."""
    import numpy as np

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=left).astype(dtype), rng.normal(size=right).astype(dtype)
    want = np.einsum(spec, x.astype(np.float64), y.astype(np.float64), optimize=True)
    calls = _contenders(spec, x, y)
    for name, (call, result) in calls.items():
        call()
        error = np.abs(np.asarray(result()) - want).max() / np.abs(want).max()
        assert error < (1e-4 if dtype == "float32" else 1e-12), (name, spec, error)
    repeats = {k: _repeats(call) for k, (call, _) in calls.items()}
    samples: dict[str, list[float]] = {k: [] for k in calls}
    for _ in range(rounds):
        for k, (call, _) in calls.items():
            samples[k].append(_once(call, repeats[k]))
    sizes = dict(zip(spec.partition("->")[0].replace(",", ""), left + right))
    return {k: min(v) for k, v in samples.items()}, 2 * int(np.prod(list(sizes.values())))


def _contenders(spec: str, x: Any, y: Any) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """A call, and the result of the last one, by system."""
    import numpy as np

    from .peers import jax, torch

    kept: dict[str, Any] = {}

    def keep(name: str, call: Callable[[], Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
        def run() -> None:
            kept[name] = call()

        return run, lambda: kept[name]

    native, out = compiled(spec, x, y)
    found = {"fx": (native, lambda: out), "numpy": keep("numpy", lambda: _product(np, spec, x, y))}
    if torch is not None:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        tx, ty = torch.from_numpy(x), torch.from_numpy(y)
        found["torch"] = keep("torch", lambda: _product(torch, spec, tx, ty))
    if jax is not None:
        jax.config.update("jax_enable_x64", True)
        product = jax.jit(lambda x, y: jax.numpy.einsum(spec, x, y))
        jx, jy = jax.numpy.asarray(x), jax.numpy.asarray(y)
        found["jax"] = keep("jax", lambda: product(jx, jy).block_until_ready())
    return found


def _product(xp: Any, spec: str, x: Any, y: Any) -> Any:
    """The call that a user of NumPy or PyTorch would write."""
    if spec == "i,j->ij":
        return x[:, None] * y
    left, _, right = spec.partition("->")[0].partition(",")
    x = x.swapaxes(-1, -2) if left == "ji" else x
    return xp.matmul(x, y.swapaxes(-1, -2) if right in ("kj", "bkj") else y)


def compiled(spec: str, x: Any, y: Any) -> tuple[Callable[[], None], Any]:
    """fx's contraction of these arrays as a function without arguments, and the array it writes."""
    import numpy as np

    from fx.backends.cpu.engine import build, engine
    from fx.backends.cpu.llvm import Module
    from fx.backends.cpu.operations.contract import emit_contract
    from fx.backends.cpu.operations.operation import Buffer
    from fx.core.avals import Aval
    from fx.primitives.contraction import contract_p

    shape = contract_p.shape(Aval(x.shape, x.dtype), Aval(y.shape, y.dtype), spec=spec).shape
    out = np.empty(shape, x.dtype)
    m = Module()
    f = m.function("entry", "void", ["ptr"] * 3, internal=False)
    strides = [tuple(s // z.itemsize for s in z.strides) for z in (x, y, out)]
    emit_contract(f, *[Buffer(p, z.shape, s, z.dtype) for p, z, s in zip(f.args, (x, y, out), strides)], spec)
    f.ret()
    linked = build(str(m), ["entry"], [name for name in m.declared if name in engine().symbols])
    entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(linked.address["entry"])
    addresses = [ctypes.c_void_p(z.ctypes.data) for z in (x, y, out)]

    def call(keep: Any = (linked, x, y)) -> None:
        entry(*addresses)

    return call, out


def fma_limit(dtype: str) -> float:
    """GFLOP/s of a loop of independent fused multiply-adds, the best of some tries."""
    from fx.backends.cpu.engine import build, host
    from fx.backends.cpu.llvm import Module, bits_of, const, i64, vector

    scalar = {"float32": "float", "float64": "double"}[dtype]
    lanes = host().vector_bytes * 8 // bits_of(scalar)
    chains, trips = min(24, host().registers - 4), 200_000
    m = Module()
    f = m.function("entry", "void", ["ptr"], internal=False)
    factor = f.splat(f.load(scalar, f.args[0]), lanes)
    with f.loop(i64(0), i64(trips), carry=[const(vector(scalar, lanes), i) for i in range(chains)]) as loop:
        loop.next(*[f.fma(x, factor, factor) for x in loop.carry])
    for i, x in enumerate(loop.results):
        f.store(x, f.gep("i8", f.args[0], i64(64 * i)))
    f.ret()
    linked = build(str(m), ["entry"])
    memory = ctypes.create_string_buffer(64 * (chains + 1))
    entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(linked.address["entry"])
    best = min(_once(lambda: entry(ctypes.addressof(memory)), 1) for _ in range(20))
    return 2 * lanes * chains * trips / best / 1e9


def _repeats(call: Callable[[], Any], goal: float = 0.002) -> int:
    call()
    return max(1, min(10_000, int(goal / max(_once(call, 3), 1e-7))))


def _once(call: Callable[[], Any], n: int) -> float:
    start = time.perf_counter()
    for _ in range(n):
        call()
    return (time.perf_counter() - start) / n


if __name__ == "__main__":
    main()
