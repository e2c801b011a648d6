"""Initializers: functions `(key, shape, dtype=None) -> array`, with names and numbers of `jax.nn.initializers`.

They are frozen records: two made alike are equal, so that layers which hold them can be static arguments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any, Protocol

import fx
import fx.numpy as fnp
from fx import random

from ._initializer_parts import drawn, dtype_of, shape_of, size_along
from ._inputs import number
from ._matrix_initializers import (
    delta_orthogonal as delta_orthogonal,
    dirac as dirac,
    eye as eye,
    orthogonal as orthogonal,
    sparse as sparse,
)


class Initializer(Protocol):
    """Makes parameters from a key."""

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array: ...


def zeros(key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
    """All 0; the key is not used."""
    return fnp.zeros(shape, dtype_of(dtype))


def ones(key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
    """All 1; the key is not used."""
    return fnp.ones(shape, dtype_of(dtype))


@dataclass(frozen=True)
class constant:
    """All `value`; the key is not used."""

    value: float
    dtype: Any = None

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        return fnp.full(shape, self.value, dtype_of(dtype, self.dtype))


@dataclass(frozen=True)
class normal:
    """Normal."""

    stddev: float = 1e-2
    dtype: Any = None
    mean: float = 0.0

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        values = drawn(key, random.normal, shape, dtype_of(dtype, self.dtype)) * self.stddev
        return values + self.mean if self.mean else values


@dataclass(frozen=True)
class uniform:
    """Uniform in [low, low + scale)."""

    scale: float = 1e-2
    dtype: Any = None
    low: float = 0.0

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        values = drawn(key, random.uniform, shape, dtype_of(dtype, self.dtype)) * self.scale
        return values + self.low if self.low else values


@dataclass(frozen=True)
class truncated_normal:
    """mean + stddev times a standard normal conditioned to lie in (lower, upper)."""

    stddev: float = 1e-2
    dtype: Any = None
    lower: float = -2.0
    upper: float = 2.0
    mean: float = 0.0

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        values = _truncated(key, self.lower, self.upper, shape, dtype_of(dtype, self.dtype)) * self.stddev
        return values + self.mean if self.mean else values


def _truncated(key: Any, lower: float, upper: float, shape: Sequence[int], dtype: Any) -> fx.Array:
    return drawn(key, lambda key, **kw: random.truncated_normal(key, lower, upper, **kw), shape, dtype)


_TRUNCATED_STDDEV = 0.87962566103423978
"""Standard deviation of a standard normal truncated to (-2, 2)."""


@dataclass(frozen=True)
class variance_scaling:
    """Mean 0 and variance scale / n, where n counts inputs or outputs of a unit ("fan").

    Args:
        mode: "fan_in", "fan_out", "fan_avg" (their mean) or "fan_geo_avg" (their geometric mean).
        distribution: "truncated_normal" (at 2 standard deviations), "normal" or "uniform".
        in_axis, out_axis, batch_axis: axes of the shape; those not named (a kernel's window) multiply both
            fans, batch axes neither.
    """

    scale: float
    mode: str
    distribution: str
    in_axis: int | tuple[int, ...] = -2
    out_axis: int | tuple[int, ...] = -1
    batch_axis: int | tuple[int, ...] = ()
    dtype: Any = None

    def __post_init__(self) -> None:
        for name in ("in_axis", "out_axis", "batch_axis"):
            value = getattr(self, name)
            _axes(value, name)
            object.__setattr__(self, name, value if isinstance(value, int) else tuple(value))
        _choose("mode", self.mode, _MODES)
        _choose("distribution", self.distribution, _DISTRIBUTIONS)

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        shape = shape_of(shape)
        fans = _fans(shape, self.in_axis, self.out_axis, self.batch_axis)
        stddev = math.sqrt(self.scale / max(_MODES[self.mode](*fans), 1e-30))
        return _DISTRIBUTIONS[self.distribution](key, shape, dtype_of(dtype, self.dtype), stddev)


_MODES = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    "fan_geo_avg": lambda fan_in, fan_out: math.sqrt(fan_in * fan_out),
}


def _scaled_truncated(key: Any, shape: Any, dtype: Any, stddev: float) -> fx.Array:
    return _truncated(key, -2.0, 2.0, shape, dtype) * (stddev / _TRUNCATED_STDDEV)


def _scaled_normal(key: Any, shape: Any, dtype: Any, stddev: float) -> fx.Array:
    return drawn(key, random.normal, shape, dtype) * stddev


def _scaled_uniform(key: Any, shape: Any, dtype: Any, stddev: float) -> fx.Array:
    draw = lambda key, **kw: random.uniform(key, minval=-1.0, **kw)
    return drawn(key, draw, shape, dtype) * (math.sqrt(3.0) * stddev)


_DISTRIBUTIONS = {
    "truncated_normal": _scaled_truncated,
    "normal": _scaled_normal,
    "uniform": _scaled_uniform,
}


def _choose(what: str, value: Any, choices: Any, name: str = "variance_scaling") -> None:
    if not isinstance(value, str) or value not in choices:
        raise fx.ArgumentError(
            f"{name}: {what}={brief(value)}.\nChoose one of {', '.join(map(repr, choices))}."
        )


def _axes(value: Any, name: str) -> None:
    """ArgumentError unless an axis or several."""
    members = value if isinstance(value, (tuple, list)) else (value,)
    if not all(isinstance(a, int) for a in members):
        raise fx.ArgumentError(f"variance_scaling: {name} is an integer or a tuple of integers.")


def _fans(shape: tuple[int, ...], in_axis: Any, out_axis: Any, batch_axis: Any) -> tuple[float, float]:
    """How many inputs a unit has, and how many outputs an input feeds."""
    if len(shape) < 2:
        raise fx.ShapeError(
            f"variance_scaling needs a shape with an input and an output axis; got {shape}.\n"
            "Biases are usually made with initializers.zeros."
        )
    inputs, outputs, batch = (
        size_along(shape, axes, "variance_scaling") for axes in (in_axis, out_axis, batch_axis)
    )
    window = math.prod(shape) / max(inputs * outputs * batch, 1)
    return inputs * window, outputs * window


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of standard deviations that PyTorch recommends in front of an activation.

    Args:
        nonlinearity: "linear", "identity", "sigmoid", "tanh", "relu", "leaky_relu", "selu", or the name of a
            convolution, as "conv2d".
        param: the slope of "leaky_relu" at negative numbers; None is 0.01.
    """
    if isinstance(nonlinearity, str) and nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + _square(0.01 if param is None else param)))
    _choose("nonlinearity", nonlinearity, _GAINS, "calculate_gain")
    return _GAINS[nonlinearity]


