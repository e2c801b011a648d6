"""Rows of one operand side by side as columns: the transpose that the sums over positions read."""

from __future__ import annotations

from ..engine import host
from ..llvm import Function, Module, Value, bits_of, const, i64, vector
from ..operations.library import Library, Signature
from ..operations.library import call as call_library

_PARAMS = ("ptr", "i64", "i64", "i64", "ptr", "i64")


def lanes_of(scalar: str) -> int:
    return host().vector_bytes * 8 // bits_of(scalar)


def turn(
    f: Function, scalar: str, source: Value, wide: Value, lines: Value, count: Value, target: Value, row: Value
) -> None:
    """target[i * row + j] = source[j * wide + i] for i < count and j < lines, at most a vector of lines.

    `wide` and `row` are in bytes. The rest of every vector of the target, and up to as many rows behind the last
    as a vector has lanes, are overwritten with anything.
    """
    call_library(f, f"fx_conv_turn_{scalar}", [source, wide, lines, count, target, row])


def _write(m: Module, scalar: str) -> None:
    f = _LIBRARIES[scalar].define(m, f"fx_conv_turn_{scalar}")
    source, wide, lines, count, target, row = f.args
    lanes, size = lanes_of(scalar), bits_of(scalar) // 8
    kind, last = vector(scalar, lanes), f.sub(lines, i64(1))
    starts = [
        f.gep("i8", source, f.mul(f.intrinsic("llvm.smin", i64(j), last), wide)) if j else source
        for j in range(lanes)
    ]

    def block(at: Value, to: Value, mask: Value | None) -> None:
        places = [f.gep(scalar, p, at) for p in starts]
        rows = [
            f.load(kind, p) if mask is None else f.masked_load(kind, p, mask, const(kind, 0)) for p in places
        ]
        for x in transposed(f, rows):
            f.store(x, to)
            to = f.gep("i8", to, row)

    whole = f.and_(count, i64(-lanes))
    with f.loop(i64(0), whole, lanes) as loop:
        block(loop.index, f.gep("i8", target, f.mul(loop.index, row)), None)
    with f.when(f.icmp("slt", whole, count)):
        block(whole, f.gep("i8", target, f.mul(whole, row)), f.tail_mask(f.sub(count, whole), lanes))
    f.ret()


def transposed(f: Function, rows: list[Value]) -> list[Value]:
    """The transpose of a square matrix of vectors: blocks of 1, 2, 4, ... lanes change places."""
    n, width = len(rows), 1
    while width < n:
        low = [i + (n - width if i & width else 0) for i in range(n)]
        high = [i + width + (n - width if i & width else 0) for i in range(n)]
        for i in range(n):
            if not i & width:
                a, b = rows[i], rows[i + width]
                rows[i], rows[i + width] = f.shuffle(a, b, low), f.shuffle(a, b, high)
        width *= 2
    return rows


_LIBRARIES = {
    scalar: Library(
        {f"fx_conv_turn_{scalar}": Signature("void", _PARAMS)}, lambda m, scalar=scalar: _write(m, scalar)
    )
    for scalar in ("float", "double")
}
