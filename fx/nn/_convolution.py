"""Convolutions and their transposes in 1, 2 and 3 dimensions, channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, field
from reprlib import repr as brief
from typing import Any, ClassVar

import fx
import fx.numpy as fnp
from fx import lax

from . import initializers
from ._checks import one_of, positive
from ._inputs import as_array
from ._layer import Layer, Parameter
from ._linear import KERNEL_INIT
from ._scope import Scope
from .initializers import Initializer

Sizes = int | Sequence[int]
Padding = str | int | Sequence[int | Sequence[int]]
Pairs = tuple[tuple[int, int], ...]

_PAD_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class _Conv(Layer):
    """What the convolutions share; `rank` is the number of spatial axes."""

    rank: ClassVar[int]

    in_channels: int
    out_channels: int
    kernel_size: Sizes
    _: KW_ONLY
    stride: Sizes = 1
    padding: Padding = 0
    dilation: Sizes = 1
    groups: int = 1
    padding_mode: str = "zeros"
    use_bias: bool = True
    kernel_init: Initializer = KERNEL_INIT
    bias_init: Initializer = initializers.zeros
    dtype: Any = None
    """dtype of the parameters; None is the default float."""

    def validate(self) -> None:
        positive(self, "in_channels", "out_channels", "groups")
        one_of(self, "padding_mode", *_PAD_MODES)
        for name in ("kernel_size", "stride", "dilation"):
            sizes(self, name)
        self.pairs((1,) * self.rank)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise fx.ArgumentError(
                f"{type(self).__name__}: {self.in_channels} and {self.out_channels} channels "
                f"do not fall into groups={self.groups} equal groups."
            )

    def parameters(self) -> dict[str, Parameter]:
        shape = (*sizes(self, "kernel_size"), self.in_channels // self.groups, self.out_channels)
        kernel = Parameter(shape, self.kernel_init, self.dtype)
        bias = Parameter((self.out_channels,), self.bias_init, self.dtype)
        return {"kernel": kernel, "bias": bias} if self.use_bias else {"kernel": kernel}

    def pairs(self, space: Sequence[int]) -> Pairs:
        """(low, high) padding of each spatial axis; "same" gives ceil(n / stride) windows."""
        if self.padding == "valid":
            return ((0, 0),) * self.rank
        if self.padding == "same":
            rows = zip(space, self._windows(), sizes(self, "stride"), strict=True)
            totals = [max((-(-n // s) - 1) * s + w - n, 0) for n, w, s in rows]
            return tuple((t // 2, t - t // 2) for t in totals)
        return explicit_padding(self)

    def _windows(self) -> list[int]:
        """How far a window reaches along each spatial axis."""
        both = zip(sizes(self, "kernel_size"), sizes(self, "dilation"), strict=True)
        return [d * (k - 1) + 1 for k, d in both]

    def _check_windows(self, space: Sequence[int], pairs: Pairs) -> None:
        """ShapeError where an axis is shorter than a window, padding included."""
        padded = tuple(n + low + high for n, (low, high) in zip(space, pairs, strict=True))
        if any(n < w for n, w in zip(padded, self._windows(), strict=True)):
            raise fx.ShapeError(
                f"{self}: no window fits into spatial axes {padded}, padding included; a window reaches over "
                f"{tuple(self._windows())}."
            )

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x: (..., *space, in_channels) -> (..., *count, out_channels), where an axis of n elements has
        (n + low + high - dilation * (kernel_size - 1) - 1) // stride + 1 windows.

        Raises:
            ShapeError: x has too few axes, or other channels, or no window fits.
        """
        x, lead = with_one_batch(self, as_array(x), self.in_channels)
        pairs = self.pairs(x.shape[1:-1])
        if self.padding_mode != "zeros" and any(map(any, pairs)):
            x = fnp.pad(x, ((0, 0), *pairs, (0, 0)), mode=_PAD_MODES[self.padding_mode])
            pairs = ((0, 0),) * self.rank
        self._check_windows(x.shape[1:-1], pairs)
        y = lax.conv_general_dilated(
            *_alike(x, p.kernel),
            sizes(self, "stride"),
            pairs,
            rhs_dilation=sizes(self, "dilation"),
            dimension_numbers=layout(self.rank),
            feature_group_count=self.groups,
        )
        y = y + p.bias if self.use_bias else y
        return y.reshape(*lead, *y.shape[1:])


