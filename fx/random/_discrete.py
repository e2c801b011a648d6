"""Integers and booleans: randint, bernoulli, rademacher, geometric."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.errstate import quiet
from ..primitives.elementwise import (
    add,
    bit_and,
    bitcast,
    convert,
    eq,
    floor,
    ge,
    gt,
    le,
    lt,
    maximum,
    minimum,
    mod,
    mul,
    neg,
    select,
    sub,
)
from ..primitives.promotion import as_operand, is_scalar
from ..primitives.random import random_bits, random_unit
from ..primitives.random_math import xla_log, xla_log1p
from ._arguments import (
    describe,
    float_facts,
    in_dtype,
    integer_dtype,
    known,
    parameter,
    refuse_range,
    result_shape,
    static_shape,
)
from ._continuous import check_mode, quotient, two_keys, two_rows
from ._keys import key_words


def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = None) -> Any:
    """Integer draws from minval (included) to maxval (excluded).

    Twice the bits of the dtype are drawn (64 at least) and taken modulo maxval - minval, by JAX's arithmetic and
    with its bias, which vanishes for powers of 2 and is small while maxval - minval is.

    Args:
        minval, maxval: integers or integer arrays that broadcast to `shape`. They are clipped to what the dtype
            holds (maxval: to one more). Floats are truncated.
        dtype: int32 by default.

    Raises:
        ArgumentError: minval >= maxval, where both are known.

    >>> import fx
    >>> fx.random.randint(fx.random.key(0), (4,), 0, 10)
    Array([9, 0, 2, 3], int32)
    """
    return whole_draws(key_words("randint", key), shape, minval, maxval, dtype)


def whole_draws(words: Any, shape: Any, minval: Any, maxval: Any, dtype: Any) -> Any:
    """The draws of `randint`."""
    dtype = integer_dtype("randint", dtype)
    low, high = _bound("minval", minval), _bound("maxval", maxval)
    shape = result_shape("randint", shape, minval=low, maxval=high)
    if 0 not in shape:
        refuse_range("randint", empty=True, minval=low, maxval=high)
    drawn = dtype if dtype.itemsize >= 4 else dtypes.int32
    if isinstance(low, int) and isinstance(high, int):
        start, offset = _static_draws(words, shape, low, high, dtype, drawn)
    else:
        start, offset = _draws(words, shape, low, high, dtype, drawn)
    return in_dtype(add(start, offset), dtype)


def _bound(what: str, x: Any) -> Any:
    """A Python int where the value is one known number, else an integer array."""
    value = known(x)
    if isinstance(value, (np.ndarray, np.generic)):
        dtypes.canonical(value.dtype)
    if value is not None and np.shape(value) == () and not isinstance(value, (complex, np.complexfloating)):
        try:
            return int(value)
        except (OverflowError, ValueError):
            raise errors.ArgumentError(f"randint: {what} must be a finite number; got {value}.") from None
    x = as_operand(x)
    if dtypes.is_complex(x.dtype):
        raise errors.DTypeError(f"randint: {what} must be real; got {describe(x)}.")
    return x if dtypes.is_integer(x.dtype) else convert(x, dtypes.int64)


def _static_draws(
    words: Any, shape: tuple[int, ...], low: int, high: int, dtype: np.dtype[Any], drawn: np.dtype[Any]
) -> tuple[Any, Any]:
    """The first integer, and what is added to it, for bounds that are Python ints."""
    limits, size = np.iinfo(dtype), 1 << 8 * drawn.itemsize
    start = min(max(low, limits.min), limits.max)
    span = max(min(max(high, limits.min), limits.max + 1) - start, 1) % size
    root = 1 << 4 * drawn.itemsize
    multiplier = (root % span) ** 2 % size % span if span else 0
    unsigned = _unsigned(drawn)
    first, second = two_keys(words)
    offset = random_bits(second, shape=shape, dtype=unsigned)
    if span:
        offset = mod(offset, unsigned.type(span))
    if multiplier:
        upper = mod(random_bits(first, shape=shape, dtype=unsigned), unsigned.type(span))
        offset = mod(add(mul(upper, unsigned.type(multiplier)), offset), unsigned.type(span))
    return drawn.type(start), bitcast(offset, dtype=drawn)


def _draws(
    words: Any, shape: tuple[int, ...], low: Any, high: Any, dtype: np.dtype[Any], drawn: np.dtype[Any]
) -> tuple[Any, Any]:
    """The same for bounds that are arrays, broadcast among each other and to the draws."""
    unsigned = _unsigned(drawn)
    zero, one = unsigned.type(0), unsigned.type(1)
    start, span = _range(low, high, dtype, drawn)
    everything, divisor = eq(span, zero), maximum(span, one)
    remainder = lambda x: select(everything, x, mod(x, divisor))
    multiplier = remainder(unsigned.type(1 << 4 * drawn.itemsize))
    multiplier = remainder(mul(multiplier, multiplier))
    upper, lower = [random_bits(k, shape=shape, dtype=unsigned) for k in two_keys(words)]
    offset = remainder(add(mul(remainder(upper), multiplier), remainder(lower)))
    return start, bitcast(offset, dtype=drawn)


def _range(low: Any, high: Any, dtype: np.dtype[Any], drawn: np.dtype[Any]) -> tuple[Any, Any]:
    """The first integer, and how many there are: at least 1; 0 stands for all that the type holds."""
    limits, unsigned = np.iinfo(dtype), _unsigned(drawn)
    top = limits.max if drawn == dtype else limits.max + 1
    start, stop = _clipped(low, limits.min, limits.max, drawn), _clipped(high, limits.min, top, drawn)
    one = unsigned.type(1)
    span = select(le(stop, start), one, bitcast(sub(stop, start), dtype=unsigned))
    if drawn != dtype:
        return start, span
    return start, select(bit_and(_above(high, top), gt(stop, start)), add(span, one), span)


def _clipped(x: Any, least: int, most: int, dtype: np.dtype[Any]) -> Any:
    if isinstance(x, int):
        return dtype.type(min(max(x, least), most))
    own = np.iinfo(x.dtype)
    x = maximum(x, x.dtype.type(min(max(least, own.min), own.max)))
    return in_dtype(minimum(x, x.dtype.type(min(most, own.max))), dtype)


def _above(x: Any, most: int) -> Any:
    if isinstance(x, int):
        return np.bool_(x > most)
    return gt(x, x.dtype.type(min(most, np.iinfo(x.dtype).max)))


def _unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"uint{8 * dtype.itemsize}")


def bernoulli(key: Any, p: Any = 0.5, shape: Any = None, mode: str = "low") -> Any:
    """Booleans that are true with probability p.

    Args:
        p: a float or a floating array that broadcasts to `shape` (None: its own shape).
        mode: "low", or "high" for probabilities that are no multiples of 2**-23 (of float32; below about 1e-7
            nothing is drawn with "low").
    """
    words = key_words("bernoulli", key)
    p = _probability("bernoulli", p)
    shape = result_shape("bernoulli", shape, p=p)
    if check_mode("bernoulli", mode) == "low":
        return lt(random_unit(words, shape=shape, dtype=p.dtype), p)
    coarse, fine = two_rows(random_unit(words, shape=(2, *shape), dtype=p.dtype))
    return lt(mul(fine, p.dtype.type(2.0 ** -float_facts(p.dtype).mantissa)), sub(p, coarse))


def rademacher(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """-1 or 1, each with probability 1/2. dtype: int32 by default; any signed or floating one."""
    words = key_words("rademacher", key)
    dtype = dtypes.int32 if dtype is None else dtypes.canonical(dtype)
    if dtype.kind in "bu":
        raise errors.DTypeError(
            errors.lines(f"rademacher draws -1 and 1, which {dtype} does not hold.", "Use a signed dtype.")
        )
    return signs(words, static_shape("rademacher", shape), dtype)


def signs(words: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """The draws of `rademacher`; as in JAX of float64 numbers where the default or the dtype is float64."""
    half = (dtype if dtype == dtypes.float64 else dtypes.default_float()).type(0.5)
    heads = convert(lt(random_unit(words, shape=shape, dtype=half.dtype), half), dtype)
    return sub(add(heads, heads), dtype.type(1))


def geometric(key: Any, p: Any, shape: Any = None, dtype: Any = None) -> Any:
    """The number of trials up to the first success, each of probability p: 1, 2, ...

    Args:
        p: in (0, 1], broadcasts to `shape` (None: its own shape).
        dtype: int32 by default; larger numbers than it holds become its largest.
    """
    words = key_words("geometric", key)
    dtype = integer_dtype("geometric", dtype)
    p = parameter("geometric", "p", p, float_of(p))
    shape = result_shape("geometric", shape, p=p)
    u, zero, one = random_unit(words, shape=shape, dtype=p.dtype), p.dtype.type(0), p.dtype.type(1)
    u = select(eq(u, zero), one, u)
    n = add(floor(quotient(xla_log(u), xla_log1p(neg(p)))), one)
    most = np.iinfo(dtype).max
    with quiet():
        beyond = ge(n, p.dtype.type(float(most)))
    return select(beyond, dtype.type(most), convert(select(beyond, zero, n), dtype))


def float_of(x: Any) -> np.dtype[Any]:
    return dtypes.default_float() if is_scalar(x) else dtypes.inexact_of(as_operand(x).dtype)


def _probability(name: str, p: Any) -> Any:
    if isinstance(p, int) or (not is_scalar(p) and not dtypes.is_floating(as_operand(p).dtype)):
        raise errors.DTypeError(
            errors.lines(
                f"{name}: p must be floating; got {describe(p)}.", "Write p=0.5, or p.astype(fx.float32)."
            )
        )
    return parameter(name, "p", p, float_of(p))
