"""Dice losses: how far predicted regions and labelled ones overlap."""

from __future__ import annotations

from typing import Any

import fx
import fx.numpy as fnp
from fx import nn
from fx.nn._inputs import in_float32

from ._reduce import counted, pair, reduced


def dice_loss(
    predictions: Any,
    targets: Any,
    *,
    class_weights: Any = None,
    smooth: Any = 1.0,
    alpha: Any = 0.5,
    beta: Any = 0.5,
    apply_softmax: bool = True,
    ignore_background: bool = False,
    axis: Any = None,
    per_class: bool = False,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """1 - the overlap of predicted and labelled places, from 0 to 1, for every class; its mean over the classes.

    With p the predicted probabilities and y the targets, summed over an example's places, the coefficient of a
    class is (sum(p y) + smooth) / (sum(p y) + alpha * sum(p (1 - y)) + beta * sum((1 - p) y) + smooth): Dice's
    for alpha = beta = 1/2, Tversky's in general.

    Args:
        predictions: (batch, ..., classes), or without the last axis for one class. targets: the same, in [0, 1].
        class_weights: (classes,), factors of the losses of classes.
        apply_softmax: predictions are logits (of a sigmoid, for one class), else probabilities.
        ignore_background: leave out class 0, if there are several.
        axis: the axes of places; None is all between the first and the last.
        per_class: keep the axis of classes.
        where: of the shape of the result.

    Source: Milletari, Navab, Ahmadi 2016; Salehi, Erdogmus, Gholipour 2017.
    """
    x, y = _with_classes(predictions, targets, "dice_loss")
    if class_weights is not None:
        class_weights = fnp.asarray(class_weights)
        if class_weights.shape != x.shape[-1:]:
            raise fx.ShapeError(
                f"dice_loss: class_weights has shape {class_weights.shape}; it needs one per class, {x.shape[-1:]}."
            )
    axes = tuple(range(1, x.ndim - 1)) if axis is None else axis
    if where is not None:
        places = _places(where, x, axes, per_class)
        x, y = counted(x, places), counted(y, places)
    loss = _dice(x, y, class_weights, smooth, (alpha, beta), apply_softmax, axes)
    if ignore_background and x.shape[-1] > 1:
        loss = loss[..., 1:]
    return reduced(loss if per_class else fnp.mean(loss, -1), where, reduction, "dice_loss")


def _with_classes(predictions: Any, targets: Any, name: str) -> tuple[fx.Array, Any]:
    """Predictions and targets with an axis of classes, which one of them may lack where it has size 1."""
    x, y = fnp.asarray(predictions), fnp.asarray(targets)
    if x.ndim == y.ndim - 1:
        x = x[..., None]
    if y.ndim == x.ndim - 1:
        y = y[..., None]
    if x.ndim < 2:
        raise fx.ShapeError(f"{name} takes predictions (batch, ..., classes); got shape {x.shape}.")
    return pair(x, y, name)


def _places(where: Any, x: fx.Array, axes: Any, per_class: bool) -> fx.Array:
    """Which of x belong to an example that counts, or to one of which a class does."""
    examples = fnp.any(where, -1) if per_class else where
    members = {a % x.ndim for a in (axes if isinstance(axes, tuple) else (axes,))}
    shape = [d for i, d in enumerate(x.shape[:-1]) if i not in members]
    return fnp.expand_dims(fnp.broadcast_to(examples, shape), (*sorted(members), x.ndim - 1))


@in_float32
def _dice(
    x: Any, y: Any, class_weights: Any, smooth: Any, factors: tuple[Any, Any], apply_softmax: bool, axes: Any
) -> fx.Array:
    if apply_softmax:
        x = nn.sigmoid(x) if x.shape[-1] == 1 else nn.softmax(x, -1)
    both, predicted, labelled = (fnp.sum(z, axes) for z in (x * y, x, fnp.broadcast_to(y, x.shape)))
    alpha, beta = factors
    union = both + alpha * (predicted - both) + beta * (labelled - both) + smooth
    empty = union == 0.0
    loss = 1.0 - fnp.where(empty, 1.0, (both + smooth) / fnp.where(empty, 1.0, union))
    return loss if class_weights is None else loss * class_weights


def multiclass_generalized_dice_loss(
    predictions: Any,
    targets: Any,
    *,
    smooth: Any = 1.0,
    apply_softmax: bool = True,
    ignore_background: bool = False,
    where: Any = None,
    reduction: str = "mean",
) -> fx.Array:
    """`dice_loss` with classes weighted by the inverse square of how often they are in the batch's targets.

    Args:
        predictions, targets: (batch, ..., classes). where: (batch,); what does not count has no share in the
            weights either.

    Source: Sudre et al. 2017.
    """
    x, y = pair(predictions, targets, "multiclass_generalized_dice_loss")
    if not x.ndim:
        raise fx.ShapeError("multiclass_generalized_dice_loss takes (..., classes); got one number.")
    y = fnp.broadcast_to(y, x.shape)
    if where is not None:
        examples = fnp.broadcast_to(where, x.shape[:1]).reshape((-1,) + (1,) * (x.ndim - 1))
        x, y = counted(x, examples), counted(y, examples)
    often = fnp.sum(y.astype(fnp.promote_types(x.dtype, fnp.float32)), tuple(range(y.ndim - 1)))
    weights = 1.0 / (often * often + 1e-7)
    return dice_loss(
        x,
        y,
        class_weights=weights / fnp.sum(weights) * x.shape[-1],
        smooth=smooth,
        apply_softmax=apply_softmax,
        ignore_background=ignore_background,
        where=where,
        reduction=reduction,
    )


def binary_dice_loss(
    predictions: Any,
    targets: Any,
    *,
    smooth: Any = 1.0,
    apply_sigmoid: bool = True,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """`dice_loss` of one class.

    Args:
        predictions, targets: (batch, ...), with or without a last axis of size 1.
    """
    x, y = pair(predictions, targets, "binary_dice_loss")
    if x.ndim < 2 or x.shape[-1] != 1:
        x, y = x[..., None], fnp.broadcast_to(y, x.shape)[..., None]
    return dice_loss(x, y, smooth=smooth, apply_softmax=apply_sigmoid, where=where, reduction=reduction)
