"""Optimizers and whole training steps, written against the functional surface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .workload import Arrays

B1, B2, EPS = 0.9, 0.999, 1e-8
COUNT = 10.0
SGD_RATE = np.float32(100.0)
"""So large that the new parameters are mostly gradient: comparing them compares gradients."""
ADAM_RATE = np.float32(0.01)


def moments(rng: np.random.Generator, params: Arrays) -> tuple[Arrays, Arrays]:
    """Moments of Adam as in the middle of a training; the second is positive."""
    first = tuple((rng.standard_normal(p.shape) * 1e-2).astype(np.float32) for p in params)
    second = tuple(rng.uniform(0.5e-4, 1.5e-4, p.shape).astype(np.float32) for p in params)
    return first, second


def adam(np_: Any, params: Arrays, grads: Arrays, first: Arrays, second: Arrays, lr: Any) -> Any:
    """New parameters and moments. Source: Kingma and Ba 2015, algorithm 1, at step COUNT + 1."""
    first = tuple(B1 * m + (1 - B1) * g for m, g in zip(first, grads))
    second = tuple(B2 * v + (1 - B2) * g * g for v, g in zip(second, grads))
    scale1, scale2 = 1 / (1 - B1 ** (COUNT + 1)), 1 / (1 - B2 ** (COUNT + 1))
    new = lambda p, m, v: p - lr * (m * scale1) / (np_.sqrt(v * scale2) + EPS)
    return tuple(map(new, params, first, second)), first, second


def sgd_step(s: Any, loss: Callable[..., Any]) -> Callable[..., Any]:
    """(params, lr, *batch) -> loss, new parameters."""

    def step(params: Any, lr: Any, *batch: Any) -> Any:
        value, grads = s.value_and_grad(loss)(params, *batch)
        return value, tuple(p - lr * g for p, g in zip(params, grads))

    return step


def adam_step(s: Any, loss: Callable[..., Any]) -> Callable[..., Any]:
    """(params, first, second, lr, *batch) -> loss, new parameters, moments."""

    def step(params: Any, first: Any, second: Any, lr: Any, *batch: Any) -> Any:
        value, grads = s.value_and_grad(loss)(params, *batch)
        return value, *adam(s.np, params, grads, first, second, lr)

    return step
