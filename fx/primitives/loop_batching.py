"""Loops over a batch. Where elements make different numbers of trips, finished ones keep their carry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.avals import Aval
from ..core.primitive import Axis, Primitive
from ..core.program import Program
from ..core.transforms.forward import rewrite
from ..core.transforms.vmap import batch_program, batch_walk, batched_avals, home
from .elementwise import convert, lt, select
from .lending import column, has_collective, lend
from .loop_layout import Layout
from .reductions import reduce_any, reduce_max
from .shape import full, move_axis, spread


def batch_loop(prim: Primitive, axis: Axis, at: Layout, dims: Layout) -> Any:
    homes = [home(a) for a in at.body.in_avals[len(at.consts) + len(at.carry) :]]
    slice_dims = tuple(None if d is None else h for d, h in zip(dims.xs, homes, strict=True))
    xs = [x if d is None else move_axis(x, d, h + 1) for x, d, h in zip(at.xs, dims.xs, homes, strict=True)]
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
    ys = [None if d is None else d + 1 for d in out_dims[len(carry) :]]
    head = [None] if at.cond is not None else []
    return results, [*head, *[0 if on else None for on in carry], *ys]


def _to_carry(x: Any, dim: int | None, on: bool, size: int) -> Any:
    if not on:
        return x
    return spread(x, size, 0) if dim is None else move_axis(x, dim, 0)


def _needs_mask(at: Layout, dims: Layout, carry: Sequence[bool], axis: Axis) -> bool:
    """Whether batch elements make different numbers of trips."""
    if at.cond is None:
        return bool(dims.head) and dims.head[0] is not None
    cond_dims = (*dims.cond_consts, *[0 if on else None for on in carry])
    return batch_program(at.cond, cond_dims, axis)[1][0] is not None


def _batch_masked(
    prim: Primitive, axis: Axis, at: Layout, dims: Layout, carry: list[Any], xs: list[Any], slice_dims: Any
) -> Any:
    """Run until every element is done; finished ones keep their carry."""
    size, nk = axis.size, len(carry)
    ys = [home(a) + 1 for a in at.body.out_avals[nk:]]
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
        return [results[1], *results[2:]], [0] * (nk + 1) + ys
    trips = move_axis(at.head[0], dims.head[0], 0)
    longest = reduce_max(trips, axes=(0,)) if size else full((), 0, "int64")
    start = longest - np.int64(1) if at.reverse else full((), 0, "int64")
    body = _masked_by_count(at, dims, slice_dims, axis)
    results = prim(
        longest, trips, *at.consts, start, *carry, *xs,
        **at.params(body=body, sizes=(0, len(at.consts) + 1, nk + 1)),
    )  # fmt: skip
    return results[1:], [0] * nk + ys


def _masked_by_cond(at: Layout, dims: Layout, slice_dims: Any, axis: Axis) -> tuple[Program, Program]:
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
    return at.body.once(
        key,
        lambda: (
            rewrite("vmap", body_in, body, f"batched_{at.body.name}"),
            rewrite("vmap", [*cond_avals[:np_], count, *carry_avals], cond, f"batched_{at.cond.name}"),
        ),
    )


def _masked_by_count(at: Layout, dims: Layout, slice_dims: Any, axis: Axis) -> Program:
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
    return at.body.once(key, lambda: rewrite("vmap", ins, body, f"batched_{at.body.name}"))


def _masked_outputs(
    at: Layout,
    axis: Axis,
    body_dims: Any,
    inputs: Sequence[Any],
    carry: Sequence[Any],
    mask: Any,
    trace: Any,
) -> list[Any]:
    if not has_collective(at.body, axis):
        inputs = lend(inputs, body_dims, mask)
    outs, out_dims = batch_walk(at.body, inputs, body_dims, axis, trace)
    outs = [
        spread(x, axis.size, h) if d is None else move_axis(x, d, h)
        for x, d, h in zip(outs, out_dims, map(home, at.body.out_avals), strict=True)
    ]
    nk = len(carry)
    kept = [select(column(mask, new.ndim), new, old) for new, old in zip(outs[:nk], carry, strict=True)]
    return kept + outs[nk:]
