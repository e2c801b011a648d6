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
from ._matrices import MatrixPrimitive


def hessenberg(a: Any) -> tuple[Any, Any]:
    """(h, q) with a = q h q^H, h zero below the first subdiagonal, q unitary with first column e_1. a: (..., n, n).

    Subdiagonals are real for n > 2; smaller matrices stay.
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

    jvp = absent("fx.linalg.hessenberg has the rule, a loop over columns")
    transpose = absent("a factorization is not linear")

    def samples(self, rng: Any) -> Iterable[Sample]:
        shapes = ((4, 4), (2, 3, 3), (2, 2), (1, 1), (0, 0), (0, 3, 3))
        return [Sample((rng.normal(size=s),), {}, _hessenberg_oracle) for s in shapes]


def _hessenberg_oracle(a: Any) -> Any:
    from scipy.linalg import hessenberg as scipy_hessenberg

    h, q = np.zeros(a.shape, a.dtype), np.zeros(a.shape, a.dtype)
    for i in np.ndindex(a.shape[:-2] if a.size else (0,)):
        h[i], q[i] = scipy_hessenberg(a[i], calc_q=True)
    return h, q


hessenberg_p = Hessenberg()
