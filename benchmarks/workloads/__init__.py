"""All workloads of the table, by family."""

from __future__ import annotations

from . import (
    contractions,
    convolutions,
    derivatives,
    dynamics,
    elementwise,
    indexing,
    learning,
    linear_algebra,
    mlp,
    recurrent,
    rows,
    sampling,
    scalars,
    small_calls,
    transformer,
)
from .workload import Workload

MODULES = (
    scalars, small_calls, mlp, convolutions, transformer, recurrent, elementwise, rows, derivatives, sampling,
    linear_algebra, dynamics, contractions, indexing, learning,
)  # fmt: skip


def workloads(tiny: bool = False) -> list[Workload]:
    """In the order of the table; `tiny` sizes are for tests."""
    found = [w for module in MODULES for w in module.workloads(tiny)]
    return found + [w.twin() for w in _twins(tiny)]


def _twins(tiny: bool) -> list[Workload]:
    """Five of them, from five families, that are measured in float64 as well."""
    return [
        list(mlp.workloads(tiny))[1],
        elementwise.gelu_gradient(1000 if tiny else 1_000_000),
        list(rows.workloads(tiny))[1],
        list(derivatives.workloads(tiny))[1],
        next(dynamics.workloads(tiny)),
    ]


def families() -> list[str]:
    return list(dict.fromkeys(w.family.replace(" ", "-") for w in workloads(tiny=True)))
