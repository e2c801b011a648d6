"""`conv` as native code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....core.avals import Aval
from ....primitives.convolution import conv
from ..conv.dots import Dots
from ..conv.features import Features, possible
from ..conv.filling import AXES
from ..conv.forward import Forward
from ..conv.geometry import Part, merged, parts, turned
from ..conv.gradients import Gradient
from ..conv.loops import emit_loops
from ..conv.numbers import Numbers
from ..llvm import NULL, TYPES, Function, Value
from .operation import Buffer, Operation, row_major


class Convolution(Operation):
    """Operands may have any strides; float32 and float64 through register tiles, others through plain loops."""

    strided = True

    def accepts(self, avals: Sequence[Aval], params: dict[str, Any]) -> bool:
        return known(avals[0].dtype)

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        (x, w), (y,) = inputs, outputs
        found = _parts(x, w, y, params)
        if sum(part.results for part in found) < y.size:
            clear(f, y)
        for part in found:
            plan = planned(part, x, y)
            if plan:
                plan.emit(f, x.pointer, w.pointer, y.pointer, scratch)
            else:
                emit_loops(f, x, w, y, part)

    def scratch(self, avals: Sequence[Aval], params: dict[str, Any]) -> int:
        """The most that any form takes, whatever the order of the result."""
        shape = conv.shape(*avals, **params).shape
        sizes = [0]
        for strides in (row_major(shape), _features_last(shape)):
            x, y, found = _planes(avals, params, strides)
            sizes += [plan.scratch for part in found for plan in plans_for(part, x, y)]
        return max(sizes)

    def writes(self, avals: Sequence[Aval], params: dict[str, Any], strides: tuple[int, ...]) -> bool:
        """Features last, where vectors of features are the form."""
        if strides != _features_last(conv.shape(*avals, **params).shape):
            return False
        x, y, found = _planes(avals, params, strides)
        return bool(found) and all(isinstance(planned(part, x, y), Features) for part in found)


def _planes(
    avals: Sequence[Aval], params: dict[str, Any], strides: tuple[int, ...]
) -> tuple[Buffer, Buffer, list[Part]]:
    """Input and result, the latter with these strides, and the parts of the convolution."""
    x, w = (Buffer(NULL, a.shape, row_major(a.shape), a.dtype) for a in avals)
    out = conv.shape(*avals, **params)
    y = Buffer(NULL, out.shape, strides, out.dtype)
    return x, y, _parts(x, w, y, params)


def _features_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a result (batch, features, space) that lies as (batch, space, features)."""
    batch, *space, features = row_major((shape[0], *shape[2:], shape[1]))
    return (batch, features, *space)


def _parts(x: Buffer, w: Buffer, y: Buffer, params: dict[str, Any]) -> list[Part]:
    return [] if 0 in (x.size, w.size, y.size) else parts(x, w, y, params)


_STACK = 2 << 20
"""Most memory that a task may take from the stack of its thread."""

Plan = Forward | Features | Gradient | Dots


def plans_for(part: Part, x: Buffer, y: Buffer) -> list[Plan]:
    """The forms that may be best; their number and working memory do not depend on strides of x and w.

    Sums over the taps where these are as many as the results of an image, or more; vectors of features where the
    result has these side by side. None for integers, complex numbers and more than three axes.
    """
    if y.dtype.kind not in "fV" or len(part.axes) > AXES:
        return []
    numbers = Numbers(y.dtype)
    if part.taps >= math.prod(a.count for a in part.axes[1:]):
        back = merged(turned(part))
        few = part.features.count < numbers.lanes * 3 // 4
        return [Dots(back, x, y) if few else Gradient(back, x, y)]
    whole = merged(part)
    features = [Features(whole, x, y)] if possible(whole, numbers) else []
    return features if features and whole.axes[-1].y != 1 else [Forward(whole, x, y), *features]


def planned(part: Part, x: Buffer, y: Buffer) -> Plan | None:
    """The best form, unless its copies are too large for the stack of a thread."""
    plans = [plan for plan in plans_for(part, x, y) if plan.stack <= _STACK]
    return max(plans, key=lambda plan: plan.speed) if len(plans) > 1 else plans[0] if plans else None


def known(dtype: np.dtype[Any]) -> bool:
    """Whether native code has numbers of this dtype."""
    return dtype.name in TYPES or dtype.name in ("complex64", "complex128")


def clear(f: Function, y: Buffer) -> None:
    """Zeros everywhere; all bits of a zero are."""
    name = "llvm.memset.p0.i64"
    f.module.declare(name, "void", ["ptr", "i8", "i64", "i1 immarg"])
    f.line(f"call void @{name}(ptr {y.pointer.text}, i8 0, i64 {y.size * y.dtype.itemsize}, i1 false)")


OPERATIONS: dict[str, Operation] = {"conv": Convolution()}
