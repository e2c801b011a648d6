"""Window reductions against jax.lax and NumPy: values, derivatives, ties, batching, patches."""

import itertools

import jax
import ml_dtypes
import numpy as np
import pytest

import fx
from fx.backends import strict
from fx.core import errors
from fx.primitives import sliding
from fx.primitives.elementwise import sin
from fx.primitives.reductions import reduce_sum
from fx.primitives.windows import (
    patches,
    window_find,
    window_gather,
    window_max,
    window_max_p,
    window_min,
    window_min_p,
    window_params,
    window_scatter,
    window_sum,
    window_sum_p,
)

REDUCTIONS = {
    "sum": (window_sum, 0.0, jax.lax.add),
    "max": (window_max, -np.inf, jax.lax.max),
    "min": (window_min, np.inf, jax.lax.min),
}
# x, window, strides, padding, base dilation, window dilation
CASES = {
    "2-d pool": ((2, 3, 6, 6), (1, 1, 2, 2), (1, 1, 2, 2), "VALID", (1,) * 4, (1,) * 4),
    "overlap": ((2, 7, 8), (1, 3, 2), (1, 2, 1), "SAME", (1,) * 3, (1,) * 3),
    "same lower": ((5, 6), (2, 4), (2, 1), "SAME_LOWER", (1, 1), (1, 1)),
    "stride above window": ((11,), (2,), (5,), ((1, 0),), (1,), (1,)),
    "window on every axis": ((3, 4, 5), (2, 3, 2), (1, 1, 2), ((1, 0), (1, 1), (0, 1)), (1,) * 3, (1,) * 3),
    "global": ((2, 5, 6), (1, 5, 6), (1, 1, 1), "VALID", (1,) * 3, (1,) * 3),
    "more taps than windows": ((2, 9), (1, 7), (1, 1), "VALID", (1, 1), (1, 1)),
}
# What jax.lax refuses to differentiate, or XLA to compile; the oracles of the samples cover it
ODD = {
    "dilated windows": ((9, 8), (3, 2), (1, 2), ((2, 1), (0, 3)), (1, 1), (2, 3)),
    "dilated": ((5, 4), (3, 2), (2, 1), ((3, 0), (0, 2)), (2, 3), (1, 2)),
    "cut": ((8, 7), (2, 3), (1, 2), ((-2, 1), (-1, -2)), (1, 1), (1, 1)),
    "scalar": ((), (), (), (), (), ()),
    "padding alone": ((3,), (2,), (1,), ((3, 4),), (1,), (1,)),
}
PRIMITIVES = [
    window_sum_p, window_max_p, window_min_p, window_find, window_gather, window_scatter,
]  # fmt: skip


def case(name, seed=0):
    shape, window, strides, padding, base, dilation = {**CASES, **ODD}[name]
    x = np.random.default_rng(seed).normal(size=shape)
    return x, (window, strides, padding), {"base_dilation": base, "window_dilation": dilation}


def total(y):
    return reduce_sum(sin(y), axes=tuple(range(y.ndim)))


def equal(got, want, rtol=1e-10):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("prim", PRIMITIVES, ids=lambda p: p.name)
def test_samples_equal_their_oracle(prim):
    for s in prim.samples(np.random.default_rng(0)):
        got, want = prim(*s.operands, **s.params), s.oracle(*s.operands, **s.params)
        assert got.dtype == np.asarray(want).dtype
        equal(got, want)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", REDUCTIONS)
def test_values_and_two_derivatives_equal_those_of_jax(kind, name):
    x, args, dilations = case(name)
    dx = case(name, seed=1)[0]
    ours, init, combine = REDUCTIONS[kind]
    f = lambda x: ours(x, *args, **dilations)

    def of_jax(x):
        return jax.lax.reduce_window(x, init, combine, *args, *dilations.values())

    def everything(x, dx):
        gradient = jax.grad(lambda x: jax.numpy.sin(of_jax(x)).sum())
        return of_jax(x), jax.jvp(of_jax, (x,), (dx,))[1], gradient(x), jax.jvp(gradient, (x,), (dx,))[1]

    with jax.enable_x64(True):
        want = jax.jit(everything)(x, dx)
    gradient = fx.grad(lambda x: total(f(x)))
    got = f(x), fx.jvp(f, (x,), (dx,))[1], gradient(x), fx.jvp(gradient, (x,), (dx,))[1]
    for a, b in zip(got, want, strict=True):
        equal(a, b)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", REDUCTIONS)
