"""Lengths, angles and distances of vectors along an axis, with derivative 0 where a length is 0."""

from __future__ import annotations

from typing import Any

import fx
import fx.numpy as fnp

from ._inputs import in_float32, number


@in_float32
def normalize(x: Any, p: Any = 2, axis: Any = -1, epsilon: Any = 1e-12) -> fx.Array:
    """x divided by its p-norm along an axis, or by epsilon where that is larger; 0 where both are 0."""
    epsilon, unit = number(epsilon, "normalize: epsilon"), _scale(x, axis)
    y = x / unit
    length = fnp.maximum(fnp.linalg.norm(y, p, axis, keepdims=True), epsilon / unit)
    return fnp.where(length == 0.0, 0.0, y / _positive(length))


@in_float32
def cosine_similarity(x1: Any, x2: Any, axis: int = -1, epsilon: Any = 1e-8) -> fx.Array:
    """The cosine of the angle between vectors along an axis; lengths below epsilon count as epsilon.

    Args:
        x1, x2: broadcast against each other.
    """
    return fnp.sum(normalize(x1, 2, axis, epsilon) * normalize(x2, 2, axis, epsilon), axis)


@in_float32
def pairwise_distance(x1: Any, x2: Any, p: Any = 2, epsilon: Any = 1e-6, keepdims: bool = False) -> fx.Array:
    """The p-norm of x1 - x2 + epsilon along the last axis.

    Args:
        x1, x2: (..., features), broadcast against each other.
    """
    return fnp.linalg.norm(x1 - x2 + epsilon, p, -1, keepdims=keepdims)


def _scale(x: fx.Array, axis: Any) -> fx.Array:
    """The largest element of every vector, or 1: lengths of vectors divided by it neither overflow nor vanish."""
    return _positive(fx.stop_gradient(fnp.max(fnp.absolute(x), axis, keepdims=True, initial=0.0)))


def _positive(x: fx.Array) -> fx.Array:
    return fnp.where(x == 0.0, 1.0, x)
