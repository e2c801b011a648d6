"""Dormand and Prince's method of order 5(4) with dense output and step control.

Source: Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, II.4 to II.6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import lax, numpy as fnp

NODES = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
"""The last stage is the result: its slope is the first of the next step."""
ERROR = (71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
DENSE = (
    *(-12715105075 / 11282082432, 0, 87487479700 / 32700410799, -10690763975 / 1880347072),
    *(701980252875 / 199316789632, -1453857185 / 822651844, 69997945 / 29380423),
)
SAFETY, SMALLEST, LARGEST = 0.9, 0.2, 10.0
"""A new step is the one that the error asks for, times 0.9, and between these times the old one."""


class Tolerance(NamedTuple):
    """What a step's error is held against: atol + rtol |y|; and limits of the number and size of steps."""

    rtol: float
    atol: float
    mxstep: Any
    hmax: Any


class State(NamedTuple):
    """Within a solution: the last step went from `start` to `t`, and `dense` interpolates it.

    y, slope: (n,), at t. step: the size to try next. tried: steps since the last output.
    """

    tried: Any
    t: Any
    y: Any
    slope: Any
    step: Any
    start: Any
    dense: Any


def solve(func: Callable[..., Any], y0: Any, ts: Any, tolerance: Tolerance) -> Any:
    """(len(ts), n): y at increasing ts, y' = func(y, t), y(ts[0]) = y0: (n,).

    NaN from where mxstep does not suffice.
    """
    slope = func(y0, ts[0])
    step = fnp.clip(_first_step(func, y0, ts[0], slope, tolerance), 0, tolerance.hmax)
    dense = fnp.stack([y0, *[fnp.zeros_like(y0)] * 4])
    first = State(np.int64(0), ts[0], y0, slope, _constant(step, ts), ts[0], dense)

    def to(state: State, target: Any) -> tuple[State, Any]:
        moving = lambda s: (s.t < target) & (s.tried < tolerance.mxstep) & (s.step > 0)
        end = lax.while_loop(
            moving, lambda s: _advance(func, s, tolerance), state._replace(tried=np.int64(0))
        )
        arrived = end.t >= target
        part = (target - end.start) / fnp.where(end.t > end.start, end.t - end.start, 1)
        y = _interpolated(end.dense, part.astype(ts.dtype))
        return end, fnp.where(arrived, y, fnp.nan).astype(y0.dtype)

    _, ys = lax.scan(to, first, ts[1:])
    return fnp.concatenate([y0[None], ys])


def _constant(step: Any, ts: Any) -> Any:
    """Derivatives do not flow through the choice of steps."""
    return lax.stop_gradient(step).astype(ts.dtype)


def _advance(func: Callable[..., Any], state: State, tolerance: Tolerance) -> State:
    """One step tried: taken if its error is small, and the next size."""
    y1, slopes, error = _runge_kutta(func, state)
    scale = tolerance.atol + tolerance.rtol * fnp.maximum(fnp.abs(state.y), fnp.abs(y1))
    ratio = lax.stop_gradient(_rms(error / scale))
    taken = ratio <= 1
    step = _constant(fnp.clip(state.step * _factor(ratio), 0, tolerance.hmax), state.t)
    after = State(
        state.tried, state.t + state.step, y1, slopes[-1], state.step, state.t, _dense(state, y1, slopes)
    )
    chosen = State(*[fnp.where(taken, a, b) for a, b in zip(after, state, strict=True)])
    return chosen._replace(tried=state.tried + 1, step=step)


def _runge_kutta(func: Callable[..., Any], state: State) -> tuple[Any, list[Any], Any]:
    """(y after the step, its seven slopes, the difference to the result of order 4)."""
    slopes = [state.slope]
    y = state.y
    for node, weights in zip(NODES[1:], STAGES[1:], strict=True):
        y = state.y + _weighted(weights, slopes, state.step)
        slopes.append(func(y, state.t + state.step * node))
    return y, slopes, _weighted(ERROR, slopes, state.step)


def _weighted(weights: Any, slopes: list[Any], step: Any) -> Any:
    total = sum(k * w for w, k in zip(weights, slopes, strict=True) if w)
    return (total * step).astype(slopes[0].dtype)


def _factor(ratio: Any) -> Any:
    """How the step changes; a rejected one never grows, and NaN shrinks it."""
    wanted = SAFETY * fnp.maximum(ratio, 1e-10) ** -0.2
    most = fnp.where(ratio <= 1, LARGEST, 1.0)
    return fnp.where(fnp.isfinite(ratio), fnp.clip(wanted, SMALLEST, most), SMALLEST)


def _dense(state: State, y1: Any, slopes: list[Any]) -> Any:
    """(5, n): Shampine's interpolation of order 4 within the step (Hairer, Norsett, Wanner, II.6)."""
    change = y1 - state.y
    bend = (state.step * slopes[0]).astype(y1.dtype) - change
    turn = change - (state.step * slopes[-1]).astype(y1.dtype) - bend
    return fnp.stack([state.y, change, bend, turn, _weighted(DENSE, slopes, state.step)])


def _interpolated(dense: Any, part: Any) -> Any:
    rest = 1 - part
    y, change, bend, turn, last = dense
    return y + part * (change + rest * (bend + part * (turn + rest * last)))


def _first_step(func: Callable[..., Any], y: Any, t: Any, slope: Any, tolerance: Tolerance) -> Any:
    """A size for the first step from the first two derivatives (Hairer, Norsett, Wanner, II.4)."""
    scale = tolerance.atol + tolerance.rtol * fnp.abs(y)
    size, speed = _rms(y / scale), _rms(slope / scale)
    tiny = (size < 1e-5) | (speed < 1e-5)
    guess = fnp.where(tiny, 1e-6, 0.01 * size / fnp.where(tiny, 1, speed))
    guess = guess.astype(t.dtype)
    there = func(y + (guess * slope).astype(y.dtype), t + guess)
    bend = _rms((there - slope) / scale) / guess
    most = fnp.maximum(speed, bend)
    flat = most <= 1e-15
    wanted = fnp.where(flat, fnp.maximum(1e-6, guess * 1e-3), (0.01 / fnp.where(flat, 1, most)) ** 0.2)
    return fnp.minimum(100 * guess, wanted)


def _rms(x: Any) -> Any:
    return fnp.sqrt(fnp.mean(fnp.abs(x) ** 2)) if x.size else fnp.zeros((), fnp.abs(x).dtype)
