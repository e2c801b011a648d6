"""Activation functions: values right on the whole line with ±inf, derivatives at every finite number.

At a kink the derivative is JAX's. Ordinary array operations throughout: where a choice is made, it is made on
the input as well as on the result, so that no branch that is not taken sends a NaN back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from reprlib import repr as brief
from typing import Any

import fx
import fx.numpy as fnp
from fx import lax, random

from ._inputs import bounded, in_float32, limits, number, real


def identity(x: Any) -> fx.Array:
    """x as an array."""
    return x if isinstance(x, fx.Array) else fnp.asarray(x)


# Rectifiers


def relu(x: Any) -> fx.Array:
    """max(x, 0). The derivative at 0 is 0.

    >>> import fx
    >>> relu(fx.numpy.asarray([-1.0, 0.0, 2.0]))
    Array([0., 0., 2.], float32)
    """
    return fnp.where(fnp.less_equal(x, 0.0), 0, x)


def relu6(x: Any) -> fx.Array:
    """min(max(x, 0), 6). The derivatives at 0 and 6 are 0."""
    return relu(fnp.where(fnp.greater_equal(x, 6.0), 6, x))


def leaky_relu(x: Any, negative_slope: Any = 0.01) -> fx.Array:
    """x where x >= 0, else negative_slope * x. The derivative at 0 is 1."""
    x = real(x, "leaky_relu")
    return fnp.where(x >= 0.0, x, negative_slope * x)


def elu(x: Any, alpha: Any = 1.0) -> fx.Array:
    """x where x > 0, else alpha * (exp(x) - 1). Source: Clevert, Unterthiner, Hochreiter 2015."""
    x = real(x, "elu")
    positive = x > 0.0
    return fnp.where(positive, x, alpha * fnp.expm1(fnp.where(positive, 0.0, x)))


def celu(x: Any, alpha: Any = 1.0) -> fx.Array:
    """x where x > 0, else alpha * (exp(x / alpha) - 1). Source: Barron 2017."""
    x = real(x, "celu")
    positive = x > 0.0
    return fnp.where(positive, x, alpha * fnp.expm1(fnp.where(positive, 0.0, x) / alpha))


_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def selu(x: Any) -> fx.Array:
    """scale * elu(x, alpha), with constants that keep mean 0 and variance 1. Source: Klambauer et al. 2017."""
    x = real(x, "selu")
    positive = x > 0.0
    negative = _SELU_SCALE * _SELU_ALPHA * fnp.expm1(fnp.where(positive, 0.0, x))
    return fnp.where(positive, _SELU_SCALE * x, negative)


def prelu(x: Any, weight: Any, axis: int = -1) -> fx.Array:
    """x where x >= 0, else weight * x. Source: He et al. 2015.

    Args:
        weight: one number, or one for each place along the axis of x.
    """
    x, weight = real(x, "prelu"), real(weight, "prelu: weight")
    if weight.size == 1:
        return leaky_relu(x, weight.reshape(()))
    if (
        not isinstance(axis, int)
        or not -x.ndim <= axis < x.ndim
        or weight.shape != x.shape[axis : axis + 1 or None]
    ):
        raise fx.ShapeError(
            f"prelu: weight of shape {weight.shape} is neither one number nor one for each place along "
            f"axis {brief(axis)} of x, of shape {x.shape}."
        )
    return leaky_relu(x, weight.reshape((-1,) + (1,) * (x.ndim - 1 - axis % x.ndim)))


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, *, key: Any = None) -> fx.Array:
    """`leaky_relu` with a slope of its own for every element, uniform in [lower, upper); without a key, their mean.

    Source: Xu et al. 2015.
    """
    x = real(x, "rrelu")
    lower, upper = number(lower, "rrelu: lower"), number(upper, "rrelu: upper")
    if key is None:
        return leaky_relu(x, (lower + upper) / 2)
    return leaky_relu(x, random.uniform(key, x.shape, dtype=x.dtype, minval=lower, maxval=upper))


def squareplus(x: Any, b: Any = 4.0) -> fx.Array:
    """(x + sqrt(x**2 + b)) / 2, without the cancellation at negative x. Source: Barron 2021."""
    x, b = real(x, "squareplus"), number(b, "squareplus: b")
    size = fnp.hypot(x, fnp.sqrt(fnp.asarray(b, x.dtype)))
    positive = x >= 0.0
    return fnp.where(positive, 0.5 * x + 0.5 * size, 0.5 * b / (size - fnp.where(positive, -1.0, x)))


def threshold(x: Any, threshold: Any, value: Any) -> fx.Array:
    """x where x > threshold, else value."""
    x = real(x, "threshold")
    return fnp.where(x <= threshold, fnp.asarray(value, x.dtype), x)


# Sigmoids


def sigmoid(x: Any) -> fx.Array:
    """1 / (1 + exp(-x)), without overflow on either side."""
    return lax.logistic(real(x, "sigmoid"))


@in_float32
def softplus(x: Any) -> fx.Array:
    """log(1 + exp(x)). Where exp(-x) is below rounding it is x itself."""
    large = x > -math.log(limits(x.dtype).eps)
    return fnp.where(large, x, fnp.log1p(fnp.exp(fnp.where(large, 0.0, x))))


def log_sigmoid(x: Any) -> fx.Array:
    """log(sigmoid(x)), by -softplus(-x)."""
    return -softplus(-real(x, "log_sigmoid"))


logsigmoid = log_sigmoid


@in_float32
def log1mexp(x: Any) -> fx.Array:
    """log(1 - exp(-x)) for x > 0; -inf at 0, NaN below.

    Source: Mächler 2012, "Accurately computing log(1 - exp(-|a|))".
    """
    small = x < math.log(2.0)
    near = fnp.log(-fnp.expm1(-fnp.where(small, x, 1.0)))
    return fnp.where(small, near, fnp.log1p(-fnp.exp(-fnp.where(small, 1.0, x))))


def soft_sign(x: Any) -> fx.Array:
    """x / (1 + |x|)."""
    x = real(x, "soft_sign")
    largest = float(limits(x.dtype).max)
    x = bounded(x, -largest, largest)
    return x / (1.0 + fnp.absolute(x))


softsign = soft_sign


def tanh(x: Any) -> fx.Array:
    """The hyperbolic tangent."""
    return fnp.tanh(real(x, "tanh"))


def hard_tanh(x: Any) -> fx.Array:
    """x bounded to [-1, 1]. The derivatives at -1 and 1 are 1."""
    return bounded(real(x, "hard_tanh"), -1.0, 1.0)


def hard_sigmoid(x: Any) -> fx.Array:
    """relu6(x + 3) / 6. The derivatives at -3 and 3 are 0."""
    return relu6(real(x, "hard_sigmoid") + 3.0) / 6.0


def sparse_sigmoid(x: Any) -> fx.Array:
    """(x + 1) / 2 bounded to [0, 1], the derivative of `sparse_plus`. Source: Blondel, Martins, Niculae 2020."""
    return 0.5 * bounded(real(x, "sparse_sigmoid") + 1.0, 0.0, 2.0)


def sparse_plus(x: Any) -> fx.Array:
    """0 where x <= -1, x where x >= 1, between (x + 1)**2 / 4. Source: Blondel, Martins, Niculae 2020."""
    x = real(x, "sparse_plus")
    inner = bounded(x, -1.0, 1.0) + 1.0
    return fnp.where(x >= 1.0, x, 0.25 * inner * inner)


hardtanh, hardsigmoid = hard_tanh, hard_sigmoid


# Shrinking: x moved to or towards 0


def hardshrink(x: Any, lambd: Any = 0.5) -> fx.Array:
    """0 where |x| <= lambd, else x."""
    x = real(x, "hardshrink")
    return fnp.where(fnp.absolute(x) <= lambd, 0.0, x)


def softshrink(x: Any, lambd: Any = 0.5) -> fx.Array:
    """0 where |x| <= lambd, else x moved by lambd towards 0."""
    x = real(x, "softshrink")
    return fnp.where(fnp.absolute(x) <= lambd, 0.0, x - lambd * fnp.sign(x))


@in_float32
def tanhshrink(x: Any) -> fx.Array:
    """x - tanh(x). Near 0, where that cancels, by the continued fraction of tanh (Lambert 1768)."""
    near = fnp.absolute(x) < 1.0
    square = fnp.where(near, x * x, 0.0)
    rest = square / 21.0
    for odd in range(19, 1, -2):
        rest = square / (odd + rest)
    far = fnp.where(near, 1.0, x)
    return fnp.where(near, x * rest / (1.0 + rest), far - fnp.tanh(far))


# Gated: x times something that rises from 0 to 1


def _gated(x: fx.Array, gate: Callable[[fx.Array], fx.Array], low: float, high: float) -> fx.Array:
    """x * gate(x), for a gate that vanishes at `low` and is 1 from `high` on.

    The bounds keep 0 * inf out of the products of both directions.
    """
    x = fnp.where(x <= low, low, x)
    return x * gate(fnp.where(x >= high, high, x))


def silu(x: Any) -> fx.Array:
    """x * sigmoid(x), also known as swish. Source: Elfwing, Uchibe, Doya 2017."""
    return _gated(real(x, "silu"), lax.logistic, -800.0, 800.0)


swish = silu


def hard_silu(x: Any) -> fx.Array:
    """x * hard_sigmoid(x). The derivatives at -3 and 3 are 0 and 1. Source: Howard et al. 2019."""
    return _gated(real(x, "hard_silu"), lambda x: (x + 3.0) / 6.0, -3.0, 3.0)


hard_swish = hardswish = hard_silu


@in_float32
def gelu(x: Any, approximate: bool = True) -> fx.Array:
    """x * Phi(x), Phi the normal distribution function. Source: Hendrycks and Gimpel 2016.

    Args:
        approximate: Phi(x) by sigmoid(2 sqrt(2 / pi) (x + 0.044715 x**3)), which is the usual formula with
            tanh, without its cancellation at negative x; else by erfc.
    """
    return _gated(x, _phi_by_sigmoid if approximate else _phi, -40.0, 40.0)


_SLOPE = 2 * math.sqrt(2 / math.pi)


def _phi_by_sigmoid(x: fx.Array) -> fx.Array:
    return lax.logistic(x * (_SLOPE + (0.044715 * _SLOPE) * (x * x)))


def _phi(x: fx.Array) -> fx.Array:
    return 0.5 * lax.erfc(-math.sqrt(0.5) * x)


@in_float32
def mish(x: Any) -> fx.Array:
    """x * tanh(softplus(x)). Source: Misra 2019."""
    return _gated(x, lambda x: fnp.tanh(softplus(x)), -800.0, 800.0)
