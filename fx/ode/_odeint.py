"""`odeint` as jax.experimental.ode has it, and its derivative by the adjoint equation."""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as brief
from typing import Any

import numpy as np

from .. import lax, numpy as fnp, tree
from ..core.boundary import boundary
from ..core.errors import ArgumentError, DTypeError, ShapeError, TreeError, lines
from ..core.static import choice, function
from ..core.transforms.closures import closure_convert
from ..core.transforms.custom_vjp import custom_vjp
from ..core.transforms.gradient import vjp
from ..core.transforms.vmap import vmap
from ._dopri5 import Tolerance, solve


@boundary
def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float = 1.4e-8,
    mxstep: float = np.inf,
    hmax: float = np.inf,
    derivative: str = "adjoint",
) -> Any:
    """The solution of y' = func(y, t, *args), y(t[0]) = y0, at the times t, by Dormand and Prince's adaptive method.

    Args:
        func: (y, t, *args) -> dy/dt, a pytree like y0. It may close over arrays that are differentiated.
        y0: pytree of floating-point or complex arrays.
        t: (n,) times, increasing or decreasing; taken in the precision of y0.
        args: pytrees that func takes; derivatives with respect to their floating-point leaves exist.
        rtol, atol: the error of a step is at most atol + rtol |y|, in the mean over the elements.
        mxstep: steps at most between two times; results from where they do not suffice are NaN.
        hmax: the largest step.
        derivative: "adjoint" solves an equation backward in time (Pontryagin; Chen et al., 2018): reverse mode alone,
            memory independent of the number of steps, derivatives as exact as the solution. "steps" differentiates
            the steps taken: forward and reverse mode to any order, memory in proportion to the steps in reverse mode.

    Returns:
        The tree of y0 with a leading axis of n times.

    Raises:
        ShapeError, TreeError, DTypeError: t is not one axis of times, or func does not return what y0 is like.

    >>> import fx, numpy as np
    >>> decay = lambda y, t, rate: -rate * y
    >>> y = odeint(decay, 1.0, np.array([0.0, 1.0, 2.0], "f4"), 0.5)
    >>> print(np.asarray(y).round(4))
    [1.     0.6065 0.3679]
    """
    function(func, "odeint: func")
    choice(derivative, ("adjoint", "steps"), "odeint: derivative")
    start, unravel = _state(y0)
    ts = _times(t, start)
    tolerance = _tolerance(rtol, atol, mxstep, hmax)
    leaves, in_tree = tree.flatten(args)
    leaves = [fnp.asarray(x) for x in leaves]
    flat = _flat(func, unravel, in_tree, start)
    converted, consts = closure_convert(flat, start, ts[0], *leaves)
    sign = fnp.where(ts[-1] < ts[0], -1, 1).astype(ts.dtype)
    forward = lambda y, s, sign, *xs: (sign * converted(y, s * sign, *xs)).astype(y.dtype)
    run = _adjoint(forward, tolerance) if derivative == "adjoint" else _run(forward, tolerance)
    return vmap(unravel)(run(start, ts * sign, sign, *leaves, *consts))


def _state(y0: Any) -> tuple[Any, Callable[[Any], Any]]:
    leaves, treedef = tree.flatten(y0)
    if not leaves:
        raise TreeError("odeint: y0 has no arrays.")
    arrays = [fnp.asarray(x) for x in leaves]
    arrays = [x if x.dtype.kind in "fcV" else x.astype(float) for x in arrays]
    return tree.ravel_pytree(treedef.unflatten(arrays))


def _times(t: Any, y: Any) -> Any:
    ts = fnp.asarray(t)
    if ts.ndim != 1 or not ts.shape[0]:
        raise ShapeError(
            f"odeint: t must have one axis of at least one time; its shape is {ts.shape}.\n"
            "The order is odeint(func, y0, t)."
        )
    if ts.dtype.kind not in "iufV":
        raise DTypeError(f"odeint: times are real numbers; t is {ts.dtype}.")
    return ts.astype(fnp.abs(y).dtype)


def _tolerance(rtol: Any, atol: Any, mxstep: Any, hmax: Any) -> Tolerance:
    numbers = {"rtol": rtol, "atol": atol, "mxstep": mxstep, "hmax": hmax}
    wrong = [
        f"{name}={brief(value)}" for name, value in numbers.items() if not _positive(value, name == "atol")
    ]
    if wrong:
        raise ArgumentError(
            lines(f"odeint: {', '.join(wrong)}; positive numbers are needed.", "They are static, not traced.")
        )
    return Tolerance(float(rtol), float(atol), float(mxstep), float(hmax))


