"""Schur forms, and the equation that their derivatives solve.

For a = Z T Z^H the turn W = Z^H dZ is skew-Hermitian, and dT = M + T W - W T with M = Z^H da Z. That dT has no
entries below the diagonal blocks of T determines W there; the rest of it is a choice, stated with `schur`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import Aval
from ..core.primitive import Sample, Unknown, Zero, absent
from ..core.trace import bind
from ._batched import over_batch
from ._lapack import attempt
from ._matrices import (
    MatrixPrimitive,
    adjoint,
    diagonal,
    diagonal_matrix,
    half,
    matmul,
    neighbours,
    noise,
    safe_reciprocal,
    subdiagonal,
    swap,
)
from .elementwise import bit_and, bit_not, eq, gt, ne, select
from .families import zero_of
from .shape import concatenate, full, iota, reshape, slice_axis
from .spectral import NOT_CONVERGED, NOT_FINITE, kept_phase
from .sylvester import triangular_sylvester


def schur(a: Any, sort: Any = None) -> tuple[Any, Any, Any]:
    """(t, z, count) with a = z t z^H: t upper triangular for complex a; for real a also with blocks (2, 2) of equal
    diagonal elements on its diagonal, one per pair of complex eigenvalues. z is unitary. a: (..., n, n).

    Args:
        sort: "lhp", "rhp", "iuc", "ouc" or a function that says which eigenvalues come first; count says how many.

    No number in the first row of z is negative (or not real), and the upper number of a block is the larger one; so
    t and z are functions of a where eigenvalues are distinct, that row has no zeros, and no block is a multiple of a
    rotation (whose derivative does not turn it). There are derivatives where eigenvalues are distinct.
    """
    return tuple(bind(schur_p, a, sort=sort))  # type: ignore[return-value]


class Schur(MatrixPrimitive):
    """(t, z, count)."""

    name = "schur"
    multiple = True
    square = True
    flops = 25

    def impl(self, xp: Any, a: Any, *, sort: Any) -> Any:
        def single(a: Any) -> Any:
            output = "complex" if a.dtype.kind == "c" else "real"
            decompose = importlib.import_module("scipy.linalg").schur
            if not np.isfinite(a).all():
                raise np.linalg.LinAlgError("not finite")
            t, z, *count = decompose(a, output=output, sort=sort)
            return (*_normalized(t, z), *count, *[0] * (sort is None))

        outs = [(a.shape[-2:], a.dtype), (a.shape[-2:], a.dtype), ((), np.int64)]
        run = lambda a: over_batch(xp, single, [a], outs)
        return attempt(xp, self.name, NOT_CONVERGED, NOT_FINITE, run, a)

    def shape(self, a: Aval, *, sort: Any) -> Any:
        self.check(a)
        return a, a, Aval(a.shape[:-2], np.dtype("int64"))

    def jvp(self, primals: Any, out: Any, tangents: Any, *, sort: Any) -> Any:
        t, z, count = out
        if 0 in t.shape:
            return [zero_of(x) for x in out]
        m = matmul(matmul(adjoint(z), tangents[0]), z)
        joined = joined_rows(t)
        below = blocks_below(joined)
        x = bind(commutator_p, t, -m, joined, transposed=False)
        turn = x - adjoint(x)
        if t.dtype.kind == "f" and t.shape[-1] > 1:
            turn = turn + _turn_in_blocks(t, m + matmul(t, turn) - matmul(turn, t))
        if t.dtype.kind == "c":
            phase = kept_phase(z, matmul(z, turn))
            turn = turn + diagonal_matrix(reshape(phase, t.shape[:-1]))
        dt = m + matmul(t, turn) - matmul(turn, t)
        return [select(below, dt.dtype.type(0), dt), matmul(z, turn), zero_of(count)]

    transpose = absent("a factorization is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        mats = [rng.normal(size=s) for s in ((2, 2, 2), (1, 1), (0, 0), (0, 2, 2))]
        mats += [rng.normal(size=(3, 3)) + np.diag([0.0, 3.0, 9.0]), _with_complex_pairs()]
        return [Sample((a,), {"sort": None}, _schur_oracle) for a in mats]


def joined_rows(t: Any) -> Any:
    """Which rows of t, in Schur form, belong to one diagonal block with the row above: (*batch, n) booleans."""
    n, axis = t.shape[-1], t.ndim - 1
    if t.dtype.kind == "c" or n < 2:
        return full(t.shape[:-1], False, bool)
    under = ne(neighbours(t)[1], t.dtype.type(0))
    return concatenate([full((*t.shape[:-2], 1), False, bool), under], axis - 1)


def blocks_below(joined: Any) -> Any:
    """What lies below the diagonal blocks: (*batch, n, n) booleans."""
    n = joined.shape[-1]
    i, j = iota((n, 1), 0), iota((1, n), 1)
    under = bit_and(eq(i, j + j.dtype.type(1)), reshape(joined, (*joined.shape, 1)))
    return bit_and(gt(i, j), bit_not(under))


def _normalized(t: Any, z: Any) -> tuple[Any, Any]:
    """Of all forms with this order of blocks the one that `schur` promises."""
    if not t.size:
        return t, z
    order = np.arange(len(t))
    if t.dtype.kind == "f":
        for i in np.flatnonzero(np.abs(np.diag(t, -1)) > np.abs(np.diag(t, 1))):
            order[[i, i + 1]] = order[[i + 1, i]]
    t, z = t[np.ix_(order, order)], z[:, order]
    first = z[0]
    turn = np.where(first == 0, 1, first.conj() / np.where(first == 0, 1, np.abs(first))).astype(t.dtype)
    return turn.conj()[:, None] * t * turn, z * turn


def _turn_in_blocks(t: Any, dt: Any) -> Any:
    """The turns that keep the two diagonal elements of each block equal."""
    above, under = neighbours(t)
    d = diagonal(dt)
    axis, n = d.ndim - 1, d.shape[-1]
    apart = slice_axis(d, 0, n - 1, axis) - slice_axis(d, 1, n, axis)
    small = reshape(noise(diagonal(t), n), (*t.shape[:-2], 1))
    angle = half(-(apart * safe_reciprocal(above + under, small)))
    angle = select(ne(under, under.dtype.type(0)), angle, angle.dtype.type(0))
    lower = subdiagonal(angle)
    return lower - swap(lower)


def _with_complex_pairs() -> Any:
    """Eigenvalues near 1 +- 2.4i, 9 +- 2i and 20."""
    blocks = np.diag([1.0, 1.0, 9.0, 9.0, 20.0])
    blocks[0, 1], blocks[1, 0], blocks[2, 3], blocks[3, 2] = 2, -3, 1, -4
    return blocks + 0.3 * np.sin(np.arange(25.0)).reshape(5, 5)


def _schur_oracle(a: Any, sort: Any) -> Any:
    from scipy.linalg import schur as scipy_schur

    t, z = np.zeros(a.shape, a.dtype), np.zeros(a.shape, a.dtype)
    for i in np.ndindex(a.shape[:-2] if a.size else (0,)):
        x, y = scipy_schur(a[i], output="complex" if a.dtype.kind == "c" else "real")
        for j in range(len(x) - 1):
            if abs(x[j + 1, j]) > abs(x[j, j + 1]):
                swap = np.eye(len(x))[[*range(j), j + 1, j, *range(j + 2, len(x))]]
                x, y = swap @ x @ swap, y @ swap
        unit = np.diag((y[0] / abs(y[0])).conj())
        t[i], z[i] = unit.conj() @ x @ unit, y @ unit
    return t, z, np.zeros(a.shape[:-2], np.int64)


class Commutator(MatrixPrimitive):
    """The x below the diagonal blocks of t with t x - x t = c there; with t^T for t if `transposed`.

    t: (*batch, n, n), in Schur form, c like it, joined: (*batch, n), as `joined_rows`; nothing else of t and c is
    read. Where two blocks have an eigenvalue in common, up to rounding, the part of c that no x gives is left out.
    """

    name = "commutator"
    square = True
    flops = 2

    def impl(self, xp: Any, t: Any, c: Any, joined: Any, *, transposed: bool) -> Any:
        single = lambda t, c, joined: (_solve_commutator(t, c, joined[:, 0], transposed),)
        return over_batch(xp, single, [t, c, joined[..., None]], [(c.shape[-2:], c.dtype)])[0]

    def shape(self, t: Aval, c: Aval, joined: Aval, *, transposed: bool) -> Aval:
        self.check(t, c)
        if t.shape != c.shape or joined.shape != t.shape[:-1]:
            raise errors.ShapeError(
                f"commutator takes two matrices of one shape and rows; got {t}, {c}, {joined}."
            )
        return c

    def jvp(self, primals: Any, out: Any, tangents: Any, *, transposed: bool) -> Any:
        (t, _, joined), (dt, dc, _) = primals, tangents
        if type(dt) is Zero:
            return self(t, dc, joined, transposed=transposed)
        dt = select(blocks_below(joined), dt.dtype.type(0), dt)
        dt = swap(dt) if transposed else dt
        change = matmul(out, dt) - matmul(dt, out)
        return self(t, change if type(dc) is Zero else dc + change, joined, transposed=transposed)

    def transpose(self, ct: Any, t: Any, c: Any, joined: Any, *, transposed: bool) -> list[Any]:
        if type(t) is Unknown:
            raise errors.RuleError("commutator is linear in its right-hand side alone.")
        return [None, self(t, ct, joined, transposed=not transposed), None]

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for shape, transposed in (((4, 4), False), ((4, 4), True), ((2, 3, 3), False), ((1, 1), True)):
            t = rng.normal(size=shape) + 3 * np.diag(np.arange(shape[-1]))
            joined = np.zeros(shape[:-1], bool)
            if shape == (4, 4):
                joined[2] = True
            out.append(
                Sample((t, rng.normal(size=shape), joined), {"transposed": transposed}, _commutator_oracle)
            )
        return out


def _solve_commutator(t: Any, c: Any, joined: Any, transposed: bool) -> Any:
    n = len(t)
    starts = [i for i in range(n) if not joined[i]]
    blocks = [slice(a, b) for a, b in zip(starts, [*starts[1:], n], strict=True)]
    below = _below(blocks, n)
    t, c, x = np.where(below, 0, t), np.where(below, c, 0), np.zeros_like(c)
    mixed = c.dtype.kind == "c" and bool(joined.any())  # LAPACK's complex routine wants a triangle
    if mixed or not _halves(t, c, x, blocks, transposed):
        _block_by_block(t, c, x, blocks, transposed)
    return x


def _below(blocks: Any, n: int) -> Any:
    mask = np.tril(np.ones((n, n), bool), -1)
    for b in blocks:
        mask[b, b] = False
    return mask


def _halves(t: Any, c: Any, x: Any, blocks: Any, transposed: bool) -> bool:
    """By Sylvester equations for ever smaller parts; False if LAPACK met a common eigenvalue. Writes to x."""
    todo, order = [blocks], []
    while todo:
        part = todo.pop()
        if len(part) > 1:
            k = len(part) // 2
            order.append((slice(part[0].start, part[k].start), slice(part[k].start, part[-1].stop)))
            todo += [part[:k], part[k:]]
    c = np.array(c)
    for one, two in reversed(order) if transposed else order:
        t11, t12, t22 = t[one, one], t[one, two], t[two, two]
        if transposed:
            c[two, one] -= t12.T @ x[one, one] - x[two, two] @ t12.T
        y = triangular_sylvester(t22, t11, c[two, one], -1, transposed)
        if y is None:
            return False
        x[two, one] = y
        if not transposed:
            c[one, one] -= t12 @ y
            c[two, two] += y @ t12
    return True


def _block_by_block(t: Any, c: Any, x: Any, blocks: Any, transposed: bool) -> None:
    """By substitution, with pseudoinverses for pairs of blocks."""
    t = t.T if transposed else t
    n, count = len(t), len(blocks)
    tiny = n * np.finfo(c.dtype).eps * np.abs(t).max()
    x[:] = 0
    distances = range(1, count)
    for d in distances if transposed else reversed(distances):
        for j in range(count - d):
            rows, columns = blocks[j + d], blocks[j]
            right = c[rows, columns] - t[rows] @ x[:, columns] + x[rows] @ t[:, columns]
            a, b = t[rows, rows], t[columns, columns]
            system = np.kron(a, np.eye(len(b))) - np.kron(np.eye(len(a)), b.T)
            u, s, vh = np.linalg.svd(system)
            inverse = np.where(s > tiny, 1 / np.where(s > tiny, s, 1), 0)
            solution = vh.conj().T @ (inverse * (u.conj().T @ right.ravel()))
            x[rows, columns] = solution.reshape(right.shape)


def _commutator_oracle(t: Any, c: Any, joined: Any, transposed: bool) -> Any:
    """One dense system for all unknowns."""
    out = np.zeros(c.shape, np.result_type(t, c))
    n = t.shape[-1]
    for i in np.ndindex(t.shape[:-2]):
        below = np.tril(np.ones((n, n), bool), -1) & ~(np.eye(n, k=-1, dtype=bool) & joined[i][:, None])
        a = np.where(below, 0, t[i])
        a, below = a.T if transposed else a, below.ravel()
        system = np.kron(a, np.eye(n)) - np.kron(np.eye(n), a.T)
        x = np.zeros(n * n, out.dtype)
        if below.any():
            x[below] = np.linalg.solve(system[np.ix_(below, below)], c[i].ravel()[below])
        out[i] = x.reshape(n, n)
    return out


schur_p = Schur()
commutator_p = Commutator()
