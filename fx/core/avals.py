"""Abstract values: what is known of an array before it exists."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np

from .errors import ShapeError, lines

DYNAMIC = -1
"""A length known only at run time: the leading axis of what a `while_loop` recorded."""

MAX_RANK = 64
"""Axes of an array at most, NumPy's limit."""
MAX_BYTES = 1 << 47
"""What a process can address; an array beyond it is a mistake, found before anything is allocated."""


class Aval:
    """Shape, dtype and weakness of a value; interned, so equal avals are one object.

    A weak aval comes from Python scalars alone and never widens an array that it meets.
    """

    __slots__ = ("__weakref__", "dtype", "ndim", "shape", "weak")
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    weak: bool
    ndim: int

    def __new__(cls, shape: tuple[int, ...], dtype: Any, weak: bool = False) -> Aval:
        key = (shape, dtype, weak)
        ref = _interned.get(key)
        aval = ref() if ref is not None else None
        return _intern(key) if aval is None else aval

    @property
    def size(self) -> int:
        """Number of elements; an error while an axis has a run-time length."""
        n = 1
        for d in self.shape:
            if d == DYNAMIC:
                raise ValueError(f"{self} has an axis whose length is known only at run time")
            n *= d
        return n

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def update(self, **changes: Any) -> Aval:
        """The same aval with other shape, dtype or weak."""
        fields = {"shape": self.shape, "dtype": self.dtype, "weak": self.weak, **changes}
        return Aval(**fields)

    @property
    def strong(self) -> Aval:
        return Aval(self.shape, self.dtype) if self.weak else self

    @property
    def inexact(self) -> bool:
        """Whether values of this dtype carry derivatives."""
        return is_inexact(self.dtype)

    def __repr__(self) -> str:
        dims = ",".join("?" if d == DYNAMIC else str(d) for d in self.shape)
        return f"{dtype_name(self.dtype)}[{dims}]" + ("~" if self.weak else "")

    def __reduce__(self) -> Any:
        return Aval, (self.shape, self.dtype, self.weak)


_interned: dict[Any, weakref.ref[Aval]] = {}
_lock = threading.Lock()


def _intern(key: tuple[Any, ...]) -> Aval:
    shape, dtype, weak = key
    dtype = np.dtype(dtype)
    key = (tuple(int(d) for d in shape), dtype, bool(weak))
    _refuse_absurd(key[0], dtype)
    with _lock:
        ref = _interned.get(key)
        aval = ref() if ref is not None else None
        if aval is None:
            aval = object.__new__(Aval)
            aval.shape, aval.dtype, aval.weak = key
            aval.ndim = len(shape)
            _interned[key] = weakref.ref(aval, lambda _: _forget(key))
        return aval


def _refuse_absurd(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if len(shape) > MAX_RANK:
        raise ShapeError(f"An array has at most {MAX_RANK} axes; {len(shape)} were asked for.")
    nbytes = dtype.itemsize
    for d in shape:
        nbytes *= d if d > 0 else 1  # NumPy, too, counts the other axes of an empty array
    if nbytes > MAX_BYTES:
        raise ShapeError(
            lines(
                f"An array of shape {shape} and dtype {dtype} would take {format_bytes(nbytes)}.",
                f"Arrays have at most {format_bytes(MAX_BYTES)}.",
            )
        )


def format_bytes(n: int) -> str:
    """A count of bytes with a binary unit: 512 B, 1.5 KiB, 128 TiB."""
    for power, unit in ((60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if n >= 1 << power:
            whole = n / (1 << power) if n < 1 << 1000 else float("inf")
            return f"{whole:.4g} {unit}"
    return f"{n} B"


def _forget(key: tuple[Any, ...]) -> None:
    ref = _interned.get(key)
    if ref is not None and ref() is None:
        _interned.pop(key, None)


_SHORT = {"float": "f", "complex": "c", "int": "i", "uint": "u"}


def dtype_name(dtype: np.dtype[Any]) -> str:
    """A short name: f32, bf16, i64, u8, c64, bool."""
    name = dtype.name
    if name.startswith("bfloat"):
        return "bf16"
    stem = name.rstrip("0123456789")
    return _SHORT[stem] + name[len(stem) :] if stem in _SHORT and stem != name else name


def is_inexact(dtype: np.dtype[Any]) -> bool:
    """Floating or complex, the ml_dtypes ones included."""
    kind = dtype.kind
    return kind == "f" or kind == "c" or (kind == "V" and is_extended(dtype) and "int" not in dtype.name)


def is_extended(dtype: np.dtype[Any]) -> bool:
    """A number format of ml_dtypes that NumPy sees as an opaque one: bfloat16, most of float8, int4, ..."""
    return dtype.kind == "V" and dtype.type is not np.void and dtype.itemsize <= 2


def size_of(aval: Aval) -> str:
    """The bytes of an aval, for people; ? while a length is known only at run time."""
    return "? bytes" if DYNAMIC in aval.shape else format_bytes(aval.nbytes)
