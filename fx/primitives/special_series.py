"""Numerics that kernels of special functions share: truncated power series, Stirling's remainder, quadrature.

A series in a small parameter e is the list of its coefficients; the coefficient of e**n is the n-th derivative
over n!. Its operations are written with ordinary operators, for NumPy arrays and for fx arrays alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import comb, factorial
from typing import Any

import numpy as np

from .families import broadcast_shapes
from .special import special

F64 = np.dtype(np.float64)
LOG_ROOT_TWO_PI = 0.9189385332046727
BLOCK = 1 << 14


def by_blocks(kernel: Callable[..., Any], *xs: Any, **params: Any) -> Any:
    """kernel of broadcast float64 vectors, block by block, so that what it keeps stays in the cache."""
    xs = tuple(map(np.asarray, xs))
    shape = broadcast_shapes("a special function", xs)
    lines = [np.broadcast_to(x, shape) for x in xs]
    flat = [np.ascontiguousarray(x).reshape(-1) for x in lines]
    out = np.empty(flat[0].shape, np.result_type(*flat))
    with np.errstate(all="ignore"):
        for start in range(0, out.size, BLOCK):
            part = slice(start, start + BLOCK)
            out[part] = kernel(*[x[part] for x in flat], **params)
    return out.reshape(shape)


def by_cases(cases: Sequence[tuple[Any, Callable[..., Any]]], *xs: Any) -> Any:
    """A vector from disjoint masks, each with the function for its elements; NaN where no mask holds."""
    out = np.full(xs[0].shape, np.nan, np.result_type(*xs))
    for mask, function in cases:
        places = np.flatnonzero(mask)
        if places.size:
            out[places] = function(*[x[places] for x in xs])
    return out


def derivative_of_exp(slope: Callable[[int, int], Any], m: int, n: int = 0) -> Any:
    """The derivative of exp(f) of orders m and n by two parameters, over exp(f); slope(i, j) is that of f."""
    if m == n == 0:
        return 1.0
    if m == 0:
        return derivative_of_exp(lambda i, j: slope(j, i), n, 0)
    terms = [
        slope(i + 1, j) * derivative_of_exp(slope, m - 1 - i, n - j) * float(comb(m - 1, i) * comb(n, j))
        for i in range(m)
        for j in range(n + 1)
    ]
    return functools.reduce(lambda x, y: x + y, terms)


def polygamma_of(n: int, x: Any) -> Any:
    """digamma or its n-th derivative, of positive NumPy arrays."""
    if n == 0:
        return special(np, "digamma")(x)
    return (-1) ** (n + 1) * factorial(n) * special(np, "zeta")(float(n + 1), x)


def log_minus_digamma(a: Any) -> Any:
    """log(a) - digamma(a) for a >= 16 (DLMF 5.11.2)."""
    r = 1 / (a * a)
    return 0.5 / a + r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132)))))


def digamma_difference(z: Any, m: Any) -> Any:
    """digamma(z + m) - digamma(z) for z and z + m > 0, accurate where m is small beside z."""
    low = np.minimum(z, z + m) < 16
    total, start = np.zeros_like(z), np.where(low, z + 16, z)
    if low.any():
        for k in range(16):
            total += m / ((z + k) * (z + m + k))
    ahead = np.log1p(m / start) + (log_minus_digamma(start) - log_minus_digamma(start + m))
    return np.where(low, total, 0.0) + ahead


def log_beta(a: Any, b: Any) -> Any:
    """log|beta(a, b)|; where one of a and b is >= 10 by Stirling's formula, without the large terms that cancel."""
    small, large = np.minimum(a, b), np.maximum(a, b)
    plain = (large < 10) | (small <= -0.5) | ~np.isfinite(a + b)
    return by_cases(
        [
            (plain, special(np, "betaln")),
            (~plain & (small < 10), _log_beta_mixed),
            (~plain & (small >= 10), _log_beta_large),
        ],
        small,
        large,
    )


def _log_beta_mixed(a: Any, b: Any) -> Any:
    growth = (b - 0.5) * np.log1p(a / b) + a * (np.log(a + b) - 1)
    return special(np, "gammaln")(a) - (growth + (stirling_remainder(a + b) - stirling_remainder(b)))


def _log_beta_large(a: Any, b: Any) -> Any:
    ratio = a / b
    logs = -a * (np.log1p(ratio) - np.log(ratio)) - b * np.log1p(ratio)
    rest = stirling_remainder(a) + stirling_remainder(b) - stirling_remainder(a + b)
    return logs + (LOG_ROOT_TWO_PI - 0.5 * np.log(a) + 0.5 * np.log1p(ratio)) + rest


def stirling_remainder(a: Any) -> Any:
    """lgamma(a) - ((a - 1/2) log(a) - a + log(2 pi) / 2) for a >= 10 (DLMF 5.11.1)."""
    r = 1 / (a * a)
    tail = 1 / 1188 - r * (691 / 360360 - r * (1 / 156 - r * (3617 / 122400)))
    return (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * tail)))) / a


def log1p_minus(z: Any) -> Any:
    """log(1 + z) - z for z > -1: by atanh(z / (2 + z)) near 0."""
    r = z / (2 + z)
    square = r * r
    tail = np.zeros_like(z)
    for k in range(27, 1, -2):
        tail = tail * square + 1 / k
    return np.where(np.abs(r) < 0.2, -z * r + 2 * r * square * tail, np.log1p(z) - z)


@functools.cache
def gauss_legendre(count: int = 32) -> tuple[Any, Any]:
    """Nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


@functools.cache
def chebyshev_slopes(count: int, n: int) -> list[tuple[float, float]]:
    """Points in (-1, 1) with the weights that give the n-th derivative at 0 of the polynomial through values there."""
    nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    columns = np.linalg.inv(np.polynomial.chebyshev.chebvander(nodes, count - 1)).T
    slopes = [np.polynomial.chebyshev.chebval(0, np.polynomial.chebyshev.chebder(c, n)) for c in columns]
    return list(zip(nodes.tolist(), map(float, slopes), strict=True))


def sum_series(first: list[Any], following: Callable[[list[Any], int], list[Any]], limit: int) -> list[Any]:
    """The sum of terms that are series themselves, until all of them are below rounding."""
    term, total = first, list(first)
    for k in range(1, limit):
        term = following(term, k)
        total = [s + t for s, t in zip(total, term, strict=True)]
        if k % 8 == 0 and all(
            (np.abs(t) <= 1e-17 * np.abs(s)).all() for s, t in zip(total, term, strict=True)
        ):
            break
    return total


def over_shifted(term: list[Any], factor: Any, d: Any) -> list[Any]:
    """term * factor / (d + e)."""
    out: list[Any] = []
    for t in term:
        out.append((t * factor - out[-1]) / d if out else t * factor / d)
    return out


def times_shifted(term: list[Any], factor: Any, d: Any) -> list[Any]:
    """term * factor * (d + e)."""
    return [(t * d + (term[i - 1] if i else 0.0)) * factor for i, t in enumerate(term)]


def product_coefficient(first: Sequence[Any], second: Sequence[Any], n: int) -> Any:
    """The coefficient of e**n in a product of two series."""
    return functools.reduce(lambda x, y: x + y, [first[i] * second[n - i] for i in range(n + 1)])
