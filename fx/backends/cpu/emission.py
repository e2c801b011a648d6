"""A schedule as one LLVM module: kernels, operations, and entry points that run them in order.

    i32 segment(ptr registers, ptr arena, ptr specification)     `registers` is a Python tuple of NumPy arrays

Steps without a native form stand between segments; what they exchange with native code are arrays of Python's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...compiler.memory_plan import Arena, Interval, aligned, plan
from ...compiler.nest import View, row_major
from ...compiler.schedule import Schedule, Step
from ...core.program import Program, Var
from ...core.structure import Literal
from . import crowds, stacks
from .blocks import emit_block
from .control import Branch, Inner, Repeat, control_for, grows, native_steps, outputs_of, schedule_of
from .epilogues import alike, width_of
from .llvm import Function, Module, Value, i64
from .nests import Kernel, emit_nest
from .operations.contract import emit_contract
from .operations.operation import Buffer
from .target import operation_for


class Segment(NamedTuple):
    """A run of native steps: its entry point, and the registers that it reads and fills."""

    name: str
    reads: list[int]
    writes: list[int]


class Emitted(NamedTuple):
    """A Program ready to be linked and run."""

    text: str
    exports: list[str]
    parts: list[Any]
    """Segments, and Steps that Python runs, in order."""
    registers: dict[Var, int]
    """Arrays of Python's, by the variable that is stored there: inputs and consts first."""
    arena: Arena
    intervals: list[Interval]
    kernels: dict[int, list[Kernel]]
    """By position of the step."""
    emission: Emission


FUNCTION_STEPS = 64
"""Steps that one function holds."""
TIMES = "fx_times"
"""Where code that was emitted for profiling counts the cycles of each step."""


def emit(schedule: Schedule, profile: bool = False, writer: type[Emission] | None = None) -> Emitted:
    """Write all code of a schedule; with `profile`, each step counts its cycles in the exported array `fx_times`."""
    emission = (writer or Emission)(schedule, Module(schedule.program.name))
    if profile:
        size = 8 * max(len(emission.steps), 1)
        emission.times = emission.module.zeros(TIMES, size, internal=False)
    return emission.run()


