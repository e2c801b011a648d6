"""What a pool counts, and how it prints."""

from __future__ import annotations

import html
from dataclasses import dataclass
from math import inf
from typing import Any

from ...core.avals import format_bytes
from ...core.errors import OutOfMemoryError, lines
from .blocks import FREE, IDLE, LIVE, Block
from .buckets import Bucket


class Watch:
    """The most bytes in use and reserved since it was made, and what was asked for."""

    __slots__ = ("_allocated", "_requests", "allocated", "net", "requests", "reserved", "start", "used")

    def __init__(self, used: int, reserved: int, allocated: int = 0, requests: int = 0):
        self.start = self.used = used
        self.reserved = reserved
        self._allocated, self._requests = allocated, requests
        self.allocated = self.requests = self.net = 0

    def see(self, used: int, reserved: int) -> None:
        """There were `used` bytes in use at some time."""
        self.used = max(self.used, used)
        self.reserved = max(self.reserved, reserved)

    def sum_up(self, used: int, allocated: int, requests: int) -> None:
        """What happened until now, from the totals of the pool."""
        self.net = used - self.start
        self.allocated = allocated - self._allocated
        self.requests = requests - self._requests


@dataclass(frozen=True)
class BucketStatistics:
    """One size class."""

    size: int
    """Bytes of its blocks."""
    hits: int
    misses: int
    evictions: int
    """Blocks it let go to be joined, cut again or given back."""
    live: int
    """Blocks that somebody holds."""
    idle: int
    """Blocks that wait for the next request."""
    in_use: int
    """Bytes asked for in its live blocks."""

    @property
    def allocations(self) -> int:
        """Requests served."""
        return self.hits + self.misses

    @property
    def utilisation(self) -> float:
        """Share of its blocks' bytes that somebody asked for and holds."""
        held = self.size * (self.live + self.idle)
        return self.in_use / held if held else 0.0


@dataclass(frozen=True)
class Statistics:
    """State and history of a memory pool; every number is counted.

    `hits + misses == requests` and `in_use <= reserved <= peak_reserved`.
    """

    name: str
    requests: int
    hits: int
    """Requests served from memory that the pool held."""
    misses: int
    """Requests for which memory was taken from the system."""
    small: int
    """Arrays below the pool's threshold, which NumPy allocates; in no other number here."""
    refused: int
    """Requests that ended in OutOfMemoryError."""
    in_use: int
    """Bytes asked for and held now."""
    reserved: int
    """Bytes taken from the system and not given back."""
    peak_in_use: int
    """The most bytes in use since `reset_peak`."""
    peak_reserved: int
    idle: int
    """Bytes in idle blocks, each kept for the next request of its size."""
    rounding: int
    """Bytes that live blocks have beyond what was asked for."""
    largest_free: int
    """Bytes of the largest free block."""
    evictions: int
    limit: int | None
    """Bytes that may be reserved."""
    buckets: tuple[BucketStatistics, ...]
    lifetimes: tuple[int, ...]
    """Blocks returned by age in requests: entry k counts ages from 2**(k-1) to 2**k - 1, entry 0 age zero."""

    @property
    def hit_rate(self) -> float:
        """hits / requests; 1.0 before the first request."""
        return self.hits / self.requests if self.requests else 1.0

    @property
    def free(self) -> int:
        """Bytes in free blocks, which any request may cut."""
        return self.reserved - self.in_use - self.rounding - self.idle

    @property
    def fragmentation(self) -> float:
        """Share of the free bytes that lies outside of the largest free block."""
        return 1 - self.largest_free / self.free if self.free else 0.0

    def rows(self) -> list[tuple[str, str]]:
        """Names and values, for people."""
        size = format_bytes
        return [
            ("in use", f"{size(self.in_use)}, peak {size(self.peak_in_use)}"),
            ("reserved", f"{size(self.reserved)}, peak {size(self.peak_reserved)}{self._limit()}"),
            ("idle, free", f"{size(self.idle)}, {size(self.free)} ({self.fragmentation:.0%} fragmented)"),
            ("requests", f"{self.requests:,}: {self.hits:,} hits, {self.misses:,} misses"),
            ("hit rate", f"{self.hit_rate:.2%}"),
            ("evictions", f"{self.evictions:,}"),
            ("refused", f"{self.refused:,}"),
            ("small arrays", f"{self.small:,}, from NumPy"),
        ]

    def _limit(self) -> str:
        return "" if self.limit is None else f", limit {format_bytes(self.limit)}"

    def __repr__(self) -> str:
        return "\n".join(
            [f"memory pool: {self.name}", *(f"  {name:<13} {text}" for name, text in self.rows())]
        )

    def _repr_html_(self) -> str:
        head = html_table(["memory pool", self.name], self.rows())
        buckets = html_table(BUCKET_HEADS, bucket_rows(self))
        return head + buckets + html_table(LIFETIME_HEADS, lifetime_rows(self))


