"""Convolutions of fx and their derivatives against PyTorch and JAX: `python -m benchmarks.convolution`.

One process per number of cores, all systems in it, in turn; GFLOP/s of useful products by the best round, calls
included. Every result is checked against PyTorch first. The limit is what a loop of independent FMAs reaches.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Layer(NamedTuple):
    """x: (batch, channels, size, size), a square window over it."""

    batch: int
    channels: int
    size: int
    features: int
    window: int
    stride: int = 1
    groups: int = 1


LAYERS = {
    "CNN step, first": Layer(64, 3, 32, 32, 3),
    "CNN step, second": Layer(64, 32, 16, 64, 3),
    "block 3x3": Layer(32, 64, 16, 64, 3),
    "block 3x3, stride 2": Layer(32, 64, 16, 128, 3, 2),
    "block 1x1": Layer(32, 64, 16, 256, 1),
    "block 1x1, stride 2": Layer(32, 64, 16, 128, 1, 2),
    "56x56": Layer(8, 64, 56, 64, 3),
    "28x28": Layer(8, 128, 28, 128, 3),
    "14x14": Layer(8, 256, 14, 256, 3),
    "7x7": Layer(8, 512, 7, 512, 3),
    "7x7 window, stride 2": Layer(8, 3, 112, 64, 7, 2),
    "depthwise": Layer(16, 64, 32, 64, 3, 1, 64),
    "depthwise, stride 2": Layer(16, 64, 32, 64, 3, 2, 64),
}
FORMS = ("forward", "by x", "by w")

Call = Callable[[], Any]


def main() -> None:
    options = _options()
    if options.threads:
        _measure(options)
        return
    for threads in ("1", "all"):
        command = [sys.executable, "-m", "benchmarks.convolution", *sys.argv[1:], "--threads", threads]
        subprocess.run(command, check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolution", description=__doc__)
    parser.add_argument("--threads", choices=("1", "all"), help="one core or all (default: both, in turn)")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="layers whose name contains this")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    cores = sorted(os.sched_getaffinity(0))[: 1 if options.threads == "1" else None]
    os.sched_setaffinity(0, cores)
    for variable in ("OMP_NUM_THREADS", "FX_NUM_THREADS"):
        os.environ[variable] = str(len(cores))
    from rich.console import Console
    from rich.table import Table

    from .gemm import fma_limit

    limit = fma_limit(options.dtype) * len(cores)
    head = f"{options.dtype}, {len(cores)} thread(s); FMA limit {limit:.0f} GFLOP/s"
    columns = ("layer", "form", "fx", "torch", "jax", "time / best", "% of limit", "compile ms")
    table = Table(*columns, title=head)
    for name, layer in LAYERS.items():
        for form in FORMS if options.only in name else ():
            times, flops, compile_ms = _times(layer, form, options.dtype, options.rounds)
            rate = {k: flops / t / 1e9 for k, t in times.items()}
            others = min((t for k, t in times.items() if k != "fx"), default=float("nan"))
            rates = [f"{rate[k]:.1f}" if k in rate else "-" for k in ("fx", "torch", "jax")]
            share = f"{100 * rate['fx'] / limit:.0f}"
            table.add_row(name, form, *rates, f"{times['fx'] / others:.2f}", share, f"{compile_ms:.1f}")
    Console(width=120).print(table)


def _times(layer: Layer, form: str, dtype: str, rounds: int) -> tuple[dict[str, float], float, float]:
    """Best seconds by system, floating-point operations, and the time fx took to compile."""
    import numpy as np

    x, w, ct = _arrays(layer, dtype)
    fx_call, result, compile_ms = _fx(layer, form, x, w, ct)
    calls = {"fx": fx_call, **_peers(layer, form, x, w, ct)}
    if "torch" in calls:
        want = np.asarray(calls["torch"]())
        calls["fx"]()
        error = np.abs(result() - want).max() / np.abs(want).max()
        assert error < (1e-4 if dtype == "float32" else 1e-12), (layer, form, error)
    best: dict[str, float] = {}
    repeats = {k: _repeats(call) for k, call in calls.items()}
    for _ in range(rounds):
        for k, call in calls.items():
            best[k] = min(best.get(k, np.inf), _once(call, repeats[k]))
    flops = 2.0 * ct.size * w[0].size
    return best, flops, compile_ms


def _arrays(layer: Layer, dtype: str) -> tuple[Any, Any, Any]:
    """x, w and a cotangent of the result, aligned as those of a compiled program are."""
    import numpy as np

    n, c, size, o, k, stride, groups = layer
    count = (size + 2 * (k // 2) - k) // stride + 1
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> Any:
        values = rng.normal(size=shape).astype(dtype)
        raw = np.empty(values.nbytes + 64, np.uint8)
        start = -raw.ctypes.data % 64
        aligned = raw[start : start + values.nbytes].view(dtype).reshape(shape)
        aligned[...] = values
        return aligned

    return draw(n, c, size, size), draw(o, c // groups, k, k), draw(n, o, count, count)


# fx


def _fx(layer: Layer, form: str, x: Any, w: Any, ct: Any) -> tuple[Call, Call, float]:
    """A call, its result in the layout of PyTorch, and the milliseconds of compilation."""
    from fx.primitives.convolution import conv

    params = _params(layer)
    if form == "forward":
        call, out, ms = compiled(x, w, params)
        return call, lambda: out, ms
    operands, params = _derivative(conv, layer, form, x, w, ct)
    call, out, ms = compiled(*operands, params)
    return call, lambda: out if form == "by x" else out.swapaxes(0, 1), ms


def _params(layer: Layer) -> dict[str, Any]:
    one, pad = (1, 1), (layer.window // 2,) * 2
    return {
        "strides": (layer.stride,) * 2, "padding": (pad, pad), "lhs_dilation": one, "rhs_dilation": one,
        "feature_groups": layer.groups, "batch_groups": 1,
    }  # fmt: skip


def _derivative(
    conv: Any, layer: Layer, form: str, x: Any, w: Any, ct: Any
) -> tuple[tuple[Any, Any], dict[str, Any]]:
    """What the primitive's rule convolves for a derivative; the kernel is turned beforehand."""
    import numpy as np

    from fx.primitives.sliding import padding_for, transposed_padding

    _, c, size, o, k, stride, groups = layer
    low, count, one = k // 2, ct.shape[2], (1, 1)
    if form == "by x":
        row = transposed_padding(size, k, stride, (low, low), 1, 1, count)
        turned = w[:, :, ::-1, ::-1].reshape(groups, o // groups, c // groups, k, k).swapaxes(1, 2)
        turned = np.ascontiguousarray(turned).reshape(c, o // groups, k, k)
        return (ct, turned), {
            "strides": one, "padding": (row, row), "lhs_dilation": (stride,) * 2, "rhs_dilation": one,
            "feature_groups": groups, "batch_groups": 1,
        }  # fmt: skip
    row = padding_for(k, low, size, count, 1, 1, stride)
    return (x.swapaxes(0, 1), ct.swapaxes(0, 1)), {
        "strides": one, "padding": (row, row), "lhs_dilation": one, "rhs_dilation": (stride,) * 2,
        "feature_groups": 1, "batch_groups": groups,
    }  # fmt: skip


def compiled(x: Any, w: Any, params: dict[str, Any]) -> tuple[Call, Any, float]:
    """fx's convolution of these arrays, the array it writes, and the milliseconds to emit, compile and link it."""
    import numpy as np

    from fx.backends.cpu import threads
    from fx.backends.cpu.engine import build, engine
    from fx.backends.cpu.llvm import Module
    from fx.backends.cpu.operations.convolution import OPERATIONS
    from fx.backends.cpu.operations.operation import Buffer
    from fx.core.avals import Aval
    from fx.primitives.convolution import conv

    threads.ensure()
    avals = [Aval(z.shape, z.dtype) for z in (x, w)]
    out = np.empty(conv.shape(*avals, **params).shape, x.dtype)
    operation = OPERATIONS["conv"]

    def make() -> Any:
        m = Module()
        f = m.function("entry", "void", ["ptr"] * 4, internal=False)
        buffers = [
            Buffer(p, z.shape, tuple(s // z.itemsize for s in z.strides), z.dtype)
            for p, z in zip(f.args, (x, w, out))
        ]
        operation.emit(f, buffers[:2], buffers[2:], f.args[3], params)
        f.ret()
        return build(str(m), ["entry"], [name for name in m.declared if name in engine().symbols])

    make()  # libraries are linked once in a process
    start = time.perf_counter()
    linked = make()
    ms = (time.perf_counter() - start) * 1e3
    scratch = np.empty(operation.scratch(avals, params) + 64, np.uint8)
    places = [z.ctypes.data for z in (x, w, out)] + [scratch.ctypes.data + -scratch.ctypes.data % 64]
    entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(linked.address["entry"])

    def call(keep: Any = (linked, x, w, out, scratch)) -> None:
        entry(*places)

    return call, out, ms


# Peers


def _peers(layer: Layer, form: str, x: Any, w: Any, ct: Any) -> dict[str, Call]:
    from .peers import jax, torch

    found = {}
    if torch is not None:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        found["torch"] = _torch(torch, layer, form, *map(torch.from_numpy, (x, w, ct)))
    if jax is not None:
        jax.config.update("jax_enable_x64", True)
        found["jax"] = _jax(jax, layer, form, *map(jax.numpy.asarray, (x, w, ct)))
    return found


def _torch(torch: Any, layer: Layer, form: str, x: Any, w: Any, ct: Any) -> Call:
    s, pad, groups = layer.stride, layer.window // 2, layer.groups
    if form == "forward":
        return lambda: torch.nn.functional.conv2d(x, w, stride=s, padding=pad, groups=groups)
    wanted = [form == "by x", form == "by w", False]
    rest = [s, s], [pad, pad], [1, 1], False, [0, 0], groups, wanted
    return lambda: torch.ops.aten.convolution_backward(ct, x, w, None, *rest)[form == "by w"]


def _jax(jax: Any, layer: Layer, form: str, x: Any, w: Any, ct: Any) -> Call:
    params = _params(layer)
    window = params["strides"], params["padding"]

    def forward(x: Any, w: Any) -> Any:
        return jax.lax.conv_general_dilated(x, w, *window, feature_group_count=layer.groups)

    functions = {
        "forward": lambda x, w, ct: forward(x, w),
        "by x": lambda x, w, ct: jax.vjp(lambda x: forward(x, w), x)[1](ct)[0],
        "by w": lambda x, w, ct: jax.vjp(lambda w: forward(x, w), w)[1](ct)[0],
    }
    run = jax.jit(functions[form])
    return lambda: run(x, w, ct).block_until_ready()


def _repeats(call: Call, goal: float = 0.004) -> int:
    call()
    return max(1, min(10_000, int(goal / max(_once(call, 2), 1e-7))))


def _once(call: Call, n: int) -> float:
    start = time.perf_counter()
    for _ in range(n):
        call()
    return (time.perf_counter() - start) / n


if __name__ == "__main__":
    main()
