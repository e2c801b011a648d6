"""Comparison of pytrees of arrays, with tolerances by dtype and messages by path."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import tree
from ..core.array import as_buffer, aval_of
from ..core.avals import Aval, dtype_name
from ..core.devices import backend_of
from ..core.dtypes import canonical

_TOLERANCE = {
    "float64": 1e-12,
    "complex128": 1e-12,
    "float32": 1e-5,
    "complex64": 1e-5,
    "float16": 2e-3,
    "bfloat16": 2e-2,
}
_ROWS = 5
"""How many wrong leaves a message shows."""


def tolerance(dtype: Any) -> float:
    """How far, relatively, a short computation in `dtype` may be off: thousands of roundings; 0 for integers.

    >>> tolerance("float32")
    1e-05
    >>> tolerance("int32")
    0.0
    """
    return _TOLERANCE.get(canonical(dtype).name, 0.0)


def assert_close(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    *,
    check_dtypes: bool = False,
    what: str = "",
) -> None:
    """Two pytrees have one structure, equal shapes, and |actual - expected| <= atol + rtol * |expected|.

    Args:
        actual, expected: pytrees of arrays and numbers (fx, NumPy, CuPy, JAX, torch...).
        rtol, atol: by default `tolerance` of the less precise of the two dtypes. NaN equals NaN, inf itself.
        check_dtypes: the dtypes must be equal too.
        what: what is compared, for the first line of the message.

    Raises:
        AssertionError: names each wrong leaf by its path.

    >>> assert_close({"w": 1.0}, {"w": np.float32(1.0)})
    >>> assert_close({"w": 1.0}, {"w": 2.0})
    Traceback (most recent call last):
    AssertionError: 1 of 1 leaves is not as expected:
      ['w'] f32[]: expected 2, got 1: absolute error 1, relative error 0.5 (rtol 1e-05, atol 1e-05)
    """
    found, structure = tree.flatten(actual)
    wanted, wanted_structure = tree.flatten(expected)
    if structure != wanted_structure:
        rows = tree.differences(wanted_structure, structure)
        raise AssertionError("\n  ".join([f"{_title(what)}the structures differ:", *rows]))
    wrong = []
    for path, a, b in zip(structure.paths(), found, wanted, strict=True):
        message = difference(a, b, rtol, atol, check_dtypes)
        if message:
            wrong.append(f"{tree.keystr(path) or 'the value'} {message}")
    if wrong:
        more = [f"... and {len(wrong) - _ROWS} more"] if len(wrong) > _ROWS else []
        head = f"{_title(what)}{len(wrong)} of {len(found)} leaves is not as expected:"
        raise AssertionError("\n  ".join([head, *wrong[:_ROWS], *more]))


def difference(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    check_dtypes: bool = False,
) -> str | None:
    """What is wrong with one leaf, or None."""
    have, want = aval_of(actual), aval_of(expected)
    if have.shape != want.shape:
        return f"has shape {have.shape}; {want.shape} was expected"
    if check_dtypes and have.dtype != want.dtype:
        return f"has dtype {dtype_name(have.dtype)}; {dtype_name(want.dtype)} was expected"
    default = max(tolerance(have.dtype), tolerance(want.dtype))
    rtol, atol = default if rtol is None else rtol, default if atol is None else atol
    a, b = host(actual), host(expected)
    with np.errstate(all="ignore"):
        error = np.abs(a - b)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        wrong = ~(same | (np.isfinite(error) & (error <= atol + rtol * np.abs(b))))
    return _describe(have, a, b, error, wrong, rtol, atol) if wrong.any() else None


def _describe(aval: Aval, a: Any, b: Any, error: Any, wrong: Any, rtol: float, atol: float) -> str:
    """The worst element of a leaf, in words."""
    badness = np.where(wrong, np.nan_to_num(error, nan=np.inf, posinf=np.inf), -1.0)
    index = np.unravel_index(int(np.argmax(badness)), a.shape)
    with np.errstate(all="ignore"):
        relative = np.divide(error[index], np.abs(b[index]))
    count = (
        f"{int(wrong.sum())} of {wrong.size} elements, worst at {tuple(map(int, index))}: " if a.ndim else ""
    )
    return (
        f"{aval.strong}: {count}expected {b[index]:.8g}, got {a[index]:.8g}: "
        f"absolute error {error[index]:.3g}, relative error {relative:.3g} (rtol {rtol:.3g}, atol {atol:.3g})"
    )


def host(x: Any) -> Any:
    """The values as float64 or complex128 on the host."""
    buffer = as_buffer(x)
    values = np.asarray(backend_of(buffer).to_host(buffer))
    return values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)


def largest(x: Any) -> float:
    """The largest finite absolute element; 0 if there is none."""
    sizes = np.abs(host(x))
    return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))


def _title(what: str) -> str:
    return f"{what}: " if what else ""
