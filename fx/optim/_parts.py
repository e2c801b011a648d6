"""Parts of which optimizers are chained. All keep the dtype of each leaf; those that are not trained give 0."""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as brief
from typing import Any, NamedTuple, TypeAlias

import fx
import fx.numpy as fnp

from ._contract import EmptyState, Optimizer, identity, stateless
from ._leaves import (
    check_at_least,
    check_fraction,
    each_leaf,
    is_zero,
    map_leaves,
    needs_params,
    no_updates,
    unbias,
    zeros,
)
from ._masks import masked
from ._options import options

LearningRate: TypeAlias = float | Callable[[Any], Any] | Any
"""A number (also a traced one), or a schedule: a function from the count of updates so far to a number."""


@options
def scale(step_size: Any) -> Optimizer:
    """Updates times a number."""
    return stateless(lambda grads, params: map_leaves(lambda g: step_size * g, grads))


class ScheduleState(NamedTuple):
    """count: updates made, int64 of shape (). value: what the schedule gave last, float64 of shape ()."""

    count: Any
    value: Any


@options
def scale_by_schedule(step_size_fn: Callable[[Any], Any]) -> Optimizer:
    """Updates times a schedule: a function from the count of updates made, 0 at first, to a number."""

    def init(params: Any) -> ScheduleState:
        return ScheduleState(no_updates(), fnp.asarray(step_size_fn(no_updates())).astype(fnp.float64))

    def update(
        grads: Any, state: ScheduleState, params: Any = None, **extra: Any
    ) -> tuple[Any, ScheduleState]:
        value = fnp.asarray(step_size_fn(state.count)).astype(fnp.float64)
        updates = map_leaves(lambda g, rate: rate * g, grads, scalars=[value])
        return updates, ScheduleState(state.count + 1, value)

    return Optimizer(init, update)


@options
def scale_by_learning_rate(learning_rate: LearningRate, *, flip_sign: bool = True) -> Optimizer:
    """Updates times minus the learning rate (plus, without flip_sign). The state of a schedule has its last value.

    Args:
        learning_rate: a number, or a schedule: a function from the count of updates made, 0 at first, to one;
            None: updates as they come.

    Raises:
        ArgumentError: a number known now is negative or not finite.
    """
    if learning_rate is None:
        return identity()
    sign = -1.0 if flip_sign else 1.0
    if not callable(learning_rate):
        check_at_least(0, "scale_by_learning_rate", learning_rate=learning_rate)
        return scale(sign * learning_rate)
    part = scale_by_schedule(learning_rate)

    def update(
        grads: Any, state: ScheduleState, params: Any = None, **extra: Any
    ) -> tuple[Any, ScheduleState]:
        updates, state = part.update(grads, state)
        return (map_leaves(lambda g: -g, updates) if flip_sign else updates), state

    return Optimizer(part.init, update)


class DecayState(NamedTuple):
    """count: updates made, int64 of shape ()."""

    count: Any


