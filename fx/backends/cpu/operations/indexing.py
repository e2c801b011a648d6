"""Reading and writing at computed positions: gather, scatter, windows that move at run time.

A broken promise (`promise_in_bounds`) reads the fill value and drops the write: emitted code never leaves its arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....primitives.gather_scatter import fill_for
from ..engine import host
from ..llvm import TYPES, Function, Value, const, i64, vector
from .layout import either, nested, offsets, vector_loop
from .moves import copy, fill, raw_const
from .moving_windows import DynamicSlice, DynamicUpdateSlice
from .operation import Buffer, Operation, row_major
from .positions import Lookup, as_int64, each_line, line_start, lookup, position
from .scattering import Scatter


class Gather(Operation):
    """out[p, b, line] = x[p, indices at b, line]."""

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x, *indices), (out,) = inputs, outputs
        value = params["fill_value"]
        nothing = raw_const(x.dtype, fill_for(x.dtype) if value is None else x.dtype.type(value))
        if x.size == 0 or out.size == 0:
            fill(f, out.pointer, nothing, out.size)
            return
        shapes = [i.shape for i in indices]
        walk = lookup(x.shape, shapes, params["axes"], params["at"], params["mode"], pair=False)
        gathering = _Gathering(walk, [i.dtype for i in indices], nothing)
        pointers = [b.pointer for b in (x, out, *indices)]
        each_line(f, "gather", walk, pointers, gathering.lines)


class _Gathering:
    """The loops of one gather. nothing: the bits that are read outside."""

    def __init__(self, walk: Lookup, dtypes: Sequence[np.dtype[Any]], nothing: Value):
        self.walk, self.dtypes, self.nothing, self.kind = walk, dtypes, nothing, nothing.type

    def lines(self, f: Function, values: list[Value], p: Value, start: Value, stop: Value) -> None:
        """Lines at index places [start, stop) of one outer place. values: x, result, index arrays."""
        walk, (source, to, *pointers) = self.walk, values
        (shift,) = offsets(f, p, walk.outer_sizes, walk.outer_strides)
        source = f.gep(self.kind, source, shift)
        to = f.gep(self.kind, to, f.mul(p, i64(walk.common * walk.line)))
        if self._one_by_one:
            self._elements(f, to, source, pointers[0], start, stop)
            return
        named = list(zip(pointers, self.dtypes, strict=True))
        with f.loop(start, stop, trips=True) as loop:
            begin, valid = line_start(f, walk, named, loop.index, 1)
            place = f.gep(self.kind, to, f.mul(loop.index, i64(walk.line)))
            self._line(f, place, f.gep(self.kind, source, begin), valid)

    @property
    def _one_by_one(self) -> bool:
        """Elements named by one index array, which vectors can read. (Vectors have no remainder.)"""
        plain = self.walk.line == 1 and self.walk.index_strides == [(1,)]
        return plain and self.walk.mode != "wrap" and self.kind in ("i32", "i64")

    def _elements(
        self, f: Function, to: Value, source: Value, pointer: Value, start: Value, stop: Value
    ) -> None:
        def read(place: Value, lanes: int) -> None:
            index, inside = self._positions(f, pointer, place, lanes)
            if lanes == 1:
                index = index if inside is None else f.select(inside, index, i64(0))
                x = f.load(self.kind, f.gep(self.kind, source, index))
                x = x if inside is None else f.select(inside, x, self.nothing)
            else:
                mask = const(vector("i1", lanes), True) if inside is None else inside
                x = f.gather(
                    vector(self.kind, lanes),
                    f.geps(self.kind, source, index),
                    mask,
                    f.splat(self.nothing, lanes),
                )
            f.store(x, f.gep(self.kind, to, place))

        vector_loop(f, start, stop, host().vector_bytes // 8, read)

    def _positions(self, f: Function, pointer: Value, place: Value, lanes: int) -> tuple[Value, Value | None]:
        """Offsets into x of the elements that `lanes` indices name, and which lie inside."""
        raw, (axis,) = TYPES[self.dtypes[0].name], self.walk.axes
        index = as_int64(f, f.load(vector(raw, lanes), f.gep(raw, pointer, place)), self.dtypes[0])
        index, inside = position(f, index, self.walk.x_shape[axis], self.walk.mode)
        return f.mul(index, const(index.type, row_major(self.walk.x_shape)[axis])), inside

    def _line(self, f: Function, to: Value, source: Value, valid: Value | None) -> None:
        """One line of x, or fill values where it lies outside."""
        if self.walk.line == 1:
            found = f.load(self.kind, source)
            f.store(found if valid is None else f.select(valid, found, self.nothing), to)
        elif valid is None:
            self._copy(f, to, source)
        else:
            nothing = lambda: fill(f, to, self.nothing, self.walk.line)
            either(f, valid, lambda: self._copy(f, to, source), nothing)

    def _copy(self, f: Function, to: Value, source: Value) -> None:
        """A line that may be spread over x; runs of neighbours are copied as one."""
        walk = self.walk
        keep = len(walk.line_sizes) - (walk.run > 1)
        sizes = walk.line_sizes[:keep]
        with nested(f, sizes, walk.line_strides[:keep], walk.other_strides[:keep]) as (there, here):
            nbytes = walk.run * int(self.kind[1:]) // 8
            copy(f, f.gep(self.kind, to, here), f.gep(self.kind, source, there), nbytes)


OPERATIONS: dict[str, Operation] = {
    "gather": Gather(),
    "scatter": Scatter(),
    "dynamic_slice": DynamicSlice(),
    "dynamic_update_slice": DynamicUpdateSlice(),
}
"""By the name of the primitive."""
