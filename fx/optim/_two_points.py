"""Optimizers that keep a second set of parameters: lookahead, sharpness-aware minimization, schedule-free."""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as brief
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._adaptive import scale_by_rms
from ._contract import Optimizer, apply_updates, chain, check_optimizer, run, stateless
from ._descent import sgd
from ._leaves import (
    as_arrays,
    at_count,
    check_fraction,
    copies,
    each_leaf,
    global_norm,
    map_leaves,
    map_trained,
    needs_params,
    no_updates,
    select,
)
from ._options import check_number, options
from ._parts import LearningRate, add_decayed_weights, scale_by_learning_rate
from .schedules import warmup_constant_schedule


class LookaheadParams(NamedTuple):
    """The two sets of parameters of `lookahead`: fast for gradients, slow for predictions."""

    fast: Any
    slow: Any

    @classmethod
    def init_synced(cls, params: Any) -> LookaheadParams:
        """Both the same."""
        return cls(fast=params, slow=params)


class LookaheadState(NamedTuple):
    """fast_state: of the fast optimizer. steps_since_sync: int64 of shape ()."""

    fast_state: Any
    steps_since_sync: Any


@options
def lookahead(
    fast_optimizer: Optimizer, sync_period: int, slow_step_size: Any, reset_state: bool = False
) -> Optimizer:
    """Slow parameters that go a part of the way of every sync_period fast updates, where the fast ones restart.

    Parameters and updates are `LookaheadParams`; gradients are those of the fast parameters alone.

    Args:
        slow_step_size: the part of the way, from 0 to 1.
        reset_state: start the fast optimizer anew at every synchronization.

    Source: Zhang et al. 2019, Algorithm 1.
    """
    check_optimizer(fast_optimizer, "lookahead: the fast optimizer")
    _check_period("lookahead", sync_period)

    def init(params: Any) -> LookaheadState:
        return LookaheadState(fast_optimizer.init(getattr(params, "fast", params)), no_updates())

    def update(
        grads: Any, state: LookaheadState, params: Any = None, **extra: Any
    ) -> tuple[Any, LookaheadState]:
        if not isinstance(params, LookaheadParams):
            raise fx.ArgumentError(
                f"lookahead: params must be LookaheadParams; got {type(params).__name__}.\n"
                "Start from LookaheadParams.init_synced(params)."
            )
        updates, fast_state = run(fast_optimizer, grads, state.fast_state, params.fast, extra)
        syncs = state.steps_since_sync == sync_period - 1
        way = lambda u, f, s: slow_step_size * (f + u - s)
        slow = map_leaves(lambda u, f, s: fnp.where(syncs, way(u, f, s), 0.0), updates, *params)
        fast = map_leaves(lambda u, f, s: fnp.where(syncs, s + way(u, f, s) - f, u), updates, *params)
        if reset_state:
            fast_state = select(syncs, fast_optimizer.init(params.fast), fast_state)
        steps = (state.steps_since_sync + 1) % sync_period
        return LookaheadParams(fast, slow), LookaheadState(fast_state, steps)

    return Optimizer(init, update)


def _check_period(name: str, sync_period: Any) -> None:
    check_number(f"{name}: sync_period", sync_period)
    if isinstance(sync_period, int) and sync_period < 1:
        raise fx.ArgumentError(f"{name}: sync_period must be at least 1; got {sync_period}.")


def normalize() -> Optimizer:
    """Updates over their `global_norm`; 0 where that is 0."""

    def update(grads: Any, params: Any) -> Any:
        norm = global_norm(grads)
        vanishes = norm == 0.0
        factor = fnp.where(vanishes, 0.0, 1.0 / fnp.where(vanishes, 1.0, norm))
        return map_leaves(lambda g: factor * g, grads)

    return stateless(update)


@options
def normalize_by_update_norm(scale_factor: Any = 1.0, eps: Any = 1e-6) -> Optimizer:
    """Updates times scale_factor / (their `global_norm` + eps)."""

    def update(grads: Any, params: Any) -> Any:
        factor = scale_factor / (global_norm(grads) + eps)
        return map_leaves(lambda g: factor * g, grads)

    return stateless(update)


