"""Spectra of pieces of a signal: stft and its inverse, csd, welch, periodogram, coherence; trends and envelopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..numpy._arguments import operand
from ..numpy.fft import fft, fftfreq, ifft, irfft, rfft, rfftfreq
from ..primitives.promotion import promote
from ._arguments import wide
from ._detrend import detrend as _detrended
from .windows import get_window

SCALINGS = ("density", "spectrum")


class Segments(NamedTuple):
    """How a signal is cut: pieces of `size` points, one every `step`, transformed over `points`."""

    window: Array
    size: int
    step: int
    points: int
    one_sided: bool


# Averages over pieces


def csd(
    x: Any,
    y: Any = None,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]:
    """Cross spectral density of two signals: averages of conj(X) Y over windowed pieces (Welch, 1967).

    Args:
        x, y: the shorter one is filled up with zeros, the other axes broadcast; y None is x, with a real result.
        fs: sampling frequency.
        window: of `get_window`, or its values (nperseg,).
        nperseg: points of a piece: by default those of the window, or 256; at most those of the signal.
        noverlap: points that two pieces share; default half of them. What is left at the end is not used.
        nfft: points of the transforms, default nperseg; the pieces are filled up with zeros.
        detrend: type of `detrend` that is applied to each piece, a function of pieces (..., nperseg), or False.
        return_onesided: frequencies from 0 up, with the power of the negative ones; not for complex signals.
        scaling: "density" (per unit of frequency) or "spectrum".
        axis: of time, in place of which that of frequency stands in the result.
        average: "mean" or "median" (corrected for its bias).

    Returns:
        Frequencies, and the spectrum.
    """
    static.choice(scaling, SCALINGS, "csd: scaling")
    static.choice(average, ("mean", "median"), "csd: average")
    same = y is None or y is x
    x, y = (_wide(v) for v in ((x, x) if same else promote(x, y, inexact=True)))
    axis = _time_axis(axis, (x, y), "csd")
    x, y = _equally_long(fnp.moveaxis(x, axis, -1), fnp.moveaxis(y, axis, -1))
    one_sided = bool(return_onesided) and "c" not in (x.dtype.kind, y.dtype.kind)
    cut = _segments(window, nperseg, noverlap, nfft, one_sided, x, "csd")
    from_x = _spectra(x, cut, detrend)
    from_y = from_x if same else _spectra(y, cut, detrend)
    power = fnp.conj(from_x) * from_y * _scale(cut.window, scaling, fs)
    power = _averaged(_with_both_sides(power, cut), average)
    power = fnp.moveaxis(power, -1, axis)
    return _frequencies(cut, fs, x), fnp.real(power) if same else power


def welch(
    x: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
    average: str = "mean",
) -> tuple[Array, Array]:
    """Power spectral density by Welch's method: `csd` of a signal with itself."""
    return csd(
        x, None, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average
    )  # fmt: skip


def periodogram(
    x: Any,
    fs: Any = 1.0,
    window: Any = "boxcar",
    nfft: int | None = None,
    detrend: Any = "constant",
    return_onesided: bool = True,
    scaling: str = "density",
    axis: int = -1,
) -> tuple[Array, Array]:
    """Power spectral density of the whole signal as one piece, cut or filled up to `nfft` points."""
    x = operand(x, "periodogram")
    axis = _time_axis(axis, (x,), "periodogram")
    n = x.shape[axis]
    if nfft is not None and static.integer(nfft, "periodogram: nfft") < n:
        n = nfft
        x = fnp.moveaxis(fnp.moveaxis(x, axis, -1)[..., :n], -1, axis)
    return csd(x, None, fs, window, n, 0, nfft, detrend, return_onesided, scaling, axis)


