"""What holds for every layer: extreme and empty inputs, short floats, compiled, mapped, ensembles, names that save."""

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx import nn

KEY = fx.random.key(11)
N = 3
IMAGE, VOLUME, LINE, ROWS = (N, 6, 7, 4), (N, 4, 5, 6, 4), (N, 8, 4), (N, 4)

CASES = {
    "Linear": (nn.Linear(4, 5), ROWS),
    "MLP": (nn.MLP([4, 8, 2]), ROWS),
    "Sequential": (nn.Sequential([nn.Linear(4, 8), nn.relu, nn.Dropout(0.5), nn.Linear(8, 2)]), ROWS),
    "Residual": (nn.Residual(nn.Linear(4, 4)), ROWS),
    "Parallel": (nn.Parallel([nn.Linear(4, 2), nn.Linear(4, 3)], combine="concatenate"), ROWS),
    "Repeat": (nn.Repeat(nn.Linear(4, 4), 3), ROWS),
    "Checkpoint": (nn.Checkpoint(nn.Linear(4, 4)), ROWS),
    "LoRA": (nn.LoRA(nn.MLP([4, 8, 2]), 2), ROWS),
    "WeightNorm": (nn.WeightNorm(nn.Linear(4, 5)), ROWS),
    "SpectralNorm": (nn.SpectralNorm(nn.Linear(4, 5)), ROWS),
    "Conv1d": (nn.Conv1d(4, 6, 3, padding="same"), LINE),
    "Conv2d": (nn.Conv2d(4, 6, 3, stride=2, groups=2), IMAGE),
    "Conv3d": (nn.Conv3d(4, 2, 3), VOLUME),
    "ConvTranspose2d": (nn.ConvTranspose2d(4, 2, 3, stride=2), IMAGE),
    "MaxPool2d": (nn.MaxPool2d(2), IMAGE),
    "AvgPool2d": (nn.AvgPool2d(2, padding=1), IMAGE),
    "LPPool2d": (nn.LPPool2d(2), IMAGE),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d((3, 4)), IMAGE),
    "AdaptiveMaxPool2d": (nn.AdaptiveMaxPool2d((4, 3)), IMAGE),
    "GlobalAvgPool2d": (nn.GlobalAvgPool2d(), IMAGE),
    "BatchNorm": (nn.BatchNorm(4), IMAGE),
    "LayerNorm": (nn.LayerNorm(4), LINE),
    "RMSNorm": (nn.RMSNorm(4), LINE),
    "GroupNorm": (nn.GroupNorm(2, 4), IMAGE),
    "InstanceNorm": (nn.InstanceNorm(4, use_scale=True), IMAGE),
    "LocalResponseNorm": (nn.LocalResponseNorm(3), IMAGE),
    "Dropout": (nn.Dropout(0.5), ROWS),
    "Dropout2d": (nn.Dropout2d(0.5), IMAGE),
    "AlphaDropout": (nn.AlphaDropout(0.5), ROWS),
    "LearnedPositions": (nn.LearnedPositions(8, 4), LINE),
    "Flatten": (nn.Flatten(), IMAGE),
    "Pad": (nn.Pad([(1, 2), (0, 1)], mode="reflect"), IMAGE),
    "PixelShuffle": (nn.PixelShuffle(2), IMAGE),
    "ChannelShuffle": (nn.ChannelShuffle(2), IMAGE),
    "Upsample": (nn.Upsample(scale=2.0, mode="cubic"), IMAGE),
    "Unfold": (nn.Unfold(2, stride=2), IMAGE),
    "RNN": (nn.RNN(4, 5), LINE),
    "LSTM": (nn.LSTM(4, 5, num_layers=2, bidirectional=True, dropout=0.5), LINE),
    "GRU": (nn.GRU(4, 5), LINE),
    "MultiHeadAttention": (nn.MultiHeadAttention(4, 2, positions="rotary", dropout=0.5), LINE),
    "TransformerEncoder": (nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, dropout=0.1), 2), LINE),
}
EMPTY_IS_AN_ERROR = {"BatchNorm"}
"""In training, where one value has no variance; evaluation takes an empty batch."""


