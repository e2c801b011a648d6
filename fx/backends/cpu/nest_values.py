"""Values of a nest at a place of its loops: loaded, computed, kept for a later stage, stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...compiler.kinds import FREE, VIEW, kind_of
from ...compiler.nest import Access, Nest, numel, row_major
from ...core.program import Equation, Var
from ...core.structure import Literal
from ...primitives import shape
from . import complex_numbers, pointwise
from .accumulators import constant, dtype_of, literal
from .complex_numbers import Pair
from .engine import host
from .llvm import Function, Value, const, i64, lanes_of, scalar_of, vector
from .loops import Plan
from .pointwise import from_memory, memory_type, register_type, to_memory

_INT64 = np.dtype("int64")


class Place:
    """Where code is being emitted: the lanes' mask, the pointers, and what is computed already."""

    def __init__(self, lanes: int, mask: Value | None):
        self.lanes, self.mask = lanes, mask
        self.values: dict[Any, Value] = {}
        self.pointers: dict[Any, Value] = {}
        self.position: dict[int, Value] = {}
        """Index by domain axis."""
        self.lane: Value | None = None


class Values:
    """What emission computes: row values once a unit, full values for the lanes at hand."""

    f: Function
    plan: Plan
    nest: Nest
    pointer: dict[Var, Value]
    row: Place
    row_lanes: int
    splats: dict[Any, Value]
    start: Value
    past: set[Access]
    """What is stored past the caches."""

    def operand(self, v: Var) -> Any:
        return self.plan.maker[v].inputs[0]

    def spread_row(self, v: Any) -> None:
        """A row value made ready for the loops: one copy per lane."""
        if v not in self.splats:
            self.splats[v] = self.splat(self.row_value(v), self.plan.lanes // self.row_lanes)

    def row_value(self, v: Any) -> Value:
        """A value that does not change inside the unit."""
        if type(v) is Literal:
            return literal(v, self.row_lanes)
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
        pointer = self.row_pointer(access)
        stride = self.lane_stride(access) if not self.plan.lane_inner else 0
        if stride == 0:
            return self.splat(self.load_one(pointer, v.aval.dtype), self.row_lanes)
        return self.load(self.row, v, pointer, stride)

    def full_value(self, v: Any, place: Place, stage: int) -> Value:
        """A value at the current lanes."""
        if type(v) is Literal:
            return literal(v, place.lanes)
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

    def equation(self, eqn: Equation, place: Place, value: Callable[[Any], Value]) -> Value:
        kind = kind_of(eqn)
        if kind == VIEW:
            return value(eqn.inputs[0])
        if kind == FREE:
            return self.free(eqn, place)
        if eqn.outputs[0] in self.nest.reductions:
            return value(eqn.inputs[0])  # over no axes
        return pointwise.emit(self.f, eqn, [value(x) for x in eqn.inputs])

    def free(self, eqn: Equation, place: Place) -> Value:
        out = eqn.outputs[0]
        if eqn.primitive is shape.full_p:
            return constant(eqn.params["value"], out.aval.dtype, place.lanes)
        axis = self.nest.dims[out][eqn.params["axis"]]
        index = self.index(axis, place)
        return pointwise.rounded(
            self.f, pointwise.convert(self.f, index, _INT64, out.aval.dtype), out.aval.dtype
        )

    def index(self, axis: int | None, place: Place) -> Value:
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

    def full_load(self, v: Var, place: Place) -> Value:
        access = self.plan.accesses[v]
        pointer, stride = place.pointers[v], self.lane_stride(access)
        kind = memory_type(v.aval.dtype)
        if stride == 0 and place.lanes > 1:
            return self.splat(self.load_one(pointer, v.aval.dtype), place.lanes)
        if self.plan.lane_inner and place.lane is not None and stride:
            pointer = self.f.gep(kind, pointer, self.f.mul(place.lane, i64(stride)))
        return self.load(place, v, pointer, stride)

    def load_one(self, pointer: Value, dtype: np.dtype[Any]) -> Any:
        """What stands at an address, for all lanes."""
        if dtype.kind == "c":
            return complex_numbers.load(self.f, register_type(dtype), pointer, 1)
        return from_memory(self.f, self.f.load(memory_type(dtype), pointer), dtype)

    def splat(self, x: Any, lanes: int) -> Any:
        return complex_numbers.splat(self.f, x, lanes) if type(x) is Pair else self.f.splat(x, lanes)

    def load(self, place: Place, v: Var, pointer: Value, stride: int) -> Any:
        f, dtype = self.f, v.aval.dtype
        kind = vector(memory_type(dtype), place.lanes)
        if dtype.kind == "c":
            return self.load_pair(place, kind, register_type(dtype), pointer, stride)
        if stride in (0, 1) or place.lanes == 1:
            if place.mask is None:
                return from_memory(f, f.load(kind, pointer), dtype)
            return from_memory(f, f.masked_load(kind, pointer, place.mask, const(kind, 0)), dtype)
        x = f.gather(kind, self.addresses(kind, pointer, stride), self.mask_of(place), const(kind, 0))
        return from_memory(f, x, dtype)

    def load_pair(self, place: Place, kind: str, part: str, pointer: Value, stride: int) -> Pair:
        if stride in (0, 1) or place.lanes == 1:
            return complex_numbers.load(self.f, part, pointer, place.lanes, place.mask)
        return complex_numbers.gather(
            self.f, part, self.addresses(kind, pointer, stride), self.mask_of(place)
        )

    def addresses(self, kind: str, pointer: Value, stride: int) -> Value:
        f, lanes = self.f, lanes_of(kind)
        steps = f.mul(f.iota("i64", lanes), const(vector("i64", lanes), stride))
        return f.geps(scalar_of(kind), pointer, steps)

    def mask_of(self, place: Place) -> Value:
        return place.mask if place.mask is not None else const(vector("i1", place.lanes), 1)

    def store(self, place: Place, access: Access, x: Any, v: Any, pointer: Value | None = None) -> None:
        f, dtype = self.f, dtype_of(v)
        if x is None:
            x = self.splats[v] if v in self.splats else literal(v, place.lanes)
        stride = self.lane_stride(access)
        if pointer is None:
            pointer = self.row_pointer(access)
        elif self.plan.lane_inner and place.lane is not None and stride:
            pointer = f.gep(memory_type(dtype), pointer, f.mul(place.lane, i64(stride)))
        if type(x) is Pair:
            self.store_pair(place, x, vector(memory_type(dtype), place.lanes), pointer, stride)
            return
        x = to_memory(f, x, dtype)
        if place.lanes == 1:
            f.store(x, pointer)
        elif stride == 1 and place.mask is not None:
            f.masked_store(x, pointer, place.mask)
        elif stride == 1:
            f.stream(x, pointer, host().vector_bytes) if access in self.past else f.store(x, pointer)
        else:
            f.scatter(x, self.addresses(x.type, pointer, stride), self.mask_of(place))

    def store_pair(self, place: Place, z: Pair, kind: str, pointer: Value, stride: int) -> None:
        if place.lanes == 1 or stride == 1:
            complex_numbers.store(self.f, z, pointer, place.mask)
        else:
            complex_numbers.scatter(self.f, z, self.addresses(kind, pointer, stride), self.mask_of(place))

    def kept_pointer(self, v: Any, place: Place) -> Value:
        f, plan = self.f, self.plan
        axes = plan.inner_axes
        lanes = 1 if plan.lane_inner else plan.lanes
        count = numel(a.size for a in axes) * lanes
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

    def keep(self, v: Any, place: Place) -> None:
        """Kept values have room for whole vectors, so no mask is needed."""
        x, pointer = place.values[v], self.kept_pointer(v, place)
        if type(x) is Pair:
            complex_numbers.store(self.f, x, pointer)
        else:
            self.f.store(to_memory(self.f, x, v.aval.dtype), pointer)

    def load_kept(self, v: Any, place: Place) -> Any:
        if v.aval.dtype.kind == "c":
            part = register_type(v.aval.dtype)
            return complex_numbers.load(self.f, part, self.kept_pointer(v, place), place.lanes)
        kind = vector(memory_type(v.aval.dtype), place.lanes)
        return from_memory(self.f, self.f.load(kind, self.kept_pointer(v, place)), v.aval.dtype)
