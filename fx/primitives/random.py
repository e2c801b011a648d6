"""Random bits: the Threefry-2x32 block cipher on counters, as JAX lays it out (`jax_threefry_partitionable=True`).

Element i of an array of random bits is the cipher of the 64-bit number i under the key, whatever the shape and
whoever computes it: the bits are the same on NumPy and CuPy, under `vmap` and under `jit`. Child i of a key is the
same pair of words, kept as a key. The cipher is that of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2,
3" (SC 2011), with 20 rounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, absent
from .families import to_front, zero_of

ROUNDS = 20
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
_LOW = 0xFFFFFFFF

_BLOCK = 1 << 16
"""Words hashed at once in NumPy: three buffers of 256 KB stay in the cache."""
_DEVICE_BLOCK = 1 << 24
"""The same on a device, where every operation is a kernel launch."""
_FEW = 6
"""So few counters are hashed faster in Python integers than by a hundred array operations."""


def threefry2x32(xp: Any, k0: Any, k1: Any, x0: Any, x1: Any, scratch: Any) -> None:
    """Encrypt the uint32 arrays (x0, x1) in place. k0, k1: uint32 arrays of their shape, or of one element."""
    keys = (k0, k1, k0 ^ k1 ^ np.uint32(PARITY))
    xp.add(x0, keys[0], out=x0)
    xp.add(x1, keys[1], out=x1)
    for n in range(ROUNDS):
        rotation = ROTATIONS[n % 8]
        xp.add(x0, x1, out=x0)
        xp.right_shift(x1, np.uint32(32 - rotation), out=scratch)
        xp.left_shift(x1, np.uint32(rotation), out=x1)
        xp.bitwise_or(x1, scratch, out=x1)
        xp.bitwise_xor(x1, x0, out=x1)
        if n % 4 == 3:
            step = n // 4 + 1
            xp.add(x0, keys[step % 3], out=x0)
            xp.add(x1, keys[(step + 1) % 3] + np.uint32(step), out=x1)


def threefry2x32_int(k0: int, k1: int, x0: int, x1: int) -> tuple[int, int]:
    """The cipher of one counter, in Python integers."""
    keys = (k0, k1, k0 ^ k1 ^ PARITY)
    x0, x1 = (x0 + k0) & _LOW, (x1 + k1) & _LOW
    for n in range(ROUNDS):
        rotation = ROTATIONS[n % 8]
        x0 = (x0 + x1) & _LOW
        x1 = ((x1 << rotation | x1 >> (32 - rotation)) & _LOW) ^ x0
        if n % 4 == 3:
            step = n // 4 + 1
            x0 = (x0 + keys[step % 3]) & _LOW
            x1 = (x1 + keys[(step + 1) % 3] + step) & _LOW
    return x0, x1


def _hashed(xp: Any, keys: Any, first: Any, n: int) -> Iterator[tuple[slice, slice, Any, Any]]:
    """The words of counters 0 ... n - 1 under each key, block by block: (keys, counters, word 0, word 1).

    keys: (b, 2); first: (b,), added to the low word of every counter, or None. The words belong to the
    generator and are overwritten by the next block.
    """
    b = keys.shape[0]
    if xp is np and b * n <= _FEW:
        yield _hashed_singly(keys, first, n)
        return
    block = _BLOCK if xp is np else _DEVICE_BLOCK
    width = min(n, block)
    height = min(b, max(1, block // width))
    buffers = [xp.empty((height, width), np.uint32) for _ in range(3)]
    line = xp.arange(width, dtype=np.uint32)
    for row in range(0, b, height):
        rows = slice(row, min(row + height, b))
        k0, k1 = _key_words(xp, keys[rows], width)
        for column in range(0, n, width):
            columns = slice(column, min(column + width, n))
            x0, x1, scratch = [buffer[: rows.stop - row, : columns.stop - column] for buffer in buffers]
            x0[...] = column >> 32
            x1[...] = line[: columns.stop - column]
            xp.add(x1, np.uint32(column & _LOW), out=x1)
            if first is not None:
                xp.add(x1, first[rows, None], out=x1)
            threefry2x32(xp, k0, k1, x0, x1, scratch)
            yield rows, columns, x0, x1


def _key_words(xp: Any, keys: Any, width: int) -> list[Any]:
    """Both words of (h, 2) keys: (1, 1) for one key, else repeated to (h, width), so that inner loops are long."""
    words = [keys[:, 0:1], keys[:, 1:2]]
    if keys.shape[0] == 1:
        return words
    return [xp.ascontiguousarray(xp.broadcast_to(k, (keys.shape[0], width))) for k in words]


def _hashed_singly(keys: Any, first: Any, n: int) -> tuple[slice, slice, Any, Any]:
    starts = [0] * len(keys) if first is None else first.tolist()
    pairs = [
        threefry2x32_int(k0, k1, 0, (start + i) & _LOW)
        for (k0, k1), start in zip(keys.tolist(), starts, strict=True)
        for i in range(n)
    ]
    words = np.array(pairs, np.uint32).reshape(len(keys), n, 2)
    return slice(0, len(keys)), slice(0, n), words[:, :, 0], words[:, :, 1]


def key_shape(name: str, key: Aval) -> tuple[int, ...]:
    """The batch shape of keys (..., 2), or an error."""
    if key.dtype != dtypes.uint32 or key.shape[-1:] != (2,):
        raise errors.ArgumentError(
            errors.lines(
                f"{name} takes keys of dtype uint32 and shape (..., 2); got {key}.",
                "Make one with fx.random.key(seed).",
            )
        )
    return key.shape[:-1]


class Draws(Primitive):
    """Numbers made of random bits for every key. key: uint32 (*batch, 2); result: dtype (*batch, *shape)."""

    draws = ""

    def accepts(self, dtype: np.dtype[Any]) -> bool:
        raise NotImplementedError

    def fill(self, xp: Any, x0: Any, x1: Any, out: Any) -> None:
        """Write the numbers that two words per element give; the words may be overwritten."""
        raise NotImplementedError

    def impl(self, xp: Any, key: Any, *, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        keys = key.reshape(-1, 2)
        n = math.prod(shape)
        out = xp.empty((keys.shape[0], n), dtype)
        if out.size:
            for rows, columns, x0, x1 in _hashed(xp, keys, None, n):
                self.fill(xp, x0, x1, out[rows, columns])
        return out.reshape(key.shape[:-1] + shape)

    def shape(self, key: Aval, *, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Aval:
        batch = key_shape(self.name, key)
        if not self.accepts(dtype):
            raise errors.DTypeError(f"{self.name} draws {self.draws}, not {dtype}.")
        if any(d < 0 for d in shape):
            raise errors.ShapeError(f"{self.name}: sizes must not be negative; got the shape {shape}.")
        return Aval((*batch, *shape), dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    transpose = absent("keys have no tangent")

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        return self(to_front(operands[0], dims[0], axis.size), **params), 0

    def cost(self, key: Aval, *, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
        return 5 * ROUNDS * math.prod(shape) * (key.size // 2)


class RandomBits(Draws):
    """Uniform bits as unsigned integers: both words for 64 bits, else (the low part of) their exclusive or."""

    name = "random_bits"
    draws = "unsigned integers"

    def accepts(self, dtype: np.dtype[Any]) -> bool:
        return dtype.kind == "u"

    def fill(self, xp: Any, x0: Any, x1: Any, out: Any) -> None:
        if out.dtype.itemsize == 8:
            out[...] = x0
            xp.left_shift(out, np.uint64(32), out=out)
            xp.bitwise_or(out, x1, out=out)
        elif out.dtype.itemsize == 4:
            xp.bitwise_xor(x0, x1, out=out)
        else:
            xp.bitwise_xor(x0, x1, out=x0)
            out[...] = x0

    def samples(self, rng: Any) -> Iterable[Sample]:
        cases = (
            ((2,), (3, 4), "uint32"), ((2,), (), "uint64"), ((3, 2), (5,), "uint16"), ((2, 2, 2), (7,), "uint8"),
            ((2,), (0, 3), "uint32"), ((2,), (1,), "uint32"),
        )  # fmt: skip
        return [
            Sample((_draw_words(rng, keys),), {"shape": shape, "dtype": np.dtype(dtype)}, _bits_oracle)
            for keys, shape, dtype in cases
        ]


class RandomUnit(Draws):
    """Uniform multiples of 2**-m in [0, 1), m the bits of the mantissa: random numbers in [1, 2), minus 1."""

    name = "random_unit"
    draws = "floating numbers"

    def accepts(self, dtype: np.dtype[Any]) -> bool:
        return dtypes.is_floating(dtype)

    def fill(self, xp: Any, x0: Any, x1: Any, out: Any) -> None:
        unsigned = np.dtype(f"uint{8 * out.dtype.itemsize}")
        bits, one = out.view(unsigned), out.dtype.type(1)
        mantissa = mantissa_bits(out.dtype)
        if mantissa < 8:
            narrow = xp.empty(out.shape, np.uint8)
            random_bits.fill(xp, x0, x1, narrow)
            bits[...] = narrow
        else:
            random_bits.fill(xp, x0, x1, bits)
        xp.right_shift(bits, unsigned.type((8 if mantissa < 8 else 8 * bits.itemsize) - mantissa), out=bits)
        xp.bitwise_or(bits, np.asarray(one).view(unsigned)[()], out=bits)
        xp.subtract(out, one, out=out)

    def samples(self, rng: Any) -> Iterable[Sample]:
        cases = (
            ((2,), (3, 4), "float32"),
            ((2,), (), "float64"),
            ((3, 2), (5,), "float16"),
            ((2,), (0, 3), "float32"),
        )
        return [
            Sample((_draw_words(rng, keys),), {"shape": shape, "dtype": np.dtype(dtype)}, _unit_oracle)
            for keys, shape, dtype in cases
        ]


def mantissa_bits(dtype: np.dtype[Any]) -> int:
    """Bits of the mantissa that are stored."""
    return 7 if dtypes.is_bfloat16(dtype) else int(np.finfo(dtype).nmant)


class ChildKeys(Primitive):
    """Keys made of a key: children `first`, `first` + 1, ... in the given shape.

    key: uint32 (*batch, 2); first: uint32 (*batch); result: uint32 (*batch, *shape, 2). `split` takes the first
    children, `fold_in` the one with the number that is folded in.
    """

    name = "child_keys"

    def impl(self, xp: Any, key: Any, first: Any, *, shape: tuple[int, ...]) -> Any:
        keys = key.reshape(-1, 2)
        n = math.prod(shape)
        out = xp.empty((keys.shape[0], n, 2), np.uint32)
        if out.size:
            for rows, columns, x0, x1 in _hashed(xp, keys, first.reshape(-1), n):
                out[rows, columns, 0] = x0
                out[rows, columns, 1] = x1
        return out.reshape((*key.shape[:-1], *shape, 2))

    def shape(self, key: Aval, first: Aval, *, shape: tuple[int, ...]) -> Aval:
        batch = key_shape(self.name, key)
        if first.dtype != dtypes.uint32 or first.shape != batch:
            raise errors.ShapeError(
                f"child_keys: one uint32 per key is needed; got keys {key} and numbers {first}."
            )
        if any(d < 0 for d in shape):
            raise errors.ShapeError(f"child_keys: sizes must not be negative; got the shape {shape}.")
        return Aval((*batch, *shape, 2), dtypes.uint32)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    transpose = absent("keys have no tangent")

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        return self(*[to_front(x, d, axis.size) for x, d in zip(operands, dims, strict=True)], **params), 0

    def cost(self, key: Aval, first: Aval, *, shape: tuple[int, ...]) -> int:
        return 5 * ROUNDS * math.prod(shape) * (key.size // 2)

    def samples(self, rng: Any) -> Iterable[Sample]:
        cases = (((), (2,)), ((), ()), ((3,), (2, 4)), ((), (0,)), ((2, 2), ()))
        return [
            Sample(
                (_draw_words(rng, (*batch, 2)), _draw_words(rng, batch)), {"shape": shape}, _children_oracle
            )
            for batch, shape in cases
        ]


def _draw_words(rng: Any, shape: tuple[int, ...]) -> Any:
    return np.asarray(rng.integers(0, 1 << 32, shape, dtype=np.uint32))


def _children_oracle(key: Any, first: Any, shape: tuple[int, ...]) -> Any:
    key, first = np.asarray(key), np.asarray(first)
    out = np.empty((*first.shape, math.prod(shape), 2), np.uint32)
    for at in np.ndindex(out.shape[:-1]):
        counter = (int(first[at[:-1]]) + at[-1]) & _LOW
        out[at] = threefry2x32_int(*map(int, key[at[:-1]]), 0, counter)
    return out.reshape((*first.shape, *shape, 2))


def _bits_oracle(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    words = _children_oracle(key, np.zeros(np.shape(key)[:-1], np.uint32), shape).astype(np.uint64)
    both = words[..., 0] << np.uint64(32) | words[..., 1]
    return both if dtype.itemsize == 8 else (words[..., 0] ^ words[..., 1]).astype(dtype)


def _unit_oracle(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    bits = _bits_oracle(key, shape, np.dtype(f"uint{8 * dtype.itemsize}"))
    mantissa = np.finfo(dtype).nmant
    return np.ldexp(
        (bits >> bits.dtype.type(8 * dtype.itemsize - mantissa)).astype(np.float64), -mantissa
    ).astype(dtype)


random_bits = RandomBits()
random_unit = RandomUnit()
child_keys = ChildKeys()
