"""Distributions of whole numbers: bernoulli, binom, betabinom, geom, nbinom, poisson, hypergeom."""

from __future__ import annotations

import math
from typing import Any

import fx.numpy as fnp

from ..lax import while_loop
from ..special import betainc, betaincc, betaln, gammainc, gammaincc, gammaln, xlog1py, xlogy
from ._base import INF, Discrete, log1mexp
from ._positive import beta, gamma


class Bernoulli(Discrete):
    """1 with probability p, else 0."""

    name = "bernoulli"
    shapes = ("p",)

    def valid(self, p: Any) -> Any:
        return (p >= 0) & (p <= 1)

    def support(self, p: Any) -> tuple[Any, Any]:
        return 0.0, 1.0

    def _logpmf(self, k: Any, p: Any) -> Any:
        return xlogy(k, p) + xlog1py(1 - k, -p)

    def _cdf(self, k: Any, p: Any) -> Any:
        return 1 - p + 0 * k

    def _sf(self, k: Any, p: Any) -> Any:
        return p + 0 * k

    def _ppf(self, q: Any, p: Any) -> Any:
        return fnp.where(q <= 1 - p, 0.0 * q, 1.0)

    def _isf(self, q: Any, p: Any) -> Any:
        return fnp.where(q >= p, 0.0 * q, 1.0)


class Binom(Discrete):
    """How many of n trials succeed, each with probability p."""

    name = "binom"
    shapes = ("n", "p")

    def valid(self, n: Any, p: Any) -> Any:
        return (n >= 0) & (fnp.floor(n) == n) & (p >= 0) & (p <= 1)

    def support(self, n: Any, p: Any) -> tuple[Any, Any]:
        return 0.0, n

    def _moments(self, n: Any, p: Any) -> tuple[Any, Any, Any]:
        deviation = fnp.sqrt(n * p * (1 - p))
        return n * p, deviation, (1 - 2 * p) / _above_zero(deviation)

    def _logpmf(self, k: Any, n: Any, p: Any) -> Any:
        return _log_comb(n, k) + xlogy(k, p) + xlog1py(n - k, -p)

    def _cdf(self, k: Any, n: Any, p: Any) -> Any:
        return betaincc(k + 1, _above_zero(n - k), p)

    def _sf(self, k: Any, n: Any, p: Any) -> Any:
        return betainc(k + 1, _above_zero(n - k), p)

    def _logcdf(self, k: Any, n: Any, p: Any) -> Any:
        return beta._logsf(p, k + 1, _above_zero(n - k))

    def _logsf(self, k: Any, n: Any, p: Any) -> Any:
        return beta._logcdf(p, k + 1, _above_zero(n - k))


class BetaBinom(Discrete):
    """Binomial of n trials, whose probability has a beta distribution of a and b."""

    name = "betabinom"
    shapes = ("n", "a", "b")
    functions = ("logpmf", "pmf")

    def valid(self, n: Any, a: Any, b: Any) -> Any:
        return (n >= 0) & (fnp.floor(n) == n) & (a > 0) & (b > 0)

    def support(self, n: Any, a: Any, b: Any) -> tuple[Any, Any]:
        return 0.0, n

    def _logpmf(self, k: Any, n: Any, a: Any, b: Any) -> Any:
        return _log_comb(n, k) + betaln(k + a, n - k + b) - betaln(a, b)


class Geom(Discrete):
    """The number of trials up to the first success, each of probability p."""

    name = "geom"
    shapes = ("p",)

    def valid(self, p: Any) -> Any:
        return (p > 0) & (p <= 1)

    def support(self, p: Any) -> tuple[Any, Any]:
        return 1.0, INF

    def _logpmf(self, k: Any, p: Any) -> Any:
        return xlog1py(k - 1, -p) + fnp.log(p)

    def _cdf(self, k: Any, p: Any) -> Any:
        return -fnp.expm1(xlog1py(k, -p))

    def _sf(self, k: Any, p: Any) -> Any:
        return fnp.exp(xlog1py(k, -p))

    def _logcdf(self, k: Any, p: Any) -> Any:
        return log1mexp(-xlog1py(k, -p))

    def _logsf(self, k: Any, p: Any) -> Any:
        return xlog1py(k, -p)

    def _moments(self, p: Any) -> tuple[Any, Any, Any]:
        root = fnp.sqrt(1 - p)
        return 1 / p, root / p, (2 - p) / _above_zero(root)


class NBinom(Discrete):
    """The number of failures before the n-th success, each of probability p."""

    name = "nbinom"
    shapes = ("n", "p")

    def valid(self, n: Any, p: Any) -> Any:
        return (n > 0) & (p > 0) & (p <= 1)

    def support(self, n: Any, p: Any) -> tuple[Any, Any]:
        return 0.0, INF

    def _moments(self, n: Any, p: Any) -> tuple[Any, Any, Any]:
        root = fnp.sqrt(n * (1 - p))
        return n * (1 - p) / p, root / p, (2 - p) / _above_zero(root)

    def _logpmf(self, k: Any, n: Any, p: Any) -> Any:
        return -fnp.log(n + k) - betaln(n, k + 1) + n * fnp.log(p) + xlog1py(k, -p)

    def _cdf(self, k: Any, n: Any, p: Any) -> Any:
        return betainc(n, k + 1, p)

    def _sf(self, k: Any, n: Any, p: Any) -> Any:
        return betaincc(n, k + 1, p)

    def _logcdf(self, k: Any, n: Any, p: Any) -> Any:
        return beta._logcdf(p, n, k + 1)

    def _logsf(self, k: Any, n: Any, p: Any) -> Any:
        return beta._logsf(p, n, k + 1)