class Conv1d(_Conv):
    """y[..., q, :] = sum_k x[..., q * stride + k * dilation - padding, :] @ kernel[k] + bias.

    Args:
        kernel_size, stride, dilation: one int, or one per spatial axis.
        padding: one int; one per spatial axis; (low, high) pairs; "same" (n / stride windows, rounded up) or "valid".
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        groups: the channels fall into so many groups, which are convolved apart; in_channels is depthwise.

    Parameters: kernel (*kernel_size, in_channels / groups, out_channels), bias (out_channels,).

    >>> import fx
    >>> layer = Conv1d(3, 8, 5, padding="same")
    >>> layer.apply(layer.init(fx.random.key(0)), fx.numpy.ones((2, 16, 3))).shape
    (2, 16, 8)
    """

    rank = 1


class Conv2d(_Conv):
    """A convolution over the two axes before the last; see `Conv1d`. x: (..., height, width, in_channels)."""

    rank = 2


class Conv3d(_Conv):
    """A convolution over the three axes before the last; see `Conv1d`. x: (..., depth, height, width, in_channels)."""

    rank = 3


class _ConvTranspose(_Conv):
    output_padding: Sizes = field(default=0, kw_only=True)
    kernel_init: Initializer = field(default=initializers.lecun_normal(in_axis=-1, out_axis=-2), kw_only=True)

    def validate(self) -> None:
        super().validate()
        one_of(self, "padding_mode", "zeros")
        sizes(self, "output_padding", least=0)

    def parameters(self) -> dict[str, Parameter]:
        shape = (*sizes(self, "kernel_size"), self.out_channels // self.groups, self.in_channels)
        kernel = Parameter(shape, self.kernel_init, self.dtype)
        bias = Parameter((self.out_channels,), self.bias_init, self.dtype)
        return {"kernel": kernel, "bias": bias} if self.use_bias else {"kernel": kernel}

    def pairs(self, space: Sequence[int]) -> Pairs:
        """Padding of the dilated input, (low, high) of each axis."""
        geometry = zip(*(sizes(self, n) for n in ("kernel_size", "dilation", "stride")), strict=True)
        full = [(d * (k - 1), s) for k, d, s in geometry]
        extra = sizes(self, "output_padding", least=0)
        if self.padding == "valid":
            return tuple((w, w + e) for (w, _), e in zip(full, extra, strict=True))
        if self.padding == "same":
            cut = [max(w + 1 - s, 0) for w, s in full]
            grow = [max(s - w - 1, 0) for w, s in full]
            return tuple(
                (w - c // 2, w - (c - c // 2) + g + e)
                for (w, _), c, g, e in zip(full, cut, grow, extra, strict=True)
            )
        given = explicit_padding(self)
        return tuple((w - a, w - b + e) for (w, _), (a, b), e in zip(full, given, extra, strict=True))

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x: (..., *space, in_channels) -> (..., *size, out_channels), where an axis of n elements becomes
        (n - 1) * stride + dilation * (kernel_size - 1) + 1 + output_padding - low - high.

        Raises:
            ShapeError: x has too few axes, or other channels.
        """
        x, lead = with_one_batch(self, as_array(x), self.in_channels)
        y = lax.conv_general_dilated(
            *_alike(x, self._flipped(p.kernel)),
            (1,) * self.rank,
            self.pairs(x.shape[1:-1]),
            lhs_dilation=sizes(self, "stride"),
            rhs_dilation=sizes(self, "dilation"),
            dimension_numbers=layout(self.rank),
            feature_group_count=self.groups,
        )
        y = y + p.bias if self.use_bias else y
        return y.reshape(*lead, *y.shape[1:])

    def _flipped(self, kernel: fx.Array) -> fx.Array:
        """(*window, out / groups, in) as the kernel of a convolution, (*window reversed, in / groups, out)."""
        kernel = fnp.flip(kernel, tuple(range(self.rank)))
        if self.groups == 1:
            return fnp.swapaxes(kernel, -1, -2)
        window, outs = kernel.shape[: self.rank], self.out_channels // self.groups
        apart = kernel.reshape(*window, outs, self.groups, self.in_channels // self.groups)
        return fnp.swapaxes(apart, -1, -3).reshape(*window, -1, self.out_channels)


class ConvTranspose1d(_ConvTranspose):
    """The transpose of `Conv1d(out_channels, in_channels, ...)` of the same options, as a linear map; plus bias.

    Args:
        padding: as in Conv1d: what the convolution would have added is cut off here. "same" gives n * stride.
        output_padding: elements appended to one side, to tell apart sizes that the convolution maps to one.

    Parameters: kernel (*kernel_size, out_channels / groups, in_channels), bias (out_channels,).
    """

    rank = 1


class ConvTranspose2d(_ConvTranspose):
    """A transposed convolution over the two axes before the last; see `ConvTranspose1d`."""

    rank = 2


class ConvTranspose3d(_ConvTranspose):
    """A transposed convolution over the three axes before the last; see `ConvTranspose1d`."""

    rank = 3


def sizes(layer: Any, name: str, least: int = 1) -> tuple[int, ...]:
    """A field as one int per spatial axis."""
    value, rank = getattr(layer, name), layer.rank
    found = value if isinstance(value, tuple) else (value,) * rank
    if len(found) != rank or any(isinstance(n, bool) or not isinstance(n, int) or n < least for n in found):
        raise fx.ArgumentError(
            f"{type(layer).__name__}: {name} is an integer of at least {least}, or {rank} of them; got {brief(value)}."
        )
    return found


def explicit_padding(layer: Any) -> Pairs:
    """padding= as (low, high) per axis, where it is no name."""
    value, rank = layer.padding, layer.rank
    each = value if isinstance(value, tuple) else (value,) * rank
    pairs = tuple(pair if isinstance(pair, tuple) else (pair, pair) for pair in each)
    flat = [n for pair in pairs for n in pair]
    if (
        len(pairs) != rank
        or any(len(pair) != 2 for pair in pairs)
        or not all(type(n) is int and n >= 0 for n in flat)
    ):
        raise fx.ArgumentError(
            f"{type(layer).__name__}: padding={brief(value)}.\n"
            f"Write an integer, {rank} of them, {rank} pairs (low, high), 'same' or 'valid'."
        )
    return pairs


def with_one_batch(layer: Any, x: fx.Array, channels: int | None) -> tuple[fx.Array, tuple[int, ...]]:
    """x as (batch, *space, channels), and the shape of the axes that were made one batch."""
    rank = layer.rank
    if x.ndim < rank + 1 or (channels is not None and x.shape[-1] != channels):
        space = ("length",) if rank == 1 else ("depth", "height", "width")[-rank:]
        expected = ", ".join(("...", *space, "channels" if channels is None else str(channels)))
        raise fx.ShapeError(f"{layer} takes x of shape ({expected}), channels last; x has shape {x.shape}.")
    lead = x.shape[: x.ndim - rank - 1]
    return (x if len(lead) == 1 else x.reshape(math.prod(lead), *x.shape[len(lead) :])), lead


def layout(rank: int) -> tuple[str, str, str]:
    """Channels last, as `conv_general_dilated` writes it."""
    space = "DHW"[-rank:]
    return f"N{space}C", f"{space}IO", f"N{space}C"


def _alike(x: fx.Array, kernel: fx.Array) -> tuple[fx.Array, fx.Array]:
    dtype = fnp.result_type(x, kernel)
    return x.astype(dtype), kernel.astype(dtype)
