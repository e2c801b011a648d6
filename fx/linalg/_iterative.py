"""Iterations: cg, bicgstab and gmres for linear systems, fixed_point for others.

Derivatives are those of the solution, found by further solutions with the same operator; no step is differentiated.
Vectors are pytrees of arrays; inside they are one array (n,).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import errors, static, tree
from ..core.array import Array
from ..core.trace import current_trace
from ..core.transforms.gradient import linear_transpose
from ..lax import custom_linear_solve, custom_root, fori_loop, while_loop
from ..numpy import linalg as nl
from ..numpy._arguments import operand
from ..primitives import elementwise as el, reductions as red
from ..primitives._matrices import conjugate
from ..primitives.promotion import promote
from ..primitives.shape import concatenate, full, iota, reshape, slice_axis
from ._arguments import choice

Operator = Callable[[Any], Any]


def cg(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
) -> tuple[Any, Array]:
    """(x, info) with A x = b for Hermitian positive definite A, by conjugate gradients (Hestenes and Stiefel, 1952).

    Args:
        A: a matrix (n, n), or a linear function of pytrees like b.
        b: (n,) or a pytree; x0: the first guess, zeros by default; it has no derivative.
        tol, atol: the residual's norm becomes max(tol * norm(b), atol) or less.
        maxiter: steps, by default 10 for each unknown.
        M: an approximate inverse of A, as A is given; Hermitian positive definite.

    Returns:
        x like b; info, int32: 0 if converged, else the number of steps.

    >>> import fx
    >>> x, info = fx.linalg.cg(fx.numpy.array([[4.0, 1.0], [1.0, 3.0]]), fx.numpy.array([1.0, 2.0]))
    >>> fx.numpy.round(x, 3), int(info)
    (Array([0.091, 0.636], float32), 0)
    """
    return _solution("cg", _cg, A, b, x0, M, (tol, atol, maxiter), symmetric=True)


def bicgstab(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
) -> tuple[Any, Array]:
    """(x, info) with A x = b for any regular A, by stabilized biconjugate gradients (van der Vorst, 1992). See `cg`.

    info is -1 where the recurrence breaks down.
    """
    return _solution("bicgstab", _bicgstab, A, b, x0, M, (tol, atol, maxiter))


def gmres(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    tol: float = 1e-5,
    atol: float = 0.0,
    restart: int = 20,
    maxiter: int | None = None,
    M: Any = None,
    solve_method: str = "batched",
) -> tuple[Any, Array]:
    """(x, info) with A x = b for any regular A, by least residuals in Krylov spaces (Saad and Schultz, 1986). See `cg`.

    Args:
        restart: the dimension of the spaces; a new one starts from the best x of the last.
        maxiter: spaces, by default 10 for each unknown. M: a preconditioner from the right.
        solve_method: accepted as JAX has it.
    """
    choice(solve_method, ("batched", "incremental"), "gmres: solve_method")
    size = static.integer(restart, "gmres: restart")
    if size < 1:
        raise errors.ArgumentError(f"gmres: restart must be positive; got {size}.")
    method = lambda *args: _gmres(*args, restart=size)
    return _solution("gmres", method, A, b, x0, M, (tol, atol, maxiter))


def _solution(
    name: str, method: Any, a: Any, b: Any, x0: Any, m: Any, limits: Any, symmetric: bool = False
) -> tuple[Any, Array]:
    vectors = _Vectors(b, name)
    operator, inverse = vectors.operator(a, "A"), vectors.operator(m, "M")
    start = vectors.zeros() if x0 is None else vectors.flat(x0, "x0")

    def solve(matvec: Operator, y: Any, first: Any = start, precondition: Any = inverse) -> Any:
        return method(matvec, y, first, precondition, limits)

    def transpose_solve(vecmat: Operator, y: Any) -> Any:
        flipped = lambda v: linear_transpose(inverse, v)(v)[0]
        return solve(vecmat, y, vectors.zeros(), inverse if m is None else flipped)

    real = symmetric and vectors.dtype.kind != "c"
    x, info = custom_linear_solve(
        operator, vectors.flat(b, "b"), solve, None if real else transpose_solve, symmetric=real, has_aux=True
    )
    return vectors.tree(x), info


class _Vectors:
    """Pytrees like b as arrays (n,), and back."""

    def __init__(self, b: Any, name: str):
        self.name = name
        leaves, self.treedef = tree.flatten(b)
        if not leaves:
            raise errors.TreeError(f"{name}: b has no arrays.")
        self.leaves = [operand(x, f"{name}: b") for x in leaves]
        self.shapes = [x.shape for x in self.leaves]
        self.dtype = promote(*self.leaves, inexact=True)[0].dtype
        self.size = sum(x.size for x in self.leaves)

    def zeros(self) -> Array:
        return full((self.size,), 0, self.dtype)

    def flat(self, x: Any, what: str) -> Array:
        leaves, treedef = tree.flatten(x)
        if treedef != self.treedef:
            rows = tree.differences(self.treedef, treedef, what)
            raise errors.TreeError(errors.lines(f"{self.name}: {what} is no tree like b:", *rows))
        arrays = [operand(v, f"{self.name}: {what}") for v in leaves]
        for a, shape in zip(arrays, self.shapes, strict=True):
            if a.shape != shape:
                raise errors.ShapeError(f"{self.name}: {what} has a leaf {a.aval} where b has shape {shape}.")
        return concatenate([el.convert(reshape(a, (a.size,)), self.dtype) for a in arrays], 0)

    def tree(self, v: Array) -> Any:
        leaves, at = [], 0
        for x in self.leaves:
            dtype = x.dtype if x.aval.inexact else self.dtype
            part = reshape(slice_axis(v, at, at + x.size, 0), x.shape)
            leaves.append(el.convert(el.real(part) if self.dtype.kind == "c" != dtype.kind else part, dtype))
            at += x.size
        return self.treedef.unflatten(leaves)

    def operator(self, a: Any, what: str) -> Operator:
        """A matrix or function of trees as a function of arrays (n,); the identity for None."""
        if a is None:
            return lambda v: v
        if callable(a) and not hasattr(a, "shape"):
            return lambda v: self.flat(a(self.tree(v)), f"what {what} returns")
        matrix = operand(a, f"{self.name}: {what}")
        if matrix.shape != (self.size, self.size):
            raise errors.ShapeError(
                errors.lines(
                    f"{self.name}: {what} is {matrix.aval}; b has {self.size} elements.",
                    "Pass a matrix (n, n) for b: (n,), or a function of pytrees like b.",
                )
            )
        if np.promote_types(matrix.dtype, self.dtype) != self.dtype:
            raise errors.DTypeError(
                errors.lines(
                    f"{self.name}: {what} is {matrix.aval} and b has dtype {self.dtype}.",
                    "Convert one of them.",
                )
            )
        return lambda v: nl.matmul(matrix, v)


def _dot(x: Array, y: Array) -> Array:
    return red.reduce_sum(conjugate(x) * y, axes=(0,))


def _square(x: Array) -> Array:
    return el.real(_dot(x, x)) if x.dtype.kind == "c" else _dot(x, x)


def _bound(b: Array, limits: Any) -> tuple[Array, int]:
    """The square of the largest residual that will do, and the number of steps."""
    tol, atol, maxiter = limits
    square, tol, atol = _square(b), static.real(tol, "tol"), static.real(atol, "atol")
    if not (0 <= tol < 1e150 and 0 <= atol < 1e150):
        raise errors.ArgumentError(f"tol and atol must be numbers of at least 0; got {tol} and {atol}.")
    largest = float(np.finfo(square.dtype).max)
    factor, least = (square.dtype.type(min(t * t, largest)) for t in (tol, atol))
    bound = el.maximum(square * factor, least)
    return bound, 10 * b.size if maxiter is None else static.integer(maxiter, "maxiter")


def _info(converged: Array, steps: Array) -> Array:
    return el.select(converged, np.int32(0), el.convert(steps, np.dtype("int32")))


def _cg(a: Operator, b: Array, x0: Array, m: Operator, limits: Any) -> Any:
    bound, most = _bound(b, limits)
    r = b - a(x0)
    z = m(r)

    def step(state: Any) -> Any:
        x, r, p, rho, k = state
        q = a(p)
        alpha = rho / _dot(p, q)
        x, r = x + alpha * p, r - alpha * q
        z = m(r)
        new = _dot(r, z)
        return x, r, z + (new / rho) * p, new, k + 1

    going = lambda state: (_square(state[1]) > bound) & (state[4] < most)
    x, r, _, _, k = while_loop(going, step, (x0, r, z, _dot(r, z), 0))
    return x, _info(_square(r) <= bound, k)


def _bicgstab(a: Operator, b: Array, x0: Array, m: Operator, limits: Any) -> Any:
    bound, most = _bound(b, limits)
    r0 = b - a(x0)

    def step(state: Any) -> Any:
        x, r, p, v, rho, alpha, omega, k, _ = state
        new = _dot(r0, r)
        beta = (new / rho) * (alpha / omega)
        p = r + beta * (p - omega * v)
        direction = m(p)
        v = a(direction)
        alpha = new / _dot(r0, v)
        s = r - alpha * v
        refined = m(s)
        t = a(refined)
        omega = _quotient(_dot(t, s), _dot(t, t))
        broken = ~(el.isfinite(el.abs_(alpha)) & el.isfinite(el.abs_(beta)))
        keep = lambda old, value: el.select(broken, old, value)
        x, r = keep(x, x + alpha * direction + omega * refined), keep(r, s - omega * t)
        return x, r, p, v, new, alpha, omega, k + 1, broken

    going = lambda state: (_square(state[1]) > bound) & (state[7] < most) & ~state[8]
    one = full((), 1, b.dtype)
    start = (x0, r0, b - b, b - b, one, one, one, 0, full((), False, bool))
    x, r, *_, k, broken = while_loop(going, step, start)
    return x, _info(_square(r) <= bound, el.select(broken, k * 0 - 1, k))


def _quotient(x: Array, y: Array) -> Array:
    """x / y, and 0 for y = 0."""
    empty = el.eq(y, y.dtype.type(0))
    return el.select(empty, y.dtype.type(0), x / el.select(empty, y.dtype.type(1), y))


def _gmres(a: Operator, b: Array, x0: Array, m: Operator, limits: Any, restart: int) -> Any:
    bound, most = _bound(b, limits)
    size = min(restart, max(b.size, 1))

    def space(state: Any) -> Any:
        x, r, k = state
        basis, projected, length = _arnoldi(lambda v: a(m(v)), r, size)
        right = concatenate([reshape(length, (1,)), full((size,), 0, b.dtype)], 0)
        y = nl.lstsq(projected, right)[0]
        x = x + m(nl.matmul(y, slice_axis(basis, 0, size, 0)))
        return x, b - a(x), k + 1

    going = lambda state: (_square(state[1]) > bound) & (state[2] < most)
    x, r, k = while_loop(going, space, (x0, b - a(x0), 0))
    return x, _info(_square(r) <= bound, k)


def _arnoldi(a: Operator, r: Array, size: int) -> tuple[Array, Array, Array]:
    """An orthonormal basis (size + 1, n) in rows of the space of r, a r, a a r ..., a in it, and the norm of r.

    Where the space ends, what follows is zero.
    """
    first, length = _unit(r, el.real(r) * 0 if r.dtype.kind == "c" else r * 0)
    basis = reshape(_mark(size + 1, 0, r.dtype), (size + 1, 1)) * first
    projected = full((size + 1, size), 0, r.dtype)

    def step(j: Any, state: Any) -> Any:
        basis, projected = state
        w = a(nl.matmul(_mark(size + 1, j, r.dtype), basis))
        parts, rest = _orthogonal(basis, w)
        unit, norm = _unit(rest, el.abs_(w))
        after = _mark(size + 1, j + 1, r.dtype)
        column = parts + after * norm
        return (
            basis + reshape(after, (size + 1, 1)) * unit,
            projected + reshape(column, (size + 1, 1)) * _mark(size, j, r.dtype),
        )

    basis, projected = fori_loop(0, size, step, (basis, projected))
    return basis, projected, length


def _orthogonal(basis: Array, w: Array) -> tuple[Array, Array]:
    """The parts of w along the rows of a basis, and the rest; Gram and Schmidt twice, which is enough."""
    first = nl.matmul(conjugate(basis), w)
    w = w - nl.matmul(first, basis)
    second = nl.matmul(conjugate(basis), w)
    return first + second, w - nl.matmul(second, basis)


def _unit(v: Array, before: Array) -> tuple[Array, Array]:
    """v / |v| and |v|, and zeros where v is what rounding left of numbers as large as `before`."""
    norm = el.sqrt(_square(v))
    kept = norm > norm.dtype.type(10 * np.finfo(norm.dtype).eps) * el.sqrt(_square(before))
    zero, one = norm.dtype.type(0), norm.dtype.type(1)
    inverse = el.select(kept, one, zero) / el.select(kept, norm, one)
    return v * el.convert(inverse, v.dtype), el.convert(el.select(kept, norm, zero), v.dtype)


def _mark(n: int, i: Any, dtype: Any) -> Array:
    """(n,) with a one in place i."""
    return el.convert(el.eq(iota((n,), 0), np.int64(i) if isinstance(i, int) else i), dtype)


# Fixed points


def fixed_point(
    func: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    xtol: float = 1e-8,
    maxiter: int = 500,
    method: str = "del2",
) -> Any:
    """x with func(x, *args) = x, by iteration from x0; derivatives by the implicit function theorem.

    Args:
        func: from pytrees like x0 to pytrees like x0; what it closes over, and args, are differentiated.
        xtol: the largest relative change (absolute at 0) of the last step; not below the rounding of the dtype.
        method: "del2" for Aitken's acceleration of every element (Steffensen's method), "iteration" without.

    Raises:
        LinAlgError: no convergence in maxiter steps, where values are known; traced, the result is then NaN.

    >>> import fx
    >>> fx.numpy.round(fx.linalg.fixed_point(fx.numpy.cos, 1.0), 4)
    Array(0.7391, float32)
    """
    static.function(func, "fixed_point: func")
    choice(method, ("del2", "iteration"), "fixed_point: method")
    vectors = _Vectors(x0, "fixed_point")
    args = static.members(args, "fixed_point: args")
    apply = lambda v: vectors.flat(func(vectors.tree(v), *args), "what func returns")
    eps = float(np.finfo(vectors.dtype).eps)
    xtol = max(static.real(xtol, "fixed_point: xtol"), 4 * eps)
    most = static.integer(maxiter, "fixed_point: maxiter")
    iterate = lambda _, v: _iterate(apply, v, xtol, most, method == "del2")
    tangent = lambda g, y: gmres(g, y, tol=10 * eps, restart=min(vectors.size, 50))[0]
    residual = lambda v: v - apply(v)
    x, converged = custom_root(residual, vectors.flat(x0, "x0"), iterate, tangent, has_aux=True)
    if current_trace() is None and not bool(converged):
        raise errors.LinAlgError(
            errors.lines(
                f"fixed_point: no convergence in {most} steps.",
                "Start nearer, or try another method or maxiter.",
            )
        )
    return vectors.tree(el.select(converged, x, x.dtype.type(np.nan)))


def _iterate(f: Operator, x: Array, xtol: float, most: int, accelerated: bool) -> tuple[Array, Array]:
    real = el.abs_(x).dtype
    tol = real.type(xtol)

    def step(state: Any) -> Any:
        x, _, k = state
        y = f(x)
        new = _aitken(x, y, f(y)) if accelerated else y
        size = el.abs_(x)
        change = el.abs_(new - x) / el.select(el.eq(size, real.type(0)), real.type(1), size)
        return new, red.reduce_max(change, axes=(0,)), k + 1

    going = lambda state: ~(state[1] <= tol) & (state[2] < most)
    start = (x, full((), np.inf, real), 0)
    x, change, _ = while_loop(going, step, start)
    return x, change <= tol


def _aitken(x: Array, y: Array, z: Array) -> Array:
    """x - (y - x)^2 / (z - 2 y + x), and z where that has no meaning."""
    curved = z - y - (y - x)
    flat = el.eq(curved, curved.dtype.type(0))
    step = y - x
    return el.select(flat, z, x - step * step / el.select(flat, curved.dtype.type(1), curved))
