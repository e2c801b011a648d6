"""Derivatives of the zeta functions by their exponent: the Euler-Maclaurin sum, differentiated term by term."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from .special import special
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
    right = x >= 0
    return by_cases(
        [
            (right & (x != 1), lambda x: _derivatives(x, np.ones_like(x), n)[n]),
            (x == 1, lambda x: np.full_like(x, np.nan)),
            (x < 0, lambda x: _reflected(x, n)),
        ],
        x,
    )


def _derivatives(x: Any, q: Any, n: int) -> list[Any]:
    """The derivatives of orders 0 to n (Euler-Maclaurin: DLMF 25.11.7, for any exponent)."""
    total = [np.zeros_like(x)] * (n + 1)
    for k in range(_TERMS):
        total = _added(total, _power(x, q + k, n))
    end = q + _TERMS
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
    slope = lambda i, _: (np.log(2 * np.pi) if i == 1 else 0.0) + (-1) ** i * polygamma_of(i - 1, y)
    front = np.exp(x * np.log(2 * np.pi) + special(np, "gammaln")(y)) / np.pi
    growth = [front * derivative_of_exp(slope, i) / factorial(i) for i in range(n + 1)]
    angle = np.pi / 2 * np.fmod(x, 4.0)
    wave = [(np.pi / 2) ** i * np.sin(angle + i * np.pi / 2) / factorial(i) for i in range(n + 1)]
    other = [(-1) ** i * d / factorial(i) for i, d in enumerate(_derivatives(y, np.ones_like(y), n))]
    both = [product_coefficient(growth, wave, i) for i in range(n + 1)]
    return product_coefficient(both, other, n) * factorial(n)
