"""Updates that are applied only where a condition holds: finite gradients, a count, a loss scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, check_optimizer, run
from ._leaves import all_finite, as_array, check_at_least, dot, is_trained, map_leaves, no_updates, select
from ._options import options


class ZeroNansState(NamedTuple):
    """found_nan: for each leaf, whether the last update had a nan."""

    found_nan: Any


def zero_nans() -> Optimizer:
    """Updates with 0 in the places of nans."""

    def init(params: Any) -> ZeroNansState:
        return ZeroNansState(fx.tree.map(lambda p: fnp.asarray(False), params))

    def update(
        grads: Any, state: ZeroNansState, params: Any = None, **extra: Any
    ) -> tuple[Any, ZeroNansState]:
        found = fx.tree.map(lambda g: fnp.any(fnp.isnan(g)), grads)
        return map_leaves(lambda g: fnp.where(fnp.isnan(g), 0.0, g), grads), ZeroNansState(found)

    return Optimizer(init, update)


class ApplyIfFiniteState(NamedTuple):
    """notfinite_count: updates refused in a row; last_finite: whether the last gradient was finite;
    total_notfinite: gradients that were not; inner_state: of the optimizer."""

    notfinite_count: Any
    last_finite: Any
    total_notfinite: Any
    inner_state: Any


@options
def apply_if_finite(inner: Optimizer, max_consecutive_errors: Any) -> Optimizer:
    """An optimizer that leaves params and its state as they are where a gradient is not finite.

    Args:
        max_consecutive_errors: after so many refused updates in a row the next is applied as it is, so that the
            error shows.
    """
    check_optimizer(inner, "apply_if_finite: the optimizer")

    def init(params: Any) -> ApplyIfFiniteState:
        return ApplyIfFiniteState(no_updates(), fnp.asarray(True), no_updates(), inner.init(params))

    def update(
        grads: Any, state: ApplyIfFiniteState, params: Any = None, **extra: Any
    ) -> tuple[Any, ApplyIfFiniteState]:
        finite = all_finite(grads)
        in_a_row = fnp.where(finite, 0, state.notfinite_count + 1)
        applied = finite | (in_a_row > max_consecutive_errors)
        updates, inner_state = _if(applied, inner, grads, state.inner_state, params, extra)
        total = state.total_notfinite + fnp.where(finite, 0, 1)
        return updates, ApplyIfFiniteState(in_a_row, finite, total, inner_state)

    return Optimizer(init, update)


def _if(applied: Any, inner: Optimizer, grads: Any, state: Any, params: Any, extra: Any) -> tuple[Any, Any]:
    """The inner update where `applied`, else updates of 0 and the state as it was."""
    updates, new = run(inner, grads, state, params, extra)
    return select(applied, updates, fx.tree.map(fnp.zeros_like, updates)), select(applied, new, state)


class ConditionState(NamedTuple):
    """step: updates made, int64 of shape (). inner_state: of the optimizer."""

    step: Any
    inner_state: Any


@options
def conditionally_transform(
    inner: Optimizer, should_transform_fn: Callable[..., Any], forward_extra_args: bool = False
) -> Optimizer:
    """An optimizer where should_transform_fn(step) is true; elsewhere updates pass as they come.

    Args:
        should_transform_fn: from the count of updates (and, with forward_extra_args, the extra arguments by
            name) to a boolean of shape ().
    """
    return _conditional(inner, should_transform_fn, forward_extra_args, lambda grads: grads)


@options
def conditionally_mask(
    inner: Optimizer, should_transform_fn: Callable[..., Any], forward_extra_args: bool = False
) -> Optimizer:
    """As `conditionally_transform`, with updates of 0 elsewhere."""
    zero = lambda grads: fx.tree.map(fnp.zeros_like, grads)
    return _conditional(inner, should_transform_fn, forward_extra_args, zero)


def _conditional(
    inner: Optimizer, condition: Any, forward: bool, otherwise: Callable[[Any], Any]
) -> Optimizer:
    check_optimizer(inner, "The inner optimizer")

    def update(
        grads: Any, state: ConditionState, params: Any = None, **extra: Any
    ) -> tuple[Any, ConditionState]:
        chosen = condition(state.step, **(extra if forward else {}))
        updates, new = run(inner, grads, state.inner_state, params, extra)
        updates = select(chosen, updates, otherwise(grads))
        return updates, ConditionState(state.step + 1, select(chosen, new, state.inner_state))

    return Optimizer(lambda params: ConditionState(no_updates(), inner.init(params)), update)


def skip_not_finite(updates: Any, gradient_step: Any, params: Any) -> tuple[Any, dict[str, Any]]:
    """For `MultiSteps`: skip gradients with a number that is not finite."""
    counts = [fnp.sum(~fnp.isfinite(x)) for x in map(as_array, fx.tree.leaves(updates)) if is_trained(x)]
    total = sum(counts, start=no_updates())
    return total > 0, {"should_skip": total > 0, "num_not_finite": total}


@options
def skip_large_updates(
    updates: Any, gradient_step: Any, params: Any, max_squared_norm: Any
) -> tuple[Any, dict[str, Any]]:
    """For `MultiSteps`, with functools.partial(..., max_squared_norm=): skip gradients of a large or no norm."""
    square = dot(updates, updates)
    skipped = ~(square < max_squared_norm)
    return skipped, {"should_skip": skipped, "norm_squared": square}


class LossScaleState(NamedTuple):
    """scale: what the loss is to be multiplied by. good_steps: finite updates since the scale changed.
    finite: whether the last gradient was. inner_state: of the optimizer."""

    scale: Any
    good_steps: Any
    finite: Any
    inner_state: Any


@options
def dynamic_loss_scaling(
    inner: Optimizer,
    init_scale: float = 65536.0,
    growth_factor: float = 2.0,
    backoff_factor: float = 0.5,
    growth_interval: int = 2000,
) -> Optimizer:
    """An optimizer for gradients of `state.scale` times the loss, so that small ones survive in 16 bits.

    Gradients are divided by the scale. If one is not finite, params and the inner state stay and the scale is
    multiplied by backoff_factor; after growth_interval finite ones in a row by growth_factor.

    >>> import fx, fx.numpy as fnp
    >>> optimizer, w = dynamic_loss_scaling(fx.optim.sgd(0.5)), fnp.ones(2)
    >>> state = optimizer.init(w)
    >>> grads = fx.grad(lambda w: state.scale * (w**2).sum())(w)
    >>> optimizer.update(grads, state, w)[0]
    Array([-1., -1.], float32)

    Source: Micikevicius et al. 2018; the rule and defaults are those of torch.amp.GradScaler.
    """
    check_optimizer(inner, "dynamic_loss_scaling: the optimizer")
    check_at_least(0, "dynamic_loss_scaling", init_scale=init_scale, growth_factor=growth_factor)

    def init(params: Any) -> LossScaleState:
        scale = fnp.full((), init_scale, fnp.float32)
        return LossScaleState(scale, no_updates(), fnp.asarray(True), inner.init(params))

    def update(
        grads: Any, state: LossScaleState, params: Any = None, **extra: Any
    ) -> tuple[Any, LossScaleState]:
        finite = all_finite(grads)
        unscaled = map_leaves(lambda g: g / state.scale, grads)
        updates, inner_state = _if(finite, inner, unscaled, state.inner_state, params, extra)
        good = state.good_steps + 1
        grows = good >= growth_interval
        grown = fnp.where(grows, state.scale * growth_factor, state.scale)
        scale = fnp.where(finite, grown, state.scale * backoff_factor).astype(fnp.float32)
        steps = fnp.where(finite & ~grows, good, 0)
        return updates, LossScaleState(scale, steps, finite, inner_state)

    return Optimizer(init, update)
