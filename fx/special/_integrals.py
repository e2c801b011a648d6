"""Exponential, sine, cosine and Fresnel integrals, and the dilogarithm."""

from __future__ import annotations

from typing import Any

from ..core.array import Array
from ..primitives import special_integrals as prim
from ._call import call


def exp1(x: Any) -> Array:
    """The exponential integral E_1: of exp(-t) / t from x to infinity; of positive or of complex numbers."""
    return call(prim.exp1, x)


def expi(x: Any) -> Array:
    """The exponential integral Ei: the principal value of that of exp(t) / t up to x; of real or complex numbers."""
    return call(prim.expi, x)


def expn(n: Any, x: Any) -> Array:
    """The generalized exponential integral E_n(x): of exp(-x t) / t**n from 1 to infinity.

    Args:
        n: whole numbers >= 0, an int or an array that broadcasts against x; there is no derivative by it.
        x: real numbers >= 0.
    """
    return call(prim.expn, n, x)


def sici(x: Any) -> tuple[Array, Array]:
    """The sine and the cosine integral, of real or complex numbers.

    The first is the integral of sin(t) / t from 0 to x, the second that of (cos(t) - 1) / t plus log(x) and Euler's
    constant.
    """
    return call(prim.sine_integral, x), call(prim.cosine_integral, x)


def fresnel(x: Any) -> tuple[Array, Array]:
    """The Fresnel integrals of sin(pi t**2 / 2) and of cos(pi t**2 / 2) from 0 to x, of real or complex numbers."""
    return call(prim.fresnel_s, x), call(prim.fresnel_c, x)


def spence(x: Any) -> Array:
    """Spence's function, the integral of log(t) / (1 - t) from 1 to x: the dilogarithm of 1 - x."""
    return call(prim.spence, x)
