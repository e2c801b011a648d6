"""Reading by index: `x[...]`, take and take_along_axis; `x.at[...]` stands in `_at`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import errors
from ..core.array import Array
from ..core.trace import current_trace
from ..primitives import elementwise as el
from ..primitives.indexing import gather, scatter
from ..primitives.shape import iota, reshape
from . import _on_host as host
from ._arguments import host_array, one_axis, operand, owned
from ._at import AtIndexer as AtIndexer, at as at
from ._index_grammar import basic_index, beside, checked, checked_mode, common_shape, parse
from ._index_values import fitting_value, spread_value, static_fill
from ._native import EVERY, FLOATS, INTEGERS, natively

_PLAIN = frozenset({int, slice, np.ndarray, type(None), type(Ellipsis)})


def getitem(x: Any, index: Any, mode: str | None = None, fill_value: Any = None) -> Array:
    """x[index], with everything that NumPy's indexing knows.

    Args:
        index: integers, slices, None, Ellipsis, arrays or lists of integers or booleans, and tuples of these.
        mode: outside the array: "fill" gives `fill_value`, "clip" the nearest element, "wrap" counts around,
            "promise_in_bounds" is undefined; default: an error where the index is known now (in host memory),
            else "fill".
        fill_value: default NaN, for integers the smallest (unsigned: the largest), for booleans False.

    Raises:
        OutOfBoundsError: an index known now is outside. ShapeError, DTypeError: something does not fit.
        TracerError: a traced mask or slice bound has no value here.

    >>> import fx
    >>> x = fx.numpy.arange(12).reshape(3, 4)
    >>> x[1:, [0, -1]]
    Array([[ 4,  7],
           [ 8, 11]], int64)
    """
    if mode is None and fill_value is None:
        if current_trace() is None:
            if type(x) is Array and type(x.buffer) is np.ndarray:
                try:  # NumPy reads as it always does; what it refuses is explained below
                    return Array(x.buffer[index if type(index) in _PLAIN else _host(index)], x.weak)
                except (IndexError, TypeError, ValueError, OverflowError):
                    pass
        else:
            basic = basic_index(x.shape, index)
            if basic is not None:
                return basic.read(x)
    x = owned(x, "indexing")
    return parse(x, index, mode).read(x, static_fill(fill_value, x.dtype))


def _host(index: Any) -> Any:
    """An index with fx arrays replaced by NumPy's; TypeError for one on a device."""
    if type(index) is Array:
        return _host_buffer(index)
    if type(index) is tuple:
        return tuple([_host_buffer(e) if type(e) is Array else e for e in index])
    return index


def _host_buffer(e: Array) -> Any:
    if type(e.buffer) is np.ndarray or isinstance(e.buffer, np.generic):
        return e.buffer
    raise TypeError("not on the host")


def take(
    x: Any,
    indices: Any,
    axis: int | None = None,
    mode: str | None = None,
    fill_value: Any = None,
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
) -> Array:
    """Elements of x at `indices` along an axis (of all elements in C order for None).

    Args:
        indices: integers of any shape, which replaces the axis in the result.
        mode: as in NumPy ("raise"; "clip", where negative ones give the first; "wrap"), "fill" or
            "promise_in_bounds"; default: an error where the indices are known now, else "fill".
        fill_value: for "fill"; see `getitem`.
        unique_indices, indices_are_sorted: accepted and not needed.

    >>> import fx
    >>> fx.numpy.take(fx.numpy.asarray([5, 6, 7]), [2, 0])
    Array([7, 5], int64)
    """
    x = owned(x, "take")
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = one_axis(axis, x.ndim, "take")
    indices = _integers(indices, "take")
    if checked_mode(mode) == "clip":
        indices = _without_negative(indices)
    return getitem(x, (*[slice(None)] * axis, indices), mode, fill_value)


