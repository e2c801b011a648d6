"""Initializers of whole matrices and convolution kernels: orthogonal, the identity, mostly zeros."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fx
import fx.numpy as fnp
from fx import random

from ._initializer_parts import drawn, dtype_of, shape_of, size_along


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
        shape = shape_of(shape)
        if not -len(shape) <= self.column_axis < len(shape) and len(shape) >= 2:
            raise fx.ShapeError(
                f"orthogonal: column_axis={self.column_axis} is no axis of the shape {shape}."
            )
        if len(shape) < 2:
            raise fx.ShapeError(f"orthogonal needs a shape of at least two axes; got {shape}.")
        columns = shape[self.column_axis]
        rows = math.prod(shape) // max(columns, 1)
        tall = (max(rows, columns), min(rows, columns))
        q = _orthonormal(drawn(key, random.normal, tall, dtype_of(dtype, self.dtype)))
        q = q if rows >= columns else q.T
        rest = list(shape)
        del rest[self.column_axis]
        return self.scale * fnp.moveaxis(q.reshape((*rest, columns)), -1, self.column_axis)


def _orthonormal(z: fx.Array) -> fx.Array:
    """Q of z = QR with the signs that make R's diagonal positive: unique, hence uniform for normal z."""
    narrow = z.dtype.itemsize == 2
    q, r = fnp.linalg.qr(z.astype(fnp.float32) if narrow else z)
    return (q * fnp.where(fnp.diagonal(r) < 0.0, -1.0, 1.0)).astype(z.dtype)


@dataclass(frozen=True)
class delta_orthogonal:
    """A convolution kernel that is `orthogonal` in the middle of its window and 0 elsewhere.

    Shapes are (*window, in, out) with a window of 1 to 3 axes and in <= out.

    Source: Xiao et al. 2018.
    """

    scale: float = 1.0
    column_axis: int = -1
    dtype: Any = None

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        shape = shape_of(shape)
        if len(shape) not in (3, 4, 5) or shape[-2] > shape[-1]:
            raise fx.ShapeError(
                f"delta_orthogonal needs a shape (*window, in, out) of 3 to 5 axes with in <= out; got {shape}."
            )
        kernel = orthogonal(self.scale, self.column_axis, self.dtype)(key, shape[-2:], dtype)
        middle = tuple((d - 1) // 2 for d in shape[:-2])
        return fnp.zeros(shape, kernel.dtype).at[middle].set(kernel)


@dataclass(frozen=True)
class dirac:
    """A convolution kernel that hands its input on: 1 in the middle of the window from channel i to channel i.

    Args:
        groups: each group of outputs gets the inputs again. in_axis, out_axis: axes of the shape.

    The key is not used.
    """

    groups: int = 1
    in_axis: int = -2
    out_axis: int = -1
    dtype: Any = None

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        shape = shape_of(shape)
        if len(shape) not in (3, 4, 5):
            raise fx.ShapeError(
                f"dirac needs a shape of 3 to 5 axes, those of a convolution kernel; got {shape}."
            )
        inputs, outputs = (size_along(shape, axis, "dirac") for axis in (self.in_axis, self.out_axis))
        if self.groups < 1 or outputs % self.groups:
            raise fx.ShapeError(f"dirac: {outputs} outputs do not fall into {self.groups} groups.")
        each = outputs // self.groups
        channel = fnp.arange(outputs) % max(each, 1)
        kernel = (fnp.arange(inputs)[:, None] == channel).astype(dtype_of(dtype, self.dtype))
        pair = (self.in_axis % len(shape), self.out_axis % len(shape))
        window = [d for i, d in enumerate(shape) if i not in pair]
        whole = (
            fnp.zeros((*window, inputs, outputs), kernel.dtype).at[tuple(d // 2 for d in window)].set(kernel)
        )
        return fnp.moveaxis(whole, (-2, -1), pair)


def eye(key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
    """1 on the diagonal of a matrix, 0 elsewhere; the key is not used."""
    shape = shape_of(shape)
    if len(shape) != 2:
        raise fx.ShapeError(f"eye makes matrices; got the shape {shape}.")
    return fnp.eye(*shape, dtype=dtype_of(dtype))


@dataclass(frozen=True)
class sparse:
    """A matrix of normal numbers with mean 0, in each of whose columns a part, rounded up, is 0.

    Args:
        sparsity: that part, in [0, 1].

    Source: Martens 2010.
    """

    sparsity: float
    stddev: float = 1e-2
    dtype: Any = None

    def __call__(self, key: Any, shape: Sequence[int], dtype: Any = None) -> fx.Array:
        shape = shape_of(shape)
        if len(shape) != 2 or not 0.0 <= self.sparsity <= 1.0:
            raise fx.ShapeError(
                f"sparse makes matrices with a part of zeros in [0, 1]; got the shape {shape} and {self.sparsity}."
            )
        numbers, order = random.split(key)
        rank = fnp.argsort(fnp.argsort(random.uniform(order, shape), 0), 0)
        values = drawn(numbers, random.normal, shape, dtype_of(dtype, self.dtype)) * self.stddev
        return fnp.where(rank < math.ceil(self.sparsity * shape[0]), 0.0, values)
