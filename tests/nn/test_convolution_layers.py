"""Convolution and pooling layers against torch.nn, with its weights; channels last here, first there."""

import itertools

import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
import fx.testing
from fx import nn
from fx.nn import initializers

F = torch.nn.functional
KEY = fx.random.key(1)
RANKS = (1, 2, 3)


def layer_of(name, rank, *args, **options):
    return getattr(nn, f"{name}{rank}d")(*args, **options)


def image(rank, channels=4, batch=2, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, *range(7, 7 + rank), channels))


def first(x):
    x = np.moveaxis(np.asarray(x), -1, 1).copy()
    return torch.tensor(x, requires_grad=x.dtype.kind == "f")


def kernel_of(params):
    return torch.tensor(
        np.moveaxis(np.asarray(params["kernel"]), (-1, -2), (0, 1)).copy(), requires_grad=True
    )


def check(layer, params, x, theirs, their_x, their_kernel):
    """Values, and the derivatives of their squares' sum with respect to input and kernel."""
    np.testing.assert_allclose(np.moveaxis(layer.apply(params, x), -1, 1), theirs.detach(), atol=1e-11)
    gx, gp = fx.grad(lambda x, p: (layer.apply(p, x) ** 2).sum(), argnums=(0, 1))(fnp.asarray(x), params)
    (theirs**2).sum().backward()
    np.testing.assert_allclose(np.moveaxis(gx, -1, 1), their_x.grad, atol=1e-9)
    np.testing.assert_allclose(np.moveaxis(gp["kernel"], (-1, -2), (0, 1)), their_kernel.grad, atol=1e-9)


GRID = list(itertools.product((1, 2), (0, 1), (1, 2), (1, 2), (1, 3)))


@pytest.mark.parametrize("rank", RANKS)
def test_convolutions(rank):
    x = image(rank)
    for stride, padding, dilation, groups, k in GRID if rank < 3 else GRID[3::7]:
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        layer = layer_of("Conv", rank, 4, 6, k, **options, dtype=fnp.float64, bias_init=initializers.ones)
        params = layer.init(KEY)
        their_x, kernel = first(x), kernel_of(params)
        y = getattr(F, f"conv{rank}d")(their_x, kernel, torch.ones(6, dtype=torch.float64), **options)
        check(layer, params, x, y, their_x, kernel)


@pytest.mark.parametrize("rank", RANKS)
def test_transposed_convolutions(rank):
    x = image(rank)
    for stride, padding, dilation, groups, k in GRID if rank < 3 else GRID[3::7]:
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        options["output_padding"] = max(stride, dilation) - 1
        layer = layer_of("ConvTranspose", rank, 4, 6, k, **options, dtype=fnp.float64, use_bias=k > 1)
        params = layer.init(KEY)
        their_x, kernel = first(x), kernel_of(params)
        y = getattr(F, f"conv_transpose{rank}d")(their_x, kernel, None, **options)
        check(layer, params, x, y, their_x, kernel)


def test_a_transposed_convolution_is_the_transpose():
    options = {"stride": 2, "padding": ((1, 0), (2, 1)), "groups": 2, "use_bias": False, "dtype": fnp.float64}
    forward, back = nn.Conv2d(4, 6, 3, **options), nn.ConvTranspose2d(6, 4, 3, **options)
    params = forward.init(KEY)
    x = fnp.asarray(image(2))[:, :6, :7]
    y, vjp = fx.vjp(lambda x: forward.apply(params, x), x)
    ct = fnp.asarray(np.random.default_rng(1).normal(size=y.shape))
    found = back.apply(params, ct)
    np.testing.assert_allclose(found, vjp(ct)[0][:, : found.shape[1], : found.shape[2]], atol=1e-12)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes(mode):
    x = image(2)
    layer = nn.Conv2d(4, 3, 3, padding=(2, 1), padding_mode=mode, use_bias=False, dtype=fnp.float64)
    params = layer.init(KEY)
    y = F.conv2d(F.pad(first(x), (1, 1, 2, 2), mode=mode), kernel_of(params))
    np.testing.assert_allclose(np.moveaxis(layer.apply(params, x), -1, 1), y.detach(), atol=1e-12)


