"""`x.at[index]`: changed copies of immutable arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import errors, static
from ..core.array import Array
from ..core.devices import is_buffer
from ..primitives import elementwise as el
from ..primitives.shape import full, reshape
from . import _arithmetic as ar
from ._arguments import host_array
from ._index_basic import COMBINE
from ._index_grammar import beside, parse
from ._index_values import fitting_value, spread_value, static_fill


def at(x: Array) -> AtIndexer:
    """Changed copies: `x.at[index].set(v)`, `.add`, `.multiply`, `.min`, `.max`...; `.get` reads.

    >>> import fx
    >>> fx.numpy.zeros(4).at[1:3].set(5)
    Array([0., 5., 5., 0.], float32)
    """
    return AtIndexer(x)


class AtIndexer:
    """What `x.at` is: waits for an index."""

    __slots__ = ("x",)
    __iter__ = None  # with __getitem__ alone Python would iterate for ever

    def __init__(self, x: Array):
        self.x = x

    def __getitem__(self, index: Any) -> At:
        return At(self.x, index)

    def __repr__(self) -> str:
        return f"<at of {self.x.aval}: write x.at[index].set(value)>"


def _update(op: str, doc: str, how: str = "_combine") -> Any:
    """A method that sets or combines values, by the method named `how`."""

    def method(
        self: At,
        value: Any,
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Array:
        return getattr(self, how)(op, value, mode, unique_indices)

    method.__name__, method.__qualname__, method.__doc__ = op, f"At.{op}", doc
    return method


class At:
    """x at an index. Every method returns a new array.

    `value` broadcasts to the indexed shape and takes the dtype of x (DTypeError where that would cut it, as
    a float in integers). Every one of several equal indices counts. `mode` is for indices outside x: "drop"
    (or "fill") ignores their updates, "clip" and "wrap" move them inside, "promise_in_bounds" is undefined;
    the default is an error where the index is known now, else "drop". `unique_indices` promises that no index
    comes twice, which is faster; `indices_are_sorted` is accepted and not needed.
    """

    __slots__ = ("index", "x")

    def __init__(self, x: Array, index: Any):
        self.x, self.index = x, index

    set = _update("set", "x with `value` there; of several equal indices the last one wins.")
    add = _update("add", "x with `value` added there.")
    subtract = _update("subtract", "x with `value` subtracted there.", "_subtract")
    multiply = mul = _update("multiply", "x multiplied by `value` there.")
    divide = _update("divide", "x divided by `value` there; not for integers.", "_divide")
    power = _update("power", "x to the power of `value` there.", "_power")
    min = _update("min", "The smaller of x and `value` there.")
    max = _update("max", "The larger of x and `value` there.")

    def get(
        self,
        *,
        mode: str | None = None,
        fill_value: Any = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Array:
        """x[index], where `mode` says what is read outside; see `getitem`."""
        return parse(self.x, self.index, mode).read(self.x, static_fill(fill_value, self.x.dtype))

    def apply(
        self,
        func: Callable[[Array], Array],
        *,
        mode: str | None = None,
        unique_indices: bool = False,
        indices_are_sorted: bool = False,
    ) -> Array:
        """x with `func(x[index])` there: once, also where an index comes twice."""
        static.function(func, "x.at[...].apply: func")
        return self.set(func(self.get(mode=mode)), mode=mode, unique_indices=unique_indices)

    def _combine(self, op: str, value: Any, mode: str | None, unique: bool) -> Array:
        x = self.x
        if isinstance(value, (list, tuple)):
            value = beside(x, host_array(value, f"x.at[...].{op}: the value"))
        value = fitting_value(value, x.dtype, f"x.at[...].{op}")
        mask = self._mask_for(value)
        if mask is not None:
            return el.select(mask, value if op == "set" else COMBINE[op](x, value), x)
        index = parse(x, self.index, mode)
        out = index.write(x, spread_value(value, index.shape), op, unique)
        return out if isinstance(out, Array) else Array(out)

    def _mask_for(self, value: Any) -> Any:
        """A boolean index whose value does not run along it, ready for select, which takes traced ones."""
        mask, x = self.index, self.x
        if not (isinstance(mask, Array) or is_buffer(mask)) or mask.dtype.kind != "b" or mask.ndim == 0:
            return None
        rest = x.ndim - mask.ndim
        if tuple(mask.shape) != x.shape[: mask.ndim] or len(value.shape) > rest:
            return None
        spread_value(value, x.shape[mask.ndim :])
        return reshape(beside(x, mask), (*mask.shape, *[1] * rest))

    def _subtract(self, op: str, value: Any, mode: str | None, unique: bool) -> Array:
        value = fitting_value(value, self._number_dtype(op), "x.at[...].subtract")
        return self._combine("add", el.neg(value), mode, unique)

    def _divide(self, op: str, value: Any, mode: str | None, unique: bool) -> Array:
        if not self.x.aval.inexact:
            raise errors.DTypeError(
                errors.lines(
                    f"x.at[...].divide: quotients do not fit into an array of dtype {self.x.dtype}.",
                    "Write x.astype(float).at[i].divide(d), or x.at[i].apply(lambda v: v // d).",
                )
            )
        return self._by_factor(ar.divide, op, value, mode, unique)

    def _power(self, op: str, value: Any, mode: str | None, unique: bool) -> Array:
        return self._by_factor(ar.power, op, value, mode, unique)

    def _by_factor(self, function: Any, op: str, value: Any, mode: str | None, unique: bool) -> Array:
        """function(x, factors) where the index points; factors of equal indices are multiplied first."""
        x, dtype = self.x, self._number_dtype(op)
        value = fitting_value(value, dtype, f"x.at[...].{op}")
        factors = At(full(x.shape, 1, dtype), self.index)._combine("multiply", value, mode, unique)
        chosen = At(full(x.shape, False, np.bool_), self.index)._combine("set", True, mode, unique)
        changed = function(el.select(chosen, x, dtype.type(1)), factors)
        return el.select(chosen, changed, x)

    def _number_dtype(self, op: str) -> np.dtype[Any]:
        if self.x.dtype.kind == "b":
            raise errors.DTypeError(
                f"x.at[...].{op} is not defined for booleans; set the result of a logical operation."
            )
        return self.x.dtype
