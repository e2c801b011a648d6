"""Derivatives beyond one gradient: a gradient for every example, and a Hessian."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import mlp
from .workload import Arrays, Workload, normal


def per_example_gradients(widths: mlp.Widths, size: int) -> Workload:
    def function(s: Any) -> Any:
        loss = mlp.loss(s, s.np.tanh)
        one = lambda params, x, label: loss(params, x[None], label[None])
        return s.vmap(s.grad(one), (None, 0, 0))

    def torch(t: Any, params: Arrays, x: Any, labels: Any) -> Any:
        cross_entropy, func = t.torch.nn.functional.cross_entropy, t.torch.func

        def one(params: Any, x: Any, label: Any) -> Any:
            w1, b1, w2, b2 = params
            return cross_entropy(t.torch.tanh(x @ w1 + b1) @ w2 + b2, label)

        return t.function(func.vmap(func.grad(one), (None, 0, 0)), params, x, labels)

    first, second = (float(widths[k] * widths[k + 1]) for k in (0, 1))
    return Workload(
        f"per-example gradients, MLP {'-'.join(map(str, widths))}, batch {size}",
        "derivatives",
        inputs=lambda rng: (mlp.parameters(rng, widths), *mlp.batch(rng, size, widths)),
        function=function,
        torch=torch,
        flops=2.0 * size * (first + 2 * second),
        elements=size * (first + second),
    )


def logistic_hessian(examples: int, features: int) -> Workload:
    def loss(log1p: Any, exp: Any, mean: Any) -> Any:
        return lambda w, x, y: mean(log1p(exp(-y * (x @ w))))

    def inputs(rng: np.random.Generator) -> Arrays:
        signs = np.sign(rng.standard_normal(examples)).astype(np.float32)
        return normal(rng, features, scale=0.1), normal(rng, examples, features), signs

    def torch(t: Any, w: Any, x: Any, y: Any) -> Any:
        of = loss(t.torch.log1p, t.torch.exp, t.torch.mean)
        return t.function(t.torch.func.hessian(of), w, x, y)

    return Workload(
        f"Hessian of logistic regression, {examples}x{features}",
        "derivatives",
        inputs=inputs,
        function=lambda s: s.hessian(loss(s.np.log1p, s.np.exp, s.np.mean)),
        torch=torch,
        runs_on=("fx", "jax", "autograd"),
        flops=2.0 * examples * features * (features + 2),
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    yield per_example_gradients((5, 8, 3) if tiny else (64, 128, 10), 4 if tiny else 128)
    yield logistic_hessian(7 if tiny else 1000, 3 if tiny else 64)
