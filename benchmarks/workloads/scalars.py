"""Chains of scalars: what one operation costs when there is no data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .workload import Workload


def chain(sin: Any, tanh: Any, operations: int) -> Callable[[Any], Any]:
    """`operations` operations on one number."""

    def f(x: Any) -> Any:
        for _ in range(operations // 4):
            x = tanh(sin(x) * 0.9 + 0.1)
        return x

    return f


def scalar_chain(operations: int) -> Workload:
    return Workload(
        f"scalar chain, {operations} operations, value and gradient",
        "scalars",
        inputs=lambda rng: (np.float32(0.5),),
        function=lambda s: s.value_and_grad(chain(s.np.sin, s.np.tanh, operations)),
        torch=lambda t, x: t.gradient(chain(t.torch.sin, t.torch.tanh, operations), x),
        runs_on=("fx", "jax", "autograd"),
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    yield scalar_chain(32)
    yield scalar_chain(64 if tiny else 512)
