"""Numbers about every step, in the state."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._clipping import ClipState
from ._contract import Optimizer, check_optimizer, run
from ._inject import InjectState
from ._leaves import all_finite, at_count, global_norm, no_updates, tree_dtype
from ._options import options
from ._parts import LearningRate, ScheduleState


class Statistics(NamedTuple):
    """About the last update, arrays of shape ().

    grad_norm, clipped_norm: the `global_norm` of the gradients, before and after clipping (if there is none, the
    same). update_norm: that of the updates. clipped: whether clipping changed anything. finite: whether all
    gradients were finite. learning_rate: nan where it is not known.
    """

    grad_norm: Any
    clipped_norm: Any
    update_norm: Any
    clipped: Any
    finite: Any
    learning_rate: Any


class StatisticsState(NamedTuple):
    """count: updates made. clipped_count, nonfinite_count: how many of them were clipped, or not finite.
    statistics: `Statistics` of the last. inner_state: of the optimizer."""

    count: Any
    clipped_count: Any
    nonfinite_count: Any
    statistics: Statistics
    inner_state: Any


@options
def with_statistics(inner: Optimizer, learning_rate: LearningRate = None) -> Optimizer:
    """An optimizer whose state has numbers about every step, `state.statistics`; they are computed under jit too.

    What was clipped is read from the states of the clipping parts in it, the learning rate from a schedule's or from
    `inject_hyperparams`.

    Args:
        learning_rate: a number or schedule to record where the state has none.

    >>> import fx, fx.numpy as fnp
    >>> optimizer = with_statistics(fx.optim.chain(fx.optim.clip_by_global_norm(1.0), fx.optim.sgd(0.1)), 0.1)
    >>> _, state = optimizer.update(fnp.asarray([3.0, 4.0]), optimizer.init(fnp.zeros(2)))
    >>> (
    ...     float(state.statistics.grad_norm),
    ...     float(state.statistics.clipped_norm),
    ...     bool(state.statistics.clipped),
    ... )
    (5.0, 1.0, True)
    """
    check_optimizer(inner, "with_statistics: the optimizer")

    def init(params: Any) -> StatisticsState:
        unknown = fnp.full((), fnp.nan, tree_dtype(params))
        nothing = Statistics(unknown, unknown, unknown, fnp.asarray(False), fnp.asarray(True), unknown)
        return StatisticsState(no_updates(), no_updates(), no_updates(), nothing, inner.init(params))

    def update(
        grads: Any, state: StatisticsState, params: Any = None, **extra: Any
    ) -> tuple[Any, StatisticsState]:
        updates, inner_state = run(inner, grads, state.inner_state, params, extra)
        clips = _states_of(inner_state, ClipState)
        norm, finite = global_norm(grads), all_finite(grads)
        clipped = functools.reduce(lambda a, b: a | b, [c.clipped for c in clips], fnp.asarray(False))
        after = clips[-1].clipped_norm if clips else norm
        rate = at_count(learning_rate, state.count) if learning_rate is not None else _rate_of(inner_state)
        numbers = [norm, after, global_norm(updates), clipped, finite, rate]
        kept = [fnp.asarray(x).astype(old.dtype) for x, old in zip(numbers, state.statistics, strict=True)]
        return updates, StatisticsState(
            state.count + 1,
            state.clipped_count + fnp.where(clipped, 1, 0),
            state.nonfinite_count + fnp.where(finite, 0, 1),
            Statistics(*kept),
            inner_state,
        )

    return Optimizer(init, update)


def _states_of(state: Any, kind: type) -> list[Any]:
    """The parts of a state that are of a kind, in their order."""
    leaves = fx.tree.leaves(state, is_leaf=lambda x: isinstance(x, kind))
    return [x for x in leaves if isinstance(x, kind)]


def _rate_of(state: Any) -> Any:
    for injected in _states_of(state, InjectState):
        if "learning_rate" in injected.hyperparams:
            return injected.hyperparams["learning_rate"]
    schedules = _states_of(state, ScheduleState)
    return schedules[-1].value if schedules else float("nan")
