"""Complex numbers in registers: a real and an imaginary part of their own; in memory the parts alternate."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .llvm import TYPES, Function, Value, bits_of, const, i64, lanes_of, like, scalar_of, vector


class Pair(NamedTuple):
    """A complex value; a lane of one part belongs to the same lane of the other."""

    re: Value
    im: Value


@functools.cache
def part_type(dtype: np.dtype[Any]) -> str:
    """The scalar type of the parts of a complex dtype."""
    return TYPES[_real(dtype).name]


def constant(value: Any, dtype: np.dtype[Any], lanes: int) -> Pair:
    """The same number in every lane."""
    z, kind = dtype.type(value), vector(part_type(dtype), lanes)
    return Pair(const(kind, float(z.real)), const(kind, float(z.imag)))


def splat(f: Function, z: Pair, lanes: int) -> Pair:
    """Scalar parts in every lane."""
    return Pair(f.splat(z.re, lanes), f.splat(z.im, lanes))


def convert(
    f: Function, x: Any, source: np.dtype[Any], target: np.dtype[Any], of_real: Callable[..., Any]
) -> Any:
    """To or from a complex dtype: real numbers get the imaginary part 0.0, and complex ones lose theirs.

    `of_real` converts between real dtypes.
    """
    to = _real(target)
    if source.kind != "c":
        re = of_real(f, x, source, to)
        return Pair(re, const(re.type, 0.0))
    re, im = of_real(f, x.re, _real(source), to), of_real(f, x.im, _real(source), to)
    if target.kind == "c":
        return Pair(re, im)
    return f.or_(re, im) if target.kind == "b" else re


def _real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"float{4 * dtype.itemsize}") if dtype.kind == "c" else dtype


def load(f: Function, part: str, pointer: Value, lanes: int, mask: Value | None = None) -> Pair:
    """Numbers that lie one after the other."""
    if lanes == 1:
        return Pair(f.load(part, pointer), f.load(part, f.gep(part, pointer, i64(1))))
    kind = vector(part, 2 * lanes)
    if mask is None:
        return _sorted_out(f, f.load(kind, pointer))
    return _sorted_out(f, f.masked_load(kind, pointer, _for_parts(f, mask), const(kind, 0.0)))


def store(f: Function, z: Pair, pointer: Value, mask: Value | None = None) -> None:
    """Numbers one after the other."""
    part = scalar_of(z.re.type)
    if lanes_of(z.re.type) == 1:
        f.store(z.re, pointer)
        f.store(z.im, f.gep(part, pointer, i64(1)))
    elif mask is None:
        f.store(_interleaved(f, z), pointer)
    else:
        f.masked_store(_interleaved(f, z), pointer, _for_parts(f, mask))


def gather(f: Function, part: str, pointers: Value, mask: Value) -> Pair:
    """Numbers at addresses of their own, read as integers: half as many elements as parts."""
    lanes = lanes_of(pointers.type)
    kind = vector(f"i{2 * bits_of(part)}", lanes)
    numbers = f.gather(kind, pointers, mask, const(kind, 0))
    return _sorted_out(f, f.bitcast(numbers, vector(part, 2 * lanes)))


def scatter(f: Function, z: Pair, pointers: Value, mask: Value) -> None:
    """Numbers to addresses of their own."""
    size = 2 * bits_of(scalar_of(z.re.type))
    f.scatter(f.bitcast(_interleaved(f, z), like(z.re.type, f"i{size}")), pointers, mask)


def _sorted_out(f: Function, both: Value) -> Pair:
    count = lanes_of(both.type)
    return Pair(f.shuffle(both, None, range(0, count, 2)), f.shuffle(both, None, range(1, count, 2)))


def _interleaved(f: Function, z: Pair) -> Value:
    lanes = lanes_of(z.re.type)
    return f.shuffle(z.re, z.im, [lane for i in range(lanes) for lane in (i, lanes + i)])


def _for_parts(f: Function, mask: Value) -> Value:
    """The mask of numbers as one of their parts."""
    return f.shuffle(mask, None, [i // 2 for i in range(2 * lanes_of(mask.type))])