_GAINS = {
    **dict.fromkeys(("linear", "identity", "sigmoid"), 1.0),
    **{f"conv{of}{n}d": 1.0 for of in ("", "_transpose") for n in (1, 2, 3)},
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def glorot_uniform(
    in_axis: Any = -2, out_axis: Any = -1, batch_axis: Any = (), dtype: Any = None, *, gain: float = 1.0
) -> variance_scaling:
    """Uniform, variance 2 * gain**2 / (fan_in + fan_out). Source: Glorot and Bengio 2010."""
    return variance_scaling(_square(gain), "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(
    in_axis: Any = -2, out_axis: Any = -1, batch_axis: Any = (), dtype: Any = None, *, gain: float = 1.0
) -> variance_scaling:
    """Truncated normal, variance 2 * gain**2 / (fan_in + fan_out). Source: Glorot and Bengio 2010."""
    return variance_scaling(
        _square(gain), "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype
    )


def lecun_uniform(
    in_axis: Any = -2, out_axis: Any = -1, batch_axis: Any = (), dtype: Any = None
) -> variance_scaling:
    """Uniform, variance 1 / fan_in. Source: LeCun et al. 1998."""
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def lecun_normal(
    in_axis: Any = -2, out_axis: Any = -1, batch_axis: Any = (), dtype: Any = None
) -> variance_scaling:
    """Truncated normal, variance 1 / fan_in. Source: LeCun et al. 1998."""
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def he_uniform(
    in_axis: Any = -2,
    out_axis: Any = -1,
    batch_axis: Any = (),
    dtype: Any = None,
    *,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
) -> variance_scaling:
    """Uniform, variance gain**2 / fan_in: 2 / fan_in for rectifiers. Source: He et al. 2015.

    Args:
        a, nonlinearity: the gain is calculate_gain(nonlinearity, a). mode: see `variance_scaling`.
    """
    scale = _squared_gain(nonlinearity, a)
    return variance_scaling(scale, mode, "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(
    in_axis: Any = -2,
    out_axis: Any = -1,
    batch_axis: Any = (),
    dtype: Any = None,
    *,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
) -> variance_scaling:
    """Truncated normal, variance gain**2 / fan_in; arguments as those of `he_uniform`. Source: He et al. 2015."""
    scale = _squared_gain(nonlinearity, a)
    return variance_scaling(scale, mode, "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def _squared_gain(nonlinearity: str, a: float) -> float:
    # 2 itself without a slope: the square of a rounded square root is not.
    if isinstance(nonlinearity, str) and nonlinearity == "leaky_relu" and number(a, "a") == 0:
        return 2.0
    return _square(calculate_gain(nonlinearity, a))


def _square(gain: Any) -> Any:
    gain = number(gain, "The gain of an initializer")
    if not abs(gain) < 1e150:
        raise fx.ArgumentError(f"The gain of an initializer must be a number of some size; got {gain}.")
    return gain * gain


xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal
