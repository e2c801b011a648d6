"""sort, permute and searchsorted, against the interpreter, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from operation_harness import as_dtype, bfloat16, check, check_samples

from fx.backends.cpu.operations.sorting import OPERATIONS
from fx.primitives.sorting import permute_p, searchsorted_p, sort_p

REAL = [
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", bfloat16(), "float32",
    "float64",
]  # fmt: skip
COMPLEX = ["complex64", "complex128"]


def test_every_sample_in_every_dtype():
    check_samples(OPERATIONS["sort"], sort_p, ["float32", "int8", "complex64"])
    check_samples(OPERATIONS["permute"], permute_p, ["float16", "complex128"])
    check_samples(OPERATIONS["searchsorted"], searchsorted_p, ["float32", "int8"])


def draw(rng, shape, dtype, kind):
    """Lines of several kinds, with what is special of a dtype among them."""
    dtype = np.dtype(dtype)
    if kind == "ties":
        x = rng.integers(-2, 3, shape) * 1.0
    elif kind == "sorted":
        x = np.sort(rng.normal(size=shape) * 50, axis=-1)
    else:
        x = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape)
    if dtype.kind in "fVc":
        special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-42])
        x = np.where(rng.random(shape) < 0.2, rng.choice(special, shape), x)
        if dtype.kind == "c":
            both = np.stack([x, draw(rng, shape, "float64", kind)], -1)
            with np.errstate(all="ignore"):
                return both.view(np.complex128).reshape(shape).astype(dtype)
        with np.errstate(all="ignore"):
            return np.where(rng.random(shape) < 0.5, x, -x if kind != "sorted" else x).astype(dtype)
    if dtype.kind in "iu" and kind == "wide":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return as_dtype(x, dtype) if dtype.kind == "b" else np.trunc(np.abs(x) % 100).astype(dtype)


SHAPES = [
    ((1,), 0), ((2,), 0), ((33,), 0), ((65,), 0), ((1500,), 0), ((5, 100), 1), ((40, 7), 0), ((3, 9, 5), 1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [*REAL, *COMPLEX])
def test_values_and_orders(dtype):
    rng = np.random.default_rng(1)
    for shape, axis in SHAPES:
        for kind in ("ties", "sorted", "wide"):
            x = draw(rng, shape, dtype, kind)
            places = np.indices(shape)[axis]
            check(OPERATIONS["sort"], sort_p, x, axis=axis, num_keys=1)
            check(OPERATIONS["sort"], sort_p, x, places, axis=axis, num_keys=1)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_long_lines(dtype):
    rng = np.random.default_rng(2)
    for kind in ("ties", "sorted", "wide"):
        x = draw(rng, (300_000,), dtype, kind)
        check(OPERATIONS["sort"], sort_p, x, axis=0, num_keys=1)
        check(OPERATIONS["sort"], sort_p, x, np.arange(x.size), axis=0, num_keys=1)


def test_lines_made_for_bad_pivots():
    n = 100_000
    organ = np.concatenate([np.arange(n // 2), np.arange(n // 2)[::-1]])
    comb = np.where(np.arange(n) % (n // 8) == 0, 1, np.arange(n) + 5)
    comb16 = np.where(np.arange(n) % (n // 16) == 0, np.arange(n), 3 * n - np.arange(n))
    powers = np.left_shift(1, np.arange(n) % 31)
    for x in (organ, comb, comb16, powers, np.zeros(n), np.full(n, -1)):
        for dtype in ("int32", "int64", "float32"):
            check(OPERATIONS["sort"], sort_p, x.astype(dtype), axis=0, num_keys=1)
        check(OPERATIONS["sort"], sort_p, x.astype("float64"), np.arange(n), axis=0, num_keys=1)


def test_several_keys_and_lines_in_tasks():
    rng = np.random.default_rng(3)
    keys = [draw(rng, (300, 200), t, "ties") for t in ("float16", "int64", "complex128", "bool")]
    for axis in (0, 1):
        for count in (1, 2, 3, 4):
            check(OPERATIONS["sort"], sort_p, *keys, rng.normal(size=(300, 200)), axis=axis, num_keys=count)
        check(OPERATIONS["sort"], sort_p, draw(rng, (300, 200), "float32", "wide"), axis=axis, num_keys=1)


def test_permutations_in_tasks():
    rng = np.random.default_rng(4)
    for dtype in ("uint8", "float16", "float64", "complex128"):
        x = draw(rng, (90, 50, 20), dtype, "wide")
        for axis in range(3):
            perm = np.argsort(rng.random(x.shape), axis).astype(("int64", "int32", "uint8")[axis])
            for inverse in (False, True):
                check(OPERATIONS["permute"], permute_p, x, perm, axis=axis, inverse=inverse)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", REAL)
def test_searches(side, dtype):
    rng = np.random.default_rng(5)
    for a_shape, v_shape in (
        ((1,), (9,)),
        ((100,), (3, 7)),
        ((6, 31), (6, 2, 9)),
        ((4000,), (3000,)),
        ((0,), (4,)),
    ):
        for kind in ("ties", "wide"):
            a = np.sort(
                draw(rng, a_shape, dtype, kind).astype("float32" if dtype == bfloat16() else dtype), axis=-1
            )
            v = draw(rng, v_shape, dtype, kind)
            check(OPERATIONS["searchsorted"], searchsorted_p, a.astype(dtype), v, side=side)
