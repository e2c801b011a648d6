"""Reading what callers of fx.random pass: shapes, dtypes, parameters. Bad ones become fx errors here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..core.avals import Aval
from ..core.errstate import quiet
from ..core.trace import Tracer
from ..primitives.elementwise import convert
from ..primitives.families import broadcast_shapes
from ..primitives.promotion import as_operand, cast, is_scalar
from ..primitives.random import mantissa_bits


class FloatFacts(NamedTuple):
    """What the samplers need of a floating dtype: bits of the mantissa, and some of its numbers."""

    mantissa: int
    tiny: Any
    eps: Any
    after_minus_one: Any


def float_facts(dtype: np.dtype[Any]) -> FloatFacts:
    """Facts of a floating dtype; `after_minus_one` is the number next to -1 towards 0."""
    if dtypes.is_bfloat16(dtype):
        import ml_dtypes

        info: Any = ml_dtypes.finfo(dtype)
    else:
        info = np.finfo(dtype)
    after = dtype.type(-1.0 + float(info.epsneg))
    return FloatFacts(mantissa_bits(dtype), dtype.type(info.tiny), dtype.type(info.eps), after)


def static_int(value: Any, what: str) -> int:
    """A Python int known now; a traced value answers if it is concrete."""
    if isinstance(value, (bool, np.bool_)):
        raise errors.ArgumentError(f"{what} must be an integer; got {value}.")
    return static.integer(value, what)


def static_shape(name: str, shape: Any, what: str = "shape") -> tuple[int, ...]:
    """Non-negative sizes from an int or a sequence."""
    sizes = static.integers(shape, f"{name}: a size in {what}")
    if any(d < 0 for d in sizes):
        raise errors.ShapeError(f"{name}: sizes must not be negative; got {what}={sizes}.")
    return sizes


def float_dtype(name: str, dtype: Any, inexact: bool = False) -> np.dtype[Any]:
    """A floating dtype (or a complex one, with `inexact`); None: `fx.config.default_float`."""
    found = dtypes.default_float() if dtype is None else dtypes.canonical(dtype)
    if not (dtypes.is_floating(found) or (inexact and dtypes.is_complex(found))):
        raise errors.DTypeError(
            errors.lines(
                f"{name} draws {'floating or complex' if inexact else 'floating'} numbers, not {found}.",
                "Leave dtype out for fx.config.default_float, or draw integers with fx.random.randint.",
            )
        )
    return found


def integer_dtype(name: str, dtype: Any, kinds: str = "iu") -> np.dtype[Any]:
    """An integer dtype; None: int32 (uint32 where only unsigned ones are drawn)."""
    if dtype is None:
        return dtypes.int32 if "i" in kinds else dtypes.uint32
    found = dtypes.canonical(dtype)
    if found.kind not in kinds:
        raise errors.DTypeError(
            errors.lines(
                f"{name} draws {'integers' if 'i' in kinds else 'unsigned integers'}, not {found}.",
                "Draw floating numbers with fx.random.uniform." if found.kind in "fV" else None,
            )
        )
    return found


def parameter(name: str, what: str, x: Any, dtype: np.dtype[Any]) -> Any:
    """A real parameter of a distribution in the dtype of the draws: a NumPy scalar or an array."""
    x = x if is_scalar(x) else as_operand(x)
    if isinstance(x, complex) or (hasattr(x, "dtype") and dtypes.is_complex(x.dtype)):
        raise errors.DTypeError(f"{name}: {what} must be real; got {describe(x)}.")
    with quiet():
        return cast(x, dtype)


def result_shape(name: str, shape: Any, **parameters: Any) -> tuple[int, ...]:
    """The shape of the draws: `shape`, to which the parameters must broadcast; None: what they broadcast to."""
    own = [tuple(np.shape(p) if is_scalar(p) else p.shape) for p in parameters.values()]
    common = broadcast_shapes(f"{name}: parameters", [Aval(s, dtypes.bool_) for s in own]) if own else ()
    if shape is None:
        return common
    shape = static_shape(name, shape)
    fits = len(common) <= len(shape) and all(
        d in (1, n) for d, n in zip(reversed(common), reversed(shape), strict=False)
    )
    if not fits:
        given = ", ".join(f"{k} has shape {s}" for k, s in zip(parameters, own, strict=True) if s)
        raise errors.ShapeError(
            errors.lines(
                f"{name}: {given}, which does not broadcast to shape={shape}.",
                f"Pass shape={(*shape[: max(0, len(shape) - len(common))], *common)}, or reshape the parameters.",
            )
        )
    return shape


def known(x: Any) -> Any:
    """The value of a parameter as NumPy sees it, without waiting: None if it is traced or on a device."""
    if type(x) is Array:
        x = x.buffer
    elif isinstance(x, Tracer):
        return None
    return x if is_scalar(x) or isinstance(x, (np.ndarray, np.generic)) else None


def refuse_range(name: str, empty: bool, **bounds: Any) -> None:
    """ArgumentError where the first bound is above the second (or equal, with `empty`), as far as known now."""
    (first, low), (second, high) = bounds.items()
    a, b = known(low), known(high)
    if a is None or b is None:
        return
    wrong = np.greater_equal(a, b) if empty else np.greater(a, b)
    if not np.any(wrong):
        return
    a, b = np.broadcast_arrays(a, b)
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f" at index {place}" if place else ""
    raise errors.ArgumentError(
        errors.lines(
            f"{name}: {first} = {a[place]} is {'not below' if empty else 'above'} {second} = {b[place]}{where}.",
            f"The draws lie between {first} and {second}.",
        )
    )


def refuse_outside(name: str, what: str, x: Any, wrong: Callable[[Any], Any], rule: str) -> None:
    """ArgumentError where a parameter lies outside its domain, as far as it is known now."""
    value = known(x)
    if value is None:
        return
    value = np.asarray(value)
    bad = wrong(value)
    if np.any(bad):
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        where = f" at index {place}" if place else ""
        raise errors.ArgumentError(f"{name}: {what} {rule}; it is {value[place]}{where}.")


def describe(x: Any) -> str:
    """For messages: the aval of an array, or a Python value."""
    return f"{errors.brief(x)}" if is_scalar(x) else f"{Aval(tuple(x.shape), x.dtype)}"


def in_dtype(x: Any, dtype: np.dtype[Any]) -> Any:
    return x if x.dtype == dtype else convert(x, dtype)
