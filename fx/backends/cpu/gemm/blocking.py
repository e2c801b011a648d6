"""The blocked product: which blocks of A, B and C are multiplied when, and by which thread.

    gemm(plan, a, b, c, origin, epilogue, epilogue_context, pack_a, a_context, pack_b, b_context)

C is cut into tasks by the plan alone, so the result has the same bits whatever the number of threads. In a task the
steps of k go in blocks of kc in ascending order; B is read where it lies, packed by the task, or packed by all tasks
together before (a slab of kc by nc); A is read where it lies or packed in blocks of mc by kc.

    epilogue(context, row0, row1, col0, col1)      after the last step of k of that block; rows and columns are those
                                                   of the matrix that starts at `origin`, `width` bytes a row
    pack(context, r0, r1, k0, k1, destination)     in place of reading A or B; layout in `packing`
"""

from __future__ import annotations

from collections.abc import Callable

from ..llvm import NULL, Function, Module, Value, i64
from .micro_kernel import micro_kernels
from .packing import packer
from .record import Record, batch_fields
from .tiles import Tile

BATCH_AXES = 3
PRIVATE, SHARED = 1, 2

PLAN = Record(
    "m", "n", "k", "a_row", "a_k", "b_col", "b_k", "c_row", "beta", "width",
    "pack_a", "pack_b", "mc", "kc", "nc", "task_rows", "task_cols", "row_tasks", "col_tasks",
    "batch", "task_batch", "batch_tasks", "private_bytes", "slab_bytes", *batch_fields(BATCH_AXES),
)  # fmt: skip
"""What is known from shapes and strides. Steps and sizes of memory in bytes; sizes of blocks in elements."""

JOB = Record(
    "plan", "a", "b", "c", "origin", "epilogue", "epilogue_context", "pack_a", "a_context", "pack_b", "b_context",
    "slab", "first_col", "cols", "k0", "k1", "first_batch", "last_batch",
)  # fmt: skip
"""What the tasks of one parallel step share."""

GEMM_PARAMS = ["ptr"] * 11


def gemm(m: Module, t: Tile, suffix: str) -> str:
    """The product for one scalar type: `fx_gemm_<suffix>`."""
    kernels = micro_kernels(m, t, f"micro_{suffix}")
    pack_a = packer(m, t, f"fx_pack_a_{suffix}", t.rows)
    pack_b = packer(m, t, f"fx_pack_b_{suffix}", t.cols)
    block = _block(m, t, f"block_{suffix}", kernels)
    task = _task(m, t, f"task_{suffix}", block, pack_a, pack_b)
    pack_task = _pack_task(m, t, f"pack_task_{suffix}", pack_b)
    return _entry(m, t, f"fx_gemm_{suffix}", task, pack_task)


def _block(m: Module, t: Tile, name: str, kernels: str) -> str:
    """A block of C, tile by tile: along the rows, so that a panel of A stays in the first cache and B in the second."""
    f = m.function(
        name, "void",
        ["i64", "i64", "i64", "ptr", "i64", "i64", "i64", "ptr", "i64", "i64", "ptr", "i64", "i64"], attrs="nounwind",
    )  # fmt: skip
    rows, cols, k, a, a_panel, a_row, a_k, b, b_panel, b_k, c, c_row, beta = f.args
    c_panel = f.mul(c_row, i64(t.rows))
    table = Value(f"@{kernels}", "ptr")
    with f.loop(i64(0), rows, t.rows, carry=[a, c]) as down:
        a, c = down.carry
        high = least(f, f.sub(rows, down.index), i64(t.rows))
        column = f.gep("ptr", table, f.sub(high, i64(1)))
        with f.loop(i64(0), cols, t.cols, carry=[b, c]) as across:
            b, c = across.carry
            here = least(f, f.sub(cols, across.index), i64(t.cols))
            vectors = f.udiv(f.sub(here, i64(1)), i64(t.lanes))
            kernel = f.load("ptr", f.gep("ptr", column, f.mul(vectors, i64(t.rows))))
            f.call_pointer(kernel, "void", [k, a, a_row, a_k, b, b_k, c, c_row, here, beta])
            across.next(f.gep("i8", b, b_panel), f.gep("i8", c, i64(t.cols * t.bytes)))
        down.next(f.gep("i8", a, a_panel), f.gep("i8", down.carry[1], c_panel))
    f.ret()
    return name


