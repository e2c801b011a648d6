"""sort, gather, scatter-add and cumsum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .workload import Workload, normal

FORWARD = ("fx", "jax", "numpy")


def sort(n: int) -> Workload:
    return Workload(
        f"sort, {n:,}",
        "indexing",
        inputs=lambda rng: (normal(rng, n),),
        function=lambda s: s.np.sort,
        torch=lambda t, x: t.function(lambda x: t.torch.sort(x).values, x),
        runs_on=FORWARD,
    )


def cumsum(n: int) -> Workload:
    return Workload(
        f"cumsum, {n:,}",
        "indexing",
        inputs=lambda rng: (normal(rng, n),),
        function=lambda s: s.np.cumsum,
        torch=lambda t, x: t.function(lambda x: t.torch.cumsum(x, 0), x),
        runs_on=FORWARD,
        elements=2.0 * n,
    )


def gather(rows: int, width: int, count: int) -> Workload:
    """Rows of a table."""
    return Workload(
        f"gather {count:,} rows of {width} from {rows:,}",
        "indexing",
        inputs=lambda rng: (normal(rng, rows, width), rng.integers(0, rows, count)),
        function=lambda s: lambda table, index: table[index],
        torch=lambda t, table, index: t.function(lambda table, index: table[index], table, index),
        runs_on=FORWARD,
        elements=2.0 * count * width,
    )


def scatter_add(rows: int, width: int, count: int) -> Workload:
    """Into rows of a table; indices repeat."""

    def torch(t: Any, *arguments: Any) -> Any:
        return t.function(lambda table, index, rows: table.index_add(0, index, rows), *arguments)

    return Workload(
        f"scatter-add {count:,} rows of {width} into {rows:,}",
        "indexing",
        inputs=lambda rng: (
            normal(rng, rows, width),
            rng.integers(0, rows, count),
            normal(rng, count, width),
        ),
        function=lambda s: s.scatter_add,
        torch=torch,
        runs_on=FORWARD,
        elements=2.0 * rows * width + 3.0 * count * width,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    n = 50 if tiny else 1_000_000
    table = (9, 4, 6) if tiny else (50_000, 64, 16_384)
    yield sort(n)
    yield gather(*table)
    yield scatter_add(*table)
    yield cumsum(n)
