"""Random bits and the functions of random draws, against the interpreter and JAX, to the bit."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from operation_harness import bfloat16, check, check_samples, run, same

from fx.backends.cpu.operations.random_bits import OPERATIONS
from fx.primitives.random import child_keys, random_bits, random_unit
from fx.primitives.random_math import fused_multiply_add, xla_erf, xla_erf_inv, xla_log, xla_log1p

PRIMITIVES = {p.name: p for p in (random_bits, random_unit, child_keys)}
ELEMENTWISE = {p.name: p for p in (xla_log, xla_log1p, xla_erf, xla_erf_inv)}
LANES = 16


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_sample(name):
    check_samples(OPERATIONS[name], PRIMITIVES[name])


@pytest.mark.parametrize(
    "name, dtype",
    [("random_bits", t) for t in ("uint8", "uint16", "uint32", "uint64")]
    + [("random_unit", t) for t in ("float16", "float32", "float64", bfloat16())],
)
def test_shapes_and_keys(name, dtype):
    rng = np.random.default_rng(1)
    for batch, shape in (
        ((), (1,)), ((), (LANES,)), ((), (5, 7)), ((), (70_001,)), ((3,), (33,)), ((40,), (3,)), ((25_000,), ()),
        ((2, 3), (2, 20_000)), ((0,), (4,)),
    ):  # fmt: skip
        key = rng.integers(0, 1 << 32, (*batch, 2), dtype=np.uint32)
        check(OPERATIONS[name], PRIMITIVES[name], key, shape=shape, dtype=np.dtype(dtype))


def test_children():
    rng = np.random.default_rng(2)
    for batch, shape in (((), (1000,)), ((50,), (3,)), ((4,), (100, 2)), ((), ())):
        key = rng.integers(0, 1 << 32, (*batch, 2), dtype=np.uint32)
        first = rng.integers((1 << 32) - 40, 1 << 32, batch, dtype=np.uint32)
        check(OPERATIONS["child_keys"], child_keys, key, first, shape=shape)


def test_bits_are_those_of_jax():
    key = jax.random.key(42)
    words = np.asarray(jax.random.key_data(key))
    (got,) = run(OPERATIONS["random_bits"], random_bits, words, shape=(1000,), dtype=np.dtype("uint32"))
    same(got, np.asarray(jax.random.bits(key, (1000,), np.uint32)))
    (got,) = run(OPERATIONS["random_unit"], random_unit, words, shape=(1000,), dtype=np.dtype("float32"))
    same(got, np.asarray(jax.random.uniform(key, (1000,))))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_sample_of_the_formulas(name):
    check_samples(OPERATIONS[name], ELEMENTWISE[name], ["float16", "float32", bfloat16()])


EDGES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    -2.0,
    np.inf,
    -np.inf,
    np.nan,
    1e-310,
    1e-40,
    1e-38,
    5.0,
    -4.0,
    0.99999994,
]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", bfloat16()])
def test_edges_and_many_draws(name, dtype):
    rng = np.random.default_rng(3)
    low, high = {"xla_log": (0, 3), "xla_log1p": (-1, 2), "xla_erf": (-4, 4), "xla_erf_inv": (-1, 1)}[name]
    x = np.concatenate(
        [EDGES, rng.uniform(low, high, 20_000), low + np.ldexp(1.0, -rng.integers(0, 60, 500))]
    )
    with np.errstate(all="ignore"):
        check(OPERATIONS[name], ELEMENTWISE[name], x.astype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", bfloat16()])
def test_fused_multiply_add(dtype):
    rng = np.random.default_rng(4)
    draw = lambda *shape: rng.normal(size=shape).astype(dtype)
    operation = OPERATIONS["fused_multiply_add"]
    for shapes in (
        ((), (), ()),
        ((1000,), (), ()),
        ((7, 50), (50,), (7, 1)),
        ((3, 1, 5), (4, 5), (1,)),
        ((0, 3),) * 3,
    ):
        check(operation, fused_multiply_add, *[draw(*s) for s in shapes])


def test_one_rounding_of_float64():
    """Where the sum cancels the product, its rounding error is all that is left."""
    a, b = 1 + 2.0**-30, 1 - 2.0**-30
    assert a * b == 1
    (got,) = run(OPERATIONS["fused_multiply_add"], fused_multiply_add, *map(np.float64, (a, b, -1.0)))
    assert got == -(2.0**-60)


def test_normal_draws_are_those_of_jax():
    key = jax.random.key(7)
    words = np.asarray(jax.random.key_data(key))
    (u,) = run(OPERATIONS["random_unit"], random_unit, words, shape=(50_000,), dtype=np.dtype("float32"))
    low = np.nextafter(np.float32(-1), np.float32(0))
    (x,) = run(OPERATIONS["fused_multiply_add"], fused_multiply_add, u, np.float32(1) - low, low)
    (y,) = run(OPERATIONS["xla_erf_inv"], xla_erf_inv, np.maximum(x, low))
    same(np.float32(math.sqrt(2)) * y, np.asarray(jax.random.normal(key, (50_000,))))
