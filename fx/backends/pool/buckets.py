"""Size classes, and for each class a bucket of idle blocks."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from .blocks import Block, Heap

ALIGNMENT = 64
STEPS = 8
"""Size classes from one power of two to the next."""
WASTE = 1 / STEPS
"""A block of a class is less than this share larger than what was asked for (or by less than ALIGNMENT)."""


def class_size(nbytes: int) -> int:
    """Bytes of the smallest size class that holds `nbytes`: eight classes per power of two, multiples of 64.

    >>> [class_size(n) for n in (0, 64, 65, 1000, 1 << 20, (1 << 20) + 1)]
    [64, 64, 128, 1024, 1048576, 1179648]
    """
    step = max(ALIGNMENT, 1 << max((nbytes - 1).bit_length() - STEPS.bit_length(), 0))
    return max(-(-nbytes // step) * step, ALIGNMENT)


class Bucket:
    """Blocks of one size class: how many are live, the idle ones (the last returned goes out first), and counts.

    `reap` lets go of the blocks that were not needed since it ran last, the working set of Bonwick and Adams,
    "Magazines and Vmem" (USENIX 2001), section 3.3. `cap` bounds the idle ones at any time.
    """

    __slots__ = ("cap", "evictions", "heap", "hits", "idle", "lease", "live", "misses", "most", "size")

    def __init__(self, size: int, heap: Heap, cap: int):
        self.size, self.heap, self.cap = size, heap, cap
        self.idle: deque[Block] = deque()
        """By time of return."""
        self.live = self.most = 0
        """Live blocks, and the most of them since `reap` ran last."""
        self.hits = self.misses = self.evictions = 0
        self.lease = _lease(size).from_address

    def evict(self) -> None:
        """Let the block go that has been idle longest."""
        self.evictions += 1
        self.heap.release(self.idle.popleft())

    def clear(self) -> None:
        """Evict all idle blocks."""
        while self.idle:
            self.evict()

    def reap(self) -> None:
        """Evict what was not needed since the last time."""
        for _ in range(min(self.live + len(self.idle) - self.most, len(self.idle))):
            self.evict()
        self.most = self.live


def oldest(buckets: Iterable[Bucket]) -> Bucket | None:
    """The bucket that holds the block that has been idle longest."""
    return min((b for b in buckets if b.idle), key=lambda b: b.idle[0].born, default=None)


def _lease(size: int) -> Any:
    """The type of what stands behind an array over a block of `size` bytes; when its last array dies, `__del__` runs.

    `__del__` is a slot, so that the value put there, a callable made in C, is all that runs: no frame of Python in
    which a signal handler could raise. Of the bases that NumPy takes (ctypes array, subclass of ndarray,
    `__array_interface__`) this is also the quickest.
    """
    return type("Lease", (ctypes.c_char * size,), {"__slots__": ("__del__",)})


def block_under(buffer: Any) -> Block | None:
    """The block that an array from a pool, or a view of one, lies in."""
    while isinstance(buffer, np.ndarray):
        buffer = buffer.base
    back = getattr(buffer, "__del__", None)
    block = back.args[0] if isinstance(back, partial) and back.args else None
    return block if isinstance(block, Block) else None
