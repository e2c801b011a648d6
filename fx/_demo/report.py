"""What the terminal shows: a progress bar where there is one, else a line now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .training import History

LINES = 5
"""How many lines of progress a log file gets."""


@contextmanager
def reporter(console: Console, epochs: int, quiet: bool) -> Iterator[Callable[[History], None]]:
    """A function that is told the history after every epoch."""
    if quiet:
        yield lambda history: None
    elif console.is_terminal:
        with _bar(console) as progress:
            task = progress.add_task("training", total=epochs, loss="", accuracy="")
            yield lambda history: progress.update(task, advance=1, **_latest(history))
    else:
        yield lambda history: _line(console, history, epochs)


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(
            "epochs   loss [cyan]{task.fields[loss]}[/]   held-out accuracy [green]{task.fields[accuracy]}[/]  "
        ),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)


def _latest(history: History) -> dict[str, Any]:
    return {"loss": f"{history.loss[-1]:.4f}", "accuracy": percent(history.accuracy[-1])}


def _line(console: Console, history: History, epochs: int) -> None:
    done = len(history.loss)
    if done * LINES // epochs > (done - 1) * LINES // epochs:
        latest = _latest(history)
        console.print(
            f"epoch {done:{len(str(epochs))}d}/{epochs}   loss {latest['loss']}   "
            f"held-out accuracy {latest['accuracy']}",
            highlight=False,
        )


def percent(fraction: float) -> str:
    """A share of 1 as text."""
    return f"{100 * fraction:.2f} %"
