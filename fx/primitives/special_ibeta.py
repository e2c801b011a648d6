"""The regularized incomplete beta function I_x(a, b): its density, and its derivatives by a and b, of any orders.

All is reduced to x <= a / (a + b), the lower side, by I_x(a, b) = 1 - I_{1-x}(b, a). For a small: the power series
(DLMF 8.17.8 with Kummer's factor), its terms differentiated, at x or at 1/2. Else, and from 1/2 to x, the density,
differentiated by a and b, is integrated in logit(t): there it is exp of a concave function, which Gauss points hold.
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
    digamma_difference,
    gauss_legendre,
    log1p_minus,
    log_beta,
    log_minus_digamma,
    polygamma_of,
    stirling_remainder,
    sum_series,
)

_SERIES = 32.0
"""The lower side by the power series for a up to here, by quadrature from here on."""
_PIECE = 6.0
"""The longest interval of logit(t) for one set of Gauss points: the density has poles at i pi."""


def density(a: Any, b: Any, x: Any) -> Any:
    """x**(a - 1) (1 - x)**(b - 1) gamma(a + b) / (gamma(a) gamma(b)), for any a and b."""
    return by_blocks(_density, a, b, x)


def derivative(a: Any, b: Any, x: Any, *, m: int, n: int) -> Any:
    """The derivative of I_x(a, b) of order m by a and n by b."""
    return by_blocks(lambda a, b, x: _derivative(a, b, x, m, n), a, b, x)


def _density(a: Any, b: Any, x: Any) -> Any:
    inside = (x > 0) & (x < 1)
    return by_cases(
        [
            (inside & (a >= 10) & (b >= 10), lambda a, b, x: _large_mass(a, b, x, 1 - x) / (x * (1 - x))),
            (inside & ~((a >= 10) & (b >= 10)), lambda a, b, x: _mass(a, b, x, 1 - x, 1)),
            (x == 0, lambda a, b, x: _at_end(a, b)),
            (x == 1, lambda a, b, x: _at_end(b, a)),
        ],
        a,
        b,
        x,
    )


def _at_end(a: Any, b: Any) -> Any:
    """The density at x = 0."""
    whole = (a <= 0) & (a == np.floor(a))
    diverging = _sign(a, b) * np.inf
    return np.where(a == 1, b, np.where((a > 1) | whole, 0.0, diverging))


def _sign(a: Any, b: Any) -> Any:
    sign = special(np, "gammasgn")
    return sign(a) * sign(b) * sign(a + b)


def _mass(a: Any, b: Any, x: Any, y: Any, shift: int = 0) -> Any:
    """x**(a - shift) y**(b - shift) / beta(a, b)."""
    log = (a - shift) * np.log(x) + (b - shift) * np.log1p(-x) - log_beta(a, b)
    vanishes = log == -np.inf
    return np.where(vanishes, 0.0, np.exp(log) * np.where((a > 0) & (b > 0), 1.0, _sign(a, b)))


def _large_mass(a: Any, b: Any, x: Any, y: Any) -> Any:
    """x**a y**b / beta(a, b) for a and b >= 10, by the deviation of x from a / (a + b)."""
    d = b * x - a * y
    exponent = a * _log_deviation(d / a, x, (a + b) / a) + b * _log_deviation(-d / b, y, (a + b) / b)
    rest = stirling_remainder(a + b) - stirling_remainder(a) - stirling_remainder(b) - LOG_ROOT_TWO_PI
    return np.exp(exponent + rest) * np.sqrt(a * (b / (a + b)))


def _log_deviation(z: Any, x: Any, scale: Any) -> Any:
    return np.where(z < -0.4, np.log(x * scale) - z, log1p_minus(z))


def _derivative(a: Any, b: Any, x: Any, m: int, n: int) -> Any:
    valid = (a > 0) & (b > 0) & (x > 0) & (x < 1)
    lower = x <= a / (a + b)
    return by_cases(
        [
            (valid & lower, lambda a, b, x: _lower(a, b, x, 1 - x, m, n)),
            (valid & ~lower, lambda a, b, x: -_lower(b, a, 1 - x, x, n, m)),
            ((a > 0) & (b > 0) & ((x == 0) | (x == 1)), lambda a, b, x: np.zeros_like(x)),
        ],
        a,
        b,
        x,
    )


def _lower(a: Any, b: Any, x: Any, y: Any, m: int, n: int) -> Any:
    """The derivative for x <= a / (a + b), y = 1 - x."""
    small = a < _SERIES
    return by_cases(
        [
            (small & (x <= 0.5), lambda a, b, x, y: _by_series(a, b, x, y, m, n)),
            (small & (x > 0.5), lambda a, b, x, y: _from_half(a, b, x, y, m, n)),
            (~small, lambda a, b, x, y: _integral(a, b, x, y, m, n, _length(a, b, x, y))),
        ],
        a,
        b,
        x,
        y,
    )


def _from_half(a: Any, b: Any, x: Any, y: Any, m: int, n: int) -> Any:
    half = np.full_like(x, 0.5)
    beyond = _integral(a, b, x, y, m, n, np.log(x) - np.log(y))
    return _by_series(a, b, half, half, m, n) + beyond


def _by_series(a: Any, b: Any, x: Any, y: Any, m: int, n: int) -> Any:
    """By I = x**a y**b / (a beta(a, b)) * sum of (a + b)_k / (a + 1)_k x**k."""
    one = [np.zeros_like(x) for _ in range((m + 1) * (n + 1))]
    one[0] = np.ones_like(x)
    total = sum_series(one, lambda term, k: _next_term(term, a + b + k - 1, a + k, x, n + 1), 400)
    slope = _slopes(np.log(x), np.log(y), a, b, 1)
    parts = [
        total[i * (n + 1) + j]
        * derivative_of_exp(slope, m - i, n - j)
        * (factorial(m) * factorial(n) / (factorial(m - i) * factorial(n - j)))
        for i in range(m + 1)
        for j in range(n + 1)
    ]
    return sum(parts) * _any_mass(a, b, x, y) / a


def _next_term(term: list[Any], top: Any, bottom: Any, x: Any, row: int) -> list[Any]:
    """term * x * (top + e + d) / (bottom + e), for series in e and d, a row for each power of e."""
    out: list[Any] = []
    for i, t in enumerate(term):
        value = t * top
        if i >= row:
            value = value + term[i - row]
        if i % row:
            value = value + term[i - 1]
        out.append((value * x - (out[i - row] if i >= row else 0.0)) / bottom)
    return out


def _any_mass(a: Any, b: Any, x: Any, y: Any) -> Any:
    return by_cases(
        [((a >= 10) & (b >= 10), _large_mass), ((a < 10) | (b < 10), _mass)],
        a,
        b,
        x,
        y,
    )


def _slopes(log_x: Any, log_y: Any, a: Any, b: Any, shift: int = 0) -> Any:
    """Derivatives by a and b of log(x**a y**b gamma(a + b) / (gamma(a + shift) gamma(b)))."""

    def slope(i: int, j: int) -> Any:
        if i + j == 1:
            return log_x + digamma_difference(a + shift, b - shift) if i else log_y + digamma_difference(b, a)
        own = 0.0 if i and j else polygamma_of(i - 1, a + shift) if i else polygamma_of(j - 1, b)
        return polygamma_of(i + j - 1, a + b) - own

    return slope


def _length(a: Any, b: Any, x: Any, y: Any) -> Any:
    """How far logit(t) goes down until the density has fallen by exp(-40) or more."""
    start = (40 - (a + b) * np.log(y)) / a
    length = np.minimum(start, 40 / np.maximum(a * y - b * x, 1e-300))
    for _ in range(8):
        slope = a * y - b * x - (a + b) * x * y * np.expm1(-length) / (1 + x * np.expm1(-length))
        length = length - (_decay(a, b, x, y, length)[0] - 40) / slope
    return length


def _decay(a: Any, b: Any, x: Any, y: Any, s: Any) -> tuple[Any, Any]:
    """log of the density at x over that at logit(x) - s; log of (1 - x) over 1 - t there."""
    log = np.log1p(x * np.expm1(-s))
    return (a * y - b * x) * s + (a + b) * (log + x * s), log


def _integral(a: Any, b: Any, x: Any, y: Any, m: int, n: int, length: Any) -> Any:
    """The integral over logit(t) from logit(x) - length to logit(x)."""
    first, second = _log_slopes(a, b, x, y)
    higher = _slopes(0.0, 0.0, a, b)
    known = {(i, j): higher(i, j) for i in range(m + 1) for j in range(n + 1) if i + j > 1}
    pieces = max(1, int(np.ceil(length.max(initial=0.0) / _PIECE)))
    total = np.zeros_like(x)
    for piece in range(pieces):
        for node, weight in zip(*gauss_legendre(), strict=True):
            s = length * ((piece + node) / pieces)
            decay, log = _decay(a, b, x, y, s)
            known[1, 0], known[0, 1] = first - s - log, second - log
            total += (weight / pieces) * np.exp(-decay) * derivative_of_exp(lambda i, j: known[i, j], m, n)
    return total * length * _any_mass(a, b, x, y)


def _log_slopes(a: Any, b: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The derivatives of log(x**a y**b / beta(a, b)) by a and by b, without cancellation where both are large."""
    d = b * x - a * y
    return _log_slope(a, b, d / a, x), _log_slope(b, a, -d / b, y)


def _log_slope(a: Any, b: Any, z: Any, x: Any) -> Any:
    plain = np.log(x) + digamma_difference(a, b)
    close = np.log1p(z) + (log_minus_digamma(a) - log_minus_digamma(a + b))
    return np.where((a >= 16) & (z > -0.5), close, plain)
