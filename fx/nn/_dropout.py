"""Layers that draw random numbers in training."""

from __future__ import annotations

from typing import Any

import fx
import fx.numpy as fnp
from fx import random

from ._checks import probability
from ._inputs import real
from ._layer import Layer
from ._scope import Scope


class Dropout(Layer):
    """In training each element is 0 with probability `rate`, else divided by 1 - rate; otherwise x itself.

    Source: Srivastava et al. 2014.
    """

    rate: float

    def validate(self) -> None:
        probability(self, "rate")

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with elements dropped, where `apply` was given a key."""
        x = real(x, "Dropout")
        if not p.training or self.rate == 0:
            return x
        return dropped(x, p.key(), self.rate, x.shape)


def dropped(x: fx.Array, key: Any, rate: float, shape: tuple[int, ...]) -> fx.Array:
    """x with one draw for each place of `shape`, which broadcasts over x."""
    if rate == 1:
        return fnp.zeros_like(x)
    return fnp.where(random.bernoulli(key, 1 - rate, shape), x / (1 - rate), 0.0)
