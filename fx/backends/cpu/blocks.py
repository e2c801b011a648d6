"""A nest as a function of a block of its domain, seen as a matrix: what a product calls for each block it completed.

void nest(ptr context, i64 row0, i64 row1, i64 col0, i64 col1)      context: the addresses of the nest's arrays
"""

from __future__ import annotations

from ...compiler.nest import Nest, numel, row_major, whole
from ...core.program import Var
from .llvm import Function, Module, Value, i64
from .loops import Plan
from .nests import Emitter, Kernel, shared_kernel


class BlockPlan(Plan):
    """A nest whose rows are those of a matrix with `width` columns, the last axes of its domain."""

    def __init__(self, nest: Nest, width: int):
        self.columns = _last_axes(nest.shape, width)
        super().__init__(nest)

    def _rows(self) -> frozenset[int]:
        return self.columns

    def _lanes_run_inside(self) -> bool:
        return True

    def _blocks(self) -> None:
        """A unit is the part of a row that the block has."""
        self.unit_axes, self.blocks, self.block = list(self.outer_axes), 1, self.inner_axes[-1].size

    @property
    def ragged(self) -> bool:
        return True

    def _chunks(self) -> int:
        return 1


def _last_axes(shape: tuple[int, ...], width: int) -> frozenset[int]:
    """The last axes of a domain that together have this size; none where there are no such."""
    for first in range(len(shape) - 1, -1, -1):
        if numel(shape[first:]) == width:
            return frozenset(range(first, len(shape)))
    return frozenset()


def maps_blocks(nest: Nest, made: Var, width: int) -> bool:
    """Whether a nest makes one array of `made`, element by element in the order of memory, and may overwrite it."""
    if nest.copies or nest.reductions or len(nest.stores) != 1 or not _last_axes(nest.shape, width):
        return False
    (result,) = nest.stores
    own = [nest.access(v, view) for v, view in nest.loads.items() if view.base is made]
    places = [(a.offset, a.strides) for a in (*own, nest.access(result, whole(result)))]
    if result.aval.dtype.itemsize != made.aval.dtype.itemsize or set(places) != {(0, row_major(nest.shape))}:
        return False
    return len(BlockPlan(nest, width).inner_axes) == 1


def emit_block(module: Module, nest: Nest, width: int, name: str) -> Kernel:
    """Write a nest as a function of blocks, once for all equal ones."""
    return shared_kernel(
        module, nest, lambda x: _BlockEmitter(module, BlockPlan(x, width), name).run(), width
    )


class _BlockEmitter(Emitter):
    def write(self) -> Function:
        f = self.f = self.module.function(self.name, "void", ["ptr", "i64", "i64", "i64", "i64"])
        f.flags = "contract"
        context, first, last, self.low, self.high = f.args
        self.pointer = {b: f.load("ptr", f.gep("ptr", context, i64(n)), 8) for n, b in enumerate(self.bases)}
        self.row_lanes = 1
        with f.loop(first, last) as loop:
            self.unit(loop.index)
        f.ret()
        return f

    def share(self, block: Value) -> None:
        """Of a row, the columns of the block."""
        self.start, self.count = self.low, self.f.sub(self.high, self.low)
