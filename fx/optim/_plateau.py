"""A learning rate that falls when the loss stops falling."""

from __future__ import annotations

from typing import Any, NamedTuple

import fx
import fx.numpy as fnp

from ._contract import Optimizer
from ._descent import needs_value
from ._leaves import check_at_least, map_leaves, no_updates, tree_dtype
from ._options import options


class PlateauState(NamedTuple):
    """scale: what updates are multiplied by. best_value: of the loss. plateau_count: values without improvement.
    cooldown_count: values left to wait. count, avg_value: values in the mean that is being taken, and it."""

    scale: Any
    best_value: Any
    plateau_count: Any
    cooldown_count: Any
    count: Any
    avg_value: Any


@options
def reduce_on_plateau(
    factor: float = 0.1,
    patience: int = 10,
    rtol: float = 1e-4,
    atol: float = 0.0,
    cooldown: int = 0,
    accumulation_size: int = 1,
    min_scale: float = 0.0,
) -> Optimizer:
    """Updates times a scale that falls when the loss stops falling: `update(grads, state, params, value=loss)`.

    Put it last in a chain. torch's ReduceLROnPlateau with patience p is that of patience p + 1 here.

    Args:
        factor: of the scale, between 0 and 1. patience: values without improvement that it takes.
        rtol, atol: an improvement is a value below (1 - rtol) * best - atol.
        cooldown: values after a reduction during which none are counted.
        accumulation_size: the mean of so many values counts as one.
        min_scale: the least scale.
    """
    check_at_least(0, "reduce_on_plateau", factor=factor, rtol=rtol, atol=atol, min_scale=min_scale)
    if not 0 < factor < 1 or rtol > 1 or rtol == atol == 0:
        raise fx.ArgumentError(
            f"reduce_on_plateau: factor must be in (0, 1), rtol at most 1, rtol or atol above 0; "
            f"got factor={factor!r}, rtol={rtol!r}, atol={atol!r}."
        )

    def init(params: Any) -> PlateauState:
        kind, zero = tree_dtype(params), no_updates()
        one, infinite = fnp.ones((), kind), fnp.full((), fnp.inf, kind)
        return PlateauState(one, infinite, zero, zero, zero, fnp.zeros((), kind))

    def update(
        grads: Any, state: PlateauState, params: Any = None, *, value: Any = None, **extra: Any
    ) -> tuple[Any, PlateauState]:
        needs_value(value, "reduce_on_plateau")
        count = state.count + 1
        kind = state.avg_value.dtype
        mean = state.avg_value + (fnp.asarray(value).astype(kind) - state.avg_value) / count.astype(kind)
        pending = state._replace(count=count, avg_value=mean)
        full = count == accumulation_size
        new = [fnp.where(full, a, b) for a, b in zip(judged(pending), pending, strict=True)]
        state = PlateauState(*[x.astype(old.dtype) for x, old in zip(new, state, strict=True)])
        return map_leaves(lambda g: state.scale * g, grads), state

    def judged(state: PlateauState) -> PlateauState:
        improved = state.avg_value < (1.0 - rtol) * state.best_value - atol
        waited = fnp.where(improved, 0, state.plateau_count + 1)
        cooling = state.cooldown_count > 0
        reduces = (waited == patience) & ~cooling
        scale = fnp.maximum(fnp.where(reduces, state.scale * factor, state.scale), min_scale)
        return PlateauState(
            fnp.where(cooling, state.scale, scale),
            fnp.where(improved, state.avg_value, state.best_value),
            fnp.where(cooling | reduces, 0, waited),
            fnp.where(cooling, state.cooldown_count - 1, fnp.where(reduces, cooldown, 0)),
            fnp.zeros_like(state.count),
            fnp.zeros_like(state.avg_value),
        )

    return Optimizer(init, update)
