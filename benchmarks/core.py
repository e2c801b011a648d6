"""The core's own figures, on one thread: bare gradients, eager arithmetic, tracing, rewriting, depth, import time."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

import fx
import fx.numpy as fnp

from . import peers
from .timing import Result, compare

if TYPE_CHECKING:
    from rich.console import Console


def report(console: Console, path: str | None, quick: bool) -> None:
    """Measure, print, and write JSON to `path`."""
    console.print(f"the core, one thread each; {peers.versions()}")
    figures: dict[str, object] = {"threads": 1, "versions": peers.versions()}
    results = [bench() for bench in COMPARISONS]
    _print_comparisons(console, results)
    figures["comparisons"] = [
        {"name": r.name, "us": r.micros, "targets": r.targets, "missed": r.missed()} for r in results
    ]
    costs = figures["costs"] = tracing_cost()
    for name, micros in costs.items():
        console.print(f"{name}: {micros:.2f} [{COST_TARGETS[name]:g}]")
    rows = figures["depth"] = list(depth_table((100, 1000) if quick else (100, 300, 1000, 3000, 10000)))
    _print_depth(console, rows)
    times = figures["import_ms"] = import_time()
    ratio = times["fx"] / times["numpy"]
    console.print(f"import numpy {times['numpy']:.1f} ms, import fx {times['fx']:.1f} ms: {ratio:.2f}x [1.5]")
    missed = [f"{r.name} against {p}" for r in results for p in r.missed()]
    missed += [name for name, micros in costs.items() if micros > COST_TARGETS[name]]
    missed += ["import time"] if ratio > 1.5 else []
    console.print(f"missed targets: {', '.join(missed) or 'none'}")
    if path:
        with open(path, "w") as f:
            json.dump(figures, f, indent=1)


def _print_comparisons(console: Console, results: list[Result]) -> None:
    from rich.table import Table

    table = Table(title="microseconds per call (median), fx / peer; target in brackets")
    for column in ("case", "fx", "peers"):
        table.add_column(column)
    for r in results:
        notes = [
            f"{p} {t:.1f}: {r.ratio(p):.2f}x" + (f" [{r.targets[p]}]" if p in r.targets else "")
            for p, t in r.micros.items()
            if p != "fx"
        ]
        table.add_row(r.name, f"{r.micros['fx']:.2f}", "\n".join(notes))
    console.print(table)


def _print_depth(console: Console, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title="reverse mode over depth (bare value_and_grad)")
    for column in ("function", "layers", "us/layer", "peak bytes/layer"):
        table.add_column(column)
    for row in rows:
        table.add_row(
            row["function"], str(row["layers"]), f"{row['us/layer']:.2f}", f"{row['peak bytes/layer']:.0f}"
        )
    console.print(table)


def scalar_chain(np_: Any) -> Callable[[Any], Any]:
    """32 operations on one number."""

    def f(x: Any) -> Any:
        for _ in range(8):
            x = np_.sin(x)
            x = x * 0.9
            x = x + 0.1
            x = np_.tanh(x)
        return x

    return f


def bench_scalar_chain() -> Result:
    ours = fx.value_and_grad(scalar_chain(fnp))
    contenders: dict[str, Any] = {"fx": lambda: ours(0.5)}
    if peers.autograd is not None:
        theirs = peers.autograd.value_and_grad(scalar_chain(peers.autograd_numpy))
        contenders["autograd"] = lambda: theirs(0.5)
    if peers.jax is not None:
        unjitted = peers.jax.value_and_grad(scalar_chain(peers.jax_numpy))
        contenders["jax"] = lambda: unjitted(0.5)
    return compare("value_and_grad, 32-op scalar chain", contenders, {"autograd": 0.5, "jax": 0.1})


def _mlp_data() -> Any:
    rng = np.random.default_rng(0)
    draw = lambda *shape: (rng.normal(size=shape) * 0.1).astype(np.float32)
    params = [draw(64, 128), draw(128), draw(128, 10), draw(10)]
    x = rng.normal(size=(32, 64)).astype(np.float32)
    labels = np.eye(10, dtype=np.float32)[rng.integers(0, 10, 32)]
    return params, x, labels


def mlp_loss(np_: Any) -> Callable[..., Any]:
    """Cross-entropy of a 64-128-10 tanh network, written out so that every library runs the same operations."""

    def loss(params: Any, x: Any, labels: Any) -> Any:
        w1, b1, w2, b2 = params
        logits = np_.dot(np_.tanh(np_.dot(x, w1) + b1), w2) + b2
        shifted = logits - np_.max(logits, axis=1, keepdims=True)
        log_z = np_.log(np_.sum(np_.exp(shifted), axis=1, keepdims=True))
        return -np_.sum((shifted - log_z) * labels) / 32.0

    return loss


def bench_mlp() -> Result:
    params, x, labels = _mlp_data()
    ours = fx.value_and_grad(mlp_loss(fnp))
    arrays = [fnp.asarray(p) for p in params]
    contenders: dict[str, Any] = {"fx": lambda: ours(arrays, x, labels)}
    if peers.autograd is not None:
        theirs = peers.autograd.value_and_grad(mlp_loss(peers.autograd_numpy))
        contenders["autograd"] = lambda: theirs(params, x, labels)
    if peers.torch is not None:
        contenders["torch"] = _torch_mlp(params, x, labels)
    if peers.jax is not None:
        unjitted = peers.jax.value_and_grad(mlp_loss(peers.jax_numpy))
        contenders["jax"] = lambda: unjitted(params, x, labels)
    return compare("value_and_grad, MLP 64-128-10, batch 32", contenders, {"autograd": 0.6, "torch": 2.0})


def _torch_mlp(params: Any, x: Any, labels: Any) -> Callable[[], Any]:
    torch = peers.torch
    w1, b1, w2, b2 = tensors = [torch.tensor(p, requires_grad=True) for p in params]
    x, labels = torch.tensor(x), torch.tensor(labels)

    def run() -> Any:
        for t in tensors:
            t.grad = None
        logits = torch.tanh(x @ w1 + b1) @ w2 + b2
        loss = -(torch.log_softmax(logits, 1) * labels).sum() / 32.0
        loss.backward()
        return loss

    return run


def bench_eager_add() -> Result:
    a, b = fnp.asarray(np.ones(32, np.float32)), fnp.asarray(np.full(32, 2, np.float32))
    u, v = np.ones(32, np.float32), np.full(32, 2, np.float32)
    return compare("eager a + b, 32 floats", {"fx": lambda: a + b, "numpy": lambda: u + v}, {"numpy": 4.0})


def bench_jit_call() -> Result:
    params, x, labels = _mlp_data()
    ours = fx.jit(fx.value_and_grad(mlp_loss(fnp)))
    arrays = [fnp.asarray(p) for p in params]
    contenders: dict[str, Any] = {"fx": lambda: ours(arrays, x, labels)}
    if peers.jax is not None:
        theirs = peers.jax.jit(peers.jax.value_and_grad(mlp_loss(peers.jax_numpy)))
        on_device = [peers.jax_numpy.asarray(p) for p in params]
        contenders["jax.jit"] = lambda: peers.jax.block_until_ready(theirs(on_device, x, labels))
    return compare("jit(value_and_grad), MLP 64-128-10, compiled", contenders, {})


COST_TARGETS = {"tracing, us/operation": 4.0, "rewriting, us/equation": 40.0}


def tracing_cost(operations: int = 2000) -> dict[str, float]:
    """Microseconds per operation to trace a seen structure; per equation to rewrite (and plan) a new one.

    Rewriting is what the first gradient of a structure costs more than the second, without what tracing it for the
    first time costs more than tracing it again.
    """

    def f(x: Any) -> Any:
        for _ in range(operations // 2):
            x = fnp.sin(x)
            x = x * x
        return x

    def micros(run: Callable[[], Any]) -> float:
        start = time.perf_counter()
        run()
        return (time.perf_counter() - start) / operations * 1e6

    traced, gradient = fx.jit(f), fx.value_and_grad(f)
    seen, rewritten = [], []
    for _ in range(9):
        fx.clear_caches()
        new_trace = micros(lambda: traced.lower(0.5))
        traced.clear_cache()
        again = micros(lambda: traced.lower(0.5))
        fx.clear_caches()
        first, second = micros(lambda: gradient(0.5)), micros(lambda: gradient(0.5))
        seen.append(again)
        rewritten.append(first - second - (new_trace - again))
    return dict(zip(COST_TARGETS, (statistics.median(seen), statistics.median(rewritten)), strict=True))


def depth_table(depths: tuple[int, ...] = (100, 300, 1000, 3000, 10000)) -> Iterator[dict[str, Any]]:
    """Reverse mode over depth: time and peak memory per layer, for a scalar chain and a small MLP."""
    w = fnp.asarray(np.eye(16, dtype=np.float32) * 0.5)
    h0 = np.ones((8, 16), np.float32)
    functions = {
        "scalar chain": (lambda n: lambda x: _repeat(fnp.sin, x, n), 0.5),
        "MLP 16x16, batch 8": (lambda n: lambda m: fnp.sum(_repeat(lambda h: fnp.tanh(h @ m), h0, n)), w),
    }
    for name, (make, x) in functions.items():
        for n in depths:
            g = fx.value_and_grad(make(n))
            g(x)
            times = []
            for _ in range(5):
                start = time.perf_counter()
                g(x)
                times.append(time.perf_counter() - start)
            tracemalloc.start()
            g(x)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            per_layer = statistics.median(times) / n * 1e6
            yield {"function": name, "layers": n, "us/layer": per_layer, "peak bytes/layer": peak / n}


def _repeat(f: Callable[[Any], Any], x: Any, n: int) -> Any:
    for _ in range(n):
        x = f(x)
    return x


def import_time(rounds: int = 15) -> dict[str, float]:
    """CPU milliseconds of `import numpy` and `import fx` in fresh interpreters, interleaved, bytecode cached."""
    times: dict[str, list[float]] = {"numpy": [], "fx": []}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for n in range(rounds + 1):
        for name in times:
            code = f"import time; t = time.process_time(); import {name}; print(time.process_time() - t)"
            command = [sys.executable, "-c", code]
            out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            if n:  # the first round writes the bytecode
                times[name].append(float(out.stdout))
    return {k: statistics.median(v) * 1e3 for k, v in times.items()}


COMPARISONS = (bench_scalar_chain, bench_mlp, bench_eager_add, bench_jit_call)
