"""The Fourier transform of `jax.lax`; fx.numpy.fft has NumPy's functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import static
from ..core.errors import ArgumentError, ShapeError, brief, lines
from ..primitives.fourier import fourier
from ._numbers import FftType
from ._operands import array, describe


def fft(x: Any, fft_type: FftType | str, fft_lengths: Sequence[int]) -> Any:
    """Transform the last axes, one per length.

    Args:
        fft_type: FFT, IFFT (complex or real to complex), RFFT (real to half) or IRFFT (half to real), or its name.
        fft_lengths: the sizes of these axes of x; for IRFFT the last is that of the result.
    """
    x, kind = array(x), _kind(fft_type)
    lengths = static.sizes(fft_lengths, "fft: fft_lengths")
    wanted = (*lengths[:-1], lengths[-1] // 2 + 1) if kind is FftType.IRFFT and lengths else lengths
    if not lengths or tuple(x.shape[x.ndim - len(lengths) :]) != wanted or len(lengths) > x.ndim:
        raise ShapeError(
            lines(
                f"fx.lax.fft: {kind.name} of lengths {lengths} needs last axes {wanted}; x is {describe(x)}.",
                "fx.numpy.fft cuts and pads.",
            )
        )
    axes = tuple(range(x.ndim - len(lengths), x.ndim))
    return fourier(x, kind.name.lower(), axes, n=lengths[-1] if kind is FftType.IRFFT else 0)


def _kind(fft_type: Any) -> FftType:
    if not isinstance(fft_type, str):
        return static.member(fft_type, FftType, "fft: fft_type")
    name = fft_type.upper()
    if name not in FftType.__members__:
        raise ArgumentError(f"fx.lax.fft: {brief(fft_type)} is not one of {', '.join(FftType.__members__)}.")
    return FftType[name]