def _task(m: Module, t: Tile, name: str, block: str, pack_a: str, pack_b: str) -> str:
    """One task: a range of rows and columns of some products of the batch."""
    f = m.function(name, "void", ["ptr", "i64"], attrs="nounwind")
    job, index = f.args
    plan = JOB.get(f, job, "plan", "ptr")
    row_tasks, col_tasks, task_rows, task_cols, task_batch = PLAN.gets(
        f, plan, "row_tasks col_tasks task_rows task_cols task_batch"
    )
    across, rest = f.urem(index, col_tasks), f.udiv(index, col_tasks)
    down, batch = f.urem(rest, row_tasks), f.udiv(rest, row_tasks)
    r0, c0 = f.mul(down, task_rows), f.mul(across, task_cols)
    r1 = least(f, PLAN.get(f, plan, "m"), f.add(r0, task_rows))
    c1 = least(f, JOB.get(f, job, "cols"), f.add(c0, task_cols))
    first = f.add(JOB.get(f, job, "first_batch"), f.mul(batch, task_batch))
    last = least(f, JOB.get(f, job, "last_batch"), f.add(first, task_batch))
    range_of_c = (r0, r1, c0, c1)
    some = f.and_(f.icmp("slt", r0, r1), f.icmp("slt", c0, c1))
    with f.when(some), private(f, plan) as memory, f.loop(first, last) as loop:
        _product(f, t, (job, plan), loop.index, range_of_c, memory, (block, pack_a, pack_b))
    f.ret()
    return name


class private:
    """The task's own memory for packed blocks: A's on the stack, where it stays in the core's cache."""

    def __init__(self, f: Function, plan: Value):
        self.f, self.plan = f, plan

    def __enter__(self) -> Value:
        f = self.f
        self.bytes = PLAN.get(f, self.plan, "private_bytes")
        self.needed = f.icmp("ne", self.bytes, i64(0))
        [self.memory] = f.choose(
            self.needed, lambda: [f.call("fx_workspace_take", "ptr", [self.bytes])], lambda: [NULL]
        )
        return self.memory

    def __exit__(self, *error: object) -> None:
        with self.f.when(self.needed):
            self.f.call("fx_workspace_give", "void", [self.memory])


def _product(
    f: Function,
    t: Tile,
    records: tuple[Value, Value],
    batch: Value,
    within: tuple[Value, Value, Value, Value],
    memory: Value,
    names: tuple[str, str, str],
) -> None:
    """A block of C of one product of the batch, over all steps of k that the job has."""
    job, plan = records
    r0, r1, c0, c1 = within
    block, pack_a, pack_b = names
    k, a_row, a_k, b_col, b_k, c_row, mc, kc, beta = PLAN.gets(
        f, plan, "k a_row a_k b_col b_k c_row mc kc beta"
    )
    a, b, c = batch_pointers(f, job, plan, batch)
    first_col = JOB.get(f, job, "first_col")
    low, high = f.add(first_col, c0), f.add(first_col, c1)
    width = f.sub(c1, c0)
    a_memory = f.alloca("i8", _a_bytes(t))
    with f.loop(JOB.get(f, job, "k0"), JOB.get(f, job, "k1"), kc) as steps:
        k0 = steps.index
        k1 = least(f, JOB.get(f, job, "k1"), f.add(k0, kc))
        depth = f.sub(k1, k0)
        here_beta = f.or_(beta, k0)
        b_block = _b_block(f, t, records, (b, b_col, b_k), (low, high, c0, k0, k1), memory, pack_b)
        with f.loop(r0, r1, mc) as down:
            row, end = down.index, least(f, r1, f.add(down.index, mc))
            a_block = _a_block(f, t, records, (a, a_row, a_k), (row, end, k0, k1), a_memory, pack_a)
            place = f.gep("i8", f.gep("i8", c, f.mul(row, c_row)), f.mul(low, i64(t.bytes)))
            f.call(
                block, "void", [f.sub(end, row), width, depth, *a_block, *b_block, place, c_row, here_beta]
            )
            with f.when(f.icmp("eq", k1, k)):
                finish(f, t, records, c, (row, end, low, high))


