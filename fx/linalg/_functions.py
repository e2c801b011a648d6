"""Functions of matrices: expm, logm, sqrtm, powers, sign, trigonometric ones, and funm for any other.

Real matrices have real results; where the principal function of a real matrix is complex, LinAlgError says so and a
complex matrix must be passed. Derivatives of all but funm hold to any order at every matrix where the function is
analytic, at repeated eigenvalues and Jordan blocks too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes, errors, static
from ..core.array import Array
from ..core.trace import Tracer
from ..core.transforms.gradient import jvp
from ..numpy import linalg as nl
from ..numpy._arguments import operand, real_number
from ..primitives import elementwise as el, linalg as systems, reductions as red, schur as forms
from ..primitives._matrices import (
    adjoint,
    diagonal,
    diagonal_matrix,
    identity_mask,
    matmul,
    noise,
    upper_triangle,
)
from ..primitives.matrix_functions import matrix_function, matrix_function_derivative
from ..primitives.promotion import promote
from ..primitives.shape import full, pad, reshape, slice_axis
from ._arguments import choice, matrix, same_batch


def expm(A: Any, *, upper_triangular: bool = False, max_squarings: int = 16) -> Array:
    """The exponential of A: (..., n, n), by scaling and squaring (Al-Mohy and Higham, 2009).

    Args:
        upper_triangular: read the upper triangle alone.
        max_squarings: accepted as JAX has it; the number is not limited, as in SciPy.
    """
    a = matrix(A, "expm", True)
    return matrix_function(upper_triangle(a) if upper_triangular else a, "exp")


def expm_frechet(
    A: Any, E: Any, method: str | None = None, compute_expm: bool = True, check_finite: bool = True
) -> Any:
    """(expm(A), the derivative of expm at A along E). A, E: (..., n, n).

    Args:
        method: accepted as SciPy has it; the derivative is a block of expm([[A, E], [0, A]]).
        compute_expm: False returns the derivative alone.
    """
    choice(method, (None, "SPS", "blockEnlarge"), "expm_frechet: method")
    a, e = (operand(x, "expm_frechet") for x in promote(A, E, inexact=True))
    matrix(a, "expm_frechet", True, check_finite), matrix(e, "expm_frechet", True, check_finite)
    if a.shape[-1] != e.shape[-1]:
        raise errors.ShapeError(f"expm_frechet takes A and E of one size; got {a.aval} and {e.aval}.")
    a, e = same_batch("expm_frechet", a, e)
    derivative = matrix_function_derivative(a, e, kind="exp")
    return (matrix_function(a, "exp"), derivative) if compute_expm else derivative


def logm(A: Any) -> Array:
    """The principal logarithm of A: (..., n, n).

    Raises:
        LinAlgError: A is singular; or real, with an eigenvalue on the negative real axis.
    """
    return matrix_function(matrix(A, "logm", True), "log")


def sqrtm(A: Any, blocksize: int = 1) -> Array:
    """The principal square root of A: (..., n, n).

    Raises:
        LinAlgError: A has no square root; or is real, with an eigenvalue on the negative real axis. Derivatives at a
            singular matrix raise it too.
    """
    return matrix_function(matrix(A, "sqrtm", True), "sqrt")


def signm(A: Any) -> Array:
    """The matrix sign of A: (..., n, n): 1 in place of eigenvalues of positive, -1 of negative real part.

    Raises:
        LinAlgError: an eigenvalue is on the imaginary axis.
    """
    return matrix_function(matrix(A, "signm", True), "sign")


def fractional_matrix_power(A: Any, t: Any) -> Array:
    """A**t for A: (..., n, n), principal. Whole t by repeated products; a traced t has a derivative.

    Raises:
        LinAlgError: A has no such power, or is real and the power is not.
    """
    a = matrix(A, "fractional_matrix_power", True)
    if isinstance(t, Tracer):
        return expm(logm(a) * el.convert(t, a.dtype))
    exponent = real_number(t, "fractional_matrix_power: t")
    if not math.isfinite(exponent):
        raise errors.ArgumentError(f"fractional_matrix_power: t must be finite; got {exponent}.")
    if exponent == math.floor(exponent):
        return nl.matrix_power(a, int(exponent))
    return matrix_function(a, "power", exponent)


powm = fractional_matrix_power


def cosm(A: Any) -> Array:
    """The cosine of A: (..., n, n)."""
    return _of_rotation(matrix(A, "cosm", True), "cos")


def sinm(A: Any) -> Array:
    """The sine of A: (..., n, n)."""
    return _of_rotation(matrix(A, "sinm", True), "sin")


def _of_rotation(a: Array, which: str) -> Array:
    """Of exp(i a), for real a its real or imaginary part."""
    unit = a.dtype.type(1j) if a.dtype.kind == "c" else dtypes.complex_of(a.dtype).type(1j)
    turn = el.convert(a, unit.dtype) * unit
    forward = matrix_function(turn, "exp")
    if a.dtype.kind != "c":
        return el.real(forward) if which == "cos" else el.imag(forward)
    backward = matrix_function(-turn, "exp")
    return (
        (forward + backward) * a.dtype.type(0.5)
        if which == "cos"
        else (forward - backward) * a.dtype.type(-0.5j)
    )


def tanm(A: Any) -> Array:
    """The tangent of A: (..., n, n). LinAlgError where the cosine is singular."""
    a = matrix(A, "tanm", True)
    return systems.solve(_of_rotation(a, "cos"), _of_rotation(a, "sin"))


def coshm(A: Any) -> Array:
    """The hyperbolic cosine of A: (..., n, n)."""
    a = matrix(A, "coshm", True)
    return (matrix_function(a, "exp") + matrix_function(-a, "exp")) * a.dtype.type(0.5)


def sinhm(A: Any) -> Array:
    """The hyperbolic sine of A: (..., n, n)."""
    a = matrix(A, "sinhm", True)
    return (matrix_function(a, "exp") - matrix_function(-a, "exp")) * a.dtype.type(0.5)


def tanhm(A: Any) -> Array:
    """The hyperbolic tangent of A: (..., n, n). LinAlgError where the hyperbolic cosine is singular."""
    return systems.solve(coshm(A), sinhm(A))


def funm(A: Any, func: Callable[[Any], Any], disp: bool = True) -> Any:
    """func of A: (..., n, n), by Schur form and Parlett's recurrence; complex, also for a real A.

    Args:
        func: an analytic function of fx arrays, elementwise; called with the complex eigenvalues: (..., n).
        disp: False returns (result, estimate of its relative error), as SciPy does.

    Where eigenvalues coincide, values and derivatives are right for matrices with a full set of orthogonal
    eigenvectors there; for others use expm, logm, sqrtm and powers, which are right everywhere.
    """
    static.function(func, "funm: func")
    a = matrix(A, "funm", True)
    wide = el.convert(a, dtypes.complex_of(a.dtype))
    if 0 in a.shape:
        return wide
    t, z, _ = forms.schur(wide)
    w = diagonal(t)
    one = full(w.shape, 1, w.dtype)
    f, slope = jvp(lambda w: _elementwise(func(w), w), (w,), (one,))
    result = matmul(matmul(z, _parlett(t, f, slope)), adjoint(z))
    return result if disp else (result, _error_estimate(t))


def _elementwise(f: Any, w: Array) -> Array:
    """What func returned of eigenvalues w, if it has a value for each."""
    f = operand(f, "funm: func")
    if f.shape != w.shape:
        raise errors.ShapeError(f"funm: func must be elementwise; of {w.aval} it returned {f.aval}.")
    return el.convert(f, w.dtype)


def _error_estimate(t: Array) -> Array:
    """n eps |t| / the smallest distance of two eigenvalues: (...)."""
    w, n = diagonal(t), t.shape[-1]
    apart = el.abs_(reshape(w, (*w.shape, 1)) - reshape(w, (*w.shape[:-1], 1, n)))
    apart = el.select(identity_mask(n), apart.dtype.type(np.inf), apart)
    closest = red.reduce_min(apart, axes=(apart.ndim - 2, apart.ndim - 1))
    size = red.reduce_max(el.abs_(t), axes=(t.ndim - 2, t.ndim - 1))
    eps = closest.dtype.type(n * np.finfo(closest.dtype).eps)
    return el.minimum(closest.dtype.type(1), el.maximum(eps, eps * size / closest))


def _parlett(t: Array, f: Array, slope: Array) -> Array:
    """F with F t = t F and diagonal f, a diagonal at a time; `slope` is f' where eigenvalues coincide."""
    n, tiny = t.shape[-1], reshape(noise(diagonal(t), t.shape[-1]), (*t.shape[:-2], 1))
    result = diagonal_matrix(f)
    for d in range(1, n):
        left, right, axis = _part(f, 0, n - d), _part(f, d, n), t.ndim - 2
        apart = _part(diagonal(t), d, n) - _part(diagonal(t), 0, n - d)
        strict = upper_triangle(t, 1)
        rest = _shifted_diagonal(matmul(result, strict) - matmul(strict, result), d)
        direct = _shifted_diagonal(t, d)
        inner = direct * (left - right) - rest
        distinct = el.gt(el.abs_(apart), tiny)
        divisor = el.select(distinct, apart, apart.dtype.type(1))
        quotient = el.select(distinct, (right - left) / divisor, _part(slope, 0, n - d))
        inner = el.select(distinct, inner / divisor, inner.dtype.type(0))
        result = result + _placed(direct * quotient + inner, d, axis)
    return result


def _part(v: Array, start: int, stop: int) -> Array:
    return slice_axis(v, start, stop, v.ndim - 1)


def _shifted_diagonal(a: Array, d: int) -> Array:
    """The d-th diagonal above the main one: (..., n - d)."""
    n = a.shape[-1]
    return diagonal(slice_axis(slice_axis(a, 0, n - d, a.ndim - 2), d, n, a.ndim - 1))


def _placed(v: Array, d: int, axis: int) -> Array:
    """(..., n, n) with v: (..., n - d) on the d-th diagonal above the main one."""
    square = diagonal_matrix(v)
    lead = [0] * axis
    return pad(square, [*lead, 0, d], [*lead, d, 0], [0] * square.ndim)
