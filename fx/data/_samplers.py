"""In which order examples are taken: a pure function of the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any, Protocol

import numpy as np

import fx
from fx import random

from ._fields import Checked


class Sampler(Protocol):
    """`indices(epoch)` gives the numbers of the examples of an epoch, in order, always the same."""

    def indices(self, epoch: int) -> np.ndarray[Any, Any]:
        """Integers (n,)."""
        ...


@dataclass(frozen=True)
class SequentialSampler(Checked):
    """0, 1, ..., count - 1."""

    count: int

    def indices(self, epoch: int) -> np.ndarray[Any, Any]:
        return np.arange(self.count)


@dataclass(frozen=True, eq=False)
class RandomSampler(Checked):
    """All examples in an order that key and epoch decide."""

    count: int
    key: Any

    def indices(self, epoch: int) -> np.ndarray[Any, Any]:
        return np.asarray(random.permutation(random.fold_in(self.key, epoch), self.count))


@dataclass(frozen=True, eq=False)
class WeightedSampler(Checked):
    """`draws` examples, each drawn with a probability in proportion to its weight.

    Args:
        weights: (count,), not negative.
        replacement: whether an example may be drawn twice.
    """

    weights: Any
    draws: int
    key: Any
    replacement: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = _weights(self.weights)
        if (
            weights.ndim != 1
            or not np.isfinite(weights).all()
            or (weights < 0).any()
            or not weights.sum() > 0
        ):
            raise fx.ArgumentError(
                f"WeightedSampler: weights are (count,) numbers, none negative, not all 0; got shape {weights.shape}."
            )
        if not self.replacement and self.draws > np.count_nonzero(weights):
            raise fx.ArgumentError(
                f"WeightedSampler: {self.draws} draws without replacement from {np.count_nonzero(weights)} examples "
                "of positive weight."
            )

    def indices(self, epoch: int) -> np.ndarray[Any, Any]:
        key, weights = random.fold_in(self.key, epoch), np.asarray(self.weights, float)
        p = (weights / weights.sum()).astype(np.float64)
        return np.asarray(random.choice(key, len(p), (self.draws,), self.replacement, p))


def _weights(given: Any) -> np.ndarray[Any, Any]:
    found = np.asarray(fx.numpy.asarray(given))
    if found.dtype.kind not in "biuf":
        raise fx.ArgumentError(f"WeightedSampler: weights are real numbers; got {found.dtype}.")
    return found.astype(float)


@dataclass(frozen=True, eq=False)
class ShardedSampler(Checked):
    """The part of another sampler's examples that process `shard` of `shards` takes: every shards-th of them.

    All parts have one size: what is left over is dropped with `drop_last`, or else filled with examples of the front.
    """

    sampler: Sampler
    shard: int
    shards: int
    drop_last: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not hasattr(self.sampler, "indices"):
            raise fx.ArgumentError(
                f"ShardedSampler: sampler must have indices(epoch), as SequentialSampler; got {brief(self.sampler)}."
            )
        if not 0 <= self.shard < self.shards:
            raise fx.ArgumentError(f"ShardedSampler: shard {self.shard} is not one of {self.shards}.")

    def indices(self, epoch: int) -> np.ndarray[Any, Any]:
        every = self.sampler.indices(epoch)
        size = (
            len(every) // self.shards if self.drop_last or not len(every) else -(-len(every) // self.shards)
        )
        return np.resize(every, size * self.shards)[self.shard :: self.shards]
