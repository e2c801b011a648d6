"""Steps along the gradient, its velocity, its sign, its noise; averaged, optimistic, of Polyak's length."""

from __future__ import annotations

from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, chain, stateless
from ._leaves import (
    as_array,
    at_count,
    check_at_least,
    check_choice,
    copies,
    dot,
    each_leaf,
    is_trained,
    is_zero,
    map_leaves,
    needs_params,
    no_updates,
    zeros,
)
from ._options import options
from ._parts import LearningRate, ema, l2, momentum as momentum_part, scale_by_learning_rate


@options
def sgd(
    learning_rate: LearningRate,
    momentum: Any = None,
    nesterov: bool = False,
    accumulator_dtype: Any = None,
    *,
    dampening: Any = 0.0,
    weight_decay: Any = 0.0,
) -> Optimizer:
    """Stochastic gradient descent: minus learning_rate times the gradient, or its momentum.

    The formulas are those of torch.optim.SGD: weight decay is added to the gradient, and the first velocity is
    the gradient itself.

    >>> import fx
    >>> optimizer = sgd(0.1)
    >>> state = optimizer.init(fx.numpy.asarray(3.0))
    >>> optimizer.update(fx.numpy.asarray(2.0), state)[0]
    Array(-0.2, float32)
    """
    parts = l2(weight_decay)
    if nesterov or not (momentum is None or is_zero(momentum)):
        decay = 0.0 if momentum is None else momentum
        parts.append(momentum_part(decay, nesterov, dampening, accumulator_dtype))
    return chain(*parts, scale_by_learning_rate(learning_rate))


@options
def sign_sgd(learning_rate: LearningRate) -> Optimizer:
    """Minus learning_rate times the sign of the gradient. Source: Bernstein et al. 2018."""
    return chain(scale_by_sign(), scale_by_learning_rate(learning_rate))


@options
def signum(learning_rate: LearningRate, beta: Any = 0.9, accumulator_dtype: Any = None) -> Optimizer:
    """Minus learning_rate times the sign of the running mean of gradients. Source: Bernstein et al. 2018."""
    return chain(ema(beta, False, accumulator_dtype), scale_by_sign(), scale_by_learning_rate(learning_rate))


def scale_by_sign() -> Optimizer:
    """Signs of updates: -1, 0, 1; of complex numbers x / |x|."""
    return stateless(lambda grads, params: map_leaves(fnp.sign, grads))


@options
def noisy_sgd(learning_rate: LearningRate, eta: Any = 0.01, gamma: Any = 0.55, key: Any = 0) -> Optimizer:
    """Gradient descent with noise of falling variance. Source: Neelakantan et al. 2015; see `add_noise`."""
    return chain(add_noise(eta, gamma, key), scale_by_learning_rate(learning_rate))


class AddNoiseState(NamedTuple):
    """count: updates made, int64 of shape (). rng_key: uint32 of shape (2,)."""

    count: Any
    rng_key: Any


@options
def add_noise(eta: Any, gamma: Any, key: Any) -> Optimizer:
    """Updates plus normal noise of variance eta / count**gamma.

    Args:
        key: a key of `fx.random`, or a number for one; the state has it, so that a run can be repeated.
    """

    def init(params: Any) -> AddNoiseState:
        return AddNoiseState(no_updates(), fx.random.key(key) if isinstance(key, int) else fnp.asarray(key))

    def update(
        grads: Any, state: AddNoiseState, params: Any = None, **extra: Any
    ) -> tuple[Any, AddNoiseState]:
        count = state.count + 1
        size = fnp.sqrt(eta / count.astype(fnp.float64) ** gamma)
        kept, drawn = fx.random.split(state.rng_key)
        noise = random_like(fx.random.normal, drawn, grads)
        updates = map_leaves(lambda g, n, s: g + s * n, grads, noise, scalars=[size])
        return updates, AddNoiseState(count, kept)

    return Optimizer(init, update)


