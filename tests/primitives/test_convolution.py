"""Convolution against jax.lax: values, first and second derivatives, layouts; batching against a loop."""

import contextlib
import itertools
import tracemalloc

import jax
import ml_dtypes
import numpy as np
import pytest

import fx
from fx.backends import strict
from fx.core import errors
from fx.primitives import im2col
from fx.primitives.convolution import ConvDimensionNumbers, conv, conv_general, conv_patches
from fx.primitives.elementwise import sin
from fx.primitives.reductions import reduce_sum

# x, w, strides, padding, lhs_dilation, rhs_dilation, feature groups, batch groups
CASES = {
    "plain": ((2, 3, 6, 5), (4, 3, 3, 2), (1, 1), "VALID", (1, 1), (1, 1), 1, 1),
    "same": ((2, 3, 6, 5), (4, 3, 3, 2), (2, 1), "SAME", (1, 1), (1, 1), 1, 1),
    "same lower": ((2, 3, 6, 5), (4, 3, 3, 2), (2, 2), "SAME_LOWER", (1, 1), (2, 1), 1, 1),
    "all": ((2, 3, 6, 5), (2, 3, 3, 2), (2, 3), ((1, -2), (3, 0)), (3, 2), (2, 3), 1, 1),
    "no space": ((2, 3), (4, 3), (), (), (), (), 1, 1),
    "1-d": ((2, 2, 9), (3, 2, 4), (2,), ((2, 1),), (1,), (2,), 1, 1),
    "transposed": ((2, 3, 4, 4), (5, 3, 4, 4), (1, 1), ((2, 2), (2, 2)), (2, 2), (1, 1), 1, 1),
    "even dilations": ((1, 2, 7), (2, 2, 3), (4,), ((5, 4),), (6,), (4,), 1, 1),
    "3-d": ((1, 2, 4, 3, 5), (3, 2, 2, 3, 2), (1, 2, 2), ((0, 1), (1, 1), (0, 0)), (1,) * 3, (1, 1, 2), 1, 1),
    "1x1": ((2, 4, 5, 5), (3, 4, 1, 1), (1, 1), "VALID", (1, 1), (1, 1), 1, 1),
    "1x1 strided": ((2, 4, 5, 5), (3, 4, 1, 1), (2, 3), "VALID", (1, 1), (1, 1), 1, 1),
    "stride above window": ((2, 2, 11), (3, 2, 2), (5,), "VALID", (1,), (1,), 1, 1),
    "cut": ((2, 2, 7, 7), (3, 2, 2, 2), (1, 1), ((-2, -1), (-3, 1)), (1, 1), (1, 1), 1, 1),
    "cut all on one side": ((2, 2, 3), (3, 2, 2), (1,), ((-5, 9),), (1,), (1,), 1, 1),
    "feature groups": ((2, 6, 5, 4), (4, 3, 2, 2), (1, 2), ((1, 0), (0, 1)), (1, 1), (1, 1), 2, 1),
    "depthwise": ((2, 3, 6, 6), (6, 1, 3, 3), (1, 1), "SAME", (1, 1), (1, 1), 3, 1),
    "batch groups": ((6, 2, 5, 4), (6, 2, 2, 2), (1, 2), ((1, 0), (0, 1)), (2, 1), (1, 1), 1, 3),
    "global window": ((3, 4, 5, 6), (2, 4, 5, 6), (1, 1), "VALID", (1, 1), (1, 1), 1, 1),
}
NAMES = ("strides", "padding", "lhs_dilation", "rhs_dilation", "feature_group_count", "batch_group_count")
BATCHED = ["plain", "all", "no space", "3-d", "feature groups", "depthwise", "batch groups"]


def case(name, seed=0):
    x, w, *rest = CASES[name]
    rng = np.random.default_rng(seed)
    return rng.normal(size=x), rng.normal(size=w), dict(zip(NAMES, rest))


