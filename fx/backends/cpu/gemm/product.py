"""One matrix product of known shape and strides: the plan of its blocks, and the call of the library."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..engine import host
from ..llvm import NULL, Function, Module, Value, i64
from .axes import Axis
from .jobs import BATCH_AXES, PLAN, PRIVATE, SHARED
from .library import SUFFIX, ready
from .micro_kernel import PARAMS as KERNEL_PARAMS, kernel_name
from .packing import PARAMS as PACK_PARAMS, packer_name, way_of
from .tiles import Tile, tile
from .vectors import entry_name


class Product(NamedTuple):
    """c[batch, i, j] = sum over l of a[batch, i, l] * b[batch, l, j]; strides in elements, of c's columns 1."""

    scalar: str
    m: int
    n: int
    k: int
    a_row: int
    a_k: int
    b_k: int
    b_col: int
    c_row: int
    width: int
    """Columns of the matrix in whose rows and columns the epilogue is told its block."""
    batch: tuple[Axis, ...] = ()
    accumulate: bool = False

    @property
    def products(self) -> int:
        return int(np.prod([axis.size for axis in self.batch], dtype=np.int64))

    @property
    def flops(self) -> int:
        return 2 * self.m * self.n * self.k * self.products


class Hooks(NamedTuple):
    """Functions that the library calls while it works, with their contexts; see `blocking`."""

    epilogue: Value = NULL
    epilogue_context: Value = NULL
    pack_a: Value = NULL
    a_context: Value = NULL
    pack_b: Value = NULL
    b_context: Value = NULL


NO_HOOKS = Hooks()


def emit_product(
    f: Function, p: Product, a: Value, b: Value, c: Value, hooks: Hooks = NO_HOOKS, first: Value | None = None
) -> bool:
    """Call the library; whether the epilogue was called block by block.

    k is at least 1; at most BATCH_AXES batch axes. `first` is where the matrix of the epilogue starts.
    """
    ready(p.scalar)
    parts = parts_of(p, hooks)
    if parts == 1:
        _call(f, p, a, b, c, hooks, first)
    else:
        _in_parts(f, p, parts, a, b, c)
    return parts == 1


def _call(
    f: Function, p: Product, a: Value, b: Value, c: Value, hooks: Hooks = NO_HOOKS, first: Value | None = None
) -> None:
    if p.n == 1 and p.b_k != 1 and p.a_k == 1:
        p, a, b = p._replace(a_k=p.b_k, b_k=p.a_k, batch=tuple(map(swapped, p.batch))), b, a
    alone = is_vector(p, hooks)
    values = vector_plan(p) if alone else plan(p, hooks)
    names = (f"gemm_plan{i}" for i in itertools.count())
    name = next(n for n in names if n not in f.module.globals)
    record = f.module.data(name, np.array(PLAN.array(values), np.int64))
    kit = NULL if alone else emit_kit(f.module, kit_of(p, values, hooks))
    f.call(entry_of(p, alone), "void", [record, a, b, c, first or c, *hooks, kit])


def _in_parts(f: Function, p: Product, parts: int, a: Value, b: Value, c: Value) -> None:
    """Long sums cut into parts, which are products of a batch, and added up in a fixed tree."""
    depth, size = p.k // parts, p.m * p.n
    memory = f.call("fx_workspace_take", "ptr", [i64(parts * size * tile(p.scalar).bytes)])
    batch = (Axis(parts, depth * p.a_k, depth * p.b_k, size),)
    _call(f, p._replace(k=depth, c_row=p.n, batch=batch), a, b, memory)
    if rest := p.k - parts * depth:
        a, b = (f.gep(p.scalar, x, i64(parts * depth * step)) for x, step in ((a, p.a_k), (b, p.b_k)))
        _call(f, p._replace(k=rest, c_row=p.n, accumulate=True), a, b, memory)
    f.call(f"fx_sum_parts_{SUFFIX[p.scalar]}", "void", [memory, i64(parts), i64(size), c])
    f.call("fx_workspace_give", "void", [memory])


def entry_of(p: Product, alone: bool) -> str:
    """The function of the library that multiplies; `alone`: a vector and a matrix."""
    side = "columns" if p.b_k == 1 else "rows"
    return entry_name(side, SUFFIX[p.scalar]) if alone else f"fx_gemm_{SUFFIX[p.scalar]}"


