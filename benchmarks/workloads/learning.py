"""Training steps made of a library's own parts: fx's layers, losses and optimizers, JAX with Optax, PyTorch's modules.

AdamW with clipping by the global norm and cross-entropy, from its start, for four kinds of networks. All begin at the
same parameters. Verified are the losses of several steps in a row; parameters are not, because the first steps of Adam
divide rounding errors of tiny gradients by themselves. In float64 the tests compare parameters and averages too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from .workload import Arrays, Workload, flat, normal, weights

RATE = np.float32(1e-3)
MAX_NORM, DECAY = 0.5, 0.01
STEPS = 4


def step(s: Any, model: str, sizes: tuple[Any, ...]) -> Callable[..., Any]:
    """(params, averages, optimizer's state, lr, x, labels) -> loss, params, averages, state."""
    library = s.learning()
    forward = getattr(library, model)(*sizes)

    def loss(params: Any, averages: Any, x: Any, labels: Any) -> Any:
        logits, averages = forward(params, averages, x)
        return library.cross_entropy(logits, labels), averages

    def train(params: Any, averages: Any, state: Any, lr: Any, x: Any, labels: Any) -> Any:
        (value, averages), grads = s.value_and_grad(loss, has_aux=True)(params, averages, x, labels)
        updates, state = optimizer(library.optim, lr).update(grads, state, params)
        return value, library.optim.apply_updates(params, updates), averages, state

    return train


def optimizer(optim: Any, lr: Any) -> Any:
    """By fx.optim, or by Optax, whose names are the same."""
    return optim.chain(optim.clip_by_global_norm(MAX_NORM), optim.adamw(lr, weight_decay=DECAY))


def begin(s: Any, params: Any, averages: Any, lr: Any, x: Any, labels: Any) -> Arrays:
    return params, averages, optimizer(s.learning().optim, lr).init(params), lr, x, labels


def torch_task(t: Any, model: str, sizes: tuple[Any, ...], arguments: Arrays) -> Any:
    params, averages, lr, x, labels = arguments
    library = t.learning()
    net, x, entries = library.loaded(getattr(library, model), x, sizes, flat((params, averages)))
    trained = [p for p in net.parameters() if p.requires_grad]
    loss = lambda: library.cross_entropy(net(x), labels)
    own = [(e.own, e.back) for e in entries]
    return t.training(loss, library.adamw(trained, float(lr), DECAY), own, max_norm=MAX_NORM, moments=())


def workload(
    text: str,
    model: str,
    sizes: tuple[Any, ...],
    inputs: Callable[[np.random.Generator], Arrays],
    flops: float,
) -> Workload:
    """`inputs`: a generator -> params, averages, x, labels."""

    def arguments(rng: np.random.Generator) -> Arrays:
        params, averages, x, labels = inputs(rng)
        return params, averages, RATE, x, labels

    return Workload(
        f"{text}, AdamW by the library",
        "learning",
        inputs=arguments,
        function=lambda s: step(s, model, sizes),
        prepare=begin,
        shown=lambda result: result[:3],
        steps=STEPS,
        torch=lambda t, *arguments: torch_task(t, model, sizes, arguments),
        flops=flops,
        tolerance=1e-4,
        summary=lambda outputs: [a for a in outputs if a.ndim == 0],
        state=3,
    )


def mlp(size: int, widths: tuple[int, ...]) -> Workload:
    def inputs(rng: np.random.Generator) -> Arrays:
        params = {f"linear_{n}": linear(rng, *pair) for n, pair in enumerate(pairwise(widths))}
        return params, {}, normal(rng, size, widths[0]), rng.integers(0, widths[-1], size)

    products = [2.0 * size * m * n for m, n in pairwise(widths)]
    text = f"MLP {'-'.join(map(str, widths))}, batch {size}"
    return workload(text, "mlp", (widths,), inputs, 3 * sum(products) - products[0])


def cnn(size: int, side: int, channels: tuple[int, int, int], classes: int) -> Workload:
    features = channels[-1] * (side // 4) ** 2

    def inputs(rng: np.random.Generator) -> Arrays:
        layers = list(enumerate(pairwise(channels), 1))
        params = {f"conv_{n}": {"kernel": weights(rng, 3, 3, *pair)} for n, pair in layers}
        params |= {f"norm_{n}": norm(rng, c) for n, (_, c) in layers}
        averages = {f"norm_{n}": {"mean": np.zeros(c), "var": np.ones(c)} for n, (_, c) in layers}
        images, labels = normal(rng, size, side, side, channels[0]), rng.integers(0, classes, size)
        return {**params, "head": linear(rng, features, classes)}, averages, images, labels

    conv1, conv2 = (
        2.0 * size * (side // r) ** 2 * 9 * m * n for r, (m, n) in zip((1, 2), pairwise(channels))
    )
    text = f"CNN {channels[0]}x{side}x{side}, batch {size}, conv {channels[1]} and {channels[2]}, batch norm"
    flops = 2 * conv1 + 3 * conv2 + 3 * 2.0 * size * features * classes
    return workload(text, "cnn", (side, channels, classes), inputs, flops)


def lstm(size: int, steps: int, symbols: int, width: int, classes: int) -> Workload:
    def inputs(rng: np.random.Generator) -> Arrays:
        cell = {"wx": weights(rng, width, 4 * width), "wh": weights(rng, width, 4 * width)}
        cell["b"] = normal(rng, 4 * width, scale=0.1)
        params = {"embed": {"table": normal(rng, symbols, width)}, "lstm": {"layers": [{"cell": cell}]}}
        ids, labels = rng.integers(0, symbols, (size, steps)), rng.integers(0, classes, size)
        return {**params, "head": linear(rng, width, classes)}, {}, ids, labels

    text = f"LSTM {width}, {steps} steps, batch {size}, embedding and last output"
    return workload(
        text, "lstm", (symbols, width, classes), inputs, 6 * 2.0 * steps * size * width * 4 * width
    )


def transformer(size: int, length: int, symbols: int, width: int, heads: int, depth: int) -> Workload:
    def block(rng: np.random.Generator) -> dict[str, Any]:
        made = {"attn": {f"w{name}": weights(rng, width, width) for name in "qkvo"}}
        made |= {
            "up": {"kernel": weights(rng, width, 4 * width)},
            "down": {"kernel": weights(rng, 4 * width, width)},
        }
        return {**made, "norm_1": norm(rng, width), "norm_2": norm(rng, width)}

    def inputs(rng: np.random.Generator) -> Arrays:
        table = lambda n: {"table": normal(rng, n, width, scale=width**-0.5)}
        encoder = {"layers": [block(rng) for _ in range(depth)], "norm": norm(rng, width)}
        params = {"embed": table(symbols), "positions": table(length), "encoder": encoder}
        text = rng.integers(0, symbols, (size, length + 1))
        return params, {}, text[:, :-1], text[:, 1:]

    rows = size * length
    # of the products of attention half counts: the others are masked
    forward = (
        depth * (2.0 * rows * 12 * width**2 + 2.0 * rows * length * width) + 2.0 * rows * width * symbols
    )
    name = f"transformer, d {width}, {heads} heads, {length} tokens, batch {size}, {depth} layers"
    return workload(name, "transformer", (symbols, length, width, heads, depth), inputs, 3 * forward)


def linear(rng: np.random.Generator, inputs: int, outputs: int) -> dict[str, Any]:
    return {"kernel": weights(rng, inputs, outputs), "bias": normal(rng, outputs, scale=0.1)}


def norm(rng: np.random.Generator, width: int) -> dict[str, Any]:
    return {"scale": 1 + normal(rng, width, scale=0.1), "bias": normal(rng, width, scale=0.1)}


def workloads(tiny: bool) -> Iterator[Workload]:
    yield mlp(4, (6, 9, 8, 3)) if tiny else mlp(128, (784, 512, 512, 10))
    yield cnn(2, 8, (3, 4, 5), 3) if tiny else cnn(64, 32, (3, 32, 64), 10)
    yield lstm(3, 4, 7, 5, 3) if tiny else lstm(32, 64, 256, 128, 10)
    yield transformer(2, 5, 7, 8, 2, 2) if tiny else transformer(8, 128, 256, 256, 8, 2)
