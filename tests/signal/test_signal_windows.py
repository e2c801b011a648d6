"""Windows against SciPy's, by function and by name."""

import numpy as np
import pytest
import scipy.signal.windows
from scipy.signal.windows._windows import _WIN_FUNCS

import fx
from fx.signal import windows
from fx.testing import check_grads

PARAMETERS = {
    "chebwin": [(60,), (100,)],
    "dpss": [(2.5,), (2.5, 2)],
    "gaussian": [(2.5,)],
    "general_cosine": [([0.5, 0.3, 0.2],)],
    "general_gaussian": [(1.5, 2.0)],
    "general_hamming": [(0.6,)],
    "kaiser": [(8.6,), (0.0,)],
    "kaiser_bessel_derived": [(4.0,)],
    "taylor": [(), (5, 40, False)],
    "tukey": [(), (0.1,), (0,), (1.0,)],
    "exponential": [(), (None, 2.5)],
}
NAMES = [n for n in scipy.signal.windows.__all__ if n != "get_window"]


@pytest.mark.parametrize("name", NAMES)
def test_every_window_equals_scipy(name):
    for parameters in PARAMETERS.get(name, [()]):
        for size in (0, 1, 2, 3, 7, 8, 51, 64):
            for sym in (True, False):
                if (name == "kaiser_bessel_derived" and (size % 2 or not sym)) or (
                    name == "dpss" and size < 7
                ):
                    continue
                want = getattr(scipy.signal.windows, name)(size, *parameters, sym=sym)
                got = getattr(windows, name)(size, *parameters, sym=sym, dtype="float64")
                assert (got.shape, got.dtype) == (want.shape, want.dtype)
                np.testing.assert_allclose(
                    got, want, rtol=1e-11, atol=1e-13, err_msg=f"{parameters} {size} {sym}"
                )


def test_every_name_of_scipy_is_known():
    for name, (_, takes) in _WIN_FUNCS.items():
        parameters = PARAMETERS[_WIN_FUNCS[name][0].__name__][0] if takes is True else ()
        for fftbins in (True, False):
            if "bessel" in name or name == "kbd":
                fftbins = False
            given = (name, *parameters) if parameters else name
            want = scipy.signal.get_window(given, 8, fftbins)
            np.testing.assert_allclose(fx.signal.get_window(given, 8, fftbins), want, atol=1e-6, err_msg=name)
    for given in ("hann_symmetric", ("tukey_periodic", 0.25), 8.0):
        for fftbins in (True, False):
            want = scipy.signal.get_window(given, 9, fftbins)
            np.testing.assert_allclose(fx.signal.get_window(given, 9, fftbins, dtype=float), want, atol=1e-6)


def test_the_dtype_is_the_default_float_unless_asked_for():
    assert windows.hann(4).dtype == np.float32
    assert windows.hann(4, dtype=np.float16).dtype == np.float16
    with fx.config(default_float="float64"):
        assert windows.hann(4).dtype == np.float64


def test_derivatives_by_parameters():
    for f in (
        lambda v: windows.kaiser(7, v, dtype="float64"),
        lambda v: windows.gaussian(8, v, dtype="float64"),
        lambda v: windows.general_gaussian(8, v, 2 * v, dtype="float64"),
        lambda v: windows.exponential(6, None, v, dtype="float64"),
        lambda v: windows.general_hamming(6, v, dtype="float64"),
        lambda v: windows.general_cosine(6, [v, 2 * v], dtype="float64"),
    ):
        check_grads(f, (np.float64(1.3),), order=2)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: fx.signal.get_window("hat", 8), "no window 'hat'"),
        (lambda: fx.signal.get_window("kaiser", 8), "takes 1 parameters"),
        (lambda: fx.signal.get_window(("hann", 2), 8), "takes 0 parameters"),
        (lambda: fx.signal.get_window("hann", 0), "at least one point"),
        (lambda: fx.signal.get_window((), 8), "name of a window"),
        (lambda: windows.hann(-1), "not be negative"),
        (lambda: windows.hann(2.5), "must be an integer; got float 2.5"),
        (lambda: windows.exponential(4, 2.0), "sym=False"),
        (lambda: windows.kaiser_bessel_derived(5, 1.0), "even number"),
        (lambda: windows.dpss(8, 5.0), "dpss"),
    ],
)
def test_errors(call, says):
    with pytest.raises(fx.ArgumentError) as caught:
        call()
    assert says in str(caught.value)
