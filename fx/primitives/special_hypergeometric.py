"""Primitives of the hypergeometric functions 1F1 and 2F1, differentiable in their argument and in their parameters.

By a parameter: the power series, differentiated term by term, where its terms do not cancel; elsewhere the derivative
of the polynomial through 17 values of SciPy's at Chebyshev points around the parameter, within 1/4 of it and a third of
the distance to a pole. The latter has an error of about 1e-13 of the function.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import comb, factorial
from typing import Any

import numpy as np

from ..core.errors import RuleError, lines
from .elementwise import integer_pow
from .special import draws, elementwise, on_host, special
from .special_complex import cauchy
from .special_series import by_blocks, chebyshev_slopes, over_shifted, times_shifted

_POINTS, _RADIUS = 17, 0.25
_TERMS = 300
_LARGEST = 1e6
"""NaN for larger parameters and arguments: at some of them SciPy's 1F1 does not return."""
_DIGITS_LOST = 1e3
"""How much larger than their sum the terms of a power series may be."""


class _Family:
    """pFq of p upper and one lower parameters: SciPy's name, and up to which |z| the power series is tried."""

    def __init__(self, name: str, upper: int, reach: float):
        self.name, self.upper, self.reach = name, upper, reach

    def value(self, parameters: Any, z: Any) -> Any:
        small = np.logical_and.reduce([np.abs(x) <= _LARGEST for x in (*parameters, z)])
        found = special(np, self.name)(*[np.where(small, x, 0.5) for x in (*parameters, z)])
        return np.where(small, found, np.nan)

    def derivative(self, parameters: Any, z: Any, orders: tuple[int, ...]) -> Any:
        if not any(orders):
            return self.value(parameters, z)
        active = [i for i, n in enumerate(orders) if n]
        if len(active) > 1:
            return self.by_points(parameters, z, orders)
        out, good = self.by_series(parameters, z, active[0], orders[active[0]])
        rest = np.flatnonzero(~good)
        if rest.size:
            out[rest] = self.by_points([p[rest] for p in parameters], z[rest], orders)
        return out

    def by_series(self, parameters: Any, z: Any, place: int, n: int) -> tuple[Any, Any]:
        """The derivative by one parameter, and where it is accurate."""
        reached = np.abs(z) <= self.reach
        inside = np.where(reached, z, 0.0)
        term = [np.ones_like(z), *[np.zeros_like(z)] * n]
        total, largest = np.zeros_like(z), np.zeros(z.shape)
        converged = np.zeros(z.shape, bool)
        for k in range(_TERMS):
            term = self.next_term(parameters, inside, term, place, k)
            total, size = total + term[n], np.abs(term[n])
            largest = np.maximum(largest, size)
            converged = (size <= 1e-17 * np.abs(total)) & (k > n) & (k > -parameters[-1])
            if converged.all():
                break
        return total * factorial(n), converged & reached & (largest <= _DIGITS_LOST * np.abs(total))

    def next_term(self, parameters: Any, z: Any, term: list[Any], place: int, k: int) -> list[Any]:
        factor = z / (k + 1)
        for i, p in enumerate(parameters):
            if i != place:
                factor = factor * (p + k) if i < self.upper else factor / (p + k)
        shifted = times_shifted if place < self.upper else over_shifted
        return shifted(term, factor, parameters[place] + k)

    def by_points(self, parameters: Any, z: Any, orders: tuple[int, ...]) -> Any:
        """By polynomials through values around the parameters."""
        axes = [chebyshev_slopes(_POINTS, n) if n else [(0.0, 1.0)] for n in orders]
        radii = [
            self.radius(p, i) if n else 1.0 for i, (p, n) in enumerate(zip(parameters, orders, strict=True))
        ]
        total: Any = 0.0
        for points in itertools.product(*axes):
            moved = [p + r * t for p, r, (t, _) in zip(parameters, radii, points, strict=True)]
            total = total + self.value(moved, z) * np.prod([w for _, w in points])
        for r, n in zip(radii, orders, strict=True):
            total = total / r**n
        return total

    def radius(self, p: Any, place: int) -> Any:
        """How far points go from a parameter: the lower one has poles at 0, -1, -2, ..."""
        if place < self.upper:
            return _RADIUS
        distance = np.where(p > 0, p, np.abs(p - np.round(p)))
        return np.minimum(_RADIUS, distance / 3)


def _by_argument(family: _Family, prim: Callable[..., Any]) -> Any:
    """d/dz: the upper parameters over the lower one, times the function with all of them one higher (DLMF 15.5.1)."""

    def rule(*args: Any, orders: tuple[int, ...]) -> Any:
        *parameters, z, _, dz = args
        higher = [p + z.dtype.type(1) for p in parameters]
        limits = [min(n, 1) if i < family.upper else n for i, n in enumerate(orders)]
        total: Any = None
        for taken in itertools.product(*[range(n + 1) for n in limits]):
            term = prim(*higher, z, orders=tuple(n - k for n, k in zip(orders, taken, strict=True)))
            for i, (p, n, k) in enumerate(zip(parameters, orders, taken, strict=True)):
                term = term * _factor(p, k, i < family.upper) * p.dtype.type(comb(n, k))
            total = term if total is None else total + term
        return dz * total

    return rule


def _factor(p: Any, k: int, upper: bool) -> Any:
    """The k-th derivative by p of p, or of 1 / p."""
    one = p.dtype.type(1)
    if upper:
        return one if k else p
    return p.dtype.type((-1) ** k * factorial(k)) / integer_pow(p, n=k + 1)


def _by_parameter(family: _Family, prim: Callable[..., Any], place: int) -> Any:
    def rule(*args: Any, orders: tuple[int, ...]) -> Any:
        *operands, _, d = args
        if sum(orders) > 1:
            raise RuleError(
                lines(
                    f"{family.name} has derivatives by its parameters up to the second; this is the third.",
                    "Derivatives by its last argument exist to any order.",
                )
            )
        more = tuple(n + (i == place) for i, n in enumerate(orders))
        return d * prim(*operands, orders=more)

    return rule


def _hypergeometric(name: str, upper: int, reach: float) -> Any:
    family, count = _Family(name, upper, reach), upper + 1

    def kernel(*xs: Any, orders: tuple[int, ...]) -> Any:
        *parameters, z = xs
        return family.derivative([p.real for p in parameters], z, orders)

    def oracle(*xs: Any, orders: tuple[int, ...]) -> Any:
        f: Any = special(np, name)
        for place, n in enumerate(orders):
            f = _differentiated(f, place, n)
        return f(*xs)

    def prim(*operands: Any, orders: tuple[int, ...]) -> Any:
        return found(*operands, orders=orders)

    singles = [tuple(int(i == k) for i in range(count)) for k in range(-1, count)]
    found = elementwise(
        name,
        on_host(lambda *xs, orders: by_blocks(kernel, *xs, orders=orders)),
        (*[_by_parameter(family, prim, i) for i in range(count)], _by_argument(family, prim)),
        draws(*[(0.6, 3)] * upper, (1.5, 4), (-0.4, 0.4), params=tuple({"orders": o} for o in singles)),
        oracle,
        cost=500,
    )
    return found


def _differentiated(f: Callable[..., Any], place: int, n: int) -> Callable[..., Any]:
    return lambda *xs: cauchy(lambda p: f(*xs[:place], p, *xs[place + 1 :]), xs[place], n)


hyp1f1 = _hypergeometric("hyp1f1", 1, 20.0)
hyp2f1 = _hypergeometric("hyp2f1", 2, 0.75)
