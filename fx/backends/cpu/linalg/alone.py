"""LAPACK on one thread a call, while our own threads share the batch.

    void fx_lapack_alone()      from here on
    void fx_lapack_as_before()  for each of the former; the last one restores OpenBLAS's number of threads

OpenBLAS called from several threads at once, each call with several threads, takes up to a thousand times as long.
"""

from __future__ import annotations

import ctypes
import functools

from .. import lapack, threads
from ..engine import Linked, engine
from ..llvm import NULL, Function, Module, Value, i32, i64
from ..object_cache import cached_object

NAMES = ["fx_lapack_alone", "fx_lapack_as_before"]
_GET, _SET = "openblas.get", "openblas.set"
_MUTEX, _USERS, _BEFORE = 0, 128, 136


@functools.cache
def provide() -> Linked:
    """Make both functions callable from modules linked later; they do nothing where the library has no threads."""
    control = lapack.thread_control()
    for name, address in zip((_GET, _SET), control or (), strict=False):
        engine().provide(name, address)
    text = _assembly(control is not None)
    code = cached_object(text, lambda: engine().object_code(text))
    linked = engine().link(code, [*NAMES, "fx_lapack_start"], [_GET, _SET] if control else [])
    ctypes.CFUNCTYPE(None)(linked.address["fx_lapack_start"])()
    threads.after_fork(linked.address["fx_lapack_start"])
    for name in NAMES:
        engine().provide(name, linked.address[name])
    return linked


def _assembly(controlled: bool) -> str:
    m = Module("fx lapack threads")
    m.zeros("fx_lapack", 256)
    f = m.function("fx_lapack_start", internal=False)
    f.call("pthread_mutex_init", "i32", [_at(f, _MUTEX), NULL])
    f.store(i64(0), _at(f, _USERS))
    f.ret()
    for name, change in zip(NAMES, (_enter, _leave), strict=True):
        f = m.function(name, internal=False)
        if controlled:
            f.call("pthread_mutex_lock", "i32", [_at(f, _MUTEX)])
            change(f)
            f.call("pthread_mutex_unlock", "i32", [_at(f, _MUTEX)])
        f.ret()
    return str(m)


def _at(f: Function, offset: int) -> Value:
    return f.gep("i8", Value("@fx_lapack", "ptr"), i64(offset))


def _enter(f: Function) -> None:
    users = f.load("i64", _at(f, _USERS))
    with f.when(f.icmp("eq", users, i64(0))):
        f.store(f.call(_GET, "i32", []), _at(f, _BEFORE))
        f.call(_SET, "void", [i32(1)])
    f.store(f.add(users, i64(1)), _at(f, _USERS))


def _leave(f: Function) -> None:
    users = f.sub(f.load("i64", _at(f, _USERS)), i64(1))
    f.store(users, _at(f, _USERS))
    with f.when(f.icmp("eq", users, i64(0))):
        f.call(_SET, "void", [f.load("i32", _at(f, _BEFORE))])
