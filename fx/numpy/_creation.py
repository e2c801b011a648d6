"""Making arrays: from values, filled, evenly spaced."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import devices, dtypes, errors, static
from ..core.array import Array, as_buffer, typed
from ..core.avals import MAX_RANK
from ..core.devices import current_device, default_device
from ..primitives import elementwise as el, shape as sh
from ..primitives.promotion import is_scalar, promote
from ._arguments import dtype_or, one_axis, operand, operands, static_int, static_shape


def asarray(x: Any, dtype: Any = None, *, copy: bool | None = None, device: Any = None) -> Array:
    """An fx array of anything that holds numbers: arrays of other libraries, Python numbers, nested lists of them.

    Args:
        dtype: None keeps an array's dtype; Python floats get `fx.config.default_float`.
        copy: False shares memory with a NumPy or DLPack array, which then must not be written into any more;
            ArgumentError if that is not possible. Otherwise the result never shares memory with x.
        device: where the result lives; None leaves fx arrays where they are and puts the rest on the default device.
    """
    wanted = None if dtype is None else dtypes.canonical(dtype)
    if isinstance(x, Array):
        made = x if wanted is None else el.convert(x, wanted)
        if copy is False and made is not x:
            raise _needs_copy(x.dtype, wanted)
        made = _strong(made)
    elif isinstance(x, (list, tuple, range)):
        if copy is False:
            raise errors.ArgumentError("asarray: a list cannot become an array without a copy (copy=False).")
        made = _from_sequence(x, wanted)
    else:
        made = _from_buffer(x, wanted, copy)
    return made if device is None else made.to_device(device)


def array(
    x: Any, dtype: Any = None, *, copy: bool | None = True, ndmin: int = 0, device: Any = None
) -> Array:
    """`asarray` that copies unless told not to, with at least `ndmin` axes (new ones in front)."""
    made = asarray(x, dtype, copy=None if copy else copy, device=device)
    if copy and type(x) is Array and made is x:
        made = Array(x.buffer.copy())
    ndmin = static.integer(ndmin, "array: ndmin")
    if ndmin > MAX_RANK:
        raise errors.ArgumentError(f"array: ndmin={ndmin}; arrays have at most {MAX_RANK} axes.")
    return sh.reshape(made, (1,) * (ndmin - made.ndim) + made.shape)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """An fx array of any object that speaks DLPack; copied unless `copy=False`."""
    if not hasattr(x, "__dlpack__"):
        raise errors.ArgumentError(f"from_dlpack: {type(x).__name__} has no __dlpack__; use asarray.")
    return asarray(x, copy=copy, device=device)


def _strong(x: Array) -> Array:
    return el.convert(x, x.dtype) if x.aval.weak else x


def _needs_copy(have: Any, want: Any) -> errors.ArgumentError:
    return errors.ArgumentError(f"asarray: from {have} to {want} needs a copy, and copy=False was asked.")


def _from_buffer(x: Any, dtype: Any, copy: bool | None) -> Array:
    if isinstance(x, np.ndarray) and x.dtype.kind in "OSUmM":
        raise errors.ArgumentError(
            f"asarray: fx has no arrays of {x.dtype} values; it has numbers and booleans."
        )
    buffer = as_buffer(x, "asarray: an array, a number or a nested list of numbers")
    if is_scalar(x):
        buffer = _typed_scalar(x, dtype or buffer.dtype)
    elif dtype is not None and buffer.dtype != dtype:
        if copy is False:
            raise _needs_copy(buffer.dtype, dtype)
        return el.convert(_placed(buffer), dtype)
    elif copy is not False and not isinstance(buffer, np.generic):
        buffer = buffer.copy()
    elif copy is False and buffer is not x and isinstance(x, np.ndarray):
        raise _needs_copy(x.dtype, buffer.dtype)
    return _placed(buffer)


def _typed_scalar(x: Any, dtype: np.dtype[Any]) -> Any:
    return typed(x, dtype)


def _placed(buffer: Any) -> Array:
    """Host values on the default device."""
    target = current_device()
    if target.platform == "cpu" or devices.backend_of(buffer).platform != "cpu":
        return Array(buffer)
    return Array(devices.move(np.asarray(buffer), target))


def _from_sequence(x: Any, dtype: Any) -> Array:
    found = _Leaves()
    found.visit(x)
    if found.arrays:
        return _stacked(x, dtype)
    try:
        return _placed(np.array(x, dtype or found.dtype()))
    except (ValueError, TypeError, OverflowError) as e:
        raise errors.ArgumentError(
            errors.lines(
                f"asarray: this list does not make an array: {str(e).splitlines()[0]}",
                "Nested lists must hold numbers and have equal lengths on each level.",
            )
        ) from e


class _Leaves:
    """What a nested list holds: kinds of Python numbers, dtypes of NumPy values, whether fx arrays are among them."""

    def __init__(self) -> None:
        self.kinds: set[type] = set()
        self.dtypes: list[Any] = []
        self.arrays = False

    def visit(self, x: Any, depth: int = 1) -> None:
        if depth > MAX_RANK:
            raise errors.ArgumentError(
                f"asarray: this list is nested more than {MAX_RANK} deep, or contains itself."
            )
        kinds = set(map(type, x))
        self.kinds |= kinds & _NUMBERS
        if kinds <= _NUMBERS:
            return
        for member in x:
            if isinstance(member, (list, tuple, range)):
                self.visit(member, depth + 1)
            elif type(member) not in _NUMBERS:
                self.leaf(member)

    def leaf(self, x: Any) -> None:
        if isinstance(x, Array):
            self.arrays = True
        elif is_scalar(x):
            self.kinds.add(next(k for k in (bool, int, float, complex) if isinstance(x, k)))
        else:
            self.dtypes.append(as_buffer(x, "asarray: a number in the list").dtype)

    def dtype(self) -> np.dtype[Any]:
        strong = None
        for d in self.dtypes:
            strong = d if strong is None else dtypes.promote_types(strong, d)
        top = next((k for k in (complex, float, int, bool) if k in self.kinds), None)
        if top is None:
            return dtypes.default_float() if strong is None else strong
        return dtypes.scalar_dtype(top, strong)


_NUMBERS = {bool, int, float, complex}


def _stacked(xs: Any, dtype: Any) -> Array:
    """A list with fx arrays in it: every member an array, then joined along a new first axis."""
    members = [_stacked(x, None) if isinstance(x, (list, tuple)) else x for x in xs]
    parts = operands("asarray", *promote(*[asarray(x) if isinstance(x, range) else x for x in members]))
    if len({p.shape for p in parts}) > 1:
        raise errors.ArgumentError(
            errors.lines(
                f"asarray: the members of a list have different shapes: {sorted({p.shape for p in parts})}.",
                "An array needs equal lengths on each level.",
            )
        )
    made = sh.concatenate([sh.reshape(p, (1, *p.shape)) for p in parts], 0)
    return made if dtype is None else el.convert(made, dtype)


# Filled


def zeros(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """Zeros; of the default float unless a dtype is given."""
    return _filled(static_shape(shape, "zeros"), 0, dtype_or(dtype, dtypes.default_float()), device)


def ones(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """Ones; of the default float unless a dtype is given."""
    return _filled(static_shape(shape, "ones"), 1, dtype_or(dtype, dtypes.default_float()), device)


def empty(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """Zeros: values that nobody set would not be reproducible."""
    return zeros(shape, dtype, device=device)


def full(shape: Any, fill_value: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """Filled with a value: a number, or an array that broadcasts to the shape."""
    sizes = static_shape(shape, "full")
    if is_scalar(fill_value):
        found = dtype_or(dtype, operand(fill_value, "full").dtype)
        return _filled(sizes, _typed_scalar(fill_value, found).item(), found, device)
    value = asarray(fill_value, dtype, device=device)
    try:
        return sh.broadcast_to(value, sizes)
    except errors.ShapeError as e:
        raise errors.ShapeError(f"full: a value of shape {value.shape} does not broadcast to {sizes}.") from e


def zeros_like(x: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Zeros of the shape, dtype and device of x, unless others are given."""
    return full_like(x, 0, dtype, shape, device=device)


