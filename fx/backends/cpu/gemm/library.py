"""The library of products: emitted once, kept by the object cache, called by name from compiled programs."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

from .. import threads
from ..engine import Linked, engine
from ..llvm import Module
from ..object_cache import cached_object
from .blocking import gemm
from .parts import sum_parts
from .tiles import Tile, tile
from .vectors import vectors
from .workspace import workspace

SUFFIX = {"float": "f32", "double": "f64"}


@functools.cache
def library(scalar: str) -> Linked:
    """Products of `float` or `double`: linked into this process, its functions provided to modules linked later."""
    threads.ensure()
    working_memory()
    names = [f"fx_{name}_{SUFFIX[scalar]}" for name in ("gemm", "gemv", "sum_parts")]
    imports = ["fx_parallel", "fx_workspace_take", "fx_workspace_give"]
    return _provided(f"products {tile(scalar)}", lambda: products(tile(scalar)), names, imports)


@functools.cache
def working_memory() -> Linked:
    """`fx_workspace_take` and `fx_workspace_give`, once in the process."""
    names = ["fx_workspace_take", "fx_workspace_give"]
    return _provided("workspace", lambda: workspace(Module("fx workspace")), names, [])


def products(t: Tile) -> Module:
    """The functions for one scalar type."""
    m = Module("fx matrix products")
    gemm(m, t, SUFFIX[t.scalar])
    vectors(m, t, SUFFIX[t.scalar])
    sum_parts(m, t, SUFFIX[t.scalar])
    return m


def _provided(name: str, make: Callable[[], Module], names: list[str], imports: list[str]) -> Linked:
    """The object is found by the source of what emits it: writing the text takes longer than reading that."""
    code = cached_object(f"{name} {_source()}", lambda: engine().object_code(str(make())))
    linked = engine().link(code, names, imports)
    for exported in names:
        engine().provide(exported, linked.address[exported])
    return linked


@functools.cache
def _source() -> str:
    """A hash of the modules that write the library."""
    here = Path(__file__).parent
    files = [here.parent / "llvm.py", *sorted(here.glob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
