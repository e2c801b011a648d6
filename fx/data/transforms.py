"""Transforms of images, (height, width, channels), as functions of keys: `t(key, image) -> image`.

All are pure and made of fx operations: they may be jitted, mapped (`fx.vmap(t)(keys, images)`), and run by the
workers of a loader (`random_transform=True`). Integers are taken for 0 to 255 and become floats from 0 to 1.

>>> import fx
>>> t = Compose([RandomCrop(28, padding=2), HorizontalFlip(), Normalize([0.5], [0.25])])
>>> t(fx.random.key(0), fx.numpy.zeros((28, 28, 1))).shape
(28, 28, 1)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp
from fx import image as images, lax, random

from ._fields import Checked, function, listed

Size = int | tuple[int, int]
Transform = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Compose(Checked):
    """Transforms one after the other, each with a key of its own."""

    steps: Sequence[Transform]

    def __post_init__(self) -> None:
        steps = tuple(function(s, "Compose: a step") for s in listed(self.steps, "Compose: steps"))
        object.__setattr__(self, "steps", steps)

    def __call__(self, key: Any, image: Any) -> Any:
        for i, step in enumerate(self.steps):
            image = step(random.fold_in(key, i), image)
        return image


def as_floats(image: Any) -> fx.Array:
    """An image of floating point: integers divided by the largest of their dtype, 255 for uint8.

    Raises:
        ShapeError: it is not (height, width, channels).
    """
    image = fnp.asarray(image)
    if image.ndim != 3:
        raise fx.ShapeError(
            f"A transform takes an image (height, width, channels); got shape {image.shape}.\n"
            "Map it over a batch: fx.vmap(transform)(keys, images)."
        )
    return image / fnp.iinfo(image.dtype).max if image.dtype.kind in "iu" else image


@dataclass(frozen=True)
class Normalize(Checked):
    """(image - mean) / std, of each channel."""

    mean: Any
    std: Any

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, (list, tuple)) else value)

    def __call__(self, key: Any, image: Any) -> fx.Array:
        image = as_floats(image)
        return (image - fnp.asarray(self.mean, dtype=image.dtype)) / fnp.asarray(self.std, dtype=image.dtype)


@dataclass(frozen=True)
class Resize(Checked):
    """The image in another size, (height, width) or one number for both; methods of `fx.image.resize`."""

    size: Size
    method: str = "linear"

    def __call__(self, key: Any, image: Any) -> fx.Array:
        image = as_floats(image)
        return images.resize(image, (*_pair(self.size), image.shape[-1]), self.method)


@dataclass(frozen=True)
class CenterCrop(Checked):
    """The middle of the image, (height, width) or one number for both."""

    size: Size

    def __call__(self, key: Any, image: Any) -> fx.Array:
        image, (h, w) = as_floats(image), _pair(self.size)
        _check_fits(self, image, h, w)
        top, left = (image.shape[0] - h) // 2, (image.shape[1] - w) // 2
        return image[top : top + h, left : left + w]


@dataclass(frozen=True)
class RandomCrop(Checked):
    """A part of the image of a given size, at a random place, after padding at all edges (a mode of fx.numpy.pad)."""

    size: Size
    padding: int = 0
    mode: str = "constant"

    def __call__(self, key: Any, image: Any) -> fx.Array:
        image, (h, w), p = as_floats(image), _pair(self.size), self.padding
        image = fnp.pad(image, ((p, p), (p, p), (0, 0)), mode=self.mode) if p else image
        _check_fits(self, image, h, w)
        top, left = (
            random.randint(k, (), 0, n - m + 1)
            for k, n, m in zip(random.split(key), image.shape, (h, w), strict=False)
        )
        return lax.dynamic_slice(image, (top, left, 0), (h, w, image.shape[-1]))


@dataclass(frozen=True)
class HorizontalFlip(Checked):
    """Left and right exchanged, with a probability."""

    probability: float = 0.5

    def __call__(self, key: Any, image: Any) -> fx.Array:
        image = as_floats(image)
        return fnp.where(random.bernoulli(key, self.probability), image[:, ::-1], image)


@dataclass(frozen=True)
class VerticalFlip(Checked):
    """Top and bottom exchanged, with a probability."""

    probability: float = 0.5

    def __call__(self, key: Any, image: Any) -> fx.Array:
        image = as_floats(image)
        return fnp.where(random.bernoulli(key, self.probability), image[::-1], image)


@dataclass(frozen=True)
class RandomRotation(Checked):
    """Turned about its middle by an angle drawn from [-degrees, degrees], counterclockwise; outside is `fill`."""

    degrees: float
    fill: float = 0.0

    def __call__(self, key: Any, image: Any) -> fx.Array:
        return rotate(image, random.uniform(key, (), minval=-self.degrees, maxval=self.degrees), self.fill)


def rotate(image: Any, degrees: Any, fill: float = 0.0) -> fx.Array:
    """An image turned about its middle, counterclockwise, by linear interpolation. image: (h, w, channels)."""
    image = as_floats(image)
    h, w, _ = image.shape
    angle = fnp.asarray(degrees, dtype=image.dtype) * (math.pi / 180)
    y, x = (fnp.arange(n, dtype=image.dtype) - (n - 1) / 2 for n in (h, w))
    cos, sin = fnp.cos(angle), fnp.sin(angle)
    rows = cos * y[:, None] + sin * x + (h - 1) / 2
    columns = -sin * y[:, None] + cos * x + (w - 1) / 2
    channel = lambda plane: images.map_coordinates(
        plane, [rows, columns], order=1, mode="constant", cval=fill
    )
    return fx.vmap(channel, in_axes=-1, out_axes=-1)(image)


@dataclass(frozen=True)
class ColorJitter(Checked):
    """Brightness, contrast, saturation and hue changed by random factors, in this order; values stay in [0, 1].

    Args:
        brightness, contrast, saturation: a factor is drawn from [max(0, 1 - a), 1 + a]. hue: a shift, as part of the
            circle, from [-hue, hue], at most 0.5. Saturation and hue need three channels.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.brightness, self.contrast, self.saturation, self.hue) < 0 or self.hue > 0.5:
            raise fx.ArgumentError(
                f"ColorJitter: amounts are not negative, and hue is at most 0.5; got {self}."
            )

    def __call__(self, key: Any, image: Any) -> fx.Array:
        image = as_floats(image)
        if (self.saturation or self.hue) and image.shape[-1] != 3:
            raise fx.ShapeError(
                f"ColorJitter: saturation and hue need three channels; the image has {image.shape}."
            )
        keys = random.split(key, 4)
        factor = lambda k, a: random.uniform(k, (), image.dtype, max(0.0, 1 - a), 1 + a)
        clip = lambda x: fnp.clip(x, 0.0, 1.0)
        if self.brightness:
            image = clip(image * factor(keys[0], self.brightness))
        if self.contrast:
            image = clip(_mixed(image, _grey(image).mean(), factor(keys[1], self.contrast)))
        if self.saturation:
            image = clip(_mixed(image, _grey(image), factor(keys[2], self.saturation)))
        if self.hue:
            image = shift_hue(image, random.uniform(keys[3], (), image.dtype, -self.hue, self.hue))
        return image


