"""The parts that optimizers are chained of. All keep the dtype of each leaf; those that are not trained give 0."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from reprlib import repr as brief
from typing import Any, NamedTuple, TypeAlias

import fx
import fx.numpy as fnp

from ._contract import Optimizer, as_array, is_trained, stateless

LearningRate: TypeAlias = float | Any
"""A number (also a traced one), or a schedule: a function from the count of updates so far to a number."""


def scale(factor: Any) -> Optimizer:
    """Updates times a number."""
    return stateless(lambda grads, params: _map(lambda g: factor * g, grads))


def _map(function: Callable[..., Any], like: Any, *rest: Any) -> Any:
    """The function on trained leaves, in the dtype of the first; 0 for the others."""

    def on_leaf(x: Any, *others: Any) -> Any:
        x = as_array(x)
        return _as(function(x, *others), x.dtype) if is_trained(x) else fnp.zeros_like(x)

    return fx.tree.map(on_leaf, like, *rest)


def _as(x: Any, dtype: Any) -> Any:
    return x if x.dtype == dtype else x.astype(dtype)


class ScheduleState(NamedTuple):
    """count: updates made, int64 of shape ()."""

    count: Any


def scale_by_learning_rate(learning_rate: LearningRate) -> Optimizer:
    """Updates times minus the learning rate.

    Args:
        learning_rate: a number, or a schedule: a function from the count of updates made, 0 at first, to one.

    Raises:
        ArgumentError: a number known now is negative or not finite.
    """
    if not callable(learning_rate):
        check_at_least(0, "scale_by_learning_rate", learning_rate=learning_rate)
        return stateless(lambda grads, params: _map(lambda g: -learning_rate * g, grads))

    def update(grads: Any, state: ScheduleState, params: Any = None) -> tuple[Any, ScheduleState]:
        rate = learning_rate(state.count)
        return _map(lambda g: -rate * g, grads), ScheduleState(state.count + 1)

    return Optimizer(lambda params: ScheduleState(_no_updates()), update)


def _no_updates() -> Any:
    return fnp.zeros((), fnp.int64)


def check_at_least(low: float, name: str, **options: Any) -> None:
    """ArgumentError for an option that is a Python number below `low` or not finite."""
    for option, value in options.items():
        if isinstance(value, (int, float)) and not (low <= value < math.inf):
            raise fx.ArgumentError(
                f"{name}: {option} must be a finite number of at least {low}; got {brief(value)}."
            )


def check_fraction(name: str, **options: Any) -> None:
    """ArgumentError for an option that is a Python number outside [0, 1)."""
    for option, value in options.items():
        if isinstance(value, (int, float)) and not 0 <= value < 1:
            raise fx.ArgumentError(f"{name}: {option} must be in [0, 1); got {brief(value)}.")


def add_decayed_weights(weight_decay: Any, mask: Any = None) -> Optimizer:
    """Updates plus weight_decay times the parameters.

    Args:
        mask: which parameters decay: booleans, a pytree like params or a prefix of it, or a function from
            params to one; None: all.
    """

    def update(grads: Any, params: Any) -> Any:
        if params is None:
            raise fx.ArgumentError(
                "Weight decay reads the parameters.\nWrite optimizer.update(grads, state, params)."
            )
        if mask is None:
            return _map(lambda g, p: g + weight_decay * p, grads, params)
        chosen = fx.tree.broadcast(mask(params) if callable(mask) else mask, grads)
        return _map(lambda g, p, on: g + weight_decay * p if on else g, grads, params, chosen)

    return stateless(update)


class MomentumState(NamedTuple):
    """count: updates made, int64 of shape (). velocity: like params."""

    count: Any
    velocity: Any


def momentum(decay: Any, nesterov: bool = False, dampening: Any = 0.0) -> Optimizer:
    """velocity = decay * velocity + (1 - dampening) * gradient; the first velocity is the gradient.

    Args:
        nesterov: give gradient + decay * velocity, one step ahead, instead of velocity.

    Source: Sutskever et al. 2013, as in torch.optim.SGD.
    """
    check_fraction("momentum", decay=decay)
    if nesterov and not is_zero(dampening):
        raise fx.ArgumentError(f"momentum: nesterov needs dampening=0; got {brief(dampening)}.")

    def init(params: Any) -> MomentumState:
        return MomentumState(_no_updates(), fx.tree.map(fnp.zeros_like, params))

    def update(grads: Any, state: MomentumState, params: Any = None) -> tuple[Any, MomentumState]:
        first = state.count == 0
        damped = lambda g: g if is_zero(dampening) else fnp.where(first, g, (1.0 - dampening) * g)
        velocity = _map(lambda v, g: decay * v + damped(g), state.velocity, grads)
        updates = _map(lambda g, v: g + decay * v, grads, velocity) if nesterov else velocity
        return updates, MomentumState(state.count + 1, velocity)

    return Optimizer(init, update)


def is_zero(option: Any) -> bool:
    """A Python number, not a traced one, that is 0."""
    return isinstance(option, (int, float)) and option == 0


class AdamState(NamedTuple):
    """count: updates made, int64 of shape (). mean, square: running means of gradients and their squares.

    They are like params; of float16 and bfloat16 parameters they are float32.
    """

    count: Any
    mean: Any
    square: Any


def scale_by_adam(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8, eps_root: Any = 0.0) -> Optimizer:
    """mean / (sqrt(square + eps_root) + eps), for running means free of their bias towards 0.

    Where all gradients were 0 the update is 0, and so is the derivative of its square root.

    Source: Kingma and Ba 2014, Algorithm 1.
    """
    check_fraction("scale_by_adam", b1=b1, b2=b2)
    check_at_least(0, "scale_by_adam", eps=eps, eps_root=eps_root)

    def init(params: Any) -> AdamState:
        mean = fx.tree.map(lambda p: fnp.zeros_like(p, _wide(as_array(p).dtype)), params)
        return AdamState(_no_updates(), mean, fx.tree.map(lambda m: fnp.zeros_like(fnp.real(m)), mean))

    def update(grads: Any, state: AdamState, params: Any = None) -> tuple[Any, AdamState]:
        count = state.count + 1
        wide = fx.tree.map(lambda m, g: _as(as_array(g), m.dtype), state.mean, grads)
        mean = _map(lambda m, g: b1 * m + (1.0 - b1) * g, state.mean, wide)
        square = _map(lambda v, g: b2 * v + (1.0 - b2) * _abs_square(g), state.square, wide)
        unbias = functools.cache(lambda dtype: (_unbias(b1, count, dtype), _unbias(b2, count, dtype)))

        def step(g: Any, m: Any, v: Any) -> Any:
            of_mean, of_square = unbias(v.dtype)
            return (of_mean * m) / (fnp.sqrt(of_square * v + _least(eps_root, v.dtype)) + eps)

        return _map(step, grads, mean, square), AdamState(count, mean, square)

    return Optimizer(init, update)


def _wide(dtype: Any) -> Any:
    """float32 for the floating dtypes of 16 bits."""
    return fnp.promote_types(dtype, fnp.float32) if fnp.issubdtype(dtype, fnp.floating) else dtype


def _abs_square(x: Any) -> Any:
    return fnp.real(x * fnp.conj(x)) if x.dtype.kind == "c" else x * x


def _unbias(b: Any, count: Any, dtype: Any) -> Any:
    """1 / (1 - b**count), exact to rounding for b close to 1."""
    log = fnp.log(b) if not isinstance(b, (int, float)) else math.log(b) if b > 0 else -math.inf
    return -1.0 / fnp.expm1(count.astype(dtype) * log)


def _least(eps_root: Any, dtype: Any) -> Any:
    """eps_root, or a number that only matters beside 0, where the square root has no derivative."""
    return float(fnp.finfo(dtype).smallest_normal) if is_zero(eps_root) else eps_root


def global_norm(tree: Any) -> Any:
    """The Euclidean norm of all trained leaves as one vector, of shape (). No square overflows.

    The derivative at 0 is 0.
    """
    leaves = [x for x in map(_absolute, fx.tree.leaves(tree)) if x is not None]
    if not leaves:
        return fnp.zeros(())
    largest = fx.stop_gradient(functools.reduce(fnp.maximum, [fnp.max(x, initial=0.0) for x in leaves]))
    vanishes = largest == 0.0
    unit = fnp.where(vanishes, 1.0, largest)
    total = sum(fnp.sum((x / unit) ** 2) for x in leaves)
    return unit * fnp.where(vanishes, 0.0, fnp.sqrt(fnp.where(vanishes, 1.0, total)))


def _absolute(leaf: Any) -> Any:
    """Absolute values of a trained leaf in at least float32; None of another."""
    if not is_trained(as_array(leaf)):
        return None
    size = fnp.absolute(leaf)
    return _as(size, _wide(size.dtype))


def clip_by_global_norm(max_norm: Any) -> Optimizer:
    """Updates scaled down together so that their `global_norm` is at most max_norm.

    Source: Pascanu, Mikolov, Bengio 2012.
    """
    check_at_least(0, "clip_by_global_norm", max_norm=max_norm)

    def update(grads: Any, params: Any) -> Any:
        norm = global_norm(grads)
        fits = norm <= max_norm
        factor = fnp.where(fits, 1.0, max_norm / fnp.where(fits, 1.0, norm))
        return _map(lambda g: factor * g, grads)

    return stateless(update)
