"""Averages of parameters: exponential, of equal weight (SWA), towards a target."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, check_optimizer, run
from ._leaves import (
    as_array,
    check_fraction,
    copies,
    each_leaf,
    in_dtype,
    is_trained,
    needs_params,
    no_updates,
    unbias,
    zeros,
)
from ._options import options


class AverageState(NamedTuple):
    """count: parameters averaged so far. average: of the parameters; read it by `averaged_params`.
    inner_state: of the optimizer."""

    count: Any
    average: Any
    inner_state: Any


@options
def with_ema(inner: Optimizer, decay: Any = 0.999, debias: bool = True) -> Optimizer:
    """An optimizer that also keeps the exponential moving average of params after its updates.

    Args:
        decay: average = decay * average + (1 - decay) * params.
        debias: start from 0 and divide by 1 - decay**count, so that early params have the weight of others; else
            the average starts as the first params, as torch.optim.swa_utils.get_ema_multi_avg_fn does.
    """
    check_optimizer(inner, "with_ema: the optimizer")
    check_fraction("with_ema", decay=decay)

    def init(params: Any) -> AverageState:
        return AverageState(no_updates(), zeros(params) if debias else copies(params), inner.init(params))

    def update(grads: Any, state: AverageState, params: Any = None, **extra: Any) -> tuple[Any, AverageState]:
        needs_params(params, "with_ema")
        updates, inner_state = run(inner, grads, state.inner_state, params, extra)
        count = state.count + 1
        # With weights (1 - d) / (1 - d**count) the average is free of its start at every count.
        weight = _weight(decay, count) if debias else fnp.asarray(1.0 - decay)
        if not debias:
            weight = fnp.where(count == 1, 1.0, weight)
        return updates, AverageState(count, _moved(state.average, params, updates, weight), inner_state)

    return Optimizer(init, update)


def _weight(decay: Any, count: Any) -> Any:
    return (1.0 - decay) * unbias(decay, count)


def _moved(average: Any, params: Any, updates: Any, weight: Any) -> Any:
    """average + weight * (new params - average)."""

    def formula(u: Any, mean: Any, p: Any, w: Any) -> tuple[Any, Any]:
        return u, mean + w * (p + u - mean)

    return each_leaf(formula, updates, [average], [params], [weight.astype(fnp.float64)])[1]


@options
def with_swa(inner: Optimizer, start: Any = 0, period: Any = 1) -> Optimizer:
    """An optimizer that also keeps the mean of params after every period-th update from `start` on.

    Before, the average is that of the params themselves. Source: Izmailov et al. 2018, Algorithm 1.
    """
    check_optimizer(inner, "with_swa: the optimizer")

    def init(params: Any) -> SwaState:
        return SwaState(no_updates(), no_updates(), copies(params), inner.init(params))

    def update(grads: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        needs_params(params, "with_swa")
        updates, inner_state = run(inner, grads, state.inner_state, params, extra)
        made = state.step + 1
        taken = (made > start) & ((made - start - 1) % period == 0)
        count = state.count + fnp.where(taken, 1, 0)
        mean = 1.0 / fnp.maximum(count, 1).astype(fnp.float64)
        weight = fnp.where(taken, mean, fnp.where(count == 0, 1.0, 0.0))
        average = _moved(state.average, params, updates, weight)
        return updates, SwaState(made, count, average, inner_state)

    return Optimizer(init, update)


class SwaState(NamedTuple):
    """step: updates made. count: params in the mean. average: their mean. inner_state: of the optimizer."""

    step: Any
    count: Any
    average: Any
    inner_state: Any


def averaged_params(state: Any, params: Any) -> Any:
    """The average in the state of `with_ema` or `with_swa`, in the dtypes of params."""
    if not hasattr(state, "average"):
        raise fx.ArgumentError(
            f"averaged_params takes the state of with_ema or with_swa; got {brief(state)}.\n"
            "In a chain, it is the part of the state at the place of that optimizer."
        )
    return fx.tree.map(lambda p, mean: in_dtype(mean, as_array(p).dtype), params, state.average)


@options
def incremental_update(new_tensors: Any, old_tensors: Any, step_size: Any) -> Any:
    """step_size * new + (1 - step_size) * old, leaf by leaf, as for Polyak averages and target networks."""

    def move(new: Any, old: Any) -> Any:
        new, old = as_array(new), as_array(old)
        return in_dtype(step_size * new + (1.0 - step_size) * old, old.dtype) if is_trained(old) else new

    return fx.tree.map(move, new_tensors, old_tensors)


@options
def periodic_update(new_tensors: Any, old_tensors: Any, steps: Any, update_period: Any) -> Any:
    """The new tensors where steps is a multiple of update_period, else the old ones."""
    due = fnp.asarray(steps) % update_period == 0
    return fx.tree.map(lambda new, old: fnp.where(due, new, old), new_tensors, old_tensors)
