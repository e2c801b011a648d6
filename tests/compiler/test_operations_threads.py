"""Native operations on the real pool: the same bits for any number of threads, as from tasks run one by one."""

from __future__ import annotations

import numpy as np
import pytest
from operation_harness import Compiled, garbage, same

from fx.backends.cpu.operations import cumulative, indexing, random_bits, sorting
from fx.backends.cpu.threads import threads
from fx.core.avals import Aval
from fx.primitives.cumulative import cumsum_p
from fx.primitives.gather_scatter import gather_p, scatter_p
from fx.primitives.random import random_unit
from fx.primitives.sorting import searchsorted_p, sort_p


def cases():
    """(name, table of operations, primitive, operands, params)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1000)).astype("float32")
    index = rng.integers(-400, 400, 2000)
    lookup = {"axes": (0,), "at": 0, "mode": "fill"}
    order = {"axis": 0, "num_keys": 1}
    key = np.array([7, 9], np.uint32)
    return [
        ("gather", indexing, gather_p, (x, index), {**lookup, "fill_value": None}),
        (
            "scatter",
            indexing,
            scatter_p,
            (x, x[index % 300], index),
            {**lookup, "op": "add", "unique": False},
        ),
        ("cumsum", cumulative, cumsum_p, (x,), {"axis": 0, "reverse": True}),
        (
            "random_unit",
            random_bits,
            random_unit,
            (key,),
            {"shape": (200_001,), "dtype": np.dtype("float32")},
        ),
        ("sort", sorting, sort_p, (x.reshape(-1),), order),
        ("sort", sorting, sort_p, (x.reshape(-1).astype(float), np.arange(x.size)), order),
        ("sort", sorting, sort_p, (x,), order),
        ("searchsorted", sorting, searchsorted_p, (np.sort(x[0]), x), {"side": "left"}),
    ]


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case[0]}-{len(case[3])}")
def test_any_number_of_threads_gives_the_same_bits(case):
    name, table, primitive, operands, params = case
    avals = [Aval(x.shape, x.dtype) for x in operands]
    expected = Compiled(table.OPERATIONS[name], primitive, avals, params)(*operands)
    compiled = Compiled(table.OPERATIONS[name], primitive, avals, params, threads=True)
    for count in (1, 2, 5):
        with threads(count):
            for got, want in zip(compiled(*operands), expected):
                same(got, want)


def test_again_and_again_in_the_same_memory():
    rng = np.random.default_rng(1)
    operation, params = sorting.OPERATIONS["sort"], {"axis": 0, "num_keys": 1}
    compiled = Compiled(operation, sort_p, [Aval((100_000,), np.dtype("float32"))], params, threads=True)
    work = garbage(compiled.scratch)
    for _ in range(20):
        x, out = rng.normal(size=100_000).astype("float32"), np.empty(100_000, "float32")
        compiled.into([x, out], work)
        same(out, np.sort(x))
