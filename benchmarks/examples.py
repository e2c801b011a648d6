"""Steps per second of fx.examples: `python -m benchmarks.examples [name ...]`.

Each runs as it is, in a process of its own, with fewer steps than usual. What it compiles is watched; the first
call of a function compiles it. Two figures come of it: seconds of a step, and steps per second of the whole loop around
it, with batches, logs and evaluations, where Python makes that loop.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 110


@dataclass(frozen=True)
class Example:
    """One of fx.examples.

    Args:
        arguments: of its command line.
        step: what a step is, in words.
        function: part of the qualified name of the compiled function that learns.
        steps: how many a call of that function takes.
    """

    name: str
    arguments: tuple[str, ...] = ()
    step: str = "a batch"
    function: str = "make_step"
    steps: int = 1


EXAMPLES = (
    Example("digits", ("--model", "cnn", "--scale", "0.1")),
    Example("diabetes", ("--splits", "2"), "all patients, 64 networks", "ensemble", 100),
    Example("characters", ("--rounds", "1", "--steps", "20")),
    Example("sequences", ("--epochs", "1", "--lines", "500")),
    Example("vae", ("--epochs", "5")),
    Example("hmc", ("--draws", "200", "--warmup", "100"), "a trajectory of 4 chains", "sample", 300),
    Example("maml", ("--steps", "1000"), "a gradient through gradients", "learn", 1000),
    Example("neural_ode", ("--steps", "40"), "a gradient through odeint", "descend", 40),
)


@dataclass
class Compiled:
    """A compiled function that keeps the time of its calls."""

    function: Any
    name: str
    seconds: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    inputs: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        import fx

        self.inputs = self.inputs or (args, kwargs)
        start = time.perf_counter()
        result = fx.block_until_ready(self.function(*args, **kwargs))
        self.ends.append(time.perf_counter())
        self.seconds.append(self.ends[-1] - start)
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)


def main() -> None:
    """The command."""
    options = _options()
    if options.here:
        print(json.dumps(measure(options.chosen[0])))
        return
    found = {example.name: _elsewhere(example, options.limit) for example in options.chosen}
    if options.json:
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
        Path(options.json).write_text(json.dumps(found, indent=1))
    Console(width=max(WIDTH, Console().width)).print(report(options.chosen, found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.examples",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = {example.name: example for example in EXAMPLES}
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(known))
    parser.add_argument(
        "--limit", type=float, default=120.0, help="seconds an example may take (default: %(default)s)"
    )
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    options.chosen = [known[name] for name in options.names or known]
    return options


def measure(example: Example) -> dict[str, Any]:
    """Seconds of a step and to compile it, steps per second of the loop, seconds of the whole example."""
    with _watched() as watched, tempfile.TemporaryDirectory() as folder:
        module = importlib.import_module(f"fx.examples.{example.name}")
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            module.main([*example.arguments, "--quiet", "--out", os.path.join(folder, "picture.png")])
        whole = time.perf_counter() - start
    able = [f for f in watched if example.function in f.name and f.seconds]
    if not able:
        raise LookupError(f"the example compiles nothing whose name has {example.function!r} in it")
    for once in [f for f in able if len(f.seconds) == 1]:
        args, kwargs = once.inputs
        once(*args, **kwargs)
    learning = max(able, key=lambda f: sum(f.seconds[1:]))
    first, *rest = learning.seconds
    step = sorted(rest)[len(rest) // 2] / example.steps
    single = len(rest) == 1
    loop = 1 / step if single else example.steps * len(rest) / (learning.ends[-1] - learning.ends[0])
    return {
        "step": step,
        "loop": loop,
        "compile": max(first - step * example.steps, 0.0),
        "calls": len(rest),
        "whole": whole,
    }


@contextlib.contextmanager
def _watched() -> Iterator[list[Compiled]]:
    """Inside, fx.jit adds what it compiles to this list; an example has to be imported inside."""
    import fx

    found: list[Compiled] = []
    jit = fx.jit

    def watching(f: Callable[..., Any] | None = None, **options: Any) -> Any:
        if f is None:
            return functools.partial(watching, **options)
        found.append(Compiled(jit(f, **options), getattr(f, "__qualname__", "")))
        return found[-1]

    fx.jit = watching
    try:
        yield found
    finally:
        fx.jit = jit


def _elsewhere(example: Example, limit: float) -> dict[str, Any]:
    """`measure` in a process of its own; {"failed": why} if that comes to nothing."""
    command = [sys.executable, "-m", "benchmarks.examples", example.name, "--here"]
    print(example.name, file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than {limit:g} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"failed": lines[-1] if lines else f"exit code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def report(chosen: Sequence[Example], found: dict[str, dict[str, Any]]) -> Table:
    """A line for each example."""
    from .report import seconds

    table = Table(title="examples: the step that learns, and the loop around it")
    table.add_column("example")
    for text in ("a step", "loop, steps/s", "compile", "calls", "run"):
        table.add_column(text, justify="right")
    table.add_column("what a step is")
    for example in chosen:
        figures = found[example.name]
        if "failed" in figures:
            table.add_row(example.name, "", "", "", "", "", figures["failed"])
            continue
        times = seconds(figures["step"]), f"{figures['loop']:.3g}", seconds(figures["compile"])
        table.add_row(example.name, *times, str(figures["calls"]), seconds(figures["whole"]), example.step)
    return table


if __name__ == "__main__":
    main()
