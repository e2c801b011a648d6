"""Kullback-Leibler divergences from logarithms of predicted probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp
from fx.nn._inputs import in_float32

from ._reduce import boolean, counted, pair, reduced


def kl_divergence(
    log_predictions: Any, targets: Any, axis: Any = -1, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """sum(targets * (log(targets) - log_predictions)) over an axis, several, all (None) or none (()).

    What has target 0 costs nothing, whatever was predicted.

    Args:
        log_predictions, targets: one shape. where: of the shape of the result, or with as many axes as targets.
    """
    return _divergence(_terms, log_predictions, targets, axis, where, reduction, "kl_divergence")


def kl_divergence_with_log_targets(
    log_predictions: Any, log_targets: Any, axis: Any = -1, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """`kl_divergence` for logarithms of targets; -inf is a target of 0."""
    name = "kl_divergence_with_log_targets"
    return _divergence(_log_terms, log_predictions, log_targets, axis, where, reduction, name)


def generalized_kl_divergence(
    log_predictions: Any, targets: Any, axis: Any = -1, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """`kl_divergence` plus sum(exp(log_predictions) - targets): convex and not negative also without sums of 1."""
    name = "generalized_kl_divergence"
    return _divergence(_convex_terms, log_predictions, targets, axis, where, reduction, name)


convex_kl_divergence = generalized_kl_divergence


def _divergence(
    terms: Callable[..., Any],
    predictions: Any,
    targets: Any,
    axis: Any,
    where: Any,
    reduction: str,
    name: str,
) -> fx.Array:
    x, y = pair(predictions, targets, name)
    axes = axis if isinstance(axis, tuple) else tuple(range(x.ndim)) if axis is None else (axis,)
    elements = examples = None
    if where is not None:
        elements, examples = _masks(boolean(where, name), x, axes)
        x, y = counted(x, elements), counted(fnp.broadcast_to(y, x.shape), elements)
    loss = terms(x, y)
    return reduced(fnp.sum(counted(loss, elements), axes), examples, reduction, name)


def _masks(where: fx.Array, x: fx.Array, axes: tuple[int, ...]) -> tuple[fx.Array, fx.Array]:
    """Which elements count, and which examples have any that does."""
    if where.ndim != x.ndim:
        kept = [d for i, d in enumerate(x.shape) if i - x.ndim not in axes and i not in axes]
        where = fnp.expand_dims(fnp.broadcast_to(where, kept), axes)
    elements = fnp.broadcast_to(where, x.shape)
    return elements, fnp.any(elements, axes)


@in_float32
def _terms(x: Any, y: Any) -> fx.Array:
    used = fnp.not_equal(y, 0.0)
    y = fnp.where(used, y, 1.0)
    return fnp.where(used, y * (fnp.log(y) - fnp.where(used, x, 0.0)), 0.0)


@in_float32
def _log_terms(x: Any, y: Any) -> fx.Array:
    used = fnp.not_equal(y, -np.inf)
    y = fnp.where(used, y, 0.0)
    return fnp.where(used, fnp.exp(y) * (y - fnp.where(used, x, 0.0)), 0.0)


@in_float32
def _convex_terms(x: Any, y: Any) -> fx.Array:
    return _terms(x, y) + (fnp.exp(x) - y)
