"""Layers that rearrange, look up or draw, against torch.nn; channels last here, first there."""

import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
import fx.testing
from fx import nn

F = torch.nn.functional
KEY = fx.random.key(7)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def first(x):
    return torch.tensor(np.moveaxis(np.asarray(x), -1, 1).copy())


def alike(ours, theirs, atol=1e-10):
    np.testing.assert_allclose(np.moveaxis(np.asarray(ours), -1, 1), theirs.numpy(), atol=atol)


def test_embedding():
    layer = nn.Embedding(6, 3, padding_idx=2, dtype=fnp.float64)
    params = layer.init(KEY)
    ids = np.array([[0, 2, 5], [2, 1, 1]])
    table = torch.tensor(np.asarray(params["table"]).copy(), requires_grad=True)
    with torch.no_grad():
        table[2] = 0
    theirs = F.embedding(torch.tensor(ids), table, padding_idx=2)
    np.testing.assert_allclose(layer.apply(params, ids), theirs.detach(), rtol=1e-12)
    (theirs**2).sum().backward()
    gradient = fx.grad(lambda p: (layer.apply(p, ids) ** 2).sum())(params)
    np.testing.assert_allclose(gradient["table"], table.grad, rtol=1e-12)
    x = draw(4, 3)
    model = nn.Embedding(6, 3, dtype=fnp.float64)
    scope_method = type("Tied", (nn.Layer,), {
        "layers": lambda self: {"embed": model},
        "forward": lambda self, p, x: p.embed.attend(x),
    })()  # fmt: skip
    np.testing.assert_allclose(
        scope_method.apply({"embed": params}, x), x @ np.asarray(params["table"]).T, rtol=1e-12
    )
    with pytest.raises(fx.OutOfBoundsError, match="6"):
        layer.apply(params, [6])
    assert np.isnan(fx.jit(layer.apply)(params, fnp.asarray([6]))).all()
    with pytest.raises(fx.DTypeError, match=r"astype\(int\)"):
        layer.apply(params, [1.0])
    with pytest.raises(fx.ArgumentError, match="padding_idx=6"):
        nn.Embedding(6, 3, padding_idx=6)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode):
    for padding in (None, 1):
        layer = nn.EmbeddingBag(6, 3, mode=mode, padding_idx=padding, dtype=fnp.float64)
        params = layer.init(KEY)
        table = torch.tensor(np.asarray(params["table"]).copy(), requires_grad=True)
        ids, offsets = np.array([4, 1, 5, 5, 0, 1, 1]), np.array([0, 3, 3, 5])
        theirs = F.embedding_bag(
            torch.tensor(ids), table, torch.tensor(offsets), mode=mode, padding_idx=padding
        )
        np.testing.assert_allclose(layer.apply(params, ids, offsets=offsets), theirs.detach(), atol=1e-12)
        (theirs**2).sum().backward()
        loss = lambda p: (layer.apply(p, ids, offsets=offsets) ** 2).sum()
        np.testing.assert_allclose(fx.grad(loss)(params)["table"], table.grad, atol=1e-12)
        rows = np.array([[4, 1, 5], [5, 0, 1]])
        theirs = F.embedding_bag(torch.tensor(rows), table, mode=mode, padding_idx=padding)
        np.testing.assert_allclose(layer.apply(params, rows), theirs.detach(), atol=1e-12)
        masked = layer.apply(params, rows, mask=rows != 5)
        alone = layer.apply(params, rows[:1, :2])
        np.testing.assert_allclose(masked[:1], alone, atol=1e-12)
    weights = draw(2, 3)
    layer = nn.EmbeddingBag(6, 3, mode="sum", dtype=fnp.float64)
    theirs = F.embedding_bag(torch.tensor(rows), table, mode="sum", per_sample_weights=torch.tensor(weights))
    np.testing.assert_allclose(layer.apply(params, rows, weights=weights), theirs.detach(), atol=1e-12)


def test_flatten_and_back():
    x = draw(2, 3, 4, 5)
    assert nn.Flatten().apply({}, x).shape == (2, 60) and nn.Flatten(-3, -2).apply({}, x).shape == (2, 12, 5)
    assert nn.Unflatten(1, (3, 4, 5)).apply({}, x.reshape(2, 60)).tolist() == x.tolist()
    assert nn.Identity().apply({}, 3) == 3
    assert nn.Lambda(fnp.sin).apply({}, 0.0) == 0
    with pytest.raises(fx.ShapeError, match="no axes from 1 to -1"):
        nn.Flatten().apply({}, np.ones(3))


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_pad(mode):
    x = draw(2, 5, 6, 3)
    value = {"value": 2.5} if mode == "constant" else {}
    theirs = F.pad(first(x), (2, 0, 1, 3), mode=mode, **value)
    alike(nn.Pad([(1, 3), (2, 0)], mode=mode, **value).apply({}, x), theirs)
    alike(
        nn.Pad(2, mode=mode, rank=2, **value).apply({}, x), F.pad(first(x), (2, 2, 2, 2), mode=mode, **value)
    )