def _positive(value: Any, zero: bool) -> bool:
    return isinstance(value, (int, float, np.number)) and bool(value > 0 or (zero and value == 0))


def _flat(func: Callable[..., Any], unravel: Any, in_tree: Any, start: Any) -> Callable[..., Any]:
    """func of vectors and leaves."""

    def flat(y: Any, t: Any, *leaves: Any) -> Any:
        state = unravel(y)
        slope = func(state, t, *in_tree.unflatten(leaves))
        found, wanted = tree.structure(slope), tree.structure(state)
        if found != wanted:
            raise TreeError(
                lines("odeint: func returns another structure than y0 has:", *tree.differences(wanted, found))
            )
        shapes = [
            (np.shape(a), np.shape(b)) for a, b in zip(tree.leaves(slope), tree.leaves(state), strict=True)
        ]
        for path, (a, b) in zip(wanted.paths(), shapes, strict=True):
            if a != b:
                raise ShapeError(f"odeint: func returns y{tree.keystr(path)} of shape {a}; y0 has {b}.")
        vector = tree.ravel_pytree(slope)[0]
        if vector.dtype.kind == "c" and y.dtype.kind != "c":
            raise DTypeError("odeint: func returns complex numbers for a real y0; start from a complex one.")
        return vector.astype(y.dtype)

    return flat


def _run(forward: Callable[..., Any], tolerance: Tolerance) -> Callable[..., Any]:
    return lambda y0, ts, *xs: solve(lambda y, t: forward(y, t, *xs), y0, ts, tolerance)


def _adjoint(forward: Callable[..., Any], tolerance: Tolerance) -> Callable[..., Any]:
    """The solver as a function of (y0, ts, *xs) with the adjoint equation for derivative."""
    run = custom_vjp(_run(forward, tolerance))

    def fwd(y0: Any, ts: Any, *xs: Any) -> Any:
        ys = run(y0, ts, *xs)
        return ys, (ys, ts, xs)

    def bwd(residuals: Any, ct: Any) -> Any:
        ys, ts, xs = residuals
        return _backward(forward, tolerance, ys, ts, xs, ct)

    run.defvjp(fwd, bwd)
    return run


def _backward(forward: Any, tolerance: Tolerance, ys: Any, ts: Any, xs: Any, ct: Any) -> tuple[Any, ...]:
    """Cotangents of (y0, ts, *xs): a' = -a df/dy from the last time to the first, and integrals of a df/dx.

    Derivatives of this are those of its steps.
    """
    moved = [x.dtype.kind in "fcV" for x in xs]
    chosen = tuple(x for x, m in zip(xs, moved, strict=True) if m)
    zeros = tuple(fnp.zeros_like(x) for x in chosen)

    def slope(y: Any, t: Any, parts: Any) -> Any:
        it = iter(parts)
        return forward(y, t, *[next(it) if m else x for x, m in zip(xs, moved, strict=True)])

    def interval(carry: Any, at: Any) -> Any:
        a, sums = carry
        y, g, end, begin = at
        a = a + g
        by_time = _pairing(slope(y, end, chosen), g)
        start, unravel = tree.ravel_pytree((y, a, zeros))

        def reversed_slope(vector: Any, s: Any) -> Any:
            y, a, _ = unravel(vector)
            dy, pull = vjp(lambda y, parts: slope(y, -s, parts), y, chosen)
            by_y, by_parts = pull(a)
            return tree.ravel_pytree((-dy, by_y, by_parts))[0]

        last = unravel(solve(reversed_slope, start, fnp.stack([-end, -begin]), tolerance)[-1])
        sums = tuple(s + x for s, x in zip(sums, last[2], strict=True))
        return (last[1], sums), by_time.astype(ts.dtype)

    first = (fnp.zeros_like(ct[0]), zeros)
    (a, sums), by_times = lax.scan(interval, first, (ys[1:], ct[1:], ts[1:], ts[:-1]), reverse=True)
    a = a + ct[0]
    by_start = -_pairing(slope(ys[0], ts[0], chosen), a - ct[0])
    it = iter(sums)
    return (
        a,
        fnp.concatenate([by_start.astype(ts.dtype)[None], by_times]),
        *[next(it) if m else None for m in moved],
    )


def _pairing(slope: Any, ct: Any) -> Any:
    return fnp.real(fnp.sum(slope * ct))
