"""Arrays whose length only the run knows: what a loop with a predicate stacked, in memory that grows by doubling.

In the arena stands a record of 32 bytes: the address of the rows, how many there is room for, how many there are.
Rows that have such an axis themselves (loops in loops) are records again, so each has its own length. A record's
memory comes from the C library, beside the pool; it is freed after the step that reads it last, or with the stack that
holds it.

    i1   fx_stack_grow(ptr record, i64 bytes)               room for twice as many rows of so many bytes, at least 16
    i1   fx_stack_reserve(ptr record, i64 rows, i64 bytes)  just so many rows, of zeros
    void fx_stack_free(ptr record, i64 depth)               `depth` levels of records stand in its rows

False says that there is no memory: the loop notes it by `fx_fail` and ends; see `failures`. No Python runs on the way.
"""

from __future__ import annotations

import math

from ...core.avals import DYNAMIC, Aval
from ...core.program import Equation
from . import failures
from .labels import Label
from .llvm import NULL, Function, Module, Value, i64
from .operations import library
from .operations.operation import Buffer

RECORD = 32
ROOM, ROWS = 8, 16
"""Where the numbers stand in a record."""
FIRST = 16
"""Rows that a growing stack begins with."""
_ADVICE = (
    "What the trips keep for the derivative is too much, or the loop does not end: recompute it "
    "(fx.checkpoint of the body), or bound the trips (fx.lax.scan)."
)


def is_stack(x: Aval | Buffer) -> bool:
    """Whether an array is stored as a record."""
    return DYNAMIC in x.shape


def stored_bytes(a: Aval) -> int:
    """Bytes of an array, or of its record, in the arena."""
    return RECORD if is_stack(a) else a.nbytes


def row_bytes(x: Aval | Buffer) -> int:
    """Bytes of a row of a stack."""
    rows = x.shape[1:]
    return RECORD if DYNAMIC in rows else math.prod(rows) * x.dtype.itemsize


def start(f: Function, record: Value) -> None:
    """An empty stack."""
    f.store(NULL, record, 8)
    for at in (ROOM, ROWS):
        f.store(i64(0), f.gep("i8", record, i64(at)))


def rows(f: Function, record: Value) -> Value:
    """How many rows a stack has."""
    return f.load("i64", f.gep("i8", record, i64(ROWS)))


def set_rows(f: Function, record: Value, n: Value) -> None:
    f.store(n, f.gep("i8", record, i64(ROWS)))


def is_full(f: Function, record: Value, n: Value) -> Value:
    """Whether a stack of n rows has no room for another one."""
    return f.icmp("eq", n, f.load("i64", f.gep("i8", record, i64(ROOM))))


def row(f: Function, b: Buffer, t: Value) -> Value:
    """The address of row t."""
    return f.gep("i8", f.load("ptr", b.pointer, 8), f.mul(t, i64(row_bytes(b))))


def grow(f: Function, b: Buffer) -> Value:
    """Room for more rows; whether there was memory."""
    return library.call(f, "fx_stack_grow", [b.pointer, i64(row_bytes(b))])


def reserve(f: Function, b: Buffer, n: Value) -> Value:
    """Room for n rows; whether there was memory."""
    return library.call(f, "fx_stack_reserve", [b.pointer, n, i64(row_bytes(b))])


def free(f: Function, a: Aval, record: Value) -> None:
    """Give back the memory of a stack."""
    depth = max(axis for axis, d in enumerate(a.shape) if d == DYNAMIC)
    library.call(f, "fx_stack_free", [record, i64(depth)])


def refuse(f: Function, eqn: Equation, b: Buffer, n: Value) -> None:
    """Note that there is no memory for n rows of what a loop stacks."""
    failures.ensure()
    what = Label(f"stacks of {f.module.name}", eqn).describe()
    text = failures.memory_text(f.module, what, _ADVICE)
    f.call("fx_fail", "void", [text, f.mul(n, i64(row_bytes(b)))])


def has_failed(f: Function) -> Value:
    """Whether this thread has noted a failure: then what was computed since is not to be relied upon."""
    failures.ensure()
    return f.call("fx_failed", "i1", [])


# The library


def _write(m: Module) -> None:
    _emit_grow(_LIBRARY.define(m, "fx_stack_grow"))
    _emit_reserve(_LIBRARY.define(m, "fx_stack_reserve"))
    _emit_free(_LIBRARY.define(m, "fx_stack_free"))


def _emit_grow(f: Function) -> None:
    record, size = f.args
    room = f.gep("i8", record, i64(ROOM))
    twice = f.mul(f.load("i64", room), i64(2))
    more = f.select(f.icmp("slt", twice, i64(FIRST)), i64(FIRST), twice)
    f.ret(
        _keep(
            f,
            record,
            f.call("realloc", "ptr", [f.load("ptr", record, 8), _at_least_one(f, f.mul(more, size))]),
            more,
        )
    )


def _emit_reserve(f: Function) -> None:
    record, count, size = f.args
    count = f.select(f.icmp("slt", count, i64(0)), i64(0), count)
    found = f.call("calloc", "ptr", [_at_least_one(f, count), _at_least_one(f, size)])
    kept = _keep(f, record, found, count)
    with f.when(kept):
        set_rows(f, record, count)
    f.ret(kept)


def _keep(f: Function, record: Value, memory: Value, room: Value) -> Value:
    """Note new memory, if there is any."""
    there = f.icmp("ne", memory, NULL)
    with f.when(there):
        f.store(memory, record, 8)
        f.store(room, f.gep("i8", record, i64(ROOM)))
    return there


def _at_least_one(f: Function, n: Value) -> Value:
    return f.select(f.icmp("eq", n, i64(0)), i64(1), n)


def _emit_free(f: Function) -> None:
    record, depth = f.args
    first = f.load("ptr", record, 8)
    with f.when(f.icmp("ne", depth, i64(0))), f.loop(i64(0), rows(f, record)) as at:
        inner = f.gep("i8", first, f.mul(at.index, i64(RECORD)))
        f.call("fx_stack_free", "void", [inner, f.sub(depth, i64(1))])
    f.call("free", "void", [first])
    f.ret()


_LIBRARY = library.Library(
    {
        "fx_stack_grow": library.Signature("i1", ("ptr", "i64")),
        "fx_stack_reserve": library.Signature("i1", ("ptr", "i64", "i64")),
        "fx_stack_free": library.Signature("void", ("ptr", "i64")),
    },
    _write,
)
