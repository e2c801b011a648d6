"""Native window operations against the primitives' own NumPy code, JAX, and memory that must not be touched."""

import numpy as np
import pytest
from guard_pages import guarded
from operation_harness import Compiled, bfloat16, check, check_samples

from fx.backends.cpu.operations.windows import OPERATIONS
from fx.primitives import windows as W
from fx.primitives.sliding import windowed_shape

PRIMITIVES = {
    "window_sum": W.window_sum_p,
    "window_max": W.window_max_p,
    "window_min": W.window_min_p,
    "window_find": W.window_find,
    "window_gather": W.window_gather,
    "window_scatter": W.window_scatter,
}
NAMES = ("window", "strides", "padding", "base_dilation", "window_dilation")
NONE = ((0, 0), (0, 0))
GEOMETRIES = [
    ((4, 3, 32, 32), (1, 1, 2, 2), (1, 1, 2, 2), NONE * 2, (1,) * 4, (1,) * 4),
    ((2, 3, 17, 35), (1, 1, 3, 3), (1, 1, 2, 2), (*NONE, (1, 1), (1, 1)), (1,) * 4, (1,) * 4),
    ((2, 3, 17, 35), (1, 1, 3, 3), (1, 1, 1, 1), (*NONE, (1, 1), (1, 1)), (1,) * 4, (1,) * 4),
    ((2, 40, 7, 20), (1, 1, 1, 3), (1, 1, 1, 3), (*NONE, (0, 0), (2, 1)), (1,) * 4, (1,) * 4),
    ((2, 7, 8, 40), (1, 2, 2, 1), (1, 2, 2, 1), NONE * 2, (1,) * 4, (1,) * 4),
    ((3, 50), (1, 50), (1, 1), ((0, 0), (49, 0)), (1, 1), (1, 1)),
    ((3, 50), (1, 5), (1, 7), ((0, 0), (3, 4)), (1, 5), (1, 2)),
    ((3, 50), (1, 4), (1, 1), ((0, 0), (3, 4)), (1, 2), (1, 1)),
    ((3, 50), (1, 4), (1, 3), ((0, 0), (-2, 4)), (1, 2), (1, 3)),
    ((2, 3, 9, 6, 18), (1, 1, 2, 3, 2), (1, 1, 2, 1, 2), ((0, 0), (0, 0), (1, 1), (0, 2), (1, 0)), (1,) * 5, (1,) * 5),
]  # fmt: skip
DTYPES = [
    "float32",
    "float64",
    "int32",
    "int8",
    "uint16",
    "int64",
    "bool",
    "complex64",
    "complex128",
    "float16",
]


def _params(row):
    return dict(zip(NAMES, row[1:]))