def test_ties_have_the_gradient_that_jax_gives_them(kind, name):
    """Gradients only: of ties under padding, JAX's tangents are not the transpose of its gradients."""
    x, args, dilations = case(name)
    x = np.round(x)
    ours, init, combine = REDUCTIONS[kind]
    with jax.enable_x64(True):
        reduce = lambda x: jax.lax.reduce_window(x, init, combine, *args, *dilations.values())
        want = jax.grad(lambda x: jax.numpy.sin(reduce(x)).sum())(x)
    equal(fx.grad(lambda x: total(ours(x, *args, **dilations)))(x), want)


@pytest.mark.parametrize("name", {**CASES, **ODD})
@pytest.mark.parametrize("kind", REDUCTIONS)
def test_the_cotangent_map_is_the_transpose_of_the_tangent_map(kind, name):
    x, args, dilations = case(name)
    dx = case(name, seed=1)[0]
    f = lambda x: REDUCTIONS[kind][0](x, *args, **dilations)
    out, pull = fx.vjp(f, x)
    ct = np.random.default_rng(2).normal(size=out.shape)
    dy = np.asarray(fx.jvp(f, (x,), (dx,))[1])
    equal(np.sum(ct * dy), np.sum(np.asarray(pull(ct)[0]) * dx))


@pytest.mark.parametrize("name", ["overlap", "dilated", "cut", "scalar", "global"])
@pytest.mark.parametrize("kind", REDUCTIONS)
def test_vmap_equals_a_loop(kind, name):
    x, args, dilations = case(name)
    f = lambda x: REDUCTIONS[kind][0](x, *args, **dilations)
    gradient = fx.grad(lambda x: total(f(x * x)))
    for axis in range(x.ndim + 1):
        xs = np.stack([x, 2 * x - 1, -x], axis)
        for g in (f, gradient):
            equal(
                fx.vmap(g, in_axes=axis)(xs), np.stack([np.asarray(g(v)) for v in np.moveaxis(xs, axis, 0)])
            )
        none = np.zeros((*x.shape[:axis], 0, *x.shape[axis:]))
        assert fx.vmap(f, in_axes=axis)(none).shape == (0, *f(x).shape)


@pytest.mark.parametrize("dims", [(0, None), (None, 0), (1, 0), (0, 2)])
@pytest.mark.parametrize("back", [False, True])
def test_vmap_of_the_selected_elements(dims, back):
    x, args, dilations = case("overlap")
    params = window_params("test", x.shape, *args, **dilations)
    chosen = np.asarray(window_find(x, window_max_p(x, **params), **params))
    one = np.cos(chosen) if back else x
    f = (
        (lambda v, k: window_scatter(v, k, shape=x.shape, **params))
        if back
        else (lambda v, k: window_gather(v, k, **params))
    )
    operands = [
        v if d is None else np.stack(list(vs), d)
        for v, vs, d in zip((one, chosen), ((one, 3 * one), (chosen, chosen - 1)), dims)
    ]
    at = lambda i: [v if d is None else np.take(v, i, d) for v, d in zip(operands, dims)]
    equal(fx.vmap(f, in_axes=dims)(*operands), np.stack([np.asarray(f(*at(i))) for i in range(2)]))


# Which element is selected


def test_the_first_of_equal_elements_gets_the_derivative():
    x = np.zeros((4, 4))
    gradient = fx.grad(lambda x: reduce_sum(window_max(x, (2, 2), (2, 2)), axes=(0, 1)))(x)
    equal(gradient, np.kron(np.ones((2, 2)), [[1, 0], [0, 0]]))


@pytest.mark.parametrize("reduce", [window_max_p, window_min_p])
def test_the_first_nan_is_selected_and_kept(reduce):
    nan = np.nan
    x = np.array([1.0, nan, 5.0, nan, 2.0, 3.0])
    params = window_params("test", x.shape, (3,))
    out = reduce(x, **params)
    np.testing.assert_array_equal(np.asarray(out), [nan] * 4)
    np.testing.assert_array_equal(np.asarray(window_find(x, out, **params)), [1, 0, 1, 0])


