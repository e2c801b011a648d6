"""Poisson and binomial draws as loops over whole arrays, JAX's rounds one by one: what `jit` compiles to native code.

`fx.primitives.random_counts` makes the same draws element by element, for calls that are not compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.trace import current_trace
from ..lax import while_loop
from ..primitives import random_count_formulas as formulas
from ..primitives.elementwise import ceil, convert, neg, select
from ..primitives.random import child_keys, random_unit
from ..primitives.random_math import xla_log, xla_log1p
from ..primitives.reductions import reduce_all, reduce_any
from ..primitives.shape import full


def compiled() -> bool:
    """Whether a function is being traced for jit."""
    trace = current_trace()
    while trace is not None and trace.kind != "jit":
        trace = trace.parent
    return trace is not None


def poisson_loops(words: Any, rate: Any, dtype: np.dtype[Any]) -> Any:
    """Poisson draws in an integer dtype. words: one key; rate: float32."""
    zero = np.float32(0)
    few = ~(rate >= np.float32(10))
    small = _steps(words, select(few, rate, zero), _product)
    terms = formulas.poisson_terms(formulas.TRACED, select(few, np.float32(1e5), rate))
    large = _rejection(words, terms, formulas.poisson_candidate)
    return _whole(select(rate == zero, zero, select(few, small, large)), dtype)


def binomial_loops(words: Any, n: Any, p: Any) -> Any:
    """Binomial draws in the dtype of n and p. words: one key."""
    sides = formulas.binomial_sides(formulas.TRACED, n, p)
    finite, q = sides.of_few
    small = _steps(words, finite, _waiting(xla_log1p(neg(q))))
    terms = formulas.binomial_terms(formulas.TRACED, *sides.of_many)
    large = _rejection(words, terms, formulas.binomial_candidate)
    return sides.joined(select(sides.few, small, large))


class _Sum(NamedTuple):
    """Sums of random numbers up to a limit."""

    children: tuple[int, int]
    """Which child of a round's key is the key of the next round, and which that of the numbers."""
    add: Callable[[Any, Any], Any]
    going: Callable[[Any, Any], Any]


_product = _Sum((0, 1), lambda total, u: total + xla_log(u), lambda total, rate: total > -rate)
"""Of logarithms of uniform numbers, until their product is below exp(-rate)."""


def _waiting(logs: Any) -> _Sum:
    """Of geometric waiting times, until they exceed n."""
    return _Sum((1, 0), lambda total, u: total + ceil(xla_log(u) / logs), lambda total, n: total <= n)


def _steps(words: Any, limit: Any, kind: _Sum) -> Any:
    """Rounds that each element passes before its sum is beyond the limit, less 1."""
    one, zeros = limit.dtype.type(1), full(limit.shape, 0, limit.dtype)

    def body(carry: Any) -> Any:
        words, count, total = carry
        after, drawn = [_child(words, i) for i in kind.children]
        count = select(kind.going(total, limit), count + one, count)
        return after, count, kind.add(total, random_unit(drawn, shape=limit.shape, dtype=limit.dtype))

    some = lambda carry: _over_all(reduce_any, kind.going(carry[2], limit))
    return while_loop(some, body, (words, zeros, zeros))[1] - one


def _rejection(words: Any, terms: Sequence[Any], candidate: Callable[..., Any]) -> Any:
    """Rounds until every element has accepted a candidate; the last that it accepts counts."""
    like = terms[0]

    def body(carry: Any) -> Any:
        words, out, accepted = carry
        u, v = [random_unit(_child(words, i), shape=like.shape, dtype=like.dtype) for i in (1, 2)]
        k, fits = candidate(formulas.TRACED, u, v, *terms)
        return _child(words, 0), select(fits, k, out), accepted | fits

    start = words, full(like.shape, -1, like.dtype), full(like.shape, False, np.bool_)
    return while_loop(lambda carry: ~_over_all(reduce_all, carry[2]), body, start)[1]


def _child(words: Any, i: int) -> Any:
    return child_keys(words, np.uint32(i), shape=())


def _over_all(reduction: Any, x: Any) -> Any:
    return reduction(x, axes=tuple(range(x.ndim)))


def _whole(counts: Any, dtype: np.dtype[Any]) -> Any:
    """Counts in an integer dtype, limited to what it holds; nan becomes -1."""
    f = counts.dtype.type
    most = np.iinfo(dtype).max
    beyond = counts >= f(float(most))
    inside = select(beyond | ~(counts >= f(-1)), f(-1), counts)
    return select(beyond, dtype.type(most), convert(convert(inside, np.int64), dtype))
