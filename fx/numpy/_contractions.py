"""Sums of products: matmul, dot and relatives, all by way of the `contract` primitive."""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..core import errors
from ..core.array import Array
from ..core.trace import bind
from ..primitives import elementwise as el
from ..primitives.contraction import contract, contract_p
from ..primitives.promotion import promote
from ..primitives.shape import concatenate, move_axis, reshape, slice_axis
from . import _on_host as host
from ._arguments import common_shape, one_axis, operand, sequence, static_int
from ._native import INEXACT, natively

_PLAIN = {(2, 2): "ij,jk->ik", (2, 1): "ij,j->i", (1, 2): "j,jk->k", (1, 1): "j,j->"}


def pair(x: Any, y: Any, name: str) -> tuple[Array, Array]:
    """Both as Arrays of their common dtype."""
    if isinstance(x, Array) and isinstance(y, Array) and x.dtype == y.dtype:
        return x, y
    x, y = promote(x, y)
    return operand(x, name), operand(y, name)


@natively(np.matmul, INEXACT)
def matmul(x: Any, y: Any, /) -> Array:
    """Matrix product over the last axis of x and the last but one of y; other axes broadcast.

    x: (..., m, k) or (k,), y: (..., k, n) or (k,). An operand of one axis is a vector and its axis disappears.
    """
    x, y = pair(x, y, "matmul")
    ranks = len(x.shape), len(y.shape)
    if 0 in ranks or x.shape[-1] != y.shape[-2 if ranks[1] > 1 else 0]:
        _refuse_matmul(x, y)
    spec = _PLAIN.get(ranks)
    if spec is not None:
        return bind(contract_p, x, y, spec=spec)
    return _batched(x, y, "mk"[-min(ranks[0], 2) :], "kn"[: min(ranks[1], 2)])


def _refuse_matmul(x: Array, y: Array) -> None:
    raise errors.ShapeError(
        errors.lines(
            f"matmul: shapes {x.shape} and {y.shape} do not fit.",
            "The last axis of the left and the last but one of the right operand must have one size.",
            "Multiply by scalars with *." if not (x.shape and y.shape) else None,
        )
    )


def _batched(x: Array, y: Array, left: str, right: str) -> Array:
    """The product over index k with named core axes; the axes before them broadcast."""
    lead_x, lead_y = x.shape[: x.ndim - len(left)], y.shape[: y.ndim - len(right)]
    lead = common_shape("matmul", lead_x, lead_y)
    names = string.ascii_uppercase[: len(lead)]
    if len(names) < len(lead):
        raise errors.ShapeError(f"matmul: {x.aval} and {y.aval} have too many axes.")
    x, in_x = _without_repeated(x, lead_x, lead, names)
    y, in_y = _without_repeated(y, lead_y, lead, names)
    core = "".join(i for i in left + right if i in "mn")
    return contract(x, y, f"{in_x}{left},{in_y}{right}->{names}{core}")


def _without_repeated(
    x: Array, lead: tuple[int, ...], common: tuple[int, ...], names: str
) -> tuple[Array, str]:
    """x without the leading axes of size 1 that broadcasting would repeat, and the names of those that stay."""
    skip = len(common) - len(lead)
    kept = [i for i, d in enumerate(lead) if d == common[skip + i]]
    shape = (*[lead[i] for i in kept], *x.shape[len(lead) :])
    return reshape(x, shape), "".join(names[skip + i] for i in kept)


@natively(np.vecdot, INEXACT)
def vecdot(x: Any, y: Any, /, *, axis: int = -1) -> Array:
    """sum(conj(x) * y) over one axis; the others broadcast. x, y: (..., k)."""
    x, y = pair(x, y, "vecdot")
    x = move_axis(x, one_axis(axis, x.ndim, "vecdot"), x.ndim - 1)
    y = move_axis(y, one_axis(axis, y.ndim, "vecdot"), y.ndim - 1)
    if x.shape[-1] != y.shape[-1]:
        raise errors.ShapeError(f"vecdot: shapes {x.shape} and {y.shape} differ in the summed axis.")
    return _batched(_conj(x), y, "k", "k")


