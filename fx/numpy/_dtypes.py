"""Dtype objects, and questions about dtypes."""

from __future__ import annotations

import builtins
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
        return bool(self.dtype == (other.dtype if isinstance(other, ScalarType) else other))

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return f"fx.numpy.{self._name}"


bool_ = ScalarType("bool")
int8, int16, int32, int64 = (ScalarType(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (ScalarType(f"uint{n}") for n in (8, 16, 32, 64))
float16, float32, float64 = (ScalarType(f"float{n}") for n in (16, 32, 64))
bfloat16 = ScalarType("bfloat16")
complex64, complex128 = ScalarType("complex64"), ScalarType("complex128")
bool = bool_
int_ = intp = int64
uint = uint64
half, single, double = float16, float32, float64
csingle, cdouble = complex64, complex128

dtype = np.dtype
generic, number, inexact, floating, complexfloating = (
    np.generic, np.number, np.inexact, np.floating, np.complexfloating,
)  # fmt: skip
integer, signedinteger, unsignedinteger = np.integer, np.signedinteger, np.unsignedinteger


def finfo(dtype: Any) -> Any:
    """Limits of a floating (or complex) dtype, or of the dtype of an array: eps, max, smallest_normal, ..."""
    found = _dtype_of(dtype)
    if dtypes.is_bfloat16(found):
        import ml_dtypes

        return ml_dtypes.finfo(found)
    if found.kind not in "fc":
        raise errors.DTypeError(f"finfo describes floating dtypes; {found} is none. Use iinfo for integers.")
    return np.finfo(found)


def iinfo(dtype: Any) -> Any:
    """Limits of an integer dtype, or of the dtype of an array: bits, min, max."""
    found = _dtype_of(dtype)
    if found.kind not in "iu":
        raise errors.DTypeError(f"iinfo describes integer dtypes; {found} is none. Use finfo for floats.")
    return np.iinfo(found)


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
    return ("f" if dtypes.is_bfloat16(found) else found.kind) in _KINDS[kind]


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


def issubdtype(arg1: Any, arg2: Any) -> Any:
    """Whether a dtype lies below another or below an abstract one such as `floating`."""
    if isinstance(arg2, ScalarType):
        return dtypes.canonical(arg1) == arg2.dtype
    if isinstance(arg1, type) and arg1 in _ABSTRACT:
        above = arg2 if isinstance(arg2, type) and issubclass(arg2, generic) else dtypes.canonical(arg2)
        return np.issubdtype(arg1, above)
    found = dtypes.canonical(arg1)
    if dtypes.is_bfloat16(found):
        return arg2 in (np.floating, np.inexact, np.number, np.generic)
    return np.issubdtype(
        found, arg2 if isinstance(arg2, type) and issubclass(arg2, generic) else dtypes.canonical(arg2)
    )


_ABSTRACT = (generic, number, inexact, floating, complexfloating, integer, signedinteger, unsignedinteger)


def _dtype_of(x: Any) -> np.dtype[Any]:
    return dtypes.canonical(x.dtype if isinstance(x, (Array, ScalarType)) or is_buffer(x) else x)
