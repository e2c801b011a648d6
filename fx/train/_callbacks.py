"""What may happen beside the steps of a run."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from reprlib import repr as brief

import fx
import fx.numpy as fnp
from fx import io

from ._history import History
from ._run import Progress


class Stop(Exception):
    """Raised by a callback: the run ends well, with this reason."""


class Callback:
    """Base class: each method does nothing unless a subclass says otherwise."""

    def on_start(self, progress: Progress) -> None:
        """Before the first step."""

    def on_step(self, progress: Progress) -> None:
        """After each step; `progress.train.step` counts them."""

    def on_epoch(self, progress: Progress) -> None:
        """After each epoch and its evaluation; `progress.row` has the numbers."""

    def on_end(self, progress: Progress) -> None:
        """Once, also after Ctrl-C and errors."""


class _Monitor(Callback):
    """A callback that follows a number of the epochs' rows."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0):
        name = type(self).__name__
        if not isinstance(mode, str) or mode not in ("min", "max"):
            raise fx.ArgumentError(f"{name}: mode={brief(mode)}.\nChoose 'min' or 'max'.")
        if not isinstance(monitor, str):
            raise fx.ArgumentError(
                f"{name}: monitor must be the name of a number, as text; got {brief(monitor)}."
            )
        if not isinstance(min_delta, (int, float)):
            raise fx.ArgumentError(f"{name}: min_delta must be a number; got {brief(min_delta)}.")
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.best = math.inf if mode == "min" else -math.inf

    def on_start(self, progress: Progress) -> None:
        """Take in the epochs that a run which resumes has behind it."""
        for row in progress.history.rows:
            self.take(row)

    def take(self, row: dict[str, float]) -> bool:
        """Whether an epoch is the best so far."""
        if self.monitor not in row:
            raise fx.ArgumentError(
                f"{type(self).__name__}: there is no number {self.monitor!r}; an epoch has {sorted(row)}."
            )
        value, by = row[self.monitor], self.min_delta
        better = value < self.best - by if self.mode == "min" else value > self.best + by
        self.best = value if better else self.best
        return better


class EarlyStopping(_Monitor):
    """End the run when a number has not become better for `patience` epochs.

    Args:
        monitor: "loss", or a name that `evaluate` gives.
        patience: epochs without improvement that are borne.
        min_delta: what counts as better: by more than this.
        mode: "min" or "max", what is good.
    """

    def __init__(
        self, monitor: str = "loss", *, patience: int = 5, min_delta: float = 0.0, mode: str = "min"
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience, self.waited = patience, 0

    def take(self, row: dict[str, float]) -> bool:
        better = super().take(row)
        self.waited = 0 if better else self.waited + 1
        return better

    def on_epoch(self, progress: Progress) -> None:
        self.take(progress.row)
        if self.waited > self.patience:
            raise Stop(f"{self.monitor} has not become better than {self.best:.5g} for {self.waited} epochs")


class Checkpoint(_Monitor):
    """Save the run to a file, so that `fit(resume=True)` goes on exactly where it was.

    Args:
        path: .safetensors or .npz; written atomically.
        every: steps between two saves; None saves at the end of each epoch. It is also saved at the end of the
            run, Ctrl-C included.
        best: a file for the best epoch's parameters and state alone: {"params", "state"}; monitor and mode say best.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        every: int | None = None,
        best: str | PathLike[str] | None = None,
        monitor: str = "loss",
        mode: str = "min",
    ):
        super().__init__(monitor, mode)
        if every is not None and every < 1:
            raise fx.ArgumentError(f"Checkpoint: every is a positive number of steps; got {every}.")
        self.path, self.every, self.best_path = Path(path), every, best
        for file in map(Path, [path] if best is None else [path, best]):
            if file.suffix not in (".safetensors", ".npz"):
                raise fx.ArgumentError(f"Checkpoint: {str(file)!r} ends neither in .safetensors nor in .npz.")
            if not file.parent.is_dir():
                raise fx.ArgumentError(
                    f"Checkpoint: {str(file.parent)!r}, where it would save, is no directory."
                )
        self.saved: tuple[int, int] | None = None

    def take(self, row: dict[str, float]) -> bool:
        return self.best_path is not None and super().take(row)

    def save(self, progress: Progress) -> None:
        """Write what the run is now."""
        about = {"history": progress.history.rows, "totals": progress.totals, "epoch": progress.epoch}
        losses = fnp.asarray([float(x) for x in progress.losses], dtype=fnp.float64)
        io.save(self.path, {"train": progress.train, "losses": losses}, metadata=about)
        self.saved = progress.train.step, progress.epoch

    def load(self, progress: Progress) -> None:
        """Make the run what it was when the file was written."""
        about = io.inspect(self.path).metadata
        plain = io.load(self.path)
        like = {
            "train": progress.train._replace(step=0, loader=plain["train"]["loader"]),
            "losses": fx.ShapeDtype((0,), fnp.float64),
        }
        progress.train = io.load(self.path, like=like, only="train/*")["train"]
        progress.losses = plain["losses"].tolist()
        progress.totals, progress.epoch = about["totals"], about["epoch"]
        progress.history = History(about["history"])

    def on_step(self, progress: Progress) -> None:
        if self.every is not None and progress.train.step % self.every == 0:
            self.save(progress)

    def on_epoch(self, progress: Progress) -> None:
        if self.take(progress.row):
            assert self.best_path is not None
            io.save(self.best_path, {"params": progress.train.params, "state": progress.train.state})
        if self.every is None:
            self.save(progress)

    def on_end(self, progress: Progress) -> None:
        if self.saved != (progress.train.step, progress.epoch):
            self.save(progress)
