"""Numbers as unevaluated sums of two floats (T. J. Dekker, Numerische Mathematik 18, 1971)."""

from __future__ import annotations

from .expression import X, fma

Pair = tuple[X, X]


def two_sum(a: X, b: X) -> Pair:
    """a + b exactly (D. E. Knuth, The Art of Computer Programming 2, 4.2.2)."""
    s = a + b
    back = s - a
    return s, (a - (s - back)) + (b - back)


def fast_two_sum(a: X, b: X) -> Pair:
    """a + b exactly, for |a| >= |b| or a = 0."""
    s = a + b
    return s, b - (s - a)


def times(a: X, b: X) -> Pair:
    """a * b exactly."""
    p = a * b
    return p, fma(a, b, -p)


def product(a: Pair, b: Pair) -> Pair:
    """a * b to about twice the digits; the parts may overlap by a few bits."""
    p, error = times(a[0], b[0])
    return p, fma(a[0], b[1], fma(a[1], b[0], error))


def quotient(n: X, d: X, d_low: X) -> X:
    """n / (d + d_low), nearly rounded once."""
    reciprocal = 1.0 / d
    q = n * reciprocal
    return fma(fma(-q, d_low, fma(-q, d, n)), reciprocal, q)
