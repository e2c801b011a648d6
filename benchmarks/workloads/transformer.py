"""The step of a transformer block: attention and a feed-forward layer, each behind a layer norm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .training import ADAM_RATE, COUNT, adam_step, moments
from .workload import Arrays, Workload, normal, weights


def layer_norm(np_: Any, x: Any, gain: Any, bias: Any) -> Any:
    """Over the last axis. Source: Ba, Kiros and Hinton 2016."""
    mean = np_.mean(x, axis=-1, keepdims=True)
    var = np_.mean((x - mean) ** 2, axis=-1, keepdims=True)
    return (x - mean) / np_.sqrt(var + 1e-5) * gain + bias


def attention(s: Any, x: Any, w_in: Any, b_in: Any, w_out: Any, b_out: Any, heads: int) -> Any:
    """x: (batch, tokens, d). Source: Vaswani et al. 2017."""
    batch, tokens, d = x.shape
    split = lambda a: s.np.swapaxes(a.reshape(batch, tokens, heads, d // heads), 1, 2)
    projected = x @ w_in + b_in
    q, k, v = (split(projected[..., n * d : (n + 1) * d]) for n in range(3))
    scores = s.softmax(q @ s.np.swapaxes(k, -1, -2) * (d // heads) ** -0.5)
    return s.np.swapaxes(scores @ v, 1, 2).reshape(batch, tokens, d) @ w_out + b_out


def block_loss(s: Any, heads: int) -> Callable[..., Any]:
    def loss(params: Any, x: Any, target: Any) -> Any:
        gain1, bias1, w_in, b_in, w_out, b_out, gain2, bias2, w1, b1, w2, b2 = params
        x = x + attention(s, layer_norm(s.np, x, gain1, bias1), w_in, b_in, w_out, b_out, heads)
        h = s.gelu(layer_norm(s.np, x, gain2, bias2) @ w1 + b1)
        return s.np.mean((x + h @ w2 + b2 - target) ** 2)

    return loss


def torch_block(t: Any, params: Arrays, heads: int) -> Any:
    """The module, channels and heads as PyTorch's own layers have them."""
    nn, functional, d = t.torch.nn, t.torch.nn.functional, params[0].shape[0]

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.inner, self.outer = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
            self.norm2, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

        def forward(self, x: Any) -> Any:
            split = lambda a: a.unflatten(-1, (heads, d // heads)).transpose(1, 2)
            q, k, v = map(split, self.inner(self.norm1(x)).chunk(3, dim=-1))
            mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            x = x + self.outer(mixed)
            return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate="tanh"))

    return t.load(Block(), *(transposed(p) for p in params))


def transposed(p: Any) -> Any:
    return p.T.contiguous() if p.ndim == 2 else p


def transformer_block(size: int, tokens: int, d: int, heads: int) -> Workload:
    def inputs(rng: np.random.Generator) -> Arrays:
        norm = lambda: (1 + normal(rng, d, scale=0.1), normal(rng, d, scale=0.1))
        linear = lambda m, n: (weights(rng, m, n), normal(rng, n, scale=0.1))
        params = *norm(), *linear(d, 3 * d), *linear(d, d), *norm(), *linear(d, 4 * d), *linear(4 * d, d)
        data = normal(rng, size, tokens, d), normal(rng, size, tokens, d)
        return params, *moments(rng, params), ADAM_RATE, *data

    def torch(t: Any, params: Arrays, first: Arrays, second: Arrays, lr: Any, x: Any, target: Any) -> Any:
        block = torch_block(t, params, heads)
        own = list(block.parameters())
        adam = t.adam(own, float(lr), [*map(transposed, first)], [*map(transposed, second)], COUNT)
        mse = t.torch.nn.functional.mse_loss
        return t.training(lambda: mse(block(x), target), adam, [(p, transposed) for p in own])

    rows = size * tokens
    forward = 2.0 * rows * d * (3 * d + d + 8 * d) + 2 * 2.0 * rows * tokens * d
    return Workload(
        f"transformer block step, d {d}, {heads} heads, {tokens} tokens, batch {size}, Adam",
        "transformer",
        inputs=inputs,
        function=lambda s: adam_step(s, block_loss(s, heads)),
        torch=torch,
        runs_on=("fx", "jax", "autograd"),
        flops=3 * forward,
        bars=(("fma, all cores", 0.5),),
        tolerance=5e-4,
        state=3,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    yield transformer_block(2, 5, 8, 2) if tiny else transformer_block(8, 128, 256, 8)
