"""Counts: poisson, binomial, multinomial."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..lax import scan
from ..primitives.cumulative import cumsum
from ..primitives.elementwise import div, eq, maximum, minimum, select, sub
from ..primitives.families import expand
from ..primitives.markers import stop_gradient_p
from ..primitives.promotion import as_operand, is_scalar
from ..primitives.random import child_keys
from ..primitives.random_counts import random_binomial, random_poisson
from ..primitives.shape import move_axis
from ._arguments import (
    describe,
    float_dtype,
    in_dtype,
    integer_dtype,
    parameter,
    refuse_outside,
    result_shape,
)
from ._count_loops import binomial_loops, compiled, poisson_loops
from ._discrete import float_of
from ._keys import key_words


def poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Poisson draws of mean `lam`.

    Args:
        lam: not negative (a traced rate that is negative or nan gives -1); broadcasts to `shape` (None: its own
            shape). It is taken as float32.
        dtype: int32 by default; larger numbers than it holds become its largest.

    >>> import fx
    >>> fx.random.poisson(fx.random.key(0), 4.0, (3,)).dtype
    dtype('int32')
    """
    words = key_words("poisson", key)
    dtype = integer_dtype("poisson", dtype)
    lam = parameter("poisson", "lam", lam, dtypes.float32)
    shape = result_shape("poisson", shape, lam=lam)
    refuse_outside("poisson", "lam", lam, lambda v: ~(v >= 0), "must not be negative")
    lam = expand(lam, shape)
    if compiled():
        return poisson_loops(words, stop_gradient_p(lam), dtype)
    return random_poisson(words, lam, drawn=lam.dtype, dtype=dtype)


def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = None) -> Any:
    """How many of n trials succeed, each with probability p; as floating numbers. The derivative is 0.

    Args:
        n, p: n not negative (its whole part counts), p in [0, 1]; where traced ones are not, draws are nan. They
            broadcast to `shape` (None: the shape that they broadcast to).
    """
    words = key_words("binomial", key)
    dtype = float_dtype("binomial", dtype)
    p = parameter("binomial", "p", p, float_of(p))
    n = parameter("binomial", "n", n, p.dtype)
    shape = result_shape("binomial", shape, n=n, p=p)
    refuse_outside("binomial", "n", n, lambda v: v < 0, "must not be negative")
    refuse_outside("binomial", "p", p, lambda v: (v < 0) | (v > 1), "must lie in [0, 1]")
    return _binomial(words, expand(n, shape), expand(p, shape), dtype)


def _binomial(words: Any, n: Any, p: Any, dtype: np.dtype[Any]) -> Any:
    drawn = dtypes.float32 if dtypes.is_low_precision(p.dtype) else p.dtype
    n, p = stop_gradient_p(n), stop_gradient_p(p)
    if compiled():
        return in_dtype(binomial_loops(words, in_dtype(n, drawn), in_dtype(p, drawn)), dtype)
    return random_binomial(words, n, p, drawn=drawn, dtype=dtype)


def multinomial(
    key: Any, n: Any, p: Any, *, shape: Any = None, dtype: Any = None, unroll: int | bool = 1
) -> Any:
    """How often each outcome occurs in n trials; as floating numbers. One binomial draw per outcome.

    Args:
        n: trials, not negative; broadcasts to the batch.
        p: probabilities (..., k), divided by their sum.
        shape: of the result, ending in k; None: that of p.
        unroll: for `fx.lax.scan` over the outcomes.

    Returns:
        (..., k).
    """
    words = key_words("multinomial", key)
    dtype = float_dtype("multinomial", dtype)
    if is_scalar(p) or as_operand(p).ndim == 0:
        raise errors.ShapeError(
            errors.lines(
                f"multinomial: p needs an axis of outcomes; got {describe(p)}.", "Pass shape (..., k)."
            )
        )
    p = parameter("multinomial", "p", p, float_of(p))
    n = parameter("multinomial", "n", n, p.dtype)
    shape = result_shape("multinomial", p.shape if shape is None else shape, p=p)
    result_shape("multinomial", shape[:-1], n=n)
    refuse_outside("multinomial", "n", n, lambda v: v < 0, "must not be negative")
    refuse_outside("multinomial", "p", p, lambda v: v < 0, "must not be negative")
    rows = move_axis(expand(p, shape), len(shape) - 1, 0)
    counts = _one_after_another(words, expand(n, shape[:-1]), rows, unroll)
    return in_dtype(move_axis(counts, 0, len(shape) - 1), dtype)


def _one_after_another(words: Any, n: Any, p: Any, unroll: Any) -> Any:
    """Counts (k, ...) of probabilities (k, ...): each binomial among the trials that are left."""
    zero, one = p.dtype.type(0), p.dtype.type(1)
    left = cumsum(p, axis=0, reverse=True)
    ratios = minimum(maximum(div(p, select(eq(left, zero), one, left)), zero), one)

    def step(left: Any, outcome: Any) -> tuple[Any, Any]:
        ratio, words = outcome
        count = _binomial(words, left, ratio, left.dtype)
        return sub(left, count), count

    keys = child_keys(words, np.uint32(0), shape=(p.shape[0],))
    return scan(step, n, (ratios, keys), unroll=unroll)[1]
