"""Softmax, layer norm and cross-entropy over the rows of a matrix, forward and with gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .transformer import layer_norm
from .workload import Workload, normal

FORWARD = ("fx", "jax", "autograd", "numpy")
GRADIENTS = ("fx", "jax", "autograd")


def softmax(m: int, n: int) -> Workload:
    return Workload(
        f"softmax, {m}x{n}",
        "rows",
        inputs=lambda rng: (normal(rng, m, n),),
        function=lambda s: s.softmax,
        torch=lambda t, x: t.function(lambda x: t.torch.softmax(x, -1), x),
        runs_on=FORWARD,
        elements=2.0 * m * n,
    )


def softmax_gradient(m: int, n: int) -> Workload:
    """Value and gradient of a weighted sum."""
    return Workload(
        f"softmax gradient, {m}x{n}",
        "rows",
        inputs=lambda rng: (normal(rng, m, n), normal(rng, m, n)),
        function=lambda s: s.value_and_grad(lambda x, t: s.np.sum(s.softmax(x) * t)),
        torch=lambda t, x, y: t.gradient(lambda x, y: (t.torch.softmax(x, -1) * y).sum(), x, y),
        runs_on=GRADIENTS,
        elements=3.0 * m * n,
    )


def _torch_norm(t: Any) -> Any:
    return lambda x, g, b: t.torch.nn.functional.layer_norm(x, (x.shape[-1],), g, b)


def norm(m: int, n: int) -> Workload:
    return Workload(
        f"layer norm, {m}x{n}",
        "rows",
        inputs=lambda rng: (normal(rng, m, n), normal(rng, n), normal(rng, n)),
        function=lambda s: lambda x, g, b: layer_norm(s.np, x, g, b),
        torch=lambda t, *args: t.function(_torch_norm(t), *args),
        runs_on=FORWARD,
        elements=2.0 * m * n,
    )


def norm_gradient(m: int, n: int) -> Workload:
    """Value and gradient of a weighted sum, by x, gain and bias."""
    return Workload(
        f"layer norm gradient, {m}x{n}",
        "rows",
        inputs=lambda rng: (normal(rng, m, n), normal(rng, n), normal(rng, n), normal(rng, m, n)),
        function=lambda s: s.value_and_grad(
            lambda x, g, b, t: s.np.sum(layer_norm(s.np, x, g, b) * t), (0, 1, 2)
        ),
        torch=lambda t, *args: t.gradient(
            lambda x, g, b, y: (_torch_norm(t)(x, g, b) * y).sum(), *args, argnums=(0, 1, 2)
        ),
        runs_on=GRADIENTS,
        elements=3.0 * m * n,
    )


def cross_entropy(m: int, n: int) -> Workload:
    return Workload(
        f"log-softmax cross-entropy and gradient, {m}x{n}",
        "rows",
        inputs=lambda rng: (normal(rng, m, n), rng.integers(0, n, m)),
        function=lambda s: s.value_and_grad(s.cross_entropy),
        torch=lambda t, x, labels: t.gradient(t.torch.nn.functional.cross_entropy, x, labels),
        runs_on=GRADIENTS,
        elements=2.0 * m * n,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    m, n = (3, 7) if tiny else (4096, 1024)
    for make in (softmax, softmax_gradient, norm, norm_gradient, cross_entropy):
        yield make(m, n)