def coherence(
    x: Any,
    y: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = "constant",
    axis: int = -1,
) -> tuple[Array, Array]:
    """|Pxy|**2 / (Pxx Pyy), from 0 to 1: which share of y is a linear function of x at each frequency."""
    options: dict[str, Any] = {
        "fs": fs,
        "window": window,
        "nperseg": nperseg,
        "noverlap": noverlap,
        "nfft": nfft,
    }
    options |= {"detrend": detrend, "axis": axis}
    x, y = (operand(v, "coherence") for v in promote(x, y, inexact=True))
    frequencies, of_x = welch(x, **options)
    of_y, of_both = welch(y, **options)[1], csd(x, y, **options)[1]
    return frequencies, (fnp.real(of_both) ** 2 + fnp.imag(of_both) ** 2) / of_x / of_y


def _averaged(power: Array, average: str) -> Array:
    """Over the pieces. power: (..., pieces, frequencies)."""
    count = power.shape[-2]
    if average == "mean" or count == 1:
        return fnp.mean(power, axis=-2)
    middle = fnp.median(fnp.real(power), axis=-2) + 1j * fnp.median(fnp.imag(power), axis=-2)
    even = 2 * np.arange(1, (count - 1) // 2 + 1)
    return middle / float(1 + np.sum(1 / (even + 1) - 1 / even))


def _with_both_sides(power: Array, cut: Segments) -> Array:
    """One-sided spectra hold the power of the negative frequencies too, which 0 and the highest even one lack."""
    if not cut.one_sided:
        return power
    place = fnp.arange(power.shape[-1])
    alone = (place == 0) | ((place == cut.points // 2) if cut.points % 2 == 0 else False)
    return power * fnp.where(alone, 1.0, 2.0).astype(dtypes.real_of(power.dtype))


def _equally_long(x: Array, y: Array) -> list[Array]:
    n = max(x.shape[-1], y.shape[-1])
    return [fnp.pad(v, [(0, 0)] * (v.ndim - 1) + [(0, n - v.shape[-1])]) for v in (x, y)]


# Pieces one by one


def stft(
    x: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int = 256,
    noverlap: int | None = None,
    nfft: int | None = None,
    detrend: Any = False,
    return_onesided: bool = True,
    boundary: str | None = "zeros",
    padded: bool = True,
    axis: int = -1,
    scaling: str = "spectrum",
) -> tuple[Array, Array, Array]:
    """The spectra of windowed pieces of a signal.

    Args:
        boundary: what half a piece is added with at both ends: "zeros", "constant", "even", "odd", or None.
        padded: zeros are added at the end, so that all of the signal is in some piece.
        scaling: "spectrum" (sums of windows are 1) or "psd" (sums of squares give power per unit of frequency).

    The other arguments are those of `csd`.

    Returns:
        Frequencies, times of the middles of the pieces, and the spectra: the axis of frequency stands where that of
        time was, the pieces run along the last axis.
    """
    static.choice(scaling, ("spectrum", "psd"), "stft: scaling")
    x = _wide(operand(x, "stft"))
    axis = _time_axis(axis, (x,), "stft")
    x = fnp.moveaxis(x, axis, -1)
    one_sided = bool(return_onesided) and x.dtype.kind != "c"
    cut = _segments(window, nperseg, noverlap, nfft, one_sided, x, "stft")
    x = (
        _filled(_extended(x, boundary, cut.size // 2), cut)
        if padded
        else _extended(x, boundary, cut.size // 2)
    )
    scale = fnp.sqrt(_scale(cut.window, "density" if scaling == "psd" else scaling, fs))
    spectra = fnp.moveaxis(_spectra(x, cut, detrend) * scale, -1, axis - 1)
    start = 0.0 if boundary is not None else cut.size / 2
    times = (fnp.arange(_count(x, cut), dtype=fnp.float64) * cut.step + start) / fs
    return _frequencies(cut, fs, x), times.astype(dtypes.real_of(x.dtype)), spectra


def istft(
    Zxx: Any,
    fs: Any = 1.0,
    window: Any = "hann",
    nperseg: int | None = None,
    noverlap: int | None = None,
    nfft: int | None = None,
    input_onesided: bool = True,
    boundary: bool = True,
    time_axis: int = -1,
    freq_axis: int = -2,
    scaling: str = "spectrum",
) -> tuple[Array, Array]:
    """The signal with given spectra: the inverse of `stft` with the same window, nperseg, noverlap and scaling.

    Args:
        nperseg: default an even one, of as many points as the spectra are of.
        boundary: whether the signal had been extended at both ends.

    Pieces are added up and divided by the sum of the squared windows, where that is above 1e-10.

    Returns:
        Times, and the signal, real if `input_onesided`; the axis of time stands where `time_axis` was.
    """
    static.choice(scaling, ("spectrum", "psd"), "istft: scaling")
    Z = _wide(operand(Zxx, "istft"))
    if Z.ndim < 2:
        raise errors.ShapeError(
            f"istft takes spectra with an axis of frequency and one of time; got {Z.aval}."
        )
    time, frequency = (static.axis(a, Z.ndim, "istft") for a in (time_axis, freq_axis))
    if time == frequency:
        raise errors.ShapeError(f"istft: time_axis and freq_axis are both axis {time} of {Z.aval}.")
    Z = fnp.moveaxis(Z, (time, frequency), (-2, -1))
    cut = _segments_back(window, nperseg, noverlap, nfft, bool(input_onesided), Z)
    pieces = (irfft if cut.one_sided else ifft)(Z, cut.points)[..., : cut.size]
    scale = _scale(cut.window, "density" if scaling == "psd" else scaling, fs)
    x = _added(pieces * (cut.window / fnp.sqrt(scale)), cut)
    weight = _added(fnp.broadcast_to(cut.window**2, (Z.shape[-2], cut.size)), cut)
    if boundary:
        half = cut.size // 2
        x, weight = x[..., half : x.shape[-1] - half], weight[half : weight.size - half]
    x = x / fnp.where(weight > 1e-10, weight, 1.0)
    times = (fnp.arange(x.shape[-1], dtype=fnp.float64) / fs).astype(dtypes.real_of(x.dtype))
    return times, fnp.moveaxis(x, -1, time - (frequency < time))


def _segments_back(
    window: Any, nperseg: Any, noverlap: Any, nfft: Any, one_sided: bool, Z: Array
) -> Segments:
    """Z: (..., pieces, frequencies)."""
    default = 2 * (Z.shape[-1] - 1) if one_sided else Z.shape[-1]
    size = default if nperseg is None else static.integer(nperseg, "istft: nperseg")
    if nfft is None:
        nfft = size if one_sided and size == default + 1 else default
    return _checked(window, size, noverlap, nfft, one_sided, Z, "istft")


def _added(pieces: Array, cut: Segments) -> Array:
    """Pieces (..., count, size) at their places along one axis."""
    count = pieces.shape[-2]
    total = fnp.zeros((*pieces.shape[:-2], cut.size + (count - 1) * cut.step), pieces.dtype)
    return total.at[..., _places(count, cut)].add(pieces)


def _extended(x: Array, boundary: Any, n: int) -> Array:
    """x with n more points at both ends."""
    if boundary is None:
        return x
    static.choice(boundary, tuple(_EXTENSIONS), "stft: boundary")
    mode, options = _EXTENSIONS[boundary]
    if mode == "reflect" and n > x.shape[-1] - 1:
        raise errors.ShapeError(f"stft: {x.aval} is too short to be extended by {n} points with {boundary=}.")
    return fnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n, n)], mode, **options)


_EXTENSIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "zeros": ("constant", {}),
    "constant": ("edge", {}),
    "even": ("reflect", {}),
    "odd": ("reflect", {"reflect_type": "odd"}),
}


def _filled(x: Array, cut: Segments) -> Array:
    """x with zeros at the end, so that a number of pieces has all of it."""
    missing = (-(x.shape[-1] - cut.size) % cut.step) % cut.size
    return fnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])


