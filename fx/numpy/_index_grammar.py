"""NumPy's indexing grammar: an index becomes slices, a reshape, and index arrays for one gather.

Boolean masks become positions in their axes taken as one. The common shape of all index arrays goes by
NumPy's rule: in their place if they stand side by side, integers among them counted, else in front.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..core import errors
from ..core.array import Array, as_buffer, concrete
from ..core.devices import HOST, backend_of, current_device, move
from ..core.trace import Tracer
from ..primitives.indexing import MODES, gather, scatter
from ._index_basic import Basic
from ._index_entries import (
    consumed_axes,
    entry,
    in_bounds,
    refuse_array,
    refuse_integer,
    slice_bounds,
    true_positions,
)


class Index(NamedTuple):
    """A whole index: the basic part, then index arrays along `axes` of its result; `shape` of it all."""

    basic: Basic
    arrays: tuple[Any, ...]
    axes: tuple[int, ...]
    at: int
    mode: str
    shape: tuple[int, ...]
    unique: bool = False

    def read(self, x: Any, fill_value: Any = None) -> Any:
        """x at this index."""
        x = self.basic.read(x)
        if not self.arrays:
            return x
        return gather(x, *self.arrays, axes=self.axes, at=self.at, mode=self.mode, fill_value=fill_value)

    def write(self, x: Any, value: Any, op: str, unique: bool) -> Any:
        """x with `value` (of shape `self.shape`) set or combined at this index."""
        if not self.arrays:
            return self.basic.write(x, value, op)
        where = {"axes": self.axes, "at": self.at, "mode": self.mode}
        part = scatter(self.basic.read(x), value, *self.arrays, op=op, unique=unique or self.unique, **where)
        return self.basic.write(x, part, "set")


def parse(x: Any, index: Any, mode: str | None) -> Index:
    """An index on x taken apart.

    Raises:
        OutOfBoundsError: an index known now lies outside its axis, or there are more indices than axes.
        ShapeError: a mask or index array does not fit. DTypeError: an entry is no index.
        TracerError: a mask or a slice bound has no value here.
    """
    if mode is None:
        basic = basic_index(x.shape, index)
        if basic is not None:
            return Index(basic, (), (), 0, "promise_in_bounds", basic.shape)
        if type(index) in _ARRAYS and x.ndim and index.ndim and index.dtype.kind in "iu":
            return _one_array(x, index)
    entries = [entry(e) for e in (index if isinstance(index, tuple) else (index,))]
    parsed = _Parser(x.shape, checked_mode(mode)).run(entries)
    return parsed._replace(arrays=tuple([beside(x, a) for a in parsed.arrays]))


def _one_array(x: Any, index: Any) -> Index:
    """x[index] for one array of integers, without the walk."""
    basic = basic_index(x.shape, ())
    assert basic is not None
    mode = "promise_in_bounds" if checked(index, x.shape[0], 0, None) else "fill"
    return Index(basic, (beside(x, index),), (0,), 0, mode, (*index.shape, *x.shape[1:]))


def checked(array: Any, size: int, axis: int, mode: str | None) -> bool:
    """Whether an index array was checked: host arrays are now, others if mode='raise' asks for their values."""
    if mode == "raise":
        known = concrete(array, "mode='raise'")
        known = backend_of(known).to_host(known)
    else:
        known = as_buffer(array) if type(array) is not Tracer else None
    if known is None or backend_of(known) is not HOST:
        return False
    if not in_bounds(known, size):
        refuse_array(known, size, axis)
    return True


_ARRAYS = frozenset({np.ndarray, Array, Tracer})
_BASIC = frozenset({int, slice, type(None), type(Ellipsis)})
_known: dict[Any, Basic] = {}
_MOST_KNOWN = 20_000


def basic_index(shape: tuple[int, ...], index: Any) -> Basic | None:
    """The Basic, by a cache, of an index of Python ints, slices of them, None and Ellipsis; else None."""
    entries = index if type(index) is tuple else (index,)
    for e in entries:
        if type(e) not in _BASIC:
            return None
    key = (shape, *[(e.start, e.stop, e.step) if type(e) is slice else e for e in entries])
    try:
        found = _known.get(key)
    except TypeError:  # an array in a slice
        return None
    if found is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        found = _known[key] = _Parser(shape, None).run(list(entries)).basic
    return found


def checked_mode(mode: str | None) -> str | None:
    """The mode as primitives know it, None and "raise" excepted."""
    if isinstance(mode, str) and mode == "drop":
        return "fill"
    if mode is not None and (not isinstance(mode, str) or (mode != "raise" and mode not in MODES)):
        names = (*MODES, "drop", "raise")
        raise errors.ArgumentError(
            errors.lines(f"{errors.brief(mode)} is no indexing mode.", f"Choose one of {names} or None.")
        )
    return mode


def beside(x: Any, array: Any) -> Any:
    """A host index array on the device of x, or, where x is traced, on the default device."""
    buffer = array.buffer if type(array) is Array else array
    if type(buffer) is not np.ndarray:
        return array
    device = backend_of(x.buffer).device(x.buffer) if type(x) is Array else current_device()
    return array if device.platform == "cpu" else move(buffer, device)


class _Parser:
    """Walks the entries of one index from left to right."""

    def __init__(self, shape: tuple[int, ...], mode: str | None):
        self.source, self.mode = shape, mode
        self.axis = 0  # the next axis of x
        self.slices: list[tuple[int, int, int]] = []
        self.middle: list[int] = []  # shape of the basic result
        self.arrays: list[tuple[int, Any]] = []  # (axis of the basic result, index array)
        self.to_check: list[tuple[Any, int, int]] = []  # (index array, size and number of its axis)
        self.masks = 0
        self.first: int | None = None  # where the first index that counts as an array stands
        self.gap = self.apart = False  # something stood between two of them

    def run(self, entries: list[Any]) -> Index:
        advanced = any(
            not (e is None or e is Ellipsis or isinstance(e, (int, slice))) or type(e) is bool
            for e in entries
        )
        for e in self._expanded(entries):
            if e is None or e is Ellipsis or isinstance(e, slice):
                self._pass_by(e)
                continue
            if advanced:
                self.first = len(self.middle) if self.first is None else self.first
                self.apart = self.apart or self.gap
            self._pick(e)
        return self._result()

    def _expanded(self, entries: list[Any]) -> list[Any]:
        """The entries with the axes that Ellipsis stands for behind it, or those left out at the end."""
        dots = [i for i, e in enumerate(entries) if e is Ellipsis]
        if len(dots) > 1:
            raise errors.ArgumentError("An index can have only one Ellipsis (...).")
        missing = len(self.source) - sum(map(consumed_axes, entries))
        if missing < 0:
            raise errors.OutOfBoundsError(
                errors.lines(
                    f"Too many indices: {len(self.source) - missing} for an array of shape {self.source}.",
                    "None makes a new axis; the one value of an array of shape () is x[()].",
                )
            )
        at = dots[0] + 1 if dots else len(entries)
        return [*entries[:at], *[slice(None)] * missing, *entries[at:]]

    def _pass_by(self, e: Any) -> None:
        self.gap = self.first is not None
        if e is None:
            self.middle.append(1)
        elif e is not Ellipsis:
            start, stop, step = slice_bounds(e, self.source[self.axis])
            count = len(range(start, stop, step))
            self.slices.append((start, count, step))
            self.middle.append(count)
            self.axis += 1

    def _pick(self, e: Any) -> None:
        if type(e) is bool:
            self._look_up(np.zeros(int(e), np.int64), 1)
        elif type(e) is int:
            self._integer(e)
        elif e.dtype.kind == "b":
            self._mask(e)
        else:
            size = self.source[self.axis]
            self.to_check.append((e, size, self.axis))
            self._keep_axes(1)
            self._look_up(e, size)

    def _integer(self, i: int) -> None:
        size = self.source[self.axis]
        if self.mode == "wrap" and size:
            i %= size
        elif self.mode == "clip" and size:
            i = min(max(i, -size), size - 1)
        if -size <= i < size:
            self.slices.append((i % size, 1, 1))
            self.axis += 1
        elif self.mode in (None, "raise", "promise_in_bounds"):
            refuse_integer(i, size, self.axis)
        else:
            self._keep_axes(1)
            self._look_up(np.int64(size), size)  # any position outside will do

    def _mask(self, mask: Any) -> None:
        covered = self.source[self.axis : self.axis + mask.ndim]
        if tuple(mask.shape) != covered:
            raise errors.ShapeError(
                errors.lines(
                    f"A boolean index of shape {tuple(mask.shape)} meets axes of sizes {covered}.",
                    f"They are those of an array of shape {self.source}, from axis {self.axis} on.",
                )
            )
        self.masks += 1
        self._keep_axes(mask.ndim)
        self._look_up(true_positions(mask), math.prod(covered))

    def _keep_axes(self, count: int) -> None:
        self.slices += [(0, d, 1) for d in self.source[self.axis : self.axis + count]]
        self.axis += count

    def _look_up(self, array: Any, size: int) -> None:
        self.arrays.append((len(self.middle), array))
        self.middle.append(size)

    def _result(self) -> Index:
        basic = Basic(self.source, self.slices, tuple(self.middle))
        if not self.arrays:
            return Index(basic, (), (), 0, "promise_in_bounds", basic.shape)
        axes, arrays = zip(*self.arrays, strict=True)
        rest = [d for i, d in enumerate(self.middle) if i not in axes]
        at = 0 if self.apart else self.first or 0
        mode = self.mode
        common = common_shape(arrays)
        if mode in (None, "raise"):
            mode = "fill" if 0 in common or not self._all_checked() else "promise_in_bounds"
        shape = (*rest[:at], *common, *rest[at:])
        return Index(basic, arrays, axes, at, str(mode), shape, unique=self.masks == len(arrays) == 1)

    def _all_checked(self) -> bool:
        return all([checked(array, size, axis, self.mode) for array, size, axis in self.to_check])


def common_shape(arrays: Any) -> tuple[int, ...]:
    """The shape to which index arrays broadcast, or ShapeError."""
    shapes = [tuple(a.shape) for a in arrays]
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError:
        raise errors.ShapeError(
            errors.lines(
                f"Index arrays of shapes {', '.join(map(str, shapes))} do not broadcast to one shape.",
                "For every combination of them write x[i[:, None], j] or x[fx.numpy.ix_(i, j)].",
            )
        ) from None