def test_pixels_and_channels():
    x = draw(2, 3, 5, 12)
    alike(nn.PixelShuffle(2).apply({}, x), F.pixel_shuffle(first(x), 2))
    alike(nn.ChannelShuffle(3).apply({}, x), F.channel_shuffle(first(x), 3))
    y = draw(2, 4, 6, 3)
    alike(nn.PixelUnshuffle(2).apply({}, y), F.pixel_unshuffle(first(y), 2))
    with pytest.raises(fx.ShapeError, match="channels"):
        nn.PixelShuffle(3).apply({}, draw(2, 2, 4))
    with pytest.raises(fx.ShapeError, match="5 groups"):
        nn.ChannelShuffle(5).apply({}, x)


MODES = [("nearest", None), ("linear", False), ("linear", True), ("cubic", False), ("cubic", True)]


@pytest.mark.parametrize("mode, corners", MODES)
def test_upsample(mode, corners):
    for rank in (1, 2, 3) if mode != "cubic" else (2,):
        x = draw(2, *range(4, 4 + rank), 3)
        name = {"linear": ("linear", "bilinear", "trilinear")[rank - 1], "cubic": "bicubic"}.get(mode, mode)
        for size, scale in (((7, 3, 9)[:rank], None), (None, 2.0), (None, (1.5, 0.7, 2.2)[:rank])):
            theirs = F.interpolate(first(x), size, scale, name, align_corners=corners)
            alike(nn.Upsample(size, scale=scale, mode=mode, align_corners=bool(corners)).apply({}, x), theirs)
    with pytest.raises(fx.ArgumentError, match="size= or scale="):
        nn.Upsample()


def test_fold_and_unfold():
    x = draw(2, 7, 8, 3)
    for k, s, p, d in ((3, 1, 0, 1), ((2, 3), (2, 1), (1, 0), 1), (2, 2, 1, 2)):
        options = {"stride": s, "padding": p, "dilation": d}
        kh, kw = (k, k) if isinstance(k, int) else k
        theirs = F.unfold(first(x), k, **options)  # (batch, channels * window, windows)
        rows = nn.Unfold(k, **options).apply({}, x)
        as_theirs = np.asarray(rows).reshape(2, -1, kh * kw, 3).transpose(0, 3, 2, 1).reshape(theirs.shape)
        np.testing.assert_allclose(as_theirs, theirs, atol=1e-12)
        alike(nn.Fold(k, output_size=(7, 8), **options).apply({}, rows), F.fold(theirs, (7, 8), k, **options))
    fx.testing.check_grads(lambda r: nn.Fold(2, output_size=(3, 3)).apply({}, r), (draw(4, 8),), order=1)
    with pytest.raises(fx.ShapeError, match=r"\(\.\.\., 4, 4 \* channels\)"):
        nn.Fold(2, output_size=3).apply({}, draw(5, 8))
    with pytest.raises(fx.ArgumentError, match="output_size="):
        nn.Fold(2)


def test_activations_with_parameters_or_draws():
    x = draw(4, 3)
    for layer, slope in ((nn.PReLU(dtype=fnp.float64), 0.25), (nn.PReLU(3, dtype=fnp.float64), [0.25] * 3)):
        params = layer.init(KEY)
        assert params["slope"].tolist() == slope
        weight = torch.tensor(np.atleast_1d(slope), requires_grad=True)
        theirs = F.prelu(torch.tensor(x), weight)
        np.testing.assert_allclose(layer.apply(params, x), theirs.detach(), rtol=1e-12)
        theirs.sum().backward()
        gradient = fx.grad(lambda p: layer.apply(p, x).sum())(params)["slope"]
        np.testing.assert_allclose(np.atleast_1d(gradient), weight.grad, rtol=1e-12)
    np.testing.assert_allclose(nn.RReLU().apply({}, x), F.rrelu(torch.tensor(x)), rtol=1e-12)
    drawn = np.asarray(nn.RReLU(0.2, 0.4).apply({}, x, key=KEY))
    slopes = (drawn / x)[x < 0]
    assert (slopes >= 0.2).all() and (slopes < 0.4).all() and len(set(slopes)) > 3


def test_dropouts_of_channels():
    x = fnp.ones((50, 4, 5, 20))
    y = np.asarray(nn.Dropout2d(0.3).apply({}, x, key=KEY))
    assert (y == y[:, :1, :1]).all() and set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs(y.mean() - 1) < 0.1
    assert np.array_equal(nn.Dropout2d(0.3).apply({}, x), x)


def test_alpha_dropout_keeps_mean_and_variance():
    x = fx.random.normal(KEY, (400, 400))
    y = np.asarray(nn.AlphaDropout(0.3).apply({}, x, key=KEY))
    assert abs(y.mean()) < 0.01 and abs(y.var() - 1) < 0.02
    limit = float(nn.selu(-1e4))
    a = ((1 - 0.3) * (1 + 0.3 * limit**2)) ** -0.5
    assert np.isclose(y, a * limit - a * limit * 0.3, atol=1e-5).mean() > 0.29
    assert np.array_equal(nn.AlphaDropout(0.3).apply({}, x), x)
    channels = np.asarray(nn.FeatureAlphaDropout(0.3).apply({}, fnp.ones((20, 6, 10)), key=KEY))
    assert (channels == channels[:, :1]).all() and len(np.unique(channels)) == 2
