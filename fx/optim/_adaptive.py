"""Lengths of steps from accumulated squares, each number by itself: adagrad, adadelta, rmsprop, sm3."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, chain, identity
from ._leaves import (
    abs_square,
    as_array,
    check_at_least,
    check_fraction,
    each_leaf,
    filled,
    is_trained,
    is_zero,
    no_updates,
    root,
    safe_sqrt,
    unbias,
    wide,
    zeros,
)
from ._options import options
from ._parts import LearningRate, add_decayed_weights, l2, scale_by_learning_rate, scale_by_schedule, trace


@options
def adagrad(
    learning_rate: LearningRate,
    initial_accumulator_value: Any = 0.1,
    eps: Any = 1e-7,
    *,
    eps_in_sqrt: bool = True,
    lr_decay: Any = 0.0,
    weight_decay: Any = 0.0,
) -> Optimizer:
    """Minus learning_rate times the gradient over the root of the sum of all its squares.

    Args:
        eps_in_sqrt: whether eps is added to the sum or to its root.
        lr_decay: the learning rate is divided by 1 + lr_decay * updates made.
        weight_decay: times params, added to the gradient.

    torch.optim.Adagrad is adagrad(1e-2, 0.0, 1e-10, eps_in_sqrt=False). Source: Duchi, Hazan, Singer 2011.
    """
    slower = lambda count: 1.0 / (1.0 + count.astype(fnp.float64) * lr_decay)
    later = [] if is_zero(lr_decay) else [scale_by_schedule(slower)]
    part = scale_by_rss(initial_accumulator_value, eps, eps_in_sqrt)
    return chain(*l2(weight_decay), part, *later, scale_by_learning_rate(learning_rate))


class RssState(NamedTuple):
    """sum_of_squares: of all gradients, like params."""

    sum_of_squares: Any


@options
def scale_by_rss(
    initial_accumulator_value: Any = 0.1, eps: Any = 1e-7, eps_in_sqrt: bool = True
) -> Optimizer:
    """Updates over the root of the sum of all their squares; 0 where that sum is 0."""
    check_at_least(0, "scale_by_rss", initial_accumulator_value=initial_accumulator_value, eps=eps)

    def formula(g: Any, total: Any) -> Any:
        total = total + abs_square(g)
        return fnp.where(total > 0, g / _spread(total, eps, eps_in_sqrt), 0.0), total

    def update(grads: Any, state: RssState, params: Any = None, **extra: Any) -> tuple[Any, RssState]:
        updates, total = each_leaf(formula, grads, [state.sum_of_squares])
        return updates, RssState(total)

    return Optimizer(lambda params: RssState(filled(params, initial_accumulator_value, real=True)), update)


def _spread(square: Any, eps: Any, eps_in_sqrt: bool) -> Any:
    return root(square, eps) if eps_in_sqrt else safe_sqrt(square) + eps


@options
def adadelta(
    learning_rate: LearningRate = None,
    rho: Any = 0.9,
    eps: Any = 1e-6,
    weight_decay: Any = 0.0,
    weight_decay_mask: Any = None,
) -> Optimizer:
    """The gradient times the root mean square of updates over that of gradients.

    Args:
        learning_rate: times that, with a minus sign. None, Optax's default, leaves the sign of the gradient,
            which climbs; write 1.0 for the method of the paper and of torch.optim.Adadelta.
        weight_decay: times params, added to the gradient.

    Source: Zeiler 2012, Algorithm 1.
    """
    decay = add_decayed_weights(weight_decay, weight_decay_mask)
    return chain(decay, scale_by_adadelta(rho, eps), scale_by_learning_rate(learning_rate))


class AdadeltaState(NamedTuple):
    """e_g, e_x: running means of the squares of gradients and of updates."""

    e_g: Any
    e_x: Any


@options
def scale_by_adadelta(rho: Any = 0.9, eps: Any = 1e-6) -> Optimizer:
    """The step of `adadelta`, uphill."""
    check_at_least(0, "scale_by_adadelta", rho=rho, eps=eps)

    def formula(g: Any, of_gradient: Any, of_update: Any) -> Any:
        of_gradient = rho * of_gradient + (1.0 - rho) * abs_square(g)
        step = root(of_update, eps) / root(of_gradient, eps) * g
        return step, of_gradient, rho * of_update + (1.0 - rho) * abs_square(step)

    def init(params: Any) -> AdadeltaState:
        zero = filled(params, 0, real=True)
        return AdadeltaState(zero, zero)

    def update(
        grads: Any, state: AdadeltaState, params: Any = None, **extra: Any
    ) -> tuple[Any, AdadeltaState]:
        updates, e_g, e_x = each_leaf(formula, grads, [*state])
        return updates, AdadeltaState(e_g, e_x)

    return Optimizer(init, update)


@options
def rmsprop(
    learning_rate: LearningRate,
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Any = None,
    nesterov: bool = False,
    bias_correction: bool = False,
    *,
    weight_decay: Any = 0.0,
) -> Optimizer:
    """Minus learning_rate times the gradient over its root mean square.

    Args:
        eps_in_sqrt: whether eps is added to the mean square or to its root.
        centered: divide by the standard deviation.
        momentum: of the steps.
        bias_correction: free the means of their bias towards 0.
        weight_decay: times params, added to the gradient.

    torch.optim.RMSprop is rmsprop(1e-2, 0.99, eps_in_sqrt=False). Source: Tieleman and Hinton 2012; Graves 2013.
    """
    part = scale_by_stddev if centered else scale_by_rms
    return chain(
        *l2(weight_decay),
        part(decay, eps, initial_scale, eps_in_sqrt, bias_correction),
        scale_by_learning_rate(learning_rate),
        identity() if momentum is None else trace(momentum, nesterov),
    )


class RmsState(NamedTuple):
    """count: updates made, int64 of shape (). nu: running means of squares."""

    count: Any
    nu: Any


@options
def scale_by_rms(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> Optimizer:
    """Updates over their root mean square."""
    check_fraction("scale_by_rms", decay=decay)

    def update(grads: Any, state: RmsState, params: Any = None, **extra: Any) -> tuple[Any, RmsState]:
        count = state.count + 1

        def formula(g: Any, v: Any, correction: Any) -> Any:
            v = decay * v + (1.0 - decay) * abs_square(g)
            return g / _spread(correction * v if bias_correction else v, eps, eps_in_sqrt), v

        updates, nu = each_leaf(formula, grads, [state.nu], scalars=[unbias(decay, count)])
        return updates, RmsState(count, nu)

    return Optimizer(lambda params: RmsState(no_updates(), filled(params, initial_scale, real=True)), update)


class StddevState(NamedTuple):
    """count: updates made, int64 of shape (). mu, nu: running means of gradients and their squares."""

    count: Any
    mu: Any
    nu: Any


@options
def scale_by_stddev(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> Optimizer:
    """Updates over their standard deviation."""
    check_fraction("scale_by_stddev", decay=decay)

    def init(params: Any) -> StddevState:
        return StddevState(no_updates(), zeros(params), filled(params, initial_scale, real=True))

    def update(grads: Any, state: StddevState, params: Any = None, **extra: Any) -> tuple[Any, StddevState]:
        count = state.count + 1

        def formula(g: Any, m: Any, v: Any, correction: Any) -> Any:
            m = decay * m + (1.0 - decay) * g
            v = decay * v + (1.0 - decay) * abs_square(g)
            free = correction if bias_correction else 1.0
            variance = fnp.maximum(free * v - abs_square(free * m), 0.0)
            return g / _spread(variance, eps, eps_in_sqrt), m, v

        scalars = [unbias(decay, count)]
        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], scalars=scalars)
        return updates, StddevState(count, mu, nu)

    return Optimizer(init, update)


@options
def sm3(learning_rate: LearningRate, momentum: Any = 0.9) -> Optimizer:
    """Adagrad that keeps one number for each row, column, ... instead of one for each entry, with momentum.

    Source: Anil et al. 2019, Algorithm SM3-II.
    """
    return chain(scale_by_sm3(momentum), scale_by_learning_rate(learning_rate))


class Sm3State(NamedTuple):
    """mu: for each leaf, a list of the largest sums of squares along each axis. nu: the velocity, like params."""

    mu: Any
    nu: Any


@options
def scale_by_sm3(b1: Any = 0.9, b2: Any = 1.0, eps: Any = 1e-8) -> Optimizer:
    """The step of `sm3`, uphill and of learning rate 1.

    Args:
        b1: of the momentum. b2: of the sums of squares; 1: plain sums.
    """
    weight = 1.0 if not callable(b2) and isinstance(b2, (int, float)) and b2 == 1 else 1.0 - b2

    def init(params: Any) -> Sm3State:
        return Sm3State(fx.tree.map(_covers, params), zeros(params))

    def formula(g: Any, covers: Any, v: Any) -> Any:
        total = weight * g * g + b2 * functools.reduce(fnp.minimum, _spread_out(covers, g.ndim))
        v = b1 * v + (1.0 - b1) * fnp.where(total > 0, g / root(total, eps), 0.0)
        return v, _largest(total), v

    def update(grads: Any, state: Sm3State, params: Any = None, **extra: Any) -> tuple[Any, Sm3State]:
        updates, mu, nu = each_leaf(formula, grads, [state.mu, state.nu], subtrees=True)
        return updates, Sm3State(mu, nu)

    return Optimizer(init, update)


def _covers(p: Any) -> list[Any]:
    p = as_array(p)
    if p.dtype.kind == "c":
        raise fx.DTypeError(f"sm3 takes real parameters; got {p.dtype} of shape {p.shape}.")
    dtype = wide(p.dtype) if is_trained(p) else p.dtype
    return [fnp.zeros((n,), dtype) for n in p.shape] or [fnp.zeros((), dtype)]


def _spread_out(covers: list[Any], ndim: int) -> list[Any]:
    return [
        fnp.reshape(c, (1,) * i + c.shape + (1,) * (ndim - i - 1)) if ndim else c
        for i, c in enumerate(covers)
    ]


def _largest(total: Any) -> list[Any]:
    if total.ndim < 2:
        return [total]
    others = [tuple(j for j in range(total.ndim) if j != i) for i in range(total.ndim)]
    return [fnp.max(total, axis=axes, initial=0.0) for axes in others]
