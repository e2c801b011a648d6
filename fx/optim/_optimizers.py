"""Optimizers by name. Learning rates are numbers (also traced ones) or schedules of the update count."""

from __future__ import annotations

from typing import Any

from ._contract import Optimizer, chain
from ._parts import (
    LearningRate,
    add_decayed_weights,
    check_at_least,
    is_zero,
    momentum as momentum_part,
    scale_by_adam,
    scale_by_learning_rate,
)


def sgd(
    learning_rate: LearningRate,
    momentum: Any = 0.0,
    nesterov: bool = False,
    dampening: Any = 0.0,
    weight_decay: Any = 0.0,
) -> Optimizer:
    """Stochastic gradient descent: minus learning_rate times the gradient, or its momentum.

    The formulas are those of torch.optim.SGD: weight decay is added to the gradient, and the first velocity is
    the gradient itself.

    >>> import fx
    >>> optimizer = sgd(0.1)
    >>> state = optimizer.init(fx.numpy.asarray(3.0))
    >>> optimizer.update(fx.numpy.asarray(2.0), state)[0]
    Array(-0.2, float32)
    """
    check_at_least(0, "sgd", weight_decay=weight_decay)
    parts = [] if is_zero(weight_decay) else [add_decayed_weights(weight_decay)]
    if nesterov or not is_zero(momentum):
        parts.append(momentum_part(momentum, nesterov, dampening))
    return chain(*parts, scale_by_learning_rate(learning_rate))


def adam(
    learning_rate: LearningRate, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8, eps_root: Any = 0.0
) -> Optimizer:
    """Adam: minus learning_rate times the running mean of gradients over the root of that of their squares.

    Source: Kingma and Ba 2014, Algorithm 1.
    """
    return chain(scale_by_adam(b1, b2, eps, eps_root), scale_by_learning_rate(learning_rate))


def adamw(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.01,
    mask: Any = None,
) -> Optimizer:
    """Adam with decoupled weight decay: minus learning_rate times (the step of Adam + weight_decay * params).

    Args:
        mask: which parameters decay; see `add_decayed_weights`.

    Source: Loshchilov and Hutter 2017, Algorithm 2.
    """
    check_at_least(0, "adamw", weight_decay=weight_decay)
    decay = add_decayed_weights(weight_decay, mask)
    return chain(scale_by_adam(b1, b2, eps, eps_root), decay, scale_by_learning_rate(learning_rate))
