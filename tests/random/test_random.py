"""fx.random against jax.random: equal bits for equal keys; the same numbers under every transformation."""

import math

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import fx
import fx.random as random
from fx.core.errors import ArgumentError, DTypeError, FxError, ShapeError, TracerError
from fx.primitives import random as bits_module, random_math

jax.config.update("jax_threefry_partitionable", True)

FLOATS = ("float32", "float64", "float16", "bfloat16")
SHAPES = ((), (0,), (1,), (5,), (3, 0, 2), (7, 3), (70001,))
EXACT, ONE, TWO = 0, 1, 2


def jax_key(seed):
    return jax.random.PRNGKey(seed)


def numpy_dtype(name):
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def wide(name):
    """Whether JAX needs 64 bits enabled for a dtype."""
    return name in ("float64", "complex128", "int64", "uint64")


def ulps(x, y):
    """Distance in units in the last place, elementwise."""
    if x.dtype.kind == "c":
        return np.maximum(ulps(x.real.copy(), y.real.copy()), ulps(x.imag.copy(), y.imag.copy()))
    signed = np.dtype(f"int{8 * x.dtype.itemsize}")
    low = np.iinfo(signed).min
    places = [v.view(signed).astype(object) for v in (x, y)]
    first, second = [np.where(p < 0, low - p, p) for p in places]
    return np.abs(first - second)


def assert_same(ours, theirs, within=EXACT):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if ours.dtype.kind in "iub" or not within:
        different = ours != theirs
        assert not different.any(), (
            f"{different.sum()} of {ours.size}: {ours[different][:3]} {theirs[different][:3]}"
        )
    elif ours.size:
        near = ours != theirs
        assert not near.any() or ulps(ours[near], theirs[near]).max() <= within


def compare(name, *args, seeds=(0, 1, 2**31 + 5), x64=False, within=EXACT, **kwargs):
    for seed in seeds:
        with jax.enable_x64(x64):
            theirs = np.asarray(getattr(jax.random, name)(jax_key(seed), *args, **kwargs))
        assert_same(getattr(random, name)(random.key(seed), *args, **kwargs), theirs, within)


# The cipher