def finish(f: Function, t: Tile, records: tuple[Value, Value], c: Value, block: tuple[Value, ...]) -> None:
    """The caller's epilogue on a block of the product at `c`, in rows and columns of the whole result."""
    job, plan = records
    epilogue, context, origin = (
        JOB.get(f, job, x, "ptr") for x in ("epilogue", "epilogue_context", "origin")
    )
    with f.when(f.icmp("ne", epilogue, NULL)):
        distance = f.sub(f.cast("ptrtoint", c, "i64"), f.cast("ptrtoint", origin, "i64"))
        width = PLAN.get(f, plan, "width")
        down, across = f.udiv(distance, width), f.udiv(f.urem(distance, width), i64(t.bytes))
        row, end, low, high = block
        bounds = [f.add(down, row), f.add(down, end), f.add(across, low), f.add(across, high)]
        f.call_pointer(epilogue, "void", [context, *bounds])


def _a_bytes(t: Tile) -> int:
    return t.mc * t.kc * t.bytes + t.lanes * t.bytes


def batch_pointers(f: Function, job: Value, plan: Value, index: Value) -> list[Value]:
    """a, b and c of product `index`; the last batch axis runs fastest."""
    pointers = [JOB.get(f, job, name, "ptr") for name in "abc"]
    for axis in reversed(range(BATCH_AXES)):
        size, *steps = PLAN.gets(f, plan, f"size{axis} batch_a{axis} batch_b{axis} batch_c{axis}")
        at, index = f.urem(index, size), f.udiv(index, size)
        pointers = [f.gep("i8", p, f.mul(at, s)) for p, s in zip(pointers, steps, strict=True)]
    return pointers


def _a_block(
    f: Function,
    t: Tile,
    records: tuple[Value, Value],
    a: tuple[Value, Value, Value],
    within: tuple[Value, Value, Value, Value],
    memory: Value,
    pack: str,
) -> list[Value]:
    """Where a block of A is, and its steps: address, panel, row, k."""
    job, plan = records
    pointer, a_row, a_k = a
    row, end, k0, k1 = within
    place = f.gep("i8", f.gep("i8", pointer, f.mul(row, a_row)), f.mul(k0, a_k))

    def packed() -> list[Value]:
        args = [place, a_row, a_k, f.sub(end, row), f.sub(k1, k0), memory]
        hook = JOB.get(f, job, "pack_a", "ptr"), JOB.get(f, job, "a_context", "ptr")
        _pack(f, pack, args, hook, (row, end, k0, k1, memory))
        panel = f.mul(f.sub(k1, k0), i64(t.rows * t.bytes))
        return [memory, panel, i64(t.bytes), i64(t.rows * t.bytes)]

    def there() -> list[Value]:
        return [place, f.mul(a_row, i64(t.rows)), a_row, a_k]

    return f.choose(f.icmp("ne", PLAN.get(f, plan, "pack_a"), i64(0)), packed, there)


def _b_block(
    f: Function,
    t: Tile,
    records: tuple[Value, Value],
    b: tuple[Value, Value, Value],
    within: tuple[Value, Value, Value, Value, Value],
    memory: Value,
    pack: str,
) -> list[Value]:
    """Where a block of B is, and its steps: address, panel, k."""
    job, plan = records
    pointer, b_col, b_k = b
    low, high, c0, k0, k1 = within
    depth = f.sub(k1, k0)
    panel, row = f.mul(depth, i64(t.cols * t.bytes)), i64(t.cols * t.bytes)

    def there() -> list[Value]:
        return [_b_place(f, b, low, k0), row, b_k]

    def packed() -> list[Value]:
        args = [_b_place(f, b, low, k0), b_col, b_k, f.sub(high, low), depth, memory]
        hook = JOB.get(f, job, "pack_b", "ptr"), JOB.get(f, job, "b_context", "ptr")
        _pack(f, pack, args, hook, (low, high, k0, k1, memory))
        return [memory, panel, row]

    def shared() -> list[Value]:
        slab = JOB.get(f, job, "slab", "ptr")
        return [f.gep("i8", slab, f.mul(f.udiv(c0, i64(t.cols)), panel)), panel, row]

    mode = PLAN.get(f, plan, "pack_b")
    return f.choose(
        f.icmp("eq", mode, i64(0)),
        there,
        lambda: f.choose(f.icmp("eq", mode, i64(SHARED)), shared, packed),
    )


def _b_place(f: Function, b: tuple[Value, Value, Value], col: Value, k: Value) -> Value:
    pointer, b_col, b_k = b
    return f.gep("i8", f.gep("i8", pointer, f.mul(col, b_col)), f.mul(k, b_k))


