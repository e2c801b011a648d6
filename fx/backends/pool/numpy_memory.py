"""Counting what NumPy itself allocates, while somebody asks: by a memory handler (NEP 49) in front of its own.

The interpreter's results and a user's own arrays are NumPy's. The handler is native code, a few instructions per
array; arrays made meanwhile keep it and are counted when they die. It holds in the current context (thread or task).
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

from ..cpu import engine
from .statistics import Watch

HEADER = 16
"""Bytes before the data, which hold its size: `realloc` is not told the old one."""

_TEXT = f"""
define private void @count(ptr %c, i64 %n) {{
  %used = getelementptr i8, ptr %c, i64 40
  %old = atomicrmw add ptr %used, i64 %n monotonic
  %now = add i64 %old, %n
  %peak = getelementptr i8, ptr %c, i64 48
  %before = atomicrmw max ptr %peak, i64 %now monotonic
  %allocated = getelementptr i8, ptr %c, i64 56
  %sum = atomicrmw add ptr %allocated, i64 %n monotonic
  %requests = getelementptr i8, ptr %c, i64 64
  %number = atomicrmw add ptr %requests, i64 1 monotonic
  ret void
}}
define private void @uncount(ptr %c, i64 %n) {{
  %used = getelementptr i8, ptr %c, i64 40
  %old = atomicrmw sub ptr %used, i64 %n monotonic
  ret void
}}
define private ptr @keep(ptr %c, ptr %p, i64 %n) {{
  %none = icmp eq ptr %p, null
  br i1 %none, label %missing, label %there
missing:
  ret ptr null
there:
  store i64 %n, ptr %p
  call void @count(ptr %c, i64 %n)
  %data = getelementptr i8, ptr %p, i64 {HEADER}
  ret ptr %data
}}
define ptr @fx_numpy_malloc(ptr %c, i64 %n) {{
  %inner = load ptr, ptr %c
  %at = getelementptr i8, ptr %c, i64 8
  %malloc = load ptr, ptr %at
  %all = add i64 %n, {HEADER}
  %p = call ptr %malloc(ptr %inner, i64 %all)
  %data = call ptr @keep(ptr %c, ptr %p, i64 %n)
  ret ptr %data
}}
define ptr @fx_numpy_calloc(ptr %c, i64 %count, i64 %size) {{
  %inner = load ptr, ptr %c
  %at = getelementptr i8, ptr %c, i64 16
  %calloc = load ptr, ptr %at
  %n = mul i64 %count, %size
  %all = add i64 %n, {HEADER}
  %p = call ptr %calloc(ptr %inner, i64 1, i64 %all)
  %data = call ptr @keep(ptr %c, ptr %p, i64 %n)
  ret ptr %data
}}
define ptr @fx_numpy_realloc(ptr %c, ptr %data, i64 %n) {{
  %none = icmp eq ptr %data, null
  br i1 %none, label %fresh, label %there
fresh:
  %first = call ptr @fx_numpy_malloc(ptr %c, i64 %n)
  ret ptr %first
there:
  %inner = load ptr, ptr %c
  %at = getelementptr i8, ptr %c, i64 24
  %realloc = load ptr, ptr %at
  %p = getelementptr i8, ptr %data, i64 -{HEADER}
  %old = load i64, ptr %p
  %all = add i64 %n, {HEADER}
  %q = call ptr %realloc(ptr %inner, ptr %p, i64 %all)
  %failed = icmp eq ptr %q, null
  br i1 %failed, label %refused, label %moved
refused:
  ret ptr null
moved:
  call void @uncount(ptr %c, i64 %old)
  %new = call ptr @keep(ptr %c, ptr %q, i64 %n)
  ret ptr %new
}}
define void @fx_numpy_free(ptr %c, ptr %data, i64 %size) {{
  %none = icmp eq ptr %data, null
  br i1 %none, label %done, label %there
done:
  ret void
there:
  %inner = load ptr, ptr %c
  %at = getelementptr i8, ptr %c, i64 32
  %free = load ptr, ptr %at
  %p = getelementptr i8, ptr %data, i64 -{HEADER}
  %n = load i64, ptr %p
  call void @uncount(ptr %c, i64 %n)
  %all = add i64 %n, {HEADER}
  call void %free(ptr %inner, ptr %p, i64 %all)
  ret void
}}
"""


class _Allocator(ctypes.Structure):
    """NumPy's PyDataMemAllocator."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]


class _Handler(ctypes.Structure):
    """NumPy's PyDataMem_Handler."""

    _fields_ = [("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", _Allocator)]


class _Counts(ctypes.Structure):
    """The allocator behind ours, and what was counted; the native code knows this layout."""

    _fields_ = [
        ("inner", _Allocator),
        *[(name, ctypes.c_int64) for name in ("used", "peak", "allocated", "requests")],
    ]


SET_HANDLER, GET_HANDLER = 304, 305
"""Places of PyDataMem_SetHandler and PyDataMem_GetHandler in NumPy's C interface."""


class NumpyCounter:
    """The handler, and the watches that are open."""

    def __init__(self) -> None:
        python = ctypes.pythonapi
        pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
            ("PyCapsule_GetPointer", python)
        )
        capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
            ("PyCapsule_New", python)
        )
        api = ctypes.cast(pointer(_multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
        self.current = ctypes.PYFUNCTYPE(ctypes.py_object)(api[GET_HANDLER])
        self.set = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(api[SET_HANDLER])
        self.behind = self.current()
        inner = _Handler.from_address(pointer(self.behind, b"mem_handler")).allocator
        self.counts = _Counts(inner)
        names = [f"fx_numpy_{name}" for name in ("malloc", "calloc", "realloc", "free")]
        self.code = engine.build(_TEXT, names)
        functions = [self.code.address[name] for name in names]
        self.handler = _Handler(b"fx_counter", 1, _Allocator(ctypes.addressof(self.counts), *functions))
        self.capsule = capsule(ctypes.addressof(self.handler), b"mem_handler", None)
        self.watches: list[Watch] = []
        for lasting in (self, engine.engine()):
            python.Py_IncRef(ctypes.py_object(lasting))  # arrays may die later than all modules

    def watch(self) -> tuple[Watch, Any]:
        """Count from now on, in this context; gives the watch and what to restore."""
        self.tell()
        watch = Watch(self.counts.used, 0, self.counts.allocated, self.counts.requests)
        self.watches.append(watch)
        return watch, self.set(self.capsule)

    def unwatch(self, watch: Watch, before: Any) -> None:
        """End a watch; it holds what was counted."""
        self.set(before)
        self.look(watch)
        self.watches = [w for w in self.watches if w is not watch]

    def look(self, watch: Watch) -> None:
        """Bring a watch up to date."""
        self.tell()
        watch.sum_up(self.counts.used, self.counts.allocated, self.counts.requests)

    def tell(self) -> None:
        """Bring the peaks of all watches up to date."""
        for watch in self.watches:
            watch.see(self.counts.peak, 0)
        self.counts.peak = self.counts.used


@functools.cache
def counter() -> NumpyCounter:
    """The counter of this process; it stays, for the arrays that were made with it."""
    return NumpyCounter()
