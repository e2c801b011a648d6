"""Metrics over a loader."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import fx
from fx import metrics


def evaluator(
    predict: Callable[..., Any], loader: Iterable[Any], metric: metrics.Metric, *, targets: Any = "y"
) -> Callable[..., dict[str, float]]:
    """A function (params[, state]) -> numbers, for `fit(evaluate=)`: metrics of predictions over all of a loader.

    Args:
        predict: (params, batch[, state]) -> predictions; it is compiled.
        metric: a Metric, or a Collection, whose numbers are named.
        targets: where in a batch targets are: a key or a number.
    """

    @fx.jit
    def forward(params: Any, batch: Any, state: Any) -> Any:
        return predict(params, batch) if state is None else predict(params, batch, state)

    def evaluate(params: Any, state: Any = None) -> dict[str, float]:
        seen = metric.init()
        for batch in loader:
            seen = metric.update(seen, forward(params, batch, state or None), batch[targets])
        found = metric.compute(seen)
        found = found if isinstance(found, dict) else {type(metric).__name__.lower(): found}
        return {name: float(x) for name, x in found.items() if getattr(x, "ndim", 0) == 0}

    return evaluate