@natively(np.matvec, INEXACT)
def matvec(x: Any, y: Any, /) -> Array:
    """Matrices times vectors. x: (..., m, k), y: (..., k)."""
    x, y = pair(x, y, "matvec")
    if x.ndim < 2 or y.ndim < 1 or x.shape[-1] != y.shape[-1]:
        raise errors.ShapeError(f"matvec takes (..., m, k) and (..., k); got {x.shape} and {y.shape}.")
    return _batched(x, y, "mk", "k")


@natively(np.vecmat, INEXACT)
def vecmat(x: Any, y: Any, /) -> Array:
    """Conjugated vectors times matrices. x: (..., k), y: (..., k, n)."""
    x, y = pair(x, y, "vecmat")
    if x.ndim < 1 or y.ndim < 2 or x.shape[-1] != y.shape[-2]:
        raise errors.ShapeError(f"vecmat takes (..., k) and (..., k, n); got {x.shape} and {y.shape}.")
    return _batched(_conj(x), y, "k", "kn")


def _conj(x: Array) -> Array:
    return el.conj(x) if x.dtype.kind == "c" else x


@natively(np.dot, INEXACT, data=2)
def dot(x: Any, y: Any, /) -> Array:
    """NumPy's dot: product with a scalar, else the sum over the last axis of x and the last but one of y.

    x: (..., k), y: (..., k, n) or (k,). The result has all other axes of x, then all other axes of y.
    """
    x, y = pair(x, y, "dot")
    if x.ndim == 0 or y.ndim == 0:
        return el.mul(x, y)
    return tensordot(x, y, ((x.ndim - 1,), (max(y.ndim - 2, 0),)))


@natively(np.inner, INEXACT, data=2)
def inner(x: Any, y: Any, /) -> Array:
    """Sum of products over the last axes of both; product if one is a scalar."""
    x, y = pair(x, y, "inner")
    if x.ndim == 0 or y.ndim == 0:
        return el.mul(x, y)
    return tensordot(x, y, ((x.ndim - 1,), (y.ndim - 1,)))


@natively(np.vdot, INEXACT, data=2)
def vdot(x: Any, y: Any, /) -> Array:
    """sum(conj(x) * y) over all elements of both, which have one size."""
    x, y = pair(x, y, "vdot")
    x, y = reshape(x, (x.size,)), reshape(y, (y.size,))
    return tensordot(_conj(x), y, 1)


@natively(np.outer, INEXACT, data=2)
def outer(x: Any, y: Any, /) -> Array:
    """All products of an element of x with one of y. Both are flattened; the result is (x.size, y.size)."""
    x, y = pair(x, y, "outer")
    return contract(reshape(x, (x.size,)), reshape(y, (y.size,)), "i,j->ij")


@natively(host.tensordot, INEXACT, data=2)
def tensordot(x: Any, y: Any, /, axes: Any = 2) -> Array:
    """Sum of products over paired axes.

    Args:
        axes: how many last axes of x meet the first ones of y, or a pair of axis (tuples) to be paired in order.
    """
    x, y = pair(x, y, "tensordot")
    left, right = _paired_axes(axes, x, y)
    if len(left) != len(right) or any(x.shape[a] != y.shape[b] for a, b in zip(left, right, strict=False)):
        raise errors.ShapeError(
            f"tensordot: axes {left} of shape {x.shape} and axes {right} of shape {y.shape} do not pair up."
        )
    return contract(x, y, _tensordot_spec(x.ndim, y.ndim, left, right))


