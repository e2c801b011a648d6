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


class Initializer(Protocol):
    """Makes parameters from a key."""

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array: ...


def zeros(key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
    """All 0; the key is not used."""
    return fnp.zeros(shape, _dtype(dtype))


def ones(key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
    """All 1; the key is not used."""
    return fnp.ones(shape, _dtype(dtype))


def _dtype(dtype: Any, default: Any = None) -> Any:
    """The dtype asked for at the call, when the initializer was made, or the default float."""
    chosen = default if dtype is None else dtype
    return float if chosen is None else chosen


def _drawn(key: Any, sampler: Any, shape: Sequence[int], dtype: Any) -> fx.Array:
    return sampler(key, shape=shape, dtype=_dtype(dtype))


@dataclass(frozen=True)
class constant:
    """All `value`; the key is not used."""

    value: float
    dtype: Any = None

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        return fnp.full(shape, self.value, _dtype(dtype, self.dtype))


@dataclass(frozen=True)
class normal:
    """Normal with mean 0."""

    stddev: float = 1e-2
    dtype: Any = None

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        return _drawn(key, random.normal, shape, _dtype(dtype, self.dtype)) * self.stddev


@dataclass(frozen=True)
class uniform:
    """Uniform in [0, scale)."""

    scale: float = 1e-2
    dtype: Any = None

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        return _drawn(key, random.uniform, shape, _dtype(dtype, self.dtype)) * self.scale


@dataclass(frozen=True)
class truncated_normal:
    """stddev times a standard normal conditioned to lie in (lower, upper)."""

    stddev: float = 1e-2
    dtype: Any = None
    lower: float = -2.0
    upper: float = 2.0

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        return _truncated(key, self.lower, self.upper, shape, _dtype(dtype, self.dtype)) * self.stddev


def _truncated(key: Any, lower: float, upper: float, shape: Sequence[int], dtype: Any) -> fx.Array:
    return _drawn(key, lambda key, **kw: random.truncated_normal(key, lower, upper, **kw), shape, dtype)


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
        shape = _shape(shape, "variance_scaling")
        fans = _fans(shape, self.in_axis, self.out_axis, self.batch_axis)
        stddev = math.sqrt(self.scale / max(_MODES[self.mode](*fans), 1e-30))
        return _DISTRIBUTIONS[self.distribution](key, shape, _dtype(dtype, self.dtype), stddev)


_MODES = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    "fan_geo_avg": lambda fan_in, fan_out: math.sqrt(fan_in * fan_out),
}


def _scaled_truncated(key: Any, shape: Any, dtype: Any, stddev: float) -> fx.Array:
    return _truncated(key, -2.0, 2.0, shape, dtype) * (stddev / _TRUNCATED_STDDEV)


def _scaled_normal(key: Any, shape: Any, dtype: Any, stddev: float) -> fx.Array:
    return _drawn(key, random.normal, shape, dtype) * stddev


def _scaled_uniform(key: Any, shape: Any, dtype: Any, stddev: float) -> fx.Array:
    draw = lambda key, **kw: random.uniform(key, minval=-1.0, **kw)
    return _drawn(key, draw, shape, dtype) * (math.sqrt(3.0) * stddev)


_DISTRIBUTIONS = {
    "truncated_normal": _scaled_truncated,
    "normal": _scaled_normal,
    "uniform": _scaled_uniform,
}


def _choose(what: str, value: Any, choices: Any) -> None:
    if not isinstance(value, str) or value not in choices:
        raise fx.ArgumentError(
            f"variance_scaling: {what}={brief(value)}.\nChoose one of {', '.join(map(repr, choices))}."
        )


def _axes(value: Any, name: str) -> None:
    """ArgumentError unless an axis or several."""
    members = value if isinstance(value, (tuple, list)) else (value,)
    if not all(isinstance(a, int) for a in members):
        raise fx.ArgumentError(f"variance_scaling: {name} is an integer or a tuple of integers.")


def _shape(shape: Any, name: str) -> tuple[int, ...]:
    """A shape as a tuple, checked as `fnp.zeros` checks it."""
    return fx.eval_shape(lambda: fnp.zeros(shape)).shape


def _fans(shape: tuple[int, ...], in_axis: Any, out_axis: Any, batch_axis: Any) -> tuple[float, float]:
    """How many inputs a unit has, and how many outputs an input feeds."""
    if len(shape) < 2:
        raise fx.ShapeError(
            f"variance_scaling needs a shape with an input and an output axis; got {shape}.\n"
            "Biases are usually made with initializers.zeros."
        )
    inputs, outputs, batch = (_size(shape, axes) for axes in (in_axis, out_axis, batch_axis))
    window = math.prod(shape) / max(inputs * outputs * batch, 1)
    return inputs * window, outputs * window


def _size(shape: tuple[int, ...], axes: Any) -> int:
    axes = (axes,) if isinstance(axes, int) else axes
    if any(not -len(shape) <= a < len(shape) for a in axes):
        raise fx.ShapeError(f"variance_scaling: the axes {axes} are not all axes of the shape {shape}.")
    return math.prod(shape[a] for a in axes)


def glorot_uniform(
    in_axis: Any = -2, out_axis: Any = -1, batch_axis: Any = (), dtype: Any = None
) -> variance_scaling:
    """Uniform, variance 2 / (fan_in + fan_out). Source: Glorot and Bengio 2010."""
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(
    in_axis: Any = -2, out_axis: Any = -1, batch_axis: Any = (), dtype: Any = None
) -> variance_scaling:
    """Truncated normal, variance 2 / (fan_in + fan_out). Source: Glorot and Bengio 2010."""
    return variance_scaling(1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


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
    in_axis: Any = -2, out_axis: Any = -1, batch_axis: Any = (), dtype: Any = None
) -> variance_scaling:
    """Uniform, variance 2 / fan_in, for rectifiers. Source: He et al. 2015."""
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(
    in_axis: Any = -2, out_axis: Any = -1, batch_axis: Any = (), dtype: Any = None
) -> variance_scaling:
    """Truncated normal, variance 2 / fan_in, for rectifiers. Source: He et al. 2015."""
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


@dataclass(frozen=True)
class orthogonal:
    """scale times a uniformly distributed matrix with orthonormal columns, or rows if those are fewer.

    Args:
        column_axis: the axis of the shape that numbers the columns; the others together number the rows.

    Source: Saxe, McClelland, Ganguli 2013; the signs by Mezzadri 2006, section 5.
    """

    scale: float = 1.0
    column_axis: int = -1
    dtype: Any = None

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        shape = _shape(shape, "orthogonal")
        if not -len(shape) <= self.column_axis < len(shape) and len(shape) >= 2:
            raise fx.ShapeError(
                f"orthogonal: column_axis={self.column_axis} is no axis of the shape {shape}."
            )
        if len(shape) < 2:
            raise fx.ShapeError(f"orthogonal needs a shape of at least two axes; got {shape}.")
        columns = shape[self.column_axis]
        rows = math.prod(shape) // max(columns, 1)
        tall = (max(rows, columns), min(rows, columns))
        q = _orthonormal(_drawn(key, random.normal, tall, _dtype(dtype, self.dtype)))
        q = q if rows >= columns else q.T
        rest = list(shape)
        del rest[self.column_axis]
        return self.scale * fnp.moveaxis(q.reshape((*rest, columns)), -1, self.column_axis)


def _orthonormal(z: fx.Array) -> fx.Array:
    """Q of z = QR with the signs that make R's diagonal positive: unique, hence uniform for normal z."""
    narrow = z.dtype.itemsize == 2
    q, r = fnp.linalg.qr(z.astype(fnp.float32) if narrow else z)
    return (q * fnp.where(fnp.diagonal(r) < 0.0, -1.0, 1.0)).astype(z.dtype)
