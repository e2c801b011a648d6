"""Hessenberg form and its derivative, a loop over columns."""

from __future__ import annotations

from typing import Any

from ..core.transforms.custom_jvp import custom_jvp
from ..lax import dynamic_slice_in_dim, dynamic_update_slice_in_dim, fori_loop
from ..primitives import elementwise as el
from ..primitives._matrices import (
    adjoint,
    diagonal,
    lower_triangle,
    matmul,
    neighbours,
    noise,
    safe_reciprocal,
)
from ..primitives.hessenberg import hessenberg as decompose
from ..primitives.shape import iota, pad, reshape


@custom_jvp
def hessenberg_form(a: Any) -> Any:
    """(h, q) with a = q h q^H. a: (..., n, n)."""
    return decompose(a)


@hessenberg_form.defjvp
def _hessenberg_jvp(primals: Any, tangents: Any) -> Any:
    """With the turn W = q^H dq and m = q^H da q: dh = m + h W - W h, of which nothing lies below the subdiagonal."""
    (a,), (da,) = primals, tangents
    h, q = hessenberg_form(a)
    if a.shape[-1] < 3 or 0 in a.shape:
        return (h, q), (da, q * q.dtype.type(0))
    m = matmul(matmul(adjoint(q), da), q)
    turn = _turn(h, m)
    dh = m + matmul(h, turn) - matmul(turn, h)
    return (h, q), (dh - lower_triangle(dh, -2), matmul(q, turn))


def _turn(h: Any, m: Any) -> Any:
    """The skew-Hermitian W: its first column is 0, and column j of dh determines column j + 1 below the diagonal."""
    n, axis = h.shape[-1], h.ndim - 1
    under = neighbours(h)[1]
    scale = safe_reciprocal(under, reshape(noise(diagonal(h), n), (*h.shape[:-2], 1)))
    scale = pad(scale, [0] * axis, [*[0] * (axis - 1), 1], [0] * axis)
    i = iota((n, 1), 0)

    def next_column(j: Any, turn: Any) -> Any:
        column = lambda x: dynamic_slice_in_dim(x, j, 1, axis)
        upper = el.select(i <= j, column(h), h.dtype.type(0))
        w = column(m) + matmul(h, column(turn)) - matmul(turn, upper)
        w = w * reshape(dynamic_slice_in_dim(scale, j, 1, axis - 1), (*h.shape[:-2], 1, 1))
        below = el.select(i > j + 1, w, w.dtype.type(0))
        on = el.select(el.eq(i, j + 1), w, w.dtype.type(0))
        turn = dynamic_update_slice_in_dim(turn, column_of(turn, j) + below + _imaginary(on), j + 1, axis)
        return dynamic_update_slice_in_dim(turn, row_of(turn, j) - adjoint(below), j + 1, axis - 1)

    column_of = lambda turn, j: dynamic_slice_in_dim(turn, j + 1, 1, axis)
    row_of = lambda turn, j: dynamic_slice_in_dim(turn, j + 1, 1, axis - 1)
    return fori_loop(0, n - 1, next_column, h * h.dtype.type(0))


def _imaginary(x: Any) -> Any:
    """The imaginary part of a complex number, as one; 0 of real ones."""
    if x.dtype.kind != "c":
        return x * x.dtype.type(0)
    part = el.imag(x)
    return el.make_complex(part * part.dtype.type(0), part)
