"""Dtypes: names, defaults, and the one promotion table.

Two arrays promote as NumPy 2 does (float32 with int32 gives float64). A Python scalar is weak: it takes the
dtype of the array it meets unless its kind is higher, and then `fx.config.default_float` (or its complex
partner) decides. Integers that become inexact (`sin(int)`, `int / int`, `mean`) become `default_float`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .avals import is_extended, is_inexact
from .config import settings
from .errors import DTypeError, brief, lines

DType = np.dtype[Any]
_KNOWN = frozenset(map(np.dtype, "?bhilqBHILQefdFD"))

bool_ = np.dtype("bool")
int8, int16, int32, int64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f"float{n}") for n in (16, 32, 64))
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")


@lru_cache(None)
def bfloat16() -> DType:
    """bfloat16 from ml_dtypes, imported when first asked for."""
    return _extended("bfloat16")


FLOAT8 = (
    *("float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn", "float8_e4m3fnuz"),
    *("float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
    *("float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn"),
)
INT4 = ("int1", "int2", "int4", "uint1", "uint2", "uint4")
"""Formats for storage, a byte each: values are converted from and to them; float8 is summed in float32."""


@lru_cache(None)
def _extended(name: str) -> DType:
    """A dtype of ml_dtypes, which is imported here."""
    import ml_dtypes

    found: DType = np.dtype(getattr(ml_dtypes, name))
    return found


def is_bfloat16(dtype: DType) -> bool:
    return dtype.kind == "V" and dtype.name == "bfloat16"


def is_low_precision(dtype: DType) -> bool:
    """float16, bfloat16 and narrower: reductions and contractions accumulate them in float32."""
    return dtype.itemsize <= 2 and is_inexact(dtype)


def is_floating(dtype: DType) -> bool:
    return dtype.kind == "f" or (dtype.kind == "V" and is_inexact(dtype))


def is_complex(dtype: DType) -> bool:
    return dtype.kind == "c"


def is_integer(dtype: DType) -> bool:
    return dtype.kind in "iu"


def default_float() -> DType:
    return settings().float_dtype


def default_complex() -> DType:
    return complex128 if default_float() == float64 else complex64


def canonical(dtype: Any) -> DType:
    """A dtype from anything that names one, in native byte order; DTypeError if fx has no such arrays."""
    if isinstance(dtype, np.dtype) and dtype in _KNOWN:
        return dtype
    if dtype is float:
        return default_float()
    if dtype is complex:
        return default_complex()
    if isinstance(dtype, str) and dtype in _EXTENDED:
        return _extended(dtype)
    found = _named(dtype)
    if found.kind not in "fiubc" and not is_extended(found):
        raise DTypeError(
            lines(f"fx has no arrays of dtype {found}.", "It has bool, integers, floats and complex numbers.")
        )
    if found.itemsize > (16 if found.kind == "c" else 8):
        raise DTypeError(
            lines(f"fx has no arrays of dtype {found}.", "The widest are float64 and complex128.")
        )
    return found


_EXTENDED = frozenset(("bfloat16", *FLOAT8, *INT4))


def _named(dtype: Any) -> DType:
    """NumPy's dtype of a name, a type or an object with a `dtype`, in native byte order."""
    try:
        if isinstance(dtype, (list, tuple, dict)) or (isinstance(dtype, str) and dtype[:1] in ("a", "")):
            raise TypeError("a structured dtype, or NumPy's old name of byte strings")
        found: DType = np.dtype(dtype).newbyteorder("=")
        return found
    except (TypeError, ValueError, SyntaxError) as e:
        raise DTypeError(
            lines(f"{brief(dtype)} is not a dtype.", "Write for example fx.numpy.float32 or 'int64'.")
        ) from e


_ALONE = {bool: lambda: bool_, int: lambda: int64, float: default_float, complex: default_complex}
_RANK = {bool: 0, int: 1, float: 2, complex: 3}
_KIND_RANK = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}


def kind_rank(dtype: DType) -> int:
    """0 for booleans, 1 for integers, 2 for floats, 3 for complex numbers."""
    return _KIND_RANK[dtype.kind] if dtype.kind != "V" else 2 if is_inexact(dtype) else 1


def scalar_dtype(kind: type, partner: DType | None) -> DType:
    """dtype of a Python scalar that meets an array of dtype `partner` (None: stands alone)."""
    if partner is None:
        return _ALONE[kind]()
    rank, other = _RANK[kind], kind_rank(partner)
    if rank <= other:
        return partner
    if rank == 1:
        return int64
    if rank == 2:
        return default_float()
    return complex_of(partner) if other == 2 else default_complex()


def complex_of(dtype: DType) -> DType:
    """The complex dtype whose parts hold this one."""
    if dtype.kind == "c":
        return dtype
    return complex128 if dtype.itemsize == 8 else complex64


def real_of(dtype: DType) -> DType:
    """The dtype of the real part."""
    return {complex64: float32, complex128: float64}.get(dtype, dtype)


def inexact_of(dtype: DType) -> DType:
    """The dtype in which sin, divide or mean of this one are computed."""
    return dtype if is_inexact(dtype) else default_float()


def promote_types(a: Any, b: Any) -> DType:
    """The dtype of the result when arrays of dtypes a and b meet (NumPy 2, bfloat16 added)."""
    return _promote(canonical(a), canonical(b), settings().promotion == "strict")


@lru_cache(None)
def _promote(a: DType, b: DType, strict: bool) -> DType:
    if a == b:
        return a
    if strict:
        raise DTypeError(
            lines(
                f"Arrays of dtypes {a} and {b} met under promotion='strict'.",
                "Convert one of them with .astype(...).",
            )
        )
    for x, y in ((a, b), (b, a)):
        if is_bfloat16(x):
            return _promote_bfloat16(x, y)
    return _numpys(a, b)


def _numpys(a: DType, b: DType) -> DType:
    """What NumPy says, or an error: formats of one byte have no common dtype with most others."""
    try:
        return np.promote_types(a, b)
    except TypeError as e:
        raise DTypeError(
            lines(
                f"Arrays of dtypes {a} and {b} have no common dtype.",
                "Convert one of them with .astype(...).",
            )
        ) from e


def _promote_bfloat16(half: DType, other: DType) -> DType:
    if other.kind == "b" or other in (int8, uint8):
        return half
    if other == float16:
        return float32
    if is_extended(other):
        return _numpys(half, other)
    return np.promote_types(float32, other) if other.kind in "fc" else np.promote_types(float16, other)


def weak_promote(a: DType, a_weak: bool, b: DType, b_weak: bool) -> tuple[DType, bool]:
    """Promotion of two typed operands of which some are weak; the result is weak if both are."""
    if a is b or a == b:
        return a, a_weak and b_weak
    if a_weak == b_weak:
        return (promote_types(a, b) if not a_weak else _wider_weak(a, b)), a_weak
    weak, strong = (a, b) if a_weak else (b, a)
    return scalar_dtype(_python_kind(weak), strong), False


def _wider_weak(a: DType, b: DType) -> DType:
    ranks = kind_rank(a), kind_rank(b)
    if ranks[0] != ranks[1]:
        return a if ranks[0] > ranks[1] else b
    return np.promote_types(a, b)


def _python_kind(dtype: DType) -> type:
    return (bool, int, float, complex)[kind_rank(dtype)]