@pytest.mark.parametrize("reduce, worst", [(window_max_p, -np.inf), (window_min_p, np.inf)])
def test_padding_is_never_selected(reduce, worst):
    x = np.full((2, 2), worst)
    params = window_params("test", x.shape, (2, 2), padding=((1, 1), (1, 1)))
    found = window_find(x, reduce(x, **params), **params)
    np.testing.assert_array_equal(np.asarray(found), [[3, 2, 2], [1, 0, 0], [1, 0, 0]])
    far = window_params("test", (1,), (1,), padding=((2, 1),))
    found = window_find(np.ones(1), reduce(np.ones(1), **far), **far)
    np.testing.assert_array_equal(np.asarray(found), [-1, -1, 0, -1])


def test_windows_of_padding_alone_have_no_derivative():
    out, dy = fx.jvp(lambda x: window_max(x, (1,), padding=((1, 1),)), (np.ones(1),), (np.ones(1),))
    np.testing.assert_array_equal(np.asarray(out), [-np.inf, 1, -np.inf])
    np.testing.assert_array_equal(np.asarray(dy), [0, 1, 0])


# Dtypes and buffers


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint32, np.float16, ml_dtypes.bfloat16])
def test_identities_of_max_and_min(dtype):
    x = np.array([1, 0, 1]).astype(dtype)
    wide = ((2, 0),)
    info = None if x.dtype.kind in "bfV" else np.iinfo(dtype)
    low, high = {"b": (False, True), "f": (-np.inf, np.inf), "V": (-np.inf, np.inf)}.get(
        x.dtype.kind, info and (info.min, info.max)
    )
    for f, first, rest in ((window_max, low, [1, 1, 1]), (window_min, high, [1, 0, 0])):
        got = f(x, (2,), padding=wide)
        assert got.dtype == dtype
        np.testing.assert_array_equal(np.asarray(got), np.array([first, *rest]).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_low_precision_sums_are_rounded_once(dtype):
    x = np.ones((5000,), dtype)
    got = window_sum(x, (4000,))
    assert got.dtype == dtype
    np.testing.assert_array_equal(np.asarray(got), np.full(1001, 4000).astype(dtype))
    np.testing.assert_array_equal(
        np.asarray(fx.grad(lambda x: reduce_sum(window_sum(x, (64,), (1,)), axes=(0,)))(x[:400]))[63:330],
        np.full(267, 64).astype(dtype),
    )


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.complex64, np.complex128])
def test_sums_of_integers_and_complex_numbers(dtype):
    x = np.arange(12).reshape(3, 4).astype(dtype) * (1 + 2j if np.dtype(dtype).kind == "c" else 1)
    got = window_sum(x.astype(dtype), (2, 2), (1, 2))
    assert got.dtype == dtype
    equal(got, x[:-1, ::2] + x[1:, ::2] + x[:-1, 1::2] + x[1:, 1::2])


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.int32])
@pytest.mark.parametrize("prim", PRIMITIVES, ids=lambda p: p.name)
def test_impl_keeps_to_what_cupy_has(prim, dtype):
    for s in prim.samples(np.random.default_rng(0)):
        x, *chosen = s.operands
        x = np.asarray(5 * x).astype(dtype)
        got = prim.impl(strict.xp, strict.asarray(x), *map(strict.asarray, chosen), **s.params)
        np.testing.assert_array_equal(strict.asnumpy(got), prim.impl(np, x, *chosen, **s.params))


def test_results_do_not_share_memory_with_the_operand():
    x = np.ones((2, 3))
    for f in (window_sum, window_max):
        out = f(x, (1, 1))
        x += 1
        assert np.all(np.asarray(out) == x - 1)


# Geometry


