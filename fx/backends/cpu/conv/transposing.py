"""The transpose of blocks of vectors, a function that libraries write into themselves."""

from __future__ import annotations

from ..engine import host
from ..llvm import Function, Module, Value, bits_of, const, i64, vector


def write_turn(m: Module, scalar: str, exact: bool) -> None:
    """target[i * row + j] = source[j * wide + i] for i < count and j < lines, at most a vector of lines.

    Unless `exact`, the rest of every vector of the target, and up to a vector of rows behind the last, are
    overwritten with anything. Steps are in bytes.
    """
    f = m.function(turn_name(scalar, exact), "void", ["ptr", "i64", "i64", "i64", "ptr", "i64"])
    source, wide, lines, count, target, row = f.args
    lanes = host().vector_bytes * 8 // bits_of(scalar)
    kind, last = vector(scalar, lanes), f.sub(lines, i64(1))
    starts = [
        f.gep("i8", source, f.mul(f.intrinsic("llvm.smin", i64(j), last), wide)) if j else source
        for j in range(lanes)
    ]
    there = f.tail_mask(lines, lanes)

    def put(x: Value, place: Value) -> None:
        if exact:
            f.masked_store(x, place, there)
        else:
            f.store(x, place)

    def block(at: Value, rest: Value | None) -> None:
        places, to = [f.gep(scalar, p, at) for p in starts], f.gep("i8", target, f.mul(at, row))
        mask = None if rest is None else f.tail_mask(rest, lanes)
        load = lambda p: f.load(kind, p) if mask is None else f.masked_load(kind, p, mask, const(kind, 0))
        for i, x in enumerate(transposed(f, [load(p) for p in places])):
            if exact and rest is not None:
                with f.when(f.icmp("sgt", rest, i64(i))):
                    put(x, to)
            else:
                put(x, to)
            to = f.gep("i8", to, row)

    whole = f.and_(count, i64(-lanes))
    with f.loop(i64(0), whole, lanes) as loop:
        block(loop.index, None)
    with f.when(f.icmp("slt", whole, count)):
        block(whole, f.sub(count, whole))
    f.ret()


def turn_name(scalar: str, exact: bool) -> str:
    return f"turn{'_exact' if exact else ''}_{scalar}"


def transposed(f: Function, rows: list[Value]) -> list[Value]:
    """The transpose of a square matrix of vectors: blocks of 1, 2, 4, ... lanes change places."""
    n, width = len(rows), 1
    while width < n:
        low = [i + (n - width if i & width else 0) for i in range(n)]
        high = [i + width for i in low]
        for i in range(n):
            if not i & width:
                a, b = rows[i], rows[i + width]
                rows[i], rows[i + width] = f.shuffle(a, b, low), f.shuffle(a, b, high)
        width *= 2
    return rows
