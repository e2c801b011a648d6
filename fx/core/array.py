"""`fx.Array`: an immutable array over a NumPy or CuPy buffer.

Operators and methods are the functions of `fx.numpy`; the namespace hands them over once with `install`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from . import dtypes, errors
from .avals import Aval
from .devices import Device, backend_of, is_buffer
from .errstate import quiet

N = TypeVar("N", int, float, complex)


API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")


class Array:
    """An immutable n-dimensional array.

    Made by `fx.numpy` functions; `fx.asarray(x)` converts. Indexing reads; `x.at[i].set(v)` returns a changed copy.
    Traced values are Arrays too, so that `isinstance(x, fx.Array)` holds inside transformations.
    """

    __slots__ = ("__weakref__", "buffer", "known", "weak")
    __array_priority__ = 1000
    __hash__: None  # type: ignore[assignment]

    def __init__(self, buffer: Any, weak: bool = False):
        self.buffer = buffer
        self.weak = weak
        self.known: Aval | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.buffer.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.buffer.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def aval(self) -> Aval:
        found = self.known
        if found is None:
            found = self.known = Aval(self.buffer.shape, self.buffer.dtype, self.weak)
        return found

    @property
    def size(self) -> int:
        return self.aval.size

    @property
    def nbytes(self) -> int:
        return self.aval.nbytes

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def device(self) -> Device:
        """Where the values live; prints as `cpu` or `gpu:0`."""
        return backend_of(concrete(self)).device(concrete(self))

    def block_until_ready(self) -> Array:
        """Wait until the values are computed; returns self."""
        if type(self) is Array:
            backend_of(self.buffer).synchronize(self.buffer)
        return self

    # Values leave fx here. A traced value answers too when it is known; otherwise the error says why not.

    def __bool__(self) -> bool:
        value = concrete(self, "bool(x)")
        if value.size != 1:
            raise errors.ShapeError(
                errors.lines(
                    f"The truth value of an array of shape {self.shape} is ambiguous.",
                    "Write x.any(), x.all() or x.size != 0.",
                )
            )
        return bool(value.item())

    def __float__(self) -> float:
        return self._number(float)

    def __int__(self) -> int:
        return self._number(int)

    def __complex__(self) -> complex:
        return self._number(complex)

    def _number(self, kind: type[N]) -> N:
        value = self._item(f"{kind.__name__}(x)")
        try:
            return kind(value)
        except (TypeError, ValueError, OverflowError):
            raise errors.ArgumentError(f"{kind.__name__}(x): the value {value} has no such number.") from None

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape != ():
            raise errors.DTypeError(f"Only integer arrays of shape () can be an index; this is {self.aval}.")
        return int(self._item("an index"))

    def item(self, *index: int) -> Any:
        """The one element (or the element at `index`) as a Python scalar."""
        if not index:
            return self._item("x.item()")
        try:
            return concrete(self, "x.item()").item(*index)
        except (IndexError, OverflowError) as e:
            raise errors.OutOfBoundsError(f"x.item{index} is outside of shape {self.shape}.") from e
        except (TypeError, ValueError) as e:
            if isinstance(e, errors.FxError):
                raise
            raise errors.ArgumentError(
                f"x.item takes one integer, or one per axis of {self.aval}; got {errors.brief(index)}."
            ) from e

    def _item(self, use: str) -> Any:
        value = concrete(self, use)
        if value.size != 1:
            raise errors.ShapeError(f"{use} needs an array of one element; this one has shape {self.shape}.")
        return value.item()

    def tolist(self) -> Any:
        """The values as nested Python lists."""
        return concrete(self, "x.tolist()").tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        host = backend_of(self.buffer).to_host(self.buffer)
        if dtype is not None and np.dtype(dtype) != host.dtype:
            if copy is False:
                raise ValueError("A conversion of dtype needs a copy, and copy=False was asked.")
            return np.asarray(host).astype(dtype)  # a scalar's astype gives a scalar
        if copy:
            return np.array(host)
        return read_only(np.asarray(host))

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        buffer = concrete(self, "DLPack export")
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        if not isinstance(buffer, (np.ndarray, np.generic)):
            return buffer.__dlpack__(**options)
        if max_version is not None and max_version[0] >= 1:
            return read_only(buffer).__dlpack__(**options)
        if copy is not False:
            buffer = np.array(
                buffer
            )  # old consumers cannot see read-only: they get a copy unless they refuse it
        return buffer.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        buffer = concrete(self, "DLPack export")
        return (np.asarray(buffer) if isinstance(buffer, np.generic) else buffer).__dlpack_device__()

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """`fx.numpy`, which follows the newest version of the array API, and so the older ones."""
        if api_version is not None and api_version not in API_VERSIONS:
            known = ", ".join(API_VERSIONS)
            raise errors.ArgumentError(
                errors.lines(
                    f"fx.numpy does not know the array API version {errors.brief(api_version)}.",
                    f"Known: {known}.",
                )
            )
        return _namespace[0]

    def __len__(self) -> int:
        if not self.shape:
            raise errors.ArgumentError("len() of an array of shape ().")
        return self.shape[0]

    def __iter__(self) -> Any:
        if not self.shape:
            raise errors.ArgumentError(
                errors.lines("An array of shape () cannot be iterated over.", "It has one value: x.item().")
            )
        return (self[i] for i in range(self.shape[0]))  # type: ignore[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise errors.ImmutableError(
            errors.lines(
                f"fx arrays are immutable; this one is {self.aval}.",
                "Write x = x.at[index].set(value); .add .multiply .min .max and others work alike.",
            )
        )

    def __delitem__(self, index: Any) -> None:
        raise errors.ImmutableError("fx arrays are immutable; fx.numpy.delete returns a shorter copy.")

    def __repr__(self) -> str:
        host = backend_of(self.buffer).to_host(self.buffer)
        body = np.array2string(np.asarray(host), separator=", ", prefix="Array(", threshold=200, edgeitems=3)
        place = "" if str(self.device) == "cpu" else f", device={self.device}"
        return f"Array({body}, {self.dtype}{', weak' if self.weak else ''}{place})"

    def __str__(self) -> str:
        return str(np.asarray(self))

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.shape != ():
            raise errors.ShapeError(
                errors.lines(
                    f"The format {errors.brief(spec)} is for one number; this is {self.aval}.",
                    "Write fx.numpy.round(x, 3), or format x.tolist().",
                )
            )
        return format(self.item(), spec)

    def __copy__(self) -> Array:
        return self

    def __deepcopy__(self, memo: Any) -> Array:
        return self if type(self) is not Array else Array(self.buffer.copy(), self.weak)

    def __reduce__(self) -> Any:
        return _unpickle, (np.array(self), self.weak)


_namespace: list[Any] = [None]


def refuse_assignment(self: Array, value: Any) -> None:
    """The setter of every attribute."""
    raise errors.ImmutableError(
        errors.lines(
            f"fx arrays are immutable, their attributes too; this one is {self.aval}.",
            "Write x = x.reshape(...), x.astype(...) or x.at[index].set(value).",
        )
    )


def immutable(cls: type) -> None:
    """Let assignments to the properties of an array class raise ImmutableError."""
    for name, value in list(vars(cls).items()):
        if isinstance(value, property):
            setattr(cls, name, value.setter(refuse_assignment))


immutable(Array)


def install(methods: dict[str, Any], namespace: Any) -> None:
    """Take the operators and methods from the public namespace, once."""
    for name, method in methods.items():
        setattr(Array, name, method)
    immutable(Array)
    _namespace[0] = namespace


def _unpickle(values: Any, weak: bool) -> Array:
    return Array(values, weak)


def read_only(view: Any) -> Any:
    """A view that cannot be written through."""
    view = view.view()
    view.flags.writeable = False
    return view


_ask: Callable[[Any, str], Any] = lambda x, use: x


def concrete(x: Any, use: str = "a concrete value") -> Any:
    """The buffer behind a value: at once for arrays, on demand for traced values."""
    return x.buffer if type(x) is Array else _ask(x, use)


def scalar_aval(x: Any) -> Aval:
    """The weak aval of a Python scalar standing alone."""
    kind = bool if x is True or x is False else int if isinstance(x, int) else type(x)
    return Aval((), dtypes.scalar_dtype(kind, None), kind is not bool)


def aval_of(x: Any) -> Aval:
    """The aval of anything fx takes as an array; ArgumentError for the rest."""
    if isinstance(x, Array) or isinstance(getattr(x, "aval", None), Aval):
        return x.aval  # type: ignore[no-any-return]
    if isinstance(x, (bool, int, float, complex)) and not isinstance(x, np.generic):
        return scalar_aval(x)
    if is_buffer(x):
        return Aval(tuple(x.shape), dtypes.canonical(x.dtype))
    return Aval(tuple(np.shape(as_buffer(x))), as_buffer(x).dtype)


_PLAIN = frozenset(np.dtype(n).type for n in ("float32", "float64", "int32", "int64", "bool"))


def as_buffer(x: Any, what: str = "an array") -> Any:
    """A NumPy or CuPy buffer for anything fx takes as an array, without a copy where possible."""
    t = type(x)
    if t is Array:
        return x.buffer
    if t in _PLAIN:
        return x
    if isinstance(x, Array):
        return _ask(x, what)
    if isinstance(x, np.generic) or is_buffer(x):
        dtype = dtypes.canonical(x.dtype)
        x = _plain(x) if isinstance(x, np.ndarray) and t is not np.ndarray else x
        return x if dtype == x.dtype and x.dtype.isnative else x.astype(dtype)
    if isinstance(x, (bool, int, float, complex)):
        return scalar_buffer(x)
    if not isinstance(x, type):
        if hasattr(x, "__dlpack__"):
            return _from_dlpack(x)
        if hasattr(x, "__array__"):
            return as_buffer(np.asarray(x))
    raise errors.ArgumentError(
        errors.lines(
            f"{what} was expected; this is {type(x).__name__}: {errors.brief(x)}.",
            "fx takes arrays (fx, NumPy, CuPy, DLPack) and Python scalars; convert lists with fx.numpy.asarray(x).",
        )
    )


@contextmanager
def room_for(shape: tuple[int, ...], dtype: Any, what: str) -> Iterator[None]:
    """Around host arrays that no primitive makes: absurd sizes are refused, missing memory is named."""
    aval = Aval(shape, np.dtype(dtype))
    try:
        yield
    except MemoryError as e:
        raise errors.OutOfMemoryError(f"{what}: not enough memory for {aval}.") from e


def _plain(x: Any) -> Any:
    """A subclass of NumPy's array as an array; its own rules (matrices multiply with *) end here."""
    if isinstance(x, np.ma.MaskedArray):
        raise errors.ArgumentError(
            errors.lines("fx has no masked arrays.", "Write x.filled(value), or pass x.data and the mask.")
        )
    return np.asarray(x)


def scalar_buffer(x: Any) -> Any:
    """A Python scalar in the dtype it has on its own."""
    dtype = scalar_aval(x).dtype
    return typed(x, dtype)


def typed(x: Any, dtype: np.dtype[Any]) -> Any:
    """A Python number in a dtype; one too large for a floating dtype becomes inf, as in every other operation."""
    try:
        if not isinstance(x, complex) and -6e4 < x < 6e4:
            return dtype.type(x)
        with quiet():
            return dtype.type(x)
    except (OverflowError, TypeError, ValueError) as e:
        raise errors.ArgumentError(f"The Python number {errors.brief(x)} does not fit {dtype}.") from e


def _from_dlpack(x: Any) -> Any:
    try:
        return as_buffer(np.from_dlpack(x))
    except (BufferError, RuntimeError, TypeError, ValueError):
        if hasattr(x, "detach"):
            return as_buffer(x.detach().numpy(force=True))
        return as_buffer(np.asarray(x))
