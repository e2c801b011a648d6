"""Minimization as jax.scipy.optimize has it: BFGS with a line search for the strong Wolfe conditions, in one loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from reprlib import repr as brief
from typing import Any, NamedTuple

import numpy as np

from .. import ArgumentError, DTypeError, ShapeError, TreeError, lax, numpy as fnp, value_and_grad

C1, C2 = 1e-4, 0.9
"""Sufficient decrease and curvature (Nocedal and Wright, Numerical Optimization, 3.1)."""


class OptimizeResults(NamedTuple):
    """What `minimize` found.

    status: 0 the gradient is small enough, 1 maxiter, 3 no step of the line search decreases the function,
    4 the function or its gradient is not finite. success: status is 0. x: (n,).
    """

    x: Any
    success: Any
    status: Any
    fun: Any
    jac: Any
    hess_inv: Any
    nfev: Any
    njev: Any
    nit: Any


class _State(NamedTuple):
    """After `nit` steps. x, g: (n,). h: (n, n), the inverse Hessian. f: at x."""

    nit: Any
    nfev: Any
    x: Any
    f: Any
    g: Any
    h: Any
    status: Any


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    *,
    method: str = "BFGS",
    tol: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> OptimizeResults:
    """A local minimum of a function of a vector; works under jit and vmap.

    Args:
        fun: (x, *args) -> a number. x0: (n,) floats.
        method: 'BFGS' (in any case).
        tol: the gradient's norm to stop at; the same as the option `gtol`.
        options: gtol (1e-5), norm (inf), maxiter (200 n), line_search_maxiter (10).

    Raises:
        ArgumentError: an unknown method or option. ShapeError: x0 is no vector, or fun returns no number.
    """
    if not isinstance(method, str) or method.lower() != "bfgs":
        raise ArgumentError(f"minimize: method={brief(method)} is unknown.\nWrite method='BFGS'.")
    if not isinstance(args, tuple):
        raise TreeError(f"minimize: args must be a tuple; got {type(args).__name__}. Write args=(a,).")
    x = fnp.asarray(x0)
    if x.ndim != 1:
        raise ShapeError(
            f"minimize: x0 must have one axis; its shape is {x.shape}. See fx.tree.ravel_pytree."
        )
    if x.dtype.kind not in "f":
        raise DTypeError(f"minimize: x0 must be floating point; it is {x.dtype}.")
    if not callable(fun):
        raise ArgumentError(f"minimize: fun must be a function; got {brief(fun)}.")
    if options is not None and not isinstance(options, Mapping):
        raise ArgumentError(f"minimize: options must be a dict; got {brief(options)}.")
    found = {"gtol": 1e-5 if tol is None else tol, "norm": np.inf, "maxiter": None, "line_search_maxiter": 10}
    unknown = set(options or {}) - set(found)
    if unknown:
        raise ArgumentError(f"minimize: unknown option {brief(unknown)}; BFGS takes {sorted(found)}.")
    return _bfgs(lambda x: fun(x, *args), x, **{**found, **(options or {})})


def _bfgs(
    fun: Callable[[Any], Any], x0: Any, *, gtol: Any, norm: Any, maxiter: Any, line_search_maxiter: int
) -> OptimizeResults:
    n, dtype = x0.shape[0], x0.dtype
    limit = 200 * n if maxiter is None else maxiter
    evaluate = value_and_grad(fun)
    f, g = evaluate(x0)
    small = lambda g: fnp.linalg.norm(g, ord=norm) < gtol
    one = np.int64(1)
    first = _State(np.int64(0), one, x0, f.astype(dtype), g, fnp.eye(n, dtype=dtype), np.int64(0))

    def going(s: _State) -> Any:
        return ~small(s.g) & (s.nit < limit) & (s.status == 0)

    def step(s: _State) -> _State:
        p = -(s.h @ s.g)
        guess = fnp.where(s.nit == 0, fnp.minimum(1, 1 / fnp.linalg.norm(s.g)), 1).astype(dtype)
        a, f, g, ok, count = _line_search(evaluate, s.x, p, s.f, s.g, guess, line_search_maxiter)
        finite = fnp.isfinite(f) & fnp.all(fnp.isfinite(g))
        status = fnp.where(finite, fnp.where(ok, 0, 3), 4)
        good = ok & finite
        x, new_g = fnp.where(good, s.x + a * p, s.x), fnp.where(good, g, s.g)
        h = fnp.where(good, _updated(s.h, x - s.x, new_g - s.g, s.nit == 0), s.h)
        return _State(s.nit + 1, s.nfev + count, x, fnp.where(good, f, s.f), new_g, h, status)

    s = lax.while_loop(going, step, first)
    status = fnp.where(small(s.g), 0, fnp.where(s.status == 0, 1, s.status))
    finite = fnp.isfinite(s.f) & fnp.all(fnp.isfinite(s.g))
    status = fnp.where(finite, status, 4)
    return OptimizeResults(s.x, status == 0, status, s.f, s.g, s.h, s.nfev, s.nfev, s.nit)


def _updated(h: Any, s: Any, y: Any, first: Any) -> Any:
    """The BFGS update (Nocedal and Wright, 6.17); before the first one h is scaled to y's curvature (6.20)."""
    curvature = y @ s
    usable = curvature > 0
    rho = 1 / fnp.where(usable, curvature, 1)
    scale = fnp.where(first & usable, curvature / fnp.where(usable, y @ y, 1), 1)
    h = h * scale
    w = fnp.eye(s.shape[0], dtype=s.dtype) - rho * fnp.outer(s, y)
    return fnp.where(usable, w @ h @ w.T + rho * fnp.outer(s, s), h)


