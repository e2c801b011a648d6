"""`fx.signal`: convolution, spectra, windows and filters of signals, with SciPy's names; all differentiable."""

from __future__ import annotations

from . import windows as windows
from ._convolution import (
    choose_conv_method as choose_conv_method,
    convolve as convolve,
    convolve2d as convolve2d,
    correlate as correlate,
    correlate2d as correlate2d,
    fftconvolve as fftconvolve,
    oaconvolve as oaconvolve,
)
from ._detrend import (
    detrend as detrend,
    hilbert as hilbert,
)
from ._filters import (
    filtfilt as filtfilt,
    lfilter as lfilter,
    lfilter_zi as lfilter_zi,
    savgol_coeffs as savgol_coeffs,
    savgol_filter as savgol_filter,
    sosfilt as sosfilt,
)
from ._spectra import (
    coherence as coherence,
    csd as csd,
    istft as istft,
    periodogram as periodogram,
    stft as stft,
    welch as welch,
)
from .windows import get_window as get_window
