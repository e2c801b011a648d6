"""Softmax over a vocabulary sorted by frequency, in a head of frequent classes and clusters of rare ones."""

from __future__ import annotations

from collections.abc import Sequence
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp
from fx import nn

from ._classification import known_labels, refuse_outside
from ._reduce import inexact, reduced

_NAME = "adaptive_log_softmax_loss"


def adaptive_log_softmax_loss(
    hidden: Any,
    labels: Any,
    head: Any,
    tails: Sequence[tuple[Any, Any]],
    *,
    head_bias: Any = None,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """-log of the label's probability: of the label in the head, or of its cluster times it within the cluster.

    Args:
        hidden: (..., features).
        labels: integers (...,): the head's classes first, then those of every cluster in turn.
        head: (features, classes of the head + clusters). head_bias: of its second axis.
        tails: for every cluster two matrices, (features, d) and (d, classes of the cluster).
        where: (...,).

    Raises:
        OutOfBoundsError: a label known now is out of range. ShapeError, DTypeError: arguments do not fit.

    Source: Grave et al. 2017, "Efficient softmax approximation for GPUs".
    """
    hidden, head = inexact(hidden, f"{_NAME}: hidden"), fnp.asarray(head)
    labels = labels if isinstance(labels, fx.Array) else fnp.asarray(labels)
    tails = [_pair(tail, i) for i, tail in enumerate(_listed(tails))]
    starts = _starts(hidden, labels, head, tails)
    if where is not None:
        labels, hidden = fnp.where(where, labels, 0), fnp.where(fnp.expand_dims(where, -1), hidden, 0.0)
    values = known_labels(labels)
    if values is not None:
        refuse_outside(values, starts[-1], _NAME)
    dtype = hidden.dtype
    hidden = hidden.astype(fnp.promote_types(dtype, fnp.float32))
    loss = _loss(hidden, labels, head, tails, head_bias, starts)
    return reduced(loss.astype(dtype), where, reduction, _NAME)


def _listed(tails: Any) -> list[Any]:
    if not isinstance(tails, (list, tuple)):
        raise fx.ArgumentError(f"{_NAME}: tails must be a list of pairs of matrices; got {brief(tails)}.")
    return list(tails)


def _pair(tail: Any, i: int) -> tuple[fx.Array, fx.Array]:
    if not isinstance(tail, (list, tuple)) or len(tail) != 2:
        raise fx.ArgumentError(
            f"{_NAME}: tails[{i}] must be two matrices, (features, d) and (d, classes); got {brief(tail)}."
        )
    return fnp.asarray(tail[0]), fnp.asarray(tail[1])


def _loss(hidden: Any, labels: Any, head: Any, tails: Any, head_bias: Any, starts: list[int]) -> fx.Array:
    logits = hidden @ head if head_bias is None else hidden @ head + head_bias
    logs = nn.log_softmax(logits)
    found = _taken(logs, labels)
    for cluster, (down, up) in enumerate(tails):
        start, stop = starts[cluster], starts[cluster + 1]
        inside = _taken(nn.log_softmax(hidden @ down @ up), labels - start)
        found = fnp.where((labels >= start) & (labels < stop), logs[..., starts[0] + cluster] + inside, found)
    return fnp.where((labels >= 0) & (labels < starts[-1]), -found, float("nan"))


def _taken(logs: fx.Array, places: fx.Array) -> fx.Array:
    """logs at places along the last axis; places out of range, whose value is not used, count as its ends."""
    places = fnp.clip(places, 0, logs.shape[-1] - 1)
    return fnp.take_along_axis(logs, places[..., None], -1)[..., 0]


def _starts(hidden: Any, labels: Any, head: Any, tails: Any) -> list[int]:
    """The first class of every cluster, and the number of all classes."""
    features = hidden.shape[-1] if hidden.ndim else None
    if labels.dtype.kind not in "iu":
        raise fx.DTypeError(f"{_NAME}: labels must be integers; got {labels.dtype}{list(labels.shape)}.")
    fits = features is not None and labels.shape == hidden.shape[:-1] and head.shape[:1] == (features,)
    fits = fits and head.ndim == 2 and head.shape[1] > len(tails)
    fits = fits and all(a.ndim == b.ndim == 2 and a.shape == (features, b.shape[0]) for a, b in tails)
    if not fits:
        raise fx.ShapeError(
            f"{_NAME}: hidden {hidden.shape}, labels {labels.shape}, head {head.shape} and tails "
            f"{[(a.shape, b.shape) for a, b in tails]} do not fit.\n"
            "They are (..., features), (...,), (features, classes + clusters) and, for every cluster, (features, d) "
            "and (d, classes)."
        )
    starts = [head.shape[1] - len(tails)]
    for _, up in tails:
        starts.append(starts[-1] + up.shape[1])
    return starts
