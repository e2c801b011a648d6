"""The ratios as a picture: time of fx over that of every peer, a panel for each number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .bars import GEOMETRIC_MEAN, geometric_mean
from .rounds import Row
from .workloads.workload import SYSTEMS

COLORS = {
    "jax": "tab:blue",
    "torch": "tab:orange",
    "torch-compile": "tab:red",
    "autograd": "tab:green",
    "numpy": "tab:gray",
}


def save(rows: Sequence[Row], path: str) -> None:
    """A PNG; left of the line fx is faster."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = {
        t: [row for row in rows if row.threads == t] for t in dict.fromkeys(row.threads for row in rows)
    }
    height = 1.6 + 0.24 * max(map(len, panels.values()))
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(4.5 + 5.0 * len(panels), height), sharey=True, squeeze=False
    )
    for axis, (threads, panel) in zip(axes[0], panels.items()):
        _draw(axis, panel, "all cores" if threads == "all" else "one core")
    handles = {label: h for axis in axes[0] for h, label in zip(*axis.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=len(SYSTEMS))
    figure.tight_layout(rect=(0, 0.7 / height, 1, 1))
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _draw(axis: Any, rows: Sequence[Row], title: str) -> None:
    names = [row.workload.name for row in rows]
    for system, color in COLORS.items():
        points = [(r, n) for n, row in enumerate(rows) if (r := row.ratio(system)) is not None]
        if points:
            axis.plot(*zip(*points), "o", color=color, label=f"fx / {system}", markersize=5, alpha=0.8)
    best = [
        (row.ratio(peer), n) for n, row in enumerate(rows) if (peer := row.best_peer()) and row.ratio(peer)
    ]
    if best:
        axis.plot(*zip(*best), "o", color="none", markeredgecolor="black", markersize=9, label="best peer")
    axis.axvline(1.0, color="black", linewidth=1)
    mean = geometric_mean(rows)
    if mean is not None:
        title += f": geometric mean against the best peer {mean:.2f} [{GEOMETRIC_MEAN}]"
        axis.axvline(mean, color="black", linewidth=1, linestyle=":")
    axis.set_xscale("log")
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(axis="both", alpha=0.25)
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("time of fx / time of the peer")
