"""Arrays and numbers as text. Printing options are NumPy's own, shared with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core import errors, static
from ..core.array import concrete
from ..core.devices import backend_of
from ._creation import asarray
from ._files import reading as _reading


def array2string(a: Any, *args: Any, **options: Any) -> str:
    """The values as text; options are those of `numpy.array2string`."""
    with _reading("array2string"):
        return np.array2string(_host(a), *args, **options)


def array_repr(
    arr: Any, max_line_width: int | None = None, precision: int | None = None, suppress_small: Any = None
) -> str:
    """`repr` of an array, with the given options."""
    x = asarray(arr)
    with _reading("array_repr"):
        body = np.array2string(
            _host(x), max_line_width, precision, suppress_small, separator=", ", prefix="Array("
        )
    return f"Array({body}, {x.dtype})"


def array_str(
    a: Any, max_line_width: int | None = None, precision: int | None = None, suppress_small: Any = None
) -> str:
    """`str` of an array, with the given options."""
    with _reading("array_str"):
        return np.array_str(_host(a), max_line_width, precision, suppress_small)


def set_printoptions(*args: Any, **options: Any) -> None:
    """How arrays are printed from now on; options are those of `numpy.set_printoptions`."""
    with _reading("set_printoptions"):
        np.set_printoptions(*args, **options)


def get_printoptions() -> dict[str, Any]:
    """How arrays are printed."""
    return dict(np.get_printoptions())


@contextmanager
def printoptions(*args: Any, **options: Any) -> Iterator[dict[str, Any]]:
    """`set_printoptions` for the length of a `with` statement."""
    before = get_printoptions()
    set_printoptions(*args, **options)
    try:
        yield get_printoptions()
    finally:
        np.set_printoptions(**before)


def format_float_positional(x: Any, *args: Any, **options: Any) -> str:
    """One number in decimals; options are those of NumPy's function."""
    with _reading("format_float_positional"):
        return np.format_float_positional(_number(x, "format_float_positional"), *args, **options)


def format_float_scientific(x: Any, *args: Any, **options: Any) -> str:
    """One number as 1.5e+03; options are those of NumPy's function."""
    with _reading("format_float_scientific"):
        return np.format_float_scientific(_number(x, "format_float_scientific"), *args, **options)


def base_repr(number: int, base: int = 2, padding: int = 0) -> str:
    """An integer in digits of a base from 2 to 36."""
    given = [static.integer(v, f"base_repr: {what}") for v, what in ((number, "the number"), (base, "base"))]
    with _reading("base_repr"):
        return np.base_repr(*given, static.integer(padding, "base_repr: padding"))


def binary_repr(num: int, width: int | None = None) -> str:
    """An integer in binary digits; with a width, negative ones in two's complement."""
    wide = None if width is None else static.integer(width, "binary_repr: width")
    with _reading("binary_repr"):
        return np.binary_repr(static.integer(num, "binary_repr: num"), wide)


def iterable(y: Any) -> bool:
    """Whether `iter(y)` works."""
    try:
        iter(y)
    except TypeError:
        return False
    return True


def _host(x: Any) -> Any:
    buffer = concrete(asarray(x), "printing")
    return np.asarray(backend_of(buffer).to_host(buffer))


def _number(x: Any, name: str) -> Any:
    value = _host(x)
    if value.size != 1 or value.dtype.kind not in "fiub":
        raise errors.ArgumentError(f"{name} takes one real number; got {asarray(x).aval!s}.")
    return value.reshape(())[()]
