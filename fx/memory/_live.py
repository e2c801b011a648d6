"""Which buffers are alive, found when asked."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from weakref import ref

import numpy as np

from ..backends.pool import HOST, Block, block_under, describe
from ..backends.pool.statistics import html_table
from ..core.array import Array
from ..core.avals import Aval, format_bytes
from ..core.devices import is_buffer
from ..core.donation import Donated
from ..core.errors import ArgumentError, brief, lines


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


SHOWN = 30
"""Rows of a printed listing."""


class Listing(list[Live]):
    """Live memory, the largest first; prints as a table."""

    @property
    def nbytes(self) -> int:
        """Of all together."""
        return sum(x.nbytes for x in self)

    def __repr__(self) -> str:
        rows = [x.row() for x in self[:SHOWN]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        text = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        more = [f"... and {len(self) - SHOWN} more"] if len(self) > SHOWN else []
        head = f"{len(self)} buffer{'s' * (len(self) != 1)}, {format_bytes(self.nbytes)}"
        return "\n".join([head, *text, *more])

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
    for x in gc.get_objects():  # an array without a buffer is just being made by another thread
        if type(x) is Array and hasattr(x, "buffer") and type(x.buffer) is not Donated:
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
