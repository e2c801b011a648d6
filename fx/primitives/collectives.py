"""Collectives over a named axis of `vmap`: psum, pmax, pmin, all_gather, ppermute, axis_index.

Inside the mapped function they see one element; their batch rule over the axis of that name is where they compute.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import given
from ..core.avals import Aval
from ..core.primitive import Axis, Primitive, absent
from .elementwise import convert, eq, select
from .families import to_front, zero_of
from .reductions import reduce_max, reduce_min, reduce_sum
from .shape import concatenate, full, iota, move_axis, reshape, slice_axis


class Collective(Primitive):
    """One operand; params["axis_name"] names the axis, params["size"] its size."""

    collective = True

    def impl(self, xp: Any, *operands: Any, **params: Any) -> Any:
        raise AssertionError(f"{self.name} is replaced when its axis is mapped")

    def batch(self, axis: Axis, operands: Any, dims: Any, **params: Any) -> Any:
        if axis.name == params["axis_name"]:
            return self.over_axis(axis, operands[0], dims[0], **params)
        return self.over_other(axis, operands[0], dims[0], **params)

    def over_axis(self, axis: Axis, x: Any, dim: int | None, **params: Any) -> Any:
        raise NotImplementedError

    def over_other(self, axis: Axis, x: Any, dim: int, **params: Any) -> Any:
        return self(x, **params), dim


class PSum(Collective):
    """The sum over the axis."""

    name = "psum"

    def shape(self, x: Aval, **params: Any) -> Aval:
        return x

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return self(tangents[0], **params)

    def transpose(self, ct: Any, x: Any, **params: Any) -> list[Any]:
        return [self(ct, **params)]

    def over_axis(self, axis: Axis, x: Any, dim: int | None, **params: Any) -> Any:
        if dim is None:
            return x * x.dtype.type(axis.size), None
        return reduce_sum(x, axes=(dim,)), None


class PExtremum(Collective):
    """The largest (smallest) value over the axis; ties share the derivative."""

    def __init__(self, name: str, reduce: Any):
        self.name, self.reduce = name, reduce

    def shape(self, x: Aval, **params: Any) -> Aval:
        return x

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        hit = convert(eq(primals[0], out), out.dtype)
        return psum(tangents[0] * hit, **params) / psum(hit, **params)

    transpose = absent("it is not linear")

    def over_axis(self, axis: Axis, x: Any, dim: int | None, **params: Any) -> Any:
        return (x, None) if dim is None else (self.reduce(x, axes=(dim,)), None)


class AllGather(Collective):
    """The values of all elements, stacked along a new axis of the result."""

    name = "all_gather"

    def shape(self, x: Aval, *, axis_name: Any, size: int, position: int) -> Aval:
        return Aval((*x.shape[:position], size, *x.shape[position:]), x.dtype, x.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return self(tangents[0], **params)

    def transpose(self, ct: Any, x: Any, *, axis_name: Any, size: int, position: int) -> list[Any]:
        """Sum over all receivers, then take the own slice."""
        total = psum(ct, axis_name=axis_name, size=size)
        mine = eq(iota((size,), 0), axis_index(axis_name=axis_name, size=size))
        mask = reshape(mine, [size if i == position else 1 for i in range(ct.ndim)])
        return [reduce_sum(select(mask, total, total.dtype.type(0)), axes=(position,))]

    def over_axis(
        self, axis: Axis, x: Any, dim: int | None, *, axis_name: Any, size: int, position: int
    ) -> Any:
        if dim is None:
            return given.spread(x, axis.size, position), None
        return move_axis(x, dim, position), None

    def over_other(self, axis: Axis, x: Any, dim: int, *, position: int, **params: Any) -> Any:
        return self(move_axis(x, dim, 0), position=position + 1, **params), 0


class PPermute(Collective):
    """Send each element's value to another one; elements that receive nothing get zeros."""

    name = "ppermute"

    def shape(self, x: Aval, **params: Any) -> Aval:
        return x

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return self(tangents[0], **params)

    def transpose(self, ct: Any, x: Any, *, perm: tuple[tuple[int, int], ...], **params: Any) -> list[Any]:
        return [self(ct, perm=tuple((b, a) for a, b in perm), **params)]

    def over_axis(self, axis: Axis, x: Any, dim: int | None, *, perm: Any, **params: Any) -> Any:
        x = to_front(x, dim, axis.size)
        source = {target: origin for origin, target in perm}
        pieces, i = [], 0
        while i < axis.size:  # runs of neighbours that move together become one slice
            run = i + 1
            while run < axis.size and _continues(source.get(run - 1), source.get(run)):
                run += 1
            pieces.append(_piece(x, source.get(i), run - i))
            i = run
        return concatenate(pieces, 0), 0


def _continues(a: int | None, b: int | None) -> bool:
    return a is None and b is None if a is None or b is None else b == a + 1


def _piece(x: Any, origin: int | None, count: int) -> Any:
    if origin is None:
        return full((count, *x.shape[1:]), 0, x.dtype)
    return slice_axis(x, origin, origin + count, 0)


class AxisIndex(Collective):
    """The position of this element along the axis."""

    name = "axis_index"

    def shape(self, *, axis_name: Any, size: int) -> Aval:
        return Aval((), np.dtype("int64"))

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    transpose = absent("it has no operand")

    def batch(self, axis: Axis, operands: Any, dims: Any, **params: Any) -> Any:
        return iota((axis.size,), 0, "int64"), 0


psum = PSum()
pmax = PExtremum("pmax", reduce_max)
pmin = PExtremum("pmin", reduce_min)
all_gather = AllGather()
ppermute = PPermute()
axis_index = AxisIndex()
COLLECTIVES = (psum, pmax, pmin, all_gather, ppermute, axis_index)
