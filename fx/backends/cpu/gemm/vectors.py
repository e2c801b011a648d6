"""A vector times a matrix, at the speed of memory: c[j] = sum over l of a[l] * b[l, j].

Where columns of b are contiguous (l runs fastest), dot products of several columns at a time, as many streams as a
prefetcher follows; where rows are, sums of a stretch of columns in registers. The records are those of `blocking`,
with m = 1; a task has a range of columns, and the order of every sum is fixed by the shape.
"""

from __future__ import annotations

from collections.abc import Callable

from ..llvm import Function, Module, Value, const, i64, vector
from .jobs import GEMM_PARAMS, JOB, PLAN, batch_pointers, finish, least, parallel, private
from .tiles import Tile

STREAMS = 8
"""Columns of b that are read side by side."""
STRETCHES = (16, 4, 1)
"""Vectors of c that are held at once while rows go by."""
CHAINS = 8
"""Independent sums that keep the multipliers busy."""
AHEAD = 6
"""Rows that are fetched ahead: the hardware follows short pieces of far rows less well."""
PARAMS = ["i64", "i64", "ptr", "i64", "ptr", "i64", "i64", "ptr", "i64"]
"""k, columns, a, a_k, b, b_k, b_col, c, beta; steps in bytes."""


def vectors(m: Module, t: Tile, name: str, side: str) -> str:
    """The product for one scalar type and side of b that is contiguous: "rows" or "columns"."""
    task = _task(m, t, f"{name}_task", side)
    f = m.function(name, "void", GEMM_PARAMS, internal=False, attrs="nounwind")
    job = JOB.new(f)
    JOB.set(f, job, **dict(zip(JOB.place, f.args, strict=False)))
    plan = f.args[0]
    cols, batches, n, batch = PLAN.gets(f, plan, "col_tasks batch_tasks n batch")
    zero = i64(0)
    JOB.set(f, job, first_col=zero, cols=n, first_batch=zero, last_batch=batch)
    parallel(f, task, job, f.mul(cols, batches))
    f.ret()
    return name


def entry_name(side: str, suffix: str) -> str:
    return f"fx_gemv_{side}_{suffix}"


