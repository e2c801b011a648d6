"""What a training run is at any moment: all that has to be saved, and what callbacks see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ._history import History


class TrainState(NamedTuple):
    """All that a run needs to go on exactly; a pytree."""

    params: Any
    opt_state: Any
    state: Any
    """Of layers, such as running averages; {} without."""
    key: Any
    """The key of the run, or None; step n draws from it folded with n."""
    step: int
    loader: Any
    """What the loader's `state()` gave; None if it has none."""


@dataclass
class Progress:
    """What callbacks see."""

    train: TrainState
    epochs: int
    """How many were asked for."""
    epoch: int = 0
    """How many are done: the number, from 0, of the one that is running."""
    row: dict[str, float] = field(default_factory=dict)
    """At the end of an epoch: its numbers, loss and metrics."""
    losses: list[Any] = field(default_factory=list)
    """Losses of this epoch's steps."""
    totals: dict[str, float] = field(default_factory=dict)
    """Sums of the metrics of this epoch's steps."""
    history: History = field(default_factory=History)
    batches: int | None = None
    """In an epoch, where the loader knows."""