# What all of them share


def _wide(x: Any) -> Array:
    return wide(x, "spectra: a signal")


def _time_axis(axis: Any, signals: tuple[Array, ...], name: str) -> int:
    """The axis counted from the end, so that it means the same after broadcasting."""
    found = [static.axis(axis, x.ndim, name) - x.ndim for x in signals]
    if len(set(found)) > 1:
        raise errors.ShapeError(f"{name}: axis {axis} is not the same axis of signals of different ranks.")
    for x in signals:
        if x.shape[found[0]] == 0:
            raise errors.ShapeError(f"{name}: the signal {x.aval} has no points along axis {axis}.")
    return found[0]


def _segments(
    window: Any, nperseg: Any, noverlap: Any, nfft: Any, one_sided: bool, x: Array, name: str
) -> Segments:
    """How to cut x: (..., time)."""
    n = x.shape[-1]
    if isinstance(window, (str, tuple, int, float)):
        size = min(256 if nperseg is None else static.integer(nperseg, f"{name}: nperseg"), n)
    else:
        given = operand(window, f"{name}: window").size
        size = given if nperseg is None else static.integer(nperseg, f"{name}: nperseg")
        if size > n:
            raise errors.ShapeError(
                f"{name}: the window of {size} points is longer than the signal, {x.aval}."
            )
    return _checked(window, size, noverlap, nfft, one_sided, x, name)


