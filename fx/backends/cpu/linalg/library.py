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


@functools.cache
def provide(routine: Routine, dtype: np.dtype[Any]) -> Linked:
    """Make the function of a routine for a dtype callable from modules linked later."""
    threads.ensure()
    failures.ensure()
    text, imports = _assembly(routine, dtype)
    lapack.provide(imports)
    alone.provide()
    code = cached_object(text, lambda: engine().object_code(text))
    symbol = routine.symbol(dtype)
    linked = engine().link(code, [symbol], [*imports, *alone.NAMES, "fx_parallel", "fx_num_threads"])
    engine().provide(symbol, linked.address[symbol])
    return linked


def _assembly(routine: Routine, dtype: np.dtype[Any]) -> tuple[str, list[str]]:
    m = Module(f"fx {routine.name} of {dtype.name}")
    emit_routine(m, routine, dtype)
    return str(m), lapack.routines(m)
