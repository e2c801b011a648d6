"""What runs in the process of one system: it answers the coordinator's questions, one at a time."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import statistics
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np


def serve(connection: Connection, system: str, threads: int | None, core: int | None) -> None:
    """The body of the process. `threads` is None for all cores; a single thread is bound to `core`."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    _silence()
    try:
        worker = Worker(system, threads)
        connection.send(("done", None))
    except Exception as error:
        connection.send(("failed", _brief(error)))
        return
    while (message := connection.recv()) is not None:
        method, *arguments = message
        try:
            connection.send(("done", getattr(worker, method)(*arguments)))
        except Exception as error:
            connection.send(("failed", _brief(error)))


def _silence() -> None:
    """Libraries talk while they compile; what goes wrong is sent as a message."""
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _brief(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:160] if text else ''}"


LONG = 0.2
"""Seconds of a call beside which cold caches are nothing."""


class Worker:
    """One system and the workload it has at present."""

    def __init__(self, system: str, threads: int | None) -> None:
        from .systems import load

        self.system = load(system, threads)
        self.system.warm_up()
        self.task: Any = None
        self.steps = 1
        self.repeats, self.seconds = 1, 0.0

    def build(self, name: str, dtype: str, tiny: bool = False) -> None:
        """Make the inputs; the function is not traced yet."""
        from .workloads import workloads

        self.task = None
        gc.collect()
        known = {w.name: w for w in workloads(tiny)}
        if name not in known:
            raise ValueError(f"there is no workload {name!r}")
        self.task, self.steps = self.system.task(known[name], dtype), known[name].steps

    def first(self) -> tuple[float, list[np.ndarray]]:
        """Seconds of the first call, and its outputs, with those of the calls after it that are verified too."""
        start = time.perf_counter()
        result = self.task.run()
        seconds = time.perf_counter() - start
        outputs = self.task.outputs(result, self.steps)
        self.task.settle()
        return seconds, outputs

    def calibrate(self, goal: float) -> float:
        """Choose how many calls make a round of `goal` seconds; seconds per call."""
        self.task.run()
        self.repeats = 1
        seconds = self.round(warm=False)
        while seconds * self.repeats < goal / 2 and self.repeats < 1_000_000:
            self.repeats = max(self.repeats + 1, int(min(10.0 * self.repeats, goal / max(seconds, 1e-9))))
            seconds = self.round(warm=False)
        return seconds

    def round(self, warm: bool = True) -> float:
        """Seconds per call; a call before the clock starts brings back caches and threads, where that is quick."""
        run = self.task.run
        if warm and self.seconds < LONG:
            run()
        gc.disable()
        try:
            start = time.perf_counter()
            for _ in range(self.repeats):
                run()
            self.seconds = (time.perf_counter() - start) / self.repeats
            return self.seconds
        finally:
            gc.enable()

    def steady(self, calls: int = 3) -> float:
        """Median seconds of a call after the first."""
        self.repeats = 1
        return statistics.median(self.round(warm=False) for _ in range(calls))

    def planned(self) -> int | None:
        """Bytes that a step takes beyond its arguments as the compiled program plans it, where that is known."""
        return self.system.planned_peak(self.task)

    def measured(self) -> int | None:
        """Bytes by which the resident set grows in a step."""
        return max((g for _ in range(3) if (g := self._growth()) is not None), default=None)

    def _growth(self) -> int | None:
        gc.collect()
        self.system.release()
        if not _release_free_memory():
            return None
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, see proc(5)
        self.task.run()
        return max(_status("VmHWM") - before, 0)

    def limits(self, threads: int) -> dict[str, float]:
        from . import limits

        return limits.measure(threads)


def _status(field: str) -> int:
    """Bytes, from /proc/self/status."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def _release_free_memory() -> bool:
    """Give free heap pages back to the system, so that what a step takes is seen; false where that is unknown."""
    if not Path("/proc/self/clear_refs").exists():
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return trim is not None