class Emission:
    """The code of one schedule; inner Programs of control flow have emissions of their own in the same module."""

    gathers = True
    """Whether nests that do not wait for one another run together."""

    def __init__(self, schedule: Schedule, module: Module, prefix: str = ""):
        self.schedule, self.steps = schedule, schedule.steps
        self.module, self.prefix = module, prefix
        self.native = [True] * len(self.steps) if prefix else native_steps(schedule)
        self.wary = grows(schedule.program)
        self.kernels: dict[int, list[Kernel]] = {}
        self.controls: dict[int, Branch | Repeat] = {}
        self.times: Value | None = None
        self.crowds: dict[int, range] = {}

    def run(self) -> Emitted:
        """Entry points for Python."""
        self.emit_kernels()
        self.place()
        parts = self.segments()
        exports = [p.name for p in parts if isinstance(p, Segment)]
        return Emitted(
            str(self.module), exports, parts, self.registers, self.arena, self.intervals, self.kernels, self
        )

    def emit_kernels(self) -> None:
        for n, step in enumerate(self.steps):
            if self.is_epilogue(n):
                assert step.product is not None
                self.kernels[n] = [
                    emit_block(self.module, step.nest, width_of(step.product), f"{self.prefix}nest{n}")
                ]
            elif step.eqn is None:
                self.kernels[n] = [
                    emit_nest(self.module, nest, f"{self.prefix}nest{n}_{k}")
                    for k, nest in enumerate(step.nests)
                ]
            elif self.native[n] and operation_for(step.eqn) is None:
                self.controls[n] = control_for(self, step.eqn)
        if self.gathers and self.times is None:
            self.crowds = crowds.find(self)
        together = ((self.span(n), u) for n in range(len(self.steps)) for u in set(self.reads(n)))
        self.readers = Counter((first, u) for (first, end), u in together if first < end)
        """How many of the steps that run together, from the first of them on, read an array."""

    def inner(self, program: Program) -> Inner:
        """The function of an inner Program, written once a module."""
        known = self.module.inner
        if program not in known:
            name = f"inner{len(known)}"
            known[program] = Inner(name, 0, program)
            own = type(self)(schedule_of(program), self.module, f"{name}_")
            own.wary = self.wary
            known[program] = own.function(name, program)
        return known[program]

    def function(self, name: str, program: Program) -> Inner:
        """All steps as one function of a table of addresses: inputs, outputs."""
        self.emit_kernels()
        outputs = outputs_of(program)
        self.place()
        f = self.module.function(name, "void", ["ptr", "ptr"])
        self.table, self.slots = f.args[0], {v: i for i, v in enumerate((*program.inputs, *outputs))}
        self.in_order(f, range(len(self.steps)))
        f.ret()
        return Inner(name, self.arena.nbytes, program)

    # Where arrays live

    def reads(self, n: int) -> list[Var]:
        step = self.steps[n]
        if step.eqn is not None:
            return [x.base for x in step.operands if isinstance(x, View)]
        return [view.base for nest in step.nests for view in nest.loads.values()]

    def writes(self, n: int) -> list[Var]:
        step = self.steps[n]
        if step.eqn is not None:
            return list(step.eqn.outputs)
        return list(
            dict.fromkeys(
                [v for nest in step.nests for v in nest.stores]
                + [t.base for nest in step.nests for _, t in nest.copies]
            )
        )

    def place(self) -> None:
        """A register for what Python (or the caller of an inner Program) sees, a place in the arena for the rest."""
        program = self.schedule.program
        self.registers: dict[Var, int] = {}
        for v in (*program.inputs, *[v for v, _ in program.consts]):
            self.registers.setdefault(v, len(self.registers))
        for o in self.schedule.outputs:
            if isinstance(o, View):
                self.registers.setdefault(o.base, len(self.registers))
        born: dict[Var, int] = {}
        last: dict[Var, int] = {}
        crossing: set[Var] = {o.base for o in self.schedule.outputs if isinstance(o, View)}
        piece = [0] * len(self.steps)
        for n in range(1, len(self.steps)):
            piece[n] = piece[n - 1] + (not self.native[n] or not self.native[n - 1])
        self.maker: dict[Var, int] = {}
        for n in range(len(self.steps)):
            first, end = self.span(n)
            for v in self.reads(n):
                last[v] = end
                if v in born and piece[born[v]] != piece[n]:
                    crossing.add(v)
            for v in self.writes(n):
                born[v], last[v], self.maker[v] = first, end, n
                if not self.native[n]:
                    crossing.add(v)
        self.born, self.last = born, last
        self.intervals = []
        inside: dict[Var, Interval] = {}
        self.same: dict[Var, Var] = {}
        for v, n in self.maker.items():
            if v in crossing:
                self.registers.setdefault(v, len(self.registers))
                self.begin_in_result(n, v, inside)
                continue
            x = Interval(v, stacks.stored_bytes(v.aval), born[v], last[v])
            for u in self.reads(n) if self.steps[n].eqn is None else ():
                key = self.same.get(u, u)
                if key in inside and inside[key].last == self.span(n)[1] and self.in_place(n, u, v):
                    self.same[v] = key
                    x = inside[key]._replace(last=last[v])
                    break
            inside[self.same.get(v, v)] = x
        self.intervals = list(inside.values())
        for n, step in enumerate(self.steps):
            size = self.scratch_of(n, step)
            if size:
                self.intervals.append(Interval(("scratch", n), size, *self.span(n)))
        self.arena = self.arrange(self.intervals)

    def begin_in_result(self, n: int, v: Var, inside: dict[Var, Interval]) -> None:
        """Let a temporary that step n turns into the stored array v, in place, lie where v does from the beginning."""
        if self.steps[n].eqn is not None:
            return
        for u in self.reads(n):
            key = self.same.get(u, u)
            if key in inside and inside[key].last == self.span(n)[1] and self.in_place(n, u, v):
                self.take_over(key, v, inside)
                return

    def take_over(self, key: Var, v: Var, inside: dict[Var, Interval]) -> None:
        """v has been in the place of `key` from its birth; not where a donated argument may become v instead."""
        given = (x for x in self.schedule.program.inputs if alike(x, v))
        if all(self.last.get(x, -1) < inside[key].first for x in given):
            self.born[v] = inside.pop(key).first
            self.same.update({u: v for u in (key, *self.same) if self.same.get(u, u) is key})

    def arrange(self, intervals: Sequence[Interval]) -> Arena:
        """Places for memory that lives from step to step."""
        return plan(intervals)

    def is_epilogue(self, n: int) -> bool:
        """Whether step n runs on the blocks of the product before it; code that is timed runs step by step."""
        return n < len(self.steps) and self.steps[n].product is not None and self.times is None

    def span(self, n: int) -> tuple[int, int]:
        """The first and the last step of those that run together with step n."""
        if self.is_epilogue(n):
            return n - 1, n
        if self.is_epilogue(n + 1):
            return n, n + 1
        crowd = self.crowds.get(n)
        return (n, n) if crowd is None else (crowd.start, crowd.stop - 1)

    def is_only_reader(self, n: int, u: Var) -> bool:
        """Whether no other of the steps that run together with step n reads u."""
        first, end = self.span(n)
        return first == end or self.readers[first, u] == (u in self.reads(n))

    def in_place(self, n: int, u: Var, v: Var) -> bool:
        """Whether step n may write v where it reads u: every element is read just before it is written."""
        step = self.steps[n]
        if step.eqn is not None or len(step.nests) != 1 or u.aval.nbytes != v.aval.nbytes:
            return False
        if not self.is_only_reader(n, u):
            return False
        if u.aval.dtype.itemsize != v.aval.dtype.itemsize:
            return False
        kernel = self.kernels[n][0]
        plan = kernel.plan  # of this nest or an equal one, whose arrays come in the same order
        places = [kernel.bases.index(x) if x in kernel.bases else None for x in (u, v)]
        if None in places or len({kernel.shifts[i] for i in places}) > 1 or len(plan.order) > 1:
            return False
        source, target = (plan.bases[i] for i in places)
        targets = [o for o in plan.outputs if o.access.base is target]
        sources = [a for a in plan.accesses.values() if a.base is source]
        full = all(plan.is_full(o.value) for o in targets)
        return len(targets) == 1 and full and all(a[1:] == targets[0].access[1:] for a in sources)

    def reusable(self, donated: tuple[int, ...]) -> dict[int, int]:
        """For inputs that the caller gives up: the register of a result that may take the memory of each."""
        program, found = self.schedule.program, {}
        results = [o.base for o in self.schedule.outputs if isinstance(o, View)]
        returned = {o for o in self.schedule.outputs if isinstance(o, Var)}
        for i in donated:
            u = program.inputs[i]
            for v in results:
                r = self.registers[v]
                if (
                    r in found
                    or u in returned
                    or (v.aval.shape, v.aval.dtype) != (u.aval.shape, u.aval.dtype)
                ):
                    continue
                n = self.maker.get(v, -1)
                read = self.last.get(u, -1)
                if n < 0 or not self.native[n]:
                    continue
                first, end = self.span(n)
                if read < first or (read == end and self.in_place(n, u, v)):
                    found[r] = self.registers[u]
                    break
        return found

    def scratch_of(self, n: int, step: Step) -> int:
        if n in self.crowds:
            crowd = self.crowds[n]
            return crowds.size_of([self.kernels[m][0] for m in crowd]) if n == crowd.start else 0
        if step.eqn is None:
            return sum(aligned(k.scratch) for k in self.kernels[n] if k.scratch)
        if not self.native[n]:
            return 0
        if n in self.controls:
            return self.controls[n].scratch
        operation = operation_for(step.eqn)
        assert operation is not None
        return operation.scratch([v.aval for v in step.eqn.inputs], step.eqn.params)

    # Segments

    def segments(self) -> list[Any]:
        parts: list[Any] = []
        run: list[int] = []
        for n in range(len(self.steps)):
            if self.native[n]:
                run.append(n)
                continue
            if run:
                parts.append(self.segment(len(parts), run))
                run = []
            parts.append(self.steps[n])
        if run:
            parts.append(self.segment(len(parts), run))
        return parts

    def segment(self, number: int, run: list[int]) -> Segment:
        """An entry point that runs these steps."""
        name = f"segment{number}"
        f = self.module.function(name, "i32", ["ptr", "ptr", "ptr"], internal=False)
        made = {v for n in run for v in self.writes(n)}
        touched = dict.fromkeys(v for n in run for v in (*self.reads(n), *self.writes(n)))
        table = f.alloca("ptr", max(len(self.registers), 1))
        status = f.call("fx_resolve", "i32", [f.args[0], f.args[2], table])
        with f.when(f.icmp("ne", status, Value("0", "i32"))):
            f.ret(status)
            f.block(f.new_label("unreached"))
        self.table, self.slots = table, self.registers
        self.in_order(f, run)
        f.ret(Value("0", "i32"))
        reads = [self.registers[v] for v in touched if v in self.registers and v not in made]
        return Segment(name, reads, [self.registers[v] for v in touched if v in self.registers and v in made])

    def in_order(self, f: Function, run: Sequence[int]) -> None:
        """Steps one after the other, crowds of them at once."""
        write = self.timed if self.times else self.step
        self.divided(
            f,
            [
                lambda part, n=n: (
                    crowds.emit(self, part, self.crowds[n]) if n in self.crowds else write(part, n)
                )
                for n in run
                if self.span(n)[0] == n
            ],
        )

    def divided(self, f: Function, writers: Sequence[Callable[[Function], None]]) -> None:
        """What writers write; that of many in functions, since code generation is not linear in a function's size."""
        if len(writers) <= FUNCTION_STEPS:
            for write in writers:
                write(f)
            return
        table = self.table
        for first in range(0, len(writers), FUNCTION_STEPS):
            part = self.module.function(f"{f.name}_part{len(self.module.functions)}", "void", ["ptr", "ptr"])
            self.table = part.args[0]
            self.divided(part, writers[first : first + FUNCTION_STEPS])
            part.ret()
            f.call(part.name, "void", [table, f.args[1]])
        self.table = table

    def pointer(self, f: Function, v: Var) -> Value:
        """The address of a stored array; read anew by every step, so that thousands need no registers."""
        v = self.same.get(v, v)
        if v in self.slots:
            return f.load("ptr", f.gep("ptr", self.table, i64(self.slots[v])), 8)
        return f.gep("i8", f.args[1], i64(self.arena.offsets[v]))

    def timed(self, f: Function, n: int) -> None:
        """A step that counts its cycles."""
        assert self.times is not None
        start = f.call("llvm.readcyclecounter", "i64", [])
        self.step(f, n)
        spent = f.sub(f.call("llvm.readcyclecounter", "i64", []), start)
        slot = f.gep("i64", self.times, i64(n))
        f.store(f.add(f.load("i64", slot), spent), slot)

    def step(self, f: Function, n: int) -> None:
        step = self.steps[n]
        f.comment(
            step.eqn.primitive.name if step.eqn is not None else "; ".join(x.describe() for x in step.nests)
        )
        if step.eqn is not None:
            self.operation(f, n, step)
            self.free_stacks(f, n)
            return
        at, writers = 0, []
        for kernel in self.kernels[n]:
            writers.append(
                lambda g, k=kernel, at=at: self.kernel(g, k, g.gep("i8", self.scratch(g, n), i64(at)))
            )
            at += aligned(kernel.scratch) if kernel.scratch else 0
        self.divided(f, writers)

    def free_stacks(self, f: Function, n: int) -> None:
        """Give back the memory of stacks that no later step reads; those of the caller's are the caller's."""
        for v in dict.fromkeys((*self.reads(n), *self.writes(n))):
            if stacks.is_stack(v.aval) and v not in self.slots and self.last[v] == n:
                stacks.free(f, v.aval, self.pointer(f, v))

    def scratch(self, f: Function, n: int) -> Value:
        offset = self.arena.offsets.get(("scratch", n))
        return Value("null", "ptr") if offset is None else f.gep("i8", f.args[1], i64(offset))

    def kernel(self, f: Function, kernel: Kernel, scratch: Value) -> None:
        if kernel.plan.nest.size == 0:
            return
        pointers = self.starts(f, kernel)
        if kernel.chunks == 1:
            f.call(kernel.name, "void", [*pointers, scratch, i64(0), i64(0), i64(kernel.units)])
        else:
            self.parallel(f, kernel, [*pointers, scratch])
        if kernel.end:
            f.call(kernel.end, "void", [*pointers, scratch])

    def starts(self, f: Function, kernel: Kernel) -> list[Value]:
        """Where the arrays of a kernel begin."""
        starts = zip(kernel.bases, kernel.shifts, strict=True)
        return [f.gep("i8", self.pointer(f, b), i64(shift)) for b, shift in starts]

    def parallel(self, f: Function, kernel: Kernel, pointers: Sequence[Value]) -> None:
        """Chunks of a kernel on the thread pool."""
        context = table_of(f, pointers)
        body = self.chunk_body(kernel, len(pointers))
        f.call("fx_parallel", "void", [Value(f"@{body}", "ptr"), context, i64(kernel.chunks)])

    def chunk_body(self, kernel: Kernel, count: int) -> str:
        name = kernel.name + "_chunk"
        if name not in self.module.functions:
            g = self.module.function(name, "void", ["ptr", "i64"])
            context, chunk = g.args
            pointers = [g.load("ptr", g.gep("ptr", context, i64(i)), 8) for i in range(count)]
            bound = lambda c: g.udiv(g.mul(c, i64(kernel.units)), i64(kernel.chunks))
            lo, hi = bound(chunk), bound(g.add(chunk, i64(1)))
            g.call(kernel.name, "void", [*pointers, chunk, lo, hi])
            g.ret()
        return name

    def operation(self, f: Function, n: int, step: Step) -> None:
        assert step.eqn is not None
        inputs = [self.buffer(f, x) for x in step.operands]
        outputs = [
            Buffer(self.pointer(f, v), v.aval.shape, step.strides or row_major(v.aval.shape), v.aval.dtype)
            for v in step.eqn.outputs
        ]
        if n in self.controls:
            self.controls[n].emit(f, inputs, outputs, self.scratch(f, n))
            return
        if self.is_epilogue(n + 1):
            emit_contract(f, *inputs, *outputs, step.eqn.params["spec"], **self.epilogue(f, n + 1))
            return
        operation = operation_for(step.eqn)
        assert operation is not None
        operation.emit(f, inputs, outputs, self.scratch(f, n), step.eqn.params)

    def epilogue(self, f: Function, n: int) -> dict[str, Any]:
        """The function of the nest of step n for blocks, and its context."""
        (kernel,) = self.kernels[n]
        return {"epilogue": kernel.name, "context": table_of(f, self.starts(f, kernel))}

    def buffer(self, f: Function, x: Any) -> Buffer:
        if type(x) is Literal:
            name = f"literal{len(self.module.globals)}"
            return Buffer(self.module.data(name, np.asarray(x.value, x.aval.dtype)), (), (), x.aval.dtype)
        dtype = x.base.aval.dtype
        start = f.gep("i8", self.pointer(f, x.base), i64(x.offset * dtype.itemsize))
        return Buffer(start, x.shape, x.strides, dtype)


def table_of(f: Function, pointers: Sequence[Value]) -> Value:
    """Addresses in memory, on the stack."""
    table = f.alloca("ptr", len(pointers))
    for i, p in enumerate(pointers):
        f.store(p, f.gep("ptr", table, i64(i)), 8)
    return table
