"""Values that go into an array by index: dtype and shape are brought into line, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array, as_buffer
from ..core.trace import Tracer
from ..primitives.elementwise import convert
from ..primitives.promotion import cast, is_scalar
from ..primitives.shape import broadcast_to, reshape
from ._arguments import host_array


def fitting_value(value: Any, dtype: np.dtype[Any], what: str) -> Any:
    """A value in the dtype of the array it goes into; DTypeError where that would lose its kind."""
    if isinstance(value, (list, tuple)):
        value = host_array(value, what)
    if is_scalar(value):
        _check_kind(np.dtype(type(value)), dtype, what)
        return cast(value, dtype)
    if not isinstance(value, (Array, np.generic)):
        value = as_buffer(value, f"{what}: a value")
    given = dtypes.canonical(value.dtype)
    _check_kind(given, dtype, what)
    if not getattr(value, "weak", False):
        dtypes.promote_types(given, dtype)  # under promotion='strict' different dtypes are refused
    return convert(value, dtype)


def _check_kind(given: np.dtype[Any], dtype: np.dtype[Any], what: str) -> None:
    if dtypes.kind_rank(given) > dtypes.kind_rank(dtype):
        raise errors.DTypeError(
            errors.lines(
                f"{what}: a value of dtype {given} would be cut to fit an array of dtype {dtype}.",
                f"Convert one of them: x.astype({given}), or fx.numpy.asarray(value).astype({dtype}).",
            )
        )


def spread_value(value: Any, shape: tuple[int, ...]) -> Any:
    """A value broadcast to the shape of an index; as in NumPy it may have more axes, of size 1, in front."""
    given = tuple(value.shape)
    extra = len(given) - len(shape)
    if extra > 0 and given[:extra] == (1,) * extra:
        value = reshape(value, given[extra:])
    pairs = zip(value.shape[::-1], shape[::-1], strict=False)
    if len(value.shape) > len(shape) or any(a not in (1, b) for a, b in pairs):
        raise errors.ShapeError(
            errors.lines(
                f"A value of shape {given} does not broadcast to the indexed shape {shape}.",
                "Axes are aligned from the right; equal sizes or 1 fit together.",
            )
        )
    return broadcast_to(value, shape)


def static_fill(value: Any, dtype: np.dtype[Any]) -> Any:
    """A fill value as a static parameter; None is the default, and NaN, which is the default of floats."""
    if value is None:
        return None
    if isinstance(value, Tracer):
        raise errors.TracerError("fill_value must be a number known now; fx.numpy.where takes a traced one.")
    number = np.asarray(fitting_value(value, dtype, "fill_value"))
    if number.shape != ():
        raise errors.ShapeError(f"fill_value must be one number; it has shape {number.shape}.")
    found = number.item()
    return found if found == found else None
