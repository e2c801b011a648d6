"""Resizing by separable filters: along each axis the result is a product with a matrix of weights."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from typing import Any

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..numpy._arguments import operand, owned


class ResizeMethod(enum.Enum):
    """The filters that `resize` knows; `from_string` reads their names."""

    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4

    @staticmethod
    def from_string(s: str) -> ResizeMethod:
        """The method of a name: "nearest", "linear" ("bilinear", "trilinear", "triangle"), "cubic", "lanczos3"..."""
        return _METHODS[static.choice(s, tuple(_METHODS), "resize: method")]


_METHODS = {
    "nearest": ResizeMethod.NEAREST,
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), ResizeMethod.LINEAR),
    "lanczos3": ResizeMethod.LANCZOS3,
    "lanczos5": ResizeMethod.LANCZOS5,
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), ResizeMethod.CUBIC),
}


def resize(
    image: Any,
    shape: Sequence[int],
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: Any = None,
) -> Array:
    """An image of another size: pixels are squares, and corners stay corners.

    Args:
        image: any rank; integers become the default float, except with "nearest".
        shape: sizes of the result, one per axis; axes that keep theirs are left alone.
        method: "nearest", "linear", "cubic" (Keys, a = -1/2), "lanczos3", "lanczos5", or a ResizeMethod.
        antialias: where an axis shrinks, widen the filter, so that every pixel of the image counts.
        precision: accepted for JAX's sake.

    >>> import fx
    >>> fx.image.resize(fx.numpy.array([0.0, 2.0]), (4,), "linear")
    Array([0. , 0.5, 1.5, 2. ], float32)
    """
    found = _method(method)
    x = owned(image, "resize")
    sizes = static.sizes(shape, "resize: a size")
    if len(sizes) != x.ndim:
        raise errors.ShapeError(f"resize: shape {sizes} must have one size for each axis of {x.aval}.")
    axes = [i for i in range(x.ndim) if x.shape[i] != sizes[i]]
    for i in axes:
        if x.shape[i] == 0:
            raise errors.ShapeError(
                f"resize: axis {i} of {x.aval} is empty; there is nothing to take {sizes} from."
            )
    if found is ResizeMethod.NEAREST:
        return _nearest(x, sizes, axes)
    scales = [fnp.asarray(sizes[i] / x.shape[i], dtype=fnp.float64) for i in axes]
    return _filtered(x, sizes, axes, scales, [fnp.zeros((), fnp.float64)] * len(axes), found, antialias)


def scale_and_translate(
    image: Any,
    shape: Sequence[int],
    spatial_dims: Sequence[int],
    scale: Any,
    translation: Any,
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: Any = None,
) -> Array:
    """An image stretched and moved: what was at x is at x * scale + translation, along each spatial axis.

    Args:
        image: any rank; integers become the default float.
        shape: sizes of the result; the other axes keep theirs.
        spatial_dims: distinct axes; scale, translation: (len(spatial_dims),), may be traced and differentiated.
        method, antialias: as of `resize`; "nearest" is not offered.

    What lies outside the image is 0.
    """
    found = _method(method)
    if found is ResizeMethod.NEAREST:
        raise errors.ArgumentError(
            errors.lines(
                "scale_and_translate: the nearest pixel has no weights to move.", "Use 'linear', or resize."
            )
        )
    x = owned(image, "scale_and_translate")
    sizes = static.sizes(shape, "scale_and_translate: a size")
    axes = [static.axis(a, x.ndim, "scale_and_translate") for a in spatial_dims]
    kept = [i for i in range(x.ndim) if i not in axes]
    if len(sizes) != x.ndim or len(set(axes)) != len(axes) or any(sizes[i] != x.shape[i] for i in kept):
        raise errors.ShapeError(
            f"scale_and_translate of {x.aval} to {sizes}: only the spatial axes {axes} may change, each named once."
        )
    by, to = (_coordinates(v, len(axes), x) for v in (scale, translation))
    return _filtered(
        x, sizes, axes, [by[i] for i in range(len(axes))], [to[i] for i in range(len(axes))], found, antialias
    )


def _coordinates(v: Any, count: int, x: Array) -> Array:
    found = operand(fnp.asarray(v) if isinstance(v, (list, tuple)) else v, "scale_and_translate").astype(
        fnp.float64
    )
    if found.shape != (count,):
        raise errors.ShapeError(
            f"scale_and_translate of {x.aval}: scale and translation have one number for each of {count} spatial axes; "
            f"got {found.aval}."
        )
    return found


def _method(method: Any) -> ResizeMethod:
    return method if isinstance(method, ResizeMethod) else ResizeMethod.from_string(method)


def _nearest(x: Array, sizes: tuple[int, ...], axes: Sequence[int]) -> Array:
    for i in axes:
        n, m = x.shape[i], sizes[i]
        places = fnp.floor((fnp.arange(m, dtype=fnp.float64) + 0.5) * n / m).astype(fnp.int64)
        x = fnp.take(x, places, axis=i, mode="clip")
    return x


def _filtered(
    x: Array,
    sizes: tuple[int, ...],
    axes: Sequence[int],
    scales: Sequence[Array],
    shifts: Sequence[Array],
    method: ResizeMethod,
    antialias: bool,
) -> Array:
    """Weights are computed in float64; low precision is summed in float32 and rounded once."""
    x = x if x.aval.inexact else x.astype(float)
    dtype = x.dtype
    work = fnp.float32 if dtypes.is_low_precision(dtype) else dtype
    x = x.astype(work)
    for i, scale, shift in zip(axes, scales, shifts, strict=True):
        weights = _weights(x.shape[i], sizes[i], scale, shift, _KERNELS[method], antialias)
        x = _product(x, i, weights.astype(work))
    return x.astype(dtype)


def _product(x: Array, axis: int, weights: Array) -> Array:
    """x times weights (n, m) along an axis: from the left where what follows the axis is long enough for that."""
    lead, rest = x.shape[:axis], x.shape[axis + 1 :]
    columns = math.prod(rest)
    if columns < _WIDE:
        return fnp.moveaxis(fnp.matmul(fnp.moveaxis(x, axis, -1), weights), -1, axis)
    matrices = fnp.reshape(x, (math.prod(lead), x.shape[axis], columns))
    y = fnp.matmul(fnp.matrix_transpose(weights), matrices)
    return fnp.reshape(y, (*lead, weights.shape[1], *rest))


_WIDE = 16  # columns from which a product from the left beats moving the axis; measured


def _weights(
    n: int, m: int, scale: Array, shift: Array, kernel: Callable[[Array], Array], antialias: bool
) -> Array:
    """(n, m): how much each pixel counts for each of the result; 0 for samples outside the image."""
    place = (fnp.arange(m, dtype=fnp.float64) + 0.5 - shift) / scale - 0.5
    width = fnp.maximum(1 / scale, 1.0) if antialias else 1.0
    weights = kernel(fnp.abs(place - fnp.arange(n, dtype=fnp.float64)[:, None]) / width)
    total = fnp.sum(weights, axis=0, keepdims=True)
    enough = fnp.abs(total) > 1000 * 2.0**-23
    weights = fnp.where(enough, weights / fnp.where(enough, total, 1.0), 0.0)
    return fnp.where((place >= -0.5) & (place <= n - 0.5), weights, 0.0)


def _triangle(x: Array) -> Array:
    return fnp.maximum(1 - x, 0.0)


def _cubic(x: Array) -> Array:
    """R. Keys, "Cubic convolution interpolation for digital image processing" (1981)."""
    inner = ((1.5 * x - 2.5) * x) * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return fnp.where(x >= 2, 0.0, fnp.where(x >= 1, outer, inner))


def _lanczos(radius: int) -> Callable[[Array], Array]:
    """sinc(x) sinc(x / radius), inside the radius."""
    return lambda x: fnp.where(x > radius, 0.0, fnp.sinc(x) * fnp.sinc(x / radius))


_KERNELS = {
    ResizeMethod.LINEAR: _triangle,
    ResizeMethod.CUBIC: _cubic,
    ResizeMethod.LANCZOS3: _lanczos(3),
    ResizeMethod.LANCZOS5: _lanczos(5),
}
