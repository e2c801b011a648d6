"""Analytic functions of matrices (exponential, logarithm, root, power, sign), and derivatives of them of any order.

The k-th derivative along E_1 ... E_k is a block of f(M), where M = [[A, E], [0, A]] is built up k times (Higham and
Relton, "Higher order Frechet derivatives of matrix functions and the level-2 condition number", 2014, Theorem 3.5):
it holds for every A with a smooth f(A), repeated eigenvalues and Jordan blocks included.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import errors
from ..core.avals import Aval
from ..core.primitive import Sample, Unknown, Zero
from ..core.trace import bind
from ._batched import over_batch
from ._lapack import attempt
from ._matrices import MatrixPrimitive, swap
from .families import zero_of

_PROBLEM = {
    "exp": "the matrix is not finite",
    "log": "the matrix is singular, or has no real logarithm",
    "sqrt": "the matrix has no square root, or none that is real and differentiable",
    "power": "the matrix has no such power, or none that is real",
    "sign": "the matrix has an eigenvalue on the imaginary axis",
}
_ADVICE = "For eigenvalues on the negative real axis convert the matrix to complex: a.astype(fx.complex128)."


def matrix_function(a: Any, kind: str, exponent: float = 1.0) -> Any:
    """f(a) for a: (..., n, n) and f one of "exp", "log", "sqrt", "sign", and "power" with its exponent; principal
    branches, in the dtype of a. LinAlgError where a has no such function, or only a complex one while a is real.
    """
    return bind(matrix_function_p, a, kind=kind, exponent=float(exponent))


def matrix_function_derivative(a: Any, *directions: Any, kind: str, exponent: float = 1.0) -> Any:
    """The derivative of f at a along each of the directions, linear in each and symmetric. All: (..., n, n)."""
    return bind(matrix_function_p, a, *directions, kind=kind, exponent=float(exponent))


class MatrixFunction(MatrixPrimitive):
    """a, E_1, ..., E_k -> the k-th derivative of f at a along these; f(a) itself for k = 0."""

    name = "matrix_function"
    square = True
    flops = 50

    def impl(self, xp: Any, a: Any, *directions: Any, kind: str, exponent: float) -> Any:
        single = lambda a, *es: (_derivative(kind, exponent, a, es),)
        run = lambda *xs: over_batch(xp, single, xs, [(a.shape[-2:], a.dtype)])[0]
        advice = "" if kind in ("exp", "sign") or a.dtype.kind == "c" else _ADVICE
        return attempt(
            xp, f"{kind}m" if kind != "power" else "powm", _PROBLEM[kind], advice, run, a, *directions
        )

    def shape(self, a: Aval, *directions: Aval, kind: str, exponent: float) -> Aval:
        self.check(a, *directions)
        if any(e.shape != a.shape for e in directions):
            raise errors.ShapeError(f"{kind}m of {a}: directions have another shape: {directions}.")
        return a

    def jvp(self, primals: Any, out: Any, tangents: Any, **params: Any) -> Any:
        a, *directions = primals
        da, *changes = tangents
        total = zero_of(out) if type(da) is Zero else self(a, *directions, da, **params)
        for i, change in enumerate(changes):
            if type(change) is not Zero:
                term = self(a, *directions[:i], change, *directions[i + 1 :], **params)
                total = term if type(total) is Zero else total + term
        return total

    def transpose(self, ct: Any, a: Any, *directions: Any, **params: Any) -> list[Any]:
        """The transpose of a derivative is the derivative at the transposed matrix."""
        unknown = [type(e) is Unknown for e in directions]
        if type(a) is Unknown or sum(unknown) != 1:
            raise errors.RuleError("A derivative of a matrix function is linear in each direction by itself.")
        known = [ct if on else swap(e) for e, on in zip(directions, unknown, strict=True)]
        found = self(swap(a), *known, **params)
        return [None, *[found if on else None for on in unknown]]

    def samples(self, rng: Any) -> Iterable[Sample]:
        oracle = lambda a, *es, kind, exponent: _eigen_oracle(a, es, kind, exponent)
        out = []
        for kind in _PROBLEM:
            for shape in [(3, 3), (2, 2, 2), (0, 0)] if kind == "exp" else [(3, 3)]:
                a = _with_positive_eigenvalues(rng, *shape)
                params = {"kind": kind, "exponent": 0.3 if kind == "power" else 1.0}
                out.append(Sample((a,), params, oracle))
                if shape[-1] and kind in ("exp", "log", "sqrt"):
                    out.append(Sample((a, 0.3 * rng.normal(size=shape)), params, oracle))
        return out


matrix_function_p = MatrixFunction()


def _derivative(kind: str, exponent: float, a: Any, directions: Any) -> Any:
    """From one evaluation for a matrix of 2^k n rows; directions are scaled to the size of a meanwhile."""
    n, size = len(a), float(np.abs(a).sum(0).max()) or 1.0
    if not np.isfinite(a).all():
        raise np.linalg.LinAlgError("not finite")
    branch_point = kind == "log" or (kind in ("sqrt", "power") and directions)
    if branch_point and n and np.linalg.slogdet(a)[0] == 0:
        raise np.linalg.LinAlgError("singular")
    if kind in _QUOTIENTS and len(directions) < 2 and n and np.array_equal(a, a.conj().T):
        found = _by_eigenvalues(kind, exponent, a, directions)
        if found is not None:
            return _in_dtype(found, a.dtype)
    big, scale = a, 1.0
    for e in directions:
        own = float(np.abs(e).sum(0).max()) / size
        if own == 0 or not np.isfinite(own):
            return e * a.dtype.type(0)
        scale *= own
        corner = np.kron(np.eye(len(big) // n, dtype=a.dtype), e / a.dtype.type(own))
        big = np.block([[big, corner], [np.zeros_like(big), big]])
    value = _evaluate(kind, exponent, big)[:n, -n:]
    return _in_dtype(value, a.dtype) * a.dtype.type(scale)


def _by_eigenvalues(kind: str, exponent: float, a: Any, directions: Any) -> Any:
    """For Hermitian a, also along one direction (Daleckii and Krein); None if a is not positive definite."""
    w, v = np.linalg.eigh(a)
    if w[0] <= len(w) * np.finfo(a.dtype).eps * w[-1]:
        return None
    power = 0.5 if kind == "sqrt" else exponent
    if not directions:
        return (v * (np.log(w) if kind == "log" else w**power)) @ v.conj().T
    low, high = np.minimum(w[:, None], w), np.maximum(w[:, None], w)
    quotients = _QUOTIENTS[kind](low, (high - low) / low, power)
    return v @ (quotients * (v.conj().T @ directions[0] @ v)) @ v.conj().T


def _power_quotient(low: Any, rise: Any, power: float) -> Any:
    growth = np.expm1(power * np.log1p(rise))
    return low ** (power - 1) * np.where(rise == 0, power, growth / np.where(rise == 0, 1, rise))


_QUOTIENTS = {
    "log": lambda low, rise, _: np.where(rise == 0, 1, np.log1p(rise) / np.where(rise == 0, 1, rise)) / low,
    "sqrt": _power_quotient,
    "power": _power_quotient,
}
"""(f(y) - f(x)) / (y - x) of x = low and y = low (1 + rise), f'(x) where they are equal."""


