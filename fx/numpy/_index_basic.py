"""The static part of an index: what integers, slices, Ellipsis and None do."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.primitive import params_key
from ..core.trace import bind, current_trace
from ..primitives import elementwise as el
from ..primitives.indexing import dynamic_update_slice, scatter
from ..primitives.shape import iota, reshape, reshape_p, reverse, slice_axis, slice_p

COMBINE = {"add": el.add, "multiply": el.mul, "min": el.minimum, "max": el.maximum}


class Basic:
    """x[start:stop:step] on every axis, then the axes of negative steps reversed, then another shape."""

    __slots__ = ("cut", "params", "reversed_axes", "shape", "start", "step", "steps", "whole")

    def __init__(self, source: tuple[int, ...], slices: list[tuple[int, int, int]], shape: tuple[int, ...]):
        """Args: source: shape of x. slices: (start, count, signed step) per axis. shape: of the result."""
        ascending = [_ascending(*s) for s in slices]
        self.shape = shape
        self.start, stop, self.step = (tuple([s[i] for s in ascending]) for i in range(3))
        self.cut = tuple([count for _, count, _ in slices])
        self.reversed_axes = tuple([i for i, (_, n, step) in enumerate(slices) if step < 0 and n > 1])
        self.whole = self.cut == source
        self.params = {"start": self.start, "stop": stop, "step": self.step}
        steps = [
            (slice_p, self.params, not self.whole),
            (reverse, {"axes": self.reversed_axes}, self.reversed_axes),
            (reshape_p, {"shape": shape}, self.cut != shape),
        ]
        self.steps = [(prim, params, params_key(params)) for prim, params, needed in steps if needed]

    def read(self, x: Any) -> Any:
        """x at this index."""
        trace = current_trace()
        for prim, params, key in self.steps:
            x = bind(prim, x, **params) if trace is None else trace.record(prim, (x,), params, key)
        return x

    def write(self, x: Any, value: Any, op: str) -> Any:
        """x with `value` (of shape `self.shape`) set or combined at this index."""
        if 0 in self.cut:
            return x
        value = self._turned(reshape(value, self.cut))
        if op != "set":
            value = COMBINE[op](self._sliced(x), value)
        if self.whole:
            return value
        if any(s > 1 for s in self.step):
            around = bind(slice_p, x, **{**self.params, "step": (1,) * len(self.step)})
            value = _set_strided(around, value, self.step)
            if value.shape == x.shape:
                return value
        return bind(dynamic_update_slice, x, value, *map(np.int64, self.start))

    def _sliced(self, x: Any) -> Any:
        return x if self.whole else bind(slice_p, x, **self.params)

    def _turned(self, x: Any) -> Any:
        return bind(reverse, x, axes=self.reversed_axes) if self.reversed_axes else x


def _ascending(start: int, count: int, step: int) -> tuple[int, int, int]:
    """(start, stop, step) of the same elements in ascending order, with the tightest stop."""
    if count == 0:
        return 0, 0, 1
    last = start + (count - 1) * step
    return min(start, last), max(start, last) + 1, abs(step) if count > 1 else 1


def _set_strided(x: Any, value: Any, steps: tuple[int, ...]) -> Any:
    """x with every step-th element replaced, axis by axis."""
    axis = next(i for i, s in enumerate(steps) if s > 1)
    rest = (*steps[:axis], 1, *steps[axis + 1 :])
    if any(s > 1 for s in rest):
        rows = slice_axis(x, 0, x.shape[axis], axis, steps[axis])
        value = _set_strided(rows, value, rest)
    index = el.mul(iota((value.shape[axis],)), np.int64(steps[axis]))
    return scatter(x, value, index, axes=(axis,), at=axis, mode="promise_in_bounds", unique=True)
