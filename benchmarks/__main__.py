"""Run the benchmarks: `python -m benchmarks [section ...]`.

A section is a family of workloads, "gemm", "core" or "examples"; without sections all are run. Bars are met or missed
by fx; the missed ones are printed first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

SYSTEMS = ("fx", "jax", "torch", "torch-compile", "autograd", "numpy")


def main() -> None:
    options = _options()
    if any(section in options.families for section in options.sections):
        from .table import run

        run(options)
    if "gemm" in options.sections:
        subprocess.run([sys.executable, "-m", "benchmarks.gemm"], check=True)
    if "core" in options.sections:
        _core(options)
    if "examples" in options.sections:
        json = ["--json", _beside(options.json, "examples")] if options.json else []
        subprocess.run([sys.executable, "-m", "benchmarks.examples", *json], check=True)


def _options() -> argparse.Namespace:
    from .workloads import families

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = [*families(), "gemm", "core", "examples"]
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(known))
    parser.add_argument(
        "--systems", default=",".join(SYSTEMS), help="of these, separated by commas: %(default)s"
    )
    parser.add_argument("--threads", choices=("1", "all"), help="one core or all of them (default: both)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds; no fresh processes")
    parser.add_argument(
        "--fresh", action="store_true", help="with --quick: first calls and memory all the same"
    )
    parser.add_argument("--limit", type=float, help="seconds a first call may take (default: 120, quick 60)")
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--png", metavar="FILE", help="draw the ratios")
    options = parser.parse_args()
    options.families = families()
    options.sections = options.sections or known
    options.systems = options.systems.split(",")
    for given, allowed in ((options.sections, known), (options.systems, SYSTEMS)):
        unknown = [name for name in given if name not in allowed]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(allowed)}")
    return options


def _core(options: argparse.Namespace) -> None:
    """In a process on one thread: the libraries read that when they are loaded."""
    from .processes import environment

    path = _beside(options.json, "core") if options.json else None
    code = (
        f"from rich.console import Console; from benchmarks.core import report; "
        f"report(Console(width=110), {path!r}, {options.quick})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **environment("1")})


def _beside(path: str, name: str) -> str:
    """A second file of figures."""
    return f"{os.path.splitext(path)[0]}-{name}.json"


if __name__ == "__main__":
    main()
