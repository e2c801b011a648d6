"""Vector quantization as SciPy's cluster.vq has it."""

from __future__ import annotations

from typing import Any

from ... import ShapeError, numpy as fnp


def vq(obs: Any, code_book: Any, check_finite: bool = True) -> tuple[Any, Any]:
    """The nearest code of every observation, and its distance.

    Args:
        obs: (m, n), or (m,) numbers. code_book: (k, n), or (k,).
        check_finite: accepted; distances to NaN are NaN.

    Returns:
        (codes, distances), (m,) each: int32 and floats. Distances are differentiable.
    """
    x, codes = fnp.asarray(obs), fnp.asarray(code_book)
    if x.ndim not in (1, 2) or x.ndim != codes.ndim or x.shape[1:] != codes.shape[1:]:
        raise ShapeError(f"vq takes (m, n) and (k, n); got {x.shape} and {codes.shape}.")
    if x.ndim == 1:
        x, codes = x[:, None], codes[:, None]
    distances = fnp.linalg.norm(x[:, None, :] - codes[None, :, :], axis=-1)
    nearest = fnp.argmin(distances, axis=-1)
    return nearest.astype("int32"), fnp.take_along_axis(distances, nearest[:, None], axis=1)[:, 0]
