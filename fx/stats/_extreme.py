"""Largest and smallest values (gumbel_r, gumbel_l), and angles (vonmises, wrapcauchy)."""

from __future__ import annotations

import math
from typing import Any

import fx.numpy as fnp

from ..special import i0e, i1e
from ._base import Continuous, log1mexp

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
    """exp(kappa cos(z)) / (2 pi i0(kappa)), an angle."""

    name = "vonmises"
    shapes = ("kappa",)
    functions = ("logpdf", "pdf", "entropy")

    def valid(self, kappa: Any) -> Any:
        return kappa >= 0

    def _logpdf(self, z: Any, kappa: Any) -> Any:
        return -2 * kappa * fnp.square(fnp.sin(0.5 * z)) - fnp.log(2 * math.pi * i0e(kappa))

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


def _capped_exp(z: Any) -> Any:
    """exp(z), up to where exp(-exp(z)) is 0 in every dtype: its derivative is finite."""
    return fnp.exp(fnp.minimum(z, 10.0))


gumbel_r = GumbelR()
gumbel_l = GumbelL()
vonmises = VonMises()
wrapcauchy = WrapCauchy()
