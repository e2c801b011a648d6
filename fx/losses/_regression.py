"""Losses of real predictions, element by element."""

from __future__ import annotations

from typing import Any

import fx
import fx.numpy as fnp

from ._reduce import counted, pair, reduced


def squared_error(predictions: Any, targets: Any, *, where: Any = None, reduction: str = "none") -> fx.Array:
    """(predictions - targets)**2."""
    x, y = pair(predictions, targets, "squared_error")
    error = counted(x - y, where)
    return reduced(error * error, where, reduction, "squared_error")


def absolute_error(predictions: Any, targets: Any, *, where: Any = None, reduction: str = "none") -> fx.Array:
    """|predictions - targets|; the derivative at 0 is 0."""
    x, y = pair(predictions, targets, "absolute_error")
    return reduced(fnp.absolute(counted(x - y, where)), where, reduction, "absolute_error")


l1 = absolute_error


def mse(predictions: Any, targets: Any, *, where: Any = None) -> fx.Array:
    """The mean squared error: `squared_error` with reduction "mean"."""
    return squared_error(predictions, targets, where=where, reduction="mean")


def mae(predictions: Any, targets: Any, *, where: Any = None) -> fx.Array:
    """The mean absolute error: `absolute_error` with reduction "mean"."""
    return absolute_error(predictions, targets, where=where, reduction="mean")


def huber(
    predictions: Any, targets: Any, delta: Any = 1.0, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """error**2 / 2 where |error| <= delta, and beyond its tangent, delta * (|error| - delta / 2).

    Source: Huber 1964.
    """
    x, y = pair(predictions, targets, "huber")
    error = fnp.absolute(counted(x - y, where))
    inner = fnp.where(error <= delta, error, delta)
    return reduced(0.5 * inner * inner + delta * (error - inner), where, reduction, "huber")
