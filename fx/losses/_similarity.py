"""Losses of embeddings: angles, distances, triplets, contrasts within a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fx
import fx.numpy as fnp
from fx import nn
from fx.nn._inputs import function, in_float32

from ._reduce import class_axis, elements_and_examples, inexact, pair, reduced, rows


def cosine_similarity(
    predictions: Any,
    targets: Any,
    *,
    epsilon: Any = 0.0,
    axis: int = -1,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """The cosine of the angle between vectors along an axis; 0, with derivative 0, if one of them is 0.

    Args:
        predictions, targets: one shape. epsilon: squared lengths below it count as it.
        where: of the shape of the result; or with as many axes as predictions, which parts of the vectors count.
    """
    x, y, axis, where = _vectors(predictions, targets, axis, where, "cosine_similarity")
    return reduced(_cosine(x, y, epsilon, axis), where, reduction, "cosine_similarity")


def cosine_distance(
    predictions: Any,
    targets: Any,
    *,
    epsilon: Any = 0.0,
    axis: int = -1,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """1 - `cosine_similarity`."""
    x, y, axis, where = _vectors(predictions, targets, axis, where, "cosine_distance")
    return reduced(1.0 - _cosine(x, y, epsilon, axis), where, reduction, "cosine_distance")


def _vectors(x: Any, y: Any, axis: int, where: Any, name: str) -> tuple[fx.Array, Any, int, Any]:
    """Vectors with 0 where they do not count, their axis, and which examples count."""
    x, y = pair(x, y, name)
    axis = class_axis(x, axis, name)
    y = fnp.broadcast_to(y, x.shape)
    elements, where = elements_and_examples(where, x, axis, name)
    if elements is not None:
        x, y = fnp.where(elements, x, 0.0), fnp.where(elements, y, 0.0)
    return rows(x, where, axis), rows(y, where, axis), axis, where


def _cosine(x: fx.Array, y: Any, epsilon: Any, axis: int) -> fx.Array:
    return nn.cosine_similarity(
        x, y, axis, fnp.sqrt(fnp.asarray(epsilon, fnp.promote_types(x.dtype, fnp.float32)))
    )


def cosine_embedding_loss(
    first: Any,
    second: Any,
    targets: Any,
    margin: Any = 0.0,
    *,
    axis: int = -1,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """1 - cosine where targets are 1, max(0, cosine - margin) where they are -1.

    Args:
        first, second: one shape, vectors along the axis. targets: 1 or -1, of the shape of the result.
    """
    name = "cosine_embedding_loss"
    x1, x2, axis, where = _vectors(first, second, axis, where, name)
    cosine, y = pair(_cosine(x1, x2, 0.0, axis), targets, name)
    loss = fnp.where(y == 1.0, 1.0 - cosine, nn.relu(cosine - margin))
    return reduced(loss, where, reduction, name)


def triplet_margin_loss(
    anchors: Any,
    positives: Any,
    negatives: Any,
    axis: int = -1,
    norm_degree: Any = 2,
    margin: Any = 1.0,
    eps: Any = 1e-6,
    *,
    swap: bool = False,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """max(0, d(anchors, positives) - d(anchors, negatives) + margin), d(x, y) = (sum|x - y|**p + eps)**(1 / p).

    optax's distance: torch's adds its eps to the differences instead (`triplet_margin_with_distance_loss`).

    Args:
        anchors, positives, negatives: one shape, vectors along the axis.
        norm_degree: p >= 1.
        swap: use d(positives, negatives) where it is smaller than d(anchors, negatives).

    Source: Schroff, Kalenichenko, Philbin 2015; swap, Balntas et al. 2016.
    """
    name = "triplet_margin_loss"
    if isinstance(norm_degree, (int, float)) and not norm_degree > 0:
        raise fx.ArgumentError(f"{name}: norm_degree must be positive; got {norm_degree}.")
    a, p = pair(anchors, positives, name)
    a, n = pair(a, negatives, name)
    axis = class_axis(a, axis, name)
    p, n = fnp.broadcast_to(p, a.shape), fnp.broadcast_to(n, a.shape)
    a, p, n = (rows(x, where, axis) for x in (a, p, n))
    distance = lambda x, y: _distance(x - y, norm_degree, eps, axis)
    return reduced(_triplet(distance, a, p, n, margin, swap), where, reduction, name)


@in_float32
def _distance(difference: Any, degree: Any, eps: Any, axis: int) -> fx.Array:
    """(sum|difference|**p + eps)**(1/p), with the largest element taken out so that no power overflows."""
    size = fnp.absolute(difference)
    unit = fnp.maximum(fnp.max(fx.stop_gradient(size), axis, keepdims=True), 1.0)
    total = fnp.sum((size / unit) ** degree, axis) + eps / fnp.squeeze(unit, axis) ** degree
    positive = total > 0.0
    root = fnp.where(positive, total, 1.0) ** (1.0 / degree)
    return fnp.where(positive, root, 0.0) * fnp.squeeze(unit, axis)


def triplet_margin_with_distance_loss(
    anchors: Any,
    positives: Any,
    negatives: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: Any = 1.0,
    swap: bool = False,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """`triplet_margin_loss` with any distance: a function of two arrays (..., features) to (...,).

    The default is `nn.pairwise_distance`.
    """
    name = "triplet_margin_with_distance_loss"
    a, p = pair(anchors, positives, name)
    a, n = pair(a, negatives, name)
    distance = nn.pairwise_distance
    if distance_function is not None:
        given = function(distance_function, f"{name}: distance_function")
        distance = lambda x, y: inexact(given(x, y), f"{name}: what distance_function returns")
    p, n = fnp.broadcast_to(p, a.shape), fnp.broadcast_to(n, a.shape)
    a, p, n = (rows(x, where, class_axis(a, -1, name)) for x in (a, p, n))
    return reduced(_triplet(distance, a, p, n, margin, swap), where, reduction, name)


def _triplet(distance: Callable[..., Any], a: Any, p: Any, n: Any, margin: Any, swap: bool) -> fx.Array:
    far = distance(a, n)
    if swap:
        far = fnp.minimum(far, distance(p, n))
    return nn.relu(distance(a, p) - far + margin)


def contrastive_loss(
    first: Any,
    second: Any,
    same: Any,
    margin: Any = 1.0,
    *,
    axis: int = -1,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """d**2 / 2 for pairs that are the same, max(0, margin - d)**2 / 2 for others, d their Euclidean distance.

    Args:
        first, second: one shape, vectors along the axis. same: booleans or 0 and 1, of the shape of the result.

    Source: Hadsell, Chopra, LeCun 2006, equation 4.
    """
    name = "contrastive_loss"
    x1, x2, axis, where = _vectors(first, second, axis, where, name)
    distance, same = pair(fnp.linalg.norm(x1 - x2, axis=axis), same, name)
    lack = nn.relu(margin - distance)
    loss = 0.5 * fnp.where(same != 0.0, distance * distance, lack * lack)
    return reduced(loss, where, reduction, name)


def ntxent(
    embeddings: Any, labels: Any, temperature: Any = 0.07, *, where: Any = None, reduction: str = "mean"
) -> fx.Array:
    """The normalized temperature-scaled cross-entropy of all pairs of one label.

    For a pair (i, j) with cosine c: -log(exp(c / t) / (exp(c / t) + sum over k of another label of
    exp(cosine(i, k) / t))).

    Args:
        embeddings: (batch, features). labels: (batch,).
        where: (batch,), examples that count. Without any pair of one label the mean is 0.
        reduction: of the losses of pairs, (batch, batch); "none" has 0 where i and j are no pair.

    Source: Chen et al. 2020, equation 1.
    """
    x, labels = _batch(embeddings, labels, "ntxent")
    x = rows(x, where, 1)
    counts = fnp.broadcast_to(True if where is None else where, labels.shape)
    both = counts[:, None] & counts[None, :] & ~fnp.eye(labels.shape[0], dtype=bool)
    same = labels[:, None] == labels[None, :]
    return reduced(_pairs(x, same & both, ~same & both, temperature), same & both, reduction, "ntxent")


@in_float32
def _pairs(x: Any, same: Any, other: Any, temperature: Any) -> fx.Array:
    unit = nn.normalize(x)
    scores = unit @ unit.T / temperature
    others = nn.logsumexp(scores, 1, keepdims=True, where=other)
    return nn.softplus(others - scores)


def npairs_loss(
    anchors: Any, positives: Any, labels: Any, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """Cross-entropy of anchors @ positives.T, where the positives of an anchor's label share its probability.

    Args:
        anchors, positives: (batch, features). labels: (batch,).
        where: (batch,), examples that count, as anchors and as positives.

    Source: Sohn 2016, without the penalty on lengths.
    """
    a, p = pair(anchors, positives, "npairs_loss")
    p = fnp.broadcast_to(p, a.shape)
    a, labels = _batch(a, labels, "npairs_loss")
    a, p = rows(a, where, 1), rows(p, where, 1)
    same = labels[:, None] == labels[None, :]
    counts = None if where is None else fnp.broadcast_to(where, labels.shape)
    return reduced(_npairs(a, p, same, counts), where, reduction, "npairs_loss")


@in_float32
def _npairs(a: Any, p: Any, same: Any, counts: Any) -> fx.Array:
    same = same if counts is None else same & counts
    share = same / fnp.maximum(fnp.sum(same, 1, keepdims=True), 1).astype(a.dtype)
    logs = nn.log_softmax(a @ p.T, 1, counts)
    return -fnp.sum(share * fnp.where(same, logs, 0.0), 1)


def _batch(x: Any, labels: Any, name: str) -> tuple[fx.Array, fx.Array]:
    x = inexact(x, f"{name}: embeddings")
    labels = labels if isinstance(labels, fx.Array) else fnp.asarray(labels)
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        raise fx.ShapeError(
            f"{name} takes embeddings (batch, features) and labels (batch,); got {x.shape} and {labels.shape}."
        )
    return x, labels
