"""Names of `jax` that are another word for something in fx, or a few lines over it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from .core import devices as _devices, tree
from .core.array import aval_of
from .core.avals import Aval
from .core.boundary import boundary
from .core.config import config
from .core.scope import named_scope
from .core.static import function
from .core.trace import no_trace
from .core.transforms.arguments import name_of
from .core.transforms.closures import closure_convert as closure_convert
from .core.transforms.custom_vjp import custom_vjp
from .core.transforms.gradient import ShapeDtype as ShapeDtypeStruct, vjp
from .core.transforms.jit import make_program as make_jaxpr

__all__ = ["ShapeDtypeStruct", "closure_convert", "make_jaxpr"]


def custom_gradient(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function that brings its own reverse derivative: `fun(*args) -> (result, pull)`.

    Args:
        fun: `pull(ct)` takes a cotangent of the result and returns those of the arguments, a tuple (bare for one).

    >>> import fx
    >>> @custom_gradient
    ... def clipped(x):
    ...     return x * x, lambda ct: fx.numpy.clip(2 * x * ct, -1, 1)
    >>> float(fx.grad(clipped)(3.0))
    1.0
    """
    function(fun, "custom_gradient")

    @custom_vjp
    @functools.wraps(fun)
    def wrapped(*args: Any) -> Any:
        return fun(*args)[0]

    def fwd(*args: Any) -> Any:
        out, pull = fun(*args)
        converted, consts = closure_convert(pull, out)
        return out, (tree.Static(converted), consts, tree.Static(len(args)))

    def bwd(residuals: Any, ct: Any) -> Any:
        pull, consts, count = residuals
        found = pull.value(ct, *consts)
        return found if isinstance(found, (tuple, list)) and count.value != 1 else _one(found)

    wrapped.defvjp(fwd, bwd)
    return wrapped


def _one(found: Any) -> tuple[Any, ...]:
    return tuple(found) if isinstance(found, (tuple, list)) and len(found) == 1 else (found,)


def fwd_and_bwd(
    fun: Callable[..., Any], argnums: int | Sequence[int], has_aux: bool = False, jitted: bool = True
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The forward and the backward pass of a function apart.

    Args:
        argnums: the arguments to differentiate. jitted: accepted; both passes run as `fx.vjp` runs them.

    Returns:
        `fwd(*args) -> (result, pull)` or (result, pull, aux), and `bwd(pull, ct)`, the cotangents of the arguments.
    """
    function(fun, "fwd_and_bwd")
    nums = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @boundary
    def fwd(*args: Any) -> Any:
        places = [n % len(args) for n in nums]

        def of_chosen(*chosen: Any) -> Any:
            full = list(args)
            for n, x in zip(places, chosen, strict=True):
                full[n] = x
            return fun(*full)

        return vjp(of_chosen, *[args[n] for n in places], has_aux=has_aux)

    def bwd(pull: Callable[[Any], Any], ct: Any) -> Any:
        return pull(ct)

    return fwd, bwd


def named_call(fun: Callable[..., Any], *, name: str | None = None) -> Callable[..., Any]:
    """The function under a name that profiles and printed Programs show."""
    title = name_of(fun) if name is None else name

    @functools.wraps(fun)
    def call(*args: Any, **kwargs: Any) -> Any:
        with named_scope(title):
            return fun(*args, **kwargs)

    return call


def typeof(x: Any) -> Aval:
    """The abstract value of an array or number: its shape and dtype, traced or not."""
    return aval_of(x)


def disable_jit(disable: bool = True) -> AbstractContextManager[Any]:
    """`with fx.disable_jit():` runs jitted functions as plain Python."""
    return config(disable_jit=disable)


def debug_nans(enable: bool = True) -> AbstractContextManager[Any]:
    """`with fx.debug_nans():` raises at the first equation that makes a NaN."""
    return config(check_nans=enable)


def enable_x64(new_val: bool = True) -> AbstractContextManager[Any]:
    """`with fx.enable_x64():` Python floats make float64. Arrays keep their dtypes in any case."""
    return config(default_float="float64" if new_val else "float32")


def ensure_compile_time_eval() -> AbstractContextManager[None]:
    """`with fx.ensure_compile_time_eval():` computes at once what does not depend on traced values."""
    return no_trace()


def default_matmul_precision(precision: Any) -> AbstractContextManager[None]:
    """Accepted: products are always computed in the precision of their operands or better."""
    return contextlib.nullcontext()


def default_backend() -> str:
    """The platform where new arrays are made: 'cpu' or 'gpu'."""
    return _devices.current_device().platform


def device_count(backend: str | None = None) -> int:
    """How many devices there are, in all or of one platform."""
    return len(_devices.devices(backend))


def local_devices(
    process_index: int | None = None, backend: str | None = None, host_id: int | None = None
) -> list[_devices.Device]:
    """The devices of this process: all."""
    return _devices.devices(backend)


local_device_count = device_count


def process_count(backend: str | None = None) -> int:
    """1: fx runs in one process."""
    return 1


def process_index(backend: str | None = None) -> int:
    """0: the number of this process."""
    return 0
