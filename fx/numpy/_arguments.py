"""Reading what callers pass: arrays, axes, shapes, dtypes. Every bad argument becomes an fx error here."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array, as_buffer, scalar_buffer
from ..core.avals import Aval
from ..core.devices import is_buffer
from ..primitives.elementwise import convert
from ..primitives.families import broadcast_shapes
from ..primitives.promotion import is_scalar


def operand(x: Any, name: str) -> Array:
    """x as an Array that may share the caller's memory; only for functions whose results never do."""
    if isinstance(x, Array):
        return x
    if is_scalar(x):
        return Array(scalar_buffer(x), weak=not isinstance(x, bool))
    return Array(as_buffer(x, f"{name}: an array"))


def owned(x: Any, name: str) -> Array:
    """x as an Array that shares no memory with anything the caller can write into."""
    if isinstance(x, Array):
        return x
    made = operand(x, name)
    buffer = made.buffer
    return made if isinstance(buffer, np.generic) else Array(buffer.copy(), made.weak)


def operands(name: str, *xs: Any) -> list[Array]:
    return [operand(x, name) for x in xs]


def sequence(xs: Any, name: str) -> list[Any]:
    """A non-empty list of the members of a sequence of arrays (or of the leading axis of one array)."""
    arrays = isinstance(xs, Array) or is_buffer(xs)
    if (arrays and not xs.shape) or not (arrays or isinstance(xs, (list, tuple))):
        raise errors.ArgumentError(
            errors.lines(
                f"{name} takes a sequence of arrays, not {type(xs).__name__}.", f"Write {name}([x, y])."
            )
        )
    members = list(xs)
    if not members:
        raise errors.ArgumentError(f"{name} needs at least one array.")
    return members


def host_array(nested: Any, what: str) -> Any:
    """A NumPy array of a nested list of numbers, in NumPy's own dtype for it."""
    try:
        array = np.asarray(nested)
    except (ValueError, TypeError) as e:
        if isinstance(e, errors.FxError):
            raise
        raise errors.ShapeError(
            errors.lines(
                f"{what}: the list {errors.brief(nested)} has rows of different lengths, or is nested too deep.",
                "Nested lists must hold numbers and have equal lengths on each level.",
            )
        ) from e
    dtypes.canonical(array.dtype)
    return array


def real_number(value: Any, what: str) -> float:
    """A Python number known now, not complex and not NaN."""
    found = static_number(value, what)
    if isinstance(found, (complex, np.complexfloating)) or found != found:
        raise errors.ArgumentError(f"{what} must be a real number; got {errors.brief(value)}.")
    return found  # type: ignore[no-any-return]


def static_number(value: Any, what: str) -> Any:
    """A Python or NumPy number known now."""
    if is_scalar(value):
        return value
    x = operand(value, what)
    if x.shape != ():
        raise errors.ShapeError(f"{what} must be one number; got {x.aval}.")
    return x.item()


def static_int(value: Any, what: str) -> int:
    """A Python int known now; a traced value answers if it is concrete."""
    return static.integer(value, what)


def one_axis(axis: Any, rank: int, name: str) -> int:
    """A non-negative axis of an array of `rank` axes."""
    return static.axis(axis, rank, name)


def some_axes(axis: Any, rank: int, name: str) -> tuple[int, ...]:
    """Distinct non-negative axes, in the order given; None means all."""
    if axis is None:
        return tuple(range(rank))
    given = static.integers(axis, f"{name}: axis")
    found = tuple(one_axis(a, rank, name) for a in given)
    if len(set(found)) != len(found):
        raise errors.ShapeError(f"{name}: axis {axis} names the same axis twice.")
    return found


def static_shape(shape: Any, name: str) -> tuple[int, ...]:
    """A tuple of non-negative sizes from an int or a sequence."""
    if isinstance(shape, Array) and shape.ndim == 1:
        shape = shape.tolist()
    return static.sizes(shape, f"{name}: a size")


def dtype_or(dtype: Any, default: Any) -> np.dtype[Any]:
    """The canonical dtype asked for, or the default."""
    return dtypes.canonical(default if dtype is None else dtype)


def to_dtype(x: Array, dtype: Any) -> Array:
    """x converted if a dtype was asked for."""
    return x if dtype is None else convert(x, dtypes.canonical(dtype))


def in_dtype(x: Any, dtype: np.dtype[Any], name: str) -> Array:
    """x as an Array of a dtype; a Python float is rounded to that one alone, not to the default float before."""
    if is_scalar(x) and isinstance(x, (float, complex)):
        x = np.float64(x) if isinstance(x, float) else np.complex128(x)
    return convert(operand(x, name), dtype)


def inexact_operand(x: Any, name: str) -> Array:
    """x as an Array of an inexact dtype: integers and booleans become the default float."""
    x = operand(x, name)
    return x if x.aval.inexact else convert(x, dtypes.default_float())


def refuse_complex(x: Any, name: str) -> None:
    if x.dtype.kind == "c":
        raise errors.DTypeError(f"{name} is not defined for complex numbers; got {x.aval}.")


def refuse_cut(values: Array, x: Array, name: str) -> None:
    """DTypeError where known values would lose more than their fractions in the dtype of x, as NumPy says."""
    if values.dtype.kind == "c" and x.dtype.kind != "c":
        raise errors.DTypeError(f"{name}: values of dtype {values.dtype} do not fit {x.aval}.")
    if x.dtype.kind in "iu" and values.aval.inexact and type(values) is Array:
        host = np.asarray(values)
        if not np.isfinite(host.astype(np.float64)).all():
            raise errors.ArgumentError(f"{name}: NaN and infinities do not fit {x.aval}.")


def common_shape(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that all of these broadcast to; ShapeError shows them."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return broadcast_shapes(name, [Aval(s, dtypes.bool_) for s in shapes])
