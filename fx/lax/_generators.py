"""Random bits by counter and key, as XLA's RngBitGenerator lays them out. `fx.random` has what most programs want."""

from __future__ import annotations

import enum
import math
from typing import Any

import numpy as np

from ..core import dtypes, static
from ..core.errors import ArgumentError, DTypeError, ShapeError, brief
from ..primitives import elementwise as e
from ..primitives.random import PARITY, ROTATIONS, ROUNDS
from ..primitives.shape import concatenate, iota, reshape, slice_axis
from ._operands import array, describe

_U32, _U64 = np.uint32, np.uint64
_PHILOX = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
"""Multipliers of Philox-4x32, and what its key grows by each round."""


class RandomAlgorithm(enum.IntEnum):
    """The generators of `rng_bit_generator`. The default is Philox, as in XLA on CPUs."""

    RNG_DEFAULT = 0
    RNG_THREE_FRY = 1
    RNG_PHILOX = 2


def rng_bit_generator(
    key: Any, shape: Any, dtype: Any = np.uint32, algorithm: RandomAlgorithm = RandomAlgorithm.RNG_DEFAULT
) -> tuple[Any, Any]:
    """Random bits, and the state after them: those of XLA, bit for bit.

    Args:
        key: uint32 (4,) or uint64 (2,): a key and a counter of 64 bits each.
        dtype: an unsigned integer dtype.

    Returns:
        (new key, bits). Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011).
    """
    state, shape = array(key), static.sizes(shape, "rng_bit_generator: shape")
    dtype = dtypes.canonical(dtype)
    if (state.dtype, state.shape) not in ((np.dtype(_U32), (4,)), (np.dtype(_U64), (2,))):
        raise ShapeError(
            f"fx.lax.rng_bit_generator takes a key uint32 (4,) or uint64 (2,); got {describe(state)}."
        )
    if dtype.kind != "u":
        raise DTypeError(f"fx.lax.rng_bit_generator makes unsigned integers, not {dtype}.")
    try:
        made = _threefry_bits if RandomAlgorithm(algorithm) == RandomAlgorithm.RNG_THREE_FRY else _philox_bits
    except ValueError:
        raise ArgumentError(f"{brief(algorithm)} is not an algorithm of fx.lax.RandomAlgorithm.") from None
    words = [reshape(slice_axis(state, i, i + 1, 0), ()) for i in range(state.shape[0])]
    start, counter = words if state.dtype == _U64 else (_joined(*words[:2]), _joined(*words[2:]))
    bits, used = made(start, counter, shape, dtype.itemsize == 8)
    return _state(start, counter + _U64(used), state.dtype), e.convert(bits, dtype)


def _joined(low: Any, high: Any) -> Any:
    return e.convert(low, _U64) | (e.convert(high, _U64) << _U64(32))


def _halves(x: Any) -> tuple[Any, Any]:
    return e.convert(x, _U32), e.convert(x >> _U64(32), _U32)


def _state(key: Any, counter: Any, dtype: Any) -> Any:
    words = (key, counter) if dtype == _U64 else (*_halves(key), *_halves(counter))
    return concatenate([reshape(w, (1,)) for w in words], 0)


def _threefry_bits(key: Any, counter: Any, shape: tuple[int, ...], wide: bool) -> tuple[Any, int]:
    """Two words for each counter: one element of 64 bits, or two of 32 bits that are neighbours along one axis."""
    if wide:
        n = math.prod(shape)
        return _joined(*_threefry(key, counter + reshape(iota((n,), 0, _U64), shape))), n
    axis = _paired_axis(shape)
    if axis is None:
        return _threefry(key, counter)[0], 1
    half = (*shape[:axis], -(-shape[axis] // 2), *shape[axis + 1 :])
    n = math.prod(half)
    pair = _threefry(key, counter + reshape(iota((n,), 0, _U64), half))
    lines = [reshape(w, (*half[: axis + 1], 1, *half[axis + 1 :])) for w in pair]
    both = reshape(concatenate(lines, axis + 1), (*shape[:axis], 2 * half[axis], *shape[axis + 1 :]))
    return slice_axis(both, 0, shape[axis], axis), n


def _paired_axis(shape: tuple[int, ...]) -> int | None:
    """The first axis of even size, else the longest; None for a scalar."""
    even = [i for i, d in enumerate(shape) if d % 2 == 0]
    return even[0] if even else shape.index(max(shape)) if shape else None


def _threefry(key: Any, counter: Any) -> tuple[Any, Any]:
    """Threefry-2x32 of counters of 64 bits."""
    (k0, k1), (x0, x1) = _halves(key), _halves(counter)
    keys = (k0, k1, k0 ^ k1 ^ _U32(PARITY))
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for n in range(ROUNDS):
        rotation = ROTATIONS[n % 8]
        x0 = x0 + x1
        x1 = ((x1 << _U32(rotation)) | (x1 >> _U32(32 - rotation))) ^ x0
        if n % 4 == 3:
            step = n // 4 + 1
            x0, x1 = x0 + keys[step % 3], x1 + keys[(step + 1) % 3] + _U32(step)
    return x0, x1


def _philox_bits(key: Any, counter: Any, shape: tuple[int, ...], wide: bool) -> tuple[Any, int]:
    """Four words for each counter, in order."""
    each, size = (2 if wide else 4), math.prod(shape)
    n = -(-size // each)
    low = counter + iota((n,), 0, _U64)
    words = _philox(key, low, key + e.convert(low < counter, _U64))
    made = [_joined(*words[:2]), _joined(*words[2:])] if wide else words
    flat = reshape(concatenate([reshape(w, (n, 1)) for w in made], 1), (n * each,))
    return reshape(slice_axis(flat, 0, size, 0), shape), n


def _philox(key: Any, low: Any, high: Any) -> list[Any]:
    """Philox-4x32 with 10 rounds, of counters of 128 bits: XLA starts their upper half with the key."""
    (k0, k1), (x0, x1), (x2, x3) = _halves(key), _halves(low), _halves(high)
    for _ in range(10):
        (low0, high0), (low2, high2) = [
            _halves(e.convert(x, _U64) * _U64(m)) for x, m in zip((x0, x2), _PHILOX[0], strict=True)
        ]
        x0, x1, x2, x3 = high2 ^ x1 ^ k0, low2, high0 ^ x3 ^ k1, low0
        k0, k1 = k0 + _U32(_PHILOX[1][0]), k1 + _U32(_PHILOX[1][1])
    return [x0, x1, x2, x3]
