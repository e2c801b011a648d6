"""Recurrent layers, attention and transformers against torch.nn with its weights; decoding against all at once."""

import itertools

import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
import fx.testing
from fx import nn
from fx.nn import initializers

KEY = fx.random.key(5)
NORMAL = initializers.normal(0.3)
WIDE = {"dtype": fnp.float64, "bias_init": NORMAL}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def tensor(x):
    return torch.nn.Parameter(torch.tensor(np.asarray(x).copy()))


def same(ours, theirs, atol=1e-10):
    np.testing.assert_allclose(np.asarray(ours), theirs.detach().numpy(), atol=atol)


# Recurrent


def load_cell(module, params, suffix):
    setattr(module, f"weight_ih{suffix}", tensor(np.asarray(params["wx"]).T))
    setattr(module, f"weight_hh{suffix}", tensor(np.asarray(params["wh"]).T))
    if "b" in params:
        setattr(module, f"bias_ih{suffix}", tensor(params["b"]))
        setattr(module, f"bias_hh{suffix}", tensor(params.get("bh", fnp.zeros_like(params["b"]))))


def load(module, params):
    for i, layer in enumerate(params["layers"]):
        if "cell" in layer:
            load_cell(module, layer["cell"], f"_l{i}")
        else:
            load_cell(module, layer["forward_layer"]["cell"], f"_l{i}")
            load_cell(module, layer["backward_layer"]["cell"], f"_l{i}_reverse")
    return module.double()


def carries(layer, carry):
    """Our carries as torch's (h, c): (layers * directions, batch, features)."""
    flat = [d for c in carry for d in (c if layer.bidirectional else (c,))]
    parts = zip(*flat) if isinstance(flat[0], tuple) else [flat]
    stacked = [np.stack([np.asarray(x) for x in part]) for part in parts]
    return stacked if len(stacked) > 1 else stacked[0]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_cells(name):
    x, h, c = draw(4, 3), draw(4, 5, seed=1), draw(4, 5, seed=2)
    for options in ({}, {"use_bias": False}, {"activation": "relu"} if name == "RNN" else {}):
        cell = getattr(nn, f"{name}Cell")(3, 5, **options, **WIDE)
        params = cell.init(KEY)
        theirs = {"bias": options.get("use_bias", True)}
        if "activation" in options:
            theirs["nonlinearity"] = options["activation"]
        module = getattr(torch.nn, f"{name}Cell")(3, 5, **theirs)
        load_cell(module, params, "")
        module = module.double()
        carry = (h, c) if name == "LSTM" else h
        carry, y = cell.apply(params, x, carry)
        out = module(
            torch.tensor(x), (torch.tensor(h), torch.tensor(c)) if name == "LSTM" else torch.tensor(h)
        )
        same(y, out[0] if name == "LSTM" else out)
        if name == "LSTM":
            same(carry[1], out[1])
        _, begun = cell.apply(params, x)
        same(begun, module(torch.tensor(x))[0] if name == "LSTM" else module(torch.tensor(x)))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("layers, both", [(1, False), (2, False), (1, True), (2, True)])
def test_stacks_values_and_gradients(name, layers, both):
    layer = getattr(nn, name)(3, 4, num_layers=layers, bidirectional=both, **WIDE)
    params = layer.init(KEY)
    module = load(getattr(torch.nn, name)(3, 4, layers, batch_first=True, bidirectional=both), params)
    x = draw(2, 6, 3)
    their_x = tensor(x)
    theirs, last = module(their_x)
    y, carry = layer.apply(params, x)
    same(y, theirs)
    for a, b in zip(carries(layer, carry), last) if name == "LSTM" else [(carries(layer, carry), last)]:
        same(a, b)
    (theirs**2).sum().backward()
    gx, gp = fx.grad(lambda x, p: (layer.apply(p, x)[0] ** 2).sum(), argnums=(0, 1))(fnp.asarray(x), params)
    same(gx, their_x.grad)
    first = gp["layers"][0]["forward_layer" if both else "cell"]
    first = first["cell"] if both else first
    same(first["wh"].T, module.weight_hh_l0.grad, 1e-9)
    same(first["b"], module.bias_ih_l0.grad, 1e-9)
    again, _ = layer.apply(params, x, carry)
    state = last if name == "LSTM" else last.detach()
    same(again, module(torch.tensor(x), state)[0])


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_lengths_are_packed_sequences(name):
    layer = getattr(nn, name)(3, 4, num_layers=2, bidirectional=True, **WIDE)
    params = layer.init(KEY)
    module = load(getattr(torch.nn, name)(3, 4, 2, batch_first=True, bidirectional=True), params)
    x, lengths = draw(4, 6, 3), np.array([6, 1, 4, 2])
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(x), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    theirs, last = module(packed)
    theirs = torch.nn.utils.rnn.pad_packed_sequence(theirs, batch_first=True)[0]
    y, carry = layer.apply(params, x, lengths=lengths)
    same(y, theirs)
    for a, b in zip(carries(layer, carry), last) if name == "LSTM" else [(carries(layer, carry), last)]:
        same(a, b)
    none, _ = layer.apply(params, np.where(np.isnan(x), 0, x), lengths=np.zeros(4, int))
    assert not np.asarray(none).any()
    beyond = np.where(np.arange(6)[None, :, None] < lengths[:, None, None], x, 1e4)
    loss = lambda x: (layer.apply(params, x, lengths=lengths)[0] ** 2).sum()
    gradient = np.asarray(fx.grad(loss)(fnp.asarray(beyond)))
    np.testing.assert_allclose(gradient, fx.grad(loss)(fnp.asarray(x)) * (beyond == x), atol=1e-12)


