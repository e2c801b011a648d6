"""Losses of real predictions, element by element."""

from __future__ import annotations

import math
from typing import Any

import fx
import fx.numpy as fnp
from fx.nn._inputs import in_float32

from ._reduce import counted, pair, reduced


def squared_error(
    predictions: Any, targets: Any = None, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """(predictions - targets)**2; targets of None are 0."""
    x, y = pair(predictions, targets, "squared_error")
    error = counted(x - y, where)
    return reduced(error * error, where, reduction, "squared_error")


def l2_loss(predictions: Any, targets: Any = None, *, where: Any = None, reduction: str = "none") -> fx.Array:
    """(predictions - targets)**2 / 2; targets of None are 0."""
    x, y = pair(predictions, targets, "l2_loss")
    error = counted(x - y, where)
    return reduced(0.5 * (error * error), where, reduction, "l2_loss")


def absolute_error(
    predictions: Any, targets: Any = None, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """|predictions - targets|; the derivative at 0 is 0."""
    x, y = pair(predictions, targets, "absolute_error")
    return reduced(fnp.absolute(counted(x - y, where)), where, reduction, "absolute_error")


l1 = absolute_error


def mse(predictions: Any, targets: Any = None, *, where: Any = None) -> fx.Array:
    """The mean squared error: `squared_error` with reduction "mean"."""
    return squared_error(predictions, targets, where=where, reduction="mean")


def mae(predictions: Any, targets: Any = None, *, where: Any = None) -> fx.Array:
    """The mean absolute error: `absolute_error` with reduction "mean"."""
    return absolute_error(predictions, targets, where=where, reduction="mean")


def huber(
    predictions: Any, targets: Any = None, delta: Any = 1.0, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """error**2 / 2 where |error| <= delta, and beyond its tangent, delta * (|error| - delta / 2).

    Source: Huber 1964.
    """
    x, y = pair(predictions, targets, "huber")
    error = fnp.absolute(counted(x - y, where))
    inner = fnp.where(error <= delta, error, delta)
    return reduced(0.5 * inner * inner + delta * (error - inner), where, reduction, "huber")


huber_loss = huber


def smooth_l1_loss(
    predictions: Any, targets: Any = None, beta: Any = 1.0, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """`huber` with delta = beta, divided by beta; for beta = 0 it is `absolute_error`.

    Source: Girshick 2015.
    """
    x, y = pair(predictions, targets, "smooth_l1_loss")
    error = fnp.absolute(counted(x - y, where))
    inner = fnp.where(error <= beta, error, beta)
    part = inner / fnp.where(fnp.greater(beta, 0.0), beta, 1.0)
    return reduced(0.5 * inner * part + (error - inner), where, reduction, "smooth_l1_loss")


def log_cosh(
    predictions: Any, targets: Any = None, *, where: Any = None, reduction: str = "none"
) -> fx.Array:
    """log(cosh(predictions - targets)): error**2 / 2 near 0, |error| - log(2) far away."""
    x, y = pair(predictions, targets, "log_cosh")
    return reduced(_log_cosh(counted(x - y, where)), where, reduction, "log_cosh")


@in_float32
def _log_cosh(error: Any) -> fx.Array:
    """log1p(2 sinh(error / 2)**2) near 0, where the other formula cancels."""
    size = fnp.absolute(error)
    near = size < 1.0
    half = fnp.sinh(0.5 * fnp.where(near, error, 0.0))
    far = size + (fnp.log1p(fnp.exp(-2.0 * size)) - math.log(2.0))
    return fnp.where(near, fnp.log1p(2.0 * half * half), far)


def poisson_nll_loss(
    predictions: Any,
    targets: Any,
    *,
    log_input: bool = True,
    full: bool = False,
    epsilon: Any = 1e-8,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """-log of the Poisson probability of counts, without the terms that depend on the counts alone.

    Args:
        predictions: logarithms of the expected counts, or with log_input=False the expected counts.
        targets: counts, of that shape.
        full: add Stirling's approximation of log(targets!) where targets > 1.
        epsilon: added to expected counts before their logarithm.
    """
    x, y = pair(predictions, targets, "poisson_nll_loss")
    x = counted(x, where)
    loss = _poisson(x, y) if log_input else _poisson_of_rates(x, y, epsilon)
    if full:
        loss = loss + _stirling(fnp.asarray(y, x.dtype))
    return reduced(loss, where, reduction, "poisson_nll_loss")


@in_float32
def _poisson(x: Any, y: Any) -> fx.Array:
    return fnp.exp(x) - y * x


@in_float32
def _poisson_of_rates(x: Any, y: Any, epsilon: Any) -> fx.Array:
    return x - y * fnp.log(x + epsilon)


@in_float32
def _stirling(y: Any) -> fx.Array:
    large = fnp.where(y > 1.0, y, 1.0)
    return fnp.where(y > 1.0, large * fnp.log(large) - large + 0.5 * fnp.log(2.0 * math.pi * large), 0.0)


def gaussian_nll_loss(
    predictions: Any,
    targets: Any,
    variance: Any,
    *,
    full: bool = False,
    epsilon: Any = 1e-6,
    where: Any = None,
    reduction: str = "none",
) -> fx.Array:
    """(log(variance) + (predictions - targets)**2 / variance) / 2, element by element.

    Args:
        variance: of the shape of predictions, or one that broadcasts to it, or that without its last axis. Less
            than epsilon counts as epsilon, with the derivative there; a negative variance makes the loss NaN.
        full: add the constant log(2 pi) / 2.

    Source: Nix and Weigend 1994.
    """
    x, y = pair(predictions, targets, "gaussian_nll_loss")
    error = counted(x - y, where)
    variance = _variance(variance, x.shape, where)
    loss = _gaussian(error, variance, epsilon)
    return reduced(loss + _HALF_LOG_2_PI if full else loss, where, reduction, "gaussian_nll_loss")


_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)


def _variance(variance: Any, shape: tuple[int, ...], where: Any) -> Any:
    variance = fnp.asarray(variance)
    if variance.ndim and variance.shape == shape[:-1]:
        variance = variance[..., None]
    try:
        variance = fnp.broadcast_to(variance, shape)
    except fx.ShapeError as error:
        raise fx.ShapeError(
            f"gaussian_nll_loss: variance of shape {variance.shape} does not broadcast to predictions of shape "
            f"{shape}."
        ) from error
    return variance if where is None else fnp.where(where, variance, 1.0)


@in_float32
def _gaussian(error: Any, variance: Any, epsilon: Any) -> fx.Array:
    lifted = variance + fx.stop_gradient(fnp.maximum(variance, epsilon) - variance)
    loss = 0.5 * (fnp.log(lifted) + error * error / lifted)
    return fnp.where(variance < 0.0, float("nan"), loss)
