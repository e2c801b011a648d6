"""Products of matrices whose rows form consecutive groups: the groups' sizes are values, not shapes.

Both primitives are bilinear in their floating operands, and each is the other's transpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, Unknown, Zero
from .families import same_dtype, to_front


class Ragged(Primitive):
    """What both share. sizes: integers (*batch, g); rows beyond their sum belong to no group."""

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        x, y, sizes = primals
        total: Any = Zero(out.aval.strong)
        for args, t in (((tangents[0], y), tangents[0]), ((x, tangents[1]), tangents[1])):
            if type(t) is not Zero:
                term = self(*args, sizes)
                total = term if type(total) is Zero else total + term
        return total

    def batch(self, axis: Any, operands: Any, dims: Any) -> Any:
        return self(*[to_front(x, d, axis.size) for x, d in zip(operands, dims, strict=True)]), 0

    def common(self, x: Aval, y: Aval, sizes: Aval, fits: bool) -> np.dtype[Any]:
        """The dtype of the operands; ShapeError unless they fit."""
        if not fits or sizes.dtype.kind not in "iu":
            raise errors.ShapeError(f"{self.name}: operands {x}, {y} and sizes {sizes} do not fit.")
        return same_dtype(self.name, (x, y))


class RaggedRows(Ragged):
    """Every group of rows times its own matrix: (*b, m, k), (*b, g, k, n), sizes -> (*b, m, n)."""

    name = "ragged_rows"

    def impl(self, xp: Any, x: Any, w: Any, sizes: Any) -> Any:
        out = xp.zeros((*x.shape[:-1], w.shape[-1]), x.dtype)
        for at, group, rows in _groups(sizes, x.shape[-2]):
            out[(*at, rows)] = _product(xp, x[(*at, rows)], w[(*at, group)])
        return out

    def shape(self, x: Aval, w: Aval, sizes: Aval) -> Aval:
        batch = x.shape[:-2]
        fits = x.ndim >= 2 and w.shape == (*batch, *sizes.shape[-1:], x.shape[-1], *w.shape[-1:])
        dtype = self.common(x, w, sizes, fits and sizes.shape[:-1] == batch and sizes.ndim > 0)
        return Aval((*x.shape[:-1], w.shape[-1]), dtype)

    def transpose(self, ct: Any, x: Any, w: Any, sizes: Any) -> list[Any]:
        if type(x) is Unknown:
            return [self(ct, swapped(w), sizes), None, None]
        return [None, ragged_groups(x, ct, sizes), None]

    def cost(self, x: Aval, w: Aval, sizes: Aval) -> int:
        return 2 * x.size * w.shape[-1]

    def samples(self, rng: Any) -> Iterable[Sample]:
        cases = (((), 5, 3, 2, (2, 0, 1)), ((2,), 4, 1, 3, (1, 3)), ((), 0, 2, 2, (0,)), ((), 3, 2, 2, ()))
        for b, m, k, n, sizes in cases:
            x, w = rng.normal(size=(*b, m, k)), rng.normal(size=(*b, len(sizes), k, n))
            yield Sample(
                (x, w, np.broadcast_to(np.array(sizes, np.int32), (*b, len(sizes))).copy()), {}, _rows
            )


class RaggedGroups(Ragged):
    """For every group, the sum of products over its rows: (*b, m, k), (*b, m, n), sizes -> (*b, g, k, n)."""

    name = "ragged_groups"

    def impl(self, xp: Any, x: Any, y: Any, sizes: Any) -> Any:
        out = xp.zeros((*sizes.shape, x.shape[-1], y.shape[-1]), x.dtype)
        for at, group, rows in _groups(sizes, x.shape[-2]):
            out[(*at, group)] = _product(xp, x[(*at, rows)].T, y[(*at, rows)])
        return out

    def shape(self, x: Aval, y: Aval, sizes: Aval) -> Aval:
        fits = x.ndim >= 2 and y.ndim >= 2 and x.shape[:-1] == y.shape[:-1] and sizes.ndim == x.ndim - 1
        dtype = self.common(x, y, sizes, fits and sizes.shape[:-1] == x.shape[:-2])
        return Aval((*sizes.shape, x.shape[-1], y.shape[-1]), dtype)

    def transpose(self, ct: Any, x: Any, y: Any, sizes: Any) -> list[Any]:
        if type(x) is Unknown:
            return [ragged_rows(y, swapped(ct), sizes), None, None]
        return [None, ragged_rows(x, ct, sizes), None]

    def cost(self, x: Aval, y: Aval, sizes: Aval) -> int:
        return 2 * x.size * y.shape[-1]

    def samples(self, rng: Any) -> Iterable[Sample]:
        cases = (((), 5, 3, 2, (2, 0, 1)), ((2,), 4, 1, 3, (1, 3)), ((), 0, 2, 2, (0,)), ((), 3, 2, 2, ()))
        for b, m, k, n, sizes in cases:
            x, y = rng.normal(size=(*b, m, k)), rng.normal(size=(*b, m, n))
            yield Sample(
                (x, y, np.broadcast_to(np.array(sizes, np.int32), (*b, len(sizes))).copy()), {}, _sums
            )


def swapped(w: Any) -> Any:
    """Every matrix transposed."""
    from .shape import transpose

    return transpose(w, (*range(w.ndim - 2), w.ndim - 1, w.ndim - 2))


def _groups(sizes: Any, m: int) -> Iterator[tuple[tuple[int, ...], int, slice]]:
    """(place in the batch, group, its rows) for all groups that have rows."""
    host = np.asarray(sizes.get() if hasattr(sizes, "get") else sizes).astype(np.int64)
    stops = np.cumsum(host, axis=-1)
    for at in np.ndindex(host.shape[:-1]):
        for group, (size, stop) in enumerate(zip(host[at].tolist(), stops[at].tolist(), strict=True)):
            rows = slice(max(stop - size, 0), min(max(stop, 0), m))
            if rows.stop > rows.start:
                yield at, group, rows


def _product(xp: Any, x: Any, y: Any) -> Any:
    if dtypes.is_low_precision(x.dtype):
        return xp.matmul(x.astype(np.float32), y.astype(np.float32)).astype(x.dtype)
    return xp.matmul(x, y)


def _masks(m: int, sizes: Any) -> Any:
    """(*b, g, m): whether a row is of a group."""
    stop = np.cumsum(sizes, axis=-1)[..., None]
    row = np.arange(m)
    return (stop - np.asarray(sizes)[..., None] <= row) & (row < stop)


def _rows(x: Any, w: Any, sizes: Any) -> Any:
    return np.einsum("...gm,...mk,...gkn->...mn", _masks(x.shape[-2], sizes).astype(x.dtype), x, w)


def _sums(x: Any, y: Any, sizes: Any) -> Any:
    return np.einsum("...gm,...mk,...mn->...gkn", _masks(x.shape[-2], sizes).astype(x.dtype), x, y)


ragged_rows = RaggedRows()
ragged_groups = RaggedGroups()
