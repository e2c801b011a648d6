"""Pooling: each window of the spatial axes, channels last, becomes one number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, field
from reprlib import repr as brief
from typing import Any, ClassVar

import numpy as np

import fx
import fx.numpy as fnp
from fx import lax

from ._convolution import Padding, Pairs, Sizes, explicit_padding, sizes, with_one_batch
from ._inputs import as_array, real
from ._layer import Layer
from ._scope import Scope


class _Pool(Layer):
    """What the pools share; `rank` is the number of spatial axes."""

    rank: ClassVar[int]

    kernel_size: Sizes
    stride: Sizes | None = None
    """None is kernel_size: windows side by side."""
    padding: Padding = 0
    _: KW_ONLY
    ceil_mode: bool = False
    """Also a last window that begins inside and sticks out."""

    def validate(self) -> None:
        sizes(self, "kernel_size")
        if self.stride is not None:
            sizes(self, "stride")
        if not isinstance(self.padding, str) or self.padding not in ("same", "valid"):
            self._check_padding(explicit_padding(self))

    def _check_padding(self, pairs: Pairs) -> None:
        if any(2 * max(pair) > k for pair, k in zip(pairs, self.window, strict=True)):
            raise fx.ArgumentError(
                f"{type(self).__name__}: padding {brief(self.padding)} is more than half of kernel_size "
                f"{self.kernel_size}: a window could lie in the padding alone."
            )

    @property
    def window(self) -> tuple[int, ...]:
        return sizes(self, "kernel_size")

    @property
    def strides(self) -> tuple[int, ...]:
        return self.window if self.stride is None else sizes(self, "stride")

    @property
    def spans(self) -> tuple[int, ...]:
        """Elements from the first to the last of a window."""
        return self.window

    def pairs(self, space: tuple[int, ...]) -> Pairs:
        """(low, high) padding of each spatial axis, without what `ceil_mode` adds."""
        if self.padding == "same":
            rows = zip(space, self.spans, self.strides, strict=True)
            totals = [max((-(-n // s) - 1) * s + w - n, 0) for n, w, s in rows]
            return tuple((t // 2, t - t // 2) for t in totals)
        return ((0, 0),) * self.rank if self.padding == "valid" else explicit_padding(self)

    def overhang(self, space: tuple[int, ...]) -> tuple[int, ...]:
        """What the last window needs beyond the padding, where it begins before the padding on its far side."""
        if not self.ceil_mode:
            return (0,) * self.rank
        found = []
        for n, (low, high), w, s in zip(space, self.pairs(space), self.spans, self.strides, strict=True):
            count = max(-(-(n + low + high - w) // s), 0) + 1
            count -= (count - 1) * s >= n + low
            found.append(max((count - 1) * s + w - (n + low + high), 0))
        return tuple(found)

    def reduced(self, x: fx.Array, start: Any, f: Callable[..., Any], pairs: Pairs) -> fx.Array:
        """f over every window of x: (batch, *space, channels)."""
        return lax.reduce_window(
            x,
            start,
            f,
            (1, *self.window, 1),
            (1, *self.strides, 1),
            ((0, 0), *pairs, (0, 0)),
            window_dilation=(1, *self.dilations, 1),
        )

    @property
    def dilations(self) -> tuple[int, ...]:
        return (1,) * self.rank

    def forward(self, p: Scope, x: Any) -> Any:
        """x: (..., *space, channels) -> (..., *count, channels).

        Raises:
            ShapeError: x has too few axes, or no window fits.
        """
        x, lead = with_one_batch(self, as_array(x), None)
        space = x.shape[1:-1]
        if any(n + sum(pair) < w for n, pair, w in zip(space, self.pairs(space), self.spans, strict=True)):
            raise fx.ShapeError(f"{self}: no window fits into spatial axes {space}; x has shape {x.shape}.")
        return fx.tree.map(lambda y: y.reshape(*lead, *y.shape[1:]), self.pooled(x, space))

    def pooled(self, x: fx.Array, space: tuple[int, ...]) -> Any:
        raise NotImplementedError


def _grown(pairs: Pairs, extra: tuple[int, ...]) -> Pairs:
    return tuple((low, high + e) for (low, high), e in zip(pairs, extra, strict=True))


class _MaxPool(_Pool):
    _: KW_ONLY
    dilation: Sizes = 1
    return_indices: bool = False
    """Also where each maximum was: its position in the flattened spatial axes, for `MaxUnpool`."""

    def validate(self) -> None:
        sizes(self, "dilation")
        super().validate()

    @property
    def dilations(self) -> tuple[int, ...]:
        return sizes(self, "dilation")

    @property
    def spans(self) -> tuple[int, ...]:
        return tuple(d * (k - 1) + 1 for k, d in zip(self.window, self.dilations, strict=True))

    def pooled(self, x: fx.Array, space: tuple[int, ...]) -> Any:
        pairs = _grown(self.pairs(space), self.overhang(space))
        if not self.return_indices:
            return self.reduced(x, _least(x.dtype), lax.max, pairs)
        return self._with_indices(x, space, pairs)

    def _with_indices(self, x: fx.Array, space: tuple[int, ...], pairs: Pairs) -> tuple[fx.Array, fx.Array]:
        taken = [
            _taps(n, *pair, w, s, d)
            for n, pair, w, s, d in zip(space, pairs, self.window, self.strides, self.dilations, strict=True)
        ]
        place, inside = np.zeros((), int), np.ones((), bool)
        for n, (index, valid) in zip(space, taken, strict=True):  # (count, window) of each axis
            place = (place * n)[..., None, None] + index
            inside = inside[..., None, None] & valid
        order = (*range(0, 2 * self.rank, 2), *range(1, 2 * self.rank, 2))
        counts = [index.shape[0] for index, _ in taken]
        place, inside = (a.transpose(order).reshape(*counts, -1) for a in (place, inside))
        flat = x.reshape(x.shape[0], math.prod(space), x.shape[-1])
        windows = fnp.where(inside[..., None], flat[:, place], _least(x.dtype))
        best = fnp.argmax(windows, axis=-2)
        where = fnp.take_along_axis(fnp.asarray(place)[None, ..., None], best[..., None, :], axis=-2)
        return fnp.take_along_axis(windows, best[..., None, :], axis=-2)[..., 0, :], where[..., 0, :]


def _taps(n: int, low: int, high: int, window: int, stride: int, dilation: int) -> tuple[Any, Any]:
    """Positions that each window reads, (count, window), and which of them are no padding."""
    count = (n + low + high - dilation * (window - 1) - 1) // stride + 1
    index = np.arange(count)[:, None] * stride - low + np.arange(window) * dilation
    return np.clip(index, 0, n - 1), (index >= 0) & (index < n)


def _least(dtype: Any) -> Any:
    if fnp.issubdtype(dtype, fnp.floating):
        return -np.inf
    return False if dtype.kind == "b" else int(fnp.iinfo(dtype).min)


class _AvgPool(_Pool):
    _: KW_ONLY
    count_include_pad: bool = True
    """Whether padding counts as zeros in the mean."""
    divisor_override: int | None = None
    """What sums are divided by, instead of the count."""

    def validate(self) -> None:
        super().validate()
        if self.divisor_override is not None and self.divisor_override == 0:
            raise fx.ArgumentError(f"{type(self).__name__}: divisor_override is 0.")

    def pooled(self, x: fx.Array, space: tuple[int, ...]) -> fx.Array:
        x = real(x, type(self).__name__)
        pairs, extra = self.pairs(space), self.overhang(space)
        total = self.reduced(x, 0.0, lax.add, _grown(pairs, extra))
        if self.divisor_override is not None:
            return total / self.divisor_override
        return total / self._counts(space, pairs, extra).astype(x.dtype)

    def _counts(self, space: tuple[int, ...], pairs: Pairs, extra: tuple[int, ...]) -> Any:
        """How many elements each window has: (*count, 1), NumPy's."""
        counts = np.ones((), int)
        for n, (low, high), e, w, s in zip(space, pairs, extra, self.window, self.strides, strict=True):
            begin = np.arange((n + low + high + e - w) // s + 1) * s - low
            end = np.minimum(begin + w, n + high if self.count_include_pad else n)
            begin = begin if self.count_include_pad else np.maximum(begin, 0)
            counts = counts[..., None] * (end - begin)
        return counts[..., None]


class _LPPool(_Pool):
    norm_type: float = field(default=2.0, kw_only=True)
    """p in (sum of |x|**p) ** (1 / p)."""

    def validate(self) -> None:
        super().validate()
        if not isinstance(self.norm_type, (int, float)) or not self.norm_type > 0:
            raise fx.ArgumentError(
                f"{type(self).__name__}: norm_type is a positive number; got {self.norm_type!r}."
            )

    def pooled(self, x: fx.Array, space: tuple[int, ...]) -> fx.Array:
        power = fnp.absolute(real(x, type(self).__name__)) ** self.norm_type
        total = self.reduced(power, 0.0, lax.add, _grown(self.pairs(space), self.overhang(space)))
        positive = total > 0
        return fnp.where(positive, fnp.where(positive, total, 1.0) ** (1 / self.norm_type), 0.0)


class MaxPool1d(_MaxPool):
    """The largest element of every window of the axis before the last. x: (..., length, channels).

    Args:
        kernel_size, stride, dilation: one int, or one per spatial axis; stride None is kernel_size.
        padding: one int, one per axis, (low, high) pairs, "same" or "valid"; padding is never the maximum.
        ceil_mode: also a last window that begins inside and sticks out.
        return_indices: give (maxima, positions in the flattened spatial axes), for `MaxUnpool1d`.

    >>> import fx
    >>> MaxPool1d(2).apply({}, fx.numpy.arange(6.0).reshape(6, 1)).ravel().tolist()
    [1.0, 3.0, 5.0]
    """

    rank = 1


class MaxPool2d(_MaxPool):
    """`MaxPool1d` over the two axes before the last. x: (..., height, width, channels)."""

    rank = 2


class MaxPool3d(_MaxPool):
    """`MaxPool1d` over the three axes before the last. x: (..., depth, height, width, channels)."""

    rank = 3


class AvgPool1d(_AvgPool):
    """The mean of every window of the axis before the last. x: (..., length, channels).

    Args:
        kernel_size, stride, padding, ceil_mode: as in `MaxPool1d`.
        count_include_pad: whether padding counts, as zeros.
        divisor_override: divide sums by this number instead.
    """

    rank = 1


class AvgPool2d(_AvgPool):
    """`AvgPool1d` over the two axes before the last. x: (..., height, width, channels)."""

    rank = 2


class AvgPool3d(_AvgPool):
    """`AvgPool1d` over the three axes before the last. x: (..., depth, height, width, channels)."""

    rank = 3


class LPPool1d(_LPPool):
    """(sum of |x|**norm_type) ** (1 / norm_type) of every window; its derivative at 0 is 0. See `MaxPool1d`."""

    rank = 1


class LPPool2d(_LPPool):
    """`LPPool1d` over the two axes before the last. x: (..., height, width, channels)."""

    rank = 2


class LPPool3d(_LPPool):
    """`LPPool1d` over the three axes before the last. x: (..., depth, height, width, channels)."""

    rank = 3


class _MaxUnpool(Layer):
    rank: ClassVar[int]

    kernel_size: Sizes
    stride: Sizes | None = None
    padding: Padding = 0

    def forward(self, p: Scope, x: Any, indices: Any, output_size: Any = None) -> fx.Array:
        """Zeros with each element of x at its position.

        Args:
            x, indices: (..., *count, channels), what a max pool with `return_indices` gave.
            output_size: sizes of the spatial axes; default (count - 1) * stride - low - high + kernel_size.
        """
        x, lead = with_one_batch(self, as_array(x), None)
        indices, _ = with_one_batch(self, as_array(indices), None)
        if indices.shape != x.shape:
            raise fx.ShapeError(f"{self}: x and indices have shapes {x.shape} and {indices.shape}.")
        space = self._space(x.shape[1:-1]) if output_size is None else tuple(output_size)
        batch, channels = x.shape[0], x.shape[-1]
        places = indices.reshape(batch, math.prod(x.shape[1:-1]), channels)
        flat = fnp.zeros((batch, int(np.prod(space)), channels), x.dtype)
        rows, columns = np.arange(batch)[:, None, None], np.arange(channels)
        flat = flat.at[rows, places, columns].set(x.reshape(places.shape))
        return flat.reshape(*lead, *space, channels)

    def _space(self, count: tuple[int, ...]) -> tuple[int, ...]:
        window = sizes(self, "kernel_size")
        strides = window if self.stride is None else sizes(self, "stride")
        rows = zip(count, strides, window, explicit_padding(self), strict=True)
        return tuple((n - 1) * s + w - sum(pair) for n, s, w, pair in rows)


class MaxUnpool1d(_MaxUnpool):
    """The inverse of `MaxPool1d(..., return_indices=True)`, with 0 where no maximum was."""

    rank = 1


class MaxUnpool2d(_MaxUnpool):
    """The inverse of `MaxPool2d(..., return_indices=True)`, with 0 where no maximum was."""

    rank = 2


class MaxUnpool3d(_MaxUnpool):
    """The inverse of `MaxPool3d(..., return_indices=True)`, with 0 where no maximum was."""

    rank = 3
