"""Draws of vectors and matrices: multivariate_normal, orthogonal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..primitives.contraction import contract
from ..primitives.elementwise import add, eq, mul, select, sign, sqrt
from ..primitives.families import expand
from ..primitives.linalg import cholesky
from ..primitives.promotion import promote
from ..primitives.reductions import reduce_sum
from ..primitives.shape import iota, move_axis, reshape
from ..primitives.spectral import eigh, qr, svd
from ._arguments import describe, float_dtype, static_int, static_shape
from ._continuous import normal_draws
from ._keys import key_words

_METHODS = ("cholesky", "eigh", "svd")


def multivariate_normal(
    key: Any, mean: Any, cov: Any, shape: Any = None, dtype: Any = None, method: str = "cholesky"
) -> Any:
    """Normal vectors of the given mean and covariance: mean + F n with F F^T = cov, n standard normal.

    Args:
        mean: (..., n); cov: (..., n, n), positive definite (for "eigh" and "svd": semidefinite). Gradients flow to
            both.
        shape: of the batch of vectors, to which the leading axes of both broadcast; None: what they broadcast to.
        dtype: of the normal numbers; None: that of mean and cov.
        method: how cov is factored: "cholesky", "eigh" or "svd". The last two choose signs of their own.

    Returns:
        (*shape, n).
    """
    words = key_words("multivariate_normal", key)
    if not isinstance(method, str) or method not in _METHODS:
        raise errors.ArgumentError(
            errors.lines(
                f"multivariate_normal: there is no method {errors.brief(method)}.",
                f"Choose one of {_METHODS}.",
            )
        )
    mean, cov = promote(mean, cov, inexact=True)
    n = _check_moments(mean, cov)
    batch = _batch_shape(shape, mean, cov)
    draws = normal_draws(
        words, (*batch, n), mean.dtype if dtype is None else float_dtype("multivariate_normal", dtype)
    )
    factor, draws, mean = promote(_factor(cov, method), draws, mean)
    return add(mean, _applied(factor, draws, batch, n))


def _check_moments(mean: Any, cov: Any) -> int:
    n = mean.shape[-1] if getattr(mean, "shape", ()) else None
    if n is None or tuple(getattr(cov, "shape", ()))[-2:] != (n, n):
        raise errors.ShapeError(
            errors.lines(
                f"multivariate_normal: mean is {describe(mean)}, cov is {describe(cov)}.",
                "mean must have shape (..., n) and cov (..., n, n).",
            )
        )
    if dtypes.is_complex(mean.dtype):
        raise errors.DTypeError(f"multivariate_normal: mean and cov must be real; cov is {describe(cov)}.")
    return int(n)


def _batch_shape(shape: Any, mean: Any, cov: Any) -> tuple[int, ...]:
    own = (tuple(mean.shape[:-1]), tuple(cov.shape[:-2]))
    try:
        common = np.broadcast_shapes(*own)
        batch = common if shape is None else static_shape("multivariate_normal", shape)
        if np.broadcast_shapes(batch, common) == batch:
            return batch
    except ValueError:
        pass
    raise errors.ShapeError(
        errors.lines(
            f"multivariate_normal: the batch axes {own[0]} of mean and {own[1]} of cov do not broadcast to {shape}.",
            "shape is that of the batch, without the last axis.",
        )
    )


def _factor(cov: Any, method: str) -> Any:
    if method == "cholesky":
        return cholesky(cov)
    if method == "eigh":
        squares, vectors = eigh(cov)
    else:
        vectors, squares, _ = svd(cov)
    return mul(vectors, sqrt(reshape(squares, (*squares.shape[:-1], 1, squares.shape[-1]))))


def _applied(factor: Any, draws: Any, batch: tuple[int, ...], n: int) -> Any:
    """factor times every vector; factor: (..., n, n), draws: (*batch, n)."""
    size = math.prod(batch)
    if math.prod(factor.shape[:-2]) == 1:
        product = contract(reshape(draws, (size, n)), reshape(factor, (n, n)), "bj,ij->bi")
    else:
        factors = reshape(expand(factor, (*batch, n, n)), (size, n, n))
        product = contract(factors, reshape(draws, (size, n)), "bij,bj->bi")
    return reshape(product, (*batch, n))


def orthogonal(key: Any, n: Any, shape: Any = (), dtype: Any = None, m: Any = None) -> Any:
    """Orthogonal matrices (unitary ones of a complex dtype), uniformly distributed; (*shape, n, m).

    With m != n, matrices of orthonormal rows or columns, whichever are fewer. Source: Mezzadri, "How to generate
    random matrices from the classical compact groups" (Notices of the AMS 54, 2007).
    """
    words = key_words("orthogonal", key)
    dtype = float_dtype("orthogonal", dtype, inexact=True)
    shape = static_shape("orthogonal", shape)
    rows, columns = _size("n", n), _size("m", n if m is None else m)
    tall, short = max(rows, columns), min(rows, columns)
    if short == 0:
        return normal_draws(words, (*shape, rows, columns), dtype)
    q, r = qr(normal_draws(words, (*shape, tall, short), dtype))
    k, square = len(shape), (short, short)
    diagonal = eq(iota(square, 0, np.int32), iota(square, 1, np.int32))
    signs = sign(reduce_sum(select(diagonal, r, dtype.type(0)), axes=(k,)))
    x = mul(q, reshape(signs, (*shape, 1, short)))
    return move_axis(x, k + 1, k) if rows < columns else x


def _size(what: str, n: Any) -> int:
    size = static_int(n, f"orthogonal: {what}")
    if size < 0:
        raise errors.ArgumentError(f"orthogonal: {what} must not be negative; got {size}.")
    return size
