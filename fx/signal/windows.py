"""Window functions: M points, symmetric, or with `sym=False` one period of a function that repeats after M.

They are computed in float64 and given in `dtype`, by default the default float. Parameters that are numbers may be
traced: derivatives by them work. Sources: F. J. Harris, "On the use of windows for harmonic analysis with the
discrete Fourier transform" (1978); J. F. Kaiser (1974) for `kaiser`.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fx.numpy as fnp

from ..core import dtypes, errors, static
from ..core.array import Array
from ..numpy.fft import fft


def get_window(window: Any, Nx: int, fftbins: bool = True, *, dtype: Any = None) -> Array:
    """A window by its name.

    Args:
        window: a name such as "hann", also with "_symmetric" or "_periodic" behind it; a tuple of a name and
            parameters, such as ("tukey", 0.25); or a number, the beta of `kaiser`.
        Nx: number of points, at least one.
        fftbins: one period of a periodic window, for spectra; False: symmetric, for filters.
    """
    points = static.integer(Nx, "get_window: Nx")
    if points < 1:
        raise errors.ArgumentError(f"get_window: Nx={points}; a window has at least one point.")
    if isinstance(window, (int, float)) and not isinstance(window, bool):
        return kaiser(points, window, not fftbins, dtype=dtype)
    name, *parameters = window if isinstance(window, tuple) and window else (window,)
    name = static.text(name, "get_window: the name of a window")
    sym = not fftbins
    for ending, symmetric in (("_symmetric", True), ("_periodic", False)):
        if name.endswith(ending):
            name, sym = name.removesuffix(ending), symmetric
    make, fewest, most = _named(name)
    if not fewest <= len(parameters) <= most:
        count = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise errors.ArgumentError(
            errors.lines(
                f"get_window: the window {name!r} takes {count} parameters; got {errors.brief(window)}.",
                "Write a tuple of the name and the parameters, as in ('tukey', 0.25).",
            )
        )
    return make(points, *parameters, sym=sym, dtype=dtype)


def _named(name: str) -> tuple[Callable[..., Array], int, int]:
    found = _BY_NAME.get(name)
    if found is None:
        known = ", ".join(sorted(function.__name__ for function in _NAMES))
        raise errors.ArgumentError(
            errors.lines(f"get_window: there is no window {name!r}.", f"Known: {known}.")
        )
    return found


# Sums of cosines


def boxcar(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """Ones."""
    return _window(M, sym, dtype, lambda t, n: fnp.ones_like(t))


def general_cosine(M: int, a: Sequence[float], sym: bool = True, *, dtype: Any = None) -> Array:
    """The sum of a[j] cos(pi j t), t from -1 to 1."""
    terms = [
        static.number(c, "general_cosine: a coefficient") for c in static.sequence(a, "general_cosine: a")
    ]

    def of(t: Array, n: int) -> Array:
        return sum((c * fnp.cos((math.pi * j) * t) for j, c in enumerate(terms)), fnp.zeros_like(t))

    return _window(M, sym, dtype, of)


def general_hamming(M: int, alpha: Any, sym: bool = True, *, dtype: Any = None) -> Array:
    """alpha + (1 - alpha) cos(pi t)."""
    alpha = static.number(alpha, "general_hamming: alpha")
    return general_cosine(M, (alpha, 1.0 - alpha), sym, dtype=dtype)


def hamming(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """0.54 + 0.46 cos(pi t)."""
    return general_hamming(M, 0.54, sym, dtype=dtype)


def hann(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """(1 + cos(pi t)) / 2.

    >>> hann(5)
    Array([0. , 0.5, 1. , 0.5, 0. ], float32)
    """
    return general_hamming(M, 0.5, sym, dtype=dtype)


def blackman(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """A sum of three cosines."""
    return general_cosine(M, (0.42, 0.50, 0.08), sym, dtype=dtype)


def nuttall(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """Nuttall's sum of four cosines (1981)."""
    return general_cosine(M, (0.3635819, 0.4891775, 0.1365995, 0.0106411), sym, dtype=dtype)


