"""The formulas of random draws on whole arrays: `xla_log` and its like, and `fused_multiply_add`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....core.dtypes import is_low_precision
from ..engine import host
from ..llvm import Function, Value, i64
from ..random_formulas import FORMULAS, Formula, exact, fused
from . import numbers
from .layout import broadcast_strides, merged, offsets, vector_loop
from .operation import Buffer, Operation
from .tasks import GRAIN, parallel_ranges


class Map(Operation):
    """A formula on every element."""

    def __init__(self, formula: Formula):
        self.formula = formula

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x,), (out,) = inputs, outputs
        dtype = x.dtype

        def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            source, to = values

            def body(index: Value, lanes: int) -> None:
                unit = f"i{8 * dtype.itemsize}"
                value = numbers.load(g, dtype, g.gep(unit, source, index), lanes)
                numbers.store(g, dtype, self.formula(g, value), g.gep(unit, to, index))

            vector_loop(g, start, stop, numbers.lanes_for(dtype, host().vector_bytes), body)

        parallel_ranges(f, "map", [x.pointer, out.pointer], x.size, GRAIN // 4, run)


class Fused(Operation):
    """x * y + z over operands that broadcast: one rounding in float32 and float64, two in the low precisions."""

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (out,) = outputs
        if out.size == 0:
            return
        sizes, (to, *strides) = merged(
            out.shape, out.strides, *[broadcast_strides(b.shape, out.shape) for b in inputs]
        )
        if not sizes:
            sizes, to, strides = (1,), (1,), [(0,)] * 3
        rows = math.prod(sizes[:-1])
        pointers = [b.pointer for b in inputs] + [out.pointer]

        def run(g: Function, values: list[Value], start: Value, stop: Value) -> None:
            with g.loop(start, stop, trips=True) as loop:
                steps = [s[:-1] for s in (*strides, to)]
                places = offsets(g, loop.index, sizes[:-1], *steps)
                unit = f"i{8 * out.dtype.itemsize}"
                row = [g.gep(unit, v, place) for v, place in zip(values, places, strict=True)]
                self._row(g, out.dtype, row, [s[-1] for s in strides], sizes[-1])

        parallel_ranges(f, "fused", pointers, rows, max(1, GRAIN // sizes[-1]), run)

    def _row(self, f: Function, dtype: np.dtype[Any], row: list[Value], steps: Sequence[int], n: int) -> None:
        lanes = numbers.lanes_for(dtype, host().vector_bytes) if all(s in (0, 1) for s in steps) else 1
        unit = f"i{8 * dtype.itemsize}"

        def operand(place: Value, step: int, index: Value, lanes: int) -> Value:
            if step == 0:
                return f.splat(numbers.load(f, dtype, place), lanes)
            return numbers.load(f, dtype, f.gep(unit, place, f.mul(index, i64(step))), lanes)

        def body(index: Value, lanes: int) -> None:
            x, y, z = [operand(p, s, index, lanes) for p, s in zip(row[:3], steps, strict=True)]
            numbers.store(f, dtype, self._value(f, dtype, x, y, z), f.gep(unit, row[3], index))

        vector_loop(f, i64(0), i64(n), lanes, body)

    def _value(self, f: Function, dtype: np.dtype[Any], x: Value, y: Value, z: Value) -> Value:
        if not is_low_precision(dtype):
            return fused(f, x, y, z)
        with exact(f):
            return f.fadd(numbers.rounded(f, dtype, f.fmul(x, y)), z)


OPERATIONS: dict[str, Operation] = {
    **{name: Map(FORMULAS[name]) for name in ("xla_log", "xla_log1p", "xla_erf", "xla_erf_inv")},
    "fused_multiply_add": Fused(),
}
"""By the name of the primitive."""
