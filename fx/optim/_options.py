"""What options may be, by their names: an option of one name is of one kind in all of fx.optim.

What is annotated with LearningRate may be a schedule instead of a number.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from reprlib import repr as brief
from typing import Any, ParamSpec, TypeVar

import numpy as np

import fx
import fx.numpy as fnp

from ._optimizer import Optimizer

P = ParamSpec("P")
R = TypeVar("R")

_NUMBERS = """
adam_b1 adam_b2 adam_eps_root alpha approx_dec_rtol atol b1 b2 b3 backoff_factor base_value beta beta3 clip_threshold
clipping clipping_threshold cooldown curv_rtol dampening decay decay_offset decay_rate decay_steps div_factor
end_value eps eps_root epsilon estim_lr0 estim_lr_coef eta eta_minus eta_plus exponent f_min factor
final_div_factor gamma growth_factor growth_interval increase_factor init_scale init_value
initial_accumulator_value initial_scale k l2_norm_clip lambd learning_rate lr_decay max_consecutive_errors max_delta
max_learning_rate max_norm max_squared_norm max_step_size min_norm min_step_size momentum momentum_decay
multiplier consistent_rms optimism patience pct_final pct_start peak_value period power rho rtol scale_factor
slope_rtol slow_step_size smooth_beta start step_offset step_size steps steps_down steps_up stepsize_precision
accumulation_size t0 threshold tol transition_begin transition_steps trust_coefficient update_interval
update_period value warmup_steps weight_lr_power init_estim_sq_dist lower_bound min_scale noise_multiplier
""".split()
_RATES = "weight_decay weight_decay_rate adam_weight_decay".split()
_INTEGERS = "memory_size ns_steps min_dim_size_to_factor max_linesearch_steps".split()
_OR_NONE = "approx_dec_rtol clip_threshold clipping_threshold max_learning_rate".split()
_FUNCTIONS = (
    "function step_size_fn clip_value_fn decay_rate_fn should_transform_fn value_fn inner_factory".split()
)
_DTYPES = "ns_dtype mu_dtype accumulator_dtype dtype_momentum state_dtype hyperparam_dtype".split()


def options(factory: Callable[P, R]) -> Callable[P, R]:
    """The factory, which refuses options that are not of the kind of their name; None passes where it is a default.

    The optimizers that it makes refuse states that are not theirs.

    Raises:
        ArgumentError: an option has the wrong kind.
    """
    parameters = inspect.signature(factory).parameters
    names = list(parameters)
    defaults = {name: p.default for name, p in parameters.items()}
    kinds = {
        name: _rate if p.annotation == "LearningRate" else _KINDS[name]
        for name, p in parameters.items()
        if p.annotation == "LearningRate" or name in _KINDS
    }

    @functools.wraps(factory)
    def made(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            if name in kinds and value is not defaults[name]:
                kinds[name](value, f"{factory.__name__}: {name}")
        result = factory(*args, **kwargs)
        return _guarded(result, factory.__name__) if isinstance(result, Optimizer) else result

    return made


def _guarded(part: Optimizer, name: str) -> Any:
    """The optimizer, whose update compares the state with the NamedTuple that it is annotated with."""
    update = part.update
    annotation = inspect.signature(update).parameters["state"].annotation
    kind = getattr(update, "__globals__", {}).get(annotation) if isinstance(annotation, str) else None
    fields = getattr(kind, "_fields", None)
    if fields is None:
        return part

    @functools.wraps(update)
    def checked(grads: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        if getattr(state, "_fields", None) != fields:
            raise fx.ArgumentError(
                f"{name} got a state that is not its own; got {_shown(state)}.\n"
                "Write updates, state = optimizer.update(grads, state, params), with state from "
                "optimizer.init(params) at first."
            )
        return update(grads, state, params, **extra)

    return Optimizer(part.init, checked)


def _number(value: Any, what: str) -> None:
    if not is_number(value):
        raise fx.ArgumentError(f"{what} must be a real number; got {_shown(value)}.")


def _number_or_none(value: Any, what: str) -> None:
    if value is not None:
        _number(value, what)


def is_number(value: Any) -> bool:
    """Whether it is a real number or an array of shape (), which may be traced."""
    if isinstance(value, (int, float)):
        return not isinstance(value, bool)
    if not isinstance(value, (fx.Array, np.ndarray, np.generic)) or value.shape != () or np.ma.isMA(value):
        return False
    return value.dtype.kind in "iu" or bool(fnp.issubdtype(value.dtype, fnp.floating))


def check_number(what: str, *values: Any) -> None:
    """ArgumentError for what is no number."""
    for value in values:
        _number(value, what)


def listed(values: Any, what: str) -> list[Any]:
    """The members of a list, a tuple or whatever else can be gone through, but text.

    Raises:
        ArgumentError: it has no members.
    """
    try:
        if not isinstance(values, (str, bytes)):
            return list(values)
    except TypeError as e:
        if isinstance(e, fx.FxError):
            raise
    raise fx.ArgumentError(f"{what} must be a list; got {_shown(values)}.")


def _rate(value: Any, what: str) -> None:
    if is_number(value) or (callable(value) and not isinstance(value, type)):
        return
    if value is None and what.endswith("learning_rate"):
        return
    hint = "A schedule is a function from the count of updates to a number."
    if isinstance(value, (dict, list, tuple, fx.Array, np.ndarray)):
        hint = (
            "Parameters are given to init: optimizer = fx.optim.adam(1e-3); state = optimizer.init(params)."
        )
    raise fx.ArgumentError(f"{what} must be a real number or a schedule; got {_shown(value)}.\n{hint}")


def _integer(value: Any, what: str) -> None:
    try:
        if not isinstance(value, bool):
            operator.index(value)
            return
    except fx.FxError:
        raise
    except TypeError:
        pass
    raise fx.ArgumentError(f"{what} must be an integer; got {_shown(value)}.")


def _function(value: Any, what: str) -> None:
    if not callable(value):
        raise fx.ArgumentError(f"{what} must be a function; got {_shown(value)}.")


def _dtype(value: Any, what: str) -> None:
    if value is None:
        return
    try:
        found = fnp.empty((0,), value).dtype
    except (fx.FxError, TypeError, ValueError):
        raise fx.ArgumentError(f"{what} must be a dtype; got {_shown(value)}.") from None
    if not fnp.issubdtype(found, fnp.inexact):
        raise fx.ArgumentError(f"{what} must be a dtype of floating point; got {found}.")


def _shown(value: Any) -> str:
    return str(value.aval) if isinstance(value, fx.Array) else f"{type(value).__name__} {brief(value)}"


_KINDS = {
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_OR_NONE, _number_or_none),
    **dict.fromkeys(_RATES, _rate),
    **dict.fromkeys(_INTEGERS, _integer),
    **dict.fromkeys(_FUNCTIONS, _function),
    **dict.fromkeys(_DTYPES, _dtype),
}
