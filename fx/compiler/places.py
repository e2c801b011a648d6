"""Arrays put together of parts: what of each operand of a padding or a concatenation lands where."""

from __future__ import annotations

from typing import Any

from ..core.program import Equation
from ..core.structure import Literal
from ..primitives import shape
from .nest import View


def repeated(x: Literal, to: tuple[int, ...], eqn: Equation) -> Equation:
    """The equation of a literal repeated to a shape."""
    params = {"value": x.value, "shape": to, "dtype": x.aval.dtype}
    return Equation(shape.full_p, (), params, eqn.outputs, eqn.source)


def spread(view: View, to: tuple[int, ...]) -> View:
    """A view broadcast to a shape of at least its rank."""
    missing = len(to) - len(view.shape)
    strides = [0] * missing + [0 if d == 1 else s for d, s in zip(view.shape, view.strides, strict=True)]
    return view._replace(strides=tuple(strides), shape=to)


def pieces(eqn: Equation, out: View) -> list[Any]:
    """The operands of a concatenation and where each goes."""
    axis, at, found = eqn.params["axis"], 0, []
    for x in eqn.inputs:
        n = x.aval.shape[axis]
        if x.aval.size:
            found.append((x, None, View(out.base, at * out.strides[axis], out.strides, x.aval.shape)))
        at += n
    return found


def around(eqn: Equation, out: View) -> Any:
    """The value of a padding, over the whole result."""
    return eqn.inputs[1], None, out


def interior(eqn: Equation, out: View) -> list[Any]:
    """The padded array: which window of it lands where (see Pad.impl)."""
    x, params = eqn.inputs[0], eqn.params
    start, stride, first_read, sizes = 0, [], [], []
    widths = zip(x.aval.shape, out.shape, params["low"], params["interior"], out.strides, strict=True)
    for n, m, low, between, s in widths:
        step = between + 1
        first = max(0, -(low // step)) if low < 0 else 0
        last = min(n - 1, (m - 1 - low) // step)
        if last < first:
            return []
        start += (low + first * step) * s
        stride.append(step * s)
        first_read.append(first)
        sizes.append(last + 1 - first)

    def window(view: View) -> View:
        offset = view.offset + sum(a * s for a, s in zip(first_read, view.strides, strict=True))
        return View(view.base, offset, view.strides, tuple(sizes))

    return [(x, window, View(out.base, start, tuple(stride), tuple(sizes)))]
