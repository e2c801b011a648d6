"""Derivatives of the zeta functions by their exponent: the Euler-Maclaurin sum, differentiated term by term.

Real exponents, and complex ones of Riemann's zeta function.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from .special import special
from .special_complex import polygamma_kernel
from .special_series import (
    by_blocks,
    by_cases,
    derivative_of_exp,
    over_shifted,
    polygamma_of,
    product_coefficient,
    times_shifted,
)

_TERMS = 12
_HIGHEST = 1e4
"""NaN for larger imaginary parts, which as many terms are needed for."""
_BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138,
)  # fmt: skip


def hurwitz(x: Any, q: Any, n: int) -> Any:
    """The n-th derivative by x of zeta(x, q), the sum of (q + k)**-x."""
    if n == 0:
        return special(np, "zeta")(x, q)
    return by_blocks(lambda x, q: _hurwitz(x, q, n), x, q)


def riemann(x: Any, n: int) -> Any:
    """The n-th derivative of zeta(x)."""
    if n == 0:
        return special(np, "zeta")(x)
    return by_blocks(lambda x: _riemann(x, n), x)


def _hurwitz(x: Any, q: Any, n: int) -> Any:
    return by_cases([((x > 1) & (q > 0), lambda x, q: _derivatives(x, q, n)[n])], x, q)


def _riemann(x: Any, n: int) -> Any:
    right, within = x.real >= 0, np.abs(x.imag) <= _HIGHEST
    return by_cases(
        [
            (right & within & (x != 1), lambda x: _derivatives(x, np.ones_like(x), n)[n]),
            (x == 1, lambda x: np.full_like(x, np.nan)),
            (~right & within, lambda x: _reflected(x, n)),
        ],
        x,
    )


def _derivatives(x: Any, q: Any, n: int) -> list[Any]:
    """The derivatives of orders 0 to n (Euler-Maclaurin: DLMF 25.11.7, for any exponent)."""
    total = [np.zeros_like(x)] * (n + 1)
    terms = _TERMS + int(np.abs(x.imag).max(initial=0))
    for k in range(terms):
        total = _added(total, _power(x, q + k, n))
    end = q + terms
    last = _power(x, end, n)
    total = _added(total, over_shifted([t * end for t in last], 1.0, x - 1))
    total = _added(total, [t / 2 for t in last])
    rising = times_shifted(last, 1 / end, x)
    for j, number in enumerate(_BERNOULLI, 1):
        total = _added(total, [t * (number / factorial(2 * j)) for t in rising])
        for i in (2 * j - 1, 2 * j):
            rising = times_shifted(rising, 1 / end, x + i)
    return [t * factorial(i) for i, t in enumerate(total)]


def _added(total: list[Any], term: list[Any]) -> list[Any]:
    return [x + y for x, y in zip(total, term, strict=True)]


def _power(x: Any, base: Any, n: int) -> list[Any]:
    """base**-(x + e) as a series."""
    log = -np.log(base)
    value = np.exp(x * log)
    return [value * log**i / factorial(i) for i in range(n + 1)]


def _reflected(x: Any, n: int) -> Any:
    """By zeta(x) = 2**x pi**(x - 1) sin(pi x / 2) gamma(1 - x) zeta(1 - x) (DLMF 25.4.1)."""
    y = 1 - x
    slope = lambda i, _: (np.log(2 * np.pi) if i == 1 else 0.0) + (-1) ** i * _log_gamma_slope(y, i)
    rise = np.pi / 2 * np.abs(x.imag)  # of the sine; gamma falls as much
    front = np.exp(x * np.log(2 * np.pi) + _log_gamma_slope(y, 0) + rise) / np.pi
    growth = [front * derivative_of_exp(slope, i) / factorial(i) for i in range(n + 1)]
    angle = np.pi / 2 * (x - x.real + np.fmod(x.real, 4.0))
    wave = [
        (np.pi / 2) ** i * _falling_sine(angle + i * np.pi / 2, rise) / factorial(i) for i in range(n + 1)
    ]
    other = [(-1) ** i * d / factorial(i) for i, d in enumerate(_derivatives(y, np.ones_like(y), n))]
    both = [product_coefficient(growth, wave, i) for i in range(n + 1)]
    return product_coefficient(both, other, n) * factorial(n)


def _log_gamma_slope(y: Any, i: int) -> Any:
    """The i-th derivative of log gamma for positive real parts."""
    if y.dtype.kind != "c":
        return polygamma_of(i - 1, y) if i else special(np, "gammaln")(y)
    if i < 2:
        return special(np, "digamma" if i else "loggamma")(y)
    return polygamma_kernel(y, n=i - 1)


def _falling_sine(w: Any, fall: Any) -> Any:
    """sin(w) exp(-fall)."""
    if w.dtype.kind != "c":
        return np.sin(w)
    return (np.exp(1j * w - fall) - np.exp(-1j * w - fall)) / 2j
