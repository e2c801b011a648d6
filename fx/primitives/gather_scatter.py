"""Primitives that read and write at computed positions: gather and scatter.

`gather` looks up along some axes with index arrays of one common (broadcast) shape; slices, None and static
integers of a NumPy index are done before it by `slice`, `reverse` and `reshape`. `scatter` is its mirror.
Negative indices count from the end. What happens outside [-size, size) is the `mode`:

    fill                 reads give `fill_value`, writes are dropped
    clip                 the nearest valid position
    wrap                 the position modulo the size
    promise_in_bounds    the caller knows better (NumPy checks nevertheless)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import Aval, is_inexact
from ..core.primitive import Primitive, Sample, Unknown, Zero
from ..core.trace import bind
from .elementwise import convert, eq, select
from .families import accept, align, broadcast_shapes, to_front
from .rows import as_int64, flatten, positions, refuse_outside, scatter_device, scatter_numpy
from .shape import full, iota, move_axis, reshape

MODES = ("fill", "clip", "wrap", "promise_in_bounds")
OPS = ("set", "add", "multiply", "min", "max")


def fill_for(dtype: np.dtype[Any]) -> Any:
    """What an out-of-bounds read gives: NaN, the smallest signed or largest unsigned integer, False."""
    if is_inexact(dtype):
        return dtype.type(np.nan)
    if dtype.kind == "b":
        return np.bool_(False)
    limits = np.iinfo(dtype)
    return dtype.type(limits.max if dtype.kind == "u" else limits.min)


def _lookup_shape(
    name: str, x: Aval, indices: Sequence[Aval], axes: Any, at: int, mode: str
) -> tuple[int, ...]:
    """Shape of what is read or written: the index shape among the other axes."""
    if mode not in MODES:
        raise errors.ArgumentError(
            errors.lines(f"{name}: {mode!r} is not a mode.", f"Choose one of {MODES}.")
        )
    if len(axes) != len(indices) or not axes or list(axes) != sorted(set(axes)) or axes[-1] >= x.ndim:
        raise errors.ShapeError(f"{name} of {x}: {len(indices)} index array(s) for axes {axes}.")
    for i in indices:
        accept(f"{name}: an index", i.dtype, "integer")
    common = broadcast_shapes(f"{name}: index arrays", indices)
    if mode in ("clip", "wrap") and 0 not in common and any(x.shape[a] == 0 for a in axes):
        raise errors.ShapeError(
            errors.lines(
                f"{name} of {x}: mode {mode!r} has no position to go to in an empty axis.", "Use mode='fill'."
            )
        )
    rest = [d for i, d in enumerate(x.shape) if i not in axes]
    if not 0 <= at <= len(rest):
        raise errors.ShapeError(f"{name} of {x}: position {at} is not among the {len(rest)} other axes.")
    return (*rest[:at], *common, *rest[at:])


def natural_position(axes: Sequence[int]) -> int:
    """Where NumPy puts the index shape: in place of adjacent axes, else in front."""
    return axes[0] if axes[-1] - axes[0] + 1 == len(axes) else 0


class Gather(Primitive):
    """x[..., i_1, ..., i_k, ...]: index arrays that broadcast to one shape select along `axes`.

    The result has that shape at position `at` among the other axes of x.
    """

    name = "gather"

    def impl(self, xp: Any, x: Any, *indices: Any, axes: Any, at: int, mode: str, fill_value: Any) -> Any:
        if xp is np and len(axes) == 1 and mode in ("fill", "promise_in_bounds"):
            try:  # NumPy checks bounds while it copies
                index = as_int64(xp, indices[0])
                return _put_index_shape(x.take(index, axis=axes[0]), axes[0], at, index.ndim)
            except IndexError:
                pass
        sizes = [x.shape[a] for a in axes]
        fill = fill_for(x.dtype) if fill_value is None else x.dtype.type(fill_value)
        if 0 in sizes:
            return self._from_nothing(xp, x, indices, axes, at, mode, fill)
        found, valid = positions(xp, indices, sizes, mode)
        out = _look_up(xp, x, found, sizes, axes, at)
        if valid is None:
            return out
        valid = valid.reshape((1,) * at + valid.shape + (1,) * (x.ndim - len(axes) - at))
        return xp.where(valid, out, fill).astype(x.dtype, copy=False)

    def _from_nothing(self, xp: Any, x: Any, indices: Any, axes: Any, at: int, mode: str, fill: Any) -> Any:
        avals = [Aval(tuple(i.shape), i.dtype) for i in indices]
        shape = _lookup_shape(self.name, Aval(x.shape, x.dtype), avals, axes, at, mode)
        if xp is np and mode == "promise_in_bounds" and 0 not in shape:
            empty = axes[[x.shape[a] for a in axes].index(0)]
            refuse_outside(indices[axes.index(empty)], 0, "gather")
        return xp.full(shape, fill, x.dtype)

    def shape(self, x: Aval, *indices: Aval, axes: Any, at: int, mode: str, fill_value: Any) -> Aval:
        return Aval(_lookup_shape(self.name, x, indices, axes, at, mode), x.dtype, x.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, fill_value: Any, **where: Any) -> Any:
        return bind(self, tangents[0], *primals[1:], **where, fill_value=0)

    def transpose(
        self, ct: Any, x: Any, *indices: Any, axes: Any, at: int, mode: str, fill_value: Any
    ) -> list[Any]:
        zeros = full(x.aval.shape, 0, ct.dtype)
        out = scatter(zeros, ct, *indices, axes=axes, at=at, op="add", mode=mode)
        return [out, *[None] * len(indices)]

    def batch(
        self, axis: Any, operands: Any, dims: Any, *, axes: Any, at: int, mode: str, fill_value: Any
    ) -> Any:
        (x, *indices), (dx, *di) = operands, dims
        common = {"mode": mode, "fill_value": fill_value}
        if all(d is None for d in di):
            moved = tuple(a + (a >= dx) for a in axes)
            place = dx - sum(a < dx for a in moved)  # of the batch axis among the other axes
            inside = place < at
            out = bind(self, x, *indices, axes=moved, at=at + inside, **common)
            rank = len(common_shape(indices))
            return out, place if inside else place + rank
        indices = align(indices, di)
        if dx is not None:
            x = to_front(x, dx, axis.size)
            indices, axes = [batch_index(indices, axis.size), *indices], (0, *[a + 1 for a in axes])
        return bind(self, x, *indices, axes=axes, at=at, **common), at

    def cost(self, x: Aval, *indices: Aval, axes: Any, at: int, mode: str, fill_value: Any) -> int:
        return Aval(_lookup_shape(self.name, x, indices, axes, at, mode), x.dtype).size

    def samples(self, rng: Any) -> Any:
        for x_shape, indices, axes, at, mode in _sample_cases(rng):
            params = {"axes": axes, "at": at, "mode": mode, "fill_value": 0.5}
            yield Sample((rng.normal(size=x_shape), *indices), params, _gather_oracle)


def _put_index_shape(out: Any, natural: int, at: int, rank: int) -> Any:
    """`out` with its `rank` index axes moved from position `natural` to `at`."""
    if natural == at or rank == 0:
        return out
    order = [i for i in range(out.ndim) if not natural <= i < natural + rank]
    return out.transpose((*order[:at], *range(natural, natural + rank), *order[at:]))


def _look_up(xp: Any, x: Any, found: Any, sizes: Any, axes: Any, at: int) -> Any:
    """x at valid positions."""
    first, last = axes[0], axes[-1]
    adjacent = last - first + 1 == len(axes)
    if len(axes) == 1 or (adjacent and x.flags.c_contiguous):
        flat = flatten(found, sizes)
        merged = (*x.shape[:first], math.prod(sizes), *x.shape[last + 1 :])
        out = x.reshape(merged).take(flat, axis=first)
        return _put_index_shape(out, first, at, flat.ndim)
    key: list[Any] = [slice(None)] * x.ndim
    for a, i in zip(axes, found, strict=True):
        key[a] = xp.asarray(i)  # an array even where it is a scalar, so that the result is never a view
    rank = len(common_shape(found))
    return _put_index_shape(x[tuple(key)], first if adjacent else 0, at, rank)


def common_shape(indices: Sequence[Any]) -> tuple[int, ...]:
    return broadcast_shapes("index arrays", indices)


def batch_index(indices: Sequence[Any], size: int) -> Any:
    """The number of the batch element, to stand beside index arrays whose batch axis is in front."""
    rank = len(common_shape(indices))
    return iota((size, *[1] * (rank - 1)), 0, np.int64)


gather_p = Gather()


def gather(
    x: Any,
    *indices: Any,
    axes: Sequence[int],
    at: int | None = None,
    mode: str = "fill",
    fill_value: Any = None,
) -> Any:
    """x at index arrays along `axes`; `at`: where the index shape goes (default: as NumPy does)."""
    axes = tuple(axes)
    at = natural_position(axes) if at is None else at
    return bind(gather_p, x, *indices, axes=axes, at=at, mode=mode, fill_value=fill_value)


class Scatter(Primitive):
    """x with `updates` set, added, multiplied, or taken the minimum or maximum with, at index arrays.

    `updates` has the shape that `gather` with the same `axes` and `at` would give. Every duplicate counts;
    of those that set, the last in C order wins. `unique` promises that there are none. On a GPU floats are
    added in no fixed order.
    """

    name = "scatter"

    def impl(
        self,
        xp: Any,
        x: Any,
        updates: Any,
        *indices: Any,
        axes: Any,
        at: int,
        op: str,
        mode: str,
        unique: bool,
    ) -> Any:
        if x.size == 0 or updates.size == 0:
            return x.copy()
        common = common_shape(indices)
        found, valid = positions(xp, indices, [x.shape[a] for a in axes], mode)
        found = [(i if i.shape == common else xp.broadcast_to(i, common)).reshape(-1) for i in found]
        rank, rest = len(common), [i for i in range(x.ndim) if i not in axes]
        lines = updates
        if at:
            lines = lines.transpose((*range(at, at + rank), *range(at), *range(at + rank, updates.ndim)))
        lines = lines.reshape(-1, *[x.shape[i] for i in rest])
        order = (*axes, *rest)
        if valid is not None:
            valid = xp.broadcast_to(valid, common).reshape(-1)
        if xp is not np:
            return scatter_device(xp, x, lines, found, valid, order, op, unique)
        if valid is not None:
            found, lines = [i[valid] for i in found], lines[valid]
        return scatter_numpy(x, lines, found, order, op, unique)

    def shape(
        self, x: Aval, updates: Aval, *indices: Aval, axes: Any, at: int, op: str, mode: str, unique: bool
    ) -> Aval:
        if op not in OPS:
            raise errors.ArgumentError(
                errors.lines(f"scatter: {op!r} is no operation.", f"Choose one of {OPS}.")
            )
        if op in ("min", "max"):
            accept(f"scatter with op={op!r}", x.dtype, "real")
        shape = _lookup_shape(self.name, x, indices, axes, at, mode)
        if updates.shape != shape:
            raise errors.ShapeError(
                f"scatter into {x}: updates of shape {shape} are needed; they are {updates}."
            )
        if updates.dtype != x.dtype:
            raise errors.DTypeError(f"scatter needs updates of the dtype of x; got {updates} for {x}.")
        return Aval(x.shape, x.dtype, x.weak and updates.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, op: str, unique: bool, **where: Any) -> Any:
        (x, updates, *indices), (dx, du) = primals, tangents[:2]
        if op in ("set", "add"):
            return self._linear_jvp(x, updates, indices, dx, du, op, unique, where)
        if op == "multiply":
            return self._product_jvp(x, updates, indices, dx, du, unique, where)
        return self._extremum_jvp(x, updates, indices, out, dx, du, where)

    def _linear_jvp(
        self, x: Any, updates: Any, indices: Any, dx: Any, du: Any, op: str, unique: bool, where: Any
    ) -> Any:
        if op == "add" and type(du) is Zero:
            return dx
        dx = full(x.shape, 0, x.dtype) if type(dx) is Zero else dx
        du = full(updates.shape, 0, x.dtype) if type(du) is Zero else du
        return bind(self, dx, du, *indices, op=op, unique=unique, **where)

    def _product_jvp(
        self, x: Any, updates: Any, indices: Any, dx: Any, du: Any, unique: bool, where: Any
    ) -> Any:
        """Each factor's tangent times the product of the others that meet at its position."""
        total = None
        if type(dx) is not Zero:
            total = bind(self, dx, updates, *indices, op="multiply", unique=unique, **where)
        if type(du) is Zero:
            return total
        others = _read(x, indices, where)
        if not unique:
            others = others * _other_factors(x, updates, indices, where)
        base = full(x.shape, 0, x.dtype) if total is None else total
        return bind(self, base, du * others, *indices, op="add", unique=unique, **where)

    def _extremum_jvp(
        self, x: Any, updates: Any, indices: Any, out: Any, dx: Any, du: Any, where: Any
    ) -> Any:
        """The mean of the tangents of all that reach the extremum; ties share equally."""
        kept = convert(eq(x, out), x.dtype)
        hits = convert(eq(updates, _read(out, indices, where)), x.dtype)
        count = bind(self, kept, hits, *indices, op="add", unique=False, **where)
        total = full(x.shape, 0, x.dtype) if type(dx) is Zero else dx * kept
        if type(du) is not Zero:
            total = bind(self, total, du * hits, *indices, op="add", unique=False, **where)
        return total / count

    def transpose(
        self, ct: Any, x: Any, updates: Any, *indices: Any, op: str, unique: bool, **where: Any
    ) -> list[Any]:
        nones = [None] * len(indices)
        if op == "multiply" and type(updates) is not Unknown:
            return [bind(self, ct, updates, *indices, op=op, unique=unique, **where), None, *nones]
        if op not in ("set", "add"):
            raise errors.RuleError(
                f"scatter with op={op!r} is not linear in its updates and has no transpose."
            )
        ct_x = ct_u = None
        if type(x) is Unknown:
            shape = (updates.aval if type(updates) is Unknown else updates).shape
            gone = full(shape, 0, ct.dtype)
            ct_x = ct if op == "add" else bind(self, ct, gone, *indices, op=op, unique=unique, **where)
        if type(updates) is Unknown:
            ct_u = _read(ct, indices, where)
            if op == "set" and not unique:
                ct_u = select(_winners(ct.shape, indices, where, ct_u.ndim), ct_u, ct.dtype.type(0))
        return [ct_x, ct_u, *nones]

    def batch(
        self, axis: Any, operands: Any, dims: Any, *, axes: Any, at: int, op: str, mode: str, unique: bool
    ) -> Any:
        (x, updates, *indices), (dx, du, *di) = operands, dims
        x, updates = to_front(x, dx, axis.size), to_front(updates, du, axis.size)
        axes = tuple(a + 1 for a in axes)
        if all(d is None for d in di):
            at += 1
        else:
            indices = align(indices, di)
            indices, axes = [batch_index(indices, axis.size), *indices], (0, *axes)
            updates = move_axis(updates, 0, at) if at else updates
        return bind(self, x, updates, *indices, axes=axes, at=at, op=op, mode=mode, unique=unique), 0

    def cost(self, x: Aval, updates: Aval, *indices: Aval, **params: Any) -> int:
        return updates.size

    def samples(self, rng: Any) -> Any:
        for x_shape, indices, axes, at, mode in _sample_cases(rng):
            avals = [Aval(i.shape, i.dtype) for i in indices]
            shape = _lookup_shape("scatter", Aval(x_shape, np.dtype(float)), avals, axes, at, mode)
            for op in OPS:
                x, updates = _draw(rng, x_shape, shape, op)
                params = {"axes": axes, "at": at, "op": op, "mode": mode, "unique": False}
                yield Sample((x, updates, *indices), params, _scatter_oracle)
        distinct = np.array([2, 0])
        for op in OPS:
            params = {"axes": (0,), "at": 0, "op": op, "mode": "promise_in_bounds", "unique": True}
            yield Sample(
                (rng.normal(size=(4, 3)), rng.normal(size=(2, 3)), distinct), params, _scatter_oracle
            )


