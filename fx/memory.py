"""Memory as one can read it: what the pool holds, which arrays are alive, and what a block of code takes.

Compiled programs take their results and working memory from the pool; its numbers are counted, not estimated. Sizes
are bytes; arrays up to 32 KiB come from NumPy and appear in `stats().small` alone.
"""

from __future__ import annotations

import functools
import gc
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from weakref import ref

import numpy as np

from .backends.pool import HOST, Block, Statistics, block_under, describe
from .backends.pool.statistics import BUCKET_HEADS, bucket_rows, html_table
from .core.array import Array
from .core.avals import Aval, format_bytes
from .core.devices import is_buffer
from .core.errors import ArgumentError, brief, lines

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
    """Print `stats()` as tables."""
    from rich.console import Console
    from rich.table import Table

    s = stats()
    totals = Table(title=f"memory pool: {s.name}", show_header=False)
    for row in s.rows():
        totals.add_row(*row)
    buckets = Table(*BUCKET_HEADS)
    for cells in bucket_rows(s):
        buckets.add_row(*cells)
    console = Console()
    console.print(totals)
    if s.buckets:
        console.print(buckets)


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


# What is alive.


@dataclass(frozen=True)
class Live:
    """Memory that is held: by arrays, views of it included, or as the working memory of a program."""

    nbytes: int
    """Bytes of the whole buffer, of which a view may show a part."""
    shape: tuple[int, ...] | None
    """Of the largest array over it; None for working memory."""
    dtype: np.dtype[Any] | None
    made: str | None
    """The program and the line that made it, where that is known."""
    device: str

    def row(self) -> tuple[str, ...]:
        """For people."""
        kind = "working memory" if self.shape is None else str(Aval(self.shape, self.dtype))
        return format_bytes(self.nbytes), kind, self.device, self.made or ""


class Listing(list[Live]):
    """Live memory, the largest first; prints as a table."""

    @property
    def nbytes(self) -> int:
        """Of all together."""
        return sum(x.nbytes for x in self)

    def __repr__(self) -> str:
        rows = [x.row() for x in self]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        text = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"{len(self)} buffer{'s' * (len(self) != 1)}, {format_bytes(self.nbytes)}", *text])

    def _repr_html_(self) -> str:
        return html_table(["bytes", "array", "device", "made"], [x.row() for x in self])


def live_arrays() -> Listing:
    """All memory held by fx arrays and by the pool's blocks, each buffer once, the largest first.

    It is searched for when asked, so that making arrays costs nothing. Arrays in reference cycles are alive until
    the next garbage collection.

    >>> import fx
    >>> x = fx.numpy.ones((1000, 1000))
    >>> row = x[0]
    >>> [a.nbytes for a in live_arrays() if a.shape == (1000, 1000)]
    [4000000]
    """
    return _listing(_roots().values())


class Mark:
    """The buffers that were alive at some moment; it keeps none of them alive."""

    def __init__(self, entries: Iterable[_Entry]):
        self._alive = {id(e.root): e.block.born if e.block else ref(e.root) for e in entries}

    def has(self, entry: _Entry) -> bool:
        """Whether this buffer was alive then: the same object, and a block still of the same request."""
        then = self._alive.get(id(entry.root))
        return then == entry.block.born if entry.block else callable(then) and then() is entry.root

    def __repr__(self) -> str:
        return f"<Mark of {len(self._alive)} buffers>"


def mark() -> Mark:
    """Note which buffers are alive now, for `leaks`."""
    gc.collect()
    return Mark(_roots().values())


def leaks(since: Mark) -> Listing:
    """Memory that is alive and was not at a mark; garbage is collected first.

    >>> import fx
    >>> before = mark()
    >>> kept = [fx.numpy.zeros(1000, "float32")]
    >>> leaks(before)
    1 buffer, 3.906 KiB
    3.906 KiB  f32[1000]  cpu
    >>> kept.clear()
    >>> len(leaks(before))
    0
    """
    if not isinstance(since, Mark):
        raise ArgumentError(
            lines(
                f"leaks(since) takes what mark() gave; got {brief(since)}.",
                "Write before = fx.memory.mark().",
            )
        )
    gc.collect()
    return _listing(entry for entry in _roots().values() if not since.has(entry))


@dataclass
class _Entry:
    """A buffer: what stands for it, its block if it has one, and the largest array over it."""

    root: Any
    block: Block | None
    nbytes: int
    shown: Any
    device: str = "cpu"


def _listing(entries: Iterable[_Entry]) -> Listing:
    return Listing(sorted(map(_live, entries), key=lambda x: -x.nbytes))


def _live(entry: _Entry) -> Live:
    made = describe(entry.block.label) if entry.block else None
    shape = None if entry.shown is None else tuple(entry.shown.shape)
    dtype = None if entry.shown is None else np.dtype(entry.shown.dtype)
    return Live(entry.nbytes, shape, dtype, made, entry.device)


def _roots() -> dict[int, _Entry]:
    """All live buffers, by the identity of what stands for them."""
    found: dict[int, _Entry] = {}
    for x in gc.get_objects():
        if type(x) is Array:
            entry = _entry_of(x)
            known = found.setdefault(id(entry.root), entry)
            if x.nbytes > known.shown.nbytes:
                known.shown = x
    for block in HOST.live():
        shown = block if block.shape is not None else None
        found.setdefault(id(block), _Entry(block, block, block.nbytes, shown))
    return found


