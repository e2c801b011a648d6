"""Cross-entropies of classes, from logits: scores whose softmax is a distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

import fx
import fx.numpy as fnp
from fx.nn._inputs import in_float32

from ._reduce import class_axis, counted, elements_and_examples, inexact, pair, reduced, rows


def softmax_cross_entropy(
    logits: Any, labels: Any, axis: int = -1, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """-sum(labels * log_softmax(logits)) over an axis.

    A class of logit -inf, or masked by its label 0, costs nothing; with a positive label it costs inf.

    Args:
        logits, labels: one shape; labels are probabilities (not checked: any weights are allowed).
        where: of the shape of the result; or with as many axes as logits, then it says which classes there are.

    Returns:
        Their shape without the axis, or () for reduction "sum" or "mean".
    """
    logits, labels = pair(logits, labels, "softmax_cross_entropy")
    axis = class_axis(logits, axis, "softmax_cross_entropy")
    elements, where = elements_and_examples(where, logits, axis, "softmax_cross_entropy")
    if elements is not None:
        logits, labels = fnp.where(elements, logits, -np.inf), counted(labels, elements)
    logits = rows(logits, where, axis)
    return reduced(_with_distributions(logits, labels, axis), where, reduction, "softmax_cross_entropy")


safe_softmax_cross_entropy = softmax_cross_entropy


@in_float32
def _with_distributions(logits: Any, labels: fx.Array, axis: int) -> fx.Array:
    shifted, log_mass = _parts(logits, axis)
    impossible = (shifted == -np.inf) & (labels == 0.0)
    used = fnp.where(impossible, 0.0, shifted)
    return fnp.sum(labels * (fnp.expand_dims(log_mass, axis) - used), axis)


def softmax_cross_entropy_with_integer_labels(
    logits: Any, labels: Any, axis: int = -1, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """-log_softmax(logits) at the label.

    Args:
        logits: (..., classes, ...), classes along `axis`.
        labels: integers in [0, classes), the shape of logits without the axis; where `where` is false they may
            be anything. One out of range that is not known before the run (under jit) makes the loss NaN.
        where: of the shape of labels; or with as many axes as logits, then it says which classes there are.

    Returns:
        The shape of labels, or () for reduction "sum" or "mean".

    Raises:
        OutOfBoundsError: a label known now is out of range. ShapeError, DTypeError: labels do not fit.

    >>> import fx
    >>> logits = fx.numpy.asarray([[0.0, 0.0], [0.0, 100.0]])
    >>> softmax_cross_entropy_with_integer_labels(logits, fx.numpy.asarray([0, 1]))
    Array([0.6931472, 0.       ], float32)
    """
    name = "softmax_cross_entropy_with_integer_labels"
    logits = inexact(logits, f"{name}: logits")
    labels = labels if isinstance(labels, fx.Array) else fnp.asarray(labels)
    axis = class_axis(logits, axis, name)
    check_labels(logits, labels, axis, name)
    elements, where = elements_and_examples(where, logits, axis, name)
    if elements is not None:
        logits = fnp.where(elements, logits, -np.inf)
    if where is not None:
        labels = fnp.where(where, labels, 0)
        logits = rows(logits, where, axis)
    chosen, known = chosen_of(labels, logits.shape[axis], axis, name)
    return reduced(_at_labels(logits, chosen, axis, known), where, reduction, name)


@in_float32
def _at_labels(logits: Any, chosen: Any, axis: int, known: bool) -> fx.Array:
    shifted, log_mass = _parts(logits, axis)
    loss = log_mass - fnp.sum(fnp.where(chosen, shifted, 0.0), axis)
    return loss if known else fnp.where(fnp.any(chosen, axis), loss, np.nan)


def _parts(logits: fx.Array, axis: int) -> tuple[fx.Array, fx.Array]:
    """logits shifted to have maximum 0, and log(sum(exp(shifted))): log_softmax is their difference."""
    shifted = logits - fnp.max(fx.stop_gradient(logits), axis, keepdims=True)
    return shifted, fnp.log(fnp.sum(fnp.exp(shifted), axis))


def check_labels(logits: fx.Array, labels: fx.Array, axis: int, name: str) -> None:
    if labels.dtype.kind not in "iu":
        raise fx.DTypeError(
            f"{name}: labels must be integers; got {labels.dtype}{list(labels.shape)}.\n"
            "Write labels.astype(int); for probabilities of classes use softmax_cross_entropy."
        )
    expected = logits.shape[:axis] + logits.shape[axis + 1 :]
    if labels.shape != expected:
        raise fx.ShapeError(
            f"{name}: logits of shape {logits.shape} with classes along axis {axis} need labels of shape "
            f"{expected}; got {labels.shape}.\n"
            "For one-hot labels or probabilities use softmax_cross_entropy."
        )


_SMALL = 2**16


def chosen_of(labels: fx.Array, classes: int, axis: int, name: str) -> tuple[Any, bool]:
    """Booleans with an axis of classes: which one is the label; and whether each label is known to be one.

    Few known labels are compared at once, so that a trace holds the result instead of the steps to it.
    """
    values = known_labels(labels)
    if values is not None:
        refuse_outside(values, classes, name)
        if values.size * classes <= _SMALL:
            shape = values.shape
            places = np.arange(classes).reshape((classes,) + (1,) * (len(shape) - axis))
            return values.reshape(shape[:axis] + (1,) + shape[axis:]) == places, True
    return fx.nn.one_hot(labels, classes, axis=axis, dtype=bool), values is not None


def known_labels(labels: fx.Array) -> Any:
    """The labels as a NumPy array; None if they are traced, or on a device."""
    try:
        return np.asarray(labels) if labels.device.platform == "cpu" else None
    except fx.TracerError:
        return None


def refuse_outside(labels: Any, classes: int, name: str) -> None:
    # As unsigned integers negative labels are huge: one comparison does for both ends.
    if not labels.size or labels.view(f"u{labels.itemsize}").max() < classes:
        return
    wrong = labels[(labels < 0) | (labels >= classes)]
    raise fx.OutOfBoundsError(
        f"{name}: label {wrong[0]} is not one of {classes} classes, 0 to {classes - 1} "
        f"({wrong.size} of {labels.size} labels are out of range).\n"
        "Mask what shall not count with where=."
    )
