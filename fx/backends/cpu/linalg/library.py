"""The libraries of factorizations: emitted when a program first needs one."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import failures, lapack
from ..linking import Source, called, offer
from ..llvm import Module
from ..parts import parts
from . import alone
from .batch import Routine, emit_routine
from .kernels import PREFIX, emit_kernel


@functools.cache
def provide(routine: Routine, dtype: np.dtype[Any]) -> None:
    """Make the function of a routine for a dtype callable from modules linked later."""
    failures.ensure()
    alone.provide()
    m = Module(f"fx {routine.name} of {dtype.name}")
    emit_routine(m, routine, dtype)
    _offer(m, routine.symbol(dtype))


@functools.cache
def _provide_kernel(name: str) -> None:
    m = Module(name)
    emit_kernel(m, name)
    _offer(m, name)


def _offer(m: Module, symbol: str) -> None:
    """What it calls of LAPACK and of kernels is provided first."""
    lapack.provide(lapack.routines(m))
    for name in m.declared:
        if name.startswith(PREFIX):
            _provide_kernel(name)
    source = Source(str(m), [symbol], called(m), lambda: parts(m))
    offer([symbol], lambda: source)
