"""Transposes of blocks of vectors: arrays whose neighbours lie along one axis to panels, and sums back to arrays.

Both are functions of a library; the layout of the array is a nest of counts and steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..engine import host
from ..llvm import Function, Module, Value, bits_of, const, i64, vector
from ..operations.library import Library, Signature, call as call_library
from .filling import AXES, numbers_table
from .nests import LEVELS, counted, dot, entries, extents_table
from .numbers import first_lanes
from .transposing import turn_name, write_turn


def emit_panel(
    f: Function, scalar: str, source: Value, wide: int, lines: Value, axes: Sequence[tuple[int | Value, int]],
    panel: Value, columns: int,
) -> None:  # fmt: skip
    """The panel (place in the nest, line): `lines` lines of the array, `wide` elements apart, side by side.

    The axes are (count, step in elements); quick where the last of the steps or `wide` is 1. Rows have room for
    `columns` lines; what lines do not fill, and up to a vector of rows behind the last, are overwritten with anything.
    """
    axes, aside = list(axes), wide == 1 and axes[-1][1] != 1
    if axes[-1][1] != 1 and not aside:
        axes.append((1, 1))
    ahead = LEVELS - len(axes)
    counts = extents_table(f, [i64(n) if isinstance(n, int) else n for n, _ in axes], LEVELS)
    steps = numbers_table(f, [0] * ahead + [s for _, s in axes])
    args = [source, i64(wide), lines, counts, steps, panel, i64(columns)]
    call_library(f, f"fx_conv_{'lines' if aside else 'panel'}_{scalar}", args)


def emit_rows(
    f: Function, scalar: str, sums: Value, columns: int, count: Value, extents: Sequence[Value], steps: Sequence[int],
    y: Value, apart: int,
) -> None:  # fmt: skip
    """Sums (result, feature) to an array with `apart` elements from feature to feature, results in rows.

    The last of the steps must be 1.
    """
    table = numbers_table(f, [0] * (AXES - len(steps)) + list(steps))
    args = [sums, i64(columns), count, extents_table(f, extents, AXES), table, y, i64(apart)]
    call_library(f, f"fx_conv_rows_{scalar}", args)


def joined(
    axes: Sequence[tuple[int | Value, int]], f: Function | None = None
) -> list[tuple[int | Value, int]]:
    """(count, step) axes, inner ones as one with those around them where memory goes on; counts may be values."""
    found = list(axes)
    while len(found) > 1:
        (n, step), (m, inner) = found[-2:]
        length = m if isinstance(m, int) else int(m.text) if m.text[0] != "%" else 0
        if not length or step != inner * length:
            break
        found[-2:] = [(f.mul(n, i64(length)) if f else n * length, inner)]
    return found


# The functions


def _write(m: Module, scalar: str) -> None:
    for exact in (False, True):
        write_turn(m, scalar, exact)
    _write_panel(m, scalar)
    _write_lines(m, scalar)
    _write_rows(m, scalar)


def _write_panel(m: Module, scalar: str) -> None:
    f = _LIBRARIES[scalar].define(m, f"fx_conv_panel_{scalar}")
    source, wide, lines, counts, steps, panel, columns = f.args
    size, lanes = bits_of(scalar) // 8, host().vector_bytes * 8 // bits_of(scalar)
    *outer, run = entries(f, counts, LEVELS)
    apart = entries(f, steps, LEVELS)
    wide, row = f.mul(wide, i64(size)), f.mul(columns, i64(size))
    step = f.mul(run, row)

    def body(indices: list[Value], carry: list[Value]) -> list[Value]:
        start = f.gep(scalar, source, dot(f, indices, apart[:-1]))
        with f.loop(i64(0), lines, lanes) as loop:
            some = f.intrinsic("llvm.smin", f.sub(lines, loop.index), i64(lanes))
            place = f.gep("i8", start, f.mul(loop.index, wide))
            target = f.gep(scalar, carry[0], loop.index)
            f.call(turn_name(scalar, False), "void", [place, wide, some, run, target, row])
        return [f.gep("i8", carry[0], step)]

    counted(f, outer, [panel], body)
    f.ret()


def _write_lines(m: Module, scalar: str) -> None:
    """The panel of lines that lie side by side already."""
    f = _LIBRARIES[scalar].define(m, f"fx_conv_lines_{scalar}")
    source, _, lines, counts, steps, panel, columns = f.args
    lanes = host().vector_bytes * 8 // bits_of(scalar)
    kind, apart = vector(scalar, lanes), entries(f, steps, LEVELS)

    def body(indices: list[Value], carry: list[Value]) -> list[Value]:
        start = f.gep(scalar, source, dot(f, indices, apart))
        with f.loop(i64(0), lines, lanes) as loop:
            mask = first_lanes(f, f.sub(lines, loop.index), lanes)
            x = f.masked_load(kind, f.gep(scalar, start, loop.index), mask, const(kind, 0))
            f.store(x, f.gep(scalar, carry[0], loop.index))
        return [f.gep(scalar, carry[0], columns)]

    counted(f, entries(f, counts, LEVELS), [panel], body)
    f.ret()


def _write_rows(m: Module, scalar: str) -> None:
    f = _LIBRARIES[scalar].define(m, f"fx_conv_rows_{scalar}")
    sums, columns, count, counts, steps, y, apart = f.args
    size, lanes = bits_of(scalar) // 8, host().vector_bytes * 8 // bits_of(scalar)
    *outer, length = entries(f, counts, AXES)
    strides = entries(f, steps, AXES)
    row, apart = f.mul(columns, i64(size)), f.mul(apart, i64(size))

    def body(indices: list[Value], carry: list[Value]) -> list[Value]:
        start = f.gep(scalar, y, dot(f, indices, strides[:-1]))
        with f.loop(i64(0), length, lanes) as loop:
            lines = f.intrinsic("llvm.smin", f.sub(length, loop.index), i64(lanes))
            place = f.gep("i8", carry[0], f.mul(loop.index, row))
            f.call(
                turn_name(scalar, True),
                "void",
                [place, row, lines, count, f.gep(scalar, start, loop.index), apart],
            )
        return [f.gep("i8", carry[0], f.mul(length, row))]

    counted(f, outer, [sums], body)
    f.ret()


_LIBRARIES = {
    scalar: Library(
        {
            f"fx_conv_panel_{scalar}": Signature("void", ("ptr", "i64", "i64", "ptr", "ptr", "ptr", "i64")),
            f"fx_conv_lines_{scalar}": Signature("void", ("ptr", "i64", "i64", "ptr", "ptr", "ptr", "i64")),
            f"fx_conv_rows_{scalar}": Signature("void", ("ptr", "i64", "i64", "ptr", "ptr", "ptr", "i64")),
        },
        lambda m, scalar=scalar: _write(m, scalar),
    )
    for scalar in ("float", "double")
}
