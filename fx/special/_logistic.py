"""Logistic functions and the Box-Cox transformation."""

from __future__ import annotations

import math
from typing import Any

import fx.numpy as fnp

from ..core.array import Array
from ..core.transforms.custom_jvp import custom_jvp
from ..primitives.elementwise import logistic
from ._call import call, real


def expit(x: Any) -> Array:
    """The logistic function 1 / (1 + exp(-x))."""
    return call(logistic, x)


def log_expit(x: Any) -> Array:
    """log(expit(x)), accurate for large |x|."""
    return -softplus(-real("log_expit", x)[0])


def softplus(x: Any) -> Array:
    """log(1 + exp(x)) without overflow."""
    (x,) = real("softplus", x)
    return fnp.logaddexp(x, 0.0)


def logit(x: Any) -> Array:
    """log(x / (1 - x)), the inverse of expit; NaN outside [0, 1]."""
    return _logit(*real("logit", x))


@custom_jvp
def _logit(p: Array) -> Array:
    """By log1p in the middle, where p / (1 - p) is close to 1."""
    middle = (p > 0.3) & (p < 0.65)
    s = fnp.where(middle, 2.0 * (p - 0.5), 0.0)
    return fnp.where(middle, fnp.log1p(s) - fnp.log1p(-s), fnp.log(p / (1.0 - p)))


@_logit.defjvp
def _logit_jvp(primals: Any, tangents: Any) -> Any:
    (p,), (dp,) = primals, tangents
    return _logit(p), dp / (p * (1.0 - p))


def boxcox(x: Any, lmbda: Any) -> Array:
    """(x**lmbda - 1) / lmbda, log(x) for lmbda = 0."""
    x, lmbda = real("boxcox", x, lmbda)
    return _scaled_expm1(fnp.log(x), lmbda)


def boxcox1p(x: Any, lmbda: Any) -> Array:
    """boxcox(1 + x, lmbda), accurate for small x."""
    x, lmbda = real("boxcox1p", x, lmbda)
    return _scaled_expm1(fnp.log1p(x), lmbda)


def _exponent(log: Array, lmbda: Array) -> Array:
    """log lmbda, 0 for lmbda = 0 whatever the other."""
    return fnp.where(lmbda == 0, 0.0, log) * lmbda


@custom_jvp
def _scaled_expm1(log: Array, lmbda: Array) -> Array:
    """expm1(lmbda log) / lmbda, with its limit where lmbda log is small."""
    u = _exponent(log, lmbda)
    small = _is_small(u, lmbda)
    direct = fnp.expm1(u) / fnp.where(lmbda == 0, 1.0, lmbda)
    return fnp.where(small, log * _series(fnp.where(small, u, 0.0), _FIRST), direct)


@_scaled_expm1.defjvp
def _scaled_expm1_jvp(primals: Any, tangents: Any) -> Any:
    (log, lmbda), (dlog, dlmbda) = primals, tangents
    return _scaled_expm1(log, lmbda), dlog * fnp.exp(_exponent(log, lmbda)) + dlmbda * _by_lmbda(log, lmbda)


def _by_lmbda(log: Array, lmbda: Array) -> Array:
    """(u exp(u) - expm1(u)) / lmbda**2, u = lmbda log."""
    u = log * lmbda
    small = _is_small(u, lmbda)
    safe = fnp.where(small, 1.0, lmbda)
    direct = ((u - 1.0) * fnp.exp(u) + 1.0) / (safe * safe)
    near = fnp.where(small, log, 1.0)
    return fnp.where(small, near * near * _series(fnp.where(small, u, 0.0), _SECOND), direct)


def _is_small(u: Array, lmbda: Array) -> Array:
    return (fnp.abs(u) < 0.5) | (lmbda == 0)


_FIRST = [1 / math.factorial(k + 1) for k in range(16)]
"""expm1(u) / u."""
_SECOND = [(k + 1) / math.factorial(k + 2) for k in range(16)]
"""(u exp(u) - expm1(u)) / u**2."""


def _series(u: Array, coefficients: list[float]) -> Array:
    total = u * 0.0
    for c in reversed(coefficients):
        total = total * u + c
    return total
