"""L-BFGS: steps by an estimate of the inverse Hessian from the last differences of gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, chain, check_optimizer, identity
from ._leaves import (
    as_array,
    dot,
    global_norm,
    in_dtype,
    is_trained,
    needs_params,
    no_updates,
    tree_dtype,
    widen,
)
from ._linesearch import scale_by_zoom_linesearch
from ._options import options
from ._parts import LearningRate, scale, scale_by_learning_rate

_DEFAULT = object()


@options
def lbfgs(
    learning_rate: LearningRate = None,
    memory_size: int = 10,
    scale_init_precond: bool = True,
    linesearch: Optimizer | None = _DEFAULT,  # type: ignore[assignment]
) -> Optimizer:
    """Limited-memory BFGS with a line search for the strong Wolfe conditions.

    An update reads the loss: `update(grads, state, params, value=loss, grad=grads, value_fn=loss_of_params)`.
    `value_and_grad_from_state(loss_of_params)` gives value and gradient without computing them again.

    Args:
        learning_rate: the length of steps before the line search; None: 1.
        memory_size: how many differences are kept.
        scale_init_precond: start from a multiple of the identity that fits the last difference.
        linesearch: a part that scales steps; None: none, and then no value is read.

    >>> import fx, fx.numpy as fnp
    >>> loss = lambda x: ((x - fnp.arange(3.0)) ** 2).sum()
    >>> optimizer, x = lbfgs(), fnp.zeros(3)
    >>> state = optimizer.init(x)
    >>> for _ in range(4):
    ...     value, grads = fx.value_and_grad(loss)(x)
    ...     updates, state = optimizer.update(grads, state, x, value=value, grad=grads, value_fn=loss)
    ...     x = fx.optim.apply_updates(x, updates)
    >>> bool(loss(x) < 1e-10)
    True

    Source: Nocedal and Wright 2006, Algorithms 7.4 and 7.5.
    """
    if linesearch is _DEFAULT:
        linesearch = scale_by_zoom_linesearch(20, initial_guess_strategy="one")
    if linesearch is not None:
        check_optimizer(linesearch, "lbfgs: linesearch")
    length = scale(-1.0) if learning_rate is None else scale_by_learning_rate(learning_rate)
    return chain(
        scale_by_lbfgs(memory_size, scale_init_precond),
        length,
        identity() if linesearch is None else linesearch,
    )


class LbfgsState(NamedTuple):
    """count: updates made. params, updates: those of the update before. diff_params_memory, diff_updates_memory:
    the last differences, stacked along a first axis. weights_memory: 1 / their inner products, (memory_size,)."""

    count: Any
    params: Any
    updates: Any
    diff_params_memory: Any
    diff_updates_memory: Any
    weights_memory: Any


@options
def scale_by_lbfgs(memory_size: int = 10, scale_init_precond: bool = True) -> Optimizer:
    """Updates times the estimated inverse Hessian. Source: Nocedal and Wright 2006, Algorithm 7.4."""
    if memory_size < 1:
        raise fx.ArgumentError(f"scale_by_lbfgs: memory_size must be at least 1; got {memory_size}.")

    def init(params: Any) -> LbfgsState:
        zero = fx.tree.map(fnp.zeros_like, trained(params))
        memory = fx.tree.map(lambda x: fnp.zeros((memory_size, *x.shape), x.dtype), zero)
        weights = fnp.zeros((memory_size,), tree_dtype(params))
        return LbfgsState(no_updates(), zero, zero, memory, memory, weights)

    def update(grads: Any, state: LbfgsState, params: Any = None, **extra: Any) -> tuple[Any, LbfgsState]:
        needs_params(params, "lbfgs")
        g, p = trained(grads), trained(params)
        started = state.count > 0
        since = lambda new, old: fx.tree.map(lambda a, b: fnp.where(started, a - b, 0.0), new, old)
        moved, bent = since(p, state.params), since(g, state.updates)
        curvature = dot(bent, moved)
        weight = fnp.where(curvature == 0.0, 0.0, 1.0 / fnp.where(curvature == 0.0, 1.0, curvature))
        last = (state.count - 1) % memory_size
        store = lambda memory, new: fx.tree.map(lambda m, x: m.at[last].set(x), memory, new)
        moves, bends = store(state.diff_params_memory, moved), store(state.diff_updates_memory, bent)
        weights = store(state.weights_memory, weight.astype(state.weights_memory.dtype))
        first = _first_scale(g, started, curvature, bent) if scale_init_precond else 1.0
        order = (state.count + fnp.arange(memory_size)) % memory_size
        step = _two_loops(g, moves, bends, weights, first, order)
        updates = fx.tree.map(
            lambda x, u: fnp.zeros_like(x) if u is None else in_dtype(u, x.dtype), grads, step
        )
        return updates, LbfgsState(state.count + 1, p, g, moves, bends, weights)

    return Optimizer(init, update)


def trained(tree: Any) -> Any:
    """The trained leaves in at least float32, None for the others."""
    return fx.tree.map(lambda x: widen(x) if is_trained(as_array(x)) else None, tree)


def _first_scale(g: Any, started: Any, curvature: Any, bent: Any) -> Any:
    """The multiple of the identity that fits the last difference; at first a step of length at most 1."""
    square, norm = dot(bent, bent), global_norm(fx.stop_gradient(g))
    fitted = fnp.where(square > 0.0, curvature / fnp.where(square > 0.0, square, 1.0), 1.0)
    return fnp.where(started, fitted, 1.0 / fnp.maximum(norm, 1.0))


def _two_loops(vector: Any, moves: Any, bends: Any, weights: Any, first: Any, order: Any) -> Any:
    """The inverse Hessian times a vector. Source: Nocedal and Wright 2006, Algorithm 7.4."""
    at = lambda memory, i: fx.tree.map(lambda m: m[i], memory)
    add = lambda x, factor, y: fx.tree.map(lambda a, b: (a + factor * b).astype(a.dtype), x, y)

    def right(v: Any, i: Any) -> tuple[Any, Any]:
        alpha = weights[i] * dot(at(moves, i), v)
        return add(v, -alpha, at(bends, i)), alpha

    def left(v: Any, pair: Any) -> tuple[Any, Any]:
        i, alpha = pair
        beta = weights[i] * dot(at(bends, i), v)
        return add(v, alpha - beta, at(moves, i)), None

    vector, alphas = fx.lax.scan(right, vector, order, reverse=True)
    vector = fx.tree.map(lambda x: (first * x).astype(x.dtype), vector)
    return fx.lax.scan(left, vector, (order, alphas))[0]
