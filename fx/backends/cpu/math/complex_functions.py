"""Functions of complex numbers from those of their parts; branch cuts and special values as in C17, Annex G.6."""

from __future__ import annotations

import math

from .complex_arithmetic import Z, choose, divide, plain_product
from .double_double import times, two_sum
from .exponentials import exp as real_exp, expm1 as real_expm1
from .expression import X, copysign, pick, select, sqrt as root, trunc
from .hyperbolic import cosh as real_cosh, sinh as real_sinh
from .logarithms import log as real_log, log1p as real_log1p
from .powers_roots import hypot
from .trigonometry import atan2, cos as real_cos, sin as real_sin

LN2 = math.log(2.0)


def exp(z: Z) -> Z:
    """exp(x) (cos y + i sin y); where exp(x) leaves the range, by exp(x/2) twice, as the products may lie inside."""
    x, y = z
    far = abs(x) > pick(x, 87.0, 708.0)
    e = real_exp(select(far, x * 0.5, x))
    again = select(far, e, 1.0)
    re, im = e * real_cos(y) * again, select(y.equals(0.0), y, e * real_sin(y) * again)
    endless = ~(abs(y) < math.inf)
    re = select(endless & x.equals(math.inf), x, re)
    return choose(endless & x.equals(-math.inf), Z(x.of(0.0), copysign(x.of(0.0), y)), Z(re, im))


def exp2(z: Z) -> Z:
    return exp(_scaled(z, LN2))


def logistic(z: Z) -> Z:
    e = exp(Z(-z.re, -z.im))
    return divide(Z(z.re.of(1.0), z.re.of(0.0)), Z(1.0 + e.re, e.im))


def expm1(z: Z) -> Z:
    """expm1(x) cos y - 2 sin(y/2)**2, and the imaginary part of exp; at infinities what the array API says."""
    x, y = z
    half, real = real_sin(y * 0.5), real_expm1(x)
    on_axis, endless = y.equals(0.0), ~(abs(y) < math.inf)
    low, high = x.equals(-math.inf), x.equals(math.inf) & endless
    re = select(low, -1.0, select(high, x, real * real_cos(y) - 2.0 * half * half))
    im = select(low & endless, 0.0, select(high, math.nan, real_exp(x) * real_sin(y)))
    return Z(select(on_axis, real + 0.0, re), select(on_axis, y, im))


def log(z: Z) -> Z:
    return Z(log_of_size(z), atan2(z.im, z.re))


def log_of_size(z: Z) -> X:
    """log |z|; near |z| = 1 from |z|**2 - 1, whose terms cancel, to twice the digits."""
    x, y = abs(z.re), abs(z.im)
    m, n = select(x > y, x, y), select(x > y, y, x)
    beyond = _square_minus_one(m, n)
    near = (beyond > -0.5) & (beyond < 2.0)
    large, small = m > pick(x, 2.0**126, 2.0**1022), m < pick(x, 2.0**-100, 2.0**-960)
    up = pick(x, 64, 128)
    scale = select(large, x.of(0.25), select(small, x.of(2.0**up), x.of(1.0)))
    shift = select(large, x.of(2 * LN2), select(small, x.of(-up * LN2), x.of(0.0)))
    return select(near, 0.5 * real_log1p(beyond), real_log(hypot(x * scale, y * scale)) + shift)


def _square_minus_one(m: X, n: X) -> X:
    """m**2 + n**2 - 1 for m from 1/2 to 2, n <= m: the squares exactly, and m**2 - 1."""
    if m.bits == 32:
        p, q = m.double(), n.double()
        return ((p * p - 1.0) + q * q).single()
    (p, p_low), (q, q_low) = times(m, m), times(n, n)
    total, low = two_sum(p - 1.0, q)
    lower, lowest = two_sum(p_low, q_low)
    return total + (low + lower) + lowest


def log1p(z: Z) -> Z:
    x = z.re + 1.0
    return Z(real_log(hypot(x, z.im)), atan2(z.im, x))


def log2(z: Z) -> Z:
    return _scaled(log(z), math.log2(math.e))


def log10(z: Z) -> Z:
    return _scaled(log(z), math.log10(math.e))


def _scaled(z: Z, factor: float) -> Z:
    return Z(z.re * factor, z.im * factor)


def power(z: Z, w: Z) -> Z:
    """exp(w log z); by repeated squaring for whole w below 100; NumPy's conventions at 0."""
    zero, one = z.re.of(0.0), z.re.of(1.0)
    whole = trunc(w.re).equals(w.re) & (abs(w.re) < 100.0) & w.im.equals(0.0)
    n = select(whole, w.re, zero)
    found = choose(whole, _whole_power(z, n), exp(_exponent(log(z), w)))
    at_zero = select(w.re > 0.0, zero, math.nan)
    found = choose(z.re.equals(0.0) & z.im.equals(0.0), Z(at_zero, at_zero), found)
    return choose(w.re.equals(0.0) & w.im.equals(0.0), Z(one, zero), found)


def _exponent(z: Z, w: Z) -> Z:
    """z w; of an infinite z with one part NaN as C17, G.5.1 has it."""
    found = plain_product(z, w)
    lost = found.re.is_nan() & found.im.is_nan() & z.re.equals(math.inf)
    return choose(lost, Z(w.re * math.inf, w.im * math.inf), found)


