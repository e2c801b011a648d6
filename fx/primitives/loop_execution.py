"""Running a loop on buffers, one trip after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.avals import DYNAMIC
from ..core.executor import compiled_runner
from ..core.transforms.call import runner
from .loop_layout import Layout

COMPILED_TRIPS = 32
"""From so many trips compiling the body pays for itself at once."""


def run_loop(xp: Any, at: Layout) -> list[Any]:
    body = runner(at.body, xp)
    nk = len(at.carry)
    if at.cond is not None:
        return _run_while(xp, at, body)
    n = at.length if at.length is not None else int(at.head[0])
    carry, consts, xs = list(at.carry), at.consts, at.xs
    stacks = _stacks(xp, at, n)
    if n >= COMPILED_TRIPS:
        body = compiled_runner(at.body, xp) or body
    for t in range(n - 1, -1, -1) if at.reverse else range(n):
        outs = body([*consts, *carry, *[x[t] for x in xs]])
        carry = outs[:nk]
        stacks = [_store(xp, stack, t, y) for stack, y in zip(stacks, outs[nk:], strict=True)]
    return [*carry, *stacks]


def _stacks(xp: Any, at: Layout, rows: int) -> list[Any]:
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


def _run_while(xp: Any, at: Layout, body: Callable[..., Any]) -> list[Any]:
    """Residual stacks grow by doubling; they are cut to the number of trips at the end."""
    going = runner(at.cond, xp)
    nk = len(at.carry)
    carry, t, room = list(at.carry), 0, 16
    stacks = _stacks(xp, at, room)
    while bool(going([*at.cond_consts, *carry])[0]):
        if t == COMPILED_TRIPS:
            body = compiled_runner(at.body, xp) or body
            going = compiled_runner(at.cond, xp) or going
        outs = body([*at.consts, *carry, *[x[t] for x in at.xs]])
        carry = outs[:nk]
        if t == room and stacks:
            stacks = [xp.concatenate([s, xp.empty_like(s)]) for s in stacks]
            room *= 2
        stacks = [_store(xp, stack, t, y) for stack, y in zip(stacks, outs[nk:], strict=True)]
        t += 1
    stacks = [s[:t] for s in stacks]
    return [xp.asarray(t, dtype=np.int64) if xp is not np else np.int64(t), *carry, *stacks]
