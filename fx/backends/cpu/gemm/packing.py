"""Copying a block of an operand to the order in which the kernels read it.

    pack(source, wide, deep, count, k, destination)

The block is `count` lines (rows of A, columns of B) by `k` steps; `wide` and `deep` are what a line and a step
mean in the source, in bytes. Packed layout, W lines to a panel: line r, step s is element

    (r // W * k + s) * W + r % W

of the destination. Lines that the last panel lacks are unspecified, and up to a vector behind the last panel is
overwritten. What is read always belongs to the block.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..llvm import Function, Module, Value, const, i64, vector
from .tiles import Tile

PARAMS = ["ptr", "i64", "i64", "i64", "i64", "ptr"]


WAYS = ("copy", "turn", "collect")
"""Lines lie side by side; steps do; nothing does."""
LINES = {"a": "rows", "b": "cols"}
"""What the lines of a panel are, by operand."""


def way_of(wide: int, deep: int) -> str:
    """How operands are packed whose lines and steps are so many elements apart."""
    return "copy" if wide == 1 else "turn" if deep == 1 else "collect"


def packer_name(operand: str, way: str, suffix: str) -> str:
    return f"fx_pack_{operand}_{way}_{suffix}"


def packer(m: Module, t: Tile, name: str, operand: str, way: str) -> str:
    """The packing function of an operand that lies in one way."""
    width: int = getattr(t, LINES[operand])
    panel = dict(zip(WAYS, (_copy_panel, _turn_panel, _collect_panel), strict=True))[way]
    panel(m, t, f"{name}_panel", width)
    f = m.function(name, "void", PARAMS, internal=False, attrs="nounwind")
    source, wide, deep, count, k, destination = f.args
    panel_bytes, step = f.mul(k, i64(width * t.bytes)), f.mul(wide, i64(width))
    with f.loop(i64(0), count, width, carry=[source, destination]) as loop:
        p, q = loop.carry
        here = f.intrinsic("llvm.smin", f.sub(count, loop.index), i64(width))
        f.call(f"{name}_panel", "void", [p, wide, deep, here, k, q])
        loop.next(f.gep("i8", p, step), f.gep("i8", q, panel_bytes))
    f.ret()
    return name


def _copy_panel(m: Module, t: Tile, name: str, width: int) -> str:
    """Lines lie side by side: a step is a few vectors."""
    f = m.function(name, "void", PARAMS, attrs="nounwind")
    source, _, deep, count, k, destination = f.args
    vectors = -(-width // t.lanes)
    masks = [f.tail_mask(f.sub(count, i64(v * t.lanes)), t.lanes) for v in range(vectors)]

    def steps(masked: bool) -> list[Value]:
        with f.loop(i64(0), k, carry=[source, destination]) as loop:
            p, q = loop.carry
            for v in range(vectors):
                at = f.gep("i8", p, i64(v * t.lanes * t.bytes))
                x = (
                    f.masked_load(t.vector, at, masks[v], const(t.vector, 0))
                    if masked
                    else f.load(t.vector, at)
                )
                f.store(x, f.gep("i8", q, i64(v * t.lanes * t.bytes)))
            loop.next(f.gep("i8", p, deep), f.gep("i8", q, i64(width * t.bytes)))
        return []

    if width % t.lanes:
        steps(True)
    else:
        f.choose(f.icmp("eq", count, i64(width)), lambda: steps(False), lambda: steps(True))
    f.ret()
    return name


def _turn_panel(m: Module, t: Tile, name: str, width: int) -> str:
    """Steps lie side by side: blocks of every line are loaded and transposed, a vector or 16 bytes long."""
    f = m.function(name, "void", PARAMS, attrs="nounwind")
    source, wide, _, count, k, destination = f.args
    lines = _line_offsets(f, wide, count, -(-width // t.lanes) * t.lanes)
    row = i64(width * t.bytes)
    done, p, q = i64(0), source, destination
    for steps, turn in ((t.lanes, _transposed_vectors), (16 // t.bytes, _transposed_pieces)):
        end = f.and_(k, i64(-steps))
        with f.loop(done, end, steps, carry=[p, q]) as loop:
            p, to = loop.carry
            rows = [to]
            for _ in range(steps):
                rows.append(f.gep("i8", rows[-1], row))
            stores = []
            for v in range(0, len(lines), t.lanes):
                columns = turn(f, t, p, lines[v : v + t.lanes])
                stores.append(
                    [(x, f.gep("i8", q, i64(v * t.bytes))) for x, q in zip(columns, rows, strict=False)]
                )
                if width % t.lanes == 0:
                    _store_all(f, stores.pop())
            for group in zip(*stores, strict=True):  # the last vector of a row reaches into the next row
                _store_all(f, group)
            loop.next(f.gep("i8", p, i64(steps * t.bytes)), rows[-1])
        done, (p, q) = end, loop.results
    for s in range(16 // t.bytes - 1):
        with f.when(f.icmp("sgt", f.sub(k, done), i64(s))):
            _gathered_step(
                f, t, f.gep("i8", p, i64(s * t.bytes)), lines, f.gep("i8", q, i64(s * width * t.bytes))
            )
    f.ret()
    return name


def _store_all(f: Function, stores: Sequence[tuple[Value, Value]]) -> None:
    for x, p in stores:
        f.store(x, p)


def _line_offsets(f: Function, wide: Value, count: Value, lines: int) -> list[Value]:
    """Offsets of the lines; those beyond the last one repeat it, so that nothing outside is read."""
    last = f.sub(count, i64(1))
    return [f.mul(f.intrinsic("llvm.smin", i64(i), last), wide) if i else i64(0) for i in range(lines)]


def _transposed_vectors(f: Function, t: Tile, p: Value, lines: list[Value]) -> list[Value]:
    """Vectors over `lines`, for each of the steps that a vector at `p` of each line holds.

    Small transposes within 16-byte pieces, then of the pieces.
    """
    chunk = 16 // t.bytes
    rows = [f.load(t.vector, f.gep("i8", p, line)) for line in lines]
    groups = [_small(f, rows[i : i + chunk]) for i in range(0, len(rows), chunk)]
    columns = [_pieces(f, [group[s] for group in groups], chunk) for s in range(chunk)]
    return [columns[s % chunk][s // chunk] for s in range(t.lanes)]


def _pieces(f: Function, rows: list[Value], chunk: int) -> list[Value]:
    """The transpose of n vectors of n pieces of `chunk` lanes each."""
    n = len(rows)
    if n == 1:
        return rows

    def pick(x: Value, y: Value, first: int) -> Value:
        """Every other piece of x, then of y."""
        return f.shuffle(x, y, [at * chunk + i for at in range(first, 2 * n, 2) for i in range(chunk)])

    even, odd = ([pick(x, y, first) for x, y in zip(rows[::2], rows[1::2], strict=True)] for first in (0, 1))
    if n == 2:
        return [*even, *odd]
    return [pick(*even, 0), pick(*odd, 0), pick(*even, 1), pick(*odd, 1)]


def _transposed_pieces(f: Function, t: Tile, p: Value, lines: list[Value]) -> list[Value]:
    """The same for the steps that 16 bytes of each line hold; lines are joined so that small transposes remain."""
    chunk = 16 // t.bytes
    pieces = [f.load(vector(t.scalar, chunk), f.gep("i8", p, line)) for line in lines]
    return _small(f, [_joined(f, pieces[r::chunk]) for r in range(chunk)])


def _small(f: Function, rows: list[Value]) -> list[Value]:
    """Transposes within every 16-byte piece, of 2 x 2 or 4 x 4 lanes."""
    if len(rows) == 2:
        return [_interleave(f, *rows, 1, half) for half in (0, 1)]
    low = [_interleave(f, rows[r], rows[r + 1], 1, half) for r in (0, 2) for half in (0, 1)]
    return [_interleave(f, low[i], low[i + 2], 2, half) for i in (0, 1) for half in (0, 1)]


def _joined(f: Function, pieces: list[Value]) -> Value:
    while len(pieces) > 1:
        n = 2 * int(pieces[0].type[1:].split(" ")[0])
        pieces = [f.shuffle(x, y, range(n)) for x, y in zip(pieces[::2], pieces[1::2], strict=True)]
    return pieces[0]


def _interleave(f: Function, x: Value, y: Value, group: int, half: int) -> Value:
    """In every 16-byte block, groups of lanes of the low or high half of x and y in turn."""
    scalar, n = x.type.split(" ")[2][:-1], int(x.type[1:].split(" ")[0])
    block = 2 if scalar == "double" else 4
    order = []
    for start in range(0, n, block):
        for g in range(start + half * block // 2, start + (half + 1) * block // 2, group):
            order += [*range(g, g + group), *range(n + g, n + g + group)]
    return f.shuffle(x, y, order)


def _collect_panel(m: Module, t: Tile, name: str, width: int) -> str:
    """Nothing lies side by side: element by element."""
    f = m.function(name, "void", PARAMS, attrs="nounwind")
    source, wide, deep, count, k, destination = f.args
    lines = _line_offsets(f, wide, count, -(-width // t.lanes) * t.lanes)
    with f.loop(i64(0), k, carry=[source, destination]) as loop:
        p, q = loop.carry
        _gathered_step(f, t, p, lines, q)
        loop.next(f.gep("i8", p, deep), f.gep("i8", q, i64(width * t.bytes)))
    f.ret()
    return name


def _gathered_step(f: Function, t: Tile, p: Value, lines: list[Value], q: Value) -> None:
    for v in range(0, len(lines), t.lanes):
        x = const(t.vector, 0)
        for i, line in enumerate(lines[v : v + t.lanes]):
            x = f.insert(x, f.load(t.scalar, f.gep("i8", p, line)), i)
        f.store(x, f.gep("i8", q, i64(v * t.bytes)))
