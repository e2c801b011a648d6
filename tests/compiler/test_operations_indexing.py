"""gather, scatter and moving windows, against the interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from operation_harness import as_dtype, bfloat16, check, check_samples, run, same

from fx.backends.cpu.operations.indexing import OPERATIONS
from fx.primitives.dynamic_slicing import dynamic_slice, dynamic_update_slice
from fx.primitives.gather_scatter import OPS, gather_p, scatter_p

DTYPES = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32 complex64 complex128".split()
PRIMITIVES = {p.name: p for p in (gather_p, scatter_p, dynamic_slice, dynamic_update_slice)}


@pytest.mark.parametrize("name", ["gather", "dynamic_slice", "dynamic_update_slice"])
def test_every_sample_in_every_dtype(name):
    check_samples(OPERATIONS[name], PRIMITIVES[name], [*DTYPES, bfloat16()])


@pytest.mark.parametrize("dtype", [None, "float16", bfloat16(), "int8", "uint16", "complex64", "bool"])
def test_every_sample_of_scatter(dtype):
    rng = np.random.default_rng(0)
    for sample in scatter_p.samples(rng):
        if np.dtype(dtype or float).kind == "c" and sample.params["op"] in ("min", "max"):
            continue
        operands = [as_dtype(x, dtype) for x in sample.operands]
        check(OPERATIONS["scatter"], scatter_p, *operands, **sample.params)


def random_lookup(rng):
    """x shape, index arrays, axes, position: anything that the primitives take."""
    rank = int(rng.integers(1, 5))
    shape = tuple(int(n) for n in rng.integers(1, 6, rank))
    axes = tuple(sorted(rng.choice(rank, int(rng.integers(1, rank + 1)), replace=False).tolist()))
    common = tuple(int(n) for n in rng.integers(1, 5, int(rng.integers(0, 4))))
    mode = ("fill", "clip", "wrap", "promise_in_bounds")[int(rng.integers(4))]
    indices = []
    for a in axes:
        own = tuple(1 if rng.random() < 0.3 else n for n in common)[
            int(rng.integers(0, 2)) * (len(common) > 1) :
        ]
        beyond = 0 if mode == "promise_in_bounds" else 3
        i = rng.integers(-shape[a] - beyond, shape[a] + beyond, own)
        indices.append(i.astype(("int64", "int32", "int8")[int(rng.integers(3))]))
    return shape, indices, axes, int(rng.integers(0, rank - len(axes) + 1)), mode


def test_random_lookups():
    rng = np.random.default_rng(1)
    for case in range(40):
        shape, indices, axes, at, mode = random_lookup(rng)
        dtype = ("float64", "float32", "float16", "complex64", "int32")[case % 5]
        x = rng.normal(size=shape).astype(dtype) * 9
        where = {"axes": axes, "at": at, "mode": mode}
        check(OPERATIONS["gather"], gather_p, x, *indices, **where, fill_value=None)
        op = OPS[case % (3 if dtype == "complex64" else 5)]
        updates = rng.normal(size=gather_p.impl(np, x, *indices, **where, fill_value=0).shape).astype(dtype)
        ulps = 2 if dtype == "complex64" and op == "multiply" else 0
        check(OPERATIONS["scatter"], scatter_p, x, updates, *indices, **where, op=op, unique=False, ulps=ulps)


@pytest.mark.parametrize("width", [1, 3, 16, 100, 1000])
@pytest.mark.parametrize("mode", ["fill", "clip", "wrap"])
def test_gather_of_many_rows(width, mode):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(500, width)).astype("float32")
    index = rng.integers(-900, 900, 300_000 // (width + 4))
    check(OPERATIONS["gather"], gather_p, x, index, axes=(0,), at=0, mode=mode, fill_value=None)


def test_take_along_an_axis_in_tasks():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 7, 40))
    lines = np.arange(300)[:, None]
    for columns in (5, 600):
        index = rng.integers(0, 40, (300, columns))
        where = {"axes": (0, 2), "at": 1, "mode": "fill", "fill_value": None}
        check(OPERATIONS["gather"], gather_p, x, lines, index, **where)
    check(OPERATIONS["gather"], gather_p, x, index[0], axes=(2,), at=2, mode="clip", fill_value=None)


def test_unsigned_indices_beyond_int64():
    x = np.arange(5.0)
    index = np.array([2**64 - 1, 2, 2**63], np.uint64)
    for mode in ("fill", "clip", "wrap"):
        check(OPERATIONS["gather"], gather_p, x, index, axes=(0,), at=0, mode=mode, fill_value=None)
    check(OPERATIONS["dynamic_slice"], dynamic_slice, x, np.uint64(2**64 - 1), sizes=(2,))


def test_a_broken_promise_stays_inside():
    x, index = np.arange(4.0), np.array([1, 99, -99])
    where = {"axes": (0,), "at": 0, "mode": "promise_in_bounds"}
    (got,) = run(OPERATIONS["gather"], gather_p, x, index, **where, fill_value=7.0)
    same(got, np.array([1.0, 7.0, 7.0]))
    (got,) = run(OPERATIONS["scatter"], scatter_p, x, np.ones(3), index, **where, op="set", unique=False)
    same(got, np.array([0.0, 1.0, 2.0, 3.0]))


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int64", "uint8"])
def test_duplicates_meet_in_the_order_of_ufunc_at(op, dtype):
    rng = np.random.default_rng(4)
    dtype = bfloat16() if dtype == "bfloat16" else np.dtype(dtype)
    for rows, width, count in ((40, 1, 3000), (7, 600, 300), (3, 24, 100)):
        x = (rng.normal(size=(rows, width)) * 30).astype(dtype)
        updates = (rng.normal(size=(count, width)) * 30).astype(dtype)
        if dtype.kind == "u":
            x, updates = (rng.integers(0, 255, v.shape).astype(dtype) for v in (x, updates))
        index = rng.integers(0, rows, count)
        where = {"axes": (0,), "at": 0, "mode": "fill", "op": op, "unique": False}
        (got,) = run(OPERATIONS["scatter"], scatter_p, x, updates, index, **where)
        same(got, in_order(x, updates, index, op))


def in_order(x, updates, index, op):
    """Row after row, in float32 where the dtype is narrower."""
    work = np.float32 if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x.dtype
    out = x.astype(work)
    ufunc = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}.get(op)
    with np.errstate(all="ignore"):
        for i, row in zip(index, updates.astype(work)):
            out[i] = row if ufunc is None else ufunc(out[i], row)
        return out.astype(x.dtype)


def test_scatter_over_outer_places_and_unique_ones():
    rng = np.random.default_rng(5)
    x, updates = rng.normal(size=(90, 30, 50)), rng.normal(size=(90, 20, 50))
    index = rng.integers(-40, 40, 20)
    where = {"axes": (1,), "at": 1, "mode": "fill"}
    check(OPERATIONS["scatter"], scatter_p, x, updates, index, **where, op="set", unique=False)
    distinct = rng.permutation(30)[:20]
    check(OPERATIONS["scatter"], scatter_p, x, updates, distinct, **where, op="add", unique=True)


def test_large_windows():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(400, 3, 700)).astype("float32")
    starts = [np.int32(-350), np.int64(1), np.uint8(200)]
    check(OPERATIONS["dynamic_slice"], dynamic_slice, x, *starts, sizes=(300, 2, 501))
    update = rng.normal(size=(300, 2, 501)).astype("float32")
    check(OPERATIONS["dynamic_update_slice"], dynamic_update_slice, x, update, *starts)
    check(OPERATIONS["dynamic_slice"], dynamic_slice, x, *[np.int8(0)] * 3, sizes=x.shape)


def test_the_harness_catches_a_wrong_result():
    """A read from the wrong end, and one of the wrong value."""
    x, params = np.arange(4.0), {"axes": (0,), "at": 0, "mode": "fill", "fill_value": None}
    for index, other in (([1, -1], [1, 1]), ([0, 9], [0, 3])):
        (got,) = run(OPERATIONS["gather"], gather_p, x, np.array(index), **params)
        with pytest.raises(AssertionError):
            same(got, x[other])
    with pytest.raises(AssertionError):
        same(np.array([0.0]), np.array([-0.0]))
    with pytest.raises(AssertionError):
        same(np.array([1.0]), np.array([1.0 + 2.0**-50]), ulps=2)
