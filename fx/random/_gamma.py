"""The gamma distribution and those made of it: beta, dirichlet, chisquare, f, t, generalized_normal, ball.

The formulas, their order and their functions are JAX's (`jax/_src/random/core.py`). Draws have derivatives by their
parameters: how a draw moves when the distribution function keeps its value there. Source: Figurnov, Mohamed and Mnih,
"Implicit Reparameterization Gradients" (NeurIPS 2018). float16 and bfloat16 are drawn in float32 and rounded once.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.trace import current_trace
from ..core.transforms.custom_jvp import custom_jvp
from ..primitives.elementwise import abs_, add, div, exp, lt, maximum, mul, neg, power, select, sqrt, sub
from ..primitives.families import expand
from ..primitives.promotion import as_operand, is_scalar
from ..primitives.random import child_keys, random_unit
from ..primitives.random_gamma import random_gamma
from ..primitives.random_math import xla_log1p
from ..primitives.reductions import reduce_max, reduce_sum
from ..primitives.shape import reshape
from ..primitives.special import digamma
from ..primitives.special_incomplete import igamma_ratio
from ._arguments import (
    describe,
    float_dtype,
    float_facts,
    in_dtype,
    parameter,
    refuse_outside,
    result_shape,
    static_int,
    static_shape,
)
from ._continuous import in_double, maxwell_draws, normal_draws, two_keys
from ._discrete import signs
from ._keys import key_words


def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Gamma draws of shape parameter `a` and scale 1, of density x**(a - 1) exp(-x) / gamma(a).

    Args:
        a: not negative (where it is, draws are nan); broadcasts to `shape`. Gradients flow to it.

    >>> import fx
    >>> fx.random.gamma(fx.random.key(0), 2.0, (3,)).shape
    (3,)
    """
    return _gamma("gamma", key, a, shape, dtype, log_space=False)


def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Logarithms of the draws of `gamma`: exact also where these are too small for their dtype, for small `a`."""
    return _gamma("loggamma", key, a, shape, dtype, log_space=True)


def _gamma(name: str, key: Any, a: Any, shape: Any, dtype: Any, log_space: bool) -> Any:
    words = key_words(name, key)
    dtype = float_dtype(name, dtype)
    a = parameter(name, "a", a, dtype)
    shape = result_shape(name, shape, a=a)
    refuse_outside(name, "a", a, lambda v: v < 0, "must not be negative")
    return gamma_draws(words, a, shape, log_space)


def gamma_draws(words: Any, a: Any, shape: tuple[int, ...], log_space: bool) -> Any:
    """Draws in the dtype of `a`, every element under a child of the key."""
    sample = _of_keys if current_trace() is None else _sample
    return sample(log_space, child_keys(words, np.uint32(0), shape=shape), expand(a, shape))


def _of_keys(log_space: bool, keys: Any, a: Any) -> Any:
    return random_gamma(keys, a, dtype=a.dtype, log_space=log_space)


_sample = custom_jvp(_of_keys, static_argnums=(0,))


@_sample.defjvp
def _sample_jvp(log_space: bool, primals: Any, tangents: Any) -> Any:
    out = _sample(log_space, *primals)
    return out, tangents[1] * (_log_slope if log_space else _slope)(primals[1], out)


def _slope(a: Any, x: Any) -> Any:
    """The derivative by a of a draw x that keeps its value of the distribution function."""
    return neg(igamma_ratio(a, x, n=1))


def _log_slope(a: Any, logs: Any) -> Any:
    """The derivative of log x by a; where x is next to 0, P(a, x) is x**a / gamma(a + 1)."""
    least = math.log(float_facts(a.dtype).eps) - 2
    tiny = lt(logs, a.dtype.type(least))
    x = exp(select(tiny, a.dtype.type(0), logs))
    at_zero = div(sub(digamma(add(a, a.dtype.type(1))), logs), a)
    return select(tiny, at_zero, div(_slope(a, x), x))


def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Beta draws on [0, 1], of density proportional to x**(a - 1) (1 - x)**(b - 1).

    Args:
        a, b: positive; broadcast to `shape`. Gradients flow to both.
    """
    words, dtype, (a, b), shape = _read("beta", key, shape, dtype, a=a, b=b)
    logs = [gamma_draws(w, x, shape, True) for w, x in zip(two_keys(words), (a, b), strict=True)]
    most = maximum(*logs)
    first, second = [in_double(exp, sub(x, most)) for x in logs]
    return in_dtype(div(first, add(first, second)), dtype)


def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Points of the simplex: vectors of positive numbers that add up to 1.

    Args:
        alpha: positive concentrations (..., n). Gradients flow to it.
        shape: of the batch, to which the leading axes of alpha broadcast; None: these axes.

    Returns:
        (*shape, n).
    """
    words = key_words("dirichlet", key)
    dtype = float_dtype("dirichlet", dtype)
    if is_scalar(alpha) or as_operand(alpha).ndim == 0:
        raise errors.ShapeError(
            errors.lines(
                f"dirichlet: alpha needs an axis of concentrations; got {describe(alpha)}.",
                "Pass one for each coordinate: shape (..., n).",
            )
        )
    alpha = parameter("dirichlet", "alpha", alpha, _wide(dtype))
    n = alpha.shape[-1]
    batch = alpha.shape[:-1] if shape is None else static_shape("dirichlet", shape)
    shape = result_shape("dirichlet", (*batch, n), alpha=alpha)
    refuse_outside("dirichlet", "alpha", alpha, lambda v: v <= 0, "must be positive")
    logs = gamma_draws(words, alpha, shape, log_space=True)
    if n == 0:
        return in_dtype(logs, dtype)
    row = (*shape[:-1], 1)
    weights = in_double(exp, sub(logs, reshape(reduce_max(logs, axes=(logs.ndim - 1,)), row)))
    total = reshape(reduce_sum(weights, axes=(logs.ndim - 1,)), row)
    return in_dtype(div(weights, total), dtype)


def chisquare(key: Any, df: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Chi-square draws of `df` degrees of freedom, which broadcast to `shape`. Gradients flow to df."""
    words, dtype, (df,), shape = _read("chisquare", key, shape, dtype, df=df)
    return in_dtype(_chisquare(words, df, shape), dtype)