def _pack(
    f: Function, pack: str, args: list[Value], hook: tuple[Value, Value], block: tuple[Value, ...]
) -> None:
    """By the caller's function, where there is one."""
    target, context = hook
    ours: Callable[[], list[Value]] = lambda: _nothing(f.call(pack, "void", args))
    theirs: Callable[[], list[Value]] = lambda: _nothing(f.call_pointer(target, "void", [context, *block]))
    f.choose(f.icmp("eq", target, NULL), ours, theirs)


def _nothing(_: Value) -> list[Value]:
    return []


def _pack_task(m: Module, t: Tile, name: str, pack_b: str) -> str:
    """A part of the shared slab: as many columns as a task of the product has."""
    f = m.function(name, "void", ["ptr", "i64"], attrs="nounwind")
    job, index = f.args
    plan = JOB.get(f, job, "plan", "ptr")
    _, b, _ = batch_pointers(f, job, plan, JOB.get(f, job, "first_batch"))
    c0 = f.mul(index, i64(t.cols * PACK_PANELS))
    c1 = least(f, JOB.get(f, job, "cols"), f.add(c0, i64(t.cols * PACK_PANELS)))
    k0, k1 = JOB.gets(f, job, "k0 k1")
    depth = f.sub(k1, k0)
    first = JOB.get(f, job, "first_col")
    low, high = f.add(first, c0), f.add(first, c1)
    to = f.gep("i8", JOB.get(f, job, "slab", "ptr"), f.mul(f.mul(c0, depth), i64(t.bytes)))
    b_col, b_k = PLAN.gets(f, plan, "b_col b_k")
    args = [_b_place(f, (b, b_col, b_k), low, k0), b_col, b_k, f.sub(c1, c0), depth, to]
    hook = JOB.get(f, job, "pack_b", "ptr"), JOB.get(f, job, "b_context", "ptr")
    _pack(f, pack_b, args, hook, (low, high, k0, k1, to))
    f.ret()
    return name


PACK_PANELS = 4
"""Panels of B that one packing task copies."""


def _entry(m: Module, t: Tile, name: str, task: str, pack_task: str) -> str:
    f = m.function(name, "void", GEMM_PARAMS, internal=False, attrs="nounwind")
    plan = f.args[0]
    job = JOB.new(f)
    given = "plan a b c origin epilogue epilogue_context pack_a a_context pack_b b_context".split()
    JOB.set(f, job, **dict(zip(given, f.args, strict=True)))
    n, k, batch, mode = PLAN.gets(f, plan, "n k batch pack_b")
    zero = i64(0)
    JOB.set(f, job, first_col=zero, cols=n, k0=zero, k1=k, first_batch=zero, last_batch=batch)

    def together() -> list[Value]:
        _slabs(f, t, job, plan, task, pack_task)
        return []

    def apart() -> list[Value]:
        rows, cols, batches = PLAN.gets(f, plan, "row_tasks col_tasks batch_tasks")
        parallel(f, task, job, f.mul(batches, f.mul(rows, cols)))
        return []

    f.choose(f.icmp("eq", mode, i64(SHARED)), together, apart)
    f.ret()
    return name


def _slabs(f: Function, t: Tile, job: Value, plan: Value, task: str, pack_task: str) -> None:
    """B slab by slab: packed by all, then used by all."""
    n, k, kc, nc, rows, cols, batch = PLAN.gets(f, plan, "n k kc nc row_tasks col_tasks batch")
    slab = f.call("fx_workspace_take", "ptr", [PLAN.get(f, plan, "slab_bytes")])
    JOB.set(f, job, slab=slab)
    with f.loop(i64(0), batch) as products:
        JOB.set(f, job, first_batch=products.index, last_batch=f.add(products.index, i64(1)))
        with f.loop(i64(0), n, nc) as across:
            width = least(f, nc, f.sub(n, across.index))
            JOB.set(f, job, first_col=across.index, cols=width)
            with f.loop(i64(0), k, kc) as steps:
                JOB.set(f, job, k0=steps.index, k1=least(f, k, f.add(steps.index, kc)))
                parts = f.udiv(f.add(width, i64(t.cols * PACK_PANELS - 1)), i64(t.cols * PACK_PANELS))
                parallel(f, pack_task, job, parts)
                parallel(f, task, job, f.mul(rows, cols))
    f.call("fx_workspace_give", "void", [slab])


def parallel(f: Function, body: str, job: Value, count: Value) -> None:
    f.call("fx_parallel", "void", [Value(f"@{body}", "ptr"), job, count])


def least(f: Function, x: Value, y: Value) -> Value:
    return f.intrinsic("llvm.smin", x, y)
