"""gelu(x * w + b), its gradient, and a reduction, from what fits in the first cache to what fits in none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .workload import Workload, normal

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
LARGEST = SIZES[-1]


def _bars(n: int) -> tuple[tuple[str, float], ...]:
    return (("copy", 0.8),) if n == LARGEST else ()


def _torch_gelu(t: Any) -> Any:
    gelu = t.torch.nn.functional.gelu
    return lambda x, w, b: gelu(x * w + b, approximate="tanh")


def gelu(n: int) -> Workload:
    return Workload(
        f"gelu(x*w+b), {n:,}",
        "elementwise",
        inputs=lambda rng: tuple(normal(rng, n) for _ in range(3)),
        function=lambda s: lambda x, w, b: s.gelu(x * w + b),
        torch=lambda t, x, w, b: t.function(_torch_gelu(t), x, w, b),
        runs_on=("fx", "jax", "autograd", "numpy"),
        elements=4.0 * n,
        bars=_bars(n),
    )


def gelu_gradient(n: int) -> Workload:
    """By x, w and b."""
    return Workload(
        f"gelu(x*w+b) gradient, {n:,}",
        "elementwise",
        inputs=lambda rng: tuple(normal(rng, n) for _ in range(3)),
        function=lambda s: s.grad(lambda x, w, b: s.np.sum(s.gelu(x * w + b)), (0, 1, 2)),
        torch=lambda t, x, w, b: t.gradient(
            lambda *args: _torch_gelu(t)(*args).sum(), x, w, b, argnums=(0, 1, 2), value=False
        ),
        runs_on=("fx", "jax", "autograd"),
        elements=6.0 * n,
        bars=_bars(n),
    )


def squared_distance(n: int) -> Workload:
    return Workload(
        f"sum((x - y)**2), {n:,}",
        "elementwise",
        inputs=lambda rng: (normal(rng, n), normal(rng, n)),
        function=lambda s: lambda x, y: s.np.sum((x - y) ** 2),
        torch=lambda t, x, y: t.function(lambda x, y: ((x - y) ** 2).sum(), x, y),
        runs_on=("fx", "jax", "autograd", "numpy"),
        elements=2.0 * n,
        bars=_bars(n),
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    sizes = (10, 1000) if tiny else SIZES
    yield from map(gelu, sizes)
    yield from map(gelu_gradient, sizes)
    yield squared_distance(sizes[-1])
