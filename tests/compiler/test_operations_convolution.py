"""Native convolution against the primitive's NumPy code, PyTorch, JAX, and memory that must not be touched."""

import ctypes

import numpy as np
import pytest
from guard_pages import guarded
from operation_harness import Compiled, bfloat16, same

from fx.backends.cpu import threads
from fx.backends.cpu.linking import load
from fx.backends.cpu.llvm import Module, i64
from fx.backends.cpu.operations.convolution import OPERATIONS
from fx.backends.cpu.operations.operation import Buffer, row_major
from fx.core.avals import Aval
from fx.primitives.convolution import conv
from fx.primitives.sliding import padding_for, transposed_padding

CONV = OPERATIONS["conv"]
NAMES = ("strides", "padding", "lhs_dilation", "rhs_dilation", "feature_groups", "batch_groups")


def _params(*values):
    return dict(zip(NAMES, values))


def _run(x, w, params):
    return Compiled(CONV, conv, [Aval(v.shape, v.dtype) for v in (x, w)], params)(x, w)[0]


def _check(y, x, w, params, factor=4.0):
    """Within a few roundings of the sum of the absolute products, in the precision that sums are made in."""
    wide = np.complex128 if x.dtype.kind == "c" else np.float64
    want = conv.impl(np, x.astype(wide), w.astype(wide), **params)
    size = conv.impl(np, np.abs(x.astype(wide)).real, np.abs(w.astype(wide)).real, **params)
    assert y.shape == want.shape and y.dtype == x.dtype
    depth = max(1, np.prod(w.shape[1:]))
    single = x.dtype.name in ("float32", "complex64", "float16", "bfloat16")
    unit = 2.0 ** (-24 if single else -53)
    bound = factor * unit * np.sqrt(depth) * size
    if x.dtype.name in ("float16", "bfloat16"):
        bound = bound + np.abs(want) * 2.0 ** (-11 if x.dtype.name == "float16" else -8) + 1e-7
    error = np.abs(y.astype(wide) - want)
    assert np.all(error <= bound), (error / np.maximum(bound, 1e-300)).max()


def _numbers(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0 if dtype.kind == "u" else -9, 9, shape).astype(dtype)
    x = rng.normal(size=shape)
    return (x + 1j * rng.normal(size=shape) if dtype.kind == "c" else x).astype(dtype)


