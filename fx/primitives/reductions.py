"""Reductions over axes: sum, prod, max, min, any, all, argmax, argmin. float16 and bfloat16 accumulate in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, absent
from ..core.trace import bind
from .elementwise import convert, eq
from .families import accept, zero_of
from .shape import broadcast_p, full, reshape


def reduced_shape(name: str, x: Aval, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without `axes`, which must be distinct axes of x."""
    if any(not 0 <= a < x.ndim for a in axes) or len(set(axes)) != len(axes):
        raise errors.ShapeError(f"{name}: axes {axes} do not fit {x}.")
    return tuple(d for i, d in enumerate(x.shape) if i not in axes)


def restore(y: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """A reduced value broadcast back over the axes that were reduced."""
    kept = tuple(i for i in range(len(shape)) if i not in axes)
    return bind(broadcast_p, y, shape=tuple(shape), axes=kept) if axes else y


def batch_axes(axes: tuple[int, ...], dim: int) -> tuple[tuple[int, ...], int]:
    """Axes of the batched operand, and where its batch axis ends up."""
    moved = tuple(a + (a >= dim) for a in axes)
    return moved, dim - sum(a < dim for a in moved)


class Reduction(Primitive):
    """One value from all along some axes."""

    kinds = "any"
    method = ""

    def impl(self, xp: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
        if dtypes.is_low_precision(x.dtype):
            return getattr(xp, self.method)(x.astype(np.float32), axis=axes).astype(x.dtype)
        return getattr(xp, self.method)(x, axis=axes)

    def shape(self, x: Aval, *, axes: tuple[int, ...]) -> Aval:
        accept(self.name, x.dtype, self.kinds)
        return Aval(reduced_shape(self.name, x, axes), x.dtype, x.weak)

    def batch(self, axis: Any, operands: Any, dims: Any, *, axes: tuple[int, ...]) -> Any:
        moved, out = batch_axes(axes, dims[0])
        return self(operands[0], axes=moved), out

    def cost(self, x: Aval, *, axes: tuple[int, ...]) -> int:
        return x.size

    def samples(self, rng: Any) -> Any:
        oracle = lambda x, axes: getattr(np, self.method)(x, axis=axes)
        shapes = (((3, 4), (0,)), ((3, 4), (0, 1)), ((2, 3, 4), (0, 2)), ((), ()), ((3, 1), ()))
        return [Sample((self._draw(rng, s),), {"axes": a}, oracle) for s, a in shapes]

    def _draw(self, rng: Any, shape: tuple[int, ...]) -> Any:
        return rng.normal(size=shape)


class Sum(Reduction):
    name = "sum"
    kinds = "number"
    method = "sum"

    def impl(self, xp: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
        if dtypes.is_low_precision(x.dtype):
            return xp.sum(x, axis=axes, dtype=np.float32).astype(x.dtype)
        return xp.sum(x, axis=axes, dtype=x.dtype)

    def kernel(self, xp: Any, params: dict[str, Any]) -> Callable[..., Any]:
        if xp is not np:
            return super().kernel(xp, params)
        axes = params["axes"]
        axis = axes[0] if len(axes) == 1 else axes
        reduce = np.add.reduce

        def kernel(x: Any) -> Any:
            if dtypes.is_low_precision(x.dtype):
                return reduce(x, axis=axis, dtype=np.float32).astype(x.dtype)
            return reduce(x, axis=axis, dtype=x.dtype)

        return kernel

    def jvp(self, primals: Any, out: Any, tangents: Any, *, axes: tuple[int, ...]) -> Any:
        return self(tangents[0], axes=axes)

    def transpose(self, ct: Any, x: Any, *, axes: tuple[int, ...]) -> list[Any]:
        return [restore(ct, x.aval.shape, axes)]


class Prod(Reduction):
    name = "prod"
    kinds = "number"
    method = "prod"

    def impl(self, xp: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
        if dtypes.is_low_precision(x.dtype):
            return xp.prod(x, axis=axes, dtype=np.float32).astype(x.dtype)
        return xp.prod(x, axis=axes, dtype=x.dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, axes: tuple[int, ...]) -> Any:
        """sum_i dx_i * prod_{j != i} x_j, from exclusive products on both sides: right at zeros too."""
        (x,), (dx,) = primals, tangents
        return reduce_sum(dx * _products_of_others(x, axes), axes=axes)

    transpose = absent("a product is not linear")


def _products_of_others(x: Any, axes: tuple[int, ...]) -> Any:
    from .cumulative import cumprod
    from .shape import concatenate, slice_axis, transpose

    kept = tuple(i for i in range(x.ndim) if i not in axes)
    order = (*kept, *axes)
    shape = [x.shape[i] for i in order]
    lead = shape[: len(kept)]
    n = int(np.prod(shape[len(kept) :], dtype=int))
    flat = reshape(transpose(x, order), (*lead, n))
    last = len(lead)
    ones = full((*lead, 1), 1, x.dtype)
    if n == 0:
        return full(x.shape, 1, x.dtype)
    before = concatenate([ones, slice_axis(cumprod(flat, axis=last, reverse=False), 0, n - 1, last)], last)
    after = concatenate([slice_axis(cumprod(flat, axis=last, reverse=True), 1, n, last), ones], last)
    back = tuple(int(i) for i in np.argsort(order))
    return transpose(reshape(before * after, shape), back)


class Extremum(Reduction):
    """max or min; ties share the derivative equally."""

    kinds = "real"

    def __init__(self, name: str):
        self.name = self.method = name

    def shape(self, x: Aval, *, axes: tuple[int, ...]) -> Aval:
        if any(x.shape[a] == 0 for a in axes if a < x.ndim):
            raise errors.ShapeError(
                f"{self.name} over the empty axes {axes} of {x} has no value; pass initial= for one."
            )
        return super().shape(x, axes=axes)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, axes: tuple[int, ...]) -> Any:
        (x,), (dx,) = primals, tangents
        hit = convert(eq(x, restore(out, x.shape, axes)), x.dtype)
        count = reduce_sum(hit, axes=axes)
        return reduce_sum(dx * hit, axes=axes) / count

    transpose = absent("it is not linear")


class Logical(Reduction):
    """any or all of booleans."""

    def __init__(self, name: str):
        self.name = self.method = name

    def impl(self, xp: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
        return getattr(xp, self.method)(x, axis=axes)

    def shape(self, x: Aval, *, axes: tuple[int, ...]) -> Aval:
        if x.dtype.kind != "b":
            raise errors.DTypeError(f"{self.name} reduces booleans; got {x}.")
        return super().shape(x, axes=axes)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    transpose = absent("it has no derivative")

    def _draw(self, rng: Any, shape: tuple[int, ...]) -> Any:
        return np.asarray(rng.normal(size=shape) > 0)


class ArgExtremum(Primitive):
    """Index of the first largest (smallest) element along one axis."""

    def __init__(self, name: str):
        self.name = name

    def impl(self, xp: Any, x: Any, *, axis: int, dtype: np.dtype[Any]) -> Any:
        x = x.astype(np.float32) if dtypes.is_low_precision(x.dtype) else x
        return getattr(xp, self.name)(x, axis=axis).astype(dtype)

    def shape(self, x: Aval, *, axis: int, dtype: np.dtype[Any]) -> Aval:
        accept(self.name, x.dtype, "real")
        out = reduced_shape(self.name, x, (axis,))
        if x.shape[axis] == 0:
            raise errors.ShapeError(f"{self.name} over the empty axis {axis} of {x} has no value.")
        return Aval(out, dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    transpose = absent("it has no derivative")

    def batch(self, batch_axis: Any, operands: Any, dims: Any, *, axis: int, dtype: Any) -> Any:
        (axis,), out = batch_axes((axis,), dims[0])
        return self(operands[0], axis=axis, dtype=dtype), out

    def cost(self, x: Aval, **params: Any) -> int:
        return x.size

    def samples(self, rng: Any) -> Any:
        oracle = lambda x, axis, dtype: getattr(np, self.name)(x, axis).astype(dtype)
        int64 = np.dtype("int64")
        return [Sample((rng.normal(size=(3, 4)),), {"axis": a, "dtype": int64}, oracle) for a in (0, 1)]


reduce_sum = Sum()
reduce_prod = Prod()
reduce_max = Extremum("max")
reduce_min = Extremum("min")
reduce_max.name, reduce_min.name = "reduce_max", "reduce_min"
reduce_any = Logical("any")
reduce_all = Logical("all")
argmax = ArgExtremum("argmax")
argmin = ArgExtremum("argmin")