def _mixed(image: Any, other: Any, factor: Any) -> fx.Array:
    return other + factor * (image - other)


def _grey(image: fx.Array) -> fx.Array:
    """Luma by ITU-R BT.601: (h, w, 1)."""
    if image.shape[-1] != 3:
        return fnp.mean(image, -1, keepdims=True)
    return image @ fnp.asarray([[0.299], [0.587], [0.114]], dtype=image.dtype)


def shift_hue(image: Any, shift: Any) -> fx.Array:
    """Hue turned by `shift`, a part of the circle; saturation and value as in HSV stay. image: (h, w, 3)."""
    image = as_floats(image)
    top = image.max(-1)
    chroma = top - image.min(-1)
    safe = fnp.where(chroma > 0, chroma, 1.0)
    r, g, b = (image[..., i] for i in range(3))
    sector = fnp.where(top == r, (g - b) / safe, fnp.where(top == g, 2 + (b - r) / safe, 4 + (r - g) / safe))
    hue = fnp.where(chroma > 0, sector, 0.0) + 6 * fnp.asarray(shift, dtype=image.dtype)
    made = [fnp.mod(hue + n, 6.0) for n in (5, 3, 1)]
    return fnp.stack([top - chroma * fnp.clip(fnp.minimum(k, 4 - k), 0.0, 1.0) for k in made], -1)


@dataclass(frozen=True)
class Cutout(Checked):
    """A square of side `size` at a random place set to `fill`; it may stick out. Source: DeVries and Taylor 2017."""

    size: int
    fill: float = 0.0

    def __call__(self, key: Any, image: Any) -> fx.Array:
        image = as_floats(image)
        inside = []
        for k, n in zip(random.split(key), image.shape[:2], strict=True):
            first = random.randint(k, (), 0, n) - self.size // 2
            at = fnp.arange(n)
            inside.append((at >= first) & (at < first + self.size))
        return fnp.where((inside[0][:, None] & inside[1])[..., None], self.fill, image)


def mixup(key: Any, x: Any, y: Any, alpha: float = 0.2) -> tuple[fx.Array, fx.Array]:
    """Each example of a batch mixed with another one, labels in the same proportion, drawn from Beta(alpha, alpha).

    Args:
        x: (batch, ...); y: (batch, classes), probabilities such as one-hot labels.

    Source: Zhang et al. 2017.
    """
    x, y = fnp.asarray(x), fnp.asarray(y)
    if y.ndim < 2 or x.shape[:1] != y.shape[:1]:
        raise fx.ShapeError(
            f"mixup takes x (batch, ...) and y (batch, classes); got {x.shape} and {y.shape}.\n"
            "Write fx.nn.one_hot(labels, classes) for labels."
        )
    part_key, order_key = random.split(key)
    part = random.beta(part_key, alpha, alpha)
    other = random.permutation(order_key, x.shape[0])
    return part * x + (1 - part) * x[other], part * y + (1 - part) * y[other]


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _check_fits(transform: Any, image: fx.Array, h: int, w: int) -> None:
    if image.shape[0] < h or image.shape[1] < w:
        raise fx.ShapeError(f"{brief(transform)}: the image has shape {image.shape}, less than {(h, w)}.")
