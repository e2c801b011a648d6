"""The bars: what was to be reached, what was reached."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .rounds import Row
from .workloads.small_calls import CALL

TIME, GEOMETRIC_MEAN = 1.0, 0.7
COLD, WARM = 0.25, 0.05
MEMORY = 1.0
RESOLVED = 1 << 20
"""Bytes below which the growth of the resident set says nothing."""

Limits = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Bar:
    """`value` is to be at most `target`, or at least where `least`; None: no figure, and `note` says why."""

    workload: str
    threads: str
    what: str
    value: float | None
    target: float
    least: bool = False
    note: str = ""

    @property
    def met(self) -> bool:
        if self.value is None:
            return False
        return self.value >= self.target if self.least else self.value <= self.target


def bars(rows: Sequence[Row], limits: Limits) -> list[Bar]:
    """All bars of all rows, and the geometric means."""
    found = [bar for row in rows for bar in row_bars(row, limits)]
    for threads in dict.fromkeys(row.threads for row in rows):
        mean = geometric_mean([row for row in rows if row.threads == threads])
        if mean is not None:
            found.append(Bar("geometric mean", threads, "time / best peer", mean, GEOMETRIC_MEAN))
    return found


def row_bars(row: Row, limits: Limits) -> Iterator[Bar]:
    yield from _time(row)
    yield from _limit(row, limits)
    yield from _compile(row)
    yield from _memory(row)


def geometric_mean(rows: Sequence[Row]) -> float | None:
    """Of time over the best peer's, where both have one."""
    ratios = [r for row in rows if (peer := row.best_peer()) and (r := row.ratio(peer)) is not None]
    return math.exp(math.fsum(map(math.log, ratios)) / len(ratios)) if ratios else None


def _time(row: Row) -> Iterator[Bar]:
    name, threads = row.workload.name, row.threads
    if "fx" not in row.times:
        if "fx" in row.missing:
            yield Bar(name, threads, "time / best peer", None, TIME, note=f"fx: {row.missing['fx']}")
        return
    if (peer := row.best_peer()) is not None:
        yield Bar(name, threads, "time / best peer", row.ratio(peer), TIME, note=f"best: {peer}")
    if name == CALL and "jax" in row.times:
        yield Bar(name, threads, "call / JAX's", row.ratio("jax"), TIME)


def _limit(row: Row, limits: Limits) -> Iterator[Bar]:
    for kind, target in row.workload.bars:
        kind, _, cores = kind.partition(", ")
        value = fraction(row, "fx", kind, limits)
        if value is not None and (row.threads == "all" or not cores):
            words = "of the FMA limit" if kind == "fma" else "of the copy bandwidth"
            yield Bar(row.workload.name, row.threads, words, value, target, least=True)


def fraction(row: Row, system: str, kind: str, limits: Limits) -> float | None:
    """Useful flops per second over the FMA limit, or the bytes that must move per second over the copy bandwidth."""
    w = row.workload
    amount = w.flops if kind == "fma" else w.elements * np.dtype(w.dtype).itemsize
    if not amount or system not in row.times or row.threads not in limits:
        return None
    bits = np.dtype(w.dtype).itemsize * 8
    limit = limits[row.threads][f"flops{bits}" if kind == "fma" else "copy"]
    return amount / row.times[system].median / limit


def _compile(row: Row) -> Iterator[Bar]:
    if "fx" not in row.fresh or "jax" not in row.fresh:
        return
    for system, what, target in (
        ("fx", "cold compile / JAX's", COLD),
        ("fx, warm", "warm compile / JAX's cold", WARM),
    ):
        if system in row.fresh:
            value = row.fresh[system].compile / max(row.fresh["jax"].compile, 1e-9)
            yield Bar(row.workload.name, row.threads, what, value, target)


def _memory(row: Row) -> Iterator[Bar]:
    """Against the smaller of the peers. Where that is too small to be seen, the bar is on what can be."""
    ours = row.fresh["fx"].peak if "fx" in row.fresh else None
    peers = {s: f.measured for s, f in row.fresh.items() if s in ("jax", "torch") and f.measured is not None}
    if ours is None or not peers or max(ours, *peers.values()) < RESOLVED:
        return
    best = min(peers, key=lambda s: peers[s])
    kind = "planned" if row.fresh["fx"].planned is not None else "measured"
    value = ours / max(peers[best], RESOLVED)
    yield Bar(
        row.workload.name,
        row.threads,
        f"{kind} peak memory / best peer's",
        value,
        MEMORY,
        note=f"best: {best}",
    )
