"""What the examples share: options, what they print, tables, pictures, and the split of data."""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import fx
from fx import train

PACKAGES = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}
"""Modules that fx itself does not depend on, with their names on PyPI."""

INK, MUTED, LINE = "#1f2933", "#7b8794", "#cbd2d9"
BLUE, GREEN, RED, AMBER, VIOLET = COLORS = "#2a6fbb", "#2f6f4f", "#d62828", "#d98e04", "#6d4c9f"
_STYLE = {
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
}


class Options(argparse.Namespace):
    """Options of a command, and its voice."""

    out: Path
    seed: int
    quiet: bool

    def __init__(self) -> None:
        super().__init__()
        self.start = time.perf_counter()

    @property
    def key(self) -> fx.Array:
        """The key of all randomness."""
        return fx.random.key(self.seed)

    def say(self, text: str) -> None:
        """Print on the way, unless --quiet."""
        if not self.quiet:
            print(text, flush=True)

    def conclude(self, text: str) -> int:
        """Print the result, always; returns the exit code 0."""
        print(f"{self.out}: {text} ({time.perf_counter() - self.start:.1f} s)", flush=True)
        return 0


def parse(
    name: str,
    about: str | None,
    arguments: Sequence[str] | None,
    *,
    needs: Sequence[str] = (),
    **options: Any,
) -> Options:
    """The options of example `name`: --out, --seed, --quiet, and those given as name=(default, help).

    A default says what is accepted: an int or a float a positive number, a tuple of texts one of them, the first
    unless given. matplotlib is needed by all examples, `needs` names other modules.

    Exits with code 2 and a message if options make no sense or a package is missing.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m fx.examples.{name}", description=(about or "").split("\n\n")[0]
    )
    add = parser.add_argument
    for option, (default, text) in options.items():
        kind = (
            {"choices": default}
            if isinstance(default, tuple)
            else {"type": _positive(type(default)), "metavar": "N"}
        )
        first = default[0] if isinstance(default, tuple) else default
        add(f"--{option.replace('_', '-')}", default=first, help=f"{text} (default: %(default)s)", **kind)
    add(
        "--out",
        type=_picture,
        default=Path(f"fx-example-{name}.png"),
        metavar="PNG",
        help="the picture (default: %(default)s)",
    )
    add("--seed", type=int, default=0, metavar="N", help="of all randomness (default: %(default)s)")
    add("--quiet", action="store_true", help="print the result only")
    made = parser.parse_args(arguments, Options())
    missing = [PACKAGES[m] for m in (*needs, "matplotlib") if importlib.util.find_spec(m) is None]
    if missing:
        refuse(
            f"The example needs {' and '.join(missing)}, not installed here.\n"
            "Install with: pip install 'fx-transforms[examples]'"
        )
    return made


class Lines(train.Callback):
    """A few lines over a run of `fx.train.fit` (with show=False): the numbers of every so many epochs, and the last."""

    def __init__(self, options: Options, lines: int = 6):
        self.say, self.lines = options.say, lines

    def on_epoch(self, progress: train.Progress) -> None:
        done, every = progress.epoch, math.ceil(progress.epochs / self.lines)
        if done % every == 0 or done in (1, progress.epochs):
            rest = {"epoch", "step", "seconds", "examples_per_second"}
            shown = "   ".join(f"{name} {x:.4g}" for name, x in progress.row.items() if name not in rest)
            self.say(f"epoch {done:{len(str(progress.epochs))}}/{progress.epochs}   {shown}")


def refuse(problem: str) -> NoReturn:
    """Say why the example cannot run, and exit with code 2."""
    print(problem, file=sys.stderr)
    raise SystemExit(2)


def _positive(kind: type) -> Any:
    def number(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not (math.isfinite(value) and value > 0):
            what = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is not a positive {what}")
        return value

    return number


def _picture(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        problem = "is a directory" if path.is_dir() else f"lies in {path.parent}, which is no directory"
        raise argparse.ArgumentTypeError(f"{text} {problem}")
    return path


def split(key: Any, tree: Any, held_out: float = 0.2) -> tuple[Any, Any]:
    """(what is learned from, what is only asked about): the rows of a tree's arrays, in an order drawn from the key.

    >>> learned, asked = split(fx.random.key(0), {"x": np.zeros((10, 3)), "y": np.arange(10)})
    >>> learned["x"].shape, asked["y"].shape
    ((8, 3), (2,))
    """
    count = len(fx.tree.leaves(tree)[0])
    order, cut = np.asarray(fx.random.permutation(key, count)), math.ceil(held_out * count)
    rows = lambda chosen: fx.tree.map(lambda x: np.asarray(x)[chosen], tree)
    return rows(order[cut:]), rows(order[:cut])


def library() -> list[Path]:
    """The modules at the top of Python's standard library, by name.

    Exits with code 2 if this Python has none of them as text.
    """
    folder = Path(sysconfig.get_paths()["stdlib"])
    if not (found := sorted(folder.glob("*.py"))):
        refuse(f"The example reads Python's standard library; {folder} has no modules as text.")
    return found


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows under a header: text to the left, numbers to the right with four digits.

    >>> print(table(["model", "R2"], [["ridge", 0.51234], ["ensemble", 0.5]]))
    model        R2
    ridge    0.5123
    ensemble    0.5
    """
    shown = [
        tuple(header),
        *(tuple(f"{c:.4g}" if isinstance(c, float) else str(c) for c in row) for row in rows),
    ]
    widths = [max(len(line[i]) for line in shown) for i in range(len(header))]
    padded = (
        [c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
        for line in shown
    )
    return "\n".join(" ".join(line) for line in padded)


@contextmanager
def figure(path: Path, title: str, width: float = 12, height: float = 5) -> Iterator[Any]:
    """A matplotlib Figure to draw on, written to `path` as PNG at the end. The title says what was found."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        made = Figure(figsize=(width, height), dpi=130, layout="constrained")
        FigureCanvasAgg(made)
        made.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        yield made
        made.savefig(path, format="png", facecolor="white", metadata={"Software": "fx"})


def bare(axes: Any) -> None:
    """For images: neither ticks nor grid."""
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
