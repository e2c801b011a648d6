"""Steps measured from where the parameters started: dog, dowg, cocob, madgrad."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, chain, identity
from ._leaves import (
    at_count,
    check_at_least,
    check_fraction,
    copies,
    dot,
    each_leaf,
    filled,
    global_norm,
    map_leaves,
    needs_params,
    no_updates,
    tree_dtype,
    zeros,
)
from ._options import is_number, options
from ._parts import LearningRate, add_decayed_weights, scale_by_learning_rate


class DogState(NamedTuple):
    """first: whether no update was made. init_params: the first ones. max_dist: the farthest that params were from
    them. sum_sq_norm_grads: of all updates; both of shape ()."""

    first: Any
    init_params: Any
    max_dist: Any
    sum_sq_norm_grads: Any


@options
def dog(
    learning_rate: LearningRate = 1.0,
    init_step: tuple[str, Any] = ("heuristic", 1e-6),
    eps: Any = 1e-8,
    weight_decay: Any = None,
    mask: Any = None,
) -> Optimizer:
    """Gradient descent whose step length is the distance from the start over the root of all squared gradients.

    Args:
        init_step: ("distance", d): the distance is at least d; ("heuristic", a): at least a * (1 + |params|);
            ("learning_rate", r): the first step has the length r.
        weight_decay, mask: see `add_decayed_weights`.

    The mean of the parameters (`with_ema`) is what is meant for predictions. Source: Ivgi et al. 2023.
    """
    return chain(
        _decay(weight_decay, mask), scale_by_dog(init_step, eps), scale_by_learning_rate(learning_rate)
    )


@options
def scale_by_dog(init_step: tuple[str, Any] = ("heuristic", 1e-6), eps: Any = 1e-8) -> Optimizer:
    """The step of `dog`, uphill."""
    kind, size = _init_step(init_step)

    def init(params: Any) -> DogState:
        dtype = tree_dtype(params)
        least = {"distance": lambda: size, "heuristic": lambda: size * (1.0 + global_norm(params))}
        distance = fnp.asarray(least.get(kind, lambda: 0.0)()).astype(dtype)
        return DogState(fnp.asarray(True), copies(params), distance, fnp.zeros((), dtype))

    def update(grads: Any, state: DogState, params: Any = None, **extra: Any) -> tuple[Any, DogState]:
        moved = _moved(params, state.init_params, "dog")
        largest = fnp.maximum(state.max_dist, global_norm(moved)).astype(state.max_dist.dtype)
        total = (state.sum_sq_norm_grads + dot(grads, grads)).astype(largest.dtype)
        length = largest / fnp.sqrt(total + eps)
        if kind == "learning_rate":
            length = fnp.where(state.first, size, length)
        updates = map_leaves(lambda g, s: s * g, grads, scalars=[length])
        return updates, DogState(fnp.asarray(False), state.init_params, largest, total)

    return Optimizer(init, update)


def _decay(weight_decay: Any, mask: Any) -> Optimizer:
    return identity() if weight_decay is None else add_decayed_weights(weight_decay, mask)


def _init_step(given: Any) -> tuple[str, Any]:
    kinds = ("distance", "learning_rate", "heuristic")
    pair = isinstance(given, (tuple, list)) and len(given) == 2
    if not pair or not isinstance(given[0], str) or given[0] not in kinds or not is_number(given[1]):
        raise fx.ArgumentError(
            f"dog: init_step must be a pair of one of {', '.join(kinds)} and a number; got {brief(given)}."
        )
    return given[0], given[1]


def _moved(params: Any, start: Any, name: str) -> Any:
    needs_params(params, name)
    return map_leaves(lambda p, p0: p - p0, params, start)


class DowgState(NamedTuple):
    """init_params: the first ones. weighted_sq_norm_grads: of all updates, each times the estimate of its time.
    estim_sq_dist: the largest squared distance from the start; both of shape ()."""

    init_params: Any
    weighted_sq_norm_grads: Any
    estim_sq_dist: Any


@options
def dowg(
    learning_rate: LearningRate = 1.0,
    init_estim_sq_dist: Any = None,
    eps: Any = 1e-4,
    weight_decay: Any = None,
    mask: Any = None,
) -> Optimizer:
    """`dog` with squared gradients weighted by the squared distance of their time.

    Args:
        init_estim_sq_dist: the first estimate of that distance; None: eps.
        weight_decay, mask: see `add_decayed_weights`.

    Source: Khaled et al. 2023.
    """
    part = scale_by_dowg(init_estim_sq_dist, eps)
    return chain(_decay(weight_decay, mask), part, scale_by_learning_rate(learning_rate))


@options
def scale_by_dowg(init_estim_sq_dist: Any = None, eps: Any = 1e-4) -> Optimizer:
    """The step of `dowg`, uphill."""

    def init(params: Any) -> DowgState:
        dtype = tree_dtype(params)
        first = fnp.asarray(eps if init_estim_sq_dist is None else init_estim_sq_dist).astype(dtype)
        return DowgState(copies(params), fnp.zeros((), dtype), first)

    def update(grads: Any, state: DowgState, params: Any = None, **extra: Any) -> tuple[Any, DowgState]:
        moved = _moved(params, state.init_params, "dowg")
        square = fnp.maximum(state.estim_sq_dist, dot(moved, moved)).astype(state.estim_sq_dist.dtype)
        weighted = (state.weighted_sq_norm_grads + square * dot(grads, grads)).astype(square.dtype)
        updates = map_leaves(lambda g, s: s * g, grads, scalars=[square / (fnp.sqrt(weighted) + eps)])
        return updates, DowgState(state.init_params, weighted, square)

    return Optimizer(init, update)


class CocobState(NamedTuple):
    """init_particles: the first parameters. cumulative_gradients: minus the sum of gradients. scale: their largest
    size. subgradients: the sum of their sizes. reward: what was won. All like params."""

    init_particles: Any
    cumulative_gradients: Any
    scale: Any
    subgradients: Any
    reward: Any


@options
def cocob(
    learning_rate: LearningRate = 1.0,
    alpha: Any = 100.0,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> Optimizer:
    """Every number bets on its gradients and needs no step length. For real parameters.

    Args:
        learning_rate: times the gradients. alpha: how small the first bets are. eps: the least size of gradients.
        weight_decay, mask: see `add_decayed_weights`.

    Source: Orabona and Tommasi 2017, Algorithm 2.
    """
    rate = scale_by_learning_rate(learning_rate, flip_sign=False)
    return chain(add_decayed_weights(weight_decay, mask), rate, scale_by_cocob(alpha, eps))


@options
def scale_by_cocob(alpha: Any = 100.0, eps: Any = 1e-8) -> Optimizer:
    """The step of `cocob`."""

    def init(params: Any) -> CocobState:
        zero = zeros(params)
        return CocobState(copies(params), zero, filled(params, eps), zero, zero)

    def formula(g: Any, p0: Any, total: Any, size: Any, sizes: Any, reward: Any, p: Any) -> Any:
        size, sizes = fnp.maximum(size, fnp.absolute(g)), sizes + fnp.absolute(g)
        reward, total = fnp.maximum(reward - g * (p - p0), 0.0), total - g
        bet = total / (size * fnp.maximum(sizes + size, alpha * size)) * (size + reward)
        return p0 + bet - p, p0, total, size, sizes, reward

    def update(grads: Any, state: CocobState, params: Any = None, **extra: Any) -> tuple[Any, CocobState]:
        needs_params(params, "cocob")
        updates, *new = each_leaf(formula, grads, [*state], [params])
        return updates, CocobState(*new)

    return Optimizer(init, update)


class MadgradState(NamedTuple):
    """count: updates made. grad_sum_sq, s: weighted sums of squared gradients and of gradients. x0: the first
    parameters."""

    count: Any
    grad_sum_sq: Any
    s: Any
    x0: Any


@options
def madgrad(
    learning_rate: LearningRate, momentum: Any = 0.9, weight_decay: Any = 0.0, eps: Any = 1e-6
) -> Optimizer:
    """Dual averaging over the cube root of summed squares, with momentum. For real parameters.

    Args:
        momentum: the part of params that stays. weight_decay: times params, added to the gradient.

    Source: Defazio and Jelassi 2021, Algorithm 1.
    """
    return chain(add_decayed_weights(weight_decay), scale_by_madgrad(learning_rate, momentum, eps))


@options
def scale_by_madgrad(learning_rate: LearningRate, momentum: Any = 0.9, eps: Any = 1e-6) -> Optimizer:
    """The step of `madgrad`."""
    check_fraction("madgrad", momentum=momentum)
    if not callable(learning_rate):
        check_at_least(0, "madgrad", learning_rate=learning_rate)

    def init(params: Any) -> MadgradState:
        return MadgradState(no_updates(), zeros(params), zeros(params), copies(params))

    def formula(g: Any, square: Any, total: Any, p0: Any, p: Any, weight: Any) -> Any:
        square, total = square + weight * g * g, total + weight * g
        target = p0 - total / (fnp.cbrt(square) + eps)
        return (1.0 - momentum) * (target - p), square, total, p0

    def update(grads: Any, state: MadgradState, params: Any = None, **extra: Any) -> tuple[Any, MadgradState]:
        needs_params(params, "madgrad")
        weight = (at_count(learning_rate, state.count) + eps) * fnp.sqrt(state.count + 1.0)
        states = [state.grad_sum_sq, state.s, state.x0]
        updates, *new = each_leaf(formula, grads, states, [params], [weight])
        return updates, MadgradState(state.count + 1, *new)

    return Optimizer(init, update)
