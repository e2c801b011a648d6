"""Symmetric distributions on the line: cauchy, laplace, logistic, t, gennorm."""

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
    expit,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    log_expit,
    logit,
)
from ._base import Continuous, log1p_square
from ._positive import gamma, log_beta_tail, log_or


class Cauchy(Continuous):
    """1 / (pi (1 + z**2))."""

    name = "cauchy"
    symmetric = True

    def _logpdf(self, z: Any) -> Any:
        return -math.log(math.pi) - log1p_square(z)

    def _cdf(self, z: Any) -> Any:
        return fnp.arctan2(fnp.ones_like(z), -z) / math.pi

    def _ppf(self, q: Any) -> Any:
        low, middle = q < 0.5, abs(q - 0.5) < 0.25
        z = 1 / fnp.tan(math.pi * fnp.where(middle, 0.25, fnp.where(low, q, 1 - q)))
        center = fnp.tan(math.pi * (fnp.where(middle, q, 0.5) - 0.5))
        return fnp.where(middle, center, fnp.where(low, -z, z))

    def _entropy(self) -> Any:
        return math.log(4 * math.pi)


class Laplace(Continuous):
    """exp(-|z|) / 2."""

    name = "laplace"
    symmetric = True

    def _logpdf(self, z: Any) -> Any:
        return -abs(z) - math.log(2)

    def _cdf(self, z: Any) -> Any:
        tail = 0.5 * fnp.exp(-abs(z))
        return fnp.where(z < 0, tail, 1 - tail)

    def _logcdf(self, z: Any) -> Any:
        return fnp.where(z < 0, z - math.log(2), fnp.log1p(-0.5 * fnp.exp(-abs(z))))

    def _ppf(self, q: Any) -> Any:
        low = q < 0.5
        z = fnp.log(2 * fnp.where(low, q, 1 - q))
        return fnp.where(low, z, -z)

    def _entropy(self) -> Any:
        return 1 + math.log(2)


class Logistic(Continuous):
    """exp(-z) / (1 + exp(-z))**2."""

    name = "logistic"
    symmetric = True

    def _logpdf(self, z: Any) -> Any:
        return log_expit(z) + log_expit(-z)

    def _cdf(self, z: Any) -> Any:
        return expit(z)

    def _logcdf(self, z: Any) -> Any:
        return log_expit(z)

    def _ppf(self, q: Any) -> Any:
        return logit(q)

    def _entropy(self) -> Any:
        return 2.0


class T(Continuous):
    """Student's: proportional to (1 + z**2 / df)**(-(df + 1) / 2)."""

    name = "t"
    shapes = ("df",)
    symmetric = True

    def valid(self, df: Any) -> Any:
        return df > 0

    def _logpdf(self, z: Any, df: Any) -> Any:
        power = 0.5 * (df + 1) * log1p_square(z / fnp.sqrt(df))
        return -betaln(0.5 * df, 0.5) - 0.5 * fnp.log(df) - power

    def _cdf(self, z: Any, df: Any) -> Any:
        """By the incomplete beta function of z**2 or df, whichever is smaller, over their sum; linear next to 0."""
        near = abs(z) < fnp.sqrt(fnp.finfo(z.dtype).eps * df)
        w = fnp.where(near, 1.0, z) / fnp.sqrt(df)
        middle = abs(w) < 1
        inside, outside = fnp.square(fnp.where(middle, w, 0.5)), fnp.square(1 / fnp.where(middle, 1.0, w))
        center = betaincc(0.5, 0.5 * df, inside / (1 + inside))
        tail = 0.5 * fnp.where(middle, center, betainc(0.5 * df, 0.5, outside / (1 + outside)))
        value = fnp.where(z < 0, tail, 1 - tail)
        return fnp.where(near, 0.5 + z * self._pdf(fnp.zeros_like(z), df), value)

    def _logcdf(self, z: Any, df: Any) -> Any:
        root = fnp.sqrt(df)
        return log_or(self._cdf(z, df), self._cdf(-z, df), lambda z: _log_t_tail(z / root, df), z, -10 * root)

    def _ppf(self, q: Any, df: Any) -> Any:
        low = q < 0.5
        p = 2 * fnp.where(low, q, 1 - q)
        middle = p > 0.1
        near = 1 - p < 4 * fnp.finfo(p.dtype).eps
        inside = betaincinv(0.5, 0.5 * df, fnp.where(middle & ~near, 1 - p, 0.5))
        outside = betaincinv(0.5 * df, 0.5, fnp.where(middle, 0.5, p))
        size = fnp.sqrt(df * fnp.where(middle, inside / (1 - inside), (1 - outside) / outside))
        linear = (q - 0.5) * fnp.exp(-self._logpdf(fnp.zeros_like(q), df))
        return fnp.where(near, linear, fnp.where(low, -size, size))

    def _entropy(self, df: Any) -> Any:
        half = 0.5 * (df + 1)
        return half * (digamma(half) - digamma(0.5 * df)) + 0.5 * fnp.log(df) + betaln(0.5 * df, 0.5)