def _evaluate(kind: str, exponent: float, a: Any) -> Any:
    if kind == "sign":
        return _newton_sign(a)
    linalg = importlib.import_module("scipy.linalg")
    function = {
        "exp": linalg.expm,
        "log": linalg.logm,
        "sqrt": linalg.sqrtm,
        "power": functools.partial(linalg.fractional_matrix_power, t=exponent),
    }[kind]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(a)
        except (ValueError, OverflowError, ZeroDivisionError) as e:
            raise np.linalg.LinAlgError(str(e)) from e


def _in_dtype(value: Any, dtype: Any) -> Any:
    """The result in the dtype of the operand; an error where it is not finite or not real as it should be."""
    if dtype.kind == "f" and value.dtype.kind == "c":
        noise = 1e3 * len(value) * np.finfo(dtype).eps * np.abs(value).max(initial=0)
        if np.abs(value.imag).max(initial=0) > noise:
            raise np.linalg.LinAlgError("complex")
        value = value.real
    value = np.asarray(value, dtype)
    if not np.isfinite(value).all():
        raise np.linalg.LinAlgError("not finite")
    return value


def _newton_sign(a: Any) -> Any:
    """Newton's iteration with scaling by the determinant (Higham, "Functions of Matrices", 2008, section 5.5)."""
    n, x, eps = len(a), a, np.finfo(a.dtype).eps
    before = np.inf
    for _ in range(100):
        with np.errstate(all="ignore"):
            inverse = np.linalg.inv(x)
            scale = np.exp(-np.linalg.slogdet(x)[1] / n) if before > 1e-2 else 1.0
            new = (x * scale + inverse / scale) / 2
            change = np.linalg.norm(new - x) / np.linalg.norm(new)
        if not np.isfinite(change):
            break
        x = new.astype(a.dtype)
        if change <= n * eps or (before < 1e-2 and change >= before / 2):
            return x
        before = change
    raise np.linalg.LinAlgError("no convergence")


def _eigen_oracle(a: Any, directions: Any, kind: str, exponent: float) -> Any:
    """V f(w) V^-1; the first derivative by divided differences (Daleckii and Krein)."""
    f, slope = {
        "exp": (np.exp, np.exp),
        "log": (np.log, lambda w: 1 / w),
        "sqrt": (np.sqrt, lambda w: 0.5 / np.sqrt(w)),
        "power": (lambda w: w**exponent, lambda w: exponent * w ** (exponent - 1)),
        "sign": (lambda w: np.sign(w.real) + 0 * w, lambda w: 0 * w),
    }[kind]
    if a.size == 0:
        return a
    w, v = np.linalg.eig(a)
    w, inverse = w + 0j, np.linalg.inv(v)
    inner: Any = f(w)[..., None, :] * np.eye(a.shape[-1])
    if directions:
        eye = np.eye(a.shape[-1])
        apart = w[..., :, None] - w[..., None, :] + eye
        quotients = (f(w)[..., :, None] - f(w)[..., None, :]) / apart + eye * slope(w)[..., None, :]
        inner = quotients * (inverse @ directions[0] @ v)
    out = v @ inner @ inverse
    return out if a.dtype.kind == "c" else out.real


def _with_positive_eigenvalues(rng: Any, *shape: int) -> Any:
    n = shape[-1]
    return 0.2 * rng.normal(size=shape) + np.diag(1.0 + np.arange(n))
