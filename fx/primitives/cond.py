"""`cond`: one of several Programs, chosen at run time. lax.cond and lax.switch are this primitive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.avals import Aval
from ..core.errors import ShapeError
from ..core.primitive import Axis, Primitive, Unknown
from ..core.program import Program, record_program
from ..core.transforms.call import check_inputs, program_cost, runner
from ..core.transforms.forward import fill, is_zero, jvp_program, pick, rewrite
from ..core.transforms.inner import arrange
from ..core.transforms.reverse import linearize_program, transpose_program
from ..core.transforms.vmap import batch_program
from .elementwise import bit_not, convert, eq, lt, select
from .lending import column, has_collective, lend
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
        want = _union(jvp_program(b, active)[1] for b in branches)
        pushed = tuple(jvp_program(b, active, want)[0] for b in branches)
        results = self(*primals, *pick(active, tangents[1:]), branches=pushed)
        count = len(want)
        return results[:count], fill(want, branches[0].out_avals, results[count:])

    def linearize(self, primals: Any, tangents: Any, *, branches: tuple[Program, ...]) -> Any:
        active = tuple(not is_zero(t) for t in tangents[1:])
        want = _union(linearize_program(b, active).out_active for b in branches)
        parts = [linearize_program(b, active, want) for b in branches]
        count, num_tangents = len(want), sum(active)
        residuals, slots = _share_slots([p.forward.out_avals[count:] for p in parts])
        forward = tuple(
            _fill_slots(p.forward, count, s, residuals) for p, s in zip(parts, slots, strict=True)
        )
        results = self(*primals, branches=forward)
        dots: Sequence[Any] = []
        if any(want):
            linear = tuple(
                _read_slots(p.linear, num_tangents, s, residuals) for p, s in zip(parts, slots, strict=True)
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
        index, in_dims = operands[0], tuple(dims[1:])
        if dims[0] is None:
            want = _union([d is not None for d in batch_program(b, in_dims, axis)[1]] for b in branches)
            batched = tuple(batch_program(b, in_dims, axis, want)[0] for b in branches)
            return self(*operands, branches=batched), [0 if on else None for on in want]
        masks = _masks(index, len(branches))
        results = [
            _run_where(self, axis, mask, b, operands[1:], in_dims)
            for mask, b in zip(masks, branches, strict=True)
        ]
        return _choose(masks, results), [0] * len(branches[0].outputs)

    def cost(self, index: Aval, *avals: Aval, branches: tuple[Program, ...]) -> int:
        return max(map(program_cost, branches))


cond_p = Cond()


def _one_aval(column: Sequence[Aval]) -> Aval:
    """The aval of an output over all branches; weak if it is weak in each."""
    first = column[0]
    if any(a.shape != first.shape or a.dtype != first.dtype for a in column):
        raise ShapeError(f"cond: the branches give {' and '.join(str(a) for a in column)}.")
    return Aval(first.shape, first.dtype, all(a.weak for a in column))


def _union(masks: Any) -> tuple[bool, ...]:
    return tuple(any(column) for column in zip(*masks, strict=True))


# Over a batch


def _masks(index: Any, count: int) -> list[Any]:
    """For each branch, which batch elements take it."""
    which = convert(index, np.dtype("int64"))
    last = count - 1
    masks = [eq(which, np.int64(n)) for n in range(1, last)]
    return [lt(which, np.int64(1)), *masks, bit_not(lt(which, np.int64(last)))]


def _run_where(prim: Cond, axis: Axis, mask: Any, branch: Program, operands: Any, dims: Any) -> list[Any]:
    """A branch over the whole batch, if any element takes it.

    Elements that do not take it stand in with those of one that does: what they give is thrown away, but must not
    make a NaN that would poison the derivative of the rest.
    """
    batched = batch_program(branch, dims, axis, (True,) * len(branch.outputs))[0]
    if not has_collective(branch, axis):
        operands = lend(operands, dims, mask)
    used = reduce_any(mask, axes=(0,))
    return prim(used, *operands, branches=(_ones_program(batched), batched))  # type: ignore[no-any-return]


def _ones_program(program: Program) -> Program:
    """The same signature, giving ones."""
    ones = lambda trace, *tracers: [full(a.shape, 1, a.dtype) for a in program.out_avals]
    return program.once("ones", lambda: rewrite("cond", program.in_avals, ones, "unused"))


def _choose(masks: Sequence[Any], results: Sequence[list[Any]]) -> list[Any]:
    """Per batch element the result of its branch."""
    chosen = results[-1]
    for mask, result in zip(reversed(masks[:-1]), reversed(results[:-1]), strict=True):
        chosen = [select(column(mask, x.ndim), x, y) for x, y in zip(result, chosen, strict=True)]
    return chosen


# Residuals


def _share_slots(residuals: Sequence[Sequence[Aval]]) -> tuple[list[Aval], list[list[int]]]:
    """Places for the residuals of all branches: branches share places of one aval, since one branch runs."""
    slots: list[Aval] = []
    assigned = []
    for avals in residuals:
        free: list[int | None] = list(range(len(slots)))
        mine = []
        for a in avals:
            match = next((i for i in free if i is not None and slots[i] is a), None)
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
        return outs[:count] + [
            placed[i] if i in placed else full(a.shape, 1, a.dtype) for i, a in enumerate(slots)
        ]

    key = ("fill_slots", count, tuple(mine), tuple(slots))
    return forward.once(key, lambda: rewrite("cond", forward.in_avals, body, forward.name))


def _read_slots(linear: Program, num_tangents: int, mine: Sequence[int], slots: Sequence[Aval]) -> Program:
    where = {slot: num_tangents + n for n, slot in enumerate(mine)}
    return arrange(linear, [*range(num_tangents), *[where.get(i, a) for i, a in enumerate(slots)]])
