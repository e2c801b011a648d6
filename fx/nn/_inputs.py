"""Reading what callers pass to the functions of `fx.nn` and `fx.losses`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp


def real(x: Any, name: str) -> fx.Array:
    """x as an Array of a floating dtype: integers and booleans become the default float.

    Raises:
        DTypeError: x is complex. ArgumentError: x is no array.
    """
    if isinstance(x, fx.Array) and x.dtype.kind == "f":
        return x
    x = _array(x)
    if fnp.issubdtype(x.dtype, fnp.floating):
        return x
    if x.dtype.kind == "c":
        raise fx.DTypeError(
            f"{name} takes real numbers; got {x.dtype}{list(x.shape)}.\nPass x.real or abs(x)."
        )
    return x.astype(float)


def as_array(x: Any) -> fx.Array:
    """x as an Array, of whatever dtype."""
    return x if isinstance(x, fx.Array) else fnp.asarray(x)


def _array(x: Any) -> fx.Array:
    if isinstance(x, fx.Array):
        return x
    weak = isinstance(x, (int, float)) and not isinstance(x, bool)
    return fnp.positive(x) if weak else fnp.asarray(x)


def number(x: Any, what: str) -> Any:
    """x if it is a real number, or an array of shape ().

    Raises:
        ArgumentError: it is anything else.
    """
    if isinstance(x, (int, float)) and not isinstance(x, bool):
        return x
    if isinstance(x, (fx.Array, np.ndarray, np.generic)) and x.shape == () and _is_real(x.dtype):
        return x
    raise fx.ArgumentError(f"{what} must be a real number; got {brief(x)}.")


def _is_real(dtype: Any) -> bool:
    return dtype.kind in "fiu" or (dtype.kind == "V" and bool(fnp.issubdtype(dtype, fnp.floating)))


def factor(x: Any, what: str) -> Any:
    """A Python number as it is, anything else as a real Array, which may broadcast.

    Raises:
        DTypeError: x is complex. ArgumentError: x is no array.
    """
    return x if isinstance(x, (int, float)) else real(x, what)


def known(x: fx.Array) -> Any:
    """x as an array of NumPy; None if it is traced without values, or on a device."""
    try:
        return np.asarray(x) if x.device.platform == "cpu" else None
    except fx.TracerError:
        return None


def function(x: Any, what: str) -> Any:
    """x if it can be called.

    Raises:
        ArgumentError: it cannot.
    """
    if not callable(x):
        raise fx.ArgumentError(f"{what} must be a function; got {brief(x)}.")
    return x


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """float16 and bfloat16 arguments are computed on in float32, and the result rounded back once."""

    @functools.wraps(function)
    def wrapper(x: Any, *args: Any, **kwargs: Any) -> Any:
        x = real(x, function.__name__)
        if x.dtype.itemsize > 2:
            return function(x, *args, **kwargs)
        return function(x.astype(fnp.float32), *args, **kwargs).astype(x.dtype)

    return wrapper


def bounded(x: fx.Array, low: float, high: float) -> fx.Array:
    """x moved into [low, high]; outside the derivative is 0, and stays 0 whatever infinity comes back."""
    x = fnp.where(x < low, low, x)
    return fnp.where(x > high, high, x)


@functools.cache
def limits(dtype: Any) -> Any:
    """`finfo` of a dtype."""
    return fnp.finfo(dtype)
