"""Dtype objects, and questions about dtypes."""

from __future__ import annotations

import builtins
import functools
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..core.devices import is_buffer
from ..primitives.promotion import dtype_and_weak, is_scalar
from ._creation import asarray


class ScalarType:
    """A dtype by name that also converts: `float32(x)` is `asarray(x, dtype=float32)`.

    It equals, hashes and serves as the NumPy dtype `.dtype`; bfloat16 is looked up when first used.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str):
        self._name = name

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype."""
        return dtypes.canonical(self._name)

    @property
    def __name__(self) -> str:
        return self._name

    def __call__(self, x: Any = 0) -> Array:
        return asarray(x, dtype=self.dtype)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ScalarType):
            return bool(self.dtype == other.dtype)
        return other is not None and bool(self.dtype == other)

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return f"fx.numpy.{self._name}"


bool_ = ScalarType("bool")
int8, int16, int32, int64 = (ScalarType(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (ScalarType(f"uint{n}") for n in (8, 16, 32, 64))
float16, float32, float64 = (ScalarType(f"float{n}") for n in (16, 32, 64))
bfloat16 = ScalarType("bfloat16")
float8_e3m4, float8_e4m3, float8_e4m3b11fnuz, float8_e4m3fn, float8_e4m3fnuz = map(
    ScalarType, dtypes.FLOAT8[:5]
)
float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu = map(ScalarType, dtypes.FLOAT8[5:8])
float6_e2m3fn, float6_e3m2fn, float4_e2m1fn = map(ScalarType, dtypes.FLOAT8[8:])
int1, int2, int4, uint1, uint2, uint4 = map(ScalarType, dtypes.INT4)
complex64, complex128 = ScalarType("complex64"), ScalarType("complex128")
bool = bool_
int_ = intp = int64
uint = uint64
half, single, double = float16, float32, float64
csingle, cdouble = complex64, complex128
byte, short, intc, longlong = int8, int16, int32, int64
ubyte, ushort, uintc, ulonglong, uintp = uint8, uint16, uint32, uint64, uint64
float_, complex_ = float64, complex128

dtype = np.dtype
generic, number, inexact, floating, complexfloating = (
    np.generic, np.number, np.inexact, np.floating, np.complexfloating,
)  # fmt: skip
integer, signedinteger, unsignedinteger = np.integer, np.signedinteger, np.unsignedinteger
flexible, character, object_ = np.flexible, np.character, np.object_  # kinds that fx has no arrays of


def finfo(dtype: Any) -> Any:
    """Limits of a floating (or complex) dtype, or of the dtype of an array: eps, max, smallest_normal, ...

    Python floats, as the array API has it, so that x + finfo(x.dtype).eps keeps its dtype; float64's are NumPy's.
    """
    found = _dtype_of(dtype)
    if not dtypes.is_inexact(found):
        raise errors.DTypeError(f"finfo describes floating dtypes; {found} is none. Use iinfo for integers.")
    return _float_limits(dtypes.real_of(found))


def iinfo(dtype: Any) -> Any:
    """Limits of an integer dtype, or of the dtype of an array: bits, min, max."""
    found = _dtype_of(dtype)
    if _kind(found) not in "iu":
        raise errors.DTypeError(f"iinfo describes integer dtypes; {found} is none. Use finfo for floats.")
    return _limits("iinfo", found)


@functools.lru_cache(None)
def _float_limits(dtype: np.dtype[Any]) -> Any:
    limits = _limits("finfo", dtype)
    return limits if limits.dtype == np.float64 else FloatLimits(limits)


class FloatLimits:
    """What `finfo` returns: NumPy's object, with Python floats."""

    __slots__ = ("_of",)

    def __init__(self, of: Any):
        self._of = of

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._of, name)
        return float(value) if isinstance(value, np.generic) and value.dtype.kind in "fV" else value

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._of) if not name.startswith("_")]

    def __repr__(self) -> str:
        return repr(self._of)

    def __str__(self) -> str:
        return str(self._of)

    def __reduce__(self) -> Any:
        return finfo, (self._of.dtype,)


def _limits(name: str, dtype: np.dtype[Any]) -> Any:
    """NumPy's object, or that of ml_dtypes for its own formats."""
    if dtype.num < 256:  # the numbers of NumPy's own
        return getattr(np, name)(dtype)
    import ml_dtypes

    return getattr(ml_dtypes, name)(dtype)