KNOWN_ANSWERS = [  # Random123's kat_vectors for threefry2x32, 20 rounds: counter, key, result
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize("counter, key, result", KNOWN_ANSWERS)
def test_threefry_gives_the_known_answers(counter, key, result):
    assert bits_module.threefry2x32_int(*key, *counter) == result
    k0, k1, x0, x1 = [np.array([v], np.uint32) for v in (*key, *counter)]
    bits_module.threefry2x32(np, k0, k1, x0, x1, np.empty(1, np.uint32))
    assert (int(x0[0]), int(x1[0])) == result


@pytest.mark.parametrize("n", [1, 2, 6, 7, 4096, 65536, 65537, 200_003])
def test_bits_of_one_key_do_not_depend_on_how_many_are_drawn(n):
    few = np.asarray(random.bits(random.key(3), (200_003,)))
    assert_same(random.bits(random.key(3), (n,)), few[:n])
    assert_same(random.bits(random.key(3), (n, 1)), few[:n, None])


@pytest.mark.parametrize("n", [0, 1, 3, 1000, 40_000, 70_000])
def test_bits_of_many_keys_are_those_of_each(n):
    keys = np.random.default_rng(0).integers(0, 2**32, (5, 2), dtype=np.uint32)
    rows = [np.asarray(random.bits(k, (n,))) for k in keys]
    drawn = bits_module.random_bits(keys, shape=(n,), dtype=np.dtype("uint32"))
    assert_same(drawn, np.stack(rows))


# Keys


@pytest.mark.parametrize(
    "seed", [0, 1, 42, 2**31, 2**32 - 1, 2**32, 2**40 + 5, -1, -(2**40), 2**63 - 1, -(2**63)]
)
@pytest.mark.parametrize("x64", [False, True])
def test_python_seeds_follow_jax_with_and_without_64_bits(seed, x64):
    with jax.enable_x64(x64), fx.config(default_float="float64" if x64 else "float32"):
        assert_same(random.key(seed), np.asarray(jax_key(seed)))
        assert_same(random.PRNGKey(seed), np.asarray(jax_key(seed)))


@pytest.mark.parametrize(
    "seed",
    [
        np.int64(2**40 + 5),
        np.int64(-3),
        np.int32(-7),
        np.uint32(2**32 - 1),
        np.uint8(9),
        np.int8(-1),
        np.uint64(2**64 - 1),
    ],
    ids=repr,
)
def test_seeds_with_a_dtype_use_all_their_bits(seed):
    with jax.enable_x64(True):
        expected = np.asarray(jax_key(seed))
    assert_same(random.key(seed), expected)
    assert_same(random.key(np.asarray(seed)), expected)
    assert_same(fx.jit(random.key)(fx.numpy.asarray(seed)), expected)


@pytest.mark.parametrize("num", [0, 1, 2, 3, 7, 1000, (2, 3), (), (0, 2)])
def test_split(num):
    compare("split", num)


@pytest.mark.parametrize("data", [0, 1, 77, 2**32 - 1, np.int32(-1), np.int64(2**32 + 1), np.uint8(3)])
def test_fold_in(data):
    with jax.enable_x64(True):
        compare("fold_in", data, x64=True)


def test_a_split_key_is_the_folded_one():
    key = random.key(5)
    for i, k in enumerate(random.split(key, 4)):
        assert_same(k, random.fold_in(key, i))


def test_key_data_round_trip_and_clone():
    key = random.key(9)
    assert_same(random.wrap_key_data(random.key_data(key)), key)
    assert_same(random.clone(key), key)
    assert random.key_impl(key) == "threefry2x32"
    words = np.array([1, 2], np.uint32)
    wrapped = random.wrap_key_data(words)
    words[0] = 7
    assert np.asarray(wrapped).tolist() == [1, 2]


def test_raw_keys_of_others_are_taken():
    assert_same(random.bits(np.array([0, 4], np.uint32), (3,)), random.bits(random.key(4), (3,)))
    assert_same(random.bits(jax_key(4), (3,)), random.bits(random.key(4), (3,)))


def test_stream_gives_fresh_keys():
    keys = [np.asarray(k).tolist() for k, _ in zip(random.stream(3), range(5))]
    assert keys == [np.asarray(random.fold_in(random.key(3), i)).tolist() for i in range(5)]
    again = random.stream(random.key(3))
    assert np.asarray(next(again)).tolist() == keys[0]


def test_stream_inside_grad_goes_on():
    keys = random.stream(0)
    loss = lambda w: w * random.normal(next(keys))
    slopes = [float(fx.grad(loss)(1.0)) for _ in range(3)]
    assert slopes == [float(random.normal(random.fold_in(random.key(0), i))) for i in range(3)]


# Bits and integers


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
def test_bits(shape, dtype):
    compare("bits", shape, dtype, x64=wide(dtype))


def test_bits_of_many_keys_equal_jax():
    keys = np.random.default_rng(1).integers(0, 2**32, (50, 2), dtype=np.uint32)
    for key in keys:
        assert_same(random.bits(key, (9,)), np.asarray(jax.random.bits(jnp.asarray(key), (9,))))


INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize(
    "low, high", [(0, 1), (0, 2), (0, 10), (3, 100), (0, 2**7), (0, 257), (1, 65537), (0, 100_003)]
)
def test_randint(dtype, low, high):
    compare("randint", (301,), low, high, dtype, x64=True)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_randint_over_all_that_the_dtype_holds(dtype):
    limits = np.iinfo(dtype)
    typed = lambda v: np.uint64(v) if v >= 2**63 else np.int64(v)
    for high in {limits.max, limits.max + (limits.bits < 64)}:
        compare("randint", (301,), typed(limits.min), typed(high), dtype, x64=True)
    ours = np.asarray(random.randint(random.key(0), (20_000,), limits.min, limits.max + 1, dtype))
    if limits.bits == 8:
        assert len(np.unique(ours)) == 256


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint32"])
def test_randint_with_arrays_of_bounds(dtype):
    low, high = np.arange(5, dtype=np.int32)[:, None], np.array([7, 100, 2**30], np.int32)
    compare("randint", (5, 3), low, high, dtype, x64=True)
    compare("randint", (40, 5, 3), low, 200, dtype, x64=True)
    if np.dtype(dtype).itemsize >= 4:  # below, JAX wraps bounds beyond 32 bits
        compare("randint", (40, 3), np.array([-5, 0, 3]), np.array([2**40, 2**33, 4]), dtype, x64=True)


def test_randint_defaults_and_float_bounds():
    compare("randint", (9,), 0.5, 5.7)
    assert random.randint(random.key(0), (), 0, 5).dtype == np.int32
    assert random.randint(random.key(0), (0,), 5, 5).shape == (0,)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("mode", ["low", "high"])
def test_bernoulli(dtype, mode):
    p = numpy_dtype(dtype).type(0.3)
    compare("bernoulli", p, (10_001,), mode, x64=wide(dtype))
    compare("bernoulli", np.linspace(0, 1, 301).astype(p.dtype), None, mode, x64=wide(dtype))


def test_bernoulli_default_probability():
    compare("bernoulli", shape=(1001,))
    with fx.config(default_float="float64"):
        compare("bernoulli", shape=(1001,), x64=True)


def test_rademacher():
    compare("rademacher", (1001,))
    compare("rademacher", (1001,), "float32")
    compare("rademacher", (11,), "int8")


@pytest.mark.parametrize("dtype", FLOATS)
def test_geometric(dtype):
    t = numpy_dtype(dtype).type
    for p in (t(0.9), t(0.1), t(1e-3), np.linspace(0.01, 1, 301).astype(t)):
        shape = (20_001,) if np.ndim(p) == 0 else (301,)
        compare("geometric", p, shape, "int32", x64=True)
    compare("geometric", t(0.001), (301,), "int8", x64=True)


LOGITS = np.random.default_rng(0).normal(size=(30, 7)).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"axis": 0},
        {"shape": (50, 30)},
        {"axis": 0, "shape": (2, 3, 7), "mode": "high"},
        {"shape": (5, 30), "replace": False},
        {"axis": 0, "shape": (2, 3, 7), "replace": False},
        {"shape": (0, 30)},
    ],
    ids=str,
)
def test_categorical(options):
    compare("categorical", LOGITS, **options)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_categorical_draws_in_the_dtype_of_the_logits(dtype):
    logits = LOGITS.astype(numpy_dtype(dtype))
    with jax.enable_x64(wide(dtype)):
        theirs = np.asarray(jax.random.categorical(jax_key(0), logits)).astype(np.int32)
    assert_same(random.categorical(random.key(0), logits), theirs)


