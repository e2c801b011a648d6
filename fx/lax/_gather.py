"""Gather and scatter of windows at index vectors, as XLA has them.

An index vector names the corner of a window of static size. Both functions bring it to index arrays along operand
axes, which the primitives gather and scatter take: along an axis of window size w, indices start + (0, ..., w - 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import static
from ..core.errors import ArgumentError, DTypeError, ShapeError, brief, lines
from ..core.transforms.vmap import vmap
from ..primitives import elementwise as e, gather_scatter as gs, reductions as red
from ..primitives.shape import broadcast_to, full, iota, reshape, slice_axis, transpose
from ._control_flow import while_loop
from ._numbers import GatherDimensionNumbers, GatherScatterMode, ScatterDimensionNumbers
from ._operands import array, describe, one_dtype


class Windows(NamedTuple):
    """Windows of an operand: batch axes of the indices in front, then window axes of the indexed operand axes.

    shape: of the batch. axes: indexed operand axes, ascending. indices: one array per axis, (*batch, *ones and w).
    inside: (*batch), whether the whole window lies within the operand.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    indices: list[Any]
    inside: Any


class Places(NamedTuple):
    """What gather and scatter dimension numbers have in common.

    window: result (update) axes of windows. dropped: operand axes without one. index_map: operand axis of every
    component of an index vector. batch, index_batch: axes that go together.
    """

    window: tuple[int, ...]
    dropped: tuple[int, ...]
    index_map: tuple[int, ...]
    batch: tuple[int, ...]
    index_batch: tuple[int, ...]


def gather(
    operand: Any,
    start_indices: Any,
    dimension_numbers: GatherDimensionNumbers,
    slice_sizes: Sequence[int],
    *,
    unique_indices: bool = False,
    indices_are_sorted: bool = False,
    mode: Any = None,
    fill_value: Any = None,
) -> Any:
    """Windows of the operand at index vectors.

    Args:
        start_indices: integers, (..., k): the last axis holds an index vector; negative ones lie outside.
        dimension_numbers: see `GatherDimensionNumbers`.
        slice_sizes: the window, one size per operand axis.
        unique_indices, indices_are_sorted: hints, not needed here.
        mode: what happens to windows that do not lie inside, default PROMISE_IN_BOUNDS; see `GatherScatterMode`.
        fill_value: default NaN; the smallest signed or largest unsigned integer; True.
    """
    x, indices = array(operand), array(start_indices)
    n = _of_kind(dimension_numbers, GatherDimensionNumbers, "gather")
    places = _places(
        "gather", x, indices, n.offset_dims, n.collapsed_slice_dims, n.start_index_map,
        n.operand_batching_dims, n.start_indices_batching_dims,
    )  # fmt: skip
    sizes = static.sizes(slice_sizes, "gather: slice_sizes")
    _check_sizes("gather", x, sizes, places)
    found = _windows(x, indices, sizes, places)
    y = gs.gather(x, *found.indices, axes=found.axes, at=0, mode="promise_in_bounds") if found.axes else x
    y = _batch_last_to_result(y, found, sizes, places)
    if mode is None or GatherScatterMode.from_any(mode) is not GatherScatterMode.FILL_OR_DROP:
        return y
    fill = _fill(x.dtype) if fill_value is None else array(one_dtype("gather", x, fill_value)[1])
    rank = y.ndim
    batch = [i for i in range(rank) if i not in places.window]
    inside = reshape(found.inside, [y.shape[i] if i in batch else 1 for i in range(rank)])
    return broadcast_to(e.select(inside, y, fill), tuple(y.shape))


def _of_kind(numbers: Any, kind: type, name: str) -> Any:
    if not isinstance(numbers, kind):
        raise ArgumentError(
            f"fx.lax.{name}: dimension_numbers must be fx.lax.{kind.__name__}(...); got {brief(numbers)}."
        )
    return numbers


def _fill(dtype: Any) -> Any:
    return np.bool_(True) if dtype.kind == "b" else gs.fill_for(dtype)


