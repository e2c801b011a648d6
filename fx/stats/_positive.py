"""Distributions on a half line or an interval: expon, gamma, chi2, beta, pareto, uniform, lognorm."""

from __future__ import annotations

import math
from typing import Any

import fx.numpy as fnp

from ..special import (
    betainc,
    betaincc,
    betaincinv,
    betaln,
    digamma,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    log_ndtr,
    ndtr,
    ndtri,
    xlog1py,
    xlogy,
)
from ._base import INF, Continuous, log1mexp, log_of, log_power

_TERMS = 24
"""Of series and continued fractions that stand for probabilities too small for their dtype."""


class Expon(Continuous):
    """exp(-z), z >= 0."""

    name = "expon"

    def support(self) -> tuple[Any, Any]:
        return 0.0, INF

    def _logpdf(self, z: Any) -> Any:
        return -z

    def _cdf(self, z: Any) -> Any:
        return -fnp.expm1(-z)

    def _logcdf(self, z: Any) -> Any:
        return log1mexp(z)

    def _sf(self, z: Any) -> Any:
        return fnp.exp(-z)

    def _logsf(self, z: Any) -> Any:
        return -z

    def _ppf(self, q: Any) -> Any:
        return -fnp.log1p(-q)

    def _isf(self, q: Any) -> Any:
        return -fnp.log(q)

    def _entropy(self) -> Any:
        return 1.0


class Gamma(Continuous):
    """z**(a - 1) exp(-z) / gamma(a), z >= 0."""

    name = "gamma"
    shapes = ("a",)

    def valid(self, a: Any) -> Any:
        return a > 0

    def support(self, a: Any) -> tuple[Any, Any]:
        return 0.0, INF

    def _logpdf(self, z: Any, a: Any) -> Any:
        return log_power(a - 1, z, xlogy) - z - gammaln(a)

    def _cdf(self, z: Any, a: Any) -> Any:
        return gammainc(a, z)

    def _sf(self, z: Any, a: Any) -> Any:
        return gammaincc(a, z)

    def _logcdf(self, z: Any, a: Any) -> Any:
        tail = lambda z: self._logpdf(z, a) + fnp.log(z / a) + fnp.log(_lower_series(a, z))
        return log_or(gammainc(a, z), gammaincc(a, z), tail, z, fnp.minimum(1.0, 0.5 * a))

    def _logsf(self, z: Any, a: Any) -> Any:
        tail = lambda z: self._logpdf(z, a) + fnp.log(z) - fnp.log(_upper_fraction(a, z))
        return log_or(gammaincc(a, z), gammainc(a, z), tail, z, 2 * a + 10)

    def _ppf(self, q: Any, a: Any) -> Any:
        return gammaincinv(a, q)

    def _isf(self, q: Any, a: Any) -> Any:
        return gammainccinv(a, q)

    def _entropy(self, a: Any) -> Any:
        return a + gammaln(a) + (1 - a) * digamma(a)


class Chi2(Continuous):
    """Gamma of shape df / 2 and scale 2."""

    name = "chi2"
    shapes = ("df",)

    def valid(self, df: Any) -> Any:
        return df > 0

    def support(self, df: Any) -> tuple[Any, Any]:
        return 0.0, INF

    def _logpdf(self, z: Any, df: Any) -> Any:
        return gamma._logpdf(0.5 * z, 0.5 * df) - math.log(2)

    def _cdf(self, z: Any, df: Any) -> Any:
        return gamma._cdf(0.5 * z, 0.5 * df)

    def _sf(self, z: Any, df: Any) -> Any:
        return gamma._sf(0.5 * z, 0.5 * df)

    def _logcdf(self, z: Any, df: Any) -> Any:
        return gamma._logcdf(0.5 * z, 0.5 * df)

    def _logsf(self, z: Any, df: Any) -> Any:
        return gamma._logsf(0.5 * z, 0.5 * df)

    def _ppf(self, q: Any, df: Any) -> Any:
        return 2 * gamma._ppf(q, 0.5 * df)

    def _isf(self, q: Any, df: Any) -> Any:
        return 2 * gamma._isf(q, 0.5 * df)

    def _entropy(self, df: Any) -> Any:
        return gamma._entropy(0.5 * df) + math.log(2)


class Beta(Continuous):
    """z**(a - 1) (1 - z)**(b - 1) / beta(a, b), 0 <= z <= 1."""

    name = "beta"
    shapes = ("a", "b")

    def valid(self, a: Any, b: Any) -> Any:
        return (a > 0) & (b > 0)

    def support(self, a: Any, b: Any) -> tuple[Any, Any]:
        return 0.0, 1.0

    def _logpdf(self, z: Any, a: Any, b: Any) -> Any:
        return log_power(a - 1, z, xlogy) + log_power(b - 1, -z, xlog1py) - betaln(a, b)

    def _cdf(self, z: Any, a: Any, b: Any) -> Any:
        return betainc(a, b, z)

    def _sf(self, z: Any, a: Any, b: Any) -> Any:
        return betaincc(a, b, z)

    def _logcdf(self, z: Any, a: Any, b: Any) -> Any:
        return log_or(
            betainc(a, b, z), betaincc(a, b, z), lambda z: log_beta_tail(z, fnp.log(z), a, b), z, 0.5
        )

    def _logsf(self, z: Any, a: Any, b: Any) -> Any:
        return log_or(
            betaincc(a, b, z), betainc(a, b, z), lambda z: log_beta_tail(1 - z, fnp.log1p(-z), b, a), z, 0.5
        )

    def _ppf(self, q: Any, a: Any, b: Any) -> Any:
        return betaincinv(a, b, q)

    def _isf(self, q: Any, a: Any, b: Any) -> Any:
        low = q < 0.5
        upper, lower = betaincinv(b, a, fnp.where(low, q, 0.5)), betaincinv(a, b, fnp.where(low, 0.5, 1 - q))
        return fnp.where(low, 1 - upper, lower)

    def _entropy(self, a: Any, b: Any) -> Any:
        return betaln(a, b) - (a - 1) * digamma(a) - (b - 1) * digamma(b) + (a + b - 2) * digamma(a + b)


