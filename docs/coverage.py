"""Prints, as a table, how many of the names of JAX's namespaces fx has, and how many functions have derivatives.

`python docs/coverage.py` needs JAX; the names that are missing go to standard error.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path

SPACES = {
    "jax.numpy": "fx.numpy",
    "jax.numpy.linalg": "fx.numpy.linalg",
    "jax.numpy.fft": "fx.numpy.fft",
    "jax.lax": "fx.lax",
    "jax.random": "fx.random",
    "jax.nn": "fx.nn",
    "jax.nn.initializers": "fx.nn.initializers",
    "jax.scipy.linalg": "fx.scipy.linalg",
    "jax.scipy.special": "fx.scipy.special",
    "jax.scipy.signal": "fx.scipy.signal",
    "jax.scipy.stats": "fx.scipy.stats",
    "jax.scipy.fft": "fx.scipy.fft",
    "jax.scipy.ndimage": "fx.scipy.ndimage",
    "jax.scipy.integrate": "fx.scipy.integrate",
    "jax.scipy.interpolate": "fx.scipy.interpolate",
    "jax.scipy.optimize": "fx.scipy.optimize",
    "jax.scipy.sparse.linalg": "fx.scipy.sparse.linalg",
    "jax.scipy.cluster.vq": "fx.scipy.cluster.vq",
    "jax.scipy.spatial.transform": "fx.scipy.spatial.transform",
    "jax.ops": "fx.ops",
    "jax.image": "fx.image",
    "jax.tree": "fx.tree",
    "jax.tree_util": "fx.tree_util",
}


def public(module: object) -> set[str]:
    return {name for name in dir(module) if not name.startswith("_") and name != "annotations"}


def module_of(name: str) -> object | None:
    """The module of a dotted name, which may be an attribute of its parent."""
    try:
        return importlib.import_module(name)
    except ImportError:
        parent, _, last = name.rpartition(".")
        return getattr(module_of(parent), last, None) if parent else None


def rows() -> list[tuple[str, int, int, list[str]]]:
    """(namespace of JAX, names of it in fx, its names, the missing ones)."""
    found = []
    for theirs, ours in SPACES.items():
        names, present = public(module_of(theirs)), public(module_of(ours))
        found.append((theirs, len(names & present), len(names), sorted(names - present)))
    return found


def table() -> str:
    """The table in Markdown, and a line about derivatives."""
    lines = ["| namespace | names in fx | of |", "|---|---|---|"]
    for name, present, all_names, missing in rows():
        lines.append(f"| `{name}` | {present} | {all_names} |")
        if missing:
            print(f"{name}: {' '.join(missing)}", file=sys.stderr)
    page = runpy.run_path(str(Path(__file__).with_name("numpy_table.py")))
    spaces = ("fx.numpy", *page["MATRIX_SPACES"])
    lines += ["", "Each derivative is checked by the tests:", ""]
    lines += [f"- `{space}`: {page['counted'](space)}" for space in spaces]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
