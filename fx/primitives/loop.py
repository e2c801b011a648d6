"""`loop` repeats a Program: scan, while_loop, fori_loop and map are all this primitive.

It carries values, reads slices of stacked operands (xs) and stacks results (ys). Its number of trips is
static, or an operand, or decided by a predicate on the carry; then the stacks have a leading axis whose length
only the run knows, and the number of trips is the first result. This is what makes reverse mode through a
`while_loop` the same rule as through `scan`: the forward loop stacks residuals in growing buffers, and the
linear loop takes the trip count as an operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import given
from ..core.avals import DYNAMIC, Aval
from ..core.errors import RuleError, ShapeError, lines
from ..core.executor import compiles, equation_runner
from ..core.primitive import Axis, Primitive, Unknown, Zero
from ..core.program import Program
from ..core.transforms.call import check_inputs, program_cost
from ..core.transforms.forward import fill, is_zero, jvp_program, pick, rewrite
from ..core.transforms.inner import arrange
from ..core.transforms.reverse import linearize_program, transpose_in
from .loop_batching import batch_loop
from .loop_execution import COMPILED_TRIPS, run_loop
from .loop_layout import Active, Layout


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
        return run_loop(xp, Layout(operands, **params))

    def kernel(self, xp: Any, params: dict[str, Any]) -> Any:
        """Loops of many trips are compiled, also where the Program around them is interpreted."""
        length, body = params["length"], params["body"]
        ragged = any(DYNAMIC in a.shape for a in (*body.in_avals, *body.out_avals))
        if xp is not np or ragged or (length is not None and length < COMPILED_TRIPS):
            return super().kernel(xp, params)

        def run(*operands: Any) -> Any:
            if not compiles():
                return self.impl(xp, *operands, **params)
            avals = [Aval(x.shape, x.dtype) for x in operands]
            return equation_runner(self, params, avals, body)(operands)

        return run

    def shape(self, *avals: Aval, **params: Any) -> tuple[Aval, ...]:
        at = Layout(avals, **params)
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
        at, dots = Layout(primals, **params), Layout(tangents, **params)
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
        at, dots = Layout(primals, **params), Layout(tangents, **params)
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
        at = Layout(operands, **params)
        return _transpose_loop(self, at, cts)

    def batch(self, axis: Axis, operands: Any, dims: Any, **params: Any) -> Any:
        return batch_loop(self, axis, Layout(operands, **params), Layout(dims, **params))

    def cost(self, *avals: Aval, **params: Any) -> int:
        at = Layout(avals, **params)
        return program_cost(at.body) * (at.length or 1)


loop_p = Loop()


# Forward mode and linearization


def _instantiate(active: Sequence[bool], dots: Sequence[Any]) -> list[Any]:
    return [given.instantiate(d) for d in pick(active, dots)]


def _interleave(pushed: Program, at: Layout, active: Active) -> Program:
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


def _widen_cond(at: Layout, active: Active) -> Program | None:
    """The predicate reads the primal carry; the tangents stand behind it unread."""
    if at.cond is None:
        return None
    more = [v.aval.strong for v in pick(active.carry, at.body.outputs[: len(at.carry)])]
    return arrange(at.cond, [*range(len(at.cond.inputs)), *more])


def _split_results(results: Sequence[Any], at: Layout, active: Active) -> tuple[list[Any], list[Any]]:
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

    def __init__(self, forward: Program, num_out: int, at: Layout):
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

    def arrange_linear(self, linear: Program, active: Active) -> Program:
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


# Transposition


def _transpose_loop(prim: Loop, at: Layout, cts: Sequence[Any]) -> list[Any]:
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


def _transpose_body(at: Layout, lin_consts: Any, lin_xs: Any, live: Any) -> Program:
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
    return body.once(key, lambda: rewrite("transpose", flat, rewritten, f"transpose_{body.name}"))
