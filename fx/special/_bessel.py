"""Bessel functions of whole orders."""

from __future__ import annotations

import operator
from typing import Any

import fx.numpy as fnp

from ..core.array import Array
from ..core.errors import ArgumentError, brief, lines
from ..primitives import special_bessel as prim
from ._call import call


def i0(x: Any) -> Array:
    """The modified Bessel function of the first kind of order 0."""
    return call(prim.bessel_i, x, n=0)


def i1(x: Any) -> Array:
    """The modified Bessel function of the first kind of order 1."""
    return call(prim.bessel_i, x, n=1)


def i0e(x: Any) -> Array:
    """exp(-|x|) i0(x)."""
    return call(prim.i0e, x)


def i1e(x: Any) -> Array:
    """exp(-|x|) i1(x)."""
    return call(prim.i1e, x)


def j0(x: Any) -> Array:
    """The Bessel function of the first kind of order 0."""
    return call(prim.bessel_j, x, n=0)


def j1(x: Any) -> Array:
    """The Bessel function of the first kind of order 1."""
    return call(prim.bessel_j, x, n=1)


def y0(x: Any) -> Array:
    """The Bessel function of the second kind of order 0."""
    return call(prim.bessel_y, x, n=0)


def y1(x: Any) -> Array:
    """The Bessel function of the second kind of order 1."""
    return call(prim.bessel_y, x, n=1)


def k0(x: Any) -> Array:
    """The modified Bessel function of the second kind of order 0."""
    return call(prim.bessel_k, x, n=0)


def k1(x: Any) -> Array:
    """The modified Bessel function of the second kind of order 1."""
    return call(prim.bessel_k, x, n=1)


def k0e(x: Any) -> Array:
    """exp(x) k0(x)."""
    return call(prim.k0e, x)


def k1e(x: Any) -> Array:
    """exp(x) k1(x)."""
    return call(prim.k1e, x)


def bessel_jn(z: Any, *, v: int, n_iter: int = 50) -> Array:
    """The Bessel functions of the first kind of orders 0 to v, stacked: (v + 1, *z.shape).

    Args:
        z: real or complex numbers.
        v: the highest order, an int: there is no derivative by it.
        n_iter: accepted as in JAX; nothing depends on it.
    """
    try:
        last = operator.index(v)
    except TypeError as e:
        raise ArgumentError(
            lines(
                f"bessel_jn: the order v is an int known now; got {brief(v)}.",
                "There is no derivative by the order, and no order that varies from element to element.",
            )
        ) from e
    if not 0 <= last <= 1 << 16:
        raise ArgumentError(f"bessel_jn: the order v is 0 or more, at most 2**16; got {last}.")
    return fnp.stack([call(prim.bessel_j, z, n=n) for n in range(last + 1)])
