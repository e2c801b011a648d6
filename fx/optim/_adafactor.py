"""Adafactor: mean squares of matrices kept as those of their rows and columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._clipping import clip_by_block_rms
from ._contract import Optimizer, chain
from ._layerwise import scale_by_param_block_rms
from ._leaves import abs_square, as_array, each_leaf, is_trained, needs_params, no_updates, real_dtype, wide
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
) -> Optimizer:
    """Steps over root mean squares whose memory is that of the rows and columns of a matrix.

    Args:
        learning_rate: None: steps are as long as the rest says.
        min_dim_size_to_factor: the two longest axes are factored where both are at least this long.
        decay_rate: the mean of squares has the rate 1 - count**-decay_rate, count from decay_offset.
        multiply_by_parameter_scale: steps times the root mean square of a leaf, at least 1e-3.
        clipping_threshold: the largest root mean square of a step; None: any.
        momentum: of the steps, kept in dtype_momentum; None: none.
        weight_decay_rate: times params, taken from them at every step.

    Source: Shazeer and Stern 2018, Algorithms 4 and 5.
    """
    parts = [scale_by_factored_rms(factored, decay_rate, decay_offset, min_dim_size_to_factor, eps)]
    if clipping_threshold is not None:
        parts.append(clip_by_block_rms(clipping_threshold))
    if learning_rate is not None:
        parts.append(scale_by_learning_rate(learning_rate, flip_sign=False))
    if multiply_by_parameter_scale:
        parts.append(scale_by_param_block_rms())
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
) -> Optimizer:
    """Updates over their root mean square, factored where two axes are long."""

    def axes_of(p: Any) -> tuple[int, int] | None:
        return _factored_axes(p.shape, min_dim_size_to_factor) if factored else None

    def init(params: Any) -> FactoredState:
        parts = lambda i: fx.tree.map(lambda p: _empty_means(as_array(p), axes_of(as_array(p)))[i], params)
        return FactoredState(no_updates(), parts(0), parts(1), parts(2))

    def formula(g: Any, row: Any, col: Any, v: Any, rate: Any) -> Any:
        square = abs_square(g) + epsilon
        axes = axes_of(g)
        if axes is None:
            v = rate * v + (1.0 - rate) * square
            return g / fnp.sqrt(v), row, col, v
        short, long = axes
        row = rate * row + (1.0 - rate) * square.mean(axis=long)
        col = rate * col + (1.0 - rate) * square.mean(axis=short)
        mean = row.mean(axis=short - (short > long), keepdims=True)
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


def _factored_axes(shape: tuple[int, ...], least: int) -> tuple[int, int] | None:
    """The second longest and the longest axis, the later one of equal ones last; None: not factored."""
    order = sorted(range(len(shape)), key=lambda i: shape[i])
    return (order[-2], order[-1]) if len(shape) > 1 and shape[order[-2]] >= least else None


def _empty_means(p: Any, axes: tuple[int, int] | None) -> tuple[Any, Any, Any]:
    dtype = real_dtype(wide(p.dtype)) if is_trained(p) else p.dtype
    none = fnp.zeros((1,), dtype)
    if axes is None:
        return none, none, fnp.zeros(p.shape, dtype)
    without = lambda axis: tuple(n for i, n in enumerate(p.shape) if i != axis)
    short, long = axes
    return fnp.zeros(without(long), dtype), fnp.zeros(without(short), dtype), none
