"""The command `python -m fx`: its options, and what it does in order."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import fx

from .digits import load_digits
from .figure import draw
from .report import percent, reporter
from .training import EPOCHS, HIDDEN, train

NEEDED = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}
"""Modules of the demo that fx itself does not depend on, with their names on PyPI."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, draw, and say what came out. Returns the exit code: 2 if something needed is not installed."""
    options = parse(arguments)
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(_advice(missing), file=sys.stderr)
        return 2
    console = Console()
    start = time.perf_counter()
    data_key, key = fx.random.split(fx.random.key(options.seed))
    digits = load_digits(data_key)
    if not options.quiet:
        _introduce(console, len(digits.train.labels), len(digits.held_out.labels), options)
    with reporter(console, options.epochs, options.quiet) as report:
        history = train(digits, key, hidden=options.hidden, epochs=options.epochs, report=report)
    draw(history, digits.held_out, options.out)
    seconds = time.perf_counter() - start
    console.print(
        f"{options.out}: held-out accuracy {percent(history.accuracy[-1])} after {seconds:.1f} s",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; exits with code 2 and a usage message if they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m fx",
        description="Train a small network on scikit-learn's handwritten digits and draw what it learned.",
    )
    parser.add_argument(
        "--out",
        type=_png,
        default=Path("fx-digits.png"),
        metavar="PNG",
        help="the picture (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs",
        type=_positive,
        default=EPOCHS,
        metavar="N",
        help="passes over the data (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of all randomness (default: %(default)s)"
    )
    parser.add_argument(
        "--hidden", type=_sizes, default=HIDDEN, metavar="N[,N...]",
        help=f"sizes of the hidden layers (default: {','.join(map(str, HIDDEN))})",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print the result only")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.strip().isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(_positive(part) for part in text.split(","))


def _png(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        problem = "is a directory" if path.is_dir() else f"lies in {path.parent}, which is no directory"
        raise argparse.ArgumentTypeError(f"{text} {problem}")
    return path


def _advice(missing: Sequence[str]) -> str:
    names = " ".join(missing)
    return (
        f"The demo needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.\n"
        + (f"Install with: pip install {names}")
    )


def _introduce(console: Console, train_count: int, held_out: int, options: argparse.Namespace) -> None:
    layers = " - ".join(map(str, (64, *options.hidden, 10)))
    console.print(
        f"fx {fx.__version__}: a network {layers} learns from {train_count} digits, "
        f"{held_out} are held out (seed {options.seed}).",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
