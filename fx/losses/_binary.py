"""Losses of two classes: from logits, from probabilities, and of labels -1 and 1."""

from __future__ import annotations

from typing import Any

import fx
import fx.numpy as fnp
from fx import nn
from fx.nn._inputs import factor, in_float32

from ._reduce import counted, pair, reduced


def sigmoid_binary_cross_entropy(
    logits: Any,
    labels: Any,
    *,
    weight: Any = None,
    pos_weight: Any = None,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """-labels * log(sigmoid(logits)) - (1 - labels) * log(1 - sigmoid(logits)), element by element.

    Args:
        logits, labels: one shape; labels are 0, 1, booleans or probabilities.
        weight: factors of the result, broadcast against it. pos_weight: factors of the first term alone.
    """
    logits, labels = pair(logits, labels, "sigmoid_binary_cross_entropy")
    logits = counted(logits, where)
    loss = _binary(logits, labels) if pos_weight is None else _weighted(logits, labels, pos_weight)
    loss = weighted(loss, weight)
    return reduced(loss, where, reduction, "sigmoid_binary_cross_entropy")


@in_float32
def _binary(logits: Any, labels: Any) -> fx.Array:
    """log(1 + exp(-|x|)) + (max(x, 0) - labels * x); the bracket is exact for labels 0 and 1."""
    size = fnp.absolute(logits)
    return (0.5 * size + logits * (0.5 - labels)) + fnp.log1p(fnp.exp(-size))


@in_float32
def _weighted(logits: Any, labels: Any, pos_weight: Any) -> fx.Array:
    positive = labels * fnp.asarray(pos_weight, logits.dtype)
    return positive * nn.softplus(-logits) + (1.0 - labels) * nn.softplus(logits)


def weighted(loss: fx.Array, weight: Any) -> fx.Array:
    """loss * weight in loss's shape and dtype."""
    if weight is None:
        return loss
    try:
        weight = fnp.broadcast_to(weight, loss.shape)
    except fx.ShapeError as error:
        raise fx.ShapeError(
            f"A weight of shape {fnp.shape(weight)} does not broadcast to losses of shape {loss.shape}."
        ) from error
    return (loss * weight).astype(loss.dtype)


def binary_cross_entropy(
    probabilities: Any, labels: Any, *, weight: Any = None, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """-labels * log(p) - (1 - labels) * log(1 - p), element by element, for probabilities p.

    Logarithms below -100 count as -100, and derivatives above 1e12 as 1e12: a wrong certainty costs much, but not
    everything. `sigmoid_binary_cross_entropy` takes logits and needs no such bounds: prefer it.

    Args:
        probabilities: in [0, 1]; outside the loss is NaN. labels: 0, 1 or between, of that shape.
        weight: factors of the result, broadcast against it.
    """
    p, labels = pair(probabilities, labels, "binary_cross_entropy")
    loss = _of_probabilities(p if where is None else fnp.where(where, p, 0.5), labels)
    return reduced(weighted(loss, weight), where, reduction, "binary_cross_entropy")


@in_float32
def _of_probabilities(p: Any, labels: Any) -> fx.Array:
    loss = -(labels * _bounded_log(p) + (1.0 - labels) * _bounded_log1m(p))
    return fnp.where((p >= 0.0) & (p <= 1.0), loss, float("nan"))


@fx.custom_jvp
def _bounded_log(p: fx.Array) -> fx.Array:
    """max(log(p), -100), with the derivative 1 / max(p, 1e-12)."""
    return fnp.maximum(fnp.log(fnp.maximum(p, 1e-44)), -100.0)


@_bounded_log.defjvp
def _bounded_log_jvp(primals: Any, tangents: Any) -> Any:
    (p,), (dp,) = primals, tangents
    return _bounded_log(p), dp / fnp.maximum(p, 1e-12)


@fx.custom_jvp
def _bounded_log1m(p: fx.Array) -> fx.Array:
    """max(log(1 - p), -100), with the derivative -1 / max(1 - p, 1e-12)."""
    return fnp.maximum(fnp.log1p(-fnp.minimum(p, 1.0)), -100.0)


@_bounded_log1m.defjvp
def _bounded_log1m_jvp(primals: Any, tangents: Any) -> Any:
    (p,), (dp,) = primals, tangents
    return _bounded_log1m(p), -dp / fnp.maximum(1.0 - p, 1e-12)


def sigmoid_focal_loss(
    logits: Any,
    labels: Any,
    *,
    alpha: Any = None,
    gamma: Any = 2.0,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """`sigmoid_binary_cross_entropy` times (1 - p)**gamma, p the probability given to the label.

    Args:
        alpha: factor of the loss of label 1, with 1 - alpha for label 0; None leaves both.

    Source: Lin et al. 2017, equation 5.
    """
    logits, labels = pair(logits, labels, "sigmoid_focal_loss")
    loss = _focal(counted(logits, where), labels, gamma)
    if alpha is not None:
        alpha = factor(alpha, "sigmoid_focal_loss: alpha")
        loss = (alpha * labels + (1.0 - alpha) * (1.0 - labels)) * loss
    return reduced(loss, where, reduction, "sigmoid_focal_loss")


@in_float32
def _focal(logits: Any, labels: Any, gamma: Any) -> fx.Array:
    log_p, log_q = nn.log_sigmoid(logits), nn.log_sigmoid(-logits)
    labels = fnp.broadcast_to(fnp.asarray(labels, logits.dtype), logits.shape)
    factors = fnp.stack([1.0 - labels, labels], -1)
    missed = nn.logsumexp(fnp.stack([log_p, log_q], -1), -1, b=factors)
    return _binary(logits, labels) * fnp.exp(gamma * missed)


def sparsemax_loss(logits: Any, labels: Any, *, where: Any = None, reduction: str = "none") -> fx.Array:
    """The loss of two classes that belongs to `nn.sparse_sigmoid`: 0 from a margin of 1 on.

    Args:
        labels: booleans or 0 and 1, of the shape of logits.

    Source: Martins and Astudillo 2016.
    """
    logits, labels = pair(logits, labels, "sparsemax_loss")
    x = counted(logits, where)
    return reduced(nn.sparse_plus(fnp.where(labels != 0.0, -x, x)), where, reduction, "sparsemax_loss")


def hinge_loss(
    predictor_outputs: Any, targets: Any, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """max(0, 1 - predictor_outputs * targets), targets -1 or 1."""
    x, y = pair(predictor_outputs, targets, "hinge_loss")
    return reduced(nn.relu(1.0 - counted(x, where) * y), where, reduction, "hinge_loss")


def perceptron_loss(
    predictor_outputs: Any, targets: Any, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """max(0, -predictor_outputs * targets), targets -1 or 1. Source: Rosenblatt 1958."""
    x, y = pair(predictor_outputs, targets, "perceptron_loss")
    return reduced(nn.relu(-counted(x, where) * y), where, reduction, "perceptron_loss")


def soft_margin_loss(
    predictor_outputs: Any, targets: Any, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """log(1 + exp(-predictor_outputs * targets)), targets -1 or 1."""
    x, y = pair(predictor_outputs, targets, "soft_margin_loss")
    return reduced(nn.softplus(-counted(x, where) * y), where, reduction, "soft_margin_loss")


def hinge_embedding_loss(
    distances: Any, targets: Any, margin: Any = 1.0, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """distances where targets are 1, max(0, margin - distances) where they are -1."""
    x, y = pair(distances, targets, "hinge_embedding_loss")
    x = counted(x, where)
    loss = fnp.where(y == 1.0, x, nn.relu(margin - x))
    return reduced(loss, where, reduction, "hinge_embedding_loss")


def margin_ranking_loss(
    first: Any, second: Any, targets: Any, margin: Any = 0.0, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """max(0, margin - targets * (first - second)): targets are 1 where first shall rank higher, else -1."""
    x1, x2 = pair(first, second, "margin_ranking_loss")
    difference, y = pair(x1 - x2, targets, "margin_ranking_loss")
    loss = nn.relu(margin - counted(difference, where) * y)
    return reduced(loss, where, reduction, "margin_ranking_loss")
