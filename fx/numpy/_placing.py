"""Copies with some elements replaced, as NumPy's `put`, `place` and `putmask` leave their argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from . import _on_host as host
from ._arguments import host_array, operand, owned, static_int
from ._index_values import fitting_value
from ._native import BOOL, FLOATS, INTEGERS, natively
from ._searching import into_bounds, nonzero
from .indexing import take


@natively(host.put, (FLOATS, INTEGERS, FLOATS), floats=True)
def put(a: Any, ind: Any, v: Any, mode: str | None = None, *, inplace: bool = False) -> Array:
    """a with values at places of its flattened form: a copy, unlike NumPy.

    Args:
        ind: integers; the last of several equal ones wins.
        v: repeated to the number of places.
        mode: "raise" (the default; OutOfBoundsError where the places are known, else they are dropped),
            "wrap" or "clip".
        inplace: must stay False.
    """
    x = owned(a, "put")
    _refuse_in_place("put", inplace)
    places = operand(host_array(ind, "put: ind") if isinstance(ind, (list, tuple)) else ind, "put")
    if places.dtype.kind not in "iub" and not (isinstance(ind, (list, tuple)) and not places.size):
        raise errors.DTypeError(f"put needs integer places; got {places.aval}.")
    places = sh.reshape(el.convert(places, dtypes.int64), (places.size,))
    if mode is not None and not (isinstance(mode, str) and mode == "raise"):
        places = into_bounds(places, x.size, mode, "put")
    values = _repeated(v, x, places.size, "put")
    if values is None:
        return x
    return sh.reshape(sh.reshape(x, (x.size,)).at[places].set(values), x.shape)


@natively(host.place, (FLOATS, BOOL, FLOATS), floats=True)
def place(arr: Any, mask: Any, vals: Any, *, inplace: bool = False) -> Array:
    """arr with the first element of vals at the first true place of a mask, the second at the second, ...: a copy.

    `vals` is repeated where it is shorter than the number of true places. The mask need not be known.
    """
    x, on = owned(arr, "place"), operand(mask, "place: mask")
    _refuse_in_place("place", inplace)
    _same_size("place", x, on)
    values = _line(vals, x, "place")
    on = sh.reshape(el.convert(on, dtypes.bool_), x.shape)
    if not values.size:
        if x.size and bool(on.any()):
            raise errors.ShapeError("place needs at least one value.")
        return x
    count = sh.reshape(sh.reshape(on, (x.size,)).cumsum() - 1, x.shape)
    return el.select(on, take(values, count % values.size), x)


@natively(host.putmask, (FLOATS, BOOL, FLOATS), floats=True)
def putmask(a: Any, mask: Any, values: Any, *, inplace: bool = False) -> Array:
    """a with the element of `values` at the same place where a mask is true: a copy. Values are repeated."""
    x, on = owned(a, "putmask"), operand(mask, "putmask: mask")
    _refuse_in_place("putmask", inplace)
    _same_size("putmask", x, on)
    spread = _repeated(values, x, x.size, "putmask")
    if spread is None:
        return x
    on = sh.reshape(el.convert(on, dtypes.bool_), x.shape)
    return el.select(on, sh.reshape(spread, x.shape), x)


def mask_indices(
    n: int, mask_func: Callable[..., Any], k: Any = 0, *, size: int | None = None
) -> tuple[Array, ...]:
    """The places where `mask_func(ones((n, n)), k)` is not 0, such as those of `triu`.

    Args:
        size: how many places; the rest are 0. Needed where the mask is not known.
    """
    static.function(mask_func, "mask_indices: mask_func")
    count = static_int(n, "mask_indices: n")
    (count,) = static.sizes(count, "mask_indices: n")
    return nonzero(mask_func(sh.full((count, count), 1, dtypes.int64), k), size=size)


def _repeated(v: Any, x: Array, count: int, name: str) -> Any:
    """The values one after the other, repeated or cut to a number; None where there are none."""
    values = _line(v, x, name)
    if not values.size or not count:
        return None
    return values if values.size == count else take(values, np.arange(count) % values.size)


def _line(values: Any, x: Array, name: str) -> Array:
    made = operand(fitting_value(values, x.dtype, name), name)
    return sh.reshape(made, (made.size,))


def _same_size(name: str, x: Array, mask: Array) -> None:
    if mask.size != x.size:
        raise errors.ShapeError(f"{name}: a mask of shape {mask.shape} does not fit {x.aval}.")


def _refuse_in_place(name: str, inplace: bool) -> None:
    if inplace:
        raise errors.ImmutableError(f"{name} returns a changed copy; leave out inplace=True.")
