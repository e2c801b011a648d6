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


class _ChannelDropout(Dropout):
    """Dropout of whole channels: one draw for each example and channel."""

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with channels dropped. x: (batch, *space, channels)."""
        x = real(x, type(self).__name__)
        if x.ndim < 2:
            raise fx.ShapeError(f"{self} takes x of shape (batch, ..., channels); x has shape {x.shape}.")
        if not p.training or self.rate == 0:
            return x
        return dropped(x, p.key(), self.rate, (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1]))


class Dropout1d(_ChannelDropout):
    """In training each channel of each example is 0 with probability `rate`. x: (batch, length, channels).

    Source: Tompson et al. 2015.
    """


class Dropout2d(_ChannelDropout):
    """`Dropout1d` for x: (batch, height, width, channels)."""


class Dropout3d(_ChannelDropout):
    """`Dropout1d` for x: (batch, depth, height, width, channels)."""


class AlphaDropout(Dropout):
    """Dropout for `selu`: elements become its lower limit, and all are scaled so that mean 0 and variance 1 stay.

    Source: Klambauer et al. 2017.
    """

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with elements dropped, where `apply` was given a key."""
        x = real(x, "AlphaDropout")
        if not p.training or self.rate == 0:
            return x
        return _alpha_dropped(x, p.key(), self.rate, x.shape)


class FeatureAlphaDropout(Dropout):
    """`AlphaDropout` of whole channels. x: (batch, *space, channels)."""

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with channels dropped, where `apply` was given a key."""
        x = real(x, "FeatureAlphaDropout")
        if not p.training or self.rate == 0:
            return x
        return _alpha_dropped(x, p.key(), self.rate, (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1]))


_SELU_LIMIT = -1.7580993408473766
"""-scale * alpha of selu."""


def _alpha_dropped(x: fx.Array, key: Any, rate: float, shape: tuple[int, ...]) -> fx.Array:
    if rate == 1:
        return fnp.zeros_like(x)
    kept = random.bernoulli(key, 1 - rate, shape)
    a = ((1 - rate) * (1 + rate * _SELU_LIMIT**2)) ** -0.5
    return fnp.where(kept, x, _SELU_LIMIT) * a - a * _SELU_LIMIT * rate
