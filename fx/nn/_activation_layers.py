"""Activations that have parameters, or draw."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import fx

from . import initializers
from ._activations import prelu, rrelu
from ._checks import positive
from ._inputs import real
from ._layer import Layer, Parameter
from ._scope import Scope
from .initializers import Initializer


class PReLU(Layer):
    """x where it is positive, else slope * x. x: (...) or (..., features).

    Parameters: slope (), or with `features` (features,), one for each place of the last axis.

    Source: He et al. 2015.
    """

    features: int | None = None
    _: KW_ONLY
    slope_init: Initializer = initializers.constant(0.25)
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        if self.features is not None:
            positive(self, "features")

    def parameters(self) -> dict[str, Parameter]:
        return {
            "slope": Parameter(() if self.features is None else (self.features,), self.slope_init, self.dtype)
        }

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with its negative numbers scaled."""
        return prelu(x, p.slope, axis=-1)


class RReLU(Layer):
    """In training a negative x times a slope drawn from [lower, upper); otherwise times their mean.

    Source: Xu et al. 2015.
    """

    lower: float = 1 / 8
    upper: float = 1 / 3

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with its negative numbers scaled."""
        return rrelu(real(x, "RReLU"), self.lower, self.upper, key=p.key() if p.training else None)