class Poisson(Discrete):
    """mu**k exp(-mu) / k!."""

    name = "poisson"
    shapes = ("mu",)
    functions = (*Discrete.functions, "entropy")

    def valid(self, mu: Any) -> Any:
        return mu >= 0

    def support(self, mu: Any) -> tuple[Any, Any]:
        return 0.0, INF

    def _moments(self, mu: Any) -> tuple[Any, Any, Any]:
        return mu, fnp.sqrt(mu), 1 / _above_zero(fnp.sqrt(mu))

    def _logpmf(self, k: Any, mu: Any) -> Any:
        return xlogy(k, mu) - gammaln(k + 1) - mu

    def _cdf(self, k: Any, mu: Any) -> Any:
        return gammaincc(k + 1, mu)

    def _sf(self, k: Any, mu: Any) -> Any:
        return gammainc(k + 1, mu)

    def _logcdf(self, k: Any, mu: Any) -> Any:
        return gamma._logsf(mu, k + 1)

    def _logsf(self, k: Any, mu: Any) -> Any:
        return gamma._logcdf(mu, k + 1)

    def at_entropy(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        """The sum of its terms up to mu = 100, beyond that its asymptotic series (Evans and Boersma, 1988)."""
        (mu,) = shapes
        large = mu > 100
        small = fnp.where(large, 1.0, mu)[..., None]
        logs = self._logpmf(fnp.arange(220, dtype=mu.dtype), small)
        summed = -fnp.sum(fnp.exp(logs) * fnp.where(logs == -INF, 0.0, logs), axis=-1)
        wide = fnp.where(large, mu, 100.0)
        series = (1 / 12 + (1 / 24 + 19 / (360 * wide)) / wide) / wide
        value = fnp.where(large, 0.5 * fnp.log(2 * math.pi * math.e * wide) - series, summed)
        return self._checked(value + 0 * loc, shapes)


class HyperGeom(Discrete):
    """How many of N things, drawn without replacement from M, are among the n that are of one kind."""

    name = "hypergeom"
    shapes = ("M", "n", "N")

    def valid(self, M: Any, n: Any, N: Any) -> Any:
        whole = (fnp.floor(M) == M) & (fnp.floor(n) == n) & (fnp.floor(N) == N)
        return whole & (n >= 0) & (N >= 0) & (n <= M) & (N <= M)

    def support(self, M: Any, n: Any, N: Any) -> tuple[Any, Any]:
        return fnp.maximum(0, N - (M - n)), fnp.minimum(n, N)

    def _moments(self, M: Any, n: Any, N: Any) -> tuple[Any, Any, Any]:
        all_, rest = _above_zero(M), _above_zero(M - 1)
        variance = N * (n / all_) * ((M - n) / all_) * ((M - N) / rest)
        return N * (n / all_), fnp.sqrt(variance), 0.0

    def _logpmf(self, k: Any, M: Any, n: Any, N: Any) -> Any:
        return _log_comb(n, k) + _log_comb(M - n, N - k) - _log_comb(M, N)

    def _cdf(self, k: Any, *shapes: Any) -> Any:
        return fnp.exp(self._logcdf(k, *shapes))

    def _sf(self, k: Any, *shapes: Any) -> Any:
        return fnp.exp(self._logsf(k, *shapes))

    def _logcdf(self, k: Any, *shapes: Any) -> Any:
        below, low, high = self._tails(k, *shapes)
        return fnp.where(below, low, fnp.log1p(-fnp.exp(high)))

    def _logsf(self, k: Any, *shapes: Any) -> Any:
        below, low, high = self._tails(k, *shapes)
        return fnp.where(below, fnp.log1p(-fnp.exp(low)), high)

    def _tails(self, k: Any, M: Any, n: Any, N: Any) -> tuple[Any, Any, Any]:
        """Whether k is below the mean; the logarithm of the lower tail there, and of the upper one elsewhere."""
        below = k < N * (n / _above_zero(M))
        low = self._lower(fnp.where(below, k, fnp.maximum(0, N - (M - n))), M, n, N)
        left = fnp.where(below, fnp.maximum(0, n - N), n - k - 1)  # of the kind, among those not drawn
        return below, fnp.where(below, low, -1.0), fnp.where(below, -1.0, self._lower(left, M, n, M - N))

    def _lower(self, k: Any, M: Any, n: Any, N: Any) -> Any:
        """log of the probability of values up to k: terms relative to the last one, until they vanish."""

        def add(state: Any) -> Any:
            j, term, total = state
            term = term * (j * (M - n - N + j) / ((n - j + 1) * (N - j + 1)))
            return j - 1, term, total + term

        more = lambda state: (state[1] > 0.1 * fnp.finfo(k.dtype).eps * state[2]).any()
        k = fnp.broadcast_arrays(k, M, n, N)[0]
        one = fnp.ones_like(k)
        return self._logpmf(k, M, n, N) + fnp.log(while_loop(more, add, (k, one, one))[2])


def _log_comb(n: Any, k: Any) -> Any:
    return -fnp.log(n + 1) - betaln(n - k + 1, k + 1)


def _above_zero(x: Any) -> Any:
    """x, and 1 for 0, which is asked for only where the result is not taken."""
    return fnp.where(x <= 0, 1.0, x)


bernoulli = Bernoulli()
binom = Binom()
betabinom = BetaBinom()
geom = Geom()
nbinom = NBinom()
poisson = Poisson()
hypergeom = HyperGeom()
