"""What fx.lax takes: operands of one dtype and of one rank. Only scalars adapt.

fx.numpy promotes and broadcasts; fx.lax, as jax.lax, does neither, so that a program says what it computes. A
Python number takes the dtype of the array it meets if its kind fits; a value of shape () meets every shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.array import Array
from ..core.avals import Aval
from ..core.errors import DTypeError, ShapeError, lines
from ..core.trace import bind
from ..primitives.families import KINDS
from ..primitives.promotion import (
    as_operand,
    binary_function,
    cast,
    dtype_and_weak,
    is_scalar,
    promote,
    unary_function,
)

_KINDS = {"b": 0, "i": 1, "u": 1, "f": 2, "V": 2, "c": 3}


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an operand; () for a Python number."""
    return () if is_scalar(x) else tuple(x.shape)


def describe(*xs: Any) -> str:
    """Operands as a message shows them: f32[3,4], f64[], a number."""
    return ", ".join(str(x) if is_scalar(x) else str(Aval(tuple(x.shape), *dtype_and_weak(x))) for x in xs)


def one_dtype(name: str, *xs: Any) -> list[Any]:
    """Operands in one dtype: arrays have it already, Python numbers and weak values take it.

    Raises:
        DTypeError: two arrays differ, or a number does not fit the arrays' kind.
    """
    operands = [x if is_scalar(x) else as_operand(x) for x in xs]
    strong = {d for d, weak in (dtype_and_weak(x) for x in operands if not is_scalar(x)) if not weak}
    if not strong:
        return promote(*operands)
    dtype = next(iter(strong))
    if len(strong) > 1 or any(_kind(x) > _KINDS[dtype.kind] for x in operands):
        raise DTypeError(
            lines(
                f"fx.lax.{name} needs operands of one dtype; got {describe(*operands)}.",
                "Convert with .astype, or use the function of fx.numpy, which promotes.",
            )
        )
    return [cast(x, dtype) for x in operands]


def _kind(x: Any) -> int:
    if is_scalar(x):
        return (bool, int, float, complex).index(type(x)) if type(x) in (bool, int, float, complex) else 3
    dtype, weak = dtype_and_weak(x)
    return _KINDS[dtype.kind] if weak else 0


def one_rank(name: str, operands: Sequence[Any]) -> None:
    """ShapeError unless all operands have one rank; those of shape () go with any."""
    if len({len(shape_of(x)) for x in operands} - {0}) > 1:
        raise ShapeError(
            lines(
                f"fx.lax.{name} needs operands of one rank, or of shape (); got {describe(*operands)}.",
                "fx.numpy functions broadcast; fx.lax.broadcast_in_dim says which axes are new.",
            )
        )


def fitting(name: str, *xs: Any) -> list[Any]:
    """Operands in one dtype and of one rank."""
    operands = one_dtype(name, *xs)
    one_rank(name, operands)
    return operands


def array(x: Any) -> Any:
    """One operand with a shape and a dtype: a Python number gets those it has alone."""
    x = as_operand(x)
    return x if hasattr(x, "dtype") else np.asarray(x, dtypes.scalar_dtype(type(x), None))[()]


def unary(prim: Any, name: str, doc: str) -> Callable[..., Any]:
    """The function of a primitive of one operand. The dtype stays; `accuracy` is JAX's hint, here always best."""

    kinds, quick = KINDS[prim.kinds], unary_function(prim, name, doc, inexact=False)

    def function(x: Any, *, accuracy: Any = None) -> Any:
        if isinstance(x, Array) and x.dtype.kind in kinds:
            return quick(x)
        return bind(prim, as_operand(x))

    return named(function, name, doc)


def binary(prim: Any, name: str, doc: str) -> Callable[[Any, Any], Any]:
    """The function of a primitive of two operands of one dtype and rank."""

    quick = binary_function(prim, name, doc)

    def function(x: Any, y: Any) -> Any:
        if isinstance(x, Array):
            same = isinstance(y, Array) and x.dtype is y.dtype and x.shape == y.shape
            if same or (type(y) is float and x.dtype.kind == "f"):
                return quick(x, y)
        return bind(prim, *fitting(name, x, y))

    return named(function, name, doc)


def named(function: Any, name: str, doc: str) -> Any:
    """The function under its public name."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = "fx.lax"
    function.__doc__ = doc
    return function
