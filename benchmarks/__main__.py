"""Run the benchmarks, print tables, write JSON. Options: --json FILE, --quick."""

from __future__ import annotations

import argparse
import json
import os
import sys

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Everything on one thread: the limits are read by the libraries when they are loaded."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], environment)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", default="benchmarks.json", help="where the figures go")
    parser.add_argument("--quick", action="store_true", help="smaller depths only")
    options = parser.parse_args()

    from rich.console import Console
    from rich.table import Table

    from . import cases, peers

    console = Console(width=110)
    figures: dict[str, object] = {"threads": 1, "versions": peers.versions()}
    console.print(f"one thread each; {peers.versions()}")

    table = Table(title="microseconds per call (median), fx / peer; target in brackets")
    for column in ("case", "fx", "peers"):
        table.add_column(column)
    results = [bench() for bench in cases.COMPARISONS]
    for r in results:
        notes = [
            f"{p} {t:.1f}: {r.ratio(p):.2f}x" + (f" [{r.targets[p]}]" if p in r.targets else "")
            for p, t in r.micros.items()
            if p != "fx"
        ]
        table.add_row(r.name, f"{r.micros['fx']:.2f}", "\n".join(notes))
    console.print(table)
    figures["comparisons"] = [
        {"name": r.name, "us": r.micros, "targets": r.targets, "missed": r.missed()} for r in results
    ]

    costs = cases.tracing_cost()
    for name, micros in costs.items():
        console.print(f"{name}: {micros:.2f} [{cases.COST_TARGETS[name]:g}]")
    figures["costs"] = costs

    depth = Table(title="reverse mode over depth (bare value_and_grad)")
    for column in ("function", "layers", "us/layer", "peak bytes/layer"):
        depth.add_column(column)
    rows = list(cases.depth_table((100, 1000) if options.quick else (100, 300, 1000, 3000, 10000)))
    for row in rows:
        depth.add_row(
            row["function"], str(row["layers"]), f"{row['us/layer']:.2f}", f"{row['peak bytes/layer']:.0f}"
        )
    console.print(depth)
    figures["depth"] = rows

    times = cases.import_time()
    ratio = times["fx"] / times["numpy"]
    console.print(f"import numpy {times['numpy']:.1f} ms, import fx {times['fx']:.1f} ms: {ratio:.2f}x [1.5]")
    figures["import_ms"] = times
    with open(options.json, "w") as f:
        json.dump(figures, f, indent=1)
    missed = [f"{r.name} against {p}" for r in results for p in r.missed()]
    missed += [name for name, micros in costs.items() if micros > cases.COST_TARGETS[name]]
    missed += ["import time"] if ratio > 1.5 else []
    console.print(f"missed targets: {', '.join(missed) or 'none'}; figures in {options.json}")


if __name__ == "__main__":
    main()
