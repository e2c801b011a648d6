"""Random numbers: every system draws with its own generator, so moments and quantiles are what is verified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .workload import Workload


def moments(outputs: list[np.ndarray]) -> list[np.ndarray]:
    """What normal numbers of any generator have in common."""
    x = outputs[0].astype(np.float64)
    powers = [np.mean(x**k) for k in (1, 2, 3, 4)]
    return [np.array([*powers, *np.quantile(x, (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999))])]


def normal_numbers(n: int) -> Workload:
    def torch(t: Any, seed: Any) -> Any:
        t.torch.manual_seed(int(seed))
        return t.function(lambda: t.torch.randn(n))

    return Workload(
        f"normal random numbers, {n:,}",
        "sampling",
        inputs=lambda rng: (np.uint32(7),),
        function=lambda s: lambda seed: s.normal(seed, n),
        torch=torch,
        runs_on=("fx", "jax", "numpy"),
        elements=float(n),
        tolerance=8 * n**-0.5,
        summary=moments,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    yield normal_numbers(10_000 if tiny else 10_000_000)
