"""Largest and smallest values (gumbel_r, gumbel_l), and angles (vonmises, wrapcauchy)."""

from __future__ import annotations

import math
from typing import Any

import fx.numpy as fnp

from ..core.transforms.custom_jvp import custom_jvp
from ..core.transforms.gradient import jvp
from ..lax import fori_loop
from ..special import i0e, i1e, ndtr, ndtri
from ._base import Continuous, log1mexp
from ._quantiles import root_between

_EULER = 0.57721566490153286


class GumbelR(Continuous):
    """exp(-z - exp(-z)): of largest values."""

    name = "gumbel_r"

    def _logpdf(self, z: Any) -> Any:
        return -z - fnp.exp(-z)

    def _cdf(self, z: Any) -> Any:
        return fnp.exp(-_capped_exp(-z))

    def _logcdf(self, z: Any) -> Any:
        return -fnp.exp(-z)

    def _sf(self, z: Any) -> Any:
        return -fnp.expm1(-_capped_exp(-z))

    def _logsf(self, z: Any) -> Any:
        far = z > 700 if z.dtype.itemsize == 8 else z > 80
        return fnp.where(far, -z, log1mexp(_capped_exp(-fnp.where(far, 0.0, z))))

    def _ppf(self, q: Any) -> Any:
        return -fnp.log(-fnp.log(q))

    def _isf(self, q: Any) -> Any:
        return -fnp.log(-fnp.log1p(-q))

    def _entropy(self) -> Any:
        return _EULER + 1


class GumbelL(Continuous):
    """exp(z - exp(z)): of smallest values."""

    name = "gumbel_l"

    def _logpdf(self, z: Any) -> Any:
        return gumbel_r._logpdf(-z)

    def _cdf(self, z: Any) -> Any:
        return gumbel_r._sf(-z)

    def _logcdf(self, z: Any) -> Any:
        return gumbel_r._logsf(-z)

    def _sf(self, z: Any) -> Any:
        return gumbel_r._cdf(-z)

    def _logsf(self, z: Any) -> Any:
        return gumbel_r._logcdf(-z)

    def _ppf(self, q: Any) -> Any:
        return -gumbel_r._isf(q)

    def _isf(self, q: Any) -> Any:
        return -gumbel_r._ppf(q)

    def _entropy(self) -> Any:
        return _EULER + 1


