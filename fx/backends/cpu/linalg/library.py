"""The libraries of factorizations: emitted and linked when a program first needs one."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import failures, lapack, threads
from ..engine import Linked, engine
from ..llvm import Module
from ..object_cache import cached_object
from . import alone
from .batch import Routine, emit_routine
from .kernels import PREFIX, emit_kernel


@functools.cache
def provide(routine: Routine, dtype: np.dtype[Any]) -> Linked:
    """Make the function of a routine for a dtype callable from modules linked later."""
    threads.ensure()
    failures.ensure()
    alone.provide()
    m = Module(f"fx {routine.name} of {dtype.name}")
    emit_routine(m, routine, dtype)
    return _linked(m, routine.symbol(dtype))


@functools.cache
def _provide_kernel(name: str) -> Linked:
    m = Module(name)
    emit_kernel(m, name)
    return _linked(m, name)


def _linked(m: Module, symbol: str) -> Linked:
    """A module in memory; what it calls of LAPACK and of kernels is provided first."""
    lapack.provide(lapack.routines(m))
    for name in m.declared:
        if name.startswith(PREFIX):
            _provide_kernel(name)
    text = str(m)
    code = cached_object(text, lambda: engine().object_code(text))
    linked = engine().link(code, [symbol], [name for name in m.declared if name in engine().symbols])
    engine().provide(symbol, linked.address[symbol])
    return linked
