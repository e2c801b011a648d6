"""Sampling images on grids of normalized coordinates, as PyTorch does in spatial transformers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..numpy._arguments import operand
from ..primitives.promotion import promote

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


def grid_sample(
    input: Any,
    grid: Any,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Array:
    """Values of images, or volumes, at the places of a grid.

    Args:
        input: (batch, channels, height, width) or (batch, channels, depth, height, width).
        grid: (batch, height', width', 2) or (batch, depth', height', width', 3): for each place of the result x, y
            (and z), from -1 to 1 across the image: x along the last axis of input.
        mode: "bilinear" (of volumes: trilinear), "nearest", "bicubic" (a = -3/4; images alone).
        padding_mode: what lies beyond the image: "zeros", "border": the nearest pixel, "reflection".
        align_corners: whether -1 and 1 are the middles of the first and the last pixel, or their outer edges.

    Returns:
        (batch, channels, *places), in the common dtype of input and grid.
    """
    static.choice(mode, MODES, "grid_sample: mode")
    static.choice(padding_mode, PADDINGS, "grid_sample: padding_mode")
    x, grid = (operand(v, "grid_sample") for v in promote(input, grid, inexact=True))
    space = _space(x, grid, mode)
    dtype = x.dtype
    if dtypes.is_low_precision(dtype):
        x, grid = x.astype(fnp.float32), grid.astype(fnp.float32)
    places = [_pixels(grid[..., i], n, align_corners) for i, n in enumerate(reversed(space))][::-1]
    if mode != "bicubic":
        places = [_padded(p, n, padding_mode, align_corners) for p, n in zip(places, space, strict=True)]
    taps = [_TAPS[mode](p) for p in places]
    batch = fnp.reshape(fnp.arange(x.shape[0]), (-1, *[1] * len(space)))
    pixels = fnp.moveaxis(x, 1, -1)
    total: Any = 0.0
    for chosen in itertools.product(*taps):
        total = total + _tap(pixels, batch, chosen, space, mode, padding_mode, align_corners)
    return fnp.moveaxis(total, -1, 1).astype(dtype)


def affine_grid(theta: Any, size: Sequence[int], align_corners: bool = False) -> Array:
    """The grid for `grid_sample` that maps every place of the result by an affine function.

    Args:
        theta: (batch, 2, 3) for images, (batch, 3, 4) for volumes.
        size: of the result: (batch, channels, height, width) or with depth.

    Returns:
        (batch, height, width, 2) or (batch, depth, height, width, 3).
    """
    theta = operand(theta, "affine_grid")
    shape = static.sizes(size, "affine_grid: a size")
    space = shape[2:]
    rank = len(space)
    if rank not in (2, 3) or theta.shape != (shape[0], rank, rank + 1) or not theta.aval.inexact:
        raise errors.ShapeError(
            "affine_grid takes theta: (batch, 2, 3) and four sizes, or (batch, 3, 4) and five; "
            f"got {theta.aval} and {shape}."
        )
    lines = [_normalized(n, align_corners, theta.dtype) for n in space]
    grids = fnp.meshgrid(*lines, indexing="ij")
    points = fnp.stack([*grids[::-1], fnp.ones(space, theta.dtype)], axis=-1)
    flat = fnp.matmul(fnp.reshape(points, (1, math.prod(space), rank + 1)), fnp.matrix_transpose(theta))
    return fnp.reshape(flat, (shape[0], *space, rank))


def _normalized(n: int, align_corners: bool, dtype: Any) -> Array:
    """The places of n pixels between -1 and 1."""
    k = 2.0 * np.arange(n) - (n - 1)
    return fnp.asarray(k / (max(n - 1, 1) if align_corners else n), dtype=dtype)


def _space(x: Array, grid: Array, mode: str) -> tuple[int, ...]:
    rank = x.ndim - 2
    fits = rank in (2, 3) and grid.ndim == x.ndim and grid.shape[0] == x.shape[0] and grid.shape[-1] == rank
    if not fits or 0 in x.shape[2:] or "c" in (x.dtype.kind, grid.dtype.kind):
        raise errors.ShapeError(
            errors.lines(
                f"grid_sample: input {x.aval} and grid {grid.aval} do not fit together.",
                "They are real: (batch, channels, h, w) and (batch, h', w', 2), or with depth and 3.",
            )
        )
    if mode == "bicubic" and rank == 3:
        raise errors.ArgumentError(f"grid_sample: mode='bicubic' is for images (4 axes); got {x.aval}.")
    return x.shape[2:]


def _pixels(place: Array, n: int, align_corners: bool) -> Array:
    """From -1 ... 1 to 0 ... n - 1, or to -1/2 ... n - 1/2."""
    return (place + 1) * ((n - 1) / 2) if align_corners else ((place + 1) * n - 1) / 2


def _padded(place: Array, n: int, padding: str, align_corners: bool) -> Array:
    """Places brought inside the image, as far as the padding does that."""
    if padding == "zeros":
        return place
    if padding == "reflection":
        low, span = (0.0, n - 1.0) if align_corners else (-0.5, float(n))
        if span == 0:
            return fnp.zeros_like(place)
        once = fnp.mod(place - low, 2 * span)
        place = fnp.where(once > span, 2 * span - once, once) + low
    return fnp.clip(place, 0.0, n - 1.0)


def _linear(place: Array) -> list[tuple[Array, Any]]:
    """Indices, still floating-point, and weights."""
    first = fnp.floor(place)
    return [(first, 1 - (place - first)), (first + 1, place - first)]


def _nearest(place: Array) -> list[tuple[Array, Any]]:
    return [(fnp.rint(place), 1.0)]


def _cubic(place: Array) -> list[tuple[Array, Any]]:
    """Keys' kernel with a = -3/4."""
    first = fnp.floor(place)
    t = place - first
    near = lambda d: (1.25 * d - 2.25) * d * d + 1
    far = lambda d: ((-0.75 * d + 3.75) * d - 6) * d + 3
    return [(first - 1, far(t + 1)), (first, near(t)), (first + 1, near(1 - t)), (first + 2, far(2 - t))]


_TAPS: dict[str, Callable[[Array], list[tuple[Array, Any]]]] = {
    "bilinear": _linear,
    "nearest": _nearest,
    "bicubic": _cubic,
}


def _tap(
    pixels: Array,
    batch: Array,
    chosen: Sequence[tuple[Array, Any]],
    space: tuple[int, ...],
    mode: str,
    padding: str,
    align_corners: bool,
) -> Array:
    """One neighbour's share. pixels: (batch, *space, channels)."""
    weight: Any = math.prod((w for _, w in chosen), start=1.0)
    index = []
    for (point, _), n in zip(chosen, space, strict=True):
        if mode == "bicubic":
            point = _padded(point, n, padding, align_corners)
        if padding == "zeros":
            weight = weight * ((point >= 0) & (point <= n - 1)).astype(pixels.dtype)
        index.append(fnp.clip(fnp.nan_to_num(point), 0.0, n - 1.0).astype(np.int64))
    value = pixels[(batch, *index)]
    return value * (weight if isinstance(weight, float) else weight[..., None])
