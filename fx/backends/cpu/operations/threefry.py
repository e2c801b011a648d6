"""Threefry-2x32 on vectors of counters, and the numbers that its words make.

Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011); constants and layout are those of
`fx.primitives.random`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....primitives.random import PARITY, ROTATIONS, ROUNDS, mantissa_bits
from ..llvm import TYPES, Function, Value, const, lanes_of, like
from . import numbers


class Schedule:
    """What the cipher adds to its words under one key: computed once, outside loops."""

    def __init__(self, f: Function, k0: Value, k1: Value):
        """k0, k1: i32 or vectors of it."""
        keys = (k0, k1, f.xor(f.xor(k0, k1), const(k0.type, PARITY)))
        self.added = [(k0, k1)]
        for step in range(1, ROUNDS // 4 + 1):
            second = f.add(keys[(step + 1) % 3], const(k0.type, step))
            self.added.append((keys[step % 3], second))

    def splat(self, f: Function, lanes: int) -> Schedule:
        """The same key for every lane."""
        made = object.__new__(Schedule)
        known: dict[str, Value] = {}
        repeat = lambda x: known.setdefault(x.text, known.get(x.text) or f.splat(x, lanes))
        made.added = [(repeat(a), repeat(b)) for a, b in self.added]
        return made


def words(f: Function, key: Schedule, high: Value, low: Value) -> tuple[Value, Value]:
    """The two words of the counters high * 2**32 + low."""
    x0, x1 = f.add(high, key.added[0][0]), f.add(low, key.added[0][1])
    for n in range(ROUNDS):
        x0 = f.add(x0, x1)
        turned = f.intrinsic("llvm.fshl", x1, x1, const(x1.type, ROTATIONS[n % 8]))
        x1 = f.xor(turned, x0)
        if n % 4 == 3:
            a, b = key.added[n // 4 + 1]
            x0, x1 = f.add(x0, a), f.add(x1, b)
    return x0, x1


def bits(f: Function, dtype: np.dtype[Any], x0: Value, x1: Value) -> Value:
    """Unsigned integers of `dtype`: both words for 64 bits, else (the low part of) their exclusive or."""
    if dtype.itemsize == 8:
        return joined(f, x1, x0)
    both = f.xor(x0, x1)
    return f.cast("trunc", both, like(both.type, TYPES[dtype.name]))


def joined(f: Function, low: Value, high: Value) -> Value:
    """Words of 64 bits from their halves."""
    n = lanes_of(low.type)
    if n == 1:
        wide = [f.cast("zext", x, "i64") for x in (low, high)]
        return f.or_(f.shl(wide[1], const("i64", 32)), wide[0])
    turns = f.shuffle(low, high, [lane for k in range(n) for lane in (k, n + k)])
    return f.bitcast(turns, like(low.type, "i64"))


def unit(f: Function, dtype: np.dtype[Any], x0: Value, x1: Value) -> Value:
    """Uniform multiples of 2**-m in [0, 1), m the bits of the mantissa; float32 for the low precisions."""
    mantissa = mantissa_bits(dtype)
    work = numbers.work_dtype(dtype)
    if work == dtype:
        random = bits(f, np.dtype(f"uint{8 * dtype.itemsize}"), x0, x1)
        kept = f.lshr(random, const(random.type, 8 * dtype.itemsize - mantissa))
        one = int(np.ones((), dtype).view(f"u{dtype.itemsize}"))
        above = f.bitcast(f.or_(kept, const(kept.type, one)), like(kept.type, TYPES[dtype.name]))
        return f.fadd(above, const(above.type, -1.0))
    used = 8 if mantissa < 8 else 16
    both = f.and_(f.xor(x0, x1), const(x0.type, (1 << used) - 1))
    number = f.cast("uitofp", f.lshr(both, const(both.type, used - mantissa)), like(both.type, "float"))
    return f.fmul(number, const(number.type, 2.0**-mantissa))
