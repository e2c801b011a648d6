"""Reductions as mathematics: what they accumulate in, how two parts combine, what stands for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core.program import Equation, Var
from ...core.structure import Literal
from . import complex_numbers, pointwise
from .complex_numbers import Pair
from .llvm import Function, Value, bits_of, const, vector
from .pointwise import register_type


def accumulator_type(v: Var) -> str:
    return register_type(v.aval.dtype)


def stored_type(v: Var) -> str:
    kind = accumulator_type(v)
    return "i8" if kind == "i1" else kind


def width_of(v: Var) -> int:
    return bits_of(stored_type(v)) // 8


def combiner(f: Function, eqn: Equation) -> Callable[[Value, Value], Value]:
    name, dtype = eqn.primitive.name, eqn.outputs[0].aval.dtype
    floating = dtype.kind in "fV"
    if name == "sum":
        return f.fadd if floating else f.or_ if dtype.kind == "b" else f.add
    if name == "prod":
        return f.fmul if floating else f.and_ if dtype.kind == "b" else f.mul
    if name in ("any", "all"):
        return f.or_ if name == "any" else f.and_
    table = pointwise._FLOAT if floating else pointwise.integer_table(dtype)
    rule = table["max" if name == "reduce_max" else "min"]
    return lambda a, b: rule(f, a, b)


def identity_of(eqn: Equation, kind: str) -> Value:
    name, dtype = eqn.primitive.name, eqn.outputs[0].aval.dtype
    floating = dtype.kind in "fV"
    if name == "sum":
        return const(kind, (-0.0 if eqn.inputs[0].aval.size else 0.0) if floating else 0)
    if name == "prod":
        return const(kind, 1.0 if floating else 1)
    if name in ("any", "all"):
        return const(kind, int(name == "all"))
    low = name == "reduce_max"
    if floating:
        return const(kind, float("-inf") if low else float("inf"))
    if dtype.kind == "b":
        return const(kind, int(not low))
    least, most = limits(dtype)
    return const(kind, least if low else most)


def limits(dtype: Any) -> tuple[int, int]:
    bits = 8 * dtype.itemsize
    return (0, (1 << bits) - 1) if dtype.kind == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)


def literal(v: Literal, lanes: int) -> Value | Pair:
    return constant(v.value, v.aval.dtype, lanes)


def constant(value: Any, dtype: Any, lanes: int) -> Value | Pair:
    """A static number in every lane."""
    if dtype.kind == "c":
        return complex_numbers.constant(value, dtype, lanes)
    return const(vector(register_type(dtype), lanes), python_number(value, dtype))


def python_number(value: Any, dtype: Any) -> Any:
    """A static number as dtype holds it."""
    x = dtype.type(value)
    if dtype.kind in "fV":
        return float(x)
    return bool(x) if dtype.kind == "b" else int(x)


def dtype_of(v: Any) -> Any:
    return v.aval.dtype
