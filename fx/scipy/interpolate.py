"""Interpolation on a grid as SciPy's interpolate has it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from reprlib import repr as brief
from typing import Any

import numpy as np

from .. import ArgumentError, OutOfBoundsError, ShapeError, numpy as fnp


class RegularGridInterpolator:
    """Values on a rectangular grid of any spacing, interpolated anywhere.

    Args:
        points: one increasing (or decreasing) vector of coordinates per axis of the grid.
        values: (*grid, ...).
        method: 'linear' or 'nearest' (halfway: the lower one).
        bounds_error: True: points outside raise where they are known.
        fill_value: what points outside give; None extrapolates.

    >>> import fx, numpy as np
    >>> f = RegularGridInterpolator((np.array([0.0, 1.0, 3.0]),), np.array([0.0, 10.0, 50.0]))
    >>> f(np.array([[0.5], [2.0]]))
    Array([ 5., 30.], float64)
    """

    def __init__(
        self,
        points: Sequence[Any],
        values: Any,
        method: str = "linear",
        bounds_error: bool = False,
        fill_value: Any = fnp.nan,
    ):
        self.method = _method(method)
        self.values = fnp.asarray(values)
        if self.values.dtype.kind in "biu":
            self.values = self.values.astype(float)
        self.bounds_error, self.fill_value = bounds_error, fill_value
        if not isinstance(points, (list, tuple)) or not points:
            raise ArgumentError(
                f"RegularGridInterpolator: points must be a tuple of coordinates, one per axis; got {brief(points)}."
            )
        self.grid = [fnp.asarray(p) for p in points]
        self._check()

    def _check(self) -> None:
        if len(self.grid) > self.values.ndim:
            raise ShapeError(
                f"There are {len(self.grid)} coordinates for values of shape {self.values.shape}."
            )
        for i, p in enumerate(self.grid):
            if p.ndim != 1 or p.shape[0] != self.values.shape[i]:
                raise ShapeError(f"Coordinates {i} of shape {p.shape} do not fit values {self.values.shape}.")
        ordered = [_direction(p) for p in self.grid]
        if 0 in ordered:
            raise ArgumentError(f"Coordinates {ordered.index(0)} neither increase nor decrease strictly.")
        for i, way in enumerate(ordered):
            if way < 0:
                self.grid[i], self.values = fnp.flip(self.grid[i]), fnp.flip(self.values, i)

    def __call__(self, xi: Any, method: str | None = None) -> Any:
        """Values at xi: (..., axes of the grid), or a tuple of coordinates that broadcast; (..., *rest of values)."""
        way = self.method if method is None else _method(method)
        x = _stacked(xi, len(self.grid))
        lead = x.shape[:-1]
        columns = [x[..., i].reshape(-1) for i in range(len(self.grid))]
        places = [_place(p, c) for p, c in zip(self.grid, columns, strict=True)]
        self._refuse_outside(columns)
        out = self._nearest(places) if way == "nearest" else self._linear(places)
        rest = self.values.shape[len(self.grid) :]
        if self.fill_value is not None:
            outside = fnp.zeros(columns[0].shape, bool)
            for p, c in zip(self.grid, columns, strict=True):
                outside = outside | (c < p[0]) | (c > p[-1])
            outside = outside.reshape(outside.shape + (1,) * len(rest))
            out = fnp.where(outside, fnp.asarray(self.fill_value).astype(out.dtype), out)
        return out.reshape(lead + rest)

    def _refuse_outside(self, columns: list[Any]) -> None:
        if not self.bounds_error:
            return
        for i, (p, c) in enumerate(zip(self.grid, columns, strict=True)):
            if bool(fnp.any((c < p[0]) | (c > p[-1]))):
                raise OutOfBoundsError(
                    f"A point lies outside coordinates {i}.\nWith bounds_error=False it gives fill_value."
                )

    def _linear(self, places: list[Any]) -> Any:
        rank = self.values.ndim - len(self.grid)
        total: Any = 0
        for corner in itertools.product((0, 1), repeat=len(places)):
            index = tuple(i + side for (i, _), side in zip(places, corner, strict=True))
            weight: Any = 1
            for (_, part), side in zip(places, corner, strict=True):
                weight = weight * (part if side else 1 - part)
            total = total + self.values[index] * weight.reshape(weight.shape + (1,) * rank)
        return total

    def _nearest(self, places: list[Any]) -> Any:
        return self.values[tuple(fnp.where(part <= 0.5, i, i + 1) for i, part in places)]


def _method(method: Any) -> str:
    if not isinstance(method, str) or method not in ("linear", "nearest"):
        raise ArgumentError(f"RegularGridInterpolator: method={brief(method)}; choose 'linear' or 'nearest'.")
    return str(method)


def _direction(p: Any) -> int:
    """1 for increasing, -1 for decreasing coordinates, 0 for neither."""
    steps = np.diff(np.asarray(p))
    return 1 if (steps > 0).all() else -1 if (steps < 0).all() else 0


def _place(p: Any, c: Any) -> tuple[Any, Any]:
    """The number of the cell that c lies in (the outermost for points outside), and how far in it."""
    i = fnp.clip(fnp.searchsorted(p, c, side="right") - 1, 0, p.shape[0] - 2)
    return i, (c - p[i]) / (p[i + 1] - p[i])


def _stacked(xi: Any, axes: int) -> Any:
    x = fnp.stack(fnp.broadcast_arrays(*xi), -1) if isinstance(xi, tuple) else fnp.asarray(xi)
    x = x.astype(float) if x.dtype.kind in "biu" else x
    if x.ndim == 1 and axes > 1:
        x = x[None]
    elif x.ndim == 1:
        x = x[:, None]
    if x.shape[-1] != axes:
        raise ShapeError(f"Points of shape {x.shape} do not have {axes} coordinates each.")
    return x
