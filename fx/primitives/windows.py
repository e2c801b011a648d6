"""Reductions of sliding windows: sum, max, min, the element that max or min selects; and patches.

Params name one window per axis of the operand; what they mean stands in sliding.py.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, Zero, absent
from ..core.trace import bind
from .families import accept, same_dtype, to_front, zero_of
from .shape import concatenate, full, move_axis, pad, reshape, slice_axis, transpose
from .sliding import dilated, meetings, padding_pairs, per_axis, transposed_padding, windowed_shape

# Reductions


class Windowed(Primitive):
    """What the primitives of this file share: params name one window per axis of operand 0."""

    kinds = "number"

    def count(self, x: Aval, **params: Any) -> tuple[int, ...]:
        return windowed_shape(self.name, x.shape, **params)

    def axes(
        self, shape: Sequence[int], count: Sequence[int], params: dict[str, Any]
    ) -> list[tuple[Any, ...]]:
        """The arguments of `meetings`, axis by axis."""
        low = [pair[0] for pair in params["padding"]]
        middle = params["window"], params["strides"]
        return list(
            zip(shape, count, *middle, low, params["base_dilation"], params["window_dilation"], strict=True)
        )

    def batched(self, dim: int, params: dict[str, Any]) -> dict[str, Any]:
        """Params with a window of one element along a new axis."""
        new = {"padding": (0, 0)}
        return {k: (*v[:dim], new.get(k, 1), *v[dim:]) for k, v in params.items()}


class WindowReduction(Windowed):
    """One value of every window."""

    ufunc = method = ""

    def identity(self, dtype: np.dtype[Any]) -> Any:
        raise NotImplementedError

    def impl(self, xp: Any, x: Any, **params: Any) -> Any:
        dtype = x.dtype
        if dtypes.is_low_precision(dtype):
            x = x.astype(np.float32)
        identity = self.identity(x.dtype)
        whole = [(slice(0, n), slice(0, n), slice(0, 1)) for n in x.shape]
        count = self.count(Aval(x.shape, x.dtype), **params)
        y = x
        for axis, row in enumerate(self.axes(x.shape, count, params)):
            met = list(meetings(*row))
            if count[axis] != x.shape[axis] or met != [whole[axis]]:
                y = self._along(xp, y, axis, count[axis], met, identity)
        return (y.copy() if y is x else y).astype(dtype, copy=False)

    def _along(self, xp: Any, x: Any, axis: int, count: int, met: Any, identity: Any) -> Any:
        """Windows along one axis; a window over many axes is one over each in turn."""
        combine, collect = getattr(xp, self.ufunc), getattr(xp, self.method)
        y = xp.full((*x.shape[:axis], count, *x.shape[axis + 1 :]), identity, dtype=x.dtype)
        lead = (slice(None),) * axis
        for to, at, taps in met:
            part = x[(*lead, at)]
            if taps.stop - taps.start > 1:
                part = collect(part, axis=axis, keepdims=True)
            target = y[(*lead, to)]
            combine(target, part, out=target)
        return y

    def shape(self, x: Aval, **params: Any) -> Aval:
        accept(self.name, x.dtype, self.kinds)
        return Aval(self.count(x, **params), x.dtype, x.weak)

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        (d,) = dims
        return self(*operands, **self.batched(d, params)), d

    def cost(self, x: Aval, **params: Any) -> int:
        return math.prod(self.count(x, **params)) * sum(params["window"])

    def samples(self, rng: Any) -> Any:
        return [Sample((_draw(rng, shape),), params, self._oracle) for shape, params in _geometries()]

    def _oracle(self, x: Any, **params: Any) -> Any:
        """Window by window, the padding written out."""
        x = np.asarray(x)
        wide = _written_out(x, params, self.identity(x.dtype))
        reduce = getattr(np, self.method)
        out = [reduce(view) for view in _views(wide, params)]
        return np.array(out, x.dtype).reshape(_counts(wide, params))


class WindowSum(WindowReduction):
    name = "window_sum"
    ufunc, method = "add", "sum"

    def identity(self, dtype: np.dtype[Any]) -> Any:
        return dtype.type(0)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return self(tangents[0], **params)

    def transpose(self, ct: Any, x: Any, **params: Any) -> list[Any]:
        """Element i gets the windows that read it: windows over the cotangent, spread by the strides."""
        sizes = x.aval.shape
        if ct.size == 0 or x.aval.size == 0:
            return [Zero(x.aval.strong)]
        window, strides, dilation = params["window"], params["strides"], params["window_dilation"]
        base = params["base_dilation"]
        padding = tuple(
            map(transposed_padding, sizes, window, strides, params["padding"], base, dilation, ct.shape)
        )
        back = self(
            ct, window=window, strides=base, padding=padding, base_dilation=strides, window_dilation=dilation
        )
        return [back]


class WindowExtremum(WindowReduction):
    """Max or min; the derivative is that of the first element that attains it."""

    kinds = "real"
    transpose = absent("it is not linear")

    def __init__(self, name: str, ufunc: str, method: str):
        self.name, self.ufunc, self.method = name, ufunc, method

    def identity(self, dtype: np.dtype[Any]) -> Any:
        worst = self.method == "max"
        if dtype.kind == "b":
            return np.bool_(not worst)
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            return dtype.type(info.min if worst else info.max)
        return dtype.type(-np.inf if worst else np.inf)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        (x,), (dx,) = primals, tangents
        return window_gather(dx, window_find(x, out, **params), **params)


class WindowFind(Windowed):
    """The first tap of every window that reads its value in y: a number in row-major order, as int32.

    NaN equals NaN. A window that reads no such element has -1; padding is never found.
    """

    name = "window_find"
    kinds = "any"

    def impl(self, xp: Any, x: Any, y: Any, **params: Any) -> Any:
        none = np.int32(math.prod(params["window"]))
        found = xp.full(y.shape, none, np.int32)
        x_nan, y_nan = x != x, y != y
        for to, at, taps in _readings(xp, self, x.shape, y.shape, params):
            same = (x[at] == y[to]) | (x_nan[at] & y_nan[to])
            numbers = none - same * (none - taps)
            several = _several(numbers.shape, found[to].shape)
            first = numbers.min(axis=several, keepdims=True) if several else numbers
            found[to] = xp.minimum(found[to], first)
        return xp.where(found == none, np.int32(-1), found)

    def shape(self, x: Aval, y: Aval, **params: Any) -> Aval:
        accept(self.name, same_dtype(self.name, (x, y)), self.kinds)
        _check_count(self.name, "the values", y, self.count(x, **params))
        return Aval(y.shape, dtypes.int32)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    transpose = absent("it has no derivative")

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        both = [to_front(x, d, axis.size) for x, d in zip(operands, dims, strict=True)]
        return self(*both, **self.batched(0, params)), 0

    def cost(self, x: Aval, y: Aval, **params: Any) -> int:
        return y.size * math.prod(params["window"])

    def samples(self, rng: Any) -> Any:
        out = []
        for shape, params in _geometries():
            x = rng.integers(0, 3, shape).astype(float)
            y = rng.integers(0, 4, self.count(Aval(shape, x.dtype), **params)).astype(float)
            out.append(Sample((x, y), params, _find_oracle))
        return out


class WindowGather(Windowed):
    """The element of x that the chosen tap of every window reads; 0 where it reads padding. Linear in x."""

    name = "window_gather"

    def impl(self, xp: Any, x: Any, chosen: Any, **params: Any) -> Any:
        out = xp.zeros(chosen.shape, x.dtype)
        for to, at, taps in _readings(xp, self, x.shape, chosen.shape, params):
            part, target = _masked(xp, chosen[to] == taps, x[at]), out[to]
            several = _several(part.shape, target.shape)
            out[to] = target + (part.sum(axis=several, keepdims=True, dtype=x.dtype) if several else part)
        return out

    def shape(self, x: Aval, chosen: Aval, **params: Any) -> Aval:
        accept(self.name, x.dtype, self.kinds)
        _check_chosen(self.name, chosen, self.count(x, **params))
        return Aval(chosen.shape, x.dtype, x.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return self(tangents[0], primals[1], **params)

    def transpose(self, ct: Any, x: Any, chosen: Any, **params: Any) -> list[Any]:
        return [window_scatter(ct, chosen, shape=x.aval.shape, **params), None]

    def batch(self, axis: Any, operands: Any, dims: Any, **params: Any) -> Any:
        both = [to_front(x, d, axis.size) for x, d in zip(operands, dims, strict=True)]
        return self(*both, **self.batched(0, params)), 0

    def cost(self, x: Aval, chosen: Aval, **params: Any) -> int:
        return chosen.size * math.prod(params["window"])

    def samples(self, rng: Any) -> Any:
        return [
            Sample((_draw(rng, shape), _draw_taps(rng, shape, params)), params, _gather_oracle)
            for shape, params in _geometries()
        ]


class WindowScatter(Windowed):
    """Zeros of `shape`, plus every ct at the element that the chosen tap of its window reads. Linear."""

    name = "window_scatter"

    def impl(self, xp: Any, ct: Any, chosen: Any, *, shape: tuple[int, ...], **params: Any) -> Any:
        dtype = ct.dtype
        if dtypes.is_low_precision(dtype):
            ct = ct.astype(np.float32)
        out = xp.zeros(shape, ct.dtype)
        for to, at, taps in _readings(xp, self, shape, chosen.shape, params):
            out[at] += _masked(xp, chosen[to] == taps, ct[to])
        return out.astype(dtype, copy=False)

    def shape(self, ct: Aval, chosen: Aval, *, shape: tuple[int, ...], **params: Any) -> Aval:
        accept(self.name, ct.dtype, self.kinds)
        count = self.count(Aval(shape, ct.dtype), **params)
        _check_chosen(self.name, chosen, count)
        _check_count(self.name, "the cotangents", ct, count)
        return Aval(shape, ct.dtype, ct.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return self(tangents[0], primals[1], **params)

    def transpose(self, ct: Any, source: Any, chosen: Any, *, shape: Any, **params: Any) -> list[Any]:
        return [window_gather(ct, chosen, **params), None]

    def batch(self, axis: Any, operands: Any, dims: Any, *, shape: Any, **params: Any) -> Any:
        both = [to_front(x, d, axis.size) for x, d in zip(operands, dims, strict=True)]
        return self(*both, shape=(axis.size, *shape), **self.batched(0, params)), 0

    def cost(self, ct: Aval, chosen: Aval, **params: Any) -> int:
        return ct.size * math.prod(params["window"])

    def samples(self, rng: Any) -> Any:
        return [
            Sample((rng.normal(size=taps.shape), taps), {"shape": shape, **params}, _scatter_oracle)
            for shape, params in _geometries()
            for taps in [_draw_taps(rng, shape, params)]
        ]


def _readings(xp: Any, prim: Windowed, shape: Any, count: Any, params: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(windows, elements, numbers of the taps) that hold every reading once, a product of slices at a time."""
    taps = xp.arange(math.prod(params["window"]), dtype=np.int32).reshape(params["window"])
    along = [list(meetings(*row)) for row in prim.axes(shape, count, params)]
    for met in itertools.product(*along):
        to, at, k = zip(*met, strict=True) if met else ((), (), ())
        yield to, at, taps[k]