DTYPES = [
    "float32",
    "float64",
    "float16",
    bfloat16(),
    "complex64",
    "complex128",
    "int32",
    "int8",
    "uint16",
    "int64",
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_samples(dtype):
    rng = np.random.default_rng(0)
    for sample in conv.samples(rng):
        x, w = (_numbers(rng, np.shape(v), dtype) for v in sample.operands)
        y = _run(x, w, sample.params)
        if x.dtype.kind in "iu":
            same(y, conv.impl(np, x, w, **sample.params))
        else:
            _check(y, x, w, sample.params)


GEOMETRIES = {
    "same": ((2, 5, 9, 33), (7, 5, 3, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 1)),
    "strided": ((3, 4, 19, 37), (9, 4, 3, 5), ((2, 3), ((1, 0), (2, 1)), (1, 1), (1, 1), 1, 1)),
    "dilated": ((2, 3, 23, 20), (6, 3, 3, 3), ((1, 2), ((3, 2), (0, 4)), (1, 1), (3, 2), 1, 1)),
    "spread": ((2, 4, 7, 11), (5, 4, 3, 3), ((1, 1), ((2, 1), (1, 2)), (2, 2), (1, 1), 1, 1)),
    "spread by 3, strided": ((2, 4, 7, 11), (5, 4, 4, 3), ((2, 2), ((2, 1), (5, 2)), (3, 5), (2, 3), 1, 1)),
    "cut off": ((2, 3, 12, 40), (4, 3, 2, 3), ((1, 1), ((-2, -1), (-3, 4)), (1, 1), (1, 1), 1, 1)),
    "1x1": ((3, 18, 7, 9), (20, 18, 1, 1), ((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1)),
    "1x1 strided": ((3, 18, 8, 36), (20, 18, 1, 1), ((2, 2), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1)),
    "groups": ((2, 12, 8, 17), (9, 4, 3, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 3, 1)),
    "depthwise": ((2, 6, 15, 40), (6, 1, 3, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 6, 1)),
    "depthwise strided": ((2, 6, 15, 40), (12, 1, 3, 3), ((2, 2), ((1, 1), (1, 1)), (1, 1), (1, 1), 6, 1)),
    "batch groups": ((6, 4, 8, 17), (9, 4, 3, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 3)),
    "one axis": ((2, 3, 1000), (5, 3, 31), ((1,), ((15, 15),), (1,), (1,), 1, 1)),
    "one axis, one channel": ((2, 1, 5000), (1, 1, 9), ((1,), ((8, 0),), (1,), (2,), 1, 1)),
    "three axes": ((2, 3, 6, 7, 18), (4, 3, 3, 2, 3), ((1, 2, 1), ((1, 1), (0, 1), (1, 1)), (1,) * 3, (1,) * 3, 1, 1)),
    "no axes": ((37, 50), (23, 50), ((), (), (), (), 1, 1)),
    "tiny images": ((9, 5, 4, 4), (6, 5, 3, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 1)),
    "many channels": ((4, 18, 2, 6), (5, 18, 5, 4), ((2, 1), ((-1, 3), (3, 2)), (3, 1), (1, 1), 1, 1)),
    "8 wide": ((3, 5, 8, 8), (6, 5, 3, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 1)),
    "window of all": ((5, 3, 6, 21), (7, 3, 6, 21), ((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1)),
    "large window": ((3, 4, 20, 33), (5, 4, 19, 32), ((1, 1), ((1, 0), (0, 1)), (1, 1), (1, 1), 1, 1)),
    "large window, grouped": ((4, 6, 20, 33), (8, 3, 10, 16), ((1, 1), ((1, 1), (1, 1)), (1, 1), (2, 2), 2, 1)),
    "large window, spread": ((2, 3, 9, 10), (4, 3, 15, 17), ((1, 1), ((0, 1), (1, 0)), (2, 2), (1, 1), 1, 1)),
    "many features": ((2, 5, 7, 7), (70, 5, 3, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 1)),
    "many features, grouped": ((3, 6, 9, 11), (66, 3, 3, 3), ((2, 2), ((1, 1), (1, 0)), (1, 1), (1, 1), 2, 1)),
    "weight gradient": ((4, 3, 9, 21), (37, 3, 8, 20), ((1, 1), ((1, 0), (1, 1)), (1, 1), (1, 1), 1, 1)),
    "weight gradient, strided": ((4, 3, 17, 22), (90, 3, 8, 11), ((1, 1), ((1, 0), (1, 1)), (1, 1), (2, 2), 1, 1)),
    "weight gradient, batch groups": ((6, 3, 9, 9), (80, 3, 9, 9), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 2)),
    "one number": ((1, 1, 1, 1), (1, 1, 1, 1), ((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1)),
    "four axes": ((1, 2, 3, 4, 5, 6), (2, 2, 2, 2, 2, 2), ((1,) * 4, ((1, 0),) * 4, (1,) * 4, (1,) * 4, 1, 1)),
    "a long row": ((1, 2, 3, 9000), (3, 2, 2, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 1)),
    "nothing": ((2, 3, 2, 2), (4, 3, 3, 3), ((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, 1)),
    "padding alone": ((1, 2, 2, 2), (3, 2, 2, 2), ((3, 3), ((4, 5), (5, 4)), (1, 1), (1, 1), 1, 1)),
    "deep": ((1, 700, 5, 21), (3, 700, 3, 3), ((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometries(name):
    rng = np.random.default_rng(1)
    xs, ws, row = GEOMETRIES[name]
    for dtype in ("float32", "float64"):
        x, w = _numbers(rng, xs, dtype), _numbers(rng, ws, dtype)
        _check(_run(x, w, _params(*row)), x, w, _params(*row))


@pytest.mark.parametrize("dtype", ["float16", bfloat16()], ids=str)
@pytest.mark.parametrize("name", ["same", "spread", "many features", "weight gradient", "large window"])
def test_low_precision(name, dtype):
    rng = np.random.default_rng(6)
    xs, ws, row = GEOMETRIES[name]
    x, w = _numbers(rng, xs, dtype), _numbers(rng, ws, dtype)
    _check(_run(x, w, _params(*row)), x, w, _params(*row))


def test_random_geometries():
    """Whole numbers, so that every sum is exact; half of the cases with channels last."""
    rng = np.random.default_rng(7)
    done = 0
    while done < 60:
        rank, groups = rng.integers(1, 4), rng.choice([1, 1, 2])
        draw = lambda low, high: tuple(int(v) for v in rng.integers(low, high, rank))
        n, c, o = (int(v) for v in rng.integers(1, 5, 3))
        size, window = draw(1, 24 // rank + 4), draw(1, 5 if rng.random() < 0.8 else 9)
        pads = tuple(zip(draw(-1, 4), draw(-1, 4)))
        one = (1,) * rank
        params = _params(
            draw(1, 4), pads, draw(1, 4) if rng.random() < 0.4 else one, draw(1, 3), int(groups), 1
        )
        x, w = (
            rng.integers(-5, 6, s).astype("float32")
            for s in ((n, c * groups, *size), (o * groups, c, *window))
        )
        try:
            conv.shape(*[Aval(v.shape, v.dtype) for v in (x, w)], **params)
        except ValueError:
            continue
        if done % 2:
            x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
        np.testing.assert_array_equal(_strided(x, w, params), conv.impl(np, x, w, **params))
        done += 1


# Strided operands: what transposes and reversals of arrays look like


def _strided(x, w, params):
    """The operation on views, and its result."""
    avals = [Aval(v.shape, v.dtype) for v in (x, w)]
    out = conv.shape(*avals, **params)
    module = Module("views")
    f = module.function("fx_entry", "void", ["ptr"], internal=False)
    pointers = [f.load("ptr", f.gep("ptr", f.args[0], i64(i))) for i in range(4)]
    inputs = [
        Buffer(p, v.shape, tuple(s // v.itemsize for s in v.strides), v.dtype)
        for p, v in zip(pointers, (x, w))
    ]
    y = np.full(out.shape, 7, out.dtype)
    CONV.emit(f, inputs, [Buffer(pointers[2], y.shape, row_major(y.shape), y.dtype)], pointers[3], params)
    f.ret()
    threads.ensure()
    scratch = np.full(CONV.scratch(avals, params) + 64, 255, np.uint8)
    start = -scratch.ctypes.data % 64
    linked = load(module, ["fx_entry"])
    table = np.array([v.ctypes.data for v in (x, w, y)] + [scratch.ctypes.data + start], np.uint64)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(linked.address["fx_entry"])(table.ctypes.data)
    assert np.all(scratch[start + CONV.scratch(avals, params) :] == 255)
    return y


@pytest.mark.parametrize(
    "name",
    [
        "same",
        "strided",
        "spread",
        "1x1",
        "large window",
        "weight gradient",
        "no axes",
        "many channels",
    ],
)
@pytest.mark.parametrize("view", ["channels last", "reversed", "swapped", "every other"])
def test_views(name, view):
    """Beside memory that must not be touched."""
    end = view != "reversed"
    rng = np.random.default_rng(3)
    xs, ws, row = GEOMETRIES[name]
    params = _params(*row)

    numbers = lambda *shape: guarded(_numbers(rng, shape, "float32"), end)

    def turned(shape):
        if view == "channels last":
            return np.moveaxis(numbers(shape[0], *shape[2:], shape[1]), -1, 1)
        if view == "swapped":
            return np.swapaxes(numbers(shape[1], shape[0], *shape[2:]), 0, 1)
        if view == "reversed":
            return numbers(*shape)[(slice(None), slice(None), *[slice(None, None, -1)] * (len(shape) - 2))]
        return numbers(*shape[:-1], 2 * shape[-1] - 1)[..., ::2]

    x, w = turned(xs), turned(ws)
    _check(_strided(x, w, params), x, w, params)


# Derivatives, as the primitive's rules write them, against PyTorch


def _derivatives(rng, n, c, size, o, k, stride, groups, dtype="float32"):
    """x, w, ct, and (operands, params) of the three convolutions of a training step."""
    low = k // 2
    x, w = _numbers(rng, (n, c, size, size), dtype), _numbers(rng, (o, c // groups, k, k), dtype)
    count = (size + 2 * low - k) // stride + 1
    ct = _numbers(rng, (n, o, count, count), dtype)
    row = (size, k, stride, (low, low), 1, 1, count)
    flipped = w[:, :, ::-1, ::-1].reshape(groups, o // groups, c // groups, k, k).swapaxes(1, 2)
    flipped = np.ascontiguousarray(flipped.reshape(c, o // groups, k, k))
    one = (1, 1)
    forward = (x, w), _params((stride,) * 2, ((low, low),) * 2, one, one, groups, 1)
    by_x = (ct, flipped), _params(one, (transposed_padding(*row),) * 2, (stride,) * 2, one, groups, 1)
    pads = (padding_for(k, low, size, count, 1, 1, stride),) * 2
    by_w = (x.swapaxes(0, 1), ct.swapaxes(0, 1)), _params(one, pads, one, (stride,) * 2, 1, groups)
    return x, w, ct, forward, by_x, by_w


@pytest.mark.parametrize(
    "case",
    [
        (8, 3, 32, 32, 3, 1, 1), (8, 32, 16, 64, 3, 1, 1), (2, 64, 14, 64, 3, 2, 1), (2, 32, 14, 48, 1, 1, 1),
        (2, 16, 28, 16, 3, 1, 16), (2, 16, 15, 32, 3, 2, 16), (3, 20, 7, 33, 3, 1, 1), (2, 3, 40, 16, 7, 2, 1),
        (2, 12, 9, 18, 5, 3, 3),
    ],
)  # fmt: skip
def test_training_step_against_torch(case):
    torch = pytest.importorskip("torch")
    stride, groups, k = case[5], case[6], case[4]
    x, w, ct, forward, by_x, by_w = _derivatives(np.random.default_rng(2), *case)
    tx, tw = (torch.tensor(v, requires_grad=True) for v in (x, w))
    ty = torch.nn.functional.conv2d(tx, tw, stride=stride, padding=k // 2, groups=groups)
    dx, dw = torch.autograd.grad(ty, (tx, tw), torch.tensor(ct))
    got = [_strided(*operands, params) for operands, params in (forward, by_x, by_w)]
    for y, want in zip((got[0], got[1], got[2].swapaxes(0, 1)), (ty.detach(), dx, dw)):
        want = want.numpy()
        np.testing.assert_allclose(y, want, rtol=2e-5, atol=2e-5 * np.abs(want).max())


def test_against_jax():
    jax = pytest.importorskip("jax")
    rng = np.random.default_rng(8)
    for xs, ws, strides, pads, lhs, rhs, fg, bg in [
        ((2, 6, 33, 40), (12, 3, 3, 5), (2, 1), ((1, 2), (-1, 3)), (1, 2), (2, 1), 2, 1),
        ((4, 5, 9, 12, 17), (6, 5, 3, 3, 3), (1, 1, 2), ((1, 1),) * 3, (1, 1, 1), (1, 2, 1), 1, 2),
    ]:
        x, w = _numbers(rng, xs, "float32"), _numbers(rng, ws, "float32")
        want = jax.lax.conv_general_dilated(
            x, w, strides, pads, lhs, rhs, feature_group_count=fg, batch_group_count=bg, precision="highest"
        )
        got = _run(x, w, _params(strides, pads, lhs, rhs, fg, bg))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-5 * np.abs(want).max())


# Promises


def test_padding_times_infinity_is_nan_as_in_the_interpreter():
    """Padding is a zero that takes part in the product; an infinity elsewhere touches only the windows that read it."""
    x, w = np.ones((1, 1, 4, 20), np.float32), np.ones((3, 1, 3, 3), np.float32)
    x[0, 0, 1, 3], w[1, 0, 0, 0] = np.inf, np.inf
    params = _params((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 1)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(_run(x, w, params), conv.impl(np, x, w, **params))


def test_weight_gradient_keeps_infinities_where_they_belong():
    rng = np.random.default_rng(0)
    for width in (20, 7, 16):
        x = rng.integers(1, 5, (3, 2, 6, width)).astype(np.float32)
        x[1, 1, 0, 0], x[0, 0, 5, width - 1] = np.inf, np.nan
        ct = rng.integers(1, 5, (4, 2, 6, width)).astype(np.float32)
        params = _params((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, 1)
        with np.errstate(invalid="ignore"):
            got, want = _run(x, ct, params), conv.impl(np, x, ct, **params)
        np.testing.assert_array_equal(got, want)
        assert np.isfinite(got).any() and not np.isfinite(got).all()


@pytest.mark.parametrize("form", [0, 1, 2])
def test_same_bits_with_any_number_of_threads(form):
    case = _derivatives(np.random.default_rng(2), 16, 8, 24, 24, 3, 1, 1)
    (x, w), params = case[3 + form]
    found = []
    for n in (1, 2, 3):
        with threads.threads(n):
            found.append(_strided(x, w, params).tobytes())
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "name, end",
    [*[(n, True) for n in GEOMETRIES], *[(n, False) for n in ("same", "spread", "large window", "8 wide")]],
)
def test_reads_and_writes_nothing_outside(name, end):
    rng = np.random.default_rng(4)
    xs, ws, row = GEOMETRIES[name]
    params = _params(*row)
    x, w = _numbers(rng, xs, "float32"), _numbers(rng, ws, "float32")
    op = Compiled(CONV, conv, [Aval(v.shape, v.dtype) for v in (x, w)], params)
    y = guarded(np.zeros(op.out[0].shape, "float32"), end)
    scratch = guarded(np.zeros(-(-op.scratch // 64) * 64, np.uint8), end)
    op.into([guarded(x, end), guarded(w, end), y], scratch)
    _check(y, x, w, params)
