"""Poisson and binomial draws by rejection: the numbers of `jax.random.poisson` and `jax.random.binomial`.

All elements under one key are drawn in rounds, each with a key of its own, until the last one is accepted; here each
element is drawn only in the rounds that count for it. `fx.random._count_loops` has the same for compiled code. Sources:
Knuth, "The Art of Computer Programming" 2, 3.4.1; Devroye, "Non-Uniform Random Variate Generation" (1986), X.4
(geometric waiting times); the formulas of `random_count_formulas`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, absent
from . import random_count_formulas as formulas
from .families import to_front, zero_of
from .random import ROUNDS, key_shape
from .random_gamma import cipher, units
from .random_math import xla_log, xla_log1p

log, log1p = xla_log.impl, xla_log1p.impl

_BLOCK = 1 << 13
"""Candidates made at once in NumPy, so that intermediate results stay in the cache."""


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
        sides = formulas.binomial_sides(formulas.arrays(xp), n, p)
        few, out = sides.few, xp.full(n.shape, n.dtype.type(np.nan))
        if few.any():
            out = _waiting_times(xp, words, *sides.of_few)
        if not few.all():
            out = xp.where(few, out, _binomial_rejection(xp, words, *sides.of_many))
        return sides.joined(out)

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
    m = formulas.arrays(xp)
    return _rejection(xp, words, formulas.poisson_terms(m, rate), formulas.poisson_candidate)


def _binomial_rejection(xp: Any, words: Any, n: Any, p: Any) -> Any:
    m = formulas.arrays(xp)
    return _rejection(xp, words, formulas.binomial_terms(m, n, p), formulas.binomial_candidate)


def _rejection(xp: Any, words: Any, terms: Sequence[Any], candidate: Any) -> Any:
    """candidate(functions, u, v, *terms) -> values and which of them are accepted. terms: (b, n) each."""
    b, n = terms[0].shape
    out = xp.empty(b * n, terms[0].dtype)
    flat = [t.reshape(-1) for t in terms]
    rounds, last = _first_accepted(xp, words, flat, candidate, n, out)
    _last_accepted(xp, rounds, last, flat, candidate, n, out)
    return out.reshape(b, n)


def _first_accepted(
    xp: Any, words: Any, terms: Any, candidate: Any, n: int, out: Any
) -> tuple[list[Any], Any]:
    """Writes what each element accepts first. Returns the keys of all rounds, and the last round of each row."""
    places, last, rounds = xp.arange(out.size), xp.zeros(words[0].size, np.int64), [words]
    while True:
        k, fits = _candidates(xp, words, places, terms, candidate, n)
        out[places[fits]] = k[fits]
        places = places[~fits]
        if not places.size:
            return rounds, last
        last[places // n] = len(rounds)
        words = cipher(xp, words, 0)
        rounds.append(words)


def _last_accepted(
    xp: Any, rounds: list[Any], last: Any, terms: Any, candidate: Any, n: int, out: Any
) -> None:
    """Overwrites with what each element accepts last: rounds backward, each for the elements still without."""
    missing, ends = xp.ones(out.size, bool), xp.repeat(last, n)
    for r in range(len(rounds) - 1, 0, -1):
        places = xp.flatnonzero(missing & (ends >= r))
        if not places.size:
            continue
        k, fits = _candidates(xp, rounds[r], places, terms, candidate, n)
        out[places[fits]] = k[fits]
        missing[places[fits]] = False


def _candidates(xp: Any, words: Any, places: Any, terms: Any, candidate: Any, n: int) -> Any:
    """Candidates of one round, and whether they fit, for the elements at `places` of rows of n."""
    keys = [cipher(xp, words, i) for i in (1, 2)]
    one = words[0].size == 1
    block = _BLOCK if xp is np else places.size
    found = []
    for start in range(0, places.size, block):
        part = places[start : start + block]
        rows, columns = (0, part) if one else xp.divmod(part, n)
        picked = keys if one else [tuple(w[rows] for w in pair) for pair in keys]
        u, v = [units(xp, pair, columns.astype(np.uint32), terms[0].dtype) for pair in picked]
        found.append(candidate(formulas.arrays(xp), u, v, *[t[part] for t in terms]))
    return [xp.concatenate(xs) for xs in zip(*found, strict=True)]


random_poisson = RandomPoisson()
random_binomial = RandomBinomial()
