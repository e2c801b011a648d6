"""Elements as unsigned integers in the order of `sort`: keys, and the way back.

Integers have their sign bit turned. Floats are ordered as their bits are once those of negative numbers are turned
over; -0.0 counts as 0.0, and every NaN as the largest. A complex number has two words: real and imaginary part where
both are numbers; above them all, ordered by the real part alone, what has only a NaN as imaginary part; above these,
by the imaginary part, what has a NaN as real part.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core.dtypes import bfloat16, is_floating
from ..engine import host
from ..llvm import Function, Module, Value, const, i64, like, vector
from .library import Library, Signature

_INFINITY = {"float16": 0x7C00, "bfloat16": 0x7F80, "float32": 0x7F800000, "float64": 0x7FF0000000000000}

_COMPLEX_PARTS = {"complex64": ("whole",), "complex128": ("high", "low")}


def word_bytes(dtype: np.dtype[Any]) -> int:
    """Bytes of a key: 4 or 8."""
    return 8 if dtype.itemsize >= 8 else 4


def parts(dtype: np.dtype[Any]) -> tuple[str, ...]:
    """The keys that an element has, the most significant first."""
    return _COMPLEX_PARTS.get(dtype.name, ("whole",))


# On values


def key(f: Function, dtype: np.dtype[Any], x: Value) -> Value:
    """Keys of elements given by their bits."""
    wide = like(x.type, f"i{8 * word_bytes(dtype)}")
    if is_floating(dtype):
        return f.cast("zext", _float_key(f, x, _INFINITY[dtype.name]), wide)
    if dtype.kind in "bu":
        return f.cast("zext", x, wide)
    return f.xor(f.cast("sext", x, wide), const(wide, 1 << (_width(wide) - 1)))


def _width(kind: str) -> int:
    return int(kind.strip("<>").split("i")[-1])


def _float_key(f: Function, x: Value, infinity: int) -> Value:
    sign, bits = const(x.type, 1 << (_width(x.type) - 1)), _width(x.type)
    zero = const(x.type, 0)
    x = f.select(f.icmp("eq", x, sign), zero, x)
    turned = f.xor(x, f.or_(f.ashr(x, const(x.type, bits - 1)), sign))
    magnitude = f.and_(x, const(x.type, (1 << (bits - 1)) - 1))
    nan = f.icmp("ugt", magnitude, const(x.type, infinity))
    return f.select(nan, const(x.type, -1), turned)


def element(f: Function, dtype: np.dtype[Any], k: Value) -> Value:
    """The bits of elements with these keys."""
    narrow = like(k.type, f"i{8 * dtype.itemsize}")
    if is_floating(dtype):
        k = f.cast("trunc", k, narrow)
        sign, bits = const(narrow, 1 << (_width(narrow) - 1)), _width(narrow)
        return f.xor(k, f.or_(f.not_(f.ashr(k, const(narrow, bits - 1))), sign))
    if dtype.kind not in "bu":
        k = f.xor(k, const(k.type, 1 << (_width(k.type) - 1)))
    return f.cast("trunc", k, narrow)


def _complex_words(f: Function, real: Value, imaginary: Value, infinity: int) -> tuple[Value, Value]:
    """Both words of a complex number from the bits of its parts."""
    a, b = _float_key(f, real, infinity), _float_key(f, imaginary, infinity)
    most = const(a.type, -1)
    a_nan, b_nan = f.icmp("eq", a, most), f.icmp("eq", b, most)
    high = f.select(a_nan, most, f.select(b_nan, const(a.type, -2), a))
    return high, f.select(f.and_(b_nan, f.not_(a_nan)), a, b)


# On lines


def key_name(dtype: np.dtype[Any], part: str) -> str:
    return f"fx_key_{dtype.name}_{part}"


def _library(name: str) -> Library:
    """fx_key_*(source, step, n, keys) -> whether there are zeros of negative sign; fx_element_*(keys, n, out, step).

    Steps are in elements. `fx_zeros_*(source, step, n, out, step)` gives the zeros of a sorted line their signs back,
    in the order of the source.
    """
    read = Signature("i64", ("ptr", "i64", "i64", "ptr"))
    if name in _COMPLEX_PARTS:
        return Library(
            {f"fx_key_{name}_{part}": read for part in _COMPLEX_PARTS[name]},
            lambda m: _write_complex(m, name),
        )
    functions = {
        f"fx_key_{name}_whole": read,
        f"fx_element_{name}": Signature("void", ("ptr", "i64", "ptr", "i64")),
        f"fx_zeros_{name}": Signature("void", ("ptr", "i64", "i64", "ptr", "i64")),
    }
    return Library(functions, lambda m: _write_real(m, name))


def _write_real(m: Module, name: str) -> None:
    dtype = bfloat16() if name == "bfloat16" else np.dtype(name)
    _write_keys(_LIBRARIES[name].define(m, key_name(dtype, "whole")), dtype)
    _write_elements(_LIBRARIES[name].define(m, f"fx_element_{name}"), dtype)
    _write_zeros(_LIBRARIES[name].define(m, f"fx_zeros_{name}"), dtype)


def _lanes(dtype: np.dtype[Any]) -> int:
    return host().vector_bytes // word_bytes(dtype)


def _write_keys(f: Function, dtype: np.dtype[Any]) -> None:
    source, step, n, out = f.args
    raw, word = f"i{8 * dtype.itemsize}", f"i{8 * word_bytes(dtype)}"
    found = f.alloca("i64")
    f.store(i64(0), found)

    def body(index: Value, lanes: int) -> None:
        x = f.load(vector(raw, lanes), f.gep(raw, source, index if lanes > 1 else f.mul(index, step)))
        f.store(key(f, dtype, x), f.gep(word, out, index))
        if is_floating(dtype):
            with f.when(_any(f, f.icmp("eq", x, const(x.type, 1 << (8 * dtype.itemsize - 1))))):
                f.store(i64(1), found)

    lanes = _lanes(dtype)
    whole = f.select(f.icmp("eq", step, i64(1)), f.and_(n, i64(-lanes)), i64(0))
    with f.loop(i64(0), whole, lanes) as loop:
        body(loop.index, lanes)
    with f.loop(whole, n) as loop:
        body(loop.index, 1)
    f.ret(f.load("i64", found))


def _any(f: Function, mask: Value) -> Value:
    if mask.type == "i1":
        return mask
    bits = f.bitcast(mask, f"i{mask.type[1:-1].split(' ')[0]}")
    return f.icmp("ne", bits, const(bits.type, 0))


def _write_elements(f: Function, dtype: np.dtype[Any]) -> None:
    source, n, out, step = f.args
    raw, word = f"i{8 * dtype.itemsize}", f"i{8 * word_bytes(dtype)}"

    def body(index: Value, lanes: int) -> None:
        k = f.load(vector(word, lanes), f.gep(word, source, index))
        f.store(element(f, dtype, k), f.gep(raw, out, index if lanes > 1 else f.mul(index, step)))

    lanes = _lanes(dtype)
    whole = f.select(f.icmp("eq", step, i64(1)), f.and_(n, i64(-lanes)), i64(0))
    with f.loop(i64(0), whole, lanes) as loop:
        body(loop.index, lanes)
    with f.loop(whole, n) as loop:
        body(loop.index, 1)
    f.ret()


def _write_zeros(f: Function, dtype: np.dtype[Any]) -> None:
    """Negative numbers are counted, for the zeros follow them."""
    source, step, n, out, out_step = f.args
    raw = f"i{8 * dtype.itemsize}"
    sign = const(raw, 1 << (8 * dtype.itemsize - 1))
    least = const(raw, -1 << (8 * dtype.itemsize - 1))
    last = const(raw, (_INFINITY.get(dtype.name, 0)) | (-1 << (8 * dtype.itemsize - 1)))
    read = lambda i: f.load(raw, f.gep(raw, source, f.mul(i, step)))
    with f.loop(i64(0), n, carry=[i64(0)]) as loop:
        x = read(loop.index)
        negative = f.and_(f.icmp("sgt", x, least), f.icmp("sle", x, last))
        loop.next(f.add(loop.carry[0], f.cast("zext", negative, "i64")))
    with f.loop(i64(0), n, carry=loop.results) as loop:
        x = read(loop.index)
        zero = f.or_(f.icmp("eq", x, const(raw, 0)), f.icmp("eq", x, sign))
        with f.when(zero):
            f.store(x, f.gep(raw, out, f.mul(loop.carry[0], out_step)))
        loop.next(f.add(loop.carry[0], f.cast("zext", zero, "i64")))
    f.ret()


def _write_complex(m: Module, name: str) -> None:
    """One word of 64 bits, or two."""
    half, raw = ("float32", "i32") if name == "complex64" else ("float64", "i64")
    for part in _COMPLEX_PARTS[name]:
        f = _LIBRARIES[name].define(m, f"fx_key_{name}_{part}")
        source, step, n, out = f.args
        with f.loop(i64(0), n) as loop:
            place = f.mul(f.mul(loop.index, step), i64(2))
            a, b = [f.load(raw, f.gep(raw, source, f.add(place, i64(k)))) for k in (0, 1)]
            high, low = _complex_words(f, a, b, _INFINITY[half])
            if part == "whole":
                high = f.or_(f.shl(f.cast("zext", high, "i64"), i64(32)), f.cast("zext", low, "i64"))
            f.store(low if part == "low" else high, f.gep("i64", out, loop.index))
        f.ret(i64(0))


_LIBRARIES = {
    name: _library(name)
    for name in (
        "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
        "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
    )
}  # fmt: skip
