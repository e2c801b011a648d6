"""Sophia: steps over an estimated diagonal of the Hessian, clipped."""

from __future__ import annotations

from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, chain, check_optimizer, run
from ._descent import random_like
from ._leaves import (
    as_array,
    check_at_least,
    check_fraction,
    each_leaf,
    in_dtype,
    map_leaves,
    needs_params,
    no_updates,
    unbias,
    zeros,
)
from ._options import options
from ._parts import LearningRate, add_decayed_weights, scale_by_learning_rate


class HutchinsonState(NamedTuple):
    """key: of `fx.random`."""

    key: Any


def hutchinson_estimator_diag_hessian(random_seed: Any = None) -> Optimizer:
    """The product of Hessian and random signs, times the signs: the Hessian's diagonal in expectation.

    Reads `obj_fn`, the function from params to the loss.

    Args:
        random_seed: a key of `fx.random`; None: key(0).

    Source: Hutchinson 1990.
    """

    def init(params: Any) -> HutchinsonState:
        return HutchinsonState(fx.random.key(0) if random_seed is None else fnp.asarray(random_seed))

    def update(
        grads: Any, state: HutchinsonState, params: Any = None, *, obj_fn: Any = None, **extra: Any
    ) -> tuple[Any, HutchinsonState]:
        needs_params(params, "sophia")
        if obj_fn is None:
            raise fx.ArgumentError(
                "sophia reads the loss as a function of params.\n"
                "Write optimizer.update(grads, state, params, obj_fn=lambda params: loss)."
            )
        kept, drawn = fx.random.split(state.key)
        signs = map_leaves(
            lambda p, s: s, params, random_like(fx.random.rademacher, drawn, params, fnp.float32)
        )
        params = fx.tree.map(as_array, params)
        _, product = fx.jvp(fx.grad(obj_fn), (params,), (signs,))
        return map_leaves(lambda h, s: h * s, product, signs), HutchinsonState(kept)

    return Optimizer(init, update)


class SophiaState(NamedTuple):
    """count: updates made. mu: the running mean of gradients. nu: that of the Hessian's diagonal.
    hessian_fn_state: of the estimator."""

    count: Any
    mu: Any
    nu: Any
    hessian_fn_state: Any


@options
def scale_by_sophia(
    b1: Any = 0.965,
    b2: Any = 0.99,
    eps: Any = 1e-8,
    gamma: Any = 0.01,
    clip_threshold: Any = 1.0,
    update_interval: int = 10,
    hessian_diagonal_fn: Optimizer | None = None,
    mu_dtype: Any = None,
) -> Optimizer:
    """The mean of gradients over max(gamma * curvature, eps), within +-clip_threshold.

    Args:
        update_interval: the curvature is estimated at every so many updates.
        hessian_diagonal_fn: whose "updates" are the estimate; None: `hutchinson_estimator_diag_hessian()`.
    """
    check_fraction("scale_by_sophia", b1=b1, b2=b2)
    check_at_least(0, "scale_by_sophia", eps=eps, gamma=gamma)
    if hessian_diagonal_fn is not None:
        check_optimizer(hessian_diagonal_fn, "scale_by_sophia: hessian_diagonal_fn")
    estimator = hutchinson_estimator_diag_hessian() if hessian_diagonal_fn is None else hessian_diagonal_fn

    def init(params: Any) -> SophiaState:
        return SophiaState(no_updates(), zeros(params, mu_dtype), zeros(params), estimator.init(params))

    def update(grads: Any, state: SophiaState, params: Any = None, **extra: Any) -> tuple[Any, SophiaState]:
        needs_params(params, "sophia")
        count = state.count + 1

        def formula(g: Any, m: Any, h: Any, of_mean: Any) -> Any:
            m = b1 * m + (1.0 - b1) * g
            step = of_mean * m / fnp.maximum(gamma * h, eps)
            return (step if clip_threshold is None else fnp.clip(step, -clip_threshold, clip_threshold)), m

        # The step reads the curvature of the last estimate, not of the one made below.
        updates, mu = each_leaf(formula, grads, [state.mu], [state.nu], [unbias(b1, count)])

        def estimated() -> tuple[Any, Any]:
            diagonal, kept = run(estimator, grads, state.hessian_fn_state, params, extra)
            mean = lambda h, old: in_dtype(b2 * old + (1.0 - b2) * h, old.dtype)
            return kept, fx.tree.map(mean, diagonal, state.nu)

        due = state.count % update_interval == 0
        kept, nu = fx.lax.cond(due, estimated, lambda: (state.hessian_fn_state, state.nu))
        return updates, SophiaState(count, mu, nu, kept)

    return Optimizer(init, update)


@options
def sophia(
    learning_rate: LearningRate,
    b1: Any = 0.965,
    b2: Any = 0.99,
    eps: Any = 1e-8,
    weight_decay: Any = 1e-4,
    weight_decay_mask: Any = None,
    gamma: Any = 0.01,
    clip_threshold: Any = 1.0,
    update_interval: int = 10,
    hessian_diagonal_fn: Optimizer | None = None,
    mu_dtype: Any = None,
) -> Optimizer:
    """Momentum over the curvature of each parameter: `update(grads, state, params, obj_fn=loss_of_params)`.

    Args: see `scale_by_sophia`.

    Source: Liu et al. 2023, Algorithm 3.
    """
    part = scale_by_sophia(b1, b2, eps, gamma, clip_threshold, update_interval, hessian_diagonal_fn, mu_dtype)
    decay = add_decayed_weights(weight_decay, weight_decay_mask)
    return chain(part, decay, scale_by_learning_rate(learning_rate))
