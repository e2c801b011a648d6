"""Remainders and floored quotients of floats, exact for every pair, as in NumPy."""

from __future__ import annotations

import math

from ..llvm import Value
from .expression import X, any_lane, copysign, floor, fma, outlined, pick, roundeven, select, where_any


def fmod(x: X, y: X) -> X:
    """x - n y with the sign of x."""
    a, b = abs(x), abs(y)
    valid = (a < math.inf) & (b < math.inf) & (b > 0.0)
    size = _remainder(select(valid, a, x.of(0.0)), select(valid, b, x.of(1.0)))
    special = select(b.equals(math.inf) & (a < math.inf), x, x.of(math.nan))
    return select(valid, copysign(size, x), special)


def mod(x: X, y: X) -> X:
    """x - n y with the sign of y."""
    r = fmod(x, y)
    moved = select((r < 0.0) ^ (y < 0.0), r + y, r)
    return select(r.equals(0.0), copysign(r, y), moved)


def floor_div(x: X, y: X) -> X:
    """floor(x / y) as the quotient that goes with `mod`; x / 0 at zero."""
    r = fmod(x, y)
    n = (x - r) / y
    n = select(r.differs(0.0) & ((r < 0.0) ^ (y < 0.0)), n - 1.0, n)
    whole = floor(n)
    whole = select(n - whole > 0.5, whole + 1.0, whole)
    ratio = x / y
    whole = select(n.equals(0.0), copysign(x.of(0.0), ratio), whole)
    return select(y.equals(0.0), ratio, whole)


def _remainder(a: X, b: X) -> X:
    """a modulo b, for finite a >= 0 and b > 0: r = a - round(a / b) b is exact, and at most b beside 0."""
    r = _step(a, b)
    r = where_any(~(abs(r) < b), lambda: _remainder_of_far(a, b), r)
    return select(r < 0.0, r + b, r)


def _step(r: X, b: X) -> X:
    return fma(-roundeven(r / b), b, r)


@outlined
def _remainder_of_far(r: X, b: X) -> X:
    """The same for any quotient: each step takes off a multiple of b that leaves 2**-22 (2**-51) of r, exactly.

    Multiples of b by powers of two stand in for b while r / b could overflow.
    """
    f = r.f
    far = pick(r, 2.0**80, 2.0**600)
    middle = b * far
    top = middle * far

    def body(values: list[Value]) -> tuple[list[Value], Value]:
        current = X(f, values[0])
        size = abs(current)
        following = _step(current, select(size >= top, top, select(size >= middle, middle, b)))
        return [following.value], any_lane(~(abs(following) < b))

    return X(f, f.repeat([r.value], body)[0])
