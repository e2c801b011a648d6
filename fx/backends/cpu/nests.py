"""A nest as LLVM code: a function over a range of its units, and one that puts the parts of reductions together.

void nest(bases..., scratch, chunk, lo, hi)      units lo..hi; partial results of reductions go to scratch
void nest_end(bases..., scratch)                 reductions that run over units: the parts in a fixed order
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from ...compiler.kinds import FREE, VIEW, kind_of
from ...compiler.nest import Access, Nest, row_major
from ...core.program import Equation, Var
from ...core.structure import Literal
from ...primitives import shape
from . import pointwise
from .llvm import Function, Module, Value, bits_of, const, i64, lanes_of, like, scalar_of, vector
from .loops import BLOCK, Axis, Plan
from .pointwise import from_memory, memory_type, register_type, to_memory

_INT64 = np.dtype("int64")
SUM_BLOCK = 256
"""Vectors that one accumulator adds before its sum goes to a higher level."""


class Kernel(NamedTuple):
    """An emitted nest: how to call it."""

    name: str
    bases: list[Var]
    """The arrays it touches, in the order of its parameters."""
    shifts: list[int]
    """Bytes from the start of each array to where the kernel takes it to begin."""
    chunks: int
    units: int
    scratch: int
    """Bytes for partial results."""
    end: str | None
    """The function that combines partial results."""
    plan: Plan


def emit_nest(module: Module, nest: Nest, name: str) -> Kernel:
    """Write a nest into a module; a nest that does the same as one before is that one, on other arrays."""
    nest, shifts = moved_to_start(nest)
    key, arrays = signature(nest)
    if key not in module.kernels:
        kernel = _Emitter(module, Plan(nest), name).run()
        number = {v: n for n, v in enumerate(arrays)}
        module.kernels[key] = kernel, [number[b] for b in kernel.bases]
    kernel, numbers = module.kernels[key]
    bases = [arrays[n] for n in numbers]
    return kernel._replace(bases=bases, shifts=[shifts.get(b, 0) for b in bases])


def moved_to_start(nest: Nest) -> tuple[Nest, dict[Var, int]]:
    """The nest with windows that begin at 0 where an array is touched through one only, and by how many bytes.

    The thousand parts of a concatenation are one kernel then.
    """
    windows = [*nest.loads.values(), *[view for _, view in nest.copies]]
    uses = Counter([*[w.base for w in windows], *nest.stores])
    shifts = {
        w.base: w.offset * w.base.aval.dtype.itemsize for w in windows if w.offset and uses[w.base] == 1
    }
    if not shifts:
        return nest, {}
    found = copy(nest)
    found.loads = {v: w._replace(offset=0) if w.base in shifts else w for v, w in nest.loads.items()}
    found.copies = [(v, w._replace(offset=0) if w.base in shifts else w) for v, w in nest.copies]
    return found, shifts


def signature(nest: Nest) -> tuple[Any, list[Any]]:
    """What a nest does, with variables by number, and the variables."""
    number: dict[Any, int] = {}

    def ref(v: Any) -> Any:
        return v if type(v) is Literal else number.setdefault(v, len(number))

    def window(view: Any) -> Any:
        return ref(view.base), view.base.aval.dtype, view.offset, view.strides, view.shape

    loads = tuple((ref(v), v.aval, window(view)) for v, view in nest.loads.items())
    body = tuple(
        (
            e.primitive,
            tuple(e.params.items()),
            tuple(map(ref, e.inputs)),
            tuple((ref(v), v.aval) for v in e.outputs),
        )
        for e in nest.equations
    )
    stores = tuple(map(ref, nest.stores))
    copies = tuple((ref(v), window(view)) for v, view in nest.copies)
    dims = tuple((ref(v), d) for v, d in nest.dims.items() if type(v) is not Literal)
    rows = None if nest.inner is None else tuple(sorted(nest.inner))
    return (nest.shape, rows, loads, body, stores, copies, dims), list(number)


class _Place:
    """Where code is being emitted: the lanes' mask, the pointers, and what is computed already."""

    def __init__(self, lanes: int, mask: Value | None):
        self.lanes, self.mask = lanes, mask
        self.values: dict[Any, Value] = {}
        self.pointers: dict[Any, Value] = {}
        self.position: dict[int, Value] = {}
        """Index by domain axis."""
        self.lane: Value | None = None


