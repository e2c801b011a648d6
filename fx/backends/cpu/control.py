"""Control flow as native code: loops and branches whose inner Programs have native form throughout.

An inner Program becomes a function `void inner(ptr table, ptr arena)`; the table holds the addresses of its inputs
and of its outputs. A loop calls it once a trip; the carry alternates between two places, of which the last trip's is
the result itself. What is stacked for an unknown number of trips stands in `stacks`: whoever makes such an array for
steps of its own Program frees it after the last of them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from ...compiler.kinds import is_static
from ...compiler.memory_plan import Arena, Interval
from ...compiler.nest import View
from ...compiler.schedule import Schedule, Step
from ...core.program import Equation, Program, Var
from ...primitives.cond import cond_p
from ...primitives.loop import loop_p
from ...primitives.loop_layout import Layout
from ...primitives.markers import barrier_p
from . import stacks
from .epilogues import scheduled
from .llvm import NULL, Function, Value, const, i64
from .operations.operation import Buffer
from .target import operation_for

if TYPE_CHECKING:
    from .emission import Emission


class Inner(NamedTuple):
    """An inner Program as a function."""

    name: str
    arena: int
    program: Program


def schedule_of(program: Program) -> Schedule:
    """The schedule of an inner Program; all its outputs are arrays of their own."""
    return program.once("inner schedule", lambda: scheduled(program, owned=True))


def native_steps(schedule: Schedule) -> list[bool]:
    """Which steps are native code.

    Those that share a stack of unknown length are only all together, between two steps that Python runs.
    """
    native = [s.eqn is None or operation_for(s.eqn) is not None or is_native(s.eqn) for s in schedule.steps]
    if not grows(schedule.program):
        return native
    touched = [_stacks_of(s) for s in schedule.steps]
    while (found := _with_stacks(schedule, native, touched)) != native:
        native = found
    return native


def _stacks_of(step: Step) -> set[Var]:
    """The stacks of unknown length that a step reads or writes."""
    if step.eqn is None:
        return set()
    read = [x.base for x in step.operands if isinstance(x, View)]
    return {v for v in (*read, *step.eqn.outputs) if stacks.is_stack(v.aval)}


def _with_stacks(schedule: Schedule, native: Sequence[bool], touched: Sequence[set[Var]]) -> list[bool]:
    """The native steps without those that share a stack with Python, or over a step that Python runs."""
    program = schedule.program
    results = [o.base if isinstance(o, View) else o for o in schedule.outputs]
    outside = {*program.inputs, *results}
    piece: dict[Var, int] = {}
    number = 0
    for mine, own in zip(native, touched, strict=True):
        number += not mine
        outside |= {v for v in own if not mine or piece.setdefault(v, number) != number}
    return [mine and not own & outside for mine, own in zip(native, touched, strict=True)]


def is_native(eqn: Equation) -> bool:
    """Whether an equation of control flow can be compiled with all that is inside."""
    return all(p.once("native", lambda p=p: (_all_native(p),))[0] for p in _inner(eqn)) and _fits(eqn)


def _inner(eqn: Equation) -> Sequence[Program]:
    if eqn.primitive is cond_p:
        found: Sequence[Program] = eqn.params["branches"]
        return found
    if eqn.primitive is loop_p:
        return [p for p in (eqn.params["body"], eqn.params["cond"]) if p is not None]
    return []


def _fits(eqn: Equation) -> bool:
    """Whether an equation is control flow in which only stacks have an unknown length."""
    if eqn.primitive is not loop_p:
        return eqn.primitive is cond_p
    at = Layout(eqn.inputs, **eqn.params)
    return not any(stacks.is_stack(v.aval) for v in (*at.head, *at.cond_consts, *at.carry))


def _all_native(program: Program) -> bool:
    stacked = [v for v in program.outputs if stacks.is_stack(v.aval)]
    made = {v for e in program.equations if e.primitive in (loop_p, cond_p) for v in e.outputs}
    if len(set(stacked)) < len(stacked) or not made.issuperset(stacked):
        return False  # a stack has one owner
    if not all(is_static(e) or e.primitive in (loop_p, cond_p, barrier_p) for e in program.equations):
        return False
    return all(
        s.eqn is None or operation_for(s.eqn) is not None or is_native(s.eqn)
        for s in schedule_of(program).steps
    )


def grows(program: Program) -> bool:
    """Whether there are stacks of an unknown number of rows inside, or among the inputs."""
    return program.once("grows", lambda: (_grows(program),))[0]


def _grows(program: Program) -> bool:
    values = (*program.inputs, *[v for e in program.equations for v in e.outputs])
    return any(stacks.is_stack(v.aval) for v in values) or any(
        grows(p) for e in program.equations for p in _inner(e)
    )


class Branch:
    """cond: one of several functions, chosen by an index."""

    def __init__(self, emission: Emission, eqn: Equation):
        self.inner = [emission.inner(p) for p in eqn.params["branches"]]
        own = [Interval(n, p.arena, n, n) for n, p in enumerate(self.inner) if p.arena]
        self.arena: Arena = emission.arrange(own)
        self.scratch = self.arena.nbytes
        self.inside = dict(enumerate(self.inner))

    def emit(self, f: Function, inputs: Sequence[Buffer], outputs: Sequence[Buffer], scratch: Value) -> None:
        index = _load_index(f, inputs[0])
        table = _table(f, [b.pointer for b in (*inputs[1:], *outputs)])
        last = len(self.inner) - 1
        after = f.new_label("after")
        for n in range(len(self.inner)):
            if n == last:
                self._call(f, n, table, scratch)
                f.branch(after)
                break
            yes, no = f.new_label("branch"), f.new_label("other")
            f.branch_if(f.icmp("sle", index, i64(n)), yes, no)
            f.block(yes)
            self._call(f, n, table, scratch)
            f.branch(after)
            f.block(no)
        f.block(after)

    def _call(self, f: Function, n: int, table: Value, scratch: Value) -> None:
        arena = f.gep("i8", scratch, i64(self.arena.offsets.get(n, 0)))
        f.call(self.inner[n].name, "void", [table, arena])


class Repeat:
    """loop: scan, while_loop, fori_loop, map."""

    def __init__(self, emission: Emission, eqn: Equation):
        self.eqn, self.wary = eqn, emission.wary
        self.at = at = Layout(eqn.inputs, **eqn.params)
        self.grows = self.wary and grows(at.body)
        self.body = emission.inner(at.body)
        self.cond = emission.inner(at.cond) if at.cond is not None else None
        body = at.body
        first = len(at.consts)
        self.changing = [n for n in range(len(at.carry)) if body.outputs[n] is not body.inputs[first + n]]
        """Carried values that the body changes."""
        sizes = {"body": self.body.arena, **{n: body.out_avals[n].nbytes for n in self.changing}}
        if self.cond is not None:
            sizes |= {"cond": self.cond.arena, "flag": 1}
        self.arena: Arena = emission.arrange([Interval(key, size, 0, 0) for key, size in sizes.items()])
        self.scratch = self.arena.nbytes
        self.inside = {"body": self.body} | ({"cond": self.cond} if self.cond is not None else {})

    def emit(self, f: Function, inputs: Sequence[Buffer], outputs: Sequence[Buffer], scratch: Value) -> None:
        at = Layout(inputs, **self.at.params())
        self.f, self.scratch_at = f, scratch
        results = list(outputs)
        count_out = results.pop(0) if self.cond is not None else None
        carry, ys = results[: len(at.carry)], results[len(at.carry) :]
        count = len(self.body.program.inputs) + len(self.body.program.outputs)
        self.table = f.alloca("ptr", count)
        self._fill(0, [b.pointer for b in at.consts])
        self.stacks = [b for b in ys if stacks.is_stack(b)]
        for b in self.stacks:
            stacks.start(f, b.pointer)
        if count_out is not None:
            with self._unless_failed():
                f.store(self._while(at, carry, ys), count_out.pointer)
            return
        n = i64(at.length) if at.length is not None else _load_index(f, at.head[0])
        self._counted(at, carry, ys, self._with_room(at, n))

    def _place(self, key: Any) -> Value:
        """The address of a part of the scratch memory."""
        return self.f.gep("i8", self.scratch_at, i64(self.arena.offsets.get(key, 0)))

    def _fill(self, at: int, pointers: Sequence[Value]) -> None:
        for i, p in enumerate(pointers, at):
            self.f.store(p, self.f.gep("ptr", self.table, i64(i)), 8)

    @contextmanager
    def _unless_failed(self) -> Iterator[None]:
        """What stands inside need not end once there has been no memory for a stack; then it does not run."""
        if not self.wary:
            yield
            return
        with self.f.when(self.f.not_(stacks.has_failed(self.f))):
            yield

    def _with_room(self, at: Any, n: Value) -> Value:
        """The number of trips, with room for what they stack; fewer if stacks end early because memory did."""
        f = self.f
        for b in at.xs:
            if stacks.is_stack(b):
                rows = stacks.rows(f, b.pointer)
                n = f.select(f.icmp("slt", rows, n), rows, n)
        for b in self.stacks:
            there = stacks.reserve(f, b, n)
            with f.when(f.not_(there)):
                stacks.refuse(f, self.eqn, b, n)
            n = f.select(there, n, i64(0))
        return n

    def _counted(self, at: Any, carry: list[Buffer], ys: list[Buffer], n: Value) -> None:
        f, first = self.f, len(at.consts)
        start = [b.pointer for b in at.carry]
        results = [b.pointer for b in carry]
        changing = self.changing
        others = {k: self._place(k) for k in changing}
        body_arena = self._place("body")
        with f.loop(i64(0), n, carry=[start[k] for k in changing]) as loop:
            left = f.sub(f.sub(n, i64(1)), loop.index)
            even = f.icmp("eq", f.and_(left, i64(1)), i64(0))
            t = left if at.reverse else loop.index
            target = [f.select(even, results[k], others[k]) for k in changing]
            now = list(start)
            for k, p in zip(changing, loop.carry, strict=True):
                now[k] = p
            self._fill(first, [*now, *[_slice(f, x, t) for x in at.xs]])
            out = list(results)
            for k, p in zip(changing, target, strict=True):
                out[k] = p
            self._fill(len(self.body.program.inputs), [*out, *[_slice(f, y, t) for y in ys]])
            with self._unless_failed() if self.grows else nullcontext():
                f.call(self.body.name, "void", [self.table, body_arena])
            loop.next(*target)
        none = f.icmp("sle", n, i64(0))
        with f.when(none):
            for k in changing:
                _copy(f, start[k], results[k], carry[k])
        for k in set(range(len(carry))) - set(changing):
            _copy(f, start[k], results[k], carry[k])

    def _while(self, at: Any, carry: list[Buffer], ys: list[Buffer]) -> Value:
        """Trips until the predicate is false; the last carry is copied to the result."""
        f, first = self.f, len(at.consts)
        assert self.cond is not None
        start = [b.pointer for b in at.carry]
        places = [[self._place(k) for k in range(len(carry))], [b.pointer for b in carry]]
        body_arena, cond_arena, flag = map(self._place, ("body", "cond", "flag"))
        test_table = f.alloca("ptr", len(self.cond.program.inputs) + 1)
        for i, b in enumerate(at.cond_consts):
            f.store(b.pointer, f.gep("ptr", test_table, i64(i)), 8)
        f.store(flag, f.gep("ptr", test_table, i64(len(self.cond.program.inputs))), 8)
        head, body, after = f.new_label("test"), f.new_label("body"), f.new_label("after")
        before = f.label
        f.branch(head)
        f.block(head)
        place = len(f.lines)
        now: list[Value] = []
        for p in (Value("0", "i64"), *start):
            f.count += 1
            f.lines.append("")
            now.append(Value(f"%v{f.count}", p.type))
        trip, pointers = now[0], now[1:]
        for i, p in enumerate(pointers, len(at.cond_consts)):
            f.store(p, f.gep("ptr", test_table, i64(i)), 8)
        f.call(self.cond.name, "void", [test_table, cond_arena])
        going = f.icmp("ne", f.load("i8", flag), const("i8", 0))
        f.branch_if(going, body, after)
        f.block(body)
        self._make_room(trip, after)
        odd = f.icmp("eq", f.and_(trip, i64(1)), i64(1))
        target = [
            f.select(odd, b, a) if k in self.changing else pointers[k]
            for k, (a, b) in enumerate(zip(*places, strict=True))
        ]
        self._fill(first, [*pointers, *[_slice(f, x, trip) for x in at.xs]])
        out = [t if k in self.changing else places[1][k] for k, t in enumerate(target)]
        self._fill(len(self.body.program.inputs), [*out, *[_slice(f, y, trip) for y in ys]])
        f.call(self.body.name, "void", [self.table, body_arena])
        following = f.add(trip, i64(1))
        for b in self.stacks:
            stacks.set_rows(f, b.pointer, following)
        end = f.label
        if self.grows:
            f.branch_if(stacks.has_failed(f), after, head)
        else:
            f.branch(head)
        for i, (phi, a, b) in enumerate(zip(now, (i64(0), *start), (following, *target), strict=True)):
            f.lines[place + i] = (
                f"  {phi.text} = phi {phi.type} [ {a.text}, %{before} ], [ {b.text}, %{end} ]"
            )
        f.block(after)
        for p, b in zip(pointers, carry, strict=True):
            with f.when(f.icmp("ne", p, b.pointer)):
                _copy(f, p, b.pointer, b)
        return trip

    def _make_room(self, trip: Value, after: str) -> None:
        """Room in all stacks for one more row; without memory, the loop ends."""
        if not self.stacks:
            return
        f = self.f
        full, refused, ready = f.new_label("full"), f.new_label("refused"), f.new_label("ready")
        f.branch_if(stacks.is_full(f, self.stacks[0].pointer, trip), full, ready)
        f.block(full)
        there = functools.reduce(f.and_, [stacks.grow(f, b) for b in self.stacks])
        f.branch_if(there, ready, refused)
        f.block(refused)
        stacks.refuse(f, self.eqn, max(self.stacks, key=stacks.row_bytes), f.mul(trip, i64(2)))
        f.branch(after)
        f.block(ready)


def _load_index(f: Function, b: Buffer) -> Value:
    """A scalar integer or boolean as i64."""
    kind = f"i{8 * b.dtype.itemsize}"
    return f.cast("sext" if b.dtype.kind == "i" else "zext", f.load(kind, b.pointer), "i64")


def _table(f: Function, pointers: Sequence[Value]) -> Value:
    if not pointers:
        return NULL
    table = f.alloca("ptr", len(pointers))
    for i, p in enumerate(pointers):
        f.store(p, f.gep("ptr", table, i64(i)), 8)
    return table


def _slice(f: Function, b: Buffer, t: Value) -> Value:
    """Row t of a stack."""
    if stacks.is_stack(b):
        return stacks.row(f, b, t)
    size = b.dtype.itemsize * (b.strides[0] if b.shape[0] else 0)
    return f.gep("i8", b.pointer, f.mul(t, i64(size)))


def _copy(f: Function, source: Value, target: Value, b: Buffer) -> None:
    f.module.declare("llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", "i64", "i1"])
    nbytes = b.size * b.dtype.itemsize
    if nbytes:
        f.line(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {target.text}, ptr {source.text}, i64 {nbytes}, i1 false)"
        )


def control_for(emission: Emission, eqn: Equation) -> Branch | Repeat:
    """The emitter of an equation of control flow."""
    return Branch(emission, eqn) if eqn.primitive is cond_p else Repeat(emission, eqn)


def outputs_of(program: Program) -> list[Var]:
    """Where the outputs of an inner Program are stored."""
    return [o.base for o in schedule_of(program).outputs]
