"""The native thread pool: emitted code calls `fx_parallel` and `fx_num_threads`; no Python thread takes part.

    void fx_parallel(ptr body, ptr context, i64 count)   body(context, i) for every i in [0, count), then returns
    i64  fx_num_threads()                                threads in use, the caller included

Workers start when first needed, block signals (Python's belong to its main thread), end at interpreter exit, and are
forgotten in a forked child, which starts its own. `thread_library` has the machinery.
"""

from __future__ import annotations

import atexit
import ctypes
import operator
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...core import errors
from .engine import engine
from .object_cache import cached_object
from .thread_library import EXPORTS, MOST, library

PROVIDED = ("fx_parallel", "fx_num_threads")


def num_threads() -> int:
    """Threads that compiled functions use, the caller included."""
    return int(_pool.num_threads()) if _pool else _configured()


def set_num_threads(n: int) -> None:
    """Use n threads from now on, in the whole process."""
    n = _checked("set_num_threads(...)", n)
    with _lock:
        global _requested
        _requested = n
        if _pool:
            _pool.limit(n)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """`with threads(n):` uses n threads in the block, in the whole process."""
    before = num_threads()
    set_num_threads(n)
    try:
        yield
    finally:
        set_num_threads(before)


def ensure() -> None:
    """Make `fx_parallel` and `fx_num_threads` callable from modules linked later."""
    global _pool
    if _pool is None:
        with _lock:
            if _pool is None:
                _pool = _build()


class _Pool(NamedTuple):
    num_threads: Any
    limit: Any
    linked: Any


_pool: _Pool | None = None
_requested: int | None = None
_lock = threading.Lock()


def _configured() -> int:
    """What was asked for, by call or by FX_NUM_THREADS, or else the CPUs of this process."""
    global _requested
    if _requested is None:
        text = os.environ.get("FX_NUM_THREADS")
        _requested = available_cpus() if text is None else _checked("FX_NUM_THREADS", text)
    return _requested


def _checked(name: str, value: Any) -> int:
    try:
        n = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        n = 0
    if isinstance(value, bool) or not 1 <= n <= MOST:
        raise errors.ArgumentError(
            errors.lines(f"{name}: {errors.brief(value)} is no number of threads.", f"Give 1 to {MOST}.")
        )
    return n


def available_cpus() -> int:
    """CPUs this process may use: its affinity, and the quota of its control group, rounded down."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    return max(1, min(count, int(_quota()), MOST))


def _quota() -> float:
    """CPU time a second that the control groups (version 2, then 1) of this process allow."""
    try:
        with open("/proc/self/cgroup") as f:
            paths = [line.rstrip("\n").split(":", 2)[1:] for line in f]
    except OSError:
        return MOST
    least = float(MOST)
    for kind, path in paths:
        while True:
            least = min(least, _group_quota(kind, path))
            if path in ("", "/"):
                break
            path = os.path.dirname(path)
    return least


def _group_quota(kind: str, path: str) -> float:
    try:
        if kind == "":
            quota, period = _words(f"/sys/fs/cgroup/{path}/cpu.max")
        elif "cpu" in kind.split(","):
            root = f"/sys/fs/cgroup/{kind}/{path}"
            [quota], [period] = _words(f"{root}/cpu.cfs_quota_us"), _words(f"{root}/cpu.cfs_period_us")
        else:
            return MOST
        return float(quota) / float(period) if float(quota) > 0 else MOST
    except (OSError, ValueError):
        return MOST


def _words(path: str) -> list[str]:
    with open(path) as f:
        return f.read().split()


def _build() -> _Pool:
    text = library()
    code = cached_object(text, lambda: engine().object_code(text, quick=True))
    linked = engine().link(code, EXPORTS)
    for kept in (linked.library, engine().jit):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))  # a worker may run until the process ends
    _start(linked.address)
    for name in PROVIDED:
        engine().provide(name, linked.address[name])
    integer = ctypes.c_int64
    return _Pool(
        ctypes.CFUNCTYPE(integer)(linked.address["fx_num_threads"]),
        ctypes.CFUNCTYPE(None, integer)(linked.address["fx_pool_limit"]),
        linked,
    )


def _start(address: dict[str, int]) -> None:
    ctypes.CFUNCTYPE(None, ctypes.c_int64)(address["fx_pool_start"])(_configured())
    after_fork(address["fx_pool_reset"])
    atexit.register(ctypes.CFUNCTYPE(None)(address["fx_pool_stop"]))


def after_fork(address: int) -> None:
    """Call the function at an address in children forked by anybody, or at least in those forked by Python."""
    libc = ctypes.CDLL(None)
    child = ctypes.c_void_p(address)
    if hasattr(libc, "pthread_atfork"):
        libc.pthread_atfork(None, None, child)
    elif hasattr(libc, "__register_atfork"):  # what glibc's static pthread_atfork calls
        libc["__register_atfork"](None, None, child, None)
    else:
        os.register_at_fork(after_in_child=ctypes.CFUNCTYPE(None)(address))


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
