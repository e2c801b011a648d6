"""The figures as tables on the terminal, the missed bars first, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .bars import Bar, Limits, bars, fraction, row_bars
from .rounds import LACKS, Row, Sample
from .workloads.workload import SYSTEMS

NO_FIGURE = "[dim]–[/dim]"


def print_report(console: Console, rows: Sequence[Row], limits: Limits) -> None:
    """Missed bars, means, times per number of threads, first calls and memory, what has no figure."""
    found = bars(rows, limits)
    _print_missed(console, found)
    for threads in dict.fromkeys(row.threads for row in rows):
        console.print(_times([row for row in rows if row.threads == threads], threads, limits))
    fresh = [row for row in rows if row.fresh]
    if fresh:
        console.print(_fresh(fresh))
    _print_missing(console, rows)


def as_json(rows: Sequence[Row], limits: Limits, versions: dict[str, str]) -> dict[str, Any]:
    """Everything that was measured, in seconds and bytes."""
    return {
        "versions": versions,
        "limits": {threads: dict(found) for threads, found in limits.items()},
        "rows": [_row_json(row) for row in rows],
        "bars": [{**asdict(bar), "met": bar.met} for bar in bars(rows, limits)],
    }


def _row_json(row: Row) -> dict[str, Any]:
    w = row.workload
    return {
        "name": w.name, "family": w.family, "dtype": w.dtype, "threads": row.threads,
        "flops": w.flops, "elements": w.elements,
        "tolerance": w.tolerance, "errors": row.errors, "missing": row.missing, "first": row.first,
        "times": {s: asdict(sample) for s, sample in row.times.items()},
        "fresh": {s: {**asdict(f), "compile": f.compile} for s, f in row.fresh.items()},
    }  # fmt: skip


def _print_missed(console: Console, found: Sequence[Bar]) -> None:
    for bar in found:
        if bar.workload == "geometric mean":
            verdict = "met" if bar.met else "missed"
            console.print(
                f"geometric mean, threads {bar.threads}: {bar.value:.2f}, at most {bar.target:g}: {verdict}"
            )
    missed = [bar for bar in found if not bar.met]
    table = Table(title=f"missed: {len(missed)} of {len(found)} bars", title_style="bold")
    for column in ("workload", "threads", "bar", "reached", "target", ""):
        table.add_column(column, overflow="fold")
    for bar in sorted(missed, key=_severity, reverse=True):
        sign = "≥" if bar.least else "≤"
        value = "n/a" if bar.value is None else f"{bar.value:.2f}"
        table.add_row(
            escape(bar.workload), bar.threads, bar.what, value, f"{sign} {bar.target:g}", escape(bar.note)
        )
    console.print(table if missed else f"all {len(found)} bars are met")


def _severity(bar: Bar) -> float:
    """How many times the target was missed by; no figure first."""
    if bar.value is None:
        return float("inf")
    return bar.target / max(bar.value, 1e-12) if bar.least else bar.value / bar.target


def _times(rows: Sequence[Row], threads: str, limits: Limits) -> Table:
    cores = "all cores" if threads == "all" else "one core"
    title = f"{cores}: median time of a call ± half the interquartile range{_describe(limits.get(threads))}"
    table = Table(title=title, title_style="bold")
    present = [s for s in SYSTEMS if any(s in row.times or s in row.missing for row in rows)]
    table.add_column("workload", overflow="fold", min_width=28)
    for system in present:
        table.add_column(system, justify="right", no_wrap=True)
    for column in ("fx / best \\[1.0]", "of FMA limit", "of copy"):
        table.add_column(column, justify="right")
    for row in rows:
        cells = [_time_cell(row, system) for system in present]
        marks = {bar.what: bar for bar in row_bars(row, limits)}
        kinds = [_fraction_cell(row, kind, marks, limits) for kind in ("fma", "copy")]
        table.add_row(escape(row.workload.name), *cells, _bar_cell(marks.get("time / best peer")), *kinds)
    return table


def _describe(limits: Any) -> str:
    if not limits:
        return ""
    f32, f64, copy = (limits[k] / 1e9 for k in ("flops32", "flops64", "copy"))
    return f"\nFMA limit {f32:.0f} GFLOP/s (f64 {f64:.0f}), copy {copy:.1f} GB/s"


def _time_cell(row: Row, system: str) -> str:
    if system in row.times:
        text = _with_spread(row.times[system])
        return f"[bold]{text}[/bold]" if system == row.best_peer() else text
    reason = row.missing.get(system, "")
    return NO_FIGURE if reason in ("", LACKS) else "[red]n/a[/red]"


def _with_spread(sample: Sample) -> str:
    return f"{seconds(sample.median)} ±{(sample.high - sample.low) / 2 / sample.median:.0%}"


def _bar_cell(bar: Bar | None) -> str:
    if bar is None or bar.value is None:
        return NO_FIGURE
    color = "green" if bar.met else "red"
    return f"[{color}]{bar.value:.2f} {'met' if bar.met else 'missed'}[/{color}]"


def _fraction_cell(row: Row, kind: str, marks: dict[str, Bar], limits: Limits) -> str:
    bar = marks.get("of the FMA limit" if kind == "fma" else "of the copy bandwidth")
    value = fraction(row, "fx", kind, limits)
    if value is None:
        return NO_FIGURE
    if bar is None:
        return f"{value:.0%}"
    color, verdict = ("green", "met") if bar.met else ("red", "missed")
    return f"[{color}]{value:.0%} \\[{bar.target:.0%}] {verdict}[/{color}]"


def _fresh(rows: Sequence[Row]) -> Table:
    title = "fresh processes: compile (first call less a later one), and memory of a step beyond its arguments, MiB"
    table = Table(title=title, title_style="bold", caption="* its first call, in the process that is timed")
    table.add_column("workload", overflow="fold", min_width=28)
    compiled = ("fx", "fx, warm", "jax")
    for column in (*compiled, "torch-compile*", "cold / JAX \\[0.25]", "warm / JAX \\[0.05]"):
        table.add_column(column, justify="right")
    for column in ("fx plan", "fx", "jax", "torch", "fx / best \\[1.0]"):
        table.add_column(column, justify="right")
    for row in rows:
        marks = {bar.what: bar for bar in row_bars(row, {})}
        times = [seconds(row.fresh[s].compile) if s in row.fresh else NO_FIGURE for s in compiled]
        times.append(seconds(row.first["torch-compile"]) if "torch-compile" in row.first else NO_FIGURE)
        ratios = [
            _bar_cell(marks.get(what)) for what in ("cold compile / JAX's", "warm compile / JAX's cold")
        ]
        memory = next((bar for what, bar in marks.items() if "peak memory" in what), None)
        peaks = [_bytes(row, "fx", "planned"), *(_bytes(row, s, "measured") for s in ("fx", "jax", "torch"))]
        table.add_row(escape(row.workload.name), *times, *ratios, *peaks, _bar_cell(memory))
    return table


def _bytes(row: Row, system: str, kind: str) -> str:
    count = getattr(row.fresh.get(system), kind, None)
    return NO_FIGURE if count is None else f"{count / 2**20:.1f}"


def _print_missing(console: Console, rows: Sequence[Row]) -> None:
    for row in rows:
        for system, reason in row.missing.items():
            if reason != LACKS:
                console.print(
                    f"n/a: {row.workload.name}, {row.threads} thread(s), {system}: {reason}", markup=False
                )


def seconds(value: float) -> str:
    """Three digits and a unit."""
    scale, unit = next(((k, u) for k, u in ((1.0, "s"), (1e-3, "ms")) if value >= k), (1e-6, "us"))
    return f"{value / scale:.3g} {unit}"
