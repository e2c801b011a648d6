"""Arrays from and to files, bytes, text and iterators. Nothing here is traced; pickled objects are never loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..core import dtypes, errors
from ..core.array import Array, concrete
from ..core.devices import backend_of
from ._creation import asarray


def save(file: Any, arr: Any) -> None:
    """Write an array in NumPy's .npy format. `load` restores bfloat16; float8 and int4 are refused."""
    with reading("save"):
        np.save(file, _host(arr, "save"), allow_pickle=False)


def savez(file: Any, *args: Any, **kwds: Any) -> None:
    """Write several arrays in NumPy's .npz format, by their keywords, or as arr_0, arr_1, ..."""
    with reading("savez"):
        np.savez(file, *_hosts("savez", args), **_named_hosts("savez", kwds))


def savez_compressed(file: Any, *args: Any, **kwds: Any) -> None:
    """`savez`, compressed."""
    with reading("savez_compressed"):
        np.savez_compressed(file, *_hosts("savez_compressed", args), **_named_hosts("savez_compressed", kwds))


class Archive(dict[str, Array]):
    """The arrays of an .npz file by name."""

    @property
    def files(self) -> list[str]:
        """The names."""
        return list(self)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *exc: object) -> None:
        """All is read already; here so that programs for NumPy's lazy archives run."""


def load(file: Any, *, mmap_mode: str | None = None) -> Any:
    """The array of an .npy file, or an `Archive` of those of an .npz file.

    Args:
        mmap_mode: as in NumPy; the file is read through a memory map and then copied.
    """
    with reading("load"):
        found = np.load(file, mmap_mode=mmap_mode, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return asarray(_restored(found))
        with found:
            return Archive({name: asarray(_restored(found[name])) for name in found.files})


def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> Array:
    """The values whose bytes a buffer holds; `float` means 64 bits, as in NumPy. A copy."""
    with reading("frombuffer"):
        return asarray(np.frombuffer(buffer, _raw(dtype), count, offset))


def fromfile(file: Any, dtype: Any = float, count: int = -1, sep: str = "", offset: int = 0) -> Array:
    """The values of a binary file, or with `sep` those of a text file; `float` means 64 bits, as in NumPy."""
    with reading("fromfile"):
        return asarray(np.fromfile(file, _raw(dtype), count, sep, offset))


def fromstring(string: str, dtype: Any = float, count: int = -1, *, sep: str) -> Array:
    """The numbers of a text, separated by `sep`."""
    if not isinstance(sep, str) or not sep:
        raise errors.ArgumentError("fromstring reads text separated by sep=; for bytes write frombuffer.")
    with reading("fromstring"):
        return asarray(np.fromstring(string, _raw(dtype), count, sep=sep))


def fromiter(iter: Iterable[Any], dtype: Any, count: int = -1) -> Array:
    """The numbers that an iterator gives, at most `count` of them."""
    with reading("fromiter"):
        return asarray(np.fromiter(iter, dtypes.canonical(dtype), count))


def loadtxt(fname: Any, dtype: Any = float, **options: Any) -> Array:
    """The numbers of a text file, one row a line; options are those of `numpy.loadtxt`."""
    with reading("loadtxt"):
        return asarray(np.loadtxt(fname, _raw(dtype), **options))


def genfromtxt(fname: Any, dtype: Any = float, **options: Any) -> Array:
    """The numbers of a text file with gaps; options are those of `numpy.genfromtxt`."""
    with reading("genfromtxt"):
        return asarray(np.genfromtxt(fname, _raw(dtype), **options))


def savetxt(fname: Any, X: Any, **options: Any) -> None:
    """Write an array of one or two axes as text; options are those of `numpy.savetxt`."""
    with reading("savetxt"):
        np.savetxt(fname, _host(X, "savetxt"), **options)


def _raw(dtype: Any) -> np.dtype[Any]:
    """The dtype of bytes: Python's float has 64 bits here whatever `default_float` is, byte orders are as given."""
    return np.dtype(dtype) if dtype in (float, complex, int, bool) else _ordered(dtype)


def _ordered(dtype: Any) -> np.dtype[Any]:
    found = dtypes.canonical(dtype)
    given = np.dtype(dtype) if isinstance(dtype, (str, np.dtype)) else found
    return given if given.newbyteorder("=") == found else found


def _host(x: Any, name: str) -> np.ndarray[Any, Any]:
    buffer = concrete(asarray(x), f"fx.numpy.{name}")
    host = np.asarray(backend_of(buffer).to_host(buffer))
    if host.dtype.kind == "V" and not dtypes.is_bfloat16(host.dtype):
        raise errors.DTypeError(
            errors.lines(
                f"{name}: NumPy's format has no {host.dtype}; it would be read back as bytes.",
                "Convert it to float32 or int8 first; safetensors files hold float8.",
            )
        )
    return host


def _hosts(name: str, xs: Iterable[Any]) -> list[Any]:
    return [_host(x, name) for x in xs]


def _named_hosts(name: str, xs: dict[str, Any]) -> dict[str, Any]:
    return {key: _host(x, name) for key, x in xs.items()}


def _restored(x: Any) -> Any:
    """bfloat16 is written as two bytes of no known kind."""
    return x.view(dtypes.bfloat16()) if x.dtype == np.dtype("V2") else x


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """What NumPy's readers and printers refuse becomes an ArgumentError."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, OverflowError, IndexError, KeyError) as e:
        if isinstance(e, errors.FxError):
            raise
        raise errors.ArgumentError(f"{name}: {(str(e) or type(e).__name__).splitlines()[0]}") from e
