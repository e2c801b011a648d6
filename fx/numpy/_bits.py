"""Bits of integers: counting, packing, unpacking."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from ..primitives.promotion import promote
from ..primitives.reductions import reduce_sum
from ._arguments import one_axis, operand, static_int
from ._arithmetic import absolute
from ._logic import truth
from ._native import INTEGERS, WHOLE, natively


@natively(np.bitwise_count, INTEGERS)
def bitwise_count(x: Any, /) -> Array:
    """Number of bits set in |x|, as uint8."""
    (x,) = promote(x)
    x = operand(x, "bitwise_count")
    x = el.convert(x, dtypes.uint8) if x.dtype.kind == "b" else x
    return el.convert(el.popcount(absolute(x)), dtypes.uint8)


@natively(np.packbits, WHOLE)
def packbits(x: Any, axis: int | None = None, bitorder: str = "big") -> Array:
    """Eight booleans per uint8 along an axis (of the flattened array for None), zeros filling up the last one."""
    bits = truth(x, "packbits")
    if operand(x, "packbits").dtype.kind not in "biu":
        raise errors.DTypeError(f"packbits takes integers or booleans; got {operand(x, 'packbits').aval}.")
    bits, axis = _along(bits, axis, "packbits")
    bytes_ = -(-bits.shape[-1] // 8)
    bits = sh.pad(
        bits, [0] * bits.ndim, [*[0] * (bits.ndim - 1), 8 * bytes_ - bits.shape[-1]], [0] * bits.ndim
    )
    groups = el.convert(sh.reshape(bits, (*bits.shape[:-1], bytes_, 8)), dtypes.uint8)
    packed = reduce_sum(groups << _shifts(bitorder, "packbits"), axes=(groups.ndim - 1,))
    return sh.move_axis(packed, packed.ndim - 1, axis)


@natively(np.unpackbits, INTEGERS)
def unpackbits(x: Any, axis: int | None = None, count: int | None = None, bitorder: str = "big") -> Array:
    """The bits of uint8 elements as 0 and 1 along an axis.

    Args:
        count: keep so many bits (missing ones are 0); negative: leave so many out at the end.
    """
    x = operand(x, "unpackbits")
    if x.dtype != np.uint8:
        raise errors.DTypeError(f"unpackbits takes uint8; got {x.aval}.")
    x, axis = _along(x, axis, "unpackbits")
    bits = (sh.reshape(x, (*x.shape, 1)) >> _shifts(bitorder, "unpackbits")) & np.uint8(1)
    bits = sh.reshape(bits, (*x.shape[:-1], 8 * x.shape[-1]))
    if count is not None:
        size = bits.shape[-1]
        wanted = static_int(count, "unpackbits: count")
        if -wanted > size:
            raise errors.ArgumentError(
                f"unpackbits: count {wanted} leaves out more than the {size} bits there are."
            )
        wanted = wanted if wanted >= 0 else size + wanted
        bits = sh.pad(bits, [0] * bits.ndim, [*[0] * (bits.ndim - 1), wanted - size], [0] * bits.ndim)
    return sh.move_axis(bits, bits.ndim - 1, axis)


def _along(x: Array, axis: int | None, name: str) -> tuple[Array, int]:
    """x with the axis last, and where it belongs."""
    if axis is None:
        return sh.reshape(x, (x.size,)), 0
    index = one_axis(axis, x.ndim, name)
    return sh.move_axis(x, index, x.ndim - 1), index


def _shifts(bitorder: str, name: str) -> Array:
    static.choice(bitorder, ("big", "little"), f"{name}: bitorder")
    line = sh.iota((8,), 0, dtypes.uint8)
    return line if bitorder == "little" else sh.reverse(line, axes=(0,))
