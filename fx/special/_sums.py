"""logsumexp, softmax and log_softmax with SciPy's arguments.

All shift by the largest element. A sum without mass, all -inf or masked out, is -inf, with derivative 0.
"""

from __future__ import annotations

from typing import Any

import fx.numpy as fnp

from ..core import tree
from ..core.array import Array
from ..core.dtypes import is_complex, is_low_precision
from ..lax import stop_gradient
from ._call import inexact

_INF = float("inf")


def logsumexp(
    a: Any,
    axis: Any = None,
    b: Any = None,
    keepdims: bool = False,
    return_sign: bool = False,
    where: Any = None,
) -> Any:
    """log(sum(b * exp(a))) over an axis, several, or all (None), of real or complex numbers.

    Args:
        b: factors, broadcast against a; where one is 0, a does not matter. A negative sum of real numbers gives NaN.
        return_sign: return (log(abs(sum)), sum / abs(sum)) instead.
        where: boolean, broadcasts against a: elements that count.
    """
    a, b = inexact(a, b) if b is not None else (*inexact(a), None)
    if is_low_precision(a.dtype):
        wide = logsumexp(a.astype("float32"), axis, b, keepdims, return_sign, where)
        return tree.map(lambda y: y.astype(a.dtype), wide)
    if b is not None:
        a, b = fnp.broadcast_arrays(a, b)
        where = (b != 0) if where is None else (b != 0) & where
    log, total = _shifted_sum(a, b, axis, where)
    sign = total / fnp.where(total == 0, 1.0, fnp.abs(total)) if is_complex(a.dtype) else fnp.sign(total)
    if not return_sign:
        log = _with_sign(log, sign, b)
    return tree.map(lambda y: _kept(y, axis, keepdims), (log, sign) if return_sign else log)


def _shifted_sum(a: Array, b: Any, axis: Any, where: Any) -> tuple[Array, Array]:
    """log|sum| and the sum over exp(largest real part), with the axes kept."""
    counted = a.real if is_complex(a.dtype) else a
    mask = fnp.asarray(True if where is None else where)
    if a.size == 0 and a.ndim:
        counted = fnp.broadcast_to(counted, fnp.broadcast_shapes(a.shape, mask.shape))
    largest = fnp.max(stop_gradient(fnp.where(mask, counted, -_INF)), axis, keepdims=True, initial=-_INF)
    shift = fnp.where(fnp.isfinite(largest), largest, 0.0)
    e = fnp.exp(fnp.where(mask, a, -_INF) - shift)
    e = fnp.where(mask, e, 0.0) if b is None else fnp.where(mask, b * e, 0.0)
    total = fnp.sum(e, axis, keepdims=True)
    return _safe_log(fnp.abs(total)) + shift, total


def _safe_log(x: Array) -> Array:
    """log(x) whose derivative at 0 is 0."""
    zero = x == 0
    return fnp.where(zero, -_INF, fnp.log(fnp.where(zero, 1.0, x)))


def _with_sign(log: Array, sign: Array, b: Any) -> Array:
    """The logarithm of the sum itself: with its angle if complex, NaN if negative."""
    if is_complex(sign.dtype):
        return log + 1j * fnp.angle(sign)
    return log if b is None else fnp.where(sign < 0, float("nan"), log)


def _kept(y: Array, axis: Any, keepdims: bool) -> Array:
    return y if keepdims else fnp.squeeze(y, tuple(range(y.ndim)) if axis is None else axis)


def softmax(x: Any, axis: Any = None) -> Array:
    """exp(x) / sum(exp(x)) over an axis, several, or all (None)."""
    (x,) = inexact(x)
    if is_low_precision(x.dtype):
        return softmax(x.astype("float32"), axis).astype(x.dtype)
    e = fnp.exp(x - _largest(x, axis))
    return e / fnp.sum(e, axis, keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Array:
    """x - logsumexp(x) over an axis, several, or all (None)."""
    (x,) = inexact(x)
    if is_low_precision(x.dtype):
        return log_softmax(x.astype("float32"), axis).astype(x.dtype)
    shifted = x - _largest(x, axis)
    return shifted - fnp.log(fnp.sum(fnp.exp(shifted), axis, keepdims=True))


def _largest(x: Array, axis: Any) -> Array:
    largest = fnp.max(stop_gradient(x), axis, keepdims=True, initial=-_INF)
    return fnp.where(fnp.isfinite(largest), largest, 0.0)