def _read(x: Any, indices: Any, where: Any) -> Any:
    """x where a scatter writes; 0 for what it drops."""
    return bind(gather_p, x, *indices, **where, fill_value=0)


def _other_factors(x: Any, updates: Any, indices: Any, where: Any) -> Any:
    """For every update, the product of the other updates at its position.

    Zeros are counted apart. With z zeros at a position, of sum s (0, but its derivative is not), and the
    product p of the rest, the others of a nonzero u multiply to p/u, s*p/u, 0 for z = 0, 1, more, and those
    of a zero u to p, (s - u)*p, 0 for z = 1, 2, more. Right with its first derivative everywhere, and to all
    orders where no update is zero.
    """
    zero, one, two = (x.dtype.type(n) for n in (0, 1, 2))
    at_zero = eq(updates, zero)

    def gathered(start: Any, values: Any, op: str) -> Any:
        table = scatter_p(full(x.shape, start, x.dtype), values, *indices, op=op, unique=False, **where)
        return _read(table, indices, where)

    safe = select(at_zero, one, updates)
    rest = gathered(1, safe, "multiply")
    zeros = gathered(0, convert(at_zero, x.dtype), "add")
    total = gathered(0, select(at_zero, updates, zero), "add")
    none, single = eq(zeros, zero), eq(zeros, one)
    of_nonzero = select(none, one, select(single, total, zero)) * (rest / safe)
    of_zero = select(single, one, select(eq(zeros, two), total - updates, zero)) * rest
    return select(at_zero, of_zero, of_nonzero)


