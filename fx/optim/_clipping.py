"""Clipping: by value, by the norm of a leaf or of all, by norms of parameters. States say what was clipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer
from ._layerwise import norm_at_least
from ._leaves import abs_square, check_at_least, global_norm, map_leaves, needs_params, tree_dtype
from ._options import options


class ClipState(NamedTuple):
    """What the last update did: norm, clipped_norm: the `global_norm` before and after; clipped: whether they differ.

    All have shape (); the norms have the widest real dtype of the leaves, and are nan before the first update.
    """

    norm: Any
    clipped_norm: Any
    clipped: Any


@options
def clip(max_delta: Any) -> Optimizer:
    """Updates with every number within [-max_delta, max_delta]; of complex ones both parts."""
    check_at_least(0, "clip", max_delta=max_delta)
    return _clipping(lambda grads, params: map_leaves(lambda g: _within(g, max_delta), grads))


def _within(g: Any, limit: Any) -> Any:
    if g.dtype.kind == "c":
        return fnp.clip(fnp.real(g), -limit, limit) + 1j * fnp.clip(fnp.imag(g), -limit, limit)
    return fnp.clip(g, -limit, limit)


def _clipping(update: Callable[[Any, Any], Any]) -> Optimizer:
    """A part that records norms before and after `update(grads, params) -> updates`."""

    def updated(grads: Any, state: ClipState, params: Any = None, **extra: Any) -> tuple[Any, ClipState]:
        updates = update(grads, params)
        before, after = global_norm(grads), global_norm(updates)
        return updates, ClipState(*_recorded(state, before, after, before != after))

    return Optimizer(_nothing_clipped, updated)


def _nothing_clipped(params: Any) -> ClipState:
    unknown = lambda: fnp.full((), fnp.nan, tree_dtype(params))  # two arrays: states are donated
    return ClipState(unknown(), unknown(), fnp.asarray(False))


def _recorded(state: ClipState, before: Any, after: Any, clipped: Any) -> tuple[Any, Any, Any]:
    return before.astype(state.norm.dtype), after.astype(state.norm.dtype), clipped


@options
def clip_by_global_norm(max_norm: Any) -> Optimizer:
    """Updates scaled down together so that their `global_norm` is at most max_norm.

    Source: Pascanu, Mikolov, Bengio 2012.
    """
    check_at_least(0, "clip_by_global_norm", max_norm=max_norm)

    def update(grads: Any, state: ClipState, params: Any = None, **extra: Any) -> tuple[Any, ClipState]:
        norm = global_norm(grads)
        fits = norm <= max_norm
        factor = fnp.where(fits, 1.0, max_norm / fnp.where(fits, 1.0, norm))
        after = fnp.where(fits, norm, max_norm)
        updates = map_leaves(lambda g: factor * g, grads)
        return updates, ClipState(*_recorded(state, norm, after, fnp.logical_not(fits)))

    return Optimizer(_nothing_clipped, update)


@options
def clip_by_norm(max_norm: Any) -> Optimizer:
    """Updates with each leaf scaled down so that its own norm is at most max_norm."""
    check_at_least(0, "clip_by_norm", max_norm=max_norm)

    def formula(g: Any) -> Any:
        norm = global_norm(g)
        fits = norm <= max_norm
        return fnp.where(fits, 1.0, max_norm / fnp.where(fits, 1.0, norm)) * g

    return _clipping(lambda grads, params: map_leaves(formula, grads))


@options
def clip_by_block_rms(threshold: Any) -> Optimizer:
    """Updates with each leaf scaled down so that its root mean square is at most threshold.

    Source: Shazeer and Stern 2018, section 6.
    """
    check_at_least(0, "clip_by_block_rms", threshold=threshold)

    def formula(g: Any) -> Any:
        size = norm_at_least(g, 0.0) / max(g.size, 1) ** 0.5
        return g / fnp.maximum(1.0, size / threshold)

    return _clipping(lambda grads, params: map_leaves(formula, grads))


@options
def adaptive_grad_clip(clipping: Any, eps: Any = 1e-3, axis: Any = None) -> Optimizer:
    """Updates scaled down, unit by unit, to `clipping` times the norm of the unit's parameters.

    Args:
        eps: the least norm that the parameters of a unit are taken to have.
        axis: the axes over which a unit extends. None: all of a vector, and all but the last of an array of more
            axes (of three: the first alone), as kernels are laid out here.

    Source: Brock et al. 2021, equation 3.
    """
    check_at_least(0, "adaptive_grad_clip", clipping=clipping, eps=eps)

    def formula(g: Any, p: Any) -> Any:
        largest = clipping * fnp.maximum(_unit_norm(p, axis), eps)
        norm = _unit_norm(g, axis)
        return fnp.where(norm < largest, 1.0, largest / fnp.maximum(norm, 1e-6)) * g

    def update(grads: Any, params: Any) -> Any:
        needs_params(params, "adaptive_grad_clip")
        return map_leaves(formula, grads, params)

    return _clipping(update)


def _unit_norm(x: Any, axis: Any) -> Any:
    if axis is None:
        lengths = [n for n in x.shape if n != 1]
        axis = None if len(lengths) <= 1 else 0 if x.ndim == 3 else tuple(range(x.ndim - 1))
    square = fnp.sum(abs_square(x), axis=axis, keepdims=True)
    vanishes = square == 0.0
    return fnp.where(vanishes, 0.0, fnp.sqrt(fnp.where(vanishes, 1.0, square)))


@options
def per_example_global_norm_clip(grads: Any, l2_norm_clip: Any) -> tuple[Any, Any]:
    """The sum over examples of gradients that are clipped one by one, and how many were.

    Args:
        grads: gradients with the examples along the first axis of every leaf.

    Source: Abadi et al. 2016, Algorithm 1.
    """
    check_at_least(0, "per_example_global_norm_clip", l2_norm_clip=l2_norm_clip)
    part = clip_by_global_norm(l2_norm_clip)
    clipped, state = fx.vmap(lambda g: part.update(g, part.init(g)))(grads)
    return map_leaves(lambda g: g.sum(axis=0), clipped), state.clipped.sum()
