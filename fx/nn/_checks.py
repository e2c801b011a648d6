"""Refusing fields that do not make a layer; each names the layer, the field and the value."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any

import fx


def positive(layer: Any, *names: str) -> None:
    """Fields that are integers of at least 1."""
    for name in names:
        value = getattr(layer, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise fx.ArgumentError(
                f"{type(layer).__name__}: {name} must be a positive integer; got {brief(value)}."
            )


def probability(layer: Any, name: str) -> None:
    """A field between 0 and 1."""
    value = getattr(layer, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise fx.ArgumentError(f"{type(layer).__name__}: {name} is a probability; got {brief(value)}.")


def one_of(layer: Any, name: str, *choices: Any) -> None:
    """A field that is one of a few values."""
    value = getattr(layer, name)
    if value not in choices:
        raise fx.ArgumentError(
            f"{type(layer).__name__}: {name}={brief(value)}.\nChoose {', '.join(map(repr, choices))}."
        )