def _entry_of(x: Array) -> _Entry:
    buffer = x.buffer
    while is_buffer(getattr(buffer, "base", None)):
        buffer = buffer.base
    block = block_under(buffer)
    if block is not None:
        return _Entry(block, block, block.nbytes, x)
    root = x if isinstance(buffer, np.generic) else buffer
    return _Entry(root, None, buffer.nbytes, x, str(x.device))


# What a block of code takes.


class region:
    """Measures the memory that a block of code takes: what fx takes from its pool, and what NumPy allocates.

    A context manager, or a decorator, whose function then has the last measurement as its attribute `region`. Regions
    nest and overlap freely. The pool is measured for all threads together, NumPy for this thread or task.

    Args:
        name: for printing.

    >>> import numpy
    >>> from fx.backends.pool import HOST
    >>> with region("step") as r:
    ...     block = HOST.take(1_000_000)
    ...     HOST.give(block)
    ...     kept = numpy.zeros(1000)
    >>> r
    region 'step': peak 976.6 KiB, allocated 976.6 KiB, released 976.6 KiB, net 0 B, 1 request
      NumPy: peak 7.812 KiB, allocated 7.812 KiB, released 0 B, net 7.812 KiB, 1 request
    """

    def __init__(self, name: str | None = None):
        if name is not None and not isinstance(name, str):
            raise ArgumentError(
                lines(
                    f"region takes a name; got {brief(name)}.",
                    'Write fx.memory.region("step"), with parentheses.',
                )
            )
        self.name = name
        self._pool: Any = None
        self._numpy: Any = None
        self._before: Any = None
        self._open = False

    def __enter__(self) -> region:
        if self._open:
            raise ArgumentError(
                lines(f"{self._title()} is open already.", "Make one for each block of code.")
            )
        self._pool = HOST.watch()
        self._numpy, self._before = _counter().watch()
        self._open = True
        return self

    def __exit__(self, *exc: object) -> None:
        _counter().unwatch(self._numpy, self._before)
        HOST.unwatch(self._pool)
        self._open, self._before = False, None

    def __call__(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(fun):
            raise ArgumentError(
                lines(f"region decorates a function; got {brief(fun)}.", 'Write @fx.memory.region("step").')
            )

        @functools.wraps(fun)
        def measured(*args: Any, **kwargs: Any) -> Any:
            with region(self.name or getattr(fun, "__name__", None)) as r:
                result = fun(*args, **kwargs)
            measured.region = r  # type: ignore[attr-defined]
            return result

        return measured

    @property
    def pool(self) -> Usage:
        """What fx took from its pool: results and working memory of compiled programs."""
        if self._open:
            HOST.look(self._pool)
        return self._usage(self._pool)

    @property
    def numpy(self) -> Usage:
        """What NumPy allocated: the interpreter's arrays and the user's own; `start` and deaths count only arrays
        that were made in a region."""
        if self._open:
            _counter().look(self._numpy)
        return self._usage(self._numpy)

    def _usage(self, watch: Any) -> Usage:
        if watch is None:
            raise ArgumentError(
                lines(f"{self._title()} has measured nothing yet.", "Write with region as r: ...")
            )
        released = watch.allocated - watch.net
        return Usage(
            watch.start, watch.used - watch.start, watch.allocated, released, watch.net, watch.requests
        )

    start = property(lambda self: self.pool.start, doc="Bytes of the pool in use when the block began.")
    peak = property(
        lambda self: self.pool.peak, doc="The most bytes of the pool in use at once, beyond `start`."
    )
    allocated = property(lambda self: self.pool.allocated, doc="Bytes of all requests to the pool.")
    released = property(lambda self: self.pool.released, doc="Bytes that came back to the pool.")
    net = property(
        lambda self: self.pool.net, doc="Bytes of the pool in use at the end beyond `start`; may be negative."
    )
    requests = property(lambda self: self.pool.requests, doc="Number of requests to the pool.")

    def _title(self) -> str:
        return f"region {self.name!r}" if self.name else "region"

    def __repr__(self) -> str:
        if self._pool is None:
            return f"{self._title()}: not run yet"
        return f"{self._title()}: {self.pool}\n  NumPy: {self.numpy}"


@dataclass(frozen=True)
class Usage:
    """Memory that a block of code took from one allocator, in bytes."""

    start: int
    """In use when the block began."""
    peak: int
    """The most in use at once, beyond `start`."""
    allocated: int
    """Of all requests."""
    released: int
    """That came back, from before the block too."""
    net: int
    """In use at the end, beyond `start`; negative where more came back than went out."""
    requests: int
    """Their number."""

    def __str__(self) -> str:
        sizes = (
            f"{name} {_signed(getattr(self, name))}" for name in ("peak", "allocated", "released", "net")
        )
        return f"{', '.join(sizes)}, {self.requests:,} request{'s' * (self.requests != 1)}"


def _signed(nbytes: int) -> str:
    return f"-{format_bytes(-nbytes)}" if nbytes < 0 else format_bytes(nbytes)


def _counter() -> Any:
    """The counter of NumPy's allocations, which is native code: llvmlite is loaded when first needed."""
    from .backends.pool.numpy_memory import counter

    return counter()
