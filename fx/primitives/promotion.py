"""From what users write to what primitives take: promotion, weak scalars, and the fast way for the common case."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.array import Array, as_buffer, typed
from ..core.config import settings
from ..core.dtypes import default_float
from ..core.errstate import restore, silence
from ..core.primitive import Unknown
from ..core.structure import Literal
from ..core.trace import Tracer, bind, current_trace
from .families import KINDS, Elementwise

_SCALARS = (bool, int, float, complex)
BUFFERS = frozenset((np.ndarray, *[np.dtype(c).type for c in "?bhilBHILqQefdFD"]))
"""Types of host arrays, and of the NumPy scalars that come out where they have no axes."""


def is_scalar(x: Any) -> bool:
    """A Python scalar: weak, without a dtype of its own."""
    return isinstance(x, _SCALARS) and not isinstance(x, np.generic)


def as_operand(x: Any) -> Any:
    """Something a primitive takes: tracers and arrays as they are, anything else converted or refused."""
    if type(x) is Unknown:
        x.refuse()
    return x if isinstance(x, (Array, Literal)) else as_buffer(x)


def dtype_and_weak(x: Any) -> tuple[Any, bool]:
    return x.dtype, getattr(x, "weak", False) or (hasattr(x, "aval") and x.aval.weak)


def cast(x: Any, dtype: np.dtype[Any]) -> Any:
    """x in `dtype`: Python scalars directly, arrays through the convert primitive."""
    if is_scalar(x):
        return typed(x, dtype)
    if x.dtype is dtype or x.dtype == dtype:
        return x
    from .elementwise import convert

    return convert(x, dtype)


def promote(*xs: Any, inexact: bool = False) -> list[Any]:
    """Operands in their common dtype. Only Python scalars: they stay weak."""
    if _alike(xs, inexact):
        return list(xs)
    operands = [x if is_scalar(x) else as_operand(x) for x in xs]
    strong: Any = None
    for x in operands:
        if not is_scalar(x):
            d, w = dtype_and_weak(x)
            strong = (d, w) if strong is None else dtypes.weak_promote(*strong, d, w)
    if strong is None:
        return _scalars_alone(operands, inexact)
    dtype = strong[0]
    for x in operands:
        if is_scalar(x):
            kind = bool if isinstance(x, bool) else int if isinstance(x, int) else type(x)
            dtype = dtypes.scalar_dtype(
                complex if kind is complex else float if kind is float else kind, dtype
            )
    if inexact:
        dtype = dtypes.inexact_of(dtype)
    keep_weak = strong[1] and dtype == strong[0]
    if keep_weak:
        operands = [_KIND[dtype.kind](x) if is_scalar(x) and dtype.kind in _KIND else x for x in operands]
    return [x if keep_weak and is_scalar(x) and _alone(x) == dtype else cast(x, dtype) for x in operands]


def _alike(xs: tuple[Any, ...], inexact: bool) -> bool:
    """Arrays of one dtype, none of them weak: nothing is to be done."""
    dtype = xs[0].dtype if xs and type(xs[0]) is Array else None
    for x in xs:
        if type(x) is not Array or x.weak or x.buffer.dtype is not dtype:
            return False
    return not inexact or (dtype is not None and dtype.kind in "fc")


_KIND = {"b": bool, "i": int, "f": float, "c": complex}


def _alone(x: Any) -> np.dtype[Any]:
    return dtypes.scalar_dtype(bool if isinstance(x, bool) else type(x), None)


def _scalars_alone(xs: list[Any], inexact: bool) -> list[Any]:
    kinds = [bool if isinstance(x, bool) else int if isinstance(x, int) else type(x) for x in xs]
    top = max(kinds, key=_SCALARS.index)
    if inexact and top in (bool, int):
        top = float
    return [top(x) for x in xs]


def unary_function(prim: Elementwise, name: str, doc: str, inexact: bool = True) -> Callable[[Any], Any]:
    """The public function of a unary primitive: converts integers where the operation is inexact."""
    ufunc = getattr(np, prim.ufunc, None) if prim.ufunc else None
    kinds = KINDS[prim.kinds].replace("V", "")
    at_once = kinds if prim.of_complex is None else kinds.replace("c", "")

    def function(x: Any, /) -> Any:
        trace = current_trace()
        if trace is not None:
            if type(x) is Tracer and x.aval.dtype.kind in kinds:
                return trace.record(prim, (x,))
        elif ufunc is not None and type(x) is Array and not x.weak:
            a = x.buffer
            if type(a) in BUFFERS and a.dtype.kind in at_once:
                token = silence()
                try:
                    return Array(ufunc(a))
                finally:
                    restore(token)
        (x,) = promote(x, inexact=inexact)
        return bind(prim, x)

    return _named(function, name, doc)


def binary_function(
    prim: Elementwise, name: str, doc: str, inexact: bool = False
) -> Callable[[Any, Any], Any]:
    """The public function of a binary primitive, with promotion; also the body of an operator."""
    ufunc = prim.kernel(np, {}) if prim.ufunc else None
    kinds = KINDS[prim.kinds].replace("V", "")

    def function(x: Any, y: Any, /) -> Any:
        trace = current_trace()
        if trace is None:
            if ufunc is not None and (type(x) is Array or type(y) is Array):
                a = x.buffer if type(x) is Array and not x.weak else x
                b = y.buffer if type(y) is Array and not y.weak else y
                if _fit(a, b, kinds):
                    token = silence()
                    try:
                        return Array(ufunc(a, b))
                    except (ValueError, TypeError, OverflowError):
                        pass  # shapes do not fit, or a number: that is said below
                    finally:
                        restore(token)
        elif type(x) is Tracer:
            dtype = x.aval.dtype
            if type(y) is Tracer:
                if y.aval.dtype is dtype and dtype.kind in kinds:
                    return trace.record(prim, (x, y))
            elif type(y) is float and dtype.kind == "f":
                if not x.aval.weak:
                    return trace.record(prim, (x, typed(y, dtype)))
                if dtype is default_float():
                    return trace.record(prim, (x, y))
        elif type(y) is Tracer and type(x) is float and y.aval.dtype.kind == "f" and not y.aval.weak:
            return trace.record(prim, (typed(x, y.aval.dtype), y))
        x, y = promote(x, y, inexact=inexact)
        return bind(prim, x, y)

    return _named(function, name, doc)


def _fit(a: Any, b: Any, kinds: str) -> bool:
    """Whether NumPy's ufunc gives what promotion asks for: of one dtype, or an inexact one beside a Python number."""
    if type(a) in BUFFERS and type(b) in BUFFERS:
        return a.dtype.kind in kinds and (a.dtype is b.dtype or _double(a.dtype, b.dtype))
    array, number = (a, b) if type(a) in BUFFERS else (b, a)
    if type(array) not in BUFFERS or array.dtype.kind not in kinds:
        return False
    if type(number) is int:
        return array.dtype.kind in "fc" or (array.dtype.kind in "iu" and 0 <= number < 128)
    return type(number) is float and array.dtype.kind in "fc"


def _double(a: np.dtype[Any], b: np.dtype[Any]) -> bool:
    """Whether one is float64 and the other a real dtype that becomes it."""
    return (
        (a is dtypes.float64 or b is dtypes.float64)
        and a.kind in "iuf"
        and b.kind in "iuf"
        and settings().promotion != "strict"
    )


def _named(function: Any, name: str, doc: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__module__ = "fx.numpy"
    function.__doc__ = doc
    return function


def reflected(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`other op self` as a method."""

    @functools.wraps(function)
    def method(self: Any, other: Any) -> Any:
        return function(other, self)

    return method
