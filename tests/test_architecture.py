"""Imports go one way, and heavy modules stay out of `import fx`."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fx"

# What each room may import, besides itself. Rooms further down stand on those above.
PUBLIC = {
    *("", "errors", "tree", "numpy", "random", "lax", "debug", "checkpoint_policies", "testing"),
    *("linalg", "fft", "special", "signal", "image", "ops", "stats", "ode", "scipy", "tree_util"),
}
MAY_IMPORT = {
    "core": set(),
    "primitives": {"core"},
    "compiler": {"core", "primitives"},
    "backends": {"core", "primitives", "compiler", "_version"},
    "tree": {"core"},
    "numpy": {"core", "primitives"},
    "random": {"core", "primitives", "numpy", "lax", "special"},
    "lax": {"core", "primitives", "numpy", "_callbacks"},
    "special": {"core", "primitives", "numpy", "lax"},
    "linalg": {"core", "primitives", "numpy", "lax"},
    "fft": {"core", "primitives", "numpy"},
    "signal": {"core", "primitives", "numpy", "lax", "fft"},
    "image": {"core", "primitives", "numpy", "lax"},
    "ops": {"core", "primitives", "numpy", "lax"},
    "stats": {"core", "primitives", "numpy", "lax", "special", "linalg", "random"},
    "scipy": {"numpy", "linalg", "special", "stats", "signal", "fft", "image", "lax", "tree", ""},
    "ode": {"core", "numpy", "lax", "tree"},
    **{name: {"core"} for name in ("_jax_names", "tree_util", "flatten_util", "typing")},
    "checkpoint_policies": {"core", "primitives"},
    "debug": {"core", "primitives"},
    "_callbacks": {"core", "primitives"},
    "_transfer": {"core", "primitives"},
    "memory": {"core", "backends"},
    "_profile": {"core", "compiler", "backends"},
    "nn": PUBLIC,
    "losses": PUBLIC | {"nn"},
    "optim": PUBLIC,
    "io": PUBLIC,
    "data": PUBLIC,
    "metrics": PUBLIC,
    "train": PUBLIC | {"nn", "losses", "optim", "io", "data", "metrics"},
    "examples": PUBLIC | {"nn", "losses", "optim", "io", "data", "metrics", "train"},
    "_demo": PUBLIC | {"nn", "losses", "optim"},
    "__main__": PUBLIC | {"_demo", "nn", "losses", "optim"},
    "testing": {"core", "primitives", *PUBLIC},
}
ROOM_OF_ROOT = {"__init__", "_version"}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        room = parts[0]
        if room not in ROOM_OF_ROOT:
            yield path, room, parts


def imported_rooms(path, parts):
    """First component under fx of everything a module imports; "" is the package itself."""
    package = ("fx", *parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            stem = ".".join(base + ([node.module] if node.module else []))
            names = [f"{stem}.{alias.name}" if stem in ("fx",) else stem for alias in node.names]
        else:
            continue
        for name in names:
            head, *rest = name.split(".")
            if head == "fx":
                yield rest[0] if rest else ""


@pytest.mark.parametrize(
    "path, room, parts", list(modules()), ids=lambda v: v.name if isinstance(v, Path) else ""
)
def test_imports_go_one_way(path, room, parts):
    assert room in MAY_IMPORT, f"fx/{room} is a new room: say here what it may import"
    allowed = MAY_IMPORT[room] | {room}
    public = {name for name in dir(__import__("fx"))} if "" in allowed else set()
    wrong = {
        r
        for r in imported_rooms(path, parts)
        if r not in allowed and r not in public - {"core", "primitives"}
    }
    assert not wrong, f"{path.relative_to(ROOT)} imports fx.{', fx.'.join(sorted(wrong))}"


def test_core_knows_no_primitive_by_name():
    """Nothing in core compares the name of a primitive with anything."""
    for path in (PACKAGE / "core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                named = [x for x in sides if isinstance(x, ast.Attribute) and x.attr == "name"]
                asks = [x for x in named if "prim" in ast.unparse(x.value)]
                assert not asks, f"{path.name}:{node.lineno} asks for a primitive by name"


HEAVY = (
    "scipy",
    "opt_einsum",
    "ml_dtypes",
    "rich",
    "cupy",
    "llvmlite",
    "jax",
    "torch",
    "hypothesis",
    "sklearn",
    "matplotlib",
)


def test_import_fx_loads_nothing_heavy():
    code = f"import sys, fx; print([m for m in sys.modules if m.partition('.')[0] in {HEAVY!r}])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_only_the_cupy_backend_imports_cupy():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if any(n.partition(".")[0] in ("cupy", "cupyx") for n in names):
                assert path.parent.name == "backends", path