def _chisquare(words: Any, df: Any, shape: tuple[int, ...]) -> Any:
    two = df.dtype.type(2)
    return mul(in_double(exp, gamma_draws(words, div(df, two), shape, log_space=True)), two)


def f(key: Any, dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = None) -> Any:
    """F draws: the ratio of two chi-square draws, each divided by its degrees of freedom.

    Args:
        dfnum, dfden: degrees of freedom of numerator and denominator; broadcast to `shape`. Gradients flow to both.
    """
    words, dtype, (dfnum, dfden), shape = _read("f", key, shape, dtype, dfnum=dfnum, dfden=dfden)
    below, above = two_keys(words)
    parts = [div(_chisquare(w, df, shape), df) for w, df in ((above, dfnum), (below, dfden))]
    return in_dtype(div(*parts), dtype)


def t(key: Any, df: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Student's t draws of `df` degrees of freedom, which broadcast to `shape`. Gradients flow to df."""
    words, dtype, (df,), shape = _read("t", key, shape, dtype, df=df)
    first, second = two_keys(words)
    half = div(df, df.dtype.type(2))
    draws = normal_draws(first, shape, _wide(dtype))
    return in_dtype(mul(draws, sqrt(div(half, gamma_draws(second, half, shape, log_space=False)))), dtype)


def generalized_normal(key: Any, p: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Draws of density proportional to exp(-|x|**p): Laplace for p = 1, normal of variance 1/2 for p = 2.

    Args:
        p: positive; broadcasts to `shape`. Gradients flow to it.
    """
    words, dtype, (p,), shape = _read("generalized_normal", key, shape, dtype, p=p)
    return in_dtype(_generalized_normal(words, p, shape), dtype)


def _generalized_normal(words: Any, p: Any, shape: tuple[int, ...]) -> Any:
    first, second = two_keys(words)
    inverse = div(p.dtype.type(1), p)
    sizes = in_double(power, gamma_draws(first, inverse, shape, log_space=False), inverse)
    return mul(signs(second, shape, p.dtype), sizes)


def ball(key: Any, d: Any, p: Any = 2, shape: Any = (), dtype: Any = None) -> Any:
    """Points (*shape, d), uniform in the unit ball of the p-norm in d dimensions.

    Source: Barthe, Guedon, Mendelson and Naor, "A probabilistic approach to the geometry of the l_p^n-ball" (Annals
    of Probability 33, 2005).

    Args:
        d: a whole number known now.
        p: positive, of shape (). Gradients flow to it.
    """
    d = static_int(d, "ball: d")
    if d < 0:
        raise errors.ArgumentError(f"ball: d must not be negative; got {d}.")
    words, dtype, (p,), shape = _read("ball", key, static_shape("ball", shape), dtype, p=p)
    if p.shape != ():
        raise errors.ShapeError(
            errors.lines(f"ball: p must have shape (); got {describe(p)}.", "Map over many with fx.vmap.")
        )
    first, second = two_keys(words)
    g = _generalized_normal(first, p, (*shape, d))
    u = random_unit(second, shape=shape, dtype=p.dtype)
    total = sub(
        reduce_sum(in_double(power, abs_(g), p), axes=(len(shape),)), xla_log1p(mul(u, p.dtype.type(-1)))
    )
    radius = in_double(power, total, div(p.dtype.type(1), p))
    return in_dtype(div(g, reshape(radius, (*shape, 1))), dtype)


def double_sided_maxwell(key: Any, loc: Any, scale: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Draws of density proportional to z**2 exp(-z**2 / 2), z = (x - loc) / scale.

    Args:
        loc, scale: broadcast with each other. Gradients flow to both.
        shape: axes in front of theirs. (JAX repeats their axes where `shape` is empty; fx does not.)
    """
    words = key_words("double_sided_maxwell", key)
    dtype = float_dtype("double_sided_maxwell", dtype)
    loc, scale = [
        parameter("double_sided_maxwell", what, x, dtype) for what, x in (("loc", loc), ("scale", scale))
    ]
    own = result_shape("double_sided_maxwell", None, loc=loc, scale=scale)
    shape = (*static_shape("double_sided_maxwell", shape), *own)
    first, second = two_keys(words)
    draws = mul(signs(second, shape, dtype), maxwell_draws(first, shape, dtype))
    return add(mul(draws, scale), loc)


# Helpers


def _read(name: str, key: Any, shape: Any, dtype: Any, **parameters: Any) -> tuple[Any, Any, list[Any], Any]:
    """Parameters, positive, in the dtype that is computed in."""
    words = key_words(name, key)
    dtype = float_dtype(name, dtype)
    found = {what: parameter(name, what, x, _wide(dtype)) for what, x in parameters.items()}
    shape = result_shape(name, shape, **found)
    for what, x in found.items():
        refuse_outside(name, what, x, lambda v: v <= 0, "must be positive")
    return words, dtype, list(found.values()), shape


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtypes.float32 if dtypes.is_low_precision(dtype) else dtype