class VonMises(Continuous):
    """exp(kappa cos(z)) / (2 pi i0(kappa)), an angle: cdf(z + 2 pi) is cdf(z) + 1, quantiles are in [-pi, pi]."""

    name = "vonmises"
    shapes = ("kappa",)
    functions = ("logpdf", "pdf", "cdf", "sf", "ppf", "isf", "entropy")
    symmetric = True

    def valid(self, kappa: Any) -> Any:
        return kappa >= 0

    def _logpdf(self, z: Any, kappa: Any) -> Any:
        return -2 * kappa * fnp.square(fnp.sin(0.5 * z)) - fnp.log(2 * math.pi * i0e(kappa))

    def at_cdf(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._checked(self._cdf((x - loc) / scale, *shapes), shapes, scale)

    def at_sf(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._checked(self._cdf((loc - x) / scale, *shapes), shapes, scale)

    def at_ppf(self, q: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._quantile(self._ppf, q, shapes, loc, scale, -math.pi, math.pi)

    def at_isf(self, q: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._quantile(self._isf, q, shapes, loc, scale, math.pi, -math.pi)

    def _cdf(self, z: Any, kappa: Any) -> Any:
        far = fnp.isinf(z)
        near = fnp.where(far, 0.0, z)
        turns = fnp.floor(near / (2 * math.pi) + 0.5)
        value = turns + _vonmises_cdf(near - 2 * math.pi * turns, kappa)
        return fnp.where(far, fnp.heaviside(z, 0.5), value)

    def _ppf(self, q: Any, kappa: Any) -> Any:
        upper = q > 0.5
        z = _vonmises_quantile(fnp.where(upper, 1 - q, q), kappa)
        return fnp.where(upper, -z, z)

    def _entropy(self, kappa: Any) -> Any:
        return kappa * (1 - i1e(kappa) / i0e(kappa)) + fnp.log(2 * math.pi * i0e(kappa))


class WrapCauchy(Continuous):
    """(1 - c**2) / (2 pi (1 + c**2 - 2 c cos(z))), 0 <= z <= 2 pi: a Cauchy variable as an angle."""

    name = "wrapcauchy"
    shapes = ("c",)

    def valid(self, c: Any) -> Any:
        return (c > 0) & (c < 1)

    def support(self, c: Any) -> tuple[Any, Any]:
        return 0.0, 2 * math.pi

    def _logpdf(self, z: Any, c: Any) -> Any:
        width = fnp.square(1 - c) + 4 * c * fnp.square(fnp.sin(0.5 * z))
        return fnp.log1p(-c * c) - math.log(2 * math.pi) - fnp.log(width)

    def _cdf(self, z: Any, c: Any) -> Any:
        return fnp.arctan2((1 + c) * fnp.sin(0.5 * z), (1 - c) * fnp.cos(0.5 * z)) / math.pi

    def _sf(self, z: Any, c: Any) -> Any:
        return fnp.arctan2((1 + c) * fnp.sin(0.5 * z), -(1 - c) * fnp.cos(0.5 * z)) / math.pi

    def _ppf(self, q: Any, c: Any) -> Any:
        return 2 * fnp.arctan2((1 - c) * fnp.sin(math.pi * q), (1 + c) * fnp.cos(math.pi * q))

    def _entropy(self, c: Any) -> Any:
        return math.log(2 * math.pi) + fnp.log1p(-c * c)


_MANY = 50.0
"""From this kappa on, the distribution is nearly normal."""
_TERMS = 64
"""Of the Fourier series: I_64(50) / I_0(50) is 1e-18."""


@custom_jvp
def _vonmises_cdf(z: Any, kappa: Any) -> Any:
    """For -pi <= z <= pi."""
    near = kappa < _MANY
    series = _fourier(z, fnp.where(near, kappa, 1.0))
    return fnp.where(near, series, _nearly_normal(z, fnp.where(near, _MANY, kappa)))


@_vonmises_cdf.defjvp
def _vonmises_cdf_jvp(primals: Any, tangents: Any) -> Any:
    (z, kappa), (dz, dkappa) = primals, tangents
    value, by_kappa = jvp(lambda kappa: _vonmises_cdf.fun(z, kappa), (kappa,), (dkappa,))
    return value, vonmises._pdf(z, kappa) * dz + by_kappa


@custom_jvp
def _vonmises_quantile(q: Any, kappa: Any) -> Any:
    """For 0 < q <= 1/2."""
    wide = kappa < 1
    normal = ndtri(q) / fnp.sqrt(fnp.where(wide, 1.0, kappa))
    start = fnp.clip(fnp.where(wide, 2 * math.pi * (q - 0.5), normal), -3.0, 0.0)
    low, high = fnp.full_like(start, -math.pi), fnp.zeros_like(start)
    slope = lambda z: (_vonmises_cdf(z, kappa) - q, vonmises._pdf(z, kappa))
    return root_between(slope, start, low, high)


@_vonmises_quantile.defjvp
def _vonmises_quantile_jvp(primals: Any, tangents: Any) -> Any:
    (q, kappa), (dq, dkappa) = primals, tangents
    z = _vonmises_quantile(q, kappa)
    moved = jvp(lambda kappa: _vonmises_cdf(z, kappa), (kappa,), (dkappa,))[1]
    return z, (dq - moved) / vonmises._pdf(z, kappa)


def _fourier(z: Any, kappa: Any) -> Any:
    """1/2 + z / (2 pi) + sum of I_j(kappa) sin(j z) / (pi j I_0(kappa)), from the last term on: the ratios of
    neighbouring I_j follow by a continued fraction (Hill, "Algorithm 518", ACM TOMS 3, 1977).
    """

    def add(i: Any, state: Any) -> Any:
        ratio, total = state
        j = fnp.asarray(_TERMS - i, z.dtype)
        ratio = kappa / (2 * j + kappa * ratio)
        return ratio, ratio * (fnp.sin(j * z) / j + total)

    zero = 0.0 * z * kappa
    return 0.5 + z / (2 * math.pi) + fori_loop(0, _TERMS, add, (zero, zero))[1] / math.pi


def _nearly_normal(z: Any, kappa: Any) -> Any:
    """With w = 2 sqrt(kappa) sin(z / 2) the density is exp(-w**2 / 2) / sqrt(1 - w**2 / (4 kappa)): its power series,
    integrated term by term; the error is below 1e-15 from kappa = 50 on.
    """
    w = -2 * fnp.sqrt(kappa) * abs(fnp.sin(0.5 * z))
    bell, square = fnp.exp(-0.5 * w * w), w * w
    moment = math.sqrt(2 * math.pi) * ndtr(w)  # of order 0; of order 2 m: the integral of t**(2 m) up to w
    power, weight, total = -w, 1.0, moment
    for m in range(1, 14):
        moment = power * bell + (2 * m - 1) * moment
        power = power * square
        weight = weight * (2 * m - 1) / (2 * m) / (4 * kappa)
        total = total + weight * moment
    below = total / (2 * math.pi * fnp.sqrt(kappa) * i0e(kappa))
    return fnp.where(z < 0, below, 1 - below)


def _capped_exp(z: Any) -> Any:
    """exp(z), up to where exp(-exp(z)) is 0 in every dtype: its derivative is finite."""
    return fnp.exp(fnp.minimum(z, 10.0))


gumbel_r = GumbelR()
gumbel_l = GumbelL()
vonmises = VonMises()
wrapcauchy = WrapCauchy()
