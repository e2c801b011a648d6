"""The tasks of a product: a range of rows and columns of C, or a part of the slab of B that all of them read."""

from __future__ import annotations

from typing import NamedTuple

from ..llvm import NULL, Module, Value, i64
from .jobs import JOB, KIT, PLAN, SHARED, batch_pointers, finish, least, private
from .tiles import Tile

PACK_PANELS = 4
"""Panels of B that one packing task copies."""


class Range(NamedTuple):
    """A range of rows, columns or steps."""

    start: Value
    stop: Value


class _Task:
    """A task being written."""

    def __init__(self, m: Module, t: Tile, name: str):
        f = self.f = m.function(name, "void", ["ptr", "i64"], attrs="nounwind")
        self.t = t
        self.job, self.index = f.args
        self.plan = JOB.get(f, self.job, "plan", "ptr")
        self.a_row, self.a_k, self.b_col, self.b_k = PLAN.gets(f, self.plan, "a_row a_k b_col b_k")

    def pack(self, args: list[Value], block: tuple[Value, ...], operand: str) -> None:
        """A block of an operand, packed by the caller's function, where there is one, or by that of the kit."""
        f = self.f
        hook, context = (JOB.get(f, self.job, x, "ptr") for x in (f"pack_{operand}", f"{operand}_context"))

        def ours() -> list[Value]:
            packers = JOB.get(f, self.job, "kit", "ptr")
            place = f.gep("ptr", packers, i64(KIT.index(f"pack_{operand}")))
            f.call_pointer(f.load("ptr", place), "void", args)
            return []

        def theirs() -> list[Value]:
            f.call_pointer(hook, "void", [context, *block])
            return []

        f.choose(f.icmp("eq", hook, NULL), ours, theirs)

    def pack_b(self, b: Value, cols: Range, steps: Range, to: Value) -> None:
        count, depth = (self.f.sub(x.stop, x.start) for x in (cols, steps))
        args = [self.b_place(b, cols.start, steps.start), self.b_col, self.b_k, count, depth, to]
        self.pack(args, (*cols, *steps, to), "b")

    def b_place(self, b: Value, col: Value, step: Value) -> Value:
        return self.f.gep("i8", self.f.gep("i8", b, self.f.mul(col, self.b_col)), self.f.mul(step, self.b_k))


