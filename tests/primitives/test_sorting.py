"""Sorting against NumPy and JAX: NaNs, signed zeros, complex order, several keys, stability, gradients, top_k."""

import itertools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, strategies as st

import fx
from fx.backends import strict
from fx.core import errors
from fx.primitives import sorting
from fx.primitives.sorting import (
    argsort,
    permute,
    permute_p,
    searchsorted,
    searchsorted_p,
    sort,
    sort_key_val,
    sort_p,
    top_k,
)

bfloat16 = np.dtype(ml_dtypes.bfloat16)
AWKWARD = [np.nan, -np.inf, np.inf, -0.0, 0.0, 1.0, -1.0, 5e-324]
numbers = st.sampled_from(AWKWARD) | st.floats(width=32)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def same_bits(a, b):
    """Equal, and zeros of one sign."""
    np.testing.assert_array_equal(a, b)
    for part in (np.real, np.imag) if a.dtype.kind == "c" else (lambda x: x,):
        number = ~np.isnan(part(b))
        np.testing.assert_array_equal(np.signbit(part(a))[number], np.signbit(part(b))[number])


@given(st.lists(numbers, max_size=40))
def test_order_is_numpy_s_stable_order(values):
    x = np.array(values, np.float64)
    same_bits(np.asarray(sort(x)), np.sort(x, kind="stable"))
    np.testing.assert_array_equal(np.asarray(argsort(x)), np.argsort(x, kind="stable"))


@given(st.lists(st.tuples(numbers, numbers), max_size=12))
def test_complex_numbers_sort_by_real_then_imaginary_part(pairs):
    x = np.array([complex(a, b) for a, b in pairs], np.complex128)
    np.testing.assert_array_equal(np.asarray(sort(x)), np.sort(x, kind="stable"))
    np.testing.assert_array_equal(np.asarray(argsort(x)), np.argsort(x, kind="stable"))


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", bfloat16, "int32", "uint8", "bool"], ids=str
)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_every_dtype_and_axis(dtype, axis):
    x = (np.random.default_rng(0).normal(size=(5, 7)) * 3).astype(dtype)
    want = np.sort(x.astype(np.float64), axis, kind="stable")
    for descending in (False, True):
        got = np.asarray(sort(x, axis, descending))
        assert got.dtype == x.dtype
        np.testing.assert_array_equal(got.astype(np.float64), np.flip(want, axis) if descending else want)
        order = np.asarray(argsort(x, axis, descending))
        np.testing.assert_array_equal(np.take_along_axis(x, order, axis), got)


def test_equal_elements_keep_their_order_both_ways():
    x = np.array([2, 1, 2, 1, 2])
    np.testing.assert_array_equal(np.asarray(argsort(x)), [1, 3, 0, 2, 4])
    np.testing.assert_array_equal(np.asarray(argsort(x, descending=True)), [0, 2, 4, 1, 3])


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(AWKWARD), st.integers()), min_size=1, max_size=20)
)
def test_several_keys_sort_like_lexsort(rows):
    a, b, c = (np.array(column, dtype) for column, dtype in zip(zip(*rows), (np.int32, float, float)))
    order = np.lexsort((b, a))
    for got, x in zip(sort_p(a, b, c, axis=0, num_keys=2), (a, b, c)):
        np.testing.assert_array_equal(np.asarray(got), x[order])


def test_sort_key_val_takes_values_along():
    keys, values = np.array([[3.0, 1.0, 2.0]]), np.array([[1, 2, 3]])
    k, v = sort_key_val(keys, values)
    np.testing.assert_array_equal(np.asarray(k), [[1, 2, 3]])
    np.testing.assert_array_equal(np.asarray(v), [[2, 3, 1]])


@pytest.mark.parametrize("axis", [0, 1])
def test_gradients_are_permuted_as_in_jax_twice_over(axis):
    rng = np.random.default_rng(3)
    x = rng.integers(-2, 3, (4, 5)).astype(float)
    ct = rng.normal(size=(4, 5))
    ours = lambda x: (sort(x, axis) ** 3 * ct).sum()
    theirs = lambda x: (jnp.sort(x, axis) ** 3 * ct).sum()
    np.testing.assert_allclose(np.asarray(fx.grad(ours)(x)), jax.grad(theirs)(x))
    second = lambda g, f, x: g(lambda x: (g(f)(x) * ct).sum())(x)
    np.testing.assert_allclose(np.asarray(second(fx.grad, ours, x)), second(jax.grad, theirs, x))


def test_a_differentiated_sort_sorts_once():
    program = fx.make_program(fx.grad(lambda x: (sort(x) ** 2).sum()))(np.ones(5))
    assert [e.primitive.name for e in program.equations].count("sort") == 1


def test_values_sorted_by_a_key_carry_their_own_tangents():
    rng = np.random.default_rng(4)
    keys, values, ct = rng.normal(size=(3, 6))
    got = fx.grad(lambda v: (sort_key_val(keys, v)[1] * ct).sum())(values)
    want = np.empty(6)
    want[np.argsort(keys)] = ct
    np.testing.assert_array_equal(np.asarray(got), want)