def test_same_padding_counts():
    for stride, k, n in itertools.product((1, 2, 3), (1, 2, 3, 5), (7, 8)):
        x = np.ones((2, n, 4))
        options = {"stride": stride, "padding": "same", "use_bias": False}
        assert (layer := nn.Conv1d(4, 3, k, **options)).apply(layer.init(KEY), x).shape == (
            2,
            -(-n // stride),
            3,
        )
        layer = nn.ConvTranspose1d(4, 3, k, **options)
        assert layer.apply(layer.init(KEY), x).shape == (2, n * stride, 3)
    layer = nn.Conv1d(4, 3, 3, padding="same", dtype=fnp.float64)
    params = layer.init(KEY)
    x = image(1)
    y = F.conv1d(first(x), kernel_of(params), padding="same")
    np.testing.assert_allclose(np.moveaxis(layer.apply(params, x), -1, 1), y.detach(), atol=1e-12)


def test_batch_axes():
    layer = nn.Conv2d(3, 2, 3)
    params = layer.init(KEY)
    x = image(2, 3, 6).astype(np.float32)
    y = np.asarray(layer.apply(params, x))
    np.testing.assert_allclose(layer.apply(params, x[0]), y[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        layer.apply(params, x.reshape(2, 3, *x.shape[1:])).reshape(y.shape), y, rtol=1e-5
    )
    np.testing.assert_allclose(fx.vmap(layer.apply, in_axes=(None, 0))(params, x), y, rtol=1e-5, atol=1e-6)
    assert layer.apply(params, x[:0]).shape == (0, 5, 6, 2)
    pool = nn.MaxPool2d(2)
    assert pool.apply({}, x[:0]).shape == (0, 3, 4, 3) and pool.apply({}, x[0]).shape == (3, 4, 3)


def test_layers_refuse_what_does_not_fit():
    with pytest.raises(
        fx.ShapeError, match=r"Conv2d\(3, 2, 3\) takes x of shape \(\.\.\., height, width, 3\).*\(4, 4\)"
    ):
        nn.Conv2d(3, 2, 3).apply(nn.Conv2d(3, 2, 3).init(KEY), np.ones((4, 4)))
    for wrong, text in (
        (lambda: nn.Conv2d(3, 2, (3, 3, 3)), "kernel_size"),
        (lambda: nn.Conv2d(3, 2, 0), "kernel_size.*0"),
        (lambda: nn.Conv2d(3, 2, 3, groups=2), "groups=2"),
        (lambda: nn.Conv2d(3, 2, 3, padding="full"), "'full'"),
        (lambda: nn.Conv2d(3, 2, 3, padding_mode="wrap"), "'circular'"),
        (lambda: nn.ConvTranspose1d(3, 2, 3, output_padding=-1), "output_padding"),
        (lambda: nn.MaxPool2d(2, padding=2), "half of kernel_size"),
        (lambda: nn.AvgPool2d(2, divisor_override=0), "divisor_override"),
        (lambda: nn.LPPool1d(2, norm_type=0), "norm_type"),
        (lambda: nn.AdaptiveAvgPool2d((2, 0)), "output_size"),
    ):
        with pytest.raises(fx.ArgumentError, match=text):
            wrong()
    with pytest.raises(fx.ShapeError, match="no window fits"):
        nn.MaxPool1d(3).apply({}, np.ones((2, 3)))


POOLS = [(2, None, 0), (3, 2, 1), (3, 1, 0), ((2, 3, 2), (2, 1, 3), (1, 0, 1))]


def geometry(rank):
    cut = lambda v: v[:rank] if isinstance(v, tuple) else v
    for (k, s, p), ceil in itertools.product(POOLS, (False, True)):
        yield tuple(map(cut, (k, s, p))), {"ceil_mode": ceil}


def alike(ours, theirs):
    np.testing.assert_allclose(np.moveaxis(np.asarray(ours), -1, 1), theirs.detach(), atol=1e-12)


@pytest.mark.parametrize("rank", RANKS)
def test_max_pools(rank):
    x = image(rank)
    for (k, s, p), options in geometry(rank):
        for dilation in (1, 2):
            their_x = first(x)
            pool = getattr(F, f"max_pool{rank}d")
            y, where = pool(their_x, k, s, p, dilation, return_indices=True, **options)
            layer = layer_of("MaxPool", rank, k, s, p, dilation=dilation, **options)
            alike(layer.apply({}, x), y)
            ours = layer_of(
                "MaxPool", rank, k, s, p, dilation=dilation, return_indices=True, **options
            ).apply({}, x)
            alike(ours[0], y)
            alike(ours[1], where)
            (y**2).sum().backward()
            alike(fx.grad(lambda x: (layer.apply({}, x) ** 2).sum())(fnp.asarray(x)), their_x.grad)


@pytest.mark.parametrize("rank", RANKS)
def test_average_pools(rank):
    x = image(rank)
    for (k, s, p), options in geometry(rank):
        for count in (True, False):
            y = getattr(F, f"avg_pool{rank}d")(first(x), k, s, p, count_include_pad=count, **options)
            alike(layer_of("AvgPool", rank, k, s, p, count_include_pad=count, **options).apply({}, x), y)
    if rank > 1:
        y = getattr(F, f"avg_pool{rank}d")(first(x), 3, 2, 1, divisor_override=5)
        alike(layer_of("AvgPool", rank, 3, 2, 1, divisor_override=5).apply({}, x), y)


@pytest.mark.parametrize("rank", RANKS)
def test_power_and_adaptive_pools(rank):
    x = image(rank)
    for p in (2.0, 4.0):
        y = getattr(F, f"lp_pool{rank}d")(first(x), p, 3, 2)
        alike(layer_of("LPPool", rank, 3, 2, norm_type=p).apply({}, x), y)
    for size in (3, 7, (2, None, 5)[:rank], 11):
        given = size if isinstance(size, int) else size[0] if rank == 1 else size
        for name in ("avg", "max"):
            y = getattr(F, f"adaptive_{name}_pool{rank}d")(first(x), given)
            alike(layer_of(f"Adaptive{name.title()}Pool", rank, size).apply({}, x), y)
    axes = tuple(range(1, rank + 1))
    np.testing.assert_allclose(layer_of("GlobalAvgPool", rank).apply({}, x), x.mean(axes), rtol=1e-12)
    assert layer_of("GlobalMaxPool", rank, keepdims=True).apply({}, x).shape == (2, *(1,) * rank, 4)


def test_power_pool_at_zero_and_gradients():
    pool = nn.LPPool1d(2)
    assert not np.asarray(fx.grad(lambda x: pool.apply({}, x).sum())(fnp.zeros((4, 1)))).any()
    x = fnp.asarray(image(2))
    for layer in (
        pool,
        nn.LPPool2d(3, 2),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True),
        nn.AdaptiveAvgPool2d((3, 5)),
    ):
        fx.testing.check_grads(lambda x: layer.apply({}, x), (x if layer.rank == 2 else x[0, 0],), order=1)


@pytest.mark.parametrize("rank", RANKS)
def test_unpooling(rank):
    x = image(rank)
    y, where = layer_of("MaxPool", rank, 2, return_indices=True).apply({}, x)
    theirs = getattr(F, f"max_unpool{rank}d")(first(y), first(where), 2, output_size=x.shape[1:-1])
    unpool = layer_of("MaxUnpool", rank, 2)
    alike(unpool.apply({}, y, where, output_size=x.shape[1:-1]), theirs)
    even = x[(slice(None), *(slice(0, 6),) * rank)]
    back = unpool.apply({}, *layer_of("MaxPool", rank, 2, return_indices=True).apply({}, even))
    assert back.shape == even.shape and set(np.unique(back)) <= {0.0, *np.unique(even)}


def test_integers_and_short_floats_pool():
    x = np.arange(8).reshape(8, 1)
    assert nn.MaxPool1d(2, 2, 1).apply({}, x).ravel().tolist() == [0, 2, 4, 6, 7]
    y = nn.AvgPool1d(2).apply({}, x.astype(np.float16))
    assert y.dtype == np.float16 and y.ravel().tolist() == [0.5, 2.5, 4.5, 6.5]


def test_compiled_is_eager():
    x = image(2).astype(np.float32)
    model = nn.Sequential(
        [nn.Conv2d(4, 6, 3, padding="same"), nn.relu, nn.MaxPool2d(2), nn.GlobalAvgPool2d()]
    )
    params = model.init(KEY)
    step = fx.value_and_grad(lambda params: (model.apply(params, x) ** 2).sum())
    for a, b in zip(fx.tree.leaves(fx.jit(step)(params)), fx.tree.leaves(step(params))):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)


def test_an_input_shorter_than_a_window():
    x = np.ones((2, 2, 5, 3), np.float32)
    for layer in (
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(3, 4, (1, 3), dilation=3),
        nn.Conv2d(3, 4, 4, padding=((0, 1), (0, 0))),
    ):
        with pytest.raises(fx.ShapeError, match="no window fits into spatial axes"):
            layer.apply(layer.init(KEY), x)
    for mode in ("zeros", "reflect"):
        layer = nn.Conv2d(3, 4, 4, padding=1, padding_mode=mode)
        assert layer.apply(layer.init(KEY), x).shape == (2, 1, 4, 4)
    assert nn.Conv2d(3, 4, 3).apply(nn.Conv2d(3, 4, 3).init(KEY), np.ones((0, 3, 3, 3))).shape == (0, 1, 1, 4)
