"""What the functions of the library tell each other: plans and jobs, and what every task does with them."""

from __future__ import annotations

from ..llvm import NULL, Function, Value, i64
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
    "kit", "slab", "first_col", "cols", "k0", "k1", "first_batch", "last_batch",
)  # fmt: skip
"""What the tasks of one parallel step share."""

KIT = ("pack_a", "pack_b")
"""Where the packers stand in a kit; kernels follow, by vectors, then by rows."""

GEMM_PARAMS = ["ptr"] * 12


class private:
    """Memory of one task, as much as the plan says."""

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


def batch_pointers(f: Function, job: Value, plan: Value, index: Value) -> list[Value]:
    """a, b and c of product `index`; the last batch axis runs fastest."""
    pointers = [JOB.get(f, job, name, "ptr") for name in "abc"]
    for axis in reversed(range(BATCH_AXES)):
        size, *steps = PLAN.gets(f, plan, f"size{axis} batch_a{axis} batch_b{axis} batch_c{axis}")
        at, index = f.urem(index, size), f.udiv(index, size)
        pointers = [f.gep("i8", p, f.mul(at, s)) for p, s in zip(pointers, steps, strict=True)]
    return pointers


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


def parallel(f: Function, body: str, job: Value, count: Value) -> None:
    f.call("fx_parallel", "void", [Value(f"@{body}", "ptr"), job, count])


def least(f: Function, x: Value, y: Value) -> Value:
    return f.intrinsic("llvm.smin", x, y)
