"""Poisson and binomial draws by rejection: the numbers of `jax.random.poisson` and `jax.random.binomial`.

All elements under one key are drawn in rounds, each with a key of its own, until the last one is accepted; the
formulas and their rounding are XLA's, since a floor follows. Sources: Knuth, "The Art of Computer Programming" 2,
3.4.1; Hoermann, "The transformed rejection method for generating Poisson random variables" (Insurance: Mathematics
and Economics 12, 1993); Hoermann, "The generation of binomial random variates" (J. Stat. Comp. Sim. 46, 1993);
Devroye, "Non-Uniform Random Variate Generation" (1986), X.4 (geometric waiting times).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, absent
from .families import to_front, zero_of
from .random import ROUNDS, key_shape, random_unit
from .random_gamma import cipher, units
from .random_math import multiply_add, xla_log, xla_log1p

log, log1p = xla_log.impl, xla_log1p.impl


class Counts(Primitive):
    """Draws of counts. key: uint32 (*batch, 2), parameters: (*batch, *shape); a key is for all elements of its row.

    Params: drawn = the floating dtype of uniform numbers and formulas; dtype = that of the counts.
    """

    def rows(self, xp: Any, words: Any, *parameters: Any) -> Any:
        """Counts (b, n), as floats of the parameters' dtype, of the parameters (b, n) under keys (b,)."""
        raise NotImplementedError

    def impl(self, xp: Any, key: Any, *parameters: Any, drawn: np.dtype[Any], dtype: np.dtype[Any]) -> Any:
        shape = parameters[0].shape
        b = math.prod(key.shape[:-1])
        out = xp.zeros(shape, dtype)
        if out.size:
            words = tuple(xp.ascontiguousarray(key[..., i].reshape(b)) for i in (0, 1))
            flat = [p.astype(drawn).reshape(b, -1) for p in parameters]
            with np.errstate(all="ignore"):
                counts = self.rows(xp, words, *flat)
                out[...] = _rounded(xp, counts, dtype).reshape(shape)
        return out

    def shape(self, key: Aval, *parameters: Aval, drawn: np.dtype[Any], dtype: np.dtype[Any]) -> Aval:
        batch = key_shape(self.name, key)
        first = parameters[0]
        if any(p.shape != first.shape or p.dtype != first.dtype for p in parameters) or (
            first.shape[: len(batch)] != batch or not dtypes.is_floating(first.dtype)
        ):
            raise errors.ShapeError(
                f"{self.name}: floating parameters of one shape and dtype are needed, batched as the keys; got {key} "
                f"and {', '.join(map(str, parameters))}."
            )
        return Aval(first.shape, dtype)

    transpose = absent("it is not linear in any operand")

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        return self(*[to_front(x, d, axis.size) for x, d in zip(operands, dims, strict=True)], **params), 0

    def cost(self, key: Aval, *parameters: Aval, **params: Any) -> int:
        return 10 * 5 * ROUNDS * parameters[0].size

    def key_by_key(self, key: Any, *parameters: Any, **params: Any) -> Any:
        """The draws, made for each key on its own."""
        batch = key.shape[:-1]
        out = np.empty(parameters[0].shape, params["dtype"])
        for at in np.ndindex(batch):
            out[at] = self.impl(np, key[at], *[p[at] for p in parameters], **params)
        return out


_SHAPES = (((), (3, 4)), ((), ()), ((3,), (5,)), ((), (0, 2)), ((2, 2), (2,)))
"""Of the batch of keys and of the draws under each, in samples."""


def _rounded(xp: Any, counts: Any, dtype: np.dtype[Any]) -> Any:
    """Counts in the dtype of the result; integers are limited to what it holds, nan becomes -1."""
    if dtype.kind not in "iu":
        return counts.astype(dtype)
    most = np.iinfo(dtype).max
    beyond = counts >= counts.dtype.type(float(most))
    inside = xp.where(beyond | ~(counts >= -1), counts.dtype.type(-1), counts)
    return xp.where(beyond, dtype.type(most), inside.astype(np.int64).astype(dtype))


class RandomPoisson(Counts):
    """Poisson draws; the rate is float32. Rates that are negative or nan give -1, as in JAX."""

    name = "random_poisson"

    def rows(self, xp: Any, words: Any, rate: Any) -> Any:
        few = ~(rate >= 10)
        out = xp.full(rate.shape, np.float32(-1))
        if few.any():
            out = _knuth(xp, words, xp.where(few, rate, np.float32(0)))
        if not few.all():
            out = xp.where(few, out, _poisson_rejection(xp, words, xp.where(few, np.float32(1e5), rate)))
        return xp.where(rate == 0, np.float32(0), out)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    def samples(self, rng: Any) -> Iterable[Sample]:
        params = {"drawn": np.dtype("float32"), "dtype": np.dtype("int32")}
        return [
            Sample((_words(rng, (*b, 2)), rng.uniform(0.5, 30, (*b, *s))), params, self.key_by_key)
            for b, s in _SHAPES
        ]


