"""Powers and roots."""

from __future__ import annotations

import math

from .double_double import fast_two_sum, product, times
from .exponentials import bias, exp2_near_zero, magic, magic_bits, power_of_two
from .expression import (
    X,
    at_least,
    at_most,
    copysign,
    fma,
    has_fast_ldexp,
    ldexp,
    outlined,
    polynomial,
    roundeven,
    select,
    sqrt as root,
    trunc,
    where_any,
)
from .logarithms import split_float

TWO_OVER_LN2 = (2.8853900817779268, 4.0710547481862066e-17)
THIRD = (0.3333333333333333, 1.850371707708594e-17)


def sqrt(x: X) -> X:
    return root(x)


def rsqrt(x: X) -> X:
    return 1.0 / root(x)


def cbrt(x: X) -> X:
    """m y**2 with y near m**(-1/3), corrected by Newton's steps; x = 2**(3 n) m with m from 0.35 to 2.83."""
    k, m = split_float(abs(x))
    n = roundeven(k * (1 / 3))
    rest = fma(n, -3.0, k)
    y = polynomial("CBRT", m - 1.0)
    pull = lambda below, above: select(rest < 0.0, x.of(below), select(rest > 0.0, x.of(above), x.of(1.0)))
    m, y = m * pull(0.5, 2.0), y * pull(2 ** (1 / 3), 2 ** (-1 / 3))
    if x.bits == 64:
        e = fma(-m * y, y * y, 1.0)
        y = fma(y * e, fma(e, 2 / 9, 1 / 3), y)
    c = m * y * y
    c = fma(fma(-c * c, c, m), y * y * (1 / 3), c)
    y = c * power_of_two(n + (magic(n) + bias(n)))
    return select(x.equals(0.0) | ~(abs(x) < math.inf), x, copysign(y, x))


def hypot(x: X, y: X) -> X:
    """sqrt(x**2 + y**2), in double for floats, for doubles scaled so that no square overflows or underflows."""
    a, b = abs(x), abs(y)
    if x.bits == 32:
        p, q = a.double(), b.double()
        z = root(fma(p, p, q * q)).single()
    else:
        z = _scaled_hypot(select(a > b, a, b), select(a > b, b, a))
    infinite = a.equals(math.inf) | b.equals(math.inf)
    return select(infinite, x.of(math.inf), z)


def _scaled_hypot(a: X, b: X) -> X:
    large, small = a > 2.0**500, a < 2.0**-500
    pull = lambda up, down: select(large, a.of(down), select(small, a.of(up), a.of(1.0)))
    scale = pull(2.0**600, 2.0**-600)
    a, b = a * scale, b * scale
    return root(fma(a, a, b * b)) * pull(2.0**-600, 2.0**600)


@outlined
def pow(x: X, y: X) -> X:
    """|x|**y = 2**(y log2 |x|); what is special about signs, zeros, inf and nan is a branch."""
    size = abs(x)
    z = _pow_of_float(size, y) if x.bits == 32 else _pow_of_double(size, y)
    plain = (x > 0.0) & (x < math.inf) & (abs(y) < math.inf)
    return where_any(~plain, lambda: _pow_with_exceptions(x, y, z), z)


def _pow_with_exceptions(x: X, y: X, z: X) -> X:
    """x**y where z is |x|**y for finite arguments and x != 0: C17, F.10.4.4."""
    size = abs(x)
    extreme = size.equals(0.0) | size.equals(math.inf) | abs(y).equals(math.inf)
    z = select(extreme, select((size > 1.0) ^ (y < 0.0), x.of(math.inf), x.of(0.0)), z)
    z = select(x.is_nan() | y.is_nan(), x + y, z)
    whole, half = trunc(y).equals(y), y * 0.5
    z = select(whole & trunc(half).differs(half), copysign(z, x), z)
    z = select((x < 0.0) & (size < math.inf) & ~whole, x.of(math.nan), z)
    one = x.equals(1.0) | y.equals(0.0) | (x.equals(-1.0) & abs(y).equals(math.inf))
    return select(one, x.of(1.0), z)


def _scaled(p: X, n: X) -> X:
    """p * 2**n for an integral float n, rounded once when the result is subnormal."""
    if has_fast_ldexp(p):
        return ldexp(p, (n + magic(n)).integer() - magic_bits(n))
    half = (n * 0.5 + magic(n)) - magic(n)
    first, second = (power_of_two(e + (magic(n) + bias(n))) for e in (half, n - half))
    return p * first * second


def _pow_of_float(size: X, y: X) -> X:
    """In double up to the reduced exponent, which leaves its error below that of the polynomial."""
    k, m = split_float(size)
    f = m.double() - 1.0
    log2 = fma(f, polynomial("LOG2_OF_FLOAT", f), k.double())
    z = at_most(at_least(y.double() * log2, -200.0), 200.0)
    n = (z + magic(z)) - magic(z)
    r = (z - n).single()
    return _scaled(exp2_near_zero(r), n.single())


def _pow_of_double(size: X, y: X) -> X:
    """log2 in two doubles, good for 65 bits, so that y log2 |x| is right to 2**-54 up to 1075."""
    high, low = log2_parts(size)
    z, rest = times(y, high)
    rest = select(abs(z) < 1100.0, fma(y, low, rest), z.of(0.0))
    z = at_most(at_least(z, -1100.0), 1100.0)
    n = (z + magic(z)) - magic(z)
    r = (z - n) + rest
    return _scaled(exp2_near_zero(r), n)


def log2_parts(x: X) -> tuple[X, X]:
    """log2(x) of a positive double in two parts: log(m) / 2 = s + s**3 (1/3 + s**2 Q(s**2)), s = (m - 1) / (m + 1)."""
    k, m = split_float(x)
    s = _half_angle(m)
    z = product(s, s)
    tail = z[0] * polynomial("POW_LOG", z[0])
    c, c_low = fast_two_sum(x.of(THIRD[0]), tail)
    u = product(s, product(z, (c, c_low + THIRD[1])))
    high, low = fast_two_sum(s[0], u[0])
    high, low = product((high, low + (u[1] + s[1])), (x.of(TWO_OVER_LN2[0]), x.of(TWO_OVER_LN2[1])))
    total, error = fast_two_sum(k, high)
    return total, error + low


def _half_angle(m: X) -> tuple[X, X]:
    """(m - 1) / (m + 1) in two parts."""
    numerator, denominator = m - 1.0, m + 1.0
    lost = (1.0 - denominator) + m
    reciprocal = 1.0 / denominator
    s = numerator * reciprocal
    return s, (fma(-s, denominator, numerator) - s * lost) * reciprocal
