"""Layers that rearrange: flattening, padding, pixels and channels, resizing, windows as rows; channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY
from reprlib import repr as brief
from typing import Any

import numpy as np

import fx
import fx.numpy as fnp

from ._checks import one_of, positive
from ._inputs import as_array, real
from ._layer import Layer
from ._scope import Scope


class Identity(Layer):
    """x itself."""

    def forward(self, p: Scope, x: Any) -> Any:
        """x."""
        return x


class Flatten(Layer):
    """The axes from `start` to `end` (included) as one; all but the first by default.

    >>> Flatten().apply({}, fx.numpy.ones((5, 4, 3))).shape
    (5, 12)
    """

    start: int = 1
    end: int = -1

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with fewer axes."""
        x = as_array(x)
        start, end = (i + x.ndim if i < 0 else i for i in (self.start, self.end))
        if not 0 <= start <= end < x.ndim:
            raise fx.ShapeError(f"{self}: x of shape {x.shape} has no axes from {self.start} to {self.end}.")
        return x.reshape(*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])


class Unflatten(Layer):
    """One axis as several, of sizes `shape`."""

    axis: int
    shape: Sequence[int]

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with more axes."""
        x = as_array(x)
        if not -x.ndim <= self.axis < x.ndim:
            raise fx.ShapeError(f"{self}: x of shape {x.shape} has no axis {self.axis}.")
        axis = self.axis % x.ndim
        return x.reshape(*x.shape[:axis], *self.shape, *x.shape[axis + 1 :])


class Pad(Layer):
    """Spatial axes, those before the last, made longer at both ends.

    Args:
        padding: (low, high) of each spatial axis that is padded, the last of them last; or one int for `rank` axes.
        mode: "constant" (with `value`), "reflect", "replicate" or "circular".
    """

    padding: int | Sequence[int | Sequence[int]]
    _: KW_ONLY
    mode: str = "constant"
    value: float = 0.0
    rank: int = 1

    _MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # noqa: RUF012

    def validate(self) -> None:
        one_of(self, "mode", *self._MODES)
        if not 1 <= self.rank <= 64:
            raise fx.ArgumentError(f"Pad: rank={brief(self.rank)}; there are 1 to 64 axes.")
        if not all(isinstance(n, int) and n >= 0 for pair in self._pairs for n in pair):
            raise fx.ArgumentError(
                f"Pad: padding={brief(self.padding)}.\nWrite pairs (low, high) of integers."
            )

    @property
    def _pairs(self) -> list[tuple[Any, ...]]:
        each = self.padding if isinstance(self.padding, tuple) else (self.padding,) * self.rank
        return [pair if isinstance(pair, tuple) and len(pair) == 2 else (pair, pair) for pair in each]

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x: (..., *space, channels) -> (..., *longer space, channels)."""
        x, pairs = as_array(x), self._pairs
        if x.ndim < len(pairs) + 1:
            raise fx.ShapeError(f"{self} pads {len(pairs)} axes before the last; x has shape {x.shape}.")
        widths = [(0, 0)] * (x.ndim - 1 - len(pairs)) + pairs + [(0, 0)]
        value = {"constant_values": self.value} if self.mode == "constant" else {}
        return fnp.pad(x, widths, mode=self._MODES[self.mode], **value)


