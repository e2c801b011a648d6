"""The short way of eager calls: what fx writes as several operations, NumPy has in one piece."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..core.array import Array
from ..core.devices import current_device
from ..core.errstate import restore, silence
from ..core.trace import current_trace
from ..primitives.promotion import BUFFERS

F = TypeVar("F", bound=Callable[..., Any])
_NUMBERS = frozenset((int, bool, float))
_PLACES = frozenset((int, bool, tuple, type(None)))
_ARRAYS = frozenset((Array, np.ndarray))
_WORDS = frozenset(("mode", "side", "indexing"))
_OPTIONS = _WORDS | frozenset("axis keepdims k offset n sparse equal_nan".split())
Dtypes = frozenset[np.dtype[Any]]


def _dtypes(names: str) -> Dtypes:
    return frozenset(map(np.dtype, names.split()))


DOUBLE = _dtypes("float64")
FLOATS = _dtypes("float32 float64")
INEXACT = FLOATS | _dtypes("complex64 complex128")
BOOL, INDEX = _dtypes("bool"), _dtypes("int64")
INTEGERS = _dtypes("int8 int16 int32 int64 uint8 uint16 uint32 uint64")
WHOLE = BOOL | INTEGERS
REALS = FLOATS | WHOLE
NUMBERS = INEXACT | WHOLE
EVERY = NUMBERS | _dtypes("float16")


def natively(
    of: Callable[..., Any],
    dtypes: Dtypes | tuple[Dtypes, ...] = FLOATS,
    *,
    data: int = 1,
    rank: int = 64,
    floats: bool = False,
    lists: bool = False,
    view: bool = False,
) -> Callable[[F], F]:
    """Let eager calls on arrays of the host go to NumPy's function of the same meaning.

    It must return arrays of the dtypes that the decorated function returns, and warn of nothing. What it refuses, or
    answers with NotImplemented, goes the long way, whose errors are fx's own; so does everything traced, weak, empty
    or elsewhere.

    Args:
        dtypes: those of which all arrays may have one; a tuple: for each argument those that it may have.
        data: how many of the first arguments hold elements; only ufuncs take Python numbers there as fx does.
        rank: the most axes of an operand.
        floats: the other arguments may be Python floats, and not only axes, sizes and modes.
        lists: arguments may be lists and tuples of arrays, and nested ones.
        view: the result may share memory with an operand, so NumPy's own arrays, which may change, go the long way.
    """
    each = dtypes if isinstance(dtypes, tuple) else ()
    numbers_from = 0 if isinstance(of, np.ufunc) and not each else data
    least = 0 if lists or isinstance(of, np.ufunc) else 1  # NumPy forgives an axis where there is none
    passed = _NUMBERS if isinstance(of, np.ufunc) else _PLACES | {str, float} if floats else _PLACES | {str}

    def raw(args: Any) -> list[Any] | None:
        """NumPy's arguments, or None where the call must go the long way."""
        given: list[Any] = []
        allowed: Any = dtypes
        for place, x in enumerate(args):
            t = type(x)
            if t is Array or t is np.ndarray:
                x = plain(x, allowed, place)
                if x is None:
                    return None
                allowed = each or (x.dtype,)
            elif lists and (t is list or t is tuple) and x and (type(x[0]) in _ARRAYS or type(x[0]) is list):
                x, dtype = nested(x, allowed, place)
                if x is None:
                    return None
                allowed = each or dtype
            elif place < numbers_from or t not in passed:
                return None
            given.append(x)
        return given if each or allowed is not dtypes else None

    def nested(xs: Any, allowed: Any, place: int) -> tuple[list[Any] | None, Any]:
        """NumPy's arrays in lists, and their one dtype; None where one must go the long way."""
        given = []
        for x in xs:
            if type(x) in _ARRAYS:
                x = plain(x, allowed, place)
                allowed = allowed if x is None else (x.dtype,)
            else:
                x, allowed = nested(x, allowed, place) if type(x) is list else (None, allowed)
            if x is None:
                return None, allowed
            given.append(x)
        return given, allowed

    def plain(x: Any, allowed: Any, place: int) -> Any:
        """NumPy's array of one that may go the short way, else None."""
        if type(x) is Array:
            if x.weak or type(x.buffer) not in BUFFERS:
                return None
            x = x.buffer
        elif view:
            return None
        if allowed is each:
            allowed = each[place] if place < len(each) else ()
        return x if x.dtype in allowed and x.size and least <= x.ndim <= rank else None

    return _short_way(of, raw)


def made(of: Callable[..., Any], numbers: int = 1) -> Callable[[F], F]:
    """Let eager calls on the host go to a function that makes the NumPy array from Python numbers and a dtype.

    numbers: how many of the first arguments are not the dtype; the function judges them.
    """

    def raw(args: Any) -> Any:
        plain = all([type(x) is float or type(x) in _PLACES for x in args[:numbers]])
        return args if plain and current_device().platform == "cpu" else None

    return _short_way(of, raw, _OPTIONS | {"dtype"})


def _short_way(
    of: Callable[..., Any], raw: Callable[[Any], Any], options: frozenset[str] = _OPTIONS
) -> Callable[[F], F]:
    """The decorator: `of(*raw(args), **kwargs)` where nothing is traced and raw finds the arguments plain."""

    def decorate(function: F) -> F:
        most = _positional(function, "dtype" in options)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(args) <= most and current_trace() is None and (not kwargs or _plain(kwargs, options)):
                given = raw(args)
                if given is not None:
                    token = silence()
                    try:
                        out = of(*given, **kwargs)
                        if out is not NotImplemented:
                            return _wrapped(out)
                    except Exception:
                        pass  # said below
                    finally:
                        restore(token)
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def _positional(function: Callable[..., Any], dtype_too: bool) -> int:
    """How many arguments may be given by position. NumPy's next one would be out=, and fx alone reads dtypes."""
    kinds = {name: p.kind for name, p in inspect.signature(function).parameters.items()}
    if inspect.Parameter.VAR_POSITIONAL in kinds.values():
        return 64
    named = [name for name, kind in kinds.items() if kind is not inspect.Parameter.KEYWORD_ONLY]
    return named.index("dtype") if "dtype" in named and not dtype_too else len(named)


def _plain(kwargs: dict[str, Any], options: frozenset[str]) -> bool:
    return kwargs.keys() <= options and all(
        [type(v) in _PLACES or k == "dtype" or (k in _WORDS and type(v) is str) for k, v in kwargs.items()]
    )


def _wrapped(out: Any) -> Any:
    if type(out) in BUFFERS:
        return Array(out)
    return type(out)(map(_wrapped, out)) if isinstance(out, (tuple, list)) else Array(np.asarray(out))
