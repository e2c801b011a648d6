"""Choices by element: select, select_n, clamp; and by platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core import static, tree
from ..core.array import Array
from ..core.devices import common_backend, current_device
from ..core.errors import ArgumentError, DTypeError, ShapeError, lines
from ..primitives import elementwise as e
from ._operands import array, describe, one_dtype, shape_of


def select(pred: Any, on_true: Any, on_false: Any) -> Any:
    """Elementwise `on_true` where `pred`, else `on_false`.

    Args:
        pred: booleans, of shape () or that of the values.
        on_true, on_false: arrays of one shape and dtype; a Python number adapts to the other one.
    """
    x, y = one_dtype("select", on_true, on_false)
    mask = array(pred)
    shapes = {shape_of(v) for v in (x, y)}
    whole = next(iter(shapes - {()}), ())
    if len(shapes - {()}) > 1 or tuple(mask.shape) not in ((), whole):
        raise ShapeError(
            lines(
                f"fx.lax.select needs values of one shape, and a predicate of it or (); got {describe(mask, x, y)}.",
                "fx.numpy.where broadcasts.",
            )
        )
    return e.select(mask, array(x), array(y))


def select_n(which: Any, *cases: Any) -> Any:
    """Elementwise `cases[which]`; an index out of range takes the nearest case.

    Args:
        which: booleans (two cases) or integers, of shape () or that of the cases.
    """
    if not cases:
        raise ArgumentError("fx.lax.select_n needs at least one case.")
    values, index = [array(c) for c in one_dtype("select_n", *cases)], array(which)
    shapes = {tuple(v.shape) for v in values}
    if len(shapes) > 1 or tuple(index.shape) not in ((), *shapes):
        raise ShapeError(
            f"fx.lax.select_n needs cases of one shape, and `which` of it or (); got {describe(index, *values)}."
        )
    if index.dtype.kind not in "biu" or (index.dtype.kind == "b" and len(values) > 2):
        raise DTypeError(
            f"fx.lax.select_n chooses one of {len(values)} by integers; `which` is {index.dtype}."
        )
    if index.dtype.kind == "b":
        return e.select(index, values[-1], values[0]) if len(values) == 2 else values[0]
    out = values[0]
    for i, value in enumerate(values[1:], 1):
        out = e.select(e.ge(index, index.dtype.type(i)), value, out)
    return out


def clamp(min: Any, x: Any, max: Any) -> Any:
    """x limited to [min, max]; the limits are scalars or of x's shape."""
    x, low, high = one_dtype("clamp", x, min, max)
    if any(shape_of(v) not in ((), shape_of(x)) for v in (low, high)):
        raise ShapeError(
            lines(
                f"fx.lax.clamp: limits have shape () or that of x; got {describe(low, x, high)}.",
                "fx.numpy.clip broadcasts.",
            )
        )
    return e.minimum(e.maximum(array(x), array(low)), array(high))


def platform_dependent(*args: Any, default: Callable[..., Any] | None = None, **per_platform: Any) -> Any:
    """The function for the platform of the arguments, called with them: `cpu=`, `cuda=` (or `gpu=`), else `default`."""
    names = ("cpu",) if _on_host(args) else ("cuda", "gpu")
    for name in names:
        if name in per_platform:
            return static.function(per_platform[name], f"platform_dependent: {name}")(*args)
    if default is None:
        raise ArgumentError(f"fx.lax.platform_dependent: there is no function for {names[0]} and no default.")
    return static.function(default, "platform_dependent: default")(*args)


def _on_host(args: Any) -> bool:
    buffers = [x.buffer for x in tree.leaves(args) if type(x) is Array]
    if buffers:
        return common_backend(buffers).platform == "cpu"
    return current_device().platform == "cpu"
