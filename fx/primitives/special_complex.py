"""digamma and its derivatives in the complex plane; Cauchy's formula, which samples of derivatives are held against."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np

from ..core.primitive import Sample
from .special import elementwise, library, on_host, scipy_function
from .special_series import by_blocks, chebyshev_slopes

_SHIFTS = 16


def cauchy(f: Callable[..., Any], x: Any, n: int, radius: float = 0.25, count: int = 48) -> Any:
    """The n-th derivative of an analytic f at x: a mean over a circle, or over Chebyshev points of an interval."""
    if n == 0:
        return f(x)
    if x.dtype.kind == "c":
        turns = np.exp(2j * np.pi * np.arange(count) / count)
        return sum(f(x + radius * t) * t**-n for t in turns) * (factorial(n) / (count * radius**n))
    return sum(f(x + radius * t) * w for t, w in chebyshev_slopes(14, n)) / radius**n


def polygamma_kernel(z: Any, *, n: int) -> Any:
    """The n-th derivative of digamma at complex z, n >= 1."""
    return by_blocks(lambda z: np.where(z.real < 0, _reflected(z, n), _right(z, n)), z)


def _right(z: Any, n: int) -> Any:
    """For Re z >= 0: shifted by recurrence, then the asymptotic series (DLMF 5.15.5, 5.15.8)."""
    total = sum((z + k) ** -(n + 1) for k in range(_SHIFTS)) * float(factorial(n))
    w = z + _SHIFTS
    total = total + factorial(n - 1) * w**-n + factorial(n) * w ** -(n + 1) / 2
    numbers = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
    for k, number in enumerate(numbers, 1):
        total = total + number * (factorial(2 * k + n - 1) / factorial(2 * k)) * w ** -(2 * k + n)
    return (-1) ** (n + 1) * total


def _reflected(z: Any, n: int) -> Any:
    """By digamma(z) = digamma(1 - z) - pi cot(pi z), whose derivatives are polynomials in cot."""
    polynomial = np.polynomial.Polynomial([0, -np.pi])
    for _ in range(n):
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([-np.pi, 0, -np.pi])
    return (-1) ** n * _right(1 - z, n) + polynomial(_cot_pi(z))


def _cot_pi(z: Any) -> Any:
    """cot(pi z), bounded far from the real axis (DLMF 4.21.40)."""
    z = z - np.round(z.real)
    double = 2 * np.pi * z
    far = np.abs(z.imag) > 20
    double = np.where(far, 1j, double)
    size = 2 * (np.sin(double.real / 2) ** 2 + np.sinh(double.imag / 2) ** 2)
    near = (np.sin(double.real) - 1j * np.sinh(double.imag)) / size
    return np.where(far, -1j * np.sign(z.imag), near)


def complex_draws(params: tuple[dict[str, Any], ...] = ({},)) -> Any:
    def samples(rng: Any) -> list[Sample]:
        draw = lambda s: np.asarray(rng.uniform(-2, 3, s) + 1j * rng.uniform(0.6, 2, s))
        return [
            Sample((draw(s),), p) for i, p in enumerate(params) for s in ((3, 4), (), (0, 2))[: 1 if i else 3]
        ]

    return samples


complex_digamma = elementwise(
    "complex_digamma",
    library("digamma", on_device=False),
    (lambda z, y, dz: dz * complex_polygamma(z, n=1),),
    complex_draws(),
    scipy_function("digamma"),
    kinds="complex",
)
complex_polygamma = elementwise(
    "complex_polygamma",
    on_host(polygamma_kernel),
    (lambda z, y, dz, n: dz * complex_polygamma(z, n=n + 1),),
    complex_draws(({"n": 1}, {"n": 2})),
    lambda z, n: cauchy(scipy_function("digamma"), z, n),
    kinds="complex",
    cost=200,
)
