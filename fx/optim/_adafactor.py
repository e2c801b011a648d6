"""Adafactor: mean squares of matrices kept as those of their rows and columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._clipping import clip_by_block_rms
from ._contract import Optimizer, chain
from ._layerwise import scale_by_param_block_rms
from ._leaves import (
    abs_square,
    as_array,
    check_choice,
    each_leaf,
    is_trained,
    needs_params,
    no_updates,
    real_dtype,
    wide,
)
from ._options import options
from ._parts import LearningRate, add_decayed_weights, ema, scale, scale_by_learning_rate


@options
def adafactor(
    learning_rate: LearningRate = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: Any = 0.8,
    decay_offset: Any = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: Any = 1.0,
    momentum: Any = None,
    dtype_momentum: Any = fnp.float32,
    weight_decay_rate: Any = None,
    eps: Any = 1e-30,
    factored: bool = True,
    weight_decay_mask: Any = None,
    *,
    factored_axes: str = "longest",
    eps_as_floor: bool = False,
    min_scale: Any = 1e-3,
) -> Optimizer:
    """Steps over root mean squares whose memory is that of the rows and columns of a matrix.

    Args:
        learning_rate: None: steps are as long as the rest says.
        min_dim_size_to_factor: the two longest axes are factored where both are at least this long.
        decay_rate: the mean of squares has the rate 1 - count**-decay_rate, count from decay_offset.
        multiply_by_parameter_scale: steps times the root mean square of a leaf, at least min_scale.
        clipping_threshold: the largest root mean square of a step; None: any.
        momentum: of the steps, kept in dtype_momentum; None: none.
        weight_decay_rate: times params, taken from them at every step.
        factored_axes: "longest" or "last", the two that are factored.
        eps_as_floor: eps is the least root mean square, and not added to squares.

    torch.optim.Adafactor(lr=r, weight_decay=w) is adafactor(lambda t: fnp.minimum(r, (t + 1.0) ** -0.5), 1,
    weight_decay_rate=r * w, eps=fnp.finfo(dtype).eps, factored_axes="last", eps_as_floor=True).

    Source: Shazeer and Stern 2018, Algorithms 4 and 5.
    """
    axes_and_floor = {"factored_axes": factored_axes, "epsilon_as_floor": eps_as_floor}
    rule = (factored, decay_rate, decay_offset, min_dim_size_to_factor, eps)
    parts = [scale_by_factored_rms(*rule, **axes_and_floor)]
    if clipping_threshold is not None:
        parts.append(clip_by_block_rms(clipping_threshold))
    if learning_rate is not None:
        parts.append(scale_by_learning_rate(learning_rate, flip_sign=False))
    if multiply_by_parameter_scale:
        parts.append(scale_by_param_block_rms(min_scale))
    if momentum is not None:
        parts.append(ema(momentum, debias=False, accumulator_dtype=dtype_momentum))
    if weight_decay_rate is not None:
        parts.append(add_decayed_weights(weight_decay_rate, weight_decay_mask))
    return chain(*parts, scale(-1.0))


class FactoredState(NamedTuple):
    """count: updates made. v_row, v_col: mean squares along the two longest axes; v: where a leaf is not factored.

    Where a leaf does not need one of them it has zeros of shape (1,).
    """

    count: Any
    v_row: Any
    v_col: Any
    v: Any


def _falling(count: Any, exponent: Any) -> Any:
    return 1.0 - (count + 1.0) ** (-exponent)


@options
def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: Any = 0.8,
    step_offset: Any = 0,
    min_dim_size_to_factor: int = 128,
    epsilon: Any = 1e-30,
    decay_rate_fn: Callable[[Any, Any], Any] = _falling,
    *,
    factored_axes: str = "longest",
    epsilon_as_floor: bool = False,
) -> Optimizer:
    """Updates over their root mean square, factored where two axes are long. Arguments as of `adafactor`."""
    check_choice("scale_by_factored_rms", "factored_axes", factored_axes, tuple(_ORDERS))

    def axes_of(p: Any) -> tuple[int, int] | None:
        return _pair(_ORDERS[factored_axes](p.shape), p.shape, min_dim_size_to_factor) if factored else None

    def init(params: Any) -> FactoredState:
        parts = lambda i: fx.tree.map(lambda p: _empty_means(as_array(p), axes_of(as_array(p)))[i], params)
        return FactoredState(no_updates(), parts(0), parts(1), parts(2))

    def formula(g: Any, row: Any, col: Any, v: Any, rate: Any) -> Any:
        floor = epsilon if epsilon_as_floor else None
        square = abs_square(g) if epsilon_as_floor else abs_square(g) + epsilon
        axes = axes_of(g)
        if axes is None:
            v = rate * v + (1.0 - rate) * square
            return g / _root(v, floor), row, col, v
        short, long = axes
        row = rate * row + (1.0 - rate) * square.mean(axis=long)
        col = rate * col + (1.0 - rate) * square.mean(axis=short)
        mean = row.mean(axis=short - (short > long), keepdims=True)
        if floor is not None:
            part = fnp.expand_dims(row / fnp.maximum(mean, floor), long)
            return g / _root(part * fnp.expand_dims(col, short), floor), row, col, v
        of_row, of_col = 1.0 / fnp.sqrt(row / mean), 1.0 / fnp.sqrt(col)
        return g * fnp.expand_dims(of_row, long) * fnp.expand_dims(of_col, short), row, col, v

    def update(
        grads: Any, state: FactoredState, params: Any = None, **extra: Any
    ) -> tuple[Any, FactoredState]:
        needs_params(params, "adafactor")
        rate = fnp.asarray(decay_rate_fn((state.count - step_offset).astype(fnp.float64), decay_rate))
        states = [state.v_row, state.v_col, state.v]
        updates, row, col, v = each_leaf(formula, grads, states, scalars=[rate])
        return updates, FactoredState(state.count + 1, row, col, v)

    return Optimizer(init, update)


def _root(square: Any, floor: Any) -> Any:
    return fnp.sqrt(square if floor is None else fnp.maximum(square, floor * floor))


_ORDERS: dict[str, Callable[[tuple[int, ...]], list[int]]] = {
    "longest": lambda shape: sorted(range(len(shape)), key=lambda i: shape[i]),
    "last": lambda shape: list(range(len(shape))),
}
"""Axes in an order whose last two are factored; of equally long ones the later come last."""


def _pair(order: list[int], shape: tuple[int, ...], least: int) -> tuple[int, int] | None:
    """The last two axes of an order; None where one is shorter than `least`."""
    return (order[-2], order[-1]) if len(order) > 1 and min(shape[i] for i in order[-2:]) >= least else None


def _empty_means(p: Any, axes: tuple[int, int] | None) -> tuple[Any, Any, Any]:
    dtype = real_dtype(wide(p.dtype)) if is_trained(p) else p.dtype
    none = fnp.zeros((1,), dtype)
    if axes is None:
        return none, none, fnp.zeros(p.shape, dtype)
    without = lambda axis: tuple(n for i, n in enumerate(p.shape) if i != axis)
    short, long = axes
    return fnp.zeros(without(long), dtype), fnp.zeros(without(short), dtype), none
