"""Stores past the caches, for nests that touch more memory than the caches hold.

An ordinary store of a line reads that line first. Results that would be driven out of the caches before anybody reads
them are written without that, which saves a map a third of its traffic. Such stores must be aligned; whether an array
is, only the run knows, so these nests have two forms and a function that chooses.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...compiler.nest import Access, numel
from .engine import host
from .llvm import Module, i64
from .loops import Output, Plan, itemsize


def streamed(plan: Plan) -> list[Access]:
    """What a nest writes past the caches: large results, where it touches more than the last cache holds."""
    results = [o for o in plan.outputs if plan.is_full(o.value) and _is_aligned(plan, o)]
    large = [o.access for o in results if 2 * _bytes(plan, o.access) >= host().l3]
    return large if sum(_bytes(plan, a) for a in plan.all_accesses()) >= host().l3 else []


def _bytes(plan: Plan, access: Access) -> int:
    sizes = (d for d, stride in zip(plan.nest.shape, access.strides, strict=True) if stride)
    return numel(sizes) * itemsize(access.base)


def _is_aligned(plan: Plan, o: Output) -> bool:
    """Whether all whole vectors are aligned if the array is."""
    lane, width, size = plan.lane, host().vector_bytes, itemsize(o.access.base)
    if lane is None or o.access.strides[lane.members[-1]] != 1 or o.access.base.aval.dtype.kind == "c":
        return False
    others = [s for axis, s in enumerate(o.access.strides) if axis not in lane.members]
    return all(n * size % width == 0 for n in (plan.lanes, o.access.offset, *others))


def choice(
    m: Module, name: str, params: Sequence[str], places: Sequence[int], forms: tuple[str, str]
) -> None:
    """A function that calls the first form where the arrays at these places are aligned, otherwise the second."""
    f = m.function(name, "void", params)
    bits = i64(0)
    for i in places:
        bits = f.or_(bits, f.cast("ptrtoint", f.args[i], "i64"))
    yes, no = f.new_label("aligned"), f.new_label("other")
    f.branch_if(f.icmp("eq", f.and_(bits, i64(host().vector_bytes - 1)), i64(0)), yes, no)
    for label, form in zip((yes, no), forms, strict=True):
        f.block(label)
        f.call(form, "void", f.args)
        f.ret()
