"""Primitives of the regularized incomplete gamma and beta functions, differentiable in all their parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import special_ibeta as ib, special_igamma as ig
from .elementwise import bit_or, eq, isinf, log, log1p, select
from .special import digamma, draws, elementwise, library, on_host, polygamma, scipy_function, special
from .special_complex import cauchy
from .special_gamma import digamma_difference
from .special_series import derivative_of_exp


def _weighted(p: Any, weight: Any, *inputs: Any) -> Any:
    """p * weight(*inputs), 0 where p is 0 or infinite at an end of the domain and the weight has no finite value."""
    zero, half = p.dtype.type(0), p.dtype.type(0.5)
    gone = bit_or(eq(p, zero), isinf(p))
    safe = [select(gone, half, x) for x in inputs]
    return select(gone, p, p * weight(*safe))


def _where_defined(y: Any, slope: Any) -> Any:
    """NaN where the function is."""
    return select(eq(y, y), slope, y)


# The incomplete gamma function


def _gamma_slopes(a: Any, x: Any) -> Any:
    """Derivatives by a of the logarithm of the density."""
    return lambda i, _: log(x) - digamma(a) if i == 1 else -polygamma(a, n=i - 1)


def _density_by_x(a: Any, x: Any, p: Any, dx: Any) -> Any:
    """p ((a - 1) / x - 1), at x = 0 as the difference of two densities."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    at_end = eq(x, zero)
    slope = p * ((a - one) / select(at_end, one, x) - one)
    return dx * select(at_end, gamma_density(a - one, x) - p, slope)


gamma_density = elementwise(
    "gamma_density",
    on_host(ig.density),
    (
        lambda a, x, p, da: da * _weighted(p, lambda a, x: log(x) - digamma(a), a, x),
        _density_by_x,
    ),
    draws((0.5, 4), (0.2, 4)),
    lambda a, x: x ** (a - 1) * np.exp(-x) * special(np, "rgamma")(a),
)
"""x**(a - 1) exp(-x) / gamma(a)."""


def _grad_by_x(a: Any, x: Any, y: Any, dx: Any, n: int) -> Any:
    p = gamma_density(a, x)
    return dx * _weighted(p, lambda a, x: derivative_of_exp(_gamma_slopes(a, x), n), a, x)


igamma_grad = elementwise(
    "igamma_grad",
    on_host(ig.derivative),
    (lambda a, x, y, da, n: da * igamma_grad(a, x, n=n + 1), _grad_by_x),
    draws((2, 6), (0.5, 6), params=({"n": 1}, {"n": 2})),
    lambda a, x, n: cauchy(lambda a: special(np, "gammainc")(a, x), a, n, radius=0.5),
    cost=300,
)
"""The n-th derivative of gammainc(a, x) by a."""


def _ratio_by_a(a: Any, x: Any, y: Any, da: Any, n: int) -> Any:
    return da * (igamma_ratio(a, x, n=n + 1) - y * (log(x) - digamma(a)))


def _ratio_by_x(a: Any, x: Any, y: Any, dx: Any, n: int) -> Any:
    one = x.dtype.type(1)
    return dx * (derivative_of_exp(_gamma_slopes(a, x), n) - y * ((a - one) / x - one))


igamma_ratio = elementwise(
    "igamma_ratio",
    on_host(ig.ratio),
    (_ratio_by_a, _ratio_by_x),
    draws((2, 6), (0.5, 6), params=({"n": 1}, {"n": 2})),
    lambda a, x, n: cauchy(lambda a: special(np, "gammainc")(a, x), a, n, radius=0.5) / ig.density(a, x),
    cost=300,
)
"""igamma_grad over the density. With n=1, its negative is the derivative by a of a gamma draw x at a fixed uniform."""
gammainc = elementwise(
    "gammainc",
    library("gammainc"),
    (
        lambda a, x, y, da: da * igamma_grad(a, x, n=1),
        lambda a, x, y, dx: dx * _where_defined(y, gamma_density(a, x)),
    ),
    draws((0.5, 6), (0.2, 6)),
    scipy_function("gammainc"),
    cost=100,
)
gammaincc = elementwise(
    "gammaincc",
    library("gammaincc"),
    (
        lambda a, x, y, da: -(da * igamma_grad(a, x, n=1)),
        lambda a, x, y, dx: -(dx * _where_defined(y, gamma_density(a, x))),
    ),
    draws((0.5, 6), (0.2, 6)),
    scipy_function("gammaincc"),
    cost=100,
)


def _inverse(name: str, sign: int) -> Any:
    """The inverse by x of gammainc (sign 1) or gammaincc (sign -1)."""
    return elementwise(
        name,
        library(name, on_device=name == "gammaincinv"),
        (
            lambda a, y, x, da: -(da * igamma_ratio(a, x, n=1)),
            lambda a, y, x, dy: dy * x.dtype.type(sign) / gamma_density(a, x),
        ),
        draws((0.8, 6), (0.1, 0.9)),
        scipy_function(name),
        cost=300,
    )


