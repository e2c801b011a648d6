"""Interleaved timing: every contender runs in every round, medians and ratios are reported."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Result(NamedTuple):
    """Medians in microseconds per call, by contender; fx first."""

    name: str
    micros: dict[str, float]
    targets: dict[str, float]

    def ratio(self, peer: str) -> float:
        """Time of fx over the time of a peer."""
        return self.micros["fx"] / self.micros[peer]

    def missed(self) -> list[str]:
        return [p for p, limit in self.targets.items() if p in self.micros and self.ratio(p) > limit]


def compare(
    name: str, contenders: Mapping[str, Callable[[], Any] | None], targets: dict[str, float], rounds: int = 31
) -> Result:
    """Time all contenders in turn, `rounds` times, each round long enough to be measured."""
    present = {k: f for k, f in contenders.items() if f is not None}
    repeats = {k: _repeats(f) for k, f in present.items()}
    samples: dict[str, list[float]] = {k: [] for k in present}
    for _ in range(rounds):
        for k, f in present.items():
            samples[k].append(_once(f, repeats[k]))
    return Result(name, {k: statistics.median(v) * 1e6 for k, v in samples.items()}, targets)


def _repeats(f: Callable[[], Any], goal: float = 0.004) -> int:
    f()
    f()
    n = 1
    while (t := _once(f, n)) * n < goal and n < 1_000_000:
        n = max(n + 1, int(n * min(10.0, goal / max(t * n, 1e-9))))
    return n


def _once(f: Callable[[], Any], n: int) -> float:
    start = time.perf_counter()
    for _ in range(n):
        f()
    return (time.perf_counter() - start) / n