def _kind(dtype: np.dtype[Any]) -> str:
    """The letter of a dtype's kind, that of floats and integers for the formats of ml_dtypes too."""
    if dtype.kind != "V":
        return dtype.kind
    return "f" if dtypes.is_inexact(dtype) else "u" if dtype.name[0] == "u" else "i"


def isdtype(dtype: Any, kind: Any) -> Any:
    """Whether a dtype is of a kind: a dtype, a name ('bool', 'integral', 'real floating', ...) or a tuple of them."""
    found = dtypes.canonical(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(found, k) for k in kind)
    if not isinstance(kind, str):
        return found == dtypes.canonical(kind)
    if kind not in _KINDS:
        raise errors.ArgumentError(
            errors.lines(
                f"isdtype: {errors.brief(kind)} is not a kind of dtypes.",
                f"Kinds: {', '.join(map(repr, _KINDS))}.",
            )
        )
    return _kind(found) in _KINDS[kind]


_KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}


def promote_types(a: Any, b: Any) -> np.dtype[Any]:
    """The dtype of the result when arrays of these dtypes meet."""
    return dtypes.promote_types(a, b)


def result_type(*args: Any) -> np.dtype[Any]:
    """The dtype of the result when these meet: arrays, dtypes and (weak) Python scalars."""
    if not args:
        raise errors.ArgumentError("result_type needs at least one array or dtype.")
    strong: Any = None
    top: Any = None
    for x in args:
        if is_scalar(x):
            kind = type(x)
            top = kind if top is None or _RANK.index(kind) > _RANK.index(top) else top
            continue
        found = dtype_and_weak(x) if isinstance(x, Array) else (_dtype_of(x), False)
        strong = found if strong is None else dtypes.weak_promote(*strong, *found)
    if top is None:
        return strong[0]
    return dtypes.scalar_dtype(top, None if strong is None else strong[0])


_RANK = (builtins.bool, int, float, complex)


def can_cast(from_: Any, to: Any, casting: str = "safe") -> Any:
    """Whether values of one dtype (or an array's) convert to another under NumPy's casting rule."""
    rules = ("no", "equiv", "safe", "same_kind", "unsafe")
    return np.can_cast(
        _dtype_of(from_), dtypes.canonical(to), static.choice(casting, rules, "can_cast: casting")
    )


def common_type(*arrays: Any) -> np.dtype[Any]:
    """The inexact dtype in which all of these arrays fit; integers and booleans count as the default float."""
    found = [_dtype_of(x) for x in arrays]
    if not found or builtins.any(_kind(d) == "b" for d in found):
        raise errors.DTypeError(f"common_type takes arrays of numbers; got {found}.")
    kinds = [dtypes.default_float() if _kind(d) in "iu" else d for d in found]
    return functools.reduce(dtypes.promote_types, kinds)


def min_scalar_type(a: Any) -> np.dtype[Any]:
    """The smallest dtype that holds one known number; an array keeps its own."""
    a = asarray(a) if isinstance(a, (list, tuple)) else a
    value = a.item() if isinstance(a, Array) and a.shape == () else a
    return a.dtype if isinstance(a, Array) and a.shape else np.min_scalar_type(value)


def issubdtype(arg1: Any, arg2: Any) -> Any:
    """Whether a dtype lies below another or below an abstract one such as `floating`."""
    if isinstance(arg2, ScalarType):
        return dtypes.canonical(arg1) == arg2.dtype
    if isinstance(arg1, type) and arg1 in _ABSTRACT:
        above = arg2 if isinstance(arg2, type) and issubclass(arg2, generic) else dtypes.canonical(arg2)
        return np.issubdtype(arg1, above)
    found = dtypes.canonical(arg1)
    if found.kind == "V" and isinstance(arg2, type) and issubclass(arg2, generic):
        return issubclass(
            {"f": np.floating, "i": np.signedinteger, "u": np.unsignedinteger}[_kind(found)], arg2
        )
    return np.issubdtype(
        found, arg2 if isinstance(arg2, type) and issubclass(arg2, generic) else dtypes.canonical(arg2)
    )


_ABSTRACT = (generic, number, inexact, floating, complexfloating, integer, signedinteger, unsignedinteger)


def _dtype_of(x: Any) -> np.dtype[Any]:
    return dtypes.canonical(x.dtype if isinstance(x, (Array, ScalarType)) or is_buffer(x) else x)
