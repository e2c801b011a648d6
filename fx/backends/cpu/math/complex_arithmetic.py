"""Arithmetic of complex numbers, by NumPy's formulas: the same infinities, NaNs and signs of zeros."""

from __future__ import annotations

import math
from typing import NamedTuple

from .expression import X, copysign, fma, select
from .powers_roots import hypot


class Z(NamedTuple):
    """A complex number in formulas."""

    re: X
    im: X


def choose(mask: X, yes: Z, no: Z) -> Z:
    """`yes` where the mask is true, else `no`."""
    return Z(select(mask, yes.re, no.re), select(mask, yes.im, no.im))


def negative(z: Z) -> Z:
    return Z(-z.re, -z.im)


def conjugate(z: Z) -> Z:
    return Z(z.re, -z.im)


def add(z: Z, w: Z) -> Z:
    return Z(z.re + w.re, z.im + w.im)


def subtract(z: Z, w: Z) -> Z:
    return Z(z.re - w.re, z.im - w.im)


def multiply(z: Z, w: Z) -> Z:
    """By definition, with the fused multiply-adds of NumPy's vector loops: an infinite factor may give NaN."""
    return Z(fma(z.re, w.re, -(z.im * w.im)), fma(z.re, w.im, z.im * w.re))


def divide(z: Z, w: Z) -> Z:
    """R. L. Smith, Algorithm 116, CACM 5 (1962): by the larger part of w first; by zero, each part of z."""
    wide, high = abs(w.re) >= abs(w.im), abs(w.im)
    p, q = select(wide, w.re, w.im), select(wide, w.im, w.re)
    x, y = select(wide, z.re, z.im), select(wide, z.im, z.re)
    ratio = q / p
    scale = 1.0 / (p + q * ratio)
    im = select(wide, y - x * ratio, x * ratio - y)
    zero = abs(w.re).equals(0.0) & high.equals(0.0)
    infinite = Z(z.re * math.inf, z.im * math.inf)
    return choose(zero, infinite, Z((x + y * ratio) * scale, im * scale))


def size(z: Z) -> X:
    return hypot(z.re, z.im)


def sign(z: Z) -> Z:
    """z / |z|; on the axes for an infinite part, NaN for two."""
    a, zero = size(z), z.re.of(0.0)
    unit = lambda x: select(abs(x).equals(math.inf), copysign(x.of(1.0), x), zero)
    both = abs(z.re).equals(math.inf) & abs(z.im).equals(math.inf)
    far = Z(select(both, math.nan, unit(z.re)), select(both, math.nan, unit(z.im)))
    found = choose(a.equals(math.inf), far, Z(z.re / a, z.im / a))
    return choose(a.equals(0.0), Z(zero, zero), found)


def integer_power(z: Z, n: int) -> Z:
    """By repeated squaring; powers of 0 have no sign, negative ones of it are NaN."""
    one = Z(z.re.of(1.0), z.re.of(0.0))
    if n == 0:
        return one
    if n == 2:
        return multiply(z, z)
    found = plain_product(z, plain_product(z, z)) if n == 3 else _power(z, abs(n), one)
    found = divide(one, found) if n < 0 else found
    at_zero = z.re.of(math.nan if n < 0 else 0.0)
    return choose(z.re.equals(0.0) & z.im.equals(0.0), Z(at_zero, at_zero), found)


def _power(z: Z, n: int, found: Z) -> Z:
    while n:
        found = plain_product(found, z) if n & 1 else found
        n >>= 1
        z = plain_product(z, z) if n else z
    return found


def plain_product(z: Z, w: Z) -> Z:
    """The product with every rounding, as NumPy's powers have it."""
    return Z(z.re * w.re - z.im * w.im, z.re * w.im + z.im * w.re)


def equal(z: Z, w: Z) -> X:
    return z.re.equals(w.re) & z.im.equals(w.im)


def differ(z: Z, w: Z) -> X:
    return z.re.differs(w.re) | z.im.differs(w.im)


def maximum(z: Z, w: Z) -> Z:
    """By the real part, then by the imaginary one; a NaN in either, the first operand's first."""
    return choose(is_nan(z) | _comes_last(z, w), z, w)


def minimum(z: Z, w: Z) -> Z:
    return choose(is_nan(z) | _comes_last(negative(z), negative(w)), z, w)


def _comes_last(z: Z, w: Z) -> X:
    numbers = ~(z.im.is_nan() | w.im.is_nan())
    return (z.re > w.re) & numbers | z.re.equals(w.re) & (z.im >= w.im)


def is_nan(z: Z) -> X:
    return z.re.is_nan() | z.im.is_nan()


def is_infinite(z: Z) -> X:
    return abs(z.re).equals(math.inf) | abs(z.im).equals(math.inf)


def is_finite(z: Z) -> X:
    return (abs(z.re) < math.inf) & (abs(z.im) < math.inf)


FUNCTIONS = {
    "neg": negative, "conj": conjugate, "add": add, "sub": subtract, "mul": multiply, "div": divide, "abs": size,
    "sign": sign, "max": maximum, "min": minimum, "eq": equal, "ne": differ, "isnan": is_nan, "isinf": is_infinite,
    "isfinite": is_finite, "real": lambda z: z.re, "imag": lambda z: z.im, "complex": Z,
    "select": choose,
}  # fmt: skip
"""By the primitive's name."""
