"""Measure the table: a process per system, every workload on one core and on all of them, then the report."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from . import figure, peers, rounds
from .processes import Failed, Process, cores
from .report import as_json, print_report, seconds
from .rounds import LACKS, Options, Reference, Row
from .systems import installed
from .workloads import workloads
from .workloads.workload import Workload

WIDTH = 180
MEASURED_FRESH = ("fx", "jax", "torch")


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write what was asked for."""
    settings = rounds.QUICK if options.quick else Options()
    settings = dataclasses.replace(settings, fresh=settings.fresh or options.fresh)
    if options.limit:
        settings = dataclasses.replace(settings, first_s=options.limit)
    chosen = [w for w in workloads() if w.family.replace(" ", "-") in options.sections]
    console = Console(width=max(WIDTH, Console().width))
    systems = [s for s in options.systems if installed(s)]
    threads = [options.threads] if options.threads else ["all", "1"] if len(cores()) > 1 else ["1"]
    rows: list[Row] = []
    limits: dict[str, dict[str, float]] = {}

    def note(text: str) -> None:
        """Progress; what is measured is kept in the file from then on."""
        print(text, file=sys.stderr, flush=True)
        if options.json:
            _file(options.json).write_text(json.dumps(as_json(rows, limits, peers.versions()), indent=1))

    try:
        measure(chosen, systems, threads, settings, note, rows, limits)
    except KeyboardInterrupt:
        console.print("interrupted; this is what was measured")
    note("measured")
    print_report(console, rows, limits)
    if options.png:
        figure.save(rows, str(_file(options.png)))


def measure(
    chosen: Sequence[Workload],
    systems: Sequence[str],
    threads: Sequence[str],
    settings: Options,
    note: Callable[[str], Any],
    rows: list[Row],
    limits: dict[str, dict[str, float]],
) -> None:
    """Append all rows; first calls and memory with the first of `threads` only."""
    reference = Reference(settings)
    try:
        for count in threads:
            limits[count] = _limits(count)
            _measure(chosen, systems, count, reference, settings, note, rows)
    finally:
        reference.close()
    if settings.fresh:
        for row in rows[: len(chosen)]:
            able = [s for s in MEASURED_FRESH if s in row.times]
            rounds.measure_fresh(row, able, settings)
            note(_fresh_line(row))


def _measure(
    chosen: Sequence[Workload],
    systems: Sequence[str],
    threads: str,
    reference: Reference,
    settings: Options,
    note: Callable[[str], Any],
    rows: list[Row],
) -> None:
    processes: dict[str, Process] = {}
    with tempfile.TemporaryDirectory(prefix="fx-bench-") as cache:
        try:
            for system in systems:
                try:
                    processes[system] = Process(system, threads, {"TORCHINDUCTOR_CACHE_DIR": cache})
                except Failed as failure:
                    note(f"{system} is left out: {failure}")
            for workload in chosen:
                rows.append(rounds.measure(workload, threads, processes, reference, settings))
                note(_line(rows[-1]))
        finally:
            for process in processes.values():
                process.close()


def _line(row: Row) -> str:
    """Progress: one line per workload."""
    wrong = [f"{s}: {reason}" for s, reason in row.missing.items() if reason != LACKS]
    times = ", ".join([*(f"{s} {seconds(t.median)}" for s, t in row.times.items()), *wrong])
    return f"{row.workload.name} ({row.threads}): {times}"


def _fresh_line(row: Row) -> str:
    compiled = ", ".join(f"{s} {seconds(f.compile)}" for s, f in row.fresh.items())
    return f"{row.workload.name}, compile: {compiled}"


def _limits(threads: str) -> dict[str, float]:
    process = Process("numpy", threads)
    try:
        return process.ask("limits", 1 if threads == "1" else len(cores()))
    except Failed as failure:
        sys.exit(f"the limits of the machine could not be measured: {failure}")
    finally:
        process.close()


def _file(path: str) -> Path:
    """A file to be written; its folder is made."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)
