"""Primitives around the gamma function: gamma, loggamma, beta, zeta, polygamma of complex numbers, and differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.primitive import Sample, absent
from .elementwise import bit_and, bit_not, eq, floor, gt, le, mod, select
from .families import unary, zero_of
from .special import (
    digamma,
    draws,
    elementwise,
    library,
    on_host,
    polygamma,
    scipy_function,
    special,
)
from .special_complex import cauchy, complex_digamma
from .special_series import by_blocks, digamma_difference as _difference, log_beta
from .special_zeta import hurwitz, riemann


def any_digamma(z: Any) -> Any:
    """digamma of real or complex numbers."""
    return complex_digamma(z) if z.dtype.kind == "c" else digamma(z)


gamma = elementwise(
    "gamma",
    library("gamma"),
    (lambda x, y, dx: dx * (y * any_digamma(x)),),
    draws((0.3, 4)),
    scipy_function("gamma"),
    kinds="inexact",
)
factorial = elementwise(
    "factorial",
    on_host(lambda x: special(np, "gamma")(x + 1)),
    (lambda x, y, dx: dx * (y * digamma(x + x.dtype.type(1))),),
    draws((0.3, 4)),
    lambda x: special(np, "gamma")(x + 1),
)
"""gamma(x + 1), where float32 would round x + 1."""
rgamma = elementwise(
    "rgamma",
    library("rgamma"),
    (lambda x, y, dx: -(dx * (y * any_digamma(x))),),
    draws((0.3, 4)),
    scipy_function("rgamma"),
    kinds="inexact",
)
loggamma = elementwise(
    "loggamma",
    library("loggamma"),
    (lambda x, y, dx: dx * any_digamma(x),),
    draws((0.3, 4)),
    scipy_function("loggamma"),
    kinds="inexact",
)
"""The principal branch; NaN for negative real numbers. `lgamma` is log|gamma|."""
gammasgn = unary(
    "gammasgn",
    impl=library("gammasgn", on_device=False),
    jvp=lambda x, y, dx: zero_of(y),
    kinds="floating",
    samples=draws((0.3, 4)),
    oracle=scipy_function("gammasgn"),
    cost=5,
)


digamma_difference = elementwise(
    "digamma_difference",
    on_host(lambda z, m: by_blocks(_difference, z, m)),
    (
        lambda z, m, y, dz: dz * (polygamma(z + m, n=1) - polygamma(z, n=1)),
        lambda z, m, y, dm: dm * polygamma(z + m, n=1),
    ),
    draws((0.3, 40), (0.3, 4)),
    lambda z, m: special(np, "digamma")(z + m) - special(np, "digamma")(z),
)
"""digamma(z + m) - digamma(z) for positive z and z + m, without cancellation."""


def _any_difference(z: Any, m: Any) -> Any:
    """digamma(z + m) - digamma(z), for negative numbers too."""
    zero, one = z.dtype.type(0), z.dtype.type(1)
    usual = bit_and(gt(z, zero), gt(z + m, zero))
    near = digamma_difference(select(usual, z, one), select(usual, m, one))
    return select(usual, near, digamma(z + m) - digamma(z))


def _by_second(rule: Any) -> Any:
    """The rule for the second of two operands that a symmetric function takes."""
    return lambda a, b, y, db: rule(b, a, y, db)


def _betaln_rule(a: Any, b: Any, y: Any, da: Any) -> Any:
    return -(da * _any_difference(a, b))


def _beta_rule(a: Any, b: Any, y: Any, da: Any) -> Any:
    return -(da * (y * _any_difference(a, b)))


betaln = elementwise(
    "betaln",
    on_host(lambda a, b: by_blocks(log_beta, a, b)),
    (_betaln_rule, _by_second(_betaln_rule)),
    draws((0.3, 40), (0.3, 4)),
    scipy_function("betaln"),
)
beta = elementwise(
    "beta",
    library("beta"),
    (_beta_rule, _by_second(_beta_rule)),
    draws((0.3, 4), (0.3, 4)),
    scipy_function("beta"),
)
binom = elementwise(
    "binom",
    library("binom", on_device=False),
    (
        lambda n, k, y, dn: dn * (y * _any_difference(n - k + n.dtype.type(1), k)),
        lambda n, k, y, dk: dk * (y * _any_difference(k + k.dtype.type(1), n - k - k)),
    ),
    draws((4, 9), (0.3, 3)),
    scipy_function("binom"),
)
"""gamma(n + 1) / (gamma(k + 1) gamma(n - k + 1))."""


def _poch_by_z(z: Any, m: Any, y: Any, dz: Any) -> Any:
    """y times a difference of digammas, where gamma(z) has a pole the limit of it (by reflection, DLMF 5.5.3)."""
    zero, one = z.dtype.type(0), z.dtype.type(1)
    whole = bit_and(eq(m, floor(m)), le(z + m, zero))
    mirrored = digamma_difference(select(whole, one - z - m, one), select(whole, m, zero))
    slope = y * select(whole, -mirrored, _any_difference(z, m))
    pole = bit_and(bit_and(le(z, zero), eq(z, floor(z))), bit_not(whole))
    parity = one - (one + one) * mod(z, one + one)
    at_pole = parity * gamma(select(pole, one - z, one)) * gamma(select(pole, z + m, one))
    return dz * select(pole, at_pole, slope)


poch = elementwise(
    "poch",
    library("poch"),
    (_poch_by_z, lambda z, m, y, dm: dm * (y * digamma(z + m))),
    draws((0.4, 4), (0.3, 3)),
    scipy_function("poch"),
)
"""gamma(z + m) / gamma(z)."""


def _polygamma_of_order(n: Any, x: Any) -> Any:
    sign = np.where(n % 2 == 0, -1.0, np.where(n % 2 == 1, 1.0, np.nan))
    higher = sign * special(np, "gamma")(n + 1) * special(np, "zeta")(n + 1, x)
    return np.where(n == 0, special(np, "digamma")(x), higher)


polygamma_of_order = elementwise(
    "polygamma_of_order",
    on_host(_polygamma_of_order),
    (
        absent("only whole orders have a meaning here"),
        lambda n, x, y, dx: dx * polygamma_of_order(n + n.dtype.type(1), x),
    ),
    lambda rng: [
        Sample((np.asarray(rng.integers(0, 4, s), float), np.asarray(rng.uniform(0.5, 4, t))))
        for s, t in (((3, 4), (3, 4)), ((), ()), ((4,), (3, 1)), ((0, 2), (2,)))
    ],
    scipy_function("polygamma"),
)
"""polygamma with the order as an operand."""


def _zeta_by_x(x: Any, q: Any, y: Any, dx: Any, n: int) -> Any:
    return dx * zeta(x, q, n=n + 1)


def _zeta_by_q(x: Any, q: Any, y: Any, dq: Any, n: int) -> Any:
    """d/dq of zeta is -x zeta(x + 1, q); of its n-th derivative by x, Leibniz' rule."""
    one = x.dtype.type(1)
    slope = x * zeta(x + one, q, n=n)
    return -(dq * (slope + zeta(x + one, q, n=n - 1) * x.dtype.type(n) if n else slope))


_ORDERS = ({"n": 0}, {"n": 1}, {"n": 2})

zeta = elementwise(
    "zeta",
    on_host(lambda x, q, n: hurwitz(x, q, n)),
    (_zeta_by_x, _zeta_by_q),
    draws((3, 5), (0.5, 4), params=_ORDERS),
    lambda x, q, n: cauchy(lambda x: hurwitz(x, q, max(n - 1, 0)), x, min(n, 1)),
    cost=60,
)
"""Hurwitz' zeta function, and its derivatives of order n by x."""
riemann_zeta = elementwise(
    "riemann_zeta",
    on_host(lambda x, n: riemann(x, n)),
    (lambda x, y, dx, n: dx * riemann_zeta(x, n=n + 1),),
    draws((-3, 0), params=_ORDERS),
    lambda x, n: cauchy(lambda x: riemann(x, max(n - 1, 0)), x, min(n, 1)),
    kinds="inexact",
    cost=60,
)
"""Riemann's, of real and complex numbers, and its derivatives of order n."""
