"""LAPACK and BLAS in emitted code, by function pointer: NumPy's own where it can be found, else what SciPy lends.

NumPy's is the library that the interpreter computes with, so signs and order of eigenvectors are the same, and it is in
memory already. Wheels of NumPy and SciPy carry different ones, with integers of 64 and of 32 bits. SciPy's are those of
`scipy.linalg.cython_lapack` and `cython_blas`.

Arguments go by pointer. An integer argument is written with 64 bits, of which a library with short integers reads the
low half; arrays of integers have the library's width. Matrices are column-major: a row-major array is its transpose.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from .engine import engine
from .llvm import Function, Module, Value, i32, i64

PREFIX = "lapack."
"""Begins the names by which emitted code calls these routines."""

_LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
_NAMES = ("scipy_{}_64_", "{}_64_", "scipy_{}_", "{}_", "{}$NEWLAPACK$ILP64", "{}$NEWLAPACK")
"""How builds of NumPy name them."""


class Letter(Value):
    """The address of a character argument."""

    __slots__ = ()


def call(f: Function, name: str, dtype: np.dtype[Any], *args: Value | int | float | str) -> None:
    """Append a call: `name` without the letter of the dtype; numbers and characters become constants in memory.

    Fortran's hidden lengths of characters come last, as GNU Fortran has it; C callees do not look.
    """
    values = [_in_memory(f.module, dtype, x) for x in args]
    lengths = [i64(1) for x in values if isinstance(x, Letter)]
    f.call(f"{PREFIX}{_LETTERS[dtype.name]}{name}", "void", [*values, *lengths])


def integer(f: Function, x: Value) -> Value:
    """The address of an integer argument, in memory of the function's own."""
    place = f.alloca("i64")
    f.store(x, place)
    return place


def letter(f: Function, code: Value) -> Letter:
    """The address of a character argument given as its code (i64)."""
    return Letter(integer(f, code).text, "ptr")


def status(f: Function) -> Value:
    """The address for a routine's `info`."""
    return integer(f, i64(0))


def failed(f: Function, info: Value) -> Value:
    """Whether a routine reported anything (i1)."""
    return f.icmp("ne", f.load("i32", info), i32(0))


def load_integer(f: Function, array: Value, index: Value) -> Value:
    """An element, as i64, of an array of integers that a routine wrote."""
    type = f"i{8 * integer_bytes()}"
    return f.cast("sext", f.load(type, f.gep(type, array, index)), "i64")


def _in_memory(m: Module, dtype: np.dtype[Any], x: Value | int | float | str) -> Value:
    if isinstance(x, Value):
        return x
    if isinstance(x, str):
        return Letter(m.data(f"letter.{x}", np.array([ord(x)], np.int8), align=1).text, "ptr")
    if isinstance(x, int):
        return m.data(f"integer.{x}", np.array([x], np.int64), align=8)
    parts = [x, 0.0] if dtype.kind == "c" else [x]
    return m.data(f"number.{x}", np.array(parts, np.zeros(0, dtype).real.dtype), align=8)


def routines(m: Module) -> list[str]:
    """The names of the routines that a module calls."""
    return [name for name in m.declared if name.startswith(PREFIX)]


def provide(names: Iterable[str]) -> None:
    """Make routines callable from modules linked later."""
    for name in names:
        if name not in engine().symbols:
            engine().provide(name, source().address(name.removeprefix(PREFIX)))


class Source(NamedTuple):
    """A library."""

    name: str
    address: Callable[[str], int]
    """Where a routine such as dpotrf or ztrsm is; LookupError if it is not there."""


@functools.cache
def source() -> Source:
    """The library in use."""
    return numpy_source() or scipy_source()


def numpy_source() -> Source | None:
    """The library that NumPy's linear algebra is linked with, if its symbols can be seen."""
    try:
        umath = importlib.import_module("numpy.linalg._umath_linalg")
        library = ctypes.CDLL(umath.__file__)
    except (ImportError, OSError):  # pragma: no cover - NumPy built in another way
        return None
    for pattern in _NAMES:
        if all(hasattr(library, pattern.format(name)) for name in ("dpotrf", "dtrsm", "zungqr", "cgesdd")):
            return Source("numpy", functools.partial(_symbol, library, pattern))
    return None


def _symbol(library: ctypes.CDLL, pattern: str, name: str) -> int:
    try:
        return int(ctypes.cast(getattr(library, pattern.format(name)), ctypes.c_void_p).value or 0)
    except AttributeError:
        raise LookupError(f"there is no {pattern.format(name)}") from None


def scipy_source() -> Source:
    """SciPy's function pointers."""
    modules = [importlib.import_module(f"scipy.linalg.cython_{part}") for part in ("lapack", "blas")]
    return Source("scipy", functools.partial(_capsule_address, [m.__pyx_capi__ for m in modules]))


def _capsule_address(tables: list[dict[str, Any]], name: str) -> int:
    for table in tables:
        if name in table:
            return int(_capsule_pointer(table[name], _capsule_name(table[name])))
    raise LookupError(f"SciPy has no routine {name}")


def thread_control() -> tuple[int, int] | None:
    """Where OpenBLAS gets and sets its number of threads, if it is the library in use and has one."""
    module = "numpy.linalg._umath_linalg" if source().name == "numpy" else "scipy.linalg.cython_lapack"
    library = ctypes.CDLL(importlib.import_module(module).__file__)
    for start in ("scipy_", ""):
        for end in ("64_", ""):
            names = [f"{start}openblas_{verb}_num_threads{end}" for verb in ("get", "set")]
            if all(hasattr(library, name) for name in names):
                get, set_ = (_symbol(library, "{}", name) for name in names)
                return get, set_
    return None


_capsule_name = ctypes.pythonapi.PyCapsule_GetName
_capsule_name.restype, _capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype, _capsule_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


@functools.cache
def integer_bytes() -> int:
    """The width of the library's integers, seen in the pivots that it finds for [[0, 1], [1, 0]]: 2, 2."""
    if sys.byteorder != "little":
        raise NotImplementedError("integer arguments are written for little-endian machines")
    n, info, swap = np.array([2]), np.zeros(1, np.int64), np.array([[0.0, 1.0], [1.0, 0.0]])
    pivots = np.zeros(2, np.int64)
    getrf = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 6)(source().address("dgetrf"))
    getrf(*[x.ctypes.data for x in (n, n, swap, n, pivots, info)])
    return 8 if pivots.tolist() == [2, 2] else 4
