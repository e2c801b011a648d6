"""What all losses share: reading predictions and targets, masks, reductions."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp
from fx.nn._inputs import real


def pair(predictions: Any, targets: Any, name: str) -> tuple[fx.Array, Any]:
    """Both as real arrays of one shape; targets may be a Python number.

    Raises:
        ShapeError: the shapes differ. Losses do not broadcast: (n, 1) against (n,) would give n * n values.
    """
    predictions = inexact(predictions, f"{name}: predictions")
    if isinstance(targets, (int, float)):
        return predictions, targets
    targets = targets if isinstance(targets, fx.Array) else fnp.asarray(targets)
    if predictions.shape != targets.shape:
        raise fx.ShapeError(
            f"{name} takes predictions and targets of one shape; "
            f"they are {predictions.shape} and {targets.shape}.\n"
            "Losses do not broadcast: reshape one of them, or use fx.numpy.broadcast_to."
        )
    return predictions, real(targets, f"{name}: targets")


def inexact(x: Any, what: str) -> fx.Array:
    """x as a floating-point Array; DTypeError for integers, which are labels rather than predictions."""
    x = x if isinstance(x, fx.Array) else fnp.asarray(x)
    if x.dtype.kind in "biu":
        raise fx.DTypeError(
            f"{what} must be floating point; got {x.dtype}{list(x.shape)}.\n"
            "Are the arguments in the order (predictions, targets)? Otherwise convert with .astype(float)."
        )
    return real(x, what)


def reduced(loss: fx.Array, where: Any, reduction: str, name: str) -> fx.Array:
    """The loss per example, or its sum or mean over the examples that count."""
    if not isinstance(reduction, str) or reduction not in ("none", "sum", "mean"):
        raise fx.ArgumentError(f"{name}: reduction={brief(reduction)}.\nChoose 'none', 'sum' or 'mean'.")
    if reduction == "none":
        return loss if where is None else fnp.where(where, loss, 0.0)
    if where is not None:
        where = fnp.broadcast_to(where, loss.shape)
    return fnp.sum(loss, where=where) if reduction == "sum" else fnp.mean(loss, where=where)


def counted(x: fx.Array, where: Any) -> fx.Array:
    """x with 0 where it does not count, so that nothing there reaches a derivative."""
    return x if where is None else fnp.where(where, x, 0.0)
