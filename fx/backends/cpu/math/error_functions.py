"""The error function, its complement and its inverse."""

from __future__ import annotations

import math

from .exponentials import bias, exp2_near_zero, exp_near_zero, magic, power_of_two, reduce_ln2, scaling
from .expression import (
    X,
    at_most,
    copysign,
    fma,
    outlined,
    pick,
    polynomial,
    select,
    sqrt,
    where_any,
)
from .logarithms import log_of_parts, split_normal

ERF_SPLIT = {32: 0.68, 64: 0.8}


def erf(x: X) -> X:
    """x + x P(x**2) near zero, 1 - 2**(-|x| Q(|x|)) away from it, where an error of Q hardly shows.

    After N. Juffa's erff (Stack Overflow 35148198).
    """
    size = at_most(abs(x), pick(x, 3.95, 5.95))
    exponent = size * polynomial("ERF_TAIL", size)
    offset = magic(x) + bias(x)
    shifted = offset - exponent
    r = (offset - shifted) - exponent
    far = fma(-exp2_near_zero(r), power_of_two(shifted), 1.0)
    return select(size < ERF_SPLIT[x.bits], _erf_near_zero(x), copysign(far, x))


def _erf_near_zero(x: X) -> X:
    """erf(x) for |x| <= ERF_SPLIT."""
    return fma(x, polynomial("ERF", x * x), x)


@outlined
def erfc(x: X) -> X:
    """exp(-a**2) p(t) / (1 + 2 a), t = (a - c) / (a + c), a = |x|; 2 minus that on the left; 1 - erf(x) near zero.

    M. M. Shepherd and J. G. Laframboise, Chebyshev approximation of (1 + 2x) exp(x**2) erfc x, Math. Comp. 36 (1981).
    """
    a = at_most(abs(x), pick(x, 10.2, 27.5))
    middle = pick(x, 2.0, 4.0)
    ratio = polynomial("ERFC", (a - middle) / (a + middle)) / fma(a, 2.0, 1.0)
    square = a * a
    offset, scaled = scaling(x, negative=True)
    shifted, r = reduce_ln2(-square, offset)
    e = exp_near_zero(r - fma(a, a, -square))
    y = scaled(ratio * e, shifted)
    y = select(x < 0.0, 2.0 - y, y)
    return select(abs(x) < ERF_SPLIT[x.bits], 1.0 - _erf_near_zero(x), y)


@outlined
def erf_inv(x: X) -> X:
    """x p(w) with w = -log(1 - x**2) (M. Giles, Approximating the erfinv function, GPU Computing Gems 2, 2011)."""
    k, m, _ = split_normal(fma(-x, x, 1.0))
    w = -log_of_parts(k, m - 1.0)
    end, middle = pick(x, (5.0, 2.5), (6.25, 3.125))
    near, far = polynomial("ERF_INV_NEAR", w - middle), ~(w < end)
    p = where_any(far, lambda: select(far, _erf_inv_far(w), near), near)
    size = abs(x)
    beside = select(size.equals(1.0), x * math.inf, x.of(math.nan))
    return select(size < 1.0, x * p, beside)


def _erf_inv_far(w: X) -> X:
    """p as a polynomial in sqrt(w), which is taken in two parts: p changes as fast as it."""
    s = sqrt(w)
    low = fma(-s, s, w) * (0.5 / s)
    if w.bits == 32:
        return polynomial("ERF_INV_FAR", (s - 3.0) + low)
    far, end = polynomial("ERF_INV_FAR", (s - 3.25) + low), polynomial("ERF_INV_END", (s - 5.0) + low)
    return select(w < 16.0, far, end)
