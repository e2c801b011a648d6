"""Primitives of the error function's family: scaled, complex, Dawson's, the normal distribution, Owen's T."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .elementwise import exp
from .special import draws, elementwise, erf, library, on_host, scipy_function, special
from .special_complex import cauchy, complex_draws
from .special_series import by_blocks, by_cases

_ROOT_PI = math.sqrt(math.pi)
_ORDERS = ({"n": 0}, {"n": 1}, {"n": 2})
_FAR = 7.0
"""From here on derivatives come from backward recurrence: forward, they would be differences of large numbers."""


def _forward(z: Any, value: Any, start: Any, n: int) -> Any:
    """The n-th derivative, n >= 1, of a y with y' = start - 2 z y."""
    before, last = value, start - 2 * z * value
    for k in range(1, n):
        before, last = last, -2 * z * last - 2 * k * before
    return last


def _faddeeva(z: Any, n: int) -> Any:
    """The n-th derivative of w(z), n >= 1."""
    far = np.abs(z) >= _FAR
    upper = z.imag >= 0
    return by_cases(
        [
            (~far, lambda z: _forward(z, special(np, "wofz")(z), 2j / _ROOT_PI, n)),
            (far & upper, lambda z: _backward(z, n)),
            (far & ~upper, lambda z: 2 * _gaussian(z, n) - (-1) ** n * _backward(-z, n)),
        ],
        z,
    )


def _backward(z: Any, n: int) -> Any:
    """By ratios of successive derivatives, a continued fraction (Miller's algorithm, DLMF 3.6(iii))."""
    ratios = [np.zeros_like(z)]
    for k in range(24 + n, 0, -1):
        ratios.append(-2 * k / (2 * z + ratios[-1]))
    return math.prod(ratios[-n:], start=special(np, "wofz")(z))


def _gaussian(z: Any, n: int) -> Any:
    """The n-th derivative of exp(-z**2)."""
    value = np.exp(-z * z)
    return _forward(z, value, 0.0, n)


def _dawson(z: Any, n: int) -> Any:
    """The n-th derivative, n >= 1, of Dawson's integral, from w where |z| is large."""
    far, upper = np.abs(z) >= _FAR, z.imag >= 0
    above = lambda z: (0.5j * _ROOT_PI) * (_gaussian(z, n) - _backward(z, n))
    return by_cases(
        [
            (~far, lambda z: _forward(z, special(np, "dawsn")(z), 1.0, n)),
            (far & upper, above),
            (far & ~upper, lambda z: (-1) ** (n + 1) * above(-z)),
        ],
        z,
    )


def _of_order(name: str, kernel: Any) -> Any:
    """The impl of SciPy's function, or of its n-th derivative by a kernel of complex numbers."""

    def host(x: Any, n: int) -> Any:
        if n == 0:
            return special(np, name)(x)
        found = by_blocks(lambda z: kernel(z, n), x.astype(np.complex128))
        return found if x.dtype.kind == "c" else found.real

    return on_host(host)


def _derivatives(name: str, kernel: Any, kinds: str) -> Any:
    """A primitive with its order of differentiation, n, as a parameter."""
    impl = _of_order(name, kernel)
    prim = elementwise(
        name,
        impl,
        (lambda x, y, dx, n: dx * prim(x, n=n + 1),),
        complex_draws(_ORDERS) if kinds == "complex" else draws((-1.5, 3), params=_ORDERS),
        lambda x, n: cauchy(lambda x: impl(np, x, n=n - 1), x, 1) if n else scipy_function(name)(x),
        kinds=kinds,
    )
    return prim


wofz = _derivatives("wofz", _faddeeva, "complex")
"""exp(-z**2) erfc(-i z), and its derivatives."""
erfcx = _derivatives("erfcx", lambda z, n: 1j**n * _faddeeva(1j * z, n), "inexact")
"""exp(x**2) erfc(x), and its derivatives: erfcx(x) is w(i x)."""
dawsn = _derivatives("dawsn", _dawson, "inexact")
"""exp(-x**2) times the integral of exp(t**2) from 0 to x, and its derivatives."""
erfi = elementwise(
    "erfi",
    library("erfi", on_device=False),
    (lambda x, y, dx: dx * (exp(x * x) * x.dtype.type(2 / _ROOT_PI)),),
    draws((-1.5, 2)),
    scipy_function("erfi"),
    kinds="inexact",
)


def _complex_error(name: str, sign: float) -> Any:
    return elementwise(
        f"complex_{name}",
        library(name, on_device=False),
        (lambda z, y, dz: dz * (exp(-(z * z)) * z.dtype.type(sign * 2 / _ROOT_PI)),),
        complex_draws(),
        scipy_function(name),
        kinds="complex",
    )


complex_erf = _complex_error("erf", 1)
complex_erfc = _complex_error("erfc", -1)
erfcinv = elementwise(
    "erfcinv",
    library("erfcinv"),
    (lambda x, y, dx: -(dx * (exp(y * y) * x.dtype.type(_ROOT_PI / 2))),),
    draws((0.1, 1.9)),
    scipy_function("erfcinv"),
)

# The normal distribution


def _normal_density(x: Any) -> Any:
    return exp(x * x * x.dtype.type(-0.5)) * x.dtype.type(1 / math.sqrt(2 * math.pi))


def _slope_of_log(x: Any) -> Any:
    """The density over the distribution function: the derivative of log_ndtr."""
    return x.dtype.type(math.sqrt(2 / math.pi)) / erfcx(x * x.dtype.type(-math.sqrt(0.5)), n=0)


ndtr = elementwise(
    "ndtr",
    library("ndtr"),
    (lambda x, y, dx: dx * _normal_density(x),),
    draws((-3, 3)),
    scipy_function("ndtr"),
    kinds="inexact",
)
log_ndtr = elementwise(
    "log_ndtr",
    library("log_ndtr"),
    (lambda x, y, dx: dx * _slope_of_log(x),),
    draws((-3, 3)),
    scipy_function("log_ndtr"),
    kinds="inexact",
)
ndtri = elementwise(
    "ndtri",
    library("ndtri"),
    (lambda x, y, dx: dx * (exp(y * y * y.dtype.type(0.5)) * y.dtype.type(math.sqrt(2 * math.pi))),),
    draws((0.1, 0.9)),
    scipy_function("ndtri"),
)
ndtri_exp = elementwise(
    "ndtri_exp",
    library("ndtri_exp", on_device=False),
    (lambda x, y, dx: dx / _slope_of_log(y),),
    draws((-4, -0.1)),
    scipy_function("ndtri_exp"),
)


def _owens_by_h(h: Any, a: Any, y: Any, dh: Any) -> Any:
    root = h.dtype.type(math.sqrt(0.5))
    return -(dh * (_normal_density(h) * erf(a * h * root) * h.dtype.type(0.5)))


def _owens_by_a(h: Any, a: Any, y: Any, da: Any) -> Any:
    size = a * a + a.dtype.type(1)
    return da * (exp(h * h * size * h.dtype.type(-0.5)) / (size * h.dtype.type(2 * math.pi)))


owens_t = elementwise(
    "owens_t",
    library("owens_t", on_device=False),
    (_owens_by_h, _owens_by_a),
    draws((-2, 2), (-2, 2)),
    scipy_function("owens_t"),
)
