"""Polynomials as arrays of coefficients, highest power first, as in NumPy's `poly*` functions."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from ..primitives.promotion import promote
from . import _on_host as host
from ._arguments import inexact_operand, operand, operands, owned, static_int
from ._creation import asarray
from ._interpolation import convolve
from ._matrices import eye, vander
from ._native import DOUBLE, FLOATS, natively
from ._reductions import sum
from ._searching import host_values


@natively(host.polyval, DOUBLE, data=2)
def polyval(p: Any, x: Any) -> Array:
    """The value of a polynomial at x, by Horner's rule. p: (degree + 1,); the result has the shape of x."""
    p, x = operands("polyval", *promote(p, x))
    _needs_axis(p, "polyval")
    p = _coefficients(p, "polyval")
    y = sh.full(x.shape, 0, x.dtype)
    for i in range(p.size):
        y = y * x + _coefficient(p, i)
    return y


@natively(np.polyadd, FLOATS, data=2, rank=1)
def polyadd(a: Any, b: Any) -> Array:
    """The sum of two polynomials."""
    return el.add(*_of_one_degree(a, b, "polyadd"))


@natively(np.polysub, FLOATS, data=2, rank=1)
def polysub(a: Any, b: Any) -> Array:
    """The difference of two polynomials."""
    return el.sub(*_of_one_degree(a, b, "polysub"))


@natively(np.polymul, FLOATS, data=2, rank=1)
def polymul(a: Any, b: Any) -> Array:
    """The product of two polynomials."""
    a, b = operands("polymul", *promote(a, b))
    return convolve(_coefficients(a, "polymul"), _coefficients(b, "polymul"))


@natively(host.polydiv, DOUBLE, data=2)
def polydiv(u: Any, v: Any) -> tuple[Array, Array]:
    """(quotient, remainder) of two polynomials. The remainder keeps leading zeros: its length is static."""
    u, v = (owned(p, "polydiv") for p in promote(u, v, inexact=True))
    u, v = _coefficients(u, "polydiv"), _coefficients(v, "polydiv")
    m, n = u.size, v.size
    if not m or not n:
        raise errors.ShapeError(f"polydiv: a polynomial needs a coefficient; got {u.aval} and {v.aval}.")
    if m < n:
        return sh.full((1,), 0, u.dtype), u
    lead = _coefficient(v, 0)
    if type(lead) is Array and not bool(lead):
        raise errors.ArgumentError("polydiv: the leading coefficient of the divisor is 0.")
    quotient, rest = [], u
    for _ in range(m - n + 1):
        q = _coefficient(rest, 0) / lead
        quotient.append(sh.reshape(q, (1,)))
        head = sh.slice_axis(rest, 1, n, 0) - q * sh.slice_axis(v, 1, n, 0)
        rest = sh.concatenate([head, sh.slice_axis(rest, n, rest.size, 0)], 0)
    return sh.concatenate(quotient, 0), rest if rest.size else sh.full((1,), 0, u.dtype)


@natively(np.polyder, DOUBLE, rank=1, view=True)
def polyder(p: Any, m: int = 1) -> Array:
    """The m-th derivative of a polynomial."""
    p = owned(p, "polyder")
    _needs_axis(p, "polyder")
    p = _coefficients(p, "polyder")
    for _ in range(min(_order(m, "polyder"), p.size)):
        n = max(p.size - 1, 0)
        powers = sh.reverse(sh.iota((n,), 0) + 1, axes=(0,))
        p = sh.slice_axis(p, 0, n, 0) * el.convert(powers, p.dtype)
    return p


@natively(host.polyint, DOUBLE, rank=1, floats=True, view=True)
def polyint(p: Any, m: int = 1, k: Any = None) -> Array:
    """The m-th antiderivative of a polynomial; k: the constant(s) of integration, default 0."""
    p = inexact_operand(p, "polyint")
    _needs_axis(p, "polyint")
    p = _coefficients(p, "polyint")
    order = _order(m, "polyint")
    if order > 1 << 20:
        raise errors.ArgumentError(f"polyint: {order} integrations are too many.")
    constants = asarray(
        [0] * order if k is None else k, p.dtype if isinstance(k, (float, list, tuple)) else None
    )
    constants = sh.broadcast_to(constants, (order,)) if constants.size == 1 else constants
    if constants.shape != (order,):
        raise errors.ShapeError(f"polyint: {constants.size} constants for {order} integrations.")
    for i in range(order):
        powers = sh.reverse(sh.iota((p.size,), 0) + 1, axes=(0,))
        constant = el.convert(sh.slice_axis(constants, i, i + 1, 0), p.dtype)
        p = sh.concatenate([p / el.convert(powers, p.dtype), constant], 0)
    return p


