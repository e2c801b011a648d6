"""How native code reports a LinAlgError, or a lack of memory: it notes it for its thread, whoever called it raises it.

    void fx_fail(ptr text, i64 index)   note a failure, unless the thread has noted one already
    i1   fx_failed()                    whether the thread has noted one

`text` is a constant of the module, made by `text_of` or `memory_text`. After a call of a program with operations that
may fail, `take()` gives the error, or None.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core import errors
from ...core.avals import Aval, format_bytes
from .engine import Linked, engine
from .llvm import NULL, Function, Module, Value, i64
from .object_cache import cached_object

_RECORD = 16
"""Bytes of a thread's note: the address of the text and the index."""
_MEMORY = "memory"
"""Begins the text of a lack of memory."""


def ensure() -> None:
    """Make `fx_fail` callable from modules linked later."""
    _functions()


def text_of(m: Module, a: Aval, problem: str, advice: str, whole: str) -> Value:
    """The constant that describes a failure in matrices `a`, of which there is a batch called `whole`."""
    shape = ",".join(map(str, a.shape))
    return _constant(m, (a.dtype.name, shape, problem, advice, whole))


def memory_text(m: Module, what: str, advice: str) -> Value:
    """The constant that says for what there is no memory; the index is the number of bytes."""
    return _constant(m, (_MEMORY, what, advice))


def _constant(m: Module, parts: Sequence[str]) -> Value:
    content = "\x1f".join(parts).encode() + b"\0"
    name = f"failure.{hashlib.sha256(content).hexdigest()[:16]}"
    return m.data(name, np.frombuffer(content, np.uint8), align=1)


def take() -> Exception | None:
    """The failure that native code noted on this thread; it is forgotten here."""
    noted = _functions()()
    if not noted:
        return None
    record = ctypes.cast(noted, ctypes.POINTER(ctypes.c_int64))
    text, record[0] = ctypes.string_at(record[0]).decode(), 0
    first, *rest = text.split("\x1f")
    return _out_of_memory(record[1], *rest) if first == _MEMORY else _error(record[1], first, *rest)


def _out_of_memory(nbytes: int, what: str, advice: str) -> errors.OutOfMemoryError:
    missing = f"{what}: there is no memory for {nbytes} bytes ({format_bytes(nbytes)})."
    return errors.OutOfMemoryError(errors.lines(missing, advice))


def _error(index: int, dtype: str, shape: str, problem: str, advice: str, whole: str) -> errors.LinAlgError:
    a = Aval(tuple(map(int, shape.split(","))), np.dtype(dtype))
    place = [int(i) for i in np.unravel_index(index, a.shape[:-2])] if a.ndim > 2 else []
    which = f"matrix {place} of {whole}{a}" if place else f"{a}"
    return errors.LinAlgError(errors.lines(problem, which, advice))


@functools.cache
def _functions() -> Any:
    linked = _library()
    signature = ctypes.PYFUNCTYPE(ctypes.c_void_p)
    ctypes.CFUNCTYPE(None)(linked.address["fx_failures_start"])()
    for name in ("fx_fail", "fx_failed"):
        engine().provide(name, linked.address[name])
    return signature(linked.address["fx_failure"])


@functools.cache
def _library() -> Linked:
    m = Module("fx failures")
    m.zeros("fx_failures_key", 8, 8)
    _emit_start(m)
    _emit_fail(m)
    _emit_failure(m)
    _emit_failed(m)
    text = str(m)
    code = cached_object(text, lambda: engine().object_code(text))
    return engine().link(code, ["fx_failures_start", "fx_fail", "fx_failed", "fx_failure"])


def _emit_start(m: Module) -> None:
    f = m.function("fx_failures_start", internal=False)
    f.call("pthread_key_create", "i32", [Value("@fx_failures_key", "ptr"), Value("@free", "ptr")])
    m.declare("free", "void", ["ptr"])
    f.ret()


def _note(f: Function) -> Value:
    """The thread's note, or null."""
    key = f.load("i64", Value("@fx_failures_key", "ptr"))
    return f.call("pthread_getspecific", "ptr", [key])


def _emit_fail(m: Module) -> None:
    f = m.function("fx_fail", params=["ptr", "i64"], internal=False)
    note = _note(f)
    [note] = f.choose(f.icmp("eq", note, NULL), lambda: [_new_note(f)], lambda: [note])
    first = f.icmp("eq", f.load("ptr", note), NULL)
    with f.when(first):
        f.store(f.args[0], note)
        f.store(f.args[1], f.gep("i64", note, i64(1)))
    f.ret()


def _new_note(f: Function) -> Value:
    note = f.call("calloc", "ptr", [i64(1), i64(_RECORD)])
    key = f.load("i64", Value("@fx_failures_key", "ptr"))
    f.call("pthread_setspecific", "i32", [key, note])
    return note


def _emit_failure(m: Module) -> None:
    """The thread's note if it holds a failure, otherwise null."""
    f = m.function("fx_failure", "ptr", internal=False)
    note = _note(f)
    holds = lambda: [f.select(f.icmp("eq", f.load("ptr", note), NULL), NULL, note)]
    [noted] = f.choose(f.icmp("eq", note, NULL), lambda: [NULL], holds)
    f.ret(noted)


def _emit_failed(m: Module) -> None:
    f = m.function("fx_failed", "i1", internal=False)
    f.ret(f.icmp("ne", f.call("fx_failure", "ptr", []), NULL))
