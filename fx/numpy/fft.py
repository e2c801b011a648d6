"""NumPy's fft: discrete Fourier transforms along any axes, of any sizes, with derivatives in both modes.

float32 and complex64 stay single, float64 and complex128 double precision. float16 and bfloat16 are computed in
float32: spectra are complex64, and real results have the dtype of the input again. Integers and booleans become
the default float. `norm` says which direction divides by the number of points n: "backward" (or None) the inverse
transforms, "forward" the others, "ortho" both by the root of n.

The real transforms of one axis of n points have n // 2 + 1 frequencies: 0, 1, ... up to half the sampling rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from ..primitives.fourier import NORMS, SWAPPED, fourier
from ..primitives.promotion import is_scalar
from ._arguments import inexact_operand, one_axis, owned, static_int
from ._creation import on_device
from ._shapes import copy, roll

# Along one axis


def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The Fourier transform along an axis: sum over j of a[j] exp(-2 pi i j k / n), for k from 0 to n - 1.

    Args:
        n: number of points: the axis is cut, or filled up with zeros; default its size.
        norm: "backward" (None), "ortho" or "forward": what the result is divided by, 1, sqrt(n) or n.

    >>> import fx.numpy as fnp
    >>> fnp.fft.fft(fnp.array([1.0, 2.0, 3.0, 4.0])).real
    Array([10., -2., -2., -2.], float32)
    """
    return _along(a, "fft", n, axis, norm)


def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of `fft` along an axis: with the default norm divided by n."""
    return _along(a, "ifft", n, axis, norm)


def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The frequencies 0 to n // 2 of `fft` of real numbers; the others are their conjugates."""
    return _along(a, "rfft", n, axis, norm)


def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of `rfft`: n real numbers from n // 2 + 1 frequencies.

    Args:
        n: number of points of the result; default the even one, 2 * (frequencies - 1).

    The imaginary parts of the frequencies 0 and n / 2 do not count.
    """
    return _along(a, "irfft", n, axis, norm)


def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The real spectrum, of n points, of a signal with a[-j] = conj(a[j]), of which the first half is given."""
    return _along(
        _conjugate(inexact_operand(a, "hfft")), "irfft", n, axis, SWAPPED[_norm(norm, "hfft")], "hfft"
    )


def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """The inverse of `hfft`: n // 2 + 1 complex numbers from n real ones."""
    return _conjugate(_along(a, "rfft", n, axis, SWAPPED[_norm(norm, "ihfft")], "ihfft"))


def _along(a: Any, kind: str, n: int | None, axis: int, norm: str | None, name: str | None = None) -> Array:
    name = name or kind
    x = _operand(a, kind, name)
    axis = one_axis(axis, x.ndim, name)
    size = None if n is None else static_int(n, f"{name}: n")
    return _rounded(_step(_wide(x), kind, size, axis, _norm(norm, name), name), x.dtype)