def _paired_axes(axes: Any, x: Array, y: Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if not isinstance(axes, Sequence):
        n = static_int(axes, "tensordot: axes")
        if not 0 <= n <= min(x.ndim, y.ndim):
            raise errors.ShapeError(f"tensordot: {n} axes cannot pair shapes {x.shape} and {y.shape}.")
        return tuple(range(x.ndim - n, x.ndim)), tuple(range(n))
    if len(axes) != 2:
        raise errors.ArgumentError(f"tensordot: axes must be a number or a pair; got {errors.brief(axes)}.")
    sides = [a if isinstance(a, Sequence) else (a,) for a in axes]
    left = tuple(one_axis(a, x.ndim, "tensordot") for a in sides[0])
    return left, tuple(one_axis(a, y.ndim, "tensordot") for a in sides[1])


@lru_cache(1024)
def _tensordot_spec(rank_x: int, rank_y: int, left: tuple[int, ...], right: tuple[int, ...]) -> str:
    names = iter(string.ascii_letters)
    x = [next(names) for _ in range(rank_x)]
    y = [x[left[right.index(j)]] if j in right else next(names) for j in range(rank_y)]
    out = [i for i in x if i not in y] + [j for j in y if j not in x]
    return f"{''.join(x)},{''.join(y)}->{''.join(out)}"


@natively(np.kron, INEXACT, data=2)
def kron(x: Any, y: Any, /) -> Array:
    """The Kronecker product: y repeated and scaled by the elements of x."""
    x, y = pair(x, y, "kron")
    rank = max(x.ndim, y.ndim)
    x = reshape(x, (*[1] * (rank - x.ndim), *x.shape))
    y = reshape(y, (*[1] * (rank - y.ndim), *y.shape))
    wide_x = reshape(x, tuple(n for d in x.shape for n in (d, 1)))
    wide_y = reshape(y, tuple(n for d in y.shape for n in (1, d)))
    return reshape(el.mul(wide_x, wide_y), tuple(a * b for a, b in zip(x.shape, y.shape, strict=True)))


@natively(host.cross, INEXACT, data=2)
def cross(
    x: Any, y: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """The vector product along one axis of size 3; the other axes broadcast."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = pair(x, y, "cross")
    x = move_axis(x, one_axis(axisa, x.ndim, "cross"), x.ndim - 1)
    y = move_axis(y, one_axis(axisb, y.ndim, "cross"), y.ndim - 1)
    if x.shape[-1] != 3 or y.shape[-1] != 3:
        raise errors.ShapeError(f"cross takes vectors of 3 components; got {x.shape[-1]} and {y.shape[-1]}.")
    x1, x2, x3 = (slice_axis(x, i, i + 1, x.ndim - 1) for i in range(3))
    y1, y2, y3 = (slice_axis(y, i, i + 1, y.ndim - 1) for i in range(3))
    out = concatenate([x2 * y3 - x3 * y2, x3 * y1 - x1 * y3, x1 * y2 - x2 * y1], max(x.ndim, y.ndim) - 1)
    return move_axis(out, out.ndim - 1, one_axis(axisc, out.ndim, "cross"))


def multi_dot(arrays: Sequence[Any]) -> Array:
    """The product of two or more matrices in the cheapest order; the first and last may be vectors."""
    parts = [operand(x, "multi_dot") for x in promote(*sequence(arrays, "multi_dot"))]
    if len(parts) < 2:
        raise errors.ArgumentError("multi_dot takes at least two arrays.")
    ranks = [x.ndim for x in parts]
    if any(r != 2 for r in ranks[1:-1]) or ranks[0] not in (1, 2) or ranks[-1] not in (1, 2):
        raise errors.ShapeError(
            f"multi_dot takes matrices between its ends; the shapes are {[x.shape for x in parts]}."
        )
    first, last = ranks[0] == 1, ranks[-1] == 1
    sizes = [
        1 if first else parts[0].shape[0],
        *[x.shape[0] for x in parts[1:]],
        1 if last else parts[-1].shape[1],
    ]
    return _chain(parts, _split_points(tuple(sizes)), 0, len(parts) - 1)


def _chain(parts: list[Array], split: dict[tuple[int, int], int], i: int, j: int) -> Array:
    if i == j:
        return parts[i]
    k = split[i, j]
    return matmul(_chain(parts, split, i, k), _chain(parts, split, k + 1, j))


@lru_cache(256)
def _split_points(sizes: tuple[int, ...]) -> dict[tuple[int, int], int]:
    """Where to cut each product i..j; source: Cormen et al., Introduction to Algorithms, chapter 15.2."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    split = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = {
                k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)
            }
            split[i, j] = min(options, key=options.__getitem__)
            cost[i, j] = options[split[i, j]]
    return split
