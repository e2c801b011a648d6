"""What control flow over a batch needs where its elements go different ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.avals import DYNAMIC
from ..core.primitive import Axis
from ..core.program import Program
from ..core.transforms.vmap import mentions_axis
from .dynamic_slicing import dynamic_slice
from .elementwise import select
from .markers import stop_gradient_p
from .reductions import argmax
from .shape import reshape


def lend(values: Sequence[Any], dims: Sequence[int | None], mask: Any) -> list[Any]:
    """Values in which each element outside the mask stands in with those of the first one inside.

    What elements outside give is thrown away, but must be harmless: a loop body applied beyond its last trip, or a
    branch not taken, may divide by zero, and 0 * nan is nan in the derivative. What a loop stacked for a number of
    trips that only the run knows is as it is: the loop lent when it did so.
    """
    if mask.shape[0] == 0:
        return list(values)
    donor = argmax(mask, axis=0, dtype=np.dtype("int64"))
    lent = []
    for x, d in zip(values, dims, strict=True):
        if d is not None and DYNAMIC not in x.shape:
            start = [donor if i == d else np.int64(0) for i in range(x.ndim)]
            row = dynamic_slice(x, *start, sizes=tuple(1 if i == d else n for i, n in enumerate(x.shape)))
            along = reshape(mask, [n if i == d else 1 for i, n in enumerate(x.shape)])
            x = select(along, x, stop_gradient_p(row))
        lent.append(x)
    return lent


def column(mask: Any, rank: int) -> Any:
    """A mask over the leading axis, shaped to broadcast against `rank` axes."""
    return reshape(mask, (mask.shape[0], *[1] * (rank - 1)))


def has_collective(program: Program, axis: Axis) -> bool:
    """Whether elements of the batch meet inside: then each must bring its own values."""
    return axis.name is not None and mentions_axis({"program": program}, axis.name)
