"""`fx.fft`: discrete Fourier transforms, NumPy's eighteen functions (also `fx.numpy.fft`), and SciPy's cosine ones."""

from __future__ import annotations

from ..numpy.fft import (
    fft as fft,
    fft2 as fft2,
    fftfreq as fftfreq,
    fftn as fftn,
    fftshift as fftshift,
    hfft as hfft,
    ifft as ifft,
    ifft2 as ifft2,
    ifftn as ifftn,
    ifftshift as ifftshift,
    ihfft as ihfft,
    irfft as irfft,
    irfft2 as irfft2,
    irfftn as irfftn,
    rfft as rfft,
    rfft2 as rfft2,
    rfftfreq as rfftfreq,
    rfftn as rfftn,
)
from ._cosine import (
    dct as dct,
    dctn as dctn,
    idct as idct,
    idctn as idctn,
)
