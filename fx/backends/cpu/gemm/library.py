"""The library of products: functions compiled when a product first needs them, kept by the object cache.

Of kernels and packers there are many, of which a program uses few: each is an object of its own. Products get them as a
kit, a table of addresses in the program's own data.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

from ..linking import Source, offer
from ..llvm import Module
from ..parts import Part
from .blocking import gemm
from .micro_kernel import kernel_name, micro_kernel
from .packing import LINES, WAYS, packer, packer_name
from .parts import sum_parts
from .tiles import Tile, tile
from .vectors import entry_name, vectors
from .workspace import workspace

SUFFIX = {"float": "f32", "double": "f64"}
MEMORY = ["fx_workspace_take", "fx_workspace_give"]
Write = Callable[[Module], object]


@functools.cache
def ready(scalar: str) -> None:
    """Offer the functions for one scalar type to modules linked later."""
    t = tile(scalar)
    working_memory()
    for name, write in products(t).items():
        offer([name], functools.partial(_source, f"{t}", [name], write, ["fx_parallel", *MEMORY]))


@functools.cache
def working_memory() -> None:
    """The same for `fx_workspace_take` and `fx_workspace_give`."""
    offer(MEMORY, functools.partial(_source, "", MEMORY, workspace, []))


def products(t: Tile) -> dict[str, Write]:
    """What writes each function for one scalar type."""
    suffix = SUFFIX[t.scalar]
    found: dict[str, Write] = {
        f"fx_gemm_{suffix}": lambda m: gemm(m, t, suffix),
        f"fx_sum_parts_{suffix}": lambda m: sum_parts(m, t, suffix),
    }
    for side in ("rows", "columns"):
        name = entry_name(side, suffix)
        found[name] = functools.partial(vectors, t=t, name=name, side=side)
    for operand in LINES:
        for way in WAYS:
            name = packer_name(operand, way, suffix)
            found[name] = functools.partial(packer, t=t, name=name, operand=operand, way=way)
    for rows in range(1, t.rows + 1):
        for count in range(1, t.vectors + 1):
            name = kernel_name(rows, count, suffix)
            found[name] = functools.partial(micro_kernel, t=t, name=name, rows=rows, vectors=count)
    return found


def _source(title: str, names: list[str], write: Write, imports: list[str]) -> Source:
    """Found by the source of what emits it: writing the text takes longer than reading that."""
    return Source(f"{title} {' '.join(names)} {_written()}", names, imports, lambda: [_part(names[0], write)])


def _part(name: str, write: Write) -> Part:
    """What shares work out need not be fast."""
    m = Module(name)
    write(m)
    return Part(str(m), quick=name.startswith("fx_gemm_"))


@functools.cache
def _written() -> str:
    """A hash of the modules that write the library."""
    here = Path(__file__).parent
    files = [here.parent / "llvm.py", *sorted(here.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