def test_categorical_broadcasts_a_batch():
    compare("categorical", LOGITS[:1], shape=(30,))
    compare("categorical", LOGITS[0])


@pytest.mark.parametrize("n", [0, 1, 2, 10, 1000, 100_000])
def test_permutation_of_a_range(n):
    compare("permutation", n)


def test_permutation_of_arrays():
    compare("permutation", LOGITS)
    compare("permutation", LOGITS, axis=-1)
    compare("permutation", LOGITS, 1, True)
    compare("permutation", LOGITS, independent=True)
    compare("permutation", LOGITS[:, 0])
    compare("permutation", np.arange(12, dtype=np.int8).reshape(2, 6), axis=1)


P = np.random.default_rng(1).uniform(size=30).astype(np.float32)


@pytest.mark.parametrize(
    "a, options",
    [
        (30, {}),
        (30, {"shape": (1000,)}),
        (30, {"shape": (5, 4), "replace": False}),
        (30, {"shape": (5000,), "p": P}),
        (30, {"shape": (5, 4), "p": P, "replace": False}),
        (30, {"shape": (0, 2)}),
        (LOGITS, {}),
        (LOGITS, {"shape": (3, 2)}),
        (LOGITS, {"shape": (3,), "axis": -1}),
        (LOGITS, {"shape": (3, 2), "replace": False, "axis": 1}),
        (LOGITS, {"shape": (3, 2), "p": P}),
        (LOGITS, {"shape": (4,), "p": P, "replace": False, "mode": "high"}),
        (LOGITS[:, 0], {"shape": (3,), "replace": False}),
    ],
    ids=lambda v: ("n" if isinstance(v, int) else str(v.shape)) if not isinstance(v, dict) else "-".join(v),
)
def test_choice(a, options):
    compare("choice", a, **options)


@pytest.mark.parametrize("n", [5, 16, 17, 255, 257, 5000])
def test_choice_adds_probabilities_up_as_xla_does(n):
    p = np.random.default_rng(n).uniform(size=n).astype(np.float32)
    assert_same(_running_sum(p), np.asarray(jnp.cumsum(p)))
    compare("choice", n, (50_000,), p=p)


def _running_sum(p):
    from fx.random import _choosing

    return _choosing._running_sum(fx.numpy.asarray(p))


# Floats


PLAIN = {
    "uniform": EXACT, "normal": EXACT, "exponential": EXACT, "gumbel": EXACT, "laplace": EXACT, "logistic": EXACT,
    "cauchy": ONE, "maxwell": TWO,
}  # fmt: skip


