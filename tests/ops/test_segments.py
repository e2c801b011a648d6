"""fx.ops against JAX's segment reductions and plain loops; ties, zeros and empty segments."""

import jax
import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.testing import check_grads, check_jit, check_vmap

REDUCTIONS = ("segment_sum", "segment_prod", "segment_max", "segment_min")
IDS = np.array([0, 2, 2, 5, -1, 2, 0, 7, 3])
OPTIONS = (
    {},
    {"num_segments": 6},
    {"num_segments": 3},
    {"num_segments": 6, "bucket_size": 4},
    {"num_segments": 6, "mode": "clip"},
    {"num_segments": 9, "indices_are_sorted": False},
)
rng = np.random.default_rng(5)


def rows(dtype="float64", *shape):
    return (rng.normal(size=(9, *shape)) * 4).astype(dtype)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "uint8"])
def test_values_and_dtypes_equal_jax(name, dtype):
    with jax.enable_x64(True), jax.disable_jit():
        for options in OPTIONS:
            x = rows(dtype, 2) if dtype != "uint8" else rng.integers(1, 3, (9, 2), np.uint8)
            want = getattr(jax.ops, name)(x, IDS, **options)
            got = getattr(fx.ops, name)(x, IDS, **options)
            assert got.dtype == want.dtype, options
            np.testing.assert_allclose(got, want, rtol=1e-6, err_msg=str(options))


def test_empty_segments_have_the_identity():
    ids = np.array([1, 1])
    for x, low, high in (
        (np.ones(2), -np.inf, np.inf),
        (np.ones(2, np.int8), -128, 127),
        (np.ones(2, bool), False, True),
    ):
        assert fx.ops.segment_max(x, ids, 3)[0] == low
        assert fx.ops.segment_min(x, ids, 3)[2] == high
        assert fx.ops.segment_sum(x, ids, 3).tolist() == [0, 2, 0]
        assert fx.ops.segment_prod(x, ids, 3).tolist() == [1, 1, 1]
        assert fx.ops.segment_mean(x, ids, 3).tolist() == [0, 1, 0]
    assert fx.ops.segment_sum(np.ones((0, 2)), np.zeros(0, int)).shape == (0, 2)
    assert fx.ops.segment_sum(np.ones((0, 2)), np.zeros(0, int), 2).tolist() == [[0, 0], [0, 0]]


def test_means_and_softmax_are_those_of_each_segment():
    x = rows("float64", 2)
    mean, soft = fx.ops.segment_mean(x, IDS, 6), np.asarray(fx.ops.segment_softmax(x * 300, IDS, 6))
    for i in range(6):
        mine = x[i == IDS]
        np.testing.assert_allclose(mean[i], mine.mean(axis=0) if len(mine) else 0)
        if len(mine):
            np.testing.assert_allclose(
                soft[i == IDS], np.asarray(fx.nn.softmax(mine * 300, axis=0)), atol=1e-14
            )
    assert (soft[(IDS < 0) | (IDS > 5)] == 0).all()
    assert fx.ops.segment_mean(np.array([1, 2]), np.array([0, 0])).dtype == np.float32


def test_bfloat16_and_complex_rows():
    x = fnp.asarray(rows()).astype("bfloat16")
    assert fx.ops.segment_sum(x, IDS, 6).dtype == x.dtype
    z = rows() + 1j * rows()
    np.testing.assert_allclose(fx.ops.segment_sum(z, IDS, 6)[0], z[0] + z[6])


def test_derivatives():
    x = rows("float64", 2)
    for name in (*REDUCTIONS, "segment_mean", "segment_softmax"):
        f = lambda x, name=name: getattr(fx.ops, name)(x, IDS, 8)[np.array([0, 2, 3, 5])]
        check_grads(f, (x,), order=2)
        check_jit(lambda x, i, name=name: getattr(fx.ops, name)(x, i, 8), (x, IDS))
        check_vmap(lambda x, i, name=name: getattr(fx.ops, name)(x, i, 8), (x, IDS), axis_size=2)


def test_ties_share_and_zeros_among_factors_are_exact():
    ids = np.array([0, 0, 1, 1])
    of = lambda f, x: np.asarray(fx.grad(lambda x: fnp.sum(f(x, ids, 3)[:2]))(np.array(x)))
    np.testing.assert_array_equal(of(fx.ops.segment_max, [2.0, 2.0, 1.0, 3.0]), [0.5, 0.5, 0, 1])
    np.testing.assert_array_equal(of(fx.ops.segment_min, [2.0, 2.0, 1.0, 3.0]), [0.5, 0.5, 1, 0])
    np.testing.assert_array_equal(of(fx.ops.segment_prod, [0.0, 5.0, 0.0, 0.0]), [5, 0, 0, 0])


def test_softmax_of_nothing_but_minus_infinity_stays_in_its_segment():
    x = np.array([-np.inf, -np.inf, 1.0, 2.0])
    soft = np.asarray(fx.ops.segment_softmax(x, np.array([0, 0, 1, 1]), 2))
    assert np.isnan(soft[:2]).all()
    np.testing.assert_allclose(soft[2:], fx.nn.softmax(np.array([1.0, 2.0])))


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: fx.ops.segment_sum(np.ones(3), np.zeros(2, int)), fx.ShapeError, "segment_ids: (n,)"),
        (lambda: fx.ops.segment_sum(np.float64(3), np.zeros((), int)), fx.ShapeError, "data: (n, ...)"),
        (lambda: fx.ops.segment_max(np.ones(3), np.zeros(3)), fx.DTypeError, "must be integers"),
        (lambda: fx.ops.segment_max(np.ones(3) * 1j, np.zeros(3, int)), fx.DTypeError, "no order"),
        (lambda: fx.ops.segment_prod(np.ones(3), np.zeros(3, int), -1), fx.ArgumentError, "not be negative"),
        (lambda: fx.ops.segment_sum(np.ones(3), np.zeros(3, int), mode="wrap"), fx.ArgumentError, "'clip'"),
        (
            lambda: fx.ops.segment_sum(np.ones(3), np.zeros(3, int), 1, bucket_size=0),
            fx.ArgumentError,
            "positive",
        ),
        (lambda: fx.jit(fx.ops.segment_sum)(np.ones(3), np.zeros(3, int)), fx.TracerError, "segment_ids"),
    ],
)
def test_errors(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)
