"""What callers pass to sources, samplers and transforms: checked by the annotations of fields, or one by one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx


class Checked:
    """A dataclass whose fields are what their annotations say: int, float, str or Size; others are anything."""

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            test = _KINDS.get(str(f.type))
            value = getattr(self, f.name)
            if test is not None and not test[0](value):
                raise _wrong(f"{type(self).__name__}: {f.name}", test[1], value)
            if isinstance(value, np.generic):
                object.__setattr__(self, f.name, value.item())


def function(value: Any, what: str) -> Callable[..., Any]:
    """ArgumentError for what cannot be called."""
    if not callable(value):
        raise _wrong(what, "a function", value)
    return value  # type: ignore[no-any-return]


def path(value: Any, what: str) -> Any:
    """ArgumentError for what is no path of a file or folder."""
    if not isinstance(value, (str, os.PathLike)) or "\0" in str(value):
        raise _wrong(what, "a path, text or a pathlib.Path", value)
    return value


def source(value: Any, what: str) -> Any:
    """ArgumentError for what has no length and no items by number."""
    if isinstance(value, dict) or not (
        hasattr(type(value), "__len__") and hasattr(type(value), "__getitem__")
    ):
        raise fx.ArgumentError(
            f"{what} must be a source, with a length and items by number; got {type(value).__name__} {brief(value)}.\n"
            "Write Arrays(tree) for arrays in memory."
        )
    if isinstance(value, (np.ndarray, np.generic, fx.Array)) and value.shape == ():
        raise _wrong(what, "a source, with examples along its first axis", value)
    return value


def names(value: Any, what: str) -> list[str] | None:
    """ArgumentError for what is no list of names, and not None."""
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise _wrong(what, "a list of names", value)
    return list(value)


def listed(value: Any, what: str) -> list[Any]:
    """ArgumentError for what cannot be gone through."""
    try:
        if not isinstance(value, (str, bytes)):
            return list(value)
    except TypeError as e:
        if isinstance(e, fx.FxError):
            raise
    raise _wrong(what, "a list", value)


def _wrong(what: str, kind: str, value: Any) -> fx.ArgumentError:
    return fx.ArgumentError(f"{what} must be {kind}; got {type(value).__name__} {brief(value)}.")


def is_whole(x: Any) -> bool:
    """Whether x is an integer."""
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


def is_real(x: Any) -> bool:
    """Whether x is a finite number."""
    return (
        isinstance(x, (int, float, np.integer, np.floating)) and not isinstance(x, bool) and abs(x) < np.inf
    )


def _is_size(x: Any) -> bool:
    both = x if isinstance(x, (tuple, list)) else (x, x)
    return len(both) == 2 and all(is_whole(n) and n > 0 for n in both)


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "int": (is_whole, "an integer"),
    "float": (is_real, "a finite number"),
    "str": (lambda x: isinstance(x, str), "text"),
    "Size": (_is_size, "a positive integer, or two of them, (height, width)"),
}
