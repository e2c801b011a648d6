"""What all losses share: reading predictions and targets, masks, reductions."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp
from fx.nn._inputs import real


def pair(predictions: Any, targets: Any, name: str) -> tuple[fx.Array, Any]:
    """Both as real arrays of one shape; targets may be a Python number, and None is 0.

    Raises:
        ShapeError: the shapes differ. Losses do not broadcast: (n, 1) against (n,) would give n * n values.
    """
    predictions = inexact(predictions, f"{name}: predictions")
    if targets is None or isinstance(targets, (int, float)):
        return predictions, 0.0 if targets is None else targets
    targets = targets if isinstance(targets, fx.Array) else fnp.asarray(targets)
    if predictions.shape != targets.shape:
        hint = "Losses do not broadcast: reshape one of them, or use fx.numpy.broadcast_to."
        if targets.dtype.kind in "iu" and targets.shape == predictions.shape[:-1]:
            hint = "For integers that name classes use cross_entropy, or pass nn.one_hot(targets, classes)."
        raise fx.ShapeError(
            f"{name} takes predictions and targets of one shape; "
            f"they are {predictions.shape} and {targets.shape}.\n{hint}"
        )
    if targets.dtype.kind in "biu":
        return predictions, targets.astype(predictions.dtype)
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


def reduced(loss: fx.Array, where: Any, reduction: str, name: str, weight: Any = None) -> fx.Array:
    """The loss per example, or its sum or mean over the examples that count; the mean of none is 0.

    Args:
        weight: of the examples in the mean, of the loss's shape; None counts each as 1.
    """
    check_reduction(reduction, name)
    if where is not None:
        where = fnp.broadcast_to(boolean(where, name), loss.shape)
        loss = fnp.where(where, loss, 0.0)
    if reduction == "none":
        return loss
    if reduction == "sum":
        return fnp.sum(loss)
    return _mean(loss, where) if weight is None else _weighted_mean(loss, where, weight)


def boolean(where: Any, name: str) -> fx.Array:
    where = where if isinstance(where, fx.Array) else fnp.asarray(where)
    if where.dtype.kind != "b":
        raise fx.DTypeError(
            f"{name}: where must be boolean; got {where.dtype}{list(where.shape)}.\n"
            "Write the condition, such as labels >= 0; factors are passed as weight=."
        )
    return where


def check_reduction(reduction: Any, name: str) -> None:
    if not isinstance(reduction, str) or reduction not in ("none", "sum", "mean"):
        raise fx.ArgumentError(f"{name}: reduction={brief(reduction)}.\nChoose 'none', 'sum' or 'mean'.")


def _mean(loss: fx.Array, where: Any) -> fx.Array:
    if loss.size == 0:
        return fnp.sum(loss)
    # Where nothing counts all count, as the zeros that they are by now.
    return fnp.mean(loss, where=None if where is None else where | ~fnp.any(where))


def _weighted_mean(loss: fx.Array, where: Any, weight: fx.Array) -> fx.Array:
    total = fnp.sum(counted(weight, where))
    return fnp.sum(loss) / fnp.where(total == 0.0, 1.0, total)


def counted(x: fx.Array, where: Any) -> fx.Array:
    """x with 0 where it does not count, so that nothing there reaches a derivative."""
    return x if where is None else fnp.where(where, x, 0.0)


def rows(x: fx.Array, where: Any, axis: int) -> fx.Array:
    """x with 0 in the rows along an axis that do not count, so that nothing in them reaches a derivative."""
    if where is None:
        return x
    shape = x.shape[:axis] + x.shape[axis + 1 :]
    return counted(x, fnp.expand_dims(fnp.broadcast_to(where, shape), axis))


def elements_and_examples(where: Any, x: fx.Array, axis: int, name: str) -> tuple[Any, Any]:
    """A mask with as many axes as x counts elements, and an example if any of it counts; others count examples."""
    where = None if where is None else boolean(where, name)
    if where is None or where.ndim != x.ndim:
        return None, where
    elements = fnp.broadcast_to(where, x.shape)
    return elements, fnp.any(elements, axis)


def class_axis(logits: fx.Array, axis: int, name: str) -> int:
    if not isinstance(axis, int):
        raise fx.ArgumentError(f"{name}: axis must be an integer; got {type(axis).__name__}.")
    if not -logits.ndim <= axis < logits.ndim or logits.shape[axis] == 0:
        raise fx.ShapeError(
            f"{name}: logits of shape {logits.shape} have no classes along axis {axis}.\n"
            "Logits have one axis of scores, one per class: (batch, classes)."
        )
    return axis % logits.ndim