class PixelShuffle(Layer):
    """Channels become space: (..., h, w, c * r * r) -> (..., h * r, w * r, c).

    Channel (c * r + i) * r + j goes to row i and column j of its block, as in torch.nn. Source: Shi et al. 2016.
    """

    factor: int

    def validate(self) -> None:
        positive(self, "factor")

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with r * r times the pixels."""
        x, r = as_array(x), self.factor
        if x.ndim < 3 or x.shape[-1] % r**2:
            raise fx.ShapeError(
                f"{self} takes x of shape (..., h, w, channels * {r * r}); x has shape {x.shape}."
            )
        *lead, h, w, c = x.shape
        n = len(lead)
        blocks = x.reshape(*lead, h, w, c // r**2, r, r)
        order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
        return blocks.transpose(order).reshape(*lead, h * r, w * r, c // r**2)


class PixelUnshuffle(Layer):
    """The inverse of `PixelShuffle`: (..., h * r, w * r, c) -> (..., h, w, c * r * r)."""

    factor: int

    def validate(self) -> None:
        positive(self, "factor")

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x with r * r times the channels."""
        x, r = as_array(x), self.factor
        if x.ndim < 3 or x.shape[-3] % r or x.shape[-2] % r:
            raise fx.ShapeError(
                f"{self} takes x of shape (..., h * {r}, w * {r}, channels); x has shape {x.shape}."
            )
        *lead, h, w, c = x.shape
        n = len(lead)
        blocks = x.reshape(*lead, h // r, r, w // r, r, c)
        order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
        return blocks.transpose(order).reshape(*lead, h // r, w // r, c * r * r)


class ChannelShuffle(Layer):
    """Channels of `groups` groups dealt out in turn: channel g * n + i goes to i * groups + g.

    Source: Zhang et al. 2017.
    """

    groups: int

    def validate(self) -> None:
        positive(self, "groups")

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x: (..., channels), shuffled."""
        x = as_array(x)
        if not x.ndim or x.shape[-1] % self.groups:
            raise fx.ShapeError(
                f"{self}: the last axis of x does not fall into {self.groups} groups: {x.shape}."
            )
        apart = x.reshape(*x.shape[:-1], self.groups, x.shape[-1] // self.groups)
        return fnp.swapaxes(apart, -1, -2).reshape(x.shape)


class Upsample(Layer):
    """Space resized by sampling, as torch.nn.Upsample: (batch, *space, channels) -> (batch, *size, channels).

    Args:
        size: of the spatial axes; or else scale: a factor, or one per axis. An int or float holds for all.
        mode: "nearest", "linear" (in every axis; also "bilinear", "trilinear") or "cubic" ("bicubic").
        align_corners: the outermost samples lie on the outermost pixels' centres, not their edges.

    Source of the cubic kernel, a = -0.75: Keys 1981.
    """

    size: int | Sequence[int] | None = None
    _: KW_ONLY
    scale: float | Sequence[float] | None = None
    mode: str = "nearest"
    align_corners: bool = False

    def validate(self) -> None:
        one_of(self, "mode", "nearest", "linear", "bilinear", "trilinear", "cubic", "bicubic")
        if (self.size is None) == (self.scale is None):
            raise fx.ArgumentError("Upsample: give size= or scale=, one of them.")

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """x resized."""
        x = real(as_array(x), "Upsample") if self.mode != "nearest" else as_array(x)
        if x.ndim < 3:
            raise fx.ShapeError(f"{self} takes x of shape (batch, *space, channels); x has shape {x.shape}.")
        for axis, (n, ratio) in enumerate(self._targets(x.shape[1:-1]), 1):
            x = self._along(x, axis, n, ratio)
        return x

    def _targets(self, space: tuple[int, ...]) -> list[tuple[int, float]]:
        """New size of each axis, and how many old pixels a new one is."""
        given = self.size if self.scale is None else self.scale
        each: Any = given if isinstance(given, tuple) else (given,) * len(space)
        if len(each) != len(space):
            raise fx.ShapeError(f"{self}: {len(each)} sizes for {len(space)} spatial axes.")
        if self.scale is None:
            return [(n, m / n) for n, m in zip(each, space, strict=True)]
        return [(math.floor(m * s), 1 / s) for s, m in zip(each, space, strict=True)]

    def _along(self, x: fx.Array, axis: int, n: int, ratio: float) -> fx.Array:
        m = x.shape[axis]
        if self.mode == "nearest":
            return fnp.take(x, np.minimum(np.floor(np.arange(n) * ratio).astype(int), m - 1), axis)
        if self.align_corners:
            at = np.arange(n) * ((m - 1) / (n - 1) if n > 1 else 0.0)
        else:
            at = (np.arange(n) + 0.5) * ratio - 0.5
        weights = _cubic(at, m) if "cubic" in self.mode else _linear(at, m)
        return fnp.moveaxis(fnp.tensordot(x, fnp.asarray(weights, dtype=x.dtype), ((axis,), (0,))), -1, axis)


def _linear(at: Any, m: int) -> Any:
    """(m, n): weights of m pixels in samples at n places."""
    at = np.clip(at, 0, m - 1)
    return np.maximum(1 - np.abs(at - np.arange(m)[:, None]), 0)


def _cubic(at: Any, m: int, a: float = -0.75) -> Any:
    """The same, pixels beyond the ends being those at the ends."""
    weights, base = np.zeros((m, len(at))), np.floor(at).astype(int)
    for tap in (-1, 0, 1, 2):
        d = np.abs(at - (base + tap))
        near, far = ((a + 2) * d - (a + 3)) * d * d + 1, (((d - 5) * d + 8) * d - 4) * a
        np.add.at(weights, (np.clip(base + tap, 0, m - 1), np.arange(len(at))), np.where(d <= 1, near, far))
    return weights


class Unfold(Layer):
    """Windows as rows: (..., h, w, channels) -> (..., windows, kh * kw * channels), zeros beyond the edges.

    Row r is the window r // columns, r % columns; in it rows, then columns, then channels.
    """

    kernel_size: int | Sequence[int]
    _: KW_ONLY
    stride: int | Sequence[int] = 1
    padding: int | Sequence[int] = 0
    dilation: int | Sequence[int] = 1

    def validate(self) -> None:
        for name, least in (("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            found = _pair(getattr(self, name))
            if len(found) != 2 or not all(type(n) is int and n >= least for n in found):
                raise fx.ArgumentError(
                    f"{type(self).__name__}: {name} is an integer of at least {least}, or two; "
                    f"got {brief(getattr(self, name))}."
                )

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """The rows.

        Raises:
            ShapeError: no window fits.
        """
        x = as_array(x)
        if x.ndim < 3 or min(self.counts(x.shape[-3:-1])) < 1:
            raise fx.ShapeError(
                f"{self} takes x of shape (..., h, w, channels), at least a window; it is {x.shape}."
            )
        *lead, _, _, c = x.shape
        (kh, kw), (ph, pw) = _pair(self.kernel_size), _pair(self.padding)
        padded = fnp.pad(x, [(0, 0)] * len(lead) + [(ph, ph), (pw, pw), (0, 0)])
        counts = self.counts(x.shape[-3:-1])
        taps = [self._tap(padded, i, j, counts) for i in range(kh) for j in range(kw)]
        return fnp.stack(taps, -2).reshape(*lead, math.prod(counts), kh * kw * c)

    def _tap(self, x: fx.Array, i: int, j: int, counts: tuple[int, int]) -> fx.Array:
        """What all windows read at (i, j)."""
        picks = [
            slice(k * d, k * d + (n - 1) * s + 1, s)
            for k, d, s, n in zip((i, j), _pair(self.dilation), _pair(self.stride), counts, strict=True)
        ]
        return x[(..., *picks, slice(None))]

    def counts(self, space: Sequence[int]) -> tuple[int, int]:
        """Windows along h and w."""
        fields = (self.kernel_size, self.stride, self.padding, self.dilation)
        rows = zip(space, *map(_pair, fields), strict=True)
        return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in rows)  # type: ignore[return-value]


class Fold(Unfold):
    """The transpose of `Unfold`: rows are added to where they came from. (..., windows, kh * kw * channels) ->
    (..., h, w, channels) with (h, w) = output_size.
    """

    _: KW_ONLY
    output_size: int | Sequence[int] = 0

    def validate(self) -> None:
        super().validate()
        if len(_pair(self.output_size)) != 2 or not all(
            type(n) is int and n > 0 for n in _pair(self.output_size)
        ):
            raise fx.ArgumentError(f"Fold: output_size= is (height, width); got {brief(self.output_size)}.")

    def forward(self, p: Scope, x: Any) -> fx.Array:
        """The sum of the windows.

        Raises:
            ShapeError: the number of windows, or their size, is not that of output_size.
        """
        x, (h, w) = as_array(x), _pair(self.output_size)
        kh, kw = _pair(self.kernel_size)
        rows, columns = self.counts((h, w))
        if x.ndim < 2 or x.shape[-2] != rows * columns or x.shape[-1] % (kh * kw):
            raise fx.ShapeError(
                f"{self} takes x of shape (..., {rows * columns}, {kh * kw} * channels); x has shape {x.shape}."
            )
        shape = (*x.shape[:-2], h, w, x.shape[-1] // (kh * kw))
        unfold = lambda y: Unfold.forward(self, p, y)
        return fx.linear_transpose(unfold, fx.ShapeDtype(shape, x.dtype))(x)[0]


def _pair(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value, value)
