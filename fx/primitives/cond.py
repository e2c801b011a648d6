"""`cond`: one of several Programs, chosen at run time. lax.cond and lax.switch are this primitive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import DYNAMIC, Aval
from ..core.errors import ShapeError
from ..core.primitive import Axis, Primitive, Unknown
from ..core.program import Program, record_program
from ..core.structure import Literal
from ..core.transforms.call import check_inputs, program_cost, runner
from ..core.transforms.forward import fill, is_zero, jvp_program, pick, rewrite
from ..core.transforms.inner import arrange
from ..core.transforms.reverse import linearize_program, transpose_program
from ..core.transforms.vmap import batch_program, home
from .elementwise import bit_not, convert, eq, lt, select
from .lending import column, has_collective, lend
from .loop import loop_p
from .reductions import reduce_any
from .shape import full


class Cond(Primitive):
    """outputs = branches[clip(index)](operands); all branches take the same operands."""

    name = "cond"
    multiple = True
    calls = True

    def impl(self, xp: Any, index: Any, *operands: Any, branches: tuple[Program, ...]) -> Any:
        return runner(branches[min(max(int(index), 0), len(branches) - 1)], xp)(operands)

    def kernel(self, xp: Any, params: dict[str, Any]) -> Callable[..., Any]:
        runs = [runner(b, xp) for b in params["branches"]]
        last = len(runs) - 1
        return lambda index, *operands: runs[min(max(int(index), 0), last)](operands)

    def shape(self, index: Aval, *avals: Aval, branches: tuple[Program, ...]) -> tuple[Aval, ...]:
        if index.shape != () or index.dtype.kind not in "iub":
            raise ShapeError(f"cond needs a scalar integer or boolean to choose a branch; got {index}.")
        for b in branches:
            check_inputs("cond", b, avals)
        return tuple(_one_aval(column) for column in zip(*[b.out_avals for b in branches], strict=True))

    def push(self, primals: Any, tangents: Any, *, branches: tuple[Program, ...]) -> Any:
        active = tuple(not is_zero(t) for t in tangents[1:])
        want, found = _active_alike(branches, lambda b, *want: jvp_program(b, active, *want), lambda p: p[1])
        avals = (*branches[0].out_avals, *pick(want, branches[0].out_avals))
        pushed = tuple(_with_unused(p, (*u, *pick(want, u)), avals) for (p, _), u in found)
        results = self(*primals, *pick(active, tangents[1:]), branches=pushed)
        count = len(want)
        return results[:count], fill(want, branches[0].out_avals, results[count:])

    def linearize(self, primals: Any, tangents: Any, *, branches: tuple[Program, ...]) -> Any:
        active = tuple(not is_zero(t) for t in tangents[1:])
        want, found = _active_alike(
            branches, lambda b, *want: linearize_program(b, active, *want), lambda p: p.out_active
        )
        count, num_tangents, out = len(want), sum(active), branches[0].out_avals
        parts = [_completed(p, u, want, out) for p, u in found]
        residuals, slots = _share_slots([f.out_avals[count:] for f, _ in parts])
        forward = tuple(_fill_slots(f, count, s, residuals) for (f, _), s in zip(parts, slots, strict=True))
        results = self(*primals, branches=forward)
        dots: Sequence[Any] = []
        if any(want):
            linear = tuple(
                _read_slots(g, num_tangents, s, residuals) for (_, g), s in zip(parts, slots, strict=True)
            )
            dots = self(primals[0], *pick(active, tangents[1:]), *results[count:], branches=linear)
        return results[:count], fill(want, branches[0].out_avals, dots)

    def transpose(self, cts: Any, index: Any, *operands: Any, branches: tuple[Program, ...]) -> list[Any]:
        linear = tuple(type(x) is Unknown for x in operands)
        live = tuple(not is_zero(c) for c in cts)
        transposed = tuple(transpose_program(b, linear, live, want=True)[0] for b in branches)
        others = pick([not on for on in linear], operands)
        found = iter(self(index, *others, *pick(live, cts), branches=transposed))
        return [None, *[next(found) if on else None for on in linear]]

    def batch(self, axis: Axis, operands: Any, dims: Any, *, branches: tuple[Program, ...]) -> Any:
        in_dims = tuple(dims[1:])
        batched, out_dims = _batch_alike(branches, in_dims, axis, dims[0] is not None)
        if dims[0] is None:
            return self(*operands, branches=batched), out_dims
        masks = _masks(operands[0], len(branches))
        results = [
            _run_where(self, axis, mask, b, whole, operands[1:], in_dims)
            for mask, b, whole in zip(masks, branches, batched, strict=True)
        ]
        return _choose(masks, results, branches), out_dims

    def cost(self, index: Aval, *avals: Aval, branches: tuple[Program, ...]) -> int:
        return max(map(program_cost, branches))


cond_p = Cond()


def _one_aval(column: Sequence[Aval]) -> Aval:
    """The aval of an output over all branches; weak if it is weak in each."""
    first = column[0]
    if any(a.shape != first.shape or a.dtype != first.dtype for a in column):
        raise ShapeError(f"cond: the branches give {' and '.join(str(a) for a in column)}.")
    return Aval(first.shape, first.dtype, all(a.weak for a in column))


def _active_alike(
    branches: Sequence[Program], derive: Callable[..., Any], out_active: Callable[[Any], Sequence[bool]]
) -> tuple[tuple[bool, ...], list[tuple[Any, tuple[bool, ...]]]]:
    """Which results have a tangent in any branch; what is derived from each for these, and the results it has."""
    cut, used = _without_unused(branches)
    own = [_columns(u, out_active(derive(b))) for b, u in zip(cut, used, strict=True)]
    want = tuple(any(column) for column in zip(*own, strict=True))
    return want, [(derive(b, tuple(pick(u, want))), u) for b, u in zip(cut, used, strict=True)]


def _completed(parts: Any, used: Sequence[bool], want: Sequence[bool], out: Any) -> tuple[Program, Program]:
    """The forward and the linear Program of a branch, with its unused stacks among their results."""
    residuals = parts.forward.out_avals[sum(used) :]
    forward = _with_unused(parts.forward, (*used, *[True] * len(residuals)), (*out, *residuals))
    return forward, _with_unused(parts.linear, tuple(pick(want, used)), tuple(pick(want, out)))


# Over a batch


def _masks(index: Any, count: int) -> list[Any]:
    """For each branch, which batch elements take it."""
    which = convert(index, np.dtype("int64"))
    last = count - 1
    masks = [eq(which, np.int64(n)) for n in range(1, last)]
    return [lt(which, np.int64(1)), *masks, bit_not(lt(which, np.int64(last)))]


def _batch_alike(
    branches: Sequence[Program], in_dims: tuple[int | None, ...], axis: Axis, force: bool
) -> tuple[tuple[Program, ...], tuple[int | None, ...]]:
    """The batched branches and where their results have the batch axis; with `force`, all have one.

    Unused stacks are made anew, of the aval that they have in the branch that uses them.
    """
    cut, used = _without_unused(branches)
    free = [_columns(u, batch_program(b, in_dims, axis)[1]) for b, u in zip(cut, used, strict=True)]
    want = tuple(force or any(d is not None for d in column) for column in zip(*free, strict=True))
    pairs = [batch_program(b, in_dims, axis, tuple(pick(u, want))) for b, u in zip(cut, used, strict=True)]
    found = [
        _columns(u, zip(p.out_avals, dims, strict=True)) for (p, dims), u in zip(pairs, used, strict=True)
    ]
    both = [
        next((x for x in column if x is not None), (a, None))
        for a, column in zip(branches[0].out_avals, zip(*found, strict=True), strict=True)
    ]
    avals = tuple(a for a, _ in both)
    batched = tuple(_with_unused(p, u, avals) for (p, _), u in zip(pairs, used, strict=True))
    return batched, tuple(d for _, d in both)


def _run_where(
    prim: Cond, axis: Axis, mask: Any, branch: Program, batched: Program, operands: Any, dims: Any
) -> list[Any]:
    """A branch over the whole batch, if any element takes it.

    Elements that do not take it stand in with those of one that does: what they give is thrown away, but must not
    make a NaN that would poison the derivative of the rest.
    """
    if not has_collective(branch, axis):
        operands = lend(operands, dims, mask)
    used = reduce_any(mask, axes=(0,))
    return prim(used, *operands, branches=(_ones_program(batched), batched))  # type: ignore[no-any-return]


def _ones_program(program: Program) -> Program:
    """The same signature, giving ones."""
    ones = lambda trace, *tracers: [_unused(a) for a in program.out_avals]
    return program.once("ones", lambda: rewrite("cond", program.in_avals, ones, "unused"))


def _choose(masks: Sequence[Any], results: Sequence[list[Any]], branches: Sequence[Program]) -> list[Any]:
    """Per batch element the result of its branch."""
    return [
        _stack_of(j, column, branches) if DYNAMIC in aval.shape else _merge(masks, column)
        for j, (aval, column) in enumerate(
            zip(branches[0].out_avals, zip(*results, strict=True), strict=True)
        )
    ]


def _merge(masks: Sequence[Any], results: Sequence[Any]) -> Any:
    chosen = results[-1]
    for mask, x in zip(reversed(masks[:-1]), reversed(results[:-1]), strict=True):
        chosen = select(column(mask, x.ndim), x, chosen)
    return chosen


def _stack_of(j: int, results: Sequence[Any], branches: Sequence[Program]) -> Any:
    """What one branch stacked for the derivative; only elements that took this branch will read it."""
    found = [x for x, b in zip(results, branches, strict=True) if not _is_unused(b, b.outputs[j])]
    if len(found) > 1:
        raise ShapeError(
            f"cond over a batch: two branches give {branches[0].out_avals[j]}, of unknown lengths."
        )
    return found[0] if found else results[0]


# Residuals


def _share_slots(residuals: Sequence[Sequence[Aval]]) -> tuple[list[Aval], list[list[int]]]:
    """Places for the residuals of all branches: branches share places of one aval, since one branch runs.

    Stacks of unknown length have places of their own: over a batch, several branches run.
    """
    slots: list[Aval] = []
    assigned = []
    for avals in residuals:
        free: list[int | None] = list(range(len(slots)))
        mine = []
        for a in avals:
            match = next((i for i in free if i is not None and slots[i] is a and home(a) == 0), None)
            if match is None:
                slots.append(a)
                match = len(slots) - 1
            else:
                free[match] = None
            mine.append(match)
        assigned.append(mine)
    return slots, assigned


def _fill_slots(forward: Program, count: int, mine: Sequence[int], slots: Sequence[Aval]) -> Program:
    """outputs + its residuals in their places, ones in the others."""

    def body(trace: Any, *tracers: Any) -> list[Any]:
        outs = record_program(forward, tracers, trace)
        placed = dict(zip(mine, outs[count:], strict=True))
        return outs[:count] + [placed[i] if i in placed else _unused(a) for i, a in enumerate(slots)]

    key = ("fill_slots", count, tuple(mine), tuple(slots))
    return forward.once(key, lambda: rewrite("cond", forward.in_avals, body, forward.name))


def _read_slots(linear: Program, num_tangents: int, mine: Sequence[int], slots: Sequence[Aval]) -> Program:
    where = {slot: num_tangents + n for n, slot in enumerate(mine)}
    return arrange(linear, [*range(num_tangents), *[where.get(i, a) for i, a in enumerate(slots)]])


# Stacks of other branches


def _without_unused(branches: Sequence[Program]) -> tuple[list[Program], list[tuple[bool, ...]]]:
    """The branches without results that stand for another branch's stacks, and which of all results they have."""
    used = [tuple(not _is_unused(b, v) for v in b.outputs) for b in branches]
    cut = [
        b if all(u) else arrange(b, range(len(b.inputs)), pick(u, range(len(u))))
        for b, u in zip(branches, used, strict=True)
    ]
    return cut, used


