"""Classes predicted and true: accuracy, precision, recall, F-beta, the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp
from fx import lax

from ._metric import Metric, ratio

AVERAGES = ("binary", "micro", "macro", "weighted", None)


def classes_of(predictions: Any, targets: Any, threshold: float, name: str) -> tuple[fx.Array, fx.Array]:
    """Predicted and true classes as integers of one shape.

    predictions: scores (..., classes) with one axis more than targets; or scores of the positive class, floating
    point of targets' shape, positive above `threshold`; or classes, integers or booleans of that shape.
    """
    predictions, targets = fnp.asarray(predictions), fnp.asarray(targets)
    if targets.dtype.kind not in "biu":
        raise fx.DTypeError(
            f"{name}: targets are classes, integers; got {targets.dtype}{list(targets.shape)}.\n"
            "The order is (predictions, targets); write targets.astype(int) for classes that are kept as floats."
        )
    if predictions.ndim == targets.ndim + 1 and predictions.shape[:-1] == targets.shape:
        predictions = fnp.argmax(predictions, -1)
    elif predictions.shape != targets.shape:
        raise fx.ShapeError(
            f"{name}: predictions of shape {predictions.shape} do not fit targets of shape {targets.shape}.\n"
            "Pass scores (..., classes), or scores or classes of the shape of targets."
        )
    elif predictions.dtype.kind not in "biu":
        predictions = predictions > threshold
    return predictions.astype(int), targets.astype(int)


@dataclass(frozen=True)
class Accuracy(Metric):
    """The part of predictions that are right; see `classes_of` for what predictions may be."""

    threshold: float = 0.5

    def init(self) -> dict[str, fx.Array]:
        return {"right": fnp.zeros((), int), "count": fnp.zeros((), int)}

    def update(self, state: Any, predictions: Any, targets: Any, where: Any = None) -> Any:
        """where: booleans that broadcast to targets: what counts."""
        predicted, targets = classes_of(predictions, targets, self.threshold, "Accuracy")
        return _counted(state, predicted == targets, where)

    def compute(self, state: Any) -> fx.Array:
        """A number from 0 to 1; NaN of nothing."""
        return ratio(state["right"], state["count"], fnp.nan)


@dataclass(frozen=True)
class TopKAccuracy(Metric):
    """The part of targets among the k classes of highest scores; of equal scores the lower class counts first."""

    k: int = 5

    def init(self) -> dict[str, fx.Array]:
        return {"right": fnp.zeros((), int), "count": fnp.zeros((), int)}

    def update(self, state: Any, scores: Any, targets: Any, where: Any = None) -> Any:
        """scores: (..., classes), targets: integers (...)."""
        scores, targets = fnp.asarray(scores), fnp.asarray(targets)
        if not scores.ndim or scores.shape[:-1] != targets.shape or targets.dtype.kind not in "biu":
            raise fx.ShapeError(
                f"TopKAccuracy takes scores (..., classes) and integers (...); got {scores.dtype}{list(scores.shape)} "
                f"and {targets.dtype}{list(targets.shape)}."
            )
        _, best = lax.top_k(scores, min(self.k, scores.shape[-1]))
        return _counted(state, (best == targets[..., None]).any(-1), where)

    def compute(self, state: Any) -> fx.Array:
        """A number from 0 to 1; NaN of nothing."""
        return ratio(state["right"], state["count"], fnp.nan)


def _counted(state: Any, right: fx.Array, where: Any) -> Any:
    where = fnp.ones(right.shape, bool) if where is None else fnp.broadcast_to(where, right.shape)
    return {"right": state["right"] + (right & where).sum(), "count": state["count"] + where.sum()}


@dataclass(frozen=True)
class ConfusionMatrix(Metric):
    """Counts of (true class, predicted class): (classes, classes).

    Args:
        normalize: None, "true" (rows sum to 1), "predicted" (columns) or "all".
    """

    num_classes: int
    normalize: str | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.normalize not in (None, "true", "predicted", "all"):
            raise fx.ArgumentError(
                f"ConfusionMatrix: normalize={brief(self.normalize)}.\nChoose 'true', 'predicted', 'all' or None."
            )

    def init(self) -> fx.Array:
        return fnp.zeros((self.num_classes, self.num_classes), int)

    def update(self, state: Any, predictions: Any, targets: Any, where: Any = None) -> fx.Array:
        predicted, targets = classes_of(predictions, targets, self.threshold, "ConfusionMatrix")
        return state + confusions(predicted, targets, self.num_classes, where, "ConfusionMatrix")

    def compute(self, state: Any) -> fx.Array:
        """Integers, or with `normalize` parts from 0 to 1, 0 where there is nothing."""
        if self.normalize is None:
            return state
        axis = {"true": 1, "predicted": 0, "all": None}[self.normalize]
        return ratio(state, fnp.sum(state, axis, keepdims=True), 0.0)


def confusions(predicted: fx.Array, targets: fx.Array, classes: int, where: Any, name: str) -> fx.Array:
    """Counts of (true, predicted).

    Raises:
        OutOfBoundsError: a class known now is not in [0, classes).
    """
    counts = fnp.ones(targets.shape, bool) if where is None else fnp.broadcast_to(where, targets.shape)
    for what, values in (("prediction", predicted), ("target", targets)):
        _refuse_outside(fnp.where(counts, values, 0), classes, f"{name}: {what}")
    cell = fnp.where(counts, targets * classes + predicted, 0)
    flat = fnp.zeros(classes * classes, int).at[cell.ravel()].add(counts.astype(int).ravel())
    return flat.reshape(classes, classes)


def _refuse_outside(values: fx.Array, classes: int, what: str) -> None:
    try:
        known = bool(((values < 0) | (values >= classes)).any())
    except fx.TracerError:
        return
    if known:
        wrong = values[(values < 0) | (values >= classes)]
        raise fx.OutOfBoundsError(
            f"{what} {int(wrong[0])} is not one of {classes} classes, 0 to {classes - 1}."
        )


@dataclass(frozen=True)
class _PerClass(Metric):
    """What precision, recall and F-beta share: right, predicted and true counts of each class."""

    num_classes: int = 2
    average: str | None = "binary"
    """"binary" is class 1 of two; "micro" counts all classes together, "macro" is the mean over classes that occur,
    "weighted" the mean by true counts, None gives all (classes,)."""
    threshold: float = 0.5
    zero_division: float = 0.0
    """The value where a denominator is 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.average not in AVERAGES:
            raise fx.ArgumentError(
                f"{type(self).__name__}: average={brief(self.average)}.\nChoose {', '.join(map(repr, AVERAGES))}."
            )
        if self.average == "binary" and self.num_classes != 2:
            raise fx.ArgumentError(
                f"{type(self).__name__}: average='binary' is of two classes; num_classes={self.num_classes}.\n"
                "Write average='macro', 'micro', 'weighted' or None."
            )

    def init(self) -> dict[str, fx.Array]:
        return {name: fnp.zeros(self.num_classes, int) for name in ("right", "predicted", "true")}

    def update(self, state: Any, predictions: Any, targets: Any, where: Any = None) -> Any:
        name = type(self).__name__
        predicted, targets = classes_of(predictions, targets, self.threshold, name)
        matrix = confusions(predicted, targets, self.num_classes, where, name)
        found = {"right": fnp.diagonal(matrix), "predicted": matrix.sum(0), "true": matrix.sum(1)}
        return fx.tree.map(fnp.add, state, found)

    def score(self, right: Any, predicted: Any, true: Any) -> fx.Array:
        raise NotImplementedError

    def compute(self, state: Any) -> fx.Array:
        """A number from 0 to 1, or one of each class."""
        parts = state["right"], state["predicted"], state["true"]
        if self.average == "micro":
            return self.score(*(x.sum() for x in parts))
        scores = self.score(*parts)
        if self.average is None:
            return scores
        if self.average == "binary":
            return scores[1]
        present = (parts[1] + parts[2]) > 0
        weights = parts[2] if self.average == "weighted" else present
        return ratio((scores * weights).sum(), weights.sum(), self.zero_division)


