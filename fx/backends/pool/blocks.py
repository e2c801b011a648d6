"""Blocks of raw memory: segments from a source, cut and joined by best fit."""

from __future__ import annotations

import ctypes
import mmap
from bisect import bisect_left, insort
from collections.abc import Iterator
from math import inf
from typing import Any, Protocol

PAGE = 4096
FREE, IDLE, LIVE, APART = range(4)
"""A free block may be cut and joined; an idle one waits in its bucket; a live one belongs to somebody;
so does one apart, which is a segment of its own."""


class Segment:
    """A stretch of memory from a source, covered by a chain of blocks."""

    __slots__ = ("address", "first", "memory", "nbytes")

    def __init__(self, address: int, nbytes: int, memory: Any):
        self.address, self.nbytes = address, nbytes
        self.memory = memory
        """What owns it; dies with the segment if nobody gives it back."""
        self.first: Any = None

    def blocks(self) -> Iterator[Block]:
        """The chain, by address."""
        block = self.first
        while block is not None:
            yield block
            block = block.after


class Source(Protocol):
    """Where a pool takes raw memory from: the host here, a device in its own backend."""

    name: str

    def take(self, nbytes: int) -> Segment:
        """A segment of at least `nbytes`, page-aligned; MemoryError if there is none."""
        ...

    def give(self, segment: Segment) -> None:
        """Take a segment back; nothing uses it any more."""
        ...


class HostMemory:
    """Private anonymous pages of this process; a fork copies them."""

    name = "host"

    def take(self, nbytes: int) -> Segment:
        try:
            memory = _map(nbytes)
        except (OSError, OverflowError, ValueError) as e:
            raise MemoryError(str(e)) from e
        return Segment(ctypes.addressof(ctypes.c_char.from_buffer(memory)), nbytes, memory)

    def give(self, segment: Segment) -> None:
        memory, segment.memory = segment.memory, None
        memory.close()


def _map(nbytes: int) -> mmap.mmap:
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, nbytes)
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if nbytes >= HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


HUGE = 4 << 20
"""From here on large pages are asked for: a first write then faults once in 2 MiB."""


class Block:
    """Memory that somebody holds: `address`, and `nbytes` as asked for."""

    __slots__ = (
        "address", "after", "back", "before", "born", "bucket", "dtype", "given", "label", "nbytes", "segment", "shape",
        "size", "state",
    )  # fmt: skip

    def __init__(self, segment: Segment, address: int, size: int):
        self.segment, self.address, self.size = segment, address, size
        self.before: Any = None
        self.after: Any = None
        self.state = FREE
        self.nbytes = 0
        self.bucket: Any = None
        self.back: Any = None
        """Called when the last array over it dies."""
        self.label: Any = None
        self.shape: tuple[int, ...] | None = None
        self.dtype: Any = None
        self.born = 0
        """Number of the request that got it; once it is idle, of the one before which it came back."""
        self.given = False
        """`give` has it, though the pool has not booked it yet."""

    def __repr__(self) -> str:
        return f"<Block of {self.nbytes} bytes at {self.address:#x}>"


class Heap:
    """Best fit with split and merge over the segments of one source (Knuth, TAOCP 1, section 2.5).

    The chains and the states of blocks are the truth; the sorted list of free blocks is remade from them when
    an interrupt may have come between two changes.
    """

    def __init__(self, source: Source, segment_bytes: int):
        self.source, self.segment_bytes = source, segment_bytes
        self.segments: dict[int, Segment] = {}
        self.free: list[tuple[int, int, Block]] = []

    @property
    def nbytes(self) -> int:
        """Bytes of all segments."""
        return sum(s.nbytes for s in self.segments.values())

    def fits(self, size: int) -> bool:
        """Whether a free block holds `size` bytes."""
        return bool(self.free) and self.free[-1][0] >= size

    def find(self, size: int) -> Block | None:
        """The smallest free block that holds `size` bytes, cut to them; None if there is none."""
        at = bisect_left(self.free, (size,))
        if at == len(self.free):
            return None
        block = self.free[at][2]
        del self.free[at]
        block.state = IDLE
        if block.size > size:
            self._insert(_split(block, size))
        return block

    def grow(self, size: int, room: float) -> int:
        """Take a segment that holds a block of `size` bytes and costs at most `room`; gives its bytes.

        Raises:
            MemoryError: there is no room, or the source has nothing left.
        """
        nbytes = max(size, self.segment_bytes)
        nbytes = nbytes if nbytes <= room else -(-size // PAGE) * PAGE
        if nbytes > room:
            raise MemoryError(f"{nbytes} bytes do not fit into {room}")
        segment = self.source.take(nbytes)
        segment.first = Block(segment, segment.address, segment.nbytes)
        self.segments[segment.address] = segment
        self._insert(segment.first)
        return segment.nbytes

    def release(self, block: Block) -> None:
        """Make a block free, joined with the free ones beside it."""
        block.state, block.bucket, block.back = FREE, None, None
        before, after = block.before, block.after
        if after is not None and after.state == FREE:
            self._remove(after)
            _join(block, after)
        if before is not None and before.state == FREE:
            self._remove(before)
            _join(before, block)
            block = before
        self._insert(block)

    def trim(self, nbytes: float = inf) -> int:
        """Give segments that are free from end to end back to the source, up to `nbytes`; gives their bytes."""
        given = 0
        for segment in list(self.segments.values()):
            if given >= nbytes:
                break
            if segment.first.state == FREE and segment.first.after is None:
                self._remove(segment.first)
                del self.segments[segment.address]
                given += segment.nbytes
                self.source.give(segment)
        return given

    def remake(self) -> None:
        """Derive the list of free blocks anew."""
        self.free = []
        for segment in self.segments.values():
            for block in segment.blocks():
                while block.state == FREE and block.after is not None and block.after.state == FREE:
                    _join(block, block.after)
            self.free += [(b.size, b.address, b) for b in segment.blocks() if b.state == FREE]
        self.free.sort(key=lambda entry: entry[:2])

    def blocks(self) -> Iterator[Block]:
        """All blocks, free ones too."""
        for segment in self.segments.values():
            yield from segment.blocks()

    def _insert(self, block: Block) -> None:
        insort(self.free, (block.size, block.address, block))

    def _remove(self, block: Block) -> None:
        del self.free[bisect_left(self.free, (block.size, block.address))]


# No call stands between the changes below, so an interrupt or a collection never sees half a chain.


def _split(block: Block, size: int) -> Block:
    rest = Block(block.segment, block.address + size, block.size - size)
    rest.before, rest.after = block, block.after
    if rest.after is not None:
        rest.after.before = rest
    block.after, block.size = rest, size
    return rest


def _join(block: Block, after: Block) -> None:
    block.size += after.size
    block.after = after.after
    if after.after is not None:
        after.after.before = block
