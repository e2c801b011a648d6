"""The library of products: functions compiled when a product first needs them, kept by the object cache.

Of kernels and packers there are many, of which a program uses few: each is an object of its own. Products get them as a
kit, a table of addresses in the program's own data.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from .. import threads
from ..engine import Linked, engine
from ..llvm import Module
from ..object_cache import cached_objects
from ..parts import Part
from .blocking import gemm
from .micro_kernel import kernel_name, micro_kernel
from .packing import LINES, WAYS, packer, packer_name
from .parts import sum_parts
from .tiles import Tile, tile
from .vectors import vectors
from .workspace import workspace

SUFFIX = {"float": "f32", "double": "f64"}
IMPORTS = ["fx_parallel", "fx_workspace_take", "fx_workspace_give"]
Write = Callable[[Module], object]

_QUICK = "fx_gemm_"
"""What shares the work out: how fast that is does not show."""
_lock = threading.RLock()
_linked: list[Linked] = []


def provide(scalar: str, names: Iterable[str]) -> None:
    """Make functions of the library known to modules linked later; those not yet compiled are, side by side."""
    with _lock:
        missing = [name for name in names if name not in engine().symbols]
        if missing:
            threads.ensure()
            working_memory()
            functions = library(tile(scalar))
            writer = lambda names: functions[names[0]]
            _provide(f"products {tile(scalar)}", [[name] for name in missing], writer, IMPORTS)


@functools.cache
def library(t: Tile) -> dict[str, Write]:
    """What writes each function for one scalar type."""
    suffix = SUFFIX[t.scalar]
    found: dict[str, Write] = {
        f"fx_gemm_{suffix}": lambda m: gemm(m, t, suffix),
        f"fx_gemv_{suffix}": lambda m: vectors(m, t, suffix),
        f"fx_sum_parts_{suffix}": lambda m: sum_parts(m, t, suffix),
    }
    for operand in LINES:
        for way in WAYS:
            name = packer_name(operand, way, suffix)
            found[name] = lambda m, name=name, operand=operand, way=way: packer(m, t, name, operand, way)
    for rows in range(1, t.rows + 1):
        for count in range(1, t.vectors + 1):
            name = kernel_name(rows, count, suffix)
            found[name] = lambda m, n=name, rows=rows, count=count: micro_kernel(m, t, n, rows, count)
    return found


@functools.cache
def working_memory() -> None:
    """`fx_workspace_take` and `fx_workspace_give`, once in the process."""
    _provide("workspace", [["fx_workspace_take", "fx_workspace_give"]], lambda names: workspace, [])


def _provide(
    title: str, objects: list[list[str]], writer: Callable[[list[str]], Write], imports: list[str]
) -> None:
    """Objects are found by the source of what emits them: writing the text takes longer than reading that."""
    keys = {f"{title} {' '.join(names)} {_source()}": names for names in objects}

    def part(key: str) -> Part:
        m = Module(key)
        writer(keys[key])(m)
        return Part(str(m), quick=_QUICK in key)

    codes = cached_objects(list(keys), lambda missing: engine().objects([part(key) for key in missing]))
    linked = engine().link(codes, [name for names in objects for name in names], imports)
    for name, address in linked.address.items():
        engine().provide(name, address)
    _linked.append(linked)


@functools.cache
def _source() -> str:
    """A hash of the modules that write the library."""
    here = Path(__file__).parent
    files = [here.parent / "llvm.py", *sorted(here.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