gammaincinv = _inverse("gammaincinv", 1)
gammainccinv = _inverse("gammainccinv", -1)

# The incomplete beta function


def _beta_slopes(a: Any, b: Any, x: Any) -> Any:
    """Derivatives by a and b of the logarithm of the density."""

    def slope(i: int, j: int) -> Any:
        if i + j == 1:
            return log(x) + digamma_difference(a, b) if i else log1p(-x) + digamma_difference(b, a)
        both = polygamma(a + b, n=i + j - 1)
        if i and j:
            return both
        return both - (polygamma(a, n=i - 1) if i else polygamma(b, n=j - 1))

    return slope


def _beta_weight(m: int, n: int) -> Any:
    return lambda a, b, x: derivative_of_exp(_beta_slopes(a, b, x), m, n)


def _beta_density_by_x(a: Any, b: Any, x: Any, p: Any, dx: Any) -> Any:
    """p ((a - 1) / x - (b - 1) / (1 - x)), at x = 0 and 1 as the difference of two densities."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    at_end = bit_or(eq(x, zero), eq(x, one))
    inside = select(at_end, x.dtype.type(0.5), x)
    slope = p * ((a - one) / inside - (b - one) / (one - inside))
    left, right = beta_density(a - one, b, x), beta_density(a, b - one, x)
    return dx * select(at_end, (a + b - one) * (left - right), slope)


beta_density = elementwise(
    "beta_density",
    on_host(ib.density),
    (
        lambda a, b, x, p, da: da * _weighted(p, _beta_weight(1, 0), a, b, x),
        lambda a, b, x, p, db: db * _weighted(p, _beta_weight(0, 1), a, b, x),
        _beta_density_by_x,
    ),
    draws((0.5, 4), (0.5, 4), (0.2, 0.8)),
    lambda a, b, x: x ** (a - 1) * (1 - x) ** (b - 1) / special(np, "beta")(a, b),
)
"""x**(a - 1) (1 - x)**(b - 1) / beta(a, b)."""


def _ibeta_oracle(a: Any, b: Any, x: Any, m: int, n: int) -> Any:
    inner = lambda a: cauchy(lambda b: special(np, "betainc")(a, b, x), b, n, radius=0.5)
    return cauchy(inner, a, m, radius=0.5)


def _ibeta_grad_by_x(a: Any, b: Any, x: Any, y: Any, dx: Any, m: int, n: int) -> Any:
    return dx * _weighted(beta_density(a, b, x), _beta_weight(m, n), a, b, x)


ibeta_grad = elementwise(
    "ibeta_grad",
    on_host(ib.derivative),
    (
        lambda a, b, x, y, da, m, n: da * ibeta_grad(a, b, x, m=m + 1, n=n),
        lambda a, b, x, y, db, m, n: db * ibeta_grad(a, b, x, m=m, n=n + 1),
        _ibeta_grad_by_x,
    ),
    draws((2, 5), (2, 5), (0.2, 0.8), params=({"m": 1, "n": 0}, {"m": 0, "n": 1}, {"m": 1, "n": 1})),
    _ibeta_oracle,
    cost=600,
)
"""The derivative of betainc(a, b, x) of order m by a and n by b."""


def _betainc_rules(sign: int) -> Any:
    """The derivatives of betainc (1), or of its complement (-1)."""
    one = lambda x: x.dtype.type(sign)
    return (
        lambda a, b, x, y, da: da * one(x) * ibeta_grad(a, b, x, m=1, n=0),
        lambda a, b, x, y, db: db * one(x) * ibeta_grad(a, b, x, m=0, n=1),
        lambda a, b, x, y, dx: dx * one(x) * _where_defined(y, beta_density(a, b, x)),
    )


def _betainc(name: str, sign: int) -> Any:
    ranges = ((0.5, 4), (0.5, 4), (0.2, 0.8))
    impl = library(name, on_device=sign > 0)
    return elementwise(name, impl, _betainc_rules(sign), draws(*ranges), scipy_function(name), cost=200)


betainc = _betainc("betainc", 1)
betaincc = _betainc("betaincc", -1)


def _betaincinv_rule(m: int, n: int) -> Any:
    return lambda a, b, y, x, d: -(d * ibeta_grad(a, b, x, m=m, n=n) / beta_density(a, b, x))


betaincinv = elementwise(
    "betaincinv",
    library("betaincinv", on_device=False),
    (
        _betaincinv_rule(1, 0),
        _betaincinv_rule(0, 1),
        lambda a, b, y, x, dy: dy / beta_density(a, b, x),
    ),
    draws((0.8, 4), (0.8, 4), (0.2, 0.8)),
    scipy_function("betaincinv"),
    cost=600,
)
