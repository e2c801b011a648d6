"""Products of arrays that are stored small, with a scale for every block of numbers."""

from __future__ import annotations

from typing import Any

import fx
import fx.numpy as fnp


def scaled_matmul(
    lhs: Any, rhs: Any, lhs_scales: Any, rhs_scales: Any, preferred_element_type: Any = fnp.float32
) -> fx.Array:
    """lhs @ rhs.T per batch, where scales multiply the blocks of the axis that is summed over.

    Every block of K / K_l numbers of lhs, and of K / K_r of rhs, has one scale.

    Args:
        lhs: (B, M, K). rhs: (B, N, K). lhs_scales: (B, M, K_l). rhs_scales: (B, N, K_r); K_l and K_r divide K.
        preferred_element_type: the dtype of the product.

    Returns:
        (B, M, N).

    Raises:
        ShapeError: the shapes do not fit.

    >>> import fx
    >>> a, half = fx.numpy.asarray([[[1.0, 2.0, 3.0]]]), fx.numpy.full((1, 1, 1), 0.5)
    >>> scaled_matmul(a, a, half, half)
    Array([[[3.5]]], float32)
    """
    arrays = [x if isinstance(x, fx.Array) else fnp.asarray(x) for x in (lhs, rhs, lhs_scales, rhs_scales)]
    _check(*(x.shape for x in arrays))
    a, b, a_scales, b_scales = (x.astype(preferred_element_type) for x in arrays)
    return _unpacked(a, a_scales) @ fnp.swapaxes(_unpacked(b, b_scales), 1, 2)


def _unpacked(x: fx.Array, scales: fx.Array) -> fx.Array:
    batch, rows, blocks = scales.shape
    return (x.reshape((batch, rows, blocks, -1)) * scales[..., None]).reshape(x.shape)


def _check(a: Any, b: Any, a_scales: Any, b_scales: Any) -> None:
    fits = all(len(shape) == 3 for shape in (a, b, a_scales, b_scales)) and (a[0], a[2]) == (b[0], b[2])
    fits = fits and all(
        x[:2] == scales[:2] and scales[2] and x[2] % scales[2] == 0
        for x, scales in ((a, a_scales), (b, b_scales))
    )
    if not fits:
        raise fx.ShapeError(
            f"scaled_matmul: lhs {a}, rhs {b}, lhs_scales {a_scales} and rhs_scales {b_scales} do not fit.\n"
            "They are (B, M, K), (B, N, K), (B, M, K / block) and (B, N, K / block)."
        )