def random_like(draw: Any, key: Any, tree: Any, dtype: Any = None) -> Any:
    """A tree of draws, a key for each leaf; zeros for leaves that are not trained."""
    leaves, treedef = fx.tree.flatten(tree)
    keys = fx.random.split(key, max(len(leaves), 1))
    one = lambda k, x: draw(k, x.shape, dtype or x.dtype) if is_trained(x) else fnp.zeros_like(x)
    return treedef.unflatten([one(keys[i], as_array(x)) for i, x in enumerate(leaves)])


@options
def optimistic_gradient_descent(
    learning_rate: LearningRate, alpha: LearningRate = 1.0, beta: LearningRate = 1.0
) -> Optimizer:
    """Minus learning_rate times (alpha + beta) gradients minus beta previous ones. Source: Mokhtari et al. 2019."""
    return chain(scale_by_optimistic_gradient(alpha, beta), scale_by_learning_rate(learning_rate))


class OptimisticState(NamedTuple):
    """count: updates made, int64 of shape (). previous_gradient: like params."""

    count: Any
    previous_gradient: Any


@options
def scale_by_optimistic_gradient(alpha: LearningRate = 1.0, beta: LearningRate = 1.0) -> Optimizer:
    """(alpha + beta) * gradient - beta * previous gradient; the first gradient is its own previous one.

    Args:
        alpha, beta: numbers, or schedules of the count of updates.
    """

    def update(
        grads: Any, state: OptimisticState, params: Any = None, **extra: Any
    ) -> tuple[Any, OptimisticState]:
        a, b = at_count(alpha, state.count), at_count(beta, state.count)
        first = state.count == 0
        formula = lambda g, old: ((a + b) * g - b * fnp.where(first, g, old), g)
        updates, previous = each_leaf(formula, grads, [state.previous_gradient])
        return updates, OptimisticState(state.count + 1, previous)

    return Optimizer(lambda params: OptimisticState(no_updates(), zeros(params)), update)


@options
def polyak_sgd(
    max_learning_rate: Any = 1.0,
    scaling: LearningRate = 1.0,
    f_min: Any = 0.0,
    eps: Any = 0.0,
    variant: str = "sps",
) -> Optimizer:
    """Gradient descent whose step length follows from the loss: `update(grads, state, params, value=loss)`.

    Args:
        f_min: the least value of the loss.
        variant: "sps", or "sps+", which takes values below f_min for f_min.

    Source: Loizou et al. 2021, Stochastic Polyak step size.
    """
    return chain(sgd(scaling), scale_by_polyak(f_min, max_learning_rate, eps, variant))


@options
def scale_by_polyak(
    f_min: Any = 0.0, max_learning_rate: Any = 1.0, eps: Any = 0.0, variant: str = "sps"
) -> Optimizer:
    """Updates times min((value - f_min) / (|updates|**2 + eps), max_learning_rate). Reads `value`, the loss."""
    check_choice("scale_by_polyak", "variant", variant, ("sps", "sps+"))
    base = stateless(lambda grads, params: grads)

    def update(
        grads: Any, state: Any, params: Any = None, *, value: Any = None, **extra: Any
    ) -> tuple[Any, Any]:
        needs_value(value, "polyak_sgd")
        square = dot(grads, grads)
        gap = fnp.asarray(value) - f_min
        gap = fnp.maximum(gap, 0.0) if variant == "sps+" else gap
        flat = square + eps <= float(fnp.finfo(square.dtype).eps)
        length = fnp.minimum(gap / fnp.where(flat, 1.0, square + eps), max_learning_rate)
        return map_leaves(lambda g: fnp.where(flat, 0.0, length) * g, grads), state

    return Optimizer(base.init, update)


def needs_value(value: Any, name: str) -> None:
    """ArgumentError where an update reads the loss and did not get it."""
    if value is None:
        raise fx.ArgumentError(
            f"{name} reads the value of the loss.\nWrite optimizer.update(grads, state, params, value=loss)."
        )


