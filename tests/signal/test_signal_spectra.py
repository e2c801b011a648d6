"""stft, istft, csd and their relatives against SciPy and JAX; derivatives, batching and compilation."""

import warnings

import jax
import jax.scipy.signal
import numpy as np
import pytest
import scipy.signal

import fx
import fx.numpy as fnp
from fx.testing import check_grads, check_jit, check_vmap

rng = np.random.default_rng(8)
X = rng.normal(size=(2, 100, 3))
Y = rng.normal(size=(2, 90, 3))
Z = X + 1j * rng.normal(size=X.shape)


def of_scipy(name, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lengths and sides that fx takes without a word
        return getattr(scipy.signal, name)(*args, **options)


def compare(got, want, message=""):
    for a, b in zip(got, want, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype), message
        np.testing.assert_allclose(a, b, atol=1e-11, rtol=1e-9, err_msg=str(message))


PIECES = (
    {},
    {"nperseg": 16},
    {"nperseg": 16, "noverlap": 4, "nfft": 20},
    {"nperseg": 15, "window": "hamming", "nfft": 17},
    {"nperseg": 16, "detrend": "linear"},
    {"nperseg": 16, "detrend": False, "return_onesided": False},
    {"window": np.hanning(20)},
    {"nperseg": 20, "fs": 50.0, "window": ("tukey", 0.3)},
)


@pytest.mark.parametrize("options", PIECES, ids=str)
def test_averages_equal_scipy(options):
    for scaling in ("density", "spectrum"):
        for average in ("mean", "median"):
            kinds = {"scaling": scaling, "average": average, "axis": 1, **options}
            for x, y in ((X, Y), (Z, Z * Z)):
                compare(fx.signal.welch(x, **kinds), of_scipy("welch", x, **kinds), kinds)
                compare(fx.signal.csd(x, y, **kinds), of_scipy("csd", x, y, **kinds), kinds)


STFT = (
    {},
    {"nperseg": 16},
    {"nperseg": 16, "noverlap": 4, "nfft": 20},
    {"nperseg": 15, "window": "hamming"},
    {"nperseg": 16, "boundary": None},
    {"nperseg": 16, "boundary": "even"},
    {"nperseg": 16, "boundary": "odd", "padded": False},
    {"nperseg": 16, "boundary": "constant", "fs": 5.0},
    {"nperseg": 16, "return_onesided": False},
    {"nperseg": 16, "detrend": "constant"},
    {"nperseg": 16, "scaling": "psd", "fs": 3.0},
)


@pytest.mark.parametrize("options", STFT, ids=str)
def test_pieces_and_their_inverse_equal_scipy(options):
    back = {
        k: v for k, v in options.items() if k in ("nperseg", "noverlap", "nfft", "window", "fs", "scaling")
    }
    for x in (X, Z):
        got, want = fx.signal.stft(x, axis=1, **options), of_scipy("stft", x, axis=1, **options)
        compare(got, want, options)
        inverse = {
            "nperseg": 100,
            **back,
            "freq_axis": 1,
            "boundary": options.get("boundary", "") is not None,
        }
        inverse["input_onesided"] = x is X and options.get("return_onesided", True)
        times, signal = fx.signal.istft(got[2], **inverse)
        compare([signal], [of_scipy("istft", want[2], **inverse)[1]], options)
        assert times.shape == signal.shape[-1:]
        if options.get("boundary", "zeros") is not None and "detrend" not in options:
            n = min(signal.shape[-1], 100)
            np.testing.assert_allclose(signal[..., :n], np.moveaxis(x, 1, -1)[..., :n], atol=1e-10)


def test_istft_with_other_axes_and_defaults():
    spectra = of_scipy("stft", X[0, :, 0], nperseg=16)[2]
    compare(fx.signal.istft(spectra), of_scipy("istft", spectra))
    turned = {"time_axis": 0, "freq_axis": 1}
    compare(fx.signal.istft(spectra.T, **turned), of_scipy("istft", spectra.T, **turned))


def test_whole_signals_coherence_and_trends_equal_scipy():
    for options in ({}, {"nfft": 60}, {"nfft": 128}, {"window": "hann", "scaling": "spectrum"}):
        compare(fx.signal.periodogram(X, axis=1, **options), of_scipy("periodogram", X, axis=1, **options))
    options = {"nperseg": 16, "axis": 1}
    compare(fx.signal.coherence(X, Y, **options), of_scipy("coherence", X, Y, **options))
    for options in ({}, {"type": "constant"}, {"bp": 30}, {"bp": [10, 50]}, {"bp": np.array([99])}):
        for x in (X, Z):
            compare([fx.signal.detrend(x, 1, **options)], [scipy.signal.detrend(x, 1, **options)], options)
    for n in (None, 99, 128, 30):
        compare([fx.signal.hilbert(X, n, 1)], [scipy.signal.hilbert(X, n, 1)], n)


def test_single_precision_and_the_names_of_jax():
    x = X.astype(np.float32)[0].T
    for name, args, options in (
        ("stft", (x,), {"nperseg": 16}),
        ("detrend", (x,), {}),
    ):
        got, want = (
            getattr(fx.signal, name)(*args, **options),
            getattr(jax.scipy.signal, name)(*args, **options),
        )
        for a, b in zip(fx.tree.leaves(got), jax.tree.leaves(want), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, atol=2e-5)
    assert fx.signal.welch(x, np.float64(2))[1].dtype == np.float32
    assert fx.signal.stft(x.astype(np.float16))[2].dtype == np.complex64
    assert fx.signal.detrend(np.arange(5)).dtype == np.float32
    assert fx.signal.detrend(x.astype(np.float16)).dtype == np.float16


def test_detrend_as_a_function_and_csd_of_one_signal():
    options = {"nperseg": 16, "axis": 1}
    double = fx.signal.welch(X, detrend=lambda pieces: 2 * pieces, **options)[1]
    np.testing.assert_allclose(double, 4 * np.asarray(fx.signal.welch(X, detrend=False, **options)[1]))
    np.testing.assert_array_equal(fx.signal.csd(X, None, **options)[1], fx.signal.welch(X, **options)[1])


def test_parseval_and_the_adjoint_of_pieces():
    x = X[:, :, 0]
    frequencies, power = fx.signal.periodogram(x, detrend=False)
    np.testing.assert_allclose(fnp.sum(power, axis=-1) * frequencies[1], (x**2).mean(axis=-1))


def test_derivatives_batching_and_compilation():
    x, y = rng.normal(size=(2, 12)), rng.normal(size=(2, 12))
    options = {"nperseg": 6, "nfft": 8}
    for f in (
        lambda x, y: fx.signal.stft(x * y, **options)[2],
        lambda x, y: fx.signal.csd(x, y, **options)[1],
        lambda x, y: fx.signal.welch(x + 1j * y, average="median", **options)[1],
        lambda x, y: fx.signal.istft(fx.signal.stft(x, **options)[2] * y.sum(), **options)[1],
        lambda x, y: fx.signal.detrend(x, bp=5) * fx.signal.hilbert(y),
        lambda x, y: fx.signal.welch(x, window=fnp.abs(y[0, :6]))[1],
    ):
        check_grads(f, (x, y), order=1)
        check_jit(f, (x, y))
    check_vmap(lambda x: fx.signal.welch(x, **options)[1], (x,), axis_size=2)
    check_vmap(lambda x: fx.signal.stft(x, **options)[2], (x,), axis_size=2)


@pytest.mark.parametrize(
    "call, error, says",
    [
        (lambda: fx.signal.welch(X, nperseg=8, noverlap=8, axis=1), fx.ArgumentError, "noverlap=8"),
        (lambda: fx.signal.stft(X, nperseg=8, nfft=4, axis=1), fx.ArgumentError, "nfft=4"),
        (lambda: fx.signal.stft(X, nperseg=0), fx.ArgumentError, "nperseg=0"),
        (lambda: fx.signal.stft(X, boundary="mirror"), fx.ArgumentError, "'even'"),
        (lambda: fx.signal.stft(np.ones(4), nperseg=2, scaling="density"), fx.ArgumentError, "'psd'"),
        (lambda: fx.signal.welch(X, scaling="power"), fx.ArgumentError, "'density'"),
        (lambda: fx.signal.welch(X, average="mode"), fx.ArgumentError, "'median'"),
        (lambda: fx.signal.welch(X, window="hat"), fx.ArgumentError, "hat"),
        (lambda: fx.signal.welch(np.ones(5), window=np.ones(6)), fx.ShapeError, "longer than the signal"),
        (lambda: fx.signal.welch(np.ones(9), window=np.ones(6), nperseg=5), fx.ShapeError, "5 points"),
        (lambda: fx.signal.welch(np.ones((3, 0))), fx.ShapeError, "no points"),
        (lambda: fx.signal.csd(np.ones(4), np.ones((2, 4)), axis=0), fx.ShapeError, "different ranks"),
        (lambda: fx.signal.istft(np.ones(4)), fx.ShapeError, "axis of frequency"),
        (lambda: fx.signal.istft(np.ones((4, 3)), freq_axis=-1), fx.ShapeError, "both axis 1"),
        (lambda: fx.signal.detrend(X, type="square"), fx.ArgumentError, "'constant'"),
        (lambda: fx.signal.detrend(np.ones(4), bp=5), fx.ShapeError, "break points"),
        (lambda: fx.signal.hilbert(Z), fx.DTypeError, "real numbers"),
    ],
)
def test_errors(call, error, says):
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value)