def test_recurrent_layers_transform():
    layer = nn.LSTM(3, 4, num_layers=2, dropout=0.5)
    params = layer.init(KEY)
    x = draw(2, 5, 3).astype(np.float32)
    y, _ = layer.apply(params, x)
    np.testing.assert_allclose(fx.jit(layer.apply)(params, x)[0], y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fx.vmap(layer.apply, in_axes=(None, 0))(params, x)[0], y, rtol=1e-5, atol=1e-6)
    dropped, _ = layer.apply(params, x, key=KEY)
    assert not np.allclose(dropped, y) and dropped.shape == y.shape
    assert layer.apply(params, x[:, :1])[0].shape == (2, 1, 4) and layer.apply(params, x[0])[0].shape == (
        5,
        4,
    )
    assert layer.apply(params, x[:0])[0].shape == (0, 5, 4)
    big, _ = layer.apply(params, x * 1e4)
    assert np.isfinite(np.asarray(big)).all()
    with pytest.raises(fx.ShapeError, match=r"time, 3\); x has shape \(2, 5\)"):
        layer.apply(params, np.ones((2, 5)))
    with pytest.raises(fx.ShapeError, match=r"lengths.*\(2,\)"):
        layer.apply(params, x, lengths=[1, 2, 3])
    with pytest.raises(fx.ArgumentError, match="list of 2; got 1"):
        layer.apply(params, x, [None])


# Attention


def attention_of(layer, params, **options):
    """torch's module with the parameters of ours; its projections of one input are stacked."""
    cross = layer.context_features is not None
    module = torch.nn.MultiheadAttention(
        layer.features,
        layer.heads,
        batch_first=True,
        bias=layer.use_bias,
        kdim=layer.context_features,
        vdim=layer.context_features,
        **options,
    )
    t = lambda name: np.asarray(params[name]).T
    if cross:
        for name in "qkv":
            setattr(module, f"{name}_proj_weight", tensor(t(f"w{name}")))
    else:
        module.in_proj_weight = tensor(np.concatenate([t("wq"), t("wk"), t("wv")]))
    module.out_proj.weight = tensor(t("wo"))
    if layer.use_bias:
        module.in_proj_bias = tensor(np.concatenate([params[f"b{n}"] for n in "qkv"]))
        module.out_proj.bias = tensor(params["bo"])
    return module.double()


@pytest.mark.parametrize("bias", [True, False])
def test_attention(bias):
    layer = nn.MultiHeadAttention(8, 2, use_bias=bias, **WIDE)
    params = layer.init(KEY)
    module = attention_of(layer, params)
    x = draw(3, 5, 8)
    their_x = tensor(x)
    theirs, _ = module(their_x, their_x, their_x, need_weights=False)
    same(layer.apply(params, x), theirs)
    (theirs**2).sum().backward()
    gx, gp = fx.grad(lambda x, p: (layer.apply(p, x) ** 2).sum(), argnums=(0, 1))(fnp.asarray(x), params)
    same(gx, their_x.grad)
    same(gp["wk"].T, module.in_proj_weight.grad[8:16], 1e-9)
    hidden = np.triu(np.ones((5, 5), bool), 1)
    theirs, _ = module(their_x, their_x, their_x, attn_mask=torch.tensor(hidden), need_weights=False)
    same(layer.apply(params, x, is_causal=True), theirs)
    same(layer.apply(params, x, mask=~hidden), theirs)
    blocks = nn.MultiHeadAttention(8, 2, use_bias=bias, implementation="blockwise", **WIDE)
    same(blocks.apply(params, x, is_causal=True), theirs)
    assert layer.apply(params, x[0]).shape == (5, 8)
    np.testing.assert_allclose(layer.apply(params, x[None], is_causal=True)[0], theirs.detach(), atol=1e-10)


