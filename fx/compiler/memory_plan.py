"""The memory plan: a place in one arena for every temporary, from its first step to its last."""

from __future__ import annotations

import bisect
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

ALIGNMENT = 64


class Interval(NamedTuple):
    """A buffer that lives from step `first` to step `last`, both included."""

    key: Hashable
    nbytes: int
    first: int
    last: int


class Arena(NamedTuple):
    """Offsets by key, and the bytes that the whole takes."""

    offsets: dict[Hashable, int]
    nbytes: int


def plan(intervals: Iterable[Interval]) -> Arena:
    """Places such that buffers alive at the same time do not overlap: best fit among what is free, then the end."""
    free = _Free()
    offsets: dict[Hashable, int] = {}
    ending: dict[int, list[tuple[int, int]]] = {}
    step = -1
    for x in sorted(intervals, key=lambda x: (x.first, -x.nbytes)):
        while step < x.first:
            for place in ending.pop(step, ()):
                free.give(*place)
            step += 1
        size = aligned(x.nbytes)
        offsets[x.key] = free.take(size)
        ending.setdefault(x.last, []).append((offsets[x.key], size))
    return Arena(offsets, free.end)


def aligned(nbytes: int) -> int:
    return max(-(-nbytes // ALIGNMENT), 1) * ALIGNMENT


def peak(intervals: Sequence[Interval]) -> int:
    """The most bytes alive at one step: what no plan can go below."""
    change: dict[int, int] = {}
    for x in intervals:
        change[x.first] = change.get(x.first, 0) + aligned(x.nbytes)
        change[x.last + 1] = change.get(x.last + 1, 0) - aligned(x.nbytes)
    most = now = 0
    for step in sorted(change):
        now += change[step]
        most = max(most, now)
    return most


class _Free:
    """Gaps between the buffers alive, by size and by both ends; beyond `end` nothing was used yet."""

    def __init__(self) -> None:
        self.by_size: list[tuple[int, int]] = []
        self.sizes: dict[int, int] = {}
        """By where a gap starts."""
        self.starts: dict[int, int] = {}
        """By where it ends."""
        self.end = 0

    def take(self, size: int) -> int:
        """The start of the smallest gap that is large enough, or of room at the end."""
        i = bisect.bisect_left(self.by_size, (size, -1))
        if i == len(self.by_size):
            return self._extend(size)
        length, start = self.by_size[i]
        self._remove(start)
        if length > size:
            self._insert(start + size, length - size)
        return start

    def _extend(self, size: int) -> int:
        """At the end; a gap that reaches it is used as well."""
        start = self.starts.get(self.end, self.end)
        if start < self.end:
            self._remove(start)
        self.end = start + size
        return start

    def give(self, start: int, size: int) -> None:
        """Back, merged with the gaps on both sides."""
        if start + size in self.sizes:
            after = start + size
            size += self.sizes[after]
            self._remove(after)
        before = self.starts.get(start)
        if before is not None:
            size += start - before
            self._remove(before)
            start = before
        self._insert(start, size)

    def _insert(self, start: int, size: int) -> None:
        bisect.insort(self.by_size, (size, start))
        self.sizes[start], self.starts[start + size] = size, start

    def _remove(self, start: int) -> None:
        size = self.sizes.pop(start)
        del self.starts[start + size]
        del self.by_size[bisect.bisect_left(self.by_size, (size, start))]