def of_jax(x, w, *, strides, **params):
    return jax.lax.conv_general_dilated(x, w, strides, **params)


@contextlib.contextmanager
def float64_jax():
    with jax.enable_x64(True):
        yield


def total(y):
    return reduce_sum(sin(y), axes=tuple(range(y.ndim)))


def derivatives(grad, jvp, loss, x, w, dx, dw):
    """Gradients by both operands, and the derivative of these along (dx, dw)."""
    gradient = grad(loss, argnums=(0, 1))
    return [*gradient(x, w), *jvp(gradient, (x, w), (dx, dw))[1]]


def equal(got, want, rtol=1e-10):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * max(1, np.abs(want).max(initial=0)))


@pytest.mark.parametrize("name", CASES)
def test_values_and_two_derivatives_equal_those_of_jax(name):
    x, w, params = case(name)
    dx, dw, _ = case(name, seed=1)
    with float64_jax():
        loss = lambda x, w: jax.numpy.sin(of_jax(x, w, **params)).sum()
        everything = lambda *xs: [of_jax(*xs[:2], **params), *derivatives(jax.grad, jax.jvp, loss, *xs)]
        want = jax.jit(everything)(x, w, dx, dw)
    f = lambda x, w: conv_general(x, w, **params)
    got = [f(x, w), *derivatives(fx.grad, fx.jvp, lambda x, w: total(f(x, w)), x, w, dx, dw)]
    for a, b in zip(got, want, strict=True):
        equal(a, b)


def test_third_derivative_of_a_cubic_form():
    """Three convolutions by w are a form of degree 3 in w: its third derivative along d is 6 times its value at d."""
    rng = np.random.default_rng(0)
    x, w, d = rng.normal(size=(2, 3, 5, 5)), rng.normal(size=(3, 3, 2, 2)), rng.normal(size=(3, 3, 2, 2))

    def form(w):
        once = conv_general(x, w, (2, 1), ((2, 1), (0, 1)), (2, 1), (1, 2))
        return reduce_sum(conv_general(conv_general(once, w), w), axes=(0, 1, 2, 3))

    along = lambda f: lambda w: fx.jvp(f, (w,), (d,))[1]
    equal(along(along(along(form)))(w), 6 * np.asarray(form(d)))


@pytest.mark.parametrize("dims", [(0, None), (None, 0), (0, 0), (1, 2), (2, 1), (None, 2)])
@pytest.mark.parametrize("name", BATCHED)
def test_vmap_equals_a_loop(name, dims):
    x, w, params = case(name)
    f = lambda x, w: conv_general(x, w, **params)
    gradient = fx.grad(lambda x, w: total(f(x, w)), argnums=(0, 1))
    stacked = [v if d is None else np.stack([v, 2 * v - 1, v * v], d) for v, d in zip((x, w), dims)]
    at = lambda i: [v if d is None else np.take(v, i, d) for v, d in zip(stacked, dims)]
    equal(fx.vmap(f, in_axes=dims)(*stacked), np.stack([np.asarray(f(*at(i))) for i in range(3)]))
    got = fx.vmap(gradient, in_axes=dims)(*stacked)
    for j in (0, 1):
        equal(got[j], np.stack([np.asarray(gradient(*at(i))[j]) for i in range(3)]))


@pytest.mark.parametrize("dims", [(0, None), (None, 0), (0, 0)])
@pytest.mark.parametrize("name", ["plain", "feature groups", "batch groups"])
def test_vmap_over_an_axis_of_size_zero(name, dims):
    x, w, params = case(name)
    f = lambda x, w: conv_general(x, w, **params)
    shape = f(x, w).shape
    empty = [v if d is None else np.zeros((0, *v.shape)) for v, d in zip((x, w), dims)]
    assert fx.vmap(f, in_axes=dims)(*empty).shape == (0, *shape)


