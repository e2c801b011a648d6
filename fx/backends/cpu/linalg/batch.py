"""The frame of every factorization: a record of arguments, a body that works on a part of the batch, its driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..gemm.record import Record
from ..llvm import Function, Module, Value, i64
from .elements import Elements
from .moves import smaller

Item = Callable[[Value], Value | None]
"""Emits the work on the matrix of an index; gives whether it failed (i1), or None if it cannot."""


Prepare = Callable[[Function, Elements, "Arguments"], Item]


class Arguments(NamedTuple):
    """The fields of the record in registers."""

    e: Elements
    f: Function
    values: dict[str, Value]

    def __getattr__(self, name: str) -> Value:
        return self.values[name]

    def matrix(self, name: str, index: Value, size: Value, e: Elements | None = None) -> Value:
        """The address of matrix `index` of an array of matrices of `size` elements."""
        return (e or self.e).at(self.f, self.values[name], self.f.mul(index, size))


class Routine(NamedTuple):
    """A factorization: `prepare` runs once a part and gives what is done with each matrix."""

    name: str
    arrays: str
    """Names of operands and results, in order."""
    areas: str
    """Names of working memory, a piece for each part of the batch."""
    sizes: str
    """Names of integers."""
    prepare: Prepare
    lapack: bool = True
    """Whether it calls LAPACK."""

    @property
    def record(self) -> Record:
        names = f"status scratch stride batch each together {self.arrays} {self.areas} {self.sizes}"
        return Record(*names.split())

    def symbol(self, dtype: np.dtype[Any]) -> str:
        return f"fx_{self.name}_{dtype.name}"


def emit_routine(m: Module, routine: Routine, dtype: np.dtype[Any]) -> None:
    """`i64 symbol(ptr record)`: works on the whole batch; gives the first matrix that failed, or -1."""
    symbol = routine.symbol(dtype)
    _emit_body(m, routine, Elements(dtype), f"{symbol}.part")
    f = m.function(symbol, "i64", ["ptr"], internal=False)
    record = f.args[0]
    status = f.gep("i64", record, i64(routine.record.place["status"]))
    f.store(i64(-1), status)
    batch, each = routine.record.gets(f, record, "batch each")
    parts = f.udiv(f.add(batch, f.sub(each, i64(1))), each)
    run = lambda: f.call("fx_parallel", "void", [Value(f"@{symbol}.part", "ptr"), record, parts])
    if routine.lapack:
        _with_lapack_alone(f, routine.record.get(f, record, "together"), run)
    else:
        run()
    f.ret(f.atomic_load("i64", status))


def _with_lapack_alone(f: Function, together: Value, run: Callable[[], object]) -> None:
    """Unless LAPACK may use its own threads, for one large matrix."""
    single = f.icmp("eq", f.call("fx_num_threads", "i64", []), i64(1))
    alone = f.or_(single, f.icmp("eq", together, i64(0)))
    with f.when(alone):
        f.call("fx_lapack_alone", "void", [])
    run()
    with f.when(alone):
        f.call("fx_lapack_as_before", "void", [])


def _emit_body(m: Module, routine: Routine, e: Elements, name: str) -> None:
    f = m.function(name, params=["ptr", "i64"])
    record, part = f.args
    r = _arguments(f, routine, e, record, part)
    start = f.mul(part, r.each)
    item = routine.prepare(f, e, r)
    with f.loop(start, smaller(f, f.add(start, r.each), r.batch)) as loop:
        failed = item(loop.index)
        if failed is not None:
            with f.when(failed):  # unsigned: -1 is larger than every index
                f.atomic_update("umin", f.gep("i64", record, i64(0)), loop.index)
    f.ret()


def _arguments(f: Function, routine: Routine, e: Elements, record: Value, part: Value) -> Arguments:
    fields = routine.record
    values = {
        name: fields.get(f, record, name) for name in ("stride", "batch", "each", *routine.sizes.split())
    }
    values.update({name: fields.get(f, record, name, "ptr") for name in routine.arrays.split()})
    scratch = f.gep("i8", fields.get(f, record, "scratch", "ptr"), f.mul(part, values["stride"]))
    values.update({name: f.gep("i8", scratch, fields.get(f, record, name)) for name in routine.areas.split()})
    return Arguments(e, f, values)
