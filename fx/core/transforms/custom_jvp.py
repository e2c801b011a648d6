"""Functions whose forward derivative the user gives; reverse mode follows from it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import given, tree
from ..avals import Aval
from ..errors import TreeError, lines
from ..primitive import Primitive, absent
from ..program import Program, closed_program
from .arguments import (
    name_of,
)
from .call import check_inputs, program_cost, runner
from .custom_calls import (
    CustomCall,
    CustomFunction,
    fitted,
    inline,
    merge_static,
    path_of,
    refuse_closure,
    same_aval,
)
from .vmap import batch_program


class custom_jvp(CustomFunction):
    """A function whose forward derivative is given by `defjvp`; reverse mode follows from it.

    Args:
        fun: the function. static_argnums: arguments that are plain Python values (`nondiff_argnums` in JAX).

    >>> import fx
    >>> @fx.custom_jvp
    ... def f(x):
    ...     return x * x
    >>> @f.defjvp
    ... def f_jvp(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     return f(x), 10.0 * x * dx
    >>> fx.grad(f)(3.0)
    Array(30., float32)
    """

    kind, definer = "custom_jvp", ".defjvp"
    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """`rule([*static,] primals, tangents) -> (out, tangent_out)`, linear in the tangents."""
        self.rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """One rule per argument: `rule(tangent, out, *primals) -> tangent_out`; None where there is none."""

        def rule(*args: Any) -> Any:
            *static, primals, tangents = args
            out = self(*merge_static(self.static, static, primals))
            terms = [r(t, out, *primals) for r, t in zip(rules, tangents, strict=True) if r is not None]
            return out, functools.reduce(lambda a, b: tree.map(given.add, a, b), terms)

        self.defjvp(rule)

    @property
    def rules_given(self) -> tuple[Any, ...]:
        return (self.rule,)

    @property
    def primitive(self) -> Primitive:
        return custom_jvp_p

    def trace_rules(self, call: CustomCall, out_tree: Any, program: Program, parent: Any, leaves: Any) -> Any:
        n = len(call.avals)
        avals = call.avals + [a.strong for a in call.avals]

        def run(tracers: list[Any]) -> Any:
            primals = call.in_tree.unflatten(tracers[:n])
            tangents = call.in_tree.unflatten(tracers[n:])
            return fitted(self.rule(*call.statics, primals, tangents), program.out_avals * 2)  # type: ignore[misc]

        title = f"{name_of(self.fun)}'s jvp rule"
        trace, outputs, tree_found = call.record(run, avals, title, parent, leaves)
        pair = tree_found.children()
        if len(pair) != 2 or pair[0] != out_tree or pair[1] != out_tree:
            raise TreeError(
                lines(
                    f"The jvp rule of {name_of(self.fun)} must return (out, tangent_out), each like {out_tree}.",
                    f"It returned {tree_found}.",
                )
            )
        for i, v in enumerate(program.outputs):
            for what, x in (("out", outputs[i]), ("tangent_out", outputs[out_tree.num_leaves + i])):
                same_aval(v.aval, x, f"The jvp rule of {name_of(self.fun)}: {what}{path_of(out_tree, i)}")
        return closed_program(trace, outputs, f"jvp_{name_of(self.fun)}")


class BatchedRule(NamedTuple):
    """A rule over a batch, made when it is needed."""

    base: Any
    dims: tuple[int | None, ...]
    axis: Any
    force: tuple[bool, ...]

    def resolve(self) -> tuple[Program, list[Any]]:
        program, consts = resolve(self.base)
        dims = self.dims + (None,) * len(consts)
        return batch_program(program, dims, self.axis, self.force)[0], consts


def resolve(rule: Any) -> tuple[Program, list[Any]]:
    """The Program of a rule, and the arrays it captured if it was traced late."""
    return (rule, []) if isinstance(rule, Program) else rule.resolve()


def batched_rule(rule: Any, dims: tuple[int | None, ...], axis: Any, force: tuple[bool, ...]) -> Any:
    if isinstance(rule, Program):
        return batch_program(rule, dims, axis, force)[0]
    return BatchedRule(rule, dims, axis, force)


class CustomJVP(Primitive):
    """args, consts of the function, consts of the rule -> outputs; sizes = (args, consts of the function)."""

    name = "custom_jvp"
    multiple = True
    calls = True
    transpose = absent("the rule is applied before anything is transposed")

    def impl(self, xp: Any, *operands: Any, program: Program, rules: Any, sizes: Any) -> Any:
        return runner(program, xp)(operands[: sum(sizes)])

    def shape(self, *avals: Aval, program: Program, rules: Any, sizes: Any) -> Any:
        check_inputs(self.name, program, avals[: sum(sizes)])
        return program.out_avals

    def push(self, primals: Any, tangents: Any, *, program: Program, rules: Any, sizes: Any) -> Any:
        n, own = sizes
        refuse_closure("custom_jvp", program, tangents[n : n + own])
        dots = [given.instantiate(t) for t in tangents[:n]]
        made, captured = resolve(rules)
        results = inline(made, [*primals[:n], *dots, *primals[n + own :], *captured])
        count = len(program.outputs)
        return results[:count], results[count:]

    def batch(self, axis: Any, operands: Any, dims: Any, *, program: Program, rules: Any, sizes: Any) -> Any:
        n, own = sizes
        force = (True,) * len(program.outputs)
        new_program, _ = batch_program(program, tuple(dims[: n + own]), axis, force)
        rule_dims = (*dims[:n], *dims[:n], *dims[n + own :])
        new_rules = batched_rule(rules, rule_dims, axis, force * 2)
        return self(*operands, program=new_program, rules=new_rules, sizes=sizes), [0] * len(program.outputs)

    def cost(self, *avals: Aval, program: Program, rules: Any, sizes: Any) -> int:
        return program_cost(program)


custom_jvp_p = CustomJVP()
