"""Steps whose length follows from a model of the loss by its running means: momo, momo_adam."""

from __future__ import annotations

from typing import Any, NamedTuple

import fx.numpy as fnp

from ._contract import Optimizer
from ._descent import needs_value
from ._leaves import (
    abs_square,
    at_count,
    check_fraction,
    dot,
    each_leaf,
    filled,
    map_leaves,
    needs_params,
    no_updates,
    safe_sqrt,
    tree_dtype,
    unbias,
    zeros,
)
from ._options import options
from ._parts import LearningRate


class MomoState(NamedTuple):
    """exp_avg: the mean of gradients, like params. barf, gamma, lb: of shape (), the means of the loss and of the
    inner products of gradients and params, and the lower bound of the loss. count: updates made."""

    exp_avg: Any
    barf: Any
    gamma: Any
    lb: Any
    count: Any


@options
def momo(
    learning_rate: LearningRate = 1.0,
    beta: Any = 0.9,
    lower_bound: Any = 0.0,
    weight_decay: Any = 0.0,
    adapt_lower_bound: bool = False,
) -> Optimizer:
    """Momentum whose step is as long as brings a model of the loss to its lower bound, at most learning_rate.

    `update(grads, state, params, value=loss)` reads the loss.

    Args:
        lower_bound: of the loss. adapt_lower_bound: raise it as the losses tell.
        weight_decay: a number or a schedule; times the learning rate.

    Source: Schaipp et al. 2023, Algorithms 1 and 3.
    """
    check_fraction("momo", beta=beta)

    def init(params: Any) -> MomoState:
        none = _numbers(params, lower_bound)
        return MomoState(zeros(params), *none, no_updates())

    def update(
        grads: Any, state: MomoState, params: Any = None, *, value: Any = None, **extra: Any
    ) -> tuple[Any, MomoState]:
        needs_params(params, "momo"), needs_value(value, "momo")
        kept = fnp.where(state.count == 0, 0.0, beta)
        mix = lambda g, m, kept: (g, kept * m + (1.0 - kept) * g)
        mean = each_leaf(mix, grads, [state.exp_avg], scalars=[kept])[1]
        barf = kept * state.barf + (1.0 - kept) * fnp.asarray(value)
        gamma = kept * state.gamma + (1.0 - kept) * dot(grads, params)
        rate, decay = _rates(learning_rate, weight_decay, state.count)
        model = (barf, gamma, dot(mean, params), dot(mean, mean), state.lb)
        length, bound = _length(model, rate, decay, 1.0, lower_bound if adapt_lower_bound else None)
        shrink = rate * decay / (1.0 + rate * decay)
        updates = map_leaves(
            lambda g, m, p, a, b: -b * p - a * m, grads, mean, params, scalars=[length, shrink]
        )
        return updates, MomoState(mean, *_like(state, barf, gamma, bound), state.count + 1)

    return Optimizer(init, update)


class MomoAdamState(NamedTuple):
    """exp_avg, exp_avg_sq: the means of Adam. The others are those of MomoState."""

    exp_avg: Any
    exp_avg_sq: Any
    barf: Any
    gamma: Any
    lb: Any
    count: Any


@options
def momo_adam(
    learning_rate: LearningRate = 1e-2,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    lower_bound: Any = 0.0,
    weight_decay: Any = 0.0,
    adapt_lower_bound: bool = False,
) -> Optimizer:
    """`momo` in the metric of Adam. Source: Schaipp et al. 2023, Algorithm 4."""
    check_fraction("momo_adam", b1=b1, b2=b2)

    def init(params: Any) -> MomoAdamState:
        none = _numbers(params, lower_bound)
        return MomoAdamState(zeros(params), filled(params, 0, real=True), *none, no_updates())

    def means(g: Any, m: Any, v: Any) -> Any:
        return g, b1 * m + (1.0 - b1) * g, b2 * v + (1.0 - b2) * abs_square(g)

    def update(
        grads: Any, state: MomoAdamState, params: Any = None, *, value: Any = None, **extra: Any
    ) -> tuple[Any, MomoAdamState]:
        needs_params(params, "momo_adam"), needs_value(value, "momo_adam")
        count = state.count + 1
        _, mean, square = each_leaf(means, grads, [state.exp_avg, state.exp_avg_sq])
        over = lambda m, v, correction: m / (safe_sqrt(correction * v) + eps)
        step = map_leaves(over, mean, square, scalars=[unbias(b2, count)])
        barf = b1 * state.barf + (1.0 - b1) * fnp.asarray(value)
        gamma = b1 * state.gamma + (1.0 - b1) * dot(grads, params)
        rate, decay = _rates(learning_rate, weight_decay, state.count)
        model = (barf, gamma, dot(mean, params), dot(mean, step), state.lb)
        weight = 1.0 / unbias(b1, count)
        length, bound = _length(model, rate, decay, weight, lower_bound if adapt_lower_bound else None)
        shrink = rate * decay / (1.0 + rate * decay)
        move = lambda g, m, p, a, b: -b * p - a * m
        updates = map_leaves(move, grads, step, params, scalars=[length, shrink])
        return updates, MomoAdamState(mean, square, *_like(state, barf, gamma, bound), count)

    return Optimizer(init, update)


def _numbers(params: Any, lower_bound: Any) -> tuple[Any, Any, Any]:
    dtype = tree_dtype(params)
    return fnp.zeros((), dtype), fnp.zeros((), dtype), fnp.asarray(lower_bound).astype(dtype)


def _like(state: Any, *numbers: Any) -> list[Any]:
    return [fnp.asarray(x).astype(state.barf.dtype) for x in numbers]


def _rates(learning_rate: Any, weight_decay: Any, count: Any) -> tuple[Any, Any]:
    return at_count(learning_rate, count), at_count(weight_decay, count)


def _length(
    model: tuple[Any, Any, Any, Any, Any], rate: Any, decay: Any, weight: Any, lower_bound: Any
) -> tuple[Any, Any]:
    """The length of the step, and the lower bound for the next one.

    Args:
        model: the means of the loss and of <gradient, params>, <mean, params>, <mean, step>, the lower bound now.
        weight: of the means' terms, which begin at 0. lower_bound: of all bounds; None: they stay.
    """
    loss, gamma, product, square, bound = model
    grown = 1.0 + rate * decay
    now = bound
    if lower_bound is not None:
        cap = grown * (loss - gamma) + product
        low = cap < grown * weight * bound
        now = fnp.where(low, fnp.maximum(cap / (2.0 * weight * grown), lower_bound), bound)
    flat = square <= float(fnp.finfo(square.dtype).eps)
    distance = fnp.maximum(grown * (loss - weight * now - gamma) + product, 0.0)
    length = fnp.minimum(rate / weight, fnp.where(flat, 0.0, distance / fnp.where(flat, 1.0, square)))
    if lower_bound is None:
        return length, bound
    return length, fnp.maximum((loss + product - gamma - 0.5 * length * square) / weight, lower_bound)
