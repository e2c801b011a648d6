"""The logarithm of the gamma function and its derivative. Floats are computed in double."""

from __future__ import annotations

import math

from .double_double import times
from .expression import X, floor, fma, outlined, polynomial, select, trunc, where_any
from .logarithms import log

STEPS = 3
"""Unit steps by which an argument moves to the interval of a polynomial."""

STIRLING_FROM, DIGAMMA_FAR_FROM = 5.25, 5.0
STIRLING_CONSTANT = 0.4189385332046727
"""log(2 pi) / 2 - 1 / 2."""

PI = (3.141592653589793, 1.2246467991473532e-16)
LOG_PI = 1.1447298858494002
DIGAMMA_ZERO = (1.4616321449683622, 9.549995429965697e-17)


def lgamma(x: X) -> X:
    """log |gamma(x)|."""
    return _lgamma(x.double()).single() if x.bits == 32 else _lgamma(x)


def digamma(x: X) -> X:
    """The derivative of lgamma."""
    return _digamma(x.double()).single() if x.bits == 32 else _digamma(x)


@outlined
def _lgamma(x: X) -> X:
    """On the left log(pi / |sin(pi x)|) - lgamma(1 - x) (DLMF 5.5.3); inf at poles; -inf stays, as in SciPy."""
    left = x < 0.0
    right = _lgamma_right(select(left, 1.0 - x, x))
    fraction = _fraction(x)
    y = where_any(left, lambda: select(left, (LOG_PI - log(sin_pi(fraction))) - right, right), right)
    pole = (x <= 0.0) & fraction.equals(0.0)
    y = select(pole, x.of(math.inf), y)
    return select(abs(x).equals(math.inf), x, y)


def _fraction(x: X) -> X:
    """Distance of |x| from the next integer towards zero; 0 for inf."""
    size = abs(x)
    return select(size < 2.0**52, size - trunc(size), x.of(0.0))


def _lgamma_right(x: X) -> X:
    """For x >= 0: (y - 1) (y - 2) P(y) on [5/4, 9/4) reached by n unit steps, Stirling's series far out."""
    far = x >= STIRLING_FROM
    n = floor(x - 1.25)
    log_of = log(select(far, x, _steps(x, n)))
    zeros = (x - (n + 1.0)) * (x - (n + 2.0))
    near = fma(zeros, polynomial("LGAMMA", x - (n + 1.75)), select(n < 0.0, -log_of, log_of))
    reciprocal = 1.0 / x
    series = fma(reciprocal, polynomial("STIRLING", reciprocal * reciprocal), STIRLING_CONSTANT)
    return select(far, fma(x - 0.5, log_of - 1.0, series), near)


def _steps(x: X, n: X) -> X:
    """gamma(x) / gamma(x - n) for n >= 0, its reciprocal for n = -1 and -2."""
    below = select(n < -1.0, x * (x + 1.0), x)
    product = select(n < 0.0, below, x.of(1.0))
    for i in range(1, STEPS + 1):
        product = select(n >= float(i), product * (x - float(i)), product)
    return product


def sin_pi(x: X) -> X:
    """sin(pi x) for 0 <= x <= 1."""
    folded = select(x > 0.5, 1.0 - x, x)
    z = folded * folded
    return fma(folded, PI[0], fma(folded, PI[1], folded * z * polynomial("SIN_PI", z)))


@outlined
def _digamma(x: X) -> X:
    """On the left digamma(1 - x) - pi / tan(pi x) (DLMF 5.5.4); nan at poles, SciPy's infinities at +-0."""
    left = x < 0.0
    t = 1.0 - x
    right = _digamma_right(select(left, t, x))
    y = where_any(left, lambda: select(left, _reflected_digamma(x, t, right), right), right)
    y = select(abs(x) < 2.0**-60, -1.0 / x, y)
    return select(left & _fraction(x).equals(0.0), x.of(math.nan), y)


def _reflected_digamma(x: X, t: X, right: X) -> X:
    """digamma(1 - x) - pi / tan(pi x); `right` is digamma(t), and what t lacks of 1 - x counts by about 1 / t."""
    lost, r = (1.0 - t) - x, 1.0 / t
    slope = fma(r * r, fma(r, 1 / 6, 0.5), r)
    return fma(lost, slope, right) + _pi_over_tan_pi(_fraction(x))


def _pi_over_tan_pi(x: X) -> X:
    """pi / tan(pi x) for 0 < x < 1."""
    right = x > 0.5
    folded = select(right, 1.0 - x, x)
    cosine, sine = sin_pi(0.5 - folded), sin_pi(folded)
    top, low = times(cosine, x.of(PI[0]))
    reciprocal = 1.0 / sine
    q = top * reciprocal
    y = fma(fma(cosine, PI[1], low) + fma(-q, sine, top), reciprocal, q)
    return select(right, -y, y)


def _digamma_right(x: X) -> X:
    """For x > 0: (y - zero) P(y) on [1, 2) reached by n unit steps, the asymptotic series (DLMF 5.11.2) far out."""
    far = x >= DIGAMMA_FAR_FROM
    n = floor(x - 1.0)
    y = x - n
    numerator, denominator = _reciprocals(x, n)
    distance = (y - DIGAMMA_ZERO[0]) - DIGAMMA_ZERO[1]
    near = fma(distance, polynomial("DIGAMMA", y - 1.5), numerator / denominator)
    reciprocal = 1.0 / x
    z = reciprocal * reciprocal
    series = log(x) - fma(z, polynomial("DIGAMMA_FAR", z), reciprocal * 0.5)
    return select(far, series, near)


def _reciprocals(x: X, n: X) -> tuple[X, X]:
    """digamma(x) - digamma(x - n) as a fraction: the sum of 1 / (x - i) for i = 1 ... n, or -1 / x for n = -1."""
    below = n < 0.0
    numerator, denominator = select(below, x.of(-1.0), x.of(0.0)), select(below, x, x.of(1.0))
    for i in range(1, STEPS + 1):
        factor, more = x - float(i), n >= float(i)
        numerator = select(more, fma(numerator, factor, denominator), numerator)
        denominator = select(more, denominator * factor, denominator)
    return numerator, denominator
