"""The operators and methods of arrays: the public functions themselves, handed to `core.array.install`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..core import devices
from ..core.array import Array, concrete
from ..core.errors import ImmutableError
from ..core.trace import Tracer
from ..primitives.promotion import reflected
from . import (
    _arithmetic as ar,
    _contractions as co,
    _cumulative as cu,
    _logic as lo,
    _matrices as ma,
    _parts as pa,
    _reductions as re,
    _repeating as rp,
    _searching as se,
    _shapes as sh,
    _sorting as so,
    indexing as ix,
)


def reshape(self: Array, *shape: Any, order: str = "C") -> Array:
    """The same elements in another shape: x.reshape(2, -1) or x.reshape((2, -1))."""
    if type(order) is str and order == "C":
        return sh.reshape(self, _one_or_many(shape))
    return sh.reshape(self, _one_or_many(shape), order)


def transpose(self: Array, *axes: Any) -> Array:
    """Axes in another order: x.transpose(1, 0, 2) or x.transpose((1, 0, 2)); reversed without arguments."""
    if not axes or axes == (None,):
        return sh.transpose(self)
    return sh.transpose(self, _one_or_many(axes))


def _one_or_many(items: tuple[Any, ...]) -> Any:
    return items[0] if len(items) == 1 and isinstance(items[0], Sequence) else items


def contains(self: Array, value: Any) -> bool:
    """Whether an element equals the value."""
    return bool(re.any(lo.equal(self, value)))


def rounded(self: Array, ndigits: int | None = None) -> Array:
    """round(x, ndigits)."""
    return pa.round(self, 0 if ndigits is None else ndigits)


def to_device(self: Array, device: Any, /, *, stream: Any = None) -> Array:
    """The same values on another device: "cpu", "gpu", "gpu:1" or a Device. A traced value stays where it is."""
    target = devices.device(device)
    if isinstance(self, Tracer):
        return self
    return Array(devices.move(concrete(self), target), self.weak)


def compress(self: Array, condition: Any, axis: int | None = None) -> Array:
    """The slices along an axis where a known condition is nonzero."""
    return se.compress(condition, self, axis)


def method(function: Callable[..., Array]) -> Callable[..., Array]:
    """A function as a method that NumPy's function of the name may call: `np.sum(x)` is x.sum(..., out=None)."""

    @functools.wraps(function)
    def call(self: Array, *args: Any, out: None = None, **kwargs: Any) -> Array:
        if out is not None:
            raise ImmutableError("out= is not supported: arrays are immutable. Write y = x.sum() and so on.")
        return function(self, *args, **kwargs)

    return call


OPERATORS: dict[str, Any] = {
    "__add__": ar.add,
    "__sub__": ar.subtract,
    "__mul__": ar.multiply,
    "__truediv__": ar.divide,
    "__floordiv__": ar.floor_divide,
    "__mod__": ar.remainder,
    "__divmod__": ar.divmod,
    "__pow__": ar.power,
    "__matmul__": co.matmul,
    "__and__": lo.bitwise_and,
    "__or__": lo.bitwise_or,
    "__xor__": lo.bitwise_xor,
    "__lshift__": lo.left_shift,
    "__rshift__": lo.right_shift,
}

METHODS: dict[str, Any] = {
    **OPERATORS,
    **{f"__r{name[2:]}": reflected(function) for name, function in OPERATORS.items()},
    "__neg__": ar.negative,
    "__pos__": ar.positive,
    "__abs__": ar.absolute,
    "__invert__": lo.invert,
    "__round__": rounded,
    "__eq__": lo.equal,
    "__ne__": lo.not_equal,
    "__lt__": lo.less,
    "__le__": lo.less_equal,
    "__gt__": lo.greater,
    "__ge__": lo.greater_equal,
    "__hash__": None,
    "__contains__": contains,
    "__getitem__": ix.getitem,
    "at": property(ix.at, doc=ix.at.__doc__),
    "T": property(sh.transpose, doc="The axes reversed."),
    "mT": property(sh.matrix_transpose, doc="The last two axes exchanged."),
    "real": property(pa.real, doc="The real part."),
    "imag": property(pa.imag, doc="The imaginary part."),
    "reshape": reshape,
    "transpose": transpose,
    "ravel": sh.ravel,
    "flatten": sh.ravel,
    "squeeze": sh.squeeze,
    "swapaxes": sh.swapaxes,
    "diagonal": sh.diagonal,
    "astype": sh.astype,
    "copy": sh.copy,
    "to_device": to_device,
    "sum": method(re.sum),
    "prod": method(re.prod),
    "mean": method(re.mean),
    "var": method(re.var),
    "std": method(re.std),
    "max": method(re.max),
    "min": method(re.min),
    "any": method(re.any),
    "all": method(re.all),
    "argmax": method(re.argmax),
    "argmin": method(re.argmin),
    "cumsum": method(cu.cumsum),
    "cumprod": method(cu.cumprod),
    "trace": method(ma.trace),
    "dot": co.dot,
    "conj": pa.conjugate,
    "conjugate": pa.conjugate,
    "round": method(pa.round),
    "clip": method(pa.clip),
    "sort": so.sort,
    "argsort": so.argsort,
    "partition": so.partition,
    "argpartition": so.argpartition,
    "searchsorted": so.searchsorted,
    "nonzero": se.nonzero,
    "compress": method(compress),
    "take": method(ix.take),
    "repeat": rp.repeat,
}
