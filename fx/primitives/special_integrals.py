"""Primitives of the exponential, sine, cosine and Fresnel integrals, and of the dilogarithm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.primitive import Sample, absent
from .elementwise import abs_, cos, exp, gt, log1p, lt, maximum, select, sin
from .special import draws, elementwise, library, on_host, scipy_function, special

exp1 = elementwise(
    "exp1",
    library("exp1"),
    (lambda x, y, dx: -(dx * (exp(-x) / x)),),
    draws((0.3, 4)),
    scipy_function("exp1"),
    kinds="inexact",
)
expi = elementwise(
    "expi",
    library("expi"),
    (lambda x, y, dx: dx * (exp(x) / x),),
    draws((0.3, 4)),
    scipy_function("expi"),
    kinds="inexact",
)


def _expn_by_x(n: Any, x: Any, y: Any, dx: Any) -> Any:
    """-E_{n-1}(x), where E_0 and E_{-1} are elementary (DLMF 8.19.13)."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    below = exp(-x) * (x + one) / (x * x)
    return -(dx * select(gt(n, zero), expn(maximum(n - one, zero), x), below))


def _expn(n: Any, x: Any) -> Any:
    whole = n == np.floor(n)
    found = special(np, "expn")(np.where(whole, n, 0.0).astype(np.int64), x)
    return np.where(whole, found, np.nan)


expn = elementwise(
    "expn",
    on_host(_expn),
    (absent("only whole orders have a meaning here"), _expn_by_x),
    lambda rng: [
        Sample((np.asarray(rng.integers(0, 5, s), float), np.asarray(rng.uniform(0.4, 4, t))))
        for s, t in (((3, 4), (3, 4)), ((), ()), ((4,), (3, 1)), ((0, 2), (2,)))
    ],
    lambda n, x: special(np, "expn")(n.astype(int), x),
)
"""The generalized exponential integral E_n(x), n a whole number."""


def _near_zero(x: Any, radius: float) -> tuple[Any, Any, Any]:
    """Where |x| is below a radius; x there and 0 beyond; 1 there and x beyond."""
    size = abs_(x)
    near = lt(size, size.dtype.type(radius))
    return near, select(near, x, x.dtype.type(0)), select(near, x.dtype.type(1), x)


def _polynomial(x: Any, coefficients: list[float]) -> Any:
    total = x * x.dtype.type(0)
    for c in reversed(coefficients):
        total = total * x + x.dtype.type(c)
    return total


_SINC = [(-1) ** k / math.factorial(2 * k + 1) for k in range(12)]
_LOG1P = [(-1.0) ** k / (k + 1) for k in range(28)]


def _sinc(x: Any) -> Any:
    """sin(x) / x, near 0 by its power series, so that derivatives do not cancel."""
    near, small, large = _near_zero(x, 1.0)
    return select(near, _polynomial(small * small, _SINC), sin(large) / large)


def _spence_slope(z: Any) -> Any:
    """log(z) / (1 - z), near 1 by its power series."""
    near, small, large = _near_zero(z - z.dtype.type(1), 0.25)
    return -select(near, _polynomial(small, _LOG1P), log1p(large) / large)


def _part(name: str, attribute: str, place: int, rule: Any, kinds: str = "inexact") -> Any:
    """One of the two results of a function of SciPy's."""
    return elementwise(
        name,
        on_host(lambda x: special(np, attribute)(x)[place]),
        (rule,),
        draws((0.3, 4)),
        lambda x: special(np, attribute)(x)[place],
        kinds,
    )


sine_integral = _part("sine_integral", "sici", 0, lambda x, y, dx: dx * _sinc(x))
cosine_integral = _part("cosine_integral", "sici", 1, lambda x, y, dx: dx * (cos(x) / x))


def _quarter_turns(x: Any) -> Any:
    return x * x * x.dtype.type(math.pi / 2)


fresnel_s = _part("fresnel_s", "fresnel", 0, lambda x, y, dx: dx * sin(_quarter_turns(x)))
fresnel_c = _part("fresnel_c", "fresnel", 1, lambda x, y, dx: dx * cos(_quarter_turns(x)))
spence = elementwise(
    "spence",
    library("spence", on_device=False),
    (lambda z, y, dz: dz * _spence_slope(z),),
    draws((0.2, 3)),
    scipy_function("spence"),
    kinds="inexact",
)
"""The integral of log(t) / (1 - t) from 1 to z."""
