"""Matrix products, and einsum chains, whose order of contraction matters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .workload import Workload, normal

SQUARES = (64, 128, 256, 512, 1024, 2048)
SKINNY = ((4096, 64, 64), (64, 4096, 64), (64, 64, 4096))
LARGE = 512
"""From this n on nearly all of the FMA limit is to be reached."""


def product(m: int, k: int, n: int) -> Workload:
    return Workload(
        f"product {m}x{k} by {k}x{n}",
        "products",
        inputs=lambda rng: (normal(rng, m, k), normal(rng, k, n)),
        function=lambda s: lambda x, y: x @ y,
        torch=lambda t, x, y: t.function(lambda x, y: x @ y, x, y),
        runs_on=("fx", "jax", "numpy"),
        flops=2.0 * m * k * n,
        bars=(("fma", 0.9),) if min(m, k, n) >= LARGE else (),
    )


def chain(wide: int, narrow: int) -> Workload:
    """ij,jk,kl,lm->im with sizes wide, narrow, wide, narrow, wide: best from the right pair on."""
    shapes = [(wide, narrow), (narrow, wide), (wide, narrow), (narrow, wide)]
    formula = "ij,jk,kl,lm->im"
    return Workload(
        f"einsum {formula}, {wide} and {narrow}",
        "contractions",
        inputs=lambda rng: tuple(normal(rng, *shape, scale=shape[0] ** -0.5) for shape in shapes),
        function=lambda s: lambda *arrays: s.einsum(formula, *arrays),
        torch=lambda t, *arrays: t.function(lambda *a: t.torch.einsum(formula, *a), *arrays),
        runs_on=("fx", "jax", "autograd", "numpy"),
        flops=2.0 * wide * narrow * (2 * narrow + wide),
    )


def batched_chain(batch: int, n: int, rank: int) -> Workload:
    """bir,brj,bjs,bsk->bik, value and gradient by all operands of a weighted sum.

    Not in HIPS autograd, whose gradients of einsum take no path: a minute a call.
    """
    shapes = [(batch, n, rank), (batch, rank, n), (batch, n, rank), (batch, rank, n)]
    formula = "bir,brj,bjs,bsk->bik"

    def torch(t: Any, target: Any, *arrays: Any) -> Any:
        loss = lambda target, *a: (t.torch.einsum(formula, *a) * target).sum()
        return t.gradient(loss, target, *arrays, argnums=(1, 2, 3, 4))

    def function(s: Any) -> Any:
        loss = lambda target, *a: s.np.sum(s.einsum(formula, *a) * target)
        return s.value_and_grad(loss, (1, 2, 3, 4))

    return Workload(
        f"einsum {formula} and gradients, {batch} of {n} by {rank}",
        "contractions",
        inputs=lambda rng: (
            normal(rng, batch, n, n),
            *(normal(rng, *shape, scale=shape[1] ** -0.5) for shape in shapes),
        ),
        function=function,
        torch=torch,
    )


def workloads(tiny: bool) -> Iterator[Workload]:
    for shape in [(2, 3, 4)] if tiny else [(n, n, n) for n in SQUARES] + list(SKINNY):
        yield product(*shape)
    yield chain(8, 3) if tiny else chain(512, 64)
    yield batched_chain(2, 5, 3) if tiny else batched_chain(32, 128, 16)
