"""The order of a line by its keys, and the library of sorts.

An order is found by sorting records: words of 64 bits, 32 of the key above 32 of the place, all distinct, so that any
sort of them is stable. Keys of 64 bits are taken relative to the least and cut to their 32 highest bits that matter;
what is equal in these is put right by insertion, or, where that would take long, by sorting twice, by the low half and
by the high half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..engine import host
from ..llvm import NULL, Function, Module, Value, const, i64, vector
from .layout import vector_loop
from .library import Library, Signature, call
from .sort_networks import lanes_for
from .sort_words import signatures, sort_name, write_sort

_LONGEST = 32
"""Equal cut keys that insertion puts in order."""
_ALL = 0xFFFFFFFF

Work = Callable[[Function, list[Value], Value, Value], None]


class Runner(Protocol):
    """How the steps run: one after the other inside the library, or in tasks of a program."""

    def each(self, f: Function, values: Sequence[Value], work: Work) -> None:
        """work(g, values, start, stop) over the line."""

    def sort(self, f: Function, records: Value, work: Value) -> tuple[Value, Value]:
        """Sort records; where the result is, and the memory that is free then."""

    def library(self, f: Function, name: str, result: str, args: Sequence[Value]) -> Value:
        """Call a function of the library."""


def find_order(
    f: Function, run: Runner, word: str, keys: Value, n: Value, order: Value, memory: Value, work: Value, result: Value
) -> None:
    """Numbers of the elements of a line in the order of their keys.

    Args:
        order: the order so far, or null; among equal keys it stays. order, result: n numbers of 32 bits.
        memory, work: n words of 64 bits each.
    """
    if word == "i32":
        _by_half(f, run, keys, 1, order, memory, work, result)
        return
    f.store(i64(0), run_flag(f))


class InLibrary:
    """Steps one after the other."""

    def __init__(self, n: Value):
        self.n = n

    def each(self, f: Function, values: Sequence[Value], work: Work) -> None:
        work(f, list(values), i64(0), self.n)

    def sort(self, f: Function, records: Value, work: Value) -> tuple[Value, Value]:
        f.call(sort_name("i64"), "void", [records, work, self.n])
        return records, work

    def library(self, f: Function, name: str, result: str, args: Sequence[Value]) -> Value:
        return f.call(name, result, args)
