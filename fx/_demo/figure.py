"""The picture: how loss and accuracy went, and held-out digits with what the model says they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .digits import Split
from .training import History, predict

ROWS, COLUMNS = 6, 10
INK, MUTED, RIGHT, WRONG, ACCENT = "#1f2933", "#7b8794", "#2f6f4f", "#d62828", "#2a6fbb"
STYLE = {
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": "#cbd2d9",
    "axes.labelcolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.facecolor": "white",
}


def draw(history: History, held_out: Split, path: Path) -> None:
    """Write the picture as PNG."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 5.4), dpi=130)
        FigureCanvasAgg(figure)
        curves, grid = figure.subfigures(1, 2, width_ratios=(1, 1.35), wspace=0.0)
        _draw_curves(curves, history)
        _draw_digits(grid, history, held_out)
        figure.savefig(path, format="png", metadata={"Software": "fx"})


def _draw_curves(figure: Any, history: History) -> None:
    epochs = range(1, len(history.loss) + 1)
    loss, accuracy = figure.subplots(2, 1, sharex=True)
    figure.subplots_adjust(left=0.16, right=0.96, top=0.87, bottom=0.11, hspace=0.22)
    figure.suptitle("Training", x=0.16, y=0.96, ha="left", fontsize=12, fontweight="bold")
    loss.plot(epochs, history.loss, color=ACCENT, marker="o", markersize=3)
    loss.set_yscale("log")
    loss.set_ylabel("training loss")
    percent = [100 * a for a in history.accuracy]
    accuracy.plot(epochs, percent, color=RIGHT, marker="o", markersize=3)
    accuracy.set_ylabel("held-out accuracy (%)")
    accuracy.set_xlabel("epoch")
    accuracy.annotate(
        f"{percent[-1]:.1f} %", (len(percent), percent[-1]), xytext=(0, -16), textcoords="offset points",
        ha="right", color=RIGHT, fontweight="bold",
    )  # fmt: skip
    figure.align_ylabels()
    for axes in (loss, accuracy):
        axes.grid(True, which="major", color="#e4e7eb", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlim(0, len(history.loss) + 0.5)


def _draw_digits(figure: Any, history: History, held_out: Split) -> None:
    labels = np.asarray(held_out.labels)
    said = np.asarray(predict(history.model, history.params, held_out.pixels))
    wrong = np.flatnonzero(said != labels)
    shown = np.concatenate([wrong, np.flatnonzero(said == labels)])[: ROWS * COLUMNS]
    figure.suptitle("Held-out digits", x=0.03, y=0.96, ha="left", fontsize=12, fontweight="bold")
    figure.text(
        0.97, 0.937, f"{len(wrong)} of {len(labels)} wrong, in red with the true digit", ha="right",
        color=WRONG if len(wrong) else MUTED,
    )  # fmt: skip
    grid = figure.subplots(ROWS, COLUMNS)
    figure.subplots_adjust(left=0.03, right=0.97, top=0.87, bottom=0.03, hspace=0.45, wspace=0.18)
    for axes in grid.flat:
        axes.axis("off")
    for axes, i in zip(grid.flat, shown, strict=False):
        _draw_digit(axes, np.asarray(held_out.pixels[int(i)]).reshape(8, 8), int(said[i]), int(labels[i]))


def _draw_digit(axes: Any, image: Any, said: int, label: int) -> None:
    right = said == label
    axes.axis("on")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=4)
    for spine in axes.spines.values():
        spine.set(visible=True, color="#cbd2d9" if right else WRONG, linewidth=0.8 if right else 2)
    text = str(said) if right else f"{said}, not {label}"
    axes.set_title(
        text, fontsize=9, pad=3, color=RIGHT if right else WRONG, fontweight="normal" if right else "bold"
    )
