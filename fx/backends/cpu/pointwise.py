"""Elementwise primitives as instructions on vectors of any width, with NumPy's semantics.

In registers a boolean is i1, and float16 and bfloat16 are float32 values rounded after every operation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.program import Equation
from . import complex_numbers, random_formulas, vector_math
from .llvm import TYPES, Function, Value, bits_of, const, lanes_of, like, scalar_of, vector
from .operations import numbers

Emit = Callable[..., Value]


@functools.cache
def register_type(dtype: np.dtype[Any]) -> str:
    """The scalar type that values of a dtype have in registers; of a complex one its parts."""
    if dtype.kind == "c":
        return complex_numbers.part_type(dtype)
    name = dtype.name
    return "i1" if name == "bool" else "float" if name in ("float16", "bfloat16") else memory_type(dtype)


@functools.cache
def memory_type(dtype: np.dtype[Any]) -> str:
    """The scalar type in memory; of a complex number an integer of its size."""
    return f"i{8 * dtype.itemsize}" if dtype.kind == "c" else TYPES[dtype.name]


@functools.cache
def is_known(dtype: np.dtype[Any]) -> bool:
    """Whether registers can hold values of a dtype."""
    return dtype.name in TYPES or dtype.kind == "c"


def is_low(dtype: np.dtype[Any]) -> bool:
    """float16 and bfloat16."""
    return dtype.itemsize == 2 and dtype.kind in "fV"


def from_memory(f: Function, x: Value, dtype: np.dtype[Any]) -> Value:
    """What a load gives, as a register value."""
    if dtype.kind == "b":
        return f.icmp("ne", x, const(x.type, 0))
    if is_low(dtype):
        return f.cast("fpext", x, like(x.type, "float"))
    return x


def to_memory(f: Function, x: Value, dtype: np.dtype[Any]) -> Value:
    """A register value as it is stored."""
    if dtype.kind == "b":
        return f.cast("zext", x, like(x.type, "i8"))
    if is_low(dtype):
        return _narrow(f, x, dtype)
    return x


def _narrow(f: Function, x: Value, dtype: np.dtype[Any]) -> Value:
    """A float32 value as float16 or bfloat16 in memory."""
    if dtype.kind == "V":
        return f.bitcast(numbers.float_to_bfloat(f, x), like(x.type, "bfloat"))
    return f.cast("fptrunc", x, like(x.type, "half"))


def rounded(f: Function, x: Value, dtype: np.dtype[Any]) -> Value:
    """A float32 result rounded to float16 or bfloat16."""
    if not is_low(dtype):
        return x
    return f.cast("fpext", _narrow(f, x, dtype), x.type)


def supports(eqn: Equation) -> bool:
    """Whether an elementwise equation has a native form."""
    if not all(is_known(v.aval.dtype) for v in (*eqn.inputs, *eqn.outputs)):
        return False
    return _rule(eqn) is not None


def emit(f: Function, eqn: Equation, operands: list[Value]) -> Value:
    """The result of an elementwise equation for operands in registers."""
    rule = _rule(eqn)
    assert rule is not None, eqn
    out = eqn.outputs[0].aval.dtype
    result = rule(f, *operands)
    return rounded(f, result, out)


def _rule(eqn: Equation) -> Emit | None:
    name = eqn.primitive.name
    dtype = eqn.inputs[-1].aval.dtype
    kind = "f" if dtype.kind in "fV" else dtype.kind
    if name == "convert":
        return lambda f, x: convert(f, x, dtype, eqn.params["dtype"])
    if any(v.aval.dtype.kind == "c" for v in (*eqn.inputs, *eqn.outputs)):
        return vector_math.complex_function(name, eqn.params)
    if name == "bitcast":
        return _bitcast(dtype, eqn.params["dtype"])
    if name == "integer_pow":
        return _integer_pow(eqn.params["n"], kind)
    table = {"f": _FLOAT, "i": _SIGNED, "u": _UNSIGNED, "b": _BOOL}[kind]
    found = table.get(name)
    if found is None and kind == "f" and not eqn.params:
        found = vector_math.FUNCTIONS.get(name)
        if found is None and not is_low(dtype):
            found = random_formulas.FORMULAS.get(name)
    return found


# Floats


def _maximum(f: Function, x: Value, y: Value) -> Value:
    keep = f.or_(f.fcmp("oge", x, y), f.fcmp("uno", x, x))
    return f.select(keep, x, y)


def _minimum(f: Function, x: Value, y: Value) -> Value:
    keep = f.or_(f.fcmp("ole", x, y), f.fcmp("uno", x, x))
    return f.select(keep, x, y)


def _float_sign(f: Function, x: Value) -> Value:
    zero, one = const(x.type, 0.0), const(x.type, 1.0)
    rest = f.select(f.fcmp("oeq", x, zero), zero, x)
    unit = f.select(f.fcmp("olt", x, zero), const(x.type, -1.0), rest)
    return f.select(f.fcmp("ogt", x, zero), one, unit)


def _isinf(f: Function, x: Value) -> Value:
    return f.fcmp("oeq", f.fabs(x), const(x.type, float("inf")))


def _isfinite(f: Function, x: Value) -> Value:
    return f.fcmp("olt", f.fabs(x), const(x.type, float("inf")))


def _float_signbit(f: Function, x: Value) -> Value:
    bits = f"i{bits_of(scalar_of(x.type))}"
    return f.icmp("slt", f.bitcast(x, like(x.type, bits)), const(like(x.type, bits), 0))


def _ordered(test: str) -> Emit:
    return lambda f, x, y: f.fcmp(test, x, y)


_FLOAT: dict[str, Emit] = {
    "neg": lambda f, x: f.fneg(x),
    "add": lambda f, x, y: f.fadd(x, y),
    "sub": lambda f, x, y: f.fsub(x, y),
    "mul": lambda f, x, y: f.fmul(x, y),
    "div": lambda f, x, y: f.fdiv(x, y),
    "max": _maximum,
    "min": _minimum,
    "abs": lambda f, x: f.fabs(x),
    "sign": _float_sign,
    "floor": lambda f, x: f.floor(x),
    "ceil": lambda f, x: f.ceil(x),
    "trunc": lambda f, x: f.trunc_float(x),
    "round": lambda f, x: f.roundeven(x),
    "copysign": lambda f, x, y: f.copysign(x, y),
    "sqrt": lambda f, x: f.sqrt(x),
    "isnan": lambda f, x: f.fcmp("uno", x, x),
    "isinf": _isinf,
    "isfinite": _isfinite,
    "signbit": _float_signbit,
    "eq": _ordered("oeq"),
    "ne": _ordered("une"),
    "lt": _ordered("olt"),
    "le": _ordered("ole"),
    "gt": _ordered("ogt"),
    "ge": _ordered("oge"),
    "select": lambda f, mask, x, y: f.select(mask, x, y),
}


# Integers


def _compare(test: str) -> Emit:
    return lambda f, x, y: f.icmp(test, x, y)


def _shift(op: str, full: str) -> Emit:
    """Shifts by the width or more give what shifting one by one would: 0, or the sign."""

    def emit(f: Function, x: Value, n: Value) -> Value:
        width = bits_of(scalar_of(x.type))
        inside = f.icmp("ult", n, const(n.type, width))
        if full == "sign":
            return f.ashr(x, f.select(inside, n, const(n.type, width - 1)))
        safe = f.select(inside, n, const(n.type, 0))
        return f.select(inside, getattr(f, op)(x, safe), const(x.type, 0))

    return emit


def _floor_quotient(f: Function, x: Value, y: Value) -> tuple[Value, Value]:
    """Quotient and remainder rounded as Python does; 0 and 0 for a zero divisor, as NumPy."""
    zero, one = const(x.type, 0), const(x.type, 1)
    bad = f.icmp("eq", y, zero)
    minus = f.icmp("eq", y, const(x.type, -1))
    safe = f.select(f.or_(bad, minus), one, y)
    quotient, rest = f.sdiv(x, safe), f.srem(x, safe)
    down = f.and_(f.icmp("ne", rest, zero), f.icmp("slt", f.xor(rest, safe), zero))
    quotient = f.select(down, f.sub(quotient, one), quotient)
    rest = f.select(down, f.add(rest, safe), rest)
    quotient = f.select(minus, f.sub(zero, x), quotient)
    return f.select(bad, zero, quotient), f.select(f.or_(bad, minus), zero, rest)


def _unsigned_quotient(f: Function, x: Value, y: Value) -> tuple[Value, Value]:
    zero = const(x.type, 0)
    bad = f.icmp("eq", y, zero)
    safe = f.select(bad, const(x.type, 1), y)
    return f.select(bad, zero, f.udiv(x, safe)), f.select(bad, zero, f.urem(x, safe))


def _signed_fmod(f: Function, x: Value, y: Value) -> Value:
    zero = const(x.type, 0)
    bad = f.or_(f.icmp("eq", y, zero), f.icmp("eq", y, const(x.type, -1)))
    return f.select(bad, zero, f.srem(x, f.select(bad, const(x.type, 1), y)))


def _int_abs(f: Function, x: Value) -> Value:
    zero = const(x.type, 0)
    return f.select(f.icmp("slt", x, zero), f.sub(zero, x), x)


def _int_sign(f: Function, x: Value) -> Value:
    zero = const(x.type, 0)
    positive = f.cast("zext", f.icmp("sgt", x, zero), x.type)
    return f.sub(positive, f.cast("zext", f.icmp("slt", x, zero), x.type))


def _count_leading(f: Function, x: Value) -> Value:
    return f.intrinsic("llvm.ctlz", x, immediate="i1 false")


_true: Emit = lambda f, x: const(like(x.type, "i1"), 1)
_false: Emit = lambda f, x: const(like(x.type, "i1"), 0)

_INTEGER: dict[str, Emit] = {
    "neg": lambda f, x: f.sub(const(x.type, 0), x),
    "add": lambda f, x, y: f.add(x, y),
    "sub": lambda f, x, y: f.sub(x, y),
    "mul": lambda f, x, y: f.mul(x, y),
    "and": lambda f, x, y: f.and_(x, y),
    "or": lambda f, x, y: f.or_(x, y),
    "xor": lambda f, x, y: f.xor(x, y),
    "not": lambda f, x: f.not_(x),
    "shift_left": _shift("shl", "zero"),
    "shift_right_logical": _shift("lshr", "zero"),
    "popcount": lambda f, x: f.intrinsic("llvm.ctpop", x),
    "clz": _count_leading,
    "eq": _compare("eq"),
    "ne": _compare("ne"),
    "isnan": _false,
    "isinf": _false,
    "isfinite": _true,
    "select": lambda f, mask, x, y: f.select(mask, x, y),
}
_SIGNED: dict[str, Emit] = {
    **_INTEGER,
    "max": lambda f, x, y: f.select(f.icmp("sge", x, y), x, y),
    "min": lambda f, x, y: f.select(f.icmp("sle", x, y), x, y),
    "abs": _int_abs,
    "sign": _int_sign,
    "shift_right": _shift("ashr", "sign"),
    "floor_div": lambda f, x, y: _floor_quotient(f, x, y)[0],
    "mod": lambda f, x, y: _floor_quotient(f, x, y)[1],
    "fmod": _signed_fmod,
    "lt": _compare("slt"),
    "le": _compare("sle"),
    "gt": _compare("sgt"),
    "ge": _compare("sge"),
}
_UNSIGNED: dict[str, Emit] = {
    **_INTEGER,
    "max": lambda f, x, y: f.select(f.icmp("uge", x, y), x, y),
    "min": lambda f, x, y: f.select(f.icmp("ule", x, y), x, y),
    "abs": lambda f, x: x,
    "sign": lambda f, x: f.cast("zext", f.icmp("ne", x, const(x.type, 0)), x.type),
    "shift_right": _shift("lshr", "zero"),
    "floor_div": lambda f, x, y: _unsigned_quotient(f, x, y)[0],
    "mod": lambda f, x, y: _unsigned_quotient(f, x, y)[1],
    "fmod": lambda f, x, y: _unsigned_quotient(f, x, y)[1],
    "lt": _compare("ult"),
    "le": _compare("ule"),
    "gt": _compare("ugt"),
    "ge": _compare("uge"),
}
_BOOL: dict[str, Emit] = {
    "add": lambda f, x, y: f.or_(x, y),
    "mul": lambda f, x, y: f.and_(x, y),
    "max": lambda f, x, y: f.or_(x, y),
    "min": lambda f, x, y: f.and_(x, y),
    "and": lambda f, x, y: f.and_(x, y),
    "or": lambda f, x, y: f.or_(x, y),
    "xor": lambda f, x, y: f.xor(x, y),
    "not": lambda f, x: f.not_(x),
    "abs": lambda f, x: x,
    "eq": lambda f, x, y: f.not_(f.xor(x, y)),
    "ne": lambda f, x, y: f.xor(x, y),
    "lt": lambda f, x, y: f.and_(f.not_(x), y),
    "le": lambda f, x, y: f.or_(f.not_(x), y),
    "gt": lambda f, x, y: f.and_(x, f.not_(y)),
    "ge": lambda f, x, y: f.or_(x, f.not_(y)),
    "isnan": _false,
    "isinf": _false,
    "isfinite": _true,
    "select": lambda f, mask, x, y: f.select(mask, x, y),
}


def _bitcast(source: np.dtype[Any], target: np.dtype[Any]) -> Emit | None:
    if "bool" in (source.name, target.name):
        return None

    def emit(f: Function, x: Value) -> Value:
        stored = to_memory(f, x, source)
        return from_memory(f, f.bitcast(stored, like(x.type, memory_type(target))), target)

    return emit


def _integer_pow(n: int, kind: str) -> Emit | None:
    if kind == "b" or (kind in "iu" and n < 0):
        return None
    if abs(n) > 64 and kind == "f":
        return lambda f, x: vector_math.FUNCTIONS["pow"](f, x, const(x.type, float(n)))

    def emit(f: Function, x: Value) -> Value:
        multiply = f.fmul if kind == "f" else f.mul
        result, square, rest = None, x, abs(n)
        while rest:
            if rest & 1:
                result = square if result is None else multiply(result, square)
            rest >>= 1
            square = multiply(square, square) if rest else square
        if result is None:
            return const(x.type, 1.0 if kind == "f" else 1)
        return f.fdiv(const(x.type, 1.0), result) if n < 0 else result

    return emit


def convert(f: Function, x: Any, source: np.dtype[Any], target: np.dtype[Any]) -> Any:
    """A register value in another dtype, as NumPy's astype; the result is not yet rounded to 16 bits."""
    if source == target:
        return x
    if "c" in (source.kind, target.kind):
        return complex_numbers.convert(f, x, source, target, convert)
    to = like(x.type, register_type(target))
    floating = source.kind in "fV"
    if target.name == "bool":
        return f.fcmp("une", x, const(x.type, 0.0)) if floating else f.icmp("ne", x, const(x.type, 0))
    if target.kind in "fV":
        if floating:
            return f.cast("fptrunc" if x.type != to and scalar_of(x.type) == "double" else "fpext", x, to)
        return f.cast("sitofp" if source.kind == "i" else "uitofp", x, to)
    if floating:
        return _float_to_int(f, x, target, to)
    width = bits_of(scalar_of(x.type))
    if width > bits_of(scalar_of(to)):
        return f.cast("trunc", x, to)
    return f.cast("sext" if source.kind == "i" else "zext", x, to) if x.type != to else x


def _float_to_int(f: Function, x: Value, target: np.dtype[Any], to: str) -> Value:
    """Through a wider integer where there is one, so that what wraps around in C does so here."""
    if target.name == "uint64":
        low = f.cast("fptosi", x, to)
        return f.select(f.fcmp("oge", x, const(x.type, 2.0**63)), f.cast("fptoui", x, to), low)
    wide = vector(
        "i64" if (target.itemsize >= 4 and target.kind == "u") or target.itemsize == 8 else "i32",
        lanes_of(x.type),
    )
    whole = f.cast("fptosi", x, wide)
    return whole if wide == to else f.cast("trunc", whole, to)


def integer_table(dtype: np.dtype[Any]) -> dict[str, Emit]:
    """Operations on integers of a kind, or booleans, by name."""
    return {"i": _SIGNED, "u": _UNSIGNED, "b": _BOOL}[dtype.kind]
