"""`frompyfunc`, and the methods that NumPy's elementwise functions have: reduce, accumulate, outer, at, reduceat."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from ..core import dtypes, errors, static
from ..core.array import Array
from ..primitives import elementwise as el, shape as sh
from ..primitives.cumulative import cummax, cummin
from ..primitives.promotion import promote
from . import _arithmetic as ar, _elementary as em, _logic as lo, _parts as pa
from ._arguments import in_dtype, one_axis, operand, some_axes, to_dtype
from ._creation import asarray
from ._cumulative import cumprod, cumsum
from ._functional import vectorize
from ._reductions import all, any, kept_shape, max, min, prod, sum

_UNSET: Any = object()
_REDUCTIONS = {
    "add": sum,
    "multiply": prod,
    "maximum": max,
    "minimum": min,
    "logical_and": all,
    "logical_or": any,
}
_RUNNING: dict[str, Callable[..., Any]] = {
    "add": cumsum,
    "multiply": cumprod,
    "maximum": cummax,
    "minimum": cummin,
}
_UPDATES = {"add": "add", "subtract": "subtract", "multiply": "multiply", "maximum": "max", "minimum": "min"}
_IDENTITIES = {
    **{"add": 0, "multiply": 1, "logaddexp": -math.inf, "logaddexp2": -math.inf, "hypot": 0, "gcd": 0},
    **{"bitwise_and": -1, "bitwise_or": 0, "bitwise_xor": 0},
    **{"logical_and": True, "logical_or": False, "logical_xor": False},
}
_ASSOCIATIVE = {*_IDENTITIES, "maximum", "minimum", "fmax", "fmin", "lcm"}


class ufunc:
    """An elementwise function of broadcast arguments, made by `frompyfunc`, with NumPy's methods.

    Args:
        func: takes `nin` single values, returns `nout` (a tuple, if more than one).
        identity: what reduces nothing; None: reducing nothing is an error.
    """

    def __init__(
        self, func: Callable[..., Any], nin: int, nout: int, *, name: str | None = None, identity: Any = None
    ):
        static.function(func, "ufunc: func")
        self.nin, self.nout = static.integer(nin, "ufunc: nin"), static.integer(nout, "ufunc: nout")
        if self.nin < 1 or self.nout < 1:
            raise errors.ArgumentError(f"ufunc: nin and nout must be positive; got {nin} and {nout}.")
        self.nargs, self.identity = self.nin + self.nout, identity
        self.__name__ = name or getattr(func, "__name__", "ufunc")
        self.__doc__ = func.__doc__
        self._func = func
        self._mapped = vectorize(func)

    def __call__(self, *args: Any) -> Any:
        if len(args) != self.nin:
            raise errors.ArgumentError(f"{self.__name__} takes {self.nin} arguments; got {len(args)}.")
        return self._mapped(*args)

    def __repr__(self) -> str:
        return f"<fx ufunc {self.__name__!r}>"

    def outer(self, A: Any, B: Any, /) -> Any:
        """func of every pair: a result of shape A.shape + B.shape."""
        self._needs_two("outer")
        a, b = operand(A, self.__name__), operand(B, self.__name__)
        return self(sh.reshape(a, a.shape + (1,) * b.ndim), b)

    def reduce(
        self,
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        *,
        keepdims: bool = False,
        initial: Any = _UNSET,
        where: Any = None,
    ) -> Array:
        """func between all elements along axes, from the first to the last; None means all axes."""
        self._needs_two("reduce")
        x = to_dtype(operand(a, self.__name__), dtype)
        axes = some_axes(axis, x.ndim, f"{self.__name__}.reduce")
        if self.__name__ in _REDUCTIONS:
            return self._by_reduction(x, axes, keepdims, initial, where)
        if self.__name__ not in _ASSOCIATIVE and len(axes) > 1:
            raise errors.ArgumentError(
                f"{self.__name__}.reduce: the order of the elements matters, so it takes one axis; got {axes}."
            )
        y = self._fold(self._rows(x, axes, initial, where))
        return sh.reshape(y, kept_shape(x.shape, axes)) if keepdims else y

    def accumulate(self, a: Any, axis: int = 0, dtype: Any = None) -> Array:
        """All intermediate results of `reduce` along one axis."""
        self._needs_two("accumulate")
        x = to_dtype(operand(a, self.__name__), dtype)
        axis = one_axis(axis, x.ndim, f"{self.__name__}.accumulate")
        if self.__name__ in _RUNNING:
            return _RUNNING[self.__name__](x, axis)
        if x.shape[axis] == 0:
            return x
        lines = [_row(x, i, axis) for i in range(x.shape[axis])]
        made = [lines[0]]
        for line in lines[1:]:
            made.append(self(made[-1], line))
        return sh.concatenate([el.convert(y, made[-1].dtype) for y in made], axis)

    def reduceat(self, a: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Array:
        """`reduce` over the slices between known indices, one after the other; a falling pair gives one element."""
        self._needs_two("reduceat")
        x = to_dtype(operand(a, self.__name__), dtype)
        axis = one_axis(axis, x.ndim, f"{self.__name__}.reduceat")
        n = x.shape[axis]
        starts = static.integers(asarray(indices, dtypes.int64).tolist(), "reduceat: indices")
        for i in starts:
            if not 0 <= i < n:
                raise errors.OutOfBoundsError(
                    f"{self.__name__}.reduceat: index {i} is outside of axis {axis} of {x.aval}."
                )
        spans = [(i, j if i < j else i + 1) for i, j in zip(starts, (*starts[1:], n), strict=True)]
        parts = promote(*[self.reduce(sh.slice_axis(x, i, j, axis), axis, keepdims=True) for i, j in spans])
        return sh.concatenate(parts, axis) if parts else sh.slice_axis(x, 0, 0, axis)

    def at(self, a: Any, indices: Any, b: Any = _UNSET, /, *, inplace: bool = False) -> Array:
        """A copy of a in which func was applied at indices, once for each of several equal ones."""
        if inplace:
            raise errors.ImmutableError(f"{self.__name__}.at returns a changed copy; leave out inplace=True.")
        if (b is _UNSET) != (self.nin == 1):
            raise errors.ArgumentError(f"{self.__name__}.at takes {self.nin + 1} arrays.")
        x = operand(a, self.__name__)
        if self.__name__ in _UPDATES:
            return getattr(x.at[indices], _UPDATES[self.__name__])(b)
        return self._one_by_one(x, indices, () if b is _UNSET else (b,))

    def _one_by_one(self, x: Array, indices: Any, values: tuple[Any, ...]) -> Array:
        """Equal indices follow each other, so that each update sees the one before."""
        places = sh.reshape(sh.iota((x.size,), 0), x.shape).at[indices].get()
        values = tuple(
            sh.reshape(sh.broadcast_to(operand(v, self.__name__), places.shape), (places.size,))
            for v in values
        )
        flat = sh.reshape(x, (x.size,))
        for k, place in enumerate(sh.reshape(places, (places.size,)).tolist()):
            flat = flat.at[place].set(el.convert(self(flat[place], *[v[k] for v in values]), x.dtype))
        return sh.reshape(flat, x.shape)

    def _by_reduction(self, x: Array, axes: Any, keepdims: bool, initial: Any, where: Any) -> Array:
        function = _REDUCTIONS[self.__name__]
        if initial is _UNSET:
            return function(x, axes, keepdims=keepdims, where=where)
        if self.__name__.startswith("logical"):
            return self(function(x, axes, keepdims=keepdims, where=where), initial)
        return function(x, axes, keepdims=keepdims, where=where, initial=initial)

    def _rows(self, x: Array, axes: Any, initial: Any, where: Any) -> Array:
        """What `_fold` combines: x with the axes in front, neutral values where it is masked, `initial` before it."""
        x = el.convert(x, dtypes.bool_) if self.__name__ == "logical_xor" else x
        rows = _in_front(x, axes)
        if where is not None:
            neutral = self.identity if initial is _UNSET else initial
            if neutral is None:
                raise errors.ArgumentError(
                    f"{self.__name__}.reduce: where= needs initial=, the value for no elements."
                )
            mask = _in_front(sh.broadcast_to(operand(where, "reduce: where"), x.shape), axes)
            rows = el.select(mask, rows, in_dtype(neutral, x.dtype, self.__name__))
        if initial is _UNSET:
            return rows
        first = in_dtype(initial, x.dtype, self.__name__)
        return sh.concatenate([sh.broadcast_to(first, (1, *rows.shape[1:])), rows], 0)

    def _fold(self, rows: Array) -> Array:
        """func between the rows (n, ...) of an array: pairwise, or in order where that matters."""
        if rows.shape[0] == 0:
            return self._of_nothing(rows)
        if self.__name__ not in _ASSOCIATIVE:
            return functools.reduce(
                self, [sh.reshape(_row(rows, i), rows.shape[1:]) for i in range(rows.shape[0])]
            )
        while rows.shape[0] > 1:
            half = rows.shape[0] // 2
            made = self(sh.slice_axis(rows, 0, half, 0), sh.slice_axis(rows, half, 2 * half, 0))
            rest = sh.slice_axis(rows, 2 * half, rows.shape[0], 0)
            rows = sh.concatenate([made, el.convert(rest, made.dtype)], 0) if rest.shape[0] else made
        return sh.reshape(rows, rows.shape[1:])

    def _of_nothing(self, rows: Array) -> Array:
        if self.identity is None:
            raise errors.ShapeError(
                f"{self.__name__}.reduce of an empty axis has no value; {self.__name__} has no identity."
            )
        found = dtypes.bool_ if self.__name__.startswith("logical") else rows.dtype
        return sh.full(rows.shape[1:], self.identity, found)

    def _needs_two(self, method: str) -> None:
        if self.nin != 2 or self.nout != 1:
            raise errors.ArgumentError(
                f"{self.__name__}.{method} is for functions of two arguments with one result; "
                f"this has {self.nin} and {self.nout}."
            )


def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, *, identity: Any = None) -> ufunc:
    """A ufunc of a Python function of single values; it is traced once and runs batched."""
    return ufunc(func, nin, nout, identity=identity)


def _row(x: Array, i: int, axis: int = 0) -> Array:
    return sh.slice_axis(x, i, i + 1, axis)


def _in_front(x: Array, axes: tuple[int, ...]) -> Array:
    """x with the given axes merged into a first one."""
    rest = [a for a in range(x.ndim) if a not in axes]
    moved = sh.transpose(x, (*sorted(axes), *rest))
    shape = tuple(x.shape[a] for a in rest)
    return sh.reshape(moved, (math.prod(x.shape[a] for a in axes), *shape))


class _Native(ufunc):
    """The methods of a function of this namespace, which maps arrays by itself."""

    def __init__(self, function: Callable[..., Any], nin: int):
        super().__init__(
            function, nin, 1, name=function.__name__, identity=_IDENTITIES.get(function.__name__)
        )
        self._mapped = function


_BINARY = (
    *(
        ar.add,
        ar.subtract,
        ar.multiply,
        ar.divide,
        ar.floor_divide,
        ar.remainder,
        ar.fmod,
        ar.power,
        ar.float_power,
    ),
    *(ar.maximum, ar.minimum, ar.fmax, ar.fmin, em.arctan2, em.hypot, em.logaddexp, em.logaddexp2),
    *(lo.bitwise_and, lo.bitwise_or, lo.bitwise_xor, lo.left_shift, lo.right_shift),
    *(lo.logical_and, lo.logical_or, lo.logical_xor, pa.copysign, pa.nextafter, pa.gcd, pa.lcm, pa.heaviside),
)
_UNARY = (
    *(
        ar.negative,
        ar.absolute,
        ar.sqrt,
        ar.square,
        ar.cbrt,
        ar.reciprocal,
        ar.sign,
        em.exp,
        em.expm1,
        em.exp2,
    ),
    *(em.log, em.log1p, em.log2, em.log10, em.sin, em.cos, em.tan, em.sinh, em.cosh, em.tanh),
    *(em.arcsin, em.arccos, em.arctan, em.arcsinh, em.arccosh, em.arctanh, lo.invert, lo.logical_not),
    *(pa.floor, pa.ceil, pa.trunc, pa.rint, pa.conjugate),
)


def attach_methods() -> None:
    """Give the elementwise functions NumPy's methods as attributes: `add.reduce(x)`. Calls do not change."""
    for nin, functions in ((2, _BINARY), (1, _UNARY)):
        for function in functions:
            native = _Native(function, nin)
            names = ("reduce", "accumulate", "outer", "reduceat", "at") if nin == 2 else ("at",)
            for name in (*names, "nin", "nout", "nargs", "identity"):
                setattr(function, name, getattr(native, name))