class _Point(NamedTuple):
    """A step length with the function's value and slope along the line there."""

    a: Any
    f: Any
    d: Any


class _Search(NamedTuple):
    """The next length to try, the best end and the other end of the bracket; whether one is known; what was found."""

    count: Any
    a: Any
    low: _Point
    high: _Point
    bracketed: Any
    done: Any
    best: Any
    gradient: Any


def _line_search(
    evaluate: Any, x: Any, p: Any, f0: Any, g0: Any, guess: Any, limit: int
) -> tuple[Any, Any, Any, Any, Any]:
    """(length, value, gradient, whether it decreases, evaluations): strong Wolfe (Nocedal and Wright, 3.5, 3.6)."""
    d0 = g0 @ p
    start = _Point(fnp.zeros_like(guess), f0, d0)
    first = _Search(np.int64(0), guess, start, start, np.bool_(False), np.bool_(False), start, g0)

    def step(s: _Search) -> _Search:
        f, g = evaluate(x + s.a * p)
        here = _Point(s.a, f.astype(f0.dtype), g @ p)
        high = ~(here.f <= f0 + C1 * s.a * d0) | ((here.f >= s.low.f) & (s.count > 0))
        done = ~high & (fnp.abs(here.d) <= -C2 * d0)
        uphill = fnp.where(s.bracketed, here.d * (s.high.a - s.low.a) >= 0, here.d >= 0)
        low = _chosen(high, s.low, here)
        top = _chosen(high, here, _chosen(uphill, s.low, s.high))
        bracketed = s.bracketed | high | uphill
        a = fnp.where(bracketed, _between(low, top), 2 * s.a)
        better = ~high
        return _Search(
            s.count + 1,
            a,
            low,
            top,
            bracketed,
            done,
            _chosen(better, here, s.best),
            fnp.where(better, g, s.gradient),
        )

    s = lax.while_loop(lambda s: ~s.done & (s.count < limit), step, first)
    return s.best.a, s.best.f, s.gradient, s.best.a > 0, s.count


def _chosen(which: Any, a: _Point, b: _Point) -> _Point:
    return _Point(*[fnp.where(which, x, y) for x, y in zip(a, b, strict=True)])


def _between(low: _Point, high: _Point) -> Any:
    """The minimum of the parabola through low, its slope and high, if well inside the bracket; else its middle."""
    width = high.a - low.a
    bend = 2 * (high.f - low.f - low.d * width)
    a = low.a - low.d * width * width / fnp.where(bend == 0, 1, bend)
    left, right = fnp.minimum(low.a, high.a), fnp.maximum(low.a, high.a)
    margin = 0.1 * (right - left)
    fits = fnp.isfinite(a) & (bend > 0) & (a > left + margin) & (a < right - margin)
    return fnp.where(fits, a, low.a + 0.5 * width)
