"""The library of products: emitted once, kept by the object cache, called by name from compiled programs."""

from __future__ import annotations

import functools

from .. import threads
from ..engine import Linked, engine
from ..llvm import Module
from ..object_cache import cached_object
from .blocking import gemm
from .parts import sum_parts
from .tiles import tile
from .vectors import vectors
from .workspace import workspace

SUFFIX = {"float": "f32", "double": "f64"}


@functools.cache
def library() -> Linked:
    """Link the library into this process and provide its functions to the modules linked later."""
    threads.ensure()
    text, names = assembly()
    code = cached_object(text, lambda: engine().object_code(text))
    linked = engine().link(code, names, ["fx_parallel"])
    for name in names:
        engine().provide(name, linked.address[name])
    return linked


@functools.cache
def assembly() -> tuple[str, list[str]]:
    """The text of the library and the functions it exports."""
    m = Module("fx matrix products")
    workspace(m)
    for scalar, suffix in SUFFIX.items():
        gemm(m, tile(scalar), suffix)
        vectors(m, tile(scalar), suffix)
        sum_parts(m, tile(scalar), suffix)
    return str(m), [f.name for f in m.functions.values() if not f.internal]
