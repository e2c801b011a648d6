"""The gamma function and what is made of it: factorials, binomials, beta, polygamma and zeta."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

import fx.numpy as fnp

from ..core.array import Array
from ..core.errors import ArgumentError, brief, lines
from ..primitives import special as basic, special_gamma as prim
from ..primitives.special_complex import complex_digamma
from ._call import call, is_complex_input, real


def gamma(x: Any) -> Array:
    """The gamma function of real or complex numbers; (n - 1)! for whole n.

    >>> gamma(5.0)
    Array(24., float32, weak)
    """
    return call(prim.gamma, x)


def rgamma(x: Any) -> Array:
    """1 / gamma(x), 0 at the poles of gamma."""
    return call(prim.rgamma, x)


def gammaln(x: Any) -> Array:
    """log|gamma(x)| of real numbers."""
    return call(basic.lgamma, x)


def loggamma(x: Any) -> Array:
    """The principal branch of log(gamma(x)), analytic but for the negative real axis; NaN for negative real dtypes."""
    return call(prim.loggamma, x)


def gammasgn(x: Any) -> Array:
    """The sign of gamma(x); NaN at its poles."""
    return call(prim.gammasgn, x)


def digamma(x: Any) -> Array:
    """The derivative of log(gamma(x)), of real or complex numbers."""
    return call(complex_digamma if is_complex_input(x) else basic.digamma, x)


psi = digamma


def polygamma(n: Any, x: Any) -> Array:
    """The n-th derivative of digamma(x).

    Args:
        n: whole numbers, an int or an array that broadcasts against x; there is no derivative by it.
        x: real numbers.
    """
    if isinstance(n, (int, np.integer)) and not isinstance(n, (bool, np.bool_)):
        order = operator.index(n)
        if order < 0:
            raise ArgumentError(f"polygamma: the order n is 0 or more; got {order}.")
        if order > 170:  # its factorial is beyond float64
            return call(prim.polygamma_of_order, min(float(order), 1e300), x)
        return call(basic.polygamma, x, n=order) if order else digamma(x)
    return call(prim.polygamma_of_order, n, x)


def multigammaln(a: Any, d: Any) -> Array:
    """The logarithm of the multivariate gamma function of dimension d (Muirhead 1982).

    Args:
        a: real numbers above (d - 1) / 2; NaN below.
        d: the dimension, a positive int.
    """
    dimension = _whole("multigammaln: d", d)
    if not 1 <= dimension <= 1 << 16:
        raise ArgumentError(f"multigammaln: the dimension d is positive, at most 2**16; got {dimension}.")
    (a,) = real("multigammaln", a)
    total = sum((gammaln(a - j / 2) for j in range(1, dimension)), start=gammaln(a))
    total = total + dimension * (dimension - 1) / 4 * math.log(math.pi)
    return fnp.where(a > (dimension - 1) / 2, total, math.nan)


def _whole(what: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError as e:
        raise ArgumentError(lines(f"{what} must be an int known now; got {brief(value)}.")) from e


def factorial(n: Any, exact: bool = False) -> Array:
    """gamma(n + 1) of real n; 0 for negative n.

    exact: only False; Python's math.factorial has integers of any size.
    """
    _inexact_only("factorial", exact, "math.factorial(n)")
    (n,) = real("factorial", n)
    negative = n < 0
    return fnp.where(negative, 0.0, call(prim.factorial, fnp.where(negative, 0.0, n)))


def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Array:
    """The number of ways to choose k of N things, by gamma functions for numbers that are not whole.

    0 unless 0 <= k <= N. exact: only False; Python's math.comb has integers of any size.

    Args:
        repetition: things may be chosen again: comb(N + k - 1, k).
    """
    _inexact_only("comb", exact, "math.comb(N, k)")
    N, k = real("comb", N, k)
    if repetition:
        return comb(N + k - 1, k)
    valid = (k <= N) & (k >= 0)
    undefined = fnp.isnan(N) | fnp.isnan(k)
    ways = call(prim.binom, fnp.where(valid, N, 1.0), fnp.where(valid, k, 0.0))
    return fnp.where(valid, ways, fnp.where(undefined, N + k, 0.0))


def _inexact_only(name: str, exact: Any, instead: str) -> None:
    if exact:
        raise ArgumentError(
            lines(f"{name}: exact=True is about Python's integers; arrays have floats.", f"Write {instead}.")
        )


def poch(z: Any, m: Any) -> Array:
    """The rising factorial gamma(z + m) / gamma(z)."""
    return call(prim.poch, z, m)


def beta(a: Any, b: Any) -> Array:
    """gamma(a) gamma(b) / gamma(a + b)."""
    return call(prim.beta, a, b)


def betaln(a: Any, b: Any) -> Array:
    """log|beta(a, b)|."""
    return call(prim.betaln, a, b)


def zeta(x: Any, q: Any = None) -> Array:
    """Hurwitz' zeta function, the sum of (q + k)**-x over k = 0, 1, ...; NaN for x < 1.

    q: None is Riemann's zeta function, for all real and complex numbers x (derivatives are NaN for imaginary parts
        beyond 1e4).
    """
    return call(prim.riemann_zeta, x, n=0) if q is None else call(prim.zeta, x, q, n=0)


def bernoulli(n: int) -> Array:
    """The Bernoulli numbers B_0 to B_n, B_1 = -1/2: (n + 1,) in the default float.

    >>> bernoulli(4)
    Array([ 1.        , -0.5       ,  0.16666667,  0.        , -0.03333334], float32)
    """
    from scipy.special import bernoulli as numbers

    count = _whole("bernoulli: n", n)
    if not 0 <= count <= 1 << 20:
        raise ArgumentError(f"bernoulli: n is 0 or more, at most 2**20; got {count}.")
    with np.errstate(over="ignore"):
        return fnp.asarray(numbers(max(count, 2))[: count + 1]).astype(fnp.asarray(0.0).dtype)
