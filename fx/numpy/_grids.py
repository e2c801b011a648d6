"""Objects that are indexed: mgrid, ogrid, r_, c_, s_, index_exp; and ix_."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array
from ..primitives import shape as sh
from ..primitives.promotion import is_scalar, promote
from ._arguments import operand
from ._creation import asarray
from ._joining import concatenate, stack
from ._native import EVERY, natively
from ._ranges import arange, linspace, meshgrid
from ._searching import flatnonzero


@natively(np.ix_, EVERY, data=64, view=True)
def ix_(*args: Any) -> tuple[Array, ...]:
    """Index arrays that pick a sub-grid: x[ix_([0, 2], [1, 3])] has rows 0 and 2, columns 1 and 3."""
    lines = [
        asarray(x, dtypes.int64) if isinstance(x, (list, tuple)) and not len(x) else asarray(x) for x in args
    ]
    if any(x.ndim != 1 for x in lines):
        raise errors.ShapeError(
            f"ix_ takes sequences along one axis; the shapes are {[x.shape for x in lines]}."
        )
    lines = [flatnonzero(x) if x.dtype.kind == "b" else x for x in lines]
    rank = len(lines)
    return tuple(
        sh.reshape(x, tuple(x.size if i == p else 1 for i in range(rank))) for p, x in enumerate(lines)
    )


class Grid:
    """`mgrid[0:2, 0:3]`: coordinates along every axis of a grid, whole or (`ogrid`) one thin array per axis.

    A slice counts as `arange(start, stop, step)`; an imaginary step is a number of points of `linspace`.
    """

    def __init__(self, name: str, sparse: bool):
        self.name, self.sparse = name, sparse

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return self._line(key)
        lines = [operand(x, self.name) for x in promote(*map(self._line, key))]
        grid = meshgrid(*lines, indexing="ij", sparse=self.sparse)
        return grid if self.sparse else stack(grid)

    def _line(self, key: Any) -> Array:
        if not isinstance(key, slice) or key.stop is None:
            raise errors.ArgumentError(f"{self.name} takes slices with a stop: {self.name}[0:2, 0:1:5j].")
        start = 0 if key.start is None else key.start
        if isinstance(key.step, complex):
            return linspace(start, key.stop, int(abs(key.step)))
        return arange(start, key.stop, 1 if key.step is None else key.step)

    def __repr__(self) -> str:
        return f"fx.numpy.{self.name}"


class Joiner:
    """`r_[0:3, 7, x]`: slices, numbers and arrays joined along the first axis; `c_` joins them as columns."""

    def __init__(self, name: str, columns: bool):
        self.name, self.columns = name, columns

    def __getitem__(self, key: Any) -> Array:
        parts = promote(*[self._part(k) for k in (key if isinstance(key, tuple) else (key,))])
        return concatenate([self._line(operand(x, self.name)) for x in parts], -1 if self.columns else 0)

    def _part(self, key: Any) -> Any:
        if isinstance(key, str):
            raise errors.ArgumentError(
                f"{self.name} takes no strings; write concatenate or stack with an axis."
            )
        if isinstance(key, slice):
            return Grid(self.name, True)[key]
        return key if is_scalar(key) else asarray(key)

    def _line(self, x: Array) -> Array:
        x = sh.reshape(x, (1,)) if x.ndim == 0 else x
        return sh.reshape(x, (x.size, 1)) if self.columns and x.ndim == 1 else x

    def __repr__(self) -> str:
        return f"fx.numpy.{self.name}"


r_, c_ = Joiner("r_", False), Joiner("c_", True)
mgrid, ogrid = Grid("mgrid", False), Grid("ogrid", True)
s_, index_exp = np.s_, np.index_exp