def test_cross_and_grouped_attention():
    layer = nn.MultiHeadAttention(8, 2, context_features=6, **WIDE)
    params = layer.init(KEY)
    x, context = draw(3, 5, 8), draw(3, 7, 6, seed=1)
    theirs, _ = attention_of(layer, params)(*map(torch.tensor, (x, context, context)), need_weights=False)
    same(layer.apply(params, x, context), theirs)
    full, grouped = nn.MultiHeadAttention(8, 4, **WIDE), nn.MultiHeadAttention(8, 4, kv_heads=2, **WIDE)
    params = grouped.init(KEY)
    wide = dict(params)
    for name in ("wk", "wv", "bk", "bv"):
        parts = np.asarray(params[name]).reshape(*params[name].shape[:-1], 2, 2)
        wide[name] = np.repeat(parts, 2, -2).reshape(*params[name].shape[:-1], 8)
    np.testing.assert_allclose(grouped.apply(params, x), full.apply(wide, x), rtol=1e-10)


def test_dropout_of_probabilities_and_masked_rows():
    layer = nn.MultiHeadAttention(8, 2, dropout=0.5)
    params = layer.init(KEY)
    x = draw(2, 5, 8).astype(np.float32)
    assert not np.allclose(layer.apply(params, x, key=KEY), layer.apply(params, x))
    y = layer.apply(params, x, mask=np.zeros((5, 5), bool))
    np.testing.assert_allclose(y, np.broadcast_to(params["bo"], y.shape), atol=1e-6)


@pytest.mark.parametrize("positions", [None, "rotary", "rotary_interleaved", "alibi"])
def test_decoding_with_a_cache_is_all_at_once(positions):
    layer = nn.MultiHeadAttention(8, 4, kv_heads=2, positions=positions, **WIDE)
    params = layer.init(KEY)
    x = draw(2, 6, 8)
    expected = layer.apply(params, x, is_causal=True)
    step = fx.jit(lambda cache, x: layer.apply(params, x, cache=cache))
    cache = layer.cache(2, 9)
    parts = []
    for piece in (x[:, :2], x[:, 2:3], x[:, 3:4], x[:, 4:]):
        y, cache = step(cache, piece)
        parts.append(y)
    np.testing.assert_allclose(np.concatenate(parts, 1), expected, atol=1e-10)
    assert int(cache["length"]) == 6 and cache["k"].shape == (2, 9, 2, 2)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_depends_on_distance(interleaved):
    q, k = draw(1, 1, 8), draw(1, 1, 8, seed=1)
    product = lambda s, t: float(
        (nn.rotary(q, [s], interleaved=interleaved) * nn.rotary(k, [t], interleaved=interleaved)).sum()
    )
    assert abs(product(3, 1) - product(12, 10)) < 1e-6
    assert abs(product(3, 1) - product(3, 2)) > 1e-3
    x = draw(2, 7, 3, 8)
    at = np.arange(7)[:, None] * 10000.0 ** (-np.arange(4) / 4)
    z = x[..., 0::2] + 1j * x[..., 1::2] if interleaved else x[..., :4] + 1j * x[..., 4:]
    z = z * np.exp(1j * at)[:, None]
    y = np.asarray(nn.rotary(x, interleaved=interleaved))
    turned = y[..., 0::2] + 1j * y[..., 1::2] if interleaved else y[..., :4] + 1j * y[..., 4:]
    np.testing.assert_allclose(turned, z, atol=2e-6)


def test_positions():
    table = np.asarray(nn.sinusoidal_positions(fnp.arange(50), 6))
    angles = np.arange(50)[:, None] / 10000 ** (np.arange(0, 6, 2) / 6)
    np.testing.assert_allclose(table[:, 0::2], np.sin(angles), atol=1e-5)
    np.testing.assert_allclose(table[:, 1::2], np.cos(angles), atol=1e-5)
    np.testing.assert_allclose(np.asarray(nn.alibi(8, 3))[:, 2, 0], -2.0 * 2.0 ** -np.arange(1, 9), rtol=1e-6)
    slopes = -np.asarray(nn.alibi(12, 1, 2))[:, 0, 0]
    np.testing.assert_allclose(slopes[:8], 2.0 ** -np.arange(1, 9), rtol=1e-6)
    np.testing.assert_allclose(slopes[8:], 2.0 ** (-0.5 * np.arange(1, 9, 2)), rtol=1e-6)
    layer = nn.LearnedPositions(5, 3)
    params = layer.init(KEY)
    x = draw(2, 4, 3)
    np.testing.assert_allclose(layer.apply(params, x), x + np.asarray(params["table"])[:4], rtol=1e-6)
    np.testing.assert_allclose(
        layer.apply(params, x, [4, 3, 2, 1]), x + np.asarray(params["table"])[4:0:-1], rtol=1e-6
    )
    with pytest.raises(fx.ShapeError, match="6 positions"):
        layer.apply(params, draw(6, 3))


