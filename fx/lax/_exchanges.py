"""Collectives that exchange parts between the elements of a mapped axis, over pytrees."""

from __future__ import annotations

from typing import Any

from ..core import static, tree
from ..core.errors import ShapeError
from ..primitives.shape import move_axis, reshape
from ._collectives import all_gather, axis_index, axis_size, psum
from ._operands import array, describe
from ._slicing import dynamic_index_in_dim


def all_to_all(x: Any, axis_name: Any, split_axis: int, concat_axis: int, *, tiled: bool = False) -> Any:
    """Element i receives part i of every element, along `concat_axis`.

    Args:
        split_axis: the axis of the parts: of the size of the mapped axis, and gone from the result; with `tiled` a
            multiple of it, divided by it in the result, while `concat_axis` grows by as much.
    """
    size = axis_size(axis_name)

    def one(leaf: Any) -> Any:
        leaf = array(leaf)
        at = static.axis(split_axis, leaf.ndim, "all_to_all")
        parts = _parts(leaf, at, size, tiled, "all_to_all")
        mine = _mine(parts, axis_name)
        to = static.axis(concat_axis, leaf.ndim, "all_to_all")
        if not tiled:
            return move_axis(mine, 0, to)
        joined = move_axis(mine, 0, to)
        return reshape(joined, (*joined.shape[:to], size * joined.shape[to + 1], *joined.shape[to + 2 :]))

    return tree.map(one, x)


def pswapaxes(x: Any, axis_name: Any, axis: int) -> Any:
    """The mapped axis and an axis of the same size exchanged."""
    return all_to_all(x, axis_name, axis, axis)


def psum_scatter(x: Any, axis_name: Any, *, scatter_dimension: int = 0, tiled: bool = False) -> Any:
    """The sum over the mapped axis, of which element i keeps part i along an axis; see `all_to_all` for `tiled`."""
    size = axis_size(axis_name)

    def one(leaf: Any) -> Any:
        total = psum(array(leaf), axis_name)
        at = static.axis(scatter_dimension, total.ndim, "psum_scatter")
        parts = _parts(total, at, size, tiled, "psum_scatter")
        return dynamic_index_in_dim(parts, axis_index(axis_name), 0, keepdims=False)

    return tree.map(one, x)


def pbroadcast(x: Any, axis_name: Any, source: int) -> Any:
    """The value of one element of the mapped axis, in all."""
    size = axis_size(axis_name)
    place = static.integer(source, "pbroadcast: source")
    if not 0 <= place < size:
        raise ShapeError(f"pbroadcast: the axis has {size} elements; there is no source {place}.")
    return tree.map(lambda leaf: all_gather(leaf, axis_name)[place], x)


def _parts(x: Any, at: int, size: int, tiled: bool, name: str) -> Any:
    """(size, *rest): the parts along an axis in front; with `tiled` the axis stays, divided."""
    n = x.shape[at]
    if (n % size if tiled else n != size) or not size:
        raise ShapeError(f"{name}: axis {at} of {describe(x)} does not fit a mapped axis of {size} elements.")
    if not tiled:
        return move_axis(x, at, 0)
    return move_axis(reshape(x, (*x.shape[:at], size, n // size, *x.shape[at + 1 :])), at, 0)


def _mine(parts: Any, axis_name: Any) -> Any:
    """(size, *rest): what every element has for this one."""
    everything = all_gather(parts, axis_name)
    return dynamic_index_in_dim(everything, axis_index(axis_name), 1, keepdims=False)