@pytest.mark.parametrize("k", [0, 1, 3, 6])
def test_top_k_is_jax_s_with_its_gradient(k):
    rng = np.random.default_rng(5)
    x = rng.integers(0, 4, (3, 6)).astype(float)
    values, places = top_k(x, k)
    want_values, want_places = jax.lax.top_k(x, k)
    np.testing.assert_array_equal(np.asarray(values), want_values)
    np.testing.assert_array_equal(np.asarray(places), want_places)
    ct = rng.normal(size=(3, k))
    got = fx.grad(lambda x: (top_k(x, k)[0] * ct).sum())(x)
    np.testing.assert_array_equal(np.asarray(got), jax.grad(lambda x: (jax.lax.top_k(x, k)[0] * ct).sum())(x))


def test_top_k_along_another_axis_puts_nan_first():
    x = np.array([[1.0, 5.0], [np.nan, 2.0], [3.0, 4.0]])
    values, places = top_k(x, 2, axis=0)
    np.testing.assert_array_equal(np.asarray(values), [[np.nan, 5], [3, 4]])
    np.testing.assert_array_equal(np.asarray(places), [[1, 0], [2, 2]])


@pytest.mark.parametrize(("axis", "inverse"), list(itertools.product([0, 1], [False, True])))
def test_permute_inverts_itself(axis, inverse):
    rng = np.random.default_rng(6)
    x = rng.normal(size=(4, 5))
    perm = np.argsort(rng.normal(size=(4, 5)), axis)
    y = permute(x, perm, axis, inverse)
    np.testing.assert_array_equal(np.asarray(permute(y, perm, axis, not inverse)), x)


@given(st.lists(numbers, max_size=12), st.lists(numbers, max_size=6), st.sampled_from(["left", "right"]))
def test_searchsorted_is_numpy_s(a, v, side):
    a, v = np.sort(np.array(a, float)), np.array(v, float)
    want = np.searchsorted(a, v, side)
    np.testing.assert_array_equal(np.asarray(searchsorted(a, v, side)), want)
    lines = np.asarray(searchsorted(np.stack([a, a]), np.stack([v, v]), side))
    np.testing.assert_array_equal(lines, np.stack([want, want]))


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_under_vmap_is_a_loop(side):
    rng = np.random.default_rng(7)
    a = np.sort(rng.integers(0, 5, (3, 4)) * 1.0, -1)
    v = rng.integers(0, 5, (3, 2, 3)) * 1.0
    search = lambda a, v: searchsorted(a, v, side)
    for axes in ((0, 0), (None, 0), (0, None), (None, 2)):
        got = np.asarray(fx.vmap(search, in_axes=axes)(a if axes[0] == 0 else a[0], v))
        lines = [a[i] if axes[0] == 0 else a[0] for i in range(3)]
        rows = [v if axes[1] is None else np.take(v, i, axes[1]) for i in range(3)]
        np.testing.assert_array_equal(got, [np.searchsorted(x, y, side) for x, y in zip(lines, rows)])


def test_bfloat16_is_searched_as_float32():
    a, v = np.array([1, 2, 2, 3], bfloat16), np.array([2, 0, 9], bfloat16)
    np.testing.assert_array_equal(np.asarray(searchsorted(a, v, "right")), [3, 0, 4])


def test_a_device_that_sorts_bits_still_puts_negative_nan_last():
    x = np.array([1.0, -np.nan, np.nan, -1.0])
    key = sorting._key(strict.xp, strict.asarray(x)).get()
    np.testing.assert_array_equal(np.signbit(key), [False, False, False, True])
    got = sort_p.impl(strict.xp, strict.asarray(x), axis=0, num_keys=1)[0].get()
    np.testing.assert_array_equal(got, [-1, 1, np.nan, np.nan])


@pytest.mark.parametrize(
    ("call", "error", "facts"),
    [
        (lambda: sort(np.float64(1)), errors.ShapeError, r"axis -1.*f64\[\](.|\n)*no axes"),
        (
            lambda: sort(np.ones(3), 1),
            errors.ShapeError,
            r"axis 1 is out of range for f64\[3\](.|\n)*-1 to 0",
        ),
        (lambda: top_k(np.ones(3), 4), errors.ArgumentError, r"k = 4(.|\n)*between 0 and 3"),
        (
            lambda: sort_p(np.ones(3), np.ones(2), axis=0, num_keys=1),
            errors.ShapeError,
            r"f64\[3\], f64\[2\]",
        ),
        (lambda: sort_p(np.ones(3), axis=0, num_keys=2), errors.ArgumentError, "num_keys = 2"),
        (lambda: searchsorted(np.ones(3), np.ones(2, "f4")), errors.DTypeError, "f64, f32"),
        (lambda: searchsorted(np.ones(3), np.ones(2), "middle"), errors.ArgumentError, "'middle'"),
        (lambda: searchsorted(np.ones((2, 3)), np.ones(3)), errors.ShapeError, r"f64\[2,3\] and f64\[3\]"),
        (
            lambda: searchsorted_p(np.ones(3) * 1j, np.ones(2) * 1j, side="left"),
            errors.DTypeError,
            "complex128",
        ),
        (lambda: permute_p(np.ones(3), np.ones(3), axis=0, inverse=False), errors.DTypeError, "permutation"),
        (lambda: permute(np.ones(3), np.arange(2), 0), errors.ShapeError, r"f64\[3\].*i64\[2\]"),
    ],
)
def test_errors_name_what_does_not_fit(call, error, facts):
    with pytest.raises(error, match=facts):
        call()