class SamState(NamedTuple):
    """steps_since_sync: int64 of shape (). opt_state, adv_state: of the two optimizers. cache: the parameters
    before the adversarial steps; None in opaque mode."""

    steps_since_sync: Any
    opt_state: Any
    adv_state: Any
    cache: Any


def sam(
    optimizer: Optimizer,
    adv_optimizer: Optimizer,
    sync_period: int = 2,
    reset_state: bool = True,
    opaque_mode: bool = False,
) -> Optimizer:
    """Sharpness-aware minimization: steps by gradients where the loss near params is largest.

    Of sync_period updates all but the last climb by adv_optimizer, such as
    `chain(normalize(), sgd(rho))`; the last goes back and descends by the gradient found there.

    Args:
        reset_state: start adv_optimizer anew after each round.
        opaque_mode: do a whole round in one update, which reads
            `grad_fn(params, i)`, the gradient for the i-th adversarial step.

    Source: Foret et al. 2021, Algorithm 1.
    """
    check_optimizer(optimizer, "sam: the optimizer")
    check_optimizer(adv_optimizer, "sam: the adversarial optimizer")
    _check_period("sam", sync_period)

    def init(params: Any) -> SamState:
        cache = None if opaque_mode else map_trained(lambda x: x, params)
        return SamState(no_updates(), optimizer.init(params), adv_optimizer.init(params), cache)

    def climb(grads: Any, state: Any, params: Any) -> tuple[Any, Any]:
        updates, state = adv_optimizer.update(grads, state, params)
        return map_leaves(lambda u: -u, updates), state

    def in_turns(grads: Any, state: SamState, params: Any = None, **extra: Any) -> tuple[Any, SamState]:
        needs_params(params, "sam")
        first, last = state.steps_since_sync == 0, state.steps_since_sync == sync_period - 1
        cache = select(first, params, state.cache)
        up, adv_state = climb(grads, state.adv_state, params)
        down, opt_state = run(optimizer, grads, state.opt_state, cache, extra)
        back = map_leaves(lambda u, c, p: c - p + u, down, cache, params)
        after = adv_optimizer.init(params) if reset_state else state.adv_state
        return select(last, back, up), SamState(
            (state.steps_since_sync + 1) % sync_period,
            select(last, opt_state, state.opt_state),
            select(last, after, adv_state),
            cache,
        )

    def at_once(
        grads: Any, state: SamState, params: Any = None, *, grad_fn: Any = None, **extra: Any
    ) -> tuple[Any, SamState]:
        needs_params(params, "sam")
        if grad_fn is None:
            raise fx.ArgumentError(
                "sam in opaque mode makes its own gradients.\n"
                "Write optimizer.update(grads, state, params, grad_fn=lambda params, i: ...)."
            )
        point, adv_state = params, state.adv_state
        for i in range(sync_period - 1):
            up, adv_state = climb(grads, adv_state, point)
            point = apply_updates(point, up)
            grads = grad_fn(point, i)
        adv_state = adv_optimizer.init(params) if reset_state else adv_state
        updates, opt_state = run(optimizer, grads, state.opt_state, params, extra)
        return updates, SamState(no_updates(), opt_state, adv_state, None)

    return Optimizer(init, at_once if opaque_mode else in_turns)


class ScheduleFreeState(NamedTuple):
    """b1, weight_sum, max_lr: float64 of shape (). step_count: updates made + 1. base_optimizer_state: of the
    optimizer. z: the parameters that it moves; params are between them and their average."""

    b1: Any
    weight_sum: Any
    step_count: Any
    max_lr: Any
    base_optimizer_state: Any
    z: Any


def schedule_free_eval_params(state: ScheduleFreeState, params: Any) -> Any:
    """The averaged parameters, for predictions, from those of the training."""
    if not isinstance(state, ScheduleFreeState):
        raise fx.ArgumentError(
            f"schedule_free_eval_params takes the state of schedule_free; got {brief(state)}."
        )
    return map_leaves(lambda y, z, b1: (y - (1.0 - b1) * z) / b1, params, state.z, scalars=[state.b1])


