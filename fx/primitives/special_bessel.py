"""Primitives of the Bessel functions of whole orders, and of spherical harmonics."""

from __future__ import annotations

import math
from math import comb
from typing import Any

import numpy as np

from .elementwise import sign
from .special import draws, elementwise, library, on_host, scipy_function, special
from .special_complex import cauchy

_ORDERS = ({"n": 0}, {"n": 1}, {"n": 3})


def _of_order(names: tuple[str, str], general: str) -> Any:
    """The impl of a function of static order n: a kernel for 0 and 1, the general one for the others."""
    known = [library(name) for name in names]
    others = on_host(lambda x, n: special(np, general)(float(n), x))

    def impl(xp: Any, x: Any, *, n: int) -> Any:
        return known[n](xp, x) if n < 2 and x.dtype.kind != "c" else others(xp, x, n=n)

    return impl


def _bessel(
    name: str, known: tuple[str, str], general: str, first: int, last: int, kinds: str = "floating"
) -> Any:
    """A Bessel function C with C_n' = (last C_{n-1} + first C_{n+1}) / 2 and C_0' = first C_1 (DLMF 10.6, 10.29)."""

    def rule(x: Any, y: Any, dx: Any, n: int) -> Any:
        if n == 0:
            return dx * prim(x, n=1) * x.dtype.type(first)
        below, above = prim(x, n=n - 1) * x.dtype.type(last), prim(x, n=n + 1) * x.dtype.type(first)
        return dx * ((below + above) * x.dtype.type(0.5))

    prim = elementwise(
        name,
        _of_order(known, general),
        (rule,),
        draws((0.4, 9), params=_ORDERS),
        lambda x, n: special(np, general)(float(n), x),
        kinds,
    )
    return prim


bessel_j = _bessel("bessel_j", ("j0", "j1"), "jv", -1, 1, "inexact")
bessel_y = _bessel("bessel_y", ("y0", "y1"), "yv", -1, 1)
bessel_i = _bessel("bessel_i", ("i0", "i1"), "iv", 1, 1)
bessel_k = _bessel("bessel_k", ("k0", "k1"), "kv", -1, -1)


def _k0e_derivative(x: Any, n: int) -> Any:
    """The n-th derivative of exp(x) K_0(x): by Tricomi's U where Bessel functions of near orders cancel."""
    with_k = sum(comb(n, k) * _k0_derivative(x, k) for k in range(n + 1))
    scale = (-2.0) ** n * math.sqrt(math.pi) * math.prod(k - 0.5 for k in range(1, n + 1))
    return np.where(x < 30, with_k, scale * special(np, "hyperu")(n + 0.5, n + 1.0, 2 * np.maximum(x, 30)))


def _k0_derivative(x: Any, k: int) -> Any:
    """exp(x) times the k-th derivative of K_0 (DLMF 10.29.5)."""
    return (-0.5) ** k * sum(comb(k, j) * special(np, "kve")(float(k - 2 * j), x) for j in range(k + 1))


k0e_derivative = elementwise(
    "k0e_derivative",
    on_host(lambda x, n: _k0e_derivative(x, n)),
    (lambda x, y, dx, n: dx * k0e_derivative(x, n=n + 1),),
    draws((2, 9), params=({"n": 1}, {"n": 2})),
    lambda x, n: cauchy(lambda x: _k0e_derivative(x, n - 1), x, 1),
)
k0e = elementwise(
    "k0e",
    library("k0e"),
    (lambda x, y, dx: dx * k0e_derivative(x, n=1),),
    draws((0.6, 9)),
    scipy_function("k0e"),
)
k1e = elementwise(
    "k1e",
    library("k1e"),
    (lambda x, y, dx: dx * (k0e_derivative(x, n=1) - k0e_derivative(x, n=2)),),
    draws((0.6, 9)),
    scipy_function("k1e"),
)
"""k0e - k0e'."""


def _i0e_derivative(x: Any, n: int) -> Any:
    """By the integral of (cos t - 1)**n exp(x (cos t - 1)) / pi over (0, pi): no cancellation for large x."""
    scale = (-2.0) ** n * math.prod((k - 0.5) / k for k in range(1, n + 1))
    return scale * special(np, "hyp1f1")(n + 0.5, n + 1.0, -2 * np.abs(x))


i0e_derivative = elementwise(
    "i0e_derivative",
    on_host(lambda x, n: _i0e_derivative(x, n)),
    (lambda x, y, dx, n: dx * (sign(x) * i0e_derivative(x, n=n + 1)),),
    draws((0.6, 9), params=({"n": 1}, {"n": 2})),
    lambda x, n: cauchy(lambda x: _i0e_derivative(x, n - 1), x, 1),
)
"""The n-th derivative of i0e at |x|."""
i0e = elementwise(
    "i0e",
    library("i0e"),
    (lambda x, y, dx: dx * (sign(x) * i0e_derivative(x, n=1)),),
    draws((0.6, 9)),
    scipy_function("i0e"),
)
i1e = elementwise(
    "i1e",
    library("i1e"),
    (lambda x, y, dx: dx * (i0e_derivative(x, n=1) + i0e_derivative(x, n=2)),),
    draws((0.6, 9)),
    scipy_function("i1e"),
)
"""For x > 0 it is i0e + i0e'."""
