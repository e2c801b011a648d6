"""Trigonometric functions and their inverses.

x = k pi / 2 + r with |r| <= pi / 4. Up to `LIMIT` k pi / 2 is subtracted in three parts (W. J. Cody and W. Waite,
Software Manual for the Elementary Functions, 1980, chapter 8), beyond it by `huge_arguments`. The last two bits of k
choose between sin(r), cos(r) and their negatives.
"""

from __future__ import annotations

from .double_double import times, two_sum
from .exponentials import magic
from .expression import X, copysign, fma, horner, polynomial, select, sqrt, table
from .huge_arguments import reduce_huge

HALF_PI_PARTS = {
    32: (1.57079625129699707031, 7.549789415861596e-08, 5.390302529957765e-15),
    64: (1.5707963267948966, 6.123233995736765e-17, 1.0828566739219139e-32),
}
"""Truncated, so that all have one sign: -0 - 0 * part stays -0."""

HALF_PI = {
    32: (1.57079637050628662109, -4.37113882867379e-08),
    64: (1.5707963267948966, 6.123233995736766e-17),
}
"""Rounded, and what is left."""

TWO_OVER_PI = 0.6366197723675814
LIMIT = {32: 1e5, 64: 1e8}


def sin(x: X) -> X:
    return _sine(x, 0)


def cos(x: X) -> X:
    return _sine(x, 1)


def _sine(x: X, quarter: int) -> X:
    """sin(x + quarter * pi / 2)."""
    shifted = fma(x, TWO_OVER_PI, magic(x))
    k, r = shifted - magic(x), x
    for part in HALF_PI_PARTS[x.bits]:
        r = fma(k, -part, r)
    r, quadrant = reduce_huge(x, LIMIT[x.bits], r, shifted.integer())
    quadrant = quadrant + quarter if quarter else quadrant
    z = r * r
    sine = copysign(fma(r * z, polynomial("SIN", z), r), r)
    y = select((quadrant & 1).differs(0), fma(z, polynomial("COS", z), 1.0), sine)
    return (y.integer() ^ ((quadrant >> 1) << (x.bits - 1))).floating()


def tan(x: X) -> X:
    """tan(r) or -1 / tan(r), with r in two parts, since an error of r counts up to pi / 2 times in the tangent."""
    shifted = fma(x, TWO_OVER_PI, magic(x))
    k = shifted - magic(x)
    first, second, third = HALF_PI_PARTS[x.bits]
    taken, error = times(k, x.of(second))
    r, lost = two_sum(fma(k, -first, x), -taken)
    low = fma(k, -third, lost - error)
    r, low, quadrant = reduce_huge(x, LIMIT[x.bits], r, low, shifted.integer())
    z = r * r
    t = fma(r * z, polynomial("TAN", z), fma(z, low, low)) + r
    odd = (quadrant & 1).differs(0)
    y = select(odd, x.of(-1.0), t) / select(odd, t, x.of(1.0))
    return select(x.equals(0.0), x, y)


def atan(x: X) -> X:
    size = abs(x)
    steep = size > 1.0
    q = select(steep, x.of(-1.0), size) / select(steep, size, x.of(1.0))
    high, low = HALF_PI[x.bits]
    y = _atan_near_zero(q)
    return copysign(select(steep, (y + low) + high, y), x)


def _atan_near_zero(q: X) -> X:
    """atan(q) for |q| <= 1. The even and the odd coefficients alone would cancel: one chain."""
    z = q * q
    return fma(q * z, horner(z, table("ATAN", z)), q)


def atan2(y: X, x: X) -> X:
    """atan of the smaller by the larger, then turned into its octant; signs as in C17, F.10.1.4."""
    a, b = abs(y), abs(x)
    steep = a > b
    small, large = select(steep, b, a), select(steep, a, b)
    equal = select(large.equals(0.0), x.of(0.0), x.of(1.0))
    q = select(small.equals(large), equal, small / large)
    left = x.integer() < 0
    angle = _atan_near_zero(q)
    angle = select(steep ^ left, -angle, angle)
    high, low = HALF_PI[x.bits]
    zero, one, two = (lambda part: tuple(x.of(n * part) for n in (0, 1, 2)))(high)
    turn = select(steep, one, select(left, two, zero))
    turn_low = turn * (low / high)
    return copysign((angle + turn_low) + turn, y)


def asin(x: X) -> X:
    """x + x**3 P(x**2); beyond 1/2 pi / 2 - 2 asin(y) with y = sqrt((1 - |x|) / 2)."""
    size = abs(x)
    outer = size > 0.5
    z = select(outer, fma(size, -0.5, 0.5), x * x)
    y = select(outer, sqrt(z), size)
    bend = y * z * polynomial("ASIN", z)
    high, low = HALF_PI[x.bits]
    lead = fma(y, -2.0, high)
    lost = fma(y, -2.0, high - lead)
    beyond = lead + fma(bend, -2.0, lost + low)
    return copysign(select(outer, beyond, y + bend), x)


def acos(x: X) -> X:
    """2 asin(sqrt((1 - |x|) / 2)) beyond 1/2, pi minus that on the negative side, pi / 2 - asin(x) within."""
    size = abs(x)
    outer = size > 0.5
    z = select(outer, fma(size, -0.5, 0.5), x * x)
    y = select(outer, sqrt(z), x)
    y = fma(y * z, polynomial("ASIN", z), y)
    high, low = HALF_PI[x.bits]
    left = x < 0.0
    twice = y + y
    beyond = select(left, (2 * low - twice) + 2 * high, twice)
    return select(outer, beyond, high - (y - low))
