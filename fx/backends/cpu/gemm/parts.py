"""The sum of partial results: a long sum over k is cut into a number of parts that the shape decides.

    fx_sum_parts(parts, count, n, c)   c[i] = sum over p < count of parts[p * n + i]; count is a power of two

Parts are added pairwise, always in the same tree; `parts` is overwritten.
"""

from __future__ import annotations

from ..llvm import Function, Module, Value, const, i64
from .tiles import Tile


def sum_parts(m: Module, t: Tile, suffix: str) -> str:
    """`fx_sum_parts_<suffix>`."""
    f = m.function(
        f"fx_sum_parts_{suffix}", "void", ["ptr", "i64", "i64", "ptr"], internal=False, attrs="nounwind"
    )
    parts, count, n, c = f.args
    levels = f.intrinsic("llvm.cttz", count, immediate="i1 true")
    with f.loop(i64(0), f.sub(levels, i64(1))) as level:
        step = f.shl(i64(1), level.index)
        with f.loop(i64(0), count, f.shl(i64(2), level.index)) as pair:
            left = f.gep(t.scalar, parts, f.mul(pair.index, n))
            _add(f, t, n, left, f.gep(t.scalar, parts, f.mul(f.add(pair.index, step), n)), left)
    _add(f, t, n, parts, f.gep(t.scalar, parts, f.mul(f.lshr(count, i64(1)), n)), c)
    f.ret()
    return f.name


def _add(f: Function, t: Tile, n: Value, x: Value, y: Value, z: Value) -> None:
    """z = x + y."""
    whole = f.and_(n, i64(-t.lanes))
    with f.loop(i64(0), whole, t.lanes) as loop:
        a, b, c = (f.gep(t.scalar, p, loop.index) for p in (x, y, z))
        f.store(f.fadd(f.load(t.vector, a), f.load(t.vector, b)), c)
    with f.when(f.icmp("slt", whole, n)):
        mask, zero = f.tail_mask(f.sub(n, whole), t.lanes), const(t.vector, 0)
        a, b, c = (f.gep(t.scalar, p, whole) for p in (x, y, z))
        pair = [f.masked_load(t.vector, p, mask, zero) for p in (a, b)]
        f.masked_store(f.fadd(*pair), c, mask)