@pytest.mark.parametrize("x, w", [((0, 2, 5), (3, 2, 2)), ((2, 0, 5), (3, 0, 2)), ((2, 2, 5), (0, 2, 2))])
def test_empty_operands(x, w):
    x, w = np.ones(x), np.ones(w)
    equal(conv_general(x, w), np.zeros((x.shape[0], w.shape[0], 4)))
    gx, gw = fx.grad(lambda x, w: total(conv_general(x, w)), argnums=(0, 1))(x, w)
    equal(gx, np.zeros(x.shape))
    equal(gw, np.zeros(w.shape))


def test_a_window_larger_than_the_input_gives_no_result_and_a_zero_gradient():
    x, w = np.ones((2, 3, 2)), np.ones((4, 3, 3))
    assert conv_general(x, w).shape == (2, 4, 0)
    for g, v in zip(fx.grad(lambda x, w: total(conv_general(x, w)), argnums=(0, 1))(x, w), (x, w)):
        equal(g, np.zeros(v.shape))


def test_an_input_of_padding_alone():
    w = np.ones((4, 3, 3))
    equal(conv_general(np.ones((2, 3, 0)), w, padding=((2, 2),)), np.zeros((2, 4, 2)))


# Layouts

LAYOUTS = [
    ("NHWC", "HWIO", "NHWC"),
    ("HWNC", "OIWH", "WCHN"),
    ("NCHW", "OIHW", "NHWC"),
    ("NWCH", "IHOW", "CNHW"),
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=" ".join)
def test_layouts_equal_those_of_jax(layout):
    x, w, _ = case("plain")
    x = x.transpose([" NCHW".index(c) - 1 for c in layout[0]])
    w = w.transpose([" OIHW".index(c) - 1 for c in layout[1]])
    params = {"padding": ((1, 0), (2, 1)), "strides": (2, 1), "dimension_numbers": layout}
    with float64_jax():
        want = of_jax(x, w, **params)
        numbers = jax.lax.conv_dimension_numbers(x.shape, w.shape, layout)
    equal(conv_general(x, w, **params), want)
    by_position = ConvDimensionNumbers(numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec)
    equal(conv_general(x, w, **{**params, "dimension_numbers": by_position}), want)


@pytest.mark.parametrize("layout", [None, ("NHWC", "WHIO", "CNHW")])
@pytest.mark.parametrize(
    "window, strides, padding, spread, dilation",
    [
        ((2, 3), (1, 2), "SAME", None, (2, 1)),
        ((2, 2), (2, 2), "VALID", None, None),
        ((3, 2), (3, 2), ((1, 0), (-1, 2)), None, None),
        ((3, 2), (2, 2), ((2, 1), (0, 3)), (2, 3), (1, 2)),
        ((9, 2), (1, 1), "VALID", None, None),
    ],
)
def test_patches_equal_those_of_jax(layout, window, strides, padding, spread, dilation):
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3))
    args = (window, strides, padding, spread, dilation, layout)
    with float64_jax():
        want, pull = jax.vjp(lambda x: jax.lax.conv_general_dilated_patches(x, *args), x)
        want_back = pull(jax.numpy.cos(want))[0]
    equal(conv_patches(x, *args), want)
    got, pull = fx.vjp(lambda x: conv_patches(x, *args), x)
    equal(pull(np.cos(np.asarray(got)))[0], want_back)


# Dtypes


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_low_precision_is_rounded_once(dtype):
    """300 ones and their like add up exactly in float32, and not in the narrow dtype."""
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-2, 3, s).astype(dtype) for s in ((2, 100, 5), (3, 100, 3)))
    got = conv_general(x, w)
    want = conv_general(x.astype(np.float64), w.astype(np.float64))
    assert got.dtype == dtype
    np.testing.assert_array_equal(np.asarray(got), np.asarray(want).astype(dtype))


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64])
def test_integers(dtype):
    rng = np.random.default_rng(0)
    x, w = (rng.integers(0, 9, s).astype(dtype) for s in ((2, 2, 5, 4), (3, 2, 2, 2)))
    got = conv_general(x, w, padding="SAME")
    want = conv_general(x.astype(float), w.astype(float), padding="SAME")
    assert got.dtype == dtype
    np.testing.assert_array_equal(np.asarray(got), np.asarray(want).astype(np.int64).astype(dtype))