BUCKET_HEADS = ["block", "allocations", "hits", "misses", "evicted", "live", "idle", "utilisation"]


def bucket_rows(statistics: Statistics) -> list[tuple[str, ...]]:
    """A row per size class, the largest first."""
    return [
        (
            format_bytes(b.size),
            *(f"{n:,}" for n in (b.allocations, b.hits, b.misses, b.evictions, b.live, b.idle)),
            f"{b.utilisation:.0%}",
        )
        for b in sorted(statistics.buckets, key=lambda b: -b.size)
    ]


LIFETIME_HEADS = ["lifetime in requests", "blocks", ""]


def lifetime_rows(statistics: Statistics) -> list[tuple[str, ...]]:
    """A row per power of two, with a bar, up to the longest lifetime."""
    counts = statistics.lifetimes
    last = max((k for k, n in enumerate(counts) if n), default=-1)
    return [
        (f"{1 << k >> 1} to {(1 << k) - 1}" if k > 1 else str(k), f"{n:,}", "█" * -(-BAR * n // max(counts)))
        for k, n in enumerate(counts[: last + 1])
    ]


BAR = 40
"""Characters of the longest bar."""


def html_table(heads: list[str], rows: Any) -> str:
    """A table as HTML."""

    def row(cells: Any, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    return f"<table>{row(heads, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"


def collect(pool: Any) -> Statistics:
    """What a pool has counted, with what its blocks say now."""
    blocks = pool.blocks()
    live = [b for b in blocks if b.state >= LIVE]
    buckets = sorted(pool.buckets.values(), key=lambda b: b.size)
    pool.small_read += 1
    return Statistics(
        name=pool.source.name,
        requests=pool.requests,
        hits=sum(b.hits for b in buckets),
        misses=sum(b.misses for b in buckets),
        small=next(pool.small) + 1 - pool.small_read,
        refused=pool.refused,
        in_use=pool.used,
        reserved=pool.reserved,
        peak_in_use=pool.ever.used,
        peak_reserved=pool.ever.reserved,
        idle=sum(b.size for b in blocks if b.state == IDLE),
        rounding=sum(b.size - b.nbytes for b in live),
        largest_free=max((b.size for b in blocks if b.state == FREE), default=0),
        evictions=sum(b.evictions for b in buckets),
        limit=None if pool.limit == inf else int(pool.limit),
        buckets=tuple(_of_bucket(b, live) for b in buckets),
        lifetimes=tuple(pool.ages),
    )


def _of_bucket(bucket: Bucket, live: list[Block]) -> BucketStatistics:
    mine = [b for b in live if b.bucket is bucket]
    return BucketStatistics(
        size=bucket.size,
        hits=bucket.hits,
        misses=bucket.misses,
        evictions=bucket.evictions,
        live=len(mine),
        idle=len(bucket.idle),
        in_use=sum(b.nbytes for b in mine),
    )


LISTED = 5
"""Live buffers that a message names."""


def refusal(live: list[Block], s: Statistics, nbytes: int, label: Any) -> OutOfMemoryError:
    """What a request that cannot be served says."""
    where = "the machine's memory" if s.limit is None else f"the limit of {format_bytes(s.limit)}"
    largest = sorted(live, key=lambda b: -b.nbytes)[:LISTED]
    return OutOfMemoryError(
        lines(
            f"{describe(label) or 'A request'}: {nbytes} bytes ({format_bytes(nbytes)}) do not fit into {where}.",
            f"{format_bytes(s.in_use)} are in use and {format_bytes(s.reserved)} reserved, after the clean-up.",
            "The largest live buffers:" if largest else None,
            *[f"  {format_bytes(b.nbytes)}  {describe(b.label) or 'unknown origin'}" for b in largest],
            "Donate arguments that are not needed afterwards (jit(f, donate_argnums=...)), recompute "
            "instead of keeping (fx.checkpoint), work on parts (fx.vmap(f, chunk=...)), or raise fx.memory.limit.",
        )
    )


def describe(label: Any) -> str | None:
    """What a label says of the maker of a block."""
    return None if label is None else str(label.describe())
