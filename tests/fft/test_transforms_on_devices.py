"""fx.fft, fx.signal, fx.image and fx.ops on a device where arrays of the host do not mix with its own."""

import numpy as np
import pytest

import fx
import fx.numpy as fnp
from fx.core import devices
from fx.core.array import Array

DEVICE = fx.device("strict")
FILTERS = ("bilinear", "nearest", "bicubic")
WINDOWS = (
    "hann",
    "parzen",
    "bohman",
    "taylor",
    ("tukey", 0.3),
    ("kaiser", 4.0),
    ("chebwin", 60),
    ("dpss", 2.5),
)


def put(values):
    return Array(devices.move(np.asarray(values), DEVICE))


X, SIGNAL = np.arange(20.0).reshape(4, 5), np.random.default_rng(0).normal(size=(2, 40))
CASES = {
    "cosines": lambda x, s: [fx.fft.dct(x, t) for t in (1, 2, 3, 4)],
    "spectra": lambda x, s: [fx.fft.irfft2(fx.fft.rfft2(x)), fx.fft.hfft(x), fx.fft.fftshift(x)],
    "gradient": lambda x, s: fx.grad(lambda v: fnp.sum(fnp.abs(fx.fft.rfft(v)) ** 2))(s),
    "convolve": lambda x, s: [fx.signal.convolve(x, x, "same", m) for m in ("direct", "fft")],
    "blocks": lambda x, s: fx.signal.oaconvolve(s, s[:, :3], axes=1),
    "borders": lambda x, s: fx.signal.correlate2d(x, x, "same", "symm"),
    "welch": lambda x, s: fx.signal.welch(s, nperseg=8, average="median"),
    "stft": lambda x, s: fx.signal.istft(fx.signal.stft(s, nperseg=8)[2]),
    "trends": lambda x, s: [fx.signal.detrend(s), fx.signal.hilbert(s)],
    "filters": lambda x, s: [fx.signal.lfilter(s[0, :2], s[0, 2:4], s), fx.signal.savgol_filter(s, 5, 2)],
    "windows": lambda x, s: [fx.signal.get_window(w, 8) for w in WINDOWS],
    "resize": lambda x, s: [fx.image.resize(x, (3, 9), m) for m in ("nearest", "linear", "lanczos3")],
    "sampling": lambda x, s: [fx.image.rotate(x, 30), fx.image.map_coordinates(x, s[:, :4], 2, "nearest")],
    "grids": lambda x, s: [
        fx.image.grid_sample(x[None, None], fx.image.affine_grid(x[None, :2, :3] / 9, (1, 1, 4, 5)), m)
        for m in FILTERS
    ],
    "segments": lambda x, s: fx.ops.segment_softmax(x, fnp.arange(4) // 2, 2),
}


@pytest.mark.parametrize("name", CASES)
def test_the_device_computes_what_the_host_does(name):
    want = fx.tree.leaves(CASES[name](fnp.asarray(X), fnp.asarray(SIGNAL)))
    with fx.default_device(DEVICE):
        got = fx.tree.leaves(CASES[name](put(X), put(SIGNAL)))
        assert [x.device for x in got] == [DEVICE] * len(want)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(np.asarray(a.to_device("cpu")), b, rtol=1e-6, atol=1e-9)
