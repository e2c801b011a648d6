"""Steps whose length is set leaf by leaf, by norms: lars, lamb, fromage, novograd."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._adam import scale_by_adam
from ._contract import Optimizer, chain, stateless
from ._leaves import (
    abs_square,
    as_array,
    at_count,
    check_fraction,
    each_leaf,
    is_trained,
    map_leaves,
    needs_params,
    no_updates,
    real_dtype,
    root,
    wide,
    zeros,
)
from ._masks import masked
from ._options import options
from ._parts import LearningRate, add_decayed_weights, scale_by_learning_rate, trace


@options
def lars(
    learning_rate: LearningRate,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = True,
    trust_coefficient: Any = 0.001,
    eps: Any = 0.0,
    trust_ratio_mask: Any = True,
    momentum: Any = 0.9,
    nesterov: bool = False,
) -> Optimizer:
    """Momentum with steps in proportion to the norm of each leaf. Source: You, Gitman, Ginsburg 2017.

    Args:
        weight_decay_mask, trust_ratio_mask: the leaves that decay, and those whose norms count; see `masked`.
    """
    return chain(
        add_decayed_weights(weight_decay, weight_decay_mask),
        masked(scale_by_trust_ratio(trust_coefficient=trust_coefficient, eps=eps), trust_ratio_mask),
        scale_by_learning_rate(learning_rate),
        trace(momentum, nesterov),
    )


@options
def lamb(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-6,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> Optimizer:
    """Adam with steps in proportion to the norm of each leaf. Source: You et al. 2019, Algorithm 2."""
    return chain(
        scale_by_adam(b1, b2, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_trust_ratio(),
        scale_by_learning_rate(learning_rate),
    )


@options
def fromage(learning_rate: LearningRate, min_norm: Any = 1e-6) -> Optimizer:
    """Steps in proportion to the norm of each leaf, which does not grow by them. Source: Bernstein et al. 2020."""
    shrink = lambda rate: 1.0 / fnp.sqrt(1.0 + rate * rate)
    if callable(learning_rate):
        at = functools.partial(at_count, learning_rate)
        rate = lambda count: shrink(at(count)) * at(count)
        decay = lambda count: shrink(at(count)) - 1.0
        return chain(scale_by_trust_ratio(min_norm), scale_by_learning_rate(rate), add_decayed_weights(decay))
    if learning_rate is None:
        raise fx.ArgumentError("fromage: learning_rate must be a real number or a schedule; got None.")
    known = isinstance(learning_rate, (int, float))
    factor = 1.0 / math.hypot(1.0, learning_rate) if known else 1.0 / (1.0 + learning_rate**2) ** 0.5
    rate = scale_by_learning_rate(learning_rate * factor)
    return chain(scale_by_trust_ratio(min_norm), rate, add_decayed_weights(factor - 1.0))


@options
def scale_by_trust_ratio(min_norm: Any = 0.0, trust_coefficient: Any = 1.0, eps: Any = 0.0) -> Optimizer:
    """Updates of each leaf times trust_coefficient * |params| / (|updates| + eps); as they are if a norm is 0.

    Args:
        min_norm: the least norm that either is taken to have.
    """

    def formula(g: Any, p: Any) -> Any:
        of_params, of_update = norm_at_least(p, min_norm), norm_at_least(g, min_norm)
        no_ratio = (of_params == 0.0) | (of_update == 0.0)
        ratio = trust_coefficient * of_params / fnp.where(no_ratio, 1.0, of_update + eps)
        return g * fnp.where(no_ratio, 1.0, ratio)

    def update(grads: Any, params: Any) -> Any:
        needs_params(params, "scale_by_trust_ratio")
        return map_leaves(formula, grads, params)

    return stateless(update)


def norm_at_least(x: Any, least: Any) -> Any:
    """The Euclidean norm of a leaf, or `least` where it is smaller; its derivative there is 0."""
    return _root_at_least(abs_square(x).sum(), least)


def rms_at_least(x: Any, least: Any) -> Any:
    """The root mean square of a leaf, or `least` where it is smaller; its derivative there is 0."""
    return _root_at_least(abs_square(x).sum() / max(x.size, 1), least)


def _root_at_least(square: Any, least: Any) -> Any:
    small = square <= least * least
    return fnp.where(small, least, fnp.sqrt(fnp.where(small, 1.0, square)))


@options
def scale_by_param_block_norm(min_scale: Any = 1e-3) -> Optimizer:
    """Updates of each leaf times the norm of its parameters, at least min_scale."""
    return _scale_by_params(norm_at_least, min_scale, "scale_by_param_block_norm")


@options
def scale_by_param_block_rms(min_scale: Any = 1e-3) -> Optimizer:
    """Updates of each leaf times the root mean square of its parameters, at least min_scale."""
    return _scale_by_params(rms_at_least, min_scale, "scale_by_param_block_rms")


def _scale_by_params(size: Any, min_scale: Any, name: str) -> Optimizer:
    def update(grads: Any, params: Any) -> Any:
        needs_params(params, name)
        return map_leaves(lambda g, p: g * size(p, min_scale), grads, params)

    return stateless(update)


@options
def novograd(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.25,
    eps: Any = 1e-6,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
) -> Optimizer:
    """Momentum of gradients that are divided by the running norm of their leaf. Source: Ginsburg et al. 2019."""
    part = scale_by_novograd(b1, b2, eps, eps_root, weight_decay)
    return chain(part, scale_by_learning_rate(learning_rate))


class NovogradState(NamedTuple):
    """count: updates made. mu: the velocity, like params. nu: for each leaf, the mean square of its norm."""

    count: Any
    mu: Any
    nu: Any


@options
def scale_by_novograd(
    b1: Any = 0.9,
    b2: Any = 0.25,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mu_dtype: Any = None,
) -> Optimizer:
    """The step of `novograd`, uphill and of learning rate 1."""
    check_fraction("scale_by_novograd", b1=b1, b2=b2)

    def init(params: Any) -> NovogradState:
        return NovogradState(no_updates(), zeros(params, mu_dtype), fx.tree.map(_no_norm, params))

    def update(
        grads: Any, state: NovogradState, params: Any = None, **extra: Any
    ) -> tuple[Any, NovogradState]:
        needs_params(params, "novograd")
        first = state.count == 0

        def formula(g: Any, m: Any, v: Any, p: Any) -> Any:
            square = abs_square(g).sum()
            v = fnp.where(first, square, b2 * v + (1.0 - b2) * square)
            m = b1 * m + g / (root(v, eps_root) + eps) + weight_decay * p
            return m, m, v

        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], [params])
        return updates, NovogradState(state.count + 1, mu, nu)

    return Optimizer(init, update)


def _no_norm(p: Any) -> Any:
    p = as_array(p)
    return fnp.zeros((), real_dtype(wide(p.dtype)) if is_trained(p) else p.dtype)