def test_complex_values_and_transposes_without_conjugation():
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape) + 1j * rng.normal(size=shape)
    x, w, ct = draw(2, 3, 6), draw(4, 3, 3), draw(2, 4, 4)
    parts = lambda f: f(x.real, w.real) - f(x.imag, w.imag) + 1j * (f(x.real, w.imag) + f(x.imag, w.real))
    equal(conv_general(x, w), parts(lambda a, b: np.asarray(conv_general(a, b))))
    out, pull = fx.vjp(conv_general, x, w)
    gx, gw = map(np.asarray, pull(ct))
    dx, dw = draw(2, 3, 6), draw(4, 3, 3)
    tangent = np.asarray(fx.jvp(conv_general, (x, w), (dx, dw))[1])
    equal(np.sum(ct * tangent), np.sum(gx * dx) + np.sum(gw * dw))


# Buffers: CuPy's surface, layouts in memory, memory


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.int32])
def test_impl_keeps_to_what_cupy_has(dtype):
    for x, w, params in [(*s.operands, s.params) for s in conv.samples(np.random.default_rng(0))]:
        x, w = (3 * x).astype(dtype), (3 * w).astype(dtype)
        got = conv.impl(strict.xp, strict.asarray(x), strict.asarray(w), **params)
        want = conv.impl(np, x, w, **params)
        np.testing.assert_array_equal(strict.asnumpy(got), np.asarray(want))


@pytest.mark.parametrize("name", CASES)
def test_piecewise_and_strided_memory_give_the_same(name, monkeypatch):
    x, w, params = case(name)
    want = conv_general(x, w, **params)
    odd = lambda v: np.repeat(v[::-1], 2, axis=-1)[::-1, ..., ::2]
    equal(conv_general(odd(x), np.asfortranarray(w), **params), want)
    monkeypatch.setitem(im2col._LIMIT, "host", 200)
    equal(conv_general(x, w, **params), want)


@pytest.mark.parametrize("shapes", [((32, 8, 64, 64), (8, 8, 5, 5)), ((1, 8, 64, 64, 40), (4, 8, 3, 3, 3))])
def test_the_matrix_of_windows_is_never_whole(shapes):
    x, w = (np.ones(s, np.float32) for s in shapes)
    whole = x.nbytes * w[0, 0].size
    tracemalloc.start()
    out = conv_general(x, w, padding="SAME")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert whole > 100e6
    assert peak < 2 * out.nbytes + 2 * x.nbytes + 2 * im2col._LIMIT["host"]


# Errors


