"""Logarithms: x = 2**k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2), and a polynomial for log(1 + f).

float32: log(1 + f) = f - f**2 / 2 + f**3 P(f). float64: FreeBSD's e_log.c (Sun Microsystems, 1993),
log(1 + f) = f - f**2 / 2 + s (f**2 / 2 + R(s**2)) with s = f / (2 + f).
"""

from __future__ import annotations

import math

from .double_double import fast_two_sum
from .exponentials import bias, digits, exp, ln2_parts, magic, magic_bits
from .expression import X, at_least, at_most, fma, outlined, pick, polynomial, select, table, two_chains

ROOT_HALF = {32: 0x3F3504F3, 64: 0x3FE6A09E667F3BCD}
ONE = {32: 0x3F800000, 64: 0x3FF0000000000000}

LOG2_E = {
    32: (1.44269502162933349609375, 1.925963033500e-08),
    64: (1.4426950408889634, 2.0355273740931033e-17),
}
LOG10_E = {
    32: (0.4342944920063018798828125, -1.0103050118726031e-08),
    64: (0.4342944819032518, 1.098319650216765e-17),
}
LOG10_2 = {
    32: (0.3010300099849700927734375, -1.4320988853453787e-08),
    64: (0.3010299956639812, -2.8037281277851704e-18),
}
"""In two parts each."""


def split_float(x: X) -> tuple[X, X]:
    """k as a float and m with x = 2**k m, m in [sqrt(1/2), sqrt(2)), for positive finite x."""
    tiny = x < pick(x, 2.0**-126, 2.0**-1022)
    lift = digits(x) + 1
    moved = select(tiny, x * 2.0**lift, x).integer() + (ONE[x.bits] - ROOT_HALF[x.bits])
    m = ((moved & ((1 << digits(x)) - 1)) + ROOT_HALF[x.bits]).floating()
    zero = select(tiny, x.of(magic(x) + bias(x) + lift), x.of(magic(x) + bias(x)))
    biased = ((moved >> digits(x)) | magic_bits(x)).floating()
    return biased - zero, m


def log1p_tail(f: X) -> X:
    """log(1 + f) - f for 1 + f between sqrt(1/2) and sqrt(2)."""
    if f.bits == 32:
        return f * f * _bend(f)
    s = f / (f + 2.0)
    half = f * f * 0.5
    z = s * s
    return fma(s, fma(z, polynomial("LOG", z), half), -half)


def _bend(f: X) -> X:
    """(log(1 + f) - f) / f**2 in float32."""
    return two_chains(f, (-0.5, *table("LOG", f)))


def finite_only(x: X, y: X, *, at: float = 0.0) -> X:
    """y, with log's values where x is nan, infinite, at the pole `at`, or below it (nan)."""
    y = select(x < math.inf, y, x.of(math.inf))
    beside = select(x.equals(at), x.of(-math.inf), x.of(math.nan))
    return select(x > at, y, beside)


def log_of_parts(k: X, f: X) -> X:
    """k ln 2 + log(1 + f). In float32 what ln 2 lacks does not show."""
    high, low = ln2_parts(f)
    if f.bits == 32:
        return fma(k, high, fma(f * f, _bend(f), f))
    return fma(k, high, f + fma(k, low, log1p_tail(f)))


def log(x: X) -> X:
    k, m = split_float(x)
    return finite_only(x, log_of_parts(k, m - 1.0))


def log2(x: X) -> X:
    return _log_to_base(x, LOG2_E[x.bits], (1.0, 0.0))


def log10(x: X) -> X:
    return _log_to_base(x, LOG10_E[x.bits], LOG10_2[x.bits])


def _log_to_base(x: X, unit: tuple[float, float], octave: tuple[float, float]) -> X:
    """log(x) times `unit`, where log(2) times unit is `octave`; both in two parts."""
    k, m = split_float(x)
    f = m - 1.0
    rest = fma(f, unit[1], log1p_tail(f) * unit[0])
    if octave[1]:
        rest = fma(k, octave[1], rest)
    return finite_only(x, fma(k, octave[0], fma(f, unit[0], rest)))


def log1p(x: X) -> X:
    u, c = fast_two_sum(at_least(x, 1.0), at_most(x, 1.0))
    return select(x.equals(0.0), x, finite_only(x, log_of_sum(u, c), at=-1.0))


@outlined
def logaddexp(x: X, y: X) -> X:
    """log(exp(x) + exp(y)) = max + log1p(exp(-|x - y|))."""
    larger = select(x < y, y, x)
    z = larger + log1p(exp(-abs(x - y)))
    return select(x.equals(y), x + math.log(2), z)


def log_of_sum(u: X, c: X, octaves: X | None = None) -> X:
    """log(u + c) for normal u and small c, plus `octaves` ln 2.

    c joins the reduced argument, which is then right to its last bit: log1p needs no other care near zero.
    """
    k, m, unit = split_normal(u)
    k = k if octaves is None else k + octaves
    return log_of_parts(k, fma(c, unit, m - 1.0))


def split_normal(u: X) -> tuple[X, X, X]:
    """k, m and 2**-k with u = 2**k m, for normal u; 2**-k is 2**-127 (float32) at least, 2**-1023 (float64)."""
    moved = u.integer() + (ONE[u.bits] - ROOT_HALF[u.bits])
    m = ((moved & ((1 << digits(u)) - 1)) + ROOT_HALF[u.bits]).floating()
    exponent = moved >> digits(u)
    k = (exponent | magic_bits(u)).floating() - (magic(u) + bias(u))
    unit = (2 * bias(u) - at_most(exponent, 2 * bias(u))) << digits(u)
    return k, m, unit.floating()
