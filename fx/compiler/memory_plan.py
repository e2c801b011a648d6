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
    """Gaps between the buffers alive, by offset; beyond `end` nothing was used yet."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.sizes: dict[int, int] = {}
        self.end = 0

    def take(self, size: int) -> int:
        best = min((s for s in self.starts if self.sizes[s] >= size), key=lambda s: self.sizes[s], default=None)
        if best is None:
            return self._extend(size)
        rest = self.sizes[best] - size
        self._remove(best)
        if rest:
            self._insert(best + size, rest)
        return best

    def _extend(self, size: int) -> int:
        """At the end; a gap that reaches it is used as well."""
        last = self.starts[-1] if self.starts else None
        start = self.end
        if last is not None and last + self.sizes[last] == self.end:
            start = last
            self._remove(last)
        self.end = start + size
        return start

    def give(self, start: int, size: int) -> None:
        """Back, merged with the gaps on both sides."""
        after = start + size
        if after in self.sizes:
            size += self.sizes[after]
            self._remove(after)
        i = bisect.bisect(self.starts, start) - 1
        if i >= 0 and self.starts[i] + self.sizes[self.starts[i]] == start:
            before = self.starts[i]
            size += self.sizes[before]
            self._remove(before)
            start = before
        self._insert(start, size)

    def _insert(self, start: int, size: int) -> None:
        bisect.insort(self.starts, start)
        self.sizes[start] = size

    def _remove(self, start: int) -> None:
        del self.starts[bisect.bisect_left(self.starts, start)]
        del self.sizes[start]
