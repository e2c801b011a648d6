"""Formulas over emitted values: ordinary Python operators append LLVM instructions.

Nothing here may be contracted or reassociated: error-free transformations rely on every rounding. A fused
multiply-add is written out, `fma(x, y, z)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import engine
from ..llvm import Function, Value, bits_of, const, is_float, lanes_of, like, mangle, scalar_of, split
from .coefficients import COEFFICIENTS


class X:
    """A value (float, integer or mask; scalar or vector) together with the function it is computed in."""

    __slots__ = ("f", "value")

    def __init__(self, f: Function, value: Value):
        self.f, self.value = f, value

    @property
    def type(self) -> str:
        return self.value.type

    @property
    def bits(self) -> int:
        return bits_of(scalar_of(self.value.type))

    def of(self, other: Any) -> X:
        """A Python number as a constant like this value; an X as it is."""
        return other if type(other) is X else X(self.f, const(self.value.type, other))

    def _arithmetic(self, floats: str, integers: str, other: Any, swapped: bool = False) -> X:
        a, b = self, self.of(other)
        if swapped:
            a, b = b, a
        op = floats if is_float(self.type) else integers
        return X(self.f, self.f._binary(op, a.value, b.value))

    def __add__(self, other: Any) -> X:
        return self._arithmetic("fadd", "add", other)

    def __sub__(self, other: Any) -> X:
        return self._arithmetic("fsub", "sub", other)

    def __mul__(self, other: Any) -> X:
        return self._arithmetic("fmul", "mul", other)

    def __truediv__(self, other: Any) -> X:
        return self._arithmetic("fdiv", "sdiv", other)

    def __radd__(self, other: Any) -> X:
        return self._arithmetic("fadd", "add", other, True)

    def __rsub__(self, other: Any) -> X:
        return self._arithmetic("fsub", "sub", other, True)

    def __rmul__(self, other: Any) -> X:
        return self._arithmetic("fmul", "mul", other, True)

    def __rtruediv__(self, other: Any) -> X:
        return self._arithmetic("fdiv", "sdiv", other, True)

    def __neg__(self) -> X:
        return X(self.f, self.f.fneg(self.value))

    def __abs__(self) -> X:
        return X(self.f, self.f.fabs(self.value))

    def __and__(self, other: Any) -> X:
        return X(self.f, self.f.and_(self.value, self.of(other).value))

    def __or__(self, other: Any) -> X:
        return X(self.f, self.f.or_(self.value, self.of(other).value))

    def __xor__(self, other: Any) -> X:
        return X(self.f, self.f.xor(self.value, self.of(other).value))

    def __invert__(self) -> X:
        return X(self.f, self.f.not_(self.value))

    def __lshift__(self, n: Any) -> X:
        return X(self.f, self.f.shl(self.value, self.of(n).value))

    def __rshift__(self, n: Any) -> X:
        """Shift of the bits, without regard to the sign."""
        return X(self.f, self.f.lshr(self.value, self.of(n).value))

    def _compare(self, floats: str, integers: str, other: Any) -> X:
        b = self.of(other).value
        if is_float(self.type):
            return X(self.f, self.f.fcmp(floats, self.value, b))
        return X(self.f, self.f.icmp(integers, self.value, b))

    def __lt__(self, other: Any) -> X:
        return self._compare("olt", "slt", other)

    def __le__(self, other: Any) -> X:
        return self._compare("ole", "sle", other)

    def __gt__(self, other: Any) -> X:
        return self._compare("ogt", "sgt", other)

    def __ge__(self, other: Any) -> X:
        return self._compare("oge", "sge", other)

    def equals(self, other: Any) -> X:
        """False where either is nan."""
        return self._compare("oeq", "eq", other)

    def differs(self, other: Any) -> X:
        """True where either is nan."""
        return self._compare("une", "ne", other)

    def is_nan(self) -> X:
        return self._compare("uno", "ne", self)

    def integer(self) -> X:
        """The bits of a float as an integer of the same width."""
        return self._cast("bitcast", f"i{self.bits}")

    def floating(self) -> X:
        """The float that has these bits."""
        return self._cast("bitcast", "float" if self.bits == 32 else "double")

    def single(self) -> X:
        """A double rounded to float."""
        return self._cast("fptrunc", "float")

    def double(self) -> X:
        return self._cast("fpext", "double")

    def _cast(self, op: str, scalar: str) -> X:
        return X(self.f, self.f.cast(op, self.value, like(self.type, scalar)))

    def unary(self, name: str) -> X:
        return X(self.f, self.f.intrinsic(name, self.value))


def fma(x: X, y: Any, z: Any) -> X:
    """x * y + z, rounded once."""
    return X(x.f, x.f.fma(x.value, x.of(y).value, x.of(z).value))


def has_fast_ldexp(x: X) -> bool:
    """Whether code generation has an instruction for `ldexp` here, as AVX-512 does; else it calls the C library."""
    return engine.host().vector_bytes == 64 and lanes_of(x.type) * x.bits >= 128


def ldexp(x: X, n: X) -> X:
    """x * 2**n, rounded once; n is a vector of integers."""
    name = f"llvm.ldexp.{mangle(x.type)}.{mangle(n.type)}"
    return X(x.f, x.f.call(name, x.type, [x.value, n.value]))


def sqrt(x: X) -> X:
    return x.unary("llvm.sqrt")


def roundeven(x: X) -> X:
    return x.unary("llvm.roundeven")


def trunc(x: X) -> X:
    return x.unary("llvm.trunc")


def floor(x: X) -> X:
    return x.unary("llvm.floor")


def copysign(size: X, sign: X) -> X:
    return X(size.f, size.f.copysign(size.value, sign.value))


def select(mask: X, yes: Any, no: Any) -> X:
    """`yes` where the mask is true, else `no`; at least one of them is an X."""
    like_this = yes if type(yes) is X else no
    return X(mask.f, mask.f.select(mask.value, like_this.of(yes).value, like_this.of(no).value))


def at_most(x: X, limit: Any) -> X:
    """min(x, limit); nan stays nan."""
    return select(x.of(limit) < x, x.of(limit), x)


def at_least(x: X, limit: Any) -> X:
    """max(x, limit); nan stays nan."""
    return select(x.of(limit) > x, x.of(limit), x)


LONG = 9
"""From this many coefficients on a polynomial is evaluated in two chains."""


def horner(x: X, coefficients: Sequence[Any]) -> X:
    """The polynomial with these coefficients, constant first."""
    total: Any = x.of(coefficients[-1])
    for c in coefficients[-2::-1]:
        total = fma(total, x, c)
    return total


def two_chains(x: X, coefficients: Sequence[float]) -> X:
    """The same, with the upper coefficients of a long polynomial split into even and odd ones, polynomials in x**2.

    A long chain of multiply-adds is slower than its number of instructions. The two lowest coefficients, which decide
    the rounding, stay in Horner's order.
    """
    if len(coefficients) < LONG:
        return horner(x, coefficients)
    square = x * x
    even, odd = (horner(square, coefficients[i::2]) for i in (2, 3))
    return horner(x, (*coefficients[:2], fma(odd, x, even)))


def table(name: str, x: X) -> tuple[float, ...]:
    """The coefficients for the width of x."""
    return COEFFICIENTS[name, x.bits]


def polynomial(name: str, x: X) -> X:
    return two_chains(x, table(name, x))


def pick(x: X, single: Any, double: Any) -> Any:
    """What the format of x needs."""
    return single if x.bits == 32 else double


def any_lane(mask: X) -> Value:
    """Whether the mask is true anywhere, as a scalar i1."""
    scalar, lanes = split(mask.type)
    if lanes == 1:
        return mask.value
    f = mask.f
    return f.icmp("ne", f.bitcast(mask.value, f"i{lanes}"), const(f"i{lanes}", 0))


def where_any(mask: X, rare: Callable[[], X], usual: X) -> X:
    """`rare()` if the mask is true in any lane, else `usual`; the code of `rare` is a branch."""
    f = mask.f
    (y,) = f.choose(any_lane(mask), lambda: [rare().value], lambda: [usual.value])
    return X(f, y)


def outlined(body: Callable[..., X]) -> Callable[..., X]:
    """`body` as an internal function of the module, emitted once for each type and called."""

    def call(*args: X) -> X:
        f, type = args[0].f, args[0].type
        name = f"fx_math_{body.__name__.strip('_')}_{mangle(type)}"
        if name not in f.module.functions:
            inner = f.module.function(name, type, [type] * len(args))
            inner.ret(body(*(X(inner, a) for a in inner.args)).value)
        return X(f, f.call(name, type, [a.value for a in args]))

    call.__name__, call.__doc__ = body.__name__, body.__doc__
    return call
