"""The training: an MLP, cross-entropy, Adam with a learning rate that falls to 0, one compiled step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import fx
import fx.numpy as fnp
from fx import losses, nn, optim, random

from .digits import Digits, Split

BATCH = 64
LEARNING_RATE = 3e-3
CLASSES = 10
HIDDEN = (256, 128)
EPOCHS = 30


@dataclass
class History:
    """What a training leaves behind: the model, and a curve per epoch."""

    model: nn.MLP
    params: Any = None
    loss: list[float] = field(default_factory=list)
    """Mean training loss of each epoch."""
    accuracy: list[float] = field(default_factory=list)
    """Held-out accuracy after each epoch."""


def train(
    digits: Digits,
    key: Any,
    *,
    hidden: Sequence[int] = HIDDEN,
    epochs: int = EPOCHS,
    report: Callable[[History], None] = lambda history: None,
) -> History:
    """Train from the key; `report` is called after every epoch. The same key gives the same result."""
    model = nn.MLP([digits.train.pixels.shape[1], *hidden, CLASSES], kernel_init=nn.initializers.he_normal())
    init_key, order_key = random.split(key)
    count = len(digits.train.labels)
    optimizer = optim.adam(cosine_decay(LEARNING_RATE, epochs * (count // BATCH)))
    history = History(model, model.init(init_key))
    state = optimizer.init(history.params)
    step = make_step(model, optimizer)
    accuracy = fx.jit(lambda params, split: fnp.mean(predict(model, params, split.pixels) == split.labels))

    for epoch_key in random.split(order_key, epochs):
        total: Any = 0.0
        for batch in batches(digits.train, epoch_key):
            history.params, state, loss = step(history.params, state, batch)
            total = total + loss
        history.loss.append(float(total) / (count // BATCH))
        history.accuracy.append(float(accuracy(history.params, digits.held_out)))
        report(history)
    return history


def make_step(model: nn.MLP, optimizer: optim.Optimizer) -> Callable[..., Any]:
    """The compiled step: (params, state, batch) -> (params, state, loss)."""

    def loss_fn(params: Any, batch: Split) -> Any:
        logits = model.apply(params, batch.pixels)
        return losses.softmax_cross_entropy_with_integer_labels(logits, batch.labels, reduction="mean")

    @fx.jit
    def step(params: Any, state: Any, batch: Split) -> Any:
        loss, grads = fx.value_and_grad(loss_fn)(params, batch)
        updates, state = optimizer.update(grads, state, params)
        return optim.apply_updates(params, updates), state, loss

    return step


def cosine_decay(peak: float, steps: int) -> Callable[[Any], Any]:
    """The schedule from `peak` at the first step to 0 after the last one, along half a cosine."""
    return lambda count: peak * 0.5 * (1 + fnp.cos(fnp.pi * count / steps))


def batches(split: Split, key: Any) -> Any:
    """Full batches in an order drawn from the key."""
    order = random.permutation(key, len(split.labels))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[start : start + BATCH]
        yield Split(split.pixels[chosen], split.labels[chosen])


def predict(model: nn.MLP, params: Any, pixels: Any) -> Any:
    """The most likely class of each image: (n, 64) -> (n,)."""
    return fnp.argmax(model.apply(params, pixels), axis=-1)
