"""Work split by shape alone over the threads of the pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..llvm import Function, Value, i64

GRAIN = 1 << 15
"""Elements, roughly, that are worth a task of their own: some ten microseconds."""

Work = Callable[[Function, list[Value], Value], None]


def parallel(f: Function, stem: str, values: Sequence[Value], count: int | Value, work: Work) -> None:
    """work(g, values, index) for every index in [0, count), in any order; `values` are scalars that it needs."""
    if count == 1:
        work(f, list(values), i64(0))
        return
    context = f.alloca("i64", max(1, len(values)))
    for place, value in enumerate(values):
        f.store(value, f.gep("i64", context, i64(place)))
    name = _unused(f, stem)
    g = f.module.function(name, "void", ["ptr", "i64"])
    loaded = [g.load(v.type, g.gep("i64", g.args[0], i64(place))) for place, v in enumerate(values)]
    work(g, loaded, g.args[1])
    g.ret()
    size = i64(count) if isinstance(count, int) else count
    f.call("fx_parallel", "void", [Value(f"@{name}", "ptr"), context, size])


def parallel_ranges(
    f: Function,
    stem: str,
    values: Sequence[Value],
    total: int,
    step: int,
    work: Callable[[Function, list[Value], Value, Value], None],
) -> None:
    """work(g, values, start, stop) for the pieces of [0, total) of `step` each, the last one shorter."""
    count = -(-total // step)

    def piece(g: Function, values: list[Value], index: Value) -> None:
        if count <= 1:
            work(g, values, i64(0), i64(total))
            return
        start = g.mul(index, i64(step))
        work(g, values, start, least(g, g.add(start, i64(step)), i64(total)))

    if count:
        parallel(f, stem, values, count, piece)


def least(f: Function, x: Value, y: Value) -> Value:
    """The smaller of two signed integers."""
    return f.intrinsic("llvm.smin", x, y)


def _unused(f: Function, stem: str) -> str:
    number = len(f.module.functions)
    while f"{stem}.{number}" in f.module.functions:
        number += 1
    return f"{stem}.{number}"
