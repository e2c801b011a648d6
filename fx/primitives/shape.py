"""Primitives that change shape or order: reshape, transpose, broadcast, slice, pad, concatenate, reverse, iota."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import DYNAMIC, Aval
from ..core.primitive import Primitive, Sample, Unknown, Zero, absent
from ..core.trace import bind
from .families import to_front, zero_of


class Structural(Primitive):
    """Linear in operand 0, moving elements only: the tangent takes the same way as the value."""

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return self(tangents[0], **params)


class Reshape(Structural):
    name = "reshape"
    view = True

    def impl(self, xp: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
        return x.reshape(shape)

    def shape(self, x: Aval, *, shape: tuple[int, ...]) -> Aval:
        if math.prod(shape) != x.size:
            raise errors.ShapeError(
                f"An array of shape {x.shape} cannot be reshaped to {shape}: sizes differ."
            )
        return Aval(shape, x.dtype, x.weak)

    def transpose(self, ct: Any, x: Any, *, shape: tuple[int, ...]) -> list[Any]:
        return [reshape(ct, x.aval.shape)]

    def batch(self, axis: Any, operands: Any, dims: Any, *, shape: tuple[int, ...]) -> Any:
        return reshape(to_front(operands[0], dims[0], axis.size), (axis.size, *shape)), 0

    def samples(self, rng: Any) -> Any:
        oracle = lambda x, shape: np.reshape(x, shape)
        cases = (((3, 4), (2, 6)), ((3, 4), (12,)), ((), (1, 1)), ((0, 3), (3, 0)), ((1,), ()))
        return [Sample((rng.normal(size=a),), {"shape": b}, oracle) for a, b in cases]


reshape_p = Reshape()


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """x with another shape of the same size; x itself where nothing changes."""
    shape = tuple(shape)
    return x if tuple(x.shape) == shape else bind(reshape_p, x, shape=shape)


class Transpose(Structural):
    name = "transpose"
    view = True

    def impl(self, xp: Any, x: Any, *, perm: tuple[int, ...]) -> Any:
        return x.transpose(perm)

    def shape(self, x: Aval, *, perm: tuple[int, ...]) -> Aval:
        if sorted(perm) != list(range(x.ndim)):
            raise errors.ShapeError(f"{perm} is not a permutation of the {x.ndim} axes of {x}.")
        return Aval(tuple(x.shape[i] for i in perm), x.dtype, x.weak)

    def transpose(self, ct: Any, x: Any, *, perm: tuple[int, ...]) -> list[Any]:
        return [transpose(ct, tuple(int(i) for i in np.argsort(perm)))]

    def batch(self, axis: Any, operands: Any, dims: Any, *, perm: tuple[int, ...]) -> Any:
        (d,) = dims
        return transpose(operands[0], (d, *[i + (i >= d) for i in perm])), 0

    def samples(self, rng: Any) -> Any:
        oracle = lambda x, perm: np.transpose(x, perm)
        cases = (((3, 4), (1, 0)), ((2, 3, 4), (2, 0, 1)), ((), ()), ((0, 3), (1, 0)))
        return [Sample((rng.normal(size=a),), {"perm": p}, oracle) for a, p in cases]


transpose_p = Transpose()


def transpose(x: Any, perm: Sequence[int]) -> Any:
    """x with its axes in another order."""
    perm = tuple(perm)
    return x if perm == tuple(range(len(perm))) == tuple(range(x.ndim)) else bind(transpose_p, x, perm=perm)


def move_axis(x: Any, source: int, target: int) -> Any:
    """x with one axis moved."""
    order = [i for i in range(x.ndim) if i != source]
    order.insert(target, source)
    return transpose(x, order)


class Broadcast(Structural):
    """x with new axes: operand axis i becomes result axis `axes[i]`; axes of size 1 are repeated."""

    name = "broadcast"
    view = True

    def impl(self, xp: Any, x: Any, *, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
        if not shape:
            return x
        middle = [1] * len(shape)
        for i, a in enumerate(axes):
            middle[a] = x.shape[i]
        return xp.broadcast_to(xp.reshape(x, middle), shape)

    def kernel(self, xp: Any, params: dict[str, Any]) -> Any:
        """Small results are written out: NumPy takes longer to make the view than to copy."""
        shape, axes = params["shape"], params["axes"]
        if xp is not np or not shape or math.prod(shape) > 4096:
            return super().kernel(xp, params)
        trailing = axes == tuple(range(len(shape) - len(axes), len(shape)))

        def kernel(x: Any) -> Any:
            out = np.empty(shape, x.dtype)
            if trailing:
                out[...] = x
            else:
                middle = [1] * len(shape)
                for i, a in enumerate(axes):
                    middle[a] = x.shape[i]
                out[...] = x.reshape(middle)
            return out

        return kernel

    def shape(self, x: Aval, *, shape: tuple[int, ...], axes: tuple[int, ...]) -> Aval:
        fits = len(axes) == x.ndim and all(x.shape[i] in (1, shape[a]) for i, a in enumerate(axes))
        if not fits or any(d < 0 for d in shape):
            raise errors.ShapeError(
                f"An array of shape {x.shape} does not broadcast to {shape} along axes {axes}."
            )
        return Aval(shape, x.dtype, x.weak)

    def transpose(self, ct: Any, x: Any, *, shape: tuple[int, ...], axes: tuple[int, ...]) -> list[Any]:
        from .reductions import reduce_sum

        grown = [a for i, a in enumerate(axes) if x.aval.shape[i] == 1 and shape[a] != 1]
        new = [a for a in range(len(shape)) if a not in axes]
        summed = reduce_sum(ct, axes=tuple(sorted(grown + new))) if grown or new else ct
        if any(a > b for a, b in itertools.pairwise(axes)):
            raise errors.ShapeError("broadcast axes must increase")
        return [reshape(summed, x.aval.shape)]

    def batch(
        self, axis: Any, operands: Any, dims: Any, *, shape: tuple[int, ...], axes: tuple[int, ...]
    ) -> Any:
        x = to_front(operands[0], dims[0], axis.size)
        return bind(self, x, shape=(axis.size, *shape), axes=(0, *[a + 1 for a in axes])), 0

    def samples(self, rng: Any) -> Any:
        cases = (
            ((4,), (3, 4), (1,)),
            ((3, 1), (3, 4), (0, 1)),
            ((), (2, 3), ()),
            ((3,), (3, 2), (0,)),
            ((0,), (2, 0), (1,)),
        )
        return [
            Sample((rng.normal(size=a),), {"shape": s, "axes": axes}, _broadcast_oracle)
            for a, s, axes in cases
        ]


def _broadcast_oracle(x: Any, shape: Any, axes: Any) -> Any:
    x = np.asarray(x)
    return np.broadcast_to(
        x.reshape([x.shape[axes.index(a)] if a in axes else 1 for a in range(len(shape))]), shape
    )


broadcast_p = Broadcast()


def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """NumPy's broadcast_to: axes aligned from the right."""
    shape = tuple(shape)
    if tuple(x.shape) == shape:
        return x
    if len(x.shape) > len(shape):
        raise errors.ShapeError(f"An array of shape {x.shape} does not broadcast to {shape}.")
    return bind(broadcast_p, x, shape=shape, axes=tuple(range(len(shape) - len(x.shape), len(shape))))


