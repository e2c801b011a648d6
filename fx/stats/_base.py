"""What distributions share: arguments, location and scale, the edges of the support, and what follows from what.

A distribution writes its formulas for location 0 and scale 1, where they hold; the classes here put in what lies
outside. There, formulas get a point inside instead, so that derivatives are finite where the function is.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, ClassVar

import fx.numpy as fnp

from ..core import dtypes, errors
from ..lax import stop_gradient
from ..primitives.promotion import promote
from ..special import ndtri
from ._quantiles import least_whole

INF = math.inf

_TEXTS = {
    "logpdf": "Logarithm of the density at x.",
    "pdf": "Density at x.",
    "logpmf": "Logarithm of the probability of k; -inf where k is no whole number or outside of the support.",
    "pmf": "Probability of k; 0 where k is no whole number or outside of the support.",
    "cdf": "Probability of values up to {x}.",
    "logcdf": "Logarithm of `cdf`, also where that underflows.",
    "sf": "Probability of values above {x}: 1 - cdf, without the loss of small ones.",
    "logsf": "Logarithm of `sf`, also where that underflows.",
    "ppf": "The value up to which the probability is q: the inverse of `cdf`.",
    "isf": "The value above which the probability is q: the inverse of `sf`.",
    "entropy": "Differential entropy, in nats.",
}


class Distribution:
    """A namespace of functions, each with SciPy's signature: (x, *shapes, loc=0, scale=1)."""

    name = ""
    shapes: ClassVar[tuple[str, ...]] = ()
    variable = "x"
    scaled = True
    functions: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        for function in self.functions:
            setattr(self, function, self._public(function))

    def __repr__(self) -> str:
        return f"fx.stats.{self.name}"

    def _public(self, function: str) -> Callable[..., Any]:
        """The function of all arguments; it computes `self.at_<function>(x, shapes, scale)`."""
        first = {"ppf": ["q"], "isf": ["q"], "entropy": []}.get(function, [self.variable])
        signature = _signature([*first, *self.shapes], ("loc", "scale") if self.scaled else ("loc",))
        compute = getattr(self, f"at_{function}")

        def call(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return compute(*self._read(function, list(bound.arguments.values()), len(first)))

        call.__name__, call.__qualname__, call.__module__ = function, f"{self.name}.{function}", "fx.stats"
        call.__doc__ = _TEXTS[function].format(x=self.variable)
        call.__signature__ = signature  # type: ignore[attr-defined]
        return call

    def _read(self, function: str, values: list[Any], first: int) -> tuple[Any, ...]:
        """(x, shapes, loc, scale) as arrays of one floating dtype that broadcast."""
        arrays = floating(f"{self.name}.{function}", *values, *([] if self.scaled else [1.0]))
        x = arrays[0] if first else None
        return x, arrays[first:-2], arrays[-2], arrays[-1]

    def valid(self, *shapes: Any) -> Any:
        """Where the shape parameters are in their domain."""
        return True

    def support(self, *shapes: Any) -> tuple[Any, Any]:
        """The least and the largest value, of location 0 and scale 1."""
        return -INF, INF

    def inner(self, *shapes: Any) -> Any:
        """A point inside of the support."""
        return 0.5


class Continuous(Distribution):
    """Densities. A subclass has `_logpdf`, `_cdf` and, unless these follow, the others; in z = (x - loc) / scale."""

    functions = ("logpdf", "pdf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf", "entropy")
    symmetric = False

    # The formulas that follow from others; a subclass replaces those that lose digits

    def _logpdf(self, z: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _cdf(self, z: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _ppf(self, q: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _entropy(self, *shapes: Any) -> Any:
        raise NotImplementedError

    def _pdf(self, z: Any, *shapes: Any) -> Any:
        return fnp.exp(self._logpdf(z, *shapes))

    def _sf(self, z: Any, *shapes: Any) -> Any:
        return self._cdf(-z, *shapes) if self.symmetric else 1 - self._cdf(z, *shapes)

    def _logcdf(self, z: Any, *shapes: Any) -> Any:
        return log_of(self._cdf(z, *shapes), self._sf(z, *shapes))

    def _logsf(self, z: Any, *shapes: Any) -> Any:
        if self.symmetric:
            return self._logcdf(-z, *shapes)
        return log_of(self._sf(z, *shapes), self._cdf(z, *shapes))

    def _isf(self, q: Any, *shapes: Any) -> Any:
        return -self._ppf(q, *shapes) if self.symmetric else self._ppf(1 - q, *shapes)

    # With location and scale, and beyond the support

    def at_logpdf(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        density = lambda z: self._logpdf(z, *shapes) - fnp.log(scale)
        return self._inside(density, x, shapes, loc, scale, -INF)

    def at_pdf(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._inside(lambda z: self._pdf(z, *shapes) / scale, x, shapes, loc, scale, 0.0)

    def at_cdf(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._between(self._cdf, x, shapes, loc, scale, 0.0, 1.0)

    def at_logcdf(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._between(self._logcdf, x, shapes, loc, scale, -INF, 0.0)

    def at_sf(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._between(self._sf, x, shapes, loc, scale, 1.0, 0.0)

    def at_logsf(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._between(self._logsf, x, shapes, loc, scale, 0.0, -INF)

    def at_ppf(self, q: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        low, high = self.support(*shapes)
        return self._quantile(self._ppf, q, shapes, loc, scale, low, high)

    def at_isf(self, q: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        low, high = self.support(*shapes)
        return self._quantile(self._isf, q, shapes, loc, scale, high, low)

    def at_entropy(self, x: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._checked(self._entropy(*shapes) + fnp.log(scale) + 0 * loc, shapes, scale)

    def _inside(self, density: Any, x: Any, shapes: Any, loc: Any, scale: Any, beyond: float) -> Any:
        z = (x - loc) / scale
        low, high = self.support(*shapes)
        out = (z < low) | (z > high) | fnp.isinf(z)
        return self._checked(
            fnp.where(out, beyond, density(fnp.where(out, self.inner(*shapes), z))), shapes, scale
        )

    def _between(
        self, function: Any, x: Any, shapes: Any, loc: Any, scale: Any, below: float, above: float
    ) -> Any:
        z = (x - loc) / scale
        low, high = self.support(*shapes)
        under, over = z <= low, z >= high
        inside = function(fnp.where(under | over, self.inner(*shapes), z), *shapes)
        return self._checked(fnp.where(under, below, fnp.where(over, above, inside)), shapes, scale)

    def _quantile(
        self, function: Any, q: Any, shapes: Any, loc: Any, scale: Any, first: Any, last: Any
    ) -> Any:
        between = (q > 0) & (q < 1)
        z = function(fnp.where(between, q, 0.5), *shapes)
        ends = fnp.where(q == 0, first, fnp.where(q == 1, last, math.nan * q))
        return self._checked(fnp.where(between, z, ends) * scale + loc, shapes, scale)

    def _checked(self, result: Any, shapes: Any, scale: Any) -> Any:
        return fnp.where((scale > 0) & self.valid(*shapes), result, math.nan)


class Discrete(Distribution):
    """Probabilities of whole numbers. A subclass has `_logpmf`, and `_cdf`, `_moments` if it has all functions."""

    functions = ("logpmf", "pmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")
    variable = "k"
    scaled = False

    def _logpmf(self, k: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _cdf(self, k: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _sf(self, k: Any, *shapes: Any) -> Any:
        return 1 - self._cdf(k, *shapes)

    def _logcdf(self, k: Any, *shapes: Any) -> Any:
        return log_of(self._cdf(k, *shapes), self._sf(k, *shapes))

    def _logsf(self, k: Any, *shapes: Any) -> Any:
        return log_of(self._sf(k, *shapes), self._cdf(k, *shapes))

    def _moments(self, *shapes: Any) -> tuple[Any, Any, Any]:
        """Mean, standard deviation and skewness, from which quantiles are searched."""
        raise NotImplementedError

    def _ppf(self, q: Any, *shapes: Any) -> Any:
        enough = q - _slack(q)
        return self._search(lambda k: ~(self._cdf(k, *shapes) < enough), ndtri(q), q, *shapes)

    def _isf(self, q: Any, *shapes: Any) -> Any:
        enough = q + _slack(q)
        return self._search(lambda k: ~(self._sf(k, *shapes) > enough), -ndtri(q), q, *shapes)

    def _search(self, reached: Any, z: Any, q: Any, *shapes: Any) -> Any:
        """From the quantile of a normal variable of the same moments (Cornish and Fisher, 1938)."""
        mean, deviation, skewness = self._moments(*shapes)
        start = mean + deviation * (z + skewness * (z * z - 1) / 6)
        low, high = [fnp.broadcast_to(x, start.shape) for x in self.support(*shapes)]
        return least_whole(reached, start, low + 0 * q, high + 0 * q)

    def inner(self, *shapes: Any) -> Any:
        return self.support(*shapes)[0]

    def at_logpmf(self, k: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        k = k - loc
        low, high = self.support(*shapes)
        out = (k < low) | (k > high) | (fnp.floor(k) < k) | fnp.isinf(k)
        value = self._logpmf(fnp.where(out, self.inner(*shapes), k), *shapes)
        return self._checked(fnp.where(out, -INF, value), shapes)

    def at_pmf(self, k: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return fnp.exp(self.at_logpmf(k, shapes, loc, scale))

    def at_cdf(self, k: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._steps(self._cdf, k, shapes, loc, 0.0, 1.0)

    def at_sf(self, k: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._steps(self._sf, k, shapes, loc, 1.0, 0.0)

    def at_logcdf(self, k: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._steps(self._logcdf, k, shapes, loc, -INF, 0.0)

    def at_logsf(self, k: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._steps(self._logsf, k, shapes, loc, 0.0, -INF)

    def at_ppf(self, q: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._quantile(self._ppf, q, shapes, loc, 0)

    def at_isf(self, q: Any, shapes: Any, loc: Any, scale: Any) -> Any:
        return self._quantile(self._isf, q, shapes, loc, 1)

    def _quantile(self, function: Any, q: Any, shapes: Any, loc: Any, none: int) -> Any:
        """Whole numbers, and the ends at 0 and 1: below all numbers at q = none. Derivatives, but by loc, are 0."""
        low, high = self.support(*shapes)
        between = (q > 0) & (q < 1)
        inside = fnp.broadcast_arrays(fnp.where(between, q, 0.5), *shapes)
        k = function(*[stop_gradient(x) for x in inside])
        ends = fnp.where(q == none, low - 1.0, fnp.where(q == 1 - none, high, math.nan))
        return self._checked(fnp.where(between, k, ends) + loc, shapes)

    def _steps(self, function: Any, k: Any, shapes: Any, loc: Any, below: float, above: float) -> Any:
        k = fnp.floor(k - loc)
        low, high = self.support(*shapes)
        under, over = k < low, k >= high
        inside = function(fnp.where(under | over, self.inner(*shapes), k), *shapes)
        return self._checked(fnp.where(under, below, fnp.where(over, above, inside)), shapes)

    def _checked(self, result: Any, shapes: Any) -> Any:
        return fnp.where(self.valid(*shapes), result, math.nan)


def _slack(q: Any) -> Any:
    """How far a probability of whole numbers may be from what it should be, by rounding."""
    return fnp.finfo(q.dtype).eps * q * (4 + 16 * (1 - q))


def floating(name: str, *values: Any) -> list[Any]:
    """Arrays of the one floating dtype that all values have together."""
    arrays = [fnp.asarray(x) for x in promote(*values, inexact=True)]
    if dtypes.is_complex(arrays[0].dtype):
        raise errors.DTypeError(f"{name} takes real numbers; got {', '.join(str(x.aval) for x in arrays)}.")
    return arrays


def log(p: Any) -> Any:
    """Logarithm of a probability; the derivative at 0 is 0, not infinite."""
    return fnp.where(p <= 0, -INF, fnp.log(fnp.where(p <= 0, 1.0, p)))


def log_power(x: Any, z: Any, log: Callable[[Any, Any], Any]) -> Any:
    """`xlogy` or `xlog1py` of z next to the edge of the support; derivatives at 0 log(0) are 0."""
    flat = (x == 0) & fnp.isinf(log(fnp.ones_like(x), z))
    return fnp.where(flat, 0.0, log(x, fnp.where(flat, 0.5, z)))


def log_of(p: Any, rest: Any) -> Any:
    """Logarithm of a probability, of which 1 - p is known too."""
    near_one = rest < 0.5
    return fnp.where(near_one, fnp.log1p(-fnp.where(near_one, rest, 0.5)), log(fnp.where(near_one, 0.5, p)))


def log1mexp(x: Any) -> Any:
    """log(1 - exp(-x)) for x > 0; infinite x gives 0."""
    small = x < math.log(2)
    near = log(-fnp.expm1(-fnp.where(small, x, 1.0)))
    return fnp.where(small, near, fnp.log1p(-fnp.exp(-fnp.where(small, 1.0, x))))


def log1p_square(z: Any) -> Any:
    """log(1 + z**2), also where the square overflows."""
    far = abs(z) > 1e9
    near = fnp.log1p(fnp.square(fnp.where(far, 0.0, z)))
    return fnp.where(far, 2 * fnp.log(abs(fnp.where(far, z, 1.0))), near)


def _signature(names: list[str], more: tuple[str, ...]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    required = [inspect.Parameter(n, kind, annotation=Any) for n in names]
    defaults = {"loc": 0, "scale": 1}
    optional = [inspect.Parameter(n, kind, default=defaults[n], annotation=Any) for n in more]
    return inspect.Signature([*required, *optional], return_annotation=Any)
