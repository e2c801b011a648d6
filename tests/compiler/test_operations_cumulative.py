"""Running reductions, against the interpreter, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from operation_harness import as_dtype, bfloat16, check, check_samples

from fx.backends.cpu.operations.cumulative import OPERATIONS
from fx.primitives.cumulative import cumlogsumexp_p, cummax_p, cummin_p, cumprod_p, cumsum_p

PRIMITIVES = {p.name: p for p in (cumsum_p, cumprod_p, cummax_p, cummin_p, cumlogsumexp_p)}
NUMBERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32"]
DTYPES = {
    "cumsum": [*NUMBERS, bfloat16(), "complex64", "complex128"],
    "cumprod": [*NUMBERS, bfloat16()],
    "cummax": [*NUMBERS, bfloat16(), "bool"],
    "cummin": [*NUMBERS, bfloat16(), "bool"],
    "cumlogsumexp": ["float16", "float32", bfloat16()],
}


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_sample_in_every_dtype(name):
    check_samples(OPERATIONS[name], PRIMITIVES[name], DTYPES[name])


SHAPES = [
    ((1,), 0), ((5000,), 0), ((33, 1000), 1), ((200, 300), 1), ((3, 50, 5), 1), ((50, 17), 0), ((4, 60, 131), 1),
    ((90, 1001), 0), ((2, 3, 4, 5), 2), ((700, 9), 1),
]  # fmt: skip


@pytest.mark.parametrize("name", PRIMITIVES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "uint8"])
def test_shapes_axes_and_directions(name, dtype):
    if np.dtype(dtype).name not in map(str, [*DTYPES[name], "float64"]):
        return
    rng = np.random.default_rng(1)
    for k, (shape, axis) in enumerate(SHAPES):
        x = as_dtype(rng.normal(size=shape) * (1.0 if name == "cumprod" else 3.0), dtype)
        with np.errstate(all="ignore"):
            check(OPERATIONS[name], PRIMITIVES[name], x, axis=axis, reverse=bool(k % 2))


@pytest.mark.parametrize("name", PRIMITIVES)
def test_nan_infinities_and_zeros(name):
    special = np.array([0.0, -0.0, -0.0, 0.0, np.inf, -1.0, -np.inf, np.nan, 2.0, -np.inf])
    rng = np.random.default_rng(2)
    for dtype in ("float32", "float64"):
        for reverse in (False, True):
            rows = rng.permuted(np.tile(special, (40, 1)), axis=1).astype(dtype)
            with np.errstate(all="ignore"):
                for axis in (0, 1):
                    check(OPERATIONS[name], PRIMITIVES[name], rows, axis=axis, reverse=reverse)


def test_complex_products():
    rng = np.random.default_rng(3)
    for dtype in ("complex64", "complex128"):
        x = np.exp(1j * rng.normal(size=(5, 40, 3))).astype(dtype)
        for axis in range(3):
            most = 2 * x.shape[axis]  # a product is within one unit, here and there
            check(OPERATIONS["cumprod"], cumprod_p, x, axis=axis, reverse=axis == 1, ulps=most)
