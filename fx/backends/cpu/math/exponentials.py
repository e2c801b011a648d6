"""Exponentials: x = k ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, and 2**k made from exponent bits.

W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980), chapter 6. k is found by adding
1.5 * 2**(digits - 1): the sum is rounded to an integer that stands in the low bits of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .double_double import quotient
from .expression import (
    X,
    at_least,
    at_most,
    fma,
    has_fast_ldexp,
    ldexp,
    pick,
    polynomial,
    select,
    table,
    two_chains,
)

LOG2_E = 1 / math.log(2)


def magic(x: X) -> float:
    """A number whose last digit is worth one."""
    return pick(x, 1.5 * 2**23, 1.5 * 2**52)


def magic_bits(x: X) -> int:
    return pick(x, 0x4B400000, 0x4338000000000000)


def ln2_parts(x: X) -> tuple[float, float]:
    """ln 2 rounded, and what is left of it."""
    return pick(
        x, (0.693147182464599609375, -1.904654290582768e-09), (0.6931471805599453, 2.3190468138462996e-17)
    )


def bias(x: X) -> int:
    """What an exponent field adds to the exponent."""
    return pick(x, 127, 1023)


def digits(x: X) -> int:
    """Bits of the stored significand."""
    return pick(x, 23, 52)


def power_of_two(rounded: X) -> X:
    """2**n where n + bias stands in the low bits."""
    return (rounded.integer() << digits(rounded)).floating()


def reduce_ln2(x: X, offset: X | float) -> tuple[X, X]:
    """A number with k + offset in its low bits, and r = x - k ln 2."""
    high, low = ln2_parts(x)
    shifted = fma(x, LOG2_E, offset)
    k = shifted - offset
    return shifted, fma(k, -low, fma(k, -high, x))


def reduce_to_expm1(x: X, offset: float) -> tuple[X, X, X]:
    """A number with k + offset in its low bits, and exp(x - k ln 2) - 1 in two parts, the first of them exact."""
    high, low = ln2_parts(x)
    shifted = fma(x, LOG2_E, offset)
    k = shifted - offset
    lead = fma(k, -high, x)
    r = fma(k, -low, lead)
    return shifted, lead, fma(r * r, polynomial("EXP", r), k * -low)


def exp_near_zero(r: X) -> X:
    """exp(r) for |r| <= ln 2 / 2."""
    return two_chains(r, (1.0, 1.0, *table("EXP", r)))


def scaling(x: X, *, negative: bool = False) -> tuple[X | float, Callable[[X, X], X]]:
    """An offset for the exponent k, and p, k + offset -> p * 2**k rounded once; `negative` says that x is.

    2**k alone may be beyond the largest or below the smallest normal number where p * 2**k is not: the exponent is
    moved towards zero by `half`, and a second, exact or correctly rounded multiplication moves it back.
    """
    if has_fast_ldexp(x):
        return magic(x), lambda p, shifted: ldexp(p, shifted.integer() - magic_bits(x))
    half = pick(x, 64, 512)
    low, high = magic(x) + bias(x) + half, magic(x) + bias(x) - half
    below = None if negative else x < 0.0
    offset = low if below is None else select(below, x.of(low), x.of(high))
    undo = 2.0**-half if below is None else select(below, x.of(2.0**-half), x.of(2.0**half))
    return offset, lambda p, shifted: p * power_of_two(shifted) * undo


def exp(x: X) -> X:
    low, high = pick(x, (-104.0, 89.0), (-746.0, 710.0))
    x = at_most(at_least(x, low), high)
    offset, scaled = scaling(x)
    shifted, r = reduce_ln2(x, offset)
    return scaled(exp_near_zero(r), shifted)


def exp2(x: X) -> X:
    low, high = pick(x, (-151.0, 129.0), (-1076.0, 1025.0))
    x = at_most(at_least(x, low), high)
    offset, scaled = scaling(x)
    shifted = x + offset
    r = x - (shifted - offset)
    return scaled(exp2_near_zero(r), shifted)


def exp2_near_zero(r: X) -> X:
    """2**r for |r| <= 1 / 2."""
    return two_chains(r, (1.0, *table("EXP2", r)))


def normal_expm1(x: X) -> X:
    """exp(x) - 1 for x whose 2**k is a normal number: 2**k (exp(r) - 1) + (2**k - 1).

    In float32 what ln 2 lacks is left out: it is worth 2**-29 k of the result, which tanh, its user, does not show.
    """
    if x.bits == 32:
        shifted = fma(x, LOG2_E, magic(x) + bias(x))
        lead = fma(shifted - (magic(x) + bias(x)), -ln2_parts(x)[0], x)
        tail = lead * lead * polynomial("EXP", lead)
    else:
        shifted, lead, tail = reduce_to_expm1(x, magic(x) + bias(x))
    scale = power_of_two(shifted)
    return fma(scale, tail, fma(scale, lead, scale - 1.0))


def expm1(x: X) -> X:
    """As half of it doubled, since 2**k may be too large by one."""
    low, high = pick(x, (-18.0, 89.0), (-38.0, 710.0))
    shifted, lead, tail = reduce_to_expm1(at_most(at_least(x, low), high), magic(x) + bias(x) - 1)
    half = power_of_two(shifted)
    y = fma(half, tail, fma(half, lead, half - 0.5)) * 2.0
    return select(abs(x) < pick(x, 2.0**-25, 2.0**-54), x, y)


def logistic(x: X) -> X:
    """1 / (1 + e) or e / (1 + e) with e = exp(-|x|): neither overflows."""
    size = at_most(abs(x), pick(x, 104.0, 746.0))
    offset, scaled = scaling(x, negative=True)
    shifted, r = reduce_ln2(-size, offset)
    e = scaled(exp_near_zero(r), shifted)
    total = e + 1.0
    return quotient(select(x < 0.0, e, x.of(1.0)), total, e - (total - 1.0))
