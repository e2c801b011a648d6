"""gather, scatter and dynamic slices: against plain loops, NumPy, JAX, and CuPy's traps."""

import itertools

import hypothesis.extra.numpy as hnp
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import fx
from fx.backends import strict
from fx.core.avals import Aval
from fx.core.errors import ArgumentError, DTypeError, OutOfBoundsError, RuleError, ShapeError
from fx.primitives.gather_scatter import _gather_oracle, _lookup_shape, _scatter_oracle, gather_p, scatter_p
from fx.primitives.indexing import (
    MODES,
    OPS,
    dynamic_slice,
    dynamic_update_slice,
    fill_for,
    gather,
    scatter,
)

THOROUGH = settings(max_examples=max(150, settings.default.max_examples))
PRIMITIVES = (gather_p, scatter_p, dynamic_slice, dynamic_update_slice)


def samples():
    rng = np.random.default_rng(0)
    return [pytest.param(p, s, id=f"{p}-{i}") for p in PRIMITIVES for i, s in enumerate(p.samples(rng))]


def to_device(x):
    return strict.array(x) if isinstance(x, (np.ndarray, np.generic)) else x


def on_device(prim, operands, params):
    """The result of `impl` behind CuPy's surface."""
    with np.errstate(all="ignore"):
        out = prim.impl(strict.xp, *map(to_device, operands), **params)
    assert isinstance(out, strict.ndarray)
    return out.get()


