"""Fields of layers: what their annotations allow, made hashable, written."""

from __future__ import annotations

import numbers
import operator
from dataclasses import MISSING, fields
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp


class FrozenDict(dict[str, Any]):
    """A dict in a field of a layer: hashable, never changed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def settle(layer: Any) -> None:
    """Refuse fields that are not what their annotations say; lists and dicts become hashable.

    Annotations that are looked at: int, float, bool, str, Layer, Initializer, Callable, each also `| None`; and the
    field `dtype`. Others may be anything.
    """
    for f in fields(layer):
        value = _checked(layer, f, getattr(layer, f.name))
        try:
            object.__setattr__(layer, f.name, _frozen(value))
        except RecursionError:
            raise _wrong(layer, f.name, "a list of some depth", value) from None


def _checked(layer: Any, f: Any, value: Any) -> Any:
    """The value, NumPy's scalars as Python's."""
    kind = f.type if isinstance(f.type, str) else getattr(f.type, "__name__", str(f.type))
    optional = kind.endswith(" | None")
    kind = kind.removesuffix(" | None")
    if value is None and (optional or f.name == "dtype"):
        return None
    if f.name == "dtype":
        return _dtype(layer, value)
    test = _KINDS.get(kind.partition("[")[0])
    if test is None:
        return value
    made, what = test
    try:
        return made(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(layer, f.name, what, value) from None


def _dtype(layer: Any, value: Any) -> Any:
    try:
        found = fnp.empty((0,), value).dtype
    except (fx.FxError, TypeError, ValueError):
        raise _wrong(layer, "dtype", "a dtype", value) from None
    if not fnp.issubdtype(found, fnp.inexact):
        raise _wrong(layer, "dtype", "of floating point", value)
    return value


def _wrong(layer: Any, name: str, what: str, value: Any) -> fx.ArgumentError:
    return fx.ArgumentError(f"{type(layer).__name__}: {name} must be {what}; got {brief(value)}.")


def _whole(value: Any) -> int:
    if isinstance(value, (bool, fx.Array)) or getattr(value, "ndim", 0):
        raise TypeError
    return operator.index(value)


def _real(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError
    return value if isinstance(value, (int, float)) else float(value)


def _flag(value: Any) -> bool:
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError
    return bool(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _function(value: Any) -> Any:
    if not callable(value) or isinstance(value, fx.Array) or hasattr(type(value), "members"):
        raise TypeError
    hash(value)
    return value


def _layer(value: Any) -> Any:
    if not hasattr(value, "members"):
        raise TypeError
    return value


_KINDS = {
    "int": (_whole, "an integer"),
    "float": (_real, "a number"),
    "bool": (_flag, "True or False"),
    "str": (_text, "text"),
    "Layer": (_layer, "a layer"),
    "Initializer": (_function, "an initializer, a function (key, shape, dtype)"),
    "Callable": (_function, "a function"),
}


def _frozen(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return tuple(_frozen(x) for x in value)
    return FrozenDict({k: _frozen(x) for k, x in value.items()}) if isinstance(value, dict) else value


def texts(layer: Any) -> list[str]:
    """Fields as arguments: those without a default by place, the others where they differ from it."""
    found = []
    for f in sorted(fields(layer), key=lambda f: f.kw_only):
        value = getattr(layer, f.name)
        default = f.default if f.default_factory is MISSING else f.default_factory()
        if default is MISSING and not f.kw_only:
            found.append(_written(value))
        elif default is MISSING or not _same(value, default):
            found.append(f"{f.name}={_written(value)}")
    return found


def _same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    try:
        return bool(value == default)
    except ValueError:  # arrays, where none belongs
        return False


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    return getattr(value, "__name__", None) or repr(value)
