"""fx.lax products with ragged groups and with scales, generators of bits, and hints, against jax.lax and NumPy."""

import jax
import ml_dtypes
import numpy as np
import pytest

import fx
from fx import lax

RNG = np.random.default_rng(3)
BF16 = np.dtype(ml_dtypes.bfloat16)


def draw(*shape, dtype="float64"):
    return RNG.normal(size=shape).astype(dtype)


# Ragged groups: numbers of axes, and shapes of lhs, rhs and group sizes

ONE = np.array([2, 0, 3], np.int32)
RAGGED = {
    "rows": ((((1,), (1,)), ((), ())), (0,), (0,), (7, 4), (3, 4, 2), ONE),
    "rows, batched": ((((3,), (1,)), ((0,), (2,))), (1,), (0,), (2, 5, 1, 4), (3, 4, 2, 2), ONE),
    "rows, sizes of each": ((((2,), (2,)), ((0,), (1,))), (1,), (0,), (2, 5, 4), (3, 2, 4, 2), [[1, 2, 2], [5, 0, 0]]),
    "rows, before and after": (
        (((3,), (1,)), ((), ())), (1,), (0,), (2, 5, 3, 4), (3, 4, 2, 2), [[1, 2, 1], [0, 3, 2]],
    ),
    "inner": ((((0,), (0,)), ((), ())), (0,), (), (7, 4), (7, 2), ONE),
    "inner of several": ((((1, 2), (0, 2)), ((), ())), (2,), (), (3, 2, 5), (2, 4, 5), [[1, 1, 1], [3, 0, 2]]),
    "inner, first of several": ((((1, 2), (0, 2)), ((), ())), (1,), (), (3, 5, 2), (5, 4, 2), ONE),
    "inner, batched": ((((2,), (1,)), ((0,), (0,))), (2,), (), (2, 3, 5), (2, 5, 4), ONE),
    "batch": ((((2,), (1,)), ((0,), (0,))), (0,), (), (5, 3, 2), (5, 2, 4), ONE),
}  # fmt: skip


