"""Checkpointing: keep the inputs of a region (and what its policy names), recompute the rest when it is needed.

    checkpoint : (a -> b) -> (a -> b)

In the Program a region is one `checkpoint` equation. Linearizing it leaves a forward `checkpoint` equation, whose
extra outputs are what the policy saves, and a `recompute` equation that runs the forward part again before the
tangents (or, transposed, cotangents). Equations are never moved
or merged into or out of either one: that is the barrier.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .. import tree
from ..avals import Aval
from ..boundary import boundary
from ..config import settings
from ..errors import ArgumentError, brief
from ..primitive import Unknown
from ..program import Equation, Program, Var, check, closed_program, prune
from ..trace import Trace, current_trace
from .arguments import (
    check_outputs,
    is_array,
    leaf_aval,
    leaf_names,
    name_of,
    positions,
    require_callable,
    static_positions,
)
from .call import Call, scatter_cts
from .forward import fill, is_zero, jvp_program, pick
from .reverse import linearize_program, transpose_program
from .vmap import batch_program

Policy = Callable[[Equation], bool]
"""Given an equation of the region, whether its outputs are saved."""


def checkpoint(
    fun: Callable[..., Any] | None = None,
    *,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] | None = None,
) -> Any:
    """Recompute `fun` in the backward pass instead of keeping its intermediate values.

    Args:
        fun: any function of pytrees; it may close over traced values and take keyword arguments.
        policy: which intermediate values are kept all the same, see `fx.checkpoint_policies`; by default none.
        static_argnums: arguments that are not arrays, passed through as they are.

    Returns:
        A function with the same results and derivatives, or a decorator if `fun` is not given.
    """
    if fun is None:
        return lambda f: checkpoint(f, policy=policy, static_argnums=static_argnums)
    require_callable(fun, "checkpoint")
    if policy is not None and not callable(policy):
        raise ArgumentError(
            f"checkpoint(policy={brief(policy)}): pass one of fx.checkpoint_policies or a predicate."
        )
    nums = positions(static_argnums)

    @functools.wraps(fun, updated=())
    @boundary
    def region(*args: Any, **kwargs: Any) -> Any:
        parent = current_trace()
        if parent is None:
            return fun(*args, **kwargs)
        static = static_positions(fun, nums, len(args))
        dynamic = [None if i in static else a for i, a in enumerate(args)]
        leaves, in_tree = tree.flatten((dynamic, kwargs))
        traced = [is_array(x) and not isinstance(x, (bool, int)) for x in leaves]
        names = functools.cache(lambda: leaf_names(fun, dynamic, kwargs))
        values = pick(traced, leaves)
        avals = [leaf_aval(x, lambda: ", ".join(names()), fun, "checkpoint") for x in values]
        trace = Trace("checkpoint", avals, values, fun, parent, parent.by_value)
        with trace:
            tracers = iter(trace.inputs())
            filled = [next(tracers) if on else x for on, x in zip(traced, leaves, strict=True)]
            new_args, new_kwargs = in_tree.unflatten(filled)
            new_args = [args[i] if i in static else a for i, a in enumerate(new_args)]
            outputs, out_tree = tree.flatten(fun(*new_args, **new_kwargs))
        check_outputs(outputs, out_tree, fun, "checkpoint")
        program, consts = closed_program(trace, outputs, name_of(fun))
        results = checkpoint_p(*values, *consts, program=program, policy=policy)
        return out_tree.unflatten(results)

    return region


class Checkpoint(Call):
    """A region: a call with a barrier around it, whose linearization recomputes."""

    def impl(self, xp: Any, *operands: Any, program: Program, policy: Any = None) -> Any:
        return super().impl(xp, *operands, program=program)

    def shape(self, *avals: Aval, program: Program, policy: Any = None) -> Any:
        return super().shape(*avals, program=program)

    def push(self, primals: Any, tangents: Any, *, program: Program, policy: Any = None) -> Any:
        active = tuple(not is_zero(t) for t in tangents)
        rewritten, out_active = jvp_program(program, active)
        results = self(*primals, *pick(active, tangents), program=rewritten, policy=policy)
        count = len(program.outputs)
        return results[:count], fill(out_active, program.out_avals, results[count:])

    def linearize(self, primals: Any, tangents: Any, *, program: Program, policy: Any = None) -> Any:
        active = tuple(not is_zero(t) for t in tangents)
        forward, again, out_active = split_region(program, active, policy)
        results = self(*primals, program=forward, policy=policy)
        count = len(program.outputs)
        dots: Sequence[Any] = []
        if any(out_active):
            dots = recompute_p(
                *pick(active, tangents), *primals, *results[count:], program=again, policy=policy
            )
        return results[:count], fill(out_active, program.out_avals, dots)

    def transpose(self, cts: Any, *operands: Any, program: Program, policy: Any = None) -> Any:
        linear = tuple(type(x) is Unknown for x in operands)
        live = tuple(not is_zero(c) for c in cts)
        rewritten, out_active = transpose_program(program, linear, live)
        others = pick([not on for on in linear], operands)
        found = recompute_p(*others, *pick(live, cts), program=rewritten, policy=policy)
        return scatter_cts(linear, out_active, found, program)

    def batch(self, axis: Any, operands: Any, dims: Any, *, program: Program, policy: Any = None) -> Any:
        rewritten, out_dims = batch_program(program, tuple(dims), axis)
        return self(*operands, program=rewritten, policy=policy), out_dims

    def cost(self, *avals: Aval, program: Program, policy: Any = None) -> int:
        return super().cost(*avals, program=program)


checkpoint_p = Checkpoint("checkpoint")
recompute_p = Checkpoint("recompute")


def split_region(
    program: Program, active: tuple[bool, ...], policy: Any
) -> tuple[Program, Program, tuple[bool, ...]]:
    """The forward part (outputs + saved) and the recomputing part (tangents, inputs, saved) -> tangents."""
    return program.once(("region", active, policy), lambda: _split_region(program, active, policy))


def _split_region(program: Program, active: Any, policy: Any) -> tuple[Program, Program, tuple[bool, ...]]:
    full, linear, out_active = linearize_program(program, active)
    count = len(program.outputs)
    residuals = full.outputs[count:]
    saved = _saved(full, residuals, policy)
    forward = _live(full, (*full.outputs[:count], *saved), program.name)
    again = _recomputing(full, residuals, saved, linear)
    return forward, again, out_active


def _saved(full: Program, residuals: Sequence[Any], policy: Any) -> list[Var]:
    """The variables that the policy keeps, as far as the residuals are computed from them.

    Keeping a named value keeps the value under all its names: a rule may use it unnamed.
    """
    if policy is None:
        return []
    kept = {v for e in full.equations if policy(e) for v in (e.inputs if e.primitive.alias else e.outputs)}
    needed: set[Any] = set(residuals)
    saved = []
    for eqn in reversed(full.equations):
        for v in eqn.outputs:
            if v in needed and v in kept:
                saved.append(v)
        if any(v in needed and v not in kept for v in eqn.outputs):
            needed.update(v for v in eqn.inputs if type(v) is Var)
    return saved[::-1]


def _live(program: Program, outputs: Sequence[Any], name: str) -> Program:
    whole = Program(program.inputs, program.consts, program.equations, outputs, name)
    return prune(whole, [True] * len(outputs))


def _recomputing(full: Program, residuals: Sequence[Any], saved: Sequence[Var], linear: Program) -> Program:
    """(tangents, inputs, saved) -> out tangents: the needed part of the forward pass, then the linear one."""
    have = set(saved)
    needed = {v for v in residuals if type(v) is Var and v not in have}
    equations = []
    for eqn in reversed(full.equations):
        if needed.isdisjoint(eqn.outputs):
            continue
        outs = tuple(Var(v.aval) if v in have else v for v in eqn.outputs)
        equations.append(Equation(eqn.primitive, eqn.inputs, eqn.params, outs, eqn.source))
        needed.update(v for v in eqn.inputs if type(v) is Var and v not in have)
    split = len(linear.inputs) - len(residuals)
    tangents = [Var(v.aval) for v in linear.inputs[:split]]
    tail, outputs = _over(linear, [*tangents, *residuals])
    inputs = [*tangents, *full.inputs, *saved]
    again = Program(inputs, (), equations[::-1] + tail, outputs, f"again_{full.name}")
    return check(again) if settings().check_programs else again


def _over(program: Program, inputs: Sequence[Any]) -> tuple[list[Equation], list[Any]]:
    """Equations and outputs of a Program over other inputs, with new Vars: Programs of one structure share theirs."""
    stands_for: dict[Any, Any] = dict(zip(program.inputs, inputs, strict=True))
    equations = []
    for e in program.equations:
        ins = tuple(stands_for.get(v, v) for v in e.inputs)
        stands_for.update((v, Var(v.aval)) for v in e.outputs)
        outs = tuple(stands_for[v] for v in e.outputs)
        equations.append(Equation(e.primitive, ins, e.params, outs, e.source))
    return equations, [stands_for.get(v, v) for v in program.outputs]
