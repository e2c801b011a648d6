"""The orders of rows and columns that pivoting chooses: integers, without derivatives."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import Aval
from ..core.primitive import Primitive, Sample, absent
from ..core.trace import bind
from . import _lapack
from ._batched import over_batch
from ._matrices import (
    MatrixPrimitive,
)
from .families import to_front, zero_of


def permutation_of(pivots: Any, size: int) -> Any:
    """The row order (..., size) that swapping row i with row pivots[i], for i = 0, 1, ..., makes; int32."""
    return bind(permutation_p, pivots, size=size)


def pivot_columns(a: Any) -> Any:
    """The order of columns (..., n) that QR with column pivoting takes; int32, without a derivative."""
    return bind(pivot_columns_p, a)


class Permutation(Primitive):
    """Pivots (..., k) as an order of rows (..., size)."""

    name = "pivots_to_permutation"
    jvp = absent("it is an order of rows")

    def impl(self, xp: Any, pivots: Any, *, size: int) -> Any:
        return _lapack.permutation(xp, pivots, size)

    def shape(self, pivots: Aval, *, size: int) -> Aval:
        if pivots.dtype.kind not in "iu" or pivots.ndim < 1 or pivots.shape[-1] > size:
            raise errors.ShapeError(f"Pivots are integers (..., k) with k <= {size}; got {pivots}.")
        return Aval((*pivots.shape[:-1], size), np.dtype("int32"))

    def batch(self, axis: Any, operands: Any, dims: Any, *, size: int) -> Any:
        return self(to_front(operands[0], dims[0], axis.size), size=size), 0

    def samples(self, rng: Any) -> Iterable[Sample]:
        pivots = [
            np.array([2, 2, 3], np.int32),
            np.array([[1, 1], [0, 1]], np.int32),
            np.zeros((0, 2), np.int32),
        ]
        return [Sample((p,), {"size": 4}, _permutation_oracle) for p in pivots]


def _permutation_oracle(pivots: Any, size: int) -> Any:
    out = np.zeros((*pivots.shape[:-1], size), np.int32)
    for i in np.ndindex(pivots.shape[:-1]):
        rows = list(range(size))
        for a, b in enumerate(pivots[i]):
            rows[a], rows[b] = rows[b], rows[a]
        out[i] = rows
    return out


class PivotColumns(MatrixPrimitive):
    """The order of columns of LAPACK's geqp3."""

    name = "pivot_columns"

    def impl(self, xp: Any, a: Any) -> Any:
        order = lambda a: (
            importlib.import_module("scipy.linalg").qr(a, mode="r", pivoting=True, check_finite=False)[1],
        )
        return over_batch(xp, order, [a], [(a.shape[-1:], np.int32)])[0]

    def shape(self, a: Aval) -> Aval:
        self.check(a)
        return Aval((*a.shape[:-2], a.shape[-1]), np.dtype("int32"))

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        return zero_of(out)

    transpose = absent("it is an order of columns")

    def samples(self, rng: Any) -> Iterable[Sample]:
        oracle = lambda a: np.stack([_greedy(x) for x in a]) if a.ndim > 2 else _greedy(a)
        return [Sample((rng.normal(size=s),), {}, oracle) for s in ((3, 4), (2, 4, 2))]


def _greedy(a: Any) -> Any:
    """The column of the largest remainder next, Gram and Schmidt in between."""
    rest, order = np.array(a), list(range(a.shape[1]))
    for k in range(min(a.shape)):
        p = k + int(np.argmax(np.linalg.norm(rest[:, k:], axis=0)))
        rest[:, [k, p]], order[k], order[p] = rest[:, [p, k]], order[p], order[k]
        u = rest[:, k] / np.linalg.norm(rest[:, k])
        rest[:, k + 1 :] -= np.outer(u, u.conj() @ rest[:, k + 1 :])
    return np.array(order, np.int32)


permutation_p = Permutation()
pivot_columns_p = PivotColumns()
