"""The product at the heart of two of the forms: sums[e, o] = sum over k of x[place of e + place of k] * panel[k, o].

The micro-kernel of a matrix product whose left operand is x itself, each element at the sum of two offsets from
tables (the indirection of M. Dukhan, The Indirect Convolution Algorithm, arXiv:1907.02129), and whose right operand
is a packed panel. A tile of entries e by vectors of o stays in registers.
"""

from __future__ import annotations

from typing import NamedTuple

from ..engine import host
from ..llvm import Function, Module, Value, const, i64, vector
from ..operations.library import Library, Signature, call as call_library

_PANEL_BYTES = 24 << 10
"""What of a panel a run of the kernel reads: it should stay in the first-level cache."""
MOST_VECTORS = 4


class Tile(NamedTuple):
    """What the kernel keeps in registers: entries by vectors of columns."""

    entries: int
    vectors: int
    scalar: str
    lanes: int
    bytes: int

    @property
    def columns(self) -> int:
        return self.vectors * self.lanes

    @property
    def row(self) -> int:
        """Bytes of a row of the panel."""
        return self.columns * self.bytes


def best_tile(scalar: str, entries: int, columns: int) -> Tile:
    return max(_tiles(scalar), key=lambda t: speed(t, entries, columns))


def _tiles(scalar: str) -> list[Tile]:
    """Tiles whose sums, with a row of the panel and one more vector, fit the registers."""
    size = 4 if scalar == "float" else 8
    return [
        Tile(e, v, scalar, host().vector_bytes // size, size)
        for v in range(1, MOST_VECTORS + 1)
        for e in range(1, 9)
        if e * v + v + 1 < host().registers
    ]


def speed(t: Tile, entries: int, columns: int) -> float:
    """Useful products per cycle, for two FMAs and two loads a cycle."""
    useful = (
        entries / (-(-entries // t.entries) * t.entries) * columns / (-(-columns // t.columns) * t.columns)
    )
    products, loads = t.entries * t.vectors, t.entries + t.vectors + 1
    return 2 * useful * products / (max(products, loads, 8) + min(products, loads) / 4)


def emit_sums(
    f: Function, t: Tile, x: Value, entries: tuple[Value, Value], steps: tuple[Value, Value], panel: Value,
    sums: Value, row: int, keep: Value,
) -> None:  # fmt: skip
    """All sums of a panel: `entries` and `steps` are tables of byte offsets and their lengths.

    The sums, `row` bytes from entry to entry, are added to what is there where `keep` holds.
    """
    (offsets, count), (places, depth) = entries, steps
    old = f.cast("zext", keep, "i64")
    call_library(f, _name(t), [x, offsets, count, places, depth, panel, sums, i64(row), old])


_PARAMS = ("ptr", "ptr", "i64", "ptr", "i64", "ptr", "ptr", "i64", "i64")


def _name(t: Tile) -> str:
    return f"fx_conv_sums_{t.scalar}_{t.entries}x{t.vectors}"


def _write(m: Module, t: Tile) -> None:
    """All tiles of entries, for one block of steps after the other."""
    kernel = m.function("kernel", "void", _PARAMS, attrs="nounwind")
    _emit_kernel(kernel, t)
    f = _LIBRARIES[_name(t)].define(m, _name(t))
    x, offsets, count, places, depth, panel, sums, row, keep = f.args
    most = i64(max(32, _PANEL_BYTES // t.row))
    with f.loop(i64(0), depth, most, trips=True) as part:
        k = part.index
        some = f.intrinsic("llvm.smin", f.sub(depth, k), most)
        here, place = f.gep("i8", panel, f.mul(k, i64(t.row))), f.gep("i64", places, k)
        old = f.or_(keep, k)
        with f.loop(i64(0), count, t.entries, trips=True) as loop:
            e = loop.index
            number = f.intrinsic("llvm.smin", f.sub(count, e), i64(t.entries))
            target = f.gep("i8", sums, f.mul(e, row))
            args = [x, f.gep("i64", offsets, e), number, place, some, here, target, row, old]
            f.call("kernel", "void", args)
    f.ret()


def _emit_kernel(f: Function, t: Tile) -> None:
    x, offsets, entries, places, steps, panel, sums, row, keep = f.args
    last, kind = f.sub(entries, i64(1)), vector(t.scalar, t.lanes)
    least = lambda i: f.intrinsic("llvm.smin", i64(i), last) if i else i64(0)
    bases = [f.gep("i8", x, f.load("i64", f.gep("i64", offsets, least(e)))) for e in range(t.entries)]
    zero = const(kind, 0)
    with f.loop(i64(0), steps, carry=[zero] * (t.entries * t.vectors), trips=True) as loop:
        at = f.load("i64", f.gep("i64", places, loop.index))
        line = f.gep(kind, panel, f.mul(loop.index, i64(t.vectors)))
        columns = [f.load(kind, f.gep(kind, line, i64(v))) for v in range(t.vectors)]
        totals = list(loop.carry)
        for e, base in enumerate(bases):
            value = f.splat(f.load(t.scalar, f.gep("i8", base, at)), t.lanes)
            for v in range(t.vectors):
                totals[e * t.vectors + v] = f.fma(value, columns[v], totals[e * t.vectors + v])
        loop.next(*totals)
    _emit_add(f, t, loop.results, entries, sums, row, keep)
    f.ret()


def _emit_add(
    f: Function, t: Tile, totals: list[Value], entries: Value, sums: Value, row: Value, keep: Value
) -> None:
    kind = vector(t.scalar, t.lanes)
    mask = f.splat(f.icmp("ne", keep, i64(0)), t.lanes)
    for e in range(t.entries):
        with f.when(f.icmp("sgt", entries, i64(e))):
            for v in range(t.vectors):
                place = f.gep(kind, sums, i64(v))
                before = f.masked_load(kind, place, mask, const(kind, 0.0))
                f.store(f.fadd(before, totals[e * t.vectors + v]), place)
        sums = f.gep("i8", sums, row)


_LIBRARIES = {
    _name(t): Library({_name(t): Signature("void", _PARAMS)}, lambda m, t=t: _write(m, t))
    for scalar in ("float", "double")
    for t in _tiles(scalar)
}
