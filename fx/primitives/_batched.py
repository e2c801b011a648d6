"""SciPy's routines for single matrices, over a batch, on the host: a device sends its matrices there and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def over_batch(
    xp: Any, compute: Callable[..., Any], operands: Sequence[Any], outs: Sequence[tuple[Any, Any]]
) -> tuple[Any, ...]:
    """`compute` of each matrix of a batch. outs: shape and dtype of every result for one matrix."""
    host = [x if xp is np else x.get() for x in operands]
    lead = host[0].shape[:-2]
    results = [np.zeros((*lead, *shape), dtype) for shape, dtype in outs]
    if all(r.size == 0 for r in results):
        return tuple(map(xp.asarray, results))
    for i in np.ndindex(lead):
        for r, value in zip(results, compute(*[x[i] for x in host]), strict=True):
            r[i] = value
    return tuple(map(xp.asarray, results))
