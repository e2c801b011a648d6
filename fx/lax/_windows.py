"""Reductions of sliding windows: sum, max and min by their primitives, any associative function by patches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..core import static
from ..core.array import Array
from ..core.errors import ShapeError
from ..core.trace import Tracer
from ..primitives import windows
from ..primitives.shape import pad, reshape
from ..primitives.sliding import padding_pairs, windowed_shape
from . import _elementwise as el
from ._operands import array
from ._reductions import fold, greatest, least, listed, mapped, monoid


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[[Any, Any], Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Every window combined by an associative function, as XLA's ReduceWindow.

    Args:
        operand: array, or pytree of arrays of one shape.
        init_value: the same tree of scalars: what windows start from, and what padding and the gaps of
            `base_dilation` hold.
        computation: (a, b) -> a, trees of scalars. `fx.lax.add`, `max` and `min` from their neutral element are
            one primitive; any other function is applied to all windows at once, tap by tap, and is differentiable.
        window_dimensions, window_strides, base_dilation, window_dilation: one per axis.
        padding: 'VALID', 'SAME', 'SAME_LOWER' or (low, high) per axis.
    """
    leaves, treedef, starts = monoid("reduce_window", operand, init_value)
    if len({x.shape for x in leaves}) > 1:
        raise ShapeError(
            f"fx.lax.reduce_window: operands have shapes {', '.join(str(x.shape) for x in leaves)}."
        )
    where = (window_dimensions, window_strides, padding)
    dilations = {"base_dilation": base_dilation, "window_dilation": window_dilation}
    fast = _primitive(computation, leaves, starts)
    if fast is not None:
        return treedef.unflatten([fast(leaves[0], *where, **dilations)])
    params = windows.window_params("reduce_window", leaves[0].shape, *where, **dilations)
    windowed_shape("reduce_window", leaves[0].shape, **params)
    rows = [_taps(x, s, params) for x, s in zip(leaves, starts, strict=True)]
    return treedef.unflatten(fold(rows, starts, mapped("reduce_window", computation, treedef, starts)))


_PRIMITIVES = {
    el.add: (windows.window_sum, lambda dtype: 0, "iufVc"),
    el.max: (windows.window_max, least, "biufV"),
    el.min: (windows.window_min, greatest, "biufV"),
}


def _primitive(computation: Any, leaves: Any, starts: Any) -> Any:
    """The function of a window primitive that does the same, if the start is known to be its neutral element."""
    found = listed(computation, _PRIMITIVES)
    if found is None or len(leaves) > 1 or isinstance(starts[0], Tracer):
        return None
    primitive, neutral, kinds = found
    start = starts[0].buffer if isinstance(starts[0], Array) else starts[0]
    return primitive if leaves[0].dtype.kind in kinds and start == neutral(leaves[0].dtype) else None


def _taps(x: Any, start: Any, params: dict[str, Any]) -> Any:
    """(taps, *windows): what every tap of the windows reads, with the start value as padding."""
    low, high = zip(*params["padding"], strict=True) if x.ndim else ((), ())
    wide = pad(x, low, high, [b - 1 for b in params["base_dilation"]], start)
    window = params["window"]
    read = windows.patches(wide, window, params["strides"], "VALID", None, params["window_dilation"])
    return reshape(read, (math.prod(window), *read.shape[len(window) :]))


def reduce_window_shape_tuple(
    operand_shape: Sequence[int],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None,
    padding: Any,
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """The shape that `reduce_window` gives."""
    shape = static.sizes(operand_shape, "reduce_window: operand_shape")
    where = (window_dimensions, window_strides, padding, base_dilation, window_dilation)
    return windowed_shape("reduce_window", shape, **windows.window_params("reduce_window", shape, *where))


def padtype_to_pads(
    in_shape: Sequence[int], window_shape: Sequence[int], window_strides: Sequence[int], padding: str
) -> list[tuple[int, int]]:
    """(low, high) per axis for 'SAME', 'SAME_LOWER' or 'VALID'."""
    given = (in_shape, window_shape, window_strides)
    sizes, window, strides = (static.sizes(v, "padtype_to_pads: sizes") for v in given)
    check_strides("padtype_to_pads", strides, len(sizes), len(window))
    return list(padding_pairs("padtype_to_pads", padding, sizes, window, strides))


def check_strides(name: str, strides: tuple[int, ...], *ranks: int) -> None:
    """ShapeError unless there is one positive stride for each of so many axes."""
    if any(n != len(strides) for n in ranks) or any(n < 1 for n in strides):
        raise ShapeError(
            f"{name}: strides {strides} are not one positive integer for each of {ranks[0]} axes."
        )


def window_sum(x: Any, window: Sequence[int], strides: Any = None, padding: Any = "VALID") -> Any:
    """Sum of every window; one size and stride per axis of x."""
    return windows.window_sum(array(x), window, strides, padding)


def window_max(x: Any, window: Sequence[int], strides: Any = None, padding: Any = "VALID") -> Any:
    """Largest element of every window."""
    return windows.window_max(array(x), window, strides, padding)


def window_min(x: Any, window: Sequence[int], strides: Any = None, padding: Any = "VALID") -> Any:
    """Smallest element of every window."""
    return windows.window_min(array(x), window, strides, padding)
