"""Serving requests: the hot path, the booking of what comes back, and the bounds on what is kept."""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from math import inf, prod
from typing import Any
from weakref import WeakSet

import numpy as np

from ...core.errors import OutOfMemoryError
from .blocks import APART, FREE, IDLE, LIVE, PAGE, Block, Heap, Source
from .buckets import Bucket, class_size, oldest
from .statistics import Statistics, Watch, collect, refusal

SMALL = 32 << 10
"""Arrays up to here come from NumPy: malloc has such memory at hand. Larger blocks are page-aligned."""
WINDOW = 8192
"""Requests between two looks at what is kept idle."""
KEPT = 256 << 20
"""Bytes that may always be kept beyond those in use."""


class Pool:
    """Memory of one source, lent in blocks.

    Args:
        source: gives raw memory and takes it back.
        idle_bytes: what the idle blocks of one size may sum up to; two of them may always stay.
        segment_bytes: the least that is taken from the source at once.
    """

    def __init__(self, source: Source, idle_bytes: int = 1 << 30, segment_bytes: int = 2 << 20):
        self.source, self.idle_bytes = source, idle_bytes
        self.lock, self.busy = threading.RLock(), False
        self.broken = False
        """An exception cut an operation short; the next one repairs first."""
        self.paged, self.fine = Heap(source, segment_bytes), Heap(source, max(segment_bytes // 4, PAGE))
        self.buckets: dict[int, Bucket] = {}
        self.by_bytes: dict[int, Bucket] = {}
        self.returned: deque[Block] = deque()
        self.apart: dict[int, Block] = {}
        """Live blocks of requests inside of requests, by address."""
        self.requests = self.refused = self.allocated = self.used = self.reserved = 0
        self.most = 0
        """The most bytes in use since the watches were told."""
        self.small, self.small_read = count(), 0
        self.ages = [0] * 64
        self.limit: float = inf
        self.ever, self.window = Watch(0, 0), Watch(0, 0)
        self.watches = [self.ever, self.window]
        self.recent = self.window_end = 0
        POOLS.add(self)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any], label: Any = None) -> np.ndarray[Any, Any]:
        """An uninitialised, C-contiguous array; its memory comes back when the last array over it dies.

        Args:
            label: its `describe()` says in messages and lists what made the array.
        Raises:
            OutOfMemoryError: the limit, or the machine's memory, is reached.
        """
        nbytes = prod(shape) * dtype.itemsize
        if nbytes <= SMALL:
            next(self.small)
            return np.empty(shape, dtype)
        block = self.take(nbytes, label)
        try:
            lease = block.bucket.lease(block.address)
            lease.__del__ = block.back
        except BaseException:
            self.returned.append(block)
            raise
        block.shape, block.dtype = shape, dtype
        return np.ndarray(shape, dtype, lease)

    def take(self, nbytes: int, label: Any = None, last: bool = False) -> Block:
        """A block of at least `nbytes` bytes, aligned to 64, or to pages above 32 KiB; `give` it back.

        Args:
            last: do not collect garbage and try again.
        Raises:
            OutOfMemoryError: the limit, or the machine's memory, is reached.
        """
        bucket = self.by_bytes.get(nbytes) or self._bucket(nbytes)
        block = None
        try:
            with self.lock:
                if self.busy:
                    return self._aside(bucket, nbytes, label)
                self.busy = True
                try:
                    if self.requests >= self.window_end:
                        self._sweep()
                    if self.returned:
                        self._book()
                    idle = bucket.idle
                    hit = True if idle else self._supply(bucket)
                    # No call, hence no interrupt and no collection, from here to `pop`.
                    found = idle[-1]
                    self.requests = found.born = self.requests + 1
                    if hit:
                        bucket.hits += 1
                    else:
                        bucket.misses += 1
                    bucket.live += 1
                    if bucket.live > bucket.most:
                        bucket.most = bucket.live
                    self.allocated += nbytes
                    self.used += nbytes
                    if self.used > self.most:
                        self.most = self.used
                    found.state, found.nbytes, found.label, found.shape = LIVE, nbytes, label, None
                    block = found
                    idle.pop()
                except BaseException:
                    self.broken, self.window_end = True, 0
                    raise
                finally:
                    self.busy = False
            return block
        except BaseException as e:
            if block is not None:
                self.returned.append(block)
            if type(e) is not MemoryError:
                raise
        if last:
            raise self._refuse(nbytes, label)
        gc.collect()
        return self.take(nbytes, label, last=True)

    def give(self, block: Block) -> None:
        """Take back a block from `take`."""
        if block.state < LIVE or block.given:
            raise ValueError(f"{block} was given back before")
        block.given = True
        self.returned.append(block)

    def trim(self, aggressive: bool = False) -> int:
        """Give all memory that nobody uses back to the source; gives its bytes.

        Args:
            aggressive: collect garbage first, which may hold arrays.
        """
        if aggressive:
            gc.collect()
        with self._inside() as inside:
            return self._drop() if inside else 0

    def set_limit(self, limit: float) -> None:
        """Bytes that may be reserved from now on; what is idle goes if they are more already."""
        with self._inside() as inside:
            self.limit = limit
            if inside and self.reserved > limit:
                self._drop()

    def watch(self) -> Watch:
        """Note the most bytes in use and the requests from now on, until `unwatch`."""
        with self._inside():
            self._tell()
            watch = Watch(self.used, self.reserved, self.allocated, self.requests)
            self.watches.append(watch)
            return watch

    def look(self, watch: Watch) -> None:
        """Bring a watch up to date."""
        with self._inside():
            self._tell()
            watch.sum_up(self.used, self.allocated, self.requests)

    def unwatch(self, watch: Watch) -> None:
        """Bring a watch up to date and end it."""
        with self._inside():
            self._tell()
            watch.sum_up(self.used, self.allocated, self.requests)
            self.watches = [w for w in self.watches if w is not watch]

    def reset_peak(self) -> None:
        """Count peaks from here."""
        with self._inside():
            self._tell()
            self.ever.used, self.ever.reserved = self.used, self.reserved

    def live(self) -> list[Block]:
        """The blocks that somebody holds."""
        with self._inside():
            return [b for b in self.blocks() if b.state >= LIVE]

    def statistics(self) -> Statistics:
        """All counts, as they are now."""
        with self._inside():
            self._tell()
            return collect(self)

    # Inside the lock.

    @contextmanager
    def _inside(self) -> Iterator[bool]:
        """The lock, with all returned blocks booked; False in the middle of an operation of this thread."""
        with self.lock:
            if self.busy:
                yield False
                return
            self.busy = True
            try:
                if self.broken:
                    self._repair()
                self._book()
                yield True
            except BaseException:
                self.broken, self.window_end = True, 0
                raise
            finally:
                self.busy = False

    def _bucket(self, nbytes: int) -> Bucket:
        if len(self.by_bytes) > 10_000:
            self.by_bytes.clear()
        size = class_size(nbytes)
        bucket = self.buckets.get(size)
        if bucket is None:
            heap = self.paged if size > SMALL else self.fine
            cap = max(self.idle_bytes // size, 2)
            bucket = self.buckets.setdefault(size, Bucket(size, heap, cap))
        self.by_bytes[nbytes] = bucket
        return bucket

    def _all(self) -> list[Bucket]:
        """The buckets of this moment; others may be made meanwhile."""
        return list(self.buckets.values())

    def _book(self) -> None:
        """Take note of the blocks that came back."""
        returned = self.returned
        while returned:
            block = returned[0]
            if block.state == LIVE:
                age = (self.requests - block.born).bit_length()
                bucket = block.bucket
                # No call from here to `append`.
                self.ages[age] += 1
                self.used -= block.nbytes
                bucket.live -= 1
                block.born = self.requests
                block.state, block.given = IDLE, False
                bucket.idle.append(block)
                block.label = None
                if len(bucket.idle) > bucket.cap:
                    bucket.evict()
            elif block.state == APART:
                self._end_apart(block)
            returned.popleft()

    def _supply(self, bucket: Bucket) -> bool:
        """Put a block into an empty bucket; whether that took nothing from the source."""
        block = bucket.heap.find(bucket.size)
        hit = block is not None or not self._grow(bucket)
        block = block or bucket.heap.find(bucket.size)
        assert block is not None
        block.bucket, block.back = bucket, partial(self.returned.append, block)
        bucket.idle.append(block)
        return hit

    def _grow(self, bucket: Bucket) -> bool:
        """Make the heap hold a free block of the bucket's size; whether that took memory from the source."""
        heap, size = bucket.heap, bucket.size
        self._thin()
        try:
            got = heap.grow(size, self.limit - self.reserved)
        except MemoryError:
            for other in self._all():
                other.clear()
            if heap.fits(size):
                return False
            self._drop()
            got = heap.grow(size, self.limit - self.reserved)
        self.reserved += got
        self._tell()
        return True

    def _drop(self) -> int:
        """Give back all that nobody uses."""
        for bucket in self._all():
            bucket.clear()
        given = self.paged.trim() + self.fine.trim()
        self.reserved -= given
        return given

    def _sweep(self) -> None:
        """Now and then: let go of what has not been needed for long."""
        if self.broken:
            self._repair()
        self._book()
        self._tell()
        self.window_end = self.requests + WINDOW
        for bucket in self._all():
            bucket.reap()
        self._thin()
        self.recent, self.window.used = self.window.used, self.used

    def _thin(self) -> None:
        """Evict idle blocks, least recently used first, while more is kept than twice what was in use lately."""
        self._tell()
        most = max(KEPT, 2 * max(self.recent, self.window.used))
        excess = self.reserved - self.used - most
        if excess <= 0:
            return
        gone = 0
        while gone < excess and (bucket := oldest(self._all())):
            gone += bucket.size
            bucket.evict()
        given = self.paged.trim(excess)
        self.reserved -= given

    def _tell(self) -> None:
        """Bring the watches up to date."""
        for watch in self.watches:
            watch.see(self.most, self.reserved)
        self.most = self.used

    def _aside(self, bucket: Bucket, nbytes: int, label: Any) -> Block:
        """Serve a request that came in the middle of another one of the same thread."""
        size = -(-bucket.size // PAGE) * PAGE
        try:
            if size > self.limit - self.reserved:
                raise MemoryError
            segment = self.source.take(size)
        except MemoryError:
            raise self._refuse(nbytes, label) from None
        block = Block(segment, segment.address, segment.nbytes)
        block.bucket, block.back, block.label = bucket, partial(self.returned.append, block), label
        block.nbytes, block.state = nbytes, APART
        self.requests = block.born = self.requests + 1
        bucket.misses += 1
        self.allocated += nbytes
        self.used += nbytes
        self.reserved += size
        if self.used > self.most:
            self.most = self.used
        self.apart[block.address] = block
        return block

    def _refuse(self, nbytes: int, label: Any) -> OutOfMemoryError:
        with self._inside():
            self.refused += 1
        return refusal(self.live(), self.statistics(), nbytes, label)

    def _end_apart(self, block: Block) -> None:
        self._tell()
        age = (self.requests - block.born).bit_length()
        # No call from here to `give`.
        self.ages[age] += 1
        self.used -= block.nbytes
        self.reserved -= block.size
        block.state = FREE
        del self.apart[block.address]
        self.source.give(block.segment)

    def _repair(self) -> None:
        """After an operation that was cut short: derive all that depends on the states of the blocks from them."""
        idle: set[int] = set()
        for bucket in self._all():
            bucket.idle = deque(b for b in bucket.idle if b.state == IDLE)
            idle.update(map(id, bucket.idle))
            bucket.live = 0
        for block in self.blocks():
            if block.state == IDLE and id(block) not in idle:
                block.state, block.bucket = FREE, None
            elif block.state == LIVE:
                block.bucket.live += 1
        self.paged.remake()
        self.fine.remake()
        self._add_up()
        self.broken = False

    def _add_up(self) -> None:
        """Bytes in use and reserved, anew; and again if a request came in between."""
        while True:
            asked = self.requests
            used = sum(b.nbytes for b in self.blocks() if b.state >= LIVE)
            reserved = self.paged.nbytes + self.fine.nbytes + sum([b.size for b in list(self.apart.values())])
            if asked == self.requests:
                self.used, self.reserved = used, reserved
                return

    def blocks(self) -> list[Block]:
        """All blocks, free ones too."""
        return [*self.paged.blocks(), *self.fine.blocks(), *self.apart.values()]


POOLS: WeakSet[Pool] = WeakSet()
"""Of this process, for fork."""
