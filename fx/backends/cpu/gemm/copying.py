"""Copies between layouts and between floating types, element by element of the destination."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from ..llvm import Function, Value, i64
from ..operations.operation import Buffer
from .loops import Kind, Number


class Step(NamedTuple):
    """An axis of a copy: its size, and its steps in source and destination, in elements."""

    size: int
    source: int
    target: int


Change = Callable[[Function, Number], Number]


def times_i(f: Function, x: Number) -> Number:
    re, im = x
    return f.fneg(im), re


def emit_copy(
    f: Function, source: Buffer, target: Buffer, axes: Sequence[Step], change: Change = lambda f, x: x
) -> None:
    """target[...] = change(source[...]), converted where types differ; by vectors if the target is contiguous."""
    *outer, last = _merged(axes) or [Step(1, 0, 1)]
    read, write = Kind(source.dtype), Kind(target.dtype)
    lanes = min(write.lanes, read.lanes, 1 << (last.size.bit_length() - 1)) if last.target == 1 else 1
    whole = last.size - last.size % lanes

    with ExitStack() as stack:
        x = y = i64(0)
        for axis in outer:
            i = stack.enter_context(f.loop(i64(0), i64(axis.size), trips=True)).index
            x, y = f.add(x, f.mul(i, i64(axis.source))), f.add(y, f.mul(i, i64(axis.target)))

        def move(i: Value, count: int) -> None:
            number = read.load(
                f, source.pointer, f.add(x, f.mul(i, i64(last.source))), last.source, count, None
            )
            write.store(f, change(f, number), target.pointer, f.add(y, f.mul(i, i64(last.target))), None)

        with f.loop(i64(0), i64(whole), lanes, trips=True) as loop:
            move(loop.index, lanes)
        if whole < last.size:
            with f.loop(i64(whole), i64(last.size), trips=True) as loop:
                move(loop.index, 1)


def _merged(axes: Sequence[Step]) -> list[Step]:
    result: list[Step] = []
    for axis in axes:
        if axis.size == 1:
            continue
        if result and result[-1][1:] == (axis.source * axis.size, axis.target * axis.size):
            result[-1] = Step(result[-1].size * axis.size, axis.source, axis.target)
        else:
            result.append(axis)
    return result
