"""The coordinator: verify a workload in every system, time it in interleaved rounds, measure first calls and memory."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .processes import Failed, Process
from .systems import installed
from .workloads.workload import Workload

REFERENCES = ("jax", "torch")
LACKS = "no such function"


@dataclass(frozen=True)
class Options:
    """How long things may take: seconds of a round, rounds, seconds per workload and system, of a first call."""

    rounds: int = 15
    round_s: float = 0.02
    budget_s: float = 5.0
    first_s: float = 120.0
    fresh: bool = True
    tiny: bool = False


QUICK = Options(rounds=5, round_s=0.008, budget_s=1.5, first_s=60.0, fresh=False)


@dataclass(frozen=True)
class Sample:
    """Seconds per call: median, quartiles and least of the rounds."""

    median: float
    low: float
    high: float
    least: float
    rounds: int


@dataclass(frozen=True)
class Fresh:
    """Of a fresh process: seconds of the first call, of one after it; bytes a step takes beyond its arguments."""

    first: float
    steady: float
    planned: int | None = None
    measured: int | None = None

    @property
    def compile(self) -> float:
        """Trace to ready: what the first call takes longer than the others."""
        return max(self.first - self.steady, 0.0)

    @property
    def peak(self) -> int | None:
        return self.measured if self.planned is None else self.planned


@dataclass
class Row:
    """All figures of a workload on one number of threads, by system."""

    workload: Workload
    threads: str
    times: dict[str, Sample] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)
    fresh: dict[str, Fresh] = field(default_factory=dict)

    def best_peer(self) -> str | None:
        peers = [s for s in self.times if s != "fx"]
        return min(peers, key=lambda s: self.times[s].median, default=None)

    def ratio(self, peer: str) -> float | None:
        """Time of fx over that of a peer."""
        if "fx" not in self.times or peer not in self.times:
            return None
        return self.times["fx"].median / self.times[peer].median


class Reference:
    """Outputs in float64 by the first peer there is; computed once per workload."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.system = next((s for s in REFERENCES if installed(s)), None)
        self._process: Process | None = None
        self._known: dict[str, list[np.ndarray]] = {}

    def outputs(self, workload: Workload) -> list[np.ndarray]:
        if self.system is None:
            raise Failed(f"no peer to verify against: none of {', '.join(REFERENCES)} is installed")
        if workload.name not in self._known:
            self._process = self._process or Process(self.system, "all")
            self._process.ask("build", workload.name, "float64", self._options.tiny)
            outputs = self._process.ask("first", limit=self._options.first_s)[1]
            self._known = {workload.name: workload.summary(outputs)}
        return self._known[workload.name]

    def close(self) -> None:
        if self._process is not None:
            self._process.close()


def error(outputs: Sequence[np.ndarray], reference: Sequence[np.ndarray]) -> float:
    """Largest |difference| of an output, relative to that output's largest |number|; inf where shapes differ."""
    if len(outputs) != len(reference):
        return float("inf")
    return max(map(_relative, outputs, reference), default=float("inf"))


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        return float("inf")
    difference = np.abs(a.astype(np.float64) - b)
    found = float(np.max(difference, initial=0.0) / max(np.max(np.abs(b), initial=0.0), 1e-30))
    return float("inf") if np.isnan(found) else found


def measure(
    workload: Workload,
    threads: str,
    processes: dict[str, Process],
    reference: Reference,
    options: Options,
) -> Row:
    """One row. Systems that lack the workload, fail or are wrong are in `missing`, with the reason."""
    row = Row(workload, threads)
    able = {s: p for s, p in processes.items() if workload.supports(s)}
    row.missing = {s: LACKS for s in processes if s not in able}
    ready = {s: p for s, p in able.items() if _verified(row, s, p, reference, options)}
    _time(row, ready, options)
    return row


def _verified(row: Row, system: str, process: Process, reference: Reference, options: Options) -> bool:
    """Build, call once and compare; whether it is right."""
    try:
        expected = reference.outputs(row.workload)
        process.ask("build", row.workload.name, row.workload.dtype, options.tiny)
        row.first[system], outputs = process.ask("first", limit=options.first_s)
    except Failed as failure:
        row.missing[system] = str(failure)
        return False
    row.errors[system] = error(row.workload.summary(outputs), expected)
    if row.errors[system] > row.workload.tolerance:
        row.missing[system] = f"wrong: error {row.errors[system]:.1e}, tolerance {row.workload.tolerance:.0e}"
        return False
    return True


def _time(row: Row, processes: dict[str, Process], options: Options) -> None:
    """Rounds in turn; a system whose calls are long gets fewer of them, at least three."""
    wanted, samples = {}, {}
    for system, process in processes.items():
        try:
            seconds = process.ask("calibrate", options.round_s, limit=options.first_s)
            process.quiet()
        except Failed as failure:
            row.missing[system] = str(failure)
            continue
        fitting = int(options.budget_s / max(2 * seconds, options.round_s))
        wanted[system], samples[system] = max(3, min(options.rounds, fitting)), []
    for n in range(max(wanted.values(), default=0)):
        for system in [s for s in samples if n < wanted[s] and s not in row.missing]:
            try:
                samples[system].append(processes[system].ask("round", limit=options.first_s))
                processes[system].quiet()
            except Failed as failure:
                row.missing[system] = str(failure)
    row.times = {s: summary(times) for s, times in samples.items() if s not in row.missing}


def summary(times: Sequence[float]) -> Sample:
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Sample(median, low, high, min(times), len(times))


def measure_fresh(row: Row, systems: Sequence[str], options: Options) -> None:
    """First calls and memory, each in a process of its own; "fx, warm" is a second one with the first's disk cache."""
    for system in systems:
        with tempfile.TemporaryDirectory(prefix="fx-bench-") as cache:
            for name in (system, "fx, warm") if system == "fx" else (system,):
                try:
                    row.fresh[name] = _fresh(
                        row, name, Process(system, row.threads, {"FX_CACHE_DIR": cache}), options
                    )
                except Failed as failure:
                    row.missing[f"{name}, fresh process"] = str(failure)


def _fresh(row: Row, name: str, process: Process, options: Options) -> Fresh:
    """The process ends with it. Without the memory where that cannot be measured."""
    try:
        process.ask("build", row.workload.name, row.workload.dtype, options.tiny)
        first = process.ask("first", limit=options.first_s)[0]
        steady = process.ask("steady", limit=options.first_s)
        memory: dict[str, int | None] = {}
        for kind in ("planned", "measured"):
            try:
                memory[kind] = process.ask(kind, limit=options.first_s)
            except Failed as failure:
                row.missing[f"{name}, memory {kind}"] = str(failure)
        return Fresh(first, steady, **memory)
    finally:
        process.close()
