"""The formulas of Poisson and binomial draws, for arrays and for traced values alike; their rounding is XLA's.

`arrays(xp)` and `TRACED` have the functions under one name each. Sources: Hoermann, "The transformed rejection method
for generating Poisson random variables" (Insurance: Mathematics and Economics 12, 1993); Hoermann, "The generation of
binomial random variates" (J. Stat. Comp. Sim. 46, 1993).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .elementwise import abs_, bit_and, bit_or, floor, lt, select, sqrt
from .random_math import fused_multiply_add, multiply_add, xla_log, xla_log1p


class Functions(NamedTuple):
    """What the formulas are made of besides operators."""

    sqrt: Callable[..., Any]
    floor: Callable[..., Any]
    abs: Callable[..., Any]
    log: Callable[..., Any]
    log1p: Callable[..., Any]
    multiply_add: Callable[..., Any]
    where: Callable[..., Any]
    entry: Callable[..., Any]
    """entry(table, k): table[k] for whole k, floats between 0 and the last index."""
    accepted: Callable[..., Any]
    """accepted(quick, possible, slow, *xs): quick | (possible & slow(*xs))."""


def arrays(xp: Any) -> Functions:
    """On arrays of xp."""
    return Functions(
        xp.sqrt, xp.floor, xp.abs, lambda x: xla_log.impl(xp, x), lambda x: xla_log1p.impl(xp, x),
        lambda x, y, z: multiply_add(xp, x, y, z), xp.where,
        lambda table, k: xp.asarray(table, k.dtype)[k.astype(np.int32)],
        lambda *args: _also_where(xp, *args),
    )  # fmt: skip


def _also_where(xp: Any, quick: Any, possible: Any, slow: Any, *xs: Any) -> Any:
    """The slow test is made only where the quick one fails."""
    places = xp.flatnonzero(possible & ~quick)
    out = xp.ascontiguousarray(quick).reshape(-1)
    out[places] = slow(*[x.reshape(-1)[places] for x in xs])
    return out.reshape(quick.shape)


def _chosen(table: tuple[float, ...], k: Any) -> Any:
    """An entry by comparisons, which loop nests vectorize."""
    number = k.dtype.type
    found = number(table[-1])
    for i in range(len(table) - 2, -1, -1):
        found = select(lt(k, number(i + 1)), number(table[i]), found)
    return found


TRACED = Functions(
    sqrt, floor, abs_, xla_log, xla_log1p, fused_multiply_add, select, _chosen,
    lambda quick, possible, slow, *xs: bit_or(quick, bit_and(possible, slow(*xs))),
)  # fmt: skip
"""On traced values."""


def poisson_terms(m: Functions, rate: Any) -> tuple[Any, ...]:
    """What the candidates of Poisson draws are made of, once for all rounds. rate: float32, at least 10."""
    f = np.float32
    b = m.multiply_add(m.sqrt(rate), f(2.53), f(0.931))
    a = m.multiply_add(b, f(0.02483), f(-0.059))
    inverse = f(1.1239) + f(1.1328) / (b - f(3.4))
    enough = f(0.9277) - f(3.6224) / (b - f(2))
    return rate, m.log(rate), a, b, inverse, enough


def poisson_candidate(
    m: Functions, u: Any, v: Any, rate: Any, logs: Any, a: Any, b: Any, inverse: Any, enough: Any
) -> tuple[Any, Any]:
    """Numbers and whether they are accepted, of uniform u and v."""
    f = np.float32
    u = u - f(0.5)
    near = f(0.5) - m.abs(u)
    k = m.floor(m.multiply_add(f(2) * a / near + b, u, rate) + f(0.43))
    quick = (near >= f(0.07)) & (v <= enough)
    refused = (k < f(0)) | ((near < f(0.013)) & (v > near))

    def slow(k: Any, v: Any, near: Any, a: Any, b: Any, rate: Any, logs: Any, inverse: Any) -> Any:
        s = m.log(v * inverse / (a / (near * near) + b))
        return s <= m.multiply_add(k, logs, -rate) - log_gamma(m, k + f(1))

    return k, m.accepted(quick, ~refused, slow, k, v, near, a, b, rate, logs, inverse)


class Sides(NamedTuple):
    """A binomial draw as one of the rarer outcome, by either method."""

    m: Functions
    n: Any
    p: Any
    few: Any
    """Where n q is at most 10, q being the lower probability."""
    of_few: tuple[Any, Any]
    """n and q for waiting times; harmless numbers elsewhere."""
    of_many: tuple[Any, Any]
    """The same for rejection."""

    def joined(self, out: Any) -> Any:
        """The draw itself; nan for parameters outside their domain, inf of infinitely many trials."""
        f = self.p.dtype.type
        out = self.m.where(self.p < f(0.5), out, self.m.floor(self.n) - out)
        out = self.m.where(self.n == f(np.inf), f(np.inf), out)
        inside = (self.n >= f(0)) & (self.p >= f(0)) & (self.p <= f(1))
        return self.m.where(inside, out, f(np.nan))


def binomial_sides(m: Functions, n: Any, p: Any) -> Sides:
    f = p.dtype.type
    q = m.where(p < f(0.5), p, f(1) - p)
    q = m.where(q >= f(0), q, f(0.01))
    few = ~((n >= f(0)) & (n * q > f(10)))
    whole = m.floor(n)
    finite = m.where(few & (n < f(np.inf)), whole, f(0))
    return Sides(m, n, p, few, (finite, q), (m.where(few, f(1e4), whole), m.where(few, f(0.5), q)))


def binomial_terms(m: Functions, n: Any, p: Any) -> tuple[Any, ...]:
    """What the candidates of binomial draws are made of, once for all rounds. n p: above 10, p: up to 1/2."""
    f = p.dtype.type
    deviation = m.sqrt(n * p * (f(1) - p))
    b = m.multiply_add(deviation, f(2.53), f(1.15))
    a = m.multiply_add(p, f(0.01), m.multiply_add(b, f(0.0248), f(-0.0873)))
    center = m.multiply_add(n, p, f(0.5))
    enough = f(0.92) - f(4.2) / b
    odds = p / (f(1) - p)
    alpha = (f(2.83) + f(5.1) / b) * deviation
    mode = m.floor((n + f(1)) * p)
    rest = n - mode + f(1)
    height = m.log((mode + f(1)) / (odds * rest))
    tails = stirling_tail(m, mode), stirling_tail(m, n - mode)
    return n, a, b, center, enough, odds, alpha, mode, rest, height, *tails


def binomial_candidate(
    m: Functions, u: Any, v: Any, n: Any, a: Any, b: Any, center: Any, enough: Any, *rest: Any
) -> tuple[Any, Any]:
    """Numbers and whether they are accepted, of uniform u and v."""
    f = u.dtype.type
    u = u - f(0.5)
    near = f(0.5) - m.abs(u)
    quick = (near >= f(0.07)) & (v <= enough)
    k = m.floor(m.multiply_add(f(2) * a / near + b, u, center))
    inside = (k >= f(0)) & (k <= n)
    return k, m.accepted(quick, inside, functools.partial(_likely, m), k, v, near, n, a, b, *rest)


def _likely(
    m: Functions, k: Any, v: Any, near: Any, n: Any, a: Any, b: Any, r: Any, alpha: Any, mode: Any, rest: Any,
    height: Any, tail: Any, other_tail: Any,
) -> Any:  # fmt: skip
    """Whether v is below the ratio of the density at k to that of its hat."""
    f = k.dtype.type
    v = m.log(v * alpha / (a / (near * near) + b))
    left = n - k + f(1)
    bound = (n + f(1)) * m.log(rest / left)
    bound = m.multiply_add(mode + f(0.5), height, bound)
    bound = m.multiply_add(k + f(0.5), m.log(r * left / (k + f(1))), bound)
    bound = bound + tail + other_tail
    return v <= bound - stirling_tail(m, k) - stirling_tail(m, n - k)


_STIRLING = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def stirling_tail(m: Functions, k: Any) -> Any:
    """log(k!) less Stirling's formula: a table up to 9, three terms of the series beyond."""
    f = k.dtype.type
    whole = m.where(k >= f(0), m.where(k <= f(9), k, f(9)), f(0))
    square = (whole + f(1)) * (whole + f(1))
    series = (f(1 / 12) - (f(1 / 360) - f(1 / 1260) / square) / square) / (whole + f(1))
    return m.where(k <= f(9), m.entry(_STIRLING, m.floor(whole)), series)


_LANCZOS = (
    676.520368121885098567009190444019, -1259.13921672240287072156078755283, 771.3234287776530788486528258894,
    -176.61502916214059906584551354, 12.507343278686904814458936853, -0.13857109526572011689554707,
    9.984369578019570859563e-6, 1.50563273514931155834e-7,
)  # fmt: skip


def log_gamma(m: Functions, x: Any) -> Any:
    """log of the gamma function for x >= 1/2 by Lanczos's formula (g = 7, n = 9), rounded as XLA does."""
    f = x.dtype.type
    z = x - f(1)
    series = f(0.99999999999980993227684700473478)
    for i, c in enumerate(_LANCZOS):
        series = series + f(c) / (z + f(i + 1))
    t = f(7.5) + z
    log_t = f(math.log(7.5)) + m.log1p(z * (f(1) / f(7.5)))
    power = z + f(0.5) - t / log_t
    return m.multiply_add(power, log_t, f(math.log(math.sqrt(2 * math.pi)))) + m.log(series)
