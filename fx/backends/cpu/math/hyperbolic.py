"""Hyperbolic functions and their inverses."""

from __future__ import annotations

import math

from .double_double import fast_two_sum, quotient, two_sum
from .exponentials import bias, exp_near_zero, magic, normal_expm1, power_of_two, reduce_ln2
from .expression import X, at_least, at_most, copysign, fma, pick, polynomial, select, sqrt
from .logarithms import log_of_sum


def tanh(x: X) -> X:
    """t / (t + 2) with t = exp(2 |x|) - 1."""
    size = at_most(abs(x), pick(x, 10.0, 20.0))
    t = normal_expm1(size + size)
    total = t + 2.0
    return copysign(quotient(t, total, t - (total - 2.0)), x)


def _quarter_exp(size: X) -> X:
    """exp(|x|) / 4, which does not overflow where cosh and sinh do not."""
    shifted, r = reduce_ln2(at_most(size, pick(size, 89.5, 710.5)), magic(size) + bias(size) - 2)
    return exp_near_zero(r) * power_of_two(shifted)


def sinh(x: X) -> X:
    size = abs(x)
    e = _quarter_exp(size)
    z = x * x
    near = fma(x * z, polynomial("SINH", z), x)
    return select(size < 1.0, near, copysign((e - 0.0625 / e) * 2.0, x))


def cosh(x: X) -> X:
    e = _quarter_exp(abs(x))
    return (e + 0.0625 / e) * 2.0


def asinh(x: X) -> X:
    """log(1 + a + b), a = |x|, b = a**2 / (1 + sqrt(1 + a**2)); ln 2 + log(a) for large a."""
    a = abs(x)
    large = a > 2.0**30
    square = a * a
    b = square / (sqrt(square + 1.0) + 1.0)
    sum, low = fast_two_sum(a, b)
    return copysign(_log_of_one_plus(a, sum, low, large), x)


def acosh(x: X) -> X:
    """log(1 + t + sqrt(x**2 - 1)), t = x - 1; ln 2 + log(x) for large x."""
    large = x > 2.0**30
    square = fma(x, x, -1.0)
    s = sqrt(square)
    lost = fma(-s, s, square) * (0.5 / at_least(s, 2.0**-30))
    sum, low = fast_two_sum(s, x - 1.0)
    low = low + lost
    return select(x >= 1.0, _log_of_one_plus(x, sum, low, large), x.of(math.nan))


def _log_of_one_plus(x: X, sum: X, low: X, large: X) -> X:
    """log(1 + sum + low), log(2 x) where x is large."""
    u, c = two_sum(sum, x.of(1.0))
    u, c = select(large, x, u), select(large, x.of(0.0), c + low)
    y = log_of_sum(u, c, select(large, x.of(1.0), x.of(0.0)))
    return select(x < math.inf, y, x)


def atanh(x: X) -> X:
    """log(1 + q) / 2 with q = 2 |x| / (1 - |x|) in two parts."""
    a = abs(x)
    d = 1.0 - a
    d_low = (1.0 - d) - a
    reciprocal = 1.0 / d
    n = a + a
    q = n * reciprocal
    low = fma(-q, d_low, fma(-q, d, n)) * reciprocal
    u, c = two_sum(q, x.of(1.0))
    y = log_of_sum(u, c + low) * 0.5
    beside = select(a.equals(1.0), x.of(math.inf), x.of(math.nan))
    return copysign(select(a < 1.0, y, beside), x)
