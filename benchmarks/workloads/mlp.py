"""Training steps of multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from .training import ADAM_RATE, COUNT, SGD_RATE, adam_step, moments, sgd_step
from .workload import Arrays, Workload, normal, weights

Widths = tuple[int, ...]


def parameters(rng: np.random.Generator, widths: Widths) -> Arrays:
    """w (in, out) and b (out,) of every layer in turn."""
    return tuple(a for m, n in pairwise(widths) for a in (weights(rng, m, n), normal(rng, n, scale=0.1)))


def batch(rng: np.random.Generator, size: int, widths: Widths) -> Arrays:
    return normal(rng, size, widths[0]), rng.integers(0, widths[-1], size)


def loss(s: Any, activation: Callable[[Any], Any]) -> Callable[..., Any]:
    """Cross-entropy of (params, x, labels)."""

    def of(params: Any, x: Any, labels: Any) -> Any:
        last = len(params) - 2
        for n in range(0, last, 2):
            x = activation(x @ params[n] + params[n + 1])
        return s.cross_entropy(x @ params[last] + params[last + 1], labels)

    return of


def flops(size: int, widths: Widths) -> float:
    """A forward and two backward products a layer, without the gradient of the data."""
    products = [2.0 * size * m * n for m, n in pairwise(widths)]
    return 3 * sum(products) - products[0]


def network(t: Any, params: Arrays, activation: type) -> tuple[Any, list[Any]]:
    """The module, and its parameters with the way to the functional layout."""
    nn = t.torch.nn
    layers = [nn.Linear(*w.shape) for w in params[::2]]
    modules = [m for layer in layers for m in (layer, activation())][:-1]
    net = t.load(nn.Sequential(*modules), *(p.T if p.ndim == 2 else p for p in params))
    return net, [(p, (lambda a: a.T) if p.ndim == 2 else (lambda a: a)) for p in net.parameters()]


def small(widths: Widths, size: int) -> Workload:
    def torch(t: Any, params: Arrays, lr: Any, x: Any, labels: Any) -> Any:
        net, own = network(t, params, t.torch.nn.Tanh)
        cross_entropy = t.torch.nn.functional.cross_entropy
        return t.training(
            lambda: cross_entropy(net(x), labels), t.sgd(list(net.parameters()), float(lr)), own
        )

    return Workload(
        f"MLP step {'-'.join(map(str, widths))}, batch {size}, SGD",
        "mlp",
        inputs=lambda rng: (parameters(rng, widths), SGD_RATE, *batch(rng, size, widths)),
        function=lambda s: sgd_step(s, loss(s, s.np.tanh)),
        torch=torch,
        runs_on=("fx", "jax", "autograd"),
        flops=flops(size, widths),
        state=1,
    )


def medium(widths: Widths, size: int) -> Workload:
    def inputs(rng: np.random.Generator) -> Arrays:
        params = parameters(rng, widths)
        return params, *moments(rng, params), ADAM_RATE, *batch(rng, size, widths)

    def torch(t: Any, params: Arrays, first: Arrays, second: Arrays, lr: Any, x: Any, labels: Any) -> Any:
        net, own = network(t, params, t.torch.nn.ReLU)
        transposed = lambda arrays: [a.T.contiguous() if a.ndim == 2 else a for a in arrays]
        adam = t.adam(list(net.parameters()), float(lr), transposed(first), transposed(second), COUNT)
        cross_entropy = t.torch.nn.functional.cross_entropy
        return t.training(lambda: cross_entropy(net(x), labels), adam, own)

    return Workload(
        f"MLP step {'-'.join(map(str, widths))}, batch {size}, Adam",
        "mlp",
        inputs=inputs,
        function=lambda s: adam_step(s, loss(s, s.relu)),
        torch=torch,
        runs_on=("fx", "jax", "autograd"),
        flops=flops(size, widths),
        state=3,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    yield small((5, 8, 3) if tiny else (64, 128, 10), 4 if tiny else 32)
    yield medium((6, 9, 8, 3) if tiny else (784, 512, 512, 10), 4 if tiny else 128)