def _step(x: Array, kind: str, size: int | None, axis: int, norm: str, name: str) -> Array:
    """One transform along one axis, whose size is that of the axis unless it is given."""
    if size is None:
        size = 2 * (x.shape[axis] - 1) if kind == "irfft" else x.shape[axis]
    _check_size(size, x, axis, name)
    x = _resized(x, axis, size // 2 + 1 if kind == "irfft" else size)
    return fourier(x, kind, (axis,), norm, size if kind == "irfft" else 0)


# Along several axes


def fft2(
    a: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """`fftn` along two axes."""
    return _over(a, "fft", s, axes, norm, "fft2")


def ifft2(
    a: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """`ifftn` along two axes."""
    return _over(a, "ifft", s, axes, norm, "ifft2")


def rfft2(
    a: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """`rfftn` along two axes."""
    return _over(a, "rfft", s, axes, norm, "rfft2")


def irfft2(
    a: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None
) -> Array:
    """`irfftn` along two axes."""
    return _over(a, "irfft", s, axes, norm, "irfft2")


def fftn(
    a: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:
    """The Fourier transform along several axes; one that is named twice is transformed twice.

    Args:
        s: number of points along each of `axes`; -1 takes the size of the axis.
        axes: default the last len(s) axes, or all.
    """
    return _over(a, "fft", s, axes, norm, "fftn")


def ifftn(
    a: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:
    """The inverse of `fftn`."""
    return _over(a, "ifft", s, axes, norm, "ifftn")


def rfftn(
    a: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:
    """`rfft` along the last of `axes`, `fft` along the others; arguments as of `fftn`."""
    return _over(a, "rfft", s, axes, norm, "rfftn")


def irfftn(
    a: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Array:
    """The inverse of `rfftn`: `ifft` along all of `axes` but the last, `irfft` along that.

    Args:
        s: number of points of the result along each of `axes`; default along the last: 2 * (frequencies - 1).
    """
    return _over(a, "irfft", s, axes, norm, "irfftn")


def _over(a: Any, kind: str, s: Any, axes: Any, norm: str | None, name: str) -> Array:
    x, norm = _operand(a, kind, name), _norm(norm, name)
    return _rounded(_transformed(_wide(x), kind, s, axes, norm, name), x.dtype)


def _transformed(x: Array, kind: str, s: Any, axes: Any, norm: str, name: str) -> Array:
    axes, sizes = _axes_and_sizes(x, s, axes, kind, name)
    if not axes:
        if kind in ("rfft", "irfft"):
            raise errors.ArgumentError(f"{name} needs at least one axis; got axes=() for {x.aval}.")
        return copy(el.convert(x, dtypes.complex_of(x.dtype)))
    if len(set(axes)) < len(axes):
        return _one_by_one(x, kind, axes, sizes, norm, name)
    for axis, size in zip(axes, sizes, strict=True):
        _check_size(size, x, axis, name)
        x = _resized(x, axis, size // 2 + 1 if kind == "irfft" and axis == axes[-1] else size)
    return fourier(x, kind, axes, norm, sizes[-1] if kind == "irfft" else 0)


def _one_by_one(x: Array, kind: str, axes: tuple[int, ...], sizes: list[int], norm: str, name: str) -> Array:
    """Axes that come twice: from the last one to the first, and for irfft the last one after the others."""
    *steps, (last, last_size) = zip(axes, sizes, strict=True)
    if kind == "irfft":
        for axis, size in steps:
            x = _step(x, "ifft", size, axis, norm, name)
        return _step(x, kind, last_size, last, norm, name)
    x = _step(x, kind, last_size, last, norm, name)
    for axis, size in reversed(steps):
        x = _step(x, kind.removeprefix("r"), size, axis, norm, name)
    return x


def _axes_and_sizes(x: Array, s: Any, axes: Any, kind: str, name: str) -> tuple[tuple[int, ...], list[int]]:
    """Non-negative axes, which may come twice, and the number of points along each."""
    given = None if s is None else static.integers(s, f"{name}: s")
    if axes is None:
        count = x.ndim if given is None else len(given)
        axes = tuple(range(-count, 0))
    axes = tuple(one_axis(i, x.ndim, name) for i in static.integers(axes, f"{name}: axes"))
    if given is not None and len(given) != len(axes):
        raise errors.ShapeError(f"{name}: s={given} gives {len(given)} sizes for {len(axes)} axes {axes}.")
    sizes = [x.shape[i] for i in axes]
    if kind == "irfft" and sizes and given is None:
        sizes[-1] = 2 * (sizes[-1] - 1)
    if given is not None:
        sizes = [have if want == -1 else want for have, want in zip(sizes, given, strict=True)]
    return axes, sizes


# What all transforms share


def _operand(a: Any, kind: str, name: str) -> Array:
    """x in an inexact dtype, real for rfft."""
    x = inexact_operand(a, name)
    if kind == "rfft" and x.dtype.kind == "c":
        raise errors.DTypeError(
            errors.lines(
                f"{name} is a transform of real numbers; got {x.aval}.",
                "Use fft and its relatives for complex numbers, or pass the real part.",
            )
        )
    return x


def _wide(x: Array) -> Array:
    return el.convert(x, dtypes.float32) if dtypes.is_low_precision(x.dtype) else x


def _rounded(y: Array, dtype: np.dtype[Any]) -> Array:
    """Real numbers go back to the low precision that the input had."""
    return el.convert(y, dtype) if y.dtype.kind == "f" and dtypes.is_low_precision(dtype) else y


def _norm(norm: Any, name: str) -> str:
    return "backward" if norm is None else static.choice(norm, NORMS, f"{name}: norm")


def _check_size(size: int, x: Array, axis: int, name: str) -> None:
    if size < 1:
        raise errors.ShapeError(
            errors.lines(
                f"{name} of {x.aval}: {size} points along axis {axis}; there must be at least one.",
                "n= (or s=) says how many points to take; the axis is filled up with zeros.",
            )
        )


def _resized(x: Array, axis: int, size: int) -> Array:
    """x cut, or filled up with zeros, to `size` along an axis."""
    have = x.shape[axis]
    if size < have:
        return sh.slice_axis(x, 0, size, axis)
    if size == have:
        return x
    none = [0] * x.ndim
    return sh.pad(x, none, [size - have if i == axis else 0 for i in range(x.ndim)], none)


def _conjugate(x: Array) -> Array:
    return el.conj(x) if x.dtype.kind == "c" else x


# Frequencies


def fftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of `fft` of n points at distance d: 0, 1, ..., then the negative ones, over n * d.

    Args:
        d: a number, or an array of shape ().
        dtype: default that of d if it is an array, else the default float.
        device: where the result lives.
    """
    n = _number_of_points(n, "fftfreq")
    with on_device(device):
        places = sh.iota((n,), 0)
        return _frequencies(el.select(el.ge(places, np.int64((n + 1) // 2)), places - n, places), n, d, dtype)


def rfftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Array:
    """The frequencies of `rfft` of n points at distance d: 0, 1, ..., n // 2, over n * d; arguments as of `fftfreq`."""
    n = _number_of_points(n, "rfftfreq")
    with on_device(device):
        return _frequencies(sh.iota((n // 2 + 1,), 0), n, d, dtype)


def _number_of_points(n: Any, name: str) -> int:
    n = static_int(n, f"{name}: n")
    if n < 1:
        raise errors.ArgumentError(f"{name}: there must be at least one point; got n={n}.")
    return n


def _frequencies(places: Array, n: int, d: Any, dtype: Any) -> Array:
    """places / (n d), divided in float64 and rounded once."""
    result, exact = dtypes.default_float(), dtypes.float64
    if not is_scalar(d):
        d = inexact_operand(d, "fftfreq: d")
        result, d = d.dtype, el.convert(d, exact) if d.dtype.kind != "c" else d
    if isinstance(d, complex) or (isinstance(d, Array) and (d.shape != () or d.dtype != exact)):
        raise errors.ArgumentError(
            f"fftfreq: the distance d of two points is one real number; got {errors.brief(d)}."
        )
    if not isinstance(d, Array) and d == 0:
        raise errors.ArgumentError("fftfreq: the distance d of two points must not be 0.")
    result = dtypes.canonical(result if dtype is None else dtype)
    if result.kind in "biu":
        raise errors.DTypeError(f"fftfreq: frequencies are floating-point numbers, not {result}.")
    return el.convert(el.convert(places, exact) / (d * n), result)


def fftshift(x: Any, axes: Any = None) -> Array:
    """x with the frequency 0 in the middle of each of `axes` (default all), as plots show it."""
    x = owned(x, "fftshift")
    axes = _shifted_axes(axes, x, "fftshift")
    return roll(x, [x.shape[i] // 2 for i in axes], axes)


def ifftshift(x: Any, axes: Any = None) -> Array:
    """The inverse of `fftshift`; another function for axes of odd size."""
    x = owned(x, "ifftshift")
    axes = _shifted_axes(axes, x, "ifftshift")
    return roll(x, [-(x.shape[i] // 2) for i in axes], axes)


def _shifted_axes(axes: Any, x: Array, name: str) -> tuple[int, ...]:
    """Non-negative axes; one that is named twice is moved twice."""
    given = range(x.ndim) if axes is None else static.integers(axes, f"{name}: axes")
    return tuple(one_axis(i, x.ndim, name) for i in given)
