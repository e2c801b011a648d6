"""How well scores order two classes: ROC and precision-recall, exactly, from all scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fx
import fx.numpy as fnp

from ._metric import Metric


@dataclass(frozen=True)
class _Ranking(Metric):
    """The state is all scores and labels: exact, and as large as the data. It grows, so updates are not jitted."""

    def init(self) -> dict[str, fx.Array]:
        return {"scores": fnp.zeros(0, fnp.float64), "labels": fnp.zeros(0, bool)}

    def update(self, state: Any, scores: Any, targets: Any, where: Any = None) -> Any:
        """scores: real, any shape; targets: 0 and 1 of that shape."""
        scores, labels = _read(scores, targets, type(self).__name__)
        if where is not None:
            kept = fnp.broadcast_to(where, fnp.shape(targets)).ravel()
            scores, labels = scores[kept], labels[kept]
        return self.merge(state, {"scores": scores, "labels": labels})

    def merge(self, a: Any, b: Any) -> Any:
        return fx.tree.map(lambda x, y: fnp.concatenate([x, y]), a, b)


@dataclass(frozen=True)
class RocAuc(_Ranking):
    """The probability that a positive example has a higher score than a negative one; ties count half."""

    def compute(self, state: Any) -> fx.Array:
        """A number from 0 to 1; NaN if there is one class only."""
        false_rate, true_rate, _ = _roc(state["scores"], state["labels"])
        return fnp.trapezoid(true_rate, false_rate)


@dataclass(frozen=True)
class AveragePrecision(_Ranking):
    """The sum over thresholds of precision times the step of recall."""

    def compute(self, state: Any) -> fx.Array:
        """A number from 0 to 1; NaN without positive examples."""
        precision, recall, _ = _precision_recall(state["scores"], state["labels"])
        return -fnp.sum(fnp.diff(recall) * precision[:-1])


def roc_auc(scores: Any, targets: Any) -> fx.Array:
    """The area under the ROC curve.

    >>> float(roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]))
    0.75
    """
    return RocAuc().of(scores, targets)


def average_precision(scores: Any, targets: Any) -> fx.Array:
    """The sum over thresholds of precision times the step of recall."""
    return AveragePrecision().of(scores, targets)


def roc_curve(scores: Any, targets: Any) -> tuple[fx.Array, fx.Array, fx.Array]:
    """(false positive rates, true positive rates, thresholds), a point for each different score, from (0, 0) at inf."""
    return _roc(*_read(scores, targets, "roc_curve"))


def precision_recall_curve(scores: Any, targets: Any) -> tuple[fx.Array, fx.Array, fx.Array]:
    """(precisions, recalls, thresholds): thresholds increase, recalls fall, the last point is (1, 0)."""
    return _precision_recall(*_read(scores, targets, "precision_recall_curve"))


def _read(scores: Any, targets: Any, name: str) -> tuple[fx.Array, fx.Array]:
    scores, targets = fnp.asarray(scores), fnp.asarray(targets)
    if scores.shape != targets.shape or scores.dtype.kind == "c" or targets.dtype.kind not in "biu":
        raise fx.ShapeError(
            f"{name} takes real scores and targets 0 or 1 of one shape; got {scores.dtype}{list(scores.shape)} and "
            f"{targets.dtype}{list(targets.shape)}."
        )
    if ((targets != 0) & (targets != 1)).any():
        raise fx.ArgumentError(f"{name}: targets are 0 or 1; some are neither.")
    if fnp.isnan(scores).any():
        raise fx.ArgumentError(f"{name}: a score is NaN.")
    return scores.astype(fnp.float64).ravel(), targets.astype(bool).ravel()


def _counts(scores: fx.Array, labels: fx.Array) -> tuple[fx.Array, fx.Array, fx.Array]:
    """True and false positives at each different score, highest first, and these scores."""
    order = fnp.argsort(-scores, stable=True)
    scores, labels = scores[order], labels[order]
    last = fnp.concatenate([scores[1:] != scores[:-1], fnp.ones(min(1, scores.size), bool)])
    true = fnp.cumsum(labels.astype(int))[last]
    return true, fnp.flatnonzero(last) + 1 - true, scores[last]


def _rate(counts: fx.Array, total: Any) -> fx.Array:
    return counts.astype(fnp.float64) / total if int(total) else fnp.full(counts.shape, fnp.nan, fnp.float64)


def _roc(scores: fx.Array, labels: fx.Array) -> tuple[fx.Array, fx.Array, fx.Array]:
    true, false, thresholds = _counts(scores, labels)
    true, false = (fnp.concatenate([fnp.zeros(1, int), x]) for x in (true, false))
    thresholds = fnp.concatenate([fnp.full(1, fnp.inf, fnp.float64), thresholds])
    return _rate(false, false[-1]), _rate(true, true[-1]), thresholds


def _precision_recall(scores: fx.Array, labels: fx.Array) -> tuple[fx.Array, fx.Array, fx.Array]:
    true, false, thresholds = _counts(scores, labels)
    one, zero = fnp.ones(1, fnp.float64), fnp.zeros(1, fnp.float64)
    precision, recall = true.astype(fnp.float64) / (true + false), _rate(true, labels.sum())
    return fnp.concatenate([precision[::-1], one]), fnp.concatenate([recall[::-1], zero]), thresholds[::-1]