class GenNorm(Continuous):
    """Proportional to exp(-|z|**beta): Laplace for beta = 1, normal of variance 1/2 for beta = 2."""

    name = "gennorm"
    shapes = ("beta",)
    symmetric = True

    def valid(self, beta: Any) -> Any:
        return beta > 0

    def _logpdf(self, z: Any, beta: Any) -> Any:
        return fnp.log(0.5 * beta) - gammaln(1 / beta) - _power(z, beta)

    def _cdf(self, z: Any, beta: Any) -> Any:
        y = _power(z, beta)
        near = y < fnp.finfo(z.dtype).eps
        y = fnp.where(near, 1.0, y)
        below = fnp.where(z < 0, 0.5 * gammaincc(1 / beta, y), 0.5 + 0.5 * gammainc(1 / beta, y))
        return fnp.where(near, 0.5 + z * self._pdf(fnp.zeros_like(z), beta), below)

    def _logcdf(self, z: Any, beta: Any) -> Any:
        low = z < 0
        tail = gamma._logsf(_power(fnp.where(low, z, -1.0), beta), 1 / beta) - math.log(2)
        return fnp.where(low, tail, fnp.log1p(-self._cdf(-fnp.where(low, 1.0, z), beta)))

    def _ppf(self, q: Any, beta: Any) -> Any:
        low = q < 0.5
        p = 2 * fnp.where(low, q, 1 - q)
        middle = p > 0.5
        near = 1 - p < 4 * fnp.finfo(p.dtype).eps
        inside = gammaincinv(1 / beta, fnp.where(middle & ~near, 1 - p, 0.5))
        size = fnp.where(middle, inside, gammainccinv(1 / beta, fnp.where(middle, 0.5, p))) ** (1 / beta)
        linear = (q - 0.5) * fnp.exp(-self._logpdf(fnp.zeros_like(q), beta))
        return fnp.where(near, linear, fnp.where(low, -size, size))

    def _entropy(self, beta: Any) -> Any:
        return 1 / beta - fnp.log(0.5 * beta) + gammaln(1 / beta)


def _log_t_tail(w: Any, df: Any) -> Any:
    """log of half of the incomplete beta function at 1 / (1 + w**2)."""
    logs = -log1p_square(w)
    return log_beta_tail(fnp.exp(logs), logs, 0.5 * df, 0.5) - math.log(2)


def _power(z: Any, beta: Any) -> Any:
    """|z|**beta, whose derivative by beta is 0 at z = 0."""
    zero = z == 0
    return fnp.where(zero, 0.0 * z, abs(fnp.where(zero, 1.0, z)) ** beta)


cauchy = Cauchy()
laplace = Laplace()
logistic = Logistic()
t = T()
gennorm = GenNorm()
