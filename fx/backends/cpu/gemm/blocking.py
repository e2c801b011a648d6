"""The blocked product: which blocks of A, B and C are multiplied when, and by which thread.

    gemm(plan, a, b, c, origin, epilogue, epilogue_context, pack_a, a_context, pack_b, b_context, kit)

C is cut into tasks by the plan alone, so the result has the same bits whatever the number of threads. In a task the
steps of k go in blocks of kc in ascending order; B is read where it lies, packed by the task, or packed by all tasks
together before (a slab of kc by nc); A is read where it lies or packed in blocks of mc by kc.

    epilogue(context, row0, row1, col0, col1)      after the last step of k of that block; rows and columns are those
                                                   of the matrix that starts at `origin`, `width` bytes a row
    pack(context, r0, r1, k0, k1, destination)     in place of reading A or B; layout in `packing`

The kit has the addresses of the packers and of the kernels, as far as the plan needs them.
"""

from __future__ import annotations

from ..llvm import Function, Module, Value, i64
from .jobs import GEMM_PARAMS, JOB, KIT, PLAN, SHARED, least, parallel
from .tasks import PACK_PANELS, pack_task, product_task
from .tiles import Tile


def gemm(m: Module, t: Tile, suffix: str) -> str:
    """The product for one scalar type: `fx_gemm_<suffix>`."""
    task = product_task(m, t, f"task_{suffix}", _block(m, t, f"block_{suffix}"))
    return _entry(m, t, f"fx_gemm_{suffix}", task, pack_task(m, t, f"pack_task_{suffix}"))


def _entry(m: Module, t: Tile, name: str, task: str, pack_task: str) -> str:
    f = m.function(name, "void", GEMM_PARAMS, internal=False, attrs="nounwind")
    plan = f.args[0]
    job = JOB.new(f)
    JOB.set(f, job, **dict(zip(JOB.place, f.args, strict=False)))
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


def _block(m: Module, t: Tile, name: str) -> str:
    """A block of C, tile by tile: along the rows, so that a panel of A stays in the first cache and B in the second."""
    f = m.function(
        name, "void",
        ["i64", "i64", "i64", "ptr", "i64", "i64", "i64", "ptr", "i64", "i64", "ptr", "i64", "i64", "ptr"],
        attrs="nounwind",
    )  # fmt: skip
    rows, cols, k, a, a_panel, a_row, a_k, b, b_panel, b_k, c, c_row, beta, kit = f.args
    c_panel = f.mul(c_row, i64(t.rows))
    table = f.gep("ptr", kit, i64(len(KIT)))
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