@options
def schedule_free(
    base_optimizer: Optimizer,
    learning_rate: LearningRate,
    b1: Any = 0.9,
    weight_lr_power: Any = 2.0,
    state_dtype: Any = None,
) -> Optimizer:
    """An optimizer without momentum whose parameters are averaged, in the place of a falling learning rate.

    Predict with `schedule_free_eval_params(state, params)`.

    Args:
        base_optimizer: without momentum. learning_rate: the one that it has.
        b1: the weight of the average in the params of the training; above 0.
        weight_lr_power: params enter the average with the weight max learning rate so far ** weight_lr_power.
        state_dtype: of z; None: that of params, of 16 bits float32.

    Source: Defazio et al. 2024, The Road Less Scheduled.
    """
    check_optimizer(base_optimizer, "schedule_free: the optimizer")
    check_fraction("schedule_free", b1=b1)

    def init(params: Any) -> ScheduleFreeState:
        zero = fnp.zeros((), fnp.float64)
        z = copies(params) if state_dtype is None else map_trained(lambda p: p.astype(state_dtype), params)
        b = fnp.asarray(b1).astype(fnp.float64)
        return ScheduleFreeState(b, zero, no_updates() + 1, zero, base_optimizer.init(params), z)

    def update(
        grads: Any, state: ScheduleFreeState, params: Any = None, **extra: Any
    ) -> tuple[Any, ScheduleFreeState]:
        needs_params(params, "schedule_free")
        state = as_arrays(state)
        rate = fnp.asarray(at_count(learning_rate, state.step_count)).astype(fnp.float64)
        largest = fnp.maximum(state.max_lr, rate)
        weight = largest**weight_lr_power
        total = state.weight_sum + weight
        share = fnp.where(total == 0.0, 0.0, weight / fnp.where(total == 0.0, 1.0, total))
        steps, base_state = run(base_optimizer, grads, state.base_optimizer_state, params, extra)

        def formula(u: Any, z: Any, y: Any, share: Any) -> Any:
            x = (y - (1.0 - b1) * z) / b1
            z = z + u
            x = (1.0 - share) * x + share * z
            return b1 * x + (1.0 - b1) * z - y, z

        updates, z = each_leaf(formula, steps, [state.z], [params], [share])
        count = state.step_count + 1
        return updates, ScheduleFreeState(state.b1, total, count, largest, base_state, z)

    return Optimizer(init, update)


@options
def schedule_free_sgd(
    learning_rate: Any = 1.0,
    warmup_steps: int | None = None,
    b1: Any = 0.9,
    weight_decay: Any = None,
    weight_lr_power: Any = 2.0,
    state_dtype: Any = None,
) -> Optimizer:
    """Gradient descent by `schedule_free`; the learning rate grows from 0 over warmup_steps."""
    rate = _warmed_up(learning_rate, warmup_steps)
    decay = [] if weight_decay is None else [add_decayed_weights(weight_decay)]
    return schedule_free(chain(*decay, sgd(rate)), rate, b1, weight_lr_power, state_dtype)


@options
def schedule_free_adamw(
    learning_rate: Any = 0.0025,
    warmup_steps: int | None = None,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    weight_lr_power: Any = 2.0,
    state_dtype: Any = None,
) -> Optimizer:
    """AdamW by `schedule_free`, whose average takes the place of the first moment."""
    rate = _warmed_up(learning_rate, warmup_steps)
    base = chain(
        scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True),
        add_decayed_weights(weight_decay),
        scale_by_learning_rate(rate),
    )
    return schedule_free(base, rate, b1, weight_lr_power, state_dtype)


def _warmed_up(learning_rate: Any, steps: int | None) -> Callable[[Any], Any] | Any:
    return learning_rate if steps is None else warmup_constant_schedule(0.0, learning_rate, steps)