class RandomBinomial(Counts):
    """Binomial draws of n trials with probability p, in a floating dtype."""

    name = "random_binomial"

    def rows(self, xp: Any, words: Any, n: Any, p: Any) -> Any:
        number = p.dtype.type
        below = p < number(0.5)
        q = xp.where(below, p, number(1) - p)
        lost, infinite = ~(n >= 0) | ~(q >= 0), xp.isinf(n) & (n > 0)
        q = xp.where(q >= 0, q, number(0.01))
        few = ~(n >= 0) | (n * q <= number(10))
        n = xp.floor(n)
        out = xp.full(n.shape, number(np.nan))
        if few.any():
            out = _waiting_times(xp, words, xp.where(few, n, number(0)), q)
        if not few.all():
            many = _binomial_rejection(
                xp, words, xp.where(few, number(1e4), n), xp.where(few, number(0.5), q)
            )
            out = xp.where(few, out, many)
        out = xp.where(infinite, number(np.inf), xp.where(below, out, n - out))
        return xp.where(lost, number(np.nan), out)

    def samples(self, rng: Any) -> Iterable[Sample]:
        params = {"drawn": np.dtype("float64"), "dtype": np.dtype("float32")}
        return [
            Sample(
                (_words(rng, (*b, 2)), np.floor(rng.uniform(1, 80, (*b, *s))), rng.uniform(0, 1, (*b, *s))),
                params,
                self.key_by_key,
            )
            for b, s in _SHAPES
        ]

    jvp = absent("a count jumps; fx.random.binomial holds it constant")


def _words(rng: Any, shape: tuple[int, ...]) -> Any:
    return np.asarray(rng.integers(0, 1 << 32, shape, dtype=np.uint32))


# Sums of random numbers up to a limit: an element is left alone as soon as it is done


def _knuth(xp: Any, words: Any, rate: Any) -> Any:
    """How many uniform numbers it takes until their product is below exp(-rate), less 1."""
    return _steps(
        xp,
        words,
        rate,
        child=(0, 1),
        add=lambda sums, u, at: sums + log(xp, u),
        done=lambda sums, r: ~(sums > -r),
    )


def _waiting_times(xp: Any, words: Any, n: Any, p: Any) -> Any:
    """How many geometric waiting times it takes until their sum exceeds n, less 1."""
    logs = log1p(xp, -p).reshape(-1)
    return _steps(
        xp,
        words,
        n,
        child=(1, 0),
        add=lambda sums, u, at: sums + xp.ceil(log(xp, u) / logs[at]),
        done=lambda sums, n: ~(sums <= n),
    )


def _steps(xp: Any, words: Any, limit: Any, child: tuple[int, int], add: Any, done: Any) -> Any:
    """Rounds that each element passes before it is done, less 1. child: which is the next key, which the round's."""
    b, n = limit.shape
    limits = limit.reshape(-1)
    count = xp.full(b * n, limit.dtype.type(-1))
    sums = xp.zeros_like(limits)
    places = xp.flatnonzero(~done(sums, limits))
    while places.size:
        count[places] += limit.dtype.type(1)
        rows, columns = xp.divmod(places, n)
        round_words = cipher(xp, words, child[1])
        picked = round_words if b == 1 else tuple(w[rows] for w in round_words)
        u = units(xp, picked, columns.astype(np.uint32), limit.dtype)
        total = add(sums[places], u, places)
        sums[places] = total
        places = places[~done(total, limits[places])]
        words = cipher(xp, words, child[0])
    ever = count >= 0
    return xp.where(ever, count, limit.dtype.type(-1)).reshape(b, n)


# Transformed rejection: a row goes on until its last element is accepted; the last accepted candidate counts


def _poisson_rejection(xp: Any, words: Any, rate: Any) -> Any:
    f = np.float32
    logs = log(xp, rate)
    b = multiply_add(xp, xp.sqrt(rate), f(2.53), f(0.931))
    a = multiply_add(xp, b, f(0.02483), f(-0.059))
    inverse = f(1.1239) + f(1.1328) / (b - f(3.4))
    enough = f(0.9277) - f(3.6224) / (b - f(2))

    def candidate(u: Any, v: Any, at: Any) -> tuple[Any, Any]:
        rate_, a_, b_ = rate[at], a[at], b[at]
        u = u - f(0.5)
        near = f(0.5) - xp.abs(u)
        k = xp.floor(multiply_add(xp, f(2) * a_ / near + b_, u, rate_) + f(0.43))
        quick = (near >= f(0.07)) & (v <= enough[at])
        refused = (k < 0) | ((near < f(0.013)) & (v > near))

        def slow(k: Any, v: Any, near: Any, a: Any, b: Any, rate: Any, logs: Any, inverse: Any) -> Any:
            s = log(xp, v * inverse / (a / (near * near) + b))
            return s <= multiply_add(xp, k, logs, -rate) - log_gamma(xp, k + f(1))

        return k, _also_where(xp, quick, ~refused, slow, k, v, near, a_, b_, rate_, logs[at], inverse[at])

    return _rejection(xp, words, rate, candidate)