def made(name):
    layer, shape = CASES[name]
    params, state = layer.create(KEY)
    return layer, params, state, np.random.default_rng(0).normal(size=shape).astype(np.float32)


def run(layer, params, state, x, **options):
    """The result as a list of arrays, whether or not there is state."""
    out = (
        layer.apply(params, x, state=state, **options)
        if layer.has_state
        else layer.apply(params, x, **options)
    )
    return fx.tree.leaves(out[0] if layer.has_state else out)


@pytest.mark.parametrize("name", CASES)
def test_extreme_inputs_are_finite(name):
    layer, params, state, x = made(name)
    for big in (1e4 * np.sign(x), np.zeros_like(x), x * 1e4):
        y = run(layer, params, state, big)
        assert all(np.isfinite(np.asarray(leaf)).all() for leaf in y), name
        loss = lambda params, x: sum(leaf.sum() for leaf in run(layer, params, state, x))
        grads = fx.grad(loss, argnums=(0, 1))(params, fnp.asarray(big))
        assert all(np.isfinite(np.asarray(g)).all() for g in fx.tree.leaves(grads)), name


@pytest.mark.parametrize("name", CASES)
def test_small_batches(name):
    layer, params, state, x = made(name)
    whole = run(layer, params, state, x)
    one = run(layer, params, state, x[:1])
    none = run(layer, params, state, x[:0])
    for a, b, c in zip(whole, one, none, strict=True):
        assert c.shape[0] == 0 or c.size == 0
        if a.shape[:1] == (N,):
            np.testing.assert_allclose(b, a[:1], rtol=2e-4, atol=2e-5)
    if name not in EMPTY_IS_AN_ERROR:
        assert len(run(layer, params, state, x[:0], key=KEY)) == len(none)


@pytest.mark.parametrize("name", CASES)
def test_compiled_mapped_and_seeded(name):
    layer, params, state, x = made(name)
    whole = run(layer, params, state, x)
    compiled = fx.jit(lambda p, s, x: run(layer, p, s, x))(params, state, x)
    for a, b in zip(whole, compiled, strict=True):
        np.testing.assert_allclose(a, b, rtol=5e-4, atol=5e-5)
    drawn, again = (run(layer, params, state, x, key=KEY) for _ in range(2))
    for a, b in zip(drawn, again, strict=True):
        assert np.array_equal(a, b)
    if fx.tree.leaves(params):
        ensemble = fx.vmap(layer.create)(fx.random.split(KEY, 2))
        members = fx.vmap(lambda p, s: run(layer, p, s, x), in_axes=(0, 0))(*ensemble)
        first = run(layer, *fx.tree.map(lambda leaf: leaf[0], ensemble), x)
        for a, b in zip(members, first, strict=True):
            np.testing.assert_allclose(a[0], b, rtol=5e-4, atol=5e-5)


@pytest.mark.parametrize("name", CASES)
def test_short_floats_keep_their_dtype(name):
    layer, params, state, x = made(name)
    short = fx.tree.map(lambda p: p.astype(fnp.bfloat16), params)
    for leaf in run(layer, short, state, fnp.asarray(x, dtype=fnp.bfloat16)):
        assert leaf.dtype == fnp.bfloat16, name
    wide = fx.tree.map(lambda p: p.astype(fnp.float64), params)
    for leaf in run(layer, wide, state, x.astype(np.float64)):
        assert leaf.dtype == np.float64, name


@pytest.mark.parametrize("name", CASES)
def test_layers_are_values_with_readable_texts(name):
    layer, params, state, x = made(name)
    assert layer == CASES[name][0] and hash(layer) == hash(CASES[name][0]) and not fx.tree.leaves(layer)
    assert repr(layer).startswith(type(layer).__name__ + "(") and "object at" not in repr(layer)
    same = eval(repr(layer).replace("relu", "nn.relu"), {**vars(nn), "nn": nn})
    assert same == layer, repr(layer)
    names = [fx.tree.path_text(path) for path, _ in fx.tree.leaves_with_path(params)]
    assert len(set(names)) == len(names)
