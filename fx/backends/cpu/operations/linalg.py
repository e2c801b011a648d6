"""Native forms of the factorizations: calls of `linalg.library`, with the sizes and the working memory they need.

A failure (singular, not positive definite, not converged) is noted by `fx_fail`; see `failures.take`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ....core import dtypes
from ....core.avals import Aval
from ....primitives.linalg import _SINGULAR_ADVICE, SINGULAR
from ....primitives.spectral import NOT_CONVERGED, NOT_FINITE
from .. import failures
from ..linalg import small, spectral, systems
from ..linalg.batch import Routine
from ..linalg.kernels import padded
from ..linalg.library import provide
from ..llvm import TYPES, Function, Value, i64
from .operation import Buffer, Operation

BLOCK = 64
"""Columns that LAPACK's blocked algorithms take at once, at most; working memory is sized by it."""

WIDE = 8
"""Bytes of an integer of LAPACK, at most."""

_PART = 30.0
"""Microseconds of work that are worth a part of the batch for themselves."""

_PARTS, _SCRATCH, _SEQUENTIAL = 64, 32 << 20, 256
"""Parts at most; bytes of working memory that parts may share; order from which LAPACK uses threads itself."""


class Failure(NamedTuple):
    """What a LinAlgError says."""

    problem: str
    advice: str
    whole: str = "the batch "
    """How the text calls all matrices."""


class Factorization(Operation):
    """One call of a routine for the whole batch. Subclasses give its sizes and its working memory."""

    routine: Routine
    small: Routine | None = None
    """The same by kernels of our own, for real matrices."""
    largest = 0
    """The order up to which they are faster, in a batch; a single large matrix is LAPACK's, on all its threads."""
    cubes = 1.0
    """Floating-point operations of n x n matrices, in units of n**3."""

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        """The integers of the routine's record."""
        raise NotImplementedError

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        """Bytes of each area of working memory, for one matrix at a time."""
        return {}

    def all_areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        return self.areas(s, dtype)

    def arrays(self, params: dict[str, Any]) -> list[str]:
        """The names of operands and results in the record."""
        return self.routine.arrays.split()

    def failure(self, params: dict[str, Any]) -> Failure | None:
        """What is raised if a matrix fails; None if none can."""
        return None

    def accepts(self, avals: Sequence[Aval], params: dict[str, Any]) -> bool:
        if any(d <= 0 for a in avals for d in a.shape):
            return False
        provide(self.chosen(avals), avals[0].dtype)
        return True

    def chosen(self, avals: Sequence[Aval]) -> Routine:
        a = avals[0]
        limit = self.largest if math.prod(a.shape[:-2]) > 1 else min(self.largest, _SEQUENTIAL - 1)
        ours = self.small is not None and a.dtype.kind == "f" and max(a.shape[-2:]) <= limit
        return self.small if ours and self.small else self.routine

    def scratch(self, avals: Sequence[Aval], params: dict[str, Any]) -> int:
        return self._split(avals, params).scratch

    def emit(
        self,
        f: Function,
        inputs: Sequence[Buffer],
        outputs: Sequence[Buffer],
        scratch: Value,
        params: dict[str, Any],
    ) -> None:
        avals = [Aval(b.shape, b.dtype) for b in inputs]
        routine = self.chosen(avals)
        split, record = self._split(avals, params), routine.record
        memory = record.new(f)
        arrays = [*inputs, *outputs]
        pointers = {name: b.pointer for name, b in zip(self.arrays(params), arrays, strict=True)}
        fields = {name: i64(int(split.fields.get(name, 0))) for name in record.place}
        record.set(f, memory, **{**fields, "scratch": scratch, **pointers})
        status = f.call(routine.symbol(avals[0].dtype), "i64", [memory])
        if failure := self.failure(params):
            text = failures.text_of(f.module, avals[0], *failure)
            with f.when(f.icmp("sge", status, i64(0))):
                f.call("fx_fail", "void", [text, status])

    def _split(self, avals: Sequence[Aval], params: dict[str, Any]) -> Split:
        s = self.sizes(avals, params)
        s["width"] = padded(TYPES[dtypes.real_of(avals[0].dtype).name], avals[0].shape[-1])
        areas = self.all_areas(s, avals[0].dtype)
        ours = self.chosen(avals) is self.small
        return _split(avals[0], s, areas, self.cubes, ours)


class Split(NamedTuple):
    """How a batch is worked on: the integers of the record, and all working memory."""

    fields: dict[str, int]
    scratch: int


