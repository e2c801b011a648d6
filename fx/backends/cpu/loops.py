"""How a nest runs: which axes are rows, which carries the vector lanes, in how many stages a row is walked.

The analysis before emission; it looks at shapes and strides alone, so equal nests run equally.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...compiler import kinds
from ...compiler.kinds import cost_of, kind_of
from ...compiler.nest import Access, Nest, View, numel, whole
from ...core.program import Equation, Var
from ...core.structure import Literal
from ...primitives import shape
from .engine import host
from .llvm import bits_of
from .pointwise import memory_type, register_type

_COSTLESS = (kinds.VIEW, kinds.FREE)
BLOCK = 8192
"""Elements of a block, where one long axis is cut."""
SHORT, LONG = 6, 64
"""A row axis so short leaves the lanes to an outer one so long: coordinates of points, channels of pixels."""
PARALLEL_WORK = 1 << 19
"""Work (element-operations) from which a nest is split into chunks."""
MAX_CHUNKS = 64
KEPT_BYTES = 1 << 17
"""Bytes on the stack that a value kept between stages may take; a larger one is computed again."""


class Axis(NamedTuple):
    """A loop over adjacent domain axes that one stride walks through."""

    size: int
    members: tuple[int, ...]


class Output(NamedTuple):
    """A value written to memory."""

    value: Any
    access: Access
    covers: bool
    """Written at every place of the domain, even where the value does not change along it."""


class Plan:
    """A nest made ready for emission."""

    def __init__(self, nest: Nest):
        self.nest = nest
        self.maker: dict[Any, Equation] = {v: e for e in nest.equations for v in e.outputs}
        self.outputs = [Output(v, nest.access(v, whole(v)), False) for v in nest.stores]
        self.outputs += [Output(v, _target(view), True) for v, view in nest.copies]
        self.used = self._used()
        self.reductions = [v for v in nest.reductions if v in self.used]
        self.accesses = {v: nest.access(v, view) for v, view in nest.loads.items() if v in self.used}
        self.bases = list(dict.fromkeys(a.base for a in self.all_accesses()))
        """The arrays it touches."""
        self.inner = self._rows()
        self.outer_axes, self.inner_axes = self._loops()
        self.lane_inner = self._lanes_run_inside()
        self.lanes = self._lanes()
        self._blocks()
        self._stages()
        self.units = numel(a.size for a in self.unit_axes) * self.blocks
        self.work = numel(self.nest.shape) * max(4, self._weight())
        """Element-operations."""
        self.chunks = self._chunks()

    # What is needed

    def _used(self) -> set[Any]:
        found: set[Any] = set()
        stack = [o.value for o in self.outputs]
        while stack:
            v = stack.pop()
            if v in found or type(v) is Literal:
                continue
            found.add(v)
            if v in self.maker and v not in self.nest.loads:
                stack.extend(self.maker[v].inputs)
        return found

    # Loops

    def _rows(self) -> frozenset[int]:
        """The axes inside a unit of work."""
        nest = self.nest
        every = frozenset(range(len(nest.shape)))
        if nest.inner is not None:
            return nest.inner
        last = len(nest.shape) - 1
        kinds = {nest.reductions[v].axes for v in self.reductions} - {every, frozenset()}
        for axes in kinds:
            if last in axes:
                return axes
        if kinds:
            (axes,) = kinds
            prefix = axes == frozenset(range(len(axes)))
            small = numel(nest.shape[a] for a in every - axes) < 64
            return every - axes if prefix and not small else axes
        return frozenset()

    def _loops(self) -> tuple[list[Axis], list[Axis]]:
        """Loop axes outside and inside a unit, adjacent ones merged; without rows the last loop is the inside."""
        nest = self.nest
        outer = [a for a in range(len(nest.shape)) if a not in self.inner]
        inner = [a for a in range(len(nest.shape)) if a in self.inner]
        merged_outer, merged_inner = self._merge(outer), self._merge(inner)
        if not self.inner and merged_outer:
            merged_inner = [merged_outer.pop()]
            self.inner = frozenset(merged_inner[0].members)
        return merged_outer, merged_inner

    def _lanes_run_inside(self) -> bool:
        """Lanes run along the axis on which memory is walked in order, unless it is too short to fill them."""
        if not self.inner_axes or not self.outer_axes:
            return bool(self.inner_axes)
        short = self.inner_axes[-1].size <= SHORT and self.outer_axes[-1].size >= LONG
        return len(self.nest.shape) - 1 in self.inner and not short

    def _merge(self, axes: list[int]) -> list[Axis]:
        touched = [*self.accesses.values(), *[o.access for o in self.outputs]]
        fixed = {a for v in self.used if self._is_iota(v) for a in self.nest.axes_of(v)}
        out: list[Axis] = []
        for a in axes:
            size = self.nest.shape[a]
            if out and a not in fixed and not fixed & set(out[-1].members):
                last = out[-1].members[-1]
                if all(t.strides[last] == t.strides[a] * size for t in touched) and self._together(last, a):
                    out[-1] = Axis(out[-1].size * size, (*out[-1].members, a))
                    continue
            out.append(Axis(size, (a,)))
        return out

    def _together(self, a: int, b: int) -> bool:
        """Whether every value follows both axes or neither (what is broadcast along one only cannot merge)."""
        return all((a in axes) == (b in axes) for axes in map(self.nest.axes_of, self.used))

    def _is_iota(self, v: Any) -> bool:
        return v in self.maker and self.maker[v].primitive is shape.iota_p

    def _blocks(self) -> None:
        """One long axis without row reductions is cut into blocks, which are units of their own."""
        self.blocks, self.block = 1, 0
        self.unit_axes = list(self.outer_axes)
        if not self.lane_inner:
            if self.outer_axes:
                lane = self.outer_axes[-1]
                self.unit_axes = self.outer_axes[:-1]
                self.block = self.lanes
                self.blocks = -(-lane.size // self.lanes)
            return
        whole_rows = any(not self.ends_late(v) for v in self.reductions) or any(
            self.is_column(v) for v in self.reductions
        )
        lane = self.inner_axes[-1]
        if len(self.inner_axes) == 1 and not whole_rows and lane.size > BLOCK:
            self.block = BLOCK
            self.blocks = -(-lane.size // BLOCK)

    @property
    def lane(self) -> Axis | None:
        """The axis that vector lanes run along."""
        if self.lane_inner:
            return self.inner_axes[-1]
        return self.outer_axes[-1] if self.outer_axes else None

    def _lanes(self) -> int:
        """Vector lanes: the host's registers for the widest float, several of them where the work is light."""
        lane = self.lane
        if lane is None or lane.size == 1:
            return 1
        types = [register_type(v.aval.dtype) for v in self.used]
        floats = [t for t in types if t in ("float", "double")]
        width = max((bits_of(t) for t in floats or types), default=32)
        lanes = host().vector_bytes * 8 // max(width, 8 if not floats else 32)
        if any(not self._unit_stride(a, lane) for a in self.all_accesses()):
            lanes = min(lanes, host().vector_bytes // 4)
        if lane.size >= 8 * lanes and self.reductions and self._weight() <= 12:
            lanes *= 4
        elif lane.size >= 8 * lanes and self._weight() <= 24:
            lanes *= 2
        while lanes > 1 and lanes // 2 >= lane.size:
            lanes //= 2
        return lanes

    def all_accesses(self) -> list[Access]:
        return [*self.accesses.values(), *[o.access for o in self.outputs]]

    def _unit_stride(self, access: Access, lane: Axis) -> bool:
        return access.strides[lane.members[-1]] in (0, 1)

    def _weight(self) -> int:
        """Operations per element of what runs inside the loops."""
        return sum(
            cost_of(self.maker[v])
            for v in self.used
            if v in self.maker and self.is_full(v) and kind_of(self.maker[v]) not in _COSTLESS
        )

    # Levels and stages

    def is_full(self, v: Any) -> bool:
        """Whether a value changes inside a unit."""
        return bool(self.nest.axes_of(v) & self.inner)

    def ends_late(self, v: Var) -> bool:
        """Whether a reduction completes only when all units are done."""
        axes = self.nest.reductions[v].axes
        if self.nest.inner is None and len(axes) == len(self.nest.shape) > 0:
            return True
        return not axes <= self.inner

    def is_column(self, v: Var) -> bool:
        """Whether a late reduction keeps inner axes."""
        return self.ends_late(v) and self.is_full(v)

    def _stages(self) -> None:
        """`ready[v]`: the stage from which a value can be computed; row values: after which it is known."""
        self.ready: dict[Any, int] = {}
        for eqn in self.nest.equations:
            for out in eqn.outputs:
                if out not in self.used:
                    continue
                stage = max((self.ready.get(x, 0) for x in eqn.inputs), default=0)
                if out in self.nest.reductions and self.nest.reductions[out].axes and not self.ends_late(out):
                    stage += 1
                self.ready[out] = stage
        self.roots: dict[int, list[Output]] = {}
        for o in self.outputs:
            if not o.covers and (o.value in self.nest.reductions or not self.is_full(o.value)):
                continue
            self.roots.setdefault(self.ready.get(o.value, 0), []).append(o)
        self.sums: dict[int, list[Var]] = {}
        for v in self.reductions:
            operand = self.maker[v].inputs[0]
            if self.is_full(operand) and self.nest.reductions[v].axes:
                self.sums.setdefault(self.ready.get(operand, 0), []).append(v)
        self.order = sorted({*self.roots, *self.sums})
        self._demands()

    def _demands(self) -> None:
        """Per stage the full values it computes, and which of them are kept for later stages."""
        self.kept: dict[Any, int] = {}
        first: dict[Any, int] = {}
        self.demand: dict[int, dict[Any, None]] = {}
        for stage in self.order:
            found: dict[Any, None] = {}
            starts = [o.value for o in self.roots.get(stage, ())]
            starts += [self.maker[v].inputs[0] for v in self.sums.get(stage, ())]
            stack = starts
            while stack:
                v = stack.pop()
                if v in found or type(v) is Literal:
                    continue
                found[v] = None
                if v in self.nest.loads or not self.is_full(v) or v in self.nest.reductions:
                    continue
                if v in first and self._keeps(v) and kind_of(self.maker[v]) not in _COSTLESS:
                    self.kept[v] = first[v]
                    continue
                first.setdefault(v, stage)
                stack.extend(self.maker[v].inputs)
            self.demand[stage] = found

    def _keeps(self, v: Any) -> bool:
        """Whether a value is dear enough to keep, and small enough for the stack."""
        lanes = 1 if self.lane_inner else self.lanes
        count = self.block or numel(a.size for a in self.inner_axes)
        return cost_of(self.maker[v]) >= 4 and count * lanes * itemsize(v) <= KEPT_BYTES

    @property
    def ragged(self) -> bool:
        """Whether the last vector of a row may be a part."""
        return self.lane is not None and self.lane.size % self.lanes != 0

    def _chunks(self) -> int:
        """Parts that may run in parallel: by shape alone, so that results do not depend on threads."""
        if self.work < PARALLEL_WORK:
            return 1
        limit = 1 << (self.work // (PARALLEL_WORK // 2)).bit_length() - 1
        columns = [v for v in self.reductions if self.is_column(v)]
        if columns:
            limit = min(limit, max(1, self.units // 16))
        wanted = max(1, min(limit, MAX_CHUNKS, self.units))
        return 1 << wanted.bit_length() - 1


def _target(view: View) -> Access:
    """Where a copy goes: the window's axes are the domain's, units aside."""
    strides = [s for s, d in zip(view.strides, view.shape, strict=True) if d != 1]
    return Access(view.base, view.offset, tuple(strides))


def itemsize(v: Any) -> int:
    return bits_of(memory_type(v.aval.dtype)) // 8
