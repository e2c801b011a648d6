"""Gradients through batched factorizations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .workload import Arrays, Workload, normal


def _positive_definite(rng: np.random.Generator, batch: int, n: int) -> np.ndarray:
    a = rng.standard_normal((batch, n, n))
    return (a @ a.swapaxes(-1, -2) / n + np.eye(n)).astype(np.float32)


def _workload(
    name: str, batch: int, n: int, inputs: Any, loss: Callable[..., Any], argnums: Any, work: float
) -> Workload:
    """`loss` is a function of a linalg namespace, sum, and the arguments."""

    def torch(t: Any, *arguments: Any) -> Any:
        linalg, total = t.torch.linalg, t.torch.sum
        return t.gradient(lambda *args: loss(linalg, total, *args), *arguments, argnums=argnums)

    def function(s: Any) -> Any:
        return s.value_and_grad(lambda *args: loss(s.np.linalg, s.np.sum, *args), argnums)

    return Workload(
        f"{name} value and gradient, {batch} of {n}x{n}",
        "linear algebra",
        inputs=inputs,
        function=function,
        torch=torch,
        runs_on=("fx", "jax", "autograd"),
        flops=batch * work * n**3,
        tolerance=1e-3,
    )


def cholesky(batch: int, n: int) -> Workload:
    """Of a matrix made symmetric inside, where every system has the same gradient."""

    def loss(linalg: Any, total: Any, a: Any, weight: Any) -> Any:
        return total(linalg.cholesky((a + a.swapaxes(-1, -2)) * 0.5) * weight)

    def inputs(rng: np.random.Generator) -> Arrays:
        return _positive_definite(rng, batch, n), np.tril(normal(rng, batch, n, n))

    return _workload("Cholesky", batch, n, inputs, loss, (0,), 1 / 3 + 2)


def solve(batch: int, n: int, columns: int) -> Workload:
    def loss(linalg: Any, total: Any, a: Any, b: Any) -> Any:
        return total(linalg.solve(a, b) ** 2)

    def inputs(rng: np.random.Generator) -> Arrays:
        return _positive_definite(rng, batch, n), normal(rng, batch, n, columns)

    return _workload(f"solve ({columns} columns)", batch, n, inputs, loss, (0, 1), 2 / 3)


def slogdet(batch: int, n: int) -> Workload:
    def loss(linalg: Any, total: Any, a: Any) -> Any:
        return total(linalg.slogdet(a)[1])

    inputs = lambda rng: (_positive_definite(rng, batch, n),)
    return _workload("slogdet", batch, n, inputs, loss, (0,), 2.0)


def workloads(tiny: bool) -> Iterator[Workload]:
    batch, n = (2, 4) if tiny else (64, 32)
    yield cholesky(batch, n)
    yield solve(batch, n, 2 if tiny else 8)
    yield slogdet(batch, n)