def blackmanharris(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """A sum of four cosines with the least side lobes."""
    return general_cosine(M, (0.35875, 0.48829, 0.14128, 0.01168), sym, dtype=dtype)


def flattop(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """A sum of five cosines, for measuring amplitudes."""
    return general_cosine(
        M, (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368), sym, dtype=dtype
    )


# Other shapes


def triang(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """A triangle without zeros at its ends."""
    return _window(M, sym, dtype, lambda t, n: 1 - fnp.abs(t) * ((n - 1) / (n + n % 2)))


def bartlett(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """A triangle with zeros at its ends."""
    return _window(M, sym, dtype, lambda t, n: 1 - fnp.abs(t))


def barthann(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """Between `bartlett` and `hann`."""
    of = lambda t, n: 0.62 - 0.24 * fnp.abs(t) + 0.38 * fnp.cos(math.pi * t)
    return _window(M, sym, dtype, of)


def cosine(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """Half a wave, without zeros at its ends."""
    return _window(M, sym, dtype, lambda t, n: fnp.cos(t * (math.pi / 2 * (n - 1) / n)))


def bohman(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """The convolution of two half waves."""

    def of(t: Array, n: int) -> Array:
        u = fnp.abs(t)
        inside = (1 - u) * fnp.cos(math.pi * u) + fnp.sin(math.pi * u) / math.pi
        return fnp.where(u == 1, 0.0, inside)

    return _window(M, sym, dtype, of)


def parzen(M: int, sym: bool = True, *, dtype: Any = None) -> Array:
    """The convolution of two triangles: a piecewise cubic."""

    def of(t: Array, n: int) -> Array:
        u = fnp.abs(t) * ((n - 1) / n)
        return fnp.where(fnp.abs(t) <= 0.5, 1 - 6 * u**2 * (1 - u), 2 * (1 - u) ** 3)

    return _window(M, sym, dtype, of)


def tukey(M: int, alpha: float = 0.5, sym: bool = True, *, dtype: Any = None) -> Array:
    """Ones with a cosine taper over the fraction `alpha` of the points, half of it at each end."""
    share = static.real(alpha, "tukey: alpha")

    def of(t: Array, n: int) -> Array:
        beyond = fnp.maximum((fnp.abs(t) - (1 - share)) / share, 0.0)
        return 0.5 * (1 + fnp.cos(math.pi * beyond))

    if share >= 1:
        return hann(M, sym, dtype=dtype)
    return _window(M, sym, dtype, of) if share > 0 else boxcar(M, sym, dtype=dtype)


def lanczos(M: int, *, sym: bool = True, dtype: Any = None) -> Array:
    """sinc(t)."""
    return _window(M, sym, dtype, lambda t, n: fnp.sinc(t))


def gaussian(M: int, std: Any, sym: bool = True, *, dtype: Any = None) -> Array:
    """exp(-(k / std)**2 / 2), k the distance from the middle in points."""
    std = static.number(std, "gaussian: std")
    return _window(M, sym, dtype, lambda t, n: fnp.exp(-0.5 * (t * ((n - 1) / 2) / std) ** 2))


def general_gaussian(M: int, p: Any, sig: Any, sym: bool = True, *, dtype: Any = None) -> Array:
    """exp(-|k / sig|**(2 p) / 2), k the distance from the middle in points; p = 1 is `gaussian`."""
    p, sig = static.number(p, "general_gaussian: p"), static.number(sig, "general_gaussian: sig")
    of = lambda t, n: fnp.exp(-0.5 * fnp.abs(t * ((n - 1) / 2) / sig) ** (2 * p))
    return _window(M, sym, dtype, of)


def exponential(M: int, center: Any = None, tau: Any = 1.0, sym: bool = True, *, dtype: Any = None) -> Array:
    """exp(-|k - center| / tau), k from 0 to M - 1; `center` is the middle for symmetric windows."""
    if sym and center is not None:
        raise errors.ArgumentError(
            "exponential: a symmetric window has its center in the middle; pass sym=False."
        )
    center = None if center is None else static.number(center, "exponential: center")
    tau = static.number(tau, "exponential: tau")

    def of(t: Array, n: int) -> Array:
        k = t * ((n - 1) / 2)
        return fnp.exp(-fnp.abs(k if center is None else k + ((n - 1) / 2 - center)) / tau)

    return _window(M, sym, dtype, of)


def kaiser(M: int, beta: Any, sym: bool = True, *, dtype: Any = None) -> Array:
    """i0(beta sqrt(1 - t**2)) / i0(beta), i0 the modified Bessel function; beta weighs side lobes against width."""
    beta = fnp.asarray(static.number(beta, "kaiser: beta"), dtype=fnp.float64)
    of = lambda t, n: fnp.i0(beta * fnp.sqrt((1 - t) * (1 + t))) / fnp.i0(beta)
    return _window(M, sym, dtype, of)


def kaiser_bessel_derived(M: int, beta: Any, *, sym: bool = True, dtype: Any = None) -> Array:
    """Roots of running sums of `kaiser`, for the modified discrete cosine transform; M even, symmetric alone."""
    count = _points(M)
    if not sym or count % 2:
        raise errors.ArgumentError(
            f"kaiser_bessel_derived: there are symmetric windows of an even number of points; got M={count}, {sym=}."
        )
    total = fnp.cumsum(kaiser(count // 2 + 1, beta, dtype=fnp.float64))
    half = fnp.sqrt(total[:-1] / total[-1])
    return fnp.concatenate([half, half[::-1]]).astype(_result(dtype))


def chebwin(M: int, at: float, sym: bool = True, *, dtype: Any = None) -> Array:
    """The Dolph-Chebyshev window: the narrowest main lobe for side lobes `at` decibels below it."""
    ratio = _ratio(abs(static.real(at, "chebwin: at")), "chebwin: at")

    def of(t: Array, n: int) -> Array:
        turns = fnp.arange(n, dtype=fnp.float64) * (math.pi / n)
        spectrum = _chebyshev(n - 1, math.cosh(math.acosh(ratio) / (n - 1)) * fnp.cos(turns))
        if n % 2:
            w = fnp.real(fft(spectrum))[: (n + 1) // 2]
            w = fnp.concatenate([w[:0:-1], w])
        else:
            w = fnp.real(fft(spectrum * fnp.exp(1j * turns)))[1 : n // 2 + 1]
            w = fnp.concatenate([w[::-1], w])
        return w / fnp.max(w)

    return _window(M, sym, dtype, of)


def _ratio(decibels: float, what: str) -> float:
    """The ratio of amplitudes."""
    if not 0 <= decibels <= 6000:
        raise errors.ArgumentError(f"{what}={decibels}; an attenuation is 0 to 6000 decibels.")
    return 10.0 ** (decibels / 20)


def _chebyshev(order: int, x: Array) -> Array:
    """The Chebyshev polynomial T of an order at x: cos(order acos(x)), continued beyond -1 and 1."""
    size = fnp.abs(x)
    inside = fnp.cos(order * fnp.arccos(fnp.clip(x, -1.0, 1.0)))
    outside = fnp.cosh(order * fnp.arccosh(fnp.maximum(size, 1.0)))
    return fnp.where(size <= 1, inside, fnp.where((x < 0) & (order % 2 == 1), -outside, outside))


def taylor(
    M: int, nbar: int = 4, sll: float = 30, norm: bool = True, sym: bool = True, *, dtype: Any = None
) -> Array:
    """Taylor's window: nbar - 1 side lobes of nearly equal height, `sll` decibels below the main one.

    Args:
        norm: 1 in the middle (between the two middle points for even M).
    """
    count = static.integer(nbar, "taylor: nbar")
    if not 1 <= count <= 10_000:
        raise errors.ArgumentError(f"taylor: nbar={count}; there are 1 to 10000 side lobes of one height.")
    weights = _taylor_weights(count, _ratio(static.real(sll, "taylor: sll"), "taylor: sll"))

    def of(t: Array, n: int) -> Array:
        place = t * ((n - 1) / (2 * n))
        orders = fnp.arange(1, count, dtype=fnp.float64)
        waves = fnp.cos(2 * math.pi * orders * place[:, None])
        w = 1 + 2 * fnp.sum(fnp.asarray(weights) * waves, axis=1)
        return w / (1 + 2 * float(weights.sum())) if norm else w

    return _window(M, sym, dtype, of)


def _taylor_weights(nbar: int, ratio: float) -> Any:
    """The coefficients F_m of Carrara and Majewski, "Spotlight synthetic aperture radar" (1995), appendix D."""
    a = math.acosh(ratio) / math.pi
    m = np.arange(1, nbar, dtype=np.float64)
    spread = nbar**2 / (a**2 + (nbar - 0.5) ** 2)
    found = np.empty(nbar - 1)
    for i in range(nbar - 1):
        others = np.delete(m, i)
        above = np.prod(1 - m[i] ** 2 / spread / (a**2 + (m - 0.5) ** 2))
        found[i] = (-1) ** i * above / (2 * np.prod(1 - m[i] ** 2 / others**2))
    return found


def dpss(
    M: int,
    NW: float,
    Kmax: int | None = None,
    sym: bool = True,
    norm: Any = None,
    return_ratios: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    """Slepian's windows, with the most energy in a band of half-width NW / M; computed by SciPy, of static numbers.

    Args:
        Kmax: None: the first window, (M,); else the first Kmax, (Kmax, M).
        norm: "approximate", "subsample" or 2, as in SciPy.
        return_ratios: also the share of the energy inside the band, for each window.
    """
    count, width = _points(M), static.real(NW, "dpss: NW")
    Kmax = None if Kmax is None else static.integer(Kmax, "dpss: Kmax")
    if norm is not None and not (isinstance(norm, int) and norm == 2):
        static.choice(norm, ("approximate", "subsample"), "dpss: norm")
    of_scipy = importlib.import_module("scipy.signal").windows.dpss
    try:
        found = of_scipy(count, width, Kmax, sym, norm, return_ratios)
    except ValueError as e:
        raise errors.ArgumentError(f"dpss: {e}") from e
    w, *ratios = found if return_ratios else (found,)
    made = [fnp.asarray(np.asarray(x), dtype=_result(dtype)) for x in (w, *ratios)]
    return tuple(made) if return_ratios else made[0]


# What all windows share


def _window(M: Any, sym: Any, dtype: Any, of: Callable[[Array, int], Array]) -> Array:
    """`of` at n even places from -1 to 1; n is M, or one more for a periodic window, whose last point is cut."""
    count = _points(M)
    if count < 2:
        return fnp.ones(count, _result(dtype))
    n = count if sym else count + 1
    t = (2 * fnp.arange(n) - (n - 1)).astype(fnp.float64) / (n - 1)
    return of(t, n)[:count].astype(_result(dtype))


def _points(M: Any) -> int:
    count = static.integer(M, "windows: M, the number of points,")
    if count < 0:
        raise errors.ArgumentError(f"windows: M={count}; the number of points must not be negative.")
    return count


def _result(dtype: Any) -> np.dtype[Any]:
    return dtypes.default_float() if dtype is None else dtypes.canonical(dtype)


_NAMES: dict[Callable[..., Array], tuple[int, int, str]] = {
    barthann: (0, 0, "barthann brthan bth"),
    bartlett: (0, 0, "bartlett bart brt"),
    blackman: (0, 0, "blackman black blk"),
    blackmanharris: (0, 0, "blackmanharris blackharr bkh"),
    bohman: (0, 0, "bohman bman bmn"),
    boxcar: (0, 0, "boxcar box ones rect rectangular"),
    chebwin: (1, 1, "chebwin cheb"),
    cosine: (0, 0, "cosine halfcosine"),
    exponential: (0, 2, "exponential poisson"),
    dpss: (1, 1, "dpss"),
    flattop: (0, 0, "flattop flat flt"),
    gaussian: (1, 1, "gaussian gauss gss"),
    general_cosine: (1, 1, "general_cosine"),
    general_gaussian: (2, 2, "general_gaussian general_gauss ggs"),
    general_hamming: (1, 1, "general_hamming"),
    hamming: (0, 0, "hamming hamm ham"),
    hann: (0, 0, "hann han"),
    kaiser: (1, 1, "kaiser ksr"),
    kaiser_bessel_derived: (1, 1, "kaiser_bessel_derived kbd"),
    lanczos: (0, 0, "lanczos sinc"),
    nuttall: (0, 0, "nuttall nutl nut"),
    parzen: (0, 0, "parzen parz par"),
    taylor: (0, 3, "taylor taylorwin"),
    triang: (0, 0, "triang triangle tri"),
    tukey: (0, 1, "tukey tuk"),
}
"""Windows with the fewest and the most parameters that `get_window` passes, and SciPy's names of each."""

_BY_NAME = {
    spelled: (make, fewest, most)
    for make, (fewest, most, names) in _NAMES.items()
    for name in names.split()
    for spelled in (name, name.replace("_", " "))
}
