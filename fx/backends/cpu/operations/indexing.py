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
from .positions import Lookup, as_int64, each_line, index_pointers, line_start, lookup, position
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
        if out.size == 0:
            return
        fill_value = params["fill_value"]
        value = fill_for(x.dtype) if fill_value is None else x.dtype.type(fill_value)
        nothing = raw_const(x.dtype, value)
        if x.size == 0:
            fill(f, out.pointer, nothing, out.size)
            return
        walk = lookup(
            x.shape, [i.shape for i in indices], params["axes"], params["at"], params["mode"], pair=False
        )
        dtypes = [i.dtype for i in indices]

        plain = walk.line == 1 and walk.index_strides == [(1,)]
        one_by_one = plain and walk.mode != "wrap" and x.dtype.itemsize in (4, 8)

        def lines(g: Function, values: list[Value], p: Value, start: Value, stop: Value) -> None:
            source, to, *pointers = values
            (shift,) = offsets(g, p, walk.outer_sizes, walk.outer_strides)
            source = g.gep(nothing.type, source, shift)
            to = g.gep(nothing.type, to, g.mul(p, i64(walk.common * walk.line)))
            named = list(zip(pointers, dtypes, strict=True))
            if one_by_one:
                _read_elements(g, walk, to, source, named[0], start, stop, nothing)
                return
            with g.loop(start, stop, trips=True) as loop:
                begin, valid = line_start(g, walk, named, loop.index, 1)
                place = g.gep(nothing.type, to, g.mul(loop.index, i64(walk.line)))
                _read_line(g, walk, place, g.gep(nothing.type, source, begin), valid, nothing)

        pointers = [p for p, _ in index_pointers(indices)]
        each_line(f, "gather", walk, [x.pointer, out.pointer, *pointers], lines)


def _read_elements(
    f: Function,
    walk: Lookup,
    to: Value,
    source: Value,
    index: tuple[Value, np.dtype[Any]],
    start: Value,
    stop: Value,
    nothing: Value,
) -> None:
    """Elements named by one index array."""
    pointer, dtype = index
    size, step = walk.x_shape[walk.axes[0]], row_major(walk.x_shape)[walk.axes[0]]

    def read(place: Value, lanes: int) -> None:
        kind, raw = vector(nothing.type, lanes), TYPES[dtype.name]
        i = as_int64(f, f.load(vector(raw, lanes), f.gep(raw, pointer, place)), dtype)
        i, inside = position(f, i, size, walk.mode)
        if lanes == 1:
            i = i if inside is None else f.select(inside, i, i64(0))
            x = f.load(nothing.type, f.gep(nothing.type, source, f.mul(i, i64(step))))
            x = x if inside is None else f.select(inside, x, nothing)
        else:
            mask = const(f"<{lanes} x i1>", True) if inside is None else inside
            places = f.geps(nothing.type, source, f.mul(i, const(i.type, step)))
            x = f.gather(kind, places, mask, f.splat(nothing, lanes))
        f.store(x, f.gep(nothing.type, to, place))

    vector_loop(f, start, stop, host().vector_bytes // 8, read)


def _read_line(
    f: Function, walk: Lookup, to: Value, source: Value, valid: Value | None, nothing: Value
) -> None:
    """One line of x, or fill values where it lies outside."""
    if walk.line == 1:
        found = f.load(nothing.type, source)
        f.store(found if valid is None else f.select(valid, found, nothing), to)
    elif valid is None:
        _copy_line(f, walk, to, source, nothing.type)
    else:
        copy_it = lambda: _copy_line(f, walk, to, source, nothing.type)
        either(f, valid, copy_it, lambda: fill(f, to, nothing, walk.line))


def _copy_line(f: Function, walk: Lookup, to: Value, source: Value, kind: str) -> None:
    """A line that may be spread over x; runs of neighbours are copied as one."""
    run = walk.run
    keep = len(walk.line_sizes) - (run > 1)
    sizes = walk.line_sizes[:keep]
    with nested(f, sizes, walk.line_strides[:keep], walk.other_strides[:keep]) as (there, here):
        copy(f, f.gep(kind, to, here), f.gep(kind, source, there), run * int(kind[1:]) // 8)


OPERATIONS: dict[str, Operation] = {
    "gather": Gather(),
    "scatter": Scatter(),
    "dynamic_slice": DynamicSlice(),
    "dynamic_update_slice": DynamicUpdateSlice(),
}
"""By the name of the primitive."""
