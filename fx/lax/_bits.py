"""Bits of numbers: read as another dtype, or rounded to a smaller format."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, static
from ..core.errors import ArgumentError, DTypeError, ShapeError
from ..core.transforms.custom_jvp import custom_jvp
from ..primitives import elementwise as e, shape as s
from ..primitives.reductions import reduce_sum
from ._operands import array, describe


def bitcast_convert_type(operand: Any, new_dtype: Any) -> Any:
    """The same bits read as another dtype. A narrower one adds a last axis, a wider one takes the last axis."""
    x, to = array(operand), dtypes.canonical(new_dtype)
    if "b" in (x.dtype.kind, to.kind) and x.dtype != to:
        raise DTypeError(f"fx.lax.bitcast_convert_type does not read {x.dtype} as {to}.")
    here, there = x.dtype.itemsize, to.itemsize
    if here == there:
        return e.bitcast(x, dtype=to)
    return _narrower(x, to) if here > there else _wider(x, to)


def _narrower(x: Any, to: Any) -> Any:
    """(*shape) as (*shape, ratio): the parts of each element, lowest bits first."""
    if x.dtype == np.complex128:
        raise DTypeError("fx.lax.bitcast_convert_type of complex128: take fx.lax.real and imag first.")
    source, part = np.dtype(f"u{x.dtype.itemsize}"), np.dtype(f"u{to.itemsize}")
    bits = e.bitcast(x, dtype=source)
    ratio = source.itemsize // part.itemsize
    shifts = s.iota((ratio,), 0, source) * source.type(8 * part.itemsize)
    parts = e.shift_right_logical(s.reshape(bits, (*x.shape, 1)), shifts)
    return e.bitcast(e.convert(parts, part), dtype=to)


def _wider(x: Any, to: Any) -> Any:
    ratio = to.itemsize // x.dtype.itemsize
    if to == np.complex128 or x.ndim == 0 or x.shape[-1] != ratio:
        raise ShapeError(
            f"fx.lax.bitcast_convert_type of {describe(x)} to {to}: the last axis must have size {ratio}."
        )
    target = np.dtype(f"u{to.itemsize}")
    parts = e.convert(e.bitcast(x, dtype=np.dtype(f"u{x.dtype.itemsize}")), target)
    shifts = s.iota((ratio,), 0, target) * target.type(8 * x.dtype.itemsize)
    return e.bitcast(reduce_sum(e.shift_left(parts, shifts), axes=(x.ndim - 1,)), dtype=to)


def reduce_precision(operand: Any, exponent_bits: int, mantissa_bits: int) -> Any:
    """Floats rounded to a format of fewer exponent and mantissa bits, in their dtype; what is too large is inf."""
    x = array(operand)
    if x.dtype.kind not in "fV":
        raise DTypeError(f"fx.lax.reduce_precision takes floats; got {x.dtype}.")
    exponent = static.integer(exponent_bits, "reduce_precision: exponent_bits")
    mantissa = static.integer(mantissa_bits, "reduce_precision: mantissa_bits")
    if exponent < 1 or mantissa < 0:
        raise ArgumentError(
            f"fx.lax.reduce_precision: a format with {exponent} exponent and {mantissa} mantissa bits is none."
        )
    return _rounded(x, exponent, mantissa)


def _rounded(x: Any, exponent: int, mantissa: int) -> Any:
    """Derivatives pass as through the identity."""

    @custom_jvp
    def rounded(x: Any) -> Any:
        return _round_bits(x, exponent, mantissa)

    @rounded.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        return rounded(*primals), tangents[0]

    return rounded(x)


def _round_bits(x: Any, exponent: int, mantissa: int) -> Any:
    """Round half to even by adding to the bits; then exponents out of range become inf or 0 (XLA's ReducePrecision)."""
    word = np.dtype(f"u{x.dtype.itemsize}")
    width, have_mantissa, have_exponent = _format(x.dtype)
    bits = e.bitcast(x, dtype=word)
    if mantissa < have_mantissa:
        cut = have_mantissa - mantissa
        last = e.bit_and(e.shift_right_logical(bits, word.type(cut)), word.type(1))
        bits = bits + (last + word.type((1 << (cut - 1)) - 1))
        bits = e.bit_and(bits, word.type(((1 << width) - 1) ^ ((1 << cut) - 1)))
    if exponent < have_exponent:
        bits = _exponent_in_range(bits, word, exponent, width, have_mantissa, have_exponent)
    return e.select(e.isnan(x), x, e.bitcast(bits, dtype=x.dtype))


def _exponent_in_range(
    bits: Any, word: Any, exponent: int, width: int, have_mantissa: int, have_exponent: int
) -> Any:
    middle, reach = (1 << (have_exponent - 1)) - 1, (1 << (exponent - 1)) - 1
    field = ((1 << have_exponent) - 1) << have_mantissa
    found = e.bit_and(bits, word.type(field))
    sign = e.bit_and(bits, word.type(1 << (width - 1)))
    large = e.gt(found, word.type((middle + reach) << have_mantissa))
    small = e.le(found, word.type((middle - reach) << have_mantissa))
    return e.select(large, e.bit_or(sign, word.type(field)), e.select(small, sign, bits))


def _format(dtype: Any) -> tuple[int, int, int]:
    """Bits in all, of the mantissa and of the exponent."""
    width = 8 * dtype.itemsize
    mantissa = 7 if dtypes.is_bfloat16(dtype) else np.finfo(dtype).nmant
    return width, mantissa, width - mantissa - 1
