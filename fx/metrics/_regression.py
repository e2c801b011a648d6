"""Real numbers predicted and true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fx
import fx.numpy as fnp

from ._metric import Metric, ratio


def _pair(predictions: Any, targets: Any, name: str) -> tuple[fx.Array, fx.Array]:
    predictions, targets = fnp.asarray(predictions), fnp.asarray(targets)
    if predictions.shape != targets.shape or "c" in (predictions.dtype.kind, targets.dtype.kind):
        raise fx.ShapeError(
            f"{name} takes real predictions and targets of one shape; got {predictions.dtype}"
            f"{list(predictions.shape)} and {targets.dtype}{list(targets.shape)}."
        )
    return predictions.astype(fnp.float64), targets.astype(fnp.float64)


@dataclass(frozen=True)
class _MeanError(Metric):
    def init(self) -> dict[str, fx.Array]:
        return {"total": fnp.zeros((), fnp.float64), "count": fnp.zeros((), int)}

    def update(self, state: Any, predictions: Any, targets: Any, where: Any = None) -> Any:
        """predictions, targets: real, of one shape; where: booleans that broadcast to it."""
        predictions, targets = _pair(predictions, targets, type(self).__name__)
        where = fnp.ones(targets.shape, bool) if where is None else fnp.broadcast_to(where, targets.shape)
        errors = fnp.where(where, self.error(fnp.where(where, predictions - targets, 0.0)), 0.0)
        return {"total": state["total"] + errors.sum(), "count": state["count"] + where.sum()}

    def error(self, difference: fx.Array) -> fx.Array:
        raise NotImplementedError

    def compute(self, state: Any) -> fx.Array:
        """The mean over all elements; NaN of nothing."""
        return ratio(state["total"], state["count"], fnp.nan)


@dataclass(frozen=True)
class MeanAbsoluteError(_MeanError):
    """The mean of |prediction - target|."""

    def error(self, difference: fx.Array) -> fx.Array:
        return fnp.absolute(difference)


@dataclass(frozen=True)
class MeanSquaredError(_MeanError):
    """The mean of (prediction - target)**2, or its square root."""

    root: bool = False

    def error(self, difference: fx.Array) -> fx.Array:
        return difference * difference

    def compute(self, state: Any) -> fx.Array:
        """The mean over all elements; NaN of nothing."""
        mean = super().compute(state)
        return fnp.sqrt(mean) if self.root else mean


@dataclass(frozen=True)
class R2(Metric):
    """1 - (sum of squared errors) / (sum of squared deviations of targets from their mean), of each output.

    Means and deviations of parts are joined without cancellation: Chan, Golub, LeVeque 1983.

    Args:
        outputs: how many numbers an example has along the last axis; None for targets of one number each.
    """

    outputs: int | None = None

    def init(self) -> dict[str, fx.Array]:
        shape = () if self.outputs is None else (self.outputs,)
        zero = fnp.zeros(shape, fnp.float64)
        return {"count": fnp.zeros((), fnp.float64), "mean": zero, "deviation": zero, "error": zero}

    def update(self, state: Any, predictions: Any, targets: Any) -> Any:
        """predictions, targets: (...) or (..., outputs)."""
        predictions, targets = _pair(predictions, targets, "R2")
        if self.outputs is not None and targets.shape[-1:] != (self.outputs,):
            raise fx.ShapeError(
                f"{self} takes targets (..., {self.outputs}); they have shape {targets.shape}."
            )
        shape = (-1,) if self.outputs is None else (-1, self.outputs)
        predictions, targets = predictions.reshape(shape), targets.reshape(shape)
        n = targets.shape[0]
        if n == 0:
            return state
        mean = targets.mean(0)
        own = {
            "count": fnp.asarray(n, dtype=fnp.float64),
            "mean": mean,
            "deviation": ((targets - mean) ** 2).sum(0),
            "error": ((predictions - targets) ** 2).sum(0),
        }
        return self.merge(state, own)

    def merge(self, a: Any, b: Any) -> Any:
        count = a["count"] + b["count"]
        part = ratio(b["count"], count, 0.0)
        shift = b["mean"] - a["mean"]
        return {
            "count": count,
            "mean": a["mean"] + shift * part,
            "deviation": a["deviation"] + b["deviation"] + shift * shift * a["count"] * part,
            "error": a["error"] + b["error"],
        }

    def compute(self, state: Any) -> fx.Array:
        """The mean over outputs; an output whose targets are all equal counts 1 if predicted exactly, else 0."""
        exact = (state["error"] == 0).astype(fnp.float64)
        constant = state["deviation"] == 0
        scores = fnp.where(constant, exact, 1 - ratio(state["error"], state["deviation"], 0.0))
        return fnp.where(state["count"] < 2, fnp.nan, scores.mean())


def mae(predictions: Any, targets: Any, *, where: Any = None) -> fx.Array:
    """The mean of |prediction - target|."""
    return MeanAbsoluteError().of(predictions, targets, where)


def mse(predictions: Any, targets: Any, *, where: Any = None) -> fx.Array:
    """The mean of (prediction - target)**2."""
    return MeanSquaredError().of(predictions, targets, where)


def rmse(predictions: Any, targets: Any, *, where: Any = None) -> fx.Array:
    """The root of the mean of (prediction - target)**2."""
    return MeanSquaredError(root=True).of(predictions, targets, where)


def r2(predictions: Any, targets: Any) -> fx.Array:
    """The coefficient of determination; of targets (n, outputs) the mean over outputs.

    >>> float(r2([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0])) > 0.94
    True
    """
    targets = fnp.asarray(targets)
    return R2(targets.shape[-1] if targets.ndim > 1 else None).of(predictions, targets)
