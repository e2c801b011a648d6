"""Sorting along an axis, partial sorting and binary search."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..core.trace import bind
from ..primitives import elementwise as el, shape as sh, sorting as so
from ..primitives.promotion import promote
from . import _on_host as host
from ._arguments import host_array, one_axis, operand, operands, sequence, static_int
from ._native import REALS, natively
from .indexing import take


@natively(host.sort, REALS)
def sort(
    x: Any,
    axis: int | None = -1,
    kind: str | None = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Array:
    """In ascending order along an axis (of the flattened array for None), NaNs last; always stable.

    `kind` and `stable` are accepted for NumPy's sake. Descending is the same turned round, with NaNs first.
    """
    x, axis = _along(x, axis, "sort", kind)
    return so.sort(x, axis, descending)


@natively(host.argsort, REALS)
def argsort(
    x: Any,
    axis: int | None = -1,
    kind: str | None = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Array:
    """Places of the elements in sorted order; equal ones keep their order. int64."""
    x, axis = _along(x, axis, "argsort", kind)
    return so.argsort(x, axis, descending)


def _along(x: Any, axis: int | None, name: str, kind: str | None = None) -> tuple[Array, int]:
    x = operand(x, name)
    if kind is not None:
        static.choice(kind, ("quicksort", "mergesort", "heapsort", "stable"), f"{name}: kind")
    if axis is None:
        return sh.reshape(x, (x.size,)), 0
    return x, one_axis(axis, x.ndim, name)


def sort_complex(x: Any) -> Array:
    """Sorted by real, then imaginary part, as complex numbers."""
    y = sort(x)
    return el.convert(y, dtypes.complex_of(dtypes.inexact_of(y.dtype)))


@natively(np.lexsort, REALS, lists=True)
def lexsort(keys: Any, axis: int = -1) -> Array:
    """Places in the order of several keys, of which the last one counts most. keys: (k, ...) or k arrays."""
    ks = operands("lexsort", *promote(*sequence(keys, "lexsort")))
    if len({k.shape for k in ks}) > 1:
        raise errors.ShapeError(
            f"lexsort needs keys of one shape; got {', '.join(str(k.shape) for k in ks)}."
        )
    if ks[0].ndim == 0:
        return sh.full((), 0, dtypes.int64)
    axis = one_axis(axis, ks[0].ndim, "lexsort")
    places = sh.iota(ks[0].shape, axis)
    return bind(so.sort_p, *ks[::-1], places, axis=axis, num_keys=len(ks))[-1]


@natively(host.partition, REALS)
def partition(x: Any, kth: Any, axis: int | None = -1) -> Array:
    """The kth element in its sorted place, smaller ones before and larger ones after it: here, all sorted."""
    x, axis = _along(x, axis, "partition")
    _check_kth(kth, x.shape[axis], "partition")
    return so.sort(x, axis)


@natively(host.argpartition, REALS)
def argpartition(x: Any, kth: Any, axis: int | None = -1) -> Array:
    """Places of the elements as `partition` would order them."""
    x, axis = _along(x, axis, "argpartition")
    _check_kth(kth, x.shape[axis], "argpartition")
    return so.argsort(x, axis)


def _check_kth(kth: Any, size: int, name: str) -> None:
    for k in kth if isinstance(kth, (list, tuple)) else (kth,):
        index = static_int(k, f"{name}: kth")
        if not -size <= index < size:
            raise errors.OutOfBoundsError(
                f"{name}: kth = {index} is out of bounds for an axis of {size} elements."
            )


@natively(np.searchsorted, REALS, data=2)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Array:
    """Where to insert v into the sorted a so that it stays sorted. a: (n,); the result has the shape of v, int64.

    Args:
        side: "left" before equal elements, "right" after them.
        sorter: the places that sort a, as `argsort` gives them.
    """
    a, v = operands("searchsorted", *promote(a, v))
    if a.ndim != 1:
        raise errors.ShapeError(f"searchsorted takes a sorted array of one axis; got {a.aval}.")
    if sorter is not None:
        sorter = host_array(sorter, "searchsorted: sorter") if isinstance(sorter, (list, tuple)) else sorter
        if operand(sorter, "searchsorted: sorter").shape != a.shape:
            raise errors.ShapeError(f"searchsorted: the sorter must have the shape {a.shape} of a.")
        a = take(a, sorter, axis=0)
    return so.searchsorted(a, v, side)