def _winners(shape: Any, indices: Any, where: Any, rank: int) -> Any:
    """Which updates stand after a scatter that sets: the last at each position. Broadcasts against them."""
    axes, at, mode = where["axes"], where["at"], where["mode"]
    common = common_shape(indices)
    count = int(np.prod(common, dtype=int))
    number = reshape(iota((count,), 0, np.int64), common)
    rows = {"axes": tuple(range(len(axes))), "at": 0, "mode": mode}
    start = full([shape[a] for a in axes], -1, np.int64)
    last = scatter_p(start, number, *indices, op="max", unique=False, **rows)
    won = eq(bind(gather_p, last, *indices, **rows, fill_value=-1), number)
    return reshape(won, (*[1] * at, *common, *[1] * (rank - at - len(common))))


scatter_p = Scatter()


def scatter(
    x: Any,
    updates: Any,
    *indices: Any,
    axes: Sequence[int],
    at: int | None = None,
    op: str = "set",
    mode: str = "fill",
    unique: bool = False,
) -> Any:
    """x changed by `updates` at index arrays along `axes`; `op`: set, add, multiply, min or max."""
    axes = tuple(axes)
    at = natural_position(axes) if at is None else at
    unique = unique or _single(indices)
    return bind(scatter_p, x, updates, *indices, axes=axes, at=at, op=op, mode=mode, unique=unique)