def _values(rng, shape, dtype):
    """Small whole numbers, so that sums are exact and values repeat; some NaN."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, shape), bool)
    x = np.asarray(rng.integers(0, 7, shape) - (0 if dtype.kind == "u" else 3)).astype(dtype)
    if dtype.kind == "c":
        x = np.asarray(x + 1j * rng.integers(0, 2, shape)).astype(dtype)
    return np.where(rng.random(shape) < 0.03, np.asarray(np.nan, dtype), x) if dtype.kind in "fc" else x


def _operands(name, rng, row, dtype):
    """Operands of a primitive, and its params."""
    shape, params = row[0], _params(row)
    count = windowed_shape("test", shape, **params)
    x = _values(rng, shape, dtype)
    if name == "window_find":
        return (x, rng.choice(np.ravel(x), count).astype(x.dtype)), params
    chosen = rng.integers(-1, np.prod(params["window"]), count).astype(
        rng.choice([np.int32, np.int64, np.int16])
    )
    if name == "window_gather":
        return (x, chosen), params
    if name == "window_scatter":
        return (_values(rng, count, dtype), chosen), {**params, "shape": shape}
    return (x,), params


def _takes(name, dtype):
    kind = np.dtype(dtype).kind
    return kind not in ("c" if name in ("window_max", "window_min") else "b" if name != "window_find" else "")


@pytest.mark.parametrize("name", PRIMITIVES)
def test_samples(name):
    dtypes = [d for d in ("float32", "float16", "int32", bfloat16()) if _takes(name, d)]
    low = 8 if name == "window_sum" else 0
    check_samples(OPERATIONS[name], PRIMITIVES[name], dtypes, ulps=low)


@pytest.mark.parametrize("name", PRIMITIVES)
@pytest.mark.parametrize("row", GEOMETRIES, ids=lambda r: "x".join(map(str, r[0])))
def test_exact_on_whole_numbers(name, row):
    rng = np.random.default_rng(3)
    for dtype in ("float32", DTYPES[GEOMETRIES.index(row) % len(DTYPES)], "complex64", "int8"):
        if _takes(name, dtype):
            operands, params = _operands(name, rng, row, dtype)
            check(OPERATIONS[name], PRIMITIVES[name], *operands, **params)


@pytest.mark.parametrize("name, dtype", [(n, d) for n in PRIMITIVES for d in DTYPES if _takes(n, d)])
def test_dtypes(name, dtype):
    rng = np.random.default_rng(5)
    for row in (GEOMETRIES[1], GEOMETRIES[8]):
        operands, params = _operands(name, rng, row, dtype)
        check(OPERATIONS[name], PRIMITIVES[name], *operands, **params)


@pytest.mark.parametrize("kind", [np.uint8, np.uint32, np.uint64, np.int8])
def test_tap_numbers_of_any_integers(kind):
    """A window of 200 taps; in int8 the tap 200 would be -56."""
    rng = np.random.default_rng(2)
    params = dict(zip(NAMES, [(200,), (3,), ((0, 0),), (1,), (1,)]))
    chosen = (
        rng.integers(0, 127, 101).astype(kind) if kind is np.int8 else rng.integers(0, 200, 101).astype(kind)
    )
    x = rng.normal(size=500).astype(np.float32)
    check(OPERATIONS["window_gather"], W.window_gather, x, chosen, **params)
    if kind is np.int8:
        chosen[:] = -56
        check(OPERATIONS["window_gather"], W.window_gather, x, chosen, **params)


def test_extremes_keep_nan_and_infinities():
    x = np.array([[np.nan, 1, 2, 3], [-np.inf, -np.inf, 4, np.nan], [np.inf, -1, -np.inf, 0]], np.float32)
    params = dict(zip(NAMES, [(1, 2), (1, 1), ((0, 0), (1, 1)), (1, 1), (1, 1)]))
    for name in ("window_max", "window_min"):
        check(OPERATIONS[name], PRIMITIVES[name], x, **params)


def test_ties_go_to_the_first_tap():
    x = np.zeros((2, 32), np.float32)
    x[1, ::2] = np.nan
    params = dict(zip(NAMES, [(1, 3), (1, 2), ((0, 0), (1, 1)), (1, 1), (1, 1)]))
    y = W.window_max_p.impl(np, x, **params)
    (found,) = Compiled(
        OPERATIONS["window_find"], W.window_find, [W.Aval(v.shape, v.dtype) for v in (x, y)], params
    )(x, y)
    assert found[0].tolist() == [1] + [0] * 15
    assert found[1].tolist() == [1] * 16


@pytest.mark.parametrize("name", PRIMITIVES)
@pytest.mark.parametrize("end", [True, False])
def test_reads_and_writes_nothing_outside(name, end):
    rng = np.random.default_rng(4)
    for row in (GEOMETRIES[0], GEOMETRIES[1], GEOMETRIES[6], GEOMETRIES[8]):
        operands, params = _operands(name, rng, row, "float32")
        op = Compiled(
            OPERATIONS[name], PRIMITIVES[name], [W.Aval(x.shape, x.dtype) for x in operands], params
        )
        arrays = [guarded(x, end) for x in operands]
        y = guarded(np.zeros(op.out[0].shape, op.out[0].dtype), end)
        op.into([*arrays, y], np.zeros(64, np.uint8))
        np.testing.assert_array_equal(y, PRIMITIVES[name].impl(np, *operands, **params))


def test_max_pool_against_jax():
    jax = pytest.importorskip("jax")
    x = np.random.default_rng(0).normal(size=(3, 4, 19, 23)).astype(np.float32)
    for window, stride, low, high in [(2, 2, 0, 0), (3, 2, 1, 1), (3, 1, 0, 1), (2, 3, 1, 0)]:
        pads = ((0, 0), (0, 0), (low, high), (high, low))
        params = dict(zip(NAMES, [(1, 1, window, window), (1, 1, stride, stride), pads, (1,) * 4, (1,) * 4]))
        pool = lambda x: jax.lax.reduce_window(
            x, -np.inf, jax.lax.max, params["window"], params["strides"], pads
        )
        run = lambda name, prim, *a, **p: Compiled(
            OPERATIONS[name], prim, [W.Aval(v.shape, v.dtype) for v in a], p
        )(*a)[0]
        y, back = jax.vjp(pool, x)
        got = run("window_max", W.window_max_p, x, **params)
        np.testing.assert_array_equal(got, y)
        ct = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
        chosen = run("window_find", W.window_find, x, got, **params)
        gradient = run("window_scatter", W.window_scatter, ct, chosen, shape=x.shape, **params)
        np.testing.assert_allclose(gradient, back(ct)[0], rtol=1e-5, atol=1e-6)