def kit_of(p: Product, values: dict[str, int], hooks: Hooks = NO_HOOKS) -> list[str | None]:
    """The functions that a product uses, by their place in the kit: tasks and blocks are cut at whole tiles."""
    t, suffix = tile(p.scalar), SUFFIX[p.scalar]
    ways = {"a": way_of(p.a_row, p.a_k), "b": way_of(p.b_col, p.b_k)}
    packed = {"a": values["pack_a"] and hooks.pack_a is NULL, "b": values["pack_b"] and hooks.pack_b is NULL}
    packers = [packer_name(x, ways[x], suffix) if packed[x] else None for x in ways]
    heights = {min(p.m, t.rows), p.m % t.rows}
    widths = {-(-min(p.n, t.cols) // t.lanes), -(-(p.n % t.cols) // t.lanes)}
    return packers + [
        kernel_name(rows, count, suffix) if rows in heights and count in widths else None
        for count in range(1, t.vectors + 1)
        for rows in range(1, t.rows + 1)
    ]


def emit_kit(m: Module, names: Sequence[str | None]) -> Value:
    """A table of these functions; None where there is none."""
    present = [name for name in names if name]
    for name in present:
        m.declare(name, "void", PACK_PARAMS if "_pack_" in name else KERNEL_PARAMS)
    table = "gemm_kit_" + "_".join(name.removeprefix("fx_") for name in present)
    entries = ", ".join(f"ptr @{name}" if name else "ptr null" for name in names)
    m.globals.setdefault(table, f"@{table} = internal constant [{len(names)} x ptr] [{entries}]")
    return Value(f"@{table}", "ptr")


def swapped(axis: Axis) -> Axis:
    return Axis(axis.size, axis.b, axis.a, axis.c)


def is_vector(p: Product, hooks: Hooks) -> bool:
    """Whether it is a vector times a matrix with contiguous rows or columns."""
    return p.m == 1 and 1 in (p.b_k, p.b_col) and hooks.pack_a is NULL and hooks.pack_b is NULL


THREADED = 4_000_000
"""Floating-point operations from which a product is worth several threads."""
TASK, FULL_TASK = 1_000_000, 64_000_000
"""Operations that a task should have at least, and beyond which there are more tasks than a few."""
FEW_TASKS, MOST_TASKS = 16, 128
MOST_PARTS = 16
SHORTEST_PART = 256
"""Steps that a part of a sum should have at least."""
THREADED_BYTES, TASK_BYTES = 1 << 20, 256 << 10
"""The same thresholds for a vector times a matrix, which memory limits, in bytes of the matrix."""


def parts_of(p: Product, hooks: Hooks = NO_HOOKS) -> int:
    """Parts of a sum that is long while the result is small; a power of two."""
    t = tile(p.scalar)
    whole = p.products == 1 and not p.accumulate and (p.m == 1 or p.c_row == p.n) and hooks is NO_HOOKS
    if is_vector(p, hooks):
        work = p.n * p.k * t.bytes
        enough, busy = work >= THREADED_BYTES and p.n < 4 * _step(p, t), work // TASK_BYTES
    else:
        blocks = -(-p.m // t.rows) * -(-p.n // t.cols)
        enough, busy = p.flops >= THREADED and blocks < 16, p.flops // TASK
    most = min(MOST_PARTS, p.k // SHORTEST_PART, busy)
    return 1 << (most.bit_length() - 1) if whole and enough and most > 1 else 1


def vector_plan(p: Product) -> dict[str, int]:
    """The fields of the library's plan for a vector times a matrix."""
    t = tile(p.scalar)
    size, work = t.bytes, p.n * p.k * t.bytes
    tasks = min(FEW_TASKS, work * p.products // TASK_BYTES) if work * p.products >= THREADED_BYTES else 1
    batches = min(tasks, p.products)
    cols = _share(p.n, max(1, tasks // batches), _step(p, t))
    each = -(-p.products // batches)
    values = {
        "m": 1, "n": p.n, "k": p.k, "a_k": p.a_k * size, "b_k": p.b_k * size, "b_col": p.b_col * size,
        "beta": int(p.accumulate), "width": p.width * size, "task_cols": cols, "col_tasks": -(-p.n // cols),
        "batch": p.products, "task_batch": each, "batch_tasks": -(-p.products // each),
        "private_bytes": p.k * size if p.b_k == 1 and p.a_k != 1 else 0,
    }  # fmt: skip
    return values | _batch(p, size)


def _step(p: Product, t: Tile) -> int:
    """Columns that a task of a vector product has a multiple of."""
    return 8 if p.b_k == 1 else 16 * t.lanes


def plan(p: Product, hooks: Hooks = NO_HOOKS) -> dict[str, int]:
    """The fields of the library's plan."""
    t = tile(p.scalar)
    size = t.bytes
    pack_b, pack_a = _pack_b(p, t, hooks), _pack_a(p, t, hooks)
    kc = _even(p.k, t.kc, 8)
    nc = min(t.nc, _up(p.n, t.cols)) if pack_b == SHARED else _up(p.n, t.cols)
    rows, cols, batches = _grid(p, t, nc, pack_b == PRIVATE)
    task_rows, task_cols = _share(p.m, rows, t.rows), _share(nc, cols, t.cols)
    each = -(-p.products // batches)
    values = {
        "m": p.m, "n": p.n, "k": p.k, "a_row": p.a_row * size, "a_k": p.a_k * size, "b_col": p.b_col * size,
        "b_k": p.b_k * size, "c_row": p.c_row * size, "beta": int(p.accumulate), "width": p.width * size,
        "pack_a": pack_a, "pack_b": pack_b,
        "mc": _even(task_rows, t.mc, t.rows), "kc": kc, "nc": nc, "task_rows": task_rows, "task_cols": task_cols,
        "row_tasks": -(-p.m // task_rows), "col_tasks": -(-nc // task_cols), "batch": p.products,
        "task_batch": each, "batch_tasks": -(-p.products // each),
        "private_bytes": task_cols * kc * size if pack_b == PRIVATE else 0,
        "slab_bytes": nc * kc * size if pack_b == SHARED else 0,
    }  # fmt: skip
    return values | _batch(p, size)


def _batch(p: Product, size: int) -> dict[str, int]:
    values = {}
    axes = (*[Axis(1, 0, 0, 0)] * (BATCH_AXES - len(p.batch)), *p.batch)
    for i, axis in enumerate(axes):
        values |= {f"size{i}": axis.size}
        values |= {f"batch_{x}{i}": step * size for x, step in zip("abc", axis[1:], strict=True)}
    return values


def _pack_b(p: Product, t: Tile, hooks: Hooks) -> int:
    """Whether B is packed, and by whom."""
    aside = p.b_col != 1 or (not t.masks and p.n % t.lanes != 0) or hooks.pack_b is not NULL
    reuse = ALIASED_REUSE if p.b_k * t.bytes % 4096 == 0 else REUSE
    large = p.m > reuse * t.rows and p.k * p.n * t.bytes > host().l2 // 2
    if not (aside or large):
        return 0
    return SHARED if large or (p.flops >= THREADED and p.products == 1) else PRIVATE


REUSE, ALIASED_REUSE = 12, 7
"""Rows of tiles that read a large B before it pays to pack it; fewer where its rows displace each other in caches."""


def _pack_a(p: Product, t: Tile, hooks: Hooks) -> int:
    """A is packed where its rows would displace each other in the first cache, or where k is not contiguous."""
    if hooks.pack_a is not NULL:
        return 1
    far = p.a_k != 1 or p.a_row * t.bytes % 4096 == 0
    return int(far and p.n > 4 * t.cols and p.m * p.k * t.bytes > 128 << 10)


def _grid(p: Product, t: Tile, cols: int, private: bool) -> tuple[int, int, int]:
    """Tasks along rows, columns and batch; no rows where every task packs the columns of B that it needs."""
    if p.flops < THREADED:
        return 1, 1, 1
    wanted = max(min(FEW_TASKS, p.flops // TASK), min(MOST_TASKS, p.flops // FULL_TASK))
    if p.products >= wanted:
        return 1, 1, wanted
    wanted = -(-wanted // p.products)
    across = -(-cols // t.block)
    rows = 1 if private else max(1, min(-(-wanted // across), -(-p.m // t.rows)))
    if rows * across < wanted:
        across = max(across, min(-(-wanted // rows), -(-cols // t.cols)))
    return rows, across, p.products


def _share(n: int, parts: int, step: int) -> int:
    """The size of one of about `parts` equal parts, in whole steps."""
    return _up(-(-n // parts), step)


def _even(n: int, most: int, step: int) -> int:
    """Blocks of nearly equal size, at most `most`."""
    return min(most, _share(n, -(-n // most), step))


def _up(n: int, step: int) -> int:
    return -(-n // step) * step