def spread(x: Any, size: int, position: int) -> Any:
    """x repeated along a new axis."""
    shape = (*x.shape[:position], size, *x.shape[position:])
    axes = [i + (i >= position) for i in range(len(x.shape))]
    return bind(broadcast_p, x, shape=shape, axes=tuple(axes))


class Full(Primitive):
    """An array of one static value."""

    name = "full"

    def impl(self, xp: Any, *, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        if not shape and xp is np:
            return dtype.type(value)
        return xp.full(shape, value, dtype)

    def shape(self, *, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Aval:
        if any(d < 0 for d in shape):
            raise errors.ShapeError(f"Sizes must not be negative: {shape}.")
        return Aval(shape, dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    transpose = absent("it has no operand")
    batch = absent("it has no operand")

    def samples(self, rng: Any) -> Any:
        cases = (((2, 3), np.dtype("float32")), ((), np.dtype("int32")), ((0,), np.dtype("bool")))
        oracle = lambda value, shape, dtype: np.full(shape, value, dtype)
        return [Sample((), {"value": 1, "shape": s, "dtype": d}, oracle) for s, d in cases]


full_p = Full()


def full(shape: Sequence[int], value: Any, dtype: Any) -> Any:
    """An array of one static number."""
    return bind(full_p, value=value, shape=tuple(shape), dtype=np.dtype(dtype))


def zeros(aval: Aval) -> Any:
    """Zeros of an aval."""
    return full(aval.shape, 0, aval.dtype)


class Iota(Primitive):
    """0, 1, 2, ... along one axis of a given shape."""

    name = "iota"

    def impl(self, xp: Any, *, shape: tuple[int, ...], axis: int, dtype: np.dtype[Any]) -> Any:
        line = xp.arange(shape[axis]).astype(dtype)
        if len(shape) == 1:
            return line
        column = line.reshape([-1 if i == axis else 1 for i in range(len(shape))])
        return xp.ascontiguousarray(xp.broadcast_to(column, shape))

    def shape(self, *, shape: tuple[int, ...], axis: int, dtype: np.dtype[Any]) -> Aval:
        if any(d < 0 for d in shape):
            raise errors.ShapeError(f"Sizes must not be negative: {shape}.")
        return Aval(shape, dtype)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        return zero_of(out)

    transpose = absent("it has no operand")
    batch = absent("it has no operand")

    def samples(self, rng: Any) -> Any:
        oracle = lambda shape, axis, dtype: np.indices(shape)[axis].astype(dtype)
        cases = (((5,), 0, "int32"), ((2, 3), 1, "float32"), ((2, 0), 0, "int64"))
        return [Sample((), {"shape": s, "axis": a, "dtype": np.dtype(d)}, oracle) for s, a, d in cases]


iota_p = Iota()


def iota(shape: Sequence[int], axis: int = 0, dtype: Any = "int64") -> Any:
    return bind(iota_p, shape=tuple(shape), axis=axis, dtype=np.dtype(dtype))


class Slice(Structural):
    """x[start:stop:step] with static non-negative bounds and positive steps on every axis."""

    name = "slice"
    view = True

    def impl(self, xp: Any, x: Any, *, start: Any, stop: Any, step: Any) -> Any:
        return x[tuple(map(slice, start, stop, step))]

    def kernel(self, xp: Any, params: dict[str, Any]) -> Any:
        index = tuple(map(slice, params["start"], params["stop"], params["step"]))
        return lambda x: x[index]

    def shape(self, x: Aval, *, start: Any, stop: Any, step: Any) -> Aval:
        dims = zip(x.shape, start, stop, step, strict=True)
        if any(not 0 <= a <= b <= d or s < 1 for d, a, b, s in dims):
            raise errors.ShapeError(f"slice {start}:{stop}:{step} is out of range for shape {x.shape}.")
        return Aval(
            tuple(-(-(b - a) // s) for a, b, s in zip(start, stop, step, strict=True)), x.dtype, x.weak
        )

    def transpose(self, ct: Any, x: Any, *, start: Any, stop: Any, step: Any) -> list[Any]:
        full_shape = x.aval.shape
        high = [
            d - (a + (n - 1) * s + 1) if n else d - a
            for d, a, s, n in zip(full_shape, start, step, ct.shape, strict=True)
        ]
        low = list(start)
        for i, n in enumerate(ct.shape):
            if n == 0:
                low[i], high[i] = full_shape[i], 0
        return [pad(ct, low, high, [s - 1 for s in step])]

    def batch(self, axis: Any, operands: Any, dims: Any, *, start: Any, stop: Any, step: Any) -> Any:
        (x,), (d,) = operands, dims
        insert = lambda items, item: (*items[:d], item, *items[d:])
        return self(x, start=insert(start, 0), stop=insert(stop, axis.size), step=insert(step, 1)), d

    def samples(self, rng: Any) -> Any:
        oracle = lambda x, start, stop, step: x[tuple(map(slice, start, stop, step))]
        cases = (
            ((5, 6), (1, 0), (4, 6), (1, 2)),
            ((7,), (1,), (7,), (3,)),
            ((5,), (2,), (2,), (1,)),
            ((), (), (), ()),
        )
        return [
            Sample((rng.normal(size=s),), {"start": a, "stop": b, "step": c}, oracle) for s, a, b, c in cases
        ]


slice_p = Slice()


def slice_axis(x: Any, start: int, stop: int, axis: int, step: int = 1) -> Any:
    """x[start:stop:step] along one axis."""
    low, high, steps = [0] * x.ndim, list(x.shape), [1] * x.ndim
    low[axis], high[axis], steps[axis] = start, stop, step
    return bind(slice_p, x, start=tuple(low), stop=tuple(high), step=tuple(steps))


class Pad(Primitive):
    """x surrounded by a scalar: low, high (negative: cut off) and interior (between elements) per axis."""

    name = "pad"

    def impl(self, xp: Any, x: Any, value: Any, *, low: Any, high: Any, interior: Any) -> Any:
        shape = _padded(x.shape, low, high, interior)
        out = xp.full(shape, value, dtype=x.dtype)
        if x.size == 0 or out.size == 0:
            return out
        read, write = [], []
        for n, m, a, s in zip(x.shape, shape, low, interior, strict=True):
            step = s + 1
            first = max(0, -(a // step)) if a < 0 else 0
            last = min(n - 1, (m - 1 - a) // step)
            if last < first:
                return out
            read.append(slice(first, last + 1))
            write.append(slice(a + first * step, a + last * step + 1, step))
        out[tuple(write)] = x[tuple(read)]
        return out

    def shape(self, x: Aval, value: Aval, *, low: Any, high: Any, interior: Any) -> Aval:
        if not len(low) == len(high) == len(interior) == x.ndim:
            raise errors.ShapeError(f"pad needs {x.ndim} widths for {x}; got {low}, {high}, {interior}.")
        if value.shape != ():
            raise errors.ShapeError(f"pad: the value must be a scalar; it is {value}.")
        if value.dtype != x.dtype:
            raise errors.DTypeError(f"pad: the value must have the dtype of x, {x.dtype}; it is {value}.")
        shape = _padded(x.shape, low, high, interior)
        if any(s < 0 for s in interior) or any(d < 0 for d in shape):
            raise errors.ShapeError(f"pad of {x} by {low}, {high}, {interior} gives the shape {shape}.")
        return Aval(shape, x.dtype, x.weak and value.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        dx, dv = tangents
        x, value = primals
        zero = out.dtype.type(0)
        if type(dx) is Zero:
            dx = full(x.shape, 0, out.dtype)
        return self(dx, zero if type(dv) is Zero else dv, **params)

    def transpose(self, ct: Any, x: Any, value: Any, *, low: Any, high: Any, interior: Any) -> list[Any]:
        from .reductions import reduce_sum

        inner = self._inner(ct, low, high, interior)
        ct_value = None
        if type(value) is Unknown:
            total = reduce_sum(ct, axes=tuple(range(ct.ndim)))
            ct_value = total - reduce_sum(inner, axes=tuple(range(ct.ndim)))
        return [inner if type(x) is Unknown else None, ct_value]

    def _inner(self, ct: Any, low: Any, high: Any, interior: Any) -> Any:
        none = [0] * ct.ndim
        cut = pad(ct, [-a for a in low], [-b for b in high], none)
        if any(interior):
            stop = tuple(cut.shape)
            cut = bind(slice_p, cut, start=tuple(none), stop=stop, step=tuple(s + 1 for s in interior))
        return cut

    def batch(self, axis: Any, operands: Any, dims: Any, *, low: Any, high: Any, interior: Any) -> Any:
        from .elementwise import select

        (x, value), (dx, dv) = operands, dims
        x = to_front(x, dx, axis.size)
        wide = {"low": (0, *low), "high": (0, *high), "interior": (0, *interior)}
        if dv is None:
            return self(x, value, **wide), 0
        inside = self(full(x.shape, True, bool), np.bool_(False), **wide)
        body = self(x, x.dtype.type(0), **wide)
        return select(inside, body, reshape(value, (axis.size, *[1] * (x.ndim - 1)))), 0

    def samples(self, rng: Any) -> Any:
        x = rng.normal(size=(3, 4))
        cases = (
            ((1, 0), (0, 2), (0, 0)),
            ((-1, 1), (2, -2), (0, 0)),
            ((0, 1), (1, 0), (2, 1)),
            ((-2, -1), (0, 0), (1, 2)),
            ((-5, 0), (4, 0), (0, 0)),
        )
        zero_d = {"low": (), "high": (), "interior": ()}
        return [
            *[
                Sample((x, np.float64(0.5)), {"low": a, "high": b, "interior": c}, _pad_oracle)
                for a, b, c in cases
            ],
            Sample((rng.normal(size=()), np.float64(2.0)), zero_d, _pad_oracle),
            Sample(
                (np.ones((0,)), np.float64(2.0)), {"low": (1,), "high": (1,), "interior": (0,)}, _pad_oracle
            ),
        ]


def _padded(shape: Any, low: Any, high: Any, interior: Any) -> tuple[int, ...]:
    return tuple(a + b + n + max(n - 1, 0) * s for n, a, b, s in zip(shape, low, high, interior, strict=True))


def _pad_oracle(x: Any, value: Any, low: Any, high: Any, interior: Any) -> Any:
    """Dilate, pad generously, then cut: another way than impl's."""
    x = np.asarray(x)
    for axis, s in enumerate(interior):
        n = x.shape[axis]
        if s and n:
            wide = np.full([*x.shape[:axis], n + (n - 1) * s, *x.shape[axis + 1 :]], value, x.dtype)
            np.moveaxis(wide, axis, 0)[:: s + 1] = np.moveaxis(x, axis, 0)
            x = wide
    for axis, (a, b) in enumerate(zip(low, high, strict=True)):
        widths = [(0, 0)] * x.ndim
        widths[axis] = (max(a, 0), max(b, 0))
        x = np.pad(x, widths, constant_values=value)
        x = np.moveaxis(np.moveaxis(x, axis, 0)[max(-a, 0) : x.shape[axis] - max(-b, 0)], 0, axis)
    return x


pad_p = Pad()


def pad(x: Any, low: Sequence[int], high: Sequence[int], interior: Sequence[int], value: Any = None) -> Any:
    """x padded with a scalar (default 0); x itself where nothing changes."""
    if not any(low) and not any(high) and not any(interior):
        return x
    value = x.dtype.type(0) if value is None else value
    return bind(pad_p, x, value, low=tuple(low), high=tuple(high), interior=tuple(interior))


class Concatenate(Primitive):
    """Arrays joined along one axis."""

    name = "concatenate"

    def impl(self, xp: Any, *xs: Any, axis: int) -> Any:
        return xp.concatenate(xs, axis=axis)

    def shape(self, *xs: Aval, axis: int) -> Aval:
        if not xs:
            raise errors.ShapeError("concatenate needs at least one array.")
        rest = {(x.shape[:axis], x.shape[axis + 1 :], x.dtype) for x in xs}
        if len(rest) > 1 or not 0 <= axis < xs[0].ndim:
            raise errors.ShapeError(
                f"concatenate along axis {axis}: {', '.join(map(str, xs))} differ in another axis or in dtype."
            )
        lengths = [x.shape[axis] for x in xs]
        total = DYNAMIC if DYNAMIC in lengths else sum(lengths)
        first = xs[0]
        shape = (*first.shape[:axis], total, *first.shape[axis + 1 :])
        return Aval(shape, first.dtype, all(x.weak for x in xs))

    def jvp(self, primals: Any, out: Any, tangents: Any, *, axis: int) -> Any:
        parts = [
            full(x.shape, 0, x.dtype) if type(t) is Zero else t
            for x, t in zip(primals, tangents, strict=True)
        ]
        return self(*parts, axis=axis)

    def transpose(self, ct: Any, *xs: Any, axis: int) -> list[Any]:
        out, at = [], 0
        for x in xs:
            n = (x.aval if type(x) is Unknown else x).shape[axis]
            out.append(slice_axis(ct, at, at + n, axis) if type(x) is Unknown else None)
            at += n
        return out

    def batch(self, batch_axis: Any, operands: Any, dims: Any, *, axis: int) -> Any:
        parts = [to_front(x, d, batch_axis.size) for x, d in zip(operands, dims, strict=True)]
        return self(*parts, axis=axis + 1), 0

    def samples(self, rng: Any) -> Any:
        oracle = lambda *xs, axis: np.concatenate(xs, axis)
        a, b, c = rng.normal(size=(2, 3)), rng.normal(size=(4, 3)), rng.normal(size=(2, 0))
        return [Sample((a, b), {"axis": 0}, oracle), Sample((a, c, a), {"axis": 1}, oracle)]


concatenate_p = Concatenate()


def concatenate(xs: Sequence[Any], axis: int) -> Any:
    """Arrays of one dtype joined along an axis."""
    return xs[0] if len(xs) == 1 else bind(concatenate_p, *xs, axis=axis)


class Reverse(Structural):
    """x with the order along some axes reversed."""

    name = "reverse"
    view = True

    def impl(self, xp: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
        return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]

    def shape(self, x: Aval, *, axes: tuple[int, ...]) -> Aval:
        if any(not 0 <= a < x.ndim for a in axes) or len(set(axes)) != len(axes):
            raise errors.ShapeError(f"reverse: axes {axes} do not fit {x}.")
        return x

    def transpose(self, ct: Any, x: Any, *, axes: tuple[int, ...]) -> list[Any]:
        return [self(ct, axes=axes)]

    def batch(self, axis: Any, operands: Any, dims: Any, *, axes: tuple[int, ...]) -> Any:
        (d,) = dims
        return self(operands[0], axes=tuple(a + (a >= d) for a in axes)), d

    def samples(self, rng: Any) -> Any:
        oracle = lambda x, axes: np.flip(x, axes)
        return [Sample((rng.normal(size=(3, 4)),), {"axes": a}, oracle) for a in ((0,), (1,), (0, 1))]


reverse = Reverse()
