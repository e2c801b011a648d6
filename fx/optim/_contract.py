"""The contract of optimizers, and how they compose."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from reprlib import repr as brief
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._leaves import as_array, as_arrays, is_trained
from ._optimizer import Optimizer as Optimizer


class EmptyState(NamedTuple):
    """The state of a part that remembers nothing."""


def apply_updates(params: Any, updates: Any) -> Any:
    """params + updates, leaf by leaf, in the dtypes of params; integers and booleans pass unchanged.

    Raises:
        TreeError: the structures differ. ShapeError: the shapes of two leaves differ.
    """
    try:
        return fx.tree.map_with_path(_add, params, updates)
    except fx.TreeError as e:
        raise fx.TreeError(
            "apply_updates: updates do not have the structure of params.\n"
            + "\n".join(str(e).splitlines()[1:-1])
            + "\nWrite updates, state = optimizer.update(grads, state, params), then apply_updates(params, updates)."
        ) from None


def _add(path: Any, p: Any, u: Any) -> fx.Array:
    p, u = as_array(p), as_array(u)
    if p.shape != u.shape:
        raise fx.ShapeError(
            f"apply_updates: params{fx.tree.keystr(path)} has shape {p.shape}, its update {u.shape}.\n"
            "Updates come from gradients of the same params."
        )
    return (p + u).astype(p.dtype) if is_trained(p) else p


def stateless(update: Callable[[Any, Any], Any]) -> Optimizer:
    """An optimizer without state from `update(grads, params) -> updates`."""
    if not callable(update):
        raise fx.ArgumentError(f"stateless takes a function (grads, params) to updates; got {brief(update)}.")

    def updated(grads: Any, state: EmptyState, params: Any = None, **extra: Any) -> tuple[Any, EmptyState]:
        return update(grads, params), state

    return Optimizer(lambda params: EmptyState(), updated)


def identity() -> Optimizer:
    """Updates as they come."""
    return stateless(lambda grads, params: grads)


def set_to_zero() -> Optimizer:
    """Updates of zero: params stay."""
    return stateless(lambda grads, params: fx.tree.map(fnp.zeros_like, grads))


def run(part: Optimizer, grads: Any, state: Any, params: Any, extra: dict[str, Any]) -> tuple[Any, Any]:
    """part.update with those extra arguments that it takes."""
    if extra:
        taken = inspect.signature(part.update).parameters.values()
        if not any(p.kind is p.VAR_KEYWORD for p in taken):
            names = {p.name for p in taken}
            extra = {name: value for name, value in extra.items() if name in names}
    return part.update(grads, as_arrays(state), params, **extra)


def chain(*optimizers: Optimizer) -> Optimizer:
    """One optimizer of several: the updates of each are the gradients of the next; the state is a tuple of theirs.

    >>> import fx
    >>> optimizer = chain(fx.optim.clip_by_global_norm(1.0), fx.optim.sgd(0.1))
    """
    for i, part in enumerate(optimizers):
        check_optimizer(part, f"chain takes optimizers; argument {i}")

    def init(params: Any) -> tuple[Any, ...]:
        return tuple([part.init(params) for part in optimizers])

    def update(grads: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, tuple[Any, ...]]:
        if not isinstance(state, tuple) or len(state) != len(optimizers):
            raise _not_theirs("chain", len(optimizers), state)
        states = []
        for part, own in zip(optimizers, state, strict=True):
            grads, own = run(part, grads, own, params, extra)
            states.append(own)
        return grads, tuple(states)

    return Optimizer(init, update)


def named_chain(*parts: tuple[str, Optimizer]) -> Optimizer:
    """`chain` of pairs (name, optimizer), whose state is a dict by these names.

    >>> import fx
    >>> optimizer = named_chain(("clip", fx.optim.clip(1.0)), ("descend", fx.optim.sgd(0.1)))
    >>> sorted(optimizer.init(fx.numpy.ones(3)))
    ['clip', 'descend']
    """
    for i, pair in enumerate(parts):
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise fx.ArgumentError(
                f"named_chain takes pairs (name, optimizer); argument {i} is {type(pair).__name__}: {brief(pair)}."
            )
    names = [name for name, _ in parts]
    if len(set(names)) < len(names):
        raise fx.ArgumentError(f"named_chain: every part needs its own name; got {', '.join(names)}.")
    for name, part in parts:
        check_optimizer(part, f"named_chain takes optimizers; {name}")

    def init(params: Any) -> dict[str, Any]:
        return {name: part.init(params) for name, part in parts}

    def update(grads: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, dict[str, Any]]:
        if not isinstance(state, dict) or set(state) != set(names):
            raise _not_theirs("named_chain", len(parts), state)
        states = {}
        for name, part in parts:
            grads, states[name] = run(part, grads, state[name], params, extra)
        return grads, states

    return Optimizer(init, update)


def check_optimizer(part: Any, what: str) -> None:
    """ArgumentError for something that has no init and update."""
    if not isinstance(part, Optimizer):
        hint = "An optimizer is made by a call, such as fx.optim.sgd(0.1)."
        if isinstance(part, (list, tuple)):
            hint = "Write chain(a, b), without a list, or fx.optim.chain(*parts)."
        raise fx.ArgumentError(f"{what} is {type(part).__name__}: {brief(part)}.\n{hint}")


def _not_theirs(name: str, count: int, state: Any) -> fx.ArgumentError:
    return fx.ArgumentError(
        f"{name} of {count} optimizers got a state that is not theirs: {fx.tree.structure(state)}.\n"
        "Pass what init(params), or the update before, returned."
    )
