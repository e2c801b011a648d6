"""The step of an LSTM over a sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .training import SGD_RATE, sgd_step
from .workload import Arrays, Workload, normal


def lstm_loss(s: Any, steps: int) -> Callable[..., Any]:
    """Mean square of all hidden states less a target. Gates: input, forget, cell, output, as PyTorch has them."""

    def loss(params: Any, x: Any, target: Any) -> Any:
        w_x, w_h, b = params
        n = w_h.shape[0]

        def cell(carry: Any, gates: Any) -> Any:
            h, c = carry
            gates = gates + h @ w_h
            i, f, o = (s.sigmoid(gates[:, k * n : (k + 1) * n]) for k in (0, 1, 3))
            c = f * c + i * s.np.tanh(gates[:, 2 * n : 3 * n])
            h = o * s.np.tanh(c)
            return (h, c), h

        zero = s.np.zeros((x.shape[1], n), x.dtype)
        _, hidden = s.scan(cell, (zero, zero), x @ w_x + b, steps)
        return s.np.mean((hidden - target) ** 2)

    return loss


def lstm(steps: int, size: int, features: int, hidden: int) -> Workload:
    """x: (steps, batch, features); the products with x are taken for all steps at once."""

    def inputs(rng: np.random.Generator) -> Arrays:
        weight = lambda m: normal(rng, m, 4 * hidden, scale=hidden**-0.5)
        params = weight(features), weight(hidden), normal(rng, 4 * hidden, scale=0.1)
        return params, SGD_RATE, normal(rng, steps, size, features), normal(rng, steps, size, hidden)

    def torch(t: Any, params: Arrays, lr: Any, x: Any, target: Any) -> Any:
        w_x, w_h, b = params
        net = t.torch.nn.LSTM(features, hidden)
        t.load(net, w_x.T, w_h.T, b, t.torch.zeros_like(b))
        net.bias_hh_l0.requires_grad_(False)
        net.flatten_parameters()
        own = [p for p in net.parameters() if p.requires_grad]
        mse, layouts = t.torch.nn.functional.mse_loss, [lambda p: p.T, lambda p: p.T, lambda p: p]
        return t.training(lambda: mse(net(x)[0], target), t.sgd(own, float(lr)), zip(own, layouts))

    product = 2.0 * steps * size * 4 * hidden
    return Workload(
        f"LSTM step, {steps} steps, batch {size}, hidden {hidden}, SGD",
        "recurrent",
        inputs=inputs,
        function=lambda s: sgd_step(s, lstm_loss(s, steps)),
        torch=torch,
        runs_on=("fx", "jax", "autograd"),
        flops=2 * product * features + 3 * product * hidden,
        bars=(("fma, all cores", 0.35),),
        tolerance=5e-4,
        state=1,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    yield lstm(4, 3, 5, 5) if tiny else lstm(64, 32, 128, 128)