def test_readings_are_found_each_once():
    for n, count, window, stride, low, base, dilation in itertools.product(
        (0, 1, 5), (1, 4), (1, 3, 5), (1, 2, 6), (-2, 0, 4), (1, 2, 4), (1, 3)
    ):
        want = {
            (q, at // base, k)
            for q, k in itertools.product(range(count), range(window))
            for at in [q * stride + k * dilation - low]
            if at % base == 0 and 0 <= at // base < n
        }
        got = []
        for parts in sliding.meetings(n, count, window, stride, low, base, dilation):
            q, i, k = (range(size)[p] for size, p in zip((count, n, window), parts))
            size = len(i)
            got += zip(q if len(q) == size else [*q] * size, i, k if len(k) == size else [*k] * size)
        assert len(got) == len(set(got))
        assert set(got) == want


# Patches


@pytest.mark.parametrize("shape, window", [((6, 7), (3, 2)), ((2, 6, 7), (6, 1)), ((5,), (2,)), ((2, 3), ())])
def test_patches_are_windows(shape, window):
    x = np.random.default_rng(0).normal(size=shape)
    views = (
        np.lib.stride_tricks.sliding_window_view(x, window, tuple(range(-len(window), 0))) if window else x
    )
    lead, rank = x.ndim - len(window), len(window)
    order = [*range(lead), *range(lead + rank, lead + 2 * rank), *range(lead, lead + rank)]
    equal(patches(x, window), views.transpose(order))
    tiled = views[(..., *[slice(None, None, w) for w in window], *[slice(None)] * rank)]
    equal(patches(x, window, window), tiled.transpose(order))


@pytest.mark.parametrize("name", ["dilated", "cut", "dilated windows", "2-d pool", "stride above window"])
def test_patches_sum_to_the_window_sum(name):
    x, (window, strides, padding), dilations = case(name)
    rank = x.ndim
    f = lambda x: reduce_sum(patches(x, window, strides, padding, **dilations), axes=tuple(range(rank)))
    g = lambda x: window_sum(x, window, strides, padding, **dilations)
    equal(f(x), g(x))
    equal(fx.grad(lambda x: total(f(x)))(x), fx.grad(lambda x: total(g(x)))(x))
    xs = np.stack([x, x + 1], 1)
    equal(fx.vmap(f, in_axes=1)(xs), fx.vmap(g, in_axes=1)(xs))


def test_no_patches_where_no_window_fits():
    assert patches(np.ones((2, 3)), (5,)).shape == (2, 5, 0)


# Errors


@pytest.mark.parametrize(
    "error, facts, args",
    [
        (errors.ArgumentError, ["window_sum: window", "2 positive", "(2,)"], ((2,),)),
        (errors.ArgumentError, ["window", "(0, 2)"], ((0, 2),)),
        (errors.ArgumentError, ["window", "3"], (3,)),
        (errors.ArgumentError, ["strides", "(1, -1)"], ((2, 2), (1, -1))),
        (errors.ArgumentError, ["'valid?'", "'SAME_LOWER'"], ((2, 2), None, "valid?")),
        (errors.ArgumentError, ["padding", "1", "(low, high)"], ((2, 2), None, (1, 1))),
        (errors.ArgumentError, ["padding", "2 pairs"], ((2, 2), None, ((1, 1),))),
        (
            errors.ShapeError,
            ["(-3, -2)", "4 elements", "axis 1", "(3, 4)"],
            ((2, 2), None, ((0, 0), (-3, -2))),
        ),
    ],
)
def test_errors_say_what_failed(error, facts, args):
    with pytest.raises(error) as caught:
        window_sum(np.ones((3, 4)), *args)
    for fact in facts:
        assert fact.lower() in str(caught.value).lower()


def test_dtypes_and_taps_are_checked():
    params = window_params("test", (4,), (2,))
    with pytest.raises(errors.DTypeError, match="bool"):
        window_sum(np.ones(4, bool), (2,))
    with pytest.raises(errors.DTypeError, match="complex"):
        window_max(np.ones(4, complex), (2,))
    with pytest.raises(errors.ShapeError, match=r"taps.*\(3,\).*i64\[4\]"):
        window_gather(np.ones(4), np.zeros(4, int), **params)
    with pytest.raises(errors.DTypeError, match=r"integers.*f64\[3\]"):
        window_gather(np.ones(4), np.zeros(3), **params)
    with pytest.raises(errors.ShapeError, match=r"values.*\(3,\).*f64\[2\]"):
        window_find(np.ones(4), np.ones(2), **params)
    with pytest.raises(errors.ShapeError, match=r"cotangents.*\(3,\).*f64\[2\]"):
        window_scatter(np.ones(2), np.zeros(3, int), shape=(4,), **params)
    with pytest.raises(errors.ShapeError, match=r"\(3,\).*\(1, 2\)"):
        patches(np.ones(3), (1, 2))
