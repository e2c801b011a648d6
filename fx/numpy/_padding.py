"""pad: all modes of NumPy's, one axis after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..core.avals import Aval
from ..primitives import elementwise as el, shape as sh
from ..primitives.promotion import cast, is_scalar
from ..primitives.reductions import reduce_max, reduce_min
from . import _on_host as host
from ._arguments import in_dtype, owned, static_int
from ._native import EVERY, natively
from ._quantiles import median
from ._reductions import mean
from .indexing import take


@natively(host.pad, EVERY)
def pad(x: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Array:
    """x with more elements before and after it along each axis.

    Args:
        pad_width: a number, (before, after), one such pair per axis, or a dict from axis to either.
        mode: "constant" (`constant_values=0`), "edge", "reflect" or "symmetric" (`reflect_type="even"` or "odd"),
            "wrap", "linear_ramp" (`end_values=0`), "maximum", "minimum", "mean" or "median" (`stat_length=None`),
            "empty" (zeros), or a function of (x, axis, before, after) -> x padded along the axis.

    Values of options are given as pad_width is.
    """
    x = owned(x, "pad")
    widths = _per_axis(pad_width, x.ndim, "pad_width")
    widths = [(static_int(a, "pad: a width"), static_int(b, "pad: a width")) for a, b in widths]
    if any(w < 0 for pair in widths for w in pair):
        raise errors.ArgumentError(f"pad: widths must not be negative; got {errors.brief(pad_width)}.")
    if not x.ndim and not isinstance(pad_width, (Sequence, np.ndarray, Array, dict)):
        static.sizes(pad_width, "pad: a width")
    Aval(
        tuple(d + a + b for d, (a, b) in zip(x.shape, widths, strict=True)), x.dtype
    )  # absurd sizes are refused
    if callable(mode):
        for axis, (before, after) in enumerate(widths):
            x = mode(x, axis, before, after)
        return x
    step = _step(mode, options)
    if mode in ("constant", "empty"):
        values = _per_axis(options.get("constant_values", 0), x.ndim, "constant_values")
        return _constant(x, widths, values)
    per_axis = _per_axis(
        options.get(_OPTION.get(mode, ""), _DEFAULT.get(mode)), x.ndim, _OPTION.get(mode, "")
    )
    for axis, (before, after) in enumerate(widths):
        if before or after:
            x = step(x, axis, before, after, per_axis[axis])
    return x


_OPTION = {
    "linear_ramp": "end_values",
    "maximum": "stat_length",
    "minimum": "stat_length",
    "mean": "stat_length",
    "median": "stat_length",
}
_DEFAULT = {"linear_ramp": 0}


def _step(mode: Any, options: dict[str, Any]) -> Callable[..., Array]:
    """The function that pads one axis; ArgumentError for unknown modes and options."""
    allowed = {"constant": {"constant_values"}, "reflect": {"reflect_type"}, "symmetric": {"reflect_type"}}
    allowed.update({name: {option} for name, option in _OPTION.items()})
    odd = static.choice(options.get("reflect_type", "even"), ("even", "odd"), "pad: reflect_type")
    steps: dict[Any, Any] = {
        "constant": None,
        "empty": None,
        "edge": _edge,
        "wrap": _wrapped,
        "reflect": lambda x, axis, a, b, _: _mirrored(x, axis, a, b, 1, odd == "odd"),
        "symmetric": lambda x, axis, a, b, _: _mirrored(x, axis, a, b, 0, odd == "odd"),
        "linear_ramp": _ramp,
        "maximum": lambda x, axis, a, b, n: _statistic(x, axis, a, b, n, _over(reduce_max)),
        "minimum": lambda x, axis, a, b, n: _statistic(x, axis, a, b, n, _over(reduce_min)),
        "mean": lambda x, axis, a, b, n: _statistic(x, axis, a, b, n, mean),
        "median": lambda x, axis, a, b, n: _statistic(x, axis, a, b, n, median),
    }
    static.choice(mode, tuple(steps), "pad: mode")
    unknown = set(options) - allowed.get(mode, set())
    if unknown:
        raise errors.ArgumentError(f"pad: mode {errors.brief(mode)} does not take {options}.")
    return steps[mode]


def _per_axis(value: Any, rank: int, name: str) -> list[tuple[Any, Any]]:
    """(before, after) for every axis from any of the forms that NumPy takes."""
    if isinstance(value, dict):
        pairs: list[Any] = [(0, 0)] * rank
        for axis, width in value.items():
            if not isinstance(axis, int) or not -rank <= axis < rank:
                raise errors.ShapeError(
                    f"pad: axis {errors.brief(axis)} of {name} is out of range for {rank} axes."
                )
            pairs[axis] = tuple(width) if isinstance(width, Sequence) else (width, width)
        return pairs
    if isinstance(value, Array) or not isinstance(value, (Sequence, np.ndarray)):
        return [(value, value)] * rank
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return [(value, value)] * rank
    items = [tuple(v) if isinstance(v, (Sequence, np.ndarray)) else v for v in value]
    if items and all(isinstance(v, tuple) for v in items):
        items = [v * 2 if len(v) == 1 else v for v in items]
        if len(items) in (1, rank) and all(len(v) == 2 for v in items):
            return items * rank if len(items) == 1 else items
    elif len(items) in (1, 2) and not any(isinstance(v, tuple) for v in items):
        return [(items[0], items[-1])] * rank
    raise errors.ShapeError(
        errors.lines(
            f"pad: {name} {errors.brief(value)} does not fit {rank} axes.",
            "Give a number, a pair (before, after), or one pair per axis.",
        )
    )


def _constant(x: Array, widths: list[tuple[int, int]], values: list[tuple[Any, Any]]) -> Array:
    """One step where all values are one static number, else axis by axis."""
    flat = [v for pair in values for v in pair]
    if all(is_scalar(v) and v == flat[0] for v in flat):
        low, high = [a for a, _ in widths], [b for _, b in widths]
        value = cast(flat[0], x.dtype) if flat else None
        return sh.pad(x, low, high, [0] * x.ndim, value)
    for axis, (widths_here, (first, last)) in enumerate(zip(widths, values, strict=True)):
        for width, value, side in ((widths_here[0], first, 0), (widths_here[1], last, 1)):
            scalar = in_dtype(value, x.dtype, "pad: a constant")
            sizes = [width if i == axis else 0 for i in range(x.ndim)]
            none = [0] * x.ndim
            x = sh.pad(x, *((sizes, none) if side == 0 else (none, sizes)), none, scalar)
    return x


def _chosen(x: Array, axis: int, places: Any) -> Array:
    return take(x, places, axis=axis)


def _not_empty(x: Array, axis: int, mode: str) -> int:
    if x.shape[axis] == 0:
        raise errors.ShapeError(
            f"pad: mode {errors.brief(mode)} has nothing to repeat along the empty axis {axis} of {x.aval}."
        )
    return x.shape[axis]


def _edge(x: Array, axis: int, before: int, after: int, _: Any) -> Array:
    n = _not_empty(x, axis, "edge")
    return _around(x, axis, _repeated(x, axis, 0, before), _repeated(x, axis, n - 1, after))


def _repeated(x: Array, axis: int, place: int, count: int) -> Array:
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    return sh.broadcast_to(sh.slice_axis(x, place, place + 1, axis), shape)


def _around(x: Array, axis: int, before: Array, after: Array) -> Array:
    return sh.concatenate([part for part in (before, x, after) if part.shape[axis] or part is x], axis)


def _wrapped(x: Array, axis: int, before: int, after: int, _: Any) -> Array:
    n = _not_empty(x, axis, "wrap")
    return _chosen(x, axis, np.arange(-before, n + after) % n)


def _mirrored(x: Array, axis: int, before: int, after: int, skip: int, odd: bool) -> Array:
    """Reflected about the edge element (skip 1) or about the edge itself (skip 0); `odd` also about its value."""
    n = _not_empty(x, axis, "reflect")
    if n == 1 and skip:
        return _edge(x, axis, before, after, None)
    if not odd:
        period = 2 * (n - skip)
        places = np.arange(-before, n + after) % period
        return _chosen(x, axis, np.where(places < n, places, period - places - 1 + skip))
    while before or after:
        size = x.shape[axis]
        a, b = min(before, size - skip), min(after, size - skip)
        first, last = sh.slice_axis(x, 0, 1, axis), sh.slice_axis(x, size - 1, size, axis)
        head = sh.reverse(sh.slice_axis(x, skip, skip + a, axis), axes=(axis,))
        tail = sh.reverse(sh.slice_axis(x, size - skip - b, size - skip, axis), axes=(axis,))
        x = _around(x, axis, first + first - head, last + last - tail)
        before, after = before - a, after - b
    return x


def _ramp(x: Array, axis: int, before: int, after: int, ends: tuple[Any, Any]) -> Array:
    """Straight lines from the end values to the edges."""
    n = _not_empty(x, axis, "linear_ramp")
    head = _line(x, axis, 0, before, ends[0])
    tail = _line(x, axis, n - 1, after, ends[1])
    return _around(x, axis, head, sh.reverse(tail, axes=(axis,)))


def _line(x: Array, axis: int, place: int, count: int, end: Any) -> Array:
    """`count` values from `end` towards an edge element, without that element."""
    work = x.dtype if x.aval.inexact else dtypes.float64
    edge = el.convert(sh.slice_axis(x, place, place + 1, axis), work)
    start = in_dtype(end, work, "pad: end_values")
    steps = sh.iota(tuple(count if i == axis else 1 for i in range(x.ndim)), axis)
    line = start + el.convert(steps, work) * ((edge - start) / max(count, 1))
    return el.convert(line if x.aval.inexact else el.floor(line), x.dtype)


def _statistic(x: Array, axis: int, before: int, after: int, lengths: tuple[Any, Any], of: Any) -> Array:
    n = _not_empty(x, axis, "a statistic")
    first, last = (n if k is None else min(static_int(k, "pad: stat_length"), n) for k in lengths)
    if first < 1 or last < 1:
        raise errors.ArgumentError("pad: stat_length must be positive.")

    def filled(start: int, stop: int, count: int) -> Array:
        value = of(sh.slice_axis(x, start, stop, axis), axis)
        if not x.aval.inexact:
            value = el.convert(value if value.dtype == x.dtype else el.round_even(value), x.dtype)
        value = sh.reshape(el.convert(value, x.dtype), (*x.shape[:axis], 1, *x.shape[axis + 1 :]))
        return sh.broadcast_to(value, (*x.shape[:axis], count, *x.shape[axis + 1 :]))

    return _around(x, axis, filled(0, first, before), filled(n - last, n, after))


def _over(prim: Any) -> Any:
    return lambda y, axis: prim(y, axes=(axis,))
