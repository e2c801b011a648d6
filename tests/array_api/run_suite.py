"""Runs the public suite data-apis/array-api-tests on fx.numpy, eager or with every call traced.

    python tests/array_api/run_suite.py                  # fx.numpy as it is
    python tests/array_api/run_suite.py --traced         # every call under fx.vjp, see traced.py
    python tests/array_api/run_suite.py --module numpy   # another namespace, without a list of expected failures

The suite is cloned into build/ once, at one commit, with the array API's own text; what it needs is in its
requirements.txt. Anything after `--` goes to pytest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SUITE = ROOT / "build" / "array-api-tests"
ADDRESS = "https://github.com/data-apis/array-api-tests"
COMMIT = "55fcc60179efa2680ddd6cd926ddf17b83530e2b"


def main() -> int:
    """Run the suite as the command line says; the exit code is pytest's."""
    wanted, rest = arguments()
    fetch(wanted.suite)
    module = "traced" if wanted.traced else wanted.module
    lists = ["xfails.txt", "xfails_traced.txt"] if wanted.traced else ["xfails.txt"]
    expected = wanted.suite / "expected_failures.txt"
    expected.write_text(
        "".join((HERE / name).read_text() for name in lists) if module in ("traced", "fx.numpy") else ""
    )
    command = f"{sys.executable} -m pytest array_api_tests -q --tb=short -W ignore -p no:cacheprovider"
    command += f" --derandomize --disable-deadline --max-examples {wanted.examples} --xfails-file {expected}"
    places = [str(ROOT), str(HERE), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "ARRAY_API_TESTS_MODULE": module, "PYTHONPATH": os.pathsep.join(places)}
    return subprocess.run([*command.split(), *rest], cwd=wanted.suite, env=environment).returncode


def arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traced", action="store_true", help="every call under fx.vjp")
    parser.add_argument("--module", default="fx.numpy", help="the namespace to test")
    parser.add_argument("--examples", type=int, default=100, help="inputs that Hypothesis draws per test")
    parser.add_argument("--suite", type=Path, default=SUITE, help="where the suite is, or will be cloned")
    wanted, rest = parser.parse_known_args()
    return wanted, [argument for argument in rest if argument != "--"]


def fetch(place: Path) -> None:
    """Clone the suite, unless it is there."""
    if (place / "array_api_tests").exists():
        return
    subprocess.run(["git", "clone", "-q", ADDRESS, str(place)], check=True)
    subprocess.run(["git", "checkout", "-q", COMMIT], cwd=place, check=True)
    subprocess.run(["git", "submodule", "update", "-q", "--init"], cwd=place, check=True)


if __name__ == "__main__":
    sys.exit(main())
