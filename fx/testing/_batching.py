"""vmap held against a Python loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.array import aval_of
from ..core.transforms.vmap import vmap
from ._compare import assert_close
from ._flat import Flat, on_device


def check_vmap(
    f: Callable[..., Any],
    args: Sequence[Any],
    in_axes: Any = None,
    axis_size: int = 3,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """`fx.vmap(f)` equals a Python loop whose results are stacked.

    Args:
        args: without `in_axes`, arguments of `f` itself: each leaf alone is given a batch at every axis
            position, then all leaves together, in front and last. With `in_axes`, the arguments of
            `fx.vmap(f, in_axes)`, and just that is checked.
        in_axes: as in `fx.vmap`.
        axis_size: rows of the batches that are made. Row k of a floating-point leaf is x * 0.9**k, of an
            integer or boolean one x in its own and in reversed order by turns, so that what is positive or a
            valid index stays so.

    Raises:
        AssertionError: names the axes and the output leaf.

    >>> import fx
    >>> fx.testing.check_vmap(lambda x, y: x @ y, (np.ones((2, 3)), np.ones(3)))
    """
    if in_axes is not None:
        axes = (in_axes,) * len(args) if isinstance(in_axes, int) else tuple(in_axes)
        flat_axes = [a for axis, arg in zip(axes, args, strict=True) for a in _spread(axis, arg)]
        return _compare(Flat(f, args, inexact=False), tree.leaves(tuple(args)), flat_axes, rtol, atol)
    flat = Flat(f, args, inexact=False)
    for chosen in _placements([aval_of(x).ndim for x in flat.point]):
        values = [
            x if axis is None else _batch(x, axis, axis_size)
            for x, axis in zip(flat.point, chosen, strict=True)
        ]
        _compare(flat, values, chosen, rtol, atol)
    return None


def _spread(axis: Any, arg: Any) -> list[int | None]:
    if axis is None or isinstance(axis, int):
        return [axis] * len(tree.leaves(arg))
    return tree.broadcast_prefix(axis, arg, is_leaf=lambda x: x is None, name="in_axes")


def _placements(ranks: Sequence[int]) -> Iterator[list[int | None]]:
    """Batch axes per leaf: each leaf alone at every position, all in front, all last."""
    for i, rank in enumerate(ranks):
        for axis in range(rank + 1):
            yield [axis if j == i else None for j in range(len(ranks))]
    if len(ranks) > 1:
        yield [0] * len(ranks)
        yield list(ranks)


def _batch(x: Any, axis: int, size: int) -> Any:
    """x varied along a new axis."""
    values = np.asarray(x)
    dtype = values.dtype
    if aval_of(x).inexact:
        rows = [(values * dtype.type(0.9**k)).astype(dtype) for k in range(size)]
    else:
        rows = [values.ravel()[:: -1 if k % 2 else 1].reshape(values.shape) for k in range(size)]
    return on_device(np.stack(rows, axis), x)


def _compare(flat: Flat, values: Sequence[Any], axes: Sequence[int | None], rtol: Any, atol: Any) -> None:
    batched = vmap(flat, in_axes=tuple(axes))(*values)
    size = next(aval_of(x).shape[a] for x, a in zip(values, axes, strict=True) if a is not None)
    rows = [
        flat(*[x if a is None else _row(x, a, k) for x, a in zip(values, axes, strict=True)])
        for k in range(size)
    ]
    names = dict(zip(flat.names, axes, strict=True))
    where = ", ".join(f"{name}: {axis}" for name, axis in names.items())
    outputs = {name: x for name, x in zip(flat.out_names, batched, strict=True)}
    stacked = {name: _stack([row[i] for row in rows]) for i, name in enumerate(flat.out_names)}
    assert_close(
        outputs, stacked, rtol, atol, check_dtypes=True, what=f"vmap of {flat.name} over axes {{{where}}}"
    )


def _row(x: Any, axis: int, k: int) -> Any:
    return on_device(np.take(np.asarray(x), k, axis), x)


def _stack(rows: Sequence[Any]) -> Any:
    return np.stack([np.asarray(r, aval_of(r).dtype) for r in rows])
