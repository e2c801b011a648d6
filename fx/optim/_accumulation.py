"""Gradients of several small batches for one update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, check_optimizer, run
from ._leaves import as_array, at_count, each_leaf, in_dtype, no_updates, zeros


class MultiStepsState(NamedTuple):
    """mini_step: gradients since the last update. gradient_step: updates made. inner_opt_state: of the optimizer.
    acc_grads: the mean or sum of the gradients. skip_state: what should_skip_update_fn said."""

    mini_step: Any
    gradient_step: Any
    inner_opt_state: Any
    acc_grads: Any
    skip_state: Any = ()


class MultiSteps(Optimizer):
    """An optimizer that gets the mean of k gradients at every k-th update; the updates between are 0.

    Args:
        every_k_schedule: k, or a function from the count of updates of the optimizer to k.
        use_grad_mean: the mean of gradients, else their sum.
        should_skip_update_fn: `(grads, gradient_step, params) -> (boolean of shape (), a pytree for the state)`;
            gradients for which it is true are left out; such as `skip_not_finite`.
        accumulator_dtype: of the mean; None: that of params, of 16 bits float32.

    >>> import fx, fx.numpy as fnp
    >>> optimizer = MultiSteps(fx.optim.sgd(1.0), 2)
    >>> state = optimizer.init(fnp.zeros(1))
    >>> first, state = optimizer.update(fnp.ones(1), state)
    >>> second, state = optimizer.update(3 * fnp.ones(1), state)
    >>> first.tolist(), second.tolist(), bool(optimizer.has_updated(state))
    ([0.0], [-2.0], True)
    """

    __slots__ = ()

    def __new__(
        cls,
        opt: Optimizer,
        every_k_schedule: int | Callable[[Any], Any],
        use_grad_mean: bool = True,
        should_skip_update_fn: Callable[..., Any] | None = None,
        accumulator_dtype: Any = None,
    ) -> MultiSteps:
        check_optimizer(opt, "MultiSteps: the optimizer")
        if isinstance(every_k_schedule, int) and every_k_schedule < 1:
            raise fx.ArgumentError(
                f"MultiSteps: every_k_schedule must be at least 1; got {every_k_schedule}."
            )
        skips = should_skip_update_fn or (lambda grads, gradient_step, params: (fnp.asarray(False), ()))

        def init(params: Any) -> MultiStepsState:
            _, skip_state = skips(fx.tree.map(fnp.zeros_like, params), no_updates(), params)
            total = zeros(params, accumulator_dtype)
            return MultiStepsState(no_updates(), no_updates(), opt.init(params), total, skip_state)

        def update(
            grads: Any, state: MultiStepsState, params: Any = None, **extra: Any
        ) -> tuple[Any, MultiStepsState]:
            skipped, skip_state = skips(grads, state.gradient_step, params)
            due = state.mini_step + 1 >= at_count(every_k_schedule, state.gradient_step)
            formula = _mean if use_grad_mean else _sum
            arrived = [state.mini_step.astype(fnp.float64)]
            mean, total = each_leaf(formula, grads, [state.acc_grads], scalars=arrived)
            emits = due & ~skipped

            def emit() -> tuple[Any, Any]:
                updates, inner = run(opt, mean, state.inner_opt_state, params, extra)
                return updates, _in_dtypes_of(inner, state.inner_opt_state)

            def wait() -> tuple[Any, Any]:
                return fx.tree.map(fnp.zeros_like, mean), fx.tree.map(as_array, state.inner_opt_state)

            updates, inner = fx.lax.cond(emits, emit, wait)
            kept = fx.tree.map(lambda new, old: fnp.where(skipped, old, new), total, state.acc_grads)
            kept = fx.tree.map(lambda x: fnp.where(emits, fnp.zeros_like(x), x), kept)
            mini = fnp.where(skipped, state.mini_step, fnp.where(due, 0, state.mini_step + 1))
            made = state.gradient_step + fnp.where(emits, 1, 0)
            return updates, MultiStepsState(mini, made, inner, kept, skip_state)

        return super().__new__(cls, init, update)

    def has_updated(self, state: MultiStepsState) -> Any:
        """Whether the last call made an update of the optimizer, a boolean of shape ()."""
        return (state.mini_step == 0) & (state.gradient_step > 0)

    def gradient_transformation(self) -> Optimizer:
        """This as a plain pair of functions."""
        return Optimizer(self.init, self.update)


def _mean(g: Any, mean: Any, arrived: Any) -> tuple[Any, Any]:
    mean = mean + (g - mean) / (arrived + 1.0)
    return mean, mean


def _sum(g: Any, total: Any, arrived: Any) -> tuple[Any, Any]:
    return g + total, g + total


def _in_dtypes_of(new: Any, old: Any) -> Any:
    return fx.tree.map(lambda n, o: in_dtype(n, as_array(o).dtype), new, old)
