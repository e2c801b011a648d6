"""Evenly spaced values, and grids of coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from ..primitives.promotion import cast, is_scalar, promote
from . import _on_host as host
from ._arguments import dtype_or, one_axis, operand, operands, static_int, static_shape
from ._creation import asarray, on_device
from ._native import EVERY, made, natively


@made(host.arange, numbers=3)
def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, *, device: Any = None) -> Array:
    """start, start + step, ... up to but without stop; `arange(n)` counts from 0. The arguments are static numbers."""
    if stop is None:
        start, stop = 0, start
    ends = [_static_number(v, "arange") for v in (start, stop, step)]
    first, last, by = (v.item() if isinstance(v, np.generic) else v for v in ends)
    if by == 0:
        raise errors.ArgumentError("arange: the step must not be 0.")
    if any(isinstance(v, complex) or v != v or abs(v) == math.inf for v in (first, last, by)):
        raise errors.ArgumentError(f"arange takes finite real numbers; got {first}, {last}, {by}.")
    found = dtype_or(dtype, _common_dtype(ends))
    whole = all(isinstance(v, int) for v in (first, last, by))
    n = max(0, -((first - last) // by) if whole else math.ceil((last - first) / by))
    work = found if found.kind in "iu" and whole else dtypes.float64
    with on_device(device):
        line = sh.iota((n,), 0, work)
        line = line if by == 1 else line * by
        return el.convert(line if first == 0 else line + first, found)


def _static_number(x: Any, name: str) -> Any:
    """A Python or NumPy number known now."""
    if is_scalar(x) or isinstance(x, np.generic):
        return x
    x = operand(x, name)
    if x.shape != ():
        raise errors.ShapeError(f"{name} takes numbers; got {x.aval}.")
    return x.item() if x.weak else x.dtype.type(x.item())


def _common_dtype(values: Sequence[Any]) -> np.dtype[Any]:
    return operand(promote(*values)[0], "arange").dtype


@made(host.linspace, numbers=4)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """`num` evenly spaced values from start to stop, which may be arrays; with `retstep` also their distance.

    Args:
        endpoint: whether stop is the last value; else the first value left out.
        axis: where the new axis stands in the result.
    """
    count = static_int(num, "linspace: num")
    if count < 0:
        raise errors.ArgumentError(f"linspace: num must not be negative; got {count}.")
    a, b = _ends("linspace", start, stop, dtype)
    result = dtype_or(dtype, a.dtype)
    if dtypes.is_low_precision(a.dtype):
        a, b = el.convert(a, dtypes.float32), el.convert(b, dtypes.float32)
    gaps = count - 1 if endpoint else count
    with on_device(device):
        step = (b - a) / gaps if gaps > 0 else (b - a) * math.nan
        y = _steps(a, b, step, count, endpoint and gaps > 0)
    if result.kind in "iu":
        y = el.floor(y)
    y = el.convert(sh.move_axis(y, 0, one_axis(axis, y.ndim, "linspace")), result)
    return (y, step) if retstep else y


def _ends(name: str, start: Any, stop: Any, dtype: Any) -> tuple[Array, Array]:
    """Both ends in the dtype of the work: arrays keep theirs, Python numbers follow the one asked for."""
    a, b = operands(name, *promote(start, stop, inexact=True))
    if not (a.aval.weak and b.aval.weak) or dtype is None:
        return a, b
    asked = dtypes.canonical(dtype)
    work = asked if dtypes.is_inexact(asked) else dtypes.float64
    work = dtypes.complex_of(work) if a.dtype.kind == "c" else work
    a, b = operands(name, cast(start, work), cast(stop, work))
    return a, b


def _steps(a: Array, b: Array, step: Array, count: int, exact_end: bool) -> Array:
    """a, a + step, ... along a new first axis; the last one is b itself where it belongs to them."""
    shape = step.shape
    if count == 1:
        return sh.broadcast_to(a, (1, *shape))
    places = sh.iota((count, *[1] * len(shape)), 0)
    y = el.convert(places, a.dtype) * step + a
    return el.select(places == count - 1, el.convert(b, y.dtype), y) if exact_end else y


@made(host.logspace, numbers=5)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Array:
    """base ** linspace(start, stop, num)."""
    y = base ** linspace(*_ends("logspace", start, stop, dtype), num, endpoint, axis=axis)
    return y if dtype is None else el.convert(y, dtypes.canonical(dtype))


@made(host.geomspace, numbers=4)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Array:
    """`num` values from start to stop with equal quotients; both ends are exact."""
    a, b = _ends("geomspace", start, stop, dtype)
    _refuse_zero(a, b)
    direction = el.sign(a)
    y = direction * el.exp(linspace(el.log(a / direction), el.log(b / direction), num, endpoint))
    places = sh.iota((y.shape[0], *[1] * (y.ndim - 1)), 0)
    if y.shape[0]:
        y = el.select(places == 0, a, y)
    if y.shape[0] > 1 and endpoint:
        y = el.select(places == y.shape[0] - 1, b, y)
    y = sh.move_axis(y, 0, one_axis(axis, y.ndim, "geomspace"))
    return y if dtype is None else el.convert(y, dtypes.canonical(dtype))


def _refuse_zero(*ends: Array) -> None:
    """A zero that is known now; one that shows only in the run gives NaN."""
    for x in ends:
        if type(x) is Array and bool((x.buffer == 0).any()):
            raise errors.ArgumentError("geomspace: a geometric sequence cannot start or stop at 0.")


@made(host.indices)
def indices(dimensions: Any, dtype: Any = None, sparse: bool = False) -> Any:
    """The index of every place of a grid: (len(dimensions), *dimensions), or with `sparse` one thin array per axis."""
    if not isinstance(dimensions, (Sequence, np.ndarray, Array)):
        raise errors.ArgumentError(f"indices takes a sequence of sizes; got {errors.brief(dimensions)}.")
    sizes = static_shape(dimensions, "indices")
    found = dtype_or(dtype, dtypes.int64)
    if sparse:
        thin = lambda a: tuple(d if i == a else 1 for i, d in enumerate(sizes))
        return tuple(sh.iota(thin(a), a, found) for a in range(len(sizes)))
    if not sizes:
        return sh.full((0,), 0, found)
    return sh.concatenate([sh.iota((1, *sizes), a + 1, found) for a in range(len(sizes))], 0)


def fromfunction(function: Callable[..., Any], shape: Any, *, dtype: Any = None, **kwargs: Any) -> Any:
    """function(i, j, ...) called once with the index arrays of a grid."""
    static.function(function, "fromfunction: function")
    grid = indices(shape, dtype_or(dtype, dtypes.default_float()))
    return function(
        *[sh.reshape(sh.slice_axis(grid, i, i + 1, 0), grid.shape[1:]) for i in range(grid.shape[0])],
        **kwargs,
    )


@natively(np.meshgrid, EVERY, data=64, rank=1)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """Coordinate arrays of a grid from the coordinates of its axes.

    Args:
        indexing: "ij" gives arrays of shape (n0, n1, ...), "xy" exchanges the first two axes.
        sparse: leave the sizes of the other axes at 1.
    """
    if not isinstance(indexing, str) or indexing not in ("xy", "ij"):
        raise errors.ArgumentError(f"meshgrid: indexing is 'xy' or 'ij'; got {errors.brief(indexing)}.")
    lines = [asarray(x) for x in xi]
    if any(x.ndim > 1 for x in lines):
        raise errors.ShapeError(
            f"meshgrid takes arrays of at most one axis; the shapes are {[x.shape for x in lines]}."
        )
    rank = len(lines)
    places = [1 - i if indexing == "xy" and rank > 1 and i < 2 else i for i in range(rank)]
    thin = tuple(
        sh.reshape(x, tuple(x.size if i == p else 1 for i in range(rank)))
        for x, p in zip(lines, places, strict=True)
    )
    whole = tuple(lines[places.index(i)].size for i in range(rank))
    return thin if sparse else tuple(sh.broadcast_to(x, whole) for x in thin)