def _checked(
    window: Any, size: int, noverlap: Any, nfft: Any, one_sided: bool, x: Array, name: str
) -> Segments:
    overlap = size // 2 if noverlap is None else static.integer(noverlap, f"{name}: noverlap")
    points = size if nfft is None else static.integer(nfft, f"{name}: nfft")
    if size < 1 or not 0 <= overlap < size or points < size:
        raise errors.ArgumentError(
            errors.lines(
                f"{name}: nperseg={size}, noverlap={overlap}, nfft={points} do not fit together.",
                "noverlap must be less than nperseg, and nperseg at most nfft.",
            )
        )
    real = dtypes.real_of(x.dtype)
    if isinstance(window, (str, tuple, int, float)):
        return Segments(get_window(window, size, dtype=real), size, size - overlap, points, one_sided)
    values = operand(window, f"{name}: window")
    if values.shape != (size,) or values.dtype.kind == "c":
        raise errors.ShapeError(f"{name}: the window must be real and have {size} points; got {values.aval}.")
    return Segments(values.astype(real), size, size - overlap, points, one_sided)


def _spectra(x: Array, cut: Segments, detrend: Any) -> Array:
    """(..., time) to (..., pieces, frequencies)."""
    pieces = _trendless(x[..., _places(_count(x, cut), cut)], detrend) * cut.window
    return (rfft if cut.one_sided else fft)(pieces, cut.points)


def _trendless(pieces: Array, detrend: str | bool | Callable[[Array], Array]) -> Array:
    if callable(detrend):
        return detrend(pieces)
    return _detrended(pieces, type=detrend) if isinstance(detrend, str) or detrend is not False else pieces  # type: ignore[arg-type]


def _count(x: Array, cut: Segments) -> int:
    return (x.shape[-1] - cut.size) // cut.step + 1


def _places(count: int, cut: Segments) -> Array:
    """Which points belong to each piece: (count, size)."""
    return fnp.arange(count)[:, None] * cut.step + fnp.arange(cut.size)


def _scale(window: Array, scaling: str, fs: Any) -> Array:
    scale = 1 / (fs * fnp.sum(window**2)) if scaling == "density" else 1 / fnp.sum(window) ** 2
    return scale.astype(window.dtype)


def _frequencies(cut: Segments, fs: Any, x: Array) -> Array:
    make = rfftfreq if cut.one_sided else fftfreq
    return make(cut.points, 1 / fs, dtype=dtypes.real_of(x.dtype))
