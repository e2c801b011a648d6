"""Functions of whole rows: softmax and its logarithm, logsumexp, one_hot, standardize.

All shift by the largest element. A row without mass, all -inf or masked out altogether, has softmax 0,
log_softmax and logsumexp -inf, and derivative 0; a row with +inf has softmax NaN, as inf / inf has.
"""

from __future__ import annotations

import operator
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp
from fx import random
from fx.special import logsumexp as logsumexp

from ._inputs import in_float32, limits, real


@in_float32
def softmax(x: Any, axis: Any = -1, where: Any = None) -> fx.Array:
    """exp(x) / sum(exp(x)) over an axis, several, or all (None).

    Args:
        where: boolean, broadcasts against x: elements that count; the others have softmax 0.
    """
    e = fnp.exp(_shifted(x, axis, where))
    y = e / _mass(e, axis)
    return y if where is None else fnp.where(where, y, 0.0)


def softmin(x: Any, axis: Any = -1, where: Any = None) -> fx.Array:
    """`softmax` of -x."""
    return softmax(-real(x, "softmin"), axis, where)


def gumbel_softmax(logits: Any, tau: Any = 1.0, hard: bool = False, axis: int = -1, *, key: Any) -> fx.Array:
    """softmax((logits + Gumbel noise) / tau): a sample of the classes that has a derivative.

    Args:
        tau: the temperature; towards 0 samples become one-hot.
        hard: return one-hot samples, with the derivative of the soft ones.

    Source: Jang, Gu, Poole 2017; Maddison, Mnih, Teh 2017.
    """
    logits = real(logits, "gumbel_softmax")
    soft = softmax((logits + random.gumbel(key, logits.shape, dtype=logits.dtype)) / tau, axis)
    if not hard:
        return soft
    best = one_hot(fnp.argmax(soft, axis), logits.shape[axis], dtype=soft.dtype, axis=axis)
    return soft + fx.stop_gradient(best - soft)


@in_float32
def log_softmax(x: Any, axis: Any = -1, where: Any = None) -> fx.Array:
    """x - log(sum(exp(x))) over an axis, several, or all (None).

    Args:
        where: boolean, broadcasts against x: elements that count; the others have log_softmax -inf.
    """
    shifted = _shifted(x, axis, where)
    return _masked(shifted - fnp.log(_mass(fnp.exp(shifted), axis)), where)


def _shifted(x: fx.Array, axis: Any, where: Any) -> fx.Array:
    """x with maximum 0, and -inf where it does not count."""
    x = _masked(x, where)
    largest = _largest(x, axis)
    return x - fnp.maximum(largest, float(limits(x.dtype).min))


def _largest(x: fx.Array, axis: Any) -> fx.Array:
    initial = {} if x.size else {"initial": -float("inf")}
    return fnp.max(fx.stop_gradient(x), axis, keepdims=True, **initial)


def _masked(x: fx.Array, where: Any) -> fx.Array:
    return x if where is None else fnp.where(where, x, -float("inf"))


def _mass(e: fx.Array, axis: Any) -> fx.Array:
    """The sum of shifted exponentials: 0 or at least 1, where adding eps / 4 is lost in rounding."""
    return fnp.sum(e, axis, keepdims=True) + float(limits(e.dtype).eps) / 4


def logmeanexp(x: Any, axis: Any = None, where: Any = None, keepdims: bool = False) -> fx.Array:
    """log(mean(exp(x))) over an axis, several, or all (None): -inf over no element.

    Args:
        where: boolean, broadcasts against x: elements that count.
    """
    x = real(x, "logmeanexp")
    total = logsumexp(x, axis, keepdims=keepdims, where=where)
    if where is None:
        count = fnp.asarray(x.size // max(total.size, 1) if total.size else 1)
    else:
        count = fnp.sum(fnp.broadcast_to(where, x.shape), axis, keepdims=keepdims)
    return total - fnp.log(fnp.maximum(count, 1).astype(total.dtype))


def one_hot(x: Any, num_classes: int, *, dtype: Any = None, axis: int = -1) -> fx.Array:
    """1 at the place that x names along a new axis of size num_classes, 0 elsewhere; all 0 if x names none.

    Args:
        x: integers of any shape.
        dtype: of the result; None is the default float.
        axis: where the new axis stands in the result.

    >>> import fx
    >>> one_hot(fx.numpy.asarray([0, 2]), 3)
    Array([[1., 0., 0.],
           [0., 0., 1.]], float32)
    """
    x = x if isinstance(x, fx.Array) else fnp.asarray(x)
    if x.dtype.kind not in "iu":
        raise fx.DTypeError(
            f"one_hot takes integers; got {x.dtype}{list(x.shape)}.\nConvert with x.astype(int)."
        )
    rank = x.ndim + 1
    if not isinstance(axis, int) or not isinstance(num_classes, (int, np.integer)):
        raise fx.ArgumentError(
            f"one_hot: num_classes and axis are integers; got {brief(num_classes)} and {brief(axis)}."
        )
    if not -rank <= axis < rank:
        raise fx.ShapeError(
            f"one_hot: x of shape {x.shape} can have a new axis from {-rank} to {rank - 1}; got {axis}."
        )
    classes = fnp.arange(operator.index(num_classes), dtype=x.dtype)
    behind = rank - 1 - axis % rank
    if behind:
        classes = classes.reshape((-1,) + (1,) * behind)
    return (fnp.expand_dims(x, axis) == classes).astype(float if dtype is None else dtype)


@in_float32
def standardize(
    x: Any, axis: Any = -1, mean: Any = None, variance: Any = None, epsilon: Any = 1e-5, where: Any = None
) -> fx.Array:
    """(x - mean) / sqrt(variance + epsilon) over an axis, several, or all (None).

    Args:
        mean, variance: with the axes kept as size 1; None computes them, the variance from deviations.
        where: boolean, broadcasts against x: elements that count for mean and variance.
    """
    if mean is None:
        mean = fnp.mean(x, axis, keepdims=True, where=where)
    deviation = x - mean
    if variance is None:
        variance = fnp.mean(deviation * deviation, axis, keepdims=True, where=where)
    return deviation / fnp.sqrt(fnp.add(variance, epsilon))
