"""Functions whose reverse derivative the user gives, as a forward and a backward rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import given
from ..avals import Aval
from ..errors import RuleError, TreeError, lines
from ..primitive import Primitive, Zero, absent
from ..program import Program, closed_program
from ..trace import Trace
from .arguments import (
    name_of,
)
from .call import check_inputs, program_cost, runner
from .custom_calls import (
    CustomCall,
    CustomFunction,
    fitted,
    inline,
    path_of,
    refuse_closure,
    same_aval,
)
from .forward import is_zero, pick, rewrite
from .vmap import batch_program, batch_walk, batched_avals


class custom_vjp(CustomFunction):
    """A function whose reverse derivative is given by `defvjp(fwd, bwd)`.

    Args:
        fun: the function. static_argnums: arguments that are plain Python values (`nondiff_argnums` in JAX).

    `fwd(*args) -> (out, residuals)` and `bwd(*static, residuals, ct) -> cts`, a tuple with one entry per dynamic
    argument; None stands for zero. Forward mode through the function raises.
    """

    kind, definer = "custom_vjp", ".defvjp"
    fwd: Callable[..., Any] | None = None
    bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set both rules."""
        self.fwd, self.bwd = fwd, bwd

    @property
    def rules_given(self) -> tuple[Any, ...]:
        return self.fwd, self.bwd

    @property
    def primitive(self) -> Primitive:
        return custom_vjp_p

    def trace_rules(
        self, call: CustomCall, out_tree: Any, program: Program, parent: Any, leaves: Any
    ) -> tuple[Rules, list[Any]]:
        fwd, fwd_consts, res_tree, res_avals = self._forward(call, program, out_tree, parent, leaves)
        bwd, bwd_consts, given_cts = self._backward(call, program, out_tree, res_tree, res_avals, parent)
        return Rules(fwd, bwd, given_cts, len(fwd_consts)), [*fwd_consts, *bwd_consts]

    def _forward(self, call: CustomCall, program: Program, out_tree: Any, parent: Any, leaves: Any) -> Any:
        run = lambda tracers: fitted(self.fwd(*call.arguments(tracers)), program.out_avals)  # type: ignore[misc]
        trace, outputs, found = call.record(
            run, call.avals, f"{name_of(self.fun)}'s fwd rule", parent, leaves
        )
        pair = found.children()
        if len(pair) != 2 or pair[0] != out_tree:
            raise TreeError(
                lines(
                    f"The fwd rule of {name_of(self.fun)} must return (out, residuals) with out like {out_tree}.",
                    f"It returned {found}.",
                )
            )
        for i, v in enumerate(program.outputs):
            same_aval(v.aval, outputs[i], f"The fwd rule of {name_of(self.fun)}: out{path_of(out_tree, i)}")
        fwd, consts = closed_program(trace, outputs, f"fwd_{name_of(self.fun)}")
        residuals = fwd.out_avals[out_tree.num_leaves :]
        return fwd, consts, pair[1], residuals

    def _backward(
        self, call: CustomCall, program: Program, out_tree: Any, res_tree: Any, res_avals: Any, parent: Any
    ) -> Any:
        avals = [*res_avals, *[v.aval.strong for v in program.outputs]]
        given_cts: list[bool] = []

        def run(tracers: list[Any]) -> Any:
            residuals = res_tree.unflatten(tracers[: len(res_avals)])
            ct = out_tree.unflatten(tracers[len(res_avals) :])
            flat = call.flat_cts(self.bwd(*call.statics, residuals, ct))  # type: ignore[misc]
            given_cts.extend(c is not None for c in flat)
            return pick(given_cts, flat)

        trace, outputs, _ = call.record(run, avals, f"{name_of(self.fun)}'s bwd rule", parent)
        bwd, consts = closed_program(trace, outputs, f"bwd_{name_of(self.fun)}")
        return bwd, consts, tuple(given_cts)


class Rules(NamedTuple):
    """Both rules of a custom_vjp call.

    fwd: (args, its consts) -> (outputs, residuals); bwd: (residuals, cts, its consts) -> the given cotangents.
    """

    fwd: Program
    bwd: Program
    given_cts: tuple[bool, ...]
    fwd_consts: int


class BatchedRules(NamedTuple):
    """Late rules over a batch."""

    base: Any
    arg_dims: tuple[int | None, ...]
    axis: Any
    num_out: int

    def resolve(self) -> tuple[Rules, list[Any]]:
        rules, consts = resolve_rules(self.base)
        return batch_rules(rules, self.arg_dims, (None,) * len(consts), self.axis, self.num_out), consts


def resolve_rules(rules: Any) -> tuple[Rules, list[Any]]:
    return (rules, []) if isinstance(rules, Rules) else rules.resolve()


def batch_rules(rules: Rules, args: Any, const_dims: Sequence[int | None], axis: Any, num_out: int) -> Rules:
    """Both rules over a batch; the function has `num_out` outputs."""
    fwd, bwd, given_cts, split = rules
    force = (True,) * num_out + (False,) * (len(fwd.outputs) - num_out)
    new_fwd, out_dims = batch_program(fwd, (*args, *const_dims[:split]), axis, force)
    bwd_dims = (*out_dims[num_out:], *[0] * num_out, *const_dims[split:])
    return Rules(new_fwd, _batch_backward(bwd, bwd_dims, axis, pick(given_cts, args)), given_cts, split)


