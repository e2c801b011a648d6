"""Normalization over the batch, over features, over groups of them; channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp
from fx import lax

from . import initializers
from ._checks import positive, probability
from ._inputs import as_array, in_float32, real
from ._layer import Layer, Parameter
from ._scope import Scope
from .initializers import Initializer


class _Affine(Layer):
    """What the norms share: y = normalized * scale + bias, over the axes of `_shape`."""

    _: KW_ONLY
    eps: float = 1e-5
    use_scale: bool = True
    use_bias: bool = True
    scale_init: Initializer = initializers.ones
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def _shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    def parameters(self) -> dict[str, Parameter]:
        scale = Parameter(self._shape(), self.scale_init, self.dtype)
        bias = Parameter(self._shape(), self.bias_init, self.dtype)
        return {**({"scale": scale} if self.use_scale else {}), **({"bias": bias} if self.use_bias else {})}

    def scaled(self, p: Scope, y: fx.Array) -> fx.Array:
        y = y * p.scale if self.use_scale else y
        return y + p.bias if self.use_bias else y


class BatchNorm(_Affine):
    """(x - mean) / sqrt(variance + eps) * scale + bias, mean and variance of each channel over all other axes.

    In training they are those of x, and running averages of them are kept as state; otherwise these are used.
    x: (batch, ..., features).

    Args:
        momentum: running = (1 - momentum) * running + momentum * new; None averages all batches alike.
        axis_name: name of a mapped axis over which mean and variance are taken as well (`fx.vmap(axis_name=)`).
        track: whether to keep running averages; without them those of x are used always.

    Parameters: scale (features,), bias (features,). State: mean, var (features,), and count with momentum None.
    The running variance is the unbiased one.

    Source: Ioffe and Szegedy 2015.

    >>> import fx
    >>> layer = BatchNorm(3)
    >>> params, state = layer.init(fx.random.key(0))
    >>> y, state = layer.apply(params, fx.numpy.ones((8, 3)), state=state, training=True)
    """

    features: int
    _: KW_ONLY
    momentum: float | None = 0.1
    axis_name: Any = None
    track: bool = True

    def validate(self) -> None:
        positive(self, "features")
        if self.momentum is not None and not 0 <= self.momentum <= 1:
            raise fx.ArgumentError(
                f"BatchNorm: momentum is between 0 and 1, or None; got {brief(self.momentum)}."
            )

    def _shape(self) -> tuple[int, ...]:
        return (self.features,)

    def state(self) -> dict[str, Parameter]:
        if not self.track:
            return {}
        shape = (self.features,)
        averages = {"mean": Parameter(shape), "var": Parameter(shape, initializers.ones)}
        return averages if self.momentum is not None else {**averages, "count": Parameter(())}

    def forward(self, p: Scope, x: Any, mask: Any = None) -> fx.Array:
        """The normalized x.

        Args:
            mask: boolean, broadcasts against x: what counts for mean and variance.

        Raises:
            ShapeError: the last axis of x is not features; in training, x has no more than one value a channel.
        """
        x = _with_features(self, x, self.features)
        shape = x.shape
        # As rows: one axis to sum over, in the order of memory, whatever axes the convolution before it has.
        x = x.reshape(-1, self.features)
        if p.training or not self.track:
            mean, var, count = _moments(self, x, mask, shape)
            if self.track:
                self._averaged(p, mean, var * (count / fnp.maximum(count - 1, 1)))
        else:
            mean, var = p.mean, p.var
        y = (x - mean) * lax.rsqrt(var + self.eps)
        y = self.scaled(p, y).reshape(shape)
        return y.astype(fnp.result_type(x, *(p.tree.values() if self.members.parameters else ())))

    def _averaged(self, p: Scope, mean: fx.Array, var: fx.Array) -> None:
        rate: Any = self.momentum
        if rate is None:
            p.count = p.count + 1
            rate = 1 / p.count
        p.mean = (1 - rate) * p.mean + rate * fx.stop_gradient(mean)
        p.var = (1 - rate) * p.var + rate * fx.stop_gradient(var)


BatchNorm1d = BatchNorm2d = BatchNorm3d = BatchNorm
"""The same layer: channels are last whatever the number of spatial axes."""


def _moments(
    layer: BatchNorm, x: fx.Array, mask: Any, shape: tuple[int, ...]
) -> tuple[fx.Array, fx.Array, Any]:
    """Mean and variance per channel, in at least float32, and how many values they are of.

    x: (n, features), the values of a batch of that shape.
    """
    wide = _at_least_single(x)
    if mask is None:
        n = len(x)
        count: Any = n * (1 if layer.axis_name is None else lax.psum(1, layer.axis_name))
        if layer.axis_name is None and n < 2:
            raise fx.ShapeError(
                f"{layer}: one value a channel has no variance; x has shape {shape} in training."
            )
        count = fnp.asarray(count, dtype=wide.dtype)
        total = lambda v: fnp.sum(v, 0)
    else:
        mask = fnp.broadcast_to(mask, shape).reshape(x.shape)
        count = _over_devices(layer, fnp.sum(mask, 0).astype(wide.dtype))
        total = lambda v: fnp.sum(v, 0, where=mask)
    mean = _over_devices(layer, total(wide)) / count
    deviation = wide - mean
    return mean, _over_devices(layer, total(deviation * deviation)) / count, count


def _at_least_single(x: fx.Array) -> fx.Array:
    return x.astype(fnp.float32) if x.dtype.itemsize < 4 else x


def _over_devices(layer: BatchNorm, x: fx.Array) -> fx.Array:
    return x if layer.axis_name is None else lax.psum(x, layer.axis_name)


class LayerNorm(_Affine):
    """(x - mean) / sqrt(variance + eps) * scale + bias over the last axis, or over as many as `shape` has.

    Parameters: scale and bias, of `shape`. Source: Ba, Kiros, Hinton 2016.

    >>> import fx
    >>> layer = LayerNorm(4)
    >>> layer.apply(layer.init(fx.random.key(0)), fx.numpy.arange(4.0)).shape
    (4,)
    """

    shape: int | Sequence[int]

    def validate(self) -> None:
        _check_shape(self, self._shape())

    def _shape(self) -> tuple[int, ...]:
        return self.shape if isinstance(self.shape, tuple) else (self.shape,)  # type: ignore[return-value]

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """The normalized x: (..., *shape)."""
        x = _with_shape(self, x, self._shape())
        return self.scaled(p, _standardized(x, tuple(range(-len(self._shape()), 0)), self.eps))


class RMSNorm(_Affine):
    """x / sqrt(mean(x**2) + eps) * scale over the last axis, or over as many as `shape` has.

    Parameters: scale, of `shape`. Source: Zhang and Sennrich 2019.
    """

    shape: int | Sequence[int]
    _: KW_ONLY
    eps: float = 1e-6
    use_bias: bool = False

    def validate(self) -> None:
        _check_shape(self, self._shape())

    def _shape(self) -> tuple[int, ...]:
        return self.shape if isinstance(self.shape, tuple) else (self.shape,)  # type: ignore[return-value]

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """The normalized x: (..., *shape)."""
        x = _with_shape(self, x, self._shape())
        return self.scaled(p, _over_rms(x, tuple(range(-len(self._shape()), 0)), self.eps))


class GroupNorm(_Affine):
    """`LayerNorm` of each example over space and over groups of channels. x: (batch, *space, features).

    Parameters: scale (features,), bias (features,). Source: Wu and He 2018.
    """

    groups: int
    features: int

    def validate(self) -> None:
        positive(self, "groups", "features")
        if self.features % self.groups:
            raise fx.ArgumentError(
                f"GroupNorm: {self.features} features do not fall into {self.groups} equal groups."
            )

    def _shape(self) -> tuple[int, ...]:
        return (self.features,)

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """The normalized x; its first axis is the batch, also where it has only features beside it."""
        x = _with_features(self, x, self.features)
        if x.ndim < 2:
            raise fx.ShapeError(
                f"{self} takes x of shape (batch, ..., {self.features}); x has shape {x.shape}."
            )
        grouped = x.reshape(*x.shape[:-1], self.groups, self.features // self.groups)
        axes = (*range(1, x.ndim - 1), x.ndim)
        return self.scaled(p, _standardized(grouped, axes, self.eps).reshape(x.shape))


class InstanceNorm(_Affine):
    """Each channel of each example normalized over space. x: (batch, *space, features).

    Args:
        track: keep running averages of the means and variances in training, and use them otherwise.
        momentum: running = (1 - momentum) * running + momentum * new, new being the mean over the batch.

    Parameters, if asked for: scale (features,), bias (features,). State with `track`: mean, var (features,).

    Source: Ulyanov, Vedaldi, Lempitsky 2016.
    """

    features: int
    _: KW_ONLY
    use_scale: bool = False
    use_bias: bool = False
    track: bool = False
    momentum: float = 0.1

    def validate(self) -> None:
        positive(self, "features")
        probability(self, "momentum")

    def _shape(self) -> tuple[int, ...]:
        return (self.features,)

    def state(self) -> dict[str, Parameter]:
        averages = {"mean": Parameter(self._shape()), "var": Parameter(self._shape(), initializers.ones)}
        return averages if self.track else {}

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """The normalized x.

        Raises:
            ShapeError: x has no spatial axis.
        """
        x = _with_features(self, x, self.features)
        if x.ndim < 3:
            raise fx.ShapeError(
                f"{self} takes x of shape (batch, *space, {self.features}); x has shape {x.shape}."
            )
        if self.track and not p.training:
            return self.scaled(p, ((x - p.mean) * lax.rsqrt(p.var + self.eps)).astype(x.dtype))
        axes = tuple(range(1, x.ndim - 1))
        if self.track:
            self._averaged(p, fx.stop_gradient(x), axes)
        return self.scaled(p, _standardized(x, axes, self.eps))

    def _averaged(self, p: Scope, x: fx.Array, axes: tuple[int, ...]) -> None:
        wide, n = _at_least_single(x), math.prod(x.shape[1:-1])
        rate = self.momentum
        p.mean = (1 - rate) * p.mean + rate * wide.mean((0, *axes))
        p.var = (1 - rate) * p.var + rate * (wide.var(axes) * (n / max(n - 1, 1))).mean(0)


InstanceNorm1d = InstanceNorm2d = InstanceNorm3d = InstanceNorm
"""The same layer: channels are last whatever the number of spatial axes."""


class LocalResponseNorm(Layer):
    """x / (k + alpha * mean of x**2 over `size` neighbouring channels) ** beta. x: (..., channels).

    Source: Krizhevsky, Sutskever, Hinton 2012; the mean counts channels beyond the ends as 0.
    """

    size: int
    _: KW_ONLY
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def validate(self) -> None:
        positive(self, "size")

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """The normalized x."""
        return _local_response(x, self)


@in_float32
def _standardized(x: Any, axes: tuple[int, ...], eps: float) -> fx.Array:
    deviation = x - fnp.mean(x, axes, keepdims=True)
    variance = fnp.mean(deviation * deviation, axes, keepdims=True)
    return deviation * lax.rsqrt(variance + eps)


@in_float32
def _over_rms(x: Any, axes: tuple[int, ...], eps: float) -> fx.Array:
    return x * lax.rsqrt(fnp.mean(x * x, axes, keepdims=True) + eps)


@in_float32
def _local_response(x: Any, layer: LocalResponseNorm) -> fx.Array:
    low = layer.size // 2
    lead = ((0, 0),) * (x.ndim - 1)
    window, strides = (1,) * (x.ndim - 1) + (layer.size,), (1,) * x.ndim
    total = lax.reduce_window(x * x, 0.0, lax.add, window, strides, (*lead, (low, layer.size - 1 - low)))
    return x / (layer.k + layer.alpha / layer.size * total) ** layer.beta


def _check_shape(layer: Layer, shape: tuple[Any, ...]) -> None:
    if not shape or not all(type(n) is int and n > 0 for n in shape):
        raise fx.ArgumentError(
            f"{type(layer).__name__}: shape is one positive integer or several; got {brief(shape)}."
        )


def _with_features(layer: Layer, x: Any, features: int) -> fx.Array:
    return _with_shape(layer, x, (features,))


def _with_shape(layer: Layer, x: Any, shape: tuple[int, ...]) -> fx.Array:
    x = real(as_array(x), type(layer).__name__)
    if x.ndim < len(shape) or x.shape[x.ndim - len(shape) :] != shape:
        expected = ", ".join(("...", *map(str, shape)))
        raise fx.ShapeError(f"{layer} takes x of shape ({expected}); x has shape {x.shape}.")
    return x
