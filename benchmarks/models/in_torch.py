"""The models in PyTorch: modules, into which the tree of parameters is copied.

Each is (x, params, averages, sizes) -> (module, x in its layout, entries): an entry has a tensor of the module for each
leaf of (params, averages), in their order, and what changes from the one's layout to the other's and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

as_is = lambda a: a
turned = lambda a: a.T


class Entry(NamedTuple):
    own: Any
    into: Callable[[Any], Any] = as_is
    back: Callable[[Any], Any] = as_is


class Classifier(nn.Module):
    """ids: (batch, time) -> (batch, classes), from the last output of an LSTM."""

    def __init__(self, symbols: int, width: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(symbols, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, classes)
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)

    def forward(self, ids: Any) -> Any:
        return self.head(self.lstm(self.embed(ids))[0][:, -1])


class Block(nn.Module):
    """Causal attention and an MLP, each behind a layer norm; one product makes query, key and value."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        linear = lambda m, n: nn.Linear(m * width, n * width, bias=False)
        self.norm_1, self.qkv, self.out = nn.LayerNorm(width), linear(1, 3), linear(1, 1)
        self.norm_2, self.up, self.down = nn.LayerNorm(width), linear(1, 4), linear(4, 1)

    def forward(self, x: Any) -> Any:
        split = lambda a: a.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = map(split, self.qkv(self.norm_1(x)).chunk(3, dim=-1))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class LanguageModel(nn.Module):
    """ids: (batch, length) -> (batch, length, symbols); the table of symbols is that of the output too."""

    def __init__(self, symbols: int, length: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.embed, self.positions = nn.Embedding(symbols, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Any) -> Any:
        x = self.embed(ids) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.embed.weight)


def loaded(
    model: Callable[..., Any], x: Any, sizes: Sequence[Any], leaves: Sequence[Any]
) -> tuple[Any, Any, list[Entry]]:
    """What `model(x, *sizes)` gives, in the dtype of the leaves of (params, averages) and with their values."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(leaves[0].dtype)
    try:
        module, x, entries = model(x, *sizes)
    finally:
        torch.set_default_dtype(before)
    with torch.no_grad():
        for entry, leaf in zip(entries, leaves, strict=True):
            entry.own.copy_(entry.into(leaf))
    return module, x, entries


def mlp(x: Any, widths: Sequence[int]) -> tuple[Any, Any, list[Entry]]:
    layers = [nn.Linear(*pair) for pair in pairwise(widths)]
    module = nn.Sequential(*[m for layer in layers for m in (layer, nn.ReLU())][:-1])
    return module, x, [e for layer in layers for e in linear(layer)]


def cnn(x: Any, side: int, channels: Sequence[int], classes: int) -> tuple[Any, Any, list[Entry]]:
    c0, c1, c2 = channels
    convs = [nn.Conv2d(m, n, 3, padding=1, bias=False) for m, n in pairwise(channels)]
    norms, head = [nn.BatchNorm2d(c1), nn.BatchNorm2d(c2)], nn.Linear(c2 * (side // 4) ** 2, classes)
    blocks = [m for conv, norm in zip(convs, norms) for m in (conv, norm, nn.ReLU(), nn.MaxPool2d(2))]
    # the rows of the last layer: from (height, width, channel) to (channel, height, width) and back
    grid, flat = (side // 4, side // 4, c2, classes), (-1, classes)
    into = lambda w: w.reshape(grid).permute(3, 2, 0, 1).reshape(classes, -1)
    back = lambda w: w.reshape(classes, c2, *grid[:2]).permute(2, 3, 1, 0).reshape(flat)
    kernel = lambda w: w.permute(3, 2, 0, 1), lambda w: w.permute(2, 3, 1, 0)
    entries = [Entry(conv.weight, *kernel) for conv in convs] + [
        Entry(head.bias),
        Entry(head.weight, into, back),
    ]
    entries += [e for norm in norms for e in (Entry(norm.bias), Entry(norm.weight))]
    entries += [e for norm in norms for e in (Entry(norm.running_mean), Entry(norm.running_var))]
    return nn.Sequential(*blocks, nn.Flatten(), head), x.permute(0, 3, 1, 2).contiguous(), entries


def lstm(x: Any, symbols: int, width: int, classes: int) -> tuple[Any, Any, list[Entry]]:
    model = Classifier(symbols, width, classes)
    cell = [Entry(model.lstm.bias_ih_l0)]
    cell += [Entry(w, turned, turned) for w in (model.lstm.weight_hh_l0, model.lstm.weight_ih_l0)]
    return model, x, [Entry(model.embed.weight), *linear(model.head), *cell]


def transformer(
    x: Any, symbols: int, length: int, width: int, heads: int, depth: int
) -> tuple[Any, Any, list[Entry]]:
    model = LanguageModel(symbols, length, width, heads, depth)
    norm = lambda layer: [Entry(layer.bias), Entry(layer.weight)]

    def block(own: Block) -> list[Entry]:
        wq, wk, wv = own.qkv.weight.detach().split(width)
        attn = [Entry(w, turned, turned) for w in (wk, own.out.weight, wq, wv)]
        return [*attn, *linear(own.down), *norm(own.norm_1), *norm(own.norm_2), *linear(own.up)]

    inner = [e for own in model.blocks for e in block(own)]
    return (
        model,
        x,
        [
            Entry(model.embed.weight),
            *inner,
            *norm(model.norm),
            Entry(model.positions.weight),
        ],
    )


def linear(layer: Any) -> list[Entry]:
    weight = Entry(layer.weight, turned, turned)
    return [weight] if layer.bias is None else [Entry(layer.bias), weight]


def cross_entropy(logits: Any, labels: Any) -> Any:
    """The mean over all labels."""
    return functional.cross_entropy(logits.flatten(0, -2), labels.flatten())


def adamw(parameters: Sequence[Any], lr: float, weight_decay: float) -> Any:
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay, fused=True)
