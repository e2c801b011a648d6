"""Convolution and correlation of arrays of any rank, directly or through Fourier transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..numpy.fft import fftn, ifftn, irfftn, rfftn
from ..primitives.convolution import conv_general
from ._arguments import pair

MODES = ("full", "same", "valid")


def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None) -> Array:
    """The convolution of two arrays of one rank: at each place k the sum over j of in1[j] in2[k - j].

    Args:
        mode: "full": all overlaps, n + m - 1 along each axis; "same": the middle part, of the shape of in1; "valid":
            complete overlaps alone, for which one array must be at least as large as the other along every axis.
        method: "direct", "fft" or "auto": through Fourier transforms where that is faster, in floating point alone.
        precision: accepted for JAX's sake; products are always those of the dtype.

    Integers stay exact integers. An empty array makes an empty result, of shape (0,).
    """
    static.choice(mode, MODES, "convolve: mode")
    static.choice(method, ("auto", "direct", "fft"), "convolve: method")
    in1, in2 = pair(in1, in2, "convolve")
    _same_rank(in1, in2, "convolve")
    if in1.ndim == 0:
        return in1 * in2
    if in1.size == 0 or in2.size == 0:
        return fnp.zeros((0,), in1.dtype)
    starts, sizes = _part(in1.shape, in2.shape, mode, "convolve")
    if method == "direct" or (method == "auto" and _direct_is_faster(in1, in2)):
        return _direct(in1, in2, starts, sizes)
    if in1.aval.inexact:
        return _by_fourier(in1, in2, starts, sizes, range(in1.ndim))
    y = _by_fourier(in1.astype(fnp.float64), in2.astype(fnp.float64), starts, sizes, range(in1.ndim))
    return fnp.round(y).astype(in1.dtype)


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto", precision: Any = None) -> Array:
    """The cross-correlation of two arrays of one rank: sums over j of in1[j + k] conj(in2[j]).

    Modes and methods are those of `convolve`; at "full", k counts from 1 - m along an axis where in2 has m elements.
    """
    in1, in2 = pair(in1, in2, "correlate")
    _same_rank(in1, in2, "correlate")
    return convolve(in1, fnp.conj(fnp.flip(in2)), mode, method)


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None) -> Array:
    """`convolve` through Fourier transforms, in floating point, along some axes; the others broadcast.

    Args:
        axes: default all.
    """
    static.choice(mode, MODES, "fftconvolve: mode")
    in1, in2 = pair(in1, in2, "fftconvolve", inexact=True)
    _same_rank(in1, in2, "fftconvolve")
    if in1.ndim == 0:
        return in1 * in2
    if in1.size == 0 or in2.size == 0:
        return fnp.zeros((0,), in1.dtype)
    where = _convolved_axes(axes, in1, in2)
    along = [tuple(x.shape[i] for i in where) for x in (in1, in2)]
    starts, sizes = _part(*along, mode, "fftconvolve")
    return _by_fourier(in1, in2, starts, sizes, where)


def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: int | Sequence[int] | None = None) -> Array:
    """`fftconvolve` by blocks (overlap and add), for two arrays of very different size along one axis.

    Blocks save work where one axis is convolved; along several axes the arrays are transformed as a whole.
    """
    static.choice(mode, MODES, "oaconvolve: mode")
    in1, in2 = pair(in1, in2, "oaconvolve", inexact=True)
    _same_rank(in1, in2, "oaconvolve")
    where = _convolved_axes(axes, in1, in2) if in1.ndim and in1.size and in2.size else ()
    if len(where) != 1:
        return fftconvolve(in1, in2, mode, axes)
    (axis,) = where
    starts, sizes = _part((in1.shape[axis],), (in2.shape[axis],), mode, "oaconvolve")
    big, small = sorted((in1, in2), key=lambda x: -x.shape[axis])
    y = _overlap_add(fnp.moveaxis(big, axis, -1), fnp.moveaxis(small, axis, -1))
    return fnp.moveaxis(y[..., starts[0] : starts[0] + sizes[0]], -1, axis)


def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0, precision: Any = None
) -> Array:
    """The convolution of two matrices, with a choice of what in1 is beyond its borders.

    Args:
        mode: as of `convolve`; "valid" needs no border.
        boundary: "fill": `fillvalue` everywhere; "wrap": in1 again and again; "symm": in1 mirrored at its edges.
    """
    return _planar(in1, in2, mode, boundary, fillvalue, "convolve2d")


def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0, precision: Any = None
) -> Array:
    """The cross-correlation of two matrices: `convolve2d` with in2 turned around and conjugated.

    With mode "valid" and a larger in2 it is in1 that is conjugated, as in SciPy.
    """
    return _planar(in1, in2, mode, boundary, fillvalue, "correlate2d")


def _planar(in1: Any, in2: Any, mode: str, boundary: str, fillvalue: Any, name: str) -> Array:
    static.choice(mode, MODES, f"{name}: mode")
    static.choice(boundary, tuple(_PADDING), f"{name}: boundary")
    in1, in2 = pair(in1, in2, name)
    if in1.ndim != 2 or in2.ndim != 2 or in1.size == 0 or in2.size == 0:
        raise errors.ShapeError(
            f"{name} takes two matrices that are not empty; got {in1.aval} and {in2.aval}."
        )
    starts, sizes = _part(in1.shape, in2.shape, mode, name)
    if name == "correlate2d":
        in1, in2 = (fnp.conj(in1), in2) if mode == "valid" and in1.shape < in2.shape else (in1, fnp.conj(in2))
        in2 = fnp.flip(in2)
    if name == "correlate2d" and mode == "same":
        starts = tuple(m // 2 for m in in2.shape)  # SciPy's middle of a window of even size
    if mode == "valid" or (boundary == "fill" and isinstance(fillvalue, (int, float)) and fillvalue == 0):
        return _direct(in1, in2, starts, sizes)
    margins = [(m - 1, m - 1) for m in in2.shape]
    options = {"constant_values": fillvalue} if boundary == "fill" else {}
    padded = fnp.pad(in1, margins, _PADDING[boundary], **options)
    return _direct(padded, in2, tuple(s + m - 1 for s, m in zip(starts, in2.shape, strict=True)), sizes)


_PADDING = {"fill": "constant", "wrap": "wrap", "symm": "symmetric"}


def choose_conv_method(in1: Any, in2: Any, mode: str = "full") -> str:
    """The method that `convolve` takes with method="auto": "direct" or "fft"."""
    static.choice(mode, MODES, "choose_conv_method: mode")
    in1, in2 = pair(in1, in2, "choose_conv_method")
    _same_rank(in1, in2, "choose_conv_method")
    return "direct" if _direct_is_faster(in1, in2) else "fft"


def _direct_is_faster(in1: Array, in2: Array) -> bool:
    """Integers, and what takes few multiplications for its transforms; the factors were measured."""
    if not in1.aval.inexact:
        return True
    full = math.prod(fast_length(n + m - 1) for n, m in zip(in1.shape, in2.shape, strict=True))
    factor = 1 if in1.dtype.kind == "c" else 6
    return in1.size * in2.size <= factor * full * math.log2(max(full, 2))


# Which part of the full convolution a mode means


def _part(
    n: tuple[int, ...], m: tuple[int, ...], mode: str, name: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """First index in the full convolution, and size, along each axis."""
    full = tuple(a + b - 1 for a, b in zip(n, m, strict=True))
    if mode == "full":
        return (0,) * len(full), full
    if mode == "same":
        return tuple((f - a) // 2 for f, a in zip(full, n, strict=True)), n
    if not (all(a >= b for a, b in zip(n, m, strict=True)) or all(a <= b for a, b in zip(n, m, strict=True))):
        raise errors.ShapeError(
            errors.lines(
                f"{name}: of shapes {n} and {m} neither is at least as large as the other along every axis.",
                "Complete overlaps (mode='valid') exist only then; use mode='full' or 'same'.",
            )
        )
    small = tuple(map(min, n, m))
    return tuple(s - 1 for s in small), tuple(abs(a - b) + 1 for a, b in zip(n, m, strict=True))


def _same_rank(in1: Array, in2: Array, name: str) -> None:
    if in1.ndim != in2.ndim:
        raise errors.ShapeError(f"{name} takes two arrays of one rank; got {in1.aval} and {in2.aval}.")


def _convolved_axes(axes: Any, in1: Array, in2: Array) -> list[int]:
    rank = in1.ndim
    given = range(rank) if axes is None else static.integers(axes, "fftconvolve: axes")
    found = sorted(static.axis(a, rank, "fftconvolve") for a in given)
    if not found or len(set(found)) != len(found):
        raise errors.ShapeError(f"fftconvolve: axes {axes} must be distinct, and at least one.")
    for i in set(range(rank)) - set(found):
        if in1.shape[i] != in2.shape[i] and 1 not in (in1.shape[i], in2.shape[i]):
            raise errors.ShapeError(
                f"fftconvolve along axes {axes}: axis {i} of {in1.aval} and {in2.aval} does not broadcast."
            )
    return found


# Directly


def _direct(in1: Array, in2: Array, starts: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """A part of the full convolution; the array with fewer elements slides along the other."""
    big, small = (in1, in2) if in1.size >= in2.size else (in2, in1)
    padding = [
        (m - 1 - start, start + size - n)
        for n, m, start, size in zip(big.shape, small.shape, starts, sizes, strict=True)
    ]
    y = conv_general(big[None, None], fnp.flip(small)[None, None], padding=padding)
    return fnp.reshape(y, sizes)


# Through Fourier transforms


def _by_fourier(
    in1: Array, in2: Array, starts: Sequence[int], sizes: Sequence[int], axes: Sequence[int]
) -> Array:
    """A part of the full convolution along some axes; low precision is computed in float32."""
    dtype, axes = in1.dtype, tuple(axes)
    if dtypes.is_low_precision(dtype):
        in1, in2 = in1.astype(fnp.float32), in2.astype(fnp.float32)
    full = [fast_length(in1.shape[i] + in2.shape[i] - 1) for i in axes]
    forward, backward = (fftn, ifftn) if dtype.kind == "c" else (rfftn, irfftn)
    y = backward(forward(in1, full, axes) * forward(in2, full, axes), full, axes)
    index = [slice(None)] * y.ndim
    for axis, start, size in zip(axes, starts, sizes, strict=True):
        index[axis] = slice(start, start + size)
    return y[tuple(index)].astype(dtype)


def _overlap_add(big: Array, small: Array) -> Array:
    """The full convolution along the last axis, of blocks some times as long as the small array."""
    n, m = big.shape[-1], small.shape[-1]
    points = fast_length(min(8 * m, n + m - 1))
    block = points - m + 1
    count = -(-n // block)
    filled = fnp.pad(big, [(0, 0)] * (big.ndim - 1) + [(0, count * block - n)])
    blocks = fnp.reshape(filled, (*big.shape[:-1], count, block))
    y = _by_fourier(blocks, small[..., None, :], [0], [block + m - 1], [blocks.ndim - 1])
    lead = y.shape[:-2]
    head = fnp.reshape(y[..., :block], (*lead, count * block))
    tail = y[..., block:]  # (..., count, m - 1), at most one block long: it falls into the next one
    spread = fnp.pad(tail, [(0, 0)] * (tail.ndim - 1) + [(0, max(block - m + 1, 0))])
    spread = fnp.reshape(spread, (*lead, count * block))
    zeros = fnp.zeros((*lead, block), y.dtype)
    total = fnp.concatenate([head, zeros], -1) + fnp.concatenate([zeros, spread], -1)
    return total[..., : n + m - 1]


def fast_length(n: int) -> int:
    """The smallest number of at least n points whose prime factors are 2, 3 and 5."""
    best = 1 << max(n - 1, 0).bit_length()
    power5 = 1
    while power5 < best:
        power3 = power5
        while power3 < best:
            quotient = -(-n // power3)
            best = min(best, power3 << max(quotient - 1, 0).bit_length())
            power3 *= 3
        power5 *= 5
    return best