def ones_like(x: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Ones of the shape, dtype and device of x, unless others are given."""
    return full_like(x, 1, dtype, shape, device=device)


def empty_like(x: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Zeros of the shape, dtype and device of x, unless others are given."""
    return full_like(x, 0, dtype, shape, device=device)


def full_like(x: Any, fill_value: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Filled with a value, of the shape, dtype and device of x, unless others are given."""
    x = operand(x, "full_like")
    if device is None and type(x) is Array:
        device = x.device
    return full(
        x.shape if shape is None else shape, fill_value, x.dtype if dtype is None else dtype, device=device
    )


def _filled(shape: tuple[int, ...], value: Any, dtype: np.dtype[Any], device: Any) -> Array:
    with on_device(device):
        return sh.full(shape, value, dtype)


def on_device(device: Any) -> Any:
    """A context in which new arrays are made on a device; None leaves the default."""
    if device is None or devices.device(device) == current_device():
        return contextlib.nullcontext()
    return default_device(device)


# Evenly spaced


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
    a, b = operands("linspace", *promote(start, stop, inexact=True))
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


def _steps(a: Array, b: Array, step: Array, count: int, exact_end: bool) -> Array:
    """a, a + step, ... along a new first axis; the last one is b itself where it belongs to them."""
    shape = step.shape
    if count == 1:
        return sh.broadcast_to(a, (1, *shape))
    places = sh.iota((count, *[1] * len(shape)), 0)
    y = el.convert(places, a.dtype) * step + a
    return el.select(places == count - 1, el.convert(b, y.dtype), y) if exact_end else y


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
    y = base ** linspace(start, stop, num, endpoint, axis=axis)
    return y if dtype is None else el.convert(y, dtypes.canonical(dtype))


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Array:
    """`num` values from start to stop with equal quotients; both ends are exact."""
    a, b = operands("geomspace", *promote(start, stop, inexact=True))
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


def indices(dimensions: Any, dtype: Any = None, sparse: bool = False) -> Any:
    """The index of every place of a grid: (len(dimensions), *dimensions), or with `sparse` one thin array per axis."""
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


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """Coordinate arrays of a grid from the coordinates of its axes.

    Args:
        indexing: "ij" gives arrays of shape (n0, n1, ...), "xy" exchanges the first two axes.
        sparse: leave the sizes of the other axes at 1.
    """
    if indexing not in ("xy", "ij"):
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
