"""The innermost product: a tile of C in registers, one step of k after the other.

    micro(k, a, a_row, a_k, b, b_k, c, c_row, cols, beta)

A tile of `rows` rows and `vectors` vectors of columns, of which `cols` columns exist. Steps are in bytes; a row
of B and of C is contiguous. Packed and unpacked operands differ in nothing but their steps. beta 0 sets C, any
other adds to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..llvm import Function, Module, Value, const, i64
from .tiles import Tile

PARAMS = ["i64", "ptr", "i64", "i64", "ptr", "i64", "ptr", "i64", "i64", "i64"]
CACHE_LINE = 64
GROUP = 7
"""Rows that share a base address: 0 to 6 steps are one, two, three or five steps times 1, 2 or 4."""


def kernel_name(rows: int, vectors: int, suffix: str) -> str:
    return f"fx_micro_{rows}x{vectors}_{suffix}"


def micro_kernel(m: Module, t: Tile, name: str, rows: int, vectors: int) -> str:
    f = m.function(name, "void", PARAMS, internal=False, attrs="nounwind")
    c, c_row, cols, beta = f.args[6:]
    mask = f.tail_mask(f.sub(cols, i64((vectors - 1) * t.lanes)), t.lanes)
    places = [[_column(f, t, row, j) for j in range(vectors)] for row in _rows(f, c, c_row, rows)]
    for line in places:
        for p in line[:: max(1, CACHE_LINE // (t.lanes * t.bytes))]:
            f.prefetch(p, write=True)
    sums = _products(f, t, rows, vectors, mask)
    flat = [p for line in places for p in line]

    def put(mask: Value | None) -> list[Value]:
        masks = [mask if i % vectors == vectors - 1 else None for i in range(len(flat))]
        tiles = list(zip(sums, flat, masks, strict=True))
        return f.choose(f.icmp("ne", beta, i64(0)), lambda: _add(f, t, tiles), lambda: _store(f, tiles))

    if t.quick_stores:
        put(mask)
    else:
        whole = f.icmp("eq", cols, i64(vectors * t.lanes))
        f.choose(whole, lambda: put(None), lambda: put(mask))
    f.ret()
    return name


def _products(f: Function, t: Tile, rows: int, vectors: int, mask: Value) -> list[Value]:
    """The sums over k, row by row."""
    k, a, a_row, a_k, b, b_k = f.args[:6]
    groups = [f.gep("i8", a, f.mul(a_row, i64(g))) for g in range(0, rows, GROUP)]
    zeros = [const(t.vector, 0)] * (rows * vectors)
    with f.loop(i64(0), k, carry=[b, *groups, *zeros]) as loop:
        b, *rest = loop.carry
        groups, sums = rest[: len(groups)], rest[len(groups) :]
        line = [_load_b(f, t, b, j, vectors, mask) for j in range(vectors)]
        for i in range(rows):
            place = _row(f, groups[i // GROUP], a_row, i % GROUP)
            x = f.splat(f.load(t.scalar, place), t.lanes)
            for j in range(vectors):
                sums[i * vectors + j] = f.fma(x, line[j], sums[i * vectors + j])
        loop.next(f.gep("i8", b, b_k), *[f.gep("i8", g, a_k) for g in groups], *sums)
    return loop.results[1 + len(groups) :]


def _store(f: Function, tiles: Sequence[tuple[Value, Value, Value | None]]) -> list[Value]:
    for x, p, mask in tiles:
        if mask is None:
            f.store(x, p)
        else:
            f.masked_store(x, p, mask)
    return []


def _add(f: Function, t: Tile, tiles: Sequence[tuple[Value, Value, Value | None]]) -> list[Value]:
    for x, p, mask in tiles:
        old = f.load(t.vector, p) if mask is None else f.masked_load(t.vector, p, mask, const(t.vector, 0))
        _store(f, [(f.fadd(old, x), p, mask)])
    return []


def _load_b(f: Function, t: Tile, b: Value, j: int, vectors: int, mask: Value) -> Value:
    p = _column(f, t, b, j)
    if t.masks and j == vectors - 1:
        return f.masked_load(t.vector, p, mask, const(t.vector, 0))
    return f.load(t.vector, p)


def _column(f: Function, t: Tile, p: Value, j: int) -> Value:
    return f.gep("i8", p, i64(j * t.lanes * t.bytes))


def _rows(f: Function, base: Value, step: Value, rows: int) -> list[Value]:
    places = [base]
    for _ in range(rows - 1):
        places.append(f.gep("i8", places[-1], step))
    return places


def _row(f: Function, base: Value, step: Value, i: int) -> Value:
    """base + i steps, in terms that an address of one instruction can hold."""
    if i == 0:
        return base
    factor = {1: 1, 2: 1, 4: 1, 3: 3, 6: 3, 5: 5}[i]
    odd = f.mul(step, i64(factor))
    return f.gep("i8", base, f.mul(odd, i64(i // factor)))
