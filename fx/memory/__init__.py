"""Memory as one can read it: what the pool holds, which arrays are alive, and what a block of code takes.

Compiled programs take their results and working memory from the pool; its numbers are counted, not estimated. Sizes
are bytes; arrays up to 32 KiB come from NumPy and appear in `stats().small` alone.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np

from ..backends.pool import HOST, Statistics
from ..backends.pool.statistics import BUCKET_HEADS, LIFETIME_HEADS, bucket_rows, lifetime_rows
from ..core.errors import ArgumentError, brief, lines
from ._live import leaks as leaks, live_arrays as live_arrays, mark as mark
from ._region import region as region

__all__ = [
    "leaks",
    "limit",
    "live_arrays",
    "mark",
    "peak",
    "print_stats",
    "region",
    "reset_peak",
    "stats",
    "trim",
]


def stats() -> Statistics:
    """Everything the pool has counted: requests, hits, misses, bytes, size classes, lifetimes.

    >>> s = stats()
    >>> s.hits + s.misses == s.requests and s.in_use <= s.reserved <= s.peak_reserved
    True
    """
    return HOST.statistics()


def print_stats() -> None:
    """Print `stats()` as tables: totals, size classes, lifetimes."""
    from rich.console import Console
    from rich.table import Table

    s = stats()
    console = Console()
    tables: list[tuple[list[str], Any]] = [
        ([f"memory pool: {s.name}", ""], s.rows()),
        (BUCKET_HEADS, bucket_rows(s)),
    ]
    for heads, rows in [*tables, (LIFETIME_HEADS, lifetime_rows(s))]:
        table = Table(*heads)
        for cells in rows:
            table.add_row(*cells)
        console.print(table)


def peak() -> int:
    """The most bytes in use at once since the program began or `reset_peak` was called."""
    return stats().peak_in_use


def reset_peak() -> None:
    """Count peaks from here: `peak()` becomes what is in use now.

    >>> reset_peak()
    >>> peak() == stats().in_use
    True
    """
    HOST.reset_peak()


_SAME: Any = object()


def limit(nbytes: int | str | None = _SAME) -> int | None:
    """Bound the memory that the pool may reserve; gives the bound that held before.

    A request beyond it first makes the pool give back what is idle, then collects garbage, then raises
    `fx.OutOfMemoryError`.

    Args:
        nbytes: bytes, a text such as "2GiB" or "500 MB", or None for no bound; without it nothing changes.

    >>> before = limit("2GiB")
    >>> limit()
    2147483648
    >>> limit(before)
    2147483648
    """
    before = stats().limit
    if nbytes is not _SAME:
        HOST.set_limit(float("inf") if nbytes is None else parse_bytes(nbytes))
    return before


_UNITS = {p + "B": 1000**i for i, p in enumerate(["", "K", "M", "G", "T", "P"])}
_UNITS |= {p + "IB": 1024**i for i, p in enumerate("KMGTP", start=1)}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([a-zA-Z]+)\s*")


def parse_bytes(size: int | str) -> int:
    """A number of bytes from a number, or from a text with a unit.

    >>> parse_bytes("1.5 KiB"), parse_bytes("2GB"), parse_bytes(7)
    (1536, 2000000000, 7)
    """
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if found and found[2].upper() in _UNITS:
        return int(Fraction(found[1]) * _UNITS[found[2].upper()])
    if isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= 0:
        return int(size)
    raise ArgumentError(
        lines(
            f"{brief(size)} is not a number of bytes.",
            'Write an integer that is not negative, or a text such as "512MiB" or "2GB".',
        )
    )


def trim(aggressive: bool = False) -> int:
    """Give the memory that no array uses back to the system; gives its bytes.

    Args:
        aggressive: collect garbage first, which may hold arrays.

    >>> _ = trim()
    >>> stats().idle
    0
    """
    return HOST.trim(aggressive)