def _single(indices: Any) -> bool:
    return all(d == 1 for i in indices for d in i.shape)


# Samples and oracles: plain loops over every position


def _sample_cases(rng: Any) -> Any:
    """(shape of x, index arrays, axes, at, mode)."""
    i = np.array
    return (
        ((4, 3), (i([2, 0, 3, 2]),), (0,), 0, "promise_in_bounds"),
        ((4, 3), (i([[2, -1], [0, 2]]),), (0,), 1, "promise_in_bounds"),
        ((4, 3), (i([2, 4, -5, 0], np.int32),), (0,), 0, "fill"),
        ((4, 3), (i([9, -9, 1]), i([0, 1, 1])), (0, 1), 0, "clip"),
        ((2, 3, 4), (i([[5], [-1]]), i([-7, 0, 1], np.int8)), (0, 2), 1, "wrap"),
        ((2, 3, 4), (i([1, 3, 1]), i([0, 0, 0])), (1, 2), 1, "fill"),
        ((5,), (np.int64(-2),), (0,), 0, "fill"),
        ((3, 2), (np.zeros((0,), np.int64),), (0,), 0, "promise_in_bounds"),
        ((0, 2), (i([1]),), (0,), 0, "fill"),
        ((1,), (i([0]),), (0,), 0, "clip"),
    )


