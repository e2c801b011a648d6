"""Optimizers that estimate their own learning rate: prodigy, D-adaptation."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer
from ._leaves import (
    abs_square,
    as_arrays,
    at_count,
    check_fraction,
    copies,
    dot,
    each_leaf,
    filled,
    map_leaves,
    needs_params,
    no_updates,
    safe_sqrt,
    sum_of,
    trained_leaves,
    tree_dtype,
    unbias,
    zeros,
)
from ._options import check_number, options
from ._parts import LearningRate


class ProdigyState(NamedTuple):
    """exp_avg, exp_avg_sq: the means of Adam. grad_sum: of weighted gradients. params0: the first parameters.
    estim_lr, numerator_weighted: of shape (), the estimated learning rate and what it comes from. count: updates."""

    exp_avg: Any
    exp_avg_sq: Any
    grad_sum: Any
    params0: Any
    estim_lr: Any
    numerator_weighted: Any
    count: Any


@options
def prodigy(
    learning_rate: LearningRate = 1.0,
    betas: tuple[Any, Any] = (0.9, 0.999),
    beta3: Any = None,
    eps: Any = 1e-8,
    estim_lr0: float = 1e-6,
    estim_lr_coef: Any = 1.0,
    weight_decay: Any = 0.0,
    safeguard_warmup: bool = False,
) -> Optimizer:
    """AdamW whose learning rate is an estimate of the distance to the solution, times learning_rate.

    Args:
        beta3: of the sums that the estimate comes from; None: the root of betas[1].
        estim_lr0: the first estimate. estim_lr_coef: a factor of the estimate.
        safeguard_warmup: leave learning_rate out of the estimate, for a schedule that starts with a warm-up.

    Source: Mishchenko and Defazio 2023, Algorithm 4.
    """
    b1, b2 = _two(betas, "prodigy")
    b3 = b2**0.5 if beta3 is None else beta3
    check_fraction("prodigy", b1=b1, b2=b2, beta3=b3)

    def init(params: Any) -> ProdigyState:
        zero, square = zeros(params), filled(params, 0, real=True)
        first = fnp.full((), estim_lr0, tree_dtype(params))
        return ProdigyState(zero, square, zero, copies(params), first, fnp.zeros_like(first), no_updates())

    def update(grads: Any, state: ProdigyState, params: Any = None, **extra: Any) -> tuple[Any, ProdigyState]:
        needs_params(params, "prodigy")
        state = as_arrays(state)
        count, d = state.count + 1, state.estim_lr
        bias = unbias(b1, count) / fnp.sqrt(unbias(b2, count))
        step = (d * at_count(learning_rate, state.count) * bias).astype(d.dtype)
        decay = at_count(weight_decay, state.count)
        share = (d if safeguard_warmup else step) / estim_lr0
        moved = map_leaves(lambda p0, p: p0 - p, state.params0, params)

        def means(g: Any, mean: Any, square: Any, total: Any) -> Any:
            mean = b1 * mean + (1.0 - b1) * d * g
            square = b2 * square + (1.0 - b2) * abs_square(d * g)
            return g, mean, square, b3 * total + share * d * g

        states = [state.exp_avg, state.exp_avg_sq, state.grad_sum]
        _, mean, square, total = each_leaf(means, grads, states)
        numerator = b3 * state.numerator_weighted + d / estim_lr0 * step * dot(grads, moved)
        size = sum_of([fnp.absolute(x).sum() for x in trained_leaves(total)])
        estimate = estim_lr_coef * numerator / fnp.where(size == 0.0, 1.0, size)
        new_d = fnp.maximum(d, fnp.where(size == 0.0, d, estimate)).astype(d.dtype)

        def descend(g: Any, m: Any, v: Any, p: Any) -> Any:
            return -decay * step * p - step * m / (safe_sqrt(v) + new_d * eps)

        updates = map_leaves(descend, grads, mean, square, params)
        numerator = numerator.astype(d.dtype)
        return updates, ProdigyState(mean, square, total, state.params0, new_d, numerator, count)

    return Optimizer(init, update)


def _two(betas: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise fx.ArgumentError(
            f"{name}: betas must be two numbers, such as (0.9, 0.999); got {brief(betas)}."
        )
    check_number(f"{name}: betas", *betas)
    return betas[0], betas[1]


class DAdaptState(NamedTuple):
    """exp_avg, exp_avg_sq: the means of Adam. grad_sum: of weighted gradients. estim_lr, numerator_weighted: of
    shape (), the estimated learning rate and what it comes from. count: updates made."""

    exp_avg: Any
    exp_avg_sq: Any
    grad_sum: Any
    estim_lr: Any
    numerator_weighted: Any
    count: Any


@options
def dadapt_adamw(
    learning_rate: LearningRate = 1.0,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    estim_lr0: float = 1e-6,
    weight_decay: Any = 0.0,
) -> Optimizer:
    """AdamW whose learning rate is an estimate of the distance to the solution, times learning_rate.

    Source: Defazio and Mishchenko 2023, Algorithm 5.
    """
    b1, b2 = _two(betas, "dadapt_adamw")
    b3 = b2**0.5
    check_fraction("dadapt_adamw", b1=b1, b2=b2)

    def init(params: Any) -> DAdaptState:
        zero, square = zeros(params), filled(params, 0, real=True)
        first = fnp.full((), estim_lr0, tree_dtype(params))
        return DAdaptState(zero, square, zero, first, fnp.zeros_like(first), no_updates())

    def update(grads: Any, state: DAdaptState, params: Any = None, **extra: Any) -> tuple[Any, DAdaptState]:
        needs_params(params, "dadapt_adamw")
        state = as_arrays(state)
        count, d = state.count + 1, state.estim_lr
        bias = unbias(b1, count) / fnp.sqrt(unbias(b2, count))
        step = (d * at_count(learning_rate, state.count) * bias).astype(d.dtype)
        decay = at_count(weight_decay, state.count)
        over = lambda s, v: s / (safe_sqrt(v) + eps)
        aligned = dot(grads, map_leaves(over, state.grad_sum, state.exp_avg_sq))

        def means(g: Any, mean: Any, square: Any, total: Any, p: Any) -> Any:
            mean = b1 * mean + (1.0 - b1) * step * g
            square = b2 * square + (1.0 - b2) * abs_square(g)
            update = -decay * step * p - mean / (safe_sqrt(square) + eps)
            return update, mean, square, b3 * total + (1.0 - b3) * step * g

        states = [state.exp_avg, state.exp_avg_sq, state.grad_sum]
        updates, mean, square, total = each_leaf(means, grads, states, [params])
        numerator = b3 * state.numerator_weighted + (1.0 - b3) * step * aligned
        size = (1.0 - b3) * sum_of([fnp.absolute(x).sum() for x in trained_leaves(total)])
        estimate = numerator / fnp.where(size == 0.0, 1.0, size)
        new_d = fnp.maximum(d, fnp.where(size == 0.0, d, estimate)).astype(d.dtype)
        numerator = numerator.astype(d.dtype)
        return updates, DAdaptState(mean, square, total, new_d, numerator, count)

    return Optimizer(init, update)