@pytest.mark.parametrize("name", RAGGED)
def test_ragged_products_are_those_of_jax(name):
    numbers, ragged, groups, left, right, sizes = RAGGED[name]
    x, y, sizes = draw(*left), draw(*right), np.asarray(sizes, np.int32)
    axes = (numbers, ragged, groups)
    ours = lambda x, y: lax.ragged_dot_general(x, y, sizes, lax.RaggedDotDimensionNumbers(*axes))
    theirs = lambda x, y: jax.lax.ragged_dot_general(x, y, sizes, jax.lax.RaggedDotDimensionNumbers(*axes))
    with jax.enable_x64(), jax.disable_jit():
        expected = np.asarray(theirs(x, y))
        if groups:  # JAX has these derivatives alone
            ct = draw(*expected.shape)
            cts = jax.vjp(theirs, x, y)[1](jax.numpy.asarray(ct))
    np.testing.assert_allclose(ours(x, y), expected, rtol=1e-12, atol=1e-13)
    if groups:
        for a, b in zip(fx.vjp(ours, x, y)[1](ct), cts, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    else:
        fx.testing.check_grads(ours, (x, y))


def test_ragged_products_under_transformations():
    x, w, sizes = draw(2, 6, 3), draw(2, 2, 3, 4), np.array([[4, 2], [1, 2]])
    one = lambda x, w, sizes: lax.ragged_dot(x, w, sizes)
    plain = np.stack([one(*part) for part in zip(x, w, sizes, strict=True)])
    for f in (fx.vmap(one), fx.jit(fx.vmap(one)), fx.checkpoint(fx.vmap(one))):
        np.testing.assert_allclose(f(x, w, sizes), plain, rtol=1e-13)
    np.testing.assert_allclose(fx.vmap(one, (0, None, None))(x, w[0], sizes[0])[0], plain[0], rtol=1e-13)
    loss = lambda x, w: (fx.numpy.sin(one(x, w, sizes[0])) ** 2).sum()
    fx.testing.check_grads(loss, (x[0], w[0]), order=2)
    np.testing.assert_allclose(fx.jit(fx.grad(loss, 1))(x[0], w[0]), fx.grad(loss, 1)(x[0], w[0]), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int32", "complex64"])
def test_dtypes_of_ragged_products(dtype):
    x, w = (draw(5, 3) * 3).astype(dtype), (draw(2, 3, 2) * 3).astype(dtype)
    found = lax.ragged_dot(x, w, np.array([2, 2]))
    wide = "complex128" if dtype == "complex64" else "float64"
    expected = np.zeros((5, 2), wide)
    expected[:2], expected[2:4] = (
        x[:2].astype(wide) @ w[0].astype(wide),
        x[2:4].astype(wide) @ w[1].astype(wide),
    )
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_allclose(np.asarray(found).astype(wide), expected, rtol=1e-2, atol=1e-2)
    wide = lax.ragged_dot(
        x, w, np.array([2, 2]), preferred_element_type="complex64" if dtype == "complex64" else "float32"
    )
    np.testing.assert_allclose(wide, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "call, facts",
    [
        (lambda: lax.ragged_dot(draw(2, 3), draw(1, 3, 2), np.array([2]), group_offset=[0]), "group_offset"),
        (lambda: lax.ragged_dot(draw(2, 3), draw(1, 3, 2), np.array([2.0])), "g integers"),
        (lambda: lax.ragged_dot_general(draw(2), draw(2), ONE, 3), "RaggedDotDimensionNumbers"),
        (
            lambda: lax.ragged_dot_general(draw(7, 4), draw(4, 2), ONE, ((((1,), (0,)), ((), ())), (0,), ())),
            "1 free axes of rhs",
        ),
        (
            lambda: lax.ragged_dot_general(
                draw(7, 4), draw(2, 4, 2), ONE, ((((1,), (1,)), ((), ())), (0,), (0,))
            ),
            "not of 3 groups",
        ),
        (
            lambda: lax.ragged_dot_general(
                draw(7, 4), draw(7, 2), ONE[None], ((((0,), (0,)), ((), ())), (0,), ())
            ),
            "group_sizes have shape",
        ),
        (lambda: lax.scaled_dot(draw(2, 4), draw(4, 2), lhs_scale=draw(2, 3)), "lhs_scale"),
        (lambda: lax.scaled_dot(draw(2, 4), draw(4, 2), rhs_scale=draw(4, 2)), "at most half"),
        (lambda: lax.scaled_dot(draw(4), draw(4)), "dimension_numbers"),
        (lambda: lax.rng_bit_generator(np.zeros(3, np.uint32), (2,)), "uint32 (4,)"),
        (lambda: lax.rng_bit_generator(np.zeros(4, np.uint32), (2,), np.int32), "unsigned"),
        (lambda: lax.rng_bit_generator(np.zeros(4, np.uint32), (2,), algorithm=7), "RandomAlgorithm"),
        (lambda: lax.after_all(1.0), "create_token"),
        (lambda: lax.composite(3, "f"), "decomposition"),
        (lambda: lax.dot(draw(2), draw(2), precision="F7_F7"), "unknown"),
    ],
)
def test_errors_name_the_facts(call, facts):
    with pytest.raises(fx.FxError) as caught:
        call()
    assert facts in str(caught.value)


# Scales


SCALED = [
    ((2, 3, 8), (2, 8, 4), (2, 3, 2), (2, 4, 4), None, None),
    ((3, 8), (8, 4), (3, 4), None, None, "float32"),
    ((3, 8), (8, 4), None, None, None, None),
    ((4, 2, 6), (6, 3, 4), (2, 2, 2), (3, 3, 2), (((0, 2), (2, 0)), ((), ())), "float32"),
]


@pytest.mark.parametrize("left, right, left_scale, right_scale, numbers, preferred", SCALED)
def test_scaled_products_are_those_of_jax(left, right, left_scale, right_scale, numbers, preferred):
    x, y = draw(*left).astype(ml_dtypes.float8_e4m3fn), draw(*right).astype(ml_dtypes.float8_e4m3fn)
    scales = [None if s is None else np.exp2(RNG.integers(-3, 4, s)).astype(ml_dtypes.float8_e8m0fnu)
              for s in (left_scale, right_scale)]  # fmt: skip
    options = {"lhs_scale": scales[0], "rhs_scale": scales[1], "dimension_numbers": numbers}
    found = lax.scaled_dot(x, y, **options, preferred_element_type=preferred)
    expected = jax.lax.scaled_dot(x, y, **options, preferred_element_type=preferred)
    assert found.dtype == expected.dtype == np.dtype(preferred or BF16)
    exact = 0.01 if preferred is None else 1e-6
    np.testing.assert_allclose(np.asarray(found, "d"), np.asarray(expected, "d"), rtol=exact, atol=exact)


def test_derivatives_of_scaled_products():
    x, y, scale = draw(3, 4, dtype="f"), draw(4, 2, dtype="f"), np.float32([[0.5], [2.0], [1.0]])
    product = lambda x, y, s: lax.scaled_dot(x, y, lhs_scale=s, preferred_element_type="float32")
    grads = fx.grad(lambda *args: product(*args).sum(), (0, 1, 2))(x, y, scale)
    exact = (scale * y.sum(1), np.repeat((x * scale).sum(0)[:, None], 2, 1), (x @ y).sum(1, keepdims=True))
    for found, expected in zip(grads, exact, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.03, atol=0.05)


# Bits


KEYS = [np.array([1, 2, 3, 4], np.uint32), np.array([9, 8, 0xFFFFFFFD, 0xFFFFFFFF], np.uint32)]
BITS = [
    *[("RNG_THREE_FRY", KEYS[0], s, "uint32")
      for s in ((), (5,), (3, 3), (3, 4), (3, 5), (3, 1, 1), (5, 2, 2), (2, 0))],
    ("RNG_THREE_FRY", KEYS[1], (3, 3), "uint64"), ("RNG_THREE_FRY", np.array([5, 6], np.uint64), (3, 2), "uint8"),
    ("RNG_PHILOX", KEYS[0], (3, 3), "uint16"), ("RNG_PHILOX", KEYS[0], (), "uint32"),
    ("RNG_DEFAULT", KEYS[1], (3, 3), "uint32"), ("RNG_DEFAULT", KEYS[1], (7,), "uint64"),
]  # fmt: skip


def test_bits_are_those_of_xla():
    draw = lambda of, algorithm, *args: of.rng_bit_generator(*args, getattr(of.RandomAlgorithm, algorithm))
    with jax.enable_x64():
        options = {"xla_backend_optimization_level": "0"}
        theirs = jax.jit(lambda: [draw(jax.lax, *case) for case in BITS], compiler_options=options)()
    for case, expected in zip(BITS, theirs, strict=True):
        for ours, exact in zip(draw(lax, *case), expected, strict=True):
            np.testing.assert_array_equal(ours, exact, strict=True, err_msg=str(case))


def test_bits_under_transformations():
    keys = np.stack(KEYS)
    plain = [lax.rng_bit_generator(k, (3,)) for k in keys]
    for draw_all in (
        fx.vmap(lambda k: lax.rng_bit_generator(k, (3,))),
        fx.jit(fx.vmap(lambda k: lax.rng_bit_generator(k, (3,)))),
    ):
        for i, part in enumerate(draw_all(keys)):
            np.testing.assert_array_equal(part, [p[i] for p in plain])


# Hints


def test_hints_change_nothing():
    token = lax.after_all(lax.create_token(), lax.create_token())
    assert token.shape == () and fx.jit(lambda t: lax.after_all(t))(token).dtype == bool
    assert lax.after_all().shape == ()
    tangent = lax.composite(lambda x, scale: lax.sin(x) / lax.cos(x) * scale, "my.tangent", 1)
    assert tangent.__name__ == "my.tangent"
    np.testing.assert_allclose(fx.grad(lambda x: tangent(x, scale=2.0))(0.3), 2 / np.cos(0.3) ** 2, rtol=1e-6)
    np.testing.assert_allclose(
        fx.grad(lambda x: lax.with_sharding_constraint(lax.stage(x), None) ** 2)(3.0), 6.0
    )
    assert lax.stage(2).dtype == np.int64 and type(lax.stage(2)) is fx.Array
    x, y = draw(2, 3), draw(3, 2)
    for precision in (
        lax.DotAlgorithmPreset.F32_F32_F32,
        "BF16_BF16_F32",
        lax.DotAlgorithm("f4", "f4", "f4"),
    ):
        np.testing.assert_array_equal(lax.dot(x, y, precision=precision), lax.dot(x, y))
    assert [p.name for p in lax.DotAlgorithmPreset] == [p.name for p in jax.lax.DotAlgorithmPreset]
    assert lax.exp(1.0, accuracy=lax.AccuracyMode.HIGHEST) == lax.exp(1.0, accuracy=lax.Tolerance(rtol=1e-6))


def test_only_what_means_nothing_here_is_missing():
    names = {n for n in dir(jax.lax) if not n.startswith("_") and not n.endswith("_p")} - {"linalg"}
    missing = {n for n in names if not hasattr(lax, n)}
    assert missing == {"dce_sink", "pcast", "precv", "psend", "ragged_all_to_all", "rng_uniform"}


# Odd operands


@pytest.mark.parametrize("wrap", [lambda f: f, fx.jit], ids=["eager", "jit"])
def test_integers_divided_by_zero_as_in_xla(wrap):
    x = np.array([-(2**31), -7, -1, 0, 1, 5], np.int32)
    np.testing.assert_array_equal(
        wrap(lax.div)(x, np.zeros(6, np.int32)), np.full(6, -1, np.int32), strict=True
    )
    np.testing.assert_array_equal(wrap(lax.rem)(x, np.zeros(6, np.int32)), x, strict=True)
    np.testing.assert_array_equal(wrap(lax.rem)(x, np.int32(3)), np.fmod(x, 3))
    np.testing.assert_array_equal(wrap(lax.div)(np.uint8([0, 9]), np.uint8(0)), np.uint8([255, 255]))


def test_numbers_as_exponents():
    x = np.array([1.0, 4.0])
    np.testing.assert_allclose(lax.pow(x, 0.5), [1, 2])
    assert lax.pow(x.astype("f4"), 2.0).dtype == np.float32 and lax.pow(2.0, x).dtype == np.float64
    np.testing.assert_allclose(fx.grad(lambda x: lax.pow(x, 1.5).sum())(x), [1.5, 3])