def _columns(on: Sequence[bool], values: Any) -> list[Any]:
    """One value for each output that is on, None for the others."""
    values = iter(values)
    return [next(values) if b else None for b in on]


def _with_unused(program: Program, on: tuple[bool, ...], avals: tuple[Aval, ...]) -> Program:
    """The Program with unused stacks for the outputs that are not on."""
    if all(on):
        return program

    def body(trace: Any, *tracers: Any) -> list[Any]:
        outs = iter(record_program(program, tracers, trace))
        return [next(outs) if b else _unused(a) for b, a in zip(on, avals, strict=True)]

    return program.once(
        ("with unused", on, avals), lambda: rewrite("cond", program.in_avals, body, program.name)
    )


def _unused(a: Aval) -> Any:
    """Ones that nobody reads; of what a loop stacked for a number of trips that only the run knows, none."""
    if DYNAMIC not in a.shape:
        return full(a.shape, 1, a.dtype)
    rows = Aval(a.shape[1:], a.dtype)
    body = rewrite("cond", (), lambda trace: [_unused(rows)], "unused")
    static = a.shape[0] != DYNAMIC
    trips = () if static else (np.int64(0),)
    (found,) = loop_p(
        *trips, body=body, cond=None, sizes=(0, 0, 0), length=a.shape[0] if static else None,
        reverse=False, unroll=1,
    )  # fmt: skip
    return found


def _is_unused(program: Program, v: Any) -> bool:
    """Whether an output is a stack of `_unused`."""
    if DYNAMIC not in v.aval.shape:
        return False
    eqn = next((e for e in program.equations if v in e.outputs), None)
    if eqn is None or eqn.primitive is not loop_p or eqn.params["cond"] is not None:
        return False
    if eqn.params["length"] is None:
        return type(eqn.inputs[0]) is Literal and int(eqn.inputs[0].value) == 0
    body = eqn.params["body"]
    return _is_unused(body, body.outputs[eqn.outputs.index(v)])
