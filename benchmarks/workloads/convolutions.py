"""A small convolutional network and a residual block. PyTorch has its channels first, the others last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .training import SGD_RATE, sgd_step
from .workload import Arrays, Workload, normal, weights

CLASSES = 10
last_to_first = lambda x: x.permute(0, 3, 1, 2).contiguous()
kernel_to_torch = lambda w: w.permute(3, 2, 0, 1).contiguous()
kernel_from_torch = lambda w: w.permute(2, 3, 1, 0)
as_is = lambda p: p


def cnn(size: int, side: int, channels: tuple[int, int, int]) -> Workload:
    """(conv, ReLU, max pool) twice, then a linear layer; SGD."""
    c0, c1, c2 = channels
    features = c2 * (side // 4) ** 2

    def inputs(rng: np.random.Generator) -> Arrays:
        kernels = weights(rng, 3, 3, c0, c1), normal(rng, c1), weights(rng, 3, 3, c1, c2), normal(rng, c2)
        params = *kernels, weights(rng, features, CLASSES), normal(rng, CLASSES)
        return params, SGD_RATE, normal(rng, size, side, side, c0), rng.integers(0, CLASSES, size)

    def function(s: Any) -> Any:
        def loss(params: Any, x: Any, labels: Any) -> Any:
            k1, b1, k2, b2, w, b = params
            h = s.max_pool(s.relu(s.conv(x, k1) + b1))
            h = s.max_pool(s.relu(s.conv(h, k2) + b2))
            return s.cross_entropy(h.reshape(len(x), -1) @ w + b, labels)

        return sgd_step(s, loss)

    def torch(t: Any, params: Arrays, lr: Any, x: Any, labels: Any) -> Any:
        nn, x = t.torch.nn, last_to_first(x)
        # the rows of the linear layer: from (height, width, channel) to (channel, height, width) and back
        grid = (side // 4, side // 4, c2, CLASSES)
        to_rows = lambda w: w.reshape(grid).permute(3, 2, 0, 1).reshape(CLASSES, features).contiguous()
        from_rows = lambda w: w.reshape(CLASSES, c2, *grid[:2]).permute(2, 3, 1, 0).reshape(features, CLASSES)
        layers = [nn.Conv2d(c0, c1, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(c1, c2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, CLASSES))
        into = (kernel_to_torch, as_is, kernel_to_torch, as_is, to_rows, as_is)
        back = (kernel_from_torch, as_is, kernel_from_torch, as_is, from_rows, as_is)
        t.load(net, *(f(p) for f, p in zip(into, params)))
        cross_entropy = nn.functional.cross_entropy
        optimizer = t.sgd(list(net.parameters()), float(lr))
        return t.training(lambda: cross_entropy(net(x), labels), optimizer, zip(net.parameters(), back))

    conv1, conv2 = 2.0 * size * side**2 * 9 * c0 * c1, 2.0 * size * (side // 2) ** 2 * 9 * c1 * c2
    dense = 2.0 * size * features * CLASSES
    return Workload(
        f"CNN step, {c0}x{side}x{side}, batch {size}, conv {c1} and {c2}, SGD",
        "convolutions",
        inputs=inputs,
        function=function,
        torch=torch,
        flops=2 * conv1 + 3 * conv2 + 3 * dense,
        bars=(("fma, all cores", 0.5),),
        tolerance=5e-4,
        state=1,
    )


def residual_block(size: int, side: int, channels: int) -> Workload:
    """ReLU(x + norm(conv(ReLU(norm(conv(x)))))), normalized over the batch as in training; SGD."""

    def inputs(rng: np.random.Generator) -> Arrays:
        layer = lambda: (
            weights(rng, 3, 3, channels, channels),
            1 + normal(rng, channels, scale=0.1),
            normal(rng, channels),
        )
        image = lambda: normal(rng, size, side, side, channels)
        return (*layer(), *layer()), SGD_RATE, image(), image()

    def function(s: Any) -> Any:
        def norm(h: Any, gain: Any, bias: Any) -> Any:
            mean, var = s.np.mean(h, axis=(0, 1, 2)), s.np.var(h, axis=(0, 1, 2))
            return (h - mean) / s.np.sqrt(var + 1e-5) * gain + bias

        def loss(params: Any, x: Any, target: Any) -> Any:
            k1, gain1, bias1, k2, gain2, bias2 = params
            h = s.relu(norm(s.conv(x, k1), gain1, bias1))
            h = s.relu(x + norm(s.conv(h, k2), gain2, bias2))
            return s.np.mean((h - target) ** 2)

        return sgd_step(s, loss)

    def torch(t: Any, params: Arrays, lr: Any, x: Any, target: Any) -> Any:
        nn, x, target = t.torch.nn, last_to_first(x), last_to_first(target)
        conv = lambda: nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        branch = nn.Sequential(conv(), nn.BatchNorm2d(channels), nn.ReLU(), conv(), nn.BatchNorm2d(channels))
        into, back = (kernel_to_torch, as_is, as_is) * 2, (kernel_from_torch, as_is, as_is) * 2
        t.load(branch, *(f(p) for f, p in zip(into, params)))
        functional = nn.functional
        loss = lambda: functional.mse_loss(functional.relu(x + branch(x)), target)
        optimizer = t.sgd(list(branch.parameters()), float(lr))
        return t.training(loss, optimizer, zip(branch.parameters(), back))

    conv = 2.0 * size * side**2 * 9 * channels**2
    return Workload(
        f"ResNet block step, {channels}x{side}x{side}, batch {size}, SGD",
        "convolutions",
        inputs=inputs,
        function=function,
        torch=torch,
        flops=5 * conv,
        tolerance=5e-4,
        state=1,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    yield cnn(2, 8, (3, 4, 5)) if tiny else cnn(64, 32, (3, 32, 64))
    yield residual_block(2, 6, 4) if tiny else residual_block(32, 16, 64)
