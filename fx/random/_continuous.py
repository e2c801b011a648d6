"""Continuous distributions. Draws are functions of uniform ones, so that gradients flow to parameters.

The formulas, their order and their functions are JAX's (`jax/_src/random/core.py`): the same key gives the same draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes, static
from ..primitives.elementwise import (
    abs_,
    add,
    convert,
    div,
    exp,
    ge,
    le,
    lt,
    make_complex,
    maximum,
    minimum,
    mul,
    neg,
    nextafter,
    power,
    select,
    sign,
    sqrt,
    sub,
    tan,
)
from ..primitives.random import child_keys, random_unit
from ..primitives.random_math import fused_multiply_add, xla_erf, xla_erf_inv, xla_log, xla_log1p
from ..primitives.shape import move_axis, reshape, slice_axis
from ._arguments import float_dtype, float_facts, parameter, refuse_range, result_shape, static_shape
from ._bits import uniform_between
from ._keys import key_words

_ROOT_2 = math.sqrt(2)


def normal(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Standard normal draws: sqrt(2) erf_inv(u), u uniform in (-1, 1).

    With a complex dtype, real and imaginary part have variance 1/2 each.
    """
    words = key_words("normal", key)
    dtype = float_dtype("normal", dtype, inexact=True)
    shape = static_shape("normal", shape)
    if not dtypes.is_complex(dtype):
        return normal_draws(words, shape, dtype)
    real = dtypes.real_of(dtype)
    half = real.type(1) / real.type(_ROOT_2)
    return make_complex(*[mul(normal_draws(k, shape, real), half) for k in two_keys(words)])


def normal_draws(words: Any, shape: tuple[int, ...], dtype: np.dtype[Any], unit: bool = True) -> Any:
    """Normal draws of variance 1, or 1/2."""
    u = uniform_between(words, shape, dtype, float_facts(dtype).after_minus_one, dtype.type(1))
    return mul(dtype.type(_ROOT_2), xla_erf_inv(u)) if unit else xla_erf_inv(u)


