"""The short way of eager calls: what fx writes as several operations, NumPy has in one piece."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..core.array import Array
from ..core.errstate import restore, silence
from ..core.trace import current_trace

F = TypeVar("F", bound=Callable[..., Any])
_PASSED = (int, float, str, tuple, type(None))
_OPTIONS = {"axis", "keepdims"}
_SINGLE_AND_DOUBLE = frozenset(map(np.dtype, ("float32", "float64")))
DOUBLE = frozenset([np.dtype("float64")])


def natively(
    of: Callable[..., Any], dtypes: frozenset[np.dtype[Any]] = _SINGLE_AND_DOUBLE
) -> Callable[[F], F]:
    """Let eager calls on arrays of the host, of some dtypes, go to NumPy's function of the same meaning.

    It must return new arrays of the dtypes that the decorated function returns, and warn of nothing. What it refuses
    goes the long way, whose errors are fx's own; so does everything traced, weak, empty or elsewhere.
    """

    def decorate(function: F) -> F:
        most = _positional(function)  # NumPy's next one would be out=

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(args) <= most and current_trace() is None:
                raw = _raw(args, kwargs, dtypes)
                if raw is not None:
                    token = silence()
                    try:
                        return _wrapped(of(*raw, **kwargs))
                    except Exception:
                        pass  # said below
                    finally:
                        restore(token)
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def _positional(function: Callable[..., Any]) -> int:
    """How many arguments may be given by position."""
    kinds = [p.kind for p in inspect.signature(function).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 64
    return len(kinds) - kinds.count(inspect.Parameter.KEYWORD_ONLY)


def _raw(args: tuple[Any, ...], kwargs: dict[str, Any], dtypes: Any) -> list[Any] | None:
    """NumPy's arguments, or None where the call must go the long way."""
    if kwargs and not (kwargs.keys() <= _OPTIONS and all(isinstance(v, _PASSED) for v in kwargs.values())):
        return None
    raw, found = [], None
    for x in args:
        if type(x) is Array or type(x) is np.ndarray:
            x = x if type(x) is np.ndarray else x.buffer if not x.weak else None
            if (
                type(x) is not np.ndarray
                or x.dtype not in dtypes
                or not x.size
                or found not in (None, x.dtype)
            ):
                return None
            found = x.dtype
        elif not isinstance(x, _PASSED):
            return None
        raw.append(x)
    return raw if found is not None else None


def _wrapped(out: Any) -> Any:
    if isinstance(out, tuple):
        return tuple(map(_wrapped, out))
    return Array(out if isinstance(out, (np.ndarray, np.generic)) else np.asarray(out))
