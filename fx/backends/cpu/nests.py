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

from ...compiler.nest import Access, Nest, whole
from ...core.program import Var
from ...core.structure import Literal
from . import pointwise
from .accumulators import (
    dtype_of,
)
from .llvm import Function, Module, Value, bits_of, i64, lanes_of
from .loops import BLOCK, Axis, Plan
from .nest_sums import Sums
from .nest_values import Place
from .pointwise import memory_type
from .streaming import choice, streamed

LINE = 64
"""Bytes of a cache line."""
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
    return shared_kernel(module, in_memory_order(nest), lambda x: _kernel(module, Plan(x), name))


def shared_kernel(module: Module, nest: Nest, write: Callable[[Nest], Kernel], form: Any = None) -> Kernel:
    """What `write` makes of a nest, or made of an equal one in the same form before."""
    nest, shifts = moved_to_start(nest)
    body, arrays = signature(nest)
    key = form, body
    if key not in module.kernels:
        kernel = write(nest)
        number = {v: n for n, v in enumerate(arrays)}
        module.kernels[key] = kernel, [number[b] for b in kernel.bases]
    kernel, numbers = module.kernels[key]
    bases = [arrays[n] for n in numbers]
    return kernel._replace(bases=bases, shifts=[shifts.get(b, 0) for b in bases])


def _kernel(module: Module, plan: Plan, name: str) -> Kernel:
    past = streamed(plan)
    if not past:
        return Emitter(module, plan, name).run()
    forms = (f"{name}_streamed", f"{name}_stored")
    params = Emitter(module, plan, forms[0], past).write().params
    kernel = Emitter(module, plan, forms[1]).run()
    choice(module, name, params, [kernel.bases.index(a.base) for a in past], forms)
    return kernel._replace(name=name)


def in_memory_order(nest: Nest) -> Nest:
    """The nest with the axes of its domain turned, where most arrays lie in another order than it has.

    The domain's order is that of the first operand, which may be a transposed view of how all others are stored.
    """
    rank = len(nest.shape)
    touched = [(v, view) for v, view in nest.loads.items()] + [(v, whole(v)) for v in nest.stores]
    strides = [s for s in (nest.access(*item).strides for item in touched) if all(s)]
    if rank < 2 or nest.copies or not strides:
        return nest
    votes = [sum(s[axis] == 1 for s in strides) for axis in range(rank)]
    best = max(range(rank), key=lambda axis: (votes[axis], axis))
    if votes[best] <= votes[-1]:
        return nest
    model = next(s for s in reversed(strides) if s[best] == 1)
    return nest.turned(sorted(range(rank), key=lambda axis: -abs(model[axis])))


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


