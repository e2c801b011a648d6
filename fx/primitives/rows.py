"""Updating rows of an array at computed positions: what `scatter` does on NumPy and on CuPy.

Both ways end in the same numbers: every duplicate counts for add, multiply, min and max, and the last update
wins for set. NumPy has fast loops for one-dimensional `ufunc.at`, and SciPy's sparse product for whole rows.
On the device colliding plain writes have no defined winner, so that positions are made distinct first, and
rejected updates go to one more row, which is cut off in the end: nothing waits for the device.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtypes, errors

UFUNC = {"add": "add", "multiply": "multiply", "min": "minimum", "max": "maximum"}
_MAX_INT64 = np.int64(2**63 - 1)


# Positions


def positions(xp: Any, indices: Any, sizes: Any, mode: str) -> tuple[list[Any], Any]:
    """Non-negative positions per axis, and which count (None: all). Negative indices count from the end.

    On NumPy a broken promise raises OutOfBoundsError; on the device it is undefined.
    """
    found, valid = [], None
    for axis, (index, size) in enumerate(zip(indices, sizes, strict=True)):
        i, inside = _position(xp, as_int64(xp, index), size, mode)
        if inside is not None and mode == "promise_in_bounds":
            refuse_outside(index, size, f"index operand {axis}")
        valid = inside if valid is None else valid if inside is None else valid & inside
        found.append(i)
    return found, valid


def as_int64(xp: Any, index: Any) -> Any:
    """Indices as int64; unsigned ones too large for it stay too large."""
    if index.dtype == np.int64:
        return index
    if index.dtype == np.uint64:
        index = xp.minimum(index, np.uint64(_MAX_INT64))
    return index.astype(np.int64)


def _position(xp: Any, i: Any, size: int, mode: str) -> tuple[Any, Any]:
    if xp is np and (i.size == 0 or (i.min() >= 0 and i.max() < size)):
        return i, None
    if mode == "wrap":
        return i % size, None
    i = xp.where(i < 0, i + size, i)
    if mode == "clip":
        return xp.clip(i, 0, size - 1), None
    if mode == "promise_in_bounds" and xp is not np:
        return i, None
    inside = (i >= 0) & (i < size)
    if xp is np and inside.all():
        return i, None
    return xp.where(inside, i, 0), inside


def refuse_outside(index: Any, size: int, what: str) -> None:
    """OutOfBoundsError with the first index that lies outside an axis of `size`."""
    index = np.asarray(index)
    bad = index[(index < -size) | (index >= size)]
    raise errors.OutOfBoundsError(
        errors.lines(
            f"{what}: {int(bad.flat[0])} is out of bounds for an axis of size {size}"
            + (f" ({bad.size} of {index.size} indices are)." if index.size > 1 else "."),
            f"Indices run from {-size} to {size - 1}." if size else "The axis is empty.",
            "For other behaviour write x.at[index].get(mode='fill'), 'clip' or 'wrap'.",
        )
    )


def flatten(found: Any, sizes: Any) -> Any:
    """Positions in several axes as positions in those axes taken as one."""
    flat = found[0]
    for i, size in zip(found[1:], sizes[1:], strict=True):
        flat = flat * size + i
    return flat


# NumPy


def scatter_numpy(x: Any, updates: Any, found: Any, order: Any, op: str, unique: bool) -> Any:
    """x (axes `order`: the indexed ones first) with rows replaced or combined.

    Args:
        updates: (m, *other axes). found: one position array (m,) per indexed axis, all valid.
    """
    if op == "set" or unique:
        out = x.copy()
        view, key = out.transpose(order), tuple(found)
        view[key] = updates if op == "set" else getattr(np, UFUNC[op])(view[key], updates)
        return out
    work = np.dtype(np.float32) if dtypes.is_low_precision(x.dtype) else x.dtype
    moved = x.transpose(order)
    sizes = moved.shape[: len(found)]
    table = np.array(moved, work, order="C").reshape(math.prod(sizes), -1)
    lines = np.ascontiguousarray(updates, work).reshape(len(updates), table.shape[1])
    _combine(table, flatten(found, sizes), lines, op)
    return table.reshape(moved.shape).transpose(_inverse(order)).astype(x.dtype, copy=False)


def _inverse(order: Any) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def _combine(table: Any, k: Any, lines: Any, op: str) -> None:
    """table[k[j]] = op(table[k[j]], lines[j]) for all j, in place. C order: table (n, r), lines (m, r)."""
    r = table.shape[1]
    if op == "add" and r > 1 and lines.size >= 2048 and table.dtype.kind in "iufc":
        _add_rows(k, lines, table)
        return
    if r > 1:
        k = (k[:, None] * r + np.arange(r)).reshape(-1)
    getattr(np, UFUNC[op]).at(table.reshape(-1), k, lines.reshape(-1))


def _add_rows(k: Any, lines: Any, table: Any) -> None:
    """A sparse matrix of ones sums the lines of each row, then every row of `table` is written once."""
    from scipy.sparse import csr_array

    order = np.argsort(k, kind="stable")
    rows = k[order]
    starts = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
    ends = np.append(starts, len(k))
    sums = csr_array((np.ones(len(k), table.dtype), order, ends), shape=(len(starts), len(k))) @ lines
    table[rows[starts]] += sums


# The device


def scatter_device(
    xp: Any, x: Any, updates: Any, found: Any, valid: Any, order: Any, op: str, unique: bool
) -> Any:
    """The same with CuPy; `valid` (m,) or None marks the updates that count."""
    moved = x.transpose(order)
    sizes = moved.shape[: len(found)]
    n = math.prod(sizes)
    k = flatten(found, sizes)
    k = k if valid is None else xp.where(valid, k, n)
    lines = updates.reshape(len(updates), -1)
    table = xp.zeros((n + 1, lines.shape[1]), x.dtype)
    table[:n] = moved.reshape(n, -1)
    out = _device_combine(xp, table, k, lines, op, unique)[:n]
    return out.reshape(moved.shape).transpose(_inverse(order))


def _device_combine(xp: Any, table: Any, k: Any, lines: Any, op: str, unique: bool) -> Any:
    if op == "set":
        table[k if unique else _distinct(xp, k, len(table))] = lines
        return table
    if unique:
        table[k] = getattr(xp, UFUNC[op])(table[k], lines).astype(table.dtype, copy=False)
        return table
    if table.dtype.kind == "b":
        op = {"add": "max", "multiply": "min"}.get(op, op)
    return {"add": _device_add, "multiply": _device_multiply, "min": _extremum, "max": _extremum}[op](
        xp, table, k, lines, op
    )


def _distinct(xp: Any, k: Any, n: int) -> Any:
    """Positions with all but the last of equal ones sent to the spare row n - 1."""
    number = xp.arange(len(k))
    last = xp.full((n,), -1, number.dtype)
    xp.maximum.at(last, k, number)
    return xp.where(last[k] == number, k, n - 1)


_ATOMIC = {
    **dict.fromkeys(("bool", "int8", "int16"), np.int32),
    **dict.fromkeys(("uint8", "uint16"), np.uint32),
    **dict.fromkeys(("float16", "bfloat16"), np.float32),
}
"""Dtypes that CUDA's atomics (or one rounding at the end) need widened."""