def _places(name: str, x: Any, indices: Any, window: Any, dropped: Any, index_map: Any, batch: Any,
            index_batch: Any) -> Places:  # fmt: skip
    if indices.dtype.kind not in "iu" or indices.ndim < 1:
        raise DTypeError(f"fx.lax.{name}: indices must be integers (..., k); they are {describe(indices)}.")
    tuples = [static.integers(v, f"{name}: dimension numbers") for v in
              (window, dropped, index_map, batch, index_batch)]  # fmt: skip
    p = Places(*tuples)
    gone = p.dropped + p.batch
    wrong = (
        len(set(gone)) < len(gone)
        or len(set(p.index_map + p.batch)) < len(p.index_map + p.batch)
        or any(not 0 <= a < x.ndim for a in gone + p.index_map)
        or len(p.batch) != len(p.index_batch)
        or any(not 0 <= a < indices.ndim - 1 for a in p.index_batch)
        or len(p.index_map) != indices.shape[-1]
        or len(p.window) != x.ndim - len(gone)
        or [x.shape[a] for a in p.batch] != [indices.shape[a] for a in p.index_batch]
    )
    if wrong:
        raise ShapeError(
            lines(
                f"fx.lax.{name}: the dimension numbers do not fit {describe(x)} with indices {describe(indices)}.",
                f"window axes {p.window}, operand axes without window {p.dropped}, index components {p.index_map}, "
                f"batch axes {p.batch} with {p.index_batch}",
            )
        )
    return p


def _check_sizes(name: str, x: Any, sizes: Sequence[int], places: Places) -> None:
    fits = len(sizes) == x.ndim and all(w <= d for w, d in zip(sizes, x.shape, strict=True))
    if not fits or any(sizes[a] > 1 for a in places.dropped + places.batch):
        raise ShapeError(
            lines(
                f"fx.lax.{name}: a window {tuple(sizes)} does not fit {describe(x)}.",
                f"Axes {places.dropped + places.batch} have no window axis; their size is 1.",
            )
        )


def _windows(x: Any, indices: Any, sizes: Sequence[int], places: Places) -> Windows:
    shape = tuple(indices.shape[:-1])
    axes = sorted({*places.index_map, *places.batch, *_cut(x, sizes)})
    inside = full(shape, True, bool)
    found = []
    for number, axis in enumerate(axes):
        room = x.shape[axis] - sizes[axis]
        if axis in places.index_map:
            k = places.index_map.index(axis)
            start = e.convert(reshape(slice_axis(indices, k, k + 1, indices.ndim - 1), shape), "int64")
            inside = e.bit_and(inside, e.bit_and(e.ge(start, np.int64(0)), e.le(start, np.int64(room))))
            start = e.minimum(e.maximum(start, np.int64(0)), np.int64(max(room, 0)))
        elif axis in places.batch:
            start = iota(shape, places.index_batch[places.batch.index(axis)])
        else:
            start = full(shape, 0, "int64")
        column = [1] * len(axes)
        column[number] = sizes[axis]
        offset = reshape(iota((sizes[axis],)), column)
        found.append(reshape(start, (*shape, *[1] * len(axes))) + offset)
    return Windows(shape, tuple(axes), found, inside)


def _cut(x: Any, sizes: Sequence[int]) -> list[int]:
    """Axes without index whose window is not the whole axis."""
    return [a for a, (w, d) in enumerate(zip(sizes, x.shape, strict=True)) if w != d]


def _order(found: Windows, sizes: Sequence[int], places: Places, rank: int) -> tuple[list[int], list[int]]:
    """Of (*batch, *windows of indexed axes, *other axes): the axes dropped, and those of windows in operand order."""
    lead = len(found.shape)
    rest = [a for a in range(rank) if a not in found.axes]
    at = {a: lead + i for i, a in enumerate([*found.axes, *rest])}
    gone = places.dropped + places.batch
    return [at[a] for a in gone], [at[a] for a in range(rank) if a not in gone]