def _whole_power(z: Z, n: X) -> Z:
    """z**n for whole |n| < 128; the first powers without the factor 1, by which an infinite part becomes NaN."""
    one = Z(n.of(1.0), n.of(0.0))
    found, factor, rest = one, z, abs(n)
    for _ in range(7):
        half = trunc(rest * 0.5)
        found = choose(rest.differs(half + half), plain_product(found, factor), found)
        factor, rest = plain_product(factor, factor), half
    square = plain_product(z, z)
    found = choose(n < 0.0, divide(one, found), found)
    for exponent, first in ((1.0, z), (2.0, square), (3.0, plain_product(z, square))):
        found = choose(n.equals(exponent), first, found)
    return found


def sqrt(z: Z) -> Z:
    """sqrt((|z| + |x|) / 2) is one part, |y| / 2 by it the other; scaled where |z| overflows or is subnormal."""
    x, y = abs(z.re), abs(z.im)
    m = select(x > y, x, y)
    large, small = m > pick(x, 2.0**126, 2.0**1022), m < pick(x, 2.0**-100, 2.0**-960)
    pull = lambda down, up: select(large, x.of(down), select(small, x.of(up), x.of(1.0)))
    before, after = pull(2.0**-4, 2.0**64), pull(2.0**2, 2.0**-32)
    x, y = x * before, y * before
    long = root((hypot(x, y) + x) * 0.5)
    short = select(long.equals(0.0), y, y * 0.5 / long)
    long, short = long * after, short * after
    left = z.re < 0.0
    re, im = select(left, short, long), select(left, long, short)
    endless = y.equals(math.inf)
    return Z(select(endless, y, re), copysign(select(endless, y, im), z.im))


def rsqrt(z: Z) -> Z:
    return divide(Z(z.re.of(1.0), z.re.of(0.0)), sqrt(z))


def _halves(x: X) -> tuple[X, X, X]:
    """cosh(x) = c f and sinh(x) = s f, where c and s do not overflow before |x| is twice as large as they could."""
    far = abs(x) > pick(x, 87.0, 708.0)
    e = real_exp(abs(x) * 0.5)
    c, s = (select(far, e * 0.5, real_cosh(x)), select(far, copysign(e * 0.5, x), real_sinh(x)))
    return c, s, select(far, e, 1.0)


def sinh(z: Z) -> Z:
    """sinh x cos y + i cosh x sin y."""
    x, y = z
    c, s, f = _halves(x)
    endless = ~(abs(y) < math.inf)
    re = select(endless & x.equals(0.0), x, s * real_cos(y) * f)
    re = select(endless & abs(x).equals(math.inf), abs(x), re)
    return Z(re, select(y.equals(0.0), y, c * real_sin(y) * f))


def cosh(z: Z) -> Z:
    """cosh x cos y + i sinh x sin y."""
    x, y = z
    c, s, f = _halves(x)
    endless = ~(abs(y) < math.inf)
    re = select(endless & abs(x).equals(math.inf), abs(x), c * real_cos(y) * f)
    turned = y * select(x.is_nan(), 1.0, copysign(x.of(1.0), x))
    im = select(endless & x.equals(0.0), 0.0, s * real_sin(y) * f)
    return Z(re, select(y.equals(0.0), turned, im))


def tanh(z: Z) -> Z:
    """(sinh x cosh x + i sin y cos y) / (sinh(x)**2 + cos(y)**2); for large |x| what is left of it."""
    x, y = z
    a = abs(x)
    far = a > pick(x, 12.0, 22.0)
    near = select(far, x.of(0.0), x)
    s, c = real_sinh(near), real_cosh(near)
    sy, cy = real_sin(y), real_cos(y)
    below = s * s + cy * cy
    im = select(far, 4.0 * sy * cy * real_exp(a * -2.0), sy * cy / below)
    re = select(far, copysign(x.of(1.0), x), s * c / below)
    endless = ~(abs(y) < math.inf)
    re = select(endless & (a < math.inf), select(x.equals(0.0), x, math.nan), re)
    im = select(a.equals(math.inf), copysign(x.of(0.0), y), im)
    return Z(re, select(y.equals(0.0), y, im))


def sin(z: Z) -> Z:
    """i sinh(-i z)."""
    w = sinh(Z(z.im, -z.re))
    return Z(-w.im, w.re)


def cos(z: Z) -> Z:
    """cosh(i z)."""
    return cosh(Z(-z.im, z.re))


def tan(z: Z) -> Z:
    """-i tanh(i z)."""
    w = tanh(Z(-z.im, z.re))
    return Z(w.im, -w.re)


FUNCTIONS = {
    "exp": exp, "exp2": exp2, "expm1": expm1, "logistic": logistic, "log": log, "log1p": log1p, "log2": log2,
    "log10": log10, "pow": power, "sqrt": sqrt, "rsqrt": rsqrt, "sinh": sinh, "cosh": cosh, "tanh": tanh,
    "sin": sin, "cos": cos, "tan": tan,
}  # fmt: skip
"""By the primitive's name."""
