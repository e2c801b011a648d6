"""Quantiles of whole numbers by search, and of numbers by Newton's method between bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fx.numpy as fnp

from ..lax import stop_gradient, while_loop


def least_whole(reached: Callable[[Any], Any], start: Any, low: Any, high: Any) -> Any:
    """The least whole number of [low, high] at which `reached` is true; it is taken to be so at high, and beyond.

    From `start`, steps that double until the number is between two that were asked for; these are bisected. All
    elements search at once. start, low, high: of one shape; low finite.
    """
    low, high = stop_gradient(low) - 1, stop_gradient(high)
    first = fnp.clip(fnp.floor(fnp.nan_to_num(stop_gradient(start), posinf=0.0)), low + 1, high - 1)
    false = fnp.zeros(first.shape, bool)

    def step(state: Any) -> Any:
        low, high, k, stride, above, below = state
        active = _between(low, high, k)
        hit = reached(k)
        low, high = fnp.where(active & ~hit, k, low), fnp.where(active & hit, k, high)
        above, below = above | (active & hit), below | (active & ~hit)
        further = fnp.where(hit, high - stride, low + stride)
        k = fnp.where(above & below, fnp.floor(0.5 * low + 0.5 * high), further)
        return low, high, fnp.clip(k, low + 1, high - 1), 2 * stride, above, below

    state = low, high, first, fnp.ones_like(first), false, false
    return while_loop(lambda s: _between(*s[:3]).any(), step, state)[1]


def _between(low: Any, high: Any, k: Any) -> Any:
    return (k > low) & (k < high)


def root_between(slope: Callable[[Any], tuple[Any, Any]], start: Any, low: Any, high: Any) -> Any:
    """The root of an increasing function in [low, high]. slope(x) -> its value and derivative.

    Newton's steps, and bisection where one leaves the bounds, until steps vanish; 100 at most.
    """

    def step(state: Any) -> Any:
        low, high, x, _, n = state
        value, rise = slope(x)
        low, high = fnp.where(value < 0, x, low), fnp.where(value > 0, x, high)
        new = x - value / rise
        new = fnp.where((new > low) & (new < high), new, 0.5 * (low + high))
        return low, high, fnp.where(value == 0, x, new), x, n + 1

    def going(state: Any) -> Any:
        _, _, x, last, n = state
        tiny = 2 * fnp.finfo(x.dtype).eps * abs(x)
        return (n < 100) & (abs(x - last) > tiny).any()

    state = low, high, start, fnp.full_like(start, fnp.inf), 0
    return while_loop(going, step, state)[2]
