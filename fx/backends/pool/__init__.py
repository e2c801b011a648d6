"""The memory pool: results and arenas from memory that is already mapped.

Fresh pages cost a fault and a clearing each, more than the arithmetic of most kernels. A request goes to the bucket
of its size class, else to the best fitting free block, else to the source. `empty` gives a NumPy array whose memory
comes back with the last array over it, views included; `take` and `give` lend plain blocks.

An array may die at any time, in a garbage collection in the middle of a request too. Its lease then only posts the
block to `returned`, an atomic queue, and the next request books it. Who asks in the middle of a request (a finalizer,
a signal handler) is served from the source, aside from the structures that are being changed.
"""

from __future__ import annotations

import os

from .blocks import Block, HostMemory, Segment, Source
from .buckets import WASTE, block_under
from .pool import POOLS, SMALL, Pool
from .statistics import Statistics, describe

__all__ = [
    "HOST",
    "SMALL",
    "WASTE",
    "Block",
    "HostMemory",
    "Pool",
    "Segment",
    "Source",
    "Statistics",
    "block_under",
    "describe",
]

HOST = Pool(HostMemory())
"""The pool of the host's memory."""


def _before_fork() -> None:
    """No other thread is in the middle of a change when the process is copied."""
    _held.extend(POOLS)
    for pool in _held:
        pool.lock.acquire()


def _after_fork() -> None:
    while _held:
        _held.pop().lock.release()


_held: list[Pool] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
