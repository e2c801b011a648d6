"""Losses of one class among many, or of several: weighted, smoothed, with margins."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp
from fx import nn
from fx.nn._inputs import factor, in_float32

from ._binary import sigmoid_binary_cross_entropy
from ._classification import check_labels, chosen_of, known_labels, softmax_cross_entropy
from ._reduce import (
    boolean,
    class_axis,
    elements_and_examples,
    inexact,
    pair,
    reduced,
    rows,
)


def cross_entropy(
    logits: Any,
    labels: Any,
    *,
    weight: Any = None,
    ignore_index: int = -100,
    label_smoothing: Any = 0.0,
    axis: int = -1,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """-sum(weight * smoothed labels * log_softmax(logits)) over the classes.

    Args:
        logits: (..., classes, ...), classes along `axis`.
        labels: integers of the shape of logits without the axis, or probabilities of the shape of logits.
        weight: (classes,); with integer labels the mean is one by the weights of the labels.
        ignore_index: a label whose example does not count.
        label_smoothing: the part of every label that is spread over all classes evenly, in [0, 1].
        where: of the shape of the result.

    Raises:
        OutOfBoundsError: a label known now is out of range. ShapeError, DTypeError: labels do not fit.
    """
    logits = inexact(logits, "cross_entropy: logits")
    axis = class_axis(logits, axis, "cross_entropy")
    labels = labels if isinstance(labels, fx.Array) else fnp.asarray(labels)
    weight = _class_weights(weight, logits, axis, "cross_entropy")
    if labels.dtype.kind not in "iu":
        return _of_distributions(logits, labels, weight, label_smoothing, axis, where, reduction)
    check_labels(logits, labels, axis, "cross_entropy")
    labels, where = _without(ignore_index, labels, where)
    chosen, known = chosen_of(labels, logits.shape[axis], axis, "cross_entropy")
    loss = _smoothed(rows(logits, where, axis), chosen, weight, label_smoothing, axis)
    return _reduced_by_labels(loss, chosen, known, weight, axis, where, reduction, "cross_entropy")


@in_float32
def _smoothed(logits: Any, chosen: Any, weight: Any, smoothing: Any, axis: int) -> fx.Array:
    cost = -nn.log_softmax(logits, axis)
    cost = cost if weight is None else cost * weight
    at_label = fnp.sum(fnp.where(chosen, cost, 0.0), axis)
    if isinstance(smoothing, (int, float)) and smoothing == 0:
        return at_label
    return (1.0 - smoothing) * at_label + smoothing * fnp.sum(cost, axis) / logits.shape[axis]


def _of_distributions(
    logits: fx.Array, labels: Any, weight: Any, smoothing: Any, axis: int, where: Any, reduction: str
) -> fx.Array:
    logits, labels = pair(logits, labels, "cross_entropy")
    if not (isinstance(smoothing, (int, float)) and smoothing == 0):
        labels = smooth_labels(labels, smoothing, axis=axis)
    if weight is not None:
        labels = labels * weight
    return softmax_cross_entropy(logits, labels, axis, where=where, reduction=reduction)


def nll_loss(
    log_probabilities: Any,
    labels: Any,
    *,
    weight: Any = None,
    ignore_index: int = -100,
    axis: int = -1,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """-weight * log_probabilities at the label; arguments as those of `cross_entropy`."""
    x = inexact(log_probabilities, "nll_loss: log_probabilities")
    axis = class_axis(x, axis, "nll_loss")
    labels = labels if isinstance(labels, fx.Array) else fnp.asarray(labels)
    check_labels(x, labels, axis, "nll_loss")
    weight = _class_weights(weight, x, axis, "nll_loss")
    labels, where = _without(ignore_index, labels, where)
    chosen, known = chosen_of(labels, x.shape[axis], axis, "nll_loss")
    cost = -rows(x, where, axis)
    loss = fnp.sum(fnp.where(chosen, cost if weight is None else cost * weight, 0.0), axis)
    return _reduced_by_labels(loss, chosen, known, weight, axis, where, reduction, "nll_loss")


def _class_weights(weight: Any, logits: fx.Array, axis: int, name: str) -> Any:
    """(classes,) as what broadcasts against logits; None stays None."""
    if weight is None:
        return None
    weight, classes = fnp.asarray(weight), logits.shape[axis]
    if weight.shape != (classes,):
        raise fx.ShapeError(f"{name}: weight has shape {weight.shape}; it needs one per class, ({classes},).")
    return weight.astype(fnp.promote_types(logits.dtype, fnp.float32)).reshape(
        (classes,) + (1,) * (logits.ndim - 1 - axis)
    )


def _without(ignored: int, labels: fx.Array, where: Any) -> tuple[fx.Array, Any]:
    """Labels with 0 for those that do not count, and which count; None if all are known to."""
    values = known_labels(labels)
    if where is None and values is not None and not (values == ignored).any():
        return labels, None
    counts = (
        labels != ignored if where is None else fnp.broadcast_to(where, labels.shape) & (labels != ignored)
    )
    return fnp.where(counts, labels, 0), counts


def _reduced_by_labels(
    loss: fx.Array, chosen: Any, known: bool, weight: Any, axis: int, where: Any, reduction: str, name: str
) -> fx.Array:
    loss = loss if known else fnp.where(fnp.any(chosen, axis), loss, np.nan)
    of_labels = None if weight is None else fnp.sum(fnp.where(chosen, weight, 0.0), axis)
    return reduced(loss, where, reduction, name, of_labels).astype(loss.dtype)


def smooth_labels(labels: Any, alpha: Any, *, axis: int = -1, where: Any = None) -> fx.Array:
    """(1 - alpha) * labels + alpha / classes: a part of every label is spread over the classes of an axis.

    Args:
        labels: floating point, one-hot or distributions. where: boolean, which classes there are; their number
            is counted along the axis, and the others get no part.
    """
    labels, alpha = inexact(labels, "smooth_labels: labels"), factor(alpha, "smooth_labels: alpha")
    axis = class_axis(labels, axis, "smooth_labels")
    if where is None:
        return (1.0 - alpha) * labels + alpha / labels.shape[axis]
    where = fnp.broadcast_to(boolean(where, "smooth_labels"), labels.shape)
    classes = fnp.maximum(fnp.sum(where, axis, keepdims=True), 1)
    return fnp.where(where, (1.0 - alpha) * labels + alpha / classes.astype(labels.dtype), 0.0)


def poly_loss_cross_entropy(
    logits: Any,
    labels: Any,
    *,
    epsilon: Any = 2.0,
    axis: int = -1,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """`softmax_cross_entropy` plus epsilon * sum(labels * (1 - softmax(logits))).

    Source: Leng et al. 2022, "poly-1".
    """
    name = "poly_loss_cross_entropy"
    x, y = pair(logits, labels, name)
    axis = class_axis(x, axis, name)
    elements, examples = elements_and_examples(where, x, axis, name)
    missed = _missed(rows(x, examples, axis), y, elements, axis)
    loss = softmax_cross_entropy(x, y, axis, where=where) + epsilon * missed
    return reduced(loss, examples, reduction, name)


@in_float32
def _missed(logits: Any, labels: Any, elements: Any, axis: int) -> fx.Array:
    return fnp.sum(labels * (1.0 - nn.softmax(logits, axis, elements)), axis, where=elements)


# Margins


def multiclass_hinge_loss(
    scores: Any, labels: Any, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """max over classes c of scores[c] + (1 unless c is the label), minus the label's score.

    Args:
        scores: (..., classes). labels: integers (...,).

    Source: Crammer and Singer 2001.
    """
    return _best_minus_label(scores, labels, 1.0, where, reduction, "multiclass_hinge_loss")


def multiclass_perceptron_loss(
    scores: Any, labels: Any, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """The largest score minus the label's. scores: (..., classes). labels: integers (...,)."""
    return _best_minus_label(scores, labels, 0.0, where, reduction, "multiclass_perceptron_loss")