def _integers(indices: Any, name: str) -> Any:
    """A Python int, or an array of integers."""
    if isinstance(indices, int) and not isinstance(indices, bool):
        return int(indices)
    nested = isinstance(indices, (list, tuple))
    indices = host_array(indices, name) if nested else operand(indices, name)
    if nested and indices.size == 0:
        return indices.astype(np.int64)
    if indices.dtype.kind not in "iu":
        raise errors.DTypeError(
            errors.lines(
                f"{name} needs integer indices; got dtype {indices.dtype}.", "For a mask write x[mask]."
            )
        )
    return indices


def _without_negative(indices: Any) -> Any:
    if isinstance(indices, int):
        return max(indices, 0)
    return el.maximum(indices, indices.dtype.type(0))


@natively(np.take_along_axis, (EVERY, INTEGERS))
def take_along_axis(
    x: Any, indices: Any, axis: int | None = -1, mode: str | None = None, fill_value: Any = None
) -> Array:
    """Elements matched up by position: result[i, j] = x[indices[i, j], j] for axis 0.

    Args:
        indices: integers with as many axes as x; the other axes broadcast against those of x.
        axis: None: of all elements in C order, with one-dimensional `indices`.
        mode: as in `getitem`.
    """
    x, indices, axis = _along(x, indices, axis, "take_along_axis")
    where = _places(x, indices, axis, mode)
    return gather(x, *where.pop("arrays"), **where, fill_value=static_fill(fill_value, x.dtype))


@natively(host.put_along_axis, (FLOATS, INTEGERS, FLOATS), floats=True)
def put_along_axis(
    x: Any,
    indices: Any,
    values: Any,
    axis: int | None,
    *,
    mode: str | None = None,
    op: str = "set",
    inplace: bool = False,
) -> Array:
    """x with `values` at the places that `take_along_axis` reads: a copy, unlike NumPy.

    Args:
        op: "set", or how values combine with x and each other: "add", "multiply", "min", "max".
        inplace: must stay False.
    """
    if inplace:
        raise errors.ImmutableError("put_along_axis returns a changed copy; fx cannot write into x in place.")
    shape = operand(x, "put_along_axis").shape
    x, indices, axis = _along(x, indices, axis, "put_along_axis")
    where = _places(x, indices, axis, mode)
    arrays, axes = where.pop("arrays"), where["axes"]
    rest = [d for i, d in enumerate(x.shape) if i not in axes]
    target = (*rest[: axes[0]], *common_shape(arrays), *rest[axes[0] :])
    values = spread_value(fitting_value(values, x.dtype, "put_along_axis"), target)
    return reshape(scatter(x, values, *arrays, op=op, **where), shape)


def _along(x: Any, indices: Any, axis: int | None, name: str) -> Any:
    x, indices = operand(x, name), operand(_integers(indices, name), name)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = one_axis(axis, x.ndim, name)
    fits = x.ndim == indices.ndim and all(
        i == axis or a == b or 1 in (a, b)
        for i, (a, b) in enumerate(zip(x.shape, indices.shape, strict=True))
    )
    if not fits:
        raise errors.ShapeError(
            errors.lines(
                f"{name} along axis {axis}: indices of shape {indices.shape} do not fit shape {x.shape}.",
                "Give both the same number of axes; all but that axis must agree or be 1.",
            )
        )
    return x, operand(beside(x, indices), name), axis


def _places(x: Any, indices: Any, axis: int, mode: str | None) -> dict[str, Any]:
    """Where gather and scatter pair the positions of the other axes with `indices`."""
    mode = checked_mode(mode)
    if mode in (None, "raise"):
        mode = "promise_in_bounds" if checked(indices, x.shape[axis], axis, mode) else "fill"
    if all(d == 1 for i, d in enumerate(indices.shape) if i != axis):
        return {"arrays": [reshape(indices, (indices.size,))], "axes": (axis,), "at": axis, "mode": mode}
    arrays: list[Any] = [_line(d, x.ndim - 1 - i) for i, d in enumerate(x.shape)]
    arrays[axis] = indices
    return {"arrays": arrays, "axes": tuple(range(x.ndim)), "at": 0, "mode": mode}


def _line(size: int, axes_behind: int) -> Any:
    """0, 1, ... along an axis; a 0 that broadcasts where there is nothing to count."""
    return np.int64(0) if size == 1 else iota((size, *[1] * axes_behind))