def _task(m: Module, t: Tile, name: str, side: str) -> str:
    write = {"rows": [_rows], "columns": [_columns, _dots]}[side]
    kernels = [kernel(m, t, f"{name}{kernel.__name__}") for kernel in write]
    f = m.function(name, "void", ["ptr", "i64"], attrs="nounwind")
    job, index = f.args
    plan = JOB.get(f, job, "plan", "ptr")
    n, k, a_k, b_k, b_col, beta = PLAN.gets(f, plan, "n k a_k b_k b_col beta")
    col_tasks, task_cols, task_batch = PLAN.gets(f, plan, "col_tasks task_cols task_batch")
    c0 = f.mul(f.urem(index, col_tasks), task_cols)
    c1 = least(f, n, f.add(c0, task_cols))
    first = f.mul(f.udiv(index, col_tasks), task_batch)
    last = least(f, JOB.get(f, job, "last_batch"), f.add(first, task_batch))
    with private(f, plan) as memory, f.loop(first, last) as loop:
        a, b, c = batch_pointers(f, job, plan, loop.index)
        b = f.gep("i8", b, f.mul(c0, b_col))
        here = f.gep("i8", c, f.mul(c0, i64(t.bytes)))
        size = f.sub(c1, c0)

        if side == "rows":
            f.call(kernels[0], "void", [k, size, a, a_k, b, b_k, b_col, here, beta])
        else:
            x = _gathered(f, t, k, a, a_k, memory)
            args = [k, size, x, i64(t.bytes), b, b_k, b_col, here, beta]
            few = f.icmp("slt", size, i64(STREAMS // 2))
            f.choose(few, lambda: _call(f, kernels[1], args), lambda: _call(f, kernels[0], args))
        finish(f, t, (job, plan), c, (i64(0), i64(1), c0, c1))
    f.ret()
    return name


def _call(f: Function, name: str, args: list[Value]) -> list[Value]:
    f.call(name, "void", args)
    return []


def _gathered(f: Function, t: Tile, k: Value, a: Value, a_k: Value, memory: Value) -> Value:
    """The vector itself, or a contiguous copy of it."""

    def copied() -> list[Value]:
        with f.loop(i64(0), k, trips=True) as loop:
            x = f.load(t.scalar, f.gep("i8", a, f.mul(loop.index, a_k)))
            f.store(x, f.gep(t.scalar, memory, loop.index))
        return [memory]

    return f.choose(f.icmp("eq", a_k, i64(t.bytes)), lambda: [a], copied)[0]


def _columns(m: Module, t: Tile, name: str) -> str:
    """Contiguous columns: a vector of partial sums for each of some columns."""
    f = m.function(name, "void", PARAMS, attrs="nounwind")
    k, cols, a, _, b, _, b_col, c, beta = f.args
    whole = f.and_(k, i64(-t.lanes))
    mask = f.tail_mask(f.sub(k, whole), t.lanes)
    ragged = f.icmp("slt", whole, k)
    zero = const(t.vector, 0)
    with f.loop(i64(0), cols, STREAMS) as loop:
        last = f.sub(f.sub(cols, loop.index), i64(1))
        start = f.gep("i8", b, f.mul(loop.index, b_col))
        streams = [f.gep("i8", start, f.mul(least(f, i64(s), last), b_col)) for s in range(STREAMS)]

        def step(at: Value, sums: list[Value], read: Callable[[Value], Value]) -> list[Value]:
            x = read(f.gep(t.scalar, a, at))
            return [f.fma(x, read(f.gep(t.scalar, p, at)), s) for p, s in zip(streams, sums, strict=True)]

        with f.loop(i64(0), whole, t.lanes, carry=[zero] * STREAMS) as steps:
            steps.next(*step(steps.index, steps.carry, lambda p: f.load(t.vector, p)))
        sums = f.choose(
            ragged,
            lambda: step(whole, steps.results, lambda p: f.masked_load(t.vector, p, mask, zero)),
            lambda: steps.results,
        )
        result = const(vector(t.scalar, STREAMS), 0)
        for s, x in enumerate(sums):
            result = f.insert(result, f.fold(f.fadd, x), s)
        _put(f, result, f.gep(t.scalar, c, loop.index), f.tail_mask(f.sub(cols, loop.index), STREAMS), beta)
    f.ret()
    return name


def _put(f: Function, x: Value, c: Value, mask: Value, beta: Value) -> None:
    zero = const(x.type, 0)
    [old] = f.choose(
        f.icmp("ne", beta, i64(0)), lambda: [f.masked_load(x.type, c, mask, zero)], lambda: [zero]
    )
    f.masked_store(f.fadd(x, old), c, mask)


def _dots(m: Module, t: Tile, name: str) -> str:
    """Few contiguous columns: one after the other, each in several partial sums."""
    f = m.function(name, "void", PARAMS, attrs="nounwind")
    k, cols, a, _, b, _, b_col, c, beta = f.args
    many = STREAMS * t.lanes
    whole = f.and_(k, i64(-many))
    zero = const(t.vector, 0)
    with f.loop(i64(0), cols) as loop:
        p = f.gep("i8", b, f.mul(loop.index, b_col))

        def product(at: Value, sum: Value, mask: Value | None = None) -> Value:
            x, y = (
                f.load(t.vector, q) if mask is None else f.masked_load(t.vector, q, mask, zero)
                for q in (f.gep(t.scalar, a, at), f.gep(t.scalar, p, at))
            )
            return f.fma(x, y, sum)

        with f.loop(i64(0), whole, many, carry=[zero] * STREAMS) as steps:
            places = [f.add(steps.index, i64(s * t.lanes)) for s in range(STREAMS)]
            steps.next(*[product(at, s) for at, s in zip(places, steps.carry, strict=True)])
        with f.loop(whole, k, t.lanes, carry=[zero]) as rest:
            mask = f.tail_mask(f.sub(k, rest.index), t.lanes)
            rest.next(product(rest.index, rest.carry[0], mask))
        sums = [*steps.results, rest.results[0]]
        total = f.fadd(_tree(f, sums[:-1]), sums[-1])
        one = f.insert(const(vector(t.scalar, 2), 0), f.fold(f.fadd, total), 0)
        _put(f, one, f.gep(t.scalar, c, loop.index), f.tail_mask(i64(1), 2), beta)
    f.ret()
    return name


def _tree(f: Function, values: list[Value]) -> Value:
    while len(values) > 1:
        values = [f.fadd(x, y) for x, y in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def _rows(m: Module, t: Tile, name: str) -> str:
    """Contiguous rows: a stretch of c in registers, while the rows go by."""
    f = m.function(name, "void", PARAMS, attrs="nounwind")
    k, cols, a, a_k, b, b_k, _, c, beta = f.args
    ahead = f.mul(b_k, i64(AHEAD))

    def stretch(first: Value, stop: Value, count: int) -> Value:
        whole = f.and_(f.sub(stop, first), i64(-count * t.lanes))
        end = f.add(first, whole)
        with f.loop(first, end, count * t.lanes) as loop:
            start = f.gep(t.scalar, b, loop.index)
            sums = _down(f, t, (k, a, a_k, start, b_k), count, ahead if count == STRETCHES[0] else None)
            _store_row(f, t, sums, f.gep(t.scalar, c, loop.index), beta, None)
        return end

    first = i64(0)
    for count in STRETCHES:
        first = stretch(first, cols, count)
    with f.when(f.icmp("slt", first, cols)):
        mask = f.tail_mask(f.sub(cols, first), t.lanes)
        sums = _down(f, t, (k, a, a_k, f.gep(t.scalar, b, first), b_k), 1, None, mask)
        _store_row(f, t, sums, f.gep(t.scalar, c, first), beta, mask)
    f.ret()
    return name


def _down(
    f: Function,
    t: Tile,
    given: tuple[Value, ...],
    count: int,
    ahead: Value | None,
    mask: Value | None = None,
) -> list[Value]:
    """The sums of `count` vectors of columns over all rows; narrow ones in several chains of rows."""
    k, a, a_k, b, b_k = given
    chains, zero = max(1, CHAINS // count), const(t.vector, 0)

    def row(at: Value, sums: list[Value]) -> list[Value]:
        p = f.gep("i8", b, f.mul(at, b_k))
        x = f.splat(f.load(t.scalar, f.gep("i8", a, f.mul(at, a_k))), t.lanes)
        places = [f.gep("i8", p, i64(v * t.lanes * t.bytes)) for v in range(count)]
        if ahead is not None:
            for place in places:
                f.prefetch(f.gep("i8", place, ahead))
        values = [
            f.load(t.vector, q) if mask is None else f.masked_load(t.vector, q, mask, zero) for q in places
        ]
        return [f.fma(x, y, s) for y, s in zip(values, sums, strict=True)]

    whole = f.and_(k, i64(-chains))
    with f.loop(i64(0), whole, chains, carry=[zero] * (chains * count)) as loop:
        parts = [loop.carry[i * count : (i + 1) * count] for i in range(chains)]
        parts = [row(f.add(loop.index, i64(i)), part) for i, part in enumerate(parts)]
        loop.next(*[x for part in parts for x in part])
    parts = [loop.results[i * count : (i + 1) * count] for i in range(chains)]
    sums = [_tree(f, list(values)) for values in zip(*parts, strict=True)]
    if chains == 1:
        return sums
    with f.loop(whole, k, carry=sums) as rest:
        rest.next(*row(rest.index, rest.carry))
    return rest.results


def _store_row(f: Function, t: Tile, sums: list[Value], c: Value, beta: Value, mask: Value | None) -> None:
    places = [f.gep("i8", c, i64(v * t.lanes * t.bytes)) for v in range(len(sums))]
    zero = const(t.vector, 0)

    def old() -> list[Value]:
        return [
            f.load(t.vector, p) if mask is None else f.masked_load(t.vector, p, mask, zero) for p in places
        ]

    before = f.choose(f.icmp("ne", beta, i64(0)), old, lambda: [zero] * len(sums))
    for x, y, p in zip(sums, before, places, strict=True):
        if mask is None:
            f.store(f.fadd(x, y), p)
        else:
            f.masked_store(f.fadd(x, y), p, mask)