@options
def rprop(
    learning_rate: Any,
    eta_minus: Any = 0.5,
    eta_plus: Any = 1.2,
    min_step_size: Any = 1e-6,
    max_step_size: Any = 50.0,
) -> Optimizer:
    """Steps by the sign of the gradient, of a size of their own for each number.

    A size starts as learning_rate, grows by eta_plus where the gradient keeps its sign and falls by eta_minus
    where it changes; there the step is 0. For gradients of whole data sets.

    Source: Riedmiller and Braun 1993, as in torch.optim.Rprop (Optax 0.2 gives every step one update late).
    """
    part = scale_by_rprop(learning_rate, eta_minus, eta_plus, min_step_size, max_step_size)
    return chain(part, scale_by_learning_rate(1.0))


class RpropState(NamedTuple):
    """step_sizes: of every number, like params. prev_updates: the steps before, 0 where the sign changed."""

    step_sizes: Any
    prev_updates: Any


@options
def scale_by_rprop(
    learning_rate: Any,
    eta_minus: Any = 0.5,
    eta_plus: Any = 1.2,
    min_step_size: Any = 1e-6,
    max_step_size: Any = 50.0,
) -> Optimizer:
    """The steps of `rprop`, uphill."""
    check_at_least(0, "rprop", learning_rate=learning_rate)

    def init(params: Any) -> RpropState:
        real = zeros(params)
        return RpropState(fx.tree.map(lambda x: x + _if_trained(x, learning_rate), real), real)

    def formula(g: Any, size: Any, previous: Any) -> Any:
        agreement = g * previous
        moved = fnp.where(agreement > 0, size * eta_plus, size * eta_minus)
        size = fnp.where(agreement == 0, size, fnp.clip(moved, min_step_size, max_step_size))
        step = fnp.where(agreement < 0, 0.0, size * fnp.sign(g))
        return step, size, step

    def update(grads: Any, state: RpropState, params: Any = None, **extra: Any) -> tuple[Any, RpropState]:
        updates, sizes, previous = each_leaf(formula, grads, [*state])
        return updates, RpropState(sizes, previous)

    return Optimizer(init, update)


def _if_trained(x: Any, value: Any) -> Any:
    return fnp.asarray(value).astype(x.dtype) if is_trained(x) else 0


class AsgdState(NamedTuple):
    """count: updates made, int64 of shape (). average: of the parameters, like params."""

    count: Any
    average: Any


@options
def asgd(
    learning_rate: Any = 1e-2, lambd: Any = 1e-4, alpha: Any = 0.75, t0: Any = 1e6, weight_decay: Any = 0.0
) -> Optimizer:
    """Averaged gradient descent; `state[-1].average` has the mean of the parameters since update t0.

    The step length at update t is learning_rate / (1 + lambd * learning_rate * t)**alpha, and parameters
    decay by lambd times it. The average is that of all parameters after an update; it is meant for predictions.

    Source: Polyak and Juditsky 1992; the formulas are those of torch.optim.ASGD.
    """
    check_at_least(0, "asgd", learning_rate=learning_rate, lambd=lambd, alpha=alpha)

    def update(grads: Any, state: AsgdState, params: Any = None, **extra: Any) -> tuple[Any, AsgdState]:
        needs_params(params, "asgd")
        t = state.count.astype(fnp.float64)
        length = learning_rate / (1.0 + lambd * learning_rate * t) ** alpha
        weight = 1.0 / fnp.maximum(t - t0, 1.0)

        def formula(g: Any, mean: Any, p: Any, length: Any, weight: Any) -> Any:
            step = -length * (g + lambd * p)
            return step, mean + weight * (p + step - mean)

        updates, average = each_leaf(formula, grads, [state.average], [params], [length, weight])
        return updates, AsgdState(state.count + 1, average)

    return chain(*l2(weight_decay), Optimizer(lambda params: AsgdState(no_updates(), copies(params)), update))
