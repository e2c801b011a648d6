"""Sylvester's equation a x + x b = q, by Schur forms."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import Aval
from ..core.primitive import Sample, Unknown, Zero
from ..core.trace import bind
from . import _lapack
from ._batched import over_batch
from ._lapack import attempt
from ._matrices import (
    MatrixPrimitive,
    check_matrices,
    matmul,
    swap,
)


def sylvester(a: Any, b: Any, q: Any) -> Any:
    """x with a x + x b = q. a: (*batch, m, m), b: (*batch, k, k), q: (*batch, m, k).

    Raises:
        LinAlgError: a and -b have an eigenvalue in common.
    """
    return bind(sylvester_p, a, b, q)


class Sylvester(MatrixPrimitive):
    """The x with a x + x b = q, by Schur forms of a and b (Bartels and Stewart, 1972)."""

    name = "sylvester"
    flops = 60

    def impl(self, xp: Any, a: Any, b: Any, q: Any) -> Any:
        if q.size == 0:
            return xp.zeros(q.shape, q.dtype)
        run = lambda *xs: over_batch(xp, _bartels_stewart, xs, [(q.shape[-2:], q.dtype)])[0]
        problem = "a and -b have an eigenvalue in common, or are not finite"
        return attempt(
            xp, "solve_sylvester", problem, "Such equations have no or many solutions.", run, a, b, q
        )

    def shape(self, a: Aval, b: Aval, q: Aval) -> Aval:
        check_matrices(self.name, (a, b, q), square=False)
        if not (a.shape[-2] == a.shape[-1] == q.shape[-2] and b.shape[-2] == b.shape[-1] == q.shape[-1]):
            raise errors.ShapeError(
                f"sylvester takes a: (*batch, m, m), b: (*batch, k, k) and q: (*batch, m, k); got {a}, {b} and {q}."
            )
        return q

    def jvp(self, primals: Any, out: Any, tangents: Any) -> Any:
        """dX solves the equation with the right-hand side dQ - dA X - X dB."""
        (a, b, _), (da, db, right) = primals, tangents
        for on, change in ((da, lambda: matmul(da, out)), (db, lambda: matmul(out, db))):
            if type(on) is not Zero:
                right = -change() if type(right) is Zero else right - change()
        return self(a, b, right)

    def transpose(self, ct: Any, a: Any, b: Any, q: Any) -> list[Any]:
        if type(a) is Unknown or type(b) is Unknown:
            raise errors.RuleError("sylvester is linear in its right-hand side alone.")
        return [None, None, self(swap(a), swap(b), ct)]

    def samples(self, rng: Any) -> Iterable[Sample]:
        out = []
        for lead, m, k in (((), 3, 2), ((2,), 2, 2), ((), 1, 1), ((0,), 2, 1), ((), 0, 2)):
            a = rng.normal(size=(*lead, m, m)) + 3 * np.eye(m)
            b = rng.normal(size=(*lead, k, k)) + 3 * np.eye(k)
            out.append(Sample((a, b, rng.normal(size=(*lead, m, k))), {}, _sylvester_oracle))
        return out


def _bartels_stewart(a: Any, b: Any, q: Any) -> Any:
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise np.linalg.LinAlgError("not finite")
    decompose = importlib.import_module("scipy.linalg").schur
    output = "complex" if q.dtype.kind == "c" else "real"
    s, u = decompose(a, output=output)
    t, v = decompose(b, output=output)
    y = triangular_sylvester(s, t, u.conj().T @ q @ v, 1)
    if y is None:
        raise np.linalg.LinAlgError("common eigenvalue")
    return (u @ y @ v.conj().T,)


def _sylvester_oracle(a: Any, b: Any, q: Any) -> Any:
    out = np.zeros(q.shape, q.dtype)
    for i in np.ndindex(q.shape[:-2] if q.size else (0,)):
        m, k = q.shape[-2:]
        system = np.kron(a[i], np.eye(k)) + np.kron(np.eye(m), b[i].T)
        out[i] = np.linalg.solve(system, q[i].ravel()).reshape(m, k)
    return out


def triangular_sylvester(a: Any, b: Any, c: Any, sign: int, transposed: bool = False) -> Any:
    """x with a x + sign x b = c for a, b in Schur form; None if they have an eigenvalue in common."""
    trsyl = _lapack.routine("lapack", "trsyl", c.dtype)
    conjugate = transposed and c.dtype.kind == "c"
    trans = "N" if not transposed else "C" if conjugate else "T"
    y, scale, info = trsyl(a, b, c.conj() if conjugate else c, trana=trans, tranb=trans, isgn=sign)
    return None if info else (y.conj() if conjugate else y) / scale


sylvester_p = Sylvester()
