"""Reading static arguments: integers, tuples of them, functions, names. Every bad one becomes an fx error here."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .avals import MAX_RANK
from .errors import ArgumentError, AxisError, FxError, ShapeError, brief, lines

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
