"""The models in fx: layers, losses and optimizers of the library.

Each is (params, averages, x) -> (logits, averages), where averages are the state of batch norms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fx import losses, nn, optim

optim = optim


class Classifier(nn.Layer):
    """ids: (batch, time) -> (batch, classes), from the last output of an LSTM."""

    symbols: int
    width: int
    classes: int

    def layers(self) -> dict[str, Any]:
        embed = nn.Embedding(self.symbols, self.width)
        return {
            "embed": embed,
            "lstm": nn.LSTM(self.width, self.width),
            "head": nn.Linear(self.width, self.classes),
        }

    def forward(self, p: Any, ids: Any) -> Any:
        outputs, _ = p.lstm(p.embed(ids))
        return p.head(outputs[:, -1])


class LanguageModel(nn.Layer):
    """ids: (batch, length) -> (batch, length, symbols); the table of symbols is that of the output too."""

    symbols: int
    length: int
    width: int
    heads: int
    depth: int

    def layers(self) -> dict[str, Any]:
        block = nn.TransformerEncoderLayer(self.width, self.heads, use_bias=False)
        return {
            "embed": nn.Embedding(self.symbols, self.width),
            "positions": nn.LearnedPositions(self.length, self.width),
            "encoder": nn.TransformerEncoder(block, self.depth),
        }

    def forward(self, p: Any, ids: Any) -> Any:
        return p.embed.attend(p.encoder(p.positions(p.embed(ids)), is_causal=True))


def mlp(widths: Sequence[int]) -> Callable[..., Any]:
    return stateless(nn.MLP(widths))


def cnn(side: int, channels: Sequence[int], classes: int) -> Callable[..., Any]:
    c0, c1, c2 = channels
    conv = lambda inputs, outputs: nn.Conv2d(inputs, outputs, 3, padding=1, use_bias=False)
    model = nn.Sequential(
        {
            "conv_1": conv(c0, c1), "norm_1": nn.BatchNorm(c1), "relu_1": nn.relu, "pool_1": nn.MaxPool2d(2),
            "conv_2": conv(c1, c2), "norm_2": nn.BatchNorm(c2), "relu_2": nn.relu, "pool_2": nn.MaxPool2d(2),
            "flatten": nn.Flatten(), "head": nn.Linear(c2 * (side // 4) ** 2, classes),
        }
    )  # fmt: skip
    return lambda params, averages, x: model.apply(params, x, state=averages, training=True)


def lstm(symbols: int, width: int, classes: int) -> Callable[..., Any]:
    return stateless(Classifier(symbols, width, classes))


def transformer(symbols: int, length: int, width: int, heads: int, depth: int) -> Callable[..., Any]:
    return stateless(LanguageModel(symbols, length, width, heads, depth))


def stateless(model: nn.Layer) -> Callable[..., Any]:
    return lambda params, averages, x: (model.apply(params, x), averages)


def cross_entropy(logits: Any, labels: Any) -> Any:
    """The mean over all labels."""
    return losses.softmax_cross_entropy_with_integer_labels(logits, labels, reduction="mean")
