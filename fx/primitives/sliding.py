"""Sliding windows: where they stand, and how users write it. Shared by windows.py and convolution.py.

Along every axis, window q reads with its tap k the element i where

    i * base_dilation = q * stride + k * window_dilation - low

if such an element exists; other taps read padding. Parameters mean what they mean in jax.lax.reduce_window;
(low, high) may be negative (cut off).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any

from ..core import errors

Pairs = tuple[tuple[int, int], ...]

# Geometry of one axis


def dilated(n: int, step: int) -> int:
    """The extent of n elements that stand `step` apart."""
    return (n - 1) * step + 1 if n else 0


def window_count(n: int, window: int, stride: int, padding: tuple[int, int], base: int, dilation: int) -> int:
    """How many windows fit."""
    room = dilated(n, base) + sum(padding) - dilated(window, dilation)
    return max(0, room // stride + 1)


def padding_for(
    count: int, low: int, n: int, window: int, stride: int, base: int, dilation: int
) -> tuple[int, int]:
    """Padding with the given low side with which exactly `count` windows fit and no element is left over."""
    return low, dilated(count, stride) - 1 + dilated(window, dilation) - dilated(n, base) - low


def transposed_padding(
    n: int, window: int, stride: int, padding: tuple[int, int], base: int, dilation: int, count: int
) -> tuple[int, int]:
    """Padding of the windows that take a cotangent back to n elements: stride and base dilation swapped."""
    low = dilated(window, dilation) - 1 - padding[0]
    return padding_for(n, low, count, window, base, stride, dilation)


def reads(n: int, count: int, stride: int, shift: int, base: int) -> tuple[slice, slice] | None:
    """The q < count for which i * base = q * stride + shift has a solution 0 <= i < n, and these i."""
    every = base // math.gcd(stride, base)
    first = next((q for q in range(every) if (q * stride + shift) % base == 0), None)
    if first is None:
        return None
    origin, hop = (first * stride + shift) // base, every * stride // base
    start = max(0, -(origin // hop))
    stop = min(-((first - count) // every), (n - 1 - origin) // hop + 1)
    if stop <= start:
        return None
    last = stop - 1
    return (
        slice(first + start * every, first + last * every + 1, every),
        slice(origin + start * hop, origin + last * hop + 1, hop),
    )


def meetings(
    n: int, count: int, window: int, stride: int, low: int, base: int, dilation: int
) -> Iterator[tuple[slice, slice, slice]]:
    """Slices (windows, elements, taps) that hold every reading once: one per tap or one per window."""
    if window <= count:
        for k in range(window):
            found = reads(n, count, stride, k * dilation - low, base)
            if found:
                yield *found, slice(k, k + 1)
    else:
        for q in range(count):
            found = reads(n, window, dilation, q * stride - low, base)
            if found:
                yield slice(q, q + 1), found[1], found[0]


# Arguments as users write them


def per_axis(what: str, value: Any, rank: int) -> tuple[int, ...]:
    """One positive int per axis; None means ones."""
    if value is None:
        return (1,) * rank
    try:
        found = tuple(operator.index(v) for v in value)
    except TypeError as e:
        raise errors.ArgumentError(
            f"{what} must be a sequence of {rank} ints; got {errors.brief(value)}."
        ) from e
    check_axes(what, found, rank)
    return found


def check_axes(what: str, value: Sequence[int], rank: int) -> None:
    """ArgumentError unless there is one positive int per axis."""
    if len(value) != rank or any(v < 1 for v in value):
        raise errors.ArgumentError(f"{what} must be {rank} positive ints, one per axis; got {tuple(value)}.")


def padding_pairs(
    what: str, padding: Any, sizes: Sequence[int], windows: Sequence[int], strides: Sequence[int]
) -> Pairs:
    """(low, high) per axis from pairs or from 'VALID', 'SAME', 'SAME_LOWER'.

    As in jax.lax, names mean sizes before base dilation, and windows after theirs.
    """
    if isinstance(padding, str):
        return _named_padding(what, padding.upper(), sizes, windows, strides)
    try:
        pairs = tuple((operator.index(low), operator.index(high)) for low, high in padding)
    except (TypeError, ValueError) as e:
        raise errors.ArgumentError(
            errors.lines(
                f"{what}: padding must be {len(sizes)} pairs (low, high) or a name; got {errors.brief(padding)}.",
                "Names are 'VALID', 'SAME' and 'SAME_LOWER'.",
            )
        ) from e
    return pairs


def _named_padding(what: str, name: str, sizes: Any, windows: Any, strides: Any) -> Pairs:
    if name == "VALID":
        return ((0, 0),) * len(sizes)
    if name not in ("SAME", "SAME_LOWER"):
        raise errors.ArgumentError(
            f"{what}: padding {errors.brief(name)} is unknown; write 'VALID', 'SAME', 'SAME_LOWER' or pairs."
        )
    totals = [max((-(-n // s) - 1) * s + w - n, 0) for n, w, s in zip(sizes, windows, strides, strict=True)]
    small = [(t // 2, t - t // 2) for t in totals]
    return tuple(pair if name == "SAME" else pair[::-1] for pair in small)


def windowed_shape(
    what: str,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Pairs,
    base_dilation: Sequence[int],
    window_dilation: Sequence[int],
) -> tuple[int, ...]:
    """Number of windows per axis; the place where geometry is checked."""
    rank = len(sizes)
    for name, value in (
        ("window", window), ("strides", strides),
        ("base dilation", base_dilation), ("window dilation", window_dilation),
    ):  # fmt: skip
        check_axes(f"{what}: {name}", value, rank)
    if len(padding) != rank:
        raise errors.ArgumentError(f"{what}: padding must be {rank} pairs (low, high); got {padding}.")
    for axis, (n, base, pair) in enumerate(zip(sizes, base_dilation, padding, strict=True)):
        have = dilated(n, base)
        if have + sum(pair) < 0:
            raise errors.ShapeError(
                f"{what}: padding {pair} cuts more than the {have} elements of axis {axis} of {tuple(sizes)}."
            )
    rows = zip(sizes, window, strides, padding, base_dilation, window_dilation, strict=True)
    return tuple(window_count(*row) for row in rows)
