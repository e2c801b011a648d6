"""Gradient descent that tells little about any one example: dpsgd."""

from __future__ import annotations

from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._clipping import per_example_global_norm_clip
from ._contract import Optimizer, chain, identity
from ._descent import random_like
from ._leaves import check_at_least, map_leaves
from ._options import options
from ._parts import LearningRate, scale_by_learning_rate, trace


@options
def dpsgd(
    learning_rate: LearningRate,
    l2_norm_clip: Any,
    noise_multiplier: Any,
    key: Any,
    momentum: Any = None,
    nesterov: bool = False,
) -> Optimizer:
    """Gradient descent, with momentum, along gradients that `differentially_private_aggregate` gives.

    `update` takes gradients of every example: `fx.vmap(fx.grad(loss), in_axes=(None, 0))(params, batch)`.

    Source: Abadi et al. 2016, Algorithm 1.
    """
    part = differentially_private_aggregate(l2_norm_clip, noise_multiplier, key)
    velocity = identity() if momentum is None else trace(momentum, nesterov)
    return chain(part, velocity, scale_by_learning_rate(learning_rate))


class PrivateState(NamedTuple):
    """rng_key: of the noise of the next update."""

    rng_key: Any


@options
def differentially_private_aggregate(l2_norm_clip: Any, noise_multiplier: Any, key: Any) -> Optimizer:
    """The mean of the examples' gradients, each clipped to the norm l2_norm_clip, plus normal noise.

    Args:
        noise_multiplier: the standard deviation of the noise of the sum over l2_norm_clip.
        key: a key of `fx.random`, or a number for one; the state has it, so that a run can be repeated.

    Raises:
        ShapeError: gradients do not have the examples along the first axis of every leaf.
    """
    check_at_least(0, "dpsgd", l2_norm_clip=l2_norm_clip, noise_multiplier=noise_multiplier)

    def init(params: Any) -> PrivateState:
        return PrivateState(fx.random.key(key) if isinstance(key, int) else fnp.asarray(key))

    def update(grads: Any, state: PrivateState, params: Any = None, **extra: Any) -> tuple[Any, PrivateState]:
        examples = _examples(grads)
        clipped, _ = per_example_global_norm_clip(grads, l2_norm_clip)
        kept, drawn = fx.random.split(state.rng_key)
        noise = random_like(fx.random.normal, drawn, clipped)
        scale = noise_multiplier * l2_norm_clip
        updates = map_leaves(lambda g, n: (g + scale * n) / examples, clipped, noise)
        return updates, PrivateState(kept)

    return Optimizer(init, update)


def _examples(grads: Any) -> int:
    shapes = [fnp.shape(x) for x in fx.tree.leaves(grads)]
    if not shapes or () in shapes or len({shape[0] for shape in shapes}) != 1:
        raise fx.ShapeError(
            f"dpsgd takes gradients of every example, along the first axis of every leaf; got shapes {shapes}.\n"
            "Write fx.vmap(fx.grad(loss), in_axes=(None, 0))(params, batch)."
        )
    return max(shapes[0][0], 1)