class Emitter(Sums):
    def __init__(self, module: Module, plan: Plan, name: str, past: Sequence[Access] = ()):
        self.past = set(past)
        self.module, self.plan, self.nest, self.name = module, plan, plan.nest, name
        self.bases = plan.bases
        self.late = [v for v in plan.reductions if plan.ends_late(v)]
        self.regions, self.scratch = self._regions()

    def run(self) -> Kernel:
        self.write()
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

    def write(self) -> Function:
        params = ["ptr"] * (len(self.bases) + 1) + ["i64", "i64", "i64"]
        f = self.f = self.module.function(self.name, "void", params)
        f.flags = "contract"
        self.pointer = dict(zip(self.bases, f.args, strict=False))
        self.area, self.chunk, lo, hi = f.args[len(self.bases) :]
        self.row_lanes = 1 if self.plan.lane_inner else self.plan.lanes
        self.prepare()
        if self.plan.units == 1:
            self.unit(i64(0))
        else:
            with f.loop(lo, hi) as loop:
                self.unit(loop.index)
        self.finish_chunk()
        if self.past:
            f.fence()
        f.ret()
        return f

    def unit(self, u: Value) -> None:
        plan = self.plan
        self.row = Place(self.row_lanes, None)
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
        """The unit's index along each outer axis, and its part of the lane axis."""
        f, plan = self.f, self.plan
        rest, block = u, i64(0)
        if plan.blocks > 1:
            block = f.urem(u, i64(plan.blocks))
            rest = f.udiv(u, i64(plan.blocks))
        for n, axis in enumerate(reversed(plan.unit_axes)):
            last = n == len(plan.unit_axes) - 1
            self.row.position[axis.members[-1]] = rest if last else f.urem(rest, i64(axis.size))
            rest = rest if last else f.udiv(rest, i64(axis.size))
        self.share(block)

    def share(self, block: Value) -> None:
        """The part of the lane axis that is the unit's own."""
        f, plan = self.f, self.plan
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

    def stage(self, stage: int) -> None:
        f, plan = self.f, self.plan
        for v in plan.demand[stage]:
            if type(v) is not Literal and not plan.is_full(v):
                self.spread_row(v)
        loads = [v for v in plan.demand[stage] if v in self.nest.loads and plan.is_full(v)]
        start = Place(plan.lanes, self.row.mask)
        start.position = dict(self.row.position)
        start.lane = self.row.lane
        for v in loads:
            start.pointers[v] = self.row_pointer(plan.accesses[v])
        for o in plan.roots.get(stage, ()):
            start.pointers[o] = self.row_pointer(o.access)
        self.next_rows = self.rows_ahead(stage)
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

    def rows_ahead(self, stage: int) -> list[tuple[str, Value]]:
        """In the last stage of a row: where the next row begins of what the first stage will read.

        The processor does not look ahead on its own across the stages, nor from page to page.
        """
        plan = self.plan
        if len(plan.order) < 2 or stage != plan.order[-1] or not plan.lane_inner or plan.blocks > 1:
            return []
        if len(plan.inner_axes) != 1 or not plan.unit_axes:
            return []
        axis, found = plan.unit_axes[-1].members[-1], []
        for v in plan.demand[plan.order[0]]:
            access = plan.accesses.get(v)
            if access is not None and access.strides[axis] and self.lane_stride(access) == 1:
                kind = memory_type(v.aval.dtype)
                found.append((kind, self.f.gep(kind, self.row_pointer(access), i64(access.strides[axis]))))
        return found

    def look_ahead(self, place: Place) -> None:
        """Ask for the part of the next row that lies where this one is."""
        for kind, pointer in self.next_rows:
            width = bits_of(kind) // 8
            for first in range(0, place.lanes, LINE // width):
                here = self.f.add(place.lane, i64(first)) if first else place.lane
                self.f.prefetch(self.f.gep(kind, pointer, here))

    def walk(
        self, stage: int, place: Place, axes: Sequence[Axis], carried: list[Var], carry: list[Value]
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
        self, stage: int, place: Place, axes: Sequence[Axis], carried: list[Var], carry: list[Value],
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

    def moved(self, place: Place, axis: Axis, index: Value) -> Place:
        """The place at one index of an axis."""
        inner = Place(place.lanes, place.mask)
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
        return key.access, memory_type(dtype_of(key.value))

    def lane_loop(self, stage: int, place: Place, carried: list[Var], carry: list[Value]) -> list[Value]:
        """The vector loop along the lane axis: whole vectors, then the rest under a mask."""
        f, plan = self.f, self.plan
        lanes, size = plan.lanes, plan.lane.size  # type: ignore[union-attr]
        if lanes == 1 and size == 1:
            return self.at_lane(stage, place, i64(0), None, carried, carry)
        step = i64(lanes)
        if plan.block:
            whole = f.and_(self.count, i64(-lanes)) if plan.ragged else self.count
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
        if plan.ragged:
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
        place: Place,
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
        place: Place,
        index: Value,
        mask: Value | None,
        carried: list[Var],
        carry: list[Value],
    ) -> list[Value]:
        inner = Place(place.lanes, mask)
        inner.position, inner.pointers = place.position, place.pointers
        inner.lane = index
        return self.body(stage, inner, carried, carry)

    def body(self, stage: int, place: Place, carried: list[Var], carry: list[Value]) -> list[Value]:
        """All roots of a stage at one place."""
        plan, f = self.plan, self.f
        if self.next_rows and place.mask is None and place.lane is not None:
            self.look_ahead(place)
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


class _Once:
    """A loop of exactly one trip."""

    def __init__(self, carry: list[Value]):
        self.carry = self.results = carry

    def next(self, *values: Value) -> None:
        self.results = list(values)