# Transformers


def load_block(module, params, layer, decoder=False):
    attention = attention_of(layer.members.layers["attn"], params["attn"])
    module.self_attn.load_state_dict(attention.state_dict())
    if decoder:
        module.multihead_attn.load_state_dict(
            attention_of(layer.members.layers["cross"], params["cross"]).state_dict()
        )
    for name, theirs in (("up", module.linear1), ("down", module.linear2)):
        theirs.weight, theirs.bias = tensor(params[name]["kernel"].T), tensor(params[name]["bias"])
    for i in range(1, 4 if decoder else 3):
        norm = getattr(module, f"norm{i}")
        norm.weight, norm.bias = tensor(params[f"norm_{i}"]["scale"]), tensor(params[f"norm_{i}"]["bias"])
    return module


def shaken(params):
    """Parameters that are nowhere 0 or 1."""
    leaves, treedef = fx.tree.flatten(params)
    return treedef.unflatten([p + 0.1 * draw(*p.shape, seed=i) for i, p in enumerate(leaves)])


@pytest.mark.parametrize("norm_first, activation", [*itertools.product((True, False), ("relu", "gelu"))])
def test_transformer_encoder(norm_first, activation):
    f = nn.relu if activation == "relu" else lambda x: nn.gelu(x, approximate=False)
    block = nn.TransformerEncoderLayer(
        8, 2, hidden=12, norm_first=norm_first, activation=f, dtype=fnp.float64, norm=nn.LayerNorm
    )
    model = nn.TransformerEncoder(block, 2)
    params = shaken(model.init(KEY))
    theirs = torch.nn.TransformerEncoderLayer(
        8, 2, 12, 0.0, activation, batch_first=True, norm_first=norm_first, dtype=torch.float64
    )
    final = torch.nn.LayerNorm(8, dtype=torch.float64) if norm_first else None
    module = torch.nn.TransformerEncoder(theirs, 2, final, enable_nested_tensor=False)
    for own, p in zip(module.layers, params["layers"]):
        load_block(own, p, block)
    if norm_first:
        final.weight, final.bias = tensor(params["norm"]["scale"]), tensor(params["norm"]["bias"])
    x = draw(3, 5, 8)
    their_x = tensor(x)
    hidden = torch.tensor(np.triu(np.ones((5, 5), bool), 1))
    out = module(their_x, mask=hidden)
    same(model.apply(params, x, is_causal=True), out)
    (out**2).sum().backward()
    gx, gp = fx.grad(lambda x, p: (model.apply(p, x, is_causal=True) ** 2).sum(), argnums=(0, 1))(
        fnp.asarray(x), params
    )
    same(gx, their_x.grad, 1e-9)
    same(gp["layers"][1]["up"]["kernel"].T, module.layers[1].linear1.weight.grad, 1e-9)
    cache = model.cache(3, 5, fnp.float64)
    one, cache = model.apply(params, x[:, :3], cache=cache)
    other, cache = model.apply(params, x[:, 3:], cache=cache)
    same(np.concatenate([one, other], 1), out)