def _draw(rng: Any, x_shape: Any, shape: Any, op: str) -> Any:
    """x and updates; for extrema far apart, so that differences see one of them."""
    n = int(np.prod(x_shape))
    numbers = rng.normal(size=n + int(np.prod(shape)))
    if op in ("min", "max"):
        numbers = rng.permutation(len(numbers)) - 0.25
    return numbers[:n].reshape(x_shape), numbers[n:].reshape(shape)


def _oracle_places(x: Any, indices: Any, axes: Any, at: int, mode: str) -> Any:
    """Pairs (index into the result, index into x or None: dropped), in C order of the index shape."""
    indices = np.broadcast_arrays(*indices)
    rest = [a for a in range(x.ndim) if a not in axes]
    for b in np.ndindex(indices[0].shape):
        for r in np.ndindex(*[x.shape[a] for a in rest]):
            place: Any = dict(zip(rest, r, strict=True))
            for a, i in zip(axes, indices, strict=True):
                n, j = x.shape[a], int(i[b])
                j = j % n if mode == "wrap" else j + n if j < 0 else j
                place[a] = min(max(j, 0), n - 1) if mode == "clip" else j
            inside = all(0 <= place[a] < x.shape[a] for a in axes)
            yield (*r[:at], *b, *r[at:]), tuple(place[a] for a in range(x.ndim)) if inside else None


def _gather_oracle(x: Any, *indices: Any, axes: Any, at: int, mode: str, fill_value: Any) -> Any:
    x = np.asarray(x)
    common = np.broadcast_shapes(*[np.shape(i) for i in indices])
    rest = [d for a, d in enumerate(x.shape) if a not in axes]
    out = np.empty((*rest[:at], *common, *rest[at:]), x.dtype)
    for to, place in _oracle_places(x, indices, axes, at, mode):
        out[to] = fill_value if place is None else x[place]
    return out


def _scatter_oracle(
    x: Any, updates: Any, *indices: Any, axes: Any, at: int, op: str, mode: str, unique: bool
) -> Any:
    out = np.array(x)
    combine = {
        "set": lambda a, b: b, "add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum,
    }[op]  # fmt: skip
    for source, place in _oracle_places(out, indices, axes, at, mode):
        if place is not None:
            out[place] = combine(out[place], updates[source])
    return out