class CustomVJP(Primitive):
    """args, consts of the function, consts of the rules -> outputs; sizes = (args, consts of the function)."""

    name = "custom_vjp"
    multiple = True
    calls = True
    transpose = absent("its linear part is custom_tangent")

    def impl(self, xp: Any, *operands: Any, program: Program, rules: Any, sizes: Any) -> Any:
        return runner(program, xp)(operands[: sum(sizes)])

    def shape(self, *avals: Aval, program: Program, rules: Any, sizes: Any) -> Any:
        check_inputs(self.name, program, avals[: sum(sizes)])
        return program.out_avals

    def push(self, primals: Any, tangents: Any, *, program: Program, rules: Any, sizes: Any) -> Any:
        raise RuleError(
            lines(
                f"Forward mode through the custom_vjp function {program.name}: it has no jvp rule.",
                "Define the function with fx.custom_jvp (reverse mode follows from it), or use reverse mode here.",
            )
        )

    def linearize(self, primals: Any, tangents: Any, *, program: Program, rules: Any, sizes: Any) -> Any:
        n, own = sizes
        refuse_closure("custom_vjp", program, tangents[n : n + own])
        made, captured = resolve_rules(rules)
        consts = [*primals[n + own :], *captured]
        results = inline(made.fwd, [*primals[:n], *consts[: made.fwd_consts]])
        count = len(program.outputs)
        active = tuple(not is_zero(t) for t in tangents[:n])
        if not any(active):
            return results[:count], [Zero(v.aval.strong) for v in program.outputs]
        dots = custom_tangent_p(
            *pick(active, tangents[:n]), *results[count:], *consts[made.fwd_consts :],
            bwd=made.bwd, active=active, outs=tuple(v.aval.strong for v in program.outputs),
            given_cts=made.given_cts, num_res=len(results) - count,
        )  # fmt: skip
        return results[:count], dots

    def batch(self, axis: Any, operands: Any, dims: Any, *, program: Program, rules: Any, sizes: Any) -> Any:
        n, own = sizes
        count = len(program.outputs)
        new_program, _ = batch_program(program, tuple(dims[: n + own]), axis, (True,) * count)
        args, rest = tuple(dims[:n]), tuple(dims[n + own :])
        made = (
            batch_rules(rules, args, rest, axis, count)
            if isinstance(rules, Rules)
            else (BatchedRules(rules, args, axis, count))
        )
        return self(*operands, program=new_program, rules=made, sizes=sizes), [0] * count

    def cost(self, *avals: Aval, program: Program, rules: Any, sizes: Any) -> int:
        return program_cost(program)


custom_vjp_p = CustomVJP()


def _batch_backward(bwd: Program, in_dims: Any, axis: Any, arg_dims: Sequence[int | None]) -> Program:
    """bwd over a batch: a cotangent gets the batch axis of its argument; without one it is summed over the batch."""
    key = ("batch_bwd", in_dims, axis, tuple(arg_dims))

    def body(trace: Trace, *tracers: Any) -> list[Any]:
        outs, dims = batch_walk(bwd, tracers, in_dims, axis, trace)
        return [
            _like_argument(x, d, want, axis.size) for x, d, want in zip(outs, dims, arg_dims, strict=True)
        ]

    return bwd.once(key, lambda: rewrite("vmap", batched_avals(bwd, in_dims, axis), body, bwd.name))


def _like_argument(x: Any, dim: int | None, want: int | None, size: int) -> Any:
    if want is None:
        if dim is None:
            return given.total(given.spread(x, size, 0), 0)
        return given.total(x, dim)
    if dim is None:
        return given.spread(x, size, want)
    return given.move_axis(x, dim, want)


class CustomTangent(Primitive):
    """(active tangents, residuals, consts of bwd) -> out tangents: known only through its transpose, bwd."""

    name = "custom_tangent"
    multiple = True
    calls = True

    def impl(self, xp: Any, *operands: Any, bwd: Program, **params: Any) -> Any:
        raise RuleError(
            lines(
                f"Forward mode through a custom_vjp function ({bwd.name}): it has no jvp rule.",
                "Define the function with fx.custom_jvp, or use reverse mode (grad, vjp) here.",
            )
        )

    def shape(self, *avals: Aval, outs: Any, **params: Any) -> Any:
        return outs

    def push(self, primals: Any, tangents: Any, *, bwd: Program, **params: Any) -> Any:
        return self.impl(None, bwd=bwd)

    def transpose(
        self, cts: Any, *operands: Any, bwd: Program, active: Any, outs: Any, given_cts: Any, num_res: int
    ) -> Any:
        count = sum(active)
        residuals, consts = operands[count : count + num_res], operands[count + num_res :]
        found = iter(inline(bwd, [*residuals, *map(given.instantiate, cts), *consts]))
        by_arg = [next(found) if on else None for on in given_cts]
        result: list[Any] = []
        for x, c in zip(operands[:count], pick(active, by_arg), strict=True):
            result.append(Zero(x.aval) if c is None else c)
        return result + [None] * (len(operands) - count)

    def batch(self, axis: Any, operands: Any, dims: Any, *, bwd: Program, **params: Any) -> Any:
        return self.impl(None, bwd=bwd)


custom_tangent_p = CustomTangent()