def _best_minus_label(
    scores: Any, labels: Any, margin: float, where: Any, reduction: str, name: str
) -> fx.Array:
    scores, chosen, known = scores_and_chosen(scores, labels, where, name)
    own = fnp.sum(fnp.where(chosen, scores, 0.0), -1)
    loss = fnp.max(scores + fnp.where(chosen, 0.0, margin), -1) - own
    return reduced(loss if known else fnp.where(fnp.any(chosen, -1), loss, np.nan), where, reduction, name)


def scores_and_chosen(scores: Any, labels: Any, where: Any, name: str) -> tuple[fx.Array, Any, bool]:
    """Scores (..., classes) with 0 where they do not count, which one is the label's, and whether that is known."""
    scores = inexact(scores, f"{name}: scores")
    axis = class_axis(scores, -1, name)
    labels = labels if isinstance(labels, fx.Array) else fnp.asarray(labels)
    check_labels(scores, labels, axis, name)
    if where is not None:
        labels = fnp.where(where, labels, 0)
    chosen, known = chosen_of(labels, scores.shape[axis], axis, name)
    return rows(scores, where, axis), chosen, known


def multi_margin_loss(
    scores: Any,
    labels: Any,
    *,
    p: int = 1,
    margin: Any = 1.0,
    weight: Any = None,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """sum over the classes c but the label of max(0, margin - scores[label] + scores[c])**p, over their number.

    Args:
        scores: (..., classes). labels: integers (...,). p: 1 or 2.
        weight: (classes,); factors by the label.
    """
    if not isinstance(p, (int, float)) or p not in (1, 2):
        raise fx.ArgumentError(f"multi_margin_loss: p is 1 or 2; got {brief(p)}.")
    name = "multi_margin_loss"
    scores, chosen, known = scores_and_chosen(scores, labels, where, name)
    own = fnp.sum(fnp.where(chosen, scores, 0.0), -1, keepdims=True)
    lack = fnp.where(chosen, 0.0, nn.relu(margin - own + scores))
    loss = fnp.sum(lack if p == 1 else lack * lack, -1) / scores.shape[-1]
    weight = _class_weights(weight, scores, scores.ndim - 1, name)
    if weight is not None:
        loss = (loss * fnp.sum(fnp.where(chosen, weight, 0.0), -1)).astype(loss.dtype)
    return reduced(loss if known else fnp.where(fnp.any(chosen, -1), loss, np.nan), where, reduction, name)


def multilabel_margin_loss(
    scores: Any, labels: Any, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """sum over labels y and other classes c of max(0, 1 - scores[y] + scores[c]), over the number of classes.

    Args:
        scores: (..., classes). labels: integers of that shape; the labels of an example stand first, and the first
            negative number ends them.
        where: of the shape of the result.
    """
    name = "multilabel_margin_loss"
    x = inexact(scores, f"{name}: scores")
    axis = class_axis(x, -1, name)
    labels = labels if isinstance(labels, fx.Array) else fnp.asarray(labels)
    if labels.dtype.kind != "i" or labels.shape != x.shape:
        raise fx.ShapeError(
            f"{name}: scores of shape {x.shape} need signed integer labels of that shape, filled up with -1; "
            f"got {labels.dtype}{list(labels.shape)}."
        )
    classes, x = x.shape[-1], rows(x, where, axis)
    values = known_labels(labels)
    if values is not None and where is None and (values >= classes).any():
        raise fx.OutOfBoundsError(f"{name}: label {values.max()} is not one of {classes} classes.")
    used = fnp.cumprod((labels >= 0).astype(int), -1) > 0
    places = nn.one_hot(labels, classes, dtype=bool) & used[..., None]
    own = fnp.sum(fnp.where(places, x[..., None, :], 0.0), -1, keepdims=True)
    others = ~fnp.any(places, -2, keepdims=True)
    lack = fnp.where(others & used[..., None], nn.relu(1.0 - own + x[..., None, :]), 0.0)
    loss = fnp.sum(lack, (-2, -1)) / classes
    fits = fnp.all(labels < classes, -1)
    return reduced(fnp.where(fits, loss, np.nan), where, reduction, name)


def multilabel_soft_margin_loss(
    logits: Any, labels: Any, *, weight: Any = None, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """The mean of `sigmoid_binary_cross_entropy` over the last axis, of classes.

    Args:
        logits, labels: (..., classes), labels 0 or 1. weight: broadcasts against them. where: (...,).
    """
    name = "multilabel_soft_margin_loss"
    x, y = pair(logits, labels, name)
    x = rows(x, where, class_axis(x, -1, name))
    loss = fnp.mean(sigmoid_binary_cross_entropy(x, y, weight=weight), -1)
    return reduced(loss, where, reduction, name)
