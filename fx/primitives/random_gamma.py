"""Gamma draws by rejection, an element at a time under its own key: the numbers of `jax.random.gamma`.

Every element has a key of its own, so that only elements that were rejected are drawn again: each round works on
fewer of them. Source: Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables" (ACM TOMS 26, 2000).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, absent
from .families import to_front
from .random import ROUNDS, key_shape, random_unit, threefry2x32, threefry2x32_int
from .random_math import multiply_add, xla_erf_inv, xla_log, xla_log1p

log, log1p, erf_inv = xla_log.impl, xla_log1p.impl, xla_erf_inv.impl

_BLOCK = 1 << 15
"""Words hashed at once in NumPy."""
_FEW = 6
"""So few are hashed faster in Python integers."""


class RandomGamma(Primitive):
    """Gamma draws of unit scale, or their logarithms. keys: uint32 (*s, 2), a: floating (*s) -> dtype (*s).

    float16 and bfloat16 are drawn in float32.
    """

    name = "random_gamma"

    def impl(self, xp: Any, keys: Any, a: Any, *, dtype: np.dtype[Any], log_space: bool) -> Any:
        wide = a.astype(np.float32 if dtypes.is_low_precision(dtype) else dtype)
        words = (
            xp.ascontiguousarray(keys[..., 0].reshape(-1)),
            xp.ascontiguousarray(keys[..., 1].reshape(-1)),
        )
        out = _draws(xp, words, wide.reshape(-1), log_space)
        return out.reshape(a.shape).astype(dtype, copy=False)

    def shape(self, keys: Aval, a: Aval, *, dtype: np.dtype[Any], log_space: bool) -> Aval:
        batch = key_shape(self.name, keys)
        if a.shape != batch or not dtypes.is_floating(a.dtype):
            raise errors.ShapeError(
                f"random_gamma: one floating parameter per key is needed; got {keys} and {a}."
            )
        return Aval(a.shape, dtype)

    jvp = absent("draws made by rejection jump; fx.random.gamma says how they move with their distribution")
    transpose = absent("it is not linear in any operand")

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        return self(*[to_front(x, d, axis.size) for x, d in zip(operands, dims, strict=True)], **params), 0

    def cost(self, keys: Aval, a: Aval, **params: Any) -> int:
        return 8 * 5 * ROUNDS * a.size

    def samples(self, rng: Any) -> Iterable[Sample]:
        cases = (
            ((3, 4), "float32", False),
            ((3, 4), "float64", True),
            ((), "float32", False),
            ((0, 2), "float32", True),
        )
        return [
            Sample(
                (_words(rng, (*s, 2)), rng.uniform(0.3, 5, s)),
                {"dtype": np.dtype(dtype), "log_space": logs},
                _one_by_one,
            )
            for s, dtype, logs in cases
        ]


def _one_by_one(keys: Any, a: Any, **params: Any) -> Any:
    """The draws, each on its own."""
    rows = [
        random_gamma.impl(np, k[None], x[None], **params)
        for k, x in zip(keys.reshape(-1, 2), a.reshape(-1), strict=True)
    ]
    return np.concatenate([np.empty(0, params["dtype"]), *rows]).reshape(a.shape)


def _words(rng: Any, shape: tuple[int, ...]) -> Any:
    return np.asarray(rng.integers(0, 1 << 32, shape, dtype=np.uint32))


def cipher(xp: Any, words: tuple[Any, Any], counter: Any) -> tuple[Any, Any]:
    """Both words of a block each. words: uint32 (n,) twice, or one key (1,); counter: a number, or uint32 (n,)."""
    k0, k1 = words
    one = k0.size == 1
    n = k0.size if isinstance(counter, int) else counter.size
    if xp is np and n <= _FEW:
        return _cipher_singly(words, counter, n)
    x0, x1 = xp.zeros(n, np.uint32), xp.empty(n, np.uint32)
    x1[...] = counter
    block = _BLOCK if xp is np else max(n, 1)
    scratch = xp.empty(min(n, block), np.uint32)
    for start in range(0, n, block):
        part = slice(start, start + block)
        first = x0[part]
        keys = words if one else (k0[part], k1[part])
        threefry2x32(xp, *keys, first, x1[part], scratch[: first.size])
    return x0, x1


def _cipher_singly(words: tuple[Any, Any], counter: Any, n: int) -> tuple[Any, Any]:
    keys = [np.broadcast_to(k, n).tolist() for k in words]
    counters = np.broadcast_to(counter, n).tolist()
    pairs = [threefry2x32_int(k0, k1, 0, c) for k0, k1, c in zip(*keys, counters, strict=True)]
    found = np.array(pairs, np.uint32).reshape(n, 2)
    return found[:, 0].copy(), found[:, 1].copy()


def units(xp: Any, words: tuple[Any, Any], counter: Any, dtype: np.dtype[Any]) -> Any:
    """Uniform numbers in [0, 1) of blocks of the cipher."""
    x0, x1 = cipher(xp, words, counter)
    out = xp.empty(x0.size, dtype)
    random_unit.fill(xp, x0, x1, out)
    return out


def _draws(xp: Any, words: tuple[Any, Any], a: Any, log_space: bool) -> Any:
    number = a.dtype.type
    with np.errstate(all="ignore"):
        small = ~(a >= 1)  # these are drawn with a + 1, and multiplied by u**(1 / a)
        d = xp.where(small, a + number(1), a) - number(1 / 3)
        cubes = _accepted(xp, cipher(xp, words, 0), d)
        out = log(xp, d) + log(xp, cubes) if log_space else d * cubes
        places = xp.flatnonzero(small)
        if places.size:
            u = units(xp, cipher(xp, tuple(w[places] for w in words), 1), 0, a.dtype)
            boost = (_log_boost if log_space else _boost)(xp, u, a[places])
            out[places] = out[places] + boost if log_space else out[places] * boost
        return out


def _log_boost(xp: Any, u: Any, a: Any) -> Any:
    logs = log1p(xp, -u)
    return xp.where(logs == 0, a.dtype.type(0), logs * (a.dtype.type(1) / a))


def _boost(xp: Any, u: Any, a: Any) -> Any:
    one = a.dtype.type(1)
    return xp.power((one - u).astype(np.float64), (one / a).astype(np.float64)).astype(a.dtype)


def _accepted(xp: Any, words: tuple[Any, Any], d: Any) -> Any:
    """V of the method for every element: d V has the gamma distribution of d + 1/3."""
    out = xp.empty_like(d)
    one = d.dtype.type(1)
    places = xp.arange(d.size)
    while places.size:
        x, v = _candidates(xp, cipher(xp, words, 1), _step(xp, d))
        square, cube = x * x, v * v * v
        u = units(xp, cipher(xp, words, 2), 0, d.dtype)
        again = u >= one - d.dtype.type(0.0331) * (square * square)
        near = xp.flatnonzero(again)
        bound = square[near] * d.dtype.type(0.5) + d[near] * ((one - cube[near]) + log(xp, cube[near]))
        again[near] = log(xp, u[near]) >= bound
        out[places] = cube
        rest = xp.flatnonzero(again)
        places, d = places[rest], d[rest]
        words = cipher(xp, tuple(w[rest] for w in words), 0)
    return out


def _step(xp: Any, d: Any) -> Any:
    """1 / (3 sqrt(d)), where XLA takes an approximate reciprocal root of its own from the processor."""
    return d.dtype.type(1 / 3) * (1 / xp.sqrt(d.astype(np.float64))).astype(d.dtype)


def _candidates(xp: Any, words: tuple[Any, Any], c: Any) -> tuple[Any, Any]:
    """Normal numbers x for which v = 1 + c x is positive, and v."""
    x, v = xp.empty_like(c), xp.empty_like(c)
    places = xp.arange(c.size)
    while places.size:
        n = _normal(xp, cipher(xp, words, 1), c.dtype)
        w = multiply_add(xp, n, c, c.dtype.type(1))
        x[places], v[places] = n, w
        rest = xp.flatnonzero(w <= 0)
        places, c = places[rest], c[rest]
        words = cipher(xp, tuple(k[rest] for k in words), 0)
    return x, v


def _normal(xp: Any, words: tuple[Any, Any], dtype: np.dtype[Any]) -> Any:
    low = np.nextafter(dtype.type(-1), dtype.type(0))
    u = multiply_add(xp, units(xp, words, 0, dtype), dtype.type(1) - low, low)
    return dtype.type(math.sqrt(2)) * erf_inv(xp, u)


random_gamma = RandomGamma()