def same(got, want):
    """Equal values of one dtype; NumPy cannot compare the NaNs of bfloat16."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype
    wide = np.float32 if got.dtype == ml_dtypes.bfloat16 else got.dtype
    np.testing.assert_array_equal(got.astype(wide), want.astype(wide))


# ---- random problems ---------------------------------------------------------------------------------------
@st.composite
def problems(draw):
    """(x, index arrays, axes, at, mode) with duplicates, negatives and positions outside."""
    x_shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
    count = draw(st.integers(1, len(x_shape)))
    axes = tuple(sorted(draw(st.permutations(range(len(x_shape))))[:count]))
    at = draw(st.integers(0, len(x_shape) - count))
    mode = draw(st.sampled_from(MODES))
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=2, max_side=3)).input_shapes
    indices = []
    for axis, shape in zip(axes, shapes):
        n = x_shape[axis]
        reach = (-n, n - 1) if mode == "promise_in_bounds" else (-2 * n - 1, 2 * n)
        dtype = draw(st.sampled_from(["int64", "int32", "int8"]))
        indices.append(np.asarray(draw(hnp.arrays(dtype, shape, elements=st.integers(*reach)))))
    return x_shape, indices, axes, at, mode


def numbers(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        return rng.integers(0, 9, shape).astype(dtype)
    x = rng.integers(-4, 5, shape) / 2
    return np.asarray(x + (1j * rng.integers(-3, 4, shape) if dtype.kind == "c" else 0)).astype(dtype)


DTYPES = [
    "float64",
    "float32",
    "float16",
    ml_dtypes.bfloat16,
    "complex64",
    "int64",
    "int32",
    "int8",
    "uint8",
    "bool",
]


@THOROUGH
@given(problems(), st.sampled_from(DTYPES), st.integers(0, 99))
def test_gather_is_a_loop(problem, dtype, seed):
    x_shape, indices, axes, at, mode = problem
    x = numbers(np.random.default_rng(seed), x_shape, dtype)
    params = {"axes": axes, "at": at, "mode": mode, "fill_value": None}
    want = _gather_oracle(x, *indices, **{**params, "fill_value": fill_for(x.dtype)})
    got = gather(x, *indices, **params)
    assert got.dtype == x.dtype
    same(got, want)
    same(on_device(gather_p, (x, *indices), params), want)


@THOROUGH
@given(problems(), st.sampled_from(DTYPES), st.sampled_from(OPS), st.integers(0, 99))
def test_scatter_is_a_loop(problem, dtype, op, seed):
    x_shape, indices, axes, at, mode = problem
    if np.dtype(dtype).kind == "c" and op in ("min", "max"):
        op = "add"
    rng = np.random.default_rng(seed)
    x = numbers(rng, x_shape, dtype)
    avals = [Aval(i.shape, i.dtype) for i in indices]
    updates = numbers(rng, _lookup_shape("", Aval(x_shape, x.dtype), avals, axes, at, mode), dtype)
    params = {"axes": axes, "at": at, "op": op, "mode": mode, "unique": False}
    with np.errstate(all="ignore"):
        want = _scatter_oracle(x, updates, *indices, **params)
    got = scatter(x, updates, *indices, **params)
    assert got.dtype == x.dtype
    same(got, want)
    same(on_device(scatter_p, (x, updates, *indices), params), want)


@pytest.mark.parametrize(("prim", "sample"), samples())
def test_samples(prim, sample):
    want = sample.oracle(*sample.operands, **sample.params)
    np.testing.assert_allclose(np.asarray(prim(*sample.operands, **sample.params)), want)
    np.testing.assert_allclose(on_device(prim, sample.operands, sample.params), want)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "int32", "float16"])
def test_rows_are_added_fast_and_right(dtype):
    rng = np.random.default_rng(0)
    x, k = numbers(rng, (50, 33), dtype), rng.integers(-50, 50, 400)
    updates = numbers(rng, (400, 33), dtype)
    got = scatter(x, updates, k, axes=(0,), op="add", mode="promise_in_bounds")
    want = x.astype("complex128" if dtype == "complex64" else "float64")
    np.add.at(want, k, updates)
    np.testing.assert_array_equal(np.asarray(got), want.astype(dtype))


def test_low_precision_sums_are_rounded_once():
    for dtype in (np.dtype("float16"), np.dtype(ml_dtypes.bfloat16)):
        ones = np.ones(5000, dtype)
        params = {"axes": (0,), "at": 0, "op": "add", "mode": "promise_in_bounds", "unique": False}
        operands = (np.zeros(1, dtype), ones, np.zeros(5000, int))
        want = np.float32(5000).astype(dtype)
        assert np.asarray(scatter_p(*operands, **params))[0] == want
        assert on_device(scatter_p, operands, params)[0] == want


@pytest.mark.parametrize("op", ["min", "max"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ml_dtypes.bfloat16])
def test_extrema_of_special_floats(op, dtype):
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -1.5, 3e-5], dtype)
    x, updates, k = (
        np.array(v).ravel()
        for v in zip(*[(a, b, i) for i, (a, b) in enumerate(itertools.product(values, values))])
    )
    x, updates = x.astype(dtype), updates.astype(dtype)
    updates[3] = -np.float32(np.nan)
    params = {"axes": (0,), "at": 0, "op": op, "mode": "promise_in_bounds", "unique": False}
    with np.errstate(invalid="ignore"):
        want = getattr(np, f"{op}imum")(x, updates)
    same(scatter_p(x, updates, k, **params), want)
    same(on_device(scatter_p, (x, updates, k), params), want)


def test_the_device_never_waits():
    rng = np.random.default_rng(0)
    device = [
        to_device(x) for x in (rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), np.array([1, 9, -2, 1]))
    ]
    one, two = to_device(np.array(1)), to_device(np.array(-1))
    with strict.capture():
        for mode in MODES:
            gather_p.impl(strict.xp, device[0], device[2], axes=(0,), at=0, mode=mode, fill_value=None)
            for op in OPS:
                scatter_p.impl(strict.xp, *device, axes=(0,), at=0, op=op, mode=mode, unique=False)
        dynamic_slice.impl(strict.xp, device[0], one, two, sizes=(2, 2))
        dynamic_update_slice.impl(strict.xp, device[0], device[1], one, two)


@pytest.mark.parametrize("mode", MODES[:3])
def test_indices_of_any_width(mode):
    x = np.arange(300.0)
    huge = np.array([2**64 - 1, 7, 299], np.uint64)
    at_end = {"fill": np.nan, "clip": 299.0, "wrap": (2**63 - 1) % 300}[mode]
    np.testing.assert_array_equal(np.asarray(gather(x, huge, axes=(0,), mode=mode)), [at_end, 7, 299])
    small = np.array([-1, -128, 127], np.int8)
    np.testing.assert_array_equal(np.asarray(gather(x, small, axes=(0,), mode=mode)), [299, 172, 127])


# ---- derivatives -------------------------------------------------------------------------------------------
def one_after_another(op, x, updates, indices):
    """A scatter as a chain of updates with one index each, which JAX differentiates right."""
    for i, u in zip(indices, updates):
        x = getattr(x.at[i], op)(u)
    return x


def mixed(xp, out):
    """A scalar with curvature in all elements."""
    return xp.sum(xp.sin(out) * out + out**3)


def fx_loss(op, indices, unique=False):
    from fx.primitives.elementwise import sin
    from fx.primitives.reductions import reduce_sum

    def loss(x, updates):
        out = scatter(x, updates, indices, axes=(0,), op=op, unique=unique, mode="fill")
        return reduce_sum(sin(out) * out + out * out * out, axes=tuple(range(out.ndim)))

    return loss


CASES = {
    "distinct": (np.array([3, 0, 4]), 1.0),
    "duplicates": (np.array([1, 3, 1, 1, 0]), 1.0),
    "outside": (np.array([1, 9, 1, -5, -9]), 1.0),
}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("case", CASES)
def test_gradients_of_both_orders_agree_with_jax(op, case):
    indices, _ = CASES[case]
    rng = np.random.default_rng(1)
    x, updates = rng.normal(size=(5, 2)), rng.normal(size=(len(indices), 2))
    direction = rng.normal(size=x.shape), rng.normal(size=updates.shape)
    loss = fx_loss(op, indices)
    with jax.enable_x64(True):
        reference = lambda x, u: mixed(
            jnp, one_after_another(op, x, u, [i if -5 <= i < 5 else 99 for i in indices])
        )
        want = jax.grad(reference, (0, 1))(x, updates)
        _, want2 = jax.jvp(jax.grad(reference, (0, 1)), (x, updates), direction)
    got, got2 = fx.jvp(fx.grad(loss, (0, 1)), (x, updates), direction)
    for a, b in zip((*got, *got2), (*want, *want2)):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("zeros", [1, 2, 3])
def test_products_have_derivatives_at_zeros(zeros):
    updates = np.array([0.5, -2.0, 3.0, 1.5])
    updates[:zeros] = 0
    x, indices = np.array([2.0, 1.0]), np.array([0, 0, 0, 0])
    direction = np.array([0.3, 0.2]), np.array([1.0, -0.5, 0.25, 2.0])
    loss = fx_loss("multiply", indices)
    with jax.enable_x64(True):
        reference = lambda x, u: mixed(jnp, one_after_another("multiply", x, u, indices))
        want = jax.grad(reference, (0, 1))(x, updates)
        _, want2 = jax.jvp(jax.grad(reference, (0, 1)), (x, updates), direction)
    got, got2 = fx.jvp(fx.grad(loss, (0, 1)), (x, updates), direction)
    for a, b in zip((*got, *got2), (*want, *want2)):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-12, atol=1e-12)


def test_ties_share_equally():
    x, updates, indices = np.array([1.0, 5.0]), np.array([1.0, 1.0, 0.0, 2.0]), np.array([0, 0, 0, 1])
    total = lambda x, u: scatter(x, u, indices, axes=(0,), op="max") @ np.array([6.0, 1.0])
    gx, gu = fx.grad(total, (0, 1))(x, updates)
    np.testing.assert_allclose(gx, [2, 1])
    np.testing.assert_allclose(gu, [2, 2, 0, 0])


def test_the_last_of_equal_indices_wins_in_values_and_derivatives():
    x, updates, indices = np.zeros(3), np.array([1.0, 2.0, 3.0, 4.0]), np.array([[2, 0], [2, 0]])
    f = lambda u: scatter(x, u.reshape(2, 2), indices, axes=(0,)) @ np.array([1.0, 10.0, 100.0])
    value, g = fx.value_and_grad(f)(updates)
    assert float(value) == 4 + 300
    np.testing.assert_allclose(g, [0, 0, 100, 1])
    _, t = fx.jvp(f, (updates,), (np.array([5.0, 6.0, 7.0, 8.0]),))
    assert float(t) == 8 + 700


def test_gather_modes_agree_with_jax():
    x = np.random.default_rng(0).normal(size=(4, 3))
    indices = np.array([0, 3, 4, -1, -4, -5, 11, 3])
    for mode in ("fill", "clip"):
        with jax.enable_x64(True):
            f = lambda x: jnp.nan_to_num(jnp.asarray(x).at[indices].get(mode=mode)) ** 2
            want, want_g = f(x), jax.grad(lambda x: f(x).sum())(x)

        def g(x):
            from fx.primitives.reductions import reduce_sum

            y = gather(x, indices, axes=(0,), mode=mode, fill_value=0)
            return reduce_sum(y * y, axes=(0, 1)), y * y

        (_, got), got_g = fx.value_and_grad(g, has_aux=True)(x)
        np.testing.assert_allclose(got, want)
        np.testing.assert_allclose(got_g, want_g)


def test_scatter_min_has_no_transpose():
    with pytest.raises(RuleError, match="not linear"):
        fx.linear_transpose(
            lambda u: scatter(np.zeros(3), u, np.array([1]), axes=(0,), op="min"), np.ones(1)
        )(np.ones(3))


# ---- batching ----------------------------------------------------------------------------------------------
def stacked(rng, x, count=3):
    x = np.asarray(x)
    if x.dtype.kind == "f":
        return rng.normal(size=(count, *x.shape))
    return np.stack([x, rng.permutation(x.ravel()).reshape(x.shape), x[::-1] if x.ndim else x])


@pytest.mark.parametrize(("prim", "sample"), samples())
def test_vmap_is_a_loop(prim, sample):
    rng = np.random.default_rng(3)
    f = lambda *xs: prim(*xs, **sample.params)
    for mask in itertools.product([None, 0, -1], repeat=len(sample.operands)):
        if all(m is None for m in mask):
            continue
        axes = [None if m is None else m % (np.ndim(x) + 1) for m, x in zip(mask, sample.operands)]
        operands = [
            x if a is None else np.moveaxis(stacked(rng, x), 0, a) for a, x in zip(axes, sample.operands)
        ]
        got = fx.vmap(f, in_axes=tuple(axes))(*operands)
        want = [
            np.asarray(f(*[x if a is None else np.take(x, b, axis=a) for a, x in zip(axes, operands)]))
            for b in range(3)
        ]
        np.testing.assert_allclose(np.asarray(got), np.stack(want), err_msg=str(axes))


# ---- windows -----------------------------------------------------------------------------------------------
@given(st.data())
def test_dynamic_slices_agree_with_jax(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))
    sizes = tuple(data.draw(st.integers(0, d)) for d in shape)
    starts = [np.int32(data.draw(st.integers(-8, 8))) for _ in shape]
    x, update = np.arange(np.prod(shape), dtype=np.float32).reshape(shape), -np.ones(sizes, np.float32)
    got = dynamic_slice(x, *starts, sizes=sizes)
    np.testing.assert_array_equal(np.asarray(got), jax.lax.dynamic_slice(x, starts, sizes))
    got = dynamic_update_slice(x, update, *starts)
    np.testing.assert_array_equal(np.asarray(got), jax.lax.dynamic_update_slice(x, update, starts))
    np.testing.assert_array_equal(on_device(dynamic_update_slice, (x, update, *starts), {}), np.asarray(got))


# ---- what is refused ---------------------------------------------------------------------------------------
def test_a_broken_promise_is_an_error_on_numpy():
    with pytest.raises(OutOfBoundsError, match="5 is out of bounds for an axis of size 3"):
        gather(np.ones(3), np.array([0, 5]), axes=(0,), mode="promise_in_bounds")
    with pytest.raises(OutOfBoundsError):
        scatter(np.ones(3), np.ones(2), np.array([0, -4]), axes=(0,), mode="promise_in_bounds")
    with pytest.raises(OutOfBoundsError, match="empty"):
        gather(np.ones((2, 0)), np.array([1]), np.array([0]), axes=(0, 1), mode="promise_in_bounds")


def test_bad_operands_are_named():
    i = np.array([0])
    with pytest.raises(ArgumentError, match="'nearest' is not a mode"):
        gather(np.ones(3), i, axes=(0,), mode="nearest")
    with pytest.raises(DTypeError, match="integer"):
        gather(np.ones(3), np.array([1.0]), axes=(0,))
    with pytest.raises(ShapeError, match="axes"):
        gather(np.ones(3), i, axes=(1,))
    with pytest.raises(ShapeError, match="empty axis"):
        gather(np.ones(0), i, axes=(0,), mode="clip")
    with pytest.raises(ShapeError, match=r"\(2, 4\)"):
        scatter(np.ones((3, 4)), np.ones((2, 3)), np.array([0, 1]), axes=(0,))
    with pytest.raises(DTypeError, match="updates"):
        scatter(np.ones(3), np.ones(1, np.float32), i, axes=(0,))
    with pytest.raises(ArgumentError, match="no operation"):
        scatter(np.ones(3), np.ones(1), i, axes=(0,), op="xor")
    with pytest.raises(DTypeError, match="max"):
        scatter(np.ones(3, complex), np.ones(1, complex), i, axes=(0,), op="max")
    with pytest.raises(ShapeError, match="window"):
        dynamic_slice(np.ones(3), np.int32(0), sizes=(4,))
    with pytest.raises(ShapeError, match="start"):
        dynamic_slice(np.ones(3), i, sizes=(2,))
    with pytest.raises(DTypeError, match="update"):
        dynamic_update_slice(np.ones(3), np.ones(1, np.float32), np.int32(0))
