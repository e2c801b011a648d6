"""What a metric is, and the simplest ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp

from ._fields import check_fields


class Metric:
    """Base class: `init`, `update` and `compute` make a metric; `merge` adds states unless they are no sums."""

    def __post_init__(self) -> None:
        """Called by dataclasses, which metrics with settings are: refuses those of a wrong kind."""
        if is_dataclass(self):
            check_fields(self)

    def init(self) -> Any:
        """The state before any data."""
        raise NotImplementedError

    def update(self, state: Any, *batch: Any, **options: Any) -> Any:
        """The state with a batch more."""
        raise NotImplementedError

    def compute(self, state: Any) -> Any:
        """The result for all data that the state has seen."""
        raise NotImplementedError

    def merge(self, a: Any, b: Any) -> Any:
        """The state of two parts of the data together."""
        return fx.tree.map(fnp.add, a, b)

    def of(self, *batch: Any, **options: Any) -> Any:
        """The result for one batch that is all the data."""
        return self.compute(self.update(self.init(), *batch, **options))


@dataclass(frozen=True)
class Mean(Metric):
    """The mean of numbers, weighted or not: of losses, say."""

    def init(self) -> dict[str, fx.Array]:
        return {"total": fnp.zeros((), fnp.float64), "count": fnp.zeros((), fnp.float64)}

    def update(self, state: Any, values: Any, weights: Any = None) -> Any:
        """values: any shape; weights: broadcast against them, booleans or numbers."""
        values = fnp.asarray(values)
        weights = fnp.broadcast_to(fnp.asarray(1.0 if weights is None else weights), values.shape)
        counted = fnp.where(weights != 0, values, 0).astype(fnp.float64) * weights
        return {
            "total": state["total"] + counted.sum(),
            "count": state["count"] + weights.astype(fnp.float64).sum(),
        }

    def compute(self, state: Any) -> fx.Array:
        """The mean; NaN of nothing."""
        return ratio(state["total"], state["count"], fnp.nan)


@dataclass(frozen=True)
class Collection(Metric):
    """Several metrics of the same predictions and targets; states and results are dicts by name."""

    metrics: Mapping[str, Metric] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, metric in self.metrics.items():
            if not isinstance(metric, Metric):
                raise fx.ArgumentError(
                    f"Collection: metrics[{name!r}] must be a metric, such as Accuracy(); got {brief(metric)}."
                )

    def init(self) -> dict[str, Any]:
        return {name: m.init() for name, m in self.metrics.items()}

    def update(self, state: Any, *batch: Any, **options: Any) -> dict[str, Any]:
        return {name: m.update(state[name], *batch, **options) for name, m in self.metrics.items()}

    def compute(self, state: Any) -> dict[str, Any]:
        return {name: m.compute(state[name]) for name, m in self.metrics.items()}

    def merge(self, a: Any, b: Any) -> dict[str, Any]:
        return {name: m.merge(a[name], b[name]) for name, m in self.metrics.items()}


def ratio(a: Any, b: Any, otherwise: float) -> fx.Array:
    """a / b in float64, `otherwise` where b is 0."""
    a, b = (x.astype(fnp.float64) for x in (a, b))
    return fnp.where(b == 0, otherwise, a / fnp.where(b == 0, 1.0, b))