def _binomial_rejection(xp: Any, words: Any, n: Any, p: Any) -> Any:
    f = p.dtype.type
    deviation = xp.sqrt(n * p * (f(1) - p))
    b = multiply_add(xp, deviation, f(2.53), f(1.15))
    a = multiply_add(xp, p, f(0.01), multiply_add(xp, b, f(0.0248), f(-0.0873)))
    center = multiply_add(xp, n, p, f(0.5))
    enough = f(0.92) - f(4.2) / b
    odds = p / (f(1) - p)
    alpha = (f(2.83) + f(5.1) / b) * deviation
    mode = xp.floor((n + f(1)) * p)

    def candidate(u: Any, v: Any, at: Any) -> tuple[Any, Any]:
        n_, a_, b_ = n[at], a[at], b[at]
        u = u - f(0.5)
        near = f(0.5) - xp.abs(u)
        quick = (near >= f(0.07)) & (v <= enough[at])
        k = xp.floor(multiply_add(xp, f(2) * a_ / near + b_, u, center[at]))
        inside = (k >= 0) & (k <= n_)
        return k, _also_where(xp, quick, inside, slow, k, v, near, n_, a_, b_, odds[at], mode[at], alpha[at])

    def slow(k: Any, v: Any, near: Any, n: Any, a: Any, b: Any, r: Any, m: Any, alpha: Any) -> Any:
        v = log(xp, v * alpha / (a / (near * near) + b))
        rest, left = n - m + f(1), n - k + f(1)
        bound = (n + f(1)) * log(xp, rest / left)
        bound = multiply_add(xp, m + f(0.5), log(xp, (m + f(1)) / (r * rest)), bound)
        bound = multiply_add(xp, k + f(0.5), log(xp, r * left / (k + f(1))), bound)
        bound = bound + _stirling_tail(xp, m) + _stirling_tail(xp, n - m)
        return v <= bound - _stirling_tail(xp, k) - _stirling_tail(xp, n - k)

    return _rejection(xp, words, n, candidate)


def _rejection(xp: Any, words: Any, like: Any, candidate: Any) -> Any:
    """Rounds of candidates for whole rows. candidate(u, v, rows) -> values and which of them are accepted."""
    out, accepted = xp.full_like(like, -1), xp.zeros(like.shape, bool)
    rows = xp.arange(like.shape[0])
    while rows.size:
        u, v = [_uniform(xp, cipher(xp, words, i), like) for i in (1, 2)]
        k, fits = candidate(u, v, rows)
        out[rows] = xp.where(fits, k, out[rows])
        accepted[rows] |= fits
        going = xp.flatnonzero(~accepted[rows].all(axis=1))
        words = cipher(xp, tuple(w[going] for w in words), 0)
        rows = rows[going]
    return out


def _also_where(xp: Any, quick: Any, possible: Any, slow: Any, *xs: Any) -> Any:
    """quick | (possible & slow(*xs)); the slow test is made only where the quick one fails."""
    places = xp.flatnonzero(possible & ~quick)
    out = xp.ascontiguousarray(quick).reshape(-1)
    out[places] = slow(*[x.reshape(-1)[places] for x in xs])
    return out.reshape(quick.shape)


def _uniform(xp: Any, words: Any, like: Any) -> Any:
    return random_unit.impl(xp, xp.stack(words, axis=-1), shape=like.shape[1:], dtype=like.dtype)


_STIRLING = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def _stirling_tail(xp: Any, k: Any) -> Any:
    """log(k!) less Stirling's formula: a table up to 9, three terms of the series beyond."""
    f = k.dtype.type
    whole = xp.clip(xp.where(k == k, k, f(0)), f(0), f(9))
    square = (whole + f(1)) * (whole + f(1))
    series = (f(1 / 12) - (f(1 / 360) - f(1 / 1260) / square) / square) / (whole + f(1))
    return xp.where(k <= 9, xp.asarray(_STIRLING, k.dtype)[xp.floor(whole).astype(np.int32)], series)


_LANCZOS = (
    676.520368121885098567009190444019, -1259.13921672240287047156078755283, 771.3234287776530788486528258894,
    -176.61502916214059906584551354, 12.507343278686904814458936853, -0.13857109526572011689554707,
    9.984369578019570859563e-6, 1.50563273514931155834e-7,
)  # fmt: skip


def log_gamma(xp: Any, x: Any) -> Any:
    """log of the gamma function for x >= 1/2 by Lanczos's formula (g = 7, n = 9), rounded as XLA does."""
    f = x.dtype.type
    z = x - f(1)
    series = xp.full_like(x, 0.99999999999980993227684700473478)
    for i, c in enumerate(_LANCZOS):
        series = series + f(c) / (z + f(i + 1))
    t = f(7.5) + z
    log_t = f(math.log(7.5)) + log1p(xp, z * (f(1) / f(7.5)))
    power = z + f(0.5) - t / log_t
    return multiply_add(xp, power, log_t, f(math.log(math.sqrt(2 * math.pi)))) + log(xp, series)


random_poisson = RandomPoisson()
random_binomial = RandomBinomial()
