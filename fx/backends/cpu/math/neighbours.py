"""The next float in a direction."""

from __future__ import annotations

from .expression import X, copysign, pick, select


def nextafter(x: X, y: X) -> X:
    """One step of the bits towards y: away from zero where y is farther on x's side."""
    outward = (x < y) ^ (x < 0.0)
    bits = x.integer()
    moved = select(outward, bits + 1, bits - 1).floating()
    moved = select(x.equals(0.0), copysign(x.of(pick(x, 2.0**-149, 2.0**-1074)), y), moved)
    moved = select(x.equals(y), y, moved)
    return select(x.is_nan() | y.is_nan(), x + y, moved)
