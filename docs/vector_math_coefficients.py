"""Generates the polynomials of fx's vector math: prints fx/backends/cpu/math/coefficients.py.

    python docs/vector_math_coefficients.py > fx/backends/cpu/math/coefficients.py

Every polynomial is the weighted least-squares fit on Chebyshev nodes, which comes within a small factor of the minimax
polynomial; the weight makes the error relative to the function that the polynomial is part of. The first coefficients
are rounded to the format one after the other, and the rest is fitted again around each rounded one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from mpmath import mp, mpf

mp.dps = 80
SEQUENTIAL = 6
"""How many leading coefficients are rounded one by one."""


class Fit(NamedTuple):
    """p(t) of this degree near g(t) on [low, high], so that weight(t) * (p(t) - g(t)) is small."""

    g: Callable[[mpf], mpf]
    low: mpf | float
    high: mpf | float
    degree: int
    weight: Callable[[mpf], mpf]


def nodes(low: mpf, high: mpf, count: int) -> list[mpf]:
    middle, half = (mpf(high) + low) / 2, (mpf(high) - low) / 2
    return [middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]


def polynomial(fit: Fit, bits: int) -> tuple[list[float], float]:
    """Rounded coefficients, constant first, and the largest weighted error (as a power of two)."""
    n = fit.degree + 1
    points = nodes(fit.low, fit.high, 4 * n + 20)
    squares = [fit.weight(t) ** 2 for t in points]
    values = [fit.g(t) for t in points]
    powers = [[w * t**k for w, t in zip(squares, points, strict=True)] for k in range(2 * n - 1)]
    moments = [mp.fsum(row) for row in powers]
    targets = [mp.fdot(powers[k], values) for k in range(n)]
    known: list[float] = []
    while len(known) < n:
        done = len(known)
        matrix = mp.matrix(n - done, n - done)
        for i in range(n - done):
            for j in range(n - done):
                matrix[i, j] = moments[2 * done + i + j]
        right = [
            targets[i] - mp.fsum(c * moments[i + j] for j, c in enumerate(known)) for i in range(done, n)
        ]
        solution = list(mp.lu_solve(matrix, mp.matrix(right)))
        known += [rounded(c, bits) for c in (solution[:1] if done < SEQUENTIAL else solution)]
    dense = nodes(fit.low, fit.high, 10 * n + 30)
    worst = max(abs(fit.weight(t) * (mp.polyval(known[::-1], t) - fit.g(t))) for t in dense)
    return known, float(mp.log(worst, 2))


def rounded(c: mpf, bits: int) -> float:
    """The nearest number of the format; mpmath rounds to nearest when it makes a float."""
    return float(np.float32(float(c))) if bits == 32 else float(c)


ROOT2 = mp.sqrt(2)
LN2 = mp.log(2)


def atanh_part(z: mpf) -> mpf:
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z


def pow_part(z: mpf) -> mpf:
    s = mp.sqrt(z)
    return ((mp.atanh(s) / s - 1) / z - mpf(1) / 3) / z


def through_root(f: Callable[[mpf], mpf]) -> Callable[[mpf], mpf]:
    """f as a function of the square of its argument."""
    return lambda z: f(mp.sqrt(z))


def exponentials() -> Iterator[tuple[str, int, Fit]]:
    edge = LN2 / 2 * mpf("1.001")
    for bits, degree in ((32, 4), (64, 10)):
        yield "EXP", bits, Fit(lambda r: (mp.expm1(r) - r) / r**2, -edge, edge, degree, lambda r: r)
    for bits, degree in ((32, 5), (64, 10)):
        yield "EXP2", bits, Fit(lambda r: mp.expm1(r * LN2) / r, -0.5005, 0.5005, degree, lambda r: r)


def logarithms() -> Iterator[tuple[str, int, Fit]]:
    low, high = 1 / ROOT2 - 1, ROOT2 - 1
    yield (
        "LOG", 32, Fit(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, low, high, 7, lambda f: f**3 / mp.log1p(f)),
    )  # fmt: skip
    z = (high / (2 + high)) ** 2 * mpf("1.0001")
    yield "LOG", 64, Fit(atanh_part, mpf(10) ** -12, z, 6, lambda z: z)
    yield "LOG2_OF_FLOAT", 64, Fit(lambda f: mp.log1p(f) / LN2 / f, low, high, 12, lambda f: f / mp.log1p(f))
    yield "POW_LOG", 64, Fit(pow_part, mpf(10) ** -12, z, 6, lambda z: z)


def trigonometry() -> Iterator[tuple[str, int, Fit]]:
    tiny = mpf(10) ** -12
    edge = (mp.pi / 4 * mpf("1.0005")) ** 2
    part = through_root(lambda r: (mp.sin(r) / r - 1) / r**2)
    for bits, degree in ((32, 2), (64, 5)):
        yield "SIN", bits, Fit(part, tiny, edge, degree, lambda z: z)
    part = through_root(lambda r: (mp.cos(r) - 1) / r**2)
    for bits, degree in ((32, 3), (64, 6)):
        yield "COS", bits, Fit(part, tiny, edge, degree, lambda z: z)
    part = through_root(lambda r: (mp.tan(r) / r - 1) / r**2)
    for bits, degree in ((32, 6), (64, 13)):
        yield "TAN", bits, Fit(part, tiny, edge, degree, lambda z: z)
    part = through_root(lambda x: (mp.atan(x) / x - 1) / x**2)
    for bits, degree in ((32, 8), (64, 19)):
        yield "ATAN", bits, Fit(part, tiny, mpf(1), degree, lambda z: z)
    part = through_root(lambda x: (mp.asin(x) / x - 1) / x**2)
    for bits, degree in ((32, 5), (64, 12)):
        yield "ASIN", bits, Fit(part, tiny, mpf("0.2501"), degree, lambda z: z)
    part = through_root(lambda x: (mp.sinh(x) / x - 1) / x**2)
    for bits, degree in ((32, 2), (64, 6)):
        yield "SINH", bits, Fit(part, tiny, mpf(1), degree, lambda z: z)


def error_functions() -> Iterator[tuple[str, int, Fit]]:
    small = through_root(lambda x: mp.erf(x) / x - 1)
    share = lambda a: a * LN2 * mp.erfc(a) / mp.erf(a)
    for bits, split, degree, tail, end in ((32, "0.68", 4, 5, 3.95), (64, "0.8", 10, 17, 5.95)):
        edge = mpf(split) * mpf("1.001")
        yield "ERF", bits, Fit(small, mpf(10) ** -12, edge**2, degree, lambda z: mpf(1))
        yield "ERF_TAIL", bits, Fit(lambda a: -mp.log(mp.erfc(a), 2) / a, mpf(split), end, tail, share)
    for bits, degree, end, middle in ((32, 10, 10.2, 2), (64, 22, 27.5, 4)):
        end_t = (mpf(end) - middle) / (mpf(end) + middle)
        yield "ERFC", bits, Fit(scaled_erfc(middle), mpf(-1), end_t, degree, lambda t: 1 / (1 - t))
    yield "ERF_INV_NEAR", 32, Fit(erf_inv_by_log(2.5), -2.5, 2.5, 9, lambda w: mpf(1))
    yield "ERF_INV_FAR", 32, Fit(erf_inv_by_root(3), mp.sqrt(5) - 3, mpf(1), 10, lambda w: mpf(1))
    yield "ERF_INV_NEAR", 64, Fit(erf_inv_by_log(3.125), -3.125, 3.125, 24, lambda w: mpf(1))
    yield "ERF_INV_FAR", 64, Fit(erf_inv_by_root(3.25), -0.75, 0.75, 19, lambda w: mpf(1))
    yield "ERF_INV_END", 64, Fit(erf_inv_by_root(5), -1, mpf("1.01"), 18, lambda w: mpf(1))


def scaled_erfc(middle: int) -> Callable[[mpf], mpf]:
    """(1 + 2 a) exp(a**2) erfc(a) of t = (a - middle) / (a + middle)."""

    def g(t: mpf) -> mpf:
        a = middle * (1 + t) / (1 - t)
        return (1 + 2 * a) * mp.exp(a * a) * mp.erfc(a)

    return g


def erf_inv_by_log(middle: float) -> Callable[[mpf], mpf]:
    """erf_inv(x) / x of w - middle, w = -log(1 - x**2)."""

    def g(v: mpf) -> mpf:
        x = mp.sqrt(-mp.expm1(-(v + middle)))
        return mp.erfinv(x) / x

    return g


def erf_inv_by_root(middle: float) -> Callable[[mpf], mpf]:
    by_log = erf_inv_by_log(0)
    return lambda v: by_log((v + middle) ** 2)


def roots() -> Iterator[tuple[str, int, Fit]]:
    for bits, degree in ((32, 4), (64, 6)):
        yield (
            "CBRT",
            bits,
            Fit(lambda f: 1 / mp.cbrt(1 + f), 1 / ROOT2 - 1, ROOT2 - 1, degree, lambda f: mpf(1)),
        )


def gamma_functions() -> Iterator[tuple[str, int, Fit]]:
    sine = through_root(lambda x: (mp.sin(mp.pi * x) / x - mp.pi) / x**2)
    yield "SIN_PI", 64, Fit(sine, mpf(10) ** -12, mpf("0.2501"), 8, lambda z: z)
    near = lambda v: mp.loggamma(v + mpf("1.75")) / (v + mpf("0.75")) / (v - mpf("0.25"))
    yield "LGAMMA", 64, Fit(near, mpf("-0.5"), mpf("0.5"), 20, lambda v: mpf(1))
    constant = mp.log(2 * mp.pi) / 2 - mpf(1) / 2
    stirling = through_root(
        lambda r: (mp.loggamma(1 / r) - (1 / r - mpf(1) / 2) * (-mp.log(r) - 1) - constant) / r
    )
    yield "STIRLING", 64, Fit(stirling, mpf(10) ** -12, mpf("5.2") ** -2, 7, lambda z: mp.sqrt(z))
    zero = mp.findroot(lambda x: mp.psi(0, x), mpf("1.4616321449683623"))
    near = lambda v: mp.psi(0, mpf("1.5") + v) / (mpf("1.5") + v - zero)
    yield "DIGAMMA", 64, Fit(near, mpf("-0.5"), mpf("0.5"), 22, lambda v: mpf(1))
    far = through_root(lambda r: (-mp.log(r) - r / 2 - mp.psi(0, 1 / r)) / r**2)
    yield "DIGAMMA_FAR", 64, Fit(far, mpf(10) ** -12, mpf("4.95") ** -2, 7, lambda z: z)


FAMILIES = (exponentials, logarithms, trigonometry, error_functions, roots, gamma_functions)

HEAD = '''"""Coefficients, constant first, by name and width. Made by docs/vector_math_coefficients.py; do not edit."""

# ruff: noqa: E501
# fmt: off
COEFFICIENTS: dict[tuple[str, int], tuple[float, ...]] = {'''


def main() -> None:
    print(HEAD)
    for family in FAMILIES:
        for name, bits, fit in family():
            values, worst = polynomial(fit, bits)
            texts = ", ".join(repr(float(v)) if bits == 64 else str(np.float32(v)) for v in values)
            print(f'    ("{name}", {bits}): ({texts},),  # error 2^{worst:.1f}')
            print(name, bits, len(values), f"2^{worst:.2f}", file=sys.stderr)
    print("}")


if __name__ == "__main__":
    main()
