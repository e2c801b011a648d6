"""Linear maps: y = x W + b, bilinear forms."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import fx
import fx.numpy as fnp

from . import initializers
from ._checks import positive
from ._inputs import as_array
from ._layer import Layer, Parameter
from ._scope import Scope
from .initializers import Initializer

KERNEL_INIT = initializers.lecun_normal()


class Linear(Layer):
    """y = x @ kernel + bias over the last axis. x: (..., in_features), y: (..., out_features).

    Parameters: kernel (in_features, out_features), bias (out_features,).

    >>> import fx
    >>> layer = Linear(3, 2)
    >>> params = layer.init(fx.random.key(0))
    >>> layer.apply(params, fx.numpy.ones((5, 3))).shape
    (5, 2)
    """

    in_features: int
    out_features: int
    _: KW_ONLY
    use_bias: bool = True
    kernel_init: Initializer = KERNEL_INIT
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "in_features", "out_features")

    def parameters(self) -> dict[str, Parameter]:
        kernel = Parameter((self.in_features, self.out_features), self.kernel_init, self.dtype)
        bias = Parameter((self.out_features,), self.bias_init, self.dtype)
        return {"kernel": kernel, "bias": bias} if self.use_bias else {"kernel": kernel}

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x @ kernel + bias.

        Raises:
            ShapeError: the last axis of x is not in_features.
        """
        x = as_array(x)
        if x.shape[-1:] != (self.in_features,):
            raise fx.ShapeError(f"{self} takes x of shape (..., {self.in_features}); x has shape {x.shape}.")
        y = fnp.matmul(x, p.kernel)
        return y + p.bias if self.use_bias else y


class Bilinear(Layer):
    """y_k = x1^T kernel_k x2 + bias_k. x1: (..., in1_features), x2: (..., in2_features), y: (..., out_features).

    Parameters: kernel (out_features, in1_features, in2_features), bias (out_features,).
    """

    in1_features: int
    in2_features: int
    out_features: int
    _: KW_ONLY
    use_bias: bool = True
    kernel_init: Initializer = initializers.lecun_normal(in_axis=1, out_axis=0, batch_axis=())
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "in1_features", "in2_features", "out_features")

    def parameters(self) -> dict[str, Parameter]:
        shape = (self.out_features, self.in1_features, self.in2_features)
        kernel = Parameter(shape, self.kernel_init, self.dtype)
        bias = Parameter((self.out_features,), self.bias_init, self.dtype)
        return {"kernel": kernel, "bias": bias} if self.use_bias else {"kernel": kernel}

    def forward(self, p: Scope, x1: Any, x2: Any) -> fx.Array:
        """The forms of all pairs x1[i], x2[i]; the axes before the last are one shape, or broadcast."""
        x1, x2 = as_array(x1), as_array(x2)
        if (x1.shape[-1:], x2.shape[-1:]) != ((self.in1_features,), (self.in2_features,)):
            raise fx.ShapeError(
                f"{self} takes x1 of shape (..., {self.in1_features}) and x2 of shape (..., {self.in2_features}); "
                f"they are {x1.shape} and {x2.shape}."
            )
        y = fnp.einsum("...i,oij,...j->...o", x1, p.kernel, x2)
        return y + p.bias if self.use_bias else y