@pytest.mark.parametrize(
    "error, facts, x, w, params",
    [
        (errors.ShapeError, ["(2, 3, 4)", "(2, 3)"], (2, 3, 4), (2, 3), {}),
        (errors.ShapeError, ["4 features", "reads 3"], (2, 4, 5), (2, 3, 2), {}),
        (errors.ShapeError, ["2 feature", "f64[2,4,5]"], (2, 4, 5), (3, 2, 2), {"feature_group_count": 2}),
        (errors.ShapeError, ["2 batch", "f64[3,4,5]"], (3, 4, 5), (2, 4, 2), {"batch_group_count": 2}),
        (errors.ShapeError, ["(-4, -2)", "axis 0", "(5,)"], (2, 4, 5), (2, 4, 2), {"padding": ((-4, -2),)}),
        (errors.ArgumentError, ["one of them must be 1", "2"], (4, 4, 5), (4, 2, 2),
         {"feature_group_count": 2, "batch_group_count": 2}),
        (errors.ArgumentError, ["groups (0)"], (4, 4, 5), (4, 2, 2), {"feature_group_count": 0}),
        (errors.ArgumentError, ["strides", "(1, 1)", "1 positive"], (2, 4, 5), (2, 4, 2), {"strides": (1, 1)}),
        (errors.ArgumentError, ["lhs_dilation", "(0,)"], (2, 4, 5), (2, 4, 2), {"lhs_dilation": (0,)}),
        (errors.ArgumentError, ["strides", "1.5"], (2, 4, 5), (2, 4, 2), {"strides": (1.5,)}),
        (errors.ArgumentError, ["'FULL'", "'SAME'"], (2, 4, 5), (2, 4, 2), {"padding": "full"}),
        (errors.ArgumentError, ["padding", "3", "(low, high)"], (2, 4, 5), (2, 4, 2), {"padding": 3}),
        (errors.ArgumentError, ["padding", "1 pairs", "((0, 0), (0, 0))"], (2, 4, 5), (2, 4, 2),
         {"padding": ((0, 0), (0, 0))}),
        (errors.ArgumentError, ["'SAME'", "lhs_dilation (2,)"], (2, 4, 5), (2, 4, 2),
         {"padding": "SAME", "lhs_dilation": (2,)}),
        (errors.ArgumentError, ["window", "(0,)"], (2, 4, 5), (2, 4, 0), {}),
        (errors.ArgumentError, ["('NHC', 'HIO', 'NWC')"], (2, 5, 4), (2, 4, 2),
         {"dimension_numbers": ("NHC", "HIO", "NWC")}),
        (errors.ArgumentError, ["NHWC", "3 axes"], (2, 5, 4), (2, 4, 2),
         {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}),
        (errors.ArgumentError, ["dimension_numbers 5"], (2, 5, 4), (2, 4, 2), {"dimension_numbers": 5}),
    ],
)  # fmt: skip
def test_errors_say_what_failed(error, facts, x, w, params):
    with pytest.raises(error) as caught:
        conv_general(np.ones(x), np.ones(w), **params)
    for fact in facts:
        assert fact in str(caught.value)


def test_dtypes_must_agree():
    with pytest.raises(errors.DTypeError, match="f32, f64"):
        conv_general(np.ones((1, 1, 3), np.float32), np.ones((1, 1, 2)))
    with pytest.raises(errors.DTypeError, match="bool"):
        conv_general(np.ones((1, 1, 3), bool), np.ones((1, 1, 2), bool))


def test_cost_counts_multiplications_and_additions():
    x, w = fx.ShapeDtype((2, 3, 8), "float32").aval, fx.ShapeDtype((4, 3, 3), "float32").aval
    params = dict(zip(("strides", "padding", "lhs_dilation", "rhs_dilation"), ((1,), ((0, 0),), (1,), (1,))))
    assert conv.cost(x, w, **params, feature_groups=1, batch_groups=1) == 2 * (2 * 4 * 6) * 9


def test_samples_equal_their_oracle():
    for s in conv.samples(np.random.default_rng(0)):
        equal(conv(*s.operands, **s.params), s.oracle(*s.operands, **s.params))


def test_phases_cover_every_product_once():
    """All (result, tap) pairs that meet an element, for many geometries, each in one phase."""
    for count, window, stride, low, base, dilation in itertools.product(
        (1, 5), (1, 4), (1, 2, 6), (-3, 0, 5), (1, 2, 4), (1, 2, 3)
    ):
        want = {
            (q, k, at // base)
            for q, k in itertools.product(range(count), range(window))
            for at in [q * stride + k * dilation - low]
            if at % base == 0
        }
        got = []
        for p in im2col._phases(count, window, stride, low, base, dilation):
            results, taps = range(count)[p.out], range(window)[p.taps]
            assert (len(results), len(taps)) == (p.count, p.window)
            for (i, q), (j, k) in itertools.product(enumerate(results), enumerate(taps)):
                got.append((q, k, p.origin + i * p.stride + j * p.dilation))
        assert len(got) == len(set(got))
        assert set(got) == want
