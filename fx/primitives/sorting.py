"""Sorting along an axis: `sort` of several operands, `permute`, `searchsorted`, and what follows from them.

The order is NumPy's: NaNs last, -0.0 equal to 0.0, complex numbers by real and then imaginary part, equal keys in
their original order. A tangent takes the way of its value: it is permuted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, Zero, absent
from ..core.trace import bind
from .families import accept, same_dtype, to_front, zero_of
from .shape import iota, move_axis, reverse, slice_axis


def sort(x: Any, axis: int = -1, descending: bool = False) -> Any:
    """x in order along an axis. Descending is ascending turned round, so NaNs come first there."""
    axis = _axis_of("sort", x, axis)
    (y,) = bind(sort_p, x, axis=axis, num_keys=1)
    return reverse(y, axes=(axis,)) if descending else y


def argsort(x: Any, axis: int = -1, descending: bool = False, dtype: Any = "int64") -> Any:
    """The places of the elements of x in sorted order; equal elements keep their order both ways."""
    axis = _axis_of("argsort", x, axis)
    return _ordered(x, axis, descending, dtype)[1]


def sort_key_val(keys: Any, values: Any, axis: int = -1) -> tuple[Any, Any]:
    """`keys` in order along an axis, and `values` (of the same shape) taken along."""
    keys, values = bind(sort_p, keys, values, axis=_axis_of("sort_key_val", keys, axis), num_keys=1)
    return keys, values


def top_k(x: Any, k: int, axis: int = -1) -> tuple[Any, Any]:
    """The k largest elements along an axis, largest first, and their places (int64).

    Of equal elements the first one wins; NaN counts as largest. Gradients flow to the elements taken.
    """
    axis, k = _axis_of("top_k", x, axis), static.integer(k, "top_k: k")
    if not 0 <= k <= x.shape[axis]:
        raise errors.ArgumentError(
            errors.lines(
                f"top_k: k = {k} does not fit axis {axis} of {Aval(tuple(x.shape), x.dtype)}.",
                f"Take between 0 and {x.shape[axis]} elements.",
            )
        )
    values, places = _ordered(x, axis, True, "int64")
    return slice_axis(values, 0, k, axis), slice_axis(places, 0, k, axis)


def searchsorted(a: Any, v: Any, side: str = "left") -> Any:
    """Where to insert v into a, sorted along its last axis, to keep the order.

    a: (*batch, n), v: (*batch, ...) of one dtype. Returns int64 of v's shape: with side="left" the number of
    elements of a that are smaller, with side="right" of those that are not larger. NaN is larger than all else.
    """
    return bind(searchsorted_p, a, v, side=side)


def permute(x: Any, perm: Any, axis: int, inverse: bool = False) -> Any:
    """y[i] = x[perm[i]] along an axis; with `inverse`, y[perm[i]] = x[i]."""
    return bind(permute_p, x, perm, axis=axis, inverse=inverse)


def _ordered(x: Any, axis: int, descending: bool, dtype: Any) -> tuple[Any, Any]:
    """Sorted elements and their places.

    Descending sorts the reversed array and reverses the result, which leaves equal elements in their order.
    """
    places = iota(x.shape, axis, dtype)
    if descending:
        x, places = reverse(x, axes=(axis,)), reverse(places, axes=(axis,))
    y, places = bind(sort_p, x, places, axis=axis, num_keys=1)
    if descending:
        y, places = reverse(y, axes=(axis,)), reverse(places, axes=(axis,))
    return y, places


def _axis_of(name: str, x: Any, axis: int) -> int:
    rank, axis = len(x.shape), static.integer(axis, f"{name}: axis")
    if not -rank <= axis < rank:
        raise errors.ShapeError(
            errors.lines(
                f"{name}: axis {axis} is out of range for {Aval(tuple(x.shape), x.dtype)}.",
                f"Axes run from {-rank} to {rank - 1}." if rank else "An array of shape () has no axes.",
            )
        )
    return axis % rank


class Sort(Primitive):
    """Arrays of one shape brought, along one axis, into the lexicographic order of the first `num_keys`; stable."""

    name = "sort"
    multiple = True

    def impl(self, xp: Any, *operands: Any, axis: int, num_keys: int) -> tuple[Any, ...]:
        if len(operands) == 1:
            return (_sorted(xp, operands[0], axis),)
        order = _lexicographic(xp, operands[:num_keys], axis)
        return tuple(xp.take_along_axis(x, order, axis) for x in operands)

    def shape(self, *avals: Aval, axis: int, num_keys: int) -> tuple[Aval, ...]:
        shapes = {a.shape for a in avals}
        if len(shapes) != 1:
            raise errors.ShapeError(f"sort takes operands of one shape; got {', '.join(map(str, avals))}.")
        if not 0 <= axis < avals[0].ndim:
            raise errors.ShapeError(f"sort: axis {axis} is out of range for {avals[0]}.")
        if not 1 <= num_keys <= len(avals):
            raise errors.ArgumentError(f"sort: num_keys = {num_keys} is not between 1 and {len(avals)}.")
        return avals

    def push(self, primals: Any, tangents: Any, *, axis: int, num_keys: int) -> Any:
        """One sort gives the results and, from the places sorted along, the order of the tangents."""
        places = iota(primals[0].shape, axis)
        *out, order = bind(self, *primals, places, axis=axis, num_keys=num_keys)
        return out, _permuted(out, tangents, order, axis)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, axis: int, num_keys: int) -> Any:
        return self.push(primals, tangents, axis=axis, num_keys=num_keys)[1]

    transpose = absent("sorting is not linear")

    def batch(self, batch_axis: Any, operands: Any, dims: Any, *, axis: int, num_keys: int) -> Any:
        xs = [to_front(x, d, batch_axis.size) for x, d in zip(operands, dims, strict=True)]
        return self(*xs, axis=axis + 1, num_keys=num_keys), [0] * len(xs)

    def cost(self, *avals: Aval, axis: int, num_keys: int) -> int:
        return num_keys * avals[0].size * max(1, avals[0].shape[axis]).bit_length()

    def samples(self, rng: Any) -> Iterable[Sample]:
        draw = lambda *shape: rng.permutation(np.arange(np.prod(shape, dtype=int))).reshape(shape) / 4.0 - 1
        ties = rng.integers(0, 3, (6,))
        return [
            Sample((draw(3, 4),), {"axis": 1, "num_keys": 1}, _sort_oracle),
            Sample((draw(5),), {"axis": 0, "num_keys": 1}, _sort_oracle),
            Sample((draw(2, 0),), {"axis": 1, "num_keys": 1}, _sort_oracle),
            Sample((draw(1),), {"axis": 0, "num_keys": 1}, _sort_oracle),
            Sample((draw(3, 4), rng.normal(size=(3, 4))), {"axis": 0, "num_keys": 1}, _sort_oracle),
            Sample((ties, draw(6), rng.normal(size=(6,))), {"axis": 0, "num_keys": 2}, _sort_oracle),
            Sample((ties, rng.normal(size=(6,))), {"axis": 0, "num_keys": 1}, _sort_oracle),
        ]


def _permuted(out: Sequence[Any], tangents: Sequence[Any], order: Any, axis: int) -> list[Any]:
    return [
        zero_of(y) if type(t) is Zero else permute(t, order, axis) for y, t in zip(out, tangents, strict=True)
    ]


def _sorted(xp: Any, x: Any, axis: int) -> Any:
    if dtypes.is_bfloat16(x.dtype):
        return xp.sort(_key(xp, x), axis=axis, kind="stable").astype(x.dtype)
    return xp.sort(_key(xp, x), axis=axis, kind="stable" if _ties_differ(xp, x) else None)


def _key(xp: Any, x: Any) -> Any:
    """x as the array module can order it. CuPy sorts the bits, so that NaNs with a sign would come first."""
    x = x.astype(np.float32) if dtypes.is_bfloat16(x.dtype) else x
    return x if xp is np or x.dtype.kind != "f" else xp.where(xp.isnan(x), x.dtype.type(np.nan), x)


def _ties_differ(xp: Any, x: Any) -> bool:
    """Whether equal elements can be told apart, so that their order shows: zeros of both signs."""
    if x.dtype.kind in "biu" or xp is not np:  # CuPy's sort is always stable
        return False
    return x.dtype.kind == "c" or bool(np.any((x == 0) & np.signbit(x)))


def _lexicographic(xp: Any, keys: Sequence[Any], axis: int) -> Any:
    """The order of several keys: stable sorts, by the last key first."""
    order: Any = None
    for key in reversed(keys):
        key = _key(xp, key)
        if order is None:
            order = xp.argsort(key, axis=axis, kind="stable")
        else:
            finer = xp.argsort(xp.take_along_axis(key, order, axis), axis=axis, kind="stable")
            order = xp.take_along_axis(order, finer, axis)
    return order


def _sort_oracle(*operands: Any, axis: int, num_keys: int) -> Any:
    order = np.lexsort(operands[:num_keys][::-1], axis=axis)
    return tuple(np.take_along_axis(x, order, axis) for x in operands)


class Permute(Primitive):
    """x in the order of a permutation along one axis. x, perm: one shape; perm holds each place once per line."""

    name = "permute"

    def impl(self, xp: Any, x: Any, perm: Any, *, axis: int, inverse: bool) -> Any:
        if not inverse:
            return xp.take_along_axis(x, perm, axis)
        out = xp.empty(x.shape, x.dtype)
        xp.put_along_axis(out, perm, x, axis)
        return out

    def shape(self, x: Aval, perm: Aval, *, axis: int, inverse: bool) -> Aval:
        accept("permute: the permutation", perm.dtype, "integer")
        if x.shape != perm.shape or not 0 <= axis < x.ndim:
            raise errors.ShapeError(f"permute along axis {axis}: {x} and its permutation {perm} do not fit.")
        return Aval(x.shape, x.dtype, x.weak)

    def jvp(self, primals: Any, out: Any, tangents: Any, *, axis: int, inverse: bool) -> Any:
        return self(tangents[0], primals[1], axis=axis, inverse=inverse)

    def transpose(self, ct: Any, x: Any, perm: Any, *, axis: int, inverse: bool) -> list[Any]:
        return [self(ct, perm, axis=axis, inverse=not inverse), None]

    def batch(self, batch_axis: Any, operands: Any, dims: Any, *, axis: int, inverse: bool) -> Any:
        x, perm = (to_front(v, d, batch_axis.size) for v, d in zip(operands, dims, strict=True))
        return self(x, perm, axis=axis + 1, inverse=inverse), 0

    def cost(self, x: Aval, perm: Aval, *, axis: int, inverse: bool) -> int:
        return x.size

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for shape, axis, inverse in (
            ((3, 4), 1, False),
            ((3, 4), 0, True),
            ((5,), 0, True),
            ((2, 0), 1, True),
        ):
            perm = np.argsort(rng.normal(size=shape), axis)
            params = {"axis": axis, "inverse": inverse}
            out.append(Sample((rng.normal(size=shape), perm), params, _permute_oracle))
        return out


def _permute_oracle(x: Any, perm: Any, axis: int, inverse: bool) -> Any:
    return np.take_along_axis(x, np.argsort(perm, axis) if inverse else perm, axis)


class SearchSorted(Primitive):
    """Insertion places of v in a, sorted along its last axis; leading axes of a are batch axes that v begins with."""

    name = "searchsorted"

    def impl(self, xp: Any, a: Any, v: Any, *, side: str) -> Any:
        if dtypes.is_bfloat16(a.dtype):
            a, v = a.astype(np.float32), v.astype(np.float32)
        if a.ndim == 1:
            return xp.searchsorted(a, v, side=side).astype(np.int64)
        lead = a.shape[:-1]
        wide = xp.reshape(v, (*lead, -1)) if v.size else xp.zeros((*lead, 0), v.dtype)
        return _bisect(xp, a, wide, side).reshape(v.shape)

    def shape(self, a: Aval, v: Aval, *, side: str) -> Aval:
        accept(self.name, same_dtype(self.name, (a, v)), "real")
        static.choice(side, ("left", "right"), "searchsorted: side")
        if a.ndim < 1 or v.shape[: a.ndim - 1] != a.shape[:-1]:
            raise errors.ShapeError(
                errors.lines(
                    f"searchsorted takes a: (*batch, n) and v: (*batch, ...); got {a} and {v}.",
                    "For many lines and one set of values, or the other way round, use fx.vmap.",
                )
            )
        return Aval(v.shape, np.dtype("int64"))

    def jvp(self, primals: Any, out: Any, tangents: Any, *, side: str) -> Any:
        return zero_of(out)

    transpose = absent("it has no derivative")

    def batch(self, batch_axis: Any, operands: Any, dims: Any, *, side: str) -> Any:
        (a, v), (da, dv) = operands, dims
        if da is None:
            last = v.ndim - 1
            return self(a, move_axis(v, dv, last), side=side), last
        size = batch_axis.size
        return self(to_front(a, da, size), to_front(v, dv, size), side=side), 0

    def cost(self, a: Aval, v: Aval, *, side: str) -> int:
        return v.size * max(1, a.shape[-1]).bit_length()

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for a, v in (
            ((5,), (3, 4)),
            ((4,), ()),
            ((0,), (3,)),
            ((3,), (0,)),
            ((2, 4), (2, 3)),
            ((2, 1), (2,)),
        ):
            ordered = np.sort(rng.integers(0, 5, a).astype(np.float64), -1)
            for side in ("left", "right"):
                out.append(Sample((ordered, rng.integers(0, 5, v) * 1.0), {"side": side}, _search_oracle))
        return out


def _bisect(xp: Any, a: Any, v: Any, side: str) -> Any:
    """Binary search in every line at once. a: (*batch, n), v: (*batch, m)."""
    n = a.shape[-1]
    low = xp.zeros(v.shape, np.int64)
    high = xp.full(v.shape, n, np.int64)
    for _ in range(n.bit_length()):
        middle = (low + high) // 2
        at = xp.take_along_axis(a, xp.minimum(middle, n - 1), -1)
        before = _less(at, v) if side == "left" else ~_less(v, at)
        inside = middle < high
        low = xp.where(inside & before, middle + 1, low)
        high = xp.where(inside & ~before, middle, high)
    return low


def _less(x: Any, y: Any) -> Any:
    """x < y in the order of sort, where NaN is larger than every number."""
    return (x < y) | ((y != y) & (x == x))


def _search_oracle(a: Any, v: Any, side: str) -> Any:
    if a.ndim == 1:
        return np.searchsorted(a, v, side)
    return np.stack([_search_oracle(x, y, side) for x, y in zip(a, v, strict=True)])


sort_p = Sort()
permute_p = Permute()
searchsorted_p = SearchSorted()
