"""Logs of runs: CSV, JSON lines, TensorBoard. Each row is on the disk when its epoch ends."""

from __future__ import annotations

import csv
import json
from os import PathLike
from pathlib import Path
from typing import Any

import fx

from ._callbacks import Callback
from ._run import Progress


class CsvLog(Callback):
    """A CSV file with a row an epoch. A run that resumes goes on in it."""

    def __init__(self, path: str | PathLike[str]):
        self.path = Path(path)

    def on_start(self, progress: Progress) -> None:
        self._write(progress.history.rows)

    def on_epoch(self, progress: Progress) -> None:
        self._write(progress.history.rows)

    def _write(self, rows: list[dict[str, float]]) -> None:
        names = list(dict.fromkeys(name for row in rows for name in row))
        with open(self.path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)


class JsonLog(Callback):
    """A file of JSON lines, one an epoch, and with `steps` one for every so many steps: {"step": 3, "loss": 0.5}."""

    def __init__(self, path: str | PathLike[str], *, steps: int | None = None):
        self.path, self.steps = Path(path), steps

    def on_start(self, progress: Progress) -> None:
        if not progress.history.rows:
            self.path.write_text("", encoding="utf-8")

    def on_step(self, progress: Progress) -> None:
        if self.steps is not None and progress.train.step % self.steps == 0:
            self._append({"step": progress.train.step, "loss": float(progress.losses[-1])})

    def on_epoch(self, progress: Progress) -> None:
        self._append(progress.row)

    def _append(self, row: dict[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class TensorBoard(Callback):
    """Event files for TensorBoard, a scalar an epoch for every number. Needs tensorboardX."""

    def __init__(self, folder: str | PathLike[str]):
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise fx.ArgumentError(
                "TensorBoard needs the package tensorboardX.\n"
                "Install it with: pip install 'fx-transforms[tensorboard]'."
            ) from None
        self.writer = SummaryWriter(str(folder))

    def on_epoch(self, progress: Progress) -> None:
        for name, value in progress.row.items():
            self.writer.add_scalar(name, value, progress.train.step)
        self.writer.flush()

    def on_end(self, progress: Progress) -> None:
        self.writer.close()