@options
def add_decayed_weights(weight_decay: Any = 0.0, mask: Any = None) -> Optimizer:
    """Updates plus weight_decay times the parameters.

    Args:
        weight_decay: a number, or a schedule of the count of updates.
        mask: which parameters decay: booleans, a pytree like params or a prefix of it, or a function from
            params to one, such as `paths("!*bias")`; None: all.
    """

    def init(params: Any) -> Any:
        return DecayState(no_updates()) if callable(weight_decay) else EmptyState()

    def update(grads: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        needs_params(params, "Weight decay")
        if callable(weight_decay):
            rate = fnp.asarray(weight_decay(state.count)).astype(fnp.float64)
            updates = map_leaves(lambda g, p, s: g + s * p, grads, params, scalars=[rate])
            return updates, DecayState(state.count + 1)
        return map_leaves(lambda g, p: g + weight_decay * p, grads, params), state

    decay = Optimizer(init, update)
    return decay if mask is None else masked(decay, mask)


def l2(weight_decay: Any) -> list[Optimizer]:
    """The parts of weight decay that is added to gradients, as PyTorch does by default: none where it is 0."""
    if callable(weight_decay) or not is_zero(weight_decay):
        check_at_least(0, "add_decayed_weights", weight_decay=weight_decay)
        return [add_decayed_weights(weight_decay)]
    return []


class TraceState(NamedTuple):
    """trace: the velocity, like params."""

    trace: Any


@options
def trace(decay: Any, nesterov: bool = False, accumulator_dtype: Any = None) -> Optimizer:
    """velocity = gradient + decay * velocity.

    Args:
        nesterov: give gradient + decay * velocity, one step ahead, instead of velocity.
        accumulator_dtype: of the velocity; None: that of params, of 16 bits float32.

    Source: Sutskever et al. 2013.
    """
    check_fraction("trace", decay=decay)

    def update(grads: Any, state: TraceState, params: Any = None, **extra: Any) -> tuple[Any, TraceState]:
        def formula(g: Any, v: Any) -> Any:
            v = g + decay * v
            return (g + decay * v if nesterov else v), v

        updates, velocity = each_leaf(formula, grads, [state.trace])
        return updates, TraceState(velocity)

    return Optimizer(lambda params: TraceState(zeros(params, accumulator_dtype)), update)


class MomentumState(NamedTuple):
    """count: updates made, int64 of shape (). trace: the velocity, like params."""

    count: Any
    trace: Any


@options
def momentum(
    decay: Any, nesterov: bool = False, dampening: Any = 0.0, accumulator_dtype: Any = None
) -> Optimizer:
    """velocity = decay * velocity + (1 - dampening) * gradient; the first velocity is the gradient.

    Args:
        nesterov: give gradient + decay * velocity, one step ahead, instead of velocity.

    Source: Sutskever et al. 2013, as in torch.optim.SGD.
    """
    check_fraction("momentum", decay=decay)
    if nesterov and not is_zero(dampening):
        raise fx.ArgumentError(f"momentum: nesterov needs dampening=0; got {brief(dampening)}.")

    def init(params: Any) -> MomentumState:
        return MomentumState(no_updates(), zeros(params, accumulator_dtype))

    def update(
        grads: Any, state: MomentumState, params: Any = None, **extra: Any
    ) -> tuple[Any, MomentumState]:
        first = state.count == 0

        def formula(g: Any, v: Any) -> Any:
            damped = g if is_zero(dampening) else fnp.where(first, g, (1.0 - dampening) * g)
            v = decay * v + damped
            return (g + decay * v if nesterov else v), v

        updates, velocity = each_leaf(formula, grads, [state.trace])
        return updates, MomentumState(state.count + 1, velocity)

    return Optimizer(init, update)


class EmaState(NamedTuple):
    """count: updates made, int64 of shape (). ema: running means, like params."""

    count: Any
    ema: Any


@options
def ema(decay: Any, debias: bool = True, accumulator_dtype: Any = None) -> Optimizer:
    """Running means of updates: mean = decay * mean + (1 - decay) * update.

    Args:
        debias: divide by 1 - decay**count, so that the first means are not drawn towards 0.
        accumulator_dtype: of the means; None: that of params, of 16 bits float32.
    """
    check_fraction("ema", decay=decay)

    def update(grads: Any, state: EmaState, params: Any = None, **extra: Any) -> tuple[Any, EmaState]:
        count = state.count + 1

        def formula(g: Any, m: Any, correction: Any) -> Any:
            m = decay * m + (1.0 - decay) * g
            return (correction * m if debias else m), m

        updates, means = each_leaf(formula, grads, [state.ema], scalars=[unbias(decay, count)])
        return updates, EmaState(count, means)

    return Optimizer(lambda params: EmaState(no_updates(), zeros(params, accumulator_dtype)), update)


def centralize() -> Optimizer:
    """Updates minus their mean over all axes but the first, where they have two axes or more.

    Source: Yong et al. 2020, Gradient Centralization.
    """

    def formula(g: Any) -> Any:
        return g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True) if g.ndim > 1 and g.size else g

    return stateless(lambda grads, params: map_leaves(formula, grads))


class ApplyEveryState(NamedTuple):
    """count: gradients since the last update, int64 of shape (). grad_acc: their sum, like params."""

    count: Any
    grad_acc: Any


@options
def apply_every(k: Any = 1) -> Optimizer:
    """The sum of k updates at every k-th, zero between; see `MultiSteps` for an optimizer that waits too."""

    def update(
        grads: Any, state: ApplyEveryState, params: Any = None, **extra: Any
    ) -> tuple[Any, ApplyEveryState]:
        first, last = state.count == 0, state.count == k - 1

        def formula(g: Any, total: Any) -> Any:
            total = fnp.where(first, g, total + g)
            return fnp.where(last, total, 0.0), total

        updates, total = each_leaf(formula, grads, [state.grad_acc])
        return updates, ApplyEveryState((state.count + 1) % k, total)

    return Optimizer(lambda params: ApplyEveryState(no_updates(), zeros(params)), update)


def keep_params_nonnegative() -> Optimizer:
    """Updates that never make a parameter negative: one that would is set to 0."""

    def update(grads: Any, params: Any) -> Any:
        needs_params(params, "keep_params_nonnegative")
        return map_leaves(lambda g, p: fnp.where(p + g < 0.0, -p, g), grads, params)

    return stateless(update)
