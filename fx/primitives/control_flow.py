"""Control flow: `cond` chooses a Program, `loop` repeats one. scan, while_loop, fori_loop and map are all `loop`.

A loop carries values, reads slices of stacked operands (xs) and stacks results (ys). Its number of trips is
static, or an operand, or decided by a predicate on the carry; then the stacks have a leading axis whose length
only the run knows, and the number of trips is the first result. This is what makes reverse mode through a
`while_loop` the same rule as through `scan`: the forward loop stacks residuals in growing buffers, and the
linear loop takes the trip count as an operand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import given
from ..core.avals import DYNAMIC, Aval
from ..core.errors import RuleError, ShapeError, lines
from ..core.primitive import Axis, Primitive, Unknown, Zero
from ..core.program import Program
from ..core.transforms.call import check_inputs, program_cost, runner
from ..core.transforms.forward import fill, is_zero, jvp_program, pick, rewrite
from ..core.transforms.inner import arrange
from ..core.transforms.reverse import linearize_program, transpose_in, transpose_program
from ..core.transforms.vmap import batch_program, batch_walk, batched_avals
from .dynamic_slicing import dynamic_slice
from .elementwise import convert, eq, lt, select
from .markers import stop_gradient_p
from .reductions import argmax, reduce_any, reduce_max
from .shape import full, move_axis, reshape, spread

# cond


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
        force = (True,) * len(branches[0].outputs)
        results = [_apply(batch_program(b, in_dims, axis, force)[0], operands[1:]) for b in branches]
        return _choose(index, results), [0] * len(force)

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


def _apply(program: Program, operands: Sequence[Any]) -> list[Any]:
    from ..core.transforms.call import call

    return call(program, *operands)


def _choose(index: Any, results: list[list[Any]]) -> list[Any]:
    """Per batch element the result of its branch; every branch was computed."""
    which = convert(index, np.dtype("int64"))
    chosen = results[-1]
    for n in reversed(range(len(results) - 1)):
        is_n = lt(which, np.int64(1)) if n == 0 else eq(which, np.int64(n))
        chosen = [select(_column(is_n, x.ndim), x, y) for x, y in zip(results[n], chosen, strict=True)]
    return chosen


def _column(mask: Any, rank: int) -> Any:
    """A mask over the leading axis, shaped to broadcast against `rank` axes."""
    return reshape(mask, (mask.shape[0], *[1] * (rank - 1)))


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
        outs = _inline(forward, tracers, trace)
        placed = dict(zip(mine, outs[count:], strict=True))
        return outs[:count] + [
            placed[i] if i in placed else full(a.shape, 1, a.dtype) for i, a in enumerate(slots)
        ]

    key = ("fill_slots", count, tuple(mine), tuple(slots))
    return forward.once(key, lambda: rewrite("cond", forward.in_avals, body, forward.name))  # type: ignore[no-any-return]


def _inline(program: Program, values: Sequence[Any], trace: Any) -> list[Any]:
    from ..core.program import record_program

    return record_program(program, values, trace)


def _read_slots(linear: Program, num_tangents: int, mine: Sequence[int], slots: Sequence[Aval]) -> Program:
    where = {slot: num_tangents + n for n, slot in enumerate(mine)}
    return arrange(linear, [*range(num_tangents), *[where.get(i, a) for i, a in enumerate(slots)]])


# loop


class Loop(Primitive):
    """Repeat `body`: (consts, carry, x slices) -> (carry, y slices).

    Params: sizes = (consts of the predicate, consts of the body, carry); length = static number of trips or None;
    cond = Program (its consts, carry) -> bool, or None; reverse reads and writes the stacks from the end.
    Operands: [number of trips, if length is None and there is no cond], cond consts, consts, carry, xs.
    Results: [number of trips, if there is a cond], carry, ys.
    """

    name = "scan"
    multiple = True
    calls = True

    def impl(self, xp: Any, *operands: Any, **params: Any) -> Any:
        return _run(xp, _Layout(operands, **params))

    def shape(self, *avals: Aval, **params: Any) -> tuple[Aval, ...]:
        at = _Layout(avals, **params)
        for x in at.xs:
            if x.ndim == 0 or x.shape[0] != (at.length if at.length is not None else x.shape[0]):
                raise ShapeError(f"scan of {at.body.name}: {x} has no leading axis of length {at.length}.")
        slices = [Aval(x.shape[1:], x.dtype, x.weak) for x in at.xs]
        check_inputs("scan", at.body, [*at.consts, *at.carry, *slices])
        n = DYNAMIC if at.length is None else at.length
        out = at.body.out_avals
        ys = tuple(Aval((n, *a.shape), a.dtype, a.weak) for a in out[len(at.carry) :])
        count = (Aval((), np.dtype("int64")),) if at.cond is not None else ()
        return (*count, *out[: len(at.carry)], *ys)

    def push(self, primals: Any, tangents: Any, **params: Any) -> Any:
        at, dots = _Layout(primals, **params), _Layout(tangents, **params)
        active = at.active(dots, lambda body, on: jvp_program(body, on)[1])
        want = (*active.carry, *active.ys)
        pushed, _ = jvp_program(at.body, active.inputs, want)
        body = _interleave(pushed, at, active)
        results = self(
            *at.head,
            *at.cond_consts,
            *at.consts, *pick(active.consts, dots.consts),
            *at.carry, *_instantiate(active.carry, dots.carry),
            *at.xs, *pick(active.xs, dots.xs),
            **at.params(
                body=body, cond=_widen_cond(at, active),
                sizes=(len(at.cond_consts), len(at.consts) + sum(active.consts), len(at.carry) + sum(active.carry)),
            ),
        )  # fmt: skip
        return _split_results(results, at, active)

    def linearize(self, primals: Any, tangents: Any, **params: Any) -> Any:
        at, dots = _Layout(primals, **params), _Layout(tangents, **params)
        active = at.active(dots, lambda body, on: linearize_program(body, on).out_active)
        parts = linearize_program(at.body, active.inputs, (*active.carry, *active.ys))
        num_out = len(at.body.outputs)
        kept = _Residuals(parts.forward, num_out, at)
        results = self(*primals, **at.params(body=kept.forward))
        extra = int(at.cond is not None)
        stacks = results[extra + num_out :]
        outs = results[: extra + num_out]
        trips = [] if at.length is not None else [results[0] if at.cond is not None else at.head[0]]
        linear = kept.arrange_linear(parts.linear, active)
        linear_results = self(
            *trips,
            *pick(active.consts, dots.consts), *[at.consts[i] for i in kept.from_consts],
            *_instantiate(active.carry, dots.carry),
            *pick(active.xs, dots.xs), *[at.xs[i] for i in kept.from_xs], *stacks,
            body=linear, cond=None, sizes=(0, sum(active.consts) + len(kept.from_consts), sum(active.carry)),
            length=at.length, reverse=at.reverse, unroll=at.unroll,
        )  # fmt: skip
        avals = at.body.out_avals[: len(at.carry)] + tuple(v.aval for v in outs[extra + len(at.carry) :])
        found = fill((*active.carry, *active.ys), avals, linear_results)
        return outs, [Zero(outs[0].aval)] * extra + found

    def transpose(self, cts: Any, *operands: Any, **params: Any) -> list[Any]:
        at = _Layout(operands, **params)
        return _transpose_loop(self, at, cts)

    def batch(self, axis: Axis, operands: Any, dims: Any, **params: Any) -> Any:
        return _batch_loop(self, axis, _Layout(operands, **params), _Layout(dims, **params))

    def cost(self, *avals: Aval, **params: Any) -> int:
        at = _Layout(avals, **params)
        return program_cost(at.body) * (at.length or 1)


loop_p = Loop()


class _Layout:
    """The operands of a loop by role (values, avals, tangents or dims alike), with its params."""

    def __init__(
        self, operands: Sequence[Any], *, body: Program, cond: Program | None, sizes: tuple[int, int, int],
        length: int | None, reverse: bool, unroll: int,
    ):  # fmt: skip
        self.body, self.cond, self.sizes = body, cond, sizes
        self.length, self.reverse, self.unroll = length, reverse, unroll
        head = int(length is None and cond is None)
        a, b, c = sizes
        self.head = list(operands[:head])
        rest = list(operands[head:])
        self.cond_consts, self.consts = rest[:a], rest[a : a + b]
        self.carry, self.xs = rest[a + b : a + b + c], rest[a + b + c :]

    def params(self, **changes: Any) -> dict[str, Any]:
        own = {k: getattr(self, k) for k in ("body", "cond", "sizes", "length", "reverse", "unroll")}
        return {**own, **changes}

    def active(self, dots: _Layout, actives: Callable[[Program, Any], Any]) -> _Active:
        """Which parts carry tangents: the carry is a fixed point over the body.

        `actives(program, active inputs)` gives the active outputs, in the mode that asks: custom rules may have one.
        """
        consts = tuple(not is_zero(t) for t in dots.consts)
        carry = tuple(not is_zero(t) for t in dots.carry)
        xs = tuple(not is_zero(t) for t in dots.xs)
        while True:
            out = actives(self.body, (*consts, *carry, *xs))
            grown = tuple(a or b for a, b in zip(carry, out[: len(carry)], strict=True))
            if grown == carry:
                return _Active(consts, carry, xs, out[len(carry) :])
            carry = grown


class _Active:
    def __init__(self, consts: Any, carry: Any, xs: Any, ys: Any):
        self.consts, self.carry, self.xs, self.ys = consts, carry, xs, ys

    @property
    def inputs(self) -> tuple[bool, ...]:
        return (*self.consts, *self.carry, *self.xs)


def _instantiate(active: Sequence[bool], dots: Sequence[Any]) -> list[Any]:
    return [given.instantiate(d) for d in pick(active, dots)]


def _interleave(pushed: Program, at: _Layout, active: _Active) -> Program:
    """From (inputs, tangents) -> (outputs, tangents) to each role followed by its tangents."""
    nc, nk, nx = len(at.consts), len(at.carry), len(at.xs)
    n = nc + nk + nx
    dc, dk, dx = sum(active.consts), sum(active.carry), sum(active.xs)
    ins = [
        *range(nc), *range(n, n + dc),
        *range(nc, nc + nk), *range(n + dc, n + dc + dk),
        *range(nc + nk, n), *range(n + dc + dk, n + dc + dk + dx),
    ]  # fmt: skip
    m = len(at.body.outputs)
    ny = sum(active.ys)
    outs = [*range(nk), *range(m, m + dk), *range(nk, m), *range(m + dk, m + dk + ny)]
    return arrange(pushed, ins, outs)


def _widen_cond(at: _Layout, active: _Active) -> Program | None:
    """The predicate reads the primal carry; the tangents stand behind it unread."""
    if at.cond is None:
        return None
    more = [v.aval.strong for v in pick(active.carry, at.body.outputs[: len(at.carry)])]
    return arrange(at.cond, [*range(len(at.cond.inputs)), *more])


def _split_results(results: Sequence[Any], at: _Layout, active: _Active) -> tuple[list[Any], list[Any]]:
    """Undo `_interleave` on the results: (primal results, their tangents)."""
    extra, nk, dk = int(at.cond is not None), len(at.carry), sum(active.carry)
    ny = len(at.body.outputs) - nk
    rest = results[extra:]
    carry, dcarry = rest[:nk], rest[nk : nk + dk]
    ys, dys = rest[nk + dk : nk + dk + ny], rest[nk + dk + ny :]
    dots = fill(active.carry, [x.aval for x in carry], dcarry) + fill(active.ys, [x.aval for x in ys], dys)
    return [*results[:extra], *carry, *ys], [Zero(x.aval) for x in results[:extra]] + dots


class _Residuals:
    """Where the residuals of a body come from: its consts and xs as they are, the rest stacked by the forward loop."""

    def __init__(self, forward: Program, num_out: int, at: _Layout):
        nc, nk = len(at.consts), len(at.carry)
        place = {v: i for i, v in enumerate(forward.inputs)}
        self.order: list[tuple[str, int]] = []
        self.from_consts: list[int] = []
        self.from_xs: list[int] = []
        stacked: list[int] = []
        for n, v in enumerate(forward.outputs[num_out:]):
            i = place.get(v, -1)
            if 0 <= i < nc:
                self.order.append(("const", len(self.from_consts)))
                self.from_consts.append(i)
            elif i >= nc + nk:
                self.order.append(("x", len(self.from_xs)))
                self.from_xs.append(i - nc - nk)
            else:
                self.order.append(("stack", len(stacked)))
                stacked.append(num_out + n)
        self.forward = arrange(forward, range(len(forward.inputs)), [*range(num_out), *stacked])

    def arrange_linear(self, linear: Program, active: _Active) -> Program:
        """(dconsts, dcarry, dxs, residuals) -> (dconsts, const residuals, dcarry, dxs, x residuals, stacks)."""
        dc, dk, dx = sum(active.consts), sum(active.carry), sum(active.xs)
        first = dc + dk + dx
        by_kind: dict[str, list[int]] = {"const": [], "x": [], "stack": []}
        for n, (kind, _) in enumerate(self.order):
            by_kind[kind].append(first + n)
        ins = [
            *range(dc), *by_kind["const"], *range(dc, dc + dk),
            *range(dc + dk, first), *by_kind["x"], *by_kind["stack"],
        ]  # fmt: skip
        return arrange(linear, ins)


def _transpose_loop(prim: Loop, at: _Layout, cts: Sequence[Any]) -> list[Any]:
    """The loop run backwards: its carry is (ct of the carry, ct of the linear consts so far).

    A carry that starts from a known value (zeros, where nothing flows in at first) is linear all the same.
    """
    if at.cond is not None or not all(v.aval.inexact for v in at.body.outputs[: len(at.carry)]):
        raise RuleError(
            lines(
                "A loop whose carry is not linear throughout cannot be transposed.",
                "Use fx.vjp of the function.",
            )
        )
    lin_consts = [type(x) is Unknown for x in at.consts]
    lin_xs = [type(x) is Unknown for x in at.xs]
    nk = len(at.carry)
    live = tuple(not is_zero(c) for c in cts[nk:])
    body = _transpose_body(at, tuple(lin_consts), tuple(lin_xs), live)
    other_consts = pick([not on for on in lin_consts], at.consts)
    zeros = [given.zeros(x.aval) for x in pick(lin_consts, at.consts)]
    results = prim(
        *at.head, *other_consts,
        *map(given.instantiate, cts[:nk]), *zeros,
        *pick(live, cts[nk:]), *pick([not on for on in lin_xs], at.xs),
        **at.params(body=body, sizes=(0, len(other_consts), nk + len(zeros)), reverse=not at.reverse),
    )  # fmt: skip
    carry, consts = results[:nk], iter(results[nk : nk + len(zeros)])
    xs = iter(results[nk + len(zeros) :])
    return [
        *[None] * len(at.head),
        *[next(consts) if on else None for on in lin_consts],
        *[c if type(x) is Unknown else None for x, c in zip(at.carry, carry, strict=True)],
        *[next(xs) if on else None for on in lin_xs],
    ]


def _transpose_body(at: _Layout, lin_consts: Any, lin_xs: Any, live: Any) -> Program:
    body, nc, nk = at.body, len(at.consts), len(at.carry)
    avals = body.in_avals
    consts, slices = avals[:nc], avals[nc + nk :]
    ys = body.out_avals[nk:]
    not_consts, not_xs = [not on for on in lin_consts], [not on for on in lin_xs]
    groups = [
        pick(not_consts, consts), [a.strong for a in body.out_avals[:nk]],
        [a.strong for a in pick(lin_consts, consts)], [a.strong for a in pick(live, ys)], pick(not_xs, slices),
    ]  # fmt: skip
    linear = (*lin_consts, *[True] * nk, *lin_xs)

    def rewritten(trace: Any, *tracers: Any) -> list[Any]:
        at_, parts = 0, []
        for g in groups:
            parts.append(tracers[at_ : at_ + len(g)])
            at_ += len(g)
        res_consts, ct_carry, sums, ct_ys, res_xs = parts
        out = transpose_in(body, linear, [*res_consts, *res_xs], [*ct_carry, *fill(live, ys, ct_ys)], trace)
        ncl = sum(lin_consts)
        ct_consts, ct_in, ct_xs = out[:ncl], out[ncl : ncl + nk], out[ncl + nk :]
        totals = [given.add_tangents(s, c) for s, c in zip(sums, ct_consts, strict=True)]
        return [*map(given.instantiate, ct_in), *totals, *map(given.instantiate, ct_xs)]

    key = ("transpose_loop", nc, nk, lin_consts, lin_xs, live)
    flat = [a for g in groups for a in g]
    return body.once(key, lambda: rewrite("transpose", flat, rewritten, f"transpose_{body.name}"))  # type: ignore[no-any-return]


# Batching


def _batch_loop(prim: Loop, axis: Axis, at: _Layout, dims: _Layout) -> Any:
    xs = [x if d is None else move_axis(x, d, 1) for x, d in zip(at.xs, dims.xs, strict=True)]
    slice_dims = tuple(None if d is None else 0 for d in dims.xs)
    consts = tuple(dims.consts)
    carry = tuple(d is not None for d in dims.carry)
    while True:
        in_dims = (*consts, *[0 if on else None for on in carry], *slice_dims)
        out = batch_program(at.body, in_dims, axis)[1][: len(carry)]
        grown = tuple(a or d is not None for a, d in zip(carry, out, strict=True))
        masked = _needs_mask(at, dims, grown, axis)
        grown = (True,) * len(carry) if masked else grown
        if grown == carry:
            break
        carry = grown
    moved = [_to_carry(x, d, on, axis.size) for x, d, on in zip(at.carry, dims.carry, carry, strict=True)]
    if masked:
        return _batch_masked(prim, axis, at, dims, moved, xs, slice_dims)
    num_ys = len(at.body.outputs) - len(carry)
    force = (*carry, *[False] * num_ys)
    in_dims = (*consts, *[0 if on else None for on in carry], *slice_dims)
    body, out_dims = batch_program(at.body, in_dims, axis, force)
    cond = at.cond
    if cond is not None:
        cond_dims = (*dims.cond_consts, *[0 if on else None for on in carry])
        cond, _ = batch_program(cond, cond_dims, axis)
    results = prim(*at.head, *at.cond_consts, *at.consts, *moved, *xs, **at.params(body=body, cond=cond))
    ys = [None if d is None else 1 for d in out_dims[len(carry) :]]
    head = [None] if at.cond is not None else []
    return results, [*head, *[0 if on else None for on in carry], *ys]


def _to_carry(x: Any, dim: int | None, on: bool, size: int) -> Any:
    if not on:
        return x
    return spread(x, size, 0) if dim is None else move_axis(x, dim, 0)


def _needs_mask(at: _Layout, dims: _Layout, carry: Sequence[bool], axis: Axis) -> bool:
    """Whether batch elements make different numbers of trips."""
    if at.cond is None:
        return bool(dims.head) and dims.head[0] is not None
    cond_dims = (*dims.cond_consts, *[0 if on else None for on in carry])
    return batch_program(at.cond, cond_dims, axis)[1][0] is not None


def _batch_masked(
    prim: Loop, axis: Axis, at: _Layout, dims: _Layout, carry: list[Any], xs: list[Any], slice_dims: Any
) -> Any:
    """Run until every element is done; finished ones keep their carry."""
    size, nk = axis.size, len(carry)
    if at.cond is not None:
        trips = full((size,), 0, "int64")
        body, cond = _masked_by_cond(at, dims, slice_dims, axis)
        results = prim(
            *at.cond_consts, *at.cond_consts, *at.consts, trips, *carry, *xs,
            **at.params(
                body=body, cond=cond,
                sizes=(len(at.cond_consts), len(at.cond_consts) + len(at.consts), nk + 1),
            ),
        )  # fmt: skip
        return [results[1], *results[2:]], [0] * (nk + 1) + [1] * (len(results) - nk - 2)
    trips = move_axis(at.head[0], dims.head[0], 0)
    longest = reduce_max(trips, axes=(0,)) if size else full((), 0, "int64")
    start = longest - np.int64(1) if at.reverse else full((), 0, "int64")
    body = _masked_by_count(at, dims, slice_dims, axis)
    results = prim(
        longest, trips, *at.consts, start, *carry, *xs,
        **at.params(body=body, sizes=(0, len(at.consts) + 1, nk + 1)),
    )  # fmt: skip
    return results[1:], [0] * nk + [1] * (len(results) - nk - 1)


def _masked_by_cond(at: _Layout, dims: _Layout, slice_dims: Any, axis: Axis) -> tuple[Program, Program]:
    nk, np_ = len(at.carry), len(at.cond_consts)
    cond_dims = (*dims.cond_consts, *[0] * nk)
    body_dims = (*dims.consts, *[0] * nk, *slice_dims)
    cond_avals, body_avals = batched_avals(at.cond, cond_dims, axis), batched_avals(at.body, body_dims, axis)
    count = Aval((axis.size,), np.dtype("int64"))
    nc = len(at.consts)
    carry_avals = body_avals[nc : nc + nk]

    def going(tracers: Sequence[Any], trace: Any) -> Any:
        (p,), (d,) = batch_walk(at.cond, tracers, cond_dims, axis, trace)
        return spread(p, axis.size, 0) if d is None else move_axis(p, d, 0)

    def body(trace: Any, *tracers: Any) -> list[Any]:
        pred, consts, trips = tracers[:np_], tracers[np_ : np_ + nc], tracers[np_ + nc]
        rest = tracers[np_ + nc + 1 :]
        mask = going([*pred, *rest[:nk]], trace)
        outs = _masked_outputs(at, axis, body_dims, [*consts, *rest], rest[:nk], mask, trace)
        return [trips + convert(mask, np.dtype("int64")), *outs]

    def cond(trace: Any, *tracers: Any) -> list[Any]:
        return [reduce_any(going([*tracers[:np_], *tracers[np_ + 1 :]], trace), axes=(0,))]

    body_in = [*cond_avals[:np_], *body_avals[:nc], count, *carry_avals, *body_avals[nc + nk :]]
    key = ("masked", at.cond, np_, nc, nk, cond_dims, body_dims, axis)
    return at.body.once(  # type: ignore[no-any-return]
        key,
        lambda: (
            rewrite("vmap", body_in, body, f"batched_{at.body.name}"),
            rewrite("vmap", [*cond_avals[:np_], count, *carry_avals], cond, f"batched_{at.cond.name}"),
        ),
    )


def _masked_by_count(at: _Layout, dims: _Layout, slice_dims: Any, axis: Axis) -> Program:
    nk, nc = len(at.carry), len(at.consts)
    body_dims = (*dims.consts, *[0] * nk, *slice_dims)
    avals = batched_avals(at.body, body_dims, axis)
    trips, index = Aval((axis.size,), np.dtype("int64")), Aval((), np.dtype("int64"))
    step = np.int64(-1 if at.reverse else 1)

    def body(trace: Any, *tracers: Any) -> list[Any]:
        total, consts, i, rest = tracers[0], tracers[1 : 1 + nc], tracers[1 + nc], tracers[2 + nc :]
        mask = lt(i, total)
        return [i + step, *_masked_outputs(at, axis, body_dims, [*consts, *rest], rest[:nk], mask, trace)]

    key = ("masked", nc, nk, body_dims, axis, at.reverse)
    ins = [trips, *avals[:nc], index, *avals[nc:]]
    return at.body.once(key, lambda: rewrite("vmap", ins, body, f"batched_{at.body.name}"))  # type: ignore[no-any-return]


def _masked_outputs(
    at: _Layout,
    axis: Axis,
    body_dims: Any,
    inputs: Sequence[Any],
    carry: Sequence[Any],
    mask: Any,
    trace: Any,
) -> list[Any]:
    outs, out_dims = batch_walk(at.body, _lend(inputs, body_dims, mask), body_dims, axis, trace)
    outs = [
        spread(x, axis.size, 0) if d is None else move_axis(x, d, 0)
        for x, d in zip(outs, out_dims, strict=True)
    ]
    nk = len(carry)
    kept = [select(_column(mask, new.ndim), new, old) for new, old in zip(outs[:nk], carry, strict=True)]
    return kept + outs[nk:]


def _lend(values: Sequence[Any], dims: Sequence[int | None], mask: Any) -> list[Any]:
    """Values in which each finished element stands in with those of the first unfinished one.

    The results for finished elements are thrown away, but must be harmless: a body applied beyond its last trip may
    divide by zero, and 0 * nan is nan in the derivative.
    """
    if mask.shape[0] == 0:
        return list(values)
    donor = argmax(mask, axis=0, dtype=np.dtype("int64"))
    lent = []
    for x, d in zip(values, dims, strict=True):
        if d is not None:
            start = [donor if i == d else np.int64(0) for i in range(x.ndim)]
            row = dynamic_slice(x, *start, sizes=tuple(1 if i == d else n for i, n in enumerate(x.shape)))
            column = reshape(mask, [n if i == d else 1 for i, n in enumerate(x.shape)])
            x = select(column, x, stop_gradient_p(row))
        lent.append(x)
    return lent


# Execution


def _run(xp: Any, at: _Layout) -> list[Any]:
    body = runner(at.body, xp)
    nk = len(at.carry)
    if at.cond is not None:
        return _run_while(xp, at, body)
    n = at.length if at.length is not None else int(at.head[0])
    carry, consts, xs = list(at.carry), at.consts, at.xs
    stacks = _stacks(xp, at, n)
    for t in range(n - 1, -1, -1) if at.reverse else range(n):
        outs = body([*consts, *carry, *[x[t] for x in xs]])
        carry = outs[:nk]
        stacks = [_store(xp, stack, t, y) for stack, y in zip(stacks, outs[nk:], strict=True)]
    return [*carry, *stacks]


def _stacks(xp: Any, at: _Layout, rows: int) -> list[Any]:
    """Room for what the body stacks; a length known only at run time starts at 0."""
    shapes = [tuple(0 if d == DYNAMIC else d for d in a.shape) for a in at.body.out_avals]
    outs = list(zip(shapes, at.body.out_avals, strict=True))[len(at.carry) :]
    return [xp.empty((rows, *shape), a.dtype) for shape, a in outs]


def _store(xp: Any, stack: Any, t: int, y: Any) -> Any:
    """stack[t] = y. What an inner loop stacked differs in length from trip to trip: the rows are padded with zeros."""
    if y.shape == stack.shape[1:]:
        stack[t] = y
        return stack
    if any(have < want for have, want in zip(stack.shape[1:], y.shape, strict=True)):
        room = [
            have if want <= have else max(want, 2 * have)
            for have, want in zip(stack.shape[1:], y.shape, strict=True)
        ]
        grown = xp.zeros((stack.shape[0], *room), stack.dtype)
        grown[tuple(slice(d) for d in stack.shape)] = stack
        stack = grown
    stack[(t, *[slice(d) for d in y.shape])] = y
    return stack


def _run_while(xp: Any, at: _Layout, body: Callable[..., Any]) -> list[Any]:
    """Residual stacks grow by doubling; they are cut to the number of trips at the end."""
    going = runner(at.cond, xp)
    nk = len(at.carry)
    carry, t, room = list(at.carry), 0, 16
    stacks = _stacks(xp, at, room)
    while bool(going([*at.cond_consts, *carry])[0]):
        outs = body([*at.consts, *carry, *[x[t] for x in at.xs]])
        carry = outs[:nk]
        if t == room and stacks:
            stacks = [xp.concatenate([s, xp.empty_like(s)]) for s in stacks]
            room *= 2
        stacks = [_store(xp, stack, t, y) for stack, y in zip(stacks, outs[nk:], strict=True)]
        t += 1
    stacks = [s[:t] for s in stacks]
    return [xp.asarray(t, dtype=np.int64) if xp is not np else np.int64(t), *carry, *stacks]
