"""Adam and what differs from it in one place: decoupled decay, Nesterov, the largest square, optimism."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import fx.numpy as fnp

from ._contract import Optimizer, chain
from ._descent import scale_by_optimistic_gradient
from ._leaves import (
    abs_square,
    check_at_least,
    check_fraction,
    each_leaf,
    filled,
    no_updates,
    root,
    unbias,
    zeros,
)
from ._options import options
from ._parts import LearningRate, add_decayed_weights, l2, scale_by_learning_rate


@options
def adam(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    weight_decay: Any = 0.0,
) -> Optimizer:
    """Adam: minus learning_rate times the running mean of gradients over the root of that of their squares.

    Args:
        mu_dtype: of the running mean; None: that of params, of 16 bits float32.
        nesterov: look one step ahead, see `nadam`.
        weight_decay: times params, added to the gradient as in torch.optim.Adam; `adamw` decays apart from it.

    Source: Kingma and Ba 2014, Algorithm 1.
    """
    part = scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)
    return chain(*l2(weight_decay), part, scale_by_learning_rate(learning_rate))


@options
def adamw(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    weight_decay: Any = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = False,
) -> Optimizer:
    """Adam with decoupled weight decay: minus learning_rate times (the step of Adam + weight_decay * params).

    Args:
        weight_decay: 1e-4 as in Optax; torch.optim.AdamW has 1e-2.
        mask: which parameters decay; see `add_decayed_weights`.

    Source: Loshchilov and Hutter 2017, Algorithm 2.
    """
    check_at_least(0, "adamw", weight_decay=weight_decay)
    part = scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)
    decay = add_decayed_weights(weight_decay, mask)
    return chain(part, decay, scale_by_learning_rate(learning_rate))


@options
def nadam(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    weight_decay: Any = 0.0,
    momentum_decay: Any = None,
) -> Optimizer:
    """Adam with Nesterov momentum: the mean as it will be if the gradient stays.

    Args:
        weight_decay: times params, added to the gradient.
        momentum_decay: None: b1 is constant, as in Optax. A number: b1 grows from about half of it, as in
            torch.optim.NAdam, whose default is 4e-3.

    Source: Dozat 2016, Algorithm 2, without its factor b2 before the square.
    """
    if momentum_decay is None:
        return adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=True, weight_decay=weight_decay)
    part = scale_by_nadam(b1, b2, eps, eps_root, mu_dtype, momentum_decay)
    return chain(*l2(weight_decay), part, scale_by_learning_rate(learning_rate))


nadamw = functools.partial(adamw, nesterov=True)
"""`adamw` with Nesterov momentum, see `nadam`."""


class AdamState(NamedTuple):
    """count: updates made, int64 of shape (). mu, nu: running means of gradients and their squares.

    They are like params; of float16 and bfloat16 parameters they are float32.
    """

    count: Any
    mu: Any
    nu: Any


def adam_state(params: Any, mu_dtype: Any = None) -> AdamState:
    """No updates made, and means of 0."""
    return AdamState(no_updates(), zeros(params, mu_dtype), filled(params, 0, real=True))


@options
def scale_by_adam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> Optimizer:
    """mu / (sqrt(nu + eps_root) + eps), for running means free of their bias towards 0.

    Where all gradients were 0 the update is 0, and so is the derivative of its square root.

    Source: Kingma and Ba 2014, Algorithm 1.
    """
    check_fraction("scale_by_adam", b1=b1, b2=b2)
    check_at_least(0, "scale_by_adam", eps=eps, eps_root=eps_root)

    def update(grads: Any, state: AdamState, params: Any = None, **extra: Any) -> tuple[Any, AdamState]:
        count = state.count + 1

        def formula(g: Any, m: Any, v: Any, of_mean: Any, of_square: Any, *of_gradient: Any) -> Any:
            m = b1 * m + (1.0 - b1) * g
            v = b2 * v + (1.0 - b2) * abs_square(g)
            ahead = of_mean * m if not nesterov else b1 * of_mean * m + (1.0 - b1) * of_gradient[0] * g
            return ahead / (root(of_square * v, eps_root) + eps), m, v

        scalars = [unbias(b1, count + 1 if nesterov else count), unbias(b2, count)]
        scalars += [unbias(b1, count)] if nesterov else []
        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], scalars=scalars)
        return updates, AdamState(count, mu, nu)

    return Optimizer(lambda params: adam_state(params, mu_dtype), update)


class NadamState(NamedTuple):
    """As `AdamState`; mu_product: the product of all momentum factors, float64 of shape ()."""

    count: Any
    mu_product: Any
    mu: Any
    nu: Any


@options
def scale_by_nadam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    momentum_decay: Any = 4e-3,
) -> Optimizer:
    """NAdam with the growing momentum b1 * (1 - 0.96**(count * momentum_decay) / 2).

    Source: Dozat 2016, Algorithm 2, as in torch.optim.NAdam.
    """
    check_fraction("scale_by_nadam", b1=b1, b2=b2)

    def init(params: Any) -> NadamState:
        count, mu, nu = adam_state(params, mu_dtype)
        return NadamState(count, fnp.ones((), fnp.float64), mu, nu)

    def update(grads: Any, state: NadamState, params: Any = None, **extra: Any) -> tuple[Any, NadamState]:
        count = state.count + 1
        factor = lambda t: b1 * (1.0 - 0.5 * 0.96 ** (t.astype(fnp.float64) * momentum_decay))
        now, ahead = factor(count), factor(count + 1)
        product = state.mu_product * now
        of_gradient, of_mean = (1.0 - now) / (1.0 - product), ahead / (1.0 - product * ahead)

        def formula(g: Any, m: Any, v: Any, of_gradient: Any, of_mean: Any, of_square: Any) -> Any:
            m = b1 * m + (1.0 - b1) * g
            v = b2 * v + (1.0 - b2) * abs_square(g)
            step = of_gradient * g + of_mean * m
            return step / (root(of_square * v, eps_root) + eps), m, v

        scalars = [of_gradient, of_mean, unbias(b2, count)]
        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], scalars=scalars)
        return updates, NadamState(count, product, mu, nu)

    return Optimizer(init, update)


@options
def amsgrad(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    correct_largest: bool = False,
    weight_decay: Any = 0.0,
) -> Optimizer:
    """Adam with the largest mean square so far.

    Args:
        bias_correction_mu, bias_correction_nu: whether the means are freed of their bias towards 0.
        correct_largest: correct the largest mean, as torch.optim.Adam(amsgrad=True) does, instead of taking the
            largest of the corrected ones.
        weight_decay: times params, added to the gradient.

    Source: Reddi, Kale, Kumar 2018.
    """
    part = scale_by_amsgrad(
        b1, b2, eps, eps_root, mu_dtype, bias_correction_mu, bias_correction_nu, correct_largest
    )
    return chain(*l2(weight_decay), part, scale_by_learning_rate(learning_rate))


class AmsgradState(NamedTuple):
    """As `AdamState`; nu_max: the largest mean squares."""

    count: Any
    mu: Any
    nu: Any
    nu_max: Any


@options
def scale_by_amsgrad(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    correct_largest: bool = False,
) -> Optimizer:
    """The step of `amsgrad`, uphill and of learning rate 1."""
    check_fraction("scale_by_amsgrad", b1=b1, b2=b2)
    check_at_least(0, "scale_by_amsgrad", eps=eps, eps_root=eps_root)

    def init(params: Any) -> AmsgradState:
        count, mu, nu = adam_state(params, mu_dtype)
        return AmsgradState(count, mu, nu, nu)

    def update(grads: Any, state: AmsgradState, params: Any = None, **extra: Any) -> tuple[Any, AmsgradState]:
        count = state.count + 1

        def formula(g: Any, m: Any, v: Any, largest: Any, of_mean: Any, of_square: Any) -> Any:
            m = b1 * m + (1.0 - b1) * g
            v = b2 * v + (1.0 - b2) * abs_square(g)
            before, after = (1.0, of_square) if correct_largest else (of_square, 1.0)
            largest = fnp.maximum(largest, before * v)
            return of_mean * m / (root(after * largest, eps_root) + eps), m, v, largest

        one = fnp.ones((), fnp.float64)
        scalars = [
            unbias(b1, count) if bias_correction_mu else one,
            unbias(b2, count) if bias_correction_nu else one,
        ]
        states = [state.mu, state.nu, state.nu_max]
        updates, mu, nu, largest = each_leaf(formula, grads, states, scalars=scalars)
        return updates, AmsgradState(count, mu, nu, largest)

    return Optimizer(init, update)


@options
def optimistic_adam(
    learning_rate: Any,
    optimism: Any = None,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
) -> Optimizer:
    """Adam followed by an optimistic step of strength `optimism`; None: learning_rate. See `optimistic_adam_v2`."""
    optimism = learning_rate if optimism is None else optimism
    part = scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)
    return chain(part, scale_by_optimistic_gradient(learning_rate, optimism), scale_by_learning_rate(1.0))


@options
def optimistic_adam_v2(
    learning_rate: LearningRate,
    *,
    alpha: Any = 1.0,
    beta: Any = 1.0,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    nesterov: bool = True,
) -> Optimizer:
    """Adam whose step is repeated in part: (alpha + beta) steps minus beta previous ones.

    Source: Daskalakis et al. 2018, for saddle points as in adversarial training.
    """
    part = scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)
    return chain(part, scale_by_optimistic_gradient(alpha, beta), scale_by_learning_rate(learning_rate))
