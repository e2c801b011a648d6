"""PyTorch's parameters in fx's layers: the models then compute the same."""

import numpy as np
import pytest
import torch

import fx
import fx.numpy as fnp
from fx import io, nn

KEY = fx.random.key(0)
WIDE = {"dtype": fnp.float64}


def same(ours, theirs):
    np.testing.assert_allclose(np.asarray(ours), theirs.detach().numpy(), atol=1e-10)


def test_convolutions_norms_and_state():
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.ConvTranspose2d(4, 2, 2),
        torch.nn.Flatten(), torch.nn.Linear(2 * 5 * 5, 6), torch.nn.LayerNorm(6),
    ).double()  # fmt: skip
    x = np.random.default_rng(0).normal(size=(5, 6, 6, 3))
    first = torch.tensor(np.moveaxis(x, -1, 1).copy())
    theirs(first)
    model = nn.Sequential({
        "conv": nn.Conv2d(3, 4, 3, **WIDE), "norm": nn.BatchNorm(4, **WIDE), "relu": nn.relu,
        "back": nn.ConvTranspose2d(4, 2, 2, **WIDE),
        "order": lambda h: fnp.moveaxis(h, -1, 1), "flat": nn.Flatten(),
        "out": nn.Linear(50, 6, **WIDE), "last": nn.LayerNorm(6, **WIDE),
    })  # fmt: skip
    like = fx.tree.map(lambda a: fx.ShapeDtype(a.shape, "float64"), fx.eval_shape(model.init, KEY))
    mapping = {"0": "conv", "1": "norm", "3": "back", "5": "out", "6": "last"}
    params, state = io.from_torch(theirs.state_dict(), like, mapping)
    theirs.eval()
    same(model.apply(params, x, state=state)[0], theirs(first))
    with pytest.raises(fx.TreeError, match=r"no mapping names \['6.bias', '6.weight'\]"):
        io.from_torch(theirs.state_dict(), like, {k: v for k, v in mapping.items() if k != "6"})
    with pytest.raises(fx.ArgumentError, match="'7' matches no module"):
        io.from_torch(theirs.state_dict(), like, {**mapping, "7": "x"})


def test_a_transformer():
    block = torch.nn.TransformerEncoderLayer(8, 2, 12, 0.0, "relu", batch_first=True, norm_first=True)
    theirs = torch.nn.TransformerEncoder(block, 2, torch.nn.LayerNorm(8), enable_nested_tensor=False).double()
    for p in theirs.parameters():
        torch.nn.init.normal_(p)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, hidden=12, activation=nn.relu, **WIDE), 2)
    mapping = {"layers.*.self_attn": "layers/*/attn", "norm": "norm"}
    mapping |= {f"layers.*.linear{i}": f"layers/*/{name}" for i, name in ((1, "up"), (2, "down"))}
    mapping |= {f"layers.*.norm{i}": f"layers/*/norm_{i}" for i in (1, 2)}
    params = io.from_torch(theirs.state_dict(), fx.eval_shape(model.init, KEY), mapping)
    x = np.random.default_rng(0).normal(size=(3, 5, 8))
    same(model.apply(params, x), theirs(torch.tensor(x)))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("both", [False, True])
def test_recurrent(name, both):
    theirs = getattr(torch.nn, name)(3, 4, 2, batch_first=True, bidirectional=both).double()
    model = getattr(nn, name)(3, 4, num_layers=2, bidirectional=both, **WIDE)
    wrapped = torch.nn.ModuleDict({"rnn": theirs, "embed": torch.nn.Embedding(5, 3).double()})
    like = {"rnn": model.init(KEY), "embed": nn.Embedding(5, 3, **WIDE).init(KEY)}
    params = io.from_torch(wrapped.state_dict(), like, {"rnn": "rnn", "embed": "embed"})
    x = np.random.default_rng(0).normal(size=(2, 6, 3))
    same(model.apply(params["rnn"], x)[0], theirs(torch.tensor(x))[0])
    same(params["embed"]["table"], wrapped["embed"].weight)


def test_bfloat16_and_files(tmp_path):
    theirs = torch.nn.Linear(3, 2).bfloat16()
    like = nn.Linear(3, 2, dtype="bfloat16").init(KEY)
    params = io.from_torch(theirs.state_dict(), like, {"": ""})
    assert params["kernel"].dtype == fnp.bfloat16
    assert params["kernel"].astype(fnp.float32).tolist() == theirs.weight.float().T.tolist()
    io.save(tmp_path / "m.safetensors", {"weight": params["kernel"].T, "bias": params["bias"]})
    again = io.from_torch(io.load(tmp_path / "m.safetensors"), like, {"": ""})
    assert np.array_equal(again["kernel"], params["kernel"])
    with pytest.raises(fx.TreeError, match=r"bfloat16\[2\]; `like` has float32\[2\]"):
        io.from_torch(theirs.state_dict(), nn.Linear(3, 2).init(KEY), {"": ""})


def test_modules_of_the_same_names_need_no_mapping():
    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.norm = torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)
            self.attn = torch.nn.MultiheadAttention(4, 2, batch_first=True)

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.blocks = Block(), torch.nn.ModuleList([Block(), Block()])

    block = {"up": nn.Linear(3, 4), "norm": nn.BatchNorm(4), "attn": nn.MultiHeadAttention(4, 2)}

    class Own(nn.Layer):
        def layers(self):
            return {"first": nn.Sequential(block), "blocks": [nn.Sequential(block)] * 2}

    theirs = Whole()
    like = fx.eval_shape(Own().init, KEY)
    found = io.from_torch(theirs.state_dict(), like)
    written = {
        f"{name}{end}": f"{place}{end}"
        for name, place in (("first.", "first/"), ("blocks.*.", "blocks/*/"))
        for end in block
    }
    expected = io.from_torch(theirs.state_dict(), like, written)
    assert all(map(np.array_equal, fx.tree.leaves(found), fx.tree.leaves(expected)))
    linear = torch.nn.Linear(3, 2)
    same(io.from_torch(linear.state_dict(), nn.Linear(3, 2).init(KEY))["kernel"].T, linear.weight)
    with pytest.raises(fx.TreeError, match=r"no mapping names \['other.bias', 'other.weight'\]"):
        io.from_torch({f"other.{k}": v for k, v in linear.state_dict().items()}, nn.Linear(3, 2).init(KEY))
