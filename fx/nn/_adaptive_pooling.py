"""Pooling to a given size, and over all of space; channels last."""

from __future__ import annotations

from collections.abc import Sequence
from reprlib import repr as brief
from typing import Any, ClassVar

import numpy as np

import fx
import fx.numpy as fnp

from ._convolution import with_one_batch
from ._inputs import as_array, real
from ._layer import Layer
from ._scope import Scope


class _Adaptive(Layer):
    rank: ClassVar[int]

    output_size: int | Sequence[int | None] | None

    def validate(self) -> None:
        found = self._targets()
        if len(found) != self.rank or not all(n is None or (type(n) is int and n > 0) for n in found):
            raise fx.ArgumentError(
                f"{type(self).__name__}: output_size is a positive integer, or {self.rank} of them, "
                f"None for an axis that stays; got {brief(self.output_size)}."
            )

    def _targets(self) -> tuple[int | None, ...]:
        return self.output_size if isinstance(self.output_size, tuple) else (self.output_size,) * self.rank

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x: (..., *space, channels) -> (..., *output_size, channels)."""
        x, lead = with_one_batch(self, real(as_array(x), type(self).__name__), None)
        if 0 in x.shape[1:-1]:
            raise fx.ShapeError(f"{self}: a spatial axis is empty; x has shape {x.shape}.")
        for axis, size in enumerate(self._targets(), 1):
            if size is not None and size != x.shape[axis]:
                x = fnp.moveaxis(self.along_last(fnp.moveaxis(x, axis, -1), size), -1, axis)
        return x.reshape(*lead, *x.shape[1:])

    def along_last(self, x: fx.Array, size: int) -> fx.Array:
        raise NotImplementedError


def _windows(n: int, size: int) -> tuple[Any, Any]:
    """First positions and ends of the windows: [i n / size], rounded down and up."""
    i = np.arange(size)
    return i * n // size, -(-(i + 1) * n // size)


class _AdaptiveAvg(_Adaptive):
    def along_last(self, x: fx.Array, size: int) -> fx.Array:
        n = x.shape[-1]
        if n % size == 0:
            return x.reshape(*x.shape[:-1], size, n // size).mean(-1)
        begin, end = _windows(n, size)
        place = np.arange(n)[:, None]
        weights = ((place >= begin) & (place < end)) / (end - begin)
        return x @ fnp.asarray(weights, dtype=x.dtype)


class _AdaptiveMax(_Adaptive):
    def along_last(self, x: fx.Array, size: int) -> fx.Array:
        n = x.shape[-1]
        if n % size == 0:
            return x.reshape(*x.shape[:-1], size, n // size).max(-1)
        begin, end = _windows(n, size)
        taps = np.minimum(begin[:, None] + np.arange(max(end - begin)), end[:, None] - 1)
        inside = begin[:, None] + np.arange(max(end - begin)) < end[:, None]
        return fnp.where(inside, x[..., taps], -np.inf).max(-1)


class AdaptiveAvgPool1d(_AdaptiveAvg):
    """Means of `output_size` windows that cover the axis before the last: window i is [i n / size, (i + 1) n / size).

    Args:
        output_size: one int for every spatial axis, or one per axis; None leaves an axis as it is.

    >>> import fx
    >>> AdaptiveAvgPool1d(2).apply({}, fx.numpy.arange(5.0).reshape(5, 1)).ravel().tolist()
    [1.0, 3.0]
    """

    rank = 1


class AdaptiveAvgPool2d(_AdaptiveAvg):
    """`AdaptiveAvgPool1d` over the two axes before the last. x: (..., height, width, channels)."""

    rank = 2


class AdaptiveAvgPool3d(_AdaptiveAvg):
    """`AdaptiveAvgPool1d` over the three axes before the last. x: (..., depth, height, width, channels)."""

    rank = 3


class AdaptiveMaxPool1d(_AdaptiveMax):
    """Maxima of the windows of `AdaptiveAvgPool1d`."""

    rank = 1


class AdaptiveMaxPool2d(_AdaptiveMax):
    """Maxima of the windows of `AdaptiveAvgPool2d`."""

    rank = 2


class AdaptiveMaxPool3d(_AdaptiveMax):
    """Maxima of the windows of `AdaptiveAvgPool3d`."""

    rank = 3


class _Global(Layer):
    rank: ClassVar[int]

    keepdims: bool = False

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x: (..., *space, channels) -> (..., channels), or with spatial axes of size 1."""
        x = as_array(x)
        with_one_batch(self, x, None)
        return self.reduced(x, tuple(range(-1 - self.rank, -1)))

    def reduced(self, x: fx.Array, axes: tuple[int, ...]) -> fx.Array:
        raise NotImplementedError


class _GlobalAvg(_Global):
    def reduced(self, x: fx.Array, axes: tuple[int, ...]) -> fx.Array:
        return fnp.mean(x, axes, keepdims=self.keepdims)


class _GlobalMax(_Global):
    def reduced(self, x: fx.Array, axes: tuple[int, ...]) -> fx.Array:
        return fnp.max(x, axes, keepdims=self.keepdims)


class GlobalAvgPool1d(_GlobalAvg):
    """The mean over the axis before the last. x: (..., length, channels)."""

    rank = 1


class GlobalAvgPool2d(_GlobalAvg):
    """The mean over the two axes before the last. x: (..., height, width, channels)."""

    rank = 2


class GlobalAvgPool3d(_GlobalAvg):
    """The mean over the three axes before the last. x: (..., depth, height, width, channels)."""

    rank = 3


class GlobalMaxPool1d(_GlobalMax):
    """The maximum over the axis before the last. x: (..., length, channels)."""

    rank = 1


class GlobalMaxPool2d(_GlobalMax):
    """The maximum over the two axes before the last. x: (..., height, width, channels)."""

    rank = 2


class GlobalMaxPool3d(_GlobalMax):
    """The maximum over the three axes before the last. x: (..., depth, height, width, channels)."""

    rank = 3