def _split(a: Aval, sizes: dict[str, int], areas: dict[str, int], cubes: float, ours: bool) -> Split:
    batch, n = math.prod(a.shape[:-2]), max(a.shape[-2:])
    offsets, stride = {}, 0
    for name, nbytes in areas.items():
        offsets[name] = stride
        stride += -(-nbytes // 64) * 64
    flops = cubes * math.prod(a.shape[-2:]) * min(a.shape[-2:])
    time = n / 60 + flops / 10_000 if ours else 0.5 + flops / 3000  # microseconds, roughly
    parts = 1 if n >= _SEQUENTIAL and not ours else min(_PARTS, math.ceil(batch * time / _PART), batch)
    parts = max(1, min(parts, _SCRATCH // max(stride, 1)))
    each = -(-batch // parts)
    parts = -(-batch // each)
    together = parts == 1 and n >= _SEQUENTIAL
    return Split(
        {"together": together, "stride": stride, "batch": batch, "each": each, **offsets, **sizes},
        parts * stride,
    )


class Cholesky(Factorization):
    routine, small, largest = systems.cholesky, small.cholesky, 512
    cubes = 1 / 3

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        return {"n": avals[0].shape[-1], "mean": params["part"] == "mean"}

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        return {"t": _rows(s, dtype)}

    def failure(self, params: dict[str, Any]) -> Failure:
        advice = "Add a multiple of the identity, a + 1e-6 * eye(n), or use eigh for indefinite matrices."
        return Failure("cholesky: the matrix is not positive definite.", advice)


class TriangularSolve(Factorization):
    routine, small, largest = systems.triangular_solve, small.triangular_solve, 512

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        a, b = avals
        conjugates = params["conjugate_a"] and a.dtype.kind == "c"
        trans = "N" if not params["transpose_a"] else "C" if conjugates else "T"
        return {
            "n": a.shape[-1],
            "k": b.shape[-1],
            "uplo": ord("U" if params["lower"] else "L"),
            "trans": ord(trans),
            "diag": ord("U" if params["unit"] else "N"),
            "conjugate": conjugates and not params["transpose_a"],
            "flip": params["lower"] == params["transpose_a"],
            "down": 1 if params["transpose_a"] else a.shape[-1],
            "across": a.shape[-1] if params["transpose_a"] else 1,
            "unit": params["unit"],
        }


def _square(s: dict[str, int], dtype: np.dtype[Any]) -> int:
    return s["n"] * s["n"] * dtype.itemsize


def _rows(s: dict[str, int], dtype: np.dtype[Any]) -> int:
    """Of padded rows."""
    return s["n"] * s["width"] * dtype.itemsize


class LU(Factorization):
    routine, small, largest = systems.lu, small.lu, 384
    cubes = 2 / 3

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        m, n = avals[0].shape[-2:]
        return {"m": m, "n": n, "k": min(m, n), "refuse": params["singular"] == "raise"}

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        return {"t": s["m"] * s["width"] * dtype.itemsize, "swaps": WIDE * s["k"]}

    def failure(self, params: dict[str, Any]) -> Failure | None:
        raises = params["singular"] == "raise"
        return Failure(f"solve: {SINGULAR}.", _SINGULAR_ADVICE, "") if raises else None


class Solve(Factorization):
    routine, small, largest = systems.solve, small.solve, 384
    cubes = 2.0

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        return {"n": avals[0].shape[-1], "k": avals[1].shape[-1]}

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        return {"t": _rows(s, dtype), "swaps": WIDE * s["n"], "order": 4 * s["n"]}

    def failure(self, params: dict[str, Any]) -> Failure:
        return Failure(f"solve: {SINGULAR}.", _SINGULAR_ADVICE)


class Inv(Factorization):
    routine, small, largest = systems.inv, small.inv, 384
    cubes = 2.0

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        n = avals[0].shape[-1]
        return {"n": n, "lwork": BLOCK * n, "nan": params["singular"] == "nan"}

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        rows = {"swaps": WIDE * s["n"], "order": 4 * s["n"]}
        return {"t": _rows(s, dtype), **rows, "work": s["lwork"] * dtype.itemsize}

    def failure(self, params: dict[str, Any]) -> Failure | None:
        raises = params["singular"] == "raise"
        return Failure(f"inv: {SINGULAR}.", _SINGULAR_ADVICE) if raises else None


class Det(Factorization):
    routine, small, largest = systems.det, small.det, 384
    cubes = 2 / 3

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        return {"n": avals[0].shape[-1]}

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        return {"t": _rows(s, dtype), "swaps": WIDE * s["n"]}


class Slogdet(Det):
    routine, small, largest = systems.slogdet, small.slogdet, 384


class QR(Factorization):
    routine = spectral.qr
    cubes = 4.0

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        m, n = avals[0].shape[-2:]
        j = min(m, n)
        return {"m": m, "n": n, "k": m if params["full"] else j, "j": j, "lwork": BLOCK * max(m, n)}

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        size = s["m"] * s["n"]
        elements = {"t": max(size, s["m"] * s["k"]), "rows": size, "tau": s["j"], "work": s["lwork"]}
        return {name: n * dtype.itemsize for name, n in elements.items()}


class Iteration(Factorization):
    """One that may not converge, gives vectors only if asked, and computes in double precision."""

    name, name_of_values = "", ""
    values = ""
    """The result without vectors."""

    def arrays(self, params: dict[str, Any]) -> list[str]:
        return self.routine.arrays.split() if params["vectors"] else ["a", self.values]

    def all_areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        """Those of the computation, and for single precision the operand and the results."""
        wide = np.dtype("complex128" if dtype.kind == "c" else "float64")
        areas = self.areas(s, wide)
        if dtype == wide:
            return areas
        return {**areas, **{f"wide_{name}": 8 * n for name, n in self.counts(s, wide).items()}}

    def counts(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        """How many floats the operand and each result of a matrix hold."""
        raise NotImplementedError

    def failure(self, params: dict[str, Any]) -> Failure:
        name = self.name if params["vectors"] else self.name_of_values
        return Failure(f"{name}: {NOT_CONVERGED}.", NOT_FINITE)


class Eigh(Iteration):
    """Working memory by the documentation of ?syevd and ?heevd, and a block more for the reduction."""

    routine = spectral.eigh
    name, name_of_values, values = "eigh", "eigvalsh", "w"
    cubes = 9.0

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        n, vectors = avals[0].shape[-1], params["vectors"]
        if avals[0].dtype.kind == "c":
            lwork = 2 * n + n * n + BLOCK * n
        else:
            lwork = 1 + 6 * n + 2 * n * n + BLOCK * n if vectors else 2 * n + 1 + BLOCK * n
        return {
            "n": n,
            "job": ord("V" if vectors else "N"),
            "uplo": ord("U" if params["part"] == "upper" else "L"),
            "mean": params["part"] == "mean",
            "lwork": lwork,
            "lrwork": 1 + 5 * n + 2 * n * n if vectors else n + 1,
            "liwork": 3 + 5 * n,
        }

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        real = dtypes.real_of(dtype).itemsize
        rwork = s["lrwork"] * real if dtype.kind == "c" else 0
        work = s["lwork"] * dtype.itemsize
        return {"t": _square(s, dtype), "work": work, "rwork": rwork, "iwork": WIDE * s["liwork"]}

    def counts(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        size = s["n"] ** 2 * _parts(dtype)
        return {"a": size, "w": s["n"], "v": size}


def _parts(dtype: np.dtype[Any]) -> int:
    return 2 if dtype.kind == "c" else 1


class SVD(Iteration):
    """Working memory by the documentation of ?gesdd, and blocks more for its reductions."""

    routine = spectral.svd
    name, name_of_values, values = "svd", "svdvals", "s"
    cubes = 20.0

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        m, n = avals[0].shape[-2:]
        j, full = min(m, n), params["full"]
        job = "N" if not params["vectors"] else "A" if full else "S"
        p, q = (m, n) if full else (j, j)
        lwork = 4 * j * j + 7 * j + 2 * max(m, n) + BLOCK * (m + n)
        return {"m": m, "n": n, "p": p, "q": q, "j": j, "job": ord(job), "lwork": lwork}

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        j, long, real = s["j"], max(s["m"], s["n"]), dtypes.real_of(dtype).itemsize
        rwork = max(5 * j * j + 7 * j, 2 * long * j + 2 * j * j + j) * real if dtype.kind == "c" else 0
        vectors = s["job"] != ord("N")
        elements = {
            "t": s["m"] * s["n"],
            "left": s["m"] * s["p"] * vectors,
            "right": s["q"] * s["n"] * vectors,
            "work": s["lwork"],
        }
        bytes_of = {name: n * dtype.itemsize for name, n in elements.items()}
        return {**bytes_of, "rwork": rwork, "iwork": WIDE * 8 * j}

    def counts(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        elements = {"a": s["m"] * s["n"], "u": s["m"] * s["p"], "vh": s["q"] * s["n"]}
        return {"s": s["j"], **{name: n * _parts(dtype) for name, n in elements.items()}}


class Eig(Iteration):
    routine = spectral.eig
    name, name_of_values, values = "eig", "eigvals", "w"
    cubes = 25.0

    def sizes(self, avals: Sequence[Aval], params: dict[str, Any]) -> dict[str, int]:
        n = avals[0].shape[-1]
        return {"n": n, "job": ord("V" if params["vectors"] else "N"), "lwork": (4 + BLOCK) * n}

    def areas(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        elements = {"t": s["n"] ** 2, "vectors": s["n"] ** 2, "work": s["lwork"], "rwork": 2 * s["n"]}
        return {name: n * dtype.itemsize for name, n in elements.items()}

    def counts(self, s: dict[str, int], dtype: np.dtype[Any]) -> dict[str, int]:
        size = s["n"] ** 2
        return {"a": size * _parts(dtype), "w": 2 * s["n"], "v": 2 * size}


OPERATIONS: dict[str, Operation] = {
    "cholesky": Cholesky(),
    "triangular_solve": TriangularSolve(),
    "lu": LU(),
    "solve": Solve(),
    "inv": Inv(),
    "det": Det(),
    "slogdet": Slogdet(),
    "qr": QR(),
    "eigh": Eigh(),
    "svd": SVD(),
    "eig": Eig(),
}
