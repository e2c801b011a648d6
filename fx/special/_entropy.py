"""x log(y) and the entropies made of it: 0 log(0) is 0.

So is there, by convention, its derivative by x, which has no finite value: gradients through probabilities that
underflow stay finite.
"""

from __future__ import annotations

from typing import Any

import fx.numpy as fnp

from ..core.array import Array
from ..core.transforms.custom_jvp import custom_jvp
from ._call import inexact, real

_INF = float("inf")


def xlogy(x: Any, y: Any) -> Array:
    """x log(y), 0 where x is 0 and y is not NaN; of real or complex numbers."""
    return _xlogy(*inexact(x, y))


@custom_jvp
def _xlogy(x: Array, y: Array) -> Array:
    vanishes = (x == 0) & ~fnp.isnan(y)
    return fnp.where(vanishes, 0.0, x * fnp.log(fnp.where(vanishes, 1.0, y)))


@_xlogy.defjvp
def _xlogy_jvp(primals: Any, tangents: Any) -> Any:
    (x, y), (dx, dy) = primals, tangents
    return _xlogy(x, y), dx * _log_beside(x, y) + dy * _quotient(x, y)


def _log_beside(x: Array, y: Array) -> Array:
    """log(y), 0 where x and y are 0."""
    return fnp.log(fnp.where((x == 0) & (y == 0), 1.0, y))


def _quotient(x: Array, y: Array) -> Array:
    """x / y, 0 where x is 0."""
    vanishes = x == 0
    return fnp.where(vanishes, 0.0, x / fnp.where(vanishes, 1.0, y))


def xlog1py(x: Any, y: Any) -> Array:
    """x log(1 + y), 0 where x is 0 and y is not NaN; of real or complex numbers."""
    return _xlog1py(*inexact(x, y))


@custom_jvp
def _xlog1py(x: Array, y: Array) -> Array:
    vanishes = (x == 0) & ~fnp.isnan(y)
    return fnp.where(vanishes, 0.0, x * fnp.log1p(fnp.where(vanishes, 0.0, y)))


@_xlog1py.defjvp
def _xlog1py_jvp(primals: Any, tangents: Any) -> Any:
    (x, y), (dx, dy) = primals, tangents
    slope = fnp.log1p(fnp.where((x == 0) & (y == -1), 0.0, y))
    return _xlog1py(x, y), dx * slope + dy * _quotient(x, 1.0 + y)


def entr(x: Any) -> Array:
    """-x log(x); 0 at 0, -inf below."""
    return _entr(*real("entr", x))


@custom_jvp
def _entr(x: Array) -> Array:
    positive = x > 0
    usual = x * -fnp.log(fnp.where(positive, x, 1.0))
    return fnp.where(positive | fnp.isnan(x), usual, fnp.where(x == 0, 0.0, -_INF))


@_entr.defjvp
def _entr_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    zero = x == 0
    return _entr(x), dx * fnp.where(zero, 0.0, -1.0 - fnp.log(fnp.where(zero, 1.0, x)))


def rel_entr(p: Any, q: Any) -> Array:
    """p log(p / q) for positive p and q; 0 for p = 0 <= q, inf elsewhere."""
    return _rel_entr(*real("rel_entr", p, q))


@custom_jvp
def _rel_entr(p: Array, q: Array) -> Array:
    positive, p_safe, q_safe = _inside(p, q)
    return _at_edges(positive, p_safe * _log_ratio(p_safe, q_safe), p, q, 0.0)


@_rel_entr.defjvp
def _rel_entr_jvp(primals: Any, tangents: Any) -> Any:
    (p, q), (dp, dq) = primals, tangents
    return _rel_entr(p, q), dp * _slope(p, q, 1.0) - dq * _quotient(p, q)


def kl_div(p: Any, q: Any) -> Array:
    """p log(p / q) - p + q for positive p and q; q for p = 0 <= q, inf elsewhere."""
    return _kl_div(*real("kl_div", p, q))


@custom_jvp
def _kl_div(p: Array, q: Array) -> Array:
    positive, p_safe, q_safe = _inside(p, q)
    r = (p_safe - q_safe) / (p_safe + q_safe)
    near = fnp.abs(r) < 1 / 3
    series = q_safe * _second_order(fnp.where(near, r, 0.0))
    usual = p_safe * _log_ratio(p_safe, q_safe) - p_safe + q_safe
    return _at_edges(positive, fnp.where(near, series, usual), p, q, q)


@_kl_div.defjvp
def _kl_div_jvp(primals: Any, tangents: Any) -> Any:
    (p, q), (dp, dq) = primals, tangents
    return _kl_div(p, q), dp * _slope(p, q, 0.0) + dq * (1.0 - _quotient(p, q))


def _slope(p: Array, q: Array, extra: float) -> Array:
    """log(p / q) + extra, 0 where p is 0."""
    zero = p == 0
    one = fnp.where(zero, 1.0, p)
    return fnp.where(zero, 0.0, _log_ratio(one, fnp.where(zero, 1.0, q)) + extra)


def _second_order(r: Array) -> Array:
    """(1 + d) log(1 + d) - d for d = 2 r / (1 - r), |r| <= 1/3: where p is close to q all else cancels.

    By log(1 + d) = 2 atanh(r) and its power series, whose first term drops out.
    """
    square = r * r
    total = square * 0.0
    for k in range(37, 1, -2):
        total = 1 / k + square * total
    return 2.0 * (square + (1.0 + r) * (r * square * total)) / (1.0 - r)


def _inside(p: Array, q: Array) -> tuple[Array, Array, Array]:
    """Where both are positive, and numbers that are positive everywhere."""
    positive = (p > 0) & (q > 0)
    return positive, fnp.where(positive, p, 1.0), fnp.where(positive, q, 1.0)


def _at_edges(positive: Array, inside: Array, p: Array, q: Array, at_zero: Any) -> Array:
    edge = fnp.where((p == 0) & (q >= 0), at_zero, _INF)
    return fnp.where(positive, inside, fnp.where(fnp.isnan(p) | fnp.isnan(q), p + q, edge))


def _log_ratio(p: Array, q: Array) -> Array:
    """log(p / q), by log1p where they are close and by two logarithms where the quotient is no normal number."""
    ratio = p / q
    near = (ratio > 0.5) & (ratio < 2.0)
    usual = (ratio > float(fnp.finfo(ratio.dtype).tiny)) & (ratio < _INF)
    direct = fnp.where(usual, fnp.log(fnp.where(usual, ratio, 1.0)), fnp.log(p) - fnp.log(q))
    return fnp.where(near, fnp.log1p((p - q) / fnp.where(near, q, 1.0)), direct)
