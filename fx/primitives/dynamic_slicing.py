"""Primitives that read and write a window at a position known only at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, Unknown, Zero
from ..core.trace import bind
from .elementwise import convert, lt, maximum, minimum, select
from .families import accept, to_front
from .gather_scatter import batch_index, gather, scatter
from .rows import as_int64
from .shape import Structural, full, iota, reshape, transpose


class DynamicSlice(Structural):
    """x[start : start + size] per axis; `starts` are integer scalars.

    A negative start counts from the end; then windows that stick out are moved inside, as in jax.lax.
    """

    name = "dynamic_slice"
    view = True

    def impl(self, xp: Any, x: Any, *starts: Any, sizes: Any) -> Any:
        return x[_window(xp, x.shape, starts, sizes)]

    def shape(self, x: Aval, *starts: Aval, sizes: Any) -> Aval:
        _check_window(self.name, x, starts, sizes)
        return Aval(tuple(sizes), x.dtype, x.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, sizes: Any) -> Any:
        return bind(self, tangents[0], *primals[1:], sizes=sizes)

    def transpose(self, ct: Any, x: Any, *starts: Any, sizes: Any) -> list[Any]:
        zeros = full(x.aval.shape, 0, ct.dtype)
        return [bind(dynamic_update_slice, zeros, ct, *starts), *[None] * len(starts)]

    def batch(self, axis: Any, operands: Any, dims: Any, *, sizes: Any) -> Any:
        (x, *starts), (dx, *ds) = operands, dims
        if all(d is None for d in ds):
            inner = (*sizes[:dx], axis.size, *sizes[dx:])
            return bind(self, x, *starts[:dx], np.int64(0), *starts[dx:], sizes=inner), dx
        shape = x.shape if dx is None else tuple(d for i, d in enumerate(x.shape) if i != dx)
        axes, indices = _window_indices(axis.size, shape, starts, ds, sizes)
        moved = axes
        if dx is not None:
            x = to_front(x, dx, axis.size)
            indices, moved = [batch_index(indices, axis.size), *indices], (0, *[a + 1 for a in axes])
        out = gather(x, *indices, axes=moved, at=0, mode="promise_in_bounds")
        return transpose(out, _from_front(axes, len(sizes))), 0

    def samples(self, rng: Any) -> Any:
        cases = (
            ((5, 6), (1, 2), (2, 3)),
            ((5, 6), (4, -1), (3, 2)),
            ((5, 6), (9, -9), (5, 2)),
            ((4,), (1,), (0,)),
            ((3,), (0,), (3,)),
            ((), (), ()),
        )
        for shape, starts, sizes in cases:
            yield Sample((rng.normal(size=shape), *map(np.int32, starts)), {"sizes": sizes}, _window_oracle)


class DynamicUpdateSlice(Primitive):
    """x with the window at `starts` replaced by `update`; the window is moved inside as in dynamic_slice."""

    name = "dynamic_update_slice"

    def impl(self, xp: Any, x: Any, update: Any, *starts: Any) -> Any:
        out = np.array(x) if xp is np else x.copy()
        out[_window(xp, x.shape, starts, update.shape)] = update
        return out

    def shape(self, x: Aval, update: Aval, *starts: Aval) -> Aval:
        _check_window(self.name, x, starts, update.shape)
        if update.dtype != x.dtype:
            raise errors.DTypeError(
                f"dynamic_update_slice needs an update of the dtype of x; got {update} for {x}."
            )
        return Aval(x.shape, x.dtype, x.weak and update.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        (x, update, *starts), (dx, du) = primals, tangents[:2]
        dx = full(x.shape, 0, x.dtype) if type(dx) is Zero else dx
        du = full(update.shape, 0, x.dtype) if type(du) is Zero else du
        return bind(self, dx, du, *starts)

    def transpose(self, ct: Any, x: Any, update: Any, *starts: Any) -> list[Any]:
        sizes = tuple((update.aval if type(update) is Unknown else update).shape)
        ct_x = bind(self, ct, full(sizes, 0, ct.dtype), *starts) if type(x) is Unknown else None
        ct_u = bind(dynamic_slice, ct, *starts, sizes=sizes) if type(update) is Unknown else None
        return [ct_x, ct_u, *[None] * len(starts)]

    def batch(self, axis: Any, operands: Any, dims: Any) -> Any:
        (x, update, *starts), (dx, du, *ds) = operands, dims
        x, update = to_front(x, dx, axis.size), to_front(update, du, axis.size)
        if all(d is None for d in ds):
            return bind(self, x, update, np.int64(0), *starts), 0
        sizes = tuple(update.shape[1:])
        axes, indices = _window_indices(axis.size, x.shape[1:], starts, ds, sizes)
        rest = [a for a in range(len(sizes)) if a not in axes]
        update = transpose(update, (0, *[a + 1 for a in (*axes, *rest)]))
        where = {"axes": (0, *[a + 1 for a in axes]), "at": 0, "mode": "promise_in_bounds"}
        return scatter(x, update, batch_index(indices, axis.size), *indices, **where, unique=True), 0

    def cost(self, x: Aval, update: Aval, *starts: Aval) -> int:
        return update.size

    def samples(self, rng: Any) -> Any:
        for x, *starts in (s.operands for s in dynamic_slice.samples(rng)):
            update = rng.normal(size=[max(d - 1, 0) for d in x.shape])
            yield Sample((x, update, *starts), {}, _window_update_oracle)


def _check_window(name: str, x: Aval, starts: Sequence[Aval], sizes: Any) -> None:
    if not len(starts) == len(sizes) == x.ndim or any(
        not 0 <= n <= d for n, d in zip(sizes, x.shape, strict=False)
    ):
        raise errors.ShapeError(
            f"{name} of {x}: a window of shape {tuple(sizes)} at {len(starts)} start(s) does not fit."
        )
    for s in starts:
        accept(f"{name}: a start", s.dtype, "integer")
        if s.shape != ():
            raise errors.ShapeError(f"{name}: every start is an integer of shape (); one is {s}.")


def _window(xp: Any, shape: Any, starts: Any, sizes: Any) -> Any:
    """The index of a window: slices on the host, arrays on the device, where reading a start would wait."""
    if xp is np:
        low = [_clamped(int(s), d, n) for s, d, n in zip(starts, shape, sizes, strict=True)]
        return tuple([slice(a, a + n) for a, n in zip(low, sizes, strict=True)])
    moving = [i for i, (d, n) in enumerate(zip(shape, sizes, strict=True)) if d != n]
    key: list[Any] = [slice(None)] * len(shape)
    for a in range(moving[0], moving[-1] + 1) if moving else ():
        d, n = shape[a], sizes[a]
        start = as_int64(xp, starts[a])
        start = xp.clip(xp.where(start < 0, start + d, start), 0, d - n)
        key[a] = (start + xp.arange(n)).reshape([-1 if b == a else 1 for b in range(a, moving[-1] + 1)])
    return tuple(key)


def _clamped(start: int, size: int, window: int) -> int:
    return min(max(start + size if start < 0 else start, 0), size - window)


def _window_indices(count: int, shape: Any, starts: Any, dims: Any, sizes: Any) -> tuple[Any, list[Any]]:
    """Axes along which windows may move, and index arrays for them of common shape (count, *window sizes)."""
    axes = tuple(i for i in range(len(shape)) if shape[i] != sizes[i] or dims[i] is not None)
    indices = []
    for place, a in enumerate(axes):
        start = convert(starts[a], np.int64)
        start = select(lt(start, np.int64(0)), start + np.int64(shape[a]), start)
        start = minimum(maximum(start, np.int64(0)), np.int64(shape[a] - sizes[a]))
        start = reshape(start, (count if dims[a] is not None else 1, *[1] * len(axes)))
        indices.append(start + iota((sizes[a], *[1] * (len(axes) - 1 - place)), 0, np.int64))
    return axes, indices


def _from_front(axes: Any, ndim: int) -> tuple[int, ...]:
    """The permutation that brings (batch, *axes, *others) back to (batch, 0, 1, ...)."""
    made = [*axes, *[a for a in range(ndim) if a not in axes]]
    return (0, *[1 + made.index(a) for a in range(ndim)])


dynamic_slice = DynamicSlice()
dynamic_update_slice = DynamicUpdateSlice()


# Oracles


def _window_oracle(x: Any, *starts: Any, sizes: Any) -> Any:
    for a, (s, n) in enumerate(zip(starts, sizes, strict=True)):
        d = x.shape[a]
        first = np.clip(s + d if s < 0 else s, 0, d - n)
        x = np.take(x, range(int(first), int(first) + n), axis=a)
    return np.asarray(x)


def _window_update_oracle(x: Any, update: Any, *starts: Any) -> Any:
    out = np.array(x)
    places = _window_oracle(np.arange(out.size).reshape(out.shape), *starts, sizes=update.shape)
    np.put(out, places, update)
    return out