class _Emitter:
    def __init__(self, module: Module, plan: Plan, name: str):
        self.module, self.plan, self.nest, self.name = module, plan, plan.nest, name
        self.bases = list(dict.fromkeys(a.base for a in plan.all_accesses()))
        self.late = [v for v in plan.reductions if plan.ends_late(v)]
        self.regions, self.scratch = self._regions()

    def run(self) -> Kernel:
        params = ["ptr"] * (len(self.bases) + 1) + ["i64", "i64", "i64"]
        f = self.f = self.module.function(self.name, "void", params)
        f.flags = "contract"
        self.pointer = dict(zip(self.bases, f.args, strict=False))
        self.area, self.chunk, lo, hi = f.args[len(self.bases) :]
        self.row_lanes = 1 if self.plan.lane_inner else self.plan.lanes
        self.prologue = _Place(1, None)
        self.prepare()
        if self.plan.units == 1:
            self.unit(i64(0))
        else:
            with f.loop(lo, hi) as loop:
                self.unit(loop.index)
        self.finish_chunk()
        f.ret()
        end = self.emit_end() if self.late else None
        return Kernel(
            self.name,
            self.bases,
            [0] * len(self.bases),
            self.plan.chunks,
            self.plan.units,
            self.scratch,
            end,
            self.plan,
        )

    # Reductions that end late: their parts in memory

    def _regions(self) -> tuple[dict[Var, tuple[int, int]], int]:
        """For each late reduction the offset of its parts and the elements of one part."""
        found, at = {}, 0
        for v in self.late:
            count = _product(a.size for a in self.plan.inner_axes) if self.plan.is_column(v) else 1
            found[v] = (at, count)
            at += -(-self.plan.chunks * count * _width(v) // 64) * 64
        return found, at

    def part(self, f: Function, area: Value, v: Var, chunk: Value) -> Value:
        """The address of the part that a chunk makes."""
        at, count = self.regions[v]
        start = f.gep("i8", area, i64(at))
        return f.gep(_stored_type(v), start, f.mul(chunk, i64(count)))

    def prepare(self) -> None:
        """Accumulators of late reductions."""
        f = self.f
        self.accumulators: dict[Var, Value] = {}
        for v in self.late:
            if self.plan.is_column(v):
                self.fill(self.part(f, self.area, v, self.chunk), v, self.regions[v][1])
            else:
                lanes = self.plan.lanes if self.plan.is_full(self.operand(v)) else self.row_lanes
                slot = f.alloca(vector(_stored_type(v), lanes))
                self.store_accumulator(self.identity(v, lanes), slot)
                self.accumulators[v] = slot

    def fill(self, start: Value, v: Var, count: int) -> None:
        f, lanes = self.f, min(self.plan.lanes, 16)
        stored = _stored_type(v)
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
        x = f.load(vector(_stored_type(v), lanes), pointer)
        return f.icmp("ne", x, const(x.type, 0)) if _accumulator_type(v) == "i1" else x

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
                    f.gep(_stored_type(v), source, f.mul(loop.index, i64(part_strides[level]))),
                    f.gep(kind, target, f.mul(loop.index, i64(strides[level]))),
                )

        walk(0, self.part(f, area, v, i64(0)), start)

    def end_line(
        self, f: Function, v: Var, size: int, lanes: int, source: Value, target: Value, stride: int
    ) -> None:
        count = self.regions[v][1]
        whole = size - size % lanes if stride == 1 else 0

        def line(width: int, index: Value) -> None:
            start = f.gep(_stored_type(v), source, index)
            total = self.load_accumulator(f, v, width, start)
            if self.plan.chunks > 1:
                with f.loop(i64(1), i64(self.plan.chunks), carry=[total], trips=True) as loop:
                    at = f.gep(_stored_type(v), start, f.mul(loop.index, i64(count)))
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

    # One unit

    def unit(self, u: Value) -> None:
        plan = self.plan
        self.row = _Place(self.row_lanes, None)
        self.splats: dict[Any, Value] = {}
        self.locate(u)
        for stage in plan.order:
            self.stage(stage)
        for o in plan.outputs:
            v = o.value
            if o.covers or v in self.regions or plan.is_full(v):
                continue
            self.store(self.row, o.access, self.row_value(v), v)
        for v in self.late:
            x = self.operand(v)
            if not plan.is_full(x):
                self.accumulate(v, self.masked(v, self.row_value(x), self.row))

    def locate(self, u: Value) -> None:
        """The unit's index along each outer axis, and the part of the lane axis that is its own."""
        f, plan = self.f, self.plan
        rest, block = u, i64(0)
        if plan.blocks > 1:
            block = f.urem(u, i64(plan.blocks))
            rest = f.udiv(u, i64(plan.blocks))
        for n, axis in enumerate(reversed(plan.unit_axes)):
            last = n == len(plan.unit_axes) - 1
            self.row.position[axis.members[-1]] = rest if last else f.urem(rest, i64(axis.size))
            rest = rest if last else f.udiv(rest, i64(axis.size))
        self.start, self.count = i64(0), i64(plan.lane.size if plan.lane else 1)
        if plan.block:
            self.start = f.mul(block, i64(plan.block)) if plan.blocks > 1 else i64(0)
            size = plan.lane.size  # type: ignore[union-attr]
            if plan.lane_inner:
                left = f.sub(i64(size), self.start)
                self.count = f.select(f.icmp("slt", left, i64(BLOCK)), left, i64(BLOCK))
            else:
                self.row.lane = self.start
                if size % plan.lanes:
                    self.row.mask = f.tail_mask(f.sub(i64(size), self.start), plan.lanes)

    # Stages: loops over the inner axes

    def stage(self, stage: int) -> None:
        f, plan = self.f, self.plan
        for v in plan.demand[stage]:
            if type(v) is not Literal and not plan.is_full(v):
                self.spread_row(v)
        loads = [v for v in plan.demand[stage] if v in self.nest.loads and plan.is_full(v)]
        start = _Place(plan.lanes, self.row.mask)
        start.position = dict(self.row.position)
        start.lane = self.row.lane
        for v in loads:
            start.pointers[v] = self.row_pointer(plan.accesses[v])
        for o in plan.roots.get(stage, ()):
            start.pointers[o] = self.row_pointer(o.access)
        sums = plan.sums.get(stage, [])
        carried = [v for v in sums if not plan.is_column(v)]
        first = [self.identity(v, plan.lanes) for v in carried]
        axes = plan.inner_axes[:-1] if plan.lane_inner else plan.inner_axes
        totals = self.walk(stage, start, axes, carried, first)
        for v, total in zip(carried, totals, strict=True):
            if plan.ends_late(v):
                self.accumulate(v, total)
                continue
            whole = f.fold(self.combine(f, v), total) if plan.lane_inner else total
            self.row.values[v] = pointwise.rounded(f, whole, v.aval.dtype)

    def walk(
        self, stage: int, place: _Place, axes: Sequence[Axis], carried: list[Var], carry: list[Value]
    ) -> list[Value]:
        """Loops over the remaining inner axes; gives the accumulators."""
        if not axes:
            return (
                self.lane_loop(stage, place, carried, carry)
                if self.plan.lane_inner
                else self.body(stage, place, carried, carry)
            )
        axis = axes[0]
        if axis.size > 2 * SUM_BLOCK and not self.plan.lane_inner and carried:
            return self.in_blocks(
                i64(0), i64(axis.size), SUM_BLOCK, carried, carry,
                lambda lo, hi, c: self.axis_loop(stage, place, axes, carried, c, lo, hi),
            )  # fmt: skip
        return self.axis_loop(stage, place, axes, carried, carry, i64(0), i64(axis.size))

    def axis_loop(
        self, stage: int, place: _Place, axes: Sequence[Axis], carried: list[Var], carry: list[Value],
        lo: Value, hi: Value,
    ) -> list[Value]:  # fmt: skip
        f, axis = self.f, axes[0]
        with f.loop(lo, hi, carry=carry, trips=True) as loop:
            inner = self.moved(place, axis, loop.index)
            loop.next(*self.walk(stage, inner, axes[1:], carried, list(loop.carry)))
        return loop.results

    def in_blocks(
        self, lo: Value, hi: Value, size: int, carried: list[Var], carry: list[Value],
        run: Callable[[Value, Value, list[Value]], list[Value]],
    ) -> list[Value]:  # fmt: skip
        """Accumulate block by block, so that rounding errors grow with the number of blocks, not of elements."""
        f = self.f
        with f.loop(lo, hi, size, carry=carry, trips=True) as loop:
            end = f.add(loop.index, i64(size))
            end = f.select(f.icmp("slt", end, hi), end, hi)
            fresh = [self.identity(v, lanes_of(c.type)) for v, c in zip(carried, carry, strict=True)]
            found = run(loop.index, end, fresh)
            loop.next(*[self.combine(f, v)(a, b) for v, a, b in zip(carried, loop.carry, found, strict=True)])
        return loop.results

    def moved(self, place: _Place, axis: Axis, index: Value) -> _Place:
        """The place at one index of an axis."""
        inner = _Place(place.lanes, place.mask)
        inner.position = {**place.position, axis.members[-1]: index}
        inner.lane = place.lane
        inner.pointers = {
            key: self.step(key, pointer, axis, index) for key, pointer in place.pointers.items()
        }
        return inner

    def step(self, key: Any, pointer: Value, axis: Axis, index: Value) -> Value:
        access, kind = self.access_of(key)
        stride = access.strides[axis.members[-1]]
        return self.f.gep(kind, pointer, self.f.mul(index, i64(stride))) if stride else pointer

    def access_of(self, key: Any) -> tuple[Access, str]:
        if isinstance(key, Var):
            return self.plan.accesses[key], memory_type(key.aval.dtype)
        return key.access, memory_type(_dtype(key.value))

    def lane_loop(self, stage: int, place: _Place, carried: list[Var], carry: list[Value]) -> list[Value]:
        """The vector loop along the lane axis: whole vectors, then the rest under a mask."""
        f, plan = self.f, self.plan
        lanes, size = plan.lanes, plan.lane.size  # type: ignore[union-attr]
        if lanes == 1 and size == 1:
            return self.at_lane(stage, place, i64(0), None, carried, carry)
        step = i64(lanes)
        if plan.block:
            whole = f.and_(self.count, i64(-lanes)) if size % lanes else self.count
            longest = plan.block
        else:
            whole = i64(size - size % lanes)
            longest = size
        run = lambda lo, hi, c: self.lane_range(stage, place, lo, hi, step, carried, c)
        if longest >= lanes:
            if longest > 2 * SUM_BLOCK * lanes and carried and not plan.block:
                carry = self.in_blocks(i64(0), whole, SUM_BLOCK * lanes, carried, carry, run)
            elif whole.text == str(lanes):
                carry = self.at_lane(stage, place, i64(0), None, carried, carry)
            else:
                carry = run(i64(0), whole, carry)
        if size % lanes:
            with self.guarded(whole, self.count, lanes, carry, bool(plan.block)) as tail:
                mask = f.tail_mask(f.sub(self.count, whole), lanes)
                tail.next(*self.at_lane(stage, place, whole, mask, carried, list(tail.carry)))
            carry = tail.results
        return carry

    @contextmanager
    def guarded(self, lo: Value, hi: Value, step: int, carry: list[Value], dynamic: bool) -> Iterator[Any]:
        """Run once, or not at all where the range is empty and only the run knows."""
        if not dynamic:
            once = _Once(carry)
            yield once
            return
        with self.f.loop(lo, hi, step, carry=carry) as loop:
            yield loop

    def lane_range(
        self,
        stage: int,
        place: _Place,
        lo: Value,
        hi: Value,
        step: Value,
        carried: list[Var],
        carry: list[Value],
    ) -> list[Value]:
        dynamic = hi.text[0] == "%" and self.plan.block
        with self.f.loop(lo, hi, step, carry=carry, trips=not dynamic) as loop:
            loop.next(*self.at_lane(stage, place, loop.index, None, carried, list(loop.carry)))
        return loop.results

    def at_lane(
        self,
        stage: int,
        place: _Place,
        index: Value,
        mask: Value | None,
        carried: list[Var],
        carry: list[Value],
    ) -> list[Value]:
        inner = _Place(place.lanes, mask)
        inner.position, inner.pointers = place.position, place.pointers
        inner.lane = index
        return self.body(stage, inner, carried, carry)

    def body(self, stage: int, place: _Place, carried: list[Var], carry: list[Value]) -> list[Value]:
        """All roots of a stage at one place."""
        plan, f = self.plan, self.f
        roots = plan.roots.get(stage, ())
        for o in roots:
            self.full_value(o.value, place, stage)
        operands = [self.full_value(self.operand(v), place, stage) for v in carried]
        columns = [v for v in plan.sums.get(stage, ()) if plan.is_column(v)]
        for v in columns:
            self.add_column(v, self.full_value(self.operand(v), place, stage), place)
        for v in plan.demand[stage]:
            if v in plan.kept and plan.kept[v] == stage and v in place.values:
                self.keep(v, place)
        for o in roots:
            self.store(place, o.access, place.values.get(o.value), o.value, place.pointers[o])
        return [
            self.combine(f, v)(c, self.masked(v, x, place))
            for v, c, x in zip(carried, carry, operands, strict=True)
        ]

    # Values

    def operand(self, v: Var) -> Any:
        return self.plan.maker[v].inputs[0]

    def spread_row(self, v: Any) -> None:
        """A row value made ready for the loops: one copy per lane."""
        if v not in self.splats:
            self.splats[v] = self.f.splat(self.row_value(v), self.plan.lanes // self.row_lanes)

    def row_value(self, v: Any) -> Value:
        """A value that does not change inside the unit."""
        if type(v) is Literal:
            return _literal(v, self.row_lanes)
        found = self.row.values.get(v)
        if found is not None:
            return found
        if v in self.nest.loads:
            found = self.row_load(v)
        else:
            found = self.equation(self.plan.maker[v], self.row, self.row_value)
        self.row.values[v] = found
        return found

    def row_load(self, v: Var) -> Value:
        access = self.plan.accesses[v]
        kind = memory_type(v.aval.dtype)
        pointer = self.row_pointer(access)
        stride = self.lane_stride(access) if not self.plan.lane_inner else 0
        if stride == 0:
            x = from_memory(self.f, self.f.load(kind, pointer), v.aval.dtype)
            return self.f.splat(x, self.row_lanes)
        return self.load(self.row, v, pointer, stride)

    def full_value(self, v: Any, place: _Place, stage: int) -> Value:
        """A value at the current lanes."""
        if type(v) is Literal:
            return _literal(v, place.lanes)
        found = place.values.get(v)
        if found is not None:
            return found
        if not self.plan.is_full(v):
            return self.splats[v]
        if v in self.nest.loads:
            found = self.full_load(v, place)
        elif v in self.plan.kept and self.plan.kept[v] < stage:
            found = self.load_kept(v, place)
        else:
            found = self.equation(self.plan.maker[v], place, lambda x: self.full_value(x, place, stage))
        place.values[v] = found
        return found

    def equation(self, eqn: Equation, place: _Place, value: Callable[[Any], Value]) -> Value:
        kind = kind_of(eqn)
        if kind == VIEW:
            return value(eqn.inputs[0])
        if kind == FREE:
            return self.free(eqn, place)
        if eqn.outputs[0] in self.nest.reductions:
            return value(eqn.inputs[0])  # over no axes
        return pointwise.emit(self.f, eqn, [value(x) for x in eqn.inputs])

    def free(self, eqn: Equation, place: _Place) -> Value:
        out = eqn.outputs[0]
        kind = vector(register_type(out.aval.dtype), place.lanes)
        if eqn.primitive is shape.full_p:
            return const(kind, _python(eqn.params["value"], out.aval.dtype))
        axis = self.nest.dims[out][eqn.params["axis"]]
        index = self.index(axis, place)
        return pointwise.rounded(
            self.f, pointwise.convert(self.f, index, _INT64, out.aval.dtype), out.aval.dtype
        )

    def index(self, axis: int | None, place: _Place) -> Value:
        """The index along a domain axis, per lane."""
        f, plan = self.f, self.plan
        if axis is None:
            return const(vector("i64", place.lanes), 0)
        if plan.lane is not None and axis == plan.lane.members[-1]:
            lane = place.lane if place.lane is not None else i64(0)
            if plan.lane_inner and plan.block:
                lane = f.add(lane, self.start)
            if place.lanes == 1:
                return lane
            return f.add(f.splat(lane, place.lanes), f.iota("i64", place.lanes))
        return f.splat(place.position[axis], place.lanes)

    # Memory

    def row_pointer(self, access: Access) -> Value:
        """Where a unit's part of an array begins."""
        f, plan = self.f, self.plan
        kind = self.kind_of_base(access)
        offset = i64(access.offset)
        for axis in plan.unit_axes:
            stride = access.strides[axis.members[-1]]
            if stride:
                offset = self.plus(offset, f.mul(self.row.position[axis.members[-1]], i64(stride)))
        if plan.block:
            stride = access.strides[plan.lane.members[-1]]  # type: ignore[union-attr]
            if stride:
                offset = self.plus(offset, f.mul(self.start, i64(stride)))
        return f.gep(kind, self.pointer[access.base], offset)

    def plus(self, a: Value, b: Value) -> Value:
        return b if a.text == "0" else self.f.add(a, b)

    def kind_of_base(self, access: Access) -> str:
        return memory_type(access.base.aval.dtype)

    def lane_stride(self, access: Access) -> int:
        return access.strides[self.plan.lane.members[-1]] if self.plan.lane else 0

    def full_load(self, v: Var, place: _Place) -> Value:
        access = self.plan.accesses[v]
        pointer, stride = place.pointers[v], self.lane_stride(access)
        kind = memory_type(v.aval.dtype)
        if stride == 0 and place.lanes > 1:
            x = from_memory(self.f, self.f.load(kind, pointer), v.aval.dtype)
            return self.f.splat(x, place.lanes)
        if self.plan.lane_inner and place.lane is not None and stride:
            pointer = self.f.gep(kind, pointer, self.f.mul(place.lane, i64(stride)))
        return self.load(place, v, pointer, stride)

    def load(self, place: _Place, v: Var, pointer: Value, stride: int) -> Value:
        f, dtype = self.f, v.aval.dtype
        kind = vector(memory_type(dtype), place.lanes)
        if stride in (0, 1) or place.lanes == 1:
            if place.mask is None:
                return from_memory(f, f.load(kind, pointer), dtype)
            return from_memory(f, f.masked_load(kind, pointer, place.mask, const(kind, 0)), dtype)
        x = f.gather(kind, self.addresses(kind, pointer, stride), self.mask_of(place), const(kind, 0))
        return from_memory(f, x, dtype)

    def addresses(self, kind: str, pointer: Value, stride: int) -> Value:
        f, lanes = self.f, lanes_of(kind)
        steps = f.mul(f.iota("i64", lanes), const(vector("i64", lanes), stride))
        return f.geps(scalar_of(kind), pointer, steps)

    def mask_of(self, place: _Place) -> Value:
        return place.mask if place.mask is not None else const(vector("i1", place.lanes), 1)

    def store(
        self, place: _Place, access: Access, x: Value | None, v: Any, pointer: Value | None = None
    ) -> None:
        f, dtype = self.f, _dtype(v)
        if x is None:
            x = self.splats[v] if v in self.splats else _literal(v, place.lanes)
        x = to_memory(f, x, dtype)
        stride = self.lane_stride(access)
        if pointer is None:
            pointer = self.row_pointer(access)
        elif self.plan.lane_inner and place.lane is not None and stride:
            pointer = f.gep(memory_type(dtype), pointer, f.mul(place.lane, i64(stride)))
        if place.lanes == 1:
            f.store(x, pointer)
        elif stride == 1:
            f.store(x, pointer) if place.mask is None else f.masked_store(x, pointer, place.mask)
        else:
            f.scatter(x, self.addresses(x.type, pointer, stride), self.mask_of(place))

    # Values kept from one stage for another

    def kept_pointer(self, v: Any, place: _Place) -> Value:
        f, plan = self.f, self.plan
        axes = plan.inner_axes
        lanes = 1 if plan.lane_inner else plan.lanes
        count = _product(a.size for a in axes) * lanes
        if plan.lane_inner and plan.block:
            count = plan.block
        key = ("kept", v)
        if key not in f.cache:
            f.cache[key] = f.alloca(memory_type(v.aval.dtype), count + plan.lanes)
        strides = row_major(tuple(a.size for a in axes))
        offset = i64(0)
        for axis, stride in zip(axes, strides, strict=True):
            if axis is plan.lane:
                index = place.lane
            else:
                index = place.position.get(axis.members[-1])
            if index is not None:
                offset = self.plus(offset, f.mul(index, i64(stride * lanes)))
        return f.gep(memory_type(v.aval.dtype), f.cache[key], offset)

    def keep(self, v: Any, place: _Place) -> None:
        """Kept values have room for whole vectors, so no mask is needed."""
        self.f.store(to_memory(self.f, place.values[v], v.aval.dtype), self.kept_pointer(v, place))

    def load_kept(self, v: Any, place: _Place) -> Value:
        kind = vector(memory_type(v.aval.dtype), place.lanes)
        return from_memory(self.f, self.f.load(kind, self.kept_pointer(v, place)), v.aval.dtype)

    # Reductions

    def combine(self, f: Function, v: Var) -> Callable[[Value, Value], Value]:
        return _combiner(f, self.plan.maker[v])

    def identity(self, v: Var, lanes: int) -> Value:
        return _identity(self.plan.maker[v], vector(_accumulator_type(v), lanes))

    def masked(self, v: Var, x: Value, place: _Place) -> Value:
        """Lanes beyond the end do not count."""
        if place.mask is None:
            return x
        return self.f.select(place.mask, x, self.identity(v, lanes_of(x.type)))

    def accumulate(self, v: Var, x: Value) -> None:
        f, slot = self.f, self.accumulators[v]
        old = self.load_accumulator(f, v, lanes_of(x.type), slot)
        self.store_accumulator(self.combine(f, v)(old, x), slot)

    def add_column(self, v: Var, x: Value, place: _Place) -> None:
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
                pointer = f.gep(_stored_type(v), pointer, f.mul(index, i64(stride)))
        kind = vector(_stored_type(v), place.lanes)
        if place.mask is None:
            old = self.load_accumulator(f, v, place.lanes, pointer)
            self.store_accumulator(self.combine(f, v)(old, x), pointer)
            return
        old = f.masked_load(kind, pointer, place.mask, const(kind, 0))
        old = f.icmp("ne", old, const(kind, 0)) if _accumulator_type(v) == "i1" else old
        new = self.combine(f, v)(old, x)
        new = f.cast("zext", new, kind) if scalar_of(new.type) == "i1" else new
        f.masked_store(new, pointer, place.mask)


    def without_lanes(self, place: _Place) -> _Place:
        """The same place for a value that is one for all lanes."""
        single = _Place(1, None)
        single.position = place.position
        return single


class _Once:
    """A loop of exactly one trip."""

    def __init__(self, carry: list[Value]):
        self.carry = self.results = carry

    def next(self, *values: Value) -> None:
        self.results = list(values)


# Reductions as mathematics


def _accumulator_type(v: Var) -> str:
    return register_type(v.aval.dtype)


def _stored_type(v: Var) -> str:
    kind = _accumulator_type(v)
    return "i8" if kind == "i1" else kind


def _width(v: Var) -> int:
    return bits_of(_stored_type(v)) // 8


def _combiner(f: Function, eqn: Equation) -> Callable[[Value, Value], Value]:
    name, dtype = eqn.primitive.name, eqn.outputs[0].aval.dtype
    floating = dtype.kind in "fV"
    if name == "sum":
        return f.fadd if floating else f.or_ if dtype.kind == "b" else f.add
    if name == "prod":
        return f.fmul if floating else f.and_ if dtype.kind == "b" else f.mul
    if name in ("any", "all"):
        return f.or_ if name == "any" else f.and_
    table = pointwise._FLOAT if floating else pointwise.integer_table(dtype)
    rule = table["max" if name == "reduce_max" else "min"]
    return lambda a, b: rule(f, a, b)


def _identity(eqn: Equation, kind: str) -> Value:
    name, dtype = eqn.primitive.name, eqn.outputs[0].aval.dtype
    floating = dtype.kind in "fV"
    if name == "sum":
        return const(kind, (-0.0 if eqn.inputs[0].aval.size else 0.0) if floating else 0)
    if name == "prod":
        return const(kind, 1.0 if floating else 1)
    if name in ("any", "all"):
        return const(kind, int(name == "all"))
    low = name == "reduce_max"
    if floating:
        return const(kind, float("-inf") if low else float("inf"))
    if dtype.kind == "b":
        return const(kind, int(not low))
    limits = _limits(dtype)
    return const(kind, limits[0] if low else limits[1])


def _limits(dtype: Any) -> tuple[int, int]:
    bits = 8 * dtype.itemsize
    return (0, (1 << bits) - 1) if dtype.kind == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)


def _literal(v: Literal, lanes: int) -> Value:
    return const(vector(register_type(v.aval.dtype), lanes), _python(v.value, v.aval.dtype))


def _python(value: Any, dtype: Any) -> Any:
    """A static number as dtype holds it."""
    x = dtype.type(value)
    if dtype.kind in "fV":
        return float(x)
    if dtype.kind == "c":
        return int.from_bytes(np.asarray(x, dtype).tobytes(), "little")
    return bool(x) if dtype.kind == "b" else int(x)


def _dtype(v: Any) -> Any:
    return v.aval.dtype


def _product(sizes: Any) -> int:
    n = 1
    for d in sizes:
        n *= d
    return n
