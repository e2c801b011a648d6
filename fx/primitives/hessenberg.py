"""Hessenberg form: zeros below the first subdiagonal, by unitary similarity."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.avals import Aval
from ..core.primitive import Sample, absent
from ..core.trace import bind
from ._batched import over_batch
from ._matrices import (
    MatrixPrimitive,
    adjoint,
    diagonal,
    lower_triangle,
    matmul,
    neighbours,
    noise,
    safe_reciprocal,
)
from .elementwise import bit_and, bit_not, eq, imag, make_complex, select
from .families import zero_of
from .shape import iota, pad, reshape, slice_axis


def hessenberg(a: Any) -> tuple[Any, Any]:
    """(h, q) with a = q h q^H, h zero below the first subdiagonal, q unitary with first column e_1. a: (..., n, n).

    The derivative needs a subdiagonal without zeros. Subdiagonals are real for n > 2; smaller matrices stay.
    """
    return tuple(bind(hessenberg_p, a))  # type: ignore[return-value]


class Hessenberg(MatrixPrimitive):
    """(h, q)."""

    name = "hessenberg"
    multiple = True
    square = True
    flops = 5

    def impl(self, xp: Any, a: Any) -> Any:
        reduce = lambda a: importlib.import_module("scipy.linalg").hessenberg(
            a, calc_q=True, check_finite=False
        )
        return over_batch(xp, reduce, [a], [(a.shape[-2:], a.dtype)] * 2)

    def shape(self, a: Aval) -> Any:
        self.check(a)
        return a, a

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        """The first column of the turn W = Q^H dQ vanishes; column j of dH determines column j + 1 of W."""
        (h, q), (da,) = out, tangents
        n = h.shape[-1]
        if n < 3 or 0 in h.shape:
            return [da if n else zero_of(h), zero_of(q)]
        m = matmul(matmul(adjoint(q), da), q)
        under = neighbours(h)[1]
        scale = safe_reciprocal(under, reshape(noise(diagonal(h), n), (*h.shape[:-2], 1)))
        turn: Any = h * h.dtype.type(0)
        for j in range(n - 1):
            turn = turn + self._next_column(h, m, turn, scale, j)
        dh = m + matmul(h, turn) - matmul(turn, h)
        return [_upper_hessenberg(dh), matmul(q, turn)]

    def _next_column(self, h: Any, m: Any, turn: Any, scale: Any, j: int) -> Any:
        """The part of the turn that column j + 1 adds below the diagonal, on it, and right of it."""
        n, axis = h.shape[-1], h.ndim - 1
        column = lambda x: slice_axis(x, j, j + 1, axis)
        known = slice_axis(column(h), 0, j + 1, axis - 1)
        w = column(m) + matmul(h, column(turn)) - matmul(slice_axis(turn, 0, j + 1, axis), known)
        w = w * reshape(slice_axis(scale, j, j + 1, axis - 1), (*h.shape[:-2], 1, 1))
        i = iota((n, 1), 0)
        below = select(_rows_below(i, j + 1), w, w.dtype.type(0))
        placed = _place(below, j + 1, n)
        placed = placed - adjoint(placed)
        if h.dtype.kind == "c":
            at = select(eq(i, np.int64(j + 1)), w, w.dtype.type(0))
            phase = imag(at)
            placed = placed + _place(make_complex(phase * phase.dtype.type(0), phase), j + 1, n)
        return placed

    transpose = absent("a factorization is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        shapes = ((4, 4), (2, 3, 3), (2, 2), (1, 1), (0, 0), (0, 3, 3))
        return [Sample((rng.normal(size=s),), {}, _hessenberg_oracle) for s in shapes]


def _rows_below(i: Any, j: int) -> Any:
    """Rows below row j."""
    return bit_not(bit_and(i >= 0, i <= j))


def _place(column: Any, j: int, n: int) -> Any:
    """(*batch, n, n) with the column (*batch, n, 1) in place j."""
    none = [0] * column.ndim
    return pad(column, [*none[:-1], j], [*none[:-1], n - 1 - j], none)


def _upper_hessenberg(a: Any) -> Any:
    return a - lower_triangle(a, -2)


def _hessenberg_oracle(a: Any) -> Any:
    from scipy.linalg import hessenberg as scipy_hessenberg

    h, q = np.zeros(a.shape, a.dtype), np.zeros(a.shape, a.dtype)
    for i in np.ndindex(a.shape[:-2] if a.size else (0,)):
        h[i], q[i] = scipy_hessenberg(a[i], calc_q=True)
    return h, q


hessenberg_p = Hessenberg()