@pytest.mark.parametrize("shape", [(), (0, 2), (7, 3), (70_001,)], ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", PLAIN)
def test_distributions_without_parameters(name, dtype, shape):
    seeds = (0, 7) if math.prod(shape) < 1000 else (0,)
    compare(name, shape, dtype, seeds=seeds, x64=wide(dtype), within=PLAIN[name])


@pytest.mark.parametrize("name", ["uniform", "normal", "gumbel"])
def test_many_keys(name):
    keys = np.random.default_rng(2).integers(0, 2**32, (40, 2), dtype=np.uint32)
    for key in keys:
        theirs = getattr(jax.random, name)(jnp.asarray(key), (11,))
        assert_same(getattr(random, name)(key, (11,)), np.asarray(theirs))


@pytest.mark.parametrize("name", PLAIN)
def test_default_float_is_the_default_dtype(name):
    with fx.config(default_float="float64"):
        compare(name, (101,), x64=True, within=PLAIN[name])
    with fx.config(default_float="float16"):
        assert getattr(random, name)(random.key(0)).dtype == np.float16


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_normal(dtype):
    compare("normal", (10_001,), dtype, x64=wide(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_gumbel_of_high_resolution(dtype):
    compare("gumbel", (10_001,), dtype, "high", x64=wide(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("low, high", [(-3.0, 3.7), (2.0, 2.5), (-1.0, 1.0), (0.0, 0.0), (-1e4, 1e-4)])
def test_uniform_between_numbers(dtype, low, high):
    compare("uniform", (10_001,), dtype, low, high, x64=wide(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_parameters_that_are_arrays(dtype):
    v = np.random.default_rng(0).uniform(0.5, 2, 300).astype(numpy_dtype(dtype))
    x64 = wide(dtype)
    for shape in ((300,), (40, 300)):
        compare("uniform", shape, dtype, -v, v, x64=x64)
        compare("truncated_normal", -v, v, shape, dtype, x64=x64)
        compare("triangular", -v, v - v, v, shape, dtype, x64=x64)
        compare("rayleigh", v, shape, dtype, x64=x64)
        compare("pareto", v, shape, dtype, x64=x64, within=TWO)
        compare("lognormal", v, shape, dtype, x64=x64, within=TWO)
    compare("uniform", (300, 40), dtype, -v[:, None], v[:, None], x64=x64)


@pytest.mark.parametrize("dtype", FLOATS)
def test_parameters_that_are_numbers(dtype):
    t, shape, x64 = numpy_dtype(dtype).type, (10_001,), wide(dtype)
    compare("truncated_normal", -2.1, 1.3, shape, dtype, x64=x64)
    compare("truncated_normal", 0.51, 7.3, shape, dtype, x64=x64)
    compare("triangular", -1.0, 0.3, 2.0, shape, dtype, x64=x64)
    compare("rayleigh", t(1.7), shape, dtype, x64=x64)
    compare("pareto", 2.5, shape, dtype, x64=x64, within=TWO)
    compare("lognormal", t(0.7), shape, dtype, x64=x64, within=TWO)
    compare("weibull_min", 1.3, 2.7, shape, dtype, x64=x64, within=TWO)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_wald_and_normal_vectors_up_to_rounding(dtype):
    key, t = random.key(1), np.dtype(dtype).type
    a = np.random.default_rng(0).normal(size=(4, 4)).astype(dtype)
    mean, cov = a[0], a @ a.T + np.eye(4, dtype=dtype)
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    with jax.enable_x64(wide(dtype)):
        k = jax_key(1)
        pairs = [
            (random.wald(key, t(1.5), (1001,), dtype), jax.random.wald(k, t(1.5), (1001,), dtype)),
            (
                random.multivariate_normal(key, mean, cov, (50,), dtype),
                jax.random.multivariate_normal(k, mean, cov, (50,), dtype),
            ),
            (
                random.multivariate_normal(key, mean, np.stack([cov, 2 * cov]), (3, 2), dtype),
                jax.random.multivariate_normal(k, mean, np.stack([cov, 2 * cov]), (3, 2), dtype),
            ),
            (random.orthogonal(key, 4, (2,), dtype, 6), jax.random.orthogonal(k, 4, (2,), dtype, 6)),
            (random.orthogonal(key, 5, (), dtype, 3), jax.random.orthogonal(k, 5, (), dtype, 3)),
        ]
    for ours, theirs in pairs:
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("method", ["cholesky", "eigh", "svd"])
def test_normal_vectors_have_their_covariance(method):
    cov = np.array([[2.0, 0.5], [0.5, 1.0]], np.float32)
    mean = np.array([1.0, -1.0], np.float32)
    x = np.asarray(random.multivariate_normal(random.key(0), mean, cov, (100_000,), method=method))
    np.testing.assert_allclose(x.mean(0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(x.T), cov, atol=0.03)


def test_every_float32_normal_is_the_one_of_jax():
    """A float32 uniform has 23 random bits: a fine sieve of all of them, not a sample."""
    mantissas = np.arange(0, 1 << 23, 5, dtype=np.uint32)
    unit = (mantissas | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)
    u = unit * np.float32(2) + np.nextafter(np.float32(-1), np.float32(0))
    assert_same(random_math.xla_erf_inv(u), np.asarray(jax.lax.erf_inv(u)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["log", "log1p", "erf", "erf_inv"])
def test_functions_equal_those_of_xla(name, dtype):
    rng = np.random.default_rng(0)
    low, high = {"log": (0, 4), "log1p": (-1, 3), "erf": (-5, 5), "erf_inv": (-1, 1)}[name]
    x = np.concatenate([rng.uniform(low, high, 40_000), rng.uniform(-1e-3, 1e-3, 1000)])
    x = x[(x > low) & (x < high)].astype(numpy_dtype(dtype))
    with jax.enable_x64(wide(dtype)):
        theirs = np.asarray(jax.jit(getattr(jax.lax, name))(x))
    ours = np.asarray(getattr(random_math, f"xla_{name}")(x))
    finite = np.isfinite(theirs)
    assert_same(ours[finite], theirs[finite])
    assert_same(np.isnan(ours), np.isnan(theirs))


def test_functions_at_their_ends():
    nan, inf = np.nan, np.inf
    cases = {
        random_math.xla_log: (
            [0.0, -0.0, -1.0, inf, nan, 1e-45],
            [-inf, -inf, nan, inf, nan, np.log(2.0**-126)],
        ),
        random_math.xla_log1p: ([-1.0, -2.0, inf, nan, 0.0], [-inf, nan, inf, nan, 0.0]),
        random_math.xla_erf: ([inf, -inf, nan, 0.0], [1.0, -1.0, nan, 0.0]),
        random_math.xla_erf_inv: ([1.0, -1.0, nan, 0.0, 2.0], [inf, -inf, nan, 0.0, nan]),
    }
    for function, (at, expected) in cases.items():
        ours = np.asarray(function(np.array(at, np.float32)))
        np.testing.assert_allclose(ours, np.array(expected, np.float32), rtol=1e-6)
        np.testing.assert_allclose(np.asarray(function(np.array(at[:4]))), np.array(expected[:4]), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fused_multiply_add_rounds_once(dtype):
    from fractions import Fraction

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 500)).astype(dtype)
    z = (-x * y * (1 + rng.normal(size=500) * 1e-6)).astype(dtype)
    exact = [float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))) for a, b, c in zip(x, y, z)]
    assert_same(random_math.fused_multiply_add(x, y, z), np.array(exact, dtype))
    big = np.array([1e300, 1e308])
    assert (
        np.asarray(random_math.fused_multiply_add(big, np.float64(1.0), np.float64(0.0))).tolist()
        == big.tolist()
    )


# Moments


@pytest.mark.parametrize(
    "draw, mean, variance",
    [
        (lambda k, n: random.uniform(k, n), 1 / 2, 1 / 12),
        (lambda k, n: random.normal(k, n), 0, 1),
        (lambda k, n: random.exponential(k, n), 1, 1),
        (lambda k, n: random.gumbel(k, n), 0.5772, math.pi**2 / 6),
        (lambda k, n: random.laplace(k, n), 0, 2),
        (lambda k, n: random.logistic(k, n), 0, math.pi**2 / 3),
        (lambda k, n: random.truncated_normal(k, -1.0, 1.0, n), 0, 0.2911),
        (lambda k, n: random.rademacher(k, n), 0, 1),
        (lambda k, n: random.bernoulli(k, 0.3, n), 0.3, 0.21),
        (lambda k, n: random.randint(k, n, -3, 7), 1.5, 99 / 12),
        (lambda k, n: random.geometric(k, 0.25, n), 4, 12),
        (lambda k, n: random.rayleigh(k, 1.0, n), math.sqrt(math.pi / 2), 2 - math.pi / 2),
        (lambda k, n: random.weibull_min(k, 2.0, 1.0, n), 2, 4),
        (lambda k, n: random.pareto(k, 5.0, n), 5 / 4, 5 / 48),
        (lambda k, n: random.lognormal(k, 0.5, n), math.exp(1 / 8), math.exp(1 / 4) * (math.exp(1 / 4) - 1)),
        (lambda k, n: random.maxwell(k, n), 2 * math.sqrt(2 / math.pi), 3 - 8 / math.pi),
        (lambda k, n: random.triangular(k, 0.0, 1.0, 2.0, n), 1, 1 / 6),
        (lambda k, n: random.wald(k, 2.0, n), 2, 8),
    ],
)
def test_moments(draw, mean, variance):
    n = 200_000
    x = np.asarray(draw(random.key(11), (n,))).astype(np.float64)
    assert abs(x.mean() - mean) < 5 * math.sqrt(variance / n)
    assert abs(x.var() / variance - 1) < 0.1


def test_categorical_and_choice_have_their_probabilities():
    p = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    for drawn in (
        random.categorical(random.key(0), np.log(p), shape=(100_000,)),
        random.choice(random.key(1), 4, (100_000,), p=p),
    ):
        np.testing.assert_allclose(np.bincount(np.asarray(drawn)) / 100_000, p, atol=0.01)


# Transformations


BATCHED = {
    "bits": ((5,),),
    "uniform": ((5,),),
    "normal": ((2, 3),),
    "truncated_normal": (-1.0, 2.0, (5,)),
    "gumbel": ((2, 3),),
    "exponential": ((),),
    "laplace": ((5,),),
    "logistic": ((5,),),
    "cauchy": ((5,),),
    "maxwell": ((5,),),
    "lognormal": (0.5, (5,)),
    "pareto": (2.0, (5,)),
    "rayleigh": (2.0, (5,)),
    "weibull_min": (1.0, 2.0, (5,)),
    "triangular": (0.0, 0.4, 1.0, (5,)),
    "wald": (2.0, (5,)),
    "randint": ((5,), 0, 100_003),
    "bernoulli": (0.3, (5,)),
    "rademacher": ((5,),),
    "geometric": (0.1, (5,)),
    "categorical": (LOGITS[:3],),
    "permutation": (10,),
    "choice": (10, (3,), True, np.arange(10, dtype=np.float32)),
    "split": (3,),
    "fold_in": (7,),
}


@pytest.mark.parametrize("name", BATCHED)
def test_transformed_draws_are_the_plain_ones(name):
    draw = lambda key: getattr(random, name)(key, *BATCHED[name])
    keys = random.split(random.key(1), 6)
    loop = np.stack([np.asarray(draw(k)) for k in keys])
    assert_same(fx.vmap(draw)(keys), loop)
    assert_same(fx.vmap(draw, in_axes=1, out_axes=0)(keys.T), loop)
    assert_same(fx.vmap(fx.vmap(draw))(keys.reshape(2, 3, 2)), loop.reshape(2, 3, *loop.shape[1:]))
    assert_same(fx.jit(draw)(keys[0]), loop[0])
    assert_same(fx.jit(fx.vmap(draw))(keys), loop)
    assert_same(fx.checkpoint(draw)(keys[0]), loop[0])
    assert_same(
        jax.vmap(lambda k: getattr(jax.random, name)(k, *BATCHED[name]))(np.asarray(keys)).shape, loop.shape
    )


def test_batched_parameters():
    keys = random.split(random.key(1), 4)
    lows = np.linspace(-1, 0, 4, dtype=np.float32)
    draw = lambda key, low: random.uniform(key, (3,), minval=low, maxval=2.0)
    assert_same(fx.vmap(draw)(keys, lows), np.stack([np.asarray(draw(k, v)) for k, v in zip(keys, lows)]))
    assert_same(
        fx.vmap(draw, (None, 0))(keys[0], lows), np.stack([np.asarray(draw(keys[0], v)) for v in lows])
    )
    highs = np.array([3, 100, 7, 2**31 - 1], np.int32)
    whole = lambda key, high: random.randint(key, (3,), 0, high)
    assert_same(fx.vmap(whole)(keys, highs), np.stack([np.asarray(whole(k, h)) for k, h in zip(keys, highs)]))
    folded = fx.vmap(random.fold_in, (None, 0))(keys[0], np.arange(5))
    assert_same(folded, random.split(keys[0], 5))
    assert_same(fx.vmap(random.key)(np.arange(3)), np.stack([np.asarray(random.key(i)) for i in range(3)]))


V = np.linspace(0.7, 1.5, 5, dtype=np.float32)


@pytest.mark.parametrize(
    "name, draw, parameters",
    [
        ("uniform", lambda r, k, a, b: r.uniform(k, (5,), minval=-a, maxval=b), (V, V)),
        ("uniform of numbers", lambda r, k, a, b: r.uniform(k, (5,), minval=a, maxval=b), (-1.5, 2.0)),
        ("truncated_normal", lambda r, k, a, b: r.truncated_normal(k, -a, b, (5,)), (V, 1.5)),
        ("lognormal", lambda r, k, a: r.lognormal(k, a, (5,)), (V,)),
        ("pareto", lambda r, k, a: r.pareto(k, a, (5,)), (V,)),
        ("rayleigh", lambda r, k, a: r.rayleigh(k, a, (5,)), (V,)),
        ("weibull_min", lambda r, k, a, b: r.weibull_min(k, a, b, (5,)), (V, V)),
        ("triangular", lambda r, k, a, b, c: r.triangular(k, -a, b - b, c, (5,)), (V, V, V)),
        ("wald", lambda r, k, a: r.wald(k, a, (5,)), (V,)),
        ("permutation", lambda r, k, a: r.permutation(k, a) * np.arange(5, dtype=np.float32), (V,)),
        ("choice", lambda r, k, a: r.choice(k, a, (9,)) ** 2, (V,)),
        ("choice of few", lambda r, k, a: r.choice(k, a, (2,), replace=False) ** 2, (V,)),
        ("location and scale", lambda r, k, a, b: a + b * r.normal(k, (5,)), (V, V)),
        (
            "normal vectors",
            lambda r, k, m, c: r.multivariate_normal(k, m, c, (5,)) ** 2,
            (V[:2], np.eye(2, dtype=V.dtype) + V[0]),
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_gradients_flow_to_parameters(name, draw, parameters):
    parameters = tuple(np.asarray(p, np.float32) for p in parameters)
    every = tuple(range(len(parameters)))
    ours = fx.grad(lambda *p: draw(random, random.key(1), *p).sum(), argnums=every)(*parameters)
    theirs = jax.grad(lambda *p: draw(jax.random, jax_key(1), *p).sum(), argnums=every)(*parameters)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-4, atol=1e-6)


def test_keys_have_no_tangent():
    with pytest.raises(DTypeError):
        fx.grad(lambda key: random.normal(key))(random.key(0))
    x, dx = fx.jvp(lambda s: s * random.normal(random.key(3)), (2.0,), (1.0,))
    assert float(x) == 2 * float(dx)


def test_a_dropout_layer_trains_under_everything():
    def loss(w, key, x):
        keep = random.bernoulli(key, 0.8, x.shape)
        return (fx.numpy.where(keep, x @ w, 0.0) ** 2).sum()

    key, x, w = random.key(0), random.normal(random.key(1), (4, 4)), random.normal(random.key(2), (4, 4))
    plain = np.asarray(fx.grad(loss)(w, key, x))
    for transformed in (fx.jit(fx.grad(loss)), fx.grad(fx.checkpoint(loss)), fx.grad(fx.jit(loss))):
        np.testing.assert_allclose(np.asarray(transformed(w, key, x)), plain, rtol=1e-5)


# Devices


def test_draws_do_not_depend_on_the_device():
    draws = {**BATCHED, "normal": ((3,), "float16"), "bits": ((1000,), "uint64")}
    del draws["choice"]  # its probabilities are a host array
    draws["categorical"] = (fx.numpy.asarray(LOGITS[:3]),)
    here = {name: np.asarray(getattr(random, name)(random.key(5), *args)) for name, args in draws.items()}
    with fx.default_device("strict"):
        key = random.key(5)
        draws["categorical"] = (fx.numpy.asarray(LOGITS[:3]),)
        for name, args in draws.items():
            there = getattr(random, name)(key, *args)
            assert str(there.device) == "strict:0", name
            assert_same(there, here[name])


# Errors


KEY = np.array([0, 7], np.uint32)
F = np.float32
ERRORS = [
    (lambda: random.normal(0, (3,)), ArgumentError, "normal takes a key first; got 0", "fx.random.key(seed)"),
    (lambda: random.normal([0, 1]), ArgumentError, "takes a key first", "fx.random.key"),
    (lambda: random.normal(np.zeros(2)), ArgumentError, "uint32 of shape (2,)", "f64[2]"),
    (lambda: random.normal(np.zeros(3, np.uint32)), ArgumentError, "uint32 of shape (2,)", "u32[3]"),
    (lambda: random.normal(random.split(KEY, 3)), ShapeError, "normal takes one key", "u32[3,2]", "fx.vmap"),
    (lambda: random.wrap_key_data(np.zeros(2, np.int32)), ArgumentError, "i32[2]"),
    (lambda: random.normal(KEY, (-1,)), ShapeError, "negative", "shape=(-1,)"),
    (lambda: random.normal(KEY, (2.5,)), ArgumentError, "size in shape", "2.5"),
    (lambda: random.normal(KEY, "ab"), ArgumentError, "size in shape", "'ab'"),
    (lambda: random.normal(KEY, dtype="int32"), DTypeError, "normal draws floating", "int32", "randint"),
    (lambda: random.uniform(KEY, dtype="complex64"), DTypeError, "uniform", "complex64"),
    (lambda: random.bits(KEY, (2,), "int32"), DTypeError, "bits draws unsigned", "int32"),
    (lambda: random.uniform(KEY, (3,), None, 2.0, 1.0), ArgumentError, "minval = 2.0", "maxval = 1.0"),
    (
        lambda: random.uniform(KEY, (2,), None, np.array([0.0, 5.0]), 3.0),
        ArgumentError,
        "minval = 5.0",
        "(1,)",
    ),
    (lambda: random.uniform(KEY, (3,), None, np.zeros(2)), ShapeError, "minval has shape (2,)", "shape=(3,)"),
    (lambda: random.uniform(KEY, (), None, np.zeros(2)), ShapeError, "(2,)", "shape=()"),
    (lambda: random.truncated_normal(KEY, 2.0, 1.0), ArgumentError, "lower = 2.0", "upper = 1.0"),
    (lambda: random.randint(KEY, (3,), 5, 5), ArgumentError, "minval = 5", "maxval = 5"),
    (lambda: random.randint(KEY, (3,), np.array([1, 9, 1]), 5), ArgumentError, "minval = 9", "index (1,)"),
    (lambda: random.randint(KEY, (3,), 0, 5, "float32"), DTypeError, "randint draws integers", "uniform"),
    (lambda: random.randint(KEY, (3,), 0, 1j), DTypeError, "maxval must be real"),
    (lambda: random.bernoulli(KEY, 1), DTypeError, "p must be floating", "p=0.5"),
    (lambda: random.bernoulli(KEY, np.array([1, 0])), DTypeError, "p must be floating", "i64[2]"),
    (lambda: random.bernoulli(KEY, np.zeros(3, F), (2,)), ShapeError, "p has shape (3,)", "shape=(2,)"),
    (lambda: random.bernoulli(KEY, 0.5, mode="x"), ArgumentError, "mode='x'", "'low' or 'high'"),
    (lambda: random.categorical(KEY, np.arange(3)), DTypeError, "logits must be floating", "i64[3]"),
    (lambda: random.categorical(KEY, [0.0, 1.0]), ArgumentError, "list"),
    (lambda: random.categorical(KEY, LOGITS, axis=2), ShapeError, "axis 2", "f32[30,7]"),
    (lambda: random.categorical(KEY, LOGITS, shape=(4,)), ShapeError, "shape=(4,)", "(30,)"),
    (
        lambda: random.categorical(KEY, LOGITS, shape=(8, 30), replace=False),
        ArgumentError,
        "8 draws",
        "from 7",
    ),
    (lambda: random.categorical(KEY, np.zeros((3, 0), F)), ShapeError, "no categories"),
    (lambda: random.choice(KEY, 5, (6,), replace=False), ArgumentError, "6 draws", "from 5", "replace=True"),
    (lambda: random.choice(KEY, 5, (6,), p=np.ones(4)), ShapeError, "p has shape (4,)", "5 elements"),
    (lambda: random.choice(KEY, 3, p=np.array([1.0, -1.0, 1.0])), ArgumentError, "negative"),
    (lambda: random.choice(KEY, 0, (6,)), ArgumentError, "nothing to choose"),
    (lambda: random.choice(KEY, 2.5), ArgumentError, "must be an integer", "2.5"),
    (lambda: random.choice(KEY, np.arange(3.0), axis=1), ShapeError, "axis 1", "f64[3]"),
    (lambda: random.permutation(KEY, 2.5), ArgumentError, "must be an integer", "2.5"),
    (lambda: random.permutation(KEY, -3), ArgumentError, "negative", "-3"),
    (lambda: random.permutation(KEY, LOGITS, axis=3), ShapeError, "axis 3"),
    (lambda: random.split(KEY, -1), ShapeError, "num=(-1,)"),
    (lambda: random.split(KEY, 1.5), ArgumentError, "integer", "1.5"),
    (lambda: random.fold_in(KEY, -1), ArgumentError, "-1", "2**32"),
    (lambda: random.fold_in(KEY, 2**32), ArgumentError, "4294967296"),
    (lambda: random.fold_in(KEY, 1.5), ArgumentError, "integer", "1.5"),
    (lambda: random.fold_in(KEY, np.arange(3)), ArgumentError, "i64[3]", "fx.vmap"),
    (lambda: random.key(1.5), ArgumentError, "seed must be an integer", "1.5"),
    (lambda: random.key(True), ArgumentError, "seed must be an integer", "True"),
    (lambda: random.key(2**63), ArgumentError, "64 bits"),
    (lambda: random.key(np.arange(3)), ShapeError, "i64[3]", "fx.vmap"),
    (lambda: random.key(np.float32(1)), ArgumentError, "integer", "f32[]"),
    (lambda: random.key(0, impl="rbg"), ArgumentError, "'rbg'", "threefry2x32"),
    (lambda: random.stream(1.5), ArgumentError, "seed must be an integer"),
    (lambda: random.gumbel(KEY, mode="huge"), ArgumentError, "mode='huge'"),
    (lambda: random.rademacher(KEY, dtype="uint8"), DTypeError, "uint8"),
    (lambda: random.geometric(KEY, 0.5, dtype="float32"), DTypeError, "float32"),
    (lambda: random.pareto(KEY, 1j), DTypeError, "b must be real"),
    (
        lambda: random.multivariate_normal(KEY, np.zeros(3, F), np.eye(2, dtype=F)),
        ShapeError,
        "f32[3]",
        "f32[2,2]",
    ),
    (
        lambda: random.multivariate_normal(KEY, V, np.eye(5, dtype=F), method="lu"),
        ArgumentError,
        "'lu'",
        "svd",
    ),
    (lambda: random.multivariate_normal(KEY, LOGITS, np.eye(7, dtype=F), (4,)), ShapeError, "(30,)", "(4,)"),
    (lambda: random.orthogonal(KEY, -1), ArgumentError, "-1"),
    (lambda: fx.jit(lambda n: random.normal(KEY, (n,)))(3), TracerError, "n"),
]


@pytest.mark.parametrize("call, kind, facts", [(c, k, f) for c, k, *f in ERRORS])
def test_errors_name_the_facts(call, kind, facts):
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, FxError)
    for fact in facts:
        assert fact in str(caught.value)


def test_parameters_beyond_a_narrow_dtype_are_infinite_without_a_warning():
    assert np.isinf(np.asarray(random.uniform(random.key(0), (3,), "float16", 0.0, 1e6))[0])
