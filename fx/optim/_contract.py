"""The contract of optimizers, and how they compose."""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as brief
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp


class Optimizer(NamedTuple):
    """Two pure functions.

    init: `init(params) -> state`.
    update: `update(grads, state, params=None) -> (updates, state)`; updates have the structure, shapes and
        dtypes of grads and are what `apply_updates` adds to params. Parts that read params need them.
    """

    init: Callable[[Any], Any]
    update: Callable[..., tuple[Any, Any]]


class EmptyState(NamedTuple):
    """The state of a part that remembers nothing."""


def apply_updates(params: Any, updates: Any) -> Any:
    """params + updates, leaf by leaf, in the dtypes of params; integers and booleans pass unchanged.

    Raises:
        TreeError: the structures differ. ShapeError: the shapes of two leaves differ.
    """
    return fx.tree.map_with_path(_add, params, updates)


def _add(path: Any, p: Any, u: Any) -> fx.Array:
    p, u = as_array(p), as_array(u)
    if p.shape != u.shape:
        raise fx.ShapeError(
            f"apply_updates: params{fx.tree.keystr(path)} has shape {p.shape}, its update {u.shape}.\n"
            "Updates come from gradients of the same params."
        )
    return (p + u).astype(p.dtype) if is_trained(p) else p


def as_array(leaf: Any) -> fx.Array:
    """A leaf as an Array: params may also be NumPy arrays and Python numbers."""
    return leaf if isinstance(leaf, fx.Array) else fnp.asarray(leaf)


def is_trained(leaf: fx.Array) -> bool:
    """Whether a leaf has a gradient: floating point or complex."""
    return leaf.dtype.kind in "fc" or bool(fnp.issubdtype(leaf.dtype, fnp.inexact))


def stateless(update: Callable[[Any, Any], Any]) -> Optimizer:
    """An optimizer without state from `update(grads, params) -> updates`."""

    def updated(grads: Any, state: EmptyState, params: Any = None) -> tuple[Any, EmptyState]:
        return update(grads, params), state

    return Optimizer(lambda params: EmptyState(), updated)


def chain(*optimizers: Optimizer) -> Optimizer:
    """One optimizer of several: the updates of each are the gradients of the next; the state is a tuple of theirs.

    >>> import fx
    >>> optimizer = chain(fx.optim.clip_by_global_norm(1.0), fx.optim.sgd(0.1))
    """
    for i, part in enumerate(optimizers):
        if not isinstance(part, Optimizer):
            raise fx.ArgumentError(
                f"chain takes optimizers; argument {i} is {type(part).__name__}: {brief(part)}."
            )

    def init(params: Any) -> tuple[Any, ...]:
        return tuple([part.init(params) for part in optimizers])

    def update(grads: Any, state: Any, params: Any = None) -> tuple[Any, tuple[Any, ...]]:
        if not isinstance(state, tuple) or len(state) != len(optimizers):
            raise fx.ArgumentError(
                f"chain of {len(optimizers)} optimizers got a state that is not theirs: "
                f"{fx.tree.structure(state)}.\n"
                "Pass what init(params), or the update before, returned."
            )
        states = []
        for part, own in zip(optimizers, state, strict=True):
            grads, own = part.update(grads, own, params)
            states.append(own)
        return grads, tuple(states)

    return Optimizer(init, update)
