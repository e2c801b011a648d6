"""Choosing among given things: categorical, permutation, choice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..primitives.cumulative import cumsum
from ..primitives.elementwise import add, convert, mul, sub
from ..primitives.indexing import gather
from ..primitives.promotion import as_operand, cast, is_scalar
from ..primitives.random import random_bits, random_unit
from ..primitives.random_math import xla_log
from ..primitives.reductions import argmax
from ..primitives.shape import concatenate, full, iota, move_axis, pad, reshape, slice_axis
from ..primitives.sorting import searchsorted, sort_key_val, top_k
from ._arguments import describe, known, static_int, static_shape
from ._continuous import gumbel_draws, two_keys
from ._discrete import whole_draws
from ._keys import key_words


def categorical(
    key: Any, logits: Any, axis: int = -1, shape: Any = None, replace: bool = True, mode: str | None = None
) -> Any:
    """Indices along `axis`, drawn with probabilities softmax(logits, axis).

    With replacement by the largest of logits + Gumbel noise, without it by the k largest (Kool, van Hoof and
    Welling, "Stochastic Beams and Where to Find Them", ICML 2019).

    Args:
        logits: floating array (..., categories, ...).
        shape: of the result: any axes followed by the shape of logits without `axis` (sizes 1 there broadcast,
            with replacement). None: no further axes.
        replace: False draws the indices along the further axes without repetition.
        mode: "low" or "high"; see `gumbel`.

    Returns:
        int32 indices (int64 along axes beyond 2**31).
    """
    words = key_words("categorical", key)
    logits = as_operand(logits)
    if not dtypes.is_floating(logits.dtype):
        raise errors.DTypeError(
            errors.lines(
                f"categorical: logits must be floating; got {describe(logits)}.", "Convert with .astype."
            )
        )
    axis = _axis("categorical", axis, logits)
    batch = logits.shape[:axis] + logits.shape[axis + 1 :]
    shape = batch if shape is None else static_shape("categorical", shape)
    _check_batch(shape, batch, axis, logits)
    further = shape[: len(shape) - len(batch)]
    n = logits.shape[axis]
    if n == 0 and 0 not in shape:
        raise errors.ShapeError(f"categorical: axis {axis} of logits {describe(logits)} has no categories.")
    if replace:
        wide = list(shape)
        wide.insert(len(further) + axis, n)
        noisy = add(gumbel_draws(words, tuple(wide), logits.dtype, mode), logits)
        return argmax(noisy, axis=len(further) + axis, dtype=_index_dtype(n))
    return _distinct_categories(words, logits, axis, shape, further, mode)


def _distinct_categories(words: Any, logits: Any, axis: int, shape: Any, further: Any, mode: Any) -> Any:
    n, k = logits.shape[axis], math.prod(further)
    _check_enough("categorical", k, n)
    noisy = add(logits, gumbel_draws(words, tuple(logits.shape), logits.dtype, mode))
    _, places = top_k(move_axis(noisy, axis, noisy.ndim - 1), k)
    return convert(reshape(move_axis(places, places.ndim - 1, 0), shape), _index_dtype(n))


def _check_batch(shape: Any, batch: Any, axis: int, logits: Any) -> None:
    tail = shape[len(shape) - len(batch) :]
    if len(shape) < len(batch) or any(b not in (1, s) for b, s in zip(batch, tail, strict=True)):
        raise errors.ShapeError(
            errors.lines(
                f"categorical: shape={shape} does not end in {batch}, the shape of logits {describe(logits)} "
                f"without axis {axis}.",
                f"Pass shape=(n, {', '.join(map(str, batch))}) for n draws of each.",
            )
        )


def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """x in random order along an axis; of an integer x, the integers below it (int32).

    Sorts by random keys, in so many rounds that ties do not matter (as TensorFlow and JAX do).

    Args:
        x: an array (..., n, ...), to which gradients flow, or an integer known now.
        independent: another order for every line along the axis.
    """
    words = key_words("permutation", key)
    if is_scalar(x) or as_operand(x).shape == ():
        return _permuted_range(words, _count("permutation: x", x))
    x = as_operand(x)
    return _permuted(words, x, _axis("permutation", axis, x), independent)


def _permuted(words: Any, x: Any, axis: int, independent: bool = False) -> Any:
    if independent or x.ndim == 1:
        return _shuffle(words, x, axis)
    return _take(x, _permuted_range(words, x.shape[axis]), axis)


def _permuted_range(words: Any, n: int) -> Any:
    return _shuffle(words, iota((n,), 0, _index_dtype(n)), 0)


def _shuffle(words: Any, x: Any, axis: int) -> Any:
    size = math.prod(x.shape)
    rounds = math.ceil(3 * math.log(max(1, size)) / math.log(np.iinfo(np.uint32).max))
    for _ in range(rounds):
        words, fresh = two_keys(words)
        _, x = sort_key_val(random_bits(fresh, shape=tuple(x.shape), dtype=dtypes.uint32), x, axis)
    return x


def choice(
    key: Any,
    a: Any,
    shape: Any = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    mode: str | None = None,
) -> Any:
    """Elements of an array, drawn along an axis.

    Args:
        a: an array (..., n, ...), to which gradients flow, or an integer n known now, for the integers below n.
        shape: of the draws, which takes the place of `axis` in the result.
        replace: False draws no element twice; p should then have as many positive entries as there are draws.
        p: probabilities (n,); None: all equal.
        mode: "low" or "high"; see `gumbel`. For draws with p and without replacement.
    """
    words = key_words("choice", key)
    shape = static_shape("choice", shape)
    if is_scalar(a) or as_operand(a).shape == ():
        n, source = _count("choice: a", a), None
    else:
        source = as_operand(a)
        axis = _axis("choice", axis, source)
        n = source.shape[axis]
    draws = math.prod(shape)
    if draws and n == 0:
        raise errors.ArgumentError(
            f"choice: nothing to choose from: a is {a if source is None else describe(a)}."
        )
    if not replace:
        _check_enough("choice", draws, n)
    if p is not None:
        p = _probabilities(p, n)
    if source is not None and p is None and not replace:
        return _few_of_shuffled(words, source, shape, axis)
    places = _places(words, shape, draws, n, replace, p, mode)
    return places if source is None else _take(source, places, axis)


def _few_of_shuffled(words: Any, source: Any, shape: Any, axis: int) -> Any:
    shuffled = slice_axis(_permuted(words, source, axis), 0, math.prod(shape), axis)
    return reshape(shuffled, (*source.shape[:axis], *shape, *source.shape[axis + 1 :]))


def _places(words: Any, shape: Any, draws: int, n: int, replace: bool, p: Any, mode: Any) -> Any:
    """Indices below n of the given shape."""
    dtype = _index_dtype(n)
    if draws == 0:
        return full(shape, 0, dtype)
    if p is None and replace:
        return whole_draws(words, shape, 0, n, dtype)
    if p is None:
        return reshape(slice_axis(_permuted_range(words, n), 0, draws, 0), shape)
    if not replace:
        noisy = add(gumbel_draws(words, (n,), p.dtype, mode), xla_log(p))
        return convert(reshape(top_k(noisy, draws)[1], shape), dtype)
    steps = _running_sum(p)
    total = reshape(slice_axis(steps, n - 1, n, 0), ())
    u = random_unit(words, shape=shape, dtype=p.dtype)
    return convert(searchsorted(steps, mul(total, sub(p.dtype.type(1), u))), dtype)


_LINE = 16


def _running_sum(p: Any) -> Any:
    """Cumulative sum of (n,), added up in XLA's order: in lines of 16, then over the totals of the lines."""
    (n,) = p.shape
    if n <= _LINE:
        return cumsum(p)
    lines = -(-n // _LINE)
    inner = cumsum(reshape(pad(p, [0], [lines * _LINE - n], [0]), (lines, _LINE)), axis=1)
    totals = reshape(slice_axis(inner, _LINE - 1, _LINE, 1), (lines,))
    before = slice_axis(_running_sum(totals), 0, lines - 1, 0)
    before = concatenate([full((1,), 0, p.dtype), before], 0)
    summed = add(inner, reshape(before, (lines, 1)))
    return slice_axis(reshape(summed, (lines * _LINE,)), 0, n, 0)


def _probabilities(p: Any, n: int) -> Any:
    p = as_operand(p)
    if dtypes.is_complex(p.dtype):
        raise errors.DTypeError(f"choice: p must be real; got {describe(p)}.")
    if p.shape != (n,):
        raise errors.ShapeError(
            errors.lines(
                f"choice: p has shape {tuple(p.shape)}; there are {n} elements to choose from.",
                f"Pass one probability for each: shape ({n},).",
            )
        )
    values = known(p)
    if values is not None and not (np.all(values >= 0) and np.any(values > 0)):
        raise errors.ArgumentError(f"choice: p must not be negative, nor 0 everywhere; got {values}.")
    return cast(p, dtypes.inexact_of(p.dtype))


# Helpers


def _take(x: Any, places: Any, axis: int) -> Any:
    """The elements at places known to be inside, whose shape takes the place of the axis."""
    return gather(x, places, axes=(axis,), at=axis, mode="promise_in_bounds")


def _axis(name: str, axis: Any, x: Any) -> int:
    axis = static_int(axis, f"{name}: axis")
    if not -x.ndim <= axis < x.ndim:
        raise errors.ShapeError(
            errors.lines(
                f"{name}: axis {axis} is out of range for {describe(x)}.",
                f"Axes run from {-x.ndim} to {x.ndim - 1}."
                if x.ndim
                else "An array of shape () has no axes.",
            )
        )
    return axis % x.ndim


def _count(what: str, n: Any) -> int:
    count = static_int(n, what)
    if count < 0:
        raise errors.ArgumentError(f"{what} must not be negative; got {count}.")
    return count


def _check_enough(name: str, draws: int, n: int) -> None:
    if draws > n:
        raise errors.ArgumentError(
            errors.lines(
                f"{name}: {draws} draws without replacement from {n}.", "Draw fewer, or pass replace=True."
            )
        )


def _index_dtype(n: int) -> np.dtype[Any]:
    return dtypes.int32 if n <= np.iinfo(np.int32).max else dtypes.int64
