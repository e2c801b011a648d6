"""Where CPython and NumPy keep what emitted code reads of their objects, checked once against what they say themselves.

A call of a compiled function hands over one tuple of arrays; the entry point reads the addresses out of it.
"""

from __future__ import annotations

import ctypes
import functools
from typing import NamedTuple

import numpy as np

from ...core.errors import DeviceError


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