def truncated_normal(key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Standard normal draws, given that they lie in the open interval (lower, upper).

    Args:
        lower, upper: numbers or arrays that broadcast to `shape`; gradients flow to them.
    """
    words = key_words("truncated_normal", key)
    dtype = float_dtype("truncated_normal", dtype)
    lower = parameter("truncated_normal", "lower", lower, dtype)
    upper = parameter("truncated_normal", "upper", upper, dtype)
    shape = result_shape("truncated_normal", shape, lower=lower, upper=upper)
    refuse_range("truncated_normal", empty=True, lower=lower, upper=upper)
    root = dtype.type(_ROOT_2)
    a, b = [xla_erf(_over_root_2(x)) for x in (lower, upper)]
    draws = mul(root, xla_erf_inv(uniform_between(words, shape, dtype, a, b)))
    first, last = nextafter(lower, dtype.type(np.inf)), nextafter(upper, dtype.type(-np.inf))
    return minimum(maximum(draws, first), last)


def _over_root_2(x: Any) -> Any:
    """x / sqrt(2) rounded as XLA does: by the reciprocal, but in bfloat16."""
    root = x.dtype.type(_ROOT_2)
    return div(x, root) if dtypes.is_bfloat16(x.dtype) else mul(x, x.dtype.type(1) / root)


def exponential(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Exponential draws of mean 1: -log(1 - u)."""
    words = key_words("exponential", key)
    return _exponential(words, static_shape("exponential", shape), float_dtype("exponential", dtype))


def _exponential(words: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    return neg(xla_log1p(neg(random_unit(words, shape=shape, dtype=dtype))))


def gumbel(key: Any, shape: Any = (), dtype: Any = None, mode: str | None = None) -> Any:
    """Gumbel draws: -log(-log(u)).

    Args:
        mode: "low" (default) or "high". High takes two uniform draws for one, so that the largest float32 value
            is about 32 instead of 16.
    """
    words = key_words("gumbel", key)
    return gumbel_draws(words, static_shape("gumbel", shape), float_dtype("gumbel", dtype), mode)


def gumbel_draws(words: Any, shape: tuple[int, ...], dtype: np.dtype[Any], mode: str | None) -> Any:
    if check_mode("gumbel", mode) == "low":
        return neg(xla_log(neg(xla_log(_positive(words, shape, dtype)))))
    facts = float_facts(dtype)
    high, low = two_rows(random_unit(words, shape=(2, *shape), dtype=dtype))
    fine = add(add(high, mul(dtype.type(2.0**-facts.mantissa), low)), facts.tiny)
    u = select(ge(high, dtype.type(0.5)), high, fine)
    return neg(xla_log(neg(xla_log1p(neg(u)))))


def laplace(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Laplace draws of mean 0 and scale 1."""
    words = key_words("laplace", key)
    dtype = float_dtype("laplace", dtype)
    low = float_facts(dtype).after_minus_one
    u = uniform_between(words, static_shape("laplace", shape), dtype, low, dtype.type(1))
    return mul(sign(u), xla_log1p(neg(abs_(u))))


def logistic(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Logistic draws of mean 0 and scale 1: log(u) - log(1 - u)."""
    words = key_words("logistic", key)
    u = _positive(words, static_shape("logistic", shape), float_dtype("logistic", dtype))
    return sub(xla_log(u), xla_log1p(neg(u)))


def cauchy(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Cauchy draws: tan(pi (u - 1/2))."""
    words = key_words("cauchy", key)
    dtype = float_dtype("cauchy", dtype)
    u = uniform_between(words, static_shape("cauchy", shape), dtype, float_facts(dtype).eps, dtype.type(1))
    return in_double(tan, mul(dtype.type(math.pi), sub(u, dtype.type(0.5))))


def lognormal(key: Any, sigma: Any = 1.0, shape: Any = None, dtype: Any = None) -> Any:
    """exp(sigma n), n standard normal. sigma: broadcasts to `shape`."""
    words, dtype, (sigma,), shape = _read("lognormal", key, shape, dtype, sigma=sigma)
    if sigma.shape == shape or dtypes.is_bfloat16(dtype):
        return in_double(exp, mul(normal_draws(words, shape, dtype), sigma))
    return in_double(exp, mul(normal_draws(words, shape, dtype, unit=False), mul(dtype.type(_ROOT_2), sigma)))


def pareto(key: Any, b: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Pareto draws on [1, inf) of density b / x**(b + 1). b: broadcasts to `shape`."""
    words, dtype, (b,), shape = _read("pareto", key, shape, dtype, b=b)
    return in_double(exp, quotient(_exponential(words, shape, dtype), b))


def rayleigh(key: Any, scale: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Rayleigh draws: scale sqrt(-2 log(u)). scale: broadcasts to `shape`."""
    words, dtype, (scale,), shape = _read("rayleigh", key, shape, dtype, scale=scale)
    return mul(scale, sqrt(mul(xla_log(random_unit(words, shape=shape, dtype=dtype)), dtype.type(-2))))


def weibull_min(key: Any, scale: Any, concentration: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Weibull draws: scale e**(1 / concentration), e exponential.

    Args:
        scale, concentration: broadcast to `shape`; None: the shape that they broadcast to.
    """
    words, dtype, (scale, concentration), shape = _read(
        "weibull_min", key, shape, dtype, scale=scale, concentration=concentration
    )
    exponent = div(dtype.type(1), concentration)
    return mul(in_double(power, _exponential(words, shape, dtype), exponent), scale)


def maxwell(key: Any, shape: Any = (), dtype: Any = None) -> Any:
    """One-sided Maxwell draws: the norm of three standard normal numbers."""
    words = key_words("maxwell", key)
    return maxwell_draws(words, static_shape("maxwell", shape), float_dtype("maxwell", dtype))


def maxwell_draws(words: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    n = normal_draws(words, (*shape, 3), dtype)
    wide = dtypes.float32 if dtypes.is_low_precision(dtype) else dtype
    squares = move_axis(convert(mul(n, n), wide), len(shape), 0)
    x, y, z = [reshape(slice_axis(squares, i, i + 1, 0), shape) for i in range(3)]
    return sqrt(convert(add(add(x, z), y), dtype))


def triangular(key: Any, left: Any, mode: Any, right: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Draws of triangular density on [left, right] with its peak at `mode`; all three broadcast to `shape`."""
    words, dtype, (left, mode, right), shape = _read(
        "triangular", key, shape, dtype, left=left, mode=mode, right=right
    )
    width = sub(right, left)
    u = random_unit(words, shape=shape, dtype=dtype)
    rising = add(left, sqrt(mul(mul(u, width), sub(mode, left))))
    falling = sub(right, sqrt(mul(mul(sub(dtype.type(1), u), width), sub(right, mode))))
    return select(lt(u, div(sub(mode, left), width)), rising, falling)


def wald(key: Any, mean: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Wald (inverse Gaussian) draws of the given mean and scale 1. mean: broadcasts to `shape`.

    Source: Michael, Schucany and Haas, "Generating Random Variates Using Transformations with Multiple Roots"
    (The American Statistician 30, 1976).
    """
    words, dtype, (mean,), shape = _read("wald", key, shape, dtype, mean=mean)
    first, second = two_keys(words)
    n = normal_draws(first, shape, dtype)
    y, square = mul(n, n), mul(mean, mean)
    root = sqrt(fused_multiply_add(mul(dtype.type(4), mean), y, mul(square, mul(y, y))))
    half = dtype.type(0.5)
    x = fused_multiply_add(neg(mul(mean, half)), root, add(mean, mul(mul(square, y), half)))
    z = random_unit(second, shape=shape, dtype=dtype)
    return select(le(z, div(mean, add(mean, x))), x, div(square, x))


# Helpers


def _read(name: str, key: Any, shape: Any, dtype: Any, **parameters: Any) -> tuple[Any, Any, list[Any], Any]:
    words = key_words(name, key)
    dtype = float_dtype(name, dtype)
    found = {what: parameter(name, what, x, dtype) for what, x in parameters.items()}
    return words, dtype, list(found.values()), result_shape(name, shape, **found)


def _positive(words: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Uniform draws with the smallest positive number in place of 0."""
    return maximum(float_facts(dtype).tiny, random_unit(words, shape=shape, dtype=dtype))


def quotient(x: Any, y: Any) -> Any:
    """x / y rounded as XLA does: by the reciprocal of y where y is broadcast (which it spares bfloat16)."""
    if y.shape == x.shape or dtypes.is_bfloat16(y.dtype):
        return div(x, y)
    return mul(x, div(y.dtype.type(1), y))


def in_double(function: Callable[..., Any], *xs: Any) -> Any:
    """function(*xs) computed in float64 and rounded once: within an ulp of any careful float32 function."""
    dtype = xs[0].dtype
    return convert(function(*[convert(x, np.float64) for x in xs]), dtype)


def two_keys(words: Any) -> tuple[Any, Any]:
    """The two children that `split` gives."""
    return two_rows(child_keys(words, np.uint32(0), shape=(2,)))


def two_rows(x: Any) -> tuple[Any, Any]:
    first, second = [reshape(slice_axis(x, i, i + 1, 0), x.shape[1:]) for i in (0, 1)]
    return first, second


def check_mode(name: str, mode: str | None) -> str:
    """How many bits a draw takes: "low" or "high"; None means "low"."""
    return "low" if mode is None else static.choice(mode, ("low", "high"), f"{name}: mode")
