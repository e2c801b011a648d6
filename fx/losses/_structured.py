"""Losses made from a convex function of scores: sparsemax, Fenchel-Young; and of rankings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp
from fx import nn
from fx.nn._inputs import in_float32

from ._binary import weighted
from ._multiclass import scores_and_chosen
from ._reduce import boolean, class_axis, pair, reduced


def multiclass_sparsemax_loss(
    scores: Any, labels: Any, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """The loss whose derivative is sparsemax(scores) - one_hot(labels): 0 from a margin of 1 on.

    Args:
        scores: (..., classes). labels: integers (...,).

    Source: Martins and Astudillo 2016, equation 14.
    """
    name = "multiclass_sparsemax_loss"
    scores, chosen, known = scores_and_chosen(scores, labels, where, name)
    loss = _sparsemax_loss(scores, chosen)
    return reduced(loss if known else fnp.where(fnp.any(chosen, -1), loss, np.nan), where, reduction, name)


@in_float32
def _sparsemax_loss(scores: Any, chosen: Any) -> fx.Array:
    p = _projected(scores)
    own = fnp.sum(fnp.where(chosen, scores, 0.0), -1, keepdims=True)
    return fnp.sum(fnp.where(p > 0.0, p * (scores - own), 0.0), -1) + 0.5 * (1.0 - fnp.sum(p * p, -1))


def _projected(scores: fx.Array) -> fx.Array:
    """The nearest distribution: max(scores - t, 0) with the t that makes its sum 1 (Held, Wolfe, Crowder 1974)."""
    shifted = scores - fx.stop_gradient(fnp.max(scores, -1, keepdims=True))
    ordered = fnp.flip(fnp.sort(fx.stop_gradient(shifted), -1), -1)
    count = fnp.arange(1, scores.shape[-1] + 1, dtype=scores.dtype)
    used = fnp.sum(1.0 + count * ordered > fnp.cumsum(ordered, -1), -1, keepdims=True)
    lowest = fnp.take_along_axis(ordered, fnp.maximum(used, 1) - 1, -1)
    inside = shifted >= lowest
    size = fnp.sum(inside, -1, keepdims=True).astype(scores.dtype)
    threshold = (fnp.sum(fnp.where(inside, shifted, 0.0), -1, keepdims=True) - 1.0) / size
    return nn.relu(shifted - threshold)


def make_fenchel_young_loss(max_fun: Callable[..., Any]) -> Callable[..., fx.Array]:
    """The loss max_fun(scores) - <targets, scores>, whose derivative is grad(max_fun)(scores) - targets.

    Args:
        max_fun: from scores (classes,) and further arguments to a scalar, convex: `nn.logsumexp` gives the
            softmax cross-entropy up to the targets' entropy.

    Returns:
        `loss(scores, targets, *args, where=None, reduction="none", **kwargs)` of arrays (..., classes).

    Source: Blondel, Martins, Niculae 2020.

    >>> import fx
    >>> loss = make_fenchel_young_loss(fx.nn.logsumexp)
    >>> loss(fx.numpy.asarray([1.0, 1.0]), fx.numpy.asarray([1.0, 0.0]))
    Array(0.6931472, float32)
    """

    def fenchel_young_loss(
        scores: Any, targets: Any, *args: Any, where: Any = None, reduction: str = "none", **kwargs: Any
    ) -> fx.Array:
        x, y = pair(scores, targets, "fenchel_young_loss")
        class_axis(x, -1, "fenchel_young_loss")
        flat = x.reshape((-1, x.shape[-1]))
        largest = fx.vmap(lambda row: max_fun(row, *args, **kwargs))(flat).reshape(x.shape[:-1])
        return reduced(largest - fnp.sum(x * y, -1), where, reduction, "fenchel_young_loss")

    return fenchel_young_loss


def ranking_softmax_loss(
    logits: Any, labels: Any, *, where: Any = None, weights: Any = None, reduction: str = "mean"
) -> fx.Array:
    """-sum(labels * log_softmax(logits)) over the items of a list.

    Args:
        logits, labels: (..., items), scores and relevances.
        where: items that count, of that shape; a list without any does not count.
        weights: factors of the items, broadcast against them.

    Source: Cao et al. 2007.
    """
    name = "ranking_softmax_loss"
    x, y = pair(logits, labels, name)
    class_axis(x, -1, name)
    where = None if where is None else boolean(where, name)
    cost = weighted(_ranking(x, y, where), weights)
    lists = None if where is None else fnp.any(fnp.broadcast_to(where, x.shape), -1)
    return reduced(fnp.sum(cost, -1), lists, reduction, name)


@in_float32
def _ranking(x: Any, y: Any, where: Any) -> fx.Array:
    logs = nn.log_softmax(x, -1, where)
    counts = fnp.not_equal(y, 0.0) if where is None else fnp.logical_and(fnp.not_equal(y, 0.0), where)
    return fnp.where(counts, -y * fnp.where(counts, logs, 0.0), 0.0)
