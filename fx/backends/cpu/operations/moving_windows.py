"""Windows whose position is known only at run time: dynamic_slice and dynamic_update_slice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..llvm import TYPES, Function, Value, i64
from .layout import merged, offsets
from .moves import copy, copy_all, raw_type
from .operation import Buffer, Operation, row_major
from .positions import as_int64, clamp
from .tasks import GRAIN, parallel_ranges


class DynamicSlice(Operation):
    """out = x[start : start + size] per axis, windows moved inside."""

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x, *starts), (out,) = inputs, outputs
        if out.size:
            corner = _corner(f, x, starts, out.shape)
            _copy_rows(f, out.pointer, corner, raw_type(x.dtype), out.shape, row_major(out.shape), x.strides)


class DynamicUpdateSlice(Operation):
    """out = x with the window at the starts replaced."""

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x, update, *starts), (out,) = inputs, outputs
        copy_all(f, out.pointer, x.pointer, x.size * x.dtype.itemsize)
        if update.size:
            corner = _corner(f, out, starts, update.shape)
            _copy_rows(
                f, corner, update.pointer, raw_type(x.dtype), update.shape, out.strides, update.strides
            )


def _corner(f: Function, x: Buffer, starts: Sequence[Buffer], sizes: Sequence[int]) -> Value:
    """The address of the first element of the window."""
    total = i64(0)
    for start, d, n, step in zip(starts, x.shape, sizes, x.strides, strict=True):
        if d == n:
            continue
        i = as_int64(f, f.load(TYPES[start.dtype.name], start.pointer), start.dtype)
        i = f.select(f.icmp("slt", i, i64(0)), f.add(i, i64(d)), i)
        total = f.add(total, f.mul(clamp(f, i, d - n), i64(step)))
    return f.gep(raw_type(x.dtype), x.pointer, total)


def _copy_rows(
    f: Function,
    to: Value,
    source: Value,
    kind: str,
    shape: Sequence[int],
    to_strides: Sequence[int],
    strides: Sequence[int],
) -> None:
    """Elements of `shape` from one strided array to another."""
    sizes, (there, here) = merged(shape, to_strides, strides)
    row = sizes[-1] if sizes and there[-1] == here[-1] == 1 else 1
    keep = len(sizes) - (row > 1)
    nbytes = row * int(kind[1:]) // 8
    if keep == 0:
        copy_all(f, to, source, nbytes)
        return

    def piece(g: Function, values: list[Value], start: Value, stop: Value) -> None:
        to, source = values
        with g.loop(start, stop, trips=True) as loop:
            a, b = offsets(g, loop.index, sizes[:keep], there[:keep], here[:keep])
            copy(g, g.gep(kind, to, a), g.gep(kind, source, b), nbytes)

    rows = math.prod(sizes[:keep])
    parallel_ranges(f, "window", [to, source], rows, max(1, 4 * GRAIN // (row + 4)), piece)
