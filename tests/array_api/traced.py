"""fx.numpy with every call traced: a namespace for the array API's test suite.

Importing this module changes `fx.Array` for the whole process: each call of a function, method, operator or property
with arrays among its arguments runs under `fx.vjp` with those arrays as inputs. The primal is returned, after the
cotangents of ones were pulled back and found to have the shapes and dtypes of the inputs.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import fx
import fx.numpy as fnp
from fx.core import array as core_array
from fx.core.trace import current_trace
from fx.numpy._methods import METHODS

traces = 0
"""How many calls were traced since the import."""


def traced(function: Any) -> Any:
    """The function under a vjp trace of the arrays it is called with."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves, treedef = fx.tree.flatten((args, kwargs))
        arrays = [x for x in leaves if isinstance(x, fx.Array)]
        if not arrays or current_trace() is not None:
            return function(*args, **kwargs)
        return _under_vjp(function, leaves, treedef, arrays)

    return call


def _under_vjp(function: Any, leaves: list[Any], treedef: Any, arrays: list[Any]) -> Any:
    global traces
    traces += 1
    kept: list[Any] = []

    def inner(*inputs: Any) -> list[Any]:
        filled = iter(inputs)
        args, kwargs = treedef.unflatten([next(filled) if isinstance(x, fx.Array) else x for x in leaves])
        parts, structure = fx.tree.flatten(function(*args, **kwargs))
        kept[:] = [parts, structure]
        return [x for x in parts if isinstance(x, fx.Array)]

    primals, pull = fx.vjp(inner, *arrays)
    _check_cotangents(pull([fnp.ones(y.shape, y.dtype) for y in primals]), arrays)
    values = iter(primals)
    parts, structure = kept
    return structure.unflatten([next(values) if isinstance(x, fx.Array) else x for x in parts])


def _check_cotangents(cotangents: Any, arrays: list[Any]) -> None:
    for ct, x in zip(cotangents, arrays, strict=True):
        assert (ct.shape, ct.dtype) == (x.shape, x.dtype), f"the cotangent of {x.aval} is {ct.aval}"


def _method(value: Any) -> Any:
    if isinstance(value, property):
        return property(traced(value.fget), doc=value.__doc__)
    return traced(value) if callable(value) else value


def _namespace(name: str, source: Any) -> types.ModuleType:
    made = types.ModuleType(name, source.__doc__)
    for key in dir(source):
        value = getattr(source, key)
        setattr(made, key, traced(value) if isinstance(value, types.FunctionType) else value)
    return made


functions = _namespace(__name__, fnp)
core_array.install({name: _method(value) for name, value in METHODS.items()}, functions)
linalg = functions.linalg = _namespace(f"{__name__}.linalg", fnp.linalg)
fft = functions.fft = _namespace(f"{__name__}.fft", fnp.fft)
__array_api_version__ = fnp.__array_api_version__


def __getattr__(name: str) -> Any:
    return getattr(functions, name)