@natively(host.poly, FLOATS, rank=1)
def poly(roots: Any) -> Array:
    """The coefficients of the polynomial with leading coefficient 1 and these roots. roots: (n,)"""
    roots = operand(roots, "poly")
    _needs_axis(roots, "poly")
    if roots.ndim > 1:
        raise errors.ShapeError(
            f"poly takes roots along one axis; got {roots.aval}. For matrices: poly(eigvals(a))."
        )
    roots = sh.reshape(inexact_operand(roots, "poly"), (roots.size,))
    p = sh.full((1,), 1, roots.dtype)
    for i in range(roots.size):
        shifted = sh.pad(p, [0], [1], [0])
        p = shifted - sh.pad(p * _coefficient(roots, i), [1], [0], [0])
    return p


@natively(host.roots, FLOATS, rank=1)
def roots(p: Any) -> Array:
    """The roots of a polynomial: the eigenvalues of its companion matrix. Leading and trailing zeros must be known."""
    p = inexact_operand(p, "roots")
    _needs_axis(p, "roots")
    p = _coefficients(p, "roots")
    filled = np.flatnonzero(host_values(p, "roots"))
    if filled.size == 0:
        return sh.full((0,), 0, p.dtype)
    first, last = int(filled[0]), int(filled[-1])
    zeros = p.size - 1 - last
    p = sh.slice_axis(p, first, last + 1, 0)
    n = p.size - 1
    complex_ = dtypes.complex_of(p.dtype)
    if n == 0:
        return sh.full((zeros,), 0, complex_)
    top = -sh.slice_axis(p, 1, n + 1, 0) / _coefficient(p, 0)
    companion = sh.concatenate([sh.reshape(top, (1, n)), eye(n - 1, n, dtype=p.dtype)], 0)
    found = _linalg().eigvals(companion)
    return sh.concatenate([el.convert(found, complex_), sh.full((zeros,), 0, complex_)], 0)


@natively(host.polyfit, DOUBLE, data=2)
def polyfit(x: Any, y: Any, deg: int, w: Any = None) -> Array:
    """Coefficients of the polynomial that fits points best in the sense of (weighted) least squares.

    x: (n,), y: (n,) or (n, k), w: (n,). Returns (deg + 1,) or (deg + 1, k). Solved by QR of the scaled Vandermonde
    matrix, so n must exceed deg and the points must not coincide.
    """
    x, y = operands("polyfit", *promote(x, y, inexact=True))
    degree = _order(deg, "polyfit")
    if x.ndim != 1 or y.ndim not in (1, 2) or y.shape[0] != x.shape[0] or not x.size:
        raise errors.ShapeError(f"polyfit takes x: (n,) and y: (n,) or (n, k); got {x.aval} and {y.aval}.")
    a, b = vander(x, degree + 1), y
    if w is not None:
        w = el.convert(operand(w, "polyfit: w"), x.dtype)
        a = a * sh.reshape(w, (x.size, 1))
        b = b * (w if y.ndim == 1 else sh.reshape(w, (x.size, 1)))
    scale = el.sqrt(sum(a * a, 0))
    found = _linalg().lstsq(a / scale, b)[0]
    return found / (scale if y.ndim == 1 else sh.reshape(scale, (degree + 1, 1)))


def _needs_axis(p: Array, name: str) -> None:
    if not p.ndim:
        raise errors.ShapeError(f"{name} takes coefficients along one axis; got {p.aval}.")


def _coefficients(p: Array, name: str) -> Array:
    if p.ndim > 1:
        raise errors.ShapeError(f"{name} takes coefficients along one axis; got {p.aval}.")
    return sh.reshape(p, (p.size,))


def _coefficient(p: Array, i: int) -> Array:
    return sh.reshape(sh.slice_axis(p, i, i + 1, 0), ())


def _of_one_degree(a: Any, b: Any, name: str) -> list[Array]:
    both = [_coefficients(p, name) for p in operands(name, *promote(a, b))]
    n = max(p.size for p in both)
    return [sh.pad(p, [n - p.size], [0], [0]) for p in both]


def _order(m: Any, name: str) -> int:
    order = static_int(m, f"{name}: order")
    if order < 0:
        raise errors.ArgumentError(f"{name}: the order must not be negative; got {order}.")
    return order


def _linalg() -> Any:
    """fx.numpy.linalg, imported when first used: `import fx` shall be quick."""
    return importlib.import_module("fx.numpy.linalg")
