"""Trigonometric arguments of any size: x / (2 pi) modulo 1 from as many bits of 1 / (2 pi) as x needs.

M. Payne and R. Hanek, Radian reduction for trigonometric functions, SIGNUM Newsletter 18 (1983), in integers:
x = m 2**s, and 2**s / (2 pi) modulo 1 is a window of the bits of 1 / (2 pi); its product with m modulo 1 is kept in
128 bits, of which at most 65 cancel.
"""

from __future__ import annotations

import numpy as np

from ..llvm import Function, Module, Value, bits_of, const, i64, lanes_of, mangle, scalar_of
from .expression import X, any_lane, select

HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
SELDOM = "cold noinline optnone"
"""Attributes of code that hardly ever runs: compiled fast, and kept out of the way of its callers."""

LEAD = 64
"""Zero bits before the binary point of 1 / (2 pi) in the table, for arguments below 2**53."""

WORDS = (
    0x0000000000000000, 0x28BE60DB9391054A, 0x7F09D5F47D4D3770, 0x36D8A5664F10E410, 0x7F9458EAF7AEF158,
    0x6DC91B8E909374B8, 0x01924BBA82746487, 0x3F877AC72C4A69CF, 0xBA208D7D4BAED121, 0x3A671C09AD17DF90,
    0x4E64758E60D4CE7D, 0x272117E2EF7E4A0E, 0xC7FE25FFF7816603, 0xFBCBC462D6829B47, 0xDB4D9FB3C9F2C26D,
    0xD3D18FD9A797FA8B, 0x5D49EEB1FAF97C5E, 0xCF41CE7DE294A4BA, 0x9AFED7EC47E35742, 0x1580CC11BF1EDAEA,
)  # fmt: skip
"""The bits of 1 / (2 pi), after LEAD zeros."""


def reduce_huge(x: X, limit: float, *near: X) -> list[X]:
    """`near` where |x| <= limit; elsewhere r, what r lacks (if `near` has three items) and k, x = k pi / 2 + r.

    The last two bits of k are right. The work is a branch, taken when any lane is beyond the limit.
    """
    f = x.f
    huge = ~(abs(x) <= limit)
    name = _lanes_function(f.module, x.type)

    def far() -> list[Value]:
        low, k = f.alloca(x.type), f.alloca(near[-1].type)
        r = f.call(name, x.type, [x.value, low, k])
        middle = [f.load(x.type, low)] if len(near) == 3 else []
        reduced = [r, *middle, f.load(near[-1].type, k)]
        return [select(huge, X(f, a), b).value for a, b in zip(reduced, near, strict=True)]

    return [X(f, v) for v in f.choose(any_lane(huge), far, lambda: [v.value for v in near])]


def _lanes_function(module: Module, type: str) -> str:
    """A function that reduces every lane, and stores the low parts and k; of no use below 2**-12."""
    name = f"fx_math_reduce_{mangle(type)}"
    if name not in module.functions:
        scalar, one = scalar_of(type), _one_function(module)
        integer = f"i{bits_of(scalar)}"
        f = module.function(name, type, [type, "ptr", "ptr"], attrs=SELDOM)
        items, rest, turn = f.alloca(type), f.alloca("double"), f.alloca("i64")
        f.store(f.args[0], items)
        with f.loop(i64(0), i64(lanes_of(type)), trips=True) as loop:
            place = f.gep(scalar, items, loop.index)
            r = f.call(one, "double", [f.cast("fpext", f.load(scalar, place), "double"), rest, turn])
            top = f.cast("fptrunc", r, scalar)
            low = f.fadd(f.fsub(r, f.cast("fpext", top, "double")), f.load("double", rest))
            f.store(top, place)
            f.store(f.cast("fptrunc", low, scalar), f.gep(scalar, f.args[1], loop.index))
            f.store(f.cast("trunc", f.load("i64", turn), integer), f.gep(integer, f.args[2], loop.index))
        f.ret(f.load(type, items))
    return name


def _one_function(module: Module) -> str:
    """double r(double x, ptr low, ptr k)."""
    name = "fx_math_reduce"
    if name not in module.functions:
        f = module.function(name, "double", ["double", "ptr", "ptr"], attrs=SELDOM)
        x = f.args[0]
        bits = f.bitcast(x, "i64")
        turns = _turns(f, bits)
        negative = f.icmp("slt", bits, i64(0))
        quarters = f.cast("trunc", f.lshr(f.add(turns, _i128(1 << 125)), _i128(126)), "i64")
        f.store(f.select(negative, f.sub(i64(0), quarters), quarters), f.args[2])
        r, low = _radians(f, f.shl(turns, _i128(2)), negative)
        f.store(low, f.args[1])
        f.ret(f.fadd(r, f.fsub(x, x)))
    return name


def _i128(n: int) -> Value:
    return Value(str(n), "i128")


def _turns(f: Function, bits: Value) -> Value:
    """|x| / (2 pi) modulo 1, times 2**128."""
    exponent = f.and_(f.lshr(bits, i64(52)), i64(0x7FF))
    m = f.or_(f.and_(bits, i64((1 << 52) - 1)), i64(1 << 52))
    start = f.intrinsic("llvm.smax", f.add(exponent, i64(LEAD - 1075)), i64(0))
    table = f.module.data("fx_one_over_two_pi", np.array(WORDS, np.uint64).view(np.int64))
    place = f.gep("i64", table, f.lshr(start, i64(6)))
    words = [f.load("i64", f.gep("i64", place, i64(j))) for j in range(4)]
    shift = f.and_(start, i64(63))
    top, middle, low = (f.intrinsic("llvm.fshl", words[j], words[j + 1], shift) for j in range(3))
    wide = lambda v: f.cast("zext", v, "i128")
    total = f.add(f.lshr(f.mul(wide(m), wide(low)), _i128(64)), f.mul(wide(m), wide(middle)))
    return f.add(total, f.shl(wide(f.mul(m, top)), _i128(64)))


def _radians(f: Function, part: Value, negative: Value) -> tuple[Value, Value]:
    """part / 2**128 * pi / 2 in two parts, negated where asked; `part` is a signed i128 that is not zero."""
    below = f.icmp("slt", part, _i128(0))
    size = f.select(below, f.sub(_i128(0), part), part)
    zeros = f.intrinsic("llvm.ctlz", size, immediate="i1 false")
    size = f.shl(size, zeros)
    high = f.cast("sitofp", f.cast("trunc", f.lshr(size, _i128(75)), "i64"), "double")
    rest = f.and_(f.cast("trunc", f.lshr(size, _i128(12)), "i64"), i64((1 << 63) - 1))
    rest = f.fmul(f.cast("sitofp", rest, "double"), const("double", 2.0**-63))
    exponent = f.sub(i64(1023 - 53), f.cast("trunc", zeros, "i64"))
    scale = f.bitcast(f.shl(exponent, i64(52)), "double")
    scale = f.select(f.xor(below, negative), f.fneg(scale), scale)
    top, second = (const("double", p) for p in HALF_PI)
    rest = f.fma(rest, top, f.fmul(high, second))
    r = f.fma(high, top, rest)
    return f.fmul(r, scale), f.fmul(f.fadd(f.fma(high, top, f.fneg(r)), rest), scale)
