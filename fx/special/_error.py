"""The error function, its relatives in the complex plane, and the normal distribution."""

from __future__ import annotations

from typing import Any

from ..core.array import Array
from ..core.dtypes import complex_of
from ..primitives import special as basic, special_error as prim
from ._call import call, inexact, is_complex_input


def erf(x: Any) -> Array:
    """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x, of real or complex numbers."""
    return call(prim.complex_erf if is_complex_input(x) else basic.erf, x)


def erfc(x: Any) -> Array:
    """1 - erf(x), accurate where that is close to 0."""
    return call(prim.complex_erfc if is_complex_input(x) else basic.erfc, x)


def erfinv(y: Any) -> Array:
    """The inverse of erf, for y in [-1, 1]."""
    return call(basic.erf_inv, y)


def erfcinv(y: Any) -> Array:
    """The inverse of erfc, for y in [0, 2]."""
    return call(prim.erfcinv, y)


def erfcx(x: Any) -> Array:
    """exp(x**2) erfc(x), of real or complex numbers."""
    return call(prim.erfcx, x, n=0)


def erfi(x: Any) -> Array:
    """-i erf(i x), of real or complex numbers."""
    return call(prim.erfi, x)


def dawsn(x: Any) -> Array:
    """Dawson's integral exp(-x**2) times the integral of exp(t**2) from 0 to x, of real or complex numbers."""
    return call(prim.dawsn, x, n=0)


def wofz(z: Any) -> Array:
    """Faddeeva's function exp(-z**2) erfc(-i z); complex."""
    (z,) = inexact(z)
    return call(prim.wofz, z.astype(complex_of(z.dtype)), n=0)


def ndtr(x: Any) -> Array:
    """The distribution function of the standard normal distribution, of real or complex numbers."""
    return call(prim.ndtr, x)


def log_ndtr(x: Any, series_order: int = 3) -> Array:
    """log(ndtr(x)), accurate in both tails. series_order: accepted as in JAX; nothing depends on it."""
    return call(prim.log_ndtr, x)


def ndtri(p: Any) -> Array:
    """The quantile of the standard normal distribution: the x with ndtr(x) = p."""
    return call(prim.ndtri, p)


def ndtri_exp(y: Any) -> Array:
    """The x with log_ndtr(x) = y."""
    return call(prim.ndtri_exp, y)


def owens_t(h: Any, a: Any) -> Array:
    """Owen's T: the probability of X > h and 0 < Y < a X for independent standard normal X and Y."""
    return call(prim.owens_t, h, a)
