"""Making arrays: from values, and filled."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from ..core import devices, dtypes, errors, static
from ..core.array import Array, as_buffer, typed
from ..core.avals import MAX_RANK
from ..core.devices import current_device, default_device
from ..core.errstate import quiet
from ..primitives import elementwise as el, shape as sh
from ..primitives.promotion import is_scalar
from . import _on_host as host
from ._arguments import dtype_or, operand, static_shape
from ._native import EVERY, FLOATS, made, natively


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


def asarray_beside(values: Any, x: Array) -> Array:
    """values as `asarray` makes them, with Python floats as exact as x is."""
    made = asarray(values)
    exact = isinstance(values, (float, list, tuple)) and made.aval.inexact and x.aval.inexact
    return asarray(values, dtypes.promote_types(made.dtype, x.dtype)) if exact else made


def array(
    x: Any, dtype: Any = None, *, copy: bool | None = True, ndmin: int = 0, device: Any = None
) -> Array:
    """`asarray` that copies unless told not to, with at least `ndmin` axes (new ones in front)."""
    if copy is not None:
        static.integer(copy, "array: copy, if it is not None,")
    made = asarray(x, dtype, copy=None if copy else copy, device=device)
    if copy and type(x) is Array and made is x:
        made = Array(x.buffer.copy())
    ndmin = static.integer(ndmin, "array: ndmin")
    if not 0 <= ndmin <= MAX_RANK:
        raise errors.ArgumentError(f"array: ndmin={ndmin}; arrays have at most {MAX_RANK} axes.")
    return sh.reshape(made, (1,) * (ndmin - made.ndim) + made.shape)


asanyarray = ascontiguousarray = asfortranarray = asarray
"""NumPy's other names: fx has no subclasses of arrays, and how they lie in memory is its own affair."""


def asarray_chkfinite(a: Any, dtype: Any = None) -> Array:
    """`asarray` that refuses NaN and infinities among known values."""
    made = asarray(a, dtype)
    if type(made) is Array and made.aval.inexact and not bool(el.isfinite(made).all()):
        raise errors.ArgumentError(f"asarray_chkfinite: {made.aval} holds NaN or infinities.")
    return made


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
        return _stacked(x, dtype or found.dtype())
    try:
        with quiet():
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
            if x.aval.weak:
                self.kinds.add(_KINDS[x.dtype.kind])
            else:
                self.dtypes.append(x.dtype)
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
_KINDS = {"b": bool, "i": int, "f": float, "c": complex}


def _stacked(xs: Any, dtype: Any) -> Array:
    """A list with fx arrays in it: every member an array of the dtype, then joined along a new first axis."""
    parts = [asarray(x, dtype) for x in xs]
    if len({p.shape for p in parts}) > 1:
        raise errors.ArgumentError(
            errors.lines(
                f"asarray: the members of a list have different shapes: {sorted({p.shape for p in parts})}.",
                "An array needs equal lengths on each level.",
            )
        )
    return sh.concatenate([sh.reshape(p, (1, *p.shape)) for p in parts], 0)


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


@made(host.full, numbers=2)
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


@natively(np.zeros_like, EVERY)
def zeros_like(x: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Zeros of the shape, dtype and device of x, unless others are given."""
    return full_like(x, 0, dtype, shape, device=device)


@natively(np.ones_like, EVERY)
def ones_like(x: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Ones of the shape, dtype and device of x, unless others are given."""
    return full_like(x, 1, dtype, shape, device=device)


@natively(np.zeros_like, EVERY)
def empty_like(x: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Zeros of the shape, dtype and device of x, unless others are given."""
    return full_like(x, 0, dtype, shape, device=device)


@natively(np.full_like, FLOATS, floats=True)
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