def _batch_last_to_result(y: Any, found: Windows, sizes: Sequence[int], places: Places) -> Any:
    if not found.axes:
        y = broadcast_to(y, (*found.shape, *y.shape))
    gone, kept = _order(found, sizes, places, len(sizes))
    lead = len(found.shape)
    order = [*range(lead), *kept, *gone]
    moved = transpose(y, order)
    moved = reshape(moved, moved.shape[: lead + len(kept)])
    return transpose(moved, _result_order(lead, len(kept), places.window))


def _result_order(lead: int, kept: int, window: Sequence[int]) -> list[int]:
    """The axes (*batch, *windows) in the places the result has them."""
    batch, windows = iter(range(lead)), dict(zip(window, range(lead, lead + kept), strict=True))
    return [windows[i] if i in windows else next(batch) for i in range(lead + kept)]


# Scatter


def scatter(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """The operand with windows replaced by updates; of those that meet, the last one in C order stands.

    Args:
        scatter_indices: integers, (..., k): index vectors; negative ones lie outside.
        updates: batch axes of the indices and window axes, as `dimension_numbers` places them.
        unique_indices: a promise that no element is written twice.
        mode: what happens to windows that do not lie inside, default 'drop'; see `GatherScatterMode`.
    """
    return _scatter(
        "scatter", "set", operand, scatter_indices, updates, dimension_numbers, unique_indices, mode
    )


def _family(name: str, op: str, doc: str) -> Any:
    def function(
        operand: Any,
        scatter_indices: Any,
        updates: Any,
        dimension_numbers: ScatterDimensionNumbers,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
    ) -> Any:
        return _scatter(name, op, operand, scatter_indices, updates, dimension_numbers, unique_indices, mode)

    function.__name__ = function.__qualname__ = name
    function.__module__ = "fx.lax"
    function.__doc__ = f"{doc} Arguments as in `scatter`; every update counts."
    return function


scatter_add = _family("scatter_add", "add", "The operand with updates added to windows.")
scatter_mul = _family("scatter_mul", "multiply", "The operand with windows multiplied by updates.")
scatter_min = _family("scatter_min", "min", "The operand with the smaller of windows and updates.")
scatter_max = _family("scatter_max", "max", "The operand with the larger of windows and updates.")


def scatter_sub(
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    dimension_numbers: ScatterDimensionNumbers,
    *,
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """The operand with updates subtracted from windows. Arguments as in `scatter`; every update counts."""
    negative = e.neg(array(updates))
    return _scatter(
        "scatter_sub", "add", operand, scatter_indices, negative, dimension_numbers, unique_indices, mode
    )


def scatter_apply(
    operand: Any,
    scatter_indices: Any,
    func: Callable[[Any], Any],
    dimension_numbers: ScatterDimensionNumbers,
    *,
    update_shape: Sequence[int] = (),
    indices_are_sorted: bool = False,
    unique_indices: bool = False,
    mode: Any = None,
) -> Any:
    """`func`, of a scalar, applied to the elements of windows, as often as windows hold them.

    Args:
        update_shape: the shape that updates would have in `scatter`.
    """
    x = array(operand)
    ones = full(static.sizes(update_shape, "scatter_apply: update_shape"), 1, "int64")
    zeros = full(x.shape, 0, "int64")
    times = _scatter("scatter_apply", "add", zeros, scatter_indices, ones, dimension_numbers, False, mode)
    most = red.reduce_max(times, axes=tuple(range(x.ndim))) if x.size else np.int64(0)
    flat, count = reshape(x, (x.size,)), reshape(times, (x.size,))

    def step(state: Any) -> Any:
        done, value = state
        return done + 1, e.select(e.gt(count, done), vmap(func)(value), value)

    return reshape(while_loop(lambda state: e.lt(state[0], most), step, (np.int64(0), flat))[1], x.shape)


def _scatter(
    name: str,
    op: str,
    operand: Any,
    scatter_indices: Any,
    updates: Any,
    numbers: Any,
    unique: bool,
    mode: Any,
) -> Any:
    x, updates = (array(v) for v in one_dtype(name, operand, updates))
    indices, n = array(scatter_indices), _of_kind(numbers, ScatterDimensionNumbers, name)
    places = _places(
        name, x, indices, n.update_window_dims, n.inserted_window_dims, n.scatter_dims_to_operand_dims,
        n.operand_batching_dims, n.scatter_indices_batching_dims,
    )  # fmt: skip
    sizes = _update_window(name, x, indices, updates, places)
    found = _windows(x, indices, sizes, places)
    if not found.axes:  # windows are the whole operand
        found = found._replace(axes=(0,), indices=_whole(x, found.shape)) if x.ndim else found
    order = _result_order(len(found.shape), len(places.window), places.window)
    lines_ = transpose(updates, np.argsort(order).tolist())
    if not x.ndim:
        return _scatter_scalar(x, lines_, found, op, mode)
    lines_ = _to_primitive(lines_, found, sizes, places)
    where = _outside_dropped(found, x, mode)
    return gs.scatter(x, lines_, *where, axes=found.axes, at=0, op=op, mode="fill", unique=bool(unique))


def _whole(x: Any, shape: tuple[int, ...]) -> list[Any]:
    return [broadcast_to(iota((x.shape[0],)), (*shape, x.shape[0]))]


def _scatter_scalar(x: Any, updates: Any, found: Windows, op: str, mode: Any) -> Any:
    """An operand without axes is one with an axis of size 1."""
    index = e.convert(broadcast_to(np.int64(0), found.shape), "int64")
    y = gs.scatter(reshape(x, (1,)), updates, index, axes=(0,), at=0, op=op, mode="fill")
    return reshape(y, ())


def _update_window(name: str, x: Any, indices: Any, updates: Any, places: Places) -> list[int]:
    """The window over all operand axes, from the shape of the updates."""
    if updates.ndim != indices.ndim - 1 + len(places.window) or any(a >= updates.ndim for a in places.window):
        raise ShapeError(
            f"fx.lax.{name}: updates {describe(updates)} do not fit indices {describe(indices)}."
        )
    batch = [d for i, d in enumerate(updates.shape) if i not in places.window]
    if batch != list(indices.shape[:-1]):
        raise ShapeError(
            f"fx.lax.{name}: updates {describe(updates)} have batch {batch}, indices {describe(indices)} another."
        )
    window = iter(updates.shape[a] for a in places.window)
    gone = places.dropped + places.batch
    sizes = [1 if a in gone else next(window) for a in range(x.ndim)]
    if any(w > d for a, (w, d) in enumerate(zip(sizes, x.shape, strict=True)) if a not in gone):
        raise ShapeError(
            f"fx.lax.{name}: windows {sizes} of updates {describe(updates)} exceed {describe(x)}."
        )
    return sizes


def _to_primitive(updates: Any, found: Windows, sizes: Sequence[int], places: Places) -> Any:
    """(*batch, *windows) as (*batch, *windows of indexed axes, *other axes)."""
    gone, kept = _order(found, sizes, places, len(sizes))
    lead = len(found.shape)
    spread = reshape(updates, (*updates.shape, *[1] * len(gone)))
    back = np.argsort([*range(lead), *kept, *gone]).tolist()
    return transpose(spread, back)


def _outside_dropped(found: Windows, x: Any, mode: Any) -> list[Any]:
    """Index arrays; those of windows that do not lie inside point behind the operand if they are to be dropped."""
    if GatherScatterMode.from_any(mode) is not GatherScatterMode.FILL_OR_DROP:
        return found.indices
    first, *others = found.indices
    ones = [1] * (first.ndim - len(found.shape))
    inside = reshape(found.inside, (*found.shape, *ones))
    return [e.select(inside, first, np.int64(x.shape[found.axes[0]])), *others]
