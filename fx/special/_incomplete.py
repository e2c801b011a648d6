"""The regularized incomplete gamma and beta functions, their inverses, and derivatives by their parameters.

All are differentiable in all arguments, to any order.
"""

from __future__ import annotations

from typing import Any

from ..core.array import Array
from ..primitives import special_incomplete as prim
from ._call import call


def gammainc(a: Any, x: Any) -> Array:
    """The regularized lower incomplete gamma function: the distribution function of Gamma(a) at x.

    a >= 0 and x >= 0, NaN elsewhere.
    """
    return call(prim.gammainc, a, x)


def gammaincc(a: Any, x: Any) -> Array:
    """1 - gammainc(a, x), accurate where that is close to 0."""
    return call(prim.gammaincc, a, x)


def gammaincinv(a: Any, y: Any) -> Array:
    """The x with gammainc(a, x) = y."""
    return call(prim.gammaincinv, a, y)


def gammainccinv(a: Any, y: Any) -> Array:
    """The x with gammaincc(a, x) = y."""
    return call(prim.gammainccinv, a, y)


def igamma_grad_a(a: Any, x: Any) -> Array:
    """The derivative of gammainc(a, x) by a."""
    return call(prim.igamma_grad, a, x, n=1)


def random_gamma_grad(a: Any, sample: Any) -> Array:
    """The derivative by a of a draw of Gamma(a) when the uniform number that it is the quantile of is held fixed.

    It is minus the derivative of gammainc(a, sample) by a over the density (Figurnov, Mohamed, Mnih 2018); tails in
    which both vanish are no exception.
    """
    return -call(prim.igamma_ratio, a, sample, n=1)


def betainc(a: Any, b: Any, x: Any) -> Array:
    """The regularized incomplete beta function: the distribution function of Beta(a, b) at x.

    a > 0, b > 0 and 0 <= x <= 1, NaN elsewhere.
    """
    return call(prim.betainc, a, b, x)


def betaincc(a: Any, b: Any, x: Any) -> Array:
    """1 - betainc(a, b, x), accurate where that is close to 0."""
    return call(prim.betaincc, a, b, x)


def betaincinv(a: Any, b: Any, y: Any) -> Array:
    """The x with betainc(a, b, x) = y."""
    return call(prim.betaincinv, a, b, y)
