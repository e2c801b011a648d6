"""Density estimation by Gaussian kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import fx.numpy as fnp

from ..core import errors, static
from ..core.errors import lines
from ..core.tree_registry import register_node
from ..lax.linalg import cholesky, triangular_solve
from ..primitives.promotion import as_operand
from ..primitives.random import child_keys, random_unit
from ..primitives.random_math import xla_erf_inv
from ..special import logsumexp, ndtr
from ._base import floating


class gaussian_kde:
    """A density made of a normal one around every point of a data set; a pytree.

    Args:
        dataset: (n,), or (d, n): n points in d dimensions, more than one.
        bw_method: the width of the kernels in units of the data's deviation: "scott" (n**(-1 / (d + 4)), also for
            None), "silverman" ((n (d + 2) / 4)**(-1 / (d + 4))), a number, or a function of the estimate; with
            weights, n is `neff`, their effective number.
        weights: (n,), not negative; divided by their sum.

    Source: Scott, "Multivariate Density Estimation" (1992).

    >>> import fx
    >>> kde = fx.stats.gaussian_kde(fx.numpy.array([0.0, 1.0, 3.0]))
    >>> kde.evaluate(0.5).shape
    (1,)
    """

    neff: Any
    dataset: Any
    weights: Any
    covariance: Any
    inv_cov: Any

    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None):
        values = floating("gaussian_kde", dataset, *([] if weights is None else [weights]))
        self.dataset = fnp.atleast_2d(values[0])
        if self.dataset.ndim != 2 or self.dataset.size < 2:
            raise errors.ShapeError(
                f"gaussian_kde: the data must be (n,) or (d, n), n > 1; got {self.dataset.aval}."
            )
        self.weights = self._weights(
            values[1] if weights is not None else fnp.ones(self.n, self.dataset.dtype)
        )
        self.neff = 1 / fnp.sum(fnp.square(self.weights))
        factor = self._factor(bw_method)
        spread = fnp.atleast_2d(fnp.cov(self.dataset, bias=False, aweights=self.weights))
        self.covariance = spread * fnp.square(factor)
        self.inv_cov = fnp.linalg.inv(spread) / fnp.square(factor)

    def _weights(self, weights: Any) -> Any:
        if weights.shape != (self.n,):
            raise errors.ShapeError(f"gaussian_kde: weights are {weights.aval}; there are {self.n} points.")
        return weights / fnp.sum(weights)

    def _factor(self, bw_method: Any) -> Any:
        power = -1 / (self.d + 4)
        if bw_method is None or (isinstance(bw_method, str) and bw_method == "scott"):
            return self.neff**power
        if isinstance(bw_method, str) and bw_method == "silverman":
            return (self.neff * (self.d + 2) / 4) ** power
        if callable(bw_method):
            return fnp.asarray(bw_method(self), self.dataset.dtype)
        if isinstance(bw_method, str) or np.ndim(bw_method):
            raise errors.ArgumentError(
                f"gaussian_kde: bw_method={errors.brief(bw_method)}; 'scott', 'silverman', a number or a function."
            )
        return fnp.asarray(bw_method, self.dataset.dtype)

    @property
    def d(self) -> int:
        """Dimensions."""
        return int(self.dataset.shape[0])

    @property
    def n(self) -> int:
        """Points."""
        return int(self.dataset.shape[1])

    def evaluate(self, points: Any) -> Any:
        """The density at points (d, m), or (m,) in one dimension: (m,)."""
        return fnp.exp(self.logpdf(points))

    __call__ = pdf = evaluate

    def logpdf(self, x: Any) -> Any:
        """Logarithm of the density at points: (m,)."""
        x, dataset, weights, covariance = floating(
            "gaussian_kde", x, self.dataset, self.weights, self.covariance
        )
        factor = cholesky(covariance)
        white = [_solved(factor, p) for p in (self._points(x), dataset)]
        squares = fnp.sum(fnp.square(white[0][:, :, None] - white[1][:, None, :]), axis=0)
        log_norm = 0.5 * self.d * math.log(2 * math.pi) + fnp.sum(fnp.log(fnp.diagonal(factor)))
        return logsumexp(-0.5 * squares, b=weights, axis=1) - log_norm

    def _points(self, x: Any) -> Any:
        x = fnp.atleast_2d(x)
        if x.ndim == 2 and x.shape[0] == self.d:
            return x
        if x.shape == (1, self.d):
            return x.reshape((self.d, 1))
        raise errors.ShapeError(
            f"gaussian_kde: points must be ({self.d}, m) for data {self.dataset.aval}; they are {x.aval}."
        )

    def integrate_gaussian(self, mean: Any, cov: Any) -> Any:
        """The integral of the density times a normal one of the given mean (d,) and covariance (d, d)."""
        mean, cov = fnp.atleast_1d(fnp.squeeze(fnp.asarray(mean))), fnp.atleast_2d(fnp.asarray(cov))
        if mean.shape != (self.d,) or cov.shape != (self.d, self.d):
            raise errors.ShapeError(
                f"integrate_gaussian: mean is {mean.aval}, cov is {cov.aval}; the data have {self.d} dimension(s)."
            )
        return fnp.sum(self._overlap(self.covariance + cov, mean[:, None], fnp.ones(1, self.dataset.dtype)))

    def integrate_box_1d(self, low: Any, high: Any) -> Any:
        """The probability between two numbers; of data in one dimension."""
        if self.d != 1 or np.ndim(low) or np.ndim(high):
            raise errors.ShapeError(
                f"integrate_box_1d takes two numbers, of data in one dimension; the data are {self.dataset.aval}."
            )
        sigma = fnp.sqrt(self.covariance[0, 0])
        low, high = [(x - self.dataset[0]) / sigma for x in (low, high)]
        return fnp.sum(self.weights * (ndtr(high) - ndtr(low)))

    def integrate_kde(self, other: gaussian_kde) -> Any:
        """The integral of the product of two densities in as many dimensions."""
        if not isinstance(other, gaussian_kde):
            raise errors.ArgumentError(
                f"integrate_kde takes another gaussian_kde; got {errors.brief(other)}."
            )
        if other.d != self.d:
            raise errors.ShapeError(f"integrate_kde: one has {self.d} dimension(s), the other {other.d}.")
        return fnp.sum(self._overlap(self.covariance + other.covariance, other.dataset, other.weights))

    def _overlap(self, cov: Any, means: Any, weights: Any) -> Any:
        """Normal densities of covariance cov between all points and means (d, m), weighted: (n, m)."""
        factor = cholesky(cov)
        white = [_solved(factor, p) for p in (self.dataset, means)]
        squares = fnp.sum(fnp.square(white[0][:, :, None] - white[1][:, None, :]), axis=0)
        norm = (2 * math.pi) ** (self.d / 2) * fnp.prod(fnp.diagonal(factor))
        return fnp.exp(-0.5 * squares) * self.weights[:, None] * weights / norm

    def resample(self, key: Any, shape: Any = ()) -> Any:
        """Draws from the density: (d, *shape).

        Args:
            key: uint32 (2,), see `fx.random.key`.
            shape: a size or sizes.
        """
        shape = static.integers(shape, "resample: a size in shape")
        pair = child_keys(as_operand(key), np.uint32(0), shape=(2,))
        steps = fnp.cumsum(self.weights)
        u = 1 - random_unit(pair[0], shape=shape, dtype=self.dataset.dtype)
        chosen = fnp.clip(fnp.searchsorted(steps, steps[-1] * u), 0, self.n - 1)
        v = random_unit(pair[1], shape=(*shape, self.d), dtype=self.dataset.dtype)
        normal = math.sqrt(2) * xla_erf_inv(fnp.clip(2 * v - 1, -1 + fnp.finfo(v.dtype).epsneg, 1))
        noise = (
            fnp.moveaxis(normal @ cholesky(self.covariance).T, -1, 0)
            if shape
            else cholesky(self.covariance) @ normal
        )
        return self.dataset[:, chosen] + noise

    def integrate_box(self, low_bounds: Any, high_bounds: Any, maxpts: Any = None) -> Any:
        """Not available: see `integrate_box_1d`."""
        raise errors.ArgumentError(
            lines("integrate_box is not available.", "In one dimension: integrate_box_1d.")
        )

    def set_bandwidth(self, bw_method: Any = None) -> None:
        """Not available: make another estimate."""
        raise errors.ArgumentError(
            lines("The bandwidth of an estimate is fixed.", "Make another: gaussian_kde(dataset, bw_method).")
        )


def _solved(factor: Any, points: Any) -> Any:
    return triangular_solve(factor, points, left_side=True, lower=True)


_LEAVES = ("neff", "dataset", "weights", "covariance", "inv_cov")


def _unflatten(aux: Any, leaves: Any) -> gaussian_kde:
    kde = object.__new__(gaussian_kde)
    for name, leaf in zip(_LEAVES, leaves, strict=True):
        setattr(kde, name, leaf)
    return kde


register_node(gaussian_kde, lambda kde: (tuple(getattr(kde, n) for n in _LEAVES), None), _unflatten)
