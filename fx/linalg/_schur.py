"""Schur and Hessenberg forms."""

from __future__ import annotations

from typing import Any

from ..core import dtypes
from ..core.array import Array
from ..numpy._arguments import operand
from ..primitives import elementwise as el, schur as forms
from ..primitives._matrices import adjoint, column, diagonal, half, matmul, neighbours, subdiagonal
from ..primitives.promotion import promote
from ..primitives.shape import broadcast_to, iota, pad, slice_axis
from ._arguments import choice, matrix, same_batch
from ._hessenberg import hessenberg_form


def schur(
    a: Any,
    output: str = "real",
    lwork: Any = None,
    overwrite_a: bool = False,
    sort: Any = None,
    check_finite: bool = True,
) -> Any:
    """(T, Z) with a = Z @ T @ Z^H, Z unitary and T upper triangular. a: (..., n, n).

    Args:
        output: "real" gives real a a real T, with a block (2, 2) on the diagonal for each pair of complex eigenvalues
            (equal numbers on its diagonal, the larger off it above); "complex" a triangle always.
        sort: "lhp", "rhp", "iuc", "ouc", or a function of an eigenvalue (for a real T, of its real and its imaginary
            part): those it is true for come first, and (T, Z, their number) is returned.

    Signs and phases: no number in the first row of Z is negative, or not real. Derivatives keep it so; they need
    distinct eigenvalues, and are finite where these coincide.
    """
    choice(output, ("real", "r", "complex", "c"), "schur: output")
    if not (sort is None or callable(sort)):
        choice(sort, ("lhp", "rhp", "iuc", "ouc"), "schur: sort")
    a = matrix(a, "schur", True, check_finite)
    if output in ("complex", "c"):
        a = el.convert(a, dtypes.complex_of(a.dtype))
    t, z, count = forms.schur(a, sort)
    return (t, z) if sort is None else (t, z, count)


def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> tuple[Array, Array]:
    """The complex Schur form (T, Z) from the real one: blocks (2, 2) on the diagonal become triangles.

    T, Z: (..., n, n). Each block is turned so that its eigenvalue of positive imaginary part comes first.
    """
    t, z = (operand(x, "rsf2csf") for x in promote(T, Z, inexact=True))
    for x in (t, z):
        matrix(x, "rsf2csf", True, check_finite)
    t, z = same_batch("rsf2csf", t, z)
    if t.dtype.kind == "c":
        return t, z
    turn = _block_turns(t)
    wide = [el.convert(x, turn.dtype) for x in (t, z)]
    result = matmul(adjoint(turn), matmul(wide[0], turn))
    n = t.shape[-1]
    below = el.gt(iota((n, 1), 0), iota((1, n), 1))
    return el.select(below, result.dtype.type(0), result), matmul(wide[1], turn)


def _block_turns(t: Array) -> Array:
    """Unitary, with the eigenvectors of each block of t in its place: columns (x, y) and (-conj(y), conj(x))."""
    n, wide = t.shape[-1], dtypes.complex_of(t.dtype)
    if n < 2:
        return broadcast_to(el.convert(el.eq(iota((n, 1), 0), iota((1, n), 1)), wide), t.shape)
    above, under = neighbours(t)
    d = diagonal(t)
    axis = d.ndim - 1
    apart = half(slice_axis(d, 0, n - 1, axis) - slice_axis(d, 1, n, axis))
    zero, one = t.dtype.type(0), t.dtype.type(1)
    block = el.ne(under, zero)
    c = el.convert(el.select(block, under, one), wide)
    inside = el.select(block, apart * apart + above * under, -one)
    root = el.sqrt(el.convert(inside, wide))
    x = el.convert(apart, wide) + root  # (a - eigenvalue) has the null vector (x, c), x = (a - d) / 2 + root
    size = el.convert(el.sqrt(_square(x) + _square(c)), wide)
    cosine = el.select(block, x / size, x.dtype.type(1))
    sine = el.select(block, c / size, x.dtype.type(0))
    return _block_rotation(cosine, sine, block)


def _square(x: Array) -> Array:
    return el.real(x) * el.real(x) + el.imag(x) * el.imag(x)


def _block_rotation(cosine: Array, sine: Array, block: Array) -> Array:
    lead = [0] * (cosine.ndim - 1)
    zero, one = cosine.dtype.type(0), cosine.dtype.type(1)
    first = pad(el.select(block, cosine - one, zero), [*lead, 0], [*lead, 1], [*lead, 0])
    second = pad(el.select(block, el.conj(cosine) - one, zero), [*lead, 1], [*lead, 0], [*lead, 0])
    n = first.shape[-1]
    i, j = iota((n, 1), 0), iota((1, n), 1)
    on_diagonal = el.select(el.eq(i, j), column(first + second) + one, zero)
    lower = subdiagonal(sine)
    return on_diagonal + lower - adjoint(lower)


def hessenberg(a: Any, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """H, zero below its first subdiagonal, with a = Q @ H @ Q^H; with `calc_q` (H, Q). a: (..., n, n).

    The first column of the unitary Q is (1, 0, ...). Derivatives need a subdiagonal of H without zeros.
    """
    h, q = hessenberg_form(matrix(a, "hessenberg", True, check_finite))
    return (h, q) if calc_q else h
