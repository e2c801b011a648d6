"""Reductions of a nest: accumulators in loops, and parts in memory where a reduction runs over units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compiler.nest import Access, numel, row_major
from ...core.program import Var
from . import pointwise
from .accumulators import (
    accumulator_type,
    combiner,
    identity_of,
    stored_type,
    width_of,
)
from .llvm import Function, Module, Value, const, i64, lanes_of, like, scalar_of, vector
from .nest_values import Place, Values
from .pointwise import memory_type, to_memory


class Sums(Values):
    """Values, and what is reduced of them."""

    module: Module
    name: str
    bases: list[Var]
    late: list[Var]
    regions: dict[Var, tuple[int, int]]
    area: Value
    chunk: Value

    def _regions(self) -> tuple[dict[Var, tuple[int, int]], int]:
        """For each late reduction the offset of its parts and the elements of one part."""
        found, at = {}, 0
        for v in self.late:
            count = numel(a.size for a in self.plan.inner_axes) if self.plan.is_column(v) else 1
            found[v] = (at, count)
            at += -(-self.plan.chunks * count * width_of(v) // 64) * 64
        return found, at

    def part(self, f: Function, area: Value, v: Var, chunk: Value) -> Value:
        """The address of the part that a chunk makes."""
        at, count = self.regions[v]
        start = f.gep("i8", area, i64(at))
        return f.gep(stored_type(v), start, f.mul(chunk, i64(count)))

    def prepare(self) -> None:
        """Accumulators of late reductions."""
        f = self.f
        self.accumulators: dict[Var, Value] = {}
        for v in self.late:
            if self.plan.is_column(v):
                self.fill(self.part(f, self.area, v, self.chunk), v, self.regions[v][1])
            else:
                lanes = self.plan.lanes if self.plan.is_full(self.operand(v)) else self.row_lanes
                slot = f.alloca(vector(stored_type(v), lanes))
                self.store_accumulator(self.identity(v, lanes), slot)
                self.accumulators[v] = slot

    def fill(self, start: Value, v: Var, count: int) -> None:
        f, lanes = self.f, min(self.plan.lanes, 16)
        stored = stored_type(v)
        whole = count - count % lanes
        if whole:
            with f.loop(i64(0), i64(whole), lanes, trips=True) as loop:
                self.store_accumulator(self.identity(v, lanes), f.gep(stored, start, loop.index))
        if count % lanes:
            with f.loop(i64(whole), i64(count), trips=True) as loop:
                self.store_accumulator(self.identity(v, 1), f.gep(stored, start, loop.index))

    def store_accumulator(self, x: Value, pointer: Value) -> None:
        if scalar_of(x.type) == "i1":
            x = self.f.cast("zext", x, like(x.type, "i8"))
        self.f.store(x, pointer)

    def load_accumulator(self, f: Function, v: Var, lanes: int, pointer: Value) -> Value:
        x = f.load(vector(stored_type(v), lanes), pointer)
        return f.icmp("ne", x, const(x.type, 0)) if accumulator_type(v) == "i1" else x

    def finish_chunk(self) -> None:
        """The scalar parts of this chunk."""
        f = self.f
        for v, slot in self.accumulators.items():
            lanes = self.plan.lanes if self.plan.is_full(self.operand(v)) else self.row_lanes
            total = f.fold(self.combine(f, v), self.load_accumulator(f, v, lanes, slot))
            self.store_accumulator(total, self.part(f, self.area, v, self.chunk))

    def emit_end(self) -> str:
        """The function that combines the parts of all chunks, always in the same order."""
        name = self.name + "_end"
        f = self.module.function(name, "void", ["ptr"] * (len(self.bases) + 1))
        f.flags = "contract"
        pointer = dict(zip(self.bases, f.args, strict=False))
        area = f.args[-1]
        for o in self.plan.outputs:
            if o.value in self.regions:
                if self.plan.is_column(o.value):
                    self.end_column(f, pointer, area, o.value, o.access)
                else:
                    self.end_scalar(f, pointer, area, o.value, o.access)
        f.ret()
        return name

    def end_scalar(self, f: Function, pointer: Any, area: Value, v: Var, access: Access) -> None:
        parts = self.load_accumulator(f, v, self.plan.chunks, self.part(f, area, v, i64(0)))
        total = f.fold(self.combine(f, v), parts)
        stored = to_memory(f, pointwise.rounded(f, total, v.aval.dtype), v.aval.dtype)
        f.store(stored, f.gep(memory_type(v.aval.dtype), pointer[access.base], i64(access.offset)))

    def end_column(self, f: Function, pointer: Any, area: Value, v: Var, access: Access) -> None:
        axes = self.plan.inner_axes
        lanes = self.plan.lanes
        part_strides = row_major(tuple(a.size for a in axes))
        kind = memory_type(v.aval.dtype)
        start = f.gep(kind, pointer[access.base], i64(access.offset))
        strides = [access.strides[a.members[-1]] for a in axes]

        def walk(level: int, source: Value, target: Value) -> None:
            if level == len(axes) - 1:
                self.end_line(f, v, axes[-1].size, lanes, source, target, strides[-1])
                return
            with f.loop(i64(0), i64(axes[level].size), trips=True) as loop:
                walk(
                    level + 1,
                    f.gep(stored_type(v), source, f.mul(loop.index, i64(part_strides[level]))),
                    f.gep(kind, target, f.mul(loop.index, i64(strides[level]))),
                )

        walk(0, self.part(f, area, v, i64(0)), start)

    def end_line(
        self, f: Function, v: Var, size: int, lanes: int, source: Value, target: Value, stride: int
    ) -> None:
        count = self.regions[v][1]
        whole = size - size % lanes if stride == 1 else 0

        def line(width: int, index: Value) -> None:
            start = f.gep(stored_type(v), source, index)
            total = self.load_accumulator(f, v, width, start)
            if self.plan.chunks > 1:
                with f.loop(i64(1), i64(self.plan.chunks), carry=[total], trips=True) as loop:
                    at = f.gep(stored_type(v), start, f.mul(loop.index, i64(count)))
                    loop.next(self.combine(f, v)(loop.carry[0], self.load_accumulator(f, v, width, at)))
                (total,) = loop.results
            x = to_memory(f, pointwise.rounded(f, total, v.aval.dtype), v.aval.dtype)
            f.store(x, f.gep(memory_type(v.aval.dtype), target, f.mul(index, i64(stride))))

        if whole:
            with f.loop(i64(0), i64(whole), lanes, trips=True) as loop:
                line(lanes, loop.index)
        if whole < size:
            with f.loop(i64(whole), i64(size), trips=True) as loop:
                line(1, loop.index)

    def combine(self, f: Function, v: Var) -> Callable[[Value, Value], Value]:
        return combiner(f, self.plan.maker[v])

    def identity(self, v: Var, lanes: int) -> Value:
        return identity_of(self.plan.maker[v], vector(accumulator_type(v), lanes))

    def masked(self, v: Var, x: Value, place: Place) -> Value:
        """Lanes beyond the end do not count."""
        if place.mask is None:
            return x
        return self.f.select(place.mask, x, self.identity(v, lanes_of(x.type)))

    def accumulate(self, v: Var, x: Value) -> None:
        f, slot = self.f, self.accumulators[v]
        old = self.load_accumulator(f, v, lanes_of(x.type), slot)
        self.store_accumulator(self.combine(f, v)(old, x), slot)

    def add_column(self, v: Var, x: Value, place: Place) -> None:
        """Add to the part of a reduction over units that this place belongs to."""
        f, plan = self.f, self.plan
        if not plan.lane_inner:
            x = f.fold(self.combine(f, v), self.masked(v, x, place))
            place = self.without_lanes(place)
        pointer = self.part(f, self.area, v, self.chunk)
        strides = row_major(tuple(a.size for a in plan.inner_axes))
        for axis, stride in zip(plan.inner_axes, strides, strict=True):
            index = place.lane if axis is plan.lane else place.position[axis.members[-1]]
            if index is not None:
                pointer = f.gep(stored_type(v), pointer, f.mul(index, i64(stride)))
        kind = vector(stored_type(v), place.lanes)
        if place.mask is None:
            old = self.load_accumulator(f, v, place.lanes, pointer)
            self.store_accumulator(self.combine(f, v)(old, x), pointer)
            return
        old = f.masked_load(kind, pointer, place.mask, const(kind, 0))
        old = f.icmp("ne", old, const(kind, 0)) if accumulator_type(v) == "i1" else old
        new = self.combine(f, v)(old, x)
        new = f.cast("zext", new, kind) if scalar_of(new.type) == "i1" else new
        f.masked_store(new, pointer, place.mask)

    def without_lanes(self, place: Place) -> Place:
        """The same place for a value that is one for all lanes."""
        single = Place(1, None)
        single.position = place.position
        return single
