"""Adam with a denominator of the step before (acprop), and with one mean for two (simplified_ademamix)."""

from __future__ import annotations

from typing import Any, NamedTuple

import fx.numpy as fnp

from ._adam import AdamState, adam_state
from ._contract import Optimizer, chain
from ._leaves import abs_square, at_count, check_fraction, each_leaf, root, unbias
from ._options import options
from ._parts import LearningRate, add_decayed_weights, scale_by_learning_rate


@options
def acprop(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-16,
    eps_root: Any = 1e-16,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> Optimizer:
    """The gradient over its standard deviation about its running mean, both known before the gradient.

    Args:
        weight_decay: a number or a schedule; times the learning rate. mask: which leaves decay.

    Source: Zhuang et al. 2021.
    """
    decay = add_decayed_weights(weight_decay, mask)
    return chain(scale_by_acprop(b1, b2, eps, eps_root), decay, scale_by_learning_rate(learning_rate))


@options
def scale_by_acprop(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-16, eps_root: Any = 1e-16) -> Optimizer:
    """The step of `acprop`, uphill and of learning rate 1: the first one is the gradient."""
    check_fraction("scale_by_acprop", b1=b1, b2=b2)

    def update(grads: Any, state: AdamState, params: Any = None, **extra: Any) -> tuple[Any, AdamState]:
        first = state.count == 0

        def formula(g: Any, m: Any, v: Any, correction: Any) -> Any:
            spread = root(fnp.where(first, 1.0, correction * v), 0.0) + eps
            v = b2 * v + (1.0 - b2) * abs_square(g - m) + eps_root
            return g / spread, b1 * m + (1.0 - b1) * g, v

        correction = unbias(b2, fnp.where(first, 1, state.count))
        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], scalars=[correction])
        return updates, AdamState(state.count + 1, mu, nu)

    return Optimizer(lambda params: adam_state(params, None), update)


class SimplifiedAdemamixState(NamedTuple):
    """count: updates made, int64 of shape (). m: the weighted sum of gradients. nu: the mean of squares."""

    count: Any
    m: Any
    nu: Any


@options
def simplified_ademamix(
    learning_rate: LearningRate,
    b1: Any = 0.99,
    b2: Any = 0.95,
    alpha: LearningRate = 0.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> Optimizer:
    """AdamW whose numerator is the decaying sum of gradients plus alpha times the last one.

    Args:
        alpha: a number, or a schedule of the count of updates.
        weight_decay: a number or a schedule; times the learning rate. mask: which leaves decay.

    Source: Morwani et al. 2025.
    """
    part = scale_by_simplified_ademamix(b1, b2, alpha, eps, eps_root)
    return chain(part, add_decayed_weights(weight_decay, mask), scale_by_learning_rate(learning_rate))


@options
def scale_by_simplified_ademamix(
    b1: Any = 0.99, b2: Any = 0.95, alpha: LearningRate = 0.0, eps: Any = 1e-8, eps_root: Any = 0.0
) -> Optimizer:
    """The step of `simplified_ademamix`, uphill and of learning rate 1."""
    check_fraction("scale_by_simplified_ademamix", b1=b1, b2=b2)

    def init(params: Any) -> SimplifiedAdemamixState:
        return SimplifiedAdemamixState(*adam_state(params, None))

    def update(
        grads: Any, state: SimplifiedAdemamixState, params: Any = None, **extra: Any
    ) -> tuple[Any, SimplifiedAdemamixState]:
        count, weight = state.count + 1, at_count(alpha, state.count)

        def formula(g: Any, m: Any, v: Any, correction: Any) -> Any:
            m, v = g + b1 * m, b2 * v + (1.0 - b2) * abs_square(g)
            return (m + weight * g) / (root(correction * v, eps_root) + eps), m, v

        updates, m, nu = each_leaf(formula, grads, [state.m, state.nu], scalars=[unbias(b2, count)])
        return updates, SimplifiedAdemamixState(count, m, nu)

    return Optimizer(init, update)