class _ProductTask(_Task):
    """A range of rows and columns of some products of the batch."""

    def __init__(self, m: Module, t: Tile, name: str, block: str):
        super().__init__(m, t, name)
        self.block = block

    def emit(self) -> None:
        f, plan = self.f, self.plan
        row_tasks, col_tasks, task_rows, task_cols, task_batch = PLAN.gets(
            f, plan, "row_tasks col_tasks task_rows task_cols task_batch"
        )
        across, rest = f.urem(self.index, col_tasks), f.udiv(self.index, col_tasks)
        down, batch = f.urem(rest, row_tasks), f.udiv(rest, row_tasks)
        rows = self._part(down, task_rows, PLAN.get(f, plan, "m"))
        cols = self._part(across, task_cols, JOB.get(f, self.job, "cols"))
        first = f.add(JOB.get(f, self.job, "first_batch"), f.mul(batch, task_batch))
        last = least(f, JOB.get(f, self.job, "last_batch"), f.add(first, task_batch))
        some = f.and_(f.icmp("slt", *rows), f.icmp("slt", *cols))
        self.a_memory = f.alloca("i8", (self.t.mc * self.t.kc + self.t.lanes) * self.t.bytes)
        with f.when(some), private(f, plan) as self.b_memory, f.loop(first, last) as loop:
            self._product(loop.index, rows, cols)
        f.ret()

    def _part(self, index: Value, size: Value, stop: Value) -> Range:
        start = self.f.mul(index, size)
        return Range(start, least(self.f, stop, self.f.add(start, size)))

    def _product(self, batch: Value, rows: Range, cols: Range) -> None:
        """One product of the batch, over all steps of k that the job has."""
        f, job = self.f, self.job
        k, c_row, mc, kc, beta = PLAN.gets(f, self.plan, "k c_row mc kc beta")
        a, b, c = batch_pointers(f, job, self.plan, batch)
        first = JOB.get(f, job, "first_col")
        whole = Range(f.add(first, cols.start), f.add(first, cols.stop))
        k0, k1 = JOB.gets(f, job, "k0 k1")
        with f.loop(k0, k1, kc) as steps:
            step = Range(steps.index, least(f, k1, f.add(steps.index, kc)))
            b_block = self._b_block(b, whole, cols.start, step)
            with f.loop(rows.start, rows.stop, mc) as down:
                row = Range(down.index, least(f, rows.stop, f.add(down.index, mc)))
                a_block = self._a_block(a, row, step)
                place = f.gep(
                    "i8", f.gep("i8", c, f.mul(row.start, c_row)), f.mul(whole.start, i64(self.t.bytes))
                )
                sizes = [f.sub(x.stop, x.start) for x in (row, whole, step)]
                add = f.or_(beta, step.start)
                kit = JOB.get(f, job, "kit", "ptr")
                f.call(self.block, "void", [*sizes, *a_block, *b_block, place, c_row, add, kit])
                with f.when(f.icmp("eq", step.stop, k)):
                    finish(f, self.t, (job, self.plan), c, (*row, *whole))

    def _a_block(self, a: Value, rows: Range, steps: Range) -> list[Value]:
        """Where a block of A is, and its steps: address, panel, row, k."""
        f, t, to = self.f, self.t, self.a_memory
        place = f.gep("i8", f.gep("i8", a, f.mul(rows.start, self.a_row)), f.mul(steps.start, self.a_k))

        def packed() -> list[Value]:
            count, depth = (f.sub(x.stop, x.start) for x in (rows, steps))
            args = [place, self.a_row, self.a_k, count, depth, to]
            self.pack(args, (*rows, *steps, to), "a")
            return [to, f.mul(depth, i64(t.rows * t.bytes)), i64(t.bytes), i64(t.rows * t.bytes)]

        def there() -> list[Value]:
            return [place, f.mul(self.a_row, i64(t.rows)), self.a_row, self.a_k]

        return f.choose(f.icmp("ne", PLAN.get(f, self.plan, "pack_a"), i64(0)), packed, there)

    def _b_block(self, b: Value, cols: Range, first: Value, steps: Range) -> list[Value]:
        """Where a block of B is, and its steps: address, panel, k; `first` is its column in the slab."""
        f, t, row = self.f, self.t, i64(self.t.cols * self.t.bytes)
        panel = f.mul(f.sub(steps.stop, steps.start), row)

        def there() -> list[Value]:
            return [self.b_place(b, cols.start, steps.start), row, self.b_k]

        def packed() -> list[Value]:
            self.pack_b(b, cols, steps, self.b_memory)
            return [self.b_memory, panel, row]

        def shared() -> list[Value]:
            slab = JOB.get(f, self.job, "slab", "ptr")
            return [f.gep("i8", slab, f.mul(f.udiv(first, i64(t.cols)), panel)), panel, row]

        mode = PLAN.get(f, self.plan, "pack_b")
        rest = lambda: f.choose(f.icmp("eq", mode, i64(SHARED)), shared, packed)
        return f.choose(f.icmp("eq", mode, i64(0)), there, rest)


def product_task(m: Module, t: Tile, name: str, block: str) -> str:
    """The function of a task of the product; `block` multiplies blocks."""
    _ProductTask(m, t, name, block).emit()
    return name


def pack_task(m: Module, t: Tile, name: str) -> str:
    """The function of a task that packs a part of the shared slab."""
    task = _Task(m, t, name)
    f, job = task.f, task.job
    _, b, _ = batch_pointers(f, job, task.plan, JOB.get(f, job, "first_batch"))
    cols, first, k0, k1 = JOB.gets(f, job, "cols first_col k0 k1")
    c0 = f.mul(task.index, i64(t.cols * PACK_PANELS))
    c1 = least(f, cols, f.add(c0, i64(t.cols * PACK_PANELS)))
    to = f.gep("i8", JOB.get(f, job, "slab", "ptr"), f.mul(f.mul(c0, f.sub(k1, k0)), i64(t.bytes)))
    task.pack_b(b, Range(f.add(first, c0), f.add(first, c1)), Range(k0, k1), to)
    f.ret()
    return name
