"""The bar that a run shows: loss, metrics, time left, examples a second."""

from __future__ import annotations

import time
from typing import Any

from ._callbacks import Callback
from ._run import Progress


class Display(Callback):
    """A line for each epoch that is done, and on a terminal a bar for the one that is running."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.shown = 0.0

    def on_start(self, progress: Progress) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress as Bar,
            TextColumn,
            TimeRemainingColumn,
        )

        self.console = Console()
        if self.console.is_terminal:
            texts = TextColumn("{task.description}"), TextColumn("{task.fields[numbers]}")
            self.bar = Bar(texts[0], BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), texts[1])
            self.bar.start()
            total = None if progress.batches is None else progress.batches * progress.epochs
            self.task = self.bar.add_task("", total=total, numbers="", completed=progress.train.step)

    def on_step(self, progress: Progress) -> None:
        now = time.monotonic()
        if self.bar is None or now - self.shown < 0.1:
            return
        self.shown = now
        text = f"loss {float(progress.losses[-1]):.4g}" if progress.losses else ""
        name = f"epoch {progress.epoch + 1}/{progress.epochs}"
        self.bar.update(self.task, completed=progress.train.step, description=name, numbers=text)

    def on_epoch(self, progress: Progress) -> None:
        row = progress.row
        parts = [
            f"{n} {x:.4g}"
            for n, x in row.items()
            if n not in ("epoch", "step", "seconds", "examples_per_second")
        ]
        speed = f"{row['seconds']:.1f} s" + (
            f", {row['examples_per_second']:,.0f} examples/s" if "examples_per_second" in row else ""
        )
        out = self.bar.console if self.bar is not None else self.console
        out.print(f"epoch {row['epoch']}/{progress.epochs}  {'  '.join(parts)}  ({speed})", highlight=False)

    def on_end(self, progress: Progress) -> None:
        if self.bar is not None:
            self.bar.stop()
