"""Relatives of Adam: other means of squares (adamax, adabelief, yogi, adan, adopt, ademamix), other lengths (radam)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fx.numpy as fnp

from ._adam import AdamState, adam_state
from ._contract import Optimizer, chain
from ._leaves import (
    abs_square,
    at_count,
    check_at_least,
    check_choice,
    check_fraction,
    each_leaf,
    filled,
    no_updates,
    root,
    safe_sqrt,
    unbias,
    zeros,
)
from ._options import options
from ._parts import LearningRate, add_decayed_weights, l2, scale_by_learning_rate


@options
def adamax(
    learning_rate: LearningRate, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8, *, weight_decay: Any = 0.0
) -> Optimizer:
    """Adam with a decaying maximum of gradients in the place of the root mean square.

    weight_decay: times params, added to the gradient. Source: Kingma and Ba 2014, Algorithm 2.
    """
    part = scale_by_adamax(b1, b2, eps)
    return chain(*l2(weight_decay), part, scale_by_learning_rate(learning_rate))


@options
def adamaxw(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    weight_decay: Any = 1e-4,
    mask: Any = None,
) -> Optimizer:
    """`adamax` with decoupled weight decay, as in `adamw`."""
    decay = add_decayed_weights(weight_decay, mask)
    return chain(scale_by_adamax(b1, b2, eps), decay, scale_by_learning_rate(learning_rate))


@options
def scale_by_adamax(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> Optimizer:
    """The mean of gradients over max(b2 * nu, |gradient| + eps), kept as nu."""
    check_fraction("scale_by_adamax", b1=b1, b2=b2)

    def formula(g: Any, m: Any, v: Any, of_mean: Any, _: Any) -> Any:
        m = b1 * m + (1.0 - b1) * g
        v = fnp.maximum(fnp.absolute(g) + eps, b2 * v)
        return of_mean * m / v, m, v

    return _like_adam(formula, b1, 0.0)


def _like_adam(formula: Callable[..., Any], b1: Any, b2: Any, initial: float = 0.0) -> Optimizer:
    """A part with the state of Adam: formula(g, mu, nu, corrections of mu and nu) -> update, mu, nu."""

    def init(params: Any) -> AdamState:
        return AdamState(no_updates(), filled(params, initial), filled(params, initial, real=True))

    def update(grads: Any, state: AdamState, params: Any = None, **extra: Any) -> tuple[Any, AdamState]:
        count = state.count + 1
        scalars = [unbias(b1, count), unbias(b2, count)]
        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], scalars=scalars)
        return updates, AdamState(count, mu, nu)

    return Optimizer(init, update)


@options
def adabelief(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-16,
    eps_root: Any = 1e-16,
    *,
    nesterov: bool = False,
) -> Optimizer:
    """Adam with the mean square of what the mean did not predict. Source: Zhuang et al. 2020, Algorithm 2."""
    part = scale_by_belief(b1, b2, eps, eps_root, nesterov=nesterov)
    return chain(part, scale_by_learning_rate(learning_rate))


@options
def scale_by_belief(
    b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-16, eps_root: Any = 1e-16, *, nesterov: bool = False
) -> Optimizer:
    """The step of `adabelief`, uphill and of learning rate 1."""
    check_fraction("scale_by_belief", b1=b1, b2=b2)

    def update(grads: Any, state: AdamState, params: Any = None, **extra: Any) -> tuple[Any, AdamState]:
        count = state.count + 1

        def formula(g: Any, m: Any, v: Any, now: Any, of_mean: Any, of_square: Any) -> Any:
            m = b1 * m + (1.0 - b1) * g
            v = b2 * v + (1.0 - b2) * abs_square(g - m) + eps_root
            ahead = b1 * of_mean * m + (1.0 - b1) * now * g if nesterov else now * m
            return ahead / (safe_sqrt(of_square * v) + eps), m, v

        scalars = [unbias(b1, count), unbias(b1, count + 1), unbias(b2, count)]
        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], scalars=scalars)
        return updates, AdamState(count, mu, nu)

    return Optimizer(adam_state, update)


@options
def yogi(learning_rate: LearningRate, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-3) -> Optimizer:
    """Adam whose mean square moves by an amount that its own size does not set. Source: Zaheer et al. 2018."""
    return chain(scale_by_yogi(b1, b2, eps), scale_by_learning_rate(learning_rate))


@options
def scale_by_yogi(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-3,
    eps_root: Any = 0.0,
    initial_accumulator_value: float = 1e-6,
) -> Optimizer:
    """The step of `yogi`, uphill and of learning rate 1."""
    check_fraction("scale_by_yogi", b1=b1, b2=b2)

    def formula(g: Any, m: Any, v: Any, of_mean: Any, of_square: Any) -> Any:
        square = abs_square(g)
        m = b1 * m + (1.0 - b1) * g
        v = v - (1.0 - b2) * fnp.sign(v - square) * square
        return of_mean * m / (root(of_square * v, eps_root) + eps), m, v

    return _like_adam(formula, b1, b2, initial_accumulator_value)


@options
def radam(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    *,
    nesterov: bool = False,
    weight_decay: Any = 0.0,
    correct_eps: bool = False,
) -> Optimizer:
    """Adam that takes plain means of gradients until its mean square can be trusted, and rectified steps then.

    Args:
        threshold: the length of the average from which on the square is used.
        weight_decay: times params, added to the gradient.
        correct_eps: eps is added before the square's bias is taken away, as in torch.optim.RAdam.

    Source: Liu et al. 2019, Algorithm 2.
    """
    part = scale_by_radam(b1, b2, eps, eps_root, threshold, nesterov=nesterov, correct_eps=correct_eps)
    return chain(*l2(weight_decay), part, scale_by_learning_rate(learning_rate))


@options
def scale_by_radam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    *,
    nesterov: bool = False,
    correct_eps: bool = False,
) -> Optimizer:
    """The step of `radam`, uphill and of learning rate 1."""
    check_fraction("scale_by_radam", b1=b1, b2=b2)
    longest = 2.0 / (1.0 - b2) - 1.0

    def update(grads: Any, state: AdamState, params: Any = None, **extra: Any) -> tuple[Any, AdamState]:
        count = state.count + 1
        steps = count.astype(fnp.float64)
        of_square = unbias(b2, count)
        length = longest - 2.0 * steps * (of_square - 1.0)
        trusted = length >= threshold
        safe = fnp.where(trusted, length, threshold)
        ratio = (safe - 4.0) * (safe - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * safe)
        rectified = fnp.sqrt(fnp.maximum(ratio, 0.0))

        def formula(g: Any, m: Any, v: Any, now: Any, ahead: Any, of_square: Any, rectified: Any) -> Any:
            m = b1 * m + (1.0 - b1) * g
            v = b2 * v + (1.0 - b2) * abs_square(g)
            mean = b1 * ahead * m + (1.0 - b1) * now * g if nesterov else now * m
            spread = root(of_square * v, eps_root) + eps * (fnp.sqrt(of_square) if correct_eps else 1.0)
            return fnp.where(trusted, rectified * mean / spread, mean), m, v

        scalars = [unbias(b1, count), unbias(b1, count + 1), of_square, rectified]
        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], scalars=scalars)
        return updates, AdamState(count, mu, nu)

    return Optimizer(adam_state, update)


@options
def adan(
    learning_rate: LearningRate,
    b1: Any = 0.98,
    b2: Any = 0.92,
    b3: Any = 0.99,
    eps: Any = 1e-8,
    eps_root: Any = 1e-8,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> Optimizer:
    """Adaptive Nesterov momentum from means of gradients, of their differences and of squares of both.

    Source: Xie et al. 2022, Algorithm 1.
    """
    decay = add_decayed_weights(weight_decay, mask)
    return chain(scale_by_adan(b1, b2, b3, eps, eps_root), decay, scale_by_learning_rate(learning_rate))


class AdanState(NamedTuple):
    """Running means m of gradients, v of their differences, n of squares; g: the last gradient; t: updates made."""

    m: Any
    v: Any
    n: Any
    g: Any
    t: Any


@options
def scale_by_adan(
    b1: Any = 0.98, b2: Any = 0.92, b3: Any = 0.99, eps: Any = 1e-8, eps_root: Any = 0.0
) -> Optimizer:
    """The step of `adan`, uphill and of learning rate 1."""
    check_fraction("scale_by_adan", b1=b1, b2=b2, b3=b3)

    def init(params: Any) -> AdanState:
        zero = zeros(params)
        return AdanState(zero, zero, filled(params, 0, real=True), zero, no_updates())

    def update(grads: Any, state: AdanState, params: Any = None, **extra: Any) -> tuple[Any, AdanState]:
        first, count = state.t == 0, state.t + 1

        def formula(g: Any, m: Any, v: Any, n: Any, old: Any, of_m: Any, of_v: Any, of_n: Any) -> Any:
            difference = fnp.where(first, 0.0, g - old)
            m = b1 * m + (1.0 - b1) * g
            v = b2 * v + (1.0 - b2) * difference
            n = b3 * n + (1.0 - b3) * abs_square(g + (1.0 - b2) * difference)
            step = of_m * m + (1.0 - b2) * of_v * v
            return step / (root(of_n * n, eps_root) + eps), m, v, n, g

        scalars = [unbias(b1, count), unbias(b2, count), unbias(b3, count)]
        states = [state.m, state.v, state.n, state.g]
        updates, m, v, n, g = each_leaf(formula, grads, states, scalars=scalars)
        return updates, AdanState(m, v, n, g, count)

    return Optimizer(init, update)


@options
def adopt(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.9999,
    eps: Any = 1e-6,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] = lambda count: count**0.25,
) -> Optimizer:
    """Adam that divides by the mean square before the gradient enters it, and converges for every b2.

    Args:
        clip_value_fn: from the count of updates made to the largest size of a normalized gradient.

    Source: Taniguchi et al. 2024, Algorithm 2.
    """
    part = scale_by_adopt(
        b1, b2, eps, mu_dtype, nesterov=nesterov, use_clipping=use_clipping, clip_value_fn=clip_value_fn
    )
    return chain(part, scale_by_learning_rate(learning_rate))


@options
def scale_by_adopt(
    b1: Any = 0.9,
    b2: Any = 0.9999,
    eps: Any = 1e-6,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Callable[[Any], Any] = lambda count: count**0.25,
) -> Optimizer:
    """The step of `adopt`, uphill and of learning rate 1; the first gradient only starts the mean square."""
    check_fraction("scale_by_adopt", b1=b1, b2=b2)

    def update(grads: Any, state: AdamState, params: Any = None, **extra: Any) -> tuple[Any, AdamState]:
        first = state.count == 0
        limit = fnp.asarray(clip_value_fn(state.count.astype(fnp.float64)))

        def formula(g: Any, m: Any, v: Any, limit: Any) -> Any:
            unit = g / fnp.maximum(safe_sqrt(v), eps)
            unit = fnp.clip(unit, -limit, limit) if use_clipping else unit
            new = fnp.where(first, m, b1 * m + (1.0 - b1) * unit)
            v = fnp.where(first, abs_square(g), b2 * v + (1.0 - b2) * abs_square(g))
            ahead = fnp.where(first, new, b1 * new + (1.0 - b1) * unit) if nesterov else new
            return ahead, new, v

        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], scalars=[limit])
        return updates, AdamState(state.count + 1, mu, nu)

    return Optimizer(lambda params: adam_state(params, mu_dtype), update)


@options
def ademamix(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    b3: LearningRate = 0.9999,
    alpha: LearningRate = 5.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    weight_decay: Any = 0.0,
    mask: Any = None,
) -> Optimizer:
    """Adam with two means of gradients, a fast one and a slow one of weight alpha.

    Args:
        b3, alpha: of the slow mean; numbers, or schedules of the count of updates.

    Source: Pagliardini et al. 2024, Algorithm 1.
    """
    part = scale_by_ademamix(b1, b2, b3, alpha, eps, eps_root, mu_dtype)
    decay = add_decayed_weights(weight_decay, mask)
    return chain(part, decay, scale_by_learning_rate(learning_rate))


class AdemamixState(NamedTuple):
    """count: updates made. m1, m2: the fast and the slow mean of gradients. nu: the mean of squares."""

    count: Any
    m1: Any
    m2: Any
    nu: Any


@options
def scale_by_ademamix(
    b1: Any = 0.9,
    b2: Any = 0.999,
    b3: LearningRate = 0.9999,
    alpha: LearningRate = 6.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
) -> Optimizer:
    """The step of `ademamix`, uphill and of learning rate 1."""
    check_fraction("scale_by_ademamix", b1=b1, b2=b2, b3=b3)

    def init(params: Any) -> AdemamixState:
        count, mu, nu = adam_state(params, mu_dtype)
        return AdemamixState(count, mu, mu, nu)

    def update(
        grads: Any, state: AdemamixState, params: Any = None, **extra: Any
    ) -> tuple[Any, AdemamixState]:
        count = state.count + 1
        slow, weight = at_count(b3, state.count), at_count(alpha, state.count)

        def formula(g: Any, m1: Any, m2: Any, v: Any, of_mean: Any, of_square: Any) -> Any:
            m1 = b1 * m1 + (1.0 - b1) * g
            m2 = slow * m2 + (1.0 - slow) * g
            v = b2 * v + (1.0 - b2) * abs_square(g)
            return (of_mean * m1 + weight * m2) / (root(of_square * v, eps_root) + eps), m1, m2, v

        states, scalars = [state.m1, state.m2, state.nu], [unbias(b1, count), unbias(b2, count)]
        updates, m1, m2, nu = each_leaf(formula, grads, states, scalars=scalars)
        return updates, AdemamixState(count, m1, m2, nu)

    return Optimizer(init, update)


class LionState(NamedTuple):
    """count: updates made, int64 of shape (). mu: the running mean of gradients, like params."""

    count: Any
    mu: Any


@options
def lion(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.99,
    mu_dtype: Any = None,
    weight_decay: Any = 1e-3,
    mask: Any = None,
) -> Optimizer:
    """Minus learning_rate times (the sign of a mean of gradients + weight_decay * params).

    Source: Chen et al. 2023, Symbolic Discovery of Optimization Algorithms.
    """
    decay = add_decayed_weights(weight_decay, mask)
    return chain(scale_by_lion(b1, b2, mu_dtype), decay, scale_by_learning_rate(learning_rate))


@options
def scale_by_lion(
    b1: Any = 0.9, b2: Any = 0.99, mu_dtype: Any = None, *, mode: str = "hard", smooth_beta: float = 1.0
) -> Optimizer:
    """The sign of x = b1 * mu + (1 - b1) * gradient; mu is a running mean of rate b2.

    Args:
        mode: "hard": the sign; "smooth": tanh(smooth_beta * x); "refined": x clipped to [-1, 1].
    """
    check_fraction("scale_by_lion", b1=b1, b2=b2)
    check_at_least(0, "scale_by_lion", smooth_beta=smooth_beta)
    check_choice("scale_by_lion", "mode", mode, ("hard", "smooth", "refined"))
    sign = {
        "hard": fnp.sign,
        "smooth": lambda x: fnp.tanh(smooth_beta * x),
        "refined": lambda x: fnp.where(fnp.absolute(x) < 1.0, x, fnp.sign(x)),
    }[mode]

    def formula(g: Any, m: Any) -> Any:
        return sign((1.0 - b1) * g + b1 * m), b2 * m + (1.0 - b2) * g

    def update(grads: Any, state: LionState, params: Any = None, **extra: Any) -> tuple[Any, LionState]:
        updates, mu = each_leaf(formula, grads, [state.mu])
        return updates, LionState(state.count + 1, mu)

    return Optimizer(lambda params: LionState(no_updates(), zeros(params, mu_dtype)), update)
