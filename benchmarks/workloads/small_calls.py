"""What a call costs: a function of six small arrays, and an optimizer's update of many leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .training import ADAM_RATE, COUNT, adam, moments
from .workload import Arrays, Workload, normal

CALL = "call of a compiled function, 6 array arguments"


def call_overhead(n: int) -> Workload:
    """Only where there are compiled functions."""
    f = lambda a, b, c, d, e, g: a + b + c + d + e + g
    return Workload(
        CALL,
        "calls",
        inputs=lambda rng: tuple(normal(rng, n) for _ in range(6)),
        function=lambda s: f,
        torch=lambda t, *arrays: t.function(f, *arrays),
        torch_on=("torch-compile",),
    )


def adam_update(leaves: int, n: int) -> Workload:
    """Half of the leaves are (n, n), half are (n,)."""

    def inputs(rng: np.random.Generator) -> Arrays:
        tree = lambda: tuple(normal(rng, *((n, n) if k % 2 else (n,))) for k in range(leaves))
        params = tree()
        return params, *moments(rng, params), ADAM_RATE, tree()

    def torch(t: Any, params: Any, first: Any, second: Any, lr: Any, grads: Any) -> Any:
        own = [t.parameter(p) for p in params]
        for p, g in zip(own, grads):
            p.grad = g
        optimizer = t.adam(own, float(lr), first, second, COUNT)
        return t.update(optimizer, own)

    def function(s: Any) -> Any:
        return lambda params, first, second, lr, grads: adam(s.np, params, grads, first, second, lr)

    numbers = leaves // 2 * (n * n + n)
    return Workload(
        f"Adam update of {leaves} leaves, {numbers:,} numbers",
        "calls",
        inputs=inputs,
        function=function,
        torch=torch,
        runs_on=("fx", "jax", "numpy"),
        elements=7.0 * numbers,
        state=3,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    yield call_overhead(8)
    yield adam_update(6 if tiny else 200, 3 if tiny else 128)