@dataclass(frozen=True)
class Precision(_PerClass):
    """The part of predictions of a class that are right."""

    def score(self, right: Any, predicted: Any, true: Any) -> fx.Array:
        return ratio(right, predicted, self.zero_division)


@dataclass(frozen=True)
class Recall(_PerClass):
    """The part of a class that is found."""

    def score(self, right: Any, predicted: Any, true: Any) -> fx.Array:
        return ratio(right, true, self.zero_division)


@dataclass(frozen=True)
class FBeta(_PerClass):
    """(1 + beta**2) precision recall / (beta**2 precision + recall)."""

    beta: float = 1.0

    def score(self, right: Any, predicted: Any, true: Any) -> fx.Array:
        b = self.beta**2
        return ratio((1 + b) * right, b * true + predicted, self.zero_division)


def accuracy(predictions: Any, targets: Any, *, threshold: float = 0.5, where: Any = None) -> fx.Array:
    """The part of predictions that are right.

    >>> float(accuracy([0, 1, 1, 0], [0, 1, 0, 0]))
    0.75
    """
    return Accuracy(threshold).of(predictions, targets, where)


def top_k_accuracy(scores: Any, targets: Any, k: int = 5, *, where: Any = None) -> fx.Array:
    """The part of targets among the k classes of highest scores. scores: (..., classes), targets: (...)."""
    return TopKAccuracy(k).of(scores, targets, where)


def confusion_matrix(
    predictions: Any, targets: Any, num_classes: int, *, normalize: str | None = None
) -> fx.Array:
    """Counts of (true class, predicted class): (num_classes, num_classes)."""
    return ConfusionMatrix(num_classes, normalize).of(predictions, targets)


def precision(
    predictions: Any, targets: Any, num_classes: int = 2, average: str | None = "binary"
) -> fx.Array:
    """The part of predictions of a class that are right; averages as in `Precision`."""
    return Precision(num_classes, average).of(predictions, targets)


def recall(predictions: Any, targets: Any, num_classes: int = 2, average: str | None = "binary") -> fx.Array:
    """The part of a class that is found; averages as in `Recall`."""
    return Recall(num_classes, average).of(predictions, targets)


def fbeta(
    predictions: Any, targets: Any, beta: float, num_classes: int = 2, average: str | None = "binary"
) -> fx.Array:
    """(1 + beta**2) precision recall / (beta**2 precision + recall)."""
    return FBeta(num_classes, average, beta=beta).of(predictions, targets)


def f1(predictions: Any, targets: Any, num_classes: int = 2, average: str | None = "binary") -> fx.Array:
    """`fbeta` with beta 1: the harmonic mean of precision and recall."""
    return fbeta(predictions, targets, 1.0, num_classes, average)
