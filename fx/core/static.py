"""Reading static arguments: integers, tuples of them, functions, names. Every bad one becomes an fx error here."""

from __future__ import annotations

import enum
import operator
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from .avals import MAX_RANK, is_inexact
from .errors import ArgumentError, AxisError, FxError, ShapeError, brief, lines

E = TypeVar("E", bound=enum.Enum)
_BYTES = (str, bytes, bytearray, memoryview)


def integer(value: Any, what: str) -> int:
    """A Python int known now; a traced value answers if it is concrete."""
    try:
        return operator.index(value)
    except TypeError as e:
        if isinstance(e, FxError):
            raise
        kind = type(value).__name__
        raise ArgumentError(f"{what} must be an integer; got {kind} {brief(value)}.") from None


def number(value: Any, what: str) -> Any:
    """A real number, or an array of shape () of one, which may be traced."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and shape == () and not np.ma.isMA(value) and _is_real(dtype):
        return value
    raise ArgumentError(f"{what} must be a real number; got {_described(value)}.")


def real(value: Any, what: str) -> float:
    """A real number known now, as Python's float."""
    try:
        return float(number(value, what))
    except OverflowError:
        raise ArgumentError(f"{what} must be a number that a float can hold; got {brief(value)}.") from None


def _is_real(dtype: Any) -> bool:
    if not isinstance(dtype, np.dtype):
        return False
    return dtype.kind in "iu" or (is_inexact(dtype) and dtype.kind != "c")


def _described(value: Any) -> str:
    return str(value.aval) if hasattr(value, "aval") else f"{type(value).__name__} {brief(value)}"


def integers(value: Any, what: str) -> tuple[int, ...]:
    """Integers from one or from a sequence of at most 64: a shape, axes, strides."""
    if not isinstance(value, (Sequence, np.ndarray)) or isinstance(value, _BYTES):
        return (integer(value, what),)
    if isinstance(value, np.ndarray) and value.ndim != 1:
        if value.ndim == 0:
            return (integer(value, what),)
        raise ArgumentError(f"{what} must be an integer or a sequence of integers; got {brief(value)}.")
    if len(value) > MAX_RANK:
        raise ShapeError(f"{what}: {len(value)} integers; arrays have at most {MAX_RANK} axes.")
    return tuple(integer(v, what) for v in value)


def sizes(value: Any, what: str) -> tuple[int, ...]:
    """A shape: non-negative integers from one or from a sequence."""
    found = integers(value, what)
    if any(d < 0 for d in found):
        raise ShapeError(f"{what}: sizes must not be negative; got {found}.")
    return found


def axis(value: Any, rank: int, name: str) -> int:
    """A non-negative axis of an array of `rank` axes."""
    index = integer(value, f"{name}: axis")
    if not -rank <= index < rank:
        raise AxisError(
            lines(
                f"{name}: axis {index} is out of range for an array of {rank} axes.",
                f"Axes run from {-rank} to {rank - 1}." if rank else "An array of shape () has no axes.",
            )
        )
    return index % rank


def members(value: Any, what: str) -> tuple[Any, ...]:
    """The members of a list or tuple; ArgumentError for anything else."""
    if not isinstance(value, (list, tuple)):
        raise ArgumentError(f"{what} must be a list or tuple; got {type(value).__name__} {brief(value)}.")
    return tuple(value)


def sequence(value: Any, what: str) -> list[Any]:
    """The members of an array, a list or whatever else can be gone through, but text."""
    try:
        if not isinstance(value, _BYTES):
            return list(value)
    except TypeError as e:
        if isinstance(e, FxError):
            raise
    raise ArgumentError(f"{what} must be a sequence; got {type(value).__name__} {brief(value)}.")


def mapping(value: Any, what: str) -> Mapping[Any, Any]:
    """A dict, or another mapping."""
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{what} must be a dict; got {type(value).__name__} {brief(value)}.")
    return value


def path(value: Any, what: str) -> Any:
    """The name of a file or a folder."""
    if not isinstance(value, (str, os.PathLike)) or "\0" in str(value):
        raise ArgumentError(
            f"{what} must be a path, a str or a pathlib.Path; got {type(value).__name__} {brief(value)}."
        )
    return value


def function(value: Any, what: str) -> Any:
    """Something that can be called."""
    if not callable(value):
        raise ArgumentError(f"{what} must be a function; got {type(value).__name__} {brief(value)}.")
    return value


def choice(value: Any, choices: Sequence[str], what: str) -> str:
    """One of a few strings."""
    if not isinstance(value, str) or value not in choices:
        *others, last = map(repr, choices)
        known = f"{', '.join(others)} or {last}"
        raise ArgumentError(lines(f"{what}={brief(value)} is not accepted.", f"Choose {known}."))
    return value


def text(value: Any, what: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ArgumentError(f"{what} must be a string; got {type(value).__name__} {brief(value)}.")
    return value


def member(value: Any, kind: type[E], what: str) -> E:
    """A member of an enumeration, or what Python takes for one: its value."""
    try:
        return kind(value)
    except (TypeError, ValueError, RecursionError):
        known = ", ".join(f"{kind.__name__}.{m.name}" for m in kind)
        raise ArgumentError(
            lines(f"{what}={brief(value)} is not accepted.", f"Choose one of {known}.")
        ) from None


def key(value: Any, what: str) -> Any:
    """Something hashable, such as the name of an axis."""
    try:
        hash(value)
    except TypeError:
        raise ArgumentError(f"{what} must be hashable; got {type(value).__name__} {brief(value)}.") from None
    return value


def is_hashable(v: Any) -> bool:
    """Whether a value can be part of a cache key."""
    try:
        hash(v)
        return True
    except TypeError:
        return False
