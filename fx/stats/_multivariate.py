"""Distributions of vectors: multivariate_normal, dirichlet, multinomial."""

from __future__ import annotations

import math
from typing import Any

import fx.numpy as fnp

from ..core import errors
from ..lax.linalg import cholesky, triangular_solve
from ..special import gammaln, xlogy
from ._base import INF, floating


class MultivariateNormal:
    """Vectors (..., n) of mean `mean` (..., n) and covariance `cov` (..., n, n)."""

    def logpdf(self, x: Any, mean: Any, cov: Any, allow_singular: None = None) -> Any:
        """Logarithm of the density at x: (...,), the batch axes of all three broadcast.

        A mean of shape () belongs to numbers x, with a variance `cov` of shape (). LinAlgError where cov is not
        positive definite.
        """
        if allow_singular is not None:
            raise errors.ArgumentError(
                "multivariate_normal.logpdf: allow_singular is not available; leave it out."
            )
        x, mean, cov = floating("multivariate_normal.logpdf", x, mean, cov)
        if mean.ndim == 0:
            return -0.5 * (fnp.square(x - mean) / cov + math.log(2 * math.pi) + fnp.log(cov))
        n = mean.shape[-1]
        if x.shape[-1:] != (n,) or cov.shape[-2:] != (n, n):
            raise errors.ShapeError(
                errors.lines(
                    f"multivariate_normal.logpdf: x is {x.aval}, mean is {mean.aval}, cov is {cov.aval}.",
                    "x and mean must have shape (..., n), cov (..., n, n).",
                )
            )
        return self._logpdf(x - mean, cov, n)

    def _logpdf(self, apart: Any, cov: Any, n: int) -> Any:
        factor = cholesky(cov)
        batch = fnp.broadcast_shapes(apart.shape[:-1], cov.shape[:-2])
        columns = fnp.broadcast_to(apart, (*batch, n))[..., None]
        white = triangular_solve(
            fnp.broadcast_to(factor, (*batch, n, n)), columns, left_side=True, lower=True
        )[..., 0]
        half_log_det = fnp.sum(fnp.log(fnp.diagonal(factor, axis1=-2, axis2=-1)), axis=-1)
        return -0.5 * fnp.sum(fnp.square(white), axis=-1) - 0.5 * n * math.log(2 * math.pi) - half_log_det

    def pdf(self, x: Any, mean: Any, cov: Any) -> Any:
        """Density at x; see `logpdf`."""
        return fnp.exp(self.logpdf(x, mean, cov))

    def entropy(self, mean: Any, cov: Any) -> Any:
        """Differential entropy, in nats."""
        _, cov = floating("multivariate_normal.entropy", mean, cov)
        if cov.ndim == 0:
            return 0.5 * (1 + math.log(2 * math.pi) + fnp.log(cov))
        half_log_det = fnp.sum(fnp.log(fnp.diagonal(cholesky(cov), axis1=-2, axis2=-1)), axis=-1)
        return 0.5 * cov.shape[-1] * (1 + math.log(2 * math.pi)) + half_log_det

    def __repr__(self) -> str:
        return "fx.stats.multivariate_normal"


class Dirichlet:
    """Points of the simplex, of density proportional to the product of x_i**(alpha_i - 1)."""

    def logpdf(self, x: Any, alpha: Any) -> Any:
        """Logarithm of the density; -inf where x is no point of the simplex.

        Args:
            x: (k, ...): coordinates along the first axis, or all but the last of them (k - 1, ...).
            alpha: (k,), positive.
        """
        x, alpha = floating("dirichlet.logpdf", x, alpha)
        if alpha.ndim != 1 or x.ndim == 0 or x.shape[0] not in (alpha.shape[0], alpha.shape[0] - 1):
            raise errors.ShapeError(
                errors.lines(
                    f"dirichlet.logpdf: x is {x.aval}, alpha is {alpha.aval}.",
                    "alpha must have shape (k,), and x (k, ...) or (k - 1, ...).",
                )
            )
        if x.shape[0] != alpha.shape[0]:
            x = fnp.concatenate([x, 1 - fnp.sum(x, axis=0, keepdims=True)], axis=0)
        off = abs(fnp.sum(x, axis=0) - 1) > 10 * x.shape[0] * fnp.finfo(x.dtype).eps
        outside = fnp.any((x < 0) | (x > 1), axis=0) | off
        a = alpha.reshape((-1, *[1] * (x.ndim - 1)))
        logs = fnp.sum(xlogy(a - 1, fnp.where(outside, 0.5, x)), axis=0)
        norm = fnp.sum(gammaln(alpha)) - gammaln(fnp.sum(alpha))
        return fnp.where(fnp.all(alpha > 0), fnp.where(outside, -INF, logs - norm), math.nan)

    def pdf(self, x: Any, alpha: Any) -> Any:
        """Density at x; see `logpdf`."""
        return fnp.exp(self.logpdf(x, alpha))

    def __repr__(self) -> str:
        return "fx.stats.dirichlet"


class Multinomial:
    """Counts of outcomes in n trials, of probabilities p."""

    def logpmf(self, x: Any, n: Any, p: Any) -> Any:
        """Logarithm of the probability of counts x; -inf where these are not whole numbers that add up to n.

        Args:
            x, p: (..., k); n: (...). All broadcast.
        """
        x, n, p = floating("multinomial.logpmf", x, n, p)
        if x.ndim == 0 or p.ndim == 0:
            raise errors.ShapeError(
                f"multinomial.logpmf: x and p need an axis of outcomes; got {x.aval} and {p.aval}."
            )
        fits = (fnp.sum(x, axis=-1) == n) & fnp.all((x >= 0) & (fnp.floor(x) == x), axis=-1)
        safe = fnp.where(fits[..., None], x, 0.0)
        logs = gammaln(n + 1) + fnp.sum(xlogy(safe, p) - gammaln(safe + 1), axis=-1)
        return fnp.where(fits, logs, -INF)

    def pmf(self, x: Any, n: Any, p: Any) -> Any:
        """Probability of counts x; see `logpmf`."""
        return fnp.exp(self.logpmf(x, n, p))

    def __repr__(self) -> str:
        return "fx.stats.multinomial"


multivariate_normal = MultivariateNormal()
dirichlet = Dirichlet()
multinomial = Multinomial()
