"""Where CPython and NumPy keep what emitted code reads of their objects, checked once against what they say themselves.

A call of a compiled function hands over one tuple of arrays; the entry point reads the addresses out of it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.avals import Aval
from ...core.errors import DeviceError
from .engine import engine
from .llvm import Module, Value, i64
from .object_cache import cached_object


class Objects(NamedTuple):
    """Offsets in bytes."""

    type: int
    """The type of any object."""
    items: int
    """The first item of a tuple."""
    data: int
    """The address of an array's elements."""
    flags: int
    """An array's flags."""
    scalar: int
    """The value of a NumPy scalar."""


ORDERED = 0x1 | 0x100
"""Array flags: row-major without gaps, and aligned."""


@functools.cache
def objects() -> Objects:
    """The offsets in this interpreter."""
    head = object.__basicsize__
    found = Objects(head - 8, tuple.__basicsize__, head, head + 48, head)
    if not _agrees(found):
        raise DeviceError("This Python keeps its arrays in a way that compiled code does not know.")
    return found


def _agrees(at: Objects) -> bool:
    array, scalar = np.arange(3.0), np.float64(2.5)
    pair = (array, scalar)
    word = lambda address: ctypes.c_size_t.from_address(address).value
    return (
        word(id(pair) + at.items) == id(array)
        and word(id(pair) + at.items + 8) == id(scalar)
        and word(id(array) + at.type) == id(np.ndarray)
        and word(id(array) + at.data) == array.__array_interface__["data"][0]
        and ctypes.c_int.from_address(id(array) + at.flags).value & 0xFFFF == array.flags.num & 0xFFFF
        and ctypes.c_double.from_address(id(scalar) + at.scalar).value == 2.5
    )


# The table of addresses

UNUSED, RESULT, ARRAY = 0, 1, 2
"""What a register holds, in a specification; or the type of a scalar that may stand for the array."""


def specification(registers: Sequence[Aval | int]) -> np.ndarray[Any, Any]:
    """For `fx_resolve`: the type of arrays, the number of registers, and what each holds: an operand, or a word."""
    words = [id(np.ndarray), len(registers)]
    for x in registers:
        words.append(x if isinstance(x, int) else ARRAY if x.shape else id(x.dtype.type))
    return np.array(words, np.int64)


@functools.cache
def ensure() -> None:
    """Make `fx_resolve` known to emitted code.

    i32 fx_resolve(ptr registers, ptr specification, ptr table) writes the addresses of the registers' elements to
    the table; 0, or 1 + the first register that is no array in row-major order (nor the scalar that may be one).
    """
    text = _library()
    linked = engine().link(cached_object(text, lambda: engine().object_code(text)), ["fx_resolve"])
    _kept.append(linked)
    engine().provide("fx_resolve", linked.address["fx_resolve"])


_kept: list[Any] = []


def _library() -> str:
    at = objects()
    module = Module("fx_resolve")
    f = module.function("fx_resolve", "i32", ["ptr", "ptr", "ptr"], internal=False)
    registers, words, table = f.args
    array = f.load("i64", words)
    count = f.load("i64", f.gep("i64", words, i64(1)))
    with f.loop(i64(0), count) as loop:
        word = f.load("i64", f.gep("i64", words, f.add(loop.index, i64(2))))
        item = f.load("ptr", f.gep("ptr", f.gep("i8", registers, i64(at.items)), loop.index))
        target = f.gep("ptr", table, loop.index)
        labels = {
            name: f.new_label(name) for name in ("used", "known", "test", "array", "scalar", "bad", "next")
        }
        f.branch_if(f.icmp("eq", word, i64(UNUSED)), labels["next"], labels["used"])
        f.block(labels["used"])
        f.branch_if(f.icmp("eq", word, i64(RESULT)), labels["array"], labels["known"])
        f.block(labels["known"])
        kind = f.load("i64", f.gep("i8", item, i64(at.type)))
        f.branch_if(f.icmp("eq", kind, array), labels["test"], labels["scalar"])
        f.block(labels["test"])
        flags = f.load("i32", f.gep("i8", item, i64(at.flags)))
        want = Value(str(ORDERED), "i32")
        f.branch_if(f.icmp("eq", f.and_(flags, want), want), labels["array"], labels["bad"])
        f.block(labels["array"])
        f.store(f.load("ptr", f.gep("i8", item, i64(at.data))), target)
        f.branch(labels["next"])
        f.block(labels["scalar"])
        fits = f.new_label("fits")
        f.branch_if(f.icmp("eq", kind, word), fits, labels["bad"])
        f.block(fits)
        f.store(f.gep("i8", item, i64(at.scalar)), target)
        f.branch(labels["next"])
        f.block(labels["bad"])
        f.ret(f.cast("trunc", f.add(loop.index, i64(1)), "i32"))
        f.block(labels["next"])
    f.ret(Value("0", "i32"))
    return str(module)