@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer_decoder(norm_first):
    block = nn.TransformerDecoderLayer(
        8, 2, hidden=12, norm_first=norm_first, activation=nn.relu, dtype=fnp.float64
    )
    model = nn.TransformerDecoder(block, 2, final_norm=False)
    params = shaken(model.init(KEY))
    theirs = torch.nn.TransformerDecoderLayer(
        8, 2, 12, 0.0, "relu", batch_first=True, norm_first=norm_first, dtype=torch.float64
    )
    module = torch.nn.TransformerDecoder(theirs, 2)
    for own, p in zip(module.layers, params["layers"]):
        load_block(own, p, block, decoder=True)
    x, context = draw(3, 5, 8), draw(3, 7, 8, seed=1)
    hidden, seen = np.triu(np.ones((5, 5), bool), 1), np.random.default_rng(2).random((5, 7)) < 0.7
    seen[:, 0] = True
    out = module(
        *map(torch.tensor, (x, context)), tgt_mask=torch.tensor(hidden), memory_mask=torch.tensor(~seen)
    )
    same(model.apply(params, x, context, context_mask=seen), out)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer(norm_first):
    model = nn.Transformer(
        8, 2, 2, 1, hidden=12, norm_first=norm_first, activation=nn.relu, final_norm=True, dtype=fnp.float64
    )
    params = shaken(model.init(KEY))
    module = torch.nn.Transformer(
        8, 2, 2, 1, 12, 0.0, "relu", batch_first=True, norm_first=norm_first, dtype=torch.float64
    )
    for name, decoder in (("encoder", False), ("decoder", True)):
        ours, theirs = params[name], getattr(module, name)
        for own, p in zip(theirs.layers, ours["layers"]):
            load_block(own, p, model.members.layers[name].layer, decoder=decoder)
        theirs.norm.weight, theirs.norm.bias = (tensor(ours["norm"][n]) for n in ("scale", "bias"))
    source, target = draw(3, 7, 8), draw(3, 5, 8, seed=1)
    hidden, seen = np.triu(np.ones((5, 5), bool), 1), np.random.default_rng(2).random((5, 7)) < 0.7
    seen[:, 0] = True
    out = module(
        *map(torch.tensor, (source, target)), tgt_mask=torch.tensor(hidden), memory_mask=torch.tensor(~seen)
    )
    same(model.apply(params, source, target, context_mask=seen), out)


def test_transformer_options():
    block = nn.TransformerEncoderLayer(
        8, 4, norm=nn.RMSNorm, positions="rotary", kv_heads=2, use_bias=False, dropout=0.5
    )
    model = nn.TransformerEncoder(block, 2)
    params = model.init(KEY)
    x = draw(2, 5, 8).astype(np.float32)
    y = model.apply(params, x)
    assert not np.allclose(model.apply(params, x, key=KEY), y)
    assert "bias" not in params["layers"][0]["up"] and "bq" not in params["layers"][0]["attn"]
    np.testing.assert_allclose(fx.jit(model.apply)(params, x), y, rtol=1e-4, atol=1e-5)
    repeated = nn.Repeat(block, 2)
    stacked = fx.tree.map(lambda *leaves: fnp.stack(leaves), *params["layers"])
    without = nn.TransformerEncoder(block, 2, final_norm=False)
    np.testing.assert_allclose(
        repeated.apply({"layer": stacked}, x, is_causal=True),
        without.apply(params, x, is_causal=True),
        rtol=1e-4,
        atol=1e-5,
    )
    rows = [row.name for row in nn.summary(model, params, x).rows]
    assert "layers/1/attn" in rows


def test_layers_refuse_what_does_not_fit():
    for wrong, text in (
        (lambda: nn.MultiHeadAttention(8, 3), "head_features="),
        (lambda: nn.MultiHeadAttention(8, 4, kv_heads=3), "kv_heads=3"),
        (lambda: nn.MultiHeadAttention(8, 4, positions="learned"), "'rotary'"),
        (lambda: nn.RNN(3, 4, activation="sigmoid").init(KEY), "'tanh', 'relu'"),
        (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2), 0), "num_layers"),
        (lambda: nn.sinusoidal_positions(fnp.arange(3), 5), "even"),
    ):
        with pytest.raises(fx.ArgumentError, match=text):
            wrong()
    layer = nn.MultiHeadAttention(8, 2)
    with pytest.raises(fx.ShapeError, match=r"x of shape \(\.\.\., length, 8\); x has shape \(5, 6\)"):
        layer.apply(layer.init(KEY), np.ones((5, 6)))


def test_lengths_and_caches_that_are_known_to_overflow():
    layer = nn.LSTM(3, 4)
    params = layer.init(KEY)
    for lengths in ([6, 1], [-1, 2]):
        with pytest.raises(fx.OutOfBoundsError, match=r"from 0 to the 5 steps of x; got -?\d to \d"):
            layer.apply(params, draw(2, 5, 3), lengths=lengths)
    fx.jit(lambda n: layer.apply(params, draw(2, 5, 3), lengths=n))(np.array([6, 1]))
    attention = nn.MultiHeadAttention(8, 2)
    params, x = attention.init(KEY), draw(1, 3, 8)
    _, cache = attention.apply(params, x, cache=attention.cache(1, 4))
    with pytest.raises(fx.OutOfBoundsError, match="for 4 places holds 3 and gets 3 more"):
        attention.apply(params, x, cache=cache)
    _, cache = fx.jit(lambda cache: attention.apply(params, x[:, :1], cache=cache))(cache)
    assert int(cache["length"]) == 4
