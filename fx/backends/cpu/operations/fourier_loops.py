"""The compiled loops behind `numpy.fft`, by address.

A ufunc (C struct `PyUFuncObject`, public in NumPy's headers) names for each signature a function
`void loop(char **args, npy_intp *dimensions, npy_intp *strides, void *data)`. What is found is tried on a transform of
six points before it is believed. A loop that gets no memory sets a Python error and writes nothing; so before each
call a number is written that no transform gives, a signalling NaN, and the error is cleared where the number is left.

    i1 fx_fourier(i64 which, ptr in, ptr factor, ptr out, i64 lines, i64 n_in, i64 n_out,
                  i64 to next line in, out, i64 to next number in, out)          false: there was no memory
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from typing import Any, NamedTuple

import numpy as np

from ....core import dtypes
from ..linking import address_of
from ..llvm import Function, Module, Value, const, i64
from . import library

_NAMES = ("fft", "ifft", "rfft_n_even", "rfft_n_odd", "irfft")
_SINGLE, _DOUBLE = (np.dtype(t) for t in ("float32", "float64"))
_UNWRITTEN = {_SINGLE: 0x7FA5A5A5, _DOUBLE: 0x7FF4A5A5A5A5A5A5}
"""Signalling NaNs; arithmetic makes quiet ones."""


class Loop(NamedTuple):
    """A function and what it is given last."""

    function: int
    data: int


class _UFunc(ctypes.Structure):
    """The beginning of PyUFuncObject, after the head of every object."""

    _fields_ = (
        ("nin", ctypes.c_int), ("nout", ctypes.c_int), ("nargs", ctypes.c_int), ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)), ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int), ("reserved", ctypes.c_int), ("name", ctypes.c_char_p),
        ("types", ctypes.POINTER(ctypes.c_char)),
    )  # fmt: skip


def number(kind: str, n: int, target: np.dtype[Any]) -> int:
    """Which loop makes a transform of n points."""
    name = ("rfft_n_odd" if n % 2 else "rfft_n_even") if kind == "rfft" else kind
    return 2 * _NAMES.index(name) + (dtypes.real_of(target) == _DOUBLE)


@functools.cache
def found() -> tuple[Loop, ...] | None:
    """The loops in the order of `number`; None where NumPy is built in another way."""
    try:
        module = importlib.import_module("numpy.fft._pocketfft_umath")
        loops = tuple(_loop(getattr(module, name), dtype) for name in _NAMES for dtype in (_SINGLE, _DOUBLE))
    except (ImportError, AttributeError, LookupError):  # pragma: no cover - other builds of NumPy
        return None
    return loops if all(_works(loop, k) for k, loop in enumerate(loops)) else None


def _loop(ufunc: Any, dtype: np.dtype[Any]) -> Loop:
    """The loop for parts of a dtype."""
    if not isinstance(ufunc, np.ufunc) or ufunc.signature not in ("(n),()->(m)", "(m),()->(n)"):
        raise LookupError("not a transform")
    record = _UFunc.from_address(id(ufunc) + object.__basicsize__)
    counts = (record.nin, record.nout, record.nargs, record.ntypes)
    if counts != (ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.ntypes) or record.name != ufunc.__name__.encode():
        raise LookupError("another layout")
    types = [t.replace("->", "") for t in ufunc.types]
    wanted = next(k for k, t in enumerate(types) if t[1] == dtype.char)
    if record.types[3 * wanted : 3 * wanted + 3] != b"".join(
        np.dtype(c).num.to_bytes() for c in types[wanted]
    ):
        raise LookupError("another order")
    return Loop(record.functions[wanted] or 0, (record.data[wanted] or 0) if record.data else 0)


def _works(loop: Loop, which: int) -> bool:
    """Whether a loop gives what NumPy gives, of six or five points."""
    name, dtype = _NAMES[which // 2], (_SINGLE, _DOUBLE)[which % 2]
    n = 5 if name == "rfft_n_odd" else 6
    x = np.cos(np.arange(n) ** 2).astype(dtype)
    kind = name.split("_")[0]
    x = (
        x
        if kind == "rfft"
        else (x[: 4 if kind == "irfft" else n] * (1 + 2j)).astype(dtypes.complex_of(dtype))
    )
    want = getattr(np.fft, kind)(x, norm=None if kind in ("fft", "rfft") else "forward")
    got, factor = np.zeros_like(want), np.ones(1, dtype)
    args = np.array([a.ctypes.data for a in (x, factor, got)], np.intp)
    sizes, strides = np.array([1, x.size, got.size]), np.array([0, 0, 0, x.itemsize, got.itemsize])
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(loop.function)
    call(args.ctypes.data, sizes.ctypes.data, strides.ctypes.data, loop.data)
    return bool(np.all(abs(got - want) <= 8 * np.finfo(dtype).eps * abs(want).max()))


@functools.cache
def ensure() -> None:
    """Make `fx_fourier` callable from modules linked later, with the loops that were found."""
    loops = found()
    assert loops is not None
    python = [getattr(ctypes.pythonapi, name) for name in _PYTHON]
    addresses = [ctypes.cast(function, ctypes.c_void_p).value or 0 for function in python]
    put = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(address_of("fx_fourier_put"))
    for place, address in enumerate([*addresses, *[word for loop in loops for word in loop]]):
        put(place, address)


_PYTHON = ("PyGILState_Ensure", "PyErr_Clear", "PyGILState_Release")
"""What clears an error; these stand first in the table."""


def _write(m: Module) -> None:
    table = m.zeros("fx_fourier_table", 8 * (len(_PYTHON) + 4 * len(_NAMES)))
    f = _LIBRARY.define(m, "fx_fourier_put")
    f.store(f.args[1], f.gep("i64", table, f.args[0]))
    f.ret()
    _write_call(_LIBRARY.define(m, "fx_fourier"), table)


def _write_call(f: Function, table: Value) -> None:
    which, *pointers = f.args[:4]
    out = pointers[2]
    args, sizes, strides = f.alloca("ptr", 3), f.alloca("i64", 3), f.alloca("i64", 5)
    for k, pointer in enumerate(pointers):
        f.store(pointer, f.gep("ptr", args, i64(k)), 8)
    for k, size in enumerate(f.args[4:7]):
        f.store(size, f.gep("i64", sizes, i64(k)))
    for k, stride in enumerate((f.args[7], i64(0), *f.args[8:11])):
        f.store(stride, f.gep("i64", strides, i64(k)))
    loop = f.gep("ptr", table, f.add(f.mul(which, i64(2)), i64(len(_PYTHON))))
    double = f.icmp("eq", f.and_(which, i64(1)), i64(1))
    unwritten = lambda dtype: const(f"i{8 * dtype.itemsize}", _UNWRITTEN[dtype])
    with f.when(double):
        f.store(unwritten(_DOUBLE), out, 8)
    with f.when(f.not_(double)):
        f.store(unwritten(_SINGLE), out, 4)
    function, data = f.load("ptr", loop, 8), f.load("ptr", f.gep("ptr", loop, i64(1)), 8)
    f.call_pointer(function, "void", [args, sizes, strides, data])
    left = lambda dtype: [
        f.icmp("eq", f.load(f"i{8 * dtype.itemsize}", out, dtype.itemsize), unwritten(dtype))
    ]
    (failed,) = f.choose(double, lambda: left(_DOUBLE), lambda: left(_SINGLE))
    with f.when(failed):
        _clear_error(f, table)
    f.ret(f.not_(failed))


def _clear_error(f: Function, table: Value) -> None:
    ensure, clear, release = (f.load("ptr", f.gep("ptr", table, i64(k)), 8) for k in range(3))
    state = f.call_pointer(ensure, "i32", [])
    f.call_pointer(clear, "void", [])
    f.call_pointer(release, "void", [state])


_LIBRARY = library.Library(
    {
        "fx_fourier": library.Signature("i1", ("i64", "ptr", "ptr", "ptr", *["i64"] * 7)),
        "fx_fourier_put": library.Signature("void", ("i64", "i64")),
    },
    _write,
)