def _widen(dtype: Any) -> Any:
    return np.dtype(_ATOMIC.get(dtype.name, dtype))


def _device_add(xp: Any, table: Any, k: Any, lines: Any, op: str) -> Any:
    dtype = table.dtype
    if dtype.kind == "c":
        parts = dtypes.real_of(dtype)
        xp.add.at(table.view(parts), k, xp.ascontiguousarray(lines).view(parts))
        return table
    work = _widen(dtype)
    table = table.astype(work, copy=False)
    xp.add.at(table, k, lines.astype(work, copy=False))
    return table.astype(dtype, copy=False)


def _extremum(xp: Any, table: Any, k: Any, lines: Any, op: str) -> Any:
    dtype = table.dtype
    work = _widen(dtype)
    table, lines = table.astype(work, copy=False), lines.astype(work, copy=False)
    if work.kind == "f":
        table, lines = _ordered_bits(xp, table, op), _ordered_bits(xp, lines, op)
    getattr(xp, UFUNC[op]).at(table, k, lines)
    return (_from_ordered_bits(xp, table, work) if work.kind == "f" else table).astype(dtype, copy=False)


def _ordered_bits(xp: Any, x: Any, op: str) -> Any:
    """Integers in the order of the floats, with NaN where it wins: the atomics of floats would lose it."""
    as_int = np.dtype(f"int{8 * x.dtype.itemsize}")
    limits = np.iinfo(as_int)
    bits = xp.ascontiguousarray(x).view(as_int)
    bits = xp.where(bits < 0, bits ^ as_int.type(limits.max), bits)
    return xp.where(xp.isnan(x), as_int.type(limits.max if op == "max" else limits.min), bits)


def _from_ordered_bits(xp: Any, bits: Any, dtype: Any) -> Any:
    largest = bits.dtype.type(np.iinfo(bits.dtype).max)
    return xp.where(bits < 0, bits ^ largest, bits).view(dtype)


def _device_multiply(xp: Any, table: Any, k: Any, lines: Any, op: str) -> Any:
    """No atomic multiplies: equal positions are sorted together and multiplied in log2(m) doubling steps."""
    dtype, m, spare = table.dtype, len(k), len(table) - 1
    work = np.dtype(np.float32) if dtypes.is_low_precision(dtype) else dtype
    order = xp.argsort(k)
    k, lines = k[order], lines[order].astype(work, copy=False)
    step = 1
    while step < m:
        same = (k[step:] == k[:-step])[:, None]
        tail = xp.where(same, lines[step:] * lines[:-step], lines[step:])
        lines = xp.concatenate((lines[:step], tail))
        step *= 2
    ends = xp.concatenate((k[1:] != k[:-1], xp.ones((1,), bool)))
    k = xp.where(ends, k, spare)
    table[k] = (table[k].astype(work, copy=False) * lines).astype(dtype, copy=False)
    return table
