"""Hyperparameters in the state, where they can be read and set."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from reprlib import repr as brief
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer, run
from ._leaves import at_count, is_zero, no_updates, tree_dtype
from ._options import listed, options


class InjectState(NamedTuple):
    """count: updates made. hyperparams: a dict of arrays of shape (). inner_state: of the optimizer."""

    count: Any
    hyperparams: Any
    inner_state: Any


@options
def inject_hyperparams(
    inner_factory: Callable[..., Optimizer],
    static_args: str | Iterable[str] = (),
    hyperparam_dtype: Any = None,
) -> Callable[..., Optimizer]:
    """A maker of optimizers whose numbers are in the state: read, set, mapped, differentiated.

    Numbers, arrays and schedules among the arguments go into `state.hyperparams`; schedules are evaluated at
    every update. Booleans, what is named in static_args, and what is off by a default of 0 stay as they are.

    >>> import fx, fx.numpy as fnp
    >>> optimizer = inject_hyperparams(fx.optim.sgd)(learning_rate=0.1)
    >>> state = optimizer.init(fnp.ones(2))
    >>> state.hyperparams["learning_rate"] = fnp.asarray(0.5)
    >>> optimizer.update(fnp.ones(2), state)[0]
    Array([-0.5, -0.5], float32)

    Args:
        hyperparam_dtype: of the numbers; None: the widest real dtype of params.
    """
    static = {static_args} if isinstance(static_args, str) else _names(static_args)
    try:
        signature = inspect.signature(inner_factory)
    except ValueError:
        raise fx.ArgumentError(
            f"inject_hyperparams takes what makes an optimizer, such as fx.optim.adam; got {brief(inner_factory)}."
        ) from None
    unknown = static - set(signature.parameters)
    if unknown:
        raise fx.ArgumentError(
            f"inject_hyperparams: {sorted(unknown)[0]!r} is no argument of the optimizer; "
            f"it has {', '.join(signature.parameters)}."
        )

    @functools.wraps(inner_factory)
    def make(*args: Any, **kwargs: Any) -> Optimizer:
        bound = signature.bind(*args, **kwargs)
        given = set(bound.arguments)
        bound.apply_defaults()
        options = dict(bound.arguments)
        off = {k for k, v in options.items() if k not in given and is_zero(v)}
        moving = {k: v for k, v in options.items() if k not in static | off and _is_number_or_schedule(v)}
        fixed = {k: v for k, v in options.items() if k not in moving}
        return _injected(inner_factory, moving, fixed, hyperparam_dtype)

    return make


def _names(given: Any) -> set[str]:
    found = listed(given, "inject_hyperparams: static_args")
    if not all(isinstance(name, str) for name in found):
        raise fx.ArgumentError(
            f"inject_hyperparams: static_args must be names of arguments; got {brief(given)}."
        )
    return set(found)


def _is_number_or_schedule(value: Any) -> bool:
    if isinstance(value, (bool, Optimizer, type)):
        return False
    return callable(value) or isinstance(value, (int, float)) or getattr(value, "shape", None) == ()


def _injected(factory: Callable[..., Optimizer], moving: Any, fixed: Any, dtype: Any) -> Optimizer:
    def number(value: Any, like: Any) -> Any:
        value = fnp.asarray(value)
        return value if value.dtype.kind in "iu" else value.astype(dtype or tree_dtype(like))

    def init(params: Any) -> InjectState:
        values = {k: number(at_count(v, no_updates()), params) for k, v in moving.items()}
        return InjectState(no_updates(), values, factory(**fixed, **values).init(params))

    def update(grads: Any, state: InjectState, params: Any = None, **extra: Any) -> tuple[Any, InjectState]:
        values = {
            k: number(v(state.count), grads) if callable(v) else number(state.hyperparams[k], grads)
            for k, v in moving.items()
        }
        inner = factory(**fixed, **values)
        updates, inner_state = run(inner, grads, state.inner_state, params, extra)
        return updates, InjectState(state.count + 1, values, inner_state)

    return Optimizer(init, update)