class Pareto(Continuous):
    """b / z**(b + 1), z >= 1."""

    name = "pareto"
    shapes = ("b",)

    def valid(self, b: Any) -> Any:
        return b > 0

    def support(self, b: Any) -> tuple[Any, Any]:
        return 1.0, INF

    def inner(self, b: Any) -> Any:
        return 2.0

    def _logpdf(self, z: Any, b: Any) -> Any:
        return fnp.log(b) - (b + 1) * fnp.log(z)

    def _cdf(self, z: Any, b: Any) -> Any:
        return -fnp.expm1(-b * fnp.log(z))

    def _logcdf(self, z: Any, b: Any) -> Any:
        return log1mexp(b * fnp.log(z))

    def _sf(self, z: Any, b: Any) -> Any:
        return z**-b

    def _logsf(self, z: Any, b: Any) -> Any:
        return -b * fnp.log(z)

    def _ppf(self, q: Any, b: Any) -> Any:
        return fnp.exp(-fnp.log1p(-q) / b)

    def _isf(self, q: Any, b: Any) -> Any:
        return q ** (-1 / b)

    def _entropy(self, b: Any) -> Any:
        return 1 + 1 / b - fnp.log(b)


class Uniform(Continuous):
    """1 for 0 <= z <= 1."""

    name = "uniform"

    def support(self) -> tuple[Any, Any]:
        return 0.0, 1.0

    def _logpdf(self, z: Any) -> Any:
        return 0.0 * z

    def _cdf(self, z: Any) -> Any:
        return z

    def _sf(self, z: Any) -> Any:
        return 1 - z

    def _logsf(self, z: Any) -> Any:
        return fnp.log1p(-z)

    def _ppf(self, q: Any) -> Any:
        return q

    def _entropy(self) -> Any:
        return 0.0


class LogNorm(Continuous):
    """The exponential of a normal variable of mean 0 and deviation s."""

    name = "lognorm"
    shapes = ("s",)

    def valid(self, s: Any) -> Any:
        return s > 0

    def support(self, s: Any) -> tuple[Any, Any]:
        return 0.0, INF

    def _logpdf(self, z: Any, s: Any) -> Any:
        zero = z == 0
        w = fnp.log(fnp.where(zero, 1.0, z))
        value = -0.5 * fnp.square(w / s) - w - fnp.log(s) - 0.5 * math.log(2 * math.pi)
        return fnp.where(zero, -INF, value)

    def _cdf(self, z: Any, s: Any) -> Any:
        return ndtr(fnp.log(z) / s)

    def _sf(self, z: Any, s: Any) -> Any:
        return ndtr(-fnp.log(z) / s)

    def _logcdf(self, z: Any, s: Any) -> Any:
        return log_ndtr(fnp.log(z) / s)

    def _logsf(self, z: Any, s: Any) -> Any:
        return log_ndtr(-fnp.log(z) / s)

    def _ppf(self, q: Any, s: Any) -> Any:
        return fnp.exp(s * ndtri(q))

    def _isf(self, q: Any, s: Any) -> Any:
        return fnp.exp(-s * ndtri(q))

    def _entropy(self, s: Any) -> Any:
        return 0.5 * (1 + math.log(2 * math.pi)) + fnp.log(s)


# Tails


def log_or(p: Any, rest: Any, tail: Any, z: Any, usual: Any) -> Any:
    """log(p), and tail(z) where p has lost digits to underflow; elsewhere the tail is asked at a point it takes."""
    lost = p < 8 * fnp.finfo(p.dtype).tiny
    return fnp.where(lost, tail(fnp.where(lost, z, usual)), log_of(fnp.where(lost, 1.0, p), rest))


def _lower_series(a: Any, z: Any) -> Any:
    """P(a, z) gamma(a + 1) / (z**a exp(-z)), z < a (DLMF 8.7.1); the rest of the sum as a geometric one."""
    total = 1 / (1 - z / (a + _TERMS))
    for n in range(_TERMS - 1, 0, -1):
        total = 1 + z / (a + n) * total
    return total


def _upper_fraction(a: Any, z: Any) -> Any:
    """z**a exp(-z) / (Q(a, z) gamma(a)), z > a (DLMF 8.9.2)."""
    value = z + (2 * _TERMS + 1) - a
    for n in range(_TERMS, 0, -1):
        value = z + (2 * n - 1) - a + n * (a - n) / value
    return value


def log_beta_tail(z: Any, log_z: Any, a: Any, b: Any) -> Any:
    """log of betainc(a, b, z) next to z = 0 (DLMF 8.17.8)."""
    total = 1 / (1 - z * ((a + b + _TERMS - 1) / (a + _TERMS)))
    for n in range(_TERMS - 1, 0, -1):
        total = 1 + z * ((a + b + n - 1) / (a + n)) * total
    return a * log_z + xlog1py(b, -z) - betaln(a, b) - fnp.log(a) + fnp.log(total)


expon = Expon()
gamma = Gamma()
chi2 = Chi2()
beta = Beta()
pareto = Pareto()
uniform = Uniform()
lognorm = LogNorm()
