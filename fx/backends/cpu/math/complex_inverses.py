"""Inverse functions of complex numbers: trigonometric and hyperbolic; branch cuts and special values as in C17, G.6.

T. E. Hull, T. F. Fairgrieve, P. T. P. Tang, Implementing the complex arcsine and arccosine functions using exception
handling, ACM TOMS 23 (1997); W. Kahan, Branch cuts for complex elementary functions (1987). Sums of positive terms
stand for their differences; single precision is computed in double.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps

from .complex_arithmetic import Z
from .complex_functions import log_of_size
from .expression import X, copysign, select, sqrt
from .logarithms import log as real_log, log1p
from .powers_roots import hypot
from .trigonometry import atan2

LN2 = math.log(2.0)
FAR = 2.0**28
"""From here on asinh(z) is log(2 z) in double precision: the next term is 1 / (4 z**2)."""
BEYOND = 2.0**300
"""From here on squares may overflow."""


def _in_double(body: Callable[[Z], Z]) -> Callable[[Z], Z]:
    @wraps(body)
    def function(z: Z) -> Z:
        if z.re.bits == 64:
            return body(z)
        found = body(Z(z.re.double(), z.im.double()))
        return Z(found.re.single(), found.im.single())

    return function


def _parts_of_asinh(x: X, y: X) -> tuple[X, X]:
    """For x, y >= 0: the real part of asinh(x + i y), and d for which the imaginary part is the angle of d + i y.

    With r = |z + i|, s = |z - i|, a = (r + s) / 2 these are log(a + sqrt(a**2 - 1)) and sqrt(a**2 - y**2), where
    (a - 1) and (a - y) are sums of x**2 / (r + 1 + y) / 2 and the like; with x outside of the root it cannot underflow.
    """
    r, s = hypot(x, y + 1.0), hypot(x, y - 1.0)
    a = (r + s) * 0.5
    up = y - 1.0
    low = 0.5 / (r + (y + 1.0))
    beside = low + 0.5 / (s + abs(up))
    twice = 2.0 * low * x * x + (s + abs(up))
    inside, above = y < 1.0, y > 1.0
    less_one = select(inside, beside * x * x, twice * 0.5)
    root = select(inside, x * sqrt(beside * (a + 1.0)), sqrt(twice * (0.5 * (a + 1.0))))
    d = select(above, x * sqrt(beside * (a + y)), sqrt(twice * (0.5 * (a + y))))
    far = (x > FAR) | (y > FAR)
    return select(far, log_of_size(Z(x, y)) + LN2, log1p(less_one + root)), select(far, x, d)


@_in_double
def asinh(z: Z) -> Z:
    x, y = abs(z.re), abs(z.im)
    re, d = _parts_of_asinh(x, y)
    re, im = select(y.equals(math.inf), y, re), atan2(y, d)
    im = select(y.equals(0.0), y, im)
    im = select(x.is_nan() & ~y.equals(0.0), x, im)
    re = select(x.equals(math.inf), x, re)
    return Z(copysign(re, z.re), copysign(im, z.im))


@_in_double
def acos(z: Z) -> Z:
    x, y = abs(z.re), abs(z.im)
    im, d = _parts_of_asinh(y, x)
    right = z.re.equals(0.0) & y.is_nan()
    re = select(right, math.pi / 2, atan2(d, z.re))
    im = select(x.equals(math.inf) | y.equals(math.inf), math.inf, im)
    re = select(y.is_nan() & ~right, y, re)
    return Z(re, select(im.is_nan(), im, copysign(im, -z.im)))


@_in_double
def atanh(z: Z) -> Z:
    """log1p(4 x / ((1 - x)**2 + y**2)) / 4, and half the angle of (1 - x) (1 + x) - y**2 + 2 i y."""
    x, y = abs(z.re), abs(z.im)
    beside = x - 1.0
    re = 0.25 * log1p(4.0 * x / (beside * beside + y * y))
    re = select(x.equals(1.0) & (y < 2.0**-52), 0.5 * (LN2 - real_log(y)), re)
    im = 0.5 * atan2(y + y, (1.0 - x) * (1.0 + x) - y * y)
    m = select(x > y, x, y)
    far = m > BEYOND
    u, v = x / m, y / m
    re, im = select(far, u / (u * u + v * v) / m, re), select(far, math.pi / 2, im)
    endless = x.equals(math.inf) | y.equals(math.inf)
    re = select(endless | x.equals(0.0), 0.0, re)
    im = select(y.equals(math.inf), math.pi / 2, select(y.is_nan(), y, select(x.is_nan(), x, im)))
    return Z(copysign(re, z.re), copysign(im, z.im))


def asin(z: Z) -> Z:
    """-i asinh(i z)."""
    w = asinh(Z(z.im, z.re))
    return Z(w.im, w.re)


def atan(z: Z) -> Z:
    """-i atanh(i z)."""
    w = atanh(Z(z.im, z.re))
    return Z(w.im, w.re)


def acosh(z: Z) -> Z:
    """i acos(z) or -i acos(z), whichever lies to the right."""
    w = acos(z)
    return Z(abs(w.im), select(w.re.is_nan() | w.im.is_nan(), w.re, copysign(w.re, z.im)))


FUNCTIONS = {"asin": asin, "acos": acos, "atan": atan, "asinh": asinh, "acosh": acosh, "atanh": atanh}
"""By the primitive's name."""