def _masked(xp: Any, mask: Any, x: Any) -> Any:
    """x where the mask holds, else 0. NumPy's `where` takes a branch per element: on bits it is ten times faster."""
    if xp is not np or x.dtype.itemsize > 8:
        return xp.where(mask, x, x.dtype.type(0))
    bits = np.dtype(f"i{x.dtype.itemsize}")
    return (x.view(bits) & -mask.astype(bits)).view(x.dtype)


def _several(shape: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """Axes along which one window reads several elements."""
    return tuple(i for i, (a, b) in enumerate(zip(shape, target, strict=True)) if a != b)


def _check_count(name: str, what: str, y: Aval, count: tuple[int, ...]) -> None:
    if y.shape != count:
        raise errors.ShapeError(f"{name}: {what} must have shape {count}, one per window; got {y}.")


def _check_chosen(name: str, chosen: Aval, count: tuple[int, ...]) -> None:
    if chosen.dtype.kind not in "iu":
        raise errors.DTypeError(f"{name}: the chosen taps must be integers; got {chosen}.")
    _check_count(name, "the chosen taps", chosen, count)


window_sum_p = WindowSum()
window_max_p = WindowExtremum("window_max", "maximum", "max")
window_min_p = WindowExtremum("window_min", "minimum", "min")
window_find = WindowFind()
window_gather = WindowGather()
window_scatter = WindowScatter()


def window_params(
    what: str,
    sizes: Sequence[int],
    window: Any,
    strides: Any = None,
    padding: Any = "VALID",
    base_dilation: Any = None,
    window_dilation: Any = None,
) -> dict[str, Any]:
    """The params of the primitives above from arguments as in jax.lax.reduce_window."""
    rank = len(sizes)
    window = per_axis(f"{what}: window", window, rank)
    strides = per_axis(f"{what}: strides", strides, rank)
    base = per_axis(f"{what}: base dilation", base_dilation, rank)
    dilation = per_axis(f"{what}: window dilation", window_dilation, rank)
    pairs = padding_pairs(what, padding, sizes, list(map(dilated, window, dilation)), strides)
    return {
        "window": window,
        "strides": strides,
        "padding": pairs,
        "base_dilation": base,
        "window_dilation": dilation,
    }


def window_sum(
    x: Any, window: Sequence[int], strides: Any = None, padding: Any = "VALID", **dilations: Any
) -> Any:
    """Sum of every window.

    Args:
        x: (d_0, ..., d_n) numbers.
        window: Sizes, one per axis of x.
        strides, base_dilation, window_dilation: Likewise, default 1.
        padding: 'VALID', 'SAME', 'SAME_LOWER' or (low, high) per axis, negative to cut off.

    Raises:
        ArgumentError: a parameter is not of one positive int per axis.
        ShapeError: padding cuts off more than there is.
    """
    return bind(
        window_sum_p, x, **window_params("window_sum", x.shape, window, strides, padding, **dilations)
    )


def window_max(
    x: Any, window: Sequence[int], strides: Any = None, padding: Any = "VALID", **dilations: Any
) -> Any:
    """Maximum of every window, padding not counted; arguments as in `window_sum`."""
    return bind(
        window_max_p, x, **window_params("window_max", x.shape, window, strides, padding, **dilations)
    )


def window_min(
    x: Any, window: Sequence[int], strides: Any = None, padding: Any = "VALID", **dilations: Any
) -> Any:
    """Minimum of every window, padding not counted; arguments as in `window_sum`."""
    return bind(
        window_min_p, x, **window_params("window_min", x.shape, window, strides, padding, **dilations)
    )


# Patches


def patches(
    x: Any,
    window: Sequence[int],
    strides: Any = None,
    padding: Any = "VALID",
    base_dilation: Any = None,
    window_dilation: Any = None,
) -> Any:
    """All windows over the last axes, as arrays.

    Args:
        x: (*lead, *space).
        window: Sizes, one per axis of `space`; the other arguments as in `window_sum`, for `space` alone.

    Returns:
        (*lead, *window, *count), padding read as 0.
    """
    rank, lead = len(window), x.ndim - len(window)
    if lead < 0:
        raise errors.ShapeError(
            f"patches: an array of shape {x.shape} has fewer axes than the window {tuple(window)}."
        )
    p = window_params("patches", x.shape[lead:], window, strides, padding, base_dilation, window_dilation)
    count = windowed_shape("patches", x.shape[lead:], **p)
    low, high = ([0] * lead + [pair[i] for pair in p["padding"]] for i in (0, 1))
    x = pad(x, low, high, [0] * lead + [d - 1 for d in p["base_dilation"]])
    for axis in reversed(range(rank)):
        x = _split(
            x, lead + axis, count[axis], p["window"][axis], p["strides"][axis], p["window_dilation"][axis]
        )
    order = (*range(lead), *range(lead, lead + 2 * rank, 2), *range(lead + 1, lead + 2 * rank, 2))
    return transpose(x, order)


def _split(x: Any, axis: int, count: int, window: int, stride: int, dilation: int) -> Any:
    """One axis as two: (window, count)."""
    before, after = tuple(x.shape[:axis]), tuple(x.shape[axis + 1 :])
    if count == 0:
        return full((*before, window, 0, *after), 0, x.dtype)
    if stride == window and dilation == 1:
        cut = slice_axis(x, 0, count * window, axis) if x.shape[axis] != count * window else x
        return move_axis(reshape(cut, (*before, count, window, *after)), axis + 1, axis)
    extent = (count - 1) * stride + 1
    taps = [slice_axis(x, k * dilation, k * dilation + extent, axis, stride) for k in range(window)]
    return concatenate([reshape(t, (*before, 1, count, *after)) for t in taps], axis)


# Samples and oracles for the law tests


def _geometries() -> list[tuple[tuple[int, ...], dict[str, Any]]]:
    """Shapes and windows: ordinary, overlapping, strided past, dilated, cut, global, empty, 0-d."""
    cases = [
        ((2, 5, 6), (1, 2, 3), (1, 2, 1), ((0, 0), (1, 0), (0, 2)), (1, 1, 1), (1, 1, 1)),
        ((6,), (3,), (1,), ((0, 0),), (1,), (1,)),
        ((7,), (2,), (3,), ((2, 1),), (1,), (2,)),
        ((5,), (3,), (2,), ((1, 3),), (2,), (1,)),
        ((4, 3), (2, 2), (1, 2), ((2, -1), (-1, 3)), (3, 2), (2, 1)),
        ((2, 3, 3), (1, 3, 3), (1, 1, 1), ((0, 0),) * 3, (1, 1, 1), (1, 1, 1)),
        ((2, 2, 3), (2, 2, 2), (1, 2, 1), ((1, 1), (0, 0), (1, 0)), (1, 1, 1), (1, 1, 1)),
        ((3, 0), (1, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1)),
        ((), (), (), (), (), ()),
    ]
    names = ("window", "strides", "padding", "base_dilation", "window_dilation")
    return [(shape, dict(zip(names, rest, strict=True))) for shape, *rest in cases]


def _draw(rng: Any, shape: tuple[int, ...]) -> Any:
    return rng.normal(size=shape)


def _draw_taps(rng: Any, shape: Any, params: Any) -> Any:
    count = windowed_shape("taps", shape, **params)
    return rng.integers(-1, math.prod(params["window"]), count).astype(np.int32)


def _written_out(x: Any, params: Any, value: Any) -> Any:
    """x with its dilation and padding as elements."""
    for axis, (step, (low, high)) in enumerate(zip(params["base_dilation"], params["padding"], strict=True)):
        x = np.moveaxis(x, axis, 0)
        wide = np.full((dilated(x.shape[0], step) + max(low, 0) + max(high, 0), *x.shape[1:]), value, x.dtype)
        start = max(low, 0)
        wide[start : start + dilated(x.shape[0], step) : step] = x
        x = np.moveaxis(wide[max(-low, 0) : wide.shape[0] - max(-high, 0)], 0, axis)
    return x


def _counts(wide: Any, params: Any) -> tuple[int, ...]:
    extents = [(w - 1) * d + 1 for w, d in zip(params["window"], params["window_dilation"], strict=True)]
    rows = zip(wide.shape, extents, params["strides"], strict=True)
    return tuple(len(range(0, n - e + 1, s)) for n, e, s in rows)


def _views(wide: Any, params: Any) -> Iterator[Any]:
    """Every window as a view, in row-major order."""
    for q in np.ndindex(_counts(wide, params)):
        at = zip(q, params["strides"], params["window"], params["window_dilation"], strict=True)
        yield wide[tuple(slice(i * s, i * s + (w - 1) * d + 1, d) for i, s, w, d in at)]


def _find_oracle(x: Any, y: Any, **params: Any) -> Any:
    x = np.asarray(x)
    wide, real = _written_out(x, params, 0), _written_out(np.ones(x.shape, bool), params, False)
    rows = zip(_views(wide, params), _views(real, params), np.ravel(y), strict=True)
    hits = [np.flatnonzero(real & (view == value)) for view, real, value in rows]
    return np.array([h[0] if h.size else -1 for h in hits], np.int32).reshape(np.shape(y))


def _gather_oracle(x: Any, chosen: Any, **params: Any) -> Any:
    x = np.asarray(x)
    views = _views(_written_out(x, params, 0), params)
    out = [v.ravel()[k] if k >= 0 else 0 for v, k in zip(views, chosen.ravel(), strict=True)]
    return np.array(out, x.dtype).reshape(chosen.shape)


def _scatter_oracle(ct: Any, chosen: Any, shape: Any, **params: Any) -> Any:
    out = np.zeros(math.prod(shape) + 1, np.asarray(ct).dtype)
    numbers = _written_out(np.arange(math.prod(shape)).reshape(shape), params, -1)
    for view, k, c in zip(_views(numbers, params), chosen.ravel(), np.ravel(ct), strict=True):
        out[view.ravel()[k] if k >= 0 else -1] += c
    return out[:-1].reshape(shape)
