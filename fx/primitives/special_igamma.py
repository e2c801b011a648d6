"""The regularized incomplete gamma function P(a, x): its density, and its derivatives by a, of any order.

For x below a (or 1/2), a small: the power series of P (DLMF 8.7.1), its terms differentiated. Else the density,
differentiated by a, is integrated over the side of x where its first derivative has one sign, so that nothing cancels:
in s = |log(t / x)| the integrand is exp of a concave function times a polynomial, which 32 Gauss points integrate to
rounding.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from .special import special
from .special_series import (
    LOG_ROOT_TWO_PI,
    by_blocks,
    by_cases,
    derivative_of_exp,
    gauss_legendre,
    log1p_minus,
    log_minus_digamma,
    over_shifted,
    polygamma_of,
    product_coefficient,
    stirling_remainder,
    sum_series,
)

_SERIES = 32.0
"""Below x by the power series for a up to here, by quadrature from here on."""


def density(a: Any, x: Any) -> Any:
    """x**(a - 1) exp(-x) / gamma(a), for any a: the derivative of P by x."""
    return by_blocks(_density, a, x)


def derivative(a: Any, x: Any, *, n: int) -> Any:
    """The n-th derivative of P by a."""
    return by_blocks(lambda a, x: _scaled(a, x, n) * _mass(_inside(a), x), a, x)


def ratio(a: Any, x: Any, *, n: int) -> Any:
    """The n-th derivative of P by a, over the density; neither under- nor overflows where they do."""
    return by_blocks(lambda a, x: _scaled(a, x, n) * x, a, x)


def _inside(a: Any) -> Any:
    """a, or next to 0 where 1 / a overflows."""
    return np.where((a >= 0) & (a < 1e-290), 1e-290, a)


def _density(a: Any, x: Any) -> Any:
    at_zero = np.where(a == 1, 1.0, np.where((a > 1) | (a == 0), 0.0, special(np, "rgamma")(a) * np.inf))
    return np.where(x == 0, at_zero, np.where(x < 0, np.nan, _mass(a, x, 1)))


def _mass(a: Any, x: Any, shift: int = 0) -> Any:
    """x**(a - shift) exp(-x) / gamma(a)."""
    log_power = lambda a, x: special(np, "xlogy")(a - shift, x)
    return by_cases(
        [
            (x == np.inf, lambda a, x: np.zeros_like(x)),
            ((x < np.inf) & (a >= 10), lambda a, x: _large_mass(a, x) / (x if shift else 1.0)),
            ((x < np.inf) & (a < 10), lambda a, x: np.exp(log_power(a, x) - x) * special(np, "rgamma")(a)),
        ],
        a,
        x,
    )


def _large_mass(a: Any, x: Any) -> Any:
    """x**a exp(-x) / gamma(a) for a >= 10, by the deviation of x from a."""
    z = (x - a) / a
    exponent = a * np.where(z < -0.4, np.log(x / a) - z, log1p_minus(z))
    return np.exp(exponent - stirling_remainder(a) - LOG_ROOT_TWO_PI) * np.sqrt(a)


def _scaled(a: Any, x: Any, n: int) -> Any:
    """The n-th derivative of P by a, over x times the density."""
    valid = (a >= 0) & (x > 0) & (x < np.inf)
    below = x <= np.maximum(a, 0.5)
    series = valid & below & (a < _SERIES)
    return by_cases(
        [
            (series, lambda a, x: _by_series(a, x, n)),
            (valid & below & ~series, lambda a, x: _below(a, x, n)),
            (valid & ~below, lambda a, x: _above(a, x, n)),
            ((a >= 0) & ((x == 0) | (x == np.inf)), lambda a, x: np.zeros_like(x)),
        ],
        _inside(a),
        x,
    )


def _by_series(a: Any, x: Any, n: int) -> Any:
    """By P = x**a exp(-x) / gamma(a + 1) * sum of x**k / ((a + 1) ... (a + k))."""
    slopes = [np.log(x) - polygamma_of(0, a + 1), *[-polygamma_of(k, a + 1) for k in range(1, n)]]
    front = [derivative_of_exp(lambda i, _: slopes[i - 1], m) / factorial(m) for m in range(n + 1)]
    one = [np.ones_like(x), *[np.zeros_like(x)] * n]
    total = sum_series(one, lambda term, k: over_shifted(term, x, a + k), 400)
    return product_coefficient(front, total, n) * factorial(n) / a


def _below(a: Any, x: Any, n: int) -> Any:
    """By the integral from 0 to x <= a, t = x exp(-s)."""
    length = np.minimum(40 / (a - x), np.sqrt(111 / x))
    return _integral(a, x, n, length, lambda s: (a - x) * s + x * (s + np.expm1(-s)), -1.0)


def _above(a: Any, x: Any, n: int) -> Any:
    """By minus the integral from x >= a to infinity, t = x exp(s)."""
    length = np.minimum(np.minimum(40 / (x - a), np.sqrt(80 / x)), np.log1p(40 / x) + 1.5)
    decay = lambda s: (x - a) * s + x * (np.expm1(s) - s)
    for _ in range(2):
        length = length - (decay(length) - 40) / (x * np.exp(length) - a)
    return -_integral(a, x, n, length, decay, 1.0)


def _integral(a: Any, x: Any, n: int, length: Any, decay: Any, direction: float) -> Any:
    large = a >= 16
    first = np.where(large, np.log1p((x - a) / a) + log_minus_digamma(a), np.log(x) - polygamma_of(0, a))
    first = np.where(x < a / 2, np.log(x) - polygamma_of(0, a), first)
    slopes = [first, *[-polygamma_of(k, a) for k in range(1, n)]]
    total = np.zeros_like(x)
    for node, weight in zip(*gauss_legendre(), strict=True):
        s = length * node
        slopes[0] = first + direction * s
        total += weight * np.exp(-decay(s)) * derivative_of_exp(lambda i, _: slopes[i - 1], n)
    return total * length
