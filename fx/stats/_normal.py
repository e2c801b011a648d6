"""The normal distribution, and the one cut off at both ends."""

from __future__ import annotations

import math
from typing import Any

import fx.numpy as fnp

from ..special import log_ndtr, ndtr, ndtri, ndtri_exp
from ._base import INF, Continuous, log, log1mexp

_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


class Norm(Continuous):
    """exp(-z**2 / 2) / sqrt(2 pi)."""

    name = "norm"
    symmetric = True

    def _logpdf(self, z: Any) -> Any:
        return -0.5 * z * z - _LOG_ROOT_TWO_PI

    def _cdf(self, z: Any) -> Any:
        return ndtr(z)

    def _logcdf(self, z: Any) -> Any:
        return log_ndtr(z)

    def _ppf(self, q: Any) -> Any:
        return ndtri(q)

    def _entropy(self) -> Any:
        return _LOG_ROOT_TWO_PI + 0.5

    def inner(self) -> Any:
        return 0.0


class TruncNorm(Continuous):
    """A normal variable, given that it lies in [a, b]; a and b count from loc in units of scale."""

    name = "truncnorm"
    shapes = ("a", "b")
    functions = ("logpdf", "pdf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")

    def valid(self, a: Any, b: Any) -> Any:
        return a < b

    def support(self, a: Any, b: Any) -> tuple[Any, Any]:
        return a, b

    def inner(self, a: Any, b: Any) -> Any:
        low, high = (
            fnp.where(a == -INF, fnp.minimum(b, 0) - 1, a),
            fnp.where(b == INF, fnp.maximum(a, 0) + 1, b),
        )
        return 0.5 * low + 0.5 * high

    def _logpdf(self, z: Any, a: Any, b: Any) -> Any:
        return norm._logpdf(z) - _log_mass(a, b)

    def _cdf(self, z: Any, a: Any, b: Any) -> Any:
        return fnp.exp(self._logcdf(z, a, b))

    def _sf(self, z: Any, a: Any, b: Any) -> Any:
        return fnp.exp(self._logsf(z, a, b))

    def _logcdf(self, z: Any, a: Any, b: Any) -> Any:
        return _log_part(a, z, b)

    def _logsf(self, z: Any, a: Any, b: Any) -> Any:
        return _log_part(-b, -z, -a)

    def _isf(self, q: Any, a: Any, b: Any) -> Any:
        return -self._ppf(q, -b, -a)

    def _ppf(self, q: Any, a: Any, b: Any) -> Any:
        """Through logarithms of the normal distribution function, or of its complement where it is near 1."""
        right = a > 0
        low, high = _bounded(fnp.where(right, -b, a), fnp.where(right, -a, b))
        p = fnp.where(right, 1 - q, q)
        mass = _log_mass(a, b)
        up = fnp.logaddexp(log_ndtr(low), log(p) + mass)
        down = fnp.logaddexp(log_ndtr(-high), log(1 - p) + mass)
        left = up < math.log(0.75)
        z = fnp.where(left, ndtri_exp(fnp.where(left, up, -1.0)), -ndtri_exp(fnp.where(left, -1.0, down)))
        return fnp.clip(fnp.where(right, -z, z), a, b)


def _log_part(a: Any, z: Any, b: Any) -> Any:
    """Logarithm of the part of the mass in [a, b] that lies below z: directly, or from the part above it."""
    mass = _log_mass(a, b)
    below, above = fnp.minimum(_log_mass(a, z) - mass, 0), fnp.minimum(_log_mass(z, b) - mass, 0)
    large = above < below
    return fnp.where(large, log1mexp(-fnp.where(large, above, -1.0)), below)


def _log_mass(a: Any, b: Any) -> Any:
    """log(ndtr(b) - ndtr(a)) for a <= b: on the side of 0 where both are small, or from what is left of 1."""
    right = a > 0
    low, high = _bounded(fnp.where(right, -b, a), fnp.where(right, -a, b))
    beyond = high > 0
    above = fnp.log1p(-ndtr(fnp.where(beyond, low, -1.0)) - ndtr(-fnp.where(beyond, high, 1.0)))
    upper, lower = log_ndtr(fnp.where(beyond, 0.0, high)), log_ndtr(fnp.where(beyond, -1.0, low))
    return fnp.where(beyond, above, upper + log1mexp(fnp.where(lower >= upper, 0.0, upper - lower)))


def _bounded(a: Any, b: Any) -> tuple[Any, Any]:
    """The ends, infinite ones by numbers beyond which nothing lies and where derivatives are finite."""
    return fnp.where(a == -INF, -1e15, a), fnp.where(b == INF, 1e15, b)


norm = Norm()
truncnorm = TruncNorm()
