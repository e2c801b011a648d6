"""Covariance and correlation."""

from __future__ import annotations

from typing import Any

from ..core import dtypes, errors
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from . import _on_host as host
from ._arguments import inexact_operand, operand, static_int
from ._arithmetic import maximum
from ._contractions import matmul
from ._einsum import diagonal_of
from ._joining import concatenate
from ._native import DOUBLE, natively
from ._parts import clip
from ._reductions import average, sum


@natively(host.cov, DOUBLE)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
) -> Array:
    """The covariance matrix of variables.

    Args:
        m, y: (variables, observations), or (observations,) for one variable; the other way round without `rowvar`.
        bias: divide by N instead of N - 1; `ddof` overrides it.
        fweights, aweights: how often each observation counts, and how much. (observations,)
    """
    x = _variables(m, rowvar)
    if y is not None:
        x = concatenate([x, _variables(y, rowvar)], 0)
    x = inexact_operand(x, "cov")
    freedom = (0 if bias else 1) if ddof is None else static_int(ddof, "cov: ddof")
    weights = _weights(fweights, aweights, x)
    if weights is None:
        deviation = x - sum(x, 1, keepdims=True) / x.shape[1]
        scaled, divisor = deviation, max(float(x.shape[1] - freedom), 0.0)
    else:
        deviation = x - average(x, 1, weights, keepdims=True)
        scaled, divisor = deviation * weights, maximum(_freedom_left(weights, aweights, freedom), 0)
    conjugate = el.conj(deviation) if x.dtype.kind == "c" else deviation
    c = matmul(scaled, sh.transpose(conjugate, (1, 0))) / divisor
    return sh.reshape(c, ()) if c.size == 1 else c


def _freedom_left(weights: Array, aweights: Any, freedom: float) -> Array:
    """The sum of weights less the degrees of freedom used, in units of the mean importance weight."""
    total = sum(weights)
    if aweights is None:
        return total - freedom
    return total - freedom * sum(weights * el.convert(operand(aweights, "cov"), weights.dtype)) / total


def _variables(m: Any, rowvar: bool) -> Array:
    """Observations as (variables, observations)."""
    m = operand(m, "cov")
    if m.ndim > 2:
        raise errors.ShapeError(f"cov takes at most two axes; got {m.aval}.")
    if m.ndim < 2:
        return sh.reshape(m, (1, m.size))
    return m if rowvar else sh.transpose(m, (1, 0))


def _weights(fweights: Any, aweights: Any, x: Array) -> Array | None:
    given = [operand(w, "cov: weights") for w in (fweights, aweights) if w is not None]
    for w in given:
        if w.shape != (x.shape[1],):
            raise errors.ShapeError(f"cov: weights of shape {w.shape} for {x.shape[1]} observations.")
    if fweights is not None and given[0].dtype.kind not in "iu":
        raise errors.DTypeError(f"cov: fweights must be integers; got {given[0].aval}.")
    real = [el.convert(w, dtypes.real_of(x.dtype)) for w in given]
    return None if not real else real[0] if len(real) == 1 else real[0] * real[1]


@natively(host.corrcoef, DOUBLE)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Array:
    """The correlation coefficients of variables, between -1 and 1; arguments as of `cov`."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    d = el.sqrt(el.real(diagonal_of(c, 0, 1)) if c.dtype.kind == "c" else diagonal_of(c, 0, 1))
    n = d.shape[0]
    c = c / sh.reshape(d, (n, 1)) / sh.reshape(d, (1, n))
    if c.dtype.kind == "c":
        return el.make_complex(clip(el.real(c), -1, 1), clip(el.imag(c), -1, 1))
    return clip(c, -1, 1)
