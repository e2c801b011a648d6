"""permute and searchsorted: lines read or written in a given order, and places in sorted lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..llvm import TYPES, Function, Value, i64, is_float
from . import numbers
from .moves import raw_type
from .operation import Buffer, Operation
from .positions import as_int64, clamp
from .tasks import GRAIN, parallel_ranges

_ABREAST = 8
"""Searches that run side by side."""


class Permute(Operation):
    """y[i] = x[perm[i]] along an axis; with `inverse`, y[perm[i]] = x[i]."""

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x, perm), (out,) = inputs, outputs
        axis, kind, index = params["axis"], raw_type(x.dtype), TYPES[perm.dtype.name]
        n, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])

        def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            source, order, to = values
            with g.loop(start, stop, trips=True) as loop:
                raw = g.load(index, g.gep(index, order, loop.index))
                there = _place(g, loop.index, _wrapped(g, raw, perm.dtype, n), n, inner)
                a, b = (loop.index, there) if params["inverse"] else (there, loop.index)
                g.store(g.load(kind, g.gep(kind, source, a)), g.gep(kind, to, b))

        if x.size:
            parallel_ranges(f, "permute", [x.pointer, perm.pointer, out.pointer], x.size, GRAIN, run)


def _wrapped(f: Function, raw: Value, dtype: np.dtype[Any], n: int) -> Value:
    """A place from 0 to n - 1, whatever the number."""
    i = as_int64(f, raw, dtype)
    return clamp(f, f.select(f.icmp("slt", i, i64(0)), f.add(i, i64(n)), i), n - 1)


def _place(f: Function, element: Value, i: Value, n: int, inner: int) -> Value:
    """Place i of the line in which `element` lies."""
    first = f.mul(f.udiv(element, i64(n * inner)), i64(n * inner))
    if inner == 1:
        return f.add(first, i)
    return f.add(f.add(first, f.urem(element, i64(inner))), f.mul(i, i64(inner)))


class SearchSorted(Operation):
    """The number of elements of a sorted line that are smaller (side="left") or not larger than v."""

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (a, v), (out,) = inputs, outputs
        if v.size == 0:
            return
        n, width = a.shape[-1], v.size // math.prod(a.shape[:-1])
        groups = -(-width // _ABREAST)
        search = _Search(a.dtype, n, params["side"])

        def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            with g.loop(start, stop, trips=True) as loop:
                line, group = g.udiv(loop.index, i64(groups)), g.urem(loop.index, i64(groups))
                search.group(g, values, line, g.mul(group, i64(_ABREAST)), width)

        each = max(1, GRAIN // (_ABREAST * (1 + n.bit_length())))
        pointers = [a.pointer, v.pointer, out.pointer]
        parallel_ranges(f, "search", pointers, math.prod(a.shape[:-1]) * groups, each, run)


class _Search:
    """Binary searches without branches, several at once: the line is halved as often for every value."""

    def __init__(self, dtype: np.dtype[Any], n: int, side: str):
        self.dtype, self.n, self.side = dtype, n, side
        self.unit = raw_type(dtype)

    def group(self, f: Function, values: list[Value], line: Value, first: Value, width: int) -> None:
        """The places of up to `_ABREAST` values of one line; beyond the last value it is taken again."""
        a, v, out = values
        a = f.gep(self.unit, a, f.mul(line, i64(self.n)))
        begin = f.mul(line, i64(width))
        places = [
            f.add(begin, f.intrinsic("llvm.smin", f.add(first, i64(k)), i64(width - 1)))
            for k in range(min(_ABREAST, width))
        ]
        wanted = [numbers.load(f, self.dtype, f.gep(self.unit, v, p)) for p in places]
        for place, found in zip(places, self._found(f, a, wanted), strict=True):
            f.store(found, f.gep("i64", out, place))

    def _found(self, f: Function, a: Value, wanted: list[Value]) -> list[Value]:
        """Lower ends of shrinking ranges; their length is the same for all."""
        if self.n == 0:
            return [i64(0) for _ in wanted]
        steps = (self.n - 1).bit_length()
        with f.loop(i64(0), i64(steps), carry=[i64(self.n), *[i64(0) for _ in wanted]]) as loop:
            length, *low = loop.carry
            half = f.lshr(length, i64(1))
            low = [self._advanced(f, a, x, low, half) for x, low in zip(wanted, low, strict=True)]
            loop.next(f.sub(length, half), *low)
        _, *low = loop.results
        last = [self._before(f, f.gep(self.unit, a, x), y) for x, y in zip(low, wanted, strict=True)]
        return [f.add(x, f.cast("zext", more, "i64")) for x, more in zip(low, last, strict=True)]

    def _advanced(self, f: Function, a: Value, wanted: Value, low: Value, half: Value) -> Value:
        middle = f.add(low, half)
        at = f.gep(self.unit, a, f.sub(middle, i64(1)))
        return f.select(self._before(f, at, wanted), middle, low)

    def _before(self, f: Function, place: Value, wanted: Value) -> Value:
        """Whether the element at `place` comes before where `wanted` is inserted. NaN is the largest."""
        x = numbers.load(f, self.dtype, place)
        if self.side == "left":
            return self._less(f, x, wanted)
        return f.not_(self._less(f, wanted, x))

    def _less(self, f: Function, x: Value, y: Value) -> Value:
        if is_float(x.type):
            last = f.and_(f.fcmp("uno", y, y), f.fcmp("ord", x, x))
            return f.or_(f.fcmp("olt", x, y), last)
        return f.icmp("ult" if self.dtype.kind in "bu" else "slt", x, y)
